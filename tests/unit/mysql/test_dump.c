/* The log of a scripted server: commands, frames of events, and everything that can be
 * wrong with them. */
#include "mysql/dump.h"
#include "mysql/dump_internal.h"
#include "support/log.h"
#include "support/test.h"
#include "support/wire.h"

#include <errno.h>
#include <string.h>

#define LIMIT ((size_t)1 << 20)
#define PACKET_FULL 0xffffffu

/* A server that says what its script says, then closes or falls silent. */
struct fake {
    struct wire_script wire;
    struct session *session; /* owned */
    struct dump *dump;       /* owned */
    bool silent;
};

static ssize_t fake_read(void *ctx, void *bytes, size_t n, int64_t timeout_us,
                         struct error *err)
{
    struct fake *f = ctx;
    ssize_t got = wire_script_read(&f->wire, bytes, n, timeout_us, err);
    if (got > 0 || !f->silent)
        return got;
    (void)error_set(err, ERR_NETWORK, "no byte from the server for %lld ms",
                    (long long)(timeout_us / 1000));
    err->sys = ETIMEDOUT;
    return -1;
}

static int fake_write(void *ctx, const void *bytes, size_t n, int64_t timeout_us,
                      struct error *err)
{
    struct fake *f = ctx;
    return wire_script_write(&f->wire, bytes, n, timeout_us, err);
}

/* SHOW REPLICAS is not for us; both settings and the registration are accepted. */
static void fake_init(struct fake *f)
{
    *f = (struct fake){ 0 };
    wire_init(&f->wire);
    f->wire.script.limit = (size_t)64 << 20;
    wire_send_error(&f->wire, 1227, "Access denied");
    for (int i = 0; i < 3; i++) {
        wire_answer(&f->wire);
        wire_send_bytes(&f->wire, STR("\0\0\0\2\0\0\0"));
    }
    wire_answer(&f->wire);
}

static void fake_done(struct fake *f)
{
    dump_close(f->dump);
    session_close(f->session);
    wire_done(&f->wire);
}

/* A payload, in as many packets as it needs. */
static void send_payload(struct fake *f, struct str payload)
{
    size_t n;
    do {
        n = payload.len < PACKET_FULL ? payload.len : PACKET_FULL;
        char head[4] = { (char)(n & 0xff), (char)(n >> 8 & 0xff), (char)(n >> 16 & 0xff),
                         (char)f->wire.sequence++ };
        buf_add(&f->wire.script, head, 4);
        buf_add(&f->wire.script, payload.ptr, n);
        payload.ptr += n;
        payload.len -= n;
    } while (n == PACKET_FULL);
}

struct made {
    uint8_t type;
    uint16_t flags;
    uint32_t end_log_pos;
    struct str body;
};

static void make_event(struct buf *out, const struct made *m)
{
    buf_add_char(out, '\0'); /* an event follows */
    size_t start = out->len;
    put_event_flags(out, m->type, m->body, true, m->flags);
    for (unsigned i = 0; i < 4; i++)
        out->data[start + 13 + i] = (char)(m->end_log_pos >> (8 * i) & 0xff);
    out->len -= 4;
    put_le(out, libdeflate_crc32(0, out->data + start, out->len - start), 4);
}

static void send_event(struct fake *f, const struct made *m)
{
    struct buf event;
    buf_init(&event, (size_t)64 << 20);
    make_event(&event, m);
    send_payload(f, buf_str(&event));
    buf_done(&event);
}

/* What every dump begins with: a rotation that names the file, and its format. */
static void send_opening(struct fake *f, uint64_t offset)
{
    struct buf b;
    buf_init(&b, 4096);
    put_le(&b, offset, 8);
    buf_add_text(&b, "binlog.000007");
    send_event(f, &(struct made){ .type = ROTATE_EVENT,
                                  .flags = EVENT_ARTIFICIAL,
                                  .body = buf_str(&b) });
    buf_clear(&b);
    put_format(&b, "9.7.0", true);
    b.data[3] = '\0'; /* the magic gives its place to the byte in front */
    send_payload(f, (struct str){ b.data + 3, b.len - 3 });
    buf_done(&b);
}

static void send_xid(struct fake *f)
{
    send_event(f, &(struct made){ .type = XID_EVENT, .body = STR("12345678") });
}

#define XID_BYTES (BINLOG_HEADER_BYTES + 8 + 4)

static int open_at(struct fake *f, const struct dump_options *o, struct error *err)
{
    struct dump_options all = *o;
    struct packet_io io = { .ctx = f, .read = fake_read, .write = fake_write };
    all.row_limit = all.event_limit = LIMIT;
    f->session = session_over(io, &(struct result_dialect){ 0 }, 1000000);
    f->dump = dump_open(f->session, &all, err);
    return f->dump != NULL ? 0 : -1;
}

