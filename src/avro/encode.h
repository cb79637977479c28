/* src/avro/encode.h
 *
 * Cells to Avro bytes in one pass, validated on the way. A plan is compiled once per
 * shape; a block collects encoded rows of one stream at one shape and is what moves
 * between threads. Nothing here allocates per row once the block's buffer has grown.
 *
 * Validated while encoding: NOT NULL of the source (before any policy), integer ranges,
 * decimal precision and scale, UTF-8, ENUM and SET membership (index 0 of an ENUM is
 * the empty text and legal), JSON well-formedness, dates by policy, FLOAT and DOUBLE
 * finite.
 *
 * Thread: a plan is read-only after encode_plan_new() and may serve many threads; a block
 * belongs to one thread at a time, pushing it gives it away.
 */
#ifndef AVRO_ENCODE_H
#define AVRO_ENCODE_H

#include "base/buf.h"
#include "base/error.h"
#include "row/schema.h"
#include "row/value.h"

#include <stdint.h>

/* A block is handed on when it has grown past this. One row may make it larger. */
#define BLOCK_SOFT_BYTES (1024u * 1024u)

enum row_op { OP_INSERT = 0, OP_UPDATE, OP_DELETE, OP_SNAPSHOT };

enum date_policy {
    DATE_NULL = 0, /* NULL, counted by column; in a key column the row is rejected */
    DATE_REJECT,
    DATE_TEXT, /* NULL, and the text goes to the companion column */
};

struct encode_policy {
    enum date_policy dates;
};

struct encode_plan;

/* s is a projected shape and must outlive the plan. */
struct encode_plan *encode_plan_new(const struct table_schema *s,
                                    const struct encode_policy *policy);
void encode_plan_free(struct encode_plan *p);

/* Bytes that one block's rows may take: option row_limit. */
struct block {
    struct buf bytes; /* owned: rows, Avro binary, end to end */
    size_t row_limit; /* bytes that one row may take */
    uint32_t stream;  /* the job's number of the stream */
    uint32_t shape;   /* schema version */
    uint64_t rows;
    uint64_t source_rows; /* read from the source for this block: rows + rejected */
    uint64_t source_bytes;
    uint32_t range;   /* which range of the table the rows came from */
    bool range_done;  /* the range ended with this block */
    struct buf after; /* owned: key tuple after the last row; empty when rows == 0 */
    int64_t first_at; /* wall time before the server was asked for the oldest row */
    int64_t read_at;  /* wall time of the newest row */
    uint64_t
        *null_by_policy; /* owned: per column, values that a policy made NULL; or NULL */
    uint16_t column_count;
};

struct block *block_new(uint32_t stream, const struct table_schema *s, size_t row_limit);
void block_free(struct block *b); /* NULL is fine */

struct row_meta {
    enum row_op op;
    int64_t sequence;
    int64_t at; /* microseconds; written as milliseconds */
    /* What the server changed by a foreign key and did not log: every row whose columns
     * are these. NULL: the row itself, which is known by its key. Only columns that the
     * row's cells tell count; those cells are what they become, of OP_DELETE the same. */
    const struct value *before;
};

enum encode_result {
    ENCODE_OK = 0,
    ENCODE_REJECT,  /* the row cannot be represented: *fault says which column and why */
    ENCODE_PROMOTE, /* *fault names a boolean column that holds another number */
    ENCODE_TOO_BIG, /* the row passes the block's row_limit; treat as a reject */
};

struct encode_fault {
    unsigned column;
    char reason[160]; /* "value 300 does not fit tinyint"; never the content of a text */
};

/* Append one row. On anything but ENCODE_OK the block is as it was before. cells has the
 * shape's column_count entries. */
enum encode_result encode_row(const struct encode_plan *p, struct block *b,
                              const struct row_meta *meta, const struct value *cells,
                              struct encode_fault *fault);

/* The row as a JSON object for _sdc_rejected: names to values, binary as hex, texts that
 * are no UTF-8 as {"hex": ...}, cut at limit bytes with "..." inside the longest values.
 */
void encode_reject_record(const struct table_schema *s, const struct value *cells,
                          size_t limit, struct buf *out);

#endif
