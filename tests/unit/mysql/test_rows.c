/* Table maps and row images to cells. */
#include "mysql/packed.h"
#include "mysql/rows.h"
#include "support/log.h"
#include "support/test.h"

#define LIMIT ((size_t)1 << 20)
#define NAME(s)            \
    {                      \
        (s), sizeof(s) - 1 \
    }

static const struct binlog_format format = { .version = 101118,
                                             .family = CHARSET_MARIADB,
                                             .post_header = { [TABLE_MAP_EVENT] = 8 } };
static const struct type_options options = { .family = CHARSET_MARIADB,
                                             .row_limit = LIMIT };

/* One table and one event of its rows. */
struct fixture {
    struct table_map *map;
    struct rows_plan *plan;
    struct rows_reader *reader;
    struct window body;
    struct value before[16], after[16];
    struct error err;
};

static struct table_map *make_map(struct str types, struct str meta, struct str metadata,
                                  struct error *err)
{
    struct buf b;
    buf_init(&b, 65536);
    put_le(&b, 7, 6);
    put_le(&b, 1, 2);
    buf_add_str(&b, STR("\2db\0\1t\0"));
    put_le(&b, types.len, 1);
    buf_add_str(&b, types);
    put_le(&b, meta.len, 1);
    buf_add_str(&b, meta);
    for (size_t i = 0; i < (types.len + 7) / 8; i++)
        put_le(&b, 0xff, 1);
    buf_add_str(&b, metadata);
    struct table_map *m = table_map_new(buf_str(&b), &format, err);
    buf_done(&b);
    return m;
}

static void begin(struct fixture *f, uint8_t type, struct str body)
{
    struct event e = { .header.type = type };
    struct rows_head head;
    f->reader = rows_reader_new(LIMIT);
    window_over(&f->body, body);
    assert_int_equal(rows_read_head(f->reader, &e, &f->body, &format, &head, &f->err), 0);
    assert_int_equal(head.table_id, 7);
}

static int next(struct fixture *f)
{
    return rows_read_row(f->reader, f->plan, f->before, f->after, &f->err);
}

static void end(struct fixture *f)
{
    rows_reader_free(f->reader);
    rows_plan_free(f->plan);
    table_map_free(f->map);
}

static void assert_decimal(const char *hex, unsigned precision, unsigned scale,
                           const char *want)
{
    char bytes[40];
    char text[PACKED_DECIMAL_TEXT];
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned byte = 0;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        bytes[i] = (char)byte;
    }
    assert_int_equal(packed_decimal_bytes(precision, scale), n);
    assert_int_equal(packed_decimal((struct str){ bytes, n }, precision, scale, text),
                     strlen(want));
    assert_string_equal(text, want);
}

/* The first two are the example of the source, strings/decimal.cc. */
static void packed_decimals_keep_sign_and_scale(void **state)
{
    (void)state;
    char text[PACKED_DECIMAL_TEXT];
    assert_decimal("810dfb38d204d2", 14, 4, "1234567890.1234");
    assert_decimal("7ef204c72dfb2d", 14, 4, "-1234567890.1234");
    assert_decimal("8000", 3, 2, "0.00");
    assert_decimal("80", 1, 0, "0");
    assert_decimal("7ff9", 3, 3, "-0.006");
    assert_int_equal(packed_decimal(STR("\x8a"), 1, 0, text), 0); /* ten is no digit */
}

static void times_of_before_5_6_are_decimal_digits(void **state)
{
    (void)state;
    struct temporal_fields f = { 0 };
    struct value v = { 0 };
    struct buf b;
    buf_init(&b, 64);
    put_le(&b, UINT64_C(20260228235958), 8);
    assert_true(packed_temporal(MYSQL_TYPE_DATETIME, 0, buf_str(&b), &f, &v));
    assert_int_equal(f.year, 2026);
    assert_int_equal(f.month, 2);
    assert_int_equal(f.second, 58);
    buf_clear(&b);
    put_le(&b, (uint64_t)-8385959, 3);
    assert_true(packed_temporal(MYSQL_TYPE_TIME, 0, buf_str(&b), &f, &v));
    assert_true(v.as.i == -INT64_C(3020399000000));
    buf_clear(&b);
    put_le(&b, UINT32_MAX, 4);
    assert_true(packed_temporal(MYSQL_TYPE_TIMESTAMP, 0, buf_str(&b), &f, &v));
    assert_int_equal(f.year, 2106);
    buf_clear(&b);
    put_le(&b, 0, 4);
    assert_true(packed_temporal(MYSQL_TYPE_TIMESTAMP, 0, buf_str(&b), &f, &v));
    assert_int_equal(f.year, 0);
    buf_done(&b);
}

