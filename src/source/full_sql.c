#include "mysql/session.h"
#include "mysql/type.h"
#include "row/position.h"
#include "source/full.h"
#include "source/full_internal.h"
#include "source/key.h"

bool full_type_orders(const struct column *c)
{
    switch (c->type) {
    case TYPE_BOOL:
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_UBIGINT:
    case TYPE_DECIMAL:
    case TYPE_BIT:
    case TYPE_BIT64:
    case TYPE_TEXT:
    case TYPE_BYTES:
    case TYPE_DATE:
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIME:
    case TYPE_YEAR:
    case TYPE_UUID:
    case TYPE_INET4:
    case TYPE_INET6:
        return true;
    case TYPE_UNSUPPORTED:
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
    case TYPE_ENUM: /* ordered by index, compared as text */
    case TYPE_SET:
    case TYPE_JSON:
    case TYPE_GEOMETRY:
    case TYPE_VECTOR:
    case TYPE_COUNT:
        return false;
    }
    return false;
}

const struct column *full_integer_key(const struct table_schema *shape)
{
    const struct column *c = shape->key_count == 1 ? schema_key_column(shape, 1) : NULL;
    if (c != NULL &&
        (c->type == TYPE_INT || c->type == TYPE_LONG || c->type == TYPE_UBIGINT))
        return c;
    return NULL;
}

static struct str why_no_pages(const struct catalog_table *t)
{
    if (t->kind == TABLE_VIEW)
        return STR("A view has no key, so it is read by one statement.");
    if (t->key == KEY_NONE || t->schema.key_count == 0)
        return STR(
            "The table has no primary key and no unique key without NULLs, so it is "
            "read by one statement.");
    if (t->key_has_prefix)
        return STR(
            "The key indexes only the start of a column, so it gives no order to read "
            "by.");
    if (t->key_is_unordered)
        return STR(
            "The key's index is a hash, invisible or of mixed directions, so it gives "
            "no order to read by.");
    for (unsigned k = 1; k <= t->schema.key_count; k++) {
        const struct column *c = schema_key_column(&t->schema, k);
        if (c == NULL || !full_type_orders(c))
            return STR("The key has a column of a type that cannot be compared exactly "
                       "(FLOAT, DOUBLE, ENUM or SET), so the table is read by one "
                       "statement.");
    }
    return (struct str){ 0 };
}

enum full_method full_method_of(const struct catalog_table *t, bool one_view,
                                struct str *why)
{
    *why = why_no_pages(t);
    if (why->len == 0 && !one_view)
        return FULL_PAGES;
    if (why->len == 0)
        *why = STR("One view was asked for.");
    if (t->kind == TABLE_BASE && !t->transactional)
        *why = STR("The table is read by one statement, and its engine has no consistent "
                   "views: rows may change while it is read.");
    return FULL_ONE_VIEW;
}

enum full_method full_method_by(const struct catalog_table *t, struct str column,
                                bool one_view, struct str *why)
{
    enum full_method method = full_method_of(t, one_view, why);
    if (method == FULL_PAGES && key_index_of(t, column).len == 0) {
        *why = STR("No index gives the order of the replication key and then of the "
                   "table's key, so rows are read by one statement.");
        return FULL_ONE_VIEW;
    }
    return method;
}

/* ---- the parts of a statement ---- */

void full_table_sql(const struct table_schema *shape, struct str key_name,
                    struct buf *sql)
{
    session_quote_ident(sql, shape->database);
    buf_add_char(sql, '.');
    session_quote_ident(sql, shape->name);
    if (key_name.len > 0) {
        buf_add_text(sql, " FORCE INDEX (");
        session_quote_ident(sql, key_name);
        buf_add_char(sql, ')');
    }
}

unsigned full_tuple_columns(const struct table_schema *shape, const struct column *by,
                            const struct column *out[KEY_PARTS_MOST])
{
    unsigned n = 0;
    if (by != NULL)
        out[n++] = by;
    for (unsigned k = 1; k <= shape->key_count && n < KEY_PARTS_MOST; k++) {
        const struct column *c = schema_key_column(shape, k);
        if (c != by)
            out[n++] = c;
    }
    return n;
}

void full_order_sql(const struct table_schema *shape, const struct column *by,
                    struct buf *sql)
{
    const struct column *columns[KEY_PARTS_MOST];
    unsigned n = full_tuple_columns(shape, by, columns);
    for (unsigned k = 0; k < n; k++) {
        buf_add_text(sql, k == 0 ? " ORDER BY " : ", ");
        session_quote_ident(sql, columns[k]->name);
    }
}

