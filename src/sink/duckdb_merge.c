/* Gathered rows into the live table: ADD, MERGE, NEW and SWEEP (docs/decisions/0008).
 *
 * The hidden table holds one read. Its rows carry numbers in the order in which they were
 * read (_sdc_sequence), so the later one of two rows of a key is known by its number.
 * Values are compared as they are stored, column by column: no hash, no tolerance. */
#include "avro/schema.h"
#include "base/fault.h"
#include "sink/contract.h"
#include "sink/dialect.h"
#include "sink/duckdb_internal.h"

#define LIVE_HINT "Reset this table: the next run copies it anew."

/* One join while it is made. Names and types live in the epoch's arena. */
struct merge {
    struct duckdb_sink *s;
    const struct manifest_stream *st;
    struct str live, staged; /* tables */
    struct column_list have; /* of the live table, after it was widened */
    struct column_list from; /* of the staged one */
    struct key_list key;     /* as the live table calls them */
    bool repeats;            /* a key may be in the staged table more than once */
    struct buf sql;          /* one statement at a time */
};

static bool is_system(struct str name)
{
    return contract_system_find(name) != SYSTEM_COLUMN_COUNT;
}

static bool is_key(const struct merge *g, struct str name)
{
    for (size_t i = 0; i < g->key.count; i++)
        if (str_ieq(g->key.names[i], name))
            return true;
    return false;
}

/* Of the column's type in the live table. */
static bool is_float(struct str type)
{
    return str_starts(type, STR("FLOAT")) || str_eq(type, STR("DOUBLE"));
}

/* ---- what the statement is about -------------------------------------------------- */

/* The stream's newest shape: of this epoch, or the one that the mark keeps. */
static struct str newest_shape(struct duckdb_sink *s, const struct manifest_stream *st)
{
    const struct manifest *m = s->m;
    struct str json = version_stream(s, st)->mark->schema_json;
    uint32_t version = 0;
    for (size_t i = 0; i < m->shape_count; i++) {
        const struct manifest_shape *shape = &m->shapes[i];
        if (&m->streams[shape->stream] != st || shape->version < version)
            continue;
        version = shape->version;
        json = shape->schema_json;
    }
    return json;
}

static void add_key(struct key_list *key, struct str name, bool nullable)
{
    key->names[key->count] = name;
    key->nullable[key->count++] = nullable;
}

int merge_find_keys(struct duckdb_sink *s, const struct manifest_stream *st,
                    struct key_list *out, struct error *err)
{
    struct table_schema shape = { 0 };
    struct arena *a = s->epoch;
    *out = (struct key_list){ 0 };
    if (st->keyless) {
        out->names = ARENA_ARRAY(a, struct str, 1);
        out->nullable = ARENA_ARRAY(a, bool, 1);
        add_key(out, str_of(contract_system_name(SYSTEM_PRIMARY_KEY)), false);
        return 0;
    }
    if (avro_schema_read(a, newest_shape(s, st), &shape, err) != 0)
        return -1;
    out->names = ARENA_ARRAY(a, struct str, shape.column_count + 1u);
    out->nullable = ARENA_ARRAY(a, bool, shape.column_count + 1u);
    for (unsigned i = 1; i <= shape.column_count; i++) {
        const struct column *c = schema_key_column(&shape, i);
        if (c != NULL)
            add_key(out, arena_str(a, c->avro_name), c->nullable);
    }
    if (out->count > 0)
        return 0;
    return error_set(err, ERR_SCHEMA, "its rows have no key to merge them by");
}

/* The live table still has what this program put there. */
static int check_live(const struct merge *g, struct error *err)
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

/* Columns that the gathered rows have: added to the live table, or widened, before rows
 * move. */
static int widen_live(struct merge *g, struct error *err)
{
    for (size_t i = 0; i < g->from.count; i++)
        if (!is_system(g->from.names[i]) &&
            columns_alter(g->s, g->live, &g->have, g->from.names[i], g->from.types[i],
                          err) != 0) {
            if (err->code == ERR_SCHEMA && err->hint == NULL)
                err->hint = LIVE_HINT;
            return -1;
        }
    FAULT("merge.widened");
    g->have.count = 0;
    return columns_read(g->s, g->live, &g->have, err);
}

