/* The life of a read of changes: gathered over epochs, joined, given up, failed, killed.
 */
#include "base/file.h"
#include "contract/sink_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

/* Table t of two columns is live as version 1: (1, true), (2, NULL). */
static void begin_live(struct fixture *f)
{
    struct test_stream base = { "t",
                                1,
                                BEGIN_JOIN,
                                .shape = &two,
                                .rows = rows_a,
                                .row_count = 2,
                                .bookmark = "key1;full" };
    (void)fixture_load_one(f, 1, &base);
}

/* Row (3, 7, 'new') of a wider shape. */
static struct test_stream read_of(enum join_kind join, int64_t sequence, unsigned actions)
{
    return (struct test_stream){ "t",
                                 1,
                                 actions,
                                 .join = join,
                                 .live_version = 1,
                                 .sequence = sequence,
                                 .shape = &promoted,
                                 .rows = rows_b,
                                 .row_count = 1,
                                 .bookmark = "key1;next" };
}

static const struct column id_column[] = { KEY_COLUMN("id") };
static const struct table_schema ids = {
    .version = 1, .column_count = 1, .key_count = 1, .columns = id_column
};

/* The source has the row 3 and no other. */
static struct test_stream sweep_of(int64_t sequence)
{
    struct test_stream t = read_of(JOIN_SWEEP, sequence, BEGIN_JOIN);
    t.shape = &ids;
    t.bookmark = NULL;
    return t;
}

#define MARK                                                               \
    "SELECT state, live_version, copy_version, copy_sequence, copy_join, " \
    "copy_bookmark, "                                                      \
    "bookmark FROM _tailrace.stream"

#define TABLES                                                                           \
    "SELECT string_agg(table_name, ' ' ORDER BY table_name) FROM duckdb_tables() WHERE " \
    "schema_name = 'shop_copy'"

static void a_read_is_hidden_until_it_joins(void **state)
{
    struct fixture *f = *state;
    struct test_stream first = read_of(JOIN_MERGE, 100, ACTION_BEGIN);
    struct test_stream more = read_of(JOIN_MERGE, 100, 0);
    struct test_stream end = read_of(JOIN_MERGE, 100, ACTION_JOIN);
    more.shape = &two;
    more.rows = rows_a;
    more.row_count = 2;
    more.first_row = 1;
    end.shape = NULL; /* an epoch without rows: the key is that of the mark's shape */
    end.row_count = 0;
    begin_live(f);
    struct load_outcome out = fixture_load_one(f, 2, &first);
    fixture_expect_counts(&out, 0, 0, 0);
    fixture_expect(f, MARK, "copying|1|1|100|merge|key1;next|key1;full");
    fixture_expect(f, "SELECT copy_progress FROM _tailrace.stream", "half way");
    fixture_reopen(f);
    (void)fixture_load_one(f, 3, &more);
    fixture_expect(f, TABLES, "_tailrace_copy_1_t t");
    fixture_expect(f, "SELECT id FROM shop_copy.t ORDER BY 1", "1\n2");
    out = fixture_load_one(f, 4, &end);
    fixture_expect_counts(&out, 1, 0, 2);
    fixture_expect(f, MARK, "live|1|NULL|0|replace||key1;next");
    fixture_expect(f, TABLES, "t");
    fixture_expect(f, "SELECT id, flag, extra, _sdc_sequence FROM shop_copy.t ORDER BY 1",
                   "1|1|NULL|42\n2|NULL|NULL|42\n3|7|new|100");
}

/* A column is promoted while the changes are read: rows of both shapes meet. */
static void a_shape_that_changes_within_a_read_widens_both(void **state)
{
    struct fixture *f = *state;
    const struct value narrow[] = { INT(1), INT(0), INT(3), INT(1) };
    const struct value wide[] = { INT(2), INT(5), TEXT("x"), INT(3), INT(1), NIL };
    struct test_stream read = read_of(JOIN_MERGE, 100, ACTION_BEGIN);
    read.shape = &two;
    read.rows = narrow;
    read.row_count = 2;
    begin_live(f);
    (void)fixture_load_one(f, 2, &read);
    read.actions = ACTION_JOIN;
    read.first_row = 2;
    read.shape = &promoted;
    read.rows = wide;
    struct load_outcome out = fixture_load_one(f, 3, &read);
    fixture_expect_counts(&out, 3, 1, 0);
    fixture_expect(f, "SELECT id, flag, extra, typeof(flag) FROM shop_copy.t ORDER BY 1",
                   "1|0|NULL|TINYINT\n2|5|x|TINYINT\n3|1|NULL|TINYINT");
}

