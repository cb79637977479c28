/* Replication keys: which columns, which index, values and their arithmetic. */
#include "source/key.h"
#include "source/key_internal.h"
#include "support/test.h"

static const struct column tiny = { .name = { "n", 1 }, .type = TYPE_INT, .bytes = 1 };
static const struct column utiny = {
    .name = { "n", 1 }, .type = TYPE_INT, .bytes = 1, .is_unsigned = true
};
static const struct column unsigned4 = { .name = { "n", 1 },
                                         .type = TYPE_LONG,
                                         .is_unsigned = true };
static const struct column big = { .name = { "n", 1 }, .type = TYPE_LONG };
static const struct column ubig = { .name = { "n", 1 },
                                    .type = TYPE_UBIGINT,
                                    .is_unsigned = true };
static const struct column date = { .name = { "d", 1 }, .type = TYPE_DATE };
static const struct column datetime = { .name = { "d", 1 }, .type = TYPE_DATETIME };
static const struct column datetime6 = { .name = { "d", 1 },
                                         .type = TYPE_DATETIME,
                                         .fraction = 6 };
static const struct column stamp3 = { .name = { "d", 1 },
                                      .type = TYPE_TIMESTAMP,
                                      .fraction = 3 };

static void integers_and_times_can_be_keys(void **state)
{
    (void)state;
    struct str why;
    for (int type = 0; type < TYPE_COUNT; type++) {
        struct column c = { .type = (enum logical_type)type };
        enum key_kind kind = key_kind_of(&c, &why);
        bool units = c.type == TYPE_INT || c.type == TYPE_LONG || c.type == TYPE_UBIGINT;
        bool times =
            c.type == TYPE_DATE || c.type == TYPE_DATETIME || c.type == TYPE_TIMESTAMP;
        assert_int_equal(kind, units   ? KEY_KIND_UNITS
                               : times ? KEY_KIND_TIME
                                       : KEY_KIND_NONE);
        assert_int_equal(why.len > 0, kind == KEY_KIND_NONE);
    }
}

static void expect_read(const struct column *c, const char *text, const char *want)
{
    struct arena *a = arena_new(65536);
    struct error err = { 0 };
    struct str got = { 0 };
    int rc = key_value_read(a, c, str_of(text), &got, &err);
    if (want == NULL) {
        if (rc == 0)
            fail_msg("'%s' was read as '%s'", text, got.ptr);
        assert_int_equal(err.code, ERR_CONFIG);
        assert_non_null(strstr(err.text, text));
    } else {
        if (rc != 0)
            fail_msg("'%s': %s", text, err.text);
        assert_string_equal(got.ptr, want);
    }
    arena_free(a);
}

