/* src/source/source.h
 *
 * A source as settings: where it is, who we are there, how gently we read. Connections
 * are made from it, one per thread that reads. Above this folder nobody sees mysql/.
 *
 * Thread: a source is read-only after source_new() and shared; each connection belongs to
 * the thread that opened it.
 */
#ifndef SOURCE_SOURCE_H
#define SOURCE_SOURCE_H

#include "base/cancel.h"
#include "base/error.h"
#include "config/url.h"
#include "row/catalog.h"
#include "source/discover.h"

#include <stdint.h>

struct session;
struct source;

/* Keeps copies of what it needs, the password as a secret. Errors: ERR_CONFIG for
 * settings that cannot be meant. */
struct source *source_new(const struct url_source *url, const struct secret *password,
                          struct error *err);
void source_free(struct source *s); /* NULL is fine */

/* One connection, tried again with backoff for at most patience_us on errors that pass
 * (ERR_NETWORK); 0 tries once. */
struct session *source_connect(const struct source *s, int64_t patience_us,
                               struct cancel *c, struct error *err);
void source_disconnect(struct session *s); /* NULL is fine; never waits for the server */

/* "MySQL 9.7.4 at 127.0.0.1:3306": for logs and reports. */
struct str source_describe(struct arena *a, struct session *s);

#endif
