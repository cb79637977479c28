/* src/sync/recover.h
 *
 * What an earlier run left in the spool, looked at before it is loaded.
 *
 * Thread: the job's.
 */
#ifndef SYNC_RECOVER_H
#define SYNC_RECOVER_H

#include "base/error.h"
#include "base/str.h"
#include "sync/plan.h"
#include "warehouse/client.h"

/* Epochs that were captured for another destination (the file was deleted or replaced
 * since) hold parts of copies whose other parts are gone with it: they are removed with a
 * warning, and the tables are read again. */
int recover_foreign(const char *spool_dir, const char *lane, struct str destination_id,
                    struct error *err);

/* Rows that the run being continued, begun at `since`, rejected of copies that it had
 * finished or that go on now: those are not whole, however well the rest is read. Each is
 * told in the log. */
int recover_rejects(struct warehouse *w, struct str target_schema, int64_t since,
                    struct plan *p, struct error *err);

#endif
