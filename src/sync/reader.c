/* The reader threads. See reader.h. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "source/handover.h"
#include "source/key.h"
#include "spool/quarantine.h"
#include "sync/reader_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Rejected rows that one delivery gathers before it is pushed whatever its size. */
#define REJECTS_PER_DELIVERY 256u

/* A key is at most 3072 bytes in InnoDB (reference manual, "InnoDB Limits"); other
 * engines and 16 columns of lengths fit well below this. */
#define KEY_TUPLE_LIMIT (64u * 1024u)

/* Connections in a row that are lost before a single row came through. */
#define FRUITLESS_MAX 10u

void reader_pool_init(struct reader_pool *p)
{
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
}

void reader_pool_done(struct reader_pool *p)
{
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->changed);
}

/* --- work -----------------------------------------------------------------------------
 */

/* Take the next undone range of a stream that is being read. Called with pool.lock held.
 */
static bool take_range(struct table_reader *r, struct stream *st)
{
    bool taken = false;
    pthread_mutex_lock(&st->lock);
    while (st->phase == PHASE_READING && !taken && st->next_range < st->range_count) {
        size_t i = st->next_range++;
        if (st->ranges[i].done)
            continue;
        st->ranges_open++;
        r->task = (struct task){ .stream = st,
                                 .generation = atomic_load(&st->generation),
                                 .range = i,
                                 .from = st->ranges[i],
                                 .method = st->method,
                                 .shape = st->shape,
                                 .sequence = st->sequence,
                                 .found = st->found };
        taken = true;
    }
    pthread_mutex_unlock(&st->lock);
    return taken;
}

enum work { WORK_NONE, WORK_RANGE, WORK_START };

/* Keys are read behind the rows: a row that is there must have been there after. One
 * whose rows could not be read is not swept. */
static bool sweep_waits(struct stream *st)
{
    if (st->sweep_of == NULL)
        return false;
    if (atomic_load(&st->sweep_of->failed))
        atomic_store(&st->failed, true);
    return !atomic_load(&st->failed) && atomic_load(&st->sweep_of->ended_at) == 0;
}

/* The next stream that nobody has started. Called with pool.lock held. */
static struct stream *next_stream(struct reader_pool *p)
{
    while (p->next_stream < p->stream_count) {
        struct stream *st = &p->streams[p->next_stream];
        if (sweep_waits(st))
            return NULL;
        p->next_stream++;
        /* orphans are born failed, what only follows the log is born read */
        if (!atomic_load(&st->failed) && atomic_load(&st->ended_at) == 0)
            return st;
    }
    return NULL;
}

/* A range of a stream under way, else the next stream, else wait while others may still
 * make ranges. */
static enum work take_work(struct table_reader *r)
{
    struct reader_pool *p = r->pool;
    enum work work = WORK_NONE;
    pthread_mutex_lock(&p->lock);
    while (!reader_stopping(p)) {
        for (size_t i = 0; i < p->next_stream && work == WORK_NONE; i++)
            if (atomic_load(&p->streams[i].ended_at) == 0 &&
                take_range(r, &p->streams[i]))
                work = WORK_RANGE;
        struct stream *st = work == WORK_NONE ? next_stream(p) : NULL;
        if (st != NULL) {
            atomic_store(&st->started_at, clock_mono_us());
            r->task = (struct task){ .stream = st };
            work = WORK_START;
        }
        if (work != WORK_NONE || p->busy == 0)
            break;
        pthread_cond_wait(&p->changed, &p->lock);
    }
    if (work != WORK_NONE)
        p->busy++;
    else
        pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return work;
}

