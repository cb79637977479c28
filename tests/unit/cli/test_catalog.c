/* Discovery's output: every type, names that need escaping, all forms valid. */
#include "base/alloc.h"
#include "cli/catalog_print.h"
#include "support/test.h"

#include <jansson.h>
#include <string.h>

#define TEXT_BYTES ((size_t)4 << 20)

/* One column of every type, the unsupported one included. */
static struct catalog *every_type(void)
{
    struct arena *a = arena_new((size_t)4 << 20);
    struct catalog *c = ARENA_NEW(a, struct catalog);
    struct catalog_database *db = ARENA_NEW(a, struct catalog_database);
    struct catalog_table *t = ARENA_ARRAY(a, struct catalog_table, 2);
    struct column *columns = ARENA_ARRAY(a, struct column, TYPE_COUNT);
    for (unsigned i = 0; i < TYPE_COUNT; i++)
        columns[i] = (struct column){ .name = arena_printf(a, "c\"%u\n", i),
                                      .avro_name = arena_printf(a, "c%u", i),
                                      .source_type = STR("enum('a\\b')"),
                                      .type = (enum logical_type)i,
                                      .length = i == TYPE_BIT ? 9 : 3,
                                      .precision = 12,
                                      .scale = 3,
                                      .bytes = 2,
                                      .key_ordinal = i == TYPE_LONG ? 1 : 0,
                                      .selected = i != TYPE_UNSUPPORTED,
                                      .nullable = i != TYPE_LONG };
    columns[TYPE_UNSUPPORTED].why = STR("no server knows it");
    columns[TYPE_LONG].auto_increment = true;
    struct catalog_index *index = ARENA_NEW(a, struct catalog_index);
    *index = (struct catalog_index){ STR("PRIMARY"), &columns[TYPE_LONG].name, 1 };
    t[0] = (struct catalog_table){ .schema = { .database = STR("d\"b"),
                                               .name = STR("t\\1"),
                                               .column_count = TYPE_COUNT,
                                               .key_count = 1,
                                               .columns = columns },
                                   .key = KEY_PRIMARY,
                                   .key_name = STR("PRIMARY"),
                                   .indexes = index,
                                   .index_count = 1,
                                   .readable = true,
                                   .engine = STR("InnoDB"),
                                   .row_estimate = 1234567 };
    t[1] =
        (struct catalog_table){ .schema = { .database = STR("d\"b"), .name = STR("v") },
                                .kind = TABLE_VIEW,
                                .why = STR("its definer is gone") };
    *db = (struct catalog_database){ .name = STR("d\"b"), .tables = t, .table_count = 2 };
    *c = (struct catalog){ .arena = a, .databases = db, .database_count = 1 };
    return c;
}

static json_t *load(const struct buf *text)
{
    json_error_t why;
    /* the greatest BIGINT UNSIGNED is a number of JSON, but none of jansson's integers */
    json_t *root = json_loads(buf_text(text),
                              JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &why);
    if (root == NULL)
        fail_msg("%s at %d: %.200s", why.text, why.position, buf_text(text));
    return root;
}

static void json_has_every_column(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, TEXT_BYTES);
    struct catalog *c = every_type();
    catalog_print_json(&out, c, STR("MySQL"));
    json_t *root = load(&out);
    const json_t *db = json_array_get(json_object_get(root, "databases"), 0);
    const json_t *tables = json_object_get(db, "tables");
    assert_int_equal(json_array_size(tables), 2);
    const json_t *columns = json_object_get(json_array_get(tables, 0), "columns");
    assert_int_equal(json_array_size(columns), TYPE_COUNT);
    const json_t *bad = json_array_get(columns, TYPE_UNSUPPORTED);
    assert_true(json_is_false(json_object_get(bad, "supported")));
    assert_true(json_is_false(json_object_get(bad, "replication_key")));
    const json_t *big = json_array_get(columns, TYPE_LONG);
    assert_true(json_is_true(json_object_get(big, "replication_key")));
    assert_true(json_is_true(json_object_get(big, "auto_increment")));
    assert_string_equal(json_string_value(json_object_get(big, "replication_key_index")),
                        "PRIMARY");
    const json_t *day = json_array_get(columns, TYPE_DATE);
    assert_true(json_is_true(json_object_get(day, "replication_key")));
    assert_true(json_is_null(json_object_get(day, "replication_key_index")));
    assert_string_equal(json_string_value(json_object_get(bad, "why")),
                        "no server knows it");
    for (size_t i = 1; i < TYPE_COUNT; i++)
        assert_true(
            json_is_string(json_object_get(json_array_get(columns, i), "duckdb_type")));
    json_decref(root);
    catalog_free(c);
}

static const json_t *metadata_of(const json_t *stream, size_t at)
{
    const json_t *list = json_object_get(stream, "metadata");
    return json_object_get(json_array_get(list, at), "metadata");
}

static void the_singer_catalog_says_what_can_be_selected(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, TEXT_BYTES);
    struct catalog *c = every_type();
    catalog_print_singer(&out, c);
    json_t *root = load(&out);
    const json_t *streams = json_object_get(root, "streams");
    assert_int_equal(json_array_size(streams),
                     1); /* without the view that cannot be read */
    const json_t *s = json_array_get(streams, 0);
    assert_string_equal(json_string_value(json_object_get(s, "tap_stream_id")),
                        "d\"b-t\\1");
    const json_t *properties =
        json_object_get(json_object_get(s, "schema"), "properties");
    assert_int_equal(json_object_size(properties), TYPE_COUNT);
    assert_int_equal(json_array_size(json_object_get(s, "metadata")), TYPE_COUNT + 1);
    const json_t *keys = json_object_get(metadata_of(s, 0), "table-key-properties");
    assert_int_equal(json_array_size(keys), 1);
    const json_t *valid = json_object_get(metadata_of(s, 0), "valid-replication-keys");
    assert_int_equal(json_array_size(valid), 6); /* integers, dates and times */
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        const char *want = i == TYPE_UNSUPPORTED ? "unsupported"
                           : i == TYPE_LONG      ? "automatic"
                                                 : "available";
        const json_t *m = metadata_of(s, i + 1);
        assert_string_equal(json_string_value(json_object_get(m, "inclusion")), want);
    }
    const char *name;
    json_t *schema;
    json_object_foreach(json_object_get(json_object_get(s, "schema"), "properties"), name,
                        schema) if (strcmp(name, "c\"0\n") != 0)
        assert_true(json_is_array(json_object_get(schema, "type")));
    json_decref(root);
    catalog_free(c);
}

static void people_see_why_a_table_or_column_is_left_out(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, TEXT_BYTES);
    struct catalog *c = every_type();
    catalog_print_tables(&out, c, STR("MySQL 9.7"));
    assert_non_null(strstr(buf_text(&out), "1,234,567"));
    assert_non_null(strstr(buf_text(&out), "its definer is gone"));
    assert_non_null(strstr(buf_text(&out), "1 of 25 columns unsupported"));
    assert_non_null(
        strstr(buf_text(&out), "2 tables in 1 database, 1 readable, on MySQL 9.7"));
    buf_clear(&out);
    catalog_print_columns(&out, c);
    assert_non_null(strstr(buf_text(&out), "unsupported, no server knows it"));
    assert_non_null(strstr(buf_text(&out), "DECIMAL(12,3)"));
    catalog_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_has_every_column),
        cmocka_unit_test(the_singer_catalog_says_what_can_be_selected),
        cmocka_unit_test(people_see_why_a_table_or_column_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
