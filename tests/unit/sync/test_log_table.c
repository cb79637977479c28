/* Rows of the log to rows of a block: which operations they become. The table has one
 * column more than is copied, in front. */
#include "avro/decode.h"
#include "sync/log_table.h"
#include "sync_fixture.h"

enum { LEFT_OUT = 0, ID, ON, COLUMNS };

static const struct column whole_columns[] = {
    [LEFT_OUT] = { .name = { "x", 1 }, .type = TYPE_INT, .bytes = 4, .nullable = true },
    [ID] = { .name = { "id", 2 }, .type = TYPE_INT, .bytes = 4, .key_ordinal = 1 },
    [ON] = { .name = { "on", 2 }, .type = TYPE_BOOL, .nullable = true },
};

struct fixture {
    struct stream st;
    struct log_table t;
    struct log_numbers numbers;
    unsigned column;
    const char *why;
};

static const struct table_schema whole = { .column_count = COLUMNS,
                                           .key_count = 1,
                                           .columns = whole_columns };

static int begin(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    make_stream(&f->st, 0, "t");
    f->t.stream = &f->st;
    f->numbers.next = 100;
    log_table_set_shape(&f->t, &whole);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    log_table_done(&f->t);
    end_stream(&f->st);
    free(f);
    return 0;
}

static void fill(struct value *row, int64_t id, int64_t on)
{
    row[LEFT_OUT] = (struct value){ .as.i = 7, .kind = VALUE_INT };
    row[ID] = (struct value){ .as.i = id, .kind = VALUE_INT };
    row[ON] = (struct value){ .as.i = on, .kind = VALUE_INT };
}

static enum log_taken take(struct fixture *f, enum log_op op, const struct value *before,
                           const struct value *after)
{
    struct log_item item = { .kind = LOG_ROW,
                             .op = op,
                             .before = before,
                             .after = after,
                             .at = 1700000000000000 };
    return log_table_take(&f->t, &item, &f->numbers, ROW_LIMIT, &f->column, &f->why);
}

/* "D1 U2?": operation, key, and a question mark where `on` is absent. */
static void expect(struct fixture *f, const char *want)
{
    struct error err = { 0 };
    struct decode_plan *p = decode_plan_new(str_of(f->t.shape->json), &err);
    struct reader in = reader_over(buf_str(&f->t.block->bytes));
    CLEANUP(buf_done) struct buf text;
    int64_t last = 99;
    buf_init(&text, 4096);
    for (uint64_t i = 0; i < f->t.block->rows; i++) {
        struct row_meta meta = { 0 };
        struct value cells[2];
        if (decode_row(p, &in, &meta, cells, NULL, &err) != 0)
            fail_msg("%s", err.text);
        assert_true(meta.sequence > last);
        last = meta.sequence;
        buf_printf(&text, "%s%c%lld%s", i == 0 ? "" : " ", "IUDS"[meta.op],
                   (long long)cells[0].as.i, cells[1].kind == VALUE_ABSENT ? "?" : "");
    }
    decode_plan_free(p);
    assert_string_equal(buf_text(&text), want);
}

static void each_operation_is_a_row_with_its_own_number(void **state)
{
    struct fixture *f = *state;
    struct value a[COLUMNS], b[COLUMNS];
    fill(a, 1, 0);
    fill(b, 1, 1);
    assert_int_equal(take(f, LOG_INSERT, NULL, a), LOG_TAKEN);
    assert_int_equal(take(f, LOG_UPDATE, a, b), LOG_TAKEN);
    assert_int_equal(take(f, LOG_DELETE, b, NULL), LOG_TAKEN);
    expect(f, "I1 U1 D1");
    assert_int_equal(f->t.rows, 3);
}

static void a_changed_key_is_a_delete_and_an_insert(void **state)
{
    struct fixture *f = *state;
    struct value a[COLUMNS], b[COLUMNS];
    fill(a, 1, 0);
    fill(b, 2, 0);
    assert_int_equal(take(f, LOG_UPDATE, a, b), LOG_TAKEN);
    expect(f, "D1 I2");
}

static void without_a_key_each_update_is_both(void **state)
{
    struct fixture *f = *state;
    struct value a[COLUMNS], b[COLUMNS];
    struct table_schema bare = *f->st.shape->schema;
    struct column columns[2] = { fixture_columns[0], fixture_columns[1] };
    columns[0].key_ordinal = 0;
    bare.key_count = 0;
    bare.columns = columns;
    add_shape(&f->st, schema_copy(f->st.arena, &bare));
    log_table_set_shape(&f->t, &whole);
    fill(a, 1, 0);
    fill(b, 1, 1);
    assert_int_equal(take(f, LOG_UPDATE, a, b), LOG_TAKEN);
    expect(f, "D1 I1");
}

