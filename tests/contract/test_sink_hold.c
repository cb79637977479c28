/* Changes that wait for their copy, the join of both, and what leaves the log. */
#include "contract/log_fixture.h"

static void a_keyless_copy_is_cut(void **state)
{
    struct fixture *f = *state;
    struct test_stream copy = { "t",
                                1,
                                ACTION_BEGIN | ACTION_COPIED,
                                .keyless = true,
                                .join = JOIN_LOG,
                                .shape = &bare,
                                .row_count = 1,
                                .rows = (const struct value[]){ INT(1), NIL } };
    struct log_stream held = { .version = 1,
                               .base = 100,
                               .keyless = true,
                               .shape = &bare,
                               .held = true,
                               .actions = ACTION_HOLD,
                               CHANGES(I(INT(1), NIL), I(INT(2), NIL)) };
    struct log_stream join = { .version = 1,
                               .base = 200,
                               .keyless = true,
                               .shape = &bare,
                               .held = true,
                               .actions = ACTION_JOIN,
                               .cut = 101,
                               CHANGES(I(INT(1), NIL)) };
    (void)load_log_one(f, 1, &held);
    (void)fixture_load_one(f, 1, &copy);
    (void)load_log_one(f, 2, &join);
    fixture_expect(f, "SELECT n, count(*) FROM shop_copy.t GROUP BY 1 ORDER BY 1",
                   "1|2\n2|1");
}

/* ---- held changes ----------------------------------------------------------------- */

#define HELD                                                             \
    {                                                                    \
        .version = 1, .base = 100, .held = true, .actions = ACTION_HOLD, \
        CHANGES(U(INT(1), INT(11), ABSENT), D(INT(2), INT(20), NIL),     \
                I(INT(4), INT(40), TEXT("d")))                           \
    }
#define HELD_JOIN                                                         \
    {                                                                     \
        .version = 1, .base = 200, .held = true, .actions = ACTION_JOIN,  \
        CHANGES(U(INT(1), ABSENT, TEXT("z")), U(INT(4), INT(41), ABSENT)) \
    }

static void what_was_held_joins_its_copy(void **state)
{
    struct fixture *f = *state;
    struct log_stream held_changes = HELD;
    struct log_stream held_join = HELD_JOIN;
    struct test_stream copy = COPY(1, 3, INT(1), INT(10), TEXT("a"), INT(2), INT(20), NIL,
                                   INT(3), INT(30), TEXT("c"));
    struct load_outcome out = load_log_one(f, 1, &held_changes);
    fixture_expect_counts(&out, 0, 0, 0);
    fixture_expect(f, MARK, "none|none|NULL|NULL|1|NULL|log|");
    (void)fixture_load_one(f, 1, &copy);
    fixture_expect(f, MARK, "copying|none|NULL|1|1|NULL|log|");
    fixture_expect(f, "SELECT copied FROM _tailrace.stream", "true");
    fixture_expect(f, TABLES, "_tailrace_copy_1_t\n_tailrace_held_1_t");
    out = load_log_one(f, 2, &held_join);
    fixture_expect_counts(&out, 3, 2, 0);
    fixture_expect(f, TABLES, "t");
    fixture_expect(f, ROWS("id, n, t, _sdc_deleted_at IS NULL"),
                   "1|11|z|true\n2|20|NULL|false\n3|30|c|true\n4|41|d|true");
    fixture_expect(f, MARK, "live|live|1|NULL|NULL|NULL|log|");
    out = load_log(f, 2);
    assert_true(out.already_loaded);
}

static void the_copy_may_be_first(void **state)
{
    struct fixture *f = *state;
    struct log_stream held_changes = HELD;
    struct log_stream held_join = HELD_JOIN;
    struct test_stream copy = COPY(1, 3, INT(1), INT(10), TEXT("a"), INT(2), INT(20), NIL,
                                   INT(3), INT(30), TEXT("c"));
    (void)fixture_load_one(f, 1, &copy);
    (void)load_log_one(f, 1, &held_changes);
    (void)load_log_one(f, 2, &held_join);
    fixture_expect(f, LIVING, "1|11|z\n3|30|c\n4|41|d");
    fixture_expect(f, TABLES, "t");
}

