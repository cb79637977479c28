/* The spool thread. See spooler.h for what it promises.
 *
 *   pop ─▶ start / rows / restart / failed ─▶ epoch open? ─▶ add ─▶ full or old? ─▶ seal
 * = capture
 */
#include "sync/spooler.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdlib.h>

/* The destination holds an epoch's rows uncompressed in one transaction, so rows that
 * compress well end an epoch too: at this multiple of epoch_bytes. */
#define RAW_BYTES_PER_BYTE 4

struct spooler {
    const struct spooler_config *config;
    struct epoch_writer *epoch; /* owned; NULL between epochs */
    int64_t epoch_began_at;     /* monotonic */
    uint64_t raw_bytes;         /* of rows in the open epoch, before compression */
    uint64_t number;
    struct stream **touched; /* owned array: streams with news in the open epoch */
    size_t touched_count, touched_cap;
    int64_t sequence; /* highest reserved */
};

/* --- progress kept in the stream ------------------------------------------------------
 */

static struct str own_bytes(struct str s)
{
    if (s.len == 0)
        return (struct str){ 0 };
    char *copy = xcalloc(1, s.len);
    memcpy(copy, s.ptr, s.len);
    return (struct str){ copy, s.len };
}

static void free_bytes(struct str *s)
{
    union {
        const char *borrowed;
        char *owned;
    } u = { .borrowed = s->ptr };
    free(u.owned);
    *s = (struct str){ 0 };
}

void spooler_forget(struct stream *st)
{
    for (size_t i = 0; i < st->spooled.progress.range_count; i++) {
        free_bytes(&st->spooled.progress.ranges[i].after);
        free_bytes(&st->spooled.progress.ranges[i].upto);
    }
    free(st->spooled.progress.ranges);
    st->spooled.progress = (struct page_position){ 0 };
}

static void progress_begin(struct stream *st, uint64_t shape_hash,
                           const struct page_range *ranges, size_t count)
{
    spooler_forget(st);
    st->spooled.progress.shape_hash = shape_hash;
    st->spooled.progress.range_count = count;
    st->spooled.progress.ranges = xcalloc(count == 0 ? 1 : count, sizeof *ranges);
    for (size_t i = 0; i < count; i++)
        st->spooled.progress.ranges[i] =
            (struct page_range){ .after = own_bytes(ranges[i].after),
                                 .upto = own_bytes(ranges[i].upto),
                                 .done = ranges[i].done };
}

static void set_join(struct stream *st, enum join_kind join, uint64_t version)
{
    st->spooled.join = join;
    st->spooled.live_version = join == JOIN_REPLACE ? 0 : st->live_version;
    if (join_changes_live(join))
        st->spooled.live_version = version;
    st->spooled.version = version;
}

void spooler_resume(struct stream *st, const struct page_position *progress)
{
    progress_begin(st, progress->shape_hash, progress->ranges, progress->range_count);
    st->spooled.progress.first_at = progress->first_at;
    st->spooled.progress.last_at = progress->last_at;
    set_join(st, st->join, st->version);
    st->spooled.sequence = st->sequence;
    st->spooled.begun = true;
    st->spooled.resumable = true;
    st->spooled.keyless = st->shape->schema->key_count == 0;
    st->spooled.shape = st->shape->schema->version;
}

void spooler_replace(struct stream *st, uint64_t version, enum join_kind join)
{
    spooler_forget(st);
    set_join(st, join, version);
    st->spooled.begun = true;
}

/* --- the open epoch -------------------------------------------------------------------
 */

static int open_epoch(struct spooler *sp, struct error *err)
{
    if (sp->epoch != NULL)
        return 0;
    const struct spooler_config *c = sp->config;
    if (lane_wait_room(c->lane, c->cancel, err) != 0)
        return -1;
    sp->number = lane_next_number(c->lane);
    sp->epoch = epoch_begin(lane_dir(c->lane), sp->number, &c->header, &c->epoch, err);
    sp->epoch_began_at = clock_mono_us();
    sp->touched_count = 0;
    sp->raw_bytes = 0;
    return sp->epoch == NULL ? -1 : 0;
}

