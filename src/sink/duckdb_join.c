/* Joins: the rows that were gathered beside the live table become what readers see, in
 * the transaction that holds the epoch's rows and marks. */
#include "base/fault.h"
#include "sink/contract.h"
#include "sink/dialect.h"
#include "sink/duckdb_internal.h"

/* ---- keyless rows ----------------------------------------------------------------- */

/* A column of the source that hides DuckDB's own one of this name steps aside. */
#define ROWID STR("rowid")
#define ROWID_ASIDE STR("_tailrace_rowid")

/* Equal rows of a keyless table have equal keys until here: the second and later ones
 * get the key of sink/contract.h, contract_row_key_nth(), computed by DuckDB. */
int join_number_equal_rows(struct duckdb_sink *s, struct str table, struct error *err)
{
    struct buf sql, name;
    struct column_list have = { .arena = s->epoch };
    if (columns_read(s, table, &have, err) != 0)
        return -1;
    int hidden = columns_find(&have, ROWID);
    if (hidden >= 0 &&
        columns_rename(s, table, have.names[hidden], ROWID_ASIDE, err) != 0)
        return -1;
    buf_init(&sql, SQL_LIMIT);
    buf_init(&name, 4096);
    sql_add_table(s, &name, table);
    buf_add_text(&sql, "UPDATE ");
    buf_add_str(&sql, buf_str(&name));
    buf_add_text(&sql, " AS t SET __sdc_primary_key = CAST(CAST(substr(sha256("
                       "unhex(replace(t.__sdc_primary_key, '-', '')) || "
                       "unhex(printf('%016x', d.n))), 1, 32) AS UUID) AS VARCHAR) FROM ("
                       "SELECT rowid AS r, row_number() OVER (PARTITION BY "
                       "__sdc_primary_key ORDER BY rowid) AS n FROM ");
    buf_add_str(&sql, buf_str(&name));
    buf_add_text(&sql, " WHERE __sdc_primary_key IN (SELECT __sdc_primary_key FROM ");
    buf_add_str(&sql, buf_str(&name));
    buf_add_text(&sql, " GROUP BY 1 HAVING count(*) > 1)) AS d "
                       "WHERE t.rowid = d.r AND d.n > 1");
    buf_done(&name);
    int rc = sql_run_buf(s, &sql, err);
    buf_done(&sql);
    if (rc == 0 && hidden >= 0)
        rc = columns_rename(s, table, ROWID_ASIDE, have.names[hidden], err);
    return rc;
}

/* ---- rejects ---------------------------------------------------------------------- */

/* Run a DELETE on the rejected rows of the stream's table, where there are any. `which`
 * goes on behind "DELETE FROM rejected AS r WHERE r._sdc_table = ? AND"; its parameters
 * are the read's number, as often as it has a "?". */
static int delete_rejects(struct duckdb_sink *s, const struct manifest_stream *st,
                          const struct buf *which, size_t numbers, struct error *err)
{
    struct buf name, sql;
    bool found = false;
    if (version_table_exists(s, STR(CONTRACT_REJECTED_TABLE), &found, err) != 0)
        return -1;
    if (!found)
        return 0;
    buf_init(&name, 4096);
    buf_init(&sql, SQL_LIMIT);
    buf_printf(&name, STR_FMT "." STR_FMT, STR_ARG(st->database), STR_ARG(st->table));
    buf_add_text(&sql, "DELETE FROM ");
    sql_add_table(s, &sql, STR(CONTRACT_REJECTED_TABLE));
    buf_add_text(&sql, " AS r WHERE r._sdc_table = ? AND ");
    buf_add_str(&sql, buf_str(which));
    /* what was held joins with the number of its copy */
    int64_t number =
        st->join == JOIN_LOG ? version_stream(s, st)->mark->copy_sequence : st->sequence;
    struct sql_param params[] = { SQL_TEXT(buf_str(&name)), SQL_INT(number),
                                  SQL_INT(number) };
    int rc = buf_check(&sql, "statement", err);
    if (rc == 0)
        rc = sql_rows(s, buf_text(&sql), params, 1 + numbers, NULL, err);
    buf_done(&name);
    buf_done(&sql);
    return rc;
}

/* Rows that earlier copies of the table could not represent say nothing of this one: its
 * own rejects carry its own number. */
static int forget_old_rejects(struct duckdb_sink *s, const struct manifest_stream *st,
                              struct error *err)
{
    struct buf which;
    buf_init(&which, SQL_LIMIT);
    buf_add_text(&which, "r._sdc_sequence < ?");
    int rc = delete_rejects(s, st, &which, 1, err);
    buf_done(&which);
    return rc;
}

