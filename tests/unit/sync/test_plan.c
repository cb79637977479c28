#include "avro/schema.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "support/test.h"

/* A stream of the integration that the tests are of. */
#define STREAM(database, table) (&(struct stream_name){ STR("i"), (database), (table) })
#include "sync/integration.h"
#include "sync/plan.h"

#include <sys/stat.h>

/* A state in a folder of its own, and a catalog that each test fills. */
struct fixture {
    char dir[64];
    struct state *s;
    struct arena *a;
    struct sync_options options;
    struct plan_context context;
    struct catalog catalog;
    struct catalog_database databases[4];
    struct mark_list marks;
    struct plan plan;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct error err = { 0 };
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/tailrace-plan-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->s = state_open(f->dir, &err);
    assert_non_null(f->s);
    f->a = arena_new((size_t)64 << 20);
    f->options.resume_us = INT64_C(3600) * 1000000;
    f->context = (struct plan_context){ .state = f->s,
                                        .integration = STR("i"),
                                        .options = &f->options };
    f->catalog.databases = f->databases;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    plan_free(&f->plan);
    state_close(f->s);
    arena_free(f->a);
    assert_int_equal(file_remove_tree(f->dir, &err), 0);
    free(f);
    return 0;
}

static struct column int_column(struct str name, uint16_t key)
{
    return (struct column){ .name = name,
                            .source_type = STR("int"),
                            .type = TYPE_INT,
                            .bytes = 4,
                            .key_ordinal = key,
                            .selected = true };
}

/* Add a table with these columns to a database, which is made on first use. */
static struct catalog_table *add_table(struct fixture *f, struct str database,
                                       struct str name, const struct column *columns,
                                       uint16_t count)
{
    struct catalog_database *db = NULL;
    for (size_t i = 0; i < f->catalog.database_count; i++)
        if (str_eq(f->databases[i].name, database))
            db = &f->databases[i];
    if (db == NULL) {
        db = &f->databases[f->catalog.database_count++];
        db->name = database;
        db->tables = ARENA_ARRAY(f->a, struct catalog_table, 8);
    }
    struct column *copy = ARENA_ARRAY(f->a, struct column, count);
    memcpy(copy, columns, sizeof *copy * count);
    struct catalog_table *t = &db->tables[db->table_count++];
    *t = (struct catalog_table){ .kind = TABLE_BASE,
                                 .readable = true,
                                 .transactional = true,
                                 .key = KEY_PRIMARY,
                                 .key_name = STR("PRIMARY"),
                                 .engine = STR("InnoDB") };
    t->schema = (struct table_schema){
        .database = database, .name = name, .column_count = count, .columns = copy
    };
    for (uint16_t i = 0; i < count; i++)
        t->schema.key_count = (uint16_t)(t->schema.key_count + (copy[i].key_ordinal > 0));
    return t;
}

static struct catalog_table *add_simple(struct fixture *f, struct str database,
                                        struct str name)
{
    struct column id = int_column(STR("id"), 1);
    return add_table(f, database, name, &id, 1);
}

static void make(struct fixture *f)
{
    struct error err = { 0 };
    plan_free(&f->plan);
    if (plan_make(&f->context, &f->catalog, &f->marks, 0, &f->plan, &err) != 0) {
        print_error("%s\n", err.text);
        fail();
    }
}

static const struct stream *stream_named(const struct fixture *f, struct str database,
                                         struct str table)
{
    for (size_t i = 0; i < f->plan.stream_count; i++)
        if (str_eq(f->plan.streams[i].database, database) &&
            str_eq(f->plan.streams[i].table, table))
            return &f->plan.streams[i];
    return NULL;
}

static void patterns(struct fixture *f, const struct str *tables, size_t table_count,
                     const struct str *exclude, size_t exclude_count)
{
    f->options.tables = tables;
    f->options.table_count = table_count;
    f->options.exclude = exclude;
    f->options.exclude_count = exclude_count;
}

static void without_patterns_all_base_tables_are_selected_and_no_view(void **state)
{
    struct fixture *f = *state;
    (void)add_simple(f, STR("a"), STR("t"));
    add_simple(f, STR("a"), STR("v"))->kind = TABLE_VIEW;
    make(f);
    assert_int_equal(f->plan.stream_count, 1);
    assert_non_null(stream_named(f, STR("a"), STR("t")));
}

