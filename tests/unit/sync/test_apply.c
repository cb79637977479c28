#include "base/alloc.h"
#include "base/file.h"
#include "support/test.h"
#include "sync/apply.h"
#include "sync/choose.h"
#include "sync/options.h"

struct fixture {
    char dir[64];
    struct state *s;
    struct arena *a;
    struct integration_spec spec;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct error err = { 0 };
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/tailrace-apply-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->s = state_open(f->dir, &err);
    assert_non_null(f->s);
    f->a = arena_new((size_t)64 << 20);
    f->spec =
        (struct integration_spec){ .name = STR("shop"),
                                   .source = STR("mysql://u@h:3306/shop"),
                                   .destination = STR("duckdb:/x.duckdb"),
                                   .options = option_values_new(sync_option_table()) };
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    option_values_free(f->spec.options);
    state_close(f->s);
    arena_free(f->a);
    assert_int_equal(file_remove_tree(f->dir, &err), 0);
    free(f);
    return 0;
}

static size_t apply(struct fixture *f, bool dry_run)
{
    struct apply_request wanted = {
        .list = &f->spec, .count = 1, .path = "f.yaml", .dry_run = dry_run
    };
    struct apply_result r = { 0 };
    struct error err = { 0 };
    if (apply_list(f->s, f->a, &wanted, &r, &err) != 0) {
        print_error("%s\n", err.text);
        fail();
    }
    return r.change_count;
}

static struct integration_spec current(struct fixture *f)
{
    struct integration_spec i = { 0 };
    struct error err = { 0 };
    assert_int_equal(apply_current(f->s, f->a, STR("shop"), &i, &err), 1);
    return i;
}

static void applied_again_nothing_changes(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    choose_column(f->a, &f->spec, STR("shop"), STR("t"), STR("b"), CHOSEN_NO);
    choose_table(f->a, &f->spec, STR("crm"), STR("u"), CHOSEN_YES);
    assert_int_equal(option_set(f->spec.options, STR("dates"), STR("text"), &err), 0);
    assert_int_equal(apply(f, false), 6);
    assert_int_equal(apply(f, false), 0);
    struct integration_spec now = current(f);
    assert_int_equal(now.stream_count, 2);
    assert_str(now.streams[0].database, "crm");
    assert_int_equal(now.streams[0].chosen, CHOSEN_YES);
    assert_int_equal(now.streams[1].column_count, 1);
    assert_str(now.streams[1].columns[0].column, "b");
    assert_str(option_text(now.options, "dates"), "text");
    option_values_free(now.options);
}

static void a_dry_run_shows_the_same_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct integration_spec i = { 0 };
    struct error err = { 0 };
    size_t shown = apply(f, true);
    assert_int_equal(apply_current(f->s, f->a, STR("shop"), &i, &err), 0);
    assert_int_equal(apply(f, false), shown);
}

/* The second of two cannot be: the first is not made either. */
static void one_that_cannot_be_leaves_all_as_they_are(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct apply_result r = { 0 };
    struct integration_spec list[2] = { f->spec, f->spec };
    list[1].name = STR("Shop"); /* the same schema */
    list[1].place = (struct file_place){ 7, 11 };
    struct apply_request wanted = { .list = list, .count = 2, .path = "f.yaml" };
    assert_int_equal(apply_list(f->s, f->a, &wanted, &r, &err), -1);
    assert_true(str_starts(str_of(err.text), STR("f.yaml:7:11: ")));
    struct integration *all = NULL;
    size_t count = 9;
    assert_int_equal(state_integration_list(f->s, f->a, &all, &count, &err), 0);
    assert_int_equal(count, 0);
}

static void what_is_missing_from_the_list_goes_back_to_its_default(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    choose_table(f->a, &f->spec, STR("shop"), STR("t"), CHOSEN_NO);
    assert_int_equal(option_set(f->spec.options, STR("dates"), STR("text"), &err), 0);
    (void)apply(f, false);
    f->spec.stream_count = 0;
    assert_int_equal(option_set(f->spec.options, STR("dates"), STR("null"), &err), 0);
    assert_int_equal(apply(f, false), 2);
    struct integration_spec now = current(f);
    assert_int_equal(now.stream_count, 0);
    assert_true(option_is_default(now.options, "dates"));
    option_values_free(now.options);
}

static void a_removed_integration_leaves_nothing_in_the_state(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct stream_name of = { STR("shop"), STR("d"), STR("t") };
    struct known_column k = { STR("c"), true }, *known = NULL;
    struct integration_spec i = { 0 };
    size_t count = 9;
    choose_table(f->a, &f->spec, STR("d"), STR("t"), CHOSEN_NO);
    (void)apply(f, false);
    assert_int_equal(state_known_save(f->s, &of, &k, &err), 0);
    assert_int_equal(state_integration_remove(f->s, STR("shop"), &err), 0);
    assert_int_equal(apply_current(f->s, f->a, STR("shop"), &i, &err), 0);
    assert_int_equal(
        state_setting_list(f->s, f->a, STR("shop"), &i.streams, &count, &err), 0);
    assert_int_equal(count, 0);
    assert_int_equal(state_known_list(f->s, f->a, &of, &known, &count, &err), 0);
    assert_int_equal(count, 0);
}

