#include "avro/decimal.h"
#include "avro/decode.h"
#include "avro/encode.h"
#include "avro/schema.h"
#include "base/alloc.h"
#include "base/json.h"
#include "support/all_types.h"
#include "support/test.h"

#include <math.h>

static const struct encode_policy null_policy = { DATE_NULL };
static const struct row_meta snapshot = { OP_SNAPSHOT, 77, 1234567, NULL };

/* A plan, a block and a decoder over one shape. */
struct rig {
    struct all_types types;
    const struct table_schema *schema;
    struct encode_plan *plan;
    struct block *block;
    struct decode_plan *decode;
    struct encode_fault fault;
};

static struct rig *rig_over(const struct table_schema *s,
                            const struct encode_policy *policy)
{
    struct rig *g = xcalloc(1, sizeof(*g));
    g->schema = s != NULL ? s : all_types_schema(&g->types);
    g->plan = encode_plan_new(g->schema, policy);
    g->block = block_new(3, g->schema, 1u << 20);
    struct buf json;
    struct error err = { 0 };
    buf_init(&json, 1u << 20);
    avro_schema_write(g->schema, AVRO_CHANGE, &json);
    g->decode = decode_plan_new(buf_str(&json), &err);
    if (g->decode == NULL)
        fail_msg("%s", err.text);
    buf_done(&json);
    return g;
}

static void rig_free(struct rig *g)
{
    encode_plan_free(g->plan);
    block_free(g->block);
    decode_plan_free(g->decode);
    free(g);
}

static enum encode_result put(struct rig *g, const struct value *cells)
{
    return encode_row(g->plan, g->block, &snapshot, cells, &g->fault);
}

/* One column of this type alone, and what one cell makes of it. */
struct single {
    struct column column;
    struct table_schema schema;
    struct rig *rig;
};

static enum encode_result put_single(struct single *one, struct column c,
                                     enum date_policy dates, struct value v)
{
    const struct encode_policy policy = { dates };
    one->column = c;
    one->column.name = STR("c");
    one->column.avro_name = STR("c");
    one->schema = (struct table_schema){ .database = STR("d"),
                                         .name = STR("t"),
                                         .version = 1,
                                         .column_count = 1,
                                         .columns = &one->column };
    one->rig = rig_over(&one->schema, &policy);
    return put(one->rig, &v);
}

static void expect_single(struct column c, enum date_policy dates, struct value v,
                          enum encode_result want, const char *reason)
{
    struct single one = { 0 };
    enum encode_result got = put_single(&one, c, dates, v);
    if (got != want || (reason != NULL && strstr(one.rig->fault.reason, reason) == NULL))
        fail_msg("got %d '%s', want %d '%s'", got, one.rig->fault.reason, want,
                 reason == NULL ? "" : reason);
    assert_int_equal(one.rig->block->rows, want == ENCODE_OK);
    if (want != ENCODE_OK)
        assert_int_equal(one.rig->block->bytes.len, 0);
    rig_free(one.rig);
}

#define REJECTS(c, v, reason)                                                         \
    expect_single((struct column){ c, .nullable = true }, DATE_NULL, (struct value)v, \
                  ENCODE_REJECT, reason)
#define ACCEPTS(c, v)                                                                 \
    expect_single((struct column){ c, .nullable = true }, DATE_NULL, (struct value)v, \
                  ENCODE_OK, NULL)

static struct value as_decoded(const struct column *c, struct value v, char *scratch)
{
    if (v.kind == VALUE_DECIMAL) {
        unsigned n = 0;
        assert_int_equal(decimal_unscaled(value_str(&v), c->precision, c->scale,
                                          (uint8_t *)scratch, &n),
                         DECIMAL_OK);
        return value_of_bytes(VALUE_UNSCALED, (struct str){ scratch, n });
    }
    if (v.kind != VALUE_NULL)
        v.kind = (uint8_t)type_get(c->type)->value;
    return v;
}

static void expect_cell(const struct column *c, struct value want, struct value got)
{
    char scratch[DECIMAL_BYTES_MAX];
    want = as_decoded(c, want, scratch);
    assert_int_equal(got.kind, want.kind);
    if (want.kind == VALUE_NULL)
        return;
    if (want.kind == VALUE_FLOAT)
        assert_memory_equal(&got.as.f, &want.as.f, 4);
    else if (want.kind < VALUE_DECIMAL || want.kind >= VALUE_DATE)
        assert_true(got.as.u == want.as.u);
    else
        assert_true(str_eq(value_str(&got), value_str(&want)));
}

