/* src/base/map.h
 *
 * A hash map from byte strings to pointers. Keys are copied; values are borrowed.
 * Iteration is in insertion order. Removal is not offered: nothing here needs it.
 *
 * Thread: one at a time.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map;

struct map *map_new(void);
void map_free(struct map *m); /* NULL is fine; values are not touched */

/* Set key to value, replacing; returns the value it had, or NULL. */
void *map_put(struct map *m, struct str key, void *value);
void *map_find(const struct map *m, struct str key); /* NULL when it is not there */
size_t map_count(const struct map *m);

/* The i-th entry in insertion order, i below map_count(). */
void *map_at(const struct map *m, size_t i, struct str *key);

#endif
