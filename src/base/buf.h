/* src/base/buf.h
 *
 * Growable bytes with a ceiling. Whoever holds the struct owns the memory; buf_done()
 * ends it and accepts a zeroed struct. The content is always followed by a NUL that is
 * not counted, so that buf_text() can be handed to the C library.
 *
 * Appending past the ceiling fails *sticky*: nothing is written from then on, `failed` is
 * set, and the caller tests it once at the end (buf_check makes the error).
 *
 * Thread: one at a time.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/error.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdint.h>

struct buf {
    char *data; /* owned; NULL before the first byte */
    size_t len;
    size_t cap;   /* bytes allocated, less the NUL */
    size_t limit; /* the ceiling in bytes */
    bool failed;
};

void buf_init(struct buf *b, size_t limit);
void buf_done(struct buf *b);

/* Forget the content and the failure, keep the memory. */
void buf_clear(struct buf *b);

/* Cut back to an earlier length, forgetting a failure after it. */
void buf_truncate(struct buf *b, size_t len);

/* Room for n more bytes: a pointer to write them to, or NULL past the ceiling. The bytes
 * count only after buf_advance(). */
char *buf_reserve(struct buf *b, size_t n);
void buf_advance(struct buf *b, size_t n);

void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_add_str(struct buf *b, struct str s);
void buf_add_text(struct buf *b, const char *text);
void buf_add_char(struct buf *b, char c);

/* In decimal. */
void buf_add_u64(struct buf *b, uint64_t v);
void buf_add_i64(struct buf *b, int64_t v);
void buf_printf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Lower-case hexadecimal of the bytes. */
void buf_add_hex(struct buf *b, const void *bytes, size_t n);

/* A JSON string with its quotes; bytes that are no UTF-8 become U+FFFD. */
void buf_add_json(struct buf *b, struct str s);

struct str buf_str(const struct buf *b);

/* NUL-terminated content; "" before the first byte. Valid until the next change. */
const char *buf_text(const struct buf *b);

/* The memory moves to the caller (free()); the buf is empty afterwards. */
char *buf_take(struct buf *b);

/* 0, or ERR_LIMIT with `what` and the ceiling when an append did not fit. */
int buf_check(const struct buf *b, const char *what, struct error *err);

#endif
