/* src/mysql/rows.h
 *
 * Rows events to cells: of every version, MariaDB's compressed ones, partial updates of
 * JSON. The cells are those of mysql/type.h, so that what is read from the log cannot
 * differ from what a SELECT reads.
 *
 *   rows event: table id, flags, [v2: extra data], column count, columns present in the
 *               first image, [update: in the second] | row | row | ...
 *   row:        one image, or two: before and after
 *   image:      [partial: options, which JSON columns are diffs] NULL bits of the columns
 *               present, then their values
 *
 * Behind the columns of the catalog MariaDB's rows have hidden ones
 * (table_schema.hidden_versions, hidden_hashes), which are no cells. Of system-versioned
 * tables the log has rows of the past as well: an UPDATE that gives the row an end is
 * what a DELETE looks like, and an INSERT of a row that has ended is the history that an
 * UPDATE leaves behind. No SELECT sees them: rows_is_past().
 *
 * A column that an image does not have is VALUE_ABSENT, which is not NULL. A JSON diff
 * whose document the image before does not have (binlog_row_image=MINIMAL together with
 * binlog_row_value_options=PARTIAL_JSON) is VALUE_INVALID: the row must be read again. So
 * is binary JSON that is damaged, and a label that the catalog shows with a '?' which may
 * be another character, where the map has no labels.
 *
 * Rows come one by one out of a window (mysql/window.h), so an event of any size needs
 * memory for one row, both images of it. A row beyond the window's ceiling is ERR_LIMIT.
 *
 * Errors: ERR_PROTOCOL for damage, naming table and column; ERR_SCHEMA when map and shape
 * do not fit each other. Thread: one per plan and
 * per reader.
 *
 * Source: MySQL Server Doxygen 9.x, class Rows_event and the pages of the types;
 * MariaDB documentation, "Rows_event_v1/v2"; packed temporal values: MySQL Server
 * Doxygen, mysys/my_time.cc ("TIME, DATETIME, TIMESTAMP packed"); packed decimals:
 * strings/decimal.cc (decimal2bin); compressed columns: MariaDB, sql/field_comp.cc; UUID:
 * MariaDB, sql/sql_type_uuid.h; hidden columns: seen in the logs of 10.5 to 11.8.
 */
#ifndef MYSQL_ROWS_H
#define MYSQL_ROWS_H

#include "base/buf.h"
#include "base/error.h"
#include "mysql/binlog.h"
#include "mysql/table_map.h"
#include "mysql/type.h"
#include "mysql/window.h"
#include "row/schema.h"
#include "row/value.h"

#include <stdbool.h>
#include <stdint.h>

enum rows_kind { ROWS_INSERT = 0, ROWS_UPDATE, ROWS_DELETE };

enum rows_flag {
    ROWS_STATEMENT_END = 1,
    ROWS_NO_FOREIGN_KEY_CHECKS = 2,
    ROWS_RELAXED_UNIQUE_CHECKS = 4,
    ROWS_COMPLETE = 8,
};

/* --- the plan of a table
 * ------------------------------------------------------------------ */

struct rows_plan;

/* How the images of a map become cells of a shape.
 *
 * map    must outlive the plan
 * shape  all columns of the table that rows have; must outlive the plan. Where the map
 *        has names they decide which column is which, and the shape may leave columns
 *        out; otherwise the order does, and their numbers must be equal, hidden columns
 *        counted. NULL: what the map tells (table_map_shape())
 *
 * Columns with a `companion` and those that are not `selected` are not decoded. NULL with
 * ERR_SCHEMA when a type, a sign or a charset of the map contradicts the shape, or when a
 * time of MariaDB's form before 10.1 is left out: the log does not tell its length. */
struct rows_plan *rows_plan_new(const struct table_map *map,
                                const struct table_schema *shape,
                                const struct type_options *o, struct error *err);
void rows_plan_free(struct rows_plan *p); /* NULL is fine */

/* The shape whose columns the cells are: the one given, or the map's own. */
const struct table_schema *rows_plan_shape(const struct rows_plan *p);

/* Cells whose bytes were no characters and were replaced, so far. */
uint64_t rows_plan_replaced(const struct rows_plan *p);

/* The image, before or after, of the row read last is one of the past. False where it
 * does not have row_end, and without a shape. */
bool rows_is_past(const struct rows_plan *p, bool after);

/* --- the rows of an event
 * ----------------------------------------------------------------- */

struct rows_reader;

struct rows_reader *rows_reader_new(size_t row_limit);
void rows_reader_free(struct rows_reader *r); /* NULL is fine */

struct rows_head {
    uint64_t table_id;
    uint16_t flags;        /* enum rows_flag */
    uint16_t column_count; /* 0 in an event that only ends a statement */
    uint8_t kind;          /* enum rows_kind */
    bool partial;          /* after images may hold diffs of JSON */
};

/* Read the head of the event whose body is in the window. The window is the reader's
 * until the next event. */
int rows_read_head(struct rows_reader *r, const struct event *e, struct window *body,
                   const struct binlog_format *f, struct rows_head *out,
                   struct error *err);

/* The next row: 1, 0 at the end, -1. An insert fills after, a delete before, an update
 * both; each has room for all columns of the shape, and what is not filled is set to
 * VALUE_ABSENT. Cells live until the next call. plan is of the map whose id the head has.
 */
int rows_read_row(struct rows_reader *r, struct rows_plan *plan, struct value *before,
                  struct value *after, struct error *err);

#endif