static int merge_begin(struct merge *g, struct duckdb_sink *s,
                       const struct manifest_stream *st, struct str staged,
                       struct error *err)
{
    *g = (struct merge){ .s = s, .st = st, .staged = staged };
    g->live = version_stream(s, st)->mark->target;
    g->have.arena = g->from.arena = s->epoch;
    buf_init(&g->sql, SQL_LIMIT);
    if (columns_read(s, g->live, &g->have, err) != 0 ||
        columns_read(s, staged, &g->from, err) != 0 ||
        (st->join != JOIN_ADD && merge_find_keys(s, st, &g->key, err) != 0) ||
        check_live(g, err) != 0)
        return -1;
    return widen_live(g, err);
}

/* ---- pieces of statements --------------------------------------------------------- */

static void add(struct merge *g, const char *text)
{
    buf_add_text(&g->sql, text);
}

/* Columns of the source that are compared and replaced: all but the key, whose values are
 * equal already. Not so a floating key: 0 equals -0. */
static bool is_value(const struct merge *g, size_t from)
{
    struct str name = g->from.names[from];
    if (is_system(name))
        return false;
    return !is_key(g, name) || is_float(g->have.types[columns_find(&g->have, name)]);
}

/* Floats by their bits as far as values go: -0 differs from 0. Lists of them as text,
 * which is exact. */
static void add_column_differs(struct merge *g, const char *a, const char *b,
                               struct str name, struct str type)
{
    bool floating = is_float(type);
    bool list = floating && str_ends(type, STR("]"));
    const char *before = list ? "CAST(" : "";
    const char *after = list ? " AS VARCHAR)" : "";
    for (int sign = 0; sign <= (floating && !list ? 1 : 0); sign++) {
        add(g, sign == 0 ? before : " OR signbit(");
        sql_add_column(&g->sql, a, name);
        add(g, sign == 0 ? after : ")");
        add(g, " IS DISTINCT FROM ");
        add(g, sign == 0 ? before : "signbit(");
        sql_add_column(&g->sql, b, name);
        add(g, sign == 0 ? after : ")");
    }
}

/* "(... OR ...)": false where there is nothing but the key. */
static void add_differs(struct merge *g, const char *a, const char *b)
{
    add(g, "(false");
    for (size_t i = 0; i < g->from.count; i++) {
        if (!is_value(g, i))
            continue;
        int at = columns_find(&g->have, g->from.names[i]);
        add(g, " OR ");
        add_column_differs(g, a, b, g->have.names[at], g->have.types[at]);
    }
    add(g, ")");
}

/* Every column of the staged table, as the live one calls and types it. */
static void add_staged(struct merge *g)
{
    for (size_t i = 0; i < g->from.count; i++) {
        int at = columns_find(&g->have, g->from.names[i]);
        bool same = str_eq(g->have.types[at], g->from.types[i]);
        add(g, i == 0 ? "" : ", ");
        if (!same)
            add(g, "CAST(");
        sql_add_column(&g->sql, "d", g->from.names[i]);
        if (!same) {
            add(g, " AS ");
            buf_add_str(&g->sql, g->have.types[at]);
            add(g, ")");
        }
        add(g, " AS ");
        dialect_quote_ident(&g->sql, g->have.names[at]);
    }
}

static void add_names(struct merge *g, const char *alias)
{
    for (size_t i = 0; i < g->from.count; i++) {
        add(g, i == 0 ? "" : ", ");
        if (alias != NULL)
            sql_add_column(&g->sql, alias, g->from.names[i]);
        else
            dialect_quote_ident(&g->sql, g->from.names[i]);
    }
}

/* "(SELECT ... FROM staged AS d" without its end. */
static void add_source(struct merge *g)
{
    add(g, "(SELECT ");
    add_staged(g);
    add(g, " FROM ");
    sql_add_table(g->s, &g->sql, g->staged);
    add(g, " AS d");
}

