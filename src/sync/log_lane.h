/* src/sync/log_lane.h
 *
 * The log thread of a job: reads the binary log, takes the rows of all tables that are
 * followed by it, and writes epochs of the lane `log`, all in this one thread.
 *
 *   dump ─▶ transactions ─▶ log_table: rows ─▶ blocks ─▶ open epoch ─▶ capture
 *                                                          │ trouble of one table
 *                                                          └▶ thrown away, read again
 * from the last capture without it
 *
 * An epoch ends at a commit (invariant 2): when it is large or old enough, before a
 * change of shape, a TRUNCATE, a DROP (invariant 4), and where a copy joins. Nothing of
 * an open epoch counts, so whatever happens in the middle of a transaction is undone by
 * reading again.
 *
 * A table that cannot be followed exactly leaves the lane in the next epoch and is copied
 * again by the next round (log_lane_wants_round()).
 *
 * Thread: log_lane_run() is the whole thread; log_lane_wait_held() and the functions
 * behind it are the job's. Owner: the lane of the spool, the source and the streams
 * are the job's.
 */
#ifndef SYNC_LOG_LANE_H
#define SYNC_LOG_LANE_H

#include "base/cancel.h"
#include "sink/sink.h"
#include "source/log.h"
#include "spool/epoch.h"
#include "spool/lane.h"
#include "sync/shape.h"

#include <stdatomic.h>

struct log_lane;

struct log_lane_config {
    const struct source *source; /* borrowed, as all here */
    const struct plan_context *plan;
    struct lane *lane;
    struct cancel *cancel; /* graceful: ends at the last commit */
    struct cancel *hard;
    struct epoch_header header;
    struct epoch_options epoch;
    struct stream *streams; /* of the job; those that are not followed are left alone */
    size_t stream_count;
    const struct str *databases; /* of the source that are looked at; none: all */
    size_t database_count;
    const struct catalog *catalog;      /* for tables that are only watched */
    const struct mark_list *marks;      /* what the destination has: who is in the lane */
    const struct log_position *from;    /* where the lane stands */
    const struct log_position *seen;    /* the log's end behind the look at the catalog,
                                           for tables that begin without rows; or empty */
    bool first;                         /* nothing of this lane was captured before */
    int64_t last_sequence;              /* the highest number reserved before */
    bool follow;                        /* goes on after the copies have joined */
    const atomic_int_fast64_t *load_us; /* how long the last epoch took to load */
    size_t tables_most; /* an epoch with changes of so many ends at the next commit */
};

struct log_lane *log_lane_new(const struct log_lane_config *config);
void log_lane_free(struct log_lane *l); /* NULL is fine */

/* Until its end is reached, a table was lost while following, cancelled, or failed. */
int log_lane_run(struct log_lane *l, struct error *err);

/* Wait until the changes of all tables to be copied are held: what was captured says so.
 * False: the thread ended before. */
bool log_lane_wait_held(struct log_lane *l);

/* The copies have ended: those that are whole join at the first commit at or after `end`,
 * those that failed are let go. Unless it follows, the thread then ends. */
void log_lane_join(struct log_lane *l, const struct log_position *end);

/* Tables left the lane and are to be copied again, or new ones are to be copied. After
 * the thread has ended. */
bool log_lane_wants_round(const struct log_lane *l);

/* For progress: commit time of the newest transaction read, and rows taken. */
int64_t log_lane_read_to(const struct log_lane *l);

/* Copies have joined, and everything that was committed at the source before then is
 * captured; 0: not yet. */
int64_t log_lane_fresh_to(const struct log_lane *l);

#endif
