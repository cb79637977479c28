/* Foreign keys by which a server changes rows on its own. See check.h.
 *
 * MySQL up to 9.5 and MariaDB leave ON DELETE CASCADE and the like to InnoDB, which
 * writes nothing of it into the binary log: the replica's InnoDB does the same again. A
 * reader of the log sees nothing. MySQL 9.6 and later do it above the engine and log
 * every row, unless innodb_native_foreign_keys is ON (release notes of 9.6.0). */
#include "base/alloc.h"
#include "source/check_internal.h"

#include <stdlib.h>
#include <string.h>

#define SQL_BYTES (16u << 20)

struct found_list {
    struct check_cascade *items; /* heap */
    size_t count;
};

static void add_scope(struct buf *sql, const char *column,
                      const struct check_scope *scope)
{
    if (scope->database_count == 0)
        return;
    buf_printf(sql, " AND %s IN (", column);
    for (size_t i = 0; i < scope->database_count; i++) {
        if (i > 0)
            buf_add_text(sql, ", ");
        session_quote_literal(sql, scope->databases[i]);
    }
    buf_add_char(sql, ')');
}

static bool acts(struct str rule)
{
    return str_ieq(rule, STR("CASCADE")) || str_ieq(rule, STR("SET NULL")) ||
           str_ieq(rule, STR("SET DEFAULT"));
}

static struct str action_text(struct arena *a, struct str on_delete, struct str on_update)
{
    bool both = acts(on_delete) && acts(on_update);
    return arena_printf(a, "%s" STR_FMT "%s%s" STR_FMT,
                        acts(on_delete) ? "ON DELETE " : "",
                        acts(on_delete) ? (int)on_delete.len : 0, on_delete.ptr,
                        both ? ", " : "", acts(on_update) ? "ON UPDATE " : "",
                        acts(on_update) ? (int)on_update.len : 0, on_update.ptr);
}

