/* Marks: what a destination remembers of lanes and streams, in schema _tailrace beside
 * the rows, written in the rows' own transaction. */
#include "base/alloc.h"
#include "sink/contract.h"
#include "sink/duckdb_internal.h"

#include <openssl/rand.h>

static const char *const meta_tables[] = {
    "CREATE SCHEMA IF NOT EXISTS _tailrace",
    "CREATE TABLE IF NOT EXISTS _tailrace.meta (key VARCHAR, value VARCHAR)",
    ("CREATE TABLE IF NOT EXISTS _tailrace.mark (integration VARCHAR, lane VARCHAR, "
     "epoch UBIGINT, position VARCHAR, sequence BIGINT, loaded_at TIMESTAMPTZ)"),
    ("CREATE TABLE IF NOT EXISTS _tailrace.stream (integration VARCHAR, "
     "source_database VARCHAR, source_table VARCHAR, target VARCHAR, lane VARCHAR, "
     "state VARCHAR, live_version UBIGINT, copy_version UBIGINT, copy_sequence BIGINT, "
     "copy_progress VARCHAR, joined_epoch UBIGINT, joined_at TIMESTAMPTZ, first_read_at "
     "TIMESTAMPTZ, "
     "last_read_at TIMESTAMPTZ, rows UBIGINT, schema_json VARCHAR)"),
    /* behind the others, so that a file made before them has the same order */
    "ALTER TABLE _tailrace.stream ADD COLUMN IF NOT EXISTS copy_join VARCHAR",
    "ALTER TABLE _tailrace.stream ADD COLUMN IF NOT EXISTS copy_bookmark VARCHAR",
    "ALTER TABLE _tailrace.stream ADD COLUMN IF NOT EXISTS bookmark VARCHAR",
    "ALTER TABLE _tailrace.stream ADD COLUMN IF NOT EXISTS live_state VARCHAR",
    "ALTER TABLE _tailrace.stream ADD COLUMN IF NOT EXISTS copied BOOLEAN",
    "ALTER TABLE _tailrace.stream ADD COLUMN IF NOT EXISTS held_version UBIGINT",
    "ALTER TABLE _tailrace.stream ADD COLUMN IF NOT EXISTS held_epoch UBIGINT",
    "ALTER TABLE _tailrace.stream ADD COLUMN IF NOT EXISTS left_version UBIGINT",
    "ALTER TABLE _tailrace.stream ADD COLUMN IF NOT EXISTS note VARCHAR",
};

static const char *const state_names[] = {
    [STREAM_NONE] = "none",     [STREAM_COPYING] = "copying", [STREAM_LIVE] = "live",
    [STREAM_FAILED] = "failed", [STREAM_PARKED] = "parked",   [STREAM_GONE] = "gone",
};

static const char *const join_names[] = {
    [JOIN_REPLACE] = "replace", [JOIN_ADD] = "add",     [JOIN_MERGE] = "merge",
    [JOIN_NEW] = "new",         [JOIN_SWEEP] = "sweep", [JOIN_LOG] = "log",
};

#define JOIN_COUNT (sizeof(join_names) / sizeof(join_names[0]))

#define STATE_COUNT (sizeof(state_names) / sizeof(state_names[0]))

static enum stream_state state_find(struct str name)
{
    unsigned i = 0;
    while (i < STATE_COUNT && !str_eq(name, str_of(state_names[i])))
        i++;
    return i == STATE_COUNT ? STREAM_NONE : (enum stream_state)i;
}

static enum join_kind join_find(struct str name)
{
    unsigned i = 0;
    while (i < JOIN_COUNT && !str_eq(name, str_of(join_names[i])))
        i++;
    return i == JOIN_COUNT ? JOIN_REPLACE : (enum join_kind)i;
}

/* A file of a time without this column: a live version is live. */
static enum stream_state live_state_of(struct str cell, struct str live_version)
{
    if (cell.ptr != NULL)
        return state_find(cell);
    return live_version.ptr != NULL ? STREAM_LIVE : STREAM_NONE;
}

static uint64_t cell_u64(struct str cell)
{
    uint64_t n = 0;
    return cell.ptr != NULL && str_to_u64(cell, &n) ? n : 0;
}

static int64_t cell_i64(struct str cell)
{
    int64_t n = 0;
    return cell.ptr != NULL && str_to_i64(cell, &n) ? n : 0;
}

