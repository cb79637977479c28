/* The open epoch of the log lane. See log_lane_internal.h. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "sync/log_lane_internal.h"

#include <inttypes.h>
#include <stdlib.h>

/* Rows of an epoch lie uncompressed in one transaction of the destination, so rows that
 * compress well end it too. */
#define RAW_BYTES_PER_BYTE 4

/* A lane that only moves on is captured so often: where to go on must not age out of the
 * log. */
#define MOVE_US (60LL * 1000 * 1000)

/* Shortest epoch of a job that follows. */
#define FOLLOW_US (1000LL * 1000)

static void put_shape(struct log_lane *l, const struct log_table *t)
{
    struct str json = str_of(t->shape->json);
    epoch_shape(l->epoch, t->index, t->shape->schema->version, json);
    if (t->live_version != 0)
        epoch_shape(l->epoch, t->live_index, t->shape->schema->version, json);
}

int log_epoch_touch(struct log_lane *l, struct log_table *t)
{
    struct stream *st = t->stream;
    if (t->epoch == l->number)
        return t->index;
    struct manifest_stream ms = { .database = st->database,
                                  .table = st->table,
                                  .target = st->target,
                                  .version = t->version,
                                  .sequence = t->action_number,
                                  .keyless = t->shape->schema->key_count == 0,
                                  .join = JOIN_LOG,
                                  .changes = true,
                                  .held = t->state == LOG_TABLE_HELD || t->was_held,
                                  .cut = t->cut,
                                  .append = st->options.load == LOAD_APPEND,
                                  .truncated_at = t->action_at,
                                  .deletes = (enum delete_way)st->options.deletes,
                                  .reason = t->reason,
                                  .bookmark = st->bookmark,
                                  .kept = st->kept,
                                  .kept_count = st->kept_count,
                                  .fills = t->fills,
                                  .fill_count = t->fill_count };
    if (!log_cascade_is_child(l, t)) /* what a foreign key did needs all before it */
        ms.held_limit = l->config.plan->options->held_limit;
    if (!ms.held)
        ms.live_version = t->version;
    t->index = epoch_stream(l->epoch, &ms);
    t->epoch = l->number;
    if (t->live_version != 0) {
        ms.held = false;
        ms.version = ms.live_version = t->live_version;
        ms.cut = 0;
        ms.rows_of = (uint32_t)t->index + 1;
        t->live_index = epoch_stream(l->epoch, &ms);
    }
    put_shape(l, t);
    return t->index;
}

/* What becomes of a copy is no matter of the live version; what the table may not do any
 * more is none of what is held. */
static void put_action(struct log_lane *l, struct log_table *t)
{
    unsigned left = ACTION_PARK | ACTION_GONE;
    int index = log_epoch_touch(l, t);
    if (t->live_version == 0) {
        epoch_set_action(l->epoch, index, t->actions);
        return;
    }
    epoch_set_action(l->epoch, index, t->actions & ~left);
    epoch_set_action(l->epoch, t->live_index, t->actions & (left | ACTION_TRUNCATE));
}

static void put_actions(struct log_lane *l)
{
    for (size_t i = 0; i < l->table_count; i++)
        if (l->tables[i].actions != 0 || l->tables[i].announce)
            put_action(l, &l->tables[i]);
}

int log_epoch_open(struct log_lane *l, struct error *err)
{
    const struct log_lane_config *c = &l->config;
    if (l->epoch == NULL) {
        if (lane_wait_room(c->lane, c->hard, err) != 0)
            return -1;
        int64_t now = clock_wall_us() * 1000;
        if (now > l->numbers.next)
            l->numbers.next = now;
        l->number = lane_next_number(c->lane);
        l->epoch = epoch_begin(lane_dir(c->lane), l->number, &c->header, &c->epoch, err);
        l->began_at = clock_mono_us();
        l->raw_bytes = 0;
        if (l->epoch == NULL)
            return -1;
    }
    put_actions(l);
    return 0;
}

static int add_rejects(struct log_lane *l, struct log_table *t, struct error *err)
{
    struct stream *st = t->stream;
    CLEANUP(buf_done) struct buf name;
    buf_init(&name, 4096);
    buf_printf(&name, STR_FMT "." STR_FMT, STR_ARG(st->database), STR_ARG(st->table));
    for (size_t i = 0; i < t->rejected->reject_count; i++) {
        const struct rejected_row *row = &t->rejected->rejects[i];
        struct reject r = { .table = buf_str(&name),
                            .reason = str_of(row->reason),
                            .record = str_of(row->record),
                            .sequence = l->numbers.next,
                            .at = row->at };
        if (row->column < t->shape->schema->column_count)
            r.column = t->shape->schema->columns[row->column].name;
        if (epoch_add_reject(l->epoch, t->index, &r, err) != 0)
            return -1;
    }
    delivery_free(t->rejected);
    t->rejected = NULL;
    return 0;
}

int log_epoch_flush(struct log_lane *l, struct log_table *t, struct error *err)
{
    if (t->block == NULL && t->rejected == NULL)
        return 0;
    log_reread_spoil(l);
    if (log_epoch_open(l, err) != 0)
        return -1;
    t->epoch_rows += t->rows;
    t->epoch_rejected += t->rejected_rows;
    t->rows = t->rejected_rows = 0;
    int index = log_epoch_touch(l, t);
    put_shape(l, t);
    if (t->block != NULL) {
        if (t->block->rows > 0 && epoch_add_block(l->epoch, index, t->block, err) != 0)
            return -1;
        l->raw_bytes += t->block->bytes.len;
        l->open_bytes -= t->counted_bytes;
        t->counted_bytes = 0;
        block_free(t->block);
        t->block = NULL;
    }
    return t->rejected == NULL ? 0 : add_rejects(l, t, err);
}

