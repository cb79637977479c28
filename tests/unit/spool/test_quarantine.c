#include "base/alloc.h"
#include "spool/quarantine.h"
#include "support/test.h"

static struct reject sample(void)
{
    return (struct reject){ .table = STR("shop.orders"),
                            .column = STR("price"),
                            .reason = STR("value 300 does not fit tinyint"),
                            .record = STR("{\"id\": 1, \"price\": 300}"),
                            .sequence = INT64_MAX,
                            .at = -1 };
}

static void every_field_comes_back(void **state)
{
    (void)state;
    struct reject r = sample();
    struct reject got;
    struct error err = { 0 };
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1 << 20);
    reject_encode(&r, &b);
    r.column = (struct str){ 0 };
    r.sequence = INT64_MIN;
    reject_encode(&r, &b);
    struct reader in = reader_over(buf_str(&b));
    assert_int_equal(reject_decode(&in, &got, &err), 0);
    assert_str(got.table, "shop.orders");
    assert_str(got.column, "price");
    assert_str(got.reason, "value 300 does not fit tinyint");
    assert_str(got.record, "{\"id\": 1, \"price\": 300}");
    assert_true(got.sequence == INT64_MAX && got.at == -1);
    assert_int_equal(reject_decode(&in, &got, &err), 0);
    assert_int_equal(got.column.len, 0);
    assert_true(got.sequence == INT64_MIN);
    assert_ptr_equal(in.pos, in.end);
}

static void texts_become_utf8_within_the_bound(void **state)
{
    (void)state;
    struct reject r = sample();
    struct reject got;
    struct error err = { 0 };
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1 << 20);
    CLEANUP(buf_done) struct buf longest;
    buf_init(&longest, 1 << 20);
    buf_add_char(&longest, 'x');
    while (longest.len <= REJECT_RECORD_LIMIT)
        buf_add_text(&longest, "\xc3\xa4");
    r.reason = STR("a\xff\xc3z");
    r.record = buf_str(&longest);
    reject_encode(&r, &b);
    struct reader in = reader_over(buf_str(&b));
    assert_int_equal(reject_decode(&in, &got, &err), 0);
    assert_str(got.reason, "a??z");
    /* One byte and whole characters of two: the last one that would pass the bound is
     * out. */
    assert_int_equal(got.record.len, REJECT_RECORD_LIMIT - 1);
}

static void is_refused_at_each_truncation(void **state)
{
    (void)state;
    struct reject r = sample();
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1 << 20);
    reject_encode(&r, &b);
    for (size_t n = 0; n < b.len; n++) {
        struct reject got;
        struct error err = { 0 };
        struct reader in = reader_over((struct str){ b.data, n });
        assert_int_equal(reject_decode(&in, &got, &err), -1);
        assert_int_equal(err.code, ERR_PROTOCOL);
    }
}

static void lengths_that_lie_are_refused(void **state)
{
    (void)state;
    static const struct str bytes[] = {
        { "\x01", 1 },                                      /* -1 */
        { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10 }, /* the least long */
        { "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10 }, /* the greatest */
        { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10 }, /* more than 64 bits */
        { "\x02\xff\0\0\0\0\0", 7 },                        /* no UTF-8 */
    };
    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        struct reject got;
        struct error err = { 0 };
        struct reader in = reader_over(bytes[i]);
        assert_int_equal(reject_decode(&in, &got, &err), -1);
        assert_int_equal(err.code, ERR_PROTOCOL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_comes_back),
        cmocka_unit_test(texts_become_utf8_within_the_bound),
        cmocka_unit_test(is_refused_at_each_truncation),
        cmocka_unit_test(lengths_that_lie_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
