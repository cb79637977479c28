/* help: of the program or of one command, on a terminal or in the forms that are
 * installed. */
#include "base/alloc.h"
#include "cli/cli.h"
#include "sync/options.h"

#include <unistd.h>

#define OUTPUT_BYTES ((size_t)4 << 20)

static const struct option HELP_OPTIONS[] = {
    { "manual", OPTION_BOOL, "no", 0, 0, NULL, "Print the manual page, in roff." },
    { "completion", OPTION_BOOL, "no", 0, 0, NULL, "Print the completion for bash." },
    { "reference", OPTION_BOOL, "no", 0, 0, NULL, "Print the reference, in Markdown." },
    { "settings", OPTION_BOOL, "no", 0, 0, NULL,
      "Print the options of an integration, in Markdown." },
    { 0 },
};

static int help_on(const struct cli *cli, struct buf *out, struct error *err)
{
    bool colour = isatty(STDOUT_FILENO) == 1;
    if (cli->operand_count == 0) {
        cli_help(out, NULL, colour);
        return 0;
    }
    for (size_t i = 0; cli_commands[i] != NULL; i++)
        if (str_eq(str_of(cli_commands[i]->name), str_of(cli->operands[0]))) {
            cli_help(out, cli_commands[i], colour);
            return 0;
        }
    const char *nearest = cli_nearest_command(str_of(cli->operands[0]));
    (void)error_set(err, ERR_CONFIG, "unknown command '%s'%s%s%s", cli->operands[0],
                    nearest == NULL ? "" : "; the nearest is '",
                    nearest == NULL ? "" : nearest, nearest == NULL ? "" : "'");
    err->hint = "`tailrace help` lists the commands.";
    return -1;
}

static void print_settings(struct buf *out)
{
    buf_add_text(out,
                 "# Options of an integration\n\n"
                 "Printed by the program (`make docs`). As flags of `tailrace sync` they "
                 "are written `--epoch-bytes`, in files of `tailrace apply` "
                 "`epoch_bytes`.\n\n");
    option_describe_markdown(out, sync_option_table());
    buf_add_text(
        out, "\n# Options of one table\n\n"
             "As flags of `tailrace select NAME TABLE` they are written `--view-key`, "
             "in files of `tailrace apply` `view_key`, under `options` of a stream. What "
             "is not set is as the integration has it.\n\n");
    option_describe_markdown(out, stream_option_table());
}

static int run_help(struct cli *cli, struct error *err)
{
    CLEANUP(buf_done) struct buf out;
    int rc = 0;
    buf_init(&out, OUTPUT_BYTES);
    if (option_bool(cli->values, "manual"))
        cli_manual(&out);
    else if (option_bool(cli->values, "completion"))
        cli_completion(&out);
    else if (option_bool(cli->values, "reference"))
        cli_reference(&out);
    else if (option_bool(cli->values, "settings"))
        print_settings(&out);
    else
        rc = help_on(cli, &out, err);
    if (rc != 0)
        return EXIT_USAGE;
    if (buf_check(&out, "the help", err) != 0)
        return -1;
    cli_write(&out);
    return EXIT_OK;
}

const struct command cmd_help = {
    .name = "help",
    .operands = "[COMMAND]",
    .summary = "show what the program or one command does",
    .text =
        "Without COMMAND an overview; with one its description, options and examples. "
        "The manual page, the completion of the shell and the reference are printed from "
        "the same tables.\n\n"
        "Examples:\n"
        "  tailrace help sync\n"
        "  tailrace help --manual > /usr/local/share/man/man1/tailrace.1\n"
        "  source <(tailrace help --completion)\n",
    .options = HELP_OPTIONS,
    .min_operands = 0,
    .max_operands = 1,
    .run = run_help,
};
