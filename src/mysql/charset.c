#include "mysql/charset.h"

#include "mysql/charset_internal.h"

#include <string.h>

#define NO_CHARACTER UINT32_MAX
#define REPLACEMENT 0xFFFDu
#define SS3 0x8Fu /* leads three-byte codes in the two EUC-JP sets */

/* Bytes are staged here before they are appended, so that the ceiling of the output is
 * met exactly; at least room for one group of eight or one character of four must be
 * free. */
#define STAGE_BYTES 1024u
#define STAGE_ROOM 8u

/* One character from n >= 1 bytes at p: returns how many bytes it takes, its code point
 * or NO_CHARACTER in *cp. */
typedef unsigned step_fn(const struct charset_table *t, const uint8_t *p, size_t n,
                         uint32_t *cp);

static bool is_surrogate(uint32_t cp)
{
    return cp >= 0xD800 && cp <= 0xDFFF;
}

/* ---------------------------------------------------------------- sets decoded by rule
 */

static unsigned step_binary(const struct charset_table *t, const uint8_t *p, size_t n,
                            uint32_t *cp)
{
    (void)t, (void)p, (void)n;
    *cp = NO_CHARACTER;
    return 1;
}

static unsigned step_utf8mb4(const struct charset_table *t, const uint8_t *p, size_t n,
                             uint32_t *cp)
{
    (void)t;
    unsigned used = str_utf8_next((struct str){ (const char *)p, n }, cp);
    if (used == 0) {
        *cp = NO_CHARACTER;
        return 1;
    }
    return used;
}

static unsigned step_utf8mb3(const struct charset_table *t, const uint8_t *p, size_t n,
                             uint32_t *cp)
{
    unsigned used = step_utf8mb4(t, p, n, cp);
    if (used == 4)
        *cp = NO_CHARACTER;
    return used;
}

static uint32_t unit_be(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t unit_le(const uint8_t *p)
{
    return (uint32_t)p[1] << 8 | p[0];
}

static unsigned step_ucs2(const struct charset_table *t, const uint8_t *p, size_t n,
                          uint32_t *cp)
{
    (void)t;
    *cp = NO_CHARACTER;
    if (n < 2)
        return 1;
    uint32_t unit = unit_be(p);
    if (!is_surrogate(unit))
        *cp = unit;
    return 2;
}

/* A pair of surrogates is one character; one alone is none, and takes its two bytes. */
static unsigned step_utf16_by(uint32_t (*unit_at)(const uint8_t *p), const uint8_t *p,
                              size_t n, uint32_t *cp)
{
    *cp = NO_CHARACTER;
    if (n < 2)
        return 1;
    uint32_t high = unit_at(p);
    if (!is_surrogate(high)) {
        *cp = high;
        return 2;
    }
    if (high >= 0xDC00 || n < 4)
        return 2;
    uint32_t low = unit_at(p + 2);
    if (low < 0xDC00 || low > 0xDFFF)
        return 2;
    *cp = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    return 4;
}

static unsigned step_utf16(const struct charset_table *t, const uint8_t *p, size_t n,
                           uint32_t *cp)
{
    (void)t;
    return step_utf16_by(unit_be, p, n, cp);
}

static unsigned step_utf16le(const struct charset_table *t, const uint8_t *p, size_t n,
                             uint32_t *cp)
{
    (void)t;
    return step_utf16_by(unit_le, p, n, cp);
}

static unsigned step_utf32(const struct charset_table *t, const uint8_t *p, size_t n,
                           uint32_t *cp)
{
    (void)t;
    *cp = NO_CHARACTER;
    if (n < 4)
        return (unsigned)n;
    uint32_t point = unit_be(p) << 16 | unit_be(p + 2);
    if (point <= 0x10FFFF && !is_surrogate(point))
        *cp = point;
    return 4;
}

/* --------------------------------------------------------------- sets decoded by table
 */

/* Entry of the last byte in a row of eight pages; 0 when there is none. */
static uint32_t row_entry(const uint16_t *row, uint8_t byte)
{
    return charset_pages[row[byte / CHARSET_PAGE]][byte % CHARSET_PAGE];
}

static const uint16_t *row_of(const uint16_t *rows, uint8_t lead)
{
    return rows + (lead - 0x80u) * CHARSET_PAGES_PER_ROW;
}

static bool row_is_empty(const uint16_t *row)
{
    for (unsigned i = 0; i < CHARSET_PAGES_PER_ROW; i++)
        if (row[i] != 0)
            return false;
    return true;
}

static uint32_t range_entry(const struct charset_table *t, uint32_t number)
{
    size_t low = 0;
    size_t high = t->four_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct charset_range *r = &t->four[middle];
        if (number < r->first)
            high = middle;
        else if (number - r->first >= r->count)
            low = middle + 1;
        else
            return r->code_point + (number - r->first);
    }
    return 0;
}

/* GB 18030: 81..FE, 30..39, 81..FE, 30..39; numbered in that order. */
static bool is_four_byte_code(const uint8_t *p, size_t n)
{
    return n >= 4 && p[0] >= 0x81 && p[0] <= 0xFE && p[1] >= 0x30 && p[1] <= 0x39 &&
           p[2] >= 0x81 && p[2] <= 0xFE && p[3] >= 0x30 && p[3] <= 0x39;
}

static uint32_t four_byte_number(const uint8_t *p)
{
    return (((p[0] - 0x81u) * 10 + (p[1] - 0x30u)) * 126 + (p[2] - 0x81u)) * 10 +
           (p[3] - 0x30u);
}

