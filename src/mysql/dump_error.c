/* What a server says when it ends a dump. */
#include "mysql/dump_internal.h"

#include <stddef.h>
#include <string.h>

#define NUMBER_DUMP 1236u /* ER_MASTER_FATAL_ERROR_READING_BINLOG, for everything */

struct cause {
    const char *words; /* in the server's text */
    enum error_code code;
    const char *says; /* before the server's text; NULL: that is plain enough */
    const char *hint;
};

/* The first that fits counts. Seen at MySQL 9.7 and MariaDB 10.5 to 11.8, and by the
 * "Error Message Reference" of older ones. */
static const struct cause causes[] = {
    { "same server_uuid/server_id", ERR_NETWORK, NULL,
      "Another program connected with the same server id; the next connection takes "
      "another one." },
    { "Could not find first log file name", ERR_POSITION,
      "the log does not have that file",
      "That file is not at the server any more, or is not its own: start at a file that "
      "SHOW BINARY LOGS lists, or copy again." },
    { "purged", ERR_POSITION, "the log that comes next was purged",
      "The server has deleted logs that are needed: keep them longer "
      "(binlog_expire_logs_seconds, expire_logs_days; 'binlog retention hours' at RDS), "
      "start later, or copy again." },
    { "Could not find GTID state", ERR_POSITION, "the log that comes next was purged",
      "The server has deleted logs that are needed: keep them longer "
      "(binlog_expire_logs_seconds, expire_logs_days), start later, or copy again." },
    { "not in the master's binlog", ERR_POSITION, "the log has another history",
      "This server has never logged that transaction: it is another server, or its log "
      "was reset. Start at a position of its own, or copy again." },
    { "more GTIDs than", ERR_POSITION, "the log has another history",
      "The set names transactions that this server does not have: it is another server, "
      "or its log was reset. Copy again." },
    { "GTID_MODE", ERR_CONFIG, NULL,
      "Switch gtid_mode on at the server, or start by file and offset." },
    { "requested master to start replication from", ERR_POSITION,
      "the log ends before that place",
      "The file is shorter than that: give an offset that the server's log has." },
    { "requested source to start replication from", ERR_POSITION,
      "the log ends before that place",
      "The file is shorter than that: give an offset that the server's log has." },
    { "Client requested", ERR_POSITION, "the log does not have that place",
      "Give an offset at which an event starts, inside the file." },
    { "position >", ERR_POSITION, "the log does not have that place",
      "Give an offset at which an event starts, inside the file." },
    { "bogus data", ERR_POSITION, "the log does not have that place",
      "Give an offset at which an event starts." },
    { "exceeded max_allowed_packet", ERR_POSITION, "the log does not have that place",
      "Give an offset at which an event starts; if it is one, raise max_allowed_packet "
      "at the server." },
    { "inary log is not open", ERR_CONFIG, NULL,
      "Switch the binary log on at the server (log_bin) and restart it." },
    { "Misconfigured master", ERR_CONFIG, NULL,
      "Give the server a server_id other than 0." },
    { "Misconfigured source", ERR_CONFIG, NULL,
      "Give the server a server_id other than 0." },
};

int dump_explain(struct error *err)
{
    if (err->remote != NUMBER_DUMP)
        return -1;
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
        if (strstr(err->text, causes[i].words) == NULL)
            continue;
        err->code = causes[i].code;
        err->hint = causes[i].hint;
        return causes[i].says == NULL ? -1 : error_wrap(err, "%s", causes[i].says);
    }
    err->code = ERR_PROTOCOL;
    err->hint = "The server could not read its own log: look at its error log.";
    return -1;
}
