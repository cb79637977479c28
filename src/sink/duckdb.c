#include "sink/duckdb.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault.h"
#include "sink/contract.h"
#include "sink/dialect.h"
#include "sink/duckdb_internal.h"

#include <sys/stat.h>

/* Memory for the marks of one integration while an epoch is loaded. */
#define EPOCH_ARENA_LIMIT ((size_t)256 << 20)

/* Changes of one stream that go into its table without one in between: a chunk of
 * DuckDB's. */
#define DIRECT_ROWS 2048

/* ---- opening and closing ---------------------------------------------------------- */

struct settings {
    char memory_limit[64];
    char threads[16];
    char temp_directory[4096];
};

static int settings_set(struct settings *out, struct str option, struct error *err)
{
    struct str value = { 0 };
    struct str key = str_cut(option, '=', &value);
    uint64_t n = 0;
    if (str_eq(key, STR("memory_limit")) && value.len > 0 &&
        value.len < sizeof(out->memory_limit)) {
        (void)snprintf(out->memory_limit, sizeof(out->memory_limit), STR_FMT,
                       STR_ARG(value));
        return 0;
    }
    if (str_eq(key, STR("threads")) && str_to_u64(value, &n) && n >= 1 && n <= 1024) {
        (void)snprintf(out->threads, sizeof(out->threads), "%llu", (unsigned long long)n);
        return 0;
    }
    if (str_eq(key, STR("temp_directory")) && value.len > 0 &&
        value.len < sizeof(out->temp_directory)) {
        (void)snprintf(out->temp_directory, sizeof(out->temp_directory), STR_FMT,
                       STR_ARG(value));
        return 0;
    }
    (void)error_set(err, ERR_CONFIG, "option '" STR_FMT "' of a DuckDB destination",
                    STR_ARG(option));
    err->hint = "Known are memory_limit=SIZE, threads=N and temp_directory=PATH.";
    return -1;
}

static int settings_read(struct settings *out, const char *path,
                         const struct str *options, size_t count, struct error *err)
{
    (void)snprintf(out->memory_limit, sizeof(out->memory_limit), "1GiB");
    (void)snprintf(out->threads, sizeof(out->threads), "1");
    (void)snprintf(out->temp_directory, sizeof(out->temp_directory), "%s.tmp", path);
    for (size_t i = 0; i < count; i++)
        if (settings_set(out, options[i], err) != 0)
            return -1;
    return 0;
}

/* External access goes off only when the file is attached and the temporary directory
 * named. */
static int configure(struct duckdb_sink *s, const struct settings *set,
                     duckdb_config *config, struct error *err)
{
    const char *const pairs[][2] = {
        { "memory_limit", set->memory_limit },
        { "threads", set->threads },
        { "temp_directory", set->temp_directory },
        { "autoinstall_known_extensions", "false" },
        { "autoload_known_extensions", "false" },
        { "allow_community_extensions", "false" },
    };
    if (s->api.create_config(config) != DuckDBSuccess)
        return error_set(err, ERR_TARGET, "DuckDB has no memory for its configuration");
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (s->api.set_config(*config, pairs[i][0], pairs[i][1]) == DuckDBSuccess)
            continue;
        (void)error_set(err, ERR_CONFIG, "DuckDB refuses %s='%s'", pairs[i][0],
                        pairs[i][1]);
        err->hint = "Write sizes like 512MB or 2GiB.";
        return -1;
    }
    return 0;
}

/* A process killed while DuckDB made the file leaves an empty one, which DuckDB refuses:
 * there is nothing in it to lose. */
static void remove_empty_file(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
        (void)unlink(path);
}

/* What the file is called inside: its own name. A name with a dot cannot be a schema's,
 * so "shop.orders" in shop.duckdb means one thing; DuckDB itself would call the database
 * "shop". */
static char *name_inside(const char *path)
{
    struct buf name;
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    buf_init(&name, 4096);
    buf_add_text(&name, base);
    if (strchr(base, '.') == NULL)
        buf_add_text(&name, ".duckdb");
    return buf_take(&name);
}

/* Of a new file; one that is there keeps its own. A commit makes a block of each column
 * that it adds a row to, so DuckDB's 256 KiB make small changes of many tables slow. Of 4
 * million rows the file is as large with 64 KiB, and reading it takes as long (1.5.5);
 * with 16 KiB it is twice as large. */
