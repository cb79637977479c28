/* A log as `tailrace binlog --json` prints it, but with the shapes of a catalog:
 *
 *   TAILRACE_TEST_SOCKET=... flow_binlog_shapes LOG
 *
 * The server must have no database of the log's yet. Each statement that makes or changes
 * a table is executed there (not in its log), so the catalog is always that of the moment
 * that the rows come from. Tables stay empty. Rows of the past of system-versioned tables
 * are left out, as a SELECT leaves them out. */
#include "base/alloc.h"
#include "base/log.h"
#include "mysql/quote.h"
#include "server.h"
#include "source/binlog_print.h"
#include "source/discover.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ROW_BYTES ((size_t)64 << 20)

struct shapes {
    struct binlog *log;
    struct table_maps *maps;
    struct catalog *catalog; /* of the moment, or NULL */
    struct rows_reader *reader;
    struct value *before, *after;
    struct buf out, scratch;
    struct binlog_print print;
};

static void stop(const struct error *err, const char *what)
{
    (void)fprintf(stderr, "%s: %s\n", what, err->text);
    exit(1);
}

/* ---- statements ---- */

static bool begins_with(struct str sql, const char *word)
{
    struct str w = str_of(word);
    return sql.len >= w.len && str_ieq((struct str){ sql.ptr, w.len }, w);
}

static bool is_of_a_transaction(struct str sql)
{
    static const char *const words[] = { "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT",
                                         "XA " };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (begins_with(sql, words[i]))
            return true;
    return false;
}

static void drop_plan(void *plan)
{
    rows_plan_free(plan);
}

/* Every plan and shape is of before. */
static void forget(struct shapes *s)
{
    table_maps_clear(s->maps);
    catalog_free(s->catalog);
    s->catalog = NULL;
}

static void execute(struct shapes *s, const struct query_event *q)
{
    struct error err = { 0 };
    struct str tail = STR(" START TRANSACTION"); /* of CREATE TABLE ... SELECT */
    struct str sql = q->sql;
    CLEANUP(buf_done) struct buf use;
    forget(s);
    if (sql.len > tail.len &&
        str_ieq((struct str){ sql.ptr + sql.len - tail.len, tail.len }, tail))
        sql.len -= tail.len;
    buf_init(&use, 4096);
    buf_add_text(&use, "USE ");
    session_quote_ident(&use, q->database);
    if (q->database.len > 0 && !begins_with(sql, "CREATE DATABASE") &&
        session_exec(writer, buf_str(&use), &err) != 0)
        stop(&err, buf_text(&use));
    buf_clear(&use);
    buf_printf(&use, "SET SESSION sql_mode = %llu", (unsigned long long)q->sql_mode);
    if (session_exec(writer, buf_str(&use), &err) != 0 ||
        session_exec(writer, sql, &err) != 0)
        stop(&err, arena_text(arena_new(ROW_BYTES), sql));
}

static void read_query(struct shapes *s, const struct event *e)
{
    struct error err = { 0 };
    struct query_event q;
    CLEANUP(buf_done) struct buf unpacked;
    buf_init(&unpacked, ROW_BYTES);
    if (event_read_query(e->header.type, e->body, binlog_format(s->log), &unpacked, &q,
                         &err) != 0)
        stop(&err, "a statement");
    if (!is_of_a_transaction(q.sql))
        execute(s, &q);
}

/* ---- rows ---- */

static const struct table_schema *shape_of(struct shapes *s, const struct table_map *m)
{
    struct error err = { 0 };
    struct discover_request all = { 0 };
    if (s->catalog == NULL)
        s->catalog = source_discover(reader, &all, &err);
    if (s->catalog == NULL)
        stop(&err, "discovery");
    const struct catalog_table *t = catalog_find(s->catalog, m->database, m->name, false);
    (void)error_set(&err, ERR_SCHEMA, "it is not there");
    if (t == NULL)
        stop(&err, arena_text(m->arena, m->name));
    return &t->schema;
}

