#include "avro/name.h"

#include "base/map.h"

#include <stdint.h>

/* The fields that a segment's record has in front of the columns. */
static const struct str own_fields[] = {
    { "_op", 3 }, { "_seq", 4 }, { "_ms", 3 }, { "_absent", 7 }, { "_before", 7 },
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char fold_char(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* One code point, or one byte that is part of none, off the front. */
static struct str next_char(struct str *s)
{
    unsigned n = str_utf8_next(*s, NULL);
    struct str c = { s->ptr, n > 0 ? n : 1 };
    *s = (struct str){ s->ptr + c.len, s->len - c.len };
    return c;
}

struct str avro_name_legal(struct arena *a, struct str name, enum leading_digit digits)
{
    char *out = arena_alloc(a, name.len + 2);
    size_t n = 0;
    while (name.len > 0) {
        struct str c = next_char(&name);
        char first = c.ptr[0];
        if (n == 0 && is_digit(first) && digits == LEADING_DIGIT_PREFIX)
            out[n++] = '_';
        bool legal = c.len == 1 && (is_letter(first) || (n > 0 && is_digit(first)));
        out[n++] = legal ? first : '_';
    }
    if (n == 0)
        out[n++] = '_';
    return (struct str){ out, n };
}

static struct str folded(struct arena *a, struct str s, bool fold)
{
    if (!fold)
        return s;
    char *out = arena_alloc(a, s.len + 1);
    for (size_t i = 0; i < s.len; i++)
        out[i] = fold_char(s.ptr[i]);
    return (struct str){ out, s.len };
}

/* Names that belong to the record and the destination, whoever asks for them. */
static bool is_ours(struct str key)
{
    for (size_t i = 0; i < sizeof(own_fields) / sizeof(own_fields[0]); i++)
        if (str_eq(key, own_fields[i]))
            return true;
    return str_starts(key, STR("_sdc_")) || str_starts(key, STR("__sdc_"));
}

static bool is_legal(struct str name)
{
    if (name.len == 0 || !is_letter(name.ptr[0]))
        return false;
    for (size_t i = 1; i < name.len; i++)
        if (!is_letter(name.ptr[i]) && !is_digit(name.ptr[i]))
            return false;
    return true;
}

struct assigner {
    struct arena *arena;
    struct map *taken; /* names as compared */
    bool fold;
};

static bool is_taken(struct assigner *as, struct str name)
{
    return map_find(as->taken, folded(as->arena, name, as->fold)) != NULL;
}

static void take(struct assigner *as, struct str name)
{
    map_put(as->taken, folded(as->arena, name, as->fold), as);
}

/* The name itself if it is free, else the first free of name_2, name_3, ... A name with
 * one of our prefixes is never free as it stands; with a number behind it, it is nobody
 * else's. */
static struct str first_free(struct assigner *as, struct str name)
{
    if (!is_ours(folded(as->arena, name, as->fold)) && !is_taken(as, name))
        return name;
    for (unsigned n = 2;; n++) {
        struct str next = arena_printf(as->arena, STR_FMT "_%u", STR_ARG(name), n);
        if (!is_taken(as, next))
            return next;
    }
}

/* NOLINTNEXTLINE(readability-function-size): the seventh parameter is the result */
void avro_names_assign(struct arena *a, const struct str *names,
                       const struct str *previous, size_t count,
                       enum leading_digit digits, bool fold, struct str *out)
{
    struct assigner as = { a, map_new(), fold };
    for (size_t i = 0; i < count; i++) {
        out[i] = (struct str){ 0 };
        if (previous == NULL || !is_legal(previous[i]) || is_taken(&as, previous[i]))
            continue;
        out[i] = arena_str(a, previous[i]);
        take(&as, out[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (out[i].len > 0)
            continue;
        out[i] = first_free(&as, avro_name_legal(a, names[i], digits));
        take(&as, out[i]);
    }
    map_free(as.taken);
}

#define SCHEMA_NAME_MAX 49

struct str avro_schema_name(struct arena *a, struct str display_name)
{
    char *out = arena_alloc(a, SCHEMA_NAME_MAX + 2);
    size_t n = 0;
    while (display_name.len > 0 && n < SCHEMA_NAME_MAX) {
        struct str c = next_char(&display_name);
        char first = fold_char(c.ptr[0]);
        bool letter = c.len == 1 && is_letter(first);
        if (n == 0 && c.len == 1 && (is_digit(first) || first == '$'))
            out[n++] = '_';
        out[n++] =
            letter || (c.len == 1 && (is_digit(first) || first == '$')) ? first : '_';
    }
    if (n == 0)
        out[n++] = '_';
    return (struct str){ out, n };
}
