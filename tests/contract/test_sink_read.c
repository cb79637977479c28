/* Reading from an embedded destination: what is answered and what is refused. */
#include "contract/sink_fixture.h"

/* ---- reading ---------------------------------------------------------------------- */

static void answers_statements_that_read(void **state)
{
    struct fixture *f = *state;
    struct test_stream t = { "t",           1, BEGIN_JOIN, .shape = &two, .rows = rows_a,
                             .row_count = 2 };
    fixture_write_epoch(f, 1, &t, 1);
    (void)fixture_load(f, 1);
    fixture_expect(f, "SELECT 1 AS a, 2.50 AS a, 'x' -- the end\n ; ", "1|2.50|x");
    fixture_expect(f, "FROM shop_copy.t SELECT id ORDER BY id DESC", "2\n1");
    fixture_expect(f, "WITH x AS (SELECT 7 AS n) SELECT n FROM x", "7");
    fixture_expect(f, "VALUES (1), (2)", "1\n2");
    fixture_expect(f,
                   "SELECT [1,2], {'a': 1}, DATE '2024-02-29', INTERVAL 1 DAY, '10'::BIT",
                   "[1, 2]|{'a': 1}|2024-02-29|1 day|10");
    fixture_expect(f, "SELECT name FROM (SHOW TABLES FROM shop_copy)", "t");
    fixture_expect(f, "SELECT column_name FROM (DESCRIBE shop_copy.t) LIMIT 1", "id");
    fixture_expect(f, "SELECT count(*) FROM (SUMMARIZE shop_copy.t)", "8");
    struct grid g;
    struct error err = { 0 };
    struct read_limits limits = { 0 };
    struct read_result result;
    const char *const others[] = { "SHOW TABLES",
                                   "DESCRIBE shop_copy.t",
                                   "SUMMARIZE shop_copy.t",
                                   "EXPLAIN SELECT 1",
                                   "explain analyze select count(*) from shop_copy.t",
                                   "SHOW ALL TABLES",
                                   "SHOW DATABASES" };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (fixture_read(f, others[i], &g, &limits, &result, &err) != 0)
            fail_msg("%s: %s", others[i], err.text);
        grid_done(&g);
    }
    assert_int_equal(
        fixture_read(f, "SELECT 1::DECIMAL(10,2), [1]", &g, &limits, &result, &err), 0);
    assert_string_equal(buf_text(&g.types), "DECIMAL(10,2)|INTEGER[]");
    grid_done(&g);
}

static void refuses_statements_that_do_more(void **state)
{
    struct fixture *f = *state;
    static const char *const statements[] = {
        "CREATE TABLE x(a INT)",
        "INSERT INTO _tailrace.meta VALUES ('a','b')",
        "DELETE FROM _tailrace.mark",
        "UPDATE _tailrace.meta SET value = ''",
        "DROP TABLE _tailrace.mark",
        "ALTER TABLE _tailrace.mark ADD COLUMN x INT",
        "SET memory_limit = '10GB'",
        "RESET memory_limit",
        "CHECKPOINT",
        "VACUUM",
        "BEGIN",
        "COMMIT",
        "USE memory",
        "LOAD httpfs",
        "INSTALL httpfs",
        "ATTACH '/tmp/x.duckdb'",
        "DETACH dest",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "COPY _tailrace.meta FROM '/etc/passwd'",
        "EXPORT DATABASE '/tmp/x'",
        "IMPORT DATABASE '/tmp/x'",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "CALL pragma_version()",
        "PRAGMA version",
        "PRAGMA enable_profiling",
        "CREATE SECRET (TYPE s3)",
        "EXPLAIN ANALYZE DELETE FROM _tailrace.mark",
        "EXPLAIN ANALYZE INSERT INTO _tailrace.meta VALUES ('a','b')",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE _tailrace.mark",
        "SELECT ?",
        "",
        ";",
        "  -- nothing\n",
        "SELEC 1",
        "SELECT * FROM nowhere",
        "SELECT 1) AS q; DROP TABLE _tailrace.mark; SELECT * FROM (SELECT 1",
        "ANALYZE",
        "CREATE TEMP TABLE x(a INT)",
        "COMMENT ON TABLE _tailrace.mark IS 'x'",
    };
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
        fixture_expect_refused(f, statements[i], "");
    fixture_expect(f, "SELECT count(*) FROM _tailrace.meta", "2");
}

static void refuses_functions_that_reach_files(void **state)
{
    struct fixture *f = *state;
    static const char *const calls[] = {
        "read_csv('/etc/passwd')",
        "read_csv_auto('/etc/passwd')",
        "read_text('/etc/passwd')",
        "read_blob('/etc/passwd')",
        "read_json('/etc/passwd')",
        "read_json_auto('/etc/passwd')",
        "read_ndjson('/etc/passwd')",
        "read_json_objects('/etc/passwd')",
        "read_ndjson_objects('/etc/passwd')",
        "read_parquet('/etc/passwd')",
        "parquet_scan('/etc/passwd')",
        "parquet_metadata('/etc/passwd')",
        "parquet_schema('/etc/passwd')",
        "parquet_file_metadata('/etc/passwd')",
        "parquet_kv_metadata('/etc/passwd')",
        "parquet_bloom_probe('/etc/passwd','a',1)",
        "glob('/etc/*')",
        "sniff_csv('/etc/passwd')",
        "read_duckdb('/etc/passwd')",
        "query('SELECT 1')",
        "query_table('meta')",
        "json_execute_serialized_sql('{}')",
        "READ_TEXT ('/etc/passwd')",
        "\"read_text\"('/etc/passwd')",
        "read_text /* x */ ('/etc/passwd')",
        "main.read_text('/etc/passwd')",
        "force_checkpoint()",
        "duckdb_secrets()",
    };
    char sql[256];
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        (void)snprintf(sql, sizeof(sql), "SELECT * FROM %s", calls[i]);
        fixture_expect_refused(f, sql, "this function is refused");
    }
    /* without a function's name only the configuration stands in the way */
    fixture_expect_refused(f, "SELECT * FROM '/etc/passwd'", "");
    fixture_expect_refused(f, "SELECT * FROM '/etc/passwd.csv'", "");
    fixture_expect_refused(f, "SELECT * FROM '/etc/passwd.parquet'", "");
    fixture_expect_refused(f, "SELECT * FROM 'https://localhost/x.csv'", "");
    (void)snprintf(sql, sizeof(sql), "SELECT * FROM '%s'", fixture_file(f));
    fixture_expect_refused(f, sql, "");
}

static void ends_at_its_limits(void **state)
{
    struct fixture *f = *state;
    struct grid g;
    struct error err = { 0 };
    struct read_result result;
    struct read_limits rows = { .rows = 10 }, brief = { .time_us = 300000 };
    assert_int_equal(fixture_read(f, "FROM range(100)", &g, &rows, &result, &err), 0);
    assert_int_equal(result.rows, 10);
    assert_true(result.truncated);
    grid_done(&g);
    assert_int_equal(fixture_read(f, "FROM range(10)", &g, &rows, &result, &err), 0);
    assert_false(result.truncated);
    grid_done(&g);
    assert_int_equal(
        fixture_read(f, "SELECT count(*) FROM range(100000000) a, range(1000000)", &g,
                     &brief, &result, &err),
        -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_non_null(strstr(err.text, "longer than 300 ms"));
    grid_done(&g);
    fixture_expect(f, "SELECT 1", "1"); /* and the database goes on */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(answers_statements_that_read),
        TEST(refuses_statements_that_do_more),
        TEST(refuses_functions_that_reach_files),
        TEST(ends_at_its_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
