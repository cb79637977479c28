/* See log_find.h. */
#include "source/log_find.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "mysql/log_status.h"
#include "source/handover_internal.h"
#include "source/log_internal.h"

#include <inttypes.h>

#define US INT64_C(1000000)
#define FIRST_OFFSET 4u /* of a file, behind its magic number */

#define HINT_HAVE \
    "Choose a place that the source still has: SHOW BINARY LOGS lists its files."
#define HINT_BETWEEN                                                                    \
    "Choose an offset between two transactions: SHOW BINARY LOG STATUS says the log's " \
    "end, SHOW BINLOG EVENTS lists where each event ends."

static struct log_options reading(const struct log_search *s)
{
    return (struct log_options){ .patience_us = s->patience_us,
                                 .row_limit = (size_t)1 << 20, /* no row is looked at */
                                 .every_step = true };
}

static int keep(const struct log_search *s, struct log_reader *r,
                struct log_position *out, struct error *err)
{
    struct str text = log_position_format(s->arena, log_reader_position(r));
    return log_position_parse(s->arena, text, out, err);
}

static int lacks(const char *what, struct error *err)
{
    (void)error_wrap(err, "%s", what);
    if (err->code == ERR_POSITION)
        err->hint = HINT_HAVE;
    return -1;
}

bool log_gtids_are(struct str text)
{
    struct gtid_set set = { 0 };
    struct gtid_maria_position position = { 0 };
    struct error ignored = { 0 };
    if (text.len == 0)
        return false;
    bool is = (memchr(text.ptr, ':', text.len) != NULL
                   ? gtid_set_parse(text, &set, &ignored)
                   : gtid_maria_parse_position(text, &position, &ignored)) == 0;
    gtid_set_done(&set);
    gtid_maria_done(&position);
    return is;
}

/* --- by GTIDs --------------------------------------------------------------------------
 */

/* MySQL compares the sets when the reader opens, MariaDB says with the first event that
 * it does not have them. */
static int find_gtids(const struct log_search *s, const struct log_wanted *want,
                      struct log_position *out, struct error *err)
{
    struct log_options o = reading(s);
    struct log_position from = { .server = handover_uuid(s->session, s->arena),
                                 .gtid = want->gtids };
    struct log_item item = { 0 };
    bool maria = session_is_mariadb(s->session), numbered = true;
    bool is_set = memchr(want->gtids.ptr, ':', want->gtids.len) != NULL;
    if (!maria && handover_gtid_is_on(s->session, s->arena, &numbered, err) != 0)
        return -1;
    if (maria == is_set || !numbered) {
        (void)error_set(err, ERR_CONFIG, "'" STR_FMT "' is no place of this source: %s",
                        STR_ARG(want->gtids),
                        numbered ? "MySQL's GTIDs are UUID:1-5, MariaDB's 0-1-5"
                                 : "gtid_mode is not ON");
        err->hint = "Name a file and an offset, or a time.";
        return -1;
    }
    struct log_reader *r = log_reader_open(s->source, &from, &o, s->cancel, err);
    int rc = r == NULL || log_reader_next(r, &item, err) != 1 ? -1 : 0;
    log_reader_close(r);
    *out = from;
    return rc == 0 ? 0 : lacks("starting behind these GTIDs", err);
}

/* --- by file and offset ----------------------------------------------------------------
 */

static int no_boundary(const struct log_wanted *want, const char *why, struct error *err)
{
    (void)error_set(err, ERR_CONFIG, "'" STR_FMT "' at %" PRIu64 " is %s",
                    STR_ARG(want->file), want->offset, why);
    err->hint = HINT_BETWEEN;
    return -1;
}

/* 1 the reader stands at the place, or what ends there is no transaction; 2 it stood
 * there one step earlier; 0 read on; -1. */
static int is_there(struct log_reader *r, const struct log_item *item,
                    const struct log_wanted *want, struct error *err)
{
    const struct log_at *at = &r->at;
    if (want->offset <= FIRST_OFFSET) /* before all transactions, behind what opens it */
        return item->kind == LOG_COMMIT ? 2 : item->kind == LOG_END;
    if (at->offset == want->offset)
        return 1;
    if (item->kind == LOG_COMMIT && at->last_start == want->offset)
        return 2;
    if (item->kind == LOG_END) {
        const struct binlog_place *p = r->feed->type->place(r->feed);
        return p->end == want->offset && p->end > at->offset
                   ? 1
                   : no_boundary(want, "behind the log's end", err);
    }
    return at->offset < want->offset
               ? 0
               : no_boundary(want, "not between two transactions", err);
}

static int read_to(const struct log_search *s, struct log_reader *r,
                   struct log_wanted *want, struct log_position *out, struct error *err)
{
    uint64_t before = 0;
    for (;;) {
        struct log_item item = { 0 };
        if (log_reader_next(r, &item, err) != 1)
            return -1;
        if (!str_eq(str_of(r->at.file), want->file))
            return no_boundary(want, "behind the end of that file", err);
        int there = is_there(r, &item, want, err);
        if (there < 0)
            return -1;
        if (there == 1)
            return keep(s, r, out, err);
        if (there == 2) {
            want->offset = before;
            return 1;
        }
        before = r->at.offset;
    }
}

