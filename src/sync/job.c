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
#include "sync/leftover.h"
#include "sync/loader.h"
#include "sync/plan.h"
#include "sync/reader.h"
#include "sync/recover.h"
#include "sync/report.h"
#include "sync/spooler.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LANE_FULL "full"
#define TICK_US (200 * 1000)
#define ASK_SOURCE_US (1000 * 1000)
/* Compressed bytes of one stream in an epoch that stay in memory for the bundle. */
#define BUNDLE_BYTES ((size_t)256 << 10)

struct job {
    struct state *state;
    const struct job_request *request;
    struct cancel *cancel; /* borrowed: the caller's */
    struct cancel *hard;   /* owned: only hard requests reach spool and loader */
    struct arena *arena;   /* owned */
    struct url_source source_url;
    struct url_destination destination_url;
    struct source *source;       /* owned */
    struct warehouse *warehouse; /* owned: the job thread's connection */
    struct session *control;     /* owned: asks the source how it does */
    struct mark_list marks;
    struct catalog *catalog; /* owned */
    struct selection selection;
    struct plan_context context;
    struct plan plan;
    struct {
        char *spool; /* owned: DATA_DIR/spool/SCHEMA */
        int lock;
    } path;
    struct lane *lane;         /* owned */
    struct queue *queue;       /* owned */
    struct governor *governor; /* owned */
    struct reader_pool pool;
    struct loader loader;
    struct state_log *log; /* owned */
    const char *phase;
    int64_t id, began_at, started_at, asked_at;
    uint64_t carried_over;
    bool target_fault; /* the destination, not the source, is why the run failed */
    atomic_bool waiting_told;
    struct error spool_error, load_error;
    atomic_uint readers_left;
};

/* --- opening --------------------------------------------------------------------------
 */

static void tell_waiting(void *ctx, struct str who)
{
    struct job *j = ctx;
    if (!atomic_exchange(&j->waiting_told, true))
        log_event(LOG_WARN, "the destination is held by another program, waiting for it",
                  F_STR("held_by", who));
}

static struct warehouse *open_warehouse(struct job *j, struct cancel *c,
                                        struct error *err)
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

static int connect_source(struct job *j, struct error *err)
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

static int open_destination(struct job *j, struct error *err)
{
    const struct integration *i = &j->request->integration;
    j->phase = "connecting";
    j->warehouse = open_warehouse(j, j->cancel, err);
    if (j->warehouse != NULL &&
        warehouse_marks(j->warehouse, j->arena, i->name, &j->marks, err) == 0)
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
    if (access(path, F_OK) != 0 && connect_source(j, err) != 0)
        return -1;
    return open_destination(j, err);
}

/* --- recovery
 * --------------------------------------------------------------------------- */

static const struct lane_mark *lane_mark_of(const struct mark_list *marks,
                                            struct str lane)
{
    for (size_t i = 0; i < marks->lane_count; i++)
        if (str_eq(marks->lanes[i].lane, lane))
            return &marks->lanes[i];
    return NULL;
}

static struct lane *open_lane(struct job *j, struct error *err)
{
    const struct sync_options *o = j->request->options;
    struct lane_options lo = { .share_bytes = o->spool_share,
                               .disk_reserve = o->disk_reserve,
                               .keep_us = o->spool_keep_us };
    const struct lane_mark *m = lane_mark_of(&j->marks, STR(LANE_FULL));
    return lane_open(j->path.spool, LANE_FULL, m == NULL ? 0 : m->epoch, &lo, err);
}

/* What an earlier run captured is loaded before anything is read (invariants 5 and 10).
 */
static int load_waiting(struct job *j, struct error *err)
{
    j->phase = "recovering";
    if (recover_foreign(j->path.spool, LANE_FULL, j->marks.destination_id, err) != 0)
        return -1;
    struct lane *lane = open_lane(j, err);
    if (lane == NULL)
        return -1;
    uint64_t waiting = lane_waiting_count(lane);
    struct loader l = { .lane = lane, .warehouse = j->warehouse, .cancel = j->cancel };
    int rc = 0;
    if (waiting > 0) {
        log_event(LOG_INFO, "loading what an earlier run captured",
                  F_UINT("epochs", waiting));
        lane_finish(lane);
        rc = loader_run(&l, err);
        j->target_fault = rc != 0;
        j->carried_over = atomic_load(&l.rows_loaded);
    }
    lane_close(lane);
    if (rc != 0 || waiting == 0)
        return rc;
    return warehouse_marks(j->warehouse, j->arena, j->request->integration.name,
                           &j->marks, err);
}