#define BLOCK_BYTES 65536u

static int attach(struct duckdb_sink *s, struct error *err)
{
    CLEANUP(buf_done) struct buf sql;
    duckdb_result result = { 0 };
    buf_init(&sql, 16384);
    buf_add_text(&sql, "ATTACH ");
    dialect_quote_literal(&sql, str_of(s->path));
    buf_add_text(&sql, " AS ");
    dialect_quote_ident(&sql, str_of(s->catalog));
    buf_add_text(&sql, " (TYPE duckdb"); /* or it looks for an extension that reads it */
    if (access(s->path, F_OK) != 0)
        buf_printf(&sql, ", BLOCK_SIZE %u", BLOCK_BYTES);
    buf_add_char(&sql, ')');
    if (buf_check(&sql, "path of the DuckDB file", err) != 0)
        return -1;
    int rc = 0;
    if (s->api.query(s->con, buf_text(&sql), &result) != DuckDBSuccess)
        rc = duckdb_fail_open(err, s->path, s->api.result_error(&result));
    s->api.destroy_result(&result);
    return rc;
}

int duckdb_use(struct duckdb_sink *s, struct error *err)
{
    CLEANUP(buf_done) struct buf sql;
    buf_init(&sql, 8192);
    buf_add_text(&sql, "USE ");
    dialect_quote_ident(&sql, str_of(s->catalog));
    return sql_run(s, buf_text(&sql), err);
}

/* The file is attached to an instance without one of its own: then its name inside is
 * ours to choose. */
static int open_database(struct duckdb_sink *s, const struct settings *set,
                         struct error *err)
{
    duckdb_config config = NULL;
    char *why = NULL;
    int rc = configure(s, set, &config, err);
    if (rc == 0 && s->api.open_ext(NULL, &s->db, config, &why) != DuckDBSuccess)
        rc = duckdb_fail_open(err, s->path, why);
    if (why != NULL)
        s->api.free(why);
    if (config != NULL)
        s->api.destroy_config(&config);
    if (rc == 0 && s->api.connect(s->db, &s->con) != DuckDBSuccess)
        rc = error_set(err, ERR_TARGET, "DuckDB gives no connection to '%s'", s->path);
    s->catalog = name_inside(s->path);
    if (rc == 0)
        rc = attach(s, err);
    if (rc == 0 && (sql_run(s, "SET GLOBAL TimeZone = 'UTC'", err) != 0 ||
                    sql_run(s, "SET GLOBAL enable_external_access = false", err) != 0 ||
                    sql_run(s, "SET GLOBAL lock_configuration = true", err) != 0 ||
                    duckdb_use(s, err) != 0 || meta_prepare(s, err) != 0))
        rc = error_wrap(err, "opening '%s'", s->path);
    return rc;
}

static void sink_close_duckdb(struct sink *base)
{
    struct duckdb_sink *s = duckdb_of(base);
    if (s->con != NULL) {
        struct error ignored = { 0 };
        if (s->epoch != NULL)
            s->base.ops->rollback(base);
        (void)sql_run(s, "CHECKPOINT", &ignored); /* closing tries again by itself */
        s->api.disconnect(&s->con);
    }
    if (s->db != NULL)
        s->api.close(&s->db);
    free(s->path);
    free(s->catalog);
    free(s);
}

static struct sink *sink_open_duckdb(struct str location, const struct str *options,
                                     size_t option_count, struct cancel *c,
                                     struct error *err)
{
    struct settings *set = xcalloc(1, sizeof(*set));
    struct duckdb_sink *s = xcalloc(1, sizeof(*s));
    struct buf path;
    int rc = -1;
    s->base.ops = &duckdb_sink_ops;
    s->cancel = c;
    s->direct_rows = DIRECT_ROWS;
    buf_init(&path, 4096);
    buf_add_str(&path, location);
    if (location.len == 0 || memchr(location.ptr, '\0', location.len) != NULL)
        (void)error_set(err, ERR_CONFIG, "a DuckDB destination needs a file's path");
    else if (buf_check(&path, "path of the DuckDB file", err) == 0)
        rc = 0;
    s->path = buf_take(&path);
    if (rc == 0)
        rc = settings_read(set, s->path, options, option_count, err);
    if (rc == 0)
        rc = duckdb_api_open(&s->api, err);
    if (rc == 0) {
        remove_empty_file(s->path);
        rc = open_database(s, set, err);
    }
    free(set);
    if (rc == 0)
        return &s->base;
    sink_close_duckdb(&s->base);
    return NULL;
}

