#include "warehouse/frame.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_STEP_BYTES ((size_t)256 * 1024)

void frame_begin(struct buf *b)
{
    static const char room[FRAME_HEAD_BYTES] = { 0 };
    buf_clear(b);
    buf_add(b, room, sizeof(room));
}

int frame_end(struct buf *b, struct error *err)
{
    if (buf_check(b, "a message of the warehouse", err) != 0)
        return -1;
    uint32_t length = (uint32_t)(b->len - FRAME_HEAD_BYTES);
    for (unsigned i = 0; i < FRAME_HEAD_BYTES; i++)
        b->data[i] = (char)(unsigned char)(length >> (8 * i));
    return 0;
}

static int peer_gone(struct error *err)
{
    return error_set(err, ERR_TARGET, "the warehouse connection was closed by the peer");
}

/* Ready within the time, or why not. */
static int wait_ready(int fd, short events, struct cancel *c, int64_t us,
                      struct error *err)
{
    int ready = clock_poll(fd, events, c, us);
    if (ready == 1)
        return 0;
    if (ready < 0)
        return cancel_check(c, err);
    return error_set(err, ERR_TARGET, "the warehouse connection stands still");
}

int frame_send(int fd, struct str message, struct cancel *c, struct error *err)
{
    while (message.len > 0) {
        ssize_t n = send(fd, message.ptr, message.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            message.ptr += n;
            message.len -= (size_t)n;
        } else if (n < 0 && (errno == EAGAIN)) {
            if (wait_ready(fd, POLLOUT, c, FRAME_STALL_US, err) != 0)
                return -1;
        } else if (n < 0 && errno != EINTR) {
            return peer_gone(err);
        }
    }
    return 0;
}

/* Append exactly n bytes. 1: done, 0: the end before the first byte, -1: failed. */
static int receive_bytes(int fd, struct buf *out, size_t n, int64_t first_us,
                         struct cancel *c, struct error *err)
{
    size_t left = n;
    while (left > 0) {
        size_t step = left < READ_STEP_BYTES ? left : READ_STEP_BYTES;
        char *room = buf_reserve(out, step);
        if (room == NULL)
            return buf_check(out, "a message of the warehouse", err);
        if (wait_ready(fd, POLLIN, c, left == n ? first_us : FRAME_STALL_US, err) != 0)
            return -1;
        ssize_t got = read(fd, room, step);
        if (got > 0) {
            buf_advance(out, (size_t)got);
            left -= (size_t)got;
        } else if (got == 0 && left == n) {
            return 0;
        } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
            return peer_gone(err);
        }
    }
    return 1;
}

int frame_receive(int fd, struct buf *out, struct cancel *c, struct error *err)
{
    uint32_t length = 0;
    buf_clear(out);
    int rc = receive_bytes(fd, out, FRAME_HEAD_BYTES, -1, c, err);
    if (rc != 1)
        return rc;
    for (unsigned i = 0; i < FRAME_HEAD_BYTES; i++)
        length |= (uint32_t)(unsigned char)out->data[i] << (8 * i);
    buf_clear(out);
    if (length == 0 || length > FRAME_LIMIT_BYTES)
        return error_set(err, ERR_PROTOCOL, "a message of the warehouse claims %u bytes",
                         length);
    rc = receive_bytes(fd, out, length, FRAME_STALL_US, c, err);
    return rc == 0 ? peer_gone(err) : rc;
}
