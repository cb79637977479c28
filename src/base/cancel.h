/* src/base/cancel.h
 *
 * A one-way stop flag with a descriptor to poll. Two strengths: *graceful* asks the
 * readers to end and lets what was captured go on; *hard* asks everybody to end now. A
 * hard request after a graceful one strengthens it.
 *
 * Thread: any; cancel_request() may be called from a signal handler.
 */
#ifndef BASE_CANCEL_H
#define BASE_CANCEL_H

#include "base/error.h"

#include <stdbool.h>

enum cancel_strength {
    CANCEL_NONE = 0,
    CANCEL_GRACEFUL,
    CANCEL_HARD,
};

struct cancel;

struct cancel *cancel_new(void);
void cancel_free(struct cancel *c); /* NULL is fine */

void cancel_request(struct cancel *c, enum cancel_strength strength);
enum cancel_strength cancel_requested(const struct cancel *c);

/* Readable from the first request on; -1 when c is NULL. Not to be read from. */
int cancel_fd(const struct cancel *c);

/* 0, or ERR_CANCELLED when anything was requested. NULL never is. */
int cancel_check(const struct cancel *c, struct error *err);

#endif
