/* src/source/log.h
 *
 * A server's log as transactions of the tables that are watched: rows, commits, and what
 * happens to a table that is no row.
 *
 *   events ──▶ groups (GTID ... XID) ──▶ LOG_ROW* LOG_CHANGED* LOG_COMMIT
 *
 * Rows are handed out while their transaction is still being read, so before its
 * LOG_COMMIT nothing of it counts. log_reader_next() may answer, in the middle of one:
 *
 *   LOG_LOST     this table cannot be followed exactly from this transaction on. It is
 *                handed out no more until it is watched again. Where rows of it came in
 *                this transaction, they do not count: throw the open epoch away and read
 *                again with the table unwatched.
 *   LOG_RESTART  the connection broke and rows of the open transaction were handed out:
 *                throw the open epoch away, close, and open again from the last captured
 *                position. (Without such rows the reader reconnects by itself.)
 *
 * A change (LOG_CHANGED) comes before its LOG_COMMIT, and behind no row of its own
 * transaction but for MySQL's CREATE TABLE ... SELECT: seal what there is, then apply it.
 *
 * What is proved: without names in the log (binlog_row_metadata=MINIMAL, all MariaDB by
 * default) a shape holds until the next statement in the log that changes the table's
 * columns, so `found` must be the shape at the position where watching starts: what was
 * known when that position was captured, or what the catalog said after a position that
 * is later than it. With names (FULL) each table map is compared with it.
 *
 * XA: the rows of a transaction that is only prepared come at its commit, read again
 * from the place that the position remembers.
 *
 * Errors: ERR_POSITION with a hint (the place is gone, another history, a gap in the
 * log), ERR_NETWORK (gone for longer than the patience), ERR_AUTH, ERR_CONFIG,
 * ERR_PROTOCOL, ERR_LIMIT, ERR_CANCELLED. After an error close the reader.
 *
 * Thread: one at a time; the source must outlive it.
 */
#ifndef SOURCE_LOG_H
#define SOURCE_LOG_H

#include "base/cancel.h"
#include "base/error.h"
#include "row/catalog.h"
#include "row/position.h"
#include "row/value.h"
#include "source/source.h"

#include <stdbool.h>
#include <stdint.h>

struct log_options {
    int64_t heartbeat_us; /* LOG_IDLE comes so often; 0: the default of mysql/dump.h */
    int64_t patience_us;  /* how long to try to reach the server again */
    size_t row_limit;     /* option row_limit: the longest row, both its images */
    bool replace_bad_text;
    bool always_int; /* as in discover_request: for shapes that are read again */
    bool follow;     /* wait for more at the end of the log, else LOG_END */
    bool
        every_step; /* LOG_COMMIT for each transaction, LOG_IDLE for each event that opens
                       a file; a position without GTIDs learns them from its file */
};

enum log_item_kind {
    LOG_ROW = 0,
    LOG_COMMIT,  /* the position moved to the end of a transaction, whose rows count */
    LOG_CHANGED, /* see `change` */
    LOG_IDLE,    /* nothing new in the log for a heartbeat; never inside a transaction
                    whose rows were handed out */
    LOG_END,     /* the end of the log (without `follow`) */
    LOG_RESTART, /* see above; close the reader */
};

enum log_op { LOG_INSERT = 0, LOG_UPDATE, LOG_DELETE };

enum log_change {
    LOG_TRUNCATED = 0,
    LOG_SHAPED,  /* `found` is the table from here on; it is still watched, with that.
                    `fills`: what its rows have in columns that are new */
    LOG_LOST,    /* no longer watched; why */
    LOG_GONE,    /* dropped or renamed away; no longer watched; why */
    LOG_CREATED, /* no watched table (LOG_NO_TABLE): `why` is "database.table" */
};

#define LOG_NO_TABLE UINT32_MAX

/* What kind of statement brought a change: for people who want some kinds treated in
 * another way. */
enum log_class {
    LOG_CLASS_ADD = 1 << 0,    /* a new column */
    LOG_CLASS_DROP = 1 << 1,   /* of a column */
    LOG_CLASS_RENAME = 1 << 2, /* of a column */
    LOG_CLASS_TYPE = 1 << 3,   /* a column was defined anew: MODIFY, CHANGE, CONVERT */
    LOG_CLASS_ROWS = 1 << 4,   /* rows may have changed unseen: partitions, import, what
                                  is in the log as a statement, another table in its
                                  place */
    LOG_CLASS_TRUNCATE = 1 << 5,
    LOG_CLASS_GONE = 1 << 6, /* the table was dropped or renamed */
};

