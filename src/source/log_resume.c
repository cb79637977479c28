/* Standing behind a position, and proving that the log there is the one that was read
 * (decision 9):
 *
 *   by place   the last transaction is read again: same bytes, same history, whatever the
 *              server's name
 *   by GTID    where that place is not there, or holds something else: everything that
 *              was read was executed by this server, and nothing that was not read has
 *              been purged; the last transaction, if it comes again, must be the same
 *   neither    refused: ERR_POSITION
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "source/log_internal.h"

#include <stdlib.h>

#define SETS_BYTES ((size_t)64 << 20)
#define SHOWN_BYTES 200

/* --- positions that move ---------------------------------------------------------------
 */

static bool keep(char *out, size_t cap, struct str s)
{
    if (s.len >= cap || (s.len > 0 && memchr(s.ptr, '\0', s.len) != NULL))
        return false;
    if (s.len > 0)
        memcpy(out, s.ptr, s.len);
    out[s.len] = '\0';
    return true;
}

static struct str own(struct str s)
{
    char *p = xcalloc(s.len + 1, 1);
    if (s.len > 0)
        memcpy(p, s.ptr, s.len);
    return (struct str){ p, s.len };
}

/* MySQL's ids have a UUID and colons, MariaDB's only hyphens. */
static int set_gtids(struct log_at *at, struct str gtid, struct error *err)
{
    if (gtid.len == 0) {
        at->has_set = at->file[0] == '\0'; /* of a server that has executed nothing */
        return 0;
    }
    at->has_set = memchr(gtid.ptr, ':', gtid.len) != NULL;
    at->has_maria = !at->has_set;
    int rc = at->has_set ? gtid_set_parse(gtid, &at->set, err)
                         : gtid_maria_parse_position(gtid, &at->maria, err);
    if (rc == 0)
        return 0;
    at->has_set = at->has_maria = false;
    return -1;
}

int log_at_set(struct log_at *at, const struct log_position *from, struct error *err)
{
    *at = (struct log_at){ .offset = from->offset,
                           .last_start = from->last_start,
                           .last_bytes = from->last_bytes,
                           .last_hash = from->last_hash,
                           .last_at = from->last_at };
    if (!keep(at->file, sizeof at->file, from->file) ||
        !keep(at->server, sizeof at->server, from->server) ||
        !keep(at->last_gtid, sizeof at->last_gtid, from->last_gtid) ||
        from->xa_count > LOG_XA_MOST)
        return error_set(err, ERR_POSITION, "the position in the log is damaged");
    if (set_gtids(at, from->gtid, err) != 0) {
        err->code = ERR_POSITION;
        return error_wrap(err, "the position in the log is damaged");
    }
    at->xa = xcalloc(from->xa_count + 1, sizeof *at->xa);
    at->xa_cap = from->xa_count + 1;
    for (size_t i = 0; i < from->xa_count; i++)
        at->xa[at->xa_count++] = (struct log_undecided){ .xid = own(from->xa[i].xid),
                                                         .file = own(from->xa[i].file),
                                                         .offset = from->xa[i].offset };
    return 0;
}

void log_at_done(struct log_at *at)
{
    for (size_t i = 0; i < at->xa_count; i++) {
        free((char *)(uintptr_t)at->xa[i].xid.ptr);
        free((char *)(uintptr_t)at->xa[i].file.ptr);
    }
    free(at->xa);
    gtid_set_done(&at->set);
    gtid_maria_done(&at->maria);
    *at = (struct log_at){ 0 };
}

struct log_position log_at_position(const struct log_at *at, struct arena *a)
{
    CLEANUP(buf_done) struct buf gtid;
    buf_init(&gtid, SETS_BYTES);
    if (at->has_set)
        gtid_set_format(&at->set, &gtid);
    if (at->has_maria)
        gtid_maria_format_position(&at->maria, &gtid);
    struct log_xa *xa = ARENA_ARRAY(a, struct log_xa, at->xa_count + 1);
    for (size_t i = 0; i < at->xa_count; i++)
        xa[i] = (struct log_xa){ .xid = arena_str(a, at->xa[i].xid),
                                 .file = arena_str(a, at->xa[i].file),
                                 .offset = at->xa[i].offset };
    return (struct log_position){
        .server = arena_str(a, str_of(at->server)),
        .file = arena_str(a, str_of(at->file)),
        .offset = at->offset,
        .gtid = arena_str(a, buf_str(&gtid)),
        .last_gtid = arena_str(a, str_of(at->last_gtid)),
        .last_start = at->last_start,
        .last_bytes = at->last_bytes,
        .last_hash = at->last_hash,
        .last_at = at->last_at,
        .xa = xa,
        .xa_count = at->xa_count,
    };
}

