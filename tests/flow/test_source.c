/* Every kind of key of a real server, read by pages: resumed behind any row, split into
 * ranges, and at the cost of what a page returns. */
#include "base/alloc.h"
#include "source/full_internal.h"
#include "source_table.h"

struct rows {
    struct buf text;  /* all rows, in the order they came */
    struct str *keys; /* behind each row */
    size_t *ends;     /* offset in text behind each row */
    size_t count, pages;
};

#define ROWS_MOST 1100

/* Read a range to its end. page_bytes small makes many pages. */
static struct rows read_range(struct table *t, struct page_range range,
                              uint64_t page_bytes)
{
    struct error err = { 0 };
    struct full_options o = { .page_bytes = page_bytes,
                              .page_time_us = 10000000,
                              .row_limit = 1u << 20,
                              .view_age_us = 60000000 };
    struct rows rows = { 0 };
    t->full.pace = &t->pace;
    buf_init(&rows.text, 64u << 20);
    rows.keys = ARENA_ARRAY(t->arena, struct str, ROWS_MOST);
    rows.ends = ARENA_ARRAY(t->arena, size_t, ROWS_MOST);
    struct full_reader *r = full_reader_open(reader, &t->full, &range, &o, NULL, &err);
    assert_non_null(r);
    for (;;) {
        const struct value *cells;
        enum full_next next = full_reader_next(r, &cells, &err);
        if (next == FULL_ERROR)
            fail_with(&err, "reading");
        if (next == FULL_END)
            break;
        if (next == FULL_PAGE) {
            CLEANUP(buf_done) struct buf last;
            buf_init(&last, 1u << 20);
            full_reader_key(r, &last);
            assert_true(str_eq(buf_str(&last), rows.keys[rows.count - 1]));
            rows.pages++;
            continue;
        }
        assert_true(next == FULL_ROW);
        add_row(&rows.text, t->shape, cells);
        struct buf key;
        buf_init(&key, 1u << 20);
        full_reader_key(r, &key);
        rows.keys[rows.count] = arena_str(t->arena, buf_str(&key));
        buf_done(&key);
        rows.ends[rows.count++] = rows.text.len;
        assert_true(rows.count < ROWS_MOST);
    }
    full_reader_close(r);
    return rows;
}

/* The whole table; again with tiny pages; again resumed behind every 7th row. */
static void check_pages(const char *name)
{
    struct table t = open_table(name);
    assert_int_equal(t.full.method, FULL_PAGES);
    struct rows all = read_range(&t, (struct page_range){ 0 }, 1u << 30);
    if (all.count != count_of(name))
        fail_msg("%s: read %zu of %zu rows", name, all.count, count_of(name));
    struct rows small = read_range(&t, (struct page_range){ 0 }, 1);
    assert_same_text(buf_str(&all.text), buf_str(&small.text), name);
    for (size_t i = 0; i < all.count; i += 7) {
        struct page_range from = { .after = all.keys[i] };
        struct rows rest = read_range(&t, from, 1u << 30);
        struct str want = { all.text.data + all.ends[i], all.text.len - all.ends[i] };
        assert_same_text(want, buf_str(&rest.text), name);
        buf_done(&rest.text);
        if (i + 14 >= all.count)
            continue;
        /* and a range with both ends */
        from.upto = all.keys[i + 14];
        rest = read_range(&t, from, 60);
        want.len = all.ends[i + 14] - all.ends[i];
        assert_same_text(want, buf_str(&rest.text), name);
        buf_done(&rest.text);
    }
    buf_done(&all.text);
    buf_done(&small.text);
    close_table(&t);
}

struct key_case {
    const char *name;
    const char *key;   /* column definitions and key */
    const char *value; /* expressions of n, 0 to 999 */
    int family;        /* 0 both, 1 MySQL, 2 MariaDB, 3 MariaDB 10.10+ */
};

#define MIXED_TEXT \
    "CONCAT(ELT(1 + n MOD 8, 'a', 'B', 'b\\t', 'Z ', '_', 'e', 'ss', 'x '), n DIV 8)"

