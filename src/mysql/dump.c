#include "mysql/dump.h"

#include "base/alloc.h"
#include "mysql/dump_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_BYTE 0x00u
#define EOF_BYTE 0xfeu
#define ERROR_BYTE 0xffu
#define ERROR_BYTES 4096u /* of its text that are kept */

/* Where the size stands in an event's header, and what must be seen to know it. */
#define SIZE_AT 9u
#define SIZE_SEEN 13u

/* A server that looks for the place in its files sends nothing meanwhile. */
#define FIRST_EVENT_US (INT64_C(300) * 1000 * 1000)

struct dump {
    struct session *session;       /* borrowed */
    struct packet_stream *packets; /* borrowed from it */
    struct binlog *log;            /* owned */
    struct binlog_place place;
    struct str part; /* of the payload, not handed out yet */
    uint64_t got;    /* bytes of the event that arrived */
    uint8_t head[SIZE_SEEN];
    struct error later; /* met behind bytes that had to be handed out first */
    uint64_t skip_to;   /* events before it are dropped; 0: none */
    int64_t silence_us;
    uint32_t server_id;
    bool in_event;
    bool ended;
    bool in_file;     /* the rotation that names the first file has come */
    bool dropping;    /* the latest event is before skip_to */
    bool from_inside; /* of a file: what stands there may be no event */
    bool settled;     /* the server has found its place */
};

/* --- bytes ----------------------------------------------------------------------------
 */

/* What the server says instead of an event. */
static int read_error(struct dump *d, struct str first, struct error *err)
{
    CLEANUP(buf_done) struct buf text;
    struct str part = first;
    int more = 1;
    buf_init(&text, ERROR_BYTES);
    while (more > 0) {
        size_t room = ERROR_BYTES - text.len;
        buf_add(&text, part.ptr, part.len < room ? part.len : room);
        more = packet_part(d->packets, &part, err);
    }
    if (more < 0)
        return -1;
    (void)result_server_error(buf_str(&text), err);
    return dump_explain(err);
}

/* A payload begins: 1 an event, 0 the end of the log, -1. */
static int begin_payload(struct dump *d, struct error *err)
{
    struct str part = { 0 };
    if (packet_begin(d->packets, err) != 0)
        return -1;
    int got = packet_part(d->packets, &part, err);
    if (got < 0)
        return -1;
    if (got == 0)
        return error_set(err, ERR_PROTOCOL, "an empty packet instead of an event");
    switch ((uint8_t)part.ptr[0]) {
    case EVENT_BYTE:
        d->in_event = true;
        d->got = 0;
        d->part = (struct str){ part.ptr + 1, part.len - 1 };
        return 1;
    case ERROR_BYTE:
        return read_error(d, part, err);
    case EOF_BYTE:
        d->ended = true;
        return 0;
    default:
        return error_set(err, ERR_PROTOCOL, "a packet that starts with %u is no event",
                         (uint8_t)part.ptr[0]);
    }
}

static uint32_t size_of_event(const struct dump *d)
{
    uint32_t size = 0;
    for (unsigned i = 0; i < 4; i++)
        size |= (uint32_t)d->head[SIZE_AT + i] << (8 * i);
    return d->got >= SIZE_SEEN ? size : 0;
}

static int fail_size(const struct dump *d, struct error *err)
{
    return error_set(err, ERR_PROTOCOL, "an event of %u bytes came in a packet of %s%llu",
                     size_of_event(d), d->in_event ? "at least " : "",
                     (unsigned long long)d->got);
}

/* The payload has ended: so must the event. */
static int end_payload(struct dump *d, struct error *err)
{
    d->in_event = false;
    return d->got == size_of_event(d) ? 0 : fail_size(d, err);
}

/* Have bytes in d->part: 1; 0 the end of the log, -1. */
static int next_part(struct dump *d, struct error *err)
{
    while (d->part.len == 0) {
        if (d->ended)
            return 0;
        int got =
            d->in_event ? packet_part(d->packets, &d->part, err) : begin_payload(d, err);
        if (got < 0)
            return -1;
        if (got == 0 && !d->ended && end_payload(d, err) != 0)
            return -1;
    }
    return 1;
}

/* Would next_part() have to wait for the server? */
static bool must_wait(const struct dump *d)
{
    size_t here = d->packets->end - d->packets->pos;
    if (d->part.len > 0 || d->ended)
        return false;
    if (d->in_event && d->packets->left > 0)
        return here == 0;
    return here <= 4; /* a packet's head, and a byte */
}

/* Up to n bytes of the part; -1 when the event is longer than its head says. */
static ssize_t take_part(struct dump *d, char *to, size_t n, struct error *err)
{
    size_t take = d->part.len < n ? d->part.len : n;
    memcpy(to, d->part.ptr, take);
    if (d->got < SIZE_SEEN) {
        size_t room = SIZE_SEEN - (size_t)d->got;
        memcpy(d->head + d->got, to, take < room ? take : room);
    }
    d->got += take;
    d->part.ptr += take;
    d->part.len -= take;
    if (d->got >= SIZE_SEEN && d->got > size_of_event(d))
        return fail_size(d, err);
    return (ssize_t)take;
}

/* Bytes for the reader of events. It gets all that has arrived: what is small comes many
 * at a time. */
