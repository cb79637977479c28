#include "source/key.h"

#include "mysql/temporal.h"
#include "source/key_internal.h"

#include <inttypes.h>
#include <stdio.h>

#define US_PER_S INT64_C(1000000)
#define DAY_S INT64_C(86400)
#define FRACTION_MOST 6
/* Clocks are compared this long before and after: struct key_clock. */
#define AROUND_US (3 * 3600 * US_PER_S)
/* The server rounds NOW(6) to a column of whole seconds (MySQL manual, "Fractional
 * Seconds in Time Values"). */
#define ROUNDING_US (US_PER_S / 2)

/* ---- values ---- */

/* A number of exactly `digits` digits off the front. */
static bool take_digits(struct str *text, unsigned digits, unsigned *out)
{
    if (text->len < digits)
        return false;
    *out = 0;
    for (unsigned i = 0; i < digits; i++) {
        char c = text->ptr[i];
        if (c < '0' || c > '9')
            return false;
        *out = *out * 10 + (unsigned)(c - '0');
    }
    *text = (struct str){ text->ptr + digits, text->len - digits };
    return true;
}

static bool take_char(struct str *text, char c)
{
    if (text->len == 0 || text->ptr[0] != c)
        return false;
    *text = (struct str){ text->ptr + 1, text->len - 1 };
    return true;
}

static bool take_date(struct str *text, struct temporal_fields *f)
{
    return take_digits(text, 4, &f->year) && take_char(text, '-') &&
           take_digits(text, 2, &f->month) && take_char(text, '-') &&
           take_digits(text, 2, &f->day);
}

/* hh:mm[:ss[.f...]], at most six digits of a second; *digits: those that are not 0 at the
 * end. */
static bool take_time(struct str *text, struct temporal_fields *f, unsigned *digits)
{
    if (!take_digits(text, 2, &f->hour) || !take_char(text, ':') ||
        !take_digits(text, 2, &f->minute))
        return false;
    if (!take_char(text, ':'))
        return true;
    if (!take_digits(text, 2, &f->second))
        return false;
    if (!take_char(text, '.'))
        return true;
    unsigned unit = 100000;
    unsigned digit;
    unsigned count = 0;
    for (; count < FRACTION_MOST && take_digits(text, 1, &digit); count++) {
        f->micro += digit * unit;
        unit /= 10;
        if (digit != 0)
            *digits = count + 1;
    }
    return count > 0;
}

static struct str time_part(struct arena *a, const struct column *key,
                            const struct value *v)
{
    char text[TEMPORAL_TEXT_MAX];
    unsigned n = temporal_format(v, key->fraction, text);
    return arena_str(a, (struct str){ text, n });
}

static bool cell_of_text(const struct column *key, struct str text, struct value *out)
{
    struct temporal_fields f = { 0 };
    char scratch[TEMPORAL_TEXT_MAX];
    unsigned digits = 0;
    if (!take_date(&text, &f))
        return false;
    if (text.len > 0) {
        if (key->type == TYPE_DATE || !(take_char(&text, 'T') || take_char(&text, ' ')) ||
            !take_time(&text, &f, &digits))
            return false;
        if (key->type == TYPE_TIMESTAMP)
            (void)take_char(&text, 'Z');
    }
    if (text.len > 0 || digits > key->fraction || !temporal_in_range(&f))
        return false;
    *out = key->type == TYPE_DATE
               ? temporal_date(&f, scratch)
               : temporal_datetime(
                     &f, key->type == TYPE_DATETIME ? VALUE_DATETIME : VALUE_TIMESTAMP,
                     key->fraction, scratch);
    return out->kind != VALUE_BAD_DATE;
}

static int read_time(struct arena *a, const struct column *key, struct str text,
                     struct str *out, struct error *err)
{
    struct value v;
    if (cell_of_text(key, str_trim(text), &v)) {
        *out = time_part(a, key, &v);
        return 0;
    }
    char fraction[16] = "";
    if (key->fraction > 0)
        (void)snprintf(fraction, sizeof fraction, ".%.*s", key->fraction, "ffffff");
    const char *zone = key->type == TYPE_TIMESTAMP ? ", a time of UTC" : "";
    (void)error_set(err, ERR_CONFIG,
                    "'" STR_FMT "' is no value of '" STR_FMT "', which takes "
                    "YYYY-MM-DD%s%s%s",
                    STR_ARG(text), STR_ARG(key->name),
                    key->type == TYPE_DATE ? "" : " [hh:mm[:ss", fraction,
                    key->type == TYPE_DATE ? "" : "]]");
    if (zone[0] != '\0')
        err->hint = "Times of this column are read as UTC.";
    return -1;
}

/* The least and the greatest value of an integer column. */
static void integer_bounds(const struct column *key, int64_t *least, uint64_t *most)
{
    unsigned bits = key->type == TYPE_INT ? 8u * key->bytes : 64;
    if (key->type == TYPE_LONG && key->is_unsigned)
        bits = 32;
    bool natural = key->is_unsigned || key->type == TYPE_UBIGINT;
    *least = natural ? 0 : -(int64_t)((UINT64_C(1) << (bits - 1)) - 1) - 1;
    *most = UINT64_MAX >> (64 - bits + (natural ? 0u : 1u));
}

struct integer {
    bool negative;
    uint64_t magnitude;
};

static bool integer_of(struct str text, struct integer *out)
{
    out->negative = text.len > 0 && text.ptr[0] == '-';
    if (out->negative || (text.len > 0 && text.ptr[0] == '+'))
        text = (struct str){ text.ptr + 1, text.len - 1 };
    if (text.len == 0 || text.ptr[0] < '0' || text.ptr[0] > '9' ||
        !str_to_u64(text, &out->magnitude))
        return false;
    out->negative = out->negative && out->magnitude > 0;
    return true;
}

