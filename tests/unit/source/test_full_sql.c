/* The statements that read a table by key, and which tables can be read so. */
#include "base/arena.h"
#include "row/position.h"
#include "source/full.h"
#include "source/full_internal.h"
#include "source/reread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the three above first */
#include <cmocka.h>

static const struct column columns[] = {
    { .name = { "a", 1 }, .type = TYPE_INT, .bytes = 4, .key_ordinal = 1 },
    { .name = { "b`c", 3 },
      .type = TYPE_TEXT,
      .charset = { "latin1", 6 },
      .collation = { "latin1_swedish_ci", 17 },
      .key_ordinal = 2 },
    { .name = { "d", 1 }, .type = TYPE_DATE },
    { .name = { "d_text", 6 }, .type = TYPE_TEXT, .companion = 3 },
};

static const struct table_schema shape = {
    .database = { "my`db", 5 },
    .name = { "t", 1 },
    .column_count = 4,
    .key_count = 2,
    .columns = columns,
};

static struct str tuple(struct arena *a, const char *first, const char *second)
{
    struct buf b;
    buf_init(&b, 4096);
    key_tuple_add(&b, str_of(first));
    if (second != NULL)
        key_tuple_add(&b, str_of(second));
    struct str s = arena_str(a, buf_str(&b));
    buf_done(&b);
    return s;
}

static void expect_sql(const struct full_query *q, const char *want)
{
    struct error err = { 0 };
    struct buf sql;
    buf_init(&sql, 65536);
    assert_int_equal(full_query_sql(q, &sql, &err), 0);
    assert_string_equal(buf_text(&sql), want);
    buf_done(&sql);
}

static void first_page_has_no_bounds(void **state)
{
    (void)state;
    struct full_query q = {
        .shape = &shape, .key_name = STR("PRIMARY"), .ordered = true, .limit = 256
    };
    expect_sql(&q, "SELECT `a`, `b``c`, `d` FROM `my``db`.`t` FORCE INDEX (`PRIMARY`) "
                   "ORDER BY `a`, `b``c` LIMIT 256");
}

static void one_view_has_neither_order_nor_limit(void **state)
{
    (void)state;
    struct full_query q = { .shape = &shape };
    expect_sql(&q, "SELECT `a`, `b``c`, `d` FROM `my``db`.`t`");
}

static void bounds_are_written_out(void **state)
{
    (void)state;
    struct arena *a = arena_new(65536);
    struct full_query q = { .shape = &shape,
                            .key_name = STR("k"),
                            .after = tuple(a, "-5", "\xe4'"),
                            .upto = tuple(a, "9", ""),
                            .ordered = true,
                            .keys_only = true,
                            .limit = 1,
                            .offset = 7 };
    expect_sql(&q, "SELECT `a`, `b``c` FROM `my``db`.`t` FORCE INDEX (`k`) WHERE "
                   "((`a` > -5) OR (`a` = -5 AND `b``c` > _latin1 X'e427' COLLATE "
                   "latin1_swedish_ci)) AND "
                   "((`a` < 9) OR (`a` = 9 AND `b``c` <= _latin1 X'' COLLATE "
                   "latin1_swedish_ci)) "
                   "ORDER BY `a`, `b``c` LIMIT 1 OFFSET 7");
    arena_free(a);
}

static void a_tuple_of_another_key_is_refused(void **state)
{
    (void)state;
    struct arena *a = arena_new(65536);
    struct error err = { 0 };
    struct buf sql;
    buf_init(&sql, 65536);
    struct full_query q = { .shape = &shape, .after = tuple(a, "1", NULL) };
    assert_int_equal(full_query_sql(&q, &sql, &err), -1);
    assert_int_equal(err.code, ERR_BUG);
    buf_done(&sql);
    arena_free(a);
}

/* ---- in order of another column ---- */

static void rows_without_the_column_are_no_rows_of_it(void **state)
{
    (void)state;
    struct full_query q = { .shape = &shape, .by = &columns[2] };
    expect_sql(&q, "SELECT `a`, `b``c`, `d` FROM `my``db`.`t` WHERE `d` IS NOT NULL");
    q.to = STR("2024-01-02");
    expect_sql(&q, "SELECT `a`, `b``c`, `d` FROM `my``db`.`t` WHERE `d` <= '2024-01-02'");
}

