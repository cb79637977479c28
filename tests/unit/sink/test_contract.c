#include "sink/contract.h"
#include "support/test.h"

static void a_row_key_is_the_start_of_its_sha256(void **state)
{
    uint8_t key[CONTRACT_KEY_BYTES];
    char text[CONTRACT_KEY_TEXT];
    (void)state;
    /* SHA-256 of "abc", FIPS 180-4 example */
    contract_row_key(STR("abc"), key);
    contract_key_text(key, text);
    assert_str(((struct str){ text, sizeof(text) }),
               "ba7816bf-8f01-cfea-4141-40de5dae2223");
}

static void the_nth_key_hashes_the_first_and_its_number(void **state)
{
    static const uint8_t input[] = { 0,  1,  2,  3,  4, 5, 6, 7, 8, 9, 10, 11,
                                     12, 13, 14, 15, 0, 0, 0, 0, 0, 0, 1,  2 };
    uint8_t nth[CONTRACT_KEY_BYTES], want[CONTRACT_KEY_BYTES];
    (void)state;
    contract_row_key((struct str){ (const char *)input, sizeof(input) }, want);
    contract_row_key_nth(input, 258, nth);
    assert_memory_equal(nth, want, sizeof(want));
}

static void system_columns_are_found_in_any_case(void **state)
{
    (void)state;
    assert_int_equal(contract_system_find(STR("_SDC_Sequence")), SYSTEM_SEQUENCE);
    assert_int_equal(contract_system_find(STR("__sdc_primary_key")), SYSTEM_PRIMARY_KEY);
    assert_int_equal(contract_system_find(STR("sequence")), SYSTEM_COLUMN_COUNT);
}

static void only_faults_of_data_and_shape_concern_one_stream(void **state)
{
    (void)state;
    for (int code = 0; code < ERR_CODE_COUNT; code++) {
        struct error err = { .code = (enum error_code)code };
        bool expected = code == ERR_SCHEMA || code == ERR_DATA || code == ERR_PROTOCOL;
        assert_int_equal(contract_is_stream_fault(&err), expected);
    }
}

static void a_copy_has_version_and_target_in_its_name(void **state)
{
    struct buf name;
    (void)state;
    buf_init(&name, 100);
    contract_copy_name(&name, STR("orders"), 12);
    assert_string_equal(buf_text(&name), "_tailrace_copy_12_orders");
    buf_done(&name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_key_is_the_start_of_its_sha256),
        cmocka_unit_test(the_nth_key_hashes_the_first_and_its_number),
        cmocka_unit_test(system_columns_are_found_in_any_case),
        cmocka_unit_test(only_faults_of_data_and_shape_concern_one_stream),
        cmocka_unit_test(a_copy_has_version_and_target_in_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