static void every_type_comes_back_as_it_went(void **state)
{
    (void)state;
    struct rig *g = rig_over(NULL, &null_policy);
    struct value cells[ALL_COLUMNS];
    for (unsigned i = 0; i <= ALL_ROWS; i++) {
        if (i < ALL_ROWS)
            all_types_row(i, cells);
        else
            all_types_null_row(cells);
        if (put(g, cells) != ENCODE_OK)
            fail_msg("row %u column %u: %s", i, g->fault.column, g->fault.reason);
    }
    struct reader in = reader_over(buf_str(&g->block->bytes));
    for (unsigned i = 0; i <= ALL_ROWS; i++) {
        struct value want[ALL_COLUMNS];
        struct row_meta meta;
        struct error err = { 0 };
        if (i < ALL_ROWS)
            all_types_row(i, want);
        else
            all_types_null_row(want);
        if (decode_row(g->decode, &in, &meta, cells, NULL, &err) != 0)
            fail_msg("%s", err.text);
        assert_int_equal(meta.op, OP_SNAPSHOT);
        assert_int_equal(meta.sequence, 77);
        assert_int_equal(meta.at, 1234000);
        for (unsigned c = 0; c < ALL_COLUMNS; c++)
            expect_cell(&g->schema->columns[c], want[c], cells[c]);
    }
    assert_ptr_equal(in.pos, in.end);
    rig_free(g);
}

static void absent_is_not_null(void **state)
{
    (void)state;
    struct rig *g = rig_over(NULL, &null_policy);
    struct value cells[ALL_COLUMNS];
    all_types_null_row(cells);
    cells[0].kind = VALUE_ABSENT; /* NOT NULL, and yet fine: unknown is not NULL */
    cells[9].kind = VALUE_ABSENT;
    cells[ALL_COLUMNS - 1].kind = VALUE_ABSENT;
    assert_int_equal(put(g, cells), ENCODE_OK);
    struct reader in = reader_over(buf_str(&g->block->bytes));
    struct row_meta meta;
    struct error err = { 0 };
    assert_int_equal(decode_row(g->decode, &in, &meta, cells, NULL, &err), 0);
    for (unsigned c = 0; c < ALL_COLUMNS; c++)
        assert_int_equal(cells[c].kind, c == 0 || c == 9 || c == ALL_COLUMNS - 1
                                            ? VALUE_ABSENT
                                            : VALUE_NULL);
    rig_free(g);
}

static void the_same_columns_are_the_same_bytes(void **state)
{
    (void)state;
    struct rig *g = rig_over(NULL, &null_policy);
    struct value cells[ALL_COLUMNS];
    struct encode_fault fault;
    for (unsigned i = 0; i < 2; i++) {
        struct row_meta meta = { i == 0 ? OP_INSERT : OP_UPDATE, 1 + (int64_t)i * 100000,
                                 5, NULL };
        all_types_row(3, cells);
        assert_int_equal(encode_row(g->plan, g->block, &meta, cells, &fault), ENCODE_OK);
    }
    struct reader in = reader_over(buf_str(&g->block->bytes));
    struct str bytes[2];
    struct row_meta meta;
    struct error err = { 0 };
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(decode_row(g->decode, &in, &meta, cells, &bytes[i], &err), 0);
    assert_true(bytes[0].len > 100);
    assert_true(str_eq(bytes[0], bytes[1]));
    rig_free(g);
}

static void numbers_outside_their_type_are_rejected(void **state)
{
    (void)state;
#define TINY .type = TYPE_INT, .bytes = 1, .source_type = STR("tinyint(4)")
#define UINT_ .type = TYPE_LONG, .bytes = 4, .is_unsigned = true
#define DEC .type = TYPE_DECIMAL, .precision = 5, .scale = 2
#define BIT_ .type = TYPE_BIT, .length = 3
    REJECTS(TINY, V_INT(128), "value 128 does not fit tinyint(4)");
    REJECTS(TINY, V_INT(-129), "value -129");
    REJECTS(TINY, V_BYTES(VALUE_TEXT, "1"), "a cell of kind 8 in a column of type 'int'");
    REJECTS(UINT_, V_INT(-1), "value -1");
    REJECTS(UINT_, V_INT(4294967296), "value 4294967296");
    REJECTS(.type = TYPE_LONG, V_UINT(UINT64_MAX), "a cell of kind 3");
    REJECTS(BIT_, V_UINT(8), "value 8 does not fit bit");
    ACCEPTS(BIT_, V_UINT(7));
    REJECTS(DEC, V_BYTES(VALUE_DECIMAL, "1000.00"),
            "value 1000.00 does not fit decimal(5,2)");
    REJECTS(DEC, V_BYTES(VALUE_DECIMAL, "1.001"), "does not fit");
    REJECTS(DEC, V_BYTES(VALUE_DECIMAL, "1e3"), "no decimal number");
    REJECTS(DEC, V_BYTES(VALUE_DECIMAL, ""), "no decimal number");
    ACCEPTS(DEC, V_BYTES(VALUE_DECIMAL, "000999.99"));
    ACCEPTS(DEC, V_BYTES(VALUE_DECIMAL, "-999.9900"));
    REJECTS(.type = TYPE_FLOAT, V_FLOAT(INFINITY), "not finite");
    REJECTS(.type = TYPE_DOUBLE, V_DOUBLE(NAN), "not finite");
    REJECTS(.type = TYPE_YEAR, V_INT(2156), "value 2156 does not fit year");
}

