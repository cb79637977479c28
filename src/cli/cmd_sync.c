/* sync, run and reset: the commands that change the destination. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/report_print.h"
#include "config/url.h"
#include "sync/integration.h"
#include "sync/job.h"
#include "sync/probe.h"
#include "sync/reset.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum exit_code exit_of_outcome(enum job_outcome o)
{
    switch (o) {
    case JOB_SUCCEEDED:
        return EXIT_OK;
    case JOB_PARTIAL:
        return EXIT_PARTIAL;
    case JOB_STOPPED:
        return EXIT_STOPPED;
    case JOB_RUNNING:
    case JOB_FAILED:
    case JOB_DIED:
        return EXIT_BUG;
    }
    return EXIT_BUG;
}

static int print_report(struct cli *cli, struct state *s, int64_t job, struct error *err)
{
    struct job_row *jobs = NULL;
    struct report_row *rows = NULL;
    size_t job_count = 0, count = 0;
    struct job_page newest = { .limit = 100 };
    if (state_job_list(s, cli->arena, &newest, &jobs, &job_count, err) != 0 ||
        state_report_list(s, cli->arena, job, &rows, &count, err) != 0)
        return -1;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, (size_t)256 << 20);
    for (size_t i = 0; i < job_count; i++) {
        if (jobs[i].id != job)
            continue;
        if (!cli->json) /* it is told last, on standard error */
            jobs[i].error = jobs[i].hint = (struct str){ 0 };
        report_print(&text, &jobs[i], rows, count, cli->json);
    }
    cli_write(&text);
    return 0;
}

/* What a run is about: all of the integration, or the part that these say. */
struct run_part {
    const struct str *tables; /* patterns */
    size_t table_count;
    struct str where;
    bool follow;
};

/* A hint with a command of this integration gives it as it is to be typed. */
static void name_in_hint(struct cli *cli, struct str name, struct error *err)
{
    static const char stands_for_it[] = "reset NAME`";
    const char *at = err->hint == NULL ? NULL : strstr(err->hint, stands_for_it);
    if (at == NULL)
        return;
    err->hint = arena_text(cli->arena,
                           arena_printf(cli->arena, "%.*sreset " STR_FMT "`%s",
                                        (int)(at - err->hint), err->hint, STR_ARG(name),
                                        at + sizeof stands_for_it - 1));
}

static int run_job(struct cli *cli, struct state *s, const struct integration *i,
                   const struct secret *password, const struct run_part *part,
                   struct error *err)
{
    struct sync_options options = { 0 };
    struct job_result result = { 0 };
    struct option_values *values = integration_options(cli->arena, i, &options, err);
    if (values == NULL)
        return -1;
    struct progress *p =
        progress_begin(option_bool(cli->common, "quiet") ||
                       option_number(cli->common, "log_level") > LOG_INFO);
    struct job_request r = { .integration = *i,
                             .data_dir = cli->data_dir,
                             .password = password,
                             .options = &options,
                             .only = part->tables,
                             .only_count = part->table_count,
                             .backfill = part->where,
                             .follow = part->follow,
                             .progress = progress_tell,
                             .ctx = p };
    int rc = job_run(s, &r, cli->cancel, &result, err);
    progress_end(p);
    option_values_free(values);
    struct error late = { 0 };
    if (result.job_id != 0 && print_report(cli, s, result.job_id, &late) != 0)
        log_error(LOG_WARN, "the report cannot be shown", &late);
    if (rc == 0)
        return (int)exit_of_outcome(result.outcome);
    name_in_hint(cli, i->name, err);
    return result.target_fault && err->code != ERR_CANCELLED ? (int)EXIT_TARGET : -1;
}

#define FOLLOW                                                                  \
    {                                                                           \
        "follow", OPTION_BOOL, "no", 0, 0, NULL,                                \
            "Do not end: go on following the log until asked to stop (Ctrl-C, " \
            "`tailrace "                                                        \
            "stop`). Tables of other methods are read once."                    \
    }

/* --- sync -----------------------------------------------------------------------------
 */

static const struct option SYNC_OPTIONS[] = {
    { "name", OPTION_TEXT, "", 0, 0, NULL,
      "Name of the integration that is recorded; gives the destination's schema. Without "
      "it the name of the first database." },
    FOLLOW,
    { 0 },
};

