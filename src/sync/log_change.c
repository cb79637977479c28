/* What happens to followed tables besides rows. See log_lane_internal.h. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "sync/log_lane_internal.h"
#include "sync/log_memory.h"
#include "sync/log_start.h"
#include "sync/method.h"

#define HINT_ANEW "It is copied anew, by this run or the next one."
#define HINT_BEGUN                                                                  \
    "`tailrace reset NAME TABLE` makes the next run begin it again, as its option " \
    "start "                                                                        \
    "says then."

/* --- leaving --------------------------------------------------------------------------
 */

static void fail_stream(struct stream *st, struct str why, const char *hint)
{
    pthread_mutex_lock(&st->lock);
    if (st->phase != PHASE_FAILED) {
        st->phase = PHASE_FAILED;
        (void)error_set(&st->why, ERR_SCHEMA, STR_FMT, STR_ARG(why));
        st->why.hint = hint;
    }
    pthread_mutex_unlock(&st->lock);
    atomic_store(&st->failed, true);
    atomic_store(&st->ended_at, clock_mono_us());
}

static int leave(struct log_lane *l, struct log_table *t, struct str why, unsigned action,
                 const char *hint)
{
    bool live = t->state == LOG_TABLE_LIVE;
    log_event(LOG_WARN,
              action == ACTION_GONE ? "table is gone at the source, what was copied stays"
                                    : "table cannot be followed from here on",
              F_STR("database", t->stream->database), F_STR("table", t->stream->table),
              F_STR("why", why));
    t->was_held = !live;
    t->state = LOG_TABLE_OUT;
    t->reason = arena_str(l->arena, why);
    t->actions = live ? action : ACTION_ABANDON;
    if (t->live_version != 0)
        t->actions |= action;
    l->pending = true;
    if (action == ACTION_GONE)
        atomic_store(&t->stream->gone, true);
    else
        atomic_store(&t->stream->joined, false);
    fail_stream(t->stream, t->reason, hint);
    log_reader_unwatch(l->reader, (uint32_t)(t - l->tables));
    int again = log_cascade_orphan(l, (uint32_t)(t - l->tables));
    return t->in_transaction ? 1 : again;
}

int log_change_lose(struct log_lane *l, struct log_table *t, struct str why,
                    unsigned action)
{
    bool again = log_start_begins_again(t->stream);
    if (action != ACTION_GONE && again) {
        l->lost++;
        atomic_store(&t->stream->again, true);
    }
    return leave(l, t, why, action, again ? HINT_ANEW : HINT_BEGUN);
}

int log_change_park(struct log_lane *l, struct log_table *t, struct str why,
                    unsigned action)
{
    return leave(l, t, why, action, "`tailrace resume NAME TABLE` copies it again.");
}

/* --- shapes ---------------------------------------------------------------------------
 */

int log_change_promote(struct log_lane *l, struct log_table *t, unsigned column,
                       struct error *err)
{
    struct stream *st = t->stream;
    const struct plan_context *c = l->config.plan;
    const struct table_schema *s = t->shape->schema;
    struct stream_name of = plan_stream_name(c, st);
    if (state_promotion_save(c->state, &of, s->columns[column].name, err) != 0)
        return -1;
    log_event(LOG_INFO, "boolean column holds other numbers: an integer from here on",
              F_STR("table", st->table), F_STR("column", s->columns[column].name));
    if (s->key_count == 0)
        return log_change_lose(l, t,
                               STR("a boolean column is an integer from now on, so rows "
                                   "without a key cannot be told from those that were "
                                   "copied before"),
                               ACTION_PARK) < 0
                   ? -1
                   : 1;
    if (log_epoch_flush(l, t, err) != 0)
        return -1;
    pthread_mutex_lock(&st->lock);
    int rc = shape_add(c, st, schema_promote_bool(st->arena, s, column), err);
    pthread_mutex_unlock(&st->lock);
    if (rc == 0)
        log_table_set_shape(t, &st->found->schema);
    return rc;
}

