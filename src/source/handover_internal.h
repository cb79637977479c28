/* src/source/handover_internal.h
 *
 * What waiting for a place in the log and opening a view at one share.
 */
#ifndef SOURCE_HANDOVER_INTERNAL_H
#define SOURCE_HANDOVER_INTERNAL_H

#include "mysql/log_status.h"
#include "source/handover.h"

#define VIEW_SQL "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
#define SQL_EXECUTED STR("SELECT @@global.gtid_executed")
#define SQL_OWNED STR("SELECT @@global.gtid_owned")

/* ERR_CONFIG: the log is off. */
int handover_no_log(struct error *err);

/* The log's end, of a server that has a log. */
int handover_read_end(struct session *s, struct arena *a, struct log_status *out,
                      struct error *err);

/* Is every transaction of this server numbered? (MariaDB's are numbered otherwise.) */
int handover_gtid_is_on(struct session *s, struct arena *a, bool *on, struct error *err);

/* What the statement says, as a canonical set. */
int handover_gtids(struct session *s, struct arena *a, struct str sql, struct str *out,
                   struct error *err);

/* server_uuid; empty on MariaDB. */
struct str handover_uuid(struct session *s, struct arena *a);

/* Open a view and read its place; the file is empty where servers do not say it. On
 * success the view is open. */
int handover_snapshot(struct session *s, struct arena *a, struct log_position *p,
                      struct error *err);

/* MariaDB: the GTID position of a place. */
int handover_add_gtid(struct session *s, struct arena *a, struct log_position *p,
                      struct error *err);

/* MariaDB: no XA transaction is prepared, or on its way from the log to the engine. */
int handover_xa_is_quiet(struct session *s, struct arena *a, bool *quiet,
                         struct error *err);

/* A connection for locks, which waits a second for each. */
struct session *handover_locker(const struct source *source, struct cancel *c,
                                struct error *err);

/* LOCK TABLES t READ. LOCK_BUSY: not within a second. */
enum lock_answer { LOCK_ERROR = -1, LOCK_BUSY, LOCK_GRANTED, LOCK_DENIED, LOCK_GONE };
enum lock_answer handover_lock(struct session *locker, const struct table_schema *t,
                               struct error *err);

/* Wait handover_wait, and no less than a commit may wait for a replica. */
int handover_settle(struct session *s, int64_t settle_us, struct cancel *c,
                    struct error *err);

#endif
