#include "base/map.h"
#include "support/test.h"

#include <stdio.h>

static void finds_what_was_put_in_insertion_order(void **state)
{
    (void)state;
    struct map *m = map_new();
    static int values[5000];
    char key[32];
    for (size_t i = 0; i < 5000; i++) {
        int n = snprintf(key, sizeof(key), "db.table_%zu", i * 7);
        assert_null(map_put(m, (struct str){ key, (size_t)n }, &values[i]));
    }
    assert_int_equal(map_count(m), 5000);
    for (size_t i = 0; i < 5000; i++) {
        struct str found;
        int n = snprintf(key, sizeof(key), "db.table_%zu", i * 7);
        assert_ptr_equal(map_find(m, (struct str){ key, (size_t)n }), &values[i]);
        assert_ptr_equal(map_at(m, i, &found), &values[i]);
        assert_true(str_eq(found, (struct str){ key, (size_t)n }));
    }
    assert_null(map_find(m, STR("db.table_1")));
    assert_ptr_equal(map_at(m, 3, NULL), &values[3]);
    map_free(m);
}

static void putting_again_replaces_and_returns_the_old(void **state)
{
    (void)state;
    struct map *m = map_new();
    int one, two;
    assert_null(map_put(m, STR("a"), &one));
    assert_ptr_equal(map_put(m, STR("a"), &two), &one);
    assert_ptr_equal(map_find(m, STR("a")), &two);
    assert_int_equal(map_count(m), 1);
    map_free(m);
}

static void keys_are_bytes_and_copied(void **state)
{
    (void)state;
    struct map *m = map_new();
    int one, two, three;
    char key[] = { 'a', 0, 'b' };
    map_put(m, (struct str){ key, 3 }, &one);
    map_put(m, (struct str){ 0 }, &two);
    map_put(m, STR("a"), &three);
    key[2] = 'c';
    assert_ptr_equal(map_find(m, (struct str){ "a\0b", 3 }), &one);
    assert_null(map_find(m, (struct str){ key, 3 }));
    assert_ptr_equal(map_find(m, STR("")), &two);
    assert_ptr_equal(map_find(m, STR("a")), &three);
    map_free(m);
}

static void an_empty_map_finds_nothing(void **state)
{
    (void)state;
    struct map *m = map_new();
    assert_null(map_find(m, STR("a")));
    assert_int_equal(map_count(m), 0);
    map_free(m);
    map_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_put_in_insertion_order),
        cmocka_unit_test(putting_again_replaces_and_returns_the_old),
        cmocka_unit_test(keys_are_bytes_and_copied),
        cmocka_unit_test(an_empty_map_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
