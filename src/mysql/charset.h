/* src/mysql/charset.h
 *
 * Stored text of MySQL and MariaDB made UTF-8. Sessions ask for results without
 * conversion (character_set_results=NULL) and the binary log never converts, so on both
 * paths text arrives as the column's character set holds it, and this is the one
 * converter.
 *
 * The tables are generated from what real servers answer for every code (charset_data.c,
 * tools/gen-charset); tests/support/check_charset.py compares them with each test server.
 * What the servers themselves turn into '?' or U+FFFD has no character here.
 *
 * Everything here is constant. Thread: any.
 */
#ifndef MYSQL_CHARSET_H
#define MYSQL_CHARSET_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct charset;

/* Whose tables: where the families differ for a code, each has its own entry. */
enum charset_family { CHARSET_MYSQL, CHARSET_MARIADB };

/* What to do with bytes that have no character. */
enum charset_policy {
    CHARSET_REJECT,  /* fail */
    CHARSET_REPLACE, /* write U+FFFD and count */
};

/* The character set of a collation id as it stands in metadata of results and of table
 * maps; NULL for an id no server of ours has. Ids mean the same in both families. */
const struct charset *charset_of_collation(unsigned id);

/* By the name of SHOW CHARACTER SET, in any case; "utf8" is utf8mb3. NULL when unknown.
 */
const struct charset *charset_find(struct str name);

/* Static, NUL-terminated, lower case. */
const char *charset_name(const struct charset *cs);

/* Bytes of the longest character: Maxlen of SHOW CHARACTER SET. */
unsigned charset_max_bytes(const struct charset *cs);

/* The set "binary": bytes, not text. */
bool charset_is_binary(const struct charset *cs);

/* True when `in` is its own conversion, so that the caller may borrow it uncopied: valid
 * UTF-8 in utf8mb4, utf8mb3 or ascii, and plain ASCII in every set that agrees with it.
 * False only says that charset_to_utf8() must look. */
bool charset_is_identity(const struct charset *cs, struct str in);

/* Append `in` as UTF-8 to out. The appended bytes are always well-formed.
 *
 * Returns 0, or -1 with out as it was when policy is CHARSET_REJECT and some bytes have
 * no character: an unassigned or malformed code, a truncated one at the end, a lone
 * surrogate, four-byte UTF-8 in utf8mb3, anything in "binary".
 * With CHARSET_REPLACE, each such code counts one in *replaced (added to; may be NULL).
 * An ASCII byte that follows a lead byte is not swallowed with it.
 *
 * A result past the ceiling of out sets out->failed, as every append does, and returns 0:
 * buf_check() makes the error. */
int charset_to_utf8(const struct charset *cs, enum charset_family family, struct str in,
                    enum charset_policy policy, struct buf *out, uint64_t *replaced);

#endif
