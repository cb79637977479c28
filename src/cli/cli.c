/* Parsing the command line and running a command. See cli.h. */
#include "cli/cli.h"

#include "base/alloc.h"
#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARENA_LIMIT ((size_t)1 << 30)

static const char *const LEVELS[] = { "debug", "info", "warn", "error", NULL };
static const char *const LOG_FORMATS[] = { "auto", "text", "json", NULL };

const struct option cli_common_options[] = {
    { "data_dir", OPTION_TEXT, "", 0, 0, NULL,
      "Where state and spool are kept; else TAILRACE_DATA_DIR, else the XDG state "
      "directory "
      "(~/.local/state/tailrace)." },
    { "json", OPTION_BOOL, "no", 0, 0, NULL, "Answer in JSON, for programs." },
    { "log_level", OPTION_CHOICE, "info", 0, 0, LEVELS,
      "Least level of events shown on standard error." },
    { "log_format", OPTION_CHOICE, "auto", 0, 0, LOG_FORMATS,
      "Events as text or as JSON lines; auto is text on a terminal." },
    { "quiet", OPTION_BOOL, "no", 0, 0, NULL, "No progress, only warnings and errors." },
    { "password_file", OPTION_TEXT, "", 0, 0, NULL,
      "File whose first line is the source's password." },
    { 0 },
};

/* --- signals --------------------------------------------------------------------------
 */

/* The one thing a handler may touch; cancel_request() is safe there. */
static struct cancel *signal_cancel;

static void on_signal(int number)
{
    (void)number;
    int saved = errno;
    if (cancel_requested(signal_cancel) == CANCEL_NONE) {
        static const char TEXT[] = "\nstopping: what was read is kept and loaded; "
                                   "once more to leave that to the next run\n";
        cancel_request(signal_cancel, CANCEL_GRACEFUL);
        if (write(STDERR_FILENO, TEXT, sizeof TEXT - 1) < 0)
            errno = saved;
    } else {
        cancel_request(signal_cancel, CANCEL_HARD);
    }
    errno = saved;
}

static void catch_signals(struct cancel *c)
{
    signal_cancel = c;
    struct sigaction act = { .sa_handler = on_signal };
    (void)sigemptyset(&act.sa_mask);
    (void)sigaction(SIGINT, &act, NULL);
    (void)sigaction(SIGTERM, &act, NULL);
    act.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &act, NULL);
}

/* --- errors
 * ----------------------------------------------------------------------------- */

enum exit_code cli_exit_of(const struct error *err)
{
    switch (err->code) {
    case ERR_NONE:
        return EXIT_OK;
    case ERR_CANCELLED:
        return EXIT_STOPPED;
    case ERR_CONFIG:
    case ERR_AUTH:
        return EXIT_CONFIG;
    case ERR_NETWORK:
    case ERR_PROTOCOL:
    case ERR_POSITION:
    case ERR_SCHEMA:
    case ERR_DATA:
        return EXIT_SOURCE;
    case ERR_TARGET:
        return EXIT_TARGET;
    case ERR_LIMIT:
    case ERR_IO:
        return EXIT_LIMIT;
    case ERR_BUG:
    case ERR_CODE_COUNT:
        return EXIT_BUG;
    }
    return EXIT_BUG;
}

void cli_print_error(const struct cli *cli, const struct error *err, int exit)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, (size_t)64 << 10);
    if (cli != NULL && cli->json) {
        buf_add_text(&b, "{\"error\":");
        buf_add_json(&b, str_of(err->text));
        buf_add_text(&b, ",\"code\":");
        buf_add_json(&b, str_of(error_code_name(err->code)));
        buf_add_text(&b, ",\"hint\":");
        if (err->hint == NULL)
            buf_add_text(&b, "null");
        else
            buf_add_json(&b, str_of(err->hint));
        buf_printf(&b, ",\"exit\":%d}\n", exit);
    } else {
        buf_printf(&b, "tailrace: %s\n", err->text);
        if (err->hint != NULL)
            buf_printf(&b, "hint: %s\n", err->hint);
    }
    (void)fputs(buf_text(&b), stderr);
}

void cli_write(const struct buf *b)
{
    (void)fwrite(buf_text(b), 1, b->len, stdout);
    (void)fflush(stdout);
}

/* --- parsing
 * ---------------------------------------------------------------------------- */

static int usage(struct error *err, const char *text, struct str what, const char *hint)
{
    (void)error_set(err, ERR_CONFIG, "%s '" STR_FMT "'", text, STR_ARG(what));
    err->hint = hint;
    return -1;
}