static int find_place(const struct log_search *s, const struct log_wanted *want,
                      struct log_position *out, struct error *err)
{
    struct log_options o = reading(s);
    struct log_wanted place = *want;
    struct log_position from = { .file = want->file, .offset = FIRST_OFFSET };
    int rc = 1;
    for (int tries = 0; rc == 1 && tries < 2; tries++) {
        struct log_reader *r = log_reader_open(s->source, &from, &o, s->cancel, err);
        rc = r == NULL ? -1 : read_to(s, r, &place, out, err);
        log_reader_close(r);
    }
    if (rc == 1)
        return no_boundary(want, "not between two transactions", err);
    return rc == 0 ? 0 : lacks("looking for the place to start at", err);
}

/* --- by time ---------------------------------------------------------------------------
 */

/* When the file was begun, in whole seconds. */
static int begun_at(const struct log_search *s, struct str file, int64_t *out,
                    struct error *err)
{
    struct log_options o = reading(s);
    struct log_start start = { .file = file, .offset = FIRST_OFFSET };
    struct log_feed *f = log_feed_new(s->source, &o, s->cancel);
    struct event e = { 0 };
    int got = f->type->open(f, &start, s->patience_us, err) == 0 ? 1 : -1;
    while (got == 1) {
        got = f->type->next(f, &e, err);
        if (got == 1 && e.header.type == FORMAT_DESCRIPTION_EVENT &&
            f->type->place(f)->real)
            break;
    }
    *out = (int64_t)e.header.timestamp * US;
    log_feed_close(f);
    if (got == 0)
        return error_set(err, ERR_PROTOCOL, "'" STR_FMT "' does not say when it began",
                         STR_ARG(file));
    return got < 0 ? -1 : 0;
}

static int too_early(int64_t oldest, int64_t wanted, struct error *err)
{
    char texts[2][CLOCK_TEXT_MAX];
    (void)error_set(err, ERR_POSITION, "the source's log begins at %s, after %s",
                    clock_format(oldest, texts[0]), clock_format(wanted, texts[1]));
    err->hint = HINT_HAVE;
    return -1;
}

/* The newest file that was begun before: what older ones have is older still. */
static int file_of_time(const struct log_search *s, int64_t wanted, struct str *out,
                        struct error *err)
{
    const struct log_file *files = NULL;
    size_t count = 0, low = 0;
    int64_t at = 0;
    if (log_files_read(s->session, s->arena, &files, &count, err) != 0)
        return -1;
    if (count == 0)
        return handover_no_log(err);
    for (size_t high = count; high - low > 1;) {
        size_t middle = low + (high - low) / 2;
        if (begun_at(s, files[middle].name, &at, err) != 0)
            return -1;
        if (at + US <= wanted)
            low = middle;
        else
            high = middle;
    }
    if (begun_at(s, files[low].name, &at, err) != 0)
        return -1;
    *out = files[low].name;
    return at + US <= wanted ? 0 : too_early(at, wanted, err);
}

static int check_past(const struct log_search *s, int64_t wanted, struct error *err)
{
    struct str text = { 0 }, rest = { 0 };
    int64_t now = 0;
    if (session_query_text(s->session, s->arena, STR("SELECT UNIX_TIMESTAMP()"), &text,
                           err) != 0)
        return error_wrap(err, "asking the source for its time");
    if (!str_to_i64(str_cut(text, '.', &rest), &now) || wanted <= now * US)
        return 0;
    (void)error_set(err, ERR_CONFIG, "the time to start at is still to come");
    err->hint = "Choose a time that is past, or 'now'.";
    return -1;
}

/* 1: *place is where the first one of then or later begins; 0: there is none, so *out is
 * the log's end. */
static int first_since(const struct log_search *s, int64_t wanted,
                       struct log_wanted *place, struct log_position *out,
                       struct error *err)
{
    struct log_options o = reading(s);
    struct log_position from = { .file = place->file, .offset = FIRST_OFFSET };
    struct log_reader *r = log_reader_open(s->source, &from, &o, s->cancel, err);
    int rc = r == NULL ? -1 : 2;
    while (rc == 2) {
        struct log_item item = { 0 };
        if (log_reader_next(r, &item, err) != 1) {
            rc = -1;
        } else if (item.kind == LOG_COMMIT && item.at >= wanted) {
            place->file = arena_str(s->arena, str_of(r->at.file));
            place->offset = r->at.last_start;
            rc = 1;
        } else if (item.kind == LOG_END) {
            rc = keep(s, r, out, err);
        }
    }
    log_reader_close(r);
    return rc;
}

static int find_time(const struct log_search *s, int64_t wanted, struct log_position *out,
                     struct error *err)
{
    struct log_wanted place = { .kind = LOG_WANTED_PLACE };
    if (check_past(s, wanted, err) != 0 || file_of_time(s, wanted, &place.file, err) != 0)
        return -1;
    int rc = first_since(s, wanted, &place, out, err);
    return rc <= 0 ? rc : find_place(s, &place, out, err);
}

int log_find(const struct log_search *s, const struct log_wanted *want,
             struct log_position *out, struct error *err)
{
    switch (want->kind) {
    case LOG_WANTED_GTIDS:
        return find_gtids(s, want, out, err);
    case LOG_WANTED_PLACE:
        return find_place(s, want, out, err);
    case LOG_WANTED_TIME:
        return find_time(s, want->at, out, err);
    }
    return error_set(err, ERR_BUG, "a place of no kind");
}