static void work_ended(struct reader_pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->busy--;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

/* --- one range ------------------------------------------------------------------------
 */

static void open_delivery(struct table_reader *r)
{
    struct task *t = &r->task;
    r->open = delivery_new(DELIVERY_ROWS, t->stream, t->generation);
    r->open->shape = t->shape;
    r->open->block =
        block_new(t->stream->index, t->shape->schema, r->pool->options->row_limit);
    r->open->block->range = (uint32_t)t->range;
}

/* Rows of a generation that is gone are not counted: they will not be loaded. */
static void count_block(const struct task *t, const struct block *b)
{
    struct stream *st = t->stream;
    int_fast64_t none = 0;
    pthread_mutex_lock(&st->lock);
    if (atomic_load(&st->generation) == t->generation) {
        atomic_fetch_add(&st->rows_read, b->source_rows);
        atomic_fetch_add(&st->bytes_read, b->source_bytes);
        for (unsigned i = 0; b->null_by_policy != NULL && i < b->column_count; i++)
            atomic_fetch_add(&st->nulls_by_policy, b->null_by_policy[i]);
        if (b->read_at != 0) {
            (void)atomic_compare_exchange_strong(&st->first_read_at, &none, b->read_at);
            atomic_store(&st->last_read_at, b->read_at);
        }
    }
    pthread_mutex_unlock(&st->lock);
}

/* Push what is open; the range's own resume point moves with it. */
static int flush(struct table_reader *r, bool range_done, struct error *err)
{
    struct block *b = r->open->block;
    b->range_done = range_done;
    buf_clear(&b->after);
    buf_add_str(&b->after, buf_str(&r->after));
    if (buf_check(&b->after, "a key", err) != 0)
        return -1;
    count_block(&r->task, b);
    struct delivery *d = r->open;
    r->open = NULL;
    return reader_push(r->pool, d, err);
}

/* A boolean column holds another number: from here on it is an integer, for every reader.
 */
static int promote(struct table_reader *r, unsigned column, struct error *err)
{
    struct stream *st = r->task.stream;
    if ((r->open->block->rows > 0 || r->open->reject_count > 0) &&
        flush(r, false, err) != 0)
        return -1;
    delivery_free(r->open);
    r->open = NULL;
    pthread_mutex_lock(&st->lock);
    struct stream_shape_plan *newest = st->shape;
    int rc = 0;
    if (atomic_load(&st->generation) != r->task.generation)
        /* the newest shape is of another reading of the table: not ours to change */
        rc = error_set(err, ERR_CANCELLED, "the copy has started again");
    else if (newest->schema->columns[column].type == TYPE_BOOL) {
        struct str name = newest->schema->columns[column].name;
        struct stream_name of = { r->pool->plan->integration, st->database, st->table };
        rc = state_promotion_save(r->pool->plan->state, &of, name, err);
        if (rc == 0 && newest->schema->key_count == 0 && join_changes_live(st->join))
            rc = error_set(err, ERR_DATA,
                           "column '" STR_FMT "' is an integer from now on, so rows "
                           "without a key cannot be told from those that were read "
                           "before; the next run copies the table anew",
                           STR_ARG(name));
        else if (rc == 0 && newest->schema->key_count == 0 &&
                 st->options.method == METHOD_KEY)
            /* the next read would not know the rows before this one: start again */
            rc = error_set(err, ERR_SCHEMA,
                           "column '" STR_FMT "' is an integer from now on",
                           STR_ARG(name));
        if (rc == 0)
            rc = shape_add(r->pool->plan, st,
                           schema_promote_bool(st->arena, newest->schema, column), err);
        log_event(LOG_INFO, "boolean column holds other numbers: an integer from here on",
                  F_STR("table", st->table), F_STR("column", name));
    }
    r->task.shape = st->shape;
    pthread_mutex_unlock(&st->lock);
    if (rc == 0)
        open_delivery(r);
    return rc;
}

static void reject(struct table_reader *r, const struct value *cells, unsigned column,
                   const char *reason)
{
    CLEANUP(buf_done) struct buf record;
    buf_init(&record, (size_t)REJECT_RECORD_LIMIT * 2);
    encode_reject_record(r->task.shape->schema, cells, REJECT_RECORD_LIMIT, &record);
    delivery_reject(r->open, column, reason, buf_str(&record), clock_wall_us());
}

/* Rows of one copy share its number; those of a delta are told apart by theirs, since a
 * row that changes while it is read comes twice. */
static int64_t number_row(const struct task *t)
{
    bool rows_change = t->stream->join == JOIN_MERGE || t->stream->join == JOIN_NEW;
    return rows_change ? atomic_fetch_add(&t->stream->next_number, 1) : t->sequence;
}

static int take_row(struct table_reader *r, const struct full_reader *fr,
                    const struct value *cells, bool too_big, struct error *err)
{
    struct encode_fault fault = { 0 };
    struct row_meta meta = { .op = OP_SNAPSHOT,
                             .sequence = number_row(&r->task),
                             .at = clock_wall_us() };
    enum encode_result result = ENCODE_TOO_BIG;
    while (!too_big) {
        result = encode_row(r->task.shape->encode, r->open->block, &meta, cells, &fault);
        if (result != ENCODE_PROMOTE)
            break;
        if (promote(r, fault.column, err) != 0)
            return -1;
    }
    if (result == ENCODE_TOO_BIG) {
        fault.column = UINT16_MAX;
        (void)snprintf(fault.reason, sizeof fault.reason,
                       "row of %" PRIu64 " bytes passes row_limit (%" PRIu64 ")",
                       full_reader_row_bytes(fr), r->pool->options->row_limit);
    }
    if (result != ENCODE_OK)
        reject(r, cells, fault.column, fault.reason);
    struct block *b = r->open->block;
    b->source_rows++;
    b->source_bytes += full_reader_row_bytes(fr);
    if (b->first_at == 0)
        b->first_at = full_reader_seen_at(fr);
    b->read_at = r->task.method == FULL_ONE_VIEW ? b->first_at : meta.at;
    if (r->task.method == FULL_PAGES) {
        buf_clear(&r->after);
        full_reader_key(fr, &r->after);
    }
    if (b->bytes.len >= BLOCK_SOFT_BYTES ||
        r->open->reject_count >= REJECTS_PER_DELIVERY) {
        if (flush(r, false, err) != 0)
            return -1;
        open_delivery(r);
    }
    return 0;
}

/* The filter, and for key-based reads order and bounds. */
static void bound_by_key(const struct table_reader *r, struct full_table *table)
{
    const struct stream *st = r->task.stream;
    table->where = st->options.where;
    if (!st->by_key)
        return;
    for (unsigned i = 0; i < table->shape->column_count; i++)
        if (str_ieq(table->shape->columns[i].name, st->options.key))
            table->by = &table->shape->columns[i];
    table->by_index = key_index_of(table->found, st->options.key);
    table->from = st->from;
    table->to = st->to;
}

/* Where in the log the one view lies: changes that it has are not applied again. */
static void keep_point(struct stream *st, const struct view_point *point)
{
    if (point->how.len == 0)
        return; /* nothing is known: its changes cannot be told from its rows */
    pthread_mutex_lock(&st->lock);
    st->view_low = log_position_format(st->arena, &point->low);
    st->view_high = log_position_format(st->arena, &point->high);
    pthread_mutex_unlock(&st->lock);
    log_event(LOG_INFO, "the view's place in the log is known", F_STR("by", point->how));
}

/* Read the range from its resume point to its end. 1: done, 0: stopped early (cancelled,
 * or the stream is no longer ours), -1: err. */
static int read_range(struct table_reader *r, struct error *err)
{
    const struct sync_options *o = r->pool->options;
    if (r->task.stream->starts_empty)
        return 1;
    struct full_options fo = { .page_bytes = o->page_bytes,
                               .page_time_us = o->page_time_us,
                               .row_limit = o->row_limit,
                               .view_age_us = o->view_age_us,
                               .replace_bad_text = o->replace_bad_text };
    struct page_range from = { .after = buf_str(&r->after), .upto = r->task.from.upto };
    struct full_table table = { .shape = r->task.shape->schema,
                                .found = r->task.found,
                                .method = r->task.method,
                                .pace = &r->task.stream->pace };
    bound_by_key(r, &table);
    CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)64 << 20);
    struct view_point point = { .source = r->pool->source,
                                .arena = a,
                                .cancel = r->pool->cancel,
                                .settle_us = o->handover_us };
    bool exact = r->task.stream->by_log && table.shape->key_count == 0;
    fo.point = exact ? &point : NULL;
    struct full_reader *fr =
        full_reader_open(r->session, &table, &from, &fo, r->pool->governor, err);
    if (fr == NULL)
        return -1;
    int rc = 0;
    while (rc == 0 && reader_is_current(r) && !reader_stopping(r->pool)) {
        const struct value *cells = NULL;
        enum full_next next = full_reader_next(fr, &cells, err);
        if (exact && next != FULL_ERROR) {
            keep_point(r->task.stream, &point); /* the view is open */
            exact = false;
        }
        if (next == FULL_END)
            rc = 1;
        else if (next == FULL_ERROR ||
                 (next != FULL_PAGE &&
                  take_row(r, fr, cells, next == FULL_TOO_BIG, err) != 0))
            rc = -1;
    }
    full_reader_close(fr);
    return rc;
}

