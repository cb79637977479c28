/* See choose.h. */
#include "sync/choose.h"

#include "base/alloc.h"
#include "sync/options.h"

#include <stdlib.h>

#define LIST_BYTES ((size_t)1 << 20)
#define OPTIONS_BYTES ((size_t)1 << 20)

/* --- single tables and columns --------------------------------------------------------
 */

static int stream_order(const void *left, const void *right)
{
    const struct stream_setting *a = left, *b = right;
    int order = str_cmp(a->database, b->database);
    return order != 0 ? order : str_cmp(a->table, b->table);
}

static int column_order(const void *left, const void *right)
{
    return str_cmp(((const struct column_setting *)left)->column,
                   ((const struct column_setting *)right)->column);
}

/* The setting of this table in a copy of the list, added where it is missing; what says
 * nothing is dropped by tidy(). */
static struct stream_setting *setting_of(struct arena *a, struct integration_spec *i,
                                         struct str database, struct str table)
{
    struct stream_setting *list =
        ARENA_ARRAY(a, struct stream_setting, i->stream_count + 1);
    for (size_t k = 0; k < i->stream_count; k++)
        list[k] = i->streams[k];
    i->streams = list;
    for (size_t k = 0; k < i->stream_count; k++)
        if (str_eq(list[k].database, database) && str_eq(list[k].table, table))
            return &list[k];
    struct stream_setting *st = &list[i->stream_count++];
    *st = (struct stream_setting){ .database = arena_str(a, database),
                                   .table = arena_str(a, table) };
    return st;
}

static void tidy(struct integration_spec *i)
{
    size_t left = 0;
    for (size_t k = 0; k < i->stream_count; k++)
        if (!setting_is_empty(&i->streams[k]))
            i->streams[left++] = i->streams[k];
    i->stream_count = left;
    qsort(i->streams, left, sizeof *i->streams, stream_order);
}

void choose_table(struct arena *a, struct integration_spec *i, struct str database,
                  struct str table, enum chosen chosen)
{
    setting_of(a, i, database, table)->chosen = chosen;
    tidy(i);
}

void choose_column(struct arena *a, struct integration_spec *i, struct str database,
                   struct str table, struct str column, enum chosen chosen)
{
    struct stream_setting *st = setting_of(a, i, database, table);
    struct column_setting *list =
        ARENA_ARRAY(a, struct column_setting, st->column_count + 1);
    size_t count = 0;
    for (size_t k = 0; k < st->column_count; k++)
        if (!str_ieq(st->columns[k].column, column))
            list[count++] = st->columns[k];
    if (chosen != CHOSEN_BY_PATTERN)
        list[count++] =
            (struct column_setting){ .column = arena_str(a, column), .chosen = chosen };
    qsort(list, count, sizeof *list, column_order);
    st->columns = list;
    st->column_count = count;
    tidy(i);
}

/* --- options of one table -------------------------------------------------------------
 */

static bool next_part(struct str *rest, struct str *out)
{
    while (rest->len > 0) {
        *out = str_trim(str_cut(*rest, ',', rest));
        if (out->len > 0)
            return true;
    }
    return false;
}

static bool is_unset(struct str unset, const struct option *o)
{
    struct str name = { 0 };
    while (next_part(&unset, &name))
        if (option_find(stream_option_table(), name) == o)
            return true;
    return false;
}

static int check_unset(const struct option_change *change, struct error *err)
{
    struct str rest = change->unset, name = { 0 };
    while (next_part(&rest, &name)) {
        const struct option *o = option_find(stream_option_table(), name);
        if (o == NULL) {
            (void)error_set(err, ERR_CONFIG, "a table has no option '" STR_FMT "'",
                            STR_ARG(name));
            err->hint = "docs/reference/options.md lists them.";
            return -1;
        }
        if (option_is_set(change->set, o->name))
            return error_set(err, ERR_CONFIG, "option '%s' is set and unset at once",
                             o->name);
    }
    return 0;
}

/* All that is set after the change. */
static int change_values(struct option_values *v, const struct option_values *before,
                         const struct option_change *change, struct error *err)
{
    for (const struct option *o = stream_option_table(); o->name != NULL; o++) {
        const struct option_values *from =
            option_is_set(change->set, o->name) ? change->set : before;
        if (!option_is_set(from, o->name) || is_unset(change->unset, o))
            continue;
        if (option_set(v, str_of(o->name), option_text(from, o->name), err) != 0)
            return -1;
    }
    return 0;
}

int choose_options(struct arena *a, struct integration_spec *i,
                   const struct stream_name *of, const struct option_change *change,
                   struct error *err)
{
    CLEANUP(buf_done) struct buf json;
    buf_init(&json, OPTIONS_BYTES);
    if (check_unset(change, err) != 0)
        return -1;
    struct stream_setting *st = setting_of(a, i, of->database, of->table);
    struct option_values *before = option_values_new(stream_option_table());
    struct option_values *now = option_values_new(stream_option_table());
    int rc = st->options.len == 0 ? 0 : option_set_json(before, st->options, err);
    if (rc == 0)
        rc = change_values(now, before, change, err);
    if (rc == 0) {
        option_values_json(&json, now);
        rc = buf_check(&json, "the options of a table", err);
    }
    option_values_free(before);
    option_values_free(now);
    if (rc != 0)
        return -1;
    st->options = str_eq(buf_str(&json), STR("{}")) ? (struct str){ 0 }
                                                    : arena_str(a, buf_str(&json));
    tidy(i);
    return 0;
}

