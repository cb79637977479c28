/* src/mysql/gtid.h
 *
 * MySQL's global transaction ids and sets of them, with gaps and tags, as text and as the
 * binary form of PREVIOUS_GTIDS_LOG_EVENT and COM_BINLOG_DUMP_GTID. MariaDB's ids are
 * another thing: mysql/gtid_maria.h.
 *
 * A set is kept canonical: ids in the order of UUID and tag, their intervals ascending
 * and apart, so that equal sets have equal text. A zeroed struct is the empty set; the
 * set owns its memory, gtid_set_done() ends it.
 *
 * Thread: one at a time per set. Errors: ERR_CONFIG for text (an operator's setting; who
 * parses what a server said wraps it), ERR_PROTOCOL for bytes, ERR_LIMIT past the
 * ceilings below. A function that fails leaves its set as it was.
 *
 * Source: MySQL 9.x manual, "GTID Format and Storage"; binary form: Doxygen 9.x, class
 * Gtid_set (encode), and what a 9.7 server wrote.
 */
#ifndef MYSQL_GTID_H
#define MYSQL_GTID_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define GTID_UUID_BYTES 16
#define GTID_TAG_MAX 32
#define GTID_NUMBER_MAX ((uint64_t)INT64_MAX - 1) /* the server's last one */

/* Ceilings of one set. */
#define GTID_SOURCES_LIMIT 16384
#define GTID_INTERVALS_LIMIT (1u << 20)

/* Who numbers: a server's UUID and a tag, "" for none. */
struct gtid_source {
    uint8_t uuid[GTID_UUID_BYTES];
    char tag[GTID_TAG_MAX + 1]; /* lower case, NUL-padded */
};

struct gtid {
    struct gtid_source source;
    uint64_t number; /* from 1 */
};

struct gtid_interval {
    uint64_t first, last; /* both inclusive */
};

struct gtid_run {
    struct gtid_source source;
    struct gtid_interval *intervals; /* owned; never empty */
    uint32_t count, capacity;
};

struct gtid_set {
    struct gtid_run *runs; /* owned */
    uint32_t count, capacity;
    uint32_t intervals; /* of all runs */
};

/* "3e11fa47-71ca-11e1-9e33-c80aa9429562:5" or "UUID:tag:5". */
int gtid_parse(struct str text, struct gtid *out, struct error *err);
void gtid_format(const struct gtid *g, struct buf *out);

/* The tag of a GTID_TAGGED_LOG_EVENT into a source: lower-cased; ERR_PROTOCOL when it is
 * none. Empty is none. */
int gtid_source_set_tag(struct gtid_source *s, struct str tag, struct error *err);

void gtid_set_done(struct gtid_set *s);
int gtid_set_copy(const struct gtid_set *s, struct gtid_set *out, struct error *err);

/* All that "UUID[:interval...][:tag:interval...], ..." names, as the server takes it
 * (blanks, upper case, any order, overlaps). out need not be initialised. */
int gtid_set_parse(struct str text, struct gtid_set *out, struct error *err);

/* "UUID:1-5:7:tag:1,UUID:1": canonical, without blanks. */
void gtid_set_format(const struct gtid_set *s, struct buf *out);

/* Binary form; `body` without the event's header and checksum. */
int gtid_set_decode(struct str body, struct gtid_set *out, struct error *err);

/* The old form as long as there is no tag: servers before 8.3 know no other. */
void gtid_set_encode(const struct gtid_set *s, struct buf *out);

bool gtid_set_is_empty(const struct gtid_set *s);
bool gtid_set_contains(const struct gtid_set *s, const struct gtid *g);
bool gtid_set_is_subset(const struct gtid_set *s, const struct gtid_set *of);
bool gtid_set_equal(const struct gtid_set *a, const struct gtid_set *b);
uint64_t gtid_set_size(const struct gtid_set *s); /* transactions; saturates */

int gtid_set_add(struct gtid_set *s, const struct gtid *g, struct error *err);
int gtid_set_add_interval(struct gtid_set *s, const struct gtid_source *source,
                          struct gtid_interval add, struct error *err);
int gtid_set_union(struct gtid_set *s, const struct gtid_set *with, struct error *err);
int gtid_set_subtract(struct gtid_set *s, const struct gtid_set *less, struct error *err);

#endif
