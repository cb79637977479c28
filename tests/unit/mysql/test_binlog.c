/* Binary logs as streams of events: framing, checksums, payloads, refusals. */
#include "mysql/binlog.h"
#include "support/log.h"
#include "support/test.h"

#include <zstd.h>

#define LIMIT ((size_t)1 << 20)

static const struct binlog_options options = { .name = "x",
                                               .row_limit = LIMIT,
                                               .event_limit = LIMIT };

static void start(struct buf *log, const char *server, bool checksums)
{
    buf_init(log, (size_t)64 << 20);
    put_format(log, server, checksums);
}

/* Read to the end: the number of events, or -1 with err. */
static int read_all(struct str log, struct error *err)
{
    struct binlog *b = binlog_new(binlog_source_memory(&log), 0, &options);
    struct event e;
    int n = 0;
    int got;
    while ((got = binlog_next(b, &e, err)) == 1)
        n++;
    binlog_free(b);
    return got == 0 ? n : -1;
}

static void assert_refused(struct buf *log, const char *reason)
{
    struct error err = { 0 };
    assert_int_equal(read_all(buf_str(log), &err), -1);
    if (strstr(err.text, reason) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, reason);
    buf_done(log);
}

static void offsets_are_counted_and_bodies_are_without_checksum(void **state)
{
    (void)state;
    struct buf log;
    struct error err = { 0 };
    struct event e;
    start(&log, "8.0.40", true);
    size_t second = log.len;
    put_event(&log, XID_EVENT, STR("12345678"), true);
    struct str rest = buf_str(&log);
    struct binlog *b = binlog_new(binlog_source_memory(&rest), 0, &options);
    assert_int_equal(binlog_next(b, &e, &err), 1);
    assert_int_equal(e.offset, 4);
    assert_int_equal(binlog_format(b)->version, 80040);
    assert_int_equal(binlog_next(b, &e, &err), 1);
    assert_int_equal(e.offset, second);
    assert_int_equal(e.end, log.len);
    assert_str(e.body, "12345678");
    assert_int_equal(binlog_next(b, &e, &err), 0);
    binlog_free(b);
    buf_done(&log);
}

static void offsets_have_64_bits(void **state)
{
    (void)state;
    struct buf log;
    struct error err = { 0 };
    struct event e;
    struct binlog_format f = { .version = 80040 };
    buf_init(&log, 4096);
    put_event(&log, STOP_EVENT, STR(""), false);
    struct str rest = buf_str(&log);
    struct binlog *b =
        binlog_new(binlog_source_memory(&rest), UINT64_C(5000000000), &options);
    binlog_set_format(b, &f);
    assert_int_equal(binlog_next(b, &e, &err), 1);
    assert_true(e.offset == UINT64_C(5000000000));
    assert_true(e.end == UINT64_C(5000000019));
    binlog_free(b);
    buf_done(&log);
}

static void a_format_description_of_an_open_file_keeps_its_checksum(void **state)
{
    (void)state;
    struct buf log;
    struct error err = { 0 };
    start(&log, "8.0.40", true);
    log.data[4 + 17] = EVENT_IN_USE; /* as the server leaves it while it writes */
    assert_int_equal(read_all(buf_str(&log), &err), 1);
    buf_done(&log);
}

static void every_cut_is_an_error_and_every_flipped_bit_a_wrong_checksum(void **state)
{
    (void)state;
    struct buf log;
    struct error err = { 0 };
    start(&log, "8.0.40", true);
    size_t second = log.len;
    put_event(&log, XID_EVENT, STR("12345678"), true);
    assert_int_equal(read_all(buf_str(&log), &err), 2);
    for (size_t n = 0; n < log.len; n++) {
        int events = read_all((struct str){ log.data, n }, &err);
        assert_int_equal(events, n == 4 ? 0 : n == second ? 1 : -1);
    }
    for (size_t i = second; i < log.len; i++) {
        log.data[i] ^= 1;
        assert_int_equal(read_all(buf_str(&log), &err), -1);
        log.data[i] ^= 1;
    }
    buf_done(&log);
}

static void old_encrypted_and_unknown_logs_are_refused_with_a_reason(void **state)
{
    (void)state;
    struct buf log;
    buf_init(&log, 4096);
    buf_add_str(&log, STR("\xfd"
                          "bin and more"));
    assert_refused(&log, "encrypted");

    buf_init(&log, 4096);
    buf_add_str(&log, STR("\xfe"
                          "bin"));
    put_event(&log, START_EVENT_V3, STR("\1\0"), false);
    assert_refused(&log, "before MySQL 5.0");

    buf_init(&log, 4096);
    buf_add_str(&log, STR("\xfe"
                          "bin"));
    put_event(&log, XID_EVENT, STR("12345678"), false);
    assert_refused(&log, "does not start with a format description");

    start(&log, "10.11.18-MariaDB-log", true);
    put_event(&log, MARIA_START_ENCRYPTION_EVENT, STR("\1\1\0\0\0............"), true);
    assert_refused(&log, "encrypted from here on");

    start(&log, "5.1.5-alpha", false);
    put_event(&log, PRE_GA_WRITE_ROWS_EVENT, STR("........"), false);
    assert_refused(&log, "before its release");
}

static void an_unknown_event_stops_unless_it_may_be_ignored(void **state)
{
    (void)state;
    struct buf log;
    struct error err = { 0 };
    start(&log, "9.7.0", true);
    put_event_flags(&log, 99, STR("?"), true, EVENT_IGNORABLE);
    assert_int_equal(read_all(buf_str(&log), &err), 2);
    put_event(&log, 99, STR("?"), true);
    assert_refused(&log, "the unknown type 99");
}

