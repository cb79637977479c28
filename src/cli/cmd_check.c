/* check: does a source give what a copy and following its log need? */
#include "base/alloc.h"
#include "base/emit.h"
#include "cli/cli.h"
#include "config/url.h"
#include "sync/probe.h"

#define OUTPUT_BYTES ((size_t)256 << 20)

static void print_json(struct buf *out, const struct check_list *list)
{
    emit_begin(out, NULL, '{');
    emit_text(out, "worst", str_of(check_level_name(list->worst)));
    emit_begin(out, "findings", '[');
    for (size_t i = 0; i < list->count; i++) {
        const struct check_finding *f = &list->items[i];
        emit_begin(out, NULL, '{');
        emit_text(out, "level", str_of(check_level_name(f->level)));
        emit_text(out, "name", f->name);
        emit_text(out, "saw", f->saw);
        emit_text_or_null(out, "why", f->why);
        emit_text_or_null(out, "mend", f->mend);
        emit_end(out, '}');
    }
    emit_end(out, ']');
    emit_end(out, '}');
    buf_add_char(out, '\n');
}

static void print_text(struct buf *out, const struct check_list *list)
{
    size_t count[CHECK_FAIL + 1] = { 0 };
    size_t width = 0;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].name.len > width)
            width = list->items[i].name.len;
    for (size_t i = 0; i < list->count; i++) {
        const struct check_finding *f = &list->items[i];
        count[f->level]++;
        buf_printf(out, "%-4s  %-*.*s  " STR_FMT "\n", check_level_name(f->level),
                   (int)width, STR_ARG(f->name), STR_ARG(f->saw));
        if (f->why.len > 0)
            buf_printf(out, "      " STR_FMT "\n", STR_ARG(f->why));
        if (f->mend.len > 0)
            buf_printf(out, "      -> " STR_FMT "\n", STR_ARG(f->mend));
    }
    buf_printf(out, "\n%zu ok, %zu to think of, %zu in the way\n", count[CHECK_OK],
               count[CHECK_WARN], count[CHECK_FAIL]);
}

static int refuse_destination(struct str url, struct error *err)
{
    if (!str_starts(url, STR("duckdb:")))
        return 0;
    (void)error_set(err, ERR_CONFIG, "'" STR_FMT "' is a destination, not a source",
                    STR_ARG(url));
    err->hint = "`tailrace check` looks at sources: mysql://user@host/database. "
                "A run opens its destination before it reads anything.";
    return -1;
}

static int run_check(struct cli *cli, struct error *err)
{
    struct url_source source = { 0 };
    struct secret *in_url = NULL;
    struct check_list list = { 0 };
    CLEANUP(secret_free_at) struct secret *password = NULL;
    CLEANUP(buf_done) struct buf out;
    struct str url = arena_str(cli->arena, str_of(cli->operands[0]));
    buf_init(&out, OUTPUT_BYTES);
    (void)url_wipe_argument(cli->operands[0]);
    if (refuse_destination(url, err) != 0 ||
        url_parse_source(cli->arena, url, &source, &in_url, err) != 0 ||
        cli_password(cli, in_url, &password, err) != 0)
        return -1;
    struct probe_request request = { .url = &source, .password = password };
    if (probe_source(cli->arena, &request, cli->cancel, &list, err) != 0)
        return -1;
    if (cli->json)
        print_json(&out, &list);
    else
        print_text(&out, &list);
    if (buf_check(&out, "the findings as text", err) != 0)
        return -1;
    cli_write(&out);
    return list.worst == CHECK_FAIL ? EXIT_CONFIG : EXIT_OK;
}

const struct command cmd_check = {
    .name = "check",
    .operands = "SOURCE",
    .summary = "test a source: connection, privileges, binary log",
    .text =
        "Connects and looks at everything that a copy of the named databases and "
        "following their changes by the binary log need: settings of the log, how long "
        "its files stay, the account's privileges, whether the server is a replica or a "
        "reader, filters, and foreign keys whose work is not logged. Nothing is written "
        "and nothing is stored; without GTIDs one table per database is locked for "
        "reading, for a moment, to see whether that is allowed.\n\n"
        "Each finding is a line: 'ok', 'warn' (works, but see) or 'fail' (in the way), "
        "with what was seen; below it why it matters and, behind '->', the statement or "
        "setting that mends it.\n\n"
        "Exit code: 0 when nothing is in the way, warnings included; 3 when something "
        "is; 4 when the source cannot be reached. With --json the member 'worst' tells "
        "warnings from ok. Copies in full and by key need no binary log: for them only "
        "the lines 'tables' count.\n\n"
        "SOURCE is mysql://USER@HOST[:PORT]/[DATABASE[,DATABASE...]][?OPTIONS]; "
        "`tailrace help sync` tells of them. Without databases all but the server's own "
        "are looked at.\n\n"
        "Examples:\n"
        "  tailrace check mysql://reader@db.example.com/shop\n"
        "  tailrace check mysql://reader@db.example.com/shop --json "
        "| jq '.findings[] | select(.level != \"ok\")'\n",
    .options = NULL,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_check,
};
