/* src/warehouse/protocol.h
 *
 * What a client asks and what the owner answers, as JSON objects.
 *
 *   request   {"do": "load", "epoch_dir": ..., ...}
 *   replies   {"waiting": "pid 12 (python3)"}         any number of them first, then one
 * of
 *             {"ok": {...}}                           the answer, by the kind of request
 *             {"error": {...}}                        code, text, hint, failed_stream
 *   a query   {"columns": [[name, type], ...]} {"rows": [[cell, ...], ...]} ... {"ok":
 * ...}
 *
 * A member that is missing, of another type or out of range is ERR_PROTOCOL; unknown
 * members are ignored. Text must be UTF-8, else encoding fails: nothing is replaced
 * silently (but in texts of errors). Numbers past 2^63-1 travel as strings.
 *
 * Thread: any. Decoded texts lie in the arena given.
 */
#ifndef WAREHOUSE_PROTOCOL_H
#define WAREHOUSE_PROTOCOL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "sink/sink.h"
#include "warehouse/client.h"

#include <jansson.h>

/* Both ends must speak the same one. */
#define PROTOCOL_FORMAT 2

enum request_kind {
    REQUEST_HELLO = 0, /* format and path: the first one of a connection */
    REQUEST_MARKS,
    REQUEST_LOAD,
    REQUEST_RESET,
    REQUEST_QUERY,
    REQUEST_RELEASE,
    REQUEST_KIND_COUNT
};

struct request {
    enum request_kind kind;
    int64_t format;         /* HELLO */
    struct str path;        /* HELLO: the database's real path */
    struct str integration; /* MARKS */
    struct str epoch_dir;   /* LOAD: absolute */
    const bool *excluded;   /* LOAD: of excluded_count, or NULL */
    size_t excluded_count;
    struct reset_request reset; /* RESET */
    struct str sql;             /* QUERY */
    struct query_limits limits; /* QUERY */
};

/* Each *_encode makes a whole message in b (frame.h): begin and end are included. */
int request_encode(struct buf *b, const struct request *r, struct error *err);
int request_decode(struct str json, struct arena *a, struct request *out,
                   struct error *err);

enum reply_kind {
    REPLY_OK = 0,
    REPLY_ERROR,
    REPLY_WAITING,
    REPLY_COLUMNS,
    REPLY_ROWS,
};

/* A reply that was read; body is what the member's name promises. */
struct reply {
    enum reply_kind kind;
    json_t *root; /* owned */
    json_t *body; /* borrowed from root */
};

int reply_read(struct str json, struct reply *out, struct error *err);
void reply_done(struct reply *r); /* a zeroed one is fine */

/* {"ok": {}}: to hello, reset and release. */
int reply_encode_ok(struct buf *b, struct error *err);

int reply_encode_waiting(struct buf *b, struct str holder, struct error *err);
/* Borrowed from the reply. */
int reply_decode_waiting(const struct reply *r, struct str *holder, struct error *err);

/* failed_stream: of a load, else -1. */
int reply_encode_error(struct buf *b, const struct error *what, int failed_stream,
                       struct error *err);
/* Makes *err what the owner's error was, and fails: always -1. Its hint is kept by
 * protocol_hint(). */
int reply_decode_error(const struct reply *r, int *failed_stream, struct error *err);

int reply_encode_marks(struct buf *b, const struct mark_list *marks, struct error *err);
int reply_decode_marks(const struct reply *r, struct arena *a, struct mark_list *out,
                       struct error *err);

int reply_encode_load(struct buf *b, const struct load_outcome *o, struct error *err);
int reply_decode_load(const struct reply *r, struct arena *a, struct load_outcome *out,
                      struct error *err);

int reply_encode_query_end(struct buf *b, bool truncated, struct error *err);
int reply_decode_query_end(const struct reply *r, bool *truncated, struct error *err);

int reply_encode_columns(struct buf *b, const struct query_column *columns, size_t count,
                         struct error *err);
int reply_decode_columns(const struct reply *r, struct arena *a,
                         struct query_column **columns, size_t *count, struct error *err);

/* Rows are gathered in one message: begin, add and add, end. */
void rows_begin(struct buf *b);
int rows_add(struct buf *b, const struct str *cells, size_t count, struct error *err);
int rows_end(struct buf *b, struct error *err);
/* Hand each row to fn; count is the number of columns that every row must have. */
int rows_decode(const struct reply *r, const struct query_column *columns, size_t count,
                query_row_fn *fn, void *ctx, struct error *err);

/* A static copy of a hint, as struct error wants it. At most HINT_COUNT different ones of
 * at most HINT_BYTES are kept in the life of a process, and never forgotten; NULL beyond.
 */
#define HINT_COUNT 128
#define HINT_BYTES 400
const char *protocol_hint(struct str hint);

#endif
