/* src/cli/cli.h
 *
 * The command line: one table of commands, each with its own option table, its help, and
 * one function. Help, the manual page and the shell completion are printed from the same
 * table.
 *
 * Exit codes: see enum exit_code; they are in the manual.
 *
 * Thread: the process's first.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cancel.h"
#include "base/error.h"
#include "config/option.h"
#include "config/secret.h"
#include "state/state.h"

#include <stdbool.h>

enum exit_code {
    EXIT_OK = 0,
    EXIT_BUG = 1,      /* an invariant of ours does not hold */
    EXIT_USAGE = 2,    /* the command line cannot be meant */
    EXIT_CONFIG = 3,   /* a setting, a credential or a privilege must change */
    EXIT_SOURCE = 4,   /* the source cannot be reached or answered wrongly */
    EXIT_TARGET = 5,   /* the destination cannot be opened or refused a load */
    EXIT_PARTIAL = 6,  /* done, but some tables failed or some rows are quarantined */
    EXIT_LIMIT = 7,    /* a local bound: disk, memory, a lock that another run holds */
    EXIT_STOPPED = 130 /* stopped by a signal; the next run goes on */
};

struct cli;

struct command {
    const char *name;
    const char *operands; /* "SOURCE DESTINATION" */
    const char *summary;  /* one line, without a period */
    const char *text;     /* paragraphs for --help and the manual; may hold examples */
    const struct option *options; /* ends with a zero entry; NULL: only the common ones */
    /* A second table, shown behind the first, or NULL. A function, since tables of other
     * folders are not constants here. */
    const struct option *(*more_table)(void);
    int min_operands, max_operands;
    /* Returns an exit code, or -1 with err. */
    int (*run)(struct cli *cli, struct error *err);
};

/* One invocation, as parsed. */
struct cli {
    const struct command *command;
    struct arena *arena;               /* owned: for the life of the invocation */
    struct option_values *common;      /* owned */
    struct option_values *values;      /* owned: of command->options */
    struct option_values *more_values; /* owned: of command->more_table() */
    char **operands;                   /* borrowed from argv */
    int operand_count;
    bool json;
    const char *data_dir;  /* in the arena */
    struct cancel *cancel; /* owned; signals request it */
};

/* The whole program behind main(). */
int cli_main(int argc, char **argv);

extern const struct command *const cli_commands[]; /* ends with NULL */
extern const struct option cli_common_options[];

/* Exit code of an error. */
enum exit_code cli_exit_of(const struct error *err);

/* Print an error as people or programs read it, on standard error; exit is the code that
 * the program ends with. */
void cli_print_error(const struct cli *cli, const struct error *err, int exit);

/* The password of a source: --password-file, TAILRACE_SOURCE_PASSWORD, the URL's, a
 * prompt when there is a terminal, else none. from_url moves to the result. 0 with *out
 * possibly NULL. */
int cli_password(struct cli *cli, struct secret *from_url, struct secret **out,
                 struct error *err);

/* Open the state of --data-dir. */
struct state *cli_state(struct cli *cli, struct error *err);

/* The command whose name is nearest to what was typed, or NULL when none is near. */
const char *cli_nearest_command(struct str typed);

/* The integration of this name; ERR_CONFIG naming those that exist. */
int cli_integration(struct cli *cli, struct state *s, struct str name,
                    struct integration *out, struct error *err);

/* Standard output, whole; a closed pipe is not an error. */
void cli_write(const struct buf *b);

/* Help of one command, or of the program when c is NULL. */
void cli_help(struct buf *out, const struct command *c, bool colour);
void cli_manual(struct buf *out);     /* man page, roff */
void cli_completion(struct buf *out); /* bash */
void cli_reference(struct buf *out);  /* docs/reference/cli.md */

#endif
