/* src/row/position.h
 *
 * Where reading can resume: always a safe place. Full tables resume by key: a table is
 * a handful of ranges, each read in key order, so the last key captured of each range is
 * all there is to know.
 *
 * A key tuple is the stored bytes of the key's columns, each as a 4-byte little-endian
 * length and that many bytes; text in the column's own charset, numbers and times as
 * ASCII. The text form is canonical: parse(format(p)) equals p. Bytes appear as hex.
 */
#ifndef ROW_POSITION_H
#define ROW_POSITION_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* One range of a table in key order: rows with after < key <= upto. */
struct page_range {
    struct str after; /* key tuple; empty: from the first row */
    struct str upto;  /* key tuple; empty: to the last row */
    bool done;
};

/* The progress of one table's copy. */
struct page_position {
    uint64_t shape_hash; /* of the shape being read and of how its rows are written */
    int64_t first_at;    /* wall time of the first page */
    int64_t last_at;     /* wall time of the latest page */
    struct page_range *ranges;
    size_t range_count;
};

bool page_position_done(const struct page_position *p);

/* "page1;HASH;FIRST;LAST;AFTER-UPTO[!];..." */
struct str page_position_format(struct arena *a, const struct page_position *p);
int page_position_parse(struct arena *a, struct str text, struct page_position *out,
                        struct error *err);

/* --- key-based reading ----------------------------------------------------------------
 */

/* What the source said of the replication key at one moment. */
struct key_anchor {
    int64_t at;     /* the server's clock, microseconds since 1970 UTC */
    struct str max; /* the greatest key then, as a part of a key tuple; empty: there was
                       none but NULL. A time in the server's future counts as `at` */
};

/* Where the next key-based read of a stream starts, and what the read was that left this.
 *
 * A read takes an anchor, notes since when every transaction was open that its view may
 * miss, and opens the view. What the view missed began at or after `noted`, so it got its
 * keys later than any anchor that is older: an anchor is safe when it is older than
 * `noted` by more than a second (the clock of the source's transactions and of many of
 * its keys has whole seconds).
 *
 * The next read starts (>=) at the newest safe anchor. When none is safe, it starts where
 * this read did, since that was safe already, and what was unknown then is younger than
 * what was noted then: the first anchor, if it is `held`; else at the first key. By
 * look-back it starts at the newest anchor, less the look-back. */
struct key_bookmark {
    struct str column;                /* the replication key, as the source spells it */
    const struct key_anchor *anchors; /* oldest first; the last one is of this read. The
                                         greatest keys do not descend */
    size_t anchor_count;              /* 1 to KEY_ANCHORS_MOST */
    bool held;           /* the first anchor is not of this read alone: this read started
                            there, and no anchor is safe by what it noted */
    int64_t noted;       /* on the server's clock; 0: nothing is known of open
                            transactions, so that this read makes no anchor safe */
    bool by_look_back;   /* nothing proves the order of keys here: the next read starts at
                            the newest anchor less the look-back */
    struct str from, to; /* bounds of this read, both inclusive; empty: none */
    uint64_t definition; /* hash of what makes rows of one version belong together: key,
                            filter, way of loading */
};

/* key_anchor.at of a value that a person chose: older than any other. */
#define KEY_SET_BY_HAND 1

/* So many anchors are kept while one transaction stays open; then those that lie closest
 * together are thinned out, which only makes a later start earlier. */
#define KEY_ANCHORS_MOST 64

/* "key1;DEFINITION;NOTED;FLAGS;COLUMN;FROM;TO;AT-MAX;..." canonical: parse(format(b))
 * equals b. Errors: ERR_POSITION. */
struct str key_bookmark_format(struct arena *a, const struct key_bookmark *b);
int key_bookmark_parse(struct arena *a, struct str text, struct key_bookmark *out,
                       struct error *err);

/* The anchor that the next read starts at; NULL: from the first key, as is meant by an
 * anchor with an empty max too. */
const struct key_anchor *key_bookmark_start(const struct key_bookmark *b);

/* The bookmark that a read leaves, which started where `before` says: anchors of the one
 * before that may still be needed, then this read's own. before may be NULL: the first
 * read. Column and definition are those of before; the caller sets them otherwise, and
 * by_look_back, from and to always. What it returns lives in the arena. */
struct key_bookmark key_bookmark_next(struct arena *a, const struct key_bookmark *before,
                                      const struct key_anchor *anchor, int64_t noted);

/* The order of two keys of one column as the source has it, parts of a key tuple:
 * integers by value, times as text. Empty is below all. For key columns that
 * key_kind_of() of row/catalog.h lets through, no others. */
int key_part_cmp(struct str a, struct str b);

/* Put a part of a key tuple behind those in the buffer. */
struct buf;
void key_tuple_add(struct buf *tuple, struct str part);

/* The same for a part that is written straight into the buffer between the two: begin
 * says where it starts, which end takes. */
size_t key_tuple_begin(struct buf *tuple);
void key_tuple_end(struct buf *tuple, size_t part);

/* Take the next part off *tuple; false at the end or when it is damaged. */
bool key_tuple_next(struct str *tuple, struct str *part);

/* --- the log ---------------------------------------------------------------------------
 */

/* An XA transaction that is prepared and undecided: where its group starts. */
struct log_xa {
    struct str xid; /* "X'6162',X'',1": gtrid, bqual, format */
    struct str file;
    uint64_t offset;
};

/* The end of a transaction in a server's log, and enough of that transaction to know it
 * again: a position is proved by content, not by names (decision 9). */
struct log_position {
    struct str server; /* server_uuid; MariaDB, which has none: empty */
    struct str file;   /* empty: known by GTID alone */
    uint64_t offset;   /* end of the last transaction */
    struct str gtid;   /* MySQL: the set executed up to here; MariaDB: the last of each
                          domain; empty: not known */
    /* What stands right before `offset`: the last transaction, or the head of the file
     * where it has none yet. What ends before `offset` is the head of the file, of a
     * place behind which nothing was read yet. bytes 0: nothing is known. */
    struct str last_gtid;
    uint64_t last_start, last_bytes, last_hash;
    int64_t last_at; /* original commit time, or the event header's, microseconds */
    const struct log_xa *xa;
    size_t xa_count;
};

/* "log1;SERVER;FILE;OFFSET;GTID;LAST_GTID;START;BYTES;HASH;AT;XID@FILE@OFFSET;..."
 * canonical: parse(format(p)) equals p. What is no letter, digit or one of -_.:,'/ is
 * written %XX. Errors: ERR_POSITION. */
struct str log_position_format(struct arena *a, const struct log_position *p);
int log_position_parse(struct arena *a, struct str text, struct log_position *out,
                       struct error *err);

#endif
