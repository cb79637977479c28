/* The log reader on a real server: rows, statements about tables, XA, and the proof that
 * a position is of this history. */
#define DB "tailrace_log_reader"
#include "base/alloc.h"
#include "base/clock.h"
#include "mysql/log_status.h"
#include "source/log.h"
#include "source_table.h"
#include "support/log_text.h"

#define TABLES 2
#define S INT64_C(1000000)

static const char *const names[TABLES] = { "t", "u" };
static bool names_told; /* by the log: binlog_row_metadata=FULL */

/* Somebody who follows the log from visit to visit. */
struct follower {
    struct arena *arena;
    struct source *source;
    struct cancel *cancel;
    struct catalog *catalogs[TABLES];
    struct str place; /* text of the position */
    struct log_text text;
    struct log_options options;
};

static struct source *source_as(const char *user, const char *password)
{
    struct error err = { 0 };
    uint64_t port = 0;
    struct url_source url = { .user = str_of(user), .tls = URL_TLS_DISABLED };
    url.socket = str_of(getenv("TAILRACE_TEST_SOCKET"));
    if (url.socket.len == 0) {
        url.host = STR("127.0.0.1");
        assert_true(str_to_u64(str_of(getenv("TAILRACE_TEST_PORT")), &port));
        url.port = (uint16_t)port;
    }
    struct secret *secret = secret_new(str_of(password));
    struct source *s = source_new(&url, secret, &err);
    secret_free(secret);
    if (s == NULL)
        fail_with(&err, "source");
    return s;
}

/* The end of the log, as a position. */
static struct str here(struct arena *a)
{
    struct error err = { 0 };
    struct log_status status;
    if (log_status_read(reader, a, &status, &err) != 0)
        fail_with(&err, "the end of the log");
    struct log_position p = { .server = session_facts(reader)->server_uuid,
                              .file = status.file,
                              .offset = status.offset,
                              .gtid = status.gtids };
    return log_position_format(a, &p);
}

/* What is known of the tables, from now on. */
static void look(struct follower *f)
{
    for (unsigned i = 0; i < TABLES; i++) {
        struct error err = { 0 };
        catalog_free(f->catalogs[i]);
        f->catalogs[i] =
            source_discover_table(reader, STR(DB), str_of(names[i]), false, &err);
        if (f->catalogs[i] == NULL && err.code != ERR_SCHEMA)
            fail_with(&err, names[i]);
    }
}

static struct follower begin_as(const char *user, const char *password)
{
    struct follower f = { .arena = arena_new(256u << 20), .cancel = cancel_new() };
    f.source = source_as(user, password);
    f.options = (struct log_options){ .row_limit = 16u << 20, .patience_us = 5 * S };
    buf_init(&f.text.out, 64u << 20);
    f.text.names = names;
    f.text.created_in = STR(DB ".");
    f.place = here(f.arena);
    look(&f);
    return f;
}

static struct follower begin(void)
{
    return begin_as(env_or("TAILRACE_TEST_USER", "app"),
                    env_or("TAILRACE_TEST_PASSWORD", "pw"));
}

static void end(struct follower *f)
{
    for (unsigned i = 0; i < TABLES; i++)
        catalog_free(f->catalogs[i]);
    buf_done(&f->text.out);
    source_free(f->source);
    cancel_free(f->cancel);
    arena_free(f->arena);
}

static struct log_reader *open_reader(struct follower *f, struct error *err)
{
    struct log_position p;
    if (log_position_parse(f->arena, f->place, &p, err) != 0)
        fail_with(err, "position");
    struct log_reader *r = log_reader_open(f->source, &p, &f->options, f->cancel, err);
    for (unsigned i = 0; r != NULL && i < TABLES; i++) {
        const struct catalog *c = f->catalogs[i];
        if (c == NULL)
            continue;
        const struct catalog_table *t = &c->databases[0].tables[0];
        if (log_reader_watch(r, i, t, err) != 0)
            fail_with(err, names[i]);
        f->text.columns[i] = t->schema.column_count;
    }
    return r;
}

