/* Segments into tables by the data-chunk appender: a block is decoded row by row, each
 * cell goes straight into the vector of its column. */
#include "avro/container.h"
#include "avro/decode.h"
#include "base/alloc.h"
#include "sink/contract.h"
#include "sink/dialect.h"
#include "sink/duckdb_internal.h"
#include "spool/quarantine.h"

/* The appender keeps up to 60 chunks before it hands them to the table, outside DuckDB's
 * memory limit; wide rows must not make that gigabytes. Past this many bytes it is closed
 * and made again. */
#define APPENDER_BYTES ((size_t)8 << 20)

/* A chunk is appended before it holds this much. */
#define CHUNK_BYTES ((size_t)4 << 20)

enum { FROM_NOWHERE = -1, FROM_CHANGE = -50, FROM_ABSENT = -51, FROM_SYSTEM = -100 };

struct appender {
    const struct duckdb_api *api;
    duckdb_connection con;
    const char *catalog, *schema, *table; /* borrowed */
    duckdb_appender handle;
    duckdb_data_chunk chunk;
    duckdb_logical_type *types;  /* owned, column_count */
    struct cell_column *columns; /* owned, column_count */
    int *from; /* owned: cell index, FROM_NOWHERE, FROM_CHANGE, FROM_ABSENT or FROM_SYSTEM
                  - enum */
    size_t column_count;
    idx_t rows_max, rows;
    size_t chunk_bytes, pending_bytes;
};

static int appender_fail(struct appender *p, const char *doing, struct error *err)
{
    const char *message = p->api->appender_error(p->handle);
    return duckdb_fail(err, doing, DUCKDB_ERROR_INVALID, message);
}

static void appender_attach(struct appender *p)
{
    p->api->data_chunk_reset(p->chunk);
    p->rows = 0;
    p->chunk_bytes = 0;
    for (size_t i = 0; i < p->column_count; i++)
        cell_column_attach(p->api, &p->columns[i],
                           p->api->data_chunk_get_vector(p->chunk, i));
}

static void appender_done(struct appender *p)
{
    if (p->chunk != NULL)
        p->api->destroy_data_chunk(&p->chunk);
    for (size_t i = 0; p->types != NULL && i < p->column_count; i++)
        p->api->destroy_logical_type(&p->types[i]);
    free(p->types);
    free(p->columns);
    free(p->from);
    if (p->handle != NULL)
        (void)p->api->appender_destroy(&p->handle);
}

static int appender_make(struct appender *p, struct error *err)
{
    if (p->api->appender_create_ext(p->con, p->catalog, p->schema, p->table,
                                    &p->handle) != DuckDBSuccess)
        return appender_fail(p, "opening a table for rows", err);
    return 0;
}

static int appender_init(struct appender *p, struct duckdb_sink *s, const char *schema,
                         const char *table, struct error *err)
{
    *p = (struct appender){
        .api = &s->api,
        .con = s->con,
        .catalog = schema == NULL ? "temp" : s->catalog,
        .schema = schema == NULL ? "main" : schema,
        .table = table,
    };
    if (appender_make(p, err) != 0)
        return -1;
    p->column_count = p->api->appender_column_count(p->handle);
    p->types = xcalloc(p->column_count, sizeof(duckdb_logical_type));
    p->columns = xcalloc(p->column_count, sizeof(*p->columns));
    p->from = xcalloc(p->column_count, sizeof(*p->from));
    for (size_t i = 0; i < p->column_count; i++) {
        p->types[i] = p->api->appender_column_type(p->handle, i);
        cell_column_init(p->api, &p->columns[i], p->types[i]);
        p->from[i] = FROM_NOWHERE;
    }
    p->chunk = p->api->create_data_chunk(p->types, p->column_count);
    if (p->chunk == NULL)
        return error_set(err, ERR_SCHEMA, "a column's type cannot be appended to");
    p->rows_max = p->api->vector_size();
    appender_attach(p);
    return 0;
}

/* Hand buffered rows to the table. */
static int appender_close(struct appender *p, struct error *err)
{
    int rc = 0;
    if (p->api->appender_close(p->handle) != DuckDBSuccess)
        rc = appender_fail(p, "appending rows", err);
    (void)p->api->appender_destroy(&p->handle);
    p->handle = NULL;
    p->pending_bytes = 0;
    return rc;
}

