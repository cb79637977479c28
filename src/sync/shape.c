/* Shapes of tables. See shape.h. */
#include "sync/shape.h"

#include "avro/name.h"
#include "avro/schema.h"
#include "base/alloc.h"
#include "base/clock.h"

#define SCHEMA_JSON_LIMIT ((size_t)16 << 20)

/* --- names ----------------------------------------------------------------------------
 */

/* The name that this column got before. MySQL compares column names without regard to
 * case: one that is only written otherwise is the same column. */
static struct str given_before(struct given_name *given, size_t count, struct str column)
{
    struct str name = { 0 };
    for (size_t i = 0; i < count; i++) {
        if (!str_ieq(given[i].column, column))
            continue;
        if (name.len == 0 || str_eq(given[i].column, column))
            name = given[i].name;
        given[i].column = (struct str){ 0 }; /* not one that is gone */
    }
    return name;
}

/* Names of columns that are gone stand behind the others, so that nobody gets them. */
static int column_names(const struct plan_context *c, struct arena *a,
                        const struct table_schema *whole, struct column *columns,
                        struct error *err)
{
    struct stream_name of = { c->integration, whole->database, whole->name };
    size_t count = whole->column_count;
    struct given_name *given = NULL;
    size_t given_count = 0;
    if (state_name_list(c->state, a, &of, &given, &given_count, err) != 0)
        return -1;
    struct str *names = ARENA_ARRAY(a, struct str, count + given_count);
    struct str *previous = ARENA_ARRAY(a, struct str, count + given_count);
    struct str *out = ARENA_ARRAY(a, struct str, count + given_count);
    for (size_t i = 0; i < count; i++) {
        names[i] = columns[i].name;
        previous[i] = given_before(given, given_count, names[i]);
    }
    size_t all = count;
    for (size_t i = 0; i < given_count; i++)
        if (given[i].column.len > 0) {
            names[all] = given[i].column;
            previous[all++] = given[i].name;
        }
    avro_names_assign(a, names, previous, all,
                      c->options->prefix_digit ? LEADING_DIGIT_PREFIX
                                               : LEADING_DIGIT_REPLACE,
                      true, out);
    for (size_t i = 0; i < count; i++) {
        columns[i].avro_name = out[i];
        if (previous[i].len == 0 &&
            state_name_save(c->state, &of, names[i], out[i], err) != 0)
            return -1;
    }
    return 0;
}

static bool wants_companion(const struct plan_context *c, const struct column *col)
{
    return c->options->dates == DATE_TEXT && col->selected && col->key_ordinal == 0 &&
           type_has_bad_dates(col->type);
}

/* All columns of the table, companions of date columns behind them. */
static struct column *all_columns(const struct plan_context *c, struct arena *a,
                                  const struct table_schema *s, uint16_t *count)
{
    unsigned more = 0;
    for (unsigned i = 0; i < s->column_count; i++)
        more += wants_companion(c, &s->columns[i]) ? 1 : 0;
    struct column *columns = ARENA_ARRAY(a, struct column, s->column_count + more);
    unsigned n = s->column_count;
    for (unsigned i = 0; i < s->column_count; i++) {
        columns[i] = s->columns[i];
        if (!wants_companion(c, &s->columns[i]))
            continue;
        columns[n++] = (struct column){
            .name = arena_printf(a, STR_FMT "__text", STR_ARG(s->columns[i].name)),
            .source_type = STR("text of a date that is none"),
            .charset = STR("ascii"),
            .collation = STR("ascii_bin"),
            .type = TYPE_TEXT,
            .length = 32,
            .companion = (uint16_t)(i + 1),
            .nullable = true,
            .selected = true,
        };
    }
    *count = (uint16_t)n;
    return columns;
}

static int apply_promotions(const struct plan_context *c,
                            const struct table_schema *whole, struct column *columns,
                            struct error *err)
{
    struct stream_name of = { c->integration, whole->database, whole->name };
    for (unsigned i = 0; i < whole->column_count; i++) {
        bool promoted = false;
        if (columns[i].type != TYPE_BOOL)
            continue;
        if (state_promotion_find(c->state, &of, columns[i].name, &promoted, err) != 0)
            return -1;
        if (promoted) {
            columns[i].type = TYPE_INT;
            columns[i].bytes = 1;
        }
    }
    return 0;
}

