#include "avro/name.h"
#include "support/test.h"

static struct arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(16u << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static void each_code_point_outside_becomes_one_underscore(void **state)
{
    (void)state;
    assert_str(avro_name_legal(arena, STR("plain_Name9"), LEADING_DIGIT_REPLACE),
               "plain_Name9");
    assert_str(avro_name_legal(arena, STR("a b-c"), LEADING_DIGIT_REPLACE), "a_b_c");
    assert_str(avro_name_legal(arena, STR("gr\xC3\xBCn"), LEADING_DIGIT_REPLACE), "gr_n");
    assert_str(avro_name_legal(arena, STR("\xF0\x9F\x98\x80x"), LEADING_DIGIT_REPLACE),
               "_x");
    assert_str(avro_name_legal(arena, STR("\xFF\xFEx"), LEADING_DIGIT_REPLACE), "__x");
    assert_str(avro_name_legal(arena, STR(""), LEADING_DIGIT_REPLACE), "_");
}

static void a_leading_digit_is_replaced_or_kept(void **state)
{
    (void)state;
    assert_str(avro_name_legal(arena, STR("4th"), LEADING_DIGIT_REPLACE), "_th");
    assert_str(avro_name_legal(arena, STR("4th"), LEADING_DIGIT_PREFIX), "_4th");
    assert_str(avro_name_legal(arena, STR("42"), LEADING_DIGIT_REPLACE), "_2");
    assert_str(avro_name_legal(arena, STR("42"), LEADING_DIGIT_PREFIX), "_42");
}

static void collisions_are_numbered_in_column_order(void **state)
{
    (void)state;
    const struct str names[] = { STR("a b"), STR("a_b"), STR("a-b"), STR("a_b_2"),
                                 STR("A_B") };
    struct str out[5];
    avro_names_assign(arena, names, NULL, 5, LEADING_DIGIT_REPLACE, false, out);
    assert_str(out[0], "a_b");
    assert_str(out[1], "a_b_2");
    assert_str(out[2], "a_b_3");
    assert_str(out[3], "a_b_2_2");
    assert_str(out[4], "A_B");
    avro_names_assign(arena, names, NULL, 5, LEADING_DIGIT_REPLACE, true, out);
    assert_str(out[4], "A_B_4");
}

static void names_given_before_stay(void **state)
{
    (void)state;
    const struct str names[] = { STR("a-b"), STR("a b"), STR("new") };
    const struct str before[] = { { 0 }, STR("a_b"), STR("not legal") };
    struct str out[3];
    avro_names_assign(arena, names, before, 3, LEADING_DIGIT_REPLACE, false, out);
    assert_str(out[0], "a_b_2");
    assert_str(out[1], "a_b");
    assert_str(out[2], "new");
}

static void our_own_names_are_taken(void **state)
{
    (void)state;
    const struct str names[] = {
        STR("_op"),    STR("_sdc_sequence"), STR("__sdc_primary_key"),
        STR("_seq"),   STR("_sdc_sequence"), STR("_SDC_x"),
        STR("_before")
    };
    struct str out[7];
    avro_names_assign(arena, names, NULL, 7, LEADING_DIGIT_REPLACE, true, out);
    assert_str(out[0], "_op_2");
    assert_str(out[1], "_sdc_sequence_2");
    assert_str(out[2], "__sdc_primary_key_2");
    assert_str(out[3], "_seq_2");
    assert_str(out[4], "_sdc_sequence_3");
    assert_str(out[5], "_SDC_x_2");
    assert_str(out[6], "_before_2");
}

static void a_display_name_makes_a_schema_name(void **state)
{
    (void)state;
    assert_str(avro_schema_name(arena, STR("Stitch Amazon Aurora MySQL RDS")),
               "stitch_amazon_aurora_mysql_rds");
    assert_str(avro_schema_name(arena, STR("2nd shop$")), "_2nd_shop$");
    assert_str(avro_schema_name(arena, STR("$x")), "_$x");
    assert_str(avro_schema_name(arena, STR("\xC3\xA9t\xC3\xA9")), "_t_");
    assert_str(avro_schema_name(arena, STR("")), "_");
    struct str cut = avro_schema_name(
        arena,
        STR("0123456789012345678901234567890123456789012345678901234567890123456789"));
    assert_int_equal(cut.len, 49);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_code_point_outside_becomes_one_underscore,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_leading_digit_is_replaced_or_kept, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(collisions_are_numbered_in_column_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(names_given_before_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(our_own_names_are_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(a_display_name_makes_a_schema_name, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
