#include "base/clock.h"
#include "support/test.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

static int64_t noon(void)
{
    return INT64_C(1772366400123456);
}

static void the_wall_clock_can_be_replaced(void **state)
{
    (void)state;
    clock_set_wall(noon);
    assert_int_equal(clock_wall_us(), noon());
    clock_set_wall(NULL);
    assert_true(clock_wall_us() > INT64_C(1700000000000000));
}

static void monotonic_time_goes_on_while_waiting(void **state)
{
    (void)state;
    int64_t start = clock_mono_us();
    assert_true(clock_wait_us(NULL, 2000));
    assert_true(clock_mono_us() - start >= 2000);
    assert_true(clock_wait_us(NULL, 0));
    assert_true(clock_wait_us(NULL, -5));
}

static void *request_soon(void *c)
{
    (void)clock_wait_us(NULL, 5000);
    cancel_request(c, CANCEL_HARD);
    return NULL;
}

static void a_request_ends_a_wait_at_once(void **state)
{
    (void)state;
    struct cancel *c = cancel_new();
    pthread_t thread;
    int64_t start = clock_mono_us();
    assert_int_equal(pthread_create(&thread, NULL, request_soon, c), 0);
    assert_false(clock_wait_us(c, 60 * 1000000));
    assert_true(clock_mono_us() - start < 30 * 1000000);
    pthread_join(thread, NULL);
    assert_false(clock_wait_us(c, 1));
    cancel_free(c);
}

static void polling_tells_ready_from_late_from_cancelled(void **state)
{
    (void)state;
    struct cancel *c = cancel_new();
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(clock_poll(ends[0], POLLIN, c, 1000), 0);
    assert_int_equal(clock_poll(ends[0], POLLIN, NULL, 0), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(clock_poll(ends[0], POLLIN, c, -1), 1);
    cancel_request(c, CANCEL_GRACEFUL);
    assert_int_equal(clock_poll(ends[0], POLLIN, c, -1), -1);
    close(ends[1]);
    assert_int_equal(clock_poll(ends[0], POLLIN, NULL, -1), 1);
    close(ends[0]);
    cancel_free(c);
}

static void backoff_doubles_up_to_its_cap(void **state)
{
    (void)state;
    struct backoff b = { .first_us = 100, .cap_us = 1000 };
    static const int64_t most[] = { 100, 200, 400, 800, 1000, 1000 };
    for (int round = 0; round < 200; round++) {
        b.tries = 0;
        for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
            int64_t us = backoff_next_us(&b);
            assert_true(us >= 0 && us <= most[i]);
        }
    }
    b.tries = 1000;
    assert_true(backoff_next_us(&b) <= 1000);
    assert_int_equal(b.tries, 1000);
}

static void backoff_is_jittered(void **state)
{
    (void)state;
    struct backoff b = { .first_us = INT64_C(1) << 40, .cap_us = INT64_C(1) << 50 };
    int64_t one = backoff_next_us(&b);
    int64_t other = backoff_next_us(&b);
    assert_int_not_equal(one, other); /* equal once in 2^40 */
}

static void a_cap_below_the_first_wait_wins(void **state)
{
    (void)state;
    struct backoff b = { .first_us = 1000, .cap_us = 10 };
    for (int i = 0; i < 50; i++)
        assert_true(backoff_next_us(&b) <= 10);
    struct backoff none = { 0 };
    assert_int_equal(backoff_next_us(&none), 0);
}

static void instants_are_written_in_utc(void **state)
{
    (void)state;
    char out[CLOCK_TEXT_MAX];
    assert_string_equal(clock_format(0, out), "1970-01-01T00:00:00.000000Z");
    assert_string_equal(clock_format(noon(), out), "2026-03-01T12:00:00.123456Z");
    assert_string_equal(clock_format(-1, out), "1969-12-31T23:59:59.999999Z");
    assert_string_equal(clock_format(INT64_MAX, out), "294247-01-10T04:00:54.775807Z");
    assert_string_equal(clock_format(INT64_MIN, out), "-290308-12-21T19:59:05.224192Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wall_clock_can_be_replaced),
        cmocka_unit_test(monotonic_time_goes_on_while_waiting),
        cmocka_unit_test(a_request_ends_a_wait_at_once),
        cmocka_unit_test(polling_tells_ready_from_late_from_cancelled),
        cmocka_unit_test(backoff_doubles_up_to_its_cap),
        cmocka_unit_test(backoff_is_jittered),
        cmocka_unit_test(a_cap_below_the_first_wait_wins),
        cmocka_unit_test(instants_are_written_in_utc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
