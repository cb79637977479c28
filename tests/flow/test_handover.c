/* From a copy to the log, on a real server whose commits are visible later than they are
 * sent: each way of handover_visible(), one view between two places, and what becomes of
 * rows when nobody waits. */
#define DB "tailrace_handover"
#include "base/clock.h"
#include "source/check.h"
#include "source/handover.h"
#include "source/source.h"
#include "source_table.h"

#include <pthread.h>
#include <stdatomic.h>

#define WRITERS 4
#define ROUNDS 4
#define DELAY "100000"

static bool log_on;
static bool gtid_on;
static struct log_position first; /* the log's end before the writers' first row */
static struct arena *arena;

static struct {
    pthread_t threads[WRITERS];
    struct session *sessions[WRITERS];
    bool running;
    bool xa; /* two-phase commits by the application */
} crew;

/* ---- what the server says ---- */

static struct str ask(struct session *s, const char *sql)
{
    struct error err = { 0 };
    struct str text;
    if (session_query_text(s, arena, str_of(sql), &text, &err) != 0)
        fail_with(&err, sql);
    return text;
}

static uint64_t ask_number(struct session *s, const char *sql)
{
    uint64_t n = 0;
    assert_true(str_to_u64(ask(s, sql), &n));
    return n;
}

static struct log_position end_of(struct session *s)
{
    struct error err = { 0 };
    struct log_position p;
    if (handover_end(s, arena, &p, &err) != 0)
        fail_with(&err, "the log's end");
    assert_true(p.file.len > 0 && p.offset > 0);
    return p;
}

static struct log_position end_now(void)
{
    return end_of(reader);
}

/* Rows of w that the log has up to a place: each is a transaction of its own. */
static uint64_t logged_upto(const struct log_position *p)
{
    struct error err = { 0 };
    struct session_result r;
    uint64_t count = 0;
    struct arena *a = arena_new((size_t)512 << 20);
    struct str sql = arena_printf(a, "SHOW BINLOG EVENTS IN '" STR_FMT "' FROM %" PRIu64,
                                  STR_ARG(first.file), first.offset);
    assert_true(str_eq(first.file, p->file));
    if (session_query(writer, a, sql, &r, &err) != 0)
        fail_with(&err, "events");
    for (size_t i = 0; i < r.row_count; i++) {
        const struct str *row = r.cells + i * r.column_count;
        uint64_t at = 0; /* MariaDB's End_log_pos is wrong inside a transaction */
        assert_true(str_to_u64(row[1], &at));
        count += at < p->offset && (crew.xa ? str_eq(row[2], STR("Query")) &&
                                                  str_starts(row[5], STR("XA COMMIT "))
                                            : str_eq(row[2], STR("Table_map")) &&
                                                  str_ends(row[5], STR("(" DB ".w)")));
    }
    arena_free(a);
    return count;
}

static uint64_t rows_seen(void)
{
    return ask_number(reader, "SELECT COUNT(*) FROM " DB ".w");
}

/* ---- writers ---- */

static atomic_bool writers_end;

/* A transaction that the application prepares and then commits. */
static int write_xa(struct session *s, struct error *err)
{
    static const char *const steps[] = { "XA START", NULL, "XA END", "XA PREPARE",
                                         "XA COMMIT" };
    char sql[64];
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        (void)snprintf(sql, sizeof sql, "%s 'w%" PRIu64 "'", steps[i] ? steps[i] : "",
                       session_facts(s)->connection_id);
        if (session_exec(
                s, steps[i] ? str_of(sql) : STR("INSERT INTO " DB ".w (x) VALUES (1)"),
                err) != 0)
            return -1;
    }
    return 0;
}

static void *write_rows(void *arg)
{
    struct error err = { 0 };
    while (!atomic_load(&writers_end) && crew.xa)
        if (write_xa(arg, &err) != 0 || !clock_wait_us(NULL, 500))
            return arg;
    while (!atomic_load(&writers_end))
        if (session_exec(arg, STR("INSERT INTO " DB ".w (x) VALUES (1)"), &err) != 0 ||
            !clock_wait_us(NULL, 500))
            return arg;
    return NULL;
}

static const char *const DELAY_SETTINGS[] = { "binlog_group_commit_sync_delay",
                                              "sync_binlog" };
static struct str delay_before[2];

