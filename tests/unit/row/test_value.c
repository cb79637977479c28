/* Cells that are the same, and those that only look so. */
#include "row/value.h"
#include "support/test.h"

static void the_same_bytes_elsewhere_are_the_same(void **state)
{
    static const enum value_kind kinds[] = { VALUE_DECIMAL, VALUE_UNSCALED,
                                             VALUE_TEXT,    VALUE_BYTES,
                                             VALUE_JSON,    VALUE_BAD_DATE,
                                             VALUE_INVALID };
    char one[] = "12.5", two[] = "12.5";
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct value a = value_of_bytes(kinds[i], str_of(one));
        struct value b = value_of_bytes(kinds[i], str_of(two));
        assert_true(value_same(&a, &b));
        b.len--;
        assert_false(value_same(&a, &b));
    }
}

static void scalars_are_compared_by_their_bits(void **state)
{
    struct value zero = { .as.d = 0.0, .kind = VALUE_DOUBLE };
    struct value minus = { .as.d = -0.0, .kind = VALUE_DOUBLE };
    struct value one = { .as.i = 1, .kind = VALUE_INT };
    struct value date = { .as.i = 1, .kind = VALUE_DATE };
    struct value clean = { .as.u = 0, .kind = VALUE_FLOAT };
    struct value dirty = { .as.u = UINT64_MAX, .kind = VALUE_FLOAT };
    (void)state;
    clean.as.f = dirty.as.f =
        1.5f; /* of what stands behind its four bytes nothing counts */
    assert_false(value_same(&zero, &minus));
    assert_true(value_same(&zero, &zero));
    assert_true(value_same(&one, &one));
    assert_false(value_same(&one, &date));
    assert_true(value_same(&clean, &dirty));
}

static void unknown_is_not_null(void **state)
{
    struct value absent = { .as.u = 1, .kind = VALUE_ABSENT };
    struct value null = { .as.u = 2, .kind = VALUE_NULL };
    struct value other = { .as.u = 3, .kind = VALUE_NULL };
    (void)state;
    assert_false(value_same(&absent, &null));
    assert_true(value_same(&null, &other));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_bytes_elsewhere_are_the_same),
        cmocka_unit_test(scalars_are_compared_by_their_bits),
        cmocka_unit_test(unknown_is_not_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
