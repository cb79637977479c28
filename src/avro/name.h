/* src/avro/name.h
 *
 * Names that Avro accepts: [A-Za-z_][A-Za-z0-9_]* (Avro 1.11 specification, "Names").
 * Each code point outside the allowed set for its place becomes one '_', a leading digit
 * too; a collision gets the first free of _2, _3, ... in column order. The record's own
 * fields and all names that start with _sdc_ or __sdc_ count as taken.
 *
 * Thread: any.
 */
#ifndef AVRO_NAME_H
#define AVRO_NAME_H

#include "base/arena.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

enum leading_digit {
    LEADING_DIGIT_REPLACE = 0, /* "4th" -> "_th" */
    LEADING_DIGIT_PREFIX,      /* "4th" -> "_4th" */
};

/* The legal form of one name, collisions aside. Bytes that are no UTF-8 become one '_'
 * each. */
struct str avro_name_legal(struct arena *a, struct str name, enum leading_digit digits);

/* Names for columns in their order. previous[i], when it is not empty, was given to this
 * column before and stays. out has count entries. fold: also names that differ only in
 * ASCII case collide (for destinations that fold case). */
void avro_names_assign(struct arena *a, const struct str *names,
                       const struct str *previous, size_t count,
                       enum leading_digit digits, bool fold, struct str *out);

/* The destination schema of a display name: lower case, [a-z0-9_$], first a letter or
 * '_', shorter than 50. */
struct str avro_schema_name(struct arena *a, struct str display_name);

#endif