/* The leader of a group waits before it commits what is in the log already. */
static void start_crew(void)
{
    run("DROP TABLE IF EXISTS " DB ".w");
    run("CREATE TABLE " DB ".w (id INT AUTO_INCREMENT PRIMARY KEY, x INT)");
    first = end_now();
    if (!mariadb) {
        for (int i = 0; i < 2; i++)
            delay_before[i] =
                ask(writer, arena_text(arena, arena_printf(arena, "SELECT @@global.%s",
                                                           DELAY_SETTINGS[i])));
        run("SET GLOBAL sync_binlog = 1");
        run("SET GLOBAL binlog_group_commit_sync_delay = " DELAY);
    }
    atomic_store(&writers_end, false);
    crew.running = true;
    for (int i = 0; i < WRITERS; i++) {
        crew.sessions[i] = connect_as(env_or("TAILRACE_TEST_USER", "app"),
                                      env_or("TAILRACE_TEST_PASSWORD", "pw"), true);
        assert_int_equal(
            pthread_create(&crew.threads[i], NULL, write_rows, crew.sessions[i]), 0);
    }
    while (rows_seen() < 2)
        (void)clock_wait_us(NULL, 1000);
}

static void end_crew(void)
{
    atomic_store(&writers_end, true);
    crew.running = false;
    crew.xa = false;
    for (int i = 0; i < WRITERS; i++) {
        void *said;
        assert_int_equal(pthread_join(crew.threads[i], &said), 0);
        assert_null(said);
        session_close(crew.sessions[i]);
    }
    for (int i = 0; !mariadb && i < 2; i++)
        run(arena_text(arena, arena_printf(arena, "SET GLOBAL %s = " STR_FMT,
                                           DELAY_SETTINGS[i], STR_ARG(delay_before[i]))));
}

/* ---- fixtures ---- */

static struct source *source_of(const char *user)
{
    struct error err = { 0 };
    struct url_source url = { .user = str_of(user), .tls = URL_TLS_DISABLED };
    const char *port = getenv("TAILRACE_TEST_PORT");
    uint64_t number = 0;
    url.socket = str_of(getenv("TAILRACE_TEST_SOCKET"));
    if (url.socket.len == 0)
        url.host = STR("127.0.0.1");
    if (port != NULL && str_to_u64(str_of(port), &number))
        url.port = (uint16_t)number;
    struct secret *password = secret_new(str_of(env_or("TAILRACE_TEST_PASSWORD", "pw")));
    struct source *s = source_new(&url, password, &err);
    secret_free(password);
    if (s == NULL)
        fail_with(&err, "a source");
    return s;
}

static int begin(void **state)
{
    arena = arena_new((size_t)256 << 20);
    int rc = set_up(state);
    log_on = str_eq(ask(reader, "SELECT @@global.log_bin"), STR("1"));
    gtid_on = !mariadb && str_eq(ask(reader, "SELECT @@global.gtid_mode"), STR("ON"));
    return rc;
}

/* What a test that failed left behind. */
static int after_each(void **state)
{
    struct error ignored = { 0 };
    (void)state;
    if (crew.running)
        end_crew();
    if (session_is_usable(reader))
        (void)session_exec(reader, STR("ROLLBACK"), &ignored);
    return 0;
}

static int end(void **state)
{
    int rc = tear_down(state);
    arena_free(arena);
    return rc;
}

static const struct table_schema W = { .database = { DB, sizeof DB - 1 },
                                       .name = { "w", 1 } };
static const struct table_schema *const TABLES[] = { &W };

static void expect_visible(const struct handover_wait *w, const char *how)
{
    struct error err = { 0 };
    struct str said;
    if (handover_visible(reader, w, &said, &err) != 0)
        fail_with(&err, how);
    if (!str_eq(said, str_of(how)))
        fail_msg("by " STR_FMT ", not %s", STR_ARG(said), how);
}

/* ---- tests ---- */

static void without_a_log_there_is_no_place(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct log_position p;
    if (log_on)
        return;
    assert_int_equal(handover_start(reader, arena, &p, &err), -1);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(err.hint);
    err = (struct error){ 0 };
    assert_int_equal(handover_end(reader, arena, &p, &err), -1);
    assert_int_equal(err.code, ERR_CONFIG);
}

