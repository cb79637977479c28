/* The text of values without parts, as the server's Json_wrapper::to_string() writes it.
 * Every form here was compared with a 9.7 server, doubles by the hundred thousand. */
#include "base/reader.h"
#include "mysql/jsonb_internal.h"
#include "mysql/temporal.h"
#include "mysql/type.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Decimals as MySQL packs them: nine digits in four bytes, fewer in fewer. */
#define GROUP_DIGITS 9
#define DECIMAL_DIGITS_LIMIT 81 /* 9 groups: more than any server makes (65) */

/* A double is written with an exponent when there are that many zeros behind the point,
 * or it is whole and has more places than this before the point (DBL_DIG in the server's
 * my_gcvt). */
#define PLACES_LIMIT 15

static int malformed(const char *what, struct error *err)
{
    return error_set(err, ERR_PROTOCOL, "binary JSON: %s", what);
}

/* The bytes behind a length of one to five bytes, seven bits each, the lowest first; the
 * highest bit says that another one follows. */
static int counted_bytes(struct str body, struct str *out, struct error *err)
{
    uint64_t len = 0;
    for (size_t i = 0; i < 5 && i < body.len; i++) {
        uint8_t byte = (uint8_t)body.ptr[i];
        len |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80)
            continue;
        if (len > body.len - i - 1)
            break;
        *out = (struct str){ body.ptr + i + 1, (size_t)len };
        return 0;
    }
    return malformed("a length leaves its value", err);
}

int jsonb_print_string(struct str s, struct buf *out, struct error *err)
{
    if (!str_is_utf8(s))
        return malformed("a string is no UTF-8", err);
    buf_add_char(out, '"');
    size_t done = 0;
    for (size_t i = 0; i < s.len; i++) {
        static const char letters[] = "btn\0fr"; /* of 8 to 13; 11 has none */
        uint8_t c = (uint8_t)s.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_add(out, s.ptr + done, i - done);
        done = i + 1;
        if (c >= 0x20)
            buf_printf(out, "\\%c", c);
        else if (c >= 8 && c <= 13 && letters[c - 8] != '\0')
            buf_printf(out, "\\%c", letters[c - 8]);
        else
            buf_printf(out, "\\u%04x", c);
    }
    buf_add(out, s.ptr + done, s.len - done);
    buf_add_char(out, '"');
    return 0;
}

struct digits {
    char text[24]; /* without trailing zeros */
    int count;
    int point; /* places before the decimal point; 1 for 1.5, 0 for 0.5, -1 for 0.05 */
};

/* The digits of v, rounded to the nearest number of `n` digits, or to the one above. */
static struct digits round_digits(double v, int n, bool above)
{
    struct digits d = { .count = n };
    char text[40];
    int exponent = 0;
    (void)snprintf(text, sizeof text, "%.*e", n - 1, v); /* d.ddde+xx */
    char *e = strchr(text, 'e');
    exponent = (int)strtol(e + 1, NULL, 10);
    d.text[0] = text[0];
    if (n > 1)
        memcpy(d.text + 1, text + 2, (size_t)n - 1);
    d.point = exponent + 1;
    int i = n - 1;
    while (above && i >= 0 && d.text[i] == '9')
        d.text[i--] = '0';
    if (above && i >= 0)
        d.text[i]++;
    else if (above) {
        d.text[0] = '1';
        d.point++;
    }
    while (d.count > 1 && d.text[d.count - 1] == '0')
        d.count--;
    d.text[d.count] = '\0';
    return d;
}

static bool digits_are(const struct digits *d, double v)
{
    char text[48];
    (void)snprintf(text, sizeof text, "%c.%se%d", d->text[0], d->text + 1, d->point - 1);
    return strtod(text, NULL) == v;
}

/* Numbers as people write them: up to 15 digits, few of them behind the point. Both sides
 * of the division are exact, so the quotient is the double that these digits read back
 * as; and no two numbers of up to 15 digits read back as the same. */
