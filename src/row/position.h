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
