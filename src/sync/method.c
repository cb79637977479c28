/* How streams are replicated. See method.h. */
#include "sync/method.h"

#include "avro/schema.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "source/key.h"
#include "sync/log_start.h"
#include "sync/spooler.h"

#include <xxhash.h>

#define SCHEMA_JSON_LIMIT ((size_t)16 << 20)

/* --- what can be -----------------------------------------------------------------------
 */

/* The server compares names of columns without case. */
static const struct column *column_named(const struct table_schema *s, struct str name)
{
    for (unsigned i = 0; i < s->column_count; i++)
        if (str_ieq(s->columns[i].name, name))
            return &s->columns[i];
    return NULL;
}

static int no_column(const struct catalog_table *t, const char *option, struct str name,
                     struct error *err)
{
    (void)error_set(err, ERR_CONFIG,
                    "option '%s': '" STR_FMT "' has no column '" STR_FMT "'", option,
                    STR_ARG(t->schema.name), STR_ARG(name));
    err->hint = "`tailrace select NAME TABLE --show` lists the columns.";
    return -1;
}

static int check_replication_key(struct arena *a, const struct stream_options *o,
                                 const struct catalog_table *t, struct error *err)
{
    struct str why = { 0 }, ignored = { 0 };
    if (o->method != METHOD_KEY)
        return 0;
    const struct column *c = column_named(&t->schema, o->key);
    if (c == NULL)
        return no_column(t, "key", o->key, err);
    if (key_kind_of(c, &why) == KEY_KIND_NONE) {
        (void)error_set(err, ERR_CONFIG,
                        "option 'key': '" STR_FMT
                        "' cannot be a replication key: " STR_FMT,
                        STR_ARG(o->key), STR_ARG(why));
        err->hint = "Name an integer, a DATE, a DATETIME or a TIMESTAMP that only grows.";
        return -1;
    }
    if (o->from.len == 0 || key_value_read(a, c, o->from, &ignored, err) == 0)
        return 0;
    return error_wrap(err, "option 'from'");
}

static int check_view_key(const struct stream_options *o, const struct catalog_table *t,
                          struct error *err)
{
    if (o->view_key_count > 0 && t->kind != TABLE_VIEW)
        return error_set(err, ERR_CONFIG,
                         "option 'view_key': '" STR_FMT
                         "' is no view; a table has its own key",
                         STR_ARG(t->schema.name));
    for (size_t i = 0; i < o->view_key_count; i++) {
        const struct column *c = column_named(&t->schema, o->view_key[i]);
        if (c == NULL)
            return no_column(t, "view_key", o->view_key[i], err);
        if (c->type == TYPE_UNSUPPORTED)
            return error_set(err, ERR_CONFIG,
                             "option 'view_key': column '" STR_FMT
                             "' cannot be copied: " STR_FMT,
                             STR_ARG(c->name), STR_ARG(c->why));
        for (size_t k = 0; k < i; k++)
            if (str_ieq(o->view_key[k], o->view_key[i]))
                return error_set(err, ERR_CONFIG,
                                 "option 'view_key': column '" STR_FMT "' stands twice",
                                 STR_ARG(c->name));
    }
    return 0;
}

/* What the log cannot give. */
static int check_log(const struct stream_options *o, const struct catalog_table *t,
                     struct error *err)
{
    if (o->method != METHOD_LOG)
        return 0;
    if (t->kind != TABLE_BASE) {
        (void)error_set(err, ERR_CONFIG,
                        "'" STR_FMT "' is a view: the log has rows of tables only",
                        STR_ARG(t->schema.name));
        err->hint = "Choose method full or key for it.";
        return -1;
    }
    if (t->system_versioned) {
        (void)error_set(err, ERR_CONFIG,
                        "'" STR_FMT "' is system-versioned: its history rows cannot be "
                        "followed in the log",
                        STR_ARG(t->schema.name));
        err->hint = "Choose method full or key for it.";
        return -1;
    }
    if (o->where.len == 0)
        return 0;
    (void)error_set(
        err, ERR_CONFIG,
        "option 'where': rows of the log cannot be filtered by a condition in "
        "the source's SQL");
    err->hint = "Take the condition away, or choose method full or key.";
    return -1;
}

static bool is_selected(const struct plan_context *c, const struct catalog_table *t,
                        const struct column *column)
{
    const struct stream_setting *said =
        selection_find(c->selection, t->schema.database, t->schema.name);
    return selection_column(said, c->options, &t->schema, column, false, NULL).selected;
}

/* What foreign keys do to its rows is derived at the destination, which needs their
 * columns and the key. */