/* Take the URL out of the arguments before anybody looks at the process list. */
static int take_source(struct cli *cli, struct url_source *out, struct secret **password,
                       struct error *err)
{
    char *argument = cli->operands[0];
    struct str copy = arena_str(cli->arena, str_of(argument));
    (void)url_wipe_argument(argument);
    return url_parse_source(cli->arena, copy, out, password, err);
}

static int name_of(struct cli *cli, const struct url_source *source,
                   const struct secret *password, struct str *out, struct error *err)
{
    *out = option_text(cli->values, "name");
    if (out->len > 0)
        return 0;
    if (source->database_count > 0) {
        *out = source->databases[0];
        return 0;
    }
    struct str server = { 0 };
    struct probe_request request = { .url = source, .password = password };
    struct catalog *c = probe_discover(cli->arena, &request, cli->cancel, &server, err);
    if (c == NULL)
        return -1;
    if (c->database_count > 0)
        *out = arena_str(cli->arena, c->databases[0].name);
    catalog_free(c);
    if (out->len > 0)
        return 0;
    (void)error_set(err, ERR_CONFIG, "the source has no database that this user may see");
    err->hint = "Grant SELECT on the tables to copy.";
    return -1;
}

static int sync_with(struct cli *cli, const struct url_source *source,
                     const struct secret *password, struct error *err)
{
    struct url_destination destination = { 0 };
    struct sync_options checked = { 0 };
    struct integration integration = { 0 };
    struct run_part part = { .follow = option_bool(cli->values, "follow") };
    struct str name = { 0 };
    if (url_parse_destination(cli->arena, str_of(cli->operands[1]), &destination, err) !=
            0 ||
        sync_options_parse(cli->arena, cli->more_values, &checked, err) != 0 ||
        name_of(cli, source, password, &name, err) != 0)
        return -1;
    struct state *s = cli_state(cli, err);
    if (s == NULL)
        return -1;
    struct integration_request request = { .name = name,
                                           .source = source,
                                           .destination = &destination,
                                           .options = cli->more_values };
    int rc = integration_record(s, cli->arena, &request, &integration, err);
    if (rc == 0)
        rc = run_job(cli, s, &integration, password, &part, err);
    state_close(s);
    return rc;
}

static int run_sync(struct cli *cli, struct error *err)
{
    struct url_source source = { 0 };
    struct secret *in_url = NULL;
    struct secret *password = NULL;
    if (take_source(cli, &source, &in_url, err) != 0 ||
        cli_password(cli, in_url, &password, err) != 0)
        return -1;
    int rc = sync_with(cli, &source, password, err);
    secret_free(password);
    return rc;
}

const struct command cmd_sync = {
    .name = "sync",
    .operands = "SOURCE DESTINATION",
    .summary = "copy a source into a destination, in one line",
    .text =
        "Discovers the source's tables, copies those that are selected, loads them, "
        "prints a "
        "report, and records all this as an integration under --name, so that `tailrace "
        "run "
        "NAME` does it again.\n\n"
        "A run that was stopped or killed goes on where it was when it is started again. "
        "While a table is copied, its earlier copy stays as it is; the new one takes its "
        "place "
        "in one step.\n\n"
        "SOURCE is mysql://USER@HOST[:PORT]/[DATABASE[,DATABASE...]][?OPTIONS]; without "
        "databases all but the server's own are meant. Special characters are written "
        "percent-encoded (%20). The options, joined by &: tls=verify-identity (the "
        "default "
        "but for this machine) or tls=disabled, ca=FILE, cert=FILE and key=FILE in PEM, "
        "and "
        "socket=FILE instead of a host.\n\n"
        "DESTINATION is duckdb:FILE[?memory_limit=SIZE&threads=N&temp_directory=PATH]. "
        "Programs other than tailrace call the database after its file: in shop.duckdb "
        "they want shop.shop.orders where `tailrace sql` takes shop.orders.\n\n"
        "The password comes from --password-file, else from TAILRACE_SOURCE_PASSWORD, "
        "else "
        "from a prompt; it is stored nowhere.\n\n"
        "Examples:\n"
        "  tailrace sync mysql://repl@db.example.com/shop duckdb:analytics.duckdb\n"
        "  tailrace sync mysql://repl@localhost/shop duckdb:analytics.duckdb --name 'Web "
        "shop' "
        "--tables 'shop.order*' --exclude '*_old'\n",
    .options = SYNC_OPTIONS,
    .more_table = sync_option_table,
    .min_operands = 2,
    .max_operands = 2,
    .run = run_sync,
};

