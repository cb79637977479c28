/* src/sync/target.h
 *
 * The names of tables at the destination: a table's own, or database__table where the
 * option says so, two tables share the name, or it looks like one of ours; then the first
 * free of _2, _3, ... Once given, a name stays.
 *
 * Thread: the job's, before others run.
 */
#ifndef SYNC_TARGET_H
#define SYNC_TARGET_H

#include "sink/sink.h"
#include "sync/shape.h"

/* What the destination has of this table, or NULL. */
const struct stream_mark *target_mark(const struct mark_list *marks, struct str database,
                                      struct str table);

/* Fill target of each stream; new names are recorded in the state. Texts live in the
 * arena. */
int target_give(const struct plan_context *c, struct arena *a, struct stream *streams,
                size_t count, const struct mark_list *marks, struct error *err);

#endif
