/* src/base/str.h
 *
 * A borrowed run of bytes: text or not, never NUL-terminated by promise, never freed.
 * Valid as long as what it points into; the function that returns one says what that is.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *ptr;
    size_t len;
};

#define STR(literal) ((struct str){ "" literal "", sizeof(literal) - 1 })
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).len, (s).ptr

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Borrow a NUL-terminated text; NULL gives the empty run. */
static inline struct str str_of(const char *text)
{
    return text == NULL ? (struct str){ 0 } : (struct str){ text, strlen(text) };
}

/* Order by bytes, shorter first among equals: <0, 0, >0. */
int str_cmp(struct str a, struct str b);

/* Equal when ASCII letters are folded. */
bool str_ieq(struct str a, struct str b);

bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);

/* The part before the first `sep`, leaving the rest after it in *rest. Without `sep` it
 * is all of s, and *rest is empty with a NULL ptr. */
struct str str_cut(struct str s, char sep, struct str *rest);

/* Without ASCII blanks at both ends. */
struct str str_trim(struct str s);

/* Whole text as a decimal integer within the range; false when it is anything else. */
bool str_to_u64(struct str s, uint64_t *out);
bool str_to_i64(struct str s, int64_t *out);

/* Shell-like pattern over bytes: '*' any run, '?' one UTF-8 character. ASCII case is
 * folded when `fold`. */
bool str_glob(struct str pattern, struct str text, bool fold);

/* Edits of single bytes that turn a into b: how near a mistyped name is. Texts of more
 * than 64 bytes are not compared; they are 99 apart. */
unsigned str_distance(struct str a, struct str b);

/* Well-formed UTF-8 by Unicode 15 table 3-7: no surrogates, no overlong forms. */
bool str_is_utf8(struct str s);

/* Length in bytes of the character that starts at s.ptr (1 to 4), or 0 when it is not
 * well-formed or s is empty; its code point goes to *cp when cp is not NULL. */
unsigned str_utf8_next(struct str s, uint32_t *cp);

#endif
