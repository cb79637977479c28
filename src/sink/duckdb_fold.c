/* Changes become rows: per key the last change wins, columns that it does not tell come
 * from those before it, then from the row that is there; then the rows of these keys go
 * from the table and the new ones come (docs/decisions/0008).
 *
 * MERGE whose only branch deletes and an INSERT, no MERGE that updates: of 10 million
 * rows 1,000 anywhere take 60 ms and commit in 10, where an update in place commits in
 * seconds since it writes whole columns of every row group that it touches. */
#include "base/fault.h"
#include "sink/contract.h"
#include "sink/dialect.h"
#include "sink/duckdb_internal.h"

#define LIVE_HINT "Reset this table: the next run copies it anew."

#define FOLD_TABLE "temp.main._tailrace_fold"
#define NET_TABLE "temp.main._tailrace_net"
#define PICK_TABLE "temp.main._tailrace_pick"
#define DERIVED_TABLE "temp.main._tailrace_derived"

/* One fold while it is made. Names live in the epoch's arena. */
struct folding {
    struct duckdb_sink *s;
    const struct manifest_stream *st;
    const struct fold *f;
    struct column_list from; /* of the changes */
    struct column_list have; /* of the table */
    struct key_list key;
    uint64_t rows, keys, numbers, partial, deletions;
    uint64_t acted;   /* records of what foreign keys did */
    uint64_t derived; /* changes that were made of them */
    struct buf sql;   /* one statement at a time */
};

/* ---- pieces of statements --------------------------------------------------------- */

static void add(struct folding *g, const char *text)
{
    buf_add_text(&g->sql, text);
}

static void add_from(struct folding *g)
{
    buf_add_str(&g->sql, g->f->from);
}

static void add_into(struct folding *g)
{
    sql_add_table(g->s, &g->sql, g->f->into);
}

static bool is_own(struct str name)
{
    return str_eq(name, STR(CHANGE_COLUMN)) || str_eq(name, STR(ABSENT_COLUMN));
}

/* A column of the source that is in no key: one that a change may not tell. */
static bool is_value(const struct folding *g, size_t i)
{
    struct str name = g->from.names[i];
    if (is_own(name) || contract_system_find(name) != SYSTEM_COLUMN_COUNT)
        return false;
    for (size_t k = 0; k < g->key.count; k++)
        if (str_ieq(g->key.names[k], name))
            return false;
    return true;
}

/* "substr(x._sdc_absent, n, 1) = '1'" */
static void add_absent(struct folding *g, const char *alias, size_t column)
{
    buf_printf(&g->sql, "substr(%s." ABSENT_COLUMN ", %zu, 1) = '1'", alias, column + 1);
}

static int run(struct folding *g, struct error *err)
{
    return sql_run_buf(g->s, &g->sql, err);
}

/* ---- what there is ---------------------------------------------------------------- */

/* The table still has what this program put there. */
static int check_table(const struct folding *g, struct error *err)
{
    struct str missing = { 0 };
    unsigned first = g->st->keyless ? SYSTEM_PRIMARY_KEY : SYSTEM_EXTRACTED_AT;
    for (unsigned i = first; i < SYSTEM_COLUMN_COUNT; i++) {
        struct str name = str_of(contract_system_name((enum system_column)i));
        if (columns_find(&g->have, name) < 0)
            missing = name;
    }
    for (size_t i = 0; i < g->key.count; i++)
        if (columns_find(&g->have, g->key.names[i]) < 0)
            missing = g->key.names[i];
    if (missing.len == 0)
        return 0;
    (void)error_set(err, ERR_SCHEMA,
                    "the live table has no column '" STR_FMT "' any more",
                    STR_ARG(missing));
    err->hint = LIVE_HINT;
    return -1;
}

