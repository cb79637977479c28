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
    buf_add_text(&sql, "SELECT name, type FROM pragma_table_info(");
    dialect_quote_literal(&sql, sql_name);
    buf_add_text(&sql, ") ORDER BY cid");
    int rc = buf_check(&sql, "SQL text", err);
    if (rc == 0)
        rc = sql_rows(s, buf_text(&sql), NULL, 0, SQL_INTO(list_column, out), err);
    buf_done(&sql);
    return rc;
}

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
        rc = sql_run_buf(s, &sql, err);
    } else if (dialect_duckdb_widen(have->types[i], type, &wide, err) != 0) {
        rc = error_wrap(err, "column '" STR_FMT "'", STR_ARG(name));
    } else if (!str_eq(have->types[i], buf_str(&wide))) {
        buf_add_text(&sql, " ALTER COLUMN ");
        dialect_quote_ident(&sql, name);
        buf_add_text(&sql, " SET DATA TYPE ");
        buf_add_str(&sql, buf_str(&wide));
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
