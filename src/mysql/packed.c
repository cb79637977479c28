#include "mysql/packed.h"

#include "base/reader.h"
#include "mysql/table_map.h"
#include "mysql/type.h"

#include <string.h>

/* Nine digits go into four bytes, fewer into these. */
#define GROUP_DIGITS 9u
static const uint8_t group_bytes[GROUP_DIGITS + 1] = { 0, 1, 1, 2, 2, 3, 3, 4, 4, 4 };
static const uint32_t group_end[GROUP_DIGITS + 1] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000
};

#define TIME_HOURS_MOST 838
#define SECONDS_PER_DAY 86400

uint64_t packed_be(struct str s)
{
    uint64_t v = 0;
    for (size_t i = 0; s.ptr != NULL && i < s.len && i < 8; i++)
        v = v << 8 | (uint8_t)s.ptr[i];
    return v;
}

/* ------------------------------------------------------------------ decimals */

unsigned packed_decimal_bytes(unsigned precision, unsigned scale)
{
    unsigned whole = precision - scale;
    return whole / GROUP_DIGITS * 4 + group_bytes[whole % GROUP_DIGITS] +
           scale / GROUP_DIGITS * 4 + group_bytes[scale % GROUP_DIGITS];
}

/* The digits of one group, all of them; false when it holds a greater number. */
static bool add_group(const uint8_t **from, unsigned digits, char **to)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < group_bytes[digits]; i++)
        v = v << 8 | *(*from)++;
    if (v >= group_end[digits])
        return false;
    for (unsigned i = digits; i-- > 0; v /= 10)
        (*to)[i] = (char)('0' + v % 10);
    *to += digits;
    return true;
}

/* Digits before the point, a short group first, or behind it, a short group last. */
static bool add_digits(const uint8_t **from, unsigned digits, bool short_first, char **to)
{
    unsigned rest = digits % GROUP_DIGITS;
    bool good = true;
    if (short_first && rest > 0)
        good = add_group(from, rest, to);
    for (unsigned i = digits / GROUP_DIGITS; good && i > 0; i--)
        good = add_group(from, GROUP_DIGITS, to);
    if (good && !short_first && rest > 0)
        good = add_group(from, rest, to);
    return good;
}

unsigned packed_decimal(struct str s, unsigned precision, unsigned scale,
                        char text[PACKED_DECIMAL_TEXT])
{
    uint8_t bytes[32] = { 0 };
    char digits[72] = { 0 };
    char *to = digits;
    if (s.len == 0 || s.len > sizeof bytes)
        return 0;
    /* The first bit is the sign, turned so that bytes sort as numbers; a negative number
     * has all its bits turned. */
    memcpy(bytes, s.ptr, s.len);
    bool negative = (bytes[0] & 0x80) == 0;
    bytes[0] ^= 0x80;
    for (size_t i = 0; negative && i < s.len; i++)
        bytes[i] = (uint8_t)~bytes[i];
    const uint8_t *from = bytes;
    unsigned whole = precision - scale;
    if (!add_digits(&from, whole, true, &to) || !add_digits(&from, scale, false, &to))
        return 0;
    unsigned skip = 0;
    while (skip < whole && digits[skip] == '0')
        skip++;
    unsigned n = 0;
    if (negative)
        text[n++] = '-';
    if (skip == whole)
        text[n++] = '0';
    memcpy(text + n, digits + skip, whole - skip);
    n += whole - skip;
    if (scale > 0) {
        text[n++] = '.';
        memcpy(text + n, digits + whole, scale);
        n += scale;
    }
    text[n] = '\0';
    return n;
}

/* ------------------------------------------------------------------ times */

/* A fraction of 1 or 2 digits takes one byte, 3 or 4 two, 5 or 6 three. */
static unsigned micro_of(uint64_t v, unsigned fraction)
{
    static const unsigned scale[] = { 0, 10000, 10000, 100, 100, 1, 1 };
    return (unsigned)v * scale[fraction];
}

static struct str tail(struct str s, size_t from)
{
    return (struct str){ s.ptr + from, s.len - from };
}

