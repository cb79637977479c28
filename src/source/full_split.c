#include "base/alloc.h"
#include "mysql/statement.h"
#include "mysql/type.h"
#include "source/full.h"
#include "source/full_internal.h"

#include <inttypes.h>

/* A range with fewer rows than this is not worth a connection, unless they are so many
 * bytes. */
#define RANGE_ROWS_LEAST 10000
#define RANGE_BYTES_ENOUGH ((uint64_t)16 << 20)
#define RANGE_WIDE_ROWS_LEAST 64
/* Bounds of keys that cannot be computed are found by walking the index: never over more
 * entries than this. */
#define WALK_ROWS_MOST 20000000
#define PARTS_MOST 1024
/* A range of integers shorter than this is not halved. */
#define HALVE_LEAST 1024
#define KEY_ROW_LIMIT (1u << 20)

struct splitter {
    struct session *session;
    struct arena *arena;            /* of the ranges */
    const struct table_schema *key; /* a shape of the key's columns alone */
    const struct catalog_table *table;
    struct str *bounds; /* key tuples in order */
    size_t count;
};

/* ---- what the server says ---- */

static const struct table_schema *key_shape(struct arena *a,
                                            const struct table_schema *shape)
{
    struct table_schema *s = ARENA_NEW(a, struct table_schema);
    struct column *columns = ARENA_ARRAY(a, struct column, shape->key_count);
    *s = *shape;
    for (unsigned k = 0; k < shape->key_count; k++)
        columns[k] = *schema_key_column(shape, k + 1);
    s->columns = columns;
    s->column_count = shape->key_count;
    return s;
}

/* The first row of a running statement as a key tuple; empty when there is none. */
static int take_tuple(struct splitter *p, struct statement *st, struct str *out,
                      struct error *err)
{
    struct packet row;
    struct value cells[64];
    unsigned count;
    unsigned generation;
    struct type_options options = {
        .family = session_is_mariadb(p->session) ? CHARSET_MARIADB : CHARSET_MYSQL,
        .bad_text = CHARSET_REPLACE,
        .row_limit = KEY_ROW_LIMIT,
    };
    const struct result_column *columns = statement_columns(st, &count, &generation);
    struct type_plan *plan = type_plan_new(columns, count, p->key, &options, err);
    int rc = plan == NULL ? -1 : statement_next(st, &row, err);
    if (rc == 1 && (rc = type_decode_row(plan, &row, cells, err)) == 0) {
        struct buf tuple;
        struct buf part;
        buf_init(&tuple, FULL_SQL_BYTES);
        buf_init(&part, FULL_SQL_BYTES);
        for (unsigned k = 0; k < p->key->key_count; k++) {
            buf_clear(&part);
            type_key_part(plan, k, &part);
            key_tuple_add(&tuple, buf_str(&part));
        }
        *out = arena_str(p->arena, buf_str(&tuple));
        buf_done(&part);
        buf_done(&tuple);
    }
    type_plan_free(plan);
    return rc < 0 ? -1 : statement_drain(st, err);
}

static int query_tuple(struct splitter *p, struct str sql, struct str *out,
                       struct error *err)
{
    *out = (struct str){ 0 };
    struct statement *st = statement_prepare(p->session, sql, err);
    int rc = st == NULL ? -1 : statement_execute(st, NULL, 0, KEY_ROW_LIMIT, err);
    if (rc == 0)
        rc = take_tuple(p, st, out, err);
    statement_close(st);
    return rc;
}

/* How many rows the optimizer expects: fresher than the catalog's number, which MySQL
 * caches for a day (information_schema_stats_expiry). */
static uint64_t estimate_rows(struct splitter *p, struct arena *scratch)
{
    struct error ignored = { 0 };
    struct session_result r;
    struct buf sql;
    uint64_t rows = 0;
    buf_init(&sql, FULL_SQL_BYTES);
    buf_add_text(&sql, "EXPLAIN FORMAT=TRADITIONAL SELECT ");
    session_quote_ident(&sql, p->key->columns[0].name);
    buf_add_text(&sql, " FROM ");
    full_table_sql(p->key, (struct str){ 0 }, &sql);
    if (session_query(p->session, scratch, buf_str(&sql), &r, &ignored) == 0 &&
        r.row_count == 1)
        for (unsigned i = 0; i < r.column_count; i++)
            if (str_ieq(r.names[i], STR("rows")) && r.cells[i].ptr != NULL)
                (void)str_to_u64(r.cells[i], &rows);
    buf_done(&sql);
    return rows > p->table->row_estimate ? rows : p->table->row_estimate;
}

