/* The log as items. See log.h. */
#include "base/alloc.h"
#include "source/log_internal.h"

#include <stdlib.h>

#define TEXT_BYTES                                                      \
    ((size_t)1 << 30) /* the longest statement a server takes, unpacked \
                       */
#define SAID_BYTES ((size_t)1 << 20)
#define POSITION_BYTES ((size_t)256 << 20)

/* --- opening ---------------------------------------------------------------------------
 */

struct log_reader *log_reader_over(struct log_feed *feed, const struct log_position *from,
                                   const struct log_options *o, struct cancel *c,
                                   struct error *err)
{
    struct log_reader *r = xcalloc(1, sizeof *r);
    r->feed = feed;
    r->cancel = c;
    r->options = *o;
    r->type = (struct type_options){
        .bad_text = o->replace_bad_text ? CHARSET_REPLACE : CHARSET_REJECT,
        .row_limit = o->row_limit,
    };
    r->names = map_new();
    log_rows_init(&r->rows, o->row_limit);
    buf_init(&r->unpacked, TEXT_BYTES);
    buf_init(&r->text, TEXT_BYTES);
    if (log_at_set(&r->at, from, err) == 0 && log_resume(r, o->patience_us, err) == 0)
        return r;
    log_reader_close(r);
    return NULL;
}

struct log_reader *log_reader_open(const struct source *src,
                                   const struct log_position *from,
                                   const struct log_options *o, struct cancel *c,
                                   struct error *err)
{
    return log_reader_over(log_feed_new(src, o, c), from, o, c, err);
}

static void drop_pending(struct log_reader *r)
{
    for (size_t i = r->pending_next; i < r->pending_count; i++)
        arena_free(r->pending[i].arena);
    r->pending_next = r->pending_count = 0;
}

void log_reader_close(struct log_reader *r)
{
    if (r == NULL)
        return;
    log_xa_stop(r);
    log_rows_done(&r->rows);
    log_watches_done(r);
    log_at_done(&r->at);
    log_hash_done(&r->group.hash);
    drop_pending(r);
    free(r->pending);
    free(r->before);
    free(r->after);
    buf_done(&r->unpacked);
    buf_done(&r->text);
    arena_free(r->said);
    arena_free(r->position_arena);
    log_feed_close(r->feed);
    free(r);
}

const struct log_position *log_reader_position(struct log_reader *r)
{
    arena_free(r->position_arena);
    r->position_arena = arena_new(POSITION_BYTES);
    r->position = log_at_position(&r->at, r->position_arena);
    return &r->position;
}

uint64_t log_reader_replaced(const struct log_reader *r)
{
    return r->replaced;
}

/* --- events ----------------------------------------------------------------------------
 */

/* Stand between transactions; not part of any. */
static bool is_between(uint8_t type)
{
    switch (type) {
    case FORMAT_DESCRIPTION_EVENT:
    case ROTATE_EVENT:
    case STOP_EVENT:
    case PREVIOUS_GTIDS_EVENT:
    case HEARTBEAT_EVENT:
    case HEARTBEAT_EVENT_V2:
    case MARIA_GTID_LIST_EVENT:
    case MARIA_CHECKPOINT_EVENT:
    case MARIA_START_ENCRYPTION_EVENT:
    case AURORA_PADDING_EVENT:
    case IGNORABLE_EVENT:
    case SLAVE_EVENT:
        return true;
    default:
        return false;
    }
}

static bool begins_group(uint8_t type)
{
    return type == GTID_EVENT || type == GTID_TAGGED_EVENT ||
           type == ANONYMOUS_GTID_EVENT || type == MARIA_GTID_EVENT;
}

/* The server stopped in the middle of writing a transaction: it rolled it back. */
static void abandon_group(struct log_reader *r)
{
    log_group_undo(r, "a transaction with its rows does not end");
    log_rows_reset(&r->rows);
    r->group.open = r->group.ended = false;
}

