#include "base/alloc.h"
#include "config/integration_file.h"
#include "support/test.h"

static const char *const MODES[] = { "null", "text", NULL };
static const struct option TABLE[] = {
    { "exclude", OPTION_TEXT, "", 0, 0, NULL, "A text." },
    { "source_connections", OPTION_INT, "2", 1, 64, NULL, "A number." },
    { "one_view", OPTION_BOOL, "no", 0, 0, NULL, "A truth value." },
    { "dates", OPTION_CHOICE, "null", 0, 0, MODES, "A choice." },
    { 0 },
};

static const char *const METHODS[] = { "full", "key", NULL };
static const struct option STREAM_TABLE[] = {
    { "method", OPTION_CHOICE, "", 0, 0, METHODS, "A choice." },
    { "key", OPTION_TEXT, "", 0, 0, NULL, "A text." },
    { "look_back", OPTION_DURATION, "", 0, 0, NULL, "A duration." },
    { "sweep", OPTION_BOOL, "", 0, 0, NULL, "A truth value." },
    { 0 },
};
static const struct integration_tables TABLES = { TABLE, STREAM_TABLE };

#define HEAD "integrations:\n- name: shop\n"
#define ENDS "  source: mysql://u@h/d\n  destination: duckdb:/x\n"

static void parse(const char *text, struct integration_file *out)
{
    struct error err = { 0 };
    if (integration_file_parse("f.yaml", str_of(text), &TABLES, out, &err) != 0) {
        print_error("%s\n", err.text);
        fail();
    }
}

/* The error begins with the place and has these words. */
static void expect_error(const char *text, const char *place, const char *words)
{
    struct integration_file f = { 0 };
    struct error err = { 0 };
    assert_int_equal(integration_file_parse("f.yaml", str_of(text), &TABLES, &f, &err),
                     -1);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_null(f.list);
    char want[64];
    (void)snprintf(want, sizeof want, "f.yaml:%s: ", place);
    if (!str_starts(str_of(err.text), str_of(want)) || strstr(err.text, words) == NULL) {
        print_error("'%s' is not at %s with '%s'\n", err.text, place, words);
        fail();
    }
}

static void a_whole_integration_is_read(void **state)
{
    (void)state;
    struct integration_file f = { 0 };
    parse("# comment\n" HEAD ENDS
          "  options: {exclude: '*_old', source_connections: 4, one_view: on}\n"
          "  streams:\n"
          "  - {database: d, table: z, selected: false}\n"
          "  - {table: '2023', database: d}\n"
          "  - database: d\n"
          "    table: a\n"
          "    options: {sweep: no, key: b, look_back: ' 5min '}\n"
          "    columns: {y: true, 'x*': false}\n",
          &f);
    const struct integration_spec *i = f.list;
    assert_int_equal(f.count, 1);
    assert_str(i->name, "shop");
    assert_str(i->source, "mysql://u@h/d");
    assert_str(i->destination, "duckdb:/x");
    assert_int_equal(i->place.line, 3);
    assert_int_equal(i->place.column, 9);
    assert_str(option_text(i->options, "exclude"), "*_old");
    assert_int_equal(option_number(i->options, "source_connections"), 4);
    assert_true(option_bool(i->options, "one_view"));
    assert_true(option_is_default(i->options, "dates"));
    assert_int_equal(i->stream_count, 2); /* of '2023' nothing is said */
    assert_str(i->streams[0].table, "a");
    assert_int_equal(i->stream_places[0].line, 10);
    assert_int_equal(i->stream_places[0].column, 5);
    assert_int_equal(i->stream_places[1].line, 8);
    assert_str(i->streams[0].options,
               "{\"key\":\"b\",\"look_back\":\"5min\",\"sweep\":\"no\"}");
    assert_int_equal(i->streams[0].chosen, CHOSEN_BY_PATTERN);
    assert_int_equal(i->streams[0].column_count, 2);
    assert_str(i->streams[0].columns[0].column, "x*");
    assert_int_equal(i->streams[0].columns[0].chosen, CHOSEN_NO);
    assert_int_equal(i->streams[0].columns[1].chosen, CHOSEN_YES);
    assert_int_equal(i->streams[1].chosen, CHOSEN_NO);
    integration_file_free(&f);
}

static void an_empty_list_is_a_file(void **state)
{
    (void)state;
    struct integration_file f = { 0 };
    parse("integrations: []\n", &f);
    assert_int_equal(f.count, 0);
    integration_file_free(&f);
}

static void a_text_that_is_no_yaml_says_where(void **state)
{
    (void)state;
    expect_error("integrations:\n\t- x\n", "2:1", "expected YAML");
    expect_error("integrations: [\n", "2:1", "expected YAML");
    expect_error("integrations: *nobody\n", "1:15", "expected YAML");
    expect_error("integrations: \xff\n", "1:1", "expected YAML in UTF-8");
    expect_error("", "1:1", "expected the key 'integrations'");
    expect_error("integrations: []\n---\nintegrations: []\n", "3:1", "end of the file");
}

