/* What a job copies. See plan.h. */
#include "sync/plan.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "sync/leftover.h"
#include "sync/log_memory.h"
#include "sync/method.h"
#include "sync/spooler.h"
#include "sync/target.h"

#include <stdlib.h>

#define STREAM_ARENA_LIMIT ((size_t)256 << 20)
#define PLAN_ARENA_LIMIT ((size_t)2 << 30)

/* --- selection ------------------------------------------------------------------------
 */

static struct selection_owner owner_of(const struct plan_context *c,
                                       const struct stream_setting *said)
{
    return (struct selection_owner){ c->state, c->integration, c->options,
                                     selection_leaves_new(said, c->options) };
}

/* why: what is in the way of an explicit method log; or empty. */
static int options_of(const struct plan_context *c, struct arena *a,
                      const struct catalog_table *t, struct stream_options *out,
                      struct str *why, struct error *err)
{
    const struct stream_setting *said =
        selection_find(c->selection, t->schema.database, t->schema.name);
    if (stream_options_parse(a, said == NULL ? (struct str){ 0 } : said->options,
                             c->options, out, err) != 0)
        return -1;
    method_resolve(a, c, t, out, why);
    return 0;
}

static struct str refusal_of(const struct plan_context *c, struct arena *a,
                             const struct catalog_table *t)
{
    const struct stream_setting *said =
        selection_find(c->selection, t->schema.database, t->schema.name);
    struct selection_owner owner = owner_of(c, said);
    struct error ignored = { 0 };
    struct stream_options options = { 0 };
    unsigned supported = 0;
    if (!t->readable || t->kind == TABLE_SEQUENCE)
        return t->why.len > 0 ? t->why : STR("it cannot be read");
    struct str no_log = { 0 };
    if (options_of(c, a, t, &options, &no_log, &ignored) != 0)
        return arena_str(a, str_of(ignored.text));
    if (no_log.len > 0)
        return no_log;
    if (method_check(a, &options, t, &ignored) != 0)
        return arena_str(a, str_of(ignored.text));
    if (c->backfill.len > 0 && t->key == KEY_NONE && options.view_key_count == 0)
        return STR("rows of a table without a key cannot be read again one by one");
    if (c->backfill.len > 0 && options.method == METHOD_LOG)
        return STR("it follows the log; `tailrace reset` copies it again");
    bool *late = ARENA_ARRAY(a, bool, t->schema.column_count + 1u);
    if ((c->options->ignore_new_columns || owner.leaves_new) &&
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

/* The server compares names of columns without regard to case, the rest of a run does
 * not.
 */
static struct str source_spelling(const struct table_schema *s, struct str name)
{
    for (unsigned i = 0; i < s->column_count; i++)
        if (str_ieq(s->columns[i].name, name))
            return s->columns[i].name;
    return name;
}

static int shape_stream(const struct plan_context *c, struct stream *st,
                        const struct mark_list *marks, struct error *err)
{
    struct table_schema *schema = NULL;
    struct str ignored = { 0 };
    if (options_of(c, st->arena, st->found, &st->options, &ignored, err) != 0)
        return -1;
    st->options.key = st->options.method == METHOD_KEY
                          ? source_spelling(&st->found->schema, st->options.key)
                          : (struct str){ 0 };
    st->found = method_table(st->arena, &st->options, st->found);
    const struct stream_mark *mark = target_mark(marks, st->database, st->table);
    if (st->options.method == METHOD_LOG && mark != NULL &&
        stream_mark_is_followed(mark)) {
        int known = log_memory_recall(c, st, err);
        if (known < 0)
            return -1;
        st->forgotten = known == 0; /* the data directory was lost: copied anew */
    }
    if (shape_make(c, st->arena, st->found, st->options.key, &schema, err) != 0 ||
        shape_add(c, st, schema, err) != 0 || shape_keep(c, st, err) != 0 ||
        method_choose(c, st, mark, err) != 0)
        return error_wrap(err, "planning table '" STR_FMT "." STR_FMT "'",
                          STR_ARG(st->database), STR_ARG(st->table));
    return 0;
}

/* Behind all others: a sweep of each key-based stream that wants one and changes a live
 * table. */
static int add_sweeps(const struct plan_context *c, struct plan *p, struct error *err)
{
    size_t count = p->stream_count;
    for (size_t i = 0; i < count; i++) {
        struct stream *of = &p->streams[i];
        bool delta = of->join == JOIN_MERGE || of->join == JOIN_NEW;
        if (!of->options.sweep || !delta)
            continue;
        if (of->shape->schema->key_count == 0) {
            log_event(LOG_WARN,
                      "rows that the source has no more are not looked for: without a "
                      "key nothing tells them apart",
                      F_STR("table", of->table));
            continue;
        }
        struct stream *st = &p->streams[p->stream_count];
        stream_init(st, of->database, of->table);
        st->index = (uint32_t)p->stream_count++;
        st->target = of->target;
        st->found = of->found;
        st->options = of->options;
        st->join = JOIN_SWEEP;
        st->version = st->live_version = of->live_version;
        st->definition = of->definition;
        st->sweep_of = of;
        st->method = method_of_reading(st, c->options->one_view);
        if (shape_add_keys(c, st, of->shape->schema, err) != 0)
            return -1;
    }
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

/* This run is about the table. named: of each of the run's patterns, whether it was. */
static bool is_wanted(const struct plan_context *c, const struct table_schema *t,
                      bool *named)
{
    bool yes = c->only_count == 0;
    for (size_t i = 0; i < c->only_count; i++)
        if (selection_matches(c->only[i], t->database, t->name))
            yes = named[i] = true;
    return yes;
}

static bool is_by_log(const struct plan_context *c, struct arena *a,
                      const struct catalog_table *t)
{
    struct stream_options options = { 0 };
    struct error ignored = { 0 };
    struct str why = { 0 };
    return options_of(c, a, t, &options, &why, &ignored) == 0 &&
           options.method == METHOD_LOG;
}

/* Patterns that name nothing: the run's own, where it has some, else the integration's.
 */
static void keep_unmatched(struct plan *p, const struct str *patterns,
                           const bool *matched, size_t count)
{
    p->unmatched = ARENA_ARRAY(p->arena, struct str, count + 1);
    for (size_t i = 0; i < count; i++)
        if (!matched[i])
            p->unmatched[p->unmatched_count++] = arena_str(p->arena, patterns[i]);
}

/* The run is about some table that follows the log: then it is about all of them, since
 * they share one place in it. */
static bool names_followed(const struct plan_context *c, const struct catalog *cat,
                           struct plan *p, bool *named)
{
    for (size_t d = 0; d < cat->database_count; d++)
        for (size_t t = 0; t < cat->databases[d].table_count; t++) {
            const struct catalog_table *table = &cat->databases[d].tables[t];
            if (selection_table(c->selection, c->options, table, NULL, NULL).selected &&
                is_wanted(c, &table->schema, named) && is_by_log(c, p->arena, table))
                return true;
        }
    return false;
}

/* Why it is left alone until a person resumes it; or NULL. */
static const struct stream_trouble *parked(const struct plan_context *c,
                                           const struct candidate *s)
{
    for (size_t i = 0; i < c->trouble_count; i++) {
        const struct stream_trouble *t = &c->troubles[i];
        if (t->state == TROUBLE_PARKED && str_eq(t->table, s->table->schema.name) &&
            str_eq(t->database, s->db->name))
            return t;
    }
    return NULL;
}

static void leave_parked(struct plan *p, const struct candidate *s,
                         const struct stream_trouble *t)
{
    p->parked[p->parked_count++] =
        (struct plan_refusal){ .database = arena_str(p->arena, s->db->name),
                               .table = arena_str(p->arena, s->table->schema.name),
                               .why = arena_str(p->arena, t->why) };
}

/* Tables that match, less those that cannot be copied (refused when they were named). */
static size_t select_tables(const struct plan_context *c, const struct catalog *cat,
                            struct plan *p, struct candidate *out)
{
    const struct sync_options *o = c->options;
    bool *matched = ARENA_ARRAY(p->arena, bool, o->table_count + 1);
    bool *named = ARENA_ARRAY(p->arena, bool, c->only_count + 1);
    bool log_named = names_followed(c, cat, p, named);
    size_t count = 0;
    for (size_t d = 0; d < cat->database_count; d++)
        for (size_t t = 0; t < cat->databases[d].table_count; t++) {
            struct candidate s = { &cat->databases[d], &cat->databases[d].tables[t] };
            if (!selection_table(c->selection, o, s.table, matched, NULL).selected)
                continue;
            bool wanted = is_wanted(c, &s.table->schema, named);
            bool by_log = is_by_log(c, p->arena, s.table);
            if (by_log ? !wanted && !log_named : !wanted || c->followed_only)
                continue;
            const struct stream_trouble *trouble = by_log ? parked(c, &s) : NULL;
            struct str why = refusal_of(c, p->arena, s.table);
            if (trouble != NULL)
                leave_parked(p, &s, trouble);
            else if (why.len > 0)
                refuse(p, &s, why);
            else
                out[count++] = s;
        }
    if (c->only_count > 0)
        keep_unmatched(p, c->only, named, c->only_count);
    else
        keep_unmatched(p, o->tables, matched, o->table_count);
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
    if (shape_make(c, a, t, (struct str){ 0 }, &now, err) != 0 ||
        state_shape_list(c->state, a, &of, &known, &count, err) != 0)
        return -1;
    return count == 0 || known[count - 1].version == now->version ? 1 : 0;
}

/* The run that is being continued has finished this table already: 1, and nothing newer
 * was asked for since: a reset hands out the next version, another selection of columns
 * makes another shape, another filter another definition. 0: no; -1: err. */
static int finished_since(const struct plan_context *c, const struct mark_list *marks,
                          const struct candidate *s, int64_t since, struct plan *p,
                          struct error *err)
{
    struct stream_name of = { c->integration, s->db->name, s->table->schema.name };
    const struct stream_mark *m = target_mark(marks, of.database, of.table);
    uint64_t newest = 0;
    struct stream_options options = { 0 };
    struct str why = { 0 };
    if (options_of(c, p->arena, s->table, &options, &why, err) != 0)
        return -1;
    if (options.method == METHOD_KEY || options.method == METHOD_LOG ||
        c->backfill.len > 0) /* reads but some rows */
        return 0;
    options.key = (struct str){ 0 };
    if (since == 0 || m == NULL || m->state != STREAM_LIVE || m->copy_version != 0 ||
        m->loaded_at < since || !method_same_definition(p->arena, &options, m))
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
        if (shape_stream(c, st, marks, err) != 0)
            return -1;
    }
    if (target_give(c, p->arena, p->streams, p->stream_count, marks, err) != 0)
        return -1;
    return add_sweeps(c, p, err);
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
        spooler_replace(st, m->copy_version, m->copy_join);
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
    out->parked = ARENA_ARRAY(out->arena, struct plan_refusal, total + 1);
    size_t count = select_tables(c, catalog, out, all);
    struct candidates left = { all, count };
    int rc = leave_finished(c, marks, since, &left, out, err);
    out->streams =
        xcalloc(left.count * 2 + marks->stream_count + 1, sizeof *out->streams);
    if (rc == 0 && count == 0 && out->refusal_count + out->parked_count == 0) {
        rc = error_set(err, ERR_CONFIG, "no table of the source is selected");
        err->hint = c->only_count > 0
                        ? "`tailrace select NAME` lists the tables that are copied."
                        : "Compare --tables and --exclude with what `tailrace discover` "
                          "lists; views are copied only when they are named.";
    }
    if (rc == 0)
        rc = state_batch_begin(c->state, err);
    if (rc == 0) {
        struct error late = { 0 };
        rc = add_streams(c, out, all, left.count, marks, err);
        if (state_batch_end(c->state, rc == 0 ? err : &late) != 0)
            rc = -1;
    }
    if (rc == 0 && c->only_count == 0 && !c->followed_only) {
        add_orphans(out, marks);
        leftover_find(catalog, marks, out);
    }
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
