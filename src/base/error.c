#include "base/error.h"

#include "base/alloc.h"
#include "base/str.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct error_row {
    const char *name;
    enum error_action action;
};

static const struct error_row rows[] = {
    [ERR_NONE] = { "none", ACT_STOP },
    [ERR_CANCELLED] = { "cancelled", ACT_STOP },
    [ERR_CONFIG] = { "config", ACT_STOP },
    [ERR_AUTH] = { "auth", ACT_STOP },
    [ERR_NETWORK] = { "network", ACT_RETRY },
    /* Bytes that we do not understand are never skipped. */
    [ERR_PROTOCOL] = { "protocol", ACT_STOP },
    [ERR_POSITION] = { "position", ACT_STOP },
    [ERR_SCHEMA] = { "schema", ACT_PARK },
    [ERR_DATA] = { "data", ACT_REJECT },
    [ERR_LIMIT] = { "limit", ACT_STOP },
    [ERR_IO] = { "io", ACT_STOP },
    [ERR_TARGET] = { "target", ACT_RETRY },
    [ERR_BUG] = { "bug", ACT_STOP },
};
static_assert(sizeof(rows) / sizeof(rows[0]) == ERR_CODE_COUNT, "one row for each code");

static const struct error_row *row_of(enum error_code code)
{
    /* A code that is none of ours can only be a bug of ours. */
    return &rows[(unsigned)code < ERR_CODE_COUNT ? code : ERR_BUG];
}

/* A cut text must not end in half a character: terminals and JSON both suffer. */
static void trim_half_character(char *text)
{
    size_t n = strlen(text);
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        unsigned char c = (unsigned char)text[n - back];
        if ((c & 0xC0) == 0x80)
            continue;
        if (c >= 0xC0 && str_utf8_next((struct str){ text + n - back, back }, NULL) == 0)
            text[n - back] = '\0';
        return;
    }
}

int error_set_at(struct error *err, enum error_code code, const char *file, int line,
                 const char *fmt, ...)
{
    /* The arguments may point into *err, so the text is made first. */
    char text[sizeof(err->text)];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n < 0)
        text[0] = '\0';
    else if ((size_t)n >= sizeof(text))
        trim_half_character(text);
    *err = (struct error){ .code = code, .file = file, .line = line };
    memcpy(err->text, text, strlen(text) + 1);
    return -1;
}

int error_wrap(struct error *err, const char *fmt, ...)
{
    char text[sizeof(err->text)];
    char *inner = xstrdup(err->text);
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n < 0)
        text[0] = '\0';
    if (err->code == ERR_NONE)
        err->code = ERR_BUG;
    int both = snprintf(err->text, sizeof(err->text), "%s: %s", text, inner);
    if (both < 0 || (size_t)both >= sizeof(err->text))
        trim_half_character(err->text);
    free(inner);
    return -1;
}

enum error_action error_action(const struct error *err)
{
    return row_of(err->code)->action;
}

const char *error_code_name(enum error_code code)
{
    return row_of(code)->name;
}