/* "SELECT FUNCTION(_sdc_sequence) OVER (its key, in order) ... FROM staged": the number
 * of the row of the same key before or after each one. */
static void add_neighbour(struct merge *g, const char *function)
{
    add(g, "SELECT d._sdc_sequence AS q, ");
    add(g, function);
    add(g, "(d._sdc_sequence) OVER (PARTITION BY ");
    sql_add_keys(&g->sql, "d", &g->key);
    add(g, " ORDER BY d._sdc_sequence) AS n FROM ");
    sql_add_table(g->s, &g->sql, g->staged);
    add(g, " AS d");
}

static void add_insert(struct merge *g)
{
    add(g, "INSERT INTO ");
    sql_add_table(g->s, &g->sql, g->live);
    add(g, " (");
    add_names(g, NULL);
    add(g, ") ");
}

/* ---- counting --------------------------------------------------------------------- */

static int count_keys(struct merge *g, uint64_t *rows, uint64_t *keys, struct error *err)
{
    uint64_t numbers = 0;
    add(g, "SELECT count(*)::VARCHAR FROM ");
    sql_add_table(g->s, &g->sql, g->staged);
    if (sql_number(g->s, &g->sql, rows, err) != 0)
        return -1;
    add(g, "SELECT count(*)::VARCHAR FROM (SELECT DISTINCT ");
    sql_add_keys(&g->sql, "d", &g->key);
    add(g, " FROM ");
    sql_add_table(g->s, &g->sql, g->staged);
    add(g, " AS d)");
    if (sql_number(g->s, &g->sql, keys, err) != 0)
        return -1;
    g->repeats = *keys < *rows;
    add(g, "SELECT count(DISTINCT _sdc_sequence)::VARCHAR FROM ");
    sql_add_table(g->s, &g->sql, g->staged);
    if (sql_number(g->s, &g->sql, &numbers, err) != 0)
        return -1;
    if (numbers == *rows)
        return 0;
    return error_set(err, ERR_PROTOCOL,
                     "%llu rows of one read carry %llu numbers, so nobody knows which of "
                     "a key is the later one",
                     (unsigned long long)*rows, (unsigned long long)numbers);
}

/* ---- MERGE ------------------------------------------------------------------------ */

/* A replaced row takes the staged one's system columns too, which ends a deletion.
 * Columns that the read did not have become NULL. */
static void add_update(struct merge *g)
{
    const char *comma = "";
    for (size_t i = 0; i < g->have.count; i++) {
        struct str name = g->have.names[i];
        int from = columns_find(&g->from, name);
        if (from >= 0 && !is_system(name) && !is_value(g, (size_t)from))
            continue;
        if (str_ieq(name, str_of(contract_system_name(SYSTEM_PRIMARY_KEY))))
            continue;
        add(g, comma);
        dialect_quote_ident(&g->sql, name);
        add(g, " = ");
        if (from >= 0)
            sql_add_column(&g->sql, "s", name);
        else
            add(g, "NULL");
        comma = ", ";
    }
}

/* Numbers of the staged rows that the live table has already. They are taken out of the
 * merge rather than left alone by its condition: it carries along every row that has a
 * partner, whole, and spills (docs/decisions/0008). */
static void add_known(struct merge *g)
{
    add(g, "SELECT s._sdc_sequence FROM ");
    add_source(g);
    add(g, ") AS s JOIN ");
    sql_add_table(g->s, &g->sql, g->live);
    add(g, " AS l ON ");
    sql_add_same_key(&g->sql, "l", "s", &g->key);
    add(g, " WHERE l._sdc_deleted_at IS NULL AND NOT ");
    add_differs(g, "l", "s");
}

