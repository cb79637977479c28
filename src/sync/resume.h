/* src/sync/resume.h
 *
 * `tailrace resume`: tables that are parked are copied again, as a new version, by the
 * next run, or by the one that follows the log now. Nothing is kept of the log while a
 * table is parked (docs/decisions/0010). What is live stays readable until the copy
 * joins.
 *
 * A run may be under way: nothing but the state is written.
 *
 * Errors: ERR_CONFIG for a name that no parked table has, or more than one. Thread: the
 * caller's.
 */
#ifndef SYNC_RESUME_H
#define SYNC_RESUME_H

#include "base/arena.h"
#include "base/error.h"
#include "state/state.h"

struct resume_result {
    const struct stream_trouble *tables; /* what is copied again; in the arena */
    size_t count;
};

/* Which tables; all borrowed. names: "db.table" or a table's name that only one parked
 * table has; none: all that is parked. */
struct resume_order {
    const struct integration *integration;
    const struct str *names;
    size_t name_count;
};

/* All or nothing. */
int resume_tables(struct state *s, struct arena *a, const struct resume_order *o,
                  struct resume_result *out, struct error *err);

#endif
