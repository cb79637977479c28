#include "base/alloc.h"
#include "config/option.h"
#include "support/test.h"

#include <jansson.h>

static const char *const codecs[] = { "null", "deflate", "zstd", NULL };
static const char *const one_word[] = { "only", NULL };

static const struct option table[] = {
    { .name = "tables",
      .type = OPTION_TEXT,
      .fallback = "",
      .help = "Patterns of tables." },
    { .name = "block_bytes",
      .type = OPTION_BYTES,
      .fallback = "1MiB",
      .min = 1024,
      .max = 1 << 30,
      .help =
          "Bytes of one block before compression; larger blocks compress better and hold "
          "more memory." },
    { .name = "epoch_age",
      .type = OPTION_DURATION,
      .fallback = "30s",
      .min = 1000000,
      .max = INT64_C(86400000000),
      .help = "Oldest age of an open epoch." },
    { .name = "connections",
      .type = OPTION_INT,
      .fallback = "2",
      .min = 1,
      .max = 16,
      .help = "Connections to the source." },
    { .name = "offset",
      .type = OPTION_INT,
      .fallback = "-3",
      .min = -5,
      .max = 5,
      .help = "May be negative." },
    { .name = "codec",
      .type = OPTION_CHOICE,
      .fallback = "zstd",
      .choices = codecs,
      .help = "Compression | of segments." },
    { .name = "one_view", .type = OPTION_BOOL, .fallback = "false", .help = "One view." },
    { .name = "display_name", .type = OPTION_TEXT, .fallback = NULL, .help = "Name." },
    { .name = "password", .type = OPTION_SECRET, .fallback = "", .help = "Password." },
    { .name = "free_bytes",
      .type = OPTION_BYTES,
      .fallback = "0",
      .help = "No ceiling." },
    { 0 },
};

static const struct option *opt(const char *name)
{
    const struct option *o = option_find(table, str_of(name));
    assert_non_null(o);
    return o;
}