static int take_counts(void *ctx, const struct str *cells, size_t count,
                       struct error *err)
{
    struct folding *g = ctx;
    uint64_t *to[] = { &g->rows,    &g->keys,      &g->numbers,
                       &g->partial, &g->deletions, &g->acted };
    (void)err;
    for (size_t i = 0; i < count && i < sizeof(to) / sizeof(to[0]); i++)
        if (cells[i].ptr != NULL)
            (void)str_to_u64(cells[i], to[i]);
    return 0;
}

static int count_changes(struct folding *g, struct error *err)
{
    add(g, "SELECT count(*)::VARCHAR, (SELECT count(*)::VARCHAR FROM (SELECT DISTINCT ");
    sql_add_keys(&g->sql, "k", &g->key);
    add(g, " FROM ");
    add_from(g);
    add(g,
        " AS k)), count(DISTINCT _sdc_sequence)::VARCHAR, "
        "count(" ABSENT_COLUMN ")::VARCHAR, "
        "(count(*) FILTER (WHERE " CHANGE_COLUMN " = 'D'))::VARCHAR, "
        "(count(*) FILTER (WHERE " CHANGE_COLUMN " IN ('X', 'F', 'G')))::VARCHAR FROM ");
    add_from(g);
    int rc = buf_check(&g->sql, "SQL text", err);
    if (rc == 0)
        rc = sql_rows(g->s, buf_text(&g->sql), NULL, 0, SQL_INTO(take_counts, g), err);
    buf_clear(&g->sql);
    if (rc != 0 || g->numbers == g->rows || g->derived > 0)
        return rc;
    return error_set(err, ERR_PROTOCOL,
                     "%llu changes carry %llu numbers, so nobody knows which of a key is "
                     "the later one",
                     (unsigned long long)g->rows, (unsigned long long)g->numbers);
}

/* ---- columns that a change does not tell ------------------------------------------ */

/* DuckDB 1.5 has no CASE over arrays of a fixed length: they are lists meanwhile. */
static bool is_array(struct str type)
{
    return str_ends(type, STR("]")) && !str_ends(type, STR("[]"));
}

static void add_as_list(struct folding *g, const char *alias, size_t i)
{
    struct str rest = { 0 };
    if (!is_array(g->from.types[i])) {
        sql_add_column(&g->sql, alias, g->from.names[i]);
        return;
    }
    add(g, "CAST(");
    sql_add_column(&g->sql, alias, g->from.names[i]);
    add(g, " AS ");
    buf_add_str(&g->sql, str_cut(g->from.types[i], '[', &rest));
    add(g, "[])");
}

/* Around what was made of it. */
static void begin_cast(struct folding *g, size_t i)
{
    add(g, is_array(g->from.types[i]) ? "CAST(" : "");
}

static void end_cast(struct folding *g, size_t i)
{
    if (!is_array(g->from.types[i]))
        return;
    add(g, " AS ");
    buf_add_str(&g->sql, g->from.types[i]);
    add(g, ")");
}

/* The rows of FOLD_TABLE take the place of the changes. */
static int take_folded(struct folding *g, struct error *err)
{
    add(g, "DELETE FROM ");
    add_from(g);
    if (run(g, err) != 0)
        return -1;
    add(g, "INSERT INTO ");
    add_from(g);
    add(g, " BY NAME SELECT * FROM " FOLD_TABLE);
    return run(g, err) != 0 ? -1 : sql_run(g->s, "DROP TABLE " FOLD_TABLE, err);
}

/* From the changes of the same key before it. A struct around each value tells a NULL
 * that is told from one that is not. */
