/* The lane `log` of a run. See job_internal.h.
 *
 *   position ─▶ log thread: holds the changes of what is to be copied ─▶ proved visible
 *       ─▶ job_copy() ─▶ the log's end ─▶ joins at the first commit behind it ─▶ ends,
 *                                                                         or follows
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/option.h"
#include "source/discover.h"
#include "source/handover.h"
#include "sync/job_internal.h"

/* --- threads --------------------------------------------------------------------------
 */

static void *run_log(void *arg)
{
    struct job *j = arg;
    if (log_lane_run(j->log_lane.reader, &j->log_lane.error) != 0)
        cancel_request(j->cancel, CANCEL_GRACEFUL);
    lane_finish(j->log_lane.lane);
    return NULL;
}

static void *run_log_loader(void *arg)
{
    struct job *j = arg;
    struct loader *l = &j->log_lane.loader;
    l->warehouse = job_open_warehouse(j, j->hard, &j->log_lane.load_error);
    if (l->warehouse == NULL || loader_run(l, &j->log_lane.load_error) != 0) {
        lane_stop_loading(j->log_lane.lane);
        cancel_request(j->cancel, CANCEL_GRACEFUL);
    }
    warehouse_close(l->warehouse);
    return NULL;
}

/* --- where to start -------------------------------------------------------------------
 */

struct log_need {
    size_t followed; /* streams in all */
    size_t going_on; /* live, or live until their copies join, or held by an earlier
                        run */
    size_t to_copy;  /* those that begin without rows aside */
    size_t to_begin;
};

static bool is_to_copy(const struct stream *st)
{
    return st->by_log && !st->orphan && !atomic_load(&st->failed) &&
           atomic_load(&st->ended_at) == 0;
}

static struct log_need look(const struct job *j)
{
    struct log_need n = { 0 };
    for (size_t i = 0; i < j->plan.stream_count; i++) {
        const struct stream *st = &j->plan.streams[i];
        if (!st->by_log || st->orphan || atomic_load(&st->failed))
            continue;
        n.followed++;
        n.going_on += st->log_live || st->held_before || st->still_live != 0 ? 1 : 0;
        n.to_copy += is_to_copy(st) && !st->starts_empty ? 1 : 0;
        n.to_begin += is_to_copy(st) && st->starts_empty ? 1 : 0;
    }
    return n;
}

/* Goes on where the lane stands; a lane that nobody needs any more starts anew, since its
 * place may be far back. */
static int find_start(struct job *j, bool going_on, struct log_position *from,
                      bool *first, struct error *err)
{
    const struct lane_mark *m = job_lane_mark(j, LANE_LOG);
    *first = !going_on || m == NULL || m->position.len == 0;
    if (*first)
        return job_start_first(j, from, err) == 0
                   ? log_origin(j->source, j->arena, from, j->cancel, err)
                   : -1;
    return log_position_parse(j->arena, m->position, from, err);
}

/* --- starting -------------------------------------------------------------------------
 */

static int wait_visible(struct job *j, const struct log_position *p0, size_t to_copy,
                        struct error *err)
{
    const struct table_schema **tables =
        ARENA_ARRAY(j->arena, const struct table_schema *, to_copy + 1);
    struct handover_wait w = { .p0 = p0,
                               .source = j->source,
                               .tables = tables,
                               .patience_us = j->request->options->reconnect_us,
                               .settle_us = j->request->options->handover_us,
                               .cancel = j->cancel };
    struct str how = { 0 };
    for (size_t i = 0; i < j->plan.stream_count; i++) {
        const struct stream *st = &j->plan.streams[i];
        if (is_to_copy(st) && !st->starts_empty && w.table_count < to_copy)
            tables[w.table_count++] = st->shape->schema;
    }
    if (handover_visible(j->control, &w, &how, err) != 0)
        return error_wrap(err, "waiting until a copy sees what the log has");
    log_event(LOG_INFO, "the copies see all that stands before their place in the log",
              F_STR("by", how));
    return 0;
}

