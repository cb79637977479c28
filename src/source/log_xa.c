/* Transactions that are prepared first and decided later (decision 13). The log has their
 * rows where they are prepared; they count where they are committed, maybe days and files
 * later. Only the place is kept; the rows are read again by a second stream. */
#include "base/alloc.h"
#include "source/log_internal.h"

#include <stdlib.h>

#define XID_HEX_MOST 1024u
#define FILES_BYTES ((size_t)64 << 20)

/* --- names -----------------------------------------------------------------------------
 */

static void add_part(struct buf *out, struct str hex)
{
    buf_add_text(out, "X'");
    for (size_t i = 0; i < hex.len; i++) {
        char c = hex.ptr[i];
        buf_add_char(out, c >= 'A' && c <= 'F' ? (char)(c + 'a' - 'A') : c);
    }
    buf_add_text(out, "',");
}

/* X'..' and what separates it from the next part. */
static bool take_part(struct str *rest, struct str *hex)
{
    *rest = str_trim(*rest);
    if (rest->len < 3 || (rest->ptr[0] != 'X' && rest->ptr[0] != 'x') ||
        rest->ptr[1] != '\'')
        return false;
    struct str text = { rest->ptr + 2, rest->len - 2 };
    *hex = str_cut(text, '\'', rest);
    *rest = str_trim(*rest);
    if (rest->len == 0 || rest->ptr[0] != ',' || hex->len > XID_HEX_MOST)
        return false;
    *rest = (struct str){ rest->ptr + 1, rest->len - 1 };
    return true;
}

bool log_xa_parse(struct str text, struct arena *a, struct str *xid)
{
    CLEANUP(buf_done) struct buf out;
    struct str gtrid, bqual;
    struct str rest = text;
    buf_init(&out, XID_HEX_MOST * 2 + 64);
    while (rest.len > 1 && !(rest.ptr[1] == '\'' && (rest.ptr[0] | 0x20) == 'x'))
        rest = (struct str){ rest.ptr + 1, rest.len - 1 };
    if (!take_part(&rest, &gtrid) || !take_part(&rest, &bqual))
        return false;
    rest = str_trim(rest);
    size_t n = 0;
    while (n < rest.len && rest.ptr[n] >= '0' && rest.ptr[n] <= '9')
        n++;
    add_part(&out, gtrid);
    add_part(&out, bqual);
    buf_add(&out, rest.ptr, n);
    *xid = arena_str(a, buf_str(&out));
    return n > 0;
}

struct str log_xa_text(struct arena *a, const struct xa_prepare_event *x)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 4 * (x->gtrid.len + x->bqual.len) + 64);
    buf_add_text(&out, "X'");
    buf_add_hex(&out, x->gtrid.ptr, x->gtrid.len);
    buf_add_text(&out, "',X'");
    buf_add_hex(&out, x->bqual.ptr, x->bqual.len);
    buf_printf(&out, "',%u", x->format);
    return arena_str(a, buf_str(&out));
}

/* --- what is undecided -----------------------------------------------------------------
 */

static struct log_undecided *find_xa(struct log_at *at, struct str xid)
{
    for (size_t i = 0; i < at->xa_count; i++)
        if (str_eq(at->xa[i].xid, xid))
            return &at->xa[i];
    return NULL;
}

static struct str own(struct str s)
{
    char *p = xcalloc(s.len + 1, 1);
    if (s.len > 0)
        memcpy(p, s.ptr, s.len);
    return (struct str){ p, s.len };
}

static void free_str(struct str s)
{
    free((char *)(uintptr_t)s.ptr);
}

void log_xa_forget(struct log_reader *r, struct str xid)
{
    struct log_at *at = &r->at;
    struct log_undecided *x = find_xa(at, xid);
    if (x == NULL)
        return;
    free_str(x->xid);
    free_str(x->file);
    size_t i = (size_t)(x - at->xa);
    at->xa_count--;
    memmove(x, x + 1, (at->xa_count - i) * sizeof *x);
}

static int remember_at(struct log_at *at, struct str xid, struct str file,
                       uint64_t offset, struct error *err)
{
    if (at->xa_count == LOG_XA_MOST) {
        (void)error_set(err, ERR_LIMIT, "more than %u XA transactions are undecided",
                        LOG_XA_MOST);
        err->hint = "Commit or roll back those that XA RECOVER lists.";
        return -1;
    }
    if (at->xa_count == at->xa_cap) {
        at->xa_cap = at->xa_cap == 0 ? 8 : at->xa_cap * 2;
        at->xa = xreallocarray(at->xa, at->xa_cap, sizeof *at->xa);
    }
    at->xa[at->xa_count++] =
        (struct log_undecided){ .xid = own(xid), .file = own(file), .offset = offset };
    return 0;
}

int log_xa_remember(struct log_reader *r, struct str xid, struct error *err)
{
    const struct binlog_place *p = r->feed->type->place(r->feed);
    log_xa_forget(r, xid);
    return remember_at(&r->at, xid, str_of(p->file), r->group.start, err);
}

/* --- reading it again ------------------------------------------------------------------
 */

static int open_replay(struct log_reader *r, const struct log_start *start,
                       struct error *err)
{
    log_xa_stop(r);
    r->replay.feed = r->feed->type->another(r->feed);
    log_rows_init(&r->replay.rows, r->options.row_limit);
    return r->replay.feed->type->open(r->replay.feed, start, r->options.patience_us, err);
}

