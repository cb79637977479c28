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

/* The most columns an index can have is 16 on MySQL and 32 on MariaDB (their reference
 * manuals, "Limits"); a key tuple has one more at most. */
#define KEY_PARTS_MOST 64

/* What one SELECT asks for. */
struct full_query {
    const struct table_schema *shape;
    struct str key_name; /* the index to read by; empty: no FORCE INDEX */
    struct str after;    /* key tuples; empty: none */
    struct str upto;
    struct str where;        /* as full_table has it */
    const struct column *by; /* of shape; NULL: none */
    struct str from, to;     /* bounds of by */
    bool ordered;            /* ORDER BY [by,] key */
    bool keys_only;          /* only the key's columns */
    uint64_t limit;          /* 0: none */
    uint64_t offset;         /* with a limit */
};

/* A ceiling for one statement: two key tuples, written several times, and the names. */
#define FULL_SQL_BYTES (16u << 20)

/* Append the statement. ERR_BUG when a tuple does not have the key's parts. */
int full_query_sql(const struct full_query *q, struct buf *sql, struct error *err);

/* `database`.`table` [FORCE INDEX (`key`)] */
void full_table_sql(const struct table_schema *shape, struct str key_name,
                    struct buf *sql);

/* ORDER BY [by,] key columns. by may be NULL. */
void full_order_sql(const struct table_schema *shape, const struct column *by,
                    struct buf *sql);

/* The columns of a key tuple in order: by (if it is not NULL), then the key without it.
 * Returns how many. */
unsigned full_tuple_columns(const struct table_schema *shape, const struct column *by,
                            const struct column *out[KEY_PARTS_MOST]);

/* A type whose values have one order on both servers that a literal can be compared with.
 */
bool full_type_orders(const struct column *c);

/* The one key column, when it is an integer that can be cut by arithmetic. */
const struct column *full_integer_key(const struct table_schema *shape);

#endif
