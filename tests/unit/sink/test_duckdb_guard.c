#include "sink/duckdb_internal.h"
#include "support/test.h"

static struct guard_look look(const char *sql)
{
    struct guard_look out;
    guard_look(str_of(sql), &out);
    return out;
}

static void finds_the_statement_between_comments(void **state)
{
    (void)state;
    struct guard_look l = look("  -- one\n /* two /* three */ */ ;SELECT 1 ; -- end\n;");
    assert_str(l.text, "SELECT 1");
    assert_str(l.first, "SELECT");
    assert_int_equal(l.bad.len, 0);
    assert_int_equal(look("").text.len, 0);
    assert_int_equal(look(" ; -- x").text.len, 0);
    assert_str(look("SELECT 1 -- unfinished").text, "SELECT 1");
    assert_int_equal(look("/* unfinished SELECT 1").text.len, 0);
}

static void names_a_refused_function(void **state)
{
    static const char *const bad[] = {
        "SELECT * FROM read_csv('x')",
        "SELECT * FROM READ_CSV /* c */\n('x')",
        "SELECT * FROM \"read_csv\"('x')",
        "SELECT * FROM main . read_csv('x')",
        "EXPLAIN SELECT * FROM glob('x')",
        "SELECT 'a''b', $$ text $$, $t$ x $$ $t$, E'\\'', read_csv('x')",
        "SELECT /* /* */ */ read_csv('x')",
        "SELECT $1 + read_csv('x')",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (look(bad[i]).bad.len == 0)
            fail_msg("let through: %s", bad[i]);
}

static void lets_texts_columns_and_comments_be(void **state)
{
    static const char *const good[] = {
        "SELECT 'read_csv(1)'",
        "SELECT $$ read_csv( $$",
        "SELECT $tag$ read_csv( $$ $tag$",
        "SELECT E'\\' read_csv('",
        "SELECT 1 -- read_csv('x')",
        "SELECT 1 /* read_csv('x') /* glob( */ */",
        "SELECT glob, query FROM t",
        "SELECT my_read_csv(1), count(*)",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (look(good[i]).bad.len != 0)
            fail_msg("refused: %s", good[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_statement_between_comments),
        cmocka_unit_test(names_a_refused_function),
        cmocka_unit_test(lets_texts_columns_and_comments_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
