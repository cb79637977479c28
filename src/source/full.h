/* src/source/full.h
 *
 * One table by pages in key order, through the binary protocol, unbuffered. A table is
 * read as one or more key ranges, each by its own reader on its own connection; any row
 * is a place to resume, since its key is. Tables without a usable key order, and all
 * tables with `one_view`, are read by one statement in one view with an age limit, and
 * cannot resume.
 *
 *   SELECT key columns, other columns FROM t FORCE INDEX (key)
 *    WHERE key > after [AND key <= upto] [AND (where)] ORDER BY key LIMIT n
 *
 * Key-based reading has pages in order of the replication key, then of the table's key,
 * and rows between two bounds; rows without a replication key are not read:
 *
 *   SELECT ... FROM t FORCE INDEX (by_index)
 *    WHERE (by, key) > after [AND by >= from] [AND by <= to] [AND (where)]
 *    ORDER BY by, key LIMIT n
 *
 * The server orders keys and evaluates bounds in the column's collation (decision 7);
 * bounds are sent as stored bytes.
 *
 * Thread: a reader belongs to the thread that runs it; a full_table is read-only and
 * shared.
 */
#ifndef SOURCE_FULL_H
#define SOURCE_FULL_H

#include "base/arena.h"
#include "mysql/session.h"
#include "row/catalog.h"
#include "row/position.h"
#include "row/value.h"
#include "source/governor.h"
#include "source/handover.h"

enum full_method {
    FULL_PAGES = 0, /* keyset pages, resumable, several ranges */
    FULL_ONE_VIEW,  /* one statement, one view */
};

struct full_options {
    uint64_t page_bytes;   /* option page_bytes: about how much one page returns */
    int64_t page_time_us;  /* option page_time: about how long one page may take */
    size_t row_limit;      /* option row_limit */
    int64_t view_age_us;   /* option view_age_limit: a view is given up when older */
    bool replace_bad_text; /* option bad_text: replace instead of reject */
    /* FULL_ONE_VIEW: where in the log the view lies is told here, by handover_view(), as
     * soon as the first row is asked for. NULL: nobody wants to know. */
    struct view_point *point;
};

/* How this table can be read, and why when it is not FULL_PAGES (a sentence in *why). */
enum full_method full_method_of(const struct catalog_table *t, bool one_view,
                                struct str *why);

/* The same for reading in order of a replication key: by pages where the table has a key
 * and an index that gives this order (key_index_of()); else the rows
 * between the bounds come by one statement in no order. */
enum full_method full_method_by(const struct catalog_table *t, struct str column,
                                bool one_view, struct str *why);

/* Which table is split, and into about how many ranges. */
struct full_cut {
    const struct table_schema *shape;
    const struct catalog_table *found;
    unsigned parts;
};

/* Split a table into about `parts` ranges in key order; the server finds the bounds. One
 * range for FULL_ONE_VIEW and small tables. Ranges live in the arena. Not for reads in
 * order of another column (full_table.by), nor is full_halve(). */
int full_split(struct session *s, struct arena *a, const struct full_cut *cut,
               struct page_range **out, size_t *out_count, struct error *err);

/* The later half of a single-integer-key range that is still long is cut off for an idle
 * reader: the range keeps what is before the cut. False when it cannot be halved. */
bool full_halve(const struct table_schema *shape, struct str after, struct str upto,
                struct arena *a, struct str *middle);

struct full_reader;

/* What all readers of one table share. Borrowed for the reader's life. */
struct full_table {
    const struct table_schema *shape;  /* projected (schema_project): what is selected */
    const struct catalog_table *found; /* for the key's index name and sizes */
    enum full_method method;
    struct page_pace *pace; /* the table's, under the governor's lock */
    struct str where;       /* a person's condition on rows (key_check_where), or empty */
    /* Key-based: pages in order of this column, then of the key; key tuples have its part
     * in front (once, when it is part of the key). NULL: in order of the key. Its name is
     * looked up in shape, which must have it: see schema_project_by(). */
    const struct column *by;
    struct str by_index; /* key_index_of(); read by FULL_PAGES alone */
    struct str from, to; /* its bounds, both inclusive, parts of a key tuple; or empty */
};

/* range: reading begins behind range->after. */
struct full_reader *full_reader_open(struct session *s, const struct full_table *t,
                                     const struct page_range *range,
                                     const struct full_options *o, struct governor *g,
                                     struct error *err);
void full_reader_close(struct full_reader *r);

enum full_next {
    FULL_ERROR = -1,
    FULL_ROW,     /* *cells has the row; valid until the next call */
    FULL_TOO_BIG, /* the row passes row_limit: cells hold its key, the rest is ABSENT */
    FULL_PAGE,    /* a page ended (no row): a good moment for bookkeeping */
    FULL_END,     /* the range is done */
};

/* Errors: ERR_SCHEMA when the table's shape is not the one expected or the table is gone,
 * ERR_NETWORK when the connection was lost (open a new reader from the last key),
 * ERR_LIMIT for view_age_limit, ERR_CANCELLED. */
enum full_next full_reader_next(struct full_reader *r, const struct value **cells,
                                struct error *err);

/* Append the key tuple of the row that full_reader_next() has just handed out (FULL_ROW
 * or FULL_TOO_BIG): stored bytes. After anything else: the last key of the pages read
 * wholly, a safe place to go on from. Nothing for a table without key. */
void full_reader_key(const struct full_reader *r, struct buf *tuple);

/* Bytes on the wire of the last row (FULL_TOO_BIG: its whole size). */
uint64_t full_reader_row_bytes(const struct full_reader *r);

/* Wall time before the page of the newest row was asked for; of a table read in one view,
 * when that view was open: its one moment. */
int64_t full_reader_seen_at(const struct full_reader *r);

/* Cells whose bytes were no characters and were replaced, so far. */
uint64_t full_reader_replaced(const struct full_reader *r);

/* Move the end of the range nearer, since another reader took the rest. Call it right
 * after FULL_PAGE: rows of a page under way may lie behind the new end. */
void full_reader_set_upto(struct full_reader *r, struct str upto);

#endif
