/* src/sink/duckdb_internal.h
 *
 * What the files sink/duckdb*.c share: the open database, one statement at a time with
 * bound parameters, and DuckDB's error texts as our errors. Nobody else includes this.
 */
#ifndef SINK_DUCKDB_INTERNAL_H
#define SINK_DUCKDB_INTERNAL_H

#include "base/map.h"
#include "sink/duckdb.h"
#include "sink/duckdb_api.h"

/* Columns in order, with their types as DuckDB spells them. Zeroed but for the arena. */
struct column_list {
    struct arena *arena; /* borrowed; names and types live in it */
    struct str *names, *types;
    size_t count, capacity;
};

/* A stream of the manifest and its row of _tailrace.stream while an epoch is loaded. */
struct duckdb_stream {
    bool skipped; /* its copy failed before, or it left the log: rows of that version are
                     left out */
    bool staged;  /* its changes are in STAGE_TABLE */
    bool made;    /* changes: the table was made able to hold them in this epoch */
    bool acted;   /* what foreign keys did is among them: see duckdb_cascade.c */
    bool shaped;  /* shape() has been here in this epoch */
    struct column_list columns; /* of changes: their live table's; empty: not known */
    const struct stream_mark *before; /* its mark as the destination has it, or NULL */
    const struct stream_mark
        *clash; /* another stream that has the same target, or NULL */
    struct stream_mark
        *mark; /* one for all of the manifest's streams of a table: versions that end and
                  begin, a read and the sweep after it, in their order */
};

struct duckdb_sink {
    struct sink base; /* first: struct sink * is struct duckdb_sink * */
    struct duckdb_api api;
    duckdb_database db;
    duckdb_connection con;         /* the loading connection */
    char *path;                    /* owned */
    char *catalog;                 /* owned: what DuckDB calls the file */
    struct cancel *cancel;         /* borrowed */
    struct arena *epoch;           /* owned; NULL outside begin .. commit */
    const struct manifest *m;      /* borrowed while epoch != NULL */
    struct duckdb_stream *streams; /* in the manifest's order, in the arena */
    char destination_id[40];
    int64_t batched_at;
    int64_t sequence;     /* of the lane's mark before this epoch */
    uint64_t alters;      /* columns that were made or altered, ever */
    uint64_t direct_rows; /* changes of a stream up to which no table is made for them */
    bool
        failed; /* a statement of the open transaction failed: it must not be committed */
};

static inline struct duckdb_sink *duckdb_of(struct sink *s)
{
    return (struct duckdb_sink *)(void *)s;
}

/* Make the file's schemas those that a connection finds without saying where. */
int duckdb_use(struct duckdb_sink *s, struct error *err);

/* SQL text of ours; a table of MySQL has at most 4,096 columns, a name 64 characters. */
#define SQL_LIMIT ((size_t)4 << 20)

/* ---- errors (duckdb_error.c) ------------------------------------------------------ */

/* Fill err from DuckDB's message and fail. `doing` is the outer context. */
int duckdb_fail(struct error *err, const char *doing, duckdb_error_type type,
                const char *message);

/* Fill err for a file that could not be opened, and fail. */
int duckdb_fail_open(struct error *err, const char *path, const char *message);

/* ---- statements (duckdb_sql.c) ---------------------------------------------------- */

struct sql_param {
    enum { PARAM_TEXT = 0, PARAM_INT, PARAM_NULL } kind;
    struct str text;
    int64_t number;
};

#define SQL_TEXT(s) ((struct sql_param){ .kind = PARAM_TEXT, .text = (s) })
#define SQL_INT(i) ((struct sql_param){ .kind = PARAM_INT, .number = (int64_t)(i) })

/* One row; all columns of the statement are VARCHAR. Returns 0, 1 to stop, -1 on error.
 */
typedef int sql_row_fn(void *ctx, const struct str *cells, size_t count,
                       struct error *err);

/* "catalog"."schema"."table" in the schema of the open epoch. All three, since DuckDB
 * names the catalog after the file and refuses shop.orders in shop.duckdb as ambiguous.
 */
void sql_add_table(const struct duckdb_sink *s, struct buf *sql, struct str table);

struct key_list {
    struct str *names; /* in the epoch's arena, as is nullable */
    bool *nullable;
    size_t count;
};

/* alias."name"; of each column of the key, with commas; of each, "a.x = b.x" with AND. A
 * key that cannot be NULL is compared by =, which lets DuckDB leave out parts of a table
 * by their bounds. */
void sql_add_column(struct buf *sql, const char *alias, struct str name);
void sql_add_keys(struct buf *sql, const char *alias, const struct key_list *key);
void sql_add_same_key(struct buf *sql, const char *a, const char *b,
                      const struct key_list *key);

