/* See emit.h. */
#include "base/emit.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void start(struct buf *b, const char *key)
{
    char last = b->len == 0 ? '{' : b->data[b->len - 1];
    if (last != '{' && last != '[' && last != ':')
        buf_add_char(b, ',');
    if (key != NULL) {
        buf_add_json(b, str_of(key));
        buf_add_char(b, ':');
    }
}

void emit_begin(struct buf *b, const char *key, char bracket)
{
    start(b, key);
    buf_add_char(b, bracket);
}

void emit_end(struct buf *b, char bracket)
{
    buf_add_char(b, bracket);
}

void emit_text(struct buf *b, const char *key, struct str text)
{
    start(b, key);
    buf_add_json(b, text);
}

void emit_text_or_null(struct buf *b, const char *key, struct str text)
{
    if (text.len == 0)
        emit_null(b, key);
    else
        emit_text(b, key, text);
}

void emit_number(struct buf *b, const char *key, uint64_t number)
{
    start(b, key);
    buf_add_u64(b, number);
}

void emit_bool(struct buf *b, const char *key, bool yes)
{
    emit_raw(b, key, yes ? STR("true") : STR("false"));
}

void emit_null(struct buf *b, const char *key)
{
    emit_raw(b, key, STR("null"));
}

void emit_time(struct buf *b, const char *key, int64_t at)
{
    char text[CLOCK_TEXT_MAX];
    if (at == 0)
        emit_null(b, key);
    else
        emit_text(b, key, str_of(clock_format(at, text)));
}

void emit_raw(struct buf *b, const char *key, struct str json)
{
    start(b, key);
    buf_add_str(b, json);
}

/* clock_format() gives "2026-03-01T12:00:00.123456Z": the day is 10 long, the time begins
 * behind the T. */
#define DAY_LEN 10
#define SECONDS_LEN 8
#define MILLIS_LEN 12

const char *emit_when(char out[WHEN_TEXT_MAX], int64_t at)
{
    char text[CLOCK_TEXT_MAX];
    if (at == 0)
        return "-";
    clock_format(at, text);
    (void)snprintf(out, WHEN_TEXT_MAX, "%.*s %.*s", DAY_LEN, text, SECONDS_LEN,
                   text + DAY_LEN + 1);
    return out;
}

const char *emit_between(char out[BETWEEN_TEXT_MAX], int64_t first, int64_t last)
{
    char a[CLOCK_TEXT_MAX], b[CLOCK_TEXT_MAX];
    if (first == 0)
        return "-";
    clock_format(first, a);
    clock_format(last < first ? first : last, b);
    if (strncmp(a, b, DAY_LEN + 1 + MILLIS_LEN) == 0) {
        (void)snprintf(out, BETWEEN_TEXT_MAX, "%.*s %.*s", DAY_LEN, a, MILLIS_LEN,
                       a + DAY_LEN + 1);
        return out;
    }
    bool same_day = strncmp(a, b, DAY_LEN) == 0;
    (void)snprintf(out, BETWEEN_TEXT_MAX, "%.*s %.*s to %.*s%s%.*s", DAY_LEN, a,
                   MILLIS_LEN, a + DAY_LEN + 1, same_day ? 0 : DAY_LEN, b,
                   same_day ? "" : " ", MILLIS_LEN, b + DAY_LEN + 1);
    return out;
}
