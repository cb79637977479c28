/* What discovery says of a real server: types, keys, kinds, grants, and ten thousand
 * tables. */
#include "base/clock.h"
#include "base/log.h"
#include "server.h"
#include "source/discover.h"

#define DB "tailrace_discover"
#define DB2 "tailrace_discover_b"
#define GRANTEE "tailrace_part"

static uint32_t version;

static int set_up(void **state)
{
    (void)state;
    log_open(LOG_TEXT, LOG_ERROR);
    connect_both();
    version = session_facts(reader)->version;
    run("DROP DATABASE IF EXISTS " DB);
    run("DROP DATABASE IF EXISTS " DB2);
    run("CREATE DATABASE " DB " CHARACTER SET utf8mb4");
    run("CREATE DATABASE " DB2 " CHARACTER SET latin1");
    run("USE " DB);
    run("SET sql_mode = ''");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    run("DROP DATABASE IF EXISTS " DB);
    run("DROP DATABASE IF EXISTS " DB2);
    run("DROP USER IF EXISTS " GRANTEE "@'%'");
    session_close(writer);
    session_close(reader);
    return 0;
}

static struct catalog *discover_as(struct session *s, bool always_int)
{
    struct error err = { 0 };
    struct str names[] = { STR(DB), STR(DB2) };
    struct discover_request r = { .databases = names,
                                  .database_count = 2,
                                  .always_int = always_int };
    struct catalog *c = source_discover(s, &r, &err);
    if (c == NULL)
        fail_with(&err, "discovering");
    return c;
}

static const struct catalog_table *get(const struct catalog *c, const char *name)
{
    const struct catalog_table *t = catalog_find(c, STR(DB), str_of(name), false);
    if (t == NULL)
        fail_msg("no table %s", name);
    return t;
}

/* ---- types ---- */

struct type_case {
    const char *sql;
    enum logical_type type;
    unsigned length, precision, scale, fraction, bytes;
    bool is_unsigned;
    int family; /* 0 both, 1 MySQL 9+, 2 MariaDB 10.10+, 3 MariaDB 11.7+, 4 MariaDB 10.5+
                 */
};

static const struct type_case type_cases[] = {
    { .sql = "TINYINT(1)", .type = TYPE_BOOL },
    { .sql = "TINYINT", .type = TYPE_INT, .bytes = 1 },
    { .sql = "TINYINT UNSIGNED", .type = TYPE_INT, .bytes = 1, .is_unsigned = true },
    { .sql = "SMALLINT", .type = TYPE_INT, .bytes = 2 },
    { .sql = "MEDIUMINT UNSIGNED", .type = TYPE_INT, .bytes = 3, .is_unsigned = true },
    { .sql = "INT", .type = TYPE_INT, .bytes = 4 },
    { .sql = "INT UNSIGNED", .type = TYPE_LONG, .is_unsigned = true },
    { .sql = "BIGINT", .type = TYPE_LONG },
    { .sql = "BIGINT UNSIGNED", .type = TYPE_UBIGINT, .is_unsigned = true },
    { .sql = "BIT(1)", .type = TYPE_BOOL, .length = 1 },
    { .sql = "BIT(17)", .type = TYPE_BIT, .length = 17 },
    { .sql = "BIT(64)", .type = TYPE_BIT64, .length = 64 },
    { .sql = "DECIMAL(65,30)", .type = TYPE_DECIMAL, .precision = 65, .scale = 30 },
    { .sql = "DECIMAL", .type = TYPE_DECIMAL, .precision = 10 },
    { .sql = "FLOAT", .type = TYPE_FLOAT },
    { .sql = "DOUBLE(10,3)", .type = TYPE_DOUBLE },
    { .sql = "CHAR(7)", .type = TYPE_TEXT, .length = 7 },
    { .sql = "VARCHAR(300) CHARACTER SET latin1", .type = TYPE_TEXT, .length = 300 },
    { .sql = "MEDIUMTEXT", .type = TYPE_TEXT, .length = 16777215 },
    { .sql = "BINARY(16)", .type = TYPE_BYTES, .length = 16 },
    { .sql = "VARBINARY(20)", .type = TYPE_BYTES, .length = 20 },
    { .sql = "BLOB", .type = TYPE_BYTES, .length = 65535 },
    { .sql = "DATE", .type = TYPE_DATE },
    { .sql = "DATETIME(6)", .type = TYPE_DATETIME, .fraction = 6 },
    { .sql = "TIMESTAMP(3) NULL", .type = TYPE_TIMESTAMP, .fraction = 3 },
    { .sql = "TIME(2)", .type = TYPE_TIME, .fraction = 2 },
    { .sql = "YEAR", .type = TYPE_YEAR },
    { .sql = "JSON", .type = TYPE_JSON },
    { .sql = "GEOMETRY", .type = TYPE_GEOMETRY },
    { .sql = "MULTIPOLYGON", .type = TYPE_GEOMETRY },
    { .sql = "GEOMETRYCOLLECTION", .type = TYPE_GEOMETRY },
    { .sql = "VECTOR(5)", .type = TYPE_VECTOR, .length = 5, .family = 1 },
    { .sql = "VECTOR(7)", .type = TYPE_VECTOR, .length = 7, .family = 3 },
    { .sql = "UUID", .type = TYPE_UUID, .family = 2 },
    { .sql = "INET4", .type = TYPE_INET4, .family = 2 },
    { .sql = "INET6", .type = TYPE_INET6, .family = 4 },
};

