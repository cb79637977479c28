#include "base/alloc.h"
#include "support/test.h"
#include "sync/options.h"

struct fixture {
    struct arena *a;
    struct option_values *values;
    struct sync_options integration;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    f->a = arena_new((size_t)1 << 20);
    f->values = option_values_new(sync_option_table());
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    option_values_free(f->values);
    arena_free(f->a);
    free(f);
    return 0;
}

static void of_integration(struct fixture *f, const char *json)
{
    struct error err = { 0 };
    if (option_set_json(f->values, str_of(json), &err) != 0 ||
        sync_options_parse(f->a, f->values, &f->integration, &err) != 0) {
        print_error("%s\n", err.text);
        fail();
    }
}

static struct stream_options of_table(struct fixture *f, const char *json)
{
    struct stream_options o = { 0 };
    struct error err = { 0 };
    if (stream_options_parse(f->a, str_of(json), &f->integration, &o, &err) != 0) {
        print_error("%s\n", err.text);
        fail();
    }
    return o;
}

static void without_settings_a_table_is_copied_whole_and_mirrored(void **state)
{
    struct fixture *f = *state;
    of_integration(f, "{}");
    struct stream_options o = of_table(f, "");
    assert_int_equal(o.method, METHOD_AUTO);
    assert_int_equal(o.load, LOAD_MIRROR);
    assert_false(o.sweep);
    assert_false(o.look_back.us_given || o.look_back.units_given);
    assert_int_equal(o.look_back.us, INT64_C(300000000));
    assert_int_equal(o.look_back.units, 1000);
    assert_int_equal(o.key.len + o.from.len + o.where.len + o.view_key_count, 0);
}

static void a_table_takes_what_it_does_not_say_from_the_integration(void **state)
{
    struct fixture *f = *state;
    of_integration(f,
                   "{\"method\":\"key\",\"key\":\"updated_at\",\"from\":\"2024-01-01\","
                   "\"look_back\":\"1h\",\"look_back_units\":7,\"where\":\"a > 1\","
                   "\"load\":\"append\",\"sweep\":true}");
    struct stream_options o = of_table(f, "{}");
    assert_int_equal(o.method, METHOD_KEY);
    assert_str(o.key, "updated_at");
    assert_str(o.from, "2024-01-01");
    assert_int_equal(o.look_back.us, INT64_C(3600000000));
    assert_int_equal(o.look_back.units, 7);
    assert_true(o.look_back.us_given && o.look_back.units_given);
    assert_str(o.where, "a > 1");
    assert_int_equal(o.load, LOAD_APPEND);
    assert_true(o.sweep);
}

static void what_a_table_says_is_stronger(void **state)
{
    struct fixture *f = *state;
    of_integration(f,
                   "{\"method\":\"key\",\"key\":\"updated_at\",\"from\":\"2024-01-01\","
                   "\"where\":\"a > 1\",\"load\":\"append\",\"sweep\":\"yes\"}");
    struct stream_options o =
        of_table(f, "{\"key\":\" id \",\"from\":\"7\",\"look_back_units\":\"0\","
                    "\"where\":\"b > 2\",\"load\":\"mirror\",\"sweep\":\"no\","
                    "\"view_key\":\"a, b,\"}");
    assert_str(o.key, "id");
    assert_str(o.from, "7");
    assert_int_equal(o.look_back.us, INT64_C(300000000));
    assert_int_equal(o.look_back.units, 0);
    assert_true(o.look_back.units_given);
    assert_false(o.look_back.us_given); /* each speaks of its own kind of key */
    assert_str(o.where, "b > 2");
    assert_int_equal(o.load, LOAD_MIRROR);
    assert_false(o.sweep);
    assert_int_equal(o.view_key_count, 2);
    assert_str(o.view_key[1], "b");
    assert_int_equal(of_table(f, "{\"method\":\"full\"}").method, METHOD_FULL);
    assert_int_equal(of_table(f, "{\"method\":\"auto\"}").method, METHOD_AUTO);
}

/* What is given and happens to be the default is given all the same: it comes back from
 * the store as it went in. */
static void a_look_back_that_was_given_stays_given(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_done) struct buf json;
    of_integration(f, "{\"look_back\":\"5min\"}");
    buf_init(&json, 1000);
    option_values_json(&json, f->values);
    assert_string_equal(buf_text(&json), "{\"look_back\":\"5min\"}");
    assert_true(of_table(f, "").look_back.us_given);
}

