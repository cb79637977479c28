#include "sync/delivery.h"

#include "base/alloc.h"

#include <stdlib.h>

struct delivery *delivery_new(enum delivery_kind kind, struct stream *st,
                              unsigned generation)
{
    struct delivery *d = xcalloc(1, sizeof *d);
    d->kind = kind;
    d->stream = st;
    d->generation = generation;
    return d;
}

void delivery_free(void *delivery)
{
    struct delivery *d = delivery;
    if (d == NULL)
        return;
    block_free(d->block);
    for (size_t i = 0; i < d->reject_count; i++) {
        free(d->rejects[i].reason);
        free(d->rejects[i].record);
    }
    free(d->rejects);
    free(d);
}

void delivery_reject(struct delivery *d, unsigned column, const char *reason,
                     struct str record, int64_t at)
{
    if (d->reject_count == d->reject_cap) {
        d->reject_cap = d->reject_cap == 0 ? 8 : d->reject_cap * 2;
        d->rejects = xreallocarray(d->rejects, d->reject_cap, sizeof *d->rejects);
    }
    char *copy = xcalloc(1, record.len + 1);
    if (record.len > 0)
        memcpy(copy, record.ptr, record.len);
    d->rejects[d->reject_count++] = (struct rejected_row){
        .column = (uint16_t)column, .reason = xstrdup(reason), .record = copy, .at = at
    };
}

size_t delivery_weight(const struct delivery *d)
{
    size_t weight = sizeof *d;
    if (d->block != NULL)
        weight += d->block->bytes.len;
    for (size_t i = 0; i < d->reject_count; i++)
        weight += sizeof d->rejects[i] + strlen(d->rejects[i].record);
    return weight;
}
