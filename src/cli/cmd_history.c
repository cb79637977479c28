/* logs and report: what earlier runs did. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/emit.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/report_print.h"
#include "cli/table.h"

#include <inttypes.h>
#include <jansson.h>

#define OUTPUT_BYTES ((size_t)256 << 20)

/* One answer of the state when logs are read; memory is given back between them. */
#define LOG_PAGE 1000
#define LOG_PAGE_BYTES ((size_t)256 << 20)

#define FOLLOW_EVERY_US (500 * 1000)

/* Runs that are looked through for one by its number. */
#define RUNS_KNOWN 100000

/* The run of this number, the newest for 0. */
static int find_run(struct state *s, struct arena *a, struct str integration,
                    int64_t asked, struct job_row *out, struct error *err)
{
    struct job_row *jobs = NULL;
    size_t count = 0;
    struct job_page page = { .integration = integration,
                             .limit = asked == 0 ? 1 : RUNS_KNOWN };
    if (state_job_list(s, a, &page, &jobs, &count, err) != 0)
        return -1;
    for (size_t k = 0; k < count; k++)
        if (asked == 0 || jobs[k].id == asked) {
            *out = jobs[k];
            return 0;
        }
    if (asked == 0)
        (void)error_set(err, ERR_CONFIG, "'" STR_FMT "' never ran", STR_ARG(integration));
    else
        (void)error_set(err, ERR_CONFIG, "'" STR_FMT "' has no run %lld",
                        STR_ARG(integration), (long long)asked);
    err->hint = "`tailrace report NAME --runs` lists the runs.";
    return -1;
}

/* --- logs
 * ------------------------------------------------------------------------------- */

static const struct option LOGS_OPTIONS[] = {
    { "job", OPTION_INT, "0", 0, 0, NULL, "Number of the run; 0 is the newest." },
    { "follow", OPTION_BOOL, "no", 0, 0, NULL,
      "Go on printing new events until the run ends." },
    { 0 },
};

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_DEBUG:
        return "debug";
    case LOG_INFO:
        return "info";
    case LOG_WARN:
        return "warn";
    case LOG_ERROR:
        return "error";
    }
    return "error";
}

/* " name=value" of each field, texts in quotes where they hold blanks. */
static void add_fields(struct buf *out, struct str fields)
{
    json_t *root = json_loadb(fields.ptr, fields.len, JSON_DECODE_ANY, NULL);
    const char *name;
    json_t *value;
    json_object_foreach(root, name, value)
    {
        buf_printf(out, " %s=", name);
        const char *text = json_string_value(value);
        if (text != NULL && text[0] != '\0' && strpbrk(text, " \"=\n\t") == NULL) {
            buf_add_text(out, text);
        } else {
            char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
            buf_add_text(out, dump == NULL ? "?" : dump);
            free(dump);
        }
    }
    json_decref(root);
}

static void print_log_row(struct buf *out, const struct log_row *r, bool json)
{
    char at[CLOCK_TEXT_MAX];
    if (!json) {
        buf_printf(out, "%s %-5s " STR_FMT, clock_format(r->at, at), level_name(r->level),
                   STR_ARG(r->text));
        add_fields(out, r->fields);
        buf_add_char(out, '\n');
        return;
    }
    buf_add_char(out, '{');
    emit_time(out, "at", r->at);
    emit_text(out, "level", str_of(level_name(r->level)));
    emit_text(out, "text", r->text);
    emit_raw(out, "fields", json_is_valid(r->fields) ? r->fields : STR("{}"));
    buf_add_text(out, "}\n");
}

/* All events behind *after, page by page. */
static int print_logs_after(struct cli *cli, struct state *s, int64_t job, int64_t *after,
                            struct error *err)
{
    size_t count = LOG_PAGE;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUTPUT_BYTES);
    while (count == LOG_PAGE) {
        CLEANUP(arena_free_at) struct arena *a = arena_new(LOG_PAGE_BYTES);
        struct log_row *rows = NULL;
        struct log_page page = { .job = job, .after = *after, .limit = LOG_PAGE };
        if (state_log_list(s, a, &page, &rows, &count, err) != 0)
            return -1;
        buf_clear(&out);
        for (size_t i = 0; i < count; i++) {
            print_log_row(&out, &rows[i], cli->json);
            *after = rows[i].id;
        }
        if (buf_check(&out, "the log as text", err) != 0)
            return -1;
        cli_write(&out);
    }
    return 0;
}

static int follow_logs(struct cli *cli, struct state *s, struct error *err)
{
    int64_t after = 0, id = option_number(cli->values, "job");
    struct integration i = { 0 };
    if (cli_integration(cli, s, str_of(cli->operands[0]), &i, err) != 0)
        return -1;
    for (;;) {
        CLEANUP(arena_free_at) struct arena *a = arena_new(LOG_PAGE_BYTES);
        struct job_row job = { 0 };
        /* asked before the events: those that come in between are printed, too */
        if (find_run(s, a, i.name, id, &job, err) != 0 ||
            print_logs_after(cli, s, job.id, &after, err) != 0)
            return -1;
        if (!option_bool(cli->values, "follow") || job.outcome != JOB_RUNNING)
            return EXIT_OK;
        id = job.id;
        if (!clock_wait_us(cli->cancel, FOLLOW_EVERY_US))
            return EXIT_STOPPED;
    }
}

