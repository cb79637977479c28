/* A few changes of a live table without a table in between: what the table has of their
 * keys goes, and the last change of each key comes, straight from the segment.
 *
 * Where an epoch touches a thousand tables, a row or two of each, a temporary table per
 * stream is what costs: DuckDB keeps all of them, dropped or not, until the transaction
 * ends. Here the keys travel with the statement that deletes by them, and the rows by
 * the appender. Whatever needs more than one look at the changes (columns that they do
 * not tell, rows without a key, keys whose equality is not that of their bytes) is left
 * to duckdb_fold.c, and so is saying what is wrong with them. */
#include "avro/container.h"
#include "avro/decode.h"
#include "base/alloc.h"
#include "base/fault.h"
#include "sink/contract.h"
#include "sink/dialect.h"
#include "sink/duckdb_internal.h"

/* What DuckDB calls the keys in the statement that deletes by them. */
#define KEYS "_tailrace_keys"

/* One look at a segment. */
struct look {
    struct duckdb_sink *s;
    const struct manifest_stream *st;
    const struct table_schema *shape; /* the plan's */
    struct decode_plan *plan;         /* owned */
    struct value *cells;              /* owned */
    const struct column_list *have;   /* of the live table */
    const struct column **key;        /* in the epoch's arena, key_count; as is: */
    struct cell_column *columns;      /* of the keys */
    duckdb_logical_type *types;       /* theirs, each owned */
    const char **names;               /* as the live table calls them */
    size_t key_count;
    duckdb_data_chunk keys; /* owned: each key once */
    idx_t keys_held;
    struct map *last; /* owned: the last change so far of each key, a bool of keep */
    bool *keep;       /* in the epoch's arena: by the segment's row, whether it comes */
    uint64_t rows, row_limit;
    int64_t sequence; /* of the row before */
    uint64_t winners;
};

/* ---- columns ---------------------------------------------------------------------- */

/* Equal bytes are equal values there and unequal ones are not: no float, no decimal, no
 * JSON; no text that is stored as something else. */
static bool bytes_tell(const struct value *v, duckdb_type type)
{
    switch ((enum value_kind)v->kind) {
    case VALUE_INT:
    case VALUE_UINT:
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_DATETIME:
    case VALUE_TIMESTAMP:
        return type != DUCKDB_TYPE_FLOAT && type != DUCKDB_TYPE_DOUBLE;
    case VALUE_TEXT:
        return type == DUCKDB_TYPE_VARCHAR;
    case VALUE_BYTES:
        return type == DUCKDB_TYPE_BLOB;
    case VALUE_ABSENT:
    case VALUE_NULL:
    case VALUE_FLOAT:
    case VALUE_DOUBLE:
    case VALUE_DECIMAL:
    case VALUE_UNSCALED:
    case VALUE_JSON:
    case VALUE_BAD_DATE:
    case VALUE_INVALID:
        break;
    }
    return false;
}

/* The table has what this program put there, and its columns are those that rows can be
 * appended to. */
static bool table_is_plain(const struct look *l, size_t appendable)
{
    for (unsigned i = SYSTEM_EXTRACTED_AT; i < SYSTEM_COLUMN_COUNT; i++)
        if (columns_find(l->have, str_of(contract_system_name((enum system_column)i))) <
            0)
            return false;
    return l->have->count == appendable;
}

/* The types of the key's columns are the table's. False: it is none of ours to read. */
static bool find_key(struct look *l, duckdb_appender table)
{
    const struct duckdb_api *api = &l->s->api;
    size_t n = l->shape->key_count;
    l->key = ARENA_ARRAY(l->s->epoch, const struct column *, n + 1);
    l->columns = ARENA_ARRAY(l->s->epoch, struct cell_column, n + 1);
    l->types = ARENA_ARRAY(l->s->epoch, duckdb_logical_type, n + 1);
    l->names = ARENA_ARRAY(l->s->epoch, const char *, n + 1);
    if (!table_is_plain(l, api->appender_column_count(table)))
        return false;
    for (unsigned i = 0; i < n; i++) {
        const struct column *c = schema_key_column(l->shape, i + 1);
        int at = c == NULL ? -1 : columns_find(l->have, c->avro_name);
        if (at < 0)
            return false;
        l->key[i] = c;
        l->names[i] = arena_text(l->s->epoch, l->have->names[at]);
        l->types[i] = api->appender_column_type(table, (idx_t)at);
        l->key_count = i + 1;
        cell_column_init(api, &l->columns[i], l->types[i]);
    }
    if (n == 0)
        return false;
    l->keys = api->create_data_chunk(l->types, n);
    for (size_t i = 0; l->keys != NULL && i < n; i++)
        cell_column_attach(api, &l->columns[i], api->data_chunk_get_vector(l->keys, i));
    return l->keys != NULL;
}

