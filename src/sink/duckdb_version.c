/* Tables of versions: begun as a copy beside the live table, widened while rows arrive,
 * swapped in by the join, dropped when abandoned. */
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

static struct str copy_name(struct duckdb_sink *s, struct str target, uint64_t version)
{
    struct buf name;
    buf_init(&name, 4096);
    contract_copy_name(&name, target, version);
    struct str out = arena_str(s->epoch, buf_str(&name));
    buf_done(&name);
    return out;
}

static int drop_table(struct duckdb_sink *s, struct str table, struct error *err)
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
    const struct duckdb_stream *ds = version_stream(s, st);
    if (ds->mark.copy_version == st->version && ds->mark.state == STREAM_COPYING)
        return copy_name(s, ds->mark.target, st->version);
    if (ds->mark.live_version == st->version && st->version != 0)
        return ds->mark.target;
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

/* The unfinished copy, if any, goes. */
int version_drop_copy(struct duckdb_sink *s, struct duckdb_stream *ds, struct error *err)
{
    /* a failed copy was dropped when it failed */
    if (ds->mark.state == STREAM_COPYING &&
        drop_table(s, copy_name(s, ds->mark.target, ds->mark.copy_version), err) != 0)
        return -1;
    ds->mark.copy_version = 0;
    ds->mark.copy_sequence = 0;
    ds->mark.copy_progress = (struct str){ 0 };
    ds->mark.state = ds->mark.live_version != 0 ? STREAM_LIVE : STREAM_NONE;
    return 0;
}

static int begin_version(struct duckdb_sink *s, const struct manifest_stream *st,
                         const struct table_schema *want, struct error *err)
{
    struct duckdb_stream *ds = version_stream(s, st);
    struct buf sql;
    if (ds->clash != NULL) {
        (void)error_set(err, ERR_SCHEMA,
                        "its name at the destination, '" STR_FMT "', belongs to '" STR_FMT
                        "." STR_FMT "'",
                        STR_ARG(st->target), STR_ARG(ds->clash->database),
                        STR_ARG(ds->clash->table));
        err->hint = "Leave one of the two out, or copy them under two names (--name).";
        return -1;
    }
    if (version_drop_copy(s, ds, err) != 0)
        return -1;
    if (ds->mark.live_version == 0)
        ds->mark.target = st->target;
    struct str table = copy_name(s, ds->mark.target, st->version);
    if (drop_table(s, table, err) != 0)
        return -1;
    ds->mark.state = STREAM_COPYING;
    ds->mark.copy_version = st->version;
    ds->mark.copy_sequence = st->sequence;
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

struct column_list {
    struct arena *arena;
    struct str *names, *types;
    size_t count, capacity;
};

static int list_column(void *ctx, const struct str *cells, size_t count,
                       struct error *err)
{
    struct column_list *list = ctx;
    (void)count;
    (void)err;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        struct str *names = ARENA_ARRAY(list->arena, struct str, capacity);
        struct str *types = ARENA_ARRAY(list->arena, struct str, capacity);
        for (size_t i = 0; i < list->count; i++) {
            names[i] = list->names[i];
            types[i] = list->types[i];
        }
        list->names = names;
        list->types = types;
        list->capacity = capacity;
    }
    list->names[list->count] = arena_str(list->arena, cells[0]);
    list->types[list->count++] = arena_str(list->arena, cells[1]);
    return 0;
}

/* One column of the wanted shape: added at the end, widened in place, or right already.
 */
static int alter_column(struct duckdb_sink *s, struct str table,
                        const struct column_list *have, const struct column *want,
                        struct error *err)
{
    struct buf sql, type, wide;
    int rc = 0;
    size_t i = 0;
    buf_init(&sql, SQL_LIMIT);
    buf_init(&type, 256);
    buf_init(&wide, 256);
    type_sql(want, SQL_DUCKDB, &type);
    while (i < have->count && !str_ieq(have->names[i], want->avro_name))
        i++;
    buf_add_text(&sql, "ALTER TABLE ");
    sql_add_table(s, &sql, table);
    if (i == have->count) {
        buf_add_text(&sql, " ADD COLUMN ");
        dialect_quote_ident(&sql, want->avro_name);
        buf_add_char(&sql, ' ');
        buf_add_str(&sql, buf_str(&type));
        rc = sql_run_buf(s, &sql, err);
    } else if (dialect_duckdb_widen(have->types[i], buf_str(&type), &wide, err) != 0) {
        rc = error_wrap(err, "column '" STR_FMT "'", STR_ARG(want->avro_name));
    } else if (!str_eq(have->types[i], buf_str(&wide))) {
        buf_add_text(&sql, " ALTER COLUMN ");
        dialect_quote_ident(&sql, want->avro_name);
        buf_add_text(&sql, " SET DATA TYPE ");
        buf_add_str(&sql, buf_str(&wide));
        rc = sql_run_buf(s, &sql, err);
    }
    buf_done(&sql);
    buf_done(&type);
    buf_done(&wide);
    return rc;
}

