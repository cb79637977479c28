/* src/row/type.h
 *
 * The one table of types: what each MySQL type is called here, in Avro and in each
 * destination. The encoder, the DDL, the tests and docs/reference/types.md are driven by
 * it.
 *
 * Placeholders in the SQL texts: {p} precision, {s} scale, {n} length or dimension.
 */
#ifndef ROW_TYPE_H
#define ROW_TYPE_H

#include "base/buf.h"
#include "row/value.h"

#include <stdbool.h>
#include <stdint.h>

struct column;

enum logical_type {
    TYPE_UNSUPPORTED = 0, /* cannot be selected; column.why says why */
    TYPE_BOOL,            /* TINYINT(1), BIT(1) */
    TYPE_INT,     /* fits Avro int: signed to 32 bits, unsigned to 24; column.bytes */
    TYPE_LONG,    /* INT UNSIGNED, BIGINT */
    TYPE_UBIGINT, /* BIGINT UNSIGNED */
    TYPE_DECIMAL, /* precision 1..65, scale 0..38 */
    TYPE_FLOAT,
    TYPE_DOUBLE,
    TYPE_BIT,   /* BIT(2..63) */
    TYPE_BIT64, /* BIT(64) */
    TYPE_TEXT,  /* CHAR, VARCHAR, TEXT family */
    TYPE_BYTES, /* BINARY, VARBINARY, BLOB family */
    TYPE_DATE,
    TYPE_DATETIME,
    TYPE_TIMESTAMP,
    TYPE_TIME,
    TYPE_YEAR,
    TYPE_ENUM,
    TYPE_SET,
    TYPE_JSON, /* MySQL JSON; MariaDB LONGTEXT with a json_valid check */
    TYPE_GEOMETRY,
    TYPE_VECTOR,
    TYPE_UUID,
    TYPE_INET4,
    TYPE_INET6,
    TYPE_COUNT
};

enum sql_family { SQL_DUCKDB = 0, SQL_POSTGRES, SQL_FAMILY_COUNT };

struct type_info {
    enum logical_type type;
    enum value_kind value;    /* what a good cell is */
    const char *name;         /* ours: "ubigint" */
    const char *mysql;        /* for people: "BIGINT UNSIGNED" */
    const char *avro;         /* "long", "bytes", "array of float" */
    const char *avro_logical; /* "decimal", "local-timestamp-micros", "json", or NULL */
    const char
        *sql[SQL_FAMILY_COUNT]; /* with placeholders; NULL when type_sql() decides */
};

const struct type_info *type_get(enum logical_type type);

/* By type_info.name; TYPE_UNSUPPORTED when there is none. */
enum logical_type type_find(struct str name);

/* The destination's type of a column: "DECIMAL(12,3)", "UTINYINT", "FLOAT[3]". */
void type_sql(const struct column *c, enum sql_family family, struct buf *out);

/* TYPE_DATE, TYPE_DATETIME, TYPE_TIMESTAMP: have zero and partial values. */
bool type_has_bad_dates(enum logical_type type);

#endif
