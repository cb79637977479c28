/* src/cli/status_trouble.h
 *
 * What `tailrace status` says of tables that could not be followed or whose copies are
 * not what the source is: the state's own account, which needs no destination.
 *
 * Thread: one at a time.
 */
#ifndef CLI_STATUS_TROUBLE_H
#define CLI_STATUS_TROUBLE_H

#include "base/buf.h"
#include "state/state.h"

struct status_trouble {
    struct stream_trouble *list; /* in the arena, as what follows */
    size_t count;
    struct stream_inexact *inexact;
    size_t inexact_count;
};

int status_trouble_find(struct state *s, struct arena *a, struct str integration,
                        struct status_trouble *out, struct error *err);

/* "parked" for a table that is, else what the report says. */
struct str status_trouble_state(const struct status_trouble *t, struct str database,
                                struct str table, struct str reported);

/* For people: nothing where there is no trouble. */
void status_trouble_print(struct buf *out, const struct status_trouble *t,
                          struct str integration);

/* "trouble": [...], "inexact": [...] of an open object. */
void status_trouble_emit(struct buf *out, const struct status_trouble *t);

#endif
