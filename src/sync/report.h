/* src/sync/report.h
 *
 * What a run has done so far, told from its streams: while it goes on, as progress; at
 * its end, as the report that the state keeps.
 *
 * Thread: report_progress() the job's while others work; the rest after they were joined.
 */
#ifndef SYNC_REPORT_H
#define SYNC_REPORT_H

#include "state/state.h"
#include "sync/job.h"
#include "sync/plan.h"

/* Add what the streams tell: counts, and the tables in hand. */
void report_progress(const struct plan *plan, struct job_progress *p);

/* One row per stream and refused table. A row that cannot be kept is a warning. */
void report_save(struct state *s, int64_t job, const struct plan *plan);

/* Every selected table is live as of this run and no row is quarantined. */
bool report_is_whole(const struct plan *plan);

#endif