static int fill_from_earlier(struct folding *g, struct error *err)
{
    add(g, "CREATE TEMP TABLE _tailrace_fold AS SELECT ");
    for (size_t i = 0; i < g->from.count; i++) {
        if (str_eq(g->from.names[i], STR(ABSENT_COLUMN)))
            continue;
        if (is_value(g, i)) {
            begin_cast(g, i);
            buf_printf(&g->sql, "_sdc_w%zu.v", i);
            end_cast(g, i);
            add(g, " AS ");
        }
        dialect_quote_ident(&g->sql, g->from.names[i]);
        add(g, ", ");
    }
    add(g, "nullif(concat(");
    for (size_t i = 0; i < g->from.count; i++) {
        add(g, i == 0 ? "" : ", ");
        if (is_value(g, i))
            buf_printf(&g->sql, "CASE WHEN _sdc_w%zu IS NULL THEN '1' ELSE '0' END", i);
        else
            add(g, "'0'");
    }
    buf_printf(&g->sql, "), repeat('0', %zu)) AS " ABSENT_COLUMN " FROM (SELECT d.*",
               g->from.count);
    for (size_t i = 0; i < g->from.count; i++) {
        if (!is_value(g, i))
            continue;
        add(g, ", last_value(CASE WHEN ");
        add_absent(g, "d", i);
        add(g, " THEN NULL ELSE struct_pack(v := ");
        add_as_list(g, "d", i);
        buf_printf(&g->sql, ") END IGNORE NULLS) OVER w AS _sdc_w%zu", i);
    }
    add(g, " FROM ");
    add_from(g);
    add(g, " AS d WINDOW w AS (PARTITION BY ");
    sql_add_keys(&g->sql, "d", &g->key);
    add(g, " ORDER BY d._sdc_sequence ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT "
           "ROW))");
    return run(g, err) != 0 ? -1 : take_folded(g, err);
}

/* "(the rows of the table that are not deleted, of several the newest) AS l" */
static void add_present(struct folding *g)
{
    add(g, "(SELECT t.* FROM ");
    add_into(g);
    add(g, " AS t");
    if (g->st->append) {
        add(g, " JOIN (SELECT ");
        sql_add_keys(&g->sql, "o", &g->key);
        add(g, ", max(o._sdc_sequence) AS _sdc_sequence FROM ");
        add_into(g);
        add(g, " AS o SEMI JOIN ");
        add_from(g);
        add(g, " AS d ON ");
        sql_add_same_key(&g->sql, "o", "d", &g->key);
        add(g, " GROUP BY ");
        sql_add_keys(&g->sql, "o", &g->key);
        add(g, ") AS n ON t._sdc_sequence = n._sdc_sequence AND ");
        sql_add_same_key(&g->sql, "t", "n", &g->key);
    }
    add(g, " WHERE t._sdc_deleted_at IS NULL) AS l");
}

static int fill_from_table(struct folding *g, struct error *err)
{
    const char *comma = "";
    add(g, "UPDATE ");
    add_from(g);
    add(g, " AS s SET ");
    for (size_t i = 0; i < g->from.count; i++) {
        if (!is_value(g, i) || columns_find(&g->have, g->from.names[i]) < 0)
            continue;
        add(g, comma);
        dialect_quote_ident(&g->sql, g->from.names[i]);
        add(g, " = ");
        begin_cast(g, i);
        add(g, "CASE WHEN ");
        add_absent(g, "s", i);
        add(g, " THEN ");
        add_as_list(g, "l", i);
        add(g, " ELSE ");
        add_as_list(g, "s", i);
        add(g, " END");
        end_cast(g, i);
        comma = ", ";
    }
    add(g, comma);
    add(g, ABSENT_COLUMN " = NULL FROM ");
    add_present(g);
    add(g, " WHERE s." ABSENT_COLUMN " IS NOT NULL AND ");
    sql_add_same_key(&g->sql, "s", "l", &g->key);
    return run(g, err);
}

