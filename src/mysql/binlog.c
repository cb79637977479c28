#include "mysql/binlog.h"

#include "base/alloc.h"
#include "base/reader.h"
#include "mysql/lenenc.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define CHECKSUM_BYTES 4u

/* Fields of a payload event are a type, a length and a number each. */
#define PAYLOAD_HEADER_MOST 128u

enum payload_field {
    PAYLOAD_END = 0,
    PAYLOAD_SIZE = 1,
    PAYLOAD_COMPRESSION = 2,
    PAYLOAD_UNPACKED_SIZE = 3,
};

enum payload_compression { COMPRESSION_ZSTD = 0, COMPRESSION_NONE = 255 };

/* One sequence of events: those of the file, or those packed into one of them. */
struct level {
    struct window events;
    struct window body;
    uint64_t left;  /* bytes of a walked body that are still in `events` */
    size_t pending; /* bytes of a whole event to go past */
    uint32_t sum;   /* CRC32 of the walked event so far */
    bool walking;
    bool checksums;
    bool probing; /* no format yet: an event's own bytes tell whether it has a checksum */
};

struct binlog {
    struct binlog_options options;
    struct level level[2];
    struct binlog_format format;
    struct event event; /* of level 0 */
    ZSTD_DStream *zstd; /* owned; NULL until needed */
    uint64_t start;     /* offset of the source's first byte */
    uint64_t unpacked_left;
    bool has_format;
    bool in_payload;
    bool unpacked_told;
    bool frame_open; /* zstd wants more */
    bool broken;
    bool began;
    uint32_t ordinal;
};

/* ------------------------------------------------------------------ life */

static ssize_t read_body(void *ctx, void *bytes, size_t n, struct error *err);

struct binlog *binlog_new(struct byte_source source, uint64_t offset,
                          const struct binlog_options *o)
{
    struct binlog *b = xcalloc(1, sizeof *b);
    b->options = *o;
    b->start = offset;
    b->began = offset != 0 || o->dump;
    b->level[0].probing = o->dump;
    size_t whole =
        o->event_limit > BINLOG_WHOLE_BYTES ? o->event_limit : BINLOG_WHOLE_BYTES;
    for (int i = 0; i < 2; i++) {
        struct level *l = &b->level[i];
        struct byte_source body = { .ctx = l, .read = read_body };
        window_init(&l->events, source, whole, "an event (event_limit)");
        window_init(&l->body, body, o->row_limit, "a row (row_limit)");
        window_restart_over(&l->body, (struct str){ 0 });
    }
    return b;
}

void binlog_free(struct binlog *b)
{
    if (b == NULL)
        return;
    for (int i = 0; i < 2; i++) {
        window_done(&b->level[i].events);
        window_done(&b->level[i].body);
    }
    (void)ZSTD_freeDStream(b->zstd); /* NULL is fine; always 0 */
    free(b);
}

void binlog_free_at(struct binlog **b)
{
    binlog_free(*b);
}

struct window *binlog_body(struct binlog *b)
{
    return &b->level[b->in_payload && b->ordinal > 0].body;
}

size_t binlog_ahead(const struct binlog *b)
{
    const struct level *l = &b->level[0];
    size_t here = window_rest(&l->events).len - l->pending;
    return b->in_payload && here == 0 ? 1 : here;
}

const struct binlog_format *binlog_format(const struct binlog *b)
{
    return b->has_format ? &b->format : NULL;
}

void binlog_set_format(struct binlog *b, const struct binlog_format *f)
{
    b->format = *f;
    b->has_format = true;
    b->level[0].checksums = f->checksums;
    b->level[0].probing = false;
}

/* ------------------------------------------------------------------ one level */

static int truncated(struct error *err)
{
    error_set(err, ERR_PROTOCOL, "the log ends inside an event");
    err->hint = "Read it again when the server has finished writing it.";
    return -1;
}

