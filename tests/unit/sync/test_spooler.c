/* The spool thread with a real lane: deliveries by hand, epochs read back. */
#include "base/clock.h"
#include "sync_fixture.h"

struct fixture {
    struct lane *lane;
    struct queue *queue;
    struct cancel *cancel;
    struct spooler_config config;
    struct stream a, b;
    struct arena *arena;
};

static void begin(struct fixture *f, int64_t epoch_age_us)
{
    struct error err = { 0 };
    struct lane_options lo = { .share_bytes = (uint64_t)1 << 30 };
    *f = (struct fixture){ .cancel = cancel_new(), .arena = arena_new((size_t)64 << 20) };
    f->lane = lane_open(root, "full", 0, &lo, &err);
    assert_non_null(f->lane);
    f->queue = queue_new("test", (size_t)64 << 20, delivery_free);
    f->config = (struct spooler_config){
        .queue = f->queue,
        .lane = f->lane,
        .cancel = f->cancel,
        .header = { STR("dest-1"), STR("shop"), STR("shop_schema"), STR("full") },
        .epoch = { CODEC_NULL, 1 << 16 },
        .epoch_bytes = (uint64_t)1 << 30,
        .epoch_age_us = epoch_age_us,
        .quarantine_limit = 2,
    };
    make_stream(&f->a, 0, "a");
    make_stream(&f->b, 1, "b");
}

static void end(struct fixture *f)
{
    end_stream(&f->a);
    end_stream(&f->b);
    queue_free(f->queue);
    lane_close(f->lane);
    cancel_free(f->cancel);
    arena_free(f->arena);
}

static void push(struct fixture *f, struct delivery *d)
{
    assert_true(queue_push(f->queue, d, delivery_weight(d)));
}

static void run(struct fixture *f)
{
    struct error err = { 0 };
    queue_close(f->queue);
    if (spooler_run(&f->config, &err) != 0)
        fail_msg("%s", err.text);
    lane_finish(f->lane);
}

static void run_again(struct fixture *f)
{
    queue_free(f->queue);
    f->queue = f->config.queue = queue_new("test", (size_t)64 << 20, delivery_free);
}

/* The next epoch's manifest, taken off the lane; false when there is none. */
static bool next_epoch(struct fixture *f, struct manifest *m)
{
    struct error err = { 0 };
    uint64_t number = 0;
    const char *dir = NULL;
    if (lane_wait_epoch(f->lane, f->cancel, &number, &dir) != 1)
        return false;
    if (epoch_open(f->arena, dir, m, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(lane_loaded(f->lane, number, &err), 0);
    return true;
}

static const struct manifest_stream *entry(const struct manifest *m, const char *table,
                                           uint64_t version)
{
    for (size_t i = 0; i < m->stream_count; i++)
        if (str_eq(m->streams[i].table, str_of(table)) &&
            m->streams[i].version == version)
            return &m->streams[i];
    return NULL;
}

static uint64_t rows_in(const struct manifest *m, const char *table)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < m->segment_count; i++)
        if (str_eq(m->streams[m->segments[i].stream].table, str_of(table)))
            rows += m->segments[i].rows;
    return rows;
}

/* A copy in one epoch: begun, its rows, joined. */
static void test_whole_copy(void **state)
{
    (void)state;
    struct fixture f;
    struct manifest m = { 0 };
    begin(&f, INT64_C(60) * 1000000);
    struct page_range one = { 0 };
    push(&f, start_of(&f.a, 1, &one, 1));
    push(&f, rows_of(&f.a, 0, 1, 5, false));
    push(&f, rows_of(&f.a, 0, 6, 2, true));
    run(&f);
    assert_true(next_epoch(&f, &m));
    assert_int_equal(entry(&m, "a", 1)->actions, ACTION_BEGIN | ACTION_JOIN);
    assert_int_equal(rows_in(&m, "a"), 7);
    assert_false(next_epoch(&f, &m));
    end(&f);
}

/* An epoch in which a range only ended without a row is not captured, and its number goes
 * to the next one: nothing that was announced in it may be taken for announced there, or
 * rows of one table would go into another's segment. */
static void test_number_of_an_empty_epoch_is_used_again(void **state)
{
    (void)state;
    struct fixture f;
    struct manifest m = { 0 };
    begin(&f, INT64_C(60) * 1000000);
    struct page_range two[2] = { 0 };
    push(&f, start_of(&f.a, 1, two, 2));
    push(&f, start_of(&f.b, 1, two, 2));
    run(&f);
    run_again(&f);
    push(&f, rows_of(&f.a, 0, 1, 0, true));
    run(&f);
    run_again(&f);
    push(&f, rows_of(&f.b, 0, 1, 4, true));
    push(&f, rows_of(&f.a, 1, 10, 3, true));
    run(&f);
    assert_true(next_epoch(&f, &m));
    assert_int_equal(entry(&m, "a", 1)->actions, ACTION_BEGIN);
    assert_true(next_epoch(&f, &m));
    assert_int_equal(rows_in(&m, "b"), 4);
    assert_int_equal(rows_in(&m, "a"), 3);
    assert_int_equal(entry(&m, "a", 1)->actions, ACTION_JOIN);
    assert_false(next_epoch(&f, &m));
    end(&f);
}

