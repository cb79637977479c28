/* What a person says of a table, asked of the server before anything is read: filters
 * and keys of views. See key.h. */
#include "base/alloc.h"
#include "mysql/session.h"
#include "source/full_internal.h"
#include "source/key.h"

#define SQL_BYTES (1u << 20)
#define WHERE_MOST 65536
#define EXAMPLE_CHARS 80

/* ---- filters ---- */

static int bad_where(struct error *err, const char *why)
{
    (void)error_set(err, ERR_CONFIG, "the filter %s", why);
    err->hint = "Write one condition as it stands behind WHERE, like status = 'paid'.";
    return -1;
}

/* A quoted run from its quote on; what is behind it, or NULL when it does not end. The
 * session's sql_mode is empty: backslashes escape, but in names. */
static const char *skip_quoted(const char *p, const char *end)
{
    char quote = *p++;
    for (; p < end; p++) {
        bool more = p + 1 < end;
        if (more && ((*p == '\\' && quote != '`') || (*p == quote && p[1] == quote)))
            p++;
        else if (*p == quote)
            return p + 1;
    }
    return NULL;
}

/* A comment from p on; p when there is none, NULL when it does not end or is one that
 * servers execute. The end of a line comment is the end of its line. */
static const char *skip_comment(const char *p, const char *end)
{
    size_t left = (size_t)(end - p);
    bool line = *p == '#' || (left >= 2 && p[0] == '-' && p[1] == '-' &&
                              (left == 2 || (unsigned char)p[2] <= ' '));
    if (line) {
        const char *stop = memchr(p, '\n', left);
        return stop == NULL ? end : stop;
    }
    if (left < 2 || p[0] != '/' || p[1] != '*')
        return p;
    if (left > 2 && (p[2] == '!' || p[2] == 'M'))
        return NULL;
    const char *stop = memmem(p + 2, left - 2, "*/", 2);
    return stop == NULL ? NULL : stop + 2;
}

/* What is in brackets stays there: none is left open, none closes ours, and nothing ends
 * the statement. */
static int check_text(struct str where, struct error *err)
{
    const char *p = where.ptr;
    const char *end = where.ptr + where.len;
    unsigned depth = 0;
    bool any = false;
    while (p < end) {
        const char *behind = skip_comment(p, end);
        if (behind == NULL)
            return bad_where(err, "has a comment that does not end or is executed");
        if (behind > p) {
            p = behind;
            continue;
        }
        any = any || (unsigned char)*p > ' ';
        if (*p == '\'' || *p == '"' || *p == '`') {
            if ((p = skip_quoted(p, end)) == NULL)
                return bad_where(err, "has a quote that does not end");
            continue;
        }
        if (*p == ';' || *p == '\0')
            return bad_where(err, "has a character that ends a statement");
        if (*p == '(')
            depth++;
        if (*p == ')' && depth-- == 0)
            return bad_where(err, "closes a bracket that it has not opened");
        p++;
    }
    if (depth > 0)
        return bad_where(err, "has a bracket that is not closed");
    return any ? 0 : bad_where(err, "is empty");
}

int key_check_where(struct session *s, const struct catalog_table *t, struct str where,
                    struct error *err)
{
    if (where.len > WHERE_MOST)
        return bad_where(err, "is longer than 65536 bytes");
    if (!str_is_utf8(where))
        return bad_where(err, "is no UTF-8");
    if (check_text(where, err) != 0)
        return -1;
    CLEANUP(buf_done) struct buf sql;
    buf_init(&sql, SQL_BYTES);
    buf_add_text(&sql, "SELECT 1 FROM ");
    full_table_sql(&t->schema, (struct str){ 0 }, &sql);
    buf_printf(&sql, " WHERE (\n" STR_FMT "\n) LIMIT 0", STR_ARG(where));
    if (buf_check(&sql, "a filter", err) != 0)
        return -1;
    if (session_exec(s, buf_str(&sql), err) == 0)
        return 0;
    if (err->remote != 0 && err->code != ERR_NETWORK) {
        err->code = ERR_CONFIG;
        err->hint = "The server must take the filter as one condition on this table.";
        error_wrap(err, "the filter of '" STR_FMT "'", STR_ARG(t->schema.name));
    }
    return -1;
}

