#include "warehouse/place.h"

#include "base/alloc.h"
#include "warehouse/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define PATH_BYTES 4096

static int path_error(struct error *err, const char *doing, const char *path, int sys)
{
    char room[128];
    (void)error_set(err, sys == ENOENT || sys == ENOTDIR ? ERR_CONFIG : ERR_IO,
                    "%s '%s': %s", doing, path, strerror_r(sys, room, sizeof(room)));
    err->sys = sys;
    return -1;
}

int place_real_path(const char *path, struct buf *out, struct error *err)
{
    CLEANUP(free_pointer) char *real = realpath(path, NULL);
    if (real != NULL) {
        buf_add_text(out, real);
        return buf_check(out, "path of the database", err);
    }
    if (errno != ENOENT)
        return path_error(err, "looking for", path, errno);
    CLEANUP(free_pointer) char *folder = xstrdup(path);
    char *slash = strrchr(folder, '/');
    const char *name = slash == NULL ? path : path + (slash - folder) + 1;
    if (slash != NULL)
        slash[slash == folder ? 1 : 0] = '\0';
    CLEANUP(free_pointer) char *parent = realpath(slash == NULL ? "." : folder, NULL);
    if (parent == NULL || name[0] == '\0') {
        (void)path_error(err, "looking for the folder of", path, ENOENT);
        err->hint = "Make the folder first, or choose another path.";
        return -1;
    }
    buf_printf(out, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name);
    return buf_check(out, "path of the database", err);
}

void place_lock_path(const char *real_path, struct buf *out)
{
    buf_printf(out, "%s.tailrace-lock", real_path);
}

bool place_folder(unsigned i, struct buf *out)
{
    if (i == 1) {
        buf_printf(out, "/tmp/tailrace-%u", (unsigned)geteuid());
        return true;
    }
    /* The environment is not changed once threads run. */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    struct stat st;
    if (i != 0 || runtime == NULL || runtime[0] != '/' || stat(runtime, &st) != 0 ||
        !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 0022) != 0)
        return false;
    buf_printf(out, "%s/tailrace", runtime);
    return !out->failed;
}

int place_secure(const char *folder, struct error *err)
{
    struct stat st;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return path_error(err, "making folder", folder, errno);
    if (lstat(folder, &st) != 0)
        return path_error(err, "looking at", folder, errno);
    if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 0077) == 0)
        return 0;
    (void)error_set(err, ERR_CONFIG, "'%s' is not a folder of this user alone", folder);
    err->hint = "Remove it, or set XDG_RUNTIME_DIR to a folder that only this user can "
                "enter.";
    return -1;
}

int place_address(const char *folder, const char *real_path, struct sockaddr_un *out,
                  struct error *err)
{
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    int n = snprintf(out->sun_path, sizeof(out->sun_path), "%s/%016llx.sock", folder,
                     (unsigned long long)XXH3_64bits(real_path, strlen(real_path)));
    if (n > 0 && (size_t)n < sizeof(out->sun_path))
        return 0;
    return error_set(err, ERR_CONFIG, "the path of a socket in '%s' is too long", folder);
}

int owner_socket_path(const char *path, struct buf *out, struct error *err)
{
    CLEANUP(buf_done) struct buf real, folder;
    struct sockaddr_un address;
    buf_init(&real, PATH_BYTES);
    buf_init(&folder, PATH_BYTES);
    if (place_real_path(path, &real, err) != 0)
        return -1;
    for (unsigned i = 0; i < PLACE_SOCKETS; i++) {
        buf_clear(&folder);
        if (!place_folder(i, &folder) ||
            place_address(buf_text(&folder), buf_text(&real), &address, err) != 0)
            continue;
        buf_add_text(out, address.sun_path);
        return buf_check(out, "path of a socket", err);
    }
    return -1;
}

/* ---- who has the file ------------------------------------------------------------ */

static void name_process(pid_t pid, struct buf *out)
{
    char path[64], name[64] = { 0 };
    (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, name, sizeof(name) - 1);
    buf_printf(out, "pid %d", (int)pid);
    if (n > 0)
        buf_printf(out, " (" STR_FMT ")", STR_ARG(str_trim(str_of(name))));
}

/* DuckDB takes an fcntl lock on the whole file while it has it open, shared when it only
 * reads (seen with 1.4 and 1.5). */
bool place_holder(const char *real_path, struct buf *out)
{
    CLEANUP(close_fd)
    int fd = open(real_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (fd < 0 || fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK)
        return false;
    if (lock.l_pid > 0)
        name_process(lock.l_pid, out);
    else
        buf_add_text(out, "another process"); /* of another PID namespace */
    return true;
}
