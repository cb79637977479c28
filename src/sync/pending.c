/* See pending.h. */
#include "sync/pending.h"

#include "avro/schema.h"
#include "base/alloc.h"
#include "sink/dialect.h"
#include "sync/method.h"
#include "sync/policy.h"
#include "sync/selection.h"
#include "sync/shape.h"
#include "sync/target.h"

#define SQL_BYTES ((size_t)64 << 10)

const char *pending_outcome_name(enum pending_outcome o)
{
    static const char *const NAMES[] = { "nothing",      "new copy", "in place",
                                         "copied again", "parks",    "parked",
                                         "run stops",    "gone" };
    return NAMES[o];
}

/* --- columns --------------------------------------------------------------------------
 */

static const struct column *named(const struct table_schema *s, struct str name)
{
    for (unsigned i = 0; i < s->column_count; i++)
        if (str_ieq(s->columns[i].name, name))
            return &s->columns[i];
    return NULL;
}

static struct str alter(struct arena *a, struct str table, const char *what,
                        const struct column *c, const char *before_type)
{
    CLEANUP(buf_done) struct buf sql;
    buf_init(&sql, SQL_BYTES);
    buf_printf(&sql, "ALTER TABLE " STR_FMT " %s ", STR_ARG(table), what);
    dialect_quote_ident(&sql, c->avro_name);
    buf_printf(&sql, " %s", before_type);
    type_sql(c, SQL_DUCKDB, &sql);
    return sql.failed ? (struct str){ 0 } : arena_str(a, buf_str(&sql));
}

static bool same_at_destination(const struct column *was, const struct column *now)
{
    CLEANUP(buf_done) struct buf left, right;
    buf_init(&left, SQL_BYTES);
    buf_init(&right, SQL_BYTES);
    type_sql(was, SQL_DUCKDB, &left);
    type_sql(now, SQL_DUCKDB, &right);
    return str_eq(buf_str(&left), buf_str(&right));
}

/* What the destination sees of it is the same. */
static bool same_column(const struct column *was, const struct column *now)
{
    return was->type == now->type && column_widens(was, now) && column_widens(now, was) &&
           was->label_count == now->label_count;
}

static void add_change(struct pending_stream *out, struct pending_change change)
{
    out->changes[out->change_count++] = change;
}

void pending_compare(struct arena *a, const struct table_schema *now,
                     const struct table_schema *at_source, struct str target_table,
                     struct pending_stream *out)
{
    const struct table_schema *live = &out->live;
    out->change_count = 0;
    out->changes = ARENA_ARRAY(a, struct pending_change,
                               (size_t)now->column_count + live->column_count + 1u);
    for (unsigned i = 0; i < now->column_count; i++) {
        const struct column *c = &now->columns[i];
        const struct column *was = named(live, c->name);
        struct pending_change change = { .column = arena_str(a, c->name),
                                         .now = arena_str(a, c->source_type) };
        if (was == NULL) {
            change.class = LOG_CLASS_ADD;
            change.sql = alter(a, target_table, "ADD COLUMN", c, "");
        } else if (!same_column(was, c)) {
            change.class = LOG_CLASS_TYPE;
            change.was = was->source_type;
            if (column_widens(was, c) && !same_at_destination(was, c))
                change.sql = alter(a, target_table, "ALTER COLUMN", c, "TYPE ");
        } else {
            continue;
        }
        add_change(out, change);
    }
    for (unsigned i = 0; i < live->column_count; i++) {
        const struct column *c = &live->columns[i];
        if (named(now, c->name) == NULL && named(at_source, c->name) == NULL &&
            c->companion == 0)
            add_change(out, (struct pending_change){ .column = c->name,
                                                     .class = LOG_CLASS_DROP,
                                                     .was = c->source_type });
    }
}

/* --- what is done ---------------------------------------------------------------------
 */

static void conclude(struct pending_stream *st, enum pending_outcome o, struct str why)
{
    st->outcome = o;
    st->why = why;
}

