#include "base/alloc.h"
#include "base/arena.h"
#include "support/test.h"

static void allocations_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    CLEANUP(arena_free_at) struct arena *a = arena_new(1024 * 1024);
    char *before = NULL;
    for (size_t n = 1; n < 3000; n += 37) {
        char *p = arena_alloc(a, n);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0x5A, n);
        if (before != NULL)
            assert_int_equal(*before, 0x5A);
        before = p;
    }
}

static void one_allocation_may_be_larger_than_a_chunk(void **state)
{
    (void)state;
    CLEANUP(arena_free_at) struct arena *a = arena_new(8 * 1024 * 1024);
    memset(arena_alloc(a, 5 * 1024 * 1024), 1, 5 * 1024 * 1024);
    uint32_t *numbers = ARENA_ARRAY(a, uint32_t, 10);
    struct str *s = ARENA_NEW(a, struct str);
    assert_int_equal(numbers[9], 0);
    assert_int_equal(s->len, 0);
}

static void the_ceiling_holds_to_the_byte(void **state)
{
    (void)state;
    CLEANUP(arena_free_at) struct arena *a = arena_new(100);
    assert_non_null(arena_try(a, 64));
    assert_null(arena_try(a, 37));
    assert_non_null(arena_try(a, 36));
    assert_int_equal(arena_used(a), 100);
    assert_null(arena_try(a, 1));
}

static void an_empty_allocation_has_an_address_of_its_own(void **state)
{
    (void)state;
    CLEANUP(arena_free_at) struct arena *a = arena_new(1000);
    void *one = arena_alloc(a, 0);
    assert_non_null(one);
    assert_ptr_not_equal(one, arena_alloc(a, 0));
}

static void overflow(void)
{
    struct arena *a = arena_new(10);
    (void)arena_alloc(a, 11);
}

static void a_checked_size_past_the_ceiling_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(signal_that_ends(overflow), SIGABRT);
}

static void texts_are_copied_and_end_in_nul(void **state)
{
    (void)state;
    CLEANUP(arena_free_at) struct arena *a = arena_new(10000);
    char text[] = "shop.orders";
    struct str s = arena_str(a, (struct str){ text, 4 });
    text[0] = 'X';
    assert_str(s, "shop");
    assert_int_equal(s.ptr[4], 0);
    assert_string_equal(arena_text(a, STR("items")), "items");
    assert_str(arena_str(a, (struct str){ 0 }), "");
    assert_str(arena_printf(a, "%s=%d", "n", 12), "n=12");
    assert_str(arena_printf(a, "%s", ""), "");
}

static void freeing_nothing_is_fine(void **state)
{
    (void)state;
    arena_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_zeroed_aligned_and_apart),
        cmocka_unit_test(one_allocation_may_be_larger_than_a_chunk),
        cmocka_unit_test(the_ceiling_holds_to_the_byte),
        cmocka_unit_test(an_empty_allocation_has_an_address_of_its_own),
        cmocka_unit_test(a_checked_size_past_the_ceiling_ends_the_process),
        cmocka_unit_test(texts_are_copied_and_end_in_nul),
        cmocka_unit_test(freeing_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