static void patterns_choose_exclusions_win_and_views_must_be_named(void **state)
{
    struct fixture *f = *state;
    (void)add_simple(f, STR("a"), STR("orders"));
    (void)add_simple(f, STR("a"), STR("orders_old"));
    (void)add_simple(f, STR("b"), STR("orders"));
    (void)add_simple(f, STR("b"), STR("other"));
    add_simple(f, STR("a"), STR("order_view"))->kind = TABLE_VIEW;
    const struct str want[] = { STR("a.order*"), STR("b.?rders"), STR("nothing") };
    const struct str not [] = { STR("*_old") };
    patterns(f, want, 3, not, 1);
    make(f);
    assert_int_equal(f->plan.stream_count, 2);
    assert_non_null(stream_named(f, STR("a"), STR("orders")));
    assert_non_null(stream_named(f, STR("b"), STR("orders")));
    assert_int_equal(f->plan.unmatched_count, 1);
    assert_str(f->plan.unmatched[0], "nothing");
    const struct str named[] = { STR("a.order_view") };
    patterns(f, named, 1, NULL, 0);
    make(f);
    assert_int_equal(f->plan.stream_count, 1);
    assert_non_null(stream_named(f, STR("a"), STR("order_view")));
}

static void nothing_selected_is_an_error_that_says_where_to_look(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    const struct str want[] = { STR("x.*") };
    (void)add_simple(f, STR("a"), STR("t"));
    patterns(f, want, 1, NULL, 0);
    assert_int_equal(plan_make(&f->context, &f->catalog, &f->marks, 0, &f->plan, &err),
                     -1);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(strstr(err.hint, "discover"));
}

static void what_cannot_be_read_is_refused_and_the_others_go_on(void **state)
{
    struct fixture *f = *state;
    struct column odd = int_column(STR("x"), 0);
    odd.type = TYPE_UNSUPPORTED;
    odd.selected = false;
    struct catalog_table *t = add_simple(f, STR("a"), STR("secret"));
    t->readable = false;
    t->why = STR("SELECT is not granted");
    (void)add_table(f, STR("a"), STR("odd"), &odd, 1);
    (void)add_simple(f, STR("a"), STR("good"));
    make(f);
    assert_int_equal(f->plan.stream_count, 1);
    assert_int_equal(f->plan.refusal_count, 2);
    assert_str(f->plan.refusals[0].why, "SELECT is not granted");
}

static void names_that_two_databases_share_get_the_database_in_front(void **state)
{
    struct fixture *f = *state;
    (void)add_simple(f, STR("a"), STR("t"));
    (void)add_simple(f, STR("b"), STR("T"));
    (void)add_simple(f, STR("a"), STR("only"));
    make(f);
    assert_str(stream_named(f, STR("a"), STR("t"))->target, "a__t");
    assert_str(stream_named(f, STR("b"), STR("T"))->target, "b__T");
    assert_str(stream_named(f, STR("a"), STR("only"))->target, "only");
}

static void a_table_name_once_given_stays_when_a_namesake_appears(void **state)
{
    struct fixture *f = *state;
    (void)add_simple(f, STR("a"), STR("t"));
    make(f);
    assert_str(stream_named(f, STR("a"), STR("t"))->target, "t");
    (void)add_simple(f, STR("b"), STR("t"));
    make(f);
    assert_str(stream_named(f, STR("a"), STR("t"))->target, "t");
    assert_str(stream_named(f, STR("b"), STR("t"))->target, "b__t");
}

static void tables_that_differ_only_by_case_get_different_names(void **state)
{
    struct fixture *f = *state;
    (void)add_simple(f, STR("a"), STR("Log"));
    (void)add_simple(f, STR("a"), STR("log"));
    make(f);
    struct str one = stream_named(f, STR("a"), STR("Log"))->target;
    struct str two = stream_named(f, STR("a"), STR("log"))->target;
    assert_false(str_ieq(one, two));
}