/* ---- the destination's own values ------------------------------------------------- */

struct meta_values {
    char id[40];
    uint64_t format;
};

static int read_meta_row(void *ctx, const struct str *cells, size_t count,
                         struct error *err)
{
    struct meta_values *v = ctx;
    (void)count;
    (void)err;
    if (str_eq(cells[0], STR("destination_id")) && cells[1].len < sizeof(v->id)) {
        memcpy(v->id, cells[1].ptr, cells[1].len);
        v->id[cells[1].len] = '\0';
    } else if (str_eq(cells[0], STR("format"))) {
        v->format = cell_u64(cells[1]);
    }
    return 0;
}

static int write_meta(struct duckdb_sink *s, const char *key, const char *value,
                      struct error *err)
{
    struct sql_param params[] = { SQL_TEXT(str_of(key)), SQL_TEXT(str_of(value)) };
    return sql_rows(s, "INSERT INTO _tailrace.meta VALUES (?, ?)", params, 2, NULL, err);
}

static int make_meta(struct duckdb_sink *s, struct meta_values *v, struct error *err)
{
    uint8_t bytes[CONTRACT_KEY_BYTES];
    char format[16];
    if (RAND_bytes(bytes, (int)sizeof(bytes)) != 1)
        return error_set(err, ERR_BUG, "no random bytes for the destination's id");
    contract_key_text(bytes, v->id);
    v->id[CONTRACT_KEY_TEXT] = '\0';
    v->format = CONTRACT_META_FORMAT;
    (void)snprintf(format, sizeof(format), "%d", CONTRACT_META_FORMAT);
    return write_meta(s, "destination_id", v->id, err) != 0
               ? -1
               : write_meta(s, "format", format, err);
}

static int prepare_in_transaction(struct duckdb_sink *s, struct meta_values *v,
                                  struct error *err)
{
    for (size_t i = 0; i < sizeof(meta_tables) / sizeof(meta_tables[0]); i++)
        if (sql_run(s, meta_tables[i], err) != 0)
            return -1;
    if (sql_rows(s, "SELECT key, value FROM _tailrace.meta", NULL, 0,
                 SQL_INTO(read_meta_row, v), err) != 0)
        return -1;
    return v->id[0] != '\0' ? 0 : make_meta(s, v, err);
}

int meta_prepare(struct duckdb_sink *s, struct error *err)
{
    struct meta_values v = { 0 };
    if (sql_run(s, "BEGIN TRANSACTION", err) != 0)
        return -1;
    if (prepare_in_transaction(s, &v, err) != 0) {
        struct error ignored = { 0 };
        (void)sql_run(s, "ROLLBACK", &ignored); /* the first error is the one to tell */
        return -1;
    }
    if (sql_run(s, "COMMIT", err) != 0)
        return -1;
    if (v.format > CONTRACT_META_FORMAT) {
        (void)error_set(err, ERR_CONFIG,
                        "the destination's marks have format %llu, this program knows %d",
                        (unsigned long long)v.format, CONTRACT_META_FORMAT);
        err->hint = "Use the newer tailrace that wrote them.";
        return -1;
    }
    (void)snprintf(s->destination_id, sizeof(s->destination_id), "%s", v.id);
    return 0;
}

/* ---- reading marks ---------------------------------------------------------------- */

struct mark_reader {
    struct arena *arena;
    struct mark_list *out;
    size_t capacity;
};

static int count_row(void *ctx, const struct str *cells, size_t count, struct error *err)
{
    size_t *out = ctx;
    (void)count;
    (void)err;
    *out = (size_t)cell_u64(cells[0]);
    return 0;
}

static int lane_row(void *ctx, const struct str *cells, size_t count, struct error *err)
{
    struct mark_reader *r = ctx;
    (void)count;
    (void)err;
    if (r->out->lane_count == r->capacity)
        return 1;
    r->out->lanes[r->out->lane_count++] = (struct lane_mark){
        .integration = arena_str(r->arena, cells[0]),
        .lane = arena_str(r->arena, cells[1]),
        .epoch = cell_u64(cells[2]),
        .position = arena_str(r->arena, cells[3]),
        .sequence = cell_i64(cells[4]),
        .loaded_at = cell_i64(cells[5]),
    };
    return 0;
}

