/* src/source/discover_internal.h
 *
 * What the parts of discovery share: a catalog in the making, and the type of a column
 * from the words of information_schema.
 */
#ifndef SOURCE_DISCOVER_INTERNAL_H
#define SOURCE_DISCOVER_INTERNAL_H

#include "base/arena.h"
#include "base/map.h"
#include "mysql/session.h"
#include "row/catalog.h"

/* One part of an index, as STATISTICS has it. The texts are borrowed from
 * `scratch`. */
struct draft_part {
    struct draft_part *next;
    struct str index_name;
    struct str column; /* empty for an expression */
    struct str direction;
    unsigned seq;
    bool has_prefix;
    bool is_hash;
    bool is_long_hash; /* MariaDB: of a hidden column */
    bool is_invisible;
    bool is_unique;
};

struct draft_table {
    struct catalog_table t;
    struct column *columns; /* heap while it grows, then moved to the arena */
    unsigned *ordinals;
    size_t count, cap;
    struct draft_part *parts; /* index by index */
    uint64_t column_grants;
    bool seen_unreadable; /* a column without the SELECT privilege */
};

struct draft {
    struct session *session; /* borrowed */
    struct arena *arena;     /* of the catalog */
    struct arena *scratch;   /* of the queries' answers; ends with discovery */
    struct map *by_name;     /* "database\0table" -> struct draft_table */
    struct map *words;       /* interned: charsets, collations, type names */
    struct draft_table *tables;
    size_t table_count;
    struct str *notes; /* heap, then the arena */
    size_t note_count;
    unsigned shown_keys; /* tables that were asked for with SHOW KEYS */
    bool fold;           /* names are compared with ASCII case folded */
    bool always_int;
    bool has_expression, has_visible, has_ignored, has_json_checks;
    bool has_longtext;
};

/* A word that repeats: one copy in the catalog's arena. */
struct str draft_word(struct draft *d, struct str word);

struct draft_table *draft_find(struct draft *d, struct str database, struct str table);

void draft_note(struct draft *d, struct str note);

/* Run the query `text` with {where} and the other placeholders filled in. */
int draft_query(struct draft *d, struct str text, struct str where,
                struct session_result *out, struct error *err);

/* COLUMNS, then JSON checks of MariaDB: fills each table's columns in source order. */
int draft_columns(struct draft *d, struct str where, struct error *err);

/* STATISTICS: chooses each table's key and lists its indexes. After draft_columns(). */
int draft_keys(struct draft *d, struct str where, struct error *err);

/* What COLUMNS says about one column, as text; ptr NULL for NULL. */
struct column_words {
    struct str data_type;   /* "bigint" */
    struct str column_type; /* "bigint(20) unsigned" */
    struct str length;      /* CHARACTER_MAXIMUM_LENGTH */
    struct str precision, scale, fraction;
};

/* Set type, sizes, sign and labels of *c; a type that we do not know becomes
 * TYPE_UNSUPPORTED with why. c->charset is set already. */
void column_set_type(struct arena *a, const struct column_words *w, bool always_int,
                     struct column *c);

#endif
