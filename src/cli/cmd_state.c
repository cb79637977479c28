/* state: how far each table is, and a bookmark set by hand. */
#include "base/alloc.h"
#include "base/emit.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "row/position.h"
#include "sync/probe.h"
#include "sync/reset.h"

#include <stdio.h>
#include <unistd.h>

#define OUTPUT_BYTES ((size_t)64 << 20)

static const struct option STATE_OPTIONS[] = {
    { "set", OPTION_TEXT, "", 0, 0, NULL,
      "The value of the replication key that the next read of TABLE starts at (>=)." },
    { "yes", OPTION_BOOL, "no", 0, 0, NULL, "Do not ask before a bookmark is set." },
    { 0 },
};

/* What a mark says, for people and programs. */
struct shown_state {
    const struct stream_mark *mark;
    struct key_bookmark bookmark;
    struct str start; /* of the next read; empty: from the first key */
    bool by_key;
};

static struct shown_state look(struct arena *a, const struct stream_mark *m)
{
    struct shown_state out = { .mark = m };
    struct error ignored = { 0 };
    if (m->bookmark.len == 0 ||
        key_bookmark_parse(a, m->bookmark, &out.bookmark, &ignored) != 0)
        return out;
    out.by_key = out.bookmark.column.len > 0;
    const struct key_anchor *start = key_bookmark_start(&out.bookmark);
    out.start = start == NULL ? (struct str){ 0 } : start->max;
    return out;
}

static const char *doing(const struct stream_mark *m)
{
    if (m->copy_version == 0)
        return m->live_version == 0 ? "nothing yet" : "at rest";
    switch (m->copy_join) {
    case JOIN_REPLACE:
    case JOIN_ADD:
    case JOIN_LOG:
        return "copying";
    case JOIN_MERGE:
    case JOIN_NEW:
        return "reading by key";
    case JOIN_SWEEP:
        return "sweeping";
    }
    return "nothing yet";
}

static bool is_asked(const struct stream_mark *m, struct str table)
{
    return table.len == 0 || str_eq(m->table, table) ||
           (table.len == m->database.len + 1 + m->table.len &&
            str_starts(table, m->database) && str_ends(table, m->table));
}

static void print_text(struct buf *out, const struct shown_state *list, size_t count)
{
    static const char *const HEADS[] = { "table",    "method",           ">version",
                                         "key",      "next read starts", "read at (UTC)",
                                         "under way" };
    struct table *t = table_new(HEADS, sizeof HEADS / sizeof *HEADS);
    for (size_t i = 0; i < count; i++) {
        const struct stream_mark *m = list[i].mark;
        char when[WHEN_TEXT_MAX];
        table_printf(t, STR_FMT "." STR_FMT, STR_ARG(m->database), STR_ARG(m->table));
        table_add(t, list[i].by_key ? STR("key") : STR("full"));
        table_printf(t, "%llu", (unsigned long long)m->live_version);
        table_add(t, list[i].by_key ? list[i].bookmark.column : STR("-"));
        if (!list[i].by_key)
            table_add(t, STR("-"));
        else if (list[i].start.len == 0)
            table_add(t, STR("from the first key"));
        else
            table_printf(t, STR_FMT "%s", STR_ARG(list[i].start),
                         list[i].bookmark.by_look_back ? " less look_back" : "");
        table_add(t, str_of(emit_when(when, m->last_read_at)));
        table_add(t, str_of(doing(m)));
    }
    if (count == 0)
        buf_add_text(out, "none yet\n");
    else
        table_print(t, out);
    table_free(t);
}

static void print_json(struct buf *out, const struct shown_state *list, size_t count)
{
    emit_begin(out, NULL, '[');
    for (size_t i = 0; i < count; i++) {
        const struct shown_state *s = &list[i];
        emit_begin(out, NULL, '{');
        emit_text(out, "database", s->mark->database);
        emit_text(out, "table", s->mark->table);
        emit_text(out, "target", s->mark->target);
        emit_text(out, "method", s->by_key ? STR("key") : STR("full"));
        emit_number(out, "version", s->mark->live_version);
        emit_text(out, "under_way", str_of(doing(s->mark)));
        emit_time(out, "read_at", s->mark->last_read_at);
        emit_text_or_null(out, "key", s->by_key ? s->bookmark.column : (struct str){ 0 });
        emit_text_or_null(out, "next_start", s->start);
        emit_bool(out, "by_look_back", s->bookmark.by_look_back);
        emit_time(out, "noted_at", s->bookmark.noted);
        emit_begin(out, "anchors", '[');
        for (size_t k = 0; k < s->bookmark.anchor_count; k++) {
            emit_begin(out, NULL, '{');
            emit_time(out, "at", s->bookmark.anchors[k].at);
            emit_text_or_null(out, "max", s->bookmark.anchors[k].max);
            emit_end(out, '}');
        }
        emit_end(out, ']');
        emit_end(out, '}');
    }
    emit_end(out, ']');
    buf_add_char(out, '\n');
}

