/* How far the log is loaded, for `tailrace status`: while a job runs and when it ends.
 * See job_internal.h. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "source/check.h"
#include "sync/job_internal.h"

#include <stdlib.h>

#define SECOND_US (1000LL * 1000)

/* A place that has moved is told so often, one that has not, and how long the source
 * keeps its log. */
#define MOVED_US SECOND_US
#define STILL_US (5 * SECOND_US)
#define HEADROOM_US (60 * SECOND_US)

/* Less than this and a longer stop of ours may lose the place: said in each run. */
#define HEADROOM_LITTLE_US (24LL * 3600 * SECOND_US)

/* Everything that was committed at the source before is in the destination; 0: not known.
 * What the log thread found is asked first: what it captured until then is counted. */
static int64_t fresh_to(struct job *j)
{
    struct job_place *p = &j->log_lane.place;
    int64_t captured = log_lane_fresh_to(j->log_lane.reader);
    bool loaded = captured != 0 && lane_waiting_count(j->log_lane.lane) == 0;
    p->whole = p->whole || loaded;
    if (loaded && captured > p->fresh_to)
        p->fresh_to = captured;
    return p->whole ? p->fresh_to : 0;
}

void job_place_begin(struct job *j, const struct lane_mark *m)
{
    struct job_place *p = &j->log_lane.place;
    *p = (struct job_place){ .headroom_us = CHECK_RETENTION_UNKNOWN };
    free(j->log_lane.loaded.position);
    j->log_lane.loaded.position = m == NULL || m->position.len == 0
                                      ? NULL
                                      : xstrdup(arena_text(j->arena, m->position));
}

static void save(struct job *j, struct str position, int64_t fresh)
{
    struct error ignored = { 0 };
    struct followed_place place = { .position = position,
                                    .seen_at = clock_wall_us(),
                                    .headroom_us = j->log_lane.place.headroom_us,
                                    .fresh_to = fresh };
    (void)state_place_save(j->state, j->request->integration.name, &place, &ignored);
}

static void ask_headroom(struct job *j, struct arena *a, const struct log_position *at)
{
    struct error ignored = { 0 };
    struct log_headroom room = { .us = CHECK_RETENTION_UNKNOWN };
    if (j->control != NULL)
        (void)check_log_headroom(j->control, a, at, &room, &ignored);
    j->log_lane.place.headroom_us = room.us;
    j->log_lane.place.asked_at = clock_mono_us();
}

void job_place_tell(struct job *j)
{
    struct job_place *p = &j->log_lane.place;
    int64_t now = clock_mono_us();
    struct error ignored = { 0 };
    struct log_position at = { 0 };
    if (j->log_lane.reader == NULL || now - p->told_at < MOVED_US)
        return;
    CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)64 << 20);
    pthread_mutex_lock(&j->log_lane.loaded.lock);
    const char *text = j->log_lane.loaded.position;
    struct str position = arena_str(a, str_of(text));
    bool due = j->log_lane.loaded.moved || now - p->told_at >= STILL_US;
    if (due)
        j->log_lane.loaded.moved = false;
    pthread_mutex_unlock(&j->log_lane.loaded.lock);
    if (!due || position.len == 0 || log_position_parse(a, position, &at, &ignored) != 0)
        return;
    int64_t fresh = fresh_to(j);
    if (p->whole && at.last_at > fresh)
        fresh = p->fresh_to = at.last_at;
    if (p->asked_at == 0 || now - p->asked_at >= HEADROOM_US)
        ask_headroom(j, a, &at);
    p->told_at = now;
    save(j, position, fresh);
}

void job_place_end(struct job *j)
{
    struct error ignored = { 0 };
    CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)64 << 20);
    struct mark_list marks = { 0 };
    struct log_position at = { 0 };
    int64_t fresh = fresh_to(j);
    struct str name = j->request->integration.name;
    if (warehouse_marks(j->warehouse, a, name, &marks, &ignored) != 0)
        return;
    for (size_t i = 0; i < marks.lane_count; i++) {
        if (!str_eq(marks.lanes[i].lane, STR(LANE_LOG)) ||
            log_position_parse(a, marks.lanes[i].position, &at, &ignored) != 0)
            continue;
        ask_headroom(j, a, &at);
        save(j, marks.lanes[i].position, fresh);
    }
    int64_t left = j->log_lane.place.headroom_us;
    if (left >= 0 && left < HEADROOM_LITTLE_US)
        log_event(LOG_WARN,
                  "the source keeps its log for less than a day: a longer pause between "
                  "runs loses the place, and every table is copied again",
                  F_INT("hours", left / (3600LL * SECOND_US)));
}
