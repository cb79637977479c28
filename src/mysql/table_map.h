/* src/mysql/table_map.h
 *
 * A TABLE_MAP_EVENT: what the rows that follow look like. How much it says depends on the
 * server: types and NULLs always; signs, charsets and the types of geometry with
 * binlog_row_metadata=MINIMAL; names, labels, keys and visibility with FULL; MariaDB says
 * nothing of these by default (NO_LOG).
 *
 * A statement's maps are kept by table id until it ends; a map that comes again with the
 * same bytes is the same object, so that plans made from it live on.
 *
 * Errors: ERR_PROTOCOL when a length leaves the body or parts contradict each other;
 * ERR_SCHEMA for a type whose values we cannot measure. Thread: one at a time.
 * Source: MySQL Server Doxygen 9.x, class Table_map_event; MariaDB documentation,
 * "TABLE_MAP_EVENT". Which columns have a sign or a charset differs from what both say:
 * YEAR has a sign; MySQL's VECTOR and MariaDB's geometry have a charset. Seen in:
 * tests/golden/binlog (mysql97-full, mariadb1011-full).
 */
#ifndef MYSQL_TABLE_MAP_H
#define MYSQL_TABLE_MAP_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "mysql/binlog.h"
#include "row/schema.h"

#include <stdbool.h>
#include <stdint.h>

/* No table of any server has more columns. */
#define TABLE_MAP_COLUMNS_MOST 4096u

/* Types that exist in the binlog only, besides enum wire_type (mysql/type.h). */
enum binlog_type {
    BINLOG_TYPE_TIMESTAMP2 = 17,
    BINLOG_TYPE_DATETIME2 = 18,
    BINLOG_TYPE_TIME2 = 19,
    BINLOG_TYPE_TYPED_ARRAY = 20,
    BINLOG_TYPE_BLOB_COMPRESSED = 140,    /* MariaDB */
    BINLOG_TYPE_VARCHAR_COMPRESSED = 141, /* MariaDB */
};

enum map_visibility { MAP_NOT_TOLD = 0, MAP_VISIBLE, MAP_INVISIBLE };

struct map_column {
    struct str name;          /* empty: not told */
    const struct str *labels; /* ENUM and SET, in the column's charset; NULL: not told */
    uint32_t collation;       /* 0: not told */
    uint32_t length; /* bytes of CHAR, VARCHAR, BIT in bits, dimension of VECTOR; 0: not
                        told */
    uint32_t key_prefix; /* characters of it in the key; 0: all */
    uint16_t label_count;
    uint16_t key_ordinal; /* 1-based place in the primary key, or 0 */
    uint8_t type; /* enum wire_type or binlog_type; STRING is resolved to ENUM, SET */
    uint8_t size_bytes; /* of the length in front of strings and blobs; of ENUM and SET,
                           of BIT: of the value */
    uint8_t precision, scale; /* NEWDECIMAL */
    uint8_t fraction;         /* of the second, new temporal types */
    uint8_t geometry;         /* 1 point, 2 line string, ...; 0 any or not told */
    uint8_t visibility;       /* enum map_visibility */
    bool nullable;
    bool is_unsigned; /* with table_map.has_signs */
};

struct table_map {
    uint64_t id;
    struct str database;
    struct str name;
    struct map_column *columns;
    struct str body;     /* all of it, as it came */
    struct arena *arena; /* owned: holds everything else */
    void *plan;          /* the owner of the maps may keep something here */
    enum charset_family family;
    unsigned version; /* of the server */
    uint16_t column_count;
    uint16_t json_count; /* columns of type JSON */
    uint16_t key_count;
    bool has_signs, has_charsets, has_names, has_labels, has_key;
    bool unknown_metadata; /* of a newer server, skipped */
};

/* body is copied. */
struct table_map *table_map_new(struct str body, const struct binlog_format *f,
                                struct error *err);
void table_map_free(struct table_map *m); /* NULL is fine; plan is not touched */

/* The shape as far as the map tells it, in arena: for reading without a catalog. A column
 * without a name is "@1", "@2", ...; text of an unknown charset is TYPE_BYTES, an ENUM or
 * SET without labels TYPE_UNSUPPORTED (its cell is the number), a number without a sign
 * is signed. */
struct table_schema *table_map_shape(const struct table_map *m, struct arena *arena);

/* --- the maps of a statement
 * -------------------------------------------------------------- */

struct table_maps;

/* drop frees a plan; NULL when there are none. */
struct table_maps *table_maps_new(void (*drop)(void *plan));
void table_maps_free(struct table_maps *t); /* NULL is fine */

/* Take in a TABLE_MAP_EVENT; the map is t's. NULL with err. */
struct table_map *table_maps_put(struct table_maps *t, struct str body,
                                 const struct binlog_format *f, struct error *err);
struct table_map *table_maps_find(const struct table_maps *t, uint64_t id);

/* The statement ended: maps may be forgotten when they have become many. */
void table_maps_end_statement(struct table_maps *t);

/* Another server or file: ids mean nothing any more. */
void table_maps_clear(struct table_maps *t);

#endif