void log_epoch_count(struct log_lane *l, struct log_table *t)
{
    size_t now = t->block == NULL ? 0 : t->block->bytes.len;
    l->open_bytes += now - t->counted_bytes;
    t->counted_bytes = now;
}

int log_epoch_bound(struct log_lane *l, struct error *err)
{
    while (l->open_bytes > l->config.plan->options->queue_bytes) {
        struct log_table *largest = NULL;
        for (size_t i = 0; i < l->table_count; i++)
            if (largest == NULL || l->tables[i].counted_bytes > largest->counted_bytes)
                largest = &l->tables[i];
        if (largest == NULL || largest->counted_bytes == 0)
            return 0;
        if (log_epoch_flush(l, largest, err) != 0)
            return -1;
    }
    return 0;
}

/* Without its copy a table is the live version that it was before. */
static void go_back(struct log_table *t)
{
    if (!t->returns)
        return;
    t->returns = false;
    t->state = LOG_TABLE_LIVE;
    t->version = t->live_version;
    t->live_version = 0;
}

/* Rows count from now on: they are captured. */
static void count_rows(struct log_lane *l)
{
    for (size_t i = 0; i < l->table_count; i++) {
        struct log_table *t = &l->tables[i];
        atomic_fetch_add(&t->stream->rows_read, t->epoch_rows);
        atomic_fetch_add(&t->stream->rows_rejected, t->epoch_rejected);
        t->rejected_before += t->epoch_rejected;
        t->epoch_rows = t->epoch_rejected = 0;
        t->reread = false;
        t->actions = 0;
        t->action_number = t->action_at = 0;
        t->was_held = t->announce = t->changed = false;
        t->fill_count = 0;
        go_back(t);
    }
    l->touched = 0;
    l->pending = false;
}

int log_epoch_flush_all(struct log_lane *l, struct error *err)
{
    for (size_t i = 0; i < l->table_count; i++)
        if (log_epoch_flush(l, &l->tables[i], err) != 0)
            return -1;
    return 0;
}

int log_epoch_seal(struct log_lane *l, bool even_empty, struct error *err)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)256 << 20);
    int64_t last = 0;
    const struct log_position *place = log_reread_place(l, &last);
    bool earlier = place != NULL; /* what was read behind it stays for the next one */
    if (!earlier && log_reread_waits(l))
        return error_set(err, ERR_BUG, "an epoch would lack rows that wait to be read");
    struct str to =
        log_position_format(a, earlier ? place : log_reader_position(l->reader));
    bool moved = !str_eq(to, str_of(l->captured));
    if ((!earlier && log_epoch_flush_all(l, err) != 0) ||
        (l->pending && log_epoch_open(l, err) != 0))
        return -1;
    if (l->epoch == NULL && !(even_empty && moved))
        return 0;
    if (log_epoch_open(l, err) != 0)
        return -1;
    uint64_t bytes = epoch_bytes(l->epoch), rows = epoch_rows(l->epoch);
    if (epoch_seal(l->epoch, str_of(l->captured), to,
                   earlier ? last : l->numbers.next - 1, err) != 0)
        return -1;
    l->epoch = NULL;
    count_rows(l);
    free(l->captured);
    l->captured = xstrdup(arena_text(a, to));
    l->sealed_at = clock_mono_us();
    log_event(LOG_DEBUG, "epoch of the log captured", F_UINT("epoch", l->number),
              F_UINT("rows", rows), F_UINT("bytes", bytes));
    lane_captured(l->config.lane, l->number, bytes);
    l->number = 0;
    return 0;
}

void log_epoch_drop(struct log_lane *l)
{
    epoch_abort(l->epoch);
    l->epoch = NULL;
    l->number = 0;
    l->open_bytes = 0;
    l->touched = 0;
    l->now_count = 0;
    l->mid = false;
    log_reread_drop(l);
    for (size_t i = 0; i < l->table_count; i++) {
        log_table_drop_rows(&l->tables[i]);
        l->tables[i].actions &= ACTION_PARK | ACTION_GONE | ACTION_ABANDON;
        l->tables[i].counted_bytes = 0;
        l->tables[i].fill_count = 0; /* what led to them is read again */
        l->tables[i].epoch = 0;
        l->tables[i].changed = false;
        /* its rows come again, with other numbers */
        l->tables[i].past_ended = false;
    }
}

bool log_epoch_is_due(const struct log_lane *l)
{
    const struct sync_options *o = l->config.plan->options;
    int64_t now = clock_mono_us();
    if (l->epoch == NULL && l->open_bytes == 0 && !l->pending && !log_reread_waits(l))
        return now - l->sealed_at >= MOVE_US;
    int64_t age = o->epoch_age_us;
    if (l->config.follow) {
        int64_t twice = 2 * atomic_load(l->config.load_us);
        age = twice > FOLLOW_US ? twice : FOLLOW_US;
    }
    if (l->pending || l->touched >= l->config.tables_most ||
        (l->epoch != NULL && epoch_is_full(l->epoch)))
        return true;
    uint64_t stored = l->epoch == NULL ? 0 : epoch_bytes(l->epoch);
    return now - l->began_at >= age || stored >= o->epoch_bytes ||
           l->raw_bytes + l->open_bytes >= o->epoch_bytes * RAW_BYTES_PER_BYTE;
}
