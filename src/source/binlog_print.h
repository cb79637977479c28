/* src/source/binlog_print.h
 *
 * Events and rows of a binary log, for people or as one JSON object a line.
 *
 * An event is an object with offset, type, time and what its body says; a row one with
 * "row" (its number in the event), "op", database, table, "before" and "after". In those,
 * numbers are numbers, decimals, text, times and JSON are texts as the server prints
 * them, bytes are {"hex": ...}, bytes that are no text of their charset {"invalid": ...};
 * a column that the image does not have is left out. What comes from a server also names
 * the file: {"log", "offset", ...}, FILE:OFFSET.
 *
 * Thread: any.
 */
#ifndef SOURCE_BINLOG_PRINT_H
#define SOURCE_BINLOG_PRINT_H

#include "base/buf.h"
#include "mysql/binlog.h"
#include "mysql/event.h"
#include "mysql/rows.h"
#include "mysql/table_map.h"

#include <stdbool.h>

struct binlog_print {
    struct buf *out;  /* borrowed */
    const char *file; /* borrowed: named in front of every offset; NULL: not */
    bool json;
    bool all; /* people see statements whole */
};

/* A GTID as its family writes it, appended: "UUID:7", "UUID:tag:7"; "0-1-7". */
void binlog_print_gtid(struct buf *out, const struct gtid_event *g);
void binlog_print_maria_gtid(struct buf *out, const struct maria_gtid_event *g,
                             uint32_t server_id);

/* One event that has no rows. `scratch` takes what must be unpacked. */
int binlog_print_event(const struct binlog_print *p, const struct event *e,
                       const struct binlog_format *f, struct buf *scratch,
                       struct error *err);

/* The event that rows follow from; map may be NULL where it only ends a statement. */
void binlog_print_rows(const struct binlog_print *p, const struct event *e,
                       const struct rows_head *h, const struct table_map *map);

struct binlog_row {
    const struct table_schema *shape;
    const struct value *before, *after;
    uint64_t number;
    uint8_t kind; /* enum rows_kind */
};

void binlog_print_row(const struct binlog_print *p, const struct event *e,
                      const struct binlog_row *row);

#endif
