/* src/mysql/session.h
 *
 * One connection to a MySQL or MariaDB server. libmariadb logs in (handshake,
 * authentication, TLS) and is included nowhere else; from then on all bytes pass through
 * packet with deadlines and the cancel object (docs/decisions/0001).
 *
 * A session speaks utf8mb4 to the server, gets text as it is stored
 * (character_set_results=NULL), lives in UTC, reads only unless `writable`, and has the
 * session variables reset that could silently cut or change what is read
 * (sql_select_limit, sql_mode, time limits on statements).
 *
 * Secrets: the password is borrowed for session_open() only, is wiped from the library's
 * memory after the login, and appears in no error.
 *
 * Errors: ERR_NETWORK may be tried again after a backoff (base/clock.h), the others not:
 * ERR_AUTH (credentials, privileges), ERR_CONFIG (an option, TLS, a missing database),
 * ERR_SCHEMA (a table or column is gone), ERR_PROTOCOL, ERR_LIMIT, ERR_CANCELLED.
 *
 * Thread: one at a time; the first session_open() ignores SIGPIPE for the process, since
 * OpenSSL writes to sockets without MSG_NOSIGNAL.
 */
#ifndef MYSQL_SESSION_H
#define MYSQL_SESSION_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/str.h"
#include "mysql/packet.h"
#include "mysql/quote.h"
#include "mysql/result.h"

#include <stdbool.h>
#include <stdint.h>

enum session_tls {
    SESSION_TLS_VERIFY_IDENTITY =
        0, /* TLS with a trusted chain and the right host name */
    SESSION_TLS_DISABLED,
};

enum session_isolation {
    SESSION_REPEATABLE_READ = 0,
    SESSION_READ_COMMITTED,
};

struct session_options {
    const char *host;        /* name or address; NULL with socket_path */
    const char *socket_path; /* unix socket: TLS is not used on it */
    const char *user;
    const char *password;             /* secret; NULL is an empty one */
    const char *database;             /* NULL: none */
    const char *ca_file;              /* PEM; NULL: the system's store */
    const char *cert_file, *key_file; /* client certificate; NULL: none */
    uint16_t port;                    /* 0: 3306 */
    enum session_tls tls;
    enum session_isolation isolation;
    bool writable;
    int64_t connect_timeout_us; /* 0: 10 s */
    int64_t read_timeout_us;    /* without a byte from the server; 0: 300 s */
    int64_t write_timeout_us;   /* 0: 60 s */
    size_t query_limit;         /* bytes one control query may return; 0: 256 MiB */
    struct cancel *cancel;      /* may be NULL; borrowed for the session's life */
};

enum server_family { FAMILY_MYSQL = 0, FAMILY_PERCONA, FAMILY_MARIADB };

/* What the server is. The texts live as long as the session. */
struct server_facts {
    enum server_family family;
    uint32_t version;           /* 90704, 101118: major * 10000 + minor * 100 + patch */
    struct str version_text;    /* "9.7.4-2" */
    struct str version_comment; /* "MySQL Community Server - GPL" */
    struct str aurora_version;  /* empty when it is not Aurora */
    struct str server_uuid;     /* empty on MariaDB */
    uint64_t server_id;
    uint64_t connection_id;
    uint64_t max_allowed_packet;
    unsigned lower_case_table_names;
    bool read_only;
    struct str tls_cipher; /* empty without TLS */
};

struct session;

/* Connect, log in and set the session up. Each step ends at connect_timeout; a cancel
 * ends it at once, but for name resolution and the TLS handshake. NULL with err on
 * failure. */
struct session *session_open(const struct session_options *o, struct error *err);

/* A session over bytes that somebody else provides, already logged in and set up: tests
 * and scripted servers. Its facts are empty. */
struct session *session_over(struct packet_io io, const struct result_dialect *d,
                             int64_t timeout_us);

/* NULL is fine. A session that is broken or in the middle of a result is cut off. */
void session_close(struct session *s);

const struct server_facts *session_facts(const struct session *s);
bool session_is_mariadb(const struct session *s);

/* Run one statement and keep all its rows in the arena. ERR_LIMIT past the arena's
 * ceiling or query_limit; the rest of the result is then skipped and the session stays
 * usable. */
int session_query(struct session *s, struct arena *a, struct str sql,
                  struct session_result *out, struct error *err);

/* Run one statement whose rows, if any, do not matter. */
int session_exec(struct session *s, struct str sql, struct error *err);

/* The one cell of a query of one column: its text in the arena, ptr NULL for NULL or no
 * row. */
int session_query_text(struct session *s, struct arena *a, struct str sql,
                       struct str *out, struct error *err);

/* For statement and binlog: the framed connection, and what was negotiated. */
struct packet_stream *session_packets(struct session *s);
const struct result_dialect *session_dialect(const struct session *s);

/* A result set is being read: commands fail with ERR_BUG until it has ended. Whoever
 * leaves one unread marks the session broken. */
void session_set_busy(struct session *s, bool busy);
void session_set_broken(struct session *s);
bool session_is_usable(const struct session *s);

/* Bytes received so far. */
uint64_t session_bytes_read(const struct session *s);

#endif
