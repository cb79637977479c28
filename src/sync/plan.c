/* What a job copies. See plan.h. */
#include "sync/plan.h"

#include "avro/name.h"
#include "avro/schema.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "sink/contract.h"
#include "sync/leftover.h"
#include "sync/spooler.h"

#include <stdlib.h>

#define SCHEMA_JSON_LIMIT ((size_t)16 << 20)
#define STREAM_ARENA_LIMIT ((size_t)256 << 20)
#define PLAN_ARENA_LIMIT ((size_t)2 << 30)

/* Values of the maps of names: seen once, seen more than once. */
static char single_mark, shared_mark;

/* --- selection ------------------------------------------------------------------------
 */

static struct stream_name name_of(const struct plan_context *c, const struct stream *st)
{
    return (struct stream_name){ c->integration, st->database, st->table };
}

static struct selection_owner owner_of(const struct plan_context *c)
{
    return (struct selection_owner){ c->state, c->integration, c->options };
}

static struct str refusal_of(const struct plan_context *c, struct arena *a,
                             const struct catalog_table *t)
{
    const struct stream_setting *said =
        selection_find(c->selection, t->schema.database, t->schema.name);
    struct selection_owner owner = owner_of(c);
    struct error ignored = { 0 };
    unsigned supported = 0;
    if (!t->readable || t->kind == TABLE_SEQUENCE)
        return t->why.len > 0 ? t->why : STR("it cannot be read");
    bool *late = ARENA_ARRAY(a, bool, t->schema.column_count + 1u);
    if (c->options->ignore_new_columns &&
        selection_late(&owner, &t->schema, false, late, &ignored) != 0)
        return arena_str(a, str_of(ignored.text));
    for (unsigned i = 0; i < t->schema.column_count; i++) {
        const struct column *col = &t->schema.columns[i];
        supported += col->selected ? 1 : 0;
        if (selection_column(said, c->options, &t->schema, col, late[i], NULL).selected)
            return (struct str){ 0 };
    }
    if (supported > 0)
        return STR("all its columns are deselected");
    return arena_printf(a, "none of its %u columns is supported",
                        (unsigned)t->schema.column_count);
}

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
                          const struct catalog_table *t, struct table_schema **out,
                          struct error *err)
{
    struct table_schema *whole = schema_copy(a, &t->schema);
    struct column *columns = ARENA_ARRAY(a, struct column, whole->column_count);
    bool *late = ARENA_ARRAY(a, bool, whole->column_count);
    const struct stream_setting *said =
        selection_find(c->selection, whole->database, whole->name);
    struct selection_owner owner = owner_of(c);
    if (selection_late(&owner, whole, true, late, err) != 0)
        return -1;
    for (unsigned i = 0; i < whole->column_count; i++) {
        columns[i] = whole->columns[i];
        columns[i].selected =
            selection_column(said, c->options, whole, &columns[i], late[i], NULL)
                .selected;
    }
    whole->columns = columns;
    *out = whole;
    return 0;
}

