/* src/sync/selection.h
 *
 * Which tables and columns of a source are copied, and why. Two kinds of rules, the first
 * that speaks decides:
 *
 *   table    said of it by name · a pattern of `exclude` · a pattern of `tables` · none
 *            given: every base table, no view
 *   column   unsupported: never · part of the key: always · said of it by name · a
 * pattern said of its table (one that leaves out wins) · a pattern of `exclude_columns` ·
 *            new while `new_columns` is ignore: not · else yes
 *
 * So what a person says of one table is stronger than a pattern, and a name is stronger
 * than a pattern that matches it.
 *
 * Thread: any, once loaded. Owner: the caller; texts live in the arena given.
 */
#ifndef SYNC_SELECTION_H
#define SYNC_SELECTION_H

#include "row/catalog.h"
#include "state/state.h"
#include "sync/options.h"

struct selection {
    const struct stream_setting *streams; /* in order of database and table */
    size_t stream_count;
};

/* Decided, and a few words why: "pattern 'shop.*'". why lives in the arena given, or is
 * empty without one. */
struct choice {
    bool selected;
    struct str why;
};

int selection_load(struct state *s, struct arena *a, struct str integration,
                   struct selection *out, struct error *err);

/* What was said of this table, or NULL. sel may be NULL: nothing was said. */
const struct stream_setting *selection_find(const struct selection *sel,
                                            struct str database, struct str table);

/* matched[i] is set for each pattern of `tables` that names the table; NULL when nobody
 * wants to know. Whether the table can be read is not asked here. */
struct choice selection_table(const struct selection *sel, const struct sync_options *o,
                              const struct catalog_table *t, bool *matched,
                              struct arena *a);

/* late: the column came while new ones were to be ignored. */
struct choice selection_column(const struct stream_setting *said,
                               const struct sync_options *o, const struct table_schema *s,
                               const struct column *c, bool late, struct arena *a);

/* Whose selection it is; all borrowed. */
struct selection_owner {
    struct state *state;
    struct str integration;
    const struct sync_options *options;
    bool
        leaves_new; /* the table itself leaves new columns out, whatever is said of all */
};

/* Option on_new_column of this table is ignore. said: what was said of it, or NULL. */
bool selection_leaves_new(const struct stream_setting *said,
                          const struct sync_options *o);

/* Which columns of the table are late: late[i] for column i. Columns of a table that no
 * run has looked at are not. record: remember those that are new. */
int selection_late(const struct selection_owner *owner, const struct table_schema *t,
                   bool record, bool *late, struct error *err);

/* Rules that name nothing of the source, as people write them: "shop.orders.nmae". A
 * typing error would otherwise copy what somebody meant to leave out. Patterns of
 * `tables` are not looked at here. */
size_t selection_unmatched(const struct selection *sel, const struct sync_options *o,
                           const struct catalog *c, struct arena *a, struct str **out);

/* "db.table" or "table" against one table, as people write it: names and patterns. */
bool selection_matches(struct str pattern, struct str database, struct str table);

#endif