static void keep_place(struct follower *f, struct log_reader *r)
{
    f->place = log_position_format(f->arena, log_reader_position(r));
}

/* Read what is new, to the end of the log. */
static const char *read_on(struct follower *f)
{
    struct error err = { 0 };
    struct log_item item;
    buf_clear(&f->text.out);
    f->text.open = false;
    struct log_reader *r = open_reader(f, &err);
    if (r == NULL)
        fail_with(&err, "opening");
    do {
        if (log_reader_next(r, &item, &err) != 1)
            fail_with(&err, "reading");
        log_text_add(&f->text, &item);
    } while (item.kind != LOG_END);
    keep_place(f, r);
    log_reader_close(r);
    return buf_text(&f->text.out);
}

static void expect(struct follower *f, const char *want)
{
    assert_string_equal(read_on(f), want);
}

static void make_tables(void)
{
    run("DROP TABLE IF EXISTS t, u, v");
    run("CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(20) CHARACTER SET utf8mb4) "
        "ENGINE=InnoDB");
    run("CREATE TABLE u (id INT PRIMARY KEY, a INT) ENGINE=InnoDB");
}

/* ---- rows ---- */

static void rows_come_with_their_commits(void **state)
{
    (void)state;
    make_tables();
    struct follower f = begin();
    expect(&f, "");
    run("INSERT INTO t VALUES (1, 'a'), (2, NULL)");
    run("BEGIN");
    run("UPDATE t SET a = 'b' WHERE id = 1");
    run("UPDATE t SET id = 3 WHERE id = 2");
    run("INSERT INTO u VALUES (1, -7)");
    run("COMMIT");
    run("BEGIN");
    run("INSERT INTO u VALUES (2, 0)");
    run("ROLLBACK");
    expect(&f, "I t 1,a\nI t 2,null\nC\n"
               "U t 1,a > 1,b\nU t 2,null > 3,null\nI u 1,-7\nC\n");
    expect(&f, "");
    run("DELETE FROM t");
    expect(&f, "D t 1,b\nD t 3,null\nC\n");
    run("FLUSH BINARY LOGS");
    expect(&f, "");
    run("FLUSH BINARY LOGS");
    run("REPLACE INTO u VALUES (1, 8)");
    expect(&f, "U u 1,-7 > 1,8\nC\n");
    end(&f);
}

static void commit_times_are_of_the_commit(void **state)
{
    (void)state;
    make_tables();
    struct follower f = begin();
    struct error err = { 0 };
    struct log_item item;
    run("INSERT INTO t VALUES (1, 'a')");
    struct log_reader *r = open_reader(&f, &err);
    if (r == NULL)
        fail_with(&err, "opening");
    do {
        if (log_reader_next(r, &item, &err) != 1)
            fail_with(&err, "reading");
        if (item.kind == LOG_ROW || item.kind == LOG_COMMIT) {
            int64_t age = clock_wall_us() - item.at;
            assert_true(age > -2 * S && age < 30 * S);
        }
    } while (item.kind != LOG_END);
    log_reader_close(r);
    end(&f);
}

static void images_with_little_are_filled_where_they_can_be(void **state)
{
    (void)state;
    make_tables();
    run("INSERT INTO t VALUES (1, 'a')");
    run("CREATE TABLE v (x INT DEFAULT 5)");
    struct follower f = begin();
    run("SET SESSION binlog_row_image = 'MINIMAL'");
    run("UPDATE t SET a = 'b'");
    run("UPDATE t SET id = 2");
    run("DELETE FROM t");
    run("INSERT INTO u VALUES (3, 4)");
    expect(&f, "U t 1,- > 1,b\nC\nU t 1,- > 2,-\nC\nD t 2,-\nC\nI u 3,4\nC\n");
    run("INSERT INTO u (id) VALUES (4)");
    expect(&f, "I u 4,-\nC\n"); /* to be read again by its key */
    run("DROP TABLE u");
    run("CREATE TABLE u (id INT PRIMARY KEY, a INT, b INT, v INT AS (a + 1) VIRTUAL)");
    run("INSERT INTO u (id, a) VALUES (1, 1)");
    run("SET SESSION binlog_row_image = 'FULL'");
    f.place = here(f.arena);
    look(&f);
    run("UPDATE u SET a = 2");
    expect(&f, "U u 1,1,null,2 > 1,2,null,3\nC\n");
    run("SET SESSION binlog_row_image = 'MINIMAL'");
    run("UPDATE u SET a = 3");
    if (mariadb)
        assert_non_null(
            strstr(read_on(&f), "LOST u: the log has rows without column 'v'"));
    else
        expect(&f, "U u 1,-,-,- > 1,3,-,4\nC\n");
    run("SET SESSION binlog_row_image = 'FULL'");
    end(&f);
}

