/* select: which tables and columns are copied, shown and changed. */
#include "base/alloc.h"
#include "cli/integration_print.h"
#include "cli/select_internal.h"
#include "sync/choose.h"
#include "sync/probe.h"
#include "sync/selection.h"

#define OUTPUT_BYTES ((size_t)1 << 30)

static const struct option SELECT_OPTIONS[] = {
    { "deselect", OPTION_BOOL, "no", 0, 0, NULL, "Leave it out instead." },
    { "forget", OPTION_BOOL, "no", 0, 0, NULL,
      "Forget what was said of this table or column by name: the patterns decide "
      "again." },
    { "show", OPTION_BOOL, "no", 0, 0, NULL,
      "Change nothing; show the columns of TABLE, which may be a pattern." },
    { "unset", OPTION_TEXT, "", 0, 0, NULL,
      "Options of TABLE, separated by commas, that become again as the integration has "
      "them." },
    { "check_key", OPTION_BOOL, "no", 0, 0, NULL,
      "Ask the source whether the key declared for the view TABLE is unique and never "
      "NULL. This reads all of the view." },
    { "offline", OPTION_BOOL, "no", 0, 0, NULL,
      "Do not ask the source whether there is such a table or column; TABLE is then "
      "DATABASE.TABLE." },
    { 0 },
};

static int bad(struct error *err, const char *hint, const char *text, struct str what)
{
    (void)error_set(err, ERR_CONFIG, "%s '" STR_FMT "'", text, STR_ARG(what));
    err->hint = hint;
    return -1;
}

static struct probe_request request_of(const struct selecting *s)
{
    return (struct probe_request){ .url = &s->source,
                                   .password = s->password,
                                   .always_int = s->options.always_int };
}

static int ask_source(struct selecting *s, struct error *err)
{
    struct cli *cli = s->cli;
    struct secret *in_url = NULL;
    struct str server = { 0 };
    if (url_parse_source(cli->arena, s->spec.source, &s->source, &in_url, err) != 0 ||
        cli_password(cli, in_url, &s->password, err) != 0)
        return -1;
    struct probe_request r = request_of(s);
    s->catalog = probe_discover(cli->arena, &r, cli->cancel, &server, err);
    return s->catalog == NULL ? -1 : 0;
}

/* --- changing -------------------------------------------------------------------------
 */

/* As people write it: "db.table". */
static bool is_written(const struct table_schema *t, struct str name)
{
    struct str d = t->database;
    return str_starts(name, d) && name.len > d.len + 1 && name.ptr[d.len] == '.' &&
           str_eq((struct str){ name.ptr + d.len + 1, name.len - d.len - 1 }, t->name);
}

/* The one table that is meant by "db.table" or by a name that one database has. */
static const struct catalog_table *find_table(const struct selecting *s, struct str name,
                                              struct error *err)
{
    const struct catalog_table *found = NULL;
    for (size_t d = 0; d < s->catalog->database_count; d++)
        for (size_t i = 0; i < s->catalog->databases[d].table_count; i++) {
            const struct catalog_table *t = &s->catalog->databases[d].tables[i];
            if (is_written(&t->schema, name))
                return t;
            if (!str_eq(t->schema.name, name))
                continue;
            if (found != NULL) {
                (void)bad(err, "Write DATABASE.TABLE.",
                          "more than one database has a table", name);
                return NULL;
            }
            found = t;
        }
    if (found == NULL)
        (void)bad(err, "`tailrace select NAME` lists the tables.",
                  "the source has no table", name);
    return found;
}

/* Why the column is copied whatever is said of it; NULL: it need not be. */
static const char *role_of(const struct selecting *s, const struct catalog_table *t,
                           const struct column *c)
{
    struct selection sel = { s->spec.streams, s->spec.stream_count };
    const struct stream_setting *said =
        selection_find(&sel, t->schema.database, t->schema.name);
    struct stream_options o = { 0 };
    struct error ignored = { 0 }; /* a table that cannot be replicated so has no key */
    if (c->key_ordinal > 0)
        return "part of the key";
    (void)stream_options_parse(s->cli->arena,
                               said == NULL ? (struct str){ 0 } : said->options,
                               &s->options, &o, &ignored);
    return select_role(&o, c->name);
}

