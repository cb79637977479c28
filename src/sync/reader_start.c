/* Beginning, restarting and giving up streams. See reader_internal.h. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "sync/method.h"
#include "sync/reader_internal.h"

bool reader_stopping(const struct reader_pool *p)
{
    return cancel_requested(p->cancel) != CANCEL_NONE;
}

int reader_push(struct reader_pool *p, struct delivery *d, struct error *err)
{
    if (queue_push(p->queue, d, delivery_weight(d)))
        return 0;
    delivery_free(d);
    return error_set(err, ERR_CANCELLED, "the spool thread has stopped");
}

int64_t reader_next_sequence(struct reader_pool *p)
{
    pthread_mutex_lock(&p->lock);
    int64_t now = clock_wall_us() * 1000;
    int64_t last =
        p->last_sequence > p->sequence_floor ? p->last_sequence : p->sequence_floor;
    p->last_sequence = now > last ? now : last + 1;
    int64_t sequence = p->last_sequence;
    pthread_mutex_unlock(&p->lock);
    return sequence;
}

/* --- giving a stream up, starting it again --------------------------------------------
 */

static void wake_others(struct reader_pool *p)
{
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

void reader_fail_stream(struct reader_pool *p, struct stream *st, const struct error *why)
{
    pthread_mutex_lock(&st->lock);
    bool first = st->phase != PHASE_FAILED;
    if (first) {
        st->phase = PHASE_FAILED;
        st->why = *why;
    }
    unsigned generation = atomic_load(&st->generation);
    pthread_mutex_unlock(&st->lock);
    atomic_store(&st->failed, true);
    atomic_store(&st->ended_at, clock_mono_us());
    if (first) {
        log_error(LOG_WARN, "table given up, the others go on", why);
        struct error ignored = { 0 };
        (void)reader_push(p, delivery_new(DELIVERY_FAILED, st, generation), &ignored);
    }
    wake_others(p);
}

static void forget_counts_locked(struct stream *st)
{
    atomic_store(&st->rows_read, 0);
    atomic_store(&st->nulls_by_policy, 0);
    atomic_store(&st->bytes_read, 0);
    atomic_store(&st->first_read_at, 0);
    atomic_store(&st->last_read_at, 0);
}

/* Count a restart and move to the next generation. False when there were too many. */
static bool begin_restart(struct stream *st, unsigned generation)
{
    bool mine = false;
    pthread_mutex_lock(&st->lock);
    if (atomic_load(&st->generation) == generation && st->phase != PHASE_FAILED &&
        st->restarts < RESTARTS_MAX) {
        st->restarts++;
        atomic_fetch_add(&st->generation, 1);
        st->phase = PHASE_STARTING;
        st->next_range = st->range_count = st->ranges_open = 0;
        forget_counts_locked(st);
        mine = true;
    }
    pthread_mutex_unlock(&st->lock);
    return mine;
}

/* --- finding ranges -------------------------------------------------------------------
 */

int reader_connect(struct table_reader *r, struct error *err)
{
    struct reader_pool *p = r->pool;
    if (r->session != NULL)
        return 0;
    r->session = source_connect(p->source, p->options->reconnect_us, p->cancel, err);
    if (r->session != NULL)
        return 0;
    if (err->code != ERR_CANCELLED) {
        pthread_mutex_lock(&p->lock);
        if (p->lost.code == ERR_NONE)
            p->lost = *err;
        pthread_mutex_unlock(&p->lock);
        cancel_request(p->cancel, CANCEL_GRACEFUL);
        wake_others(p);
        return error_set(err, ERR_CANCELLED, "the source cannot be reached");
    }
    return -1;
}

void reader_disconnect(struct table_reader *r)
{
    source_disconnect(r->session);
    r->session = NULL;
}

/* What the next generation reads. Called with stream.lock held. */
static int plan_again_locked(struct table_reader *r, struct stream *st,
                             const struct catalog_table *t, struct error *err)
{
    struct table_schema *schema = NULL;
    if (st->sweep_of != NULL)
        return error_set(err, ERR_SCHEMA, "it changed while its keys were read");
    if (method_check(st->arena, &st->options, t, err) != 0)
        return error_wrap(err, "it changed while it was read");
    const struct catalog_table *found =
        method_table(st->arena, &st->options, shape_keep_found(st, t));
    if (shape_make(r->pool->plan, st->arena, found, st->options.key, &schema, err) != 0)
        return -1;
    if (join_changes_live(st->join) && !method_fits(schema, str_of(st->shape->json)))
        return error_set(err, ERR_SCHEMA,
                         "it changed while it was read, so that its rows do not go "
                         "together with those that were read before; the next run "
                         "copies it anew");
    if (shape_add(r->pool->plan, st, schema, err) != 0)
        return -1;
    st->found = found;
    st->method = method_of_reading(st, r->pool->options->one_view);
    st->version += join_changes_live(st->join) ? 0 : 1;
    atomic_store(&st->rows_applied, 0); /* the loader counts this version alone */
    atomic_store(&st->rows_superseded, 0);
    atomic_store(&st->rows_known, 0);
    struct stream_name of = { r->pool->plan->integration, st->database, st->table };
    return method_hands_out(st->join)
               ? state_version_set(r->pool->plan->state, &of, st->version, err)
               : 0;
}

/* Look the table up again after it changed under us. */
static int rediscover(struct table_reader *r, struct stream *st, struct error *err)
{
    struct catalog *c = source_discover_table(r->session, st->database, st->table,
                                              r->pool->options->always_int, err);
    if (c == NULL)
        return -1;
    const struct catalog_table *t = catalog_find(c, st->database, st->table, false);
    int rc = -1;
    if (t == NULL || !t->readable) {
        (void)error_set(err, ERR_SCHEMA, "table '" STR_FMT "." STR_FMT "' is gone",
                        STR_ARG(st->database), STR_ARG(st->table));
    } else {
        pthread_mutex_lock(&st->lock);
        rc = plan_again_locked(r, st, t, err);
        pthread_mutex_unlock(&st->lock);
    }
    catalog_free(c);
    return rc;
}

/* Enough for all readers to end at about the same time; full_split() makes fewer of a
 * small table. It asks the server, since the catalog's numbers may be a day old. */
static unsigned parts_for(const struct reader_pool *p)
{
    unsigned readers = p->options->source_connections;
    return readers < 2 ? 1 : readers * 4;
}

/* The stream's ranges, found by the server, are told to the spool thread, then to the
 * other readers: START comes before any row. */
int reader_start_stream(struct table_reader *r, struct stream *st, struct error *err)
{
    struct reader_pool *p = r->pool;
    struct page_range *ranges = NULL;
    size_t count = 0;
    if (reader_connect(r, err) != 0)
        return -1;
    pthread_mutex_lock(&st->lock);
    unsigned generation = atomic_load(&st->generation);
    const struct catalog_table *found = st->found;
    struct stream_shape_plan *shape = st->shape;
    enum full_method method = st->method;
    uint64_t version = st->version;
    pthread_mutex_unlock(&st->lock);
    CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)64 << 20);
    unsigned parts = method == FULL_PAGES && !st->by_key ? parts_for(p) : 1;
    int64_t sequence = /* before the first page: at P0 */
        st->by_log ? st->sequence : reader_next_sequence(p);
    struct full_cut cut = { .shape = shape->schema, .found = found, .parts = parts };
    static struct page_range all; /* in order of another key there is no cutting */
    if (st->by_key || st->starts_empty) {
        ranges = &all;
        count = 1;
    } else if (full_split(r->session, a, &cut, &ranges, &count, err) != 0)
        return -1;

    pthread_mutex_lock(&st->lock);
    st->ranges = ARENA_ARRAY(st->arena, struct page_range, count);
    for (size_t i = 0; i < count; i++)
        st->ranges[i] =
            (struct page_range){ .after = arena_str(st->arena, ranges[i].after),
                                 .upto = arena_str(st->arena, ranges[i].upto) };
    st->sequence = sequence;
    atomic_store(&st->next_number, sequence);
    struct delivery *d = delivery_new(DELIVERY_START, st, generation);
    d->shape = shape;
    d->ranges = st->ranges;
    d->range_count = count;
    d->version = version;
    d->sequence = sequence;
    d->resumable = method == FULL_PAGES;
    pthread_mutex_unlock(&st->lock);
    if (reader_push(p, d, err) != 0)
        return -1;
    pthread_mutex_lock(&st->lock);
    st->range_count = count;
    st->next_range = 0;
    pthread_mutex_unlock(&st->lock);
    reader_go_on(p, st);
    return 0;
}

