/* Every type into every destination, at both ends of its range. */
#include "contract/sink_fixture.h"

/* ---- every type ------------------------------------------------------------------- */

static const struct str enum_labels[] = { { "red", 3 }, { "blue", 4 } };

static const struct column all_columns[] = {
    KEY_COLUMN("id"),
    COLUMN("b", TYPE_BOOL, .bytes = 1),
    COLUMN("i1", TYPE_INT, .bytes = 1),
    COLUMN("u1", TYPE_INT, .bytes = 1, .is_unsigned = true),
    COLUMN("i2", TYPE_INT, .bytes = 2),
    COLUMN("u3", TYPE_INT, .bytes = 3, .is_unsigned = true),
    COLUMN("u4", TYPE_LONG, .bytes = 4, .is_unsigned = true),
    COLUMN("i8", TYPE_LONG, .bytes = 8),
    COLUMN("u8", TYPE_UBIGINT, .bytes = 8, .is_unsigned = true),
    COLUMN("d4", TYPE_DECIMAL, .precision = 4, .scale = 2),
    COLUMN("d9", TYPE_DECIMAL, .precision = 9, .scale = 0),
    COLUMN("d18", TYPE_DECIMAL, .precision = 18, .scale = 6),
    COLUMN("d38", TYPE_DECIMAL, .precision = 38, .scale = 10),
    COLUMN("d65", TYPE_DECIMAL, .precision = 65, .scale = 30),
    COLUMN("f4", TYPE_FLOAT),
    COLUMN("f8", TYPE_DOUBLE),
    COLUMN("bit17", TYPE_BIT, .length = 17),
    COLUMN("bit64", TYPE_BIT64, .length = 64),
    COLUMN("txt", TYPE_TEXT, .length = 255),
    COLUMN("raw", TYPE_BYTES, .length = 255),
    COLUMN("dt", TYPE_DATE),
    COLUMN("dtm", TYPE_DATETIME, .fraction = 6),
    COLUMN("ts", TYPE_TIMESTAMP, .fraction = 6),
    COLUMN("tm", TYPE_TIME, .fraction = 6),
    COLUMN("y", TYPE_YEAR),
    COLUMN("e", TYPE_ENUM, .labels = enum_labels, .label_count = 2),
    COLUMN("s", TYPE_SET, .labels = enum_labels, .label_count = 2),
    COLUMN("j", TYPE_JSON),
    COLUMN("g", TYPE_GEOMETRY),
    COLUMN("v", TYPE_VECTOR, .length = 3),
    COLUMN("vf", TYPE_VECTOR, .length = 3, .fixed_length = true),
    COLUMN("uu", TYPE_UUID),
    COLUMN("i4", TYPE_INET4),
    COLUMN("i6", TYPE_INET6),
};

#define ALL_COUNT (sizeof(all_columns) / sizeof(all_columns[0]))

static const float floats[] = { 1.5F, -2.0F, 0.25F };

static void fill_row(struct value *row, bool low)
{
    const struct value high_row[ALL_COUNT] = {
        INT(1),
        INT(1),
        INT(127),
        INT(255),
        INT(32767),
        INT(16777215),
        INT(4294967295),
        INT(INT64_MAX),
        UINT(UINT64_MAX),
        BYTES(VALUE_DECIMAL, "99.99"),
        BYTES(VALUE_DECIMAL, "999999999"),
        BYTES(VALUE_DECIMAL, "999999999999.999999"),
        BYTES(VALUE_DECIMAL, "9999999999999999999999999999.9999999999"),
        BYTES(VALUE_DECIMAL, "99999999999999999999999999999999999."
                             "999999999999999999999999999999"),
        { .as.f = 3.4028235e38F, .kind = VALUE_FLOAT },
        { .as.d = 1.7976931348623157e308, .kind = VALUE_DOUBLE },
        UINT(131071),
        UINT(UINT64_MAX),
        TEXT("Gr\xc3\xbc\xc3\x9f \xf0\x9f\x9a\x80 a long one"),
        BYTES(VALUE_BYTES, "\x00\xff\x41"),
        MOMENT(VALUE_DATE, 2932896),
        MOMENT(VALUE_DATETIME, 253402300799999999),
        MOMENT(VALUE_TIMESTAMP, 4294967295999999),
        MOMENT(VALUE_TIME, 3020399999999),
        INT(2155),
        TEXT("blue"),
        TEXT("red,blue"),
        BYTES(VALUE_JSON, "{\"a\": [1, 2.50]}"),
        BYTES(VALUE_BYTES, "\x01\x01"),
        { .as.bytes = (const char *)floats, .len = sizeof(floats), .kind = VALUE_BYTES },
        { .as.bytes = (const char *)floats, .len = sizeof(floats), .kind = VALUE_BYTES },
        TEXT("ffffffff-ffff-4fff-bfff-fffffffffffe"),
        TEXT("255.1.2.3"),
        TEXT("::1"),
    };
    const struct value low_row[ALL_COUNT] = {
        INT(2),
        INT(0),
        INT(-128),
        INT(0),
        INT(-32768),
        INT(0),
        INT(0),
        INT(INT64_MIN),
        UINT(0),
        BYTES(VALUE_DECIMAL, "-99.99"),
        BYTES(VALUE_DECIMAL, "-1"),
        BYTES(VALUE_DECIMAL, "-0.000001"),
        BYTES(VALUE_DECIMAL, "-9999999999999999999999999999.9999999999"),
        BYTES(VALUE_DECIMAL, "-0.000000000000000000000000000001"),
        { .as.f = -1.5F, .kind = VALUE_FLOAT },
        { .as.d = -0.1, .kind = VALUE_DOUBLE },
        UINT(0),
        UINT(0),
        TEXT(""),
        BYTES(VALUE_BYTES, ""),
        MOMENT(VALUE_DATE, -719528),
        MOMENT(VALUE_DATETIME, -62167219200000000),
        MOMENT(VALUE_TIMESTAMP, 1),
        MOMENT(VALUE_TIME, -3020399999999),
        INT(0),
        TEXT(""),
        TEXT(""),
        BYTES(VALUE_JSON, "null"),
        BYTES(VALUE_BYTES, "\x01"),
        { .as.bytes = (const char *)floats, .len = sizeof(floats), .kind = VALUE_BYTES },
        { .as.bytes = (const char *)floats, .len = sizeof(floats), .kind = VALUE_BYTES },
        TEXT("00000000-0000-0000-0000-000000000001"),
        TEXT("0.0.0.0"),
        TEXT("::"),
    };
    memcpy(row, low ? low_row : high_row, sizeof(high_row));
}

