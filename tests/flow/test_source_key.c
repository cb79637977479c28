/* Key-based reading on a real server: pages in order of the replication key, filters and
 * keys of views. Anchors and notes are test_source_note.c's. */
#define DB "tailrace_source_key"
#include "base/clock.h"
#include "source/full_internal.h"
#include "source/key.h"
#include "source_table.h"

#include <pthread.h>

#define S INT64_C(1000000)

/* ---- pages ---- */

static struct table open_by(const char *name, const char *key)
{
    struct table t = open_table(name);
    const struct column *by = schema_find_column(&t.full.found->schema, str_of(key));
    struct str why;
    assert_non_null(by);
    t.shape = schema_project_by(t.arena, &t.full.found->schema, str_of(key));
    t.full.shape = t.shape;
    t.full.by = by;
    t.full.by_index = key_index_of(t.full.found, str_of(key));
    t.full.method = full_method_by(t.full.found, str_of(key), false, &why);
    return t;
}

/* The same rows by one query of the server's, in the same shape. */
static struct buf want_text(struct table *t, const char *tail, size_t *rows)
{
    struct buf text;
    struct error err = { 0 };
    struct session_result r;
    buf_init(&text, 64u << 20);
    struct str sql =
        arena_printf(t->arena, "SELECT id, k FROM " STR_FMT "." STR_FMT " %s",
                     STR_ARG(t->shape->database), STR_ARG(t->shape->name), tail);
    if (session_query(reader, t->arena, sql, &r, &err) != 0)
        fail_with(&err, tail);
    for (size_t i = 0; i < r.row_count; i++)
        buf_printf(&text, STR_FMT " " STR_FMT "\n", STR_ARG(r.cells[i * 2]),
                   STR_ARG(r.cells[i * 2 + 1]));
    *rows = r.row_count;
    return text;
}

/* id and k of every row, as the server writes them, read with a new reader whenever
 * `stop` rows have come. */
static struct buf got_text(struct table *t, unsigned stop)
{
    struct error err = { 0 };
    struct full_options o = { .page_bytes = 3000, .row_limit = 1u << 20 };
    struct buf text;
    struct buf last;
    buf_init(&text, 64u << 20);
    buf_init(&last, 4096);
    bool more = true;
    while (more) {
        struct page_range range = { .after = arena_str(t->arena, buf_str(&last)) };
        struct full_reader *r =
            full_reader_open(reader, &t->full, &range, &o, NULL, &err);
        assert_non_null(r);
        const struct value *cells;
        enum full_next next = FULL_PAGE;
        for (unsigned rows = 0; rows < stop;) {
            next = full_reader_next(r, &cells, &err);
            if (next == FULL_ERROR)
                fail_with(&err, "reading");
            if (next == FULL_END)
                break;
            if (next != FULL_ROW)
                continue;
            rows++;
            buf_clear(&last);
            full_reader_key(r, &last);
            struct str tuple = buf_str(&last);
            struct str k;
            struct str id;
            assert_true(key_tuple_next(&tuple, &k) && key_tuple_next(&tuple, &id));
            buf_printf(&text, STR_FMT " " STR_FMT "\n", STR_ARG(id), STR_ARG(k));
        }
        more = next != FULL_END;
        if (more) { /* not at a row's end: the connection is in the middle of a page */
            full_reader_close(r);
            session_close(reader);
            reader = connect_as(env_or("TAILRACE_TEST_USER", "app"),
                                env_or("TAILRACE_TEST_PASSWORD", "pw"), false);
        } else {
            full_reader_close(r);
        }
    }
    buf_done(&last);
    return text;
}

