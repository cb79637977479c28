/* The loader thread. See loader.h. */
#include "sync/loader.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "spool/epoch.h"

#include <stdlib.h>

#define MANIFEST_ARENA_LIMIT ((size_t)512 << 20)
#define LOAD_TRIES_MAX 8u

/* The stream of the job that this entry is about. */
static struct stream *stream_of(struct loader *l, const struct manifest_stream *ms)
{
    for (size_t i = 0; i < l->stream_count; i++)
        if (str_eq(l->streams[i].table, ms->table) &&
            str_eq(l->streams[i].database, ms->database) &&
            (l->streams[i].sweep_of != NULL) == (ms->join == JOIN_SWEEP))
            return &l->streams[i];
    return NULL;
}

/* The entry is of the live version that is followed while the next one is copied, or was
 * until that copy was given up. */
static bool is_still_live(const struct stream *st, const struct manifest_stream *ms)
{
    return st->still_live != 0 && ms->changes && ms->version == st->still_live;
}

/* Whether the entry is of the version now being made, not of one that a restart left
 * behind. Rows that both versions have are the new one's. Called with stream.lock held.
 */
static bool is_current_locked(const struct stream *st, const struct manifest_stream *ms)
{
    return st->version == ms->version || (is_still_live(st, ms) && ms->rows_of == 0);
}

static void mark_failed(struct loader *l, const struct manifest_stream *ms,
                        const struct error *why)
{
    struct stream *st = stream_of(l, ms);
    log_error(LOG_WARN,
              ms->rows_of != 0
                  ? "the live version cannot be followed any further, its copy goes on"
                  : "table failed at loading and is left out, the others go on",
              why);
    if (st == NULL)
        return;
    pthread_mutex_lock(&st->lock);
    if (is_still_live(st, ms))
        atomic_store(&st->live_failed, true);
    if (is_current_locked(st, ms)) {
        if (st->phase != PHASE_FAILED)
            st->why = *why;
        st->phase = PHASE_FAILED;
        if (st->by_log) /* it was live until here */
            atomic_store(&st->joined, false);
        atomic_store(&st->failed, true);
        atomic_store(&st->ended_at, clock_mono_us());
    }
    pthread_mutex_unlock(&st->lock);
}

/* What one stream has of an epoch. An epoch that was loaded by a try of ours whose answer
 * was lost is not counted again by the destination: its manifest says what it had. */
static void count_stream(struct loader *l, const struct manifest_stream *ms,
                         const struct load_stream *had, bool already_loaded)
{
    uint64_t applied = had->applied;
    if (already_loaded && (ms->actions & ACTION_ABANDON) == 0 &&
        (ms->join == JOIN_REPLACE || ms->join == JOIN_ADD))
        applied = ms->counts.encoded;
    atomic_fetch_add(&l->rows_loaded, applied);
    struct stream *st = stream_of(l, ms);
    if (st == NULL)
        return;
    pthread_mutex_lock(&st->lock);
    if (is_current_locked(st, ms)) {
        atomic_fetch_add(&st->rows_applied, applied);
        atomic_fetch_add(&st->rows_superseded, had->superseded);
        atomic_fetch_add(&st->rows_known, had->known);
        if ((ms->actions & ACTION_JOIN) != 0)
            atomic_store(&st->joined, true);
        if ((ms->actions & ACTION_COPIED) != 0)
            atomic_store(&st->copied, true);
    }
    pthread_mutex_unlock(&st->lock);
}

/* What a live version has of rows that are held for the next one: they count there, at
 * the join, and here when there will be none. */
static void count_shared(struct loader *l, const struct manifest *m,
                         const struct manifest_stream *ms, const struct load_stream *had)
{
    struct stream *st = stream_of(l, ms);
    bool ends = (m->streams[ms->rows_of - 1].actions & ACTION_ABANDON) != 0;
    if (st == NULL || !is_still_live(st, ms))
        return;
    atomic_fetch_add(&st->shared_applied, had->applied);
    atomic_fetch_add(&st->shared_superseded, had->superseded);
    if (!ends)
        return;
    atomic_fetch_add(&st->rows_applied, atomic_exchange(&st->shared_applied, 0));
    atomic_fetch_add(&st->rows_superseded, atomic_exchange(&st->shared_superseded, 0));
}

