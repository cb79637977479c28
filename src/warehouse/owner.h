/* src/warehouse/owner.h
 *
 * The process that owns one DuckDB file: `tailrace warehouse PATH`, started by client.c, never
 * by hand. Holds PATH.tailrace-lock while it lives, listens on a 0600 unix socket in a
 * 0700 folder, opens the file at the first request that needs it, and closes it after
 * warehouse_idle without work (checkpoint first), so that other programs may open it. It ends
 * when nobody is connected and the file is closed.
 *
 * Thread: owner_run() is the whole process; one thread per client, loads under one lock, queries
 * on connections of their own.
 */
#ifndef WAREHOUSE_OWNER_H
#define WAREHOUSE_OWNER_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#include <stdint.h>

struct owner_options {
    const struct str *settings;
    size_t setting_count;
    int64_t idle_us;
};

/* Returns when the process may end: 0, or -1 with err (another owner has it is success). */
int owner_run(const char *path, const struct owner_options *o, struct error *err);

/* Where the socket of this database is: in $XDG_RUNTIME_DIR/tailrace or /tmp/tailrace-UID, by a
 * hash of the file's real path. */
int owner_socket_path(const char *path, struct buf *out, struct error *err);

#endif