static const struct key_case key_cases[] = {
    { "k_int", "a INT, PRIMARY KEY (a)", "n * 3 - 1000", 0 },
    { "k_tiny", "a SMALLINT UNSIGNED, PRIMARY KEY (a)", "n * 65", 0 },
    { "k_big", "a BIGINT, PRIMARY KEY (a)", "-9223372036854775808 + n", 0 },
    { "k_ubig", "a BIGINT UNSIGNED, PRIMARY KEY (a)", "18446744073709551615 - n", 0 },
    { "k_dec", "a DECIMAL(40,10), PRIMARY KEY (a)",
      "(n - 500) * 123456789012345678901.0123456789", 0 },
    { "k_bool", "a TINYINT(1), b INT, PRIMARY KEY (a, b)", "n MOD 2, n", 0 },
    { "k_bit", "a BIT(12), PRIMARY KEY (a)", "n", 0 },
    { "k_bit64", "a BIT(64), PRIMARY KEY (a)", "18446744073709551615 - n", 0 },
    { "k_date", "a DATE, PRIMARY KEY (a)", "DATE_ADD('1000-01-01', INTERVAL n*900 DAY)",
      0 },
    { "k_datetime", "a DATETIME(6), PRIMARY KEY (a)",
      "TIMESTAMPADD(MICROSECOND, n*1000001, '1999-12-31 23:50:00')", 0 },
    { "k_timestamp", "a TIMESTAMP(3) NOT NULL, PRIMARY KEY (a)",
      "TIMESTAMPADD(SECOND, n*900, '2023-10-20 00:00:00.250')", 0 },
    { "k_time", "a TIME(2), PRIMARY KEY (a)", "SEC_TO_TIME((n - 500) * 6000 + 0.25)", 0 },
    { "k_year", "a YEAR, b INT, PRIMARY KEY (a, b)",
      "IF(n MOD 5 = 0, 0, 1901 + n MOD 250), n", 0 },
    { "k_binary", "a BINARY(16), PRIMARY KEY (a)", "UNHEX(LEFT(SHA2(n, 256), 32))", 0 },
    { "k_varbinary", "a VARBINARY(20), PRIMARY KEY (a)",
      "CONCAT(CHAR(n MOD 256), REPEAT(CHAR(0), n DIV 256))", 0 },
    { "k_utf8_ci",
      "a VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, "
      "PRIMARY KEY (a)",
      MIXED_TEXT, 0 },
    { "k_utf8_bin",
      "a VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, "
      "PRIMARY KEY (a)",
      "CONCAT(CHAR(0xC3A4 USING utf8mb4), CHAR(1 + n MOD 127),"
      " n)",
      0 },
    { "k_0900",
      "a VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci, "
      "PRIMARY KEY (a)",
      MIXED_TEXT, 1 },
    { "k_0900_char",
      "a CHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci, "
      "PRIMARY KEY (a)",
      "CONCAT('a', IF(n MOD 2, CHAR(1 + n MOD 31), ''), n DIV 2, IF(n MOD 3 = 0, 'z\\t', "
      "''), "
      "n MOD 2)",
      1 },
    { "k_nopad_char",
      "a CHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_nopad_ci, "
      "PRIMARY KEY (a)",
      "CONCAT('a', IF(n MOD 2, CHAR(1 + n MOD 31), ''), n)", 2 },
    { "k_pad_char", "a CHAR(20) CHARACTER SET latin1, PRIMARY KEY (a)",
      "CONCAT(CHAR(192 + n MOD 64), CHAR(1 + n MOD 31), n)", 0 },
    { "k_latin1",
      "a VARCHAR(30) CHARACTER SET latin1 COLLATE latin1_swedish_ci, "
      "PRIMARY KEY (a)",
      "CONCAT(CONVERT(CHAR(192 + n MOD 64) USING latin1), n)", 0 },
    { "k_german2",
      "a VARCHAR(30) CHARACTER SET latin1 COLLATE latin1_german2_ci, "
      "PRIMARY KEY (a)",
      "CONCAT(CONVERT(CHAR(192 + n MOD 64) USING latin1), n)", 0 },
    { "k_ucs2", "a VARCHAR(30) CHARACTER SET ucs2, PRIMARY KEY (a)", MIXED_TEXT, 0 },
    { "k_utf16", "a VARCHAR(30) CHARACTER SET utf16, PRIMARY KEY (a)", MIXED_TEXT, 0 },
    { "k_utf16le", "a VARCHAR(30) CHARACTER SET utf16le, PRIMARY KEY (a)", MIXED_TEXT,
      0 },
    { "k_utf32", "a VARCHAR(30) CHARACTER SET utf32, PRIMARY KEY (a)", MIXED_TEXT, 0 },
    { "k_sjis", "a VARCHAR(30) CHARACTER SET sjis, PRIMARY KEY (a)",
      "CONCAT(CONVERT(0xE38182 USING utf8mb4), n)", 0 },
    { "k_pair", "a INT, b VARCHAR(20), PRIMARY KEY (a, b)",
      "n DIV 40, CONCAT('v', n MOD 40)", 0 },
    { "k_triple", "c INT, a DATE, b BIGINT UNSIGNED, PRIMARY KEY (a, b, c)",
      "n MOD 7, DATE_ADD('2020-01-01', INTERVAL n DIV 100 DAY), n DIV 10", 0 },
    { "k_desc", "a INT, b INT, PRIMARY KEY (a DESC, b DESC)", "n DIV 30, n", 0 },
    { "k_unique", "a INT NOT NULL, b VARCHAR(20) NOT NULL, UNIQUE u (b, a)",
      "n, CONCAT('q', n MOD 30)", 0 },
    { "k_zero_date", "a DATE NOT NULL, b INT, PRIMARY KEY (a, b)",
      "IF(n < 300, '0000-00-00', IF(n < 600, '2020-00-00', '2021-03-04')), n", 0 },
    { "k_zero_stamp", "a TIMESTAMP NOT NULL DEFAULT 0, b INT, PRIMARY KEY (a, b)",
      "IF(n < 400, 0, TIMESTAMPADD(HOUR, n, '2023-10-20 00:00:00')), n", 0 },
    { "k_odd_datetime", "a DATETIME(3) NOT NULL, b INT, PRIMARY KEY (a, b)",
      "ELT(1 + n MOD 3, '0000-00-00 00:00:00', '2020-00-00 10:11:12.345', '0000-01-01 "
      "00:00:00'), n",
      0 },
    { "k_gbk", "a VARCHAR(30) CHARACTER SET gbk, PRIMARY KEY (a)",
      "CONCAT(CONVERT(CHAR(0xE4B880 + n MOD 60 USING utf8mb4) USING gbk), n)", 0 },
    { "k_bin_text", "a CHAR(20) CHARACTER SET latin1 COLLATE latin1_bin, PRIMARY KEY (a)",
      "CONCAT('a', IF(n MOD 2, CHAR(1 + n MOD 31), ''), n DIV 2, IF(n MOD 2, 'x', ''))",
      0 },
    { "k_accents", "a VARCHAR(40), PRIMARY KEY (a)",
      "CONCAT(CONVERT(CHAR(0xC3A0 + n MOD 30 USING utf8mb4) USING utf8mb4), "
      "CHAR(0xF09F9880 + n MOD 40 USING utf8mb4), n)",
      0 },
    { "k_quote", "`a``b` INT, `select` VARCHAR(20), PRIMARY KEY (`a``b`, `select`)",
      "n DIV 3, CONCAT('\\\\', n MOD 3, '''')", 0 },
    { "k_uuid", "a UUID, PRIMARY KEY (a)", "LEFT(SHA2(n, 256), 32)", 3 },
    { "k_inet6", "a INET6, PRIMARY KEY (a)", "CONCAT('2001:db8::', HEX(n))", 2 },
    { "k_inet4", "a INET4, PRIMARY KEY (a)", "CONCAT('10.0.', n DIV 256, '.', n MOD 256)",
      3 },
};