static int appender_flush_chunk(struct appender *p, struct error *err)
{
    if (p->rows == 0)
        return 0;
    p->api->data_chunk_set_size(p->chunk, p->rows);
    if (p->api->append_data_chunk(p->handle, p->chunk) != DuckDBSuccess)
        return appender_fail(p, "appending rows", err);
    p->pending_bytes += p->chunk_bytes;
    appender_attach(p);
    if (p->pending_bytes < APPENDER_BYTES)
        return 0;
    return appender_close(p, err) != 0 ? -1 : appender_make(p, err);
}

static int appender_finish(struct appender *p, struct error *err)
{
    return appender_flush_chunk(p, err) != 0 ? -1 : appender_close(p, err);
}

/* ---- rows of a stream ------------------------------------------------------------- */

struct row_loader {
    struct duckdb_sink *s;
    const struct manifest_stream *st;
    const struct table_schema *shape; /* of the segment; the plan's */
    struct decode_plan *plan;         /* owned */
    struct value *cells, *other;      /* owned */
    struct appender out;
    char *absent;      /* owned: of changes, a digit per column of the table */
    struct str change; /* of changes: what CHANGE_COLUMN gets, and */
    bool acted;        /* whether it is what a foreign key did */
    const bool *keep;  /* of changes, by the row's place: whether it comes; or NULL */
    uint64_t row;      /* 1-based, of the segment */
};

/* Names of the table's columns, in order. */
struct column_names {
    struct row_loader *l;
    size_t at;
};

static void match_column(struct column_names *names, struct str name)
{
    struct appender *p = &names->l->out;
    const struct table_schema *shape = names->l->shape;
    if (names->at++ >= p->column_count)
        return;
    size_t at = names->at - 1;
    enum system_column c = contract_system_find(name);
    if (c != SYSTEM_COLUMN_COUNT)
        p->from[at] = FROM_SYSTEM - (int)c;
    else if (names->l->st->changes && str_eq(name, STR(CHANGE_COLUMN)))
        p->from[at] = FROM_CHANGE;
    else if (names->l->st->changes && str_eq(name, STR(ABSENT_COLUMN)))
        p->from[at] = FROM_ABSENT;
    for (unsigned i = 0; c == SYSTEM_COLUMN_COUNT && i < shape->column_count; i++) {
        if (!str_ieq(name, shape->columns[i].avro_name))
            continue;
        p->from[at] = (int)i;
        p->columns[at].borrows = true;
        if (shape->columns[i].type == TYPE_DECIMAL)
            p->columns[at].value_scale = shape->columns[i].scale;
    }
}

/* Which cell goes into which column of the table; a column of the segment without one is
 * a bug of ours: shape() runs first. */
static int match_columns(struct row_loader *l, struct str table, struct error *err)
{
    struct column_names names = { .l = l };
    struct column_list have = { .arena = l->s->epoch };
    struct buf name;
    int rc = 0;
    buf_init(&name, 4096);
    dialect_quote_ident(&name, str_of(l->out.catalog));
    buf_add_char(&name, '.');
    dialect_quote_table(&name, str_of(l->out.schema), table);
    if (l->keep != NULL)
        have = version_stream(l->s, l->st)->columns;
    else
        rc = columns_of(l->s, buf_str(&name), &have, err);
    buf_done(&name);
    if (rc != 0)
        return -1;
    for (size_t i = 0; i < have.count; i++)
        match_column(&names, have.names[i]);
    unsigned matched = 0;
    for (size_t i = 0; i < l->out.column_count; i++)
        matched += l->out.from[i] >= 0 ? 1 : 0;
    if (names.at != l->out.column_count || matched != l->shape->column_count)
        return error_set(err, ERR_BUG,
                         "table '" STR_FMT "' has %u of the segment's %u columns",
                         STR_ARG(table), matched, l->shape->column_count);
    return 0;
}

static struct value system_value(const struct row_loader *l, enum system_column c,
                                 const struct row_meta *meta, struct str key_text)
{
    struct value v = { .kind = VALUE_TIMESTAMP };
    switch (c) {
    case SYSTEM_PRIMARY_KEY:
        return l->st->keyless ? value_of_bytes(VALUE_TEXT, key_text)
                              : (struct value){ .kind = VALUE_NULL };
    case SYSTEM_EXTRACTED_AT:
        v.as.i = meta->at;
        return v;
    case SYSTEM_RECEIVED_AT:
        v.as.i = l->s->m->captured_at;
        return v;
    case SYSTEM_BATCHED_AT:
        v.as.i = l->s->batched_at;
        return v;
    case SYSTEM_SEQUENCE:
        return (struct value){ .as.i = meta->sequence, .kind = VALUE_INT };
    case SYSTEM_TABLE_VERSION:
        return (struct value){ .as.i = (int64_t)l->st->version, .kind = VALUE_INT };
    case SYSTEM_DELETED_AT:
        v.as.i = meta->at;
        if (meta->op == OP_DELETE)
            return v;
        break;
    case SYSTEM_COLUMN_COUNT:
        break;
    }
    return (struct value){ .kind = VALUE_NULL };
}

