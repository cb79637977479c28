#include "base/buf.h"
#include "row/position.h"
#include "support/test.h"

static struct str tuple_of(struct buf *b, struct str first, struct str second)
{
    buf_init(b, 1000);
    key_tuple_add(b, first);
    key_tuple_add(b, second);
    return buf_str(b);
}

static void a_tuple_gives_back_its_parts(void **state)
{
    (void)state;
    struct buf b;
    struct str part;
    struct str t = tuple_of(&b, STR("12"), STR(""));
    assert_int_equal(t.len, 10);
    assert_true(key_tuple_next(&t, &part));
    assert_str(part, "12");
    assert_true(key_tuple_next(&t, &part));
    assert_str(part, "");
    assert_false(key_tuple_next(&t, &part));
    assert_int_equal(t.len, 0);
    for (size_t n = 1; n < 10; n++) {
        struct str cut = { b.data, n };
        while (key_tuple_next(&cut, &part))
            ;
        assert_true(cut.len > 0 || n == 6);
    }
    buf_done(&b);
}

static void format_and_parse_are_each_others_inverse(void **state)
{
    (void)state;
    struct arena *a = arena_new(1u << 20);
    struct buf b1;
    struct buf b2;
    struct page_range ranges[3] = {
        { .after = tuple_of(&b1, STR("7"), STR("\xFF\0x")), .done = true },
        { .after = tuple_of(&b2, STR("8"), STR("y")), .upto = buf_str(&b1) },
        { .done = false },
    };
    struct page_position p = { 0xfedcba9876543210, -5, INT64_MAX, ranges, 3 };
    struct page_position q;
    struct error err = { 0 };
    struct str text = page_position_format(a, &p);
    assert_true(str_starts(text, STR("page1;fedcba9876543210;-5;9223372036854775807;")));
    assert_true(str_ends(text, STR(";-")));
    assert_int_equal(page_position_parse(a, text, &q, &err), 0);
    assert_int_equal(q.range_count, 3);
    assert_true(q.shape_hash == p.shape_hash);
    assert_true(str_eq(q.ranges[0].after, ranges[0].after));
    assert_true(q.ranges[0].done && !q.ranges[1].done);
    assert_true(str_eq(q.ranges[1].upto, ranges[1].upto));
    assert_true(str_eq(page_position_format(a, &q), text));
    p.range_count = 0;
    text = page_position_format(a, &p);
    assert_int_equal(page_position_parse(a, text, &q, &err), 0);
    assert_int_equal(q.range_count, 0);
    buf_done(&b1);
    buf_done(&b2);
    arena_free(a);
}

static void only_the_canonical_text_comes_in(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "page1",
        "page2;0000000000000000;0;0",
        "page1;000000000000000;0;0",
        "page1;000000000000000A;0;0",
        "page1;0000000000000000;00;0",
        "page1;0000000000000000;+1;0",
        "page1;0000000000000000;0;",
        "page1;0000000000000000;0;0;",
        "page1;0000000000000000;0;0;-;",
        "page1;0000000000000000;0;0;",
        "page1;0000000000000000;0;0;!",
        "page1;0000000000000000;0;0;0-",
        "page1;0000000000000000;0;0;0g-",
        "page1;0000000000000000;0;0;00-",         /* half a tuple */
        "page1;0000000000000000;0;0;02000000ff-", /* a part past the end */
        "page1;0000000000000000;0;0;AA000000-",
    };
    struct arena *a = arena_new(1u << 20);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct page_position q;
        struct error err = { 0 };
        if (page_position_parse(a, str_of(bad[i]), &q, &err) == 0)
            fail_msg("'%s' was accepted", bad[i]);
        assert_int_equal(err.code, ERR_POSITION);
    }
    arena_free(a);
}

static void done_means_every_range(void **state)
{
    (void)state;
    struct page_range ranges[2] = { { .done = true }, { .done = false } };
    struct page_position p = { .ranges = ranges, .range_count = 2 };
    assert_false(page_position_done(&p));
    ranges[1].done = true;
    assert_true(page_position_done(&p));
    p.range_count = 0;
    assert_false(page_position_done(&p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tuple_gives_back_its_parts),
        cmocka_unit_test(format_and_parse_are_each_others_inverse),
        cmocka_unit_test(only_the_canonical_text_comes_in),
        cmocka_unit_test(done_means_every_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
