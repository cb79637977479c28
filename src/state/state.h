/* src/state/state.h
 *
 * What must survive a restart and is not proved by spool and destination: integrations,
 * names and shapes given to streams, jobs with their logs and reports. One SQLite file,
 * DATA_DIR/tailrace.db (WAL, synchronous FULL), with numbered migrations. What a copy has
 * reached is not here: that is in the spool and in the destination, so losing this
 * file loses history, never rows.
 *
 * No secret is stored: source URLs come without password (url.h refuses to print one).
 *
 * Errors: ERR_IO (SQLite's text and the path), ERR_CONFIG (a file of a newer version).
 * Thread: any; the database has its own lock.
 */
#ifndef STATE_STATE_H
#define STATE_STATE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "config/setting.h"

#include <stdbool.h>
#include <stdint.h>

struct state;

/* Makes DATA_DIR (0700) and the database when they are not there. */
struct state *state_open(const char *data_dir, struct error *err);
void state_close(struct state *s); /* NULL is fine */

/* Many small writes as one: those between begin and end become durable together. Nested
 * calls count. A failure inside does not undo the others. */
int state_batch_begin(struct state *s, struct error *err);
int state_batch_end(struct state *s, struct error *err);
/* All or nothing: end when rc is 0, else undo everything since the outermost begin, which
 * must be this batch's own. Returns rc, or -1 when ending fails. */
int state_batch_finish(struct state *s, int rc, struct error *err);

/* --- integrations ---------------------------------------------------------------------
 */

struct integration {
    struct str name;          /* as given by --name: the display name */
    struct str source;        /* URL without password */
    struct str destination;   /* "duckdb:path" */
    struct str target_schema; /* avro_schema_name(name), unique, immutable */
    struct str options;       /* JSON object of the options that are not defaults */
    int64_t created_at;
};

/* 1 found, 0 not there, -1 error. */
int state_integration_find(struct state *s, struct arena *a, struct str name,
                           struct integration *out, struct error *err);
/* Insert or update by name; target_schema never changes once written. */
int state_integration_save(struct state *s, const struct integration *i,
                           struct error *err);
int state_integration_list(struct state *s, struct arena *a, struct integration **out,
                           size_t *count, struct error *err);

/* Forget the integration with everything recorded for it: settings, names, shapes, jobs,
 * logs and reports. */
int state_integration_remove(struct state *s, struct str integration, struct error *err);

/* Which stream. What is said of a table below goes by this. */
struct stream_name {
    struct str integration, database, table;
};

/* --- what was said about single tables and columns ------------------------------------
 */

/* In order of database and table; columns in order of their bytes. */
int state_setting_list(struct state *s, struct arena *a, struct str integration,
                       struct stream_setting **out, size_t *count, struct error *err);
/* These and no others from now on; all or nothing. No table twice, no column twice. */
int state_setting_replace(struct state *s, struct str integration,
                          const struct stream_setting *list, size_t count,
                          struct error *err);

/* A column that the table had when a run looked at it. */
struct known_column {
    struct str column;
    bool late; /* it came while new columns were to be ignored */
};

/* In order of their bytes; none before the first run. */
int state_known_list(struct state *s, struct arena *a, const struct stream_name *of,
                     struct known_column **out, size_t *count, struct error *err);
/* Insert or replace. */
int state_known_save(struct state *s, const struct stream_name *of,
                     const struct known_column *column, struct error *err);

/* --- streams: names and shapes that must stay
 * -------------------------------------------- */

struct stream_shape {
    struct str database, table;
    uint32_t version;       /* of the shape */
    uint64_t hash;          /* schema_hash() */
    struct str schema_json; /* Avro, AVRO_ROW */
    int64_t seen_at;
};

/* Record a shape; the same (version) again is a no-op. */
int state_shape_save(struct state *s, struct str integration,
                     const struct stream_shape *sh, struct error *err);
