/* src/row/value.h
 *
 * One cell. Scalars are inline; bytes point into the packet or the reader's scratch and
 * live until the next row. Both read paths make the same cells for the same stored value.
 */
#ifndef ROW_VALUE_H
#define ROW_VALUE_H

#include "base/str.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

enum value_kind {
    VALUE_ABSENT = 0, /* not in the row image: unknown, which is not NULL */
    VALUE_NULL,
    VALUE_INT,      /* as.i; also BOOL and YEAR */
    VALUE_UINT,     /* as.u; BIGINT UNSIGNED and BIT */
    VALUE_FLOAT,    /* as.f: the stored 32 bits */
    VALUE_DOUBLE,   /* as.d: the stored 64 bits */
    VALUE_DECIMAL,  /* as.bytes: ASCII, exact, scale kept: "-12.340" */
    VALUE_UNSCALED, /* as.bytes: a decimal as Avro has it: big-endian two's complement */
    VALUE_TEXT,     /* as.bytes: valid UTF-8; also ENUM, SET, UUID, INET */
    VALUE_BYTES, /* as.bytes; also geometry (EWKB) and vectors (little-endian floats) */
    VALUE_JSON,  /* as.bytes: JSON text, UTF-8 */
    VALUE_DATE,  /* as.i: days since 1970-01-01 */
    VALUE_TIME,  /* as.i: microseconds, -838:59:59.999999 to 838:59:59.999999 */
    VALUE_DATETIME,  /* as.i: microseconds since 1970-01-01 00:00, no zone */
    VALUE_TIMESTAMP, /* as.i: microseconds since 1970-01-01 00:00 UTC */
    VALUE_BAD_DATE,  /* as.bytes: ASCII of a zero, partial or impossible date or time */
    VALUE_INVALID, /* as.bytes: stored bytes that have no meaning in the column's type */
};

struct value {
    union {
        int64_t i;
        uint64_t u;
        float f;
        double d;
        const char *bytes;
    } as;
    uint32_t len; /* of as.bytes; MySQL's longest value is 2^32-1 bytes */
    uint8_t kind; /* enum value_kind */
};

static_assert(sizeof(struct value) == 16,
              "the scratch row stays in the first-level cache");

static inline struct str value_str(const struct value *v)
{
    return (struct str){ v->as.bytes, v->len };
}

/* as.bytes is what it has; else it is a scalar, or nothing. */
static inline bool value_has_bytes(const struct value *v)
{
    return (v->kind >= VALUE_DECIMAL && v->kind <= VALUE_JSON) ||
           v->kind == VALUE_BAD_DATE || v->kind == VALUE_INVALID;
}

static inline struct value value_of_bytes(enum value_kind kind, struct str s)
{
    return (
        struct value){ .as.bytes = s.ptr, .len = (uint32_t)s.len, .kind = (uint8_t)kind };
}

/* The same kind and the same bytes: -0.0 is another value than 0.0, a NaN is itself. */
bool value_same(const struct value *a, const struct value *b);

#endif
