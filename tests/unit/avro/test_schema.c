#include "avro/schema.h"
#include "support/all_types.h"
#include "support/test.h"

static void expect_refused(struct str json, const char *reason)
{
    struct arena *a = arena_new(1u << 20);
    struct table_schema out;
    struct error err = { 0 };
    assert_int_equal(avro_schema_read(a, json, &out, &err), -1);
    assert_int_equal(err.code, ERR_SCHEMA);
    if (strstr(err.text, reason) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, reason);
    arena_free(a);
}

static void the_shape_comes_back_whole(void **state)
{
    (void)state;
    struct all_types types;
    const struct table_schema *s = all_types_schema(&types);
    for (unsigned record = AVRO_CHANGE; record <= AVRO_ROW; record++) {
        struct arena *a = arena_new(1u << 20);
        struct buf json;
        struct buf again;
        struct table_schema out;
        struct error err = { 0 };
        buf_init(&json, 1u << 20);
        buf_init(&again, 1u << 20);
        avro_schema_write(s, (enum avro_record)record, &json);
        if (avro_schema_read(a, buf_str(&json), &out, &err) != 0)
            fail_msg("%s", err.text);
        assert_true(schema_same_shape(s, &out));
        assert_true(schema_hash(s) == schema_hash(&out));
        assert_int_equal(out.version, 7);
        assert_str(out.name, "int");
        assert_str(out.database, "shop \xC3\xA9");
        avro_schema_write(&out, (enum avro_record)record, &again);
        assert_true(str_eq(buf_str(&json), buf_str(&again)));
        buf_done(&json);
        buf_done(&again);
        arena_free(a);
    }
}

static void the_text_is_this_one(void **state)
{
    (void)state;
    const struct column columns[] = {
        { .name = STR("4th"),
          .avro_name = STR("_th"),
          .type = TYPE_DECIMAL,
          .precision = 9,
          .scale = 2,
          .key_ordinal = 1,
          .source_type = STR("decimal(9,2)") },
        { .name = STR("t"),
          .avro_name = STR("t"),
          .type = TYPE_TIME,
          .nullable = true,
          .fraction = 3 },
    };
    const struct table_schema s = { .database = STR("d"),
                                    .name = STR("my table"),
                                    .version = 2,
                                    .column_count = 2,
                                    .key_count = 1,
                                    .columns = columns };
    struct buf json;
    buf_init(&json, 1u << 20);
    avro_schema_write(&s, AVRO_ROW, &json);
    assert_string_equal(
        buf_text(&json),
        "{\"type\":\"record\",\"name\":\"my_table\",\"namespace\":\"d\",\"tailrace\":"
        "{\"database\":\"d\",\"table\":\"my table\",\"version\":2},\"fields\":["
        "{\"name\":\"_th\",\"type\":[\"null\",{\"type\":\"bytes\",\"logicalType\":"
        "\"decimal\",\"precision\":9,\"scale\":2}],\"default\":null,"
        "\"doc\":\"4th (decimal(9,2))\",\"tailrace\":{\"column\":\"4th\",\"type\":"
        "\"decimal\",\"source\":\"decimal(9,2)\",\"key\":1,\"precision\":9,\"scale\":2}},"
        "{\"name\":\"t\",\"type\":[\"null\",\"long\"],\"default\":null,"
        "\"doc\":\"t, microseconds\",\"tailrace\":{\"column\":\"t\",\"type\":\"time\","
        "\"nullable\":true,\"fraction\":3}}]}");
    buf_done(&json);
}

#define FIELD(attributes)                                                           \
    STR("{\"type\":\"record\",\"name\":\"t\",\"tailrace\":{\"database\":\"d\","     \
        "\"table\":\"t\",\"version\":1},\"fields\":[{\"name\":\"c\",\"tailrace\":{" \
        "\"column\":\"c\"," attributes "}}]}")

static void what_is_no_schema_of_ours_is_refused(void **state)
{
    (void)state;
    expect_refused(STR("{"), "no JSON");
    expect_refused(STR(""), "no JSON");
    expect_refused(STR("{\"type\":\"record\",\"name\":\"x\",\"fields\":[]}"),
                   "'tailrace' is missing");
    expect_refused(STR("{\"tailrace\":{},\"fields\":[]}"), "has no column");
    expect_refused(STR("{\"tailrace\":{},\"fields\":[{\"name\":\"x\"}]}"),
                   "field 'x': 'tailrace' is missing");
    expect_refused(FIELD("\"type\":\"magic\""), "'type' is unknown");
    expect_refused(FIELD("\"type\":\"int\""), "'bytes' is no width");
    expect_refused(FIELD("\"type\":\"bit\",\"length\":64"), "'length' is no width");
    expect_refused(FIELD("\"type\":\"decimal\",\"precision\":66"), "'precision'");
    expect_refused(FIELD("\"type\":\"decimal\",\"precision\":5,\"scale\":6"),
                   "'precision'");
    expect_refused(FIELD("\"type\":\"text\",\"length\":-1"), "'length' is no number");
    expect_refused(FIELD("\"type\":\"text\",\"key\":2"), "'key' has a gap");
    expect_refused(FIELD("\"type\":\"text\",\"companion\":9"),
                   "'companion' names no column");
    expect_refused(FIELD("\"type\":\"text\",\"nullable\":1"), "'nullable'");
    expect_refused(FIELD("\"type\":\"enum\",\"labels\":[1]"), "'labels' is no text");
    expect_refused(FIELD("\"type\":\"text\",\"type\":\"int\""), "no JSON");
}

static void every_type_has_its_line(void **state)
{
    (void)state;
    for (unsigned i = TYPE_UNSUPPORTED + 1; i < TYPE_COUNT; i++) {
        const struct type_info *info = type_get((enum logical_type)i);
        bool seen = false;
        assert_int_equal(info->type, i);
        assert_int_equal(type_find(str_of(info->name)), i);
        for (size_t c = 0; c < ALL_COLUMNS; c++)
            seen = seen || typed_columns[c].column.type == info->type;
        assert_true(seen); /* the round trips above would miss it otherwise */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shape_comes_back_whole),
        cmocka_unit_test(the_text_is_this_one),
        cmocka_unit_test(what_is_no_schema_of_ours_is_refused),
        cmocka_unit_test(every_type_has_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