static void a_join_waits_for_a_whole_copy(void **state)
{
    struct fixture *f = *state;
    struct log_stream held_changes = HELD;
    struct log_stream held_join = HELD_JOIN;
    struct test_stream copy = COPY(1, 1, INT(1), INT(10), TEXT("a"));
    copy.actions = ACTION_BEGIN;
    (void)load_log_one(f, 1, &held_changes);
    (void)fixture_load_one(f, 1, &copy);
    expect_parked(f, 2, &held_join, "not whole");
    fixture_expect(
        f, MARK,
        "copying|none|NULL|1|NULL|1|log|loading 'shop.t': version 1 is to join "
        "what was held, and its copy is not whole");
    struct log_stream late = held_changes;
    late.actions = ACTION_NONE;
    (void)load_log_one(f, 3, &late); /* of what left: no error, nothing held */
    fixture_expect(f, TABLES, "_tailrace_copy_1_t");
}

static void a_held_table_is_emptied(void **state)
{
    struct fixture *f = *state;
    struct log_stream held_changes = HELD;
    struct test_stream copy =
        COPY(1, 2, INT(1), INT(10), TEXT("a"), INT(2), INT(20), NIL);
    struct log_stream cut = { .version = 1,
                              .base = 150,
                              .held = true,
                              .actions = ACTION_TRUNCATE,
                              CHANGES(I(INT(2), INT(22), NIL), I(INT(6), INT(60), NIL)) };
    struct log_stream join = { .version = 1,
                               .base = 200,
                               .held = true,
                               .actions = ACTION_JOIN,
                               CHANGES(U(INT(6), INT(61), ABSENT)) };
    (void)load_log_one(f, 1, &held_changes);
    (void)load_log_one(f, 2, &cut);
    (void)fixture_load_one(f, 1, &copy);
    (void)load_log_one(f, 3, &join);
    fixture_expect(f, ALL_ROWS, "2|22|NULL\n6|61|NULL");
}

/* ---- held changes past their limit ------------------------------------------------ */

#define HELD_TABLE "SELECT count(*) FROM shop_copy._tailrace_held_1_t"

/* Several changes of few keys, by many ways; whatever the limit, the same comes out. */
static void hold_many(struct fixture *f, uint64_t limit, const char *kept[3])
{
    struct test_stream copy = COPY(1, 3, INT(1), INT(10), TEXT("a"), INT(2), INT(20),
                                   TEXT("b"), INT(3), INT(30), TEXT("c"));
    struct log_stream first = {
        .version = 1,
        .base = 100,
        .held = true,
        .held_limit = limit,
        .actions = ACTION_HOLD,
        CHANGES(U(INT(1), INT(11), ABSENT), U(INT(1), ABSENT, TEXT("z")),
                U(INT(2), ABSENT, TEXT("y")), U(INT(2), ABSENT, NIL),
                I(INT(4), INT(40), NIL), D(INT(4), INT(40), NIL),
                U(INT(1), INT(12), ABSENT), I(INT(4), INT(41), NIL))
    };
    struct log_stream second = { .version = 1,
                                 .base = 200,
                                 .held = true,
                                 .held_limit = limit,
                                 CHANGES(D(INT(3), INT(30), TEXT("c")),
                                         U(INT(1), ABSENT, TEXT("x"))) };
    struct log_stream third = { .version = 1,
                                .base = 300,
                                .held = true,
                                .held_limit = limit,
                                CHANGES(U(INT(2), INT(21), ABSENT),
                                        U(INT(4), INT(42), ABSENT),
                                        U(INT(1), INT(13), ABSENT)) };
    struct log_stream join = { .version = 1,
                               .base = 400,
                               .held = true,
                               .held_limit = limit,
                               .actions = ACTION_JOIN,
                               CHANGES(U(INT(4), ABSENT, TEXT("d"))) };
    struct load_outcome out = load_log_one(f, 1, &first);
    uint64_t superseded = out.streams[0].superseded;
    fixture_expect(f, HELD_TABLE, kept[0]);
    out = load_log_one(f, 2, &second);
    superseded += out.streams[0].superseded;
    fixture_expect(f, HELD_TABLE, kept[1]);
    out = load_log_one(f, 3, &third);
    superseded += out.streams[0].superseded;
    fixture_expect(f, HELD_TABLE, kept[2]);
    (void)fixture_load_one(f, 1, &copy);
    out = load_log_one(f, 4, &join);
    fixture_expect_counts(&out, 4, 10 - superseded, 0); /* of 14 changes of 4 keys */
    fixture_expect(
        f, ROWS("id, n, t, _sdc_sequence, epoch_ms(_sdc_deleted_at)"),
        "1|13|x|303|NULL\n2|21|NULL|301|NULL\n3|30|c|201|1700000000200\n4|42|d|401|NULL");
}