static void what_an_update_does_not_say_is_absent_and_of_an_insert_is_read(void **state)
{
    struct fixture *f = *state;
    struct value a[COLUMNS], b[COLUMNS];
    fill(a, 1, 0);
    fill(b, 1, 0);
    b[ON].kind = VALUE_ABSENT;
    assert_int_equal(take(f, LOG_UPDATE, a, b), LOG_TAKEN);
    expect(f, "U1?");
    assert_int_equal(take(f, LOG_INSERT, NULL, b), LOG_PARTLY);
    b[ID].as.i = 2;
    assert_int_equal(take(f, LOG_UPDATE, a, b), LOG_PARTLY);
    expect(f, "U1? D1");
    f->st.options.load = LOAD_APPEND; /* every row as it was then: nobody has it */
    assert_int_equal(take(f, LOG_INSERT, NULL, b), LOG_UNTAKEN);
    assert_non_null(strstr(f->why, "inserted"));
    assert_int_equal(take(f, LOG_UPDATE, a, b), LOG_UNTAKEN);
    assert_non_null(strstr(f->why, "key"));
    f->st.options.load = LOAD_MIRROR;
    b[LEFT_OUT].kind = VALUE_ABSENT; /* nobody asks for it */
    fill(b, 3, 1);
    assert_int_equal(take(f, LOG_INSERT, NULL, b), LOG_TAKEN);
    expect(f, "U1? D1 I3");
}

static void a_row_that_was_read_by_key_gets_the_number_of_its_change(void **state)
{
    struct fixture *f = *state;
    struct value a[COLUMNS];
    struct value read[2] = { { .as.i = 1, .kind = VALUE_INT },
                             { .as.i = 5, .kind = VALUE_INT } };
    fill(a, 2, 0);
    f->numbers.next = 101; /* 100 is the row's */
    assert_int_equal(log_table_put(&f->t, read, 100, 1, ROW_LIMIT, &f->column),
                     LOG_PROMOTE);
    read[1].as.i = 1;
    assert_int_equal(log_table_put(&f->t, read, 100, 1, ROW_LIMIT, &f->column),
                     LOG_TAKEN);
    assert_int_equal(f->numbers.next, 101);
    assert_int_equal(take(f, LOG_INSERT, NULL, a), LOG_TAKEN);
    expect(f, "I1 I2");
    assert_int_equal(f->t.rows, 2);
}

/* The image before was taken already when the one after turns out to need another type.
 */
static void a_promotion_in_the_middle_takes_no_image_twice(void **state)
{
    struct fixture *f = *state;
    struct value a[COLUMNS], b[COLUMNS];
    fill(a, 1, 0);
    fill(b, 2, 9);
    assert_int_equal(take(f, LOG_UPDATE, a, b), LOG_PROMOTE);
    assert_int_equal(f->column, 1);
    expect(f, "D1");
    block_free(f->t.block); /* flushed */
    f->t.block = NULL;
    add_shape(&f->st, schema_promote_bool(f->st.arena, f->st.shape->schema, f->column));
    log_table_set_shape(&f->t, &whole);
    assert_int_equal(take(f, LOG_UPDATE, a, b), LOG_TAKEN);
    expect(f, "I2");
    fill(a, 3, 1);
    assert_int_equal(take(f, LOG_UPDATE, a, b), LOG_TAKEN); /* the next one has both */
    expect(f, "I2 D3 I2");
}

static void a_row_that_cannot_be_represented_goes_and_its_deletion_does_not(void **state)
{
    struct fixture *f = *state;
    struct value a[COLUMNS];
    fill(a, 1, 0);
    a[ON] = value_of_bytes(VALUE_INVALID, STR("?"));
    assert_int_equal(take(f, LOG_INSERT, NULL, a), LOG_TAKEN);
    assert_int_equal(f->t.rejected_rows, 1);
    assert_int_equal(take(f, LOG_DELETE, a, NULL), LOG_TAKEN);
    assert_int_equal(f->t.rejected_rows, 1);
    expect(f, "D1?");
    log_table_drop_rows(&f->t);
    assert_null(f->t.block);
    assert_int_equal(f->t.rows + f->t.rejected_rows, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_operation_is_a_row_with_its_own_number,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_changed_key_is_a_delete_and_an_insert, begin,
                                        end),
        cmocka_unit_test_setup_teardown(without_a_key_each_update_is_both, begin, end),
        cmocka_unit_test_setup_teardown(
            what_an_update_does_not_say_is_absent_and_of_an_insert_is_read, begin, end),
        cmocka_unit_test_setup_teardown(
            a_row_that_was_read_by_key_gets_the_number_of_its_change, begin, end),
        cmocka_unit_test_setup_teardown(a_promotion_in_the_middle_takes_no_image_twice,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            a_row_that_cannot_be_represented_goes_and_its_deletion_does_not, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
