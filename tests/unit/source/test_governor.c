/* The governor with a clock of ours: turns, rate, strain, pause, calm. */
#include "base/log.h"
#include "source/governor.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the four above first */
#include <cmocka.h>

static int64_t now = 1000;
static int64_t waited;

static int64_t fake_now(void)
{
    return now;
}

static bool fake_wait(struct cancel *c, int64_t us)
{
    if (cancel_requested(c) != CANCEL_NONE)
        return false;
    now += us;
    waited += us;
    return true;
}

static struct governor *make(unsigned connections, uint64_t rate, uint64_t busy,
                             struct cancel *c)
{
    struct governor_options o = { .connections = connections,
                                  .bytes_per_s = rate,
                                  .threads_busy = busy,
                                  .pause_us = 30000000 };
    struct governor *g = governor_new(&o, c);
    governor_set_clock(g, fake_now, fake_wait);
    waited = 0;
    return g;
}

static struct governor_state state_of(struct governor *g)
{
    struct governor_state s;
    governor_state(g, &s);
    return s;
}

static void strain_halves_then_pauses(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct governor *g = make(8, 0, 20, NULL);
    governor_threads_running(g, 20);
    assert_int_equal(state_of(g).turns, 8);
    governor_threads_running(g, 21);
    assert_int_equal(state_of(g).turns, 4);
    governor_threads_running(g, 99); /* still settling */
    assert_int_equal(state_of(g).turns, 4);
    for (unsigned want = 2; want >= 1; want--) {
        now += 2000000;
        governor_threads_running(g, 99);
        assert_int_equal(state_of(g).turns, want);
    }
    now += 2000000;
    governor_threads_running(g, 99);
    assert_true(state_of(g).paused);
    assert_int_equal(state_of(g).times_halved, 3);
    assert_int_equal(state_of(g).times_paused, 1);
    assert_int_equal(governor_enter(g, &err), 0); /* waits out the pause */
    assert_int_equal(waited, 30000000);
    assert_false(state_of(g).paused);
    assert_int_equal(state_of(g).turns, 1);
    governor_leave(g);
    governor_free(g);
}

static void calm_brings_turns_back_one_by_one(void **state)
{
    (void)state;
    struct governor *g = make(4, 0, 20, NULL);
    governor_threads_running(g, 50);
    assert_int_equal(state_of(g).turns, 2);
    now += 4999999;
    governor_threads_running(g, 1);
    assert_int_equal(state_of(g).turns, 2);
    now += 1;
    governor_threads_running(g, 1);
    assert_int_equal(state_of(g).turns, 3);
    now += 60000000;
    governor_threads_running(g, 1);
    assert_int_equal(state_of(g).turns, 4);
    governor_free(g);
}

static void base_line_is_twice_the_start_at_least_16(void **state)
{
    (void)state;
    struct governor *g = make(4, 0, 0, NULL);
    governor_threads_running(g, 3);
    governor_threads_running(g, 16);
    assert_int_equal(state_of(g).turns, 4);
    governor_threads_running(g, 17);
    assert_int_equal(state_of(g).turns, 2);
    governor_free(g);
    g = make(4, 0, 0, NULL);
    governor_threads_running(g, 100);
    governor_threads_running(g, 200);
    assert_int_equal(state_of(g).turns, 4);
    governor_threads_running(g, 201);
    assert_int_equal(state_of(g).turns, 2);
    governor_free(g);
}

static void slow_pages_are_strain_small_ones_are_not(void **state)
{
    (void)state;
    struct governor *g = make(4, 0, 1000, NULL);
    struct page_pace pace = { 0 };
    for (int i = 0; i < 8; i++)
        governor_page(g, &pace, "shop.orders", 1000000, 100000);
    assert_int_equal(pace.count, 8);
    governor_page(g, &pace, "shop.orders", 1000000, 300000); /* exactly three times */
    assert_int_equal(state_of(g).turns, 4);
    governor_page(g, &pace, "shop.orders", 100, 300000); /* a last page of one row */
    assert_int_equal(state_of(g).turns, 4);
    governor_page(g, &pace, "shop.orders", 1000000, 300001);
    assert_int_equal(state_of(g).turns, 2);
    governor_free(g);
}

static void rate_is_kept(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct governor *g = make(1, 1000000, 1000, NULL);
    int64_t start = now;
    for (int i = 0; i < 100; i++)
        assert_int_equal(governor_bytes(g, 50000, &err), 0);
    assert_int_equal(now - start, 5000000);
    governor_free(g);
}

static void cancel_ends_waits(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct cancel *c = cancel_new();
    struct governor *g = make(1, 10, 1000, c);
    cancel_request(c, CANCEL_GRACEFUL);
    assert_int_equal(governor_bytes(g, 50000, &err), -1);
    assert_int_equal(err.code, ERR_CANCELLED);
    err = (struct error){ 0 };
    assert_int_equal(governor_enter(g, &err), -1);
    assert_int_equal(err.code, ERR_CANCELLED);
    governor_free(g);
    cancel_free(c);
}

struct crowd {
    struct governor *g;
    pthread_mutex_t lock;
    int inside, most, done;
};

static void *crowd_member(void *arg)
{
    struct crowd *w = arg;
    struct error err = { 0 };
    for (int i = 0; i < 200; i++) {
        if (governor_enter(w->g, &err) != 0)
            return NULL;
        pthread_mutex_lock(&w->lock);
        w->inside++;
        w->most = w->inside > w->most ? w->inside : w->most;
        pthread_mutex_unlock(&w->lock);
        pthread_mutex_lock(&w->lock);
        w->inside--;
        w->done++;
        pthread_mutex_unlock(&w->lock);
        governor_leave(w->g);
    }
    return NULL;
}

static void never_more_inside_than_turns(void **state)
{
    (void)state;
    struct crowd w = { .g = make(2, 0, 1000, NULL), .lock = PTHREAD_MUTEX_INITIALIZER };
    pthread_t t[6];
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&t[i], NULL, crowd_member, &w), 0);
    for (int i = 0; i < 6; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(w.done, 1200);
    assert_true(w.most <= 2);
    governor_free(w.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strain_halves_then_pauses),
        cmocka_unit_test(calm_brings_turns_back_one_by_one),
        cmocka_unit_test(base_line_is_twice_the_start_at_least_16),
        cmocka_unit_test(slow_pages_are_strain_small_ones_are_not),
        cmocka_unit_test(rate_is_kept),
        cmocka_unit_test(cancel_ends_waits),
        cmocka_unit_test(never_more_inside_than_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
