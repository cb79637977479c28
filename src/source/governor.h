/* src/source/governor.h
 *
 * Gentle by default: what all readers of one source share. It hands out turns (how many
 * connections may read at once), meters bytes (source_mb_per_s), and watches the source
 * for strain: a page that takes more than three times the median time per byte of the
 * table's first pages, or Threads_running past source_busy. Under strain half the turns
 * go, then reading pauses; each step is a log event. Calm brings the turns back one by
 * one.
 *
 * Lock order: one lock of its own, nothing is called while it is held.
 * Thread: any, for every function but governor_free().
 */
#ifndef SOURCE_GOVERNOR_H
#define SOURCE_GOVERNOR_H

#include "base/cancel.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct governor_options {
    unsigned connections; /* turns at most: option source_connections */
    uint64_t bytes_per_s; /* option source_rate; 0: no ceiling */
    uint64_t
        threads_busy; /* option source_busy; 0: twice the value at start, at least 16 */
    int64_t pause_us; /* option source_pause: how long a pause lasts */
};

struct governor;

struct governor *governor_new(const struct governor_options *o, struct cancel *c);
void governor_free(struct governor *g);

/* A turn to read one page; waits. governor_leave() gives it back. ERR_CANCELLED. */
int governor_enter(struct governor *g, struct error *err);
void governor_leave(struct governor *g);

/* Account bytes as they arrive; waits as long as the rate demands. ERR_CANCELLED. */
int governor_bytes(struct governor *g, uint64_t bytes, struct error *err);

/* What the pages of one table are compared with; the caller keeps one per table. */
#define GOVERNOR_FIRST_PAGES 8
struct page_pace {
    double first[GOVERNOR_FIRST_PAGES]; /* microseconds per byte */
    unsigned count;
};

/* A page ended: was it slow for its table? Feeds the strain measure. */
void governor_page(struct governor *g, struct page_pace *pace, const char *table,
                   uint64_t bytes, int64_t took_us);

/* The latest Threads_running; the first sets the base line. Called about once a second.
 */
void governor_threads_running(struct governor *g, uint64_t running);

/* For tests: another clock, before the first reader. now_us is monotonic; wait_us lets
 * time pass and says false when the wait was cancelled. */
void governor_set_clock(struct governor *g, int64_t (*now_us)(void),
                        bool (*wait_us)(struct cancel *c, int64_t us));

struct governor_state {
    unsigned turns;
    bool paused;
    uint64_t times_halved, times_paused;
};
void governor_state(struct governor *g, struct governor_state *out);

#endif
