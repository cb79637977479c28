/* Help for people on a terminal; see cli.h. */
#include "cli/help_internal.h"

#include <stdlib.h>
#include <string.h>

#define LINE_COLUMNS 80

const char help_tagline[] =
    "an exact analytics copy of MySQL, Aurora and MariaDB in DuckDB";

const char help_intro[] =
    "tailrace reads the tables of a MySQL, Amazon Aurora MySQL, RDS or MariaDB server "
    "and keeps "
    "an exact copy of them in a DuckDB file. Every row is written to checked files first "
    "and "
    "loaded in transactions, so a run that is stopped or killed goes on where it was, "
    "and a row "
    "that cannot be represented is put aside with its reason, never changed silently.\n\n"
    "One line makes a copy, another one asks it:\n"
    "  tailrace sync mysql://reader@db.example.com/shop duckdb:analytics.duckdb\n"
    "  tailrace sql \"SELECT count(*) FROM shop.orders\"\n\n"
    "What `sync` ran is kept under a name, by default that of the first database: `run "
    "NAME` "
    "does it again, `status`, `report` and `logs` tell how it went.\n";

const struct help_fact help_exit_codes[] = {
    { "0", "All is well." },
    { "1", "An invariant of the program itself does not hold: please report it." },
    { "2", "The command line cannot be meant." },
    { "3", "A setting, a credential or a privilege must change." },
    { "4", "The source cannot be reached or answered wrongly." },
    { "5", "The destination cannot be opened or refused a load." },
    { "6", "Done, but some tables failed or some rows are quarantined; the report says "
           "which." },
    { "7", "A local bound was reached: disk, memory, or a lock that another run holds." },
    { "130", "Stopped by a signal; the next run goes on." },
    { 0 },
};

const struct help_fact help_environment[] = {
    { "TAILRACE_SOURCE_PASSWORD",
      "Password of the source. It is taken out of the environment "
      "before other processes are started." },
    { "TAILRACE_DATA_DIR", "Where state and spool are kept, unless --data-dir says so." },
    { "XDG_STATE_HOME",
      "State and spool are in its folder tailrace when nothing else says "
      "where; without it in ~/.local/state/tailrace." },
    { "XDG_RUNTIME_DIR", "Where the process that owns a DuckDB file listens, beside "
                         "/tmp/tailrace-UID." },
    { "NO_COLOR", "When it is not empty, help has no bold headings." },
    { "TAILRACE_LIBDUCKDB",
      "Path of libduckdb.so; without it the library beside the program, "
      "then the system's." },
    { "TAILRACE_WAREHOUSE_LOG", "File for the messages of the process that owns a DuckDB "
                                "file." },
    { 0 },
};

const struct help_fact help_files[] = {
    { "DATA_DIR/tailrace.db",
      "Integrations, the history of runs, names given to columns. No "
      "secrets, no rows." },
    { "DATA_DIR/spool/NAME/", "Rows on their way: captured, not yet loaded." },
    { "FILE.tailrace-lock",
      "Beside a DuckDB file: held by the process that has it open." },
    { 0 },
};

/* --- what the forms share
 * --------------------------------------------------------------- */

static bool is_blank_line(struct str line)
{
    return str_trim(line).len == 0;
}

bool help_next_block(struct str *rest, struct help_block *out)
{
    struct str after = *rest;
    struct str line = { 0 };
    while (rest->len > 0) {
        line = str_cut(*rest, '\n', &after);
        if (!is_blank_line(line))
            break;
        *rest = after;
    }
    if (rest->len == 0)
        return false;
    out->literal = line.ptr[0] == ' ';
    out->text = (struct str){ rest->ptr, 0 };
    while (rest->len > 0) {
        line = str_cut(*rest, '\n', &after);
        if (is_blank_line(line) || (line.ptr[0] == ' ') != out->literal)
            break;
        out->text.len = (size_t)(line.ptr + line.len - out->text.ptr);
        *rest = after;
    }
    return true;
}

void help_add_flag(struct buf *out, const struct option *o)
{
    buf_add_text(out, "--");
    for (const char *c = o->name; *c != '\0'; c++)
        buf_add_char(out, *c == '_' ? '-' : *c);
}