static bool look_at_table(struct look *l, struct str table)
{
    const struct duckdb_api *api = &l->s->api;
    duckdb_appender appender = NULL;
    bool ok = api->appender_create_ext(l->s->con, l->s->catalog,
                                       arena_text(l->s->epoch, l->s->m->target_schema),
                                       arena_text(l->s->epoch, table),
                                       &appender) == DuckDBSuccess &&
              find_key(l, appender);
    if (appender != NULL)
        (void)api->appender_destroy(&appender);
    return ok;
}

/* ---- rows ------------------------------------------------------------------------- */

static bool add_key_bytes(struct look *l, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < l->key_count; i++) {
        const struct value *v = &l->cells[l->key[i] - l->shape->columns];
        if (!bytes_tell(v, l->columns[i].type))
            return false;
        bool text = v->kind == VALUE_TEXT || v->kind == VALUE_BYTES;
        uint64_t head = text ? v->len : v->as.u;
        buf_add_char(out, (char)v->kind);
        buf_add(out, &head, sizeof(head));
        if (text)
            buf_add_str(out, value_str(v));
    }
    return true;
}

static bool store_key(struct look *l)
{
    for (size_t i = 0; i < l->key_count; i++)
        if (cell_store(&l->s->api, &l->columns[i], l->keys_held,
                       &l->cells[l->key[i] - l->shape->columns]) != NULL)
            return false;
    l->keys_held++;
    return true;
}

static bool tells_all(const struct look *l)
{
    for (unsigned i = 0; i < l->shape->column_count; i++)
        if (l->cells[i].kind == VALUE_ABSENT)
            return false;
    return true;
}

/* The change is the last of its key so far. */
static bool take_row(struct look *l, const struct row_meta *meta, struct buf *key)
{
    if (meta->before != NULL || l->rows == l->row_limit ||
        (l->rows > 0 && meta->sequence <= l->sequence) ||
        (meta->op != OP_INSERT && meta->op != OP_UPDATE && meta->op != OP_DELETE) ||
        !tells_all(l) || !add_key_bytes(l, key))
        return false;
    bool *mine = &l->keep[l->rows++];
    l->sequence = meta->sequence;
    *mine = l->st->append || l->st->deletes != DELETE_REMOVE || meta->op != OP_DELETE;
    if (l->st->append) {
        l->winners++;
        return true;
    }
    bool *before = map_put(l->last, buf_str(key), mine);
    if (before != NULL) {
        *before = false;
        return true;
    }
    l->winners++;
    return store_key(l);
}

static bool look_at_block(struct look *l, struct str rows, uint64_t count)
{
    struct reader in = reader_over(rows);
    struct error ignored = { 0 };
    struct buf key;
    bool ok = true;
    buf_init(&key, (size_t)1 << 20);
    for (uint64_t i = 0; i < count && ok; i++) {
        struct row_meta meta = { 0 };
        struct str column_bytes = { 0 };
        ok = decode_row(l->plan, &in, &meta, l->cells, &column_bytes, &ignored) == 0 &&
             take_row(l, &meta, &key) && buf_check(&key, "key", &ignored) == 0;
    }
    buf_done(&key);
    return ok && in.pos == in.end;
}

static bool look_at_segment(struct look *l, struct str table, struct str container)
{
    struct error ignored = { 0 };
    struct container_reader *in =
        container_reader_new(container, CONTRACT_BLOCK_LIMIT, &ignored);
    int more = in == NULL ? -1 : 1;
    bool ok = in != NULL;
    if (ok)
        l->plan = decode_plan_new(container_schema(in), &ignored);
    ok = l->plan != NULL;
    if (ok) {
        l->shape = decode_plan_schema(l->plan);
        l->cells = xcalloc(l->shape->column_count + 1u, sizeof(*l->cells));
        ok = look_at_table(l, table);
    }
    while (ok && more > 0) {
        struct str rows = { 0 };
        uint64_t count = 0;
        more = container_next_block(in, &rows, &count, &ignored);
        ok = more == 0 || (more > 0 && look_at_block(l, rows, count));
    }
    container_reader_free(in);
    return ok;
}

