/* What a run is about. See job_internal.h. */
#include "base/clock.h"
#include "base/log.h"
#include "sync/job_internal.h"
#include "sync/leftover.h"
#include "sync/recover.h"

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

static int discover(struct job *j, struct error *err)
{
    struct discover_request r = { .databases = j->source_url.databases,
                                  .database_count = j->source_url.database_count,
                                  .always_int = j->request->options->always_int };
    j->phase = "discovering";
    j->catalog = source_discover(j->control, &r, err);
    return j->catalog == NULL ? -1 : 0;
}

/* Some table may follow the log: can it? */
static bool may_follow(const struct job *j)
{
    enum sync_method m = j->request->options->method;
    if (m == METHOD_AUTO || m == METHOD_LOG)
        return true;
    for (size_t i = 0; i < j->selection.stream_count; i++)
        if (j->selection.streams[i].options.len > 0)
            return true;
    return false;
}

static int ask_ability(struct job *j, struct error *err)
{
    struct check_scope scope = { .databases = j->source_url.databases,
                                 .database_count = j->source_url.database_count };
    j->context.ability = NULL;
    if (!may_follow(j))
        return 0;
    struct log_ability *ability = ARENA_NEW(j->arena, struct log_ability);
    if (check_log_based(j->control, j->arena, &scope, ability, err) != 0)
        return -1;
    check_derive(j->arena, j->catalog, ability);
    j->context.ability = ability;
    if (!ability->possible)
        log_event(LOG_INFO, "no table can follow the source's log",
                  F_STR("why", ability->why), F_STR("mend", ability->mend));
    return 0;
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

/* What is parked is said in each run: it grows old. */
static void tell_parked(const struct job *j)
{
    for (size_t i = 0; i < j->plan.parked_count; i++)
        log_event(
            LOG_WARN, "table is parked, leaving it as it is until `tailrace resume`",
            F_STR("database", j->plan.parked[i].database),
            F_STR("table", j->plan.parked[i].table), F_STR("why", j->plan.parked[i].why));
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
    tell_parked(j);
    for (size_t i = 0; i < j->plan.unmatched_count; i++)
        log_event(LOG_WARN, "pattern names no table to copy",
                  F_STR("pattern", j->plan.unmatched[i]));
    for (size_t i = 0; i < j->catalog->note_count; i++)
        log_event(LOG_WARN, "the source shows this user only a part, going on with it",
                  F_STR("note", j->catalog->notes[i]));
    leftover_log(&j->plan);
}

static int make_plan(struct job *j, bool first, struct error *err)
{
    j->context = (struct plan_context){ .state = j->state,
                                        .integration = j->request->integration.name,
                                        .options = j->request->options,
                                        .selection = &j->selection,
                                        .only = j->request->only,
                                        .only_count = j->request->only_count,
                                        .backfill = j->request->backfill,
                                        .followed_only = !first,
                                        .place_lost = job_log_is_lost(j) };
    int64_t since = first ? unfinished_since(j) : 0;
    if (selection_load(j->state, j->arena, j->context.integration, &j->selection, err) !=
            0 ||
        job_trouble_load(j, err) != 0 ||
        job_ask_through(j, ask_ability, "asking what the log can give", err) != 0 ||
        plan_make(&j->context, j->catalog, &j->marks, since, &j->plan, err) != 0)
        return -1;
    if (job_trouble_gone(j, err) != 0)
        return -1;
    tell_plan(j, since);
    tell_unmatched(j);
    return recover_rejects(j->warehouse, j->request->integration.target_schema, since,
                           &j->plan, err);
}

/* What the rounds before did is part of this run's report. */
static void carry_counts(struct plan *now, const struct plan *before)
{
    for (size_t i = 0; i < now->stream_count; i++)
        for (size_t k = 0; k < before->stream_count; k++) {
            struct stream *st = &now->streams[i];
            const struct stream *old = &before->streams[k];
            if (!st->by_log || !old->by_log || st->orphan || old->orphan ||
                !str_eq(st->table, old->table) || !str_eq(st->database, old->database))
                continue;
            st->restarts = old->restarts + (atomic_load(&old->again) ? 1 : 0);
            atomic_store(&st->rows_read, atomic_load(&old->rows_read));
            atomic_store(&st->rows_applied, atomic_load(&old->rows_applied));
            atomic_store(&st->rows_superseded, atomic_load(&old->rows_superseded));
            atomic_store(&st->rows_rejected, atomic_load(&old->rows_rejected));
        }
}

int job_plan(struct job *j, bool first, struct error *err)
{
    struct plan before = j->plan;
    struct catalog *catalog = j->catalog;
    j->catalog = NULL;
    j->plan = (struct plan){ 0 };
    int rc = job_ask_through(j, discover, "discovering the source", err);
    if (rc == 0)
        rc = make_plan(j, first, err);
    if (rc == 0)
        carry_counts(&j->plan, &before);
    plan_free(&before);
    catalog_free(catalog);
    return rc;
}
