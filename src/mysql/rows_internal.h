/* src/mysql/rows_internal.h
 *
 * Between rows.c (events and images), rows_plan.c (what fits what) and rows_value.c (one
 * value).
 */
#ifndef MYSQL_ROWS_INTERNAL_H
#define MYSQL_ROWS_INTERNAL_H

#include "base/arena.h"
#include "base/reader.h"
#include "mysql/rows.h"

/* A column of the map that is walked over, not decoded. */
#define NO_CELL UINT32_MAX

struct rows_column {
    const struct column *column;   /* borrowed from the shape; NULL with NO_CELL */
    const struct charset *charset; /* NULL: bytes */
    const struct str *labels;      /* UTF-8; ptr NULL: not known */
    struct map_column map;
    uint32_t cell;
};

/* What the columns of one image were made from. */
struct rows_image {
    struct value *cells;
    struct str *stored; /* JSON as it stands in the image, by map column */
    bool *made;         /* as.u is an offset into scratch, by cell */
    bool past;          /* its row_end is not the end of time */
};

struct rows_plan {
    const struct table_map *map;
    const struct table_schema *shape;
    struct arena *arena; /* owned: columns, labels, the map's own shape */
    struct rows_column *columns;
    struct type_options options;
    struct buf scratch;              /* owned */
    struct rows_image before, after; /* cells are the caller's */
    uint64_t replaced;
    bool own_shape;   /* made from the map: nothing is known beyond it */
    unsigned damaged; /* 1 + the map column whose value cannot be, or 0 */
    unsigned row_end; /* 1 + the map column that says when the row ended, or 0 */
};

/* Decode one value of the row that is in r; r->bad when its bytes end before it does. A
 * value that cannot be sets p->damaged. */
struct value rows_value(struct rows_plan *p, unsigned column, struct rows_image *image,
                        struct reader *r);

/* The bytes of a row_end that say that the row has ended. */
bool rows_value_is_past(const struct map_column *c, struct str s);

/* The bytes of one value, without decoding it. */
struct str rows_value_bytes(const struct map_column *c, struct reader *r);

/* A time of before 5.6 in a log of MariaDB: its fraction, and so its length, is known to
 * the catalog alone. */
bool rows_is_unmeasured(const struct table_map *m, unsigned column);

/* A cell whose bytes stand in scratch from offset on. */
struct value rows_made(struct rows_plan *p, struct rows_image *image, uint32_t cell,
                       enum value_kind kind, size_t offset);

#endif
