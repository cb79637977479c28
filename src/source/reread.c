/* Rows by their keys. See reread.h. */
#include "source/reread.h"

#include "base/alloc.h"
#include "mysql/charset.h"
#include "mysql/quote.h"
#include "mysql/statement.h"
#include "mysql/temporal.h"
#include "mysql/type.h"
#include "source/full_internal.h"

#include <inttypes.h>

/* Keys of one statement are no more than this, written out. */
#define SQL_SOFT_BYTES ((size_t)512 << 10)

/* ---- keys as SQL --------------------------------------------------------------------
 */

/* A cell as type_key_part() would write it of a row that was read. */
static void add_part(const struct value *v, struct buf *out)
{
    char text[TEMPORAL_TEXT_MAX];
    switch ((enum value_kind)v->kind) {
    case VALUE_INT:
        buf_printf(out, "%" PRId64, v->as.i);
        return;
    case VALUE_UINT:
        buf_printf(out, "%" PRIu64, v->as.u);
        return;
    case VALUE_FLOAT:
        buf_printf(out, "%.17e", (double)v->as.f);
        return;
    case VALUE_DOUBLE:
        buf_printf(out, "%.17e", v->as.d);
        return;
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_DATETIME:
    case VALUE_TIMESTAMP:
        buf_add(out, text, temporal_format(v, 6, text));
        return;
    case VALUE_BAD_DATE:
    case VALUE_DECIMAL:
    case VALUE_UNSCALED:
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_JSON:
    case VALUE_INVALID:
        buf_add_str(out, value_str(v));
        return;
    case VALUE_ABSENT:
    case VALUE_NULL:
        return;
    }
}

/* Text of another character set than Unicode: the log's cell is UTF-8 already, and the
 * server knows the way back. */
static bool is_converted(const struct column *c, const struct value *v)
{
    if (v->kind != VALUE_TEXT || c->charset.len == 0)
        return false;
    const struct charset *cs = charset_find(c->charset);
    return cs != NULL && !charset_is_binary(cs) && !charset_is_identity(cs, value_str(v));
}

static void add_literal(const struct column *c, const struct value *v, struct buf *sql)
{
    CLEANUP(buf_done) struct buf part;
    buf_init(&part, FULL_SQL_BYTES);
    add_part(v, &part);
    if (!is_converted(c, v)) {
        type_quote_part(c, buf_str(&part), sql);
    } else {
        buf_add_text(sql, "CONVERT(");
        session_quote_literal(sql, buf_str(&part));
        buf_add_text(sql, " USING ");
        session_quote_ident(sql, c->charset);
        buf_add_text(sql, ") COLLATE ");
        session_quote_ident(sql, c->collation);
    }
    sql->failed = sql->failed || part.failed;
}

static void add_key(const struct table_schema *shape, const struct value *key,
                    struct buf *sql)
{
    for (unsigned i = 0; i < shape->key_count; i++) {
        buf_add_text(sql, i == 0 ? "(" : " AND ");
        session_quote_ident(sql, shape->columns[i].name);
        buf_add_text(sql, " = ");
        add_literal(&shape->columns[i], &key[i], sql);
    }
    buf_add_char(sql, ')');
}

static void add_where(const struct table_schema *shape, const struct value *const *keys,
                      size_t count, struct buf *sql)
{
    buf_add_text(sql, " WHERE ");
    if (shape->key_count == 1) {
        session_quote_ident(sql, shape->columns[0].name);
        buf_add_text(sql, " IN (");
    }
    for (size_t k = 0; k < count; k++) {
        if (shape->key_count == 1) {
            buf_add_text(sql, k == 0 ? "" : ", ");
            add_literal(&shape->columns[0], &keys[k][0], sql);
        } else {
            buf_add_text(sql, k == 0 ? "" : " OR ");
            add_key(shape, keys[k], sql);
        }
    }
    if (shape->key_count == 1)
        buf_add_char(sql, ')');
}

int reread_sql(const struct table_schema *shape, const struct value *const *keys,
               size_t count, struct buf *sql, struct error *err)
{
    struct full_query q = { .shape = shape };
    if (full_query_sql(&q, sql, err) != 0)
        return -1;
    add_where(shape, keys, count, sql);
    return buf_check(sql, "a statement that reads rows by key", err);
}

/* ---- rows ---------------------------------------------------------------------------
 */

static struct type_plan *make_plan(const struct reread *r, struct statement *st,
                                   struct error *err)
{
    unsigned count, generation;
    const struct result_column *columns = statement_columns(st, &count, &generation);
    struct type_options o = {
        .family = session_is_mariadb(r->session) ? CHARSET_MARIADB : CHARSET_MYSQL,
        .bad_text = r->replace_bad_text ? CHARSET_REPLACE : CHARSET_REJECT,
        .row_limit = r->row_limit,
    };
    return type_plan_new(columns, count, r->shape, &o, err);
}

static int take_rows(const struct reread *r, struct statement *st, struct error *err)
{
    struct type_plan *plan = make_plan(r, st, err);
    if (plan == NULL)
        return -1;
    struct value *cells = xcalloc(r->shape->column_count, sizeof *cells);
    struct packet row;
    int got = 0;
    while ((got = statement_next(st, &row, err)) > 0) {
        if (row.cut)
            got = error_set(err, ERR_LIMIT, "a row has more than row_limit");
        else if (type_decode_row(plan, &row, cells, err) != 0 ||
                 r->row(r->ctx, cells, err) != 0)
            got = -1;
        if (got < 0)
            break;
    }
    free(cells);
    type_plan_free(plan);
    return got;
}

static int ask(const struct reread *r, struct str sql, struct error *err)
{
    struct statement *st = statement_prepare(r->session, sql, err);
    if (st == NULL)
        return -1;
    int rc = statement_execute(st, NULL, 0, r->row_limit, err);
    if (rc == 0)
        rc = take_rows(r, st, err);
    statement_close(st);
    return rc;
}

/* As many of the keys as one statement takes. */
static size_t fit(const struct table_schema *shape, const struct value *const *keys,
                  size_t count)
{
    size_t n = 0, bytes = 0;
    for (; n < count && n < REREAD_KEYS && bytes < SQL_SOFT_BYTES; n++)
        for (unsigned i = 0; i < shape->key_count; i++)
            bytes += 64 + (value_has_bytes(&keys[n][i]) ? 2 * (size_t)keys[n][i].len : 0);
    return n;
}

int reread_rows(const struct reread *r, const struct value *const *keys, size_t count,
                struct error *err)
{
    for (size_t done = 0; done < count;) {
        CLEANUP(buf_done) struct buf sql;
        size_t n = fit(r->shape, keys + done, count - done);
        buf_init(&sql, FULL_SQL_BYTES);
        if (reread_sql(r->shape, keys + done, n, &sql, err) != 0 ||
            ask(r, buf_str(&sql), err) != 0)
            return error_wrap(err, "reading rows of '" STR_FMT "' again by key",
                              STR_ARG(r->shape->name));
        done += n;
    }
    return 0;
}
