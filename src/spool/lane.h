/* src/spool/lane.h
 *
 * An ordered sequence of captured epochs between the spool thread, which appends, and a
 * loader, which takes them in order. States of an epoch's directory:
 *
 *   N.open ──rename, the capture──▶ N.epoch ──mark is in the destination──▶ N.gone ──▶
 * (removed) └── after a crash: removed                                   └── after a
 * crash: removed
 *
 * Invariant 6: a directory is removed only after lane_loaded(), which the caller calls
 * once the destination's mark covers it. The lane's share bounds the captured bytes:
 * lane_wait_room() makes the extractor wait, and free disk below disk_reserve is
 * ERR_LIMIT.
 *
 * Fault points: spool.loaded (before the rename to .gone), spool.gone (after it).
 *
 * Thread: lane_captured, lane_wait_room on the spool thread; lane_wait_epoch, lane_loaded
 * on the loader's; the rest before they start. The lane has its own lock.
 */
#ifndef SPOOL_LANE_H
#define SPOOL_LANE_H

#include "base/cancel.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct lane;

struct lane_options {
    uint64_t share_bytes;  /* option spool_share: captured and not yet loaded */
    uint64_t disk_reserve; /* option disk_reserve: bytes left free on the file system */
    int64_t
        keep_us; /* option spool_keep: loaded epochs stay this long, within the share */
};

/* Open DIR/NAME, making it (mode 0700), and recover: leftovers are removed, epochs at or
 * below loaded_through (the destination's mark) too, the rest is queued in order. A gap
 * in the numbers is ERR_BUG, naming the missing one. Names that are not ours are left
 * alone. */
struct lane *lane_open(const char *spool_dir, const char *name, uint64_t loaded_through,
                       const struct lane_options *options, struct error *err);
void lane_close(struct lane *l); /* NULL is fine */

const char *lane_dir(const struct lane *l);

/* The number that the next epoch gets. */
uint64_t lane_next_number(const struct lane *l);

/* Wait until the share has room. Errors: ERR_CANCELLED (hard requests only, unless the
 * loader has stopped), ERR_LIMIT (disk_reserve, or a loader that stopped while the share
 * is full). */
int lane_wait_room(struct lane *l, struct cancel *c, struct error *err);

/* Epoch `number` was sealed; it is the loader's from now on. */
void lane_captured(struct lane *l, uint64_t number, uint64_t bytes);

/* No more epochs will come. */
void lane_finish(struct lane *l);

/* The loader gives up: whoever waits for room is told. */
void lane_stop_loading(struct lane *l);

/* The oldest epoch that is not loaded: 1 and its number and directory (valid until
 * lane_loaded), 0 when finished and drained, -1 cancelled hard. */
int lane_wait_epoch(struct lane *l, struct cancel *c, uint64_t *number, const char **dir);

/* The destination's mark covers this epoch: remove it. */
int lane_loaded(struct lane *l, uint64_t number, struct error *err);

/* Captured and not yet loaded. */
uint64_t lane_waiting_bytes(struct lane *l);
uint64_t lane_waiting_count(struct lane *l);

#endif
