/* src/mysql/packed.h
 *
 * Decimals and times as they stand in the binlog: packed, most of them with the highest
 * byte first.
 *
 * Thread: any. Source: MySQL Server Doxygen 9.x, strings/decimal.cc (decimal2bin) and
 * mysys/my_time.cc (my_datetime_packed_to_binary and its likes); the forms of before 5.6:
 * MySQL internals manual, "Date and Time Data Type Representation"; those with a
 * fraction, which only MariaDB has (5.3 to 10.0, later with mysql56_temporal_format=OFF):
 * MariaDB, sql/field.cc (Field_time_hires, Field_datetime_hires, Field_timestamp_hires).
 */
#ifndef MYSQL_PACKED_H
#define MYSQL_PACKED_H

#include "base/str.h"
#include "mysql/temporal.h"
#include "row/value.h"

#include <stdbool.h>
#include <stdint.h>

/* A sign, 65 digits, a point, a 0 before it, a NUL. */
#define PACKED_DECIMAL_TEXT 72

/* Up to 8 bytes, the highest first. */
uint64_t packed_be(struct str s);

/* precision 1 to 65, scale at most precision. */
unsigned packed_decimal_bytes(unsigned precision, unsigned scale);

/* The text of a decimal of packed_decimal_bytes() bytes; returns its length, 0 when a
 * group of digits is too great to be one. */
unsigned packed_decimal(struct str s, unsigned precision, unsigned scale,
                        char text[PACKED_DECIMAL_TEXT]);

/* Bytes of a value of a temporal type. */
unsigned packed_temporal_bytes(uint8_t type, unsigned fraction);

/* The value of a temporal column by its type in the binlog. TIME fills *out with a
 * VALUE_TIME; the others fill *fields. A TIMESTAMP of 0 is the zero date. False for bits
 * that no server writes. */
bool packed_temporal(uint8_t type, unsigned fraction, struct str s,
                     struct temporal_fields *fields, struct value *out);

#endif
