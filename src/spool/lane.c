/* Invariants kept here:
 *
 *  5  Epochs are handed out in order, one at a time, and taken back in that order.
 *  6  A directory leaves only through lane_loaded(), or at opening when the destination's
 *     mark covers it.
 *  9  Captured bytes stay below the share, save for the epoch that passes it; kept epochs
 *     take only what the waiting ones leave.
 *
 * Loaded epochs that spool_keep keeps stay under the name .gone; the modification time of
 * the directory says since when. Their manifest is removed first, so that one which was
 * being removed at a crash is known by its absence.
 */
#include "spool/lane.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "spool/epoch_dir.h"
#include "spool/hashfile.h"
#include "spool/manifest.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A condition cannot wait for a cancel request as well, so waits look at it this often.
 */
#define CANCEL_LOOK_US 50000

struct entry {
    struct entry *next;
    uint64_t number;
    uint64_t bytes;
    int64_t loaded_at; /* of kept ones: wall */
    char *path;        /* owned: .epoch, of kept ones .gone */
};

/* Oldest first. */
struct entry_list {
    struct entry *first, *last;
    uint64_t count, bytes;
};

struct lane {
    char *dir; /* owned */
    struct lane_options options;
    pthread_mutex_t lock; /* everything below */
    pthread_cond_t changed;
    uint64_t next;
    struct entry_list waiting; /* captured, not loaded */
    struct entry_list kept;    /* loaded, still there */
    bool finished;
    bool stopped;
};

/* ---- lists --------------------------------------------------------------------------
 */

static void list_add(struct entry_list *list, struct entry *e)
{
    e->next = NULL;
    if (list->last == NULL)
        list->first = e;
    else
        list->last->next = e;
    list->last = e;
    list->count++;
    list->bytes += e->bytes;
}

static struct entry *list_take_first(struct entry_list *list)
{
    struct entry *e = list->first;
    list->first = e->next;
    if (list->first == NULL)
        list->last = NULL;
    list->count--;
    list->bytes -= e->bytes;
    return e;
}

static void entry_free(struct entry *e)
{
    free(e->path);
    free(e);
}

static void list_free(struct entry_list *list)
{
    while (list->first != NULL)
        entry_free(list_take_first(list));
}

static struct entry *entry_new(const char *dir, uint64_t number,
                               enum epoch_dir_state state)
{
    struct entry *e = xcalloc(1, sizeof(*e));
    e->number = number;
    e->path = epoch_dir_path(dir, number, state);
    return e;
}

static void lock(struct lane *l)
{
    (void)pthread_mutex_lock(&l->lock); /* fails for a broken mutex only */
}

static void unlock(struct lane *l)
{
    (void)pthread_mutex_unlock(&l->lock); /* as above */
}

/* ---- removing -----------------------------------------------------------------------
 */

static int remove_gone(const char *path, struct error *err)
{
    CLEANUP(free_pointer) char *manifest = hashfile_path(path, MANIFEST_FILE);
    if (unlink(manifest) < 0 && errno != ENOENT && errno != ENOTDIR)
        return hashfile_io_error(err, "removing", manifest, errno);
    return file_remove_tree(path, err);
}

/* From .epoch to .gone. A leftover of the same number is of another life of the lane. */
static int rename_gone(const char *epoch_path, const char *gone_path, struct error *err)
{
    if (remove_gone(gone_path, err) < 0)
        return -1;
    if (rename(epoch_path, gone_path) < 0)
        return hashfile_io_error(err, "renaming to", gone_path, errno);
    return 0;
}

/* When it was loaded, for the next start. */
static int stamp(const char *path, struct error *err)
{
    int64_t now = clock_wall_us();
    struct timespec times[2] = { { .tv_sec = now / 1000000,
                                   .tv_nsec = now % 1000000 * 1000 } };
    times[1] = times[0];
    if (utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) < 0)
        return hashfile_io_error(err, "stamping", path, errno);
    return 0;
}

/* A kept epoch that is over its time or in the way of the waiting ones, off the list. */
static struct entry *take_expired_locked(struct lane *l, bool disk_is_short)
{
    const struct entry *oldest = l->kept.first;
    if (oldest == NULL)
        return NULL;
    bool expired = oldest->loaded_at <= clock_wall_us() - l->options.keep_us;
    bool in_the_way = l->kept.bytes > l->options.share_bytes ||
                      l->waiting.bytes > l->options.share_bytes - l->kept.bytes;
    if (!expired && !in_the_way && !disk_is_short)
        return NULL;
    return list_take_first(&l->kept);
}

