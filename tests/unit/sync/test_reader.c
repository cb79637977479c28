/* The reader threads over a table that the test makes up: the functions of source/ that a
 * reader calls are here, so that every fault comes where it is wanted. */
#include "base/clock.h"
#include "sync/reader.h"
#include "sync_fixture.h"

#include <unistd.h>

/* ---- a source --------------------------------------------------------------------- */

struct source {
    int unused;
};

struct session {
    int unused;
};

struct full_reader {
    struct stream *stream;
    int64_t next, last;
    struct value cells[2];
    bool one_view;
};

/* What the source does, set by each test. */
static struct {
    int64_t rows;
    unsigned opened;           /* readers so far */
    unsigned splits_that_fail; /* so many calls lose the connection */
    struct stream *stream;
    /* Called before a row is handed out: 0, or -1 with err. */
    int (*before_row)(unsigned opened, int64_t id, struct error *err);
    int64_t bool_of_row; /* this row's boolean is 5 */
    bool gone;
} made_up;

static struct session the_session;

struct session *source_connect(const struct source *s, int64_t patience_us,
                               struct cancel *c, struct error *err)
{
    (void)s;
    (void)patience_us;
    (void)c;
    (void)err;
    return &the_session;
}

void source_disconnect(struct session *s)
{
    (void)s;
}

struct catalog *source_discover_table(struct session *s, struct str database,
                                      struct str table, bool always_int,
                                      struct error *err)
{
    (void)s;
    (void)always_int;
    if (made_up.gone) {
        (void)error_set(err, ERR_SCHEMA, "the table is gone");
        return NULL;
    }
    struct arena *a = arena_new((size_t)1 << 20);
    struct catalog *c = ARENA_NEW(a, struct catalog);
    c->arena = a;
    c->database_count = 1;
    c->databases = ARENA_NEW(a, struct catalog_database);
    c->databases->name = database;
    c->databases->table_count = 1;
    c->databases->tables = ARENA_NEW(a, struct catalog_table);
    *c->databases->tables = (struct catalog_table){ .kind = TABLE_BASE,
                                                    .key = KEY_PRIMARY,
                                                    .readable = true,
                                                    .transactional = true,
                                                    .key_name = STR("PRIMARY"),
                                                    .engine = STR("InnoDB") };
    c->databases->tables->schema = (struct table_schema){ .database = database,
                                                          .name = table,
                                                          .column_count = 2,
                                                          .key_count = 1,
                                                          .columns = fixture_columns };
    return c;
}

int full_split(struct session *s, struct arena *a, const struct full_cut *cut,
               struct page_range **out, size_t *out_count, struct error *err)
{
    (void)s;
    (void)cut;
    if (made_up.splits_that_fail > 0) {
        made_up.splits_that_fail--;
        return error_set(err, ERR_NETWORK, "lost on the way");
    }
    *out = ARENA_ARRAY(a, struct page_range, 1);
    *out_count = 1;
    return 0;
}

static int64_t id_of(struct str tuple)
{
    struct str part = { 0 };
    int64_t id = 0;
    if (key_tuple_next(&tuple, &part))
        (void)str_to_i64(part, &id);
    return id;
}

struct full_reader *full_reader_open(struct session *s, const struct full_table *t,
                                     const struct page_range *range,
                                     const struct full_options *o, struct governor *g,
                                     struct error *err)
{
    (void)s;
    (void)o;
    (void)g;
    (void)err;
    struct full_reader *r = xcalloc(1, sizeof *r);
    r->one_view = t->method == FULL_ONE_VIEW;
    r->next = id_of(range->after) + 1;
    r->last = range->upto.len > 0 ? id_of(range->upto) : made_up.rows;
    made_up.opened++;
    return r;
}

void full_reader_close(struct full_reader *r)
{
    free(r);
}

