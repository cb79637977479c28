/* src/source/full_internal.h
 *
 * The SQL of reading a table by key, shared by reader and splitter. Names and values
 * enter it by the session's quoting functions and type_quote_part() alone.
 */
#ifndef SOURCE_FULL_INTERNAL_H
#define SOURCE_FULL_INTERNAL_H

#include "base/buf.h"
#include "row/catalog.h"
#include "row/schema.h"

#include <stdint.h>

/* What one SELECT asks for. */
struct full_query {
    const struct table_schema *shape;
    struct str key_name; /* the index to read by; empty: no FORCE INDEX */
    struct str after;    /* key tuples; empty: none */
    struct str upto;
    bool ordered;    /* ORDER BY key */
    bool keys_only;  /* only the key's columns */
    uint64_t limit;  /* 0: none */
    uint64_t offset; /* with a limit */
};

/* A ceiling for one statement: two key tuples, written several times, and the names. */
#define FULL_SQL_BYTES (16u << 20)

/* Append the statement. ERR_BUG when a tuple does not have the key's parts. */
int full_query_sql(const struct full_query *q, struct buf *sql, struct error *err);

/* `database`.`table` [FORCE INDEX (`key`)] */
void full_table_sql(const struct table_schema *shape, struct str key_name,
                    struct buf *sql);

/* ORDER BY key columns. */
void full_order_sql(const struct table_schema *shape, struct buf *sql);

/* A type whose values have one order on both servers that a literal can be compared with.
 */
bool full_type_orders(const struct column *c);

/* The one key column, when it is an integer that can be cut by arithmetic. */
const struct column *full_integer_key(const struct table_schema *shape);

#endif
