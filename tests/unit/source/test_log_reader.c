/* The log reader over logs made by hand. */
#include "base/alloc.h"
#include "support/log.h"
#include "support/log_server.h"
#include "support/log_text.h"
#include "support/test.h"

#define UUID "01010101-0101-0101-0101-010101010101"

/* --- logs by hand ----------------------------------------------------------------------
 */

struct made {
    struct buf log;
    uint64_t number; /* of the latest transaction */
};

static struct made make_log(void)
{
    struct made m = { 0 };
    buf_init(&m.log, 1u << 24);
    put_format(&m.log, "9.7.0", true);
    return m;
}

/* at: microseconds since 1970 when it was committed */
static void put_gtid(struct made *m, bool anonymous, uint64_t at)
{
    struct buf b;
    buf_init(&b, 4096);
    put_le(&b, 0, 1);
    for (int i = 0; i < 16; i++)
        put_le(&b, 1, 1);
    put_le(&b, anonymous ? 0 : ++m->number, 8);
    put_le(&b, 2, 1);
    put_le(&b, 0, 8);
    put_le(&b, 0, 8);
    put_le(&b, at, 7);
    put_event(&m->log, anonymous ? ANONYMOUS_GTID_EVENT : GTID_EVENT, buf_str(&b), true);
    buf_done(&b);
}

static void put_query_in(struct made *m, const char *sql, unsigned charset)
{
    struct buf b;
    buf_init(&b, 4096);
    put_le(&b, 7, 4);
    put_le(&b, 0, 4);
    put_le(&b, 1, 1);
    put_le(&b, 0, 2);
    put_le(&b, 7, 2);
    put_le(&b, 4, 1);
    put_le(&b, charset, 2);
    put_le(&b, charset, 2);
    put_le(&b, charset, 2);
    buf_add_str(&b, STR("d\0"));
    buf_add_text(&b, sql);
    put_event(&m->log, QUERY_EVENT, buf_str(&b), true);
    buf_done(&b);
}

static void put_query(struct made *m, const char *sql)
{
    put_query_in(m, sql, 45);
}

/* d.NAME with `columns` INT columns (of `type`). */
static void put_map(struct made *m, unsigned id, const char *name, unsigned columns,
                    unsigned type)
{
    struct buf b;
    buf_init(&b, 4096);
    put_le(&b, id, 6);
    put_le(&b, 1, 2);
    buf_add_str(&b, STR("\1d\0"));
    put_le(&b, strlen(name), 1);
    buf_add(&b, name, strlen(name) + 1);
    put_le(&b, columns, 1);
    for (unsigned i = 0; i < columns; i++)
        put_le(&b, type, 1);
    put_le(&b, 0, 1);
    put_le(&b, 0xfe, 1);
    put_event(&m->log, TABLE_MAP_EVENT, buf_str(&b), true);
    buf_done(&b);
}

/* One row of two columns; present: bits of those in the image */
static void put_row(struct made *m, unsigned id, int first, int second, unsigned present)
{
    struct buf b;
    buf_init(&b, 4096);
    put_le(&b, id, 6);
    put_le(&b, 1, 2);
    put_le(&b, 2, 2);
    put_le(&b, 2, 1);
    put_le(&b, present, 1);
    put_le(&b, 0, 1);
    if (present & 1)
        put_le(&b, (uint32_t)first, 4);
    if (present & 2)
        put_le(&b, (uint32_t)second, 4);
    put_event(&m->log, WRITE_ROWS_EVENT, buf_str(&b), true);
    buf_done(&b);
}

static void put_xid(struct made *m)
{
    put_event(&m->log, XID_EVENT, STR("12345678"), true);
}

static void put_insert(struct made *m, unsigned id, const char *table, int first)
{
    put_map(m, id, table, 2, MYSQL_TYPE_LONG);
    put_row(m, id, first, first * 10, 3);
}

