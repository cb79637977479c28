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

/* ---- bookmarks ---- */

#define S 1000000

static struct key_bookmark bookmark_of(const struct key_anchor *anchors, size_t count)
{
    return (struct key_bookmark){ .column = STR("id"),
                                  .anchors = anchors,
                                  .anchor_count = count };
}

static void a_bookmark_comes_back_from_its_text(void **state)
{
    (void)state;
    struct arena *a = arena_new(1u << 20);
    const struct key_anchor anchors[] = { { 5, STR("") }, { INT64_MAX, STR("-12") } };
    struct key_bookmark b = bookmark_of(anchors, 2);
    struct key_bookmark c;
    struct error err = { 0 };
    b.definition = 0xfedcba9876543210;
    b.noted = 7;
    assert_str(key_bookmark_format(a, &b),
               "key1;fedcba9876543210;7;--;6964;;;5-;9223372036854775807-2d3132");
    b.held = true;
    b.from = STR("1");
    b.to = STR("x;-");
    struct str text = key_bookmark_format(a, &b);
    assert_int_equal(key_bookmark_parse(a, text, &c, &err), 0);
    assert_true(str_eq(key_bookmark_format(a, &c), text));
    assert_true(c.held && !c.by_look_back && c.noted == 7 && c.anchor_count == 2);
    assert_true(str_eq(c.to, b.to) && str_eq(c.from, b.from));
    assert_true(str_eq(c.column, b.column) && str_eq(c.anchors[1].max, anchors[1].max));
    assert_int_equal(c.anchors[0].max.len, 0);
    b.held = false;
    b.by_look_back = true;
    text = key_bookmark_format(a, &b);
    assert_int_equal(key_bookmark_parse(a, text, &c, &err), 0);
    assert_true(!c.held && c.by_look_back && c.definition == b.definition);
    arena_free(a);
}

static void only_the_canonical_bookmark_comes_in(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "key1",
        "key2;0000000000000000;0;--;;;;0-",
        "key1;000000000000000;0;--;;;;0-",
        "key1;0000000000000000;-1;--;;;;0-",
        "key1;0000000000000000;00;--;;;;0-",
        "key1;0000000000000000;0;-;;;;0-",
        "key1;0000000000000000;0;lh;;;;0-",
        "key1;0000000000000000;0;--;6;;;0-",
        "key1;0000000000000000;0;--;6A;;;0-",
        "key1;0000000000000000;0;--;;;0-",
        "key1;0000000000000000;0;--;;;",
        "key1;0000000000000000;0;--;;;;",
        "key1;0000000000000000;0;--;;;;0",
        "key1;0000000000000000;0;--;;;;-1-",
        "key1;0000000000000000;0;--;;;;0-3",
        "key1;0000000000000000;0;--;;;;0-;",
        "key1;0000000000000000;0;--;;;;0--",
        "key1;0000000000000000;0;--;;;;9223372036854775808-",
    };
    struct arena *a = arena_new(1u << 20);
    struct key_bookmark b;
    struct error err = { 0 };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err = (struct error){ 0 };
        if (key_bookmark_parse(a, str_of(bad[i]), &b, &err) == 0)
            fail_msg("'%s' was accepted", bad[i]);
        assert_int_equal(err.code, ERR_POSITION);
    }
    struct buf many;
    buf_init(&many, 4096);
    buf_add_text(&many, "key1;0000000000000000;0;--;;;");
    for (unsigned i = 0; i < KEY_ANCHORS_MOST; i++)
        buf_add_text(&many, ";1-");
    assert_int_equal(key_bookmark_parse(a, buf_str(&many), &b, &err), 0);
    buf_add_text(&many, ";1-");
    assert_int_equal(key_bookmark_parse(a, buf_str(&many), &b, &err), -1);
    buf_done(&many);
    arena_free(a);
}

