/* src/sync/log_lane_internal.h
 *
 * What sync/log_lane.c (the loop), log_epoch.c (the open epoch), log_change.c (what
 * happens to tables besides rows), log_policy.c (what people want done then), log_fill.c
 * (new columns), log_cascade.c (what foreign keys do) and log_reread.c (rows in part)
 * share. Nobody else includes this.
 */
#ifndef SYNC_LOG_LANE_INTERNAL_H
#define SYNC_LOG_LANE_INTERNAL_H

#include "base/clock.h"
#include "sync/log_lane.h"
#include "sync/log_reread.h"
#include "sync/log_table.h"

#include <pthread.h>

/* A foreign key by which the server changes rows of a followed table, unlogged. */
struct log_cascade {
    struct check_cascade *key;       /* borrowed: the plan's */
    struct log_table *child;         /* borrowed */
    uint32_t parent;                 /* the number that the parent's rows come by */
    struct stream_shape_plan *shape; /* of the child, that `to` is for */
    uint16_t *from, *to;             /* owned: its columns in the parent and the child's
                                        shape; from NULL: those of the parent are gone */
    struct value *old, *now;         /* owned: of one row */
};

struct log_lane {
    struct log_lane_config config;
    struct arena *arena;       /* owned: reasons, the lane's own texts */
    struct log_reader *reader; /* owned */
    struct log_table *tables;  /* owned */
    size_t table_count;
    struct log_numbers numbers;
    struct log_reread *reread; /* owned */
    struct log_position seen;  /* config.seen: file and offset, in the arena */
    char *captured;            /* owned: position text of the last capture */

    struct epoch_writer *epoch; /* owned; NULL between epochs */
    uint64_t number;
    int64_t began_at, sealed_at; /* monotonic */
    uint64_t raw_bytes;          /* of rows in the open epoch, uncompressed */
    size_t open_bytes;           /* of rows in blocks, not yet in the epoch */
    size_t touched;              /* tables with rows since the last capture */
    bool mid;                    /* rows of a transaction without its commit were taken */
    bool pending;                /* some table has actions for the next epoch */
    struct log_table **now;      /* owned: those that this transaction changes */
    size_t now_count;
    struct log_cascade *cascades; /* owned */
    size_t cascade_count;
    struct catalog_table *parents; /* owned: watched for their keys alone, under the
                                      numbers behind those of the tables */
    size_t parent_count;
    struct backoff pause; /* between connections that are lost */
    size_t lost;
    bool created; /* a table that is selected was made, or resumed: another round copies
                     it */
    int64_t looked_at; /* for tables that were resumed, monotonic */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool held, ended, joining;  /* [lock] */
    struct str end;             /* [lock] position text; owned by the arena `shared` */
    struct arena *shared;       /* [lock] owned */
    struct log_position end_at; /* once `ending` */
    bool ending, joined;
    atomic_int_fast64_t read_to, fresh_to;
};

/* --- log_lane.c */

/* Rows of it count still; NULL is no table. A table that failed at loading leaves here.
 * 1: what was taken must be read again. */
int log_lane_wants(struct log_lane *l, struct log_table *t, bool *wanted);

/* A row was taken into the table's block: keep sizes in bounds. */
int log_lane_took(struct log_lane *l, struct log_table *t, struct error *err);

/* --- log_cascade.c */

void log_cascade_init(struct log_lane *l);
void log_cascade_done(struct log_lane *l);

/* Watch the table, and parents that are no followed tables. */
int log_cascade_watch_table(struct log_lane *l, struct log_table *t, struct error *err);
int log_cascade_watch_parents(struct log_lane *l, struct error *err);

/* A foreign key changes rows of it, which is derived. */
bool log_cascade_is_child(const struct log_lane *l, const struct log_table *t);

/* What the row means for children of its table. 0, -1, or 1: what was taken must be read
 * again. */
int log_cascade_row(struct log_lane *l, const struct log_item *item, struct error *err);

/* The table of this number is read no more: its children leave. 1: rows of one were taken
 * in this transaction. */
int log_cascade_orphan(struct log_lane *l, uint32_t number);

/* It has another shape. 0, -1, or 1 as above. */
int log_cascade_reshape(struct log_lane *l, uint32_t number,
                        const struct catalog_table *found, struct error *err);

/* --- log_epoch.c */

/* Open one if there is none; tables with actions are put into it. */
int log_epoch_open(struct log_lane *l, struct error *err);

/* The table's index in the open epoch. */
int log_epoch_touch(struct log_lane *l, struct log_table *t);

/* Its rows so far go into the epoch. */
int log_epoch_flush(struct log_lane *l, struct log_table *t, struct error *err);

/* Rows were added to its block. */
void log_epoch_count(struct log_lane *l, struct log_table *t);

int log_epoch_flush_all(struct log_lane *l, struct error *err);

/* Flush the fullest tables until rows in blocks take no more than queue_bytes. */
int log_epoch_bound(struct log_lane *l, struct error *err);

/* Capture everything up to the reader's position, or to log_reread_place(). An epoch
 * without streams is captured too when the position has moved and `even_empty`. */
int log_epoch_seal(struct log_lane *l, bool even_empty, struct error *err);

/* Forget the open epoch and all rows that are in none. */
void log_epoch_drop(struct log_lane *l);

bool log_epoch_is_due(const struct log_lane *l);

/* --- log_fill.c */

/* What the rows that are there get as the table's shape becomes `now`, into t->fills. why
 * is not empty where that cannot be told: the table is to be copied again. */
int log_fill_plan(struct log_lane *l, struct log_table *t, const struct table_schema *now,
                  const struct log_item *item, struct str *why, struct error *err);

/* --- log_change.c */

int log_change_apply(struct log_lane *l, const struct log_item *item, struct error *err);

/* The table leaves the lane. 1: rows of it were taken in this transaction, read again. */
int log_change_lose(struct log_lane *l, struct log_table *t, struct str why,
                    unsigned action);

/* The same, and it is not copied again until a person resumes it: the state knows. */
int log_change_park(struct log_lane *l, struct log_table *t, struct str why,
                    unsigned action);

/* The column holds other numbers than 0 and 1. 1: the table was lost for it. */
int log_change_promote(struct log_lane *l, struct log_table *t, unsigned column,
                       struct error *err);

/* The transaction that is read changes the table. */
void log_change_touch(struct log_lane *l, struct log_table *t);

/* The transaction of which rows were taken has ended at the reader's position. */
void log_change_remember(struct log_lane *l, struct log_table *t);

/* A copy that did not come to its end: what is held for it goes. */
void log_change_let_go(struct log_lane *l, struct log_table *t);

/* Copies that are whole join, the others are let go. */
int log_change_join(struct log_lane *l, struct error *err);

/* --- log_policy.c */

/* A change of a live table: *taken where an option says that something else than usual is
 * done with it, and that was done. 1: rows of it were taken in this transaction, read
 * again. -1: the run stops here, or err. */
int log_policy_take(struct log_lane *l, struct log_table *t, const struct log_item *item,
                    bool *taken, struct error *err);

#endif
