/* Framing: lengths at the 16 MiB edge, cut payloads, broken sequences, deadlines, cancel.
 */
#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "mysql/packet.h"
#include "support/test.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#define FULL 0xffffffu

/* Bytes that a peer has sent, given out in pieces; and those that it received. */
struct peer {
    struct buf out, in;
    size_t at, piece;
};

static ssize_t peer_read(void *ctx, void *bytes, size_t n, int64_t timeout_us,
                         struct error *err)
{
    struct peer *p = ctx;
    (void)timeout_us;
    (void)err;
    size_t left = p->out.len - p->at;
    if (n > left)
        n = left;
    if (n > p->piece)
        n = p->piece;
    if (n > 0)
        memcpy(bytes, p->out.data + p->at, n);
    p->at += n;
    return (ssize_t)n;
}

static int peer_write(void *ctx, const void *bytes, size_t n, int64_t timeout_us,
                      struct error *err)
{
    struct peer *p = ctx;
    (void)timeout_us;
    (void)err;
    buf_add(&p->in, bytes, n);
    return 0;
}

static void add_header(struct buf *b, size_t n, unsigned sequence)
{
    buf_add_char(b, (char)(n & 0xff));
    buf_add_char(b, (char)(n >> 8 & 0xff));
    buf_add_char(b, (char)(n >> 16 & 0xff));
    buf_add_char(b, (char)sequence);
}

/* A payload of n bytes that tell their own place, as the protocol splits it. */
static void add_payload(struct buf *b, size_t n, unsigned *sequence)
{
    size_t at = 0;
    size_t now;
    do {
        now = n - at < FULL ? n - at : FULL;
        add_header(b, now, (*sequence)++);
        char *to = buf_reserve(b, now);
        for (size_t i = 0; i < now; i++)
            to[i] = (char)((at + i) * 31 >> 3);
        buf_advance(b, now);
        at += now;
    } while (now == FULL);
}

static bool is_payload(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] != (char)(i * 31 >> 3))
            return false;
    return true;
}

struct fixture {
    struct peer peer;
    struct packet_stream stream;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    buf_init(&f->peer.out, 128u << 20);
    buf_init(&f->peer.in, 64u << 20);
    f->peer.piece = 1u << 20;
    packet_init(
        &f->stream,
        (struct packet_io){ .ctx = &f->peer, .read = peer_read, .write = peer_write },
        1000000, 1000000);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    packet_done(&f->stream);
    buf_done(&f->peer.out);
    buf_done(&f->peer.in);
    free(f);
    return 0;
}

static void payloads_of_every_size_around_the_window_and_the_split_arrive(void **state)
{
    struct fixture *f = *state;
    static const size_t sizes[] = { 0,        1,        65531,    65532,       65533,
                                    65536,    65537,    FULL - 1, FULL,        FULL + 1,
                                    2 * FULL, 1u << 20, 5,        2 * FULL + 3 };
    struct error err = { 0 };
    struct packet got;
    unsigned sequence = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        add_payload(&f->peer.out, sizes[i], &sequence);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(packet_read(&f->stream, 64u << 20, &got, &err), 0);
        assert_int_equal(got.size, sizes[i]);
        assert_int_equal(got.head.len, sizes[i]);
        assert_false(got.cut);
        assert_true(is_payload(got.head));
    }
    assert_int_equal(f->stream.bytes_read, f->peer.out.len);
}

static void bytes_that_trickle_one_by_one_make_the_same_payloads(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct packet got;
    unsigned sequence = 0;
    f->peer.piece = 1;
    for (size_t n = 0; n < 400; n++)
        add_payload(&f->peer.out, n, &sequence);
    for (size_t n = 0; n < 400; n++) {
        assert_int_equal(packet_read(&f->stream, 1000, &got, &err), 0);
        assert_int_equal(got.head.len, n);
        assert_true(is_payload(got.head));
    }
}

static void an_oversize_payload_keeps_its_head_and_the_stream_goes_on(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct packet got;
    unsigned sequence = 0;
    add_payload(&f->peer.out, FULL + 12345, &sequence);
    add_payload(&f->peer.out, 1001, &sequence);
    add_payload(&f->peer.out, 70000, &sequence);
    add_payload(&f->peer.out, 1000, &sequence);
    assert_int_equal(packet_read(&f->stream, 1u << 20, &got, &err), 0);
    assert_true(got.cut);
    assert_int_equal(got.size, FULL + 12345);
    assert_int_equal(got.head.len, PACKET_HEAD_BYTES);
    assert_true(is_payload(got.head));
    assert_true(f->stream.whole.cap <= 1u << 20);
    assert_int_equal(packet_read(&f->stream, 1000, &got, &err), 0);
    assert_true(got.cut);
    assert_int_equal(got.size, 1001);
    assert_true(got.head.len <= 1000 && is_payload(got.head));
    assert_int_equal(packet_read(&f->stream, 69999, &got, &err), 0);
    assert_true(got.cut);
    assert_int_equal(got.head.len, PACKET_HEAD_BYTES);
    assert_int_equal(packet_read(&f->stream, 1000, &got, &err), 0);
    assert_false(got.cut);
    assert_int_equal(got.head.len, 1000);
}

