/* src/avro/decimal.h
 *
 * Decimals between ASCII, as the source sends them, and the unscaled value as Avro has
 * it: big-endian two's complement, here always in the fewest bytes.
 *
 * Thread: any.
 */
#ifndef AVRO_DECIMAL_H
#define AVRO_DECIMAL_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define DECIMAL_DIGITS_MAX 65 /* MySQL's and MariaDB's widest */
#define DECIMAL_BYTES_MAX 28  /* 65 digits and a sign */
#define DECIMAL_TEXT_MAX 72

enum decimal_result {
    DECIMAL_OK = 0,
    DECIMAL_MALFORMED, /* no number at all */
    DECIMAL_TOO_WIDE,  /* more digits than precision and scale allow */
};

/* "-12.340" as decimal(precision, scale). Digits after the point may be fewer than the
 * scale, and more when those are zeros. *n bytes of out are written. */
enum decimal_result decimal_unscaled(struct str text, unsigned precision, unsigned scale,
                                     uint8_t out[DECIMAL_BYTES_MAX], unsigned *n);

/* The unscaled bytes of an integer without sign: 1 to 9. */
unsigned decimal_unscaled_u64(uint64_t v, uint8_t out[9]);

/* Back to an integer without sign; false when it is none of 64 bits. */
bool decimal_to_u64(struct str unscaled, uint64_t *out);

/* Back to ASCII with exactly `scale` digits after the point; the length, or 0 when the
 * bytes are none or more than DECIMAL_BYTES_MAX, or the digits are more than
 * DECIMAL_DIGITS_MAX. */
size_t decimal_text(struct str unscaled, unsigned scale, char out[DECIMAL_TEXT_MAX]);

#endif
