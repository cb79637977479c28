/* Values of every type that a running server stores, read by the binary protocol and
 * decoded, against what the same server prints as text. Also logging in by TCP, unix
 * socket and TLS, what must be refused, large rows, deadlines and the cancel object.
 *
 *   test_wire HOST PORT SOCKET CA.pem [WRONG_NAME_PORT NO_TLS_PORT]
 *
 * The accounts are those of tools/servers (app, ro, tls; password pw). The two further
 * ports: a server whose certificate has another name, and one without TLS.
 *
 * Prints a line per check that fails, then the counts; exit status 1 when any failed.
 */
#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "mysql/session.h"
#include "mysql/statement.h"
#include "mysql/temporal.h"
#include "mysql/type.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { BOTH = 0, ONLY_MYSQL, ONLY_MARIADB };

struct typed {
    const char *sql;
    struct column column;
    const char *oracle; /* %s is the column; NULL: the column itself */
    int only;
    const char *values[10];
};

#define TEXT_ORACLE "CONVERT(%s USING utf8mb4)"
#define HEX_ORACLE "LOWER(HEX(%s))"
#define C(t, ...)                \
    {                            \
        .type = (t), __VA_ARGS__ \
    }
#define CS(name_, coll) \
    .charset = { name_, sizeof(name_) - 1 }, .collation = { coll, sizeof(coll) - 1 }

