/* binlog: what a binary log holds, decoded. */
#include "cli/cli.h"
#include "sync/probe.h"

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
      "Only events from this offset in the file on." },
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
    if (fwrite(text.ptr, 1, text.len, stdout) != text.len)
        return error_set(err, ERR_IO, "standard output takes no more");
    return 0;
}

static int run_binlog(struct cli *cli, struct error *err)
{
    struct binlog_dump_options o = {
        .path = cli->operands[0],
        .table = option_text(cli->values, "table"),
        .gtid = option_text(cli->values, "gtid"),
        .offset = (uint64_t)option_number(cli->values, "offset"),
        .row_limit = (size_t)option_number(cli->values, "row_limit"),
        .json = cli->json,
        .statements_whole = option_bool(cli->values, "full"),
    };
    struct binlog_dump_sink sink = { .write = to_stdout };
    if (parse_time(cli->values, "since", &o.since, err) != 0 ||
        parse_time(cli->values, "until", &o.until, err) != 0)
        return -1;
    int rc = probe_binlog(&o, &sink, cli->cancel, err);
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
