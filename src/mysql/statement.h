/* src/mysql/statement.h
 *
 * A prepared statement whose rows stream in the binary protocol, straight from the
 * server's send buffer: never a cursor, which would materialise the result at the server
 * first.
 *
 *   statement_prepare -> statement_execute -> statement_next ... -> 0
 *                               ^--------------------------------'  again, or
 * statement_close
 *
 * While rows are left the session is busy. A session that breaks (any ERR_NETWORK,
 * ERR_PROTOCOL or ERR_CANCELLED here) is good for session_close() only.
 *
 * Thread: the session's.
 * Source: MySQL Server Doxygen 9.x, "COM_STMT_PREPARE", "COM_STMT_EXECUTE", "Binary
 * Protocol Resultset"; MariaDB documentation, "COM_STMT_EXECUTE".
 */
#ifndef MYSQL_STATEMENT_H
#define MYSQL_STATEMENT_H

#include "base/error.h"
#include "base/str.h"
#include "mysql/result.h"
#include "mysql/session.h"

#include <stdbool.h>
#include <stdint.h>

struct statement;

/* NULL with err on failure: ERR_SCHEMA when a table or a column is gone. */
struct statement *statement_prepare(struct session *s, struct str sql, struct error *err);

/* How many parameters the statement has. */
unsigned statement_param_count(const struct statement *st);

/* Start it. params: one text per parameter, ptr NULL for NULL; sent as utf8mb4 text. Rows
 * of more than row_limit bytes come cut. */
int statement_execute(struct statement *st, const struct str *params, unsigned count,
                      size_t row_limit, struct error *err);

/* Columns of the latest execution (before the first one: of the preparation). They live
 * until the next execution that changes them; then *generation is another number, and
 * whoever has compiled something from them must do so again. */
const struct result_column *statement_columns(const struct statement *st, unsigned *count,
                                              unsigned *generation);

/* 1 a row, 0 no more, -1 an error (the server may send one in the middle). The row is
 * borrowed until the next call: a byte 0x00, the NULL bitmap, the values end to end; see
 * type_decode_row(). */
int statement_next(struct statement *st, struct packet *row, struct error *err);

/* Read and drop what is left of the rows. */
int statement_drain(struct statement *st, struct error *err);

/* Forget the statement at the server. With rows left the session is marked broken: drain
 * first where the session is to live on. NULL is fine. */
void statement_close(struct statement *st);

#endif