/* --- options of one table -------------------------------------------------------------
 */

static int options_of(struct fixture *f, const char *table, const char *set,
                      const char *unset, struct error *err)
{
    struct option_values *v = option_values_new(stream_option_table());
    struct stream_name of = { STR("shop"), STR("shop"), str_of(table) };
    struct option_change change = { v, str_of(unset) };
    assert_int_equal(option_set_json(v, str_of(set), err), 0);
    int rc = choose_options(f->a, &f->spec, &of, &change, err);
    option_values_free(v);
    return rc;
}

static void options_of_a_table_are_added_and_taken_back(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    assert_int_equal(options_of(f, "t", "{\"key\":\"id\",\"method\":\"key\"}", "", &err),
                     0);
    assert_str(f->spec.streams[0].options, "{\"method\":\"key\",\"key\":\"id\"}");
    assert_int_equal(options_of(f, "t", "{\"sweep\":\"no\"}", "key, look-back", &err), 0);
    assert_str(f->spec.streams[0].options, "{\"method\":\"key\",\"sweep\":\"no\"}");
    assert_int_equal(options_of(f, "t", "{\"key\":\"id\"}", "key", &err), -1);
    assert_string_equal(err.text, "option 'key' is set and unset at once");
    assert_int_equal(options_of(f, "t", "{}", "tables", &err), -1);
    assert_string_equal(err.text, "a table has no option 'tables'");
    assert_int_equal(options_of(f, "t", "{}", "method,sweep", &err), 0);
    assert_int_equal(f->spec.stream_count, 0);
}

static void options_of_a_table_are_kept_and_their_changes_told(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct apply_request wanted = { .list = &f->spec, .count = 1 };
    struct apply_result r = { 0 };
    (void)apply(f, false);
    assert_int_equal(options_of(f, "t", "{\"key\":\"id\",\"sweep\":\"no\"}", "", &err),
                     0);
    assert_int_equal(apply_list(f->s, f->a, &wanted, &r, &err), 0);
    assert_int_equal(r.change_count, 2);
    assert_str(r.changes[0], "shop: table shop.t, option key: (none) -> id");
    assert_str(r.changes[1], "shop: table shop.t, option sweep: (none) -> no");
    assert_int_equal(options_of(f, "t", "{\"key\":\"n\"}", "sweep", &err), 0);
    assert_int_equal(apply_list(f->s, f->a, &wanted, &r, &err), 0);
    assert_str(r.changes[0], "shop: table shop.t, option key: id -> n");
    assert_str(r.changes[1], "shop: table shop.t, option sweep: no -> (none)");
    struct integration_spec now = current(f);
    assert_str(now.streams[0].options, "{\"key\":\"n\"}");
    option_values_free(now.options);
    assert_int_equal(state_integration_remove(f->s, STR("shop"), &err), 0);
    size_t count = 9;
    assert_int_equal(
        state_setting_list(f->s, f->a, STR("shop"), &now.streams, &count, &err), 0);
    assert_int_equal(count, 0);
}

static void what_does_not_fit_together_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct apply_request wanted = { .list = &f->spec, .count = 1 };
    struct apply_result r = { 0 };
    (void)apply(f, false);
    assert_int_equal(options_of(f, "t", "{\"method\":\"key\"}", "", &err), 0);
    assert_int_equal(apply_list(f->s, f->a, &wanted, &r, &err), -1);
    assert_string_equal(err.text,
                        "table 'shop.t': option 'method' is 'key', and no option "
                        "'key' names the column");
    struct integration_spec now = current(f);
    assert_int_equal(now.stream_count, 0);
    option_values_free(now.options);
    /* the integration's key is enough */
    assert_int_equal(option_set(f->spec.options, STR("key"), STR("id"), &err), 0);
    assert_int_equal(apply(f, false), 2);
}