static void accepts(const char *name, const char *text, int64_t want)
{
    struct error err = { 0 };
    int64_t got = -77;
    if (option_parse(opt(name), str_of(text), &got, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(got == want);
}

static void refuses(const char *name, const char *text, const char *why)
{
    struct error err = { 0 };
    int64_t got = -77;
    if (option_parse(opt(name), str_of(text), &got, &err) == 0)
        fail_msg("accepted %s for %s", text, name);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_true(got == -77);
    if (strstr(err.text, why) == NULL)
        fail_msg("%s", err.text);
}

static void bytes_have_units(void **state)
{
    (void)state;
    accepts("block_bytes", "64KiB", 65536);
    accepts("block_bytes", "1 MiB", 1 << 20);
    accepts("block_bytes", "1gib", 1 << 30);
    accepts("block_bytes", "2048", 2048);
    accepts("block_bytes", "2048B", 2048);
    accepts("block_bytes", "2kB", 2000);
    accepts("block_bytes", " 5MB ", 5000000);
    accepts("free_bytes", "8TiB", INT64_C(8) << 40);
    accepts("free_bytes", "0", 0);
    accepts("free_bytes", "0MiB", 0);
    refuses("block_bytes", "64M",
            "option 'block_bytes' is '64M': a whole number with B, KiB");
    refuses("block_bytes", "", "a whole number with B");
    refuses("block_bytes", "MiB", "a whole number with B");
    refuses("block_bytes", "-1MiB", "a whole number with B");
    refuses("block_bytes", "1.5MiB", "a whole number with B");
    refuses("block_bytes", "64s", "a whole number with B");
    refuses("block_bytes", "1023", "at least 1KiB was expected");
    refuses("block_bytes", "2GiB", "at most 1GiB was expected");
    refuses("free_bytes", "9999999999TiB", "a smaller number was expected");
    refuses("free_bytes", "99999999999999999999", "a whole number with B");
}

static void durations_have_units_and_are_microseconds(void **state)
{
    (void)state;
    accepts("epoch_age", "30s", 30000000);
    accepts("epoch_age", "1500ms", 1500000);
    accepts("epoch_age", "1000000us", 1000000);
    accepts("epoch_age", "5min", 300000000);
    accepts("epoch_age", "2 h", INT64_C(7200000000));
    accepts("epoch_age", "1d", INT64_C(86400000000));
    refuses("epoch_age", "30",
            "option 'epoch_age' is '30': a whole number with us, ms, s");
    refuses("epoch_age", "5m", "a whole number with us");
    refuses("epoch_age", "0", "at least 1s was expected");
    refuses("epoch_age", "2d", "at most 1d was expected");
}

static void numbers_words_and_switches(void **state)
{
    (void)state;
    accepts("connections", "16", 16);
    accepts("offset", "-5", -5);
    refuses("offset", "-6", "at least -5 was expected");
    refuses("connections", "17", "at most 16 was expected");
    refuses("connections", "two", "a whole number was expected");
    accepts("codec", "deflate", 1);
    refuses("codec", "ZSTD", "'null', 'deflate' or 'zstd' was expected");
    accepts("one_view", "Yes", 1);
    accepts("one_view", "off", 0);
    accepts("one_view", "1", 1);
    refuses("one_view", "maybe", "'true' or 'false' was expected");
    accepts("tables", "anything", 0);
    struct option only = { .name = "x", .type = OPTION_CHOICE, .choices = one_word };
    struct error err = { 0 };
    int64_t n;
    assert_int_equal(option_parse(&only, STR("y"), &n, &err), -1);
    assert_string_equal(err.text, "option 'x' is 'y': 'only' was expected");
}

static void printing_gives_the_shortest_text_that_parses(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t number;
        const char *text;
    } rows[] = {
        { "block_bytes", 65536, "64KiB" },
        { "block_bytes", 1025, "1025B" },
        { "free_bytes", 0, "0" },
        { "free_bytes", INT64_C(3) << 40, "3TiB" },
        { "epoch_age", 30000000, "30s" },
        { "epoch_age", 60000000, "1min" },
        { "epoch_age", 1500000, "1500ms" },
        { "epoch_age", 1000001, "1000001us" },
        { "epoch_age", INT64_C(86400000000), "1d" },
        { "connections", 7, "7" },
        { "offset", -5, "-5" },
        { "codec", 2, "zstd" },
        { "one_view", 1, "true" },
        { "one_view", 0, "false" },
        { "tables", 0, "" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(buf_done) struct buf b;
        buf_init(&b, 100);
        option_print(&b, opt(rows[i].name), rows[i].number);
        assert_string_equal(buf_text(&b), rows[i].text);
        accepts(rows[i].name, rows[i].text, rows[i].number);
    }
}

static void values_start_with_fallbacks_and_can_be_replaced(void **state)
{
    (void)state;
    struct error err = { 0 };
    CLEANUP(option_values_free_at) struct option_values *v = option_values_new(table);
    assert_int_equal(option_number(v, "block_bytes"), 1 << 20);
    assert_str(option_text(v, "block_bytes"), "1MiB");
    assert_str(option_text(v, "display_name"), "");
    assert_false(option_is_set(v, "block_bytes"));
    assert_false(option_bool(v, "one_view"));
    assert_null(option_secret(v, "password"));
    assert_int_equal(option_set(v, STR("block-bytes"), STR("2MiB"), &err), 0);
    assert_int_equal(option_set(v, STR("block_bytes"), STR(" 4MiB "), &err), 0);
    assert_int_equal(option_set(v, STR("one-view"), STR("true"), &err), 0);
    assert_int_equal(option_set(v, STR("tables"), STR(" a*,b "), &err), 0);
    assert_int_equal(option_set(v, STR("password"), STR("hunter2"), &err), 0);
    assert_true(option_is_set(v, "block_bytes"));
    assert_false(option_is_set(v, "nonsense"));
    assert_int_equal(option_number(v, "block_bytes"), 4 << 20);
    assert_str(option_text(v, "block_bytes"), "4MiB");
    assert_str(option_text(v, "tables"), " a*,b ");
    assert_true(option_bool(v, "one_view"));
    assert_string_equal(secret_reveal(option_secret(v, "password")), "hunter2");
}

static void a_refused_value_changes_nothing(void **state)
{
    (void)state;
    struct error err = { 0 };
    CLEANUP(option_values_free_at) struct option_values *v = option_values_new(table);
    assert_int_equal(option_set(v, STR("connections"), STR("5"), &err), 0);
    assert_int_equal(option_set(v, STR("connections"), STR("99"), &err), -1);
    assert_int_equal(option_number(v, "connections"), 5);
    assert_int_equal(option_set(v, STR("conections"), STR("5"), &err), -1);
    assert_string_equal(err.text, "there is no option 'conections'");
    assert_int_equal(option_set(v, STR("connection"), STR("5"), &err), -1);
    assert_int_equal(option_set(v, STR("tables"), (struct str){ "a\0b", 3 }, &err), -1);
    assert_string_equal(err.text, "option 'tables' holds a NUL byte");
}

static void required_options_are_asked_for(void **state)
{
    (void)state;
    struct error err = { 0 };
    CLEANUP(option_values_free_at) struct option_values *v = option_values_new(table);
    assert_int_equal(option_check_required(v, &err), -1);
    assert_string_equal(err.text, "option 'display_name' is required");
    assert_int_equal(option_set(v, STR("display_name"), STR("Shop"), &err), 0);
    assert_int_equal(option_check_required(v, &err), 0);
}

static void json_sets_and_stores_what_differs(void **state)
{
    (void)state;
    struct error err = { 0 };
    CLEANUP(buf_done) struct buf b;
    CLEANUP(option_values_free_at) struct option_values *v = option_values_new(table);
    struct str json =
        STR("{\"connections\": 3, \"one_view\": true, \"display_name\": "
            "\"a \\\"b\\\"\", \"block_bytes\": \"1024KiB\", \"password\": \"x\","
            "\"codec\": \"null\", \"tables\": \"\"}");
    buf_init(&b, 1000);
    assert_int_equal(option_set_json(v, json, &err), 0);
    option_values_json(&b, v);
    assert_string_equal(buf_text(&b),
                        "{\"connections\":\"3\",\"codec\":\"null\",\"one_view\":"
                        "\"true\",\"display_name\":\"a \\\"b\\\"\"}");
    CLEANUP(option_values_free_at) struct option_values *again = option_values_new(table);
    assert_int_equal(option_set_json(again, buf_str(&b), &err), 0);
    assert_int_equal(option_number(again, "connections"), 3);
    buf_clear(&b);
    CLEANUP(option_values_free_at) struct option_values *fresh = option_values_new(table);
    option_values_json(&b, fresh);
    assert_string_equal(buf_text(&b), "{}");
}

static void json_that_cannot_be_meant_is_refused(void **state)
{
    (void)state;
    struct error err = { 0 };
    CLEANUP(option_values_free_at) struct option_values *v = option_values_new(table);
    static const struct {
        const char *json, *text;
    } bad[] = {
        { "", "the options are no JSON object: " },
        { "[]", "the options are no JSON object" },
        { "{\"connections\":1,\"connections\":2}", "the options are no JSON object: " },
        { "{\"connections\":1.5}", "option 'connections' is neither a text nor" },
        { "{\"connections\":null}", "option 'connections' is neither a text nor" },
        { "{\"one_view\":false,\"epoch_age\":30}", "option 'epoch_age' is '30'" },
        { "{\"nonsense\":1}", "there is no option 'nonsense'" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(option_set_json(v, str_of(bad[i].json), &err), -1);
        assert_int_equal(err.code, ERR_CONFIG);
        if (strstr(err.text, bad[i].text) == NULL)
            fail_msg("%s", err.text);
    }
    assert_int_equal(option_set_json(v, (struct str){ 0 }, &err), -1);
}

/* --- our own bugs end the process --- */

static void ask_for_an_unknown_name(void)
{
    struct option_values *v = option_values_new(table);
    (void)option_number(v, "nonsense");
}

static void ask_for_a_secret_as_text(void)
{
    struct option_values *v = option_values_new(table);
    (void)option_text(v, "password");
}

static void use_a_bad_fallback(void)
{
    static const struct option bad[] = {
        { .name = "n", .type = OPTION_INT, .fallback = "many", .help = "" }, { 0 }
    };
    option_values_free(option_values_new(bad));
}

static void our_own_mistakes_end_the_process(void **state)
{
    (void)state;
    assert_int_equal(signal_that_ends(ask_for_an_unknown_name), SIGABRT);
    assert_int_equal(signal_that_ends(ask_for_a_secret_as_text), SIGABRT);
    assert_int_equal(signal_that_ends(use_a_bad_fallback), SIGABRT);
    option_values_free(NULL);
}

/* --- descriptions --- */

static void help_is_wrapped_and_names_defaults(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 10000);
    option_describe_text(&b, table);
    assert_string_equal(
        buf_text(&b),
        "  --tables TEXT               Patterns of tables.\n"
        "  --block-bytes BYTES         Bytes of one block before compression; larger\n"
        "                              blocks compress better and hold more memory.\n"
        "                              (default 1MiB)\n"
        "  --epoch-age DURATION        Oldest age of an open epoch. (default 30s)\n"
        "  --connections INT           Connections to the source. (default 2)\n"
        "  --offset INT                May be negative. (default -3)\n"
        "  --codec null|deflate|zstd   Compression | of segments. (default zstd)\n"
        "  --one-view                  One view. (default false)\n"
        "  --display-name TEXT         Name. (required)\n"
        "  --password SECRET           Password.\n"
        "  --free-bytes BYTES          No ceiling. (default 0)\n");
    static const struct option wide[] = { { .name = "a_name_that_is_rather_wide",
                                            .type = OPTION_TEXT,
                                            .fallback = "",
                                            .help = "X." },
                                          { 0 } };
    buf_clear(&b);
    option_describe_text(&b, wide);
    assert_string_equal(buf_text(&b), "  --a-name-that-is-rather-wide TEXT\n"
                                      "                              X.\n");
}

static void the_json_description_is_json(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 10000);
    option_describe_json(&b, table);
    json_t *array = json_loads(buf_text(&b), 0, NULL);
    assert_int_equal(json_array_size(array), 10);
    json_t *codec = json_array_get(array, 5);
    assert_string_equal(json_string_value(json_object_get(codec, "name")), "codec");
    assert_string_equal(json_string_value(json_object_get(codec, "type")), "choice");
    assert_string_equal(json_string_value(json_object_get(codec, "default")), "zstd");
    assert_int_equal(json_array_size(json_object_get(codec, "choices")), 3);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(array, 1), "min")),
                     1024);
    assert_null(json_object_get(json_array_get(array, 9), "min"));
    assert_true(json_is_true(json_object_get(json_array_get(array, 7), "required")));
    assert_null(json_object_get(json_array_get(array, 8), "default"));
    json_decref(array);
}

