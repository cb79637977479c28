/* src/source/log_find.h
 *
 * A place in a server's log that a person chose, as a position that the log can be read
 * from: found in the log itself, so it is between two transactions, and what stands
 * before it proves it later (source/log.h).
 *
 * Reads a file of the log from its start up to the place, for a time that file twice.
 *
 * Thread: the session's.
 */
#ifndef SOURCE_LOG_FIND_H
#define SOURCE_LOG_FIND_H

#include "base/arena.h"
#include "base/cancel.h"
#include "base/error.h"
#include "row/position.h"
#include "source/source.h"

#include <stdbool.h>
#include <stdint.h>

enum log_wanted_kind {
    LOG_WANTED_GTIDS = 0, /* behind these transactions */
    LOG_WANTED_PLACE,     /* between two transactions of a file */
    LOG_WANTED_TIME,      /* before the first transaction committed then or later */
};

struct log_wanted {
    enum log_wanted_kind kind;
    struct str gtids; /* MySQL: a set; MariaDB: the last id of each domain */
    struct str file;
    uint64_t offset;
    int64_t at; /* microseconds since 1970 */
};

struct log_search {
    const struct source *source; /* borrowed, as all here */
    struct session *session;     /* for questions */
    struct arena *arena;         /* of the answer */
    struct cancel *cancel;
    int64_t patience_us;
};

/* Errors: ERR_POSITION when the source no longer has the place or never had it, saying
 * what is missing; ERR_CONFIG when nobody can mean it: no end of a transaction, a time to
 * come, GTIDs of a server that has none. */
int log_find(const struct log_search *s, const struct log_wanted *want,
             struct log_position *out, struct error *err);

/* A set of MySQL's GTIDs, or the last ids of MariaDB's domains. */
bool log_gtids_are(struct str text);

#endif
