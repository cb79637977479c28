/* src/cli/report_print.h
 *
 * The report of one run: per table what was read and what became of it (invariant 11:
 * read = applied + superseded + filtered + quarantined, the rest still waits), and the
 * sums.
 *
 * Thread: any.
 */
#ifndef CLI_REPORT_PRINT_H
#define CLI_REPORT_PRINT_H

#include "base/buf.h"
#include "state/state.h"

#include <stdbool.h>

/* The whole report, as text for people or as one JSON object and a newline. */
void report_print(struct buf *out, const struct job_row *job,
                  const struct report_row *rows, size_t count, bool json);

/* The run alone, as a JSON object without newline: id, integration, outcome, times,
 * error. */
void report_print_job(struct buf *out, const char *key, const struct job_row *job);

/* A line for a table that has changes alone, since that place; nothing where it is empty.
 */
void report_print_since(struct buf *out, struct str database, struct str table,
                        struct str since);

#endif
