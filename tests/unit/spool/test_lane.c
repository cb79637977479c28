#include "base/clock.h"
#include "spool/epoch_dir.h"
#include "spool/lane.h"
#include "spool_fixture.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

static const struct lane_options plenty = { .share_bytes = 1 << 30 };

static int64_t wall = 1700000000000000;

static int64_t fake_wall(void)
{
    return wall;
}

static int teardown(void **state)
{
    clock_set_wall(NULL);
    return remove_root(state);
}

static struct lane *open_lane_with(uint64_t loaded_through, const struct lane_options *o)
{
    struct error err = { 0 };
    struct lane *l = lane_open(root, "full", loaded_through, o, &err);
    if (l == NULL)
        fail_msg("%s", err.text);
    return l;
}

static struct lane *open_lane(uint64_t loaded_through)
{
    return open_lane_with(loaded_through, &plenty);
}

/* A captured epoch of one block. */
static uint64_t capture(struct lane *l)
{
    struct error err = { 0 };
    uint64_t number = lane_next_number(l);
    struct epoch_header header = test_header();
    struct epoch_options options = { CODEC_NULL, 16384 };
    struct epoch_writer *w = epoch_begin(lane_dir(l), number, &header, &options, &err);
    if (w == NULL)
        fail_msg("%s", err.text);
    struct manifest_stream s = test_stream("t");
    add_block(w, epoch_stream(w, &s), 1000, number);
    if (epoch_seal(w, STR(""), STR(""), 0, &err) != 0)
        fail_msg("%s", err.text);
    lane_captured(l, number, 1000);
    return number;
}

static const char *dir_of(uint64_t number, enum epoch_dir_state state)
{
    static char path[256];
    char dir[128];
    snprintf(dir, sizeof(dir), "%s/full", root);
    CLEANUP(free_pointer) char *p = epoch_dir_path(dir, number, state);
    snprintf(path, sizeof(path), "%s", p);
    return path;
}

static bool exists(uint64_t number, enum epoch_dir_state state)
{
    return access(dir_of(number, state), F_OK) == 0;
}

static void expect_next(struct lane *l, uint64_t number)
{
    uint64_t got = 0;
    const char *dir = NULL;
    assert_int_equal(lane_wait_epoch(l, NULL, &got, &dir), 1);
    assert_int_equal(got, number);
    assert_string_equal(dir, dir_of(number, EPOCH_DIR_CAPTURED));
}

static void loaded(struct lane *l, uint64_t number)
{
    struct error err = { 0 };
    if (lane_loaded(l, number, &err) != 0)
        fail_msg("%s", err.text);
}

/* ---- order
 * ----------------------------------------------------------------------------- */

static void i5_epochs_come_in_order_and_end_after_finish(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct lane *l = open_lane(0);
    assert_int_equal(lane_next_number(l), 1);
    for (uint64_t n = 1; n <= 3; n++)
        assert_int_equal(capture(l), n);
    assert_int_equal(lane_waiting_count(l), 3);
    assert_int_equal(lane_waiting_bytes(l), 3000);
    lane_finish(l);
    assert_int_equal(lane_loaded(l, 2, &err), -1);
    assert_int_equal(err.code, ERR_BUG);
    for (uint64_t n = 1; n <= 3; n++) {
        expect_next(l, n);
        expect_next(l, n); /* until it is loaded */
        loaded(l, n);
        assert_false(exists(n, EPOCH_DIR_CAPTURED));
        assert_false(exists(n, EPOCH_DIR_GONE));
    }
    uint64_t number;
    const char *dir;
    assert_int_equal(lane_wait_epoch(l, NULL, &number, &dir), 0);
    assert_int_equal(lane_loaded(l, 4, &err), -1);
    assert_int_equal(lane_waiting_bytes(l), 0);
    lane_close(l);
    lane_close(NULL);
}

static void i6_a_folder_stays_until_it_is_loaded(void **state)
{
    (void)state;
    struct lane *l = open_lane(0);
    capture(l);
    capture(l);
    expect_next(l, 1);
    assert_true(exists(1, EPOCH_DIR_CAPTURED));
    lane_finish(l);
    lane_stop_loading(l);
    lane_close(l);
    assert_true(exists(1, EPOCH_DIR_CAPTURED));
    l = open_lane(0);
    assert_true(exists(1, EPOCH_DIR_CAPTURED));
    expect_next(l, 1);
    loaded(l, 1);
    assert_false(exists(1, EPOCH_DIR_CAPTURED));
    assert_true(exists(2, EPOCH_DIR_CAPTURED));
    lane_close(l);
}