/* The stream's index in the open epoch, announced on first use. */
static int touch(struct spooler *sp, struct stream *st)
{
    if (st->spooled.epoch == sp->number)
        return st->spooled.index;
    struct manifest_stream ms = { .database = st->database,
                                  .table = st->table,
                                  .target = st->target,
                                  .version = st->spooled.version,
                                  .sequence = st->spooled.sequence,
                                  .keyless = st->spooled.keyless,
                                  .join = st->spooled.join,
                                  .live_version = st->spooled.live_version,
                                  .bookmark = st->bookmark,
                                  .kept = st->kept,
                                  .kept_count = st->kept_count };
    st->spooled.index = epoch_stream(sp->epoch, &ms);
    st->spooled.epoch = sp->number;
    if (sp->touched_count == sp->touched_cap) {
        sp->touched_cap = sp->touched_cap == 0 ? 16 : sp->touched_cap * 2;
        sp->touched =
            xreallocarray(sp->touched, sp->touched_cap, sizeof(struct stream *));
    }
    sp->touched[sp->touched_count++] = st;
    return st->spooled.index;
}

static void announce_shape(struct spooler *sp, int index,
                           const struct stream_shape_plan *shape)
{
    epoch_shape(sp->epoch, index, shape->schema->version, str_of(shape->json));
}

static int put_progress(struct spooler *sp, struct error *err)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)256 << 20);
    for (size_t i = 0; i < sp->touched_count; i++) {
        struct stream *st = sp->touched[i];
        struct str text = { 0 };
        if (st->spooled.epoch != sp->number)
            continue; /* its version ended in this epoch */
        if (st->spooled.resumable)
            text = page_position_format(a, &st->spooled.progress);
        if (arena_used(a) > (size_t)200 << 20)
            return error_set(err, ERR_LIMIT,
                             "progress of the open copies passes 200 MiB");
        epoch_set_progress(sp->epoch, st->spooled.index, text,
                           st->spooled.progress.first_at, st->spooled.progress.last_at);
    }
    return 0;
}

/* An epoch without rows and actions is not captured (a range ended without a row: that is
 * told with the stream's next rows). The next epoch gets its number, so what was
 * announced in this one is not announced in that. */
static int drop_empty(struct spooler *sp)
{
    for (size_t i = 0; i < sp->touched_count; i++)
        sp->touched[i]->spooled.epoch = 0;
    epoch_abort(sp->epoch);
    sp->epoch = NULL;
    return 0;
}

/* Rows of a delta are numbered one by one, past the clock when that was set back. */
static void reserve_numbers(struct spooler *sp)
{
    for (size_t i = 0; i < sp->touched_count; i++) {
        int64_t next = atomic_load(&sp->touched[i]->next_number);
        if (next > sp->sequence)
            sp->sequence = next;
    }
}

/* Capture the open epoch. */
static int seal(struct spooler *sp, struct error *err)
{
    if (sp->epoch == NULL)
        return 0;
    if (epoch_is_empty(sp->epoch))
        return drop_empty(sp);
    if (put_progress(sp, err) != 0)
        return -1;
    uint64_t bytes = epoch_bytes(sp->epoch);
    uint64_t rows = epoch_rows(sp->epoch);
    int64_t now_ns = clock_wall_us() * 1000;
    sp->sequence = now_ns > sp->sequence ? now_ns : sp->sequence + 1;
    reserve_numbers(sp);
    if (epoch_seal(sp->epoch, (struct str){ 0 }, (struct str){ 0 }, sp->sequence, err) !=
        0)
        return -1;
    sp->epoch = NULL;
    log_event(LOG_DEBUG, "epoch captured", F_UINT("epoch", sp->number),
              F_UINT("rows", rows), F_UINT("bytes", bytes));
    lane_captured(sp->config->lane, sp->number, bytes);
    return 0;
}

static int seal_when_due(struct spooler *sp, struct error *err)
{
    const struct spooler_config *c = sp->config;
    if (sp->epoch == NULL)
        return 0;
    bool old = clock_mono_us() - sp->epoch_began_at >= c->epoch_age_us;
    bool full = epoch_bytes(sp->epoch) >= c->epoch_bytes ||
                sp->raw_bytes >= c->epoch_bytes * RAW_BYTES_PER_BYTE ||
                epoch_is_full(sp->epoch);
    if (!full && !old)
        return 0;
    return seal(sp, err);
}