/* When the run began that this one continues: the oldest of the runs in a row that did
 * not end by themselves. 0 when the last one did, or when it is too long ago. */
static int64_t unfinished_since(struct job *j)
{
    struct job_row *rows = NULL;
    size_t count = 0;
    int64_t since = 0;
    struct error ignored = { 0 };
    struct job_page newest = { .integration = j->request->integration.name,
                               .limit = 100 };
    if (state_job_list(j->state, j->arena, &newest, &rows, &count, &ignored) != 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].id == j->id)
            continue;
        if (rows[i].outcome == JOB_SUCCEEDED || rows[i].outcome == JOB_PARTIAL)
            break;
        since = rows[i].started_at;
    }
    return clock_wall_us() - since > j->request->options->resume_us ? 0 : since;
}

/* --- planning
 * ---------------------------------------------------------------------------- */

/* Do this on the control connection, through lost ones, as long as reconnect_limit
 * allows.
 */
static int ask_through(struct job *j, int (*step)(struct job *, struct error *),
                       const char *doing, struct error *err)
{
    struct backoff pause = { .first_us = 200 * 1000, .cap_us = 10 * 1000 * 1000 };
    int64_t until = clock_mono_us() + j->request->options->reconnect_us;
    for (;;) {
        *err = (struct error){ 0 };
        if (connect_source(j, err) != 0)
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

static int discover(struct job *j, struct error *err)
{
    struct discover_request r = { .databases = j->source_url.databases,
                                  .database_count = j->source_url.database_count,
                                  .always_int = j->request->options->always_int };
    j->phase = "discovering";
    j->catalog = source_discover(j->control, &r, err);
    return j->catalog == NULL ? -1 : 0;
}

/* After the plan, before the first page. */
static int take_anchors(struct job *j, struct error *err)
{
    return anchor_streams(j->control, j->plan.streams, j->plan.stream_count, j->cancel,
                          err);
}

/* A rule that names nothing may be a typing error, and copy what it was to leave out. */
static void tell_unmatched(const struct job *j)
{
    struct str *rules = NULL;
    size_t count = selection_unmatched(&j->selection, j->request->options, j->catalog,
                                       j->arena, &rules);
    for (size_t i = 0; i < count; i++)
        log_event(LOG_WARN, "a rule of the selection names nothing of the source",
                  F_STR("rule", rules[i]));
}

static void tell_plan(const struct job *j, int64_t since)
{
    size_t resumed = 0, tables = 0;
    for (size_t i = 0; i < j->plan.stream_count; i++) {
        const struct stream *st = &j->plan.streams[i];
        resumed += st->resumed ? 1 : 0;
        tables += st->orphan || st->sweep_of != NULL ? 0 : 1;
    }
    char text[CLOCK_TEXT_MAX];
    if (since != 0 && (resumed > 0 || j->plan.finished_before > 0))
        log_event(LOG_INFO, "continuing an unfinished run",
                  F_TEXT("began", clock_format(since, text)),
                  F_UINT("finished_before", j->plan.finished_before),
                  F_UINT("resumed", resumed));
    log_event(LOG_INFO, "planned", F_UINT("tables", tables),
              F_UINT("refused", j->plan.refusal_count));
    for (size_t i = 0; i < j->plan.refusal_count; i++)
        log_event(LOG_WARN, "table cannot be copied, skipping it",
                  F_STR("database", j->plan.refusals[i].database),
                  F_STR("table", j->plan.refusals[i].table),
                  F_STR("why", j->plan.refusals[i].why));
    for (size_t i = 0; i < j->plan.unmatched_count; i++)
        log_event(LOG_WARN, "pattern names no table to copy",
                  F_STR("pattern", j->plan.unmatched[i]));
    for (size_t i = 0; i < j->catalog->note_count; i++)
        log_event(LOG_WARN, "the source shows this user only a part, going on with it",
                  F_STR("note", j->catalog->notes[i]));
    leftover_log(&j->plan);
}

static int make_plan(struct job *j, struct error *err)
{
    j->context = (struct plan_context){ .state = j->state,
                                        .integration = j->request->integration.name,
                                        .options = j->request->options,
                                        .selection = &j->selection,
                                        .only = j->request->only,
                                        .only_count = j->request->only_count,
                                        .backfill = j->request->backfill };
    int64_t since = unfinished_since(j);
    if (selection_load(j->state, j->arena, j->context.integration, &j->selection, err) !=
            0 ||
        plan_make(&j->context, j->catalog, &j->marks, since, &j->plan, err) != 0)
        return -1;
    tell_plan(j, since);
    tell_unmatched(j);
    return recover_rejects(j->warehouse, j->request->integration.target_schema, since,
                           &j->plan, err);
}

/* --- threads
 * ------------------------------------------------------------------------------ */

static void *run_reader(void *arg)
{
    struct job *j = arg;
    reader_run(&j->pool);
    atomic_fetch_sub(&j->readers_left, 1);
    return NULL;
}

static void *run_spooler(void *arg)
{
    struct job *j = arg;
    const struct sync_options *o = j->request->options;
    const struct integration *i = &j->request->integration;
    const struct lane_mark *m = lane_mark_of(&j->marks, STR(LANE_FULL));
    struct spooler_config c = {
        .queue = j->queue,
        .lane = j->lane,
        .cancel = j->hard,
        .header = { .destination_id = j->marks.destination_id,
                    .integration = i->name,
                    .target_schema = i->target_schema,
                    .lane = STR(LANE_FULL) },
        .epoch = { .codec = (enum avro_codec)o->codec, .bundle_bytes = BUNDLE_BYTES },
        .epoch_bytes = o->epoch_bytes,
        .epoch_age_us = o->epoch_age_us,
        .quarantine_limit = o->quarantine_limit,
        .row_policy = sync_row_policy(o),
        .last_sequence = m == NULL ? 0 : m->sequence,
    };
    if (spooler_run(&c, &j->spool_error) != 0)
        cancel_request(j->cancel, CANCEL_GRACEFUL);
    lane_finish(j->lane);
    return NULL;
}

static void *run_loader(void *arg)
{
    struct job *j = arg;
    j->loader.warehouse = open_warehouse(j, j->hard, &j->load_error);
    if (j->loader.warehouse == NULL || loader_run(&j->loader, &j->load_error) != 0) {
        lane_stop_loading(j->lane);
        cancel_request(j->cancel, CANCEL_GRACEFUL);
    }
    warehouse_close(j->loader.warehouse);
    return NULL;
}

static void tell_progress(struct job *j)
{
    if (j->request->progress == NULL)
        return;
    struct job_progress p = { .phase = j->phase,
                              .elapsed_us = clock_mono_us() - j->began_at };
    report_progress(&j->plan, &p);
    if (j->lane != NULL)
        p.waiting_epochs = lane_waiting_count(j->lane);
    if (j->governor != NULL) {
        struct governor_state g = { 0 };
        governor_state(j->governor, &g);
        p.paused = g.paused;
    }
    j->request->progress(j->request->ctx, &p);
}

/* How many threads the source runs; an unanswered question is no reason to stop. */
static void ask_source(struct job *j)
{
    int64_t now = clock_mono_us();
    uint64_t running = 0;
    struct error ignored = { 0 };
    if (j->control == NULL || now - j->asked_at < ASK_SOURCE_US)
        return;
    j->asked_at = now;
    if (source_threads_running(j->control, &running, &ignored) == 0) {
        governor_threads_running(j->governor, running);
        return;
    }
    source_disconnect(j->control);
    j->control = source_connect(j->source, 0, j->cancel, &ignored);
}

/* Watch over the threads until the flag falls. */
static void watch(struct job *j, const atomic_uint *left)
{
    while (atomic_load(left) > 0) {
        (void)clock_wait_us(NULL, TICK_US);
        if (cancel_requested(j->cancel) == CANCEL_HARD)
            cancel_request(j->hard, CANCEL_HARD);
        if (cancel_requested(j->cancel) == CANCEL_NONE)
            ask_source(j);
        state_log_flush(j->log); /* for `tailrace logs`, and in case we are killed */
        tell_progress(j);
    }
}

struct watched {
    void *(*run)(void *);
    struct job *job;
    atomic_uint left;
};

static void *run_watched(void *arg)
{
    struct watched *w = arg;
    (void)w->run(w->job);
    atomic_store(&w->left, 0);
    return NULL;
}

static void push_orphans(struct job *j)
{
    for (size_t i = 0; i < j->plan.stream_count; i++) {
        struct stream *st = &j->plan.streams[i];
        if (!st->orphan)
            continue;
        struct delivery *d = delivery_new(DELIVERY_FAILED, st, 0);
        if (!queue_push(j->queue, d, delivery_weight(d)))
            delivery_free(d);
    }
}

static void prepare_threads(struct job *j)
{
    const struct sync_options *o = j->request->options;
    struct governor_options g = { .connections = o->source_connections,
                                  .bytes_per_s = o->source_rate,
                                  .threads_busy = o->source_busy,
                                  .pause_us = o->source_pause_us };
    const struct lane_mark *m = lane_mark_of(&j->marks, STR(LANE_FULL));
    j->governor = governor_new(&g, j->cancel);
    j->queue = queue_new("blocks", o->queue_bytes, delivery_free);
    j->pool.source = j->source;
    j->pool.options = o;
    j->pool.plan = &j->context;
    j->pool.governor = j->governor;
    j->pool.queue = j->queue;
    j->pool.cancel = j->cancel;
    j->pool.streams = j->plan.streams;
    j->pool.stream_count = j->plan.stream_count;
    j->pool.sequence_floor = m == NULL ? 0 : m->sequence;
    j->loader.lane = j->lane;
    j->loader.cancel = j->hard;
    j->loader.streams = j->plan.streams;
    j->loader.stream_count = j->plan.stream_count;
}

static bool is_fault(const struct error *e)
{
    return e->code != ERR_NONE && e->code != ERR_CANCELLED;
}

/* The first cause: a loader that stops makes the spool thread stop for want of room, and
 * either of them makes the readers stop. What was only asked to stop has not failed. */
static int why_it_failed(struct job *j, struct error *err)
{
    j->target_fault = is_fault(&j->load_error);
    if (is_fault(&j->load_error))
        *err = j->load_error;
    else if (is_fault(&j->spool_error))
        *err = j->spool_error;
    else if (is_fault(&j->pool.lost))
        *err = j->pool.lost;
    else
        return 0;
    return -1;
}

static int copy(struct job *j, struct error *err)
{
    unsigned readers = j->request->options->source_connections;
    j->lane = open_lane(j, err);
    if (j->lane == NULL)
        return -1;
    prepare_threads(j);
    j->phase = "copying";
    struct watched spool = { .run = run_spooler, .job = j, .left = 1 };
    struct watched load = { .run = run_loader, .job = j, .left = 1 };
    pthread_t spool_thread, load_thread;
    pthread_t *threads = xcalloc(readers, sizeof *threads);
    atomic_store(&j->readers_left, readers);
    reader_pool_init(&j->pool);
    if (pthread_create(&spool_thread, NULL, run_watched, &spool) != 0 ||
        pthread_create(&load_thread, NULL, run_watched, &load) != 0)
        abort(); /* no memory for a stack: nothing of this run can go on */
    push_orphans(j);
    for (unsigned i = 0; i < readers; i++)
        if (pthread_create(&threads[i], NULL, run_reader, j) != 0)
            abort();
    watch(j, &j->readers_left);
    for (unsigned i = 0; i < readers; i++)
        (void)pthread_join(threads[i], NULL);
    queue_close(j->queue);
    watch(j, &spool.left);
    (void)pthread_join(spool_thread, NULL);
    j->phase = "loading";
    watch(j, &load.left);
    (void)pthread_join(load_thread, NULL);
    reader_pool_done(&j->pool);
    free(threads);
    return why_it_failed(j, err);
}

/* --- one run
 * ------------------------------------------------------------------------------- */

static enum job_outcome judge(const struct job *j, int rc)
{
    if (rc != 0 &&
        (cancel_requested(j->cancel) == CANCEL_NONE || is_fault(&j->spool_error) ||
         is_fault(&j->load_error) || is_fault(&j->pool.lost)))
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
    governor_free(j->governor);
    queue_free(j->queue);
    lane_close(j->lane);
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

static int run_steps(struct job *j, struct error *err)
{
    if (open_ends(j, err) != 0 || load_waiting(j, err) != 0 ||
        ask_through(j, discover, "discovering the source", err) != 0 ||
        make_plan(j, err) != 0 ||
        ask_through(j, take_anchors, "asking for replication keys", err) != 0)
        return -1;
    int rc = copy(j, err);
    report_save(j->state, j->id, &j->plan);
    return rc;
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
