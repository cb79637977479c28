#include "warehouse/client.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "warehouse/frame.h"
#include "warehouse/place.h"
#include "warehouse/protocol.h"
#include "warehouse/start.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096

/* An owner that ends keeps its lock for moments, one under a debugger for longer. */
#define CONNECT_DEADLINE_US (INT64_C(20) * 1000 * 1000)
#define CONNECT_PAUSE_US (INT64_C(20) * 1000)

/* Names and types of the columns of one result. */
#define COLUMNS_ARENA_BYTES ((size_t)64 << 20)

struct warehouse {
    int fd;         /* -1: not connected; the next request connects again */
    struct buf out; /* the request */
    struct buf in;  /* the reply */
    char *real_path;
    struct str *settings; /* owned, each text too */
    size_t setting_count;
    int64_t idle_us;
    void (*waiting)(void *ctx, struct str text);
    void *ctx;
    struct cancel *cancel; /* borrowed */
};

/* ---- connecting ------------------------------------------------------------------ */

static void disconnect(struct warehouse *w)
{
    close_fd(&w->fd);
}

static bool peer_is_us(int fd)
{
    struct ucred peer = { 0 };
    socklen_t length = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
           peer.uid == geteuid();
}

/* A connected descriptor, or -1: nobody listens there. */
static int connect_at(unsigned place, const char *real_path)
{
    CLEANUP(buf_done) struct buf folder;
    struct sockaddr_un address;
    struct error ignored = { 0 };
    struct stat st;
    buf_init(&folder, PATH_BYTES);
    if (!place_folder(place, &folder) || lstat(buf_text(&folder), &st) != 0 ||
        place_secure(buf_text(&folder), &ignored) != 0 ||
        place_address(buf_text(&folder), real_path, &address, &ignored) != 0)
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (connect(fd, (const struct sockaddr *)(const void *)&address,
                            sizeof(address)) != 0 ||
                    !peer_is_us(fd)))
        close_fd(&fd);
    return fd;
}

/* Wait for the next message and read it. An owner that is gone is ERR_TARGET. */
static int receive_reply(struct warehouse *w, struct reply *out, struct error *err)
{
    int rc = frame_receive(w->fd, &w->in, w->cancel, err);
    if (rc == 0)
        rc = error_set(err, ERR_TARGET, "the warehouse process ended before it answered");
    return rc < 0 ? -1 : reply_read(buf_str(&w->in), out, err);
}

/* The first exchange of a connection: from then on the owner counts us and stays. */
static int hello(struct warehouse *w, struct error *err)
{
    CLEANUP(reply_done) struct reply reply = { 0 };
    struct request r = { .kind = REQUEST_HELLO,
                         .format = PROTOCOL_FORMAT,
                         .path = str_of(w->real_path) };
    if (request_encode(&w->out, &r, err) != 0 ||
        frame_send(w->fd, buf_str(&w->out), w->cancel, err) != 0 ||
        receive_reply(w, &reply, err) != 0)
        return -1;
    if (reply.kind == REPLY_ERROR)
        return reply_decode_error(&reply, NULL, err);
    return 0;
}

/* 1: connected, 0: nobody is there or it turned us away (*last), -1: failed for good. */
static int try_connect(struct warehouse *w, struct error *last, struct error *err)
{
    for (unsigned i = 0; i < PLACE_SOCKETS; i++) {
        struct error why = { 0 };
        w->fd = connect_at(i, w->real_path);
        if (w->fd < 0)
            continue;
        if (hello(w, &why) == 0)
            return 1;
        disconnect(w);
        if (why.code != ERR_TARGET) {
            *err = why;
            return -1;
        }
        *last = why;
    }
    return 0;
}

/* Several may start an owner at once: the lock leaves one, and all find that one. An
 * owner on its way out still has the lock: then starting finds "another one", and it is
 * tried again. */
static int connect_or_start(struct warehouse *w, struct error *err)
{
    struct start_options start = { .real_path = w->real_path,
                                   .settings = w->settings,
                                   .setting_count = w->setting_count,
                                   .idle_us = w->idle_us };
    int64_t deadline = clock_mono_us() + CONNECT_DEADLINE_US;
    struct error last = { 0 };
    if (w->fd >= 0)
        return 0;
    for (unsigned tries = 0; clock_mono_us() < deadline; tries++) {
        int rc = try_connect(w, &last, err);
        if (rc != 0)
            return rc < 0 ? -1 : 0;
        if (tries % 5 == 0 && start_owner(&start, w->cancel, err) != 0)
            return -1;
        if (tries % 5 != 0 && !clock_wait_us(w->cancel, CONNECT_PAUSE_US))
            return cancel_check(w->cancel, err);
    }
    if (last.code != ERR_NONE) {
        *err = last;
        return -1;
    }
    (void)error_set(err, ERR_TARGET, "the warehouse process of '%s' does not answer",
                    w->real_path);
    err->hint = "Look which process has the file PATH.tailrace-lock open, and end it.";
    return -1;
}

