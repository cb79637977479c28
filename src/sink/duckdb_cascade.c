/* What foreign keys did to rows of a table, from what was told of it: rows whose columns
 * had these values then went, or got others.
 *
 *   changes ┬ of rows: I U D ────────────────┬─▶ timeline of each key: the row in the
 *           └ X: they went; F, G: from, to ─┐ │   table, then its changes by number
 *                                           └─┴▶ who had the values at that moment?
 *                                                the first such change of each key is
 *                                                added, as D or U; again until none is
 *
 * One at a time per key, since after it a later one may not be about that row any more.
 *
 * A row of a copy may be as of later than a change beside it. It had the values at that
 * moment, or got them between by another key's work, which is told, too: where that may
 * be, the copy is none to build on. */
#include "base/fault.h"
#include "sink/contract.h"
#include "sink/dialect.h"
#include "sink/duckdb_internal.h"

#define ACTED_TABLE "temp.main._tailrace_acted"
#define HIT_TABLE "temp.main._tailrace_hit"
#define BASE_TABLE "temp.main._tailrace_base"
#define LINE_TABLE "temp.main._tailrace_line"
#define NEXT_TABLE "temp.main._tailrace_next"

/* The columns of one foreign key. */
struct acting {
    struct str mask; /* the ABSENT_COLUMN that its records have: '2' at these columns */
    size_t *columns; /* in the list of the changes' columns */
    size_t count;
};

struct deriving {
    struct duckdb_sink *s;
    const struct cascade *c;
    struct acting *keys; /* in the epoch's arena */
    size_t key_count, key_cap;
    size_t *all; /* every column of any of them, once; likewise */
    size_t all_count;
    struct buf sql;
};

static void add(struct deriving *d, const char *text)
{
    buf_add_text(&d->sql, text);
}

static void add_from(struct deriving *d)
{
    buf_add_str(&d->sql, d->c->from);
}

static void add_into(struct deriving *d)
{
    buf_add_str(&d->sql, d->c->into);
}

static void add_column(struct deriving *d, const char *alias, size_t column)
{
    sql_add_column(&d->sql, alias, d->c->columns->names[column]);
}

static void add_mask(struct deriving *d, const char *alias, const struct acting *k)
{
    buf_printf(&d->sql, "%s." ABSENT_COLUMN " = '" STR_FMT "'", alias, STR_ARG(k->mask));
}

static int run(struct deriving *d, struct error *err)
{
    return sql_run_buf(d->s, &d->sql, err);
}

static bool is_key(const struct deriving *d, size_t column)
{
    for (size_t i = 0; i < d->c->key->count; i++)
        if (str_ieq(d->c->key->names[i], d->c->columns->names[column]))
            return true;
    return false;
}

/* ---- what was told ---------------------------------------------------------------- */

static int take_mask(void *ctx, const struct str *cells, size_t count, struct error *err)
{
    struct deriving *d = ctx;
    (void)err;
    if (count != 1 || cells[0].ptr == NULL)
        return 0;
    if (d->key_count == d->key_cap) {
        size_t cap = d->key_cap == 0 ? 8 : d->key_cap * 2;
        struct acting *more = ARENA_ARRAY(d->s->epoch, struct acting, cap);
        if (d->key_count > 0)
            memcpy(more, d->keys, d->key_count * sizeof(*more));
        d->keys = more;
        d->key_cap = cap;
    }
    d->keys[d->key_count++] = (struct acting){ .mask = arena_str(d->s->epoch, cells[0]) };
    return 0;
}

static void add_to_all(struct deriving *d, size_t column)
{
    for (size_t i = 0; i < d->all_count; i++)
        if (d->all[i] == column)
            return;
    d->all[d->all_count++] = column;
}

static int read_masks(struct deriving *d, struct error *err)
{
    size_t n = d->c->columns->count;
    d->all = ARENA_ARRAY(d->s->epoch, size_t, n + 1);
    if (sql_rows(d->s,
                 "SELECT DISTINCT " ABSENT_COLUMN " FROM " ACTED_TABLE
                 " WHERE " CHANGE_COLUMN " <> 'G' ORDER BY 1",
                 NULL, 0, SQL_INTO(take_mask, d), err) != 0)
        return -1;
    for (size_t k = 0; k < d->key_count; k++) {
        struct acting *a = &d->keys[k];
        a->columns = ARENA_ARRAY(d->s->epoch, size_t, n + 1);
        for (size_t i = 0; i < n && i < a->mask.len; i++) {
            if (a->mask.ptr[i] != '2')
                continue;
            a->columns[a->count++] = i;
            add_to_all(d, i);
        }
        if (a->count == 0)
            return error_set(err, ERR_PROTOCOL, "a foreign key without columns acted");
    }
    return 0;
}