/* A signed number of hours:10 minutes:6 seconds:6 fraction:8n, by an offset. */
static bool read_time2(struct str s, unsigned fraction, struct value *out)
{
    unsigned low = 8 * ((fraction + 1) / 2);
    int64_t v = (int64_t)packed_be(s) - (INT64_C(0x800000) << low);
    bool negative = v < 0;
    uint64_t u = negative ? (uint64_t)-v : (uint64_t)v;
    uint64_t parts = u >> low;
    unsigned micro = micro_of(u & ((UINT64_C(1) << low) - 1), fraction);
    unsigned hour = parts >> 12 & 1023;
    unsigned minute = parts >> 6 & 63;
    unsigned second = parts & 63;
    if (parts >> 22 != 0 || hour > TIME_HOURS_MOST || minute > 59 || second > 59 ||
        micro > 999999)
        return false;
    int64_t us = ((int64_t)hour * 3600 + minute * 60 + second) * 1000000 + micro;
    *out = (struct value){ .as.i = negative ? -us : us, .kind = VALUE_TIME };
    return true;
}

/* The decimal digits hhmmss as a number with a sign. */
static bool read_old_time(struct str s, struct value *out)
{
    struct reader r = reader_over(s);
    int32_t v = (int32_t)((uint32_t)reader_le(&r, 3) << 8) >> 8;
    bool negative = v < 0;
    unsigned u = (unsigned)(negative ? -v : v);
    if (u / 10000 > TIME_HOURS_MOST || u / 100 % 100 > 59 || u % 100 > 59)
        return false;
    int64_t us = ((int64_t)(u / 10000) * 3600 + u / 100 % 100 * 60 + u % 100) * 1000000;
    *out = (struct value){ .as.i = negative ? -us : us, .kind = VALUE_TIME };
    return true;
}

/* A sign that is always 1, year * 13 + month:17, day:5, hour:5, minute:6, second:6. */
static bool read_datetime2(struct str s, unsigned fraction, struct temporal_fields *f)
{
    uint64_t v = packed_be((struct str){ s.ptr, 5 });
    unsigned months = v >> 22 & 0x1ffff;
    f->year = months / 13;
    f->month = months % 13;
    f->day = v >> 17 & 31;
    f->hour = v >> 12 & 31;
    f->minute = v >> 6 & 63;
    f->second = v & 63;
    f->micro = micro_of(packed_be(tail(s, 5)), fraction);
    return v >> 39 == 1;
}

/* Seconds since 1970 in UTC, without a sign: MariaDB from 11.5 on goes to 2106. */
static void fields_of_instant(uint64_t seconds, unsigned micro, struct temporal_fields *f)
{
    *f = (struct temporal_fields){ .micro = micro };
    if (seconds == 0 && micro == 0)
        return;
    char text[TEMPORAL_TEXT_MAX];
    struct value v = { .as.i = (int64_t)(seconds / SECONDS_PER_DAY), .kind = VALUE_DATE };
    (void)temporal_format(&v, 0, text); /* YYYY-MM-DD */
    for (unsigned i = 0; i < 4; i++)
        f->year = f->year * 10 + (unsigned)(text[i] - '0');
    f->month = (unsigned)(text[5] - '0') * 10 + (unsigned)(text[6] - '0');
    f->day = (unsigned)(text[8] - '0') * 10 + (unsigned)(text[9] - '0');
    unsigned rest = (unsigned)(seconds % SECONDS_PER_DAY);
    f->hour = rest / 3600;
    f->minute = rest / 60 % 60;
    f->second = rest % 60;
}

/* year:15 month:4 day:5, the lowest byte first. */
static void read_date(struct str s, struct temporal_fields *f)
{
    struct reader r = reader_over(s);
    uint64_t v = reader_le(&r, 3);
    f->year = (unsigned)(v >> 9);
    f->month = v >> 5 & 15;
    f->day = v & 31;
}

/* The decimal digits YYYYMMDDhhmmss as a number. */
static bool read_old_datetime(struct str s, struct temporal_fields *f)
{
    struct reader r = reader_over(s);
    uint64_t v = reader_le(&r, 8);
    uint64_t date = v / 1000000;
    unsigned time = (unsigned)(v % 1000000);
    f->year = (unsigned)(date / 10000 % 100000);
    f->month = (unsigned)(date / 100 % 100);
    f->day = (unsigned)(date % 100);
    f->hour = time / 10000;
    f->minute = time / 100 % 100;
    f->second = time % 100;
    return date <= 99991231;
}