static bool applies(int family)
{
    return family == 0 || (family == 1 && !mariadb && version >= 90000) ||
           (family == 2 && mariadb && version >= 101000) ||
           (family == 3 && mariadb && version >= 110700) || (family == 4 && mariadb);
}

static void types_are_told(void **state)
{
    (void)state;
    struct buf sql;
    buf_init(&sql, 65536);
    buf_add_text(&sql, "CREATE TABLE types (c0 INT");
    size_t n = sizeof type_cases / sizeof type_cases[0];
    for (size_t i = 0; i < n; i++)
        if (applies(type_cases[i].family))
            buf_printf(&sql, ", t%zu %s", i, type_cases[i].sql);
    buf_add_text(&sql, ", e ENUM('a\\\\b','c''d','x,y','n\\nl','\"','')"
                       ", s SET('p','q''r'), lt LONGTEXT, `odd``name` INT DEFAULT 5)");
    run(buf_text(&sql));
    buf_done(&sql);
    struct catalog *c = discover_as(reader, false);
    const struct catalog_table *t = get(c, "types");
    for (size_t i = 0; i < n; i++) {
        const struct type_case *want = &type_cases[i];
        char name[16];
        snprintf(name, sizeof name, "t%zu", i);
        const struct column *have = schema_find_column(&t->schema, str_of(name));
        if (!applies(want->family))
            continue;
        assert_non_null(have);
        if (have->type != want->type || have->precision != want->precision ||
            have->scale != want->scale || have->fraction != want->fraction ||
            have->bytes != want->bytes || have->is_unsigned != want->is_unsigned ||
            (want->length > 0 && have->length != want->length) || !have->selected ||
            !have->nullable || have->json_check != (mariadb && want->type == TYPE_JSON))
            fail_msg("%s: type %d, length %llu, %u,%u", want->sql, have->type,
                     (unsigned long long)have->length, have->precision, have->scale);
    }
    const struct column *e = schema_find_column(&t->schema, STR("e"));
    static const char *const labels[] = { "a\\b", "c'd", "x,y", "n\nl", "\"", "" };
    assert_int_equal(e->type, TYPE_ENUM);
    assert_int_equal(e->label_count, 6);
    for (unsigned i = 0; i < 6; i++)
        assert_true(str_eq(e->labels[i], str_of(labels[i])));
    const struct column *s = schema_find_column(&t->schema, STR("s"));
    assert_int_equal(s->label_count, 2);
    assert_true(str_eq(s->labels[1], STR("q'r")));
    assert_int_equal(schema_find_column(&t->schema, STR("lt"))->type, TYPE_TEXT);
    const struct column *odd = schema_find_column(&t->schema, STR("odd`name"));
    assert_true(str_eq(odd->default_text, STR("5")));
    const struct column *latin = schema_find_column(&t->schema, STR("t17"));
    assert_true(str_eq(latin->charset, STR("latin1")));
    assert_true(str_eq(latin->collation, STR("latin1_swedish_ci")));
    assert_true(t->transactional);
    assert_int_equal(t->key, KEY_NONE);
    assert_true(str_eq(t->schema.columns[0].name, STR("c0")));
    catalog_free(c);
    c = discover_as(reader, true);
    const struct column *b = schema_find_column(&get(c, "types")->schema, STR("t0"));
    assert_int_equal(b->type, TYPE_INT);
    assert_int_equal(b->bytes, 1);
    catalog_free(c);
}

/* ---- keys ---- */