static void an_absent_column_is_not_null(void **state)
{
    (void)state;
    struct fixture f = { 0 };
    f.map = make_map(STR("\3\3\3"), STR(""), STR("\1\1\x40"), &f.err);
    assert_non_null(f.map);
    f.plan = rows_plan_new(f.map, NULL, &options, &f.err);
    assert_non_null(f.plan);
    /* before: the first column; after: the second and third, the third NULL */
    begin(&f, UPDATE_ROWS_EVENT_V1,
          STR("\7\0\0\0\0\0\1\0\3\1\6"
              "\0\xff\xff\xff\xff\2\xff\xff\xff\xff"));
    assert_int_equal(next(&f), 1);
    assert_int_equal(f.before[0].as.i, -1);
    assert_int_equal(f.before[1].kind, VALUE_ABSENT);
    assert_int_equal(f.after[0].kind, VALUE_ABSENT);
    assert_int_equal(f.after[1].kind, VALUE_INT);
    assert_true(f.after[1].as.i == UINT32_MAX); /* the map says unsigned */
    assert_int_equal(f.after[2].kind, VALUE_NULL);
    assert_int_equal(next(&f), 0);
    end(&f);
}

/* Bytes of rows in logs of MariaDB 10.11 and 11.8. */
static void mariadbs_own_types_take_the_shapes_word(void **state)
{
    (void)state;
    static const struct column columns[] = {
        { .name = NAME("u"), .type = TYPE_UUID, .selected = true },
        { .name = NAME("i6"), .type = TYPE_INET6, .selected = true },
        { .name = NAME("i4"), .type = TYPE_INET4, .selected = true },
        { .name = NAME("b"), .type = TYPE_BYTES, .length = 4, .selected = true },
        { .name = NAME("c"),
          .type = TYPE_TEXT,
          .charset = NAME("latin1"),
          .selected = true },
    };
    static const struct table_schema shape = { .name = NAME("t"),
                                               .column_count = 5,
                                               .columns = columns };
    struct fixture f = { 0 };
    f.map = make_map(STR("\xfe\xfe\xfe\xfe\x8d"),
                     STR("\xfe\x10\xfe\x10\xfe\4\xfe\4\xff\0"), STR(""), &f.err);
    assert_non_null(f.map);
    f.plan = rows_plan_new(f.map, &shape, &options, &f.err);
    assert_non_null(f.plan);
    begin(&f, WRITE_ROWS_EVENT_V1,
          STR("\7\0\0\0\0\0\1\0\5\x1f\0"
              "\x10\x42\x66\x14\x17\x40\x00\xa4\x56\x12\xd3\xe8\x9b\x12\x3e\x45\x67"
              "\4\x20\1\x0d\xb8"
              "\4\x0a\0\0\1"
              "\2\1\2"
              "\2\0\xe9"));
    assert_int_equal(next(&f), 1);
    assert_str(value_str(&f.after[0]), "123e4567-e89b-12d3-a456-426614174000");
    assert_str(value_str(&f.after[1]), "2001:db8::");
    assert_str(value_str(&f.after[2]), "10.0.0.1");
    assert_str(value_str(&f.after[3]), "\1\2\0\0");
    assert_str(value_str(&f.after[4]), "é");
    end(&f);
}

