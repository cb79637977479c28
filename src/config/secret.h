/* src/config/secret.h
 *
 * A password or token. It cannot be printed: there is no log field for it, the struct is
 * opaque, and the one function that shows it is named so that a review finds it. The
 * bytes are wiped when it is freed.
 *
 * Errors: ERR_CONFIG with a hint; the value is in none of them.
 * Thread: read-only once made; secret_take_env() and prompts before threads start.
 * Owner: whoever made it, ended by secret_free().
 */
#ifndef CONFIG_SECRET_H
#define CONFIG_SECRET_H

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>

/* Longest value taken from a file or a prompt. */
#define SECRET_LIMIT 4096

struct secret;

/* A copy of the value; wiping the original is the caller's. */
struct secret *secret_new(struct str value);
struct secret *secret_copy(const struct secret *s); /* NULL gives NULL */
void secret_free(struct secret *s);                 /* wipes; NULL is fine */
void secret_free_at(struct secret **s);             /* for CLEANUP */

/* The value, valid as long as the secret; NULL for NULL. NUL-terminated: a value with a
 * NUL inside is refused by the functions below. */
const char *secret_reveal(const struct secret *s);

/* From the environment, which forgets it, so that processes that we start do not inherit
 * it. NULL when it is not set. */
struct secret *secret_take_env(const char *name);

/* The first line of a file, without its line end. NULL with err. */
struct secret *secret_from_file(const char *path, struct error *err);

/* Ask on the terminal of this process with echo off. NULL with err: ERR_CONFIG when there
 * is no terminal, ERR_CANCELLED on Ctrl-C or the end of input. */
struct secret *secret_from_prompt(const char *prompt, struct error *err);

/* The same on the terminal behind this descriptor. */
struct secret *secret_from_terminal(int fd, const char *prompt, struct error *err);

#endif
