/* Bytes of binary rows to cells: every kind, every damage. */
#include "mysql/type.h"
#include "support/test.h"
#include "support/wire.h"

#define NAME(s)            \
    {                      \
        (s), sizeof(s) - 1 \
    }
#define LATIN1 8
#define UTF8MB4 46
#define BINARY 63
#define ROW_LIMIT 100000

struct one {
    struct result_column wire;
    struct column column;
};

static const struct type_options reject = { .family = CHARSET_MYSQL,
                                            .bad_text = CHARSET_REJECT,
                                            .row_limit = ROW_LIMIT };

/* Decode `value` (its bytes in a row) as the only column; -1 with err on failure. */
static int decode_one(const struct one *o, const struct type_options *options,
                      struct str value, struct type_plan **plan, struct value *cell,
                      struct error *err)
{
    static char bytes[1000]; /* the cell borrows from it */
    struct table_schema shape = { .column_count = 1, .columns = &o->column };
    *plan = type_plan_new(&o->wire, 1, &shape, options, err);
    assert_non_null(*plan);
    bytes[0] = 0;
    bytes[1] = 0;
    memcpy(bytes + 2, value.ptr, value.len);
    struct packet row = { .head = { bytes, value.len + 2 }, .size = value.len + 2 };
    return type_decode_row(*plan, &row, cell, err);
}

static void assert_number(const struct one *o, struct str value, enum value_kind kind,
                          uint64_t want)
{
    struct type_plan *plan;
    struct value cell;
    struct error err = { 0 };
    assert_int_equal(decode_one(o, &reject, value, &plan, &cell, &err), 0);
    assert_int_equal(cell.kind, kind);
    assert_int_equal(cell.as.u, want);
    type_plan_free(plan);
    /* One byte less and one byte more are both damage. */
    struct error damage = { 0 };
    assert_int_equal(decode_one(o, &reject, (struct str){ value.ptr, value.len - 1 },
                                &plan, &cell, &damage),
                     -1);
    assert_int_equal(damage.code, ERR_PROTOCOL);
    type_plan_free(plan);
    assert_int_equal(decode_one(o, &reject, (struct str){ value.ptr, value.len + 1 },
                                &plan, &cell, &damage),
                     -1);
    type_plan_free(plan);
}

static void assert_bytes(const struct one *o, struct str value, enum value_kind kind,
                         struct str want)
{
    struct type_plan *plan;
    struct value cell;
    struct error err = { 0 };
    assert_int_equal(decode_one(o, &reject, value, &plan, &cell, &err), 0);
    assert_int_equal(cell.kind, kind);
    assert_true(str_eq(value_str(&cell), want));
    type_plan_free(plan);
}

static void integers_keep_width_and_sign(void **state)
{
    (void)state;
    struct one o = { .wire = { .type = MYSQL_TYPE_TINY },
                     .column = { .type = TYPE_INT, .bytes = 1 } };
    assert_number(&o, STR("\x80"), VALUE_INT, (uint64_t)-128);
    o.column.is_unsigned = true;
    o.wire.flags = WIRE_UNSIGNED;
    assert_number(&o, STR("\x80"), VALUE_INT, 128);
    o = (struct one){ .wire = { .type = MYSQL_TYPE_INT24 },
                      .column = { .type = TYPE_INT, .bytes = 3 } };
    assert_number(&o, STR("\x00\x00\x80\xff"), VALUE_INT, (uint64_t)-8388608);
    o = (struct one){ .wire = { .type = MYSQL_TYPE_LONG, .flags = WIRE_UNSIGNED },
                      .column = { .type = TYPE_LONG, .is_unsigned = true } };
    assert_number(&o, STR("\xff\xff\xff\xff"), VALUE_INT, 4294967295u);
    o = (struct one){ .wire = { .type = MYSQL_TYPE_LONGLONG },
                      .column = { .type = TYPE_LONG } };
    assert_number(&o, STR("\0\0\0\0\0\0\0\x80"), VALUE_INT, (uint64_t)INT64_MIN);
    o = (struct one){ .wire = { .type = MYSQL_TYPE_LONGLONG, .flags = WIRE_UNSIGNED },
                      .column = { .type = TYPE_UBIGINT, .is_unsigned = true } };
    assert_number(&o, STR("\xff\xff\xff\xff\xff\xff\xff\xff"), VALUE_UINT, UINT64_MAX);
    o = (struct one){ .wire = { .type = MYSQL_TYPE_YEAR },
                      .column = { .type = TYPE_YEAR } };
    assert_number(&o, STR("\x6b\x08"), VALUE_INT, 2155);
    o = (struct one){ .wire = { .type = MYSQL_TYPE_BIT },
                      .column = { .type = TYPE_BIT64 } };
    assert_number(&o, STR("\x08\xff\0\0\0\0\0\0\1"), VALUE_UINT, 0xff00000000000001u);
    o.column.type = TYPE_BOOL;
    assert_number(&o, STR("\1\1"), VALUE_INT, 1);
    o.wire.type = MYSQL_TYPE_TINY;
    assert_number(&o, STR("\xfb"), VALUE_INT, (uint64_t)-5);
}

