/* src/mysql/binlog_place.h
 *
 * Where in the server's logs the events of a dump stand: file and 64-bit offset.
 *
 * A server adds events that are in no file (rotations that name the next file,
 * heartbeats, the format description in front of a start in the middle) and may leave out
 * whole transactions (a start by GTID) or MariaDB's annotations. So offsets are counted,
 * and corrected at each event that begins a transaction or stands between two, by its
 * end_log_pos: the next place whose low 32 bits are those. Inside a transaction
 * end_log_pos is not believed (binlog.h says why).
 *
 * Limit: more than 4 GiB left out at once, at a server without version 2 of heartbeats,
 * make the offset too small by a multiple of 4 GiB until the next file.
 *
 * Thread: one at a time.
 */
#ifndef MYSQL_BINLOG_PLACE_H
#define MYSQL_BINLOG_PLACE_H

#include "base/error.h"
#include "mysql/binlog.h"

#include <stdbool.h>
#include <stdint.h>

/* The longest name of a log that a server has (FN_REFLEN). */
#define BINLOG_NAME_MAX 512

struct binlog_place {
    char file[BINLOG_NAME_MAX + 1]; /* empty before the first rotation */
    uint64_t offset, end;           /* of the event; equal when it is in no file */
    uint64_t next;                  /* where the next one starts */
    bool real;                      /* the event is in the file */
};

/* Account for one event, in order. ERR_PROTOCOL for a rotation or heartbeat that is
 * damaged. */
int binlog_place_follow(struct binlog_place *p, const struct event *e, struct error *err);

#endif
