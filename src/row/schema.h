/* src/row/schema.h
 *
 * The shape of one table at one moment. Immutable: a change makes a new one with the next
 * version number. Everything a schema points to lives in the arena that it was made in.
 *
 * Thread: any, once made.
 */
#ifndef ROW_SCHEMA_H
#define ROW_SCHEMA_H

#include "base/arena.h"
#include "base/str.h"
#include "row/type.h"

#include <stdbool.h>
#include <stdint.h>

enum column_visibility {
    COLUMN_VISIBLE = 0,
    COLUMN_INVISIBLE, /* SELECT * leaves it out; it can be named */
    COLUMN_HIDDEN,    /* the server's own: row_start, functional index, DB_ROW_HASH_1 */
};

enum column_generated {
    GENERATED_NO = 0,
    GENERATED_STORED,
    GENERATED_VIRTUAL,
    GENERATED_ROW_START, /* MariaDB system versioning */
    GENERATED_ROW_END,
};

struct column {
    struct str name;          /* as the source spells it, UTF-8 */
    struct str avro_name;     /* [A-Za-z_][A-Za-z0-9_]*, unique in the table */
    struct str source_type;   /* "decimal(12,3) unsigned", for people */
    struct str charset;       /* "latin1"; empty for what is not text */
    struct str collation;     /* "latin1_swedish_ci"; empty likewise */
    struct str why;           /* TYPE_UNSUPPORTED: why, a sentence */
    struct str default_text;  /* as the catalog says; ptr NULL when there is none */
    const struct str *labels; /* ENUM and SET: members in order, UTF-8 */
    enum logical_type type;
    uint64_t
        length; /* characters of text, bytes of binary, bits of BIT, floats of VECTOR */
    uint16_t label_count;
    uint16_t precision;   /* TYPE_DECIMAL: digits in all */
    uint16_t scale;       /* TYPE_DECIMAL: digits after the point */
    uint16_t key_ordinal; /* 1-based place in the key, or 0 */
    uint16_t companion; /* 1 + index of the date column whose bad values this TEXT column
                           keeps (date policy `text`), or 0 */
    uint8_t fraction;   /* of seconds, 0 to 6 */
    uint8_t bytes;      /* TYPE_INT: 1, 2, 3 or 4 */
    uint8_t visibility; /* enum column_visibility */
    uint8_t generated;  /* enum column_generated */
    bool is_unsigned;
    bool nullable;
    bool selected;
    bool json_check;   /* TYPE_JSON of MariaDB: text with a json_valid check */
    bool fixed_length; /* TYPE_VECTOR of MariaDB: every value has `length` floats; MySQL's
                          may be shorter */
    bool auto_increment; /* the server numbers its rows; no part of the shape */
};

enum table_kind { TABLE_BASE = 0, TABLE_VIEW, TABLE_SEQUENCE };

struct table_schema {
    struct str database;
    struct str name;
    uint32_t version; /* of the shape, from 1; segments and destination follow it */
    uint16_t column_count;
    uint16_t key_count; /* columns with key_ordinal; 0 for a keyless table */
    /* What rows in the log of MariaDB have behind these columns, and no catalog lists: */
    bool hidden_versions;   /* row_start and row_end, where no statement named them */
    uint16_t hidden_hashes; /* then one for each unique key that is a hash */
    const struct column *columns;
};

/* The column of this name, bytes equal, or NULL. */
const struct column *schema_find_column(const struct table_schema *s, struct str name);

/* The key's column number `ordinal` (from 1), or NULL. */
const struct column *schema_key_column(const struct table_schema *s, unsigned ordinal);

/* A deep copy into another arena. */
struct table_schema *schema_copy(struct arena *a, const struct table_schema *s);

/* Only the selected columns (and their companions), key columns first in key order, then
 * in source order: the shape that is read and written. A key of which a column was left
 * out is no key. NULL when no column is left. */
struct table_schema *schema_project(struct arena *a, const struct table_schema *s);

/* The same with the column of this name, if it is selected, right behind the key: what a
 * key-based stream reads in order of it, so that its cell comes even of rows that are too
 * big. */
struct table_schema *schema_project_by(struct arena *a, const struct table_schema *s,
                                       struct str by);

/* A copy in which the boolean column `index` is TYPE_INT of one byte, version + 1. */
struct table_schema *schema_promote_bool(struct arena *a, const struct table_schema *s,
                                         unsigned index);

/* The same columns, types, nullability, charsets, labels and key, whatever the versions.
 */
bool schema_same_shape(const struct table_schema *a, const struct table_schema *b);

/* XXH3 of all that schema_same_shape() looks at. */
uint64_t schema_hash(const struct table_schema *s);

/* A value of `have` fits a column of `want` without loss (equal types included). Used to
 * decide whether a destination's column can be widened in place. Nullability does not
 * count: every column of a destination is nullable. */
bool column_widens(const struct column *have, const struct column *want);

#endif