static void all_in_one_word_forgets_choices_and_keeps_options(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    choose_table(f->a, &f->spec, STR("shop"), STR("t"), CHOSEN_NO);
    choose_table(f->a, &f->spec, STR("shop"), STR("v"), CHOSEN_YES);
    choose_column(f->a, &f->spec, STR("shop"), STR("t"), STR("c"), CHOSEN_NO);
    assert_int_equal(options_of(f, "t", "{\"method\":\"full\"}", "", &err), 0);
    assert_int_equal(
        option_set_json(f->spec.options,
                        STR("{\"tables\":\"a\",\"exclude\":\"b\",\"exclude_columns\":"
                            "\"c\",\"method\":\"full\"}"),
                        &err),
        0);
    assert_int_equal(choose_all(&f->spec, &err), -1);
    assert_non_null(strstr(err.text, "only while the integration's method is 'auto' or "
                                     "'log'; it is 'full'"));
    assert_int_equal(f->spec.stream_count, 2);
    assert_int_equal(option_set(f->spec.options, STR("method"), STR("auto"), &err), 0);
    assert_int_equal(choose_all(&f->spec, &err), 0);
    assert_int_equal(f->spec.stream_count, 1);
    assert_int_equal(f->spec.streams[0].chosen, CHOSEN_BY_PATTERN);
    assert_int_equal(f->spec.streams[0].column_count, 0);
    assert_str(f->spec.streams[0].options, "{\"method\":\"full\"}");
    assert_true(option_is_default(f->spec.options, "tables"));
    assert_true(option_is_default(f->spec.options, "exclude"));
    assert_true(option_is_default(f->spec.options, "exclude_columns"));
}

/* --- choosing -------------------------------------------------------------------------
 */

static void tables_of(struct fixture *f, const char *pattern, enum chosen chosen,
                      const char *tables, const char *exclude)
{
    struct error err = { 0 };
    assert_int_equal(choose_tables(f->a, &f->spec, str_of(pattern), chosen, &err), 0);
    assert_string_equal(option_text(f->spec.options, "tables").ptr, tables);
    assert_string_equal(option_text(f->spec.options, "exclude").ptr, exclude);
}

static void patterns_of_tables_are_edited_and_never_turn_into_all(void **state)
{
    struct fixture *f = *state;
    tables_of(f, "a.*", CHOSEN_YES, "", ""); /* all already */
    tables_of(f, "a.*", CHOSEN_NO, "", "a.*");
    tables_of(f, "b.*", CHOSEN_NO, "", "a.*,b.*");
    tables_of(f, "a.*", CHOSEN_YES, "", "b.*");
    tables_of(f, "*", CHOSEN_NO, "", "b.*,*");
    tables_of(f, "c.*", CHOSEN_YES, "c.*", "b.*");
    tables_of(f, "d.*", CHOSEN_YES, "c.*,d.*", "b.*");
    tables_of(f, "d.*", CHOSEN_NO, "c.*", "b.*,d.*");
    tables_of(f, "c.*", CHOSEN_NO, "", "b.*,d.*,*");
    tables_of(f, "*", CHOSEN_YES, "", "");
    struct error err = { 0 };
    assert_int_equal(choose_tables(f->a, &f->spec, STR("a,*"), CHOSEN_YES, &err), -1);
}

static void patterns_of_columns_go_in_and_out(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    assert_int_equal(choose_columns(f->a, &f->spec, STR("*"), STR("pw"), CHOSEN_NO, &err),
                     0);
    assert_int_equal(
        choose_columns(f->a, &f->spec, STR("s.*"), STR("x"), CHOSEN_NO, &err), 0);
    assert_str(option_text(f->spec.options, "exclude_columns"), "pw,s.*.x");
    assert_int_equal(
        choose_columns(f->a, &f->spec, STR("*"), STR("pw"), CHOSEN_YES, &err), 0);
    assert_str(option_text(f->spec.options, "exclude_columns"), "s.*.x");
    assert_int_equal(
        choose_columns(f->a, &f->spec, STR("*"), STR("pw"), CHOSEN_YES, &err), -1);
}

static void what_is_forgotten_leaves_no_setting(void **state)
{
    struct fixture *f = *state;
    choose_table(f->a, &f->spec, STR("d"), STR("t"), CHOSEN_YES);
    choose_column(f->a, &f->spec, STR("d"), STR("t"), STR("c"), CHOSEN_NO);
    choose_column(f->a, &f->spec, STR("d"), STR("t"), STR("C"), CHOSEN_YES);
    assert_int_equal(f->spec.streams[0].column_count, 1);
    choose_table(f->a, &f->spec, STR("d"), STR("t"), CHOSEN_BY_PATTERN);
    assert_int_equal(f->spec.stream_count, 1);
    choose_column(f->a, &f->spec, STR("d"), STR("t"), STR("c"), CHOSEN_BY_PATTERN);
    assert_int_equal(f->spec.stream_count, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(applied_again_nothing_changes),
        TEST(a_dry_run_shows_the_same_and_changes_nothing),
        TEST(one_that_cannot_be_leaves_all_as_they_are),
        TEST(what_is_missing_from_the_list_goes_back_to_its_default),
        TEST(a_removed_integration_leaves_nothing_in_the_state),
        TEST(options_of_a_table_are_added_and_taken_back),
        TEST(options_of_a_table_are_kept_and_their_changes_told),
        TEST(what_does_not_fit_together_changes_nothing),
        TEST(all_in_one_word_forgets_choices_and_keeps_options),
        TEST(patterns_of_tables_are_edited_and_never_turn_into_all),
        TEST(patterns_of_columns_go_in_and_out),
        TEST(what_is_forgotten_leaves_no_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
