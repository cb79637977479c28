/* src/source/reread.h
 *
 * Single rows of a table, read by their keys: what the log told of them in part
 * (binlog_row_image other than FULL) is asked for whole.
 *
 *   SELECT columns FROM t WHERE key IN (...)
 *
 * by the binary protocol, so that the cells are those of a copy. The server compares keys
 * in the column's collation (decision 7), so it may hand out a row whose key is equal but
 * not the same ('a' for 'A'), or none of those asked for: the caller compares the cells.
 *
 * Thread: the session's.
 */
#ifndef SOURCE_REREAD_H
#define SOURCE_REREAD_H

#include "base/error.h"
#include "mysql/session.h"
#include "row/schema.h"
#include "row/value.h"

#include <stdbool.h>
#include <stddef.h>

struct reread {
    struct session *session;
    const struct table_schema *shape; /* projected: its first columns are the key's */
    size_t row_limit;
    bool replace_bad_text;
    /* Called for each row that is there; cells of the shape, valid until it returns. Its
     * error ends the reading. */
    int (*row)(void *ctx, const struct value *cells, struct error *err);
    void *ctx;
};

/* Keys of one statement; where they are long, fewer. */
#define REREAD_KEYS 500u

/* keys: of each row the cells of the key's columns, none of them NULL, absent or invalid.
 * Errors: ERR_SCHEMA when the table is not what it was or gone, ERR_LIMIT for a row of
 * more than row_limit, ERR_NETWORK, ERR_CANCELLED, those of `row`. After an error the
 * session is good for closing only. */
int reread_rows(const struct reread *r, const struct value *const *keys, size_t count,
                struct error *err);

/* The statement for these keys. */
int reread_sql(const struct table_schema *shape, const struct value *const *keys,
               size_t count, struct buf *sql, struct error *err);

#endif
