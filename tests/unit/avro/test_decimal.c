#include "avro/decimal.h"
#include "support/test.h"

static void expect(const char *text, unsigned precision, unsigned scale, const char *hex)
{
    uint8_t bytes[DECIMAL_BYTES_MAX];
    unsigned n = 0;
    char got[2 * DECIMAL_BYTES_MAX + 1];
    assert_int_equal(decimal_unscaled(str_of(text), precision, scale, bytes, &n),
                     DECIMAL_OK);
    for (unsigned i = 0; i < n; i++)
        (void)snprintf(got + (size_t)2 * i, 3, "%02x", bytes[i]);
    assert_string_equal(got, hex);
}

static void the_fewest_bytes_that_keep_the_sign(void **state)
{
    (void)state;
    expect("0", 1, 0, "00");
    expect("-0.00", 5, 2, "00");
    expect("127", 3, 0, "7f");
    expect("128", 3, 0, "0080");
    expect("-128", 3, 0, "80");
    expect("-129", 3, 0, "ff7f");
    expect("1.5", 5, 2, "0096");
    expect("+1.5", 5, 2, "0096");
    expect(".5", 5, 1, "05");
    expect("5.", 5, 0, "05");
    expect("999999999999999999", 18, 0, "0de0b6b3a763ffff");
    expect("9223372036854775807", 19, 0, "7fffffffffffffff");
    expect("-9223372036854775808", 19, 0, "8000000000000000");
    expect("9223372036854775808", 19, 0, "008000000000000000");
    expect("-9223372036854775809", 19, 0, "ff7fffffffffffffff");
    expect("-18446744073709551616", 20, 0, "ff0000000000000000");
    expect("170141183460469231731687303715884105727", 39, 0,
           "7fffffffffffffffffffffffffffffff");
    expect("-170141183460469231731687303715884105728", 39, 0,
           "80000000000000000000000000000000");
}

/* Every length, and digits that carry over the limbs. */
static void text_and_bytes_are_each_others_inverse(void **state)
{
    (void)state;
    for (unsigned digits = 1; digits <= DECIMAL_DIGITS_MAX; digits++) {
        for (unsigned scale = 0; scale <= 38 && scale <= digits; scale++) {
            for (char first = '1'; first <= '9'; first = (char)(first + 4)) {
                char text[DECIMAL_TEXT_MAX];
                char back[DECIMAL_TEXT_MAX];
                uint8_t bytes[DECIMAL_BYTES_MAX];
                unsigned n = 0;
                size_t len = 0;
                text[len++] = '-';
                if (scale == digits)
                    text[len++] = '0';
                for (unsigned i = 0; i < digits; i++) {
                    if (i == digits - scale)
                        text[len++] = '.';
                    text[len++] = i == 0 ? first : (char)('0' + (i * 7 + digits) % 10);
                }
                for (size_t skip = 0; skip < 2; skip++) {
                    struct str s = { text + skip, len - skip };
                    assert_int_equal(decimal_unscaled(s, digits, scale, bytes, &n), 0);
                    size_t m =
                        decimal_text((struct str){ (const char *)bytes, n }, scale, back);
                    assert_true(str_eq((struct str){ back, m }, s));
                }
            }
        }
    }
}

static void what_does_not_fit_is_told_from_what_is_no_number(void **state)
{
    (void)state;
    static const char *const malformed[] = { "",   "-",     ".",   "1 ",
                                             " 1", "1.2.3", "1e5", "0x1" };
    uint8_t bytes[DECIMAL_BYTES_MAX];
    unsigned n;
    for (unsigned i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
        assert_int_equal(decimal_unscaled(str_of(malformed[i]), 10, 2, bytes, &n),
                         DECIMAL_MALFORMED);
    assert_int_equal(decimal_unscaled(STR("100"), 4, 2, bytes, &n), DECIMAL_TOO_WIDE);
    assert_int_equal(decimal_unscaled(STR("1.234"), 9, 2, bytes, &n), DECIMAL_TOO_WIDE);
    assert_int_equal(decimal_unscaled(STR("1.2300"), 9, 2, bytes, &n), DECIMAL_OK);
}

static void integers_of_64_bits_come_back(void **state)
{
    (void)state;
    const uint64_t values[] = { 0,         1,   127,       128,
                                255,       256, INT64_MAX, (uint64_t)INT64_MAX + 1,
                                UINT64_MAX };
    for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        uint8_t bytes[9];
        uint64_t back = 1;
        struct str s = { (const char *)bytes, decimal_unscaled_u64(values[i], bytes) };
        assert_true(decimal_to_u64(s, &back));
        assert_true(back == values[i]);
    }
    uint64_t v;
    assert_false(decimal_to_u64(STR(""), &v));
    assert_false(decimal_to_u64(STR("\xFF"), &v));
    assert_false(decimal_to_u64(STR("\1\0\0\0\0\0\0\0\0"), &v));
}

static void bytes_that_are_no_decimal_give_no_text(void **state)
{
    (void)state;
    char out[DECIMAL_TEXT_MAX];
    char wide[DECIMAL_BYTES_MAX + 1];
    memset(wide, 0x7f, sizeof(wide));
    assert_int_equal(decimal_text(STR(""), 0, out), 0);
    assert_int_equal(decimal_text((struct str){ wide, sizeof(wide) }, 0, out), 0);
    assert_int_equal(decimal_text((struct str){ wide, DECIMAL_BYTES_MAX }, 0, out), 0);
    size_t n = decimal_text(STR("\0\0\0\5"), 3, out);
    assert_str(((struct str){ out, n }), "0.005");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fewest_bytes_that_keep_the_sign),
        cmocka_unit_test(text_and_bytes_are_each_others_inverse),
        cmocka_unit_test(what_does_not_fit_is_told_from_what_is_no_number),
        cmocka_unit_test(integers_of_64_bits_come_back),
        cmocka_unit_test(bytes_that_are_no_decimal_give_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