static ssize_t read_events(void *ctx, void *bytes, size_t n, struct error *err)
{
    struct dump *d = ctx;
    size_t done = 0;
    while (done < n && d->later.code == ERR_NONE && (done == 0 || !must_wait(d))) {
        int got = next_part(d, &d->later);
        if (got <= 0)
            break;
        ssize_t took = take_part(d, (char *)bytes + done, n - done, &d->later);
        done += took > 0 ? (size_t)took : 0;
    }
    if (done > 0 || d->later.code == ERR_NONE)
        return (ssize_t)done;
    *err = d->later;
    return -1;
}

/* --- life -----------------------------------------------------------------------------
 */

static int64_t bounded_heartbeat(int64_t us)
{
    if (us == 0)
        return DUMP_HEARTBEAT_DEFAULT_US;
    if (us < DUMP_HEARTBEAT_MIN_US)
        return DUMP_HEARTBEAT_MIN_US;
    return us > DUMP_HEARTBEAT_MAX_US ? DUMP_HEARTBEAT_MAX_US : us;
}

struct dump *dump_open(struct session *s, const struct dump_options *o, struct error *err)
{
    struct dump_options real = *o;
    real.heartbeat_us = bounded_heartbeat(o->heartbeat_us);
    uint32_t id = 0;
    if (dump_start(s, &real, &id, err) != 0)
        return NULL;
    session_set_busy(s, true);
    struct dump *d = xcalloc(1, sizeof *d);
    struct binlog_options b = { .row_limit = o->row_limit,
                                .event_limit = o->event_limit,
                                .skip_checksums = o->skip_checksums,
                                .dump = true };
    d->session = s;
    d->packets = session_packets(s);
    d->server_id = id;
    d->silence_us = real.heartbeat_us * DUMP_BEATS;
    d->skip_to = o->offset > UINT32_MAX ? o->offset : 0;
    d->from_inside = o->offset > DUMP_FILE_HEAD;
    d->log = binlog_new((struct byte_source){ .ctx = d, .read = read_events }, 0, &b);
    if (d->packets->read_timeout_us < FIRST_EVENT_US)
        d->packets->read_timeout_us = FIRST_EVENT_US;
    return d;
}

void dump_close(struct dump *d)
{
    if (d == NULL)
        return;
    session_set_broken(d->session);
    binlog_free(d->log);
    free(d);
}

void dump_close_at(struct dump **d)
{
    dump_close(*d);
}

/* --- events ---------------------------------------------------------------------------
 */

static int explain(struct dump *d, struct error *err)
{
    if (err->sys == ETIMEDOUT && d->settled) {
        (void)error_set(err, ERR_NETWORK,
                        "the server was silent for %lld ms, %d heartbeats long",
                        (long long)(d->silence_us / 1000), DUMP_BEATS);
        err->hint = "It is tried again; if it stays, look at the network between.";
    }
    if (d->from_inside && !d->place.real && err->code == ERR_PROTOCOL) {
        err->code = ERR_POSITION;
        err->hint = "Give an offset at which an event starts.";
    }
    if (d->place.file[0] == '\0')
        return error_wrap(err, "reading the binary log");
    return error_wrap(err, "'%s' at %llu", d->place.file,
                      (unsigned long long)d->place.next);
}

/* Is the event one of those before the place that was asked for, which the command could
 * not name? 1 yes, 0 no, -1 there is no such place. */
static int is_before(struct dump *d, const struct event *e, struct error *err)
{
    const struct binlog_place *p = &d->place;
    bool other_file = !p->real && e->header.type == ROTATE_EVENT && d->in_file;
    if (e->packed)
        return d->dropping;
    d->dropping = false;
    d->in_file |= !p->real && e->header.type == ROTATE_EVENT;
    if (d->skip_to == 0 || e->header.type == FORMAT_DESCRIPTION_EVENT ||
        (!p->real && !other_file))
        return 0;
    if (other_file || p->end > d->skip_to) {
        (void)error_set(err, ERR_POSITION, "no event of the log starts at %llu",
                        (unsigned long long)d->skip_to);
        err->hint = "Give an offset at which an event starts, inside the file.";
        return -1;
    }
    if (p->end == d->skip_to)
        d->skip_to = 0;
    d->dropping = true;
    return 1;
}

/* From the first sign of life behind the opening on, silence is measured. */
static void settle(struct dump *d, const struct event *e)
{
    uint8_t type = e->header.type;
    if (d->settled || type == ROTATE_EVENT || type == FORMAT_DESCRIPTION_EVENT ||
        type == MARIA_GTID_LIST_EVENT || type == PREVIOUS_GTIDS_EVENT)
        return;
    d->settled = true;
    d->from_inside = false;
    d->packets->read_timeout_us = d->silence_us;
}

int dump_next(struct dump *d, struct event *out, struct error *err)
{
    int before;
    do {
        int got = binlog_next(d->log, out, err);
        if (got == 0)
            return 0;
        if (got < 0 || binlog_place_follow(&d->place, out, err) != 0)
            return explain(d, err);
        settle(d, out);
        before = is_before(d, out, err);
        if (before < 0)
            return explain(d, err);
    } while (before > 0);
    out->offset = d->place.offset;
    out->end = d->place.end;
    return 1;
}

bool dump_is_idle(const struct dump *d)
{
    return must_wait(d) && binlog_ahead(d->log) == 0;
}

struct binlog *dump_binlog(struct dump *d)
{
    return d->log;
}

const struct binlog_place *dump_place(const struct dump *d)
{
    return &d->place;
}

uint32_t dump_server_id(const struct dump *d)
{
    return d->server_id;
}
