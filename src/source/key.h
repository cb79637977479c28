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
 * What this rests on, besides what key_note.why names: the server's clock is not set
 * back; no client sets keys of its own in the past (an explicit number, a time other than
 * its NOW() in UTC or in the server's zone, SET timestamp); a statement that waited long
 * for a lock of the whole table before its transaction began has ended in time, since
 * nobody tells when the statements of an idle transaction began.
 *
 * Thread: as the session's.
 */
#ifndef SOURCE_KEY_H
#define SOURCE_KEY_H

#include "base/arena.h"
#include "mysql/session.h"
#include "row/catalog.h"
#include "row/position.h"

/* What is read by key. */
struct key_read {
    const struct catalog_table *found;
    const struct column *key; /* of found->schema */
    struct str where;         /* the stream's filter, or empty */
};

/* *upto: the true MAX(key), where this read ends; the anchor's may be lower, see
 * key_anchor. Errors: those of the session; ERR_SCHEMA for a table that has changed. */
int key_take_anchor(struct session *s, struct arena *a, const struct key_read *k,
                    struct key_anchor *out, struct str *upto, struct error *err);

/* Between the last anchor and the first note at least so long, for the anchors to be safe
 * at once: a second for the rule of key_bookmark, and one since statements' times are
 * told in whole seconds. */
#define KEY_SETTLE_US (2200 * 1000)

struct key_note {
    int64_t at;     /* see key_bookmark.noted; 0 when not proved */
    bool proved;    /* the order of keys follows from transactions; else by look-back */
    struct str why; /* of what is not proved: a sentence for people */
};

/* After the anchor, before the read's view. Proved needs the PROCESS privilege, a server
 * that hands out the keys itself (no replica, no cluster node), InnoDB or an engine
 * without transactions, and integers that are AUTO_INCREMENT. The session must have no
 * transaction open, and has none after. */
int key_take_note(struct session *s, struct arena *a, const struct key_read *k,
                  struct key_note *out, struct error *err);

/* The two halves of it, for many tables at once: what the server says, taken once, and
 * what follows for one table. */
int key_take_server_note(struct session *s, struct arena *a, struct key_note *out,
                         struct error *err);
struct key_note key_note_of(const struct key_note *server, const struct key_read *k);

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

struct key_columns {
    const struct str *names; /* as the source spells them */
    size_t count;
};

/* Are these columns a key of the view, unique and never NULL? Reads all of it. *example:
 * a key that is not, for people; empty when all is well. */
int key_check_unique(struct session *s, struct arena *a, const struct catalog_table *t,
                     struct key_columns columns, struct str *example, struct error *err);

#endif