static void a_shape_that_the_map_contradicts_is_refused(void **state)
{
    (void)state;
    struct column c = {
        .name = NAME("a"), .type = TYPE_INT, .bytes = 4, .selected = true
    };
    struct table_schema shape = { .name = NAME("t"), .column_count = 1, .columns = &c };
    struct error err = { 0 };
    struct table_map *m = make_map(STR("\3"), STR(""), STR("\1\1\x80\4\2\1a"), &err);
    assert_non_null(m);
    assert_null(rows_plan_new(m, &shape, &options, &err)); /* unsigned in the log */
    assert_int_equal(err.code, ERR_SCHEMA);
    c.type = TYPE_LONG;
    c.is_unsigned = true;
    struct rows_plan *p = rows_plan_new(m, &shape, &options, &err);
    assert_non_null(p);
    rows_plan_free(p);
    c.name = STR("b"); /* names decide, where the map has them */
    assert_null(rows_plan_new(m, &shape, &options, &err));
    shape.column_count = 0;
    p = rows_plan_new(m, &shape, &options, &err);
    assert_non_null(p);
    rows_plan_free(p);
    table_map_free(m);
    m = make_map(STR("\xf"), STR("\x40\0"), STR("\2\1\x08"), &err);
    assert_non_null(m);
    c = (struct column){
        .name = NAME("a"), .type = TYPE_TEXT, .charset = NAME("utf8mb4"), .selected = true
    };
    shape.column_count = 1;
    assert_null(rows_plan_new(m, &shape, &options, &err)); /* latin1 in the log */
    table_map_free(m);
}

/* Both would be decoded into one cell. */
static void a_column_that_comes_twice_is_refused(void **state)
{
    (void)state;
    struct column columns[] = {
        { .name = NAME("a"), .type = TYPE_INT, .bytes = 4, .selected = true },
        { .name = NAME("b"), .type = TYPE_INT, .bytes = 4, .selected = true },
    };
    struct table_schema shape = { .name = NAME("t"),
                                  .column_count = 2,
                                  .columns = columns };
    struct error err = { 0 };
    struct table_map *m = make_map(STR("\3\3"), STR(""), STR("\4\4\1a\1a"), &err);
    assert_non_null(m);
    assert_null(rows_plan_new(m, &shape, &options, &err));
    assert_int_equal(err.code, ERR_PROTOCOL);
    table_map_free(m);
}

static void metadata_tells_names_charsets_labels_and_key(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct table_map *m = make_map(STR("\xd\3\xf\xfe"), STR("\x40\0\xf7\1"),
                                   STR("\1\1\x80"
                                       "\2\1\x2d"
                                       "\4\x08\1y\1i\1v\1e"
                                       "\6\5\2\1a\1b"
                                       "\x08\1\2"
                                       "\x0a\1\x08"
                                       "\x0c\1\x70"
                                       "\x63\1?"),
                                   &err);
    assert_non_null(m);
    assert_true(m->columns[0].is_unsigned); /* YEAR has a bit of its own */
    assert_false(m->columns[1].is_unsigned);
    assert_str(m->columns[3].name, "e");
    assert_int_equal(m->columns[2].collation, 45);
    assert_int_equal(m->columns[3].collation, 8);
    assert_int_equal(m->columns[3].label_count, 2);
    assert_str(m->columns[3].labels[1], "b");
    assert_int_equal(m->columns[2].key_ordinal, 1);
    assert_int_equal(m->columns[0].visibility, MAP_INVISIBLE);
    assert_true(m->unknown_metadata);
    for (size_t n = 0; n < m->body.len - 3; n++) {
        struct table_map *cut =
            table_map_new((struct str){ m->body.ptr, n }, &format, &err);
        table_map_free(cut); /* whole without some metadata, or refused; never beyond */
    }
    table_map_free(m);
}

static void a_row_that_is_cut_off_is_damage(void **state)
{
    (void)state;
    struct fixture f = { 0 };
    f.map = make_map(STR("\3"), STR(""), STR(""), &f.err);
    assert_non_null(f.map);
    f.plan = rows_plan_new(f.map, NULL, &options, &f.err);
    begin(&f, DELETE_ROWS_EVENT_V1, STR("\7\0\0\0\0\0\1\0\1\1\0\1\0\0\0\0\1\0"));
    assert_int_equal(next(&f), 1);
    assert_int_equal(next(&f), -1);
    assert_int_equal(f.err.code, ERR_PROTOCOL);
    end(&f);
}

/* Values as a MariaDB 10.11 stores them with mysql56_temporal_format=OFF: the map does
 * not tell their fractions. */