void reader_go_on(struct reader_pool *p, struct stream *st)
{
    pthread_mutex_lock(&st->lock);
    if (st->phase != PHASE_FAILED) /* the loader may have given it up meanwhile */
        st->phase = PHASE_READING;
    pthread_mutex_unlock(&st->lock);
    wake_others(p);
}

bool reader_is_current(const struct table_reader *r)
{
    const struct stream *st = r->task.stream;
    return !atomic_load(&st->failed) &&
           atomic_load(&st->generation) == r->task.generation;
}

/* Look at the table again and begin, in spite of connections that are lost on the way. */
static int begin_anew(struct table_reader *r, struct stream *st, struct error *err)
{
    for (unsigned tries = 1;; tries++) {
        *err = (struct error){ 0 };
        if (reader_connect(r, err) == 0 && rediscover(r, st, err) == 0 &&
            reader_start_stream(r, st, err) == 0)
            return 0;
        if (err->code != ERR_NETWORK || tries == RESTARTS_MAX)
            return -1;
        reader_disconnect(r);
    }
}

int reader_restart(struct table_reader *r, struct error *err)
{
    struct reader_pool *p = r->pool;
    struct stream *st = r->task.stream;
    if (st->by_log) { /* changes are held for this version, not for the next one */
        atomic_store(&st->again, true);
        return -1;
    }
    if (!begin_restart(st, r->task.generation))
        return reader_is_current(r) ? -1 : 0;
    log_error(LOG_INFO, "copy starts again", err);
    struct delivery *d = delivery_new(DELIVERY_RESTART, st, atomic_load(&st->generation));
    if (reader_push(p, d, err) != 0)
        return -1;
    if (begin_anew(r, st, err) == 0)
        return 0;
    /* the caller's task is of the generation before, so the failure is told here */
    if (err->code != ERR_CANCELLED)
        reader_fail_stream(p, st, err);
    return -1;
}
