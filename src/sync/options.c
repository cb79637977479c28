/* The settings of an integration. See options.h. */
#include "sync/options.h"

#include "avro/container.h"
#include "avro/encode.h"
#include "spool/manifest.h"

#include <string.h>

#define KIB ((int64_t)1 << 10)
#define MIB ((int64_t)1 << 20)
#define GIB ((int64_t)1 << 30)
#define SECOND ((int64_t)1000 * 1000)
#define HOUR (3600 * SECOND)

/* What is read again by default where nothing proves the order of keys. */
#define LOOK_BACK_US (5 * 60 * SECOND)
#define LOOK_BACK_UNITS 1000
#define LOOK_BACK_UNITS_MAX INT64_C(1000000000000000)

static const char *const METHODS[] = { "auto", "full", "key", "log", NULL };
static const char *const LOADS[] = { "mirror", "append", NULL };
static const char *const DELETES[] = { "mark", "blank", "remove", NULL };
static const char *const STARTS[] = { "copy", "now", NULL };
static const char *const NEW_COLUMNS[] = { "select", "ignore", NULL };
static const char *const ON_CHANGE[] = { "apply", "recopy", "park", "fail", NULL };
static const char *const ON_LOSS[] = {
    "apply", "recopy", "park", "fail", "ignore", NULL
};
static const char *const ON_ROWS[] = { "recopy", "park", "fail", NULL };
static const char *const ON_GONE[] = { "apply", "park", "fail", NULL };
static const char *const DATES[] = { "null", "reject", "text", NULL };
static const char *const BAD_TEXT[] = { "reject", "replace", NULL };
static const char *const DIGITS[] = { "replace", "prefix", NULL };
static const char *const CODECS[] = { "null", "snappy", "zstandard", "deflate", NULL };

/* Said of all tables and of one. */
#define KEY_HELP                                                                        \
    "The column that method key goes by: one that only grows, as an AUTO_INCREMENT or " \
    "the time of the last change."
#define FROM_HELP                                                                      \
    "Where the first read by key starts: rows whose key is this or later are copied, " \
    "older ones never."
#define LOOK_BACK_HELP                                                                   \
    "How much is read again by each read by key where the order of keys is not proved: " \
    "without the PROCESS privilege, on a replica, with times that clients set."
#define WHERE_HELP                                                            \
    "Only rows that meet this condition, in the source's SQL: created_at >= " \
    "'2024-01-01'. The source must know it for every table that it is said of."
#define LOAD_HELP                                                                      \
    "How rows are loaded: mirror keeps one row for each key, as it is at the source; " \
    "append keeps every version of a row that was read."
#define DELETES_HELP                                                      \
    "Method log, a row that is deleted at the source: its row here gets " \
    "_sdc_deleted_at "                                                    \
    "and keeps its values (mark), loses all but its key (blank), or goes (remove)."
#define SWEEP_HELP                                                                     \
    "After each read by key, look for rows that are gone at the source and mark them " \
    "deleted. This reads the keys of the whole table."

/* What is done when a followed table changes. What would leave the copy wrong without a
 * word is no choice: an old name, an old type, rows that changed unseen. */