/* A deletion of a row that nobody has leaves nothing; a change of one cannot be made. */
static int check_filled(struct folding *g, struct error *err)
{
    uint64_t left = 0;
    add(g, "DELETE FROM ");
    add_from(g);
    add(g, " WHERE " ABSENT_COLUMN " IS NOT NULL AND " CHANGE_COLUMN " = 'D'");
    if (run(g, err) != 0)
        return -1;
    add(g, "SELECT count(*)::VARCHAR FROM ");
    add_from(g);
    add(g, " WHERE " ABSENT_COLUMN " IS NOT NULL");
    if (sql_number(g->s, &g->sql, &left, err) != 0 || left == 0)
        return left == 0 ? 0 : -1;
    return error_set(err, ERR_DATA,
                     "%llu changes tell some columns of rows that the destination does "
                     "not have",
                     (unsigned long long)left);
}

/* ---- one change per key ----------------------------------------------------------- */

static int keep_last(struct folding *g, struct error *err)
{
    if (g->st->append || g->keys == g->rows)
        return 0;
    add(g, "DELETE FROM ");
    add_from(g);
    if (g->derived > 0) { /* rows of several keys that one foreign key changed have its
                             number */
        add(g, " WHERE rowid NOT IN (SELECT arg_max(d.rowid, d._sdc_sequence) FROM ");
        add_from(g);
        add(g, " AS d GROUP BY ");
        sql_add_keys(&g->sql, "d", &g->key);
        add(g, ")");
        return run(g, err);
    }
    add(g, " WHERE _sdc_sequence NOT IN (SELECT max(d._sdc_sequence) FROM ");
    add_from(g);
    add(g, " AS d GROUP BY ");
    sql_add_keys(&g->sql, "d", &g->key);
    add(g, ")");
    return run(g, err);
}

/* Deletions tell what they leave: of a blanked row nothing but the key, of one that goes
 * nothing at all. */
static int blank_deleted(struct folding *g, struct error *err)
{
    bool goes = g->st->deletes == DELETE_REMOVE && !g->st->append;
    if (g->deletions == 0 || (g->st->deletes != DELETE_BLANK && !goes))
        return 0;
    add(g, "UPDATE ");
    add_from(g);
    add(g, " SET " ABSENT_COLUMN " = NULL");
    for (size_t i = 0; i < g->from.count; i++) {
        if (goes || !is_value(g, i))
            continue;
        add(g, ", ");
        dialect_quote_ident(&g->sql, g->from.names[i]);
        add(g, " = NULL");
    }
    add(g, " WHERE " CHANGE_COLUMN " = 'D'");
    return run(g, err);
}

static int fold_keyed(struct folding *g, struct error *err)
{
    if (g->partial > 0 && g->keys < g->rows && fill_from_earlier(g, err) != 0)
        return -1;
    if (keep_last(g, err) != 0 || blank_deleted(g, err) != 0)
        return -1;
    if (g->partial == 0)
        return 0;
    return fill_from_table(g, err) != 0 ? -1 : check_filled(g, err);
}

/* ---- keyless rows ----------------------------------------------------------------- */

/* The key of the n-th of equal rows by that of the first: contract_row_key_nth(). */
static void add_nth_key(struct folding *g, const char *first, const char *n)
{
    buf_printf(&g->sql,
               "CASE WHEN %s = 1 THEN %s ELSE CAST(CAST(substr(sha256(unhex(replace(%s, "
               "'-', '')) || unhex(printf('%%016x', %s))), 1, 32) AS UUID) AS VARCHAR) "
               "END",
               n, first, first, n);
}

/* How many rows of each content come or go: within an epoch their order says nothing. */
static int make_net(struct folding *g, struct error *err)
{
    add(g, "CREATE TEMP TABLE _tailrace_net AS SELECT __sdc_primary_key AS h, "
           "sum(CASE WHEN " CHANGE_COLUMN " = 'D' THEN -1 ELSE 1 END)::BIGINT AS net, "
           "0::BIGINT AS live, false AS done FROM ");
    add_from(g);
    add(g, " GROUP BY 1 HAVING sum(CASE WHEN " CHANGE_COLUMN
           " = 'D' THEN -1 ELSE 1 END) <> 0");
    return run(g, err);
}