/* --- deliveries -----------------------------------------------------------------------
 */

/* What must be the same for a copy to go on in another run. */
static uint64_t progress_hash(const struct spooler *sp, const struct stream *st,
                              const struct table_schema *shape)
{
    return schema_hash(shape) ^ sp->config->row_policy ^ st->definition;
}

/* The unfinished version goes; its progress with it. */
static int end_version(struct spooler *sp, struct stream *st, struct error *err)
{
    if (!st->spooled.begun)
        return 0;
    if (open_epoch(sp, err) != 0)
        return -1;
    epoch_set_action(sp->epoch, touch(sp, st), ACTION_ABANDON);
    st->spooled.begun = false;
    spooler_forget(st);
    return 0;
}

static int begin_version(struct spooler *sp, const struct delivery *d, struct error *err)
{
    struct stream *st = d->stream;
    /* a table's rows and the look for what it lost are two epochs */
    if (st->sweep_of != NULL && sp->epoch != NULL &&
        st->sweep_of->spooled.epoch == sp->number && seal(sp, err) != 0)
        return -1;
    if (end_version(sp, st, err) != 0 || open_epoch(sp, err) != 0)
        return -1;
    set_join(st, st->join, d->version);
    st->spooled.sequence = d->sequence;
    st->spooled.resumable = d->resumable;
    st->spooled.keyless = d->shape->schema->key_count == 0;
    st->spooled.epoch = 0;
    st->spooled.shape = d->shape->schema->version;
    atomic_store(&st->rows_rejected, 0); /* of the version before */
    atomic_store(&st->rejected_before, 0);
    if (d->sequence > sp->sequence)
        sp->sequence = d->sequence;
    progress_begin(st, progress_hash(sp, st, d->shape->schema), d->ranges,
                   d->range_count);
    int index = touch(sp, st);
    announce_shape(sp, index, d->shape);
    epoch_set_action(sp->epoch, index, ACTION_BEGIN);
    st->spooled.begun = true;
    return 0;
}

/* A key that cannot be compared might be that of any row. */
static int give_sweep_up(struct spooler *sp, struct stream *st, struct error *err)
{
    pthread_mutex_lock(&st->lock);
    st->phase = PHASE_FAILED;
    (void)error_set(&st->why, ERR_DATA,
                    "keys of the source could not be represented, so "
                    "no row is marked deleted");
    st->why.hint = "See bad_text and dates among the options.";
    pthread_mutex_unlock(&st->lock);
    atomic_store(&st->failed, true);
    atomic_store(&st->ended_at, clock_mono_us());
    return end_version(sp, st, err);
}

static int add_rejects(struct spooler *sp, int index, const struct delivery *d,
                       struct error *err)
{
    struct stream *st = d->stream;
    if (d->reject_count > 0 && st->sweep_of != NULL)
        return give_sweep_up(sp, st, err);
    CLEANUP(buf_done) struct buf name;
    buf_init(&name, 4096);
    buf_printf(&name, STR_FMT "." STR_FMT, STR_ARG(st->database), STR_ARG(st->table));
    for (size_t i = 0; i < d->reject_count; i++) {
        const struct rejected_row *row = &d->rejects[i];
        struct reject r = { .table = buf_str(&name),
                            .reason = str_of(row->reason),
                            .record = str_of(row->record),
                            .sequence = st->spooled.sequence,
                            .at = row->at };
        if (row->column < d->shape->schema->column_count)
            r.column = d->shape->schema->columns[row->column].name;
        if (epoch_add_reject(sp->epoch, index, &r, err) != 0)
            return -1;
    }
    uint64_t all =
        atomic_fetch_add(&st->rows_rejected, d->reject_count) + d->reject_count;
    all += atomic_load(&st->rejected_before);
    if (all > sp->config->quarantine_limit && d->reject_count > 0 &&
        !atomic_exchange(&st->failed, true)) {
        pthread_mutex_lock(&st->lock);
        st->phase = PHASE_FAILED;
        (void)error_set(&st->why, ERR_LIMIT,
                        "%" PRIu64 " rows could not be represented, more than "
                        "quarantine_limit (%" PRIu64 ")",
                        all, sp->config->quarantine_limit);
        st->why.hint =
            "Look at the reasons in _sdc_rejected, then raise quarantine_limit "
            "or choose another policy.";
        pthread_mutex_unlock(&st->lock);
        atomic_store(&st->ended_at, clock_mono_us());
        return end_version(sp, st, err);
    }
    return 0;
}

