/* src/state/state_internal.h
 *
 * What the files of this folder share: the connection under its lock, and statements that
 * bind by position. A query is
 *
 *   struct query q;
 *   if (query_begin(&q, s, "SELECT ... WHERE a = ?1", err) != 0) return -1;   takes the
 * lock query_text(&q, 1, name); while (query_step(&q)) ... query_column_text(&q, 0) ...
 *   return query_end(&q, err);                                                gives it
 * back
 */
#ifndef STATE_STATE_INTERNAL_H
#define STATE_STATE_INTERNAL_H

#include "state/state.h"

#include <sqlite3.h>

struct query {
    struct state *state;
    sqlite3_stmt *stmt; /* of the state's cache */
    int rc;
};

int query_begin(struct query *q, struct state *s, const char *sql, struct error *err);
void query_text(struct query *q, int at, struct str text);
void query_int(struct query *q, int at, int64_t value);
bool query_step(struct query *q); /* true: a row */

/* Into the arena; NULL gives an empty run with ptr NULL. */
struct str query_column_text(struct query *q, struct arena *a, int column);
int64_t query_column_int(struct query *q, int column);

/* 0, or ERR_IO with SQLite's text. */
int query_end(struct query *q, struct error *err);

/* Run the statement to its end. */
int query_run(struct query *q, struct error *err);

/* An array in an arena that grows by doubling: makes room for one more, returns the
 * array. */
void *query_grow(struct arena *a, void *array, size_t count, size_t *cap, size_t item);

#endif