static void check_by(const char *type, const char *value, const char *from,
                     const char *to)
{
    char sql[512];
    run("DROP TABLE IF EXISTS p_by");
    (void)snprintf(sql, sizeof sql,
                   "CREATE TABLE p_by (id INT AUTO_INCREMENT PRIMARY KEY, pad "
                   "VARCHAR(100), k %s NULL, KEY (k))",
                   type);
    run(sql);
    /* five rows of each key, not in order of it; every eleventh has none */
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO p_by (pad, k) SELECT REPEAT('x', n MOD 90), IF(n MOD 11 "
                   "= 0, NULL, %s) FROM (SELECT n, (n * 37) MOD 200 AS m FROM seq "
                   "ORDER BY n) q",
                   value);
    run(sql);
    run("ANALYZE TABLE p_by");
    struct table t = open_by("p_by", "k");
    assert_int_equal(t.full.method, FULL_PAGES);
    t.full.from = str_of(from);
    t.full.to = str_of(to);
    struct buf tail;
    buf_init(&tail, 4096);
    buf_add_text(&tail, "WHERE k IS NOT NULL");
    if (from[0] != '\0')
        buf_printf(&tail, " AND k >= '%s'", from);
    if (to[0] != '\0')
        buf_printf(&tail, " AND k <= '%s'", to);
    buf_add_text(&tail, " ORDER BY k, id");
    size_t rows = 0;
    struct buf want = want_text(&t, buf_text(&tail), &rows);
    assert_true(rows > 100 && rows < 1000);
    static const unsigned stops[] = { 100000, 101, 257, 13 };
    for (size_t i = 0; i < 4; i++) {
        struct buf got = got_text(&t, stops[i]);
        if (!str_eq(buf_str(&got), buf_str(&want)) &&
            strstr(type, "TIME") == NULL) /* which key tuples have with six digits */
            fail_msg("%s, stop %u: %zu bytes for %zu\n%.300s\n%.300s", type, stops[i],
                     got.len, want.len, buf_text(&got), buf_text(&want));
        size_t lines = 0;
        for (size_t c = 0; c < got.len; c++)
            lines += got.data[c] == '\n';
        assert_int_equal(lines, rows);
        for (size_t c = 0, w = 0; c < got.len && w < want.len; c++, w++) {
            while (got.data[c] != want.data[w] && got.data[c] != '\n') {
                assert_true(got.data[c] == '0' || got.data[c] == '.');
                c++;
            }
            assert_int_equal(got.data[c], want.data[w]);
        }
        buf_done(&got);
    }
    buf_done(&want);
    buf_done(&tail);
    close_table(&t);
}

static void pages_go_in_order_of_the_replication_key(void **state)
{
    (void)state;
    check_by("INT", "m - 100", "", "");
    check_by("INT", "m - 100", "-50", "30");
    check_by("BIGINT UNSIGNED", "18446744073709551615 - m", "18446744073709551500", "");
    check_by("DATE", "'2024-01-01' + INTERVAL m DAY", "2024-02-01", "2024-05-05");
    check_by("DATETIME", "'2024-01-01' + INTERVAL m HOUR", "", "2024-01-05 00:00:00");
    check_by("DATETIME(6)", "'2024-01-01' + INTERVAL m MICROSECOND",
             "2024-01-01 00:00:00.000020", "2024-01-01 00:00:00.000150");
    check_by("TIMESTAMP(3)", "'2024-01-01' + INTERVAL m * 1000 MICROSECOND",
             "2024-01-01 00:00:00.020", "");
}

#define EXPLAIN "EXPLAIN FORMAT=TRADITIONAL "
#define EXPLAIN_BYTES (sizeof EXPLAIN - 1)

static uint64_t index_steps(void)
{
    struct error err = { 0 };
    struct arena *a = arena_new(1u << 20);
    struct session_result r;
    uint64_t all = 0;
    if (session_query(reader, a, STR("SHOW SESSION STATUS LIKE 'Handler_read%'"), &r,
                      &err) != 0)
        fail_with(&err, "status");
    for (size_t i = 0; i < r.row_count; i++) {
        uint64_t n = 0;
        if (str_to_u64(r.cells[2 * i + 1], &n) &&
            !str_eq(r.cells[2 * i], STR("Handler_read_rnd_next")))
            all += n; /* which counts the rows of this answer */
    }
    arena_free(a);
    return all;
}