/* Equal rows are numbered from 1 without gaps as far as they are not deleted: the first
 * number that is not there is the end. */
static int count_equal(struct folding *g, struct error *err)
{
    uint64_t from = 1, left = 1;
    for (uint64_t width = 8; left > 0; from += width, width *= 8) {
        uint64_t end = from + width;
        add(g, "UPDATE " NET_TABLE " AS n SET live = n.live + x.c FROM (SELECT c.h, "
               "count(*) AS c FROM (SELECT b.h, ");
        add_nth_key(g, "b.h", "r.i");
        buf_printf(&g->sql,
                   " AS k FROM " NET_TABLE " AS b, range(%llu, %llu) AS r(i) WHERE NOT "
                   "b.done) AS c JOIN ",
                   (unsigned long long)from, (unsigned long long)end);
        add_into(g);
        add(g, " AS l ON l.__sdc_primary_key = c.k WHERE l._sdc_deleted_at IS NULL GROUP "
               "BY c.h) AS x WHERE n.h = x.h");
        if (run(g, err) != 0)
            return -1;
        buf_printf(&g->sql, "UPDATE " NET_TABLE " SET done = true WHERE live < %llu",
                   (unsigned long long)(from + width - 1));
        if (run(g, err) != 0)
            return -1;
        add(g, "SELECT count(*)::VARCHAR FROM " NET_TABLE " WHERE NOT done");
        if (sql_number(g->s, &g->sql, &left, err) != 0)
            return -1;
    }
    return 0;
}

static int check_net(struct folding *g, struct error *err)
{
    uint64_t wrong = 0;
    add(g, "SELECT count(*)::VARCHAR FROM " NET_TABLE " WHERE live + net < 0");
    if (sql_number(g->s, &g->sql, &wrong, err) != 0 || wrong == 0)
        return wrong == 0 ? 0 : -1;
    return error_set(err, ERR_DATA,
                     "the log deletes %llu rows without a key that the destination does "
                     "not have",
                     (unsigned long long)wrong);
}

/* Of each content the last changes are kept, as many as come or go, and get the numbers
 * behind the rows that stay. */
static int pick_net(struct folding *g, struct error *err)
{
    add(g, "CREATE TEMP TABLE _tailrace_pick AS SELECT d.q, ");
    add_nth_key(g, "n.h",
                "(CASE WHEN n.net > 0 THEN n.live + n.net ELSE n.live END - d.i + 1)");
    add(g, " AS k FROM (SELECT _sdc_sequence AS q, __sdc_primary_key AS h, "
           "(" CHANGE_COLUMN " = 'D') AS gone, row_number() OVER (PARTITION BY "
           "__sdc_primary_key, (" CHANGE_COLUMN " = 'D') ORDER BY _sdc_sequence DESC) AS "
           "i FROM ");
    add_from(g);
    add(g, ") AS d JOIN " NET_TABLE " AS n ON n.h = d.h AND d.gone = (n.net < 0) AND "
           "d.i <= abs(n.net)");
    if (run(g, err) != 0)
        return -1;
    add(g, "DELETE FROM ");
    add_from(g);
    add(g, " WHERE _sdc_sequence NOT IN (SELECT q FROM " PICK_TABLE ")");
    if (run(g, err) != 0)
        return -1;
    add(g, "UPDATE ");
    add_from(g);
    add(g, " AS s SET __sdc_primary_key = p.k FROM " PICK_TABLE
           " AS p WHERE p.q = s._sdc_sequence");
    return run(g, err) != 0 || sql_run(g->s, "DROP TABLE " PICK_TABLE, err) != 0
               ? -1
               : sql_run(g->s, "DROP TABLE " NET_TABLE, err);
}

