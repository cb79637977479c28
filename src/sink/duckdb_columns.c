/* Columns of a table: what it has, and making it able to hold more. */
#include "sink/dialect.h"
#include "sink/duckdb_internal.h"

static int list_column(void *ctx, const struct str *cells, size_t count,
                       struct error *err)
{
    struct column_list *list = ctx;
    (void)count;
    (void)err;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        struct str *names = ARENA_ARRAY(list->arena, struct str, capacity);
        struct str *types = ARENA_ARRAY(list->arena, struct str, capacity);
        for (size_t i = 0; i < list->count; i++) {
            names[i] = list->names[i];
            types[i] = list->types[i];
        }
        list->names = names;
        list->types = types;
        list->capacity = capacity;
    }
    list->names[list->count] = arena_str(list->arena, cells[0]);
    list->types[list->count++] = arena_str(list->arena, cells[1]);
    return 0;
}

int columns_read(struct duckdb_sink *s, struct str table, struct column_list *out,
                 struct error *err)
{
    struct sql_param params[] = { SQL_TEXT(s->m->target_schema), SQL_TEXT(table) };
    return sql_rows(
        s,
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name "
        "= current_database() AND lower(schema_name) = lower(?) AND lower(table_name) = "
        "lower(?) "
        "ORDER BY column_index",
        params, 2, SQL_INTO(list_column, out), err);
}

int columns_of(struct duckdb_sink *s, struct str sql_name, struct column_list *out,
               struct error *err)
{
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    if (memmem(sql_name.ptr, sql_name.len, "\"\"", 2) != NULL) {
        /* the function takes names apart by itself, and does not know of "" */
        buf_add_text(&sql, "SELECT column_name, column_type FROM (DESCRIBE ");
        buf_add_str(&sql, sql_name);
        buf_add_text(&sql, ")");
    } else {
        buf_add_text(&sql, "SELECT name, type FROM pragma_table_info(");
        dialect_quote_literal(&sql, sql_name);
        buf_add_text(&sql, ") ORDER BY cid");
    }
    int rc = buf_check(&sql, "SQL text", err);
    if (rc == 0)
        rc = sql_rows(s, buf_text(&sql), NULL, 0, SQL_INTO(list_column, out), err);
    buf_done(&sql);
    return rc;
}

int columns_fit(struct duckdb_sink *s, struct str table, const struct column_list *have,
                const struct table_schema *want, struct error *err)
{
    struct buf type;
    int rc = 0;
    buf_init(&type, 256);
    for (unsigned i = 0; i < want->column_count && rc == 0; i++) {
        buf_clear(&type);
        type_sql(&want->columns[i], SQL_DUCKDB, &type);
        rc = columns_alter(s, table, have, want->columns[i].avro_name, buf_str(&type),
                           err);
    }
    buf_done(&type);
    return rc;
}

/* ---- without a statement ---------------------------------------------------------- */

/* As DuckDB spells it; NULL for a type that only its catalog can tell. */
static const char *type_name(const struct duckdb_api *api, duckdb_logical_type type)
{
    static const char *const names[] = {
        [DUCKDB_TYPE_BOOLEAN] = "BOOLEAN",
        [DUCKDB_TYPE_TINYINT] = "TINYINT",
        [DUCKDB_TYPE_SMALLINT] = "SMALLINT",
        [DUCKDB_TYPE_INTEGER] = "INTEGER",
        [DUCKDB_TYPE_BIGINT] = "BIGINT",
        [DUCKDB_TYPE_UTINYINT] = "UTINYINT",
        [DUCKDB_TYPE_USMALLINT] = "USMALLINT",
        [DUCKDB_TYPE_UINTEGER] = "UINTEGER",
        [DUCKDB_TYPE_UBIGINT] = "UBIGINT",
        [DUCKDB_TYPE_FLOAT] = "FLOAT",
        [DUCKDB_TYPE_DOUBLE] = "DOUBLE",
        [DUCKDB_TYPE_TIMESTAMP] = "TIMESTAMP",
        [DUCKDB_TYPE_DATE] = "DATE",
        [DUCKDB_TYPE_TIME] = "TIME",
        [DUCKDB_TYPE_INTERVAL] = "INTERVAL",
        [DUCKDB_TYPE_HUGEINT] = "HUGEINT",
        [DUCKDB_TYPE_VARCHAR] = "VARCHAR",
        [DUCKDB_TYPE_BLOB] = "BLOB",
        [DUCKDB_TYPE_UUID] = "UUID",
        [DUCKDB_TYPE_TIMESTAMP_TZ] = "TIMESTAMP WITH TIME ZONE",
    };
    char *alias = api->logical_type_get_alias(type);
    unsigned id = (unsigned)api->get_type_id(type);
    bool json = alias != NULL && strcmp(alias, "JSON") == 0;
    bool plain = alias == NULL && id < sizeof(names) / sizeof(names[0]);
    if (alias != NULL)
        api->free(alias);
    return json ? "JSON" : plain ? names[id] : NULL;
}

