/* src/cli/rows_print.h
 *
 * The result of a query, row by row, as a table, CSV (RFC 4180, lines end with CR LF as
 * it says), JSON (an array of objects) or one JSON object per line.
 *
 * A NULL is the word NULL in a table, an empty field in CSV (an empty text is "" in
 * quotes), null in JSON. In JSON numbers keep the destination's text, digit by digit;
 * what JSON has no number for (nan, infinity) is a text; a column of type JSON stands as
 * it is.
 *
 * Thread: one at a time.
 */
#ifndef CLI_ROWS_PRINT_H
#define CLI_ROWS_PRINT_H

#include "base/buf.h"
#include "warehouse/client.h"

enum rows_format { ROWS_TABLE = 0, ROWS_CSV, ROWS_JSON, ROWS_NDJSON };

struct rows_print;

/* write: takes and empties the buf when it has grown, and at the end; -1 ends the query.
 */
typedef int rows_write_fn(void *ctx, struct buf *out, struct error *err);

struct rows_print *rows_print_new(enum rows_format format, rows_write_fn *write,
                                  void *ctx);
void rows_print_free(struct rows_print *p); /* NULL is fine */

/* A query_row_fn; ctx is the struct rows_print. Errors: ERR_LIMIT for a table that would
 * not fit in memory. */
int rows_print_row(void *rows_print, const struct query_column *columns, size_t count,
                   const struct str *cells, struct error *err);

/* What is left. */
int rows_print_end(struct rows_print *p, struct error *err);

#endif