/* A code of several bytes: like a step_fn, with 0 in *entry for no character. An
 * unassigned code is taken whole unless its second byte is ASCII, which then stands for
 * itself. */
static unsigned step_long(const struct charset_table *t, const uint8_t *p, size_t n,
                          uint32_t *entry)
{
    *entry = 0;
    if (t->four != NULL && is_four_byte_code(p, n)) {
        *entry = range_entry(t, four_byte_number(p));
        return 4;
    }
    if (n < 2)
        return 1;
    if (t->ss3 != NULL && p[0] == SS3) {
        if (n < 3 || p[1] < 0x80)
            return 1;
        *entry = row_entry(row_of(t->ss3, p[1]), p[2]);
        return *entry != 0 || p[2] >= 0x80 ? 3 : 1;
    }
    const uint16_t *row = row_of(t->two, p[0]);
    *entry = row_entry(row, p[1]);
    return *entry != 0 || (p[1] >= 0x80 && !row_is_empty(row)) ? 2 : 1;
}

static unsigned step_table(const struct charset_table *t, const uint8_t *p, size_t n,
                           uint32_t *cp)
{
    uint32_t entry = row_entry(t->one, p[0]);
    unsigned used = 1;
    if (entry == 0 && p[0] >= 0x80 && t->two != NULL)
        used = step_long(t, p, n, &entry);
    *cp = entry != 0 || p[0] == 0 ? entry : NO_CHARACTER;
    return used;
}

static step_fn *step_of(const struct charset *cs)
{
    switch (cs->kind) {
    case CHARSET_UTF8MB4:
        return step_utf8mb4;
    case CHARSET_UTF8MB3:
        return step_utf8mb3;
    case CHARSET_UCS2:
        return step_ucs2;
    case CHARSET_UTF16:
        return step_utf16;
    case CHARSET_UTF16LE:
        return step_utf16le;
    case CHARSET_UTF32:
        return step_utf32;
    case CHARSET_TABLE:
        return step_table;
    case CHARSET_BINARY:
        break;
    }
    return step_binary;
}

/* -------------------------------------------------------------------------- conversion
 */

static bool eight_are_ascii(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

/* Length of the ASCII prefix. */
static size_t ascii_prefix(struct str s)
{
    size_t i = 0;
    while (i + 8 <= s.len && eight_are_ascii(s.ptr + i))
        i += 8;
    while (i < s.len && (uint8_t)s.ptr[i] < 0x80)
        i++;
    return i;
}

static bool has_four_byte_lead(struct str s)
{
    uint8_t highest = 0;
    for (size_t i = 0; i < s.len; i++)
        if ((uint8_t)s.ptr[i] > highest)
            highest = (uint8_t)s.ptr[i];
    return highest >= 0xF0;
}

bool charset_is_identity(const struct charset *cs, struct str in)
{
    if (in.len == 0)
        return true;
    if (!cs->ascii)
        return false;
    size_t ascii = ascii_prefix(in);
    if (ascii == in.len)
        return true;
    struct str rest = { in.ptr + ascii, in.len - ascii };
    if (cs->kind == CHARSET_UTF8MB4)
        return str_is_utf8(rest);
    if (cs->kind == CHARSET_UTF8MB3)
        return !has_four_byte_lead(rest) && str_is_utf8(rest);
    return false;
}

static size_t put_utf8(char *out, uint32_t cp)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}

int charset_to_utf8(const struct charset *cs, enum charset_family family, struct str in,
                    enum charset_policy policy, struct buf *out, uint64_t *replaced)
{
    step_fn *step = step_of(cs);
    const struct charset_table *t = cs->table[family];
    size_t start = out->len;
    uint64_t bad = 0;
    char stage[STAGE_BYTES];
    size_t staged = 0;

    for (size_t pos = 0; pos < in.len;) {
        if (staged > sizeof(stage) - STAGE_ROOM) {
            buf_add(out, stage, staged);
            staged = 0;
        }
        if (cs->ascii && in.len - pos >= 8 && eight_are_ascii(in.ptr + pos)) {
            memcpy(stage + staged, in.ptr + pos, 8);
            staged += 8;
            pos += 8;
            continue;
        }
        uint32_t cp;
        pos += step(t, (const uint8_t *)in.ptr + pos, in.len - pos, &cp);
        if (cp == NO_CHARACTER) {
            if (policy != CHARSET_REPLACE) {
                buf_truncate(out, start);
                return -1;
            }
            bad++;
            cp = REPLACEMENT;
        }
        staged += put_utf8(stage + staged, cp);
    }
    buf_add(out, stage, staged);
    if (replaced != NULL)
        *replaced += bad;
    return 0;
}

/* ----------------------------------------------------------------------------- look-up
 */

const struct charset *charset_of_collation(unsigned id)
{
    size_t low = 0;
    size_t high = charset_collation_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct charset_collations *c = &charset_collations[middle];
        if (id < c->first)
            high = middle;
        else if (id > c->last)
            low = middle + 1;
        else
            return &charset_list[c->set];
    }
    return NULL;
}

const struct charset *charset_find(struct str name)
{
    if (str_ieq(name, STR("utf8")))
        name = STR("utf8mb3");
    for (size_t i = 0; i < charset_count; i++)
        if (str_ieq(name, str_of(charset_list[i].name)))
            return &charset_list[i];
    return NULL;
}

const char *charset_name(const struct charset *cs)
{
    return cs->name;
}

unsigned charset_max_bytes(const struct charset *cs)
{
    return cs->max_bytes;
}

bool charset_is_binary(const struct charset *cs)
{
    return cs->kind == CHARSET_BINARY;
}
