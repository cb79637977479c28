#include "base/alloc.h"
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>

static void memory_is_zeroed_and_never_null(void **state)
{
    (void)state;
    CLEANUP(free_pointer) unsigned char *p = xcalloc(3, 5);
    for (int i = 0; i < 15; i++)
        assert_int_equal(p[i], 0);
    CLEANUP(free_pointer) void *none = xcalloc(0, 0);
    assert_non_null(none);
}

static void a_grown_array_keeps_its_items(void **state)
{
    (void)state;
    int *p = xreallocarray(NULL, 2, sizeof(*p));
    p[0] = 7;
    p[1] = 8;
    p = xreallocarray(p, 1000, sizeof(*p));
    assert_int_equal(p[0], 7);
    assert_int_equal(p[1], 8);
    free(p);
}

/* The sanitizers' allocators end the process in their own way. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define HAS_PLAIN_ALLOCATOR
#endif

#ifdef HAS_PLAIN_ALLOCATOR
static volatile size_t far_too_many = SIZE_MAX / 2;

static void ask_for_too_much(void)
{
    void *p = xcalloc(far_too_many, 4);
    free(p);
}

static void ask_for_an_overflow(void)
{
    void *p = xreallocarray(NULL, far_too_many, 4);
    free(p);
}

static void no_memory_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(signal_that_ends(ask_for_too_much), SIGABRT);
    assert_int_equal(signal_that_ends(ask_for_an_overflow), SIGABRT);
}
#endif

static void a_copied_text_is_ours(void **state)
{
    (void)state;
    char text[] = "orders";
    CLEANUP(free_pointer) char *copy = xstrdup(text);
    text[0] = 'X';
    assert_string_equal(copy, "orders");
}

static void leaving_a_scope_closes_the_descriptor_and_keeps_errno(void **state)
{
    (void)state;
    int seen = -1;
    {
        CLEANUP(close_fd) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        CLEANUP(close_fd) int none = -1;
        seen = fd;
        assert_true(fd >= 0);
        assert_int_equal(none, -1);
        errno = ENOSPC;
    }
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(fcntl(seen, F_GETFD), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_never_null),
        cmocka_unit_test(a_grown_array_keeps_its_items),
#ifdef HAS_PLAIN_ALLOCATOR
        cmocka_unit_test(no_memory_ends_the_process),
#endif
        cmocka_unit_test(a_copied_text_is_ours),
        cmocka_unit_test(leaving_a_scope_closes_the_descriptor_and_keeps_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
