/* See report.h. */
#include "sync/report.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "sync/log_start.h"

#include <stdio.h>

/* A run of more tables than this does not name each in its log; the report does. */
#define TABLES_NAMED_IN_LOG 50u

void report_progress(const struct plan *plan, struct job_progress *p)
{
    size_t named = 0;
    for (size_t i = 0; i < plan->stream_count; i++) {
        struct stream *st = &plan->streams[i];
        if (st->orphan || st->sweep_of != NULL)
            continue;
        uint64_t rows = atomic_load(&st->rows_read);
        bool ended = atomic_load(&st->ended_at) != 0;
        pthread_mutex_lock(&st->lock); /* a restart looks the table up again */
        uint64_t expected = st->by_key ? 0 : st->found->row_estimate;
        pthread_mutex_unlock(&st->lock);
        p->streams++;
        p->streams_done += atomic_load(&st->joined) ? 1 : 0;
        p->streams_failed += atomic_load(&st->failed) ? 1 : 0;
        p->rows_read += rows;
        p->rows_expected += ended || rows > expected ? rows : expected;
        p->bytes_read += atomic_load(&st->bytes_read);
        p->rows_applied += atomic_load(&st->rows_applied);
        p->rows_rejected += atomic_load(&st->rows_rejected);
        if (atomic_load(&st->started_at) != 0 && !ended && named < 3) {
            size_t used = strlen(p->reading);
            (void)snprintf(p->reading + used, sizeof p->reading - used, "%s" STR_FMT,
                           named++ == 0 ? "" : ", ", STR_ARG(st->table));
        }
    }
}

static void save_refusals(struct state *s, int64_t job, const struct plan *plan)
{
    struct error ignored = { 0 };
    for (size_t i = 0; i < plan->refusal_count; i++) {
        const struct plan_refusal *f = &plan->refusals[i];
        struct report_row r = { .database = f->database,
                                .table = f->table,
                                .method = STR("full"),
                                .state = STR("refused"),
                                .error = f->why };
        (void)state_report_save(s, job, &r, &ignored);
    }
}

static void save_parked(struct state *s, int64_t job, const struct plan *plan)
{
    struct error ignored = { 0 };
    for (size_t i = 0; i < plan->parked_count; i++) {
        const struct plan_refusal *p = &plan->parked[i];
        struct report_row r = { .database = p->database,
                                .table = p->table,
                                .method = STR("log"),
                                .state = STR("parked"),
                                .error = p->why };
        (void)state_report_save(s, job, &r, &ignored);
    }
}

static void save_leftovers(struct state *s, int64_t job, const struct plan *plan)
{
    struct error ignored = { 0 };
    for (size_t i = 0; i < plan->leftover_count; i++) {
        const struct leftover *l = &plan->leftovers[i];
        struct report_row r = { .database = l->database,
                                .table = l->table,
                                .target = l->target,
                                .method = STR("full"),
                                .state = l->gone ? STR("gone") : STR("not selected"),
                                .version = l->version,
                                .first_read_at = l->first_read_at,
                                .last_read_at = l->last_read_at,
                                .error = l->why };
        (void)state_report_save(s, job, &r, &ignored);
    }
    for (size_t i = 0; i < plan->unmatched_count; i++) {
        struct report_row r = { .table = plan->unmatched[i],
                                .method = STR("full"),
                                .state = STR("unmatched"),
                                .error = STR("this pattern names no table to copy") };
        (void)state_report_save(s, job, &r, &ignored);
    }
}

static struct str end_state(const struct stream *st)
{
    if (atomic_load(&st->gone))
        return STR("gone");
    if (atomic_load(&st->joined))
        return STR("live");
    return atomic_load(&st->failed) ? STR("failed") : STR("copying");
}

/* A look for rows that are gone is no table of its own. */
static void log_sweeps(const struct plan *plan)
{
    for (size_t i = 0; i < plan->stream_count; i++) {
        const struct stream *st = &plan->streams[i];
        if (st->sweep_of == NULL)
            continue;
        if (atomic_load(&st->rows_known) > 0)
            log_event(LOG_WARN,
                      "rows that are marked deleted are at the source again, their key "
                      "unchanged: read them again with `run NAME --tables T --where C`",
                      F_STR("table", st->table),
                      F_UINT("rows", atomic_load(&st->rows_known)));
        if (atomic_load(&st->joined))
            log_event(LOG_INFO, "rows that the source has no more were marked deleted",
                      F_STR("table", st->table),
                      F_UINT("rows", atomic_load(&st->rows_applied)));
        else
            log_event(LOG_WARN, "rows that the source has no more were not looked for",
                      F_STR("table", st->table), F_TEXT("why", st->why.text));
    }
}

void report_save(struct state *s, int64_t job, const struct plan *plan)
{
    struct error e = { 0 };
    CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)256 << 20);
    for (size_t i = 0; i < plan->stream_count; i++) {
        const struct stream *st = &plan->streams[i];
        if (st->orphan || st->sweep_of != NULL)
            continue;
        int64_t end = atomic_load(&st->ended_at);
        int64_t start = atomic_load(&st->started_at);
        struct report_row r = {
            .database = st->database,
            .table = st->table,
            .target = st->target,
            .method = str_of(sync_method_name(st->options.method)),
            .state = end_state(st),
            .read = atomic_load(&st->rows_read),
            .applied = atomic_load(&st->rows_applied),
            .superseded = atomic_load(&st->rows_superseded),
            .known = atomic_load(&st->rows_known),
            .quarantined = atomic_load(&st->rows_rejected),
            .null_by_policy = atomic_load(&st->nulls_by_policy),
            .bytes = atomic_load(&st->bytes_read),
            .first_read_at = st->spooled.progress.first_at,
            .last_read_at = st->spooled.progress.last_at,
            .took_us = start == 0 ? 0 : (end == 0 ? clock_mono_us() : end) - start,
            .version = st->version,
            .error = str_of(atomic_load(&st->failed) ? st->why.text : NULL),
            .since = log_start_text(a, st->since),
        };
        if (state_report_save(s, job, &r, &e) != 0)
            log_error(LOG_WARN, "report of a table was not kept", &e);
        if (plan->stream_count <= TABLES_NAMED_IN_LOG)
            log_event(LOG_INFO, "table", F_STR("name", st->table),
                      F_STR("state", r.state), F_UINT("rows", r.read),
                      F_UINT("applied", r.applied), F_UINT("quarantined", r.quarantined));
    }
    log_sweeps(plan);
    save_refusals(s, job, plan);
    save_parked(s, job, plan);
    save_leftovers(s, job, plan);
}

bool report_is_whole(const struct plan *plan)
{
    if (plan->refusal_count > 0 || plan->parked_count > 0 || plan->unmatched_count > 0 ||
        plan->finished_rejected > 0)
        return false;
    for (size_t i = 0; i < plan->stream_count; i++) {
        const struct stream *st = &plan->streams[i];
        if ((!st->orphan && !atomic_load(&st->joined)) ||
            atomic_load(&st->rows_rejected) > 0 || atomic_load(&st->rejected_before) > 0)
            return false;
    }
    return true;
}
