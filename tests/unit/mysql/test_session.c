/* What a session refuses before any byte is sent, and what server errors become. */
#include "mysql/server_error.h"
#include "mysql/session.h"
#include "support/test.h"

static void assert_refused(const struct session_options *o, const char *text)
{
    struct error err = { 0 };
    assert_null(session_open(o, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(strstr(err.text, text));
    assert_null(strstr(err.text, "hunter2"));
}

static void options_that_cannot_be_right_are_refused_at_once(void **state)
{
    (void)state;
    struct session_options o = { .user = "u", .password = "hunter2" };
    assert_refused(&o, "no host");
    o.host = "db.example:3307";
    assert_refused(&o, "'db.example:3307' is more than a host name");
    o.host = "[::1]";
    assert_refused(&o, "'[::1]' is more than a host name");
    o.host = "db.example";
    o.ca_file = "/nonexistent/ca.pem";
    assert_refused(&o, "CA file '/nonexistent/ca.pem' cannot be read");
}

static void a_refused_connection_names_the_host_and_may_be_tried_again(void **state)
{
    (void)state;
    struct session_options o = { .host = "127.0.0.1",
                                 .port = 1,
                                 .user = "u",
                                 .password = "hunter2",
                                 .tls = SESSION_TLS_DISABLED };
    struct error err = { 0 };
    assert_null(session_open(&o, &err));
    assert_int_equal(err.code, ERR_NETWORK);
    assert_int_equal(error_action(&err), ACT_RETRY);
    assert_non_null(strstr(err.text, "connecting to '127.0.0.1' port 1"));
    assert_non_null(err.hint);
    assert_null(strstr(err.text, "hunter2"));
    session_close(NULL);
}

static void a_cancelled_job_does_not_connect(void **state)
{
    (void)state;
    struct session_options o = {
        .host = "127.0.0.1", .port = 1, .user = "u", .cancel = cancel_new()
    };
    struct error err = { 0 };
    cancel_request(o.cancel, CANCEL_GRACEFUL);
    assert_null(session_open(&o, &err));
    assert_int_equal(err.code, ERR_CANCELLED);
    cancel_free(o.cancel);
}

static void server_errors_decide_what_a_job_does(void **state)
{
    (void)state;
    static const struct {
        uint32_t number;
        enum error_code code;
        bool hint;
    } want[] = {
        { 1045, ERR_AUTH, true },     { 1044, ERR_AUTH, true },
        { 1142, ERR_AUTH, true },     { 1143, ERR_AUTH, true },
        { 1049, ERR_CONFIG, true },   { 1146, ERR_SCHEMA, true },
        { 1054, ERR_SCHEMA, true },   { 1205, ERR_NETWORK, true },
        { 1213, ERR_NETWORK, true },  { 2002, ERR_NETWORK, true },
        { 2003, ERR_NETWORK, true },  { 2005, ERR_NETWORK, true },
        { 2006, ERR_NETWORK, true },  { 2013, ERR_NETWORK, true },
        { 2026, ERR_CONFIG, true },   { 1040, ERR_NETWORK, true },
        { 1226, ERR_NETWORK, true },  { 1203, ERR_NETWORK, true },
        { 3024, ERR_NETWORK, true },  { 1969, ERR_NETWORK, true },
        { 1236, ERR_POSITION, true }, { 1064, ERR_PROTOCOL, false },
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        struct error err = { 0 };
        assert_int_equal(server_error_set(&err, want[i].number, STR("why")), -1);
        assert_int_equal(err.code, want[i].code);
        assert_int_equal(err.remote, want[i].number);
        assert_int_equal(err.hint != NULL, want[i].hint);
        assert_non_null(strstr(err.text, "why"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_that_cannot_be_right_are_refused_at_once),
        cmocka_unit_test(a_refused_connection_names_the_host_and_may_be_tried_again),
        cmocka_unit_test(a_cancelled_job_does_not_connect),
        cmocka_unit_test(server_errors_decide_what_a_job_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
