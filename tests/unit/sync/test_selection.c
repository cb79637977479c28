#include "base/alloc.h"
#include "base/file.h"
#include "support/test.h"
#include "sync/selection.h"

static const struct str none[1];

static struct catalog_table table_of(const struct column *columns, uint16_t count)
{
    return (struct catalog_table){
        .schema = { .database = STR("shop"),
                    .name = STR("orders"),
                    .column_count = count,
                    .columns = columns },
        .kind = TABLE_BASE,
        .readable = true,
    };
}

static struct column column_of(const char *name)
{
    return (struct column){ .name = str_of(name), .type = TYPE_INT, .selected = true };
}

/* --- tables ---------------------------------------------------------------------------
 */

static bool table_selected(const struct sync_options *o, enum chosen chosen,
                           enum table_kind kind)
{
    struct catalog_table t = table_of(NULL, 0);
    struct stream_setting said = { STR("shop"), STR("orders"), chosen, NULL, 0, { 0 } };
    struct selection sel = { &said, 1 };
    t.kind = kind;
    return selection_table(&sel, o, &t, NULL, NULL).selected;
}

static void a_name_is_stronger_than_patterns(void **state)
{
    (void)state;
    const struct str all[] = { STR("*") };
    const struct sync_options no = { .exclude = all, .exclude_count = 1 };
    const struct sync_options yes = { .tables = all, .table_count = 1 };
    assert_false(table_selected(&no, CHOSEN_BY_PATTERN, TABLE_BASE));
    assert_true(table_selected(&no, CHOSEN_YES, TABLE_BASE));
    assert_true(table_selected(&yes, CHOSEN_BY_PATTERN, TABLE_BASE));
    assert_false(table_selected(&yes, CHOSEN_NO, TABLE_BASE));
}

static void views_are_selected_only_by_name(void **state)
{
    (void)state;
    const struct str all[] = { STR("shop.*") }, one[] = { STR("shop.orders") };
    const struct sync_options nothing = { .tables = none };
    const struct sync_options pattern = { .tables = all, .table_count = 1 };
    const struct sync_options name = { .tables = one, .table_count = 1 };
    assert_false(table_selected(&nothing, CHOSEN_BY_PATTERN, TABLE_VIEW));
    assert_false(table_selected(&pattern, CHOSEN_BY_PATTERN, TABLE_VIEW));
    assert_true(table_selected(&name, CHOSEN_BY_PATTERN, TABLE_VIEW));
    assert_true(table_selected(&nothing, CHOSEN_YES, TABLE_VIEW));
}

static void the_setting_of_a_table_is_found_among_many(void **state)
{
    (void)state;
    struct stream_setting list[] = {
        { STR("a"), STR("t"), CHOSEN_YES, NULL, 0, { 0 } },
        { STR("a"), STR("u"), CHOSEN_YES, NULL, 0, { 0 } },
        { STR("b"), STR("a"), CHOSEN_YES, NULL, 0, { 0 } },
        { STR("b"), STR("t"), CHOSEN_YES, NULL, 0, { 0 } },
    };
    const struct selection sel = { list, 4 };
    for (size_t i = 0; i < 4; i++)
        assert_ptr_equal(selection_find(&sel, list[i].database, list[i].table), &list[i]);
    assert_null(selection_find(&sel, STR("a"), STR("v")));
    assert_null(selection_find(&sel, STR(""), STR("")));
    assert_null(selection_find(NULL, STR("a"), STR("t")));
}

/* --- columns: the truth table of fields ------------------------------------------------
 *
 * inclusion automatic is the key, unsupported an unsupported type, available the rest;
 * selected is what was said of the column by name, selected-by-default what the rules of
 * the integration give. */

enum inclusion { AUTOMATIC, UNSUPPORTED, AVAILABLE };

static bool replicated(enum inclusion inclusion, enum chosen selected, bool by_default)
{
    const struct str pattern[] = { STR("orders.note") };
    const struct sync_options o = { .exclude_columns = pattern,
                                    .exclude_column_count = by_default ? 0 : 1 };
    struct column c = column_of("note");
    c.key_ordinal = inclusion == AUTOMATIC ? 1 : 0;
    if (inclusion == UNSUPPORTED)
        c.type = TYPE_UNSUPPORTED;
    struct catalog_table t = table_of(&c, 1);
    struct column_setting one = { STR("note"), selected };
    struct stream_setting said = { STR("shop"),
                                   STR("orders"),
                                   CHOSEN_BY_PATTERN,
                                   &one,
                                   selected == CHOSEN_BY_PATTERN ? 0 : 1,
                                   { 0 } };
    return selection_column(&said, &o, &t.schema, &c, false, NULL).selected;
}