/* The catalog was read before the place in the log was taken. A table that changed in
 * between would be read in a shape that the log says nothing of. */
static int look_again(struct job *j, struct error *err)
{
    struct discover_request r = { .databases = j->source_url.databases,
                                  .database_count = j->source_url.database_count,
                                  .always_int = j->request->options->always_int };
    struct check_scope scope = { .databases = r.databases,
                                 .database_count = r.database_count };
    struct log_ability ability = { 0 };
    struct catalog *now = source_discover(j->control, &r, err);
    if (now == NULL)
        return -1;
    if (check_log_based(j->control, now->arena, &scope, &ability, err) != 0) {
        catalog_free(now);
        return -1;
    }
    check_derive(now->arena, now, &ability);
    for (size_t i = 0; i < j->plan.stream_count; i++) {
        struct stream *st = &j->plan.streams[i];
        const struct catalog_table *t = catalog_find(now, st->database, st->table, false);
        if (!is_to_copy(st) ||
            (t != NULL && schema_same_shape(&t->schema, &st->found->schema) &&
             check_cascade_hash(&ability, &t->schema, false) ==
                 check_cascade_hash(j->context.ability, &t->schema, false)))
            continue;
        pthread_mutex_lock(&st->lock);
        st->phase = PHASE_FAILED;
        (void)error_set(&st->why, ERR_SCHEMA, "it changed while the copy was prepared");
        pthread_mutex_unlock(&st->lock);
        atomic_store(&st->again, true);
        atomic_store(&st->ended_at, clock_mono_us());
        atomic_store(&st->failed, true);
    }
    catalog_free(now);
    return 0;
}

/* Changes of so many tables are loaded in one transaction. DuckDB holds about 0.4 MB of
 * each that loses a row, until it has committed (docs/decisions/0010). */
#define TABLE_BYTES ((int64_t)1 << 20)

static size_t tables_most(const struct job *j)
{
    static const struct option limit = { .name = "memory_limit", .type = OPTION_BYTES };
    int64_t bytes = (int64_t)1 << 30; /* when it is no number: of a share of memory */
    for (size_t i = 0; i < j->destination_url.setting_count; i++) {
        struct str value = { 0 };
        struct error ignored = { 0 };
        if (str_eq(str_cut(j->destination_url.settings[i], '=', &value),
                   str_of(limit.name)))
            (void)option_parse(&limit, value, &bytes, &ignored);
    }
    return bytes < TABLE_BYTES ? 1 : (size_t)(bytes / TABLE_BYTES);
}

static void start_threads(struct job *j, const struct log_position *from,
                          const struct log_position *seen, bool first)
{
    const struct lane_mark *m = job_lane_mark(j, LANE_LOG);
    struct log_lane_config c = { .source = j->source,
                                 .plan = &j->context,
                                 .lane = j->log_lane.lane,
                                 .cancel = j->cancel,
                                 .hard = j->hard,
                                 .header = job_epoch_header(j, LANE_LOG),
                                 .epoch = job_epoch_options(j),
                                 .streams = j->plan.streams,
                                 .stream_count = j->plan.stream_count,
                                 .databases = j->source_url.databases,
                                 .database_count = j->source_url.database_count,
                                 .catalog = j->catalog,
                                 .marks = &j->marks,
                                 .from = from,
                                 .seen = seen,
                                 .first = first,
                                 .last_sequence = m == NULL ? 0 : m->sequence,
                                 .follow = j->request->follow,
                                 .load_us = &j->log_lane.load_us,
                                 .tables_most = tables_most(j) };
    job_place_begin(j, m);
    j->log_lane.reader = log_lane_new(&c);
    j->log_lane.loader = (struct loader){ .lane = j->log_lane.lane,
                                          .cancel = j->hard,
                                          .streams = j->plan.streams,
                                          .stream_count = j->plan.stream_count,
                                          .load_us = &j->log_lane.load_us,
                                          .loaded = &j->log_lane.loaded };
    job_start(&j->log_lane.reading, run_log, j);
    job_start(&j->log_lane.loading, run_log_loader, j);
}