static bool case_applies(const struct key_case *k)
{
    uint32_t version = session_facts(reader)->version;
    return k->family == 0 || (k->family == 1 && !mariadb && version >= 80000) ||
           (k->family == 2 && mariadb) ||
           (k->family == 3 && mariadb && version >= 101000);
}

static void make_key_table(const struct key_case *k)
{
    struct buf sql;
    buf_init(&sql, 65536);
    run("SET sql_mode = ''");
    buf_printf(&sql, "CREATE TABLE %s (%s, pay VARCHAR(40)) ENGINE=InnoDB", k->name,
               k->key);
    /* the payload comes last in the table, whatever the order of the key's columns */
    run(buf_text(&sql));
    buf_clear(&sql);
    buf_printf(&sql, "INSERT IGNORE INTO %s SELECT %s, CONCAT('p', n) FROM seq", k->name,
               k->value);
    run(buf_text(&sql));
    buf_clear(&sql);
    buf_printf(&sql, "ANALYZE TABLE %s", k->name);
    run(buf_text(&sql));
    buf_done(&sql);
}

static void every_key_kind_resumes_exactly(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof key_cases / sizeof key_cases[0]; i++) {
        if (!case_applies(&key_cases[i]))
            continue;
        make_key_table(&key_cases[i]);
        size_t n = count_of(key_cases[i].name);
        print_message("# %s: %zu rows\n", key_cases[i].name, n);
        if (n < 250)
            fail_msg("%s has only %zu rows", key_cases[i].name, n);
        check_pages(key_cases[i].name);
    }
}

