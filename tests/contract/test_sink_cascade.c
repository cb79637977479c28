/* What foreign keys did becomes changes of the rows that had the values then. Column n of
 * the table refers to another one. */
#include "contract/log_fixture.h"

static void rows_go_and_change(void **state)
{
    struct fixture *f = *state;
    struct log_stream live = { .version = 1,
                               .base = 100,
                               CHANGES(GONE(INT(10)), BECAME(INT(20), INT(21)),
                                       BECAME(INT(30), NIL), GONE(INT(77)),
                                       GONE(INT(30))) };
    begin(f);
    struct load_outcome out = load_log_one(f, 2, &live);
    fixture_expect_counts(&out, 0, 0, 0);
    assert_int_equal(out.streams[0].derived, 3);
    fixture_expect(f,
                   ROWS("id, n, t, _sdc_sequence, epoch_ms(_sdc_deleted_at), "
                        "epoch_ms(_sdc_extracted_at)"),
                   "1|10|a|101|1700000000100|1700000000100\n"
                   "2|21|NULL|103|NULL|1700000000101\n3|NULL|c|105|NULL|1700000000102");
    out = load_log(f, 2); /* invariant 7 */
    assert_true(out.already_loaded);
    fixture_expect(f, "SELECT sequence FROM _tailrace.mark WHERE lane = 'log'", "110");
}

static void the_values_count_that_a_row_had_then(void **state)
{
    struct fixture *f = *state;
    struct log_stream live = {
        .version = 1,
        .base = 100,
        CHANGES(BECAME(INT(10), INT(11)), U(INT(2), INT(11), TEXT("b")),
                U(INT(3), INT(31), TEXT("c")), GONE(INT(30)), GONE(INT(11)),
                I(INT(1), INT(11), TEXT("new")), I(INT(5), INT(11), NIL),
                BECAME(INT(31), INT(32)), BECAME(INT(32), INT(33)))
    };
    begin(f);
    struct load_outcome out = load_log_one(f, 2, &live);
    fixture_expect(f, LIVING, "1|11|new\n3|33|c\n5|11|NULL");
    fixture_expect(f, "SELECT id FROM shop_copy.t WHERE _sdc_deleted_at IS NOT NULL",
                   "2");
    fixture_expect_counts(&out, 2, 2, 0);
    assert_int_equal(out.streams[0].derived, 2);
    live = (struct log_stream){ .version = 1, .base = 200, CHANGES(GONE(INT(11))) };
    out = load_log_one(f, 3, &live);
    assert_int_equal(out.streams[0].derived, 2);
    fixture_expect(f, LIVING, "3|33|c");
}

static void absent_columns_come_from_what_foreign_keys_made(void **state)
{
    struct fixture *f = *state;
    struct log_stream live = { .version = 1,
                               .base = 100,
                               CHANGES(BECAME(INT(10), INT(12)),
                                       U(INT(1), ABSENT, TEXT("z")),
                                       U(INT(2), ABSENT, TEXT("y")), GONE(INT(20)),
                                       BECAME(INT(30), NIL), U(INT(3), ABSENT, NIL)) };
    begin(f);
    (void)load_log_one(f, 2, &live);
    fixture_expect(f, ROWS("id, n, t, _sdc_deleted_at IS NULL"),
                   "1|12|z|true\n2|20|y|false\n3|NULL|NULL|true");
}

static void rows_are_deleted_in_each_way(void **state)
{
    struct fixture *f = *state;
    struct log_stream way = {
        .version = 1, .base = 100, .deletes = DELETE_BLANK, CHANGES(GONE(INT(10)))
    };
    begin(f);
    (void)load_log_one(f, 2, &way);
    fixture_expect(f, ROWS("id, n, t, _sdc_deleted_at IS NULL"),
                   "1|NULL|NULL|false\n2|20|NULL|true\n3|30|c|true");
    way.base = 200;
    way.deletes = DELETE_REMOVE;
    way.changes = (const struct change[]){ GONE(INT(20)) };
    (void)load_log_one(f, 3, &way);
    fixture_expect(f, ROWS("id, n"), "1|NULL\n3|30");
}

static void each_is_a_row_where_they_are_appended(void **state)
{
    struct fixture *f = *state;
    struct log_stream live = { .version = 1,
                               .base = 100,
                               .append = true,
                               CHANGES(U(INT(1), INT(15), TEXT("b")), GONE(INT(10)),
                                       BECAME(INT(15), INT(16)), GONE(INT(16))) };
    begin(f);
    (void)load_log_one(f, 2, &live);
    fixture_expect(f,
                   "SELECT n, t, _sdc_deleted_at IS NULL FROM shop_copy.t WHERE id = 1 "
                   "ORDER BY _sdc_sequence",
                   "10|a|true\n15|b|true\n16|b|true\n16|b|false");
    live = (struct log_stream){
        .version = 1, .base = 200, .append = true, CHANGES(GONE(INT(15)), GONE(INT(20)))
    };
    (void)load_log_one(f, 3, &live);
    fixture_expect(f, "SELECT id, n FROM shop_copy.t WHERE _sdc_sequence > 200", "2|20");
}

