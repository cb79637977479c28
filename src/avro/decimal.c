#include "avro/decimal.h"

#include <endian.h>

#define LIMBS 4 /* of 64 bits: 65 digits take 216 */
#define CHUNK_DIGITS 18

static const uint64_t powers_of_ten[CHUNK_DIGITS + 1] = {
    1,
    10,
    100,
    1000,
    10000,
    100000,
    1000000,
    10000000,
    100000000,
    1000000000,
    10000000000,
    100000000000,
    1000000000000,
    10000000000000,
    100000000000000,
    1000000000000000,
    10000000000000000,
    100000000000000000,
    1000000000000000000,
};

/* Digits of the scaled number, without leading zeros. */
struct digits {
    uint8_t digit[DECIMAL_DIGITS_MAX];
    unsigned count;
    bool negative;
};

/* False past precision; leading zeros do not count. */
static bool add_digit(struct digits *d, uint8_t digit, unsigned precision)
{
    if (d->count == 0 && digit == 0)
        return true;
    if (d->count == precision)
        return false;
    d->digit[d->count++] = digit;
    return true;
}

static enum decimal_result parse(struct str text, unsigned precision, unsigned scale,
                                 struct digits *d)
{
    const char *p = text.ptr;
    const char *end = text.ptr + text.len;
    bool fits = true;
    bool any = false;
    d->count = 0;
    d->negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    for (; p < end && *p >= '0' && *p <= '9'; p++, any = true)
        fits = add_digit(d, (uint8_t)(*p - '0'), precision) && fits;
    unsigned fraction = 0;
    if (p < end && *p == '.')
        for (p++; p < end && *p >= '0' && *p <= '9'; p++, fraction++, any = true) {
            if (fraction < scale)
                fits = add_digit(d, (uint8_t)(*p - '0'), precision) && fits;
            else if (*p != '0')
                fits = false;
        }
    if (!any || p != end)
        return DECIMAL_MALFORMED;
    for (; fraction < scale; fraction++)
        fits = add_digit(d, 0, precision) && fits;
    return fits ? DECIMAL_OK : DECIMAL_TOO_WIDE;
}

/* The fewest bytes of a two's complement number that still say its sign. */
static unsigned minimal_i64(int64_t v, uint8_t *out)
{
    uint64_t magnitude = (uint64_t)(v ^ (v >> 63));
    unsigned bits = magnitude == 0 ? 0 : 64 - (unsigned)__builtin_clzll(magnitude);
    unsigned n = bits / 8 + 1;
    uint64_t big = htobe64((uint64_t)v);
    memcpy(out, (const char *)&big + (8 - n), n);
    return n;
}

static uint64_t chunk_of(const uint8_t *digits, unsigned n)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v = v * 10 + digits[i];
    return v;
}

static void negate(uint64_t limbs[LIMBS])
{
    uint64_t carry = 1;
    for (unsigned i = 0; i < LIMBS; i++) {
        limbs[i] = ~limbs[i] + carry;
        carry = carry != 0 && limbs[i] == 0;
    }
}

/* limbs are little end first. */
static unsigned wide_to_bytes(const struct digits *d, uint8_t *out)
{
    uint64_t limbs[LIMBS] = { 0 };
    for (unsigned done = 0; done < d->count;) {
        unsigned n = d->count - done < CHUNK_DIGITS ? d->count - done : CHUNK_DIGITS;
        unsigned __int128 carry = chunk_of(d->digit + done, n);
        for (unsigned i = 0; i < LIMBS; i++) {
            carry += (unsigned __int128)limbs[i] * powers_of_ten[n];
            limbs[i] = (uint64_t)carry;
            carry >>= 64;
        }
        done += n;
    }
    if (d->negative)
        negate(limbs);
    uint8_t all[LIMBS * 8];
    for (unsigned i = 0; i < LIMBS; i++) {
        uint64_t big = htobe64(limbs[LIMBS - 1 - i]);
        memcpy(all + (size_t)i * 8, &big, 8);
    }
    uint8_t sign = d->negative ? 0xff : 0;
    unsigned skip = 0;
    while (skip + 1 < sizeof(all) && all[skip] == sign &&
           (all[skip + 1] & 0x80) == (sign & 0x80))
        skip++;
    unsigned n = (unsigned)sizeof(all) - skip;
    memcpy(out, all + skip, n);
    return n;
}