static void pages_go_by_the_column_and_then_by_the_key(void **state)
{
    (void)state;
    struct arena *a = arena_new(65536);
    struct full_query q = { .shape = &shape,
                            .key_name = STR("i"),
                            .by = &columns[2],
                            .from = STR("2024-01-01"),
                            .to = STR("2024-01-02"),
                            .where = STR("a <> 3 -- but three"),
                            .ordered = true,
                            .limit = 10 };
    expect_sql(&q, "SELECT `a`, `b``c`, `d` FROM `my``db`.`t` FORCE INDEX (`i`) WHERE "
                   "`d` >= '2024-01-01' AND `d` <= '2024-01-02' AND (\na <> 3 -- but "
                   "three\n) ORDER BY `d`, `a`, `b``c` LIMIT 10");
    struct buf b;
    buf_init(&b, 4096);
    key_tuple_add(&b, STR("2024-01-01"));
    key_tuple_add(&b, STR("7"));
    key_tuple_add(&b, STR("x"));
    q.after = buf_str(&b);
    q.where = (struct str){ 0 };
    expect_sql(&q, "SELECT `a`, `b``c`, `d` FROM `my``db`.`t` FORCE INDEX (`i`) WHERE "
                   "((`d` > '2024-01-01') OR (`d` = '2024-01-01' AND `a` > 7) OR "
                   "(`d` = '2024-01-01' AND `a` = 7 AND `b``c` > _latin1 X'78' COLLATE "
                   "latin1_swedish_ci)) AND `d` <= '2024-01-02' "
                   "ORDER BY `d`, `a`, `b``c` LIMIT 10");
    buf_done(&b);
    arena_free(a);
}

static void a_part_of_the_key_is_not_twice_in_a_tuple(void **state)
{
    (void)state;
    struct arena *a = arena_new(65536);
    struct full_query q = {
        .shape = &shape, .by = &columns[1], .after = tuple(a, "x", "5"), .ordered = true
    };
    expect_sql(&q, "SELECT `a`, `b``c`, `d` FROM `my``db`.`t` WHERE "
                   "((`b``c` > _latin1 X'78' COLLATE latin1_swedish_ci) OR "
                   "(`b``c` = _latin1 X'78' COLLATE latin1_swedish_ci AND `a` > 5)) "
                   "ORDER BY `b``c`, `a`");
    arena_free(a);
}

static void a_filter_counts_in_every_read(void **state)
{
    (void)state;
    struct full_query q = { .shape = &shape, .where = STR("a = 1") };
    expect_sql(&q, "SELECT `a`, `b``c`, `d` FROM `my``db`.`t` WHERE (\na = 1\n)");
}

static void pages_by_a_column_need_key_and_index(void **state)
{
    (void)state;
    struct str why;
    struct catalog_table t = { .schema = shape,
                               .key = KEY_PRIMARY,
                               .transactional = true };
    static const struct str by_d[] = { { "d", 1 } };
    static const struct catalog_index index = { .name = { "i", 1 },
                                                .columns = by_d,
                                                .column_count = 1 };
    assert_int_equal(full_method_by(&t, STR("d"), false, &why), FULL_ONE_VIEW);
    assert_true(why.len > 0);
    t.engine = STR("InnoDB");
    t.indexes = &index;
    t.index_count = 1;
    assert_int_equal(full_method_by(&t, STR("d"), false, &why), FULL_PAGES);
    assert_int_equal(why.len, 0);
    assert_int_equal(full_method_by(&t, STR("d"), true, &why), FULL_ONE_VIEW);
    assert_int_equal(full_method_by(&t, STR("a"), false, &why), FULL_ONE_VIEW);
    t.key = KEY_NONE;
    assert_int_equal(full_method_by(&t, STR("d"), false, &why), FULL_ONE_VIEW);
}

/* A number that a damaged position brings in is quoted, never pasted. */
static void no_part_escapes_its_literal(void **state)
{
    (void)state;
    struct arena *a = arena_new(65536);
    struct full_query q = { .shape = &shape, .after = tuple(a, "1 OR 1=1", "'; DROP") };
    expect_sql(&q, "SELECT `a`, `b``c`, `d` FROM `my``db`.`t` WHERE "
                   "((`a` > '1 OR 1=1') OR (`a` = '1 OR 1=1' AND `b``c` > _latin1 "
                   "X'273b2044524f50' COLLATE latin1_swedish_ci))");
    arena_free(a);
}