static void put_transaction(struct made *m, const char *table, int first)
{
    put_gtid(m, false, 1000000 + (uint64_t)first);
    put_query(m, "BEGIN");
    put_insert(m, 9, table, first);
    put_xid(m);
}

/* --- reading ---------------------------------------------------------------------------
 */

static const char *const names[] = { "t", "u" };

static const struct column columns[2] = {
    { .name = { "id", 2 },
      .avro_name = { "id", 2 },
      .type = TYPE_INT,
      .bytes = 4,
      .key_ordinal = 1,
      .selected = true },
    { .name = { "n", 1 },
      .avro_name = { "n", 1 },
      .type = TYPE_INT,
      .bytes = 4,
      .selected = true,
      .nullable = true },
};

static struct catalog_table table(unsigned i)
{
    return (struct catalog_table){ .schema = { .database = STR("d"),
                                               .name = str_of(names[i]),
                                               .column_count = 2,
                                               .key_count = 1,
                                               .columns = columns },
                                   .key = KEY_PRIMARY,
                                   .key_name = STR("PRIMARY"),
                                   .engine = STR("InnoDB") };
}

struct visit {
    struct log_text text;
    struct arena *arena;
    struct log_position place; /* read on from here */
    struct error err;
    struct fake *fake; /* of the visit under way */
    int fail_after;    /* for the next one */
    bool no_sums;
    const char *executed, *purged;
};

static struct visit new_visit(void)
{
    struct visit v = { .arena = arena_new(1u << 24) };
    v.place = (struct log_position){ .file = STR(FILE_NAME), .offset = 4 };
    buf_init(&v.text.out, 1u << 24);
    v.text.names = names;
    v.text.columns[0] = v.text.columns[1] = 2;
    v.executed = v.purged = "";
    return v;
}

static void done(struct visit *v, struct made *m)
{
    buf_done(&v->text.out);
    arena_free(v->arena);
    if (m != NULL)
        buf_done(&m->log);
}

static struct log_position kept(struct visit *v, const struct log_position *p)
{
    struct log_position out;
    struct error err = { 0 };
    struct str text = log_position_format(v->arena, p);
    assert_int_equal(log_position_parse(v->arena, text, &out, &err), 0);
    return out;
}

/* Read to the end or to an error; the lines. */
static const char *visit(struct visit *v, struct str log)
{
    struct log_options o = { .row_limit = 1u << 20 };
    struct log_item item = { 0 };
    buf_clear(&v->text.out);
    v->text.open = false;
    v->err = (struct error){ 0 };
    v->fake = new_fake(log);
    v->fake->fail_after = v->fail_after;
    v->fake->no_sums = v->no_sums;
    v->fake->executed = v->executed;
    v->fake->purged = v->purged;
    struct log_reader *r = log_reader_over(&v->fake->feed, &v->place, &o, NULL, &v->err);
    if (r == NULL)
        return "";
    for (unsigned i = 0; i < 2; i++) {
        struct catalog_table t = table(i);
        assert_int_equal(log_reader_watch(r, i, &t, &v->err), 0);
    }
    while (item.kind != LOG_END && item.kind != LOG_RESTART) {
        if (log_reader_next(r, &item, &v->err) != 1)
            break;
        log_text_add(&v->text, &item);
        if (item.kind == LOG_COMMIT || item.kind == LOG_END)
            v->place = kept(v, log_reader_position(r));
    }
    log_reader_close(r);
    return buf_text(&v->text.out);
}

