/* src/cli/integration_print.h
 *
 * Integrations, their differences and what they select, for people and as JSON.
 *
 * Thread: any. The caller looks at out->failed.
 */
#ifndef CLI_INTEGRATION_PRINT_H
#define CLI_INTEGRATION_PRINT_H

#include "base/buf.h"
#include "sync/apply.h"
#include "sync/selection.h"

/* A line for each change; a sentence when there is none. */
void integration_print_changes(struct buf *out, const struct apply_result *r,
                               bool dry_run, bool json);

void integration_print_list(struct buf *out, const struct integration *list, size_t count,
                            bool json);

/* One with its options and settings: as its file has it, or a JSON object. */
void integration_print_one(struct buf *out, const struct integration *i,
                           const struct integration_spec *spec, bool json);

/* A table of the source, and what the integration makes of it. */
struct shown_column {
    struct str name, type;
    struct choice choice;
};
struct shown_table {
    struct str database, table;
    struct choice choice;
    struct str method, key; /* key: the replication key, or empty */
    struct str options;     /* of this table alone: a JSON object, or empty */
    struct shown_column *columns;
    size_t column_count;
};

/* Tables, a line each, or with columns: the columns of each. JSON has all. */
void integration_print_selection(struct buf *out, const struct shown_table *list,
                                 size_t count, bool columns, bool json);

#endif
