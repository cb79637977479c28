/* Changes of the log become rows of a live table. */
#include "contract/log_fixture.h"
#include "sink/duckdb_internal.h"

/* ---- changes of a live table ------------------------------------------------------ */

static void changes_are_merged(void **state)
{
    struct fixture *f = *state;
    struct log_stream live = {
        .version = 1,
        .base = 100,
        CHANGES(I(INT(4), INT(40), TEXT("d")), U(INT(2), INT(21), TEXT("b")),
                D(INT(3), INT(30), TEXT("c")), U(INT(9), INT(90), NIL))
    };
    begin(f);
    fixture_expect(f, MARK, "live|live|1|NULL|NULL|NULL|log|");
    fixture_expect(f, TABLES, "t");
    struct load_outcome out = load_log_one(f, 2, &live);
    fixture_expect_counts(&out, 4, 0, 0);
    fixture_expect(f,
                   ROWS("id, n, t, _sdc_sequence, _sdc_table_version, "
                        "epoch_ms(_sdc_deleted_at), epoch_ms(_sdc_extracted_at)"),
                   "1|10|a|42|1|NULL|1700000000123\n2|21|b|102|1|NULL|1700000000101\n"
                   "3|30|c|103|1|1700000000102|1700000000102\n"
                   "4|40|d|101|1|NULL|1700000000100\n9|90|NULL|104|1|NULL|1700000000103");
    out = load_log(f, 2); /* invariant 7 */
    assert_true(out.already_loaded);
    fixture_expect(f, "SELECT count(*) FROM shop_copy.t", "5");
    fixture_expect(
        f, "SELECT lane, epoch, position, sequence FROM _tailrace.mark ORDER BY 1",
        "full|1|to|1001\nlog|2|log1;to|104");
}

static void the_last_change_of_a_key_wins(void **state)
{
    struct fixture *f = *state;
    struct log_stream live = {
        .version = 1,
        .base = 100,
        CHANGES(U(INT(1), INT(11), TEXT("a")), D(INT(1), INT(11), TEXT("a")),
                I(INT(1), INT(12), NIL), I(INT(5), INT(50), NIL), D(INT(5), INT(50), NIL),
                U(INT(2), INT(22), TEXT("b")))
    };
    begin(f);
    struct load_outcome out = load_log_one(f, 2, &live);
    fixture_expect_counts(&out, 3, 3, 0);
    fixture_expect(f, LIVING, "1|12|NULL\n2|22|b\n3|30|c");
    fixture_expect(f, ROWS("id, _sdc_deleted_at IS NULL"),
                   "1|true\n2|true\n3|true\n5|false");
    struct log_stream again = { .version = 1,
                                .base = 200,
                                CHANGES(I(INT(5), INT(51), TEXT("back"))) };
    (void)load_log_one(f, 3, &again);
    fixture_expect(f, LIVING, "1|12|NULL\n2|22|b\n3|30|c\n5|51|back");
}

static void a_key_changes_in_one_epoch_or_two(void **state)
{
    struct fixture *f = *state;
    struct log_stream one = { .version = 1,
                              .base = 100,
                              .deletes = DELETE_REMOVE,
                              CHANGES(D(INT(1), INT(10), TEXT("a")),
                                      I(INT(7), INT(10), TEXT("a"))) };
    struct log_stream gone = { .version = 1,
                               .base = 200,
                               .deletes = DELETE_REMOVE,
                               CHANGES(D(INT(2), INT(20), NIL)) };
    struct log_stream came = { .version = 1,
                               .base = 300,
                               .deletes = DELETE_REMOVE,
                               CHANGES(I(INT(8), INT(20), NIL)) };
    begin(f);
    (void)load_log_one(f, 2, &one);
    fixture_expect(f, ALL_ROWS, "2|20|NULL\n3|30|c\n7|10|a");
    (void)load_log_one(f, 3, &gone);
    (void)load_log_one(f, 4, &came);
    fixture_expect(f, ALL_ROWS, "3|30|c\n7|10|a\n8|20|NULL");
}

