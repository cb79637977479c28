/* Statements that read, for people: classified by DuckDB, wrapped so that every value
 * arrives as text, streamed, and interrupted by a watchdog at their deadline. */
#include "base/alloc.h"
#include "base/clock.h"
#include "sink/dialect.h"
#include "sink/duckdb_internal.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

/* A statement of a person; the wrapper adds a few bytes per column. */
#define READ_SQL_LIMIT ((size_t)16 << 20)

#define READ_COLUMNS_LIMIT 65536

/* An interrupt between two steps of a statement is lost, so it is sent again. */
#define INTERRUPT_AGAIN_US 50000

static const char only_reading[] =
    "Only one statement that reads is answered here: SELECT, FROM, WITH, VALUES, SHOW, "
    "DESCRIBE, SUMMARIZE or EXPLAIN.";

/* ---- the watchdog ----------------------------------------------------------------- */

struct watchdog {
    const struct duckdb_api *api;
    duckdb_connection con;
    struct cancel *cancel; /* borrowed; may be NULL */
    int64_t time_us;       /* 0: no limit */
    int done_fd;           /* readable when the statement is over */
    atomic_int fired;      /* enum error_code of the reason, or 0 */
    pthread_t thread;
};

static void *watch(void *arg)
{
    struct watchdog *w = arg;
    int ready =
        clock_poll(w->done_fd, POLLIN, w->cancel, w->time_us == 0 ? -1 : w->time_us);
    if (ready == 1)
        return NULL;
    atomic_store(&w->fired, ready == 0 ? ERR_LIMIT : ERR_CANCELLED);
    do {
        w->api->interrupt(w->con);
    } while (clock_poll(w->done_fd, POLLIN, NULL, INTERRUPT_AGAIN_US) == 0);
    return NULL;
}

static int watch_begin(struct watchdog *w, struct error *err)
{
    w->done_fd = eventfd(0, EFD_CLOEXEC);
    if (w->done_fd < 0)
        return error_set(err, ERR_IO, "eventfd: %m");
    int rc = pthread_create(&w->thread, NULL, watch, w);
    if (rc == 0)
        return 0;
    close_fd(&w->done_fd);
    errno = rc;
    return error_set(err, ERR_LIMIT, "no thread for a statement: %m");
}

static void watch_end(struct watchdog *w)
{
    uint64_t one = 1;
    ssize_t n = write(w->done_fd, &one, sizeof(one));
    (void)n; /* an eventfd at zero takes a one */
    (void)pthread_join(w->thread, NULL);
    close_fd(&w->done_fd);
}

/* ---- one statement ---------------------------------------------------------------- */

struct reading {
    struct duckdb_sink on_own; /* a view of the sink with a connection of its own */
    const struct read_limits *limits;
    const struct read_handler *handler;
    struct read_result result;
    struct arena *arena;
    struct read_column *columns;
    size_t column_count;
    bool wrapped; /* its values are cast to text by SQL */
};

static int refuse(struct error *err, const char *fmt, struct str what)
{
    (void)error_set(err, ERR_CONFIG, "%s '" STR_FMT "'", fmt, STR_ARG(what));
    err->hint = only_reading;
    return -1;
}

/* DuckDB's own message for a statement that it does not take. */
static int fail_statement(struct error *err, const char *message)
{
    struct error known = { 0 };
    (void)duckdb_fail(&known, "the statement", DUCKDB_ERROR_INVALID, message);
    if (known.code != ERR_TARGET) {
        *err = known;
        return -1;
    }
    return error_set(err, ERR_CONFIG, "%.*s", (int)strcspn(message, "\n"), message);
}

static int prepare_only(struct reading *r, struct str text,
                        duckdb_prepared_statement *out, struct error *err)
{
    const struct duckdb_api *api = &r->on_own.api;
    duckdb_extracted_statements all = NULL;
    const char *sql = arena_text(r->arena, text);
    idx_t count = api->extract_statements(r->on_own.con, sql, &all);
    int rc = 0;
    if (count == 0) {
        const char *why = api->extract_statements_error(all);
        rc =
            why != NULL ? fail_statement(err, why) : refuse(err, "empty statement", text);
    } else if (count > 1) {
        (void)error_set(err, ERR_CONFIG, "these are %llu statements, one is answered",
                        (unsigned long long)count);
        err->hint = only_reading;
        rc = -1;
    } else if (api->prepare_extracted_statement(r->on_own.con, all, 0, out) !=
               DuckDBSuccess) {
        rc = fail_statement(err, api->prepare_error(*out));
    }
    api->destroy_extracted(&all);
    return rc;
}