/* A page costs its rows, wherever it begins: no sort, no walk from the bound's start. */
static void a_page_by_the_replication_key_is_a_range(void **state)
{
    (void)state;
    run("CREATE TABLE p_cost (id INT AUTO_INCREMENT PRIMARY KEY, k DATETIME, KEY (k))");
    run("INSERT INTO p_cost (k) SELECT '2024-01-01' + INTERVAL (a.n DIV 100) SECOND "
        "FROM seq a, digits b");
    run("ANALYZE TABLE p_cost");
    struct error err = { 0 };
    struct table t = open_by("p_cost", "k");
    struct buf after;
    buf_init(&after, 4096);
    key_tuple_add(&after, STR("2024-01-01 00:00:05.000000"));
    key_tuple_add(&after, STR("5200"));
    struct full_query q = { .shape = t.shape,
                            .key_name = t.full.by_index,
                            .by = schema_find_column(t.shape, STR("k")),
                            .after = buf_str(&after),
                            .to = STR("2024-01-01 00:00:08"),
                            .ordered = true,
                            .limit = 10 };
    struct buf sql;
    buf_init(&sql, 1u << 20);
    buf_add_text(&sql, EXPLAIN);
    assert_int_equal(full_query_sql(&q, &sql, &err), 0);
    struct session_result r;
    if (session_query(reader, t.arena, buf_str(&sql), &r, &err) != 0)
        fail_with(&err, "explaining");
    for (unsigned i = 0; i < r.column_count; i++) {
        if (str_ieq(r.names[i], STR("type")))
            assert_true(str_eq(r.cells[i], STR("range")));
        if (str_ieq(r.names[i], STR("Extra")))
            assert_null(memmem(r.cells[i].ptr, r.cells[i].len, "filesort", 8));
    }
    uint64_t before = index_steps();
    struct str select = { sql.data + EXPLAIN_BYTES, sql.len - EXPLAIN_BYTES };
    if (session_query(reader, t.arena, select, &r, &err) != 0)
        fail_with(&err, buf_text(&sql));
    assert_int_equal(r.row_count, 10);
    uint64_t steps = index_steps() - before;
    if (steps > 14)
        fail_msg("%" PRIu64 " index steps for 10 rows", steps);
    buf_done(&sql);
    buf_done(&after);
    close_table(&t);
}

static void filters_and_bounds_hold_in_one_view(void **state)
{
    (void)state;
    run("CREATE TABLE p_view_rows (id INT AUTO_INCREMENT PRIMARY KEY, k INT)");
    run("INSERT INTO p_view_rows (k) SELECT NULLIF(n, 5) FROM seq");
    run("CREATE VIEW p_view AS SELECT * FROM p_view_rows");
    struct table t = open_by("p_view", "k");
    assert_int_equal(t.full.method, FULL_ONE_VIEW);
    size_t rows = 0;
    struct buf text = read_text(&t, &(struct page_range){ 0 }, &rows);
    assert_int_equal(rows, 999);
    buf_done(&text);
    t.full.from = STR("100");
    t.full.to = STR("199");
    t.full.where = STR("id MOD 2 = 0 # even");
    rows = 0;
    text = read_text(&t, &(struct page_range){ 0 }, &rows);
    assert_int_equal(rows, 50);
    buf_done(&text);
    t.full.by = NULL;
    rows = 0;
    text = read_text(&t, &(struct page_range){ 0 }, &rows);
    assert_int_equal(rows, count_of("p_view_rows WHERE id MOD 2 = 0"));
    t.full.where = STR("NOT (id MOD 2 <> 0)");
    rows = 0;
    struct buf again = read_text(&t, &(struct page_range){ 0 }, &rows);
    assert_same_text(buf_str(&text), buf_str(&again), "one filter in two ways");
    buf_done(&again);
    buf_done(&text);
    close_table(&t);
}