/* ---- bounds ---- */

static void add_bound(struct splitter *p, struct str tuple)
{
    if (tuple.len > 0 && (p->count == 0 || !str_eq(p->bounds[p->count - 1], tuple)))
        p->bounds[p->count++] = tuple;
}

/* An integer part of a key as a number that holds both BIGINTs. */
static bool parse_integer(struct str text, __int128 *out)
{
    uint64_t u;
    int64_t i;
    if (text.ptr != NULL && str_to_u64(text, &u))
        *out = (__int128)u;
    else if (text.ptr != NULL && str_to_i64(text, &i))
        *out = i;
    else
        return false;
    return true;
}

static struct str format_integer(struct arena *a, __int128 v)
{
    return v < 0 ? arena_printf(a, "%" PRId64, (int64_t)v)
                 : arena_printf(a, "%" PRIu64, (uint64_t)v);
}

static struct str integer_tuple(struct arena *a, __int128 v)
{
    struct buf b;
    buf_init(&b, 64);
    key_tuple_add(&b, format_integer(a, v));
    struct str tuple = arena_str(a, buf_str(&b));
    buf_done(&b);
    return tuple;
}

/* The first column of the key's first or last row: one look-up in the index, where MIN
 * and MAX would read all of a system-versioned table. */
static int read_end(struct splitter *p, struct arena *scratch, bool last, __int128 *out,
                    bool *any, struct error *err)
{
    struct str text;
    struct buf sql;
    buf_init(&sql, FULL_SQL_BYTES);
    buf_add_text(&sql, "SELECT ");
    session_quote_ident(&sql, p->key->columns[0].name);
    buf_add_text(&sql, " FROM ");
    full_table_sql(p->key, p->table->key_name, &sql);
    buf_add_text(&sql, " ORDER BY ");
    session_quote_ident(&sql, p->key->columns[0].name);
    buf_add_text(&sql, last ? " DESC LIMIT 1" : " LIMIT 1");
    int rc = session_query_text(p->session, scratch, buf_str(&sql), &text, err);
    buf_done(&sql);
    if (rc != 0)
        return -1;
    *any = parse_integer(text, out);
    return 0;
}

/* The first whole key whose first column is at least v. */
static int key_from(struct splitter *p, __int128 v, struct str *out, struct error *err)
{
    struct buf sql;
    struct arena *scratch = arena_new(4096);
    buf_init(&sql, FULL_SQL_BYTES);
    struct full_query q = { .shape = p->key, .key_name = p->table->key_name };
    int rc = full_query_sql(&q, &sql, err);
    buf_add_text(&sql, " WHERE ");
    session_quote_ident(&sql, p->key->columns[0].name);
    buf_add_text(&sql, " >= ");
    type_quote_part(&p->key->columns[0], format_integer(scratch, v), &sql);
    full_order_sql(p->key, NULL, &sql);
    buf_add_text(&sql, " LIMIT 1");
    if (rc == 0)
        rc = query_tuple(p, buf_str(&sql), out, err);
    buf_done(&sql);
    arena_free(scratch);
    return rc;
}

/* Cut the span of the first column evenly; for composite keys the server completes each
 * cut. */
static int cut_by_number(struct splitter *p, struct arena *scratch, unsigned parts,
                         struct error *err)
{
    __int128 low = 0;
    __int128 high = 0;
    bool any = false;
    if (read_end(p, scratch, false, &low, &any, err) != 0 ||
        (any && read_end(p, scratch, true, &high, &any, err) != 0))
        return -1;
    if (!any || high <= low)
        return 0;
    for (unsigned i = 1; i < parts; i++) {
        __int128 v = low + (high - low) * i / parts;
        struct str tuple;
        if (p->key->key_count == 1)
            tuple = integer_tuple(p->arena, v);
        else if (key_from(p, v, &tuple, err) != 0)
            return -1;
        add_bound(p, tuple);
    }
    return 0;
}