static int stream_row(void *ctx, const struct str *cells, size_t count, struct error *err)
{
    struct mark_reader *r = ctx;
    (void)count;
    (void)err;
    if (r->out->stream_count == r->capacity)
        return 1;
    r->out->streams[r->out->stream_count++] = (struct stream_mark){
        .integration = arena_str(r->arena, cells[0]),
        .database = arena_str(r->arena, cells[1]),
        .table = arena_str(r->arena, cells[2]),
        .target = arena_str(r->arena, cells[3]),
        .lane = arena_str(r->arena, cells[4]),
        .state = state_find(cells[5]),
        .live_version = cell_u64(cells[6]),
        .copy_version = cell_u64(cells[7]),
        .copy_sequence = cell_i64(cells[8]),
        .copy_progress = arena_str(r->arena, cells[9]),
        .joined_epoch = cell_u64(cells[10]),
        .loaded_at = cell_i64(cells[11]),
        .first_read_at = cell_i64(cells[12]),
        .last_read_at = cell_i64(cells[13]),
        .rows = cell_u64(cells[14]),
        .schema_json = arena_str(r->arena, cells[15]),
        .copy_join = join_find(cells[16]),
        .copy_bookmark = arena_str(r->arena, cells[17]),
        .bookmark = arena_str(r->arena, cells[18]),
        .live_state = live_state_of(cells[19], cells[6]),
        .copied = str_eq(cells[20], STR("true")),
        .held_version = cell_u64(cells[21]),
        .held_epoch = cell_u64(cells[22]),
        .left_version = cell_u64(cells[23]),
        .note = arena_str(r->arena, cells[24]),
    };
    return 0;
}

static int count_table(struct duckdb_sink *s, const char *sql, size_t *out,
                       struct error *err)
{
    *out = 0;
    return sql_rows(s, sql, NULL, 0, SQL_INTO(count_row, out), err);
}

int meta_read(struct duckdb_sink *s, struct arena *a, struct str integration,
              struct mark_list *out, struct error *err)
{
    struct mark_list list = { .destination_id = arena_str(a, str_of(s->destination_id)) };
    struct mark_reader r = { .arena = a, .out = &list };
    struct sql_param params[] = { SQL_TEXT(integration), SQL_TEXT(integration) };
    if (count_table(s, "SELECT count(*)::VARCHAR FROM _tailrace.mark", &r.capacity,
                    err) != 0)
        return -1;
    list.lanes = ARENA_ARRAY(a, struct lane_mark, r.capacity + 1);
    if (sql_rows(s,
                 "SELECT integration, lane, epoch::VARCHAR, position, sequence::VARCHAR, "
                 "epoch_us(loaded_at)::VARCHAR FROM _tailrace.mark "
                 "WHERE ? = '' OR integration = ? ORDER BY 1, 2",
                 params, 2, SQL_INTO(lane_row, &r), err) != 0 ||
        count_table(s, "SELECT count(*)::VARCHAR FROM _tailrace.stream", &r.capacity,
                    err) != 0)
        return -1;
    list.streams = ARENA_ARRAY(a, struct stream_mark, r.capacity + 1);
    if (sql_rows(
            s,
            "SELECT integration, source_database, source_table, target, lane, state, "
            "live_version::VARCHAR, copy_version::VARCHAR, copy_sequence::VARCHAR, "
            "copy_progress, joined_epoch::VARCHAR, epoch_us(joined_at)::VARCHAR, "
            "epoch_us(first_read_at)::VARCHAR, "
            "epoch_us(last_read_at)::VARCHAR, rows::VARCHAR, schema_json, "
            "copy_join, copy_bookmark, bookmark, live_state, copied::VARCHAR, "
            "held_version::VARCHAR, held_epoch::VARCHAR, left_version::VARCHAR, note "
            "FROM _tailrace.stream WHERE ? = '' OR integration = ? ORDER BY 1, 2, 3",
            params, 2, SQL_INTO(stream_row, &r), err) != 0)
        return -1;
    *out = list;
    return 0;
}

/* ---- writing marks ---------------------------------------------------------------- */

static struct sql_param number_or_null(uint64_t n)
{
    return n == 0 ? (struct sql_param){ .kind = PARAM_NULL } : SQL_INT(n);
}

static struct sql_param time_or_null(int64_t at)
{
    return at == 0 ? (struct sql_param){ .kind = PARAM_NULL } : SQL_INT(at);
}

