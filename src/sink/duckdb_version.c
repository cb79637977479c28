/* Tables of versions: begun as a copy beside the live table, widened while rows arrive,
 * dropped when abandoned. What a join does with them is in duckdb_join.c. */
#include "base/fault.h"
#include "sink/contract.h"
#include "sink/dialect.h"
#include "sink/duckdb_internal.h"

/* ---- tables of versions ----------------------------------------------------------- */

struct duckdb_stream *version_stream(struct duckdb_sink *s,
                                     const struct manifest_stream *st)
{
    return &s->streams[st - s->m->streams];
}

#define LIVE_HINT "Reset this table: the next run copies it anew."

struct str version_copy_name(struct duckdb_sink *s, struct str target, uint64_t version)
{
    struct buf name;
    buf_init(&name, 4096);
    contract_copy_name(&name, target, version);
    struct str out = arena_str(s->epoch, buf_str(&name));
    buf_done(&name);
    return out;
}

int version_drop_table(struct duckdb_sink *s, struct str table, struct error *err)
{
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    buf_add_text(&sql, "DROP TABLE IF EXISTS ");
    sql_add_table(s, &sql, table);
    int rc = sql_run_buf(s, &sql, err);
    buf_done(&sql);
    return rc;
}

/* The table that rows of the stream's version go to; ptr NULL when there is none. */
static struct str version_table(struct duckdb_sink *s, const struct manifest_stream *st)
{
    const struct stream_mark *mark = version_stream(s, st)->mark;
    bool changes = join_changes_live(st->join);
    /* reads of changes share their version's number: the sequence tells them apart */
    if (mark->state == STREAM_COPYING && mark->copy_version == st->version &&
        mark->copy_join == st->join && (!changes || mark->copy_sequence == st->sequence))
        return version_copy_name(s, mark->target, st->version);
    if (mark->live_version == st->version && st->version != 0 && !changes)
        return mark->target;
    return (struct str){ 0 };
}

int version_need_table(struct duckdb_sink *s, const struct manifest_stream *st,
                       struct str *out, struct error *err)
{
    *out = version_table(s, st);
    if (out->ptr != NULL)
        return 0;
    return error_set(err, ERR_SCHEMA, "version %llu was never begun in this destination",
                     (unsigned long long)st->version);
}

int version_table_exists(struct duckdb_sink *s, struct str table, bool *out,
                         struct error *err)
{
    uint64_t found = 0;
    struct sql_param place[] = { SQL_TEXT(s->m->target_schema), SQL_TEXT(table) };
    *out = false;
    if (sql_rows(s,
                 "SELECT count(*)::VARCHAR FROM duckdb_tables() WHERE database_name = "
                 "current_database() AND lower(schema_name) = lower(?) AND "
                 "lower(table_name) = lower(?)",
                 place, 2, SQL_INTO(version_number_row, &found), err) != 0)
        return -1;
    *out = found > 0;
    return 0;
}

int version_need_live(struct duckdb_sink *s, const struct manifest_stream *st,
                      struct error *err)
{
    const struct stream_mark *mark = version_stream(s, st)->mark;
    bool exists = false;
    if (mark->live_version != st->live_version) {
        (void)error_set(err, ERR_SCHEMA,
                        "rows were read for version %llu of '" STR_FMT "." STR_FMT
                        "', the live table is version %llu",
                        (unsigned long long)st->live_version,
                        STR_ARG(s->m->target_schema), STR_ARG(mark->target),
                        (unsigned long long)mark->live_version);
    } else if (version_table_exists(s, mark->target, &exists, err) != 0) {
        return -1;
    } else if (!exists) {
        (void)error_set(err, ERR_SCHEMA,
                        "the live table '" STR_FMT "." STR_FMT "' is gone",
                        STR_ARG(s->m->target_schema), STR_ARG(mark->target));
    } else {
        return 0;
    }
    err->hint = LIVE_HINT;
    return -1;
}

int version_drop_copy(struct duckdb_sink *s, struct stream_mark *mark, struct error *err)
{
    /* a failed copy was dropped when it failed */
    if (mark->state == STREAM_COPYING &&
        version_drop_table(s, version_copy_name(s, mark->target, mark->copy_version),
                           err) != 0)
        return -1;
    mark->copy_version = 0;
    mark->copy_sequence = 0;
    mark->copy_progress = (struct str){ 0 };
    mark->copy_join = JOIN_REPLACE;
    mark->copy_bookmark = (struct str){ 0 };
    mark->copied = false;
    mark->state = mark->live_state;
    return 0;
}

int version_check_clash(const struct duckdb_stream *ds, const struct manifest_stream *st,
                        struct error *err)
{
    if (ds->clash == NULL)
        return 0;
    (void)error_set(err, ERR_SCHEMA,
                    "its name at the destination, '" STR_FMT "', belongs to '" STR_FMT
                    "." STR_FMT "'",
                    STR_ARG(st->target), STR_ARG(ds->clash->database),
                    STR_ARG(ds->clash->table));
    err->hint = "Leave one of the two out, or copy them under two names (--name).";
    return -1;
}