static void a_wrong_sequence_number_breaks_the_stream_for_good(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct packet got;
    unsigned sequence = 0;
    add_payload(&f->peer.out, 10, &sequence);
    sequence = 2;
    add_payload(&f->peer.out, 10, &sequence);
    assert_int_equal(packet_read(&f->stream, 100, &got, &err), 0);
    assert_int_equal(packet_read(&f->stream, 100, &got, &err), -1);
    assert_int_equal(err.code, ERR_PROTOCOL);
    assert_string_equal(err.text, "packet 2 arrived where packet 1 was due");
    assert_int_equal(packet_read(&f->stream, 100, &got, &err), -1);
    assert_int_equal(packet_command(&f->stream, 1, STR("x"), &err), -1);
    assert_int_equal(err.code, ERR_NETWORK);
}

static void a_payload_that_ends_early_is_a_lost_connection(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct packet got;
    unsigned sequence = 0;
    add_payload(&f->peer.out, 100, &sequence);
    f->peer.out.len--;
    assert_int_equal(packet_read(&f->stream, 1000, &got, &err), -1);
    assert_int_equal(err.code, ERR_NETWORK);
    assert_string_equal(err.text, "the server closed the connection");
}

static void parts_give_every_byte_once(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct str part;
    unsigned sequence = 0;
    size_t at = 0;
    int more;
    add_payload(&f->peer.out, FULL + 77, &sequence);
    assert_int_equal(packet_begin(&f->stream, &err), 0);
    while ((more = packet_part(&f->stream, &part, &err)) > 0) {
        assert_true(part.len > 0 && part.len <= PACKET_WINDOW_BYTES);
        for (size_t i = 0; i < part.len; i++)
            assert_true(part.ptr[i] == (char)((at + i) * 31 >> 3));
        at += part.len;
    }
    assert_int_equal(more, 0);
    assert_int_equal(at, FULL + 77);
}

static void commands_are_split_like_payloads(void **state)
{
    struct fixture *f = *state;
    static const size_t sizes[] = { 0, 1, 511, 512, 513, FULL - 2, FULL - 1, FULL };
    struct error err = { 0 };
    char *body = xcalloc(1, FULL + 1);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t payload = sizes[i] + 1;
        buf_clear(&f->peer.in);
        memset(body, 'b', sizes[i] > 0 ? sizes[i] : 1);
        assert_int_equal(
            packet_command(&f->stream, 3, (struct str){ body, sizes[i] }, &err), 0);
        size_t packets = payload / FULL + 1;
        assert_int_equal(f->peer.in.len, payload + 4 * packets);
        const uint8_t *h = (const uint8_t *)f->peer.in.data;
        size_t first = payload < FULL ? payload : FULL;
        assert_int_equal(h[0] | h[1] << 8 | h[2] << 16, first);
        assert_int_equal(h[3], 0);
        assert_int_equal(h[4], 3);
        if (packets == 2)
            assert_int_equal(h[4 + FULL + 3], 1);
    }
    free(body);
}

/* A real socket, so that waiting is real. */
struct wire {
    int fd;
    struct cancel *cancel;
};

static ssize_t wire_read(void *ctx, void *bytes, size_t n, int64_t timeout_us,
                         struct error *err)
{
    struct wire *w = ctx;
    ssize_t got = recv(w->fd, bytes, n, MSG_DONTWAIT);
    if (got >= 0)
        return got;
    switch (clock_poll(w->fd, POLLIN, w->cancel, timeout_us)) {
    case 1:
        return recv(w->fd, bytes, n, MSG_DONTWAIT);
    case 0:
        return error_set(err, ERR_NETWORK, "late");
    default:
        return error_set(err, ERR_CANCELLED, "stopped");
    }
}

static void a_silent_peer_ends_at_the_deadline_or_the_cancel(void **state)
{
    (void)state;
    int fds[2];
    struct error err = { 0 };
    struct packet got;
    struct packet_stream p;
    struct wire w = { .cancel = cancel_new() };
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    w.fd = fds[0];
    packet_init(&p, (struct packet_io){ .ctx = &w, .read = wire_read }, 20000, 20000);
    assert_int_equal(send(fds[1], "\5\0\0", 3, 0), 3);
    int64_t start = clock_mono_us();
    assert_int_equal(packet_read(&p, 100, &got, &err), -1);
    assert_int_equal(err.code, ERR_NETWORK);
    assert_true(clock_mono_us() - start >= 20000);
    packet_done(&p);
    packet_init(&p, (struct packet_io){ .ctx = &w, .read = wire_read }, 60000000, 20000);
    cancel_request(w.cancel, CANCEL_HARD);
    assert_int_equal(packet_read(&p, 100, &got, &err), -1);
    assert_int_equal(err.code, ERR_CANCELLED);
    packet_done(&p);
    cancel_free(w.cancel);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            payloads_of_every_size_around_the_window_and_the_split_arrive, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            bytes_that_trickle_one_by_one_make_the_same_payloads, setup, teardown),
        cmocka_unit_test_setup_teardown(
            an_oversize_payload_keeps_its_head_and_the_stream_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_wrong_sequence_number_breaks_the_stream_for_good, setup, teardown),
        cmocka_unit_test_setup_teardown(a_payload_that_ends_early_is_a_lost_connection,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(parts_give_every_byte_once, setup, teardown),
        cmocka_unit_test_setup_teardown(commands_are_split_like_payloads, setup,
                                        teardown),
        cmocka_unit_test(a_silent_peer_ends_at_the_deadline_or_the_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
