#include "source/discover_internal.h"

#include <string.h>

/* DATA_TYPE -> logical type, and the bytes of integers. */
static const struct data_type {
    const char *name;
    enum logical_type type;
    uint8_t bytes;
} data_types[] = {
    { "tinyint", TYPE_INT, 1 },
    { "smallint", TYPE_INT, 2 },
    { "mediumint", TYPE_INT, 3 },
    { "int", TYPE_INT, 4 },
    { "bigint", TYPE_LONG, 0 },
    { "decimal", TYPE_DECIMAL, 0 },
    { "float", TYPE_FLOAT, 0 },
    { "double", TYPE_DOUBLE, 0 },
    { "bit", TYPE_BIT, 0 },
    { "char", TYPE_TEXT, 0 },
    { "varchar", TYPE_TEXT, 0 },
    { "tinytext", TYPE_TEXT, 0 },
    { "text", TYPE_TEXT, 0 },
    { "mediumtext", TYPE_TEXT, 0 },
    { "longtext", TYPE_TEXT, 0 },
    { "binary", TYPE_BYTES, 0 },
    { "varbinary", TYPE_BYTES, 0 },
    { "tinyblob", TYPE_BYTES, 0 },
    { "blob", TYPE_BYTES, 0 },
    { "mediumblob", TYPE_BYTES, 0 },
    { "longblob", TYPE_BYTES, 0 },
    { "date", TYPE_DATE, 0 },
    { "datetime", TYPE_DATETIME, 0 },
    { "timestamp", TYPE_TIMESTAMP, 0 },
    { "time", TYPE_TIME, 0 },
    { "year", TYPE_YEAR, 0 },
    { "enum", TYPE_ENUM, 0 },
    { "set", TYPE_SET, 0 },
    { "json", TYPE_JSON, 0 },
    { "geometry", TYPE_GEOMETRY, 0 },
    { "point", TYPE_GEOMETRY, 0 },
    { "linestring", TYPE_GEOMETRY, 0 },
    { "polygon", TYPE_GEOMETRY, 0 },
    { "multipoint", TYPE_GEOMETRY, 0 },
    { "multilinestring", TYPE_GEOMETRY, 0 },
    { "multipolygon", TYPE_GEOMETRY, 0 },
    { "geometrycollection", TYPE_GEOMETRY, 0 },
    { "geomcollection", TYPE_GEOMETRY, 0 },
    { "vector", TYPE_VECTOR, 0 },
    { "uuid", TYPE_UUID, 0 },
    { "inet4", TYPE_INET4, 0 },
    { "inet6", TYPE_INET6, 0 },
};

static const struct data_type *data_type_find(struct str name)
{
    for (size_t i = 0; i < sizeof data_types / sizeof data_types[0]; i++)
        if (str_ieq(str_of(data_types[i].name), name))
            return &data_types[i];
    return NULL;
}

static uint64_t number_or(struct str text, uint64_t otherwise)
{
    uint64_t v = 0;
    return text.ptr != NULL && str_to_u64(text, &v) ? v : otherwise;
}

/* The number in "vector(3)". */
static uint64_t number_in_parentheses(struct str text)
{
    struct str rest = { 0 };
    (void)str_cut(text, '(', &rest);
    return number_or(str_cut(rest, ')', &rest), 0);
}

static bool words_contain(struct str text, const char *word)
{
    struct str rest = text;
    while (rest.len > 0) {
        struct str w = str_cut(rest, ' ', &rest);
        if (str_ieq(w, str_of(word)))
            return true;
    }
    return false;
}

/* The labels of "enum('a','it''s','back\\slash')": the catalog doubles quotes and escapes
 * backslash, NUL, line feed and carriage return, whatever sql_mode is (append_unescaped()
 * of both servers). The plain text never is longer, so one block holds all of it. */
static void set_labels(struct arena *a, struct str column_type, struct column *c)
{
    const char *p = column_type.ptr;
    const char *end = p + column_type.len;
    size_t quotes = 0;
    for (const char *q = p; q < end; q++)
        quotes += *q == '\'';
    struct str *labels = ARENA_ARRAY(a, struct str, quotes / 2 + 1);
    char *out = arena_alloc(a, column_type.len + 1);
    size_t count = 0;
    for (;;) {
        while (p < end && *p != '\'')
            p++;
        if (p >= end)
            break;
        char *start = out;
        for (p++; p < end; p++) {
            char ch = *p;
            if (ch == '\'' && (p + 1 == end || p[1] != '\''))
                break;
            if ((ch == '\'' || ch == '\\') && p + 1 < end) {
                bool escaped = ch == '\\';
                ch = *++p;
                if (escaped)
                    ch = ch == 'n' ? '\n' : ch == 'r' ? '\r' : ch == '0' ? '\0' : ch;
            }
            *out++ = ch;
        }
        p++;
        labels[count++] = (struct str){ start, (size_t)(out - start) };
    }
    c->labels = labels;
    c->label_count = (uint16_t)count;
}

static void set_integer(const struct data_type *t, const struct column_words *w,
                        bool always_int, struct column *c)
{
    c->bytes = t->bytes;
    c->is_unsigned = words_contain(w->column_type, "unsigned");
    if (t->bytes == 1 && !always_int && str_ieq(w->column_type, STR("tinyint(1)")))
        c->type = TYPE_BOOL;
    else if (t->bytes == 4 && c->is_unsigned)
        c->type = TYPE_LONG;
    else if (t->bytes == 0 && c->is_unsigned)
        c->type = TYPE_UBIGINT;
    if (c->type != TYPE_INT)
        c->bytes = 0;
}

static void set_bit(struct column *c, uint64_t bits)
{
    c->length = bits;
    c->type = bits == 1 ? TYPE_BOOL : bits == 64 ? TYPE_BIT64 : TYPE_BIT;
}

static void refuse(struct arena *a, struct column *c, const char *why)
{
    c->type = TYPE_UNSUPPORTED;
    c->why = arena_printf(a, "The type '" STR_FMT "' of column '" STR_FMT "' %s.",
                          STR_ARG(c->source_type), STR_ARG(c->name), why);
}

void column_set_type(struct arena *a, const struct column_words *w, bool always_int,
                     struct column *c)
{
    const struct data_type *t = data_type_find(w->data_type);
    if (t == NULL) {
        refuse(a, c, "is not known to this version");
        return;
    }
    c->type = t->type;
    c->length = number_or(w->length, 0);
    if (t->type == TYPE_INT || t->type == TYPE_LONG) {
        set_integer(t, w, always_int, c);
    } else if (t->type == TYPE_BIT) {
        set_bit(c, number_or(w->precision, 1));
    } else if (t->type == TYPE_DECIMAL) {
        c->precision = (uint16_t)number_or(w->precision, 0);
        c->scale = (uint16_t)number_or(w->scale, 0);
        c->is_unsigned = words_contain(w->column_type, "unsigned");
        if (c->precision == 0 || c->precision > 65 || c->scale > 38)
            refuse(a, c, "has sizes that no server allows");
    } else if (t->type == TYPE_DATETIME || t->type == TYPE_TIMESTAMP ||
               t->type == TYPE_TIME) {
        c->fraction = (uint8_t)number_or(w->fraction, 0);
    } else if (t->type == TYPE_ENUM || t->type == TYPE_SET) {
        set_labels(a, w->column_type, c);
    } else if (t->type == TYPE_VECTOR) {
        c->length = number_in_parentheses(w->column_type);
    } else if (t->type == TYPE_FLOAT || t->type == TYPE_DOUBLE) {
        c->is_unsigned = words_contain(w->column_type, "unsigned");
    }
}