static void texts_that_break_their_column_are_rejected_unseen(void **state)
{
    (void)state;
#define LATIN .type = TYPE_TEXT, .charset = STR("latin1")
#define ENUM_ .type = TYPE_ENUM, .labels = enum_labels, .label_count = 6
#define SET_ .type = TYPE_SET, .labels = set_labels, .label_count = 3
#define VEC .type = TYPE_VECTOR, .length = 2, .fixed_length = true
    REJECTS(LATIN, V_BYTES(VALUE_TEXT, "secret \xFF"), "text is no well-formed UTF-8");
    REJECTS(LATIN, V_BYTES(VALUE_INVALID, "\x81"), "in character set 'latin1'");
    REJECTS(.type = TYPE_GEOMETRY, V_BYTES(VALUE_INVALID, "\x81"),
            "no meaning as geometry");
    REJECTS(ENUM_, V_BYTES(VALUE_TEXT, "RED"), "none of the column's 6 labels");
    REJECTS(SET_, V_BYTES(VALUE_TEXT, "a,c"),
            "a member is none of the column's 3 labels");
    REJECTS(SET_, V_BYTES(VALUE_TEXT, "a,"), "a member is none");
    REJECTS(SET_, V_BYTES(VALUE_TEXT, ",a"), "a member is none");
    REJECTS(.type = TYPE_JSON, V_BYTES(VALUE_JSON, "{\"a\":}"), "no well-formed JSON");
    REJECTS(.type = TYPE_JSON, V_BYTES(VALUE_JSON, ""), "no well-formed JSON");
    REJECTS(VEC, V_BYTES(VALUE_BYTES, "12345"), "no whole number of floats");
    REJECTS(VEC, V_BYTES(VALUE_BYTES, "1234"), "1 floats do not fit vector");
}

static void many_labels_are_found_by_hash(void **state)
{
    (void)state;
    static char names[2000][8];
    static struct str labels[2000];
    for (unsigned i = 0; i < 2000; i++)
        labels[i] = (struct str){ names[i], (size_t)snprintf(names[i], sizeof(names[i]),
                                                             "l%u", i) };
#define MANY .type = TYPE_ENUM, .labels = labels, .label_count = 2000
    ACCEPTS(MANY, V_BYTES(VALUE_TEXT, "l0"));
    ACCEPTS(MANY, V_BYTES(VALUE_TEXT, "l1999"));
    REJECTS(MANY, V_BYTES(VALUE_TEXT, "l2000"), "none of the column's 2000 labels");
}

static void a_question_mark_in_a_label_may_be_a_wider_character(void **state)
{
    (void)state;
    static const struct str lossy[] = { STR("a"), STR("x?"), STR("b"), STR("c"),
                                        STR("d") };
#define LOSSY .type = TYPE_ENUM, .labels = lossy, .label_count = 5
#define LOSSY_SET .type = TYPE_SET, .labels = lossy, .label_count = 5
    ACCEPTS(LOSSY, V_BYTES(VALUE_TEXT, "x?"));
    ACCEPTS(LOSSY, V_BYTES(VALUE_TEXT, "x\xF0\x9F\x98\x80"));
    ACCEPTS(LOSSY_SET, V_BYTES(VALUE_TEXT, "a,x\xF0\x9F\x98\x80"));
    REJECTS(LOSSY, V_BYTES(VALUE_TEXT, "xy"), "none of the column's 5 labels");
    REJECTS(LOSSY, V_BYTES(VALUE_TEXT, "x\xC3\xBC"), "none of the column's 5 labels");
    REJECTS(LOSSY, V_BYTES(VALUE_TEXT, "x\xF0\x9F"), "none of the column's 5 labels");
}