/* All shapes of a table, oldest first; database empty: of each table of this name, by
 * database. */
int state_shape_list(struct state *s, struct arena *a, const struct stream_name *of,
                     struct stream_shape **out, size_t *count, struct error *err);

/* Avro name given to a source column; stays for ever (part 8 of the architecture). Also
 * the destination's table name with column empty. -1 error, 0 not there, 1 found. */
int state_name_find(struct state *s, struct arena *a, const struct stream_name *of,
                    struct str column, struct str *out, struct error *err);
/* All names given to columns of a table, also of columns that are gone: none of them is
 * given again. With table empty: those given to the tables of the integration. */
struct given_name {
    struct str database, table, column, name;
};
int state_name_list(struct state *s, struct arena *a, const struct stream_name *of,
                    struct given_name **out, size_t *count, struct error *err);
int state_name_save(struct state *s, const struct stream_name *of, struct str column,
                    struct str name, struct error *err);

/* Boolean columns that were seen to hold other numbers: integers from then on. */
int state_promotion_save(struct state *s, const struct stream_name *of, struct str column,
                         struct error *err);
int state_promotion_find(struct state *s, const struct stream_name *of, struct str column,
                         bool *out, struct error *err);

/* The newest version number of a stream's copies; 0 when there is none. No copy of an
 * older one goes on. */
int state_version_get(struct state *s, const struct stream_name *of, uint64_t *out,
                      struct error *err);
/* The same, but for changes of the source, which a table that is followed by the log
 * outlives. */
int state_version_handed_out(struct state *s, const struct stream_name *of, uint64_t *out,
                             struct error *err);
int state_version_set(struct state *s, const struct stream_name *of, uint64_t version,
                      struct error *err);
/* The integration has another source: no copy so far is the newest. */
int state_source_changed(struct state *s, struct str integration, struct error *err);

/* All columns of a table that is followed by the log, as of the place that was captured
 * last: text of the caller's. -1 error, 0 not there, 1 found. */
int state_followed_save(struct state *s, const struct stream_name *of, struct str columns,
                        struct error *err);
int state_followed_find(struct state *s, struct arena *a, const struct stream_name *of,
                        struct str *columns, struct error *err);

/* Where a version of a table begins that was not copied: log_position text. -1 error, 0
 * not there, 1 found. */
int state_since_save(struct state *s, const struct stream_name *of, uint64_t version,
                     struct str place, struct error *err);
int state_since_find(struct state *s, struct arena *a, const struct stream_name *of,
                     uint64_t *version, struct str *place, struct error *err);

/* How far an integration has followed the log, as its last run saw it. */
struct followed_place {
    struct str position; /* log_position text of the lane's mark */
    int64_t seen_at;
    int64_t headroom_us; /* the source keeps what comes behind it so long; -1: unknown */
    int64_t fresh_to;    /* up to then the destination had everything; 0: unknown */
};

int state_place_save(struct state *s, struct str integration,
                     const struct followed_place *p, struct error *err);
int state_place_find(struct state *s, struct arena *a, struct str integration,
                     struct followed_place *out, struct error *err);

/* A table that follows the log and cannot: its copies failed, or it is parked. */
enum trouble_state {
    TROUBLE_COUNTED = 0, /* it is copied again by the next run */
    TROUBLE_PARKED,      /* no run copies it until it is resumed or reset */
    TROUBLE_RESUMED,     /* a person has said so; the next round takes it up */
};

struct stream_trouble {
    struct str database, table;
    enum trouble_state state;
    unsigned failures; /* copies in a row that did not come to their end */
    struct str why;
    int64_t at; /* since when, microseconds */
};

/* In order of database and table. */
int state_trouble_list(struct state *s, struct arena *a, struct str integration,
                       struct stream_trouble **out, size_t *count, struct error *err);
/* Insert or replace. */
int state_trouble_save(struct state *s, struct str integration,
                       const struct stream_trouble *t, struct error *err);
