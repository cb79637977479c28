/* What a session refuses before any byte is sent, and what server errors become. */
#include "base/clock.h"
#include "mysql/server_error.h"
#include "mysql/session.h"
#include "support/test.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

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

static void *cancel_soon(void *ctx)
{
    (void)clock_wait_us(NULL, 50000);
    cancel_request(ctx, CANCEL_GRACEFUL);
    return NULL;
}

/* A peer that takes the connection and never says a word. */
static void a_login_that_hangs_ends_at_its_timeout_or_the_cancel(void **state)
{
    (void)state;
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    struct session_options o = { .host = "127.0.0.1",
                                 .port = ntohs(address.sin_port),
                                 .user = "u",
                                 .password = "hunter2",
                                 .connect_timeout_us = 1000000 };
    struct error err = { 0 };
    int64_t start = clock_mono_us();
    assert_null(session_open(&o, &err));
    assert_int_equal(err.code, ERR_NETWORK);
    assert_in_range(clock_mono_us() - start, 500000, 4000000);
    pthread_t thread;
    o.cancel = cancel_new();
    o.connect_timeout_us = 30000000;
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, o.cancel), 0);
    start = clock_mono_us();
    assert_null(session_open(&o, &err));
    assert_int_equal(err.code, ERR_CANCELLED);
    assert_in_range(clock_mono_us() - start, 1, 2000000);
    (void)pthread_join(thread, NULL);
    cancel_free(o.cancel);
    close(fd);
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
        cmocka_unit_test(a_login_that_hangs_ends_at_its_timeout_or_the_cancel),
        cmocka_unit_test(server_errors_decide_what_a_job_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