static void transactions_become_rows_and_commits(void **state)
{
    (void)state;
    struct made m = make_log();
    struct visit v = new_visit();
    put_transaction(&m, "t", 1);
    put_gtid(&m, false, 5);
    put_query(&m, "BEGIN");
    put_map(&m, 7, "other", 3, 99); /* a type that nobody knows, of no table of ours */
    put_row(&m, 7, 0, 0, 3);
    put_insert(&m, 8, "u", 2);
    put_insert(&m, 9, "t", 3);
    put_xid(&m);
    assert_string_equal(visit(&v, buf_str(&m.log)),
                        "I t 1,10\nC\nI u 2,20\nI t 3,30\nC\n");
    assert_int_equal(v.err.code, ERR_NONE);
    assert_int_equal(v.place.offset, m.log.len);
    assert_true(v.place.last_at == 5);
    assert_str(v.place.last_gtid, UUID ":2");
    assert_str(v.place.server, "a-server");
    /* nothing twice */
    assert_string_equal(visit(&v, buf_str(&m.log)), "");
    assert_int_equal(v.err.code, ERR_NONE);
    put_transaction(&m, "u", 4);
    assert_string_equal(visit(&v, buf_str(&m.log)), "I u 4,40\nC\n");
    done(&v, &m);
}

static void what_is_rolled_back_is_lost(void **state)
{
    (void)state;
    struct made m = make_log();
    struct visit v = new_visit();
    put_gtid(&m, true, 5);
    put_query(&m, "BEGIN");
    put_insert(&m, 8, "u", 2);
    put_query(&m, "ROLLBACK TO `s`");
    put_insert(&m, 9, "t", 3);
    put_xid(&m);
    put_gtid(&m, true, 5);
    put_query(&m, "BEGIN");
    put_insert(&m, 9, "t", 4);
    put_query(&m, "ROLLBACK");
    assert_string_equal(visit(&v, buf_str(&m.log)),
                        "I u 2,20\nLOST u: a transaction with its rows was rolled back\n"
                        "I t 3,30\nC\nI t 4,40\n"
                        "LOST t: a transaction with its rows was rolled back\nC\n");
    done(&v, &m);
}

static void a_transaction_that_does_not_end_is_lost(void **state)
{
    (void)state;
    struct made m = make_log();
    struct visit v = new_visit();
    put_gtid(&m, true, 5);
    put_query(&m, "BEGIN");
    put_insert(&m, 8, "u", 2);
    put_transaction(&m, "t", 1);
    assert_string_equal(visit(&v, buf_str(&m.log)),
                        "I u 2,20\nLOST u: a transaction with its rows does not end\n"
                        "I t 1,10\nC\n");
    done(&v, &m);
}

static void one_table_that_cannot_be_read_leaves_the_others(void **state)
{
    (void)state;
    struct made m = make_log();
    struct visit v = new_visit();
    put_gtid(&m, true, 5);
    put_query(&m, "BEGIN");
    put_map(&m, 8, "u", 3, MYSQL_TYPE_LONG);
    put_row(&m, 8, 2, 2, 3);
    put_insert(&m, 9, "t", 3);
    put_xid(&m);
    assert_string_equal(visit(&v, buf_str(&m.log)),
                        "LOST u: the log has 3 columns, the table was known with 2\n"
                        "I t 3,30\nC\n");
    done(&v, &m);
    m = make_log();
    v = new_visit();
    put_gtid(&m, true, 5);
    put_query(&m, "BEGIN");
    put_map(&m, 8, "u", 2, MYSQL_TYPE_LONG);
    put_row(&m, 8, 2, 2, 1); /* an insert without its second column: to be read again */
    put_row(&m, 8, 2, 2, 2); /* one without its key */
    put_map(&m, 9, "t", 2, MYSQL_TYPE_LONGLONG);
    put_row(&m, 9, 2, 2, 3);
    put_xid(&m);
    const char *got = visit(&v, buf_str(&m.log));
    assert_non_null(strstr(got, "I u 2,-\nLOST u: the log has rows without column 'id'"));
    assert_non_null(strstr(got, "LOST t: column 'id' of 't' is no longer"));
    done(&v, &m);
}