#define ON_OPTIONS(apply, recopy)                                                        \
    { "on_new_column",                                                                   \
      OPTION_CHOICE,                                                                     \
      apply,                                                                             \
      0,                                                                                 \
      0,                                                                                 \
      ON_LOSS,                                                                           \
      "Method log, a table got a new column: it is taken in place where the log proves " \
      "what older rows have in it, else the table is copied again (apply); it is "       \
      "copied "                                                                          \
      "again (recopy), left as it is until `tailrace resume` (park), or the run stops "  \
      "there (fail). ignore, with every method: the column is left out until it is "     \
      "selected." },                                                                     \
        { "on_dropped_column",                                                           \
          OPTION_CHOICE,                                                                 \
          apply,                                                                         \
          0,                                                                             \
          0,                                                                             \
          ON_CHANGE,                                                                     \
          "Method log, a column was dropped: as in on_new_column." },                    \
        { "on_renamed_column",                                                           \
          OPTION_CHOICE,                                                                 \
          apply,                                                                         \
          0,                                                                             \
          0,                                                                             \
          ON_CHANGE,                                                                     \
          "Method log, a column was renamed: as in on_new_column." },                    \
        { "on_changed_type",                                                             \
          OPTION_CHOICE,                                                                 \
          apply,                                                                         \
          0,                                                                             \
          0,                                                                             \
          ON_CHANGE,                                                                     \
          "Method log, a column was defined anew (MODIFY, CHANGE, CONVERT TO CHARACTER " \
          "SET): as in on_new_column." },                                                \
        { "on_unseen_rows",                                                              \
          OPTION_CHOICE,                                                                 \
          recopy,                                                                        \
          0,                                                                             \
          0,                                                                             \
          ON_ROWS,                                                                       \
          "Method log, rows may have changed without being in the log (partitions "      \
          "dropped or exchanged, a tablespace imported, statements, another table in "   \
          "its place): as in on_new_column." },                                          \
        { "on_truncate",                                                                 \
          OPTION_CHOICE,                                                                 \
          apply,                                                                         \
          0,                                                                             \
          0,                                                                             \
          ON_LOSS,                                                                       \
          "Method log, a table was truncated: its rows are deleted as option deletes "   \
          "says (apply); recopy, park and fail as in on_new_column; or they are kept "   \
          "(ignore), and status says that the copy is not what the source is." },        \
    {                                                                                    \
        "on_gone", OPTION_CHOICE, apply, 0, 0, ON_GONE,                                  \
            "Method log, a table was dropped or renamed: its copy stays, and a new "     \
            "table "                                                                     \
            "of that name takes its place (apply), or does so after `tailrace resume` "  \
            "only (park); or the run stops there (fail)."                                \
    }

