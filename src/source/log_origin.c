/* What proves a place that nothing was read behind yet: the head of its file, which holds
 * the time at which the server began it, and the transaction before, read once more. */
#include "base/alloc.h"
#include "source/log_internal.h"

#define PATIENCE_US ((int64_t)10 * 1000 * 1000)
#define ROW_BYTES ((size_t)1 << 30) /* rows are passed over */
#define FILE_HEAD 4                 /* the offset of a file's first event */
#define SETS_BYTES ((size_t)64 << 20)

static void learn_head(struct log_feed *f, struct log_position *p, struct error *err)
{
    struct log_start s = { .file = p->file, .offset = FILE_HEAD };
    struct log_hash hash = { 0 };
    struct event e;
    if (f->type->open(f, &s, PATIENCE_US, err) != 0)
        return;
    while (f->type->next(f, &e, err) > 0) {
        const struct binlog_place *at = f->type->place(f);
        if (!at->real)
            continue;
        if (e.header.type != FORMAT_DESCRIPTION_EVENT || at->end > p->offset ||
            !str_eq(str_of(at->file), p->file))
            return;
        log_hash_start(&hash);
        log_hash_event(&hash, &e);
        p->last_start = at->offset;
        p->last_bytes = at->end - at->offset;
        p->last_hash = log_hash_value(&hash);
        log_hash_done(&hash);
        return;
    }
}

/* --- the transaction before ------------------------------------------------------------
 */

/* The set without its last transaction of one server, which is the server's own where it
 * has any. False: there is none. */
static bool without_one(struct arena *a, const struct log_position *p, struct str *less,
                        struct str *one, struct error *err)
{
    CLEANUP(buf_done) struct buf text;
    struct gtid_set set = { 0 }, last = { 0 };
    struct gtid gtid = { 0 };
    buf_init(&text, SETS_BYTES);
    bool found = gtid_set_parse(p->gtid, &set, err) == 0 && set.count > 0;
    for (uint32_t i = 0; found && i < set.count; i++) {
        const struct gtid_run *run = &set.runs[i];
        gtid = (struct gtid){ run->source, run->intervals[run->count - 1].last };
        buf_clear(&text);
        gtid_format(&gtid, &text);
        if (str_starts(buf_str(&text), p->server))
            break;
    }
    *one = arena_str(a, buf_str(&text));
    found = found && gtid_set_add(&last, &gtid, err) == 0 &&
            gtid_set_subtract(&set, &last, err) == 0 && !gtid_set_is_empty(&set);
    buf_clear(&text);
    gtid_set_format(&set, &text);
    *less = arena_str(a, buf_str(&text));
    gtid_set_done(&set);
    gtid_set_done(&last);
    return found;
}

/* MariaDB: of the first domain. */
static bool before_one(struct arena *a, const struct log_position *p, struct str *less,
                       struct str *one, struct error *err)
{
    CLEANUP(buf_done) struct buf text;
    struct gtid_maria_position at = { 0 };
    buf_init(&text, SETS_BYTES);
    bool found = gtid_maria_parse_position(p->gtid, &at, err) == 0 && at.count > 0 &&
                 at.last[0].sequence > 1;
    if (found) {
        gtid_maria_format(&at.last[0], &text);
        *one = arena_str(a, buf_str(&text));
        at.last[0].sequence--;
        buf_clear(&text);
        gtid_maria_format_position(&at, &text);
        *less = arena_str(a, buf_str(&text));
    }
    gtid_maria_done(&at);
    return found;
}

static void learn_last(struct log_feed *f, struct arena *a, struct log_position *p,
                       struct cancel *c, struct error *err)
{
    struct log_position from = { .server = p->server };
    struct log_options o = { .patience_us = PATIENCE_US, .row_limit = ROW_BYTES };
    struct log_item item = { 0 };
    struct str one = { 0 };
    bool mysql = p->gtid.len > 0 && memchr(p->gtid.ptr, ':', p->gtid.len) != NULL;
    if (p->gtid.len == 0 || !(mysql ? without_one(a, p, &from.gtid, &one, err)
                                    : before_one(a, p, &from.gtid, &one, err)))
        return;
    struct log_reader *r = log_reader_over(f->type->another(f), &from, &o, c, err);
    int got = r == NULL ? -1 : 1;
    while (got > 0 && item.kind != LOG_COMMIT && item.kind != LOG_END)
        got = log_reader_next(r, &item, err);
    if (got > 0 && item.kind == LOG_COMMIT) {
        const struct log_position *at = log_reader_position(r);
        if (str_eq(at->last_gtid, one)) {
            p->last_gtid = one;
            p->last_at = at->last_at;
        }
    }
    log_reader_close(r);
}

int log_origin_over(struct log_feed *f, struct arena *a, struct log_position *p,
                    struct cancel *c, struct error *err)
{
    struct error missing = { 0 };
    if (p->last_bytes > 0 || p->last_gtid.len > 0)
        return 0;
    if (p->file.len > 0)
        learn_head(f, p, &missing);
    learn_last(f, a, p, c, &missing);
    return cancel_check(c, err);
}

int log_origin(const struct source *src, struct arena *a, struct log_position *p,
               struct cancel *c, struct error *err)
{
    struct log_options o = { .patience_us = PATIENCE_US, .row_limit = ROW_BYTES };
    struct log_feed *f = log_feed_new(src, &o, c);
    int rc = log_origin_over(f, a, p, c, err);
    log_feed_close(f);
    return rc;
}
