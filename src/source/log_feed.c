/* A server's log and catalog for the log reader. */
#include "source/log_feed.h"

#include "base/alloc.h"
#include "mysql/dump.h"
#include "mysql/log_status.h"
#include "mysql/session.h"

#include <stdlib.h>

#define UUID_BYTES 64
#define EVENT_BYTES ((size_t)64 << 20) /* a statement may be longer than a row */

#define LOCK_WAIT_SECONDS "10"
#define NUMBER_LOCK_WAIT 1205u

/* Sessions that have nothing to do are closed by the server after wait_timeout; questions
 * are rare, so each has a session of its own. */
struct server_feed {
    struct log_feed feed;
    const struct source *source; /* borrowed */
    struct cancel *cancel;       /* borrowed */
    struct log_options options;
    struct session *session; /* owned: of the dump */
    struct dump *dump;       /* owned */
    struct log_server server;
    char uuid[UUID_BYTES];
    int64_t patience_us;
};

static struct server_feed *server_of(const struct log_feed *f)
{
    return (struct server_feed *)(uintptr_t)f; /* its first member */
}

static void shut(struct server_feed *s)
{
    dump_close(s->dump);
    s->dump = NULL;
    source_disconnect(s->session);
    s->session = NULL;
}

static void note_server(struct server_feed *s, struct session *session)
{
    const struct server_facts *facts = session_facts(session);
    size_t n = facts->server_uuid.len < UUID_BYTES ? facts->server_uuid.len : UUID_BYTES;
    if (n > 0)
        memcpy(s->uuid, facts->server_uuid.ptr, n);
    s->server.uuid = (struct str){ s->uuid, n };
    s->server.mariadb = session_is_mariadb(session);
    s->server.fold_names = facts->lower_case_table_names != 0;
}

static int server_open(struct log_feed *f, const struct log_start *start,
                       int64_t patience_us, struct error *err)
{
    struct server_feed *s = server_of(f);
    struct dump_options o = { .file = start->file,
                              .offset = start->offset,
                              .non_block = !s->options.follow,
                              .heartbeat_us = s->options.heartbeat_us,
                              .row_limit = s->options.row_limit,
                              .event_limit = EVENT_BYTES };
    if (o.row_limit > o.event_limit)
        o.event_limit = o.row_limit;
    shut(s);
    s->patience_us = patience_us;
    s->session = source_connect(s->source, patience_us, s->cancel, err);
    if (s->session == NULL)
        return -1;
    note_server(s, s->session);
    if (start->file.len == 0) {
        o.gtids = start->gtids;
        o.position = start->maria;
    }
    s->dump = dump_open(s->session, &o, err);
    return s->dump == NULL ? -1 : 0;
}

static int server_next(struct log_feed *f, struct event *e, struct error *err)
{
    return dump_next(server_of(f)->dump, e, err);
}

static struct binlog *server_binlog(struct log_feed *f)
{
    return dump_binlog(server_of(f)->dump);
}

static const struct binlog_place *server_place(const struct log_feed *f)
{
    return dump_place(server_of(f)->dump);
}

static const struct log_server *server_facts_of(const struct log_feed *f)
{
    return &server_of(f)->server;
}

static int server_sets(struct log_feed *f, struct arena *a, struct log_sets *out,
                       struct error *err)
{
    struct server_feed *s = server_of(f);
    struct session *q = source_connect(s->source, s->patience_us, s->cancel, err);
    if (q == NULL)
        return -1;
    note_server(s, q);
    int rc = session_query_text(q, a,
                                s->server.mariadb ? STR("SELECT @@GLOBAL.gtid_binlog_pos")
                                                  : STR("SELECT @@GLOBAL.gtid_executed"),
                                &out->executed, err);
    if (rc == 0)
        rc = log_purged_read(q, a, &out->purged, err);
    source_disconnect(q);
    return rc;
}

/* A transaction that has looked at the table keeps its metadata lock: a statement that
 * changes it has been logged before, or waits. */
static int hold_shape(struct session *q, const struct table_schema *t, struct error *err)
{
    CLEANUP(buf_done) struct buf sql;
    buf_init(&sql, 4096);
    buf_add_text(&sql, "SELECT 1 FROM ");
    session_quote_ident(&sql, t->database);
    buf_add_char(&sql, '.');
    session_quote_ident(&sql, t->name);
    buf_add_text(&sql, " LIMIT 0");
    if (session_exec(q, STR("SET SESSION lock_wait_timeout = " LOCK_WAIT_SECONDS), err) !=
            0 ||
        session_exec(q, STR("START TRANSACTION"), err) != 0)
        return -1;
    if (session_exec(q, buf_str(&sql), err) == 0)
        return 0;
    if (err->remote == NUMBER_LOCK_WAIT)
        err->code = ERR_SCHEMA;
    return -1;
}

static struct catalog *find_held(const struct server_feed *s, struct session *q,
                                 const struct table_schema *t, struct log_end *end,
                                 struct error *err)
{
    struct log_status status = { 0 };
    if (hold_shape(q, t, err) != 0)
        return NULL;
    struct catalog *c =
        source_discover_table(q, t->database, t->name, s->options.always_int, err);
    if (c == NULL)
        return NULL;
    if (log_status_read(q, c->arena, &status, err) != 0) {
        catalog_free(c);
        return NULL;
    }
    if (status.file.len > 0 && status.file.len <= BINLOG_NAME_MAX)
        memcpy(end->file, status.file.ptr, status.file.len);
    end->offset = status.offset;
    return c;
}

static struct catalog *server_find(struct log_feed *f, const struct table_schema *named,
                                   struct log_end *end, struct error *err)
{
    struct server_feed *s = server_of(f);
    *end = (struct log_end){ 0 };
    struct session *q = source_connect(s->source, s->patience_us, s->cancel, err);
    if (q == NULL)
        return NULL;
    struct catalog *c = find_held(s, q, named, end, err);
    source_disconnect(q);
    return c;
}

static int server_files(struct log_feed *f, struct arena *a, struct str **out,
                        size_t *count, struct error *err)
{
    struct server_feed *s = server_of(f);
    const struct log_file *files = NULL;
    struct session *q = source_connect(s->source, s->patience_us, s->cancel, err);
    if (q == NULL)
        return -1;
    int rc = log_files_read(q, a, &files, count, err);
    source_disconnect(q);
    if (rc != 0)
        return -1;
    *out = ARENA_ARRAY(a, struct str, *count + 1);
    for (size_t i = 0; i < *count; i++)
        (*out)[i] = files[i].name;
    return 0;
}

static struct log_feed *server_another(const struct log_feed *f)
{
    const struct server_feed *s = server_of(f);
    struct log_options o = s->options;
    o.follow = false;
    return log_feed_new(s->source, &o, s->cancel);
}

static void server_close(struct log_feed *f)
{
    struct server_feed *s = server_of(f);
    shut(s);
    free(s);
}

static const struct log_feed_type server_type = {
    .open = server_open,
    .next = server_next,
    .binlog = server_binlog,
    .place = server_place,
    .server = server_facts_of,
    .sets = server_sets,
    .find = server_find,
    .files = server_files,
    .another = server_another,
    .close = server_close,
};

struct log_feed *log_feed_new(const struct source *src, const struct log_options *o,
                              struct cancel *c)
{
    struct server_feed *s = xcalloc(1, sizeof *s);
    s->feed.type = &server_type;
    s->source = src;
    s->options = *o;
    s->cancel = c;
    return &s->feed;
}
