/* src/cli/progress.h
 *
 * Live progress of a run: one line that is drawn over on a terminal, plain lines every
 * ten seconds elsewhere, on standard error. Log lines and the drawn line keep out of each
 * other's way.
 *
 * Thread: progress_tell() on the job's thread; clearing happens under the log's lock.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "sync/job.h"

struct progress;

struct progress *progress_begin(bool quiet);
void progress_tell(void *progress, const struct job_progress *p); /* a job_progress_fn */
void progress_end(struct progress *p); /* takes the line away; NULL is fine */

#endif
