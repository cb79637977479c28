/* src/source/log_feed.h
 *
 * Where a log reader gets its events and its answers from: a server, or a scripted log in
 * tests. One stream at a time; another feed to the same place reads beside it.
 *
 * Errors of open and next: ERR_POSITION when the place is not there (at the latest with
 * the first event), ERR_NETWORK for what a new stream may cure. Thread: the reader's.
 */
#ifndef SOURCE_LOG_FEED_H
#define SOURCE_LOG_FEED_H

#include "base/arena.h"
#include "base/error.h"
#include "mysql/binlog.h"
#include "mysql/binlog_place.h"
#include "mysql/gtid.h"
#include "mysql/gtid_maria.h"
#include "row/catalog.h"
#include "source/log.h"

#include <stdbool.h>
#include <stdint.h>

/* The first that is set counts; nothing set is the oldest file there is. All borrowed. */
struct log_start {
    struct str file;
    uint64_t offset;
    const struct gtid_set *gtids;
    const struct gtid_maria_position *maria;
};

/* Known once a stream is open; the text lives as long as the feed. */
struct log_server {
    struct str uuid;
    bool mariadb;
    bool fold_names; /* names of tables are compared without case */
};

/* What a server says of its GTIDs. */
struct log_sets {
    struct str executed; /* MariaDB: the last of each domain */
    struct str purged;   /* MySQL only */
};

/* The end of a log. */
struct log_end {
    char file[BINLOG_NAME_MAX + 1]; /* empty: not known */
    uint64_t offset;
};

struct log_feed {
    const struct log_feed_type *type;
};

struct log_feed_type {
    /* A stream that is open is closed first; patience: see source_connect(). */
    int (*open)(struct log_feed *f, const struct log_start *start, int64_t patience_us,
                struct error *err);
    int (*next)(struct log_feed *f, struct event *e, struct error *err);
    struct binlog *(*binlog)(struct log_feed *f);
    const struct binlog_place *(*place)(const struct log_feed *f);
    const struct log_server *(*server)(const struct log_feed *f);
    int (*sets)(struct log_feed *f, struct arena *a, struct log_sets *out,
                struct error *err);
    /* One table, while nothing can change its shape, and where the log ended then: what
     * changed it stands before. ERR_SCHEMA when it is gone or is being changed. */
    struct catalog *(*find)(struct log_feed *f, const struct table_schema *named,
                            struct log_end *end, struct error *err);
    /* Names of the files that there are, oldest first. */
    int (*files)(struct log_feed *f, struct arena *a, struct str **out, size_t *count,
                 struct error *err);
    /* A feed that ends at the end of the log; NULL never. */
    struct log_feed *(*another)(const struct log_feed *f);
    void (*close)(struct log_feed *f);
};

/* Of a server. */
struct log_feed *log_feed_new(const struct source *src, const struct log_options *o,
                              struct cancel *c);

static inline void log_feed_close(struct log_feed *f) /* NULL is fine */
{
    if (f != NULL)
        f->type->close(f);
}

/* log_reader_open() over any feed, which becomes the reader's, also when it fails. */
struct log_reader *log_reader_over(struct log_feed *feed, const struct log_position *from,
                                   const struct log_options *o, struct cancel *c,
                                   struct error *err);

#endif