static void the_outer_form_says_what_was_expected(void **state)
{
    (void)state;
    expect_error("- a\n", "1:1", "expected the key 'integrations'");
    expect_error("{}\n", "1:1", "expected the key 'integrations'");
    expect_error("integration: []\n", "1:1", "unknown key 'integration'");
    expect_error("integrations: shop\n", "1:15", "expected a list of integrations");
    expect_error("integrations:\n- shop\n", "2:3", "expected an integration");
    expect_error("integrations: []\nintegrations: []\n", "2:1", "stands here twice");
    expect_error("? [a]\n: b\n", "1:3", "expected a key, a text");
    expect_error("5: x\n", "1:1", "put it in quotes");
}

static void an_integration_needs_its_keys_and_takes_no_others(void **state)
{
    (void)state;
    expect_error("integrations:\n- source: mysql://u@h/d\n", "2:3", "key 'name'");
    expect_error(HEAD "  destination: duckdb:/x\n", "2:3", "key 'source'");
    expect_error(HEAD "  source: mysql://u@h/d\n", "2:3", "key 'destination'");
    expect_error(HEAD ENDS "  method: log\n", "5:3",
                 "unknown key 'method', expected one of name, source, destination");
    expect_error(HEAD ENDS "  name: x\n", "5:3", "key 'name' stands here twice");
    expect_error(HEAD ENDS "- name: shop\n" ENDS, "5:9", "stands in this file twice");
    expect_error("integrations:\n- name: [a]\n", "2:9", "the name of an integration");
    expect_error("integrations:\n- name: 5\n", "2:9", "put it in quotes");
    expect_error("integrations:\n- name: true\n", "2:9", "put it in quotes");
    expect_error("integrations:\n- name:\n", "2:8", "put it in quotes");
    expect_error("integrations:\n- name: ''\n", "2:9", "neither 0 bytes");
    expect_error("integrations:\n- name: \"a\\0b\"\n", "2:9", "NUL");
}

static void urls_are_checked_and_a_password_is_refused(void **state)
{
    (void)state;
    expect_error(HEAD "  source: pg://u@h/d\n", "3:11", "");
    expect_error(HEAD "  source: mysql://u:s3cr3t@h/d\n", "3:11", "without a password");
    expect_error(HEAD "  destination: nothing\n", "3:16", "");
    struct integration_file f = { 0 };
    struct error err = { 0 };
    assert_int_equal(integration_file_parse("f",
                                            STR(HEAD "  source: mysql://u:s3cr3t@h/d\n"),
                                            &TABLES, &f, &err),
                     -1);
    assert_null(strstr(err.text, "s3cr3t"));
    assert_non_null(err.hint);
}

static void options_are_checked_by_their_table(void **state)
{
    (void)state;
    expect_error(HEAD ENDS "  options: 5\n", "5:12", "expected options");
    expect_error(HEAD ENDS "  options:\n    excluded: a\n", "6:5",
                 "unknown option 'excluded'");
    expect_error(HEAD ENDS "  options:\n    source_connections: many\n", "6:25",
                 "source_connections");
    expect_error(HEAD ENDS "  options:\n    source_connections: 65\n", "6:25", "64");
    expect_error(HEAD ENDS "  options:\n    dates: never\n", "6:12", "null");
    expect_error(HEAD ENDS "  options:\n    exclude: [a, b]\n", "6:14", "commas");
    expect_error(HEAD ENDS "  options:\n    one_view: on\n    one-view: on\n", "7:5",
                 "twice");
}

static void streams_are_checked(void **state)
{
    (void)state;
    expect_error(HEAD ENDS "  streams: 5\n", "5:12", "expected a list of streams");
    expect_error(HEAD ENDS "  streams:\n  - orders\n", "6:5", "expected a stream");
    expect_error(HEAD ENDS "  streams:\n  - table: t\n", "6:5", "key 'database'");
    expect_error(HEAD ENDS "  streams:\n  - database: d\n", "6:5", "key 'table'");
    expect_error(HEAD ENDS "  streams:\n  - {database: d, table: t, key: id}\n", "6:29",
                 "unknown key 'key', expected one of database, table, selected");
    expect_error(HEAD ENDS "  streams:\n  - {database: d, table: t, selected: yes}\n",
                 "6:39", "expected true or false");
    expect_error(HEAD ENDS "  streams:\n  - {database: d, table: t, selected: 'true'}\n",
                 "6:39", "expected true or false");
    expect_error(HEAD ENDS "  streams:\n  - {database: d, table: 5}\n", "6:26",
                 "the name of a table");
    expect_error(HEAD ENDS "  streams:\n  - {database: d, table: t, columns: [a]}\n",
                 "6:38", "expected columns");
    expect_error(HEAD ENDS "  streams:\n  - {database: d, table: t, columns: {a: no}}\n",
                 "6:42", "expected true or false");
    expect_error(HEAD ENDS "  streams:\n  - {database: d, table: t, "
                           "columns: {a: true, a: true}}\n",
                 "6:48", "twice");
    expect_error(HEAD ENDS "  streams:\n  - {database: d, table: t}\n"
                           "  - {table: t, database: d}\n",
                 "7:5", "twice");
}

