/* binlog: what a binary log holds, decoded. */
#include "base/alloc.h"
#include "cli/binlog_print.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What is written at a time. */
#define FLUSH_BYTES ((size_t)256 << 10)

static const struct option BINLOG_OPTIONS[] = {
    { "table", OPTION_TEXT, "", 0, 0, NULL,
      "Only rows of this table: TABLE or DATABASE.TABLE, with the patterns * and ?." },
    { "gtid", OPTION_TEXT, "", 0, 0, NULL,
      "Only the transaction of this GTID, as the server writes it." },
    { "since", OPTION_TEXT, "", 0, 0, NULL,
      "Only events from this time on: 'YYYY-MM-DD hh:mm:ss' in UTC." },
    { "until", OPTION_TEXT, "", 0, 0, NULL, "Only events before this time." },
    { "offset", OPTION_INT, "0", 0, 0, NULL,
      "Only events from this offset in the file on." },
    { "full", OPTION_BOOL, "false", 0, 0, NULL,
      "Show statements whole, however long; with --json they always are." },
    { "row_limit", OPTION_BYTES, "64MiB", 1 << 20, 1 << 30, NULL,
      "The longest row, both its images, that is decoded; an event may be longer." },
    { 0 },
};

struct filter {
    struct str table, gtid;
    uint64_t since, until; /* seconds since 1970; 0: none */
    uint64_t offset;
    bool in_gtid; /* the transaction that was asked for is being read */
};

struct dump {
    struct binlog *log;           /* owned */
    struct table_maps *maps;      /* owned */
    struct rows_reader *reader;   /* owned */
    struct value *before, *after; /* owned: of cell_count cells */
    size_t cell_count;
    struct buf out, scratch; /* owned */
    struct filter filter;
    struct binlog_print print;
    struct type_options type;
};

/* ------------------------------------------------------------------ filters */

static int parse_time(const struct option_values *v, const char *name, uint64_t *out,
                      struct error *err)
{
    struct str text = option_text(v, name);
    char copy[32] = { 0 };
    struct tm t = { 0 };
    if (text.len == 0)
        return 0;
    memcpy(copy, text.ptr, text.len < sizeof copy ? text.len : sizeof copy - 1);
    const char *end = strptime(copy, "%Y-%m-%d", &t);
    if (end != NULL && (*end == ' ' || *end == 'T'))
        end = strptime(end + 1, "%H:%M:%S", &t);
    if (end == NULL || *end != '\0' || t.tm_year < 70) {
        error_set(err, ERR_CONFIG, "'" STR_FMT "' is no time", STR_ARG(text));
        err->hint = "Write it as 'YYYY-MM-DD hh:mm:ss', in UTC.";
        return -1;
    }
    *out = (uint64_t)timegm(&t);
    return 0;
}

static int read_filter(const struct option_values *v, struct filter *f, struct error *err)
{
    *f = (struct filter){ .table = option_text(v, "table"),
                          .gtid = option_text(v, "gtid"),
                          .offset = (uint64_t)option_number(v, "offset") };
    if (parse_time(v, "since", &f->since, err) != 0)
        return -1;
    return parse_time(v, "until", &f->until, err);
}

static bool table_passes(const struct filter *f, const struct table_map *m)
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
    d->filter.in_gtid = text.len > 0 && str_ieq(d->filter.gtid, buf_str(&text));
    return 0;
}

static bool event_passes(const struct filter *f, const struct event *e)
{
    if (e->offset < f->offset || (f->gtid.len > 0 && !f->in_gtid))
        return false;
    if (f->since != 0 && e->header.timestamp < f->since)
        return false;
    return f->until == 0 || e->header.timestamp < f->until;
}

/* ------------------------------------------------------------------ rows */

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
    if (fwrite(buf_text(&d->out), 1, d->out.len, stdout) != d->out.len)
        return error_set(err, ERR_IO, "standard output takes no more");
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
    if (event_passes(&d->filter, e) &&
        (m == NULL ? d->filter.table.len == 0 : table_passes(&d->filter, m))) {
        binlog_print_rows(&d->print, e, &head, m);
        if (m != NULL && print_rows(d, m, e, head.kind, err) != 0)
            return -1;
    }
    if (head.flags & ROWS_STATEMENT_END)
        table_maps_end_statement(d->maps);
    return 0;
}