static void absent_columns_come_from_before(void **state)
{
    struct fixture *f = *state;
    struct log_stream chain = {
        .version = 1,
        .base = 100,
        CHANGES(U(INT(1), INT(11), ABSENT), U(INT(1), ABSENT, NIL),
                U(INT(1), INT(12), ABSENT), U(INT(3), ABSENT, TEXT("x")),
                I(INT(4), INT(40), TEXT("d")), U(INT(4), NIL, ABSENT),
                D(INT(2), ABSENT, ABSENT))
    };
    struct log_stream later = { .version = 1,
                                .base = 200,
                                CHANGES(U(INT(1), ABSENT, TEXT("y")),
                                        U(INT(4), INT(44), ABSENT),
                                        D(INT(8), ABSENT, ABSENT)) };
    begin(f);
    struct load_outcome out = load_log_one(f, 2, &chain);
    fixture_expect_counts(&out, 4, 3, 0);
    fixture_expect(f, ROWS("id, n, t, _sdc_deleted_at IS NULL"),
                   "1|12|NULL|true\n2|20|NULL|false\n3|30|x|true\n4|NULL|d|true");
    (void)load_log_one(f, 3, &later); /* of 8 nothing is known: nothing comes */
    fixture_expect(f, ALL_ROWS, "1|12|y\n2|20|NULL\n3|30|x\n4|44|d");
    struct log_stream unknown = { .version = 1,
                                  .base = 300,
                                  CHANGES(U(INT(9), INT(1), ABSENT)) };
    expect_parked(f, 4, &unknown, "does not have");
}

static void an_update_of_a_deleted_row_that_lacks_columns_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct log_stream gone = { .version = 1,
                               .base = 100,
                               .deletes = DELETE_BLANK,
                               CHANGES(D(INT(1), INT(10), TEXT("a"))) };
    struct log_stream late = { .version = 1,
                               .base = 200,
                               CHANGES(U(INT(1), INT(1), ABSENT)) };
    begin(f);
    (void)load_log_one(f, 2, &gone);
    expect_parked(f, 3, &late, "does not have");
}

static void rows_are_deleted_in_three_ways(void **state)
{
    struct fixture *f = *state;
    struct log_stream way = { .version = 1,
                              .base = 100,
                              CHANGES(D(INT(1), INT(10), TEXT("a")),
                                      D(INT(6), INT(60), TEXT("f"))) };
    begin(f);
    (void)load_log_one(f, 2, &way);
    fixture_expect(f, ROWS("id, n, t, _sdc_deleted_at IS NULL"),
                   "1|10|a|false\n2|20|NULL|true\n3|30|c|true\n6|60|f|false");
    way = (struct log_stream){ .version = 1,
                               .base = 200,
                               .deletes = DELETE_BLANK,
                               CHANGES(D(INT(3), ABSENT, ABSENT),
                                       D(INT(7), INT(60), TEXT("f"))) };
    (void)load_log_one(f, 3, &way);
    fixture_expect(f, ROWS("id, n, t, _sdc_deleted_at IS NULL"),
                   "1|10|a|false\n2|20|NULL|true\n3|NULL|NULL|false\n6|60|f|false\n"
                   "7|NULL|NULL|false");
    way = (struct log_stream){ .version = 1,
                               .base = 300,
                               .deletes = DELETE_REMOVE,
                               CHANGES(D(INT(2), ABSENT, ABSENT),
                                       D(INT(8), INT(60), TEXT("f"))) };
    (void)load_log_one(f, 4, &way);
    fixture_expect(f, ALL_ROWS, "1|10|a\n3|NULL|NULL\n6|60|f\n7|NULL|NULL");
}

