/* apply and export: integrations as text. */
#include "base/alloc.h"
#include "base/emit.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/integration_print.h"
#include "sync/apply.h"

#include <stdio.h>

#define OUTPUT_BYTES ((size_t)256 << 20)

static const struct option APPLY_OPTIONS[] = {
    { "dry_run", OPTION_BOOL, "no", 0, 0, NULL,
      "Show what would change and change nothing." },
    { 0 },
};

/* "-" is standard input. */
static int read_whole(const char *path, struct buf *out, struct error *err)
{
    if (!str_eq(str_of(path), STR("-"))) {
        if (file_read(path, out, err) == 0)
            return 0;
        if (err->code == ERR_IO) {
            err->code = ERR_CONFIG;
            err->hint = "Give the path of a file that can be read, or - for standard "
                        "input.";
        }
        return -1;
    }
    for (;;) {
        char *room = buf_reserve(out, 65536);
        if (room == NULL)
            return buf_check(out, "the file", err);
        size_t n = fread(room, 1, 65536, stdin);
        buf_advance(out, n);
        if (n == 0)
            return ferror(stdin) != 0
                       ? error_set(err, ERR_IO, "reading standard input failed")
                       : 0;
    }
}

static int apply_file(struct cli *cli, const struct integration_file *f, const char *path,
                      struct error *err)
{
    CLEANUP(buf_done) struct buf out;
    struct apply_result result = { 0 };
    bool dry_run = option_bool(cli->values, "dry_run");
    struct state *s = cli_state(cli, err);
    if (s == NULL)
        return -1;
    struct apply_request r = {
        .list = f->list, .count = f->count, .path = path, .dry_run = dry_run
    };
    int rc = apply_list(s, cli->arena, &r, &result, err);
    state_close(s);
    buf_init(&out, OUTPUT_BYTES);
    if (rc == 0)
        integration_print_changes(&out, &result, dry_run, cli->json);
    if (rc != 0 || buf_check(&out, "the difference", err) != 0)
        return -1;
    cli_write(&out);
    return EXIT_OK;
}

static int run_apply(struct cli *cli, struct error *err)
{
    CLEANUP(buf_done) struct buf text;
    struct integration_file f = { 0 };
    const char *path = cli->operands[0];
    const struct integration_tables tables = apply_tables();
    buf_init(&text, INTEGRATION_FILE_LIMIT);
    if (read_whole(path, &text, err) != 0 ||
        integration_file_parse(path, buf_str(&text), &tables, &f, err) != 0)
        return -1;
    int rc = apply_file(cli, &f, path, err);
    integration_file_free(&f);
    return rc;
}

const struct command cmd_apply = {
    .name = "apply",
    .operands = "FILE",
    .summary = "make integrations what a file says",
    .text =
        "Reads a YAML file as `tailrace export` writes it, shows how it differs from "
        "what "
        "is recorded, and makes it so; applied again, nothing changes. The next run "
        "works "
        "by it.\n\n"
        "Integrations that the file names become wholly what it says: an option that is "
        "missing has its default, a table that is missing is decided by the patterns. "
        "Others stay. A file with an error changes nothing; the error names line and "
        "column. FILE may be - for standard input. Passwords do not belong in it.\n\n"
        "Examples:\n"
        "  tailrace apply replication.yaml --dry-run\n"
        "  tailrace apply replication.yaml && tailrace run shop\n",
    .options = APPLY_OPTIONS,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_apply,
};

/* --- export ---------------------------------------------------------------------------
 */

static int export_names(struct cli *cli, struct state *s, struct str **names,
                        size_t *count, struct error *err)
{
    struct integration *all = NULL;
    if (cli->operand_count == 0) {
        if (state_integration_list(s, cli->arena, &all, count, err) != 0)
            return -1;
        *names = ARENA_ARRAY(cli->arena, struct str, *count + 1);
        for (size_t i = 0; i < *count; i++)
            (*names)[i] = all[i].name;
        return 0;
    }
    *names = ARENA_ARRAY(cli->arena, struct str, (size_t)cli->operand_count);
    for (int i = 0; i < cli->operand_count; i++) {
        struct integration one = { 0 };
        if (cli_integration(cli, s, str_of(cli->operands[i]), &one, err) != 0)
            return -1;
        bool twice = false;
        for (size_t k = 0; k < *count; k++)
            twice = twice || str_eq((*names)[k], one.name);
        if (!twice)
            (*names)[(*count)++] = one.name;
    }
    return 0;
}

static int export_from(struct cli *cli, struct state *s, struct buf *out,
                       struct error *err)
{
    struct str *names = NULL;
    size_t count = 0;
    int rc = 0;
    if (export_names(cli, s, &names, &count, err) != 0)
        return -1;
    struct integration_spec *list =
        ARENA_ARRAY(cli->arena, struct integration_spec, count + 1);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = apply_current(s, cli->arena, names[i], &list[i], err) == 1 ? 0 : -1;
    const struct integration_tables tables = apply_tables();
    if (rc == 0)
        integration_file_write(out, list, count, &tables);
    for (size_t i = 0; i < count; i++)
        option_values_free(list[i].options);
    return rc;
}

static int run_export(struct cli *cli, struct error *err)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUTPUT_BYTES);
    struct state *s = cli_state(cli, err);
    if (s == NULL)
        return -1;
    int rc = export_from(cli, s, &out, err);
    state_close(s);
    if (rc != 0 || buf_check(&out, "the file", err) != 0)
        return -1;
    cli_write(&out);
    return EXIT_OK;
}

const struct command cmd_export = {
    .name = "export",
    .operands = "[NAME...]",
    .summary = "print integrations as a file for apply",
    .text =
        "Writes the integrations of these names, or all, as YAML that `tailrace apply` "
        "turns into the same again. Holds no secrets.\n\n"
        "Examples:\n"
        "  tailrace export > replication.yaml\n"
        "  tailrace export shop crm | ssh other tailrace apply -\n",
    .min_operands = 0,
    .max_operands = 100000,
    .run = run_export,
};