static void floats_keep_their_bits(void **state)
{
    (void)state;
    struct one o = { .wire = { .type = MYSQL_TYPE_DOUBLE },
                     .column = { .type = TYPE_DOUBLE } };
    assert_number(&o, STR("\1\0\0\0\0\0\0\x80"), VALUE_DOUBLE, 0x8000000000000001u);
    o = (struct one){ .wire = { .type = MYSQL_TYPE_FLOAT },
                      .column = { .type = TYPE_FLOAT } };
    struct type_plan *plan;
    struct value cell;
    struct error err = { 0 };
    assert_int_equal(decode_one(&o, &reject, STR("\xcd\xcc\xcc\x3d"), &plan, &cell, &err),
                     0);
    assert_true(cell.kind == VALUE_FLOAT && cell.as.f == 0.1f);
    struct buf part;
    buf_init(&part, 100);
    type_key_part(plan, 0, &part);
    assert_string_equal(buf_text(&part), "1.00000001490116119e-01");
    buf_done(&part);
    type_plan_free(plan);
}

static void dates_of_every_length_and_badness(void **state)
{
    (void)state;
    struct one o = { .wire = { .type = MYSQL_TYPE_DATETIME, .decimals = 6 },
                     .column = { .type = TYPE_DATETIME, .fraction = 6 } };
    assert_number(&o, STR("\4\xb2\7\1\2"), VALUE_DATETIME, INT64_C(86400000000));
    assert_number(&o, STR("\7\xb2\7\1\1\0\0\1"), VALUE_DATETIME, 1000000);
    assert_number(&o, STR("\13\xb2\7\1\1\0\0\0\1\0\0\0"), VALUE_DATETIME, 1);
    assert_bytes(&o, STR("\0"), VALUE_BAD_DATE, STR("0000-00-00 00:00:00.000000"));
    assert_bytes(&o, STR("\7\xea\7\2\0\1\2\3"), VALUE_BAD_DATE,
                 STR("2026-02-00 01:02:03.000000"));
    o.wire.decimals = o.column.fraction = 0;
    assert_bytes(&o, STR("\4\xea\7\2\x1e"), VALUE_BAD_DATE, STR("2026-02-30 00:00:00"));
    o = (struct one){ .wire = { .type = MYSQL_TYPE_TIMESTAMP },
                      .column = { .type = TYPE_TIMESTAMP } };
    assert_number(&o, STR("\7\xb2\7\1\1\0\0\1"), VALUE_TIMESTAMP, 1000000);
    assert_bytes(&o, STR("\0"), VALUE_BAD_DATE, STR("0000-00-00 00:00:00"));
    o = (struct one){ .wire = { .type = MYSQL_TYPE_DATE },
                      .column = { .type = TYPE_DATE } };
    assert_number(&o, STR("\4\xb1\7\14\x1f"), VALUE_DATE, (uint64_t)-1);
    assert_bytes(&o, STR("\0"), VALUE_BAD_DATE, STR("0000-00-00"));
    static const struct str damaged[] = { NAME("\3\1\1\1"),          NAME("\5\1\1\1\1\1"),
                                          NAME("\4\1\1\15\1"),       NAME("\4\1\1\1\40"),
                                          NAME("\7\1\1\1\1\30\0\0"), NAME("\xff") };
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        struct type_plan *plan;
        struct value cell;
        struct error err = { 0 };
        assert_int_equal(decode_one(&o, &reject, damaged[i], &plan, &cell, &err), -1);
        assert_int_equal(err.code, ERR_PROTOCOL);
        type_plan_free(plan);
    }
}

