#include "row/type.h"

#include "row/schema.h"

#include <assert.h>

/* One line per type, in the order of the enum. Avro "bytes" with "decimal" takes
 * precision and scale from the column. */
/* clang-format off */
static const struct type_info types[] = {
    [TYPE_UNSUPPORTED] = { TYPE_UNSUPPORTED, VALUE_INVALID, "unsupported",
        "", "", NULL, { NULL, NULL } },
    [TYPE_BOOL] = { TYPE_BOOL, VALUE_INT, "bool",
        "TINYINT(1), BIT(1)", "boolean", NULL, { "BOOLEAN", "boolean" } },
    [TYPE_INT] = { TYPE_INT, VALUE_INT, "int",
        "TINYINT, SMALLINT, MEDIUMINT, INT", "int", NULL, { NULL, NULL } },
    [TYPE_LONG] = { TYPE_LONG, VALUE_INT, "long",
        "INT UNSIGNED, BIGINT", "long", NULL, { NULL, "bigint" } },
    [TYPE_UBIGINT] = { TYPE_UBIGINT, VALUE_UINT, "ubigint",
        "BIGINT UNSIGNED", "bytes", "decimal", { "UBIGINT", "numeric(20)" } },
    [TYPE_DECIMAL] = { TYPE_DECIMAL, VALUE_DECIMAL, "decimal",
        "DECIMAL", "bytes", "decimal", { NULL, "numeric({p},{s})" } },
    [TYPE_FLOAT] = { TYPE_FLOAT, VALUE_FLOAT, "float",
        "FLOAT", "float", NULL, { "FLOAT", "real" } },
    [TYPE_DOUBLE] = { TYPE_DOUBLE, VALUE_DOUBLE, "double",
        "DOUBLE", "double", NULL, { "DOUBLE", "double precision" } },
    [TYPE_BIT] = { TYPE_BIT, VALUE_UINT, "bit",
        "BIT(2) to BIT(63)", "long", NULL, { "UBIGINT", "bigint" } },
    [TYPE_BIT64] = { TYPE_BIT64, VALUE_UINT, "bit64",
        "BIT(64)", "bytes", "decimal", { "UBIGINT", "numeric(20)" } },
    [TYPE_TEXT] = { TYPE_TEXT, VALUE_TEXT, "text",
        "CHAR, VARCHAR, TEXT", "string", NULL, { "VARCHAR", "text" } },
    [TYPE_BYTES] = { TYPE_BYTES, VALUE_BYTES, "bytes",
        "BINARY, VARBINARY, BLOB", "bytes", NULL, { "BLOB", "bytea" } },
    [TYPE_DATE] = { TYPE_DATE, VALUE_DATE, "date",
        "DATE", "int", "date", { "DATE", "date" } },
    [TYPE_DATETIME] = { TYPE_DATETIME, VALUE_DATETIME, "datetime",
        "DATETIME", "long", "local-timestamp-micros", { "TIMESTAMP", "timestamp" } },
    [TYPE_TIMESTAMP] = { TYPE_TIMESTAMP, VALUE_TIMESTAMP, "timestamp",
        "TIMESTAMP", "long", "timestamp-micros", { "TIMESTAMPTZ", "timestamptz" } },
    [TYPE_TIME] = { TYPE_TIME, VALUE_TIME, "time",
        "TIME", "long", NULL, { "INTERVAL", "interval" } },
    [TYPE_YEAR] = { TYPE_YEAR, VALUE_INT, "year",
        "YEAR", "int", NULL, { "SMALLINT", "smallint" } },
    [TYPE_ENUM] = { TYPE_ENUM, VALUE_TEXT, "enum",
        "ENUM", "string", NULL, { "VARCHAR", "text" } },
    [TYPE_SET] = { TYPE_SET, VALUE_TEXT, "set",
        "SET", "string", NULL, { "VARCHAR", "text" } },
    [TYPE_JSON] = { TYPE_JSON, VALUE_JSON, "json",
        "JSON", "string", "json", { "JSON", "jsonb" } },
    [TYPE_GEOMETRY] = { TYPE_GEOMETRY, VALUE_BYTES, "geometry",
        "GEOMETRY, POINT and the other spatial", "bytes", NULL, { "BLOB", "bytea" } },
    [TYPE_VECTOR] = { TYPE_VECTOR, VALUE_BYTES, "vector",
        "VECTOR", "array of float", NULL, { NULL, "real[]" } },
    [TYPE_UUID] = { TYPE_UUID, VALUE_TEXT, "uuid",
        "UUID (MariaDB)", "string", NULL, { "UUID", "uuid" } },
    [TYPE_INET4] = { TYPE_INET4, VALUE_TEXT, "inet4",
        "INET4 (MariaDB)", "string", NULL, { "VARCHAR", "inet" } },
    [TYPE_INET6] = { TYPE_INET6, VALUE_TEXT, "inet6",
        "INET6 (MariaDB)", "string", NULL, { "VARCHAR", "inet" } },
};
/* clang-format on */
static_assert(sizeof(types) / sizeof(types[0]) == TYPE_COUNT, "a line for every type");

