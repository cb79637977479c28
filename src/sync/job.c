/* One run of one integration. See job.h.
 *
 *   job thread   readers (N)        spooler            loader
 *      │ plan ───▶ ranges
 *      │            rows ─▶ [queue] ─▶ epochs ─▶ [lane] ─▶ warehouse
 *      │ every 200 ms: progress; every second: how is the source?
 *
 * A failed neighbour, Ctrl-C and the stop button take one path: cancel_request().
 * Graceful ends the readers; what they pushed is captured and loaded. Hard ends
 * everybody; what is captured waits for the next run. Threads are joined in the order of
 * the rows.
 */
#include "sync/job.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "sync/anchor.h"
#include "sync/job_internal.h"
#include "sync/recover.h"
#include "sync/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A table that changes faster than it can be copied is not copied for ever. */
#define ROUNDS_MOST 4u

/* --- opening --------------------------------------------------------------------------
 */

static void tell_waiting(void *ctx, struct str who)
{
    struct job *j = ctx;
    if (!atomic_exchange(&j->waiting_told, true))
        log_event(LOG_WARN, "the destination is held by another program, waiting for it",
                  F_STR("held_by", who));
}

struct warehouse *job_open_warehouse(struct job *j, struct cancel *c, struct error *err)
{
    struct warehouse_options o = { .settings = j->destination_url.settings,
                                   .setting_count = j->destination_url.setting_count,
                                   .idle_us = j->request->options->warehouse_idle_us,
                                   .waiting = tell_waiting,
                                   .ctx = j };
    const char *path = arena_text(j->arena, j->destination_url.location);
    return warehouse_open(path, &o, c, err);
}

static int lock_integration(struct job *j, struct error *err)
{
    const struct integration *i = &j->request->integration;
    CLEANUP(buf_done) struct buf path;
    buf_init(&path, 8192);
    buf_printf(&path, "%s/spool/" STR_FMT, j->request->data_dir,
               STR_ARG(i->target_schema));
    if (buf_check(&path, "the spool's path", err) != 0 ||
        file_make_dirs(buf_text(&path), 0700, err) != 0)
        return -1;
    j->path.spool = xstrdup(buf_text(&path));
    buf_add_text(&path, "/lock");
    pid_t holder = 0;
    j->path.lock = file_lock(buf_text(&path), &holder, err);
    if (j->path.lock >= 0)
        return 0;
    if (err->code != ERR_LIMIT)
        return -1;
    (void)error_set(err, ERR_LIMIT,
                    "integration '" STR_FMT "' is running already, pid %d",
                    STR_ARG(i->name), (int)holder);
    err->hint = "Wait for that run to end, or stop it first.";
    return -1;
}

int job_connect(struct job *j, struct error *err)
{
    if (j->control != NULL)
        return 0;
    j->phase = "connecting";
    j->control =
        source_connect(j->source, j->request->options->reconnect_us, j->cancel, err);
    if (j->control == NULL)
        return error_wrap(err, "connecting to the source");
    log_event(LOG_INFO, "connected",
              F_STR("source", source_describe(j->arena, j->control)));
    state_log_flush(j->log);
    return 0;
}

static int read_marks(struct job *j, struct error *err)
{
    return warehouse_marks(j->warehouse, j->arena, j->request->integration.name,
                           &j->marks, err);
}

static int open_destination(struct job *j, struct error *err)
{
    const struct integration *i = &j->request->integration;
    j->phase = "connecting";
    j->warehouse = job_open_warehouse(j, j->cancel, err);
    if (j->warehouse != NULL && read_marks(j, err) == 0)
        return 0;
    j->target_fault = true;
    return error_wrap(err, "opening destination '" STR_FMT "'", STR_ARG(i->destination));
}

static int open_ends(struct job *j, struct error *err)
{
    const struct integration *i = &j->request->integration;
    struct secret *in_url = NULL;
    if (url_parse_source(j->arena, i->source, &j->source_url, &in_url, err) != 0 ||
        url_parse_destination(j->arena, i->destination, &j->destination_url, err) != 0)
        return -1;
    secret_free(in_url);
    j->source = source_new(&j->source_url, j->request->password, err);
    if (j->source == NULL)
        return -1;
    /* A new file is not made for a source that cannot be read. Where there is one, what
     * waits in the spool can be loaded whatever the source does. */
    const char *path = arena_text(j->arena, j->destination_url.location);
    if (access(path, F_OK) != 0 && job_connect(j, err) != 0)
        return -1;
    return open_destination(j, err);
}

