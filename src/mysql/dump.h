/* src/mysql/dump.h
 *
 * The binary log as a server sends it to a replica: one connection, from a place or a set
 * of GTIDs on, to the end of the log or for ever.
 *
 *   session ──COM_REGISTER_SLAVE, COM_BINLOG_DUMP[_GTID]──▶ server
 *   payload: 00 event | ff error | fe end        (an event of 16 MiB and more: several
 *                                                 packets, read as they arrive)
 *
 * dump_open() takes over a session that is logged in: it announces checksums, heartbeats
 * and who we are, takes a server id that nobody has, and starts the stream. From then on
 * the session is good for session_close() only, after dump_close().
 *
 * dump_next() hands out events as binlog_next() does, with `offset` and `end` of the
 * server's file, which dump_place() names. An event larger than memory is walked through
 * dump_binlog(): binlog_body(). Every event's frame, length and checksum are verified.
 *
 * What is waited for is bounded: a server that sends neither events nor heartbeats for
 * DUMP_BEATS heartbeats is given up (ERR_NETWORK). Until its first event it may take
 * longer, since it may have to search its files for the place. The session's cancel ends
 * every wait at once.
 *
 * Starts:
 *   file and offset  both families. The command of the protocol has 32 bits for the
 *                    offset; a start beyond is made at the head of the file, and what is
 *                    before the offset is read and dropped here. An offset that is no
 *                    event's start is ERR_POSITION.
 *   GTIDs            MySQL: all transactions that are not in the set
 * (COM_BINLOG_DUMP_GTID, tags included); MariaDB: those behind the position, domain by
 * domain
 *                    (@slave_connect_state).
 *   nothing          the oldest file that the server has.
 *
 * Errors: ERR_NETWORK may be tried again, by a new session (lost, killed, silent, another
 * program took our server id); ERR_POSITION the log that is asked for is not there, or is
 * not this server's; ERR_AUTH REPLICATION SLAVE is missing; ERR_CONFIG the server writes
 * no log or has no GTIDs; ERR_LIMIT a row or event limit; ERR_PROTOCOL; ERR_CANCELLED.
 * After an error the stream is over.
 *
 * Thread: one at a time.
 * Source: MySQL Server Doxygen 9.x, "COM_BINLOG_DUMP", "COM_BINLOG_DUMP_GTID",
 * "COM_REGISTER_SLAVE"; MariaDB documentation, "COM_BINLOG_DUMP", "COM_REGISTER_SLAVE".
 */
#ifndef MYSQL_DUMP_H
#define MYSQL_DUMP_H

#include "base/error.h"
#include "base/str.h"
#include "mysql/binlog.h"
#include "mysql/binlog_place.h"
#include "mysql/gtid.h"
#include "mysql/gtid_maria.h"
#include "mysql/session.h"

#include <stdbool.h>
#include <stdint.h>

/* Server ids of ours: one of them per connection, "TR" in the upper half. */
#define DUMP_SERVER_ID_FIRST UINT32_C(0x54520000)
#define DUMP_SERVER_ID_LAST UINT32_C(0x5452ffff)

#define DUMP_HEARTBEAT_DEFAULT_US (INT64_C(10) * 1000 * 1000)
#define DUMP_HEARTBEAT_MIN_US (INT64_C(100) * 1000)
#define DUMP_HEARTBEAT_MAX_US (INT64_C(60) * 1000 * 1000)
#define DUMP_BEATS 3

/* All borrowed for dump_open(). */
struct dump_options {
    struct str file;              /* start by place; empty: the oldest file */
    uint64_t offset;              /* of an event in it; below 4: its head */
    const struct gtid_set *gtids; /* MySQL: what is not wanted any more */
    const struct gtid_maria_position *position; /* MariaDB: what comes behind it */
    bool non_block;       /* end at the end of the log, instead of waiting for more */
    bool no_annotations;  /* MariaDB: without the statements behind rows; then offsets
                             inside a transaction are too small */
    bool skip_checksums;  /* do not verify them */
    int64_t heartbeat_us; /* 0: the default */
    uint32_t server_id;   /* 0: a free one of ours */
    size_t row_limit;     /* as in struct binlog_options */
    size_t event_limit;
};

struct dump;

/* NULL with err on failure; the session is then to be closed, too. A server that has
 * nothing to send notices a closed dump at one of its next heartbeats: until then it
 * lists the replica, and its server id is taken. */
struct dump *dump_open(struct session *s, const struct dump_options *o,
                       struct error *err);
void dump_close(struct dump *d); /* NULL is fine; the session is closed after it */
void dump_close_at(struct dump **d);

/* 1 an event, 0 the end of the log (non_block only), -1. Heartbeats and what else the
 * server makes up is handed out, too: dump_place()->real tells it from what is in the
 * file. */
int dump_next(struct dump *d, struct event *out, struct error *err);

/* Nothing has arrived behind the latest event: the next call is likely to wait. */
bool dump_is_idle(const struct dump *d);

/* Format and bodies of its events; not for binlog_next(). */
struct binlog *dump_binlog(struct dump *d);

/* Of the latest event. Lives as long as the dump. */
const struct binlog_place *dump_place(const struct dump *d);

/* Who we are to the server. */
uint32_t dump_server_id(const struct dump *d);

#endif