/* Errors of the command line itself are told as it asks, too. */
static bool asks_json(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

/* A name that was mistyped, and the one that was most probably meant. */
struct meant {
    struct str typed;
    const char *nearest; /* NULL: none is near */
    unsigned least;
};

static void meant_try(struct meant *m, const char *name)
{
    CLEANUP(buf_done) struct buf flag;
    buf_init(&flag, 256);
    for (const char *c = name; *c != '\0'; c++)
        buf_add_char(&flag, *c == '_' ? '-' : *c);
    unsigned distance = str_distance(m->typed, buf_str(&flag));
    if (distance < m->least) {
        m->least = distance;
        m->nearest = name;
    }
}

static struct meant meant_for(struct str typed)
{
    return (struct meant){ .typed = typed, .least = (unsigned)typed.len / 2 + 1 };
}

const char *cli_nearest_command(struct str typed)
{
    struct meant m = meant_for(typed);
    for (size_t i = 0; cli_commands[i] != NULL; i++)
        meant_try(&m, cli_commands[i]->name);
    return m.nearest;
}

static const struct command *find_command(struct str name)
{
    for (size_t i = 0; cli_commands[i] != NULL; i++)
        if (str_eq(str_of(cli_commands[i]->name), name))
            return cli_commands[i];
    return NULL;
}

/* Which table knows this option. */
static struct option_values *values_of(struct cli *cli, struct str name,
                                       const struct option **found)
{
    struct {
        const struct option *table;
        struct option_values *values;
    } all[] = { { cli->command->options, cli->values },
                { cli->command->more_table == NULL ? NULL : cli->command->more_table(),
                  cli->more_values },
                { cli_common_options, cli->common } };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        *found = all[i].table == NULL ? NULL : option_find(all[i].table, name);
        if (*found != NULL)
            return all[i].values;
    }
    return NULL;
}

/* Of the command, of what it runs, of every command. */
#define OPTION_TABLES 3

static int unknown_option(struct cli *cli, struct str name, struct error *err)
{
    const struct option *tables[OPTION_TABLES] = { cli->command->options,
                                                   cli->command->more_table == NULL
                                                       ? NULL
                                                       : cli->command->more_table(),
                                                   cli_common_options };
    struct meant m = meant_for(name);
    CLEANUP(buf_done) struct buf nearest;
    buf_init(&nearest, 256);
    for (size_t i = 0; i < OPTION_TABLES; i++)
        for (const struct option *o = tables[i]; o != NULL && o->name != NULL; o++)
            meant_try(&m, o->name);
    for (const char *c = m.nearest; c != NULL && *c != '\0'; c++)
        buf_add_char(&nearest, *c == '_' ? '-' : *c);
    (void)error_set(err, ERR_CONFIG, "unknown option '--" STR_FMT "'%s%s%s",
                    STR_ARG(name), m.nearest == NULL ? "" : "; the nearest is '--",
                    buf_text(&nearest), m.nearest == NULL ? "" : "'");
    err->hint = "Run the command with --help to see its options.";
    return -1;
}

static int wrong_operands(const struct cli *cli, struct error *err)
{
    (void)error_set(err, ERR_CONFIG,
                    "%d operand%s given; usage: tailrace %s %s [OPTIONS]",
                    cli->operand_count, cli->operand_count == 1 ? "" : "s",
                    cli->command->name, cli->command->operands);
    err->hint = cli->operand_count > cli->command->max_operands
                    ? "An operand with spaces or * in it wants quotes; --help tells more."
                    : "Run the command with --help to see what it does.";
    return -1;
}

/* --name=value, --name value, --name and --no-name for booleans. Returns how many
 * arguments were used, or -1. */
static int parse_option(struct cli *cli, char **argv, int left, struct error *err)
{
    struct str value = { 0 };
    struct str name = str_cut(str_of(argv[0] + 2), '=', &value);
    const struct option *o = NULL;
    struct option_values *v = values_of(cli, name, &o);
    bool negated = false;
    if (v == NULL && str_starts(name, STR("no-"))) {
        negated = true;
        v = values_of(cli, (struct str){ name.ptr + 3, name.len - 3 }, &o);
    }
    if (v == NULL || (negated && (o->type != OPTION_BOOL || value.ptr != NULL)))
        return unknown_option(cli, name, err);
    if (o->type == OPTION_BOOL && value.ptr == NULL)
        value = negated ? STR("no") : STR("yes");
    else if (value.ptr != NULL)
        ;
    else if (left < 2)
        return usage(err, "no value behind option", str_of(argv[0]),
                     "Write --OPTION VALUE or --OPTION=VALUE; --help lists the options.");
    if (value.ptr != NULL)
        return option_set(v, str_of(o->name), value, err) == 0 ? 1 : -1;
    return option_set(v, str_of(o->name), str_of(argv[1]), err) == 0 ? 2 : -1;
}

