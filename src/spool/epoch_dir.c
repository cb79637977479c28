#include "spool/epoch_dir.h"

#include "base/str.h"
#include "spool/hashfile.h"

#include <inttypes.h>
#include <stdio.h>

/* By enum epoch_dir_state. */
static const char *const suffixes[] = { "", "open", "epoch", "gone" };

char *epoch_dir_path(const char *dir, uint64_t number, enum epoch_dir_state state)
{
    char name[40];
    (void)snprintf(name, sizeof(name), "%010" PRIu64 ".%s", number,
                   suffixes[state]); /* it fits */
    return hashfile_path(dir, name);
}

enum epoch_dir_state epoch_dir_parse(const char *name, uint64_t *number)
{
    struct str suffix;
    struct str digits = str_cut(str_of(name), '.', &suffix);
    uint64_t n;
    if (suffix.ptr == NULL || !str_to_u64(digits, &n) || n == 0)
        return EPOCH_DIR_FOREIGN;
    char canonical[32];
    (void)snprintf(canonical, sizeof(canonical), "%010" PRIu64, n); /* it fits */
    if (!str_eq(digits, str_of(canonical)))
        return EPOCH_DIR_FOREIGN;
    for (unsigned state = EPOCH_DIR_OPEN; state <= EPOCH_DIR_GONE; state++) {
        if (str_eq(suffix, str_of(suffixes[state]))) {
            *number = n;
            return (enum epoch_dir_state)state;
        }
    }
    return EPOCH_DIR_FOREIGN;
}