/* ------------------------------------------------------------------ events */

static int dump_event(struct dump *d, const struct event *e, struct error *err)
{
    const struct binlog_format *f = binlog_format(d->log);
    bool passes = d->filter.table.len == 0;
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
        passes = table_passes(&d->filter, m);
    }
    if (!passes || !event_passes(&d->filter, e))
        return 0;
    return binlog_print_event(&d->print, e, f, &d->scratch, err);
}

static int dump_all(struct dump *d, struct cli *cli, struct error *err)
{
    struct event e;
    for (;;) {
        int got = binlog_next(d->log, &e, err);
        if (got <= 0)
            return got;
        if (cancel_requested(cli->cancel))
            return error_set(err, ERR_CANCELLED, "stopped");
        if (dump_event(d, &e, err) != 0)
            return error_wrap(err, "'%s' at %llu", cli->operands[0],
                              (unsigned long long)e.offset);
        if (flush_out(d, FLUSH_BYTES, err) != 0)
            return -1;
    }
}

static void dump_init(struct dump *d, struct cli *cli, int *fd)
{
    size_t row_limit = (size_t)option_number(cli->values, "row_limit");
    struct binlog_options o = { .name = cli->operands[0],
                                .row_limit = row_limit,
                                .event_limit = row_limit };
    d->log = binlog_new(binlog_source_fd(fd), 0, &o);
    d->maps = table_maps_new(drop_plan);
    d->reader = rows_reader_new(row_limit);
    buf_init(&d->out, FLUSH_BYTES + row_limit * 8);
    buf_init(&d->scratch, row_limit);
    d->print = (struct binlog_print){ .out = &d->out,
                                      .json = cli->json,
                                      .all = option_bool(cli->values, "full") };
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

static int run_binlog(struct cli *cli, struct error *err)
{
    CLEANUP(dump_done) struct dump d = { 0 };
    struct error ignored = { 0 };
    if (read_filter(cli->values, &d.filter, err) != 0)
        return -1;
    CLEANUP(close_fd) int fd = open(cli->operands[0], O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int sys = errno;
        error_set(err, ERR_CONFIG, "'%s' cannot be opened", cli->operands[0]);
        err->sys = sys;
        err->hint = "Give the path of a binary log file that you may read.";
        return -1;
    }
    dump_init(&d, cli, &fd);
    int rc = dump_all(&d, cli, err);
    /* What came before an error is still worth reading. */
    if (flush_out(&d, 0, rc == 0 ? err : &ignored) != 0)
        rc = -1;
    (void)fflush(stdout); /* a closed pipe is not an error */
    return rc == 0 ? EXIT_OK : -1;
}

const struct command cmd_binlog = {
    .name = "binlog",
    .operands = "FILE",
    .summary = "print the events and rows of a binary log file",
    .text =
        "Decodes a binary log of MySQL 5.0 to 9.x, MariaDB or Aurora: every event, and "
        "every row with its values. Checksums are verified, packed transactions and "
        "compressed events unpacked. What cannot be decoded ends it, with the event's "
        "type, file and offset; nothing is skipped in silence.\n\n"
        "Names, signs, charsets and labels are in the log only as far as the server "
        "wrote them (binlog_row_metadata): without names columns are @1, @2, ..., text "
        "is bytes, ENUM and SET are numbers.\n\n"
        "With --json every event and every row is an object on a line of its own.\n\n"
        "Examples:\n"
        "  tailrace binlog mysql-bin.000042\n"
        "  tailrace binlog mysql-bin.000042 --table 'shop.orders' --since '2026-03-01 "
        "12:00:00'\n"
        "  tailrace binlog mysql-bin.000042 --json > events.ndjson\n",
    .options = BINLOG_OPTIONS,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_binlog,
};
