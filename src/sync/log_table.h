/* src/sync/log_table.h
 *
 * One followed table as the log thread has it: from rows of the log, which have all its
 * columns, to blocks of the shape that is copied.
 *
 *   held   its copy is under way: changes are kept beside the copy until it joins
 *          (and go into the live table too, while that one is followed all the same)
 *   live   changes go into the live table
 *   out    it left the log lane in this run: `why` says so
 *
 * A change of key is a delete and an insert; so is each update of a table without one.
 *
 * Thread: the log thread. Owner: log_table_done() ends what it owns; the stream is the
 * job's.
 */
#ifndef SYNC_LOG_TABLE_H
#define SYNC_LOG_TABLE_H

#include "source/log.h"
#include "spool/epoch.h"
#include "sync/delivery.h"
#include "sync/shape.h"

enum log_table_state { LOG_TABLE_HELD = 0, LOG_TABLE_LIVE, LOG_TABLE_OUT };

/* A transaction that changed a held table without a key. */
struct log_past {
    struct str position; /* log_position text of its end; in the lane's arena */
    int64_t last;        /* number of its last row */
};

/* So many are remembered until the view of the copy is known to lie behind them. */
#define LOG_PAST_MOST 100000u

/* Texts of the lane, those of all such transactions among them. */
#define LOG_PAST_BYTES ((size_t)512 << 20)

struct log_table {
    struct stream *stream; /* borrowed */
    enum log_table_state state;
    uint64_t version;
    uint64_t live_version; /* held: of the live version that has these changes too, until
                              the copy joins; 0: none has */
    struct stream_shape_plan *shape; /* the newest; the stream's */
    uint16_t *from;                  /* owned: where each column of the shape is in the
                                        table; UINT16_MAX for companions */
    struct value *cells;             /* owned: one row of the shape */
    struct value *before;            /* owned: another one */
    struct block *block;             /* owned; NULL between rows */
    struct delivery *rejected;       /* owned; NULL without rejected rows */
    uint64_t epoch;                  /* the one in which `index` holds */
    int index, live_index;           /* the latter of live_version */
    unsigned actions;                /* of the open epoch, or else of the next one */
    int64_t action_number;           /* TRUNCATE: its number and time */
    int64_t action_at;
    const struct manifest_fill *fills; /* of the open epoch, or else of the next one; in
                                          the stream's arena */
    size_t fill_count;
    struct str reason;                   /* of PARK and GONE; lives in the lane's arena */
    size_t counted_bytes;                /* of the block, as the lane has counted them */
    uint64_t rows, rejected_rows;        /* in no epoch yet */
    uint64_t epoch_rows, epoch_rejected; /* of the open epoch, not yet counted */
    uint64_t rejected_before;            /* counted already */
    int64_t cut;                         /* see manifest_stream.cut */
    struct log_past *past;               /* owned */
    size_t past_count, past_cap;
    size_t waiting;  /* rows that are read again by key, and not gone (log_reread.h) */
    bool reread;     /* rows of the open epoch were, or are to be */
    bool returns;    /* the copy is given up: from the next epoch on it is the live
                        version alone */
    bool announce;   /* the next epoch has its shape, with rows or without */
    bool was_held;   /* it joins, or is let go, in the open epoch */
    bool past_ended; /* what comes now is behind the view */
    bool past_lost;  /* there were more than are remembered */
    bool in_transaction; /* rows of it were taken since the last commit */
    bool changed;        /* the same since the last capture */
    bool half;           /* of the row in hand the image before was taken already */
};

/* What became of a row. */
enum log_taken {
    LOG_TAKEN = 0, /* encoded or rejected */
    LOG_PROMOTE,   /* nothing was taken: *column is no boolean any more */
    LOG_UNTAKEN,   /* nothing was taken: the table cannot be followed, *why says so */
    LOG_PARTLY,    /* what went was taken; of the row that came the log does not have all
                      columns, so it is to be read by its key */
};

/* Numbers of rows. */
struct log_numbers {
    int64_t next;
};

/* The stream's newest shape from now on; whole: all columns of the table. */
void log_table_set_shape(struct log_table *t, const struct table_schema *whole);

/* Take a row of the log; the caller has marked the table as in this transaction. */
enum log_taken log_table_take(struct log_table *t, const struct log_item *row,
                              struct log_numbers *numbers, size_t row_limit,
                              unsigned *column, const char **why);

/* The row that came, as it was read by its key: cells of the shape. sequence and at are
 * those of its change. LOG_TAKEN or LOG_PROMOTE. */
enum log_taken log_table_put(struct log_table *t, const struct value *cells,
                             int64_t sequence, int64_t at, size_t row_limit,
                             unsigned *column);

/* The two images of an update are of one row of the destination. */
bool log_table_same_key(const struct log_table *t, const struct log_item *row);

/* What the server did to rows of this table by a foreign key: those whose columns had
 * these values. */
struct log_acted {
    const uint16_t *columns; /* in the shape, count */
    const struct value *old; /* count, as is: */
    const struct value *now; /* what they became; NULL: the rows went */
    size_t count;
    int64_t at;
};

/* Take that. False: a value cannot be represented. Takes two numbers. */
bool log_table_take_acted(struct log_table *t, const struct log_acted *acted,
                          struct log_numbers *numbers, size_t row_limit);

/* Forget the rows that are not in an epoch yet. */
void log_table_drop_rows(struct log_table *t);
void log_table_done(struct log_table *t);

#endif