static int between(struct log_reader *r, const struct event *e)
{
    uint8_t type = e->header.type;
    if (type == FORMAT_DESCRIPTION_EVENT || type == ROTATE_EVENT || type == STOP_EVENT) {
        if (r->group.open)
            abandon_group(r);
        if (type == FORMAT_DESCRIPTION_EVENT)
            log_rows_reset(&r->rows);
    }
    if (r->group.open)
        return 0;
    if (type == FORMAT_DESCRIPTION_EVENT || type == PREVIOUS_GTIDS_EVENT ||
        type == MARIA_GTID_LIST_EVENT || type == MARIA_START_ENCRYPTION_EVENT)
        log_group_head(r, e);
    else
        r->group.head = false;
    return 0;
}

static int prepared(struct log_reader *r, const struct event *e, struct error *err)
{
    struct xa_prepare_event x;
    if (event_read_xa_prepare(e->body, &x, err) != 0)
        return -1;
    struct arena *a = arena_new(16384);
    struct str xid = log_xa_text(a, &x);
    bool decided = x.one_phase;
    bool skipped = r->group.prepared;
    int rc = log_group_end(r, e, err);
    if (rc == 0 && !r->group.known && (!decided || skipped))
        rc = log_xa_remember(r, xid, err);
    if (rc == 0 && !r->group.known && decided && skipped)
        rc = log_xa_commit(r, xid, err);
    arena_free(a);
    return rc;
}

static int incident(const struct event *e, struct error *err)
{
    struct incident_event i;
    if (event_read_incident(e->body, &i, err) != 0)
        return -1;
    (void)error_set(err, ERR_POSITION,
                    "the server says that its log has a gap: incident %u%s" STR_FMT,
                    i.number, i.message.len > 0 ? ", " : "", STR_ARG(i.message));
    err->hint =
        "Reset the integration's log-based tables, so that they are copied again.";
    return -1;
}

static int row_event(struct log_reader *r, const struct event *e, struct error *err)
{
    struct binlog *log = r->feed->type->binlog(r->feed);
    r->group.begun = true; /* it ends with a commit, whatever began it */
    if (r->group.prepared || r->group.known)
        return 0;
    if (e->header.type == TABLE_MAP_EVENT)
        return log_rows_map(r, &r->rows, e, binlog_format(log), err);
    return log_rows_begin(r, &r->rows, e, log, err);
}

static int in_group(struct log_reader *r, const struct event *e, struct error *err)
{
    uint8_t type = e->header.type;
    log_hash_event(&r->group.hash, e);
    if (type == TABLE_MAP_EVENT || event_type_has_rows(type))
        return row_event(r, e, err);
    switch (type) {
    case QUERY_EVENT:
    case MARIA_QUERY_COMPRESSED_EVENT:
        return log_query(r, e, err);
    case XID_EVENT:
        return log_group_end(r, e, err);
    case XA_PREPARE_EVENT:
        return prepared(r, e, err);
    case INCIDENT_EVENT:
        return incident(e, err);
    case LOAD_EVENT:
    case NEW_LOAD_EVENT:
    case EXEC_LOAD_EVENT:
    case EXECUTE_LOAD_QUERY_EVENT:
        log_lose_all(r, "LOAD DATA brought rows that the log does not have "
                        "(binlog_format is not ROW)");
        return 0;
    default: /* what comes with a transaction and changes nothing */
        return 0;
    }
}

static int take_event(struct log_reader *r, const struct event *e, struct error *err)
{
    uint8_t type = e->header.type;
    r->settled = true;
    if (e->packed && !r->group.open)
        return 0; /* of a transaction that was proved, or skipped */
    if (is_between(type))
        return between(r, e);
    if (type == INCIDENT_EVENT)
        return incident(e, err);
    if (begins_group(type) && r->group.open)
        abandon_group(r);
    if (!r->group.open && log_group_begin(r, e, err) != 0)
        return -1;
    return in_group(r, e, err);
}

/* --- items -----------------------------------------------------------------------------
 */