static bool add_described(struct duckdb_sink *s, duckdb_table_description d,
                          duckdb_appender table, idx_t i, struct column_list *out)
{
    char *name = s->api.table_description_get_column_name(d, i);
    duckdb_logical_type type = s->api.appender_column_type(table, i);
    const char *spelled = type_name(&s->api, type);
    struct str cells[2] = { { 0 } };
    struct error ignored;
    if (s->api.get_type_id(type) == DUCKDB_TYPE_DECIMAL)
        cells[1] = arena_printf(out->arena, "DECIMAL(%u,%u)", s->api.decimal_width(type),
                                s->api.decimal_scale(type));
    else if (spelled != NULL)
        cells[1] = str_of(spelled);
    bool ok = name != NULL && cells[1].len > 0;
    if (ok) {
        cells[0] = str_of(name);
        (void)list_column(out, cells, 2, &ignored);
    }
    if (name != NULL)
        s->api.free(name);
    s->api.destroy_logical_type(&type);
    return ok;
}

/* False: somebody has to ask the catalog. Columns that nothing can be appended to are in
 * the description and not in the appender. */
static bool describe(struct duckdb_sink *s, const char *schema, const char *table,
                     struct column_list *out)
{
    const struct duckdb_api *api = &s->api;
    duckdb_table_description d = NULL;
    duckdb_appender appender = NULL;
    bool ok = api->appender_create_ext(s->con, s->catalog, schema, table, &appender) ==
                  DuckDBSuccess &&
              api->table_description_create_ext(s->con, s->catalog, schema, table, &d) ==
                  DuckDBSuccess;
    idx_t count = ok ? api->appender_column_count(appender) : 0;
    for (idx_t i = 0; i < count && ok; i++)
        ok = add_described(s, d, appender, i, out);
    if (ok) {
        char *more = api->table_description_get_column_name(d, count);
        ok = more == NULL && count > 0;
        if (more != NULL)
            api->free(more);
    }
    if (appender != NULL)
        (void)api->appender_destroy(&appender);
    if (d != NULL)
        api->table_description_destroy(&d);
    return ok;
}

int columns_of_table(struct duckdb_sink *s, struct str table, struct column_list *out,
                     struct error *err)
{
    struct buf name;
    if (describe(s, arena_text(s->epoch, s->m->target_schema),
                 arena_text(s->epoch, table), out))
        return 0;
    out->count = 0;
    buf_init(&name, 4096);
    sql_add_table(s, &name, table);
    int rc = columns_of(s, buf_str(&name), out, err);
    buf_done(&name);
    return rc;
}

/* ---- looking and altering --------------------------------------------------------- */

int columns_find(const struct column_list *list, struct str name)
{
    for (size_t i = 0; i < list->count; i++)
        if (str_ieq(list->names[i], name))
            return (int)i;
    return -1;
}

int columns_alter(struct duckdb_sink *s, struct str table, const struct column_list *have,
                  struct str name, struct str type, struct error *err)
{
    struct buf sql, wide;
    int rc = 0;
    int i = columns_find(have, name);
    buf_init(&sql, SQL_LIMIT);
    buf_init(&wide, 256);
    buf_add_text(&sql, "ALTER TABLE ");
    sql_add_table(s, &sql, table);
    if (i < 0) {
        buf_add_text(&sql, " ADD COLUMN ");
        dialect_quote_ident(&sql, name);
        buf_add_char(&sql, ' ');
        buf_add_str(&sql, type);
        s->alters++;
        rc = sql_run_buf(s, &sql, err);
    } else if (dialect_duckdb_widen(have->types[i], type, &wide, err) != 0) {
        rc = error_wrap(err, "column '" STR_FMT "'", STR_ARG(name));
    } else if (!str_eq(have->types[i], buf_str(&wide))) {
        buf_add_text(&sql, " ALTER COLUMN ");
        dialect_quote_ident(&sql, name);
        buf_add_text(&sql, " SET DATA TYPE ");
        buf_add_str(&sql, buf_str(&wide));
        s->alters++;
        rc = sql_run_buf(s, &sql, err);
    }
    buf_done(&sql);
    buf_done(&wide);
    return rc;
}

int columns_rename(struct duckdb_sink *s, struct str table, struct str from,
                   struct str to, struct error *err)
{
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    buf_add_text(&sql, "ALTER TABLE ");
    sql_add_table(s, &sql, table);
    buf_add_text(&sql, " RENAME COLUMN ");
    dialect_quote_ident(&sql, from);
    buf_add_text(&sql, " TO ");
    dialect_quote_ident(&sql, to);
    int rc = sql_run_buf(s, &sql, err);
    buf_done(&sql);
    return rc;
}