static unsigned classes_of(const struct pending_stream *st)
{
    unsigned classes = 0, added = 0, dropped = 0;
    for (size_t i = 0; i < st->change_count; i++) {
        classes |= (unsigned)st->changes[i].class;
        added += st->changes[i].class == LOG_CLASS_ADD ? 1 : 0;
        dropped += st->changes[i].class == LOG_CLASS_DROP ? 1 : 0;
    }
    return added > 0 && dropped > 0 ? classes | LOG_CLASS_RENAME : classes;
}

static void conclude_log(struct arena *a, const struct stream_options *o,
                         const struct table_schema *now, bool fits,
                         struct pending_stream *st)
{
    enum log_class which = LOG_CLASS_ADD;
    unsigned classes = classes_of(st);
    enum change_policy policy = policy_of(o, classes, &which);
    struct str why =
        arena_printf(a, "%s, and option '%s'", policy_words(which), policy_option(which));
    if (policy == POLICY_FAIL)
        conclude(st, PENDING_FAIL, arena_printf(a, STR_FMT " is fail", STR_ARG(why)));
    else if (policy == POLICY_PARK)
        conclude(st, PENDING_PARK, arena_printf(a, STR_FMT " is park", STR_ARG(why)));
    else if (policy == POLICY_RECOPY)
        conclude(st, PENDING_RECOPY, arena_printf(a, STR_FMT " is recopy", STR_ARG(why)));
    else if (now->key_count == 0)
        conclude(st, PENDING_RECOPY,
                 STR("rows without a key are known by all their columns"));
    else if (!fits)
        conclude(st, PENDING_RECOPY,
                 STR("rows copied before do not go together with its new columns"));
    else
        conclude(st, PENDING_IN_PLACE,
                 STR("where the log proves what older rows have; else it is copied "
                     "again"));
}

static void conclude_stream(struct arena *a, const struct stream_options *o,
                            const struct table_schema *now, bool fits,
                            struct pending_stream *st)
{
    if (st->change_count == 0 && fits)
        return;
    if (st->method == METHOD_LOG)
        conclude_log(a, o, now, fits, st);
    else if (st->method == METHOD_KEY && fits)
        conclude(st, PENDING_IN_PLACE,
                 STR("by the next read; older rows have NULL in new columns"));
    else if (st->method == METHOD_KEY)
        conclude(st, PENDING_RECOPY,
                 STR("rows copied before do not go together with its new columns"));
    else if (o->load == LOAD_APPEND)
        conclude(st, fits ? PENDING_IN_PLACE : PENDING_FAIL,
                 fits ? STR("by the next copy; earlier copies have NULL in new columns")
                      : STR("copies that are kept have another type: the table fails "
                            "until it is reset"));
    else
        conclude(st, PENDING_RECOPY, STR("as in each run"));
}

/* --- one table ------------------------------------------------------------------------
 */

struct finding {
    const struct pending_request *request;
    struct arena *arena;
    struct plan_context context;
    struct selection selection;
    struct stream_trouble *troubles;
    size_t trouble_count;
};

static bool is_parked(const struct finding *f, const struct pending_stream *st)
{
    for (size_t i = 0; i < f->trouble_count; i++)
        if (f->troubles[i].state == TROUBLE_PARKED &&
            str_eq(f->troubles[i].table, st->table) &&
            str_eq(f->troubles[i].database, st->database))
            return true;
    return false;
}

static int take_mark(struct finding *f, const struct stream_mark *m,
                     struct pending_stream *st, struct error *err)
{
    st->database = m->database;
    st->table = m->table;
    st->target = m->target;
    st->version = m->live_version;
    if (stream_mark_is_followed(m))
        st->method = METHOD_LOG;
    if (m->live_version == 0 || m->schema_json.len == 0)
        return 0;
    return avro_schema_read(f->arena, m->schema_json, &st->live, err);
}

static struct str target_of(const struct finding *f, const struct pending_stream *st)
{
    CLEANUP(buf_done) struct buf name;
    buf_init(&name, SQL_BYTES);
    dialect_quote_table(&name, f->request->integration->target_schema, st->target);
    return name.failed ? (struct str){ 0 } : arena_str(f->arena, buf_str(&name));
}

