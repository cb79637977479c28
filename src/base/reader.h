/* src/base/reader.h
 *
 * Cursor over bytes from a peer or a disk. A read past the end returns zeros, sets `bad`,
 * and so does every later read: decode a whole structure, then test `bad` once.
 */
#ifndef BASE_READER_H
#define BASE_READER_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct reader {
    const char *pos;
    const char *end;
    bool bad;
};

static inline struct reader reader_over(struct str s)
{
    const char *start = s.ptr == NULL ? "" : s.ptr; /* no arithmetic on NULL */
    return (struct reader){ .pos = start, .end = start + s.len };
}

static inline struct str reader_bytes(struct reader *r, size_t n)
{
    if (r->bad || n > (size_t)(r->end - r->pos)) {
        r->bad = true;
        return (struct str){ 0 };
    }
    struct str s = { r->pos, n };
    r->pos += n;
    return s;
}

/* Little-endian unsigned integer of `width` bytes, 1 to 8. */
static inline uint64_t reader_le(struct reader *r, unsigned width)
{
    struct str s = reader_bytes(r, width);
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++)
        v |= (uint64_t)(uint8_t)s.ptr[i] << (8 * i);
    return v;
}

#endif