const struct type_info *type_get(enum logical_type type)
{
    assert((unsigned)type < TYPE_COUNT);
    return &types[type];
}

enum logical_type type_find(struct str name)
{
    for (unsigned i = 0; i < TYPE_COUNT; i++)
        if (str_eq(name, str_of(types[i].name)))
            return types[i].type;
    return TYPE_UNSUPPORTED;
}

static const char *int_sql(const struct column *c, enum sql_family family)
{
    static const char *const duckdb[2][5] = {
        { "INTEGER", "TINYINT", "SMALLINT", "INTEGER", "INTEGER" },
        { "UINTEGER", "UTINYINT", "USMALLINT", "UINTEGER", "UINTEGER" },
    };
    static const char *const postgres[2][5] = {
        { "integer", "smallint", "smallint", "integer", "integer" },
        { "bigint", "smallint", "integer", "integer", "bigint" },
    };
    unsigned bytes = c->bytes <= 4 ? c->bytes : 4;
    return family == SQL_DUCKDB ? duckdb[c->is_unsigned][bytes]
                                : postgres[c->is_unsigned][bytes];
}

/* DuckDB's DECIMAL ends at 38 digits (its manual, "Numeric Types"); PostgreSQL's does
 * not. */
#define DUCKDB_DECIMAL_DIGITS 38

/* What a column needs where the type alone does not say it. */
static const char *column_sql(const struct column *c, enum sql_family family)
{
    if (c->type == TYPE_INT)
        return int_sql(c, family);
    if (c->type == TYPE_LONG)
        return c->is_unsigned ? "UINTEGER" : "BIGINT";
    if (c->type == TYPE_DECIMAL)
        return c->precision <= DUCKDB_DECIMAL_DIGITS ? "DECIMAL({p},{s})" : "VARCHAR";
    if (c->type == TYPE_VECTOR)
        return c->fixed_length ? "FLOAT[{n}]" : "FLOAT[]";
    return "";
}

void type_sql(const struct column *c, enum sql_family family, struct buf *out)
{
    const char *sql = type_get(c->type)->sql[family];
    if (sql == NULL)
        sql = column_sql(c, family);
    while (*sql != '\0') {
        if (sql[0] == '{' && sql[1] != '\0' && sql[2] == '}') {
            unsigned long long n = sql[1] == 'p'   ? c->precision
                                   : sql[1] == 's' ? c->scale
                                                   : c->length;
            buf_printf(out, "%llu", n);
            sql += 3;
        } else {
            buf_add_char(out, *sql++);
        }
    }
}

bool type_has_bad_dates(enum logical_type type)
{
    return type == TYPE_DATE || type == TYPE_DATETIME || type == TYPE_TIMESTAMP;
}
