/* Anchors, and notes with transactions in every state, on a real server; and reads among
 * writers, which lose no row. */
#define DB "tailrace_source_note"
#include "base/alloc.h"
#include "base/clock.h"
#include "source/key.h"
#include "source_table.h"

#include <pthread.h>
#include <stdatomic.h>

#define S INT64_C(1000000)

/* ---- anchors ---- */

struct keyed {
    struct table table;
    struct key_read read;
};

static struct keyed open_keyed(const char *table, const char *key)
{
    struct keyed k = { .table = open_table(table) };
    k.read.found = k.table.full.found;
    k.read.key = schema_find_column(&k.read.found->schema, str_of(key));
    assert_non_null(k.read.key);
    return k;
}

static void expect_anchor(const char *table, const char *key, const char *where,
                          const char *max, const char *upto)
{
    struct error err = { 0 };
    struct keyed k = open_keyed(table, key);
    k.read.where = str_of(where);
    struct key_anchor anchor;
    struct str to;
    if (key_take_anchor(reader, k.table.arena, &k.read, &anchor, &to, &err) != 0)
        fail_with(&err, table);
    if (!str_eq(anchor.max, str_of(max)) || !str_eq(to, str_of(upto)))
        fail_msg("%s.%s: anchor '" STR_FMT "', to '" STR_FMT "'", table, key,
                 STR_ARG(anchor.max), STR_ARG(to));
    int64_t off = anchor.at - clock_wall_us();
    assert_true(off > -5 * S && off < 5 * S);
    close_table(&k.table);
}

static void anchors_are_the_greatest_keys(void **state)
{
    (void)state;
    run("CREATE TABLE a_types (id INT AUTO_INCREMENT PRIMARY KEY, u BIGINT UNSIGNED, "
        "n INT, z INT(8) ZEROFILL, d DATE, t DATETIME, t6 DATETIME(6), "
        "s3 TIMESTAMP(3) NULL, e INT)");
    expect_anchor("a_types", "id", "", "", "");
    run("SET time_zone = '+00:00'");
    run("INSERT INTO a_types (id, u, n, z, d, t, t6, s3) VALUES "
        "(7, 18446744073709551615, -5, 42, '2020-01-02', '2020-01-02 03:04:05', "
        "'2020-01-02 03:04:05.678901', '2020-01-02 03:04:05.678'), "
        "(8, 5, -6, 41, '2019-01-02', '2019-01-02 03:04:05', "
        "'2020-01-02 03:04:05.678900', '2019-01-02 03:04:05.678')");
    expect_anchor("a_types", "id", "", "8", "8");
    expect_anchor("a_types", "id", "u > 5 -- the greater", "7", "7");
    expect_anchor("a_types", "u", "", "18446744073709551615", "18446744073709551615");
    expect_anchor("a_types", "n", "", "-5", "-5");
    expect_anchor("a_types", "z", "", "42", "42");
    expect_anchor("a_types", "d", "", "2020-01-02", "2020-01-02");
    expect_anchor("a_types", "t", "", "2020-01-02 03:04:05", "2020-01-02 03:04:05");
    expect_anchor("a_types", "t6", "", "2020-01-02 03:04:05.678901",
                  "2020-01-02 03:04:05.678901");
    expect_anchor("a_types", "s3", "", "2020-01-02 03:04:05.678",
                  "2020-01-02 03:04:05.678");
    expect_anchor("a_types", "e", "", "", "");
}

/* What a client sets ahead holds no later row back. */
static void times_ahead_count_as_now(void **state)
{
    (void)state;
    struct error err = { 0 };
    run("CREATE TABLE a_ahead (id INT PRIMARY KEY, d DATE, t DATETIME(3), s TIMESTAMP "
        "NULL)");
    run("SET time_zone = '+00:00'");
    run("INSERT INTO a_ahead VALUES (1, '2036-01-01', '2036-01-01', '2036-01-01'), "
        "(2, '2020-01-01', '2020-01-01', '2020-01-01 10:11:12')");
    expect_anchor("a_ahead", "s", "", "2020-01-01 10:11:12", "2036-01-01 00:00:00");
    expect_anchor("a_ahead", "s", "id = 1", "", "2036-01-01 00:00:00");
    static const char *const keys[] = { "d", "t" };
    for (size_t i = 0; i < 2; i++) {
        struct keyed k = open_keyed("a_ahead", keys[i]);
        struct key_anchor anchor;
        struct str to;
        struct str now;
        if (key_take_anchor(reader, k.table.arena, &k.read, &anchor, &to, &err) != 0 ||
            session_query_text(reader, k.table.arena,
                               STR("SELECT LEAST(UTC_TIMESTAMP(6), CONVERT_TZ("
                                   "UTC_TIMESTAMP(6), '+00:00', @@global.time_zone))"),
                               &now, &err) != 0)
            fail_with(&err, keys[i]);
        assert_true(str_starts(to, STR("2036-01-01")));
        assert_true(key_part_cmp(anchor.max, now) <= 0);
        now.len = 10;
        anchor.max.len = 10;
        assert_true(str_eq(anchor.max, now)); /* but for midnight */
        close_table(&k.table);
    }
}