static void the_markdown_description_is_a_table(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 10000);
    option_describe_markdown(&b, table);
    const char *text = buf_text(&b);
    assert_non_null(strstr(text, "| Option | Default | Accepts | Meaning |\n| --- |"));
    assert_non_null(strstr(text, "| `tables` |  | text | Patterns of tables. |\n"));
    assert_non_null(strstr(text, "| `epoch_age` | `30s` | duration, 1s to 1d | Oldest"));
    assert_non_null(strstr(text,
                           "| `codec` | `zstd` | `null`, `deflate`, `zstd` | Compression "
                           "\\| of segments. |\n"));
    assert_non_null(strstr(text, "| `display_name` | required | text | Name. |\n"));
    assert_non_null(strstr(text, "| `one_view` | `false` | bool | One view. |\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_have_units),
        cmocka_unit_test(durations_have_units_and_are_microseconds),
        cmocka_unit_test(numbers_words_and_switches),
        cmocka_unit_test(printing_gives_the_shortest_text_that_parses),
        cmocka_unit_test(values_start_with_fallbacks_and_can_be_replaced),
        cmocka_unit_test(a_refused_value_changes_nothing),
        cmocka_unit_test(required_options_are_asked_for),
        cmocka_unit_test(json_sets_and_stores_what_differs),
        cmocka_unit_test(json_that_cannot_be_meant_is_refused),
        cmocka_unit_test(our_own_mistakes_end_the_process),
        cmocka_unit_test(help_is_wrapped_and_names_defaults),
        cmocka_unit_test(the_json_description_is_json),
        cmocka_unit_test(the_markdown_description_is_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
