#include "base/map.h"

#include "base/alloc.h"

#include <stdlib.h>

#define FIRST_SLOTS 16

struct entry {
    char *key; /* owned */
    size_t key_len;
    uint64_t hash;
    void *value; /* borrowed from the caller */
};

struct map {
    struct entry *entries; /* owned; in insertion order */
    size_t count;
    size_t cap;
    uint32_t *slots;   /* owned; index into entries plus 1, 0 is free */
    size_t slot_count; /* a power of two, at least twice count */
};

/* FNV-1a with the finalizer of SplitMix64, so that the low bits depend on all. */
static uint64_t hash_of(struct str key)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < key.len; i++)
        h = (h ^ (unsigned char)key.ptr[i]) * UINT64_C(0x100000001b3);
    h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
    return h ^ (h >> 31);
}

struct map *map_new(void)
{
    struct map *m = xcalloc(1, sizeof(*m));
    m->slot_count = FIRST_SLOTS;
    m->slots = xcalloc(m->slot_count, sizeof(*m->slots));
    return m;
}

void map_free(struct map *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->count; i++)
        free(m->entries[i].key);
    free(m->entries);
    free(m->slots);
    free(m);
}

/* The slot that holds key, or the free one where it belongs. */
static size_t slot_of(const struct map *m, struct str key, uint64_t hash)
{
    size_t mask = m->slot_count - 1;
    size_t at = (size_t)hash & mask;
    while (m->slots[at] != 0) {
        const struct entry *e = &m->entries[m->slots[at] - 1];
        if (e->hash == hash && str_eq((struct str){ e->key, e->key_len }, key))
            break;
        at = (at + 1) & mask;
    }
    return at;
}

static void grow_slots(struct map *m)
{
    free(m->slots);
    m->slot_count *= 2;
    m->slots = xcalloc(m->slot_count, sizeof(*m->slots));
    for (size_t i = 0; i < m->count; i++) {
        size_t at = (size_t)m->entries[i].hash & (m->slot_count - 1);
        while (m->slots[at] != 0)
            at = (at + 1) & (m->slot_count - 1);
        m->slots[at] = (uint32_t)(i + 1);
    }
}

void *map_put(struct map *m, struct str key, void *value)
{
    uint64_t hash = hash_of(key);
    size_t at = slot_of(m, key, hash);
    if (m->slots[at] != 0) {
        struct entry *e = &m->entries[m->slots[at] - 1];
        void *before = e->value;
        e->value = value;
        return before;
    }
    if (m->count == UINT32_MAX - 1)
        abort(); /* four thousand million names: memory ends long before */
    if (m->count == m->cap) {
        m->cap = m->cap == 0 ? FIRST_SLOTS / 2 : m->cap * 2;
        m->entries = xreallocarray(m->entries, m->cap, sizeof(*m->entries));
    }
    struct entry *e = &m->entries[m->count++];
    *e = (struct entry){ .key_len = key.len, .hash = hash, .value = value };
    e->key = xcalloc(key.len + 1, 1);
    if (key.len > 0)
        memcpy(e->key, key.ptr, key.len);
    m->slots[at] = (uint32_t)m->count;
    if (m->count * 2 > m->slot_count)
        grow_slots(m);
    return NULL;
}

void *map_find(const struct map *m, struct str key)
{
    size_t at = slot_of(m, key, hash_of(key));
    return m->slots[at] == 0 ? NULL : m->entries[m->slots[at] - 1].value;
}

size_t map_count(const struct map *m)
{
    return m->count;
}

void *map_at(const struct map *m, size_t i, struct str *key)
{
    const struct entry *e = &m->entries[i];
    if (key != NULL)
        *key = (struct str){ e->key, e->key_len };
    return e->value;
}
