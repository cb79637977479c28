/* The database file of the owner: opened at need, one worker at a time, closed when idle.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "warehouse/frame.h"
#include "warehouse/owner_internal.h"

#include <unistd.h>

/* How often we look whether another program has let go. */
#define HELD_PAUSE_US (INT64_C(2) * 1000 * 1000)

void owner_wake(struct owner *o)
{
    uint64_t one = 1;
    ssize_t n = write(o->wake, &one, sizeof(one));
    (void)n; /* full means readable */
}

/* ---- the turn -------------------------------------------------------------------- */

/* Under the lock. */
static int wait_change(struct client *c, struct error *err)
{
    if (cancel_check(c->cancel, err) != 0)
        return -1;
    (void)pthread_cond_wait(&c->owner->changed, &c->owner->lock);
    return 0;
}

/* Under the lock. */
static int take_turn(struct client *c, struct error *err)
{
    struct owner *o = c->owner;
    while (o->turn)
        if (wait_change(c, err) != 0)
            return -1;
    if (cancel_check(c->cancel, err) != 0)
        return -1;
    o->turn = true;
    return 0;
}

/* Under the lock. */
static void give_turn(struct owner *o)
{
    o->turn = false;
    o->used_at = clock_mono_us();
    (void)pthread_cond_broadcast(&o->changed);
    owner_wake(o);
}

/* Under the lock, with the turn: from now on nobody begins to read. */
static int begin_close(struct client *c, struct error *err)
{
    struct owner *o = c->owner;
    while (o->readers > 0)
        if (wait_change(c, err) != 0)
            return -1;
    o->closing = true;
    return 0;
}

/* After begin_close(), without the lock. */
static void close_file(struct owner *o)
{
    FAULT("warehouse.closing");
    o->backend->close(o->sink);
    FAULT("warehouse.closed");
    log_event(LOG_INFO, "database closed", F_STR("path", o->path));
    (void)pthread_mutex_lock(&o->lock);
    o->sink = NULL;
    o->doomed = false;
    o->closing = false;
    (void)pthread_mutex_unlock(&o->lock);
}

/* An error that may have left the database unusable: the next request opens it anew. */
static bool dooms(const struct error *failed)
{
    return failed != NULL && (failed->code == ERR_TARGET || failed->code == ERR_IO ||
                              failed->code == ERR_BUG);
}

void file_give(struct owner *o, const struct error *failed)
{
    (void)pthread_mutex_lock(&o->lock);
    if (dooms(failed))
        o->doomed = o->sink != NULL;
    give_turn(o);
    (void)pthread_mutex_unlock(&o->lock);
}

/* ---- opening --------------------------------------------------------------------- */

/* The turn, and the file closed if it is doomed. *is_open: nothing is left to do. */
static int take_turn_and_look(struct client *c, bool *is_open, struct error *err)
{
    struct owner *o = c->owner;
    (void)pthread_mutex_lock(&o->lock);
    int rc = take_turn(c, err);
    bool must_close = rc == 0 && o->sink != NULL && o->doomed;
    if (must_close && begin_close(c, err) != 0) {
        give_turn(o);
        rc = -1;
    }
    *is_open = o->sink != NULL && !o->doomed;
    (void)pthread_mutex_unlock(&o->lock);
    if (rc == 0 && must_close)
        close_file(o);
    return rc;
}

/* With the turn. 0: open, 1: another program has the file (holder says who), -1: failed.
 */
static int try_open(struct owner *o, struct buf *holder, struct error *err)
{
    buf_clear(holder);
    if (place_holder(o->path.ptr, holder))
        return 1;
    struct sink *s =
        o->backend->open(o->path, o->options->settings, o->options->setting_count, err);
    if (s == NULL) /* it may have come between */
        return err->code == ERR_TARGET && place_holder(o->path.ptr, holder) ? 1 : -1;
    FAULT("warehouse.opened");
    log_event(LOG_INFO, "database opened", F_STR("path", o->path));
    (void)pthread_mutex_lock(&o->lock);
    o->sink = s;
    (void)pthread_mutex_unlock(&o->lock);
    return 0;
}

