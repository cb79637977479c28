/* A version is copied while the one before it is followed: the epochs of lane "log" carry
 * each change once, for both. */
#include "contract/log_fixture.h"

/* Version 2 is held from epoch `number` on, version 1 has the same changes. */
struct pair {
    struct log_stream both[2];
};

static struct pair share(const struct log_stream *held)
{
    struct pair p = { { *held, *held } };
    p.both[0].version = 2;
    p.both[0].held = true;
    p.both[1].version = p.both[1].live_version = 1;
    p.both[1].rows_of = 1;
    p.both[1].changes = NULL;
    p.both[1].count = p.both[1].rejects = 0;
    p.both[1].actions &= ~(unsigned)(ACTION_HOLD | ACTION_ABANDON);
    p.both[0].actions &= ~(unsigned)(ACTION_PARK | ACTION_GONE);
    return p;
}

static struct load_outcome load_pair(struct fixture *f, uint64_t number,
                                     const struct log_stream *held)
{
    struct pair p = share(held);
    write_log(f, number, p.both, 2);
    return load_log(f, number);
}

/* Fails with the stream at fault named, then is loaded without it. */
static void expect_left_out(struct fixture *f, uint64_t number,
                            const struct log_stream *held, int at_fault)
{
    struct pair p = share(held);
    struct load_outcome out = { 0 };
    struct error err = { 0 };
    bool excluded[2] = { at_fault == 0, at_fault == 1 };
    write_log(f, number, p.both, 2);
    assert_int_equal(
        sink_load_epoch(f->sink, f->arena, log_dir(f, number), NULL, &out, &err), -1);
    if (out.failed_stream != at_fault)
        fail_msg("stream %d is at fault: %s", out.failed_stream, err.text);
    if (sink_load_epoch(f->sink, f->arena, log_dir(f, number), excluded, &out, &err) != 0)
        fail_msg("%s", err.text);
}

#define VERSIONS                                                                       \
    "SELECT id, n, _sdc_table_version FROM shop_copy.t WHERE _sdc_deleted_at IS NULL " \
    "ORDER BY ALL"
#define STATES                                                             \
    "SELECT state, live_state, live_version, copy_version, held_version, " \
    "left_version FROM _tailrace.stream"
#define FIRST                                                                 \
    {                                                                         \
        .base = 100, .actions = ACTION_HOLD,                                  \
        CHANGES(U(INT(1), INT(11), TEXT("a")), D(INT(3), INT(30), TEXT("c")), \
                I(INT(4), INT(40), TEXT("d")), U(INT(4), INT(41), TEXT("d"))) \
    }
/* Columns that are not told come from the table: these go by way of a stage. */
#define SECOND                                                                         \
    {                                                                                  \
        .base = 200, CHANGES(U(INT(1), INT(12), ABSENT), U(INT(2), ABSENT, TEXT("b")), \
                             D(INT(4), ABSENT, ABSENT))                                \
    }
#define SECOND_COPY \
    COPY(2, 3, INT(1), INT(11), TEXT("a"), INT(2), INT(20), NIL, INT(5), INT(50), NIL)

static const struct log_stream join_second = {
    .version = 2, .base = 900, .held = true, .actions = ACTION_JOIN
};

static void both_versions_have_the_changes(void **state)
{
    struct fixture *f = *state;
    struct test_stream copy = SECOND_COPY;
    struct log_stream first = FIRST, second = SECOND;
    begin(f);
    struct load_outcome out = load_pair(f, 2, &first);
    assert_int_equal(out.streams[0].applied, 0);
    assert_int_equal(out.streams[1].applied, 3);
    assert_int_equal(out.streams[1].superseded, 1);
    fixture_expect(f, VERSIONS, "1|11|1\n2|20|1\n4|41|1");
    fixture_expect(f, STATES, "live|live|1|NULL|2|NULL");
    fixture_expect(f,
                   "SELECT _sdc_change, id, n, _sdc_table_version, _sdc_sequence FROM "
                   "shop_copy._tailrace_held_2_t ORDER BY ALL",
                   "D|3|30|2|102\nI|4|40|2|103\nU|1|11|2|101\nU|4|41|2|104");
    (void)fixture_load_one(f, 2, &copy);
    fixture_expect(f, STATES, "copying|live|1|2|2|NULL");
    (void)load_pair(f, 3, &second);
    fixture_expect(f, LIVING, "1|12|a\n2|20|b");
    assert_true(load_log(f, 3).already_loaded);
    fixture_expect(f, LIVING, "1|12|a\n2|20|b");
    out = load_log_one(f, 4, &join_second);
    fixture_expect_counts(&out, 4, 3, 0);
    fixture_expect(f, LIVING, "1|12|a\n2|20|b\n5|50|NULL");
    fixture_expect(f, "SELECT DISTINCT _sdc_table_version FROM shop_copy.t", "2");
    fixture_expect(f, MARK, "live|live|2|NULL|NULL|NULL|log|");
    fixture_expect(f, TABLES, "t");
}