static void each_change_is_a_row_where_they_are_appended(void **state)
{
    struct fixture *f = *state;
    struct log_stream live = {
        .version = 1,
        .base = 100,
        .append = true,
        CHANGES(U(INT(1), INT(11), ABSENT), U(INT(1), ABSENT, TEXT("z")),
                D(INT(1), ABSENT, ABSENT), I(INT(1), INT(1), NIL))
    };
    begin(f);
    struct load_outcome out = load_log_one(f, 2, &live);
    fixture_expect_counts(&out, 4, 0, 0);
    fixture_expect(f,
                   "SELECT n, t, _sdc_deleted_at IS NULL FROM shop_copy.t WHERE id = 1 "
                   "ORDER BY _sdc_sequence",
                   "10|a|true\n11|a|true\n11|z|true\n11|z|false\n1|NULL|true");
    struct log_stream more = {
        .version = 1, .base = 200, .append = true, CHANGES(U(INT(1), ABSENT, TEXT("q")))
    };
    (void)load_log_one(f, 3, &more);
    fixture_expect(f, "SELECT n, t FROM shop_copy.t WHERE _sdc_sequence = 201", "1|q");
}

static void shapes_grow(void **state)
{
    struct fixture *f = *state;
    struct log_stream live = { .version = 1,
                               .base = 100,
                               .shape = &wide,
                               CHANGES(U(INT(1), INT(5000000000), ABSENT, INT(7)),
                                       I(INT(4), INT(40), NIL, NIL)) };
    begin(f);
    (void)load_log_one(f, 2, &live);
    fixture_expect(f, ROWS("id, n, t, more"),
                   "1|5000000000|a|7\n2|20|NULL|NULL\n3|30|c|NULL\n4|40|NULL|NULL");
    fixture_expect(f, "SELECT schema_json LIKE '%more%' FROM _tailrace.stream", "true");
}

static void rejects_come_with_changes(void **state)
{
    struct fixture *f = *state;
    struct log_stream live = {
        .version = 1, .base = 100, .rejects = 2, CHANGES(U(INT(1), INT(11), NIL))
    };
    begin(f);
    struct load_outcome out = load_log_one(f, 2, &live);
    assert_int_equal(out.streams[0].rejected, 2);
    fixture_expect(f, "SELECT count(*) FROM shop_copy._sdc_rejected", "2");
}

static void a_live_table_is_emptied(void **state)
{
    struct fixture *f = *state;
    struct log_stream live = { .version = 1,
                               .base = 100,
                               .actions = ACTION_TRUNCATE,
                               CHANGES(I(INT(2), INT(22), NIL)) };
    begin(f);
    (void)load_log_one(f, 2, &live);
    fixture_expect(f, ROWS("id, n, t, _sdc_sequence, epoch_ms(_sdc_deleted_at)"),
                   "1|10|a|100|1700000000000\n2|22|NULL|101|NULL\n"
                   "3|30|c|100|1700000000000");
    live = (struct log_stream){
        .version = 1, .base = 200, .actions = ACTION_TRUNCATE, .deletes = DELETE_BLANK
    };
    (void)load_log_one(f, 3, &live);
    fixture_expect(f, ROWS("id, n, _sdc_deleted_at IS NULL"),
                   "1|10|false\n2|NULL|false\n3|30|false");
    live = (struct log_stream){ .version = 1,
                                .base = 300,
                                .actions = ACTION_TRUNCATE,
                                .deletes = DELETE_REMOVE,
                                CHANGES(I(INT(5), INT(50), NIL)) };
    (void)load_log_one(f, 4, &live);
    fixture_expect(f, ALL_ROWS, "5|50|NULL");
}

static void changes_without_an_order_are_refused(void **state)
{
    struct fixture *f = *state;
    struct log_stream same = { .version = 1,
                               .base = 100,
                               .one_number = true,
                               CHANGES(U(INT(1), INT(11), NIL),
                                       U(INT(1), INT(12), NIL)) };
    begin(f);
    expect_parked(f, 2, &same, "nobody knows which");
    fixture_expect(f, LIVING, "1|10|a\n2|20|NULL\n3|30|c");
}

/* ---- rows without a key ----------------------------------------------------------- */