int meta_write_lane(struct duckdb_sink *s, const struct lane_mark *mark,
                    struct error *err)
{
    struct sql_param params[] = {
        SQL_TEXT(mark->integration), SQL_TEXT(mark->lane),    SQL_INT(mark->epoch),
        SQL_TEXT(mark->position),    SQL_INT(mark->sequence), SQL_INT(mark->loaded_at),
    };
    if (sql_rows(s, "DELETE FROM _tailrace.mark WHERE integration = ? AND lane = ?",
                 params, 2, NULL, err) != 0)
        return -1;
    return sql_rows(s,
                    "INSERT INTO _tailrace.mark VALUES (?, ?, ?, ?, ?, "
                    "make_timestamptz(?::BIGINT))",
                    params, 6, NULL, err);
}

#define STREAM_COLUMNS 25

static void stream_params(const struct stream_mark *mark, struct sql_param *out)
{
    const struct sql_param params[STREAM_COLUMNS] = {
        SQL_TEXT(mark->integration),
        SQL_TEXT(mark->database),
        SQL_TEXT(mark->table),
        SQL_TEXT(mark->target),
        SQL_TEXT(mark->lane),
        SQL_TEXT(str_of(state_names[mark->state])),
        number_or_null(mark->live_version),
        number_or_null(mark->copy_version),
        SQL_INT(mark->copy_sequence),
        SQL_TEXT(mark->copy_progress),
        number_or_null(mark->joined_epoch),
        time_or_null(mark->loaded_at),
        time_or_null(mark->first_read_at),
        time_or_null(mark->last_read_at),
        SQL_INT(mark->rows),
        SQL_TEXT(mark->schema_json),
        SQL_TEXT(str_of(join_names[mark->copy_join])),
        SQL_TEXT(mark->copy_bookmark),
        SQL_TEXT(mark->bookmark),
        SQL_TEXT(str_of(state_names[mark->live_state])),
        SQL_INT(mark->copied ? 1 : 0),
        number_or_null(mark->held_version),
        number_or_null(mark->held_epoch),
        number_or_null(mark->left_version),
        SQL_TEXT(mark->note),
    };
    memcpy(out, params, sizeof(params));
}

static bool same_params(const struct sql_param *a, const struct sql_param *b)
{
    for (size_t i = 0; i < STREAM_COLUMNS; i++)
        if (a[i].kind != b[i].kind || a[i].number != b[i].number ||
            !str_eq(a[i].text, b[i].text))
            return false;
    return true;
}

int meta_write_stream(struct duckdb_sink *s, const struct stream_mark *mark,
                      const struct stream_mark *before, struct error *err)
{
    struct sql_param params[STREAM_COLUMNS], old[STREAM_COLUMNS];
    stream_params(mark, params);
    if (before != NULL) {
        stream_params(before, old);
        if (same_params(params, old))
            return 0;
    }
    if (sql_rows(s,
                 "DELETE FROM _tailrace.stream WHERE integration = ? AND "
                 "source_database = ? AND source_table = ?",
                 params, 3, NULL, err) != 0)
        return -1;
    return sql_rows(s,
                    "INSERT INTO _tailrace.stream (integration, source_database, "
                    "source_table, target, lane, state, live_version, copy_version, "
                    "copy_sequence, copy_progress, joined_epoch, joined_at, "
                    "first_read_at, last_read_at, rows, schema_json, copy_join, "
                    "copy_bookmark, bookmark, live_state, copied, held_version, "
                    "held_epoch, left_version, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, "
                    "?, ?, make_timestamptz(?::BIGINT), make_timestamptz(?::BIGINT), "
                    "make_timestamptz(?::BIGINT), ?, ?, ?, ?, ?, ?, ?::BIGINT <> 0, ?, "
                    "?, ?, ?)",
                    params, sizeof(params) / sizeof(params[0]), NULL, err);
}

int meta_forget(struct duckdb_sink *s, struct str integration, struct error *err)
{
    struct sql_param params[] = { SQL_TEXT(integration) };
    if (sql_rows(s, "DELETE FROM _tailrace.stream WHERE integration = ?", params, 1, NULL,
                 err) != 0)
        return -1;
    return sql_rows(s, "DELETE FROM _tailrace.mark WHERE integration = ?", params, 1,
                    NULL, err);
}
