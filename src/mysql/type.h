/* src/mysql/type.h
 *
 * Values of the binary protocol to cells. A plan is compiled from what the server says
 * about the columns of a result and the shape that we expect; where the two differ the
 * table has changed under us, and nothing is decoded.
 *
 * Cells borrow from the row's bytes, or from the plan's scratch where a value had to be
 * made (text of another charset, geometry, bad dates); both live until the next row.
 *
 *   integers, YEAR      VALUE_INT by width and sign; BIGINT UNSIGNED VALUE_UINT
 *   BIT                 VALUE_INT (one bit) or VALUE_UINT, from big-endian bytes
 *   DECIMAL             VALUE_DECIMAL, the server's text
 *   DATE DATETIME ...   VALUE_DATE, _DATETIME, _TIMESTAMP (the session is in UTC), or
 * VALUE_BAD_DATE text ENUM SET JSON  UTF-8 by charset, or VALUE_INVALID with the stored
 * bytes geometry            VALUE_BYTES: EWKB, with an SRID only when it is not 0
 *
 * Errors: ERR_SCHEMA naming the column when result and shape differ; ERR_PROTOCOL when a
 * row's bytes do not fit its columns. Thread: one per plan. Source: MySQL Server
 * Doxygen 9.x, "Binary Protocol Resultset Row"; MariaDB documentation, "Resultset row";
 * geometry: MySQL manual, "Internal Geometry Storage Format", and PostGIS's
 * doc/ZMSgeoms.txt for EWKB.
 */
#ifndef MYSQL_TYPE_H
#define MYSQL_TYPE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "mysql/charset.h"
#include "mysql/packet.h"
#include "mysql/result.h"
#include "row/schema.h"
#include "row/value.h"

#include <stdbool.h>
#include <stdint.h>

/* Column types on the wire (enum_field_types). */
enum wire_type {
    MYSQL_TYPE_DECIMAL = 0,
    MYSQL_TYPE_TINY = 1,
    MYSQL_TYPE_SHORT = 2,
    MYSQL_TYPE_LONG = 3,
    MYSQL_TYPE_FLOAT = 4,
    MYSQL_TYPE_DOUBLE = 5,
    MYSQL_TYPE_NULL = 6,
    MYSQL_TYPE_TIMESTAMP = 7,
    MYSQL_TYPE_LONGLONG = 8,
    MYSQL_TYPE_INT24 = 9,
    MYSQL_TYPE_DATE = 10,
    MYSQL_TYPE_TIME = 11,
    MYSQL_TYPE_DATETIME = 12,
    MYSQL_TYPE_YEAR = 13,
    MYSQL_TYPE_NEWDATE = 14,
    MYSQL_TYPE_VARCHAR = 15,
    MYSQL_TYPE_BIT = 16,
    MYSQL_TYPE_VECTOR = 242,
    MYSQL_TYPE_JSON = 245,
    MYSQL_TYPE_NEWDECIMAL = 246,
    MYSQL_TYPE_ENUM = 247,
    MYSQL_TYPE_SET = 248,
    MYSQL_TYPE_TINY_BLOB = 249,
    MYSQL_TYPE_MEDIUM_BLOB = 250,
    MYSQL_TYPE_LONG_BLOB = 251,
    MYSQL_TYPE_BLOB = 252,
    MYSQL_TYPE_VAR_STRING = 253,
    MYSQL_TYPE_STRING = 254,
    MYSQL_TYPE_GEOMETRY = 255,
};

struct type_options {
    enum charset_family family;
    enum charset_policy bad_text; /* CHARSET_REJECT makes VALUE_INVALID */
    size_t row_limit;             /* ceiling of one row's made values: four times this */
};

struct type_plan;

/* The result's columns must be the shape's columns in order, by name and type; columns of
 * the shape with a `companion` are not read and their cells stay VALUE_ABSENT. shape must
 * outlive the plan; columns need not. NULL with err on failure. */
struct type_plan *type_plan_new(const struct result_column *columns, unsigned count,
                                const struct table_schema *shape,
                                const struct type_options *o, struct error *err);
void type_plan_free(struct type_plan *p);

/* Decode one row of statement_next() into cells[shape->column_count]. Of a row that was
 * cut only the columns that lie wholly in the head are filled, the others are
 * VALUE_ABSENT. */
int type_decode_row(struct type_plan *p, const struct packet *row, struct value *cells,
                    struct error *err);

/* One column of the row decoded last, as a part of a key tuple (row/position.h): text and
 * binary as stored, anything else as the ASCII that a literal needs. */
void type_key_part(const struct type_plan *p, unsigned column, struct buf *out);

/* The literal for such a part in a WHERE clause, in the column's charset and collation.
 */
void type_quote_part(const struct column *c, struct str part, struct buf *sql);

/* Cells whose bytes were no characters and were replaced, so far. */
uint64_t type_plan_replaced(const struct type_plan *p);

#endif
