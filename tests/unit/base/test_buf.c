#include "base/alloc.h"
#include "base/buf.h"
#include "support/test.h"

static void grows_and_stays_nul_terminated(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 100000);
    assert_string_equal(buf_text(&b), "");
    assert_str(buf_str(&b), "");
    for (int i = 0; i < 1000; i++)
        buf_add_text(&b, "0123456789");
    buf_add_char(&b, '!');
    buf_add_str(&b, STR("end"));
    assert_int_equal(b.len, 10004);
    assert_int_equal(strlen(buf_text(&b)), 10004);
    assert_true(str_ends(buf_str(&b), STR("9!end")));
}

static void the_ceiling_is_exact_and_failure_sticks(void **state)
{
    (void)state;
    struct error err = { 0 };
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 10);
    buf_add_text(&b, "0123456789");
    assert_int_equal(buf_check(&b, "name", &err), 0);
    buf_add_char(&b, 'x');
    assert_true(b.failed);
    assert_str(buf_str(&b), "0123456789");
    buf_truncate(&b, 5);
    assert_false(b.failed);
    buf_add_text(&b, "abcdef");
    assert_true(b.failed);
    buf_add_text(&b, "a");
    assert_str(buf_str(&b), "01234");
    assert_int_equal(buf_check(&b, "the name", &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.text, "the name is larger than its ceiling of 10 bytes");
}

static void a_ceiling_below_the_first_allocation_holds(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 3);
    buf_add_text(&b, "abc");
    assert_false(b.failed);
    assert_int_equal(b.cap, 3);
    buf_add_text(&b, "d");
    assert_true(b.failed);
}

static void clearing_forgets_content_and_failure(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 4);
    buf_add_text(&b, "abcde");
    buf_clear(&b);
    buf_add_text(&b, "wxyz");
    assert_str(buf_str(&b), "wxyz");
    buf_clear(&b);
    assert_string_equal(buf_text(&b), "");
    buf_truncate(&b, 99); /* never longer */
    assert_int_equal(b.len, 0);
}

static void reserved_bytes_count_only_when_advanced(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1000);
    memcpy(buf_reserve(&b, 300), "hello world", 11);
    assert_int_equal(b.len, 0);
    buf_advance(&b, 5);
    assert_string_equal(buf_text(&b), "hello");
    assert_null(buf_reserve(&b, 996));
    assert_null(buf_reserve(&b, 1));
}

static void prints_formatted_text(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 12);
    buf_printf(&b, "%s-%d", "ab", 42);
    buf_printf(&b, "%s", "");
    assert_str(buf_str(&b), "ab-42");
    buf_printf(&b, "%08d", 1);
    assert_true(b.failed);
    assert_str(buf_str(&b), "ab-42");
}

static void writes_decimal_numbers(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    buf_add_u64(&b, 0);
    buf_add_char(&b, ' ');
    buf_add_u64(&b, UINT64_MAX);
    buf_add_char(&b, ' ');
    buf_add_i64(&b, -10);
    buf_add_char(&b, ' ');
    buf_add_i64(&b, INT64_MIN);
    assert_str(buf_str(&b), "0 18446744073709551615 -10 -9223372036854775808");
    buf_done(&b);
}

static void writes_hexadecimal(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 9);
    buf_add_hex(&b, "\x00\xff\x1a", 3);
    assert_str(buf_str(&b), "00ff1a");
    buf_add_hex(&b, "\x01\x02", 2);
    assert_true(b.failed);
    buf_clear(&b);
    buf_add_hex(&b, "12345", 5);
    assert_true(b.failed);
    assert_int_equal(b.len, 0);
}

static void json_strings_escape_what_they_must(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1000);
    buf_add_json(&b, STR("a\"b\\c\n\r\t\x01\x7f z\xC3\xA9"));
    assert_str(buf_str(&b), "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u007f z\xC3\xA9\"");
    buf_clear(&b);
    buf_add_json(&b, (struct str){ 0 });
    assert_str(buf_str(&b), "\"\"");
    buf_clear(&b);
    buf_add_json(&b, STR("x\xFF\xC3"));
    assert_str(buf_str(&b), "\"x\xEF\xBF\xBD\xEF\xBF\xBD\"");
    buf_clear(&b);
    buf_add_json(&b, (struct str){ "a\0b", 3 });
    assert_str(buf_str(&b), "\"a\\u0000b\"");
}

static void taken_memory_is_the_callers(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    buf_add_text(&b, "kept");
    CLEANUP(free_pointer) char *mine = buf_take(&b);
    assert_string_equal(mine, "kept");
    assert_int_equal(b.len, 0);
    CLEANUP(free_pointer) char *empty = buf_take(&b);
    assert_string_equal(empty, "");
    buf_add_text(&b, "again");
    assert_str(buf_str(&b), "again");
    buf_done(&b);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_stays_nul_terminated),
        cmocka_unit_test(the_ceiling_is_exact_and_failure_sticks),
        cmocka_unit_test(a_ceiling_below_the_first_allocation_holds),
        cmocka_unit_test(clearing_forgets_content_and_failure),
        cmocka_unit_test(reserved_bytes_count_only_when_advanced),
        cmocka_unit_test(prints_formatted_text),
        cmocka_unit_test(writes_decimal_numbers),
        cmocka_unit_test(writes_hexadecimal),
        cmocka_unit_test(json_strings_escape_what_they_must),
        cmocka_unit_test(taken_memory_is_the_callers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