/* Run one statement without parameters or result. On failure s->failed is set. */
int sql_run(struct duckdb_sink *s, const char *sql, struct error *err);

/* Run the text of a buf and clear it; a text past its ceiling is an error. */
int sql_run_buf(struct duckdb_sink *s, struct buf *sql, struct error *err);

/* The same for a statement that changes rows: *changed is their number. */
int sql_change(struct duckdb_sink *s, struct buf *sql, uint64_t *changed,
               struct error *err);

/* Run a query whose one cell is a number as text, and clear it. */
int sql_number(struct duckdb_sink *s, struct buf *sql, uint64_t *out, struct error *err);

/* Where rows go. */
struct sql_into {
    sql_row_fn *row;
    void *ctx;
};
#define SQL_INTO(fn, context) (&(struct sql_into){ .row = (fn), .ctx = (context) })

/* Run one statement with parameters; into may be NULL. On failure s->failed is set. */
int sql_rows(struct duckdb_sink *s, const char *sql, const struct sql_param *params,
             size_t param_count, const struct sql_into *into, struct error *err);

/* Hand out the chunks of a result whose columns are all VARCHAR. 1: row said stop. */
int sql_hand_out(const struct duckdb_api *api, duckdb_result *result,
                 const struct sql_into *into, struct error *err);

/* ---- meta tables (duckdb_meta.c) -------------------------------------------------- */

/* Make the meta tables and the destination id where they are missing, and read the id.
 * Errors: ERR_CONFIG for tables of a newer format. */
int meta_prepare(struct duckdb_sink *s, struct error *err);

/* Marks of one integration, or of all when it is empty. */
int meta_read(struct duckdb_sink *s, struct arena *a, struct str integration,
              struct mark_list *out, struct error *err);

int meta_write_lane(struct duckdb_sink *s, const struct lane_mark *mark,
                    struct error *err);
/* `before` is what the destination has of it, or NULL: equal ones are not written. */
int meta_write_stream(struct duckdb_sink *s, const struct stream_mark *mark,
                      const struct stream_mark *before, struct error *err);

/* Marks of the integration's lanes and streams are no more. */
int meta_forget(struct duckdb_sink *s, struct str integration, struct error *err);

/* ---- streams of a manifest (duckdb_match.c) --------------------------------------- */

/* Fill s->streams from the integration's marks, which stay theirs. */
void duckdb_match_streams(struct duckdb_sink *s, struct mark_list *marks);

/* ---- tables of versions (duckdb_version.c) ---------------------------------------- */

struct duckdb_stream *version_stream(struct duckdb_sink *s,
                                     const struct manifest_stream *st);

/* The table that rows of the stream's version go to, in the epoch's arena.
 * Errors: ERR_SCHEMA when the version was never begun. */
int version_need_table(struct duckdb_sink *s, const struct manifest_stream *st,
                       struct str *out, struct error *err);

/* The live table that the stream adds to or changes is there, of the version that it was
 * read for. Errors: ERR_SCHEMA with a hint to reset. */
int version_need_live(struct duckdb_sink *s, const struct manifest_stream *st,
                      struct error *err);

/* Another stream has the name at the destination: ERR_SCHEMA. */
int version_check_clash(const struct duckdb_stream *ds, const struct manifest_stream *st,
                        struct error *err);

/* The hidden table of a copy, in the epoch's arena. */
struct str version_copy_name(struct duckdb_sink *s, struct str target, uint64_t version);

/* The unfinished or failed copy, if any, goes; mark says so. */
int version_drop_copy(struct duckdb_sink *s, struct stream_mark *mark, struct error *err);

/* The live table, if any, goes; mark says so. */
int version_drop_live(struct duckdb_sink *s, struct stream_mark *mark, struct error *err);

/* _sdc_rejected goes, and the schema too when nothing else is in it. */
int version_drop_schema(struct duckdb_sink *s, struct error *err);

int version_drop_table(struct duckdb_sink *s, struct str table, struct error *err);

/* A table of the epoch's schema; names compare by folded ASCII case. */
int version_table_exists(struct duckdb_sink *s, struct str table, bool *out,
                         struct error *err);

int version_shape(struct sink *base, const struct manifest_stream *st,
                  const struct table_schema *want, struct error *err);
int version_abandon(struct sink *base, const struct manifest_stream *st,
                    struct error *err);

/* sql_row_fn: the first cell as a number into a uint64_t. */
int version_number_row(void *ctx, const struct str *cells, size_t count,
                       struct error *err);