static void open_fake(struct fake *f)
{
    struct error err = { 0 };
    assert_int_equal(
        open_at(f, &(struct dump_options){ .file = STR("binlog.000007") }, &err), 0);
}

static void take(struct fake *f, uint8_t type)
{
    struct event e;
    struct error err = { 0 };
    if (dump_next(f->dump, &e, &err) != 1)
        fail_msg("%s", err.text);
    assert_int_equal(e.header.type, type);
}

static void take_opening(struct fake *f)
{
    take(f, ROTATE_EVENT);
    take(f, FORMAT_DESCRIPTION_EVENT);
}

static struct error fails(struct fake *f, const char *words)
{
    struct event e;
    struct error err = { 0 };
    assert_int_equal(dump_next(f->dump, &e, &err), -1);
    if (strstr(err.text, words) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, words);
    return err;
}

/* --- commands -------------------------------------------------------------------------
 */

static void commands_are_as_the_protocol_has_them(void **state)
{
    (void)state;
    struct buf b;
    struct error err = { 0 };
    struct dump_options o = { .file = STR("binlog.000007"), .offset = 0x01020304 };
    buf_init(&b, 4096);
    dump_build_register(&b, 0x54520009);
    assert_str(buf_str(&b), "\x09\x00\x52\x54\x08tailrace\0\0\0\0\0\0\0\0\0\0\0\0");
    buf_clear(&b);
    dump_build_by_place(&b, &o, 7, 3);
    assert_str(buf_str(&b), "\x04\x03\x02\x01\x03\0\x07\0\0\0binlog.000007");
    buf_clear(&b);
    o.offset = UINT64_C(5000000000); /* has no room: from the file's head */
    dump_build_by_place(&b, &o, 7, 3);
    assert_str(buf_str(&b), "\x04\0\0\0\x03\0\x07\0\0\0binlog.000007");
    buf_clear(&b);
    struct gtid_set none = { 0 };
    assert_int_equal(dump_build_by_gtid(&b, &none, 7, 2, &err), 0);
    assert_str(buf_str(&b), "\x02\0\x07\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\x08\0\0\0"
                            "\0\0\0\0\0\0\0\0");
    buf_done(&b);
}

static void a_server_id_of_ours_is_taken_and_registered(void **state)
{
    (void)state;
    struct fake f;
    fake_init(&f);
    open_fake(&f);
    uint32_t id = dump_server_id(f.dump);
    assert_in_range(id, DUMP_SERVER_ID_FIRST, DUMP_SERVER_ID_LAST);
    struct buf want;
    buf_init(&want, 256);
    buf_add_char(&want, 0x15);
    dump_build_register(&want, id);
    assert_non_null(
        memmem(f.wire.received.data, f.wire.received.len, want.data, want.len));
    assert_non_null(
        memmem(f.wire.received.data, f.wire.received.len, "@replica_uuid", 13));
    buf_done(&want);
    fake_done(&f);
}

static void a_denied_registration_says_what_to_grant(void **state)
{
    (void)state;
    struct fake f;
    struct error err = { 0 };
    fake_init(&f);
    buf_clear(&f.wire.script);
    for (int i = 0; i < 4; i++) {
        wire_answer(&f.wire);
        if (i == 0 || i == 3)
            wire_send_error(&f.wire, i == 0 ? 1227 : 1045, "Access denied");
        else
            wire_send_bytes(&f.wire, STR("\0\0\0\2\0\0\0"));
    }
    assert_int_equal(open_at(&f, &(struct dump_options){ 0 }, &err), -1);
    assert_int_equal(err.code, ERR_AUTH);
    assert_non_null(strstr(err.hint, "REPLICATION SLAVE"));
    fake_done(&f);
}

/* --- events ---------------------------------------------------------------------------
 */

static void events_have_places_and_the_log_ends(void **state)
{
    (void)state;
    struct fake f;
    struct error err = { 0 };
    struct event e;
    fake_init(&f);
    send_opening(&f, UINT64_C(5000000000));
    send_xid(&f);
    send_xid(&f);
    wire_send_eof(&f.wire);
    open_fake(&f);
    take_opening(&f);
    assert_false(dump_place(f.dump)->real);
    for (uint64_t i = 0; i < 2; i++) {
        assert_int_equal(dump_next(f.dump, &e, &err), 1);
        assert_true(e.offset == UINT64_C(5000000000) + i * XID_BYTES);
        assert_true(e.end == e.offset + XID_BYTES && dump_place(f.dump)->real);
        assert_string_equal(dump_place(f.dump)->file, "binlog.000007");
    }
    assert_int_equal(dump_next(f.dump, &e, &err), 0);
    assert_int_equal(dump_next(f.dump, &e, &err), 0);
    fake_done(&f);
}