static void a_name_that_leaves_the_folder_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = { "", ".", "..", "a/b", ".hidden" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct error err = { 0 };
        assert_null(lane_open(root, names[i], 0, &plenty, &err));
        assert_int_equal(err.code, ERR_BUG);
    }
}

/* ---- recovery
 * -------------------------------------------------------------------------- */

static void move(uint64_t number, enum epoch_dir_state from, enum epoch_dir_state to)
{
    char before[256];
    snprintf(before, sizeof(before), "%s", dir_of(number, from));
    assert_int_equal(rename(before, dir_of(number, to)), 0);
}

static void i10_recovery_goes_on_from_every_state(void **state)
{
    (void)state;
    struct lane *l = open_lane(0);
    for (int i = 0; i < 6; i++)
        capture(l);
    lane_close(l);
    /* 1: removal was under way. 2: marked, not renamed. 3, 4, 5: to load. 6: being
     * written. */
    move(1, EPOCH_DIR_CAPTURED, EPOCH_DIR_GONE);
    move(6, EPOCH_DIR_CAPTURED, EPOCH_DIR_OPEN);
    l = open_lane(2);
    assert_false(exists(1, EPOCH_DIR_GONE));
    assert_false(exists(2, EPOCH_DIR_CAPTURED));
    assert_false(exists(2, EPOCH_DIR_GONE));
    assert_false(exists(6, EPOCH_DIR_OPEN));
    assert_int_equal(lane_next_number(l), 6);
    assert_int_equal(lane_waiting_count(l), 3);
    assert_true(lane_waiting_bytes(l) > 3000);
    for (uint64_t n = 3; n <= 5; n++) {
        expect_next(l, n);
        loaded(l, n);
    }
    assert_int_equal(capture(l), 6);
    lane_close(l);
    l = open_lane(9); /* all of it is in the destination, and more */
    assert_int_equal(lane_waiting_count(l), 0);
    assert_int_equal(lane_next_number(l), 10);
    lane_close(l);
}

static void a_gap_is_a_bug_that_names_the_missing_one(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct lane *l = open_lane(0);
    for (int i = 0; i < 4; i++)
        capture(l);
    lane_close(l);
    assert_int_equal(file_remove_tree(dir_of(3, EPOCH_DIR_CAPTURED), &err), 0);
    assert_null(lane_open(root, "full", 1, &plenty, &err));
    assert_int_equal(err.code, ERR_BUG);
    assert_non_null(strstr(err.text, "epoch 0000000003 is missing"));
    assert_true(exists(4, EPOCH_DIR_CAPTURED));
    l = open_lane(3); /* the missing one was loaded */
    expect_next(l, 4);
    lane_close(l);
}

static void foreign_names_are_left_alone(void **state)
{
    (void)state;
    static const char *const names[] = {
        "full/notes",
        "full/1.epoch",
        "full/0000000000.open",
        "full/00000000001.open",
        "full/0000000001.epoch.bak",
        "full/0000000001.tmp",
        "full/-000000001.open",
    };
    struct error err = { 0 };
    char path[256];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", root, names[i]);
        assert_int_equal(file_make_dirs(path, 0700, &err), 0);
    }
    snprintf(path, sizeof(path), "%s/full/0000000002.epoch", root);
    assert_int_equal(put_file(path, STR("a file"), 0600), 0);
    struct lane *l = open_lane(0);
    assert_int_equal(lane_next_number(l), 1);
    assert_int_equal(lane_waiting_count(l), 0);
    lane_close(l);
    assert_int_equal(access(path, F_OK), 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", root, names[i]);
        assert_int_equal(access(path, F_OK), 0);
    }
}

