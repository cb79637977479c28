/* src/sync/log_reread.h
 *
 * Rows that the log has in part (binlog_row_image other than FULL: an insert that leaves
 * columns out, a change of key, MariaDB's REPLACE) are read again by key before their
 * epoch is captured.
 *
 *   log ──┤ rows, some in part ├──B──┤ next epoch's rows ├──H──▶
 *                                 └ read again ┘
 *
 * At a commit B, once everything up to B is visible (handover_visible), the rows are read
 * by key, and H is the log's end behind that (handover_end). What was read is the row as
 * of some moment up to H; it gets the number of its own change, and later changes of its
 * key count on top of it, column by column. So at any commit from H on the row is exact:
 * a column that was changed behind its insert has the value of its last change up to
 * there, and one that was not has one value from its insert on, which is what was read.
 * At B it is exact, too, where the log has no change of its key between B and H: then the
 * value that was read is that of B. A row that was not there was deleted before H, so the
 * log has its deletion, and nothing comes of its insert; else the table is lost.
 *
 * So the log is read on to H, with what is behind B kept in memory. If no row that was
 * read again changes there, the epoch is captured at B: a stream of inserts that never
 * ends holds nothing up. If one does, or what is behind B takes more than a block, all of
 * it comes into the epoch, and the rows in part that came with it are read again, behind
 * H. After ROUNDS_MOST such rounds, for more rows than REREAD_ROWS_MOST, and before a
 * TRUNCATE or a change of shape while rows wait, their tables are lost: copied again.
 *
 * Thread: the log thread.
 */
#ifndef SYNC_LOG_REREAD_H
#define SYNC_LOG_REREAD_H

#include "base/error.h"
#include "source/log.h"

struct log_lane;
struct log_table;
struct log_reread;

struct log_reread *log_reread_new(void);
void log_reread_free(struct log_reread *r);

/* The row that the item brings (LOG_PARTLY) is read again. 0, or 1: the table was lost,
 * what was taken must be read again. */
int log_reread_want(struct log_lane *l, struct log_table *t, const struct log_item *item);

/* A row is going to be taken: one that waits may change or go with it. */
void log_reread_see(struct log_lane *l, const struct log_table *t,
                    const struct log_item *item);

enum log_reread_answer {
    LOG_REREAD_NOTHING = 0, /* no row waits, or no epoch is due: as the reader stands */
    LOG_REREAD_PLACE, /* capture at log_reread_place(), then log_reread_captured() */
    LOG_REREAD_WAITS, /* read on */
    LOG_REREAD_AGAIN, /* tables were lost: what was taken must be read again */
    LOG_REREAD_FAILED,
};

/* At a commit; due: an epoch is to be captured. */
enum log_reread_answer log_reread_step(struct log_lane *l, bool due, struct error *err);

/* The commit B where the open epoch ends, with the last number up to there, while what
 * was read behind it is in no epoch; else NULL. */
const struct log_position *log_reread_place(const struct log_lane *l, int64_t *last);
void log_reread_captured(struct log_lane *l);

/* Rows that are behind B come into the epoch. */
void log_reread_spoil(struct log_lane *l);

/* Nothing can be captured as the reader stands. */
bool log_reread_waits(const struct log_lane *l);

/* The table (NULL: one that is not followed) changes in another way than by rows while
 * rows wait. It leaves where the change says so, or its own rows wait; else all those
 * whose rows wait leave, and the change comes again. 1: what was taken must be read
 * again; -1. */
int log_reread_give_up(struct log_lane *l, struct log_table *t,
                       const struct log_item *item, struct error *err);

/* Forget all rows. */
void log_reread_drop(struct log_lane *l);

/* The lane ends: says how many rows were read again. */
void log_reread_end(struct log_lane *l);

#endif
