/* tests/support/test.h
 *
 * What every unit test includes: cmocka with the headers that it wants before it, and a few
 * assertions in our own words.
 */
#ifndef SUPPORT_TEST_H
#define SUPPORT_TEST_H

/* cmocka.h needs these four first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* and then */
#include <cmocka.h>

#include "base/str.h"

#include <stdio.h>

/* A run of bytes equals a literal. */
#define assert_str(s, literal) assert_str_at((s), STR(literal), __FILE__, __LINE__)

static inline void assert_str_at(struct str s, struct str want, const char *file, int line)
{
    if (!str_eq(s, want)) {
        print_error("'" STR_FMT "' is not '" STR_FMT "'\n", STR_ARG(s), STR_ARG(want));
        _fail(file, line);
    }
}

#endif
