/* src/mysql/gtid_maria.h
 *
 * MariaDB's global transaction ids, "domain-server-sequence", and positions made of them:
 * the last one of each domain. Sequences of one domain ascend, whoever wrote them
 * (gtid_strict_mode); a position says nothing of gaps.
 *
 * A zeroed struct is the position before everything; it owns its memory,
 * gtid_maria_done() ends it. Domains are kept ascending, so that equal positions have
 * equal text.
 *
 * Thread: one at a time per position. Errors: ERR_CONFIG for text, ERR_PROTOCOL for
 * bytes, ERR_LIMIT past GTID_DOMAINS_LIMIT. A function that fails leaves its position as
 * it was.
 *
 * Source: MariaDB documentation, "Global Transaction ID" and "GTID_LIST_EVENT".
 */
#ifndef MYSQL_GTID_MARIA_H
#define MYSQL_GTID_MARIA_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define GTID_DOMAINS_LIMIT 65536

struct gtid_maria {
    uint32_t domain;
    uint32_t server;
    uint64_t sequence;
};

struct gtid_maria_position {
    struct gtid_maria *last; /* owned; one a domain, ascending */
    uint32_t count, capacity;
};

/* "0-1-3095" */
int gtid_maria_parse(struct str text, struct gtid_maria *out, struct error *err);
void gtid_maria_format(const struct gtid_maria *g, struct buf *out);

void gtid_maria_done(struct gtid_maria_position *p);
int gtid_maria_copy(const struct gtid_maria_position *p, struct gtid_maria_position *out,
                    struct error *err);

/* "0-1-3095,7-2-1", with blanks as the server takes them; one id a domain, as there. */
int gtid_maria_parse_position(struct str text, struct gtid_maria_position *out,
                              struct error *err);
void gtid_maria_format_position(const struct gtid_maria_position *p, struct buf *out);

/* The body of a GTID_LIST_EVENT, without header and checksum: the last id of each domain,
 * which stands behind those of other servers in that domain. */
int gtid_maria_decode_list(struct str body, struct gtid_maria_position *out,
                           struct error *err);

/* The id is the domain's last one from now on. */
int gtid_maria_advance(struct gtid_maria_position *p, const struct gtid_maria *g,
                       struct error *err);

/* Of a domain: its last id, or NULL. Valid until the next change. */
const struct gtid_maria *gtid_maria_find(const struct gtid_maria_position *p,
                                         uint32_t domain);

/* The id is at or before the position. */
bool gtid_maria_contains(const struct gtid_maria_position *p, const struct gtid_maria *g);

/* Every domain of p is at or before where it is in `of`. */
bool gtid_maria_is_subset(const struct gtid_maria_position *p,
                          const struct gtid_maria_position *of);
bool gtid_maria_equal(const struct gtid_maria_position *a,
                      const struct gtid_maria_position *b);

/* The later id of each domain. */
int gtid_maria_union(struct gtid_maria_position *p,
                     const struct gtid_maria_position *with, struct error *err);

#endif
