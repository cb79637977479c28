#include "mysql/window.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What is read at a time when nobody asked for more. */
#define CHUNK_BYTES ((size_t)64 << 10)

void window_init(struct window *w, struct byte_source source, size_t limit,
                 const char *what)
{
    *w = (struct window){ .source = source, .what = what, .limit = limit };
}

void window_over(struct window *w, struct str s)
{
    *w = (struct window){ .bytes = s.ptr, .end = s.len, .ended = true };
}

void window_done(struct window *w)
{
    free(w->data);
    *w = (struct window){ .ended = true };
}

void window_restart(struct window *w, struct byte_source source)
{
    w->source = source;
    w->bytes = w->data;
    w->pos = w->end = 0;
    w->offset = 0;
    w->ended = false;
}

void window_restart_over(struct window *w, struct str s)
{
    w->bytes = s.ptr;
    w->pos = 0;
    w->end = s.len;
    w->offset = 0;
    w->ended = true;
}

/* Room for n bytes from pos on: first by moving what is here to the front. */
static void make_room(struct window *w, size_t n)
{
    size_t have = w->end - w->pos;
    if (w->cap - w->pos >= n)
        return;
    if (have > 0)
        memmove(w->data, w->data + w->pos, have);
    w->pos = 0;
    w->end = have;
    if (w->cap >= n)
        return;
    size_t cap = w->cap < CHUNK_BYTES ? CHUNK_BYTES : w->cap;
    while (cap < n)
        cap *= 2;
    w->data = xreallocarray(w->data, cap, 1);
    w->bytes = w->data;
    w->cap = cap;
}

int window_fill(struct window *w, size_t n, struct error *err)
{
    if (w->end - w->pos >= n)
        return 1;
    if (w->ended)
        return 0;
    if (n > w->limit)
        return error_set(err, ERR_LIMIT, "%s needs more than %zu bytes", w->what,
                         w->limit);
    make_room(w, n);
    while (w->end - w->pos < n) {
        ssize_t got =
            w->source.read(w->source.ctx, w->data + w->end, w->cap - w->end, err);
        if (got < 0)
            return -1;
        if (got == 0) {
            w->ended = true;
            return 0;
        }
        w->end += (size_t)got;
    }
    return 1;
}

struct str window_rest(const struct window *w)
{
    return (struct str){ w->bytes + w->pos, w->end - w->pos };
}

void window_skip(struct window *w, size_t n)
{
    assert(n <= w->end - w->pos);
    w->pos += n;
    w->offset += n;
}
