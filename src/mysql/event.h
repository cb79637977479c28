/* src/mysql/event.h
 *
 * The bodies of events, one function each. What a function fills points into the body.
 * Table maps are in table_map.h, rows in rows.h.
 *
 * body  the event without its header and without its checksum: struct event.body
 *
 * Errors: ERR_PROTOCOL when a length leaves the body; what was filled until then is not
 * to be used. Thread: any.
 *
 * Source: MySQL Server Doxygen 9.x, the classes of namespace mysql::binlog::event named
 * below; MariaDB documentation, the page of each event. Seen in: tests/golden/binlog.
 */
#ifndef MYSQL_EVENT_H
#define MYSQL_EVENT_H

#include "base/buf.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/str.h"
#include "mysql/binlog.h"

#include <stdbool.h>
#include <stdint.h>

/* --- where the log goes on
 * ---------------------------------------------------------------- */

struct rotate_event {
    struct str file;
    uint64_t position;
};
/* Rotate_event. A fake one (EVENT_ARTIFICIAL, or timestamp 0) opens a dump. */
int event_read_rotate(struct str body, struct rotate_event *out, struct error *err);

struct heartbeat_event {
    struct str file;
    uint64_t position; /* 0 in the old version, which has none */
};
/* Heartbeat_event, Heartbeat_event_v2. */
int event_read_heartbeat(uint8_t type, struct str body, struct heartbeat_event *out,
                         struct error *err);

/* MariaDB BINLOG_CHECKPOINT_EVENT: the oldest file that recovery still needs. */
int event_read_checkpoint(struct str body, struct str *file, struct error *err);

/* --- statements
 * --------------------------------------------------------------------------- */

enum query_flag {
    QUERY_NO_FOREIGN_KEY_CHECKS = 1u << 26,
    QUERY_RELAXED_UNIQUE_CHECKS = 1u << 27,
};

struct query_event {
    struct str database;
    struct str sql; /* in the client's charset */
    struct str time_zone;
    struct str user, host;
    uint64_t sql_mode;
    uint64_t ddl_xid; /* MySQL 8: the statement commits as this transaction; or 0 */
    uint32_t thread_id;
    uint32_t seconds; /* the statement took */
    uint32_t flags2;  /* OPTION_* bits; enum query_flag */
    uint32_t microseconds;
    uint16_t error_code;
    uint16_t charset_client, collation_connection, collation_server; /* ids */
    uint16_t collation_database;
    bool has_flags2, has_sql_mode, has_charsets;
    bool unknown_vars; /* status variables of a newer server were not read */
};
/* Query_event; also MariaDB's QUERY_COMPRESSED_EVENT, whose text is unpacked into
 * `unpacked` (ERR_LIMIT past its ceiling), which may be NULL for the plain one. */
int event_read_query(uint8_t type, struct str body, const struct binlog_format *f,
                     struct buf *unpacked, struct query_event *out, struct error *err);

/* Rows_query_event and MariaDB's ANNOTATE_ROWS_EVENT: the statement behind the rows. */
int event_read_rows_query(uint8_t type, struct str body, struct str *sql,
                          struct error *err);

struct intvar_event {
    uint8_t type; /* 1: LAST_INSERT_ID, 2: INSERT_ID */
    uint64_t value;
};
int event_read_intvar(struct str body, struct intvar_event *out, struct error *err);

struct rand_event {
    uint64_t seed1, seed2;
};
int event_read_rand(struct str body, struct rand_event *out, struct error *err);

struct user_var_event {
    struct str name;
    struct str value; /* ptr NULL for NULL */
    uint32_t collation;
    uint8_t type; /* Item_result: 0 text, 1 real, 2 integer, 4 decimal */
};
int event_read_user_var(struct str body, struct user_var_event *out, struct error *err);

/* --- transactions
 * ------------------------------------------------------------------------- */

int event_read_xid(struct str body, uint64_t *xid, struct error *err);

struct xa_prepare_event {
    struct str gtrid, bqual;
    uint32_t format;
    bool one_phase; /* XA COMMIT ... ONE PHASE: this is the commit */
};
int event_read_xa_prepare(struct str body, struct xa_prepare_event *out,
                          struct error *err);

struct gtid_event {
    uint8_t uuid[16];
    struct str tag;  /* empty without one */
    uint64_t number; /* gno; 0 for an anonymous one */
    uint64_t last_committed, sequence_number;
    uint64_t immediate_commit_at; /* microseconds since 1970, or 0 */
    uint64_t original_commit_at;
    uint64_t transaction_bytes;                   /* or 0 */
    uint32_t immediate_version, original_version; /* of the servers, or 0 */
    uint64_t ticket;                              /* commit group ticket, or 0 */
    uint8_t flags; /* 1: may have statement-format changes */
    bool anonymous;
};
/* Gtid_event of all three types: GTID, anonymous, tagged (MySQL 8.3 and later). */
int event_read_gtid(uint8_t type, struct str body, struct gtid_event *out,
                    struct error *err);

enum maria_gtid_flag {
    MARIA_STANDALONE = 1, /* no COMMIT follows: one statement */
    MARIA_GROUP_COMMIT = 2,
    MARIA_TRANSACTIONAL = 4,
    MARIA_ALLOW_PARALLEL = 8,
    MARIA_WAITED = 16,
    MARIA_DDL = 32,
    MARIA_PREPARED_XA = 64,
    MARIA_COMPLETED_XA = 128, /* XA COMMIT or XA ROLLBACK */
};

struct maria_gtid_event {
    struct xa_prepare_event xid; /* with MARIA_PREPARED_XA or MARIA_COMPLETED_XA */
    uint64_t sequence;
    uint64_t commit_id; /* with MARIA_GROUP_COMMIT */
    uint32_t domain;
    uint8_t flags;
};
int event_read_maria_gtid(struct str body, struct maria_gtid_event *out,
                          struct error *err);

/* Call each for every entry of a GTID_LIST_EVENT; each may be NULL. */
typedef void maria_gtid_fn(void *ctx, uint32_t domain, uint32_t server_id,
                           uint64_t sequence);
int event_read_maria_gtid_list(struct str body, maria_gtid_fn *each, void *ctx,
                               struct error *err);

/* Call each for every interval [first, end) of a Previous_gtids_event, tagged or not;
 * each may be NULL. */
typedef void gtid_interval_fn(void *ctx, const uint8_t uuid[16], struct str tag,
                              uint64_t first, uint64_t end);
int event_read_previous_gtids(struct str body, gtid_interval_fn *each, void *ctx,
                              struct error *err);

struct incident_event {
    struct str message;
    uint16_t number; /* 1: lost events */
};
int event_read_incident(struct str body, struct incident_event *out, struct error *err);

/* --- unpacking
 * ---------------------------------------------------------------------------- */

/* The head of what MariaDB compresses in queries and rows: algorithm and original length,
 * then a zlib stream. Takes the head off r. */
int event_read_compressed_head(struct reader *r, uint64_t *unpacked_bytes,
                               struct error *err);

#endif
