/* See binlog_dump.h. */
#include "source/binlog_dump.h"

#include "base/alloc.h"
#include "mysql/dump.h"
#include "mysql/log_status.h"
#include "source/binlog_print.h"
#include "source/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* What is written at a time. */
#define FLUSH_BYTES ((size_t)256 << 10)

/* A person waits for the connection. */
#define PATIENCE_US (3 * 1000 * 1000)

struct dumper {
    struct binlog *log;           /* borrowed from one of these: */
    struct binlog *of_file;       /* owned; NULL at a server */
    struct dump *of_server;       /* owned; NULL in a file */
    struct table_maps *maps;      /* owned */
    struct rows_reader *reader;   /* owned */
    struct value *before, *after; /* owned: of cell_count cells */
    size_t cell_count;
    struct buf out, scratch; /* owned */
    const struct binlog_dump_options *o;
    struct binlog_dump_sink sink;
    bool in_gtid; /* the transaction that was asked for is being read */
    struct binlog_print print;
    struct type_options type;
};

/* --- filters --------------------------------------------------------------------------
 */

static bool table_passes(const struct binlog_dump_options *f, const struct table_map *m)
{
    if (f->table.len == 0 || str_glob(f->table, m->name, false))
        return true;
    CLEANUP(buf_done) struct buf name;
    buf_init(&name, m->database.len + m->name.len + 2);
    buf_add_str(&name, m->database);
    buf_add_char(&name, '.');
    buf_add_str(&name, m->name);
    return str_glob(f->table, buf_str(&name), false);
}

/* A GTID begins a transaction: is it the one? */
static int follow_gtid(struct dumper *d, const struct event *e, struct error *err)
{
    CLEANUP(buf_done) struct buf text;
    struct maria_gtid_event maria;
    struct gtid_event g;
    uint8_t type = e->header.type;
    buf_init(&text, 128);
    switch (type) {
    case MARIA_GTID_EVENT:
        if (event_read_maria_gtid(e->body, &maria, err) != 0)
            return -1;
        binlog_print_maria_gtid(&text, &maria, e->header.server_id);
        break;
    case GTID_EVENT:
    case GTID_TAGGED_EVENT:
        if (event_read_gtid(type, e->body, &g, err) != 0)
            return -1;
        binlog_print_gtid(&text, &g);
        break;
    case ANONYMOUS_GTID_EVENT:
    case ROTATE_EVENT:
    case STOP_EVENT:
        break;
    default:
        return 0;
    }
    d->in_gtid = text.len > 0 && str_ieq(d->o->gtid, buf_str(&text));
    return 0;
}

static bool event_passes(const struct dumper *d, const struct event *e)
{
    const struct binlog_dump_options *f = d->o;
    if (d->of_server != NULL && !dump_place(d->of_server)->real)
        return false;
    if (e->offset < f->offset || (f->gtid.len > 0 && !d->in_gtid))
        return false;
    if (f->since != 0 && e->header.timestamp < f->since)
        return false;
    return f->until == 0 || e->header.timestamp < f->until;
}

/* --- rows -----------------------------------------------------------------------------
 */

static void drop_plan(void *plan)
{
    rows_plan_free(plan);
}

static struct rows_plan *plan_of(struct dumper *d, struct table_map *m, struct error *err)
{
    if (m->plan == NULL)
        m->plan = rows_plan_new(m, NULL, &d->type, err);
    if (m->column_count > d->cell_count) {
        d->cell_count = m->column_count;
        d->before = xreallocarray(d->before, d->cell_count, sizeof *d->before);
        d->after = xreallocarray(d->after, d->cell_count, sizeof *d->after);
    }
    return m->plan;
}

static int flush_out(struct dumper *d, size_t above, struct error *err)
{
    if (buf_check(&d->out, "the events as text (row_limit)", err) != 0)
        return -1;
    if (d->out.len <= above)
        return 0;
    if (d->sink.write(d->sink.ctx, buf_str(&d->out), err) != 0)
        return -1;
    buf_clear(&d->out);
    return 0;
}

static int print_rows(struct dumper *d, struct table_map *m, const struct event *e,
                      uint8_t kind, struct error *err)
{
    struct rows_plan *plan = plan_of(d, m, err);
    if (plan == NULL)
        return -1;
    struct binlog_row row = { .shape = rows_plan_shape(plan), .kind = kind };
    row.before = d->before;
    row.after = d->after;
    for (;;) {
        int got = rows_read_row(d->reader, plan, d->before, d->after, err);
        if (got <= 0)
            return got;
        row.number++;
        binlog_print_row(&d->print, e, &row);
        if (flush_out(d, FLUSH_BYTES, err) != 0)
            return -1;
    }
}

