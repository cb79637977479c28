#include "mysql/temporal.h"

#include <stdio.h>
#include <string.h>

#define US_PER_S INT64_C(1000000)
#define US_PER_DAY (INT64_C(86400) * US_PER_S)

int64_t temporal_days(unsigned year, unsigned month, unsigned day)
{
    /* The year starts in March, so that the leap day is its last; eras of 400 years. */
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year =
        (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
    int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

/* The other way. */
static struct temporal_fields fields_of_days(int64_t days)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t m = (5 * day_of_year + 2) / 153;
    unsigned month = (unsigned)(m < 10 ? m + 3 : m - 9);
    return (struct temporal_fields){
        .year = (unsigned)(year_of_era + era * 400 + (month <= 2)),
        .month = month,
        .day = (unsigned)(day_of_year - (153 * m + 2) / 5 + 1),
    };
}

bool temporal_date_exists(unsigned year, unsigned month, unsigned day)
{
    static const uint8_t lengths[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    if (year > 9999 || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= lengths[month - 1] + (month == 2 && leap ? 1u : 0u);
}

bool temporal_in_range(const struct temporal_fields *f)
{
    return f->year <= 9999 && f->month <= 12 && f->day <= 31 && f->hour <= 23 &&
           f->minute <= 59 && f->second <= 59 && f->micro <= 999999;
}

/* The last `width` digits of v. */
static void put_digits(char *text, unsigned v, unsigned width)
{
    for (unsigned i = width; i-- > 0; v /= 10)
        text[i] = (char)('0' + v % 10);
}

/* The end of every form: the fraction, if any, and the NUL. */
static unsigned add_fraction(char *text, unsigned at, unsigned micro, unsigned fraction)
{
    char digits[6];
    unsigned n = fraction < sizeof digits ? fraction : (unsigned)sizeof digits;
    if (n > 0) {
        put_digits(digits, micro, sizeof digits);
        text[at] = '.';
        memcpy(text + at + 1, digits, n);
        at += n + 1;
    }
    text[at] = '\0';
    return at;
}

static unsigned write_date(const struct temporal_fields *f, char *text)
{
    put_digits(text, f->year, 4);
    text[4] = '-';
    put_digits(text + 5, f->month, 2);
    text[7] = '-';
    put_digits(text + 8, f->day, 2);
    text[10] = '\0';
    return 10;
}

/* "hh:mm:ss", or with three digits of hours from 100 on. */
static unsigned write_clock(char *text, unsigned hour, unsigned minute, unsigned second)
{
    unsigned at = hour > 99 ? 3 : 2;
    put_digits(text, hour, at);
    text[at] = ':';
    put_digits(text + at + 1, minute, 2);
    text[at + 3] = ':';
    put_digits(text + at + 4, second, 2);
    return at + 6;
}

static unsigned write_datetime(const struct temporal_fields *f, unsigned fraction,
                               char *text)
{
    unsigned at = write_date(f, text);
    text[at++] = ' ';
    at += write_clock(text + at, f->hour % 100, f->minute, f->second);
    return add_fraction(text, at, f->micro, fraction);
}

struct value temporal_date(const struct temporal_fields *f, char text[TEMPORAL_TEXT_MAX])
{
    if (temporal_date_exists(f->year, f->month, f->day))
        return (struct value){ .as.i = temporal_days(f->year, f->month, f->day),
                               .kind = VALUE_DATE };
    return (struct value){ .as.bytes = text,
                           .len = write_date(f, text),
                           .kind = VALUE_BAD_DATE };
}

struct value temporal_datetime(const struct temporal_fields *f, enum value_kind kind,
                               unsigned fraction, char text[TEMPORAL_TEXT_MAX])
{
    if (!temporal_date_exists(f->year, f->month, f->day))
        return (struct value){ .as.bytes = text,
                               .len = write_datetime(f, fraction, text),
                               .kind = VALUE_BAD_DATE };
    int64_t seconds = ((int64_t)f->hour * 60 + f->minute) * 60 + f->second;
    return (struct value){ .as.i = temporal_days(f->year, f->month, f->day) * US_PER_DAY +
                                   seconds * US_PER_S + f->micro,
                           .kind = (uint8_t)kind };
}

static unsigned write_time(int64_t us, unsigned fraction, char *text)
{
    uint64_t v = us < 0 ? (uint64_t)-us : (uint64_t)us;
    uint64_t seconds = v / (uint64_t)US_PER_S;
    unsigned at = 0;
    if (us < 0)
        text[at++] = '-';
    at += write_clock(text + at, (unsigned)(seconds / 3600 % 1000),
                      (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
    return add_fraction(text, at, (unsigned)(v % (uint64_t)US_PER_S), fraction);
}

unsigned temporal_format(const struct value *v, unsigned fraction,
                         char text[TEMPORAL_TEXT_MAX])
{
    if (v->kind == VALUE_TIME)
        return write_time(v->as.i, fraction, text);
    if (v->kind == VALUE_DATE) {
        struct temporal_fields f = fields_of_days(v->as.i);
        return write_date(&f, text);
    }
    if (v->kind == VALUE_DATETIME || v->kind == VALUE_TIMESTAMP) {
        int64_t days = v->as.i / US_PER_DAY;
        int64_t rest = v->as.i % US_PER_DAY;
        if (rest < 0) {
            rest += US_PER_DAY;
            days--;
        }
        struct temporal_fields f = fields_of_days(days);
        f.hour = (unsigned)(rest / US_PER_S / 3600);
        f.minute = (unsigned)(rest / US_PER_S / 60 % 60);
        f.second = (unsigned)(rest / US_PER_S % 60);
        f.micro = (unsigned)(rest % US_PER_S);
        return write_datetime(&f, fraction, text);
    }
    unsigned n = v->len < TEMPORAL_TEXT_MAX - 1 ? v->len : TEMPORAL_TEXT_MAX - 1;
    if (v->kind == VALUE_BAD_DATE && n > 0)
        memcpy(text, v->as.bytes, n);
    else
        n = 0;
    text[n] = '\0';
    return n;
}
