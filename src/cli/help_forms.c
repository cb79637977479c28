/* The manual page, the shell completion and the reference page, from the same tables as
 * the help on a terminal; see cli.h. */
#include "cli/build.h"
#include "cli/help_internal.h"

/* --- man page
 * --------------------------------------------------------------------------- */

/* Source: groff(7), "Escape sequences", "Control characters"; man(7). */
static void roff_text(struct buf *out, struct str text, bool backticks)
{
    bool bold = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool line_start = i == 0 || text.ptr[i - 1] == '\n';
        if (line_start && (c == '.' || c == '\''))
            buf_add_text(out, "\\&");
        if (c == '\\') {
            buf_add_text(out, "\\e");
        } else if (c == '-') {
            buf_add_text(out, "\\-");
        } else if (c == '\'') {
            buf_add_text(out, "\\(aq");
        } else if (c == '~') {
            buf_add_text(out, "\\(ti");
        } else if (c == '^') {
            buf_add_text(out, "\\(ha");
        } else if (c == '`' && backticks) {
            bold = !bold;
            buf_add_text(out, bold ? "\\fB" : "\\fR");
        } else {
            buf_add_char(out, c);
        }
    }
}

static void roff_words(struct buf *out, const char *text)
{
    roff_text(out, str_of(text), true);
}

/* Lines of an example without their indent. */
static void roff_literal(struct buf *out, struct str text)
{
    buf_add_text(out, ".PP\n.RS 4\n.nf\n");
    while (text.len > 0) {
        struct str line = str_cut(text, '\n', &text);
        roff_text(out, str_trim(line), false);
        buf_add_char(out, '\n');
    }
    buf_add_text(out, ".fi\n.RE\n");
}

static void roff_blocks(struct buf *out, const char *text)
{
    struct str rest = str_of(text);
    struct help_block b;
    while (help_next_block(&rest, &b)) {
        if (b.literal) {
            roff_literal(out, b.text);
            continue;
        }
        buf_add_text(out, ".PP\n");
        roff_text(out, b.text, true);
        buf_add_char(out, '\n');
    }
}

static void roff_options(struct buf *out, const struct option *table)
{
    for (const struct option *o = table; o != NULL && o->name != NULL; o++) {
        struct buf part;
        buf_init(&part, 4096);
        help_add_flag(&part, o);
        buf_add_text(out, ".TP\n\\fB");
        roff_text(out, buf_str(&part), false);
        buf_add_text(out, "\\fR");
        buf_clear(&part);
        help_add_value(&part, o);
        if (part.len > 0) {
            buf_add_text(out, " \\fI");
            roff_text(out, buf_str(&part), false);
            buf_add_text(out, "\\fR");
        }
        buf_done(&part);
        buf_add_char(out, '\n');
        roff_words(out, o->help);
        if (o->fallback != NULL && o->fallback[0] != '\0' && o->type != OPTION_SECRET) {
            buf_add_text(out, " Default: ");
            roff_words(out, o->fallback);
            buf_add_char(out, '.');
        }
        buf_add_char(out, '\n');
    }
}

static void roff_facts(struct buf *out, const char *title, const struct help_fact *facts)
{
    buf_printf(out, ".SH %s\n", title);
    for (const struct help_fact *f = facts; f->name != NULL; f++) {
        buf_add_text(out, ".TP\n\\fB");
        roff_words(out, f->name);
        buf_add_text(out, "\\fR\n");
        roff_words(out, f->text);
        buf_add_char(out, '\n');
    }
}

static void roff_command(struct buf *out, const struct command *c)
{
    buf_printf(out, ".SS \"tailrace %s", c->name);
    if (c->operands[0] != '\0') {
        buf_add_char(out, ' ');
        roff_words(out, c->operands);
    }
    buf_add_text(out, "\"\n");
    roff_blocks(out, c->text);
    if ((c->options != NULL && c->options[0].name != NULL) || c->more_table != NULL)
        buf_add_text(out, ".PP\nOptions:\n");
    roff_options(out, c->options);
    if (c->more_table != NULL) {
        buf_add_text(out, ".PP\nOptions that are kept with the integration:\n");
        roff_options(out, c->more_table());
    }
}

void cli_manual(struct buf *out)
{
    buf_printf(out,
               ".\\\" Made by `tailrace help --manual`.\n"
               ".TH TAILRACE 1 \"\" \"tailrace " BUILD_VERSION "\" \"User Commands\"\n"
               ".SH NAME\ntailrace \\- ");
    roff_words(out, help_tagline);
    buf_add_text(out,
                 "\n.SH SYNOPSIS\n\\fBtailrace\\fR \\fICOMMAND\\fR [\\fIOPERANDS\\fR] "
                 "[\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n");
    roff_blocks(out, help_intro);
    buf_add_text(out, ".SH COMMANDS\n");
    for (size_t i = 0; cli_commands[i] != NULL; i++)
        roff_command(out, cli_commands[i]);
    buf_add_text(out, ".SH OPTIONS OF EVERY COMMAND\n");
    roff_options(out, cli_common_options);
    roff_facts(out, "EXIT STATUS", help_exit_codes);
    roff_facts(out, "ENVIRONMENT", help_environment);
    roff_facts(out, "FILES", help_files);
}