static const struct option TABLE[] = {
    /* what is copied */
    { "tables", OPTION_TEXT, "", 0, 0, NULL,
      "Tables to copy: db.table patterns with * and ?, separated by commas; without a "
      "dot "
      "the table of every database. Empty means all tables; views only when named "
      "without * and ?." },
    { "exclude", OPTION_TEXT, "", 0, 0, NULL,
      "Tables to leave out, written as in tables." },
    { "exclude_columns", OPTION_TEXT, "", 0, 0, NULL,
      "Columns to leave out: column, table.column or db.table.column patterns with * and "
      "?, separated by commas. Key columns are always copied." },
    { "new_columns", OPTION_CHOICE, "select", 0, 0, NEW_COLUMNS,
      "A column that a copied table gets later: it joins by itself (select), or is left "
      "out until it is selected (ignore)." },
    { "method", OPTION_CHOICE, "auto", 0, 0, METHODS,
      "How tables are replicated: full copies each table whole in every run; key copies "
      "it once and from then on reads the rows whose key is new; log copies it once and "
      "from then on follows the binary log; auto chooses, and chooses full." },
    { "key", OPTION_TEXT, "", 0, 0, NULL, KEY_HELP },
    { "from", OPTION_TEXT, "", 0, 0, NULL, FROM_HELP },
    { "look_back", OPTION_DURATION, "", 0, 8760 * HOUR, NULL,
      LOOK_BACK_HELP " Where nothing is given it is 5min there; what is given holds "
                     "everywhere." },
    { "look_back_units", OPTION_INT, "", 0, LOOK_BACK_UNITS_MAX, NULL,
      "The same for keys that are integers; where nothing is given it is 1000." },
    { "where", OPTION_TEXT, "", 0, 0, NULL, WHERE_HELP },
    { "load", OPTION_CHOICE, "mirror", 0, 0, LOADS, LOAD_HELP },
    { "sweep", OPTION_BOOL, "no", 0, 0, NULL, SWEEP_HELP },
    { "deletes", OPTION_CHOICE, "mark", 0, 0, DELETES, DELETES_HELP },
    { "start", OPTION_TEXT, "copy", 0, 0, NULL,
      "Method log, with what a table begins: all its rows (copy), or none but the "
      "changes "
      "from now on (now), behind the transactions gtid:SET, behind position:FILE:OFFSET, "
      "or since time:2026-11-20T10:00:00Z. The last three say where an integration "
      "begins "
      "that follows nothing yet." },
    { "handover_wait", OPTION_DURATION, "60s", 0, HOUR, NULL,
      "Method log, MySQL without GTIDs and without the privilege to lock tables: how "
      "long "
      "to wait after a place in the log is noted, so that all that stands before it can "
      "be "
      "seen by the copy." },
    ON_OPTIONS("apply", "recopy"),
    { "copy_attempts", OPTION_INT, "3", 0, 1000000, NULL,
      "Method log: a table whose copies failed in so many runs in a row is parked, until "
      "`tailrace resume`; 0 means that each run copies it again." },
    { "one_view", OPTION_BOOL, "no", 0, 0, NULL,
      "Read each table in one consistent view on one connection: exact as of one moment, "
      "but not resumable and bounded by view_age_limit." },
    /* names and values */
    { "database_in_names", OPTION_BOOL, "no", 0, 0, NULL,
      "Name every destination table database__table." },
    { "leading_digit", OPTION_CHOICE, "replace", 0, 0, DIGITS,
      "A column name that starts with a digit: 4th becomes _th (replace) or _4th "
      "(prefix)." },
    { "tinyint_as_int", OPTION_BOOL, "no", 0, 0, NULL,
      "TINYINT(1) is always an integer, never a boolean." },
    { "dates", OPTION_CHOICE, "null", 0, 0, DATES,
      "Zero, partial and impossible dates become NULL and are counted (null), put the "
      "row "
      "into _sdc_rejected (reject), or become NULL beside a column COLUMN__text that "
      "keeps them (text)." },
    { "bad_text", OPTION_CHOICE, "reject", 0, 0, BAD_TEXT,
      "Stored bytes that are no character of their charset: put the row into "
      "_sdc_rejected (reject), or write U+FFFD and count it (replace)." },
    { "quarantine_limit", OPTION_INT, "10000", 0, 1000000000, NULL,
      "Rejected rows after which a table fails in a run." },
    /* how gently the source is read */
    { "source_connections", OPTION_INT, "2", 1, 64, NULL,
      "Connections that read at the same time. One more asks the source how it does." },
    { "source_rate", OPTION_BYTES, "0", 0, 0, NULL,
      "Bytes read from the source in a second, over all connections; 0 means no "
      "ceiling." },
    { "source_busy", OPTION_INT, "0", 0, 1000000, NULL,
      "Threads_running of the source above which reading slows down; 0 means twice the "
      "value at start, at least 16." },
    { "source_pause", OPTION_DURATION, "5s", 0, HOUR, NULL,
      "How long reading pauses when the source stays under strain." },
    { "page_bytes", OPTION_BYTES, "16MiB", 4 * KIB, GIB, NULL,
      "About how much one page of a table returns." },
    { "page_time", OPTION_DURATION, "2s", 10 * 1000, HOUR, NULL,
      "About how long the source may take for one page." },
    { "row_limit", OPTION_BYTES, "128MiB", KIB, GIB, NULL,
      "Longest row, encoded; a longer one goes to _sdc_rejected with its key and size." },
    { "view_age_limit", OPTION_DURATION, "1h", SECOND, 168 * HOUR, NULL,
      "A read view is given up when it has been open so long, since it keeps the source "
      "from purging old row versions." },
    { "reconnect_limit", OPTION_DURATION, "5min", 0, 24 * HOUR, NULL,
      "How long a lost source is called again before the run stops." },
    /* buffers and files */
    { "queue_bytes", OPTION_BYTES, "32MiB", MIB, GIB, NULL,
      "Encoded rows on their way from the readers to the spool." },
    { "codec", OPTION_CHOICE, "zstandard", 0, 0, CODECS,
      "Compression of the Avro files in the spool: null costs the least time and about "
      "twice the disk, zstandard little time and the least disk." },
    { "epoch_bytes", OPTION_BYTES, "64MiB", KIB, 16 * GIB, NULL,
      "Compressed size at which an epoch of a copy is captured and loaded; four times as "
      "many bytes of uncompressed rows end it too." },
    { "epoch_age", OPTION_DURATION, "30s", 100 * 1000, HOUR, NULL,
      "Age at which an epoch of a copy is captured whatever its size." },
    { "spool_share", OPTION_BYTES, "4GiB", MIB, INT64_MAX, NULL,
      "Captured and not yet loaded bytes of one lane; past it reading waits for the "
      "destination." },
    { "held_limit", OPTION_INT, "10000000", 1, INT64_MAX, NULL,
      "Method log: changes of a table that wait at the destination for its copy; of more "
      "only the last one of each key is kept. Not for tables without a key, nor with "
      "load=append." },
    { "disk_reserve", OPTION_BYTES, "256MiB", 0, 0, NULL,
      "Free bytes that the spool leaves on its file system; the run stops there." },
    { "spool_keep", OPTION_DURATION, "0", 0, 8760 * HOUR, NULL,
      "How long loaded epochs stay in the spool as an audit trail, within spool_share." },
    { "resume_limit", OPTION_DURATION, "24h", 0, 8760 * HOUR, NULL,
      "An unfinished copy that began longer ago starts over instead of going on." },
    { "warehouse_idle", OPTION_DURATION, "2s", 0, HOUR, NULL,
      "Time without work after which the DuckDB file is closed for other programs." },
    { 0 },
};