/* Table empty: of all. */
int state_trouble_forget(struct state *s, const struct stream_name *of,
                         struct error *err);
/* Some table is TROUBLE_RESUMED. */
int state_trouble_resumed(struct state *s, struct str integration, bool *out,
                          struct error *err);

/* Something was done to a table at the source and, as its options say, not to the copy of
 * this version: it is not what the source is. The latest of such things. */
struct stream_inexact {
    struct str database, table;
    uint64_t version;
    struct str what; /* a sentence */
    int64_t at;
};

int state_inexact_list(struct state *s, struct arena *a, struct str integration,
                       struct stream_inexact **out, size_t *count, struct error *err);
/* Insert or replace. */
int state_inexact_save(struct state *s, struct str integration,
                       const struct stream_inexact *i, struct error *err);
int state_inexact_forget(struct state *s, const struct stream_name *of,
                         struct error *err);

/* --- jobs, logs, reports
 * ---------------------------------------------------------------- */

enum job_outcome {
    JOB_RUNNING = 0,
    JOB_SUCCEEDED,
    JOB_PARTIAL, /* some streams failed or have quarantined rows */
    JOB_FAILED,
    JOB_STOPPED,
    JOB_DIED, /* found running although its process is gone */
};

const char *job_outcome_name(enum job_outcome o);

struct job_row {
    int64_t id;
    struct str integration;
    enum job_outcome outcome;
    int64_t started_at, ended_at; /* ended_at 0: runs */
    int64_t pid;
    struct str error, hint; /* of a failure */
};

struct report_row {
    struct str database, table, target, method,
        state; /* state: "live", "copying", "failed" */
    uint64_t read, applied, superseded, filtered, quarantined;
    uint64_t known; /* read again and known already: not loaded */
    uint64_t null_by_policy, bytes;
    int64_t first_read_at, last_read_at, took_us;
    uint64_t version;
    struct str error; /* why this stream did not finish */
    struct str since; /* it has no rows but the changes behind this place; or empty */
};

int state_job_start(struct state *s, struct str integration, int64_t *id,
                    struct error *err);
int state_job_end(struct state *s, int64_t id, enum job_outcome outcome,
                  const struct error *failure, struct error *err);
/* Which jobs: the newest `limit` of an integration, of all when it is empty. */
struct job_page {
    struct str integration;
    size_t limit;
};
/* Newest first. Marks jobs whose process is gone as died. */
int state_job_list(struct state *s, struct arena *a, const struct job_page *page,
                   struct job_row **out, size_t *count, struct error *err);

/* Insert or replace the row of one stream of a job. */
int state_report_save(struct state *s, int64_t job, const struct report_row *r,
                      struct error *err);
int state_report_list(struct state *s, struct arena *a, int64_t job,
                      struct report_row **out, size_t *count, struct error *err);

/* The job log: a log sink (base/log.h) whose ctx is a state_log. Bounded per job. */
struct state_log;
struct state_log *state_log_open(struct state *s, int64_t job);
void state_log_sink(void *ctx, const struct log_event *e);
/* Write what is buffered, so that a reader of the log, and a run that is killed, miss
 * nothing older than the last call. */
void state_log_flush(struct state_log *l);
void state_log_close(struct state_log *l); /* flushes */

struct log_row {
    int64_t id; /* grows; of use as log_page.after */
    int64_t at;
    enum log_level level;
    struct str text;
    struct str fields; /* JSON object */
};
/* Which events: the first `limit` of a job behind the one with the id `after`. */
struct log_page {
    int64_t job, after;
    size_t limit;
};
/* Oldest first. */
int state_log_list(struct state *s, struct arena *a, const struct log_page *page,
                   struct log_row **out, size_t *count, struct error *err);

/* Forget names, shapes, promotions and versions of a stream (table empty: of all). */
int state_stream_forget(struct state *s, const struct stream_name *of, struct error *err);

#endif