static void begin_keyless(struct fixture *f)
{
    struct test_stream copy = { "t",
                                1,
                                ACTION_BEGIN | ACTION_COPIED,
                                .keyless = true,
                                .join = JOIN_LOG,
                                .shape = &bare,
                                .row_count = 5,
                                .rows = (const struct value[]){
                                    INT(1), TEXT("a"), INT(1), TEXT("a"), INT(1),
                                    TEXT("a"), INT(2), NIL, INT(3), NIL } };
    struct log_stream join = { .version = 1,
                               .keyless = true,
                               .shape = &bare,
                               .actions = ACTION_HOLD | ACTION_JOIN,
                               .held = true };
    (void)fixture_load_one(f, 1, &copy);
    (void)load_log_one(f, 1, &join);
}

static void keyless_rows_come_and_go_by_number(void **state)
{
    struct fixture *f = *state;
    struct log_stream live = { .version = 1,
                               .base = 100,
                               .keyless = true,
                               .shape = &bare,
                               CHANGES(D(INT(1), TEXT("a")), I(INT(1), TEXT("a")),
                                       D(INT(1), TEXT("a")), D(INT(1), TEXT("a")),
                                       I(INT(2), NIL), I(INT(2), NIL), I(INT(4), NIL),
                                       D(INT(4), NIL)) };
    begin_keyless(f);
    fixture_expect(f, CONTENT, "1|a|3\n2|NULL|1\n3|NULL|1");
    struct load_outcome out = load_log_one(f, 2, &live);
    fixture_expect_counts(&out, 4, 4, 0);
    fixture_expect(f, CONTENT, "1|a|1\n2|NULL|3\n3|NULL|1");
    fixture_expect(
        f, "SELECT count(*), count(DISTINCT __sdc_primary_key) FROM shop_copy.t", "7|7");
    struct log_stream back = { .version = 1,
                               .base = 200,
                               .keyless = true,
                               .shape = &bare,
                               CHANGES(I(INT(1), TEXT("a")), I(INT(1), TEXT("a")),
                                       I(INT(1), TEXT("a"))) };
    (void)load_log_one(f, 3, &back); /* two of them take the place of what was deleted */
    fixture_expect(f, CONTENT, "1|a|4\n2|NULL|3\n3|NULL|1");
    fixture_expect(
        f, "SELECT count(*), count(DISTINCT __sdc_primary_key) FROM shop_copy.t", "8|8");
    struct log_stream gone = { .version = 1,
                               .base = 300,
                               .keyless = true,
                               .shape = &bare,
                               .deletes = DELETE_REMOVE,
                               CHANGES(D(INT(1), TEXT("a")), D(INT(3), NIL)) };
    (void)load_log_one(f, 4, &gone);
    fixture_expect(f, CONTENT, "1|a|3\n2|NULL|3");
    fixture_expect(f, "SELECT count(*) FROM shop_copy.t", "6");
}

static void many_equal_rows_are_counted_past_the_first_look(void **state)
{
    struct fixture *f = *state;
    struct change *many = calloc(100, sizeof(*many));
    for (size_t i = 0; i < 100; i++)
        many[i] = (struct change)I(INT(1), TEXT("a"));
    struct log_stream live = { .version = 1,
                               .base = 100,
                               .keyless = true,
                               .shape = &bare,
                               .changes = many,
                               .count = 100 };
    begin_keyless(f);
    (void)load_log_one(f, 2, &live);
    fixture_expect(f, CONTENT, "1|a|103\n2|NULL|1\n3|NULL|1");
    for (size_t i = 0; i < 100; i++)
        many[i].op = OP_DELETE;
    live.base = 300;
    live.deletes = DELETE_REMOVE;
    (void)load_log_one(f, 3, &live);
    fixture_expect(f, CONTENT, "1|a|3\n2|NULL|1\n3|NULL|1");
    fixture_expect(f, "SELECT count(*) FROM shop_copy.t", "5");
    free(many);
}

static void a_keyless_deletion_of_nothing_parks(void **state)
{
    struct fixture *f = *state;
    struct log_stream live = { .version = 1,
                               .base = 100,
                               .keyless = true,
                               .shape = &bare,
                               CHANGES(D(INT(3), NIL), D(INT(3), NIL)) };
    begin_keyless(f);
    expect_parked(f, 2, &live, "without a key");
    fixture_expect(f, CONTENT, "1|a|3\n2|NULL|1\n3|NULL|1");
}

