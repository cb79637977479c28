/* src/cli/help_internal.h
 *
 * What the forms of the help share: the facts that belong to the whole program, and the
 * blocks of a command's text.
 *
 * A text is paragraphs, separated by empty lines; lines that begin with a blank are taken
 * as they are (examples), and need no empty line before them. `words` in backticks are
 * typed so.
 *
 * Thread: any.
 */
#ifndef CLI_HELP_INTERNAL_H
#define CLI_HELP_INTERNAL_H

#include "base/buf.h"
#include "cli/cli.h"

#include <stdbool.h>

struct help_fact {
    const char *name;
    const char *text; /* a sentence or two */
};

/* Each ends with a zero entry. */
extern const struct help_fact help_exit_codes[], help_environment[], help_files[];

extern const char help_tagline[]; /* the program in half a sentence */
extern const char
    help_intro[]; /* a text: the program in two paragraphs and a few lines */

struct help_block {
    bool literal;
    struct str text; /* without the last line break */
};

/* Take the next block off *rest; false at the end. */
bool help_next_block(struct str *rest, struct help_block *out);

/* "--page-bytes" */
void help_add_flag(struct buf *out, const struct option *o);

/* "BYTES", "null|snappy"; nothing for a boolean. */
void help_add_value(struct buf *out, const struct option *o);

#endif
