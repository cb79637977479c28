/* src/config/url.h
 *
 * Sources and destinations as people write them.
 *
 *     mysql://user[:password]@host[:port][/db1,db2][?tls=verify-identity&ca=/path]
 *     mysql://user[:password]@[/db][?socket=/path]
 *     duckdb:path/to/file.duckdb[?memory_limit=1GiB&threads=2]
 *
 * Every part may be percent-encoded; an IPv6 address stands in brackets; commas separate
 * databases. A password is taken out as a secret, so that the structs here can be
 * printed.
 *
 * Errors: ERR_CONFIG naming the part at fault and what was expected there. No error
 * repeats the part between "//" and the last "@", which may hold a password. Thread: any.
 */
#ifndef CONFIG_URL_H
#define CONFIG_URL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "config/secret.h"

#include <stdbool.h>
#include <stdint.h>

/* Longest URL accepted, in bytes. */
#define URL_LIMIT 8192

enum url_tls {
    URL_TLS_VERIFY_IDENTITY = 0, /* "verify-identity" */
    URL_TLS_DISABLED,            /* "disabled" */
};

/* A MySQL source. Texts are decoded, NUL-terminated, without NUL inside, and live in the
 * arena. */
struct url_source {
    struct str user;
    struct str host;   /* empty with a socket */
    uint16_t port;     /* 3306 when the URL has none; 0 with a socket */
    struct str socket; /* path, or empty */
    const struct str *databases;
    size_t database_count;
    enum url_tls tls; /* default: disabled on this machine, verify-identity elsewhere */
    bool tls_given;
    struct str ca;        /* PEM file, or empty: the system's store */
    struct str cert, key; /* client certificate, or empty */
};

/* password  set to the URL's, or NULL when it has none; the caller's to free */
int url_parse_source(struct arena *a, struct str url, struct url_source *out,
                     struct secret **password, struct error *err);

/* The canonical text without password, which parses to the same source. */
void url_print_source(struct buf *out, const struct url_source *u);

/* A destination: which driver, where, and the driver's settings as "key=value". */
struct url_destination {
    struct str scheme;   /* "duckdb" */
    struct str location; /* "path/to/file.duckdb" */
    const struct str *settings;
    size_t setting_count;
};

/* Which schemes exist is for the caller to say. */
int url_parse_destination(struct arena *a, struct str url, struct url_destination *out,
                          struct error *err);

void url_print_destination(struct buf *out, const struct url_destination *u);

/* Overwrite the password of a source URL among the process's arguments, in place and with
 * the length kept, so that `ps` does not show it. False when there was none. */
bool url_wipe_argument(char *argument);

#endif
