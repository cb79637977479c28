/* src/cli/schema_pending.h
 *
 * `tailrace schema NAME [TABLE] [--pending]`: the shapes of the destination's tables, and
 * what the source's columns would change there.
 *
 * Thread: one at a time.
 */
#ifndef CLI_SCHEMA_PENDING_H
#define CLI_SCHEMA_PENDING_H

#include "cli/cli.h"

/* table: one alone, or empty. pending: ask the source, too. */
int schema_pending(struct cli *cli, struct state *s, struct str table, bool pending,
                   struct buf *out, struct error *err);

#endif