/* ---- what a person says ---- */

static void a_filter_is_one_condition(void **state)
{
    (void)state;
    run("CREATE TABLE w_rows (id INT PRIMARY KEY, `a)b` INT, s VARCHAR(20))");
    struct table t = open_table("w_rows");
    static const char *const good[] = {
        "id = 1",
        "id IN (SELECT id FROM " DB ".w_rows)",
        "s = ';' AND s <> 'it''s \\') OR (' -- )",
        "`a)b` > 3 # ;",
        "id > /* ) ; */ 3",
        "s = \")\"",
        "id > 3 -- no end of line",
        "id = 3--1",
    };
    static const char *const bad[] = {
        "",
        "  \n",
        "-- nothing",
        "1) OR (1",
        "(1",
        "1)",
        "1; DROP TABLE w_rows",
        "s = 'x",
        "s = \"x",
        "`s = 1",
        "1 /* ",
        "1 /*! OR 1 */",
        "1 /*M! OR 1 */",
        "no_such_column = 1",
        "id = ",
        "id = 1 LIMIT 1",
        "COUNT(*) > 1",
        "1, 2",
        "(id, id)",
        "s = 'x\\'",
        "id = 1 \xff",
        "no_such_function(id)",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct error err = { 0 };
        if (key_check_where(reader, t.full.found, str_of(good[i]), &err) != 0)
            fail_with(&err, good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = { 0 };
        if (key_check_where(reader, t.full.found, str_of(bad[i]), &err) == 0)
            fail_msg("'%s' was accepted", bad[i]);
        if (err.code != ERR_CONFIG)
            fail_with(&err, bad[i]);
    }
    close_table(&t);
}

static void a_key_of_a_view_is_checked(void **state)
{
    (void)state;
    run("CREATE TABLE u_rows (a INT, b VARCHAR(20) CHARACTER SET latin1, c VARBINARY(9), "
        "d DATETIME)");
    run("INSERT INTO u_rows VALUES (1, 'x', 'p', '2024-01-01'), (1, 'X', 'q', NULL), "
        "(2, 'it''s', 'p', NULL)");
    run("CREATE VIEW u_view AS SELECT * FROM u_rows");
    struct error err = { 0 };
    struct table t = open_table("u_view");
    static const struct {
        struct str columns[2];
        size_t count;
        const char *example;
    } cases[] = {
        { { { "a", 1 }, { "b", 1 } }, 2, "" }, /* x and X differ in bytes */
        { { { "b", 1 } }, 1, "" },
        { { { "a", 1 } }, 1, "('1') in 2 rows" },
        { { { "c", 1 } }, 1, "('70') in 2 rows" },
        { { { "b", 1 }, { "d", 1 } }, 2, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str example;
        if (key_check_unique(reader, t.arena, t.full.found,
                             (struct key_columns){ cases[i].columns, cases[i].count },
                             &example, &err) != 0)
            fail_with(&err, "unique");
        if (cases[i].example == NULL)
            assert_true(example.len > 0);
        else if (!str_eq(example, str_of(cases[i].example)))
            fail_msg("%zu: " STR_FMT, i, STR_ARG(example));
    }
    struct str none = STR("none");
    struct str example;
    assert_int_equal(key_check_unique(reader, t.arena, t.full.found,
                                      (struct key_columns){ &none, 1 }, &example, &err),
                     -1);
    assert_int_equal(err.code, ERR_CONFIG);
    close_table(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_go_in_order_of_the_replication_key),
        cmocka_unit_test(a_page_by_the_replication_key_is_a_range),
        cmocka_unit_test(filters_and_bounds_hold_in_one_view),
        cmocka_unit_test(a_filter_is_one_condition),
        cmocka_unit_test(a_key_of_a_view_is_checked),
    };
    if (!server_is_named())
        return 0;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
