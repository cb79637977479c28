/* Dates and times as cells and as text. */
#include "mysql/temporal.h"
#include "support/test.h"

#include <time.h>

static void assert_text(const struct value *v, unsigned fraction, const char *want)
{
    char text[TEMPORAL_TEXT_MAX];
    unsigned n = temporal_format(v, fraction, text);
    assert_string_equal(text, want);
    assert_int_equal(n, strlen(want));
}

static void every_day_of_ten_thousand_years_goes_there_and_back(void **state)
{
    (void)state;
    int64_t days = temporal_days(0, 1, 1);
    assert_int_equal(days, -719528);
    for (unsigned y = 0; y <= 9999; y++)
        for (unsigned m = 1; m <= 12; m++)
            for (unsigned d = 1; d <= 31; d++) {
                if (!temporal_date_exists(y, m, d))
                    continue;
                assert_int_equal(temporal_days(y, m, d), days);
                if (d == 1 || d >= 28) {
                    char want[32];
                    struct value v = { .as.i = days, .kind = VALUE_DATE };
                    snprintf(want, sizeof want, "%04u-%02u-%02u", y, m, d);
                    assert_text(&v, 0, want);
                }
                days++;
            }
    assert_int_equal(days, 2932897);
}

static void days_agree_with_the_c_library(void **state)
{
    (void)state;
    for (unsigned y = 1902; y < 2100; y++) {
        struct tm t = { .tm_year = (int)y - 1900, .tm_mon = 2, .tm_mday = 1 };
        assert_int_equal(temporal_days(y, 3, 1), timegm(&t) / 86400);
    }
}

static void zero_partial_and_impossible_dates_are_bad_with_their_text(void **state)
{
    (void)state;
    static const struct {
        unsigned y, m, d;
        const char *text;
    } bad[] = {
        { 0, 0, 0, "0000-00-00" },     { 2026, 0, 0, "2026-00-00" },
        { 2026, 5, 0, "2026-05-00" },  { 0, 0, 7, "0000-00-07" },
        { 2026, 2, 29, "2026-02-29" }, { 1900, 2, 29, "1900-02-29" },
        { 2026, 4, 31, "2026-04-31" },
    };
    char text[TEMPORAL_TEXT_MAX];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct temporal_fields f = { .year = bad[i].y,
                                     .month = bad[i].m,
                                     .day = bad[i].d };
        struct value v = temporal_date(&f, text);
        assert_int_equal(v.kind, VALUE_BAD_DATE);
        assert_text(&v, 0, bad[i].text);
    }
    struct temporal_fields f = { .year = 2000, .month = 2, .day = 29 };
    assert_int_equal(temporal_date(&f, text).kind, VALUE_DATE);
    f = (struct temporal_fields){ .year = 0, .month = 1, .day = 1 };
    assert_int_equal(temporal_date(&f, text).kind, VALUE_DATE);
    f = (struct temporal_fields){ .hour = 12, .micro = 120000 };
    struct value v = temporal_datetime(&f, VALUE_DATETIME, 2, text);
    assert_int_equal(v.kind, VALUE_BAD_DATE);
    assert_text(&v, 2, "0000-00-00 12:00:00.12");
    v = temporal_datetime(&f, VALUE_TIMESTAMP, 0, text);
    assert_text(&v, 0, "0000-00-00 12:00:00");
}

static void datetimes_before_the_epoch_keep_their_microseconds(void **state)
{
    (void)state;
    char text[TEMPORAL_TEXT_MAX];
    struct temporal_fields f = { 1969, 12, 31, 23, 59, 59, 999999 };
    struct value v = temporal_datetime(&f, VALUE_DATETIME, 6, text);
    assert_int_equal(v.as.i, -1);
    assert_text(&v, 6, "1969-12-31 23:59:59.999999");
    f = (struct temporal_fields){ 0, 1, 1, 0, 0, 0, 1 };
    v = temporal_datetime(&f, VALUE_DATETIME, 6, text);
    assert_text(&v, 6, "0000-01-01 00:00:00.000001");
    f = (struct temporal_fields){ 9999, 12, 31, 23, 59, 59, 0 };
    v = temporal_datetime(&f, VALUE_TIMESTAMP, 0, text);
    assert_text(&v, 0, "9999-12-31 23:59:59");
}

static void times_reach_838_hours_on_both_sides(void **state)
{
    (void)state;
    int64_t most = (INT64_C(838) * 3600 + 59 * 60 + 59) * 1000000;
    struct value v = { .as.i = most, .kind = VALUE_TIME };
    assert_text(&v, 0, "838:59:59");
    v.as.i = -most - 999999;
    assert_text(&v, 6, "-838:59:59.999999");
    v.as.i = -1;
    assert_text(&v, 6, "-00:00:00.000001");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_of_ten_thousand_years_goes_there_and_back),
        cmocka_unit_test(days_agree_with_the_c_library),
        cmocka_unit_test(zero_partial_and_impossible_dates_are_bad_with_their_text),
        cmocka_unit_test(datetimes_before_the_epoch_keep_their_microseconds),
        cmocka_unit_test(times_reach_838_hours_on_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