static void a_first_start_trails_and_an_end_leads(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct log_position p0;
    if (!log_on)
        return;
    run("CREATE TABLE f (id INT PRIMARY KEY)");
    if (handover_start(reader, arena, &p0, &err) != 0)
        fail_with(&err, "a start");
    assert_int_equal(p0.last_bytes, 0);
    assert_true(mariadb ? p0.server.len == 0 : p0.server.len == 36);
    if (gtid_on) {
        assert_true(p0.gtid.len > 36);
        assert_int_equal(p0.file.len, 0);
    } else {
        assert_true(p0.file.len > 0 && p0.offset >= 4);
        assert_true(!mariadb || p0.gtid.len > 0);
    }
    run("INSERT INTO f VALUES (1)");
    struct log_position p1 = end_now();
    assert_true(p0.file.len == 0 ||
                handover_compare(p0.file, p0.offset, p1.file, p1.offset) < 0);
    assert_false(str_eq(p0.gtid, p1.gtid));
    if (gtid_on)
        assert_true(p1.gtid.len >= p0.gtid.len);
}

/* Rows that the log had and a SELECT right after did not: what is lost by whoever does
 * not wait. */
static uint64_t lost_without_waiting(void)
{
    uint64_t lost = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct log_position p = end_now();
        uint64_t seen = rows_seen();
        uint64_t logged = logged_upto(&p);
        lost += logged > seen ? logged - seen : 0;
        (void)clock_wait_us(NULL, 20 * 1000);
    }
    return lost;
}

static void expect_nothing_lost(struct handover_wait w, const char *how, bool keep_gtid)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct log_position p = end_now();
        if (!keep_gtid)
            p.gtid = (struct str){ 0 };
        w.p0 = &p;
        expect_visible(&w, how);
        uint64_t seen = rows_seen();
        uint64_t logged = logged_upto(&p);
        if (seen < logged)
            fail_msg("by %s: %" PRIu64 " of %" PRIu64 " rows", how, seen, logged);
    }
}

/* Invariant 3. */
static void i3_all_up_to_p0_is_visible_to_the_first_view(void **state)
{
    (void)state;
    if (!log_on)
        return;
    start_crew();
    struct source *source = source_of(env_or("TAILRACE_TEST_USER", "app"));
    struct handover_wait w = { .source = source, .tables = TABLES, .table_count = 1 };
    uint64_t lost = lost_without_waiting();
    if (!mariadb && lost == 0)
        fail_msg("nothing was lost without waiting: this proves nothing");
    if (mariadb) {
        expect_nothing_lost(w, "snapshot", true);
    } else {
        if (gtid_on)
            expect_nothing_lost(w, "gtid", true);
        expect_nothing_lost(w, "lock", false);
        w.source = NULL;
        w.settle_us = 400 * 1000;
        expect_nothing_lost(w, "time", false);
    }
    end_crew();
    source_free(source);
}

static void i3_two_phase_commits_are_visible_too(void **state)
{
    (void)state;
    if (!log_on)
        return;
    crew.xa = true;
    start_crew();
    struct source *source = source_of(env_or("TAILRACE_TEST_USER", "app"));
    struct handover_wait w = { .source = source, .tables = TABLES, .table_count = 1 };
    if (mariadb)
        expect_nothing_lost(w, "snapshot", true);
    else if (gtid_on)
        expect_nothing_lost(w, "gtid", true);
    if (!mariadb)
        expect_nothing_lost(w, "lock", false);
    end_crew();
    source_free(source);
}

static void a_lock_that_is_not_to_be_had_gives_way_to_time(void **state)
{
    (void)state;
    if (!log_on || mariadb)
        return;
    run("CREATE TABLE IF NOT EXISTS " DB ".w (id INT AUTO_INCREMENT PRIMARY KEY, x INT)");
    struct log_position p = end_now();
    p.gtid = (struct str){ 0 };
    struct source *denied = source_of("ro");
    struct source *allowed = source_of(env_or("TAILRACE_TEST_USER", "app"));
    struct handover_wait w = { .p0 = &p,
                               .source = denied,
                               .tables = TABLES,
                               .table_count = 1,
                               .patience_us = 100 * 1000,
                               .settle_us = 50 * 1000 };
    expect_visible(&w, "time");
    w.source = allowed;
    expect_visible(&w, "lock");
    run("BEGIN");
    run("INSERT INTO " DB ".w (x) VALUES (7)");
    expect_visible(&w, "time");
    run("ROLLBACK");
    source_free(denied);
    source_free(allowed);
}