/* --- starting --------------------------------------------------------------------------
 */

static int start(struct log_reader *r, const struct log_start *s, int64_t patience_us,
                 struct error *err)
{
    log_rows_reset(&r->rows);
    log_xa_stop(r);
    r->group.open = r->group.ended = r->group.handed = r->group.head = false;
    r->settled = r->again = false;
    if (r->feed->type->open(r->feed, s, patience_us, err) != 0)
        return -1;
    const struct log_server *server = r->feed->type->server(r->feed);
    r->mariadb = server->mariadb;
    r->type.family = server->mariadb ? CHARSET_MARIADB : CHARSET_MYSQL;
    return 0;
}

/* The position is of this server from now on. */
static int settle(struct log_reader *r)
{
    const struct log_server *server = r->feed->type->server(r->feed);
    (void)keep(r->at.server, sizeof r->at.server, server->uuid);
    return 0;
}

bool log_is_other_server(const struct log_reader *r)
{
    struct str uuid = r->feed->type->server(r->feed)->uuid;
    return r->at.server[0] != '\0' && uuid.len > 0 && !str_eq(uuid, str_of(r->at.server));
}

/* What the server must have, and does not; what it no longer has. */
static int refuse(const char *what, struct gtid_set *missing, struct error *err)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, SETS_BYTES);
    gtid_set_format(missing, &text);
    size_t shown = text.len < SHOWN_BYTES ? text.len : SHOWN_BYTES;
    (void)error_set(err, ERR_POSITION, "%s: %.*s%s", what, (int)shown, buf_text(&text),
                    shown < text.len ? ", ..." : "");
    err->hint = LOG_HINT_COPY;
    return -1;
}

static int compare_sets(const struct log_reader *r, const struct gtid_set *executed,
                        const struct gtid_set *purged, struct error *err)
{
    const struct log_at *at = &r->at;
    bool other = log_is_other_server(r);
    struct gtid_set rest = { 0 };
    int rc = 0;
    if (!gtid_set_is_subset(&at->set, executed)) {
        rc = gtid_set_copy(&at->set, &rest, err);
        if (rc == 0 && gtid_set_subtract(&rest, executed, err) == 0)
            (void)refuse(other ? "another server answers, with another history: it lacks "
                                 "transactions that were read"
                               : "the source has another history: it lacks transactions "
                                 "that were read from it",
                         &rest, err);
        rc = -1;
    } else if (!gtid_set_is_subset(purged, &at->set)) {
        rc = gtid_set_copy(purged, &rest, err);
        if (rc == 0 && gtid_set_subtract(&rest, &at->set, err) == 0)
            (void)refuse("the source has purged transactions that were not read yet",
                         &rest, err);
        rc = -1;
    }
    gtid_set_done(&rest);
    return rc;
}

/* Ask for the last transaction again, if the server still has it: it is compared when it
 * comes (log_group_end). */
static int without_last(const struct log_at *at, const struct gtid_set *purged,
                        struct gtid_set *out, struct error *err)
{
    struct gtid last;
    struct gtid_set one = { 0 };
    if (gtid_set_copy(&at->set, out, err) != 0)
        return -1;
    if (at->last_gtid[0] == '\0')
        return 0;
    if (gtid_parse(str_of(at->last_gtid), &last, err) != 0)
        return -1;
    if (gtid_set_contains(purged, &last))
        return 0;
    int rc = gtid_set_add(&one, &last, err);
    if (rc == 0)
        rc = gtid_set_subtract(out, &one, err);
    gtid_set_done(&one);
    return rc;
}

static int start_by_set(struct log_reader *r, int64_t patience_us, struct error *err)
{
    struct arena *a = arena_new(SETS_BYTES);
    struct log_sets text = { 0 };
    struct gtid_set executed = { 0 }, purged = { 0 }, from = { 0 };
    int rc = r->feed->type->sets(r->feed, a, &text, err);
    if (rc == 0)
        rc = gtid_set_parse(text.executed, &executed, err);
    if (rc == 0)
        rc = gtid_set_parse(text.purged, &purged, err);
    if (rc == 0)
        rc = compare_sets(r, &executed, &purged, err);
    if (rc == 0)
        rc = without_last(&r->at, &purged, &from, err);
    if (rc == 0)
        rc = start(r, &(struct log_start){ .gtids = &from }, patience_us, err);
    gtid_set_done(&executed);
    gtid_set_done(&purged);
    gtid_set_done(&from);
    arena_free(a);
    return rc;
}

