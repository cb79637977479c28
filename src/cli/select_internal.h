/* src/cli/select_internal.h
 *
 * What showing and changing a selection share.
 *
 * Thread: the process's first.
 */
#ifndef CLI_SELECT_INTERNAL_H
#define CLI_SELECT_INTERNAL_H

#include "cli/cli.h"
#include "config/url.h"
#include "row/catalog.h"
#include "sync/apply.h"
#include "sync/options.h"

struct selecting {
    struct cli *cli;
    struct state *state;
    struct integration integration;
    struct integration_spec spec; /* options owned */
    struct sync_options options;
    struct catalog *catalog; /* owned; NULL when offline */
    struct url_source source;
    struct secret *password; /* owned */
    enum chosen chosen;
    bool has_options; /* some are set or unset */
    bool check_key;
};

/* Print the tables of the source, or with a pattern the columns of those that match. */
int select_show(struct selecting *s, struct str pattern, struct error *err);

/* What the column is to the way in which its table is replicated, so that it is always
 * copied; NULL: nothing. The table's own key is not looked at. */
const char *select_role(const struct stream_options *o, struct str column);

#endif