static void a_name_given_before_is_not_given_again(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    (void)add_simple(f, STR("a"), STR("t"));
    add_simple(f, STR("a"), STR("t_2"))->byte_estimate = 1000; /* planned first */
    assert_int_equal(state_name_save(f->s, STREAM(STR("a"), STR("t")), (struct str){ 0 },
                                     STR("t_2"), &err),
                     0);
    make(f);
    assert_str(stream_named(f, STR("a"), STR("t"))->target, "t_2");
    assert_str(stream_named(f, STR("a"), STR("t_2"))->target, "t_2_2");
}

/* In a destination that has not seen the first table yet; and back in one that gave its
 * name away under other state. */
static void a_table_that_is_gone_keeps_its_name_to_itself(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    (void)add_simple(f, STR("b"), STR("t"));
    assert_int_equal(state_name_save(f->s, STREAM(STR("a"), STR("t")), (struct str){ 0 },
                                     STR("t"), &err),
                     0);
    make(f);
    assert_str(stream_named(f, STR("b"), STR("t"))->target, "b__t");
}

static void a_column_that_is_gone_keeps_its_name_to_itself(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    static const char *const given[][2] = { { "a b", "a_b" },
                                            { "a-b", "a_b_2" },
                                            { "ID", "Id_given" } };
    const struct column columns[] = { int_column(STR("id"), 1),
                                      int_column(STR("a+b"), 0) };
    (void)add_table(f, STR("d"), STR("t"), columns, 2);
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        assert_int_equal(state_name_save(f->s, STREAM(STR("d"), STR("t")),
                                         str_of(given[i][0]), str_of(given[i][1]), &err),
                         0);
    make(f);
    const struct table_schema *s = stream_named(f, STR("d"), STR("t"))->shape->schema;
    assert_str(schema_find_column(s, STR("a+b"))->avro_name, "a_b_3");
    /* the same column to the server */
    assert_str(schema_find_column(s, STR("id"))->avro_name, "Id_given");
}

static void names_of_ours_are_not_given(void **state)
{
    struct fixture *f = *state;
    (void)add_simple(f, STR("a"), STR("_SDC_rejected"));
    (void)add_simple(f, STR("a"), STR("_tailrace_copy_2_t"));
    make(f);
    assert_str(stream_named(f, STR("a"), STR("_SDC_rejected"))->target,
               "_SDC_rejected_2");
    assert_str(stream_named(f, STR("a"), STR("_tailrace_copy_2_t"))->target,
               "a___tailrace_copy_2_t");
}

static void a_column_keeps_its_avro_name_when_a_rival_comes_first(void **state)
{
    struct fixture *f = *state;
    struct column before[] = { int_column(STR("id"), 1), int_column(STR("a_b"), 0) };
    struct catalog_table *t = add_table(f, STR("d"), STR("t"), before, 2);
    make(f);
    struct column after[] = { int_column(STR("a b"), 0), int_column(STR("id"), 1),
                              int_column(STR("a_b"), 0) };
    t->schema.columns = after;
    t->schema.column_count = 3;
    make(f);
    const struct table_schema *s = f->plan.streams[0].shape->schema;
    assert_str(schema_find_column(s, STR("a_b"))->avro_name, "a_b");
    assert_str(schema_find_column(s, STR("a b"))->avro_name, "a_b_2");
}

static void the_shape_version_grows_only_with_the_shape(void **state)
{
    struct fixture *f = *state;
    struct column columns[] = { int_column(STR("id"), 1), int_column(STR("n"), 0) };
    struct catalog_table *t = add_table(f, STR("d"), STR("t"), columns, 1);
    make(f);
    make(f);
    assert_int_equal(f->plan.streams[0].shape->schema->version, 1);
    t->schema.columns = columns;
    t->schema.column_count = 2;
    make(f);
    assert_int_equal(f->plan.streams[0].shape->schema->version, 2);
}

