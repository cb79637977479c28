/* src/spool/parts.h
 *
 * The segments of one epoch that is being written, in loading order, and their ceilings:
 * on memory, descriptors and codecs (epoch_internal.h). Everything here looks at all
 * parts, of which an epoch has as many as it has streams.
 *
 * Thread: one. Owner: the epoch's writer.
 */
#ifndef SPOOL_PARTS_H
#define SPOOL_PARTS_H

#include "base/error.h"
#include "spool/manifest.h"
#include "spool/segment.h"

#include <stddef.h>
#include <stdint.h>

struct part {
    struct segment *segment; /* owned */
    enum segment_kind kind;
    uint32_t stream;
    uint32_t shape;
    uint64_t used_at; /* the tick of its last use */
};

/* Zero is a valid start. */
struct parts {
    struct part *list; /* owned */
    size_t count;
    uint64_t tick;
};

void parts_done(struct parts *p);

/* The part for the same kind, stream and shape as what, marked as used; or NULL. Valid
 * until the next parts_add(). */
struct part *parts_find(struct parts *p, const struct part *what);

/* A new one. The segment is the parts' from now on. */
struct part *parts_add(struct parts *p, const struct part *what, struct segment *segment);

/* Before one more is written to: give back the longest unused descriptor and codec when
 * there are too many of them. */
int parts_make_room(struct parts *p, struct error *err);

/* After writing: the largest parts go to files of their own until the rest fits. */
int parts_bound_memory(struct parts *p, struct error *err);

uint64_t parts_bytes(const struct parts *p);
size_t parts_memory_bytes(const struct parts *p);
size_t parts_codecs(const struct parts *p);

#endif