/* Without defaults: what is not set is the integration's. */
static const struct option STREAM_TABLE[] = {
    { "method", OPTION_CHOICE, "", 0, 0, METHODS,
      "How this table is replicated: full copies it whole in every run; key copies it "
      "once and from then on reads the rows whose key is new; log copies it once and "
      "from then on follows the binary log; auto chooses, and chooses full." },
    { "key", OPTION_TEXT, "", 0, 0, NULL, KEY_HELP },
    { "from", OPTION_TEXT, "", 0, 0, NULL, FROM_HELP },
    { "look_back", OPTION_DURATION, "", 0, 8760 * HOUR, NULL,
      LOOK_BACK_HELP " What is given holds where it is proved, too." },
    { "look_back_units", OPTION_INT, "", 0, LOOK_BACK_UNITS_MAX, NULL,
      "The same for a key that is an integer." },
    { "where", OPTION_TEXT, "", 0, 0, NULL, WHERE_HELP },
    { "load", OPTION_CHOICE, "", 0, 0, LOADS, LOAD_HELP },
    { "sweep", OPTION_BOOL, "", 0, 0, NULL, SWEEP_HELP },
    { "deletes", OPTION_CHOICE, "", 0, 0, DELETES, DELETES_HELP },
    ON_OPTIONS("", ""),
    { "start", OPTION_CHOICE, "", 0, 0, STARTS,
      "Method log, with what this table begins: all its rows (copy), or none but the "
      "changes from where the integration stands in the log (now)." },
    { "view_key", OPTION_TEXT, "", 0, 0, NULL,
      "The columns that are the key of this view, separated by commas: together unique "
      "and never NULL." },
    { 0 },
};

const char *sync_method_name(enum sync_method m)
{
    return METHODS[m];
}

const struct option *sync_option_table(void)
{
    return TABLE;
}

const struct option *stream_option_table(void)
{
    return STREAM_TABLE;
}

/* The parts of a comma-separated list. */
static const struct str *parts(struct arena *a, struct str list, size_t *count)
{
    size_t n = 1;
    for (size_t i = 0; i < list.len; i++)
        n += list.ptr[i] == ',' ? 1 : 0;
    struct str *out = ARENA_ARRAY(a, struct str, n);
    struct str rest = list;
    *count = 0;
    while (rest.len > 0) {
        struct str one = str_trim(str_cut(rest, ',', &rest));
        if (one.len > 0)
            out[(*count)++] = arena_str(a, one);
    }
    return out;
}

