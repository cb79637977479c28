/* The table of options as text for --help, as JSON and as Markdown; see config/option.h.
 */
#include "config/option.h"

#define HELP_COLUMN 30
#define LINE_COLUMNS 80

static const char *type_name(enum option_type type)
{
    switch (type) {
    case OPTION_TEXT:
        return "text";
    case OPTION_INT:
        return "int";
    case OPTION_BOOL:
        return "bool";
    case OPTION_CHOICE:
        return "choice";
    case OPTION_BYTES:
        return "bytes";
    case OPTION_DURATION:
        return "duration";
    case OPTION_SECRET:
        return "secret";
    }
    return "text";
}

static bool has_range(const struct option *o)
{
    switch (o->type) {
    case OPTION_INT:
    case OPTION_BYTES:
    case OPTION_DURATION:
        return o->min != 0 || o->max != 0;
    case OPTION_TEXT:
    case OPTION_BOOL:
    case OPTION_CHOICE:
    case OPTION_SECRET:
        break;
    }
    return false;
}

/* --- for --help --- */

static void add_flag(struct buf *out, const struct option *o)
{
    buf_add_text(out, "  --");
    for (const char *c = o->name; *c != '\0'; c++)
        buf_add_char(out, *c == '_' ? '-' : *c);
    if (o->type == OPTION_CHOICE) {
        for (size_t i = 0; o->choices[i] != NULL; i++)
            buf_printf(out, "%c%s", i == 0 ? ' ' : '|', o->choices[i]);
    } else if (o->type != OPTION_BOOL) {
        buf_add_char(out, ' ');
        for (const char *c = type_name(o->type); *c != '\0'; c++)
            buf_add_char(out, (char)(*c - 'a' + 'A'));
    }
}

struct wrap {
    struct buf *out;
    size_t column;
};

static void start_help_line(struct wrap *w)
{
    for (; w->column < HELP_COLUMN; w->column++)
        buf_add_char(w->out, ' ');
}

static void add_wrapped(struct wrap *w, struct str text)
{
    while (text.len > 0) {
        struct str word = str_cut(text, ' ', &text);
        bool starts_line = w->column == HELP_COLUMN;
        if (!starts_line && w->column + 1 + word.len > LINE_COLUMNS) {
            buf_add_char(w->out, '\n');
            w->column = 0;
            start_help_line(w);
            starts_line = true;
        }
        if (!starts_line) {
            buf_add_char(w->out, ' ');
            w->column++;
        }
        buf_add_str(w->out, word);
        w->column += word.len;
    }
}

void option_describe_text(struct buf *out, const struct option *table)
{
    for (const struct option *o = table; o->name != NULL; o++) {
        size_t start = out->len;
        struct buf tail;
        add_flag(out, o);
        struct wrap w = { out, out->len - start };
        if (w.column + 2 > HELP_COLUMN) {
            buf_add_char(out, '\n');
            w.column = 0;
        }
        start_help_line(&w);
        add_wrapped(&w, str_of(o->help));
        buf_init(&tail, 300);
        if (o->fallback == NULL)
            buf_add_text(&tail, "(required)");
        else if (o->fallback[0] != '\0' && o->type != OPTION_SECRET)
            buf_printf(&tail, "(default %s)", o->fallback);
        add_wrapped(&w, buf_str(&tail));
        buf_done(&tail);
        buf_add_char(out, '\n');
    }
}

/* --- JSON --- */

void option_describe_json(struct buf *out, const struct option *table)
{
    buf_add_char(out, '[');
    for (const struct option *o = table; o->name != NULL; o++) {
        buf_add_text(out, o == table ? "{\"name\":" : ",{\"name\":");
        buf_add_json(out, str_of(o->name));
        buf_printf(out, ",\"type\":\"%s\",\"required\":%s", type_name(o->type),
                   o->fallback == NULL ? "true" : "false");
        if (o->fallback != NULL && o->type != OPTION_SECRET) {
            buf_add_text(out, ",\"default\":");
            buf_add_json(out, str_of(o->fallback));
        }
        if (has_range(o))
            buf_printf(out, ",\"min\":%lld,\"max\":%lld", (long long)o->min,
                       (long long)o->max);
        for (size_t i = 0; o->type == OPTION_CHOICE && o->choices[i] != NULL; i++) {
            buf_add_text(out, i == 0 ? ",\"choices\":[" : ",");
            buf_add_json(out, str_of(o->choices[i]));
            if (o->choices[i + 1] == NULL)
                buf_add_char(out, ']');
        }
        buf_add_text(out, ",\"help\":");
        buf_add_json(out, str_of(o->help));
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

/* --- Markdown --- */

static void add_cell(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '|')
            buf_add_char(out, '\\');
        buf_add_char(out, text.ptr[i] == '\n' ? ' ' : text.ptr[i]);
    }
}

static void add_accepted(struct buf *out, const struct option *o)
{
    if (o->type == OPTION_CHOICE) {
        for (size_t i = 0; o->choices[i] != NULL; i++)
            buf_printf(out, "%s`%s`", i == 0 ? "" : ", ", o->choices[i]);
        return;
    }
    buf_add_text(out, type_name(o->type));
    if (has_range(o)) {
        buf_add_text(out, ", ");
        option_print(out, o, o->min);
        buf_add_text(out, " to ");
        option_print(out, o, o->max);
    }
}

void option_describe_markdown(struct buf *out, const struct option *table)
{
    buf_add_text(out,
                 "| Option | Default | Accepts | Meaning |\n| --- | --- | --- | --- |\n");
    for (const struct option *o = table; o->name != NULL; o++) {
        buf_printf(out, "| `%s` | ", o->name);
        if (o->fallback == NULL)
            buf_add_text(out, "required");
        else if (o->fallback[0] != '\0' && o->type != OPTION_SECRET)
            buf_printf(out, "`%s`", o->fallback);
        buf_add_text(out, " | ");
        add_accepted(out, o);
        buf_add_text(out, " | ");
        add_cell(out, str_of(o->help));
        buf_add_text(out, " |\n");
    }
}
