/* src/cli/spool_look.h
 *
 * What of an integration waits in the spool, seen from outside, also while a job runs.
 *
 * Thread: any.
 */
#ifndef CLI_SPOOL_LOOK_H
#define CLI_SPOOL_LOOK_H

#include "base/str.h"

#include <stdint.h>

struct spool_look {
    uint64_t epochs; /* captured and not loaded, over all lanes */
    uint64_t bytes;  /* of the lanes, epochs being written included */
};

/* A folder that is not there is an empty spool. */
struct spool_look spool_look(const char *data_dir, struct str target_schema);

#endif
