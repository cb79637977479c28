/* The log thread. See log_lane.h. */
#include "sync/log_lane.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "sync/log_lane_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#define ARENA_LIMIT ((size_t)1 << 30)

/* The server tells that it is alive, and us that nothing happens, so often. */
#define HEARTBEAT_US (250 * 1000)

/* What a person says meanwhile is looked for so often. */
#define LOOK_US (1000 * 1000)

/* Connections in a row that are lost before a transaction came through. */
#define FRUITLESS_MOST 10u

/* --- made and ended -------------------------------------------------------------------
 */

static bool is_followed(const struct stream *st)
{
    return st->by_log && !st->orphan && !atomic_load(&st->failed);
}

struct log_lane *log_lane_new(const struct log_lane_config *config)
{
    struct log_lane *l = xcalloc(1, sizeof *l);
    l->config = *config;
    l->arena = arena_new(ARENA_LIMIT);
    l->shared = arena_new(ARENA_LIMIT);
    l->captured =
        xstrdup(arena_text(l->arena, log_position_format(l->arena, config->from)));
    l->seen.file = arena_str(l->arena, config->seen->file);
    l->seen.offset = config->seen->offset;
    l->numbers.next = clock_wall_us() * 1000;
    if (l->numbers.next <= config->last_sequence) /* the clock was set back */
        l->numbers.next = config->last_sequence + 1;
    l->reread = log_reread_new();
    l->tables = xcalloc(config->stream_count + 1, sizeof *l->tables);
    l->now = xcalloc(config->stream_count + 1, sizeof(struct log_table *));
    l->sealed_at = clock_mono_us();
    l->pause = (struct backoff){ .first_us = 100 * 1000, .cap_us = 5 * 1000 * 1000 };
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->changed, NULL);
    for (size_t i = 0; i < config->stream_count; i++) {
        struct stream *st = &config->streams[i];
        if (!is_followed(st))
            continue;
        struct log_table *t = &l->tables[l->table_count++];
        t->stream = st;
        t->version = st->version;
        t->state = st->log_live ? LOG_TABLE_LIVE : LOG_TABLE_HELD;
        t->live_version = st->still_live;
        log_table_set_shape(t, &st->found->schema);
    }
    log_cascade_init(l);
    return l;
}

void log_lane_free(struct log_lane *l)
{
    if (l == NULL)
        return;
    epoch_abort(l->epoch);
    log_reader_close(l->reader);
    log_reread_free(l->reread);
    for (size_t i = 0; i < l->table_count; i++)
        log_table_done(&l->tables[i]);
    log_cascade_done(l);
    free(l->tables);
    free(l->now);
    free(l->captured);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->changed);
    arena_free(l->arena);
    arena_free(l->shared);
    free(l);
}

/* --- what the job says and hears ------------------------------------------------------
 */