static void times_have_sign_days_and_limits(void **state)
{
    (void)state;
    struct one o = { .wire = { .type = MYSQL_TYPE_TIME },
                     .column = { .type = TYPE_TIME } };
    assert_number(&o, STR("\10\1\42\0\0\0\26\73\73"), VALUE_TIME,
                  (uint64_t)-INT64_C(3020399000000));
    assert_number(&o, STR("\14\0\0\0\0\0\0\0\0\1\0\0\0"), VALUE_TIME, 1);
    struct type_plan *plan;
    struct value cell;
    struct error err = { 0 };
    assert_int_equal(decode_one(&o, &reject, STR("\0"), &plan, &cell, &err), 0);
    assert_true(cell.kind == VALUE_TIME && cell.as.i == 0);
    type_plan_free(plan);
    assert_int_equal(
        decode_one(&o, &reject, STR("\10\0\43\0\0\0\0\0\0"), &plan, &cell, &err), -1);
    type_plan_free(plan);
}

static void text_becomes_utf8_or_says_that_it_is_none(void **state)
{
    (void)state;
    struct one o = { .wire = { .type = MYSQL_TYPE_VAR_STRING, .collation = LATIN1 },
                     .column = { .type = TYPE_TEXT, .charset = NAME("latin1") } };
    assert_bytes(&o, STR("\3a\xe4z"), VALUE_TEXT, STR("a\xc3\xa4z"));
    assert_bytes(&o, STR("\0"), VALUE_TEXT, STR(""));
    o = (struct one){ .wire = { .type = MYSQL_TYPE_BLOB, .collation = UTF8MB4 },
                      .column = { .type = TYPE_TEXT, .charset = NAME("utf8mb4") } };
    assert_bytes(&o, STR("\2\xc3\xa4"), VALUE_TEXT, STR("\xc3\xa4"));
    assert_bytes(&o, STR("\2\xc3z"), VALUE_INVALID, STR("\xc3z"));
    struct type_options replace = reject;
    replace.bad_text = CHARSET_REPLACE;
    struct type_plan *plan;
    struct value cell;
    struct error err = { 0 };
    assert_int_equal(decode_one(&o, &replace, STR("\2\xc3z"), &plan, &cell, &err), 0);
    assert_true(cell.kind == VALUE_TEXT &&
                str_eq(value_str(&cell), STR("\xef\xbf\xbdz")));
    assert_int_equal(type_plan_replaced(plan), 1);
    struct buf part;
    buf_init(&part, 100);
    type_key_part(plan, 0, &part);
    assert_str(buf_str(&part), "\xc3z"); /* keys are what is stored */
    buf_done(&part);
    type_plan_free(plan);
}

static void geometry_becomes_ewkb(void **state)
{
    (void)state;
    struct one o = { .wire = { .type = MYSQL_TYPE_GEOMETRY, .collation = BINARY },
                     .column = { .type = TYPE_GEOMETRY } };
    assert_bytes(&o, STR("\14\0\0\0\0\1\1\0\0\0xyz"), VALUE_BYTES, STR("\1\1\0\0\0xyz"));
    assert_bytes(&o, STR("\14\xe6\x10\0\0\1\1\0\0\0xyz"), VALUE_BYTES,
                 STR("\1\1\0\0\x20\xe6\x10\0\0xyz"));
    assert_bytes(&o, STR("\3abc"), VALUE_INVALID, STR("abc"));
    assert_bytes(&o, STR("\11\0\0\0\0\0\1\0\0\0"), VALUE_INVALID,
                 STR("\0\0\0\0\0\1\0\0\0"));
}

/* Twelve columns: the bitmap takes two bytes, and made texts outgrow the scratch more
 * than once while earlier cells wait for their pointers. */
