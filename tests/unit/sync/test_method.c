#include "avro/schema.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "support/test.h"
#include "sync/method.h"
#include "sync/spooler.h"

#define OF (&(struct stream_name){ STR("i"), STR("d"), STR("t") })
#define LIVE UINT64_C(3)

/* A state in a folder of its own, one table, its stream and what the destination has. */
struct fixture {
    char dir[64];
    struct state *s;
    struct arena *a;
    struct sync_options options;
    struct plan_context context;
    struct column columns[3];
    struct catalog_table table;
    struct stream st;
    struct stream_mark mark;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct error err = { 0 };
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/tailrace-method-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->s = state_open(f->dir, &err);
    assert_non_null(f->s);
    f->a = arena_new((size_t)64 << 20);
    f->options.resume_us = INT64_C(3600) * 1000000;
    f->context = (struct plan_context){ .state = f->s,
                                        .integration = STR("i"),
                                        .options = &f->options };
    f->columns[0] = (struct column){ .name = STR("id"),
                                     .type = TYPE_INT,
                                     .bytes = 4,
                                     .key_ordinal = 1,
                                     .selected = true };
    f->columns[1] = (struct column){
        .name = STR("at"), .type = TYPE_TIMESTAMP, .nullable = true, .selected = true
    };
    f->columns[2] = (struct column){
        .name = STR("n"), .type = TYPE_INT, .bytes = 2, .nullable = true, .selected = true
    };
    f->table = (struct catalog_table){ .schema = { .database = STR("d"),
                                                   .name = STR("t"),
                                                   .columns = f->columns,
                                                   .column_count = 3,
                                                   .key_count = 1 },
                                       .key = KEY_PRIMARY,
                                       .key_name = STR("PRIMARY"),
                                       .engine = STR("InnoDB"),
                                       .readable = true,
                                       .transactional = true };
    *state = f;
    return 0;
}

static void end_stream(struct fixture *f)
{
    struct stream *st = &f->st;
    if (st->arena == NULL)
        return;
    for (struct stream_shape_plan *p = st->shape; p != NULL; p = p->older) {
        encode_plan_free(p->encode);
        free(p->json);
    }
    spooler_forget(st);
    arena_free(st->arena);
    pthread_mutex_destroy(&st->lock);
    *st = (struct stream){ 0 };
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    end_stream(f);
    state_close(f->s);
    arena_free(f->a);
    assert_int_equal(file_remove_tree(f->dir, &err), 0);
    free(f);
    return 0;
}

/* The stream as a run with these options plans it. */
static struct stream *choose(struct fixture *f, const struct stream_options *o,
                             const struct stream_mark *m)
{
    struct error err = { 0 };
    struct table_schema *shape = NULL;
    end_stream(f);
    struct stream *st = &f->st;
    pthread_mutex_init(&st->lock, NULL);
    st->arena = arena_new((size_t)64 << 20);
    st->database = STR("d");
    st->table = STR("t");
    st->options = *o;
    st->found = method_table(st->arena, o, &f->table);
    assert_int_equal(shape_make(&f->context, st->arena, st->found, o->key, &shape, &err),
                     0);
    assert_int_equal(shape_add(&f->context, st, shape, &err), 0);
    assert_int_equal(method_choose(&f->context, st, m, &err), 0);
    return st;
}

static const struct stream_options FULL = { .method = METHOD_FULL };
static const struct stream_options APPEND = { .method = METHOD_FULL,
                                              .load = LOAD_APPEND };
static const struct stream_options BY_KEY = { .method = METHOD_KEY, .key = { "at", 2 } };

/* The destination after a first run with these options. */
static const struct stream_mark *live(struct fixture *f, const struct stream_options *o)
{
    struct error err = { 0 };
    const struct stream *st = choose(f, o, NULL);
    const struct key_anchor anchor = { .at = 50, .max = STR("2026-01-01 00:00:00") };
    struct key_bookmark b = { .column = o->key,
                              .anchors = &anchor,
                              .anchor_count = 1,
                              .noted = 100,
                              .definition = st->definition };
    f->mark = (struct stream_mark){
        .database = STR("d"),
        .table = STR("t"),
        .state = STREAM_LIVE,
        .live_version = LIVE,
        .schema_json = arena_str(f->a, str_of(st->shape->json)),
    };
    if (st->definition != 0)
        f->mark.bookmark = key_bookmark_format(f->a, &b);
    assert_int_equal(state_version_set(f->s, OF, LIVE, &err), 0);
    return &f->mark;
}