static void a_promoted_boolean_is_an_integer_in_every_later_run(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct column columns[] = { int_column(STR("id"), 1), int_column(STR("flag"), 0) };
    columns[1].type = TYPE_BOOL;
    (void)add_table(f, STR("d"), STR("t"), columns, 2);
    make(f);
    assert_int_equal(f->plan.streams[0].shape->schema->columns[1].type, TYPE_BOOL);
    assert_int_equal(
        state_promotion_save(f->s, STREAM(STR("d"), STR("t")), STR("flag"), &err), 0);
    make(f);
    assert_int_equal(f->plan.streams[0].shape->schema->columns[1].type, TYPE_INT);
    assert_int_equal(f->plan.streams[0].shape->schema->columns[1].bytes, 1);
}

static void bad_dates_as_text_add_a_companion_column(void **state)
{
    struct fixture *f = *state;
    struct column columns[] = { int_column(STR("id"), 1), int_column(STR("day"), 0) };
    columns[1].type = TYPE_DATE;
    f->options.dates = DATE_TEXT;
    (void)add_table(f, STR("d"), STR("t"), columns, 2);
    make(f);
    const struct table_schema *s = f->plan.streams[0].shape->schema;
    assert_int_equal(s->column_count, 3);
    const struct column *c = schema_find_column(s, STR("day__text"));
    assert_non_null(c);
    assert_str(s->columns[c->companion - 1].name, "day");
}

/* --- going on -------------------------------------------------------------------------
 */

static struct stream_mark copying(struct fixture *f, uint64_t hash, int64_t first_at)
{
    struct page_range ranges[] = { { .after = STR("\1\0\0\0005"),
                                     .upto = STR("\1\0\0\0009") },
                                   { .after = STR("\1\0\0\0009") } };
    struct page_position p = { .shape_hash = hash,
                               .first_at = first_at,
                               .last_at = first_at,
                               .ranges = ranges,
                               .range_count = 2 };
    return (struct stream_mark){ .integration = STR("i"),
                                 .database = STR("d"),
                                 .table = STR("t"),
                                 .target = STR("t"),
                                 .lane = STR("full"),
                                 .state = STREAM_COPYING,
                                 .live_version = 3,
                                 .copy_version = 4,
                                 .copy_sequence = 77,
                                 .copy_progress = page_position_format(f->a, &p) };
}

static void mark(struct fixture *f, struct stream_mark *m)
{
    f->marks.streams = m;
    f->marks.stream_count = 1;
}

static uint64_t shape_hash_of_plan(struct fixture *f)
{
    make(f);
    return schema_hash(f->plan.streams[0].shape->schema);
}

static void i10_an_unfinished_copy_goes_on_behind_its_last_row(void **state)
{
    struct fixture *f = *state;
    (void)add_simple(f, STR("d"), STR("t"));
    struct stream_mark m = copying(f, shape_hash_of_plan(f), clock_wall_us());
    mark(f, &m);
    make(f);
    const struct stream *st = &f->plan.streams[0];
    assert_true(st->resumed);
    assert_int_equal(st->phase, PHASE_WAITING); /* or two readers would take a range */
    assert_int_equal(st->version, 4);
    assert_int_equal(st->sequence, 77);
    assert_int_equal(st->range_count, 2);
    assert_str(st->ranges[0].after, "\1\0\0\0005");
}

static void a_copy_of_another_shape_starts_over_under_the_next_version(void **state)
{
    struct fixture *f = *state;
    (void)add_simple(f, STR("d"), STR("t"));
    struct stream_mark m = copying(f, shape_hash_of_plan(f) + 1, clock_wall_us());
    mark(f, &m);
    make(f);
    assert_false(f->plan.streams[0].resumed);
    assert_int_equal(f->plan.streams[0].version, 5);
    assert_true(f->plan.streams[0].spooled.begun); /* so that version 4 is dropped */
    assert_int_equal(f->plan.streams[0].spooled.version, 4);
}

