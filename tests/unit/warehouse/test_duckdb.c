/* Client, owner and DuckDB together: this program starts itself as the owner, and as
 * another program that has the file open. */
#include "avro/encode.h"
#include "avro/schema.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "spool/epoch.h"
#include "support/test.h"
#include "warehouse/client.h"
#include "warehouse/owner.h"

#include <fcntl.h>

#define SECOND INT64_C(1000000)

struct fixture {
    char folder[64];
    char db[128];
    struct arena *arena;
    struct warehouse *w;
};

/* ---- epochs ---------------------------------------------------------------------- */

static const struct column columns[] = {
    { .name = { "id", 2 },
      .avro_name = { "id", 2 },
      .source_type = { "int", 3 },
      .type = TYPE_INT,
      .bytes = 4,
      .key_ordinal = 1,
      .selected = true },
};

static const struct table_schema shape = { .database = { "shop", 4 },
                                           .name = { "t", 1 },
                                           .version = 1,
                                           .column_count = 1,
                                           .key_count = 1,
                                           .columns = columns };

static void add_rows(struct epoch_writer *w, int stream, int64_t count)
{
    struct encode_policy policy = { 0 };
    struct encode_plan *plan = encode_plan_new(&shape, &policy);
    struct block *b = block_new((uint32_t)stream, &shape, (size_t)1 << 24);
    struct row_meta meta = { .op = OP_SNAPSHOT, .sequence = 42, .at = 1700000000000000 };
    struct error err = { 0 };
    struct buf json;
    buf_init(&json, (size_t)1 << 20);
    avro_schema_write(&shape, AVRO_CHANGE, &json);
    epoch_shape(w, stream, shape.version, buf_str(&json));
    for (int64_t i = 0; i < count; i++) {
        struct encode_fault fault = { 0 };
        struct value id = { .as.i = i, .kind = VALUE_INT };
        if (encode_row(plan, b, &meta, &id, &fault) != ENCODE_OK)
            fail_msg("%s", fault.reason);
    }
    assert_int_equal(epoch_add_block(w, stream, b, &err), 0);
    block_free(b);
    encode_plan_free(plan);
    buf_done(&json);
}

/* One epoch with `rows` rows of one table that begins and joins. Returns its directory.
 */
static const char *write_epoch(struct fixture *f, uint64_t number, int64_t rows)
{
    struct error err = { 0 };
    struct mark_list marks = { 0 };
    if (warehouse_marks(f->w, f->arena, STR("shop"), &marks, &err) != 0)
        fail_msg("%s", err.text);
    struct epoch_header header = { marks.destination_id, STR("shop"), STR("shop_copy"),
                                   STR("full") };
    struct epoch_options options = { CODEC_NULL, 1 << 16 };
    struct manifest_stream st = { .database = { "shop", 4 },
                                  .table = STR("t"),
                                  .target = STR("t"),
                                  .version = number,
                                  .sequence = 42 };
    const char *lane = arena_printf(f->arena, "%s/full", f->folder).ptr;
    assert_int_equal(file_make_dirs(lane, 0700, &err), 0);
    struct epoch_writer *w = epoch_begin(lane, number, &header, &options, &err);
    assert_non_null(w);
    int stream = epoch_stream(w, &st);
    add_rows(w, stream, rows);
    epoch_set_action(w, stream, ACTION_BEGIN | ACTION_JOIN);
    epoch_set_progress(w, stream, STR("end"), 1, 2);
    if (epoch_seal(w, STR("from"), STR("to"), 1000 + (int64_t)number, &err) != 0)
        fail_msg("%s", err.text);
    return arena_printf(f->arena, "%s/%010llu.epoch", lane, (unsigned long long)number)
        .ptr;
}

/* ---- a database for each test ---------------------------------------------------- */

