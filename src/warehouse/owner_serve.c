/* One client of the owner: its thread reads a request, does it, answers, until the peer
 * ends. */
#include "base/alloc.h"
#include "base/fault.h"
#include "base/log.h"
#include "warehouse/frame.h"
#include "warehouse/owner_internal.h"

#include <sys/socket.h>
#include <unistd.h>

/* Texts and lists of one request and its answer. */
#define REQUEST_ARENA_BYTES ((size_t)1 << 30)

/* Rows of a result go out when so many bytes are gathered. */
#define ROWS_BATCH_BYTES ((size_t)256 * 1024)

/* ---- requests -------------------------------------------------------------------- */

static int do_marks(struct client *c, const struct request *r, struct arena *a,
                    struct error *err)
{
    struct owner *o = c->owner;
    struct mark_list marks = { 0 };
    if (file_take(c, err) != 0)
        return -1;
    int rc = o->backend->marks(o->sink, a, r->integration, &marks, err);
    file_give(o, rc == 0 ? NULL : err);
    return rc == 0 ? reply_encode_marks(&c->out, &marks, err) : -1;
}

/* A peer that goes away meanwhile changes nothing: the load goes on to its commit, and
 * the next job finds it in the marks. */
static int do_load(struct client *c, const struct request *r, struct arena *a,
                   int *failed_stream, struct error *err)
{
    struct owner *o = c->owner;
    struct load_outcome outcome = { .failed_stream = -1 };
    if (r->epoch_dir.len == 0 || r->epoch_dir.ptr[0] != '/')
        return error_set(err, ERR_PROTOCOL, "an epoch's path that is not absolute");
    if (file_take(c, err) != 0)
        return -1;
    FAULT("warehouse.loading");
    struct epoch_load l = { r->epoch_dir.ptr, r->excluded, r->excluded_count };
    int rc = o->backend->load(o->sink, a, &l, &outcome, err);
    FAULT("warehouse.loaded");
    file_give(o, rc == 0 ? NULL : err);
    *failed_stream = outcome.failed_stream;
    return rc == 0 ? reply_encode_load(&c->out, &outcome, err) : -1;
}

static int do_reset(struct client *c, const struct request *r, struct error *err)
{
    struct owner *o = c->owner;
    if (file_take(c, err) != 0)
        return -1;
    int rc = o->backend->reset(o->sink, &r->reset, err);
    file_give(o, rc == 0 ? NULL : err);
    return rc == 0 ? reply_encode_ok(&c->out, err) : -1;
}

static int do_release(struct client *c, struct error *err)
{
    if (file_release(c, err) != 0)
        return -1;
    return reply_encode_ok(&c->out, err);
}

/* ---- queries --------------------------------------------------------------------- */

static int send_columns(void *ctx, const struct read_column *columns, size_t count,
                        struct error *err)
{
    struct client *c = ctx;
    CLEANUP(free_pointer)
    struct query_column *list = xcalloc(count + 1, sizeof(*list));
    for (size_t i = 0; i < count; i++)
        list[i] = (struct query_column){ columns[i].name, columns[i].type };
    if (reply_encode_columns(&c->out, list, count, err) != 0 ||
        frame_send(c->fd, buf_str(&c->out), c->cancel, err) != 0)
        return -1;
    rows_begin(&c->out);
    return 0;
}

static int flush_rows(struct client *c, struct error *err)
{
    if (rows_end(&c->out, err) != 0 ||
        frame_send(c->fd, buf_str(&c->out), c->cancel, err) != 0)
        return -1;
    rows_begin(&c->out);
    return 0;
}

static int send_row(void *ctx, const struct str *cells, size_t count, struct error *err)
{
    struct client *c = ctx;
    if (rows_add(&c->out, cells, count, err) != 0)
        return -1;
    return c->out.len < ROWS_BATCH_BYTES ? 0 : flush_rows(c, err);
}

static int do_query(struct client *c, const struct request *r, struct error *err)
{
    struct owner *o = c->owner;
    struct read_limits limits = { .rows = r->limits.rows, .time_us = r->limits.time_us };
    struct read_handler handler = { .columns = send_columns, .row = send_row, .ctx = c };
    struct read_result result = { 0 };
    if (limits.time_us < 0)
        return error_set(err, ERR_PROTOCOL, "a limit of time below zero");
    if (file_read_begin(c, err) != 0)
        return -1;
    int rc =
        o->backend->read(o->sink, r->sql, &limits, &handler, c->cancel, &result, err);
    /* a peer that went away is no fault of the database */
    file_read_end(o, rc != 0 && cancel_requested(c->cancel) == CANCEL_NONE ? err : NULL);
    if (rc == 0)
        rc = flush_rows(c, err);
    return rc == 0 ? reply_encode_query_end(&c->out, result.truncated, err) : -1;
}