static void mistakes_name_the_option(void **state)
{
    struct fixture *f = *state;
    of_integration(f, "{}");
    static const char *const cases[][2] = {
        { "{\"method\":\"logs\"}",
          "option 'method' is 'logs': 'auto', 'full', 'key' or 'log' was expected" },
        { "{\"method\":\"key\"}",
          "option 'method' is 'key', and no option 'key' names the column" },
        { "{\"load\":\"\"}", "option 'load' is '': 'mirror' or 'append' was expected" },
        { "{\"look_back\":\"5\"}",
          "option 'look_back' is '5': a whole number with us, ms, "
          "s, min, h or d was expected" },
        { "{\"look_back_units\":\"-1\"}",
          "option 'look_back_units' is '-1': at least 0 was expected" },
        { "{\"sweep\":\"maybe\"}",
          "option 'sweep' is 'maybe': 'true' or 'false' was expected" },
        { "{\"tables\":\"a\"}", "there is no option 'tables'" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stream_options o = { 0 };
        struct error err = { 0 };
        assert_int_equal(
            stream_options_parse(f->a, str_of(cases[i][0]), &f->integration, &o, &err),
            -1);
        assert_string_equal(err.text, cases[i][1]);
        assert_int_equal(err.code, ERR_CONFIG);
    }
}

static void a_start_is_a_word_or_a_place(void **state)
{
    struct fixture *f = *state;
    struct start_choice s = { 0 };
    struct error err = { 0 };
    assert_int_equal(start_parse(f->a, STR(""), &s, &err), 0);
    assert_int_equal(s.kind, START_COPY);
    assert_int_equal(start_parse(f->a, STR(" now "), &s, &err), 0);
    assert_int_equal(s.kind, START_NOW);
    assert_int_equal(start_parse(f->a, STR("position:log:bin.000007:4711"), &s, &err), 0);
    assert_int_equal(s.kind, START_PLACE);
    assert_int_equal(s.wanted.kind, LOG_WANTED_PLACE);
    assert_true(str_eq(s.wanted.file, STR("log:bin.000007")));
    assert_int_equal(s.wanted.offset, 4711);
    assert_int_equal(start_parse(f->a, STR("gtid:0-1-5,1-1-7"), &s, &err), 0);
    assert_true(str_eq(s.wanted.gtids, STR("0-1-5,1-1-7")));
    assert_int_equal(start_parse(f->a, STR("time:1970-01-01T00:00:00Z"), &s, &err), 0);
    assert_int_equal(s.wanted.at, 0);
    assert_int_equal(start_parse(f->a, STR("time:2024-02-29T23:59:59Z"), &s, &err), 0);
    assert_int_equal(s.wanted.at, INT64_C(1709251199) * 1000000);
    assert_int_equal(start_parse(f->a, STR("time:2100-03-01T00:00:00Z"), &s, &err), 0);
    assert_int_equal(s.wanted.at, INT64_C(4107542400) * 1000000);
    static const char *const wrong[] = { "later",
                                         "gtid:",
                                         "gtid:nonsense",
                                         "gtid:1:2:3",
                                         "position:4711",
                                         "position::4",
                                         "position:binlog.1:",
                                         "position:binlog.1:x",
                                         "time:2023-02-29T00:00:00Z",
                                         "time:2026-11-20 10:00:00Z",
                                         "time:2026-11-20T10:00:00",
                                         "time:2026-11-20T24:00:00Z",
                                         "time:2026-11-20T10:00:00Z1",
                                         "time:2026-00-20T10:00:00Z" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        err = (struct error){ 0 };
        if (start_parse(f->a, str_of(wrong[i]), &s, &err) == 0)
            fail_msg("'%s' was taken", wrong[i]);
        assert_int_equal(err.code, ERR_CONFIG);
    }
}

static void a_start_counts_for_what_follows_the_log(void **state)
{
    struct fixture *f = *state;
    struct stream_options o = { 0 };
    struct error err = { 0 };
    of_integration(f, "{\"method\":\"log\",\"start\":\"now\"}");
    assert_int_equal(
        stream_options_parse(f->a, (struct str){ 0 }, &f->integration, &o, &err), 0);
    assert_int_equal(o.start, START_NOW);
    assert_int_equal(stream_options_parse(f->a, STR("{\"method\":\"full\"}"),
                                          &f->integration, &o, &err),
                     0);
    assert_int_equal(o.start, START_COPY);
    assert_int_equal(stream_options_parse(f->a, STR("{\"start\":\"copy\"}"),
                                          &f->integration, &o, &err),
                     0);
    assert_int_equal(o.start, START_COPY);
}

/* A copy under way goes on while this stays the same: method and filter are looked at by
 * the plan, and have no part in how a row is written. */
static void the_row_policy_knows_only_values(void **state)
{
    struct fixture *f = *state;
    of_integration(f, "{}");
    uint64_t before = sync_row_policy(&f->integration);
    of_integration(f,
                   "{\"method\":\"key\",\"key\":\"k\",\"where\":\"a\",\"sweep\":true}");
    assert_int_equal(sync_row_policy(&f->integration), before);
    of_integration(f, "{\"dates\":\"text\"}");
    assert_int_not_equal(sync_row_policy(&f->integration), before);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_settings_a_table_is_copied_whole_and_mirrored),
        TEST(a_table_takes_what_it_does_not_say_from_the_integration),
        TEST(what_a_table_says_is_stronger),
        TEST(a_look_back_that_was_given_stays_given),
        TEST(mistakes_name_the_option),
        TEST(a_start_is_a_word_or_a_place),
        TEST(a_start_counts_for_what_follows_the_log),
        TEST(the_row_policy_knows_only_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