static void hidden_columns_are_no_columns(void **state)
{
    (void)state;
    run("DROP TABLE IF EXISTS t, u");
    run(mariadb ? "CREATE TABLE t (id INT PRIMARY KEY, a TEXT, UNIQUE (a))"
                : "CREATE TABLE t (id INT PRIMARY KEY, a TEXT, KEY ((LENGTH(a))))");
    struct follower f = begin();
    run("INSERT INTO t VALUES (1, 'a')");
    if (mariadb && !names_told)
        assert_non_null(strstr(read_on(&f), "LOST t: the log has 3 columns"));
    else
        expect(&f, "I t 1,a\nC\n");
    end(&f);
}

/* ---- statements ---- */

struct statement_case {
    const char *sql;
    const char *want; /* the start of each line; NULL: nothing */
};

static const struct statement_case statement_cases[] = {
    { "CREATE INDEX i ON t (a)", "" },
    { "ALTER TABLE t ADD INDEX j (a), COMMENT = 'x'", "" },
    { "ALTER TABLE t ORDER BY a", "" },
    { "ALTER TABLE t ALTER COLUMN a SET DEFAULT 'q'", "" },
    { "CREATE TABLE IF NOT EXISTS t (x INT)", "" },
    { "CREATE OR REPLACE VIEW w AS SELECT * FROM t", "" },
    { "CREATE TEMPORARY TABLE v (x INT)", "" },
    { "ALTER DATABASE " DB " CHARACTER SET utf8mb4", "" },
    { "ANALYZE TABLE t", "" },
    { "ALTER TABLE t ADD COLUMN b INT", "SHAPED t id,a,b\nC\n" },
    { "ALTER TABLE t ADD COLUMN c DATETIME NULL DEFAULT NULL FIRST",
      "SHAPED t c,id,a\nC\n" },
    { "ALTER TABLE t MODIFY a VARCHAR(30) CHARACTER SET utf8mb4", "SHAPED t id,a\nC\n" },
    { "ALTER TABLE t MODIFY a VARCHAR(10) CHARACTER SET utf8mb4", "LOST t: rows may" },
    { "ALTER TABLE t MODIFY a VARCHAR(20) CHARACTER SET latin1", "LOST t: rows may" },
    { "ALTER TABLE t ADD COLUMN b INT NOT NULL", "SHAPED t id,a,b b=0\nC\n" },
    { "ALTER TABLE t ADD COLUMN b INT DEFAULT 7", "SHAPED t id,a,b b=7\nC\n" },
    { "ALTER TABLE t ADD b DECIMAL(5,2) NOT NULL DEFAULT '1.5' FIRST, ADD COLUMN c "
      "CHAR(9) "
      "DEFAULT 'it''s'",
      "SHAPED t b,id,a,c b=1.50 c=it's\nC\n" },
    { "ALTER TABLE t ADD COLUMN b DATE DEFAULT '2020-1-2'", "LOST t: rows may" },
    { "ALTER TABLE t ADD COLUMN b INT DEFAULT (7)", "LOST t: a column was added" },
    { "ALTER TABLE t DROP COLUMN a", "SHAPED t id\nC\n" },
    { "ALTER TABLE t DROP COLUMN a, ADD COLUMN a VARCHAR(20)", "LOST t: rows may" },
    { "ALTER TABLE t RENAME COLUMN a TO b", "SHAPED t id,b b<a\nC\n" },
    { "ALTER TABLE t CHANGE a b VARCHAR(20)", "LOST t: a column was renamed" },
    { "ALTER TABLE t DROP PRIMARY KEY", "LOST t: the key of its rows" },
    { "ALTER TABLE t CONVERT TO CHARACTER SET latin1", "LOST t: its character set" },
    { "ALTER TABLE t RENAME TO v", "CREATED " DB ".v\nGONE t: the table was renamed" },
    { "RENAME TABLE t TO v, u TO t",
      "CREATED " DB ".v\nLOST t: another table took its name\nGONE u: " },
    { "TRUNCATE TABLE t", "TRUNCATED t\nC\n" },
    { "DROP TABLE t, u",
      "GONE t: the table was dropped\nGONE u: the table was dropped\n" },
    { "CREATE TABLE v (id INT PRIMARY KEY)", "CREATED " DB ".v\n" },
    { "CREATE TABLE v (id INT PRIMARY KEY) SELECT 1 AS id", "CREATED " DB ".v\n" },
};

