/* Which rows of the marks the streams of a manifest are, and which of them may not write
 * where they want to. */
#include "sink/duckdb_internal.h"

static void stream_key(struct buf *out, struct str database, struct str table)
{
    buf_clear(out);
    buf_add_str(out, database);
    buf_add_char(out, '\0');
    buf_add_str(out, table);
}

/* DuckDB folds ASCII letters of names: 'Orders' and 'orders' are one table there. */
static void folded_name(struct buf *out, struct str name)
{
    buf_clear(out);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        buf_add_char(out, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
    }
}

static bool same_source(const struct stream_mark *a, const struct stream_mark *b)
{
    return str_eq(a->database, b->database) && str_eq(a->table, b->table);
}

/* Two streams must not write one table: a stream whose target another one has, live, as a
 * copy under way or earlier in this epoch, is refused when it begins or joins. */
static void find_clashes(struct duckdb_sink *s, struct mark_list *marks)
{
    struct map *owners = map_new();
    struct buf name;
    buf_init(&name, 4096);
    for (size_t i = 0; i < marks->stream_count; i++) {
        struct stream_mark *mark = &marks->streams[i];
        folded_name(&name, mark->target);
        if (mark->live_version != 0 || mark->held_version != 0 ||
            mark->state == STREAM_COPYING)
            (void)map_put(owners, buf_str(&name), mark);
    }
    for (size_t i = 0; i < s->m->stream_count; i++) {
        struct stream_mark *mine = s->streams[i].mark;
        bool live = mine->live_version != 0;
        folded_name(&name, live ? mine->target : s->m->streams[i].target);
        struct stream_mark *owner = map_find(owners, buf_str(&name));
        if (owner == NULL)
            (void)map_put(owners, buf_str(&name), mine);
        else if (!same_source(owner, mine))
            s->streams[i].clash = owner;
    }
    buf_done(&name);
    map_free(owners);
}

/* The rest of a version that failed is left out, and so is a sweep of a table whose
 * changes failed: the next read of changes comes first. */
static bool is_skipped(const struct stream_mark *mark, const struct manifest_stream *st)
{
    return !st->changes && mark->state == STREAM_FAILED &&
           mark->copy_version == st->version &&
           ((st->actions & ACTION_BEGIN) == 0 || st->join == JOIN_SWEEP);
}

/* A manifest's streams and what the destination knows of them. */
void duckdb_match_streams(struct duckdb_sink *s, struct mark_list *marks)
{
    struct map *known = map_new();
    struct buf key;
    buf_init(&key, 4096);
    for (size_t i = 0; i < marks->stream_count; i++) {
        stream_key(&key, marks->streams[i].database, marks->streams[i].table);
        (void)map_put(known, buf_str(&key), &marks->streams[i]);
    }
    s->streams = ARENA_ARRAY(s->epoch, struct duckdb_stream, s->m->stream_count + 1);
    struct stream_mark *before =
        ARENA_ARRAY(s->epoch, struct stream_mark, marks->stream_count + 1);
    for (size_t i = 0; i < marks->stream_count; i++)
        before[i] = marks->streams[i];
    for (size_t i = 0; i < s->m->stream_count; i++) {
        const struct manifest_stream *st = &s->m->streams[i];
        struct duckdb_stream *ds = &s->streams[i];
        stream_key(&key, st->database, st->table);
        ds->mark = map_find(known, buf_str(&key));
        if (ds->mark == NULL) {
            ds->mark = ARENA_NEW(s->epoch, struct stream_mark);
            *ds->mark = (struct stream_mark){ .target = st->target };
            (void)map_put(known, buf_str(&key), ds->mark);
        } else if (ds->mark >= marks->streams &&
                   ds->mark < marks->streams + marks->stream_count) {
            ds->before = &before[ds->mark - marks->streams];
        }
        ds->mark->integration = s->m->integration;
        ds->mark->database = st->database;
        ds->mark->table = st->table;
        if (ds->mark->lane.len == 0)
            ds->mark->lane = s->m->lane;
        ds->skipped = is_skipped(ds->mark, st);
    }
    buf_done(&key);
    map_free(known);
    find_clashes(s, marks);
}
