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

static enum check_rule rule_of(struct str text)
{
    if (str_ieq(text, STR("CASCADE")))
        return RULE_CASCADE;
    if (str_ieq(text, STR("SET NULL")))
        return RULE_SET_NULL;
    return str_ieq(text, STR("SET DEFAULT")) ? RULE_SET_DEFAULT : RULE_NONE;
}

static struct str action_text(struct arena *a, const struct check_cascade *c)
{
    static const char *const names[] = { "", "CASCADE", "SET NULL", "SET DEFAULT" };
    bool both = c->on_delete != RULE_NONE && c->on_update != RULE_NONE;
    return arena_printf(a, "%s%s%s%s%s", c->on_delete != RULE_NONE ? "ON DELETE " : "",
                        names[c->on_delete], both ? ", " : "",
                        c->on_update != RULE_NONE ? "ON UPDATE " : "",
                        names[c->on_update]);
}

static void set_parent(struct arena *a, struct check_cascade *c, struct str database,
                       struct str table)
{
    c->parent_database = database;
    c->parent_table = table;
    c->parent = arena_printf(a, STR_FMT "." STR_FMT, STR_ARG(database), STR_ARG(table));
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
        c.on_delete = rule_of(row[5]);
        c.on_update = rule_of(row[6]);
        set_parent(a, &c, row[3], row[4]);
        c.action = action_text(a, &c);
        add_found(list, &c);
    }
    return 0;
}

/* ---- others hide the rules from accounts that may only SELECT: CREATE TABLE ---- */

static enum check_rule rule_behind(struct str line, struct str head)
{
    const char *at = memmem(line.ptr, line.len, head.ptr, head.len);
    if (at == NULL)
        return RULE_NONE;
    struct str rest = { at + head.len, line.len - (size_t)(at - line.ptr) - head.len };
    if (str_starts(rest, STR("CASCADE")))
        return RULE_CASCADE;
    if (str_starts(rest, STR("SET NULL")))
        return RULE_SET_NULL;
    return str_starts(rest, STR("SET DEFAULT")) ? RULE_SET_DEFAULT : RULE_NONE;
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

/* So many columns an index of InnoDB has at most, and a foreign key needs one. */
#define COLUMNS_MOST 16u

/* (`a`, `b`): 0 where it is something else. */
static size_t take_columns(struct arena *a, struct str *text, const struct str **out)
{
    struct str *names = ARENA_ARRAY(a, struct str, COLUMNS_MOST);
    size_t n = 0;
    *out = names;
    if (!take_text(text, STR("(")))
        return 0;
    do {
        if (n == COLUMNS_MOST || !take_ident(a, text, &names[n++]))
            return 0;
    } while (take_text(text, STR(", ")));
    return take_text(text, STR(")")) ? n : 0;
}

/*   CONSTRAINT `n` FOREIGN KEY (`a`) REFERENCES `d`.`t` (`b`) ON DELETE CASCADE ... */
static bool parse_constraint(struct arena *a, struct str line, struct check_cascade *c)
{
    struct str parent;
    if (!take_text(&line, STR("  CONSTRAINT ")) || !take_ident(a, &line, &c->name) ||
        !take_text(&line, STR(" FOREIGN KEY ")))
        return false;
    size_t columns = take_columns(a, &line, &c->columns);
    if (columns == 0 || !take_text(&line, STR(" REFERENCES ")) ||
        !take_ident(a, &line, &parent))
        return false;
    struct str database = c->database;
    if (take_text(&line, STR("."))) {
        database = parent;
        if (!take_ident(a, &line, &parent))
            return false;
    }
    if (!take_text(&line, STR(" ")) || take_columns(a, &line, &c->references) != columns)
        return false;
    c->column_count = columns;
    set_parent(a, c, database, parent);
    c->on_delete = rule_behind(line, STR(" ON DELETE "));
    c->on_update = rule_behind(line, STR(" ON UPDATE "));
    c->action = action_text(a, c);
    return c->action.len > 0;
}

/* The constraint that the catalog told of, now with its columns; else a new one. */
static void take_constraint(struct found_list *list, const struct check_cascade *c)
{
    for (size_t i = 0; i < list->count; i++)
        if (str_eq(list->items[i].name, c->name) &&
            str_eq(list->items[i].table, c->table) &&
            str_eq(list->items[i].database, c->database)) {
            list->items[i] = *c;
            return;
        }
    add_found(list, c);
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
            take_constraint(list, &c);
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

/* The columns of what the catalog told of. */
static int read_columns(struct session *s, struct arena *a, struct found_list *list,
                        struct error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        struct str child[2] = { list->items[i].database, list->items[i].table };
        if (list->items[i].column_count == 0 && read_create(s, a, child, list, err) != 0)
            return -1;
    }
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
    if (rc == 0 && by_catalog)
        rc = read_columns(s, a, &list, err);
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