static void add_found(struct found_list *list, const struct check_cascade *c)
{
    list->items = xreallocarray(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = *c;
}

/* ---- MySQL 8 and later: the catalog has the rules ---- */

static int read_constraints(struct session *s, struct arena *a,
                            const struct check_scope *scope, struct found_list *list,
                            struct error *err)
{
    CLEANUP(buf_done) struct buf sql;
    struct session_result r;
    buf_init(&sql, SQL_BYTES);
    buf_add_text(&sql, "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, "
                       "UNIQUE_CONSTRAINT_SCHEMA, REFERENCED_TABLE_NAME, DELETE_RULE, "
                       "UPDATE_RULE FROM information_schema.REFERENTIAL_CONSTRAINTS "
                       "WHERE (DELETE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT') OR "
                       "UPDATE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT'))");
    add_scope(&sql, "CONSTRAINT_SCHEMA", scope);
    if (buf_check(&sql, "names of databases", err) != 0 ||
        session_query(s, a, buf_str(&sql), &r, err) != 0)
        return error_wrap(err, "reading foreign keys");
    for (size_t i = 0; i < r.row_count; i++) {
        const struct str *row = r.cells + i * 7;
        struct check_cascade c = { .database = row[0], .table = row[1], .name = row[2] };
        c.parent = arena_printf(a, STR_FMT "." STR_FMT, STR_ARG(row[3]), STR_ARG(row[4]));
        c.action = action_text(a, row[5], row[6]);
        add_found(list, &c);
    }
    return 0;
}

/* ---- others hide the rules from accounts that may only SELECT: CREATE TABLE ---- */

static struct str rule_behind(struct str line, struct str head)
{
    const char *at = memmem(line.ptr, line.len, head.ptr, head.len);
    if (at == NULL)
        return (struct str){ 0 };
    struct str rest = { at + head.len, line.len - (size_t)(at - line.ptr) - head.len };
    if (str_starts(rest, STR("CASCADE")))
        return STR("CASCADE");
    if (str_starts(rest, STR("SET NULL")))
        return STR("SET NULL");
    return str_starts(rest, STR("SET DEFAULT")) ? STR("SET DEFAULT") : (struct str){ 0 };
}

/* `a``b` at the start of *text, without its quotes; takes it off. */
static bool take_ident(struct arena *a, struct str *text, struct str *out)
{
    if (text->len == 0 || text->ptr[0] != '`')
        return false;
    char *name = arena_alloc(a, text->len);
    size_t n = 0;
    for (size_t i = 1; i < text->len; i++) {
        if (text->ptr[i] == '`' && (i + 1 == text->len || text->ptr[i + 1] != '`')) {
            *out = (struct str){ name, n };
            *text = (struct str){ text->ptr + i + 1, text->len - i - 1 };
            return true;
        }
        if (text->ptr[i] == '`')
            i++;
        name[n++] = text->ptr[i];
    }
    return false;
}

static bool take_text(struct str *text, struct str expected)
{
    if (!str_starts(*text, expected))
        return false;
    *text = (struct str){ text->ptr + expected.len, text->len - expected.len };
    return true;
}

/* (`a`, `b`) */
static bool take_columns(struct arena *a, struct str *text)
{
    struct str ignored;
    if (!take_text(text, STR("(")))
        return false;
    do {
        if (!take_ident(a, text, &ignored))
            return false;
    } while (take_text(text, STR(", ")));
    return take_text(text, STR(")"));
}

/*   CONSTRAINT `n` FOREIGN KEY (`a`) REFERENCES `d`.`t` (`b`) ON DELETE CASCADE ... */
static bool parse_constraint(struct arena *a, struct str line, struct check_cascade *c)
{
    struct str parent;
    if (!take_text(&line, STR("  CONSTRAINT ")) || !take_ident(a, &line, &c->name) ||
        !take_text(&line, STR(" FOREIGN KEY ")) || !take_columns(a, &line) ||
        !take_text(&line, STR(" REFERENCES ")) || !take_ident(a, &line, &parent))
        return false;
    struct str database = c->database;
    if (take_text(&line, STR("."))) {
        database = parent;
        if (!take_ident(a, &line, &parent))
            return false;
    }
    if (!take_text(&line, STR(" ")) || !take_columns(a, &line))
        return false;
    c->parent = arena_printf(a, STR_FMT "." STR_FMT, STR_ARG(database), STR_ARG(parent));
    struct str on_delete = rule_behind(line, STR(" ON DELETE "));
    struct str on_update = rule_behind(line, STR(" ON UPDATE "));
    c->action = action_text(a, on_delete, on_update);
    return c->action.len > 0;
}

static int read_create(struct session *s, struct arena *a, const struct str *child,
                       struct found_list *list, struct error *err)
{
    CLEANUP(buf_done) struct buf sql;
    struct session_result r;
    buf_init(&sql, 8192);
    buf_add_text(&sql, "SHOW CREATE TABLE ");
    session_quote_ident(&sql, child[0]);
    buf_add_char(&sql, '.');
    session_quote_ident(&sql, child[1]);
    if (buf_check(&sql, "a table's name", err) != 0)
        return -1;
    if (session_query(s, a, buf_str(&sql), &r, err) != 0) {
        if (err->remote == 0)
            return error_wrap(err, "reading foreign keys");
        *err = (struct error){ 0 }; /* dropped meanwhile, or not readable: not copied */
        return 0;
    }
    if (r.row_count != 1 || r.column_count < 2)
        return 0;
    struct str text = r.cells[1];
    while (text.len > 0) {
        struct str line = str_cut(text, '\n', &text);
        struct check_cascade c = { .database = child[0], .table = child[1] };
        if (parse_constraint(a, line, &c))
            add_found(list, &c);
    }
    return 0;
}

static int read_children(struct session *s, struct arena *a,
                         const struct check_scope *scope, struct found_list *list,
                         struct error *err)
{
    CLEANUP(buf_done) struct buf sql;
    struct session_result r;
    buf_init(&sql, SQL_BYTES);
    buf_add_text(&sql, "SELECT DISTINCT TABLE_SCHEMA, TABLE_NAME FROM "
                       "information_schema.KEY_COLUMN_USAGE "
                       "WHERE REFERENCED_TABLE_NAME IS NOT NULL");
    add_scope(&sql, "TABLE_SCHEMA", scope);
    if (buf_check(&sql, "names of databases", err) != 0 ||
        session_query(s, a, buf_str(&sql), &r, err) != 0)
        return error_wrap(err, "reading foreign keys");
    for (size_t i = 0; i < r.row_count; i++)
        if (read_create(s, a, r.cells + i * 2, list, err) != 0)
            return -1;
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct check_cascade *x = a;
    const struct check_cascade *y = b;
    int by = str_cmp(x->database, y->database);
    if (by == 0)
        by = str_cmp(x->table, y->table);
    return by != 0 ? by : str_cmp(x->name, y->name);
}

int check_cascades_read(struct session *s, struct arena *a,
                        const struct check_scope *scope, struct log_ability *ability,
                        struct error *err)
{
    struct found_list list = { 0 };
    bool by_catalog = !session_is_mariadb(s) && session_facts(s)->version >= 80000;
    ability->cascades = NULL;
    ability->cascade_count = 0;
    if (ability->cascades_logged)
        return 0;
    int rc = by_catalog ? read_constraints(s, a, scope, &list, err)
                        : read_children(s, a, scope, &list, err);
    if (rc == 0 && list.count > 0) {
        struct check_cascade *items = ARENA_ARRAY(a, struct check_cascade, list.count);
        memcpy(items, list.items, list.count * sizeof *items);
        qsort(items, list.count, sizeof *items, compare);
        ability->cascades = items;
        ability->cascade_count = list.count;
    }
    free(list.items);
    return rc;
}