static int run_logs(struct cli *cli, struct error *err)
{
    struct state *s = cli_state(cli, err);
    if (s == NULL)
        return -1;
    int rc = follow_logs(cli, s, err);
    state_close(s);
    return rc;
}

const struct command cmd_logs = {
    .name = "logs",
    .operands = "NAME",
    .summary = "show the events of a run",
    .text =
        "Prints what the newest run of the integration said, oldest first, or the run "
        "--job N. The log of a run is kept with the state, also when the run was "
        "scheduled or its terminal is gone.\n\n"
        "With --json each event is one object on a line of its own.\n\n"
        "Examples:\n"
        "  tailrace logs shop --follow\n"
        "  tailrace logs shop --job 17 --json | jq 'select(.level == \"warn\")'\n",
    .options = LOGS_OPTIONS,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_logs,
};

/* --- report
 * ----------------------------------------------------------------------------- */

static const struct option REPORT_OPTIONS[] = {
    { "job", OPTION_INT, "0", 0, 0, NULL, "Number of the run; 0 is the newest." },
    { "runs", OPTION_BOOL, "no", 0, 0, NULL, "List the runs instead, newest first." },
    { "limit", OPTION_INT, "20", 1, RUNS_KNOWN, NULL, "How many runs --runs lists." },
    { 0 },
};

static void print_runs(struct buf *out, const struct job_row *jobs, size_t count,
                       bool json)
{
    static const char *const HEADS[] = { ">run", "outcome", "began (UTC)", ">time",
                                         "error" };
    if (json) {
        buf_add_char(out, '{');
        emit_begin(out, "runs", '[');
        for (size_t i = 0; i < count; i++)
            report_print_job(out, NULL, &jobs[i]);
        emit_end(out, ']');
        buf_add_text(out, "}\n");
        return;
    }
    struct table *t = table_new(HEADS, sizeof HEADS / sizeof *HEADS);
    for (size_t i = 0; i < count; i++) {
        char when[WHEN_TEXT_MAX], took[16];
        int64_t end = jobs[i].ended_at == 0 ? clock_wall_us() : jobs[i].ended_at;
        table_printf(t, "%lld", (long long)jobs[i].id);
        table_add(t, str_of(job_outcome_name(jobs[i].outcome)));
        table_add(t, str_of(emit_when(when, jobs[i].started_at)));
        table_duration(took, end > jobs[i].started_at ? end - jobs[i].started_at : 0);
        table_add(t, str_of(took));
        table_add(t, jobs[i].error);
    }
    table_print(t, out);
    table_free(t);
}

static int list_runs(struct cli *cli, struct state *s, struct buf *out, struct error *err)
{
    struct integration i = { 0 };
    struct job_row *jobs = NULL;
    size_t count = 0;
    if (cli_integration(cli, s, str_of(cli->operands[0]), &i, err) != 0)
        return -1;
    struct job_page page = { .integration = i.name,
                             .limit = (size_t)option_number(cli->values, "limit") };
    if (state_job_list(s, cli->arena, &page, &jobs, &count, err) != 0)
        return -1;
    print_runs(out, jobs, count, cli->json);
    return 0;
}

static int one_report(struct cli *cli, struct state *s, struct buf *out,
                      struct error *err)
{
    struct integration i = { 0 };
    struct job_row job = { 0 };
    struct report_row *rows = NULL;
    size_t count = 0;
    if (cli_integration(cli, s, str_of(cli->operands[0]), &i, err) != 0 ||
        find_run(s, cli->arena, i.name, option_number(cli->values, "job"), &job, err) !=
            0 ||
        state_report_list(s, cli->arena, job.id, &rows, &count, err) != 0)
        return -1;
    report_print(out, &job, rows, count, cli->json);
    return 0;
}

static int run_report(struct cli *cli, struct error *err)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUTPUT_BYTES);
    struct state *s = cli_state(cli, err);
    if (s == NULL)
        return -1;
    int rc = option_bool(cli->values, "runs") ? list_runs(cli, s, &out, err)
                                              : one_report(cli, s, &out, err);
    state_close(s);
    if (rc != 0 || buf_check(&out, "the report as text", err) != 0)
        return -1;
    cli_write(&out);
    return EXIT_OK;
}

const struct command cmd_report = {
    .name = "report",
    .operands = "NAME",
    .summary = "show what a run read and loaded, table by table",
    .text =
        "Prints the report with which the run ended: rows read and what became of them, "
        "bytes, time, and between which two moments each table was read. Rows read are "
        "rows applied, superseded, filtered and quarantined together; what is missing "
        "waits for the next run and is shown as waiting.\n\n"
        "Quarantined rows are in the table _sdc_rejected of the destination's schema, "
        "each "
        "with its reason.\n\n"
        "Examples:\n"
        "  tailrace report shop\n"
        "  tailrace report shop --runs\n"
        "  tailrace report shop --job 17 --json\n",
    .options = REPORT_OPTIONS,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_report,
};