/* A rows event of `bytes` bytes. */
static void put_large(struct buf *log, uint8_t type, size_t bytes, bool checksum)
{
    struct buf body;
    buf_init(&body, bytes);
    for (size_t i = 0; i < bytes; i++)
        buf_add_char(&body, (char)(i % 251));
    put_event(log, type, buf_str(&body), checksum);
    buf_done(&body);
}

static void a_long_event_is_walked_and_its_checksum_verified_at_its_end(void **state)
{
    (void)state;
    struct buf log;
    struct error err = { 0 };
    struct event e;
    start(&log, "8.0.40", true);
    put_large(&log, WRITE_ROWS_EVENT, 5000000, true);
    put_event(&log, XID_EVENT, STR("12345678"), true);
    struct str rest = buf_str(&log);
    struct binlog *b = binlog_new(binlog_source_memory(&rest), 0, &options);
    assert_int_equal(binlog_next(b, &e, &err), 1);
    assert_int_equal(binlog_next(b, &e, &err), 1);
    assert_false(e.whole);
    struct window *w = binlog_body(b);
    for (size_t i = 0; i < 5000000; i++) {
        assert_int_equal(window_fill(w, 1, &err), 1);
        if ((uint8_t)window_rest(w).ptr[0] != i % 251)
            fail();
        window_skip(w, 1);
    }
    assert_int_equal(window_fill(w, 1, &err), 0);
    assert_int_equal(binlog_next(b, &e, &err), 1);
    assert_true(e.whole);
    assert_str(e.body, "12345678");
    binlog_free(b);
    assert_int_equal(read_all(buf_str(&log), &err), 3); /* nobody looks into it */
    log.data[3000000] ^= 1;
    assert_refused(&log, "checksum");
}

static void a_long_event_that_must_be_whole_has_a_ceiling(void **state)
{
    (void)state;
    struct buf log;
    start(&log, "8.0.40", true);
    put_large(&log, QUERY_EVENT, 2000000, true);
    assert_refused(&log, "event_limit");
}

static void put_payload(struct buf *log, struct str inner, bool zstd, uint64_t told)
{
    struct buf body;
    struct str packed = inner;
    size_t room = ZSTD_compressBound(inner.len);
    char *to = malloc(room);
    assert_non_null(to);
    if (zstd)
        packed = (struct str){ to, ZSTD_compress(to, room, inner.ptr, inner.len, 3) };
    buf_init(&body, packed.len + 100);
    buf_add_str(&body, zstd ? STR("\2\1\0") : STR("\2\3\xfc\xff\0"));
    buf_add_str(&body, STR("\1\5\xfd"));
    body.data[body.len - 2] = 4;
    put_le(&body, packed.len, 3);
    buf_add_str(&body, STR("\3\5\xfe"));
    body.data[body.len - 2] = 9;
    put_le(&body, told, 8);
    put_le(&body, 0, 1);
    buf_add_str(&body, packed);
    put_event(log, TRANSACTION_PAYLOAD_EVENT, buf_str(&body), true);
    buf_done(&body);
    free(to);
}

static void packed_events_follow_their_payload(void **state)
{
    (void)state;
    struct buf log, inner;
    struct error err = { 0 };
    struct event e;
    buf_init(&inner, (size_t)32 << 20);
    put_event(&inner, XID_EVENT, STR("12345678"), false);
    put_large(&inner, UPDATE_ROWS_EVENT, 3000000, false);
    put_event(&inner, XID_EVENT, STR("abcdefgh"), false);
    for (int zstd = 0; zstd < 2; zstd++) {
        start(&log, "8.0.40", true);
        size_t offset = log.len;
        put_payload(&log, buf_str(&inner), zstd, inner.len);
        put_event(&log, STOP_EVENT, STR(""), true);
        struct str rest = buf_str(&log);
        struct binlog *b = binlog_new(binlog_source_memory(&rest), 0, &options);
        assert_int_equal(binlog_next(b, &e, &err), 1);
        assert_int_equal(binlog_next(b, &e, &err), 1);
        assert_int_equal(e.payload.unpacked_bytes, inner.len);
        for (unsigned i = 1; i <= 3; i++) {
            assert_int_equal(binlog_next(b, &e, &err), 1);
            assert_int_equal(e.ordinal, i);
            assert_int_equal(e.offset, offset);
        }
        assert_str(e.body, "abcdefgh");
        assert_int_equal(binlog_next(b, &e, &err), 1);
        assert_int_equal(e.header.type, STOP_EVENT);
        assert_int_equal(binlog_next(b, &e, &err), 0);
        binlog_free(b);
        buf_done(&log);
    }
    start(&log, "8.0.40", true);
    put_payload(&log, buf_str(&inner), true, inner.len - 1);
    assert_refused(&log, "longer than it says");
    start(&log, "8.0.40", true);
    put_payload(&log, (struct str){ inner.data, inner.len - 5 }, true, inner.len - 5);
    assert_refused(&log, "ends inside an event");
    buf_done(&inner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_are_counted_and_bodies_are_without_checksum),
        cmocka_unit_test(offsets_have_64_bits),
        cmocka_unit_test(a_format_description_of_an_open_file_keeps_its_checksum),
        cmocka_unit_test(every_cut_is_an_error_and_every_flipped_bit_a_wrong_checksum),
        cmocka_unit_test(old_encrypted_and_unknown_logs_are_refused_with_a_reason),
        cmocka_unit_test(an_unknown_event_stops_unless_it_may_be_ignored),
        cmocka_unit_test(a_long_event_is_walked_and_its_checksum_verified_at_its_end),
        cmocka_unit_test(a_long_event_that_must_be_whole_has_a_ceiling),
        cmocka_unit_test(packed_events_follow_their_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