static void old_times_have_the_fraction_of_the_shape(void **state)
{
    (void)state;
    struct column columns[] = {
        { .name = NAME("t"), .type = TYPE_TIME, .fraction = 2, .selected = true },
        { .name = NAME("d"), .type = TYPE_DATETIME, .fraction = 3 },
        { .name = NAME("s"), .type = TYPE_TIMESTAMP, .fraction = 6, .selected = true },
    };
    struct table_schema shape = { .name = NAME("t"),
                                  .column_count = 3,
                                  .columns = columns };
    struct str body = STR("\7\0\0\0\0\0\1\0\3\7\0"
                          "\x11\xbb\xa5\xb2"
                          "\x00\x42\x2a\x83\xbc\xc3\x2e"
                          "\x65\x93\x7d\x25\x0a\x5c\x00");
    struct fixture f = { 0 };
    f.map = make_map(STR("\xb\xc\7"), STR(""), STR(""), &f.err);
    f.plan = rows_plan_new(f.map, &shape, &options, &f.err);
    assert_non_null(f.plan);
    begin(&f, WRITE_ROWS_EVENT_V1, body);
    assert_int_equal(next(&f), 1);
    assert_true(f.after[0].as.i == -INT64_C(45296780000));
    assert_int_equal(f.after[1].kind, VALUE_ABSENT); /* measured, though not read */
    assert_true(f.after[2].as.i == INT64_C(1704164645678912));
    rows_reader_free(f.reader);
    rows_plan_free(f.plan);
    f.plan = rows_plan_new(f.map, NULL, &options, &f.err);
    begin(&f, WRITE_ROWS_EVENT_V1, body);
    while (next(&f) > 0)
        ;
    assert_int_equal(f.err.code, ERR_PROTOCOL); /* the map alone cannot measure them */
    assert_non_null(strstr(f.err.text, "MariaDB's form before 10.1"));
    end(&f);
    struct error err = { 0 };
    f.map = make_map(STR("\3\xb"), STR(""), STR("\4\4\1a\1t"), &err);
    assert_non_null(f.map);
    columns[0] = (struct column){
        .name = NAME("a"), .type = TYPE_INT, .bytes = 4, .selected = true
    };
    shape.column_count = 1;
    assert_null(rows_plan_new(f.map, &shape, &options, &err)); /* 't' is left out */
    assert_int_equal(err.code, ERR_SCHEMA);
    table_map_free(f.map);
}

/* As the servers log them: the catalog's columns, row_start, row_end, the hashes. */
static void hidden_columns_are_no_cells_and_tell_the_past(void **state)
{
    (void)state;
    static const struct column column = {
        .name = NAME("a"), .type = TYPE_INT, .bytes = 4, .selected = true
    };
    struct table_schema shape = { .name = NAME("t"),
                                  .column_count = 1,
                                  .columns = &column };
    struct fixture f = { 0 };
    f.map = make_map(STR("\3\x11\x11\x8"), STR("\6\6"), STR(""), &f.err);
    assert_null(rows_plan_new(f.map, &shape, &options, &f.err));
    assert_int_equal(f.err.code, ERR_SCHEMA);
    shape.hidden_versions = true;
    assert_null(rows_plan_new(f.map, &shape, &options, &f.err));
    shape.hidden_hashes = 1;
    f.plan = rows_plan_new(f.map, &shape, &options, &f.err);
    assert_non_null(f.plan);
    begin(&f, UPDATE_ROWS_EVENT_V1,
          STR("\7\0\0\0\0\0\1\0\4\x0f\x0f"
              "\0\1\0\0\0\x60\0\0\0\0\0\0\x7f\xff\xff\xff\x0f\x42\x3f\1\2\3\4\5\6\7\x8"
              "\0\1\0\0\0\x60\0\0\0\0\0\0\x60\0\0\1\x0f\x42\x3f\1\2\3\4\5\6\7\x8"
              "\0\2\0\0\0\x60\0\0\0\0\0\0\x60\0\0\0\0\0\0\1\2\3\4\5\6\7\x8"
              "\0\2\0\0\0\x60\0\0\0\0\0\0\xff\xff\xff\xff\x0f\x42\x3f\1\2\3\4\5\6\7\x8"));
    assert_int_equal(next(&f), 1);
    assert_int_equal(f.after[0].as.i, 1);
    assert_false(rows_is_past(f.plan, false));
    assert_true(rows_is_past(f.plan, true));
    assert_int_equal(next(&f), 1);
    assert_int_equal(f.before[0].as.i, 2);
    assert_true(rows_is_past(f.plan, false));
    assert_false(rows_is_past(f.plan, true));
    assert_int_equal(next(&f), 0);
    end(&f);
}