int choose_all(struct integration_spec *i, struct error *err)
{
    static const char *const LISTS[] = { "tables", "exclude", "exclude_columns" };
    int64_t method = option_number(i->options, "method");
    if (method != METHOD_AUTO && method != METHOD_LOG) {
        (void)error_set(err, ERR_CONFIG,
                        "all tables are selected in one word only while the "
                        "integration's method is 'auto' or 'log'; it is '" STR_FMT "'",
                        STR_ARG(option_text(i->options, "method")));
        err->hint =
            "Set the integration's method to one of these (`tailrace export`, then "
            "`tailrace apply`), or select '*'.";
        return -1;
    }
    for (size_t k = 0; k < sizeof LISTS / sizeof *LISTS; k++)
        if (option_set(i->options, str_of(LISTS[k]), (struct str){ 0 }, err) != 0)
            return -1;
    for (size_t k = 0; k < i->stream_count; k++) {
        i->streams[k].chosen = CHOSEN_BY_PATTERN;
        i->streams[k].columns = NULL;
        i->streams[k].column_count = 0;
    }
    tidy(i);
    return 0;
}

/* --- lists of patterns ----------------------------------------------------------------
 */

static bool list_has(const struct integration_spec *i, const char *option,
                     struct str pattern)
{
    struct str rest = option_text(i->options, option), one = { 0 };
    while (next_part(&rest, &one))
        if (str_eq(one, pattern))
            return true;
    return false;
}

/* The option's list without `out` and with `in` at its end; either may be empty. */
static int edit_list(struct integration_spec *i, const char *option, struct str out,
                     struct str in, struct error *err)
{
    CLEANUP(buf_done) struct buf text;
    struct str rest = option_text(i->options, option), one = { 0 };
    bool there = false;
    buf_init(&text, LIST_BYTES);
    while (next_part(&rest, &one)) {
        if (out.len > 0 && str_eq(one, out))
            continue;
        there = there || str_eq(one, in);
        buf_printf(&text, "%s" STR_FMT, text.len == 0 ? "" : ",", STR_ARG(one));
    }
    if (in.len > 0 && !there)
        buf_printf(&text, "%s" STR_FMT, text.len == 0 ? "" : ",", STR_ARG(in));
    if (buf_check(&text, "a list of patterns", err) != 0)
        return -1;
    return option_set(i->options, str_of(option), buf_str(&text), err);
}

static int check_pattern(struct str pattern, struct error *err)
{
    if (pattern.len > 0 && memchr(pattern.ptr, ',', pattern.len) == NULL)
        return 0;
    return error_set(err, ERR_CONFIG,
                     "'" STR_FMT "' is no pattern: it is empty or has a "
                     "comma",
                     STR_ARG(pattern));
}

static bool is_everything(struct str pattern)
{
    return str_eq(pattern, STR("*")) || str_eq(pattern, STR("*.*"));
}

static int select_pattern(struct integration_spec *i, struct str pattern,
                          struct error *err)
{
    const struct str none = { 0 };
    if (is_everything(pattern))
        return option_set(i->options, STR("tables"), none, err) != 0 ||
                       option_set(i->options, STR("exclude"), none, err) != 0
                   ? -1
                   : 0;
    bool nothing = list_has(i, "exclude", STR("*")) || list_has(i, "exclude", STR("*.*"));
    if (edit_list(i, "exclude", pattern, none, err) != 0 ||
        edit_list(i, "exclude", STR("*"), none, err) != 0 ||
        edit_list(i, "exclude", STR("*.*"), none, err) != 0)
        return -1;
    if (nothing)
        return option_set(i->options, STR("tables"), pattern, err);
    if (option_text(i->options, "tables").len == 0)
        return 0; /* all tables already */
    return edit_list(i, "tables", none, pattern, err);
}

/* An empty list of tables means all, so the last pattern is not taken out of it. */
static int deselect_pattern(struct integration_spec *i, struct str pattern,
                            struct error *err)
{
    const struct str none = { 0 };
    bool had_some = option_text(i->options, "tables").len > 0;
    if (edit_list(i, "tables", pattern, none, err) != 0)
        return -1;
    if (had_some && option_text(i->options, "tables").len == 0)
        return edit_list(i, "exclude", none, STR("*"), err);
    return edit_list(i, "exclude", none, pattern, err);
}

int choose_tables(struct arena *a, struct integration_spec *i, struct str pattern,
                  enum chosen chosen, struct error *err)
{
    struct str own = arena_str(a, pattern);
    if (check_pattern(own, err) != 0)
        return -1;
    return chosen == CHOSEN_YES ? select_pattern(i, own, err)
                                : deselect_pattern(i, own, err);
}

int choose_columns(struct arena *a, struct integration_spec *i, struct str tables,
                   struct str column, enum chosen chosen, struct error *err)
{
    const struct str none = { 0 };
    struct str pattern =
        is_everything(tables)
            ? arena_str(a, column)
            : arena_printf(a, STR_FMT "." STR_FMT, STR_ARG(tables), STR_ARG(column));
    if (check_pattern(pattern, err) != 0)
        return -1;
    if (chosen == CHOSEN_NO)
        return edit_list(i, "exclude_columns", none, pattern, err);
    if (list_has(i, "exclude_columns", pattern))
        return edit_list(i, "exclude_columns", pattern, none, err);
    (void)error_set(err, ERR_CONFIG, "exclude_columns has no pattern '" STR_FMT "'",
                    STR_ARG(pattern));
    err->hint = "Columns are selected unless something leaves them out; `tailrace select "
                "NAME TABLE --show` says what does.";
    return -1;
}
