/* src/source/key_internal.h
 *
 * Clocks and times of key-based reading, shared by the parts of key.h; pure, so that a
 * test can set the clock.
 */
#ifndef SOURCE_KEY_INTERNAL_H
#define SOURCE_KEY_INTERNAL_H

#include "base/arena.h"
#include "row/schema.h"

#include <stdbool.h>
#include <stdint.h>

/* "2024-01-01 10:00:00.123456" as microseconds since 1970; false for what is no time that
 * exists. */
bool key_time_parse(struct str text, int64_t *us);

/* A time as a part of a key tuple, cut off at the column's precision. */
struct str key_time_part(struct arena *a, const struct column *key, int64_t us);

/* One moment on the source's clocks, microseconds since 1970: UTC, and what the server's
 * global time zone shows then and three hours before and after. */
struct key_clock {
    int64_t utc, local;
    int64_t local_before, local_after;
};

/* What a time key's greatest value is worth at that moment: keys that are handed out
 * later are not below it. */
enum key_trust {
    KEY_TRUST_MAX, /* the greatest value, less *drop */
    KEY_TRUST_NOW, /* it lies in the future: *now instead (drop is in it) */
};

/* *drop: how far the local clock steps back within three hours of this moment (the end
 * of summer time), as keys do then; 0 mostly. */
enum key_trust key_trust_of(const struct key_clock *c, const struct column *key,
                            int64_t max, int64_t *now, int64_t *drop);

#endif
