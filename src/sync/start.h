/* src/sync/start.h
 *
 * The option `start`: with which changes a table begins that follows the log.
 *
 *   copy                 with all its rows (default)
 *   now                  with none: the changes from where the integration reads the log
 *   gtid:SET             with the changes behind these transactions
 *   position:FILE:OFFSET with the changes behind this place
 *   time:2026-11-20T10:00:00Z   with the first transaction committed then or later
 *
 * Thread: any.
 */
#ifndef SYNC_START_H
#define SYNC_START_H

#include "base/arena.h"
#include "base/error.h"
#include "source/log_find.h"

enum start_kind { START_COPY = 0, START_NOW, START_PLACE };

struct start_choice {
    enum start_kind kind;
    struct log_wanted wanted; /* START_PLACE */
};

/* Texts live in the arena. Errors: ERR_CONFIG naming the option. */
int start_parse(struct arena *a, struct str text, struct start_choice *out,
                struct error *err);

#endif
