#include "source/discover.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "source/discover_internal.h"
#include "source/sql.h"

/* About 1 KiB a column, strings included, for a hundred thousand wide tables. */
#define CATALOG_BYTES (4ull << 30)
#define ANSWER_BYTES (4ull << 30)
#define WHERE_BYTES (16u << 20)
#define SQL_BYTES (32u << 20)

static const char *const system_databases[] = { "information_schema",
                                                "performance_schema", "mysql", "sys" };

/* ---- the draft ---- */

struct str draft_word(struct draft *d, struct str word)
{
    if (word.ptr == NULL)
        return (struct str){ 0 };
    const char *known = map_find(d->words, word);
    if (known != NULL)
        return (struct str){ known, word.len };
    struct str copy = arena_str(d->arena, word);
    /* the map hands out void *, and nobody writes through it */
    (void)map_put(d->words, word, (void *)(uintptr_t)copy.ptr);
    return copy;
}

static struct str name_key(struct arena *a, struct str database, struct str table)
{
    char *p = arena_alloc(a, database.len + table.len + 1);
    memcpy(p, database.ptr, database.len);
    if (table.len > 0)
        memcpy(p + database.len + 1, table.ptr, table.len);
    return (struct str){ p, database.len + table.len + 1 };
}

struct draft_table *draft_find(struct draft *d, struct str database, struct str table)
{
    char key[1024];
    if (database.ptr == NULL || table.ptr == NULL ||
        database.len + table.len + 1 > sizeof key)
        return NULL;
    memcpy(key, database.ptr, database.len);
    key[database.len] = '\0';
    memcpy(key + database.len + 1, table.ptr, table.len);
    return map_find(d->by_name, (struct str){ key, database.len + table.len + 1 });
}

void draft_note(struct draft *d, struct str note)
{
    d->notes = xreallocarray(d->notes, d->note_count + 1, sizeof *d->notes);
    d->notes[d->note_count++] = note;
}

static struct str placeholder_value(const struct draft *d, struct str name,
                                    struct str where)
{
    if (str_eq(name, STR("where")))
        return where;
    if (str_eq(name, STR("expression")))
        return d->has_expression ? STR("EXPRESSION") : STR("NULL");
    if (str_eq(name, STR("visible")))
        return d->has_visible ? STR("IS_VISIBLE") : STR("NULL");
    return d->has_ignored ? STR("IGNORED") : STR("NULL");
}

int draft_query(struct draft *d, struct str text, struct str where,
                struct session_result *out, struct error *err)
{
    struct buf sql;
    *out = (struct session_result){ 0 };
    buf_init(&sql, SQL_BYTES);
    while (text.len > 0) {
        struct str name;
        struct str rest;
        buf_add_str(&sql, str_cut(text, '{', &name));
        if (name.len == 0)
            break;
        name = str_cut(name, '}', &rest);
        buf_add_str(&sql, placeholder_value(d, name, where));
        text = rest;
    }
    int rc = buf_check(&sql, "a query of the catalog", err);
    if (rc == 0)
        rc = session_query(d->session, d->scratch, buf_str(&sql), out, err);
    buf_done(&sql);
    return rc == 0 ? 0 : error_wrap(err, "reading the catalog");
}

static struct draft *draft_new(struct session *s, bool always_int)
{
    struct draft *d = xcalloc(1, sizeof *d);
    d->session = s;
    d->arena = arena_new(CATALOG_BYTES);
    d->scratch = arena_new(ANSWER_BYTES);
    d->by_name = map_new();
    d->words = map_new();
    d->fold = session_facts(s)->lower_case_table_names != 0;
    d->always_int = always_int;
    return d;
}

/* Everything but the arena of the catalog, which is handed out or freed by the caller. */
static void draft_free(struct draft *d)
{
    for (size_t i = 0; i < d->table_count; i++) {
        free(d->tables[i].columns);
        free(d->tables[i].ordinals);
    }
    map_free(d->by_name);
    map_free(d->words);
    arena_free(d->scratch);
    free(d->notes);
    free(d);
}

/* ---- queries ---- */

