/* src/spool/epoch_internal.h
 *
 * What tests look at besides epoch.h.
 */
#ifndef SPOOL_EPOCH_INTERNAL_H
#define SPOOL_EPOCH_INTERNAL_H

#include "spool/epoch.h"

/* What all in-memory parts of one epoch may take together. Past it the largest gets its
 * own file, however small it is. */
#define EPOCH_MEMORY_BYTES ((size_t)16 << 20)

/* Descriptors that one epoch holds at most. Past it the one that was not written for the
 * longest time is synced and closed until its next block. */
#define EPOCH_OPEN_FILES 128

/* Parts that hold a codec's memory, likewise. */
#define EPOCH_CODECS 8

/* Count fsyncs of this writer in *syncs, which outlives it. */
void epoch_count_syncs(struct epoch_writer *w, unsigned *syncs);

/* What the two ceilings above bound. */
size_t epoch_memory_bytes(const struct epoch_writer *w);
size_t epoch_codecs(const struct epoch_writer *w);

#endif