static void every_type_arrives_exactly(void **state)
{
    struct fixture *f = *state;
    static const struct table_schema all = {
        .version = 1, .column_count = ALL_COUNT, .key_count = 1, .columns = all_columns
    };
    struct value rows[3 * ALL_COUNT];
    fill_row(rows, false);
    fill_row(rows + ALL_COUNT, true);
    for (size_t i = 0; i < ALL_COUNT; i++)
        rows[2 * ALL_COUNT + i] = i == 0 ? INT(3) : NIL;
    struct test_stream t = { "t",           1, BEGIN_JOIN, .shape = &all, .rows = rows,
                             .row_count = 3 };
    fixture_write_epoch(f, 1, &t, 1);
    (void)fixture_load(f, 1);
    fixture_expect(
        f, "SELECT COLUMNS(c -> c NOT LIKE '%sdc%') FROM shop_copy.t WHERE id = 1",
        "1|true|127|255|32767|16777215|4294967295|9223372036854775807|"
        "18446744073709551615|99.99|999999999|999999999999.999999|"
        "9999999999999999999999999999.9999999999|"
        "99999999999999999999999999999999999.999999999999999999999999999999|"
        "3.4028235e+38|1.7976931348623157e+308|131071|18446744073709551615|"
        "Gr\xc3\xbc\xc3\x9f \xf0\x9f\x9a\x80 a long one|\\x00\\xFFA|9999-12-31|"
        "9999-12-31 23:59:59.999999|2106-02-07 06:28:15.999999+00|838:59:59.999999|"
        "2155|blue|red,blue|{\"a\": [1, 2.50]}|\\x01\\x01|[1.5, -2.0, 0.25]|[1.5, "
        "-2.0, 0.25]|"
        "ffffffff-ffff-4fff-bfff-fffffffffffe|255.1.2.3|::1");
    fixture_expect(
        f, "SELECT COLUMNS(c -> c NOT LIKE '%sdc%') FROM shop_copy.t WHERE id = 2",
        "2|false|-128|0|-32768|0|0|-9223372036854775808|0|-99.99|-1|-0.000001|"
        "-9999999999999999999999999999.9999999999|"
        "-0.000000000000000000000000000001|-1.5|-0.1|0|0|||0001-01-01 (BC)|"
        "0001-01-01 (BC) 00:00:00|1970-01-01 00:00:00.000001+00|-838:59:59.999999|"
        "0|||null|\\x01|[1.5, -2.0, 0.25]|[1.5, -2.0, "
        "0.25]|00000000-0000-0000-0000-000000000001|"
        "0.0.0.0|::");
    fixture_expect(
        f,
        "SELECT count(*) FROM (UNPIVOT (SELECT COLUMNS(c -> c NOT LIKE '%sdc%')::"
        "VARCHAR FROM shop_copy.t WHERE id = 3) ON COLUMNS(*))",
        "1");
    fixture_expect(
        f,
        "SELECT string_agg(data_type, ' ' ORDER BY column_index) FROM "
        "duckdb_columns() WHERE table_name = 't' AND column_name NOT LIKE '%sdc%'",
        "INTEGER BOOLEAN TINYINT UTINYINT SMALLINT UINTEGER UINTEGER BIGINT UBIGINT "
        "DECIMAL(4,2) DECIMAL(9,0) DECIMAL(18,6) DECIMAL(38,10) VARCHAR FLOAT DOUBLE "
        "UBIGINT UBIGINT VARCHAR BLOB DATE TIMESTAMP TIMESTAMP WITH TIME ZONE "
        "INTERVAL SMALLINT VARCHAR VARCHAR JSON BLOB FLOAT[] FLOAT[3] UUID VARCHAR "
        "VARCHAR");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_type_arrives_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