static void keys_are_ordered_as_the_source_has_them(void **state)
{
    (void)state;
    static const char *const ascending[] = { "",  "-100", "-99", "-1",
                                             "0", "2",    "10",  "18446744073709551615" };
    static const char *const times[] = { "", "0000-00-00", "2024-01-01 09:00:00",
                                         "2024-01-01 09:00:00.000001",
                                         "2024-01-01 10:00:00" };
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++) {
            int got = key_part_cmp(str_of(ascending[i]), str_of(ascending[j]));
            assert_int_equal((got > 0) - (got < 0), (i > j) - (i < j));
        }
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++) {
            int got = key_part_cmp(str_of(times[i]), str_of(times[j]));
            assert_int_equal((got > 0) - (got < 0), (i > j) - (i < j));
        }
}

static void the_next_read_starts_at_the_newest_safe_anchor(void **state)
{
    (void)state;
    const struct key_anchor anchors[] = { { 10 * S, STR("1") },
                                          { 20 * S, STR("2") },
                                          { 30 * S, STR("3") } };
    struct key_bookmark b = bookmark_of(anchors, 3);
    static const struct {
        int64_t noted;
        int start; /* -1: from the first key */
        int held_start;
    } cases[] = {
        { 0, -1, 0 },         { 1, -1, 0 },     { 5 * S, -1, 0 },
        { 11 * S, -1, 0 }, /* older by one second, not by more */
        { 11 * S + 1, 0, 0 }, { 21 * S, 0, 0 }, { 21 * S + 1, 1, 1 },
        { 31 * S + 1, 2, 2 }, { 99 * S, 2, 2 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        b.noted = cases[i].noted;
        b.held = false;
        const struct key_anchor *want =
            cases[i].start < 0 ? NULL : &anchors[cases[i].start];
        assert_ptr_equal(key_bookmark_start(&b), want);
        b.held = true;
        assert_ptr_equal(key_bookmark_start(&b), &anchors[cases[i].held_start]);
    }
    b.by_look_back = true;
    b.noted = 0;
    assert_ptr_equal(key_bookmark_start(&b), &anchors[2]);
    b.anchor_count = 0;
    assert_null(key_bookmark_start(&b));
}

static struct key_bookmark next_of(struct arena *a, const struct key_bookmark *before,
                                   int64_t at, const char *max, int64_t noted)
{
    struct key_anchor anchor = { at * S, str_of(max) };
    return key_bookmark_next(a, before, &anchor, noted * S);
}

static void expect_start(const struct key_bookmark *b, const char *want)
{
    const struct key_anchor *start = key_bookmark_start(b);
    if (want == NULL)
        assert_null(start);
    else
        assert_true(str_eq(start->max, str_of(want)));
}

static void reads_without_open_transactions_keep_one_anchor(void **state)
{
    (void)state;
    struct arena *a = arena_new(1u << 20);
    struct key_bookmark b = next_of(a, NULL, 10, "100", 12);
    expect_start(&b, "100");
    for (int i = 2; i < 10; i++) {
        struct key_bookmark c = next_of(a, &b, 10 * i, "200", 10 * i + 2);
        assert_int_equal(c.anchor_count, 1);
        expect_start(&c, "200");
        b = c;
    }
    /* a read so soon that its own anchor is not safe: the one before is */
    struct key_bookmark c = next_of(a, &b, 100, "300", 101);
    assert_int_equal(c.anchor_count, 2);
    assert_false(c.held);
    expect_start(&c, "200");
    arena_free(a);
}

static void an_open_transaction_holds_the_start(void **state)
{
    (void)state;
    struct arena *a = arena_new(1u << 20);
    /* open since 5: the first read makes nothing safe, so the second reads all again */
    struct key_bookmark b = next_of(a, NULL, 10, "100", 5);
    expect_start(&b, NULL);
    b = next_of(a, &b, 20, "200", 5);
    assert_false(b.held);
    assert_int_equal(b.anchor_count, 2);
    expect_start(&b, NULL);
    /* it ends; another is open since 15: the first anchor is safe now */
    b = next_of(a, &b, 30, "300", 15);
    assert_int_equal(b.anchor_count, 3);
    expect_start(&b, "100");
    /* an older one than was known, idle until then: the start stays, as it was safe */
    b = next_of(a, &b, 40, "400", 4);
    assert_true(b.held);
    assert_int_equal(b.anchor_count, 4);
    expect_start(&b, "100");
    b = next_of(a, &b, 50, "500", 0); /* nothing is known: likewise */
    assert_true(b.held);
    expect_start(&b, "100");
    b = next_of(a, &b, 60, "600", 45);
    assert_false(b.held);
    assert_int_equal(b.anchor_count, 3);
    expect_start(&b, "400");
    arena_free(a);
}

static void keys_that_went_lower_the_anchors(void **state)
{
    (void)state;
    struct arena *a = arena_new(1u << 20);
    struct key_bookmark b = next_of(a, NULL, 10, "100", 12);
    b = next_of(a, &b, 20, "99", 15); /* row 100 was deleted, its number may come again */
    expect_start(&b, "99");
    b = next_of(a, &b, 30, "", 15);
    expect_start(&b, "");
    assert_int_equal(b.anchor_count, 3);
    arena_free(a);
}

static void a_look_back_proves_nothing_to_later_reads(void **state)
{
    (void)state;
    struct arena *a = arena_new(1u << 20);
    struct key_bookmark b = next_of(a, NULL, 10, "100", 0);
    b.by_look_back = true;
    for (int i = 2; i < 9; i++) {
        b = next_of(a, &b, 10 * i, "200", 0);
        assert_int_equal(b.anchor_count, 2); /* they do not gather */
        b.by_look_back = true;
        expect_start(&b, "200");
    }
    struct key_bookmark c = next_of(a, &b, 100, "300", 50); /* proved from now on */
    assert_false(c.held);
    expect_start(&c, NULL);
    c = next_of(a, &b, 100, "300", 90);
    expect_start(&c, "200");
    arena_free(a);
}

static void anchors_have_a_ceiling(void **state)
{
    (void)state;
    struct arena *a = arena_new(16u << 20);
    struct key_bookmark b = next_of(a, NULL, 10, "1", 12);
    for (int i = 0; i < 500; i++) {
        b = next_of(a, &b, 20 + i, "2", i % 2 == 0 ? 12 : 0);
        assert_true(b.anchor_count <= KEY_ANCHORS_MOST);
        expect_start(&b, "1");
        assert_true(b.anchors[b.anchor_count - 1].at == (20 + i) * (int64_t)S);
    }
    assert_int_equal(b.anchor_count, KEY_ANCHORS_MOST);
    struct str text = key_bookmark_format(a, &b);
    struct error err = { 0 };
    assert_int_equal(key_bookmark_parse(a, text, &b, &err), 0);
    /* thinned out evenly: of the 500 seconds no stretch of more than 20 is bare */
    for (size_t i = 1; i < b.anchor_count; i++)
        assert_true(b.anchors[i].at > b.anchors[i - 1].at &&
                    b.anchors[i].at - b.anchors[i - 1].at <= 20 * S);
    arena_free(a);
}

static struct log_position parsed_log(struct arena *a, const char *text)
{
    struct log_position p;
    struct error err = { 0 };
    if (log_position_parse(a, str_of(text), &p, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(log_position_format(a, &p).ptr, text);
    return p;
}

static void a_place_in_the_log_comes_back_from_its_text(void **state)
{
    (void)state;
    struct arena *a = arena_new(1u << 20);
    struct log_xa xa[2] = { { STR("X'61',X'',1"), STR("b.1"), 4 },
                            { STR("X'',X'ff',2"), STR("a;b@c%"), UINT64_MAX } };
    struct log_position p = {
        .server = STR("3e11fa47-71ca-11e1-9e33-c80aa9429562"),
        .file = STR("log bin;\xc3\xa4.000001"),
        .offset = UINT64_MAX,
        .gtid = STR("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:tag:7"),
        .last_gtid = STR("3e11fa47-71ca-11e1-9e33-c80aa9429562:tag:7"),
        .last_start = 1,
        .last_bytes = 2,
        .last_hash = 0xfedcba9876543210,
        .last_at = -1,
        .xa = xa,
        .xa_count = 2,
    };
    struct str text = log_position_format(a, &p);
    struct log_position q = parsed_log(a, text.ptr);
    assert_true(str_eq(q.server, p.server) && str_eq(q.file, p.file));
    assert_true(str_eq(q.gtid, p.gtid) && str_eq(q.last_gtid, p.last_gtid));
    assert_true(q.offset == p.offset && q.last_hash == p.last_hash);
    assert_true(q.last_start == 1 && q.last_bytes == 2 && q.last_at == -1);
    assert_int_equal(q.xa_count, 2);
    assert_true(str_eq(q.xa[0].xid, xa[0].xid) && str_eq(q.xa[1].file, xa[1].file));
    assert_true(q.xa[0].offset == 4 && q.xa[1].offset == UINT64_MAX);
    assert_string_equal(log_position_format(a, &(struct log_position){ 0 }).ptr,
                        "log1;;;0;;;0;0;0000000000000000;0");
    arena_free(a);
}

static void only_the_canonical_place_comes_in(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "log1",
        "log2;;;0;;;0;0;0000000000000000;0",
        "log1;;;0;;;0;0;0000000000000000",
        "log1;;;0;;;0;0;0000000000000000;",
        "log1;;;0;;;0;0;0000000000000000;0;",
        "log1;;;00;;;0;0;0000000000000000;0",
        "log1;;;-1;;;0;0;0000000000000000;0",
        "log1;;;0;;;0;0;000000000000000A;0",
        "log1;;;0;;;0;0;00000000000000000;0",
        "log1;%61;;0;;;0;0;0000000000000000;0",
        "log1;%3B;;0;;;0;0;0000000000000000;0",
        "log1;%3;;0;;;0;0;0000000000000000;0",
        "log1; ;;0;;;0;0;0000000000000000;0",
        "log1;;;0;;;0;0;0000000000000000;0;a@b",
        "log1;;;0;;;0;0;0000000000000000;0;a@b@c",
        "log1;;;0;;;0;0;0000000000000000;0;a@b@1@2",
    };
    struct arena *a = arena_new(1u << 20);
    (void)parsed_log(a, "log1;;;0;;;0;0;0000000000000000;0;a@b@1");
    (void)parsed_log(a, "log1;%3b;f;0;0-1-5;;0;0;0000000000000000;0");
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct log_position p;
        struct error err = { 0 };
        if (log_position_parse(a, str_of(bad[i]), &p, &err) == 0)
            fail_msg("'%s' was taken", bad[i]);
        assert_int_equal(err.code, ERR_POSITION);
    }
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tuple_gives_back_its_parts),
        cmocka_unit_test(format_and_parse_are_each_others_inverse),
        cmocka_unit_test(only_the_canonical_text_comes_in),
        cmocka_unit_test(done_means_every_range),
        cmocka_unit_test(a_bookmark_comes_back_from_its_text),
        cmocka_unit_test(only_the_canonical_bookmark_comes_in),
        cmocka_unit_test(keys_are_ordered_as_the_source_has_them),
        cmocka_unit_test(the_next_read_starts_at_the_newest_safe_anchor),
        cmocka_unit_test(reads_without_open_transactions_keep_one_anchor),
        cmocka_unit_test(an_open_transaction_holds_the_start),
        cmocka_unit_test(keys_that_went_lower_the_anchors),
        cmocka_unit_test(a_look_back_proves_nothing_to_later_reads),
        cmocka_unit_test(anchors_have_a_ceiling),
        cmocka_unit_test(a_place_in_the_log_comes_back_from_its_text),
        cmocka_unit_test(only_the_canonical_place_comes_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