/* ---- notes ---- */

static struct key_note take_note(const char *table, const char *key)
{
    struct error err = { 0 };
    struct keyed k = open_keyed(table, key);
    struct arena *a = arena_new(1u << 20);
    struct key_note note;
    if (key_take_note(reader, a, &k.read, &note, &err) != 0)
        fail_with(&err, table);
    static char why[256];
    (void)snprintf(why, sizeof why, STR_FMT, STR_ARG(note.why));
    note.why = str_of(why);
    close_table(&k.table);
    arena_free(a);
    return note;
}

static void pause_s(int seconds)
{
    char sql[64];
    (void)snprintf(sql, sizeof sql, "SELECT SLEEP(%d)", seconds);
    run(sql);
}

/* Other programs may have a transaction open on this server for a moment. */
static void expect_noted_since(const char *table, const char *key, int64_t since)
{
    struct key_note note = { 0 };
    for (int i = 0; i < 10; i++) {
        note = take_note(table, key);
        assert_true(note.proved);
        assert_true(note.at <= clock_wall_us() + S);
        if (note.at >= since)
            return;
        pause_s(1);
    }
    fail_msg("noted %.3f s before", (double)(since - note.at) / 1e6);
}

static void in(struct session *s, const char *sql)
{
    struct error err = { 0 };
    if (session_exec(s, str_of(sql), &err) != 0)
        fail_with(&err, sql);
}

static struct session *another(void)
{
    struct session *s = connect_as(env_or("TAILRACE_TEST_USER", "app"),
                                   env_or("TAILRACE_TEST_PASSWORD", "pw"), true);
    in(s, "USE " DB);
    return s;
}

static void make_noted(void)
{
    run("CREATE TABLE IF NOT EXISTS n_rows (id INT AUTO_INCREMENT PRIMARY KEY, t "
        "TIMESTAMP(6) NULL, x INT)");
}

static void nothing_open_is_now(void **state)
{
    (void)state;
    make_noted();
    expect_noted_since("n_rows", "id", clock_wall_us() - 2 * S);
}

static void a_transaction_that_wrote_is_noted(void **state)
{
    (void)state;
    make_noted();
    struct session *s = another();
    in(s, "BEGIN");
    in(s, "INSERT INTO n_rows (x) VALUES (1)");
    int64_t after = clock_wall_us();
    pause_s(3);
    struct key_note note = take_note("n_rows", "id");
    assert_true(note.proved);
    assert_true(note.at <= after);
    in(s, "COMMIT");
    session_close(s);
    expect_noted_since("n_rows", "id", after + 1);
}

static void a_transaction_that_only_read_is_not(void **state)
{
    (void)state;
    make_noted();
    struct session *s = another();
    in(s, "START TRANSACTION WITH CONSISTENT SNAPSHOT");
    in(s, "SELECT COUNT(*) FROM n_rows");
    pause_s(3);
    expect_noted_since("n_rows", "id", clock_wall_us() - 2 * S);
    in(s, "ROLLBACK");
    session_close(s);
}

struct job {
    struct session *session;
    const char *sql;
    pthread_t thread;
};

static void *run_job(void *arg)
{
    struct job *j = arg;
    struct error err = { 0 };
    (void)session_exec(j->session, str_of(j->sql), &err);
    return NULL;
}

static void start_job(struct job *j, const char *sql)
{
    *j = (struct job){ .session = another(), .sql = sql };
    assert_int_equal(pthread_create(&j->thread, NULL, run_job, j), 0);
}

static void end_job(struct job *j)
{
    assert_int_equal(pthread_join(j->thread, NULL), 0);
    session_close(j->session);
}

static void a_statement_that_runs_is_noted(void **state)
{
    (void)state;
    make_noted();
    struct job j;
    start_job(&j, "INSERT INTO n_rows (t, x) SELECT NOW(6), SLEEP(4)");
    pause_s(1);
    int64_t after = clock_wall_us();
    pause_s(2);
    struct key_note note = take_note("n_rows", "t");
    assert_true(note.proved);
    assert_true(note.at <= after);
    assert_true(note.at > 0);
    end_job(&j);
    expect_noted_since("n_rows", "t", after + S);
}

