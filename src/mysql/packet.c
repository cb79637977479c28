#include "mysql/packet.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PACKET_MAX 0xffffffu
#define HEADER_BYTES 4u

void packet_init(struct packet_stream *p, struct packet_io io, int64_t read_timeout_us,
                 int64_t write_timeout_us)
{
    *p = (struct packet_stream){ .io = io,
                                 .read_timeout_us = read_timeout_us,
                                 .write_timeout_us = write_timeout_us };
    p->window = xcalloc(1, PACKET_WINDOW_BYTES);
    buf_init(&p->whole, PACKET_HEAD_BYTES);
}

void packet_done(struct packet_stream *p)
{
    free(p->window);
    p->window = NULL;
    buf_done(&p->whole);
    p->broken = true;
}

void packet_preload(struct packet_stream *p, const void *bytes, size_t n)
{
    assert(p->pos == p->end && n <= PACKET_WINDOW_BYTES);
    if (n > 0)
        memcpy(p->window, bytes, n);
    p->pos = 0;
    p->end = n;
}

/* Set the error once the stream has lost its place. */
static int fail_broken(struct packet_stream *p, struct error *err)
{
    p->broken = true;
    return error_set(err, ERR_NETWORK,
                     "the connection was given up after an earlier error");
}

/* At least one more byte in the window, behind what is there. */
static int fill(struct packet_stream *p, struct error *err)
{
    if (p->pos == p->end)
        p->pos = p->end = 0;
    if (p->end == PACKET_WINDOW_BYTES) {
        memmove(p->window, p->window + p->pos, p->end - p->pos);
        p->end -= p->pos;
        p->pos = 0;
    }
    ssize_t n = p->io.read(p->io.ctx, p->window + p->end, PACKET_WINDOW_BYTES - p->end,
                           p->read_timeout_us, err);
    if (n <= 0) {
        p->broken = true;
        if (n == 0)
            error_set(err, ERR_NETWORK, "the server closed the connection");
        return -1;
    }
    p->end += (size_t)n;
    p->bytes_read += (uint64_t)n;
    return 0;
}

/* `n` unread bytes in the window, n below its size. */
static int need(struct packet_stream *p, size_t n, struct error *err)
{
    while (p->end - p->pos < n)
        if (fill(p, err) != 0)
            return -1;
    return 0;
}

/* Take one packet header. */
static int next_header(struct packet_stream *p, struct error *err)
{
    if (need(p, HEADER_BYTES, err) != 0)
        return -1;
    const uint8_t *h = (const uint8_t *)p->window + p->pos;
    size_t len = (size_t)h[0] | (size_t)h[1] << 8 | (size_t)h[2] << 16;
    uint8_t sequence = h[3];
    if (sequence != p->sequence) {
        p->broken = true;
        return error_set(err, ERR_PROTOCOL, "packet %u arrived where packet %u was due",
                         sequence, p->sequence);
    }
    p->pos += HEADER_BYTES;
    p->sequence++;
    p->left = len;
    p->more = len == PACKET_MAX;
    return 0;
}

int packet_begin(struct packet_stream *p, struct error *err)
{
    if (p->broken)
        return fail_broken(p, err);
    assert(!p->in_payload);
    if (next_header(p, err) != 0)
        return -1;
    p->in_payload = true;
    return 0;
}

int packet_part(struct packet_stream *p, struct str *part, struct error *err)
{
    if (p->broken)
        return fail_broken(p, err);
    if (!p->in_payload)
        return 0;
    while (p->left == 0) {
        if (!p->more) {
            p->in_payload = false;
            return 0;
        }
        if (next_header(p, err) != 0)
            return -1;
    }
    if (need(p, 1, err) != 0)
        return -1;
    size_t n = p->end - p->pos;
    if (n > p->left)
        n = p->left;
    *part = (struct str){ p->window + p->pos, n };
    p->pos += n;
    p->left -= n;
    return 1;
}

/* Collect a payload that the window cannot lend: whole up to limit, else its head. */
static int collect(struct packet_stream *p, size_t limit, struct packet *out,
                   struct error *err)
{
    size_t head = limit < PACKET_HEAD_BYTES ? limit : PACKET_HEAD_BYTES;
    struct packet got = { 0 };
    struct str part = { 0 };
    int more;

    buf_clear(&p->whole);
    p->whole.limit = limit;
    while ((more = packet_part(p, &part, err)) > 0) {
        got.size += part.len;
        if (got.cut)
            continue;
        if (part.len <= limit - p->whole.len) {
            buf_add(&p->whole, part.ptr, part.len);
        } else {
            got.cut = true;
            if (p->whole.len < head)
                buf_add(&p->whole, part.ptr, head - p->whole.len);
            else
                buf_truncate(&p->whole, head);
        }
    }
    if (more < 0)
        return -1;
    got.head = buf_str(&p->whole);
    *out = got;
    return 0;
}

int packet_read(struct packet_stream *p, size_t limit, struct packet *out,
                struct error *err)
{
    if (packet_begin(p, err) != 0)
        return -1;
    if (p->more || p->left > limit || p->left > PACKET_WINDOW_BYTES - HEADER_BYTES)
        return collect(p, limit, out, err);
    if (need(p, p->left, err) != 0)
        return -1;
    *out = (struct packet){ .head = { p->window + p->pos, p->left }, .size = p->left };
    p->pos += p->left;
    p->left = 0;
    p->in_payload = false;
    return 0;
}

static int send_bytes(struct packet_stream *p, const void *bytes, size_t n,
                      struct error *err)
{
    if (n == 0)
        return 0;
    if (p->io.write(p->io.ctx, bytes, n, p->write_timeout_us, err) != 0) {
        p->broken = true;
        return -1;
    }
    p->bytes_written += n;
    return 0;
}

int packet_command(struct packet_stream *p, uint8_t command, struct str body,
                   struct error *err)
{
    if (p->broken)
        return fail_broken(p, err);
    assert(!p->in_payload);
    size_t left = body.len + 1;
    const char *from = body.ptr;
    bool first = true;
    p->sequence = 0;
    for (;;) {
        size_t n = left < PACKET_MAX ? left : PACKET_MAX;
        /* Small commands leave in one write, so in one segment and one TLS record. */
        char head[HEADER_BYTES + 1 + 512];
        size_t used = HEADER_BYTES;
        size_t rest = n;
        head[0] = (char)(n & 0xff);
        head[1] = (char)(n >> 8 & 0xff);
        head[2] = (char)(n >> 16 & 0xff);
        head[3] = (char)p->sequence++;
        if (first) {
            head[used++] = (char)command;
            rest--;
        }
        size_t along = rest < 512 ? rest : 512;
        if (along > 0)
            memcpy(head + used, from, along);
        if (send_bytes(p, head, used + along, err) != 0 ||
            send_bytes(p, along > 0 ? from + along : from, rest - along, err) != 0)
            return -1;
        if (rest > 0)
            from += rest;
        left -= n;
        first = false;
        if (n < PACKET_MAX)
            return 0;
    }
}