/* Choices are numbered in their own lists. */
static enum change_policy policy_at(const struct option *o, int64_t number)
{
    static const char *const ALL[] = { "apply", "recopy", "park", "fail", "ignore" };
    for (unsigned i = 0; i < sizeof ALL / sizeof *ALL; i++)
        if (str_eq(str_of(o->choices[number]), str_of(ALL[i])))
            return (enum change_policy)i;
    return POLICY_APPLY;
}

/* Those that are set; all: also those that are not. */
static void take_policies(const struct option_values *v, const struct option *table,
                          bool all, enum change_policy on[CHANGE_CLASSES])
{
    static const char *const NAMES[CHANGE_CLASSES] = {
        "on_new_column",  "on_dropped_column", "on_renamed_column", "on_changed_type",
        "on_unseen_rows", "on_truncate",       "on_gone",
    };
    for (unsigned i = 0; i < CHANGE_CLASSES; i++)
        if (all || option_is_set(v, NAMES[i]))
            on[i] = policy_at(option_find(table, str_of(NAMES[i])),
                              option_number(v, NAMES[i]));
}

static void take_look_back(const struct option_values *v, struct look_back *out)
{
    if (option_is_set(v, "look_back")) {
        out->us = option_number(v, "look_back");
        out->us_given = true;
    }
    if (option_is_set(v, "look_back_units")) {
        out->units = option_number(v, "look_back_units");
        out->units_given = true;
    }
}

static int take_start(struct arena *a, const struct option_values *v,
                      struct sync_options *out, struct error *err)
{
    if (start_parse(a, option_text(v, "start"), &out->start, err) != 0)
        return -1;
    if (out->start.kind == START_COPY || out->method == METHOD_AUTO ||
        out->method == METHOD_LOG)
        return 0;
    (void)error_set(err, ERR_CONFIG,
                    "option 'start': with method '%s' tables are copied whole",
                    sync_method_name(out->method));
    err->hint = "Only tables that follow the log (method auto or log) can begin "
                "without their rows.";
    return -1;
}

int sync_options_parse(struct arena *a, const struct option_values *v,
                       struct sync_options *out, struct error *err)
{
    *out = (struct sync_options){
        .method = (enum sync_method)option_number(v, "method"),
        .one_view = option_bool(v, "one_view"),
        .key = arena_str(a, str_trim(option_text(v, "key"))),
        .from = arena_str(a, str_trim(option_text(v, "from"))),
        .look_back = { .us = LOOK_BACK_US, .units = LOOK_BACK_UNITS },
        .where = arena_str(a, str_trim(option_text(v, "where"))),
        .load = (enum load_way)option_number(v, "load"),
        .sweep = option_bool(v, "sweep"),
        .deletes = (int)option_number(v, "deletes"),
        .handover_us = option_number(v, "handover_wait"),
        .copies_failed_most = (unsigned)option_number(v, "copy_attempts"),
        .ignore_new_columns = option_number(v, "new_columns") == 1,
        .database_in_names = option_bool(v, "database_in_names"),
        .always_int = option_bool(v, "tinyint_as_int"),
        .prefix_digit = option_number(v, "leading_digit") == 1,
        .dates = (int)option_number(v, "dates"),
        .replace_bad_text = option_number(v, "bad_text") == 1,
        .codec = (int)option_number(v, "codec"),
        .source_connections = (unsigned)option_number(v, "source_connections"),
        .source_rate = (uint64_t)option_number(v, "source_rate"),
        .source_busy = (uint64_t)option_number(v, "source_busy"),
        .source_pause_us = option_number(v, "source_pause"),
        .page_bytes = (uint64_t)option_number(v, "page_bytes"),
        .page_time_us = option_number(v, "page_time"),
        .row_limit = (uint64_t)option_number(v, "row_limit"),
        .view_age_us = option_number(v, "view_age_limit"),
        .reconnect_us = option_number(v, "reconnect_limit"),
        .queue_bytes = (uint64_t)option_number(v, "queue_bytes"),
        .held_limit = (uint64_t)option_number(v, "held_limit"),
        .epoch_bytes = (uint64_t)option_number(v, "epoch_bytes"),
        .epoch_age_us = option_number(v, "epoch_age"),
        .spool_share = (uint64_t)option_number(v, "spool_share"),
        .disk_reserve = (uint64_t)option_number(v, "disk_reserve"),
        .spool_keep_us = option_number(v, "spool_keep"),
        .quarantine_limit = (uint64_t)option_number(v, "quarantine_limit"),
        .resume_us = option_number(v, "resume_limit"),
        .warehouse_idle_us = option_number(v, "warehouse_idle"),
    };
    static_assert(CODEC_DEFLATE == 3 && DATE_TEXT == 2 && METHOD_KEY == 2 &&
                      METHOD_LOG == 3 && DELETE_REMOVE == 2 && LOAD_APPEND == 1,
                  "choices are in the enum's order");
    take_look_back(v, &out->look_back);
    take_policies(v, TABLE, true, out->on);
    if (take_start(a, v, out, err) != 0)
        return -1;
    out->tables = parts(a, option_text(v, "tables"), &out->table_count);
    out->exclude = parts(a, option_text(v, "exclude"), &out->exclude_count);
    out->exclude_columns =
        parts(a, option_text(v, "exclude_columns"), &out->exclude_column_count);
    if (out->spool_share < out->epoch_bytes)
        return error_set(err, ERR_CONFIG,
                         "option 'spool_share' is smaller than 'epoch_bytes'");
    return 0;
}

