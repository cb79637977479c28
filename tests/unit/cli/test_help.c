/* Help, manual, completion and reference say everything that the tables of commands say.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "cli/cli.h"
#include "support/test.h"

#include <string.h>

#define TEXT_BYTES ((size_t)4 << 20)

static const struct option *more_of(const struct command *c)
{
    return c->more_table == NULL ? NULL : c->more_table();
}

static void flag_of(const struct option *o, char out[128])
{
    size_t n = (size_t)snprintf(out, 128, "--%s", o->name);
    for (size_t i = 0; i < n; i++)
        if (out[i] == '_')
            out[i] = '-';
}

/* escaped: as roff writes it, with a backslash before each '-'. */
static void has_flags(const struct buf *text, const struct option *table, bool escaped)
{
    for (const struct option *o = table; o != NULL && o->name != NULL; o++) {
        char flag[128], want[256];
        size_t n = 0;
        flag_of(o, flag);
        for (const char *c = flag; *c != '\0'; c++) {
            if (*c == '-' && escaped)
                want[n++] = '\\';
            want[n++] = *c;
        }
        want[n] = '\0';
        if (strstr(buf_text(text), want) == NULL)
            fail_msg("%s is missing", want);
    }
}

static void every_command_has_what_help_needs(void **state)
{
    (void)state;
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        const struct command *c = cli_commands[i];
        assert_non_null(c->operands);
        assert_non_null(c->run);
        assert_true(c->min_operands <= c->max_operands);
        assert_true(strlen(c->summary) > 10 && strlen(c->summary) < 60);
        assert_true(c->summary[strlen(c->summary) - 1] != '.');
        if (strstr(c->text, "\n  ") == NULL || strstr(c->text, c->name) == NULL)
            fail_msg("'%s' has no example", c->name);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(cli_commands[k]->name, c->name);
    }
}

static void no_option_means_two_things(void **state)
{
    (void)state;
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        const struct option *own = cli_commands[i]->options;
        for (const struct option *o = own; o != NULL && o->name != NULL; o++)
            assert_null(option_find(cli_common_options, str_of(o->name)));
        for (const struct option *o = more_of(cli_commands[i]);
             o != NULL && o->name != NULL; o++) {
            assert_null(option_find(cli_common_options, str_of(o->name)));
            assert_true(own == NULL || option_find(own, str_of(o->name)) == NULL);
        }
    }
}

static void help_of_a_command_has_every_option(void **state)
{
    (void)state;
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        CLEANUP(buf_done) struct buf text;
        buf_init(&text, TEXT_BYTES);
        cli_help(&text, cli_commands[i], false);
        assert_false(text.failed);
        has_flags(&text, cli_commands[i]->options, false);
        has_flags(&text, more_of(cli_commands[i]), false);
        has_flags(&text, cli_common_options, false);
        assert_null(strchr(buf_text(&text), '\033'));
    }
}

static void help_of_the_program_has_every_command(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, TEXT_BYTES);
    cli_help(&text, NULL, true);
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        char line[128];
        (void)snprintf(line, sizeof line, "\n  %s ", cli_commands[i]->name);
        assert_non_null(strstr(buf_text(&text), line));
        assert_non_null(strstr(buf_text(&text), cli_commands[i]->summary));
    }
    assert_non_null(strstr(buf_text(&text), "\033[1m"));
}

static void lines_fit_a_terminal_but_for_examples(void **state)
{
    (void)state;
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        CLEANUP(buf_done) struct buf text;
        buf_init(&text, TEXT_BYTES);
        cli_help(&text, cli_commands[i], false);
        struct str rest = buf_str(&text);
        while (rest.len > 0) {
            struct str line = str_cut(rest, '\n', &rest);
            if (line.len > 80 && line.ptr[0] != ' ')
                fail_msg("'" STR_FMT "' is too long", STR_ARG(line));
        }
    }
}