static void statements_are_told_by_what_they_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof statement_cases / sizeof *statement_cases; i++) {
        const struct statement_case *c = &statement_cases[i];
        make_tables();
        run("INSERT INTO t VALUES (1, 'a')");
        struct follower f = begin();
        run(c->sql);
        const char *got = read_on(&f);
        if (c->want[0] == '\0' ? got[0] != '\0'
                               : !str_starts(str_of(got), str_of(c->want)))
            fail_msg("%s: '%s'", c->sql, got);
        run("DROP VIEW IF EXISTS w");
        end(&f);
    }
}

static void rows_behind_a_new_shape_have_it(void **state)
{
    (void)state;
    make_tables();
    struct follower f = begin();
    run("INSERT INTO t VALUES (1, 'a')");
    run("ALTER TABLE t ADD COLUMN b INT AFTER id");
    run("INSERT INTO t VALUES (2, 5, 'b')");
    if (!names_told) {
        expect(&f, "I t 1,a\nC\nLOST t: its columns were changed, and the log does not "
                   "tell their names\nC\n");
        end(&f);
        return;
    }
    expect(&f, "I t 1,a\nC\nSHAPED t id,b,a\nC\nI t 2,5,b\nC\n");
    look(&f);
    run("UPDATE t SET b = 6 WHERE id = 2");
    expect(&f, "U t 2,5,b > 2,6,b\nC\n");
    /* two changes before anybody looks: what the first did alone is not known */
    run("ALTER TABLE t ADD COLUMN c INT");
    run("ALTER TABLE t ADD COLUMN d INT");
    assert_non_null(strstr(read_on(&f), "LOST t: rows may have changed unseen in"));
    look(&f);
    /* there and back: only the log shows that there was something */
    run("ALTER TABLE t MODIFY b SMALLINT");
    run("ALTER TABLE t MODIFY b INT");
    assert_non_null(strstr(read_on(&f), "LOST t: rows may have changed unseen in"));
    end(&f);
}

static void a_shape_of_another_time_is_not_followed(void **state)
{
    (void)state;
    if (!names_told)
        skip();
    make_tables();
    struct follower f = begin();
    run("SET SESSION sql_log_bin = 0");
    run("ALTER TABLE t CHANGE a b VARCHAR(20) CHARACTER SET utf8mb4");
    run("SET SESSION sql_log_bin = 1");
    run("INSERT INTO t VALUES (1, 'a')");
    assert_non_null(strstr(read_on(&f), "LOST t: the log has a column 'b'"));
    end(&f);
}

static void statements_instead_of_rows_are_loud(void **state)
{
    (void)state;
    make_tables();
    struct follower f = begin();
    run("SET SESSION binlog_format = 'STATEMENT'");
    run("INSERT INTO u VALUES (1, 1)");
    run("SET SESSION binlog_format = 'ROW'");
    const char *got = read_on(&f);
    assert_non_null(strstr(got, "LOST t: a statement changed rows"));
    assert_non_null(strstr(got, "LOST u: a statement changed rows"));
    end(&f);
}

