/* src/avro/wire.h
 *
 * Numbers as Avro has them: a long (and an int, a length, a union's branch) is a zigzag
 * varint, little end first, seven bits a byte (Avro 1.11 specification, "Binary
 * Encoding").
 *
 * Thread: any.
 */
#ifndef AVRO_WIRE_H
#define AVRO_WIRE_H

#include "base/reader.h"

#include <stdint.h>

#define AVRO_LONG_MAX_BYTES 10

/* Write v at `at`, which has room for AVRO_LONG_MAX_BYTES; the byte after it. */
static inline char *avro_put_long(char *at, int64_t v)
{
    uint64_t z = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
    while (z >= 0x80) {
        *at++ = (char)(uint8_t)(z | 0x80);
        z >>= 7;
    }
    *at++ = (char)(uint8_t)z;
    return at;
}

/* The next long; a longer run than one has sets r->bad. */
static inline int64_t avro_get_long(struct reader *r)
{
    uint64_t z = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (r->bad || r->pos == r->end)
            break;
        uint8_t byte = (uint8_t)*r->pos++;
        if (shift == 63 && byte > 1)
            break;
        z |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return (int64_t)(z >> 1) ^ -(int64_t)(z & 1);
    }
    r->bad = true;
    return 0;
}

/* The next run of bytes behind its length. */
static inline struct str avro_get_bytes(struct reader *r)
{
    int64_t n = avro_get_long(r);
    if (n < 0) {
        r->bad = true;
        return (struct str){ 0 };
    }
    return reader_bytes(r, (size_t)n);
}

#endif