/* --- bash completion
 * --------------------------------------------------------------------- */

static void bash_flags(struct buf *out, const struct option *table)
{
    for (const struct option *o = table; o != NULL && o->name != NULL; o++) {
        help_add_flag(out, o);
        buf_add_char(out, ' ');
    }
}

/* "sync --codec") the words that may follow ;; */
static void bash_choices(struct buf *out, const char *command, const struct option *table)
{
    for (const struct option *o = table; o != NULL && o->name != NULL; o++) {
        if (o->type != OPTION_CHOICE)
            continue;
        buf_printf(out, "    %s\\ ", command);
        help_add_flag(out, o);
        buf_add_text(out, ") words=\"");
        for (size_t i = 0; o->choices[i] != NULL; i++)
            buf_printf(out, "%s%s", i == 0 ? "" : " ", o->choices[i]);
        buf_add_text(out, "\" ;;\n");
    }
}

static const struct option *more_of(const struct command *c)
{
    return c->more_table == NULL ? NULL : c->more_table();
}

static void bash_names(struct buf *out)
{
    for (size_t i = 0; cli_commands[i] != NULL; i++)
        buf_printf(out, "%s%s", i == 0 ? "" : " ", cli_commands[i]->name);
}

void cli_completion(struct buf *out)
{
    buf_add_text(out, "# bash completion, made by `tailrace help --completion`\n"
                      "_tailrace()\n{\n"
                      "    local cur=${COMP_WORDS[COMP_CWORD]} words= commands=\"");
    bash_names(out);
    buf_add_text(out, "\"\n    COMPREPLY=()\n"
                      "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                      "        COMPREPLY=($(compgen -W \"$commands\" -- \"$cur\"))\n"
                      "        return\n    fi\n"
                      "    case \"${COMP_WORDS[1]} ${COMP_WORDS[COMP_CWORD-1]}\" in\n");
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        bash_choices(out, cli_commands[i]->name, cli_commands[i]->options);
        bash_choices(out, cli_commands[i]->name, more_of(cli_commands[i]));
    }
    bash_choices(out, "*", cli_common_options);
    buf_add_text(out, "    help\\ help) words=\"$commands\" ;;\n    esac\n"
                      "    if [ -z \"$words\" ] && [[ $cur == -* ]]; then\n"
                      "        case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        buf_printf(out, "        %s) words=\"", cli_commands[i]->name);
        bash_flags(out, cli_commands[i]->options);
        bash_flags(out, more_of(cli_commands[i]));
        buf_add_text(out, "\" ;;\n");
    }
    buf_add_text(out, "        esac\n        words=\"$words ");
    bash_flags(out, cli_common_options);
    buf_add_text(out, "--help\"\n    fi\n"
                      "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
                      "complete -o default -F _tailrace tailrace\n");
}

/* --- Markdown
 * ----------------------------------------------------------------------------- */

static void markdown_blocks(struct buf *out, const char *text)
{
    struct str rest = str_of(text);
    struct help_block b;
    while (help_next_block(&rest, &b)) {
        if (!b.literal) {
            buf_add_str(out, b.text);
            buf_add_text(out, "\n\n");
            continue;
        }
        buf_add_text(out, "```sh\n");
        while (b.text.len > 0) {
            buf_add_str(out, str_trim(str_cut(b.text, '\n', &b.text)));
            buf_add_char(out, '\n');
        }
        buf_add_text(out, "```\n\n");
    }
}

static void markdown_facts(struct buf *out, const char *title, const char *head,
                           const struct help_fact *facts)
{
    buf_printf(out, "## %s\n\n| %s | Meaning |\n| --- | --- |\n", title, head);
    for (const struct help_fact *f = facts; f->name != NULL; f++)
        buf_printf(out, "| `%s` | %s |\n", f->name, f->text);
    buf_add_char(out, '\n');
}

static void markdown_command(struct buf *out, const struct command *c)
{
    buf_printf(out, "## `tailrace %s%s%s`\n\n", c->name,
               c->operands[0] == '\0' ? "" : " ", c->operands);
    markdown_blocks(out, c->text);
    if (c->options != NULL && c->options[0].name != NULL) {
        option_describe_markdown(out, c->options);
        buf_add_char(out, '\n');
    }
    if (c->more_table != NULL) {
        buf_add_text(out, "Options that are kept with the integration:\n\n");
        option_describe_markdown(out, c->more_table());
        buf_add_char(out, '\n');
    }
}

void cli_reference(struct buf *out)
{
    buf_printf(out,
               "# Command line\n\n<!-- Made by `tailrace help --reference`. -->\n\n");
    markdown_blocks(out, help_intro);
    buf_add_text(
        out, "Options are written `--name value` or `--name=value`, booleans `--name` "
             "or `--no-name`; `-` and `_` are the same in a name.\n\n");
    for (size_t i = 0; cli_commands[i] != NULL; i++)
        markdown_command(out, cli_commands[i]);
    buf_add_text(out, "## Options of every command\n\n");
    option_describe_markdown(out, cli_common_options);
    buf_add_char(out, '\n');
    markdown_facts(out, "Exit codes", "Code", help_exit_codes);
    markdown_facts(out, "Environment", "Variable", help_environment);
    markdown_facts(out, "Files", "File", help_files);
    buf_truncate(out, out->len - 1);
}