/* What was captured of the rows of a stream, by version. */
static void test_restart_in_one_epoch(void **state)
{
    (void)state;
    struct fixture f;
    struct manifest m = { 0 };
    begin(&f, INT64_C(60) * 1000000);
    struct page_range one = { 0 };
    push(&f, start_of(&f.a, 1, &one, 1));
    push(&f, rows_of(&f.a, 0, 1, 5, false));
    run(&f);
    /* the rows of the first generation are captured; now the table changes */
    run_again(&f);
    push(&f, rows_of(&f.a, 0, 6, 5, false));
    struct delivery *late = rows_of(&f.a, 0, 11, 5, true);
    run(&f);
    run_again(&f);
    atomic_store(&f.a.generation, 1);
    push(&f, late); /* of the generation before: dropped */
    push(&f, delivery_new(DELIVERY_RESTART, &f.a, 1));
    push(&f, start_of(&f.a, 2, &one, 1));
    push(&f, rows_of(&f.a, 0, 1, 4, true));
    run(&f);
    assert_true(next_epoch(&f, &m));
    assert_int_equal(rows_in(&m, "a"), 5);
    assert_true(next_epoch(&f, &m));
    assert_int_equal(rows_in(&m, "a"), 5);
    assert_true(next_epoch(&f, &m));
    assert_int_equal(entry(&m, "a", 1)->actions, ACTION_ABANDON);
    assert_int_equal(entry(&m, "a", 2)->actions, ACTION_BEGIN | ACTION_JOIN);
    assert_int_equal(rows_in(&m, "a"), 4);
    assert_false(next_epoch(&f, &m));
    end(&f);
}

static struct delivery *rejects_of(struct stream *st, size_t count)
{
    struct delivery *d = rows_of(st, 0, 1, 1, false);
    for (size_t i = 0; i < count; i++) {
        delivery_reject(d, 1, "no reason", STR("{}"), 1700000000000000);
        d->block->source_rows++;
    }
    return d;
}

/* Too many rejected rows: the stream ends, the other goes on. */
static void test_quarantine_limit(void **state)
{
    (void)state;
    struct fixture f;
    struct manifest m = { 0 };
    begin(&f, INT64_C(60) * 1000000);
    struct page_range one = { 0 };
    push(&f, start_of(&f.a, 1, &one, 1));
    push(&f, start_of(&f.b, 1, &one, 1));
    push(&f, rejects_of(&f.a, 3));
    push(&f, rows_of(&f.a, 0, 2, 4, true));
    push(&f, rows_of(&f.b, 0, 1, 4, true));
    run(&f);
    assert_true(atomic_load(&f.a.failed));
    assert_int_equal(f.a.phase, PHASE_FAILED);
    assert_int_not_equal(atomic_load(&f.a.ended_at), 0);
    assert_true(next_epoch(&f, &m));
    assert_int_equal(entry(&m, "a", 1)->actions, ACTION_BEGIN | ACTION_ABANDON);
    assert_int_equal(entry(&m, "b", 1)->actions, ACTION_BEGIN | ACTION_JOIN);
    assert_int_equal(rows_in(&m, "b"), 4);
    end(&f);
}

/* Rejected rows of a generation that is gone do not count. */
static void test_rejects_of_a_restart(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, INT64_C(60) * 1000000);
    struct page_range one = { 0 };
    push(&f, start_of(&f.a, 1, &one, 1));
    push(&f, rejects_of(&f.a, 2));
    run(&f);
    assert_int_equal(atomic_load(&f.a.rows_rejected), 2);
    run_again(&f);
    atomic_store(&f.a.generation, 1);
    push(&f, delivery_new(DELIVERY_RESTART, &f.a, 1));
    push(&f, start_of(&f.a, 2, &one, 1));
    push(&f, rejects_of(&f.a, 1));
    run(&f);
    assert_int_equal(atomic_load(&f.a.rows_rejected), 1);
    assert_false(atomic_load(&f.a.failed));
    end(&f);
}

/* A shape that was promoted while the copy was under way is the shape that the next job
 * finds: the copy goes on. */
