/* resume: tables that are parked are copied again. */
#include "base/alloc.h"
#include "base/emit.h"
#include "cli/cli.h"
#include "sync/resume.h"

#define OUTPUT_BYTES ((size_t)64 << 20)

static void print_json(struct buf *out, const struct resume_result *r)
{
    buf_add_char(out, '{');
    emit_begin(out, "resumed", '[');
    for (size_t i = 0; i < r->count; i++) {
        emit_begin(out, NULL, '{');
        emit_text(out, "database", r->tables[i].database);
        emit_text(out, "table", r->tables[i].table);
        emit_text(out, "was_parked_for", r->tables[i].why);
        emit_end(out, '}');
    }
    emit_end(out, ']');
    buf_add_text(out, "}\n");
}

static void print_text(struct buf *out, const struct resume_result *r)
{
    if (r->count == 0) {
        buf_add_text(out, "No table is parked.\n");
        return;
    }
    for (size_t i = 0; i < r->count; i++)
        buf_printf(out, STR_FMT "." STR_FMT ", which was parked: " STR_FMT "\n",
                   STR_ARG(r->tables[i].database), STR_ARG(r->tables[i].table),
                   STR_ARG(r->tables[i].why));
    buf_printf(out,
               "%s copied again as a new version by the next run, or by the one that "
               "follows the log now; until then what is there stays readable.\n",
               r->count == 1 ? "It is" : "They are");
}

static int run_resume(struct cli *cli, struct error *err)
{
    CLEANUP(buf_done) struct buf out;
    struct integration i = { 0 };
    struct resume_result result = { 0 };
    size_t count = (size_t)cli->operand_count - 1;
    struct str *names = ARENA_ARRAY(cli->arena, struct str, count + 1);
    for (size_t k = 0; k < count; k++)
        names[k] = str_of(cli->operands[k + 1]);
    struct resume_order order = { &i, names, count };
    buf_init(&out, OUTPUT_BYTES);
    struct state *s = cli_state(cli, err);
    if (s == NULL)
        return -1;
    int rc = cli_integration(cli, s, str_of(cli->operands[0]), &i, err);
    if (rc == 0)
        rc = resume_tables(s, cli->arena, &order, &result, err);
    state_close(s);
    if (rc != 0)
        return -1;
    if (cli->json)
        print_json(&out, &result);
    else
        print_text(&out, &result);
    cli_write(&out);
    return EXIT_OK;
}

const struct command cmd_resume = {
    .name = "resume",
    .operands = "NAME [TABLE...]",
    .summary = "copy tables again that are parked",
    .text =
        "A table that follows the log is parked when its copies failed in as many runs "
        "in a row as option copy_attempts says, or when one of its options on_... says "
        "park and that change came. It stays as it is, readable, and no run copies it "
        "again; `tailrace status NAME` says since when and why.\n\n"
        "This makes the next run copy it again, or the one that follows the log now: as "
        "a new version, since nothing is kept of the log for it meanwhile. The earlier "
        "version stays readable until then. Without TABLE all parked tables are "
        "meant.\n\n"
        "Examples:\n"
        "  tailrace resume shop\n"
        "  tailrace resume shop orders shop.customers\n",
    .min_operands = 1,
    .max_operands = 10000,
    .run = run_resume,
};