static void full_copies_replace_each_other(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    uint64_t newest = 0;
    const struct stream *st = choose(f, &FULL, live(f, &FULL));
    assert_int_equal(st->join, JOIN_REPLACE);
    assert_int_equal(st->version, LIVE + 1);
    assert_int_equal(st->bookmark.len, 0);
    assert_int_equal(state_version_get(f->s, OF, &newest, &err), 0);
    assert_int_equal(newest, LIVE + 1);
}

static void the_first_read_by_key_is_a_copy_and_the_next_a_delta(void **state)
{
    struct fixture *f = *state;
    const struct stream *st = choose(f, &BY_KEY, NULL);
    assert_int_equal(st->join, JOIN_REPLACE);
    assert_false(st->by_key);
    st = choose(f, &BY_KEY, live(f, &BY_KEY));
    assert_int_equal(st->join, JOIN_MERGE);
    assert_int_equal(st->version, LIVE);
    assert_int_equal(st->live_version, LIVE);
    assert_int_equal(st->before.anchor_count, 1);
    assert_true(st->by_key);
    struct stream_options append = BY_KEY;
    append.load = LOAD_APPEND;
    st = choose(f, &append, live(f, &append));
    assert_int_equal(st->join, JOIN_NEW);
}

/* Each makes rows that do not belong beside those of the live version. */
static void what_defines_a_version_makes_a_new_one_when_it_changes(void **state)
{
    struct fixture *f = *state;
    struct stream_options changed[6] = { BY_KEY, BY_KEY, BY_KEY, FULL, APPEND, BY_KEY };
    changed[0].key = STR("id");
    changed[1].where = STR("n > 1");
    changed[2].load = LOAD_APPEND;
    changed[5].from = STR("2020-01-01");
    for (size_t i = 0; i < 6; i++) {
        const struct stream *st = choose(f, &changed[i], live(f, &BY_KEY));
        assert_int_equal(st->join, JOIN_REPLACE);
        assert_true(st->version > LIVE);
        assert_int_equal(st->before.anchor_count, 0);
    }
}

static void a_reset_makes_a_new_version(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    const struct stream_options *both[] = { &BY_KEY, &APPEND };
    for (size_t i = 0; i < 2; i++) {
        const struct stream_mark *m = live(f, both[i]);
        assert_int_equal(state_version_set(f->s, OF, LIVE + 1, &err), 0);
        assert_int_equal(choose(f, both[i], m)->join, JOIN_REPLACE);
    }
}

/* The mark's shape is that of the copy under way: it says nothing of the live table. */
static void a_copy_under_way_is_no_live_table_also_without_the_state(void **state)
{
    struct fixture *f = *state;
    (void)live(f, &BY_KEY);
    f->mark.copy_version = LIVE + 1;
    f->mark.state = STREAM_COPYING;
    assert_int_equal(choose(f, &BY_KEY, &f->mark)->join, JOIN_REPLACE);
    assert_int_equal(f->st.version, LIVE + 2);
}

static void the_options_of_a_live_version_are_known_again(void **state)
{
    struct fixture *f = *state;
    struct stream_options filtered = FULL;
    filtered.where = STR("n > 1");
    assert_true(method_same_definition(f->a, &FULL, live(f, &FULL)));
    assert_false(method_same_definition(f->a, &filtered, &f->mark));
    assert_true(method_same_definition(f->a, &filtered, live(f, &filtered)));
    assert_false(method_same_definition(f->a, &FULL, &f->mark));
}

