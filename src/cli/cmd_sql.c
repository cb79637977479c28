/* sql: ask the copy, through the process that owns the file. */
#include "base/alloc.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/rows_print.h"
#include "config/url.h"
#include "warehouse/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The longest statement read from standard input. */
#define STATEMENT_BYTES ((size_t)1 << 20)

/* Rows of a table for people when --limit says nothing. */
#define TABLE_ROWS 1000

static const char *const FORMATS[] = { "auto", "table", "csv", "json", "ndjson", NULL };

static const struct option SQL_OPTIONS[] = {
    { "name", OPTION_TEXT, "", 0, 0, NULL,
      "Ask the destination of this integration; may be left out when all that have "
      "tables load into one file." },
    { "destination", OPTION_TEXT, "", 0, 0, NULL,
      "Ask this database: duckdb:PATH. It must exist." },
    { "format", OPTION_CHOICE, "auto", 0, 0, FORMATS,
      "How rows are written; auto is a table, with --json an array of objects." },
    { "limit", OPTION_INT, "0", 0, 0, NULL,
      "Most rows that are written; 0 means 1000 in a table and all otherwise." },
    { "timeout", OPTION_DURATION, "0", 0, 0, NULL,
      "How long the statement may run; 0 means as long as it takes." },
    { 0 },
};

/* --- which database
 * ---------------------------------------------------------------------- */

/* Whether a run of it ever came as far as a table. */
static int has_tables(struct cli *cli, struct state *s, const struct integration *i,
                      struct error *err)
{
    struct job_row *jobs = NULL;
    struct report_row *rows = NULL;
    size_t job_count = 0, count = 0;
    struct job_page newest = { .integration = i->name, .limit = 20 };
    if (state_job_list(s, cli->arena, &newest, &jobs, &job_count, err) != 0)
        return -1;
    for (size_t j = 0; j < job_count && count == 0; j++)
        if (jobs[j].outcome == JOB_RUNNING)
            return 1;
        else if (state_report_list(s, cli->arena, jobs[j].id, &rows, &count, err) != 0)
            return -1;
    return count > 0;
}

/* Leave those that have something to ask, and one of each file; when none has, all. */
static int drop_empty(struct cli *cli, struct state *s, struct integration *all,
                      size_t *count, struct error *err)
{
    struct integration *kept = ARENA_ARRAY(cli->arena, struct integration, *count);
    size_t n = 0;
    for (size_t i = 0; i < *count; i++) {
        int has = has_tables(cli, s, &all[i], err);
        if (has < 0)
            return -1;
        for (size_t k = 0; k < n; k++)
            if (str_eq(kept[k].destination, all[i].destination))
                has = 0;
        if (has == 1)
            kept[n++] = all[i];
    }
    for (size_t i = 0; i < n; i++)
        all[i] = kept[i];
    if (n > 0)
        *count = n;
    return 0;
}

/* The only integration there is. */
static int only_integration(struct cli *cli, struct state *s, struct integration *out,
                            struct error *err)
{
    struct integration *all = NULL;
    size_t count = 0;
    if (state_integration_list(s, cli->arena, &all, &count, err) != 0)
        return -1;
    if (count > 1 && drop_empty(cli, s, all, &count, err) != 0)
        return -1;
    if (count == 1) {
        *out = all[0];
        return 0;
    }
    CLEANUP(buf_done) struct buf names;
    buf_init(&names, 300);
    for (size_t i = 0; i < count && !names.failed; i++)
        buf_printf(&names, "%s'" STR_FMT "'", i == 0 ? "" : ", ", STR_ARG(all[i].name));
    if (count == 0)
        (void)error_set(err, ERR_CONFIG, "no integration is recorded in '%s'",
                        cli->data_dir);
    else
        (void)error_set(err, ERR_CONFIG,
                        "there are several databases to ask, those of %s",
                        buf_text(&names));
    err->hint = "Say which database to ask: --name NAME or --destination duckdb:PATH.";
    return -1;
}

static int destination_text(struct cli *cli, struct str *out, struct error *err)
{
    struct integration i = { 0 };
    struct str name = option_text(cli->values, "name");
    *out = option_text(cli->values, "destination");
    if (out->len > 0 && name.len > 0) {
        (void)error_set(err, ERR_CONFIG, "--name and --destination exclude each other");
        err->hint = "Give one of them.";
        return -1;
    }
    if (out->len > 0)
        return 0;
    struct state *s = cli_state(cli, err);
    if (s == NULL)
        return -1;
    int rc = name.len > 0 ? cli_integration(cli, s, name, &i, err)
                          : only_integration(cli, s, &i, err);
    state_close(s);
    *out = i.destination;
    return rc;
}

static int find_database(struct cli *cli, struct url_destination *out, struct error *err)
{
    struct str text = { 0 };
    if (destination_text(cli, &text, err) != 0 ||
        url_parse_destination(cli->arena, text, out, err) != 0)
        return -1;
    if (!str_eq(out->scheme, STR("duckdb")))
        return error_set(err, ERR_CONFIG,
                         "a destination of kind '" STR_FMT "' has no sql",
                         STR_ARG(out->scheme));
    if (access(arena_text(cli->arena, out->location), F_OK) == 0)
        return 0;
    (void)error_set(err, ERR_CONFIG, "there is no database '" STR_FMT "'",
                    STR_ARG(out->location));
    err->hint = "Check the path; `tailrace sync` makes the file.";
    return -1;
}