static void a_full_copy_without_a_bookmark_clears_it(void **state)
{
    struct fixture *f = *state;
    struct test_stream full = {
        "t", 2, BEGIN_JOIN, .shape = &two, .rows = rows_a, .row_count = 1
    };
    begin_live(f);
    fixture_expect(f, "SELECT bookmark FROM _tailrace.stream", "key1;full");
    (void)fixture_load_one(f, 2, &full);
    fixture_expect(f, "SELECT bookmark, live_version FROM _tailrace.stream", "|2");
}

static void an_abandoned_read_leaves_the_live_table(void **state)
{
    struct fixture *f = *state;
    struct test_stream read = read_of(JOIN_MERGE, 100, ACTION_BEGIN);
    /* given up, begun anew and joined: one version, one epoch */
    struct test_stream again[] = {
        read_of(JOIN_MERGE, 100, ACTION_ABANDON),
        read_of(JOIN_MERGE, 200, BEGIN_JOIN),
        sweep_of(300),
    };
    begin_live(f);
    (void)fixture_load_one(f, 2, &read);
    read.actions = ACTION_ABANDON;
    (void)fixture_load_one(f, 3, &read);
    fixture_expect(f, MARK, "live|1|NULL|0|replace||key1;full");
    fixture_expect(f, TABLES, "t");
    read.actions = ACTION_BEGIN;
    (void)fixture_load_one(f, 4, &read);
    fixture_write_epoch(f, 5, again, 3);
    struct load_outcome out = fixture_load(f, 5);
    assert_int_equal(out.streams[0].applied, 0);
    assert_int_equal(out.streams[1].applied, 1);
    assert_int_equal(out.streams[2].applied, 2);
    fixture_expect(f, MARK, "live|1|NULL|0|replace||key1;next");
    fixture_expect(f, TABLES, "t");
    fixture_expect(f,
                   "SELECT id, _sdc_sequence, _sdc_deleted_at IS NULL FROM shop_copy.t "
                   "ORDER BY 1",
                   "1|300|false\n2|300|false\n3|200|true");
}

/* ---- what is not as it was when the rows were read -------------------------------- */

static void expect_refused(struct fixture *f, uint64_t number,
                           const struct test_stream *t, const char *words)
{
    struct load_outcome out = { 0 };
    fixture_write_epoch(f, number, t, 1);
    struct error err = fixture_load_fails(f, number, NULL, &out);
    assert_int_equal(out.failed_stream, 0);
    assert_int_equal(err.code, ERR_SCHEMA);
    assert_non_null(err.hint);
    if (strstr(err.text, words) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, words);
}

static void a_live_table_of_another_version_is_not_touched(void **state)
{
    struct fixture *f = *state;
    struct test_stream read = read_of(JOIN_MERGE, 100, BEGIN_JOIN);
    begin_live(f);
    for (enum join_kind join = JOIN_ADD; join <= JOIN_SWEEP; join++) {
        read.join = join;
        read.version = read.live_version = 9;
        if (join == JOIN_ADD)
            read.version = 10;
        expect_refused(f, 2, &read, "the live table is version 1");
        assert_int_equal(file_remove_tree(fixture_epoch_dir(f, 2), &(struct error){ 0 }),
                         0);
    }
    fixture_expect(f, TABLES, "t");
}

