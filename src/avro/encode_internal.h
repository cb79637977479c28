/* src/avro/encode_internal.h
 *
 * The compiled plan, which encode_plan.c makes and encode.c runs.
 */
#ifndef AVRO_ENCODE_INTERNAL_H
#define AVRO_ENCODE_INTERNAL_H

#include "avro/encode.h"

#include <xxhash.h>

/* What a column's header, branch and number take at most. A decimal is the longest of
 * those with a bound: branch, length, 28 bytes. */
#define COLUMN_FIXED_BYTES 32
#define ROW_FIXED_BYTES 64

/* How a good cell is written. Several types share a code: whole numbers, dates and times
 * are all a checked Avro long. */
enum put_code {
    PUT_LONG = 0,
    PUT_BOOL,
    PUT_BITS,     /* VALUE_UINT as an Avro long */
    PUT_UNSIGNED, /* VALUE_UINT as decimal(20,0) */
    PUT_DECIMAL,
    PUT_FLOAT,
    PUT_DOUBLE,
    PUT_TEXT,
    PUT_BYTES,
    PUT_JSON,
    PUT_ENUM,
    PUT_SET,
    PUT_VECTOR,
    PUT_COMPANION, /* no cell of its own: the bad date of another column */
};

/* Labels by hash: place i of the table holds 1 + the label's index. */
struct label_table {
    const struct str *labels; /* borrowed from the shape */
    uint16_t *places;         /* owned; NULL for the few that are searched one by one */
    uint32_t mask;
    uint16_t count;
    bool has_question_mark; /* a label that may stand for one with wider characters */
};

struct put_op {
    uint8_t code; /* enum put_code */
    uint8_t want; /* enum value_kind of a good cell */
    bool nullable;
    bool is_key;
    uint16_t other; /* PUT_COMPANION: index of the date column */
    uint16_t precision;
    uint16_t scale;
    int64_t low; /* PUT_LONG: the range */
    int64_t high;
    int64_t step;  /* PUT_LONG: the value is a multiple of it */
    uint64_t mask; /* PUT_BITS: the largest value */
    struct label_table labels;
    const struct column *column;
};

struct encode_plan {
    const struct table_schema *schema; /* borrowed */
    struct encode_policy policy;
    struct put_op *ops; /* owned, one per column */
    uint16_t *open;     /* owned: columns whose bytes have no bound of their own */
    unsigned open_count;
    size_t fixed_bytes; /* the most that all else of a row takes */
};

static inline uint32_t label_hash(struct str s)
{
    return (uint32_t)XXH3_64bits(s.len > 0 ? s.ptr : "", s.len);
}

#endif