static void expect_key(const struct catalog *c, const char *table, enum key_source source,
                       const char *columns)
{
    const struct catalog_table *t = get(c, table);
    struct buf have;
    buf_init(&have, 1024);
    for (unsigned k = 1; k <= t->schema.key_count; k++)
        buf_printf(&have, "%s" STR_FMT, k == 1 ? "" : ",",
                   STR_ARG(schema_key_column(&t->schema, k)->name));
    if (t->key != source || !str_eq(buf_str(&have), str_of(columns)))
        fail_msg("%s: key %d (%s)", table, t->key, buf_text(&have));
    buf_done(&have);
}

static void keys_are_chosen(void **state)
{
    (void)state;
    run("CREATE TABLE pk (a INT, b INT, c INT, PRIMARY KEY (c, a), UNIQUE u (b))");
    run("CREATE TABLE uq (a INT NOT NULL, b INT NOT NULL, c INT, UNIQUE zz (c), "
        "UNIQUE yy (b), UNIQUE aa (a))");
    run("CREATE TABLE nu (a INT, UNIQUE u (a))");
    run("CREATE TABLE pf (a VARCHAR(100) NOT NULL, UNIQUE u (a(10)))");
    run("CREATE TABLE mem (a INT NOT NULL, UNIQUE u (a) USING HASH) ENGINE=MEMORY");
    run("CREATE TABLE mixed (a INT, b INT, PRIMARY KEY (a DESC, b))");
    struct catalog *c = discover_as(reader, false);
    expect_key(c, "pk", KEY_PRIMARY, "c,a");
    expect_key(c, "uq", KEY_UNIQUE_NOT_NULL, "b");
    expect_key(c, "nu", KEY_NONE, "");
    expect_key(c, "pf", KEY_UNIQUE_NOT_NULL, "a");
    assert_true(get(c, "pf")->key_has_prefix);
    assert_true(get(c, "mem")->key_is_unordered);
    assert_false(get(c, "mem")->transactional);
    assert_true(str_eq(get(c, "uq")->key_name, STR("yy")));
    /* MariaDB before 10.8 takes DESC in an index and ignores it */
    assert_int_equal(get(c, "mixed")->key_is_unordered, !mariadb || version >= 100800);
    catalog_free(c);
}

static void generated_and_hidden_columns_are_told(void **state)
{
    (void)state;
    run("CREATE TABLE gen (a INT PRIMARY KEY, v INT AS (a + 1) VIRTUAL, "
        "s INT AS (a + 2) STORED)");
    if (mariadb) {
        run("CREATE TABLE sv (a INT PRIMARY KEY, x INT) WITH SYSTEM VERSIONING");
        run("CREATE TABLE sv2 (a INT PRIMARY KEY, x INT, rs TIMESTAMP(6) GENERATED "
            "ALWAYS "
            "AS ROW START, re TIMESTAMP(6) GENERATED ALWAYS AS ROW END, "
            "PERIOD FOR SYSTEM_TIME(rs, re)) WITH SYSTEM VERSIONING");
        run("CREATE SEQUENCE sq");
        run("CREATE TABLE inv (a INT PRIMARY KEY, b INT INVISIBLE)");
        run("CREATE TABLE lu (a TEXT NOT NULL, UNIQUE u (a) USING HASH)");
    } else {
        run("CREATE TABLE inv (a INT PRIMARY KEY, b INT INVISIBLE)");
        run("CREATE TABLE fi (a INT NOT NULL, UNIQUE u ((a + 1)))");
        run("SET sql_generate_invisible_primary_key = ON");
        run("CREATE TABLE gipk (a INT)");
        run("SET sql_generate_invisible_primary_key = OFF");
    }
    struct catalog *c = discover_as(reader, false);
    const struct table_schema *gen = &get(c, "gen")->schema;
    assert_int_equal(schema_find_column(gen, STR("v"))->generated, GENERATED_VIRTUAL);
    assert_int_equal(schema_find_column(gen, STR("s"))->generated, GENERATED_STORED);
    const struct table_schema *inv = &get(c, "inv")->schema;
    assert_int_equal(schema_find_column(inv, STR("b"))->visibility, COLUMN_INVISIBLE);
    assert_true(schema_find_column(inv, STR("b"))->selected);
    if (mariadb) {
        expect_key(c, "sv", KEY_PRIMARY, "a");
        expect_key(c, "sv2", KEY_PRIMARY, "a");
        assert_true(get(c, "sv")->system_versioned);
        assert_int_equal(schema_find_column(&get(c, "sv2")->schema, STR("re"))->generated,
                         GENERATED_ROW_END);
        assert_int_equal(get(c, "sq")->kind, TABLE_SEQUENCE);
        assert_true(get(c, "sq")->why.len > 0);
        expect_key(c, "lu", KEY_UNIQUE_NOT_NULL, "a");
        assert_true(get(c, "lu")->key_is_unordered);
    } else {
        expect_key(c, "fi", KEY_NONE, "");
        expect_key(c, "gipk", KEY_GENERATED, "my_row_id");
        assert_int_equal(get(c, "fi")->schema.column_count, 1);
    }
    catalog_free(c);
}

