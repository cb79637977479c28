/* src/mysql/charset_internal.h
 *
 * The shape of the generated tables, between charset.c and charset_data.c.
 *
 * Code points stand in pages of 32, for 32 codes that differ in the low 5 bits of their
 * last byte; equal pages are stored once, whichever sets need them. Page 0 is empty. An
 * entry of 0 means no character, except for the single byte 00.
 *
 *   one byte     one[b / 32]                                    -> page
 *   two bytes    two[(lead - 80h) * 8 + trail / 32]             -> page
 *   8F and two   ss3[(second - 80h) * 8 + third / 32]           -> page
 *   four bytes   ranges of linear numbers (gb18030), binary search
 */
#ifndef MYSQL_CHARSET_INTERNAL_H
#define MYSQL_CHARSET_INTERNAL_H

#include "mysql/charset.h"

#include <stddef.h>
#include <stdint.h>

#define CHARSET_PAGE 32u
#define CHARSET_PAGES_PER_ROW 8u

enum charset_kind {
    CHARSET_BINARY,
    CHARSET_UTF8MB4,
    CHARSET_UTF8MB3,
    CHARSET_UCS2,
    CHARSET_UTF16,
    CHARSET_UTF16LE,
    CHARSET_UTF32,
    CHARSET_TABLE, /* through a struct charset_table */
};

/* Codes first .. first + count - 1 are the code points from code_point on. */
struct charset_range {
    uint32_t first;
    uint32_t count;
    uint32_t code_point;
};

struct charset_table {
    const uint16_t *one; /* 8 page numbers */
    const uint16_t *two; /* 128 rows of 8 page numbers; NULL: single bytes only */
    const uint16_t *ss3; /* the same after 8F; NULL: none */
    const struct charset_range *four; /* ascending; NULL: none */
    size_t four_count;
};

struct charset {
    const char *name;
    enum charset_kind kind;
    unsigned max_bytes;
    bool ascii; /* bytes below 80 at a character's start are ASCII, in both families */
    const struct charset_table *table[2]; /* by enum charset_family */
};

/* Collation ids first .. last belong to charset_list[set]. */
struct charset_collations {
    uint16_t first;
    uint16_t last;
    uint16_t set;
};

extern const uint16_t charset_pages[][CHARSET_PAGE];
extern const struct charset charset_list[];
extern const size_t charset_count;
extern const struct charset_collations charset_collations[]; /* ascending */
extern const size_t charset_collation_count;

#endif