/* From before the last transaction, so that it comes again and is compared
 * (log_group_begin, log_group_end): after a backup was restored its id may stand for
 * another one. MariaDB sends what follows an id that is in no log, if ids of that domain
 * and server follow. False: there is none that could come. */
static bool without_last_domain(const struct log_at *at, struct gtid_maria_position *out,
                                struct error *err)
{
    struct gtid_maria last;
    if (at->last_gtid[0] == '\0' ||
        gtid_maria_parse(str_of(at->last_gtid), &last, err) != 0 || last.sequence < 2 ||
        gtid_maria_copy(&at->maria, out, err) != 0)
        return false;
    for (uint32_t i = 0; i < out->count; i++) {
        struct gtid_maria *one = &out->last[i];
        if (one->domain != last.domain || one->server != last.server ||
            one->sequence != last.sequence)
            continue;
        one->sequence--;
        return true;
    }
    return false;
}

static int start_in_domains(struct log_reader *r, int64_t patience_us, struct error *err)
{
    struct gtid_maria_position before = { 0 };
    struct error ignored = { 0 };
    bool again = !r->unproved && without_last_domain(&r->at, &before, &ignored);
    struct log_start s = { .maria = again ? &before : &r->at.maria };
    int rc = start(r, &s, patience_us, err);
    r->again = rc == 0 && again;
    gtid_maria_done(&before);
    return rc;
}

/* MariaDB looks for our ids in its files itself, but takes a domain that it never had for
 * one that is still to come, and then sends everything. */
static int start_by_domains(struct log_reader *r, int64_t patience_us, struct error *err)
{
    struct arena *a = arena_new(SETS_BYTES);
    struct log_sets text = { 0 };
    struct gtid_maria_position executed = { 0 };
    int rc = r->feed->type->sets(r->feed, a, &text, err);
    if (rc == 0)
        rc = gtid_maria_parse_position(text.executed, &executed, err);
    if (rc == 0 && !gtid_maria_is_subset(&r->at.maria, &executed)) {
        rc = error_set(err, ERR_POSITION,
                       "the source has another history: its log ends at '" STR_FMT
                       "', before what was read from it",
                       STR_ARG(text.executed));
        err->hint = LOG_HINT_COPY;
    }
    if (rc == 0)
        rc = start_in_domains(r, patience_us, err);
    gtid_maria_done(&executed);
    arena_free(a);
    return rc;
}

int log_resume_by_gtid(struct log_reader *r, int64_t patience_us, struct error *err)
{
    struct log_at *at = &r->at;
    if (!at->has_set && !at->has_maria)
        return log_say_gone(r, err);
    *err = (struct error){ 0 };
    int rc = at->has_set ? start_by_set(r, patience_us, err)
                         : start_by_domains(r, patience_us, err);
    if (rc != 0)
        return -1;
    /* Places of another history mean nothing. */
    at->file[0] = '\0';
    at->offset = at->last_start = at->last_bytes = at->last_hash = 0;
    for (size_t i = 0; i < at->xa_count; i++)
        at->xa[i].file.len = 0;
    return settle(r);
}

/* --- proof -----------------------------------------------------------------------------
 */

/* Read what stands before the position again: 1 it is the same, 0 it is not, -1. What
 * ends before the position is the head of its file: the stream is behind that then. */
static int prove(struct log_reader *r, int64_t patience_us, struct error *err)
{
    const struct log_at *at = &r->at;
    uint64_t proof_end = at->last_start + at->last_bytes;
    struct log_start s = { .file = str_of(at->file), .offset = at->last_start };
    struct event e;
    if (start(r, &s, patience_us, err) != 0)
        return -1;
    log_hash_start(&r->group.hash);
    for (;;) {
        int got = r->feed->type->next(r->feed, &e, err);
        const struct binlog_place *p = r->feed->type->place(r->feed);
        if (got < 0)
            return -1;
        if (got == 0 || (p->end > at->last_start && strcmp(p->file, at->file) != 0))
            return 0;
        bool beat =
            e.header.type == HEARTBEAT_EVENT || e.header.type == HEARTBEAT_EVENT_V2;
        if (beat && p->end < proof_end)
            return 0; /* the log ends before */
        if (!p->real)
            continue;
        log_hash_event(&r->group.hash, &e);
        if (p->end >= proof_end)
            return p->end == proof_end && log_hash_value(&r->group.hash) == at->last_hash;
    }
}