/* ---- views, grants, names ---- */

static void views_are_told_and_broken_ones_named(void **state)
{
    (void)state;
    run("CREATE TABLE base (a INT PRIMARY KEY, b VARCHAR(20), d DECIMAL(9,2))");
    run("CREATE VIEW good AS SELECT a, CONCAT(b, 'x') AS bx, d * 2 AS d2 FROM base");
    run("CREATE TABLE gone (a INT)");
    run("CREATE VIEW bad AS SELECT * FROM gone");
    run("DROP TABLE gone");
    struct catalog *c = discover_as(reader, false);
    const struct catalog_table *good = get(c, "good");
    assert_int_equal(good->kind, TABLE_VIEW);
    assert_true(good->readable);
    assert_int_equal(good->schema.column_count, 3);
    assert_int_equal(schema_find_column(&good->schema, STR("bx"))->type, TYPE_TEXT);
    assert_int_equal(schema_find_column(&good->schema, STR("d2"))->type, TYPE_DECIMAL);
    const struct catalog_table *bad = get(c, "bad");
    assert_false(bad->readable);
    assert_true(bad->why.len > 0);
    catalog_free(c);
}

static bool has_note(const struct catalog *c, const char *part)
{
    for (size_t i = 0; i < c->note_count; i++)
        if (memmem(c->notes[i].ptr, c->notes[i].len, part, strlen(part)) != NULL)
            return true;
    return false;
}

