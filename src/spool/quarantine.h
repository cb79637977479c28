/* src/spool/quarantine.h
 *
 * Rows that could not be represented, with reason and raw record, as records of a reject
 * segment: {table, column, reason, record, sequence, at}. Bounded: past
 * `quarantine_limit` records of one stream in one job the stream fails instead of filling
 * the disk.
 *
 * Thread: one at a time.
 */
#ifndef SPOOL_QUARANTINE_H
#define SPOOL_QUARANTINE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/str.h"

#include <stdint.h>

struct reject {
    struct str table;  /* "db.table" at the source */
    struct str column; /* empty when it is the whole row */
    struct str reason;
    struct str record; /* JSON, cut to a bound */
    int64_t sequence;
    int64_t at; /* wall, microseconds */
};

/* Longest JSON kept of one rejected row. */
#define REJECT_RECORD_LIMIT (64u * 1024u)

/* The Avro schema of a reject segment. */
const char *reject_schema_json(void);

void reject_encode(const struct reject *r, struct buf *out);
int reject_decode(struct reader *in, struct reject *out, struct error *err);

#endif