static int give_version(const struct plan_context *c, struct arena *a,
                        struct table_schema *shape, struct error *err)
{
    struct stream_shape *known = NULL;
    size_t count = 0;
    struct stream_name of = { c->integration, shape->database, shape->name };
    if (state_shape_list(c->state, a, &of, &known, &count, err) != 0)
        return -1;
    uint64_t hash = schema_hash(shape);
    shape->version = count == 0 ? 1 : known[count - 1].version + 1;
    if (count > 0 && known[count - 1].hash == hash)
        shape->version = known[count - 1].version;
    return 0;
}

/* The table with the selection in its columns. */
static int choose_columns(const struct plan_context *c, struct arena *a,
                          const struct catalog_table *t, struct str always,
                          struct table_schema **out, struct error *err)
{
    struct table_schema *whole = schema_copy(a, &t->schema);
    struct column *columns = ARENA_ARRAY(a, struct column, whole->column_count);
    bool *late = ARENA_ARRAY(a, bool, whole->column_count);
    const struct stream_setting *said =
        selection_find(c->selection, whole->database, whole->name);
    struct selection_owner owner = { c->state, c->integration, c->options,
                                     selection_leaves_new(said, c->options) };
    if (selection_late(&owner, whole, true, late, err) != 0)
        return -1;
    for (unsigned i = 0; i < whole->column_count; i++) {
        columns[i] = whole->columns[i];
        columns[i].selected =
            (always.len > 0 && str_ieq(columns[i].name, always)) ||
            selection_column(said, c->options, whole, &columns[i], late[i], NULL)
                .selected;
    }
    whole->columns = columns;
    *out = whole;
    return 0;
}

int shape_make(const struct plan_context *c, struct arena *a,
               const struct catalog_table *t, struct str always,
               struct table_schema **out, struct error *err)
{
    struct table_schema *whole = NULL;
    uint16_t count = 0;
    if (choose_columns(c, a, t, always, &whole, err) != 0)
        return -1;
    struct column *columns = all_columns(c, a, whole, &count);
    whole->columns = columns;
    whole->column_count = count;
    if (column_names(c, a, whole, columns, err) != 0 ||
        apply_promotions(c, whole, columns, err) != 0)
        return -1;
    struct table_schema *shape =
        always.len == 0 ? schema_project(a, whole) : schema_project_by(a, whole, always);
    if (shape == NULL)
        return error_set(err, ERR_CONFIG, "no column of it is selected");
    if (give_version(c, a, shape, err) != 0)
        return -1;
    *out = shape;
    return 0;
}

/* Some recorded shape has the column: its property begins so (avro/schema.c). A name that
 * is found elsewhere in the text does no harm: the sink looks at the table. */
static bool was_copied(const struct stream_shape *known, size_t count, struct str name)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 4096);
    buf_add_text(&text, "{\"column\":");
    buf_add_json(&text, name);
    for (size_t i = 0; i < count; i++)
        if (memmem(known[i].schema_json.ptr, known[i].schema_json.len, buf_text(&text),
                   text.len) != NULL)
            return true;
    return false;
}

int shape_was_copied(const struct plan_context *c, struct arena *a,
                     const struct stream_name *of, struct str column, struct error *err)
{
    struct stream_shape *known = NULL;
    size_t count = 0;
    if (state_shape_list(c->state, a, of, &known, &count, err) != 0)
        return -1;
    return was_copied(known, count, column) ? 1 : 0;
}

/* Columns that are left out by choice and were copied before: where the live table has
 * them they stay, NULL. One that never was copied is named nowhere outside the state. */
int shape_keep(const struct plan_context *c, struct stream *st, struct error *err)
{
    struct table_schema *whole = NULL;
    struct stream_shape *known = NULL;
    size_t known_count = 0, count = 0;
    bool any = false;
    if (choose_columns(c, st->arena, st->found, st->options.key, &whole, err) != 0)
        return -1;
    for (unsigned i = 0; i < whole->column_count; i++)
        any = any || !whole->columns[i].selected;
    struct stream_name of = plan_stream_name(c, st);
    if (any && state_shape_list(c->state, st->arena, &of, &known, &known_count, err) != 0)
        return -1;
    struct str *names = ARENA_ARRAY(st->arena, struct str, whole->column_count * 2u + 1u);
    for (unsigned i = 0; i < whole->column_count; i++) {
        const struct column *col = &whole->columns[i];
        if (col->selected || col->type == TYPE_UNSUPPORTED)
            continue;
        const struct str both[] = {
            /* itself, and the companion that it may have had */
            col->name, arena_printf(st->arena, STR_FMT "__text", STR_ARG(col->name))
        };
        for (unsigned k = 0; k < 2; k++) {
            if (!was_copied(known, known_count, both[k]) ||
                (k == 1 && schema_find_column(whole, both[k]) != NULL))
                continue;
            int found =
                state_name_find(c->state, st->arena, &of, both[k], &names[count], err);
            if (found < 0)
                return -1;
            count += found == 1 ? 1u : 0u;
        }
    }
    st->kept = names;
    st->kept_count = count;
    return 0;
}

