/* src/sync/spooler.h
 *
 * The spool thread of one lane: takes deliveries, writes epochs, captures them. It alone
 * knows how far each stream is captured, and puts that progress into every epoch it
 * seals. An epoch is sealed when it has epoch_bytes or epoch_age, or when there is
 * nothing more to come.
 *
 * Invariant 10 rests on two things here: a block carries the key of its last row, and
 * progress is written by the same rename as the rows.
 *
 * Thread: spooler_run() is the whole thread. The lane is shared with the loader.
 */
#ifndef SYNC_SPOOLER_H
#define SYNC_SPOOLER_H

#include "base/cancel.h"
#include "base/queue.h"
#include "spool/epoch.h"
#include "spool/lane.h"
#include "sync/delivery.h"

struct spooler_config {
    struct queue *queue; /* borrowed: of struct delivery */
    struct lane *lane;   /* borrowed */
    struct cancel *cancel;
    struct epoch_header header;
    struct epoch_options epoch;
    uint64_t epoch_bytes;
    int64_t epoch_age_us;
    uint64_t quarantine_limit; /* rejected rows of one stream */
    uint64_t row_policy;       /* sync_row_policy(): mixed into the progress */
    int64_t last_sequence;     /* the highest number reserved before */
};

/* Runs until the queue is closed and drained, or fails. On failure the queue is aborted,
 * so that the readers end, and what was captured stays. */
int spooler_run(const struct spooler_config *config, struct error *err);

/* Take over the progress of a resumed stream before the thread starts. */
void spooler_resume(struct stream *st, const struct page_position *progress);

/* An unfinished version of an earlier job cannot go on, whatever it was to become: the
 * next thing that happens to the stream drops it. Before the thread starts. */
void spooler_replace(struct stream *st, uint64_t version, enum join_kind join);

/* End what the spooler keeps in a stream. */
void spooler_forget(struct stream *st);

#endif