static void times_outside_their_range_are_rejected(void **state)
{
    (void)state;
#define SECONDS .type = TYPE_DATETIME, .fraction = 0
#define TENTHS .type = TYPE_TIME, .fraction = 1
    REJECTS(.type = TYPE_DATE, V_OF(VALUE_DATE, -719529), "does not fit date");
    REJECTS(.type = TYPE_DATE, V_OF(VALUE_DATE, 2932897), "does not fit date");
    REJECTS(SECONDS, V_OF(VALUE_DATETIME, 2932897 * DAY), "does not fit datetime");
    REJECTS(SECONDS, V_OF(VALUE_DATETIME, 1), "finer than 0 digits");
    ACCEPTS(SECONDS, V_OF(VALUE_DATETIME, -1000000));
    REJECTS(TENTHS, V_OF(VALUE_TIME, -110000), "finer than 1 digits");
    ACCEPTS(TENTHS, V_OF(VALUE_TIME, -1100000));
    REJECTS(.type = TYPE_TIME, V_OF(VALUE_TIME, 3020400000000), "does not fit time");
    REJECTS(.type = TYPE_TIMESTAMP, V_OF(VALUE_TIMESTAMP, 0), "does not fit timestamp");
    REJECTS(.type = TYPE_TIMESTAMP, V_OF(VALUE_TIMESTAMP, 4294967296000000),
            "does not fit");
}

static void null_is_checked_against_the_source(void **state)
{
    (void)state;
    expect_single((struct column){ .type = TYPE_TEXT }, DATE_NULL, (struct value)V_NULL,
                  ENCODE_REJECT, "NULL in a column that is NOT NULL");
    expect_single((struct column){ .type = TYPE_TEXT, .nullable = true }, DATE_NULL,
                  (struct value)V_NULL, ENCODE_OK, NULL);
}

static void bad_dates_follow_the_policy(void **state)
{
    (void)state;
    struct value zero = V_BYTES(VALUE_BAD_DATE, "0000-00-00");
    struct column date = { .type = TYPE_DATE }; /* NOT NULL: a policy's NULL passes */
    struct single one = { 0 };
    assert_int_equal(put_single(&one, date, DATE_NULL, zero), ENCODE_OK);
    assert_int_equal(one.rig->block->null_by_policy[0], 1);
    assert_int_equal(put(one.rig, &zero), ENCODE_OK);
    assert_int_equal(one.rig->block->null_by_policy[0], 2);
    rig_free(one.rig);
    expect_single(date, DATE_REJECT, zero, ENCODE_REJECT, "'0000-00-00' is no date");
    date.key_ordinal = 1;
    expect_single(date, DATE_NULL, zero, ENCODE_REJECT, "a key column is never NULL");
    expect_single((struct column){ .type = TYPE_LONG }, DATE_NULL, zero, ENCODE_REJECT,
                  "a cell of kind 15");
}

static void a_companion_keeps_the_text_of_a_bad_date(void **state)
{
    (void)state;
    const struct encode_policy policy = { DATE_TEXT };
    const struct column columns[] = {
        { .name = STR("d"), .avro_name = STR("d"), .type = TYPE_DATETIME },
        { .name = STR("d_text"),
          .avro_name = STR("d_text"),
          .type = TYPE_TEXT,
          .nullable = true,
          .companion = 1 },
    };
    const struct table_schema s = { .database = STR("d"),
                                    .name = STR("t"),
                                    .version = 1,
                                    .column_count = 2,
                                    .columns = columns };
    struct rig *g = rig_over(&s, &policy);
    struct value cells[2] = { V_BYTES(VALUE_BAD_DATE, "2024-02-30 10:00:00"),
                              { .kind = VALUE_ABSENT } };
    assert_int_equal(put(g, cells), ENCODE_OK);
    cells[0] = (struct value)V_OF(VALUE_DATETIME, 0);
    assert_int_equal(put(g, cells), ENCODE_OK);
    struct reader in = reader_over(buf_str(&g->block->bytes));
    struct row_meta meta;
    struct error err = { 0 };
    assert_int_equal(decode_row(g->decode, &in, &meta, cells, NULL, &err), 0);
    assert_int_equal(cells[0].kind, VALUE_NULL);
    assert_int_equal(cells[1].kind, VALUE_TEXT);
    assert_true(str_eq(value_str(&cells[1]), STR("2024-02-30 10:00:00")));
    assert_int_equal(decode_row(g->decode, &in, &meta, cells, NULL, &err), 0);
    assert_int_equal(cells[0].kind, VALUE_DATETIME);
    assert_int_equal(cells[1].kind, VALUE_NULL);
    rig_free(g);
}