int duckdb_describe(struct buf *out, struct error *err)
{
    struct duckdb_api api = { 0 };
    if (duckdb_api_open(&api, err) != 0)
        return -1;
    buf_printf(out, "libduckdb %s (%s)", api.library_version(), api.path);
    return 0;
}

/* ---- the transaction -------------------------------------------------------------- */

static int read_marks(struct sink *base, struct arena *a, struct str integration,
                      struct mark_list *out, struct error *err)
{
    return meta_read(duckdb_of(base), a, integration, out, err);
}

static int begin(struct sink *base, const struct manifest *m, struct error *err)
{
    struct duckdb_sink *s = duckdb_of(base);
    struct mark_list marks = { 0 };
    struct buf sql;
    if (!str_eq(m->destination_id, str_of(s->destination_id))) {
        (void)error_set(err, ERR_CONFIG,
                        "the epoch was captured for destination '" STR_FMT
                        "', '%s' is destination '%s'",
                        STR_ARG(m->destination_id), s->path, s->destination_id);
        err->hint = "Bring the old file back, or reset the integration to copy anew.";
        return -1;
    }
    s->epoch = arena_new(EPOCH_ARENA_LIMIT);
    s->m = m;
    s->failed = false;
    s->batched_at = clock_wall_us();
    buf_init(&sql, SQL_LIMIT);
    buf_add_text(&sql, "CREATE SCHEMA IF NOT EXISTS ");
    dialect_quote_table(&sql, str_of(s->catalog), m->target_schema);
    int rc = meta_read(s, s->epoch, m->integration, &marks, err);
    if (rc == 0)
        duckdb_match_streams(s, &marks);
    s->sequence = 0;
    for (size_t i = 0; i < marks.lane_count; i++)
        if (str_eq(marks.lanes[i].lane, m->lane))
            s->sequence = marks.lanes[i].sequence;
    if (rc == 0)
        rc = sql_run(s, "BEGIN TRANSACTION", err);
    if (rc == 0)
        rc = sql_run_buf(s, &sql, err);
    buf_done(&sql);
    if (rc != 0)
        base->ops->rollback(base);
    return rc;
}

static void end_epoch(struct duckdb_sink *s)
{
    arena_free(s->epoch);
    s->epoch = NULL;
    s->streams = NULL;
    s->m = NULL;
    s->failed = false;
}

static void rollback(struct sink *base)
{
    struct duckdb_sink *s = duckdb_of(base);
    struct error ignored = { 0 };
    if (s->epoch == NULL)
        return;
    /* without a transaction it is refused; DuckDB rolls back by itself when it cannot */
    (void)sql_run(s, "ROLLBACK", &ignored);
    end_epoch(s);
}

/* Rows that were deleted since the last checkpoint are remembered in memory that cannot
 * be spilled, 256 KiB per row group: a thousand tables with a change each fill 256 MB. */
static bool relieve(struct sink *base)
{
    struct duckdb_sink *s = duckdb_of(base);
    struct error ignored = { 0 };
    return s->epoch == NULL && sql_run(s, "CHECKPOINT", &ignored) == 0;
}

/* ---- rows ------------------------------------------------------------------------- */

static int load(struct sink *base, const struct manifest_stream *st, struct str container,
                struct load_stream *out, struct error *err)
{
    struct duckdb_sink *s = duckdb_of(base);
    struct str table = { 0 };
    uint64_t rows = 0;
    if (version_stream(s, st)->skipped)
        return 0;
    if (st->changes)
        return change_load(s, st, container, out, err);
    if (version_need_table(s, st, &table, err) != 0 ||
        append_segment(s, st, table, container, &rows, err) != 0)
        return -1;
    if (!join_changes_live(st->join)) /* else the join tells */
        out->applied += rows;
    return 0;
}