static int read_facts(struct draft *d, struct error *err)
{
    struct session_result r;
    /* MySQL 8.0.30+: otherwise a generated primary key can be hidden from the catalog. */
    if (!session_is_mariadb(d->session) && session_facts(d->session)->version >= 80030 &&
        session_exec(
            d->session,
            STR("SET SESSION show_gipk_in_create_table_and_information_schema = ON"),
            err) != 0)
        return -1;
    if (draft_query(d, source_sql_facts, (struct str){ 0 }, &r, err) != 0)
        return -1;
    for (size_t i = 0; i < r.row_count; i++) {
        struct str table = r.cells[i * 2];
        struct str column = r.cells[i * 2 + 1];
        if (str_ieq(column, STR("EXPRESSION")))
            d->has_expression = true;
        else if (str_ieq(column, STR("IS_VISIBLE")))
            d->has_visible = true;
        else if (str_ieq(column, STR("IGNORED")))
            d->has_ignored = true;
        else if (str_ieq(table, STR("CHECK_CONSTRAINTS")))
            d->has_json_checks = session_is_mariadb(d->session);
    }
    return 0;
}

static bool is_system(struct str database)
{
    for (size_t i = 0; i < sizeof system_databases / sizeof system_databases[0]; i++)
        if (str_ieq(database, str_of(system_databases[i])))
            return true;
    return false;
}

static bool name_eq(const struct draft *d, struct str a, struct str b)
{
    return d->fold ? str_ieq(a, b) : str_eq(a, b);
}

static bool is_wanted(const struct draft *d, const struct discover_request *r,
                      struct str name)
{
    if (r->database_count == 0)
        return !is_system(name);
    for (size_t i = 0; i < r->database_count; i++)
        if (name_eq(d, r->databases[i], name))
            return true;
    return false;
}

static int no_such_database(struct str want, const struct session_result *have,
                            struct error *err)
{
    struct str nearest = { 0 };
    unsigned least = (unsigned)want.len / 2 + 1;
    for (size_t i = 0; i < have->row_count; i++) {
        struct str name = have->cells[i * 2];
        unsigned distance = str_distance(want, name);
        if (distance < least && !is_system(name)) {
            least = distance;
            nearest = name;
        }
    }
    if (nearest.ptr == NULL)
        error_set(err, ERR_CONFIG,
                  "there is no database '" STR_FMT "' that the account may see",
                  STR_ARG(want));
    else
        error_set(err, ERR_CONFIG,
                  "there is no database '" STR_FMT
                  "' that the account may see; the nearest name is '" STR_FMT "'",
                  STR_ARG(want), STR_ARG(nearest));
    err->hint = "Correct the name, or grant SELECT on the database to the account.";
    return -1;
}

static int compare_databases(const void *a, const void *b)
{
    return str_cmp(((const struct catalog_database *)a)->name,
                   ((const struct catalog_database *)b)->name);
}

/* The wanted databases, sorted, into the catalog; each one asked for by name must be
 * there. */
static int read_databases(struct draft *d, const struct discover_request *r,
                          struct catalog *c, struct error *err)
{
    struct session_result have;
    if (draft_query(d, source_sql_databases, (struct str){ 0 }, &have, err) != 0)
        return -1;
    for (size_t i = 0; i < r->database_count; i++) {
        bool found = false;
        for (size_t j = 0; j < have.row_count && !found; j++)
            found = name_eq(d, r->databases[i], have.cells[j * 2]);
        if (!found)
            return no_such_database(r->databases[i], &have, err);
    }
    c->databases = ARENA_ARRAY(d->arena, struct catalog_database, have.row_count + 1);
    for (size_t i = 0; i < have.row_count; i++) {
        if (!is_wanted(d, r, have.cells[i * 2]))
            continue;
        struct catalog_database *db = &c->databases[c->database_count++];
        db->name = arena_str(d->arena, have.cells[i * 2]);
        db->charset = draft_word(d, have.cells[i * 2 + 1]);
    }
    qsort(c->databases, c->database_count, sizeof *c->databases, compare_databases);
    return 0;
}

static struct str where_databases(struct arena *a, const struct catalog *c,
                                  struct str table)
{
    struct buf b;
    buf_init(&b, WHERE_BYTES);
    buf_add_text(&b, "TABLE_SCHEMA IN (");
    for (size_t i = 0; i < c->database_count; i++) {
        if (i > 0)
            buf_add_text(&b, ", ");
        session_quote_literal(&b, c->databases[i].name);
    }
    buf_add_char(&b, ')');
    if (table.ptr != NULL) {
        buf_add_text(&b, " AND TABLE_NAME = ");
        session_quote_literal(&b, table);
    }
    struct str where = b.failed ? (struct str){ 0 } : arena_str(a, buf_str(&b));
    buf_done(&b);
    return where;
}

enum { T_DATABASE, T_NAME, T_TYPE, T_ENGINE, T_ROWS, T_BYTES, T_COMMENT, T_COUNT };

static uint64_t number_or_zero(struct str text)
{
    uint64_t v = 0;
    return text.ptr != NULL && str_to_u64(text, &v) ? v : 0;
}