/* The table has another shape from here on. */
static int reshape(struct log_lane *l, struct log_table *t, const struct log_item *item,
                   struct error *err)
{
    struct stream *st = t->stream;
    const struct plan_context *c = l->config.plan;
    struct table_schema *schema = NULL;
    struct stream_shape_plan *before = t->shape;
    bool renamed = (item->classes & LOG_CLASS_RENAME) != 0;
    if (renamed && log_cascade_is_child(l, t))
        return log_change_lose(l, t,
                               STR("a column was renamed, maybe one of a foreign key "
                                   "that changes its rows"),
                               ACTION_PARK);
    pthread_mutex_lock(&st->lock);
    const struct catalog_table *found = shape_keep_found(st, item->found);
    int rc = shape_make(c, st->arena, found, (struct str){ 0 }, &schema, err);
    struct str why = { 0 };
    if (rc == 0)
        rc = log_fill_plan(l, t, schema, item, &why, err);
    bool fits = rc == 0 && method_fits(schema, str_of(before->json));
    if (rc == 0 && !fits)
        why = STR("its columns changed in a way that rows copied before do not go "
                  "together with");
    if (rc == 0 && why.len == 0) {
        st->found = found;
        rc = shape_add(c, st, schema, err);
    }
    pthread_mutex_unlock(&st->lock);
    if (rc != 0)
        return -1;
    if (why.len > 0)
        return log_change_lose(l, t, why, ACTION_PARK);
    log_table_set_shape(t, &st->found->schema);
    t->announce = l->pending = true;
    if (log_memory_save(c, st, err) != 0)
        return -1;
    log_event(LOG_INFO, "the table's columns changed", F_STR("table", st->table),
              F_STR("what", item->why));
    if (log_cascade_watch_table(l, t, err) != 0)
        return -1;
    return renamed ? log_cascade_orphan(l, item->table)
                   : log_cascade_reshape(l, item->table, st->found, err);
}

static int truncated(struct log_lane *l, struct log_table *t, const struct log_item *item)
{
    t->actions |= ACTION_TRUNCATE;
    t->action_number = l->numbers.next++;
    t->action_at = item->at;
    if (t->state == LOG_TABLE_HELD) /* a place for its view to be behind */
        log_change_touch(l, t);
    l->pending = true;
    log_event(LOG_INFO, "the table was truncated at the source",
              F_STR("table", t->stream->table));
    return 0;
}

/* A new table that this integration selects is copied by the next round. name:
 * "database.table". */
static void created(struct log_lane *l, struct str name)
{
    const struct plan_context *c = l->config.plan;
    struct catalog_table t = { .kind = TABLE_BASE, .readable = true };
    t.schema.database = str_cut(name, '.', &t.schema.name);
    bool ours = l->config.database_count == 0;
    for (size_t i = 0; i < l->config.database_count && !ours; i++)
        ours = str_ieq(l->config.databases[i], t.schema.database);
    if (!ours || !selection_table(c->selection, c->options, &t, NULL, NULL).selected)
        return;
    log_event(LOG_INFO, "a table that is selected was made at the source",
              F_STR("database", t.schema.database), F_STR("table", t.schema.name));
    l->created = true;
}

/* Of a table that is watched for its keys alone. */
static int parent_changed(struct log_lane *l, const struct log_item *item,
                          struct error *err)
{
    if (item->change == LOG_TRUNCATED || item->change == LOG_CREATED)
        return 0; /* no key does anything by a TRUNCATE */
    if (log_reread_waits(l))
        return log_reread_give_up(l, NULL, item, err);
    if (!l->mid && log_epoch_seal(l, false, err) != 0)
        return -1;
    return item->change == LOG_SHAPED && (item->classes & LOG_CLASS_RENAME) == 0
               ? log_cascade_reshape(l, item->table, item->found, err)
               : log_cascade_orphan(l, item->table);
}

int log_change_apply(struct log_lane *l, const struct log_item *item, struct error *err)
{
    struct log_table *t = item->table < l->table_count ? &l->tables[item->table] : NULL;
    if (item->change == LOG_CREATED) {
        created(l, item->why);
        return 0;
    }
    if (t == NULL && item->table < l->table_count + l->parent_count)
        return parent_changed(l, item, err);
    if (t == NULL || t->state == LOG_TABLE_OUT)
        return 0;
    if (log_reread_waits(l)) /* no place before this change is one to capture at */
        return log_reread_give_up(l, t, item, err);
    /* invariant 4: what was read before is an epoch of its own; in the middle of a
     * transaction the table is lost and all is read again */
    if (!l->mid && log_epoch_seal(l, false, err) != 0)
        return -1;
    if (t->state == LOG_TABLE_LIVE || t->live_version != 0) {
        bool taken = false;
        int rc = log_policy_take(l, t, item, &taken, err);
        if (rc != 0 || taken)
            return rc;
    }
    switch (item->change) {
    case LOG_TRUNCATED:
        return truncated(l, t, item);
    case LOG_SHAPED:
        return reshape(l, t, item, err);
    case LOG_LOST:
        return log_change_lose(l, t, item->why, ACTION_PARK);
    case LOG_GONE:
        return log_change_lose(l, t, item->why, ACTION_GONE);
    case LOG_CREATED:
        break;
    }
    return 0;
}

/* --- joining --------------------------------------------------------------------------
 */

void log_change_touch(struct log_lane *l, struct log_table *t)
{
    if (!t->in_transaction)
        l->now[l->now_count++] = t;
    t->in_transaction = true;
    l->touched += t->changed ? 0 : 1;
    t->changed = true;
}

/* The copy's view is open, and what is read now is behind it: no place from here on says
 * anything. */