static void a_copy_from_another_source_starts_over(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    (void)add_simple(f, STR("d"), STR("t"));
    struct stream_mark m = copying(f, shape_hash_of_plan(f), clock_wall_us());
    assert_int_equal(state_version_set(f->s, STREAM(STR("d"), STR("t")), 4, &err), 0);
    mark(f, &m);
    make(f);
    assert_true(f->plan.streams[0].resumed);
    struct url_source source = { .user = STR("u"), .host = STR("one"), .port = 3306 };
    struct url_destination d = { .scheme = STR("duckdb"), .location = STR("/tmp/x") };
    struct option_values *values = option_values_new(sync_option_table());
    struct integration_request request = {
        .name = STR("i"), .source = &source, .destination = &d, .options = values
    };
    struct integration i = { 0 };
    for (int again = 0; again < 2; again++) {
        assert_int_equal(integration_record(f->s, f->a, &request, &i, &err), 0);
        make(f);
        assert_true(f->plan.streams[0].resumed);
    }
    source.host = STR("other");
    assert_int_equal(integration_record(f->s, f->a, &request, &i, &err), 0);
    make(f);
    assert_false(f->plan.streams[0].resumed);
    assert_int_equal(f->plan.streams[0].version, 6);
    option_values_free(values);
}

static void a_copy_written_by_another_policy_starts_over(void **state)
{
    struct fixture *f = *state;
    (void)add_simple(f, STR("d"), STR("t"));
    struct stream_mark m = copying(f, shape_hash_of_plan(f), clock_wall_us());
    mark(f, &m);
    f->options.replace_bad_text = true;
    make(f);
    assert_false(f->plan.streams[0].resumed);
    f->options.replace_bad_text = false;
    f->options.dates = DATE_REJECT;
    make(f);
    assert_false(f->plan.streams[0].resumed);
}

static void a_copy_that_began_too_long_ago_starts_over(void **state)
{
    struct fixture *f = *state;
    (void)add_simple(f, STR("d"), STR("t"));
    struct stream_mark m = copying(f, shape_hash_of_plan(f),
                                   clock_wall_us() - f->options.resume_us - 1000000);
    mark(f, &m);
    make(f);
    assert_false(f->plan.streams[0].resumed);
}

static void an_unfinished_copy_of_a_deselected_table_is_dropped(void **state)
{
    struct fixture *f = *state;
    (void)add_simple(f, STR("d"), STR("u"));
    struct stream_mark m = copying(f, 1, clock_wall_us());
    mark(f, &m);
    make(f);
    assert_int_equal(f->plan.stream_count, 2);
    assert_true(f->plan.streams[1].orphan);
    assert_str(f->plan.streams[1].table, "t");
}

static void what_the_destination_has_and_nobody_copies_is_named(void **state)
{
    struct fixture *f = *state;
    const struct str want[] = { STR("d.u") };
    (void)add_simple(f, STR("d"), STR("u"));
    struct stream_mark m = copying(f, 1, 0);
    m.state = STREAM_LIVE;
    m.copy_version = 0;
    m.live_version = 3;
    mark(f, &m);
    make(f);
    assert_int_equal(f->plan.leftover_count, 1);
    assert_str(f->plan.leftovers[0].table, "t");
    assert_true(f->plan.leftovers[0].gone);
    (void)add_simple(f, STR("d"), STR("t"));
    patterns(f, want, 1, NULL, 0);
    make(f);
    assert_int_equal(f->plan.leftover_count, 1);
    assert_false(f->plan.leftovers[0].gone);
    patterns(f, NULL, 0, NULL, 0);
    make(f);
    assert_int_equal(f->plan.leftover_count, 0);
}

static void versions_grow_past_what_the_destination_has(void **state)
{
    struct fixture *f = *state;
    (void)add_simple(f, STR("d"), STR("t"));
    struct stream_mark m = copying(f, 1, 0);
    m.state = STREAM_LIVE;
    m.copy_version = 0;
    m.live_version = 41;
    mark(f, &m);
    make(f);
    assert_int_equal(f->plan.streams[0].version, 42);
}

static void a_continued_run_leaves_out_what_it_had_finished(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    (void)add_simple(f, STR("d"), STR("t"));
    (void)add_simple(f, STR("d"), STR("u"));
    struct stream_mark m = copying(f, 1, 0);
    m.state = STREAM_LIVE;
    m.copy_version = 0;
    m.loaded_at = 1000;
    mark(f, &m);
    assert_int_equal(plan_make(&f->context, &f->catalog, &f->marks, 900, &f->plan, &err),
                     0);
    assert_int_equal(f->plan.stream_count, 1);
    assert_int_equal(f->plan.finished_before, 1);
    plan_free(&f->plan);
    assert_int_equal(plan_make(&f->context, &f->catalog, &f->marks, 1100, &f->plan, &err),
                     0);
    assert_int_equal(f->plan.stream_count, 2);
}

