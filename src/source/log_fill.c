/* The constant that rows got in a new column.
 *
 * The statement says it, the catalog confirms it: both texts, read as a value of the
 * column's type, must be the same. The catalog's is what the server made of the literal
 * (rounded, padded, cut), so that a literal which it changed is found; a default that was
 * changed later differs, and where it does not, nothing is lost. What either text leaves
 * open (time zones, labels by number, bytes) is no constant here: the table is copied.
 */
#include "base/alloc.h"
#include "source/log_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define VALUE_MOST ((size_t)64 << 10)

/* --- one text, as a value of the column's type -----------------------------------------
 */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Sign, digits before and behind the point; no exponent. */
struct decimal_text {
    bool minus;
    struct str whole, part;
};

static bool split_decimal(struct str s, struct decimal_text *out)
{
    size_t i = 0;
    *out = (struct decimal_text){ 0 };
    if (i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+'))
        out->minus = s.ptr[i++] == '-';
    while (i + 1 < s.len && s.ptr[i] == '0' && is_digit(s.ptr[i + 1]))
        i++;
    out->whole = (struct str){ s.ptr + i, 0 };
    while (i < s.len && is_digit(s.ptr[i]))
        i++, out->whole.len++;
    if (i < s.len && s.ptr[i] == '.') {
        out->part = (struct str){ s.ptr + ++i, 0 };
        while (i < s.len && is_digit(s.ptr[i]))
            i++, out->part.len++;
    }
    return i == s.len && out->whole.len + out->part.len > 0;
}

static bool all_zeros(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] != '0')
            return false;
    return true;
}

/* As many digits behind the point as the column has, none of them lost. */
static bool decimal_value(struct str s, unsigned scale, struct buf *out)
{
    struct decimal_text d;
    if (!split_decimal(s, &d))
        return false;
    size_t kept = d.part.len < scale ? d.part.len : scale;
    if (!all_zeros((struct str){ d.part.ptr + kept, d.part.len - kept }))
        return false;
    if (d.minus && !(all_zeros(d.whole) && all_zeros(d.part)))
        buf_add_char(out, '-');
    if (d.whole.len == 0)
        buf_add_char(out, '0');
    buf_add_str(out, d.whole);
    if (scale > 0)
        buf_add_char(out, '.');
    buf_add(out, d.part.ptr, kept);
    for (size_t i = kept; i < scale; i++)
        buf_add_char(out, '0');
    return true;
}

static bool bool_value(struct str s, struct buf *out)
{
    return decimal_value(s, 0, out) &&
           (str_eq(buf_str(out), STR("0")) || str_eq(buf_str(out), STR("1")));
}

/* Both are read as the nearest number; -0 is left alone. */
static bool float_value(struct str s, bool is_float, struct buf *out)
{
    static const char signs[] = { '+', '-', '.', 'e', 'E' };
    char text[128];
    char *end = NULL;
    if (s.len == 0 || s.len >= sizeof text || !(is_digit(s.ptr[0]) || s.len > 1))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!is_digit(s.ptr[i]) && memchr(signs, s.ptr[i], sizeof signs) == NULL)
            return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    errno = 0;
    double d = strtod(text, &end); /* as the server: first a double, then a float */
    if (is_float)
        d = (double)(float)d;
    if (*end != '\0' || errno != 0 || !isfinite(d) || (d == 0 && signbit(d)))
        return false;
    buf_printf(out, is_float ? "%.9g" : "%.17g", d);
    return true;
}

/* Two digits of s at i, or -1. */
static int two(struct str s, size_t i)
{
    if (i + 2 > s.len || !is_digit(s.ptr[i]) || !is_digit(s.ptr[i + 1]))
        return -1;
    return (s.ptr[i] - '0') * 10 + (s.ptr[i + 1] - '0');
}

/* YYYY-MM-DD of a day that there is; years from 1000 on. */
static bool is_date(struct str s)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    if (s.len < 10 || s.ptr[4] != '-' || s.ptr[7] != '-' || s.ptr[0] == '0')
        return false;
    int century = two(s, 0), year = two(s, 2), month = two(s, 5), day = two(s, 8);
    if (century < 10 || year < 0 || month < 1 || month > 12 || day < 1)
        return false;
    year += century * 100;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* HH:MM:SS at i of s, and where it ends. */
static bool is_clock(struct str s, size_t i, int hours_most)
{
    int h = two(s, i);
    return i + 8 <= s.len && s.ptr[i + 2] == ':' && s.ptr[i + 5] == ':' && h >= 0 &&
           h <= hours_most && two(s, i + 3) >= 0 && two(s, i + 3) < 60 &&
           two(s, i + 6) >= 0 && two(s, i + 6) < 60;
}

/* The fraction of a second in microseconds: nothing, or a point and up to `most` digits.
 */