static const struct typed types[] = {
    { "tinyint", C(TYPE_INT, .bytes = 1), NULL, BOTH, { "-128", "127", "0" } },
    { "tinyint(1)", C(TYPE_BOOL), NULL, BOTH, { "0", "1", "-5" } },
    { "tinyint unsigned",
      C(TYPE_INT, .bytes = 1, .is_unsigned = true),
      NULL,
      BOTH,
      { "255" } },
    { "smallint", C(TYPE_INT, .bytes = 2), NULL, BOTH, { "-32768", "32767" } },
    { "smallint unsigned",
      C(TYPE_INT, .bytes = 2, .is_unsigned = true),
      NULL,
      BOTH,
      { "65535" } },
    { "mediumint", C(TYPE_INT, .bytes = 3), NULL, BOTH, { "-8388608", "8388607" } },
    { "mediumint unsigned",
      C(TYPE_INT, .bytes = 3, .is_unsigned = true),
      NULL,
      BOTH,
      { "16777215" } },
    { "int", C(TYPE_INT, .bytes = 4), NULL, BOTH, { "-2147483648", "2147483647" } },
    { "int unsigned", C(TYPE_LONG, .is_unsigned = true), NULL, BOTH, { "4294967295" } },
    { "bigint",
      C(TYPE_LONG),
      NULL,
      BOTH,
      { "-9223372036854775808", "9223372036854775807" } },
    { "bigint unsigned",
      C(TYPE_UBIGINT, .is_unsigned = true),
      NULL,
      BOTH,
      { "18446744073709551615", "0" } },
    { "decimal(65,30)",
      C(TYPE_DECIMAL, .precision = 65, .scale = 30),
      NULL,
      BOTH,
      { "'-99999999999999999999999999999999999.999999999999999999999999999999'",
        "0.1" } },
    { "decimal(5,0)", C(TYPE_DECIMAL, .precision = 5), NULL, BOTH, { "-1", "99999" } },
    { "float",
      C(TYPE_FLOAT),
      "(%s * 1e0)",
      BOTH,
      { "0.1", "-3.4e38", "1.17549435e-38", "-0.0" } },
    { "double",
      C(TYPE_DOUBLE),
      NULL,
      BOTH,
      { "0.1", "1.7976931348623157e308", "5e-324", "-0.0" } },
    { "bit(1)", C(TYPE_BOOL), "(%s + 0)", BOTH, { "b'0'", "b'1'" } },
    { "bit(12)", C(TYPE_BIT), "(%s + 0)", BOTH, { "b'100000000001'", "0" } },
    { "bit(64)", C(TYPE_BIT64), "(%s + 0)", BOTH, { "18446744073709551615", "1" } },
    { "char(5)",
      C(TYPE_TEXT, CS("utf8mb4", "utf8mb4_bin")),
      TEXT_ORACLE,
      BOTH,
      { "'ab  '", "''", "_utf8mb4 X'F09F9880'" } },
    { "varchar(50) character set latin1",
      C(TYPE_TEXT, CS("latin1", "latin1_swedish_ci")),
      TEXT_ORACLE,
      BOTH,
      { "_latin1 X'e480ff'", "'plain'", "''" } },
    { "text character set cp1251",
      C(TYPE_TEXT, CS("cp1251", "cp1251_general_ci")),
      TEXT_ORACLE,
      BOTH,
      { "_cp1251 X'c0ff'" } },
    { "varchar(50) character set utf16",
      C(TYPE_TEXT, CS("utf16", "utf16_general_ci")),
      TEXT_ORACLE,
      BOTH,
      { "_utf16 X'D83DDE000041'" } },
    { "varchar(50) character set sjis",
      C(TYPE_TEXT, CS("sjis", "sjis_japanese_ci")),
      TEXT_ORACLE,
      BOTH,
      { "_sjis X'93fa967b'" } },
    { "longtext",
      C(TYPE_TEXT, CS("utf8mb4", "utf8mb4_bin")),
      TEXT_ORACLE,
      BOTH,
      { "repeat('x', 100000)", "''" } },
    { "binary(4)", C(TYPE_BYTES), HEX_ORACLE, BOTH, { "X'0001'", "X'ffffffff'" } },
    { "varbinary(10)", C(TYPE_BYTES), HEX_ORACLE, BOTH, { "X'0001'", "''" } },
    { "longblob", C(TYPE_BYTES), HEX_ORACLE, BOTH, { "repeat(X'ff00', 70000)" } },
    { "date",
      C(TYPE_DATE),
      NULL,
      BOTH,
      { "'0000-00-00'", "'2026-02-31'", "'2026-00-10'", "'0000-01-01'", "'9999-12-31'",
        "'1969-12-31'" } },
    { "datetime",
      C(TYPE_DATETIME),
      NULL,
      BOTH,
      { "'0000-00-00'", "'2026-11-22 10:00:00'", "'0001-01-01'",
        "'2026-02-00 01:02:03'" } },
    { "datetime(6)",
      C(TYPE_DATETIME, .fraction = 6),
      NULL,
      BOTH,
      { "'1969-12-31 23:59:59.999999'", "'0000-00-00'",
        "'9999-12-31 23:59:59.999999'" } },
    { "datetime(3)",
      C(TYPE_DATETIME, .fraction = 3),
      NULL,
      BOTH,
      { "'2026-01-00 00:00:00.120'", "'2026-01-01 00:00:00.001'" } },
    { "timestamp null",
      C(TYPE_TIMESTAMP),
      NULL,
      BOTH,
      { "'0000-00-00'", "'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'" } },
    { "timestamp(6) null",
      C(TYPE_TIMESTAMP, .fraction = 6),
      NULL,
      BOTH,
      { "'2026-11-22 10:00:00.123456'" } },
    { "time",
      C(TYPE_TIME),
      NULL,
      BOTH,
      { "'-838:59:59'", "'838:59:59'", "'00:00:00'", "'25:00:01'" } },
    { "time(6)",
      C(TYPE_TIME, .fraction = 6),
      NULL,
      BOTH,
      { "'-00:00:00.000001'", "'101:02:03.5'" } },
    { "year", C(TYPE_YEAR), NULL, BOTH, { "0", "1901", "2155" } },
    { "enum('a','gr\xC3\xBCn','c,d') character set latin1",
      C(TYPE_ENUM, CS("latin1", "latin1_swedish_ci")),
      TEXT_ORACLE,
      BOTH,
      { "'a'", "2", "3", "'nope'" } },
    { "set('a','\xF0\x9F\x98\x80')",
      C(TYPE_SET, CS("utf8mb4", "utf8mb4_bin")),
      TEXT_ORACLE,
      BOTH,
      { "''", "'a'", "3" } },
    { "json",
      C(TYPE_JSON),
      NULL,
      ONLY_MYSQL,
      { "'{\"a\": [1, 2.50, \"\xC3\xA4\", null]}'", "'1'", "'[]'" } },
    { "json",
      C(TYPE_JSON, .json_check = true, CS("utf8mb4", "utf8mb4_bin")),
      TEXT_ORACLE,
      ONLY_MARIADB,
      { "'{\"a\":   [1, 2.50]}'", "'1'" } },
    { "geometry",
      C(TYPE_GEOMETRY),
      "LOWER(CONCAT('01', CASE ST_SRID(%1$s) WHEN 0 THEN HEX(SUBSTR(ST_AsWKB(%1$s, "
      "'axis-order=long-lat'), 2)) ELSE CONCAT(HEX(SUBSTR(ST_AsWKB(%1$s, "
      "'axis-order=long-lat'), 2, 3)), '20', 'E6100000', HEX(SUBSTR(ST_AsWKB(%1$s, "
      "'axis-order=long-lat'), 6))) END))",
      ONLY_MYSQL,
      { "ST_GeomFromText('POINT(1 2)')",
        "ST_GeomFromText('LINESTRING(1 2, 3 4)', 4326, 'axis-order=long-lat')" } },
    { "geometry",
      C(TYPE_GEOMETRY),
      "LOWER(CONCAT('01', CASE ST_SRID(%1$s) WHEN 0 THEN HEX(SUBSTR(ST_AsWKB(%1$s), 2)) "
      "ELSE CONCAT(HEX(SUBSTR(ST_AsWKB(%1$s), 2, 3)), '20', 'E6100000', "
      "HEX(SUBSTR(ST_AsWKB(%1$s), 6))) END))",
      ONLY_MARIADB,
      { "ST_GeomFromText('POINT(1 2)')",
        "ST_GeomFromText('LINESTRING(1 2, 3 4)', 4326)" } },
    { "vector(3)",
      C(TYPE_VECTOR),
      HEX_ORACLE,
      ONLY_MYSQL,
      { "STRING_TO_VECTOR('[1,2.5,-3]')" } },
    { "uuid",
      C(TYPE_UUID),
      NULL,
      ONLY_MARIADB,
      { "'123e4567-e89b-12d3-a456-426614174000'" } },
    { "inet6",
      C(TYPE_INET6),
      NULL,
      ONLY_MARIADB,
      { "'::1'", "'2001:db8::ff00:42:8329'" } },
    { "inet4", C(TYPE_INET4), NULL, ONLY_MARIADB, { "'10.0.0.255'" } },
};

