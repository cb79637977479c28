/* src/spool/manifest.h
 *
 * What one epoch holds: lane, number, from and to, streams with their actions, shapes,
 * counts and progress, and every file with size and XXH3. JSON on disk (`manifest.json`),
 * written last before the capture, read first at loading. Format number 1; a higher one
 * is refused.
 *
 * Owner: everything lives in the arena given. Thread: any, once made.
 */
#ifndef SPOOL_MANIFEST_H
#define SPOOL_MANIFEST_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "row/schema.h"

#include <stdint.h>

#define MANIFEST_FORMAT 1

/* The lanes of a job: copies and reads by key; what follows the log. */
#define LANE_FULL "full"
#define LANE_LOG "log"

/* The file that every epoch's directory has, and the longest one that is read or written.
 */
#define MANIFEST_FILE "manifest.json"
#define MANIFEST_LIMIT_BYTES ((size_t)64 << 20)

/* What happens to a stream's version at this epoch, besides its rows. */
enum stream_action {
    ACTION_NONE = 0,
    ACTION_BEGIN = 1 << 0,   /* the version starts here: its table is made, empty */
    ACTION_JOIN = 1 << 1,    /* after the rows: the version becomes the live table */
    ACTION_ABANDON = 1 << 2, /* the unfinished version is dropped; the live table stays.
                                With `changes`: what was held for it, not the copy */
    /* Of streams that follow the log: */
    ACTION_HOLD = 1 << 3,     /* from here on changes of the version are held, beside its
                                 copy; before the rows */
    ACTION_TRUNCATE = 1 << 4, /* the table was emptied; before the rows */
    ACTION_PARK = 1 << 5,     /* after the rows: it cannot be followed any further, the
                                 live table stays as it is then */
    ACTION_GONE = 1 << 6,     /* the same: it is no more at the source */
    ACTION_COPIED = 1 << 7,   /* after the rows: the copy is whole and waits for its
                                 JOIN_LOG, which comes in another lane */
};

/* What ACTION_JOIN does with the rows that were gathered since ACTION_BEGIN. */
enum join_kind {
    JOIN_REPLACE = 0, /* they are the live table from now on, the earlier one goes */
    JOIN_ADD,   /* they come behind the rows of the live table: every copy is kept */
    JOIN_MERGE, /* by key: new rows are inserted, changed ones replaced; those that the
                   live table has already, the same in every column, are known */
    JOIN_NEW,   /* each row that is not the newest known of its key is inserted */
    JOIN_SWEEP, /* they are the keys that the source has: other rows are marked deleted */
    JOIN_LOG, /* they are followed by the log. Without `changes`: a copy, which ends with
                 ACTION_COPIED. With them: what was held is applied to that copy, which
                 then is the live table. That epoch is captured only once the
                 destination's mark says `copied` */
};

/* What the deletion of a row at the source does at the destination. */
enum delete_way {
    DELETE_MARK = 0, /* _sdc_deleted_at; the values stay */
    DELETE_BLANK,    /* the same, and all columns but the key are NULL */
    DELETE_REMOVE,   /* the row goes */
};

/* MERGE, NEW and SWEEP: rows of the live table are changed, and it stays the live one. */
bool join_changes_live(enum join_kind join);

/* Rows of one stream in one epoch (invariant 11): read = encoded + filtered +
 * quarantined; what the destination superseded it counts itself. Of changes each record
 * counts: a change of a key is two, the row that went and the one that came. */
struct epoch_counts {
    uint64_t read;
    uint64_t encoded;
    uint64_t filtered;
    uint64_t quarantined;
    uint64_t null_by_policy; /* values, not rows */
    uint64_t source_bytes;
};

struct manifest_file {
    struct str name;
    uint64_t bytes;
    uint64_t hash; /* XXH3, 64 bits, of the whole file */
};

enum segment_kind {
    SEGMENT_ROWS = 0,
    SEGMENT_REJECTS, /* records of quarantine.h */
};

struct manifest_segment {
    enum segment_kind kind;
    uint32_t stream; /* index into streams */
    uint32_t shape;  /* schema version; 0 for rejects */
    uint32_t file;   /* index into files */
    uint64_t offset; /* of the container file in it (bundles) */
    uint64_t bytes;
    uint64_t rows;
};