/* ---- columns of a table (duckdb_columns.c) ---------------------------------------- */

int columns_read(struct duckdb_sink *s, struct str table, struct column_list *out,
                 struct error *err);

/* The same of a table as SQL calls it, by its name alone: quick where there are thousands
 * of tables. Errors: ERR_SCHEMA when there is none. */
int columns_of(struct duckdb_sink *s, struct str sql_name, struct column_list *out,
               struct error *err);

/* The same of a table of the epoch's schema, as a rule without a statement. */
int columns_of_table(struct duckdb_sink *s, struct str table, struct column_list *out,
                     struct error *err);

/* By folded ASCII case; -1 when there is none. */
int columns_find(const struct column_list *list, struct str name);

/* Have a column of this name in the table that can hold the type: added at the end,
 * widened in place, or right already. Errors: ERR_SCHEMA when no type holds both. */
int columns_alter(struct duckdb_sink *s, struct str table, const struct column_list *have,
                  struct str name, struct str type, struct error *err);

/* The same for every column of a shape. */
int columns_fit(struct duckdb_sink *s, struct str table, const struct column_list *have,
                const struct table_schema *want, struct error *err);

/* Rename a column. */
int columns_rename(struct duckdb_sink *s, struct str table, struct str from,
                   struct str to, struct error *err);

/* ---- joins (duckdb_join.c, duckdb_merge.c) ---------------------------------------- */

/* Counts of joins that change the live table go to out. */
int join_stream(struct sink *base, const struct manifest_stream *st,
                struct load_stream *out, struct error *err);

/* The columns by which rows of a stream are the same row, as its table calls them. */
int merge_find_keys(struct duckdb_sink *s, const struct manifest_stream *st,
                    struct key_list *out, struct error *err);

/* Equal rows of a keyless table get keys of their own, but for the first. */
int join_number_equal_rows(struct duckdb_sink *s, struct str table, struct error *err);

/* The hidden table becomes the live one. */
int join_replace_live(struct duckdb_sink *s, const struct manifest_stream *st,
                      struct str staged, struct error *err);

/* What stands in the live table's place is ours, or nothing stands there. */
int join_check_place(struct duckdb_sink *s, const struct duckdb_stream *ds,
                     struct error *err);

/* The mark after a join; rows are counted. */
int join_finish(struct duckdb_sink *s, const struct manifest_stream *st,
                struct stream_mark *mark, struct error *err);

/* Rows of `staged` into the live table: ADD, MERGE, NEW and SWEEP. The stream has a live
 * table of the right version; staged stays. */
int merge_add(struct duckdb_sink *s, const struct manifest_stream *st, struct str staged,
              struct error *err);
int merge_changes(struct duckdb_sink *s, const struct manifest_stream *st,
                  struct str staged, struct load_stream *out, struct error *err);

/* ---- changes from the log (duckdb_change.c, duckdb_fold.c) ------------------------ */

/* Changes lie in a table with the columns of the one that they change, and these two: I,
 * U, D, or T for a truncation, which has no row; and a digit per column, 1 where the
 * change says nothing of it, or NULL. No source column's name begins with _sdc_. */
/* What a foreign key did is told by records that are no rows: X, the rows whose columns
 * have these values went; F and behind it G, those that had the values of F got those of
 * G. ABSENT_COLUMN has a 2 at these columns, 1 at others. */
#define CHANGE_COLUMN "_sdc_change"
#define ABSENT_COLUMN "_sdc_absent"

/* Where changes of a live table are gathered: temporary, so no log is written for it. */
#define STAGE_TABLE "_tailrace_stage"

/* Operations of sink/sink.h for streams with `changes`, and for copies that the log
 * follows. */
int change_prepare(struct sink *base, const struct manifest_stream *st,
                   struct error *err);
int change_shape(struct duckdb_sink *s, const struct manifest_stream *st,
                 const struct table_schema *want, struct error *err);
int change_load(struct duckdb_sink *s, const struct manifest_stream *st,
                struct str container, struct load_stream *out, struct error *err);
int change_apply(struct sink *base, const struct manifest_stream *st,
                 struct load_stream *out, struct error *err);
int change_join(struct duckdb_sink *s, const struct manifest_stream *st,
                struct load_stream *out, struct error *err);
int change_leave(struct sink *base, const struct manifest_stream *st, struct error *err);
int change_abandon(struct duckdb_sink *s, const struct manifest_stream *st,
                   struct error *err);

/* The stream of changes was left out of its epoch: it is parked. */
int change_fail(struct duckdb_sink *s, const struct manifest_stream *st, struct str why,
                struct error *err);