static int show(struct cli *cli, const struct integration *i, struct str table,
                struct error *err)
{
    CLEANUP(buf_done) struct buf out;
    struct mark_list marks = { 0 };
    size_t count = 0;
    buf_init(&out, OUTPUT_BYTES);
    if (probe_marks(cli->arena, i, cli->cancel, &marks, err) != 0)
        return -1;
    struct shown_state *list =
        ARENA_ARRAY(cli->arena, struct shown_state, marks.stream_count + 1);
    for (size_t k = 0; k < marks.stream_count; k++)
        if (is_asked(&marks.streams[k], table))
            list[count++] = look(cli->arena, &marks.streams[k]);
    if (count == 0 && table.len > 0) {
        (void)error_set(err, ERR_CONFIG, "the integration has no table '" STR_FMT "'",
                        STR_ARG(table));
        err->hint = "`tailrace state NAME` lists its tables.";
        return -1;
    }
    if (cli->json)
        print_json(&out, list, count);
    else
        print_text(&out, list, count);
    if (buf_check(&out, "the state as text", err) != 0)
        return -1;
    cli_write(&out);
    return 0;
}

/* What was not read between the two values is not copied, so a person has to say yes. */
static int confirm(struct cli *cli, struct str table, struct str value, struct error *err)
{
    char answer[8] = { 0 };
    if (option_bool(cli->values, "yes"))
        return 0;
    if (isatty(STDIN_FILENO) == 1) {
        (void)fprintf(stderr,
                      "The next read of " STR_FMT " starts at " STR_FMT
                      "; rows between are not copied, or copied again. Type yes: ",
                      STR_ARG(table), STR_ARG(value));
        if (fgets(answer, sizeof answer, stdin) != NULL &&
            str_eq(str_trim(str_of(answer)), STR("yes")))
            return 0;
    }
    (void)error_set(err, ERR_CONFIG, "the bookmark of '" STR_FMT "' was not set",
                    STR_ARG(table));
    err->hint = "Rows between the two values are not copied, or copied again: confirm by "
                "--yes.";
    return -1;
}

static int set(struct cli *cli, struct state *s, const struct integration *i,
               struct str value, struct error *err)
{
    CLEANUP(buf_done) struct buf was, out;
    struct reset_order order = { .data_dir = cli->data_dir,
                                 .integration = i,
                                 .table = str_of(cli->operands[1]) };
    buf_init(&was, 4096);
    buf_init(&out, OUTPUT_BYTES);
    if (confirm(cli, order.table, value, err) != 0 ||
        reset_bookmark(s, &order, value, cli->cancel, &was, err) != 0)
        return -1;
    if (cli->json) {
        emit_begin(&out, NULL, '{');
        emit_text(&out, "table", order.table);
        emit_text_or_null(&out, "was", buf_str(&was));
        emit_text(&out, "next_start", value);
        emit_end(&out, '}');
        buf_add_char(&out, '\n');
    } else {
        buf_printf(&out,
                   "The next read of " STR_FMT " starts at " STR_FMT "; it was %s" STR_FMT
                   ".\n",
                   STR_ARG(order.table), STR_ARG(value),
                   was.len == 0 ? "the first key" : "", STR_ARG(buf_str(&was)));
    }
    cli_write(&out);
    return 0;
}

static int run_state(struct cli *cli, struct error *err)
{
    struct integration i = { 0 };
    struct str value = option_text(cli->values, "set");
    if (value.len > 0 && cli->operand_count < 2) {
        (void)error_set(err, ERR_CONFIG, "--set needs the TABLE whose bookmark is meant");
        err->hint = "Run the command with --help to see what it does.";
        return EXIT_USAGE;
    }
    struct state *s = cli_state(cli, err);
    if (s == NULL)
        return -1;
    int rc = cli_integration(cli, s, str_of(cli->operands[0]), &i, err);
    if (rc == 0 && value.len > 0)
        rc = set(cli, s, &i, value, err);
    else if (rc == 0)
        rc = show(cli, &i,
                  cli->operand_count > 1 ? str_of(cli->operands[1]) : (struct str){ 0 },
                  err);
    state_close(s);
    return rc != 0 ? -1 : EXIT_OK;
}

const struct command cmd_state = {
    .name = "state",
    .operands = "NAME [TABLE]",
    .summary = "show how far each table is; set a bookmark",
    .text =
        "Shows what the destination knows of each table: its version, and for tables "
        "that "
        "are read by key the bookmark, where the next read starts.\n\n"
        "--set puts the bookmark of one table elsewhere, after asking: back, to read "
        "rows "
        "again (those that did not change are recognised and not loaded twice); forward, "
        "to leave rows out. To copy a table from the start use `tailrace reset`.\n\n"
        "Examples:\n"
        "  tailrace state shop\n"
        "  tailrace state shop orders --json\n"
        "  tailrace state shop shop.orders --set '2026-01-01 00:00:00'\n",
    .options = STATE_OPTIONS,
    .min_operands = 1,
    .max_operands = 2,
    .run = run_state,
};
