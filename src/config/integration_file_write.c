/* Writing integrations as YAML; see integration_file.h. */
#include "config/integration_file_internal.h"

static bool is_word_of(struct str s, const char *const *words)
{
    for (size_t i = 0; words[i] != NULL; i++)
        if (str_ieq(s, str_of(words[i])))
            return true;
    return false;
}

static bool looks_like_number(struct str s)
{
    size_t digits = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] >= '0' && s.ptr[i] <= '9')
            digits++;
        else if (strchr("+-._eExXoO", s.ptr[i]) == NULL)
            return false;
    }
    return digits > 0 && strchr("eExXoO", s.ptr[0]) == NULL && s.ptr[0] != '_';
}

bool integration_file_is_typed(struct str s)
{
    static const char *const WORDS[] = { "",      "~",    "null", "true", "false",
                                         "yes",   "no",   "on",   "off",  ".inf",
                                         "-.inf", ".nan", NULL };
    return is_word_of(s, WORDS) || looks_like_number(s);
}

/* Stands without quotes: letters, digits and a few signs in the middle. */
static bool is_plain(struct str s)
{
    if (integration_file_is_typed(s))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool inner = (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '/' ||
                     c == '@' || c == '-';
        if (!letter && !(i > 0 && inner))
            return false;
    }
    return true;
}

/* Double quotes with escapes; YAML 1.2, 5.1 and 5.7: what is not printable there, and
 * what would be a line break, is written by its number. */
static void put_text(struct buf *out, struct str s)
{
    if (is_plain(s)) {
        buf_add_str(out, s);
        return;
    }
    buf_add_char(out, '"');
    for (size_t at = 0; at < s.len;) {
        uint32_t cp = 0;
        unsigned n = str_utf8_next((struct str){ s.ptr + at, s.len - at }, &cp);
        bool odd = cp < 0x20 || (cp >= 0x7f && cp <= 0xa0) || cp == 0x2028 ||
                   cp == 0x2029 || cp == 0xfeff || cp == 0xfffe || cp == 0xffff;
        if (n == 0)
            buf_add_text(out, "\\uFFFD");
        else if (odd)
            buf_printf(out, "\\u%04X", cp);
        else if (cp == '"' || cp == '\\')
            buf_printf(out, "\\%c", (char)cp);
        else
            buf_add(out, s.ptr + at, n);
        at += n == 0 ? 1 : n;
    }
    buf_add_char(out, '"');
}

static void put_member(struct buf *out, const char *indent, const char *key,
                       struct str value)
{
    buf_printf(out, "%s%s: ", indent, key);
    put_text(out, value);
    buf_add_char(out, '\n');
}

static const char *truth(enum chosen c)
{
    return c == CHOSEN_YES ? "true" : "false";
}

static void write_options(struct buf *out, const char *indent, const struct option *table,
                          const struct option_values *v)
{
    bool any = false;
    for (const struct option *o = table; o->name != NULL; o++) {
        if (o->type == OPTION_SECRET || option_is_default(v, o->name))
            continue;
        if (!any)
            buf_printf(out, "%soptions:\n", indent);
        any = true;
        buf_printf(out, "%s  ", indent);
        put_member(out, "", o->name, option_text(v, o->name));
    }
}

static void write_stream(struct buf *out, const struct stream_setting *st,
                         const struct option *table)
{
    put_member(out, "      - ", "database", st->database);
    put_member(out, "        ", "table", st->table);
    if (st->chosen != CHOSEN_BY_PATTERN)
        buf_printf(out, "        selected: %s\n", truth(st->chosen));
    if (st->options.len > 0) {
        struct option_values *v = option_values_new(table);
        struct error ignored = { 0 }; /* they were checked when they were set */
        (void)option_set_json(v, st->options, &ignored);
        write_options(out, "        ", table, v);
        option_values_free(v);
    }
    if (st->column_count > 0)
        buf_add_text(out, "        columns:\n");
    for (size_t i = 0; i < st->column_count; i++) {
        buf_add_text(out, "          ");
        put_text(out, st->columns[i].column);
        buf_printf(out, ": %s\n", truth(st->columns[i].chosen));
    }
}

static void write_integration(struct buf *out, const struct integration_spec *i,
                              const struct integration_tables *tables)
{
    bool any = false;
    put_member(out, "  - ", "name", i->name);
    put_member(out, "    ", "source", i->source);
    put_member(out, "    ", "destination", i->destination);
    write_options(out, "    ", tables->integration, i->options);
    for (size_t k = 0; k < i->stream_count; k++) {
        if (setting_is_empty(&i->streams[k]))
            continue;
        if (!any)
            buf_add_text(out, "    streams:\n");
        any = true;
        write_stream(out, &i->streams[k], tables->stream);
    }
}

void integration_file_write(struct buf *out, const struct integration_spec *list,
                            size_t count, const struct integration_tables *tables)
{
    buf_add_text(out, count == 0 ? "integrations: []\n" : "integrations:\n");
    for (size_t i = 0; i < count; i++)
        write_integration(out, &list[i], tables);
}
