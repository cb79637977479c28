/* GTIDs and positions of MariaDB. */
#include "mysql/gtid_maria.h"
#include "support/test.h"

static struct gtid_maria_position parsed(const char *text)
{
    struct gtid_maria_position p;
    struct error err = { 0 };
    if (gtid_maria_parse_position(str_of(text), &p, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    return p;
}

static void assert_position(const struct gtid_maria_position *p, const char *want)
{
    struct buf out;
    buf_init(&out, 4096);
    gtid_maria_format_position(p, &out);
    assert_string_equal(buf_text(&out), want);
    buf_done(&out);
}

static void text_becomes_canonical(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "", "" },
        { " 0-1-3095 ", "0-1-3095" },
        { "7-2-1, 0-1-3095", "0-1-3095,7-2-1" },
        { "4294967295-4294967295-18446744073709551615",
          "4294967295-4294967295-18446744073709551615" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gtid_maria_position p = parsed(cases[i][0]);
        assert_position(&p, cases[i][1]);
        gtid_maria_done(&p);
    }
}

static void refuses_other_text(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "0",
        "0-1",
        "0-1-",
        "0-1-2-3",
        "-1-2-3",
        "a-1-2",
        "4294967296-1-1",
        "0-4294967296-1",
        "0-1-18446744073709551616",
        "0-1-1,",
        ",0-1-1",
        "0-1-1,,1-1-1",
        "0-1-1,0-2-2",
        "0 -1-1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct gtid_maria_position p = { 0 };
        struct error err = { 0 };
        if (gtid_maria_parse_position(str_of(bad[i]), &p, &err) == 0)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(err.code, ERR_CONFIG);
        assert_null(p.last);
    }
}

/* GTID_LIST_EVENT: in a domain the last one stands behind those of other servers. */
static void the_last_of_a_domain_counts_in_a_list(void **state)
{
    (void)state;
    static const char body[] = "\x03\0\0\x10"
                               "\x05\0\0\0\x02\0\0\0\x09\0\0\0\0\0\0\0"
                               "\x05\0\0\0\x01\0\0\0\x0b\0\0\0\0\0\0\0"
                               "\0\0\0\0\x01\0\0\0\x07\0\0\0\0\0\0\0";
    struct gtid_maria_position p;
    struct error err = { 0 };
    struct str all = { body, sizeof body - 1 };
    assert_int_equal(gtid_maria_decode_list(all, &p, &err), 0);
    assert_position(&p, "0-1-7,5-1-11");
    gtid_maria_done(&p);
    for (size_t n = 0; n < all.len; n++) {
        assert_int_equal(gtid_maria_decode_list((struct str){ body, n }, &p, &err), -1);
        assert_int_equal(err.code, ERR_PROTOCOL);
    }
}

static void positions_have_an_order(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct gtid_maria_position a = parsed("0-1-5,2-1-7"), b = parsed("0-2-9,1-1-1,2-1-7");
    struct gtid_maria_position sum;
    struct gtid_maria g = { 1, 1, 2 };
    assert_true(gtid_maria_is_subset(&a, &b));
    assert_false(gtid_maria_is_subset(&b, &a));
    assert_false(gtid_maria_contains(&a, &g));
    assert_false(gtid_maria_contains(&b, &g));
    g.sequence = 1;
    assert_true(gtid_maria_contains(&b, &g));
    assert_null(gtid_maria_find(&a, 1));
    assert_int_equal(gtid_maria_copy(&a, &sum, &err), 0);
    assert_true(gtid_maria_equal(&a, &sum));
    assert_int_equal(gtid_maria_union(&sum, &b, &err), 0);
    assert_true(gtid_maria_equal(&sum, &b));
    g = (struct gtid_maria){ 0, 3, 10 };
    assert_int_equal(gtid_maria_advance(&sum, &g, &err), 0);
    assert_position(&sum, "0-3-10,1-1-1,2-1-7");
    gtid_maria_done(&a);
    gtid_maria_done(&b);
    gtid_maria_done(&sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_canonical),
        cmocka_unit_test(refuses_other_text),
        cmocka_unit_test(the_last_of_a_domain_counts_in_a_list),
        cmocka_unit_test(positions_have_an_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