static bool is_behind_view(struct log_lane *l, struct log_table *t)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)64 << 20);
    struct log_position high = { 0 };
    struct error ignored = { 0 };
    pthread_mutex_lock(&t->stream->lock);
    bool known = t->stream->view_high.len > 0 &&
                 log_position_parse(a, t->stream->view_high, &high, &ignored) == 0;
    pthread_mutex_unlock(&t->stream->lock);
    return known && !log_position_reached(&high, log_reader_position(l->reader));
}

void log_change_remember(struct log_lane *l, struct log_table *t)
{
    t->in_transaction = false;
    if (t->state != LOG_TABLE_HELD || t->shape->schema->key_count > 0 || t->past_ended)
        return;
    t->past_ended = is_behind_view(l, t);
    if (t->past_ended)
        return;
    if (t->past_count == LOG_PAST_MOST || arena_used(l->arena) > LOG_PAST_BYTES) {
        t->past_lost = true; /* the join finds that it does not know enough */
        return;
    }
    if (t->past_count == t->past_cap) {
        t->past_cap = t->past_cap == 0 ? 64 : t->past_cap * 2;
        t->past = xreallocarray(t->past, t->past_cap, sizeof *t->past);
    }
    t->past[t->past_count++] =
        (struct log_past){ log_position_format(l->arena, log_reader_position(l->reader)),
                           l->numbers.next - 1 };
}

void log_change_let_go(struct log_lane *l, struct log_table *t)
{
    t->was_held = true;
    l->pending = true;
    if (t->live_version != 0) {
        t->actions |= ACTION_ABANDON;
        t->returns = true;
    } else {
        t->actions = ACTION_ABANDON;
        t->state = LOG_TABLE_OUT;
    }
    l->lost += atomic_load(&t->stream->again) ? 1 : 0;
    if (t->state == LOG_TABLE_OUT)
        (void)log_cascade_orphan(l, (uint32_t)(t - l->tables));
}

/* Which changes the one view of a table without a key has already: those of transactions
 * up to its low place. False when one lies between the two places, or too many to know:
 * the view was not exact. */
static bool cut_of(struct log_table *t)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)1 << 30);
    struct log_position low = { 0 }, high = { 0 };
    struct error ignored = { 0 };
    struct stream *st = t->stream;
    pthread_mutex_lock(&st->lock);
    bool known = st->view_low.len > 0 &&
                 log_position_parse(a, st->view_low, &low, &ignored) == 0 &&
                 log_position_parse(a, st->view_high, &high, &ignored) == 0;
    pthread_mutex_unlock(&st->lock);
    if (!known || t->past_lost)
        return false;
    for (size_t i = 0; i < t->past_count; i++) {
        struct log_position at = { 0 };
        if (log_position_parse(a, t->past[i].position, &at, &ignored) != 0)
            return false;
        if (log_position_reached(&low, &at))
            t->cut = t->past[i].last;
        else if (log_position_reached(&high, &at))
            return false;
    }
    return true;
}

/* The copy is of no use, the live version is. */
static void lose_copy(struct log_lane *l, struct log_table *t, struct str why)
{
    log_event(LOG_WARN, "the copy cannot join, another one is made",
              F_STR("database", t->stream->database), F_STR("table", t->stream->table),
              F_STR("why", why));
    atomic_store(&t->stream->again, true);
    fail_stream(t->stream, why, HINT_ANEW);
    log_change_let_go(l, t);
}

static bool is_whole(const struct log_table *t)
{
    return !atomic_load(&t->stream->failed) && atomic_load(&t->stream->copied);
}

static int join(struct log_lane *l, struct log_table *t, struct error *err)
{
    struct stream *st = t->stream;
    if (t->shape->schema->key_count == 0 && !st->starts_empty && !cut_of(t)) {
        struct str why =
            STR("rows of it changed while its view was opened, and without a "
                "key nothing tells which of them the view has");
        if (t->live_version == 0)
            return log_change_lose(l, t, why, ACTION_PARK) < 0 ? -1 : 0;
        lose_copy(l, t, why);
        return 0;
    }
    t->live_version = 0;
    t->actions = ACTION_JOIN;
    t->was_held = true;
    t->state = LOG_TABLE_LIVE;
    l->pending = true;
    return log_memory_save(l->config.plan, st, err);
}

int log_change_join(struct log_lane *l, struct error *err)
{
    if (log_epoch_seal(l, false, err) != 0)
        return -1;
    for (size_t i = 0; i < l->table_count; i++)
        if (l->tables[i].state == LOG_TABLE_HELD && !is_whole(&l->tables[i]))
            log_change_let_go(l, &l->tables[i]);
    for (size_t i = 0; i < l->table_count; i++)
        if (l->tables[i].state == LOG_TABLE_HELD && is_whole(&l->tables[i]) &&
            join(l, &l->tables[i], err) != 0)
            return -1;
    return log_epoch_seal(l, true, err);
}