static struct warehouse *open_one(struct fixture *f, int64_t idle_us,
                                  void (*waiting)(void *, struct str), void *ctx)
{
    struct str settings[] = { STR("threads=1"), STR("memory_limit=256MB") };
    struct warehouse_options o = { .settings = settings,
                                   .setting_count = 2,
                                   .idle_us = idle_us,
                                   .waiting = waiting,
                                   .ctx = ctx };
    struct error err = { 0 };
    struct warehouse *w = warehouse_open(f->db, &o, NULL, &err);
    if (w == NULL)
        fail_msg("%s", err.text);
    return w;
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    (void)snprintf(f->folder, sizeof(f->folder), "/tmp/warehouse-XXXXXX");
    if (mkdtemp(f->folder) == NULL)
        return -1;
    (void)snprintf(f->db, sizeof(f->db), "%s/copy.duckdb", f->folder);
    (void)setenv("XDG_RUNTIME_DIR", f->folder, 1);
    f->arena = arena_new((size_t)64 << 20);
    f->w = open_one(f, SECOND / 5, NULL, NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct error ignored = { 0 };
    (void)unsetenv("TAILRACE_FAULT");
    (void)warehouse_release(f->w, &ignored);
    warehouse_close(f->w);
    arena_free(f->arena);
    int rc = file_remove_tree(f->folder, &ignored);
    free(f);
    return rc;
}

/* ---- reading --------------------------------------------------------------------- */

static int gather(void *ctx, const struct query_column *heads, size_t count,
                  const struct str *cells, struct error *err)
{
    struct buf *out = ctx;
    (void)err;
    for (size_t i = 0; i < count; i++) {
        struct str cell = cells == NULL ? heads[i].type : cells[i];
        buf_printf(out, "%s" STR_FMT, i == 0 ? "" : "|", STR_ARG(cell));
    }
    buf_add_char(out, '\n');
    return 0;
}

static int read_rows(struct fixture *f, const char *sql,
                     const struct query_limits *limits, struct buf *out,
                     struct error *err)
{
    bool truncated = false;
    buf_init(out, 1 << 20);
    return warehouse_query(f->w, str_of(sql), limits,
                           &(struct query_reader){ gather, out }, &truncated, err);
}

static void expect(struct fixture *f, const char *sql, const char *want)
{
    struct query_limits none = { 0 };
    struct error err = { 0 };
    struct buf out;
    if (read_rows(f, sql, &none, &out, &err) != 0)
        fail_msg("%s: %s", sql, err.text);
    assert_string_equal(buf_text(&out), want);
    buf_done(&out);
}

/* ---- the tests ------------------------------------------------------------------- */

static void an_epoch_loads_once(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct load_outcome o = { 0 };
    struct mark_list marks = { 0 };
    const char *dir = write_epoch(f, 1, 300);
    if (warehouse_load(f->w, f->arena, &(struct epoch_load){ dir, NULL, 0 }, &o, &err) !=
        0)
        fail_msg("%s", err.text);
    assert_false(o.already_loaded);
    assert_int_equal(o.stream_count, 1);
    assert_int_equal(o.streams[0].applied, 300);
    assert_int_equal(
        warehouse_load(f->w, f->arena, &(struct epoch_load){ dir, NULL, 0 }, &o, &err),
        0);
    assert_true(o.already_loaded);
    expect(f, "SELECT count(*), sum(id) FROM shop_copy.t", "BIGINT|HUGEINT\n300|44850\n");
    assert_int_equal(warehouse_marks(f->w, f->arena, STR("shop"), &marks, &err), 0);
    assert_int_equal(marks.lane_count, 1);
    assert_true(marks.lanes[0].epoch == 1);
    assert_int_equal(marks.stream_count, 1);
    assert_int_equal(marks.streams[0].state, STREAM_LIVE);
    assert_true(marks.streams[0].rows == 300 && marks.streams[0].last_read_at == 2);
}

static void the_list_of_excluded_streams_must_fit(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct load_outcome o = { 0 };
    const bool excluded[] = { true, false };
    const char *dir = write_epoch(f, 1, 3);
    assert_int_equal(warehouse_load(f->w, f->arena,
                                    &(struct epoch_load){ dir, excluded, 2 }, &o, &err),
                     -1);
    assert_int_equal(err.code, ERR_BUG);
    assert_int_equal(warehouse_load(f->w, f->arena,
                                    &(struct epoch_load){ dir, excluded, 1 }, &o, &err),
                     0);
}

static void statements_that_write_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const refused[] = {
        "DROP SCHEMA _tailrace CASCADE",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT 1; DELETE FROM _tailrace.mark",
        "ATTACH '/tmp/other.duckdb'",
        "",
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct query_limits none = { 0 };
        struct error err = { 0 };
        struct buf out;
        assert_int_equal(read_rows(f, refused[i], &none, &out, &err), -1);
        assert_int_equal(err.code, ERR_CONFIG);
        assert_int_equal(out.len, 0);
        buf_done(&out);
    }
    expect(f, "SELECT 1 AS a, NULL AS b", "INTEGER|INTEGER\n1|\n");
}