enum full_next full_reader_next(struct full_reader *r, const struct value **cells,
                                struct error *err)
{
    if (r->next > r->last)
        return FULL_END;
    int64_t id = r->next++;
    if (made_up.before_row != NULL && made_up.before_row(made_up.opened, id, err) != 0)
        return FULL_ERROR;
    r->cells[0] = (struct value){ .as.i = id, .kind = VALUE_INT };
    r->cells[1] =
        (struct value){ .as.i = id == made_up.bool_of_row ? 5 : 1, .kind = VALUE_INT };
    *cells = r->cells;
    return FULL_ROW;
}

void full_reader_key(const struct full_reader *r, struct buf *tuple)
{
    add_key(tuple, r->next - 1);
}

int64_t full_reader_seen_at(const struct full_reader *r)
{
    (void)r;
    return 1;
}

uint64_t full_reader_row_bytes(const struct full_reader *r)
{
    (void)r;
    return 10;
}

/* ---- fixture ---------------------------------------------------------------------- */

struct fixture {
    struct reader_pool pool;
    struct sync_options options;
    struct plan_context context;
    struct stream streams[2];
    struct catalog_table found;
};

static void begin(struct fixture *f)
{
    struct error err = { 0 };
    *f = (struct fixture){ .options = { .source_connections = 1,
                                        .row_limit = ROW_LIMIT } };
    memset(&made_up, 0, sizeof made_up);
    made_up.rows = 10;
    made_up.stream = &f->streams[0];
    f->context = (struct plan_context){ .state = state_open(root, &err),
                                        .integration = STR("shop"),
                                        .options = &f->options };
    assert_non_null(f->context.state);
    f->found = (struct catalog_table){ .key_name = STR("PRIMARY") };
    make_stream(&f->streams[0], 0, "a");
    make_stream(&f->streams[1], 1, "b");
    f->streams[0].found = f->streams[1].found = &f->found;
    f->pool.options = &f->options;
    f->pool.plan = &f->context;
    f->pool.queue = queue_new("test", (size_t)64 << 20, delivery_free);
    f->pool.cancel = cancel_new();
    f->pool.streams = f->streams;
    f->pool.stream_count = 1;
    reader_pool_init(&f->pool);
}

static void end(struct fixture *f)
{
    reader_pool_done(&f->pool);
    queue_free(f->pool.queue);
    cancel_free(f->pool.cancel);
    end_stream(&f->streams[0]);
    end_stream(&f->streams[1]);
    state_close(f->context.state);
}

/* Everything that was pushed, as a text: S version, R from..to of rows, X restart, F. */
static void expect_pushed(struct fixture *f, const char *want)
{
    CLEANUP(buf_done) struct buf got;
    buf_init(&got, 4096);
    queue_close(f->pool.queue);
    struct delivery *d;
    while ((d = queue_pop(f->pool.queue)) != NULL) {
        static const char letters[] = { 'R', 'S', 'X', 'F' };
        buf_printf(&got, "%s%c%u", got.len > 0 ? " " : "", letters[d->kind],
                   d->generation);
        if (d->kind == DELIVERY_START)
            buf_printf(&got, "v%llu", (unsigned long long)d->version);
        if (d->kind == DELIVERY_ROWS)
            buf_printf(&got, ":%u+%llu@%lld%s", d->block->range,
                       (unsigned long long)d->block->rows,
                       (long long)id_of(buf_str(&d->block->after)),
                       d->block->range_done ? "!" : "");
        delivery_free(d);
    }
    assert_string_equal(buf_text(&got), want);
}

/* ---- tests ------------------------------------------------------------------------ */

static void test_whole_table(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    reader_run(&f.pool);
    assert_int_equal(f.streams[0].phase, PHASE_READ);
    assert_int_equal(atomic_load(&f.streams[0].rows_read), 10);
    expect_pushed(&f, "S0v1 R0:0+10@10!");
    end(&f);
}