static bool disk_is_short(const struct lane *l)
{
    return file_free_bytes(l->dir) < l->options.disk_reserve;
}

/* Remove what needs not be kept longer. Not under the lock: it may take long. */
static int trim_kept(struct lane *l, struct error *err)
{
    for (;;) {
        bool is_short = disk_is_short(l);
        lock(l);
        struct entry *e = take_expired_locked(l, is_short);
        unlock(l);
        if (e == NULL)
            return 0;
        int result = remove_gone(e->path, err);
        entry_free(e);
        if (result < 0)
            return -1;
    }
}

/* ---- opening and recovery -----------------------------------------------------------
 */

/* What lies in the directory, in no order. */
struct found {
    struct entry **epochs; /* owned, with what they point to unless NULL */
    size_t epoch_count;
    struct entry **gone; /* likewise */
    size_t gone_count;
};

static void found_done(struct found *f)
{
    for (size_t i = 0; i < f->epoch_count; i++)
        if (f->epochs[i] != NULL)
            entry_free(f->epochs[i]);
    for (size_t i = 0; i < f->gone_count; i++)
        if (f->gone[i] != NULL)
            entry_free(f->gone[i]);
    free(f->epochs);
    free(f->gone);
}

static void found_add(struct entry ***list, size_t *count, struct entry *e)
{
    *list = xreallocarray(*list, *count + 1, sizeof(void *));
    (*list)[(*count)++] = e;
}

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = *(struct entry *const *)left;
    const struct entry *b = *(struct entry *const *)right;
    return a->number < b->number ? -1 : a->number > b->number;
}