/* Every line that the table has, "any" written out. */
static void the_field_truth_table_line_by_line(void **state)
{
    (void)state;
    static const enum chosen SAID[] = { CHOSEN_YES, CHOSEN_NO, CHOSEN_BY_PATTERN };
    static const struct {
        enum inclusion inclusion;
        bool replicated[3][2]; /* selected true, false, null; by default true, false */
    } LINES[] = {
        { AUTOMATIC, { { true, true }, { true, true }, { true, true } } },
        { UNSUPPORTED, { { false, false }, { false, false }, { false, false } } },
        /* false and by default true is left out, though the reference prints yes */
        { AVAILABLE, { { true, true }, { false, false }, { true, false } } },
    };
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++)
        for (size_t said = 0; said < 3; said++)
            for (size_t not_default = 0; not_default < 2; not_default++)
                assert_int_equal(
                    replicated(LINES[i].inclusion, SAID[said], not_default == 0),
                    LINES[i].replicated[said][not_default]);
}

static void field_truth_automatic_is_replicated_whatever_is_said(void **state)
{
    (void)state;
    for (int selected = CHOSEN_BY_PATTERN; selected <= CHOSEN_NO; selected++) {
        assert_true(replicated(AUTOMATIC, (enum chosen)selected, true));
        assert_true(replicated(AUTOMATIC, (enum chosen)selected, false));
    }
}

static void field_truth_unsupported_is_never_replicated(void **state)
{
    (void)state;
    for (int selected = CHOSEN_BY_PATTERN; selected <= CHOSEN_NO; selected++) {
        assert_false(replicated(UNSUPPORTED, (enum chosen)selected, true));
        assert_false(replicated(UNSUPPORTED, (enum chosen)selected, false));
    }
}

static void field_truth_available_selected_is_replicated(void **state)
{
    (void)state;
    assert_true(replicated(AVAILABLE, CHOSEN_YES, true));
    assert_true(replicated(AVAILABLE, CHOSEN_YES, false));
}

static void field_truth_available_deselected_is_not_replicated(void **state)
{
    (void)state;
    assert_false(replicated(AVAILABLE, CHOSEN_NO, false));
}

/* The reference prints yes for this one line; what a person deselects is left out. */
static void field_truth_deselected_beats_selected_by_default(void **state)
{
    (void)state;
    assert_false(replicated(AVAILABLE, CHOSEN_NO, true));
}

static void field_truth_available_and_nothing_said_follows_the_default(void **state)
{
    (void)state;
    assert_true(replicated(AVAILABLE, CHOSEN_BY_PATTERN, true));
    assert_false(replicated(AVAILABLE, CHOSEN_BY_PATTERN, false));
}

/* --- columns: patterns, new ones -------------------------------------------------------
 */

static void
a_column_name_is_stronger_than_a_pattern_and_no_wins_among_patterns(void **state)
{
    (void)state;
    const struct sync_options o = { .tables = none };
    struct column columns[] = { column_of("tmp_a"), column_of("TMP_KEEP"),
                                column_of("other") };
    struct catalog_table t = table_of(columns, 3);
    const struct column_setting list[] = { { STR("*"), CHOSEN_YES },
                                           { STR("tmp_*"), CHOSEN_NO },
                                           { STR("tmp_keep"), CHOSEN_YES } };
    struct stream_setting said = {
        STR("shop"), STR("orders"), CHOSEN_YES, list, 3, { 0 }
    };
    const bool want[] = { false, true, true };
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(
            selection_column(&said, &o, &t.schema, &columns[i], false, NULL).selected,
            want[i]);
}

static void exclude_columns_names_column_table_or_database(void **state)
{
    (void)state;
    struct column c = column_of("Secret");
    struct catalog_table t = table_of(&c, 1);
    const struct {
        const char *pattern;
        bool selected;
    } cases[] = { { "secret", false },        { "orders.sec*", false },
                  { "*.secret", false },      { "shop.orders.secret", false },
                  { "shop.*.secret", false }, { "crm.orders.secret", true },
                  { "items.secret", true },   { "secre", true },
                  { "shop.secret", true } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct str pattern[] = { str_of(cases[i].pattern) };
        const struct sync_options o = { .exclude_columns = pattern,
                                        .exclude_column_count = 1 };
        assert_int_equal(selection_column(NULL, &o, &t.schema, &c, false, NULL).selected,
                         cases[i].selected);
    }
}

static void an_unsupported_column_says_why(void **state)
{
    (void)state;
    struct arena *a = arena_new((size_t)1 << 20);
    const struct sync_options o = { .tables = none };
    struct column c = column_of("shape");
    c.type = TYPE_UNSUPPORTED;
    c.why = STR("geometry is not read");
    struct catalog_table t = table_of(&c, 1);
    assert_str(selection_column(NULL, &o, &t.schema, &c, false, a).why,
               "unsupported: geometry is not read");
    arena_free(a);
}

