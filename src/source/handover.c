/* See handover.h. */
#include "base/alloc.h"
#include "base/clock.h"
#include "mysql/gtid.h"
#include "mysql/gtid_maria.h"
#include "mysql/log_status.h"
#include "source/handover_internal.h"
#include "source/source.h"

#include <inttypes.h>
#include <string.h>

#define US INT64_C(1000000)
#define PATIENCE_US (60 * US)
#define SETTLE_US (60 * US)
#define SEMI_SYNC_MARGIN_US (5 * US)
#define XA_PATIENCE_US (2 * US)
#define POLL_FIRST_US (5 * 1000)
#define POLL_MOST_US (200 * 1000)
#define ANSWER_BYTES ((size_t)64 << 20)
#define SQL_BYTES (64u << 20) /* a set of GTIDs has no other ceiling */
enum {
    NUMBER_DB_DENIED = 1044,
    NUMBER_ACCESS_DENIED = 1045,
    NUMBER_TABLE_DENIED = 1142,
    NUMBER_NO_TABLE = 1146,
    NUMBER_NO_VARIABLE = 1193,
    NUMBER_LOCK_WAIT = 1205,
    NUMBER_DENIED = 1227,
    NUMBER_BAD_DATABASE = 1049,
};

/* ---- small things ---- */

int handover_compare(struct str file, uint64_t offset, struct str with_file,
                     uint64_t with_offset)
{
    uint64_t number[2] = { 0, 0 };
    const struct str names[2] = { file, with_file };
    for (int i = 0; i < 2; i++) {
        size_t from = names[i].len;
        while (from > 0 && names[i].ptr[from - 1] >= '0' && names[i].ptr[from - 1] <= '9')
            from--;
        (void)str_to_u64((struct str){ names[i].ptr + from, names[i].len - from },
                         &number[i]);
    }
    if (number[0] != number[1])
        return number[0] < number[1] ? -1 : 1;
    if (offset != with_offset)
        return offset < with_offset ? -1 : 1;
    return 0;
}

int handover_no_log(struct error *err)
{
    (void)error_set(err, ERR_CONFIG, "the server writes no binary log (log_bin is OFF)");
    err->hint = "Turn the binary log on at the server; `tailrace check` says how.";
    return -1;
}

int handover_read_end(struct session *s, struct arena *a, struct log_status *out,
                      struct error *err)
{
    if (log_status_read(s, a, out, err) != 0)
        return -1;
    return out->on ? 0 : handover_no_log(err);
}

/* Is every transaction of this server numbered? */
int handover_gtid_is_on(struct session *s, struct arena *a, bool *on, struct error *err)
{
    struct str mode = { 0 };
    *on = false;
    if (session_is_mariadb(s))
        return 0;
    if (session_query_text(s, a, STR("SELECT @@global.gtid_mode"), &mode, err) != 0) {
        if (err->remote != NUMBER_NO_VARIABLE)
            return error_wrap(err, "reading gtid_mode");
        *err = (struct error){ 0 };
        return 0;
    }
    *on = str_ieq(mode, STR("ON"));
    return 0;
}

/* The text of a set in one spelling: without line breaks and overlaps. "#7" behind an
 * owned one is the thread that has it. */
static int canonical_gtids(struct arena *a, struct str text, struct str *out,
                           struct error *err)
{
    CLEANUP(buf_done) struct buf plain;
    buf_init(&plain, SQL_BYTES);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '#') {
            buf_add_char(&plain, text.ptr[i]);
            continue;
        }
        while (i + 1 < text.len && text.ptr[i + 1] >= '0' && text.ptr[i + 1] <= '9')
            i++;
    }
    struct gtid_set set;
    if (buf_check(&plain, "a set of GTIDs", err) != 0 ||
        gtid_set_parse(buf_str(&plain), &set, err) != 0)
        return error_wrap(err, "the server's GTIDs");
    buf_clear(&plain);
    gtid_set_format(&set, &plain);
    gtid_set_done(&set);
    if (buf_check(&plain, "a set of GTIDs", err) != 0)
        return -1;
    *out = arena_str(a, buf_str(&plain));
    return 0;
}

int handover_gtids(struct session *s, struct arena *a, struct str sql, struct str *out,
                   struct error *err)
{
    struct str text;
    if (session_query_text(s, a, sql, &text, err) != 0)
        return error_wrap(err, "reading the executed GTIDs");
    return canonical_gtids(a, text, out, err);
}