static int fold_keyless(struct folding *g, struct error *err)
{
    if (g->st->append)
        return 0;
    if (make_net(g, err) != 0 || count_equal(g, err) != 0 || check_net(g, err) != 0 ||
        pick_net(g, err) != 0)
        return -1;
    return blank_deleted(g, err);
}

/* ---- into the table --------------------------------------------------------------- */

static void add_names(struct folding *g, const char *alias)
{
    const char *comma = "";
    for (size_t i = 0; i < g->from.count; i++) {
        if (is_own(g->from.names[i]))
            continue;
        add(g, comma);
        if (alias != NULL)
            sql_add_column(&g->sql, alias, g->from.names[i]);
        else
            dialect_quote_ident(&g->sql, g->from.names[i]);
        comma = ", ";
    }
}

static int put_rows(struct folding *g, struct error *err)
{
    if (!g->st->append) {
        add(g, "MERGE INTO ");
        add_into(g);
        add(g, " AS l USING (SELECT ");
        sql_add_keys(&g->sql, "d", &g->key);
        add(g, " FROM ");
        add_from(g);
        add(g, " AS d) AS s ON ");
        sql_add_same_key(&g->sql, "l", "s", &g->key);
        add(g, " WHEN MATCHED THEN DELETE");
        if (run(g, err) != 0)
            return -1;
        FAULT("change.deleted");
    }
    add(g, "INSERT INTO ");
    add_into(g);
    add(g, " (");
    add_names(g, NULL);
    add(g, ") SELECT ");
    add_names(g, "d");
    add(g, " FROM ");
    add_from(g);
    add(g, " AS d");
    if (g->st->deletes == DELETE_REMOVE && !g->st->append)
        add(g, " WHERE d." CHANGE_COLUMN " <> 'D'");
    return run(g, err);
}

/* What foreign keys did becomes changes of rows. */
static int derive(struct folding *g, struct str into, struct error *err)
{
    struct cascade c = { .from = g->f->from,
                         .into = into,
                         .columns = &g->from,
                         .key = &g->key,
                         .copied = g->f->copied };
    uint64_t told = g->rows - g->acted;
    if (cascade_derive(g->s, &c, &g->derived, err) != 0 || count_changes(g, err) != 0)
        return -1;
    if (g->rows == told + g->derived)
        return 0;
    return error_set(err, ERR_BUG, "changes of foreign keys do not add up");
}

/* How many of the changes that are left foreign keys made. */
static int count_derived(struct folding *g, uint64_t *out, struct error *err)
{
    *out = 0;
    if (g->derived == 0)
        return 0;
    add(g, "SELECT count(*)::VARCHAR FROM ");
    add_from(g);
    add(g, " WHERE _sdc_sequence IN (SELECT q FROM " DERIVED_TABLE ")");
    if (sql_number(g->s, &g->sql, out, err) != 0)
        return -1;
    return sql_run(g->s, "DROP TABLE " DERIVED_TABLE, err);
}

static int fold_all(struct folding *g, struct str into, struct load_stream *out,
                    struct error *err)
{
    uint64_t left = 0, made = 0;
    if (count_changes(g, err) != 0)
        return -1;
    if (g->f->acted && g->acted > 0 && derive(g, into, err) != 0)
        return -1;
    if (g->rows == 0)
        return 0;
    int rc = g->st->keyless ? fold_keyless(g, err) : fold_keyed(g, err);
    if (rc != 0)
        return -1;
    add(g, "SELECT count(*)::VARCHAR FROM ");
    add_from(g);
    if (sql_number(g->s, &g->sql, &left, err) != 0 || count_derived(g, &made, err) != 0 ||
        put_rows(g, err) != 0)
        return -1;
    out->applied += left - made;
    out->superseded += g->rows - g->derived - (left - made);
    out->derived += made;
    return 0;
}