static int set_apart(struct deriving *d, struct error *err)
{
    add(d, "CREATE TEMP TABLE _tailrace_acted AS SELECT * FROM ");
    add_from(d);
    add(d, " WHERE " CHANGE_COLUMN " IN ('X', 'F', 'G')");
    if (run(d, err) != 0)
        return -1;
    add(d, "DELETE FROM ");
    add_from(d);
    add(d, " WHERE " CHANGE_COLUMN " IN ('X', 'F', 'G')");
    return run(d, err) != 0 ? -1 : read_masks(d, err);
}

/* ---- who may be meant ------------------------------------------------------------- */

/* Keys that have changes, and those of rows that have the values now. */
static int find_candidates(struct deriving *d, struct error *err)
{
    add(d, "CREATE TEMP TABLE _tailrace_hit AS SELECT ");
    sql_add_keys(&d->sql, "f", d->c->key);
    add(d, " FROM ");
    add_from(d);
    add(d, " AS f");
    for (size_t k = 0; k < d->key_count; k++) {
        const struct acting *a = &d->keys[k];
        add(d, " UNION SELECT ");
        sql_add_keys(&d->sql, "t", d->c->key);
        add(d, " FROM ");
        add_into(d);
        add(d, " AS t SEMI JOIN (SELECT * FROM " ACTED_TABLE " AS x WHERE ");
        add_mask(d, "x", a);
        add(d, ") AS x ON ");
        for (size_t i = 0; i < a->count; i++) {
            add(d, i == 0 ? "" : " AND ");
            add_column(d, "t", a->columns[i]);
            add(d, " = ");
            add_column(d, "x", a->columns[i]);
        }
        add(d, " WHERE t._sdc_deleted_at IS NULL");
    }
    if (run(d, err) != 0)
        return -1;
    add(d, "CREATE TEMP TABLE _tailrace_base AS SELECT ");
    sql_add_keys(&d->sql, "b", d->c->key);
    for (size_t i = 0; i < d->all_count; i++) {
        add(d, ", ");
        add_column(d, "b", d->all[i]);
        buf_printf(&d->sql, " AS _sdc_c%zu", d->all[i]);
    }
    add(d, " FROM (SELECT t.*, row_number() OVER (PARTITION BY ");
    sql_add_keys(&d->sql, "t", d->c->key);
    add(d, " ORDER BY t._sdc_sequence DESC) AS _sdc_place FROM ");
    add_into(d);
    add(d, " AS t SEMI JOIN " HIT_TABLE " AS h ON ");
    sql_add_same_key(&d->sql, "t", "h", d->c->key);
    add(d, ") AS b WHERE b._sdc_place = 1 AND b._sdc_deleted_at IS NULL");
    return run(d, err);
}

/* ---- one round -------------------------------------------------------------------- */

/* The versions of each row that is looked at: from which number up to which, whether the
 * row is gone, and the values. A struct around each tells a NULL that was told from one
 * that was not. */