struct str handover_uuid(struct session *s, struct arena *a)
{
    return session_is_mariadb(s) ? (struct str){ 0 }
                                 : arena_str(a, session_facts(s)->server_uuid);
}

/* ---- places ---- */

/* Where the open view of this session lies, on servers that say so: file empty on others,
 * and where there is no log. */
static int read_snapshot(struct session *s, struct arena *a, struct str *file,
                         uint64_t *offset, struct error *err)
{
    struct session_result r;
    *file = (struct str){ 0 };
    *offset = 0;
    if (session_query(s, a, STR("SHOW STATUS LIKE 'binlog\\_snapshot\\_%'"), &r, err) !=
        0)
        return error_wrap(err, "reading the view's place in the log");
    for (size_t i = 0; i < r.row_count; i++) {
        struct str value = r.cells[i * r.column_count + 1];
        if (str_ieq(r.cells[i * r.column_count], STR("binlog_snapshot_file")))
            *file = value;
        else if (str_ieq(r.cells[i * r.column_count], STR("binlog_snapshot_position")))
            (void)str_to_u64(value, offset);
    }
    return 0;
}

/* Open a view, read its place. On success the view is open. */
int handover_snapshot(struct session *s, struct arena *a, struct log_position *p,
                      struct error *err)
{
    *p = (struct log_position){ .server = handover_uuid(s, a) };
    if (session_exec(s, STR(VIEW_SQL), err) != 0)
        return error_wrap(err, "opening a view");
    return read_snapshot(s, a, &p->file, &p->offset, err);
}

int handover_add_gtid(struct session *s, struct arena *a, struct log_position *p,
                      struct error *err)
{
    if (!session_is_mariadb(s) || p->file.len == 0 ||
        log_gtid_at(s, a, p->file, p->offset, &p->gtid, err) == 0)
        return 0;
    if (err->code != ERR_POSITION)
        return -1;
    /* BINLOG_GTID_POS() knows nothing of a place in a log that has no GTIDs yet, as after
     * SET GLOBAL gtid_binlog_state = '': file and offset are enough on this server */
    *err = (struct error){ 0 };
    p->gtid = (struct str){ 0 };
    return 0;
}

/* The place of a view that is opened and closed again. */
static int snapshot_place(struct session *s, struct arena *a, struct log_position *p,
                          struct error *err)
{
    int rc = handover_snapshot(s, a, p, err);
    struct error ignored = { 0 };
    if (session_is_usable(s))
        (void)session_exec(s, STR("ROLLBACK"), &ignored);
    return rc;
}

int handover_start(struct session *s, struct arena *a, struct log_position *p0,
                   struct error *err)
{
    struct log_status end;
    bool gtids;
    *p0 = (struct log_position){ 0 };
    if (handover_read_end(s, a, &end, err) != 0 ||
        handover_gtid_is_on(s, a, &gtids, err) != 0)
        return -1;
    if (gtids) {
        p0->server = handover_uuid(s, a);
        if (handover_gtids(s, a, SQL_EXECUTED, &p0->gtid, err) != 0)
            return -1;
        if (p0->gtid.len > 0)
            return 0;
        /* nothing is executed yet: an empty set would ask for the log from its start */
    } else {
        if (snapshot_place(s, a, p0, err) != 0)
            return -1;
        if (p0->file.len > 0)
            return handover_add_gtid(s, a, p0, err);
    }
    p0->server = handover_uuid(s, a);
    p0->file = end.file;
    p0->offset = end.offset;
    return 0;
}

int handover_end(struct session *s, struct arena *a, struct log_position *p1,
                 struct error *err)
{
    struct log_status end;
    bool gtids;
    *p1 = (struct log_position){ 0 };
    if (handover_read_end(s, a, &end, err) != 0 ||
        handover_gtid_is_on(s, a, &gtids, err) != 0)
        return -1;
    p1->server = handover_uuid(s, a);
    p1->file = end.file;
    p1->offset = end.offset;
    if (session_is_mariadb(s))
        p1->gtid = end.gtids;
    if (!gtids)
        return 0;
    /* What was on its way at the log's end is owned now, or executed when that is asked
     * after. */
    struct str owned = { 0 };
    struct str executed = { 0 };
    if (session_query_text(s, a, SQL_OWNED, &owned, err) != 0 ||
        session_query_text(s, a, SQL_EXECUTED, &executed, err) != 0)
        return error_wrap(err, "reading the executed GTIDs");
    return canonical_gtids(a,
                           arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(executed),
                                        executed.len > 0 && owned.len > 0 ? "," : "",
                                        STR_ARG(owned)),
                           &p1->gtid, err);
}

