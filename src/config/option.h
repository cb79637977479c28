/* src/config/option.h
 *
 * Settings as a table. The same table parses flags, stored values and configuration
 * files, checks ranges, writes --help, and prints docs/reference/.
 *
 * Values are kept by name: option_set() parses and checks one; what was not set has the
 * table's fallback. Getters abort on a name that the table does not have or on the wrong
 * type: only our own bug can ask so.
 *
 * Errors: ERR_CONFIG naming the option, what was given and what is accepted.
 * Thread: read-only once filled.
 */
#ifndef CONFIG_OPTION_H
#define CONFIG_OPTION_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "config/secret.h"

#include <stdbool.h>
#include <stdint.h>

enum option_type {
    OPTION_TEXT,
    OPTION_INT,
    OPTION_BOOL,     /* "true", "yes", "on", "1" and their contraries */
    OPTION_CHOICE,   /* one of the words in choices */
    OPTION_BYTES,    /* "64MiB"; B KiB MiB GiB TiB, kB MB GB TB; a bare number is bytes */
    OPTION_DURATION, /* "30s"; us ms s min h d; kept in microseconds; only 0 goes bare */
    OPTION_SECRET,   /* never printed, stored apart */
};

struct option {
    const char *name; /* "block_bytes"; as a flag "--block-bytes" */
    enum option_type type;
    const char *fallback; /* default as text; NULL means required; "" for other types than
                             _TEXT: none, the number is 0 until somebody sets it */
    int64_t min, max;     /* _INT, _BYTES, _DURATION (us); both 0: 0 and up */
    const char *const *choices; /* OPTION_CHOICE, ends with NULL */
    const char *help;           /* one or two sentences, with the unit */
};

/* --- one value
 * ---------------------------------------------------------------------------- */

/* The number behind a text of type INT, BOOL (0, 1), CHOICE (index), BYTES or DURATION.
 */
int option_parse(const struct option *o, struct str text, int64_t *out,
                 struct error *err);

/* A number as the shortest text that parses to it: "64MiB", "30s", "true", "zstd". */
void option_print(struct buf *out, const struct option *o, int64_t number);

/* --- values of a table
 * -------------------------------------------------------------------- */

struct option_values;

/* table ends with a zero entry and must live as long as the values. */
struct option_values *option_values_new(const struct option *table);
void option_values_free(struct option_values *v); /* wipes secrets; NULL is fine */
void option_values_free_at(struct option_values **v);

/* Set one by name; '-' and '_' are the same in it. A later value replaces an earlier one.
 */
int option_set(struct option_values *v, struct str name, struct str text,
               struct error *err);

/* Set all members of a JSON object: texts, numbers and booleans. */
int option_set_json(struct option_values *v, struct str json, struct error *err);

/* Every required option is set. */
int option_check_required(const struct option_values *v, struct error *err);

/* What was set, as a JSON object of texts in table order, for storing. Secrets are left
 * out, and so is what equals its fallback. */
void option_values_json(struct buf *out, const struct option_values *v);

/* The table's entry, or NULL: '-' and '_' are the same. */
const struct option *option_find(const struct option *table, struct str name);

/* Nobody has set it, or to its fallback: option_values_json() leaves it out. */
bool option_is_default(const struct option_values *v, const char *name);

bool option_is_set(const struct option_values *v, const char *name);
int64_t option_number(const struct option_values *v, const char *name);
bool option_bool(const struct option_values *v, const char *name);
/* As given, valid as long as v and not set again; TEXT, and any other type but SECRET. */
struct str option_text(const struct option_values *v, const char *name);
/* Borrowed; NULL when not set. */
const struct secret *option_secret(const struct option_values *v, const char *name);

/* --- the table itself
 * --------------------------------------------------------------------- */

/* "  --block-bytes BYTES   help text wrapped at 80 columns (default 1MiB)" */
void option_describe_text(struct buf *out, const struct option *table);
/* An array of objects: name, type, default, min, max, choices, help. */
void option_describe_json(struct buf *out, const struct option *table);
/* A Markdown table: option, default, accepted values, meaning. */
void option_describe_markdown(struct buf *out, const struct option *table);

#endif
