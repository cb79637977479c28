#include "base/clock.h"
#include "base/queue.h"
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>

static atomic_int dropped;

static void count_drop(void *item)
{
    (void)item;
    atomic_fetch_add(&dropped, 1);
}

static int numbers[100];

static void keeps_order_and_drains_after_close(void **state)
{
    (void)state;
    struct queue *q = queue_new("test", 1000, count_drop);
    for (int i = 0; i < 5; i++)
        assert_true(queue_push(q, &numbers[i], 10));
    queue_close(q);
    assert_false(queue_push(q, &numbers[9], 1));
    for (int i = 0; i < 5; i++)
        assert_ptr_equal(queue_pop(q), &numbers[i]);
    assert_null(queue_pop(q));
    assert_null(queue_pop(q));
    queue_free(q);
}

static void an_oversized_item_enters_an_empty_queue(void **state)
{
    (void)state;
    struct queue *q = queue_new("test", 10, count_drop);
    assert_true(queue_push(q, &numbers[0], 1000));
    assert_ptr_equal(queue_pop(q), &numbers[0]);
    queue_free(q);
}

struct pusher {
    struct queue *q;
    size_t count;
    size_t weight;
    atomic_size_t pushed;
    atomic_bool refused;
};

static void *push_all(void *arg)
{
    struct pusher *p = arg;
    for (size_t i = 0; i < p->count; i++) {
        if (!queue_push(p->q, &numbers[i], p->weight)) {
            atomic_store(&p->refused, true);
            break;
        }
        atomic_fetch_add(&p->pushed, 1);
    }
    return NULL;
}

static void wait_for(atomic_size_t *n, size_t want)
{
    for (int i = 0; i < 5000 && atomic_load(n) < want; i++)
        (void)clock_wait_us(NULL, 1000);
    assert_int_equal(atomic_load(n), want);
}

static void a_full_queue_makes_the_writer_wait(void **state)
{
    (void)state;
    struct pusher p = { .q = queue_new("test", 30, NULL), .count = 20, .weight = 10 };
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, push_all, &p), 0);
    wait_for(&p.pushed, 3);
    (void)clock_wait_us(NULL, 3000);
    assert_int_equal(atomic_load(&p.pushed), 3);
    for (int i = 0; i < 20; i++)
        assert_ptr_equal(queue_pop(p.q), &numbers[i]);
    pthread_join(thread, NULL);
    assert_false(atomic_load(&p.refused));
    queue_free(p.q);
}

static void aborting_frees_a_waiting_writer_and_drops_the_rest(void **state)
{
    (void)state;
    struct pusher p = { .q = queue_new("test", 30, count_drop),
                        .count = 20,
                        .weight = 10 };
    pthread_t thread;
    atomic_store(&dropped, 0);
    assert_int_equal(pthread_create(&thread, NULL, push_all, &p), 0);
    wait_for(&p.pushed, 3);
    queue_abort(p.q);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&p.refused));
    assert_int_equal(atomic_load(&dropped), 3);
    assert_null(queue_pop(p.q));
    queue_free(p.q);
}

static void *close_soon(void *q)
{
    (void)clock_wait_us(NULL, 3000);
    queue_close(q);
    return NULL;
}

static void closing_wakes_a_waiting_reader(void **state)
{
    (void)state;
    struct queue *q = queue_new("test", 30, NULL);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, close_soon, q), 0);
    assert_null(queue_pop(q));
    pthread_join(thread, NULL);
    queue_free(q);
}

static void a_deadline_is_told_from_a_close(void **state)
{
    (void)state;
    struct queue *q = queue_new("test", 30, NULL);
    bool closed = true;
    int64_t start = clock_mono_us();
    assert_null(queue_pop_for(q, 2000, &closed));
    assert_false(closed);
    assert_true(clock_mono_us() - start >= 2000);
    assert_null(queue_pop_for(q, -1, &closed));
    assert_true(queue_push(q, &numbers[1], 1));
    assert_ptr_equal(queue_pop_for(q, 0, &closed), &numbers[1]);
    assert_false(closed);
    assert_true(queue_push(q, &numbers[2], 1));
    queue_close(q);
    assert_ptr_equal(queue_pop_for(q, 0, &closed), &numbers[2]);
    assert_false(closed);
    assert_null(queue_pop_for(q, 60 * 1000000, &closed));
    assert_true(closed);
    queue_free(q);
}

static void freeing_drops_what_is_left(void **state)
{
    (void)state;
    struct queue *q = queue_new("test", 30, count_drop);
    atomic_store(&dropped, 0);
    queue_push(q, &numbers[0], 1);
    queue_push(q, &numbers[1], 1);
    queue_free(q);
    assert_int_equal(atomic_load(&dropped), 2);
    queue_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order_and_drains_after_close),
        cmocka_unit_test(an_oversized_item_enters_an_empty_queue),
        cmocka_unit_test(a_full_queue_makes_the_writer_wait),
        cmocka_unit_test(aborting_frees_a_waiting_writer_and_drops_the_rest),
        cmocka_unit_test(closing_wakes_a_waiting_reader),
        cmocka_unit_test(a_deadline_is_told_from_a_close),
        cmocka_unit_test(freeing_drops_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