/* ---- changes ---------------------------------------------------------------------- */

/* A bad date's companion is absent with its date. */
static bool is_absent(const struct row_loader *l, int cell)
{
    uint16_t companion = l->shape->columns[cell].companion;
    return l->cells[cell].kind == VALUE_ABSENT ||
           (companion != 0 && l->cells[companion - 1].kind == VALUE_ABSENT);
}

/* A digit per column of the table: 1 where the change says nothing of it. NULL where it
 * says something of all. */
static struct value absent_value(struct row_loader *l)
{
    struct appender *p = &l->out;
    bool any = false;
    for (size_t i = 0; i < p->column_count; i++) {
        bool absent = p->from[i] >= 0 && is_absent(l, p->from[i]);
        bool made = p->from[i] >= 0 && l->shape->columns[p->from[i]].companion != 0;
        l->absent[i] = absent ? '1' : '0';
        if (l->acted && p->from[i] >= 0)
            l->absent[i] = absent || made ? '1' : '2';
        any = any || absent || l->acted;
    }
    if (!any)
        return (struct value){ .kind = VALUE_NULL };
    return value_of_bytes(VALUE_TEXT, (struct str){ l->absent, p->column_count });
}

/* What the fold relies on. */
static int check_change(struct row_loader *l, const struct row_meta *meta,
                        struct error *err)
{
    for (unsigned i = 0; i < l->shape->column_count; i++) {
        const struct column *c = &l->shape->columns[i];
        bool key = c->key_ordinal != 0 && !l->st->keyless;
        const char *why = NULL;
        if (key && l->cells[i].kind == VALUE_NULL)
            why = "is NULL in a key";
        else if ((key || l->st->keyless || meta->op == OP_INSERT) && is_absent(l, (int)i))
            why = "is absent where it has to be known";
        if (why == NULL)
            continue;
        err->row = l->row;
        return error_set(err, ERR_DATA, "row %llu, column '" STR_FMT "' %s",
                         (unsigned long long)l->row, STR_ARG(c->avro_name), why);
    }
    if (meta->op != OP_INSERT && meta->op != OP_UPDATE && meta->op != OP_DELETE)
        return error_set(err, ERR_PROTOCOL, "row %llu is no change",
                         (unsigned long long)l->row);
    if (meta->sequence > l->s->sequence)
        l->s->sequence = meta->sequence;
    return 0;
}

static struct str change_code(enum row_op op)
{
    return op == OP_DELETE ? STR("D") : op == OP_UPDATE ? STR("U") : STR("I");
}

/* What goes into column i of the table. */
static struct value column_value(struct row_loader *l, size_t i,
                                 const struct row_meta *meta, struct str key_text)
{
    int from = l->out.from[i];
    if (from >= 0 && l->keep != NULL && meta->op == OP_DELETE &&
        l->st->deletes == DELETE_BLANK && l->shape->columns[from].key_ordinal == 0)
        return (struct value){ .kind = VALUE_NULL };
    if (from >= 0)
        return l->cells[from].kind == VALUE_ABSENT ? (struct value){ .kind = VALUE_NULL }
                                                   : l->cells[from];
    if (from <= FROM_SYSTEM)
        return system_value(l, (enum system_column)(FROM_SYSTEM - from), meta, key_text);
    if (from == FROM_CHANGE)
        return value_of_bytes(VALUE_TEXT, l->change);
    if (from == FROM_ABSENT)
        return absent_value(l);
    return (struct value){ .kind = VALUE_NULL };
}

