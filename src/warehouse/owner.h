/* src/warehouse/owner.h
 *
 * The process that owns one DuckDB file: `tailrace warehouse PATH`, started by client.c,
 * never by hand. Holds PATH.tailrace-lock while it lives, listens on 0600 unix sockets in
 * 0700 folders, opens the file at the first request that needs it, and closes it after
 * warehouse_idle without work (checkpoint first), so that other programs may open it. It
 * ends when nobody is connected and the file is closed.
 *
 * Thread: owner_run() is the whole process; one thread per client, loads one at a time,
 * queries on connections of their own.
 */
#ifndef WAREHOUSE_OWNER_H
#define WAREHOUSE_OWNER_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "warehouse/backend.h"

#include <stdint.h>

/* Connections at one time; one more is told to come again. */
#define OWNER_CLIENTS_LIMIT 64

struct owner_options {
    const struct str *settings; /* "key=value" for the destination's open() */
    size_t setting_count;
    int64_t idle_us; /* below 0: stays open while anybody is connected */
    const struct warehouse_backend *backend;
    /* Called once when the sockets listen or another owner was found. May be NULL. */
    void (*ready)(void *ctx);
    void *ctx;
};

/* Returns when the process may end: 0, or -1 with err (another owner has it is success).
 * SIGTERM and SIGINT finish the running load, close the file and end. */
int owner_run(const char *path, const struct owner_options *o, struct error *err);

/* The command: warehouse PATH [--idle MILLISECONDS] [--set KEY=VALUE]..., argv[0] being
 * "warehouse". Returns the exit code. */
int warehouse_process(int argc, char **argv, const struct warehouse_backend *backend);

/* Where the socket of this database is: in $XDG_RUNTIME_DIR/tailrace or
 * /tmp/tailrace-UID, by a hash of the file's real path. */
int owner_socket_path(const char *path, struct buf *out, struct error *err);

#endif
