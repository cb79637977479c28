/* Where the log is read from when a run is the first, and what begins there. See
 * job_internal.h. */
#include "base/clock.h"
#include "base/log.h"
#include "source/handover.h"
#include "sync/job_internal.h"
#include "sync/log_start.h"

static bool begins(const struct stream *st)
{
    return st->by_log && st->starts_empty && !atomic_load(&st->failed);
}

/* A table of this run is to begin at the place that the integration names. */
static bool is_place_wanted(const struct job *j)
{
    for (size_t i = 0; i < j->plan.stream_count; i++) {
        const struct stream *st = &j->plan.streams[i];
        if (begins(st) && !st->held_before && st->options.start == START_PLACE)
            return true;
    }
    return false;
}

int job_start_first(struct job *j, struct log_position *from, struct error *err)
{
    struct log_search s = { .source = j->source,
                            .session = j->control,
                            .arena = j->arena,
                            .cancel = j->cancel,
                            .patience_us = j->request->options->reconnect_us };
    if (!is_place_wanted(j))
        return handover_start(j->control, j->arena, from, err);
    if (log_find(&s, &j->request->options->start.wanted, from, err) != 0)
        return -1;
    log_event(
        LOG_INFO, "the log is read from the place that was chosen",
        F_STR("place", log_start_text(j->arena, log_position_format(j->arena, from))));
    return 0;
}

/* What is read of the log has passed the chosen place. */
static void refuse_late(struct stream *st)
{
    pthread_mutex_lock(&st->lock);
    st->phase = PHASE_FAILED;
    (void)error_set(&st->why, ERR_CONFIG,
                    "option 'start': the integration follows the log already, so this "
                    "table cannot begin at a place that is past");
    st->why.hint =
        "Give the table a start of its own: `tailrace select NAME TABLE --start "
        "now` or `--start copy`; or reset the whole integration.";
    pthread_mutex_unlock(&st->lock);
    log_error(LOG_WARN, "table does not begin", &st->why);
    atomic_store(&st->ended_at, clock_mono_us());
    atomic_store(&st->failed, true);
}

int job_start_streams(struct job *j, const struct log_position *from, bool first,
                      struct error *err)
{
    struct str place = log_position_format(j->arena, from);
    for (size_t i = 0; i < j->plan.stream_count; i++) {
        struct stream *st = &j->plan.streams[i];
        if (!begins(st) || st->held_before)
            continue;
        if (st->options.start == START_PLACE && !first) {
            refuse_late(st);
            continue;
        }
        if (log_start_at(&j->context, st, place, err) != 0)
            return -1;
        log_event(LOG_INFO, "a table begins without its rows", F_STR("table", st->table),
                  F_STR("since", log_start_text(j->arena, place)));
    }
    return 0;
}

int job_start_seen(struct job *j, struct log_position *end, struct error *err)
{
    bool any = false;
    for (size_t i = 0; i < j->plan.stream_count; i++)
        any = any || begins(&j->plan.streams[i]);
    return any ? handover_end(j->control, j->arena, end, err) : 0;
}
