/* src/sync/reader.h
 *
 * The reader threads of a job: a pool that shares the job's streams. A reader takes a
 * range of a table, reads its pages, encodes each row at once, and pushes blocks; when no
 * range is left it starts the next stream (finds its ranges) and shares them with the
 * others.
 *
 * A lost connection is opened again, bounded by reconnect_us, and reading goes on behind
 * the last row. A table that changed while it was read is discovered again and copied
 * from the start as the next generation, at most RESTARTS_MAX times.
 *
 * Lock order: pool.lock, then stream.lock. Thread: reader_run() is one thread; the pool
 * is shared by all of them and outlives them.
 */
#ifndef SYNC_READER_H
#define SYNC_READER_H

#include "base/cancel.h"
#include "base/queue.h"
#include "source/governor.h"
#include "source/source.h"
#include "sync/delivery.h"
#include "sync/options.h"
#include "sync/plan.h"

#include <pthread.h>

#define RESTARTS_MAX 3

struct reader_pool {
    const struct source *source; /* borrowed, as all here */
    const struct sync_options *options;
    const struct plan_context *plan; /* to plan a stream again */
    struct governor *governor;
    struct queue *queue;
    struct cancel *cancel;
    struct stream *streams;
    size_t stream_count;
    int64_t sequence_floor; /* numbers of copies start above */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* a stream got ranges, ended or failed */
    size_t next_stream;     /* [lock] the first that nobody has started */
    size_t busy;            /* [lock] readers that may still make work for others */
    int64_t last_sequence;  /* [lock] handed out */
    struct error lost;      /* [lock] why the source as a whole could not be reached */
};

void reader_pool_init(struct reader_pool *p);
void reader_pool_done(struct reader_pool *p);

/* Reads until there is nothing left to read, the job is cancelled or the queue is closed.
 * Failures of one stream end in that stream. When the source as a whole cannot be
 * reached, pool.lost says why and the job is asked to stop: copies go on in the next run.
 */
void reader_run(struct reader_pool *p);

#endif
