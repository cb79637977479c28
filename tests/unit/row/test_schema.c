#include "row/schema.h"
#include "support/test.h"

static const struct str labels[] = { { "a", 1 }, { "b", 1 }, { "c", 1 } };

/* date, its companion, one that nobody wants, the key's second and first, one unsupported
 */
static void make(struct table_schema *s, struct column c[6])
{
    const struct column columns[6] = {
        { .name = STR("d"),
          .avro_name = STR("d"),
          .type = TYPE_DATE,
          .selected = true,
          .nullable = true },
        { .name = STR("d_text"),
          .avro_name = STR("d_text"),
          .type = TYPE_TEXT,
          .companion = 1,
          .nullable = true },
        { .name = STR("no"), .avro_name = STR("no"), .type = TYPE_TEXT },
        { .name = STR("k2"),
          .avro_name = STR("k2"),
          .type = TYPE_ENUM,
          .labels = labels,
          .label_count = 3,
          .key_ordinal = 2,
          .selected = true },
        { .name = STR("k1"),
          .avro_name = STR("k1"),
          .type = TYPE_BOOL,
          .key_ordinal = 1,
          .selected = true },
        { .name = STR("u"),
          .avro_name = STR("u"),
          .type = TYPE_UNSUPPORTED,
          .selected = true },
    };
    memcpy(c, columns, sizeof(columns));
    *s = (struct table_schema){ .database = STR("d"),
                                .name = STR("t"),
                                .version = 4,
                                .column_count = 6,
                                .key_count = 2,
                                .columns = c };
}

static void columns_are_found_by_name_and_by_key_place(void **state)
{
    (void)state;
    struct table_schema s;
    struct column c[6];
    make(&s, c);
    assert_ptr_equal(schema_find_column(&s, STR("k1")), &c[4]);
    assert_null(schema_find_column(&s, STR("K1")));
    assert_ptr_equal(schema_key_column(&s, 1), &c[4]);
    assert_ptr_equal(schema_key_column(&s, 2), &c[3]);
    assert_null(schema_key_column(&s, 0));
    assert_null(schema_key_column(&s, 3));
}

static void a_copy_shares_nothing(void **state)
{
    (void)state;
    struct table_schema s;
    struct column c[6];
    struct arena *a = arena_new(1u << 20);
    make(&s, c);
    struct table_schema *copy = schema_copy(a, &s);
    assert_true(schema_same_shape(copy, &s));
    assert_int_equal(copy->version, 4);
    assert_ptr_not_equal(copy->columns[3].labels[1].ptr, labels[1].ptr);
    assert_ptr_not_equal(copy->columns[0].name.ptr, c[0].name.ptr);
    assert_null(copy->columns[0].default_text.ptr);
    arena_free(a);
}

static void a_projection_starts_with_the_key(void **state)
{
    (void)state;
    struct table_schema s;
    struct column c[6];
    struct arena *a = arena_new(1u << 20);
    make(&s, c);
    struct table_schema *p = schema_project(a, &s);
    assert_int_equal(p->column_count, 4);
    assert_str(p->columns[0].name, "k1");
    assert_str(p->columns[1].name, "k2");
    assert_str(p->columns[2].name, "d");
    assert_str(p->columns[3].name, "d_text");
    assert_int_equal(p->columns[3].companion, 3);
    assert_int_equal(p->key_count, 2);
    arena_free(a);
}

static void a_projection_may_put_one_column_behind_the_key(void **state)
{
    (void)state;
    struct table_schema s;
    struct column c[6];
    struct arena *a = arena_new(1u << 20);
    make(&s, c);
    struct table_schema *p = schema_project_by(a, &s, STR("d_text"));
    assert_int_equal(p->column_count, 4);
    assert_str(p->columns[1].name, "k2");
    assert_str(p->columns[2].name, "d_text");
    assert_int_equal(p->columns[2].companion, 4);
    assert_str(p->columns[3].name, "d");
    /* of the key, unknown, unselected: as ever */
    struct table_schema *plain = schema_project(a, &s);
    assert_true(schema_same_shape(schema_project_by(a, &s, STR("k2")), plain));
    assert_true(schema_same_shape(schema_project_by(a, &s, STR("none")), plain));
    assert_true(schema_same_shape(schema_project_by(a, &s, STR("u")), plain));
    arena_free(a);
}

static void a_key_without_one_of_its_columns_is_none(void **state)
{
    (void)state;
    struct table_schema s;
    struct column c[6];
    struct arena *a = arena_new(1u << 20);
    make(&s, c);
    c[4].selected = false;
    struct table_schema *p = schema_project(a, &s);
    assert_int_equal(p->column_count, 3);
    assert_int_equal(p->key_count, 0);
    assert_str(p->columns[0].name, "d");
    assert_int_equal(p->columns[2].key_ordinal, 0);
    c[0].selected = c[3].selected = false;
    assert_null(schema_project(a, &s));
    arena_free(a);
}

static void promotion_makes_the_next_version(void **state)
{
    (void)state;
    struct table_schema s;
    struct column c[6];
    struct arena *a = arena_new(1u << 20);
    make(&s, c);
    struct table_schema *p = schema_promote_bool(a, &s, 4);
    assert_int_equal(p->version, 5);
    assert_int_equal(p->columns[4].type, TYPE_INT);
    assert_int_equal(p->columns[4].bytes, 1);
    assert_int_equal(p->columns[4].key_ordinal, 1);
    assert_false(schema_same_shape(p, &s));
    arena_free(a);
}