static unsigned passed, failed;

static void check(bool ok, const char *what, const char *detail)
{
    if (ok) {
        passed++;
        return;
    }
    failed++;
    printf("FAILED %s: %s\n", what, detail);
}

/* A cell as the server would print it. */
static void cell_text(const struct value *v, const struct column *c, struct buf *out)
{
    char text[TEMPORAL_TEXT_MAX];
    switch ((enum value_kind)v->kind) {
    case VALUE_INT:
        if (c->type == TYPE_YEAR)
            buf_printf(out, "%04" PRId64, v->as.i);
        else
            buf_printf(out, "%" PRId64, v->as.i);
        return;
    case VALUE_UINT:
        buf_printf(out, "%" PRIu64, v->as.u);
        return;
    case VALUE_FLOAT:
        buf_printf(out, "%.17g", (double)v->as.f);
        return;
    case VALUE_DOUBLE:
        buf_printf(out, "%.17g", v->as.d);
        return;
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_DATETIME:
    case VALUE_TIMESTAMP:
    case VALUE_BAD_DATE:
        buf_add(out, text, temporal_format(v, c->fraction, text));
        return;
    case VALUE_BYTES:
        buf_add_hex(out, v->as.bytes, v->len);
        return;
    case VALUE_NULL:
        buf_add_text(out, "(null)");
        return;
    case VALUE_INVALID:
        buf_add_text(out, "(invalid) ");
        buf_add_hex(out, v->as.bytes, v->len);
        return;
    case VALUE_ABSENT:
    case VALUE_DECIMAL:
    case VALUE_UNSCALED:
    case VALUE_TEXT:
    case VALUE_JSON:
        buf_add_str(out, value_str(v));
        return;
    }
}