static int reject(struct sink *base, const struct manifest_stream *st,
                  struct str container, struct load_stream *out, struct error *err)
{
    struct duckdb_sink *s = duckdb_of(base);
    uint64_t rows = 0;
    struct buf sql;
    if (version_stream(s, st)->skipped)
        return 0;
    buf_init(&sql, SQL_LIMIT);
    buf_add_text(&sql, "CREATE TABLE IF NOT EXISTS ");
    sql_add_table(s, &sql, STR(CONTRACT_REJECTED_TABLE));
    buf_add_text(&sql, " (_sdc_table VARCHAR, _sdc_column VARCHAR, _sdc_reason VARCHAR, "
                       "_sdc_record JSON, _sdc_sequence BIGINT, "
                       "_sdc_received_at TIMESTAMPTZ)");
    int rc = sql_run_buf(s, &sql, err);
    buf_done(&sql);
    if (rc == 0)
        rc = append_rejects(s, container, &rows, err);
    if (rc == 0)
        out->rejected += rows;
    return rc;
}

/* ---- commit ----------------------------------------------------------------------- */

/* Another version or read of the table, later in the manifest, that is loaded. */
static bool goes_on(const struct duckdb_sink *s, size_t stream, const bool *excluded)
{
    for (size_t i = stream + 1; i < s->m->stream_count; i++)
        if (s->streams[i].mark == s->streams[stream].mark && !excluded[i] &&
            (s->m->streams[i].actions & ACTION_BEGIN) != 0)
            return true;
    return false;
}

/* A stream that failed at loading: its copy goes, its later rows of this version are left
 * out. Where another version began behind it, that one's copy is the one under way. */
static int fail_stream(struct duckdb_sink *s, size_t stream, const bool *excluded,
                       struct error *err)
{
    const struct manifest_stream *st = &s->m->streams[stream];
    struct stream_mark *mark = s->streams[stream].mark;
    if (st->changes)
        return change_fail(s, st, sink_failure_text(&s->base, s->m, stream), err);
    if (goes_on(s, stream, excluded))
        return 0;
    if (version_drop_copy(s, mark, err) != 0)
        return -1;
    mark->state = STREAM_FAILED;
    mark->copy_version = st->version;
    mark->copy_join = st->join;
    return 0;
}

/* A sweep's shape is that of the keys alone. */
static void newest_shape(struct duckdb_sink *s, size_t stream)
{
    uint32_t version = 0;
    for (size_t i = 0; i < s->m->shape_count; i++) {
        const struct manifest_shape *shape = &s->m->shapes[i];
        if (shape->stream != stream || shape->version < version)
            continue;
        version = shape->version;
        s->streams[stream].mark->schema_json = shape->schema_json;
    }
}

/* What an epoch says of a copy besides its rows. */
static void follow_copy(struct duckdb_sink *s, size_t stream)
{
    const struct manifest_stream *st = &s->m->streams[stream];
    struct stream_mark *mark = s->streams[stream].mark;
    if (mark->state == STREAM_COPYING && mark->copy_version == st->version &&
        mark->copy_join == st->join && st->progress.len > 0)
        mark->copy_progress = st->progress;
    if (st->changes ? !s->streams[stream].skipped
                    : mark->state != STREAM_FAILED && st->join != JOIN_SWEEP)
        newest_shape(s, stream);
}

static int write_marks(struct duckdb_sink *s, const bool *excluded, struct error *err)
{
    const struct manifest *m = s->m;
    struct lane_mark lane = {
        .integration = m->integration,
        .lane = m->lane,
        .epoch = m->number,
        .position = m->to,
        .sequence = s->sequence > m->sequence_base ? s->sequence : m->sequence_base,
        .loaded_at = s->batched_at,
    };
    for (size_t i = 0; i < m->stream_count; i++) {
        const struct manifest_stream *st = &m->streams[i];
        if (excluded != NULL && excluded[i] && fail_stream(s, i, excluded, err) != 0)
            return -1;
        if (st->sequence > lane.sequence)
            lane.sequence = st->sequence;
        if (!st->changes || excluded == NULL || !excluded[i])
            follow_copy(s, i);
        if (meta_write_stream(s, s->streams[i].mark, s->streams[i].before, err) != 0)
            return -1;
    }
    return meta_write_lane(s, &lane, err);
}

/* DuckDB answers COMMIT of a transaction that an error has aborted with success and rolls
 * back (1.5.5, seen in bench/duckdb_spike.c): `failed` keeps us from sending it, and the
 * mark is read back before anybody is told that the epoch is loaded. */
