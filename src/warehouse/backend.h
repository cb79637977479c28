/* src/warehouse/backend.h
 *
 * What the owner does with the file: one const struct of functions, so that tests of the
 * process need no database library.
 *
 * Thread: all but read() by one thread at a time; read() by any number of others while
 * the sink is open.
 */
#ifndef WAREHOUSE_BACKEND_H
#define WAREHOUSE_BACKEND_H

#include "sink/duckdb.h"
#include "sink/sink.h"
#include "warehouse/client.h"

struct warehouse_backend {
    struct sink *(*open)(struct str path, const struct str *settings,
                         size_t setting_count, struct error *err);
    void (*close)(struct sink *s); /* checkpoint first; NULL is fine */
    int (*marks)(struct sink *s, struct arena *a, struct str integration,
                 struct mark_list *out, struct error *err);
    /* The number of those excluded is compared with the manifest. */
    int (*load)(struct sink *s, struct arena *a, const struct epoch_load *l,
                struct load_outcome *out, struct error *err);
    int (*reset)(struct sink *s, const struct reset_request *r, struct error *err);
    int (*read)(struct sink *s, struct str sql, const struct read_limits *limits,
                const struct read_handler *handler, struct cancel *c,
                struct read_result *out, struct error *err);
};

extern const struct warehouse_backend backend_duckdb;

#endif