/* Its NOW() is from before its transaction. */
static void a_statement_that_waits_for_the_table_is_noted(void **state)
{
    (void)state;
    make_noted();
    struct session *holder = another();
    in(holder, "LOCK TABLES n_rows READ");
    struct job j;
    start_job(&j, "INSERT INTO n_rows (t, x) VALUES (NOW(6), 2)");
    pause_s(1);
    int64_t after = clock_wall_us();
    pause_s(2);
    struct key_note note = take_note("n_rows", "t");
    assert_true(note.proved);
    assert_true(note.at <= after);
    in(holder, "UNLOCK TABLES");
    end_job(&j);
    session_close(holder);
}

static void a_prepared_transaction_makes_nothing_safe(void **state)
{
    (void)state;
    make_noted();
    struct session *s = another();
    in(s, "XA START 'key_test'");
    in(s, "INSERT INTO n_rows (x) VALUES (3)");
    in(s, "XA END 'key_test'");
    in(s, "XA PREPARE 'key_test'");
    int64_t after = clock_wall_us();
    session_close(s);
    pause_s(2);
    struct key_note note = take_note("n_rows", "id");
    assert_true(note.proved);
    if (note.at > after)
        fail_msg("noted %.3f s after", (double)(note.at - after) / 1e6);
    run("XA ROLLBACK 'key_test'");
    expect_noted_since("n_rows", "id", after + 1);
}

static void what_is_not_proved_says_why(void **state)
{
    (void)state;
    struct error err = { 0 };
    make_noted();
    struct key_note note = take_note("n_rows", "x");
    assert_false(note.proved);
    assert_non_null(strstr(note.why.ptr, "AUTO_INCREMENT"));
    assert_int_equal(note.at, 0);
    run("CREATE VIEW n_view AS SELECT * FROM n_rows");
    note = take_note("n_view", "t");
    assert_false(note.proved);
    run("CREATE TABLE n_myisam (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE=MyISAM");
    note = take_note("n_myisam", "id");
    assert_true(note.proved);
    run("DROP USER IF EXISTS tailrace_noproc@'%'");
    run("CREATE USER tailrace_noproc@'%' IDENTIFIED BY 'pw'");
    run("GRANT SELECT ON " DB ".* TO tailrace_noproc@'%'");
    struct session *poor = connect_as("tailrace_noproc", "pw", false);
    struct keyed k = open_keyed("n_rows", "id");
    if (key_take_note(poor, k.table.arena, &k.read, &note, &err) != 0)
        fail_with(&err, "noting without PROCESS");
    assert_false(note.proved);
    assert_int_equal(note.at, 0);
    if (memmem(note.why.ptr, note.why.len, "PROCESS", 7) == NULL)
        fail_msg(STR_FMT, STR_ARG(note.why));
    assert_true(session_is_usable(poor));
    session_close(poor);
    close_table(&k.table);
    run("DROP USER tailrace_noproc@'%'");
}

/* ---- reads among writers ---- */

#define WRITERS 4
#define READ_US (20 * S)
#define ROWS_MOST 100000

static atomic_bool writers_end;

/* Transactions of a moment, now and then of seconds, that end in another order than they
 * began; every tenth for nothing. */
static void *write_rows(void *arg)
{
    struct session *s = arg;
    unsigned seed = (unsigned)session_facts(s)->connection_id;
    char sql[96];
    while (!atomic_load(&writers_end)) {
        int r = rand_r(&seed);
        in(s, "BEGIN");
        in(s, "INSERT INTO r_rows (x) VALUES (1), (2)");
        (void)snprintf(sql, sizeof sql, "SELECT SLEEP(%d.%03d)",
                       r % 12 == 1 ? 2 + r % 3 : 0, r % 200);
        in(s, sql);
        if (r % 3 == 0)
            in(s, "INSERT INTO r_rows (x) SELECT SLEEP(0.3)");
        in(s, r % 10 == 0 ? "ROLLBACK" : "COMMIT");
    }
    return NULL;
}

/* One stream by one key: what it has read. */
struct follower {
    const char *column;
    struct str first; /* below every key */
    struct keyed k;
    struct arena *arena;
    struct key_bookmark bookmark;
    struct key_anchor anchor;
    struct str upto;
    bool *seen;
    size_t read;
};

