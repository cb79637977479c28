/* src/base/clock.h
 *
 * Time, waiting and backoff. All instants are int64_t microseconds; wall time counts from
 * 1970-01-01 UTC. Tests may replace the wall clock; nothing else in the tree sleeps.
 *
 * Thread: any, but clock_set_wall() only before threads start.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/cancel.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

int64_t clock_wall_us(void);
int64_t clock_mono_us(void);

/* For tests: a function that replaces the wall clock; NULL restores it. */
void clock_set_wall(int64_t (*now_us)(void));

/* Wait; false when the cancel object was requested before the time was over. c may be
 * NULL. */
bool clock_wait_us(struct cancel *c, int64_t us);

/* Wait until fd is ready for `events` of poll(2). 1 ready, 0 timed out, -1 cancelled.
 * timeout_us < 0 waits without limit. */
int clock_poll(int fd, short events, struct cancel *c, int64_t timeout_us);

/* Capped exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter",
 * AWS Architecture Blog, 2015): a random wait in [0, min(cap, first * 2^tries)]. */
struct backoff {
    int64_t first_us;
    int64_t cap_us;
    unsigned tries;
};
int64_t backoff_next_us(struct backoff *b);

#define CLOCK_TEXT_MAX 32
/* "2026-03-01T12:00:00.123456Z"; returns out. */
const char *clock_format(int64_t wall_us, char out[CLOCK_TEXT_MAX]);

#endif