/* ---- a page costs what it returns ---- */

static uint64_t index_steps(void)
{
    struct error err = { 0 };
    struct arena *a = arena_new(65536);
    struct session_result r;
    uint64_t sum = 0;
    if (session_query(reader, a, STR("SHOW SESSION STATUS LIKE 'Handler_read%'"), &r,
                      &err) != 0)
        fail_with(&err, "status");
    for (size_t i = 0; i < r.row_count; i++) {
        uint64_t n = 0;
        struct str name = r.cells[i * 2];
        assert_true(str_to_u64(r.cells[i * 2 + 1], &n));
        if (str_eq(name, STR("Handler_read_next")) ||
            str_eq(name, STR("Handler_read_prev")) ||
            str_eq(name, STR("Handler_read_first")) ||
            str_eq(name, STR("Handler_read_last")))
            sum += n;
    }
    arena_free(a);
    return sum;
}

static struct str cell_of(const struct session_result *r, const char *name)
{
    for (unsigned i = 0; i < r->column_count; i++)
        if (str_ieq(r->names[i], str_of(name)))
            return r->cells[i].ptr == NULL ? STR("") : r->cells[i];
    return (struct str){ 0 };
}

static void check_plan(const char *name, bool both_ends, uint64_t most_steps)
{
    struct error err = { 0 };
    struct table t = open_table(name);
    struct rows all = read_range(&t, (struct page_range){ 0 }, 1u << 30);
    struct full_query q = { .shape = t.shape,
                            .key_name = t.full.found->key_name,
                            .after = all.keys[all.count / 2],
                            .upto =
                                both_ends ? all.keys[all.count - 20] : (struct str){ 0 },
                            .ordered = true,
                            .limit = 10 };
    struct buf sql;
    struct session_result r;
    buf_init(&sql, 1u << 20);
    buf_add_text(&sql, "EXPLAIN FORMAT=TRADITIONAL ");
    size_t prefix = sql.len;
    assert_int_equal(full_query_sql(&q, &sql, &err), 0);
    if (session_query(reader, t.arena, buf_str(&sql), &r, &err) != 0)
        fail_with(&err, name);
    struct str type = cell_of(&r, "type");
    struct str extra = cell_of(&r, "Extra");
    if (!str_eq(type, STR("range")) || !str_eq(cell_of(&r, "key"), q.key_name) ||
        memmem(extra.ptr, extra.len, "filesort", 8) != NULL ||
        memmem(extra.ptr, extra.len, "temporary", 9) != NULL)
        fail_msg("%s: type " STR_FMT ", extra " STR_FMT ": %s", name, STR_ARG(type),
                 STR_ARG(extra), buf_text(&sql));
    uint64_t before = index_steps();
    struct str select = { sql.data + prefix, sql.len - prefix };
    if (session_query(reader, t.arena, select, &r, &err) != 0)
        fail_with(&err, name);
    uint64_t steps = index_steps() - before;
    assert_int_equal(r.row_count, 10);
    if (steps > most_steps)
        fail_msg("%s: %" PRIu64 " index steps for 10 rows", name, steps);
    buf_done(&sql);
    buf_done(&all.text);
    close_table(&t);
}

