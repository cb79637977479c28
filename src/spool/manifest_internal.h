/* src/spool/manifest_internal.h
 *
 * What tests and fuzzers need besides manifest.h to make manifests that are wrong in one
 * place only.
 */
#ifndef SPOOL_MANIFEST_INTERNAL_H
#define SPOOL_MANIFEST_INTERNAL_H

#include "base/buf.h"

/* End a manifest: add the member with the hash of all before it, and the closing brace.
 */
void manifest_close(struct buf *out);

#endif