void help_add_value(struct buf *out, const struct option *o)
{
    switch (o->type) {
    case OPTION_BOOL:
        break;
    case OPTION_CHOICE:
        for (size_t i = 0; o->choices[i] != NULL; i++)
            buf_printf(out, "%s%s", i == 0 ? "" : "|", o->choices[i]);
        break;
    case OPTION_TEXT:
        buf_add_text(out, "TEXT");
        break;
    case OPTION_INT:
        buf_add_text(out, "INT");
        break;
    case OPTION_BYTES:
        buf_add_text(out, "BYTES");
        break;
    case OPTION_DURATION:
        buf_add_text(out, "DURATION");
        break;
    case OPTION_SECRET:
        buf_add_text(out, "SECRET");
        break;
    }
}

/* --- on a terminal
 * ---------------------------------------------------------------------- */

static void add_heading(struct buf *out, const char *text, bool colour)
{
    buf_printf(out, colour ? "\n\033[1m%s\033[0m\n" : "\n%s\n", text);
}

static void add_wrapped(struct buf *out, struct str text, size_t indent)
{
    size_t column = 0;
    struct str rest = text;
    while (rest.len > 0) {
        size_t end = 0;
        while (end < rest.len && rest.ptr[end] != ' ' && rest.ptr[end] != '\n')
            end++;
        if (end > 0 && column > 0 && column + 1 + end > LINE_COLUMNS) {
            buf_add_char(out, '\n');
            column = 0;
        }
        for (; end > 0 && column == 0 && column < indent; column++)
            buf_add_char(out, ' ');
        if (end > 0 && column > indent) {
            buf_add_char(out, ' ');
            column++;
        }
        buf_add(out, rest.ptr, end);
        column += end;
        size_t used = end < rest.len ? end + 1 : end;
        rest = (struct str){ rest.ptr + used, rest.len - used };
    }
    buf_add_char(out, '\n');
}

static void add_text(struct buf *out, const char *text)
{
    struct str rest = str_of(text);
    struct help_block b, previous = { .literal = true };
    while (help_next_block(&rest, &b)) {
        if (!b.literal || previous.literal)
            buf_add_char(out, '\n');
        if (b.literal) {
            buf_add_str(out, b.text);
            buf_add_char(out, '\n');
        } else {
            add_wrapped(out, b.text, 0);
        }
        previous = b;
    }
}

static void add_facts(struct buf *out, const struct help_fact *facts, int width)
{
    for (const struct help_fact *f = facts; f->name != NULL; f++)
        buf_printf(out, "  %-*s  %s\n", width, f->name, f->text);
}

static void help_command(struct buf *out, const struct command *c, bool colour)
{
    buf_printf(out, "usage: tailrace %s%s%s [OPTIONS]\n", c->name,
               c->operands[0] == '\0' ? "" : " ", c->operands);
    add_text(out, c->text);
    if (c->options != NULL && c->options[0].name != NULL) {
        add_heading(out, "Options:", colour);
        option_describe_text(out, c->options);
    }
    if (c->more_table != NULL) {
        add_heading(out, "Options that are kept with the integration:", colour);
        option_describe_text(out, c->more_table());
    }
    add_heading(out, "Options of every command:", colour);
    option_describe_text(out, cli_common_options);
}

static void help_program(struct buf *out, bool colour)
{
    buf_printf(out, "tailrace: %s\n\nusage: tailrace COMMAND [OPERANDS] [OPTIONS]\n",
               help_tagline);
    add_text(out, help_intro);
    add_heading(out, "Commands:", colour);
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        const struct command *c = cli_commands[i];
        size_t used = strlen(c->name) + 1 + strlen(c->operands);
        buf_printf(out, "  %s %s%*s%s\n", c->name, c->operands,
                   used < 26 ? (int)(26 - used) : 1, "", c->summary);
    }
    add_heading(out, "Options of every command:", colour);
    option_describe_text(out, cli_common_options);
    add_heading(out, "Exit codes:", colour);
    add_facts(out, help_exit_codes, 3);
    buf_add_text(out,
                 "\n`tailrace help COMMAND` tells more about one command, `tailrace help "
                 "--manual` prints\nthe manual page.\n");
}

void cli_help(struct buf *out, const struct command *c, bool colour)
{
    /* https://no-color.org. NOLINTNEXTLINE(concurrency-mt-unsafe): no threads here */
    const char *no_colour = getenv("NO_COLOR");
    bool bold = colour && (no_colour == NULL || no_colour[0] == '\0');
    if (c == NULL)
        help_program(out, bold);
    else
        help_command(out, c, bold);
}