static void fill_table(struct draft *d, const struct str *row, struct catalog_table *t)
{
    t->schema.database = draft_word(d, row[T_DATABASE]);
    t->schema.name = arena_str(d->arena, row[T_NAME]);
    t->schema.version = 1;
    t->engine = draft_word(d, row[T_ENGINE]);
    t->row_estimate = number_or_zero(row[T_ROWS]);
    t->byte_estimate = number_or_zero(row[T_BYTES]);
    t->system_versioned = str_eq(row[T_TYPE], STR("SYSTEM VERSIONED"));
    t->transactional = str_ieq(row[T_ENGINE], STR("InnoDB")) ||
                       str_ieq(row[T_ENGINE], STR("ROCKSDB")) ||
                       str_ieq(row[T_ENGINE], STR("TokuDB"));
    t->readable = true;
    if (str_eq(row[T_TYPE], STR("SEQUENCE"))) {
        t->kind = TABLE_SEQUENCE;
        t->why = arena_printf(d->arena,
                              "'" STR_FMT "' is a sequence: it hands out numbers and has "
                              "no rows to copy.",
                              STR_ARG(t->schema.name));
    } else if (str_eq(row[T_TYPE], STR("VIEW")) ||
               str_eq(row[T_TYPE], STR("SYSTEM VIEW"))) {
        t->kind = TABLE_VIEW;
        /* a view whose definition is broken has the server's complaint for a comment */
        if (row[T_COMMENT].len > 0 && !str_ieq(row[T_COMMENT], STR("VIEW"))) {
            t->readable = false;
            t->why = arena_str(d->arena, row[T_COMMENT]);
        }
    } else if (row[T_COMMENT].ptr != NULL) {
        t->comment = arena_str(d->arena, row[T_COMMENT]);
        /* no engine: the server could not open the table, and the comment says why */
        if (row[T_ENGINE].ptr == NULL) {
            t->readable = false;
            t->why = t->comment;
        }
    }
}

static int compare_tables(const void *a, const void *b)
{
    const struct table_schema *x = &((const struct draft_table *)a)->t.schema;
    const struct table_schema *y = &((const struct draft_table *)b)->t.schema;
    int c = str_cmp(x->database, y->database);
    return c != 0 ? c : str_cmp(x->name, y->name);
}

static int read_tables(struct draft *d, const struct catalog *c, struct str where,
                       struct str only, struct error *err)
{
    struct session_result r;
    if (draft_query(d, source_sql_tables, where, &r, err) != 0)
        return -1;
    d->tables = ARENA_ARRAY(d->scratch, struct draft_table, r.row_count + 1);
    for (size_t i = 0; i < r.row_count; i++) {
        const struct str *row = &r.cells[i * T_COUNT];
        struct catalog_database key = { .name = row[T_DATABASE] };
        /* the catalog's own collation folds case, names here do not */
        if (bsearch(&key, c->databases, c->database_count, sizeof key,
                    compare_databases) == NULL ||
            (only.ptr != NULL && !name_eq(d, only, row[T_NAME])))
            continue;
        fill_table(d, row, &d->tables[d->table_count++].t);
    }
    qsort(d->tables, d->table_count, sizeof *d->tables, compare_tables);
    for (size_t i = 0; i < d->table_count; i++) {
        const struct table_schema *s = &d->tables[i].t.schema;
        (void)map_put(d->by_name, name_key(d->scratch, s->database, s->name),
                      &d->tables[i]);
    }
    return 0;
}

/* Grants on columns only: what was not granted is not seen, so say that. */
static int read_column_grants(struct draft *d, struct str where, struct error *err)
{
    struct session_result r;
    if (draft_query(d, source_sql_column_grants, where, &r, err) != 0)
        return -1;
    for (size_t i = 0; i < r.row_count; i++) {
        struct draft_table *t = draft_find(d, r.cells[i * 3], r.cells[i * 3 + 1]);
        if (t != NULL)
            t->column_grants = number_or_zero(r.cells[i * 3 + 2]);
    }
    return 0;
}

/* ---- the catalog ---- */