/* A copy of an earlier run goes on behind its last row, without a new beginning. */
static void test_resumed(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct stream *st = &f.streams[0];
    struct buf four, seven;
    buf_init(&four, 64);
    buf_init(&seven, 64);
    add_key(&four, 4);
    add_key(&seven, 7);
    struct page_range ranges[] = {
        { .after = buf_str(&four), .upto = buf_str(&four), .done = true },
        { .after = buf_str(&seven) },
    };
    st->ranges = ranges;
    st->range_count = 2;
    st->resumed = true;
    reader_run(&f.pool);
    assert_int_equal(st->phase, PHASE_READ);
    expect_pushed(&f, "R0:1+3@10!");
    buf_done(&four);
    buf_done(&seven);
    end(&f);
}

/* What is only there to be dropped is not read. */
static void test_orphan(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.pool.stream_count = 2;
    struct stream *st = &f.streams[0];
    st->orphan = true;
    st->phase = PHASE_FAILED;
    st->found = NULL;
    atomic_store(&st->failed, true);
    reader_run(&f.pool);
    assert_int_equal(st->phase, PHASE_FAILED);
    assert_int_equal(f.streams[1].phase, PHASE_READ);
    expect_pushed(&f, "S0v1 R0:0+10@10!");
    end(&f);
}

static int changes_at_six(unsigned opened, int64_t id, struct error *err)
{
    if (opened == 1 && id == 6)
        return error_set(err, ERR_SCHEMA, "the table has changed");
    return 0;
}

/* The table changed: a new version from the start, and the counts are of it alone. */
static void test_restart(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    made_up.before_row = changes_at_six;
    atomic_store(&f.streams[0].rows_applied, 5);
    reader_run(&f.pool);
    assert_int_equal(f.streams[0].phase, PHASE_READ);
    assert_int_equal(f.streams[0].version, 2);
    assert_int_equal(atomic_load(&f.streams[0].rows_read), 10);
    assert_int_equal(atomic_load(&f.streams[0].rows_applied), 0);
    expect_pushed(&f, "S0v1 R0:0+5@5 X1 S1v2 R1:0+10@10!");
    end(&f);
}

/* It changed because it was dropped: the stream is given up and says why. */
static void test_restart_of_a_table_that_is_gone(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.pool.stream_count = 2;
    made_up.before_row = changes_at_six;
    made_up.gone = true;
    reader_run(&f.pool);
    assert_int_equal(f.streams[0].phase, PHASE_FAILED);
    assert_true(atomic_load(&f.streams[0].failed));
    assert_int_equal(f.streams[0].why.code, ERR_SCHEMA);
    assert_int_equal(f.streams[1].phase, PHASE_READ);
    expect_pushed(&f, "S0v1 R0:0+5@5 X1 F1 S0v1 R0:0+10@10!");
    end(&f);
}

static int loses_the_second_split(unsigned opened, int64_t id, struct error *err)
{
    if (opened == 1 && id == 6)
        made_up.splits_that_fail = 1;
    return changes_at_six(opened, id, err);
}

/* The connection is lost while the copy starts again: it starts all the same. */
static void test_restart_through_a_lost_connection(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    made_up.before_row = loses_the_second_split;
    reader_run(&f.pool);
    assert_int_equal(f.streams[0].phase, PHASE_READ);
    expect_pushed(&f, "S0v1 R0:0+5@5 X1 S1v3 R1:0+10@10!");
    end(&f);
}

static int always_changes(unsigned opened, int64_t id, struct error *err)
{
    (void)opened;
    return id == 6 ? error_set(err, ERR_SCHEMA, "the table has changed") : 0;
}

static void test_restarts_are_bounded(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    made_up.before_row = always_changes;
    reader_run(&f.pool);
    assert_int_equal(f.streams[0].phase, PHASE_FAILED);
    assert_int_equal(f.streams[0].restarts, RESTARTS_MAX);
    expect_pushed(&f, "S0v1 R0:0+5@5 X1 S1v2 R1:0+5@5 X2 S2v3 R2:0+5@5 X3 S3v4 "
                      "R3:0+5@5 F3");
    end(&f);
}

static int loses_connection(unsigned opened, int64_t id, struct error *err)
{
    if (opened == 1 && id == 6)
        return error_set(err, ERR_NETWORK, "connection lost");
    return 0;
}