static void a_live_table_that_is_gone_fails_the_stream(void **state)
{
    struct fixture *f = *state;
    struct test_stream first = read_of(JOIN_NEW, 100, ACTION_BEGIN);
    struct test_stream end = read_of(JOIN_NEW, 100, ACTION_JOIN);
    struct load_outcome out = { 0 };
    struct error err = { 0 };
    bool excluded[] = { true };
    begin_live(f);
    (void)fixture_load_one(f, 2, &first);
    fixture_run(f, "ALTER TABLE shop_copy.t DROP COLUMN _sdc_deleted_at");
    end.first_row = 1;
    expect_refused(f, 3, &end, "has no column '_sdc_deleted_at'");
    fixture_run(f, "DROP TABLE shop_copy.t");
    assert_int_equal(file_remove_tree(fixture_epoch_dir(f, 3), &err), 0);
    expect_refused(f, 3, &end, "'shop_copy.t' is gone");
    assert_int_equal(
        sink_load_epoch(f->sink, f->arena, fixture_epoch_dir(f, 3), excluded, &out, &err),
        0);
    fixture_expect(f, MARK, "failed|1|1|0|new||key1;full");
}

static void types_that_do_not_meet_fail_the_stream(void **state)
{
    struct fixture *f = *state;
    static const struct column columns[] = {
        KEY_COLUMN("id"),
        COLUMN("flag", TYPE_DATE),
    };
    static const struct table_schema dated = {
        .version = 1, .column_count = 2, .key_count = 1, .columns = columns
    };
    struct test_stream read = read_of(JOIN_MERGE, 100, BEGIN_JOIN);
    read.shape = &dated;
    read.row_count = 0;
    begin_live(f);
    expect_refused(f, 2, &read, "no type holds both");
}

/* The sweep that was read behind the changes does not load without them, and the next
 * read heals. */
static void a_failed_read_takes_its_sweep_along(void **state)
{
    struct fixture *f = *state;
    struct test_stream both[] = {
        read_of(JOIN_MERGE, 100, BEGIN_JOIN),
        sweep_of(101),
    };
    struct test_stream late = sweep_of(102);
    struct test_stream next = read_of(JOIN_MERGE, 200, BEGIN_JOIN);
    struct load_outcome out = { 0 };
    struct error err = { 0 };
    bool excluded[] = { true, false };
    begin_live(f);
    both[0].damaged_shape = true;
    fixture_write_epoch(f, 2, both, 2);
    err = fixture_load_fails(f, 2, NULL, &out);
    assert_int_equal(out.failed_stream, 0);
    assert_int_equal(
        sink_load_epoch(f->sink, f->arena, fixture_epoch_dir(f, 2), excluded, &out, &err),
        0);
    assert_int_equal(out.streams[1].applied, 0);
    fixture_expect(f, "SELECT state, live_version, copy_version FROM _tailrace.stream",
                   "failed|1|1");
    out = fixture_load_one(f, 3, &late);
    assert_int_equal(out.streams[0].applied, 0);
    fixture_expect(f, "SELECT state FROM _tailrace.stream", "failed");
    out = fixture_load_one(f, 4, &next);
    fixture_expect_counts(&out, 1, 0, 0);
    fixture_expect(f, MARK, "live|1|NULL|0|replace||key1;next");
    fixture_expect(f, "SELECT count(_sdc_deleted_at), count(*) FROM shop_copy.t", "0|3");
}

static void two_streams_do_not_share_a_target(void **state)
{
    struct fixture *f = *state;
    struct load_outcome out = { 0 };
    struct test_stream all[] = {
        read_of(JOIN_MERGE, 100, BEGIN_JOIN),
        { "T", 5, BEGIN_JOIN, .join = JOIN_ADD, .shape = &two },
    };
    begin_live(f);
    fixture_write_epoch(f, 2, all, 2);
    struct error err = fixture_load_fails(f, 2, NULL, &out);
    assert_int_equal(out.failed_stream, 1);
    assert_non_null(strstr(err.text, "belongs to 'shop.t'"));
}

/* ---- reset ------------------------------------------------------------------------ */