static void every_attribute_of_the_shape_counts(void **state)
{
    (void)state;
    static const struct str others[] = { { "a", 1 }, { "b", 1 }, { "x", 1 } };
    struct table_schema s;
    struct column c[6];
    make(&s, c);
    uint64_t hash = schema_hash(&s);
#define CHANGES(index, change)                       \
    do {                                             \
        struct table_schema other;                   \
        struct column oc[6];                         \
        make(&other, oc);                            \
        oc[index].change;                            \
        assert_false(schema_same_shape(&s, &other)); \
        assert_true(schema_hash(&other) != hash);    \
    } while (0)
    CHANGES(0, name = STR("e"));
    CHANGES(0, avro_name = STR("e"));
    CHANGES(0, type = TYPE_DATETIME);
    CHANGES(0, nullable = false);
    CHANGES(0, fraction = 3);
    CHANGES(2, length = 5);
    CHANGES(2, charset = STR("latin1"));
    CHANGES(2, collation = STR("latin1_bin"));
    CHANGES(3, labels = others);
    CHANGES(3, label_count = 2);
    CHANGES(3, key_ordinal = 0);
    CHANGES(4, precision = 1);
    CHANGES(4, scale = 1);
    CHANGES(4, bytes = 1);
    CHANGES(4, is_unsigned = true);
    struct table_schema same;
    struct column sc[6];
    make(&same, sc);
    same.version = 99;
    sc[0].source_type = STR("for people");
    assert_true(schema_same_shape(&s, &same));
    assert_true(schema_hash(&same) == hash);
}

#define C(...) ((struct column){ __VA_ARGS__ })
#define WIDENS(a, b) assert_true(column_widens(&a, &b))
#define NARROWS(a, b) assert_false(column_widens(&a, &b))

static void numbers_widen_without_loss(void **state)
{
    (void)state;
    struct column flag = C(.type = TYPE_BOOL);
    struct column tiny = C(.type = TYPE_INT, .bytes = 1);
    struct column utiny = C(.type = TYPE_INT, .bytes = 1, .is_unsigned = true);
    struct column small = C(.type = TYPE_INT, .bytes = 2);
    struct column uint = C(.type = TYPE_LONG, .is_unsigned = true);
    struct column big = C(.type = TYPE_LONG);
    struct column ubig = C(.type = TYPE_UBIGINT);
    struct column dec19 = C(.type = TYPE_DECIMAL, .precision = 19);
    struct column dec20 = C(.type = TYPE_DECIMAL, .precision = 20);
    struct column dec20_2 = C(.type = TYPE_DECIMAL, .precision = 20, .scale = 2);
    struct column dec22_2 = C(.type = TYPE_DECIMAL, .precision = 22, .scale = 2);
    struct column dec40 = C(.type = TYPE_DECIMAL, .precision = 40);
    struct column single = C(.type = TYPE_FLOAT);
    struct column dbl = C(.type = TYPE_DOUBLE);
    WIDENS(flag, flag);
    WIDENS(flag, tiny);
    NARROWS(tiny, flag);
    WIDENS(tiny, small);
    NARROWS(small, tiny);
    NARROWS(tiny, utiny);
    NARROWS(utiny, tiny);
    WIDENS(utiny, small);
    WIDENS(uint, big);
    WIDENS(uint, ubig);
    NARROWS(big, ubig);
    NARROWS(ubig, big);
    WIDENS(big, dec19);
    NARROWS(ubig, dec19);
    WIDENS(ubig, dec20);
    NARROWS(dec20, dec20_2);
    WIDENS(dec20, dec22_2);
    NARROWS(dec22_2, dec20);
    NARROWS(dec20, dec40);
    WIDENS(single, dbl);
    NARROWS(dbl, single);
    WIDENS(uint, dbl);
    NARROWS(big, dbl);
    dec19.precision = 4;
    NARROWS(small, dec19);
}

static void texts_times_and_labels_widen_without_loss(void **state)
{
    (void)state;
    struct column latin = C(.type = TYPE_TEXT, .length = 10, .charset = STR("latin1"));
    struct column longer = C(.type = TYPE_TEXT, .length = 20, .charset = STR("latin1"));
    struct column utf8 = C(.type = TYPE_TEXT, .length = 20, .charset = STR("utf8mb4"));
    struct column seconds = C(.type = TYPE_DATETIME);
    struct column micros = C(.type = TYPE_DATETIME, .fraction = 6);
    struct column date = C(.type = TYPE_DATE);
    struct column two = C(.type = TYPE_ENUM, .labels = labels, .label_count = 2);
    struct column three = C(.type = TYPE_ENUM, .labels = labels, .label_count = 3);
    struct column vec2 = C(.type = TYPE_VECTOR, .length = 2, .fixed_length = true);
    struct column vec3 = C(.type = TYPE_VECTOR, .length = 3, .fixed_length = true);
    WIDENS(latin, longer);
    NARROWS(longer, latin);
    WIDENS(latin, utf8);
    NARROWS(utf8, longer);
    WIDENS(seconds, micros);
    NARROWS(micros, seconds);
    WIDENS(date, seconds);
    NARROWS(seconds, date);
    WIDENS(two, three);
    NARROWS(three, two);
    WIDENS(vec2, vec2);
    NARROWS(vec2, vec3);
    NARROWS(date, latin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_found_by_name_and_by_key_place),
        cmocka_unit_test(a_copy_shares_nothing),
        cmocka_unit_test(a_projection_starts_with_the_key),
        cmocka_unit_test(a_projection_may_put_one_column_behind_the_key),
        cmocka_unit_test(a_key_without_one_of_its_columns_is_none),
        cmocka_unit_test(promotion_makes_the_next_version),
        cmocka_unit_test(every_attribute_of_the_shape_counts),
        cmocka_unit_test(numbers_widen_without_loss),
        cmocka_unit_test(texts_times_and_labels_widen_without_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
