/* src/cli/report_print.h
 *
 * The closing report of one run, for people or as JSON.
 *
 * Thread: any.
 */
#ifndef CLI_REPORT_PRINT_H
#define CLI_REPORT_PRINT_H

#include "base/buf.h"
#include "state/state.h"

void report_print(struct buf *out, const struct job_row *job,
                  const struct report_row *rows, size_t count, bool json);

#endif