static void judge_table(struct draft *d, struct draft_table *dt)
{
    struct catalog_table *t = &dt->t;
    struct arena *a = d->arena;
    size_t selected = 0;
    for (size_t i = 0; i < dt->count; i++)
        selected += dt->columns[i].selected;
    if (t->why.len == 0 && selected == 0) {
        t->readable = !dt->seen_unreadable && dt->count > 0;
        t->why =
            t->readable
                ? arena_printf(a, "None of the columns has a type that can be copied.")
                : arena_printf(a,
                               "The account has no SELECT privilege on '" STR_FMT
                               "." STR_FMT "'.",
                               STR_ARG(t->schema.database), STR_ARG(t->schema.name));
    }
    if (dt->column_grants > 0 && dt->column_grants <= selected)
        draft_note(d,
                   arena_printf(a,
                                "On '" STR_FMT "." STR_FMT "' the account has grants on "
                                "single columns: columns without one are not seen.",
                                STR_ARG(t->schema.database), STR_ARG(t->schema.name)));
}

/* Move what was drafted into the catalog's arena. */
static void finish_catalog(struct draft *d, struct catalog *c)
{
    struct catalog_table *tables =
        ARENA_ARRAY(d->arena, struct catalog_table, d->table_count + 1);
    size_t next = 0;
    for (size_t i = 0; i < d->table_count; i++) {
        struct draft_table *dt = &d->tables[i];
        judge_table(d, dt);
        struct column *columns = ARENA_ARRAY(d->arena, struct column, dt->count + 1);
        if (dt->count > 0)
            memcpy(columns, dt->columns, dt->count * sizeof *columns);
        dt->t.schema.columns = columns;
        dt->t.schema.column_count = (uint16_t)dt->count;
        tables[i] = dt->t;
    }
    for (size_t i = 0; i < c->database_count; i++) {
        struct catalog_database *db = &c->databases[i];
        db->tables = tables + next;
        while (next < d->table_count && str_eq(tables[next].schema.database, db->name))
            next++;
        db->table_count = (size_t)(tables + next - db->tables);
        if (db->table_count == 0)
            draft_note(d, arena_printf(d->arena,
                                       "Database '" STR_FMT
                                       "' has no table that the account "
                                       "may see.",
                                       STR_ARG(db->name)));
    }
    struct str *notes = ARENA_ARRAY(d->arena, struct str, d->note_count + 1);
    if (d->note_count > 0)
        memcpy(notes, d->notes, d->note_count * sizeof *notes);
    c->notes = notes;
    c->note_count = d->note_count;
    c->taken_at = clock_wall_us();
}

static int fill_draft(struct draft *d, const struct discover_request *r, struct str table,
                      struct catalog *c, struct error *err)
{
    if (read_facts(d, err) != 0 || read_databases(d, r, c, err) != 0)
        return -1;
    if (c->database_count == 0)
        return 0;
    struct str where = where_databases(d->scratch, c, table);
    if (where.ptr == NULL)
        return error_set(err, ERR_LIMIT, "too many databases for one query");
    if (read_tables(d, c, where, table, err) != 0 || draft_columns(d, where, err) != 0 ||
        draft_keys(d, where, err) != 0 || read_column_grants(d, where, err) != 0)
        return -1;
    return 0;
}

static struct catalog *discover(struct session *s, const struct discover_request *r,
                                struct str table, struct error *err)
{
    struct draft *d = draft_new(s, r->always_int);
    struct catalog *c = ARENA_NEW(d->arena, struct catalog);
    c->arena = d->arena;
    if (fill_draft(d, r, table, c, err) == 0) {
        finish_catalog(d, c);
    } else {
        arena_free(d->arena);
        c = NULL;
    }
    draft_free(d);
    return c;
}

struct catalog *source_discover(struct session *s, const struct discover_request *r,
                                struct error *err)
{
    return discover(s, r, (struct str){ 0 }, err);
}

struct catalog *source_discover_table(struct session *s, struct str database,
                                      struct str table, bool always_int,
                                      struct error *err)
{
    struct discover_request r = { .databases = &database,
                                  .database_count = 1,
                                  .always_int = always_int };
    struct catalog *c = discover(s, &r, table, err);
    if (c != NULL && c->databases[0].table_count > 0)
        return c;
    if (c != NULL || err->code == ERR_CONFIG) {
        catalog_free(c);
        error_set(err, ERR_SCHEMA, "table '" STR_FMT "." STR_FMT "' is gone",
                  STR_ARG(database), STR_ARG(table));
    }
    return NULL;
}

int source_threads_running(struct session *s, uint64_t *out, struct error *err)
{
    struct arena *a = arena_new(65536);
    struct session_result r;
    int rc =
        session_query(s, a, STR("SHOW GLOBAL STATUS LIKE 'Threads_running'"), &r, err);
    if (rc == 0 &&
        (r.row_count != 1 || r.column_count != 2 || !str_to_u64(r.cells[1], out)))
        rc = error_set(err, ERR_PROTOCOL, "the server does not say Threads_running");
    arena_free(a);
    return rc;
}