static void every_page_is_a_range_of_the_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof key_cases / sizeof key_cases[0]; i++) {
        if (!case_applies(&key_cases[i]))
            continue;
        check_plan(key_cases[i].name, false, 14);
        check_plan(key_cases[i].name, true, 14);
    }
}

static void check_special(const char *name, uint64_t most_steps)
{
    check_pages(name);
    check_plan(name, false, most_steps);
    check_plan(name, true, most_steps);
}

static void partitions_and_hidden_keys_are_read_by_pages(void **state)
{
    (void)state;
    run("CREATE TABLE p_hash (a INT PRIMARY KEY, b INT) PARTITION BY HASH(a) PARTITIONS "
        "7");
    run("INSERT INTO p_hash SELECT n * 2, n FROM seq");
    run("ANALYZE TABLE p_hash");
    check_special("p_hash", 10 + 4 * 7);
    if (mariadb) {
        run("CREATE TABLE p_sv (a INT PRIMARY KEY, b INT) WITH SYSTEM VERSIONING");
        run("INSERT INTO p_sv SELECT n, n FROM seq");
        run("UPDATE p_sv SET b = b + 1 WHERE a MOD 2 = 0");
        run("DELETE FROM p_sv WHERE a MOD 10 = 3");
        run("ANALYZE TABLE p_sv");
        assert_int_equal(count_of("p_sv"), 900);
        check_special("p_sv", 40);
    } else {
        run("SET sql_generate_invisible_primary_key = ON");
        run("CREATE TABLE p_gipk (a INT)");
        run("SET sql_generate_invisible_primary_key = OFF");
        run("INSERT INTO p_gipk SELECT n FROM seq");
        run("ANALYZE TABLE p_gipk");
        check_special("p_gipk", 14);
    }
}

/* ---- ranges ---- */

static void check_split(const char *name, const char *key, const char *value)
{
    struct error err = { 0 };
    struct buf sql;
    buf_init(&sql, 65536);
    buf_printf(&sql, "CREATE TABLE %s (%s)", name, key);
    run(buf_text(&sql));
    buf_clear(&sql);
    buf_printf(&sql,
               "INSERT IGNORE INTO %s SELECT %s FROM "
               "(SELECT a.n + 1000*b.n AS n FROM seq a, seq b WHERE b.n < 60) t",
               name, value);
    run(buf_text(&sql));
    buf_clear(&sql);
    buf_printf(&sql, "ANALYZE TABLE %s", name);
    run(buf_text(&sql));
    buf_done(&sql);
    struct table t = open_table(name);
    struct page_range *ranges;
    size_t count = 0;
    struct full_cut cut = { .shape = t.shape, .found = t.full.found, .parts = 5 };
    if (full_split(reader, t.arena, &cut, &ranges, &count, &err) != 0)
        fail_with(&err, name);
    print_message("# %s: %zu ranges\n", name, count);
    assert_true(count >= 2);
    size_t rows = 0;
    struct buf all = read_text(&t, &(struct page_range){ 0 }, &rows);
    assert_int_equal(rows, count_of(name));
    struct buf joined;
    buf_init(&joined, 256u << 20);
    for (size_t i = 0; i < count; i++) {
        size_t n = 0;
        struct buf part = read_text(&t, &ranges[i], &n);
        buf_add_str(&joined, buf_str(&part));
        buf_done(&part);
        /* none of them holds nearly all of an evenly spread key */
        assert_true(n < rows * 2 / 3);
    }
    assert_same_text(buf_str(&all), buf_str(&joined), name);
    buf_done(&all);
    buf_done(&joined);
    close_table(&t);
}

