/* src/sync/stream.h
 *
 * One table within one job: what is read, under which names, how far. Shared between the
 * reader threads, the spool thread and the loader, so each field says who may touch it:
 *
 *   plan      set before the threads start, read by all
 *   [lock]    under stream.lock
 *   [spool]   the spool thread alone
 *   [atomic]  any, through stdatomic
 *
 * A copy that must start again (the table changed while it was read, or its one view
 * broke) is the next *generation* of the stream, with the next version number; deliveries
 * of older generations are dropped by the spool thread.
 */
#ifndef SYNC_STREAM_H
#define SYNC_STREAM_H

#include "avro/encode.h"
#include "row/catalog.h"
#include "row/position.h"
#include "source/full.h"
#include "spool/manifest.h"
#include "sync/options.h"

#include <pthread.h>
#include <stdatomic.h>

/* One shape of the stream, with what is compiled from it. Never freed before the job
 * ends, since blocks of older shapes may still be on their way. */
struct stream_shape_plan {
    const struct table_schema *schema;
    struct encode_plan *encode; /* owned */
    char *json;                 /* owned; AVRO_CHANGE schema */
    struct stream_shape_plan *older;
};

enum stream_phase {
    PHASE_WAITING = 0, /* nobody has started it */
    PHASE_STARTING,    /* a reader works out its ranges */
    PHASE_READING,
    PHASE_READ,   /* every range is read */
    PHASE_FAILED, /* given up in this job; why says so */
};

struct stream {
    struct str database, table, target; /* plan */
    const struct catalog_table *found;  /* plan, [lock] after a restart */
    uint32_t index;                     /* plan: place in the job's array */
    enum full_method method;            /* plan, [lock] after a restart */
    struct stream_options options;      /* plan */
    enum join_kind join;                /* plan: what its rows become */
    uint64_t live_version; /* plan: of the table that a join changes or adds to */
    uint64_t still_live;   /* plan: by log: its live version, which is followed until the
                              copy of the next one joins; 0: it is not */
    uint64_t definition;   /* plan: see key_bookmark.definition; 0: nothing special */
    bool by_key;           /* plan: pages in order of the replication key */
    bool anew;             /* before the threads: keys may have been handed out again */
    struct key_bookmark before; /* plan: what the read before left; no anchors: none */
    struct str bookmark;        /* before the threads: what this read leaves, as text */
    struct str from, to;        /* likewise: bounds of the replication key */
    struct stream *sweep_of;    /* plan: this one reads but the keys of that stream, and
                                   after it */
    const struct str *kept;     /* plan: names in the destination of columns that
                                   are left out by choice */
    size_t kept_count;

    pthread_mutex_t lock;
    struct arena *arena;             /* [lock] shapes and ranges */
    struct stream_shape_plan *shape; /* [lock] the newest */
    struct page_range *ranges;      /* [lock] what readers take; .after as of the start */
    size_t range_count, next_range; /* [lock] */
    size_t ranges_open;             /* [lock] taken and not finished */
    enum stream_phase phase;        /* [lock] */
    unsigned restarts;              /* [lock] */
    struct page_pace pace;          /* under the governor's lock */
    struct error why;               /* [lock] of PHASE_FAILED */

    atomic_uint generation;
    atomic_bool failed;      /* readers leave it alone */
    atomic_bool joined;      /* the loader saw the join committed */
    bool resumed;            /* plan: goes on from an earlier job */
    bool orphan;             /* plan: only an unfinished copy to drop, nothing to read */
    bool by_log;             /* plan: followed by the log */
    bool log_live;           /* plan: its live version is, so nothing is copied */
    atomic_bool live_failed; /* still_live failed at loading; the copy goes on */
    bool forgotten;    /* plan: it is in the lane, and nobody knows the shape that it has
                          at the lane's place */
    bool starts_empty; /* plan: by log: its rows are not copied (option start) */
    bool held_before;  /* plan: changes for the copy under way are held already */
    atomic_bool gone;  /* by log: dropped or renamed at the source */
    atomic_bool again; /* by log: given up by this round, for the next one */
    struct str since;  /* before the threads: where its changes begin, log_position text;
                          empty: it has all rows */
    struct str view_low, view_high; /* [lock] by log, without a key: places in the log
                                       that its one view lies between */
    atomic_bool copied;             /* by log: the copy is whole and waits for its join */

    uint64_t version; /* [lock] of the copy being made */
    int64_t sequence; /* [lock] of its rows; of a delta: its first one, at first */
    atomic_int_fast64_t next_number; /* of a delta's next row */

    /* What the spool thread knows of the stream, all [spool]. */
    struct {
        uint64_t version;
        int64_t sequence;
        bool begun;     /* BEGIN is in an epoch, so ABANDON has something to drop */
        bool resumable; /* read by pages: progress is worth keeping */
        bool keyless;
        enum join_kind join;
        uint64_t live_version;
        uint32_t shape; /* version of the newest shape with rows */
        uint64_t epoch; /* the epoch in which `index` holds */
        int index;
        struct page_position progress; /* ranges and their keys owned */
    } spooled;

    atomic_uint_fast64_t rows_read, rows_rejected, rows_applied, rows_superseded,
        rows_known;
    /* still_live has them of rows that count when the copy joins */
    atomic_uint_fast64_t shared_applied, shared_superseded;
    atomic_uint_fast64_t rejected_before; /* of this copy, in the runs before this one */
    atomic_uint_fast64_t nulls_by_policy, bytes_read;
    atomic_int_fast64_t first_read_at, last_read_at;
    atomic_int_fast64_t started_at, ended_at; /* monotonic */
};

#endif