static void look_done(struct look *l)
{
    if (l->keys != NULL)
        l->s->api.destroy_data_chunk(&l->keys);
    for (size_t i = 0; i < l->key_count; i++)
        l->s->api.destroy_logical_type(&l->types[i]);
    free(l->cells);
    decode_plan_free(l->plan);
    map_free(l->last);
}

/* ---- into the table --------------------------------------------------------------- */

static void write_delete(const struct look *l, struct str table, struct buf *sql)
{
    buf_add_text(sql, "MERGE INTO ");
    sql_add_table(l->s, sql, table);
    buf_add_text(sql, " AS l USING " KEYS " AS s ON ");
    for (size_t i = 0; i < l->key_count; i++) {
        buf_add_text(sql, i == 0 ? "l." : " AND l.");
        dialect_quote_ident(sql, str_of(l->names[i]));
        buf_add_text(sql, " = s.");
        dialect_quote_ident(sql, str_of(l->names[i]));
    }
    buf_add_text(sql, " WHEN MATCHED THEN DELETE");
}

/* What the table has of these keys goes. */
static int delete_keys(struct look *l, struct str table, struct error *err)
{
    const struct duckdb_api *api = &l->s->api;
    duckdb_appender appender = NULL;
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    write_delete(l, table, &sql);
    int rc = buf_check(&sql, "SQL text", err);
    api->data_chunk_set_size(l->keys, l->keys_held);
    if (rc == 0 &&
        (api->appender_create_query(l->s->con, buf_text(&sql), l->key_count, l->types,
                                    KEYS, l->names, &appender) != DuckDBSuccess ||
         api->append_data_chunk(appender, l->keys) != DuckDBSuccess ||
         api->appender_close(appender) != DuckDBSuccess))
        rc = duckdb_fail(err, "deleting what changed", DUCKDB_ERROR_INVALID,
                         api->appender_error(appender));
    if (appender != NULL)
        (void)api->appender_destroy(&appender);
    buf_done(&sql);
    return rc;
}

/* The segment is the stream's only one, and short. */
static bool is_short(const struct duckdb_sink *s, const struct manifest_stream *st,
                     uint64_t *rows)
{
    size_t segments = 0;
    for (size_t i = 0; i < s->m->segment_count; i++) {
        const struct manifest_segment *g = &s->m->segments[i];
        bool mine = &s->m->streams[g->stream] == st || st->rows_of == g->stream + 1;
        if (!mine || g->kind != SEGMENT_ROWS)
            continue;
        segments++;
        *rows = g->rows;
    }
    return segments == 1 && *rows > 0 && *rows <= s->direct_rows;
}

int direct_changes(struct duckdb_sink *s, const struct manifest_stream *st,
                   struct str container, struct load_stream *out, struct error *err)
{
    const struct duckdb_stream *ds = version_stream(s, st);
    struct look l = { .s = s, .st = st, .have = &ds->columns };
    int rc = 0;
    if (st->keyless || ds->columns.count == 0 || !is_short(s, st, &l.row_limit))
        return 0;
    l.keep = ARENA_ARRAY(s->epoch, bool, l.row_limit + 1);
    l.last = map_new();
    if (look_at_segment(&l, ds->mark->target, container)) {
        FAULT("change.staged");
        if (!st->append)
            rc = delete_keys(&l, ds->mark->target, err);
        FAULT("change.deleted");
        if (rc == 0)
            rc = append_kept(s, st, container, l.keep, err);
        out->applied += l.winners;
        out->superseded += l.rows - l.winners;
        if (l.sequence > s->sequence)
            s->sequence = l.sequence;
        FAULT("change.applied");
        rc = rc == 0 ? 1 : -1;
    }
    look_done(&l);
    if (rc < 0)
        s->failed = true;
    return rc;
}
