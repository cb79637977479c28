/* Epochs that change many tables: what they cost, and what happens when DuckDB's memory
 * does not suffice. */
#include "contract/log_fixture.h"
#include "sink/duckdb_internal.h"

#include <sys/syscall.h>

/* DuckDB's calls pass here too: meson.build exports it. */
static unsigned syncs;

int fsync(int fd)
{
    syncs++;
    return (int)syscall(SYS_fsync, fd);
}

/* ---- many tables ------------------------------------------------------------------ */

#define MANY 50
#define LAST "49"

static const struct value one_row[] = { { .as.i = 1, .kind = VALUE_INT },
                                        { .as.i = 10, .kind = VALUE_INT },
                                        { .kind = VALUE_NULL } };
static const struct change one_change[] = { U(INT(1), INT(11), NIL) };

/* A row in each, by epoch 1 of both lanes; streams then has a change of each. */
static void begin_many(struct fixture *f, struct log_stream *streams)
{
    struct test_stream *copies = calloc(MANY, sizeof(*copies));
    for (size_t i = 0; i < MANY; i++) {
        const char *name = arena_printf(f->arena, "t%zu", i).ptr;
        copies[i] = (struct test_stream){ .table = name,
                                          .version = 1,
                                          .actions = ACTION_BEGIN | ACTION_COPIED,
                                          .join = JOIN_LOG,
                                          .shape = &kv,
                                          .rows = one_row,
                                          .row_count = 1 };
        streams[i] = (struct log_stream){ .version = 1,
                                          .held = true,
                                          .table = name,
                                          .actions = ACTION_HOLD | ACTION_JOIN };
    }
    fixture_write_epoch(f, 1, copies, MANY);
    (void)fixture_load(f, 1);
    write_log(f, 1, streams, MANY);
    (void)load_log(f, 1);
    for (size_t i = 0; i < MANY; i++)
        streams[i] = (struct log_stream){ .version = 1,
                                          .base = 100,
                                          .table = streams[i].table,
                                          .changes = one_change,
                                          .count = 1 };
    free(copies);
}

static void open_with(struct fixture *f, struct str memory)
{
    struct error err = { 0 };
    sink_close(f->sink);
    f->sink = duckdb_sink_ops.open(str_of(fixture_file(f)), &memory, 1, f->cancel, &err);
    if (f->sink == NULL)
        fail_msg("%s", err.text);
}

/* ---- tests ------------------------------------------------------------------------ */

static void an_epoch_waits_for_the_disk_as_often_with_many_tables(void **state)
{
    struct fixture *f = *state;
    struct log_stream *streams = calloc(MANY, sizeof(*streams));
    unsigned written[2] = { 0 }, loaded[2] = { 0 };
    begin_many(f, streams);
    for (unsigned i = 0; i < 2; i++) {
        unsigned before = syncs;
        write_log(f, 2 + i, streams, i == 0 ? 2 : MANY);
        written[i] = syncs - before;
        (void)load_log(f, 2 + i);
        loaded[i] = syncs - before - written[i];
    }
    print_message("# fsyncs to capture %u, to load %u\n", written[1], loaded[1]);
    assert_true(loaded[1] > 0); /* DuckDB's are seen */
    assert_int_equal(written[1], written[0]);
    assert_int_equal(loaded[1], loaded[0]);
    assert_in_range(written[1] + loaded[1], 1, 5);
    free(streams);
}

/* DuckDB holds what was deleted since its last checkpoint: without one the second of
 * these epochs finds no room. */
static void what_epochs_before_hold_makes_room(void **state)
{
    struct fixture *f = *state;
    struct log_stream *streams = calloc(MANY, sizeof(*streams));
    begin_many(f, streams);
    open_with(f, STR("memory_limit=32MB"));
    for (uint64_t epoch = 2; epoch <= 4; epoch++) {
        for (size_t i = 0; i < MANY; i++)
            streams[i].base = 100 * (int64_t)epoch;
        write_log(f, epoch, streams, MANY);
        (void)load_log(f, epoch);
    }
    fixture_expect(f, "SELECT count(*), max(n) FROM shop_copy.t" LAST, "1|11");
    free(streams);
}

/* One that does not fit is refused whole, as often as it is tried, with what to do; then
 * it is loaded. */
static void an_epoch_larger_than_memory_says_what_to_raise(void **state)
{
    struct fixture *f = *state;
    struct log_stream *streams = calloc(MANY, sizeof(*streams));
    struct load_outcome out = { 0 };
    begin_many(f, streams);
    write_log(f, 2, streams, MANY);
    open_with(f, STR("memory_limit=14MB"));
    for (int i = 0; i < 2; i++) {
        struct error err = { 0 };
        assert_int_equal(
            sink_load_epoch(f->sink, f->arena, log_dir(f, 2), NULL, &out, &err), -1);
        assert_int_equal(err.code, ERR_LIMIT);
        assert_int_equal(out.failed_stream, -1);
        assert_non_null(strstr(err.hint, "memory_limit"));
    }
    fixture_expect(f, "SELECT n FROM shop_copy.t0", "10");
    fixture_expect(f, "SELECT n FROM shop_copy.t" LAST, "10");
    open_with(f, STR("memory_limit=128MB"));
    (void)load_log(f, 2);
    fixture_expect(f, "SELECT n FROM shop_copy.t0", "11");
    fixture_expect(f, "SELECT n FROM shop_copy.t" LAST, "11");
    free(streams);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_epoch_waits_for_the_disk_as_often_with_many_tables),
        TEST(what_epochs_before_hold_makes_room),
        TEST(an_epoch_larger_than_memory_says_what_to_raise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