static int begin_version(struct duckdb_sink *s, const struct manifest_stream *st,
                         const struct table_schema *want, struct error *err)
{
    struct duckdb_stream *ds = version_stream(s, st);
    struct buf sql;
    if (version_check_clash(ds, st, err) != 0)
        return -1;
    /* what was held for an older copy has no copy any more */
    if (ds->mark->held_version != 0 && ds->mark->held_version < st->version &&
        change_drop_held(s, ds->mark, err) != 0)
        return -1;
    if ((join_changes_live(st->join) && version_need_live(s, st, err) != 0) ||
        version_drop_copy(s, ds->mark, err) != 0)
        return -1;
    if (ds->mark->live_version == 0)
        ds->mark->target = st->target;
    struct str table = version_copy_name(s, ds->mark->target, st->version);
    if (version_drop_table(s, table, err) != 0)
        return -1;
    ds->mark->state = STREAM_COPYING;
    ds->mark->copy_version = st->version;
    ds->mark->copy_sequence = st->sequence;
    ds->mark->copy_join = st->join;
    ds->mark->copy_bookmark = st->bookmark;
    buf_init(&sql, SQL_LIMIT);
    buf_add_text(&sql, "CREATE TABLE ");
    sql_add_table(s, &sql, table);
    dialect_columns(&sql, SQL_DUCKDB, want, st->keyless);
    int rc = sql_run_buf(s, &sql, err);
    buf_done(&sql);
    FAULT("sink.begun");
    return rc;
}

/* ---- shape ------------------------------------------------------------------------ */

int version_shape(struct sink *base, const struct manifest_stream *st,
                  const struct table_schema *want, struct error *err)
{
    struct duckdb_sink *s = duckdb_of(base);
    struct duckdb_stream *ds = version_stream(s, st);
    struct column_list have = { .arena = s->epoch };
    struct str table = { 0 };
    bool first = !ds->shaped;
    if (ds->skipped)
        return 0;
    ds->shaped = true;
    if (st->changes)
        return change_shape(s, st, want, err);
    if (first && (st->actions & ACTION_BEGIN) != 0)
        return begin_version(s, st, want, err);
    if (version_need_table(s, st, &table, err) != 0 ||
        columns_read(s, table, &have, err) != 0)
        return -1;
    return columns_fit(s, table, &have, want, err);
}

int version_number_row(void *ctx, const struct str *cells, size_t count,
                       struct error *err)
{
    uint64_t *out = ctx;
    (void)count;
    (void)err;
    if (cells[0].ptr != NULL)
        (void)str_to_u64(cells[0], out);
    return 0;
}

int version_abandon(struct sink *base, const struct manifest_stream *st,
                    struct error *err)
{
    struct duckdb_sink *s = duckdb_of(base);
    struct stream_mark *mark = version_stream(s, st)->mark;
    if (st->changes)
        return change_abandon(s, st, err);
    /* another version may be under way already */
    if (mark->state == STREAM_COPYING && mark->copy_version != st->version)
        return 0;
    return version_drop_copy(s, mark, err);
}

int version_drop_live(struct duckdb_sink *s, struct stream_mark *mark, struct error *err)
{
    if (mark->live_version != 0 && version_drop_table(s, mark->target, err) != 0)
        return -1;
    mark->live_version = 0;
    mark->live_state = STREAM_NONE;
    mark->bookmark = (struct str){ 0 };
    mark->state = STREAM_NONE;
    return 0;
}

int version_drop_schema(struct duckdb_sink *s, struct error *err)
{
    uint64_t left = 0;
    struct sql_param place[] = { SQL_TEXT(s->m->target_schema),
                                 SQL_TEXT(s->m->target_schema),
                                 SQL_TEXT(s->m->target_schema) };
    if (version_drop_table(s, STR(CONTRACT_REJECTED_TABLE), err) != 0 ||
        sql_rows(s,
                 "SELECT ((SELECT count(*) FROM duckdb_tables() WHERE database_name = "
                 "current_database() AND schema_name = ?) + (SELECT count(*) FROM "
                 "duckdb_views() WHERE database_name = current_database() AND "
                 "schema_name = ?) + (SELECT count(*) FROM duckdb_functions() WHERE "
                 "database_name = current_database() AND schema_name = ?))::VARCHAR",
                 place, 3, SQL_INTO(version_number_row, &left), err) != 0)
        return -1;
    if (left > 0)
        return 0; /* somebody else's things stay */
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    buf_add_text(&sql, "DROP SCHEMA IF EXISTS ");
    dialect_quote_table(&sql, str_of(s->catalog), s->m->target_schema);
    int rc = sql_run_buf(s, &sql, err);
    buf_done(&sql);
    return rc;
}
