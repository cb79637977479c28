/* src/cli/catalog_print.h
 *
 * A catalog as people and programs read it: tables, columns, JSON, and the Singer catalog
 * (https://github.com/singer-io/getting-started, docs/DISCOVERY_MODE.md).
 *
 * Thread: any. The caller looks at out->failed.
 */
#ifndef CLI_CATALOG_PRINT_H
#define CLI_CATALOG_PRINT_H

#include "base/buf.h"
#include "row/catalog.h"

/* One line per table, the notes behind them. server: "MySQL 9.7.4 at host:port". */
void catalog_print_tables(struct buf *out, const struct catalog *c, struct str server);

/* One line per column, table by table. */
void catalog_print_columns(struct buf *out, const struct catalog *c);

/* Everything, as one object. */
void catalog_print_json(struct buf *out, const struct catalog *c, struct str server);

/* The Singer form: {"streams": [...]}. Tables that cannot be read are left out. */
void catalog_print_singer(struct buf *out, const struct catalog *c);

#endif
