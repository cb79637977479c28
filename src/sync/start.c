/* See start.h. */
#include "sync/start.h"

#define US INT64_C(1000000)

static int no_start(struct str text, const char *why, struct error *err)
{
    (void)error_set(err, ERR_CONFIG, "option 'start': '" STR_FMT "' %s", STR_ARG(text),
                    why);
    err->hint = "It is copy, now, gtid:SET, position:FILE:OFFSET or "
                "time:2026-11-20T10:00:00Z.";
    return -1;
}

/* --- times -----------------------------------------------------------------------------
 */

/* So many digits, then this character (0: none). */
static bool take_number(struct str *text, size_t digits, char then, int64_t *out)
{
    size_t used = digits + (then == '\0' ? 0 : 1);
    if (text->len < used || (then != '\0' && text->ptr[digits] != then))
        return false;
    *out = 0;
    for (size_t i = 0; i < digits; i++) {
        if (text->ptr[i] < '0' || text->ptr[i] > '9')
            return false;
        *out = *out * 10 + (text->ptr[i] - '0');
    }
    *text = (struct str){ text->ptr + used, text->len - used };
    return true;
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar: those of the whole years,
 * counted from March so that leap days come last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = month > 2 ? month - 3 : month + 9;
    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static int64_t month_days(int64_t year, int64_t month)
{
    int64_t next = month == 12 ? days_of(year + 1, 1, 1) : days_of(year, month + 1, 1);
    return next - days_of(year, month, 1);
}

/* "2026-11-20T10:00:00Z": always UTC. */
static bool take_time(struct str text, int64_t *out)
{
    int64_t year, month, day, hour, minute, second;
    if (!take_number(&text, 4, '-', &year) || !take_number(&text, 2, '-', &month) ||
        !take_number(&text, 2, 'T', &day) || !take_number(&text, 2, ':', &hour) ||
        !take_number(&text, 2, ':', &minute) || !take_number(&text, 2, 'Z', &second) ||
        text.len > 0)
        return false;
    if (year < 1970 || month < 1 || month > 12 || day < 1 ||
        day > month_days(year, month) || hour > 23 || minute > 59 || second > 59)
        return false;
    *out = (((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * US;
    return true;
}

/* --- places ----------------------------------------------------------------------------
 */

static bool take_place(struct str text, struct log_wanted *w)
{
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    if (colon < 2)
        return false;
    w->kind = LOG_WANTED_PLACE;
    w->file = (struct str){ text.ptr, colon - 1 };
    return str_to_u64((struct str){ text.ptr + colon, text.len - colon }, &w->offset);
}

static bool take_gtids(struct str text, struct log_wanted *w)
{
    w->kind = LOG_WANTED_GTIDS;
    w->gtids = text;
    return log_gtids_are(text);
}

static bool take_word(struct str *text, const char *word)
{
    size_t n = strlen(word);
    if (text->len < n || !str_ieq((struct str){ text->ptr, n }, str_of(word)))
        return false;
    *text = str_trim((struct str){ text->ptr + n, text->len - n });
    return true;
}

int start_parse(struct arena *a, struct str text, struct start_choice *out,
                struct error *err)
{
    struct str rest = arena_str(a, str_trim(text));
    *out = (struct start_choice){ 0 };
    if (rest.len == 0 || str_ieq(rest, STR("copy")))
        return 0;
    out->kind = START_NOW;
    if (str_ieq(rest, STR("now")))
        return 0;
    out->kind = START_PLACE;
    if (take_word(&rest, "gtid:"))
        return take_gtids(rest, &out->wanted) ? 0 : no_start(text, "has no GTIDs", err);
    if (take_word(&rest, "position:"))
        return take_place(rest, &out->wanted)
                   ? 0
                   : no_start(text, "has no file and offset", err);
    out->wanted.kind = LOG_WANTED_TIME;
    if (take_word(&rest, "time:"))
        return take_time(rest, &out->wanted.at) ? 0 : no_start(text, "has no time", err);
    return no_start(text, "is no start", err);
}