static bool read_fraction(struct str s, unsigned most, unsigned *out)
{
    unsigned n = 0;
    *out = 0;
    if (s.len == 0)
        return true;
    if (s.ptr[0] != '.' || s.len == 1 || s.len - 1 > 6)
        return false;
    for (size_t i = 1; i < 7; i++) {
        unsigned digit = 0;
        if (i < s.len && !is_digit(s.ptr[i]))
            return false;
        if (i < s.len)
            digit = (unsigned)(s.ptr[i] - '0');
        if (i > most && digit != 0)
            return false;
        n = n * 10 + digit;
    }
    *out = n;
    return true;
}

static bool datetime_value(struct str s, unsigned fraction, struct buf *out)
{
    unsigned micros = 0;
    if (!is_date(s))
        return false;
    buf_add(out, s.ptr, 10);
    if (s.len == 10) {
        buf_add_text(out, " 00:00:00.000000");
        return true;
    }
    if (s.ptr[10] != ' ' || !is_clock(s, 11, 23) ||
        !read_fraction((struct str){ s.ptr + 19, s.len - 19 }, fraction, &micros))
        return false;
    buf_add(out, s.ptr + 10, 9);
    buf_printf(out, ".%06u", micros);
    return true;
}

static bool time_value(struct str s, unsigned fraction, struct buf *out)
{
    bool minus = s.len > 0 && s.ptr[0] == '-';
    unsigned micros = 0;
    if (minus)
        s = (struct str){ s.ptr + 1, s.len - 1 };
    if (!is_clock(s, 0, 99) ||
        !read_fraction((struct str){ s.ptr + 8, s.len - 8 }, fraction, &micros))
        return false;
    int64_t at = (int64_t)two(s, 0) * 3600 + two(s, 3) * 60 + two(s, 6);
    at = at * 1000000 + micros;
    buf_add_i64(out, minus ? -at : at);
    return true;
}

static bool year_value(struct str s, struct buf *out)
{
    buf_add_str(out, s);
    return s.len == 4 && two(s, 0) >= 19 && two(s, 2) >= 0;
}

/* The number of this label, or -1; one with a '?' may be another one (log_shape.c). */
static int label_of(const struct column *c, struct str s)
{
    for (unsigned i = 0; i < c->label_count; i++)
        if (str_eq(c->labels[i], s))
            return s.len > 0 && memchr(s.ptr, '?', s.len) != NULL ? -1 : (int)i;
    return -1;
}

/* Of a SET several in the order of the definition. */
static bool label_value(const struct column *c, struct str s, struct buf *out)
{
    int last = -1;
    buf_add_str(out, s);
    if (c->type == TYPE_ENUM)
        return label_of(c, s) >= 0;
    while (s.len > 0) {
        struct str one = str_cut(s, ',', &s);
        int label = label_of(c, one);
        if (label <= last)
            return false;
        last = label;
    }
    return true;
}

/* Blanks at the end go or stay by the column's type. */
static bool text_value(struct str s, struct buf *out)
{
    buf_add_str(out, s);
    return s.len == 0 || (s.len <= VALUE_MOST && s.ptr[s.len - 1] != ' ' &&
                          memchr(s.ptr, '\0', s.len) == NULL);
}

static bool value_of(const struct column *c, struct str s, struct buf *out)
{
    switch (c->type) {
    case TYPE_BOOL:
        return bool_value(s, out);
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_UBIGINT:
    case TYPE_BIT:
        return decimal_value(s, 0, out);
    case TYPE_DECIMAL:
        return decimal_value(s, c->scale, out);
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        return float_value(s, c->type == TYPE_FLOAT, out);
    case TYPE_TEXT:
        return text_value(s, out);
    case TYPE_DATE:
        buf_add_str(out, s);
        return s.len == 10 && is_date(s);
    case TYPE_DATETIME:
        return datetime_value(s, c->fraction, out);
    case TYPE_TIME:
        return time_value(s, c->fraction, out);
    case TYPE_YEAR:
        return year_value(s, out);
    case TYPE_ENUM:
    case TYPE_SET:
        return label_value(c, s, out);
    case TYPE_TIMESTAMP: /* in a time zone that is not told */
    case TYPE_BYTES:
    case TYPE_BIT64:
    case TYPE_JSON:
    case TYPE_GEOMETRY:
    case TYPE_VECTOR:
    case TYPE_UUID:
    case TYPE_INET4:
    case TYPE_INET6:
    case TYPE_UNSUPPORTED:
    case TYPE_COUNT:
        break;
    }
    return false;
}

/* --- what the catalog says -------------------------------------------------------------
 */

/* MySQL shows the value, MariaDB a literal of it. Our sessions' sql_mode has no
 * backslash rule of its own. */