static void held_changes_have_a_ceiling(void **state)
{
    hold_many(*state, 4, (const char *[]){ "3", "5", "4" });
}

static void held_changes_below_it_stay(void **state)
{
    hold_many(*state, 100, (const char *[]){ "8", "10", "13" });
}

static void what_is_kept_of_a_truncation_is_the_last(void **state)
{
    struct fixture *f = *state;
    struct test_stream copy = COPY(1, 1, INT(1), INT(10), TEXT("a"));
    struct log_stream held = { .version = 1,
                               .base = 100,
                               .held = true,
                               .held_limit = 3,
                               .actions = ACTION_HOLD,
                               CHANGES(I(INT(2), INT(20), NIL)) };
    struct log_stream cut = { .version = 1,
                              .base = 200,
                              .held = true,
                              .held_limit = 3,
                              .actions = ACTION_TRUNCATE,
                              CHANGES(I(INT(5), INT(50), NIL), U(INT(5), INT(51), NIL),
                                      U(INT(5), INT(52), NIL), U(INT(5), INT(53), NIL)) };
    struct log_stream join = {
        .version = 1, .base = 400, .held = true, .actions = ACTION_JOIN
    };
    (void)load_log_one(f, 1, &held);
    (void)load_log_one(f, 2, &cut);
    cut.base = 300;
    struct load_outcome out = load_log_one(f, 3, &cut);
    fixture_expect_counts(&out, 0, 1 + 3, 0); /* of one before, and one of four left */
    fixture_expect(f, HELD_TABLE, "2");
    (void)fixture_load_one(f, 1, &copy);
    (void)load_log_one(f, 4, &join);
    fixture_expect(f, ALL_ROWS, "5|53|NULL");
}

/* What is to be seen of every change is kept; rows without a key go by their copy's place
 * in the log. */
static void what_each_change_tells_is_not_reduced(void **state)
{
    struct fixture *f = *state;
    struct log_stream held = { .version = 1,
                               .base = 100,
                               .held = true,
                               .held_limit = 1,
                               .append = true,
                               .actions = ACTION_HOLD,
                               CHANGES(I(INT(1), INT(1), NIL), U(INT(1), INT(2), NIL),
                                       U(INT(1), INT(3), NIL), U(INT(1), INT(4), NIL)) };
    struct log_stream bare_held = { .version = 2,
                                    .base = 200,
                                    .held = true,
                                    .held_limit = 1,
                                    .keyless = true,
                                    .shape = &bare,
                                    .actions = ACTION_HOLD,
                                    CHANGES(I(INT(1), NIL), D(INT(1), NIL),
                                            I(INT(1), NIL), D(INT(1), NIL)) };
    (void)load_log_one(f, 1, &held);
    fixture_expect(f, HELD_TABLE, "4");
    (void)load_log_one(f, 2, &bare_held);
    fixture_expect(f, "SELECT count(*) FROM shop_copy._tailrace_held_2_t", "4");
}

static void held_shapes_grow(void **state)
{
    struct fixture *f = *state;
    struct log_stream held_changes = HELD;
    struct test_stream copy =
        COPY(1, 2, INT(1), INT(10), TEXT("a"), INT(2), INT(20), NIL);
    struct log_stream grown = { .version = 1,
                                .base = 150,
                                .held = true,
                                .shape = &wide,
                                CHANGES(U(INT(2), INT(5000000000), ABSENT, INT(9))) };
    struct log_stream join = { .version = 1,
                               .base = 200,
                               .held = true,
                               .shape = &wide,
                               .actions = ACTION_JOIN,
                               CHANGES(U(INT(1), ABSENT, ABSENT, INT(8))) };
    struct log_stream held = held_changes;
    held.count = 1; /* the change of 1 */
    (void)load_log_one(f, 1, &held);
    (void)fixture_load_one(f, 1, &copy);
    (void)load_log_one(f, 2, &grown);
    (void)load_log_one(f, 3, &join);
    fixture_expect(f, ROWS("id, n, t, more"), "1|11|a|8\n2|5000000000|NULL|9");
}