#define STREAM HEAD ENDS "  streams:\n  - database: d\n    table: t\n    options:"

static void options_of_a_stream_are_checked_by_theirs(void **state)
{
    (void)state;
    struct integration_file f = { 0 };
    expect_error(STREAM " 5\n", "8:14", "expected options");
    expect_error(STREAM "\n      keys: a\n", "9:7", "unknown option 'keys'");
    expect_error(STREAM "\n      exclude: a\n", "9:7", "unknown option 'exclude'");
    expect_error(STREAM "\n      method: log\n", "9:15", "'full' or 'key' was expected");
    expect_error(STREAM "\n      method:\n", "9:14", "'full' or 'key' was expected");
    expect_error(STREAM "\n      key: [a, b]\n", "9:12", "commas");
    expect_error(STREAM "\n      look_back: 5\n", "9:18", "h or d was expected");
    expect_error(STREAM "\n      sweep: perhaps\n", "9:14", "'true' or 'false'");
    expect_error(STREAM "\n      key: a\n      key: b\n", "10:7", "twice");
    expect_error(STREAM " {}\n    options: {}\n", "9:5", "twice");
    expect_error(STREAM " {key: \"a\\0b\"}\n", "8:20", "NUL");
    parse(STREAM " {}\n", &f); /* which says nothing */
    assert_int_equal(f.list[0].stream_count, 0);
    integration_file_free(&f);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    static const char *const NAMES[] = {
        "plain",        "Web shop",    "yes",         "2023",
        "a: b",         "- x",         "#hash",       "it's",
        "say \"x\"",    "back\\slash", "nul",         "\xf0\x9f\x90\x99",
        "\xe2\x80\xa8", "tab\tline\n", "\x7f",        " lead",
        "null",         "~",           "\xef\xbb\xbf"
    };
    enum { COUNT = sizeof NAMES / sizeof *NAMES };
    struct integration_spec list[COUNT] = { 0 };
    struct stream_setting streams[COUNT] = { 0 };
    struct column_setting columns[COUNT] = { 0 };
    for (size_t i = 0; i < COUNT; i++) {
        struct error err = { 0 };
        columns[i] = (struct column_setting){ str_of(NAMES[i]), CHOSEN_NO };
        streams[i] = (struct stream_setting){
            str_of(NAMES[i]), str_of(NAMES[i]), CHOSEN_YES, &columns[i], 1, { 0 }
        };
        list[i] = (struct integration_spec){ .name = str_of(NAMES[i]),
                                             .source = STR("mysql://u@h/d"),
                                             .destination = STR("duckdb:/a b/x"),
                                             .options = option_values_new(TABLE),
                                             .streams = &streams[i],
                                             .stream_count = 1 };
        assert_int_equal(
            option_set(list[i].options, STR("exclude"), str_of(NAMES[i]), &err), 0);
    }
    struct buf text;
    buf_init(&text, (size_t)1 << 20);
    integration_file_write(&text, list, COUNT, &TABLES);
    struct integration_file f = { 0 };
    parse(buf_text(&text), &f);
    assert_int_equal(f.count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(str_eq(f.list[i].name, list[i].name));
        assert_true(str_eq(f.list[i].destination, list[i].destination));
        assert_true(str_eq(option_text(f.list[i].options, "exclude"), str_of(NAMES[i])));
        assert_true(str_eq(f.list[i].streams[0].table, list[i].name));
        assert_int_equal(f.list[i].streams[0].chosen, CHOSEN_YES);
        assert_true(str_eq(f.list[i].streams[0].columns[0].column, list[i].name));
        option_values_free(list[i].options);
    }
    integration_file_free(&f);
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_integration_is_read),
        cmocka_unit_test(an_empty_list_is_a_file),
        cmocka_unit_test(a_text_that_is_no_yaml_says_where),
        cmocka_unit_test(the_outer_form_says_what_was_expected),
        cmocka_unit_test(an_integration_needs_its_keys_and_takes_no_others),
        cmocka_unit_test(urls_are_checked_and_a_password_is_refused),
        cmocka_unit_test(options_are_checked_by_their_table),
        cmocka_unit_test(streams_are_checked),
        cmocka_unit_test(options_of_a_stream_are_checked_by_theirs),
        cmocka_unit_test(what_is_written_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