/* --- MariaDB's forms with a fraction: the parts multiplied, cut to the fraction's
 * digits, the highest byte first --- */

static uint64_t micro_per_unit(unsigned fraction)
{
    uint64_t n = 1000000;
    for (; fraction > 0; fraction--)
        n /= 10;
    return n;
}

/* Moved up so that no value is negative. */
static bool read_hires_time(struct str s, unsigned fraction, struct value *out)
{
    uint64_t unit = micro_per_unit(fraction);
    int64_t zero = INT64_C(3020400) * (int64_t)(1000000 / unit); /* 839 hours */
    int64_t v = (int64_t)packed_be(s) - zero;
    *out = (struct value){ .as.i = v * (int64_t)unit, .kind = VALUE_TIME };
    return v > -zero && v < zero;
}

/* ((((year * 13 + month) * 32 + day) * 24 + hour) * 60 + minute) * 60 + second */
static bool read_hires_datetime(struct str s, unsigned fraction,
                                struct temporal_fields *f)
{
    uint64_t unit = micro_per_unit(fraction);
    uint64_t v = packed_be(s);
    f->micro = (unsigned)(v % (1000000 / unit) * unit);
    v /= 1000000 / unit;
    unsigned clock = (unsigned)(v % SECONDS_PER_DAY);
    f->second = clock % 60;
    f->minute = clock / 60 % 60;
    f->hour = clock / 3600;
    v /= SECONDS_PER_DAY;
    unsigned date = (unsigned)v;
    f->day = date % 32;
    f->month = date / 32 % 13;
    f->year = date / 32 / 13;
    return v <= 9999 * 32 * 13 + 12 * 32 + 31;
}

static bool read_hires_timestamp(struct str s, unsigned fraction,
                                 struct temporal_fields *f)
{
    uint64_t unit = micro_per_unit(fraction);
    uint64_t part = packed_be(tail(s, 4));
    fields_of_instant(packed_be((struct str){ s.ptr, 4 }), (unsigned)(part * unit), f);
    return part < 1000000 / unit;
}

unsigned packed_temporal_bytes(uint8_t type, unsigned fraction)
{
    static const uint8_t hires[] = { 0, 1, 1, 2, 2, 2, 3 };
    switch (type) {
    case MYSQL_TYPE_TIME:
        return 3u + hires[fraction];
    case MYSQL_TYPE_TIMESTAMP:
        return 4u + (fraction + 1u) / 2;
    case MYSQL_TYPE_DATETIME:
        return fraction == 0 ? 8u : 5u + hires[fraction];
    case BINLOG_TYPE_TIMESTAMP2:
        return 4u + (fraction + 1u) / 2;
    case BINLOG_TYPE_DATETIME2:
        return 5u + (fraction + 1u) / 2;
    case BINLOG_TYPE_TIME2:
        return 3u + (fraction + 1u) / 2;
    default: /* DATE */
        return 3u;
    }
}

bool packed_temporal(uint8_t type, unsigned fraction, struct str s,
                     struct temporal_fields *fields, struct value *out)
{
    struct reader r = reader_over(s);
    switch (type) {
    case BINLOG_TYPE_TIME2:
        return read_time2(s, fraction, out);
    case MYSQL_TYPE_TIME:
        return fraction > 0 ? read_hires_time(s, fraction, out) : read_old_time(s, out);
    case BINLOG_TYPE_DATETIME2:
        return read_datetime2(s, fraction, fields);
    case MYSQL_TYPE_DATETIME:
        return fraction > 0 ? read_hires_datetime(s, fraction, fields)
                            : read_old_datetime(s, fields);
    case BINLOG_TYPE_TIMESTAMP2:
        fields_of_instant(packed_be((struct str){ s.ptr, 4 }),
                          micro_of(packed_be(tail(s, 4)), fraction), fields);
        return true;
    case MYSQL_TYPE_TIMESTAMP:
        if (fraction > 0)
            return read_hires_timestamp(s, fraction, fields);
        fields_of_instant(reader_le(&r, 4), 0, fields);
        return true;
    default:
        read_date(s, fields);
        return true;
    }
}
