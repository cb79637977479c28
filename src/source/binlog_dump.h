/* src/source/binlog_dump.h
 *
 * A binary log, from a file or from a server, decoded and printed: what `tailrace binlog`
 * does (called through sync/probe.h).
 *
 * What a server makes up (heartbeats, rotations that name the next file) is in no file
 * and is not printed.
 *
 * Errors: ERR_CONFIG for a file that cannot be opened; those of mysql/binlog.h, dump.h,
 * event.h and rows.h with the file and the event's offset. What came before is printed.
 * Thread: the caller's.
 */
#ifndef SOURCE_BINLOG_DUMP_H
#define SOURCE_BINLOG_DUMP_H

#include "base/cancel.h"
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What to print of which file; all borrowed. */
struct binlog_dump_options {
    const char *path;      /* of a file */
    struct str start;      /* at a server: FILE or FILE:OFFSET; empty: the oldest file */
    struct str start_gtid; /* at a server: what is behind this set; empty: by place */
    bool follow;           /* at a server: wait for more at the end of the log */
    struct str table;      /* TABLE or DATABASE.TABLE, a pattern; empty: every one */
    struct str gtid;       /* of one transaction; empty: all */
    uint64_t since, until; /* seconds since 1970 UTC; 0: none */
    uint64_t offset;       /* in the file */
    size_t row_limit;      /* the longest row, both its images */
    bool json;             /* an object a line */
    bool statements_whole; /* for people: however long */
};

struct binlog_dump_sink {
    int (*write)(void *ctx, struct str text, struct error *err);
    void *ctx;
};

struct source;

int binlog_dump_file(const struct binlog_dump_options *o,
                     const struct binlog_dump_sink *sink, struct cancel *c,
                     struct error *err);

/* ERR_POSITION when the log has no such place, saying what it has. */
int binlog_dump_source(const struct source *s, const struct binlog_dump_options *o,
                       const struct binlog_dump_sink *sink, struct cancel *c,
                       struct error *err);

#endif