static void gaps_and_statements_are_loud(void **state)
{
    (void)state;
    struct made m = make_log();
    struct visit v = new_visit();
    put_gtid(&m, true, 5);
    put_query(&m, "BEGIN");
    put_query(&m, "INSERT INTO elsewhere VALUES (1)");
    put_query(&m, "COMMIT");
    const char *got = visit(&v, buf_str(&m.log));
    assert_non_null(strstr(got, "LOST t: a statement changed rows"));
    assert_non_null(strstr(got, "LOST u: a statement changed rows"));
    put_event(&m.log, INCIDENT_EVENT, STR("\1\0\4lost"), true);
    v.place = (struct log_position){ .file = STR(FILE_NAME), .offset = 4 };
    (void)visit(&v, buf_str(&m.log));
    assert_int_equal(v.err.code, ERR_POSITION);
    assert_non_null(strstr(v.err.text, "the server says that its log has a gap"));
    assert_non_null(v.err.hint);
    done(&v, &m);
}

static void text_is_read_in_its_charset(void **state)
{
    (void)state;
    struct made m = make_log();
    struct visit v = new_visit();
    /* sjis: the second byte of the character is a backslash, which ends no quote */
    put_gtid(&m, true, 5);
    put_query_in(&m, "DROP TABLE `\x83\x5c`, `u` -- '", 13);
    put_gtid(&m, true, 5);
    put_query_in(&m, "TRUNCATE t", 65535); /* no charset has this number */
    assert_string_equal(
        visit(&v, buf_str(&m.log)),
        "GONE u: the table was dropped\nC\n"
        "LOST t: a statement in the log is not understood (its character set); it may "
        "have changed any table\nC\n");
    done(&v, &m);
}

static void a_lost_connection_costs_nothing_between_rows(void **state)
{
    (void)state;
    struct made m = make_log();
    put_transaction(&m, "t", 1);
    put_transaction(&m, "u", 2);
    bool restarted = false, whole = false;
    for (int n = 1; n < 20; n++) {
        struct visit v = new_visit();
        v.fail_after = n;
        struct str first = arena_str(v.arena, str_of(visit(&v, buf_str(&m.log))));
        if (str_ends(first, STR("RESTART\n"))) {
            restarted = true;
            v.fail_after = 0;
            const char *then = visit(&v, buf_str(&m.log));
            assert_true(str_ends(str_of(then), STR("I u 2,20\nC\n")));
        } else if (n > 1) { /* 1: it cannot even be opened */
            assert_int_equal(v.err.code, ERR_NONE);
            assert_str(first, "I t 1,10\nC\nI u 2,20\nC\n");
            whole = true;
        }
        done(&v, NULL);
    }
    assert_true(restarted && whole);
    buf_done(&m.log);
}

static void the_last_transaction_is_the_proof(void **state)
{
    (void)state;
    struct made m = make_log();
    struct visit v = new_visit();
    put_transaction(&m, "t", 1);
    assert_string_equal(visit(&v, buf_str(&m.log)), "I t 1,10\nC\n");
    assert_int_equal(v.place.gtid.len, 0); /* it did not start with one */
    /* the same place in another log: another row, with a right checksum */
    struct made other = make_log();
    put_transaction(&other, "t", 2);
    put_transaction(&other, "t", 3);
    assert_int_equal(other.log.len > m.log.len, true);
    (void)visit(&v, buf_str(&other.log));
    assert_int_equal(v.err.code, ERR_POSITION);
    assert_non_null(v.err.hint);
    /* a log that is shorter */
    struct made empty = make_log();
    (void)visit(&v, buf_str(&empty.log));
    assert_int_equal(v.err.code, ERR_POSITION);
    /* and the right one */
    put_transaction(&m, "t", 5);
    assert_string_equal(visit(&v, buf_str(&m.log)), "I t 5,50\nC\n");
    buf_done(&other.log);
    buf_done(&empty.log);
    done(&v, &m);
}