static void test_lost_connection(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    made_up.before_row = loses_connection;
    reader_run(&f.pool);
    expect_pushed(&f, "S0v1 R0:0+5@5 R0:0+5@10!");
    assert_int_equal(atomic_load(&f.streams[0].rows_read), 10);
    end(&f);
}

/* One view has no place to go on from: a new version. */
static void test_lost_connection_in_one_view(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.options.one_view = true;
    f.streams[0].method = FULL_ONE_VIEW;
    made_up.before_row = loses_connection;
    reader_run(&f.pool);
    expect_pushed(&f, "S0v1 X1 S1v2 R1:0+10@0!");
    end(&f);
}

static void test_promotion(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    made_up.bool_of_row = 4;
    reader_run(&f.pool);
    assert_int_equal(f.streams[0].shape->schema->version, 2);
    assert_int_equal(f.streams[0].shape->schema->columns[1].type, TYPE_INT);
    expect_pushed(&f, "S0v1 R0:0+3@3 R0:0+7@10!");
    end(&f);
}

/* Another reader has started the copy again, of a table with other columns. */
static int another_restarts(unsigned opened, int64_t id, struct error *err)
{
    struct stream *st = made_up.stream;
    (void)err;
    if (opened != 1 || id != 4)
        return 0;
    pthread_mutex_lock(&st->lock);
    atomic_fetch_add(&st->generation, 1);
    st->phase = PHASE_STARTING;
    st->next_range = st->range_count = st->ranges_open = 0;
    struct table_schema *other = schema_copy(st->arena, st->shape->schema);
    other->version = 7;
    other->column_count = 1;
    other->columns = &fixture_columns[0];
    add_shape(st, schema_copy(st->arena, other));
    pthread_mutex_unlock(&st->lock);
    return 0;
}

/* The column that this reader would promote is not one of the new shape. */
static void test_promotion_in_a_generation_that_is_gone(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    made_up.bool_of_row = 4;
    made_up.before_row = another_restarts;
    reader_run(&f.pool);
    assert_int_equal(f.streams[0].shape->schema->version, 7);
    assert_false(atomic_load(&f.streams[0].failed));
    assert_int_equal(atomic_load(&f.streams[0].rows_read), 0);
    expect_pushed(&f, "S0v1 R0:0+3@3");
    end(&f);
}

static struct cancel *to_stop;

static int asks_to_stop(unsigned opened, int64_t id, struct error *err)
{
    (void)opened;
    (void)err;
    if (id == 4)
        cancel_request(to_stop, CANCEL_GRACEFUL);
    return 0;
}

/* A stop keeps what was read by pages, and nothing of one view. */
static void test_stop(void **state)
{
    (void)state;
    for (int one_view = 0; one_view < 2; one_view++) {
        struct fixture f;
        begin(&f);
        to_stop = f.pool.cancel;
        made_up.before_row = asks_to_stop;
        f.streams[0].method = one_view == 1 ? FULL_ONE_VIEW : FULL_PAGES;
        reader_run(&f.pool);
        assert_false(atomic_load(&f.streams[0].failed));
        expect_pushed(&f, one_view == 1 ? "S0v1" : "S0v1 R0:0+4@4");
        end(&f);
    }
}

/* The spool thread has ended: readers end too, and no table is blamed. */
static void test_queue_closed(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.pool.stream_count = 2;
    queue_abort(f.pool.queue);
    reader_run(&f.pool);
    assert_false(atomic_load(&f.streams[0].failed));
    assert_false(atomic_load(&f.streams[1].failed));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole_table, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_resumed, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_orphan, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_restart, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_restart_of_a_table_that_is_gone, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(test_restart_through_a_lost_connection, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(test_restarts_are_bounded, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(test_lost_connection, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_lost_connection_in_one_view, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(test_promotion, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_promotion_in_a_generation_that_is_gone,
                                        make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_stop, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_queue_closed, make_root, remove_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