static void a_type_that_the_live_table_cannot_hold_makes_a_new_version(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    const struct stream_mark *m = live(f, &BY_KEY);
    f->columns[2].bytes = 4; /* the column grows in place */
    assert_int_equal(choose(f, &BY_KEY, m)->join, JOIN_MERGE);
    f->columns[2].type = TYPE_TEXT;
    assert_int_equal(choose(f, &BY_KEY, m)->join, JOIN_REPLACE);
    assert_int_equal(state_version_set(f->s, OF, LIVE, &err), 0);
    f->columns[2].type = TYPE_INT;
    f->columns[2].name = STR("other"); /* one came, one went */
    assert_int_equal(choose(f, &BY_KEY, m)->join, JOIN_MERGE);
    f->columns[1].key_ordinal = 1;
    f->columns[0].key_ordinal = 0;
    assert_int_equal(choose(f, &BY_KEY, m)->join, JOIN_REPLACE);
}

/* Their rows are known by a hash of all columns. */
static void another_shape_of_a_table_without_key_makes_a_new_version(void **state)
{
    struct fixture *f = *state;
    f->columns[0].key_ordinal = 0;
    f->table.schema.key_count = 0;
    f->table.key = KEY_NONE;
    const struct stream_mark *m = live(f, &BY_KEY);
    assert_int_equal(choose(f, &BY_KEY, m)->join, JOIN_MERGE);
    f->columns[2].bytes = 4;
    assert_int_equal(choose(f, &BY_KEY, m)->join, JOIN_REPLACE);
}

/* A copy that was cut off must not make the next one replace those that are kept. */
static void added_copies_go_behind_each_other_also_after_one_was_cut_off(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    uint64_t newest = 0;
    assert_int_equal(choose(f, &APPEND, NULL)->join, JOIN_REPLACE);
    assert_true(f->st.bookmark.len > 0);
    const struct stream_mark *m = live(f, &APPEND);
    for (int run = 0; run < 2; run++) {
        const struct stream *st = choose(f, &APPEND, m);
        assert_int_equal(st->join, JOIN_ADD);
        assert_int_equal(st->live_version, LIVE);
        assert_int_equal(st->version, LIVE + 1);
        assert_int_equal(state_version_get(f->s, OF, &newest, &err), 0);
        assert_int_equal(newest, LIVE);
    }
}

static void kept_copies_do_not_go_for_another_type(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    const struct stream_mark *m = live(f, &APPEND);
    f->columns[2].type = TYPE_TEXT;
    const struct stream *st = choose(f, &APPEND, m);
    assert_true(atomic_load(&st->failed));
    assert_int_equal(st->phase, PHASE_FAILED);
    assert_int_equal(st->why.code, ERR_SCHEMA);
    assert_int_equal(state_version_set(f->s, OF, LIVE + 1, &err), 0); /* a reset */
    st = choose(f, &APPEND, m);
    assert_false(atomic_load(&st->failed));
    assert_int_equal(st->join, JOIN_REPLACE);
}

/* --- going on ------------------------------------------------------------------------
 */

/* A delta of which one page was captured. */
static const struct stream_mark *under_way(struct fixture *f, enum join_kind join)
{
    (void)live(f, &BY_KEY);
    const struct stream *st = choose(f, &BY_KEY, &f->mark);
    struct page_range range = { .after = STR("\x01\0\0\0x") };
    struct page_position p = { .shape_hash = schema_hash(st->shape->schema) ^
                                             sync_row_policy(&f->options) ^
                                             st->definition,
                               .first_at = clock_wall_us(),
                               .ranges = &range,
                               .range_count = 1 };
    const struct key_anchor anchor = { .at = 60, .max = STR("2026-01-02 00:00:00") };
    struct key_bookmark b = { .column = STR("at"),
                              .anchors = &anchor,
                              .anchor_count = 1,
                              .noted = 200,
                              .from = STR("2026-01-01 00:00:00"),
                              .to = STR("2026-01-02 00:00:00"),
                              .definition = st->definition };
    f->mark.state = STREAM_COPYING;
    f->mark.copy_version = LIVE;
    f->mark.copy_sequence = 77;
    f->mark.copy_join = join;
    f->mark.copy_progress = page_position_format(f->a, &p);
    f->mark.copy_bookmark = key_bookmark_format(f->a, &b);
    return &f->mark;
}

static void with_an_index(struct fixture *f)
{
    static const struct str columns[] = { { "at", 2 } };
    static const struct catalog_index index = { { "by_at", 5 }, columns, 1 };
    f->table.indexes = &index;
    f->table.index_count = 1;
}