static struct str hidden_from_cascades(struct arena *a, const struct plan_context *c,
                                       const struct catalog_table *t)
{
    const struct log_ability *o = c->ability;
    for (size_t i = 0; i < o->cascade_count; i++) {
        const struct check_cascade *k = &o->cascades[i];
        if (!str_eq(k->table, t->schema.name) || !str_eq(k->database, t->schema.database))
            continue;
        for (unsigned n = 0; n < t->schema.column_count; n++) {
            const struct column *column = &t->schema.columns[n];
            bool needed = column->key_ordinal != 0;
            for (size_t m = 0; m < k->column_count; m++)
                needed = needed || str_ieq(k->columns[m], column->name);
            if (needed && !is_selected(c, t, column))
                return arena_printf(a,
                                    "Foreign key '" STR_FMT
                                    "' changes its rows, and the server does not log "
                                    "that. Column '" STR_FMT
                                    "', by which they are found, is deselected.",
                                    STR_ARG(k->name), STR_ARG(column->name));
        }
    }
    return (struct str){ 0 };
}

static struct str why_no_log(struct arena *a, const struct plan_context *c,
                             const struct catalog_table *t)
{
    const struct log_ability *ability = c->ability;
    if (ability == NULL)
        return (struct str){ 0 };
    if (!ability->possible)
        return arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(ability->why),
                            ability->mend.len > 0 ? " To mend it: " : "",
                            STR_ARG(ability->mend));
    struct str why = check_table_log(a, t, ability);
    return why.len > 0 ? why : hidden_from_cascades(a, c, t);
}

void method_resolve(struct arena *a, const struct plan_context *c,
                    const struct catalog_table *t, struct stream_options *o,
                    struct str *why)
{
    struct error ignored = { 0 };
    *why = (struct str){ 0 };
    if (o->method == METHOD_AUTO && o->start != START_COPY)
        o->method = METHOD_LOG; /* the others would copy its rows */
    if (o->method == METHOD_LOG) {
        *why = why_no_log(a, c, t);
        if (why->len == 0)
            *why = log_start_refusal(a, c, t, o);
    } else if (o->method == METHOD_AUTO) {
        o->method = METHOD_LOG;
        if (c->ability == NULL || !c->ability->full_images ||
            why_no_log(a, c, t).len > 0 || check_log(o, t, &ignored) != 0)
            o->method = METHOD_FULL;
    }
}

int method_check(struct arena *a, const struct stream_options *o,
                 const struct catalog_table *t, struct error *err)
{
    return check_replication_key(a, o, t, err) != 0 || check_view_key(o, t, err) != 0 ||
                   check_log(o, t, err) != 0
               ? -1
               : 0;
}

/* A declared key is in the order given. Its columns keep what the view says of NULL: a
 * key is never made NULL, such a row is rejected. */
const struct catalog_table *method_table(struct arena *a, const struct stream_options *o,
                                         const struct catalog_table *t)
{
    if (t->kind != TABLE_VIEW || o->view_key_count == 0)
        return t;
    struct catalog_table *with = ARENA_NEW(a, struct catalog_table);
    struct column *columns = ARENA_ARRAY(a, struct column, t->schema.column_count);
    *with = *t;
    for (unsigned i = 0; i < t->schema.column_count; i++) {
        columns[i] = t->schema.columns[i];
        for (size_t k = 0; k < o->view_key_count; k++)
            if (str_ieq(columns[i].name, o->view_key[k])) {
                columns[i].key_ordinal = (uint16_t)(k + 1);
                columns[i].nullable = false;
            }
    }
    with->schema.columns = columns;
    with->schema.key_count = (uint16_t)o->view_key_count;
    with->key = KEY_UNIQUE_NOT_NULL;
    return with;
}

enum full_method method_of_reading(const struct stream *st, bool one_view)
{
    struct str ignored = { 0 };
    if (st->by_key)
        return full_method_by(st->found, st->options.key, one_view, &ignored);
    return full_method_of(st->found, one_view, &ignored);
}

/* --- what is
 * -----------------------------------------------------------------------------
 */

/* Of what makes rows of one version belong together. 0 for a plain full copy: it replaces
 * whatever was there. */
