/* src/warehouse/client.h
 *
 * How jobs and commands reach the one process of ours that has a DuckDB file open. The
 * first that needs it starts it (our own executable, command `warehouse`), elected by a
 * lock file beside the database; all talk to it over a unix socket that only this user
 * can open.
 *
 * The file may be held by another program: loading then waits and tells the caller who it
 * is, through the waiting function, about every two seconds.
 *
 * Messages are a 4-byte little-endian length and one JSON object; see owner.c.
 *
 * Thread: one per client. Owner: warehouse_close() ends the connection; the process ends
 * by itself when nobody needs it.
 */
#ifndef WAREHOUSE_CLIENT_H
#define WAREHOUSE_CLIENT_H

#include "base/arena.h"
#include "base/cancel.h"
#include "base/error.h"
#include "sink/sink.h"

#include <stdbool.h>
#include <stdint.h>

struct warehouse;

struct warehouse_options {
    const struct str *settings; /* "memory_limit=1GiB": of the destination's URL */
    size_t setting_count;
    int64_t idle_us; /* option warehouse_idle */
    /* Called while somebody else holds the file; text names them. May be NULL. */
    void (*waiting)(void *ctx, struct str text);
    void *ctx;
};

/* path: the DuckDB file, made when it does not exist. Starts the process when it is not
 * there. Errors: ERR_TARGET, ERR_CONFIG (not a DuckDB file, newer, read-only: with a
 * hint). */
struct warehouse *warehouse_open(const char *path, const struct warehouse_options *o,
                                 struct cancel *c, struct error *err);
void warehouse_close(struct warehouse *w); /* NULL is fine */

int warehouse_marks(struct warehouse *w, struct arena *a, struct str integration,
                    struct mark_list *out, struct error *err);

/* Which epoch to load. excluded: of as many as the manifest has streams; or NULL. */
struct epoch_load {
    const char *dir;
    const bool *excluded;
    size_t excluded_count;
};

/* Load one captured epoch; see sink_load_epoch(). Strings of out live in the arena. */
int warehouse_load(struct warehouse *w, struct arena *a, const struct epoch_load *l,
                   struct load_outcome *out, struct error *err);

/* Forget unfinished copies, or a whole integration; see sink.h. */
int warehouse_reset(struct warehouse *w, const struct reset_request *r,
                    struct error *err);

struct query_limits {
    int64_t time_us; /* 0: none */
    uint64_t rows;   /* rows returned at most; more is told by truncated */
};

struct query_column {
    struct str name, type;
};

/* Receives the result: columns once (cells NULL), then each row; a NULL cell has ptr
 * NULL. */
typedef int query_row_fn(void *ctx, const struct query_column *columns, size_t count,
                         const struct str *cells, struct error *err);

struct query_reader {
    query_row_fn *row;
    void *ctx;
};

/* One read-only statement. Errors: ERR_CONFIG for a statement that may not run here, with
 * the reason; ERR_TARGET with DuckDB's text; ERR_LIMIT for time. */
int warehouse_query(struct warehouse *w, struct str sql,
                    const struct query_limits *limits, const struct query_reader *reader,
                    bool *truncated, struct error *err);

/* Checkpoint and close the file now, end the process when nobody else is connected. */
int warehouse_release(struct warehouse *w, struct error *err);

#endif
