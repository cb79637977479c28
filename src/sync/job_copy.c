/* The lane `full` of a run: readers, the spool thread, the loader. See job.h. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "sync/job_internal.h"
#include "sync/report.h"
#include "sync/spooler.h"

#include <stdlib.h>

#define TICK_US (200 * 1000)
#define ASK_SOURCE_US (1000 * 1000)
/* Compressed bytes of one stream in an epoch that stay in memory for the bundle. */
#define BUNDLE_BYTES ((size_t)256 << 10)

/* --- threads
 * ------------------------------------------------------------------------------ */

static void *run_reader(void *arg)
{
    struct job *j = arg;
    reader_run(&j->pool);
    atomic_fetch_sub(&j->readers_left, 1);
    return NULL;
}

struct epoch_options job_epoch_options(const struct job *j)
{
    return (struct epoch_options){ .codec = (enum avro_codec)j->request->options->codec,
                                   .bundle_bytes = BUNDLE_BYTES };
}

struct epoch_header job_epoch_header(const struct job *j, const char *lane)
{
    const struct integration *i = &j->request->integration;
    return (struct epoch_header){ .destination_id = j->marks.destination_id,
                                  .integration = i->name,
                                  .target_schema = i->target_schema,
                                  .lane = str_of(lane) };
}

static int64_t last_sequence(const struct job *j)
{
    const struct lane_mark *m = job_lane_mark(j, LANE_FULL);
    return m == NULL ? 0 : m->sequence;
}

static void *run_spooler(void *arg)
{
    struct job *j = arg;
    const struct sync_options *o = j->request->options;
    struct spooler_config c = {
        .queue = j->queue,
        .lane = j->lane,
        .cancel = j->hard,
        .header = job_epoch_header(j, LANE_FULL),
        .epoch = job_epoch_options(j),
        .epoch_bytes = o->epoch_bytes,
        .epoch_age_us = o->epoch_age_us,
        .quarantine_limit = o->quarantine_limit,
        .row_policy = sync_row_policy(o),
        .last_sequence = last_sequence(j),
    };
    if (spooler_run(&c, &j->spool_error) != 0)
        cancel_request(j->cancel, CANCEL_GRACEFUL);
    lane_finish(j->lane);
    return NULL;
}

static void *run_loader(void *arg)
{
    struct job *j = arg;
    j->loader.warehouse = job_open_warehouse(j, j->hard, &j->load_error);
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
        if (j->lane != NULL)
            p.waiting_epochs = lane_waiting_count(j->lane);
    if (j->log_lane.lane != NULL)
        p.waiting_epochs += lane_waiting_count(j->log_lane.lane);
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
        if (j->governor != NULL)
            governor_threads_running(j->governor, running);
        return;
    }
    source_disconnect(j->control);
    j->control = source_connect(j->source, 0, j->cancel, &ignored);
}

void job_watch(struct job *j, const atomic_uint *left)
{
    while (atomic_load(left) > 0) {
        (void)clock_wait_us(NULL, TICK_US);
        if (cancel_requested(j->cancel) == CANCEL_HARD)
            cancel_request(j->hard, CANCEL_HARD);
        if (cancel_requested(j->cancel) == CANCEL_NONE)
            ask_source(j);
        state_log_flush(j->log); /* for `tailrace logs`, and in case we are killed */
        job_place_tell(j);
        tell_progress(j);
    }
}

static void *run_watched(void *arg)
{
    struct watched *w = arg;
    (void)w->run(w->job);
    atomic_store(&w->left, 0);
    return NULL;
}

void job_start(struct watched *w, void *(*run)(void *), struct job *j)
{
    w->run = run;
    w->job = j;
    atomic_store(&w->left, 1);
    if (pthread_create(&w->thread, NULL, run_watched, w) != 0)
        abort(); /* no memory for a stack: nothing of this run can go on */
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
    j->pool = (struct reader_pool){ 0 };
    j->loader = (struct loader){ 0 };
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
    j->pool.sequence_floor = last_sequence(j);
    j->loader.lane = j->lane;
    j->loader.cancel = j->hard;
    j->loader.streams = j->plan.streams;
    j->loader.stream_count = j->plan.stream_count;
}

bool job_is_fault(const struct error *e)
{
    return e->code != ERR_NONE && e->code != ERR_CANCELLED;
}

/* The first cause: a loader that stops makes the spool thread stop for want of room, and
 * either of them makes the readers stop. What was only asked to stop has not failed. */
static int why_it_failed(struct job *j, struct error *err)
{
    j->target_fault = job_is_fault(&j->load_error);
    if (job_is_fault(&j->load_error))
        *err = j->load_error;
    else if (job_is_fault(&j->spool_error))
        *err = j->spool_error;
    else if (job_is_fault(&j->pool.lost))
        *err = j->pool.lost;
    else
        return 0;
    return -1;
}

static void end_threads(struct job *j)
{
    reader_pool_done(&j->pool);
    governor_free(j->governor);
    j->governor = NULL;
    queue_free(j->queue);
    j->queue = NULL;
}

int job_copy(struct job *j, struct error *err)
{
    unsigned readers = j->request->options->source_connections;
    lane_close(j->lane); /* of the round before */
    j->lane = job_open_lane(j, LANE_FULL, err);
    if (j->lane == NULL)
        return -1;
    prepare_threads(j);
    j->phase = "copying";
    struct watched spool = { 0 }, load = { 0 };
    pthread_t *threads = xcalloc(readers, sizeof *threads);
    atomic_store(&j->readers_left, readers);
    reader_pool_init(&j->pool);
    job_start(&spool, run_spooler, j);
    job_start(&load, run_loader, j);
    push_orphans(j);
    for (unsigned i = 0; i < readers; i++)
        if (pthread_create(&threads[i], NULL, run_reader, j) != 0)
            abort();
    job_watch(j, &j->readers_left);
    for (unsigned i = 0; i < readers; i++)
        (void)pthread_join(threads[i], NULL);
    queue_close(j->queue);
    job_watch(j, &spool.left);
    (void)pthread_join(spool.thread, NULL);
    j->phase = "loading";
    job_watch(j, &load.left);
    (void)pthread_join(load.thread, NULL);
    free(threads);
    int rc = why_it_failed(j, err);
    end_threads(j);
    return rc;
}