/* The row as its cells are now. */
static int put_row(struct row_loader *l, const struct row_meta *meta, struct str key_text,
                   struct error *err)
{
    struct appender *p = &l->out;
    for (size_t i = 0; i < p->column_count; i++) {
        struct value v = column_value(l, i, meta, key_text);
        const char *why = cell_store(p->api, &p->columns[i], p->rows, &v);
        if (why != NULL) {
            struct str name = p->from[i] >= 0 ? l->shape->columns[p->from[i]].avro_name
                                              : STR("a system column");
            (void)error_set(err, ERR_DATA, "row %llu, column '" STR_FMT "': %s",
                            (unsigned long long)l->row, STR_ARG(name), why);
            err->row = l->row;
            return -1;
        }
    }
    p->rows++;
    return p->rows == p->rows_max ? appender_flush_chunk(p, err) : 0;
}

/* What a foreign key did: X, or F and G. */
static int store_acted(struct row_loader *l, const struct row_meta *meta,
                       struct error *err)
{
    struct row_meta to = *meta;
    bool gone = meta->op == OP_DELETE;
    to.sequence++;
    if (!l->st->changes || l->st->keyless || l->keep != NULL ||
        (!gone && meta->op != OP_UPDATE))
        return error_set(err, ERR_PROTOCOL,
                         "row %llu is what a foreign key did, and may not be",
                         (unsigned long long)l->row);
    l->acted = version_stream(l->s, l->st)->acted = true;
    if (to.sequence > l->s->sequence)
        l->s->sequence = to.sequence;
    for (unsigned i = 0; i < l->shape->column_count; i++) {
        l->other[i] = l->cells[i];
        if (l->cells[i].kind != VALUE_ABSENT)
            l->cells[i] = meta->before[i];
    }
    l->change = gone ? STR("X") : STR("F");
    int rc = put_row(l, meta, (struct str){ 0 }, err);
    if (rc == 0 && !gone) {
        memcpy(l->cells, l->other, l->shape->column_count * sizeof(*l->cells));
        l->change = STR("G");
        rc = put_row(l, &to, (struct str){ 0 }, err);
    }
    l->acted = false;
    return rc;
}

static int store_row(struct row_loader *l, const struct row_meta *meta,
                     struct str column_bytes, struct error *err)
{
    struct appender *p = &l->out;
    uint8_t key[CONTRACT_KEY_BYTES];
    char key_text[CONTRACT_KEY_TEXT];
    p->chunk_bytes += column_bytes.len + p->column_count;
    if (meta->before != NULL) {
        if (store_acted(l, meta, err) != 0)
            return -1;
    } else {
        if (l->st->keyless) {
            contract_row_key(column_bytes, key);
            contract_key_text(key, key_text);
        }
        l->change = change_code(meta->op);
        if ((l->st->changes && check_change(l, meta, err) != 0) ||
            put_row(l, meta, (struct str){ key_text, sizeof(key_text) }, err) != 0)
            return -1;
    }
    return p->chunk_bytes >= CHUNK_BYTES ? appender_flush_chunk(p, err) : 0;
}

static int load_block(struct row_loader *l, struct str rows, uint64_t row_count,
                      struct error *err)
{
    struct reader in = reader_over(rows);
    for (uint64_t i = 0; i < row_count; i++) {
        struct row_meta meta = { 0 };
        struct str column_bytes = { 0 };
        l->row++;
        if (decode_row(l->plan, &in, &meta, l->cells, &column_bytes, err) != 0) {
            err->row = l->row;
            return error_wrap(err, "row %llu", (unsigned long long)l->row);
        }
        if (l->keep != NULL && !l->keep[l->row - 1])
            continue;
        if (store_row(l, &meta, column_bytes, err) != 0)
            return -1;
    }
    if (in.pos != in.end)
        return error_set(err, ERR_PROTOCOL, "a block has bytes behind its last row");
    if (appender_flush_chunk(&l->out, err) != 0) /* texts are borrowed from the block */
        return -1;
    if (cancel_requested(l->s->cancel) == CANCEL_HARD)
        return cancel_check(l->s->cancel, err);
    return 0;
}

static int load_blocks(struct row_loader *l, struct container_reader *in,
                       struct error *err)
{
    for (;;) {
        struct str rows = { 0 };
        uint64_t row_count = 0;
        int more = container_next_block(in, &rows, &row_count, err);
        if (more <= 0)
            return more == 0 ? appender_finish(&l->out, err) : -1;
        if (load_block(l, rows, row_count, err) != 0)
            return -1;
    }
}

