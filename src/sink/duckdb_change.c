/* Streams that follow the log: which of their changes are wanted, where they wait, and
 * the joining of what was held to its copy. How changes become rows is in duckdb_fold.c.
 *
 * The lanes are loaded independently: the copy of a version belongs to lane "full", what
 * is held for it to lane "log", and the join takes both. */
#include "base/fault.h"
#include "sink/contract.h"
#include "sink/dialect.h"
#include "sink/duckdb_internal.h"

#define LIVE_HINT "Reset this table: the next run copies it anew."

static bool is_held(const struct manifest_stream *st)
{
    return st->held || (st->actions & ACTION_JOIN) != 0;
}

static struct str held_name(struct duckdb_sink *s, struct str target, uint64_t version)
{
    struct buf name;
    buf_init(&name, 4096);
    contract_held_name(&name, target, version);
    struct str out = arena_str(s->epoch, buf_str(&name));
    buf_done(&name);
    return out;
}

/* A table of the epoch's schema as SQL calls it, in the epoch's arena. */
static struct str sql_name(struct duckdb_sink *s, struct str table)
{
    struct buf name;
    buf_init(&name, 4096);
    sql_add_table(s, &name, table);
    struct str out = arena_str(s->epoch, buf_str(&name));
    buf_done(&name);
    return out;
}

static struct str held_table(struct duckdb_sink *s, const struct manifest_stream *st)
{
    return held_name(s, version_stream(s, st)->mark->target, st->version);
}

/* ---- what is held ----------------------------------------------------------------- */

int change_drop_held(struct duckdb_sink *s, struct stream_mark *mark, struct error *err)
{
    if (mark->held_version == 0)
        return 0;
    if (version_drop_table(s, held_name(s, mark->target, mark->held_version), err) != 0)
        return -1;
    if (mark->left_version < mark->held_version)
        mark->left_version = mark->held_version;
    mark->held_version = 0;
    mark->held_epoch = 0;
    return 0;
}

/* From here on changes of the version are held. Its copy may be there already. */
static int begin_holding(struct duckdb_sink *s, const struct manifest_stream *st,
                         struct error *err)
{
    struct duckdb_stream *ds = version_stream(s, st);
    struct stream_mark *mark = ds->mark;
    if (version_check_clash(ds, st, err) != 0 || change_drop_held(s, mark, err) != 0)
        return -1;
    if (mark->live_version == 0 && mark->state != STREAM_COPYING)
        mark->target = st->target;
    if (version_drop_table(s, held_table(s, st), err) != 0)
        return -1;
    mark->held_version = st->version;
    mark->held_epoch = s->m->number;
    if (mark->left_version == st->version)
        mark->left_version = 0;
    return 0;
}

static int make_held(struct duckdb_sink *s, const struct manifest_stream *st,
                     const struct table_schema *want, struct error *err)
{
    struct str name = sql_name(s, held_table(s, st));
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    buf_add_text(&sql, "CREATE TABLE ");
    buf_add_str(&sql, name);
    dialect_columns(&sql, SQL_DUCKDB, want, st->keyless);
    int rc = sql_run_buf(s, &sql, err);
    static const char *const own[] = { CHANGE_COLUMN, ABSENT_COLUMN };
    for (size_t i = 0; i < 2 && rc == 0; i++) {
        buf_add_text(&sql, "ALTER TABLE ");
        buf_add_str(&sql, name);
        buf_printf(&sql, " ADD COLUMN %s VARCHAR", own[i]);
        rc = sql_run_buf(s, &sql, err);
    }
    buf_done(&sql);
    FAULT("change.held");
    return rc;
}

/* The table was emptied while its copy was under way: nothing that was held before counts
 * any more, and at the join nothing of the copy. */