int job_log_start(struct job *j, struct error *err)
{
    struct log_need need = look(j);
    struct log_position from = { 0 }, seen = { 0 };
    bool first = false;
    lane_close(j->log_lane.lane); /* of the round before */
    j->log_lane.lane = NULL;
    if (need.followed == 0)
        return 0;
    j->phase = "following";
    if (find_start(j, need.going_on > 0, &from, &first, err) != 0 ||
        job_start_streams(j, &from, first, err) != 0 ||
        job_start_seen(j, &seen, err) != 0)
        return error_wrap(err, "finding the place in the log");
    j->log_lane.lane = job_open_lane(j, LANE_LOG, err);
    if (j->log_lane.lane == NULL)
        return -1;
    start_threads(j, &from, &seen, first);
    if (!log_lane_wait_held(j->log_lane.reader))
        return error_set(err, ERR_CANCELLED, "the log could not be read");
    if (first && need.to_copy + need.to_begin > 0 &&
        job_ask_through(j, look_again, "looking at the tables again", err) != 0)
        return -1;
    return need.to_copy == 0 ? 0 : wait_visible(j, &from, need.to_copy, err);
}

#define HINT_RESET                                                                      \
    "The tables stay as they are. `tailrace reset NAME` makes the next run copy those " \
    "that follow the log again."

#define JOBS_LOOKED_AT 100

/* The hint is that of no other failure. */
bool job_log_is_lost(struct job *j)
{
    struct job_page newest = { .integration = j->request->integration.name,
                               .limit = JOBS_LOOKED_AT };
    const struct lane_mark *m = job_lane_mark(j, LANE_LOG);
    struct job_row *rows = NULL;
    size_t count = 0;
    struct error ignored = { 0 };
    if (state_job_list(j->state, j->arena, &newest, &rows, &count, &ignored) != 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (rows[i].outcome == JOB_FAILED && str_eq(rows[i].hint, STR(HINT_RESET)))
            return m == NULL || m->loaded_at <= rows[i].ended_at;
    return false;
}

/* --- ending ---------------------------------------------------------------------------
 */

static int take_end(struct job *j, struct error *err)
{
    struct log_position end = { 0 };
    if (handover_end(j->control, j->arena, &end, err) != 0)
        return -1;
    log_lane_join(j->log_lane.reader, &end);
    return 0;
}

static int why_it_ended(struct job *j, int rc, struct error *err)
{
    if (job_is_fault(&j->log_lane.load_error)) {
        j->target_fault = true;
        *err = j->log_lane.load_error;
        return -1;
    }
    if (job_is_fault(&j->log_lane.error)) {
        *err = j->log_lane.error;
        if (err->code == ERR_POSITION)
            err->hint = HINT_RESET;
        return -1;
    }
    return rc;
}

int job_log_finish(struct job *j, int rc, struct error *err)
{
    if (j->log_lane.reader == NULL)
        return rc;
    if (rc == 0 && cancel_requested(j->cancel) == CANCEL_NONE) {
        j->phase = "following";
        rc = job_ask_through(j, take_end, "finding the log's end", err);
    }
    if (rc != 0)
        cancel_request(j->cancel, CANCEL_GRACEFUL);
    job_watch(j, &j->log_lane.reading.left);
    (void)pthread_join(j->log_lane.reading.thread, NULL);
    j->phase = "loading";
    job_watch(j, &j->log_lane.loading.left);
    (void)pthread_join(j->log_lane.loading.thread, NULL);
    j->log_lane.again = log_lane_wants_round(j->log_lane.reader);
    job_place_end(j);
    log_lane_free(j->log_lane.reader);
    j->log_lane.reader = NULL;
    return why_it_ended(j, rc, err);
}

bool job_log_again(const struct job *j)
{
    bool again = j->log_lane.again;
    for (size_t i = 0; i < j->plan.stream_count; i++)
        again = again || atomic_load(&j->plan.streams[i].again);
    return again;
}
