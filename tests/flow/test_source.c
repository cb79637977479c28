/* Reading a real server: what discovery says, and every kind of key read by pages.
 */
#include "base/clock.h"
#include "base/log.h"
#include "server.h"
#include "source/discover.h"
#include "source/full.h"
#include "source/full_internal.h"

#include <inttypes.h>

#define DB "tailrace_source"

static int set_up(void **state)
{
    (void)state;
    log_open(LOG_TEXT, LOG_ERROR);
    connect_both();
    run("DROP DATABASE IF EXISTS " DB);
    run("CREATE DATABASE " DB " CHARACTER SET utf8mb4");
    run("USE " DB);
    run("CREATE TABLE digits (n INT PRIMARY KEY)");
    run("INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)");
    run("CREATE TABLE seq (n INT PRIMARY KEY)");
    run("INSERT INTO seq SELECT a.n + 10*b.n + 100*c.n FROM digits a, digits b, digits "
        "c");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    run("DROP DATABASE " DB);
    session_close(writer);
    session_close(reader);
    return 0;
}

/* ---- reading ---- */

struct table {
    struct catalog *catalog;
    struct arena *arena;
    struct table_schema *shape;
    struct full_table full;
    struct page_pace pace;
};

static struct table open_table(const char *name)
{
    struct error err = { 0 };
    struct table t = { .arena = arena_new(1u << 30) };
    t.catalog = source_discover_table(reader, STR(DB), str_of(name), false, &err);
    if (t.catalog == NULL)
        fail_with(&err, name);
    const struct catalog_table *found =
        catalog_find(t.catalog, STR(DB), str_of(name), false);
    assert_non_null(found);
    t.shape = schema_project(t.arena, &found->schema);
    assert_non_null(t.shape);
    struct str why;
    t.full.found = found;
    t.full.shape = t.shape;
    t.full.method = full_method_of(found, false, &why);
    return t;
}

static void close_table(struct table *t)
{
    catalog_free(t->catalog);
    arena_free(t->arena);
}

/* One row as a line: kind and bytes of each cell. */
static void add_row(struct buf *out, const struct table_schema *shape,
                    const struct value *cells)
{
    for (unsigned i = 0; i < shape->column_count; i++) {
        const struct value *v = &cells[i];
        buf_printf(out, "%u:", v->kind);
        switch ((enum value_kind)v->kind) {
        case VALUE_DECIMAL:
        case VALUE_UNSCALED:
        case VALUE_TEXT:
        case VALUE_BYTES:
        case VALUE_JSON:
        case VALUE_BAD_DATE:
        case VALUE_INVALID:
            buf_add_hex(out, v->as.bytes, v->len);
            break;
        case VALUE_ABSENT:
        case VALUE_NULL:
        case VALUE_INT:
        case VALUE_UINT:
        case VALUE_FLOAT:
        case VALUE_DOUBLE:
        case VALUE_DATE:
        case VALUE_TIME:
        case VALUE_DATETIME:
        case VALUE_TIMESTAMP:
            buf_printf(out, "%" PRId64, v->as.i);
            break;
        }
        buf_add_char(out, ' ');
    }
    buf_add_char(out, '\n');
}

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

static size_t count_of(const char *table)
{
    struct error err = { 0 };
    struct arena *a = arena_new(65536);
    struct str sql = arena_printf(a, "SELECT COUNT(*) FROM " DB ".%s", table);
    struct str text;
    uint64_t n = 0;
    if (session_query_text(reader, a, sql, &text, &err) != 0)
        fail_with(&err, table);
    assert_true(str_to_u64(text, &n));
    arena_free(a);
    return n;
}

static void assert_same_text(struct str a, struct str b, const char *what)
{
    if (!str_eq(a, b))
        fail_msg("%s: %zu bytes and %zu bytes differ", what, a.len, b.len);
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

static void check_plan(const char *name, bool both_ends)
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
    if (steps > 14)
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
        check_plan(key_cases[i].name, false);
        check_plan(key_cases[i].name, true);
    }
}

/* ---- ranges ---- */

static struct buf read_text(struct table *t, const struct page_range *range, size_t *rows)
{
    struct error err = { 0 };
    struct full_options o = { .page_bytes = 1u << 18,
                              .page_time_us = 10000000,
                              .row_limit = 1u << 20 };
    struct buf text;
    buf_init(&text, 256u << 20);
    struct full_reader *r = full_reader_open(reader, &t->full, range, &o, NULL, &err);
    assert_non_null(r);
    for (;;) {
        const struct value *cells;
        enum full_next next = full_reader_next(r, &cells, &err);
        if (next == FULL_ERROR)
            fail_with(&err, "reading");
        if (next == FULL_END)
            break;
        if (next == FULL_PAGE)
            continue;
        add_row(&text, t->shape, cells);
        ++*rows;
    }
    full_reader_close(r);
    return text;
}

static void check_split(const char *name, const char *key, const char *value,
                        unsigned least_parts)
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
    if (full_split(reader, t.arena, t.shape, t.full.found, 5, &ranges, &count, &err) != 0)
        fail_with(&err, name);
    print_message("# %s: %zu ranges\n", name, count);
    assert_true(count >= least_parts);
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
    check_split("s_int", "a INT, p INT, PRIMARY KEY (a)", "n * 7 - 200000, n", 3);
    check_split("s_low", "a BIGINT, PRIMARY KEY (a)",
                "-9223372036854775808 + n * 150000000000000", 3);
    check_split("s_high", "a BIGINT UNSIGNED, PRIMARY KEY (a)",
                "18446744073709551615 - n * 150000000000000", 3);
    check_split("s_pair", "a INT, b VARCHAR(20), PRIMARY KEY (a, b)",
                "n DIV 50, CONCAT('x', n MOD 50)", 3);
    check_split("s_text", "a VARCHAR(40), PRIMARY KEY (a)", "CONCAT('Key ', n * 31)", 3);
    check_split("s_bin", "a BINARY(16), PRIMARY KEY (a)", "UNHEX(LEFT(SHA2(n, 256), 32))",
                3);
    check_split("s_unique", "p INT, a DATETIME NOT NULL, UNIQUE u (a)",
                "n, TIMESTAMPADD(MINUTE, n, '2001-01-01')", 3);
}

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
        assert_int_equal(rows, 1000);
        buf_done(&text);
        close_table(&t);
        buf_done(&sql);
    }
    assert_true(session_is_usable(reader));
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
    struct table t = open_table("s_text");
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
    assert_same_text(buf_str(&all), buf_str(&text), "s_text");
    buf_done(&all);
    buf_done(&rest);
    buf_done(&text);
    buf_done(&key);
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
        cmocka_unit_test(every_key_kind_resumes_exactly),
        cmocka_unit_test(every_page_is_a_range_of_the_key),
        cmocka_unit_test(ranges_are_disjoint_and_complete),
        cmocka_unit_test(keyless_tables_are_read_in_one_view),
        cmocka_unit_test(old_views_are_given_up),
        cmocka_unit_test(a_row_past_the_limit_is_told_by_its_key),
        cmocka_unit_test(changed_shapes_are_errors),
        cmocka_unit_test(a_lost_connection_resumes_behind_the_last_row),
        cmocka_unit_test(threads_running_is_told),
    };
    if (!server_is_named())
        return 0;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
