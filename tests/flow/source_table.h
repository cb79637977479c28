/* tests/flow/source_table.h
 *
 * A database with a thousand numbers, and tables in it read through the source layer.
 */
#ifndef FLOW_SOURCE_TABLE_H
#define FLOW_SOURCE_TABLE_H

#include "base/log.h"
#include "server.h"
#include "source/discover.h"
#include "source/full.h"

#include <inttypes.h>

#ifndef DB
#define DB "tailrace_source"
#endif

static int set_up(void **state)
{
    (void)state;
    log_open(LOG_TEXT, LOG_ERROR);
    connect_both();
    run("DROP DATABASE IF EXISTS " DB);
    run("CREATE DATABASE " DB " CHARACTER SET utf8mb4");
    run("USE " DB);
    run("CREATE TABLE digits (n INT PRIMARY KEY)");
    run("INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)");
    run("CREATE TABLE seq (n INT PRIMARY KEY)");
    run("INSERT INTO seq SELECT a.n + 10*b.n + 100*c.n FROM digits a, digits b, digits "
        "c");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    run("DROP DATABASE " DB);
    session_close(writer);
    session_close(reader);
    return 0;
}

/* ---- reading ---- */

struct table {
    struct catalog *catalog;
    struct arena *arena;
    struct table_schema *shape;
    struct full_table full;
    struct page_pace pace;
};

__attribute__((unused)) static struct table open_table(const char *name)
{
    struct error err = { 0 };
    struct table t = { .arena = arena_new(1u << 30) };
    t.catalog = source_discover_table(reader, STR(DB), str_of(name), false, &err);
    if (t.catalog == NULL)
        fail_with(&err, name);
    const struct catalog_table *found =
        catalog_find(t.catalog, STR(DB), str_of(name), false);
    assert_non_null(found);
    t.shape = schema_project(t.arena, &found->schema);
    assert_non_null(t.shape);
    struct str why;
    t.full.found = found;
    t.full.shape = t.shape;
    t.full.method = full_method_of(found, false, &why);
    return t;
}

__attribute__((unused)) static void close_table(struct table *t)
{
    catalog_free(t->catalog);
    arena_free(t->arena);
}

/* One row as a line: kind and bytes of each cell. */
__attribute__((unused)) static void
add_row(struct buf *out, const struct table_schema *shape, const struct value *cells)
{
    for (unsigned i = 0; i < shape->column_count; i++) {
        const struct value *v = &cells[i];
        buf_printf(out, "%u:", v->kind);
        switch ((enum value_kind)v->kind) {
        case VALUE_DECIMAL:
        case VALUE_UNSCALED:
        case VALUE_TEXT:
        case VALUE_BYTES:
        case VALUE_JSON:
        case VALUE_BAD_DATE:
        case VALUE_INVALID:
            buf_add_hex(out, v->as.bytes, v->len);
            break;
        case VALUE_ABSENT:
        case VALUE_NULL:
        case VALUE_INT:
        case VALUE_UINT:
        case VALUE_FLOAT:
        case VALUE_DOUBLE:
        case VALUE_DATE:
        case VALUE_TIME:
        case VALUE_DATETIME:
        case VALUE_TIMESTAMP:
            buf_printf(out, "%" PRId64, v->as.i);
            break;
        }
        buf_add_char(out, ' ');
    }
    buf_add_char(out, '\n');
}

__attribute__((unused)) static size_t count_of(const char *table)
{
    struct error err = { 0 };
    struct arena *a = arena_new(65536);
    struct str sql = arena_printf(a, "SELECT COUNT(*) FROM " DB ".%s", table);
    struct str text;
    uint64_t n = 0;
    if (session_query_text(reader, a, sql, &text, &err) != 0)
        fail_with(&err, table);
    assert_true(str_to_u64(text, &n));
    arena_free(a);
    return n;
}

__attribute__((unused)) static void assert_same_text(struct str a, struct str b,
                                                     const char *what)
{
    if (!str_eq(a, b))
        fail_msg("%s: %zu bytes and %zu bytes differ", what, a.len, b.len);
}

__attribute__((unused)) static struct buf
read_text(struct table *t, const struct page_range *range, size_t *rows)
{
    struct error err = { 0 };
    struct full_options o = { .page_bytes = 1u << 18,
                              .page_time_us = 10000000,
                              .row_limit = 1u << 20 };
    struct buf text;
    buf_init(&text, 256u << 20);
    struct full_reader *r = full_reader_open(reader, &t->full, range, &o, NULL, &err);
    assert_non_null(r);
    for (;;) {
        const struct value *cells;
        enum full_next next = full_reader_next(r, &cells, &err);
        if (next == FULL_ERROR)
            fail_with(&err, "reading");
        if (next == FULL_END)
            break;
        if (next == FULL_PAGE)
            continue;
        add_row(&text, t->shape, cells);
        ++*rows;
    }
    full_reader_close(r);
    return text;
}

#endif
