/* Reading real tables that do not go by the book: no key, too old, too big, changed,
 * lost. */
#include "source_table.h"

/* ---- one view, errors, limits ---- */

static void keyless_tables_are_read_in_one_view(void **state)
{
    (void)state;
    static const struct {
        const char *name, *sql;
    } tables[] = {
        { "v_none", "CREATE TABLE v_none (a INT, b VARCHAR(10))" },
        { "v_float", "CREATE TABLE v_float (a DOUBLE PRIMARY KEY, b VARCHAR(10))" },
        { "v_enum", "CREATE TABLE v_enum (a ENUM('x','y','z'), b VARCHAR(20), "
                    "PRIMARY KEY (a, b))" },
        { "v_prefix", "CREATE TABLE v_prefix (a VARCHAR(200) NOT NULL, b VARCHAR(10), "
                      "UNIQUE u (a(150)))" },
        { "v_myisam", "CREATE TABLE v_myisam (a INT, b VARCHAR(10)) ENGINE=MyISAM" },
    };
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        struct buf sql;
        buf_init(&sql, 4096);
        run(tables[i].sql);
        buf_printf(&sql, "INSERT INTO %s SELECT IF('%s' = 'v_enum', 'y', n), n FROM seq",
                   tables[i].name, tables[i].name);
        run(buf_text(&sql));
        struct table t = open_table(tables[i].name);
        struct str why;
        assert_int_equal(full_method_of(t.full.found, false, &why), FULL_ONE_VIEW);
        assert_true(why.len > 20);
        size_t rows = 0;
        struct buf text = read_text(&t, &(struct page_range){ 0 }, &rows);
        assert_int_equal(rows, count_of(tables[i].name));
        assert_int_equal(rows, 1000);
        buf_done(&text);
        close_table(&t);
        buf_done(&sql);
    }
    assert_true(session_is_usable(reader));
}

static void fill_long_table(void)
{
    run("CREATE TABLE IF NOT EXISTS long_one (a VARCHAR(40), PRIMARY KEY (a))");
    run("INSERT IGNORE INTO long_one SELECT CONCAT('Key ', (a.n + 1000*b.n) * 31) "
        "FROM seq a, seq b WHERE b.n < 60");
}

static void old_views_are_given_up(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct table t = open_table("v_none");
    struct full_options o = { .row_limit = 1u << 20, .view_age_us = 1 };
    struct session *own = connect_as(env_or("TAILRACE_TEST_USER", "app"),
                                     env_or("TAILRACE_TEST_PASSWORD", "pw"), false);
    struct page_range range = { 0 };
    struct full_reader *r = full_reader_open(own, &t.full, &range, &o, NULL, &err);
    const struct value *cells;
    enum full_next next;
    do
        next = full_reader_next(r, &cells, &err);
    while (next == FULL_ROW);
    assert_int_equal(next, FULL_ERROR);
    assert_int_equal(err.code, ERR_LIMIT);
    full_reader_close(r);
    session_close(own);
    close_table(&t);
}

static void a_row_past_the_limit_is_told_by_its_key(void **state)
{
    (void)state;
    struct error err = { 0 };
    run("CREATE TABLE big (pay LONGTEXT, a INT PRIMARY KEY)");
    run("INSERT INTO big VALUES ('x', 1), (REPEAT('y', 300000), 2), ('z', 3)");
    struct table t = open_table("big");
    struct full_options o = { .page_bytes = 1u << 20, .row_limit = 100000 };
    struct page_range range = { 0 };
    struct full_reader *r = full_reader_open(reader, &t.full, &range, &o, NULL, &err);
    const struct value *cells;
    assert_int_equal(full_reader_next(r, &cells, &err), FULL_ROW);
    assert_int_equal(full_reader_next(r, &cells, &err), FULL_TOO_BIG);
    assert_int_equal(cells[0].kind, VALUE_INT);
    assert_int_equal(cells[0].as.i, 2);
    assert_int_equal(cells[1].kind, VALUE_ABSENT);
    assert_true(full_reader_row_bytes(r) > 300000);
    assert_int_equal(full_reader_next(r, &cells, &err), FULL_ROW);
    assert_int_equal(cells[0].as.i, 3);
    assert_int_equal(full_reader_next(r, &cells, &err), FULL_END);
    full_reader_close(r);
    close_table(&t);
}

static enum full_next read_to_the_end(struct full_reader *r, struct error *err)
{
    const struct value *cells;
    enum full_next next;
    do
        next = full_reader_next(r, &cells, err);
    while (next == FULL_ROW || next == FULL_PAGE);
    return next;
}

