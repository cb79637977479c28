/* See reset.h. */
#include "sync/reset.h"

#include "avro/schema.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "config/url.h"
#include "source/key.h"
#include "sync/reader.h"
#include "warehouse/client.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define IDLE_US (2 * 1000 * 1000)

struct reset {
    struct state *state;
    const struct integration *integration;
    struct arena *arena; /* owned */
    char *spool;         /* owned */
    int lock;
};

static int lock_spool(struct reset *r, const char *data_dir, struct error *err)
{
    CLEANUP(buf_done) struct buf path;
    buf_init(&path, 8192);
    buf_printf(&path, "%s/spool/" STR_FMT, data_dir,
               STR_ARG(r->integration->target_schema));
    if (buf_check(&path, "the spool's path", err) != 0 ||
        file_make_dirs(buf_text(&path), 0700, err) != 0)
        return -1;
    r->spool = xstrdup(buf_text(&path));
    buf_add_text(&path, "/lock");
    pid_t holder = 0;
    r->lock = file_lock(buf_text(&path), &holder, err);
    if (r->lock >= 0)
        return 0;
    if (err->code == ERR_LIMIT) {
        (void)error_set(err, ERR_LIMIT, "integration '" STR_FMT "' is running, pid %d",
                        STR_ARG(r->integration->name), (int)holder);
        err->hint = "Stop that run first.";
    }
    return -1;
}

/* The stream that a person means by "db.table" or "table". */
static const struct stream_mark *find_stream(const struct mark_list *marks,
                                             struct str name, struct error *err)
{
    const struct stream_mark *found = NULL;
    for (size_t i = 0; i < marks->stream_count; i++) {
        const struct stream_mark *m = &marks->streams[i];
        bool whole = name.len == m->database.len + 1 + m->table.len &&
                     str_starts(name, m->database) && str_ends(name, m->table) &&
                     name.ptr[m->database.len] == '.';
        if (whole)
            return m;
        if (!str_eq(m->table, name))
            continue;
        if (found != NULL) {
            (void)error_set(err, ERR_CONFIG,
                            "more than one database has a table '" STR_FMT "'",
                            STR_ARG(name));
            err->hint = "Write database.table.";
            return NULL;
        }
        found = m;
    }
    if (found == NULL) {
        (void)error_set(err, ERR_CONFIG, "the integration has no table '" STR_FMT "'",
                        STR_ARG(name));
        err->hint = "`tailrace status NAME` lists its tables.";
    }
    return found;
}

static bool spool_waits(const struct reset *r)
{
    CLEANUP(buf_done) struct buf path;
    buf_init(&path, 8192);
    buf_printf(&path, "%s/full", r->spool);
    return file_tree_bytes(buf_text(&path)) > 0;
}

/* Versions ahead of what is known. A copy that is added behind the others is not recorded
 * as handed out, and the one that waits in the spool is loaded before the next run looks:
 * its version must stay behind. */
static uint64_t versions_ahead(const struct reset *r, const struct reset_request *request)
{
    return request->table.len > 0 && spool_waits(r) ? RESTARTS_MAX + 2 : 1;
}

/* The next version of each stream is handed out, so that also a run that is being
 * continued copies it. Before the destination forgets: what is asked for is kept. */
static int next_versions(struct reset *r, const struct mark_list *marks,
                         const struct reset_request *request, struct error *err)
{
    int rc = state_batch_begin(r->state, err);
    struct error late = { 0 };
    uint64_t step = versions_ahead(r, request);
    if (rc != 0)
        return -1;
    for (size_t i = 0; i < marks->stream_count && rc == 0; i++) {
        const struct stream_mark *m = &marks->streams[i];
        uint64_t version = 0;
        if (request->table.len > 0 &&
            !(str_eq(m->database, request->database) && str_eq(m->table, request->table)))
            continue;
        struct stream_name of = { r->integration->name, m->database, m->table };
        rc = state_version_get(r->state, &of, &version, err);
        version = version > m->live_version ? version : m->live_version;
        version = version > m->copy_version ? version : m->copy_version;
        if (rc == 0)
            rc = state_version_set(r->state, &of, version + step, err);
    }
    return state_batch_end(r->state, rc == 0 ? err : &late) != 0 ? -1 : rc;
}