static uint64_t definition_of(const struct stream_options *o)
{
    if (o->method == METHOD_FULL && o->load == LOAD_MIRROR && o->where.len == 0 &&
        o->view_key_count == 0)
        return 0;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, (size_t)1 << 20);
    buf_printf(&text, "%d;%d;" STR_FMT, (int)o->method, (int)o->load, STR_ARG(o->key));
    buf_add_char(&text, '\0');
    buf_add_str(&text, o->where);
    if (o->method == METHOD_KEY && o->from.len > 0)
        buf_printf(&text, "\n>= " STR_FMT, STR_ARG(o->from));
    for (size_t i = 0; i < o->view_key_count; i++) {
        buf_add_char(&text, '\0');
        buf_add_str(&text, o->view_key[i]);
    }
    uint64_t hash = XXH3_64bits(buf_str(&text).ptr, text.len);
    return hash == 0 ? 1 : hash;
}

/* Rows without a key are known by a hash of their bytes, which a change of shape changes.
 */
bool method_fits(const struct table_schema *shape, struct str live_json)
{
    if (shape->key_count > 0)
        return shape_fits(shape, live_json);
    CLEANUP(buf_done) struct buf json;
    buf_init(&json, SCHEMA_JSON_LIMIT);
    avro_schema_write(shape, AVRO_CHANGE, &json);
    return !json.failed && str_eq(buf_str(&json), live_json);
}

static bool fits_live(const struct stream *st, const struct stream_mark *m)
{
    return method_fits(st->shape->schema, m->schema_json);
}

bool method_same_definition(struct arena *a, const struct stream_options *o,
                            const struct stream_mark *m)
{
    struct key_bookmark b = { 0 };
    struct error ignored = { 0 };
    uint64_t now = definition_of(o);
    if (m->bookmark.len == 0)
        return now == 0;
    return key_bookmark_parse(a, m->bookmark, &b, &ignored) == 0 && b.definition == now;
}

/* The live version was made as this stream is replicated now, and nobody has asked for a
 * new one. */
static bool goes_on_live(struct stream *st, const struct stream_mark *m)
{
    struct error ignored = { 0 };
    return m != NULL && m->live_version != 0 && m->bookmark.len > 0 &&
           key_bookmark_parse(st->arena, m->bookmark, &st->before, &ignored) == 0 &&
           st->before.definition == st->definition && fits_live(st, m);
}

/* A new version was handed out by a reset, or to a copy that did not come to its end:
 * the destination tells of that one, too, should the state have been lost. */
static bool newer_asked(uint64_t newest, const struct stream_mark *m)
{
    return newest > m->live_version ||
           (m->copy_version > m->live_version && m->copy_join == JOIN_REPLACE);
}

/* Copies that are kept must not go because the next one has another type: that takes a
 * reset. */
static bool would_drop_kept(const struct stream *st, const struct stream_mark *m,
                            uint64_t newest)
{
    struct error ignored = { 0 };
    struct key_bookmark b = { 0 };
    return st->options.method == METHOD_FULL && st->options.load == LOAD_APPEND &&
           st->join == JOIN_REPLACE && m != NULL && m->live_version != 0 &&
           !newer_asked(newest, m) &&
           key_bookmark_parse(st->arena, m->bookmark, &b, &ignored) == 0 &&
           b.definition == st->definition;
}

static void refuse_to_drop(struct stream *st)
{
    (void)error_set(&st->why, ERR_SCHEMA,
                    "a column of '" STR_FMT "." STR_FMT "' has another type than in the "
                    "copies that are kept",
                    STR_ARG(st->database), STR_ARG(st->table));
    st->why.hint = "Reset the table: the copies that are kept go, and a new one is made.";
    st->phase = PHASE_FAILED;
    atomic_store(&st->failed, true);
}

static void choose_join(struct stream *st, const struct stream_mark *m, uint64_t newest)
{
    const struct stream_options *o = &st->options;
    bool on = goes_on_live(st, m);
    st->join = JOIN_REPLACE;
    if (on && o->method == METHOD_KEY && !newer_asked(newest, m))
        st->join = o->load == LOAD_APPEND ? JOIN_NEW : JOIN_MERGE;
    else if (on && o->method == METHOD_FULL && o->load == LOAD_APPEND &&
             !newer_asked(newest, m))
        st->join = JOIN_ADD;
    else
        st->before = (struct key_bookmark){ 0 };
    st->live_version = st->join == JOIN_REPLACE ? 0 : m->live_version;
    st->by_key =
        join_changes_live(st->join) || (o->method == METHOD_KEY && o->from.len > 0);
}

/* Rows that meet a condition are read again, whatever the method, and merged into the
 * live version; what the next read starts at stays. */
