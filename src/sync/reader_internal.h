/* src/sync/reader_internal.h
 *
 * What reader.c (ranges and rows) and reader_start.c (beginning, restarting and giving up
 * streams) share. See reader.h for threads and locks.
 */
#ifndef SYNC_READER_INTERNAL_H
#define SYNC_READER_INTERNAL_H

#include "sync/reader.h"

/* What one reader has in hand: a range of one generation of a stream. */
struct task {
    struct stream *stream;
    unsigned generation;
    size_t range;
    struct page_range from; /* .after is moved on as rows are delivered */
    enum full_method method;
    struct stream_shape_plan *shape;
    int64_t sequence;
    const struct catalog_table *found;
};

struct table_reader {
    struct reader_pool *pool;
    struct session *session; /* owned; NULL until needed or after it was lost */
    struct task task;
    struct buf after;      /* key tuple of the last row delivered in this range */
    struct delivery *open; /* owned: being filled; its block has rows not yet pushed */
};

bool reader_stopping(const struct reader_pool *p);

/* The stream is still read in the generation of the task in hand. */
bool reader_is_current(const struct table_reader *r);

/* Hand over to the spool thread; the delivery is gone either way. ERR_CANCELLED when that
 * thread has stopped. */
int reader_push(struct reader_pool *p, struct delivery *d, struct error *err);

/* A number above all that were handed out: to a copy, or to the first row of a delta. */
int64_t reader_next_sequence(struct reader_pool *p);

/* A session when there is none. A source that cannot be reached stops the whole pool. */
int reader_connect(struct table_reader *r, struct error *err);
void reader_disconnect(struct table_reader *r);

/* Find the ranges and tell everybody: DELIVERY_START comes before any row. */
int reader_start_stream(struct table_reader *r, struct stream *st, struct error *err);

/* The ranges of a stream are there for everybody. */
void reader_go_on(struct reader_pool *p, struct stream *st);

/* The table changed, or its one view broke: copy it again from the start, when it may.
 * err holds the cause. -1 with the stream still in its generation when it may not; what
 * fails once the next generation has begun ends in the stream here. */
int reader_restart(struct table_reader *r, struct error *err);

void reader_fail_stream(struct reader_pool *p, struct stream *st,
                        const struct error *why);

#endif
