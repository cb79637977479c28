#include "base/error.h"
#include "support/test.h"

/* Member by member, so that a new code cannot be forgotten. */
static const struct {
    enum error_code code;
    const char *name;
    enum error_action action;
} table[] = {
    { ERR_NONE, "none", ACT_STOP },
    { ERR_CANCELLED, "cancelled", ACT_STOP },
    { ERR_CONFIG, "config", ACT_STOP },
    { ERR_AUTH, "auth", ACT_STOP },
    { ERR_NETWORK, "network", ACT_RETRY },
    { ERR_PROTOCOL, "protocol", ACT_STOP },
    { ERR_POSITION, "position", ACT_STOP },
    { ERR_SCHEMA, "schema", ACT_PARK },
    { ERR_DATA, "data", ACT_REJECT },
    { ERR_LIMIT, "limit", ACT_STOP },
    { ERR_IO, "io", ACT_STOP },
    { ERR_TARGET, "target", ACT_RETRY },
    { ERR_BUG, "bug", ACT_STOP },
};

static void each_code_has_its_name_and_action(void **state)
{
    (void)state;
    assert_int_equal(sizeof(table) / sizeof(table[0]), ERR_CODE_COUNT);
    for (size_t i = 0; i < ERR_CODE_COUNT; i++) {
        struct error err = { .code = table[i].code };
        assert_int_equal(table[i].code, i);
        assert_string_equal(error_code_name(table[i].code), table[i].name);
        assert_int_equal(error_action(&err), table[i].action);
    }
}

static void an_unknown_code_is_a_bug_and_stops(void **state)
{
    (void)state;
    struct error err = { .code = (enum error_code)ERR_CODE_COUNT };
    assert_int_equal(error_action(&err), ACT_STOP);
    assert_string_equal(error_code_name(err.code), "bug");
}

static void setting_replaces_everything(void **state)
{
    (void)state;
    struct error err = { .sys = 5, .remote = 6, .row = 7, .hint = "Do this." };
    assert_int_equal(error_set(&err, ERR_DATA, "column '%s' is %d", "a", 3), -1);
    assert_string_equal(err.text, "column 'a' is 3");
    assert_int_equal(err.code, ERR_DATA);
    assert_int_equal(err.sys, 0);
    assert_int_equal(err.remote, 0);
    assert_int_equal(err.row, 0);
    assert_null(err.hint);
    assert_non_null(strstr(err.file, "test_error.c"));
    assert_true(err.line > 0);
}

static void an_error_may_be_made_from_its_own_text(void **state)
{
    (void)state;
    struct error err = { 0 };
    error_set(&err, ERR_IO, "inner");
    error_set(&err, ERR_TARGET, "seen '%s'", err.text);
    assert_string_equal(err.text, "seen 'inner'");
}

static void context_reads_from_the_outside_in(void **state)
{
    (void)state;
    struct error err = { 0 };
    error_set(&err, ERR_NETWORK, "lost");
    err.remote = 2013;
    err.hint = "Try again.";
    assert_int_equal(error_wrap(&err, "reading '%s'", "shop.orders"), -1);
    error_wrap(&err, "job %d", 7);
    assert_string_equal(err.text, "job 7: reading 'shop.orders': lost");
    assert_int_equal(err.code, ERR_NETWORK);
    assert_int_equal(err.remote, 2013);
    assert_string_equal(err.hint, "Try again.");
}

static void wrapping_nothing_is_our_bug(void **state)
{
    (void)state;
    struct error err = { 0 };
    error_wrap(&err, "loading");
    assert_int_equal(err.code, ERR_BUG);
}

static void long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 4; shift++) {
        struct error err = { 0 };
        char text[600];
        memset(text, 'a', shift);
        for (size_t i = shift; i + 4 <= 596; i += 4)
            memcpy(text + i, "\xF0\x9F\x98\x80", 4);
        text[592] = '\0';
        error_set(&err, ERR_DATA, "%s", text);
        assert_true(strlen(err.text) > 470);
        assert_true(str_is_utf8(str_of(err.text)));
        error_wrap(&err, "outer");
        assert_true(strlen(err.text) > 470);
        assert_true(str_is_utf8(str_of(err.text)));
        error_wrap(&err, "%s", text);
        assert_true(strlen(err.text) > 470);
        assert_true(str_is_utf8(str_of(err.text)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_code_has_its_name_and_action),
        cmocka_unit_test(an_unknown_code_is_a_bug_and_stops),
        cmocka_unit_test(setting_replaces_everything),
        cmocka_unit_test(an_error_may_be_made_from_its_own_text),
        cmocka_unit_test(context_reads_from_the_outside_in),
        cmocka_unit_test(wrapping_nothing_is_our_bug),
        cmocka_unit_test(long_texts_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