static int dump_rows(struct dumper *d, const struct event *e, struct error *err)
{
    struct rows_head head;
    if (rows_read_head(d->reader, e, binlog_body(d->log), binlog_format(d->log), &head,
                       err) != 0)
        return -1;
    struct table_map *m = table_maps_find(d->maps, head.table_id);
    if (m == NULL && head.column_count > 0)
        return error_set(err, ERR_PROTOCOL, "rows of table id %llu, which has no map",
                         (unsigned long long)head.table_id);
    if (event_passes(d, e) &&
        (m == NULL ? d->o->table.len == 0 : table_passes(d->o, m))) {
        binlog_print_rows(&d->print, e, &head, m);
        if (m != NULL && print_rows(d, m, e, head.kind, err) != 0)
            return -1;
    }
    if (head.flags & ROWS_STATEMENT_END)
        table_maps_end_statement(d->maps);
    return 0;
}

/* --- events ---------------------------------------------------------------------------
 */

static int dump_event(struct dumper *d, const struct event *e, struct error *err)
{
    const struct binlog_format *f = binlog_format(d->log);
    bool passes = d->o->table.len == 0;
    if (event_type_has_rows(e->header.type))
        return dump_rows(d, e, err);
    if (follow_gtid(d, e, err) != 0)
        return -1;
    if (e->header.type == FORMAT_DESCRIPTION_EVENT)
        table_maps_clear(d->maps);
    if (e->header.type == TABLE_MAP_EVENT) {
        struct table_map *m = table_maps_put(d->maps, e->body, f, err);
        if (m == NULL)
            return -1;
        passes = table_passes(d->o, m);
    }
    if (!passes || !event_passes(d, e))
        return 0;
    return binlog_print_event(&d->print, e, f, &d->scratch, err);
}

static int next_event(struct dumper *d, struct event *e, struct error *err)
{
    return d->of_server != NULL ? dump_next(d->of_server, e, err)
                                : binlog_next(d->of_file, e, err);
}

static int dump_all(struct dumper *d, struct cancel *c, struct error *err)
{
    struct event e;
    for (;;) {
        int got = next_event(d, &e, err);
        if (got <= 0)
            return got;
        if (cancel_requested(c) != CANCEL_NONE)
            return error_set(err, ERR_CANCELLED, "stopped");
        if (dump_event(d, &e, err) != 0)
            return error_wrap(err, "'%s' at %llu",
                              d->print.file != NULL ? d->print.file : d->o->path,
                              (unsigned long long)e.offset);
        bool now = d->of_server != NULL && dump_is_idle(d->of_server);
        if (flush_out(d, now ? 0 : FLUSH_BYTES, err) != 0)
            return -1;
    }
}

static void dump_init(struct dumper *d)
{
    size_t row_limit = d->o->row_limit;
    d->maps = table_maps_new(drop_plan);
    d->reader = rows_reader_new(row_limit);
    buf_init(&d->out, FLUSH_BYTES + row_limit * 8);
    buf_init(&d->scratch, row_limit);
    d->print = (struct binlog_print){ .out = &d->out,
                                      .json = d->o->json,
                                      .all = d->o->statements_whole };
    d->type = (struct type_options){ .bad_text = CHARSET_REJECT, .row_limit = row_limit };
}

static void dump_done(struct dumper *d)
{
    table_maps_free(d->maps);
    rows_reader_free(d->reader);
    binlog_free(d->of_file);
    dump_close(d->of_server);
    free(d->before);
    free(d->after);
    buf_done(&d->out);
    buf_done(&d->scratch);
}

/* What came before an error is still worth reading. */
static int dump_and_flush(struct dumper *d, struct cancel *c, struct error *err)
{
    struct error ignored = { 0 };
    int rc = dump_all(d, c, err);
    return flush_out(d, 0, rc == 0 ? err : &ignored) != 0 ? -1 : rc;
}