/* Bring what was read before a fault or a stop to the spool: those rows are good. One
 * view without its end is worth nothing and is dropped. */
static int keep_partial(struct table_reader *r, struct error *err)
{
    if (r->open == NULL)
        return 0;
    bool worth = r->task.method == FULL_PAGES && reader_is_current(r) &&
                 r->open->block->source_rows > 0;
    if (worth)
        return flush(r, false, err);
    delivery_free(r->open);
    r->open = NULL;
    return 0;
}

/* A range of an older generation does not count any more. */
static void range_ended(struct stream *st, unsigned generation)
{
    pthread_mutex_lock(&st->lock);
    if (atomic_load(&st->generation) != generation) {
        pthread_mutex_unlock(&st->lock);
        return;
    }
    st->ranges_open--;
    bool more = st->ranges_open > 0;
    for (size_t i = st->next_range; i < st->range_count && !more; i++)
        more = !st->ranges[i].done;
    if (!more && st->phase == PHASE_READING) {
        st->phase = PHASE_READ;
        atomic_store(&st->ended_at, clock_mono_us());
    }
    pthread_mutex_unlock(&st->lock);
}

/* After a failed read: 0 when there is something left to do, -1 when the stream is lost.
 */
static int recover(struct table_reader *r, struct error *err)
{
    struct error ignored = { 0 };
    struct error cause = *err;
    if (keep_partial(r, &ignored) != 0)
        return -1;
    if (cause.code == ERR_NETWORK) {
        log_error(LOG_WARN, "connection to the source lost, connecting again", &cause);
        reader_disconnect(r);
        if (reader_connect(r, err) != 0)
            return -1;
        return r->task.method == FULL_PAGES ? 0 : reader_restart(r, err);
    }
    reader_disconnect(r); /* it may stand in the middle of a result */
    return cause.code == ERR_SCHEMA ? reader_restart(r, err) : -1;
}