static int find_one(const struct lane *l, const char *name, struct found *f,
                    struct error *err)
{
    uint64_t number;
    enum epoch_dir_state state = epoch_dir_parse(name, &number);
    struct stat st;
    CLEANUP(free_pointer) char *path = hashfile_path(l->dir, name);
    if (state == EPOCH_DIR_FOREIGN || lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return 0;
    if (state == EPOCH_DIR_OPEN)
        return file_remove_tree(path, err);
    struct entry *e = entry_new(l->dir, number, state);
    e->bytes = file_tree_bytes(path);
    e->loaded_at =
        (int64_t)st.st_mtim.tv_sec * 1000000 + (int64_t)st.st_mtim.tv_nsec / 1000;
    if (state == EPOCH_DIR_CAPTURED)
        found_add(&f->epochs, &f->epoch_count, e);
    else
        found_add(&f->gone, &f->gone_count, e);
    return 0;
}

static int find_all(const struct lane *l, struct found *f, struct error *err)
{
    DIR *dir = opendir(l->dir);
    if (dir == NULL)
        return hashfile_io_error(err, "opening folder", l->dir, errno);
    int result = 0;
    struct dirent *d;
    while (result == 0 &&
           (d = readdir(dir)) != NULL) /* NOLINT(concurrency-mt-unsafe): own dir */
        result = find_one(l, d->d_name, f, err);
    (void)closedir(dir); /* it was only read */
    if (f->epoch_count > 0)
        qsort(f->epochs, f->epoch_count, sizeof(struct entry *), compare_entries);
    if (f->gone_count > 0)
        qsort(f->gone, f->gone_count, sizeof(struct entry *), compare_entries);
    return result;
}

/* Kept epochs that are whole and that the destination has stay; all others go. */
static int recover_gone(struct lane *l, struct found *f, uint64_t loaded_through,
                        struct error *err)
{
    for (size_t i = 0; i < f->gone_count; i++) {
        struct entry *e = f->gone[i];
        CLEANUP(free_pointer) char *manifest = hashfile_path(e->path, MANIFEST_FILE);
        bool whole = access(manifest, F_OK) == 0;
        if (l->options.keep_us > 0 && whole && e->number <= loaded_through) {
            f->gone[i] = NULL;
            list_add(&l->kept, e);
        } else if (remove_gone(e->path, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* The destination has it, but a stop came before the rename. Takes e when it is kept. */
static int recover_loaded(struct lane *l, struct entry **e, struct error *err)
{
    char *gone = epoch_dir_path(l->dir, (*e)->number, EPOCH_DIR_GONE);
    if (rename_gone((*e)->path, gone, err) < 0) {
        free(gone);
        return -1;
    }
    free((*e)->path);
    (*e)->path = gone;
    if (l->options.keep_us <= 0)
        return remove_gone(gone, err);
    (*e)->loaded_at = clock_wall_us();
    if (stamp(gone, err) < 0)
        return -1;
    list_add(&l->kept, *e);
    *e = NULL;
    return 0;
}

static int recover_epochs(struct lane *l, struct found *f, uint64_t loaded_through,
                          struct error *err)
{
    l->next = loaded_through + 1;
    for (size_t i = 0; i < f->epoch_count; i++) {
        struct entry *e = f->epochs[i];
        if (e->number <= loaded_through) {
            if (recover_loaded(l, &f->epochs[i], err) < 0)
                return -1;
            continue;
        }
        if (e->number != l->next) {
            error_set(err, ERR_BUG,
                      "spool '%s': epoch %010" PRIu64 " is missing before '%s'", l->dir,
                      l->next, e->path);
            err->hint =
                "Restore the missing folder, or reset the integration's streams to "
                "copy them again.";
            return -1;
        }
        l->next++;
        f->epochs[i] = NULL;
        list_add(&l->waiting, e);
    }
    return 0;
}

static int recover(struct lane *l, uint64_t loaded_through, struct error *err)
{
    CLEANUP(found_done) struct found f = { 0 };
    if (find_all(l, &f, err) < 0 || recover_gone(l, &f, loaded_through, err) < 0 ||
        recover_epochs(l, &f, loaded_through, err) < 0)
        return -1;
    return trim_kept(l, err);
}

static struct lane *lane_new(const char *spool_dir, const char *name,
                             const struct lane_options *options)
{
    struct lane *l = xcalloc(1, sizeof(*l));
    l->dir = hashfile_path(spool_dir, name);
    l->options = *options;
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&l->lock, NULL) != 0 ||
        pthread_condattr_init(&attributes) != 0 ||
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) != 0 ||
        pthread_cond_init(&l->changed, &attributes) != 0)
        abort();                                 /* no memory for a lock */
    (void)pthread_condattr_destroy(&attributes); /* always 0 */
    return l;
}

struct lane *lane_open(const char *spool_dir, const char *name, uint64_t loaded_through,
                       const struct lane_options *options, struct error *err)
{
    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL) {
        error_set(err, ERR_BUG, "'%s' cannot be a lane's name", name);
        return NULL;
    }
    struct lane *l = lane_new(spool_dir, name, options);
    if (file_make_dirs(l->dir, 0700, err) < 0 || recover(l, loaded_through, err) < 0) {
        lane_close(l);
        return NULL;
    }
    return l;
}

void lane_close(struct lane *l)
{
    if (l == NULL)
        return;
    list_free(&l->waiting);
    list_free(&l->kept);
    (void)pthread_cond_destroy(&l->changed); /* nobody waits any more */
    (void)pthread_mutex_destroy(&l->lock);   /* nobody holds it any more */
    free(l->dir);
    free(l);
}

const char *lane_dir(const struct lane *l)
{
    return l->dir;
}

/* ---- between the threads ------------------------------------------------------------
 */

/* Until something changed, or it is time to look at the cancel object. */
static void wait_locked(struct lane *l)
{
    int64_t until = clock_mono_us() + CANCEL_LOOK_US;
    struct timespec deadline = { .tv_sec = until / 1000000,
                                 .tv_nsec = (until % 1000000) * 1000 };
    /* Timed out or woken: the caller looks again either way. */
    (void)pthread_cond_timedwait(&l->changed, &l->lock, &deadline);
}

static void announce_locked(struct lane *l)
{
    (void)pthread_cond_broadcast(&l->changed); /* always 0 */
}

uint64_t lane_next_number(const struct lane *l)
{
    return l->next;
}

static int wait_share_locked(struct lane *l, struct cancel *c, struct error *err)
{
    for (;;) {
        enum cancel_strength strength = cancel_requested(c);
        if (strength == CANCEL_HARD || (strength != CANCEL_NONE && l->stopped))
            return error_set(err, ERR_CANCELLED, "stopped on request");
        if (l->waiting.bytes < l->options.share_bytes || l->waiting.count == 0)
            return 0;
        if (l->stopped) {
            error_set(err, ERR_LIMIT,
                      "spool '%s' holds %" PRIu64 " bytes in %" PRIu64
                      " epochs, spool_share allows %" PRIu64 ", and loading has stopped",
                      l->dir, l->waiting.bytes, l->waiting.count, l->options.share_bytes);
            err->hint = "Repair the loading; what is captured stays and is loaded first.";
            return -1;
        }
        wait_locked(l);
    }
}

int lane_wait_room(struct lane *l, struct cancel *c, struct error *err)
{
    lock(l);
    int result = wait_share_locked(l, c, err);
    unlock(l);
    if (result < 0 || trim_kept(l, err) < 0)
        return -1;
    if (!disk_is_short(l))
        return 0;
    error_set(err, ERR_LIMIT,
              "the file system of '%s' has %" PRIu64
              " bytes free, disk_reserve keeps %" PRIu64,
              l->dir, file_free_bytes(l->dir), l->options.disk_reserve);
    err->hint =
        "Free space on this file system, or lower disk_reserve, then run again: it "
        "goes on from what is captured.";
    return -1;
}

void lane_captured(struct lane *l, uint64_t number, uint64_t bytes)
{
    assert(number == l->next);
    struct entry *e = entry_new(l->dir, number, EPOCH_DIR_CAPTURED);
    e->bytes = bytes;
    lock(l);
    list_add(&l->waiting, e);
    l->next = number + 1;
    announce_locked(l);
    unlock(l);
}

void lane_finish(struct lane *l)
{
    lock(l);
    l->finished = true;
    announce_locked(l);
    unlock(l);
}

void lane_stop_loading(struct lane *l)
{
    lock(l);
    l->stopped = true;
    announce_locked(l);
    unlock(l);
}

int lane_wait_epoch(struct lane *l, struct cancel *c, uint64_t *number, const char **dir)
{
    int result;
    lock(l);
    for (;;) {
        result = -1;
        if (cancel_requested(c) == CANCEL_HARD)
            break;
        result = 1;
        if (l->waiting.first != NULL)
            break;
        result = 0;
        if (l->finished)
            break;
        wait_locked(l);
    }
    if (result == 1) {
        *number = l->waiting.first->number;
        *dir = l->waiting.first->path;
    }
    unlock(l);
    return result;
}

/* The entry changes lists: from waiting to kept, or off both. */
static struct entry *move_loaded(struct lane *l, char *gone_path)
{
    lock(l);
    struct entry *e = list_take_first(&l->waiting);
    free(e->path);
    e->path = gone_path;
    e->loaded_at = clock_wall_us();
    if (l->options.keep_us > 0) {
        list_add(&l->kept, e);
        e = NULL;
    }
    announce_locked(l);
    unlock(l);
    return e;
}

int lane_loaded(struct lane *l, uint64_t number, struct error *err)
{
    lock(l);
    const struct entry *first = l->waiting.first;
    uint64_t expected = first == NULL ? 0 : first->number;
    const char *path = first == NULL ? NULL : first->path; /* only this thread frees it */
    unlock(l);
    if (path == NULL || expected != number)
        return error_set(err, ERR_BUG,
                         "spool '%s': epoch %" PRIu64 " is said to be loaded, %" PRIu64
                         " is the next",
                         l->dir, number, expected);
    FAULT("spool.loaded");
    char *gone = epoch_dir_path(l->dir, number, EPOCH_DIR_GONE);
    if (rename_gone(path, gone, err) < 0) {
        free(gone);
        return -1;
    }
    FAULT("spool.gone");
    int result = l->options.keep_us > 0 ? stamp(gone, err) : 0;
    struct entry *e = move_loaded(l, gone);
    if (e != NULL) {
        if (result == 0)
            result = remove_gone(e->path, err);
        entry_free(e);
    }
    return result < 0 ? -1 : trim_kept(l, err);
}

uint64_t lane_waiting_bytes(struct lane *l)
{
    lock(l);
    uint64_t bytes = l->waiting.bytes;
    unlock(l);
    return bytes;
}

uint64_t lane_waiting_count(struct lane *l)
{
    lock(l);
    uint64_t count = l->waiting.count;
    unlock(l);
    return count;
}