static void the_method_says_why(void **state)
{
    (void)state;
    struct str why;
    struct catalog_table t = { .schema = shape,
                               .key = KEY_PRIMARY,
                               .transactional = true };
    assert_int_equal(full_method_of(&t, false, &why), FULL_PAGES);
    assert_int_equal(why.len, 0);
    assert_int_equal(full_method_of(&t, true, &why), FULL_ONE_VIEW);
    assert_true(why.len > 0);
    t.key_has_prefix = true;
    assert_int_equal(full_method_of(&t, false, &why), FULL_ONE_VIEW);
    t.key_has_prefix = false;
    t.key_is_unordered = true;
    assert_int_equal(full_method_of(&t, false, &why), FULL_ONE_VIEW);
    t.key_is_unordered = false;
    t.kind = TABLE_VIEW;
    assert_int_equal(full_method_of(&t, false, &why), FULL_ONE_VIEW);
    t.kind = TABLE_BASE;
    static const enum logical_type unordered[] = { TYPE_FLOAT, TYPE_DOUBLE, TYPE_ENUM,
                                                   TYPE_SET };
    for (size_t i = 0; i < 4; i++) {
        struct column other[4];
        memcpy(other, columns, sizeof other);
        other[0].type = unordered[i];
        t.schema.columns = other;
        assert_int_equal(full_method_of(&t, false, &why), FULL_ONE_VIEW);
        assert_true(why.len > 0);
    }
}

static void integers_are_halved(void **state)
{
    (void)state;
    struct arena *a = arena_new(65536);
    struct table_schema one = shape;
    struct column key = columns[0];
    one.key_count = 1;
    one.column_count = 1;
    one.columns = &key;
    struct str middle;
    struct str text;
    assert_true(
        full_halve(&one, tuple(a, "-2000", NULL), tuple(a, "1000", NULL), a, &middle));
    assert_true(key_tuple_next(&middle, &text));
    assert_true(str_eq(text, STR("-500")));
    assert_false(
        full_halve(&one, tuple(a, "1", NULL), tuple(a, "1000", NULL), a, &middle));
    assert_false(full_halve(&one, tuple(a, "1", NULL), (struct str){ 0 }, a, &middle));
    assert_false(
        full_halve(&shape, tuple(a, "1", "x"), tuple(a, "9000", "x"), a, &middle));
    key.type = TYPE_UBIGINT;
    assert_true(full_halve(&one, tuple(a, "9223372036854775800", NULL),
                           tuple(a, "18446744073709551614", NULL), a, &middle));
    assert_true(key_tuple_next(&middle, &text));
    assert_true(str_eq(text, STR("13835058055282163707")));
    key.type = TYPE_LONG;
    assert_true(full_halve(&one, tuple(a, "-9223372036854775808", NULL),
                           tuple(a, "9223372036854775807", NULL), a, &middle));
    assert_true(key_tuple_next(&middle, &text));
    assert_true(str_eq(text, STR("-1")));
    arena_free(a);
}

/* The log's text is UTF-8; what is no ASCII is made the column's bytes by the server. */
static void single_rows_are_asked_for_by_their_keys(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct buf sql;
    const struct value first[] = {
        { .as.i = -5, .kind = VALUE_INT },
        { .as.bytes = "\xc3\xa4'", .len = 3, .kind = VALUE_TEXT }
    };
    const struct value second[] = { { .as.i = 7, .kind = VALUE_INT },
                                    { .as.bytes = "x", .len = 1, .kind = VALUE_TEXT } };
    const struct value *keys[] = { first, second };
    buf_init(&sql, 65536);
    assert_int_equal(reread_sql(&shape, keys, 2, &sql, &err), 0);
    assert_string_equal(
        buf_text(&sql),
        "SELECT `a`, `b``c`, `d` FROM `my``db`.`t` WHERE (`a` = -5 AND `b``c` = "
        "CONVERT('\xc3\xa4\\'' USING `latin1`) COLLATE `latin1_swedish_ci`) OR "
        "(`a` = 7 "
        "AND `b``c` = _latin1 X'78' COLLATE latin1_swedish_ci)");
    struct table_schema one = shape;
    one.key_count = 1;
    buf_clear(&sql);
    assert_int_equal(reread_sql(&one, keys, 2, &sql, &err), 0);
    assert_string_equal(buf_text(&sql),
                        "SELECT `a`, `b``c`, `d` FROM `my``db`.`t` WHERE `a` IN (-5, 7)");
    buf_done(&sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_page_has_no_bounds),
        cmocka_unit_test(one_view_has_neither_order_nor_limit),
        cmocka_unit_test(bounds_are_written_out),
        cmocka_unit_test(single_rows_are_asked_for_by_their_keys),
        cmocka_unit_test(a_tuple_of_another_key_is_refused),
        cmocka_unit_test(no_part_escapes_its_literal),
        cmocka_unit_test(rows_without_the_column_are_no_rows_of_it),
        cmocka_unit_test(pages_go_by_the_column_and_then_by_the_key),
        cmocka_unit_test(a_part_of_the_key_is_not_twice_in_a_tuple),
        cmocka_unit_test(a_filter_counts_in_every_read),
        cmocka_unit_test(pages_by_a_column_need_key_and_index),
        cmocka_unit_test(the_method_says_why),
        cmocka_unit_test(integers_are_halved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