/* A promoted column is part of what the next job expects to find when it goes on. */
static void follow_shape(const struct spooler *sp, struct stream *st,
                         const struct table_schema *shape)
{
    if (shape->version <= st->spooled.shape)
        return;
    st->spooled.shape = shape->version;
    st->spooled.progress.shape_hash = progress_hash(sp, st, shape);
}

static void advance(struct stream *st, const struct block *b)
{
    struct page_position *p = &st->spooled.progress;
    if (b->read_at != 0) {
        int64_t first = b->first_at == 0 ? b->read_at : b->first_at;
        if (p->first_at == 0 || first < p->first_at)
            p->first_at = first;
        if (b->read_at > p->last_at)
            p->last_at = b->read_at;
    }
    if (b->range >= p->range_count)
        return;
    struct page_range *r = &p->ranges[b->range];
    if (b->after.len > 0) {
        free_bytes(&r->after);
        r->after = own_bytes(buf_str(&b->after));
    }
    r->done = r->done || b->range_done;
}

static int add_rows(struct spooler *sp, const struct delivery *d, struct error *err)
{
    struct stream *st = d->stream;
    if (open_epoch(sp, err) != 0)
        return -1;
    int index = touch(sp, st);
    announce_shape(sp, index, d->shape);
    if (d->block->rows > 0 && epoch_add_block(sp->epoch, index, d->block, err) != 0)
        return -1;
    sp->raw_bytes += d->block->bytes.len;
    if (add_rejects(sp, index, d, err) != 0)
        return -1;
    if (atomic_load(&st->failed))
        return 0;
    advance(st, d->block);
    follow_shape(sp, st, d->shape->schema);
    if (page_position_done(&st->spooled.progress))
        epoch_set_action(sp->epoch, index,
                         st->spooled.join == JOIN_LOG ? ACTION_COPIED : ACTION_JOIN);
    return 0;
}

static int handle(struct spooler *sp, const struct delivery *d, struct error *err)
{
    struct stream *st = d->stream;
    if (d->generation != atomic_load(&st->generation))
        return 0;
    switch (d->kind) {
    case DELIVERY_START:
        return begin_version(sp, d, err);
    case DELIVERY_ROWS:
        return atomic_load(&st->failed) ? 0 : add_rows(sp, d, err);
    case DELIVERY_RESTART:
    case DELIVERY_FAILED:
        return end_version(sp, st, err);
    }
    return error_set(err, ERR_BUG, "delivery of unknown kind %d", (int)d->kind);
}

static int run(struct spooler *sp, struct error *err)
{
    for (;;) {
        int64_t wait_us = sp->config->epoch_age_us;
        if (sp->epoch != NULL)
            wait_us -= clock_mono_us() - sp->epoch_began_at;
        bool closed = false;
        struct delivery *d =
            queue_pop_for(sp->config->queue, wait_us > 0 ? wait_us : 0, &closed);
        if (d == NULL && closed)
            return seal(sp, err);
        int rc = d == NULL ? 0 : handle(sp, d, err);
        delivery_free(d);
        if (rc != 0 || seal_when_due(sp, err) != 0)
            return -1;
    }
}

int spooler_run(const struct spooler_config *config, struct error *err)
{
    struct spooler sp = { .config = config, .sequence = config->last_sequence };
    int rc = run(&sp, err);
    if (rc != 0) {
        queue_abort(config->queue);
        epoch_abort(sp.epoch);
    }
    free(sp.touched);
    return rc;
}