/* man(1) of the system has no complaint. */
static void the_manual_is_clean_roff(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf text, complaints;
    struct error err = { 0 };
    char page[] = "/tmp/tailrace-manual-XXXXXX", said[] = "/tmp/tailrace-manual-XXXXXX";
    buf_init(&text, TEXT_BYTES);
    buf_init(&complaints, TEXT_BYTES);
    cli_manual(&text);
    assert_false(text.failed);
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        char head[128];
        (void)snprintf(head, sizeof head, ".SS \"tailrace %s", cli_commands[i]->name);
        assert_non_null(strstr(buf_text(&text), head));
        has_flags(&text, cli_commands[i]->options, true);
        has_flags(&text, more_of(cli_commands[i]), true);
    }
    has_flags(&text, cli_common_options, true);
    int page_fd = mkstemp(page), said_fd = mkstemp(said);
    assert_true(page_fd >= 0 && said_fd >= 0);
    assert_int_equal(file_write_all(page_fd, text.data, text.len, page, &err), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(said_fd, STDERR_FILENO);
        (void)freopen("/dev/null", "w", stdout);
        (void)execlp("man", "man", "--warnings", "-l", page, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(file_read(said, &complaints, &err), 0);
    (void)close(page_fd);
    (void)close(said_fd);
    (void)unlink(page);
    (void)unlink(said);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        skip();
    assert_int_equal(status, 0);
    assert_string_equal(buf_text(&complaints), "");
}

static void the_completion_is_bash_and_knows_everything(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, TEXT_BYTES);
    cli_completion(&text);
    assert_false(text.failed);
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        char line[128];
        (void)snprintf(line, sizeof line, "\n        %s) words=", cli_commands[i]->name);
        assert_non_null(strstr(buf_text(&text), line));
        has_flags(&text, cli_commands[i]->options, false);
        has_flags(&text, more_of(cli_commands[i]), false);
    }
    /* completing "tailrace sync --cod" gives one word */
    buf_add_text(&text,
                 "COMP_WORDS=(tailrace sync --cod); COMP_CWORD=2; _tailrace\n"
                 "[ \"${COMPREPLY[*]}\" = --codec ] || exit 3\n"
                 "COMP_WORDS=(tailrace sync --codec s); COMP_CWORD=3; _tailrace\n"
                 "[ \"${COMPREPLY[*]}\" = snappy ] || exit 4\n"
                 "COMP_WORDS=(tailrace dis); COMP_CWORD=1; _tailrace\n"
                 "[ \"${COMPREPLY[*]}\" = discover ] || exit 5\n"
                 "COMP_WORDS=(tailrace sql --log-level w); COMP_CWORD=3; _tailrace\n"
                 "[ \"${COMPREPLY[*]}\" = warn ] || exit 6\n");
    pid_t child = fork();
    if (child == 0) {
        (void)execlp("bash", "bash", "--norc", "-c", buf_text(&text), (char *)NULL);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        skip();
    assert_int_equal(status, 0);
}

static void the_reference_has_every_command_and_exit_code(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, TEXT_BYTES);
    cli_reference(&text);
    assert_false(text.failed);
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        char head[128];
        (void)snprintf(head, sizeof head, "\n## `tailrace %s", cli_commands[i]->name);
        assert_non_null(strstr(buf_text(&text), head));
    }
    static const enum exit_code codes[] = { EXIT_OK,      EXIT_BUG,    EXIT_USAGE,
                                            EXIT_CONFIG,  EXIT_SOURCE, EXIT_TARGET,
                                            EXIT_PARTIAL, EXIT_LIMIT,  EXIT_STOPPED };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        char line[32];
        (void)snprintf(line, sizeof line, "\n| `%d` | ", (int)codes[i]);
        assert_non_null(strstr(buf_text(&text), line));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_has_what_help_needs),
        cmocka_unit_test(no_option_means_two_things),
        cmocka_unit_test(help_of_a_command_has_every_option),
        cmocka_unit_test(help_of_the_program_has_every_command),
        cmocka_unit_test(lines_fit_a_terminal_but_for_examples),
        cmocka_unit_test(the_manual_is_clean_roff),
        cmocka_unit_test(the_completion_is_bash_and_knows_everything),
        cmocka_unit_test(the_reference_has_every_command_and_exit_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