/* What is said of a column must be possible; the source's own spelling is kept. */
static int check_column(const struct selecting *s, const struct catalog_table *t,
                        struct str *name, struct error *err)
{
    bool matched = false;
    for (unsigned i = 0; i < t->schema.column_count; i++) {
        const struct column *c = &t->schema.columns[i];
        if (setting_is_pattern(*name)) {
            matched = matched || str_glob(*name, c->name, true);
            continue;
        }
        if (!str_ieq(c->name, *name))
            continue;
        *name = c->name;
        if (s->chosen == CHOSEN_YES && c->type == TYPE_UNSUPPORTED) {
            (void)error_set(err, ERR_CONFIG,
                            "column '" STR_FMT "' cannot be selected: " STR_FMT,
                            STR_ARG(*name), STR_ARG(c->why));
            err->hint = "`tailrace discover SOURCE --columns` shows what is supported.";
            return -1;
        }
        const char *role = role_of(s, t, c);
        if (s->chosen == CHOSEN_NO && role != NULL) {
            (void)error_set(err, ERR_CONFIG,
                            "column '" STR_FMT "' cannot be left out: it is %s",
                            STR_ARG(*name), role);
            err->hint = "Key columns are always copied.";
            return -1;
        }
        return 0;
    }
    if (matched || s->chosen == CHOSEN_BY_PATTERN)
        return 0;
    return bad(err, "`tailrace select NAME TABLE --show` lists the columns.",
               "the table has no column", *name);
}

/* With options the table is selected only when it is not: what selects it stays. */
static enum chosen chosen_with_options(const struct selecting *s, struct str database,
                                       struct str table, const struct catalog_table *t)
{
    struct selection sel = { s->spec.streams, s->spec.stream_count };
    const struct stream_setting *said = selection_find(&sel, database, table);
    enum chosen before = said == NULL ? CHOSEN_BY_PATTERN : said->chosen;
    if (!s->has_options && s->check_key)
        return before;
    if (before == CHOSEN_NO ||
        (t != NULL && !selection_table(&sel, &s->options, t, NULL, NULL).selected))
        return CHOSEN_YES;
    return before;
}

static int check_table(const struct selecting *s, struct str name,
                       const struct catalog_table *t, struct error *err)
{
    if (t == NULL || s->chosen != CHOSEN_YES ||
        (t->readable && t->kind != TABLE_SEQUENCE))
        return 0;
    (void)error_set(err, ERR_CONFIG, "table '" STR_FMT "' cannot be selected: " STR_FMT,
                    STR_ARG(name), STR_ARG(t->why));
    err->hint = "`tailrace discover SOURCE` shows what can be copied.";
    return -1;
}

/* What is said of the table must fit what the source has. */
static int check_options(struct selecting *s, const struct catalog_table *t,
                         struct error *err)
{
    struct cli *cli = s->cli;
    struct selection sel = { s->spec.streams, s->spec.stream_count };
    const struct stream_setting *said =
        selection_find(&sel, t->schema.database, t->schema.name);
    struct stream_options o = { 0 };
    if (stream_options_parse(cli->arena, said == NULL ? (struct str){ 0 } : said->options,
                             &s->options, &o, err) != 0)
        return error_wrap(err, "table '" STR_FMT "'", STR_ARG(t->schema.name));
    struct probe_request r = request_of(s);
    struct probe_table of = { .found = t, .options = &o, .check_key = s->check_key };
    return probe_check(cli->arena, &r, &of, cli->cancel, err);
}

static struct str spelled(const struct catalog_table *t, struct str name)
{
    for (unsigned i = 0; i < t->schema.column_count; i++)
        if (str_ieq(t->schema.columns[i].name, name))
            return t->schema.columns[i].name;
    return name;
}