/* What the rows that are there got in a column when the table took its new shape. */
enum log_fill_way {
    LOG_FILL_NULL = 0,
    LOG_FILL_VALUE, /* `value` */
    LOG_FILL_FROM,  /* what they had in column `from`, which is gone: it was renamed */
};

struct log_fill {
    enum log_fill_way way;
    struct str column;
    struct str from;
    struct str value; /* text in UTF-8; of TYPE_BYTES hexadecimal digits, of TYPE_TIME
                         microseconds, of TYPE_BOOL 0 or 1 */
};

struct log_item {
    enum log_item_kind kind;
    enum log_op op;
    enum log_change change;
    unsigned classes; /* LOG_CHANGED: enum log_class, or-ed; 0: no statement, but what the
                         log itself shows or lacks */
    bool no_checks; /* LOG_ROW: with foreign_key_checks=0, so that no key did anything */
    uint32_t table; /* the number given to log_reader_watch() */
    /* Cells of all columns of the watched shape, valid until the next call. What is not
     * selected is VALUE_ABSENT, except the key; so is what the server did not log and
     * `before` does not have. An insert has no before, a delete no after (NULL). An
     * update may change the key. Keys are always there, and all columns of a table
     * without one. Columns that an insert, or an update that changes the key, does not
     * have stand nowhere in the log: read the row again by its key (source/reread.h),
     * and count nothing before the log is read up to where it ended behind that. */
    const struct value *before, *after;
    bool in_part; /* an update without change of key: columns that are VALUE_ABSENT may
                     have changed all the same */
    int64_t at;   /* commit time, microseconds since 1970: MySQL 8 the original one. A row
                     where the log has none: when its transaction was written */
    struct str why;                    /* a sentence; valid until the next call */
    const struct catalog_table *found; /* LOG_SHAPED; valid until the next call */
    const struct log_fill *fills;      /* LOG_SHAPED; valid until the next call */
    size_t fill_count;
};

struct log_reader;

/* Connect, prove that the position is of this history, and stand behind it. Nothing is
 * watched yet. `from` is copied. */
struct log_reader *log_reader_open(const struct source *src,
                                   const struct log_position *from,
                                   const struct log_options *o, struct cancel *c,
                                   struct error *err);
void log_reader_close(struct log_reader *r); /* NULL is fine; never waits */

/* Hand out this table from the next transaction on. `found` (all its columns) is copied;
 * what of it is selected is decoded. Again for a table that is watched: the new shape.
 * ERR_SCHEMA for a table whose rows the log cannot give (a view, MariaDB's versioned
 * tables, engines that keep no rows): read it in another way. */
int log_reader_watch(struct log_reader *r, uint32_t table,
                     const struct catalog_table *found, struct error *err);
void log_reader_unwatch(struct log_reader *r, uint32_t table);

/* `found` was read when the log ended at or before this place, which may lie behind where
 * the reader stands: a change of the table's columns up to there is in it already, so it
 * is not known how rows before were, and the table is lost. */
void log_reader_seen(struct log_reader *r, uint32_t table, struct str file,
                     uint64_t offset);

/* 1 an item, -1. */
int log_reader_next(struct log_reader *r, struct log_item *out, struct error *err);

/* After LOG_COMMIT, LOG_IDLE, LOG_END and log_reader_open(): where reading can resume.
 * Valid until the next call of log_reader_next(). */
const struct log_position *log_reader_position(struct log_reader *r);

/* Cells whose bytes were no characters and were replaced, so far. */
uint64_t log_reader_replaced(const struct log_reader *r);

/* What proves a place behind which nothing was read yet: the head of its file, and the
 * transaction before it, are looked at once and noted in *p; texts are in the arena. As
 * far as the log still has them: a place may stay without. ERR_CANCELLED only. */
int log_origin(const struct source *src, struct arena *a, struct log_position *p,
               struct cancel *c, struct error *err);

/* `have` is at or behind `end`: by file and offset where both are of one server, else by
 * GTIDs; false when it cannot be told. */
bool log_position_reached(const struct log_position *have,
                          const struct log_position *end);

#endif