static int truncate_held(struct duckdb_sink *s, const struct manifest_stream *st,
                         struct load_stream *out, struct error *err)
{
    uint64_t emptied = 0;
    struct str held = sql_name(s, held_table(s, st));
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    buf_add_text(&sql, "DELETE FROM ");
    buf_add_str(&sql, held);
    buf_printf(&sql, " WHERE " CHANGE_COLUMN " <> 'T' AND _sdc_sequence < %lld",
               (long long)st->sequence);
    int rc = sql_change(s, &sql, &emptied, err);
    out->superseded += emptied;
    buf_add_text(&sql, "INSERT INTO ");
    buf_add_str(&sql, held);
    buf_printf(&sql, " (" CHANGE_COLUMN ", _sdc_sequence) VALUES ('T', %lld)",
               (long long)st->sequence);
    if (rc == 0)
        rc = sql_run_buf(s, &sql, err);
    buf_done(&sql);
    return rc;
}

/* ---- the live table --------------------------------------------------------------- */

static bool is_key(const struct key_list *key, struct str name)
{
    for (size_t i = 0; i < key->count; i++)
        if (str_ieq(key->names[i], name))
            return true;
    return false;
}

/* ", c = NULL" for each column of the source that is in no key. */
static int add_blanks(struct duckdb_sink *s, const struct manifest_stream *st,
                      struct str table, struct buf *sql, struct error *err)
{
    struct column_list have = { .arena = s->epoch };
    struct key_list key;
    if (merge_find_keys(s, st, &key, err) != 0 || columns_of(s, table, &have, err) != 0)
        return -1;
    for (size_t i = 0; i < have.count; i++) {
        if (is_key(&key, have.names[i]) ||
            contract_system_find(have.names[i]) != SYSTEM_COLUMN_COUNT)
            continue;
        buf_add_text(sql, ", ");
        dialect_quote_ident(sql, have.names[i]);
        buf_add_text(sql, " = NULL");
    }
    return 0;
}

/* Where every change is a row of its own, earlier ones stay, marked. */
static int truncate_live(struct duckdb_sink *s, const struct manifest_stream *st,
                         struct error *err)
{
    struct str live = sql_name(s, version_stream(s, st)->mark->target);
    int64_t at = st->truncated_at == 0 ? s->batched_at : st->truncated_at;
    struct buf sql;
    int rc = 0;
    buf_init(&sql, SQL_LIMIT);
    if (st->deletes == DELETE_REMOVE && !st->append) {
        buf_add_text(&sql, "DELETE FROM ");
        buf_add_str(&sql, live);
    } else {
        buf_add_text(&sql, "UPDATE ");
        buf_add_str(&sql, live);
        buf_printf(&sql, " SET _sdc_deleted_at = make_timestamptz(%lld)", (long long)at);
        if (!st->append) /* of several rows of a key the numbers tell the order */
            buf_printf(&sql, ", _sdc_sequence = %lld", (long long)st->sequence);
        if (st->deletes == DELETE_BLANK && !st->append)
            rc = add_blanks(s, st, live, &sql, err);
        buf_add_text(&sql, " WHERE _sdc_deleted_at IS NULL");
    }
    if (rc == 0)
        rc = sql_run_buf(s, &sql, err);
    buf_done(&sql);
    FAULT("change.truncated");
    return rc;
}

/* ---- which changes are wanted ----------------------------------------------------- */

static int not_expected(struct error *err, const struct manifest_stream *st,
                        const struct stream_mark *mark)
{
    (void)error_set(err, ERR_SCHEMA,
                    "changes of version %llu came, the destination has version %llu and "
                    "holds changes of %llu",
                    (unsigned long long)st->version,
                    (unsigned long long)mark->live_version,
                    (unsigned long long)mark->held_version);
    err->hint = LIVE_HINT;
    return -1;
}

/* Left out are changes of what left the log, and of versions that a newer one replaced.
 */
static int find_wanted(const struct manifest_stream *st, const struct stream_mark *mark,
                       bool *wanted, struct error *err)
{
    if (is_held(st)) {
        *wanted = st->version == mark->held_version;
        return *wanted || st->version <= mark->left_version ||
                       st->version <= mark->live_version ||
                       st->version < mark->held_version
                   ? 0
                   : not_expected(err, st, mark);
    }
    *wanted = st->version == mark->live_version && mark->live_state == STREAM_LIVE;
    return st->version <= mark->live_version ? 0 : not_expected(err, st, mark);
}