/* --- run ------------------------------------------------------------------------------
 */

static const struct option RUN_OPTIONS[] = {
    { "tables", OPTION_TEXT, "", 0, 0, NULL,
      "Only these tables, written as in sync; the others stay as they are." },
    { "where", OPTION_TEXT, "", 0, 0, NULL,
      "Read again the rows that meet this condition, in the source's SQL, and merge them "
      "into the tables as they are; where the next run starts stays. Needs --tables." },
    FOLLOW,
    { 0 },
};

static struct run_part part_of(struct cli *cli)
{
    struct run_part part = { .where = option_text(cli->values, "where"),
                             .follow = option_bool(cli->values, "follow") };
    struct str rest = option_text(cli->values, "tables");
    struct str *tables = ARENA_ARRAY(cli->arena, struct str, rest.len + 1);
    while (rest.len > 0) {
        struct str one = str_trim(str_cut(rest, ',', &rest));
        if (one.len > 0)
            tables[part.table_count++] = one;
    }
    part.tables = tables;
    return part;
}

static int run_run(struct cli *cli, struct error *err)
{
    struct integration i = { 0 };
    struct run_part part = part_of(cli);
    if (part.where.len > 0 && part.table_count == 0) {
        (void)error_set(err, ERR_CONFIG, "--where needs --tables");
        err->hint = "A condition is about the columns of certain tables: name them.";
        return EXIT_USAGE;
    }
    struct secret *password = NULL;
    struct state *s = cli_state(cli, err);
    if (s == NULL)
        return -1;
    int rc = cli_integration(cli, s, str_of(cli->operands[0]), &i, err);
    if (rc == 0)
        rc = cli_password(cli, NULL, &password, err);
    if (rc == 0)
        rc = run_job(cli, s, &i, password, &part, err);
    secret_free(password);
    state_close(s);
    return rc;
}

const struct command cmd_run = {
    .name = "run",
    .operands = "NAME",
    .summary = "run an integration that sync has recorded",
    .text =
        "Does what the `tailrace sync` of that name did, with the options that it "
        "had. The "
        "password is asked for as in sync.\n\n"
        "With --tables the run is about these tables alone. With --where it reads some "
        "of their rows again, for values that were repaired at the source behind the "
        "back of a key, say.\n\n"
        "Examples:\n"
        "  TAILRACE_SOURCE_PASSWORD=... tailrace run shop\n"
        "  tailrace run shop --tables shop.orders --where \"created_at >= "
        "'2026-01-01'\"\n",
    .options = RUN_OPTIONS,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_run,
};

/* --- reset ----------------------------------------------------------------------------
 */

static int run_reset(struct cli *cli, struct error *err)
{
    struct integration i = { 0 };
    struct reset_result result = { 0 };
    struct reset_order order = { .data_dir = cli->data_dir, .integration = &i };
    if (cli->operand_count > 1)
        order.table = str_of(cli->operands[1]);
    struct state *s = cli_state(cli, err);
    if (s == NULL)
        return -1;
    int rc = cli_integration(cli, s, str_of(cli->operands[0]), &i, err);
    if (rc == 0)
        rc = reset_run(s, &order, cli->cancel, &result, err);
    state_close(s);
    if (rc != 0)
        return -1;
    if (cli->json)
        (void)printf("{\"tables\":%zu}\n", result.streams);
    else
        (void)printf("%zu table%s will be copied from the start in the next run; until "
                     "then %s stay%s readable.\n",
                     result.streams, result.streams == 1 ? "" : "s",
                     result.streams == 1 ? "it" : "they", result.streams == 1 ? "s" : "");
    return EXIT_OK;
}

const struct command cmd_reset = {
    .name = "reset",
    .operands = "NAME [TABLE]",
    .summary = "forget how far copies are: the next run starts them over",
    .text = "Without TABLE all tables of the integration are meant. Live tables stay "
            "readable "
            "until their new version takes their place.\n\n"
            "Examples:\n"
            "  tailrace reset shop\n"
            "  tailrace reset shop shop.orders\n",
    .min_operands = 1,
    .max_operands = 2,
    .run = run_reset,
};