/* ---- keys of views ---- */

/* Destinations tell keys apart by their bytes, whatever the collation. */
static void group_sql(const struct column *c, struct buf *sql)
{
    bool text = c->charset.len > 0;
    buf_add_text(sql, text ? "CAST(" : "");
    session_quote_ident(sql, c->name);
    buf_add_text(sql, text ? " AS BINARY)" : "");
}

static void shown_sql(const struct column *c, struct buf *sql)
{
    const char *before = "";
    const char *behind = "";
    if (c->charset.len > 0) {
        before = "CONVERT(";
        behind = " USING utf8mb4)";
    } else if (c->type == TYPE_BYTES) {
        before = "HEX(";
        behind = ")";
    }
    buf_printf(sql, "QUOTE(LEFT(%s", before);
    session_quote_ident(sql, c->name);
    buf_printf(sql, "%s, %d))", behind, EXAMPLE_CHARS);
}

static int unique_sql(const struct catalog_table *t, const struct column *const *key,
                      size_t count, struct buf *sql, struct error *err)
{
    buf_add_text(sql, "SELECT COUNT(*), CONCAT_WS(', '");
    for (size_t i = 0; i < count; i++) {
        buf_add_text(sql, ", MIN(");
        shown_sql(key[i], sql);
        buf_add_char(sql, ')');
    }
    buf_add_text(sql, ") FROM ");
    full_table_sql(&t->schema, (struct str){ 0 }, sql);
    for (size_t i = 0; i < count; i++) {
        buf_add_text(sql, i == 0 ? " GROUP BY " : ", ");
        group_sql(key[i], sql);
    }
    buf_add_text(sql, " HAVING COUNT(*) > 1");
    for (size_t i = 0; i < count; i++) {
        buf_add_text(sql, " OR COUNT(");
        session_quote_ident(sql, key[i]->name);
        buf_add_text(sql, ") = 0");
    }
    buf_add_text(sql, " LIMIT 1");
    return buf_check(sql, "the columns of a key", err);
}

int key_check_unique(struct session *s, struct arena *a, const struct catalog_table *t,
                     struct key_columns columns, struct str *example, struct error *err)
{
    const struct column *key[KEY_PARTS_MOST];
    *example = (struct str){ 0 };
    if (columns.count == 0 || columns.count > KEY_PARTS_MOST)
        return error_set(err, ERR_CONFIG, "a key has 1 to %d columns", KEY_PARTS_MOST);
    for (size_t i = 0; i < columns.count; i++) {
        key[i] = schema_find_column(&t->schema, columns.names[i]);
        if (key[i] == NULL || key[i]->type == TYPE_UNSUPPORTED)
            return error_set(err, ERR_CONFIG,
                             "'" STR_FMT "' has no column '" STR_FMT "' that can be read",
                             STR_ARG(t->schema.name), STR_ARG(columns.names[i]));
    }
    CLEANUP(buf_done) struct buf sql;
    buf_init(&sql, SQL_BYTES);
    struct session_result r;
    if (unique_sql(t, key, columns.count, &sql, err) != 0 ||
        session_query(s, a, buf_str(&sql), &r, err) != 0)
        return -1;
    if (r.row_count > 0 && r.column_count == 2)
        *example =
            arena_printf(a, "(" STR_FMT ") in " STR_FMT " row%s", STR_ARG(r.cells[1]),
                         STR_ARG(r.cells[0]), str_eq(r.cells[0], STR("1")) ? "" : "s");
    return 0;
}