static int choose_backfill(const struct plan_context *c, struct stream *st,
                           const struct stream_mark *m, uint64_t newest,
                           struct error *err)
{
    bool fits =
        m != NULL && m->live_version != 0 && !newer_asked(newest, m) && fits_live(st, m);
    if (!fits) {
        (void)error_set(err, ERR_CONFIG,
                        "table '" STR_FMT "." STR_FMT "' has no copy that rows could be "
                        "merged into",
                        STR_ARG(st->database), STR_ARG(st->table));
        err->hint = "Run the integration without --where first.";
        return -1;
    }
    struct str filter = st->options.where;
    st->join = st->options.load == LOAD_APPEND ? JOIN_NEW : JOIN_MERGE;
    st->live_version = m->live_version;
    st->bookmark = arena_str(st->arena, m->bookmark);
    st->options.where = c->backfill;
    if (filter.len > 0) /* a line of its own each: either may end in a comment */
        st->options.where = arena_printf(st->arena, "(" STR_FMT "\n) AND (" STR_FMT "\n)",
                                         STR_ARG(filter), STR_ARG(c->backfill));
    st->options.sweep = false;
    st->definition ^= XXH3_64bits(st->options.where.ptr, st->options.where.len) | 1;
    return 0;
}

/* What a copy leaves that was made in a way worth remembering. Key-based streams get
 * theirs with their anchor. */
static void plain_bookmark(struct stream *st)
{
    const struct key_anchor none = { 0 };
    struct key_bookmark b = { .anchors = &none,
                              .anchor_count = 1,
                              .definition = st->definition };
    if (st->options.method == METHOD_LOG ||
        (st->options.method == METHOD_FULL && st->definition != 0))
        st->bookmark = key_bookmark_format(st->arena, &b);
}

/* --- going on with the copy of an earlier run
 * --------------------------------------------
 */

/* The copy under way is read as this run would read it. *leaves: its bookmark. */
static bool same_way(struct stream *st, const struct stream_mark *m,
                     struct key_bookmark *leaves)
{
    struct error ignored = { 0 };
    if (m->copy_join != st->join)
        return false;
    if (st->definition == 0 || st->bookmark.len > 0) /* a backfill has its bookmark */
        return str_eq(m->copy_bookmark, st->bookmark);
    return key_bookmark_parse(st->arena, m->copy_bookmark, leaves, &ignored) == 0 &&
           leaves->definition == st->definition;
}

/* Can the copy under way go on? Then the stream takes over its version, number and
 * ranges. Not when a newer one was asked for: by a reset, a table that changed, another
 * source. */
static bool resume(const struct plan_context *c, struct stream *st,
                   const struct stream_mark *m, uint64_t newest)
{
    struct page_position p = { 0 };
    struct key_bookmark leaves = { 0 };
    struct error ignored = { 0 };
    if (newest > m->copy_version || m->state != STREAM_COPYING || m->copy_version == 0 ||
        st->method != FULL_PAGES || !same_way(st, m, &leaves) ||
        page_position_parse(st->arena, m->copy_progress, &p, &ignored) != 0)
        return false;
    uint64_t shape =
        schema_hash(st->shape->schema) ^ sync_row_policy(c->options) ^ st->definition;
    if (p.shape_hash != shape ||
        (p.first_at != 0 && clock_wall_us() - p.first_at > c->options->resume_us))
        return false;
    st->bookmark = arena_str(st->arena, m->copy_bookmark);
    st->from = leaves.from;
    st->to = leaves.to;
    st->version = m->copy_version;
    st->sequence = m->copy_sequence;
    st->ranges = p.ranges;
    st->range_count = p.range_count;
    st->resumed =
        true; /* and PHASE_WAITING: a reader begins it, then all may take ranges */
    spooler_resume(st, &p);
    return true;
}

/* --- followed by the log
 * ---------------------------------------------------------------------------- */

static const struct column *live_column(const struct table_schema *live, struct str name)
{
    for (unsigned i = 0; i < live->column_count; i++)
        if (str_eq(live->columns[i].avro_name, name))
            return &live->columns[i];
    return NULL;
}

/* A column that is selected now and was not copied: older rows have nothing there. */
static bool lacks_column(const struct stream *st, const struct stream_mark *m)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new(SCHEMA_JSON_LIMIT * 4);
    struct table_schema live = { 0 };
    struct error ignored = { 0 };
    const struct table_schema *now = st->shape->schema;
    if (avro_schema_read(a, m->schema_json, &live, &ignored) != 0)
        return true;
    for (unsigned i = 0; i < now->column_count; i++)
        if (live_column(&live, now->columns[i].avro_name) == NULL)
            return true;
    return false;
}