/* The catalog says 'x', '?' of what is 'x', U+1F600. */
static void a_label_that_the_catalog_cannot_show_is_the_maps_or_unknown(void **state)
{
    (void)state;
    static const struct str labels[] = { { "x", 1 }, { "?", 1 } };
    static const struct column columns[] = {
        { .name = NAME("e"),
          .type = TYPE_ENUM,
          .charset = NAME("utf8mb4"),
          .labels = labels,
          .label_count = 2,
          .selected = true },
        { .name = NAME("s"),
          .type = TYPE_SET,
          .charset = NAME("utf8mb4"),
          .labels = labels,
          .label_count = 2,
          .selected = true },
        { .name = NAME("l"),
          .type = TYPE_ENUM,
          .charset = NAME("latin1"),
          .labels = labels,
          .label_count = 2,
          .selected = true },
    };
    static const struct table_schema shape = { .name = NAME("t"),
                                               .column_count = 3,
                                               .columns = columns };
    static const char told[] = "\5\x8\2\1x\4\xf0\x9f\x98\x80"
                               "\6\xd\2\1x\4\xf0\x9f\x98\x80\2\1x\1?"
                               "\xa\3\x2d\2\x8";
    for (unsigned known = 0; known < 2; known++) {
        struct fixture f = { 0 };
        f.map = make_map(STR("\xfe\xfe\xfe"), STR("\xf7\1\xf8\1\xf7\1"),
                         known ? (struct str){ told, sizeof told - 1 } : STR(""), &f.err);
        assert_non_null(f.map);
        f.plan = rows_plan_new(f.map, &shape, &options, &f.err);
        assert_non_null(f.plan);
        begin(&f, WRITE_ROWS_EVENT_V1, STR("\7\0\0\0\0\0\1\0\3\7\0\2\3\2\0\1\1\2"));
        assert_int_equal(next(&f), 1);
        if (known) {
            assert_str(value_str(&f.after[0]), "😀");
            assert_str(value_str(&f.after[1]), "x,😀");
        } else {
            assert_int_equal(f.after[0].kind, VALUE_INVALID);
            assert_int_equal(f.after[1].kind, VALUE_INVALID);
        }
        assert_str(value_str(&f.after[2]), "?");
        assert_int_equal(next(&f), 1);
        assert_str(value_str(&f.after[0]), "x");
        assert_str(value_str(&f.after[1]), "x");
        end(&f);
    }
}

/* The row behind it is read on. */
static void damaged_json_is_a_value_without_meaning(void **state)
{
    (void)state;
    struct fixture f = { 0 };
    f.map = make_map(STR("\3\xf5"), STR("\4"), STR(""), &f.err);
    assert_non_null(f.map);
    f.plan = rows_plan_new(f.map, NULL, &options, &f.err);
    assert_non_null(f.plan);
    begin(&f, WRITE_ROWS_EVENT_V1,
          STR("\7\0\0\0\0\0\1\0\2\3"
              "\0\1\0\0\0\3\0\0\0\x0c\x09y"
              "\0\2\0\0\0\2\0\0\0\4\1"));
    assert_int_equal(next(&f), 1);
    assert_int_equal(f.after[1].kind, VALUE_INVALID);
    assert_str(value_str(&f.after[1]), "\x0c\ty");
    assert_int_equal(next(&f), 1);
    assert_int_equal(f.after[0].as.i, 2);
    assert_str(value_str(&f.after[1]), "true");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_decimals_keep_sign_and_scale),
        cmocka_unit_test(times_of_before_5_6_are_decimal_digits),
        cmocka_unit_test(an_absent_column_is_not_null),
        cmocka_unit_test(mariadbs_own_types_take_the_shapes_word),
        cmocka_unit_test(a_shape_that_the_map_contradicts_is_refused),
        cmocka_unit_test(a_column_that_comes_twice_is_refused),
        cmocka_unit_test(metadata_tells_names_charsets_labels_and_key),
        cmocka_unit_test(a_row_that_is_cut_off_is_damage),
        cmocka_unit_test(old_times_have_the_fraction_of_the_shape),
        cmocka_unit_test(hidden_columns_are_no_cells_and_tell_the_past),
        cmocka_unit_test(a_label_that_the_catalog_cannot_show_is_the_maps_or_unknown),
        cmocka_unit_test(damaged_json_is_a_value_without_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
