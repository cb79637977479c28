/* See leftover.h. */
#include "sync/leftover.h"

#include "base/clock.h"
#include "base/log.h"

static bool in_list(const struct plan_refusal *list, size_t count,
                    const struct stream_mark *m)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(list[i].table, m->table) && str_eq(list[i].database, m->database))
            return true;
    return false;
}

static bool in_plan(const struct plan *p, const struct stream_mark *m)
{
    for (size_t i = 0; i < p->stream_count; i++)
        if (!p->streams[i].orphan && str_eq(p->streams[i].table, m->table) &&
            str_eq(p->streams[i].database, m->database))
            return true;
    return in_list(p->finished, p->finished_before, m) ||
           in_list(p->parked, p->parked_count, m) ||
           in_list(p->refusals, p->refusal_count, m);
}

void leftover_find(const struct catalog *catalog, const struct mark_list *marks,
                   struct plan *plan)
{
    plan->leftovers = ARENA_ARRAY(plan->arena, struct leftover, marks->stream_count + 1);
    for (size_t i = 0; i < marks->stream_count; i++) {
        const struct stream_mark *m = &marks->streams[i];
        char when[CLOCK_TEXT_MAX];
        if (m->live_version == 0 || in_plan(plan, m))
            continue;
        bool gone = catalog_find(catalog, m->database, m->table, false) == NULL;
        plan->leftovers[plan->leftover_count++] = (struct leftover){
            .database = arena_str(plan->arena, m->database),
            .table = arena_str(plan->arena, m->table),
            .target = arena_str(plan->arena, m->target),
            .gone = gone,
            .version = m->live_version,
            .first_read_at = m->first_read_at,
            .last_read_at = m->last_read_at,
            .why =
                arena_printf(plan->arena, "%s; the copy of %s stays",
                             gone ? "the source has no such table, or this user may not "
                                    "see it"
                                  : "it is not selected",
                             clock_format(m->loaded_at, when)),
        };
    }
}

void leftover_log(const struct plan *plan)
{
    for (size_t i = 0; i < plan->leftover_count; i++)
        log_event(
            plan->leftovers[i].gone ? LOG_WARN : LOG_INFO,
            "table of the destination is not copied in this run, keeping what is there",
            F_STR("database", plan->leftovers[i].database),
            F_STR("table", plan->leftovers[i].table),
            F_STR("why", plan->leftovers[i].why));
}