static bool short_decimal(double v, struct digits *d)
{
    double scale = 1;
    for (int places = 0; places <= 6 && v * scale < 1e15; places++, scale *= 10) {
        double whole = rint(v * scale);
        if (whole < 1 || whole / scale != v)
            continue;
        uint64_t n = (uint64_t)whole;
        int at = (int)sizeof d->text - 1;
        d->text[at] = '\0';
        while (n > 0) {
            d->text[--at] = (char)('0' + n % 10);
            n /= 10;
        }
        d->count = (int)sizeof d->text - 1 - at;
        d->point = d->count - places;
        memmove(d->text, d->text + at, (size_t)d->count + 1);
        while (d->count > 1 && d->text[d->count - 1] == '0')
            d->text[--d->count] = '\0';
        return true;
    }
    return false;
}

/* The fewest digits that read back as v (greater than 0), and of those the nearest. Any
 * 15 digits of a normal number survive a double. The nearest 16 may miss a power of two,
 * whose lower neighbour is twice as near as the upper one, where those above do not. */
static struct digits shortest_digits(double v)
{
    struct digits few;
    if (short_decimal(v, &few))
        return few;
    for (int n = v >= DBL_MIN ? DBL_DIG : 1; n < DBL_DECIMAL_DIG; n++) {
        struct digits d = round_digits(v, n, false);
        if (digits_are(&d, v))
            return d;
        d = round_digits(v, n, true);
        if (n > DBL_DIG && digits_are(&d, v))
            return d;
    }
    return round_digits(v, DBL_DECIMAL_DIG, false);
}

static void print_zeros(int n, struct buf *out)
{
    for (int i = 0; i < n; i++)
        buf_add_char(out, '0');
}

/* "0.0015", "15.0", "1.5e15": always with a point or an exponent. */
static int print_double(struct str body, struct buf *out, struct error *err)
{
    struct reader r = reader_over(body);
    uint64_t bits = reader_le(&r, 8);
    double v;
    memcpy(&v, &bits, sizeof v);
    if (r.bad || !isfinite(v))
        return malformed("no finite double", err);
    if (signbit(v))
        buf_add_char(out, '-');
    if (v == 0) {
        buf_add_text(out, "0.0");
        return 0;
    }
    struct digits d = shortest_digits(fabs(v));
    bool whole = d.count <= d.point;
    if ((d.point > PLACES_LIMIT && whole) || d.point <= -PLACES_LIMIT) {
        buf_printf(out, "%c%s%se%d", d.text[0], d.count > 1 ? "." : "", d.text + 1,
                   d.point - 1);
    } else if (d.point <= 0) {
        buf_add_text(out, "0.");
        print_zeros(-d.point, out);
        buf_add_text(out, d.text);
    } else if (!whole) {
        buf_printf(out, "%.*s.%s", d.point, d.text, d.text + d.point);
    } else {
        buf_add_text(out, d.text);
        print_zeros(d.point - d.count, out);
        buf_add_text(out, ".0");
    }
    return 0;
}

/* One group of `digits` digits; the stored sign bit and the bits that a negative number
 * has turned are in `turn`. */
static int decimal_group(struct reader *r, unsigned digits, uint8_t turn, uint32_t *out)
{
    static const uint8_t sizes[GROUP_DIGITS + 1] = { 0, 1, 1, 2, 2, 3, 3, 4, 4, 4 };
    static const uint32_t limits[GROUP_DIGITS + 1] = {
        1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000
    };
    struct str bytes = reader_bytes(r, sizes[digits]);
    uint32_t v = 0;
    for (size_t i = 0; i < bytes.len; i++)
        v = v << 8 | (uint8_t)((uint8_t)bytes.ptr[i] ^ turn);
    *out = v;
    return r->bad || v >= limits[digits] ? -1 : 0;
}

