/* tests/fuzz/read_log.h
 *
 * What the targets for binary logs share: reading everything that a log holds, and what
 * must be true of cells whatever the bytes were. A broken promise aborts.
 *
 * Thread: one.
 */
#ifndef FUZZ_READ_LOG_H
#define FUZZ_READ_LOG_H

#include "mysql/binlog.h"
#include "mysql/rows.h"
#include "row/schema.h"

/* Ceiling of rows and events. */
#define READ_LOG_LIMIT ((size_t)1 << 20)

/* The events of a log to its end or first error, each decoded, rows by plans of their
 * maps. Checksums are not looked at, or no change would come far. Returns the type of the
 * last event handed out, or -1 after an error. */
int read_log(struct byte_source source);

/* Every row of the event whose body is in the window; the number of rows, or -1. */
int read_all_rows(struct rows_reader *reader, struct rows_plan *plan, struct error *err);

#endif