static void a_place_that_the_server_has_not_reached_is_refused(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct str how;
    if (!log_on || (!mariadb && !gtid_on))
        return;
    struct log_position p = end_now();
    if (mariadb)
        p.offset += 100000000;
    else
        p.gtid = STR("00000000-1111-2222-3333-444444444444:1-5");
    struct handover_wait w = { .p0 = &p, .patience_us = 50 * 1000 };
    assert_int_equal(handover_visible(reader, &w, &how, &err), -1);
    assert_int_equal(err.code, ERR_POSITION);
    assert_non_null(err.hint);
    struct cancel *c = cancel_new();
    cancel_request(c, CANCEL_GRACEFUL);
    w.cancel = c;
    w.patience_us = 0;
    err = (struct error){ 0 };
    assert_int_equal(handover_visible(reader, &w, &how, &err), -1);
    assert_int_equal(err.code, ERR_CANCELLED);
    cancel_free(c);
}

/* MariaDB after a failover: only the GTID of P0 is known. */
static void mariadb_compares_gtids_where_no_file_is_known(void **state)
{
    (void)state;
    if (!log_on || !mariadb)
        return;
    run("CREATE TABLE IF NOT EXISTS " DB ".w (id INT AUTO_INCREMENT PRIMARY KEY, x INT)");
    struct log_position p = end_now();
    p.file = (struct str){ 0 };
    struct handover_wait w = { .p0 = &p, .patience_us = 2000000 };
    expect_visible(&w, "snapshot");
    struct error err = { 0 };
    struct str how;
    p.gtid = STR("0-1-9000000000");
    w.patience_us = 10000;
    assert_int_equal(handover_visible(reader, &w, &how, &err), -1);
    assert_int_equal(err.code, ERR_POSITION);
}

/* The view has all up to low and nothing behind high; exact: it is that place. */
static void expect_view(struct view_point *point, const char *how, bool exact)
{
    struct error err = { 0 };
    if (handover_view(reader, &W, point, &err) != 0)
        fail_with(&err, how);
    uint64_t seen = rows_seen();
    if (session_exec(reader, STR("ROLLBACK"), &err) != 0)
        fail_with(&err, "ending the view");
    if (str_eq(point->how, STR("quiet")) && gtid_on && !exact)
        exact = true; /* between two groups of commits */
    else if (!str_eq(point->how, str_of(how)))
        fail_msg("a view by " STR_FMT ", not %s", STR_ARG(point->how), how);
    if (point->exact != exact)
        fail_msg("a view by " STR_FMT ", not %s", STR_ARG(point->how), how);
    uint64_t high = logged_upto(&point->high);
    uint64_t low = point->low.file.len > 0 ? logged_upto(&point->low) : 0;
    if (seen < low || seen > high || (exact && low != high))
        fail_msg("a view by %s has %" PRIu64 " rows between %" PRIu64 " and %" PRIu64,
                 how, seen, low, high);
}

static void one_view_lies_where_it_says(void **state)
{
    (void)state;
    if (!log_on)
        return;
    struct source *source = source_of(env_or("TAILRACE_TEST_USER", "app"));
    start_crew();
    for (int i = 0; i < ROUNDS; i++) {
        struct view_point point = { .source = source, .arena = arena };
        expect_view(&point, mariadb ? "snapshot" : "lock", true);
    }
    if (mariadb) { /* somebody forgot a prepared transaction, in another table */
        run("XA START 'forgotten'");
        run("INSERT INTO " DB ".f VALUES (99)");
        run("XA END 'forgotten'");
        run("XA PREPARE 'forgotten'");
        struct view_point point = { .source = source, .arena = arena };
        expect_view(&point, "lock", true);
        struct log_position p = end_now();
        struct handover_wait w = {
            .p0 = &p, .source = source, .tables = TABLES, .table_count = 1
        };
        expect_visible(&w, "lock");
        run("XA ROLLBACK 'forgotten'");
    }
    if (!mariadb) {
        struct view_point point = { .arena = arena, .settle_us = 400 * 1000 };
        expect_view(&point, gtid_on ? "gtid" : "time", false);
    }
    end_crew();
    if (gtid_on) {
        /* other programs may write to this server for a moment */
        struct view_point point = { .arena = arena };
        struct error err = { 0 };
        if (handover_view(reader, &W, &point, &err) != 0)
            fail_with(&err, "a view");
        uint64_t seen = rows_seen();
        assert_int_equal(session_exec(reader, STR("ROLLBACK"), &err), 0);
        assert_int_equal(seen, logged_upto(&point.high));
        assert_true(point.exact == str_eq(point.how, STR("quiet")));
    }
    source_free(source);
}