/* --- recovery
 * --------------------------------------------------------------------------- */

const struct lane_mark *job_lane_mark(const struct job *j, const char *lane)
{
    for (size_t i = 0; i < j->marks.lane_count; i++)
        if (str_eq(j->marks.lanes[i].lane, str_of(lane)))
            return &j->marks.lanes[i];
    return NULL;
}

struct lane *job_open_lane(struct job *j, const char *name, struct error *err)
{
    const struct sync_options *o = j->request->options;
    struct lane_options lo = { .share_bytes = o->spool_share,
                               .disk_reserve = o->disk_reserve,
                               .keep_us = o->spool_keep_us };
    const struct lane_mark *m = job_lane_mark(j, name);
    return lane_open(j->path.spool, name, m == NULL ? 0 : m->epoch, &lo, err);
}

/* Invariants 5 and 10. */
static int load_waiting_of(struct job *j, const char *name, struct error *err)
{
    CLEANUP(buf_done) struct buf path;
    buf_init(&path, 8192);
    buf_printf(&path, "%s/%s", j->path.spool, name);
    if (!path.failed && access(buf_text(&path), F_OK) != 0)
        return 0; /* nothing ever came by this lane */
    if (recover_foreign(j->path.spool, name, j->marks.destination_id, err) != 0)
        return -1;
    struct lane *lane = job_open_lane(j, name, err);
    if (lane == NULL)
        return -1;
    uint64_t waiting = lane_waiting_count(lane);
    struct loader l = { .lane = lane, .warehouse = j->warehouse, .cancel = j->cancel };
    int rc = 0;
    if (waiting > 0) {
        log_event(LOG_INFO, "loading what an earlier run captured", F_TEXT("lane", name),
                  F_UINT("epochs", waiting));
        lane_finish(lane);
        rc = loader_run(&l, err);
        j->target_fault = rc != 0;
        j->carried_over += atomic_load(&l.rows_loaded);
    }
    lane_close(lane);
    return rc != 0 ? -1 : (waiting > 0 ? 1 : 0);
}

/* What an earlier run captured is loaded before anything is read. */
static int load_waiting(struct job *j, struct error *err)
{
    j->phase = "recovering";
    int log = load_waiting_of(j, LANE_LOG, err);
    int full = log < 0 ? -1 : load_waiting_of(j, LANE_FULL, err);
    if (full < 0)
        return -1;
    return log + full == 0 ? 0 : read_marks(j, err);
}

/* --- the control connection
 * --------------------------------------------------------------- */

int job_ask_through(struct job *j, int (*step)(struct job *, struct error *),
                    const char *doing, struct error *err)
{
    struct backoff pause = { .first_us = 200 * 1000, .cap_us = 10 * 1000 * 1000 };
    int64_t until = clock_mono_us() + j->request->options->reconnect_us;
    for (;;) {
        *err = (struct error){ 0 };
        if (job_connect(j, err) != 0)
            return -1;
        if (step(j, err) == 0)
            return 0;
        (void)error_wrap(err, "%s", doing);
        if (error_action(err) != ACT_RETRY || clock_mono_us() >= until ||
            !clock_wait_us(j->cancel, backoff_next_us(&pause)))
            return -1;
        log_error(LOG_WARN, "the source was lost on the way, trying again", err);
        source_disconnect(j->control);
        j->control = NULL;
    }
}

/* --- one run
 * ------------------------------------------------------------------------------- */

static enum job_outcome judge(const struct job *j, int rc)
{
    if (rc != 0 &&
        (cancel_requested(j->cancel) == CANCEL_NONE || job_is_fault(&j->spool_error) ||
         job_is_fault(&j->load_error) || job_is_fault(&j->pool.lost) ||
         job_is_fault(&j->log_lane.error) || job_is_fault(&j->log_lane.load_error)))
        return JOB_FAILED;
    if (cancel_requested(j->cancel) != CANCEL_NONE)
        return JOB_STOPPED;
    return report_is_whole(&j->plan) ? JOB_SUCCEEDED : JOB_PARTIAL;
}

/* The file is free for other programs as soon as the run has ended, not warehouse_idle
 * later. */
static void release_warehouse(struct job *j)
{
    struct error ignored = { 0 };
    if (j->warehouse != NULL)
        (void)warehouse_release(j->warehouse, &ignored);
    warehouse_close(j->warehouse);
}

