/* Tables that follow the log and whose copies fail. See job_internal.h.
 *
 *   a copy fails ─▶ counted ─▶ option copy_attempts in a row ─▶ parked ─▶ `tailrace
 *                      ▲  │                                              resume`, `reset`
 *                      │  └─ a copy joins: forgotten
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "sync/job_internal.h"
#include "sync/policy.h"
#include "sync/target.h"

int job_trouble_load(struct job *j, struct error *err)
{
    struct plan_context *c = &j->context;
    struct stream_trouble *list = NULL;
    if (state_trouble_list(j->state, j->arena, c->integration, &list, &c->trouble_count,
                           err) != 0)
        return -1;
    c->troubles = list;
    for (size_t i = 0; i < c->trouble_count; i++) {
        struct stream_name of = { c->integration, list[i].database, list[i].table };
        if (list[i].state != TROUBLE_RESUMED)
            continue;
        if (state_trouble_forget(j->state, &of, err) != 0)
            return -1;
        list[i].failures = 0;
    }
    return 0;
}

static const struct stream_trouble *known_of(const struct job *j, const struct stream *st)
{
    for (size_t i = 0; i < j->context.trouble_count; i++) {
        const struct stream_trouble *t = &j->context.troubles[i];
        if (str_eq(t->database, st->database) && str_eq(t->table, st->table))
            return t;
    }
    return NULL;
}

static int save(const struct job *j, const struct stream_trouble *t)
{
    struct error late = { 0 };
    if (state_trouble_save(j->state, j->context.integration, t, &late) == 0)
        return 0;
    log_error(LOG_WARN, "that a table could not be copied was not kept", &late);
    return -1;
}

/* What this round copied failed: once more. */
static void count_failure(struct job *j, struct stream *st)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)1 << 20);
    const struct stream_trouble *known = known_of(j, st);
    unsigned most = j->request->options->copies_failed_most;
    struct stream_trouble t = { .database = st->database,
                                .table = st->table,
                                .failures = known == NULL ? 1 : known->failures + 1,
                                .at = clock_wall_us() };
    pthread_mutex_lock(&st->lock);
    t.why = arena_str(a, str_of(st->why.text));
    pthread_mutex_unlock(&st->lock);
    if (most > 0 && t.failures >= most)
        t.state = TROUBLE_PARKED;
    if (save(j, &t) == 0 && t.state == TROUBLE_PARKED)
        log_event(
            LOG_WARN,
            "table is parked: its copies failed too often; `tailrace resume` copies "
            "it again once the cause is gone",
            F_STR("database", st->database), F_STR("table", st->table),
            F_UINT("copies", t.failures), F_STR("why", t.why));
}

/* A copy was to be made, and was not cut off by a request to stop. What begins without
 * its rows, or has begun so, is never copied. */
static bool has_failed(struct stream *st)
{
    if (st->starts_empty || st->since.len > 0)
        return false;
    pthread_mutex_lock(&st->lock);
    bool fault = st->why.code != ERR_CANCELLED;
    pthread_mutex_unlock(&st->lock);
    return fault && atomic_load(&st->failed) && !atomic_load(&st->gone);
}

void job_trouble_note(struct job *j, bool run_ends)
{
    struct error late = { 0 };
    for (size_t i = 0; i < j->plan.stream_count; i++) {
        struct stream *st = &j->plan.streams[i];
        struct stream_name of = plan_stream_name(&j->context, st);
        const struct stream_trouble *known = known_of(j, st);
        if (!st->by_log || st->orphan || st->log_live)
            continue;
        if (has_failed(st)) {
            /* what another round copies counts when there is none any more; where the
             * live version is followed all the same, nothing has to wait */
            if (atomic_load(&st->again) == run_ends && st->still_live == 0)
                count_failure(j, st);
        } else if (!run_ends && atomic_load(&st->joined)) {
            (void)state_inexact_forget(j->state, &of, &late);
            if (known != NULL && known->state == TROUBLE_COUNTED)
                (void)state_trouble_forget(j->state, &of, &late);
        }
    }
}

/* --- gone before a run looked ---------------------------------------------------------
 */

static int gone(struct job *j, const struct leftover *l, struct error *err)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)1 << 20);
    const struct stream_setting *said =
        selection_find(&j->selection, l->database, l->table);
    struct stream_options o = { 0 };
    enum log_class which = LOG_CLASS_GONE;
    struct stream_trouble t = {
        .database = l->database,
        .table = l->table,
        .state = TROUBLE_PARKED,
        .why = STR("the source has no such table any more, and option 'on_gone' is park"),
        .at = clock_wall_us()
    };
    if (stream_options_parse(a, said == NULL ? (struct str){ 0 } : said->options,
                             j->request->options, &o, err) != 0)
        return -1;
    enum change_policy policy = policy_of(&o, LOG_CLASS_GONE, &which);
    if (policy == POLICY_PARK)
        return save(j, &t);
    if (policy != POLICY_FAIL)
        return 0;
    (void)error_set(err, ERR_SCHEMA,
                    "table '" STR_FMT "." STR_FMT "': the source has no such table any "
                    "more, and option 'on_gone' is fail",
                    STR_ARG(l->database), STR_ARG(l->table));
    err->hint = "Nothing was captured. Say what is to be done: `tailrace select NAME "
                "TABLE --on-gone apply` or park, then `tailrace run NAME`.";
    return -1;
}

int job_trouble_gone(struct job *j, struct error *err)
{
    for (size_t i = 0; i < j->plan.leftover_count; i++) {
        const struct leftover *l = &j->plan.leftovers[i];
        const struct stream_mark *m = target_mark(&j->marks, l->database, l->table);
        if (l->gone && m != NULL && stream_mark_is_followed(m) && gone(j, l, err) != 0)
            return -1;
    }
    return 0;
}