static void reset_drops_a_read_and_keeps_the_rest(void **state)
{
    struct fixture *f = *state;
    struct test_stream first = read_of(JOIN_MERGE, 100, ACTION_BEGIN);
    struct test_stream late = read_of(JOIN_MERGE, 100, ACTION_JOIN);
    struct reset_request r = { .integration = STR("shop"),
                               .target_schema = STR("shop_copy") };
    struct load_outcome out = { 0 };
    struct error err = { 0 };
    begin_live(f);
    (void)fixture_load_one(f, 2, &first);
    assert_int_equal(sink_reset(f->sink, &r, &err), 0);
    fixture_expect(f, MARK, "live|1|NULL|0|replace||key1;full");
    fixture_expect(f, TABLES, "t");
    late.first_row = 1;
    fixture_write_epoch(f, 3, &late, 1); /* its rows must not reach the live table */
    err = fixture_load_fails(f, 3, NULL, &out);
    assert_int_equal(out.failed_stream, 0);
    assert_non_null(strstr(err.text, "never begun"));
    fixture_expect(f, "SELECT count(*) FROM shop_copy.t", "2");
    /* nor those of the next read of the version */
    assert_int_equal(file_remove_tree(fixture_epoch_dir(f, 3), &err), 0);
    first.sequence = 200;
    (void)fixture_load_one(f, 3, &first);
    fixture_write_epoch(f, 4, &late, 1);
    err = fixture_load_fails(f, 4, NULL, &out);
    assert_non_null(strstr(err.text, "never begun"));
}

static void a_bookmark_is_set_by_hand(void **state)
{
    struct fixture *f = *state;
    struct test_stream first = read_of(JOIN_MERGE, 100, ACTION_BEGIN);
    struct test_stream copying = { "u", 1, ACTION_BEGIN, .shape = &two };
    struct reset_request r = { .integration = STR("shop"),
                               .target_schema = STR("shop_copy"),
                               .database = STR("shop"),
                               .table = STR("t"),
                               .set_bookmark = true,
                               .bookmark = STR("key1;hand") };
    struct error err = { 0 };
    begin_live(f);
    (void)fixture_load_one(f, 2, &first);
    assert_int_equal(sink_reset(f->sink, &r, &err), 0);
    fixture_expect(f, MARK, "live|1|NULL|0|replace||key1;hand");
    fixture_expect(f, TABLES, "t");
    (void)fixture_load_one(f, 3, &copying);
    const struct str none[] = { STR("u"), STR("unknown"), STR("") };
    for (size_t i = 0; i < 3; i++) {
        r.table = none[i];
        err = (struct error){ 0 };
        assert_int_equal(sink_reset(f->sink, &r, &err), -1);
        assert_int_equal(err.code, ERR_CONFIG);
        assert_non_null(err.hint);
    }
    /* refused is refused: nothing was dropped, nothing was set */
    fixture_expect(f,
                   "SELECT state, bookmark FROM _tailrace.stream ORDER BY source_table",
                   "live|key1;hand\ncopying|");
}

static void a_reset_of_everything_takes_the_bookmark(void **state)
{
    struct fixture *f = *state;
    struct reset_request r = { .integration = STR("shop"),
                               .target_schema = STR("shop_copy"),
                               .database = STR("shop"),
                               .table = STR("t"),
                               .everything = true };
    struct error err = { 0 };
    begin_live(f);
    assert_int_equal(sink_reset(f->sink, &r, &err), 0);
    fixture_expect(f, MARK, "none|NULL|NULL|0|replace||");
}

/* A destination whose marks know of no joins: as written before there were any. */
static void marks_of_an_older_file_are_read_and_written(void **state)
{
    struct fixture *f = *state;
    struct mark_list marks = { 0 };
    struct error err = { 0 };
    struct test_stream read = read_of(JOIN_MERGE, 100, BEGIN_JOIN);
    begin_live(f);
    fixture_run(f, "ALTER TABLE _tailrace.stream DROP COLUMN bookmark");
    fixture_run(f, "ALTER TABLE _tailrace.stream DROP COLUMN copy_bookmark");
    fixture_run(f, "ALTER TABLE _tailrace.stream DROP COLUMN copy_join");
    fixture_run(f, "ALTER TABLE _tailrace.stream DROP COLUMN live_state");
    fixture_run(f, "ALTER TABLE _tailrace.stream DROP COLUMN copied");
    fixture_run(f, "ALTER TABLE _tailrace.stream DROP COLUMN held_version");
    fixture_run(f, "ALTER TABLE _tailrace.stream DROP COLUMN held_epoch");
    fixture_run(f, "ALTER TABLE _tailrace.stream DROP COLUMN left_version");
    fixture_run(f, "ALTER TABLE _tailrace.stream DROP COLUMN note");
    fixture_reopen(f);
    assert_int_equal(sink_marks(f->sink, f->arena, STR(""), &marks, &err), 0);
    assert_int_equal(marks.stream_count, 1);
    assert_int_equal(marks.streams[0].copy_join, JOIN_REPLACE);
    assert_int_equal(marks.streams[0].bookmark.len, 0);
    assert_int_equal(marks.streams[0].live_state, STREAM_LIVE);
    (void)fixture_load_one(f, 2, &read);
    fixture_expect(f, MARK, "live|1|NULL|0|replace||key1;next");
    assert_int_equal(sink_marks(f->sink, f->arena, STR(""), &marks, &err), 0);
    assert_true(str_eq(marks.streams[0].bookmark, STR("key1;next")));
}