static void gtids_are_the_second_proof(void **state)
{
    (void)state;
    struct made m = make_log();
    struct visit v = new_visit();
    put_transaction(&m, "t", 1);
    put_transaction(&m, "t", 2);
    v.place = (struct log_position){ .gtid = STR(UUID ":1"),
                                     .last_gtid = STR(UUID ":1"),
                                     .last_at = 1000001,
                                     .server = STR("another") };
    struct log_position from = v.place;
    v.executed = UUID ":1-2";
    assert_string_equal(visit(&v, buf_str(&m.log)), "I t 2,20\nC\n");
    assert_str(v.place.gtid, UUID ":1-2");
    assert_str(v.place.server, "a-server");
    assert_str(v.place.file, FILE_NAME);
    /* it never had ours */
    v.place = from;
    v.executed = UUID ":2-9";
    (void)visit(&v, buf_str(&m.log));
    assert_int_equal(v.err.code, ERR_POSITION);
    assert_non_null(strstr(v.err.text, "another history"));
    /* it has purged what comes behind ours */
    v.executed = UUID ":1-9";
    v.purged = UUID ":1-4";
    (void)visit(&v, buf_str(&m.log));
    assert_int_equal(v.err.code, ERR_POSITION);
    assert_non_null(strstr(v.err.text, UUID ":2-4"));
    /* the last one has the same name and another time */
    v.purged = "";
    v.place.last_at++;
    (void)visit(&v, buf_str(&m.log));
    assert_int_equal(v.err.code, ERR_POSITION);
    assert_non_null(strstr(v.err.text, "is another one"));
    done(&v, &m);
}

static void put_xa(struct made *m, const char *name, bool one_phase)
{
    struct buf b;
    buf_init(&b, 4096);
    put_le(&b, one_phase, 1);
    put_le(&b, 1, 4);
    put_le(&b, strlen(name), 4);
    put_le(&b, 0, 4);
    buf_add_text(&b, name);
    put_event(&m->log, XA_PREPARE_EVENT, buf_str(&b), true);
    buf_done(&b);
}

static void prepared_rows_wait_for_their_commit(void **state)
{
    (void)state;
    struct made m = make_log();
    struct visit v = new_visit();
    put_gtid(&m, false, 5);
    put_query(&m, "XA START X'61',X'',1");
    put_insert(&m, 9, "t", 1);
    put_query(&m, "XA END X'61',X'',1");
    put_xa(&m, "a", false);
    put_gtid(&m, false, 6);
    put_query(&m, "XA START X'62',X'',1");
    put_insert(&m, 9, "t", 2);
    put_xa(&m, "b", true);
    assert_string_equal(visit(&v, buf_str(&m.log)), "I t 2,20\nC\n");
    assert_int_equal(v.place.xa_count, 1);
    assert_str(v.place.xa[0].xid, "X'61',X'',1");
    struct log_position before = v.place;
    put_transaction(&m, "u", 7);
    put_gtid(&m, false, 8);
    put_query(&m, "XA COMMIT X'61',X'',1");
    put_transaction(&m, "u", 8);
    assert_string_equal(visit(&v, buf_str(&m.log)),
                        "I u 7,70\nC\nI t 1,10\nC\nI u 8,80\nC\n");
    assert_int_equal(v.place.xa_count, 0);
    /* nobody told us of it: it is searched */
    v.place = before;
    v.place.xa_count = 0;
    assert_string_equal(visit(&v, buf_str(&m.log)),
                        "I u 7,70\nC\nI t 1,10\nC\nI u 8,80\nC\n");
    put_gtid(&m, false, 9);
    put_query(&m, "XA COMMIT X'6e6f',X'',1");
    (void)visit(&v, buf_str(&m.log));
    assert_int_equal(v.err.code, ERR_POSITION);
    done(&v, &m);
}