/* Groups of digits into text: a short group first in the whole part, last in the
 * fraction. */
static int decimal_digits(struct reader *r, unsigned count, bool whole, uint8_t turn,
                          char *text)
{
    unsigned done = 0;
    while (done < count) {
        unsigned left = count - done;
        unsigned n = left < GROUP_DIGITS ? left : GROUP_DIGITS;
        if (whole && left % GROUP_DIGITS != 0)
            n = left % GROUP_DIGITS;
        uint32_t group;
        if (decimal_group(r, n, turn, &group) != 0)
            return -1;
        for (unsigned i = n; i > 0; i--, group /= 10)
            text[done + i - 1] = (char)('0' + group % 10);
        done += n;
    }
    return 0;
}

/* Precision, scale, then the digits: big-endian groups, the first bit turned so that
 * bytes order as numbers do, all bits turned in negative ones. */
static int print_decimal(struct str data, struct buf *out, struct error *err)
{
    char copy[2 + 4 * (DECIMAL_DIGITS_LIMIT / GROUP_DIGITS + 2)];
    char text[DECIMAL_DIGITS_LIMIT];
    if (data.len < 3 || data.len > sizeof copy)
        return malformed("no decimal", err);
    memcpy(copy, data.ptr, data.len);
    unsigned precision = (uint8_t)copy[0];
    unsigned scale = (uint8_t)copy[1];
    if (precision == 0 || precision > DECIMAL_DIGITS_LIMIT || scale > precision)
        return malformed("no decimal", err);
    bool negative = ((uint8_t)copy[2] & 0x80) == 0;
    copy[2] = (char)((uint8_t)copy[2] ^ 0x80);
    struct reader r = reader_over((struct str){ copy + 2, data.len - 2 });
    uint8_t turn = negative ? 0xff : 0;
    unsigned whole = precision - scale;
    if (decimal_digits(&r, whole, true, turn, text) != 0 ||
        decimal_digits(&r, scale, false, turn, text + whole) != 0 || r.pos != r.end)
        return malformed("no decimal", err);
    unsigned first = 0;
    while (first < whole && text[first] == '0')
        first++;
    if (negative)
        buf_add_char(out, '-');
    if (first == whole)
        buf_add_char(out, '0');
    buf_add(out, text + first, whole - first);
    if (scale > 0)
        buf_add_char(out, '.');
    buf_add(out, text + whole, scale);
    return 0;
}

/* Eight bytes, a signed number: in 24 bits the microseconds, then 6 bits of seconds, 6 of
 * minutes, 5 (TIME: 10) of hours, and for dates 5 of days and the rest year * 13 + month.
 * Negative only for TIME. */
static int print_temporal(enum wire_type type, struct str data, struct buf *out,
                          struct error *err)
{
    struct reader r = reader_over(data);
    int64_t packed = (int64_t)reader_le(&r, 8);
    bool negative = packed < 0;
    uint64_t v = negative ? 0 - (uint64_t)packed : (uint64_t)packed;
    uint64_t date = v >> 41;
    struct temporal_fields f = {
        .micro = (unsigned)(v & 0xffffff),
        .second = (unsigned)(v >> 24 & 0x3f),
        .minute = (unsigned)(v >> 30 & 0x3f),
    };
    if (r.bad || r.pos != r.end)
        return malformed("no date or time", err);
    if (type == MYSQL_TYPE_TIME) {
        uint64_t hours = v >> 36;
        if (!temporal_in_range(&f) || hours > 838)
            return malformed("no time", err);
        buf_printf(out, "%s%02u:%02u:%02u.%06u", negative ? "-" : "", (unsigned)hours,
                   f.minute, f.second, f.micro);
        return 0;
    }
    f.hour = (unsigned)(v >> 36 & 0x1f);
    f.day = (unsigned)(date & 0x1f);
    f.month = (unsigned)((date >> 5) % 13);
    f.year = (unsigned)((date >> 5) / 13);
    if (negative || f.year > 9999 || !temporal_in_range(&f))
        return malformed("no date", err);
    buf_printf(out, "%04u-%02u-%02u", f.year, f.month, f.day);
    if (type != MYSQL_TYPE_DATE)
        buf_printf(out, " %02u:%02u:%02u.%06u", f.hour, f.minute, f.second, f.micro);
    return 0;
}

