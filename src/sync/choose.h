/* src/sync/choose.h
 *
 * Editing what an integration selects: what `tailrace select` does to the list that
 * apply.h then makes the state. Nothing is asked of the source here.
 *
 * Patterns live in the options `tables`, `exclude` and `exclude_columns`; what is said of
 * one table in its stream_setting. New lists and texts live in the arena.
 *
 * Errors: ERR_CONFIG. Thread: the caller's.
 */
#ifndef SYNC_CHOOSE_H
#define SYNC_CHOOSE_H

#include "base/arena.h"
#include "config/integration_file.h"
#include "state/state.h"

/* One table by name; CHOSEN_BY_PATTERN forgets what was said of it, not of its columns.
 */
void choose_table(struct arena *a, struct integration_spec *i, struct str database,
                  struct str table, enum chosen chosen);

/* One column, or a pattern of columns, of one table; BY_PATTERN forgets. */
void choose_column(struct arena *a, struct integration_spec *i, struct str database,
                   struct str table, struct str column, enum chosen chosen);

/* What is to become of a table's own options. */
struct option_change {
    const struct option_values *set; /* of stream_option_table(): those that are set */
    struct str unset;                /* names, separated by commas: as the integration */
};

/* Errors also for a name that is no option, or stands in both. */
int choose_options(struct arena *a, struct integration_spec *i,
                   const struct stream_name *of, const struct option_change *change,
                   struct error *err);

/* All tables and columns but views: whatever was chosen before is forgotten, options of
 * single tables stay. Only while the integration's method is auto. */
int choose_all(struct integration_spec *i, struct error *err);

/* All tables that match. Selecting adds to `tables` (which, while empty, has all base
 * tables already) and takes the same pattern out of `exclude`; deselecting is the
 * contrary. '*' selects all base tables or none. chosen: YES or NO. */
int choose_tables(struct arena *a, struct integration_spec *i, struct str pattern,
                  enum chosen chosen, struct error *err);

/* Columns of all tables that match: into `exclude_columns`, or out of it again, which is
 * an error when they do not stand there. */
int choose_columns(struct arena *a, struct integration_spec *i, struct str tables,
                   struct str column, enum chosen chosen, struct error *err);

#endif