static void text_of_other_charsets_is_understood(void **state)
{
    (void)state;
    make_tables();
    struct follower f = begin();
    /* the second byte of this character is a backslash in sjis */
    run("SET NAMES sjis");
    run("ALTER TABLE t COMMENT = '\x83\x5c'");
    run("TRUNCATE TABLE t");
    run("SET NAMES utf8mb4");
    expect(&f, "TRUNCATED t\nC\n");
    end(&f);
}

/* ---- XA ---- */

static void xa_rows_come_at_their_commit(void **state)
{
    (void)state;
    make_tables();
    struct follower f = begin();
    run("XA START 'x1'");
    run("INSERT INTO t VALUES (1, 'a')");
    run("INSERT INTO t VALUES (2, 'b')");
    run("XA END 'x1'");
    run("XA PREPARE 'x1'");
    expect(&f, "");
    assert_non_null(strstr(f.place.ptr, "X'7831',X'',1%40") == NULL
                        ? strstr(f.place.ptr, "X'7831',X'',1@")
                        : f.place.ptr);
    struct session *mine = writer; /* a prepared transaction keeps its session */
    writer = connect_as(env_or("TAILRACE_TEST_USER", "app"),
                        env_or("TAILRACE_TEST_PASSWORD", "pw"), true);
    run("USE " DB);
    run("INSERT INTO u VALUES (1, 1)");
    run("FLUSH BINARY LOGS");
    expect(&f, "I u 1,1\nC\n");
    session_close(writer);
    writer = mine;
    run("XA COMMIT 'x1'");
    run("INSERT INTO u VALUES (2, 2)");
    expect(&f, "I t 1,a\nI t 2,b\nC\nI u 2,2\nC\n");
    assert_null(strstr(f.place.ptr, "X'7831'"));
    expect(&f, "");
    end(&f);
}

static void xa_rolled_back_leaves_nothing(void **state)
{
    (void)state;
    make_tables();
    struct follower f = begin();
    run("XA START 'x2', 'b', 7");
    run("INSERT INTO t VALUES (1, 'a')");
    run("XA END 'x2', 'b', 7");
    run("XA PREPARE 'x2', 'b', 7");
    expect(&f, "");
    run("XA ROLLBACK 'x2', 'b', 7");
    run("XA START 'x3'");
    run("INSERT INTO t VALUES (3, 'c')");
    run("XA END 'x3'");
    run("XA COMMIT 'x3' ONE PHASE");
    expect(&f, "I t 3,c\nC\n");
    end(&f);
}

static void xa_prepared_before_us_is_searched(void **state)
{
    (void)state;
    make_tables();
    run("XA START 'x4'");
    run("INSERT INTO t VALUES (1, 'a')");
    run("XA END 'x4'");
    run("XA PREPARE 'x4'");
    struct follower f = begin();
    run("XA COMMIT 'x4'");
    expect(&f, "I t 1,a\nC\n");
    end(&f);
}

/* ---- positions ---- */

static struct error open_fails(struct follower *f, const struct log_position *p)
{
    struct error err = { 0 };
    struct log_item item = { 0 };
    struct log_reader *r = log_reader_open(f->source, p, &f->options, f->cancel, &err);
    while (r != NULL && item.kind != LOG_END && log_reader_next(r, &item, &err) == 1)
        ;
    if (r != NULL && item.kind == LOG_END)
        fail_msg("taken: " STR_FMT, STR_ARG(log_position_format(f->arena, p)));
    log_reader_close(r);
    return err;
}