static void count_loaded(struct loader *l, const struct manifest *m,
                         const struct load_outcome *o, const bool *excluded)
{
    for (size_t i = 0; i < m->stream_count && i < o->stream_count; i++)
        if (!excluded[i] && m->streams[i].rows_of != 0)
            count_shared(l, m, &m->streams[i], &o->streams[i]);
        else if (!excluded[i])
            count_stream(l, &m->streams[i], &o->streams[i], o->already_loaded);
    atomic_fetch_add(&l->epochs_loaded, 1);
}

/* A stream that failed before stays out of every later epoch of this version. */
static void exclude_failed(struct loader *l, const struct manifest *m, bool *excluded)
{
    for (size_t i = 0; i < m->stream_count; i++) {
        struct stream *st = stream_of(l, &m->streams[i]);
        bool dropped = (m->streams[i].actions & ACTION_ABANDON) != 0;
        if (st != NULL && !dropped)
            excluded[i] = is_still_live(st, &m->streams[i])
                              ? atomic_load(&st->live_failed)
                              : atomic_load(&st->failed);
    }
}

static void note_place(struct loaded_place *p, struct str position)
{
    if (p == NULL || position.len == 0)
        return;
    char *text = xcalloc(position.len + 1, 1);
    memcpy(text, position.ptr, position.len);
    pthread_mutex_lock(&p->lock);
    free(p->position);
    p->position = text;
    p->moved = true;
    pthread_mutex_unlock(&p->lock);
}

/* One epoch, without the streams that fail, and again after errors that pass. */
static int load_one(struct loader *l, const char *dir, struct error *err)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new(MANIFEST_ARENA_LIMIT);
    struct manifest m = { 0 };
    if (epoch_open(a, dir, &m, err) != 0) {
        if (err->code == ERR_PROTOCOL)
            err->hint =
                "The disk or another program changed captured files. Restore them, or "
                "run `tailrace reset NAME`, which drops what is captured and copies "
                "the tables from the start.";
        return -1;
    }
    bool *excluded = ARENA_ARRAY(a, bool, m.stream_count + 1);
    exclude_failed(l, &m, excluded);
    struct backoff pause = { .first_us = 200 * 1000, .cap_us = 10 * 1000 * 1000 };
    for (;;) {
        struct load_outcome o = { .failed_stream = -1 };
        *err = (struct error){ 0 };
        struct epoch_load epoch = { dir, excluded, m.stream_count };
        if (warehouse_load(l->warehouse, a, &epoch, &o, err) == 0) {
            count_loaded(l, &m, &o, excluded);
            note_place(l->loaded, m.to);
            return 0;
        }
        if (o.failed_stream >= 0 && (size_t)o.failed_stream < m.stream_count &&
            !excluded[o.failed_stream]) {
            excluded[o.failed_stream] = true;
            mark_failed(l, &m.streams[o.failed_stream], err);
            continue;
        }
        if (error_action(err) != ACT_RETRY || pause.tries >= LOAD_TRIES_MAX ||
            cancel_requested(l->cancel) == CANCEL_HARD)
            return -1;
        log_error(LOG_WARN, "loading failed, trying again", err);
        (void)clock_wait_us(l->cancel, backoff_next_us(&pause));
    }
}

int loader_run(struct loader *l, struct error *err)
{
    for (;;) {
        uint64_t number = 0;
        const char *dir = NULL;
        int rc = lane_wait_epoch(l->lane, l->cancel, &number, &dir);
        if (rc == 0)
            return 0;
        if (rc < 0) {
            lane_stop_loading(l->lane);
            return error_set(err, ERR_CANCELLED, "stopped before everything was loaded");
        }
        int64_t began = clock_mono_us();
        if (load_one(l, dir, err) != 0 || lane_loaded(l->lane, number, err) != 0) {
            (void)error_wrap(err, "loading epoch %llu", (unsigned long long)number);
            lane_stop_loading(l->lane);
            return -1;
        }
        if (l->load_us != NULL)
            atomic_store(l->load_us, clock_mono_us() - began);
        log_event(LOG_DEBUG, "epoch loaded", F_UINT("epoch", number),
                  F_INT("took_ms", (clock_mono_us() - began) / 1000));
    }
}
