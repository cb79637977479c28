/* Packed transactions: the first byte says how the rest is packed, from "any bytes as the
 * event's body" to "any events, packed by zstd"; the second how it arrives. An event
 * stands behind the payload: it is handed out whenever nothing was wrong. */
#include "base/buf.h"
#include "read_log.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum how {
    HOW_RAW = 0,  /* the head too */
    HOW_NONE = 1, /* compression none, a good head */
    HOW_ZSTD = 2,
    HOW_CUT = 3,  /* zstd, less its last bytes */
    HOW_TOLD = 4, /* the length of what is packed is told */
    HOW_MARIA = 16,
    /* All of them: zstd behind a frame of a mebibyte without content, so that the event
     * is walked. Slow. */
    HOW_LONG = 8 | 32 | 64 | 128,
};

/* Bytes that come in pieces. */
struct pieces {
    struct str rest;
    size_t most;
};

static ssize_t read_piece(void *ctx, void *bytes, size_t n, struct error *err)
{
    struct pieces *p = ctx;
    struct byte_source all = binlog_source_memory(&p->rest);
    return all.read(all.ctx, bytes, n > p->most ? p->most : n, err);
}

static void add_le(struct buf *out, uint64_t v, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        buf_add_char(out, (char)(v >> 8 * i & 255));
}

static void add_event(struct buf *out, uint8_t type, struct str body)
{
    add_le(out, 1700000000, 4);
    add_le(out, type, 1);
    add_le(out, 1, 4);
    add_le(out, BINLOG_HEADER_BYTES + body.len, 4);
    add_le(out, 0, 6);
    buf_add_str(out, body);
}

static void add_format(struct buf *out, bool maria)
{
    char server[50] = "9.7.4";
    uint8_t post_header[42] = { 0 };
    struct buf body;
    if (maria)
        memcpy(server, "10.11.18-MariaDB", 17);
    post_header[QUERY_EVENT - 1] = 13;
    post_header[TABLE_MAP_EVENT - 1] = 8;
    for (unsigned type = WRITE_ROWS_EVENT_V1; type <= DELETE_ROWS_EVENT_V1; type++)
        post_header[type - 1] = 8;
    for (unsigned type = WRITE_ROWS_EVENT; type <= DELETE_ROWS_EVENT; type++)
        post_header[type - 1] = 10;
    buf_init(&body, 4096);
    add_le(&body, 4, 2);
    buf_add(&body, server, sizeof server);
    add_le(&body, 0, 4);
    add_le(&body, BINLOG_HEADER_BYTES, 1);
    buf_add(&body, post_header, sizeof post_header);
    add_le(&body, 0, 5); /* no checksums */
    add_event(out, FORMAT_DESCRIPTION_EVENT, buf_str(&body));
    buf_done(&body);
}

/* A field of the head; numbers are written at full width. */
static void add_field(struct buf *out, uint8_t field, uint64_t v)
{
    add_le(out, field, 1);
    add_le(out, 9, 1);
    add_le(out, 254, 1);
    add_le(out, v, 8);
}

static void add_packed(struct buf *out, unsigned how, struct str events)
{
    if ((how & 3) == HOW_NONE) {
        buf_add_str(out, events);
        return;
    }
    if ((how & HOW_LONG) == HOW_LONG) {
        static char nothing[BINLOG_WHOLE_BYTES];
        add_le(out, 0x184d2a50, 4); /* a frame to skip. Source: RFC 8878, 3.1.2 */
        add_le(out, sizeof nothing, 4);
        buf_add(out, nothing, sizeof nothing);
    }
    size_t room = ZSTD_compressBound(events.len);
    char *to = buf_reserve(out, room);
    if (to == NULL)
        abort();
    static ZSTD_CCtx *context; /* kept: making one takes longer than using it */
    if (context == NULL)
        context = ZSTD_createCCtx();
    size_t n = ZSTD_compressCCtx(context, to, room, events.ptr, events.len, 1);
    if (ZSTD_isError(n))
        abort();
    buf_advance(out, (how & 3) == HOW_CUT ? n - 1 : n);
}

static void add_payload(struct buf *out, unsigned how, struct str events)
{
    struct buf body;
    struct buf packed;
    buf_init(&body, (size_t)4 << 20);
    buf_init(&packed, (size_t)4 << 20);
    if ((how & 3) == HOW_RAW) {
        buf_add_str(&body, events);
    } else {
        add_packed(&packed, how, events);
        add_field(&body, 1, packed.len);
        add_field(&body, 2, (how & 3) == HOW_NONE ? 255 : 0);
        if (how & HOW_TOLD)
            add_field(&body, 3, events.len);
        add_le(&body, 0, 1);
        buf_add_str(&body, buf_str(&packed));
    }
    add_event(out, TRANSACTION_PAYLOAD_EVENT, buf_str(&body));
    buf_done(&packed);
    buf_done(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct buf log;
    buf_init(&log, (size_t)8 << 20);
    buf_add(&log,
            "\xfe"
            "bin",
            4);
    add_format(&log, (data[0] & HOW_MARIA) != 0);
    add_payload(&log, data[0], (struct str){ (const char *)data + 2, size - 2 });
    add_event(&log, STOP_EVENT, (struct str){ 0 });
    struct pieces p = { buf_str(&log), (size_t)1 << (data[1] % 20) };
    int last = read_log((struct byte_source){ &p, read_piece });
    if (last >= 0 && (last != STOP_EVENT || p.rest.len > 0 || (data[0] & 3) == HOW_CUT))
        abort();
    buf_done(&log);
    return 0;
}