static void folders_are_private(void **state)
{
    (void)state;
    mode_t before = umask(0);
    struct lane *l = open_lane(0);
    umask(before);
    struct stat st;
    assert_int_equal(stat(lane_dir(l), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    lane_close(l);
}

/* ---- the share
 * ------------------------------------------------------------------------- */

struct pair {
    struct lane *l;
    atomic_uint_fast64_t most; /* waiting bytes ever seen */
    uint64_t epochs;
    uint64_t got;
};

static void *produce(void *arg)
{
    struct pair *p = arg;
    for (uint64_t i = 0; i < p->epochs; i++) {
        struct error err = { 0 };
        if (lane_wait_room(p->l, NULL, &err) != 0)
            abort();
        capture(p->l);
        uint64_t now = lane_waiting_bytes(p->l);
        if (now > atomic_load(&p->most))
            atomic_store(&p->most, now);
    }
    lane_finish(p->l);
    return NULL;
}

static void *consume(void *arg)
{
    struct pair *p = arg;
    uint64_t number;
    const char *dir;
    /* The extractor fills the share, and then gets no further. */
    while (lane_waiting_bytes(p->l) < 2500)
        clock_wait_us(NULL, 1000);
    clock_wait_us(NULL, 100000);
    while (lane_wait_epoch(p->l, NULL, &number, &dir) == 1) {
        struct error err = { 0 };
        if (number != p->got + 1 || access(dir, F_OK) != 0 ||
            lane_loaded(p->l, number, &err) != 0)
            abort();
        p->got = number;
    }
    return NULL;
}

static void i9_the_share_holds_the_extractor_back(void **state)
{
    (void)state;
    struct lane_options o = { .share_bytes = 2500 };
    struct pair p = { .l = open_lane_with(0, &o), .epochs = 60 };
    pthread_t producer;
    pthread_t consumer;
    assert_int_equal(pthread_create(&producer, NULL, produce, &p), 0);
    assert_int_equal(pthread_create(&consumer, NULL, consume, &p), 0);
    pthread_join(producer, NULL);
    pthread_join(consumer, NULL);
    assert_int_equal(p.got, 60);
    assert_true(atomic_load(&p.most) <=
                3000); /* the epoch that passes the share is let in */
    assert_int_equal(lane_waiting_count(p.l), 0);
    lane_close(p.l);
}

static void an_empty_lane_has_room_whatever_the_share(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct lane_options o = { .share_bytes = 0 };
    struct lane *l = open_lane_with(0, &o);
    assert_int_equal(lane_wait_room(l, NULL, &err), 0);
    lane_close(l);
}

static void a_loader_that_stopped_is_told_to_who_waits(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct lane_options o = { .share_bytes = 1500 };
    struct lane *l = open_lane_with(0, &o);
    struct cancel *c = cancel_new();
    capture(l);
    lane_stop_loading(l);
    assert_int_equal(lane_wait_room(l, c, &err), 0); /* there still is room */
    capture(l);
    assert_int_equal(lane_wait_room(l, c, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_non_null(strstr(err.text, "spool_share"));
    cancel_request(c, CANCEL_GRACEFUL);
    assert_int_equal(lane_wait_room(l, c, &err), -1);
    assert_int_equal(err.code, ERR_CANCELLED);
    cancel_free(c);
    lane_close(l);
}

struct waiter {
    struct lane *l;
    struct cancel *c;
    struct error err;
    int result;
    atomic_bool done;
};

static void *wait_for_room(void *arg)
{
    struct waiter *w = arg;
    w->result = lane_wait_room(w->l, w->c, &w->err);
    atomic_store(&w->done, true);
    return NULL;
}

static void *wait_for_epoch(void *arg)
{
    struct waiter *w = arg;
    uint64_t number;
    const char *dir;
    w->result = lane_wait_epoch(w->l, w->c, &number, &dir);
    atomic_store(&w->done, true);
    return NULL;
}

static void a_graceful_stop_waits_on_and_a_hard_one_ends(void **state)
{
    (void)state;
    struct lane_options o = { .share_bytes = 500 };
    struct lane *l = open_lane_with(0, &o);
    struct waiter w = { .l = l, .c = cancel_new() };
    pthread_t thread;
    capture(l);
    cancel_request(w.c, CANCEL_GRACEFUL);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_room, &w), 0);
    clock_wait_us(NULL, 120000);
    assert_false(atomic_load(&w.done));
    loaded(l, 1); /* the loader drains: room at last */
    pthread_join(thread, NULL);
    assert_int_equal(w.result, 0);
    capture(l);
    atomic_store(&w.done, false);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_room, &w), 0);
    cancel_request(w.c, CANCEL_HARD);
    pthread_join(thread, NULL);
    assert_int_equal(w.result, -1);
    assert_int_equal(w.err.code, ERR_CANCELLED);
    cancel_free(w.c);
    lane_close(l);
}

