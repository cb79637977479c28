/* src/mysql/server_error.h
 *
 * Error numbers of servers and of the client library in our words: which code (and so
 * whether to retry), and what a person can do.
 *
 * Retryable, by error_action(): everything that becomes ERR_NETWORK: a connection refused
 * or lost, a server that is full, shutting down or starting, a lock wait or deadlock, a
 * statement ended by a time limit.
 *
 * Thread: any.
 * Source: MySQL 9.x Error Message Reference; MariaDB documentation, "MariaDB Error Code
 * Reference". Numbers from 4000 on mean different things in the two families and are not
 * in the table.
 */
#ifndef MYSQL_SERVER_ERROR_H
#define MYSQL_SERVER_ERROR_H

#include "base/error.h"
#include "base/str.h"

#include <stdint.h>

/* Fill err with the server's number and text and the table's code and hint; returns -1. A
 * number that is not in the table is ERR_PROTOCOL without a hint. */
int server_error_set(struct error *err, uint32_t number, struct str text);

#endif