/* The live version is in the log lane, as this run would have it. */
static bool is_followed(struct stream *st, const struct stream_mark *m)
{
    struct error ignored = { 0 };
    struct key_bookmark b = { 0 };
    return m != NULL && stream_mark_is_followed(m) && !st->forgotten &&
           key_bookmark_parse(st->arena, m->bookmark, &b, &ignored) == 0 &&
           b.definition == st->definition && fits_live(st, m) && !lacks_column(st, m);
}

static void stay_live(struct stream *st, const struct stream_mark *m)
{
    st->log_live = true;
    log_start_recall(st, m);
    st->version = st->live_version = m->live_version;
    st->phase = PHASE_READ;
    atomic_store(&st->joined, true);
    atomic_store(&st->started_at, clock_mono_us());
    atomic_store(&st->ended_at, clock_mono_us());
    if (m->copy_version != 0) /* of an earlier wish */
        spooler_replace(st, m->copy_version, m->copy_join);
}

/* Its changes are held since before its first page, so it may go on, or is whole. */
static bool go_on_held(const struct plan_context *c, struct stream *st,
                       const struct stream_mark *m, uint64_t newest)
{
    if (m == NULL || m->copy_version == 0 || m->held_version != m->copy_version ||
        newest > m->copy_version || m->copy_join != JOIN_LOG)
        return false;
    st->held_before = true;
    if (m->copied && str_eq(m->copy_bookmark, st->bookmark)) {
        st->version = m->copy_version;
        st->sequence = m->copy_sequence;
        st->phase = PHASE_READ;
        atomic_store(&st->copied, true);
        atomic_store(&st->started_at, clock_mono_us());
        atomic_store(&st->ended_at, clock_mono_us());
        return true;
    }
    return resume(c, st, m, newest);
}

static int choose_log(const struct plan_context *c, struct stream *st,
                      const struct stream_mark *m, uint64_t newest, struct error *err)
{
    struct stream_name of = plan_stream_name(c, st);
    struct log_versions versions = { .newest = newest };
    uint64_t handed_out = 0;
    st->by_log = true;
    st->join = JOIN_LOG;
    st->method = method_of_reading(st, c->options->one_view);
    plain_bookmark(st);
    if (state_version_handed_out(c->state, &of, &handed_out, err) != 0)
        return -1;
    bool followed = is_followed(st, m);
    if (followed && m->live_version >= handed_out) {
        stay_live(st, m);
        return 0;
    }
    /* somebody has asked for a new one, and nothing is the matter with the live one */
    st->still_live = followed && !c->place_lost ? m->live_version : 0;
    versions.handed_out = handed_out;
    int begins = log_start_choose(c, st, m, &versions, err);
    if (begins != 0)
        return begins < 0 ? -1 : 0;
    if (go_on_held(c, st, m, newest))
        return 0;
    st->held_before = false;
    if (m != NULL && m->copy_version != 0)
        spooler_replace(st, m->copy_version, m->copy_join);
    st->version = newest;
    if (m != NULL && m->live_version > st->version)
        st->version = m->live_version;
    if (m != NULL && m->copy_version > st->version)
        st->version = m->copy_version;
    if (m != NULL && m->held_version > st->version)
        st->version = m->held_version;
    st->version++;
    return state_version_set(c->state, &of, st->version, err);
}

int method_choose(const struct plan_context *c, struct stream *st,
                  const struct stream_mark *m, struct error *err)
{
    struct stream_name of = plan_stream_name(c, st);
    uint64_t newest = 0;
    st->definition = definition_of(&st->options);
    if (state_version_get(c->state, &of, &newest, err) != 0)
        return -1;
    if (c->backfill.len == 0 && st->options.method == METHOD_LOG)
        return choose_log(c, st, m, newest, err);
    if (c->backfill.len == 0)
        choose_join(st, m, newest);
    else if (choose_backfill(c, st, m, newest, err) != 0)
        return -1;
    st->method = method_of_reading(st, c->options->one_view);
    if (would_drop_kept(st, m, newest)) {
        refuse_to_drop(st);
        st->version = m->live_version;
        return 0;
    }
    if (m != NULL && resume(c, st, m, newest))
        return 0;
    if (c->backfill.len == 0)
        plain_bookmark(st);
    if (m != NULL && m->copy_version != 0)
        spooler_replace(st, m->copy_version, m->copy_join);
    st->version = newest;
    if (m != NULL && m->live_version > st->version)
        st->version = m->live_version;
    if (m != NULL && m->copy_version > st->version)
        st->version = m->copy_version;
    if (join_changes_live(st->join))
        st->version = st->live_version;
    st->version += join_changes_live(st->join) ? 0 : 1;
    return method_hands_out(st->join) ? state_version_set(c->state, &of, st->version, err)
                                      : 0;
}