/* SELECT or EXPLAIN by DuckDB's own classification, without parameters. */
static int classify(struct reading *r, const struct guard_look *look, struct error *err)
{
    const struct duckdb_api *api = &r->on_own.api;
    duckdb_prepared_statement p = NULL;
    int rc = prepare_only(r, look->text, &p, err);
    if (rc == 0) {
        duckdb_statement_type type = api->prepared_statement_type(p);
        if (type != DUCKDB_STATEMENT_TYPE_SELECT && type != DUCKDB_STATEMENT_TYPE_EXPLAIN)
            rc = refuse(err, "this statement does more than read:", look->first);
        else if (api->nparams(p) > 0)
            rc = refuse(err, "a statement with parameters:", look->text);
        r->wrapped = type == DUCKDB_STATEMENT_TYPE_SELECT;
    }
    api->destroy_prepare(&p);
    return rc;
}

static int describe_row(void *ctx, const struct str *cells, size_t count,
                        struct error *err)
{
    struct reading *r = ctx;
    (void)count;
    if (r->column_count == READ_COLUMNS_LIMIT)
        return error_set(err, ERR_LIMIT, "a result has more than %d columns",
                         READ_COLUMNS_LIMIT);
    if ((r->column_count & (r->column_count - 1)) == 0) {
        struct read_column *more =
            ARENA_ARRAY(r->arena, struct read_column, r->column_count * 2 + 1);
        for (size_t i = 0; i < r->column_count; i++)
            more[i] = r->columns[i];
        r->columns = more;
    }
    r->columns[r->column_count++] = (struct read_column){
        arena_str(r->arena, cells[0]),
        arena_str(r->arena, cells[1]),
    };
    return 0;
}

/* Names and types of a SELECT's columns, and the SELECT that casts them all to text. The
 * columns get names of ours inside, since a statement may give the same name twice. */
