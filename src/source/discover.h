/* src/source/discover.h
 *
 * What there is to copy: databases, tables, views, columns, keys, sizes, and what is not
 * supported or not readable, and why. A bounded number of queries whatever the number of
 * tables.
 *
 * Thread: the session's. Owner: the caller frees the catalog.
 */
#ifndef SOURCE_DISCOVER_H
#define SOURCE_DISCOVER_H

#include "mysql/session.h"
#include "row/catalog.h"

struct discover_request {
    const struct str *databases; /* names; none means all but the system ones */
    size_t database_count;
    bool always_int; /* option: TINYINT(1) is an integer, never a boolean */
};

/* Unreadable databases and tables are entries with `why`, not failures. A database asked
 * for by name that does not exist is ERR_CONFIG naming it and its nearest neighbour. */
struct catalog *source_discover(struct session *s, const struct discover_request *r,
                                struct error *err);

/* One table again, for a copy whose shape changed while it was read. NULL with ERR_SCHEMA
 * when it is gone. */
struct catalog *source_discover_table(struct session *s, struct str database,
                                      struct str table, bool always_int,
                                      struct error *err);

/* How many statements the server is running now: the measure of strain of governor.h. */
int source_threads_running(struct session *s, uint64_t *out, struct error *err);

#endif