struct manifest_shape {
    uint32_t stream;
    uint32_t version;
    struct str schema_json; /* avro/schema.h, AVRO_CHANGE */
};

/* What the rows of the live table get in a column before this epoch's rows come; those
 * that are marked deleted keep what they have. */
struct manifest_fill {
    struct str column; /* as the destination calls it */
    struct str from;   /* not empty: what they have in this column, all of them, since the
                          column was renamed */
    struct str value; /* else this one. Text that the column's type is read from; of bytes
                         hexadecimal digits, of times of day microseconds */
};

struct manifest_stream {
    struct str database; /* at the source */
    struct str table;
    struct str target; /* the table's name at the destination */
    uint64_t version;  /* of the copy: _sdc_table_version */
    int64_t sequence;  /* _sdc_sequence of a copy's rows; 0 where each row has its own; of
                          ACTION_TRUNCATE its own, below those of the rows behind it */
    unsigned actions;  /* enum stream_action, or-ed */
    bool keyless;      /* gets __sdc_primary_key */
    bool changes; /* its rows are changes from the log: each has an operation, number,
                     time and absent columns of its own; join is JOIN_LOG */
    bool held;    /* changes of a version that is not live: kept beside its copy. Those
                     of the epoch with ACTION_JOIN are held ones, whatever this says */
    bool append;  /* changes: each one is a row of its own */
    uint32_t rows_of; /* changes of a live version that is followed while the next one is
                         copied: it takes the rows of the stream before it with this
                         number, counted from 1, of the same table; 0: its own */
    uint64_t held_limit;     /* so many held rows are reduced to the last of each key; 0:
                                none */
    enum delete_way deletes; /* changes */
    int64_t cut; /* ACTION_JOIN of JOIN_LOG: held changes up to this number are in the
                    copy already; 0: all are applied */
    int64_t truncated_at; /* ACTION_TRUNCATE: when, microseconds */
    struct str reason;    /* ACTION_PARK, ACTION_GONE: why, a sentence */
    enum join_kind join;
    uint64_t live_version; /* of the live table that MERGE, NEW and SWEEP change, and then
                              equal to version; ADD: of the one it adds to, 0 for none */
    struct str bookmark;   /* what the stream's mark holds once this has joined: text of a
                              key_bookmark (row/position.h); empty for none */
    const struct str *kept; /* columns that were left out by choice, as the destination
                               calls them: those that the live table has stay, NULL */
    size_t kept_count;
    const struct manifest_fill *fills; /* changes of a live version */
    size_t fill_count;
    struct str progress; /* page_position text after this epoch; empty when it has none */
    struct epoch_counts counts;
    int64_t first_read_at,
        last_read_at; /* T1 and T2 of the rows so far; 0 without rows */
};

struct manifest {
    struct str destination_id;
    struct str integration;   /* name */
    struct str target_schema; /* schema at the destination */
    struct str lane;
    uint64_t number;       /* from 1, no gaps within a lane */
    struct str from, to;   /* the lane's position before and after, opaque here */
    int64_t sequence_base; /* numbers reserved by this epoch start here */
    int64_t captured_at;   /* _sdc_received_at of its rows */
    struct manifest_stream *streams;
    size_t stream_count;
    struct manifest_shape *shapes; /* every shape that a segment or BEGIN or JOIN needs */
    size_t shape_count;
    struct manifest_segment *segments; /* in loading order */
    size_t segment_count;
    struct manifest_file *files;
    size_t file_count;
};

/* The text ends with the XXH3 of all before, so that a changed byte anywhere is found.
 * The caller looks at out->failed. */
void manifest_write(const struct manifest *m, struct buf *out);

/* Checked besides the text itself: indices, places in files, that a join which changes
 * the live table names its version, that actions of the log come with changes and the
 * other way round, whose rows a stream takes, and that the counts agree with each other
 * and with the segments (invariant 11). Errors: ERR_PROTOCOL (damaged, or a newer format:
 * the text says which), ERR_LIMIT (the arena's ceiling). */
int manifest_read(struct arena *a, struct str json, struct manifest *out,
                  struct error *err);

#endif