/* Step over the index from bound to bound. */
static int cut_by_walk(struct splitter *p, uint64_t rows, unsigned parts,
                       struct error *err)
{
    for (unsigned i = 1; i < parts; i++) {
        struct full_query q = {
            .shape = p->key,
            .key_name = p->table->key_name,
            .after = p->count == 0 ? (struct str){ 0 } : p->bounds[p->count - 1],
            .ordered = true,
            .limit = 1,
            .offset = rows / parts,
        };
        struct buf sql;
        struct str tuple = { 0 };
        buf_init(&sql, FULL_SQL_BYTES);
        int rc = full_query_sql(&q, &sql, err);
        if (rc == 0)
            rc = query_tuple(p, buf_str(&sql), &tuple, err);
        buf_done(&sql);
        if (rc != 0)
            return -1;
        if (tuple.len == 0)
            break;
        add_bound(p, tuple);
    }
    return 0;
}

static bool is_integer(const struct column *c)
{
    return c->type == TYPE_INT || c->type == TYPE_LONG || c->type == TYPE_UBIGINT;
}

static uint64_t least_rows(const struct catalog_table *t)
{
    uint64_t width = t->row_estimate == 0 ? 0 : t->byte_estimate / t->row_estimate;
    if (width <= RANGE_BYTES_ENOUGH / RANGE_ROWS_LEAST)
        return RANGE_ROWS_LEAST;
    uint64_t least = RANGE_BYTES_ENOUGH / width;
    return least < RANGE_WIDE_ROWS_LEAST ? RANGE_WIDE_ROWS_LEAST : least;
}

static int find_bounds(struct splitter *p, unsigned parts, struct error *err)
{
    struct arena *scratch = arena_new(1u << 20);
    uint64_t rows = estimate_rows(p, scratch);
    uint64_t least = least_rows(p->table);
    if (rows / least < parts)
        parts = (unsigned)(rows / least);
    int rc = 0;
    if (parts > 1 && is_integer(&p->key->columns[0]))
        rc = cut_by_number(p, scratch, parts, err);
    else if (parts > 1 && rows <= WALK_ROWS_MOST)
        rc = cut_by_walk(p, rows, parts, err);
    arena_free(scratch);
    return rc;
}

int full_split(struct session *s, struct arena *a, const struct full_cut *cut,
               struct page_range **out, size_t *out_count, struct error *err)
{
    const struct table_schema *shape = cut->shape;
    unsigned parts = cut->parts > PARTS_MOST ? PARTS_MOST : cut->parts;
    struct str why;
    struct splitter p = { .session = s, .arena = a, .table = cut->found };
    p.bounds = ARENA_ARRAY(a, struct str, (size_t)parts + 1);
    if (parts > 1 && shape->key_count > 0 &&
        full_method_of(cut->found, false, &why) == FULL_PAGES) {
        p.key = key_shape(a, shape);
        if (find_bounds(&p, parts, err) != 0)
            return error_wrap(err, "splitting '" STR_FMT "." STR_FMT "'",
                              STR_ARG(shape->database), STR_ARG(shape->name));
    }
    struct page_range *ranges = ARENA_ARRAY(a, struct page_range, p.count + 1);
    for (size_t i = 0; i <= p.count; i++) {
        ranges[i].after = i == 0 ? (struct str){ 0 } : p.bounds[i - 1];
        ranges[i].upto = i == p.count ? (struct str){ 0 } : p.bounds[i];
    }
    *out = ranges;
    *out_count = p.count + 1;
    return 0;
}

bool full_halve(const struct table_schema *shape, struct str after, struct str upto,
                struct arena *a, struct str *middle)
{
    struct str low_text;
    struct str high_text;
    __int128 low;
    __int128 high;
    if (full_integer_key(shape) == NULL || !key_tuple_next(&after, &low_text) ||
        !key_tuple_next(&upto, &high_text) || !parse_integer(low_text, &low) ||
        !parse_integer(high_text, &high) || high - low < HALVE_LEAST)
        return false;
    *middle = integer_tuple(a, low + (high - low) / 2);
    return true;
}
