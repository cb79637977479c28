/* Statements in the log: what they do to their group, and to tables. */
#include "base/alloc.h"
#include "source/log_internal.h"

#define DDL_BYTES ((size_t)8 << 20)

static bool starts_with(struct str text, const char *words)
{
    size_t n = strlen(words);
    return text.len >= n && str_ieq((struct str){ text.ptr, n }, str_of(words));
}

static struct str bare(struct str text)
{
    text = str_trim(text);
    while (text.len > 0 && text.ptr[text.len - 1] == ';')
        text = str_trim((struct str){ text.ptr, text.len - 1 });
    return text;
}

/* --- groups ----------------------------------------------------------------------------
 */

static int xa_statement(struct log_reader *r, const struct event *e, struct str text,
                        struct error *err)
{
    struct arena *a = arena_new((size_t)1 << 20);
    struct str xid;
    struct str behind = str_trim((struct str){ text.ptr + 3, text.len - 3 });
    bool commit = starts_with(behind, "COMMIT");
    bool rollback = starts_with(behind, "ROLLBACK");
    int rc = 0;
    if (starts_with(behind, "START") || starts_with(behind, "BEGIN")) {
        r->group.begun = r->group.prepared = true;
    } else if ((commit || rollback) && !log_xa_parse(behind, a, &xid)) {
        rc = error_set(err, ERR_PROTOCOL, "an XA statement without a transaction id");
    } else if (rollback) {
        log_xa_forget(r, xid);
        rc = log_group_end(r, e, err);
    } else if (commit) {
        rc = log_group_end(r, e, err);
        if (rc == 0 && !r->group.known)
            rc = log_xa_commit(r, xid, err);
    }
    arena_free(a);
    return rc;
}

/* 1 the statement was about the transaction, 0 it was not, -1. */
static int control(struct log_reader *r, const struct event *e, struct str text,
                   struct error *err)
{
    text = bare(text);
    if (str_ieq(text, STR("BEGIN")) || starts_with(text, "START TRANSACTION")) {
        r->group.begun = true;
        return 1;
    }
    if (str_ieq(text, STR("COMMIT")))
        return log_group_end(r, e, err) == 0 ? 1 : -1;
    if (starts_with(text, "ROLLBACK")) {
        log_group_undo(r, "a transaction with its rows was rolled back");
        bool whole =
            str_ieq(text, STR("ROLLBACK")) || str_ieq(text, STR("ROLLBACK WORK"));
        return !whole || log_group_end(r, e, err) == 0 ? 1 : -1;
    }
    if (starts_with(text, "SAVEPOINT ") || starts_with(text, "RELEASE SAVEPOINT "))
        return 1;
    if (starts_with(text, "XA "))
        return xa_statement(r, e, text, err) == 0 ? 1 : -1;
    return 0;
}

/* --- tables ----------------------------------------------------------------------------
 */

void log_lose_all(struct log_reader *r, const char *why)
{
    r->classes = LOG_CLASS_ROWS;
    for (uint32_t i = 0; i < r->watch_cap; i++) {
        struct log_watch *w = r->watches[i];
        if (w != NULL && log_watch_counts(r, w))
            log_change(r, w, LOG_LOST, "%s", why);
    }
    r->classes = 0;
}

static uint64_t file_number(const char *file)
{
    uint64_t n = 0;
    const char *dot = strrchr(file, '.');
    return dot != NULL && str_to_u64(str_of(dot + 1), &n) ? n : 0;
}

/* The shape that is known was read behind this place: what comes here is in it already,
 * and what it did alone cannot be told. */
static bool was_seen(const struct log_reader *r, const struct log_watch *w)
{
    const struct binlog_place *p = r->feed->type->place(r->feed);
    if (w->seen.file[0] == '\0')
        return false;
    uint64_t here = file_number(p->file);
    uint64_t seen = file_number(w->seen.file);
    return here < seen || (here == seen && p->offset < w->seen.offset);
}

static const struct catalog_table *only_table(const struct catalog *c)
{
    for (size_t i = 0; i < c->database_count; i++)
        if (c->databases[i].table_count > 0)
            return &c->databases[i].tables[0];
    return NULL;
}