static bool same_text(const struct column *c, struct str ours, struct str theirs)
{
    if (c->type == TYPE_FLOAT || c->type == TYPE_DOUBLE)
        return strtod(ours.ptr, NULL) == strtod(theirs.ptr, NULL);
    return str_eq(ours, theirs);
}

/* Literals of this cell's key part find the row again. */
static void check_key(struct session *s, struct arena *a, const struct type_plan *plan,
                      const struct column *c, const char *what)
{
    struct error err = { 0 };
    struct str count = { 0 };
    struct buf part CLEANUP(buf_done);
    struct buf sql CLEANUP(buf_done);
    buf_init(&part, 1u << 20);
    buf_init(&sql, 4u << 20);
    if (c->type == TYPE_JSON || c->type == TYPE_GEOMETRY || c->type == TYPE_VECTOR)
        return;
    type_key_part(plan, 0, &part);
    buf_add_text(&sql, "SELECT COUNT(*) FROM wire_check.t WHERE c = ");
    type_quote_part(c, buf_str(&part), &sql);
    bool ok = session_query_text(s, a, buf_str(&sql), &count, &err) == 0 &&
              str_eq(count, STR("1"));
    check(ok, what, sql.len < 300 ? buf_text(&sql) : "key part finds no row");
    if (!ok && err.code != ERR_NONE)
        printf("  %s\n", err.text);
}

static void check_value(struct session *s, const struct typed *t, const char *value)
{
    struct error err = { 0 };
    struct arena *a = arena_new(16u << 20);
    struct buf sql;
    struct buf ours;
    char oracle[1000] = "c";
    struct str theirs = { 0 };
    buf_init(&sql, 1u << 20);
    buf_init(&ours, 4u << 20);
    if (t->oracle != NULL) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(oracle, sizeof oracle, t->oracle, "c");
#pragma GCC diagnostic pop
    }
    struct column c = t->column;
    c.name = STR("c");
    c.source_type = str_of(t->sql);
    struct table_schema shape = { .column_count = 1, .columns = &c };
    struct type_options o = { .family =
                                  session_is_mariadb(s) ? CHARSET_MARIADB : CHARSET_MYSQL,
                              .row_limit = 1u << 20 };
    buf_printf(&sql, "DELETE FROM wire_check.t");
    int bad = session_exec(s, buf_str(&sql), &err);
    buf_clear(&sql);
    buf_printf(&sql, "INSERT IGNORE INTO wire_check.t VALUES (%s)", value);
    bad = bad || session_exec(s, buf_str(&sql), &err);
    buf_clear(&sql);
    buf_printf(&sql, "SELECT %s FROM wire_check.t", oracle);
    bad = bad || session_query_text(s, a, buf_str(&sql), &theirs, &err);
    struct statement *st =
        bad ? NULL : statement_prepare(s, STR("SELECT c FROM wire_check.t"), &err);
    struct type_plan *plan = NULL;
    struct packet row;
    struct value cell;
    unsigned count;
    if (st != NULL && statement_execute(st, NULL, 0, 1u << 20, &err) == 0) {
        const struct result_column *columns = statement_columns(st, &count, NULL);
        plan = type_plan_new(columns, count, &shape, &o, &err);
        if (plan != NULL && statement_next(st, &row, &err) == 1 &&
            type_decode_row(plan, &row, &cell, &err) == 0)
            cell_text(&cell, &c, &ours);
    }
    char what[400];
    char detail[2000];
    snprintf(what, sizeof what, "%s %.80s", t->sql, value);
    snprintf(detail, sizeof detail, "ours '%.500s' server '%.500s' %.500s",
             buf_text(&ours), theirs.ptr == NULL ? "(null)" : theirs.ptr, err.text);
    check(err.code == ERR_NONE && theirs.ptr != NULL &&
              same_text(&c, buf_str(&ours), theirs),
          what, detail);
    if (plan != NULL && err.code == ERR_NONE) {
        statement_drain(st, &err);
        check_key(s, a, plan, &c, what);
    } else if (st != NULL) {
        struct error ignored = { 0 };
        statement_drain(st, &ignored);
    }
    type_plan_free(plan);
    statement_close(st);
    arena_free(a);
    buf_done(&sql);
    buf_done(&ours);
}