static int hand_out_change(struct log_reader *r, struct log_item *out)
{
    struct log_pending *p = &r->pending[r->pending_next++];
    arena_free(r->said);
    r->said = p->arena;
    *out = (struct log_item){ .kind = LOG_CHANGED,
                              .change = p->change,
                              .classes = p->classes,
                              .table = p->table,
                              .why = p->why,
                              .fills = p->fills,
                              .fill_count = p->fill_count,
                              .at = r->group.at };
    if (p->change == LOG_SHAPED && p->table < r->watch_cap &&
        r->watches[p->table] != NULL)
        out->found = r->watches[p->table]->found;
    r->group.handed = true;
    if (r->pending_next == r->pending_count)
        r->pending_next = r->pending_count = 0;
    return 1;
}

/* 1 an item, 0 nothing yet, -1: what the stream says next. */
static int read_on(struct log_reader *r, struct log_item *out, struct error *err)
{
    struct event e;
    int got = r->feed->type->next(r->feed, &e, err);
    if (got < 0)
        return -1;
    if (got == 0 && r->group.open)
        return error_set(err, r->options.follow ? ERR_NETWORK : ERR_PROTOCOL,
                         "the log ends inside a transaction");
    if (got == 0 && r->options.follow)
        return error_set(err, ERR_NETWORK, "the source ended its log");
    if (got == 0) {
        *out = (struct log_item){ .kind = LOG_END };
        return 1;
    }
    const struct binlog_place *p = r->feed->type->place(r->feed);
    bool beat = e.header.type == HEARTBEAT_EVENT || e.header.type == HEARTBEAT_EVENT_V2;
    if (beat && !r->group.open) {
        *out = (struct log_item){ .kind = LOG_IDLE };
        return 1;
    }
    if (!p->real)
        return 0;
    if (take_event(r, &e, err) == 0) {
        *out = (struct log_item){ .kind = LOG_IDLE };
        return r->options.every_step && r->group.head && !r->group.open ? 1 : 0;
    }
    if (err->code == ERR_NETWORK || err->code == ERR_CANCELLED)
        return -1;
    return error_wrap(err, "'%s' at %llu", p->file, (unsigned long long)p->offset);
}

static int commit(struct log_reader *r, struct log_item *out, struct error *err)
{
    int tell = log_group_close(r, err);
    if (tell <= 0)
        return tell;
    *out = (struct log_item){ .kind = LOG_COMMIT, .at = r->group.at };
    return 1;
}

static int step(struct log_reader *r, struct log_item *out, struct error *err)
{
    if (r->pending_next < r->pending_count)
        return hand_out_change(r, out);
    if (r->rows.active)
        return log_rows_next(r, &r->rows, out, err);
    if (r->replay.active)
        return log_xa_next(r, out, err);
    if (r->group.open && r->group.ended)
        return commit(r, out, err);
    if (cancel_check(r->cancel, err) != 0)
        return -1;
    return read_on(r, out, err);
}

/* 0 go on, 1 an item, -1. */
static int recover(struct log_reader *r, struct log_item *out, struct error *err)
{
    bool by_place = r->at.file[0] != '\0';
    if (err->code == ERR_POSITION && !r->settled && by_place)
        return log_resume_by_gtid(r, r->options.patience_us, err);
    if (err->code == ERR_POSITION && !r->settled && r->again) {
        r->unproved =
            true; /* what stands before it was purged, or the error comes again */
        return log_resume_by_gtid(r, r->options.patience_us, err);
    }
    if (err->code != ERR_NETWORK)
        return -1;
    if (r->group.open && (r->group.handed || r->pending_count > 0)) {
        *out = (struct log_item){ .kind = LOG_RESTART };
        r->finished = true;
        return 1;
    }
    return log_reconnect(r, err);
}

int log_reader_next(struct log_reader *r, struct log_item *out, struct error *err)
{
    if (r->finished)
        return error_set(err, ERR_BUG, "a log is read on after its end");
    for (;;) {
        struct error own = { 0 };
        int got = step(r, out, &own);
        if (got == 0)
            continue;
        if (got < 0)
            got = recover(r, out, &own);
        if (got > 0)
            return 1;
        if (got < 0) {
            *err = own;
            r->finished = true;
            return -1;
        }
    }
}