static int check_committed(struct duckdb_sink *s, struct error *err)
{
    uint64_t epoch = 0;
    struct sql_param params[] = { SQL_TEXT(s->m->integration), SQL_TEXT(s->m->lane) };
    if (sql_rows(s,
                 "SELECT epoch::VARCHAR FROM _tailrace.mark WHERE integration = ? AND "
                 "lane = ?",
                 params, 2, SQL_INTO(version_number_row, &epoch), err) != 0)
        return -1;
    if (epoch == s->m->number)
        return 0;
    return error_set(err, ERR_TARGET,
                     "the commit was answered with success, but the mark is %llu",
                     (unsigned long long)epoch);
}

static int commit(struct sink *base, const struct manifest *m, const bool *excluded,
                  struct error *err)
{
    struct duckdb_sink *s = duckdb_of(base);
    (void)m;
    if (s->failed)
        return error_set(err, ERR_BUG,
                         "a transaction with a failed statement may not be "
                         "committed");
    if (write_marks(s, excluded, err) != 0)
        return -1;
    FAULT("sink.before_commit");
    if (sql_run(s, "COMMIT", err) != 0)
        return -1;
    FAULT("sink.committed");
    if (check_committed(s, err) != 0)
        return -1;
    end_epoch(s);
    return 0;
}

/* ---- reset ------------------------------------------------------------------------ */

static int reset_stream(struct duckdb_sink *s, const struct reset_request *r,
                        struct stream_mark *mark, struct error *err)
{
    if (version_drop_copy(s, mark, err) != 0 || change_drop_held(s, mark, err) != 0 ||
        (r->everything && version_drop_live(s, mark, err) != 0))
        return -1;
    if (r->set_bookmark && mark->live_version != 0)
        mark->bookmark = r->bookmark;
    return meta_write_stream(s, mark, NULL, err);
}

static int reset_streams(struct duckdb_sink *s, const struct reset_request *r,
                         struct error *err)
{
    struct mark_list marks = { 0 };
    bool live = false;
    if (meta_read(s, s->epoch, r->integration, &marks, err) != 0)
        return -1;
    for (size_t i = 0; i < marks.stream_count; i++) {
        struct stream_mark *mark = &marks.streams[i];
        bool wanted = r->table.len == 0 || (str_eq(mark->database, r->database) &&
                                            str_eq(mark->table, r->table));
        if (!wanted)
            continue;
        if (reset_stream(s, r, mark, err) != 0)
            return -1;
        live = live || mark->live_version != 0;
    }
    if (r->set_bookmark && (!live || r->table.len == 0)) {
        (void)error_set(err, ERR_CONFIG,
                        "'" STR_FMT "." STR_FMT
                        "' has no live table to set a bookmark of",
                        STR_ARG(r->database), STR_ARG(r->table));
        err->hint = "Copy the table first: its first read leaves a bookmark.";
        return -1;
    }
    if (!r->everything || r->table.len > 0)
        return 0;
    return meta_forget(s, r->integration, err) != 0 || version_drop_schema(s, err) != 0
               ? -1
               : 0;
}

static int reset(struct sink *base, const struct reset_request *r, struct error *err)
{
    struct duckdb_sink *s = duckdb_of(base);
    const struct manifest m = { .integration = r->integration,
                                .target_schema = r->target_schema };
    s->epoch = arena_new(EPOCH_ARENA_LIMIT);
    s->m = &m;
    s->failed = false;
    int rc = sql_run(s, "BEGIN TRANSACTION", err);
    if (rc == 0)
        rc = reset_streams(s, r, err);
    FAULT("sink.reset");
    if (rc == 0)
        rc = sql_run(s, "COMMIT", err);
    if (rc != 0)
        rollback(base);
    else
        end_epoch(s);
    return rc;
}

const struct sink_ops duckdb_sink_ops = {
    .name = "duckdb",
    .open = sink_open_duckdb,
    .close = sink_close_duckdb,
    .marks = read_marks,
    .begin = begin,
    .shape = version_shape,
    .load = load,
    .reject = reject,
    .join = join_stream,
    .abandon = version_abandon,
    .prepare = change_prepare,
    .change = change_apply,
    .leave = change_leave,
    .commit = commit,
    .rollback = rollback,
    .relieve = relieve,
    .reset = reset,
};
