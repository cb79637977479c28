/* integration: list, show and remove what sync and apply have recorded. */
#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/integration_print.h"
#include "sync/reset.h"

#include <stdio.h>

#define OUTPUT_BYTES ((size_t)256 << 20)

static const struct option INTEGRATION_OPTIONS[] = {
    { "data", OPTION_BOOL, "no", 0, 0, NULL,
      "With rm: drop the integration's tables in the destination too." },
    { 0 },
};

static int list(struct cli *cli, struct state *s, struct buf *out, struct error *err)
{
    struct integration *all = NULL;
    size_t count = 0;
    if (state_integration_list(s, cli->arena, &all, &count, err) != 0)
        return -1;
    integration_print_list(out, all, count, cli->json);
    return 0;
}

static int show(struct cli *cli, struct state *s, struct buf *out, struct error *err)
{
    struct integration i = { 0 };
    struct integration_spec spec = { 0 };
    if (cli_integration(cli, s, str_of(cli->operands[1]), &i, err) != 0 ||
        apply_current(s, cli->arena, i.name, &spec, err) != 1)
        return -1;
    integration_print_one(out, &i, &spec, cli->json);
    option_values_free(spec.options);
    return 0;
}

static int rm(struct cli *cli, struct state *s, struct buf *out, struct error *err)
{
    struct integration i = { 0 };
    bool data = option_bool(cli->values, "data");
    struct reset_order order = { .data_dir = cli->data_dir, .integration = &i };
    if (cli_integration(cli, s, str_of(cli->operands[1]), &i, err) != 0 ||
        reset_remove(s, &order, data, cli->cancel, err) != 0)
        return -1;
    if (cli->json) {
        buf_add_text(out, "{\"removed\":");
        buf_add_json(out, i.name);
        buf_printf(out, ",\"data\":%s}\n", data ? "true" : "false");
    } else {
        buf_printf(out, "'" STR_FMT "' is removed; its tables in the destination %s.\n",
                   STR_ARG(i.name), data ? "are dropped" : "stay");
    }
    return 0;
}

static const struct verb {
    const char *name;
    int operands;
    int (*run)(struct cli *cli, struct state *s, struct buf *out, struct error *err);
} VERBS[] = { { "list", 1, list }, { "show", 2, show }, { "rm", 2, rm } };

static const struct verb *find_verb(const struct cli *cli, struct error *err)
{
    for (size_t i = 0; i < sizeof VERBS / sizeof *VERBS; i++)
        if (str_eq(str_of(cli->operands[0]), str_of(VERBS[i].name)) &&
            cli->operand_count == VERBS[i].operands)
            return &VERBS[i];
    (void)error_set(err, ERR_CONFIG, "usage: tailrace integration %s",
                    cli->command->operands);
    err->hint = "Run the command with --help to see what it does.";
    return NULL;
}

static int run_integration(struct cli *cli, struct error *err)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUTPUT_BYTES);
    const struct verb *verb = find_verb(cli, err);
    if (verb == NULL)
        return EXIT_USAGE;
    if (option_bool(cli->values, "data") && verb->run != rm) {
        (void)error_set(err, ERR_CONFIG, "--data goes with rm alone");
        err->hint = "Run the command with --help to see what it does.";
        return EXIT_USAGE;
    }
    struct state *s = cli_state(cli, err);
    if (s == NULL)
        return -1;
    int rc = verb->run(cli, s, &out, err);
    state_close(s);
    if (rc != 0 || buf_check(&out, "the answer", err) != 0)
        return -1;
    cli_write(&out);
    return EXIT_OK;
}

const struct command cmd_integration = {
    .name = "integration",
    .operands = "list | show NAME | rm NAME",
    .summary = "list, show or remove integrations",
    .text =
        "list shows every integration, show one of them with its options and what was "
        "said of single tables, in the form that `tailrace apply` reads.\n\n"
        "rm forgets an integration with its history and its spool. Its tables stay in "
        "the "
        "destination; with --data they are dropped, _sdc_rejected and the schema too "
        "when "
        "nothing else is in it. While the integration runs, rm refuses.\n\n"
        "Examples:\n"
        "  tailrace integration list --json | jq -r '.[].name'\n"
        "  tailrace integration show shop\n"
        "  tailrace integration rm shop --data\n",
    .options = INTEGRATION_OPTIONS,
    .min_operands = 1,
    .max_operands = 2,
    .run = run_integration,
};
