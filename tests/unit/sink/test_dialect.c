#include "sink/contract.h"
#include "sink/dialect.h"
#include "support/test.h"

static void quotes_are_doubled(void **state)
{
    struct buf sql;
    (void)state;
    buf_init(&sql, 1000);
    dialect_quote_table(&sql, STR("a\"b"), STR("c'd; DROP TABLE x --"));
    buf_add_char(&sql, ' ');
    dialect_quote_literal(&sql, STR("it's \"so\""));
    assert_string_equal(buf_text(&sql),
                        "\"a\"\"b\".\"c'd; DROP TABLE x --\" 'it''s \"so\"'");
    buf_done(&sql);
}

static void a_table_has_its_columns_then_the_system_ones(void **state)
{
    static const struct column columns[] = {
        { .avro_name = { "order", 5 }, .type = TYPE_INT, .bytes = 4 },
        { .avro_name = { "price", 5 }, .type = TYPE_DECIMAL, .precision = 9, .scale = 2 },
    };
    static const struct table_schema shape = { .column_count = 2, .columns = columns };
    struct buf sql;
    (void)state;
    buf_init(&sql, 10000);
    dialect_columns(&sql, SQL_DUCKDB, &shape, true);
    assert_string_equal(
        buf_text(&sql),
        " (\"order\" INTEGER, \"price\" DECIMAL(9,2), "
        "\"__sdc_primary_key\" VARCHAR, \"_sdc_extracted_at\" TIMESTAMP WITH TIME ZONE, "
        "\"_sdc_received_at\" TIMESTAMP WITH TIME ZONE, \"_sdc_batched_at\" TIMESTAMP "
        "WITH TIME ZONE, \"_sdc_sequence\" BIGINT, \"_sdc_table_version\" BIGINT, "
        "\"_sdc_deleted_at\" TIMESTAMP WITH TIME ZONE)");
    buf_done(&sql);
}

/* have and want give wide; "-" where nothing holds both. Tried both ways round. */
static const char *const widenings[][3] = {
    { "BOOLEAN", "TINYINT", "TINYINT" },
    { "BOOLEAN", "UTINYINT", "UTINYINT" },
    { "TINYINT", "UTINYINT", "SMALLINT" },
    { "INTEGER", "UINTEGER", "BIGINT" },
    { "INTEGER", "BIGINT", "BIGINT" },
    { "SMALLINT", "USMALLINT", "INTEGER" },
    { "BIGINT", "UBIGINT", "HUGEINT" },
    { "INTEGER", "INTEGER", "INTEGER" },
    { "DECIMAL(10,2)", "DECIMAL(12,4)", "DECIMAL(12,4)" },
    { "DECIMAL(10,2)", "DECIMAL(10,6)", "DECIMAL(14,6)" },
    { "DECIMAL(38,0)", "DECIMAL(38,10)", "VARCHAR" },
    { "DECIMAL(10,2)", "VARCHAR", "VARCHAR" },
    { "INTEGER", "DECIMAL(5,2)", "DECIMAL(12,2)" },
    { "FLOAT", "DOUBLE", "DOUBLE" },
    { "DATE", "TIMESTAMP", "TIMESTAMP" },
    { "FLOAT[3]", "FLOAT[4]", "FLOAT[]" },
    { "UUID", "VARCHAR", "VARCHAR" },
    { "JSON", "VARCHAR", "VARCHAR" },
    { "TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE",
      "TIMESTAMP WITH TIME ZONE" },
    { "BLOB", "DATE", "-" },
    { "BLOB", "VARCHAR", "-" },
    { "DOUBLE", "DECIMAL(10,2)", "-" },
    { "BIGINT", "DOUBLE", "-" },
    { "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "-" },
    { "INTERVAL", "VARCHAR", "-" },
};

static void a_widened_type_holds_both(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(widenings) / sizeof(widenings[0]); i++) {
        for (unsigned turn = 0; turn < 2; turn++) {
            struct error err = { 0 };
            struct buf out;
            buf_init(&out, 100);
            int rc = dialect_duckdb_widen(str_of(widenings[i][turn]),
                                          str_of(widenings[i][1 - turn]), &out, &err);
            if (rc != 0)
                assert_int_equal(err.code, ERR_SCHEMA);
            assert_string_equal(rc == 0 ? buf_text(&out) : "-", widenings[i][2]);
            buf_done(&out);
        }
    }
}

static void the_short_name_of_timestamptz_is_the_same_type(void **state)
{
    struct error err = { 0 };
    struct buf out;
    (void)state;
    buf_init(&out, 100);
    assert_int_equal(dialect_duckdb_widen(STR("TIMESTAMP WITH TIME ZONE"),
                                          STR("TIMESTAMPTZ"), &out, &err),
                     0);
    assert_string_equal(buf_text(&out), "TIMESTAMP WITH TIME ZONE");
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes_are_doubled),
        cmocka_unit_test(a_table_has_its_columns_then_the_system_ones),
        cmocka_unit_test(a_widened_type_holds_both),
        cmocka_unit_test(the_short_name_of_timestamptz_is_the_same_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
