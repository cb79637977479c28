/* src/sink/sink.h
 *
 * A destination. It loads epochs lane by lane, each in one transaction with the lane's
 * mark, and remembers with the rows how far every lane and stream got. A driver is one
 * const struct sink_ops; what drivers share is in contract.h. Callers use the functions
 * here, never `ops` directly.
 *
 * Loading one epoch, by sink_load_epoch():
 *
 *   marks ─ at or below the mark? ─▶ already loaded, nothing changes (invariant 7)
 *     └─▶ begin ─▶ per stream: ABANDON ─▶ reject, or BEGIN or HOLD ─▶ TRUNCATE ─▶ shape
 *           ─▶ load segments ─▶ reject ─▶ JOIN ─▶ PARK, GONE, COPIED
 *           ─▶ mark and stream rows ─▶ commit
 *   one stream fails ─▶ rollback, outcome names it ─▶ the caller loads again without it
 *
 * While a version is copied, the one before it may be followed all the same: the epoch
 * has both, first the one that is held, then the live one, which shares its rows
 * (manifest_stream.rows_of). Each may fail, or leave, without the other.
 *
 * A stream of changes that is left out is parked by the same transaction, with the text
 * of its failure: a live version gets live_state STREAM_PARKED, a held one becomes the
 * left_version. Later changes of that version are left out too, silently: it needs a copy
 * anew, as a newer version. HOLD and BEGIN of a version each come with its shape, and may
 * be loaded in either order; JOIN_LOG needs `copied` and what is held.
 *
 * Thread: one per sink. Owner: sink_close() ends everything a sink gave out.
 */
#ifndef SINK_SINK_H
#define SINK_SINK_H

#include "base/arena.h"
#include "base/cancel.h"
#include "base/error.h"
#include "row/schema.h"
#include "spool/manifest.h"

#include <stdbool.h>
#include <stdint.h>

enum stream_state {
    STREAM_NONE = 0,
    STREAM_COPYING, /* a version is being copied; the live one, if any, stays */
    STREAM_LIVE,
    STREAM_FAILED, /* its last copy failed at loading; the live one, if any, stays */
    STREAM_PARKED, /* the log cannot be followed for it; the live one, if any, stays */
    STREAM_GONE,   /* it is no more at the source; the live one stays */
};

struct lane_mark {
    struct str integration, lane;
    uint64_t epoch; /* the last one wholly loaded */
    struct str position;
    int64_t sequence; /* the highest number reserved so far */
    int64_t loaded_at;
};

struct stream_mark {
    struct str integration, database, table, target;
    struct str lane;         /* that the live version's rows come by, else the copy's */
    enum stream_state state; /* COPYING and FAILED are of the copy, others of the live
                                version */
    enum stream_state live_state; /* NONE without a live version, LIVE, PARKED or GONE,
                                     whatever is copied beside it */
    uint64_t live_version;        /* 0: no live table */
    uint64_t copy_version;        /* 0: no copy under way */
    int64_t copy_sequence;        /* the number that the copy's rows carry */
    struct str copy_progress;     /* page_position text of the copy under way */
    enum join_kind copy_join;     /* how the copy under way will join */
    struct str copy_bookmark;     /* key_bookmark text that it will leave */
    bool copied;                  /* the copy is whole and waits for its JOIN_LOG */
    uint64_t held_version;        /* of which changes are held beside its copy; 0: none */
    uint64_t held_epoch;          /* of lane log, from which on */
    uint64_t left_version; /* the newest version that never joined and of which nothing is
                              held any more: parked, gone, failed at loading or
                              abandoned; later changes of it are left out; 0: none */
    struct str note;       /* why live_state is PARKED or GONE, or left_version left */
    struct str bookmark;   /* key_bookmark text of the live version, or empty */
    uint64_t joined_epoch;
    int64_t loaded_at;                   /* when the live version joined */
    int64_t first_read_at, last_read_at; /* of the live version: T1 and T2 */
    uint64_t rows; /* of the live version after its last join, those marked deleted
                      aside */
    struct str schema_json; /* of the newest shape known of the copy or live version */
};

/* The live version follows the log. */
static inline bool stream_mark_is_followed(const struct stream_mark *m)
{
    return m->live_version != 0 && m->live_state == STREAM_LIVE &&
           str_eq(m->lane, STR(LANE_LOG));
}

struct mark_list {
    struct str destination_id;
    struct lane_mark *lanes;
    size_t lane_count;
    struct stream_mark *streams;
    size_t stream_count;
};

struct load_stream {
    struct str database, table;
    /* Of rows that are gathered to change a live table (join_changes_live) these three
     * are told by the epoch that joins them, for all of them. */
    uint64_t applied;    /* rows that the destination now has of this epoch; of a sweep:
                            rows that were marked deleted */
    uint64_t superseded; /* a later row of the same key won, or this one says the same as
                            the one before it (NEW) */
    uint64_t known;      /* read again: the destination had them already; of a sweep: keys
                            of which it has nothing but rows marked deleted */
    uint64_t derived;  /* rows that foreign keys changed at the source, which did not say
                          so; in none of the others */
    uint64_t rejected; /* records written to _sdc_rejected, quarantined before or here */
};

