/* src/spool/hashfile.h
 *
 * A file of an epoch: hashed while it is written, compared when it is read. Files have
 * mode 0600, are made anew and never change once they are synced.
 *
 * Errors: ERR_IO with the path; ENOSPC and EDQUOT carry a hint.
 * Fault point: errno fault spool.write.
 * Thread: one at a time.
 */
#ifndef SPOOL_HASHFILE_H
#define SPOOL_HASHFILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hashfile;

/* path must not exist. syncs is counted up at every fsync and outlives the file. */
struct hashfile *hashfile_create(const char *path, unsigned *syncs, struct error *err);

/* After a failure the content is undefined: the epoch is to be aborted. */
int hashfile_write(struct hashfile *f, const void *bytes, size_t n, struct error *err);

/* fsync, then close the descriptor. A later write opens it again. Does nothing when all
 * is synced. */
int hashfile_sync(struct hashfile *f, struct error *err);

bool hashfile_is_open(const struct hashfile *f); /* holds a descriptor */
uint64_t hashfile_bytes(const struct hashfile *f);
uint64_t hashfile_hash(const struct hashfile *f); /* XXH3, 64 bits, of all bytes so far */
void hashfile_free(struct hashfile *f);           /* NULL is fine; the file stays */

/* Compare a file with what the manifest says. ERR_PROTOCOL naming it when it is missing
 * or differs. */
int hashfile_verify(const char *path, uint64_t bytes, uint64_t hash, struct error *err);

/* "dir/name", to be freed. */
char *hashfile_path(const char *dir, const char *name);

/* ERR_IO of a system call: "making '/a/b': ..." with the hint for a full disk. */
int hashfile_io_error(struct error *err, const char *doing, const char *path, int sys);

#endif