/* What is captured and not loaded is dropped with the copies that it belongs to. */
static int drop_spool(struct reset *r, struct reset_result *out, struct error *err)
{
    CLEANUP(buf_done) struct buf path;
    buf_init(&path, 8192);
    buf_printf(&path, "%s/full", r->spool);
    out->epochs_dropped = file_tree_bytes(buf_text(&path)) > 0 ? 1 : 0;
    return file_remove_tree(buf_text(&path), err);
}

static int reset_at(struct reset *r, struct warehouse *w, struct str table,
                    struct reset_result *out, struct error *err)
{
    struct mark_list marks = { 0 };
    struct reset_request request = { .integration = r->integration->name,
                                     .target_schema = r->integration->target_schema };
    if (warehouse_marks(w, r->arena, r->integration->name, &marks, err) != 0)
        return -1;
    out->streams = marks.stream_count;
    if (table.len > 0) {
        const struct stream_mark *m = find_stream(&marks, table, err);
        if (m == NULL)
            return -1;
        request.database = m->database;
        request.table = m->table;
        out->streams = 1;
    }
    struct stream_name parked = { r->integration->name, request.database, request.table };
    if (next_versions(r, &marks, &request, err) != 0 ||
        state_trouble_forget(r->state, &parked, err) != 0 ||
        (table.len == 0 && drop_spool(r, out, err) != 0))
        return -1;
    return warehouse_reset(w, &request, err);
}

/* The destination's file, or NULL with err. */
static struct warehouse *open_destination(struct reset *r, struct cancel *c,
                                          struct error *err)
{
    struct url_destination d = { 0 };
    if (url_parse_destination(r->arena, r->integration->destination, &d, err) != 0)
        return NULL;
    struct warehouse_options o = { .settings = d.settings,
                                   .setting_count = d.setting_count,
                                   .idle_us = IDLE_US };
    return warehouse_open(arena_text(r->arena, d.location), &o, c, err);
}

static void reset_done(struct reset *r)
{
    arena_free(r->arena);
    free(r->spool);
    if (r->lock >= 0)
        (void)close(r->lock);
}

int reset_run(struct state *s, const struct reset_order *o, struct cancel *c,
              struct reset_result *out, struct error *err)
{
    struct reset r = { .state = s, .integration = o->integration, .lock = -1 };
    struct warehouse *w = NULL;
    *out = (struct reset_result){ 0 };
    r.arena = arena_new((size_t)256 << 20);
    int rc = lock_spool(&r, o->data_dir, err);
    if (rc == 0)
        w = open_destination(&r, c, err);
    if (rc == 0)
        rc = w == NULL ? -1 : reset_at(&r, w, o->table, out, err);
    warehouse_close(w);
    reset_done(&r);
    return rc;
}

/* --- a bookmark by hand ---------------------------------------------------------------
 */

static int check_spool_empty(const struct reset *r, struct error *err)
{
    if (!spool_waits(r))
        return 0;
    (void)error_set(err, ERR_CONFIG,
                    "integration '" STR_FMT "' has captured rows that are "
                    "not loaded",
                    STR_ARG(r->integration->name));
    err->hint = "Run it once, so that they are, or reset it.";
    return -1;
}