static bool shown_default(struct arena *a, const struct column *c, bool mariadb,
                          struct str *out)
{
    struct ddl_fill f;
    struct str shown = c->default_text;
    *out = shown;
    if (shown.ptr == NULL)
        return false;
    bool bits = str_starts(shown, STR("b'")) &&
                (c->type == TYPE_BIT || (c->type == TYPE_BOOL && shown.len == 4));
    if (!mariadb && !bits)
        return true;
    struct str definition = arena_printf(a, "x DEFAULT " STR_FMT, STR_ARG(shown));
    ddl_read_fill(a, definition, (struct ddl_mode){ .mariadb = mariadb }, &f);
    *out = f.text;
    return f.kind == DDL_FILL_NUMBER || f.kind == DDL_FILL_TEXT;
}

static bool has_no_default(const struct column *c)
{
    return c->default_text.ptr == NULL || str_ieq(c->default_text, STR("NULL"));
}

/* --- is it still the type of the statement ---------------------------------------------
 */

/* The same words; or one of them and what it stands for. */
static bool same_type(const struct column *c, struct str word)
{
    static const struct {
        const char *word, *type;
    } synonyms[] = {
        { "INTEGER", "int" },     { "BOOL", "tinyint" },  { "BOOLEAN", "tinyint" },
        { "NUMERIC", "decimal" }, { "DEC", "decimal" },   { "FIXED", "decimal" },
        { "INT1", "tinyint" },    { "INT2", "smallint" }, { "INT3", "mediumint" },
        { "INT4", "int" },        { "INT8", "bigint" },   { "CHARACTER", "char" },
    };
    size_t n = 0;
    while (n < c->source_type.len && c->source_type.ptr[n] >= 'a' &&
           c->source_type.ptr[n] <= 'z')
        n++;
    struct str type = { c->source_type.ptr, n };
    if (str_ieq(type, word))
        return true;
    for (size_t i = 0; i < sizeof synonyms / sizeof *synonyms; i++)
        if (str_ieq(word, str_of(synonyms[i].word)) &&
            str_eq(type, str_of(synonyms[i].type)))
            return true;
    return false;
}

/* --- fills -----------------------------------------------------------------------------
 */

/* 0, '' and so on; of zero dates a policy decides, which is not ours to foresee. */
static bool implicit_value(const struct column *c, struct buf *out)
{
    switch (c->type) {
    case TYPE_BOOL:
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_UBIGINT:
    case TYPE_BIT:
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
    case TYPE_TIME:
    case TYPE_YEAR:
        buf_add_char(out, '0');
        return true;
    case TYPE_DECIMAL:
        return decimal_value(STR("0"), c->scale, out);
    case TYPE_TEXT:
    case TYPE_SET:
        return true;
    case TYPE_ENUM:
        if (c->label_count > 0 && label_value(c, c->labels[0], out))
            return true;
        return false;
    case TYPE_BYTES:
        for (uint64_t i = 0; str_starts(c->source_type, STR("binary")) && i < c->length;
             i++)
            buf_add_text(out, "00");
        return true;
    case TYPE_DATE:
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_BIT64:
    case TYPE_JSON:
    case TYPE_GEOMETRY:
    case TYPE_VECTOR:
    case TYPE_UUID:
    case TYPE_INET4:
    case TYPE_INET6:
    case TYPE_UNSUPPORTED:
    case TYPE_COUNT:
        break;
    }
    return false;
}

static bool constant(struct arena *a, const struct column *c, const struct ddl_fill *f,
                     bool mariadb, struct buf *out)
{
    CLEANUP(buf_done) struct buf shown;
    struct str text = { 0 };
    buf_init(&shown, VALUE_MOST * 2);
    if (!same_type(c, f->type) || c->json_check)
        return false;
    if (f->kind == DDL_FILL_IMPLICIT)
        return !c->nullable && has_no_default(c) && implicit_value(c, out);
    if ((c->type == TYPE_ENUM || c->type == TYPE_SET) && f->kind != DDL_FILL_TEXT)
        return false;
    return shown_default(a, c, mariadb, &text) && value_of(c, f->text, out) &&
           value_of(c, text, &shown) && !shown.failed && !out->failed &&
           str_eq(buf_str(&shown), buf_str(out));
}

bool log_fill_of(struct arena *a, const struct column *now, const struct ddl_action *add,
                 struct ddl_mode mode, struct log_fill *out)
{
    CLEANUP(buf_done) struct buf value;
    struct ddl_fill f;
    buf_init(&value, VALUE_MOST * 2);
    *out = (struct log_fill){ .column = now->name };
    if (now->generated != GENERATED_NO || now->key_ordinal != 0 || now->auto_increment)
        return false;
    ddl_read_fill(a, add->definition, mode, &f);
    if (f.kind == DDL_FILL_UNKNOWN)
        return false;
    if (f.kind == DDL_FILL_NULL)
        return now->nullable && has_no_default(now);
    if (!constant(a, now, &f, mode.mariadb, &value) || value.failed)
        return false;
    out->way = LOG_FILL_VALUE;
    out->value = arena_str(a, buf_str(&value));
    return true;
}
