/* Which tables the log can give exactly. */
#include "source/check.h"
#include "support/test.h"

static struct arena *arena;

static int begin(void **state)
{
    (void)state;
    arena = arena_new(1u << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static struct catalog_table good_table(void)
{
    return (struct catalog_table){
        .schema = { .database = STR("shop"), .name = STR("orders") },
        .kind = TABLE_BASE,
        .key = KEY_PRIMARY,
        .readable = true,
        .engine = STR("InnoDB"),
        .transactional = true,
    };
}

static struct log_ability good_server(void)
{
    return (struct log_ability){ .possible = true,
                                 .names_in_map = true,
                                 .full_images = true };
}

static void expect(const struct catalog_table *t, const struct log_ability *o,
                   const char *word)
{
    struct str why = check_table_log(arena, t, o);
    if (word == NULL ? why.len > 0 : memmem(why.ptr, why.len, word, strlen(word)) == NULL)
        fail_msg("'" STR_FMT "', not '%s'", STR_ARG(why), word == NULL ? "" : word);
}

static void a_table_is_followed_or_it_says_why_not(void **state)
{
    (void)state;
    struct log_ability o = good_server();
    struct catalog_table t = good_table();
    expect(&t, &o, NULL);
    t.engine = STR("MyISAM");
    t.transactional = false;
    expect(&t, &o, NULL);
    t.engine = STR("MEMORY");
    expect(&t, &o, "MEMORY");
    t = good_table();
    t.kind = TABLE_VIEW;
    expect(&t, &o, "view");
    t = good_table();
    t.system_versioned = true;
    expect(&t, &o, "system-versioned");
    t = good_table();
    t.readable = false;
    t.why = STR("The account has no SELECT privilege.");
    expect(&t, &o, "SELECT");
    t = good_table();
    t.key = KEY_NONE;
    expect(&t, &o, NULL);
    o.full_images = false;
    expect(&t, &o, "key");
    t = good_table();
    expect(&t, &o, NULL);
    o.possible = false;
    o.why = STR("The server writes no binary log.");
    expect(&t, &o, "no binary log");
}

static void filters_leave_databases_out(void **state)
{
    (void)state;
    struct log_ability o = good_server();
    struct catalog_table t = good_table();
    o.do_databases = STR("shop,other");
    expect(&t, &o, NULL);
    o.do_databases = STR("shop2, other");
    expect(&t, &o, "binlog-do-db");
    o = good_server();
    o.ignored_databases = STR("test");
    expect(&t, &o, NULL);
    o.ignored_databases = STR("test,shop");
    expect(&t, &o, "binlog-ignore-db");
}

static void children_of_unlogged_cascades_are_found_among_many(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    struct check_cascade *cascades = ARENA_ARRAY(arena, struct check_cascade, COUNT);
    for (int i = 0; i < COUNT; i++)
        cascades[i] =
            (struct check_cascade){ .database = STR("shop"),
                                    .table = arena_printf(arena, "child_%04d", i / 2 * 2),
                                    .name = arena_printf(arena, "key_%d", i % 2),
                                    .parent = STR("shop.parent"),
                                    .action = STR("ON DELETE CASCADE") };
    struct log_ability o = good_server();
    o.cascades = cascades;
    o.cascade_count = COUNT;
    struct catalog_table t = good_table();
    for (int i = 0; i < COUNT; i++) {
        t.schema.name = arena_printf(arena, "child_%04d", i);
        expect(&t, &o,
               i % 2 == 0 ? "'key_0' to 'shop.parent' (ON DELETE CASCADE)" : NULL);
    }
    t.schema.name = STR("zz");
    expect(&t, &o, NULL);
    t.schema.name = STR("child_0000");
    t.schema.database = STR("other");
    expect(&t, &o, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_followed_or_it_says_why_not),
        cmocka_unit_test(filters_leave_databases_out),
        cmocka_unit_test(children_of_unlogged_cascades_are_found_among_many),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