/* Columns that options name are kept as the source spells them. */
static int spell_options(struct cli *cli, const struct catalog_table *t,
                         struct error *err)
{
    static const char *const NAMES[] = { "key", "view_key" };
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        CLEANUP(buf_done) struct buf list;
        struct str rest = option_text(cli->more_values, NAMES[i]);
        buf_init(&list, OUTPUT_BYTES);
        while (rest.len > 0) {
            struct str one = str_trim(str_cut(rest, ',', &rest));
            buf_printf(&list, "%s" STR_FMT, list.len == 0 ? "" : ",",
                       STR_ARG(spelled(t, one)));
        }
        if (list.len > 0 &&
            option_set(cli->more_values, str_of(NAMES[i]), buf_str(&list), err) != 0)
            return -1;
    }
    return 0;
}

static int change_table(struct selecting *s, const struct stream_name *of,
                        const struct catalog_table *t, struct error *err)
{
    struct cli *cli = s->cli;
    bool with = s->has_options || s->check_key;
    enum chosen chosen =
        with ? chosen_with_options(s, of->database, of->table, t) : s->chosen;
    struct option_change change = { cli->more_values, option_text(cli->values, "unset") };
    choose_table(cli->arena, &s->spec, of->database, of->table, chosen);
    if (!with)
        return 0;
    if (t != NULL && spell_options(cli, t, err) != 0)
        return -1;
    if (choose_options(cli->arena, &s->spec, of, &change, err) != 0)
        return -1;
    return t == NULL ? 0 : check_options(s, t, err);
}

static int change_named(struct selecting *s, struct str name, struct error *err)
{
    struct cli *cli = s->cli;
    const struct catalog_table *t = NULL;
    struct stream_name of = { .integration = s->integration.name };
    of.database = str_cut(name, '.', &of.table);
    if (s->catalog == NULL && of.table.len == 0)
        return bad(err, "Write DATABASE.TABLE.", "with --offline no database is known of",
                   name);
    if (s->catalog != NULL) {
        t = find_table(s, name, err);
        if (t == NULL)
            return -1;
        of.database = t->schema.database;
        of.table = t->schema.name;
    }
    if (cli->operand_count == 2)
        return check_table(s, name, t, err) != 0 ? -1 : change_table(s, &of, t, err);
    for (int i = 2; i < cli->operand_count; i++) {
        struct str column = str_of(cli->operands[i]);
        if (t != NULL && check_column(s, t, &column, err) != 0)
            return -1;
        choose_column(cli->arena, &s->spec, of.database, of.table, column, s->chosen);
    }
    return 0;
}

/* Columns that came while new ones were to be ignored: all means these, too. */
static int choose_late(struct selecting *s, const struct catalog_table *t,
                       struct error *err)
{
    struct cli *cli = s->cli;
    const struct selection sel = { s->spec.streams, s->spec.stream_count };
    const struct stream_setting *said =
        selection_find(&sel, t->schema.database, t->schema.name);
    struct selection_owner owner = { s->state, s->integration.name, &s->options,
                                     selection_leaves_new(said, &s->options) };
    bool *late = ARENA_ARRAY(cli->arena, bool, t->schema.column_count + 1u);
    if (t->kind != TABLE_BASE)
        return 0;
    if (selection_late(&owner, &t->schema, false, late, err) != 0)
        return -1;
    for (unsigned i = 0; i < t->schema.column_count; i++)
        if (late[i] && t->schema.columns[i].type != TYPE_UNSUPPORTED)
            choose_column(cli->arena, &s->spec, t->schema.database, t->schema.name,
                          t->schema.columns[i].name, CHOSEN_YES);
    return 0;
}