/* --- one table ------------------------------------------------------------------------
 */

static void take_text(struct arena *a, const struct option_values *v, const char *name,
                      struct str *out)
{
    struct str text = str_trim(option_text(v, name));
    if (text.len > 0)
        *out = arena_str(a, text);
}

static int resolve(struct arena *a, const struct option_values *v,
                   struct stream_options *out, struct error *err)
{
    if (option_is_set(v, "method"))
        out->method = (enum sync_method)option_number(v, "method");
    if (option_is_set(v, "load"))
        out->load = (enum load_way)option_number(v, "load");
    if (option_is_set(v, "sweep"))
        out->sweep = option_bool(v, "sweep");
    if (option_is_set(v, "deletes"))
        out->deletes = (int)option_number(v, "deletes");
    take_policies(v, STREAM_TABLE, false, out->on);
    if (option_is_set(v, "start"))
        out->start = (enum start_kind)option_number(v, "start");
    else if (out->method == METHOD_FULL || out->method == METHOD_KEY)
        out->start = START_COPY; /* what is said of this table counts */
    take_text(a, v, "key", &out->key);
    take_text(a, v, "from", &out->from);
    take_text(a, v, "where", &out->where);
    take_look_back(v, &out->look_back);
    out->view_key = parts(a, option_text(v, "view_key"), &out->view_key_count);
    if (out->method != METHOD_KEY || out->key.len > 0)
        return 0;
    (void)error_set(err, ERR_CONFIG,
                    "option 'method' is 'key', and no option 'key' names the column");
    err->hint = "Give 'key' a column that only grows, as the time of the last change.";
    return -1;
}

int stream_options_parse(struct arena *a, struct str json,
                         const struct sync_options *integration,
                         struct stream_options *out, struct error *err)
{
    struct option_values *v = option_values_new(STREAM_TABLE);
    *out = (struct stream_options){ .method = integration->method,
                                    .key = integration->key,
                                    .from = integration->from,
                                    .where = integration->where,
                                    .look_back = integration->look_back,
                                    .load = integration->load,
                                    .sweep = integration->sweep,
                                    .deletes = integration->deletes,
                                    .start = integration->start.kind };
    memcpy(out->on, integration->on, sizeof out->on);
    int rc = json.len == 0 ? 0 : option_set_json(v, json, err);
    if (rc == 0)
        rc = resolve(a, v, out, err);
    option_values_free(v);
    return rc;
}

uint64_t sync_row_policy(const struct sync_options *o)
{
    uint64_t choice = (uint64_t)o->dates * 2 + (o->replace_bad_text ? 1 : 0);
    return choice * UINT64_C(0x9e3779b97f4a7c15); /* spread, to be mixed with a hash */
}
