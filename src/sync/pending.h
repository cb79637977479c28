/* src/sync/pending.h
 *
 * What the source's columns, as they are now, would change at the destination: `tailrace
 * schema NAME --pending`. Nothing is changed, at either end or in the state.
 *
 * It is a forecast. For a table that follows the log the statements in the log decide, of
 * which the catalog only shows the outcome: a column that was renamed looks like one that
 * was dropped and one that was added.
 *
 * Thread: the caller's. Everything found lives in the arena.
 */
#ifndef SYNC_PENDING_H
#define SYNC_PENDING_H

#include "row/catalog.h"
#include "sink/sink.h"
#include "source/log.h"
#include "state/state.h"
#include "sync/options.h"

struct pending_change {
    struct str column;    /* as the source calls it */
    enum log_class class; /* ADD, DROP or TYPE */
    struct str was, now;  /* the source's types; empty where it has none */
    struct str sql;       /* what is done to the live table where it stays; or empty */
};

enum pending_outcome {
    PENDING_NOTHING = 0,
    PENDING_NEW,      /* there is no copy yet: it is made */
    PENDING_IN_PLACE, /* the live table is changed */
    PENDING_RECOPY,   /* a new version is copied, the live one stays readable */
    PENDING_PARK,     /* it is left as it is until a person resumes it */
    PENDING_PARKED,   /* it is so already */
    PENDING_FAIL,     /* the run stops there */
    PENDING_GONE,     /* the source has it no more: the copy stays as it is */
};

struct pending_stream {
    struct str database, table, target;
    enum sync_method method;  /* AUTO: not known before a run has asked the server */
    uint64_t version;         /* of the live table; 0: there is none */
    struct table_schema live; /* its columns, where there is one */
    struct pending_change *changes;
    size_t change_count;
    enum pending_outcome outcome;
    struct str why; /* a sentence; empty for NOTHING */
};

/* All borrowed. catalog NULL: only what the destination has. */
struct pending_request {
    struct state *state;
    const struct integration *integration;
    const struct sync_options *options;
    const struct catalog *catalog;
    const struct mark_list *marks;
};

int pending_find(const struct pending_request *r, struct arena *a,
                 struct pending_stream **out, size_t *count, struct error *err);

/* "in place" */
const char *pending_outcome_name(enum pending_outcome o);

/* Columns of `now` against those of `live`, by name without case. at_source: all columns
 * that the table has: one of `live` that it still has was left out by choice and is no
 * change. Fills live, changes and their count. */
void pending_compare(struct arena *a, const struct table_schema *now,
                     const struct table_schema *at_source, struct str target_table,
                     struct pending_stream *out);

#endif