static void two_tables_never_get_one_name(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    (void)add_simple(f, STR("d"), STR("t"));
    (void)add_simple(f, STR("a"), STR("other"));
    assert_int_equal(state_name_save(f->s, STREAM(STR("a"), STR("other")),
                                     (struct str){ 0 }, STR("old"), &err),
                     0);
    struct stream_mark m = copying(f, 1, 0);
    m.target = STR("old");
    mark(f, &m);
    make(f);
    assert_str(stream_named(f, STR("d"), STR("t"))->target, "old");
    assert_str(stream_named(f, STR("a"), STR("other"))->target, "other");
}

static void the_destination_remembers_names_that_the_state_lost(void **state)
{
    struct fixture *f = *state;
    (void)add_simple(f, STR("d"), STR("t"));
    struct stream_mark m = copying(f, 1, 0);
    m.target = STR("old");
    mark(f, &m);
    make(f);
    assert_str(stream_named(f, STR("d"), STR("t"))->target, "old");
}

/* Reset hands out the next version: the table is copied though the run had finished it.
 */
static void a_continued_run_copies_again_what_was_reset(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    (void)add_simple(f, STR("d"), STR("t"));
    struct stream_mark m = copying(f, 1, 0);
    m.state = STREAM_LIVE;
    m.copy_version = 0;
    m.loaded_at = 1000;
    mark(f, &m);
    assert_int_equal(state_version_set(f->s, STREAM(STR("d"), STR("t")), 4, &err), 0);
    assert_int_equal(plan_make(&f->context, &f->catalog, &f->marks, 900, &f->plan, &err),
                     0);
    assert_int_equal(f->plan.stream_count, 1);
    assert_int_equal(f->plan.streams[0].version, 5);
}

static struct column text_column(struct str name)
{
    return (struct column){ .name = name,
                            .source_type = STR("date"),
                            .type = TYPE_DATE,
                            .nullable = true,
                            .selected = true };
}

/* A deselected column is in no shape; its name in the destination is kept, with that of
 * its companion, once it has been copied. */
static void a_deselected_column_leaves_the_shape_and_its_name_is_kept(void **state)
{
    struct fixture *f = *state;
    struct column columns[] = { int_column(STR("id"), 1), int_column(STR("4th"), 0),
                                text_column(STR("day")) };
    (void)add_table(f, STR("d"), STR("t"), columns, 3);
    f->options.dates = DATE_TEXT;
    const struct str not [] = { STR("4th") };
    f->options.exclude_columns = not ;
    f->options.exclude_column_count = 1;
    make(f); /* never copied: not kept */
    assert_int_equal(stream_named(f, STR("d"), STR("t"))->kept_count, 0);
    f->options.exclude_column_count = 0;
    make(f);
    const struct column_setting no[] = { { STR("*"), CHOSEN_NO } };
    const struct stream_setting said = { STR("d"), STR("t"), CHOSEN_BY_PATTERN,
                                         no,       1,        { 0 } };
    const struct selection sel = { &said, 1 };
    f->context.selection = &sel;
    make(f);
    const struct stream *st = stream_named(f, STR("d"), STR("t"));
    assert_int_equal(st->shape->schema->column_count, 1);
    assert_str(st->shape->schema->columns[0].name, "id");
    assert_int_equal(st->shape->schema->version, 3);
    assert_int_equal(st->kept_count, 3);
    assert_str(st->kept[0], "_th");
    assert_str(st->kept[1], "day");
    assert_str(st->kept[2], "day__text");
}

static void a_table_without_selected_columns_is_refused_alone(void **state)
{
    struct fixture *f = *state;
    struct column a = int_column(STR("a"), 0);
    (void)add_table(f, STR("d"), STR("keyless"), &a, 1);
    (void)add_simple(f, STR("d"), STR("t"));
    const struct str no[] = { STR("a") };
    f->options.exclude_columns = no;
    f->options.exclude_column_count = 1;
    make(f);
    assert_int_equal(f->plan.stream_count, 1);
    assert_int_equal(f->plan.refusal_count, 1);
    assert_str(f->plan.refusals[0].why, "all its columns are deselected");
}