/* Hand out what a walked body has left. */
static ssize_t read_body(void *ctx, void *bytes, size_t n, struct error *err)
{
    struct level *l = ctx;
    if (l->left == 0)
        return 0;
    int got = window_fill(&l->events, 1, err);
    if (got <= 0)
        return got == 0 ? truncated(err) : -1;
    struct str here = window_rest(&l->events);
    if (n > here.len)
        n = here.len;
    if (n > l->left)
        n = (size_t)l->left;
    memcpy(bytes, here.ptr, n);
    if (l->checksums)
        l->sum = libdeflate_crc32(l->sum, bytes, n);
    window_skip(&l->events, n);
    l->left -= n;
    return (ssize_t)n;
}

static int check_sum(uint32_t sum, struct str stored, struct error *err)
{
    struct reader r = reader_over(stored);
    if (reader_le(&r, CHECKSUM_BYTES) == sum)
        return 0;
    return error_set(err, ERR_PROTOCOL, "the event's checksum does not match");
}

/* Go past the event that was handed out last, verifying what was only walked. */
static int finish_event(struct level *l, bool verify, struct error *err)
{
    if (l->pending > 0)
        window_skip(&l->events, l->pending);
    l->pending = 0;
    if (!l->walking)
        return 0;
    char away[4096];
    while (l->left > 0)
        if (read_body(l, away, sizeof away, err) <= 0)
            return -1;
    l->walking = false;
    if (!l->checksums)
        return 0;
    int got = window_fill(&l->events, CHECKSUM_BYTES, err);
    if (got <= 0)
        return got == 0 ? truncated(err) : -1;
    struct str stored = { window_rest(&l->events).ptr, CHECKSUM_BYTES };
    if (verify && check_sum(l->sum, stored, err) != 0)
        return -1;
    window_skip(&l->events, CHECKSUM_BYTES);
    return 0;
}

static struct event_header read_header(struct str s)
{
    struct reader r = reader_over(s);
    struct event_header h;
    h.timestamp = (uint32_t)reader_le(&r, 4);
    h.type = (uint8_t)reader_le(&r, 1);
    h.server_id = (uint32_t)reader_le(&r, 4);
    h.size = (uint32_t)reader_le(&r, 4);
    h.end_log_pos = (uint32_t)reader_le(&r, 4);
    h.flags = (uint16_t)reader_le(&r, 2);
    return h;
}

/* The flag that says that the file is open is set and cleared without the checksum being
 * written anew: it is computed as if it were clear. Source: MySQL Server Doxygen,
 * Log_event_footer::event_checksum_test. */
static uint32_t whole_sum(struct str event, const struct event_header *h)
{
    size_t n = event.len - CHECKSUM_BYTES;
    if (h->type != FORMAT_DESCRIPTION_EVENT || (h->flags & EVENT_IN_USE) == 0)
        return libdeflate_crc32(0, event.ptr, n);
    char header[BINLOG_HEADER_BYTES];
    memcpy(header, event.ptr, sizeof header);
    header[17] = (char)(header[17] & ~EVENT_IN_USE);
    uint32_t sum = libdeflate_crc32(0, header, sizeof header);
    return libdeflate_crc32(sum, event.ptr + sizeof header, n - sizeof header);
}

/* Does a CRC32 of the rest stand at its end? */
static bool has_sum(struct str event, const struct event_header *h)
{
    struct error ignored = { 0 };
    if (event.len < BINLOG_HEADER_BYTES + CHECKSUM_BYTES)
        return false;
    struct str stored = { event.ptr + event.len - CHECKSUM_BYTES, CHECKSUM_BYTES };
    return check_sum(whole_sum(event, h), stored, &ignored) == 0;
}