static void many_made_texts_and_nulls_in_one_row(void **state)
{
    (void)state;
    enum { N = 12, TEXT_BYTES = 3000 };
    static char names[N][4];
    struct result_column wire[N];
    struct column columns[N];
    struct value cells[N];
    struct error err = { 0 };
    struct wire_script w;
    wire_init(&w);
    for (unsigned i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "c%u", i);
        wire[i] = (struct result_column){ .name = str_of(names[i]),
                                          .type = MYSQL_TYPE_BLOB,
                                          .collation = LATIN1 };
        columns[i] = (struct column){ .name = str_of(names[i]), .type = TYPE_TEXT };
    }
    struct table_schema shape = { .column_count = N, .columns = columns };
    struct type_plan *plan = type_plan_new(wire, N, &shape, &reject, &err);
    assert_non_null(plan);
    static char text[TEXT_BYTES];
    wire_le(&w, 0, 1);
    wire_le(&w, 1u << (5 + 2) | 1u << (11 + 2), 2); /* columns 5 and 11 are NULL */
    for (unsigned i = 0; i < N; i++) {
        memset(text, (int)(0xe0 + i), sizeof text);
        if (i != 5 && i != 11)
            wire_text(&w, (struct str){ text, sizeof text });
    }
    struct packet row = { .head = buf_str(&w.body), .size = w.body.len };
    assert_int_equal(type_decode_row(plan, &row, cells, &err), 0);
    for (unsigned i = 0; i < N; i++) {
        if (i == 5 || i == 11) {
            assert_int_equal(cells[i].kind, VALUE_NULL);
            continue;
        }
        assert_int_equal(cells[i].len, 2 * TEXT_BYTES);
        for (unsigned k = 0; k < TEXT_BYTES; k++) {
            assert_int_equal((uint8_t)cells[i].as.bytes[2 * k], 0xc3);
            assert_int_equal((uint8_t)cells[i].as.bytes[2 * k + 1], 0xa0 + i);
        }
    }
    /* Cut at every place: whole columns in front of the cut, ABSENT behind it, never an
     * error; and without the mark always one. */
    for (size_t n = 0; n < w.body.len; n += n < 10 ? 1 : 997) {
        row = (struct packet){ .head = { w.body.data, n },
                               .size = w.body.len,
                               .cut = true };
        assert_int_equal(type_decode_row(plan, &row, cells, &err), 0);
        bool absent = false;
        for (unsigned i = 0; i < N; i++) {
            absent = absent || cells[i].kind == VALUE_ABSENT;
            assert_true(!absent || cells[i].kind == VALUE_ABSENT);
            assert_true(absent || i == 5 || i == 11 || cells[i].len == 2 * TEXT_BYTES);
        }
        assert_true(absent);
        row.cut = false;
        assert_int_equal(type_decode_row(plan, &row, cells, &err), -1);
        assert_int_equal(err.code, ERR_PROTOCOL);
    }
    type_plan_free(plan);
    wire_done(&w);
}

static void a_table_that_changed_is_named_and_not_decoded(void **state)
{
    (void)state;
    struct column c[2] = {
        { .name = NAME("id"), .type = TYPE_LONG, .source_type = NAME("bigint") },
        { .name = NAME("note"),
          .type = TYPE_TEXT,
          .charset = NAME("latin1"),
          .source_type = NAME("text") }
    };
    struct result_column good[2] = {
        { .name = NAME("id"), .type = MYSQL_TYPE_LONGLONG, .collation = BINARY },
        { .name = NAME("note"), .type = MYSQL_TYPE_BLOB, .collation = LATIN1 }
    };
    struct table_schema shape = { .column_count = 2, .columns = c };
    static const struct {
        unsigned column;
        struct result_column wire;
        const char *text;
    } bad[] = {
        { 0,
          { .name = NAME("ID"), .type = MYSQL_TYPE_LONGLONG },
          "'ID' came where 'id'" },
        { 0,
          { .name = NAME("id"), .type = MYSQL_TYPE_LONG },
          "'id' is no longer bigint" },
        { 0,
          { .name = NAME("id"), .type = MYSQL_TYPE_LONGLONG, .flags = WIRE_UNSIGNED },
          "'id' is no longer bigint" },
        { 1,
          { .name = NAME("note"), .type = MYSQL_TYPE_BLOB, .collation = UTF8MB4 },
          "'note' has charset 'utf8mb4', not 'latin1'" },
        { 1,
          { .name = NAME("note"), .type = MYSQL_TYPE_BLOB, .collation = BINARY },
          "'note' is no longer text" },
        { 1,
          { .name = NAME("note"),
            .type = MYSQL_TYPE_STRING,
            .collation = LATIN1,
            .flags = WIRE_ENUM },
          "'note' is no longer text" },
        { 1,
          { .name = NAME("note"), .type = MYSQL_TYPE_BLOB, .collation = 60000 },
          "unknown collation" },
    };
    struct error err = { 0 };
    struct type_plan *plan = type_plan_new(good, 2, &shape, &reject, &err);
    assert_non_null(plan);
    type_plan_free(plan);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct result_column wire[2] = { good[0], good[1] };
        wire[bad[i].column] = bad[i].wire;
        err = (struct error){ 0 };
        assert_null(type_plan_new(wire, 2, &shape, &reject, &err));
        assert_int_equal(err.code, ERR_SCHEMA);
        assert_non_null(strstr(err.text, bad[i].text));
        assert_non_null(err.hint);
    }
    assert_null(type_plan_new(good, 1, &shape, &reject, &err));
    assert_non_null(strstr(err.text, "'note' is missing"));
    shape.column_count = 1;
    assert_null(type_plan_new(good, 2, &shape, &reject, &err));
    assert_int_equal(err.code, ERR_SCHEMA);
}