static void missing_grants_are_told(void **state)
{
    (void)state;
    run("CREATE TABLE g_all (a INT PRIMARY KEY, b INT)");
    run("CREATE TABLE g_part (a INT PRIMARY KEY, b INT, secret INT)");
    run("CREATE TABLE g_nokey (a INT PRIMARY KEY, b INT)");
    run("CREATE TABLE g_write (a INT PRIMARY KEY)");
    run("CREATE TABLE g_none (a INT PRIMARY KEY)");
    run("DROP USER IF EXISTS " GRANTEE "@'%'");
    run("CREATE USER " GRANTEE "@'%' IDENTIFIED BY 'pw'");
    run("GRANT SELECT ON " DB ".g_all TO " GRANTEE "@'%'");
    run("GRANT SELECT (a, b) ON " DB ".g_part TO " GRANTEE "@'%'");
    run("GRANT SELECT (b) ON " DB ".g_nokey TO " GRANTEE "@'%'");
    run("GRANT INSERT ON " DB ".g_write TO " GRANTEE "@'%'");
    struct session *part = connect_as(GRANTEE, "pw", false);
    struct error err = { 0 };
    struct str name = STR(DB);
    struct discover_request r = { .databases = &name, .database_count = 1 };
    struct catalog *c = source_discover(part, &r, &err);
    if (c == NULL)
        fail_with(&err, "discovering");
    assert_true(get(c, "g_all")->readable);
    const struct catalog_table *t = get(c, "g_part");
    assert_true(t->readable);
    assert_int_equal(t->schema.column_count, 2);
    assert_int_equal(t->key, KEY_PRIMARY);
    assert_true(has_note(c, "g_part"));
    assert_int_equal(get(c, "g_nokey")->key, KEY_NONE);
    assert_false(get(c, "g_write")->readable);
    assert_true(get(c, "g_write")->why.len > 0);
    assert_null(catalog_find(c, STR(DB), STR("g_none"), false));
    assert_false(has_note(c, "g_all"));
    catalog_free(c);
    c = discover_as(reader,
                    false); /* who sees the grants of others has none of his own */
    assert_false(has_note(c, "g_part"));
    catalog_free(c);
    /* a database that exists and is not visible, and one that is misspelt */
    name = STR(DB2);
    assert_null(source_discover(part, &r, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    session_close(part);
    name = STR("tailrace_discovr");
    assert_null(source_discover(reader, &r, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(strstr(err.text, "'" DB "'"));
}

static void names_keep_case_and_letters(void **state)
{
    (void)state;
    if (session_facts(reader)->lower_case_table_names == 0) {
        run("CREATE TABLE Casing (a INT PRIMARY KEY)");
        run("CREATE TABLE casing (a INT, b INT PRIMARY KEY)");
    }
    run("CREATE TABLE `t\xc3\xa4g \xe2\x82\xac` (`\xd1\x8f` INT PRIMARY KEY)");
    struct catalog *c = discover_as(reader, false);
    if (session_facts(reader)->lower_case_table_names == 0) {
        expect_key(c, "Casing", KEY_PRIMARY, "a");
        expect_key(c, "casing", KEY_PRIMARY, "b");
        assert_int_equal(get(c, "Casing")->schema.column_count, 1);
    }
    expect_key(c, "t\xc3\xa4g \xe2\x82\xac", KEY_PRIMARY, "\xd1\x8f");
    catalog_free(c);
    struct error err = { 0 };
    c = source_discover_table(reader, STR(DB), STR("types"), false, &err);
    assert_non_null(c);
    assert_int_equal(c->databases[0].table_count, 1);
    catalog_free(c);
    assert_null(source_discover_table(reader, STR(DB), STR("nowhere"), false, &err));
    assert_int_equal(err.code, ERR_SCHEMA);
    assert_null(source_discover_table(reader, STR("nodb"), STR("nowhere"), false, &err));
    assert_int_equal(err.code, ERR_SCHEMA);
}

static void many_tables_take_seconds(void **state)
{
    (void)state;
    const char *text = getenv("TAILRACE_TEST_TABLES");
    uint64_t tables = 200;
    if (text != NULL)
        assert_true(str_to_u64(str_of(text), &tables));
    for (uint64_t i = 0; i < tables; i++) {
        char sql[256];
        snprintf(sql, sizeof sql,
                 "CREATE TABLE " DB2
                 ".m%06llu (id BIGINT PRIMARY KEY, a INT, b VARCHAR(30), "
                 "c DATETIME, d DECIMAL(10,2), e TEXT, UNIQUE u (a), KEY k (c))",
                 (unsigned long long)i);
        run(sql);
    }
    int64_t before = clock_mono_us();
    struct catalog *c = discover_as(reader, false);
    int64_t took = clock_mono_us() - before;
    print_message("# %llu tables in %lld ms, %zu KiB\n", (unsigned long long)tables,
                  (long long)(took / 1000), arena_used(c->arena) / 1024);
    assert_int_equal(c->databases[1].table_count, tables);
    assert_true(took < 60 * 1000000);
    catalog_free(c);
}

/* What gives an ascending order, whether unique or not; what the server numbers. */
static void indexes_to_read_by_are_listed(void **state)
{
    (void)state;
    run("CREATE TABLE idx (id BIGINT AUTO_INCREMENT PRIMARY KEY, a INT, b DATETIME, c "
        "VARCHAR(300), KEY z_pair (b, a), UNIQUE KEY y_uni (a), KEY x_prefix (c(10)), "
        "FULLTEXT KEY w_words (c))");
    if (!mariadb || version >= 101100)
        run("ALTER TABLE idx ADD KEY v_down (b DESC)");
    if (!mariadb)
        run("ALTER TABLE idx ADD KEY u_unseen (b) INVISIBLE, ADD KEY t_made ((a + 1))");
    else if (version >= 101100)
        run("ALTER TABLE idx ADD KEY u_unseen (b) IGNORED");
    struct catalog *c = discover_as(reader, false);
    const struct catalog_table *t = get(c, "idx");
    assert_int_equal(t->index_count, 3);
    assert_true(str_eq(t->indexes[0].name, STR("PRIMARY")));
    assert_true(str_eq(t->indexes[1].name, STR("y_uni")));
    assert_true(str_eq(t->indexes[2].name, STR("z_pair")));
    assert_int_equal(t->indexes[2].column_count, 2);
    assert_true(str_eq(t->indexes[2].columns[0], STR("b")));
    assert_true(str_eq(t->indexes[2].columns[1], STR("a")));
    assert_true(t->schema.columns[0].auto_increment);
    assert_false(t->schema.columns[1].auto_increment);
    assert_int_equal(t->key, KEY_PRIMARY);
    assert_true(str_eq(key_index_of(t, STR("a")), STR("y_uni")));
    assert_int_equal(key_index_of(t, STR("b")).len, 0); /* then a, not id */
    catalog_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_are_told),
        cmocka_unit_test(keys_are_chosen),
        cmocka_unit_test(generated_and_hidden_columns_are_told),
        cmocka_unit_test(views_are_told_and_broken_ones_named),
        cmocka_unit_test(missing_grants_are_told),
        cmocka_unit_test(names_keep_case_and_letters),
        cmocka_unit_test(many_tables_take_seconds),
        cmocka_unit_test(indexes_to_read_by_are_listed),
    };
    if (!server_is_named())
        return 0;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