static int change_all(struct selecting *s, struct error *err)
{
    if (s->cli->operand_count > 2 || s->chosen != CHOSEN_YES)
        return bad(err, "To leave out every table: select NAME '*' --deselect.",
                   "no COLUMN, --deselect or --forget goes with", STR("all"));
    if (choose_all(&s->spec, err) != 0)
        return -1;
    for (size_t d = 0; s->catalog != NULL && d < s->catalog->database_count; d++)
        for (size_t i = 0; i < s->catalog->databases[d].table_count; i++)
            if (choose_late(s, &s->catalog->databases[d].tables[i], err) != 0)
                return -1;
    return 0;
}

static int change_pattern(struct selecting *s, struct str pattern, struct error *err)
{
    struct cli *cli = s->cli;
    bool matched = s->catalog == NULL;
    if (s->chosen == CHOSEN_BY_PATTERN)
        return bad(err, "Select or deselect the pattern instead.",
                   "--forget goes with the name of a table, not with", pattern);
    for (size_t d = 0; !matched && d < s->catalog->database_count; d++)
        for (size_t i = 0; i < s->catalog->databases[d].table_count; i++) {
            const struct table_schema *t = &s->catalog->databases[d].tables[i].schema;
            matched = matched || selection_matches(pattern, t->database, t->name);
        }
    if (!matched)
        return bad(err,
                   "`tailrace select NAME` lists the tables; --offline does not ask.",
                   "the source has no table", pattern);
    if (cli->operand_count == 2)
        return choose_tables(cli->arena, &s->spec, pattern, s->chosen, err);
    for (int i = 2; i < cli->operand_count; i++)
        if (choose_columns(cli->arena, &s->spec, pattern, str_of(cli->operands[i]),
                           s->chosen, err) != 0)
            return -1;
    return 0;
}

static int change(struct selecting *s, struct error *err)
{
    CLEANUP(buf_done) struct buf out;
    struct apply_result result = { 0 };
    struct str table = str_of(s->cli->operands[1]);
    buf_init(&out, OUTPUT_BYTES);
    int rc = str_eq(table, STR("all"))   ? change_all(s, err)
             : setting_is_pattern(table) ? change_pattern(s, table, err)
                                         : change_named(s, table, err);
    struct apply_request r = { .list = &s->spec, .count = 1 };
    if (rc != 0 || apply_list(s->state, s->cli->arena, &r, &result, err) != 0)
        return -1;
    if (s->check_key && !s->cli->json)
        buf_printf(&out, "the key declared for '" STR_FMT "' is unique and never NULL\n",
                   STR_ARG(table));
    integration_print_changes(&out, &result, false, s->cli->json);
    if (buf_check(&out, "the changes", err) != 0)
        return -1;
    cli_write(&out);
    return 0;
}

static int select_with(struct selecting *s, bool showing, struct error *err)
{
    struct cli *cli = s->cli;
    struct str name = str_of(cli->operands[0]);
    if (cli_integration(cli, s->state, name, &s->integration, err) != 0 ||
        apply_current(s->state, cli->arena, name, &s->spec, err) != 1 ||
        sync_options_parse(cli->arena, s->spec.options, &s->options, err) != 0)
        return -1;
    if ((showing || !option_bool(cli->values, "offline")) && ask_source(s, err) != 0)
        return -1;
    if (!showing)
        return change(s, err);
    return select_show(
        s, cli->operand_count > 1 ? str_of(cli->operands[1]) : (struct str){ 0 }, err);
}

/* Options are said of one table. */
static int check_usage(const struct selecting *s, struct error *err)
{
    const struct cli *cli = s->cli;
    struct str table = str_of(cli->operand_count > 1 ? cli->operands[1] : "");
    if (!s->has_options && !s->check_key)
        return 0;
    if (s->check_key && option_bool(cli->values, "offline")) {
        (void)error_set(err, ERR_CONFIG,
                        "--check-key asks the source, --offline does not");
        err->hint = "Give one of the two.";
        return -1;
    }
    if (cli->operand_count == 2 && !setting_is_pattern(table) &&
        !str_eq(table, STR("all")) && s->chosen == CHOSEN_YES &&
        !option_bool(cli->values, "show"))
        return 0;
    (void)error_set(err, ERR_CONFIG,
                    "options are said of one TABLE by name, without COLUMN, --deselect, "
                    "--forget and --show");
    err->hint = "Those of all tables are the integration's: `tailrace apply`.";
    return -1;
}

