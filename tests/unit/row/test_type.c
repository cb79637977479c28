#include "row/schema.h"
#include "row/type.h"
#include "support/test.h"

static void expect(struct column c, const char *duckdb, const char *postgres)
{
    struct buf out;
    buf_init(&out, 100);
    type_sql(&c, SQL_DUCKDB, &out);
    assert_string_equal(buf_text(&out), duckdb);
    buf_clear(&out);
    type_sql(&c, SQL_POSTGRES, &out);
    assert_string_equal(buf_text(&out), postgres);
    buf_done(&out);
}

#define EXPECT(duckdb, postgres, ...) \
    expect((struct column){ __VA_ARGS__ }, duckdb, postgres)

static void a_column_has_its_type_in_each_destination(void **state)
{
    (void)state;
    EXPECT("BOOLEAN", "boolean", .type = TYPE_BOOL);
    EXPECT("TINYINT", "smallint", .type = TYPE_INT, .bytes = 1);
    EXPECT("UTINYINT", "smallint", .type = TYPE_INT, .bytes = 1, .is_unsigned = true);
    EXPECT("SMALLINT", "smallint", .type = TYPE_INT, .bytes = 2);
    EXPECT("USMALLINT", "integer", .type = TYPE_INT, .bytes = 2, .is_unsigned = true);
    EXPECT("INTEGER", "integer", .type = TYPE_INT, .bytes = 3);
    EXPECT("UINTEGER", "integer", .type = TYPE_INT, .bytes = 3, .is_unsigned = true);
    EXPECT("INTEGER", "integer", .type = TYPE_INT, .bytes = 4);
    EXPECT("UINTEGER", "bigint", .type = TYPE_LONG, .is_unsigned = true);
    EXPECT("BIGINT", "bigint", .type = TYPE_LONG);
    EXPECT("UBIGINT", "numeric(20)", .type = TYPE_UBIGINT);
    EXPECT("DECIMAL(12,3)", "numeric(12,3)", .type = TYPE_DECIMAL, .precision = 12,
           .scale = 3);
    EXPECT("DECIMAL(38,0)", "numeric(38,0)", .type = TYPE_DECIMAL, .precision = 38);
    EXPECT("VARCHAR", "numeric(39,0)", .type = TYPE_DECIMAL, .precision = 39);
    EXPECT("FLOAT[3]", "real[]", .type = TYPE_VECTOR, .length = 3, .fixed_length = true);
    EXPECT("FLOAT[]", "real[]", .type = TYPE_VECTOR, .length = 3);
    EXPECT("TIMESTAMPTZ", "timestamptz", .type = TYPE_TIMESTAMP);
    EXPECT("INTERVAL", "interval", .type = TYPE_TIME);
    EXPECT("JSON", "jsonb", .type = TYPE_JSON);
    EXPECT("VARCHAR", "inet", .type = TYPE_INET6);
}

static void names_find_their_type(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TYPE_COUNT; i++)
        assert_int_equal(type_find(str_of(type_get((enum logical_type)i)->name)), i);
    assert_int_equal(type_find(STR("nonsense")), TYPE_UNSUPPORTED);
}

static void dates_with_a_day_can_be_bad(void **state)
{
    (void)state;
    assert_true(type_has_bad_dates(TYPE_DATE));
    assert_true(type_has_bad_dates(TYPE_DATETIME));
    assert_true(type_has_bad_dates(TYPE_TIMESTAMP));
    assert_false(type_has_bad_dates(TYPE_TIME));
    assert_false(type_has_bad_dates(TYPE_YEAR));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_column_has_its_type_in_each_destination),
        cmocka_unit_test(names_find_their_type),
        cmocka_unit_test(dates_with_a_day_can_be_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