static struct str integer_part(struct arena *a, struct integer n)
{
    return arena_printf(a, "%s%" PRIu64, n.negative ? "-" : "", n.magnitude);
}

static int read_integer(struct arena *a, const struct column *key, struct str text,
                        struct str *out, struct error *err)
{
    int64_t least;
    uint64_t most;
    struct integer n;
    integer_bounds(key, &least, &most);
    if (integer_of(str_trim(text), &n) &&
        (n.negative ? n.magnitude <= 0 - (uint64_t)least : n.magnitude <= most)) {
        *out = integer_part(a, n);
        return 0;
    }
    return error_set(err, ERR_CONFIG,
                     "'" STR_FMT "' is no value of '" STR_FMT
                     "', which takes integers from %" PRId64 " to %" PRIu64,
                     STR_ARG(text), STR_ARG(key->name), least, most);
}

int key_value_read(struct arena *a, const struct column *key, struct str text,
                   struct str *out, struct error *err)
{
    struct str why;
    *out = (struct str){ 0 };
    switch (key_kind_of(key, &why)) {
    case KEY_KIND_TIME:
        return read_time(a, key, text, out, err);
    case KEY_KIND_UNITS:
        return read_integer(a, key, text, out, err);
    case KEY_KIND_NONE:
        break;
    }
    return error_set(err, ERR_CONFIG,
                     "'" STR_FMT "' cannot be a replication key: " STR_FMT,
                     STR_ARG(key->name), STR_ARG(why));
}

/* ---- clocks ---- */

bool key_time_parse(struct str text, int64_t *us)
{
    static const struct column any = { .type = TYPE_DATETIME, .fraction = FRACTION_MOST };
    struct value v;
    if (!cell_of_text(&any, text, &v))
        return false;
    *us = v.as.i;
    return true;
}

static int64_t floor_to(int64_t us, int64_t unit)
{
    int64_t rest = us % unit;
    return us - (rest < 0 ? rest + unit : rest);
}

struct str key_time_part(struct arena *a, const struct column *key, int64_t us)
{
    int64_t unit = US_PER_S;
    for (unsigned i = 0; i < key->fraction; i++)
        unit /= 10;
    struct value v = { .as.i = floor_to(us, unit), .kind = VALUE_DATETIME };
    if (key->type == TYPE_DATE)
        v = (struct value){ .as.i = floor_to(us, DAY_S * US_PER_S) / (DAY_S * US_PER_S),
                            .kind = VALUE_DATE };
    return time_part(a, key, &v);
}

enum key_trust key_trust_of(const struct key_clock *c, const struct column *key,
                            int64_t max, int64_t *now, int64_t *drop)
{
    int64_t offset = c->local - c->utc;
    int64_t before = c->local_before - (c->utc - AROUND_US);
    int64_t after = c->local_after - (c->utc + AROUND_US);
    int64_t most = before > offset ? before : offset;
    int64_t least = after < offset ? after : offset;
    *drop = most > least ? most - least : 0;
    int64_t high = c->utc;
    int64_t low = c->utc;
    if (key->type != TYPE_TIMESTAMP) {
        high = c->local > c->utc ? c->local : c->utc;
        low = c->local < c->utc ? c->local : c->utc;
    }
    *now = low - *drop;
    return max > high + ROUNDING_US ? KEY_TRUST_NOW : KEY_TRUST_MAX;
}

/* ---- arithmetic ---- */

static struct str integer_less(struct arena *a, const struct column *key,
                               struct str value, uint64_t amount)
{
    int64_t least;
    uint64_t most;
    struct integer n;
    integer_bounds(key, &least, &most);
    uint64_t lowest = 0 - (uint64_t)least; /* its magnitude */
    struct integer first = { least < 0, lowest };
    if (!integer_of(value, &n))
        return integer_part(a, first);
    if (!n.negative && n.magnitude >= amount)
        return integer_part(a, (struct integer){ false, n.magnitude - amount });
    if (!n.negative)
        n = (struct integer){ true, amount - n.magnitude };
    else if (amount > lowest - n.magnitude)
        return integer_part(a, first);
    else
        n.magnitude += amount;
    return integer_part(a, n.magnitude > lowest ? first : n);
}

static struct str first_time(struct arena *a, const struct column *key)
{
    if (key->type == TYPE_DATE)
        return STR("0000-00-00");
    return arena_printf(a, "0000-00-00 00:00:00%s%.*s", key->fraction > 0 ? "." : "",
                        key->fraction, "000000");
}

static struct str time_less(struct arena *a, const struct column *key, struct str value,
                            int64_t amount)
{
    struct value v;
    if (!cell_of_text(key, value, &v))
        return first_time(a, key);
    int64_t unit = key->type == TYPE_DATE ? 1 : DAY_S * US_PER_S;
    int64_t first = temporal_days(1, 1, 1) * unit;
    if (key->type == TYPE_TIMESTAMP)
        first = US_PER_S;
    int64_t less;
    if (key->type == TYPE_DATE)
        less = amount / DAY_S + (amount % DAY_S != 0 ? 1 : 0);
    else if (__builtin_mul_overflow(amount, US_PER_S, &less))
        return first_time(a, key);
    if (less > v.as.i - first)
        return first_time(a, key);
    v.as.i -= less;
    return time_part(a, key, &v);
}

struct str key_less(struct arena *a, const struct column *key, struct str value,
                    int64_t amount)
{
    if (amount <= 0)
        return arena_str(a, value);
    struct str why;
    return key_kind_of(key, &why) == KEY_KIND_UNITS
               ? integer_less(a, key, value, (uint64_t)amount)
               : time_less(a, key, value, amount);
}