/* An event that fits, or that must. */
static int take_whole(struct level *l, struct event *e, bool verify, struct error *err)
{
    size_t size = e->header.size;
    bool format = e->header.type == FORMAT_DESCRIPTION_EVENT;
    int got = window_fill(&l->events, size, err);
    if (got <= 0)
        return got == 0 ? truncated(err) : -1;
    struct str all = { window_rest(&l->events).ptr, size };
    struct str body = { all.ptr + BINLOG_HEADER_BYTES, size - BINLOG_HEADER_BYTES };
    if (l->probing && !format)
        l->checksums = has_sum(all, &e->header);
    if (l->checksums && !format) {
        body.len -= CHECKSUM_BYTES;
        struct str stored = { all.ptr + size - CHECKSUM_BYTES, CHECKSUM_BYTES };
        if (verify && check_sum(whole_sum(all, &e->header), stored, err) != 0)
            return -1;
    }
    l->pending = size;
    e->whole = true;
    e->body = body;
    window_restart_over(&l->body, body);
    return 0;
}

static void begin_walk(struct level *l, struct event *e, unsigned overhead)
{
    struct str header = { window_rest(&l->events).ptr, BINLOG_HEADER_BYTES };
    if (l->checksums)
        l->sum = libdeflate_crc32(0, header.ptr, header.len);
    window_skip(&l->events, BINLOG_HEADER_BYTES);
    l->left = e->header.size - overhead;
    l->walking = true;
    window_restart(&l->body, (struct byte_source){ .ctx = l, .read = read_body });
}

/* 1 an event, 0 the end, -1. */
static int next_in(struct level *l, struct event *e, bool verify, struct error *err)
{
    if (finish_event(l, verify, err) != 0)
        return -1;
    e->offset = l->events.offset;
    int got = window_fill(&l->events, BINLOG_HEADER_BYTES, err);
    if (got < 0)
        return -1;
    if (got == 0)
        return window_rest(&l->events).len == 0 ? 0 : truncated(err);
    e->header = read_header(window_rest(&l->events));
    unsigned overhead = BINLOG_HEADER_BYTES + (l->checksums ? CHECKSUM_BYTES : 0);
    if (e->header.size < overhead)
        return error_set(err, ERR_PROTOCOL, "an event of %u bytes", e->header.size);
    e->end = e->offset + e->header.size;
    bool may_walk = event_type_has_rows(e->header.type) ||
                    e->header.type == TRANSACTION_PAYLOAD_EVENT;
    if (e->header.size > BINLOG_WHOLE_BYTES && may_walk) {
        begin_walk(l, e, overhead);
        return 1;
    }
    return take_whole(l, e, verify, err) == 0 ? 1 : -1;
}

/* ------------------------------------------------------------------ payloads */

/* What is unpacked of the payload. */
static ssize_t read_unpacked(void *ctx, void *bytes, size_t n, struct error *err)
{
    struct binlog *b = ctx;
    struct window *in = &b->level[0].body;
    ZSTD_outBuffer out = { .dst = bytes, .size = n };
    while (out.pos == 0) {
        int got = window_fill(in, 1, err);
        if (got < 0)
            return -1;
        if (got == 0 && b->frame_open)
            return error_set(err, ERR_PROTOCOL, "a packed transaction is cut off");
        if (got == 0)
            break;
        struct str here = window_rest(in);
        ZSTD_inBuffer packed = { .src = here.ptr, .size = here.len };
        size_t rc = ZSTD_decompressStream(b->zstd, &out, &packed);
        if (ZSTD_isError(rc))
            return error_set(err, ERR_PROTOCOL, "a packed transaction is damaged: %s",
                             ZSTD_getErrorName(rc));
        b->frame_open = rc != 0;
        window_skip(in, packed.pos);
    }
    if (b->unpacked_told && out.pos > b->unpacked_left)
        return error_set(err, ERR_PROTOCOL,
                         "a packed transaction is longer than it says");
    b->unpacked_left -= b->unpacked_told ? out.pos : 0;
    if (b->unpacked_told && out.pos == 0 && b->unpacked_left > 0)
        return error_set(err, ERR_PROTOCOL,
                         "a packed transaction is shorter than it says");
    return (ssize_t)out.pos;
}