static void an_event_of_several_packets_is_walked(void **state)
{
    (void)state;
    struct fake f;
    struct error err = { 0 };
    struct event e;
    struct buf body;
    /* exactly two full packets and an empty one, and one byte more */
    for (unsigned more = 0; more < 2; more++) {
        size_t n = (size_t)PACKET_FULL * 2 - 1 - BINLOG_HEADER_BYTES - 4 + more;
        fake_init(&f);
        buf_init(&body, (size_t)64 << 20);
        memset(buf_reserve(&body, n), 'x', n);
        buf_advance(&body, n);
        send_opening(&f, 4);
        send_event(&f,
                   &(struct made){ .type = WRITE_ROWS_EVENT, .body = buf_str(&body) });
        send_xid(&f);
        open_fake(&f);
        take_opening(&f);
        assert_int_equal(dump_next(f.dump, &e, &err), 1);
        assert_false(e.whole);
        struct window *w = binlog_body(dump_binlog(f.dump));
        size_t seen = 0;
        while (window_fill(w, 1, &err) == 1) {
            seen += window_rest(w).len;
            window_skip(w, window_rest(w).len);
        }
        assert_int_equal(seen, n);
        take(&f, XID_EVENT);
        buf_done(&body);
        fake_done(&f);
    }
}

static void what_a_server_leaves_out_moves_the_place(void **state)
{
    (void)state;
    struct fake f;
    char body[64] = { 1, 13 }; /* heartbeat: field 1, 13 bytes of name */
    fake_init(&f);
    memcpy(body + 2, "binlog.000007", 13);
    memcpy(body + 15, "\x02\x09\xfe\0\0\0\0\x01\0\0\0", 11); /* field 2: 2^32 */
    send_opening(&f, 4);
    send_event(&f, &(struct made){ .type = GTID_EVENT,
                                   .end_log_pos = 1000,
                                   .body = STR("0123456789") });
    send_xid(&f);
    send_event(&f, &(struct made){ .type = HEARTBEAT_EVENT_V2, .body = { body, 26 } });
    send_event(&f, &(struct made){ .type = HEARTBEAT_EVENT,
                                   .end_log_pos = 77,
                                   .body = STR("binlog.000007") });
    open_fake(&f);
    take_opening(&f);
    take(&f, GTID_EVENT);
    assert_int_equal(dump_place(f.dump)->end, 1000);
    assert_int_equal(dump_place(f.dump)->offset, 1000 - BINLOG_HEADER_BYTES - 14);
    take(&f, XID_EVENT);
    assert_int_equal(dump_place(f.dump)->offset, 1000);
    take(&f, HEARTBEAT_EVENT_V2);
    assert_true(dump_place(f.dump)->next == UINT64_C(1) << 32);
    assert_false(dump_place(f.dump)->real);
    take(&f, HEARTBEAT_EVENT);
    assert_true(dump_place(f.dump)->next == (UINT64_C(1) << 32) + 77);
    fake_done(&f);
}

static void a_start_past_4_gib_drops_what_is_before(void **state)
{
    (void)state;
    struct fake f;
    struct error err = { 0 };
    struct event e;
    uint64_t place = (UINT64_C(1) << 32) + XID_BYTES;
    char body[64] = { 1, 13 };
    memcpy(body + 2, "binlog.000007", 13);
    memcpy(body + 15, "\x02\x09\xfe\0\0\0\0\x01\0\0\0", 11);
    for (unsigned wrong = 0; wrong < 2; wrong++) {
        struct dump_options o = { .file = STR("binlog.000007"), .offset = place + wrong };
        fake_init(&f);
        send_opening(&f, 4);
        send_xid(&f);
        send_event(&f,
                   &(struct made){ .type = HEARTBEAT_EVENT_V2, .body = { body, 26 } });
        send_xid(&f);
        send_event(&f, &(struct made){ .type = STOP_EVENT, .body = STR("") });
        assert_int_equal(open_at(&f, &o, &err), 0);
        take_opening(&f);
        take(&f, HEARTBEAT_EVENT_V2);
        if (wrong == 0) {
            assert_int_equal(dump_next(f.dump, &e, &err), 1);
            assert_int_equal(e.header.type, STOP_EVENT);
            assert_true(e.offset == place);
        } else {
            err = fails(&f, "no event of the log starts at 4294967328");
            assert_int_equal(err.code, ERR_POSITION);
        }
        fake_done(&f);
    }
}

/* --- damage ---------------------------------------------------------------------------
 */

