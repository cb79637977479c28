/* src/source/check.h
 *
 * Does this server give what a copy and the log need? Each thing that is looked at is a
 * finding: what was seen, why it matters, and the statement or the setting that mends it.
 * A finding is a result, not an error; errors are a connection lost and the like.
 *
 * Privileges are tried where trying changes nothing (SHOW BINARY LOG STATUS, SHOW
 * REPLICAS, LOCK TABLES for a moment) and read from SHOW GRANTS elsewhere.
 *
 *   source_check         everything, for people: `tailrace check`
 *   check_log_based      the server's part of "can tables be followed by log", for runs
 *   check_table_log      the table's part
 *   check_log_headroom   how long a position is good for
 *
 * Thread: the session's. Texts are in the arena.
 */
#ifndef SOURCE_CHECK_H
#define SOURCE_CHECK_H

#include "base/arena.h"
#include "base/error.h"
#include "mysql/session.h"
#include "row/catalog.h"
#include "row/position.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- what the log can give -------------------------------------------------------------
 */

enum check_rule { RULE_NONE = 0, RULE_CASCADE, RULE_SET_NULL, RULE_SET_DEFAULT };

/* A foreign key by which the server changes rows of `table` on its own, and does not say
 * so in the log. */
struct check_cascade {
    struct str database, table; /* the child: whose rows change unseen */
    struct str name;            /* of the constraint */
    struct str parent;          /* "database.table" */
    struct str action;          /* "ON DELETE CASCADE, ON UPDATE SET NULL" */
    struct str parent_database, parent_table;
    const struct str *columns; /* of the child, in the constraint's order, as ... */
    const struct str
        *references; /* ... those of the parent; column_count, 0: not known */
    size_t column_count;
    enum check_rule on_delete, on_update;
    /* What check_derive() found: from the parent's changes it can be told exactly what
     * becomes of the child's rows; or why not, a sentence. */
    bool derived;
    struct str why;
    uint64_t parent_shape; /* schema_hash() of the parent; 0: not known */
};

#define CHECK_RETENTION_UNKNOWN (-1)
#define CHECK_RETENTION_ENDLESS INT64_MAX

struct log_ability {
    /* Without this nothing can be followed; why says what is in the way, a sentence, and
     * mend what to do about it. */
    bool possible;
    struct str why, mend;
    enum server_family family;
    bool aurora, rds;     /* rds: Aurora, too */
    bool gtid;            /* MySQL: gtid_mode=ON; MariaDB: always */
    bool names_in_map;    /* binlog_row_metadata=FULL: shapes are proved by each event */
    bool full_images;     /* binlog_row_image=FULL */
    bool cascades_logged; /* the server writes what foreign keys change into the log */
    int64_t retention_s;  /* how long files are kept at least, or CHECK_RETENTION_... */
    struct str do_databases, ignored_databases; /* binlog-do-db, binlog-ignore-db */
    /* By database, then table, as bytes compare; none where they are logged. */
    struct check_cascade *cascades;
    size_t cascade_count;
};

/* Which databases' foreign keys are read; none: all. A handful of queries, whatever the
 * number of tables. */
struct check_scope {
    const struct str *databases;
    size_t database_count;
};

int check_log_based(struct session *s, struct arena *a, const struct check_scope *scope,
                    struct log_ability *out, struct error *err);

/* Which of o->cascades can be derived: tables and columns as the catalog has them. */
void check_derive(struct arena *a, const struct catalog *catalog, struct log_ability *o);

/* A hash of all foreign keys that change rows of the table; 0: there is none. whole: with
 * the shapes of the parents. */
uint64_t check_cascade_hash(const struct log_ability *o, const struct table_schema *child,
                            bool whole);

/* Empty when the log can give this table's rows exactly, what is derived included; else
 * why not, a sentence in the arena. */
struct str check_table_log(struct arena *a, const struct catalog_table *t,
                           const struct log_ability *o);

/* --- how long a position is good for ---------------------------------------------------
 */

struct log_headroom {
    bool present;      /* the position's file is there (by GTID: nothing after it was
                          purged) */
    struct str oldest; /* the oldest file that the server has */
    uint64_t files;    /* from the position's file on, with it */
    uint64_t bytes;    /* of log behind the position; 0 where only its GTID is known */
    /* The server purges what comes behind the position no sooner than in so many
     * microseconds, by its own rules: its retention less the age of the position's last
     * transaction. CHECK_RETENTION_UNKNOWN; CHECK_RETENTION_ENDLESS. A position that is
     * at the log's end has all of the retention. 0: it may be purged at any moment. */
    int64_t us;
};

/* ERR_AUTH without REPLICATION CLIENT (MariaDB: BINLOG MONITOR). */
int check_log_headroom(struct session *s, struct arena *a, const struct log_position *p,
                       struct log_headroom *out, struct error *err);

/* --- findings --------------------------------------------------------------------------
 */

enum check_level { CHECK_OK = 0, CHECK_WARN, CHECK_FAIL };

struct check_finding {
    enum check_level level;
    struct str name; /* "binlog_format": of the setting, the privilege, or what it is */
    struct str saw;  /* "STATEMENT" */
    struct str why;  /* a sentence; empty when all is well and there is nothing to say */
    struct str mend; /* a statement, or a sentence that says what to set; or empty */
};

struct check_list {
    const struct check_finding *items;
    size_t count;
    enum check_level worst;
};

/* The catalog: of the databases that matter, for their tables; findings keep nothing of
 * it. */
int source_check(struct session *s, struct arena *a, const struct catalog *c,
                 struct check_list *out, struct error *err);

/* "ok", "warn", "fail". Static. */
const char *check_level_name(enum check_level level);

#endif
