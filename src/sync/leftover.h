/* src/sync/leftover.h
 *
 * Tables that the destination has and this run does not copy, because the source lost
 * them or nobody selects them any more. Their copies stay, and grow old: that is said in
 * each run, never left to be noticed.
 *
 * Thread: the job's.
 */
#ifndef SYNC_LEFTOVER_H
#define SYNC_LEFTOVER_H

#include "row/catalog.h"
#include "sink/sink.h"
#include "sync/plan.h"

/* Fill plan->leftovers from the destination's marks. */
void leftover_find(const struct catalog *catalog, const struct mark_list *marks,
                   struct plan *plan);

/* One event each: a warning for those that the source lost. */
void leftover_log(const struct plan *plan);

#endif