/* ---- many tables ------------------------------------------------------------------ */

#define MANY 100
#define LAST "99"

static void a_thousand_tables_change_in_one_epoch(void **state)
{
    struct fixture *f = *state;
    struct test_stream *copies = calloc(MANY, sizeof(*copies));
    struct log_stream *streams = calloc(MANY, sizeof(*streams));
    static const struct change change[] = { U(INT(1), INT(11), NIL) };
    for (size_t i = 0; i < MANY; i++) {
        const char *name = arena_printf(f->arena, "t%zu", i).ptr;
        struct test_stream copy = COPY(1, 1, INT(1), INT(10), TEXT("a"));
        copies[i] = copy;
        copies[i].table = name;
        streams[i] = (struct log_stream){ .version = 1,
                                          .held = true,
                                          .table = name,
                                          .actions = ACTION_HOLD | ACTION_JOIN };
    }
    static const struct value row[] = { { .as.i = 1, .kind = VALUE_INT },
                                        { .as.i = 10, .kind = VALUE_INT },
                                        { .kind = VALUE_NULL } };
    for (size_t i = 0; i < MANY; i++)
        copies[i].rows = row;
    fixture_write_epoch(f, 1, copies, MANY);
    (void)fixture_load(f, 1);
    write_log(f, 1, streams, MANY);
    struct load_outcome out = load_log(f, 1);
    print_message("# joins: %lld ms\n", (long long)out.took_us / 1000);
    for (size_t i = 0; i < MANY; i++)
        streams[i] = (struct log_stream){ .version = 1,
                                          .base = 100,
                                          .table = streams[i].table,
                                          .changes = change,
                                          .count = 1 };
    write_log(f, 2, streams, MANY);
    out = load_log(f, 2);
    print_message("# tables, a change each: %lld ms\n", (long long)out.took_us / 1000);
    fixture_expect(f, "SELECT n FROM shop_copy.t" LAST, "11");
    free(copies);
    free(streams);
}

#ifdef TAILRACE_FAULT_POINTS
static void i10_killed_between_changes_and_commit(void **state)
{
    struct fixture *f = *state;
    static const char *const points[] = { "change.truncated", "change.staged",
                                          "change.deleted", "change.applied",
                                          "sink.before_commit" };
    struct log_stream live = { .version = 1,
                               .base = 100,
                               .deletes = DELETE_REMOVE,
                               .actions = ACTION_TRUNCATE,
                               CHANGES(I(INT(1), INT(11), NIL),
                                       I(INT(4), INT(40), NIL)) };
    begin(f);
    write_log(f, 2, &live, 1);
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        kill_at(f, log_dir(f, 2), points[i]);
        fixture_expect(f, ALL_ROWS, "1|10|a\n2|20|NULL\n3|30|c");
    }
    (void)load_log(f, 2);
    fixture_expect(f, ALL_ROWS, "1|11|NULL\n4|40|NULL");
}
#endif

/* The same by the way that many changes go: through a table of their own. */
static int setup_staged(void **state)
{
    int rc = fixture_setup(state);
    struct fixture *f = *state;
    if (rc == 0)
        duckdb_of(f->sink)->direct_rows = 0;
    return rc;
}

