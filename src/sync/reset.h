/* src/sync/reset.h
 *
 * `tailrace reset`: forget how far copies are, so that the next run makes new versions.
 * The live tables stay readable until the new ones join. `tailrace integration rm`:
 * forget the integration.
 *
 * Errors: ERR_LIMIT while the integration runs; ERR_CONFIG for a table that it does not
 * know. Thread: the caller's.
 */
#ifndef SYNC_RESET_H
#define SYNC_RESET_H

#include "base/buf.h"
#include "base/cancel.h"
#include "base/error.h"
#include "state/state.h"

struct reset_result {
    uint64_t epochs_dropped; /* captured, not loaded, of copies that are forgotten */
    size_t streams;          /* how many were reset */
};

/* What to forget; all borrowed. table: "db.table" or a table's name that only one
 * database has; empty: the whole integration. */
struct reset_order {
    const char *data_dir;
    const struct integration *integration;
    struct str table;
};

int reset_run(struct state *s, const struct reset_order *o, struct cancel *c,
              struct reset_result *out, struct error *err);

/* Put a key-based table's bookmark by hand: its next read starts at this value (>=) of
 * the replication key, whatever was read before. *was: where it would have started, or
 * empty. Errors: ERR_CONFIG for a table without bookmark, a value that is none, and while
 * epochs are captured that are not loaded. */
int reset_bookmark(struct state *s, const struct reset_order *o, struct str value,
                   struct cancel *c, struct buf *was, struct error *err);

/* Forget the whole integration: unfinished copies and the spool go, then what the state
 * has of it. data: also its tables and marks at the destination; else these stay, and a
 * destination that cannot be opened is only warned of. Each step may be done again:
 * killed in the middle, the integration is still there and can be removed. */
int reset_remove(struct state *s, const struct reset_order *o, bool data,
                 struct cancel *c, struct error *err);

#endif
