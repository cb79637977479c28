/* src/base/arena.h
 *
 * Memory that dies together, with a ceiling: a plan, a catalog, one request. Allocation
 * past the ceiling returns NULL when asked through arena_try(), and aborts through the
 * others: those are for sizes that were checked against the ceiling of something smaller
 * (names, settings, rows of metadata read through a limited buffer).
 *
 * Thread: one at a time. Owner: whoever made it.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

#include <stdarg.h>
#include <stddef.h>

struct arena;

struct arena *arena_new(size_t limit_bytes);
void arena_free(struct arena *a);     /* NULL is fine */
void arena_free_at(struct arena **a); /* for CLEANUP */

/* Zeroed, aligned for any type; NULL past the ceiling. */
void *arena_try(struct arena *a, size_t bytes);

/* Zeroed, aligned for any type; aborts past the ceiling. */
void *arena_alloc(struct arena *a, size_t bytes);
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_alloc((a), sizeof(type) * (count)))

/* A copy, NUL-terminated behind its length. */
struct str arena_str(struct arena *a, struct str s);
const char *arena_text(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

size_t arena_used(const struct arena *a);

#endif
