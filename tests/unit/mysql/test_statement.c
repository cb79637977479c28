/* Prepared statements against a scripted server. */
#include "mysql/statement.h"
#include "mysql/type.h"
#include "support/test.h"
#include "support/wire.h"

static const struct result_column two[2] = {
    { .name = { "id", 2 }, .type = MYSQL_TYPE_LONG, .collation = 63 },
    { .name = { "u", 1 },
      .type_name = { "uuid", 4 },
      .type = MYSQL_TYPE_STRING,
      .collation = 8 },
};

struct fixture {
    struct wire_script wire;
    struct session *session;
};

static struct fixture *begin(bool mariadb)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    wire_init(&f->wire);
    f->session = session_over(wire_io(&f->wire),
                              &(struct result_dialect){ .extended_metadata = mariadb,
                                                        .cached_metadata = mariadb },
                              1000000);
    return f;
}

static void end(struct fixture *f)
{
    session_close(f->session);
    wire_done(&f->wire);
    free(f);
}

static void send_row(struct wire_script *w, uint32_t id, struct str text)
{
    wire_le(w, 0, 2);
    wire_le(w, id, 4);
    wire_text(w, text);
    wire_send(w);
}

static void send_head(struct wire_script *w, bool mariadb, bool definitions)
{
    wire_answer(w);
    wire_le(w, 2, 1);
    if (mariadb)
        wire_le(w, definitions, 1);
    wire_send(w);
    for (unsigned i = 0; definitions && i < 2; i++)
        wire_send_column(w, &two[i], mariadb);
    wire_send_eof(w);
}

static void rows_stream_in_both_dialects(void **state)
{
    (void)state;
    for (unsigned mariadb = 0; mariadb < 2; mariadb++)
        for (unsigned definitions = 1 - mariadb; definitions < 2; definitions++) {
            struct fixture *f = begin(mariadb);
            struct error err = { 0 };
            struct packet row;
            unsigned count;
            unsigned generation;
            wire_send_prepared(&f->wire, two, 2, mariadb);
            send_head(&f->wire, mariadb, definitions);
            send_row(&f->wire, 1, STR("a"));
            send_row(&f->wire, 2, STR("bb"));
            wire_send_eof(&f->wire);
            struct statement *st = statement_prepare(f->session, STR("SELECT 1"), &err);
            assert_non_null(st);
            assert_int_equal(statement_execute(st, NULL, 0, 1000, &err), 0);
            const struct result_column *c = statement_columns(st, &count, &generation);
            assert_int_equal(count, 2);
            assert_int_equal(generation, 1);
            assert_str(c[0].name, "id");
            assert_true(
                str_eq(c[1].type_name, mariadb ? STR("uuid") : (struct str){ 0 }));
            assert_false(session_is_usable(f->session));
            assert_int_equal(statement_next(st, &row, &err), 1);
            assert_str(row.head, "\0\0\1\0\0\0\1a");
            assert_int_equal(statement_next(st, &row, &err), 1);
            assert_str(row.head, "\0\0\2\0\0\0\2bb");
            assert_int_equal(statement_next(st, &row, &err), 0);
            assert_int_equal(statement_next(st, &row, &err), 0);
            assert_true(session_is_usable(f->session));
            statement_close(st);
            assert_true(session_is_usable(f->session));
            end(f);
        }
}

static void a_row_past_the_limit_comes_cut_and_the_next_follows(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    struct error err = { 0 };
    struct packet row;
    char *text = calloc(1, 70000);
    assert_non_null(text);
    wire_send_prepared(&f->wire, two, 2, false);
    send_head(&f->wire, false, true);
    send_row(&f->wire, 1, (struct str){ text, 70000 });
    wire_send_eof(&f->wire);
    struct statement *st = statement_prepare(f->session, STR("SELECT 1"), &err);
    assert_non_null(st);
    assert_int_equal(statement_execute(st, NULL, 0, 1000, &err), 0);
    assert_int_equal(statement_next(st, &row, &err), 1);
    assert_true(row.cut);
    assert_int_equal(row.size, 2 + 4 + 4 + 70000);
    assert_int_equal(statement_next(st, &row, &err), 0);
    statement_close(st);
    free(text);
    end(f);
}

