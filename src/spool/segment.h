/* src/spool/segment.h
 *
 * One container file that grows: a part in memory while it is small, else a file of its
 * own. It holds rows of one stream at one schema version, or its rejects (invariant 4).
 *
 *   memory ──past bundle_bytes, or segment_spill()──▶ file ──segment_rest()──▶ synced,
 * closed ◀──────the next rows──────┘
 *
 * Thread: one. Owner: the epoch's writer.
 */
#ifndef SPOOL_SEGMENT_H
#define SPOOL_SEGMENT_H

#include "avro/container.h"
#include "base/error.h"
#include "base/str.h"
#include "spool/hashfile.h"
#include "spool/manifest.h"
#include "spool/quarantine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct segment_options {
    const char *path; /* of its own file, should it need one */
    enum avro_codec codec;
    size_t bundle_bytes; /* it stays in memory up to here */
    uint8_t sync[16];
    unsigned *syncs; /* counts fsyncs; outlives the segment */
};

struct segment;

/* The marker between a container's blocks follows from the segment's place (destination
 * id, lane, number, index), so that the same epoch is the same bytes. */
void segment_sync_marker(const struct manifest *m, size_t index, uint8_t out[16]);

/* schema_json outlives the segment. */
struct segment *segment_new(const struct segment_options *o, struct str schema_json,
                            struct error *err);
void segment_free(struct segment *s); /* NULL is fine; a file stays */

/* One block of rows, Avro binary. After an error the segment is of no use. */
int segment_add(struct segment *s, struct str rows, uint64_t row_count,
                struct error *err);

/* One record of a reject segment. Some are gathered before they become a block. */
int segment_add_reject(struct segment *s, const struct reject *r, struct error *err);

/* What was gathered goes to the container. */
int segment_flush(struct segment *s, struct error *err);

/* Give back the codec's memory, a MiB and more, until the next block. */
void segment_idle(struct segment *s);
bool segment_is_idle(const struct segment *s);

/* Move what is in memory to the file. */
int segment_spill(struct segment *s, struct error *err);

/* Make the file durable and give its descriptor back. */
int segment_rest(struct segment *s, struct error *err);

uint64_t segment_rows(const struct segment *s);
uint64_t segment_bytes(const struct segment *s);      /* in all, gathered records too */
size_t segment_memory_bytes(const struct segment *s); /* of these, in memory */
const struct hashfile *segment_file(const struct segment *s); /* NULL while in memory */
struct str segment_content(const struct segment *s);          /* while in memory */

#endif