/* Without the turn, so that others get their news as well. */
static int tell_and_wait(struct client *c, struct str holder, struct error *err)
{
    if (reply_encode_waiting(&c->out, holder, err) != 0 ||
        frame_send(c->fd, buf_str(&c->out), c->cancel, err) != 0)
        return -1;
    (void)clock_wait_us(c->cancel, HELD_PAUSE_US);
    return cancel_check(c->cancel, err);
}

int file_take(struct client *c, struct error *err)
{
    struct owner *o = c->owner;
    CLEANUP(buf_done) struct buf holder;
    buf_init(&holder, 256);
    for (;;) {
        struct error why = { 0 };
        bool is_open = false;
        if (take_turn_and_look(c, &is_open, err) != 0)
            return -1;
        int rc = is_open ? 0 : try_open(o, &holder, &why);
        if (rc == 0)
            return 0;
        file_give(o, NULL);
        if (rc < 0) {
            *err = why;
            return -1;
        }
        if (tell_and_wait(c, buf_str(&holder), err) != 0)
            return -1;
    }
}

/* ---- readers --------------------------------------------------------------------- */

/* An open file can be read while a load has the turn, a closing one cannot. */
static bool join_readers(struct owner *o)
{
    (void)pthread_mutex_lock(&o->lock);
    bool joined = o->sink != NULL && !o->doomed && !o->closing;
    if (joined)
        o->readers++;
    (void)pthread_mutex_unlock(&o->lock);
    return joined;
}

int file_read_begin(struct client *c, struct error *err)
{
    while (!join_readers(c->owner)) {
        if (file_take(c, err) != 0)
            return -1;
        bool joined = join_readers(c->owner);
        file_give(c->owner, NULL);
        if (joined)
            break;
    }
    return 0;
}

void file_read_end(struct owner *o, const struct error *failed)
{
    (void)pthread_mutex_lock(&o->lock);
    o->readers--;
    if (dooms(failed))
        o->doomed = o->sink != NULL;
    o->used_at = clock_mono_us();
    (void)pthread_cond_broadcast(&o->changed);
    (void)pthread_mutex_unlock(&o->lock);
    owner_wake(o);
}

/* ---- closing --------------------------------------------------------------------- */

int file_release(struct client *c, struct error *err)
{
    struct owner *o = c->owner;
    (void)pthread_mutex_lock(&o->lock);
    int rc = take_turn(c, err);
    bool is_open = o->sink != NULL;
    if (rc == 0 && is_open && begin_close(c, err) != 0) {
        give_turn(o);
        rc = -1;
    }
    (void)pthread_mutex_unlock(&o->lock);
    if (rc != 0)
        return -1;
    if (is_open)
        close_file(o);
    file_give(o, NULL);
    return 0;
}

/* Under the lock. Microseconds until the open, unused file is to be closed; -1: not by
 * time. */
static int64_t time_to_close(const struct owner *o)
{
    int64_t left = o->options->idle_us - (clock_mono_us() - o->used_at);
    bool anybody = false;
    for (size_t i = 0; i < OWNER_CLIENTS_LIMIT; i++)
        anybody |= o->clients[i].used;
    if (o->stopping || (o->options->idle_us < 0 && !anybody))
        return 0;
    if (o->options->idle_us < 0)
        return -1;
    return left < 0 ? 0 : left;
}

int64_t file_idle(struct owner *o)
{
    (void)pthread_mutex_lock(&o->lock);
    int64_t left = -1;
    if (o->sink != NULL && !o->turn && o->readers == 0)
        left = time_to_close(o);
    if (left == 0)
        o->turn = o->closing = true;
    (void)pthread_mutex_unlock(&o->lock);
    if (left != 0)
        return left;
    close_file(o);
    file_give(o, NULL);
    return -1;
}