/* ---- waiting ---- */

struct patience {
    int64_t until;
    int64_t pause;
    struct cancel *cancel;
};

static struct patience patience_of(const struct handover_wait *w)
{
    return (struct patience){
        .until = clock_mono_us() + (w->patience_us > 0 ? w->patience_us : PATIENCE_US),
        .pause = POLL_FIRST_US,
        .cancel = w->cancel,
    };
}

/* 1 look again, 0 the patience is over, -1. */
static int be_patient(struct patience *p, struct error *err)
{
    if (clock_mono_us() >= p->until)
        return 0;
    if (!clock_wait_us(p->cancel, p->pause))
        return error_set(err, ERR_CANCELLED,
                         "stopped while waiting for the place in the log to be visible");
    p->pause = p->pause * 2 > POLL_MOST_US ? POLL_MOST_US : p->pause * 2;
    return 1;
}

static int never_reached(const struct handover_wait *w, struct error *err)
{
    const struct log_position *p0 = w->p0;
    if (p0->file.len > 0)
        (void)error_set(err, ERR_POSITION,
                        "the server has not reached '" STR_FMT "' at %" PRIu64,
                        STR_ARG(p0->file), p0->offset);
    else
        (void)error_set(err, ERR_POSITION, "the server has not executed '%.200s'",
                        p0->gtid.len > 0 ? p0->gtid.ptr : "");
    err->hint = "The server lags behind the place that was read, or has another history: "
                "try again later, or reset the tables.";
    return -1;
}

static int wait_gtid(struct session *s, const struct handover_wait *w, struct error *err)
{
    CLEANUP(buf_done) struct buf sql;
    struct patience p = patience_of(w);
    buf_init(&sql, SQL_BYTES);
    buf_add_text(&sql, "SELECT GTID_SUBSET(");
    session_quote_literal(&sql, w->p0->gtid);
    buf_add_text(&sql, ", @@global.gtid_executed)");
    if (buf_check(&sql, "a set of GTIDs", err) != 0)
        return -1;
    for (;;) {
        CLEANUP(arena_free_at) struct arena *a = arena_new(65536);
        struct str yes = { 0 };
        if (session_query_text(s, a, buf_str(&sql), &yes, err) != 0)
            return error_wrap(err, "comparing GTIDs");
        if (str_eq(yes, STR("1")))
            return 0;
        int rc = be_patient(&p, err);
        if (rc <= 0)
            return rc < 0 ? -1 : never_reached(w, err);
    }
}

/* Is a view at this place at or behind P0? */
static int has_reached(struct session *s, struct arena *a, const struct log_position *at,
                       const struct log_position *p0, struct error *err)
{
    if (p0->file.len > 0)
        return handover_compare(at->file, at->offset, p0->file, p0->offset) >= 0;
    struct str text;
    struct gtid_maria_position have = { 0 };
    struct gtid_maria_position want = { 0 };
    int rc = -1;
    if (log_gtid_at(s, a, at->file, at->offset, &text, err) == 0 &&
        gtid_maria_parse_position(text, &have, err) == 0 &&
        gtid_maria_parse_position(p0->gtid, &want, err) == 0)
        rc = gtid_maria_is_subset(&want, &have);
    gtid_maria_done(&have);
    gtid_maria_done(&want);
    return rc;
}

/* 1 done, 0 this server tells no places of views. */
static int wait_snapshot(struct session *s, const struct handover_wait *w,
                         struct error *err)
{
    struct patience p = patience_of(w);
    if (w->p0->file.len == 0 && !session_is_mariadb(s))
        return 0;
    for (;;) {
        CLEANUP(arena_free_at) struct arena *a = arena_new(ANSWER_BYTES);
        struct log_position at;
        if (snapshot_place(s, a, &at, err) != 0)
            return -1;
        if (at.file.len == 0)
            return session_is_mariadb(s) ? handover_no_log(err) : 0;
        int rc = has_reached(s, a, &at, w->p0, err);
        if (rc != 0)
            return rc;
        rc = be_patient(&p, err);
        if (rc <= 0)
            return rc < 0 ? -1 : never_reached(w, err);
    }
}

/* ---- XA on MariaDB ---- */

/* MariaDB counts an XA COMMIT as part of the snapshot's place as soon as it is in the
 * log, and only then tells the engine (seen on 11.8: about one snapshot in thousands
 * lacks a row that its place has). Until the engine has it, XA RECOVER lists it. */
