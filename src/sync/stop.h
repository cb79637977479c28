/* src/sync/stop.h
 *
 * Asking the run of an integration to end, from another process: as Ctrl-C does in its
 * own terminal. Once: reading ends, what is captured is loaded. Twice: that is left to
 * the next run.
 *
 * Only a process is signalled that the state names as the runner of this integration and
 * that is the same one still: a number that another process has got meanwhile is none.
 *
 * Errors: ERR_CONFIG when the process belongs to somebody else, ERR_LIMIT when it has not
 * ended in time, ERR_CANCELLED.
 * Thread: the caller's.
 */
#ifndef SYNC_STOP_H
#define SYNC_STOP_H

#include "base/cancel.h"
#include "state/state.h"

struct stop_request {
    struct str integration;
    bool now;        /* do not load what is captured */
    int64_t wait_us; /* for its end */
};

struct stop_result {
    int64_t job; /* 0: nothing ran */
    int64_t pid;
    enum job_outcome outcome; /* of the job, once it has ended */
};

int stop_run(struct state *s, const struct stop_request *r, struct cancel *c,
             struct stop_result *out, struct error *err);

#endif