enum decimal_result decimal_unscaled(struct str text, unsigned precision, unsigned scale,
                                     uint8_t out[DECIMAL_BYTES_MAX], unsigned *n)
{
    struct digits d;
    if (precision > DECIMAL_DIGITS_MAX)
        precision = DECIMAL_DIGITS_MAX;
    enum decimal_result result = parse(text, precision, scale, &d);
    if (result != DECIMAL_OK)
        return result;
    if (d.count > CHUNK_DIGITS) {
        *n = wide_to_bytes(&d, out);
    } else {
        int64_t v = (int64_t)chunk_of(d.digit, d.count);
        *n = minimal_i64(d.negative ? -v : v, out);
    }
    return DECIMAL_OK;
}

unsigned decimal_unscaled_u64(uint64_t v, uint8_t out[9])
{
    if (v <= INT64_MAX)
        return minimal_i64((int64_t)v, out);
    uint64_t big = htobe64(v);
    out[0] = 0;
    memcpy(out + 1, &big, 8);
    return 9;
}

bool decimal_to_u64(struct str unscaled, uint64_t *out)
{
    if (unscaled.len == 0 || unscaled.len > 9 || (uint8_t)unscaled.ptr[0] >= 0x80 ||
        (unscaled.len == 9 && unscaled.ptr[0] != 0))
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < unscaled.len; i++)
        v = v << 8 | (uint8_t)unscaled.ptr[i];
    *out = v;
    return true;
}

/* Divide by 10^18; the rest. */
static uint64_t take_chunk(uint64_t limbs[LIMBS])
{
    unsigned __int128 rest = 0;
    for (unsigned i = LIMBS; i-- > 0;) {
        rest = rest << 64 | limbs[i];
        limbs[i] = (uint64_t)(rest / powers_of_ten[CHUNK_DIGITS]);
        rest %= powers_of_ten[CHUNK_DIGITS];
    }
    return (uint64_t)rest;
}

size_t decimal_text(struct str unscaled, unsigned scale, char out[DECIMAL_TEXT_MAX])
{
    if (unscaled.len == 0 || unscaled.len > DECIMAL_BYTES_MAX ||
        scale > DECIMAL_DIGITS_MAX)
        return 0;
    bool negative = (uint8_t)unscaled.ptr[0] >= 0x80;
    uint64_t limbs[LIMBS];
    memset(limbs, negative ? 0xff : 0, sizeof(limbs));
    for (size_t i = 0; i < unscaled.len; i++) {
        size_t place = unscaled.len - 1 - i;
        unsigned shift = (unsigned)(place % 8) * 8;
        limbs[place / 8] &= ~((uint64_t)0xff << shift);
        limbs[place / 8] |= (uint64_t)(uint8_t)unscaled.ptr[i] << shift;
    }
    if (negative)
        negate(limbs);
    char digits[LIMBS * CHUNK_DIGITS + CHUNK_DIGITS]; /* the last digit first */
    unsigned count = 0;
    while ((limbs[0] | limbs[1] | limbs[2] | limbs[3]) != 0) {
        uint64_t chunk = take_chunk(limbs);
        for (unsigned i = 0; i < CHUNK_DIGITS; i++, chunk /= 10)
            digits[count++] = (char)('0' + chunk % 10);
    }
    while (count > 0 && digits[count - 1] == '0')
        count--;
    if (count > DECIMAL_DIGITS_MAX)
        return 0;
    while (count <= scale)
        digits[count++] = '0';
    size_t n = 0;
    if (negative)
        out[n++] = '-';
    while (count > 0) {
        if (count == scale)
            out[n++] = '.';
        out[n++] = digits[--count];
    }
    return n;
}