static int make_line(struct deriving *d, struct error *err)
{
    add(d, "CREATE OR REPLACE TEMP TABLE _tailrace_line AS SELECT v.*, lead(v._sdc_q, 1, "
           "9223372036854775807) OVER (PARTITION BY ");
    sql_add_keys(&d->sql, "v", d->c->key);
    add(d, " ORDER BY v._sdc_q) AS _sdc_until FROM (SELECT ");
    sql_add_keys(&d->sql, "e", d->c->key);
    add(d, ", e._sdc_q, e._sdc_gone");
    for (size_t i = 0; i < d->all_count; i++)
        buf_printf(&d->sql, ", last_value(e._sdc_w%zu IGNORE NULLS) OVER w AS _sdc_v%zu",
                   d->all[i], d->all[i]);
    add(d, " FROM (SELECT ");
    sql_add_keys(&d->sql, "b", d->c->key);
    add(d, ", (-1)::BIGINT AS _sdc_q, false AS _sdc_gone");
    for (size_t i = 0; i < d->all_count; i++)
        buf_printf(&d->sql, ", struct_pack(v := b._sdc_c%zu) AS _sdc_w%zu", d->all[i],
                   d->all[i]);
    add(d, " FROM " BASE_TABLE " AS b SEMI JOIN " HIT_TABLE " AS h ON ");
    sql_add_same_key(&d->sql, "b", "h", d->c->key);
    add(d, " UNION ALL SELECT ");
    sql_add_keys(&d->sql, "f", d->c->key);
    add(d, ", f._sdc_sequence, f." CHANGE_COLUMN " = 'D'");
    for (size_t i = 0; i < d->all_count; i++) {
        buf_printf(&d->sql,
                   ", CASE WHEN substr(f." ABSENT_COLUMN
                   ", %zu, 1) = '1' THEN NULL ELSE struct_pack(v := ",
                   d->all[i] + 1);
        add_column(d, "f", d->all[i]);
        add(d, ") END");
    }
    add(d, " FROM ");
    add_from(d);
    add(d, " AS f SEMI JOIN " HIT_TABLE " AS h ON ");
    sql_add_same_key(&d->sql, "f", "h", d->c->key);
    add(d, ") AS e WINDOW w AS (PARTITION BY ");
    sql_add_keys(&d->sql, "e", d->c->key);
    add(d, " ORDER BY e._sdc_q ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)) AS v");
    return run(d, err);
}

/* Of each row the first that is about it. */
static int find_next(struct deriving *d, struct error *err)
{
    add(d, "CREATE OR REPLACE TEMP TABLE _tailrace_next AS SELECT ");
    sql_add_keys(&d->sql, "h", d->c->key);
    add(d, ", min(h._sdc_s) AS _sdc_s, arg_min(h._sdc_q, h._sdc_s) AS _sdc_q FROM (");
    for (size_t k = 0; k < d->key_count; k++) {
        const struct acting *a = &d->keys[k];
        add(d, k == 0 ? "SELECT " : " UNION ALL SELECT ");
        sql_add_keys(&d->sql, "l", d->c->key);
        add(d, ", x._sdc_sequence AS _sdc_s, l._sdc_q FROM " LINE_TABLE
               " AS l JOIN " ACTED_TABLE " AS x ON ");
        for (size_t i = 0; i < a->count; i++) {
            buf_printf(&d->sql, "l._sdc_v%zu.v = ", a->columns[i]);
            add_column(d, "x", a->columns[i]);
            add(d, " AND ");
        }
        add(d, "x._sdc_sequence > l._sdc_q AND x._sdc_sequence < l._sdc_until WHERE NOT "
               "l._sdc_gone AND x." CHANGE_COLUMN " <> 'G' AND ");
        add_mask(d, "x", a);
    }
    add(d, ") AS h GROUP BY ");
    sql_add_keys(&d->sql, "h", d->c->key);
    return run(d, err);
}

/* A row of a copy that is as of later than the change may have got its values since. */
static int check_copied(struct deriving *d, struct error *err)
{
    uint64_t unclear = 0;
    if (!d->c->copied)
        return 0;
    for (size_t k = 0; k < d->key_count; k++) {
        const struct acting *a = &d->keys[k];
        add(d, "SELECT count(*)::VARCHAR FROM " NEXT_TABLE " AS n JOIN " ACTED_TABLE
               " AS x ON x._sdc_sequence = n._sdc_s JOIN " ACTED_TABLE
               " AS g ON g._sdc_sequence > x._sdc_sequence");
        for (size_t i = 0; i < a->count; i++) {
            add(d, " AND ");
            add_column(d, "g", a->columns[i]);
            add(d, " = ");
            add_column(d, "x", a->columns[i]);
        }
        add(d, " WHERE n._sdc_q = -1 AND g." CHANGE_COLUMN " = 'G' AND ");
        add_mask(d, "x", a);
        add(d, " AND ");
        add_mask(d, "g", a);
        if (sql_number(d->s, &d->sql, &unclear, err) != 0)
            return -1;
        if (unclear > 0)
            return error_set(err, ERR_DATA,
                             "a foreign key changed %llu rows while they were copied, "
                             "and then gave others the values that these had",
                             (unsigned long long)unclear);
    }
    return 0;
}

/* "substr" digits of a change that tells nothing but the key and, of an update, these. */
static void add_digits(struct deriving *d, const struct acting *a, bool gone)
{
    add(d, "'");
    for (size_t i = 0; i < d->c->columns->count; i++) {
        bool told = a->mask.len <= i || a->mask.ptr[i] == '0' || is_key(d, i);
        for (size_t k = 0; k < a->count && !gone; k++)
            told = told || a->columns[k] == i;
        add(d, told ? "0" : "1");
    }
    add(d, "'");
}