static void ranges_are_disjoint_and_complete(void **state)
{
    (void)state;
    check_split("s_int", "a INT, p INT, PRIMARY KEY (a)", "n * 7 - 200000, n");
    check_split("s_low", "a BIGINT, PRIMARY KEY (a)",
                "-9223372036854775808 + n * 150000000000000");
    check_split("s_high", "a BIGINT UNSIGNED, PRIMARY KEY (a)",
                "18446744073709551615 - n * 150000000000000");
    check_split("s_pair", "a INT, b VARCHAR(20), PRIMARY KEY (a, b)",
                "n DIV 50, CONCAT('x', n MOD 50)");
    check_split("s_text", "a VARCHAR(40), PRIMARY KEY (a)", "CONCAT('Key ', n * 31)");
    check_split("s_bin", "a BINARY(16), PRIMARY KEY (a)",
                "UNHEX(LEFT(SHA2(n, 256), 32))");
    check_split("s_unique", "p INT, a DATETIME NOT NULL, UNIQUE u (a)",
                "n, TIMESTAMPADD(MINUTE, n, '2001-01-01')");
}

/* A range handed over in the middle of its reading: the two parts are the whole. */
static void a_halved_range_is_read_once(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct table t = open_table("s_int");
    size_t rows = 0;
    struct buf all = read_text(&t, &(struct page_range){ 0 }, &rows);
    struct arena *a = arena_new(65536);
    struct page_range range = { 0 };
    struct full_options o = { .page_bytes = 40000, .row_limit = 1u << 20 };
    struct buf tuple;
    struct buf text;
    const struct value *cells;
    buf_init(&tuple, 4096);
    buf_init(&text, 64u << 20);
    key_tuple_add(&tuple, STR("219993"));
    range.upto = buf_str(&tuple);
    struct str middle = { 0 };
    struct full_reader *r = full_reader_open(reader, &t.full, &range, &o, NULL, &err);
    enum full_next next;
    unsigned pages = 0;
    while ((next = full_reader_next(r, &cells, &err)) != FULL_END) {
        assert_true(next == FULL_ROW || next == FULL_PAGE);
        if (next == FULL_ROW)
            add_row(&text, t.shape, cells);
        if (next != FULL_PAGE || ++pages != 5)
            continue;
        struct buf last;
        buf_init(&last, 4096);
        full_reader_key(r, &last);
        assert_true(full_halve(t.shape, buf_str(&last), range.upto, a, &middle));
        full_reader_set_upto(r, middle);
        buf_done(&last);
    }
    full_reader_close(r);
    assert_true(middle.len > 0);
    size_t rest_rows = 0;
    range.after = middle;
    struct buf rest = read_text(&t, &range, &rest_rows);
    assert_true(rest_rows > rows / 3);
    buf_add_str(&text, buf_str(&rest));
    assert_same_text(buf_str(&all), buf_str(&text), "s_int");
    buf_done(&all);
    buf_done(&rest);
    buf_done(&text);
    buf_done(&tuple);
    arena_free(a);
    close_table(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_kind_resumes_exactly),
        cmocka_unit_test(every_page_is_a_range_of_the_key),
        cmocka_unit_test(partitions_and_hidden_keys_are_read_by_pages),
        cmocka_unit_test(ranges_are_disjoint_and_complete),
        cmocka_unit_test(a_halved_range_is_read_once),
    };
    if (!server_is_named())
        return 0;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
