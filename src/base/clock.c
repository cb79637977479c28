#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#define US_PER_S INT64_C(1000000)
#define LONGEST_POLL_US (INT64_C(86400) * US_PER_S)

/* Set by tests before threads start, constant afterwards. */
static int64_t (*wall_for_tests)(void);

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    (void)clock_gettime(id, &now); /* cannot fail for the two clocks asked here */
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
    return wall_for_tests != NULL ? wall_for_tests() : read_clock(CLOCK_REALTIME);
}

int64_t clock_mono_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

void clock_set_wall(int64_t (*now_us)(void))
{
    wall_for_tests = now_us;
}

/* One ppoll of at most a day: callers loop. */
static int poll_once(struct pollfd *fds, nfds_t count, int64_t left_us)
{
    struct timespec t;
    if (left_us < 0 || left_us > LONGEST_POLL_US)
        left_us = LONGEST_POLL_US;
    t.tv_sec = left_us / US_PER_S;
    t.tv_nsec = left_us % US_PER_S * 1000;
    return ppoll(fds, count, &t, NULL);
}

int clock_poll(int fd, short events, struct cancel *c, int64_t timeout_us)
{
    struct pollfd fds[2] = {
        { .fd = cancel_fd(c), .events = POLLIN },
        { .fd = fd, .events = events },
    };
    int64_t start = clock_mono_us();
    for (;;) {
        int64_t left = -1;
        if (timeout_us >= 0) {
            left = timeout_us - (clock_mono_us() - start);
            if (left < 0)
                left = 0;
        }
        int n = poll_once(fds, 2, left);
        if (n > 0 && fds[0].revents != 0)
            return -1;
        if (n > 0)
            return 1; /* an error on fd counts as ready: the next call on it will tell */
        if (n < 0 && errno != EINTR)
            return 1;
        if (left == 0 && n == 0)
            return 0;
    }
}

bool clock_wait_us(struct cancel *c, int64_t us)
{
    /* A descriptor of -1 is ignored by poll(2), so this is a pure wait. */
    return clock_poll(-1, 0, c, us < 0 ? 0 : us) == 0;
}

static uint64_t random_below(uint64_t bound)
{
    uint64_t v;
    if (getrandom(&v, sizeof(v), GRND_NONBLOCK) != (ssize_t)sizeof(v))
        v = (uint64_t)clock_mono_us(); /* early at boot; jitter need not be secret */
    return v % bound;
}

int64_t backoff_next_us(struct backoff *b)
{
    int64_t most = b->first_us;
    for (unsigned i = 0; i < b->tries && most < b->cap_us; i++)
        most = most > b->cap_us / 2 ? b->cap_us : most * 2;
    if (most > b->cap_us)
        most = b->cap_us;
    if (b->tries < 64)
        b->tries++;
    return most <= 0 ? 0 : (int64_t)random_below((uint64_t)most + 1);
}

const char *clock_format(int64_t wall_us, char out[CLOCK_TEXT_MAX])
{
    int64_t s = wall_us / US_PER_S;
    int64_t us = wall_us % US_PER_S;
    if (us < 0) {
        us += US_PER_S;
        s--;
    }
    time_t seconds = (time_t)s;
    struct tm t;
    if (gmtime_r(&seconds, &t) == NULL)
        t = (struct tm){
            0
        }; /* years beyond int: no int64_t of microseconds reaches them */
    size_t n = strftime(out, CLOCK_TEXT_MAX - 9, "%Y-%m-%dT%H:%M:%S", &t);
    (void)snprintf(out + n, CLOCK_TEXT_MAX - n, ".%06dZ", (int)us);
    return out;
}