static int list_columns(struct duckdb_sink *s, struct str table, struct column_list *out,
                        struct error *err)
{
    struct sql_param params[] = { SQL_TEXT(s->m->target_schema), SQL_TEXT(table) };
    return sql_rows(
        s,
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name "
        "= current_database() AND schema_name = ? AND table_name = ? "
        "ORDER BY column_index",
        params, 2, SQL_INTO(list_column, out), err);
}

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
    if (first && (st->actions & ACTION_BEGIN) != 0)
        return begin_version(s, st, want, err);
    if (version_need_table(s, st, &table, err) != 0)
        return -1;
    if (list_columns(s, table, &have, err) != 0)
        return -1;
    for (unsigned i = 0; i < want->column_count; i++)
        if (alter_column(s, table, &have, &want->columns[i], err) != 0)
            return -1;
    return 0;
}

/* ---- join ------------------------------------------------------------------------- */

/* Equal rows of a keyless table have equal keys until here: the second and later ones
 * get the key of sink/contract.h, contract_row_key_nth(), computed by DuckDB. */
static int number_equal_rows(struct duckdb_sink *s, struct str table, struct error *err)
{
    struct buf sql, name;
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
    return rc;
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

static int count_rows(struct duckdb_sink *s, struct str table, uint64_t *out,
                      struct error *err)
{
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    buf_add_text(&sql, "SELECT count(*)::VARCHAR FROM ");
    sql_add_table(s, &sql, table);
    int rc = sql_rows(s, buf_text(&sql), NULL, 0, SQL_INTO(version_number_row, out), err);
    buf_done(&sql);
    return rc;
}

static bool has_column(const struct column_list *list, struct str name, size_t *at)
{
    for (size_t i = 0; i < list->count; i++)
        if (str_ieq(list->names[i], name)) {
            *at = i;
            return true;
        }
    return false;
}

/* Columns that somebody left out stay in the table, NULL in the rows of this version. */
static int keep_columns(struct duckdb_sink *s, const struct manifest_stream *st,
                        struct str table, struct error *err)
{
    const struct duckdb_stream *ds = version_stream(s, st);
    struct column_list live = { .arena = s->epoch }, have = { .arena = s->epoch };
    struct buf sql;
    int rc = 0;
    size_t at = 0, ignored = 0;
    if (st->kept_count == 0 || ds->mark.live_version == 0)
        return 0;
    if (list_columns(s, ds->mark.target, &live, err) != 0 ||
        list_columns(s, table, &have, err) != 0)
        return -1;
    buf_init(&sql, SQL_LIMIT);
    for (size_t i = 0; i < st->kept_count && rc == 0; i++) {
        if (!has_column(&live, st->kept[i], &at) ||
            has_column(&have, st->kept[i], &ignored))
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
static int check_place(struct duckdb_sink *s, const struct duckdb_stream *ds,
                       struct error *err)
{
    uint64_t views = 0, tables = 0;
    struct sql_param place[] = {
        SQL_TEXT(s->m->target_schema),
        SQL_TEXT(ds->mark.target),
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
    if (views == 0 && (tables == 0 || ds->mark.live_version != 0))
        return 0;
    (void)error_set(err, ERR_SCHEMA,
                    "'" STR_FMT "." STR_FMT "' exists and was not made for this table",
                    STR_ARG(s->m->target_schema), STR_ARG(ds->mark.target));
    err->hint = "Rename or drop it, or copy under another --name.";
    return -1;
}

/* Invariant: readers see the whole old table or the whole new one. DROP and RENAME are
 * part of the epoch's transaction; DuckDB's catalog is versioned like its rows, and the
 * write-ahead log replays both or none (docs/decisions/0002). */
/* Rows that earlier copies of the table could not represent say nothing of this one: its
 * own rejects carry its own number. */
static int forget_old_rejects(struct duckdb_sink *s, const struct manifest_stream *st,
                              struct error *err)
{
    uint64_t found = 0;
    struct buf name, sql;
    struct sql_param where[] = { SQL_TEXT(s->m->target_schema),
                                 SQL_TEXT(STR(CONTRACT_REJECTED_TABLE)) };
    if (sql_rows(
            s,
            "SELECT CAST(count(*) AS VARCHAR) FROM duckdb_tables() WHERE "
            "database_name = current_database() AND schema_name = ? AND table_name = ?",
            where, 2, SQL_INTO(version_number_row, &found), err) != 0)
        return -1;
    if (found == 0)
        return 0;
    buf_init(&name, 4096);
    buf_init(&sql, SQL_LIMIT);
    buf_printf(&name, STR_FMT "." STR_FMT, STR_ARG(st->database), STR_ARG(st->table));
    buf_add_text(&sql, "DELETE FROM ");
    sql_add_table(s, &sql, STR(CONTRACT_REJECTED_TABLE));
    buf_add_text(&sql, " WHERE _sdc_table = ? AND _sdc_sequence < ?");
    struct sql_param old[] = { SQL_TEXT(buf_str(&name)), SQL_INT(st->sequence) };
    int rc = buf_check(&sql, "statement", err);
    if (rc == 0)
        rc = sql_rows(s, buf_text(&sql), old, 2, SQL_INTO(version_number_row, &found),
                      err);
    buf_done(&name);
    buf_done(&sql);
    return rc;
}

int version_join(struct sink *base, const struct manifest_stream *st, struct error *err)
{
    struct duckdb_sink *s = duckdb_of(base);
    struct duckdb_stream *ds = version_stream(s, st);
    struct str table = { 0 };
    struct buf sql;
    if (ds->skipped || ds->mark.live_version == st->version)
        return 0;
    if (version_need_table(s, st, &table, err) != 0 || check_place(s, ds, err) != 0 ||
        (st->keyless && number_equal_rows(s, table, err) != 0) ||
        count_rows(s, table, &ds->mark.rows, err) != 0 ||
        forget_old_rejects(s, st, err) != 0 ||
        keep_columns(s, st, table, err) != 0 ||
        (ds->mark.live_version != 0 && drop_table(s, ds->mark.target, err) != 0))
        return -1;
    buf_init(&sql, SQL_LIMIT);
    buf_add_text(&sql, "ALTER TABLE ");
    sql_add_table(s, &sql, table);
    buf_add_text(&sql, " RENAME TO ");
    dialect_quote_ident(&sql, ds->mark.target);
    int rc = sql_run_buf(s, &sql, err);
    buf_done(&sql);
    if (rc != 0)
        return -1;
    ds->mark.state = STREAM_LIVE;
    ds->mark.live_version = st->version;
    ds->mark.copy_version = 0;
    ds->mark.copy_sequence = 0;
    ds->mark.copy_progress = (struct str){ 0 };
    ds->mark.joined_epoch = s->m->number;
    ds->mark.loaded_at = s->batched_at;
    ds->mark.first_read_at = st->first_read_at;
    ds->mark.last_read_at = st->last_read_at;
    FAULT("sink.swapped");
    return 0;
}

int version_abandon(struct sink *base, const struct manifest_stream *st,
                    struct error *err)
{
    struct duckdb_sink *s = duckdb_of(base);
    return version_drop_copy(s, version_stream(s, st), err);
}

int version_drop_live(struct duckdb_sink *s, struct duckdb_stream *ds, struct error *err)
{
    if (ds->mark.live_version != 0 && drop_table(s, ds->mark.target, err) != 0)
        return -1;
    ds->mark.live_version = 0;
    ds->mark.state = STREAM_NONE;
    return 0;
}

int version_drop_schema(struct duckdb_sink *s, struct error *err)
{
    uint64_t left = 0;
    struct sql_param place[] = { SQL_TEXT(s->m->target_schema),
                                 SQL_TEXT(s->m->target_schema),
                                 SQL_TEXT(s->m->target_schema) };
    if (drop_table(s, STR(CONTRACT_REJECTED_TABLE), err) != 0 ||
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