static void an_error_in_the_middle_ends_the_rows_and_frees_the_session(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    struct error err = { 0 };
    struct packet row;
    wire_send_prepared(&f->wire, two, 2, false);
    send_head(&f->wire, false, true);
    send_row(&f->wire, 1, STR("a"));
    wire_send_error(&f->wire, 1317, "Query execution was interrupted");
    struct statement *st = statement_prepare(f->session, STR("SELECT 1"), &err);
    assert_non_null(st);
    assert_int_equal(statement_execute(st, NULL, 0, 1000, &err), 0);
    assert_int_equal(statement_next(st, &row, &err), 1);
    assert_int_equal(statement_next(st, &row, &err), -1);
    assert_int_equal(err.code, ERR_NETWORK);
    assert_int_equal(err.remote, 1317);
    assert_string_equal(err.text, "server error 1317: Query execution was interrupted");
    assert_int_equal(statement_next(st, &row, &err), 0);
    assert_true(session_is_usable(f->session));
    statement_close(st);
    end(f);
}

static void an_error_of_the_preparation_leaves_the_session_usable(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    struct error err = { 0 };
    wire_send_error(&f->wire, 1146, "Table 'shop.t' doesn't exist");
    assert_null(statement_prepare(f->session, STR("SELECT 1"), &err));
    assert_int_equal(err.code, ERR_SCHEMA);
    assert_non_null(err.hint);
    assert_true(session_is_usable(f->session));
    end(f);
}

static void closing_in_the_middle_breaks_the_session_and_draining_does_not(void **state)
{
    (void)state;
    for (unsigned drain = 0; drain < 2; drain++) {
        struct fixture *f = begin(false);
        struct error err = { 0 };
        struct packet row;
        wire_send_prepared(&f->wire, two, 2, false);
        send_head(&f->wire, false, true);
        send_row(&f->wire, 1, STR("a"));
        send_row(&f->wire, 2, STR("a"));
        wire_send_eof(&f->wire);
        struct statement *st = statement_prepare(f->session, STR("SELECT 1"), &err);
        assert_non_null(st);
        assert_int_equal(statement_execute(st, NULL, 0, 1000, &err), 0);
        assert_int_equal(statement_next(st, &row, &err), 1);
        assert_int_equal(session_exec(f->session, STR("DO 1"), &err), -1);
        assert_int_equal(err.code, ERR_BUG);
        if (drain)
            assert_int_equal(statement_drain(st, &err), 0);
        statement_close(st);
        assert_int_equal(session_is_usable(f->session), drain);
        end(f);
    }
}

static void changed_columns_get_another_generation(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    struct error err = { 0 };
    struct packet row;
    unsigned count;
    unsigned generation;
    struct result_column other[2] = { two[0], two[1] };
    other[0].type = MYSQL_TYPE_LONGLONG;
    wire_send_prepared(&f->wire, other, 2, false);
    send_head(&f->wire, false, true);
    wire_send_eof(&f->wire);
    struct statement *st = statement_prepare(f->session, STR("SELECT 1"), &err);
    assert_non_null(st);
    assert_int_equal(statement_execute(st, NULL, 0, 1000, &err), 0);
    assert_int_equal(statement_columns(st, &count, &generation)[0].type, MYSQL_TYPE_LONG);
    assert_int_equal(generation, 2);
    assert_int_equal(statement_next(st, &row, &err), 0);
    statement_close(st);
    end(f);
}

static void damaged_answers_are_errors_and_not_crashes(void **state)
{
    (void)state;
    static const struct str heads[] = {
        { "", 0 },           { "\xfb/etc/passwd", 12 },
        { "\xfc\1", 2 },     { "\xfe\1\1\1\1\1\1\1\1", 9 },
        { "\xff\1", 2 },     { "\0", 1 },
        { "\xfd\0\0\0", 4 },
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct fixture *f = begin(false);
        struct error err = { 0 };
        wire_send_bytes(&f->wire, heads[i]);
        assert_int_equal(session_exec(f->session, STR("SELECT 1"), &err), -1);
        assert_int_equal(err.code, ERR_PROTOCOL);
        end(f);
    }
}

