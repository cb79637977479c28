/* schema: the Avro schema of a table, version by version. */
#include "base/alloc.h"
#include "base/emit.h"
#include "cli/cli.h"
#include "cli/schema_pending.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUT_BYTES ((size_t)256 << 20)

static const struct option SCHEMA_OPTIONS[] = {
    { "shape", OPTION_INT, "0", 0, 0, NULL,
      "Print this version's schema and nothing else, ready for Avro tools; 0 prints "
      "all." },
    { "pending", OPTION_BOOL, "no", 0, 0, NULL,
      "Ask the source, and show what its columns would change at the destination. "
      "Nothing is changed." },
    { 0 },
};

struct shapes {
    struct stream_shape *list;
    size_t count;
};

/* "db.table", where both may hold dots themselves, else a table of any database. */
static int find_shapes(struct cli *cli, struct state *s, const struct integration *i,
                       struct shapes *out, struct error *err)
{
    struct str text = str_of(cli->operands[1]);
    for (size_t dot = 1; dot < text.len; dot++) {
        if (text.ptr[dot] != '.')
            continue;
        struct stream_name of = { .integration = i->name,
                                  .database = { text.ptr, dot },
                                  .table = { text.ptr + dot + 1, text.len - dot - 1 } };
        if (state_shape_list(s, cli->arena, &of, &out->list, &out->count, err) != 0)
            return -1;
        if (out->count > 0)
            return 0;
    }
    struct stream_name of = { .integration = i->name,
                              .database = STR(""),
                              .table = text };
    return state_shape_list(s, cli->arena, &of, &out->list, &out->count, err);
}

/* One table: a name that several databases have must be said whole. */
static int check_shapes(const struct shapes *s, const struct integration *i,
                        struct str asked, struct error *err)
{
    if (s->count == 0) {
        (void)error_set(err, ERR_CONFIG,
                        "integration '" STR_FMT "' has read no table '" STR_FMT "'",
                        STR_ARG(i->name), STR_ARG(asked));
        err->hint = "`tailrace report NAME` lists the tables of the last run.";
        return -1;
    }
    for (size_t k = 1; k < s->count; k++)
        if (!str_eq(s->list[k].database, s->list[0].database)) {
            (void)error_set(err, ERR_CONFIG,
                            "databases '" STR_FMT "' and '" STR_FMT
                            "' both have a table '" STR_FMT "'",
                            STR_ARG(s->list[0].database), STR_ARG(s->list[k].database),
                            STR_ARG(asked));
            err->hint = "Write DATABASE.TABLE.";
            return -1;
        }
    return 0;
}

/* The schema with line breaks; as stored when it is no JSON. */
static void add_pretty(struct buf *out, struct str json)
{
    json_t *root = json_loadb(json.ptr, json.len, JSON_DECODE_ANY, NULL);
    char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(2));
    if (text == NULL)
        buf_add_str(out, json);
    else
        buf_add_text(out, text);
    buf_add_char(out, '\n');
    free(text);
    json_decref(root);
}

static void emit_shape(struct buf *out, const struct stream_shape *sh)
{
    char hash[17];
    (void)snprintf(hash, sizeof hash, "%016" PRIx64, sh->hash);
    emit_begin(out, NULL, '{');
    emit_text(out, "database", sh->database);
    emit_text(out, "table", sh->table);
    emit_number(out, "shape", sh->version);
    emit_text(out, "hash", str_of(hash));
    emit_time(out, "seen_at", sh->seen_at);
    emit_raw(out, "schema", sh->schema_json);
    emit_end(out, '}');
}

static void print_all(struct buf *out, const struct shapes *s, bool json)
{
    char when[WHEN_TEXT_MAX];
    if (json) {
        buf_add_char(out, '[');
        for (size_t i = 0; i < s->count; i++)
            emit_shape(out, &s->list[i]);
        buf_add_text(out, "]\n");
        return;
    }
    for (size_t i = 0; i < s->count; i++) {
        const struct stream_shape *sh = &s->list[i];
        buf_printf(out, "%s" STR_FMT "." STR_FMT ", shape %u, first seen %s UTC\n",
                   i == 0 ? "" : "\n", STR_ARG(sh->database), STR_ARG(sh->table),
                   sh->version, emit_when(when, sh->seen_at));
        add_pretty(out, sh->schema_json);
    }
}

static int print_one(struct buf *out, const struct shapes *s, int64_t version,
                     struct error *err)
{
    for (size_t i = 0; i < s->count; i++)
        if ((int64_t)s->list[i].version == version) {
            add_pretty(out, s->list[i].schema_json);
            return 0;
        }
    (void)error_set(err, ERR_CONFIG, "there is no shape %lld; the newest is %u",
                    (long long)version, s->list[s->count - 1].version);
    err->hint = "Without --shape all are shown.";
    return -1;
}

static int print_schema(struct cli *cli, struct state *s, struct buf *out,
                        struct error *err)
{
    struct integration i = { 0 };
    struct shapes shapes = { 0 };
    int64_t version = option_number(cli->values, "shape");
    if (cli_integration(cli, s, str_of(cli->operands[0]), &i, err) != 0 ||
        find_shapes(cli, s, &i, &shapes, err) != 0 ||
        check_shapes(&shapes, &i, str_of(cli->operands[1]), err) != 0)
        return -1;
    if (version > 0)
        return print_one(out, &shapes, version, err);
    print_all(out, &shapes, cli->json);
    return 0;
}

static int run_schema(struct cli *cli, struct error *err)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUTPUT_BYTES);
    if (option_number(cli->values, "shape") > 0 &&
        (cli->operand_count < 2 || option_bool(cli->values, "pending"))) {
        (void)error_set(err, ERR_CONFIG, "--shape needs a TABLE, and no --pending");
        err->hint = "Run the command with --help to see what it does.";
        return EXIT_USAGE;
    }
    struct state *s = cli_state(cli, err);
    if (s == NULL)
        return -1;
    bool pending = option_bool(cli->values, "pending");
    struct str table =
        cli->operand_count > 1 ? str_of(cli->operands[1]) : (struct str){ 0 };
    int rc = pending || table.len == 0 ? schema_pending(cli, s, table, pending, &out, err)
                                       : print_schema(cli, s, &out, err);
    state_close(s);
    if (rc != 0 || buf_check(&out, "the schema as text", err) != 0)
        return -1;
    cli_write(&out);
    return EXIT_OK;
}

const struct command cmd_schema = {
    .name = "schema",
    .operands = "NAME [TABLE]",
    .summary = "show the shapes of tables, and what is to change in them",
    .text =
        "With NAME alone the columns of the destination's tables. With --pending what "
        "the source's columns, as they are now, would change there, and what is done "
        "then: in place, copied again, parked, or the run stops (see the options "
        "on_...). It is a forecast: a column that was renamed looks like one dropped and "
        "one new, and for tables that follow the log its statements decide.\n\n"
        "With TABLE prints the record of the table's columns as Avro has it, for every "
        "shape that "
        "the table had in runs of this integration, oldest first. Names, types and "
        "attributes of the source stand beside each field.\n\n"
        "TABLE is DATABASE.TABLE, or the table alone when only one database has it.\n\n"
        "Examples:\n"
        "  tailrace schema shop --pending\n"
        "  tailrace schema shop orders\n"
        "  tailrace schema shop shop.orders --shape 2 > orders.avsc\n",
    .options = SCHEMA_OPTIONS,
    .min_operands = 1,
    .max_operands = 2,
    .run = run_schema,
};
