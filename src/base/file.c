#include "base/file.h"

#include "base/alloc.h"
#include "base/fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define READ_BYTES ((size_t)64 * 1024)

/* "writing '/a/b': No space left on device" */
static int io_error(struct error *err, const char *doing, const char *path, int sys)
{
    char room[128];
    const char *why = strerror_r(sys, room, sizeof(room));
    (void)error_set(err, ERR_IO, "%s '%s': %s", doing, path, why);
    err->sys = sys;
    if (sys == ENOSPC)
        err->hint = "Free space on this file system, or move the data directory.";
    else if (sys == EDQUOT)
        err->hint = "Raise this user's disk quota, or move the data directory.";
    return -1;
}

/* The folder that path lies in, to be freed. */
static char *parent_of(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    while (n > 0 && path[n - 1] != '/')
        n--;
    while (n > 1 && path[n - 1] == '/')
        n--;
    char *parent = xcalloc(n + 2, 1);
    memcpy(parent, n == 0 ? "." : path, n == 0 ? 1 : n);
    return parent;
}

static int make_dir(const char *path, mode_t mode, struct error *err)
{
    if (mkdir(path, mode) == 0) {
        CLEANUP(free_pointer) char *parent = parent_of(path);
        return file_sync_dir(parent, err);
    }
    int sys = errno;
    struct stat st;
    if (sys == EEXIST && stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return 0;
        sys = ENOTDIR;
    }
    return io_error(err, "making folder", path, sys);
}

int file_make_dirs(const char *path, mode_t mode, struct error *err)
{
    CLEANUP(free_pointer) char *part = xstrdup(path);
    for (char *at = part; *at != '\0'; at++) {
        if (*at != '/' || at == part)
            continue;
        *at = '\0';
        if (make_dir(part, mode, err) < 0)
            return -1;
        *at = '/';
    }
    return make_dir(part, mode, err);
}

int file_sync(int fd, const char *path, struct error *err)
{
    int sys = FAULT_ERRNO("base.sync");
    /* Never tried again: after a failed fsync the kernel may have dropped the pages
     * (fsync(2), "EIO"; Rebello et al., "Can Applications Recover from fsync Failures?",
     * USENIX ATC 2020). */
    if (sys == 0 && fsync(fd) < 0)
        sys = errno;
    return sys == 0 ? 0 : io_error(err, "syncing", path, sys);
}

int file_sync_dir(const char *path, struct error *err)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return io_error(err, "opening folder", path, errno);
    return file_sync(fd, path, err);
}

int file_write_all(int fd, const void *bytes, size_t n, const char *path,
                   struct error *err)
{
    const char *from = bytes;
    int sys = FAULT_ERRNO("base.write");
    while (sys == 0 && n > 0) {
        ssize_t done = write(fd, from, n);
        if (done < 0 && errno != EINTR)
            sys = errno;
        if (done > 0) {
            from += done;
            n -= (size_t)done;
        }
    }
    return sys == 0 ? 0 : io_error(err, "writing", path, sys);
}

int file_read(const char *path, struct buf *out, struct error *err)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return io_error(err, "opening", path, errno);
    CLEANUP(free_pointer) char *room = xcalloc(READ_BYTES, 1);
    for (;;) {
        ssize_t n = read(fd, room, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_error(err, "reading", path, errno);
        if (n == 0)
            return buf_check(out, path, err);
        buf_add(out, room, (size_t)n);
        if (out->failed)
            return buf_check(out, path, err);
    }
}

/* Open a folder below parent without following links; NULL with errno. */
static DIR *open_folder(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return NULL;
    DIR *dir = fdopendir(fd);
    if (dir == NULL)
        close_fd(&fd);
    return dir;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Both walks go as deep as our own trees are: a handful of levels. Each returns an errno.
 */
static int remove_below(int parent, const char *name)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM) /* POSIX allows EPERM for a folder */
        return errno;
    DIR *dir = open_folder(parent, name);
    if (dir == NULL)
        return errno;
    int sys = 0;
    struct dirent *e;
    while (sys == 0 &&
           (e = readdir(dir)) != NULL) /* NOLINT(concurrency-mt-unsafe): own dir */
        if (!is_dots(e->d_name))
            sys = remove_below(dirfd(dir), e->d_name);
    (void)closedir(dir); /* it was only read */
    if (sys == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        sys = errno;
    return sys;
}

int file_remove_tree(const char *path, struct error *err)
{
    int sys = remove_below(AT_FDCWD, path);
    return sys == 0 ? 0 : io_error(err, "removing", path, sys);
}

static uint64_t bytes_below(int parent, const char *name)
{
    struct stat st;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (S_ISREG(st.st_mode))
        return (uint64_t)st.st_size;
    DIR *dir = S_ISDIR(st.st_mode) ? open_folder(parent, name) : NULL;
    if (dir == NULL)
        return 0;
    uint64_t sum = 0;
    struct dirent *e;
    while ((e = readdir(dir)) != NULL) /* NOLINT(concurrency-mt-unsafe): own dir */
        if (!is_dots(e->d_name))
            sum += bytes_below(dirfd(dir), e->d_name);
    (void)closedir(dir); /* it was only read */
    return sum;
}

uint64_t file_tree_bytes(const char *path)
{
    return bytes_below(AT_FDCWD, path);
}

uint64_t file_free_bytes(const char *path)
{
    struct statvfs s;
    if (statvfs(path, &s) < 0)
        return UINT64_MAX;
    return (uint64_t)s.f_bavail * (uint64_t)s.f_frsize;
}

static pid_t read_pid(int fd)
{
    char text[24];
    ssize_t n = pread(fd, text, sizeof(text), 0);
    uint64_t pid;
    struct str s = str_trim((struct str){ text, n < 0 ? 0 : (size_t)n });
    return str_to_u64(s, &pid) && pid <= INT32_MAX ? (pid_t)pid : 0;
}

int file_lock(const char *path, pid_t *holder_pid, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return io_error(err, "opening lock", path, errno);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int sys = errno;
        if (sys != EWOULDBLOCK) {
            (void)io_error(err, "locking", path, sys);
        } else {
            pid_t pid = read_pid(fd);
            (void)error_set(err, ERR_LIMIT, "'%s' is held by process %d", path, (int)pid);
            if (holder_pid != NULL)
                *holder_pid = pid;
        }
        close_fd(&fd);
        return -1;
    }
    char text[24];
    int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n) {
        (void)io_error(err, "writing lock", path, errno);
        close_fd(&fd);
    }
    return fd;
}
