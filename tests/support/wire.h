/* tests/support/wire.h
 *
 * A server's side of the wire, made by hand: packets are put into a script, a session
 * reads them, and what it sent stands in `received`.
 */
#ifndef SUPPORT_WIRE_H
#define SUPPORT_WIRE_H

#include "base/buf.h"
#include "mysql/session.h"

struct wire_script {
    struct buf script, received, body; /* body: the packet being made */
    size_t at;
    uint8_t sequence; /* of the next packet */
};

static inline ssize_t wire_script_read(void *ctx, void *bytes, size_t n,
                                       int64_t timeout_us, struct error *err)
{
    struct wire_script *w = ctx;
    (void)timeout_us;
    (void)err;
    size_t left = w->script.len - w->at;
    if (n > left)
        n = left;
    if (n > 0)
        memcpy(bytes, w->script.data + w->at, n);
    w->at += n;
    return (ssize_t)n;
}

static inline int wire_script_write(void *ctx, const void *bytes, size_t n,
                                    int64_t timeout_us, struct error *err)
{
    struct wire_script *w = ctx;
    (void)timeout_us;
    (void)err;
    buf_add(&w->received, bytes, n);
    return 0;
}

static inline void wire_init(struct wire_script *w)
{
    *w = (struct wire_script){ .sequence = 1 };
    buf_init(&w->script, 16u << 20);
    buf_init(&w->received, 16u << 20);
    buf_init(&w->body, 16u << 20);
}

static inline void wire_done(struct wire_script *w)
{
    buf_done(&w->script);
    buf_done(&w->received);
    buf_done(&w->body);
}

static inline struct packet_io wire_io(struct wire_script *w)
{
    return (struct packet_io){ .ctx = w,
                               .read = wire_script_read,
                               .write = wire_script_write };
}

/* The next answer belongs to a new command. */
static inline void wire_answer(struct wire_script *w)
{
    w->sequence = 1;
}

static inline void wire_le(struct wire_script *w, uint64_t v, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        buf_add_char(&w->body, (char)(v >> (8 * i) & 0xff));
}

static inline void wire_text(struct wire_script *w, struct str s)
{
    if (s.len < 251) {
        wire_le(w, s.len, 1);
    } else {
        wire_le(w, 0xfd, 1);
        wire_le(w, s.len, 3);
    }
    buf_add_str(&w->body, s);
}

/* The body so far becomes one packet. */
static inline void wire_send(struct wire_script *w)
{
    size_t n = w->body.len;
    char head[4] = { (char)(n & 0xff), (char)(n >> 8 & 0xff), (char)(n >> 16 & 0xff),
                     (char)w->sequence++ };
    buf_add(&w->script, head, 4);
    buf_add_str(&w->script, buf_str(&w->body));
    buf_clear(&w->body);
}

static inline void wire_send_bytes(struct wire_script *w, struct str bytes)
{
    buf_add_str(&w->body, bytes);
    wire_send(w);
}

static inline void wire_send_eof(struct wire_script *w)
{
    wire_send_bytes(w, STR("\xfe\0\0\2\0"));
}

static inline void wire_send_error(struct wire_script *w, unsigned number,
                                   const char *text)
{
    wire_le(w, 0xff, 1);
    wire_le(w, number, 2);
    buf_add_text(&w->body, "#42000");
    buf_add_text(&w->body, text);
    wire_send(w);
}

/* A column definition; with extended metadata when the dialect of the session has it. */
static inline void wire_send_column(struct wire_script *w, const struct result_column *c,
                                    bool extended)
{
    wire_text(w, STR("def"));
    wire_text(w, STR("shop"));
    wire_text(w, STR("t"));
    wire_text(w, STR("t"));
    wire_text(w, c->name);
    wire_text(w, c->name);
    if (extended && c->type_name.len > 0) {
        wire_le(w, c->type_name.len + 2, 1);
        wire_le(w, 0, 1);
        wire_text(w, c->type_name);
    } else if (extended) {
        wire_le(w, 0, 1);
    }
    wire_le(w, 12, 1);
    wire_le(w, c->collation, 2);
    wire_le(w, c->length, 4);
    wire_le(w, c->type, 1);
    wire_le(w, c->flags, 2);
    wire_le(w, c->decimals, 1);
    wire_le(w, 0, 2);
    wire_send(w);
}

/* The answer to a preparation of `count` columns without parameters. */
static inline void wire_send_prepared(struct wire_script *w,
                                      const struct result_column *columns, unsigned count,
                                      bool extended)
{
    wire_answer(w);
    wire_le(w, 0, 1);
    wire_le(w, 77, 4);
    wire_le(w, count, 2);
    wire_le(w, 0, 2);
    wire_le(w, 0, 1);
    wire_le(w, 0, 2);
    wire_send(w);
    for (unsigned i = 0; i < count; i++)
        wire_send_column(w, &columns[i], extended);
    if (count > 0)
        wire_send_eof(w);
}

#endif
