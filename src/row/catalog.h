/* src/row/catalog.h
 *
 * What discovery found: databases, tables, columns, keys, sizes, and what could not be
 * read and why. A plain tree in one arena; the order is by database, then table, as bytes
 * compare.
 *
 * Owner: catalog_free() ends the arena and all in it. Thread: any, once made.
 */
#ifndef ROW_CATALOG_H
#define ROW_CATALOG_H

#include "base/arena.h"
#include "row/schema.h"

#include <stdbool.h>
#include <stdint.h>

enum key_source {
    KEY_NONE = 0,
    KEY_PRIMARY,
    KEY_UNIQUE_NOT_NULL, /* the first by SHOW KEYS' order that has no nullable column */
    KEY_GENERATED,       /* GIPK: my_row_id, invisible */
};

/* An index whose entries come in ascending order: a B-tree in use, of whole columns. */
struct catalog_index {
    struct str name;
    const struct str *columns; /* in order; those that no query sees are there, too */
    size_t column_count;
};

struct catalog_table {
    struct table_schema schema; /* all columns, selected all that are supported */
    enum table_kind kind;
    enum key_source key;
    bool key_has_prefix;   /* the key indexes only the start of a column: no order to read
                              by */
    bool key_is_unordered; /* a hash, an ignored index, or mixed directions: likewise */
    bool readable;         /* SELECT was granted on it and its definition is valid */
    struct str why; /* when not readable or when the table cannot be copied: a sentence */
    struct str engine;   /* "InnoDB"; empty for a view */
    struct str key_name; /* "PRIMARY"; empty without key */
    struct str comment;
    uint64_t row_estimate;
    uint64_t byte_estimate;
    bool system_versioned;
    bool cascades; /* the log's reader is to tell when a foreign key of it is dropped:
                      what such keys do to its rows is derived */
    bool transactional;                  /* the engine has consistent views */
    const struct catalog_index *indexes; /* by name */
    size_t index_count;
};

struct catalog_database {
    struct str name;
    struct str charset;
    struct catalog_table *tables;
    size_t table_count;
};

struct catalog {
    struct arena *arena; /* owned */
    struct catalog_database *databases;
    size_t database_count;
    const struct str *notes; /* what discovery could not see, a sentence each */
    size_t note_count;
    int64_t taken_at;
};

void catalog_free(struct catalog *c);

/* The table, or NULL. Names are compared as bytes, or with ASCII case folded when the
 * server's lower_case_table_names is not 0. */
const struct catalog_table *catalog_find(const struct catalog *c, struct str database,
                                         struct str table, bool fold);

/* --- replication keys: see source/key.h ------------------------------------------------
 */

/* How a look-back is counted. */
enum key_kind {
    KEY_KIND_NONE = 0, /* this column cannot be a replication key */
    KEY_KIND_TIME,     /* DATE, DATETIME, TIMESTAMP: seconds */
    KEY_KIND_UNITS,    /* integers */
};

/* why: a sentence where it is none. */
enum key_kind key_kind_of(const struct column *c, struct str *why);

/* An index that has this column, then the table's key, so that pages in this order cost
 * little; empty: none. */
struct str key_index_of(const struct catalog_table *t, struct str column);

#endif