static void test_progress_follows_a_promotion(void **state)
{
    (void)state;
    struct fixture f;
    struct manifest m = { 0 };
    struct error err = { 0 };
    struct page_position p = { 0 };
    begin(&f, INT64_C(60) * 1000000);
    struct page_range two[2] = { 0 };
    push(&f, start_of(&f.a, 1, two, 2));
    struct delivery *old_shape = rows_of(&f.a, 1, 11, 2, false);
    add_shape(&f.a, schema_promote_bool(f.a.arena, f.a.shape->schema, 1));
    push(&f, rows_of(&f.a, 0, 1, 5, false));
    push(&f, old_shape);
    run(&f);
    assert_true(next_epoch(&f, &m));
    struct str text = entry(&m, "a", 1)->progress;
    assert_int_equal(page_position_parse(f.arena, text, &p, &err), 0);
    assert_int_equal(p.shape_hash, schema_hash(f.a.shape->schema));
    end(&f);
}

/* What earlier runs of the same copy rejected counts towards its limit. */
static void test_rejects_of_the_run_before(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, INT64_C(60) * 1000000);
    struct page_range one = { 0 };
    struct page_position p = { .shape_hash = 1, .ranges = &one, .range_count = 1 };
    spooler_resume(&f.a, &p);
    atomic_store(&f.a.rejected_before, 2);
    push(&f, rejects_of(&f.a, 1));
    run(&f);
    assert_true(atomic_load(&f.a.failed));
    end(&f);
}

/* A resumed copy goes on in the epoch without a new beginning. */
static void test_resumed(void **state)
{
    (void)state;
    struct fixture f;
    struct manifest m = { 0 };
    begin(&f, INT64_C(60) * 1000000);
    struct page_range two[2] = { [0] = { .done = true } };
    struct page_position p = { .shape_hash = 1, .ranges = two, .range_count = 2 };
    f.a.version = 5;
    spooler_resume(&f.a, &p);
    push(&f, rows_of(&f.a, 1, 7, 3, true));
    run(&f);
    assert_true(next_epoch(&f, &m));
    assert_int_equal(entry(&m, "a", 5)->actions, ACTION_JOIN);
    assert_int_equal(rows_in(&m, "a"), 3);
    end(&f);
}

/* The copy of an earlier job that cannot go on is dropped where the new one begins. */
static void test_replaced(void **state)
{
    (void)state;
    struct fixture f;
    struct manifest m = { 0 };
    begin(&f, INT64_C(60) * 1000000);
    struct page_range one = { 0 };
    spooler_replace(&f.a, 4, JOIN_REPLACE);
    push(&f, start_of(&f.a, 5, &one, 1));
    push(&f, rows_of(&f.a, 0, 7, 3, true));
    run(&f);
    assert_true(next_epoch(&f, &m));
    assert_int_equal(entry(&m, "a", 4)->actions, ACTION_ABANDON);
    assert_int_equal(entry(&m, "a", 5)->actions, ACTION_BEGIN | ACTION_JOIN);
    end(&f);
}

/* Thousands of tables, each with a shape of thousands of bytes: the epoch ends before its
 * manifest is too long. */
static void test_long_shapes_end_the_epoch(void **state)
{
    (void)state;
    struct fixture f;
    struct manifest m = { 0 };
    uint64_t versions = 0;
    begin(&f, INT64_C(60) * 1000000);
    struct page_range one = { 0 };
    size_t long_one = (size_t)4 << 20;
    f.a.shape->json = xreallocarray(f.a.shape->json, long_one + 1, 1);
    memset(f.a.shape->json, 'x', long_one);
    f.a.shape->json[long_one] = '\0';
    for (uint64_t v = 1; v <= 12; v++)
        push(&f, start_of(&f.a, v, &one, 1));
    run(&f);
    arena_free(f.arena);
    f.arena = arena_new((size_t)512 << 20);
    while (next_epoch(&f, &m))
        versions += m.shape_count;
    assert_int_equal(versions, 12);
    end(&f);
}

/* The clock was set back: numbers run ahead of it, and the next run begins behind them.
 */
static void test_numbers_of_rows_are_reserved(void **state)
{
    (void)state;
    struct fixture f;
    struct manifest m = { 0 };
    begin(&f, INT64_C(60) * 1000000);
    struct page_range one = { 0 };
    const int64_t ahead = INT64_MAX / 2;
    f.config.last_sequence = ahead;
    struct delivery *d = start_of(&f.a, 5, &one, 1);
    d->sequence = ahead + 1;
    atomic_store(&f.a.next_number, ahead + 1000);
    push(&f, d);
    push(&f, rows_of(&f.a, 0, 7, 3, true));
    run(&f);
    assert_true(next_epoch(&f, &m));
    assert_true(m.sequence_base >= ahead + 1000);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole_copy, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_number_of_an_empty_epoch_is_used_again,
                                        make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_restart_in_one_epoch, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(test_quarantine_limit, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_rejects_of_a_restart, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(test_progress_follows_a_promotion, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(test_rejects_of_the_run_before, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(test_resumed, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_replaced, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_long_shapes_end_the_epoch, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(test_numbers_of_rows_are_reserved, make_root,
                                        remove_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
