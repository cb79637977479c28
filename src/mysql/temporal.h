/* src/mysql/temporal.h
 *
 * Dates and times of MySQL as fields, as cells and as text. Both read paths end here, so
 * that the same stored value makes the same cell and the same text.
 *
 * A date is good when it exists in the proleptic Gregorian calendar, year 0000 included.
 * Zero, partial (month or day 0) and impossible ones (ALLOW_INVALID_DATES) make
 * VALUE_BAD_DATE.
 *
 * Thread: any.
 * Source: MySQL 9.x manual, "The DATE, DATETIME, and TIMESTAMP Types", "The TIME Type";
 * days from civil: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
 */
#ifndef MYSQL_TEMPORAL_H
#define MYSQL_TEMPORAL_H

#include "row/value.h"

#include <stdbool.h>
#include <stdint.h>

struct temporal_fields {
    unsigned year, month, day;
    unsigned hour, minute, second, micro;
};

/* Longest text, with its NUL: "0000-00-00 00:00:00.000000" and "-838:59:59.000000" fit.
 */
#define TEMPORAL_TEXT_MAX 32

/* Days since 1970-01-01 of a date that exists. */
int64_t temporal_days(unsigned year, unsigned month, unsigned day);

bool temporal_date_exists(unsigned year, unsigned month, unsigned day);

/* Within what any server can store: month to 12, day to 31, hour to 23 and so on. */
bool temporal_in_range(const struct temporal_fields *f);

/* VALUE_DATE, or VALUE_BAD_DATE whose bytes are `text`. */
struct value temporal_date(const struct temporal_fields *f, char text[TEMPORAL_TEXT_MAX]);

/* kind (VALUE_DATETIME or VALUE_TIMESTAMP), or VALUE_BAD_DATE whose bytes are `text`,
 * with `fraction` digits of the second. */
struct value temporal_datetime(const struct temporal_fields *f, enum value_kind kind,
                               unsigned fraction, char text[TEMPORAL_TEXT_MAX]);

/* A cell of the four kinds above or VALUE_TIME as MySQL writes it; returns the length. */
unsigned temporal_format(const struct value *v, unsigned fraction,
                         char text[TEMPORAL_TEXT_MAX]);

#endif