/* A row that was rejected before and is read again is one reject, not two: of this read's
 * those go that an earlier read left already. */
static int forget_repeated_rejects(struct duckdb_sink *s,
                                   const struct manifest_stream *st, struct error *err)
{
    struct buf which;
    buf_init(&which, SQL_LIMIT);
    buf_add_text(&which, "r._sdc_sequence = ? AND EXISTS (SELECT 1 FROM ");
    sql_add_table(s, &which, STR(CONTRACT_REJECTED_TABLE));
    buf_add_text(&which, " AS o WHERE o._sdc_table = r._sdc_table AND "
                         "o._sdc_sequence < ? AND "
                         "o._sdc_column IS NOT DISTINCT FROM r._sdc_column AND "
                         "o._sdc_reason IS NOT DISTINCT FROM r._sdc_reason AND "
                         "o._sdc_record IS NOT DISTINCT FROM r._sdc_record)");
    int rc = delete_rejects(s, st, &which, 2, err);
    buf_done(&which);
    return rc;
}

/* ---- a copy becomes the live table ------------------------------------------------ */

/* Columns that somebody left out stay in the table, NULL in the rows of this version. */
static int keep_columns(struct duckdb_sink *s, const struct manifest_stream *st,
                        struct str table, struct error *err)
{
    const struct duckdb_stream *ds = version_stream(s, st);
    struct column_list live = { .arena = s->epoch }, have = { .arena = s->epoch };
    struct buf sql;
    int rc = 0;
    if (st->kept_count == 0 || ds->mark->live_version == 0)
        return 0;
    if (columns_read(s, ds->mark->target, &live, err) != 0 ||
        columns_read(s, table, &have, err) != 0)
        return -1;
    buf_init(&sql, SQL_LIMIT);
    for (size_t i = 0; i < st->kept_count && rc == 0; i++) {
        int at = columns_find(&live, st->kept[i]);
        if (at < 0 || columns_find(&have, st->kept[i]) >= 0)
            continue;
        buf_add_text(&sql, "ALTER TABLE ");
        sql_add_table(s, &sql, table);
        buf_add_text(&sql, " ADD COLUMN ");
        dialect_quote_ident(&sql, live.names[at]);
        buf_add_char(&sql, ' ');
        buf_add_str(&sql, live.types[at]);
        rc = sql_run_buf(s, &sql, err);
    }
    buf_done(&sql);
    return rc;
}

/* What stands in the place of the table is ours, or nothing stands there. */
int join_check_place(struct duckdb_sink *s, const struct duckdb_stream *ds,
                     struct error *err)
{
    uint64_t views = 0, tables = 0;
    struct sql_param place[] = {
        SQL_TEXT(s->m->target_schema),
        SQL_TEXT(ds->mark->target),
    };
    if (sql_rows(s,
                 "SELECT count(*)::VARCHAR FROM duckdb_views() WHERE database_name = "
                 "current_database() AND schema_name = ? AND lower(view_name) = lower(?)",
                 place, 2, SQL_INTO(version_number_row, &views), err) != 0 ||
        sql_rows(
            s,
            "SELECT count(*)::VARCHAR FROM duckdb_tables() WHERE database_name = "
            "current_database() AND schema_name = ? AND lower(table_name) = lower(?)",
            place, 2, SQL_INTO(version_number_row, &tables), err) != 0)
        return -1;
    if (views == 0 && (tables == 0 || ds->mark->live_version != 0))
        return 0;
    (void)error_set(err, ERR_SCHEMA,
                    "'" STR_FMT "." STR_FMT "' exists and was not made for this table",
                    STR_ARG(s->m->target_schema), STR_ARG(ds->mark->target));
    err->hint = "Rename or drop it, or copy under another --name.";
    return -1;
}

static int rename_table(struct duckdb_sink *s, struct str from, struct str to,
                        struct error *err)
{
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    buf_add_text(&sql, "ALTER TABLE ");
    sql_add_table(s, &sql, from);
    buf_add_text(&sql, " RENAME TO ");
    dialect_quote_ident(&sql, to);
    int rc = sql_run_buf(s, &sql, err);
    buf_done(&sql);
    return rc;
}

/* Invariant: readers see the whole old table or the whole new one. DROP and RENAME are
 * part of the epoch's transaction; DuckDB's catalog is versioned like its rows, and the
 * write-ahead log replays both or none (docs/decisions/0002).
 *
 * Rows may change behind the rename, never before it in its transaction: DuckDB 1.5.5
 * writes UPDATE and DELETE into its log under the name that the table has at the commit,
 * in front of the rename, and then cannot replay it, or replays nothing. */