static void rows_that_go_go_from_both(void **state)
{
    struct fixture *f = *state;
    struct test_stream copy = SECOND_COPY;
    struct log_stream first = FIRST, join = join_second;
    first.deletes = join.deletes = DELETE_REMOVE;
    begin(f);
    (void)load_pair(f, 2, &first);
    fixture_expect(f, ROWS("id, n"), "1|11\n2|20\n4|41");
    (void)fixture_load_one(f, 2, &copy);
    (void)load_log_one(f, 3, &join);
    fixture_expect(f, ROWS("id, n"), "1|11\n2|20\n4|41\n5|50");
}

static void appended_changes_are_in_both(void **state)
{
    struct fixture *f = *state;
    struct test_stream copy = SECOND_COPY;
    struct log_stream first = FIRST, join = join_second;
    first.append = join.append = true;
    begin(f);
    (void)load_pair(f, 2, &first);
    fixture_expect(f, "SELECT count(*), max(_sdc_table_version) FROM shop_copy.t", "7|1");
    (void)fixture_load_one(f, 2, &copy);
    (void)load_log_one(f, 3, &join);
    fixture_expect(f, "SELECT count(*), min(_sdc_table_version) FROM shop_copy.t", "7|2");
}

static void both_versions_are_emptied(void **state)
{
    struct fixture *f = *state;
    struct test_stream copy = SECOND_COPY;
    struct log_stream first = FIRST;
    struct log_stream cut = { .base = 150,
                              .actions = ACTION_TRUNCATE,
                              CHANGES(I(INT(6), INT(60), NIL)) };
    begin(f);
    (void)load_pair(f, 2, &first);
    (void)fixture_load_one(f, 2, &copy);
    (void)load_pair(f, 3, &cut);
    fixture_expect(f, VERSIONS, "6|60|1");
    (void)load_log_one(f, 4, &join_second);
    fixture_expect(f, VERSIONS, "6|60|2");
}

static void both_versions_get_new_columns(void **state)
{
    struct fixture *f = *state;
    struct test_stream copy = SECOND_COPY;
    struct log_stream first = FIRST, join = join_second;
    struct log_stream grown = { .base = 150,
                                .shape = &wide,
                                CHANGES(U(INT(2), INT(5000000000), NIL, INT(9))) };
    join.shape = &wide;
    begin(f);
    (void)load_pair(f, 2, &first);
    (void)fixture_load_one(f, 2, &copy);
    (void)load_pair(f, 3, &grown);
    fixture_expect(f, "SELECT n, more, _sdc_table_version FROM shop_copy.t WHERE id = 2",
                   "5000000000|9|1");
    (void)load_log_one(f, 4, &join);
    fixture_expect(f, "SELECT n, more, _sdc_table_version FROM shop_copy.t WHERE id = 2",
                   "5000000000|9|2");
}

static const struct value equal_rows[] = {
    { .as.i = 1, .kind = VALUE_INT }, { .kind = VALUE_NULL },
    { .as.i = 1, .kind = VALUE_INT }, { .kind = VALUE_NULL },
    { .as.i = 2, .kind = VALUE_INT }, { .kind = VALUE_NULL },
};

