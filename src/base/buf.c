#include "base/buf.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_BYTES 64

void buf_init(struct buf *b, size_t limit)
{
    *b = (struct buf){ .limit = limit };
}

void buf_done(struct buf *b)
{
    free(b->data);
    *b = (struct buf){ 0 };
}

void buf_clear(struct buf *b)
{
    buf_truncate(b, 0);
}

void buf_truncate(struct buf *b, size_t len)
{
    if (len < b->len)
        b->len = len;
    if (b->data != NULL)
        b->data[b->len] = '\0';
    b->failed = false;
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (b->failed || n > b->limit - b->len) {
        b->failed = true;
        return NULL;
    }
    if (b->data == NULL || n > b->cap - b->len) {
        size_t want = b->len + n;
        size_t cap = b->cap < FIRST_BYTES ? FIRST_BYTES : b->cap;
        while (cap < want)
            cap = cap > b->limit / 2 ? b->limit : cap * 2;
        if (cap > b->limit)
            cap = b->limit;
        b->data = xreallocarray(b->data, cap + 1, 1);
        b->cap = cap;
        b->data[b->len] = '\0';
    }
    return b->data + b->len;
}

void buf_advance(struct buf *b, size_t n)
{
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_add(struct buf *b, const void *bytes, size_t n)
{
    char *to = n == 0 ? NULL : buf_reserve(b, n);
    if (to == NULL)
        return;
    memcpy(to, bytes, n);
    buf_advance(b, n);
}

void buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.ptr, s.len);
}

void buf_add_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_add_char(struct buf *b, char c)
{
    char *to = b->len < b->cap && !b->failed ? b->data + b->len : buf_reserve(b, 1);
    if (to == NULL)
        return;
    *to = c;
    buf_advance(b, 1);
}

static void add_decimal(struct buf *b, uint64_t v, bool negative)
{
    char text[24];
    size_t at = sizeof text;
    do {
        text[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    if (negative)
        text[--at] = '-';
    buf_add(b, text + at, sizeof text - at);
}

void buf_add_u64(struct buf *b, uint64_t v)
{
    add_decimal(b, v, false);
}

void buf_add_i64(struct buf *b, int64_t v)
{
    add_decimal(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    char small[128];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    if (n > 0 && (size_t)n < sizeof small) {
        buf_add(b, small, (size_t)n);
        return;
    }
    char *to = n <= 0 ? NULL : buf_reserve(b, (size_t)n);
    if (to == NULL)
        return;
    va_start(args, fmt);
    (void)vsnprintf(to, (size_t)n + 1, fmt,
                    args); /* measured above; the NUL has its place */
    va_end(args);
    buf_advance(b, (size_t)n);
}

void buf_add_hex(struct buf *b, const void *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = bytes;
    if (n > b->limit / 2) {
        b->failed = true;
        return;
    }
    char *to = buf_reserve(b, n * 2);
    if (to == NULL)
        return;
    for (size_t i = 0; i < n; i++) {
        to[2 * i] = digits[from[i] >> 4];
        to[2 * i + 1] = digits[from[i] & 15];
    }
    buf_advance(b, n * 2);
}

static void add_json_escape(struct buf *b, unsigned char c)
{
    switch (c) {
    case '"':
        buf_add_text(b, "\\\"");
        break;
    case '\\':
        buf_add_text(b, "\\\\");
        break;
    case '\n':
        buf_add_text(b, "\\n");
        break;
    case '\r':
        buf_add_text(b, "\\r");
        break;
    case '\t':
        buf_add_text(b, "\\t");
        break;
    default:
        buf_printf(b, "\\u%04x", c);
        break;
    }
}

void buf_add_json(struct buf *b, struct str s)
{
    size_t plain = 0; /* start of the run that needs no change */
    size_t i = 0;
    buf_add_char(b, '"');
    while (i < s.len) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c >= 0x20 && c < 0x7F && c != '"' && c != '\\') {
            i++;
            continue;
        }
        unsigned n = str_utf8_next((struct str){ s.ptr + i, s.len - i }, NULL);
        if (n > 1) {
            i += n;
            continue;
        }
        buf_add(b, s.ptr + plain, i - plain);
        if (n == 0)
            buf_add_text(b, "\xEF\xBF\xBD"); /* U+FFFD */
        else
            add_json_escape(b, c);
        plain = ++i;
    }
    if (i > plain)
        buf_add(b, s.ptr + plain, i - plain);
    buf_add_char(b, '"');
}

struct str buf_str(const struct buf *b)
{
    return (struct str){ b->data == NULL ? "" : b->data, b->len };
}

const char *buf_text(const struct buf *b)
{
    return b->data == NULL ? "" : b->data;
}

char *buf_take(struct buf *b)
{
    char *data = b->data == NULL ? xcalloc(1, 1) : b->data;
    size_t limit = b->limit;
    buf_init(b, limit);
    return data;
}

int buf_check(const struct buf *b, const char *what, struct error *err)
{
    if (!b->failed)
        return 0;
    return error_set(err, ERR_LIMIT, "%s is larger than its ceiling of %zu bytes", what,
                     b->limit);
}
