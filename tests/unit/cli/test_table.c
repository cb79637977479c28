#include "base/alloc.h"
#include "base/emit.h"
#include "cli/table.h"
#include "support/test.h"

static void check_table(const char *const *heads, size_t columns,
                        const char *const *cells, size_t count, const char *want)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 4096);
    struct table *t = table_new(heads, columns);
    for (size_t i = 0; i < count; i++)
        table_add(t, str_of(cells[i]));
    table_print(t, &out);
    table_free(t);
    assert_string_equal(buf_text(&out), want);
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    const char *const heads[] = { "name", ">rows", "note" };
    const char *const cells[] = { "a", "1", "x", "longer", "1,000,000", "" };
    check_table(heads, 3, cells, 6,
                "name         rows  note\n"
                "a               1  x\n"
                "longer  1,000,000  \n");
}

static void widths_count_characters_not_bytes(void **state)
{
    (void)state;
    const char *const heads[] = { "a", "b" };
    const char *const cells[] = { "\xc3\x9c\xc3\x9c", "x", "abc", "y" };
    check_table(heads, 2, cells, 4, "a    b\n\xc3\x9c\xc3\x9c   x\nabc  y\n");
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
    (void)state;
    const char *const heads[] = { "a" };
    const char *const cells[] = { "x\x1b[2Jy\n\x7f" };
    check_table(heads, 1, cells, 1, "a\nx?[2Jy??\n");
}

static void a_table_without_rows_has_its_heads(void **state)
{
    (void)state;
    const char *const heads[] = { "a", ">b" };
    check_table(heads, 2, NULL, 0, "a  b\n");
}

static void numbers_have_commas(void **state)
{
    (void)state;
    char text[32];
    table_number(text, 0);
    assert_string_equal(text, "0");
    table_number(text, 999);
    assert_string_equal(text, "999");
    table_number(text, 1000);
    assert_string_equal(text, "1,000");
    table_number(text, UINT64_MAX);
    assert_string_equal(text, "18,446,744,073,709,551,615");
}

static void bytes_have_three_digits_and_a_unit(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *want;
    } cases[] = { { 0, "0 B" },
                  { 999, "999 B" },
                  { 1000, "1.0 kB" },
                  { 523400, "523 kB" },
                  { 999499, "999 kB" },
                  { 999500, "1.0 MB" },
                  { 1200000000, "1.2 GB" },
                  { UINT64_MAX, "18447 PB" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[16];
        table_bytes(text, cases[i].bytes);
        assert_string_equal(text, cases[i].want);
    }
}

static void durations_have_two_parts(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *want;
    } cases[] = { { 0, "0ms" },
                  { 850000, "850ms" },
                  { 12345678, "12.3s" },
                  { INT64_C(245) * 1000000, "4m05s" },
                  { INT64_C(7800) * 1000000, "2h10m" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[16];
        table_duration(text, cases[i].us);
        assert_string_equal(text, cases[i].want);
    }
    char longest[16];
    table_duration(longest, INT64_MAX); /* must stay within its room */
    assert_true(strlen(longest) < sizeof longest);
}

#define NOON INT64_C(1772366400000000) /* 2026-03-01 12:00 */

static void moments_are_utc_and_the_day_stands_once(void **state)
{
    (void)state;
    char when[WHEN_TEXT_MAX], between[BETWEEN_TEXT_MAX];
    assert_string_equal(emit_when(when, 0), "-");
    assert_string_equal(emit_when(when, NOON + 999999), "2026-03-01 12:00:00");
    assert_string_equal(emit_between(between, 0, 0), "-");
    assert_string_equal(emit_between(between, NOON, NOON), "2026-03-01 12:00:00.000");
    assert_string_equal(emit_between(between, NOON, NOON + 1500000),
                        "2026-03-01 12:00:00.000 to 12:00:01.500");
    assert_string_equal(emit_between(between, NOON, NOON + INT64_C(43200000000)),
                        "2026-03-01 12:00:00.000 to 2026-03-02 00:00:00.000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(widths_count_characters_not_bytes),
        cmocka_unit_test(control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(a_table_without_rows_has_its_heads),
        cmocka_unit_test(numbers_have_commas),
        cmocka_unit_test(bytes_have_three_digits_and_a_unit),
        cmocka_unit_test(durations_have_two_parts),
        cmocka_unit_test(moments_are_utc_and_the_day_stands_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
