/* src/warehouse/start.h
 *
 * Start an owner, detached: our own executable (TAILRACE_EXE names another one), command
 * `warehouse`, in a session of its own, with a small environment that holds no secret.
 *
 * What the owner has to say before it listens comes back through its standard output:
 * nothing when it listens or when another one is the owner, one error reply (protocol.h)
 * otherwise.
 *
 * Thread: any.
 */
#ifndef WAREHOUSE_START_H
#define WAREHOUSE_START_H

#include "base/cancel.h"
#include "base/error.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

/* The owner's standard error goes to the file of this name, else nowhere. */
#define START_LOG_ENVIRONMENT "TAILRACE_WAREHOUSE_LOG"

struct start_options {
    const char *real_path;
    const struct str *settings; /* "key=value" each */
    size_t setting_count;
    int64_t idle_us; /* below 0: only when nobody is connected */
};

/* 0 when an owner listens or this one found another one. Errors: the owner's own;
 * ERR_CONFIG when the executable cannot be started; ERR_CANCELLED. */
int start_owner(const struct start_options *o, struct cancel *c, struct error *err);

#endif
