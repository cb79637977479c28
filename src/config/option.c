#include "config/option.h"

#include "base/alloc.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

struct value {
    bool is_set;
    char *
        text; /* owned; as given, else the fallback; NULL for secrets and required ones */
    int64_t number;
    struct secret *secret; /* owned */
};

struct option_values {
    const struct option *table; /* borrowed, see option_values_new() */
    size_t count;
    struct value *values; /* owned; as many as the table has */
};

static size_t table_count(const struct option *table)
{
    size_t n = 0;
    while (table[n].name != NULL)
        n++;
    return n;
}

/* --- one value --- */

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first, so that printing takes the first that divides. The decimal ones come
 * last: they are understood, not written. */
static const struct unit byte_units[] = {
    { "TiB", INT64_C(1) << 40 },
    { "GiB", INT64_C(1) << 30 },
    { "MiB", INT64_C(1) << 20 },
    { "KiB", INT64_C(1) << 10 },
    { "B", 1 },
    { "", 1 },
    { "TB", INT64_C(1000000000000) },
    { "GB", INT64_C(1000000000) },
    { "MB", INT64_C(1000000) },
    { "kB", INT64_C(1000) },
    { NULL, 0 },
};

static const struct unit time_units[] = {
    { "d", INT64_C(86400000000) },
    { "h", INT64_C(3600000000) },
    { "min", INT64_C(60000000) },
    { "s", INT64_C(1000000) },
    { "ms", INT64_C(1000) },
    { "us", 1 },
    { NULL, 0 },
};

static const struct unit *units_of(enum option_type type)
{
    switch (type) {
    case OPTION_BYTES:
        return byte_units;
    case OPTION_DURATION:
        return time_units;
    case OPTION_TEXT:
    case OPTION_INT:
    case OPTION_BOOL:
    case OPTION_CHOICE:
    case OPTION_SECRET:
        break;
    }
    return NULL;
}

static int64_t most_of(const struct option *o)
{
    return o->min == 0 && o->max == 0 ? INT64_MAX : o->max;
}

static int refuse(const struct option *o, struct str text, const char *expected,
                  struct error *err)
{
    return error_set(err, ERR_CONFIG, "option '%s' is '" STR_FMT "': %s was expected",
                     o->name, STR_ARG(text), expected);
}

static int check_range(const struct option *o, struct str text, int64_t number,
                       struct error *err)
{
    if (number >= o->min && number <= most_of(o))
        return 0;
    struct buf expected;
    buf_init(&expected, 200);
    if (number < o->min) {
        buf_add_text(&expected, "at least ");
        option_print(&expected, o, o->min);
    } else {
        buf_add_text(&expected, "at most ");
        option_print(&expected, o, most_of(o));
    }
    (void)refuse(o, text, buf_text(&expected), err);
    buf_done(&expected);
    return -1;
}

static int parse_int(const struct option *o, struct str text, int64_t *out,
                     struct error *err)
{
    if (!str_to_i64(text, out))
        return refuse(o, text, "a whole number", err);
    return 0;
}

static int parse_united(const struct option *o, struct str text, int64_t *out,
                        struct error *err)
{
    const char *expected = o->type == OPTION_BYTES
                               ? "a whole number with B, KiB, MiB, GiB or TiB"
                               : "a whole number with us, ms, s, min, h or d";
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    int64_t number;
    if (!str_to_i64((struct str){ text.ptr, digits }, &number))
        return refuse(o, text, expected, err);
    struct str unit = str_trim((struct str){ text.ptr + digits, text.len - digits });
    if (number == 0 && unit.len == 0) {
        *out = 0;
        return 0;
    }
    for (const struct unit *u = units_of(o->type); u->name != NULL; u++) {
        if (!str_ieq(unit, str_of(u->name)))
            continue;
        if (__builtin_mul_overflow(number, u->factor, out))
            *out = INT64_MAX; /* the range check, or the next line, refuses it */
        return *out == INT64_MAX ? refuse(o, text, "a smaller number", err) : 0;
    }
    return refuse(o, text, expected, err);
}

static int parse_bool(const struct option *o, struct str text, int64_t *out,
                      struct error *err)
{
    static const char *const words[2][4] = { { "false", "no", "off", "0" },
                                             { "true", "yes", "on", "1" } };
    for (size_t i = 0; i < 8; i++) {
        if (str_ieq(text, str_of(words[i / 4][i % 4]))) {
            *out = (int64_t)(i / 4);
            return 0;
        }
    }
    return refuse(o, text, "'true' or 'false'", err);
}