static void check_types(struct session *s)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const struct typed *t = &types[i];
        struct buf sql;
        if (t->only == (session_is_mariadb(s) ? ONLY_MYSQL : ONLY_MARIADB))
            continue;
        /* UUID is there from 10.7 on, INET4 from 10.10 on; INET6 is older */
        if ((t->column.type == TYPE_UUID || t->column.type == TYPE_INET4) &&
            session_facts(s)->version < 101000)
            continue;
        buf_init(&sql, 1u << 20);
        struct error e = { 0 };
        (void)session_exec(s, STR("DROP TABLE IF EXISTS wire_check.t"), &e);
        buf_clear(&sql);
        buf_printf(&sql,
                   "CREATE TABLE wire_check.t (c %s) DEFAULT CHARSET utf8mb4 COLLATE "
                   "utf8mb4_bin",
                   t->sql);
        e = (struct error){ 0 };
        if (session_exec(s, buf_str(&sql), &e) != 0)
            check(false, t->sql, e.text);
        for (unsigned k = 0; k < 10 && t->values[k] != NULL && e.code == ERR_NONE; k++)
            check_value(s, t, t->values[k]);
        buf_done(&sql);
    }
}

static void expect_refusal(struct session_options o, const char *what,
                           enum error_code code)
{
    struct error err = { 0 };
    int64_t start = clock_mono_us();
    struct session *s = session_open(&o, &err);
    check(s == NULL && err.code == code && strstr(err.text, "pw") == NULL, what,
          s != NULL ? "it connected" : err.text);
    printf("  refused in %lld ms: %s (hint: %s)\n",
           (long long)((clock_mono_us() - start) / 1000), err.text,
           err.hint != NULL ? err.hint : "none");
    session_close(s);
}

static void check_login(const char *host, uint16_t port, const char *sock, const char *ca)
{
    struct error err = { 0 };
    struct session_options tcp = { .host = host,
                                   .port = port,
                                   .user = "ro",
                                   .password = "pw",
                                   .tls = SESSION_TLS_DISABLED };
    struct session_options tls = tcp;
    struct session_options local = { .socket_path = sock,
                                     .user = "ro",
                                     .password = "pw" };
    tls.tls = SESSION_TLS_VERIFY_IDENTITY;
    tls.ca_file = ca;
    struct session_options *all[] = { &tcp, &tls, &local };
    for (int i = 0; i < 3; i++) {
        struct session *s = session_open(all[i], &err);
        check(s != NULL, "login", err.text);
        if (s == NULL)
            continue;
        const struct server_facts *f = session_facts(s);
        printf("  family %d version %u '" STR_FMT "' comment '" STR_FMT "' uuid '" STR_FMT
               "' id %" PRIu64 " connection %" PRIu64 " packet %" PRIu64
               " lctn %u tls '" STR_FMT "'\n",
               f->family, f->version, STR_ARG(f->version_text),
               STR_ARG(f->version_comment), STR_ARG(f->server_uuid), f->server_id,
               f->connection_id, f->max_allowed_packet, f->lower_case_table_names,
               STR_ARG(f->tls_cipher));
        check((f->tls_cipher.len > 0) == (i == 1), "cipher",
              "TLS is not what was asked for");
        check(session_exec(s, STR("CREATE TABLE test.x (a int)"), &err) != 0, "read only",
              "it wrote");
        session_close(s);
    }
    struct session_options o = tls;
    o.password = "secret-pw";
    expect_refusal(o, "wrong password", ERR_AUTH);
    o = tls;
    o.ca_file = NULL;
    expect_refusal(o, "unknown CA", ERR_CONFIG);
    o = tls;
    o.ca_file = "/nonexistent.pem";
    expect_refusal(o, "no CA file", ERR_CONFIG);
    o = tcp;
    o.port = 1;
    expect_refusal(o, "refused port", ERR_NETWORK);
    o = tcp;
    o.host = "db.invalid";
    expect_refusal(o, "unknown host", ERR_NETWORK);
    o = tcp;
    o.host = "db:3306";
    expect_refusal(o, "port in host", ERR_CONFIG);
    o = tcp;
    o.database = "nothere";
    expect_refusal(o, "no such database", ERR_CONFIG);
    o = tcp;
    o.user = "tls";
    expect_refusal(o, "TLS required", ERR_AUTH);
}