static ssize_t read_stored(void *ctx, void *bytes, size_t n, struct error *err)
{
    struct binlog *b = ctx;
    struct window *in = &b->level[0].body;
    int got = window_fill(in, 1, err);
    if (got <= 0)
        return got;
    struct str here = window_rest(in);
    if (n > here.len)
        n = here.len;
    memcpy(bytes, here.ptr, n);
    window_skip(in, n);
    return (ssize_t)n;
}

/* The fields in front of the packed bytes. Source: MySQL Server Doxygen,
 * class Transaction_payload_event. */
static int read_payload_header(struct binlog *b, struct event *e, struct error *err)
{
    struct window *in = &b->level[0].body;
    if (window_fill(in, PAYLOAD_HEADER_MOST, err) < 0)
        return -1;
    struct reader r = reader_over(window_rest(in));
    const char *start = r.pos;
    uint64_t size = 0;
    b->unpacked_told = false;
    e->payload.compression = COMPRESSION_NONE;
    for (;;) {
        uint64_t field = lenenc_int(&r);
        if (r.bad || field == PAYLOAD_END)
            break;
        struct reader value = reader_over(lenenc_str(&r));
        uint64_t n = lenenc_int(&value);
        if (r.bad || value.bad)
            break;
        if (field == PAYLOAD_SIZE)
            size = n;
        else if (field == PAYLOAD_COMPRESSION)
            e->payload.compression = n;
        else if (field == PAYLOAD_UNPACKED_SIZE) {
            e->payload.unpacked_bytes = b->unpacked_left = n;
            b->unpacked_told = true;
        }
    }
    uint64_t body = e->whole ? e->body.len : b->level[0].left + window_rest(in).len;
    size_t used = (size_t)(r.pos - start);
    if (r.bad || size != body - used)
        return error_set(err, ERR_PROTOCOL,
                         "the header of a packed transaction is damaged");
    e->payload.packed_bytes = size;
    window_skip(in, used);
    return 0;
}

static int begin_payload(struct binlog *b, struct event *e, struct error *err)
{
    struct level *l = &b->level[1];
    struct byte_source source = { .ctx = b, .read = read_stored };
    if (read_payload_header(b, e, err) != 0)
        return -1;
    if (e->payload.compression == COMPRESSION_ZSTD) {
        if (b->zstd == NULL)
            b->zstd = ZSTD_createDStream();
        if (b->zstd == NULL || ZSTD_isError(ZSTD_initDStream(b->zstd)))
            return error_set(err, ERR_LIMIT, "no memory to unpack a transaction");
        source.read = read_unpacked;
        b->frame_open = false;
    } else if (e->payload.compression != COMPRESSION_NONE) {
        return error_set(err, ERR_PROTOCOL,
                         "a transaction is packed in the unknown way %llu",
                         (unsigned long long)e->payload.compression);
    }
    window_restart(&l->events, source);
    l->pending = 0;
    l->left = 0;
    l->walking = false;
    b->in_payload = true;
    b->ordinal = 0;
    return 0;
}

/* ------------------------------------------------------------------ the stream */

static int skip_magic(struct binlog *b, struct error *err)
{
    static const char magic[] = "\xfe"
                                "bin",
                      encrypted[] = "\xfd"
                                    "bin";
    struct window *w = &b->level[0].events;
    int got = window_fill(w, 4, err);
    if (got < 0)
        return -1;
    struct str s = window_rest(w);
    if (got == 1 && memcmp(s.ptr, encrypted, 4) == 0) {
        error_set(err, ERR_PROTOCOL, "the log is encrypted");
        err->hint = "Read it from the server, which decrypts it, or switch "
                    "binlog_encryption off.";
        return -1;
    }
    if (got == 0 || memcmp(s.ptr, magic, 4) != 0)
        return error_set(err, ERR_PROTOCOL, "this is no binary log");
    window_skip(w, 4);
    b->began = true;
    return 0;
}

