/* What a server says of its log, in either spelling, by a script. */
#include "mysql/dump.h"
#include "mysql/log_status.h"
#include "support/test.h"
#include "support/wire.h"

#include <string.h>

struct asked {
    struct wire_script wire;
    struct session *session; /* owned */
    struct arena *arena;     /* owned */
    struct error err;
};

static void asked_init(struct asked *a)
{
    *a = (struct asked){ 0 };
    wire_init(&a->wire);
    a->arena = arena_new(1 << 20);
    a->session = session_over(wire_io(&a->wire), &(struct result_dialect){ 0 }, 1000000);
}

static void asked_done(struct asked *a)
{
    session_close(a->session);
    arena_free(a->arena);
    wire_done(&a->wire);
}

/* A result of one row or, without cells, of none. */
static void answer(struct asked *a, const char *const *names, const char *const *cells,
                   unsigned count)
{
    struct wire_script *w = &a->wire;
    wire_answer(w);
    wire_le(w, count, 1);
    wire_send(w);
    for (unsigned i = 0; i < count; i++)
        wire_send_column(w,
                         &(struct result_column){
                             .name = str_of(names[i]), .type = 253, .collation = 45 },
                         false);
    wire_send_eof(w);
    for (unsigned i = 0; cells != NULL && i < count; i++)
        wire_text(w, str_of(cells[i]));
    if (cells != NULL)
        wire_send(w);
    wire_send_eof(w);
}

static void refuse(struct asked *a, unsigned number)
{
    wire_answer(&a->wire);
    wire_send_error(&a->wire, number, "no");
}

static const char *const STATUS[] = { "File", "Position", "Binlog_Do_DB",
                                      "Binlog_Ignore_DB", "Executed_Gtid_Set" };

static void the_end_of_the_log_in_either_spelling(void **state)
{
    (void)state;
    static const char *const cells[] = { "binlog.000002", "5000000000", "", "tmp",
                                         "u:1-5,\nv:1" };
    for (int old = 0; old < 2; old++) {
        struct asked a;
        struct log_status s;
        asked_init(&a);
        if (old)
            refuse(&a, 1064);
        answer(&a, STATUS, cells, 5);
        assert_int_equal(log_status_read(a.session, a.arena, &s, &a.err), 0);
        assert_true(s.on && s.offset == UINT64_C(5000000000));
        assert_str(s.file, "binlog.000002");
        assert_str(s.gtids, "u:1-5,v:1");
        assert_str(s.ignored_databases, "tmp");
        bool asked_old =
            memmem(a.wire.received.data, a.wire.received.len, "MASTER", 6) != NULL;
        assert_int_equal(asked_old, old);
        asked_done(&a);
    }
}

static void a_log_that_is_off_is_no_error(void **state)
{
    (void)state;
    struct asked a;
    struct log_status s;
    const struct log_file *files;
    size_t count = 1;
    asked_init(&a);
    answer(&a, STATUS, NULL, 5);
    assert_int_equal(log_status_read(a.session, a.arena, &s, &a.err), 0);
    assert_false(s.on);
    refuse(&a, 1381);
    assert_int_equal(log_files_read(a.session, a.arena, &files, &count, &a.err), 0);
    assert_int_equal(count, 0);
    asked_done(&a);
}

static void files_have_sizes_and_a_missing_privilege_a_hint(void **state)
{
    (void)state;
    static const char *const names[] = { "Log_name", "File_size", "Encrypted" };
    static const char *const cells[] = { "binlog.000001", "4294967297", "No" };
    struct asked a;
    const struct log_file *files;
    size_t count;
    asked_init(&a);
    answer(&a, names, cells, 3);
    assert_int_equal(log_files_read(a.session, a.arena, &files, &count, &a.err), 0);
    assert_int_equal(count, 1);
    assert_true(files[0].size == UINT64_C(4294967297));
    refuse(&a, 1227);
    assert_int_equal(log_files_read(a.session, a.arena, &files, &count, &a.err), -1);
    assert_int_equal(a.err.code, ERR_AUTH);
    assert_non_null(strstr(a.err.hint, "BINLOG MONITOR"));
    asked_done(&a);
}

static void a_place_that_the_log_has_not_is_told(void **state)
{
    (void)state;
    static const char *const names[] = { "BINLOG_GTID_POS" };
    struct asked a;
    struct str gtids;
    asked_init(&a);
    answer(&a, names, NULL, 1);
    assert_int_equal(
        log_gtid_at(a.session, a.arena, STR("binlog.000009"), 4, &gtids, &a.err), -1);
    assert_int_equal(a.err.code, ERR_POSITION);
    asked_done(&a);
}

static void a_server_id_that_a_replica_has_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = { "Server_Id", "Host", "Port", "Source_Id",
                                         "Replica_UUID" };
    static const char *const cells[] = { "77", "elsewhere", "3306", "1", "uuid" };
    struct asked a;
    struct dump_options o = { .server_id = 77 };
    asked_init(&a);
    answer(&a, names, cells, 5);
    assert_null(dump_open(a.session, &o, &a.err));
    assert_string_equal(a.err.text, "server id 77 is taken");
    asked_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_of_the_log_in_either_spelling),
        cmocka_unit_test(a_log_that_is_off_is_no_error),
        cmocka_unit_test(files_have_sizes_and_a_missing_privilege_a_hint),
        cmocka_unit_test(a_place_that_the_log_has_not_is_told),
        cmocka_unit_test(a_server_id_that_a_replica_has_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