static void limits_end_a_query(void **state)
{
    struct fixture *f = *state;
    struct query_limits limits = { .time_us = SECOND / 2 };
    struct error err = { 0 };
    struct buf out;
    int64_t start = clock_mono_us();
    assert_int_equal(read_rows(f,
                               "SELECT count(*) FROM range(100000000) a, range(100000) b",
                               &limits, &out, &err),
                     -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_non_null(err.hint);
    assert_true(clock_mono_us() - start < 10 * SECOND);
    buf_done(&out);
    limits = (struct query_limits){ .rows = 2 };
    assert_int_equal(read_rows(f, "FROM range(5)", &limits, &out, &err), 0);
    assert_string_equal(buf_text(&out), "BIGINT\n0\n1\n");
    buf_done(&out);
}

/* Another program with the file open, until it is killed. */
static pid_t start_holder(struct fixture *f)
{
    int ready[2];
    char byte = 0;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(ready[1], 1);
        (void)execl("/proc/self/exe", "other", "hold", f->db, (char *)NULL);
        _exit(1);
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    return byte == 'y' ? child : -child;
}

static void end_holder(pid_t child)
{
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
}

static int hold(const char *path)
{
    struct error err = { 0 };
    struct sink *s = backend_duckdb.open(str_of(path), NULL, 0, &err);
    if (write(1, s == NULL ? "n" : "y", 1) != 1)
        return 1;
    (void)clock_wait_us(NULL, s == NULL ? 0 : 60 * SECOND);
    return 0;
}

struct waited {
    pid_t holder;
    unsigned times;
    char text[128];
};

static void note_waiting(void *ctx, struct str text)
{
    struct waited *waited = ctx;
    (void)snprintf(waited->text, sizeof(waited->text), STR_FMT, STR_ARG(text));
    if (waited->times++ == 0)
        end_holder(waited->holder);
}

static void other_programs_get_the_file_and_give_it_back(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct load_outcome o = { 0 };
    struct waited waited = { 0 };
    char want[64];
    const char *dir = write_epoch(f, 1, 5);
    (void)clock_wait_us(NULL, SECOND); /* idle: closed, though we are connected */
    waited.holder = start_holder(f);
    assert_true(waited.holder > 0);
    warehouse_close(f->w);
    f->w = open_one(f, SECOND / 5, note_waiting, &waited);
    if (warehouse_load(f->w, f->arena, &(struct epoch_load){ dir, NULL, 0 }, &o, &err) !=
        0)
        fail_msg("%s", err.text);
    assert_int_equal(waited.times, 1);
    (void)snprintf(want, sizeof(want), "pid %d (", (int)waited.holder);
    assert_true(str_starts(str_of(waited.text), str_of(want)));
    expect(f, "SELECT count(*) FROM shop_copy.t", "BIGINT\n5\n");
    /* and while we have it, nobody else does */
    pid_t refused = start_holder(f);
    assert_true(refused < 0);
    end_holder(-refused);
}

static void a_file_of_another_kind_is_told(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct mark_list marks = { 0 };
    static const char text[] = "this is a letter to a friend and no database at all, "
                               "and it goes on for a while, and on, and on";
    assert_int_equal(put_file(f->db, (struct str){ text, sizeof(text) }, 0600), 0);
    assert_int_equal(warehouse_marks(f->w, f->arena, STR("shop"), &marks, &err), -1);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(strstr(err.text, "not a DuckDB file"));
    assert_non_null(err.hint);
}

static void a_client_that_vanishes_stops_its_query(void **state)
{
    struct fixture *f = *state;
    expect(f, "SELECT 1", "INTEGER\n1\n");
    pid_t child = fork();
    if (child == 0) {
        struct query_limits none = { 0 };
        struct error err = { 0 };
        struct buf out;
        f->w = open_one(f, SECOND / 5, NULL, NULL);
        (void)read_rows(f, "SELECT count(*) FROM range(100000000) a, range(1000000) b",
                        &none, &out, &err);
        _exit(0);
    }
    (void)clock_wait_us(NULL, SECOND);
    pid_t refused = start_holder(f);
    assert_true(refused < 0); /* the query keeps the file open */
    end_holder(-refused);
    end_holder(child);
    (void)clock_wait_us(NULL, SECOND);
    pid_t holder = start_holder(f);
    assert_true(holder > 0);
    end_holder(holder);
}

#ifdef TAILRACE_FAULT_POINTS
/* Killed before the commit, after it, and before the answer: always loaded once. */
static void i7_a_killed_owner_leaves_all_or_nothing(void **state)
{
    static const char *const points[] = { "warehouse.loading", "sink.before_commit",
                                          "sink.committed", "warehouse.loaded" };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        struct error err = { 0 };
        struct load_outcome o = { 0 };
        char want[64];
        const char *dir = write_epoch(f, i + 1, (int64_t)i + 10);
        (void)warehouse_release(f->w, &err); /* it ends: the next one sees the variable */
        (void)clock_wait_us(NULL, SECOND / 5);
        (void)setenv("TAILRACE_FAULT", points[i], 1);
        assert_int_equal(warehouse_load(f->w, f->arena,
                                        &(struct epoch_load){ dir, NULL, 0 }, &o, &err),
                         -1);
        assert_int_equal(err.code, ERR_TARGET);
        assert_int_equal(error_action(&err), ACT_RETRY);
        (void)unsetenv("TAILRACE_FAULT");
        if (warehouse_load(f->w, f->arena, &(struct epoch_load){ dir, NULL, 0 }, &o,
                           &err) != 0)
            fail_msg("%s: %s", points[i], err.text);
        assert_int_equal(o.already_loaded, i >= 2);
        (void)snprintf(want, sizeof(want), "BIGINT\n%zu\n", i + 10);
        expect(f, "SELECT count(*) FROM shop_copy.t", want);
    }
}
#endif

#define PLACED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PLACED(an_epoch_loads_once),
        PLACED(the_list_of_excluded_streams_must_fit),
        PLACED(statements_that_write_are_refused),
        PLACED(limits_end_a_query),
        PLACED(other_programs_get_the_file_and_give_it_back),
        PLACED(a_file_of_another_kind_is_told),
        PLACED(a_client_that_vanishes_stops_its_query),
#ifdef TAILRACE_FAULT_POINTS
        PLACED(i7_a_killed_owner_leaves_all_or_nothing),
#endif
    };
    if (argc > 1 && str_eq(str_of(argv[1]), STR("warehouse")))
        return warehouse_process(argc - 1, argv + 1, &backend_duckdb);
    if (argc > 2 && str_eq(str_of(argv[1]), STR("hold")))
        return hold(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
