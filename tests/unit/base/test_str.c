#include "base/str.h"
#include "support/test.h"

static void order_is_by_bytes_then_by_length(void **state)
{
    (void)state;
    assert_int_equal(str_cmp(STR("a"), STR("a")), 0);
    assert_true(str_cmp(STR("a"), STR("b")) < 0);
    assert_true(str_cmp(STR("ab"), STR("a")) > 0);
    assert_true(str_cmp(STR("a"), STR("ab")) < 0);
    assert_true(str_cmp(STR("\xFF"), STR("a")) > 0);
    assert_int_equal(str_cmp((struct str){ 0 }, STR("")), 0);
    assert_true(str_cmp((struct str){ 0 }, STR("a")) < 0);
}

static void equality_folds_ascii_only_when_asked(void **state)
{
    (void)state;
    assert_true(str_eq(STR("ab"), STR("ab")));
    assert_false(str_eq(STR("ab"), STR("Ab")));
    assert_true(str_ieq(STR("aBz"), STR("AbZ")));
    assert_false(str_ieq(STR("ab"), STR("abc")));
    assert_false(str_ieq(STR("ab"), STR("ac")));
    assert_false(str_ieq(STR("\xC3\xA9"), STR("\xC3\x89")));
    assert_str(str_of(NULL), "");
    assert_str(str_of("x"), "x");
}

static void starts_and_ends(void **state)
{
    (void)state;
    assert_true(str_starts(STR("mysql://x"), STR("mysql://")));
    assert_false(str_starts(STR("my"), STR("mysql")));
    assert_true(str_starts(STR("my"), STR("")));
    assert_true(str_ends(STR("a.epoch"), STR(".epoch")));
    assert_false(str_ends(STR("a.open"), STR(".epoch")));
    assert_false(str_ends(STR("x"), STR("xx")));
    assert_true(str_ends((struct str){ 0 }, STR("")));
}

static void cutting_leaves_the_rest(void **state)
{
    (void)state;
    struct str rest;
    assert_str(str_cut(STR("a,b,c"), ',', &rest), "a");
    assert_str(rest, "b,c");
    assert_str(str_cut(STR("a,"), ',', &rest), "a");
    assert_str(rest, "");
    assert_non_null(rest.ptr);
    assert_str(str_cut(STR("abc"), ',', &rest), "abc");
    assert_null(rest.ptr);
    assert_str(str_cut((struct str){ 0 }, ',', &rest), "");
    assert_null(rest.ptr);
}

static void trimming_takes_ascii_blanks(void **state)
{
    (void)state;
    assert_str(str_trim(STR(" \t\r\n a b \v\f")), "a b");
    assert_str(str_trim(STR("   ")), "");
    assert_str(str_trim(STR("")), "");
}

static void numbers_are_whole_and_in_range(void **state)
{
    (void)state;
    uint64_t u = 7;
    int64_t i = 7;
    assert_true(str_to_u64(STR("18446744073709551615"), &u));
    assert_true(u == UINT64_MAX);
    assert_true(str_to_u64(STR("007"), &u));
    assert_int_equal(u, 7);
    static const char *const bad[] = { "",
                                       "-",
                                       "18446744073709551616",
                                       "99999999999999999999",
                                       "1a",
                                       " 1",
                                       "1 ",
                                       "+1",
                                       "0x1",
                                       "1.0",
                                       "--1" };
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
        assert_false(str_to_u64(str_of(bad[k]), &u));
        assert_false(str_to_i64(str_of(bad[k]), &i));
    }
    assert_false(str_to_u64(STR("-1"), &u));
    assert_int_equal(u, 7);
    assert_int_equal(i, 7);
    assert_true(str_to_i64(STR("9223372036854775807"), &i));
    assert_true(i == INT64_MAX);
    assert_true(str_to_i64(STR("-9223372036854775808"), &i));
    assert_true(i == INT64_MIN);
    assert_false(str_to_i64(STR("9223372036854775808"), &i));
    assert_false(str_to_i64(STR("-9223372036854775809"), &i));
    assert_true(str_to_i64(STR("-0"), &i));
    assert_int_equal(i, 0);
}

