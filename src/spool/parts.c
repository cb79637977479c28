#include "spool/parts.h"

#include "base/alloc.h"
#include "spool/epoch_internal.h"

void parts_done(struct parts *p)
{
    for (size_t i = 0; i < p->count; i++)
        segment_free(p->list[i].segment);
    free(p->list);
    *p = (struct parts){ 0 };
}

struct part *parts_find(struct parts *p, const struct part *what)
{
    for (size_t i = p->count; i-- > 0;) {
        struct part *part = &p->list[i];
        if (part->stream == what->stream && part->kind == what->kind &&
            part->shape == what->shape) {
            part->used_at = ++p->tick;
            return part;
        }
    }
    return NULL;
}

struct part *parts_add(struct parts *p, const struct part *what, struct segment *segment)
{
    if ((p->count & (p->count - 1)) == 0) /* full: the capacity is a power of two */
        p->list =
            xreallocarray(p->list, p->count == 0 ? 1 : p->count * 2, sizeof(*p->list));
    struct part *part = &p->list[p->count++];
    *part = *what;
    part->segment = segment;
    part->used_at = ++p->tick;
    return part;
}

uint64_t parts_bytes(const struct parts *p)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < p->count; i++)
        sum += segment_bytes(p->list[i].segment);
    return sum;
}

size_t parts_memory_bytes(const struct parts *p)
{
    size_t sum = 0;
    for (size_t i = 0; i < p->count; i++)
        sum += segment_memory_bytes(p->list[i].segment);
    return sum;
}

size_t parts_codecs(const struct parts *p)
{
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++)
        count += segment_is_idle(p->list[i].segment) ? 0 : 1;
    return count;
}

static bool has_descriptor(const struct part *part)
{
    const struct hashfile *file = segment_file(part->segment);
    return file != NULL && hashfile_is_open(file);
}

int parts_make_room(struct parts *p, struct error *err)
{
    size_t files = 0;
    struct part *oldest_file = NULL;
    struct part *oldest_codec = NULL;
    for (size_t i = 0; i < p->count; i++) {
        struct part *part = &p->list[i];
        if (has_descriptor(part)) {
            files++;
            if (oldest_file == NULL || part->used_at < oldest_file->used_at)
                oldest_file = part;
        }
        if (!segment_is_idle(part->segment) &&
            (oldest_codec == NULL || part->used_at < oldest_codec->used_at))
            oldest_codec = part;
    }
    if (oldest_codec != NULL && parts_codecs(p) >= EPOCH_CODECS)
        segment_idle(oldest_codec->segment);
    if (oldest_file != NULL && files >= EPOCH_OPEN_FILES)
        return segment_rest(oldest_file->segment, err);
    return 0;
}

int parts_bound_memory(struct parts *p, struct error *err)
{
    while (parts_memory_bytes(p) > EPOCH_MEMORY_BYTES) {
        struct segment *largest = p->list[0].segment;
        for (size_t i = 1; i < p->count; i++)
            if (segment_memory_bytes(p->list[i].segment) > segment_memory_bytes(largest))
                largest = p->list[i].segment;
        if (parts_make_room(p, err) < 0 || segment_flush(largest, err) < 0 ||
            segment_spill(largest, err) < 0)
            return -1;
    }
    return 0;
}
