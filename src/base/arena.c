#include "base/arena.h"

#include "base/alloc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define ALIGNMENT _Alignof(max_align_t)
#define FIRST_CHUNK_BYTES 4096
#define LARGEST_CHUNK_BYTES (1024 * 1024)

/* Chunks are zeroed when they are made and never reused, so allocations are zeroed. */
struct chunk {
    struct chunk *next; /* owned; the older ones */
    size_t used;
    size_t size;
    max_align_t bytes[];
};

struct arena {
    struct chunk *newest; /* owned */
    size_t used;
    size_t limit;
    size_t next_chunk;
};

struct arena *arena_new(size_t limit_bytes)
{
    struct arena *a = xcalloc(1, sizeof(*a));
    a->limit = limit_bytes;
    a->next_chunk = FIRST_CHUNK_BYTES;
    return a;
}

void arena_free(struct arena *a)
{
    if (a == NULL)
        return;
    for (struct chunk *c = a->newest; c != NULL;) {
        struct chunk *older = c->next;
        free(c);
        c = older;
    }
    free(a);
}

void arena_free_at(struct arena **a)
{
    arena_free(*a);
    *a = NULL;
}

static struct chunk *add_chunk(struct arena *a, size_t at_least)
{
    size_t size = a->next_chunk > at_least ? a->next_chunk : at_least;
    struct chunk *c = xcalloc(1, sizeof(*c) + size);
    c->size = size;
    c->next = a->newest;
    a->newest = c;
    if (a->next_chunk < LARGEST_CHUNK_BYTES)
        a->next_chunk *= 2;
    return c;
}

void *arena_try(struct arena *a, size_t bytes)
{
    size_t free_bytes = a->limit - a->used;
    if (bytes > free_bytes)
        return NULL;
    /* The padding counts, but what fits without it fits. */
    size_t padded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (padded == 0)
        padded = ALIGNMENT;
    struct chunk *c = a->newest;
    if (c == NULL || padded > c->size - c->used)
        c = add_chunk(a, padded);
    void *p = (char *)c->bytes + c->used;
    c->used += padded;
    a->used += padded < free_bytes ? padded : free_bytes;
    return p;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    void *p = arena_try(a, bytes);
    if (p == NULL) {
        (void)fprintf(stderr, "tailrace: %zu bytes do not fit an arena of %zu bytes\n",
                      bytes, a->limit);
        abort();
    }
    return p;
}

struct str arena_str(struct arena *a, struct str s)
{
    char *copy = arena_alloc(a, s.len + 1);
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return (struct str){ copy, s.len };
}

const char *arena_text(struct arena *a, struct str s)
{
    return arena_str(a, s).ptr;
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n;
    char *text = arena_alloc(a, len + 1);
    va_start(args, fmt);
    (void)vsnprintf(text, len + 1, fmt, args); /* measured above */
    va_end(args);
    return (struct str){ text, len };
}

size_t arena_used(const struct arena *a)
{
    return a->used;
}