static void the_old_version_is_followed_until_the_new_one_joins(void **state)
{
    struct fixture *f = *state;
    struct test_stream copy = COPY(2, 1, INT(1), INT(99), TEXT("new"));
    struct log_stream both[2] = {
        { .version = 1, .base = 300, CHANGES(U(INT(1), INT(98), NIL)) },
        { .version = 2,
          .base = 300,
          .held = true,
          .actions = ACTION_HOLD,
          CHANGES(U(INT(1), INT(98), NIL)) },
    };
    struct log_stream join = { .version = 2,
                               .base = 400,
                               .held = true,
                               .actions = ACTION_JOIN,
                               CHANGES(U(INT(1), INT(100), ABSENT)) };
    struct log_stream old = { .version = 1,
                              .base = 500,
                              CHANGES(U(INT(1), INT(1), NIL)) };
    begin(f);
    write_log(f, 2, both, 2);
    (void)load_log(f, 2);
    fixture_expect(f, LIVING, "1|98|NULL\n2|20|NULL\n3|30|c");
    (void)fixture_load_one(f, 2, &copy);
    fixture_expect(f, MARK, "copying|live|1|2|2|NULL|log|");
    (void)load_log_one(f, 3, &join);
    fixture_expect(f, LIVING, "1|100|NULL");
    (void)load_log_one(f, 4, &old); /* of a version that was replaced */
    fixture_expect(f, LIVING, "1|100|NULL");
    fixture_expect(f, MARK, "live|live|2|NULL|NULL|NULL|log|");
}

static void a_newer_version_replaces_what_is_held(void **state)
{
    struct fixture *f = *state;
    struct log_stream held_changes = HELD;
    struct test_stream copy = COPY(2, 1, INT(1), INT(99), TEXT("new"));
    struct log_stream late = {
        .version = 1, .base = 300, .held = true, CHANGES(U(INT(1), INT(1), NIL))
    };
    struct log_stream next = {
        .version = 2, .base = 400, .held = true, .actions = ACTION_HOLD
    };
    struct log_stream join = { .version = 2, .held = true, .actions = ACTION_JOIN };
    (void)load_log_one(f, 1, &held_changes);
    (void)fixture_load_one(f, 1, &copy); /* lane full is ahead */
    fixture_expect(f, TABLES, "_tailrace_copy_2_t");
    (void)load_log_one(f, 2, &late);
    (void)load_log_one(f, 3, &next);
    (void)load_log_one(f, 4, &join);
    fixture_expect(f, ALL_ROWS, "1|99|new");
}

static void an_abandoned_version_is_held_no_more(void **state)
{
    struct fixture *f = *state;
    struct log_stream held_changes = HELD;
    struct log_stream give_up = { .version = 1, .held = true, .actions = ACTION_ABANDON };
    struct log_stream late = {
        .version = 1, .base = 300, .held = true, CHANGES(U(INT(1), INT(1), NIL))
    };
    (void)load_log_one(f, 1, &held_changes);
    (void)load_log_one(f, 2, &give_up);
    fixture_expect(f, MARK, "none|none|NULL|NULL|NULL|1|log|");
    (void)load_log_one(f, 3, &late);
    fixture_expect(f, TABLES, "");
}

static void changes_of_a_version_that_nobody_knows_are_an_error(void **state)
{
    struct fixture *f = *state;
    struct log_stream live = { .version = 2,
                               .base = 100,
                               CHANGES(U(INT(1), INT(11), NIL)) };
    begin(f);
    expect_parked(f, 2, &live, "version 2 came");
    live = (struct log_stream){ .version = 1,
                                .base = 200,
                                CHANGES(U(INT(1), INT(12), NIL)) };
    (void)load_log_one(f, 3, &live); /* version 1 is followed all the same */
    fixture_expect(f, LIVING, "1|12|NULL\n2|20|NULL\n3|30|c");
}

/* ---- leaving ---------------------------------------------------------------------- */

static void a_stream_is_parked_and_copied_anew(void **state)
{
    struct fixture *f = *state;
    struct test_stream copy = COPY(2, 1, INT(1), INT(99), TEXT("new"));
    struct log_stream park = { .version = 1,
                               .base = 100,
                               .actions = ACTION_PARK,
                               .reason = "its shape changed",
                               CHANGES(U(INT(1), INT(11), NIL)) };
    struct log_stream late = { .version = 1,
                               .base = 200,
                               CHANGES(U(INT(1), INT(12), NIL)) };
    struct log_stream hold = {
        .version = 2, .base = 300, .held = true, .actions = ACTION_HOLD
    };
    struct log_stream join = { .version = 2, .held = true, .actions = ACTION_JOIN };
    begin(f);
    (void)load_log_one(f, 2, &park);
    fixture_expect(f, MARK, "parked|parked|1|NULL|NULL|NULL|log|its shape changed");
    (void)load_log_one(f, 3, &late);
    fixture_expect(f, LIVING, "1|11|NULL\n2|20|NULL\n3|30|c");
    (void)fixture_load_one(f, 2, &copy);
    fixture_expect(f, MARK, "copying|parked|1|2|NULL|NULL|log|its shape changed");
    (void)load_log_one(f, 4, &hold);
    (void)load_log_one(f, 5, &join);
    fixture_expect(f, MARK, "live|live|2|NULL|NULL|NULL|log|");
    fixture_expect(f, ALL_ROWS, "1|99|new");
}