static void a_loader_waits_through_a_graceful_stop(void **state)
{
    (void)state;
    struct lane *l = open_lane(0);
    struct waiter w = { .l = l, .c = cancel_new() };
    pthread_t thread;
    cancel_request(w.c, CANCEL_GRACEFUL);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_epoch, &w), 0);
    capture(l);
    pthread_join(thread, NULL);
    assert_int_equal(w.result, 1);
    loaded(l, 1);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_epoch, &w), 0);
    lane_finish(l);
    pthread_join(thread, NULL);
    assert_int_equal(w.result, 0);
    cancel_request(w.c, CANCEL_HARD);
    capture(l);
    wait_for_epoch(&w);
    assert_int_equal(w.result, -1);
    assert_true(exists(2, EPOCH_DIR_CAPTURED));
    cancel_free(w.c);
    lane_close(l);
}

static void disk_reserve_stops_with_the_numbers(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct lane_options o = { .share_bytes = 1 << 20, .disk_reserve = UINT64_MAX - 1 };
    struct lane *l = open_lane_with(0, &o);
    assert_int_equal(lane_wait_room(l, NULL, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_non_null(strstr(err.text, "disk_reserve keeps 18446744073709551614"));
    assert_non_null(strstr(err.text, root));
    assert_non_null(err.hint);
    lane_close(l);
}

/* ---- spool_keep
 * ------------------------------------------------------------------------ */

static void kept_epochs_stay_for_their_time(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct lane_options o = { .share_bytes = 1 << 20, .keep_us = 3600 * 1000000ll };
    clock_set_wall(fake_wall);
    struct lane *l = open_lane_with(0, &o);
    for (uint64_t n = 1; n <= 4; n++)
        capture(l);
    loaded(l, 1);
    wall += 1800 * 1000000ll;
    loaded(l, 2);
    loaded(l, 3);
    lane_close(l);
    /* 3: its removal was under way. 4: in the destination, not renamed yet. */
    char manifest[512];
    snprintf(manifest, sizeof(manifest), "%s/" MANIFEST_FILE, dir_of(3, EPOCH_DIR_GONE));
    assert_int_equal(unlink(manifest), 0);
    l = open_lane_with(4, &o);
    assert_true(exists(1, EPOCH_DIR_GONE));
    assert_true(exists(2, EPOCH_DIR_GONE));
    assert_false(exists(3, EPOCH_DIR_GONE));
    assert_true(exists(4, EPOCH_DIR_GONE));
    wall += 1900 * 1000000ll;
    assert_int_equal(lane_wait_room(l, NULL, &err), 0);
    assert_false(exists(1, EPOCH_DIR_GONE));
    assert_true(exists(2, EPOCH_DIR_GONE));
    lane_close(l);
    l = open_lane_with(
        1, &o); /* the destination went back: what it lost is no audit trail */
    assert_false(exists(2, EPOCH_DIR_GONE));
    assert_int_equal(lane_next_number(l), 2);
    lane_close(l);
}

static void kept_epochs_give_way_within_the_share(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct lane_options o = { .share_bytes = 2500, .keep_us = INT64_MAX / 4 };
    struct lane *l = open_lane_with(0, &o);
    for (uint64_t n = 1; n <= 4; n++) {
        assert_int_equal(lane_wait_room(l, NULL, &err), 0);
        capture(l);
        loaded(l, n);
    }
    assert_false(exists(2, EPOCH_DIR_GONE));
    assert_true(exists(3, EPOCH_DIR_GONE));
    assert_true(exists(4, EPOCH_DIR_GONE));
    capture(l);
    assert_int_equal(lane_wait_room(l, NULL, &err), 0);
    assert_false(exists(3, EPOCH_DIR_GONE));
    assert_true(exists(4, EPOCH_DIR_GONE));
    capture(l);
    capture(l);
    assert_int_equal(lane_waiting_count(l), 3);
    loaded(l, 5);
    assert_false(exists(4, EPOCH_DIR_GONE));
    lane_close(l);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(i5_epochs_come_in_order_and_end_after_finish),
        TEST(i6_a_folder_stays_until_it_is_loaded),
        TEST(a_name_that_leaves_the_folder_is_refused),
        TEST(i10_recovery_goes_on_from_every_state),
        TEST(a_gap_is_a_bug_that_names_the_missing_one),
        TEST(foreign_names_are_left_alone),
        TEST(folders_are_private),
        TEST(i9_the_share_holds_the_extractor_back),
        TEST(an_empty_lane_has_room_whatever_the_share),
        TEST(a_loader_that_stopped_is_told_to_who_waits),
        TEST(a_graceful_stop_waits_on_and_a_hard_one_ends),
        TEST(a_loader_waits_through_a_graceful_stop),
        TEST(disk_reserve_stops_with_the_numbers),
        TEST(kept_epochs_stay_for_their_time),
        TEST(kept_epochs_give_way_within_the_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
