/* src/sync/apply.h
 *
 * Integrations as data: what the state has as a list, a list made the state, and the
 * difference between the two in words. Takes effect with the next run.
 *
 * Errors: those of integration_record() and stream_options_parse(); for a list from a
 * file with their place in front. Thread: the caller's.
 */
#ifndef SYNC_APPLY_H
#define SYNC_APPLY_H

#include "config/integration_file.h"
#include "state/state.h"

/* What an integration and a table in it can be told. */
struct integration_tables apply_tables(void);

/* The integration as the state has it. Texts live in the arena; out->options is the
 * caller's to free. 1 found, 0 not there, -1 error. */
int apply_current(struct state *s, struct arena *a, struct str name,
                  struct integration_spec *out, struct error *err);

struct apply_result {
    struct str *changes; /* a line each, in the arena given: "shop: option dates: ..." */
    size_t change_count;
};

/* What to apply; all borrowed. */
struct apply_request {
    const struct integration_spec *list;
    size_t count;
    const char *path; /* of the file, for errors, or NULL */
    bool dry_run;     /* find out what would change, change nothing */
};

/* Make each integration of the list what the list says: all of them or, when one cannot
 * be, none. Others stay. */
int apply_list(struct state *s, struct arena *a, const struct apply_request *r,
               struct apply_result *out, struct error *err);

#endif