static int append_rows(struct row_loader *l, struct str table, struct str container,
                       struct error *err)
{
    struct duckdb_sink *s = l->s;
    struct container_reader *in =
        container_reader_new(container, CONTRACT_BLOCK_LIMIT, err);
    int rc = -1;
    bool staged = str_eq(table, STR(STAGE_TABLE));
    const char *schema_name = staged ? NULL : arena_text(s->epoch, s->m->target_schema);
    const char *table_name = arena_text(s->epoch, table);
    if (in == NULL)
        return -1;
    l->plan = decode_plan_new(container_schema(in), err);
    if (l->plan != NULL) {
        l->shape = decode_plan_schema(l->plan);
        l->cells = xcalloc(l->shape->column_count, sizeof(*l->cells));
        l->other = xcalloc(l->shape->column_count, sizeof(*l->other));
        rc = appender_init(&l->out, s, schema_name, table_name, err);
        l->absent = xcalloc(l->out.column_count + 1, 1);
        if (rc == 0)
            rc = match_columns(l, table, err);
        if (rc == 0)
            rc = load_blocks(l, in, err);
        appender_done(&l->out);
    }
    free(l->cells);
    free(l->other);
    free(l->absent);
    decode_plan_free(l->plan);
    container_reader_free(in);
    if (rc != 0)
        s->failed = true;
    return rc;
}

int append_segment(struct duckdb_sink *s, const struct manifest_stream *st,
                   struct str table, struct str container, uint64_t *rows,
                   struct error *err)
{
    struct row_loader l = { .s = s, .st = st };
    if (append_rows(&l, table, container, err) != 0)
        return -1;
    *rows = l.row;
    return 0;
}

int append_kept(struct duckdb_sink *s, const struct manifest_stream *st,
                struct str container, const bool *keep, struct error *err)
{
    struct row_loader l = { .s = s, .st = st, .keep = keep };
    return append_rows(&l, version_stream(s, st)->mark->target, container, err);
}

/* ---- rejects ---------------------------------------------------------------------- */

static int store_reject(struct duckdb_sink *s, struct appender *p, const struct reject *r,
                        struct error *err)
{
    struct value cells[] = {
        value_of_bytes(VALUE_TEXT, r->table),
        value_of_bytes(VALUE_TEXT, r->column),
        value_of_bytes(VALUE_TEXT, r->reason),
        value_of_bytes(VALUE_TEXT, r->record),
        { .as.i = r->sequence, .kind = VALUE_INT },
        { .as.i = s->m->captured_at, .kind = VALUE_TIMESTAMP },
    };
    if (r->column.len == 0)
        cells[1] = (struct value){ .kind = VALUE_NULL };
    if (p->column_count != sizeof(cells) / sizeof(cells[0]))
        return error_set(err, ERR_SCHEMA, "'%s' has other columns than expected",
                         CONTRACT_REJECTED_TABLE);
    for (size_t i = 0; i < p->column_count; i++) {
        const char *why = cell_store(p->api, &p->columns[i], p->rows, &cells[i]);
        if (why != NULL)
            return error_set(err, ERR_DATA, "a rejected row: %s", why);
    }
    p->rows++;
    p->chunk_bytes += r->record.len + r->reason.len;
    if (p->rows == p->rows_max || p->chunk_bytes >= CHUNK_BYTES)
        return appender_flush_chunk(p, err);
    return 0;
}

static int load_rejects(struct duckdb_sink *s, struct appender *p,
                        struct container_reader *in, uint64_t *rows, struct error *err)
{
    for (;;) {
        struct str block = { 0 };
        uint64_t count = 0;
        int more = container_next_block(in, &block, &count, err);
        if (more <= 0)
            return more == 0 ? appender_finish(p, err) : -1;
        struct reader r = reader_over(block);
        for (uint64_t i = 0; i < count; i++) {
            struct reject reject = { 0 };
            if (reject_decode(&r, &reject, err) != 0 ||
                store_reject(s, p, &reject, err) != 0)
                return -1;
            (*rows)++;
        }
    }
}

int append_rejects(struct duckdb_sink *s, struct str container, uint64_t *rows,
                   struct error *err)
{
    struct appender p = { 0 };
    uint64_t count = 0;
    const char *schema_name = arena_text(s->epoch, s->m->target_schema);
    struct container_reader *in =
        container_reader_new(container, CONTRACT_BLOCK_LIMIT, err);
    if (in == NULL)
        return -1;
    int rc = appender_init(&p, s, schema_name, CONTRACT_REJECTED_TABLE, err);
    if (rc == 0)
        rc = load_rejects(s, &p, in, &count, err);
    appender_done(&p);
    container_reader_free(in);
    if (rc == 0)
        *rows = count;
    else
        s->failed = true;
    return rc;
}