static void another_history_is_refused(void **state)
{
    (void)state;
    make_tables();
    struct follower f = begin();
    struct log_position p, q;
    struct error err = { 0 };
    run("INSERT INTO t VALUES (1, 'a')");
    expect(&f, "I t 1,a\nC\n");
    assert_int_equal(log_position_parse(f.arena, f.place, &p, &err), 0);
    assert_true(p.last_bytes > 0 && p.gtid.len > 0 && p.last_gtid.len > 0);
    /* the bytes are others, and nothing else is known */
    q = p;
    q.last_hash ^= 1;
    q.gtid = (struct str){ 0 };
    assert_int_equal(open_fails(&f, &q).code, ERR_POSITION);
    /* the file is gone */
    q = p;
    q.file = STR("nowhere.000001");
    q.gtid = (struct str){ 0 };
    assert_int_equal(open_fails(&f, &q).code, ERR_POSITION);
    q.last_bytes = 0;
    assert_int_equal(open_fails(&f, &q).code, ERR_POSITION);
    /* behind the end */
    q = p;
    q.offset += 1000000;
    q.last_start += 1000000;
    q.gtid = (struct str){ 0 };
    assert_int_equal(open_fails(&f, &q).code, ERR_POSITION);
    /* transactions that this server never had */
    q = p;
    q.file = (struct str){ 0 };
    q.gtid = mariadb ? STR("4242-1-5") : STR("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5");
    q.last_gtid = (struct str){ 0 };
    err = open_fails(&f, &q);
    assert_int_equal(err.code, ERR_POSITION);
    assert_non_null(err.hint);
    /* the last transaction is another one */
    if (!mariadb) {
        q = p;
        q.file = (struct str){ 0 };
        q.last_at += 1;
        assert_int_equal(open_fails(&f, &q).code, ERR_POSITION);
    }
    end(&f);
}

static void gtids_find_what_moved(void **state)
{
    (void)state;
    make_tables();
    struct follower f = begin();
    struct log_position p;
    struct error err = { 0 };
    run("INSERT INTO t VALUES (1, 'a')");
    expect(&f, "I t 1,a\nC\n");
    assert_int_equal(log_position_parse(f.arena, f.place, &p, &err), 0);
    run("INSERT INTO t VALUES (2, 'b')");
    p.file = STR("nowhere.000001");
    f.place = log_position_format(f.arena, &p);
    expect(&f, "I t 2,b\nC\n");
    p.file = (struct str){ 0 };
    p.last_bytes = 0;
    f.place = log_position_format(f.arena, &p);
    expect(&f, "I t 2,b\nC\n");
    run("INSERT INTO t VALUES (3, 'c')");
    expect(&f, "I t 3,c\nC\n");
    struct log_position now, end_now;
    assert_int_equal(log_position_parse(f.arena, f.place, &now, &err), 0);
    assert_int_equal(log_position_parse(f.arena, here(f.arena), &end_now, &err), 0);
    assert_true(log_position_reached(&end_now, &now));
    assert_false(log_position_reached(&p, &now));
    end(&f);
}

/* ---- connections ---- */

#define USER "tailrace_lgr"

static void kill_dump(void)
{
    struct error err = { 0 };
    struct arena *a = arena_new(65536);
    struct str id;
    if (session_query_text(writer, a,
                           STR("SELECT id FROM information_schema.processlist WHERE "
                               "user = '" USER "' AND command LIKE 'Binlog Dump%'"),
                           &id, &err) != 0)
        fail_with(&err, "processlist");
    assert_true(id.len > 0);
    run(arena_text(a, arena_printf(a, "KILL " STR_FMT, STR_ARG(id))));
    arena_free(a);
}

static struct log_item next_row(struct follower *f, struct log_reader *r)
{
    struct error err = { 0 };
    struct log_item item;
    do {
        if (log_reader_next(r, &item, &err) != 1)
            fail_with(&err, "reading");
        if (item.kind == LOG_IDLE)
            keep_place(f, r);
    } while (item.kind != LOG_ROW && item.kind != LOG_RESTART);
    return item;
}

