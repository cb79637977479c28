/* The one view of a table that cannot be read by pages. See handover.h. */
#include "base/clock.h"
#include "source/handover_internal.h"
#include "source/source.h"

/* A view is opened again so often in the hope that nothing is committed meanwhile. */
#define QUIET_TRIES 20
#define QUIET_PAUSE_US (25 * 1000)
#define XA_PAUSE_US (10 * 1000)
#define VIEW_LOCK_TRIES 5

static int open_view(struct session *s, struct error *err)
{
    return session_exec(s, STR(VIEW_SQL), err) == 0 ? 0
                                                    : error_wrap(err, "opening a view");
}

static void set_exact(struct view_point *point, const struct log_position *at,
                      struct str how)
{
    point->low = *at;
    point->high = *at;
    point->exact = true;
    point->how = how;
}

/* No writer of the table is under way while the lock is held: what the log has of it is
 * in the view, and nothing else is. */
static int view_locked(struct session *s, struct session *locker,
                       struct view_point *point, struct error *err)
{
    struct log_position at;
    if (handover_end(locker, point->arena, &at, err) != 0 || open_view(s, err) != 0 ||
        session_exec(locker, STR("UNLOCK TABLES"), err) != 0)
        return -1;
    set_exact(point, &at, STR("lock"));
    return 0;
}

/* 1 done, 0 the table cannot be locked here. */
static int view_by_lock(struct session *s, const struct table_schema *table,
                        struct view_point *point, struct error *err)
{
    if (point->source == NULL)
        return 0;
    struct session *locker = handover_locker(point->source, point->cancel, err);
    int rc = locker == NULL ? -1 : 0;
    for (int tries = 0; rc == 0 && tries < VIEW_LOCK_TRIES; tries++) {
        enum lock_answer answer = handover_lock(locker, table, err);
        if (answer == LOCK_ERROR)
            rc = -1;
        else if (answer == LOCK_GRANTED)
            rc = view_locked(s, locker, point, err) == 0 ? 1 : -1;
        else if (answer != LOCK_BUSY)
            break;
        if (rc == 0 && cancel_check(point->cancel, err) != 0)
            rc = -1;
    }
    source_disconnect(locker);
    return rc;
}

/* Nothing is on its way to its commit, and the log does not grow while the view is
 * opened. 1 that was so; 0 it was not, and no view is open. */
static int view_if_quiet(struct session *s, struct view_point *point, struct error *err)
{
    struct arena *a = point->arena;
    struct log_status before;
    struct log_status after;
    struct str owned = { 0 };
    struct log_position at = { .server = handover_uuid(s, a) };
    if (handover_read_end(s, a, &before, err) != 0 ||
        session_query_text(s, a, SQL_OWNED, &owned, err) != 0)
        return -1;
    if (owned.len > 0)
        return 0;
    if (handover_gtids(s, a, SQL_EXECUTED, &at.gtid, err) != 0 ||
        open_view(s, err) != 0 || handover_read_end(s, a, &after, err) != 0)
        return -1;
    at.file = after.file;
    at.offset = after.offset;
    if (handover_compare(before.file, before.offset, after.file, after.offset) == 0) {
        set_exact(point, &at, STR("quiet"));
        return 1;
    }
    return session_exec(s, STR("ROLLBACK"), err) == 0 ? 0 : -1;
}

static int view_by_gtid(struct session *s, struct view_point *point, struct error *err)
{
    for (int tries = 0; tries < QUIET_TRIES; tries++) {
        int rc = view_if_quiet(s, point, err);
        if (rc != 0)
            return rc < 0 ? -1 : 0;
        if (!clock_wait_us(point->cancel, QUIET_PAUSE_US))
            return error_set(err, ERR_CANCELLED, "stopped while opening a view");
    }
    point->low = (struct log_position){ .server = handover_uuid(s, point->arena) };
    point->exact = false;
    point->how = STR("gtid");
    if (handover_gtids(s, point->arena, SQL_EXECUTED, &point->low.gtid, err) != 0 ||
        open_view(s, err) != 0)
        return -1;
    return handover_end(s, point->arena, &point->high, err);
}

static int view_by_time(struct session *s, struct view_point *point, struct error *err)
{
    if (handover_end(s, point->arena, &point->low, err) != 0 ||
        handover_settle(s, point->settle_us, point->cancel, err) != 0 ||
        open_view(s, err) != 0 || handover_end(s, point->arena, &point->high, err) != 0)
        return -1;
    point->exact = handover_compare(point->low.file, point->low.offset, point->high.file,
                                    point->high.offset) == 0;
    point->how = STR("time");
    return 0;
}

/* ---- MariaDB ---- */

static int count_xa_commits(struct session *s, struct arena *a, struct str *out,
                            struct error *err)
{
    struct session_result r;
    if (session_query(s, a, STR("SHOW GLOBAL STATUS LIKE 'Com\\_xa\\_commit'"), &r,
                      err) != 0)
        return -1;
    if (r.row_count != 1 || r.column_count != 2)
        return error_set(err, ERR_PROTOCOL, "the server does not say Com_xa_commit");
    *out = r.cells[1];
    return 0;
}

/* The snapshot's place is the view's when no XA COMMIT was under way: none had begun and
 * not ended before, and none has begun since. 1 that was so; 0 it was not, and no view is
 * open. */
static int view_if_no_xa(struct session *s, struct view_point *point, struct error *err)
{
    struct arena *a = point->arena;
    struct log_position at;
    struct str before = { 0 };
    struct str after = { 0 };
    bool quiet;
    if (count_xa_commits(s, a, &before, err) != 0 ||
        handover_xa_is_quiet(s, a, &quiet, err) != 0)
        return -1;
    if (!quiet)
        return 0;
    if (handover_snapshot(s, a, &at, err) != 0 ||
        count_xa_commits(s, a, &after, err) != 0)
        return -1;
    if (at.file.len == 0)
        return handover_no_log(err);
    if (!str_eq(before, after))
        return session_exec(s, STR("ROLLBACK"), err) == 0 ? 0 : -1;
    if (handover_add_gtid(s, a, &at, err) != 0)
        return -1;
    set_exact(point, &at, STR("snapshot"));
    return 1;
}

static int view_of_maria(struct session *s, const struct table_schema *table,
                         struct view_point *point, struct error *err)
{
    for (int tries = 0; tries < QUIET_TRIES; tries++) {
        int rc = view_if_no_xa(s, point, err);
        if (rc != 0)
            return rc < 0 ? -1 : 0;
        if (!clock_wait_us(point->cancel, XA_PAUSE_US))
            return error_set(err, ERR_CANCELLED, "stopped while opening a view");
    }
    int rc = view_by_lock(s, table, point, err);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    return view_by_time(s, point, err);
}

int handover_view(struct session *s, const struct table_schema *table,
                  struct view_point *point, struct error *err)
{
    struct log_position at;
    bool gtids;
    if (session_is_mariadb(s))
        return view_of_maria(s, table, point, err);
    if (handover_gtid_is_on(s, point->arena, &gtids, err) != 0 ||
        handover_snapshot(s, point->arena, &at, err) != 0)
        return -1;
    if (at.file.len > 0) { /* Percona Server */
        set_exact(point, &at, STR("snapshot"));
        return 0;
    }
    if (session_exec(s, STR("ROLLBACK"), err) != 0)
        return -1;
    int rc = view_by_lock(s, table, point, err);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    return gtids ? view_by_gtid(s, point, err) : view_by_time(s, point, err);
}
