/* Groups of events: where they stand, what proves them, when they count. */
#include "base/alloc.h"
#include "base/clock.h"
#include "source/log_internal.h"

#include <stdlib.h>
#include <xxhash.h>

/* Commits without rows of ours are told at most so often. */
#define TOLD_EVERY_US 200000

/* --- hashes ----------------------------------------------------------------------------
 */

void log_hash_start(struct log_hash *h)
{
    if (h->state == NULL)
        h->state = XXH3_createState();
    if (h->state == NULL)
        abort(); /* a few hundred bytes: as base/alloc.h does */
    XXH3_64bits_reset(h->state);
    h->bytes = 0;
}

void log_hash_done(struct log_hash *h)
{
    XXH3_freeState(h->state);
    h->state = NULL;
}

uint64_t log_hash_value(const struct log_hash *h)
{
    return XXH3_64bits_digest(h->state);
}

/* What a server may write otherwise when it sends the event again (flags, end_log_pos) is
 * left out; so are the events of a packed transaction, which stand in it. */
void log_hash_event(struct log_hash *h, const struct event *e)
{
    if (e->packed)
        return;
    const uint32_t numbers[] = { e->header.timestamp, e->header.server_id,
                                 e->header.size };
    uint8_t bytes[13] = { e->header.type };
    for (unsigned i = 0; i < 12; i++)
        bytes[1 + i] = (uint8_t)(numbers[i / 4] >> (8 * (i % 4)));
    XXH3_64bits_update(h->state, bytes, sizeof bytes);
    if (e->whole && h->bytes < LOG_HASHED_BYTES)
        XXH3_64bits_update(h->state, e->body.ptr, e->body.len);
    h->bytes += e->header.size;
}

/* --- begin -----------------------------------------------------------------------------
 */

static void keep_text(char out[LOG_GTID_TEXT], const struct buf *text)
{
    size_t n = text->len < LOG_GTID_TEXT - 1 ? text->len : LOG_GTID_TEXT - 1;
    memcpy(out, buf_text(text), n);
    out[n] = '\0';
}

static int take_gtid(struct log_group *g, const struct event *e, struct error *err)
{
    struct gtid_event id;
    if (event_read_gtid(e->header.type, e->body, &id, err) != 0)
        return -1;
    if (id.original_commit_at != 0) {
        g->at = (int64_t)id.original_commit_at;
        g->original = true;
    }
    if (id.anonymous)
        return 0;
    memcpy(g->mysql.source.uuid, id.uuid, GTID_UUID_BYTES);
    if (gtid_source_set_tag(&g->mysql.source, id.tag, err) != 0)
        return -1;
    g->mysql.number = id.number;
    g->has_mysql = true;
    return 0;
}

static int take_maria_gtid(struct log_group *g, const struct event *e, struct error *err)
{
    struct maria_gtid_event id;
    if (event_read_maria_gtid(e->body, &id, err) != 0)
        return -1;
    g->maria = (struct gtid_maria){ .domain = id.domain,
                                    .server = e->header.server_id,
                                    .sequence = id.sequence };
    g->has_maria = true;
    g->begun = (id.flags & MARIA_STANDALONE) == 0;
    g->prepared = (id.flags & MARIA_PREPARED_XA) != 0;
    return 0;
}

static int other_history(const char *gtid, struct error *err)
{
    (void)error_set(err, ERR_POSITION,
                    "transaction '%s' is another one than the one that was read", gtid);
    err->hint = "The source has another history now: reset the integration's log-based "
                "tables, so that they are copied again.";
    return -1;
}

/* The first group of the last one's domain is that one. */
static int comes_again(struct log_reader *r, struct error *err)
{
    struct log_group *g = &r->group;
    struct gtid_maria last;
    if (gtid_maria_parse(str_of(r->at.last_gtid), &last, err) != 0)
        return -1;
    if (g->maria.domain != last.domain)
        return 0;
    r->again = false;
    g->known = true;
    return str_eq(str_of(g->gtid), str_of(r->at.last_gtid))
               ? 0
               : other_history(r->at.last_gtid, err);
}

int log_group_begin(struct log_reader *r, const struct event *e, struct error *err)
{
    CLEANUP(buf_done) struct buf text;
    struct log_group *g = &r->group;
    const struct binlog_place *p = r->feed->type->place(r->feed);
    struct log_hash hash = g->hash;
    *g = (struct log_group){ .hash = hash, .number = ++r->groups, .start = p->offset };
    g->open = true;
    g->at = (int64_t)e->header.timestamp * 1000000;
    log_hash_start(&g->hash);
    buf_init(&text, LOG_GTID_TEXT);
    switch (e->header.type) {
    case GTID_EVENT:
    case GTID_TAGGED_EVENT:
    case ANONYMOUS_GTID_EVENT:
        if (take_gtid(g, e, err) != 0)
            return -1;
        break;
    case MARIA_GTID_EVENT:
        if (take_maria_gtid(g, e, err) != 0)
            return -1;
        break;
    default: /* servers before 5.7 may have none */
        break;
    }
    if (g->has_mysql)
        gtid_format(&g->mysql, &text);
    if (g->has_maria)
        gtid_maria_format(&g->maria, &text);
    keep_text(g->gtid, &text);
    g->known = g->has_mysql && r->at.has_set && gtid_set_contains(&r->at.set, &g->mysql);
    return r->again && g->has_maria ? comes_again(r, err) : 0;
}