int binlog_dump_file(const struct binlog_dump_options *o,
                     const struct binlog_dump_sink *sink, struct cancel *c,
                     struct error *err)
{
    CLEANUP(dump_done) struct dumper d = { .o = o, .sink = *sink };
    CLEANUP(close_fd) int fd = open(o->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int sys = errno;
        (void)error_set(err, ERR_CONFIG, "'%s' cannot be opened", o->path);
        err->sys = sys;
        err->hint = "Give the path of a binary log file that you may read.";
        return -1;
    }
    struct binlog_options b = { .name = o->path,
                                .row_limit = o->row_limit,
                                .event_limit = o->row_limit };
    d.of_file = d.log = binlog_new(binlog_source_fd(&fd), 0, &b);
    dump_init(&d);
    return dump_and_flush(&d, c, err);
}

/* --- a server -------------------------------------------------------------------------
 */

#define LIST_BYTES ((size_t)64 << 20)

/* "binlog.000007:4711" */
static int parse_start(struct str text, struct dump_options *out, struct error *err)
{
    const char *colon = text.len > 0 ? memrchr(text.ptr, ':', text.len) : NULL;
    out->file = text;
    if (colon == NULL)
        return 0;
    out->file.len = (size_t)(colon - text.ptr);
    struct str offset = { colon + 1, text.len - out->file.len - 1 };
    if (out->file.len > 0 && str_to_u64(offset, &out->offset))
        return 0;
    (void)error_set(err, ERR_CONFIG, "'" STR_FMT "' is no place in a log", STR_ARG(text));
    err->hint = "Write it as FILE or FILE:OFFSET, such as binlog.000007:4711.";
    return -1;
}

/* Is there a log at all, and this file in it? Who may not see the list learns it from the
 * dump. */
static int check_file(struct session *s, struct str name, struct error *err)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new(LIST_BYTES);
    const struct log_file *files = NULL;
    size_t count = 0;
    if (log_files_read(s, a, &files, &count, err) != 0) {
        if (err->code != ERR_AUTH)
            return -1;
        *err = (struct error){ 0 };
        return 0;
    }
    if (count == 0) {
        (void)error_set(err, ERR_CONFIG, "the server writes no binary log");
        err->hint = "Switch it on at the server (log_bin) and restart it.";
        return -1;
    }
    for (size_t i = 0; i < count; i++)
        if (name.len == 0 || str_eq(name, files[i].name))
            return 0;
    (void)error_set(err, ERR_POSITION,
                    "the server has no log '" STR_FMT "': its logs are '" STR_FMT
                    "' to '" STR_FMT "'",
                    STR_ARG(name), STR_ARG(files[0].name),
                    STR_ARG(files[count - 1].name));
    err->hint =
        "Start at one of them. What was before is deleted; only a copy made of it "
        "has it, and `tailrace binlog FILE` reads that.";
    return -1;
}

static struct dump *open_dump(struct session *s, const struct binlog_dump_options *o,
                              struct error *err)
{
    struct gtid_set set = { 0 };
    struct gtid_maria_position position = { 0 };
    struct dump_options d = { .non_block = !o->follow,
                              .row_limit = o->row_limit,
                              .event_limit = o->row_limit };
    struct dump *dump = NULL;
    int rc = parse_start(o->start, &d, err);
    if (rc == 0 && o->start_gtid.len > 0 && session_is_mariadb(s)) {
        rc = gtid_maria_parse_position(o->start_gtid, &position, err);
        d.position = &position;
    } else if (rc == 0 && o->start_gtid.len > 0) {
        rc = gtid_set_parse(o->start_gtid, &set, err);
        d.gtids = &set;
    }
    if (rc == 0 && check_file(s, d.file, err) == 0)
        dump = dump_open(s, &d, err);
    gtid_set_done(&set);
    gtid_maria_done(&position);
    return dump;
}

static void close_session(struct session **s)
{
    source_disconnect(*s);
}

int binlog_dump_source(const struct source *s, const struct binlog_dump_options *o,
                       const struct binlog_dump_sink *sink, struct cancel *c,
                       struct error *err)
{
    /* The dump goes before its session. */
    CLEANUP(close_session)
    struct session *session = source_connect(s, PATIENCE_US, c, err);
    CLEANUP(dump_done) struct dumper d = { .o = o, .sink = *sink };
    if (session == NULL)
        return -1;
    d.of_server = open_dump(session, o, err);
    if (d.of_server == NULL)
        return -1;
    d.log = dump_binlog(d.of_server);
    dump_init(&d);
    d.print.file = dump_place(d.of_server)->file;
    return dump_and_flush(&d, c, err);
}
