/* See recover.h. */
#include "sync/recover.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "sink/contract.h"
#include "sink/dialect.h"
#include "spool/manifest.h"

#include <dirent.h>
#include <errno.h>

#define ARENA_LIMIT ((size_t)512 << 20)

/* Names of tables, each quoted: MySQL's are at most 64 characters. */
#define REJECTS_SQL_BYTES ((size_t)64 << 20)

/* Whether one captured epoch was made for another destination. */
static int is_foreign(const char *epoch_dir, struct str destination_id, bool *out,
                      struct error *err)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new(ARENA_LIMIT);
    CLEANUP(buf_done) struct buf path, json;
    struct manifest m = { 0 };
    buf_init(&path, 8192);
    buf_init(&json, MANIFEST_LIMIT_BYTES);
    buf_printf(&path, "%s/%s", epoch_dir, MANIFEST_FILE);
    if (buf_check(&path, "a spool path", err) != 0 ||
        file_read(buf_text(&path), &json, err) != 0 ||
        manifest_read(a, buf_str(&json), &m, err) != 0)
        return -1;
    *out = !str_eq(m.destination_id, destination_id);
    return 0;
}

int recover_foreign(const char *spool_dir, const char *lane, struct str destination_id,
                    struct error *err)
{
    CLEANUP(buf_done) struct buf path;
    buf_init(&path, 8192);
    buf_printf(&path, "%s/%s", spool_dir, lane);
    DIR *dir = opendir(buf_text(&path));
    if (dir == NULL)
        return errno == ENOENT ? 0
                               : error_set(err, ERR_IO, "reading '%s': errno %d",
                                           buf_text(&path), errno);
    bool foreign = false;
    int rc = 0;
    size_t base = path.len;
    const struct dirent *e;
    while (rc == 0 && !foreign &&
           (e = readdir(dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own dir */
        if (!str_ends(str_of(e->d_name), STR(".epoch")))
            continue;
        buf_truncate(&path, base);
        buf_printf(&path, "/%s", e->d_name);
        rc = is_foreign(buf_text(&path), destination_id, &foreign, err);
    }
    (void)closedir(dir);
    if (rc != 0 || !foreign)
        return rc;
    buf_truncate(&path, base);
    log_event(LOG_WARN,
              "captured epochs belong to a destination that is gone; "
              "removing them, their tables are read again",
              F_TEXT("lane", lane));
    return file_remove_tree(buf_text(&path), err);
}

/* query_row_fn: the one cell as a number. */
static int take_number(void *ctx, const struct query_column *columns, size_t count,
                       const struct str *cells, struct error *err)
{
    uint64_t *out = ctx;
    (void)columns;
    (void)count;
    (void)err;
    if (cells != NULL && cells[0].ptr != NULL)
        (void)str_to_u64(cells[0], out);
    return 0;
}

static int ask(struct warehouse *w, struct buf *sql, uint64_t *out, struct error *err)
{
    struct query_limits none = { 0 };
    bool truncated = false;
    *out = 0;
    if (buf_check(sql, "a statement", err) != 0)
        return -1;
    struct query_reader reader = { take_number, out };
    return warehouse_query(w, buf_str(sql), &none, &reader, &truncated, err);
}

static int ask_for_table(struct warehouse *w, struct str schema, uint64_t *out,
                         struct error *err)
{
    CLEANUP(buf_done) struct buf sql;
    buf_init(&sql, 8192);
    buf_add_text(&sql, "SELECT count(*) FROM information_schema.tables WHERE "
                       "table_name = '" CONTRACT_REJECTED_TABLE "' AND table_schema = ");
    dialect_quote_literal(&sql, schema);
    return ask(w, &sql, out, err);
}

static void begin_count(struct buf *sql, struct str target_schema)
{
    buf_init(sql, REJECTS_SQL_BYTES);
    buf_add_text(sql, "SELECT count(*) FROM ");
    dialect_quote_table(sql, target_schema, STR(CONTRACT_REJECTED_TABLE));
}

/* The number of a copy's rows is of that copy alone. */
static int count_resumed(struct warehouse *w, struct str target_schema, struct stream *st,
                         struct error *err)
{
    uint64_t rows = 0;
    CLEANUP(buf_done) struct buf sql;
    begin_count(&sql, target_schema);
    buf_printf(&sql, " WHERE _sdc_sequence = %lld", (long long)st->sequence);
    if (ask(w, &sql, &rows, err) != 0)
        return -1;
    atomic_store(&st->rejected_before, rows);
    if (rows > 0)
        log_event(LOG_WARN, "rows of this copy were rejected by an earlier run",
                  F_STR("table", st->table), F_UINT("rows", rows));
    return 0;
}

static int count_finished(struct warehouse *w, struct str target_schema, int64_t since,
                          struct plan *p, struct error *err)
{
    CLEANUP(buf_done) struct buf sql, name;
    begin_count(&sql, target_schema);
    buf_init(&name, 4096);
    buf_printf(&sql, " WHERE epoch_us(_sdc_received_at) >= %lld AND _sdc_table IN (",
               (long long)since);
    for (size_t i = 0; i < p->finished_before; i++) {
        buf_clear(&name);
        buf_printf(&name, STR_FMT "." STR_FMT, STR_ARG(p->finished[i].database),
                   STR_ARG(p->finished[i].table));
        buf_add_text(&sql, i == 0 ? "" : ", ");
        dialect_quote_literal(&sql, buf_str(&name));
    }
    buf_add_char(&sql, ')');
    if (ask(w, &sql, &p->finished_rejected, err) != 0)
        return -1;
    if (p->finished_rejected > 0)
        log_event(LOG_WARN, "the run being continued rejected rows of finished tables",
                  F_UINT("rows", p->finished_rejected));
    return 0;
}

int recover_rejects(struct warehouse *w, struct str target_schema, int64_t since,
                    struct plan *p, struct error *err)
{
    uint64_t tables = 0;
    size_t resumed = 0;
    for (size_t i = 0; i < p->stream_count; i++)
        resumed += p->streams[i].resumed ? 1 : 0;
    if (resumed == 0 && p->finished_before == 0)
        return 0;
    if (ask_for_table(w, target_schema, &tables, err) != 0)
        return -1;
    if (tables == 0)
        return 0;
    for (size_t i = 0; i < p->stream_count; i++)
        if (p->streams[i].resumed &&
            count_resumed(w, target_schema, &p->streams[i], err) != 0)
            return -1;
    return p->finished_before == 0 ? 0 : count_finished(w, target_schema, since, p, err);
}
