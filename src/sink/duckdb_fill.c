/* What rows of a live table get in columns that are new at the source.
 *
 * ALTER COLUMN ... SET DATA TYPE ... USING writes one column, by blocks: 10 million rows
 * take 0.7 s and the commit 10 ms, where an UPDATE takes 5 to 8 s and keeps in memory
 * what it replaces (1.5.5). Before rows of the epoch come: DuckDB refuses to commit a
 * table that lost rows and was altered behind that. */
#include "base/fault.h"
#include "sink/dialect.h"
#include "sink/duckdb_internal.h"

static void begin_alter(struct duckdb_sink *s, struct buf *sql, struct str table,
                        struct str column, struct str type)
{
    buf_add_text(sql, "ALTER TABLE ");
    sql_add_table(s, sql, table);
    buf_add_text(sql, " ALTER COLUMN ");
    dialect_quote_ident(sql, column);
    buf_add_text(sql, " SET DATA TYPE ");
    buf_add_str(sql, type);
    buf_add_text(sql, " USING ");
}

/* See manifest_fill.value. */
static void add_value(struct buf *sql, struct str value, struct str type)
{
    if (str_eq(type, STR("BLOB"))) {
        buf_add_text(sql, "unhex(");
        dialect_quote_literal(sql, value);
        buf_add_text(sql, ")");
    } else if (str_eq(type, STR("INTERVAL"))) {
        buf_add_text(sql, "to_microseconds(CAST(");
        dialect_quote_literal(sql, value);
        buf_add_text(sql, " AS BIGINT))");
    } else {
        buf_add_text(sql, "CAST(");
        dialect_quote_literal(sql, value);
        buf_add_text(sql, " AS ");
        buf_add_str(sql, type);
        buf_add_text(sql, ")");
    }
}

/* Rows that are marked deleted were deleted before the column was there. */
static int fill_value(struct duckdb_sink *s, struct str table,
                      const struct manifest_fill *f, struct str type, struct error *err)
{
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    begin_alter(s, &sql, table, f->column, type);
    buf_add_text(&sql, "CASE WHEN _sdc_deleted_at IS NULL THEN ");
    add_value(&sql, f->value, type);
    buf_add_text(&sql, " ELSE ");
    dialect_quote_ident(&sql, f->column);
    buf_add_text(&sql, " END");
    s->alters++;
    int rc = sql_run_buf(s, &sql, err);
    buf_done(&sql);
    return rc;
}

/* The new column can hold what the old one has: that is of its type, or wider. */
static int fill_from(struct duckdb_sink *s, struct str table,
                     const struct manifest_fill *f, const struct column_list *have,
                     struct error *err)
{
    int from = columns_find(have, f->from);
    if (from < 0)
        return error_set(err, ERR_SCHEMA,
                         "the live table has no column '" STR_FMT "' any more",
                         STR_ARG(f->from));
    struct str type = have->types[from];
    if (columns_alter(s, table, have, f->column, type, err) != 0)
        return -1;
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    begin_alter(s, &sql, table, f->column, type);
    dialect_quote_ident(&sql, f->from);
    s->alters++;
    int rc = sql_run_buf(s, &sql, err);
    buf_done(&sql);
    return rc;
}

int fill_columns(struct duckdb_sink *s, const struct manifest_stream *st,
                 struct str table, struct error *err)
{
    struct column_list have = { .arena = s->epoch };
    if (st->fill_count == 0)
        return 0;
    if (columns_of_table(s, table, &have, err) != 0)
        return -1;
    for (size_t i = 0; i < st->fill_count; i++) {
        const struct manifest_fill *f = &st->fills[i];
        int at = columns_find(&have, f->column);
        if (at < 0)
            return error_set(err, ERR_SCHEMA,
                             "rows are to get values in column '" STR_FMT
                             "', which its shape does not have",
                             STR_ARG(f->column));
        int rc = f->from.len > 0 ? fill_from(s, table, f, &have, err)
                                 : fill_value(s, table, f, have.types[at], err);
        if (rc != 0)
            return error_wrap(err, "column '" STR_FMT "'", STR_ARG(f->column));
    }
    FAULT("change.filled");
    return 0;
}
