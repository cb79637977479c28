/* src/base/file.h
 *
 * The pieces of files that must survive a power cut, and locks that must not survive a
 * process.
 *
 * Errors: ERR_IO with errno, the path in the text; ENOSPC and EDQUOT carry a hint.
 * Thread: any.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

/* mkdir -p, each new folder with mode. */
int file_make_dirs(const char *path, mode_t mode, struct error *err);

int file_sync(int fd, const char *path, struct error *err);
int file_sync_dir(const char *path, struct error *err);

/* All bytes, through EINTR and short writes. */
int file_write_all(int fd, const void *bytes, size_t n, const char *path,
                   struct error *err);

/* Append the whole file to out; ERR_LIMIT past out's ceiling. */
int file_read(const char *path, struct buf *out, struct error *err);

/* Remove a folder and all in it. A missing one is success. Symbolic links are removed,
 * not followed. */
int file_remove_tree(const char *path, struct error *err);

/* Bytes of all regular files below path; 0 for a missing one. */
uint64_t file_tree_bytes(const char *path);

/* Free bytes for this user on the file system of path, or UINT64_MAX when unknown. */
uint64_t file_free_bytes(const char *path);

/* Take an exclusive flock on path (made with mode 0600) and write our pid into it.
 * Returns a descriptor to close for unlocking, or -1: err is ERR_LIMIT and *holder_pid
 * the pid written there (0 when unknown) if another process has it. */
int file_lock(const char *path, pid_t *holder_pid, struct error *err);

#endif