/* Read on through lost connections, as long as each brings some rows. */
static int read_through(struct table_reader *r, struct error *err)
{
    struct backoff pause = { .first_us = 100 * 1000, .cap_us = 5 * 1000 * 1000 };
    uint64_t seen = 0;
    while (reader_is_current(r) && !reader_stopping(r->pool)) {
        if (reader_connect(r, err) != 0)
            return -1;
        if (r->open == NULL)
            open_delivery(r);
        int rc = read_range(r, err);
        if (rc != -1 || err->code == ERR_CANCELLED)
            return rc;
        uint64_t rows = atomic_load(&r->task.stream->rows_read);
        if (rows != seen)
            pause.tries = 0;
        seen = rows;
        if (err->code == ERR_NETWORK && pause.tries >= FRUITLESS_MAX)
            return -1;
        if (recover(r, err) != 0)
            return -1;
        (void)clock_wait_us(r->pool->cancel, backoff_next_us(&pause));
    }
    return 0;
}

static void run_range(struct table_reader *r)
{
    struct error err = { 0 };
    struct error late = { 0 };
    buf_clear(&r->after);
    buf_add_str(&r->after, r->task.from.after);
    log_scope_begin("table", r->task.stream->table);
    int rc = read_through(r, &err);
    if (rc == 1)
        rc = flush(r, true, &err) == 0 ? 1 : -1;
    else if (rc == 0)
        rc = keep_partial(r, &err);
    else if (err.code == ERR_CANCELLED)
        (void)keep_partial(r, &late); /* stopped while it waited for the next row */
    if (rc == -1 && err.code != ERR_CANCELLED && reader_is_current(r))
        reader_fail_stream(r->pool, r->task.stream, &err);
    delivery_free(r->open);
    r->open = NULL;
    if (rc != 1)
        reader_disconnect(r);
    range_ended(r->task.stream, r->task.generation);
    log_scope_end();
}

/* Begin a stream, or go on with the copy of an earlier run: the spool thread knows its
 * ranges. */
static int start(struct table_reader *r, struct stream *st, struct error *err)
{
    if (st->resumed) {
        atomic_store(&st->next_number, reader_next_sequence(r->pool));
        reader_go_on(r->pool, st);
        return 0;
    }
    int rc = reader_start_stream(r, st, err);
    if (rc != 0 && err->code == ERR_NETWORK) {
        reader_disconnect(r);
        *err = (struct error){ 0 };
        rc = reader_start_stream(r, st, err);
    }
    return rc;
}

static void run_start(struct table_reader *r)
{
    struct error err = { 0 };
    struct stream *st = r->task.stream;
    log_scope_begin("table", st->table);
    pthread_mutex_lock(&st->lock);
    st->phase = PHASE_STARTING;
    pthread_mutex_unlock(&st->lock);
    int rc = start(r, st, &err);
    if (rc != 0 && err.code != ERR_CANCELLED)
        reader_fail_stream(r->pool, st, &err);
    if (rc != 0)
        reader_disconnect(r);
    log_scope_end();
}

void reader_run(struct reader_pool *p)
{
    struct table_reader r = { .pool = p };
    buf_init(&r.after, KEY_TUPLE_LIMIT);
    for (;;) {
        enum work work = take_work(&r);
        if (work == WORK_NONE)
            break;
        if (work == WORK_START)
            run_start(&r);
        else
            run_range(&r);
        work_ended(p);
    }
    reader_disconnect(&r);
    buf_done(&r.after);
}
