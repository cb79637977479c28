#include "base/fault.h"
#include "support/test.h"

#include <errno.h>

#ifdef TAILRACE_FAULT_POINTS

static void pass_three_times(void)
{
    FAULT("spool.renamed");
    FAULT("spool.renamed");
    FAULT("spool.renamed");
}

static void pass_twice(void)
{
    FAULT("spool.renamed");
    FAULT("spool.renamed");
}

static int ask(void)
{
    return FAULT_ERRNO("spool.write");
}

static void nothing_happens_without_a_name(void **state)
{
    (void)state;
    unsetenv("TAILRACE_FAULT");
    assert_int_equal(signal_that_ends(pass_three_times), 0);
    assert_int_equal(ask(), 0);
}

static void only_the_named_point_kills(void **state)
{
    (void)state;
    setenv("TAILRACE_FAULT", "spool.renamed", 1);
    assert_int_equal(signal_that_ends(pass_three_times), SIGKILL);
    setenv("TAILRACE_FAULT", "spool.other", 1);
    assert_int_equal(signal_that_ends(pass_three_times), 0);
    setenv("TAILRACE_FAULT", "spool.rename", 1);
    assert_int_equal(signal_that_ends(pass_three_times), 0);
}

static void the_third_passing_is_the_third(void **state)
{
    (void)state;
    setenv("TAILRACE_FAULT", "spool.renamed:3", 1);
    assert_int_equal(signal_that_ends(pass_three_times), SIGKILL);
    assert_int_equal(signal_that_ends(pass_twice), 0);
}

static void a_named_errno_fails_the_call_instead(void **state)
{
    (void)state;
    setenv("TAILRACE_FAULT", "spool.write=ENOSPC", 1);
    assert_int_equal(ask(), ENOSPC);
    assert_int_equal(ask(), ENOSPC);
    setenv("TAILRACE_FAULT", "spool.write=EROFS", 1);
    assert_int_equal(ask(), EROFS);
    setenv("TAILRACE_FAULT", "spool.write=WHATEVER", 1);
    assert_int_equal(ask(), EIO);
    setenv("TAILRACE_FAULT", "spool.write", 1);
    assert_int_equal(ask(), 0);
    setenv("TAILRACE_FAULT", "spool.renamed=ENOSPC", 1);
    assert_int_equal(signal_that_ends(pass_three_times), 0);
}

static void ask_three_times(void)
{
    if (ask() == 0 && ask() == ENOSPC && ask() == 0)
        abort();
}

static void an_errno_may_wait_for_its_passing(void **state)
{
    (void)state;
    /* The count goes on from the test before, so the child is asked relative to it. */
    setenv("TAILRACE_FAULT", "spool.write:5=ENOSPC", 1);
    assert_int_equal(signal_that_ends(ask_three_times), 0);
    setenv("TAILRACE_FAULT", "spool.write:6=ENOSPC", 1);
    assert_int_equal(signal_that_ends(ask_three_times), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_happens_without_a_name),
        cmocka_unit_test(only_the_named_point_kills),
        cmocka_unit_test(the_third_passing_is_the_third),
        cmocka_unit_test(a_named_errno_fails_the_call_instead),
        cmocka_unit_test(an_errno_may_wait_for_its_passing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void the_macros_are_empty(void **state)
{
    (void)state;
    setenv("TAILRACE_FAULT", "spool.renamed", 1);
    FAULT("spool.renamed");
    assert_int_equal(FAULT_ERRNO("spool.renamed"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_macros_are_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