/* Before the rows of the epoch come; not in rows that were deleted before it. */
static void new_columns_get_what_old_rows_have(void **state)
{
    static const struct manifest_fill more[] = { { .column = STR("more"),
                                                   .value = STR("7") } };
    static const struct column columns[] = {
        KEY_COLUMN("id"),
        COLUMN("n", TYPE_INT, .bytes = 4),
        COLUMN("more", TYPE_INT, .bytes = 4),
        COLUMN("was_t", TYPE_TEXT, .length = 20),
        COLUMN("text", TYPE_TEXT, .length = 20),
        COLUMN("bytes", TYPE_BYTES, .length = 20),
        COLUMN("time", TYPE_TIME),
        COLUMN("exact", TYPE_DECIMAL, .precision = 7, .scale = 2),
        COLUMN("flag", TYPE_BOOL),
    };
    static const struct table_schema other = {
        .version = 3, .column_count = 9, .key_count = 1, .columns = columns
    };
    static const struct manifest_fill fills[] = {
        { .column = STR("was_t"), .from = STR("t") },
        { .column = STR("text"), .value = STR("it's \"x\"") },
        { .column = STR("bytes"), .value = STR("00ff") },
        { .column = STR("time"), .value = STR("-3600000000") },
        { .column = STR("exact"), .value = STR("-1.50") },
        { .column = STR("flag"), .value = STR("1") },
        { .column = STR("more"), .value = STR("8") }, /* one that is there */
    };
    struct fixture *f = *state;
    struct log_stream gone = { .version = 1,
                               .base = 100,
                               CHANGES(D(INT(3), INT(30), TEXT("c"))) };
    struct log_stream filled = { .version = 1,
                                 .base = 200,
                                 .shape = &wide,
                                 .fills = more,
                                 .fill_count = 1,
                                 CHANGES(U(INT(1), INT(11), TEXT("a"), INT(6)),
                                         I(INT(4), INT(40), NIL, NIL)) };
    struct log_stream again = {
        .version = 1, .base = 300, .shape = &other, .fills = fills, .fill_count = 7
    };
    begin(f);
    (void)load_log_one(f, 2, &gone);
    struct load_outcome out = load_log_one(f, 3, &filled);
    fixture_expect_counts(&out, 2, 0, 0);
    fixture_expect(f, ROWS("id, n, more"), "1|11|6\n2|20|7\n3|30|NULL\n4|40|NULL");
    out = load_log(f, 3);
    assert_true(out.already_loaded);
    (void)load_log_one(f, 4, &again);
    fixture_expect(f, ROWS("id, t, was_t, \"text\", bytes, \"time\", exact, flag, more"),
                   "1|a|a|it's \"x\"|\\x00\\xFF|-01:00:00|-1.50|true|8\n"
                   "2|NULL|NULL|it's \"x\"|\\x00\\xFF|-01:00:00|-1.50|true|8\n"
                   "3|c|c|NULL|NULL|NULL|NULL|NULL|NULL\n"
                   "4|NULL|NULL|it's \"x\"|\\x00\\xFF|-01:00:00|-1.50|true|8");
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
#define STAGED(t)                                             \
    {                                                         \
        "staged " #t, t, setup_staged, fixture_teardown, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(changes_are_merged),
        TEST(the_last_change_of_a_key_wins),
        TEST(a_key_changes_in_one_epoch_or_two),
        TEST(absent_columns_come_from_before),
        TEST(an_update_of_a_deleted_row_that_lacks_columns_is_an_error),
        TEST(rows_are_deleted_in_three_ways),
        TEST(each_change_is_a_row_where_they_are_appended),
        TEST(shapes_grow),
        TEST(new_columns_get_what_old_rows_have),
        TEST(rejects_come_with_changes),
        TEST(a_live_table_is_emptied),
        TEST(changes_without_an_order_are_refused),
        TEST(keyless_rows_come_and_go_by_number),
        TEST(many_equal_rows_are_counted_past_the_first_look),
        TEST(a_keyless_deletion_of_nothing_parks),
        TEST(a_thousand_tables_change_in_one_epoch),
        STAGED(changes_are_merged),
        STAGED(the_last_change_of_a_key_wins),
        STAGED(a_key_changes_in_one_epoch_or_two),
        STAGED(rows_are_deleted_in_three_ways),
        STAGED(each_change_is_a_row_where_they_are_appended),
        STAGED(shapes_grow),
        STAGED(new_columns_get_what_old_rows_have),
        STAGED(rejects_come_with_changes),
        STAGED(a_live_table_is_emptied),
#ifdef TAILRACE_FAULT_POINTS
        TEST(i10_killed_between_changes_and_commit),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