static void *cancel_soon(void *ctx)
{
    (void)clock_wait_us(NULL, 200000);
    cancel_request(ctx, CANCEL_HARD);
    return NULL;
}

static void check_waiting(struct session_options o)
{
    struct error err = { 0 };
    pthread_t thread;
    o.read_timeout_us = 300000;
    struct session *s = session_open(&o, &err);
    check(s != NULL, "login", err.text);
    int64_t start = clock_mono_us();
    int r = session_exec(s, STR("SELECT SLEEP(5)"), &err);
    int64_t took = clock_mono_us() - start;
    check(r != 0 && err.code == ERR_NETWORK && took < 1000000, "deadline", err.text);
    session_close(s);
    o.read_timeout_us = 0;
    o.cancel = cancel_new();
    s = session_open(&o, &err);
    check(s != NULL, "login", err.text);
    pthread_create(&thread, NULL, cancel_soon, o.cancel);
    start = clock_mono_us();
    r = session_exec(s, STR("SELECT SLEEP(5)"), &err);
    took = clock_mono_us() - start;
    check(r != 0 && err.code == ERR_CANCELLED && took < 1000000, "cancel", err.text);
    pthread_join(thread, NULL);
    session_close(s);
    cancel_free(o.cancel);
}

static void check_large(struct session_options o)
{
    struct error err = { 0 };
    struct packet row;
    struct session *s = session_open(&o, &err);
    static const unsigned sizes[] = { 16777205, 16777206, 16777207, 16777208, 20000000 };
    check(s != NULL, "login", err.text);
    for (int limit = 0; limit < 2; limit++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            char sql[100];
            snprintf(sql, sizeof sql, "SELECT 7, REPEAT('x', %u)", sizes[i]);
            struct statement *st = statement_prepare(s, str_of(sql), &err);
            bool ok =
                st != NULL &&
                statement_execute(st, NULL, 0, limit ? 1u << 20 : 64u << 20, &err) == 0 &&
                statement_next(st, &row, &err) == 1 && row.cut == (limit == 1) &&
                row.size >= sizes[i];
            check(ok, sql, err.text);
            check(st != NULL && statement_drain(st, &err) == 0, sql, err.text);
            statement_close(st);
        }
    check(session_exec(s, STR("DO 1"), &err) == 0, "session lives", err.text);
    session_close(s);
}

/* The wrong password shows that the refusal comes before authentication: with the right
 * order of steps it is never looked at. */
static void check_identity(const char *host, const char *ca, const char *wrong_name_port,
                           const char *no_tls_port)
{
    struct session_options o = {
        .host = host, .user = "ro", .password = "secret-pw", .ca_file = ca
    };
    o.port = (uint16_t)strtoul(wrong_name_port, NULL, 10);
    expect_refusal(o, "a certificate with another name", ERR_CONFIG);
    o.port = (uint16_t)strtoul(no_tls_port, NULL, 10);
    expect_refusal(o, "a server without TLS", ERR_CONFIG);
}

int main(int argc, char **argv)
{
    struct error err = { 0 };
    if (argc != 5 && argc != 7)
        return 2;
    uint16_t port = (uint16_t)strtoul(argv[2], NULL, 10);
    check_login(argv[1], port, argv[3], argv[4]);
    if (argc == 7)
        check_identity(argv[1], argv[4], argv[5], argv[6]);
    struct session_options o = { .host = argv[1],
                                 .port = port,
                                 .user = "app",
                                 .password = "pw",
                                 .ca_file = argv[4],
                                 .writable = true };
    struct session *s = session_open(&o, &err);
    check(s != NULL, "login", err.text);
    if (s != NULL) {
        check(session_exec(s, STR("CREATE DATABASE IF NOT EXISTS wire_check"), &err) == 0,
              "create", err.text);
        check_types(s);
        session_close(s);
        check_waiting(o);
        check_large(o);
        o.tls = SESSION_TLS_DISABLED;
        check_waiting(o);
        check_large(o);
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed > 0;
}
