/* src/sync/method.h
 *
 * How a stream is replicated in this run: its method, whether rows become a new version
 * or go into the live one, and whether the copy of an earlier run goes on.
 *
 *   full            a new version replaces the live one; load=append adds it behind
 *   key, first      a new version, copied whole; its join leaves a bookmark
 *   key, later      a delta: rows from the bookmark on, merged into the live version
 *   anything that makes rows of one version belong together has changed (method, key,
 *   filter, way of loading, a type), or a reset was asked for: a new version
 *
 * Thread: the job's, before others run.
 */
#ifndef SYNC_METHOD_H
#define SYNC_METHOD_H

#include "sink/sink.h"
#include "sync/shape.h"

/* What auto means for this table: log where server and table allow it, else full. In
 * *why (in the arena) why an explicit log is impossible; else empty. */
void method_resolve(struct arena *a, const struct plan_context *c,
                    const struct catalog_table *t, struct stream_options *o,
                    struct str *why);

/* Can the table be replicated as its options say? Nothing is asked of the server. Errors:
 * ERR_CONFIG naming the option. */
int method_check(struct arena *a, const struct stream_options *o,
                 const struct catalog_table *t, struct error *err);

/* The table with what a person declared of it: the key of a view. In the arena, or t
 * itself. */
const struct catalog_table *method_table(struct arena *a, const struct stream_options *o,
                                         const struct catalog_table *t);

/* Can rows of this shape go into a table whose newest shape is that (AVRO_CHANGE)? */
bool method_fits(const struct table_schema *shape, struct str live_json);

/* The live version was made as these options say. Their key is empty where the method is
 * another one. */
bool method_same_definition(struct arena *a, const struct stream_options *o,
                            const struct stream_mark *m);

/* How its rows are read: again after the table was looked up again. */
enum full_method method_of_reading(const struct stream *st, bool one_view);

/* The stream's join, version, bookmark before and, when it goes on, progress. m: what the
 * destination has of it, or NULL. st->options, found and shape are there. */
int method_choose(const struct plan_context *c, struct stream *st,
                  const struct stream_mark *m, struct error *err);

/* Its version is recorded as handed out, so that one newer than the live version tells of
 * a reset. Not that of a copy which is added behind the others: were it cut off, the next
 * run would replace what must be kept. */
static inline bool method_hands_out(enum join_kind join)
{
    return join == JOIN_REPLACE;
}

#endif