/* Base64 with the server's line ends: one, escaped, between full lines. */
static void print_base64(struct str data, struct buf *out)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t line = 76 / 4 * 3;
    for (size_t i = 0; i < data.len && !out->failed; i += 3) {
        size_t n = data.len - i < 3 ? data.len - i : 3;
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (k < n ? (uint8_t)data.ptr[i + k] : 0);
        char four[4];
        for (unsigned k = 0; k < 4; k++)
            four[k] = k <= n ? letters[v >> (18 - 6 * k) & 0x3f] : '=';
        if (i > 0 && i % line == 0)
            buf_add_text(out, "\\n");
        buf_add(out, four, sizeof four);
    }
}

/* A value of another column type: the type, a length, bytes. */
static int print_opaque(struct str body, struct buf *out, struct error *err)
{
    struct str data = { 0 };
    if (body.len == 0)
        return malformed("an opaque value without type", err);
    uint8_t type = (uint8_t)body.ptr[0];
    if (counted_bytes((struct str){ body.ptr + 1, body.len - 1 }, &data, err) != 0)
        return -1;
    if (type == MYSQL_TYPE_NEWDECIMAL)
        return print_decimal(data, out, err);
    bool temporal = type == MYSQL_TYPE_DATE || type == MYSQL_TYPE_TIME ||
                    type == MYSQL_TYPE_DATETIME || type == MYSQL_TYPE_TIMESTAMP;
    buf_add_char(out, '"');
    if (temporal) {
        if (print_temporal((enum wire_type)type, data, out, err) != 0)
            return -1;
    } else {
        buf_printf(out, "base64:type%u:", type);
        print_base64(data, out);
    }
    buf_add_char(out, '"');
    return 0;
}

static int print_integer(struct str body, unsigned width, bool is_signed, struct buf *out,
                         struct error *err)
{
    struct reader r = reader_over(body);
    uint64_t v = reader_le(&r, width);
    unsigned spare = 64 - 8 * width;
    if (r.bad)
        return malformed("an integer leaves its container", err);
    if (is_signed)
        buf_add_i64(out, (int64_t)(v << spare) >> spare);
    else
        buf_add_u64(out, v);
    return 0;
}

int jsonb_print_scalar(const struct jsonb_value *v, struct buf *out, struct error *err)
{
    static const char *const literals[] = { "null", "true", "false" };
    struct str text = { 0 };
    switch (v->type) {
    case JSONB_LITERAL:
        if (v->body.len == 0 || (uint8_t)v->body.ptr[0] > 2)
            return malformed("an unknown literal", err);
        buf_add_text(out, literals[(uint8_t)v->body.ptr[0]]);
        return 0;
    case JSONB_INT16:
    case JSONB_UINT16:
        return print_integer(v->body, 2, v->type == JSONB_INT16, out, err);
    case JSONB_INT32:
    case JSONB_UINT32:
        return print_integer(v->body, 4, v->type == JSONB_INT32, out, err);
    case JSONB_INT64:
    case JSONB_UINT64:
        return print_integer(v->body, 8, v->type == JSONB_INT64, out, err);
    case JSONB_DOUBLE:
        return print_double(v->body, out, err);
    case JSONB_STRING:
        return counted_bytes(v->body, &text, err) != 0
                   ? -1
                   : jsonb_print_string(text, out, err);
    case JSONB_OPAQUE:
        return print_opaque(v->body, out, err);
    default:
        return error_set(err, ERR_PROTOCOL, "binary JSON: unknown type %u", v->type);
    }
}