static bool any_set(const struct option_values *v)
{
    for (const struct option *o = stream_option_table(); o->name != NULL; o++)
        if (option_is_set(v, o->name))
            return true;
    return false;
}

static int run_select(struct cli *cli, struct error *err)
{
    struct selecting s = { .cli = cli, .chosen = CHOSEN_YES };
    bool no = option_bool(cli->values, "deselect");
    bool forget = option_bool(cli->values, "forget");
    bool asked = option_bool(cli->values, "show");
    if ((no ? 1 : 0) + (forget ? 1 : 0) + (asked ? 1 : 0) > 1 ||
        ((no || forget) && cli->operand_count < 2) || (asked && cli->operand_count > 2)) {
        (void)error_set(
            err, ERR_CONFIG,
            "--deselect and --forget need a TABLE, --show takes no COLUMN, and "
            "only one of the three can be meant");
        err->hint = "Run the command with --help to see what it does.";
        return EXIT_USAGE;
    }
    if (no || forget)
        s.chosen = no ? CHOSEN_NO : CHOSEN_BY_PATTERN;
    s.check_key = option_bool(cli->values, "check_key");
    s.has_options =
        any_set(cli->more_values) || option_text(cli->values, "unset").len > 0;
    if (check_usage(&s, err) != 0)
        return EXIT_USAGE;
    s.state = cli_state(cli, err);
    if (s.state == NULL)
        return -1;
    int rc = select_with(&s, asked || cli->operand_count == 1, err);
    option_values_free(s.spec.options);
    secret_free(s.password);
    if (s.catalog != NULL)
        catalog_free(s.catalog);
    state_close(s.state);
    return rc != 0 ? -1 : EXIT_OK;
}

const struct command cmd_select = {
    .name = "select",
    .operands = "NAME [TABLE [COLUMN...]]",
    .summary = "show and change which tables and columns are copied",
    .text =
        "With NAME alone, every table of the source: whether it is copied, how, how many "
        "of its columns, and why. With --show the columns of TABLE.\n\n"
        "With TABLE it is selected, or left out by --deselect; with COLUMN the columns "
        "of it are. TABLE is DATABASE.TABLE, or the table alone when only one database "
        "has it, or a pattern with * and ?; COLUMN is a name or a pattern. What is said "
        "of one table by name is stronger than a pattern. Patterns of tables are kept in "
        "the options tables, exclude and exclude_columns.\n\n"
        "The word all selects every table and column but views: what was chosen before "
        "is forgotten, options of single tables stay. It wants the integration's method "
        "to be auto.\n\n"
        "The options --method to --view-key say how this one table is replicated, as far "
        "as it differs from the integration; --unset takes one back. A table whose "
        "method, key, where, load or view key changes is copied anew.\n\n"
        "Key columns are always copied. A column that is left out is not read any more; "
        "it stays in the destination, NULL in every row that is written from then on. "
        "Selected again, it is filled in rows that are copied or changed after that. A "
        "change takes effect with the next run.\n\n"
        "Examples:\n"
        "  tailrace select shop\n"
        "  tailrace select shop all\n"
        "  tailrace select shop customers --show\n"
        "  tailrace select shop orders --method key --key updated_at\n"
        "  tailrace select shop orders --unset method,key\n"
        "  tailrace select shop revenue --view-key day,region --check-key\n"
        "  tailrace select shop shop.audit_log --deselect\n"
        "  tailrace select shop customers phone 'address_*' --deselect\n"
        "  tailrace select shop '*' password --deselect\n",
    .options = SELECT_OPTIONS,
    .more_table = stream_option_table,
    .min_operands = 1,
    .max_operands = 10000,
    .run = run_select,
};