static void a_new_column_joins_or_waits(void **state)
{
    struct fixture *f = *state;
    struct column columns[] = { int_column(STR("id"), 1), int_column(STR("b"), 0) };
    struct catalog_table *t = add_table(f, STR("d"), STR("t"), columns, 2);
    t->schema.column_count = 1;
    make(f);
    t->schema.column_count = 2;
    f->options.ignore_new_columns = true;
    make(f);
    assert_int_equal(stream_named(f, STR("d"), STR("t"))->shape->schema->column_count, 1);
    make(f);
    assert_int_equal(stream_named(f, STR("d"), STR("t"))->shape->schema->column_count, 1);
    f->options.ignore_new_columns = false;
    make(f);
    assert_int_equal(stream_named(f, STR("d"), STR("t"))->shape->schema->column_count, 2);
}

/* A change takes effect with the next run, also with one that continues another. */
static void a_continued_run_copies_again_what_has_another_selection(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct column columns[] = { int_column(STR("id"), 1), int_column(STR("b"), 0) };
    (void)add_table(f, STR("d"), STR("t"), columns, 2);
    make(f);
    struct stream_mark m = copying(f, 1, 0);
    m.state = STREAM_LIVE;
    m.live_version = stream_named(f, STR("d"), STR("t"))->version;
    m.copy_version = 0;
    m.loaded_at = 1000;
    mark(f, &m);
    plan_free(&f->plan);
    assert_int_equal(plan_make(&f->context, &f->catalog, &f->marks, 900, &f->plan, &err),
                     0);
    assert_int_equal(f->plan.stream_count, 0);
    const struct str no[] = { STR("t.b") };
    f->options.exclude_columns = no;
    f->options.exclude_column_count = 1;
    plan_free(&f->plan);
    assert_int_equal(plan_make(&f->context, &f->catalog, &f->marks, 900, &f->plan, &err),
                     0);
    assert_int_equal(f->plan.stream_count, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_patterns_all_base_tables_are_selected_and_no_view),
        TEST(a_copy_from_another_source_starts_over),
        TEST(a_name_given_before_is_not_given_again),
        TEST(a_table_that_is_gone_keeps_its_name_to_itself),
        TEST(two_tables_never_get_one_name),
        TEST(a_column_that_is_gone_keeps_its_name_to_itself),
        TEST(names_of_ours_are_not_given),
        TEST(the_destination_remembers_names_that_the_state_lost),
        TEST(a_continued_run_copies_again_what_was_reset),
        TEST(patterns_choose_exclusions_win_and_views_must_be_named),
        TEST(nothing_selected_is_an_error_that_says_where_to_look),
        TEST(what_cannot_be_read_is_refused_and_the_others_go_on),
        TEST(names_that_two_databases_share_get_the_database_in_front),
        TEST(a_table_name_once_given_stays_when_a_namesake_appears),
        TEST(tables_that_differ_only_by_case_get_different_names),
        TEST(a_column_keeps_its_avro_name_when_a_rival_comes_first),
        TEST(the_shape_version_grows_only_with_the_shape),
        TEST(a_promoted_boolean_is_an_integer_in_every_later_run),
        TEST(bad_dates_as_text_add_a_companion_column),
        TEST(i10_an_unfinished_copy_goes_on_behind_its_last_row),
        TEST(a_copy_of_another_shape_starts_over_under_the_next_version),
        TEST(a_copy_written_by_another_policy_starts_over),
        TEST(a_copy_that_began_too_long_ago_starts_over),
        TEST(an_unfinished_copy_of_a_deselected_table_is_dropped),
        TEST(what_the_destination_has_and_nobody_copies_is_named),
        TEST(versions_grow_past_what_the_destination_has),
        TEST(a_continued_run_leaves_out_what_it_had_finished),
        TEST(a_deselected_column_leaves_the_shape_and_its_name_is_kept),
        TEST(a_table_without_selected_columns_is_refused_alone),
        TEST(a_new_column_joins_or_waits),
        TEST(a_continued_run_copies_again_what_has_another_selection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
