/* src/sync/anchor.h
 *
 * What key-based streams need before the first page is read: anchors of all of them, a
 * pause that is longer than the clock of transactions is coarse, then what each read's
 * view may miss (source/key.h), and from both where it starts and the bookmark that it
 * leaves.
 *
 * Thread: the job's, before the readers run.
 */
#ifndef SYNC_ANCHOR_H
#define SYNC_ANCHOR_H

#include "base/cancel.h"
#include "sync/stream.h"

struct session;

/* Filters that people wrote are looked at here too, before they are part of a statement.
 * A table that cannot be asked fails alone. Errors: ERR_NETWORK (connect and do it
 * again), ERR_CANCELLED. */
int anchor_streams(struct session *s, struct stream *streams, size_t count,
                   struct cancel *c, struct error *err);

#endif