int fold_changes(struct duckdb_sink *s, const struct manifest_stream *st,
                 const struct fold *f, struct load_stream *out, struct error *err)
{
    struct folding g = { .s = s, .st = st, .f = f };
    struct buf into;
    g.from.arena = g.have.arena = s->epoch;
    buf_init(&into, 4096);
    buf_init(&g.sql, SQL_LIMIT);
    sql_add_table(s, &into, f->into);
    int rc = merge_find_keys(s, st, &g.key, err);
    if (rc == 0)
        rc = columns_of(s, buf_str(&into), &g.have, err);
    if (rc == 0)
        rc = columns_of(s, f->from, &g.from, err);
    if (rc == 0)
        rc = check_table(&g, err);
    if (rc == 0)
        rc = fold_all(&g, buf_str(&into), out, err);
    buf_done(&into);
    buf_done(&g.sql);
    return rc;
}

/* ---- what is held ----------------------------------------------------------------- */

/* The table has more rows than the limit, and at most half as many keys, about. */
static int look_at_held(struct folding *g, bool *many, struct error *err)
{
    uint64_t rows = 0, keys = 0;
    *many = false;
    add(g, "SELECT count(*)::VARCHAR FROM ");
    add_from(g);
    if (sql_number(g->s, &g->sql, &rows, err) != 0)
        return -1;
    if (rows <= g->st->held_limit)
        return 0;
    if (merge_find_keys(g->s, g->st, &g->key, err) != 0 ||
        columns_of(g->s, g->f->from, &g->from, err) != 0)
        return -1;
    add(g, "SELECT approx_count_distinct(hash(");
    sql_add_keys(&g->sql, "d", &g->key);
    add(g, "))::VARCHAR FROM ");
    add_from(g);
    add(g, " AS d");
    int rc = sql_number(g->s, &g->sql, &keys, err);
    *many = keys <= rows / 2;
    return rc;
}

/* The table is written anew, since DuckDB gives no room back of rows that go here and
 * there. Truncations have no key: the last one stays, nothing before it counts. */
static int keep_last_held(struct folding *g, struct error *err)
{
    if (g->partial > 0 && fill_from_earlier(g, err) != 0)
        return -1;
    add(g, "CREATE TEMP TABLE _tailrace_fold AS SELECT d.* FROM ");
    add_from(g);
    add(g, " AS d SEMI JOIN (SELECT max(k._sdc_sequence) AS q FROM ");
    add_from(g);
    add(g, " AS k GROUP BY ");
    sql_add_keys(&g->sql, "k", &g->key);
    add(g, ") AS n ON d._sdc_sequence = n.q");
    return run(g, err) != 0 ? -1 : take_folded(g, err);
}

/* Truncations are no rows. */
static int count_rows(struct folding *g, uint64_t *out, struct error *err)
{
    add(g, "SELECT count(*)::VARCHAR FROM ");
    add_from(g);
    add(g, " WHERE " CHANGE_COLUMN " <> 'T'");
    return sql_number(g->s, &g->sql, out, err);
}

int fold_held(struct duckdb_sink *s, const struct manifest_stream *st, struct str held,
              struct load_stream *out, struct error *err)
{
    struct fold f = { .from = held };
    struct folding g = { .s = s, .st = st, .f = &f };
    uint64_t before = 0, left = 0;
    bool many = false;
    if (st->held_limit == 0 || st->append || st->keyless)
        return 0;
    g.from.arena = s->epoch;
    buf_init(&g.sql, SQL_LIMIT);
    int rc = look_at_held(&g, &many, err);
    if (rc == 0 && many && (rc = count_changes(&g, err)) == 0)
        many = g.acted == 0; /* what a foreign key did needs all before it */
    if (rc == 0 && many &&
        (count_rows(&g, &before, err) != 0 || keep_last_held(&g, err) != 0 ||
         count_rows(&g, &left, err) != 0))
        rc = -1;
    if (rc == 0)
        out->superseded += before - left;
    buf_done(&g.sql);
    return rc;
}