static int add_changes(struct deriving *d, const struct acting *a, uint64_t *added,
                       struct error *err)
{
    static const enum system_column same[] = { SYSTEM_EXTRACTED_AT, SYSTEM_RECEIVED_AT,
                                               SYSTEM_BATCHED_AT, SYSTEM_SEQUENCE,
                                               SYSTEM_TABLE_VERSION };
    size_t n = sizeof(same) / sizeof(same[0]);
    add(d, "INSERT INTO ");
    add_from(d);
    add(d, " BY NAME SELECT ");
    sql_add_keys(&d->sql, "n", d->c->key);
    for (size_t i = 0; i < a->count; i++) {
        if (is_key(d, a->columns[i]))
            continue;
        add(d, ", ");
        add_column(d, "g", a->columns[i]);
    }
    add(d, ", CASE x." CHANGE_COLUMN " WHEN 'X' THEN 'D' ELSE 'U' END AS " CHANGE_COLUMN
           ", CASE x." CHANGE_COLUMN " WHEN 'X' THEN ");
    add_digits(d, a, true);
    add(d, " ELSE ");
    add_digits(d, a, false);
    add(d, " END AS " ABSENT_COLUMN);
    for (size_t i = 0; i < n; i++)
        buf_printf(&d->sql, ", x.%s", contract_system_name(same[i]));
    add(d, ", CASE x." CHANGE_COLUMN " WHEN 'X' THEN x._sdc_extracted_at END AS "
           "_sdc_deleted_at FROM " NEXT_TABLE " AS n JOIN " ACTED_TABLE
           " AS x ON x._sdc_sequence = n._sdc_s LEFT JOIN " ACTED_TABLE
           " AS g ON g._sdc_sequence = x._sdc_sequence + 1 AND g." CHANGE_COLUMN
           " = 'G' WHERE ");
    add_mask(d, "x", a);
    return sql_change(d->s, &d->sql, added, err);
}

/* *added: how many rows were found to be changed. */
static int round_of(struct deriving *d, uint64_t *added, struct error *err)
{
    *added = 0;
    if (make_line(d, err) != 0 || find_next(d, err) != 0 || check_copied(d, err) != 0)
        return -1;
    for (size_t k = 0; k < d->key_count; k++) {
        uint64_t some = 0;
        if (add_changes(d, &d->keys[k], &some, err) != 0)
            return -1;
        *added += some;
    }
    if (*added == 0)
        return 0;
    add(d, "CREATE OR REPLACE TEMP TABLE _tailrace_hit AS SELECT ");
    sql_add_keys(&d->sql, "n", d->c->key);
    add(d, " FROM " NEXT_TABLE " AS n");
    return run(d, err);
}

static int drop_all(struct duckdb_sink *s, struct error *err)
{
    static const char *const drops[] = {
        "DROP TABLE " ACTED_TABLE, "DROP TABLE " HIT_TABLE, "DROP TABLE " BASE_TABLE,
        "DROP TABLE " LINE_TABLE, "DROP TABLE " NEXT_TABLE
    };
    for (size_t i = 0; i < sizeof(drops) / sizeof(drops[0]); i++)
        if (sql_run(s, drops[i], err) != 0)
            return -1;
    return 0;
}

static int derive(struct deriving *d, uint64_t *derived, struct error *err)
{
    uint64_t added = 1;
    if (set_apart(d, err) != 0 || find_candidates(d, err) != 0)
        return -1;
    while (added > 0) {
        if (round_of(d, &added, err) != 0)
            return -1;
        *derived += added;
    }
    FAULT("change.derived");
    if (*derived > 0 &&
        sql_run(
            d->s,
            "CREATE TEMP TABLE _tailrace_derived AS SELECT DISTINCT _sdc_sequence AS q "
            "FROM " ACTED_TABLE,
            err) != 0)
        return -1;
    return drop_all(d->s, err);
}

int cascade_derive(struct duckdb_sink *s, const struct cascade *c, uint64_t *derived,
                   struct error *err)
{
    struct deriving d = { .s = s, .c = c };
    buf_init(&d.sql, SQL_LIMIT);
    *derived = 0;
    int rc = derive(&d, derived, err);
    buf_done(&d.sql);
    return rc;
}