int change_prepare(struct sink *base, const struct manifest_stream *st, struct error *err)
{
    struct duckdb_sink *s = duckdb_of(base);
    struct duckdb_stream *ds = version_stream(s, st);
    bool wanted = false;
    if ((st->actions & ACTION_HOLD) != 0 && st->version > ds->mark->held_version &&
        st->version > ds->mark->live_version && begin_holding(s, st, err) != 0)
        return -1;
    if (find_wanted(st, ds->mark, &wanted, err) != 0)
        return -1;
    ds->skipped = !wanted;
    if (wanted && !is_held(st) && (st->actions & ACTION_TRUNCATE) != 0)
        return truncate_live(s, st, err);
    return 0;
}

int change_shape(struct duckdb_sink *s, const struct manifest_stream *st,
                 const struct table_schema *want, struct error *err)
{
    struct duckdb_stream *ds = version_stream(s, st);
    struct column_list have = { .arena = s->epoch };
    uint64_t alters = s->alters;
    struct str table = is_held(st) ? held_table(s, st) : ds->mark->target;
    bool first = !ds->made;
    bool begins = (st->actions & ACTION_HOLD) != 0 && first;
    ds->made = true;
    if (is_held(st) && begins && ds->mark->held_epoch == s->m->number)
        return make_held(s, st, want, err);
    if (columns_of_table(s, table, &have, err) != 0) {
        err->hint = LIVE_HINT;
        return error_wrap(err, "its table at the destination");
    }
    int rc = columns_fit(s, table, &have, want, err);
    if (rc == 0 && first)
        rc = fill_columns(s, st, table, err);
    ds->columns = s->alters == alters && !is_held(st) ? have : (struct column_list){ 0 };
    return rc;
}

/* ---- rows ------------------------------------------------------------------------- */

static int make_stage(struct duckdb_sink *s, struct str live, struct error *err)
{
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    buf_add_text(&sql, "CREATE TEMP TABLE " STAGE_TABLE
                       " AS SELECT *, NULL::VARCHAR AS " CHANGE_COLUMN
                       ", NULL::VARCHAR AS " ABSENT_COLUMN " FROM ");
    buf_add_str(&sql, live);
    buf_add_text(&sql, " LIMIT 0");
    int rc = sql_run_buf(s, &sql, err);
    buf_done(&sql);
    return rc;
}

int change_load(struct duckdb_sink *s, const struct manifest_stream *st,
                struct str container, struct load_stream *out, struct error *err)
{
    struct duckdb_stream *ds = version_stream(s, st);
    uint64_t rows = 0;
    if (is_held(st))
        return append_segment(s, st, held_table(s, st), container, &rows, err);
    int done = direct_changes(s, st, container, out, err);
    if (done != 0)
        return done < 0 ? -1 : 0;
    if (!ds->staged && make_stage(s, sql_name(s, ds->mark->target), err) != 0)
        return -1;
    ds->staged = true;
    return append_segment(s, st, STR(STAGE_TABLE), container, &rows, err);
}

int change_apply(struct sink *base, const struct manifest_stream *st,
                 struct load_stream *out, struct error *err)
{
    struct duckdb_sink *s = duckdb_of(base);
    struct duckdb_stream *ds = version_stream(s, st);
    if (ds->skipped)
        return 0;
    if (is_held(st)) {
        if ((st->actions & ACTION_TRUNCATE) != 0 && truncate_held(s, st, out, err) != 0)
            return -1;
        if ((st->actions & ACTION_JOIN) != 0)
            return 0;
        return fold_held(s, st, sql_name(s, held_table(s, st)), out, err);
    }
    if (!ds->staged)
        return 0;
    FAULT("change.staged");
    struct fold f = { .into = ds->mark->target,
                      .from = STR("temp.main." STAGE_TABLE),
                      .acted = ds->acted };
    ds->staged = false;
    if (fold_changes(s, st, &f, out, err) != 0)
        return -1;
    FAULT("change.applied");
    return sql_run(s, "DROP TABLE temp.main." STAGE_TABLE, err);
}