static void another_number_promotes_a_boolean(void **state)
{
    (void)state;
    expect_single((struct column){ .type = TYPE_BOOL }, DATE_NULL, (struct value)V_INT(2),
                  ENCODE_PROMOTE, "value 2 is neither 0 nor 1");
    expect_single((struct column){ .type = TYPE_BOOL }, DATE_NULL,
                  (struct value)V_INT(-1), ENCODE_PROMOTE, NULL);
}

static void a_row_past_the_limit_leaves_the_block_as_it_was(void **state)
{
    (void)state;
    const struct column columns[] = {
        { .name = STR("a"), .avro_name = STR("a"), .type = TYPE_LONG },
        { .name = STR("b"), .avro_name = STR("b"), .type = TYPE_BYTES },
    };
    const struct table_schema s = { .database = STR("d"),
                                    .name = STR("t"),
                                    .version = 1,
                                    .column_count = 2,
                                    .columns = columns };
    struct encode_plan *plan = encode_plan_new(&s, &null_policy);
    struct block *b = block_new(1, &s, 1000);
    struct encode_fault fault;
    char big[2000] = { 0 };
    struct value cells[2] = { V_INT(1) };
    for (uint32_t n = 900; n < 1100; n++) {
        size_t before = b->bytes.len;
        cells[1] = value_of_bytes(VALUE_BYTES, (struct str){ big, n });
        enum encode_result got = encode_row(plan, b, &snapshot, cells, &fault);
        /* 1 op, 2 sequence, 2 time, 2 nulls, 2 for a, 3 in front of b */
        assert_int_equal(got, n + 12 <= 1000 ? ENCODE_OK : ENCODE_TOO_BIG);
        if (got == ENCODE_TOO_BIG) {
            assert_int_equal(b->bytes.len, before);
            assert_int_equal(fault.column, 1);
            assert_false(b->bytes.failed);
        }
    }
    block_free(b);
    encode_plan_free(plan);
}

static void a_reject_record_is_json_and_fits_its_limit(void **state)
{
    (void)state;
    struct all_types types;
    const struct table_schema *s = all_types_schema(&types);
    struct value cells[ALL_COLUMNS];
    static char big[100000];
    memset(big, 'x', sizeof(big));
    all_types_row(2, cells);
    cells[15] = value_of_bytes(VALUE_INVALID, STR("\xFF\xFE"));
    cells[16] = value_of_bytes(VALUE_BYTES, (struct str){ big, sizeof(big) });
    cells[24] = value_of_bytes(VALUE_JSON, (struct str){ big, sizeof(big) });
    cells[2].kind = VALUE_ABSENT;
    struct buf out;
    buf_init(&out, 1u << 20);
    encode_reject_record(s, cells, 4096, &out);
    assert_true(out.len <= 4096);
    assert_true(out.len > 2000);
    assert_true(json_is_valid(buf_str(&out)));
    assert_non_null(strstr(buf_text(&out), "{\"hex\":\"fffe\"}"));
    assert_non_null(strstr(buf_text(&out), "xxx...\""));
    assert_non_null(strstr(buf_text(&out), "7878...\""));
    assert_null(strstr(buf_text(&out), "\"tiny\""));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_comes_back_as_it_went),
        cmocka_unit_test(absent_is_not_null),
        cmocka_unit_test(the_same_columns_are_the_same_bytes),
        cmocka_unit_test(numbers_outside_their_type_are_rejected),
        cmocka_unit_test(texts_that_break_their_column_are_rejected_unseen),
        cmocka_unit_test(many_labels_are_found_by_hash),
        cmocka_unit_test(a_question_mark_in_a_label_may_be_a_wider_character),
        cmocka_unit_test(times_outside_their_range_are_rejected),
        cmocka_unit_test(null_is_checked_against_the_source),
        cmocka_unit_test(bad_dates_follow_the_policy),
        cmocka_unit_test(a_companion_keeps_the_text_of_a_bad_date),
        cmocka_unit_test(another_number_promotes_a_boolean),
        cmocka_unit_test(a_row_past_the_limit_leaves_the_block_as_it_was),
        cmocka_unit_test(a_reject_record_is_json_and_fits_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
