/* src/sync/options.h
 *
 * The settings of an integration, as one option table (config/option.h): what `sync`
 * takes as
 * --flags, what is stored with the integration, what docs/reference/options.md prints.
 *
 * Thread: any, once parsed.
 */
#ifndef SYNC_OPTIONS_H
#define SYNC_OPTIONS_H

#include "base/arena.h"
#include "base/error.h"
#include "config/option.h"
#include "sync/start.h"

#include <stdbool.h>
#include <stdint.h>

enum sync_method { METHOD_AUTO = 0, METHOD_FULL, METHOD_KEY, METHOD_LOG };
enum load_way { LOAD_MIRROR = 0, LOAD_APPEND };

/* See sync/policy.h. */
enum change_policy {
    POLICY_APPLY = 0,
    POLICY_RECOPY,
    POLICY_PARK,
    POLICY_FAIL,
    POLICY_IGNORE,
};

/* In the order of enum log_class. */
#define CHANGE_CLASSES 7u

/* How much a key-based read reads again where the order of keys is not proved; what a
 * person gave, where it is proved, too. */
struct look_back {
    int64_t us;    /* of a key that is a time */
    int64_t units; /* of an integer */
    bool us_given, units_given;
};

struct sync_options {
    const struct str *tables; /* patterns; none: all base tables */
    size_t table_count;
    const struct str *exclude;
    size_t exclude_count;
    const struct str *exclude_columns; /* patterns */
    size_t exclude_column_count;
    bool ignore_new_columns;
    enum sync_method method;
    struct str key;  /* key-based: the replication key where a table names none */
    struct str from; /* key-based: the first read starts here (>=) */
    struct look_back look_back; /* key-based */
    struct str where;           /* condition on the rows of every table */
    enum load_way load;
    bool sweep;                /* key-based: look for rows that are gone at the source */
    int deletes;               /* by log: enum delete_way */
    struct start_choice start; /* by log */
    int64_t handover_us;       /* by log: option handover_wait */
    enum change_policy on[CHANGE_CLASSES]; /* by log */
    unsigned copies_failed_most;           /* by log; 0: no limit */
    bool one_view;
    bool database_in_names; /* database__table always */
    bool always_int;        /* TINYINT(1) is an integer */
    bool prefix_digit;      /* leading_digit: prefix */
    int dates;              /* enum date_policy */
    bool replace_bad_text;
    int codec; /* enum avro_codec */
    unsigned source_connections;
    uint64_t source_rate;
    uint64_t source_busy;
    int64_t source_pause_us;
    uint64_t page_bytes;
    int64_t page_time_us;
    uint64_t row_limit;
    int64_t view_age_us;
    int64_t reconnect_us;
    uint64_t queue_bytes;
    uint64_t held_limit;
    uint64_t epoch_bytes;
    int64_t epoch_age_us;
    uint64_t spool_share;
    uint64_t disk_reserve;
    int64_t spool_keep_us;
    uint64_t quarantine_limit;
    int64_t resume_us;
    int64_t warehouse_idle_us;
};

/* "full": as in the option. */
const char *sync_method_name(enum sync_method m);

/* The table, ends with a zero entry. */
const struct option *sync_option_table(void);

/* From values by name (a JSON object's text as stored, or flags gathered by the CLI).
 * Lists of patterns are comma-separated. Texts live in the arena. Errors: ERR_CONFIG
 * naming the option. */
int sync_options_parse(struct arena *a, const struct option_values *v,
                       struct sync_options *out, struct error *err);

/* The settings of one table, an option table too: those above that make sense for one
 * table, and what only one can have. What is not set is the integration's. */
struct stream_options {
    enum sync_method method; /* METHOD_AUTO until method_resolve() */
    struct str key, from, where;
    struct look_back look_back;
    enum load_way load;
    bool sweep;
    int deletes;           /* enum delete_way */
    enum start_kind start; /* by log; NOW and PLACE: without its rows */
    enum change_policy on[CHANGE_CLASSES];
    const struct str *view_key; /* of a view: its declared key */
    size_t view_key_count;
};

const struct option *stream_option_table(void);

/* json: stream_setting.options; empty: nothing was set. Texts live in the arena, or where
 * those of the integration do. Errors: ERR_CONFIG naming the option; also for method key
 * without a key. */
int stream_options_parse(struct arena *a, struct str json,
                         const struct sync_options *integration,
                         struct stream_options *out, struct error *err);

/* What decides how a row is written, as a number: rows of one copy are all written by one
 * policy, so a copy under way goes on only while this and the shape stay the same. */
uint64_t sync_row_policy(const struct sync_options *o);

#endif