/* ---- one request ----------------------------------------------------------------- */

/* Whatever breaks in the middle of an exchange ends the connection: the next request
 * makes a new one, so that no late reply is ever taken for another one's. */
static int give_up(struct warehouse *w, const char *doing, struct error *err)
{
    disconnect(w);
    return error_wrap(err, "%s", doing);
}

static int tell_waiting(struct warehouse *w, const struct reply *reply, struct error *err)
{
    struct str holder;
    if (reply_decode_waiting(reply, &holder, err) != 0)
        return -1;
    if (w->waiting != NULL)
        w->waiting(w->ctx, holder);
    return 0;
}

/* The next reply that is no news about waiting. */
static int next_reply(struct warehouse *w, struct reply *out, struct error *err)
{
    for (;;) {
        if (receive_reply(w, out, err) != 0)
            return -1;
        if (out->kind != REPLY_WAITING)
            return 0;
        int rc = tell_waiting(w, out, err);
        reply_done(out);
        if (rc != 0)
            return -1;
    }
}

static int send_request(struct warehouse *w, const struct request *r, struct error *err)
{
    if (connect_or_start(w, err) != 0)
        return -1;
    if (request_encode(&w->out, r, err) != 0)
        return -1;
    return frame_send(w->fd, buf_str(&w->out), w->cancel, err);
}

/* Ask and take the one answer. *failed_stream may be NULL. */
static int ask(struct warehouse *w, const struct request *r, const char *doing,
               struct reply *out, int *failed_stream, struct error *err)
{
    if (send_request(w, r, err) != 0 || next_reply(w, out, err) != 0)
        return give_up(w, doing, err);
    if (out->kind == REPLY_ERROR)
        return reply_decode_error(out, failed_stream, err);
    if (out->kind == REPLY_OK)
        return 0;
    (void)error_set(err, ERR_PROTOCOL, "the warehouse answers something else");
    return give_up(w, doing, err);
}

/* ---- the functions of the header ------------------------------------------------- */

struct warehouse *warehouse_open(const char *path, const struct warehouse_options *o,
                                 struct cancel *c, struct error *err)
{
    struct buf real;
    buf_init(&real, PATH_BYTES);
    if (place_real_path(path, &real, err) != 0) {
        buf_done(&real);
        return NULL;
    }
    struct warehouse *w = xcalloc(1, sizeof(*w));
    w->fd = -1;
    w->real_path = buf_take(&real);
    w->idle_us = o->idle_us;
    w->waiting = o->waiting;
    w->ctx = o->ctx;
    w->cancel = c;
    w->setting_count = o->setting_count;
    w->settings = xcalloc(o->setting_count + 1, sizeof(*w->settings));
    buf_init(&w->out, FRAME_LIMIT_BYTES);
    buf_init(&w->in, FRAME_LIMIT_BYTES);
    for (size_t i = 0; i < o->setting_count; i++) {
        char *copy = xcalloc(1, o->settings[i].len + 1);
        if (o->settings[i].len > 0)
            memcpy(copy, o->settings[i].ptr, o->settings[i].len);
        w->settings[i] = (struct str){ copy, o->settings[i].len };
    }
    if (str_is_utf8(str_of(w->real_path))) {
        if (connect_or_start(w, err) == 0)
            return w;
    } else {
        (void)error_set(err, ERR_CONFIG, "the path '%s' is no UTF-8", path);
        err->hint = "Choose another path for the database.";
    }
    warehouse_close(w);
    return NULL;
}

void warehouse_close(struct warehouse *w)
{
    if (w == NULL)
        return;
    disconnect(w);
    buf_done(&w->out);
    buf_done(&w->in);
    for (size_t i = 0; i < w->setting_count; i++) {
        char *copy = NULL;
        memcpy(&copy, &w->settings[i].ptr, sizeof(copy)); /* ours, handed out as const */
        free(copy);
    }
    free(w->settings);
    free(w->real_path);
    free(w);
}