static int parse_arguments(struct cli *cli, int argc, char **argv, bool *help,
                           struct error *err)
{
    bool only_operands = false;
    cli->operands = argv; /* operands are moved to the front, in place */
    for (int i = 0; i < argc;) {
        if (!only_operands && str_eq(str_of(argv[i]), STR("--"))) {
            only_operands = true;
            i++;
        } else if (!only_operands && (str_eq(str_of(argv[i]), STR("--help")) ||
                                      str_eq(str_of(argv[i]), STR("-h")))) {
            *help = true;
            i++;
        } else if (!only_operands && str_starts(str_of(argv[i]), STR("--"))) {
            int used = parse_option(cli, argv + i, argc - i, err);
            if (used < 0)
                return -1;
            i += used;
        } else if (!only_operands && argv[i][0] == '-' && argv[i][1] != '\0') {
            return usage(err, "unknown option", str_of(argv[i]),
                         "Options begin with --.");
        } else {
            cli->operands[cli->operand_count++] = argv[i++];
        }
    }
    if (*help)
        return 0;
    if (cli->operand_count < cli->command->min_operands ||
        cli->operand_count > cli->command->max_operands)
        return wrong_operands(cli, err);
    return 0;
}

/* --data-dir, TAILRACE_DATA_DIR, $XDG_STATE_HOME/tailrace, ~/.local/state/tailrace; else
 * it stays NULL, which only commands that need it mind. */
static void find_data_dir(struct cli *cli)
{
    struct str given = option_text(cli->common, "data_dir");
    /* NOLINTBEGIN(concurrency-mt-unsafe): before threads start */
    const char *env = getenv("TAILRACE_DATA_DIR");
    const char *xdg = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    /* NOLINTEND(concurrency-mt-unsafe) */
    if (given.len > 0)
        cli->data_dir = arena_text(cli->arena, given);
    else if (env != NULL && env[0] != '\0')
        cli->data_dir = arena_text(cli->arena, str_of(env));
    else if (xdg != NULL && xdg[0] == '/')
        cli->data_dir = arena_printf(cli->arena, "%s/tailrace", xdg).ptr;
    else if (home != NULL && home[0] == '/')
        cli->data_dir = arena_printf(cli->arena, "%s/.local/state/tailrace", home).ptr;
}

static void open_log(const struct cli *cli)
{
    int64_t format = option_number(cli->common, "log_format");
    bool json = format == 2 || (format == 0 && isatty(STDERR_FILENO) != 1 && cli->json);
    enum log_level least = (enum log_level)option_number(cli->common, "log_level");
    if (option_bool(cli->common, "quiet") && least < LOG_WARN)
        least = LOG_WARN;
    log_open(json ? LOG_JSON : LOG_TEXT, least);
}

/* --- what commands share
 * ------------------------------------------------------------------ */

int cli_password(struct cli *cli, struct secret *from_url, struct secret **out,
                 struct error *err)
{
    struct str file = option_text(cli->common, "password_file");
    *out = secret_take_env("TAILRACE_SOURCE_PASSWORD");
    if (file.len > 0) { /* what is asked for in this command wins */
        secret_free(*out);
        *out = secret_from_file(arena_text(cli->arena, file), err);
        if (*out == NULL) {
            secret_free(from_url);
            return -1;
        }
    }
    if (from_url != NULL) {
        log_event(LOG_WARN, "a password in a URL ends up in shell histories; "
                            "TAILRACE_SOURCE_PASSWORD or --password-file is better");
        if (*out == NULL)
            *out = from_url;
        else
            secret_free(from_url);
        return 0;
    }
    if (*out != NULL || isatty(STDIN_FILENO) != 1)
        return 0;
    *out = secret_from_prompt("Password of the source (empty for none): ", err);
    return *out == NULL ? -1 : 0;
}

struct state *cli_state(struct cli *cli, struct error *err)
{
    if (cli->data_dir == NULL) {
        (void)error_set(err, ERR_CONFIG, "no place for state and spool is known");
        err->hint = "Give --data-dir, or set TAILRACE_DATA_DIR or HOME.";
        return NULL;
    }
    return state_open(cli->data_dir, err);
}