static void a_server_that_goes_away_is_an_error(void **state)
{
    (void)state;
    struct fake f;
    fake_init(&f);
    send_opening(&f, 4);
    send_xid(&f);
    open_fake(&f);
    take_opening(&f);
    take(&f, XID_EVENT);
    assert_int_equal(fails(&f, "the server closed the connection").code, ERR_NETWORK);
    fake_done(&f);
    fake_init(&f);
    send_opening(&f, 4);
    send_xid(&f);
    f.wire.script.len -= 5; /* in the middle of an event */
    open_fake(&f);
    take_opening(&f);
    assert_int_equal(fails(&f, "the server closed the connection").code, ERR_NETWORK);
    fake_done(&f);
}

static void silence_is_an_error_that_says_so(void **state)
{
    (void)state;
    struct fake f;
    fake_init(&f);
    f.silent = true;
    send_opening(&f, 4);
    send_xid(&f);
    open_fake(&f);
    take_opening(&f);
    take(&f, XID_EVENT);
    assert_true(dump_is_idle(f.dump));
    struct error err =
        fails(&f, "'binlog.000007' at 35: the server was silent for 30000 ms");
    assert_int_equal(err.code, ERR_NETWORK);
    fake_done(&f);
}

static void an_error_midway_comes_behind_the_events_before_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum error_code code;
    } cases[] = {
        { "A replica with the same server_uuid/server_id as this replica has connected "
          "to "
          "the source",
          ERR_NETWORK },
        { "Cannot replicate because the source purged required binary logs.",
          ERR_POSITION },
        { "Could not find first log file name in binary log index file", ERR_POSITION },
        { "Binary log is not open", ERR_CONFIG },
        { "I/O error reading log event", ERR_PROTOCOL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake f;
        fake_init(&f);
        send_opening(&f, 4);
        send_xid(&f);
        wire_send_error(&f.wire, 1236, cases[i].text);
        open_fake(&f);
        take_opening(&f);
        assert_false(dump_is_idle(f.dump));
        take(&f, XID_EVENT);
        struct error err = fails(&f, cases[i].text);
        assert_int_equal(err.code, cases[i].code);
        assert_int_equal(err.remote, 1236);
        assert_non_null(err.hint);
        fake_done(&f);
    }
}

static void packets_that_are_no_whole_event_are_refused(void **state)
{
    (void)state;
    for (int change = -1; change <= 1; change += 2) {
        struct fake f;
        struct buf event;
        buf_init(&event, 4096);
        fake_init(&f);
        send_opening(&f, 4);
        make_event(&event, &(struct made){ .type = XID_EVENT, .body = STR("12345678") });
        buf_add_char(&event, 'x');
        send_payload(&f,
                     (struct str){ event.data, XID_BYTES + 1 + (size_t)(change + 1) / 2 -
                                                   (size_t)(1 - change) / 2 });
        send_xid(&f);
        open_fake(&f);
        take_opening(&f);
        assert_int_equal(fails(&f, "an event of 31 bytes came in a packet").code,
                         ERR_PROTOCOL);
        buf_done(&event);
        fake_done(&f);
    }
}

static void other_packets_are_refused(void **state)
{
    (void)state;
    struct fake f;
    fake_init(&f);
    send_opening(&f, 4);
    wire_send_bytes(&f.wire, STR("\x07what"));
    open_fake(&f);
    take_opening(&f);
    (void)fails(&f, "a packet that starts with 7 is no event");
    fake_done(&f);
    fake_init(&f);
    wire_send_bytes(&f.wire, STR(""));
    open_fake(&f);
    (void)fails(&f, "an empty packet");
    fake_done(&f);
}

static void a_wrong_checksum_is_found(void **state)
{
    (void)state;
    struct fake f;
    fake_init(&f);
    send_opening(&f, 4);
    send_xid(&f);
    f.wire.script.data[f.wire.script.len - 6] ^= 1;
    open_fake(&f);
    take_opening(&f);
    assert_int_equal(fails(&f, "the event's checksum does not match").code, ERR_PROTOCOL);
    fake_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_as_the_protocol_has_them),
        cmocka_unit_test(a_server_id_of_ours_is_taken_and_registered),
        cmocka_unit_test(a_denied_registration_says_what_to_grant),
        cmocka_unit_test(events_have_places_and_the_log_ends),
        cmocka_unit_test(an_event_of_several_packets_is_walked),
        cmocka_unit_test(what_a_server_leaves_out_moves_the_place),
        cmocka_unit_test(a_start_past_4_gib_drops_what_is_before),
        cmocka_unit_test(a_server_that_goes_away_is_an_error),
        cmocka_unit_test(silence_is_an_error_that_says_so),
        cmocka_unit_test(an_error_midway_comes_behind_the_events_before_it),
        cmocka_unit_test(packets_that_are_no_whole_event_are_refused),
        cmocka_unit_test(other_packets_are_refused),
        cmocka_unit_test(a_wrong_checksum_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