/* --- end -------------------------------------------------------------------------------
 */

int log_group_end(struct log_reader *r, const struct event *e, struct error *err)
{
    struct log_group *g = &r->group;
    if (!g->original && e->header.timestamp != 0)
        g->at = (int64_t)e->header.timestamp * 1000000;
    g->ended = true;
    bool is_last = g->known && r->at.last_gtid[0] != '\0' &&
                   str_eq(str_of(g->gtid), str_of(r->at.last_gtid));
    if (!is_last || g->at == r->at.last_at)
        return 0;
    return other_history(g->gtid, err);
}

void log_group_undo(struct log_reader *r, const char *why)
{
    for (uint32_t i = 0; r->group.handed && i < r->watch_cap; i++) {
        struct log_watch *w = r->watches[i];
        if (w != NULL && w->live && w->handed)
            log_change(r, w, LOG_LOST, "%s", why);
    }
}

static int add_gtid(struct log_reader *r, struct error *err)
{
    const struct log_group *g = &r->group;
    struct log_at *at = &r->at;
    if (g->has_mysql && at->has_set)
        return gtid_set_add(&at->set, &g->mysql, err);
    if (g->has_maria && at->has_maria)
        return gtid_maria_advance(&at->maria, &g->maria, err);
    if (!g->has_mysql && at->has_set) {
        /* A transaction without GTID: the set no longer says where we are. */
        gtid_set_done(&at->set);
        at->set = (struct gtid_set){ 0 };
        at->has_set = false;
    }
    return 0;
}

static void move_to(struct log_at *at, const struct binlog_place *p,
                    const struct log_hash *hash, uint64_t start)
{
    memcpy(at->file, p->file, sizeof at->file);
    at->offset = p->end;
    at->last_start = start;
    at->last_bytes = p->end - start;
    at->last_hash = log_hash_value(hash);
}

int log_group_close(struct log_reader *r, struct error *err)
{
    struct log_group *g = &r->group;
    struct log_at *at = &r->at;
    log_rows_end_group(&r->rows);
    g->open = g->ended = false;
    if (g->known)
        return 0;
    move_to(at, r->feed->type->place(r->feed), &g->hash, g->start);
    memcpy(at->last_gtid, g->gtid, sizeof at->last_gtid);
    at->last_at = g->at;
    if (add_gtid(r, err) != 0)
        return -1;
    bool handed = g->handed;
    for (uint32_t i = 0; handed && i < r->watch_cap; i++)
        if (r->watches[i] != NULL)
            r->watches[i]->handed = false;
    g->handed = false;
    int64_t now = clock_mono_us();
    if (!handed && !r->options.every_step && now - r->said_at < TOLD_EVERY_US)
        return 0;
    r->said_at = now;
    return 1;
}

/* What stands before this file. Without it the numbers of transactions say nothing of
 * those before them. */
static void learn_gtids(struct log_reader *r, const struct event *e)
{
    struct log_at *at = &r->at;
    struct error ignored = { 0 };
    if (at->has_set || at->has_maria)
        return;
    if (e->header.type == PREVIOUS_GTIDS_EVENT)
        at->has_set = gtid_set_decode(e->body, &at->set, &ignored) == 0;
    else if (e->header.type == MARIA_GTID_LIST_EVENT)
        at->has_maria = gtid_maria_decode_list(e->body, &at->maria, &ignored) == 0;
}

void log_group_head(struct log_reader *r, const struct event *e)
{
    struct log_group *g = &r->group;
    const struct binlog_place *p = r->feed->type->place(r->feed);
    if (e->header.type == FORMAT_DESCRIPTION_EVENT) {
        g->head = true;
        g->start = p->offset;
        log_hash_start(&g->hash);
    }
    if (!g->head)
        return;
    if (r->options.every_step)
        learn_gtids(r, e);
    log_hash_event(&g->hash, e);
    /* MariaDB starts by GTIDs in the middle of the file that it opens so: what lies
     * between was read, and nothing would tell when it came again */
    if (r->at.has_maria && r->at.file[0] == '\0')
        return;
    move_to(&r->at, p, &g->hash, g->start);
}
