/* src/spool/epoch.h
 *
 * One epoch on disk: a directory written as NNNNNNNNNN.open/ and captured by its rename
 * to NNNNNNNNNN.epoch/. Invariant 1: every file in it is fsynced before, the parent
 * after.
 *
 *   epoch_begin ──▶ epoch_add_block / epoch_add_reject / epoch_set_* ──▶ epoch_seal
 *                                                        └──▶ epoch_abort (leaves
 * nothing)
 *
 * Invariant 4: a segment holds one stream at one schema version. A segment that stays
 * below bundle_bytes when the epoch is sealed goes into the bundle, end to end with the
 * others; larger ones have a file each.
 *
 * Fault points: spool.segment_synced, spool.manifest_synced, spool.before_rename,
 * spool.renamed, spool.captured; errno fault spool.write.
 *
 * Thread: one (the spool thread). Owner: the writer owns its descriptors and memory.
 */
#ifndef SPOOL_EPOCH_H
#define SPOOL_EPOCH_H

#include "avro/container.h"
#include "avro/encode.h"
#include "spool/manifest.h"
#include "spool/quarantine.h"

struct epoch_options {
    enum avro_codec codec;
    size_t bundle_bytes; /* compressed bytes up to which a segment stays in memory */
};

/* What stays the same for all epochs of a lane in one job. */
struct epoch_header {
    struct str destination_id, integration, target_schema, lane;
};

struct epoch_writer;

/* dir is the lane's directory. An old .open of the number is removed first. */
struct epoch_writer *epoch_begin(const char *dir, uint64_t number,
                                 const struct epoch_header *header,
                                 const struct epoch_options *options, struct error *err);

/* A stream must be announced before its first block; returns its index in this epoch. The
 * same database, table, version, join, `changes` and `held` give the same index again;
 * where the join changes the live table, only with the same sequence: two reads of one
 * version may share an epoch, in the order in which they were announced. Texts are
 * copied. */
int epoch_stream(struct epoch_writer *w, const struct manifest_stream *s);

/* Have the shape in this epoch, whether rows follow or not. Known ones cost nothing. */
void epoch_shape(struct epoch_writer *w, int stream, uint32_t version,
                 struct str schema_json);

/* Add the block's rows. The block stays the caller's. Its shape was announced. Counts of
 * the stream grow by the block's rows. */
int epoch_add_block(struct epoch_writer *w, int stream, const struct block *b,
                    struct error *err);

/* Add one rejected row; counts it as read and quarantined. */
int epoch_add_reject(struct epoch_writer *w, int stream, const struct reject *r,
                     struct error *err);

/* Actions (or-ed to those there) and progress of a stream as of the end of this epoch. */
void epoch_set_action(struct epoch_writer *w, int stream, unsigned actions);
void epoch_set_progress(struct epoch_writer *w, int stream, struct str progress,
                        int64_t first_read_at, int64_t last_read_at);

/* Of a stream with `changes`. The table was emptied before its first row of this epoch:
 * number and time of that. */
void epoch_set_truncate(struct epoch_writer *w, int stream, int64_t sequence, int64_t at);

/* Behind its rows what was held and its copy become the live table (JOIN_LOG). */
void epoch_set_join_log(struct epoch_writer *w, int stream, int64_t cut);

/* Behind its rows the stream leaves the log: ACTION_PARK or ACTION_GONE, and why. */
void epoch_set_leave(struct epoch_writer *w, int stream, enum stream_action action,
                     struct str reason);

/* Bytes that the epoch takes so far, on disk and in memory, compressed. */
uint64_t epoch_bytes(const struct epoch_writer *w);
uint64_t epoch_rows(const struct epoch_writer *w);
bool epoch_is_full(const struct epoch_writer *w);  /* of names and shapes: time to seal */
bool epoch_is_empty(const struct epoch_writer *w); /* no rows, rejects or actions */

/* Capture. On success the writer is freed; on failure it still is the caller's, to abort.
 */
int epoch_seal(struct epoch_writer *w, struct str from, struct str to,
               int64_t sequence_base, struct error *err);
void epoch_abort(struct epoch_writer *w); /* NULL is fine */

/* Read a captured epoch: manifest into the arena, every file's size and hash compared.
 * Errors: ERR_PROTOCOL naming the damaged file; ERR_IO. */
int epoch_open(struct arena *a, const char *dir, struct manifest *out, struct error *err);

/* The bytes of one segment, mapped. epoch_unmap() ends it. */
struct epoch_map {
    void *base; /* owned mapping */
    size_t length;
    struct str container; /* the segment's container file */
};
int epoch_map_segment(const char *dir, const struct manifest *m, size_t segment,
                      struct epoch_map *out, struct error *err);
void epoch_unmap(struct epoch_map *map);

#endif