static int list_xa(struct session *s, struct arena *a, struct session_result *out,
                   struct error *err)
{
    return session_query(s, a, STR("XA RECOVER"), out, err) == 0
               ? 0
               : error_wrap(err, "listing prepared transactions");
}

int handover_xa_is_quiet(struct session *s, struct arena *a, bool *quiet,
                         struct error *err)
{
    struct session_result r;
    if (list_xa(s, a, &r, err) != 0)
        return -1;
    *quiet = r.row_count == 0;
    return 0;
}

static bool lists(const struct session_result *r, const struct str *row)
{
    for (size_t i = 0; i < r->row_count; i++) {
        bool same = true;
        for (unsigned c = 0; c < r->column_count && same; c++)
            same = str_eq(r->cells[i * r->column_count + c], row[c]);
        if (same)
            return true;
    }
    return false;
}

/* 1 every transaction that is on its way now has come to its end, 0 some stay prepared,
 * and whether one of them is committed in the log is not known. */
static int wait_xa(struct session *s, const struct handover_wait *w, struct error *err)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new(ANSWER_BYTES);
    struct session_result before;
    struct patience p = patience_of(w);
    int64_t until = clock_mono_us() + XA_PATIENCE_US;
    p.until = until < p.until ? until : p.until;
    if (list_xa(s, a, &before, err) != 0)
        return -1;
    for (;;) {
        CLEANUP(arena_free_at) struct arena *each = arena_new(ANSWER_BYTES);
        struct session_result now = before;
        bool left = false;
        if (before.row_count > 0 && list_xa(s, each, &now, err) != 0)
            return -1;
        for (size_t i = 0; i < before.row_count && !left; i++)
            left = lists(&now, before.cells + i * before.column_count);
        if (!left)
            return 1;
        int rc = be_patient(&p, err);
        if (rc <= 0)
            return rc;
    }
}

/* ---- locks ---- */

static void lock_sql(const struct table_schema *t, struct buf *sql)
{
    buf_clear(sql);
    buf_add_text(sql, "LOCK TABLES ");
    session_quote_ident(sql, t->database);
    buf_add_char(sql, '.');
    session_quote_ident(sql, t->name);
    buf_add_text(sql, " READ");
}

static bool is_denied(const struct error *err)
{
    return err->remote == NUMBER_DB_DENIED || err->remote == NUMBER_ACCESS_DENIED ||
           err->remote == NUMBER_TABLE_DENIED || err->remote == NUMBER_DENIED;
}

enum lock_answer handover_lock(struct session *locker, const struct table_schema *t,
                               struct error *err)
{
    CLEANUP(buf_done) struct buf sql;
    buf_init(&sql, 8192);
    lock_sql(t, &sql);
    if (buf_check(&sql, "a table's name", err) != 0)
        return LOCK_ERROR;
    if (session_exec(locker, buf_str(&sql), err) == 0)
        return LOCK_GRANTED;
    enum lock_answer answer = LOCK_ERROR;
    if (err->remote == NUMBER_LOCK_WAIT)
        answer = LOCK_BUSY;
    else if (is_denied(err))
        answer = LOCK_DENIED;
    else if (err->remote == NUMBER_NO_TABLE || err->remote == NUMBER_BAD_DATABASE)
        answer = LOCK_GONE;
    if (answer == LOCK_ERROR)
        return error_wrap(err, "locking '" STR_FMT "' for a moment", STR_ARG(t->name));
    *err = (struct error){ 0 };
    return answer;
}

struct session *handover_locker(const struct source *source, struct cancel *c,
                                struct error *err)
{
    struct session *locker = source_connect(source, 0, c, err);
    if (locker != NULL &&
        session_exec(locker, STR("SET SESSION lock_wait_timeout = 1"), err) == 0)
        return locker;
    (void)error_wrap(err, "a second connection, for a lock");
    source_disconnect(locker);
    return NULL;
}

int handover_can_lock(struct session *s, const struct table_schema *table, bool *can,
                      struct error *err)
{
    if (session_exec(s, STR("SET SESSION lock_wait_timeout = 1"), err) != 0)
        return -1;
    enum lock_answer answer = handover_lock(s, table, err);
    if (answer == LOCK_ERROR)
        return -1;
    *can = answer != LOCK_DENIED;
    return session_exec(s, STR("UNLOCK TABLES"), err);
}