static int merge_rows(struct merge *g, struct load_stream *out, struct error *err)
{
    uint64_t rows = 0, keys = 0, changed = 0;
    if (count_keys(g, &rows, &keys, err) != 0)
        return -1;
    add(g, "MERGE INTO ");
    sql_add_table(g->s, &g->sql, g->live);
    add(g, " AS l USING ");
    add_source(g);
    add(g, " WHERE d._sdc_sequence NOT IN (");
    add_known(g);
    add(g, ")");
    if (g->repeats) {
        add(g, " AND d._sdc_sequence NOT IN (SELECT q FROM (");
        add_neighbour(g, "lead");
        add(g, ") WHERE n IS NOT NULL)");
    }
    add(g, ") AS s ON ");
    sql_add_same_key(&g->sql, "l", "s", &g->key);
    add(g, " WHEN MATCHED THEN UPDATE SET ");
    add_update(g);
    add(g, " WHEN NOT MATCHED THEN INSERT (");
    add_names(g, NULL);
    add(g, ") VALUES (");
    add_names(g, "s");
    add(g, ")");
    if (sql_change(g->s, &g->sql, &changed, err) != 0)
        return -1;
    out->applied += changed;
    out->superseded += rows - keys;
    /* a declared key that is none may have had more than one row replaced */
    out->known += keys > changed ? keys - changed : 0;
    return 0;
}

/* ---- NEW -------------------------------------------------------------------------- */

/* The first row of each key, unless the newest one that the live table has of it is the
 * same. */
static int insert_first(struct merge *g, uint64_t *inserted, struct error *err)
{
    add_insert(g);
    add(g, "SELECT ");
    add_names(g, "s");
    add(g, " FROM ");
    add_source(g);
    if (g->repeats) {
        add(g, " WHERE d._sdc_sequence NOT IN (SELECT q FROM (");
        add_neighbour(g, "lag");
        add(g, ") WHERE n IS NOT NULL)");
    }
    add(g, ") AS s WHERE NOT EXISTS (SELECT 1 FROM ");
    sql_add_table(g->s, &g->sql, g->live);
    add(g, " AS l JOIN (SELECT ");
    sql_add_keys(&g->sql, "o", &g->key);
    add(g, ", max(o._sdc_sequence) AS _sdc_sequence FROM ");
    sql_add_table(g->s, &g->sql, g->live);
    add(g, " AS o SEMI JOIN ");
    sql_add_table(g->s, &g->sql, g->staged);
    add(g, " AS d ON ");
    sql_add_same_key(&g->sql, "o", "d", &g->key);
    add(g, " GROUP BY ");
    sql_add_keys(&g->sql, "o", &g->key);
    add(g, ") AS w ON ");
    sql_add_same_key(&g->sql, "l", "w", &g->key);
    add(g, " AND l._sdc_sequence = w._sdc_sequence WHERE l._sdc_deleted_at IS NULL AND ");
    sql_add_same_key(&g->sql, "l", "s", &g->key);
    add(g, " AND NOT ");
    add_differs(g, "l", "s");
    add(g, ")");
    return sql_change(g->s, &g->sql, inserted, err);
}

/* Later rows of a key that differ from the one before. */
static int insert_later(struct merge *g, uint64_t *inserted, struct error *err)
{
    add_insert(g);
    add(g, "SELECT ");
    add_names(g, "s");
    add(g, " FROM ");
    add_source(g);
    add(g, ") AS s JOIN (");
    add_neighbour(g, "lag");
    add(g, ") AS w ON w.q = s._sdc_sequence JOIN ");
    add_source(g);
    add(g, ") AS b ON b._sdc_sequence = w.n WHERE ");
    add_differs(g, "b", "s");
    return sql_change(g->s, &g->sql, inserted, err);
}

static int insert_new(struct merge *g, struct load_stream *out, struct error *err)
{
    uint64_t rows = 0, keys = 0, first = 0, later = 0;
    if (count_keys(g, &rows, &keys, err) != 0 || insert_first(g, &first, err) != 0 ||
        (g->repeats && insert_later(g, &later, err) != 0))
        return -1;
    out->applied += first + later;
    out->superseded += rows - keys - later;
    out->known += keys - first;
    return 0;
}

/* ---- SWEEP and ADD ---------------------------------------------------------------- */

/* Keys that the source has and of which the live table has nothing but rows that are
 * marked deleted: they came back without the replication key telling so. */