static void marks_tell_of_a_read_under_way(void **state)
{
    struct fixture *f = *state;
    struct mark_list marks = { 0 };
    struct error err = { 0 };
    begin_live(f);
    for (enum join_kind join = JOIN_MERGE; join <= JOIN_SWEEP; join++) {
        struct test_stream read = read_of(join, 100 + (int64_t)join, ACTION_BEGIN);
        (void)fixture_load_one(f, (uint64_t)join, &read);
        assert_int_equal(sink_marks(f->sink, f->arena, STR(""), &marks, &err), 0);
        assert_int_equal(marks.streams[0].copy_join, join);
        assert_int_equal(marks.streams[0].copy_sequence, read.sequence);
        assert_true(str_eq(marks.streams[0].copy_bookmark, STR("key1;next")));
        assert_true(str_eq(marks.streams[0].bookmark, STR("key1;full")));
    }
}

/* ---- readers ---------------------------------------------------------------------- */

struct watcher {
    struct fixture *f;
    atomic_bool stop;
    unsigned reads;
    bool wrong;
    char answer[128];
};

/* Read number n left n rows, all with the flag n. */
static void *watch_table(void *arg)
{
    struct watcher *w = arg;
    while (!atomic_load(&w->stop) && !w->wrong) {
        struct grid g;
        struct error err = { 0 };
        struct read_limits limits = { 0 };
        struct read_result result;
        int rc =
            fixture_read(w->f,
                         "SELECT count(*) = max(flag) AND min(flag) = max(flag) FROM "
                         "shop_copy.t",
                         &g, &limits, &result, &err);
        w->reads++;
        w->wrong = rc != 0 || strcmp(buf_text(&g.text), "true") != 0;
        (void)snprintf(w->answer, sizeof(w->answer), "%.100s",
                       rc != 0 ? err.text : buf_text(&g.text));
        grid_done(&g);
    }
    return NULL;
}

