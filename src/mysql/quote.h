/* src/mysql/quote.h
 *
 * The only ways in which names and values enter the text of a statement for the source.
 * Included by session.h; right for the session variables that session_open() sets
 * (utf8mb4, sql_mode '').
 *
 * Thread: any.
 */
#ifndef MYSQL_QUOTE_H
#define MYSQL_QUOTE_H

#include "base/buf.h"
#include "base/str.h"

/* `name`, with back-ticks doubled. */
void session_quote_ident(struct buf *sql, struct str name);

/* 'text' as a utf8mb4 literal, whatever bytes text has: quotes and backslashes escaped
 * for the sql_mode that session_open() has set. */
void session_quote_literal(struct buf *sql, struct str text);

/* Stored bytes in the column's own charset and collation:
 * _latin1 X'e4' COLLATE latin1_swedish_ci; bytes without a charset: X'e4'. charset and
 * collation are names of the server's catalog. */
void session_quote_stored(struct buf *sql, struct str charset, struct str collation,
                          struct str bytes);

#endif
