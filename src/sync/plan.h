/* src/sync/plan.h
 *
 * Which tables a job copies, and from where they go on: the parts are shape.h (columns),
 * target.h (names), method.h (how).
 *
 * Thread: the job's, before others run.
 */
#ifndef SYNC_PLAN_H
#define SYNC_PLAN_H

#include "row/catalog.h"
#include "sink/sink.h"
#include "state/state.h"
#include "sync/shape.h"

/* A table that is not copied by this run, and why where that is for a person to know. */
struct plan_refusal {
    struct str database, table, why;
};

/* A table that the destination has and this run does not copy. */
struct leftover {
    struct str database, table, target, why;
    bool gone; /* at the source; else it is only not selected */
    uint64_t version;
    int64_t first_read_at, last_read_at;
};

struct plan {
    struct arena *arena;    /* owned */
    struct stream *streams; /* owned; in copying order: small tables last, so that few
                               large ones do not wait for many small */
    size_t stream_count;
    struct plan_refusal *finished; /* tables that the run being continued had finished */
    size_t finished_before;
    uint64_t finished_rejected;  /* rows of those that it could not represent */
    struct plan_refusal *parked; /* tables that no run copies until they are resumed */
    size_t parked_count;
    struct plan_refusal *refusals;
    size_t refusal_count;
    struct leftover *leftovers;
    size_t leftover_count;
    struct str *unmatched; /* patterns that named nothing */
    size_t unmatched_count;
};

/* Match, name and shape all selected tables. marks tell which copies can go on; since is
 * the start of the unfinished run that is being continued (0: none): tables that it
 * finished are left out. Errors: ERR_CONFIG when nothing at all is selected. */
int plan_make(const struct plan_context *c, const struct catalog *catalog,
              const struct mark_list *marks, int64_t since, struct plan *out,
              struct error *err);
void plan_free(struct plan *p);

#endif