static void a_delta_goes_on_between_its_own_bounds(void **state)
{
    struct fixture *f = *state;
    with_an_index(f);
    const struct stream *st = choose(f, &BY_KEY, under_way(f, JOIN_MERGE));
    assert_true(st->resumed);
    assert_int_equal(st->version, LIVE);
    assert_int_equal(st->sequence, 77);
    assert_str(st->from, "2026-01-01 00:00:00");
    assert_str(st->to, "2026-01-02 00:00:00");
    assert_true(str_eq(st->bookmark, f->mark.copy_bookmark));
}

/* Rows that a later delta brings into a range already swept would be marked deleted. */
static void a_sweep_never_goes_on(void **state)
{
    struct fixture *f = *state;
    with_an_index(f);
    const struct stream *st = choose(f, &BY_KEY, under_way(f, JOIN_SWEEP));
    assert_false(st->resumed);
    assert_int_equal(st->join, JOIN_MERGE);
    assert_int_equal(st->spooled.join, JOIN_SWEEP); /* what is to be dropped */
}

/* --- what cannot be ------------------------------------------------------------------
 */

static void refused(struct fixture *f, const struct stream_options *o, const char *why)
{
    struct error err = { 0 };
    assert_int_equal(method_check(f->a, o, &f->table, &err), -1);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_true(str_starts(str_of(err.text), str_of(why)));
}

static void what_cannot_be_is_refused_with_a_reason(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct stream_options o = { .method = METHOD_KEY, .key = STR("nope") };
    refused(f, &o, "option 'key': 't' has no column 'nope'");
    f->columns[2].type = TYPE_TEXT;
    o.key = STR("n");
    refused(f, &o, "option 'key': 'n' cannot be a replication key: ");
    o.key = STR("AT"); /* the server does not mind the case */
    assert_int_equal(method_check(f->a, &o, &f->table, &err), 0);
    o.from = STR("yesterday");
    refused(f, &o, "option 'from': ");
    const struct str key[] = { STR("n"), STR("N") };
    struct stream_options view = { .view_key = key, .view_key_count = 1 };
    refused(f, &view, "option 'view_key': 't' is no view");
    f->table.kind = TABLE_VIEW;
    f->columns[2].type = TYPE_INT;
    assert_int_equal(method_check(f->a, &view, &f->table, &err), 0);
    view.view_key_count = 2;
    refused(f, &view, "option 'view_key': column 'n' stands twice");
}

static void a_view_has_the_key_that_was_declared(void **state)
{
    struct fixture *f = *state;
    const struct str key[] = { STR("n"), STR("id") };
    struct stream_options o = { .view_key = key, .view_key_count = 2 };
    f->table.kind = TABLE_VIEW;
    f->table.key = KEY_NONE;
    f->columns[0].key_ordinal = 0;
    f->table.schema.key_count = 0;
    const struct catalog_table *t = method_table(f->a, &o, &f->table);
    assert_int_equal(t->schema.key_count, 2);
    assert_str(schema_key_column(&t->schema, 1)->name, "n");
    assert_str(schema_key_column(&t->schema, 2)->name, "id");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(full_copies_replace_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(
            the_first_read_by_key_is_a_copy_and_the_next_a_delta, setup, teardown),
        cmocka_unit_test_setup_teardown(
            what_defines_a_version_makes_a_new_one_when_it_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reset_makes_a_new_version, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_copy_under_way_is_no_live_table_also_without_the_state, setup, teardown),
        cmocka_unit_test_setup_teardown(the_options_of_a_live_version_are_known_again,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_type_that_the_live_table_cannot_hold_makes_a_new_version, setup, teardown),
        cmocka_unit_test_setup_teardown(
            another_shape_of_a_table_without_key_makes_a_new_version, setup, teardown),
        cmocka_unit_test_setup_teardown(
            added_copies_go_behind_each_other_also_after_one_was_cut_off, setup,
            teardown),
        cmocka_unit_test_setup_teardown(kept_copies_do_not_go_for_another_type, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_delta_goes_on_between_its_own_bounds, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_sweep_never_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_refused_with_a_reason, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_view_has_the_key_that_was_declared, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
