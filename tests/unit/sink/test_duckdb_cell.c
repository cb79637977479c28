#include "sink/duckdb_internal.h"
#include "support/test.h"

static void expect_text(struct str bytes, unsigned scale, const char *want)
{
    struct buf out;
    buf_init(&out, 200);
    assert_true(cell_unscaled_text(bytes, scale, &out));
    assert_string_equal(buf_text(&out), want);
    buf_done(&out);
}

static void an_unscaled_decimal_becomes_its_text(void **state)
{
    (void)state;
    expect_text(STR("\x00"), 0, "0");
    expect_text(STR("\x00"), 3, "0.000");
    expect_text(STR("\x7f"), 0, "127");
    expect_text(STR("\x80"), 0, "-128");
    expect_text(STR("\xff"), 2, "-0.01");
    expect_text(STR("\xff\xff"), 0, "-1");
    expect_text(STR("\x00\xff"), 1, "25.5");
    expect_text(STR("\xff\x00"), 0, "-256");
    expect_text(STR("\x80\x00"), 0, "-32768");
    expect_text(STR("\x01\x00\x00\x00\x00\x00\x00\x00\x00"), 5, "184467440737095.51616");
}

static void bytes_that_are_no_decimal_are_refused(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 200);
    assert_false(cell_unscaled_text(STR(""), 0, &out));
    assert_false(cell_unscaled_text(STR("\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
                                        "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
                                        "\x00\x00\x00\x00\x00"),
                                    0, &out));
    assert_false(cell_unscaled_text(STR("\x01"), 100, &out));
    buf_done(&out);
}

static void no_vector(duckdb_vector v, idx_t i, const char *s, idx_t n)
{
    (void)v;
    (void)i;
    (void)s;
    (void)n;
    fail_msg("no text was expected");
}

/* A column of one row over plain memory: numbers need nothing of the library. */
static const char *store(duckdb_type type, duckdb_type physical, unsigned width,
                         unsigned scale, unsigned value_scale, struct value v, void *data)
{
    struct duckdb_api api = { .vector_assign_string_element_len = no_vector };
    uint64_t validity = ~(uint64_t)0;
    struct cell_column c = { .type = type,
                             .physical = physical,
                             .width = (uint8_t)width,
                             .scale = (uint8_t)scale,
                             .value_scale = (uint16_t)value_scale,
                             .data = data,
                             .validity = &validity };
    return cell_store(&api, &c, 0, &v);
}

static struct value int_of(int64_t i)
{
    return (struct value){ .as.i = i, .kind = VALUE_INT };
}

static void an_integer_past_its_column_is_refused(void **state)
{
    int8_t tiny = 0;
    uint64_t big = 0;
    bool flag = false;
    (void)state;
    assert_null(
        store(DUCKDB_TYPE_TINYINT, DUCKDB_TYPE_TINYINT, 0, 0, 0, int_of(-128), &tiny));
    assert_int_equal(tiny, -128);
    assert_non_null(
        store(DUCKDB_TYPE_TINYINT, DUCKDB_TYPE_TINYINT, 0, 0, 0, int_of(128), &tiny));
    assert_non_null(
        store(DUCKDB_TYPE_UBIGINT, DUCKDB_TYPE_UBIGINT, 0, 0, 0, int_of(-1), &big));
    assert_non_null(
        store(DUCKDB_TYPE_BOOLEAN, DUCKDB_TYPE_BOOLEAN, 0, 0, 0, int_of(2), &flag));
    assert_non_null(store(DUCKDB_TYPE_DATE, DUCKDB_TYPE_DATE, 0, 0, 0, int_of(1), &big));
}

static void a_decimal_takes_the_scale_of_its_column(void **state)
{
    int32_t small = 0;
    duckdb_hugeint huge = { 0 };
    struct value v = value_of_bytes(VALUE_UNSCALED, STR("\x7b")); /* 1.23 */
    (void)state;
    assert_null(store(DUCKDB_TYPE_DECIMAL, DUCKDB_TYPE_INTEGER, 9, 4, 2, v, &small));
    assert_int_equal(small, 12300);
    /* fewer digits behind the point would lose some, 10^9 is one too many */
    assert_non_null(store(DUCKDB_TYPE_DECIMAL, DUCKDB_TYPE_INTEGER, 9, 1, 2, v, &small));
    assert_non_null(store(DUCKDB_TYPE_DECIMAL, DUCKDB_TYPE_INTEGER, 9, 9, 2, v, &small));
    assert_non_null(store(DUCKDB_TYPE_DECIMAL, DUCKDB_TYPE_INTEGER, 9, 0, 0,
                          int_of(1000000000), &small));
    assert_null(store(DUCKDB_TYPE_DECIMAL, DUCKDB_TYPE_INTEGER, 9, 0, 0,
                      int_of(-999999999), &small));
    assert_null(
        store(DUCKDB_TYPE_DECIMAL, DUCKDB_TYPE_HUGEINT, 38, 37, 0, int_of(-9), &huge));
    assert_non_null(
        store(DUCKDB_TYPE_DECIMAL, DUCKDB_TYPE_HUGEINT, 38, 37, 0, int_of(10), &huge));
}

static void a_uuid_turns_its_highest_bit(void **state)
{
    duckdb_hugeint u = { 0 };
    (void)state;
    assert_null(store(
        DUCKDB_TYPE_UUID, DUCKDB_TYPE_UUID, 0, 0, 0,
        value_of_bytes(VALUE_TEXT, STR("80000000-0000-0000-0000-00000000000A")), &u));
    assert_int_equal(u.upper, 0);
    assert_int_equal(u.lower, 10);
    assert_non_null(store(DUCKDB_TYPE_UUID, DUCKDB_TYPE_UUID, 0, 0, 0,
                          value_of_bytes(VALUE_TEXT, STR("no uuid")), &u));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unscaled_decimal_becomes_its_text),
        cmocka_unit_test(bytes_that_are_no_decimal_are_refused),
        cmocka_unit_test(an_integer_past_its_column_is_refused),
        cmocka_unit_test(a_decimal_takes_the_scale_of_its_column),
        cmocka_unit_test(a_uuid_turns_its_highest_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