int join_replace_live(struct duckdb_sink *s, const struct manifest_stream *st,
                      struct str staged, struct error *err)
{
    const struct stream_mark *mark = version_stream(s, st)->mark;
    if (forget_old_rejects(s, st, err) != 0 || keep_columns(s, st, staged, err) != 0 ||
        (mark->live_version != 0 && version_drop_table(s, mark->target, err) != 0) ||
        rename_table(s, staged, mark->target, err) != 0)
        return -1;
    FAULT("sink.swapped");
    return 0;
}

/* ---- a copy goes into the live table ---------------------------------------------- */

/* Invariant: a read of changes appears whole or not at all: the hidden table goes in the
 * transaction that changes the live one. */
static int change_live(struct duckdb_sink *s, const struct manifest_stream *st,
                       struct str staged, struct load_stream *out, struct error *err)
{
    if (version_need_live(s, st, err) != 0)
        return -1;
    if (st->join == JOIN_ADD) {
        if (merge_add(s, st, staged, err) != 0)
            return -1;
    } else if (merge_changes(s, st, staged, out, err) != 0 ||
               (st->join != JOIN_SWEEP && forget_repeated_rejects(s, st, err) != 0)) {
        return -1;
    }
    FAULT("merge.merged");
    if (version_drop_table(s, staged, err) != 0)
        return -1;
    FAULT("merge.staged_dropped");
    return 0;
}

/* ---- the mark --------------------------------------------------------------------- */

static int count_live(struct duckdb_sink *s, struct stream_mark *mark, struct error *err)
{
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    buf_add_text(&sql, "SELECT count(*)::VARCHAR FROM ");
    sql_add_table(s, &sql, mark->target);
    buf_add_text(&sql, " WHERE _sdc_deleted_at IS NULL");
    int rc = sql_number(s, &sql, &mark->rows, err);
    buf_done(&sql);
    return rc;
}

/* A sweep reads keys, so it says nothing of when the rows were read. Nor do some rows
 * that were read again: the bookmark stays, and what was read when, or a run that goes on
 * with another one would take the table for copied. */
static void mark_joined(struct duckdb_sink *s, const struct manifest_stream *st,
                        struct stream_mark *mark)
{
    struct str bookmark = st->bookmark.len > 0 ? st->bookmark : mark->copy_bookmark;
    bool again = (st->join == JOIN_MERGE || st->join == JOIN_NEW) &&
                 str_eq(bookmark, mark->bookmark);
    if (bookmark.len > 0 || !join_changes_live(st->join))
        mark->bookmark = bookmark;
    mark->state = STREAM_LIVE;
    mark->live_state = STREAM_LIVE;
    mark->copied = false;
    mark->lane = s->m->lane;
    mark->note = (struct str){ 0 };
    mark->live_version = st->version;
    mark->copy_version = 0;
    mark->copy_sequence = 0;
    mark->copy_progress = (struct str){ 0 };
    mark->copy_join = JOIN_REPLACE;
    mark->copy_bookmark = (struct str){ 0 };
    mark->joined_epoch = s->m->number;
    if (again)
        return;
    mark->loaded_at = s->batched_at;
    if (st->join == JOIN_SWEEP || (join_changes_live(st->join) && st->last_read_at == 0))
        return;
    mark->first_read_at = st->first_read_at;
    mark->last_read_at = st->last_read_at;
}

int join_finish(struct duckdb_sink *s, const struct manifest_stream *st,
                struct stream_mark *mark, struct error *err)
{
    if (count_live(s, mark, err) != 0)
        return -1;
    mark_joined(s, st, mark);
    return 0;
}

int join_stream(struct sink *base, const struct manifest_stream *st,
                struct load_stream *out, struct error *err)
{
    struct duckdb_sink *s = duckdb_of(base);
    struct duckdb_stream *ds = version_stream(s, st);
    bool into_live =
        join_changes_live(st->join) || (st->join == JOIN_ADD && st->live_version != 0);
    struct str staged = { 0 };
    if (st->changes)
        return change_join(s, st, out, err);
    if (ds->skipped ||
        (!join_changes_live(st->join) && ds->mark->live_version == st->version))
        return 0;
    if (version_need_table(s, st, &staged, err) != 0 ||
        join_check_place(s, ds, err) != 0 ||
        (st->keyless && into_live && join_number_equal_rows(s, staged, err) != 0))
        return -1;
    int rc = into_live ? change_live(s, st, staged, out, err)
                       : join_replace_live(s, st, staged, err);
    if (rc == 0 && st->keyless && !into_live)
        rc = join_number_equal_rows(s, ds->mark->target, err);
    return rc != 0 ? -1 : join_finish(s, st, ds->mark, err);
}
