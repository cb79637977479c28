/* src/sync/job.h
 *
 * One run of one integration, in the foreground of this process:
 *
 *   lock ─▶ recover the spool ─▶ load what waits ─▶ discover ─▶ plan ─▶ read ∥ spool ∥
 * load ─▶ report
 *
 * A run that was stopped or killed is continued: captured epochs are loaded, unfinished
 * copies go on behind their last captured row, copies that the unfinished run had
 * completed are not made again; after `resume_limit` it starts over instead.
 *
 * Thread: the caller's, until it returns; threads of its own are joined before.
 */
#ifndef SYNC_JOB_H
#define SYNC_JOB_H

#include "base/cancel.h"
#include "base/error.h"
#include "config/secret.h"
#include "state/state.h"
#include "sync/options.h"

#include <stdbool.h>
#include <stdint.h>

struct job_progress {
    const char
        *phase; /* "connecting", "recovering", "discovering", "copying", "loading" */
    uint64_t streams, streams_done, streams_failed;
    uint64_t rows_read,
        rows_expected; /* expected: the server's estimates, raised as needed */
    uint64_t bytes_read;
    uint64_t rows_applied, rows_rejected;
    uint64_t waiting_epochs;
    int64_t elapsed_us;
    bool paused;       /* the governor waits for the source to calm down */
    char reading[200]; /* tables in hand, for people */
};

typedef void job_progress_fn(void *ctx, const struct job_progress *p);

struct job_request {
    struct integration integration; /* saved in state already */
    const char *data_dir;
    const struct secret *password;
    const struct sync_options *options;
    const struct str *only; /* patterns of the tables that this run is about; or none */
    size_t only_count;
    bool follow;         /* go on until asked to stop */
    struct str backfill; /* a condition on the rows that this run reads again; or empty */
    job_progress_fn
        *progress; /* called about five times a second from the job's thread */
    void *ctx;
};

struct job_result {
    int64_t job_id;
    enum job_outcome outcome;
    bool target_fault;     /* of a failed run: the destination is why */
    uint64_t carried_over; /* rows that an earlier run had captured and this one loaded */
    uint64_t waiting;      /* epochs captured and not loaded */
};

/* 0 with the outcome, also when streams failed (JOB_PARTIAL) or it was stopped; -1 when
 * the job as a whole failed. Either way it is in the state's job list, with a report per
 * stream. */
int job_run(struct state *s, const struct job_request *r, struct cancel *c,
            struct job_result *out, struct error *err);

#endif