static void a_log_that_is_cut_gives_whole_transactions_only(void **state)
{
    (void)state;
    struct made m = make_log();
    put_transaction(&m, "t", 1);
    size_t first = m.log.len;
    put_transaction(&m, "u", 2);
    for (size_t n = 4; n < m.log.len; n++) {
        struct visit v = new_visit();
        const char *got = visit(&v, (struct str){ m.log.data, n });
        assert_true(n == first || v.err.code != ERR_NONE || strlen(got) == 0);
        assert_true((strstr(got, "I t 1,10\nC\n") != NULL) == (n >= first));
        assert_null(strstr(got, "I u 2,20\nC\n"));
        done(&v, NULL);
    }
    buf_done(&m.log);
}

static void damage_ends_in_an_error_or_a_loss(void **state)
{
    (void)state;
    struct made m = make_log();
    put_transaction(&m, "t", 1);
    put_gtid(&m, false, 5);
    put_query(&m, "XA START X'61',X'',1");
    put_insert(&m, 9, "t", 1);
    put_xa(&m, "a", false);
    put_gtid(&m, false, 6);
    put_query(&m, "ALTER TABLE t ADD COLUMN x INT, RENAME TO u");
    put_gtid(&m, false, 8);
    put_query(&m, "XA COMMIT X'61',X'',1");
    put_transaction(&m, "u", 8);
    for (size_t i = 4; i < m.log.len * 3; i++) {
        struct visit v = new_visit();
        char *byte = &m.log.data[i / 3];
        char was = *byte;
        *byte = (char)(i % 3 == 0 ? was ^ 1 : i % 3 == 1 ? 0xff : 0);
        v.no_sums = true;
        (void)visit(&v, buf_str(&m.log)); /* it ends, and touches nothing else */
        *byte = was;
        done(&v, NULL);
    }
    buf_done(&m.log);
}

static void positions_are_compared_by_place_or_by_gtid(void **state)
{
    (void)state;
    static const struct {
        const char *have_file, *have_gtid, *end_file, *end_gtid;
        uint64_t have, end;
        bool reached;
    } cases[] = {
        { "b.000009", "", "b.000010", "", 500, 4, false },
        { "b.000010", "", "b.000009", "", 4, 500, true },
        { "b.000010", "", "b.000010", "", 500, 500, true },
        { "b.000010", "", "b.000010", "", 499, 500, false },
        { "b.000010", "", "c.000010", "", 501, 500, false },
        { "", UUID ":1-5", "b.000010", UUID ":1-5", 0, 4, true },
        { "", UUID ":1-4", "b.000010", UUID ":1-5", 0, 4, false },
        { "", "0-1-5,1-1-1", "b.000010", "0-1-5", 0, 4, true },
        { "", "0-1-4", "b.000010", "0-1-5", 0, 4, false },
        { "", "", "b.000010", "", 0, 4, false },
        { "b.000010", "", "", "", 4, 0, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct log_position have = { .file = str_of(cases[i].have_file),
                                     .offset = cases[i].have,
                                     .gtid = str_of(cases[i].have_gtid) };
        struct log_position end = { .file = str_of(cases[i].end_file),
                                    .offset = cases[i].end,
                                    .gtid = str_of(cases[i].end_gtid) };
        if (log_position_reached(&have, &end) != cases[i].reached)
            fail_msg("case %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transactions_become_rows_and_commits),
        cmocka_unit_test(what_is_rolled_back_is_lost),
        cmocka_unit_test(a_transaction_that_does_not_end_is_lost),
        cmocka_unit_test(one_table_that_cannot_be_read_leaves_the_others),
        cmocka_unit_test(gaps_and_statements_are_loud),
        cmocka_unit_test(text_is_read_in_its_charset),
        cmocka_unit_test(a_lost_connection_costs_nothing_between_rows),
        cmocka_unit_test(the_last_transaction_is_the_proof),
        cmocka_unit_test(gtids_are_the_second_proof),
        cmocka_unit_test(prepared_rows_wait_for_their_commit),
        cmocka_unit_test(a_log_that_is_cut_gives_whole_transactions_only),
        cmocka_unit_test(damage_ends_in_an_error_or_a_loss),
        cmocka_unit_test(positions_are_compared_by_place_or_by_gtid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