static void tell(struct log_lane *l, bool *flag)
{
    pthread_mutex_lock(&l->lock);
    *flag = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

bool log_lane_wait_held(struct log_lane *l)
{
    pthread_mutex_lock(&l->lock);
    while (!l->held && !l->ended)
        pthread_cond_wait(&l->changed, &l->lock);
    bool held = l->held;
    pthread_mutex_unlock(&l->lock);
    return held;
}

void log_lane_join(struct log_lane *l, const struct log_position *end)
{
    pthread_mutex_lock(&l->lock);
    l->end = log_position_format(l->shared, end);
    l->joining = true;
    pthread_mutex_unlock(&l->lock);
}

bool log_lane_wants_round(const struct log_lane *l)
{
    return l->lost > 0 || l->created;
}

int64_t log_lane_read_to(const struct log_lane *l)
{
    return atomic_load(&l->read_to);
}

int64_t log_lane_fresh_to(const struct log_lane *l)
{
    return atomic_load(&l->fresh_to);
}

/* --- reading --------------------------------------------------------------------------
 */

/* What begins without rows has none that a change of its columns could be read from
 * again: its shape is that of the catalog, or not known. */
static int watch_tables(struct log_lane *l, struct error *err)
{
    for (size_t i = 0; i < l->table_count; i++) {
        struct log_table *t = &l->tables[i];
        if (t->state == LOG_TABLE_OUT)
            continue;
        if (log_cascade_watch_table(l, t, err) != 0)
            return -1;
        if (t->stream->starts_empty && t->stream->still_live == 0)
            log_reader_seen(l->reader, (uint32_t)i, l->seen.file, l->seen.offset);
    }
    return log_cascade_watch_parents(l, err);
}

static int open_reader(struct log_lane *l, struct error *err)
{
    const struct sync_options *o = l->config.plan->options;
    CLEANUP(arena_free_at) struct arena *a = arena_new(ARENA_LIMIT);
    struct log_position from = { 0 };
    struct log_options lo = { .heartbeat_us = HEARTBEAT_US,
                              .patience_us = o->reconnect_us,
                              .row_limit = o->row_limit,
                              .replace_bad_text = o->replace_bad_text,
                              .always_int = o->always_int,
                              .follow = true }; /* what ends it is the job's to say */
    log_reader_close(l->reader);
    l->reader = NULL;
    if (log_position_parse(a, str_of(l->captured), &from, err) != 0)
        return -1;
    l->reader = log_reader_open(l->config.source, &from, &lo, l->config.cancel, err);
    return l->reader == NULL ? -1 : watch_tables(l, err);
}

/* What was taken since the last capture is read again. */
static int read_again(struct log_lane *l, struct error *err)
{
    log_epoch_drop(l);
    return open_reader(l, err);
}

/* Tables that are in the lane and are not followed by this run: deselected, replicated in
 * another way, not readable. The lane goes on without them, so their changes would be
 * missing later: they leave it, and say so. */
static int leave_strays(struct log_lane *l, bool *any, struct error *err)
{
    const struct mark_list *marks = l->config.marks;
    for (size_t i = 0; i < marks->stream_count; i++) {
        const struct stream_mark *m = &marks->streams[i];
        bool known = !stream_mark_is_followed(m);
        for (size_t k = 0; k < l->table_count && !known; k++)
            known = (l->tables[k].state == LOG_TABLE_LIVE ||
                     l->tables[k].live_version != 0) &&
                    str_eq(l->tables[k].stream->database, m->database) &&
                    str_eq(l->tables[k].stream->table, m->table);
        /* one that is copied anew takes the place of its live version when it joins;
         * what made that necessary tells whether that one is followed until then */
        if (known)
            continue;
        if (log_epoch_open(l, err) != 0)
            return -1;
        struct manifest_stream ms = {
            .database = m->database,
            .table = m->table,
            .target = m->target,
            .version = m->live_version,
            .live_version = m->live_version,
            .join = JOIN_LOG,
            .changes = true,
            .reason =
                STR("a run did not follow it, so changes are missing from then on")
        };
        epoch_set_action(l->epoch, epoch_stream(l->epoch, &ms), ACTION_PARK);
        *any = true;
    }
    return 0;
}

/* From here on the changes of tables that are to be copied are kept; their copies get
 * numbers below those of all changes. */
static int hold(struct log_lane *l, struct error *err)
{
    bool any = l->config.first;
    for (size_t i = 0; i < l->table_count; i++) {
        struct log_table *t = &l->tables[i];
        if (t->state != LOG_TABLE_HELD || t->stream->held_before)
            continue;
        t->stream->sequence = l->numbers.next++;
        t->actions = ACTION_HOLD;
        l->pending = any = true;
    }
    if (leave_strays(l, &any, err) != 0)
        return -1;
    if (!any)
        return 0;
    if (log_epoch_open(l, err) != 0)
        return -1;
    return log_epoch_seal(l, true, err);
}

static struct log_table *table_of(struct log_lane *l, uint32_t number)
{
    return number < l->table_count ? &l->tables[number] : NULL;
}

/* A table that failed at loading, or whose copy failed, has left the lane there; not
 * where its live version is followed besides. */
static bool is_wanted(struct log_lane *l, struct log_table *t)
{
    if (t->state == LOG_TABLE_OUT)
        return false;
    struct stream *st = t->stream;
    bool back = t->state == LOG_TABLE_LIVE && t->version == st->still_live;
    if (t->returns || !atomic_load(back ? &st->live_failed : &st->failed))
        return true;
    if (t->state == LOG_TABLE_HELD)
        log_change_let_go(l, t);
    if (t->returns)
        return true;
    t->state = LOG_TABLE_OUT;
    log_reader_unwatch(l->reader, (uint32_t)(t - l->tables));
    return false;
}

int log_lane_wants(struct log_lane *l, struct log_table *t, bool *wanted)
{
    bool was_in = t != NULL && t->state != LOG_TABLE_OUT;
    *wanted = was_in && is_wanted(l, t);
    return was_in && !*wanted ? log_cascade_orphan(l, (uint32_t)(t - l->tables)) : 0;
}

int log_lane_took(struct log_lane *l, struct log_table *t, struct error *err)
{
    log_epoch_count(l, t);
    if (t->counted_bytes >= BLOCK_SOFT_BYTES && log_epoch_flush(l, t, err) != 0)
        return -1;
    return log_epoch_bound(l, err);
}

/* The row is read again by its key; not of a table that a foreign key may change between
 * the place in the log and the reading. */
static int want_again(struct log_lane *l, struct log_table *t,
                      const struct log_item *item)
{
    if (!log_cascade_is_child(l, t))
        return log_reread_want(l, t, item);
    return log_change_lose(l, t,
                           STR("the log does not have all columns of a row "
                               "(binlog_row_image), and a foreign key may have changed "
                               "it before it could be read again"),
                           ACTION_PARK);
}

/* 0, -1, or 1: what was taken must be read again. */
static int take_images(struct log_lane *l, struct log_table *t,
                       const struct log_item *item, struct error *err)
{
    size_t row_limit = l->config.plan->options->row_limit;
    unsigned column = 0;
    const char *why = NULL;
    for (;;) {
        switch (log_table_take(t, item, &l->numbers, row_limit, &column, &why)) {
        case LOG_PROMOTE: {
            int rc = log_change_promote(l, t, column, err);
            if (rc != 0)
                return rc;
            continue;
        }
        case LOG_UNTAKEN:
            return log_change_lose(l, t, str_of(why), ACTION_PARK);
        case LOG_PARTLY:
            return want_again(l, t, item);
        case LOG_TAKEN:
            return 0;
        }
    }
}

/* A copy's rejected rows count with those of the log that come behind them; they are no
 * matter of the live version that is followed besides. */
static bool has_too_many_rejects(const struct log_lane *l, const struct log_table *t)
{
    uint64_t before = t->stream->still_live != 0 ? t->rejected_before
                                                 : atomic_load(&t->stream->rows_rejected);
    return before + t->rejected_rows + t->epoch_rejected >
           l->config.plan->options->quarantine_limit;
}

static int take_own(struct log_lane *l, struct log_table *t, const struct log_item *item,
                    struct error *err)
{
    log_change_touch(l, t);
    log_reread_see(l, t, item);
    int rc = take_images(l, t, item, err);
    if (rc != 0)
        return rc;
    log_epoch_count(l, t);
    if (has_too_many_rejects(l, t))
        return log_change_lose(l, t,
                               STR("more rows could not be represented than "
                                   "quarantine_limit"),
                               ACTION_PARK);
    return log_lane_took(l, t, err);
}

static int take_row(struct log_lane *l, const struct log_item *item, struct error *err)
{
    struct log_table *t = table_of(l, item->table);
    bool wanted = false;
    int rc = log_lane_wants(l, t, &wanted);
    if (rc != 0)
        return rc;
    if (l->epoch == NULL && l->open_bytes == 0 && !log_reread_waits(l))
        l->began_at = clock_mono_us();
    l->mid = true;
    rc = wanted ? take_own(l, t, item, err) : 0;
    return rc != 0 ? rc : log_cascade_row(l, item, err);
}

/* --- commits --------------------------------------------------------------------------
 */

/* What the job has said meanwhile. */
static void take_end(struct log_lane *l)
{
    struct error ignored = { 0 };
    pthread_mutex_lock(&l->lock);
    if (l->joining && !l->ending)
        l->ending = log_position_parse(l->arena, arena_str(l->arena, l->end), &l->end_at,
                                       &ignored) == 0;
    pthread_mutex_unlock(&l->lock);
}

static bool end_is_reached(struct log_lane *l, const struct log_position *place)
{
    if (!l->ending)
        take_end(l);
    return l->ending && !l->joined && log_position_reached(place, &l->end_at);
}

/* Tables are to be copied by another round. */
static bool is_to_leave(const struct log_lane *l)
{
    return l->config.follow && (l->lost > 0 || l->created) && l->joined;
}

/* What was read up to here, or up to log_reread_place(). 1: this was the last epoch. */
static int capture(struct log_lane *l, bool end, struct error *err)
{
    if (end) {
        l->joined = true;
        if (log_change_join(l, err) != 0)
            return -1;
        if (!l->config.follow)
            return 1;
    }
    if (log_epoch_seal(l, true, err) != 0)
        return -1;
    return is_to_leave(l) ? 1 : 0;
}

/* A person has resumed a table that was parked: the next round takes it up. */
static void look_for_resumed(struct log_lane *l)
{
    const struct plan_context *c = l->config.plan;
    struct error ignored = { 0 };
    bool resumed = false;
    int64_t now = clock_mono_us();
    if (!l->config.follow || !l->joined || now - l->looked_at < LOOK_US)
        return;
    l->looked_at = now;
    if (state_trouble_resumed(c->state, c->integration, &resumed, &ignored) == 0 &&
        resumed)
        l->created = true;
}

/* With nothing open, what was read is captured; at the log's end that is all there is. */
static void note_fresh(struct log_lane *l, const struct log_item *item)
{
    bool open =
        l->epoch != NULL || l->open_bytes > 0 || l->pending || log_reread_waits(l);
    int64_t to = item->kind == LOG_IDLE ? clock_wall_us() : item->at;
    if (l->joined && !open && to > atomic_load(&l->fresh_to))
        atomic_store(&l->fresh_to, to);
}

/* 1: this was the last one. */
static int committed(struct log_lane *l, const struct log_item *item, struct error *err)
{
    l->mid = false;
    l->pause.tries = 0;
    if (item->at != 0)
        atomic_store(&l->read_to, item->at);
    for (size_t i = 0; i < l->now_count; i++)
        log_change_remember(l, l->now[i]);
    l->now_count = 0;
    look_for_resumed(l);
    for (;;) {
        bool end = end_is_reached(l, log_reader_position(l->reader));
        bool due = end || is_to_leave(l) || log_epoch_is_due(l);
        switch (log_reread_step(l, due, err)) {
        case LOG_REREAD_FAILED:
            return -1;
        case LOG_REREAD_AGAIN:
            return read_again(l, err);
        case LOG_REREAD_WAITS:
            return 0;
        case LOG_REREAD_NOTHING: {
            int ended = due ? capture(l, end, err) : 0;
            note_fresh(l, item);
            return ended;
        }
        case LOG_REREAD_PLACE:
            break;
        }
        int64_t last = 0;
        end = end_is_reached(l, log_reread_place(l, &last));
        int rc = capture(l, end, err);
        log_reread_captured(l);
        if (rc != 0)
            return rc;
    }
}

/* A connection that is lost again and again at the same place is lost for good. */
static int lost_on_the_way(struct log_lane *l, struct error *err)
{
    struct error cause = *err;
    if (l->pause.tries >= FRUITLESS_MOST)
        return error_wrap(err, "lost %u times without a transaction in between",
                          FRUITLESS_MOST);
    log_error(LOG_WARN, "the log was lost on the way, reading it again", &cause);
    (void)clock_wait_us(l->config.cancel, backoff_next_us(&l->pause));
    return read_again(l, err);
}

static int handle(struct log_lane *l, const struct log_item *item, struct error *err)
{
    int rc = 0;
    switch (item->kind) {
    case LOG_ROW:
        rc = take_row(l, item, err);
        break;
    case LOG_CHANGED:
        rc = log_change_apply(l, item, err);
        break;
    case LOG_COMMIT:
    case LOG_IDLE:
        return committed(l, item, err);
    case LOG_RESTART:
        (void)error_set(err, ERR_NETWORK, "the connection broke inside a transaction");
        return lost_on_the_way(l, err);
    case LOG_END:
        return 1;
    }
    if (rc == 1)
        return read_again(l, err);
    return rc;
}

/* Asked to end: what is whole is kept. Without a reader it was lost on the way, and
 * everything since the last capture thrown away already. */
static int stop(struct log_lane *l, struct error *err)
{
    *err = (struct error){ 0 };
    if (l->mid || l->reader == NULL || log_reread_waits(l)) {
        log_epoch_drop(l);
        return 0;
    }
    return log_epoch_seal(l, true, err);
}

static int run(struct log_lane *l, struct error *err)
{
    if (open_reader(l, err) != 0 || hold(l, err) != 0)
        return -1;
    tell(l, &l->held);
    for (;;) {
        struct log_item item = { 0 };
        int rc = log_reader_next(l->reader, &item, err);
        if (rc < 0 && err->code == ERR_CANCELLED)
            return stop(l, err);
        if (rc < 0 && err->code == ERR_NETWORK)
            rc = lost_on_the_way(l, err);
        else if (rc >= 0)
            rc = handle(l, &item, err);
        if (rc < 0)
            return err->code == ERR_CANCELLED ||
                           cancel_requested(l->config.hard) != CANCEL_NONE
                       ? stop(l, err)
                       : -1;
        if (rc == 1)
            return 0;
    }
}

int log_lane_run(struct log_lane *l, struct error *err)
{
    int rc = run(l, err);
    if (rc != 0)
        log_epoch_drop(l);
    log_reread_end(l);
    log_reader_close(l->reader);
    l->reader = NULL;
    tell(l, &l->ended);
    return rc;
}
