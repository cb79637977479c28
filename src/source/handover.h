/* src/source/handover.h
 *
 * From a copy to the log without a gap. A place in the log leads the engine (an event is
 * sent before its commit is visible), @@gtid_executed trails it: so where the log is read
 * from is taken from what trails, and where a copy may join from what leads.
 *
 *   handover_start     P0 of a first start: where the log is read from
 *   handover_visible   waits until every transaction up to P0 is visible to any view
 *                      that is opened from then on: then the first page may be read
 *   handover_end       P1, after the last page: the log's end
 *
 * Invariant 3 rests on handover_visible(), which proves it in one of these ways, the
 * first that the server and the account allow:
 *
 *   gtid      MySQL with GTIDs: P0 is a subset of @@gtid_executed, to which a transaction
 *             is added when the engine has committed it
 *   snapshot  MariaDB, Percona Server: a consistent snapshot is at or behind P0;
 *             the server takes it between two commits of the log's order. MariaDB's XA
 *             COMMITs keep no order: those that were under way must have ended, too
 *   lock      LOCK TABLES t READ was granted after P0: whoever changed t before P0 held
 *             its metadata lock until the engine had committed
 *   time      none of them: `settle_us` after P0, what the other ways took included. Not
 * a proof
 *
 * handover_view() opens the one view of a table that cannot be read by pages, and says
 * which places in the log it lies between.
 *
 * Thread: the session's. Never FLUSH TABLES WITH READ LOCK: RDS and Aurora refuse it.
 * Source: MySQL Server 9.7, sql/binlog.cc, MYSQL_BIN_LOG::ordered_commit() (flush, sync,
 * commit; gtid_state->update_commit_group() is after ha_commit_low()); MariaDB
 * documentation, "START TRANSACTION", "Enhancements for START TRANSACTION WITH CONSISTENT
 * SNAPSHOT"; MySQL 9.x manual, "Metadata Locking".
 */
#ifndef SOURCE_HANDOVER_H
#define SOURCE_HANDOVER_H

#include "base/arena.h"
#include "base/cancel.h"
#include "base/error.h"
#include "mysql/session.h"
#include "row/position.h"
#include "row/schema.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source;

/* P0 where nothing has been read yet. MySQL with GTIDs: the set that is executed, no
 * file. MariaDB: the place of a consistent snapshot, and its GTID position. MySQL without
 * GTIDs: the log's end; handover_visible() then has something to wait for. The proof of
 * the last transaction is empty. ERR_CONFIG when the server writes no log. Texts are in
 * the arena. */
int handover_start(struct session *s, struct arena *a, struct log_position *p0,
                   struct error *err);

/* All borrowed. */
struct handover_wait {
    const struct log_position *p0;
    const struct source *source; /* for the connection that locks; NULL: no locks */
    const struct table_schema *const *tables; /* what is going to be read */
    size_t table_count;
    int64_t patience_us; /* how long the server may lag behind P0; 0: 60 s */
    int64_t settle_us;   /* option handover_wait; 0: 60 s. So long are locks tried */
    struct cancel *cancel;
};

/* 0 with the way in *how: "gtid", "snapshot", "lock" or "time" (static). ERR_POSITION
 * when the server does not reach P0 within patience_us: it may have another history.
 * ERR_CANCELLED. */
int handover_visible(struct session *s, const struct handover_wait *w, struct str *how,
                     struct error *err);

/* P1: the log's end now, which leads. Whatever a view opened before has seen is at or
 * before it. */
int handover_end(struct session *s, struct arena *a, struct log_position *p1,
                 struct error *err);

/* May the account lock this table, as handover_visible() would? Tries it for a moment, on
 * this session. */
int handover_can_lock(struct session *s, const struct table_schema *table, bool *can,
                      struct error *err);

/* --- one view --------------------------------------------------------------------------
 */

/* Where in the log the one view of a table lies: behind `low`, every transaction up to
 * which it has, and not behind `high`, after which it has none. Exact: they are the same
 * place. */
struct view_point {
    const struct source *source; /* in: for the connection that locks; NULL: no locks */
    struct arena *arena;         /* in: of the texts */
    struct cancel *cancel;       /* in */
    int64_t settle_us;           /* in: as in handover_wait, where nothing is proved */
    struct log_position low, high;
    bool exact;
    struct str how; /* "snapshot", "lock", "quiet", "gtid" or "time" (static):
                       snapshot and lock are exact; quiet: nothing was committed
                       meanwhile, exact; gtid: low is what was executed before; time: low
                       was the end settle_us before */
};

/* Start a read-only transaction with a view on the session, whose end is the caller's,
 * and fill low, high, exact and how for this one table. */
int handover_view(struct session *s, const struct table_schema *table,
                  struct view_point *point, struct error *err);

/* --- places ----------------------------------------------------------------------------
 */

/* -1, 0, 1: the order of two places of one server's log: the files' numbers, then the
 * offsets. */
int handover_compare(struct str file, uint64_t offset, struct str with_file,
                     uint64_t with_offset);

#endif