/* Table t without a key is live as version 1, with rows 1, 1 and 2. */
static void begin_keyless(struct fixture *f, uint64_t version)
{
    struct test_stream copy = { "t",
                                version,
                                ACTION_BEGIN | ACTION_COPIED,
                                .keyless = true,
                                .join = JOIN_LOG,
                                .shape = &bare,
                                .rows = equal_rows,
                                .row_count = 3 };
    struct log_stream join = { .version = 1,
                               .keyless = true,
                               .shape = &bare,
                               .actions = ACTION_HOLD | ACTION_JOIN,
                               .held = true };
    (void)fixture_load_one(f, version, &copy);
    if (version == 1)
        (void)load_log_one(f, 1, &join);
}

static void rows_without_a_key_are_in_both(void **state)
{
    struct fixture *f = *state;
    struct log_stream first = { .base = 100,
                                .keyless = true,
                                .shape = &bare,
                                .actions = ACTION_HOLD,
                                CHANGES(I(INT(3), NIL), D(INT(1), NIL), I(INT(2), NIL)) };
    struct log_stream join = join_second;
    join.keyless = true;
    join.shape = &bare;
    begin_keyless(f, 1);
    (void)load_pair(f, 2, &first);
    fixture_expect(f, CONTENT, "1|NULL|1\n2|NULL|2\n3|NULL|1");
    begin_keyless(f, 2);
    (void)load_log_one(f, 3, &join);
    fixture_expect(f, CONTENT, "1|NULL|1\n2|NULL|2\n3|NULL|1");
    fixture_expect(f, "SELECT DISTINCT _sdc_table_version FROM shop_copy.t", "2");
}

/* ---- one without the other -------------------------------------------------------- */

static void a_live_version_that_fails_is_parked_alone(void **state)
{
    struct fixture *f = *state;
    struct log_stream first = { .base = 100,
                                .keyless = true,
                                .shape = &bare,
                                .actions = ACTION_HOLD,
                                CHANGES(D(INT(2), NIL), D(INT(1), NIL)) };
    struct log_stream second = {
        .base = 200, .keyless = true, .shape = &bare, CHANGES(I(INT(7), NIL))
    };
    struct log_stream join = join_second;
    join.keyless = true;
    join.shape = &bare;
    begin_keyless(f, 1);
    fixture_run(f, "DELETE FROM shop_copy.t WHERE n = 1"); /* somebody's */
    expect_left_out(f, 2, &first, 1);
    fixture_expect(f, CONTENT, "2|NULL|1");
    fixture_expect(f, STATES, "parked|parked|1|NULL|2|NULL");
    fixture_expect(f, "SELECT contains(note, 'does not have') FROM _tailrace.stream",
                   "true");
    (void)load_pair(f, 3, &second); /* of the parked one they are left out in silence */
    fixture_expect(f, CONTENT, "2|NULL|1");
    begin_keyless(f, 2);
    fixture_expect(f, STATES, "copying|parked|1|2|2|NULL");
    (void)load_log_one(f, 4, &join);
    fixture_expect(f, CONTENT, "1|NULL|1\n7|NULL|1");
    fixture_expect(f, MARK, "live|live|2|NULL|NULL|NULL|log|");
}

static void a_copy_that_fails_leaves_the_live_version_followed(void **state)
{
    struct fixture *f = *state;
    struct log_stream first = FIRST, second = SECOND;
    struct log_stream alone = {
        .version = 1, .live_version = 1, .base = 300, CHANGES(I(INT(8), INT(80), NIL))
    };
    begin(f);
    (void)load_pair(f, 2, &first);
    fixture_run(f, "DROP TABLE shop_copy._tailrace_held_2_t"); /* somebody's */
    expect_left_out(f, 3, &second, 0);
    fixture_expect(f, LIVING, "1|12|a\n2|20|b");
    fixture_expect(f, STATES, "live|live|1|NULL|NULL|2");
    (void)load_log_one(f, 4, &alone);
    fixture_expect(f, LIVING, "1|12|a\n2|20|b\n8|80|NULL");
}