static void patterns_match_like_a_shells(void **state)
{
    (void)state;
    assert_true(str_glob(STR("*"), STR(""), false));
    assert_true(str_glob(STR("*"), STR("orders"), false));
    assert_true(str_glob(STR("or*s"), STR("orders"), false));
    assert_true(str_glob(STR("*_20*"), STR("log_2024_01"), false));
    assert_true(str_glob(STR("a*b*c"), STR("aXbYbZc"), false));
    assert_false(str_glob(STR("a*b*c"), STR("aXbYbZ"), false));
    assert_true(str_glob(STR("a?c"), STR("abc"), false));
    assert_true(str_glob(STR("a?c"),
                         STR("a\xC3\xA9"
                             "c"),
                         false));
    assert_true(str_glob(STR("a?c"),
                         STR("a\xFF"
                             "c"),
                         false));
    assert_false(str_glob(STR("a?c"), STR("ac"), false));
    assert_false(str_glob(STR("a??"), STR("a\xC3\xA9"), false));
    assert_true(str_glob(STR("*?"), STR("\xC3\xA9"), false));
    assert_false(str_glob(STR("Orders"), STR("orders"), false));
    assert_true(str_glob(STR("Orders"), STR("orderS"), true));
    assert_false(str_glob(STR(""), STR("a"), false));
    assert_true(str_glob(STR(""), STR(""), false));
    assert_true(str_glob(STR("a**"), STR("a"), false));
    assert_false(str_glob(STR("abc"), STR("ab"), false));
}

static void a_nasty_pattern_ends_soon(void **state)
{
    (void)state;
    char text[5000];
    memset(text, 'a', sizeof(text));
    assert_false(str_glob(STR("*a*a*a*a*a*a*a*a*a*a*a*b"),
                          (struct str){ text, sizeof(text) }, false));
}

static void utf8_follows_table_3_7(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        unsigned n;
        uint32_t cp;
    } rows[] = {
        { "a", 1, 'a' },
        { "\x7F", 1, 0x7F },
        { "\xC2\x80", 2, 0x80 },
        { "\xDF\xBF", 2, 0x7FF },
        { "\xE0\xA0\x80", 3, 0x800 },
        { "\xED\x9F\xBF", 3, 0xD7FF },
        { "\xEE\x80\x80", 3, 0xE000 },
        { "\xEF\xBF\xBF", 3, 0xFFFF },
        { "\xF0\x90\x80\x80", 4, 0x10000 },
        { "\xF4\x8F\xBF\xBF", 4, 0x10FFFF },
        { "\x80", 0, 0 },
        { "\xBF", 0, 0 },
        { "\xC0\x80", 0, 0 },
        { "\xC1\xBF", 0, 0 },
        { "\xC2", 0, 0 },
        { "\xC2\x41", 0, 0 },
        { "\xE0\x9F\x80", 0, 0 },
        { "\xE1\x80", 0, 0 },
        { "\xE1\x80\x41", 0, 0 },
        { "\xED\xA0\x80", 0, 0 },
        { "\xF0\x8F\x80\x80", 0, 0 },
        { "\xF1\x80\x80", 0, 0 },
        { "\xF1\x80\x41\x80", 0, 0 },
        { "\xF1\x80\x80\x41", 0, 0 },
        { "\xF4\x90\x80\x80", 0, 0 },
        { "\xF5\x80\x80\x80", 0, 0 },
        { "\xFF", 0, 0 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t cp = 0;
        assert_int_equal(str_utf8_next(str_of(rows[i].bytes), &cp), rows[i].n);
        assert_int_equal(cp, rows[i].cp);
        assert_int_equal(str_is_utf8(str_of(rows[i].bytes)), rows[i].n != 0);
    }
    assert_int_equal(str_utf8_next(STR(""), NULL), 0);
    assert_true(str_is_utf8(STR("")));
}

static void a_bad_byte_is_found_at_every_offset(void **state)
{
    (void)state;
    char text[40];
    for (size_t at = 0; at < sizeof(text); at++) {
        memset(text, 'a', sizeof(text));
        assert_true(str_is_utf8((struct str){ text, sizeof(text) }));
        text[at] = '\x80';
        assert_false(str_is_utf8((struct str){ text, sizeof(text) }));
    }
}

static void a_distance_counts_edits(void **state)
{
    (void)state;
    char long_text[65];
    memset(long_text, 'a', sizeof long_text);
    assert_int_equal(str_distance(STR("tables"), STR("tables")), 0);
    assert_int_equal(str_distance(STR("tabels"), STR("tables")), 2);
    assert_int_equal(str_distance(STR("snc"), STR("sync")), 1);
    assert_int_equal(str_distance(STR(""), STR("run")), 3);
    assert_int_equal(str_distance((struct str){ long_text, 64 }, STR("a")), 63);
    assert_int_equal(str_distance((struct str){ long_text, 65 }, STR("a")), 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_by_bytes_then_by_length),
        cmocka_unit_test(equality_folds_ascii_only_when_asked),
        cmocka_unit_test(starts_and_ends),
        cmocka_unit_test(cutting_leaves_the_rest),
        cmocka_unit_test(trimming_takes_ascii_blanks),
        cmocka_unit_test(numbers_are_whole_and_in_range),
        cmocka_unit_test(patterns_match_like_a_shells),
        cmocka_unit_test(a_nasty_pattern_ends_soon),
        cmocka_unit_test(a_distance_counts_edits),
        cmocka_unit_test(utf8_follows_table_3_7),
        cmocka_unit_test(a_bad_byte_is_found_at_every_offset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
