/* stop: end the run of an integration. */
#include "base/alloc.h"
#include "base/emit.h"
#include "cli/cli.h"
#include "sync/stop.h"

#define OUTPUT_BYTES ((size_t)64 << 10)
#define SECOND ((int64_t)1000 * 1000)

static const struct option STOP_OPTIONS[] = {
    { "now", OPTION_BOOL, "no", 0, 0, NULL,
      "Leave what is captured and not loaded to the next run." },
    { "wait", OPTION_DURATION, "1min", 0, 24 * 3600 * SECOND, NULL,
      "How long to wait for the run to end." },
    { 0 },
};

static void print_stopped(struct buf *out, struct str name, const struct stop_result *r,
                          bool json)
{
    if (json) {
        emit_begin(out, NULL, '{');
        emit_text(out, "integration", name);
        emit_bool(out, "was_running", r->job != 0);
        if (r->job != 0) {
            emit_number(out, "job", (uint64_t)r->job);
            emit_number(out, "pid", (uint64_t)r->pid);
            emit_text(out, "outcome", str_of(job_outcome_name(r->outcome)));
        }
        emit_end(out, '}');
        buf_add_char(out, '\n');
    } else if (r->job == 0) {
        buf_printf(out, "'" STR_FMT "' does not run.\n", STR_ARG(name));
    } else {
        buf_printf(out, "run %lld of '" STR_FMT "' has ended: %s\n", (long long)r->job,
                   STR_ARG(name), job_outcome_name(r->outcome));
    }
}

static int run_stop(struct cli *cli, struct error *err)
{
    CLEANUP(buf_done) struct buf out;
    struct integration i = { 0 };
    struct stop_result result = { 0 };
    struct state *s = cli_state(cli, err);
    if (s == NULL)
        return -1;
    int rc = cli_integration(cli, s, str_of(cli->operands[0]), &i, err);
    struct stop_request r = { .integration = i.name,
                              .now = option_bool(cli->values, "now"),
                              .wait_us = option_number(cli->values, "wait") };
    if (rc == 0)
        rc = stop_run(s, &r, cli->cancel, &result, err);
    state_close(s);
    buf_init(&out, OUTPUT_BYTES);
    if (rc == 0)
        print_stopped(&out, i.name, &result, cli->json);
    if (rc != 0 || buf_check(&out, "the answer", err) != 0)
        return -1;
    cli_write(&out);
    return EXIT_OK;
}

const struct command cmd_stop = {
    .name = "stop",
    .operands = "NAME",
    .summary = "end the run of an integration",
    .text =
        "Asks the run to end, as Ctrl-C does in its terminal, and waits until it has: "
        "reading ends, what was read is captured and loaded, and the next run goes on "
        "behind it. With --now what is captured waits for the next run, too.\n\n"
        "When nothing runs it says so; that is no error. A run that has not ended after "
        "--wait goes on ending, and the exit code is 7.\n\n"
        "Examples:\n"
        "  tailrace stop shop\n"
        "  tailrace stop shop --now --wait 10s\n",
    .options = STOP_OPTIONS,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_stop,
};