static void an_abandoned_copy_leaves_the_live_version_its_rows(void **state)
{
    struct fixture *f = *state;
    struct log_stream first = FIRST, second = SECOND;
    second.actions = ACTION_ABANDON;
    begin(f);
    (void)load_pair(f, 2, &first);
    (void)load_pair(f, 3, &second);
    fixture_expect(f, LIVING, "1|12|a\n2|20|b");
    fixture_expect(f, STATES, "live|live|1|NULL|NULL|2");
    fixture_expect(f, TABLES, "t");
}

static void both_versions_leave_the_log(void **state)
{
    struct fixture *f = *state;
    struct log_stream first = FIRST;
    struct log_stream lost = { .base = 200,
                               .actions = ACTION_ABANDON | ACTION_PARK,
                               .reason = "its shape changed" };
    struct log_stream late = { .base = 300, CHANGES(U(INT(1), INT(1), NIL)) };
    begin(f);
    (void)load_pair(f, 2, &first);
    (void)load_pair(f, 3, &lost);
    fixture_expect(f, MARK, "parked|parked|1|NULL|NULL|2|log|its shape changed");
    (void)load_pair(f, 4, &late);
    fixture_expect(f, VERSIONS, "1|11|1\n2|20|1\n4|41|1");
    fixture_expect(f, TABLES, "t");
}

static void a_reset_in_between_leaves_the_live_version_followed(void **state)
{
    struct fixture *f = *state;
    struct log_stream first = FIRST, second = SECOND;
    struct error err = { 0 };
    struct reset_request r = { .integration = STR("shop"),
                               .target_schema = STR("shop_copy") };
    begin(f);
    (void)load_pair(f, 2, &first);
    assert_int_equal(sink_reset(f->sink, &r, &err), 0);
    (void)load_pair(f, 3, &second); /* captured before the reset, loaded behind it */
    fixture_expect(f, LIVING, "1|12|a\n2|20|b");
    fixture_expect(f, TABLES, "t");
}

static void rejected_rows_are_recorded_once(void **state)
{
    struct fixture *f = *state;
    struct log_stream first = FIRST;
    first.rejects = 2;
    begin(f);
    (void)load_pair(f, 2, &first);
    fixture_expect(f, "SELECT count(*) FROM shop_copy._sdc_rejected", "2");
}

#ifdef TAILRACE_FAULT_POINTS
static void i10_killed_while_both_are_loaded(void **state)
{
    struct fixture *f = *state;
    static const char *const points[] = { "change.staged", "change.deleted",
                                          "change.applied", "sink.before_commit" };
    struct log_stream first = FIRST, second = SECOND;
    struct pair p = share(&second);
    begin(f);
    (void)load_pair(f, 2, &first);
    write_log(f, 3, p.both, 2);
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        kill_at(f, log_dir(f, 3), points[i]);
        fixture_expect(f, VERSIONS, "1|11|1\n2|20|1\n4|41|1");
        fixture_expect(f, "SELECT count(*) FROM shop_copy._tailrace_held_2_t", "4");
    }
    kill_at(f, log_dir(f, 3), "sink.committed");
    fixture_expect(f, LIVING, "1|12|a\n2|20|b");
    fixture_expect(f, "SELECT count(*) FROM shop_copy._tailrace_held_2_t", "7");
    assert_true(load_log(f, 3).already_loaded);
    fixture_expect(f, "SELECT count(*) FROM shop_copy._tailrace_held_2_t", "7");
}
#endif

#define TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_versions_have_the_changes),
        TEST(rows_that_go_go_from_both),
        TEST(appended_changes_are_in_both),
        TEST(both_versions_are_emptied),
        TEST(both_versions_get_new_columns),
        TEST(rows_without_a_key_are_in_both),
        TEST(a_live_version_that_fails_is_parked_alone),
        TEST(a_copy_that_fails_leaves_the_live_version_followed),
        TEST(an_abandoned_copy_leaves_the_live_version_its_rows),
        TEST(both_versions_leave_the_log),
        TEST(a_reset_in_between_leaves_the_live_version_followed),
        TEST(rejected_rows_are_recorded_once),
#ifdef TAILRACE_FAULT_POINTS
        TEST(i10_killed_while_both_are_loaded),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
