/* src/spool/epoch_dir.h
 *
 * Names of epochs' directories: the number in ten digits or more, and the state (lane.h).
 *
 * Thread: any.
 */
#ifndef SPOOL_EPOCH_DIR_H
#define SPOOL_EPOCH_DIR_H

#include <stdint.h>

enum epoch_dir_state {
    EPOCH_DIR_FOREIGN = 0, /* no name of ours */
    EPOCH_DIR_OPEN,        /* being written */
    EPOCH_DIR_CAPTURED,    /* .epoch */
    EPOCH_DIR_GONE,        /* loaded */
};

/* "dir/0000000042.open", to be freed. */
char *epoch_dir_path(const char *dir, uint64_t number, enum epoch_dir_state state);

/* The state that a name tells, and its number, which is never 0. */
enum epoch_dir_state epoch_dir_parse(const char *name, uint64_t *number);

#endif
