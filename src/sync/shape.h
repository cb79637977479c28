/* src/sync/shape.h
 *
 * The shape that a table is read in: which columns, under which names, in which version.
 * Names follow part 8 of the architecture and stay once given (state); versions grow with
 * every change.
 *
 * Thread: any (the state has its own lock); shape_add() under stream.lock once threads
 * run.
 */
#ifndef SYNC_SHAPE_H
#define SYNC_SHAPE_H

#include "row/catalog.h"
#include "source/check.h"
#include "state/state.h"
#include "sync/options.h"
#include "sync/selection.h"
#include "sync/stream.h"

/* Whose tables are planned; all borrowed. */
struct plan_context {
    struct state *state;
    struct str integration;
    const struct sync_options *options;
    const struct selection *selection; /* NULL: nothing was said of single tables */
    const struct str
        *only;         /* patterns: this run leaves other tables as they are; none: */
    size_t only_count; /* it leaves none */
    const struct log_ability *ability;     /* NULL: the server was not asked */
    bool followed_only;                    /* only what follows the log */
    const struct stream_trouble *troubles; /* of tables that follow the log */
    size_t trouble_count;
    bool place_lost; /* nothing can go on at the place in the log: a run said so, and it
                        has not moved since */
    struct str backfill; /* a condition: this run reads the rows that meet it, merges
                            them and moves no bookmark; or empty */
};

static inline struct stream_name plan_stream_name(const struct plan_context *c,
                                                  const struct stream *st)
{
    return (struct stream_name){ c->integration, st->database, st->table };
}

/* The shape of one table as it is read now, with names, promotions and version. always: a
 * column that is copied whatever is said of it, as the key is; or empty. In the arena. */
int shape_make(const struct plan_context *c, struct arena *a,
               const struct catalog_table *t, struct str always,
               struct table_schema **out, struct error *err);

/* Make it the stream's newest shape: its encode plan and JSON; recorded in the state. */
int shape_add(const struct plan_context *c, struct stream *st,
              const struct table_schema *schema, struct error *err);

/* The stream's only shape: the key columns of another shape. Not recorded. */
int shape_add_keys(const struct plan_context *c, struct stream *st,
                   const struct table_schema *whole, struct error *err);

/* The table as it is, for as long as the stream lives. */
const struct catalog_table *shape_keep_found(struct stream *st,
                                             const struct catalog_table *t);

/* Fill st->kept: columns that are left out by choice and were copied before. */
int shape_keep(const struct plan_context *c, struct stream *st, struct error *err);

/* 1 when a recorded shape of the table has a column of this name, 0, -1. */
int shape_was_copied(const struct plan_context *c, struct arena *a,
                     const struct stream_name *of, struct str column, struct error *err);

/* Rows of this shape can go into a table that was made for that one, which grows where it
 * must: the same key, and no column of another kind. live_json: Avro, as in
 * stream_mark.schema_json; a text that cannot be read fits nothing. */
bool shape_fits(const struct table_schema *shape, struct str live_json);

#endif
