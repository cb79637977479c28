#include "row/catalog.h"
#include "support/test.h"

static void tables_are_found_as_the_server_compares_names(void **state)
{
    (void)state;
    struct arena *a = arena_new(1u << 20);
    struct catalog *c = ARENA_NEW(a, struct catalog);
    struct catalog_table *t = ARENA_ARRAY(a, struct catalog_table, 2);
    c->arena = a;
    c->databases = ARENA_NEW(a, struct catalog_database);
    c->database_count = 1;
    c->databases[0] =
        (struct catalog_database){ .name = STR("Shop"), .tables = t, .table_count = 2 };
    t[0].schema.name = STR("Orders");
    t[1].schema.name = STR("orders");
    assert_ptr_equal(catalog_find(c, STR("Shop"), STR("orders"), false), &t[1]);
    assert_ptr_equal(catalog_find(c, STR("Shop"), STR("Orders"), false), &t[0]);
    assert_null(catalog_find(c, STR("shop"), STR("orders"), false));
    assert_null(catalog_find(c, STR("Shop"), STR("ORDERS"), false));
    assert_non_null(catalog_find(c, STR("sHOP"), STR("ORDERS"), true));
    assert_null(catalog_find(c, STR("shop"), STR("other"), true));
    catalog_free(c);
    catalog_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_found_as_the_server_compares_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
