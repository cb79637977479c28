#include "spool/hashfile.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fault.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define READ_BYTES ((size_t)256 * 1024)

struct hashfile {
    char *path;         /* owned */
    unsigned *syncs;    /* borrowed */
    XXH3_state_t *hash; /* owned */
    uint64_t bytes;
    int fd; /* -1 between hashfile_sync() and the next write */
};

/* What base/file.h says nothing of: a disk that fails. */
static int hint_of_disk(struct error *err)
{
    if (err->code == ERR_IO && err->sys == EIO)
        err->hint = "Look for faults of this disk in the kernel's log, move the data "
                    "directory if need be, then run again: it goes on from what is "
                    "captured.";
    return -1;
}

int hashfile_io_error(struct error *err, const char *doing, const char *path, int sys)
{
    char room[128];
    error_set(err, ERR_IO, "%s '%s': %s", doing, path,
              strerror_r(sys, room, sizeof(room)));
    err->sys = sys;
    if (sys == ENOSPC)
        err->hint = "Free space on this file system or move the data directory, then run "
                    "again: it goes on from what is captured.";
    else if (sys == EDQUOT)
        err->hint = "Raise this user's disk quota or move the data directory, then run "
                    "again: it goes on from what is captured.";
    return hint_of_disk(err);
}

char *hashfile_path(const char *dir, const char *name)
{
    struct buf path;
    buf_init(&path, strlen(dir) + strlen(name) + 1);
    buf_printf(&path, "%s/%s", dir, name);
    return buf_take(&path);
}

/* XXH3_createState aborts nobody, but NULL here is no memory for half a kilobyte. */
static XXH3_state_t *hash_new(void)
{
    XXH3_state_t *state = XXH3_createState();
    if (state == NULL || XXH3_64bits_reset(state) != XXH_OK)
        abort();
    return state;
}

struct hashfile *hashfile_create(const char *path, unsigned *syncs, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        hashfile_io_error(err, "making", path, errno);
        return NULL;
    }
    struct hashfile *f = xcalloc(1, sizeof(*f));
    f->path = xstrdup(path);
    f->syncs = syncs;
    f->hash = hash_new();
    f->fd = fd;
    return f;
}

static int reopen(struct hashfile *f, struct error *err)
{
    f->fd = open(f->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    return f->fd < 0 ? hashfile_io_error(err, "opening", f->path, errno) : 0;
}

int hashfile_write(struct hashfile *f, const void *bytes, size_t n, struct error *err)
{
    int sys = FAULT_ERRNO("spool.write");
    if (sys != 0)
        return hashfile_io_error(err, "writing", f->path, sys);
    if (f->fd < 0 && reopen(f, err) < 0)
        return -1;
    if (file_write_all(f->fd, bytes, n, f->path, err) < 0)
        return hint_of_disk(err);
    (void)XXH3_64bits_update(f->hash, bytes, n); /* fails for a NULL state only */
    f->bytes += n;
    return 0;
}

int hashfile_sync(struct hashfile *f, struct error *err)
{
    if (f->fd < 0)
        return 0;
    ++*f->syncs;
    if (file_sync(f->fd, f->path, err) < 0)
        return hint_of_disk(err);
    close_fd(&f->fd);
    return 0;
}

bool hashfile_is_open(const struct hashfile *f)
{
    return f->fd >= 0;
}

uint64_t hashfile_bytes(const struct hashfile *f)
{
    return f->bytes;
}

uint64_t hashfile_hash(const struct hashfile *f)
{
    return XXH3_64bits_digest(f->hash);
}

void hashfile_free(struct hashfile *f)
{
    if (f == NULL)
        return;
    close_fd(&f->fd);
    (void)XXH3_freeState(f->hash); /* always XXH_OK */
    free(f->path);
    free(f);
}

/* The hash of all that fd still has to give. */
static int hash_rest(int fd, XXH3_state_t *state, const char *path, struct error *err)
{
    CLEANUP(free_pointer) char *room = xcalloc(READ_BYTES, 1);
    for (;;) {
        ssize_t n = read(fd, room, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return hashfile_io_error(err, "reading", path, errno);
        if (n == 0)
            return 0;
        (void)XXH3_64bits_update(state, room, (size_t)n); /* as above */
    }
}

static int damaged(struct error *err, const char *path, const char *why)
{
    error_set(err, ERR_PROTOCOL, "'%s' is damaged: %s", path, why);
    err->hint =
        "The disk or another program changed a captured file. Restore it, or reset "
        "the streams of this integration to copy them again.";
    return -1;
}

int hashfile_verify(const char *path, uint64_t bytes, uint64_t hash, struct error *err)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && (errno == ENOENT || errno == ELOOP))
        return damaged(err, path, "it is missing");
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return hashfile_io_error(err, "opening", path, errno);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != bytes)
        return damaged(err, path, "its size differs from the manifest's");
    XXH3_state_t *state = hash_new();
    int result = hash_rest(fd, state, path, err);
    if (result == 0 && XXH3_64bits_digest(state) != hash)
        result = damaged(err, path, "its hash differs from the manifest's");
    (void)XXH3_freeState(state); /* always XXH_OK */
    return result;
}