static int parse_choice(const struct option *o, struct str text, int64_t *out,
                        struct error *err)
{
    struct buf expected;
    for (size_t i = 0; o->choices[i] != NULL; i++) {
        if (str_eq(text, str_of(o->choices[i]))) {
            *out = (int64_t)i;
            return 0;
        }
    }
    buf_init(&expected, 300);
    for (size_t i = 0; o->choices[i] != NULL; i++)
        buf_printf(&expected, "%s'%s'",
                   i == 0                      ? ""
                   : o->choices[i + 1] == NULL ? " or "
                                               : ", ",
                   o->choices[i]);
    (void)refuse(o, text, buf_text(&expected), err);
    buf_done(&expected);
    return -1;
}

int option_parse(const struct option *o, struct str text, int64_t *out, struct error *err)
{
    int64_t number = 0;
    text = str_trim(text);
    switch (o->type) {
    case OPTION_INT:
        if (parse_int(o, text, &number, err) < 0 || check_range(o, text, number, err) < 0)
            return -1;
        break;
    case OPTION_BYTES:
    case OPTION_DURATION:
        if (parse_united(o, text, &number, err) < 0 ||
            check_range(o, text, number, err) < 0)
            return -1;
        break;
    case OPTION_BOOL:
        if (parse_bool(o, text, &number, err) < 0)
            return -1;
        break;
    case OPTION_CHOICE:
        if (parse_choice(o, text, &number, err) < 0)
            return -1;
        break;
    case OPTION_TEXT:
    case OPTION_SECRET:
        break;
    }
    *out = number;
    return 0;
}

static void print_united(struct buf *out, const struct option *o, int64_t number)
{
    const struct unit *u = units_of(o->type);
    if (number == 0) {
        buf_add_char(out, '0');
        return;
    }
    while (number % u->factor != 0)
        u++;
    buf_printf(out, "%lld%s", (long long)(number / u->factor), u->name);
}

void option_print(struct buf *out, const struct option *o, int64_t number)
{
    switch (o->type) {
    case OPTION_INT:
        buf_printf(out, "%lld", (long long)number);
        break;
    case OPTION_BYTES:
    case OPTION_DURATION:
        print_united(out, o, number);
        break;
    case OPTION_BOOL:
        buf_add_text(out, number != 0 ? "true" : "false");
        break;
    case OPTION_CHOICE:
        buf_add_text(out, o->choices[number]);
        break;
    case OPTION_TEXT:
    case OPTION_SECRET:
        break;
    }
}

/* --- values of a table --- */

static void reset_value(struct value *v)
{
    free(v->text);
    secret_free(v->secret);
    *v = (struct value){ 0 };
}

static void set_text(struct value *v, struct str text)
{
    v->text = xcalloc(text.len + 1, 1);
    if (text.len > 0)
        memcpy(v->text, text.ptr, text.len);
}

/* Of a type that no empty text has: nothing is said until somebody says it. */
static bool has_no_default(const struct option *o)
{
    return o->fallback != NULL && o->fallback[0] == '\0' && o->type != OPTION_TEXT &&
           o->type != OPTION_SECRET;
}

struct option_values *option_values_new(const struct option *table)
{
    struct option_values *v = xcalloc(1, sizeof(*v));
    v->table = table;
    v->count = table_count(table);
    v->values = xcalloc(v->count, sizeof(*v->values));
    for (size_t i = 0; i < v->count; i++) {
        struct error err = { 0 };
        const struct option *o = &table[i];
        if (o->fallback == NULL || o->type == OPTION_SECRET)
            continue;
        if (has_no_default(o)) {
            set_text(&v->values[i], str_of(""));
            continue;
        }
        if (option_parse(o, str_of(o->fallback), &v->values[i].number, &err) < 0) {
            (void)fprintf(stderr, "tailrace: bad fallback: %s\n", err.text);
            abort(); /* a typing error in one of our tables */
        }
        set_text(&v->values[i], str_of(o->fallback));
    }
    return v;
}

void option_values_free(struct option_values *v)
{
    if (v == NULL)
        return;
    for (size_t i = 0; i < v->count; i++)
        reset_value(&v->values[i]);
    free(v->values);
    free(v);
}

void option_values_free_at(struct option_values **v)
{
    option_values_free(*v);
    *v = NULL;
}

static bool names_equal(const char *name, struct str given)
{
    size_t i = 0;
    for (; name[i] != '\0' && i < given.len; i++) {
        char c = given.ptr[i] == '-' ? '_' : given.ptr[i];
        if (c != name[i])
            return false;
    }
    return name[i] == '\0' && i == given.len;
}

const struct option *option_find(const struct option *table, struct str name)
{
    for (const struct option *o = table; o->name != NULL; o++)
        if (names_equal(o->name, name))
            return o;
    return NULL;
}