/* --- asking
 * ------------------------------------------------------------------------------ */

/* "-": the whole of standard input. */
static int read_statement(struct cli *cli, struct str *out, struct error *err)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, STATEMENT_BYTES);
    *out = str_of(cli->operands[0]);
    if (!str_eq(*out, STR("-")))
        return 0;
    for (;;) {
        char part[4096];
        ssize_t n = read(STDIN_FILENO, part, sizeof part);
        if (n < 0 && errno != EINTR)
            return error_set(err, ERR_IO, "standard input cannot be read");
        if (n == 0 || cancel_check(cli->cancel, err) != 0)
            break;
        if (n > 0)
            buf_add(&text, part, (size_t)n);
    }
    if (err->code != ERR_NONE || buf_check(&text, "the statement", err) != 0)
        return -1;
    *out = arena_str(cli->arena, buf_str(&text));
    return 0;
}

static enum rows_format format_of(const struct cli *cli)
{
    int64_t asked = option_number(cli->values, "format");
    if (asked == 0)
        return cli->json ? ROWS_JSON : ROWS_TABLE;
    static_assert(ROWS_NDJSON == 3, "choices are in the enum's order behind auto");
    return (enum rows_format)(asked - 1);
}

struct output {
    bool closed; /* the reader of our output has gone: `| head` */
};

static int write_rows(void *ctx, struct buf *out, struct error *err)
{
    struct output *o = ctx;
    cli_write(out);
    if (ferror(stdout) == 0)
        return 0;
    o->closed = true;
    return error_set(err, ERR_CANCELLED, "nobody reads the output any more");
}

static void tell_waiting(void *ctx, struct str who)
{
    bool *told = ctx;
    if (!*told)
        log_event(LOG_WARN, "the database is held by another program, waiting for it",
                  F_STR("held_by", who));
    *told = true;
}

static int ask(struct cli *cli, const struct url_destination *d, struct str sql,
               struct rows_print *rows, struct error *err)
{
    bool told = false, truncated = false;
    struct warehouse_options o = { .settings = d->settings,
                                   .setting_count = d->setting_count,
                                   .idle_us = 2 * 1000 * 1000,
                                   .waiting = tell_waiting,
                                   .ctx = &told };
    struct query_limits limits = { .time_us = option_number(cli->values, "timeout"),
                                   .rows =
                                       (uint64_t)option_number(cli->values, "limit") };
    struct query_reader reader = { rows_print_row, rows };
    if (limits.rows == 0 && format_of(cli) == ROWS_TABLE)
        limits.rows = TABLE_ROWS;
    struct warehouse *w =
        warehouse_open(arena_text(cli->arena, d->location), &o, cli->cancel, err);
    int rc = w == NULL ? -1 : warehouse_query(w, sql, &limits, &reader, &truncated, err);
    struct error ignored = { 0 };
    if (w != NULL) /* the file is free at once when nobody else of ours uses it */
        (void)warehouse_release(w, &ignored);
    warehouse_close(w);
    if (rc == 0)
        rc = rows_print_end(rows, err);
    if (rc == 0 && truncated)
        log_event(LOG_WARN,
                  "there are more rows than were written; --limit says how many",
                  F_UINT("limit", limits.rows));
    return rc;
}

static int run_sql(struct cli *cli, struct error *err)
{
    struct url_destination d = { 0 };
    struct str sql = { 0 };
    struct output output = { 0 };
    if (read_statement(cli, &sql, err) != 0 || find_database(cli, &d, err) != 0)
        return -1;
    struct rows_print *rows = rows_print_new(format_of(cli), write_rows, &output);
    int rc = ask(cli, &d, sql, rows, err);
    rows_print_free(rows);
    if (rc != 0 && output.closed) {
        *err = (struct error){ 0 };
        return EXIT_OK;
    }
    if (rc != 0 && err->hint == NULL && strstr(err->text, "does not exist") != NULL)
        err->hint = "Tables are called as in shop.orders: the schema, then the table. "
                    "`tailrace sql \"SHOW ALL TABLES\"` lists them.";
    return rc == 0 ? EXIT_OK : -1;
}

const struct command cmd_sql = {
    .name = "sql",
    .operands = "STATEMENT",
    .summary = "query the copy, also while it is being written",
    .text =
        "Runs one statement that reads (SELECT, WITH, FROM, VALUES, SHOW, DESCRIBE, "
        "SUMMARIZE, EXPLAIN) in the DuckDB file of an integration, through the process "
        "that owns the file, so it works while a run loads. Statements that write, and "
        "functions that reach files or the network, are refused.\n\n"
        "Tables are in the schema named after the integration. A table on the screen "
        "cuts "
        "cells after 120 characters; the other formats do not. A STATEMENT of - is read "
        "from standard input. NULL is an empty field in CSV and null in JSON, where "
        "numbers keep every digit.\n\n"
        "Examples:\n"
        "  tailrace sql \"SELECT count(*) FROM shop.orders\"\n"
        "  tailrace sql \"SELECT * FROM shop.orders\" --format csv > orders.csv\n"
        "  tailrace sql \"SHOW ALL TABLES\" --destination duckdb:analytics.duckdb\n",
    .options = SQL_OPTIONS,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_sql,
};