/* What is held goes, and later changes of that version are left out. */
int change_drop_held(struct duckdb_sink *s, struct stream_mark *mark, struct error *err);

/* A short segment of changes, the stream's only one, goes into its live table (in
 * duckdb_direct.c). 1: it did, counts are in out; 0: nothing was changed, the changes are
 * to be staged and folded. */
int direct_changes(struct duckdb_sink *s, const struct manifest_stream *st,
                   struct str container, struct load_stream *out, struct error *err);

/* Changes and the table that they change. */
struct fold {
    struct str into; /* the table's name in the epoch's schema */
    struct str from; /* the changes, as SQL calls their table; they are used up */
    bool acted;      /* what foreign keys did is among them */
    bool copied;     /* rows of `into` may be as of later than these changes */
};

/* What rows of the live table get before those of the epoch: st->fills (duckdb_fill.c).
 */
int fill_columns(struct duckdb_sink *s, const struct manifest_stream *st,
                 struct str table, struct error *err);

/* The changes of each key become one, and the table has them. Counts go to out. */
int fold_changes(struct duckdb_sink *s, const struct manifest_stream *st,
                 const struct fold *f, struct load_stream *out, struct error *err);

/* Of more rows than held_limit the last of each key stays, once that leaves half of them
 * or fewer: held changes take no more room than twice the keys or the limit. Streams that
 * keep every change, and those without a key, are left alone. */
int fold_held(struct duckdb_sink *s, const struct manifest_stream *st, struct str held,
              struct load_stream *out, struct error *err);
/* ---- what foreign keys did (duckdb_cascade.c) -------------------------------------- */

struct cascade {
    struct str from, into; /* as SQL calls them: the changes, and what they change */
    const struct column_list *columns; /* of the changes */
    const struct key_list *key;
    bool copied; /* see struct fold */
};

/* In place of the records X, F and G among the changes come changes of the rows that they
 * were about, with their numbers; *derived is how many. Errors: ERR_DATA where that
 * cannot be told. */
int cascade_derive(struct duckdb_sink *s, const struct cascade *c, uint64_t *derived,
                   struct error *err);

/* ---- rows (duckdb_append.c) ------------------------------------------------------- */

/* Append every row of a container to schema.table, or to the temporary STAGE_TABLE; *rows
 * is their number.
 * Errors: ERR_DATA with err->row; ERR_PROTOCOL for a damaged segment. */
int append_segment(struct duckdb_sink *s, const struct manifest_stream *st,
                   struct str table, struct str container, uint64_t *rows,
                   struct error *err);

/* Append those rows of a segment of changes to the stream's live table that keep says, by
 * their place. A row that was deleted tells what the stream's way of deleting leaves. */
int append_kept(struct duckdb_sink *s, const struct manifest_stream *st,
                struct str container, const bool *keep, struct error *err);

/* Append the records of a reject segment to _sdc_rejected. */
int append_rejects(struct duckdb_sink *s, struct str container, uint64_t *rows,
                   struct error *err);

/* ---- one cell (duckdb_cell.c) ----------------------------------------------------- */

/* A destination column while rows are appended. */
struct cell_column {
    duckdb_type type;     /* of the table */
    duckdb_type physical; /* DECIMAL: how it is stored */
    uint8_t scale, width; /* DECIMAL of the table */
    uint16_t value_scale; /* scale of the cells: a decimal's, else 0 */
    uint32_t array_size;  /* FLOAT[n] */
    bool borrows;         /* long texts stay where they are until the chunk is appended */
    duckdb_vector vector;
    void *data;
    uint64_t *validity;
};

/* Read what the table's column is made of. */
void cell_column_init(const struct duckdb_api *api, struct cell_column *c,
                      duckdb_logical_type type);

/* Take the vector's pointers; after every reset of the chunk. */
void cell_column_attach(const struct duckdb_api *api, struct cell_column *c,
                        duckdb_vector vector);

/* Store the cell. NULL, or why it does not fit: a static text. */
const char *cell_store(const struct duckdb_api *api, struct cell_column *c, idx_t row,
                       const struct value *v);

/* Decimal text of big-endian two's complement bytes; false past 65 digits. Appended to
 * out. */
bool cell_unscaled_text(struct str bytes, unsigned scale, struct buf *out);

/* ---- statements from people (duckdb_guard.c) -------------------------------------- */

/* What a lexical look at a statement tells. */
struct guard_look {
    struct str text;  /* without blanks, comments and ';' at its ends */
    struct str first; /* its first word */
    struct str bad;   /* a function that is refused, or empty */
};

void guard_look(struct str sql, struct guard_look *out);

#endif
