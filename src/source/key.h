/* src/source/key.h
 *
 * Key-based reading: which columns can be a replication key, and what a read must know
 * before its first page so that the next one loses nothing. The rows themselves are read
 * by full.h, in order of (replication key, key of the table).
 *
 *   anchor   MAX(key) and the server's clock
 *   note     since when the oldest transaction is open that may still bring rows
 *   read     key >= start AND key <= anchor
 *
 * A key that the server hands out while a transaction is open (AUTO_INCREMENT, NOW() of
 * the writing statement) is later than every anchor taken before that transaction began.
 * Where that cannot be known, the read is by look-back: see key_note.why.
 *
 * Thread: as the session's.
 */
#ifndef SOURCE_KEY_H
#define SOURCE_KEY_H

#include "base/arena.h"
#include "mysql/session.h"
#include "row/catalog.h"
#include "row/position.h"

/* How a look-back is counted. */
enum key_kind {
    KEY_KIND_NONE = 0, /* this column cannot be a replication key */
    KEY_KIND_TIME,     /* DATE, DATETIME, TIMESTAMP: seconds */
    KEY_KIND_UNITS,    /* integers */
};

/* why: a sentence where it is none. */
enum key_kind key_kind_of(const struct column *c, struct str *why);

/* What is read by key. */
struct key_read {
    const struct catalog_table *found;
    const struct column *key; /* of found->schema */
    struct str where;         /* the stream's filter, or empty */
};

/* An index that has this column, then the table's key, so that pages in this order cost
 * little; empty: none. */
struct str key_index_of(const struct catalog_table *t, struct str column);

/* *upto: the true MAX(key), where this read ends; the anchor's may be lower, see
 * key_anchor. Errors: those of the session; ERR_SCHEMA for a table that has changed. */
int key_take_anchor(struct session *s, struct arena *a, const struct key_read *k,
                    struct key_anchor *out, struct str *upto, struct error *err);

struct key_note {
    int64_t at;     /* see key_bookmark.noted */
    bool proved;    /* the order of keys follows from transactions; else by look-back */
    struct str why; /* of what is not proved: a sentence for people */
};

/* After the anchor, before the read's view. Proved needs the PROCESS privilege, a server
 * that hands out the keys itself (no replica, no cluster node) and InnoDB. */
int key_take_note(struct session *s, struct arena *a, const struct key_read *k,
                  struct key_note *out, struct error *err);

/* value, a part of a key tuple, less seconds or units; of a DATE whole days, rounded up.
 * Never below the type's first value, which is the zero date; that, too, for a value that
 * is no date. The result may be value's own bytes' copy, in the arena. */
struct str key_less(struct arena *a, const struct column *key, struct str value,
                    int64_t amount);

/* A value that a person wrote, as a part of a key tuple: integers in the column's range;
 * YYYY-MM-DD, but for a DATE with an optional hh:mm[:ss[.ffffff]] behind a blank or T, in
 * UTC for a TIMESTAMP, which may say so by a Z. Errors: ERR_CONFIG with what is accepted.
 */
int key_value_read(struct arena *a, const struct column *key, struct str text,
                   struct str *out, struct error *err);

/* A filter that a person wrote must be one condition on this table: the server is asked
 * without reading a row. Errors: ERR_CONFIG with its answer. */
int key_check_where(struct session *s, const struct catalog_table *t, struct str where,
                    struct error *err);

/* Are these columns a key of the view, unique and never NULL? Reads all of it. *example:
 * a key that is not, for people; empty when all is well. */
int key_check_unique(struct session *s, struct arena *a, const struct catalog_table *t,
                     const struct str *columns, size_t count, struct str *example,
                     struct error *err);

#endif