/* ---- the join --------------------------------------------------------------------- */

/* Both tables can hold what either has. */
static int align(struct duckdb_sink *s, struct str table, struct str other,
                 struct error *err)
{
    struct column_list have = { .arena = s->epoch }, want = { .arena = s->epoch };
    if (columns_of(s, sql_name(s, table), &have, err) != 0 ||
        columns_of(s, sql_name(s, other), &want, err) != 0)
        return -1;
    for (size_t i = 0; i < want.count; i++)
        if (!str_eq(want.names[i], STR(CHANGE_COLUMN)) &&
            !str_eq(want.names[i], STR(ABSENT_COLUMN)) &&
            columns_alter(s, table, &have, want.names[i], want.types[i], err) != 0)
            return -1;
    return 0;
}

/* The number of the last truncation behind the cut, or 0. */
static int last_truncation(struct duckdb_sink *s, const struct manifest_stream *st,
                           struct str held, uint64_t *out, struct error *err)
{
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    buf_add_text(&sql, "SELECT max(_sdc_sequence)::VARCHAR FROM ");
    buf_add_str(&sql, held);
    buf_printf(&sql, " WHERE " CHANGE_COLUMN " = 'T' AND _sdc_sequence > %lld",
               (long long)st->cut);
    int rc = sql_number(s, &sql, out, err);
    buf_done(&sql);
    return rc;
}

/* Take away what the copy has already, and what was emptied. */
static int cut_held(struct duckdb_sink *s, const struct manifest_stream *st,
                    const struct fold *f, struct load_stream *out, struct error *err)
{
    struct str copy = sql_name(s, f->into), held = f->from;
    uint64_t emptied = 0, gone = 0;
    struct buf sql;
    if (last_truncation(s, st, held, &emptied, err) != 0)
        return -1;
    int64_t cut = (int64_t)emptied > st->cut ? (int64_t)emptied : st->cut;
    int rc = 0;
    buf_init(&sql, SQL_LIMIT);
    if (emptied > 0) {
        buf_add_text(&sql, "DELETE FROM ");
        buf_add_str(&sql, copy);
        rc = sql_run_buf(s, &sql, err);
    }
    buf_add_text(&sql, "DELETE FROM ");
    buf_add_str(&sql, held);
    buf_printf(&sql,
               " WHERE " CHANGE_COLUMN " = 'T' OR (" CHANGE_COLUMN
               " IN ('X', 'F', 'G') AND _sdc_sequence <= %lld)",
               (long long)cut);
    if (rc == 0)
        rc = sql_run_buf(s, &sql, err);
    buf_add_text(&sql, "DELETE FROM ");
    buf_add_str(&sql, held);
    buf_printf(&sql, " WHERE _sdc_sequence <= %lld", (long long)cut);
    if (rc == 0 && cut != 0)
        rc = sql_change(s, &sql, &gone, err);
    if (emptied > 0)
        out->superseded += gone;
    else
        out->known += gone;
    buf_done(&sql);
    return rc;
}

static int check_whole(const struct manifest_stream *st, const struct stream_mark *mark,
                       struct error *err)
{
    if (mark->state == STREAM_COPYING && mark->copy_version == st->version &&
        mark->copy_join == JOIN_LOG && mark->copied)
        return 0;
    return error_set(err, ERR_SCHEMA,
                     "version %llu is to join what was held, and its copy is not whole",
                     (unsigned long long)st->version);
}

static int find_acted(struct duckdb_sink *s, struct str held, bool *out,
                      struct error *err)
{
    uint64_t count = 0;
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    buf_add_text(&sql, "SELECT count(*)::VARCHAR FROM ");
    buf_add_str(&sql, held);
    buf_add_text(&sql, " WHERE " CHANGE_COLUMN " IN ('X', 'F')");
    int rc = sql_number(s, &sql, &count, err);
    *out = count > 0;
    buf_done(&sql);
    return rc;
}

/* Rows change behind the swap, see join_replace_live(); where the copy goes behind the
 * rows of the live table it is not renamed. */