/* 1 every table was locked for a moment, 0 that cannot be done here. */
static int wait_each_lock(struct session *locker, const struct handover_wait *w,
                          int64_t until, struct error *err)
{
    struct patience p = { .until = until, .pause = POLL_FIRST_US, .cancel = w->cancel };
    for (size_t i = 0; i < w->table_count;) {
        switch (handover_lock(locker, w->tables[i], err)) {
        case LOCK_ERROR:
            return -1;
        case LOCK_DENIED:
            return 0;
        case LOCK_GONE: /* whoever reads it will say so */
            i++;
            break;
        case LOCK_GRANTED:
            if (session_exec(locker, STR("UNLOCK TABLES"), err) != 0)
                return error_wrap(err, "unlocking a table");
            p.pause = POLL_FIRST_US;
            i++;
            break;
        case LOCK_BUSY: {
            int rc = be_patient(&p, err);
            if (rc <= 0)
                return rc;
            break;
        }
        }
    }
    return 1;
}

static int wait_lock(const struct handover_wait *w, int64_t until, struct error *err)
{
    if (w->source == NULL || w->table_count == 0)
        return 0;
    struct session *locker = handover_locker(w->source, w->cancel, err);
    if (locker == NULL)
        return -1;
    int rc = wait_each_lock(locker, w, until, err);
    source_disconnect(locker);
    return rc;
}

/* ---- time ---- */

/* A commit may wait for a replica's answer before the engine has it
 * (rpl_semi_sync_..._wait_point AFTER_SYNC): as long as that, and a little more. */
static int semi_sync_us(struct session *s, int64_t *out, struct error *err)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new(1u << 20);
    struct session_result r;
    bool on = false;
    uint64_t ms = 0;
    *out = 0;
    if (session_query(s, a, STR("SHOW GLOBAL VARIABLES LIKE 'rpl\\_semi\\_sync\\_%'"), &r,
                      err) != 0)
        return error_wrap(err, "reading settings");
    for (size_t i = 0; i < r.row_count; i++) {
        struct str name = r.cells[i * r.column_count];
        struct str value = r.cells[i * r.column_count + 1];
        if (str_eq(name, STR("rpl_semi_sync_source_enabled")) ||
            str_eq(name, STR("rpl_semi_sync_master_enabled")))
            on = on || str_ieq(value, STR("ON"));
        else if (str_eq(name, STR("rpl_semi_sync_source_timeout")) ||
                 str_eq(name, STR("rpl_semi_sync_master_timeout")))
            (void)str_to_u64(value, &ms);
    }
    if (on)
        *out = (ms > INT32_MAX ? INT32_MAX : (int64_t)ms) * 1000 + SEMI_SYNC_MARGIN_US;
    return 0;
}

/* When `settle_us` has gone by since then, and no less than a commit may wait. */
static int settled_at(struct session *s, int64_t since, int64_t settle_us, int64_t *at,
                      struct error *err)
{
    int64_t least;
    if (semi_sync_us(s, &least, err) != 0)
        return -1;
    int64_t us = settle_us > 0 ? settle_us : SETTLE_US;
    *at = since + (us < least ? least : us);
    return 0;
}

static int wait_until(int64_t at, struct cancel *c, struct error *err)
{
    int64_t left = at - clock_mono_us();
    if (!clock_wait_us(c, left > 0 ? left : 0))
        return error_set(err, ERR_CANCELLED, "stopped while waiting for handover_wait");
    return 0;
}

int handover_settle(struct session *s, int64_t settle_us, struct cancel *c,
                    struct error *err)
{
    int64_t at;
    if (settled_at(s, clock_mono_us(), settle_us, &at, err) != 0)
        return -1;
    return wait_until(at, c, err);
}

int handover_visible(struct session *s, const struct handover_wait *w, struct str *how,
                     struct error *err)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new(ANSWER_BYTES);
    int64_t since = clock_mono_us(); /* P0 is not younger */
    bool gtids;
    if (handover_gtid_is_on(s, a, &gtids, err) != 0)
        return -1;
    if (gtids && w->p0->gtid.len > 0) {
        *how = STR("gtid");
        return wait_gtid(s, w, err);
    }
    int rc = wait_snapshot(s, w, err);
    if (rc > 0 && session_is_mariadb(s))
        rc = wait_xa(s, w, err);
    if (rc != 0) {
        *how = STR("snapshot");
        return rc < 0 ? -1 : 0;
    }
    int64_t settled;
    if (settled_at(s, since, w->settle_us, &settled, err) != 0)
        return -1;
    rc = wait_lock(w, settled, err);
    if (rc != 0) {
        *how = STR("lock");
        return rc < 0 ? -1 : 0;
    }
    *how = STR("time");
    return wait_until(settled, w->cancel, err);
}