static void values_are_read_in_the_columns_range(void **state)
{
    (void)state;
    expect_read(&tiny, "-128", "-128");
    expect_read(&tiny, "127", "127");
    expect_read(&tiny, " +07 ", "7");
    expect_read(&tiny, "-0", "0");
    expect_read(&tiny, "-129", NULL);
    expect_read(&tiny, "128", NULL);
    expect_read(&utiny, "255", "255");
    expect_read(&utiny, "256", NULL);
    expect_read(&utiny, "-1", NULL);
    expect_read(&unsigned4, "4294967295", "4294967295");
    expect_read(&unsigned4, "4294967296", NULL);
    expect_read(&big, "-9223372036854775808", "-9223372036854775808");
    expect_read(&big, "9223372036854775807", "9223372036854775807");
    expect_read(&big, "9223372036854775808", NULL);
    expect_read(&big, "-9223372036854775809", NULL);
    expect_read(&ubig, "18446744073709551615", "18446744073709551615");
    expect_read(&ubig, "18446744073709551616", NULL);
    static const char *const bad[] = { "",    "-",   "+",   "1.5", "1e3",
                                       "--1", "+-1", "0x1", "1;",  "1 OR 1" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_read(&big, bad[i], NULL);
    struct column text = { .name = STR("t"), .type = TYPE_TEXT };
    struct arena *a = arena_new(65536);
    struct error err = { 0 };
    struct str got;
    assert_int_equal(key_value_read(a, &text, STR("1"), &got, &err), -1);
    assert_non_null(strstr(err.text, "cannot be a replication key"));
    arena_free(a);
}

static void times_are_read_as_the_column_keeps_them(void **state)
{
    (void)state;
    expect_read(&date, "2024-02-29", "2024-02-29");
    expect_read(&date, "2023-02-29", NULL);
    expect_read(&date, "2024-02-29 00:00:00", NULL);
    expect_read(&date, "24-02-29", NULL);
    expect_read(&date, "0000-00-00", NULL);
    expect_read(&datetime, "2024-02-29", "2024-02-29 00:00:00");
    expect_read(&datetime, "2024-02-29T23:59", "2024-02-29 23:59:00");
    expect_read(&datetime, "2024-02-29 23:59:58", "2024-02-29 23:59:58");
    expect_read(&datetime, "2024-02-29 23:59:58.000", "2024-02-29 23:59:58");
    expect_read(&datetime, "2024-02-29 23:59:58.001", NULL);
    expect_read(&datetime, "2024-02-29 23:59:58Z", NULL);
    expect_read(&datetime, "2024-02-29 24:00", NULL);
    expect_read(&datetime, "2024-02-29 23:60", NULL);
    expect_read(&datetime, "2024-02-29 23:59:60", NULL);
    expect_read(&datetime, "2024-02-29 23", NULL);
    expect_read(&datetime, "2024-02-29 23:59:58.", NULL);
    expect_read(&datetime, "2024-02-29x", NULL);
    expect_read(&datetime6, "2024-02-29 23:59:58.000001", "2024-02-29 23:59:58.000001");
    expect_read(&datetime6, "2024-02-29 23:59:58.5", "2024-02-29 23:59:58.500000");
    expect_read(&datetime6, "2024-02-29 23:59:58.0000001", NULL);
    expect_read(&stamp3, "2024-02-29 23:59:58.125Z", "2024-02-29 23:59:58.125");
    expect_read(&stamp3, "2024-02-29T23:59Z", "2024-02-29 23:59:00.000");
    expect_read(&stamp3, "2024-02-29 23:59:58.1255", NULL);
}

static void expect_less(const struct column *c, const char *value, int64_t amount,
                        const char *want)
{
    struct arena *a = arena_new(65536);
    struct str got = key_less(a, c, str_of(value), amount);
    if (!str_eq(got, str_of(want)))
        fail_msg("%s - %lld = " STR_FMT ", not %s", value, (long long)amount,
                 STR_ARG(got), want);
    arena_free(a);
}

static void a_look_back_ends_at_the_first_value(void **state)
{
    (void)state;
    expect_less(&tiny, "5", 0, "5");
    expect_less(&tiny, "5", 5, "0");
    expect_less(&tiny, "5", 6, "-1");
    expect_less(&tiny, "-100", 28, "-128");
    expect_less(&tiny, "-100", 29, "-128");
    expect_less(&tiny, "100", INT64_MAX, "-128");
    expect_less(&utiny, "100", 101, "0");
    expect_less(&big, "-9223372036854775807", 1, "-9223372036854775808");
    expect_less(&big, "-9223372036854775807", 2, "-9223372036854775808");
    expect_less(&big, "9223372036854775807", INT64_MAX, "0");
    expect_less(&big, "0", INT64_MAX, "-9223372036854775807");
    expect_less(&ubig, "18446744073709551615", 1, "18446744073709551614");
    expect_less(&ubig, "x", 1, "0");
    expect_less(&date, "2024-03-01", 1, "2024-02-29");
    expect_less(&date, "2024-03-01", 86400, "2024-02-29");
    expect_less(&date, "2024-03-01", 86401, "2024-02-28");
    expect_less(&date, "2024-03-01", INT64_MAX, "0000-00-00");
    expect_less(&date, "0000-00-00", 1, "0000-00-00");
    expect_less(&datetime, "2024-03-01 00:00:00", 1, "2024-02-29 23:59:59");
    expect_less(&datetime6, "1970-01-01 00:00:00.000001", 1,
                "1969-12-31 23:59:59.000001");
    expect_less(&datetime6, "1970-01-01 00:00:00.000001", INT64_MAX,
                "0000-00-00 00:00:00.000000");
    expect_less(&stamp3, "1970-01-02 00:00:00.500", 86399, "1970-01-01 00:00:01.500");
    expect_less(&stamp3, "1970-01-02 00:00:00.500", 86400, "0000-00-00 00:00:00.000");
}

/* ---- clocks ---- */

#define S INT64_C(1000000)
#define H (3600 * S)

static struct key_clock clock_at(int64_t utc, int64_t before, int64_t now, int64_t after)
{
    return (struct key_clock){ utc, utc + now, utc - 3 * H + before,
                               utc + 3 * H + after };
}

static void expect_trust(const struct key_clock *c, const struct column *key, int64_t max,
                         enum key_trust want, int64_t want_now, int64_t want_drop)
{
    int64_t now;
    int64_t drop;
    assert_int_equal(key_trust_of(c, key, max, &now, &drop), want);
    assert_true(now == want_now);
    assert_true(drop == want_drop);
}

static void a_time_ahead_is_not_trusted(void **state)
{
    (void)state;
    int64_t t = 1700000000 * S;
    struct key_clock utc = clock_at(t, 0, 0, 0);
    expect_trust(&utc, &datetime6, t, KEY_TRUST_MAX, t, 0);
    expect_trust(&utc, &datetime6, t + S / 2, KEY_TRUST_MAX, t, 0); /* rounded up */
    expect_trust(&utc, &datetime6, t + S, KEY_TRUST_NOW, t, 0);
    expect_trust(&utc, &stamp3, t + S, KEY_TRUST_NOW, t, 0);
    /* writers may use UTC or the server's zone, whichever is later */
    struct key_clock west = clock_at(t, -5 * H, -5 * H, -5 * H);
    struct key_clock east = clock_at(t, 9 * H, 9 * H, 9 * H);
    expect_trust(&west, &datetime6, t, KEY_TRUST_MAX, t - 5 * H, 0);
    expect_trust(&west, &datetime6, t + S, KEY_TRUST_NOW, t - 5 * H, 0);
    expect_trust(&west, &stamp3, t + S, KEY_TRUST_NOW, t, 0);
    expect_trust(&east, &datetime6, t + 9 * H, KEY_TRUST_MAX, t, 0);
    expect_trust(&east, &datetime6, t + 9 * H + S, KEY_TRUST_NOW, t, 0);
    expect_trust(&east, &stamp3, t + 9 * H, KEY_TRUST_NOW, t, 0);
}

/* Summer time ends: local times come twice, so keys step back by an hour. */
static void an_hour_that_comes_twice_lowers_the_anchor(void **state)
{
    (void)state;
    int64_t t = 1700000000 * S;
    struct key_clock shortly_before = clock_at(t, -4 * H, -4 * H, -5 * H);
    struct key_clock shortly_after = clock_at(t, -4 * H, -5 * H, -5 * H);
    struct key_clock spring = clock_at(t, -5 * H, -4 * H, -4 * H);
    expect_trust(&shortly_before, &datetime, t - 4 * H, KEY_TRUST_MAX, t - 5 * H, H);
    expect_trust(&shortly_after, &datetime, t - 4 * H, KEY_TRUST_MAX, t - 6 * H, H);
    expect_trust(&shortly_after, &stamp3, t + H, KEY_TRUST_NOW, t - H, H);
    expect_trust(&spring, &datetime, t - 4 * H, KEY_TRUST_MAX, t - 4 * H, 0);
}

static void times_become_parts_of_the_columns_precision(void **state)
{
    (void)state;
    struct arena *a = arena_new(65536);
    int64_t us = 0;
    assert_true(key_time_parse(STR("2024-02-29 23:59:58.123456"), &us));
    assert_str(key_time_part(a, &datetime6, us), "2024-02-29 23:59:58.123456");
    assert_str(key_time_part(a, &stamp3, us), "2024-02-29 23:59:58.123");
    assert_str(key_time_part(a, &datetime, us), "2024-02-29 23:59:58");
    assert_str(key_time_part(a, &date, us), "2024-02-29");
    assert_str(key_time_part(a, &datetime, -1), "1969-12-31 23:59:59");
    assert_str(key_time_part(a, &date, -1), "1969-12-31");
    assert_false(key_time_parse(STR("0000-00-00 00:00:00"), &us));
    assert_false(key_time_parse(STR(""), &us));
    arena_free(a);
}

/* ---- indexes ---- */

static const struct column columns[] = {
    { .name = { "id", 2 }, .type = TYPE_INT, .bytes = 4, .key_ordinal = 1 },
    { .name = { "part", 4 }, .type = TYPE_INT, .bytes = 4, .key_ordinal = 2 },
    { .name = { "at", 2 }, .type = TYPE_DATETIME },
    { .name = { "x", 1 }, .type = TYPE_INT, .bytes = 4 },
};

static struct str index_with(const char *engine, enum key_source key,
                             const struct catalog_index *indexes, size_t count,
                             const char *column)
{
    struct catalog_table t = {
        .schema = { .columns = columns, .column_count = 4, .key_count = 2 },
        .key = key,
        .key_name = STR("PRIMARY"),
        .engine = str_of(engine),
        .indexes = indexes,
        .index_count = count,
    };
    return key_index_of(&t, str_of(column));
}

static void an_index_must_give_the_whole_order(void **state)
{
    (void)state;
    static const struct str primary[] = { { "id", 2 }, { "part", 4 } };
    static const struct str at[] = { { "at", 2 } };
    static const struct str at_x[] = { { "at", 2 }, { "x", 1 } };
    static const struct str at_id[] = { { "at", 2 }, { "id", 2 } };
    static const struct str at_all[] = {
        { "at", 2 }, { "id", 2 }, { "part", 4 }, { "x", 1 }
    };
    static const struct str part_id[] = { { "part", 4 }, { "id", 2 } };
    const struct catalog_index all[] = {
        { STR("1_all"), at_all, 4 },    { STR("2_at"), at, 1 },
        { STR("3_at_id"), at_id, 2 },   { STR("4_at_x"), at_x, 2 },
        { STR("5_id"), primary, 1 },    { STR("6_part"), part_id, 2 },
        { STR("PRIMARY"), primary, 2 },
    };
    assert_str(index_with("InnoDB", KEY_PRIMARY, all, 7, "at"), "2_at");
    assert_str(index_with("InnoDB", KEY_PRIMARY, all, 7, "id"), "PRIMARY");
    assert_str(index_with("MyISAM", KEY_PRIMARY, all, 7, "id"), "PRIMARY");
    assert_str(index_with("InnoDB", KEY_PRIMARY, all, 7, "part"), "6_part");
    assert_str(index_with("MyISAM", KEY_PRIMARY, all, 7, "part"), "6_part");
    assert_str(index_with("InnoDB", KEY_PRIMARY, all, 7, "x"), "");
    /* without InnoDB's clustered key at the end of every entry */
    assert_str(index_with("MyISAM", KEY_PRIMARY, all, 7, "at"), "1_all");
    assert_str(index_with("InnoDB", KEY_UNIQUE_NOT_NULL, all, 7, "at"), "1_all");
    assert_str(index_with("MyISAM", KEY_PRIMARY, all + 1, 3, "at"), "");
    assert_str(index_with("InnoDB", KEY_PRIMARY, all + 3, 1, "at"), "");
    assert_str(index_with("InnoDB", KEY_PRIMARY, all + 2, 1, "at"), "3_at_id");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_and_times_can_be_keys),
        cmocka_unit_test(values_are_read_in_the_columns_range),
        cmocka_unit_test(times_are_read_as_the_column_keeps_them),
        cmocka_unit_test(a_look_back_ends_at_the_first_value),
        cmocka_unit_test(a_time_ahead_is_not_trusted),
        cmocka_unit_test(an_hour_that_comes_twice_lowers_the_anchor),
        cmocka_unit_test(times_become_parts_of_the_columns_precision),
        cmocka_unit_test(an_index_must_give_the_whole_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
