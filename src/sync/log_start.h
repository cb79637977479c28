/* src/sync/log_start.h
 *
 * Tables that begin without their rows (option start). Their copy is an empty one, so
 * that what is held for it is all there is, and it joins as every copy does.
 *
 * Such a table has what the log said since one place. A copy is another thing, so it is
 * never made in its place unless a person resets the table; nor does it begin again by
 * itself once it has begun: what lies between would be missing.
 *
 * The place stands in the bookmark that the join leaves (key_bookmark.from), and before
 * the join in the state.
 *
 * Thread: the job's, before others run.
 */
#ifndef SYNC_LOG_START_H
#define SYNC_LOG_START_H

#include "sink/sink.h"
#include "sync/shape.h"

/* Can the table begin so? why in the arena, empty where it can. */
struct str log_start_refusal(struct arena *a, const struct plan_context *c,
                             const struct catalog_table *t,
                             const struct stream_options *o);

/* The live version goes on: from where on it has changes. */
void log_start_recall(struct stream *st, const struct stream_mark *m);

/* Which version was handed out last, and which of them by a reset or for a copy. */
struct log_versions {
    uint64_t newest, handed_out;
};

/* The stream has no live version that goes on. 1: it begins, goes on beginning, or is
 * refused (PHASE_FAILED); 0: it is to be copied; -1. */
int log_start_choose(const struct plan_context *c, struct stream *st,
                     const struct stream_mark *m, const struct log_versions *v,
                     struct error *err);

/* It begins at this place of the log: before it is held. */
int log_start_at(const struct plan_context *c, struct stream *st, struct str place,
                 struct error *err);

/* It leaves the log: would the next round of this run begin it again? */
bool log_start_begins_again(const struct stream *st);

/* Where the live version's changes begin, as a person reads it; empty: it has all rows.
 */
struct str log_start_since(struct arena *a, const struct stream_mark *m);

/* The place as a person reads it: "binlog.000007:4711", or GTIDs. */
struct str log_start_text(struct arena *a, struct str place);

#endif
