/* src/sink/contract.h
 *
 * What all destinations share: names of system columns and of copies under way, the key
 * of keyless rows, and the judgement whether a failure concerns one stream or the
 * destination.
 *
 * Thread: any.
 */
#ifndef SINK_CONTRACT_H
#define SINK_CONTRACT_H

#include "base/buf.h"
#include "base/error.h"
#include "row/schema.h"
#include "spool/manifest.h"

#include <stdbool.h>
#include <stdint.h>

/* Columns that every table has behind those of the source, in this order. */
enum system_column {
    SYSTEM_PRIMARY_KEY = 0, /* keyless tables only */
    SYSTEM_EXTRACTED_AT,    /* when the row was read, or committed at the source */
    SYSTEM_RECEIVED_AT,     /* when its epoch was captured */
    SYSTEM_BATCHED_AT,      /* when its epoch was loaded */
    SYSTEM_SEQUENCE,
    SYSTEM_TABLE_VERSION,
    SYSTEM_DELETED_AT,
    SYSTEM_COLUMN_COUNT
};

const char *contract_system_name(enum system_column c);
const char *contract_system_type(enum system_column c, enum sql_family family);

/* The system column of this name (ASCII case folded), or SYSTEM_COLUMN_COUNT. */
enum system_column contract_system_find(struct str name);

/* Unfinished copies are tables whose names begin so. */
#define CONTRACT_COPY_PREFIX "_tailrace_copy_"

/* Changes that wait for their copy are in tables whose names begin so. */
#define CONTRACT_HELD_PREFIX "_tailrace_held_"

/* Where rejected rows of a destination schema go. */
#define CONTRACT_REJECTED_TABLE "_sdc_rejected"

/* Where a destination keeps marks: the schema's name. */
#define CONTRACT_META_SCHEMA "_tailrace"

/* Format of the meta tables; a higher one in a destination is refused. */
#define CONTRACT_META_FORMAT 1

/* Decompressed bytes that one block of a segment may take. A block is one megabyte or one
 * row (option row_limit), so only a damaged file asks for more. */
#define CONTRACT_BLOCK_LIMIT ((size_t)1 << 30)

/* The table's name while this version is copied: readers know to leave it alone. */
void contract_copy_name(struct buf *out, struct str target, uint64_t version);

/* Of the changes that are held for this version. */
void contract_held_name(struct buf *out, struct str target, uint64_t version);

#define CONTRACT_KEY_BYTES 16
#define CONTRACT_KEY_TEXT 36 /* as a UUID, without NUL */

/* The key of the first of equal keyless rows: SHA-256 over the row's Avro column bytes,
 * cut. */
void contract_row_key(struct str column_bytes, uint8_t out[CONTRACT_KEY_BYTES]);

/* The key of the n-th equal row, n >= 2: SHA-256 over the first one's key followed by n
 * as eight bytes, most significant first, cut. */
void contract_row_key_nth(const uint8_t first[CONTRACT_KEY_BYTES], uint64_t n,
                          uint8_t out[CONTRACT_KEY_BYTES]);

/* UUID text of the bytes, lower case, no NUL. */
void contract_key_text(const uint8_t key[CONTRACT_KEY_BYTES],
                       char out[CONTRACT_KEY_TEXT]);

/* This failure concerns the stream that was being loaded; the others can go on. */
bool contract_is_stream_fault(const struct error *err);

#endif