static void text_results_keep_null_and_empty_apart(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    struct error err = { 0 };
    struct session_result r;
    struct arena *a = arena_new(1u << 20);
    wire_send_bytes(&f->wire, STR("\2"));
    wire_send_column(&f->wire, &two[0], false);
    wire_send_column(&f->wire, &two[1], false);
    wire_send_eof(&f->wire);
    wire_send_bytes(&f->wire, STR("\xfb\0"));
    wire_send_bytes(&f->wire, STR("\0013\3abc"));
    wire_send_eof(&f->wire);
    assert_int_equal(session_query(f->session, a, STR("SELECT id, u FROM t"), &r, &err),
                     0);
    assert_int_equal(r.row_count, 2);
    assert_int_equal(r.column_count, 2);
    assert_str(r.names[1], "u");
    assert_null(r.cells[0].ptr);
    assert_non_null(r.cells[1].ptr);
    assert_int_equal(r.cells[1].len, 0);
    assert_str(r.cells[2], "3");
    assert_str(r.cells[3], "abc");
    assert_str(buf_str(&f->wire.received), "\x14\0\0\0\3SELECT id, u FROM t");
    arena_free(a);
    end(f);
}

static void a_result_past_the_arena_is_a_limit_and_the_session_lives(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    struct error err = { 0 };
    struct session_result r;
    struct arena *a = arena_new(4096);
    char text[200] = "";
    wire_send_bytes(&f->wire, STR("\1"));
    wire_send_column(&f->wire, &two[0], false);
    wire_send_eof(&f->wire);
    for (unsigned i = 0; i < 200; i++) {
        wire_text(&f->wire, (struct str){ text, sizeof text });
        wire_send(&f->wire);
    }
    wire_send_eof(&f->wire);
    assert_int_equal(session_query(f->session, a, STR("SELECT 1"), &r, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_true(session_is_usable(f->session));
    arena_free(a);
    end(f);
}

static void parameters_travel_as_text_with_a_null_bitmap(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    struct error err = { 0 };
    wire_answer(&f->wire);
    wire_send_bytes(&f->wire, STR("\0\1\0\0\0\0\0\2\0\0\0\0"));
    wire_send_column(&f->wire, &two[1], false);
    wire_send_column(&f->wire, &two[1], false);
    wire_send_eof(&f->wire);
    wire_answer(&f->wire);
    wire_send_bytes(&f->wire, STR("\0\1\0\0\0\0\0"));
    struct statement *st = statement_prepare(f->session, STR("DO ?, ?"), &err);
    assert_non_null(st);
    assert_int_equal(statement_param_count(st), 2);
    buf_clear(&f->wire.received);
    struct str params[2] = { { 0 }, STR("x'y") };
    assert_int_equal(statement_execute(st, params, 1, 1000, &err), -1);
    assert_int_equal(err.code, ERR_BUG);
    assert_int_equal(statement_execute(st, params, 2, 1000, &err), 0);
    assert_str(buf_str(&f->wire.received),
               "\x14\0\0\0\x17\1\0\0\0\0\1\0\0\0\1\1\xfd\0\xfd\0\3x'y");
    statement_close(st);
    end(f);
}

static void quoting_leaves_no_way_out(void **state)
{
    (void)state;
    struct buf sql;
    buf_init(&sql, 1000);
    session_quote_ident(&sql, STR("a`b"));
    session_quote_literal(&sql, STR("it's \\ \0 \""));
    session_quote_stored(&sql, STR("latin1"), STR("latin1_swedish_ci"), STR("\xe4'"));
    session_quote_stored(&sql, (struct str){ 0 }, (struct str){ 0 }, STR("\0\xff"));
    session_quote_stored(&sql, STR("x; DROP"), STR("y"), STR("z"));
    assert_str(buf_str(&sql),
               "`a``b`'it\\'s \\\\ \\0 \"'_latin1 X'e427' COLLATE latin1_swedish_ci"
               "X'00ff'X'7a'");
    buf_done(&sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_stream_in_both_dialects),
        cmocka_unit_test(a_row_past_the_limit_comes_cut_and_the_next_follows),
        cmocka_unit_test(an_error_in_the_middle_ends_the_rows_and_frees_the_session),
        cmocka_unit_test(an_error_of_the_preparation_leaves_the_session_usable),
        cmocka_unit_test(closing_in_the_middle_breaks_the_session_and_draining_does_not),
        cmocka_unit_test(changed_columns_get_another_generation),
        cmocka_unit_test(damaged_answers_are_errors_and_not_crashes),
        cmocka_unit_test(text_results_keep_null_and_empty_apart),
        cmocka_unit_test(a_result_past_the_arena_is_a_limit_and_the_session_lives),
        cmocka_unit_test(parameters_travel_as_text_with_a_null_bitmap),
        cmocka_unit_test(quoting_leaves_no_way_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