static int put_together(struct duckdb_sink *s, const struct manifest_stream *st,
                        struct str copy, struct load_stream *out, struct error *err)
{
    struct str target = version_stream(s, st)->mark->target;
    struct str held = held_table(s, st);
    bool behind = st->append && st->live_version != 0;
    struct fold f = { .into = behind ? copy : target,
                      .from = sql_name(s, held),
                      .copied = true };
    if ((!behind && join_replace_live(s, st, copy, err) != 0) ||
        (st->keyless && join_number_equal_rows(s, f.into, err) != 0) ||
        cut_held(s, st, &f, out, err) != 0 || find_acted(s, f.from, &f.acted, err) != 0 ||
        fold_changes(s, st, &f, out, err) != 0)
        return -1;
    FAULT("change.held_applied");
    if (behind &&
        (version_need_live(s, st, err) != 0 || merge_add(s, st, copy, err) != 0 ||
         version_drop_table(s, copy, err) != 0))
        return -1;
    return version_drop_table(s, held, err);
}

int change_join(struct duckdb_sink *s, const struct manifest_stream *st,
                struct load_stream *out, struct error *err)
{
    struct duckdb_stream *ds = version_stream(s, st);
    struct stream_mark *mark = ds->mark;
    if (ds->skipped)
        return 0;
    if (check_whole(st, mark, err) != 0 || join_check_place(s, ds, err) != 0)
        return -1;
    struct str copy = version_copy_name(s, mark->target, st->version);
    struct str held = held_table(s, st);
    if (align(s, copy, held, err) != 0 || align(s, held, copy, err) != 0 ||
        put_together(s, st, copy, out, err) != 0)
        return -1;
    FAULT("change.joined");
    mark->held_version = 0;
    mark->held_epoch = 0;
    return join_finish(s, st, mark, err);
}

/* ---- leaving ---------------------------------------------------------------------- */

static int leave(struct duckdb_sink *s, const struct manifest_stream *st,
                 enum stream_state state, struct str why, struct error *err)
{
    struct stream_mark *mark = version_stream(s, st)->mark;
    bool beside = mark->state == STREAM_COPYING || mark->state == STREAM_FAILED;
    if (mark->live_version == st->version && st->version != 0) {
        if (mark->live_state != STREAM_LIVE)
            return 0;
        mark->live_state = state;
        if (!beside)
            mark->state = state;
        mark->note = arena_str(s->epoch, why);
        return 0;
    }
    if (mark->held_version > st->version)
        return 0; /* a newer one is held already */
    if (st->version <= mark->left_version || st->version < mark->live_version)
        return 0;
    if (change_drop_held(s, mark, err) != 0)
        return -1;
    mark->left_version = st->version;
    mark->note = arena_str(s->epoch, why);
    if (mark->live_version == 0 && !beside)
        mark->state = state;
    return 0;
}

int change_leave(struct sink *base, const struct manifest_stream *st, struct error *err)
{
    struct duckdb_sink *s = duckdb_of(base);
    struct duckdb_stream *ds = version_stream(s, st);
    struct stream_mark *mark = ds->mark;
    if (ds->skipped)
        return 0;
    if ((st->actions & ACTION_COPIED) != 0) {
        if (mark->state == STREAM_COPYING && mark->copy_version == st->version)
            mark->copied = true;
        return 0;
    }
    return leave(s, st, (st->actions & ACTION_GONE) != 0 ? STREAM_GONE : STREAM_PARKED,
                 st->reason, err);
}

int change_fail(struct duckdb_sink *s, const struct manifest_stream *st, struct str why,
                struct error *err)
{
    return leave(s, st, STREAM_PARKED, why, err);
}

int change_abandon(struct duckdb_sink *s, const struct manifest_stream *st,
                   struct error *err)
{
    struct stream_mark *mark = version_stream(s, st)->mark;
    version_stream(s, st)->skipped = true;
    if (mark->held_version > st->version)
        return 0;
    if (change_drop_held(s, mark, err) != 0)
        return -1;
    if (mark->left_version < st->version && mark->live_version < st->version)
        mark->left_version = st->version;
    return 0;
}