static void take_read(struct follower *f)
{
    struct error err = { 0 };
    struct key_note note;
    struct arena *a = arena_new((size_t)64 << 20);
    if (key_take_note(reader, f->arena, &f->k.read, &note, &err) != 0)
        fail_with(&err, "noting");
    if (!note.proved)
        fail_msg(STR_FMT, STR_ARG(note.why));
    const struct key_anchor *start = key_bookmark_start(&f->bookmark);
    struct str from = start == NULL ? (struct str){ 0 } : start->max;
    struct str sql = arena_printf(
        a,
        "SELECT id FROM " DB ".r_rows WHERE %s >= '" STR_FMT "' AND %s <= '" STR_FMT "'",
        f->column, STR_ARG(from.len > 0 ? from : f->first), f->column,
        STR_ARG(f->upto.len > 0 ? f->upto : f->first));
    struct session_result r;
    if (session_query(reader, a, sql, &r, &err) != 0)
        fail_with(&err, sql.ptr);
    for (size_t i = 0; i < r.row_count; i++) {
        uint64_t id = 0;
        assert_true(str_to_u64(r.cells[i], &id) && id < ROWS_MOST);
        f->seen[id] = true;
    }
    f->read += r.row_count;
    f->bookmark =
        key_bookmark_next(f->arena, f->bookmark.anchor_count == 0 ? NULL : &f->bookmark,
                          &f->anchor, note.at);
    arena_free(a);
}

static void take_anchor(struct follower *f)
{
    struct error err = { 0 };
    if (key_take_anchor(reader, f->arena, &f->k.read, &f->anchor, &f->upto, &err) != 0)
        fail_with(&err, "anchoring");
}

static struct follower follow(const char *column, const char *first)
{
    return (struct follower){ .column = column,
                              .first = str_of(first),
                              .k = open_keyed("r_rows", column),
                              .arena = arena_new((size_t)64 << 20),
                              .seen = xcalloc(ROWS_MOST, sizeof(bool)) };
}

static void check_seen(struct follower *f)
{
    struct error err = { 0 };
    struct session_result r;
    if (session_query(reader, f->arena, STR("SELECT id FROM " DB ".r_rows"), &r, &err) !=
        0)
        fail_with(&err, "r_rows");
    size_t lost = 0;
    for (size_t i = 0; i < r.row_count; i++) {
        uint64_t id = 0;
        assert_true(str_to_u64(r.cells[i], &id) && id < ROWS_MOST);
        lost += !f->seen[id];
    }
    print_message("# by %s: %zu rows, read %zu times\n", f->column, r.row_count, f->read);
    if (lost > 0)
        fail_msg("by %s: %zu rows of %zu lost", f->column, lost, r.row_count);
    assert_non_null(key_bookmark_start(&f->bookmark)); /* it got on */
    free(f->seen);
    arena_free(f->arena);
    close_table(&f->k.table);
}

static void no_row_is_lost_among_writers(void **state)
{
    (void)state;
    pthread_t threads[WRITERS];
    struct session *sessions[WRITERS];
    struct error err = { 0 };
    run("CREATE TABLE r_rows (id BIGINT AUTO_INCREMENT PRIMARY KEY, x INT, t DATETIME "
        "DEFAULT CURRENT_TIMESTAMP, s TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6), KEY "
        "(t), KEY (s))");
    struct follower all[] = { follow("id", "0"), follow("t", "1000-01-01"),
                              follow("s", "1970-01-02") };
    for (int i = 0; i < WRITERS; i++) {
        sessions[i] = another();
        assert_int_equal(pthread_create(&threads[i], NULL, write_rows, sessions[i]), 0);
    }
    int64_t until = clock_mono_us() + READ_US;
    for (unsigned n = 0; clock_mono_us() < until || !atomic_load(&writers_end); n++) {
        if (clock_mono_us() >= until) { /* one read more, of what they leave */
            atomic_store(&writers_end, true);
            for (int i = 0; i < WRITERS; i++)
                (void)pthread_join(threads[i], NULL);
        }
        for (size_t i = 0; i < 3; i++)
            take_anchor(&all[i]);
        struct str pause = arena_printf(all[0].arena, "SELECT SLEEP(%u.3)", n % 3);
        if (session_exec(reader, pause, &err) != 0)
            fail_with(&err, "sleeping");
        for (size_t i = 0; i < 3; i++)
            take_read(&all[i]);
    }
    for (int i = 0; i < WRITERS; i++)
        session_close(sessions[i]);
    for (size_t i = 0; i < 3; i++)
        check_seen(&all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anchors_are_the_greatest_keys),
        cmocka_unit_test(times_ahead_count_as_now),
        cmocka_unit_test(nothing_open_is_now),
        cmocka_unit_test(a_transaction_that_wrote_is_noted),
        cmocka_unit_test(a_transaction_that_only_read_is_not),
        cmocka_unit_test(a_statement_that_runs_is_noted),
        cmocka_unit_test(a_statement_that_waits_for_the_table_is_noted),
        cmocka_unit_test(a_prepared_transaction_makes_nothing_safe),
        cmocka_unit_test(what_is_not_proved_says_why),
        cmocka_unit_test(no_row_is_lost_among_writers),
    };
    if (!server_is_named())
        return 0;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
