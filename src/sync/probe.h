/* src/sync/probe.h
 *
 * Looking at a source or a destination outside a run: `tailrace discover` and `check`,
 * the first half of `tailrace sync`.
 *
 * Thread: the caller's.
 */
#ifndef SYNC_PROBE_H
#define SYNC_PROBE_H

#include "base/cancel.h"
#include "base/error.h"
#include "config/url.h"
#include "row/catalog.h"
#include "sink/sink.h"
#include "source/binlog_dump.h"
#include "source/check.h"
#include "state/state.h"
#include "sync/options.h"

/* What to look at; all borrowed. */
struct probe_request {
    const struct url_source *url;
    const struct secret *password;
    bool always_int; /* TINYINT(1) is an integer */
};

/* Connect and discover. server: "MySQL 9.7.4 at host:port", in the arena. Columns have
 * the Avro names that a first run would give them. The catalog is the caller's to free.
 */
struct catalog *probe_discover(struct arena *a, const struct probe_request *r,
                               struct cancel *c, struct str *server, struct error *err);

/* Connect, discover, and see whether the server gives what a copy and the log need. In
 * the arena. */
int probe_source(struct arena *a, const struct probe_request *r, struct cancel *c,
                 struct check_list *out, struct error *err);

/* A table of a source, and how a person wants it replicated. */
struct probe_table {
    const struct catalog_table *found;
    const struct stream_options *options;
    bool check_key; /* read all of the view to see whether its declared key is one */
};

/* The same, and does the source understand what they say? Asks the server only where the
 * catalog cannot tell. */
int probe_check(struct arena *a, const struct probe_request *r,
                const struct probe_table *t, struct cancel *c, struct error *err);

/* The events of a binary log file, printed. */
int probe_binlog(const struct binlog_dump_options *o, const struct binlog_dump_sink *sink,
                 struct cancel *c, struct error *err);

/* Those of a server's log; only url and password of the request matter. */
int probe_binlog_source(const struct probe_request *r,
                        const struct binlog_dump_options *o,
                        const struct binlog_dump_sink *sink, struct cancel *c,
                        struct error *err);

/* What the destination has of an integration; nothing where its file does not exist. In
 * the arena. */
int probe_marks(struct arena *a, const struct integration *i, struct cancel *c,
                struct mark_list *out, struct error *err);

#endif
