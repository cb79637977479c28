#include "base/alloc.h"
#include "sink/dialect.h"
#include "sink/duckdb_internal.h"

void sql_add_table(const struct duckdb_sink *s, struct buf *sql, struct str table)
{
    dialect_quote_ident(sql, str_of(s->catalog));
    buf_add_char(sql, '.');
    dialect_quote_table(sql, s->m->target_schema, table);
}

void sql_add_column(struct buf *sql, const char *alias, struct str name)
{
    buf_add_text(sql, alias);
    buf_add_char(sql, '.');
    dialect_quote_ident(sql, name);
}

void sql_add_keys(struct buf *sql, const char *alias, const struct key_list *key)
{
    for (size_t i = 0; i < key->count; i++) {
        buf_add_text(sql, i == 0 ? "" : ", ");
        sql_add_column(sql, alias, key->names[i]);
    }
}

void sql_add_same_key(struct buf *sql, const char *a, const char *b,
                      const struct key_list *key)
{
    for (size_t i = 0; i < key->count; i++) {
        buf_add_text(sql, i == 0 ? "" : " AND ");
        sql_add_column(sql, a, key->names[i]);
        buf_add_text(sql, key->nullable[i] ? " IS NOT DISTINCT FROM " : " = ");
        sql_add_column(sql, b, key->names[i]);
    }
}

static int run_changing(struct duckdb_sink *s, const char *sql, uint64_t *changed,
                        struct error *err)
{
    duckdb_result result = { 0 };
    int rc = 0;
    *changed = 0;
    if (s->api.query(s->con, sql, &result) != DuckDBSuccess) {
        s->failed = true;
        rc = duckdb_fail(err, "DuckDB", s->api.result_error_type(&result),
                         s->api.result_error(&result));
    } else {
        *changed = s->api.rows_changed(&result);
    }
    s->api.destroy_result(&result);
    return rc;
}

int sql_run(struct duckdb_sink *s, const char *sql, struct error *err)
{
    uint64_t ignored = 0;
    return run_changing(s, sql, &ignored, err);
}

int sql_change(struct duckdb_sink *s, struct buf *sql, uint64_t *changed,
               struct error *err)
{
    int rc = buf_check(sql, "SQL text", err);
    if (rc == 0)
        rc = run_changing(s, buf_text(sql), changed, err);
    else
        s->failed = true;
    buf_clear(sql);
    return rc;
}

int sql_run_buf(struct duckdb_sink *s, struct buf *sql, struct error *err)
{
    uint64_t ignored = 0;
    return sql_change(s, sql, &ignored, err);
}

int sql_number(struct duckdb_sink *s, struct buf *sql, uint64_t *out, struct error *err)
{
    int rc = buf_check(sql, "SQL text", err);
    *out = 0;
    if (rc == 0)
        rc = sql_rows(s, buf_text(sql), NULL, 0, SQL_INTO(version_number_row, out), err);
    else
        s->failed = true;
    buf_clear(sql);
    return rc;
}

static duckdb_state bind(const struct duckdb_api *api, duckdb_prepared_statement p,
                         idx_t index, const struct sql_param *param)
{
    switch (param->kind) {
    case PARAM_TEXT:
        return api->bind_varchar_length(
            p, index, param->text.ptr == NULL ? "" : param->text.ptr, param->text.len);
    case PARAM_INT:
        return api->bind_int64(p, index, param->number);
    case PARAM_NULL:
        return api->bind_null(p, index);
    }
    return DuckDBError;
}

/* Bytes of one string of a vector (duckdb.h: up to twelve stand inline). */
static struct str string_of(const duckdb_string_t *t)
{
    uint32_t length = t->value.inlined.length;
    return (struct str){ length <= 12 ? t->value.inlined.inlined : t->value.pointer.ptr,
                         length };
}

/* Returns 0, 1 when row said stop, -1. */
static int hand_out_chunk(const struct duckdb_api *api, duckdb_data_chunk chunk,
                          struct str *cells, size_t columns, const struct sql_into *into,
                          struct error *err)
{
    idx_t rows = api->data_chunk_get_size(chunk);
    for (idx_t i = 0; i < rows; i++) {
        for (size_t c = 0; c < columns; c++) {
            duckdb_vector v = api->data_chunk_get_vector(chunk, c);
            const uint64_t *validity = api->vector_get_validity(v);
            const duckdb_string_t *strings = api->vector_get_data(v);
            bool is_null =
                validity != NULL && (validity[i / 64] & ((uint64_t)1 << (i % 64))) == 0;
            cells[c] = is_null ? (struct str){ 0 } : string_of(&strings[i]);
        }
        int rc = into->row(into->ctx, cells, columns, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int sql_hand_out(const struct duckdb_api *api, duckdb_result *result,
                 const struct sql_into *into, struct error *err)
{
    size_t columns = api->column_count(result);
    struct str *cells = xcalloc(columns == 0 ? 1 : columns, sizeof(*cells));
    int rc = 0;
    while (rc == 0) {
        duckdb_data_chunk chunk = api->fetch_chunk(*result);
        if (chunk == NULL) {
            /* the end, or a failure in the middle of a streamed result */
            const char *message = api->result_error(result);
            if (message != NULL && message[0] != '\0')
                rc = duckdb_fail(err, "DuckDB", api->result_error_type(result), message);
            break;
        }
        rc = hand_out_chunk(api, chunk, cells, columns, into, err);
        api->destroy_data_chunk(&chunk);
    }
    free(cells);
    return rc;
}

static int run_prepared(struct duckdb_sink *s, duckdb_prepared_statement p,
                        const struct sql_into *into, struct error *err)
{
    duckdb_result result = { 0 };
    int rc = 0;
    if (s->api.execute_prepared(p, &result) != DuckDBSuccess)
        rc = duckdb_fail(err, "DuckDB", s->api.result_error_type(&result),
                         s->api.result_error(&result));
    else if (into != NULL)
        rc = sql_hand_out(&s->api, &result, into, err);
    s->api.destroy_result(&result);
    return rc;
}

int sql_rows(struct duckdb_sink *s, const char *sql, const struct sql_param *params,
             size_t param_count, const struct sql_into *into, struct error *err)
{
    duckdb_prepared_statement p = NULL;
    int rc = 0;
    if (s->api.prepare(s->con, sql, &p) != DuckDBSuccess)
        rc = duckdb_fail(err, "DuckDB", DUCKDB_ERROR_BINDER, s->api.prepare_error(p));
    for (size_t i = 0; rc == 0 && i < param_count; i++)
        if (bind(&s->api, p, i + 1, &params[i]) != DuckDBSuccess)
            rc = error_set(err, ERR_BUG, "parameter %zu of a statement cannot be bound",
                           i + 1);
    if (rc == 0)
        rc = run_prepared(s, p, into, err);
    s->api.destroy_prepare(&p);
    if (rc < 0)
        s->failed = true;
    return rc < 0 ? -1 : 0;
}
