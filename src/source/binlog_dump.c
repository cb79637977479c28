/* See binlog_dump.h. */
#include "source/binlog_dump.h"

#include "base/alloc.h"
#include "source/binlog_print.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* What is written at a time. */
#define FLUSH_BYTES ((size_t)256 << 10)

struct dump {
    struct binlog *log;           /* owned */
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
static int follow_gtid(struct dump *d, const struct event *e, struct error *err)
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

static bool event_passes(const struct dump *d, const struct event *e)
{
    const struct binlog_dump_options *f = d->o;
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

static struct rows_plan *plan_of(struct dump *d, struct table_map *m, struct error *err)
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

static int flush_out(struct dump *d, size_t above, struct error *err)
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

static int print_rows(struct dump *d, struct table_map *m, const struct event *e,
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

static int dump_rows(struct dump *d, const struct event *e, struct error *err)
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

static int dump_event(struct dump *d, const struct event *e, struct error *err)
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

static int dump_all(struct dump *d, struct cancel *c, struct error *err)
{
    struct event e;
    for (;;) {
        int got = binlog_next(d->log, &e, err);
        if (got <= 0)
            return got;
        if (cancel_requested(c) != CANCEL_NONE)
            return error_set(err, ERR_CANCELLED, "stopped");
        if (dump_event(d, &e, err) != 0)
            return error_wrap(err, "'%s' at %llu", d->o->path,
                              (unsigned long long)e.offset);
        if (flush_out(d, FLUSH_BYTES, err) != 0)
            return -1;
    }
}

static void dump_init(struct dump *d, int *fd)
{
    size_t row_limit = d->o->row_limit;
    struct binlog_options o = { .name = d->o->path,
                                .row_limit = row_limit,
                                .event_limit = row_limit };
    d->log = binlog_new(binlog_source_fd(fd), 0, &o);
    d->maps = table_maps_new(drop_plan);
    d->reader = rows_reader_new(row_limit);
    buf_init(&d->out, FLUSH_BYTES + row_limit * 8);
    buf_init(&d->scratch, row_limit);
    d->print = (struct binlog_print){ .out = &d->out,
                                      .json = d->o->json,
                                      .all = d->o->statements_whole };
    d->type = (struct type_options){ .bad_text = CHARSET_REJECT, .row_limit = row_limit };
}

static void dump_done(struct dump *d)
{
    table_maps_free(d->maps);
    rows_reader_free(d->reader);
    binlog_free(d->log);
    free(d->before);
    free(d->after);
    buf_done(&d->out);
    buf_done(&d->scratch);
}

int binlog_dump_file(const struct binlog_dump_options *o,
                     const struct binlog_dump_sink *sink, struct cancel *c,
                     struct error *err)
{
    CLEANUP(dump_done) struct dump d = { .o = o, .sink = *sink };
    struct error ignored = { 0 };
    CLEANUP(close_fd) int fd = open(o->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int sys = errno;
        (void)error_set(err, ERR_CONFIG, "'%s' cannot be opened", o->path);
        err->sys = sys;
        err->hint = "Give the path of a binary log file that you may read.";
        return -1;
    }
    dump_init(&d, &fd);
    int rc = dump_all(&d, c, err);
    /* What came before an error is still worth reading. */
    return flush_out(&d, 0, rc == 0 ? err : &ignored) != 0 ? -1 : rc;
}
