/* src/sync/log_memory.h
 *
 * What a followed table looked like at the place in the log that was captured last: all
 * its columns, since rows of the log have all. The state keeps it. Rows that were written
 * before a change of the table and are read after it are decoded by it; where the log
 * names its columns it is compared with them, so one that is lost or late is found out.
 *
 * Errors: ERR_IO of the state. Thread: the job's, and the log thread.
 */
#ifndef SYNC_LOG_MEMORY_H
#define SYNC_LOG_MEMORY_H

#include "sync/shape.h"

/* Remember st->found. */
int log_memory_save(const struct plan_context *c, const struct stream *st,
                    struct error *err);

/* st->found with the columns that are remembered. 1; 0: nothing is remembered, or of
 * other foreign keys; -1. */
int log_memory_recall(const struct plan_context *c, struct stream *st, struct error *err);

#endif
