#include "base/str.h"

#include <endian.h>

int str_cmp(struct str a, struct str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

static unsigned char fold_ascii(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool str_ieq(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (fold_ascii(a.ptr[i]) != fold_ascii(b.ptr[i]))
            return false;
    return true;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq((struct str){ s.ptr, prefix.len }, prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    if (s.len < suffix.len)
        return false;
    if (suffix.len == 0)
        return true;
    return str_eq((struct str){ s.ptr + (s.len - suffix.len), suffix.len }, suffix);
}

struct str str_cut(struct str s, char sep, struct str *rest)
{
    const char *at = s.len == 0 ? NULL : memchr(s.ptr, sep, s.len);
    if (at == NULL) {
        *rest = (struct str){ 0 };
        return s;
    }
    size_t n = (size_t)(at - s.ptr);
    *rest = (struct str){ at + 1, s.len - n - 1 };
    return (struct str){ s.ptr, n };
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool str_to_u64(struct str s, uint64_t *out)
{
    uint64_t v = 0;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        if (__builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.ptr[i] - '0'), &v))
            return false;
    }
    *out = v;
    return true;
}

bool str_to_i64(struct str s, int64_t *out)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    uint64_t v;
    if (negative) {
        s.ptr++;
        s.len--;
    }
    if (!str_to_u64(s, &v) || v > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

/* Bytes of the character at i, a malformed byte counting as one. */
static size_t glob_step(struct str text, size_t i)
{
    unsigned n = str_utf8_next((struct str){ text.ptr + i, text.len - i }, NULL);
    return n == 0 ? 1 : n;
}

/* The usual two-pointer match: after a mismatch only the newest '*' has to give way, so
 * the time is at most pattern times text. */
bool str_glob(struct str pattern, struct str text, bool fold)
{
    size_t p = 0, t = 0;
    size_t star = SIZE_MAX, star_text = 0;
    while (t < text.len) {
        char c = p < pattern.len ? pattern.ptr[p] : '\0';
        if (p < pattern.len && c == '*') {
            star = p++;
            star_text = t;
        } else if (p < pattern.len && c == '?') {
            p++;
            t += glob_step(text, t);
        } else if (p < pattern.len &&
                   (c == text.ptr[t] ||
                    (fold && fold_ascii(c) == fold_ascii(text.ptr[t])))) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            star_text += glob_step(text, star_text);
            t = star_text;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

static bool is_tail(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

/* Unicode 15.0, table 3-7: the second byte's range depends on the first. */
unsigned str_utf8_next(struct str s, uint32_t *cp)
{
    const unsigned char *b = (const unsigned char *)s.ptr;
    uint32_t v;
    unsigned n;
    if (s.len == 0)
        return 0;
    if (b[0] < 0x80) {
        v = b[0];
        n = 1;
    } else if (b[0] >= 0xC2 && b[0] <= 0xDF) {
        if (s.len < 2 || !is_tail(b[1]))
            return 0;
        v = (uint32_t)(b[0] & 0x1F) << 6 | (b[1] & 0x3F);
        n = 2;
    } else if (b[0] >= 0xE0 && b[0] <= 0xEF) {
        unsigned char least = b[0] == 0xE0 ? 0xA0 : 0x80;
        unsigned char most = b[0] == 0xED ? 0x9F : 0xBF;
        if (s.len < 3 || b[1] < least || b[1] > most || !is_tail(b[2]))
            return 0;
        v = (uint32_t)(b[0] & 0x0F) << 12 | (uint32_t)(b[1] & 0x3F) << 6 | (b[2] & 0x3F);
        n = 3;
    } else if (b[0] >= 0xF0 && b[0] <= 0xF4) {
        unsigned char least = b[0] == 0xF0 ? 0x90 : 0x80;
        unsigned char most = b[0] == 0xF4 ? 0x8F : 0xBF;
        if (s.len < 4 || b[1] < least || b[1] > most || !is_tail(b[2]) || !is_tail(b[3]))
            return 0;
        v = (uint32_t)(b[0] & 0x07) << 18 | (uint32_t)(b[1] & 0x3F) << 12 |
            (uint32_t)(b[2] & 0x3F) << 6 | (b[3] & 0x3F);
        n = 4;
    } else {
        return 0;
    }
    if (cp != NULL)
        *cp = v;
    return n;
}

/* Where the first byte is that is not ASCII: eight at a time, since most text is ASCII.
 */
static size_t skip_ascii(struct str s, size_t i)
{
    while (s.len - i >= 8) {
        uint64_t word;
        memcpy(&word, s.ptr + i, sizeof(word));
        uint64_t high = le64toh(word) & UINT64_C(0x8080808080808080);
        if (high != 0)
            return i + (unsigned)__builtin_ctzll(high) / 8;
        i += 8;
    }
    while (i < s.len && (s.ptr[i] & 0x80) == 0)
        i++;
    return i;
}

bool str_is_utf8(struct str s)
{
    const unsigned char *b = (const unsigned char *)s.ptr;
    size_t i = 0;
    while (i < s.len) {
        if (b[i] < 0x80) {
            i = skip_ascii(s, i);
            continue;
        }
        /* the common lengths, without what makes their ends special */
        if (b[i] >= 0xC2 && b[i] <= 0xDF && s.len - i >= 2 && is_tail(b[i + 1])) {
            i += 2;
            continue;
        }
        if (b[i] > 0xE0 && b[i] < 0xED && s.len - i >= 3 && is_tail(b[i + 1]) &&
            is_tail(b[i + 2])) {
            i += 3;
            continue;
        }
        unsigned n = str_utf8_next((struct str){ s.ptr + i, s.len - i }, NULL);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

unsigned str_distance(struct str a, struct str b)
{
    unsigned row[65];
    if (a.len > 64 || b.len > 64)
        return 99;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b.len; j++) {
            unsigned best = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b.len];
}