/* The statement changed columns in a way that may leave rows alone: look. */
static int take_shape(struct log_reader *r, struct log_watch *w, const struct ddl *d,
                      struct error *err)
{
    CLEANUP(buf_done) struct buf why;
    CLEANUP(arena_free_at) struct arena *a = arena_new(DDL_BYTES);
    struct log_fills fills = { .arena = a };
    struct log_end end = { 0 };
    struct error own = { 0 };
    buf_init(&why, 400);
    if (w->names == LOG_NAMES_NOT_TOLD || was_seen(r, w)) {
        log_change(r, w, LOG_LOST,
                   w->names == LOG_NAMES_NOT_TOLD
                       ? "its columns were changed, and the log does not tell their names"
                       : "its columns were changed again before they could be looked at");
        return 0;
    }
    struct catalog *c = r->feed->type->find(r->feed, &w->found->schema, &end, &own);
    if (c == NULL && own.code != ERR_SCHEMA) {
        *err = own;
        return -1;
    }
    const struct catalog_table *now = c == NULL ? NULL : only_table(c);
    if (now == NULL) {
        log_change(r, w, LOG_LOST, "its columns were changed, and then: %s", own.text);
    } else if (!log_shape_follows(w->found, now, d, &fills, &why)) {
        log_change(r, w, LOG_LOST, "%s", buf_text(&why));
    } else if (fills.count > 0 || !schema_same_shape(&w->found->schema, &now->schema)) {
        uint32_t number = w->number;
        log_watch_replace(r, w, now);
        r->watches[number]->seen = end;
        log_change(r, r->watches[number], LOG_SHAPED, "its columns were changed");
        log_change_fills(r, &fills);
    } else {
        w->seen = end;
    }
    catalog_free(c);
    return 0;
}

static int apply(struct log_reader *r, struct log_watch *w, const struct ddl *d,
                 struct str sql, struct error *err)
{
    const char *why = "";
    bool fold = r->feed->type->server(r->feed)->fold_names;
    int rc = 0;
    enum log_effect effect = log_ddl_effect(d, sql, w->found, fold, &why);
    r->classes = log_classes_of(d, effect);
    switch (effect) {
    case LOG_NO_EFFECT:
        break;
    case LOG_EFFECT_TRUNCATED:
        log_change(r, w, LOG_TRUNCATED, "the table was truncated");
        break;
    case LOG_EFFECT_GONE:
        log_change(r, w, LOG_GONE, "%s", why);
        break;
    case LOG_EFFECT_LOST:
        log_change(r, w, LOG_LOST, "%s", why);
        break;
    case LOG_EFFECT_SHAPED:
        rc = take_shape(r, w, d, err);
        break;
    }
    r->classes = 0;
    return rc;
}

/* Tables that are new by name, for selections by pattern. */
static void tell_created(struct log_reader *r, const struct ddl *d)
{
    bool create = d->verb == DDL_CREATE_TABLE;
    if (d->class != DDL_TABLES || d->temporary ||
        (!create && d->verb != DDL_RENAME_TABLE && d->verb != DDL_ALTER_TABLE))
        return;
    for (uint32_t i = 0; i < d->table_count; i++) {
        const struct ddl_table *t = &d->tables[i];
        if (t->role != (create ? DDL_SUBJECT : DDL_NEW_NAME) ||
            log_watch_find(r, t->database, t->name) != NULL)
            continue;
        log_change(r, NULL, LOG_CREATED, STR_FMT "." STR_FMT, STR_ARG(t->database),
                   STR_ARG(t->name));
    }
}

static int statement(struct log_reader *r, const struct query_event *q, struct str text,
                     struct error *err)
{
    struct arena *a = arena_new(DDL_BYTES);
    struct ddl d;
    int rc = 0;
    ddl_read(a, text, q->database, log_ddl_mode(q, r->mariadb), &d);
    if (d.class != DDL_HARMLESS) {
        tell_created(r, &d);
        for (uint32_t i = 0; rc == 0 && i < r->watch_cap; i++) {
            struct log_watch *w = r->watches[i];
            if (w != NULL && log_watch_counts(r, w))
                rc = apply(r, w, &d, text, err);
        }
    }
    arena_free(a);
    return rc;
}

int log_query(struct log_reader *r, const struct event *e, struct error *err)
{
    struct query_event q;
    struct str text;
    struct binlog *log = r->feed->type->binlog(r->feed);
    buf_clear(&r->unpacked);
    if (event_read_query(e->header.type, e->body, binlog_format(log), &r->unpacked, &q,
                         err) != 0)
        return -1;
    bool readable = log_ddl_text(&q, r->type.family, &r->text, &text) &&
                    !(q.unknown_vars && (!q.has_charsets || !q.has_sql_mode));
    int done = control(r, e, text, err);
    if (done != 0)
        return done < 0 ? -1 : 0;
    if (r->group.known)
        return r->group.begun ? 0 : log_group_end(r, e, err);
    if (!readable)
        log_lose_all(r, "a statement in the log is not understood (its character set); "
                        "it may have changed any table");
    else if (statement(r, &q, text, err) != 0)
        return -1;
    return r->group.begun ? 0 : log_group_end(r, e, err);
}