static void a_sign_or_width_that_changed_is_another_shape(void **state)
{
    (void)state;
    struct column c = { .name = NAME("n"), .type = TYPE_INT, .bytes = 2 };
    struct result_column wire = { .name = NAME("n"), .type = MYSQL_TYPE_SHORT };
    struct table_schema shape = { .column_count = 1, .columns = &c };
    struct error err = { 0 };
    struct type_plan *plan = type_plan_new(&wire, 1, &shape, &reject, &err);
    assert_non_null(plan);
    type_plan_free(plan);
    wire.flags = WIRE_UNSIGNED;
    assert_null(type_plan_new(&wire, 1, &shape, &reject, &err));
    wire = (struct result_column){ .name = NAME("n"), .type = MYSQL_TYPE_INT24 };
    assert_null(type_plan_new(&wire, 1, &shape, &reject, &err));
    c = (struct column){ .name = NAME("n"), .type = TYPE_DECIMAL, .scale = 2 };
    wire.type = MYSQL_TYPE_NEWDECIMAL;
    wire.decimals = 3;
    assert_null(type_plan_new(&wire, 1, &shape, &reject, &err));
    c = (struct column){ .name = NAME("n"), .type = TYPE_DATETIME, .fraction = 3 };
    wire = (struct result_column){ .name = NAME("n"), .type = MYSQL_TYPE_DATETIME };
    assert_null(type_plan_new(&wire, 1, &shape, &reject, &err));
}

static void companions_are_not_read(void **state)
{
    (void)state;
    struct column c[3] = { { .name = NAME("d"), .type = TYPE_DATE },
                           { .name = NAME("d__text"), .type = TYPE_TEXT, .companion = 1 },
                           { .name = NAME("n"), .type = TYPE_LONG } };
    struct result_column wire[2] = { { .name = NAME("d"), .type = MYSQL_TYPE_DATE },
                                     { .name = NAME("n"), .type = MYSQL_TYPE_LONGLONG } };
    struct table_schema shape = { .column_count = 3, .columns = c };
    struct error err = { 0 };
    struct value cells[3];
    struct type_plan *plan = type_plan_new(wire, 2, &shape, &reject, &err);
    assert_non_null(plan);
    struct str bytes = STR("\0\0\0\7\0\0\0\0\0\0\0");
    struct packet row = { .head = bytes, .size = bytes.len };
    assert_int_equal(type_decode_row(plan, &row, cells, &err), 0);
    assert_int_equal(cells[0].kind, VALUE_BAD_DATE);
    assert_int_equal(cells[1].kind, VALUE_ABSENT);
    assert_int_equal(cells[2].as.i, 7);
    type_plan_free(plan);
}

static void key_parts_become_literals(void **state)
{
    (void)state;
    struct buf sql;
    buf_init(&sql, 1000);
    struct column text = { .type = TYPE_TEXT,
                           .charset = NAME("latin1"),
                           .collation = NAME("latin1_bin") };
    struct column number = { .type = TYPE_LONG };
    struct column date = { .type = TYPE_DATE };
    struct column bytes = { .type = TYPE_BYTES };
    type_quote_part(&text, STR("\xe4"), &sql);
    type_quote_part(&number, STR("-5"), &sql);
    type_quote_part(&date, STR("2026-01-01"), &sql);
    type_quote_part(&bytes, STR("\0"), &sql);
    type_quote_part(&number, STR("1 OR 1"), &sql);
    assert_string_equal(buf_text(&sql),
                        "_latin1 X'e4' COLLATE latin1_bin-5'2026-01-01'X'00'"
                        "'1 OR 1'");
    buf_done(&sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_keep_width_and_sign),
        cmocka_unit_test(floats_keep_their_bits),
        cmocka_unit_test(dates_of_every_length_and_badness),
        cmocka_unit_test(times_have_sign_days_and_limits),
        cmocka_unit_test(text_becomes_utf8_or_says_that_it_is_none),
        cmocka_unit_test(geometry_becomes_ewkb),
        cmocka_unit_test(many_made_texts_and_nulls_in_one_row),
        cmocka_unit_test(a_table_that_changed_is_named_and_not_decoded),
        cmocka_unit_test(a_sign_or_width_that_changed_is_another_shape),
        cmocka_unit_test(companions_are_not_read),
        cmocka_unit_test(key_parts_become_literals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