struct load_outcome {
    bool already_loaded;
    struct load_stream *streams; /* as in the manifest's order */
    size_t stream_count;
    int failed_stream; /* index in the manifest when one stream alone is at fault, else -1
                        */
    uint64_t bytes;    /* of segments read */
    int64_t took_us;
};

/* Which copies under way to forget: `tailrace reset`, `tailrace integration rm`. With
 * set_bookmark the one stream's live version also gets this bookmark: ERR_CONFIG when it
 * has none. */
struct reset_request {
    struct str integration, target_schema;
    struct str database, table; /* empty: all streams of the integration */
    bool everything; /* also the live tables, what was rejected, and the marks */
    bool set_bookmark;
    struct str bookmark; /* key_bookmark text */
};

struct sink;

struct sink_ops {
    const char *name; /* "duckdb" */

    /* location is what follows "duckdb:"; options are "key=value" texts of the URL.
     * Errors carry a hint: what is the matter with the file or the server and what to do.
     */
    struct sink *(*open)(struct str location, const struct str *options,
                         size_t option_count, struct cancel *c, struct error *err);
    void (*close)(struct sink *s);

    int (*marks)(struct sink *s, struct arena *a, struct str integration,
                 struct mark_list *out, struct error *err);

    /* One transaction. */
    int (*begin)(struct sink *s, const struct manifest *m, struct error *err);
    /* Make the table of the stream's version able to hold this shape; never narrows or
     * drops. */
    int (*shape)(struct sink *s, const struct manifest_stream *st,
                 const struct table_schema *want, struct error *err);
    /* Rows of one segment: container bytes. */
    int (*load)(struct sink *s, const struct manifest_stream *st, struct str container,
                struct load_stream *out, struct error *err);
    int (*reject)(struct sink *s, const struct manifest_stream *st, struct str container,
                  struct load_stream *out, struct error *err);
    int (*join)(struct sink *s, const struct manifest_stream *st, struct load_stream *out,
                struct error *err);
    int (*abandon)(struct sink *s, const struct manifest_stream *st, struct error *err);
    /* Streams of changes: HOLD, and a TRUNCATE of the live table, before the shapes and
     * rows. */
    int (*prepare)(struct sink *s, const struct manifest_stream *st, struct error *err);
    /* All rows of the stream's changes are there: those of a live version are applied. */
    int (*change)(struct sink *s, const struct manifest_stream *st,
                  struct load_stream *out, struct error *err);
    /* PARK, GONE and COPIED. */
    int (*leave)(struct sink *s, const struct manifest_stream *st, struct error *err);
    /* Marks of the lane and its streams, then commit. */
    int (*commit)(struct sink *s, const struct manifest *m, const bool *excluded,
                  struct error *err);
    void (*rollback)(struct sink *s);
    /* Outside a transaction, when one ended for want of memory: give back what can be.
     * False: nothing can. */
    bool (*relieve)(struct sink *s);
    /* In a transaction of its own: see sink_reset(). */
    int (*reset)(struct sink *s, const struct reset_request *r, struct error *err);
};

/* Why a stream of an epoch failed at loading: what its mark says once the epoch is loaded
 * without it. */
struct sink_failure {
    uint64_t epoch;
    size_t stream;
    char lane[64];
    char text[512];
};

struct sink {
    const struct sink_ops *ops;
    struct sink_failure *failures; /* owned; of epochs that were not loaded yet */
    size_t failure_count;
};

/* Why stream i of the epoch failed when it was last loaded with it, as far as this sink
 * knows: for drivers. */
struct str sink_failure_text(const struct sink *s, const struct manifest *m, size_t i);

/* By the scheme of a destination URL ("duckdb"); NULL when there is none. */
const struct sink_ops *sink_find(struct str scheme);

/* excluded[i] leaves stream i of the manifest out: it failed before. NULL: none. On -1
 * with out->failed_stream >= 0 that stream alone is at fault. Whatever fails, nothing is
 * loaded. */
int sink_load_epoch(struct sink *s, struct arena *a, const char *epoch_dir,
                    const bool *excluded, struct load_outcome *out, struct error *err);

/* Forget the unfinished and the failed copies of these streams and drop their hidden
 * tables; what is live stays unless everything is meant. A later epoch of such a version
 * is refused unless it begins anew. */
int sink_reset(struct sink *s, const struct reset_request *r, struct error *err);

/* The other operations, for callers outside this folder. */
static inline int sink_marks(struct sink *s, struct arena *a, struct str integration,
                             struct mark_list *out, struct error *err)
{
    return s->ops->marks(s, a, integration, out, err);
}

/* NULL is fine. */
void sink_close(struct sink *s);

#endif
