/* binlog: what a binary log holds, decoded. */
#include "base/alloc.h"
#include "cli/cli.h"
#include "config/url.h"
#include "sync/probe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct option BINLOG_OPTIONS[] = {
    { "table", OPTION_TEXT, "", 0, 0, NULL,
      "Only rows of this table: TABLE or DATABASE.TABLE, with the patterns * and ?." },
    { "gtid", OPTION_TEXT, "", 0, 0, NULL,
      "Only the transaction of this GTID, as the server writes it." },
    { "since", OPTION_TEXT, "", 0, 0, NULL,
      "Only events from this time on: 'YYYY-MM-DD hh:mm:ss' in UTC." },
    { "until", OPTION_TEXT, "", 0, 0, NULL, "Only events before this time." },
    { "offset", OPTION_INT, "0", 0, 0, NULL,
      "Only events from this offset in the file on. Not for a server: see --start." },
    { "start", OPTION_TEXT, "", 0, 0, NULL,
      "At a server: begin at this log file, FILE or FILE:OFFSET; else at its oldest." },
    { "start_gtid", OPTION_TEXT, "", 0, 0, NULL,
      "At a server: begin behind these transactions: a set as MySQL writes it "
      "(UUID:1-7), a position as MariaDB writes it (0-1-7)." },
    { "follow", OPTION_BOOL, "false", 0, 0, NULL,
      "At a server: go on at the end of the log, until stopped." },
    { "full", OPTION_BOOL, "false", 0, 0, NULL,
      "Show statements whole, however long; with --json they always are." },
    { "row_limit", OPTION_BYTES, "64MiB", 1 << 20, 1 << 30, NULL,
      "The longest row, both its images, that is decoded; an event may be longer." },
    { 0 },
};

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

static int to_stdout(void *ctx, struct str text, struct error *err)
{
    (void)ctx;
    if (fwrite(text.ptr, 1, text.len, stdout) == text.len && fflush(stdout) == 0)
        return 0;
    if (errno == EPIPE) /* `| head` */
        return error_set(err, ERR_CANCELLED, "nobody reads the output any more");
    return error_set(err, ERR_IO, "standard output takes no more");
}

/* Options that say nothing about what was asked for are a mistake. */
static int check_options(const struct binlog_dump_options *o, bool is_source,
                         struct error *err)
{
    bool of_source = o->start.len > 0 || o->start_gtid.len > 0 || o->follow;
    if (!is_source && of_source) {
        (void)error_set(err, ERR_CONFIG, "%s is for the log of a server",
                        o->follow               ? "--follow"
                        : o->start_gtid.len > 0 ? "--start-gtid"
                                                : "--start");
        err->hint = "For a file use --offset, --gtid, --since and --until.";
        return -1;
    }
    if (is_source && o->offset > 0) {
        (void)error_set(err, ERR_CONFIG, "--offset is for a file");
        err->hint = "At a server write --start FILE:OFFSET.";
        return -1;
    }
    if (o->start.len > 0 && o->start_gtid.len > 0)
        return error_set(err, ERR_CONFIG, "--start and --start-gtid are both given");
    return 0;
}

static int of_source(struct cli *cli, const struct binlog_dump_options *o,
                     const struct binlog_dump_sink *sink, struct error *err)
{
    struct url_source source = { 0 };
    struct secret *in_url = NULL;
    CLEANUP(secret_free_at) struct secret *password = NULL;
    struct str url = arena_str(cli->arena, str_of(cli->operands[0]));
    (void)url_wipe_argument(cli->operands[0]);
    if (url_parse_source(cli->arena, url, &source, &in_url, err) != 0 ||
        cli_password(cli, in_url, &password, err) != 0)
        return -1;
    struct probe_request r = { .url = &source, .password = password };
    return probe_binlog_source(&r, o, sink, cli->cancel, err);
}

static int run_binlog(struct cli *cli, struct error *err)
{
    struct binlog_dump_options o = {
        .path = cli->operands[0],
        .start = option_text(cli->values, "start"),
        .start_gtid = option_text(cli->values, "start_gtid"),
        .follow = option_bool(cli->values, "follow"),
        .table = option_text(cli->values, "table"),
        .gtid = option_text(cli->values, "gtid"),
        .offset = (uint64_t)option_number(cli->values, "offset"),
        .row_limit = (size_t)option_number(cli->values, "row_limit"),
        .json = cli->json,
        .statements_whole = option_bool(cli->values, "full"),
    };
    struct binlog_dump_sink sink = { .write = to_stdout };
    bool is_source = strstr(o.path, "://") != NULL;
    if (check_options(&o, is_source, err) != 0 ||
        parse_time(cli->values, "since", &o.since, err) != 0 ||
        parse_time(cli->values, "until", &o.until, err) != 0)
        return -1;
    int rc = is_source ? of_source(cli, &o, &sink, err)
                       : probe_binlog(&o, &sink, cli->cancel, err);
    return rc == 0 ? EXIT_OK : -1;
}

const struct command cmd_binlog = {
    .name = "binlog",
    .operands = "FILE|SOURCE",
    .summary = "print the events and rows of a binary log",
    .text =
        "Decodes a binary log of MySQL 5.0 to 9.x, MariaDB or Aurora, from a file or as "
        "a "
        "server sends it to a replica: every event, and "
        "every row with its values. Checksums are verified, packed transactions and "
        "compressed events unpacked. What cannot be decoded ends it, with the event's "
        "type, file and offset; nothing is skipped in silence.\n\n"
        "Names, signs, charsets and labels are in the log only as far as the server "
        "wrote them (binlog_row_metadata): without names columns are @1, @2, ..., text "
        "is bytes, ENUM and SET are numbers.\n\n"
        "With --json every event and every row is an object on a line of its own.\n\n"
        "SOURCE is mysql://USER@HOST[:PORT]/[?OPTIONS]; `tailrace help sync` tells of "
        "them. The user needs REPLICATION SLAVE; REPLICATION CLIENT (MariaDB: BINLOG "
        "MONITOR) makes errors say which logs there are. Offsets then come with the "
        "server's file, as --start takes them. Without --follow it ends at the end of "
        "the log. While it runs, the server lists it under SHOW REPLICAS as "
        "'tailrace'.\n\n"
        "Examples:\n"
        "  tailrace binlog mysql-bin.000042\n"
        "  tailrace binlog mysql-bin.000042 --table 'shop.orders' --since '2026-03-01 "
        "12:00:00'\n"
        "  tailrace binlog mysql-bin.000042 --json > events.ndjson\n"
        "  tailrace binlog mysql://replica@db.example.com/ --start "
        "mysql-bin.000042:1287\n"
        "  tailrace binlog mysql://replica@db.example.com/ --start-gtid "
        "0-1-4711 --follow\n",
    .options = BINLOG_OPTIONS,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_binlog,
};
