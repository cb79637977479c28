#include "base/alloc.h"
#include "cli/report_print.h"
#include "support/test.h"

#include <jansson.h>
#include <string.h>

#define NOON INT64_C(1772366400000000) /* 2026-03-01 12:00 */

static const struct job_row job = { .id = 7,
                                    .integration = { "shop", 4 },
                                    .outcome = JOB_PARTIAL,
                                    .started_at = NOON,
                                    .ended_at = NOON + 12300000 };

static const struct report_row rows[] = {
    { .database = { "shop", 4 },
      .table = { "or\"ders", 7 },
      .target = { "orders", 6 },
      .method = { "full", 4 },
      .state = { "live", 4 },
      .read = 1007,
      .applied = 990,
      .superseded = 4,
      .filtered = 1,
      .known = 7,
      .quarantined = 5,
      .bytes = 1200000,
      .first_read_at = NOON,
      .last_read_at = NOON + 1500000,
      .took_us = 2000000,
      .version = 3 },
    { .database = { "shop", 4 },
      .table = { "items", 5 },
      .state = { "failed", 6 },
      .read = 50,
      .applied = 20,
      .error = { "the table is gone", 17 } },
};

static void print(struct buf *out, size_t count, bool json)
{
    buf_init(out, (size_t)1 << 20);
    report_print(out, &job, rows, count, json);
    assert_false(out->failed);
}

static json_int_t number(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);
    if (!json_is_integer(v))
        fail_msg("'%s' is no number", name);
    return json_integer_value(v);
}

static void json_is_whole_and_adds_up(void **state)
{
    (void)state;
    static const char *const counts[] = { "read",     "applied", "superseded",
                                          "filtered", "known",   "quarantined",
                                          "waiting",  "bytes",   "nulls_by_policy" };
    CLEANUP(buf_done) struct buf out;
    print(&out, 2, true);
    json_t *root = json_loads(buf_text(&out), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    const json_t *streams = json_object_get(root, "streams");
    const json_t *totals = json_object_get(root, "totals");
    assert_int_equal(json_array_size(streams), 2);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        assert_int_equal(number(totals, counts[c]),
                         number(json_array_get(streams, 0), counts[c]) +
                             number(json_array_get(streams, 1), counts[c]));
    for (size_t i = 0; i < 2; i++) {
        const json_t *s = json_array_get(streams, i);
        assert_int_equal(number(s, "read"),
                         number(s, "applied") + number(s, "superseded") +
                             number(s, "filtered") + number(s, "quarantined") +
                             number(s, "known") + number(s, "waiting"));
    }
    const json_t *first = json_array_get(streams, 0);
    assert_string_equal(json_string_value(json_object_get(first, "table")), "or\"ders");
    assert_string_equal(json_string_value(json_object_get(first, "first_read_at")),
                        "2026-03-01T12:00:00.000000Z");
    assert_true(
        json_is_null(json_object_get(json_array_get(streams, 1), "first_read_at")));
    assert_int_equal(number(json_object_get(root, "job"), "took_us"), 12300000);
    json_decref(root);
}

static void has(const struct buf *out, const char *text)
{
    if (strstr(buf_text(out), text) == NULL)
        fail_msg("'%s' is not in\n%s", text, buf_text(out));
}

static void people_read_what_became_of_the_rows(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    print(&out, 2, false);
    has(&out, "run 7 of 'shop': partial, began 2026-03-01 12:00:00 UTC, 12.3s\n");
    has(&out, "2026-03-01 12:00:00.000 to 12:00:01.500");
    has(&out, "superseded");
    has(&out, "known already");
    has(&out, "\nall ");
    has(&out, "1,010"); /* 990 and 20 applied */
    has(&out, "shop.items: the table is gone\n");
    has(&out, "_sdc_rejected");
    has(&out, "5 rows could not be represented");
    has(&out, "30 rows were read and not yet visible");
}

static void columns_without_news_are_left_out(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    struct report_row quiet = rows[0];
    quiet.read = quiet.applied = 10;
    quiet.superseded = quiet.filtered = quiet.quarantined = quiet.known = 0;
    buf_init(&out, (size_t)1 << 20);
    report_print(&out, &job, &quiet, 1, false);
    assert_null(strstr(buf_text(&out), "superseded"));
    assert_null(strstr(buf_text(&out), "known"));
    assert_null(strstr(buf_text(&out), "filtered"));
    assert_null(strstr(buf_text(&out), "waiting"));
    assert_null(strstr(buf_text(&out), "_sdc_rejected"));
    assert_null(strstr(buf_text(&out), "\nall "));
    has(&out, "quarantined"); /* that nothing was put aside is news, too */
}

static void a_run_that_reached_no_table_says_why(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    struct job_row failed = job;
    failed.outcome = JOB_FAILED;
    failed.error = STR("the server refused");
    failed.hint = STR("Ask it nicely.");
    buf_init(&out, (size_t)1 << 20);
    report_print(&out, &failed, NULL, 0, false);
    has(&out, "error: the server refused\nhint: Ask it nicely.\nno table was reached\n");
    buf_clear(&out);
    report_print(&out, &failed, NULL, 0, true);
    json_t *root = json_loads(buf_text(&out), 0, NULL);
    assert_non_null(root);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(root, "job"), "error")),
        "the server refused");
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_whole_and_adds_up),
        cmocka_unit_test(people_read_what_became_of_the_rows),
        cmocka_unit_test(columns_without_news_are_left_out),
        cmocka_unit_test(a_run_that_reached_no_table_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