static void columns_sql(const struct full_query *q, struct buf *sql)
{
    bool first = true;
    for (unsigned i = 0; i < q->shape->column_count; i++) {
        const struct column *c = &q->shape->columns[i];
        if (c->companion > 0 || (q->keys_only && c->key_ordinal == 0))
            continue;
        buf_add_text(sql, first ? "" : ", ");
        session_quote_ident(sql, c->name);
        first = false;
    }
}

static void compare_sql(const struct column *c, const char *op, struct str part,
                        struct buf *sql)
{
    session_quote_ident(sql, c->name);
    buf_add_text(sql, op);
    type_quote_part(c, part, sql);
}

/* (a > x) OR (a = x AND b > y) OR ...: row comparison written out, since neither server's
 * range optimizer reads (a, b) > (x, y) as a range (MySQL manual, "Range Optimization of
 * Row Constructor Expressions": only IN and equality). The last part of an upper bound
 * takes <=. */
static int bound_sql(const struct full_query *q, struct str tuple, bool upper,
                     struct buf *sql, struct error *err)
{
    const struct column *columns[KEY_PARTS_MOST];
    struct str parts[KEY_PARTS_MOST];
    unsigned count = full_tuple_columns(q->shape, q->by, columns);
    unsigned n = 0;
    while (n < KEY_PARTS_MOST && key_tuple_next(&tuple, &parts[n]))
        n++;
    if (n != count || tuple.len > 0)
        return error_set(err, ERR_BUG, "a key tuple of %u parts for a key of %u", n,
                         count);
    buf_add_char(sql, '(');
    for (unsigned k = 0; k < n; k++) {
        buf_add_text(sql, k == 0 ? "(" : " OR (");
        for (unsigned i = 0; i < k; i++) {
            compare_sql(columns[i], " = ", parts[i], sql);
            buf_add_text(sql, " AND ");
        }
        const char *op = !upper ? " > " : k + 1 == n ? " <= " : " < ";
        compare_sql(columns[k], op, parts[k], sql);
        buf_add_char(sql, ')');
    }
    buf_add_char(sql, ')');
    return 0;
}

/* WHERE before the first condition, AND before the others. */
static void and_sql(bool *any, struct buf *sql)
{
    buf_add_text(sql, *any ? " AND " : " WHERE ");
    *any = true;
}

/* The bounds of the column that rows come in order of. What comes after a tuple needs no
 * lower bound besides; NULL lies within no bounds. */
static void by_sql(const struct full_query *q, bool *any, struct buf *sql)
{
    if (q->from.len > 0 && q->after.len == 0) {
        and_sql(any, sql);
        compare_sql(q->by, " >= ", q->from, sql);
    }
    if (q->to.len > 0) {
        and_sql(any, sql);
        compare_sql(q->by, " <= ", q->to, sql);
    }
    if (q->from.len == 0 && q->to.len == 0 && q->after.len == 0) {
        and_sql(any, sql);
        session_quote_ident(sql, q->by->name);
        buf_add_text(sql, " IS NOT NULL");
    }
}

/* Lines of its own: a comment at its end takes nothing of ours with it. */
static void where_sql(struct str where, bool *any, struct buf *sql)
{
    and_sql(any, sql);
    buf_add_text(sql, "(\n");
    buf_add_str(sql, where);
    buf_add_text(sql, "\n)");
}

static int conditions_sql(const struct full_query *q, struct buf *sql, struct error *err)
{
    bool any = false;
    if (q->after.len > 0) {
        and_sql(&any, sql);
        if (bound_sql(q, q->after, false, sql, err) != 0)
            return -1;
    }
    if (q->upto.len > 0) {
        and_sql(&any, sql);
        if (bound_sql(q, q->upto, true, sql, err) != 0)
            return -1;
    }
    if (q->by != NULL)
        by_sql(q, &any, sql);
    if (q->where.len > 0)
        where_sql(q->where, &any, sql);
    return 0;
}

int full_query_sql(const struct full_query *q, struct buf *sql, struct error *err)
{
    buf_add_text(sql, "SELECT ");
    columns_sql(q, sql);
    buf_add_text(sql, " FROM ");
    full_table_sql(q->shape, q->key_name, sql);
    if (conditions_sql(q, sql, err) != 0)
        return -1;
    if (q->ordered)
        full_order_sql(q->shape, q->by, sql);
    if (q->limit > 0)
        buf_printf(sql, " LIMIT %llu", (unsigned long long)q->limit);
    if (q->limit > 0 && q->offset > 0)
        buf_printf(sql, " OFFSET %llu", (unsigned long long)q->offset);
    return buf_check(sql, "a statement that reads a page", err);
}
