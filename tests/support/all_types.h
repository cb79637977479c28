/* tests/support/all_types.h
 *
 * A shape with a column of every type, and rows of the values that are most likely to go
 * wrong: both ends of every range, empty, longest digits. Row i takes value i of each
 * column, around and around.
 */
#ifndef SUPPORT_ALL_TYPES_H
#define SUPPORT_ALL_TYPES_H

#include "avro/encode.h"
#include "row/schema.h"

#include <float.h>

#define ALL_ROWS 24 /* each value of each column at least once */
#define VALUES_MAX 10

struct typed_column {
    struct column column;
    struct value values[VALUES_MAX];
    unsigned count;
};

#define V_INT(v)                       \
    {                                  \
        .as.i = (v), .kind = VALUE_INT \
    }
#define V_UINT(v)                       \
    {                                   \
        .as.u = (v), .kind = VALUE_UINT \
    }
#define V_OF(k, v)               \
    {                            \
        .as.i = (v), .kind = (k) \
    }
#define V_FLOAT(v)                       \
    {                                    \
        .as.f = (v), .kind = VALUE_FLOAT \
    }
#define V_DOUBLE(v)                       \
    {                                     \
        .as.d = (v), .kind = VALUE_DOUBLE \
    }
#define V_BYTES(k, literal)                                                \
    {                                                                      \
        .as.bytes = "" literal "", .len = sizeof(literal) - 1, .kind = (k) \
    }
#define V_NULL             \
    {                      \
        .kind = VALUE_NULL \
    }
#define T(literal)                         \
    {                                      \
        "" literal "", sizeof(literal) - 1 \
    }
#define COLUMN(n, avro, t, ...)       \
    .column = { .name = T(n),         \
                .avro_name = T(avro), \
                .type = (t),          \
                .nullable = true,     \
                .selected = true,     \
                __VA_ARGS__ }

static const struct str enum_labels[] = { T("red"), T("gr\xC3\xBCn"), T("a,b"),
                                          T("4"),   T("five"),        T("six") };
static const struct str set_labels[] = { T("a"), T("b"), T("\xF0\x9F\x98\x80") };

#define NINES_65 "99999999999999999999999999999999999999999999999999999999999999999"
#define DAY INT64_C(86400000000)