static int wrap(struct reading *r, struct str text, struct buf *sql, struct error *err)
{
    buf_add_text(sql, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM (");
    buf_add_str(sql, text);
    buf_add_text(sql, "\n) AS q)");
    if (buf_check(sql, "statement", err) != 0 ||
        sql_rows(&r->on_own, buf_text(sql), NULL, 0, SQL_INTO(describe_row, r), err) != 0)
        return -1;
    buf_clear(sql);
    buf_add_text(sql, "SELECT ");
    for (size_t i = 0; i < r->column_count; i++)
        buf_printf(sql, "%sCAST(c%zu AS VARCHAR)", i == 0 ? "" : ", ", i);
    buf_add_text(sql, " FROM (");
    buf_add_str(sql, text);
    buf_add_text(sql, "\n) AS q(");
    for (size_t i = 0; i < r->column_count; i++)
        buf_printf(sql, "%sc%zu", i == 0 ? "" : ", ", i);
    buf_add_char(sql, ')');
    return buf_check(sql, "statement", err);
}

static int hand_row(void *ctx, const struct str *cells, size_t count, struct error *err)
{
    struct reading *r = ctx;
    if (r->limits->rows != 0 && r->result.rows == r->limits->rows) {
        r->result.truncated = true;
        return 1;
    }
    r->result.rows++;
    return r->handler->row(r->handler->ctx, cells, count, err);
}

/* EXPLAIN: two columns of text. */
static int columns_of_result(struct reading *r, duckdb_result *result)
{
    const struct duckdb_api *api = &r->on_own.api;
    r->column_count = api->column_count(result);
    r->columns = ARENA_ARRAY(r->arena, struct read_column, r->column_count + 1);
    for (size_t i = 0; i < r->column_count; i++)
        r->columns[i] = (struct read_column){
            arena_str(r->arena, str_of(api->column_name(result, i))), STR("VARCHAR")
        };
    return 0;
}

static int stream(struct reading *r, struct str sql, struct error *err)
{
    const struct duckdb_api *api = &r->on_own.api;
    duckdb_prepared_statement p = NULL;
    duckdb_pending_result pending = NULL;
    duckdb_result result = { 0 };
    int rc = prepare_only(r, sql, &p, err);
    if (rc == 0 && api->pending_prepared_streaming(p, &pending) != DuckDBSuccess)
        rc = fail_statement(err, api->pending_error(pending));
    if (rc == 0 && api->execute_pending(pending, &result) != DuckDBSuccess)
        rc = fail_statement(err, api->result_error(&result));
    if (rc == 0 && !r->wrapped)
        rc = columns_of_result(r, &result);
    if (rc == 0)
        rc = r->handler->columns(r->handler->ctx, r->columns, r->column_count, err);
    if (rc == 0)
        rc = sql_hand_out(api, &result, SQL_INTO(hand_row, r), err);
    api->destroy_result(&result);
    api->destroy_pending(&pending);
    api->destroy_prepare(&p);
    return rc < 0 ? -1 : 0;
}

static int read_statement(struct reading *r, const struct guard_look *look,
                          struct error *err)
{
    struct buf sql;
    struct str text = look->text;
    int rc = 0;
    buf_init(&sql, READ_SQL_LIMIT);
    /* DuckDB rewrites some of them to SELECT, runs others while it prepares */
    if (str_ieq(look->first, STR("PRAGMA")))
        rc = refuse(err, "a statement that is refused:", look->first);
    if (rc == 0)
        rc = classify(r, look, err);
    if (rc == 0 && r->wrapped) {
        rc = wrap(r, look->text, &sql, err);
        text = buf_str(&sql);
    }
    if (rc == 0)
        rc = stream(r, text, err);
    buf_done(&sql);
    return rc;
}

/* With a connection, inside a read-only transaction, under the watchdog. */
static int read_guarded(struct reading *r, const struct guard_look *look,
                        struct cancel *c, struct error *err)
{
    struct error ignored = { 0 };
    struct watchdog w = { .api = &r->on_own.api,
                          .con = r->on_own.con,
                          .cancel = c,
                          .time_us = r->limits->time_us };
    if (sql_run(&r->on_own, "BEGIN TRANSACTION READ ONLY", err) != 0 ||
        watch_begin(&w, err) != 0)
        return -1;
    int rc = read_statement(r, look, err);
    watch_end(&w);
    (void)sql_run(&r->on_own, "ROLLBACK", &ignored); /* nothing was written */
    int fired = atomic_load(&w.fired);
    if (rc != 0 && fired == ERR_CANCELLED)
        return error_set(err, ERR_CANCELLED, "the statement was stopped on request");
    if (rc != 0 && fired == ERR_LIMIT) {
        (void)error_set(err, ERR_LIMIT, "the statement took longer than %lld ms",
                        (long long)(r->limits->time_us / 1000));
        err->hint = "Ask for less, or raise the limit on time.";
        return -1;
    }
    return rc;
}

/* NOLINTNEXTLINE(readability-function-size): the seventh parameter is the result */
int duckdb_read(struct sink *s, struct str sql, const struct read_limits *limits,
                const struct read_handler *handler, struct cancel *c,
                struct read_result *out, struct error *err)
{
    const struct duckdb_sink *d = duckdb_of(s);
    struct guard_look look;
    int64_t start = clock_mono_us();
    if (sql.len > READ_SQL_LIMIT / 4)
        return error_set(err, ERR_LIMIT, "a statement is longer than %zu bytes",
                         READ_SQL_LIMIT / 4);
    if (memchr(sql.len == 0 ? "" : sql.ptr, '\0', sql.len) != NULL || !str_is_utf8(sql))
        return error_set(err, ERR_CONFIG, "the statement is no UTF-8 text");
    guard_look(sql, &look);
    if (look.text.len == 0)
        return refuse(err, "empty statement", sql);
    if (look.bad.len > 0)
        return refuse(err, "this function is refused:", look.bad);
    struct reading *r = xcalloc(1, sizeof(*r));
    r->on_own.api = d->api;
    r->limits = limits;
    r->handler = handler;
    r->arena = arena_new(READ_SQL_LIMIT * 4);
    int rc = 0;
    r->on_own.catalog = d->catalog;
    if (d->api.connect(d->db, &r->on_own.con) != DuckDBSuccess)
        rc = error_set(err, ERR_TARGET, "DuckDB gives no connection");
    else if (duckdb_use(&r->on_own, err) != 0)
        rc = -1;
    else
        rc = read_guarded(r, &look, c, err);
    if (r->on_own.con != NULL)
        d->api.disconnect(&r->on_own.con);
    r->result.took_us = clock_mono_us() - start;
    if (rc == 0)
        *out = r->result;
    arena_free(r->arena);
    free(r);
    return rc;
}