/* ---- the exchange ---------------------------------------------------------------- */

static int do_hello(struct client *c, const struct request *r, struct error *err)
{
    if (r->format != PROTOCOL_FORMAT) {
        (void)error_set(err, ERR_CONFIG,
                        "another version of tailrace has '" STR_FMT "' open",
                        STR_ARG(c->owner->path));
        err->hint = "Wait until its jobs have ended, or end its warehouse process.";
        return -1;
    }
    if (!str_eq(r->path, c->owner->path))
        return error_set(err, ERR_BUG, "this is the warehouse of '" STR_FMT "'",
                         STR_ARG(c->owner->path));
    return reply_encode_ok(&c->out, err);
}

static int do_request(struct client *c, const struct request *r, struct arena *a,
                      int *failed_stream, struct error *err)
{
    switch (r->kind) {
    case REQUEST_HELLO:
        return do_hello(c, r, err);
    case REQUEST_MARKS:
        return do_marks(c, r, a, err);
    case REQUEST_LOAD:
        return do_load(c, r, a, failed_stream, err);
    case REQUEST_RESET:
        return do_reset(c, r, err);
    case REQUEST_QUERY:
        return do_query(c, r, err);
    case REQUEST_RELEASE:
        return do_release(c, err);
    case REQUEST_KIND_COUNT:
        break;
    }
    return error_set(err, ERR_BUG, "a request without a kind");
}

/* The process must end, but the peer is there: what it asked can be asked again. */
static void say_stopping(struct client *c, struct error *err)
{
    (void)pthread_mutex_lock(&c->owner->lock);
    bool stopping = c->owner->stopping;
    (void)pthread_mutex_unlock(&c->owner->lock);
    if (stopping && err->code == ERR_CANCELLED)
        (void)error_set(err, ERR_TARGET, "the warehouse process was asked to end");
}

static void set_busy(struct client *c, bool busy)
{
    (void)pthread_mutex_lock(&c->owner->lock);
    c->busy = busy;
    (void)pthread_mutex_unlock(&c->owner->lock);
    if (busy)
        owner_wake(c->owner);
}

/* One request and its answer; false when the connection is over. */
static bool serve_one(struct client *c, bool *greeted)
{
    struct error err = { 0 };
    struct request r = { 0 };
    int failed_stream = -1;
    int rc = frame_receive(c->fd, &c->in, c->cancel, &err);
    if (rc <= 0)
        return false;
    struct arena *a = arena_new(REQUEST_ARENA_BYTES);
    set_busy(c, true);
    rc = request_decode(buf_str(&c->in), a, &r, &err);
    if (rc == 0 && *greeted != (r.kind != REQUEST_HELLO))
        rc = error_set(&err, ERR_PROTOCOL, "a connection begins with one hello");
    if (rc == 0)
        rc = do_request(c, &r, a, &failed_stream, &err);
    *greeted = true;
    set_busy(c, false);
    arena_free(a);
    bool go_on = rc == 0 || err.code != ERR_PROTOCOL;
    if (rc != 0) {
        struct error ignored = { 0 };
        say_stopping(c, &err);
        rc = reply_encode_error(&c->out, &err, failed_stream, &ignored);
    }
    /* the answer may go out while we stop: it is short, or the peer is reading */
    struct error ignored = { 0 };
    return rc == 0 && frame_send(c->fd, buf_str(&c->out), NULL, &ignored) == 0 && go_on;
}

void *serve_client(void *client)
{
    struct client *c = client;
    struct owner *o = c->owner;
    bool greeted = false;
    buf_init(&c->in, FRAME_LIMIT_BYTES);
    buf_init(&c->out, FRAME_LIMIT_BYTES);
    while (serve_one(c, &greeted))
        ;
    buf_done(&c->in);
    buf_done(&c->out);
    (void)shutdown(c->fd,
                   SHUT_RDWR); /* the main thread closes it, which may be watching */
    (void)pthread_mutex_lock(&o->lock);
    c->done = true;
    (void)pthread_mutex_unlock(&o->lock);
    owner_wake(o);
    return NULL;
}