static void job_done(struct job *j)
{
    lane_close(j->lane);
    lane_close(j->log_lane.lane);
    free(j->log_lane.loaded.position);
    pthread_mutex_destroy(&j->log_lane.loaded.lock);
    plan_free(&j->plan);
    catalog_free(j->catalog);
    source_disconnect(j->control);
    source_free(j->source);
    release_warehouse(j);
    cancel_free(j->hard);
    arena_free(j->arena);
    free(j->path.spool);
    if (j->path.lock >= 0)
        (void)close(j->path.lock);
}

/* After the plan, before the first page. */
static int take_anchors(struct job *j, struct error *err)
{
    return anchor_streams(j->control, j->plan.streams, j->plan.stream_count, j->cancel,
                          err);
}

static int one_round(struct job *j, bool first, struct error *err)
{
    if (job_plan(j, first, err) != 0 ||
        job_ask_through(j, take_anchors, "asking for replication keys", err) != 0)
        return -1;
    int rc = job_log_start(j, err);
    if (rc == 0)
        rc = job_copy(j, err);
    rc = job_log_finish(j, rc, err);
    report_save(j->state, j->id, &j->plan);
    return rc;
}

/* Another round for what was lost on the way: at once, then with pauses. */
static bool goes_round(struct job *j, unsigned rounds)
{
    struct backoff pause = { .first_us = 1000 * 1000, .cap_us = 60LL * 1000 * 1000 };
    if (!job_log_again(j) || cancel_requested(j->cancel) != CANCEL_NONE)
        return false;
    if (!j->request->follow)
        return rounds < ROUNDS_MOST;
    for (unsigned i = 1; i < rounds && i < 8; i++)
        (void)backoff_next_us(&pause);
    return clock_wait_us(j->cancel, backoff_next_us(&pause));
}

static int run_steps(struct job *j, struct error *err)
{
    if (open_ends(j, err) != 0 || load_waiting(j, err) != 0)
        return -1;
    for (unsigned rounds = 1;; rounds++) {
        if (one_round(j, rounds == 1, err) != 0)
            return -1;
        job_trouble_note(j, false);
        if (!goes_round(j, rounds)) {
            job_trouble_note(j, true);
            return 0;
        }
        if (read_marks(j, err) != 0)
            return -1;
        log_event(LOG_INFO, "tables that could not be followed are copied again");
    }
}

/* For the job's own log alone: the caller gets the error and tells the person. */
static void record_failure(struct state_log *log, const struct error *err)
{
    const struct log_field fields[] = { F_TEXT("error", err->text),
                                        F_TEXT("code", error_code_name(err->code)),
                                        F_TEXT("hint", err->hint) };
    const struct log_event e = { .at = clock_wall_us(),
                                 .level = LOG_ERROR,
                                 .text = "the run failed",
                                 .fields = fields,
                                 .field_count = err->hint == NULL ? 2 : 3 };
    state_log_sink(log, &e);
}

int job_run(struct state *s, const struct job_request *r, struct cancel *c,
            struct job_result *out, struct error *err)
{
    struct job j = { .state = s,
                     .request = r,
                     .cancel = c,
                     .hard = cancel_new(),
                     .arena = arena_new((size_t)1 << 30),
                     .phase = "starting",
                     .began_at = clock_mono_us(),
                     .started_at = clock_wall_us(),
                     .path = { .lock = -1 } };
    pthread_mutex_init(&j.log_lane.loaded.lock, NULL);
    *out = (struct job_result){ .outcome = JOB_FAILED };
    if (lock_integration(&j, err) != 0 ||
        state_job_start(s, r->integration.name, &j.id, err) != 0) {
        job_done(&j);
        return -1;
    }
    j.log = state_log_open(s, j.id);
    log_add(state_log_sink, j.log, LOG_INFO);
    int rc = run_steps(&j, err);
    enum job_outcome outcome = judge(&j, rc);
    if (outcome == JOB_FAILED)
        record_failure(j.log, err);
    else
        log_event(LOG_INFO, "the run ended",
                  F_TEXT("outcome", job_outcome_name(outcome)));
    *out =
        (struct job_result){ .job_id = j.id,
                             .outcome = outcome,
                             .target_fault = j.target_fault,
                             .carried_over = j.carried_over,
                             .waiting = j.lane == NULL ? 0 : lane_waiting_count(j.lane) };
    log_remove(state_log_sink, j.log);
    state_log_close(j.log);
    struct error late = { 0 };
    if (state_job_end(s, j.id, outcome, outcome == JOB_FAILED ? err : NULL, &late) != 0)
        log_error(LOG_WARN, "the end of the run was not recorded", &late);
    job_done(&j);
    return outcome == JOB_FAILED ? -1 : 0;
}