/* The bookmark with one anchor, safe in the next read. */
static int bookmark_at(struct reset *r, const struct stream_mark *m, struct str value,
                       struct str *out, struct error *err)
{
    struct key_bookmark b = { 0 };
    struct table_schema live = { 0 };
    const struct column *key = NULL;
    struct key_anchor at = { .at = KEY_SET_BY_HAND };
    if (m->bookmark.len > 0 && key_bookmark_parse(r->arena, m->bookmark, &b, err) != 0)
        return -1;
    if (b.column.len == 0) {
        (void)error_set(err, ERR_CONFIG, "table '" STR_FMT "' is not read by key",
                        STR_ARG(m->table));
        err->hint = "`tailrace state NAME` lists the tables that have a bookmark.";
        return -1;
    }
    if (avro_schema_read(r->arena, m->schema_json, &live, err) != 0)
        return -1;
    for (unsigned i = 0; i < live.column_count; i++)
        if (str_ieq(live.columns[i].name, b.column))
            key = &live.columns[i];
    if (key == NULL)
        return error_set(err, ERR_CONFIG, "column '" STR_FMT "' is not in the copy",
                         STR_ARG(b.column));
    if (key_value_read(r->arena, key, value, &at.max, err) != 0)
        return -1;
    b.anchors = &at;
    b.anchor_count = 1;
    b.noted = clock_wall_us();
    b.from = b.to = (struct str){ 0 };
    *out = key_bookmark_format(r->arena, &b);
    return 0;
}

static int bookmark_in(struct reset *r, struct warehouse *w, struct str table,
                       struct str value, struct buf *was, struct error *err)
{
    struct mark_list marks = { 0 };
    struct key_bookmark before = { 0 };
    struct reset_request request = { .integration = r->integration->name,
                                     .target_schema = r->integration->target_schema,
                                     .set_bookmark = true };
    struct error ignored = { 0 };
    if (warehouse_marks(w, r->arena, r->integration->name, &marks, err) != 0)
        return -1;
    const struct stream_mark *m = find_stream(&marks, table, err);
    if (m == NULL || bookmark_at(r, m, value, &request.bookmark, err) != 0)
        return -1;
    request.database = m->database;
    request.table = m->table;
    if (key_bookmark_parse(r->arena, m->bookmark, &before, &ignored) == 0) {
        const struct key_anchor *start = key_bookmark_start(&before);
        if (start != NULL)
            buf_add_str(was, start->max);
    }
    return warehouse_reset(w, &request, err);
}

int reset_bookmark(struct state *s, const struct reset_order *o, struct str value,
                   struct cancel *c, struct buf *was, struct error *err)
{
    struct reset r = { .state = s, .integration = o->integration, .lock = -1 };
    struct warehouse *w = NULL;
    r.arena = arena_new((size_t)256 << 20);
    int rc = lock_spool(&r, o->data_dir, err);
    if (rc == 0)
        rc = check_spool_empty(&r, err);
    if (rc == 0) {
        w = open_destination(&r, c, err);
        rc = w == NULL ? -1 : bookmark_in(&r, w, o->table, value, was, err);
    }
    warehouse_close(w);
    reset_done(&r);
    return rc;
}

/* --- removing -------------------------------------------------------------------------
 */

/* A file that is not there holds nothing; none is made. */
static int remove_at_destination(struct reset *r, bool data, struct cancel *c,
                                 struct error *err)
{
    struct url_destination d = { 0 };
    struct reset_request request = { .integration = r->integration->name,
                                     .target_schema = r->integration->target_schema,
                                     .everything = data };
    if (url_parse_destination(r->arena, r->integration->destination, &d, err) != 0)
        return -1;
    if (access(arena_text(r->arena, d.location), F_OK) != 0 && errno == ENOENT)
        return 0;
    struct warehouse *w = open_destination(r, c, err);
    int rc = w == NULL ? -1 : warehouse_reset(w, &request, err);
    warehouse_close(w);
    if (rc == 0 || data)
        return rc;
    log_error(LOG_WARN, "unfinished copies stay in the destination", err);
    *err = (struct error){ 0 };
    return 0;
}

int reset_remove(struct state *s, const struct reset_order *o, bool data,
                 struct cancel *c, struct error *err)
{
    struct reset r = { .state = s, .integration = o->integration, .lock = -1 };
    r.arena = arena_new((size_t)256 << 20);
    int rc = lock_spool(&r, o->data_dir, err);
    if (rc == 0)
        rc = remove_at_destination(&r, data, c, err);
    FAULT("remove.destination");
    if (rc == 0)
        rc = file_remove_tree(r.spool, err);
    FAULT("remove.spool");
    if (rc == 0)
        rc = state_integration_remove(s, o->integration->name, err);
    reset_done(&r);
    return rc;
}
