/* discover: what a source has, and what of it can be copied. */
#include "base/alloc.h"
#include "base/log.h"
#include "cli/catalog_print.h"
#include "cli/cli.h"
#include "config/url.h"
#include "sync/probe.h"

/* Some 50 bytes a column for people, 400 as JSON: room for two million columns. */
#define OUTPUT_BYTES ((size_t)1 << 30)

static const struct option DISCOVER_OPTIONS[] = {
    { "columns", OPTION_BOOL, "no", 0, 0, NULL,
      "List every table's columns: type, charset, name and type in Avro and DuckDB, key, "
      "and what is unsupported and why." },
    { "catalog", OPTION_BOOL, "no", 0, 0, NULL,
      "Print the catalog in Singer's form: streams with JSON schema and metadata." },
    { "tinyint_as_int", OPTION_BOOL, "no", 0, 0, NULL,
      "Show TINYINT(1) as the integer that sync makes of it under the same option." },
    { 0 },
};

static int print_catalog(const struct cli *cli, const struct catalog *c,
                         struct str server, struct error *err)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUTPUT_BYTES);
    if (option_bool(cli->values, "catalog"))
        catalog_print_singer(&out, c);
    else if (cli->json)
        catalog_print_json(&out, c, server);
    else if (option_bool(cli->values, "columns"))
        catalog_print_columns(&out, c);
    else
        catalog_print_tables(&out, c, server);
    if (buf_check(&out, "the catalog as text", err) != 0)
        return -1;
    cli_write(&out);
    return EXIT_OK;
}

static int run_discover(struct cli *cli, struct error *err)
{
    struct url_source source = { 0 };
    struct secret *in_url = NULL;
    CLEANUP(secret_free_at) struct secret *password = NULL;
    struct str server = { 0 };
    struct str url = arena_str(cli->arena, str_of(cli->operands[0]));
    (void)url_wipe_argument(cli->operands[0]);
    if (url_parse_source(cli->arena, url, &source, &in_url, err) != 0 ||
        cli_password(cli, in_url, &password, err) != 0)
        return -1;
    struct probe_request request = { .url = &source,
                                     .password = password,
                                     .always_int =
                                         option_bool(cli->values, "tinyint_as_int") };
    struct catalog *c = probe_discover(cli->arena, &request, cli->cancel, &server, err);
    if (c == NULL)
        return -1;
    int rc = print_catalog(cli, c, server, err);
    catalog_free(c);
    return rc;
}

const struct command cmd_discover = {
    .name = "discover",
    .operands = "SOURCE",
    .summary = "show databases, tables, columns and keys of a source",
    .text =
        "Connects, reads the server's catalog in a bounded number of queries, and shows "
        "each table with its key, the server's estimates of rows and size, and what "
        "stands in the way of a copy. Nothing is written and nothing is stored.\n\n"
        "SOURCE is mysql://USER@HOST[:PORT]/[DATABASE[,DATABASE...]][?OPTIONS]; "
        "`tailrace help sync` tells of them. Without databases all but the server's own "
        "are shown. What this user may not "
        "read is listed with the reason.\n\n"
        "Examples:\n"
        "  tailrace discover mysql://reader@db.example.com/shop\n"
        "  tailrace discover mysql://reader@db.example.com/shop --columns\n"
        "  tailrace discover mysql://reader@db.example.com/ --json "
        "| jq '.databases[].name'\n",
    .options = DISCOVER_OPTIONS,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_discover,
};