int cli_integration(struct cli *cli, struct state *s, struct str name,
                    struct integration *out, struct error *err)
{
    int found = state_integration_find(s, cli->arena, name, out, err);
    if (found != 0)
        return found < 0 ? -1 : 0;
    struct integration *all = NULL;
    size_t count = 0;
    if (state_integration_list(s, cli->arena, &all, &count, err) != 0)
        return -1;
    CLEANUP(buf_done) struct buf names;
    buf_init(&names, 300);
    for (size_t i = 0; i < count && !names.failed; i++)
        buf_printf(&names, "%s'" STR_FMT "'", i == 0 ? "" : ", ", STR_ARG(all[i].name));
    (void)error_set(err, ERR_CONFIG, "no integration is called '" STR_FMT "'; %s%s",
                    STR_ARG(name), count == 0 ? "there are none yet" : "there is ",
                    buf_text(&names));
    err->hint =
        "`tailrace sync SOURCE DESTINATION --name NAME` makes one; check --data-dir.";
    return -1;
}

/* --- main
 * --------------------------------------------------------------------------------- */

static void cli_done(struct cli *cli)
{
    option_values_free(cli->common);
    option_values_free(cli->values);
    option_values_free(cli->more_values);
    arena_free(cli->arena);
    cancel_free(cli->cancel);
}

static int run_command(struct cli *cli, int argc, char **argv, struct error *err)
{
    bool help = false;
    cli->arena = arena_new(ARENA_LIMIT);
    cli->cancel = cancel_new();
    cli->common = option_values_new(cli_common_options);
    if (cli->command->options != NULL)
        cli->values = option_values_new(cli->command->options);
    if (cli->command->more_table != NULL)
        cli->more_values = option_values_new(cli->command->more_table());
    cli->json = asks_json(argc, argv);
    if (parse_arguments(cli, argc, argv, &help, err) != 0)
        return EXIT_USAGE;
    if (help) {
        CLEANUP(buf_done) struct buf text;
        buf_init(&text, (size_t)1 << 20);
        cli_help(&text, cli->command, isatty(STDOUT_FILENO) == 1);
        cli_write(&text);
        return EXIT_OK;
    }
    cli->json = option_bool(cli->common, "json");
    open_log(cli);
    find_data_dir(cli);
    catch_signals(cli->cancel);
    return cli->command->run(cli, err);
}

static int unknown_command(int argc, char **argv)
{
    struct cli cli = { .json = asks_json(argc, argv) };
    struct error err = { 0 };
    const char *nearest = cli_nearest_command(str_of(argv[1]));
    if (argv[1][0] == '-')
        (void)error_set(&err, ERR_CONFIG,
                        "'%s' stands before a command; usage: tailrace COMMAND "
                        "[OPERANDS] [OPTIONS]",
                        argv[1]);
    else
        (void)error_set(&err, ERR_CONFIG, "unknown command '%s'%s%s%s", argv[1],
                        nearest == NULL ? "" : "; the nearest is '",
                        nearest == NULL ? "" : nearest, nearest == NULL ? "" : "'");
    err.hint = "`tailrace help` lists the commands.";
    cli_print_error(&cli, &err, EXIT_USAGE);
    return EXIT_USAGE;
}

static int no_command(int argc, char **argv)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, (size_t)1 << 20);
    bool asked = argc > 1 && (str_eq(str_of(argv[1]), STR("--help")) ||
                              str_eq(str_of(argv[1]), STR("-h")) ||
                              str_eq(str_of(argv[1]), STR("help")));
    if (asked && argc > 2) {
        const struct command *c = find_command(str_of(argv[2]));
        if (c != NULL) {
            cli_help(&text, c, isatty(STDOUT_FILENO) == 1);
            cli_write(&text);
            return EXIT_OK;
        }
    }
    if (argc > 1 && !asked)
        return unknown_command(argc, argv);
    cli_help(&text, NULL, isatty(STDOUT_FILENO) == 1);
    if (asked)
        cli_write(&text);
    else
        (void)fputs(buf_text(&text), stderr);
    return asked ? EXIT_OK : EXIT_USAGE;
}

int cli_main(int argc, char **argv)
{
    struct str name = argc < 2 ? (struct str){ 0 } : str_of(argv[1]);
    if (str_eq(name, STR("--version")))
        name = STR("version");
    const struct command *c = argc < 2 ? NULL : find_command(name);
    if (c == NULL)
        return no_command(argc, argv);
    struct cli cli = { .command = c };
    struct error err = { 0 };
    int rc = run_command(&cli, argc - 2, argv + 2, &err);
    if (err.code != ERR_NONE) {
        if (rc < 0)
            rc = (int)cli_exit_of(&err);
        cli_print_error(&cli, &err, rc);
    }
    cli_done(&cli);
    return rc;
}
