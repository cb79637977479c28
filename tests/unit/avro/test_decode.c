#include "avro/decode.h"
#include "avro/schema.h"
#include "base/alloc.h"
#include "support/all_types.h"
#include "support/test.h"

static struct decode_plan *plan_of(const struct table_schema *s, enum avro_record record)
{
    struct buf json;
    struct error err = { 0 };
    buf_init(&json, 1u << 20);
    avro_schema_write(s, record, &json);
    struct decode_plan *p = decode_plan_new(buf_str(&json), &err);
    if (p == NULL)
        fail_msg("%s", err.text);
    buf_done(&json);
    return p;
}

/* Three rows of all types, encoded. */
static struct block *some_rows(const struct table_schema *s)
{
    const struct encode_policy policy = { DATE_NULL };
    struct encode_plan *plan = encode_plan_new(s, &policy);
    struct block *b = block_new(1, s, 1u << 20);
    for (unsigned i = 0; i < 3; i++) {
        struct value cells[ALL_COLUMNS];
        struct encode_fault fault;
        struct row_meta meta = { OP_INSERT, i, i, NULL };
        all_types_row(i, cells);
        if (i == 2)
            cells[5].kind = VALUE_ABSENT;
        assert_int_equal(encode_row(plan, b, &meta, cells, &fault), ENCODE_OK);
    }
    encode_plan_free(plan);
    return b;
}

/* Rows decoded until the end or the first damage. */
static unsigned decode_all(struct decode_plan *p, struct str bytes, bool *damaged)
{
    struct value cells[ALL_COLUMNS];
    struct row_meta meta;
    struct reader in = reader_over(bytes);
    unsigned rows = 0;
    *damaged = false;
    while (in.pos < in.end) {
        struct error err = { 0 };
        struct str columns;
        if (decode_row(p, &in, &meta, cells, &columns, &err) != 0) {
            assert_int_equal(err.code, ERR_PROTOCOL);
            *damaged = true;
            break;
        }
        rows++;
    }
    return rows;
}

static void every_cut_inside_a_row_is_seen(void **state)
{
    (void)state;
    struct all_types types;
    const struct table_schema *s = all_types_schema(&types);
    struct decode_plan *p = plan_of(s, AVRO_CHANGE);
    struct block *b = some_rows(s);
    unsigned whole = 0;
    for (size_t n = 0; n <= b->bytes.len; n++) {
        bool damaged;
        char *copy = xcalloc(n + 1, 1); /* so that a sanitizer sees a read past the cut */
        memcpy(copy, b->bytes.data, n);
        unsigned rows = decode_all(p, (struct str){ copy, n }, &damaged);
        whole += !damaged;
        assert_true(rows <= 3);
        free(copy);
    }
    assert_int_equal(whole, 4); /* after no, one, two, three rows */
    block_free(b);
    decode_plan_free(p);
}

static void flipped_bits_never_crash(void **state)
{
    (void)state;
    struct all_types types;
    const struct table_schema *s = all_types_schema(&types);
    struct decode_plan *p = plan_of(s, AVRO_CHANGE);
    struct block *b = some_rows(s);
    unsigned seen = 0;
    for (size_t bit = 0; bit < b->bytes.len * 8; bit++) {
        bool damaged;
        b->bytes.data[bit / 8] ^= (char)(1 << (bit % 8));
        (void)decode_all(p, buf_str(&b->bytes), &damaged);
        b->bytes.data[bit / 8] ^= (char)(1 << (bit % 8));
        seen += damaged;
    }
    assert_true(seen > 100); /* the rest is another value: the file's hash tells */
    block_free(b);
    decode_plan_free(p);
}

static void expect_damage(struct decode_plan *p, struct str bytes)
{
    bool damaged;
    (void)decode_all(p, bytes, &damaged);
    assert_true(damaged);
}

static void what_no_row_says_is_refused(void **state)
{
    (void)state;
    const struct column column = {
        .name = STR("b"), .avro_name = STR("b"), .type = TYPE_BOOL, .nullable = true
    };
    const struct table_schema s = { .database = STR("d"),
                                    .name = STR("t"),
                                    .version = 1,
                                    .column_count = 1,
                                    .columns = &column };
    struct decode_plan *p = plan_of(&s, AVRO_CHANGE);
    bool damaged;
    assert_int_equal(decode_all(p, STR("\0\0\0\0\0\2\1"), &damaged), 1);
    assert_false(damaged);
    /* a row before, passed over */
    assert_int_equal(decode_all(p, STR("\2\0\0\0\2\2\0\2\1"), &damaged), 1);
    assert_false(damaged);
    expect_damage(p, STR("\x08\0\0\0\0\2\1")); /* no such operation */
    expect_damage(p, STR("\1\0\0\0\0\2\1"));   /* a negative one */
    expect_damage(p, STR("\0\0\0\0\0\2\2"));   /* no boolean */
    expect_damage(p, STR("\0\0\0\0\0\4\1"));   /* no branch of the union */
    expect_damage(p,
                  STR("\0\0\0\2\4\0\0\0\2\1")); /* a bitmap of two bytes for one column */
    expect_damage(p, STR("\0\0\0\2\2\1\0\2\1")); /* absent, and yet with a value */
    expect_damage(p,
                  STR("\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\2\0\0\0\0")); /* 65 bits */
    decode_plan_free(p);
}

static void a_segment_of_the_older_shape_is_still_read(void **state)
{
    (void)state;
    struct all_types types;
    const struct table_schema *s = all_types_schema(&types);
    struct arena *a = arena_new(1u << 20);
    const struct table_schema *promoted = schema_promote_bool(a, s, 1);
    struct decode_plan *p = plan_of(s, AVRO_CHANGE);
    assert_true(schema_same_shape(decode_plan_schema(p), s));
    assert_int_equal(decode_plan_schema(p)->version, 7);
    assert_false(schema_same_shape(decode_plan_schema(p), promoted));
    assert_true(column_widens(&decode_plan_schema(p)->columns[1], &promoted->columns[1]));
    decode_plan_free(p);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_inside_a_row_is_seen),
        cmocka_unit_test(flipped_bits_never_crash),
        cmocka_unit_test(what_no_row_says_is_refused),
        cmocka_unit_test(a_segment_of_the_older_shape_is_still_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