static struct rows_plan *plan_of(struct shapes *s, struct table_map *m)
{
    struct error err = { 0 };
    struct type_options o = { .family = m->family,
                              .bad_text = CHARSET_REJECT,
                              .row_limit = ROW_BYTES };
    if (m->plan == NULL)
        m->plan = rows_plan_new(m, shape_of(s, m), &o, &err);
    if (m->plan == NULL)
        stop(&err, "the plan");
    return m->plan;
}

static void flush_out(struct shapes *s)
{
    (void)fwrite(s->out.data, 1, s->out.len, stdout);
    buf_clear(&s->out);
}

static void print_row(struct shapes *s, const struct event *e,
                      const struct rows_plan *plan, struct binlog_row *row)
{
    bool before = row->kind != ROWS_INSERT && !rows_is_past(plan, false);
    bool after = row->kind != ROWS_DELETE && !rows_is_past(plan, true);
    struct binlog_row now = *row;
    now.kind = before && after ? ROWS_UPDATE : before ? ROWS_DELETE : ROWS_INSERT;
    if (before || after)
        binlog_print_row(&s->print, e, &now);
    flush_out(s);
}

static void read_rows(struct shapes *s, const struct event *e)
{
    struct error err = { 0 };
    struct rows_head head;
    if (rows_read_head(s->reader, e, binlog_body(s->log), binlog_format(s->log), &head,
                       &err) != 0)
        stop(&err, "the head of rows");
    struct table_map *m = table_maps_find(s->maps, head.table_id);
    if (m == NULL) {
        (void)error_set(&err, ERR_PROTOCOL, "rows without a map");
        stop(&err, "rows");
    }
    struct rows_plan *plan = plan_of(s, m);
    struct binlog_row row = { .shape = rows_plan_shape(plan), .kind = head.kind };
    row.before = s->before;
    row.after = s->after;
    for (int got; (got = rows_read_row(s->reader, plan, s->before, s->after, &err)) != 0;
         row.number++) {
        if (got < 0)
            stop(&err, "a row");
        print_row(s, e, plan, &row);
    }
}

static void read_event(struct shapes *s, const struct event *e)
{
    struct error err = { 0 };
    uint8_t type = e->header.type;
    if (event_type_has_rows(type)) {
        read_rows(s, e);
        return;
    }
    if (type == QUERY_EVENT || type == MARIA_QUERY_COMPRESSED_EVENT)
        read_query(s, e);
    if (type == TABLE_MAP_EVENT &&
        table_maps_put(s->maps, e->body, binlog_format(s->log), &err) == NULL)
        stop(&err, "a table map");
    if (binlog_print_event(&s->print, e, binlog_format(s->log), &s->scratch, &err) != 0)
        stop(&err, "an event");
    flush_out(s);
}

int main(int argc, char **argv)
{
    struct error err = { 0 };
    struct shapes s = { 0 };
    struct event e;
    int got;
    if (argc != 2 || !server_is_named())
        return 2;
    int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 2;
    log_open(LOG_TEXT, LOG_ERROR);
    connect_both();
    run("SET SESSION sql_log_bin = 0");
    struct binlog_options o = { .name = argv[1],
                                .row_limit = ROW_BYTES,
                                .event_limit = ROW_BYTES };
    s.log = binlog_new(binlog_source_fd(&fd), 0, &o);
    s.maps = table_maps_new(drop_plan);
    s.reader = rows_reader_new(ROW_BYTES);
    s.before = xcalloc(TABLE_MAP_COLUMNS_MOST, sizeof *s.before);
    s.after = xcalloc(TABLE_MAP_COLUMNS_MOST, sizeof *s.after);
    buf_init(&s.out, ROW_BYTES * 8);
    buf_init(&s.scratch, ROW_BYTES);
    s.print = (struct binlog_print){ .out = &s.out, .json = true };
    while ((got = binlog_next(s.log, &e, &err)) > 0)
        read_event(&s, &e);
    if (got < 0)
        stop(&err, argv[1]);
    forget(&s);
    table_maps_free(s.maps);
    rows_reader_free(s.reader);
    binlog_free(s.log);
    free(s.before);
    free(s.after);
    buf_done(&s.out);
    buf_done(&s.scratch);
    session_close(writer);
    session_close(reader);
    (void)close(fd);
    return 0;
}