/* Version 1 is copied with rows 1, 2 and 3 while this happens, and joins. */
static void hold(struct fixture *f, const struct log_stream *changes)
{
    struct test_stream copy = COPY(1, 3, INT(1), INT(10), TEXT("a"), INT(2), INT(20), NIL,
                                   INT(3), INT(30), TEXT("c"));
    struct log_stream begins = { .version = 1, .actions = ACTION_HOLD, .held = true };
    (void)load_log_one(f, 1, &begins);
    (void)load_log_one(f, 2, changes);
    (void)fixture_load_one(f, 1, &copy);
}

static void what_happens_beside_a_copy_is_held(void **state)
{
    struct fixture *f = *state;
    struct log_stream changes = { .version = 1,
                                  .base = 100,
                                  .held = true,
                                  CHANGES(GONE(INT(10)), BECAME(INT(20), INT(25)),
                                          GONE(INT(7)), BECAME(INT(25), INT(26)),
                                          I(INT(4), INT(10), NIL)) };
    struct log_stream join = { .version = 1, .actions = ACTION_JOIN, .held = true };
    hold(f, &changes);
    (void)load_log_one(f, 3, &join);
    fixture_expect(f, LIVING, "2|26|NULL\n3|30|c\n4|10|NULL");
    fixture_expect(f, TABLES, "t");
}

/* Row 1 may have been copied as it was before its 10 went, or with the 10 that came. */
static void a_copy_that_may_be_of_both_times_is_refused(void **state)
{
    struct fixture *f = *state;
    struct log_stream changes = { .version = 1,
                                  .base = 100,
                                  .held = true,
                                  CHANGES(GONE(INT(10)), BECAME(INT(9), INT(10))) };
    struct log_stream join = { .version = 1, .actions = ACTION_JOIN, .held = true };
    hold(f, &changes);
    expect_parked(f, 3, &join, "while they were copied");
}

static void a_row_of_the_log_ends_the_doubt(void **state)
{
    struct fixture *f = *state;
    struct log_stream changes = { .version = 1,
                                  .base = 100,
                                  .held = true,
                                  CHANGES(U(INT(1), INT(9), TEXT("a")), GONE(INT(10)),
                                          BECAME(INT(9), INT(10))) };
    struct log_stream join = { .version = 1, .actions = ACTION_JOIN, .held = true };
    hold(f, &changes);
    (void)load_log_one(f, 3, &join);
    fixture_expect(f, LIVING, "1|10|a\n2|20|NULL\n3|30|c");
}

static void many_at_once_in_many_rounds(void **state)
{
    struct fixture *f = *state;
    enum { ROWS_MANY = 3000, STEPS = 20 };
    struct change *all = ARENA_ARRAY(f->arena, struct change, ROWS_MANY + STEPS);
    for (int i = 0; i < ROWS_MANY; i++)
        all[i] = (struct change)I(INT(1000 + i), INT(i % 3 * 100), NIL);
    for (int i = 0; i < STEPS; i++)
        all[ROWS_MANY + i] = (struct change)BECAME(INT(100 + i), INT(101 + i));
    struct log_stream live = {
        .version = 1, .base = 100, .changes = all, .count = ROWS_MANY + STEPS
    };
    begin(f);
    struct load_outcome out = load_log_one(f, 2, &live);
    fixture_expect(f,
                   "SELECT n, count(*) FROM shop_copy.t WHERE id >= 1000 GROUP BY ALL "
                   "ORDER BY ALL",
                   "0|1000\n120|1000\n200|1000");
    fixture_expect_counts(&out, 2000, 1000, 0);
    assert_int_equal(out.streams[0].derived, 1000);
}

#ifdef TAILRACE_FAULT_POINTS
static void a_kill_leaves_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    struct log_stream live = { .version = 1, .base = 100, CHANGES(GONE(INT(10))) };
    begin(f);
    write_log(f, 2, &live, 1);
    kill_at(f, log_dir(f, 2), "change.derived");
    fixture_expect(f, LIVING, "1|10|a\n2|20|NULL\n3|30|c");
    (void)load_log(f, 2);
    fixture_expect(f, LIVING, "2|20|NULL\n3|30|c");
}
#endif

#define TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_go_and_change),
        TEST(the_values_count_that_a_row_had_then),
        TEST(absent_columns_come_from_what_foreign_keys_made),
        TEST(rows_are_deleted_in_each_way),
        TEST(each_is_a_row_where_they_are_appended),
        TEST(what_happens_beside_a_copy_is_held),
        TEST(a_copy_that_may_be_of_both_times_is_refused),
        TEST(a_row_of_the_log_ends_the_doubt),
        TEST(many_at_once_in_many_rounds),
#ifdef TAILRACE_FAULT_POINTS
        TEST(a_kill_leaves_all_or_nothing),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