int warehouse_marks(struct warehouse *w, struct arena *a, struct str integration,
                    struct mark_list *out, struct error *err)
{
    CLEANUP(reply_done) struct reply reply = { 0 };
    struct request r = { .kind = REQUEST_MARKS, .integration = integration };
    if (ask(w, &r, "reading marks", &reply, NULL, err) != 0)
        return -1;
    return reply_decode_marks(&reply, a, out, err);
}

int warehouse_load(struct warehouse *w, struct arena *a, const struct epoch_load *l,
                   struct load_outcome *out, struct error *err)
{
    CLEANUP(reply_done) struct reply reply = { 0 };
    CLEANUP(free_pointer) char *absolute = realpath(l->dir, NULL);
    int failed = -1;
    out->failed_stream = -1;
    if (absolute == NULL)
        return error_set(err, ERR_IO, "the epoch '%s' is not there", l->dir);
    if (!str_is_utf8(str_of(absolute)))
        return error_set(err, ERR_CONFIG, "the path '%s' is no UTF-8", absolute);
    struct request r = { .kind = REQUEST_LOAD,
                         .epoch_dir = str_of(absolute),
                         .excluded = l->excluded,
                         .excluded_count = l->excluded == NULL ? 0 : l->excluded_count };
    if (ask(w, &r, "loading an epoch", &reply, &failed, err) != 0) {
        out->failed_stream = failed;
        return -1;
    }
    return reply_decode_load(&reply, a, out, err);
}

int warehouse_reset(struct warehouse *w, const struct reset_request *r, struct error *err)
{
    CLEANUP(reply_done) struct reply reply = { 0 };
    struct request request = { .kind = REQUEST_RESET, .reset = *r };
    return ask(w, &request, "forgetting copies", &reply, NULL, err);
}

int warehouse_release(struct warehouse *w, struct error *err)
{
    CLEANUP(reply_done) struct reply reply = { 0 };
    struct request request = { .kind = REQUEST_RELEASE };
    if (ask(w, &request, "releasing the database", &reply, NULL, err) != 0)
        return -1;
    disconnect(w); /* nobody needs the process for us; a later request connects again */
    return 0;
}

/* ---- queries --------------------------------------------------------------------- */

struct query {
    struct warehouse *w;
    struct arena *arena; /* of the columns */
    struct query_column *columns;
    size_t count;
    query_row_fn *row;
    void *ctx;
    bool truncated;
};

/* 1: there is more, 0: this was the end, -1: failed. Sets *whole when the exchange is
 * over, so that the connection can go on. */
static int take_reply(struct query *q, const struct reply *reply, bool *whole,
                      struct error *err)
{
    switch (reply->kind) {
    case REPLY_COLUMNS:
        if (q->columns != NULL)
            break;
        if (reply_decode_columns(reply, q->arena, &q->columns, &q->count, err) != 0 ||
            q->row(q->ctx, q->columns, q->count, NULL, err) != 0)
            return -1;
        return 1;
    case REPLY_ROWS:
        if (q->columns == NULL)
            break;
        return rows_decode(reply, q->columns, q->count, q->row, q->ctx, err) == 0 ? 1
                                                                                  : -1;
    case REPLY_OK:
        *whole = true;
        return reply_decode_query_end(reply, &q->truncated, err);
    case REPLY_ERROR:
        *whole = true;
        return reply_decode_error(reply, NULL, err);
    case REPLY_WAITING:
        break; /* next_reply() keeps them */
    }
    return error_set(err, ERR_PROTOCOL, "the warehouse answers something else");
}

int warehouse_query(struct warehouse *w, struct str sql,
                    const struct query_limits *limits, const struct query_reader *reader,
                    bool *truncated, struct error *err)
{
    struct request r = { .kind = REQUEST_QUERY, .sql = sql, .limits = *limits };
    struct query q = { .w = w, .row = reader->row, .ctx = reader->ctx };
    bool whole = false;
    int rc = 1;
    if (!str_is_utf8(sql))
        return error_set(err, ERR_CONFIG, "the statement is no UTF-8 text");
    if (send_request(w, &r, err) != 0)
        return give_up(w, "asking the warehouse", err);
    q.arena = arena_new(COLUMNS_ARENA_BYTES);
    while (rc == 1) {
        CLEANUP(reply_done) struct reply reply = { 0 };
        rc = next_reply(w, &reply, err) == 0 ? take_reply(&q, &reply, &whole, err) : -1;
    }
    arena_free(q.arena);
    if (rc == 0)
        *truncated = q.truncated;
    if (rc != 0 && !whole)
        disconnect(w); /* which also stops the statement */
    return rc;
}