/* What cannot be read any further, each with its sentence. */
static int refuse(const struct binlog *b, const struct event *e, struct error *err)
{
    uint8_t type = e->header.type;
    if (type == START_EVENT_V3)
        return error_set(err, ERR_PROTOCOL,
                         "the log has the format of a server before MySQL 5.0");
    bool opens = b->options.dump && (type == ROTATE_EVENT || type == HEARTBEAT_EVENT ||
                                     type == HEARTBEAT_EVENT_V2);
    if (!b->has_format && type != FORMAT_DESCRIPTION_EVENT && !opens)
        return error_set(err, ERR_PROTOCOL,
                         "the log does not start with a format description");
    if (type >= PRE_GA_WRITE_ROWS_EVENT && type <= PRE_GA_DELETE_ROWS_EVENT)
        return error_set(err, ERR_PROTOCOL,
                         "rows in the format of a MySQL 5.1 before its release");
    if (type == MARIA_START_ENCRYPTION_EVENT) {
        error_set(err, ERR_PROTOCOL, "the log is encrypted from here on");
        err->hint = "Read it from the server, which decrypts it, or switch "
                    "encrypt_binlog off.";
        return -1;
    }
    if (event_type_is_known(type) || (e->header.flags & EVENT_IGNORABLE) != 0)
        return 0;
    error_set(err, ERR_PROTOCOL, "an event of the unknown type %u may carry rows", type);
    err->hint = "A newer version of this program may know it.";
    return -1;
}

static int apply_format(struct binlog *b, const struct event *e, struct error *err)
{
    struct binlog_format f = { 0 };
    if (binlog_read_format(e->body, &f, err) != 0)
        return -1;
    if (f.checksums && !b->options.skip_checksums) {
        struct str all = { e->body.ptr - BINLOG_HEADER_BYTES, e->header.size };
        struct str stored = { all.ptr + all.len - CHECKSUM_BYTES, CHECKSUM_BYTES };
        if (check_sum(whole_sum(all, &e->header), stored, err) != 0)
            return -1;
    }
    binlog_set_format(b, &f);
    return 0;
}

/* The next event of the file itself. */
static int next_of_file(struct binlog *b, struct error *err)
{
    struct event *e = &b->event;
    *e = (struct event){ .offset = b->start };
    if (!b->began && skip_magic(b, err) != 0)
        return -1;
    int got = next_in(&b->level[0], e, !b->options.skip_checksums, err);
    e->offset += b->start;
    e->end += b->start;
    if (got <= 0)
        return got;
    if (refuse(b, e, err) != 0)
        return -1;
    if (e->header.type == FORMAT_DESCRIPTION_EVENT && apply_format(b, e, err) != 0)
        return -1;
    if (e->header.type == TRANSACTION_PAYLOAD_EVENT && begin_payload(b, e, err) != 0)
        return -1;
    return 1;
}

/* The next event of the payload; 0 when it has no more. */
static int next_of_payload(struct binlog *b, struct event *out, struct error *err)
{
    struct event e = { 0 };
    int got = next_in(&b->level[1], &e, false, err);
    if (got <= 0)
        return got;
    if (refuse(b, &e, err) != 0)
        return -1;
    if (e.header.type == FORMAT_DESCRIPTION_EVENT ||
        e.header.type == TRANSACTION_PAYLOAD_EVENT)
        return error_set(err, ERR_PROTOCOL, "a %s inside a packed transaction",
                         event_type_name(e.header.type));
    e.packed = true;
    e.ordinal = ++b->ordinal;
    e.offset = b->event.offset;
    e.end = b->event.end;
    *out = e;
    return 1;
}

int binlog_next(struct binlog *b, struct event *out, struct error *err)
{
    if (b->broken)
        return error_set(err, ERR_BUG, "a binary log is read on after an error");
    int got = 0;
    if (b->in_payload) {
        got = next_of_payload(b, out, err);
        b->in_payload = got > 0;
    }
    if (got == 0) {
        b->ordinal = 0;
        got = next_of_file(b, err);
        *out = b->event;
    }
    if (got >= 0)
        return got;
    b->broken = true;
    if (b->options.dump)
        return -1;
    return error_wrap(err, "'%s' at %llu", b->options.name,
                      (unsigned long long)b->event.offset);
}