static void a_table_that_is_gone_stays(void **state)
{
    struct fixture *f = *state;
    struct log_stream gone = {
        .version = 1, .base = 100, .actions = ACTION_GONE, .reason = "it was dropped"
    };
    begin(f);
    (void)load_log_one(f, 2, &gone);
    fixture_expect(f, MARK, "gone|gone|1|NULL|NULL|NULL|log|it was dropped");
    fixture_expect(f, LIVING, "1|10|a\n2|20|NULL\n3|30|c");
}

static void a_stream_that_fails_is_parked_and_others_go_on(void **state)
{
    struct fixture *f = *state;
    struct load_outcome out = { 0 };
    struct error err = { 0 };
    struct test_stream copies[2] = { COPY(1, 1, INT(1), INT(10), TEXT("a")),
                                     COPY(1, 1, INT(1), INT(10), TEXT("a")) };
    struct log_stream joins[2] = {
        { .version = 1, .held = true, .actions = ACTION_HOLD | ACTION_JOIN },
        { .version = 1,
          .held = true,
          .actions = ACTION_HOLD | ACTION_JOIN,
          .table = "u" },
    };
    struct log_stream both[2] = {
        { .version = 1, .base = 100, CHANGES(U(INT(1), INT(11), NIL)) },
        { .version = 1, .base = 100, .table = "u", CHANGES(U(INT(1), INT(12), NIL)) },
    };
    bool excluded[2] = { true, false };
    copies[1].table = "u";
    fixture_write_epoch(f, 1, copies, 2);
    (void)fixture_load(f, 1);
    write_log(f, 1, joins, 2);
    (void)load_log(f, 1);
    fixture_run(f, "ALTER TABLE shop_copy.t DROP COLUMN _sdc_deleted_at");
    write_log(f, 2, both, 2);
    assert_int_equal(sink_load_epoch(f->sink, f->arena, log_dir(f, 2), NULL, &out, &err),
                     -1);
    assert_int_equal(out.failed_stream, 0);
    fixture_expect(f, "SELECT n FROM shop_copy.u", "10");
    assert_int_equal(
        sink_load_epoch(f->sink, f->arena, log_dir(f, 2), excluded, &out, &err), 0);
    fixture_expect(f, "SELECT n FROM shop_copy.u", "12");
    fixture_expect(
        f, "SELECT source_table, live_state, note FROM _tailrace.stream ORDER BY 1",
        "t|parked|loading 'shop.t': the live table has no column "
        "'_sdc_deleted_at' any more\nu|live|");
    both[0].base = both[1].base = 200;
    write_log(f, 3, both, 2);
    (void)load_log(f, 3); /* the parked one is left out in silence */
}

static void reset_drops_what_is_held(void **state)
{
    struct fixture *f = *state;
    struct log_stream held_changes = HELD;
    struct log_stream held_join = HELD_JOIN;
    struct error err = { 0 };
    struct reset_request r = { .integration = STR("shop"),
                               .target_schema = STR("shop_copy"),
                               .database = STR("shop"),
                               .table = STR("t") };
    (void)load_log_one(f, 1, &held_changes);
    assert_int_equal(sink_reset(f->sink, &r, &err), 0);
    fixture_expect(f, TABLES, "");
    fixture_expect(f, MARK, "none|none|NULL|NULL|NULL|1|log|");
    (void)load_log_one(f, 2, &held_join); /* of what is held no more */
    fixture_expect(f, TABLES, "");
}

