#include "base/cancel.h"
#include "support/test.h"

#include <errno.h>
#include <poll.h>

static bool is_readable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    return poll(&p, 1, 0) == 1;
}

static void nothing_is_requested_at_first(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct cancel *c = cancel_new();
    assert_int_equal(cancel_requested(c), CANCEL_NONE);
    assert_int_equal(cancel_check(c, &err), 0);
    assert_false(is_readable(cancel_fd(c)));
    cancel_request(c, CANCEL_NONE);
    assert_false(is_readable(cancel_fd(c)));
    cancel_free(c);
}

static void a_request_is_seen_and_stays_readable(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct cancel *c = cancel_new();
    errno = ENOENT;
    cancel_request(c, CANCEL_GRACEFUL);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(cancel_requested(c), CANCEL_GRACEFUL);
    assert_true(is_readable(cancel_fd(c)));
    assert_true(is_readable(cancel_fd(c)));
    assert_int_equal(cancel_check(c, &err), -1);
    assert_int_equal(err.code, ERR_CANCELLED);
    assert_string_equal(err.text, "stopped on request");
    cancel_free(c);
}

static void a_hard_request_strengthens_and_is_never_weakened(void **state)
{
    (void)state;
    struct cancel *c = cancel_new();
    cancel_request(c, CANCEL_GRACEFUL);
    cancel_request(c, CANCEL_HARD);
    assert_int_equal(cancel_requested(c), CANCEL_HARD);
    cancel_request(c, CANCEL_GRACEFUL);
    assert_int_equal(cancel_requested(c), CANCEL_HARD);
    cancel_free(c);
}

static void no_object_is_never_cancelled(void **state)
{
    (void)state;
    struct error err = { 0 };
    assert_int_equal(cancel_requested(NULL), CANCEL_NONE);
    assert_int_equal(cancel_check(NULL, &err), 0);
    assert_int_equal(cancel_fd(NULL), -1);
    cancel_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_requested_at_first),
        cmocka_unit_test(a_request_is_seen_and_stays_readable),
        cmocka_unit_test(a_hard_request_strengthens_and_is_never_weakened),
        cmocka_unit_test(no_object_is_never_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
