/* Of several policies the strictest counts. */
#include "sync/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the three above first */
#include <cmocka.h>

static void the_strictest_policy_counts(void **state)
{
    struct stream_options o = { .on = { [0] = POLICY_IGNORE,
                                        [1] = POLICY_RECOPY,
                                        [2] = POLICY_PARK,
                                        [3] = POLICY_FAIL } };
    enum log_class which = LOG_CLASS_GONE;
    (void)state;
    assert_int_equal(policy_of(&o, 0, &which), POLICY_APPLY);
    assert_int_equal(policy_of(&o, LOG_CLASS_ADD, &which), POLICY_IGNORE);
    assert_int_equal(which, LOG_CLASS_ADD);
    assert_int_equal(policy_of(&o, LOG_CLASS_ADD | LOG_CLASS_DROP, &which),
                     POLICY_RECOPY);
    assert_int_equal(which, LOG_CLASS_DROP);
    assert_int_equal(
        policy_of(&o, LOG_CLASS_RENAME | LOG_CLASS_ADD | LOG_CLASS_ROWS, &which),
        POLICY_PARK);
    assert_int_equal(which, LOG_CLASS_RENAME);
    assert_int_equal(policy_of(&o, 0x7f, &which), POLICY_FAIL);
    assert_int_equal(which, LOG_CLASS_TYPE);
    assert_int_equal(policy_of(&o, LOG_CLASS_GONE, &which), POLICY_APPLY);
    assert_string_equal(policy_option(LOG_CLASS_TYPE), "on_changed_type");
    assert_string_equal(policy_option(LOG_CLASS_GONE), "on_gone");
}

/* A policy stands in one place for all tables, and in another for one. */
static void what_is_said_of_a_table_is_stronger(void **state)
{
    struct arena *a = arena_new((size_t)1 << 20);
    struct option_values *v = option_values_new(sync_option_table());
    struct sync_options all = { 0 };
    struct stream_options one = { 0 };
    struct error err = { 0 };
    (void)state;
    assert_int_equal(option_set_json(v,
                                     STR("{\"on_gone\":\"fail\","
                                         "\"on_truncate\":\"ignore\"}"),
                                     &err),
                     0);
    assert_int_equal(sync_options_parse(a, v, &all, &err), 0);
    assert_int_equal(all.on[0], POLICY_APPLY);
    assert_int_equal(all.on[4], POLICY_RECOPY);
    assert_int_equal(all.on[5], POLICY_IGNORE);
    assert_int_equal(all.on[6], POLICY_FAIL);
    assert_int_equal(
        stream_options_parse(a, STR("{\"on_gone\":\"park\",\"on_unseen_rows\":\"fail\"}"),
                             &all, &one, &err),
        0);
    assert_int_equal(one.on[4], POLICY_FAIL);
    assert_int_equal(one.on[5], POLICY_IGNORE);
    assert_int_equal(one.on[6], POLICY_PARK);
    assert_int_equal(
        stream_options_parse(a, STR("{\"on_truncate\":\"apply\"}"), &all, &one, &err), 0);
    assert_int_equal(one.on[5], POLICY_APPLY);
    option_values_free(v);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_strictest_policy_counts),
        cmocka_unit_test(what_is_said_of_a_table_is_stronger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
