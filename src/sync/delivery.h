/* src/sync/delivery.h
 *
 * What readers hand to the spool thread: a block with its rejected rows, or news about a
 * stream. One pointer, one owner at a time; delivery_free() ends it and all in it.
 *
 * Order: deliveries of one range arrive in key order, since one reader makes them and the
 * queue keeps order; DELIVERY_START of a generation comes before its rows.
 */
#ifndef SYNC_DELIVERY_H
#define SYNC_DELIVERY_H

#include "base/error.h"
#include "sync/stream.h"

enum delivery_kind {
    DELIVERY_ROWS = 0,
    DELIVERY_START,   /* the ranges are known: the copy begins */
    DELIVERY_RESTART, /* the copy starts again under a new version */
    DELIVERY_FAILED,  /* the stream is given up in this job */
};

/* One row that could not be represented. */
struct rejected_row {
    uint16_t column; /* index into the shape; UINT16_MAX: the whole row */
    char *reason;    /* owned */
    char *record;    /* owned; JSON */
    int64_t at;
};

struct delivery {
    enum delivery_kind kind;
    struct stream *stream;
    unsigned generation;
    struct stream_shape_plan *shape; /* of the block; borrowed from the stream */
    struct block *block;             /* owned; DELIVERY_ROWS */
    struct rejected_row *rejects;    /* owned array */
    size_t reject_count, reject_cap;
    struct page_range *ranges; /* DELIVERY_START: borrowed from the stream's arena */
    size_t range_count;
    uint64_t version; /* START, RESTART: of the copy */
    int64_t sequence;
    bool resumable; /* START: read by pages */
};

struct delivery *delivery_new(enum delivery_kind kind, struct stream *st,
                              unsigned generation);
void delivery_free(void *delivery); /* NULL is fine; the queue's drop function */

/* Texts are copied. */
void delivery_reject(struct delivery *d, unsigned column, const char *reason,
                     struct str record, int64_t at);

/* Bytes that it keeps alive: its weight in the queue. */
size_t delivery_weight(const struct delivery *d);

#endif
