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
 * keys later than any anchor that is older: the next read starts (>=) at the newest
 * anchor that is older than `noted` by more than a second. */
struct key_bookmark {
    struct str column;                /* the replication key, as the source spells it */
    const struct key_anchor *anchors; /* oldest first; the last one is of this read */
    size_t anchor_count;
    int64_t noted;       /* on the server's clock; 0: nothing is known of open
                            transactions, so that no anchor but the first is safe */
    bool by_look_back;   /* nothing proves the order of keys here: the next read starts at
                            the newest anchor less the look-back */
    struct str from, to; /* bounds of this read, both inclusive; empty: none */
    uint64_t definition; /* hash of what makes rows of one version belong together: key,
                            filter, way of loading */
};

/* "key1;..." canonical: parse(format(b)) equals b. */
struct str key_bookmark_format(struct arena *a, const struct key_bookmark *b);
int key_bookmark_parse(struct arena *a, struct str text, struct key_bookmark *out,
                       struct error *err);

/* The anchor that the next read starts at; NULL: from the first key. */
const struct key_anchor *key_bookmark_start(const struct key_bookmark *b);

/* The bookmark that a read leaves: anchors of the one before that may still be needed,
 * then this read's own. before may be NULL: the first read. */
struct key_bookmark key_bookmark_next(struct arena *a, const struct key_bookmark *before,
                                      const struct key_anchor *anchor, int64_t noted);

/* Put a part of a key tuple behind those in the buffer. */
struct buf;
void key_tuple_add(struct buf *tuple, struct str part);

/* The same for a part that is written straight into the buffer between the two: begin
 * says where it starts, which end takes. */
size_t key_tuple_begin(struct buf *tuple);
void key_tuple_end(struct buf *tuple, size_t part);

/* Take the next part off *tuple; false at the end or when it is damaged. */
bool key_tuple_next(struct str *tuple, struct str *part);

#endif