static void a_killed_connection_is_made_again(void **state)
{
    (void)state;
    make_tables();
    run("CREATE TABLE v (n INT PRIMARY KEY, a TEXT)");
    run("DROP USER IF EXISTS " USER);
    run("CREATE USER " USER " IDENTIFIED BY 'pw'");
    run("GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO " USER);
    if (mariadb)
        run("GRANT REPLICATION MASTER ADMIN ON *.* TO " USER);
    struct follower f = begin_as(USER, "pw");
    struct error err = { 0 };
    f.options.follow = true;
    f.options.heartbeat_us = S / 5;
    struct log_reader *r = open_reader(&f, &err);
    if (r == NULL)
        fail_with(&err, "opening");
    run("INSERT INTO u VALUES (1, 1)");
    assert_int_equal(next_row(&f, r).after[0].as.i, 1);
    struct log_item item;
    do /* its commit */
        assert_int_equal(log_reader_next(r, &item, &err), 1);
    while (item.kind != LOG_COMMIT);
    kill_dump();
    run("INSERT INTO u VALUES (2, 2)");
    assert_int_equal(next_row(&f, r).after[0].as.i, 2);
    /* in the middle of a transaction that is larger than what lies in buffers */
    run("INSERT INTO u SELECT n + 1000, 0 FROM seq");
    run("BEGIN");
    run("UPDATE t SET a = 'x'");
    run("INSERT INTO t SELECT n + 1000, REPEAT('x', 20) FROM seq");
    run("INSERT INTO v SELECT n, REPEAT('y', 60000) FROM seq");
    run("INSERT INTO t SELECT n + 2000, REPEAT('x', 20) FROM seq");
    run("COMMIT");
    do
        item = next_row(&f, r);
    while (item.kind == LOG_ROW && item.table != 0);
    assert_int_equal(item.kind, LOG_ROW);
    kill_dump();
    while (item.kind == LOG_ROW)
        item = next_row(&f, r);
    assert_int_equal(item.kind, LOG_RESTART);
    assert_int_equal(log_reader_next(r, &item, &err), -1);
    log_reader_close(r);
    /* stopped while it waits */
    r = open_reader(&f, &err);
    cancel_request(f.cancel, CANCEL_GRACEFUL);
    while (log_reader_next(r, &item, &err) == 1)
        ;
    assert_int_equal(err.code, ERR_CANCELLED);
    log_reader_close(r);
    run("DROP USER " USER);
    run("DROP TABLE v");
    end(&f);
}

static bool answers(const char *sql, const char *want)
{
    struct error err = { 0 };
    struct str told;
    struct arena *a = arena_new(65536);
    if (session_query_text(reader, a, str_of(sql), &told, &err) != 0)
        fail_with(&err, sql);
    bool is = str_eq(told, str_of(want));
    arena_free(a);
    return is;
}

static int set_up_log(void **state)
{
    (void)set_up(state);
    names_told = answers("SELECT @@GLOBAL.binlog_row_metadata", "FULL");
    run("SET SESSION binlog_format = 'ROW'");
    return 0;
}

/* Without a log there is nothing to read. */
static bool has_log(void)
{
    connect_both();
    bool on = answers("SELECT @@log_bin", "1");
    session_close(writer);
    session_close(reader);
    if (!on)
        print_message("1..0 # SKIP the server writes no binary log\n");
    return on;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_with_their_commits),
        cmocka_unit_test(commit_times_are_of_the_commit),
        cmocka_unit_test(images_with_little_are_filled_where_they_can_be),
        cmocka_unit_test(hidden_columns_are_no_columns),
        cmocka_unit_test(statements_are_told_by_what_they_do),
        cmocka_unit_test(rows_behind_a_new_shape_have_it),
        cmocka_unit_test(a_shape_of_another_time_is_not_followed),
        cmocka_unit_test(statements_instead_of_rows_are_loud),
        cmocka_unit_test(text_of_other_charsets_is_understood),
        cmocka_unit_test(xa_rows_come_at_their_commit),
        cmocka_unit_test(xa_rolled_back_leaves_nothing),
        cmocka_unit_test(xa_prepared_before_us_is_searched),
        cmocka_unit_test(another_history_is_refused),
        cmocka_unit_test(gtids_find_what_moved),
        cmocka_unit_test(a_killed_connection_is_made_again),
    };
    if (!server_is_named() || !has_log())
        return 0;
    return cmocka_run_group_tests(tests, set_up_log, tear_down);
}
