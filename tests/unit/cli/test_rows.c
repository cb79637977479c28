/* Results of queries as tables, CSV and JSON. */
#include "base/alloc.h"
#include "base/json.h"
#include "cli/rows_print.h"
#include "support/test.h"

#include <jansson.h>
#include <string.h>

static int collect(void *ctx, struct buf *out, struct error *err)
{
    (void)err;
    buf_add_str(ctx, buf_str(out));
    return 0;
}

static int refuse(void *ctx, struct buf *out, struct error *err)
{
    (void)ctx;
    (void)out;
    return error_set(err, ERR_CANCELLED, "closed");
}

static const struct query_column columns[] = {
    { { "n", 1 }, { "DECIMAL(38,2)", 13 } }, { { "t", 1 }, { "VARCHAR", 7 } },
    { { "b", 1 }, { "BOOLEAN", 7 } },        { { "n", 1 }, { "JSON", 4 } },
    { { "d", 1 }, { "DOUBLE", 6 } },
};

#define COLUMNS (sizeof columns / sizeof *columns)

static const struct str cells[2][COLUMNS] = {
    { { "12345678901234567890.10", 23 },
      { "a \"b\",\r\nc", 9 },
      { "true", 4 },
      { "{\"x\":\n[1, 2.50]}", 16 },
      { "nan", 3 } },
    { { NULL, 0 }, { "", 0 }, { NULL, 0 }, { "no json", 7 }, { "-1e+300", 7 } },
};

static void print(enum rows_format format, size_t rows, struct buf *out)
{
    struct error err = { 0 };
    buf_init(out, (size_t)1 << 20);
    struct rows_print *p = rows_print_new(format, collect, out);
    assert_int_equal(rows_print_row(p, columns, COLUMNS, NULL, &err), 0);
    for (size_t i = 0; i < rows; i++)
        assert_int_equal(rows_print_row(p, columns, COLUMNS, cells[i], &err), 0);
    assert_int_equal(rows_print_end(p, &err), 0);
    rows_print_free(p);
}

static void csv_is_rfc_4180(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    print(ROWS_CSV, 2, &out);
    assert_string_equal(buf_text(&out),
                        "n,t,b,n,d\r\n"
                        "12345678901234567890.10,\"a \"\"b\"\",\r\nc\",true,"
                        "\"{\"\"x\"\":\n[1, 2.50]}\",nan\r\n"
                        ",\"\",,no json,-1e+300\r\n");
}

static void json_keeps_digits_and_both_columns_of_one_name(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    print(ROWS_JSON, 2, &out);
    json_t *root = json_loads(buf_text(&out), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    assert_int_equal(json_array_size(root), 2);
    assert_non_null(strstr(buf_text(&out), "\"n\":12345678901234567890.10,"));
    const json_t *first = json_array_get(root, 0), *second = json_array_get(root, 1);
    assert_true(json_is_object(json_object_get(first, "n_2")));
    assert_true(json_is_true(json_object_get(first, "b")));
    assert_string_equal(json_string_value(json_object_get(first, "d")), "nan");
    assert_true(json_is_null(json_object_get(second, "n")));
    assert_string_equal(json_string_value(json_object_get(second, "t")), "");
    assert_string_equal(json_string_value(json_object_get(second, "n_2")), "no json");
    json_decref(root);
}

static void ndjson_has_one_object_per_line(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    print(ROWS_NDJSON, 2, &out);
    struct str rest = buf_str(&out);
    for (int i = 0; i < 2; i++)
        assert_true(json_is_valid(str_cut(rest, '\n', &rest)));
    assert_int_equal(rest.len, 0);
}

static void no_rows_are_an_empty_array(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    print(ROWS_JSON, 0, &out);
    json_t *root = json_loads(buf_text(&out), 0, NULL);
    assert_non_null(root);
    assert_int_equal(json_array_size(root), 0);
    json_decref(root);
}

static void tables_say_null_and_set_numbers_to_the_right(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    print(ROWS_TABLE, 2, &out);
    assert_non_null(strstr(buf_text(&out), "\n                   NULL  "));
    assert_non_null(strstr(buf_text(&out), "(2 rows)\n"));
}

static void a_plan_keeps_its_lines(void **state)
{
    (void)state;
    static const struct query_column heads[] = {
        { { "explain_key", 11 }, { "VARCHAR", 7 } },
        { { "explain_value", 13 }, { "VARCHAR", 7 } }
    };
    static const struct str row[] = { { "physical_plan", 13 }, { "a\nb\x1b", 4 } };
    CLEANUP(buf_done) struct buf out;
    struct error err = { 0 };
    buf_init(&out, 4096);
    struct rows_print *p = rows_print_new(ROWS_TABLE, collect, &out);
    assert_int_equal(rows_print_row(p, heads, 2, NULL, &err), 0);
    assert_int_equal(rows_print_row(p, heads, 2, row, &err), 0);
    assert_int_equal(rows_print_end(p, &err), 0);
    rows_print_free(p);
    assert_string_equal(buf_text(&out), "a\nb?\n");
}

static void a_closed_reader_ends_the_query(void **state)
{
    (void)state;
    struct error err = { 0 };
    static char text[200];
    memset(text, 'x', sizeof text);
    const struct query_column one[] = { { { "t", 1 }, { "VARCHAR", 7 } } };
    const struct str cell[] = { { text, sizeof text } };
    struct rows_print *p = rows_print_new(ROWS_CSV, refuse, NULL);
    int rc = rows_print_row(p, one, 1, NULL, &err);
    for (int i = 0; rc == 0 && i < 10000; i++)
        rc = rows_print_row(p, one, 1, cell, &err);
    rows_print_free(p);
    assert_int_equal(rc, -1);
    assert_int_equal(err.code, ERR_CANCELLED);
}

/* 120 characters stay, whatever their bytes; the cut shows in the cell and below. */
static void a_long_cell_is_cut_in_a_table_alone(void **state)
{
    (void)state;
    static const struct query_column column[] = { { { "t", 1 }, { "VARCHAR", 7 } } };
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 1024);
    for (int i = 0; i < 121; i++)
        buf_add_text(&text, "ü");
    for (size_t chars = 120; chars <= 121; chars++) {
        static const enum rows_format FORMATS[] = { ROWS_TABLE, ROWS_CSV };
        for (size_t f = 0; f < 2; f++) {
            struct str cell = { buf_text(&text), chars * 2 };
            struct error err = { 0 };
            CLEANUP(buf_done) struct buf out;
            buf_init(&out, 4096);
            struct rows_print *p = rows_print_new(FORMATS[f], collect, &out);
            assert_int_equal(rows_print_row(p, column, 1, &cell, &err), 0);
            assert_int_equal(rows_print_end(p, &err), 0);
            rows_print_free(p);
            bool cut = FORMATS[f] == ROWS_TABLE && chars == 121;
            assert_int_equal(strstr(buf_text(&out), "ü…") != NULL, cut);
            assert_int_equal(strstr(buf_text(&out), "(1 long cell cut") != NULL, cut);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_is_rfc_4180),
        cmocka_unit_test(json_keeps_digits_and_both_columns_of_one_name),
        cmocka_unit_test(ndjson_has_one_object_per_line),
        cmocka_unit_test(no_rows_are_an_empty_array),
        cmocka_unit_test(tables_say_null_and_set_numbers_to_the_right),
        cmocka_unit_test(a_plan_keeps_its_lines),
        cmocka_unit_test(a_closed_reader_ends_the_query),
        cmocka_unit_test(a_long_cell_is_cut_in_a_table_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