static int compare(struct finding *f, const struct catalog_table *t,
                   const struct stream_mark *m, struct pending_stream *st,
                   struct error *err)
{
    const struct stream_setting *said =
        selection_find(&f->selection, t->schema.database, t->schema.name);
    struct stream_options o = { 0 };
    struct table_schema *now = NULL;
    if (stream_options_parse(f->arena, said == NULL ? (struct str){ 0 } : said->options,
                             f->request->options, &o, err) != 0)
        return -1;
    if (st->method != METHOD_LOG)
        st->method = o.method;
    if (st->version == 0) {
        conclude(st, PENDING_NEW, STR("it is selected, and there is no copy yet"));
        return 0;
    }
    if (is_parked(f, st))
        conclude(st, PENDING_PARKED,
                 STR("nothing is done with it until `tailrace resume`"));
    t = method_table(f->arena, &o, t);
    if (shape_make(&f->context, f->arena, t,
                   o.method == METHOD_KEY ? o.key : (struct str){ 0 }, &now, err) != 0)
        return -1;
    pending_compare(f->arena, now, &t->schema, target_of(f, st), st);
    if (st->outcome == PENDING_NOTHING)
        conclude_stream(f->arena, &o, now, method_fits(now, m->schema_json), st);
    return 0;
}

static bool is_listed(const struct pending_stream *list, size_t count,
                      const struct table_schema *t)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(list[i].table, t->name) && str_eq(list[i].database, t->database))
            return true;
    return false;
}

static bool is_selected(const struct finding *f, const struct catalog_table *t)
{
    return t->readable && t->kind != TABLE_SEQUENCE &&
           selection_table(&f->selection, f->request->options, t, NULL, NULL).selected;
}

static int find_all(struct finding *f, struct pending_stream *list, size_t *count,
                    struct error *err)
{
    const struct pending_request *r = f->request;
    for (size_t i = 0; i < r->marks->stream_count; i++) {
        const struct stream_mark *m = &r->marks->streams[i];
        struct pending_stream *st = &list[(*count)++];
        if (take_mark(f, m, st, err) != 0)
            return -1;
        if (r->catalog == NULL)
            continue;
        const struct catalog_table *t =
            catalog_find(r->catalog, m->database, m->table, false);
        if (t == NULL)
            conclude(st, PENDING_GONE, STR("the source has no such table"));
        else if (is_selected(f, t) && compare(f, t, m, st, err) != 0)
            return error_wrap(err, "table '" STR_FMT "." STR_FMT "'",
                              STR_ARG(m->database), STR_ARG(m->table));
    }
    for (size_t d = 0; r->catalog != NULL && d < r->catalog->database_count; d++)
        for (size_t i = 0; i < r->catalog->databases[d].table_count; i++) {
            const struct catalog_table *t = &r->catalog->databases[d].tables[i];
            if (!is_selected(f, t) || is_listed(list, *count, &t->schema))
                continue;
            struct pending_stream *st = &list[(*count)++];
            st->database = arena_str(f->arena, t->schema.database);
            st->table = arena_str(f->arena, t->schema.name);
            conclude(st, PENDING_NEW, STR("it is selected, and there is no copy yet"));
        }
    return 0;
}

int pending_find(const struct pending_request *r, struct arena *a,
                 struct pending_stream **out, size_t *count, struct error *err)
{
    struct finding f = { .request = r, .arena = a };
    struct str name = r->integration->name;
    size_t total = r->marks->stream_count;
    for (size_t d = 0; r->catalog != NULL && d < r->catalog->database_count; d++)
        total += r->catalog->databases[d].table_count;
    *out = ARENA_ARRAY(a, struct pending_stream, total + 1);
    *count = 0;
    f.context = (struct plan_context){ .state = r->state,
                                       .integration = name,
                                       .options = r->options,
                                       .selection = &f.selection };
    if (state_batch_begin(r->state, err) != 0)
        return -1;
    int rc = 0;
    if (selection_load(r->state, a, name, &f.selection, err) != 0 ||
        state_trouble_list(r->state, a, name, &f.troubles, &f.trouble_count, err) != 0 ||
        find_all(&f, *out, count, err) != 0)
        rc = -1;
    /* names that were given on the way are given by a run, not by a look: 1 undoes */
    struct error late = { 0 };
    int undone = state_batch_finish(r->state, rc == 0 ? 1 : rc, rc == 0 ? err : &late);
    return rc != 0 || undone < 0 ? -1 : 0;
}