/* A table without a key, read by full_reader: the point is told with the first row. */
static void a_reader_tells_the_point_of_its_view(void **state)
{
    (void)state;
    struct error err = { 0 };
    if (!log_on)
        return;
    run("CREATE TABLE keyless (a INT)");
    run("INSERT INTO keyless VALUES (1), (1), (2)");
    struct log_position before = end_now();
    struct table t = open_table("keyless");
    assert_int_equal(t.full.method, FULL_ONE_VIEW);
    struct source *source = source_of(env_or("TAILRACE_TEST_USER", "app"));
    struct view_point point = { .source = source, .arena = arena };
    struct full_options o = { .row_limit = 1u << 20, .point = &point };
    struct page_range all = { 0 };
    const struct value *cells;
    struct full_reader *r = full_reader_open(reader, &t.full, &all, &o, NULL, &err);
    if (full_reader_next(r, &cells, &err) != FULL_ROW)
        fail_with(&err, "a row");
    run("INSERT INTO keyless VALUES (3)");
    struct log_position after = end_of(writer); /* the reader is in its result */
    assert_true(point.exact);
    assert_true(handover_compare(before.file, before.offset, point.high.file,
                                 point.high.offset) <= 0);
    assert_true(handover_compare(point.high.file, point.high.offset, after.file,
                                 after.offset) < 0);
    size_t rows = 1;
    while (full_reader_next(r, &cells, &err) == FULL_ROW)
        rows++;
    assert_int_equal(rows, 3);
    full_reader_close(r);
    source_free(source);
    close_table(&t);
}

static struct log_headroom headroom_of(const struct log_position *p)
{
    struct error err = { 0 };
    struct log_headroom h;
    if (check_log_headroom(reader, arena, p, &h, &err) != 0)
        fail_with(&err, "headroom");
    return h;
}

static void headroom_shrinks_with_the_age_of_a_position(void **state)
{
    (void)state;
    if (!log_on)
        return;
    int64_t hour = INT64_C(3600) * 1000000;
    struct log_position p = end_now();
    p.last_at = clock_wall_us();
    struct log_headroom h = headroom_of(&p);
    assert_true(h.present && h.files >= 1 && h.oldest.len > 0);
    bool endless = h.us == CHECK_RETENTION_ENDLESS;
    assert_true(endless || h.us > hour);
    run("CREATE TABLE aged (id INT PRIMARY KEY)");
    p.last_at = clock_wall_us() - hour;
    struct log_headroom older = headroom_of(&p);
    assert_true(older.present && older.bytes > 0);
    assert_true(endless ? older.us == h.us : older.us <= h.us - hour / 2);
    p.last_at = 1;
    assert_true(endless || headroom_of(&p).us == 0);
    p.offset += 1000000000;
    assert_false(headroom_of(&p).present);
    p.file = STR("gone.000001");
    h = headroom_of(&p);
    assert_true(!h.present && h.us == 0);
    p.file = (struct str){ 0 };
    assert_true(headroom_of(&p).present);
}

static void places_are_ordered_by_number(void **state)
{
    (void)state;
    struct str a = STR("bin.000009");
    struct str b = STR("bin.000010");
    struct str c = STR("bin.1000000");
    assert_true(handover_compare(a, 900, b, 4) < 0);
    assert_true(handover_compare(c, 4, b, 900) > 0);
    assert_true(handover_compare(b, 5, b, 4) > 0);
    assert_int_equal(handover_compare(b, UINT64_C(5000000000), b, UINT64_C(5000000000)),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(headroom_shrinks_with_the_age_of_a_position,
                                  after_each),
        cmocka_unit_test_teardown(places_are_ordered_by_number, after_each),
        cmocka_unit_test_teardown(without_a_log_there_is_no_place, after_each),
        cmocka_unit_test_teardown(a_first_start_trails_and_an_end_leads, after_each),
        cmocka_unit_test_teardown(i3_all_up_to_p0_is_visible_to_the_first_view,
                                  after_each),
        cmocka_unit_test_teardown(i3_two_phase_commits_are_visible_too, after_each),
        cmocka_unit_test_teardown(a_lock_that_is_not_to_be_had_gives_way_to_time,
                                  after_each),
        cmocka_unit_test_teardown(a_place_that_the_server_has_not_reached_is_refused,
                                  after_each),
        cmocka_unit_test_teardown(mariadb_compares_gtids_where_no_file_is_known,
                                  after_each),
        cmocka_unit_test_teardown(one_view_lies_where_it_says, after_each),
        cmocka_unit_test_teardown(a_reader_tells_the_point_of_its_view, after_each),
    };
    if (!server_is_named())
        return 0;
    return cmocka_run_group_tests(tests, begin, end);
}
