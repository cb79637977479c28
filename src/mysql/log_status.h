/* src/mysql/log_status.h
 *
 * What a server's binary log is and holds, asked on an ordinary session, in the spelling
 * that the server knows.
 *
 * Privileges: REPLICATION CLIENT (MariaDB: BINLOG MONITOR) for place and files,
 * REPLICATION SLAVE (MariaDB: REPLICATION MASTER ADMIN) for replicas. ERR_AUTH with a
 * sentence where one is missing.
 *
 * Thread: the session's. Texts are in the arena.
 */
#ifndef MYSQL_LOG_STATUS_H
#define MYSQL_LOG_STATUS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "mysql/session.h"

#include <stdbool.h>
#include <stdint.h>

/* The end of the log. */
struct log_status {
    bool on; /* there is a log; the rest is empty otherwise */
    struct str file;
    uint64_t offset;
    /* MySQL: Executed_Gtid_Set of the same moment as the place, empty without GTIDs.
     * MariaDB: @@gtid_binlog_pos, read before the place: never behind it. */
    struct str gtids;
    struct str do_databases, ignored_databases; /* binlog-do-db, binlog-ignore-db */
};
int log_status_read(struct session *s, struct arena *a, struct log_status *out,
                    struct error *err);

struct log_file {
    struct str name;
    uint64_t size;
};
/* Oldest first. None where the log is off. */
int log_files_read(struct session *s, struct arena *a, const struct log_file **out,
                   size_t *count, struct error *err);

/* MySQL: transactions that no file has any more. Empty on MariaDB, where the oldest
 * file's GTID_LIST_EVENT says it. */
int log_purged_read(struct session *s, struct arena *a, struct str *gtids,
                    struct error *err);

/* MariaDB: the GTID position at a place of the log; the server reads the file up to
 * there. ERR_POSITION when there is no such place. */
int log_gtid_at(struct session *s, struct arena *a, struct str file, uint64_t offset,
                struct str *gtids, struct error *err);

struct log_replica {
    uint64_t server_id;
    struct str host;
    struct str uuid; /* empty on MariaDB */
};
/* Replicas that are registered now. */
int log_replicas_read(struct session *s, struct arena *a, const struct log_replica **out,
                      size_t *count, struct error *err);

#endif