static const struct typed_column typed_columns[] = {
    { COLUMN("id", "id", TYPE_LONG, .key_ordinal = 1, .source_type = T("bigint(20)")),
      .values = { V_INT(1), V_INT(INT64_MIN), V_INT(INT64_MAX), V_INT(0), V_INT(-1) },
      .count = 5 },
    { COLUMN("flag \xF0\x9F\x98\x80", "flag__", TYPE_BOOL),
      .values = { V_INT(0), V_INT(1), V_UINT(1) }, .count = 3 },
    { COLUMN("tiny", "tiny", TYPE_INT, .bytes = 1),
      .values = { V_INT(-128), V_INT(127), V_NULL }, .count = 3 },
    { COLUMN("utiny", "utiny", TYPE_INT, .bytes = 1, .is_unsigned = true),
      .values = { V_INT(0), V_INT(255), V_UINT(255) }, .count = 3 },
    { COLUMN("umedium", "umedium", TYPE_INT, .bytes = 3, .is_unsigned = true),
      .values = { V_INT(0), V_INT(16777215) }, .count = 2 },
    { COLUMN("normal", "normal", TYPE_INT, .bytes = 4),
      .values = { V_INT(INT32_MIN), V_INT(INT32_MAX), V_INT(63), V_INT(64), V_INT(-64),
                  V_INT(-65) },
      .count = 6 },
    { COLUMN("unormal", "unormal", TYPE_LONG, .bytes = 4, .is_unsigned = true),
      .values = { V_INT(0), V_INT(4294967295) }, .count = 2 },
    { COLUMN("ubig", "ubig", TYPE_UBIGINT, .is_unsigned = true),
      .values = { V_UINT(0), V_UINT(127), V_UINT(128), V_UINT(INT64_MAX),
                  V_UINT((uint64_t)INT64_MAX + 1), V_UINT(UINT64_MAX), V_INT(5) },
      .count = 7 },
    { COLUMN("money", "money", TYPE_DECIMAL, .precision = 12, .scale = 3,
             .source_type = T("decimal(12,3)")),
      .values = { V_BYTES(VALUE_DECIMAL, "-12.340"), V_BYTES(VALUE_DECIMAL, "0.000"),
                  V_BYTES(VALUE_DECIMAL, "999999999.999"),
                  V_BYTES(VALUE_DECIMAL, "-999999999.999"),
                  V_BYTES(VALUE_DECIMAL, "0.001"), V_BYTES(VALUE_DECIMAL, "-0.128") },
      .count = 6 },
    { COLUMN("huge", "huge", TYPE_DECIMAL, .precision = 65, .scale = 0),
      .values = { V_BYTES(VALUE_DECIMAL, NINES_65), V_BYTES(VALUE_DECIMAL, "-" NINES_65),
                  V_BYTES(VALUE_DECIMAL, "9223372036854775808"),
                  V_BYTES(VALUE_DECIMAL, "-9223372036854775808"),
                  V_BYTES(VALUE_DECIMAL, "18446744073709551616"),
                  V_BYTES(VALUE_DECIMAL, "-170141183460469231731687303715884105728") },
      .count = 6 },
    { COLUMN("fine", "fine", TYPE_DECIMAL, .precision = 38, .scale = 38),
      .values = { V_BYTES(VALUE_DECIMAL, "0.00000000000000000000000000000000000001"),
                  V_BYTES(VALUE_DECIMAL, "-0.99999999999999999999999999999999999999") },
      .count = 2 },
    { COLUMN("single", "single", TYPE_FLOAT),
      .values = { V_FLOAT(-0.0f), V_FLOAT(FLT_MAX), V_FLOAT(FLT_TRUE_MIN),
                  V_FLOAT(0.1f) },
      .count = 4 },
    { COLUMN("double", "double", TYPE_DOUBLE),
      .values = { V_DOUBLE(-0.0), V_DOUBLE(DBL_MAX), V_DOUBLE(DBL_TRUE_MIN),
                  V_DOUBLE(0.1) },
      .count = 4 },
    { COLUMN("bits", "bits", TYPE_BIT, .length = 63),
      .values = { V_UINT(0), V_UINT(INT64_MAX), V_UINT(1) }, .count = 3 },
    { COLUMN("bits64", "bits64", TYPE_BIT64, .length = 64),
      .values = { V_UINT(0), V_UINT(UINT64_MAX) }, .count = 2 },
    { COLUMN("text", "text", TYPE_TEXT, .length = 100, .charset = T("latin1"),
             .collation = T("latin1_swedish_ci")),
      .values = { V_BYTES(VALUE_TEXT, ""), V_BYTES(VALUE_TEXT, "plain ascii text"),
                  V_BYTES(VALUE_TEXT, "\xE2\x82\xAC \xF0\x9F\x98\x80 \"quoted\"\n"),
                  V_BYTES(VALUE_TEXT, "with\0nul"), V_NULL },
      .count = 5 },
    { COLUMN("blob", "blob", TYPE_BYTES, .length = 65535),
      .values = { V_BYTES(VALUE_BYTES, ""), V_BYTES(VALUE_BYTES, "\0\xFF\x80\x7F") },
      .count = 2 },
    { COLUMN("day", "day", TYPE_DATE),
      .values = { V_OF(VALUE_DATE, -719528), V_OF(VALUE_DATE, 2932896),
                  V_OF(VALUE_DATE, 0), V_OF(VALUE_DATE, 20000) },
      .count = 4 },
    { COLUMN("moment", "moment", TYPE_DATETIME, .fraction = 6),
      .values = { V_OF(VALUE_DATETIME, -719528 * DAY),
                  V_OF(VALUE_DATETIME, 2932897 * DAY - 1), V_OF(VALUE_DATETIME, 0),
                  V_OF(VALUE_DATETIME, 1700000000123456) },
      .count = 4 },
    { COLUMN("instant", "instant", TYPE_TIMESTAMP, .fraction = 6),
      .values = { V_OF(VALUE_TIMESTAMP, 1000000), V_OF(VALUE_TIMESTAMP, 4294967295999999),
                  V_OF(VALUE_TIMESTAMP, 1700000000000001) },
      .count = 3 },
    { COLUMN("clock", "clock", TYPE_TIME, .fraction = 6),
      .values = { V_OF(VALUE_TIME, -3020399999999), V_OF(VALUE_TIME, 3020399999999),
                  V_OF(VALUE_TIME, 0), V_OF(VALUE_TIME, -1) },
      .count = 4 },
    { COLUMN("year", "year", TYPE_YEAR), .values = { V_INT(0), V_INT(1901), V_INT(2155) },
      .count = 3 },
    { COLUMN("enum", "enum", TYPE_ENUM, .labels = enum_labels, .label_count = 6,
             .charset = T("utf8mb4")),
      .values = { V_BYTES(VALUE_TEXT, ""), V_BYTES(VALUE_TEXT, "red"),
                  V_BYTES(VALUE_TEXT, "gr\xC3\xBCn"), V_BYTES(VALUE_TEXT, "a,b"),
                  V_BYTES(VALUE_TEXT, "six") },
      .count = 5 },
    { COLUMN("set", "set", TYPE_SET, .labels = set_labels, .label_count = 3,
             .charset = T("utf8mb4")),
      .values = { V_BYTES(VALUE_TEXT, ""), V_BYTES(VALUE_TEXT, "a,b,\xF0\x9F\x98\x80"),
                  V_BYTES(VALUE_TEXT, "b") },
      .count = 3 },
    { COLUMN("json", "json", TYPE_JSON, .json_check = true),
      .values = { V_BYTES(VALUE_JSON, "{\"a\": [1, 2.50, null]}"),
                  V_BYTES(VALUE_JSON, "null"), V_BYTES(VALUE_TEXT, "\"\\u0000\"") },
      .count = 3 },
    { COLUMN("shape", "shape", TYPE_GEOMETRY),
      .values = { V_BYTES(VALUE_BYTES, "\x01\x01\0\0\x20\xE6\x10\0\0"
                                       "\0\0\0\0\0\0\xF0\x3F\0\0\0\0\0\0\0\x40") },
      .count = 1 },
    { COLUMN("vector", "vector", TYPE_VECTOR, .length = 2048),
      .values = { V_BYTES(VALUE_BYTES, "\0\0\x80\x3F\0\0\0\xC0"),
                  V_BYTES(VALUE_BYTES, "") },
      .count = 2 },
    { COLUMN("uuid", "uuid", TYPE_UUID),
      .values = { V_BYTES(VALUE_TEXT, "123e4567-e89b-12d3-a456-426655440000") },
      .count = 1 },
    { COLUMN("inet4", "inet4", TYPE_INET4),
      .values = { V_BYTES(VALUE_TEXT, "255.255.255.255") }, .count = 1 },
    { COLUMN("4th", "_th", TYPE_INET6),
      .values = { V_BYTES(VALUE_TEXT, "::ffff:1.2.3.4"), V_BYTES(VALUE_TEXT, "::") },
      .count = 2 },
};

#define ALL_COLUMNS (sizeof(typed_columns) / sizeof(typed_columns[0]))

struct all_types {
    struct table_schema schema;
    struct column columns[ALL_COLUMNS];
};

static inline const struct table_schema *all_types_schema(struct all_types *t)
{
    for (size_t i = 0; i < ALL_COLUMNS; i++)
        t->columns[i] = typed_columns[i].column;
    t->columns[0].nullable = false;
    t->schema = (struct table_schema){ .database = T("shop \xC3\xA9"),
                                       .name = T("int"),
                                       .version = 7,
                                       .column_count = ALL_COLUMNS,
                                       .key_count = 1,
                                       .columns = t->columns };
    return &t->schema;
}

static inline void all_types_row(unsigned i, struct value cells[ALL_COLUMNS])
{
    for (size_t c = 0; c < ALL_COLUMNS; c++)
        cells[c] = typed_columns[c].values[i % typed_columns[c].count];
}

/* All NULL but for the key. */
static inline void all_types_null_row(struct value cells[ALL_COLUMNS])
{
    for (size_t c = 0; c < ALL_COLUMNS; c++)
        cells[c] = (struct value)V_NULL;
    cells[0] = (struct value)V_INT(42);
}

#endif