/* 1 the stream stands behind the position, 0 it must be found by GTID, -1. */
static int resume_by_place(struct log_reader *r, int64_t patience_us, struct error *err)
{
    const struct log_at *at = &r->at;
    bool proved = at->last_bytes > 0;
    if (proved) {
        int same = prove(r, patience_us, err);
        r->settled = same > 0;
        if (same < 0 && (err->code == ERR_POSITION || err->code == ERR_PROTOCOL))
            return 0;
        if (same <= 0 || at->last_start + at->last_bytes == at->offset)
            return same;
    }
    struct log_start s = { .file = str_of(at->file), .offset = at->offset };
    if (start(r, &s, patience_us, err) != 0)
        return err->code == ERR_POSITION ? 0 : -1;
    if (proved)
        return 1;
    return !log_is_other_server(r);
}

int log_resume(struct log_reader *r, int64_t patience_us, struct error *err)
{
    *err = (struct error){ 0 };
    if (r->at.file[0] == '\0')
        return log_resume_by_gtid(r, patience_us, err);
    int rc = resume_by_place(r, patience_us, err);
    if (rc == 0)
        return log_resume_by_gtid(r, patience_us, err);
    return rc < 0 ? -1 : settle(r);
}

/* --- again -----------------------------------------------------------------------------
 */

int log_reconnect(struct log_reader *r, struct error *err)
{
    struct backoff pause = { .first_us = 200 * 1000, .cap_us = 10 * 1000 * 1000 };
    int64_t until = clock_mono_us() + r->options.patience_us;
    log_error(LOG_WARN, "the source's log was lost, connecting again", err);
    for (;;) {
        int64_t left = until - clock_mono_us();
        if (log_resume(r, left > 0 ? left : 0, err) == 0)
            return 0;
        if (err->code != ERR_NETWORK || left <= 0)
            return -1;
        if (!clock_wait_us(r->cancel, backoff_next_us(&pause)))
            return error_set(err, ERR_CANCELLED,
                             "stopped while connecting to the source");
    }
}

/* --- order -----------------------------------------------------------------------------
 */

bool log_file_order(struct str a, struct str b, int *order)
{
    uint64_t numbers[2];
    struct str names[2] = { a, b };
    size_t base[2];
    for (int i = 0; i < 2; i++) {
        const char *dot =
            names[i].len == 0 ? NULL : memrchr(names[i].ptr, '.', names[i].len);
        if (dot == NULL)
            return false;
        base[i] = (size_t)(dot - names[i].ptr);
        if (!str_to_u64((struct str){ dot + 1, names[i].len - base[i] - 1 }, &numbers[i]))
            return false;
    }
    if (!str_eq((struct str){ a.ptr, base[0] }, (struct str){ b.ptr, base[1] }))
        return false;
    *order = numbers[0] < numbers[1] ? -1 : numbers[0] > numbers[1];
    return true;
}

static bool sets_reached(struct str have, struct str end)
{
    struct gtid_set a = { 0 }, b = { 0 };
    struct error ignored = { 0 };
    bool reached = gtid_set_parse(have, &a, &ignored) == 0 &&
                   gtid_set_parse(end, &b, &ignored) == 0 && gtid_set_is_subset(&b, &a);
    gtid_set_done(&a);
    gtid_set_done(&b);
    return reached;
}

static bool maria_reached(struct str have, struct str end)
{
    struct gtid_maria_position a = { 0 }, b = { 0 };
    struct error ignored = { 0 };
    bool reached = gtid_maria_parse_position(have, &a, &ignored) == 0 &&
                   gtid_maria_parse_position(end, &b, &ignored) == 0 &&
                   gtid_maria_is_subset(&b, &a);
    gtid_maria_done(&a);
    gtid_maria_done(&b);
    return reached;
}

bool log_position_reached(const struct log_position *have, const struct log_position *end)
{
    int order = 0;
    bool ordered = str_eq(have->server, end->server) &&
                   log_file_order(have->file, end->file, &order);
    if (ordered && (order > 0 || (order == 0 && have->offset >= end->offset)))
        return true;
    if (end->gtid.len == 0)
        return !ordered && end->file.len == 0; /* of a log without transactions */
    if (memchr(end->gtid.ptr, ':', end->gtid.len) != NULL)
        return sets_reached(have->gtid, end->gtid);
    return maria_reached(have->gtid, end->gtid);
}