int option_set(struct option_values *v, struct str name, struct str text,
               struct error *err)
{
    int64_t number = 0;
    const struct option *o = option_find(v->table, name);
    if (o == NULL)
        return error_set(err, ERR_CONFIG, "there is no option '" STR_FMT "'",
                         STR_ARG(name));
    if (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL)
        return error_set(err, ERR_CONFIG, "option '%s' holds a NUL byte", o->name);
    if (option_parse(o, text, &number, err) < 0)
        return -1;
    struct value fresh = { .is_set = true, .number = number };
    if (o->type == OPTION_SECRET)
        fresh.secret = secret_new(text);
    else
        set_text(&fresh, o->type == OPTION_TEXT ? text : str_trim(text));
    struct value *slot = &v->values[o - v->table];
    reset_value(slot);
    *slot = fresh;
    return 0;
}

static int set_json_member(struct option_values *v, const char *name, const json_t *value,
                           struct error *err)
{
    char number[32];
    if (json_is_string(value))
        return option_set(
            v, str_of(name),
            (struct str){ json_string_value(value), json_string_length(value) }, err);
    if (json_is_boolean(value))
        return option_set(v, str_of(name), str_of(json_is_true(value) ? "true" : "false"),
                          err);
    if (json_is_integer(value)) {
        (void)snprintf(number, sizeof(number), "%lld",
                       (long long)json_integer_value(value)); /* 20 digits at most */
        return option_set(v, str_of(name), str_of(number), err);
    }
    return error_set(
        err, ERR_CONFIG,
        "option '%s' is neither a text nor a whole number nor true nor false", name);
}

int option_set_json(struct option_values *v, struct str json, struct error *err)
{
    json_error_t why;
    json_t *object = json_loadb(json.ptr == NULL ? "" : json.ptr, json.len,
                                JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(object)) {
        json_decref(object);
        return error_set(err, ERR_CONFIG, "the options are no JSON object%s%s",
                         object == NULL ? ": " : "", object == NULL ? why.text : "");
    }
    const char *name;
    json_t *value;
    int rc = 0;
    json_object_foreach(object, name, value)
    {
        rc = set_json_member(v, name, value, err);
        if (rc < 0)
            break;
    }
    json_decref(object);
    return rc;
}

int option_check_required(const struct option_values *v, struct error *err)
{
    for (size_t i = 0; i < v->count; i++)
        if (v->table[i].fallback == NULL && !v->values[i].is_set)
            return error_set(err, ERR_CONFIG, "option '%s' is required",
                             v->table[i].name);
    return 0;
}

static bool equals_fallback(const struct option *o, const struct value *v)
{
    struct error ignored = { 0 };
    int64_t number = 0;
    if (o->fallback == NULL || has_no_default(o))
        return false;
    if (o->type == OPTION_TEXT)
        return strcmp(v->text, o->fallback) == 0;
    /* Fallbacks parse: option_values_new() has seen to it. */
    return option_parse(o, str_of(o->fallback), &number, &ignored) == 0 &&
           number == v->number;
}

void option_values_json(struct buf *out, const struct option_values *v)
{
    bool first = true;
    buf_add_char(out, '{');
    for (size_t i = 0; i < v->count; i++) {
        const struct option *o = &v->table[i];
        const struct value *value = &v->values[i];
        if (!value->is_set || o->type == OPTION_SECRET || equals_fallback(o, value))
            continue;
        if (!first)
            buf_add_char(out, ',');
        first = false;
        buf_add_json(out, str_of(o->name));
        buf_add_char(out, ':');
        buf_add_json(out, str_of(value->text));
    }
    buf_add_char(out, '}');
}

/* --- getters --- */

static const struct value *get(const struct option_values *v, const char *name,
                               bool is_secret)
{
    const struct option *o = option_find(v->table, str_of(name));
    if (o == NULL || (o->type == OPTION_SECRET) != is_secret) {
        (void)fprintf(stderr, "tailrace: no such option here: %s\n", name);
        abort();
    }
    return &v->values[o - v->table];
}

bool option_is_set(const struct option_values *v, const char *name)
{
    const struct option *o = option_find(v->table, str_of(name));
    return o != NULL && v->values[o - v->table].is_set;
}

bool option_is_default(const struct option_values *v, const char *name)
{
    const struct value *value = get(v, name, false);
    return !value->is_set || equals_fallback(&v->table[value - v->values], value);
}

int64_t option_number(const struct option_values *v, const char *name)
{
    return get(v, name, false)->number;
}

bool option_bool(const struct option_values *v, const char *name)
{
    return option_number(v, name) != 0;
}

struct str option_text(const struct option_values *v, const char *name)
{
    return str_of(get(v, name, false)->text);
}

const struct secret *option_secret(const struct option_values *v, const char *name)
{
    return get(v, name, true)->secret;
}
