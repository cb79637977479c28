#include "base/buf.h"
#include "base/json.h"
#include "support/test.h"

static void accepts_each_kind_of_value(void **state)
{
    (void)state;
    static const char *const good[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "12",
        "-1.5",
        "1e5",
        "1E+5",
        "1.0e-10",
        "\"\"",
        "\"a\\n\\u00e9\\\"\\\\\\/\\b\\f\\r\\t\"",
        "\"\xC3\xA9\"",
        "[]",
        "[ ]",
        "[1, [2], {\"a\": null}]",
        "{}",
        "{ }",
        "{\"a\":1,\"a\":2}",
        " \t\r\n1 \n",
        "\"\\ud800\"",
        "{\"\":\"\"}",
        "[1 , 2]",
        "{ \"a\" : 1 , \"b\" : [ ] }",
        "123456789012345678901234567890.123456789",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (!json_is_valid(str_of(good[i])))
            fail_msg("refused %s", good[i]);
}

static void refuses_everything_else(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "nul",
        "True",
        "nullx",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "1e+",
        "0x1",
        "NaN",
        "Infinity",
        "'a'",
        "\"",
        "\"a",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12",
        "\"\\u12G4\"",
        "\"\n\"",
        "\"\xFF\"",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\" 1}",
        "{\"a\":}",
        "{1:1}",
        "1 2",
        "[]]",
        "// x\n1",
        "\xEF\xBB\xBF"
        "1",
        "]",
        "}",
        ",",
        "[1}",
        "tru",
        "fals",
        "{\"a\":1]",
        "\"\\u\"",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (json_is_valid(str_of(bad[i])))
            fail_msg("accepted %s", bad[i]);
    assert_false(json_is_valid((struct str){ "1\0", 2 }));
    assert_false(json_is_valid((struct str){ "\"\\\0\"", 4 }));
    assert_false(json_is_valid((struct str){ 0 }));
}

static bool nested(size_t depth, const char *open, const char *inner, const char *close)
{
    struct buf b;
    buf_init(&b, 100000);
    for (size_t i = 0; i < depth; i++)
        buf_add_text(&b, open);
    buf_add_text(&b, inner);
    for (size_t i = 0; i < depth; i++)
        buf_add_text(&b, close);
    bool ok = json_is_valid(buf_str(&b));
    buf_done(&b);
    return ok;
}

static void depth_ends_at_a_hundred(void **state)
{
    (void)state;
    assert_true(nested(JSON_DEPTH_LIMIT, "[", "", "]"));
    assert_true(nested(JSON_DEPTH_LIMIT, "[", "1", "]"));
    assert_false(nested(JSON_DEPTH_LIMIT + 1, "[", "", "]"));
    assert_true(nested(JSON_DEPTH_LIMIT, "{\"a\":", "1", "}"));
    assert_false(nested(JSON_DEPTH_LIMIT + 1, "{\"a\":", "1", "}"));
    assert_false(nested(20000, "[", "", "]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_each_kind_of_value),
        cmocka_unit_test(refuses_everything_else),
        cmocka_unit_test(depth_ends_at_a_hundred),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
