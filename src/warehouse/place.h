/* src/warehouse/place.h
 *
 * Where the owner of a database is found: the file's real path, the lock beside it, and
 * the sockets in folders that only this user can enter; and who else has the file open.
 *
 * A job started by cron has no XDG_RUNTIME_DIR and one started by a service may have a
 * /tmp of its own, so the owner listens in every place and a client tries each.
 *
 * Thread: any. Errors: ERR_CONFIG with a hint, ERR_IO.
 */
#ifndef WAREHOUSE_PLACE_H
#define WAREHOUSE_PLACE_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <sys/un.h>

#define PLACE_SOCKETS 2

/* The path without links, also of a file that does not exist yet, whose folder does. */
int place_real_path(const char *path, struct buf *out, struct error *err);

void place_lock_path(const char *real_path, struct buf *out);

/* Folder i of the sockets, 0 to PLACE_SOCKETS - 1; false when there is none here. */
bool place_folder(unsigned i, struct buf *out);

/* Make the folder, or check that it is a folder of this user alone and no link. */
int place_secure(const char *folder, struct error *err);

/* The socket's address in that folder. */
int place_address(const char *folder, const char *real_path, struct sockaddr_un *out,
                  struct error *err);

/* True when another process has the database file open: "pid 12 (python3)". Must not be
 * called while this process has it open: closing a descriptor drops the locks of the
 * whole process (fcntl(2), "Record locking and file descriptors"). */
bool place_holder(const char *real_path, struct buf *out);

#endif