static int count_returned(struct merge *g, uint64_t *out, struct error *err)
{
    add(g, "SELECT count(*)::VARCHAR FROM (SELECT DISTINCT ");
    sql_add_keys(&g->sql, "d", &g->key);
    add(g, " FROM ");
    sql_add_table(g->s, &g->sql, g->live);
    add(g,
        " AS d WHERE d._sdc_deleted_at IS NOT NULL) AS l WHERE EXISTS (SELECT 1 FROM ");
    add_source(g);
    add(g, ") AS s WHERE ");
    sql_add_same_key(&g->sql, "l", "s", &g->key);
    add(g, ") AND NOT EXISTS (SELECT 1 FROM ");
    sql_add_table(g->s, &g->sql, g->live);
    add(g, " AS o WHERE o._sdc_deleted_at IS NULL AND ");
    sql_add_same_key(&g->sql, "o", "l", &g->key);
    add(g, ")");
    return sql_number(g->s, &g->sql, out, err);
}

/* Keys that the source has no more and of which the live table has several rows. */
static int count_versions(struct merge *g, uint64_t *out, struct error *err)
{
    add(g, "SELECT count(*)::VARCHAR FROM (SELECT 1 FROM ");
    sql_add_table(g->s, &g->sql, g->live);
    add(g, " AS l WHERE l._sdc_deleted_at IS NULL AND NOT EXISTS (SELECT 1 FROM ");
    add_source(g);
    add(g, ") AS s WHERE ");
    sql_add_same_key(&g->sql, "l", "s", &g->key);
    add(g, ") GROUP BY ");
    sql_add_keys(&g->sql, "l", &g->key);
    add(g, " HAVING count(*) > 1)");
    return sql_number(g->s, &g->sql, out, err);
}

/* Rows whose key the source has no more. Their values stay; so do the numbers of several
 * versions of a row, which tell their order. */
static int sweep(struct merge *g, struct load_stream *out, struct error *err)
{
    uint64_t changed = 0, returned = 0, versions = 0;
    if (count_returned(g, &returned, err) != 0 || count_versions(g, &versions, err) != 0)
        return -1;
    add(g, "MERGE INTO ");
    sql_add_table(g->s, &g->sql, g->live);
    add(g, " AS l USING ");
    add_source(g);
    add(g, ") AS s ON ");
    sql_add_same_key(&g->sql, "l", "s", &g->key);
    add(g, " WHEN NOT MATCHED BY SOURCE AND l._sdc_deleted_at IS NULL THEN UPDATE SET "
           "_sdc_deleted_at = ");
    buf_printf(&g->sql, "make_timestamptz(%lld)", (long long)g->s->batched_at);
    if (versions == 0)
        buf_printf(&g->sql, ", _sdc_sequence = %lld", (long long)g->st->sequence);
    if (sql_change(g->s, &g->sql, &changed, err) != 0)
        return -1;
    out->applied += changed;
    out->known += returned;
    return 0;
}

int merge_add(struct duckdb_sink *s, const struct manifest_stream *st, struct str staged,
              struct error *err)
{
    struct merge g;
    int rc = merge_begin(&g, s, st, staged, err);
    if (rc == 0) {
        add_insert(&g);
        add(&g, "SELECT ");
        add_names(&g, "s");
        add(&g, " FROM ");
        add_source(&g);
        add(&g, ") AS s");
        rc = sql_run_buf(s, &g.sql, err);
    }
    buf_done(&g.sql);
    return rc;
}

int merge_changes(struct duckdb_sink *s, const struct manifest_stream *st,
                  struct str staged, struct load_stream *out, struct error *err)
{
    struct merge g;
    int rc = merge_begin(&g, s, st, staged, err);
    if (rc == 0 && st->join == JOIN_MERGE)
        rc = merge_rows(&g, out, err);
    else if (rc == 0 && st->join == JOIN_NEW)
        rc = insert_new(&g, out, err);
    else if (rc == 0)
        rc = sweep(&g, out, err);
    buf_done(&g.sql);
    return rc;
}