/* Compile the shape and put it on top of the stream's. */
static int push_shape(const struct plan_context *c, struct stream *st,
                      const struct table_schema *schema, struct error *err)
{
    CLEANUP(buf_done) struct buf json;
    buf_init(&json, SCHEMA_JSON_LIMIT);
    avro_schema_write(schema, AVRO_CHANGE, &json);
    if (buf_check(&json, "the Avro schema of a table", err) != 0)
        return -1;
    struct encode_policy policy = { .dates = (enum date_policy)c->options->dates };
    struct stream_shape_plan *plan = ARENA_NEW(st->arena, struct stream_shape_plan);
    plan->schema = schema;
    plan->encode = encode_plan_new(schema, &policy);
    plan->json = buf_take(&json);
    plan->older = st->shape;
    st->shape = plan;
    return 0;
}

int shape_add(const struct plan_context *c, struct stream *st,
              const struct table_schema *schema, struct error *err)
{
    CLEANUP(buf_done) struct buf json;
    buf_init(&json, SCHEMA_JSON_LIMIT);
    avro_schema_write(schema, AVRO_ROW, &json);
    if (buf_check(&json, "the Avro schema of a table", err) != 0)
        return -1;
    struct stream_shape record = { .database = st->database,
                                   .table = st->table,
                                   .version = schema->version,
                                   .hash = schema_hash(schema),
                                   .schema_json = buf_str(&json),
                                   .seen_at = clock_wall_us() };
    if (state_shape_save(c->state, c->integration, &record, err) != 0)
        return -1;
    return push_shape(c, st, schema, err);
}

int shape_add_keys(const struct plan_context *c, struct stream *st,
                   const struct table_schema *whole, struct error *err)
{
    struct table_schema *keys = schema_copy(st->arena, whole);
    struct column *columns = ARENA_ARRAY(st->arena, struct column, whole->key_count);
    for (unsigned k = 0; k < whole->key_count; k++) {
        columns[k] = *schema_key_column(keys, k + 1);
        columns[k].companion = 0;
    }
    keys->columns = columns;
    keys->column_count = whole->key_count;
    return push_shape(c, st, keys, err);
}

const struct catalog_table *shape_keep_found(struct stream *st,
                                             const struct catalog_table *t)
{
    struct arena *a = st->arena;
    struct catalog_table *copy = ARENA_NEW(a, struct catalog_table);
    struct catalog_index *indexes =
        ARENA_ARRAY(a, struct catalog_index, t->index_count + 1);
    *copy = *t;
    copy->schema = *schema_copy(a, &t->schema);
    copy->key_name = arena_str(a, t->key_name);
    copy->engine = arena_str(a, t->engine);
    copy->why = copy->comment = (struct str){ 0 };
    for (size_t i = 0; i < t->index_count; i++) {
        const struct catalog_index *from = &t->indexes[i];
        struct str *columns = ARENA_ARRAY(a, struct str, from->column_count + 1);
        for (size_t k = 0; k < from->column_count; k++)
            columns[k] = arena_str(a, from->columns[k]);
        indexes[i] = (struct catalog_index){ .name = arena_str(a, from->name),
                                             .columns = columns,
                                             .column_count = from->column_count };
    }
    copy->indexes = indexes;
    return copy;
}

static const struct column *by_avro_name(const struct table_schema *s, struct str name)
{
    for (unsigned i = 0; i < s->column_count; i++)
        if (str_eq(s->columns[i].avro_name, name))
            return &s->columns[i];
    return NULL;
}

bool shape_fits(const struct table_schema *shape, struct str live_json)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new(SCHEMA_JSON_LIMIT * 4);
    struct table_schema live = { 0 };
    struct error ignored = { 0 };
    if (avro_schema_read(a, live_json, &live, &ignored) != 0 ||
        live.key_count != shape->key_count)
        return false;
    for (unsigned k = 1; k <= shape->key_count; k++)
        if (!str_eq(schema_key_column(shape, k)->avro_name,
                    schema_key_column(&live, k)->avro_name))
            return false;
    for (unsigned i = 0; i < shape->column_count; i++) {
        const struct column *now = &shape->columns[i];
        const struct column *then = by_avro_name(&live, now->avro_name);
        if (then != NULL && !column_widens(then, now) && !column_widens(now, then))
            return false;
    }
    return true;
}