static void readers_see_whole_reads_only(void **state)
{
    struct fixture *f = *state;
    enum { READS = 25 };
    static struct value rows[READS + 1][3 * READS];
    struct watcher w = { .f = f };
    pthread_t thread;
    for (int64_t n = 1; n <= READS; n++) {
        struct test_stream t = read_of(JOIN_MERGE, 100 * n, BEGIN_JOIN);
        if (n == 1)
            t.join = JOIN_REPLACE;
        for (int64_t i = 0; i < n; i++) {
            rows[n][3 * i] = INT(i);
            rows[n][3 * i + 1] = INT(n);
            rows[n][3 * i + 2] = NIL;
        }
        t.rows = rows[n];
        t.row_count = (size_t)n;
        fixture_write_epoch(f, (uint64_t)n, &t, 1);
    }
    (void)fixture_load(f, 1);
    assert_int_equal(pthread_create(&thread, NULL, watch_table, &w), 0);
    for (uint64_t n = 2; n <= READS; n++)
        (void)fixture_load(f, n);
    atomic_store(&w.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    if (w.wrong)
        fail_msg("read %u: %s", w.reads, w.answer);
    assert_true(w.reads > 1);
    fixture_expect(f, "SELECT count(*) FROM shop_copy.t", "25");
}

/* ---- kill at each step ------------------------------------------------------------ */

#ifdef TAILRACE_FAULT_POINTS
struct kill_case {
    enum join_kind join;
    const char *before, *after; /* ids of rows that are not marked deleted */
};

static const struct kill_case kill_cases[] = {
    { JOIN_ADD, "1\n2", "1\n2\n3" },
    { JOIN_MERGE, "1\n2", "1\n2\n3" },
    { JOIN_NEW, "1\n2", "1\n2\n3" },
    { JOIN_SWEEP, "1\n2", "" },
};

static void load_and_die(struct fixture *f, const char *point)
{
    int status = 0;
    sink_close(f->sink);
    pid_t child = fork();
    if (child == 0) {
        (void)setenv("TAILRACE_FAULT", point, 1);
        fixture_open(f);
        (void)fixture_load(f, 2);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("not killed at %s", point);
    fixture_open(f);
}

/* The child ends by SIGKILL at the point; then the epoch loads or is known as loaded. */
static void kill_at(void **state, const char *point, bool loaded)
{
    for (size_t i = 0; i < sizeof(kill_cases) / sizeof(kill_cases[0]); i++) {
        const struct kill_case *c = &kill_cases[i];
        struct fixture *f = NULL;
        const char *rows = "SELECT id FROM shop_copy.t WHERE _sdc_deleted_at IS NULL "
                           "ORDER BY 1";
        /* an epoch with a read after one that was given up, and a sweep behind both */
        struct test_stream all[] = {
            read_of(JOIN_MERGE, 90, ACTION_BEGIN | ACTION_ABANDON),
            c->join == JOIN_SWEEP ? sweep_of(100) : read_of(c->join, 100, BEGIN_JOIN),
        };
        if (c->join == JOIN_ADD)
            all[1].version = 2;
        assert_int_equal(fixture_setup((void **)&f), 0);
        begin_live(f);
        fixture_write_epoch(f, 2, all, 2);
        load_and_die(f, point);
        fixture_expect(f, rows, loaded ? c->after : c->before);
        struct load_outcome out = fixture_load(f, 2);
        assert_int_equal(out.already_loaded, loaded);
        fixture_expect(f, rows, c->after);
        fixture_expect(f, TABLES, "t");
        fixture_expect(f, "SELECT state, copy_version FROM _tailrace.stream",
                       "live|NULL");
        assert_int_equal(fixture_teardown((void **)&f), 0);
    }
    (void)state;
}

static void i10_killed_after_the_merge_loads_again(void **state)
{
    kill_at(state, "merge.merged", false);
}

static void i10_killed_after_begin_loads_again(void **state)
{
    kill_at(state, "sink.begun", false);
}

static void i10_killed_after_widening_loads_again(void **state)
{
    kill_at(state, "merge.widened", false);
}

static void i10_killed_without_the_hidden_table_loads_again(void **state)
{
    kill_at(state, "merge.staged_dropped", false);
}

static void i10_killed_before_commit_loads_again(void **state)
{
    kill_at(state, "sink.before_commit", false);
}

static void i10_killed_after_commit_is_loaded(void **state)
{
    kill_at(state, "sink.committed", true);
}
#endif

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_read_is_hidden_until_it_joins),
        TEST(a_shape_that_changes_within_a_read_widens_both),
        TEST(a_full_copy_without_a_bookmark_clears_it),
        TEST(an_abandoned_read_leaves_the_live_table),
        TEST(a_live_table_of_another_version_is_not_touched),
        TEST(a_live_table_that_is_gone_fails_the_stream),
        TEST(types_that_do_not_meet_fail_the_stream),
        TEST(a_failed_read_takes_its_sweep_along),
        TEST(two_streams_do_not_share_a_target),
        TEST(reset_drops_a_read_and_keeps_the_rest),
        TEST(a_bookmark_is_set_by_hand),
        TEST(a_reset_of_everything_takes_the_bookmark),
        TEST(marks_of_an_older_file_are_read_and_written),
        TEST(marks_tell_of_a_read_under_way),
        TEST(readers_see_whole_reads_only),
#ifdef TAILRACE_FAULT_POINTS
        cmocka_unit_test(i10_killed_after_begin_loads_again),
        cmocka_unit_test(i10_killed_after_widening_loads_again),
        cmocka_unit_test(i10_killed_after_the_merge_loads_again),
        cmocka_unit_test(i10_killed_without_the_hidden_table_loads_again),
        cmocka_unit_test(i10_killed_before_commit_loads_again),
        cmocka_unit_test(i10_killed_after_commit_is_loaded),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
