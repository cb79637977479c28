/* src/config/setting.h
 *
 * What a person has said about single tables and columns, beside the patterns among the
 * options. Kept by state, written in files of integrations, applied by sync/selection.h.
 *
 * Thread: any, once made. Texts are the maker's.
 */
#ifndef CONFIG_SETTING_H
#define CONFIG_SETTING_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

enum chosen {
    CHOSEN_BY_PATTERN = 0, /* nothing was said: patterns decide */
    CHOSEN_YES,
    CHOSEN_NO,
};

struct column_setting {
    struct str column;  /* a name, or a pattern with * and ? */
    enum chosen chosen; /* YES or NO */
};

struct stream_setting {
    struct str database, table; /* as the source spells them */
    enum chosen chosen;
    const struct column_setting *columns; /* in order of their bytes */
    size_t column_count;
    struct str options; /* JSON object, as option_values_json() writes it, of what was set
                           for this table alone (sync/options.h); empty: nothing */
};

static inline bool setting_is_empty(const struct stream_setting *st)
{
    return st->chosen == CHOSEN_BY_PATTERN && st->column_count == 0 &&
           st->options.len == 0;
}

/* Has '*' or '?': a pattern and no name. */
static inline bool setting_is_pattern(struct str text)
{
    return text.len > 0 && (memchr(text.ptr, '*', text.len) != NULL ||
                            memchr(text.ptr, '?', text.len) != NULL);
}

#endif