static void rules_that_name_nothing_are_told(void **state)
{
    (void)state;
    struct arena *a = arena_new((size_t)1 << 20);
    struct column columns[] = { column_of("id"), column_of("note") };
    struct catalog_table t = table_of(columns, 2);
    struct catalog_database db = { .name = STR("shop"), .tables = &t, .table_count = 1 };
    struct catalog c = { .databases = &db, .database_count = 1 };
    const struct str patterns[] = { STR("note"), STR("orders.nmae"), STR("shop.*.i?") };
    const struct sync_options o = { .exclude_columns = patterns,
                                    .exclude_column_count = 3 };
    const struct column_setting list[] = { { STR("NOTE"), CHOSEN_NO },
                                           { STR("n*"), CHOSEN_NO },
                                           { STR("x*"), CHOSEN_NO },
                                           { STR("zip"), CHOSEN_YES } };
    const struct stream_setting said[] = {
        { STR("shop"), STR("orders"), CHOSEN_BY_PATTERN, list, 4, { 0 } },
        { STR("shop"), STR("ordres"), CHOSEN_NO, NULL, 0, { 0 } },
    };
    const struct selection sel = { said, 2 };
    struct str *out = NULL;
    assert_int_equal(selection_unmatched(&sel, &o, &c, a, &out), 4);
    assert_str(out[0], "orders.nmae");
    assert_str(out[1], "shop.orders.x*");
    assert_str(out[2], "shop.orders.zip");
    assert_str(out[3], "shop.ordres");
    arena_free(a);
}

static void new_columns_join_or_wait_as_the_option_says(void **state)
{
    (void)state;
    char dir[] = "/tmp/tailrace-selection-XXXXXX";
    struct error err = { 0 };
    assert_non_null(mkdtemp(dir));
    struct state *s = state_open(dir, &err);
    assert_non_null(s);
    struct column columns[] = { column_of("a"), column_of("b"), column_of("c") };
    struct table_schema t = {
        .database = STR("d"), .name = STR("t"), .column_count = 1, .columns = columns
    };
    struct sync_options ignore = { .ignore_new_columns = true };
    struct sync_options join = { .ignore_new_columns = false };
    struct selection_owner ignoring = { s, STR("i"), &ignore, false };
    struct selection_owner joining = { s, STR("i"), &join, false };
    bool late[3] = { 0 };
    /* the first look knows all it sees, the next one tells what is new */
    assert_int_equal(selection_late(&ignoring, &t, true, late, &err), 0);
    assert_false(late[0]);
    t.column_count = 2;
    assert_int_equal(selection_late(&ignoring, &t, false, late, &err), 0);
    assert_true(late[1]);
    assert_int_equal(selection_late(&ignoring, &t, true, late, &err), 0);
    assert_false(late[0]);
    assert_true(late[1]);
    struct catalog_table whole = { .schema = t };
    assert_false(
        selection_column(NULL, &ignore, &whole.schema, &columns[1], true, NULL).selected);
    const struct column_setting yes = { STR("b"), CHOSEN_YES };
    struct stream_setting said = {
        STR("d"), STR("t"), CHOSEN_BY_PATTERN, &yes, 1, { 0 }
    };
    assert_true(selection_column(&said, &ignore, &whole.schema, &columns[1], true, NULL)
                    .selected);
    /* it joins under select, and stays when the option turns back */
    assert_int_equal(selection_late(&joining, &t, true, late, &err), 0);
    assert_false(late[1]);
    t.column_count = 3;
    assert_int_equal(selection_late(&ignoring, &t, true, late, &err), 0);
    assert_false(late[1]);
    assert_true(late[2]);
    state_close(s);
    assert_int_equal(file_remove_tree(dir, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_stronger_than_patterns),
        cmocka_unit_test(views_are_selected_only_by_name),
        cmocka_unit_test(the_setting_of_a_table_is_found_among_many),
        cmocka_unit_test(the_field_truth_table_line_by_line),
        cmocka_unit_test(field_truth_automatic_is_replicated_whatever_is_said),
        cmocka_unit_test(field_truth_unsupported_is_never_replicated),
        cmocka_unit_test(field_truth_available_selected_is_replicated),
        cmocka_unit_test(field_truth_available_deselected_is_not_replicated),
        cmocka_unit_test(field_truth_deselected_beats_selected_by_default),
        cmocka_unit_test(field_truth_available_and_nothing_said_follows_the_default),
        cmocka_unit_test(
            a_column_name_is_stronger_than_a_pattern_and_no_wins_among_patterns),
        cmocka_unit_test(exclude_columns_names_column_table_or_database),
        cmocka_unit_test(an_unsupported_column_says_why),
        cmocka_unit_test(rules_that_name_nothing_are_told),
        cmocka_unit_test(new_columns_join_or_wait_as_the_option_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