/* Between two pages: a column changes its type, another goes, the table goes. */
static void changed_shapes_are_errors(void **state)
{
    (void)state;
    static const char *const changes[] = { "ALTER TABLE ch MODIFY b BIGINT UNSIGNED",
                                           "ALTER TABLE ch DROP COLUMN b",
                                           "DROP TABLE ch" };
    for (size_t i = 0; i < 3; i++) {
        struct error err = { 0 };
        run("DROP TABLE IF EXISTS ch");
        run("CREATE TABLE ch (a INT PRIMARY KEY, b INT)");
        run("INSERT INTO ch SELECT n, n FROM seq");
        struct table t = open_table("ch");
        struct full_options o = { .page_bytes = 4000, .row_limit = 1u << 20 };
        struct page_range range = { 0 };
        const struct value *cells;
        struct full_reader *r = full_reader_open(reader, &t.full, &range, &o, NULL, &err);
        while (full_reader_next(r, &cells, &err) == FULL_ROW)
            ;
        run(changes[i]);
        assert_int_equal(read_to_the_end(r, &err), FULL_ERROR);
        if (err.code != ERR_SCHEMA)
            fail_with(&err, changes[i]);
        full_reader_close(r);
        close_table(&t);
        if (!session_is_usable(reader)) {
            session_close(reader);
            reader = connect_as(env_or("TAILRACE_TEST_USER", "app"),
                                env_or("TAILRACE_TEST_PASSWORD", "pw"), false);
        }
    }
}

/* The connection dies in a page: a new reader goes on behind the last key. */
static void a_lost_connection_resumes_behind_the_last_row(void **state)
{
    (void)state;
    struct error err = { 0 };
    fill_long_table();
    struct table t = open_table("long_one");
    struct session *own = connect_as(env_or("TAILRACE_TEST_USER", "app"),
                                     env_or("TAILRACE_TEST_PASSWORD", "pw"), false);
    struct full_options o = { .page_bytes = 1u << 30, .row_limit = 1u << 20 };
    struct page_range range = { 0 };
    struct buf text;
    struct buf key;
    const struct value *cells;
    buf_init(&text, 64u << 20);
    buf_init(&key, 4096);
    struct full_reader *r = full_reader_open(own, &t.full, &range, &o, NULL, &err);
    enum full_next next;
    size_t rows = 0;
    while ((next = full_reader_next(r, &cells, &err)) != FULL_ERROR && next != FULL_END) {
        if (next == FULL_PAGE)
            continue;
        add_row(&text, t.shape, cells);
        buf_clear(&key);
        full_reader_key(r, &key);
        if (++rows == 700) {
            buf_clear(&key);
            full_reader_key(r, &key);
            char sql[64];
            snprintf(sql, sizeof sql, "KILL %llu",
                     (unsigned long long)session_facts(own)->connection_id);
            run(sql);
        }
    }
    assert_int_equal(next, FULL_ERROR);
    if (err.code != ERR_NETWORK)
        fail_with(&err, "after KILL");
    full_reader_close(r);
    session_close(own);
    range.after = arena_str(t.arena, buf_str(&key));
    struct buf rest = read_text(&t, &range, &rows);
    assert_int_equal(rows, 60000);
    rows = 0;
    struct buf all = read_text(&t, &(struct page_range){ 0 }, &rows);
    buf_add_str(&text, buf_str(&rest));
    assert_same_text(buf_str(&all), buf_str(&text), "long_one");
    buf_done(&all);
    buf_done(&rest);
    buf_done(&text);
    buf_done(&key);
    close_table(&t);
}

/* The governor's turn is given back, its rate waits, and a request to stop ends the wait.
 */
static void a_cancel_ends_reading(void **state)
{
    (void)state;
    struct error err = { 0 };
    fill_long_table();
    struct cancel *c = cancel_new();
    struct governor_options go = { .connections = 1, .pause_us = 1000000 };
    struct governor *g = governor_new(&go, c);
    struct table t = open_table("long_one");
    struct full_options o = { .page_bytes = 50000, .row_limit = 1u << 20 };
    struct page_range range = { 0 };
    const struct value *cells;
    t.full.pace = &t.pace;
    struct full_reader *r = full_reader_open(reader, &t.full, &range, &o, g, &err);
    unsigned pages = 0;
    enum full_next next = FULL_ROW;
    while (pages < 3 && next >= FULL_ROW && next != FULL_END) {
        next = full_reader_next(r, &cells, &err);
        pages += next == FULL_PAGE;
    }
    assert_int_equal(pages, 3);
    assert_int_equal(governor_enter(g, &err), 0); /* nobody holds the only turn */
    governor_leave(g);
    cancel_request(c, CANCEL_GRACEFUL);
    assert_int_equal(full_reader_next(r, &cells, &err), FULL_ERROR);
    assert_int_equal(err.code, ERR_CANCELLED);
    full_reader_close(r);
    assert_true(session_is_usable(reader));
    governor_free(g);
    cancel_free(c);
    close_table(&t);
}

static void threads_running_is_told(void **state)
{
    (void)state;
    struct error err = { 0 };
    uint64_t n = 0;
    assert_int_equal(source_threads_running(reader, &n, &err), 0);
    assert_true(n >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keyless_tables_are_read_in_one_view),
        cmocka_unit_test(old_views_are_given_up),
        cmocka_unit_test(a_row_past_the_limit_is_told_by_its_key),
        cmocka_unit_test(changed_shapes_are_errors),
        cmocka_unit_test(a_cancel_ends_reading),
        cmocka_unit_test(a_lost_connection_resumes_behind_the_last_row),
        cmocka_unit_test(threads_running_is_told),
    };
    if (!server_is_named())
        return 0;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
