/* src/mysql/window.h
 *
 * A sliding look at bytes that arrive: what a decoder needs at a time lies in one piece,
 * the rest has not been read yet or is gone. Windows stack: the events of a file, the
 * body of one event, what is unpacked from it.
 *
 *   source ──read──▶ [ gone │ pos ... end │ room ]
 *                             └ window_rest()
 *
 * The ceiling is the most that ever lies in one piece: a row, or an event that must be
 * whole. window_fill() past it is ERR_LIMIT and names the ceiling.
 *
 * Errors: ERR_LIMIT, and what the source reports. Thread: one at a time.
 */
#ifndef MYSQL_WINDOW_H
#define MYSQL_WINDOW_H

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Where bytes come from: 1 to n bytes, 0 at the end, -1 with err. */
struct byte_source {
    void *ctx;
    ssize_t (*read)(void *ctx, void *bytes, size_t n, struct error *err);
};

struct window {
    struct byte_source source;
    const char *what;  /* static: what the ceiling bounds, with its option's name */
    char *data;        /* owned, or NULL */
    const char *bytes; /* data, or what window_over() lent */
    size_t pos, end, cap;
    size_t limit;
    uint64_t offset; /* of bytes[pos] among all that came through */
    bool ended;
};

void window_init(struct window *w, struct byte_source source, size_t limit,
                 const char *what);

/* The same over bytes that are all here; they are borrowed. */
void window_over(struct window *w, struct str s);
void window_done(struct window *w);

/* Start again with another source or other bytes; memory and ceiling are kept. */
void window_restart(struct window *w, struct byte_source source);
void window_restart_over(struct window *w, struct str s);

/* Have n bytes in one piece: 1; or 0 when the source ends before. What was lent before is
 * gone. */
int window_fill(struct window *w, size_t n, struct error *err);

/* All bytes that are here, at least those that were asked for. Valid until the next fill.
 */
struct str window_rest(const struct window *w);

/* Go on by n bytes of window_rest(). */
void window_skip(struct window *w, size_t n);

#endif