int plan_shape(const struct plan_context *c, struct arena *a,
               const struct catalog_table *t, struct table_schema **out,
               struct error *err)
{
    struct table_schema *whole = NULL;
    uint16_t count = 0;
    if (choose_columns(c, a, t, &whole, err) != 0)
        return -1;
    struct column *columns = all_columns(c, a, whole, &count);
    whole->columns = columns;
    whole->column_count = count;
    if (column_names(c, a, whole, columns, err) != 0 ||
        apply_promotions(c, whole, columns, err) != 0)
        return -1;
    struct table_schema *shape = schema_project(a, whole);
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

/* Columns that are left out by choice and were copied before: where the live table has
 * them they stay, NULL. One that never was copied is named nowhere outside the state. */
static int kept_columns(const struct plan_context *c, struct stream *st,
                        struct error *err)
{
    struct table_schema *whole = NULL;
    struct stream_shape *known = NULL;
    size_t known_count = 0, count = 0;
    bool any = false;
    if (choose_columns(c, st->arena, st->found, &whole, err) != 0)
        return -1;
    for (unsigned i = 0; i < whole->column_count; i++)
        any = any || !whole->columns[i].selected;
    struct stream_name of = name_of(c, st);
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

int plan_add_shape(const struct plan_context *c, struct stream *st,
                   struct table_schema *schema, struct error *err)
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
    buf_clear(&json);
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

/* --- the destination's table names
 * ------------------------------------------------------ */

/* Names are compared as the destination does, without regard to ASCII case. */
static struct str folded(struct arena *a, struct str name)
{
    char *copy = arena_alloc(a, name.len + 1);
    for (size_t i = 0; i < name.len; i++)
        copy[i] = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (char)(name.ptr[i] + 32)
                                                           : name.ptr[i];
    return (struct str){ copy, name.len };
}

static const struct stream_mark *mark_of(const struct mark_list *marks,
                                         struct str database, struct str table)
{
    for (size_t i = 0; i < marks->stream_count; i++)
        if (str_eq(marks->streams[i].database, database) &&
            str_eq(marks->streams[i].table, table))
            return &marks->streams[i];
    return NULL;
}

struct targets {
    const struct plan_context *context;
    struct plan *plan;
    const struct mark_list *marks;
    struct map *shared; /* folded table names of the selected tables */
    struct map *taken;  /* folded target names, to struct owner */
};

/* Whose a target name is. */
struct owner {
    struct str database, table;
};

/* The first to come keeps it. */
static void take_name(struct targets *t, struct str target, struct str database,
                      struct str table)
{
    struct arena *a = t->plan->arena;
    struct str key = folded(a, target);
    if (map_find(t->taken, key) != NULL)
        return;
    struct owner *o = ARENA_NEW(a, struct owner);
    *o = (struct owner){ database, table };
    (void)map_put(t->taken, key, o);
}

/* The other table that has this name; NULL when it is free or the stream's own. */
static const struct owner *taken_by(const struct targets *t, const struct stream *st,
                                    struct str target)
{
    const struct owner *o = map_find(t->taken, folded(t->plan->arena, target));
    bool mine =
        o != NULL && str_eq(o->database, st->database) && str_eq(o->table, st->table);
    return mine ? NULL : o;
}

/* The name that the stream has: of its live table, else as given before; the destination
 * remembers it too. A name that became another table's, in a destination that other state
 * knows, is not kept. */
static int keep_target(struct targets *t, struct stream *st, struct error *err)
{
    const struct stream_mark *m = mark_of(t->marks, st->database, st->table);
    struct stream_name of = name_of(t->context, st);
    int found = state_name_find(t->context->state, t->plan->arena, &of, (struct str){ 0 },
                                &st->target, err);
    if (found < 0)
        return -1;
    if (m != NULL && m->target.len > 0 && (m->live_version != 0 || found == 0))
        st->target = arena_str(t->plan->arena, m->target);
    else if (found == 0)
        st->target = (struct str){ 0 };
    if (st->target.len > 0 && taken_by(t, st, st->target) != NULL)
        st->target = (struct str){ 0 };
    if (st->target.len == 0)
        return 0;
    take_name(t, st->target, st->database, st->table);
    if (found == 1)
        return 0;
    return state_name_save(t->context->state, &of, (struct str){ 0 }, st->target, err);
}

/* Another selected table has this name, or an earlier one had it. */
static bool is_shared(const struct targets *t, const struct stream *st)
{
    struct arena *a = t->plan->arena;
    struct str own = folded(a, st->table);
    const struct owner *o = taken_by(t, st, st->table);
    return map_find(t->shared, own) == &shared_mark ||
           (o != NULL && str_eq(folded(a, o->table), own));
}

/* A table's own name, or database__table where the option says so, two tables share the
 * name or it looks like one of ours; then the first free of _2, _3, ... Once given it
 * stays. */
static int give_target(struct targets *t, struct stream *st, struct error *err)
{
    struct arena *a = t->plan->arena;
    struct str name = st->table;
    if (t->context->options->database_in_names || is_shared(t, st) ||
        str_starts(folded(a, st->table), STR(CONTRACT_COPY_PREFIX)))
        name = arena_printf(a, STR_FMT "__" STR_FMT, STR_ARG(st->database),
                            STR_ARG(st->table));
    struct str target = name;
    for (unsigned n = 2; taken_by(t, st, target) != NULL; n++)
        target = arena_printf(a, STR_FMT "_%u", STR_ARG(name), n);
    st->target = target;
    take_name(t, target, st->database, st->table);
    struct stream_name of = name_of(t->context, st);
    return state_name_save(t->context->state, &of, (struct str){ 0 }, target, err);
}

/* Names of the destination's tables, then all that were ever given: of tables that are
 * not selected now, and of those that a new destination has not seen yet. */
static int take_given(struct targets *t, struct error *err)
{
    struct given_name *given = NULL;
    size_t count = 0;
    take_name(t, STR(CONTRACT_REJECTED_TABLE), (struct str){ 0 }, (struct str){ 0 });
    for (size_t i = 0; i < t->marks->stream_count; i++)
        take_name(t, t->marks->streams[i].target, t->marks->streams[i].database,
                  t->marks->streams[i].table);
    struct stream_name all = { .integration = t->context->integration };
    if (state_name_list(t->context->state, t->plan->arena, &all, &given, &count, err) !=
        0)
        return -1;
    for (size_t i = 0; i < count; i++)
        take_name(t, given[i].name, given[i].database, given[i].table);
    return 0;
}

static int give_targets(const struct plan_context *c, struct plan *p,
                        const struct mark_list *marks, struct error *err)
{
    struct targets t = { c, p, marks, map_new(), map_new() };
    int rc = take_given(&t, err);
    for (size_t i = 0; i < p->stream_count && rc == 0; i++) {
        struct str name = folded(p->arena, p->streams[i].table);
        bool before = map_find(t.shared, name) != NULL;
        (void)map_put(t.shared, name, before ? &shared_mark : &single_mark);
        rc = keep_target(&t, &p->streams[i], err);
    }
    for (size_t i = 0; i < p->stream_count && rc == 0; i++)
        if (p->streams[i].target.len == 0)
            rc = give_target(&t, &p->streams[i], err);
    map_free(t.shared);
    map_free(t.taken);
    return rc;
}

/* --- streams
 * ------------------------------------------------------------------------------ */

static void stream_init(struct stream *st, struct str database, struct str table)
{
    pthread_mutex_init(&st->lock, NULL);
    st->arena = arena_new(STREAM_ARENA_LIMIT);
    st->database = arena_str(st->arena, database);
    st->table = arena_str(st->arena, table);
}

static void stream_done(struct stream *st)
{
    for (struct stream_shape_plan *s = st->shape; s != NULL; s = s->older) {
        encode_plan_free(s->encode);
        free(s->json);
    }
    spooler_forget(st);
    arena_free(st->arena);
    pthread_mutex_destroy(&st->lock);
}

/* Can the copy under way go on? Then the stream takes over its version, number and
 * ranges. Not when a newer one was asked for: by a reset, a table that changed, another
 * source. */
static bool resume(const struct plan_context *c, struct stream *st,
                   const struct stream_mark *m)
{
    struct page_position p = { 0 };
    struct error ignored = { 0 };
    uint64_t newest = 0;
    struct stream_name of = name_of(c, st);
    if (state_version_get(c->state, &of, &newest, &ignored) != 0 ||
        newest > m->copy_version)
        return false;
    if (m->state != STREAM_COPYING || m->copy_version == 0 || st->method != FULL_PAGES ||
        page_position_parse(st->arena, m->copy_progress, &p, &ignored) != 0)
        return false;
    if (p.shape_hash != (schema_hash(st->shape->schema) ^ sync_row_policy(c->options)) ||
        (p.first_at != 0 && clock_wall_us() - p.first_at > c->options->resume_us))
        return false;
    st->version = m->copy_version;
    st->sequence = m->copy_sequence;
    st->ranges = p.ranges;
    st->range_count = p.range_count;
    st->resumed =
        true; /* and PHASE_WAITING: a reader begins it, then all may take ranges */
    spooler_resume(st, &p);
    return true;
}

static int begin_or_resume(const struct plan_context *c, struct stream *st,
                           const struct mark_list *marks, struct error *err)
{
    const struct stream_mark *m = mark_of(marks, st->database, st->table);
    if (m != NULL && resume(c, st, m))
        return 0;
    struct stream_name of = name_of(c, st);
    if (state_version_get(c->state, &of, &st->version, err) != 0)
        return -1;
    if (m != NULL && m->live_version > st->version)
        st->version = m->live_version;
    if (m != NULL && m->copy_version > st->version)
        st->version = m->copy_version;
    if (m != NULL && m->copy_version != 0)
        spooler_replace(st, m->copy_version);
    st->version++;
    return state_version_set(c->state, &of, st->version, err);
}

static int shape_stream(const struct plan_context *c, struct stream *st,
                        struct error *err)
{
    struct table_schema *schema = NULL;
    struct str why = { 0 };
    st->method = full_method_of(st->found, c->options->one_view, &why);
    if (plan_shape(c, st->arena, st->found, &schema, err) != 0 ||
        plan_add_shape(c, st, schema, err) != 0 || kept_columns(c, st, err) != 0)
        return error_wrap(err, "planning table '" STR_FMT "." STR_FMT "'",
                          STR_ARG(st->database), STR_ARG(st->table));
    return 0;
}

/* --- the plan
 * ------------------------------------------------------------------------------ */

struct candidate {
    const struct catalog_database *db;
    const struct catalog_table *table;
};

static int by_size(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;
    if (a->table->byte_estimate != b->table->byte_estimate)
        return a->table->byte_estimate < b->table->byte_estimate ? 1 : -1;
    int by_database = str_cmp(a->db->name, b->db->name);
    return by_database != 0 ? by_database
                            : str_cmp(a->table->schema.name, b->table->schema.name);
}

static size_t table_total(const struct catalog *cat)
{
    size_t n = 0;
    for (size_t d = 0; d < cat->database_count; d++)
        n += cat->databases[d].table_count;
    return n;
}

static void refuse(struct plan *p, const struct candidate *s, struct str why)
{
    p->refusals[p->refusal_count++] =
        (struct plan_refusal){ .database = arena_str(p->arena, s->db->name),
                               .table = arena_str(p->arena, s->table->schema.name),
                               .why = arena_str(p->arena, why) };
}

/* Tables that match, less those that cannot be copied (refused when they were named). */
static size_t select_tables(const struct plan_context *c, const struct catalog *cat,
                            struct plan *p, struct candidate *out)
{
    const struct sync_options *o = c->options;
    bool *matched = ARENA_ARRAY(p->arena, bool, o->table_count + 1);
    size_t count = 0;
    for (size_t d = 0; d < cat->database_count; d++)
        for (size_t t = 0; t < cat->databases[d].table_count; t++) {
            struct candidate s = { &cat->databases[d], &cat->databases[d].tables[t] };
            if (!selection_table(c->selection, o, s.table, matched, NULL).selected)
                continue;
            struct str why = refusal_of(c, p->arena, s.table);
            if (why.len > 0)
                refuse(p, &s, why);
            else
                out[count++] = s;
        }
    p->unmatched = ARENA_ARRAY(p->arena, struct str, o->table_count + 1);
    for (size_t i = 0; i < o->table_count; i++)
        if (!matched[i])
            p->unmatched[p->unmatched_count++] = arena_str(p->arena, o->tables[i]);
    qsort(out, count, sizeof *out, by_size);
    return count;
}

/* Would be copied in the shape that it was copied in last, as far as the state remembers
 * one: 1; 0: no; -1: err. */
static int same_shape(const struct plan_context *c, struct arena *a,
                      const struct catalog_table *t, struct error *err)
{
    struct table_schema *now = NULL;
    struct stream_shape *known = NULL;
    size_t count = 0;
    struct stream_name of = { c->integration, t->schema.database, t->schema.name };
    if (plan_shape(c, a, t, &now, err) != 0 ||
        state_shape_list(c->state, a, &of, &known, &count, err) != 0)
        return -1;
    return count == 0 || known[count - 1].version == now->version ? 1 : 0;
}

/* The run that is being continued has finished this table already: 1, and nothing newer
 * was asked for since: a reset hands out the next version, another selection of columns
 * makes another shape. 0: no; -1: err. */
static int finished_since(const struct plan_context *c, const struct mark_list *marks,
                          const struct candidate *s, int64_t since, struct plan *p,
                          struct error *err)
{
    struct stream_name of = { c->integration, s->db->name, s->table->schema.name };
    const struct stream_mark *m = mark_of(marks, of.database, of.table);
    uint64_t newest = 0;
    if (since == 0 || m == NULL || m->state != STREAM_LIVE || m->copy_version != 0 ||
        m->loaded_at < since)
        return 0;
    if (state_version_get(c->state, &of, &newest, err) != 0)
        return -1;
    return newest <= m->live_version ? same_shape(c, p->arena, s->table, err) : 0;
}

struct candidates {
    struct candidate *list;
    size_t count;
};

/* Those that are left to copy move to the front. */
static int leave_finished(const struct plan_context *c, const struct mark_list *marks,
                          int64_t since, struct candidates *s, struct plan *p,
                          struct error *err)
{
    struct candidate *all = s->list;
    size_t left = 0;
    p->finished = ARENA_ARRAY(p->arena, struct plan_refusal, s->count + 1);
    for (size_t i = 0; i < s->count; i++) {
        int finished = finished_since(c, marks, &all[i], since, p, err);
        if (finished < 0)
            return -1;
        if (finished == 0)
            all[left++] = all[i];
        else
            p->finished[p->finished_before++] =
                (struct plan_refusal){ .database = arena_str(p->arena, all[i].db->name),
                                       .table = arena_str(p->arena,
                                                          all[i].table->schema.name) };
    }
    s->count = left;
    return 0;
}

static int add_streams(const struct plan_context *c, struct plan *p,
                       const struct candidate *s, size_t count,
                       const struct mark_list *marks, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct stream *st = &p->streams[p->stream_count];
        stream_init(st, s[i].db->name, s[i].table->schema.name);
        st->index = (uint32_t)p->stream_count++;
        st->found = s[i].table;
        if (shape_stream(c, st, err) != 0 || begin_or_resume(c, st, marks, err) != 0)
            return -1;
    }
    return give_targets(c, p, marks, err);
}

/* Unfinished copies of tables that are selected no more are dropped. */
static void add_orphans(struct plan *p, const struct mark_list *marks)
{
    size_t selected_count = p->stream_count;
    for (size_t i = 0; i < marks->stream_count; i++) {
        const struct stream_mark *m = &marks->streams[i];
        bool known = m->copy_version == 0;
        for (size_t k = 0; k < selected_count && !known; k++)
            known = str_eq(p->streams[k].database, m->database) &&
                    str_eq(p->streams[k].table, m->table);
        if (known)
            continue;
        struct stream *st = &p->streams[p->stream_count];
        stream_init(st, m->database, m->table);
        st->index = (uint32_t)p->stream_count++;
        st->target = arena_str(st->arena, m->target);
        st->orphan = true;
        st->phase = PHASE_FAILED;
        atomic_store(&st->failed, true);
        spooler_replace(st, m->copy_version);
    }
}

int plan_make(const struct plan_context *c, const struct catalog *catalog,
              const struct mark_list *marks, int64_t since, struct plan *out,
              struct error *err)
{
    *out = (struct plan){ .arena = arena_new(PLAN_ARENA_LIMIT) };
    size_t total = table_total(catalog);
    struct candidate *all = xcalloc(total + 1, sizeof *all);
    out->refusals = ARENA_ARRAY(out->arena, struct plan_refusal, total + 1);
    size_t count = select_tables(c, catalog, out, all);
    struct candidates left = { all, count };
    int rc = leave_finished(c, marks, since, &left, out, err);
    out->streams = xcalloc(left.count + marks->stream_count + 1, sizeof *out->streams);
    if (rc == 0 && count == 0 && out->refusal_count == 0) {
        rc = error_set(err, ERR_CONFIG, "no table of the source is selected");
        err->hint = "Compare --tables and --exclude with what `tailrace discover` lists; "
                    "views are copied only when they are named.";
    }
    if (rc == 0)
        rc = state_batch_begin(c->state, err);
    if (rc == 0) {
        struct error late = { 0 };
        rc = add_streams(c, out, all, left.count, marks, err);
        if (state_batch_end(c->state, rc == 0 ? err : &late) != 0)
            rc = -1;
    }
    if (rc == 0)
        add_orphans(out, marks);
    if (rc == 0)
        leftover_find(catalog, marks, out);
    free(all);
    if (rc != 0)
        plan_free(out);
    return rc;
}

void plan_free(struct plan *p)
{
    for (size_t i = 0; i < p->stream_count; i++)
        stream_done(&p->streams[i]);
    free(p->streams);
    arena_free(p->arena);
    *p = (struct plan){ 0 };
}