#ifdef TAILRACE_FAULT_POINTS
static void i10_killed_between_holding_and_joining(void **state)
{
    struct fixture *f = *state;
    static const char *const points[] = { "sink.swapped", "change.held_applied",
                                          "change.joined", "sink.before_commit" };
    struct test_stream copy = COPY(1, 3, INT(1), INT(10), TEXT("a"), INT(2), INT(20), NIL,
                                   INT(3), INT(30), TEXT("c"));
    struct log_stream held_changes = HELD;
    struct log_stream held_join = HELD_JOIN;
    (void)fixture_load_one(f, 1, &copy);
    write_log(f, 1, &held_changes, 1);
    kill_at(f, log_dir(f, 1), "change.held");
    (void)load_log(f, 1);
    write_log(f, 2, &held_join, 1);
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        kill_at(f, log_dir(f, 2), points[i]);
        fixture_expect(f, TABLES, "_tailrace_copy_1_t\n_tailrace_held_1_t");
    }
    kill_at(f, log_dir(f, 2), "sink.committed");
    fixture_expect(f, LIVING, "1|11|z\n3|30|c\n4|41|d");
    assert_true(load_log(f, 2).already_loaded);
}

static void i10_killed_behind_a_keyless_join(void **state)
{
    struct fixture *f = *state;
    struct test_stream copy = {
        "t",
        1,
        ACTION_BEGIN | ACTION_COPIED,
        .keyless = true,
        .join = JOIN_LOG,
        .shape = &bare,
        .row_count = 2,
        .rows = (const struct value[]){ INT(1), NIL, INT(1), NIL },
    };
    struct log_stream hold = { .version = 1,
                               .base = 100,
                               .keyless = true,
                               .shape = &bare,
                               .held = true,
                               .actions = ACTION_HOLD,
                               CHANGES(I(INT(2), NIL), D(INT(1), NIL)) };
    struct log_stream join = { .version = 1,
                               .keyless = true,
                               .shape = &bare,
                               .held = true,
                               .actions = ACTION_JOIN };
    (void)fixture_load_one(f, 1, &copy);
    (void)load_log_one(f, 1, &hold);
    write_log(f, 2, &join, 1);
    kill_at(f, log_dir(f, 2), "sink.committed");
    fixture_expect(f, CONTENT, "1|NULL|1\n2|NULL|1");
    assert_true(load_log(f, 2).already_loaded);
}

/* The copy came by an earlier epoch, so its equal rows get their keys in a table that is
 * renamed: the write-ahead log has to replay both. */
static void i10_killed_behind_a_full_keyless_join(void **state)
{
    struct fixture *f = *state;
    static const struct value equal[] = { { .as.i = 1, .kind = VALUE_INT },
                                          { .kind = VALUE_NULL },
                                          { .as.i = 1, .kind = VALUE_INT },
                                          { .kind = VALUE_NULL } };
    struct test_stream copy = {
        "t",           1, ACTION_BEGIN, .keyless = true, .shape = &bare, .rows = equal,
        .row_count = 2
    };
    struct test_stream join = { "t", 1, ACTION_JOIN, .keyless = true };
    (void)fixture_load_one(f, 1, &copy);
    fixture_write_epoch(f, 2, &join, 1);
    kill_at(f, fixture_epoch_dir(f, 2), "sink.committed");
    fixture_expect(
        f, "SELECT count(*), count(DISTINCT __sdc_primary_key) FROM shop_copy.t", "2|2");
}
#endif

#define TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_keyless_copy_is_cut),
        TEST(what_was_held_joins_its_copy),
        TEST(the_copy_may_be_first),
        TEST(a_join_waits_for_a_whole_copy),
        TEST(a_held_table_is_emptied),
        TEST(held_changes_have_a_ceiling),
        TEST(held_changes_below_it_stay),
        TEST(what_is_kept_of_a_truncation_is_the_last),
        TEST(what_each_change_tells_is_not_reduced),
        TEST(held_shapes_grow),
        TEST(the_old_version_is_followed_until_the_new_one_joins),
        TEST(a_newer_version_replaces_what_is_held),
        TEST(an_abandoned_version_is_held_no_more),
        TEST(changes_of_a_version_that_nobody_knows_are_an_error),
        TEST(a_stream_is_parked_and_copied_anew),
        TEST(a_table_that_is_gone_stays),
        TEST(a_stream_that_fails_is_parked_and_others_go_on),
        TEST(reset_drops_what_is_held),
#ifdef TAILRACE_FAULT_POINTS
        TEST(i10_killed_between_holding_and_joining),
        TEST(i10_killed_behind_a_keyless_join),
        TEST(i10_killed_behind_a_full_keyless_join),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