void log_xa_stop(struct log_reader *r)
{
    r->replay.active = false;
    if (r->replay.feed == NULL)
        return;
    log_rows_done(&r->replay.rows);
    log_feed_close(r->replay.feed);
    r->replay.feed = NULL;
}

static bool is_group_start(uint8_t type)
{
    return type == GTID_EVENT || type == GTID_TAGGED_EVENT ||
           type == ANONYMOUS_GTID_EVENT || type == MARIA_GTID_EVENT;
}

/* Is this the event that prepared it? */
static int prepares(const struct event *e, struct str xid, bool *is, struct error *err)
{
    struct xa_prepare_event x;
    *is = false;
    if (e->header.type != XA_PREPARE_EVENT)
        return 0;
    if (event_read_xa_prepare(e->body, &x, err) != 0)
        return -1;
    struct arena *a = arena_new(16384);
    *is = str_eq(log_xa_text(a, &x), xid);
    arena_free(a);
    return 0;
}

static int not_found(struct str xid, struct error *err)
{
    (void)error_set(err, ERR_POSITION,
                    "XA transaction " STR_FMT " was committed, and the log no longer has "
                    "what it did",
                    STR_ARG(xid));
    err->hint = "Reset the integration's log-based tables, so that they are copied "
                "again; keep logs for longer than XA transactions stay undecided.";
    return -1;
}

/* Look for its prepare in one file, up to the place where we are: the last one counts. */
static int search_file(struct log_reader *r, struct str xid, struct str name,
                       uint64_t *found, struct error *err)
{
    struct event e;
    uint64_t start = 0;
    const struct binlog_place *here = r->feed->type->place(r->feed);
    struct log_start at = { .file = name, .offset = 0 };
    if (open_replay(r, &at, err) != 0)
        return -1;
    struct log_feed *f = r->replay.feed;
    for (;;) {
        bool is = false;
        int got = f->type->next(f, &e, err);
        if (got < 0 || cancel_check(r->cancel, err) != 0)
            return -1;
        const struct binlog_place *p = f->type->place(f);
        bool same = str_eq(str_of(p->file), name);
        if (got == 0 || (start > 0 && !same) ||
            (p->real && p->offset >= r->group.start &&
             str_eq(str_of(p->file), str_of(here->file))))
            return 0;
        if (!p->real)
            continue;
        if (start == 0 || is_group_start(e.header.type))
            start = p->offset;
        if (prepares(&e, xid, &is, err) != 0)
            return -1;
        if (is)
            *found = start;
    }
}

/* The file that we read, and those before it, the newest first. */
static int search(struct log_reader *r, struct str xid, struct error *err)
{
    struct arena *a = arena_new(FILES_BYTES);
    const struct binlog_place *here = r->feed->type->place(r->feed);
    struct str *files = NULL;
    size_t count = 0;
    uint64_t found = 0;
    bool behind = true; /* files that are newer than ours */
    int rc = r->feed->type->files(r->feed, a, &files, &count, err);
    for (size_t i = count; rc == 0 && found == 0 && i-- > 0;) {
        behind = behind && !str_eq(files[i], str_of(here->file));
        if (behind)
            continue;
        rc = search_file(r, xid, files[i], &found, err);
        if (rc == 0 && found > 0) {
            log_xa_forget(r, xid);
            rc = remember_at(&r->at, xid, files[i], found, err);
        }
    }
    log_xa_stop(r);
    arena_free(a);
    return rc == 0 && found == 0 ? not_found(xid, err) : rc;
}

int log_xa_commit(struct log_reader *r, struct str xid, struct error *err)
{
    struct log_undecided *x = find_xa(&r->at, xid);
    if ((x == NULL || x->file.len == 0) && search(r, xid, err) != 0)
        return -1;
    x = find_xa(&r->at, xid);
    struct log_start start = { .file = x->file, .offset = x->offset };
    if (open_replay(r, &start, err) != 0)
        return -1;
    struct log_undecided deciding = *x;
    /* the last one is the one that is being read */
    *x = r->at.xa[r->at.xa_count - 1];
    r->at.xa[r->at.xa_count - 1] = deciding;
    r->replay.active = true;
    return 0;
}

static int replay_event(struct log_reader *r, const struct event *e, struct error *err)
{
    struct log_replay *p = &r->replay;
    struct binlog *log = p->feed->type->binlog(p->feed);
    struct str xid = r->at.xa[r->at.xa_count - 1].xid;
    uint8_t type = e->header.type;
    bool is = false;
    if (!p->feed->type->place(p->feed)->real)
        return 0;
    if (type == TABLE_MAP_EVENT)
        return log_rows_map(r, &p->rows, e, binlog_format(log), err);
    if (event_type_has_rows(type))
        return log_rows_begin(r, &p->rows, e, log, err);
    if (type == XID_EVENT || type == ROTATE_EVENT)
        return not_found(xid, err);
    if (type != XA_PREPARE_EVENT)
        return 0;
    if (prepares(e, xid, &is, err) != 0)
        return -1;
    if (!is)
        return not_found(xid, err);
    log_xa_stop(r);
    log_xa_forget(r, xid);
    return 0;
}

int log_xa_next(struct log_reader *r, struct log_item *out, struct error *err)
{
    struct log_replay *p = &r->replay;
    struct event e;
    if (p->rows.active) {
        int got = log_rows_next(r, &p->rows, out, err);
        if (got != 0)
            return got;
        return 0;
    }
    int got = p->feed->type->next(p->feed, &e, err);
    if (got < 0)
        return -1;
    if (got == 0)
        return not_found(r->at.xa[r->at.xa_count - 1].xid, err);
    return replay_event(r, &e, err);
}
