/* What a SELECT reads and what the log tells are the same Avro bytes, column by column.
 *
 * PARITY_DATABASE has been filled by somebody else while PARITY_LOGS (paths, a colon
 * between them) were written; nobody changes it any more. The rows of the log are applied
 * to tables in memory: a row that an UPDATE or a DELETE names must be there, and at the
 * end the rows must be those that the SELECTs of a copy return. Shapes are the catalog's,
 * whatever the log tells of its own. PARITY_VALUES, if set, is the least number of values
 * that must have been compared. */
#include "avro/encode.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "mysql/rows.h"
#include "server.h"
#include "source/discover.h"
#include "source/full.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define ROW_BYTES ((size_t)256 << 20)

struct row {
    struct str *cells; /* a letter and the bytes, by column of the shape; ptr NULL: the
                          image did not have it */
    uint64_t hash;
    bool whole;
};

/* One table, as a SELECT reads it and as the log tells it. */
struct copy {
    const struct catalog_table *found;
    const struct table_schema *shape; /* all columns, as in the catalog */
    struct encode_plan **plans;       /* a plan of one column each; NULL: not selected */
    struct block **blocks;
    struct row *rows; /* by the log, then in the order that they compare in */
    size_t count, cap;
    size_t inserts, updates, deletes;
};

struct parity {
    struct catalog *catalog;
    struct arena *arena; /* everything else */
    struct map *copies;  /* by name of the table */
    struct table_maps *maps;
    struct rows_reader *reader;
    struct value *before, *after;
    size_t values;
};

/* ---- cells to Avro ---- */

static bool is_read(const struct column *c)
{
    return c->selected && c->type != TYPE_UNSUPPORTED;
}

static struct copy *new_copy(struct parity *p, const struct catalog_table *found)
{
    static const struct encode_policy policy = { .dates = DATE_REJECT };
    struct copy *c = ARENA_NEW(p->arena, struct copy);
    c->found = found;
    c->shape = &found->schema;
    c->plans = ARENA_ARRAY(p->arena, struct encode_plan *, c->shape->column_count);
    c->blocks = ARENA_ARRAY(p->arena, struct block *, c->shape->column_count);
    for (unsigned i = 0; i < c->shape->column_count; i++) {
        struct table_schema *one = ARENA_NEW(p->arena, struct table_schema);
        *one = *c->shape;
        one->columns = &c->shape->columns[i];
        one->column_count = 1;
        one->key_count = 0;
        if (!is_read(one->columns))
            continue;
        c->plans[i] = encode_plan_new(one, &policy);
        c->blocks[i] = block_new(0, one, ROW_BYTES);
    }
    return c;
}

static void free_copy(struct copy *c)
{
    for (unsigned i = 0; i < c->shape->column_count; i++) {
        encode_plan_free(c->plans[i]);
        block_free(c->blocks[i]);
    }
    free(c->rows);
}

static bool has_text(uint8_t kind)
{
    return (kind >= VALUE_DECIMAL && kind <= VALUE_JSON) || kind >= VALUE_BAD_DATE;
}

/* What a row that cannot be copied leaves to compare: why, and the cell. */
static struct str refused(struct arena *a, const struct encode_fault *fault,
                          const struct value *v)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, ROW_BYTES);
    buf_printf(&b, "R%s %u ", fault->reason, v->kind);
    if (has_text(v->kind))
        buf_add_str(&b, value_str(v));
    else
        buf_printf(&b, "%" PRId64, v->as.i);
    return arena_str(a, buf_str(&b));
}

/* A label that the catalog cannot show, where the log has none: see mysql/rows.h. */
static bool is_unknown_label(const struct column *c, const struct value *v)
{
    if (getenv("PARITY_NO_LABELS") == NULL ||
        (c->type != TYPE_ENUM && c->type != TYPE_SET))
        return false;
    for (size_t i = 0; v->kind == VALUE_TEXT && i < v->len; i++)
        if ((uint8_t)v->as.bytes[i] >= 0xf0)
            return true;
    return v->kind == VALUE_INVALID;
}

static struct str encoded(struct parity *p, struct copy *c, unsigned i,
                          const struct value *v)
{
    static const struct row_meta meta = { .op = OP_SNAPSHOT };
    struct encode_fault fault = { 0 };
    if (v->kind == VALUE_ABSENT || c->plans[i] == NULL)
        return (struct str){ 0 };
    if (is_unknown_label(&c->shape->columns[i], v))
        return STR("a label that is not known");
    struct buf *out = &c->blocks[i]->bytes;
    buf_clear(out);
    if (encode_row(c->plans[i], c->blocks[i], &meta, v, &fault) == ENCODE_OK)
        return arena_str(p->arena, buf_str(out));
    return refused(p->arena, &fault, v);
}

static uint64_t hash_of(const struct row *r, unsigned count)
{
    uint64_t h = 1469598103934665603u;
    for (unsigned i = 0; i < count; i++)
        for (size_t k = 0; k < r->cells[i].len; k++)
            h = (h ^ (uint8_t)r->cells[i].ptr[k]) * 1099511628211u;
    return h;
}

/* cells are the catalog's columns in order. */
static struct row make_row(struct parity *p, struct copy *c, const struct value *cells)
{
    struct row r = { .whole = true };
    unsigned count = c->shape->column_count;
    r.cells = ARENA_ARRAY(p->arena, struct str, count);
    for (unsigned i = 0; i < count; i++) {
        r.cells[i] = encoded(p, c, i, &cells[i]);
        if (c->plans[i] != NULL && r.cells[i].ptr == NULL)
            r.whole = false;
    }
    r.hash = hash_of(&r, count);
    return r;
}

/* ---- the log ---- */

static void add(struct copy *c, struct row r)
{
    if (c->count == c->cap) {
        c->cap = c->cap == 0 ? 64 : c->cap * 2;
        c->rows = xreallocarray(c->rows, c->cap, sizeof *c->rows);
    }
    c->rows[c->count++] = r;
}

static bool is_of(const struct copy *c, const struct row *image, const struct row *r)
{
    if (image->whole && r->whole && image->hash != r->hash)
        return false;
    for (unsigned i = 0; i < c->shape->column_count; i++)
        if (image->cells[i].ptr != NULL && r->cells[i].ptr != NULL &&
            !str_eq(image->cells[i], r->cells[i]))
            return false;
    return true;
}

static void show_cells(const struct copy *c, const struct row *a, const struct row *b)
{
    for (unsigned i = 0; i < c->shape->column_count; i++) {
        if (str_eq(a->cells[i], b->cells[i]))
            continue;
        CLEANUP(buf_done) struct buf text;
        buf_init(&text, 4096);
        const struct str both[] = { a->cells[i], b->cells[i] };
        for (unsigned k = 0; k < 2; k++) {
            buf_add_text(&text, k == 0 ? " log " : " select ");
            buf_add_hex(&text, both[k].ptr, both[k].len > 200 ? 200 : both[k].len);
        }
        print_message("# " STR_FMT "." STR_FMT " (" STR_FMT "):%s\n",
                      STR_ARG(c->shape->name), STR_ARG(c->shape->columns[i].name),
                      STR_ARG(c->shape->columns[i].source_type), buf_text(&text));
    }
}

/* The row of the list that differs in the fewest columns. */
static const struct row *nearest(const struct copy *c, const struct row *r,
                                 const struct row *rows, size_t count)
{
    const struct row *best = NULL;
    unsigned least = UINT32_MAX;
    for (size_t k = 0; k < count; k++) {
        unsigned n = 0;
        for (unsigned i = 0; i < c->shape->column_count; i++)
            n += !str_eq(r->cells[i], rows[k].cells[i]);
        if (n < least) {
            least = n;
            best = &rows[k];
        }
    }
    return best;
}

static void change(struct parity *p, struct copy *c, const struct value *before,
                   const struct value *after)
{
    size_t at = c->count;
    if (before != NULL) {
        struct row image = make_row(p, c, before);
        for (at = 0; at < c->count && !is_of(c, &image, &c->rows[at]);)
            at++;
        if (at == c->count) {
            const struct row *near = nearest(c, &image, c->rows, c->count);
            if (near != NULL)
                show_cells(c, &image, near);
            fail_msg("'" STR_FMT "': the log changes a row that is not there",
                     STR_ARG(c->shape->name));
        }
    }
    if (after == NULL) {
        c->rows[at] = c->rows[--c->count];
        return;
    }
    struct row r = make_row(p, c, after);
    if (before == NULL) {
        add(c, r);
        return;
    }
    for (unsigned i = 0; i < c->shape->column_count; i++)
        if (r.cells[i].ptr == NULL)
            r.cells[i] = c->rows[at].cells[i];
    r.whole = c->rows[at].whole || r.whole;
    r.hash = hash_of(&r, c->shape->column_count);
    c->rows[at] = r;
}

static void apply(struct parity *p, struct copy *c, const struct rows_plan *plan,
                  uint8_t kind)
{
    bool before = kind != ROWS_INSERT && !rows_is_past(plan, false);
    bool after = kind != ROWS_DELETE && !rows_is_past(plan, true);
    c->inserts += !before && after;
    c->updates += before && after;
    c->deletes += before && !after;
    if (before || after)
        change(p, c, before ? p->before : NULL, after ? p->after : NULL);
}

static void drop_plan(void *plan)
{
    rows_plan_free(plan);
}

static void read_rows(struct parity *p, struct binlog *log, const struct event *e)
{
    struct error err = { 0 };
    struct rows_head head;
    if (rows_read_head(p->reader, e, binlog_body(log), binlog_format(log), &head, &err) !=
        0)
        fail_with(&err, "the head of rows");
    struct table_map *m = table_maps_find(p->maps, head.table_id);
    if (m == NULL || !str_eq(m->database, str_of(getenv("PARITY_DATABASE"))))
        return;
    struct copy *c = map_find(p->copies, m->name);
    if (c == NULL)
        return;
    struct type_options o = { .family = m->family,
                              .bad_text = CHARSET_REJECT,
                              .row_limit = ROW_BYTES };
    if (m->plan == NULL)
        m->plan = rows_plan_new(m, c->shape, &o, &err);
    if (m->plan == NULL)
        fail_with(&err, "the plan");
    for (;;) {
        int got = rows_read_row(p->reader, m->plan, p->before, p->after, &err);
        if (got < 0)
            fail_with(&err, "a row");
        if (got == 0)
            break;
        apply(p, c, m->plan, head.kind);
    }
    if (head.flags & ROWS_STATEMENT_END)
        table_maps_end_statement(p->maps);
}

static void read_log(struct parity *p, const char *path)
{
    struct error err = { 0 };
    struct event e;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail_msg("'%s' cannot be read", path);
    struct binlog_options o = { .name = path,
                                .row_limit = ROW_BYTES,
                                .event_limit = ROW_BYTES };
    struct binlog *log = binlog_new(binlog_source_fd(&fd), 0, &o);
    int got;
    while ((got = binlog_next(log, &e, &err)) > 0) {
        if (e.header.type == FORMAT_DESCRIPTION_EVENT)
            table_maps_clear(p->maps);
        else if (e.header.type == TABLE_MAP_EVENT &&
                 table_maps_put(p->maps, e.body, binlog_format(log), &err) == NULL)
            fail_with(&err, path);
        else if (event_type_has_rows(e.header.type))
            read_rows(p, log, &e);
    }
    if (got < 0)
        fail_with(&err, path);
    binlog_free(log);
    (void)close(fd);
}

/* ---- the SELECT ---- */

static struct row *select_rows(struct parity *p, struct copy *c, size_t *count)
{
    struct error err = { 0 };
    struct str why;
    struct page_pace pace = { 0 };
    struct full_options o = { .page_bytes = 1u << 22,
                              .page_time_us = 10000000,
                              .row_limit = ROW_BYTES,
                              .view_age_us = INT64_C(600000000) };
    struct full_table t = { .found = c->found,
                            .shape = schema_project(p->arena, c->shape),
                            .pace = &pace };
    struct page_range all = { 0 };
    struct copy read = { .shape = c->shape, .plans = c->plans, .blocks = c->blocks };
    const struct value *cells;
    t.method = full_method_of(c->found, false, &why);
    struct full_reader *r = full_reader_open(reader, &t, &all, &o, NULL, &err);
    if (r == NULL)
        fail_with(&err, "a SELECT");
    for (enum full_next next; (next = full_reader_next(r, &cells, &err)) != FULL_END;) {
        if (next == FULL_ERROR || next == FULL_TOO_BIG)
            fail_with(&err, "a SELECT");
        if (next != FULL_ROW)
            continue;
        for (unsigned i = 0; i < c->shape->column_count; i++)
            p->before[i] = (struct value){ .kind = VALUE_ABSENT };
        for (unsigned i = 0; i < t.shape->column_count; i++) {
            const struct column *of =
                schema_find_column(c->shape, t.shape->columns[i].name);
            p->before[of - c->shape->columns] = cells[i];
        }
        add(&read, make_row(p, c, p->before));
    }
    full_reader_close(r);
    *count = read.count;
    return read.rows;
}

static int by_cells(const void *a, const void *b, void *ctx)
{
    const struct row *x = a;
    const struct row *y = b;
    for (unsigned i = 0; i < ((struct copy *)ctx)->shape->column_count; i++) {
        int order = str_cmp(x->cells[i], y->cells[i]);
        if (order != 0)
            return order;
    }
    return 0;
}

/* Take out of both lists what is the same in both; the counts are what is left. */
static void take_equal(struct copy *c, struct row *want, size_t *count)
{
    size_t kept = 0;
    size_t left = 0;
    size_t k = 0;
    if (c->count > 0)
        qsort_r(c->rows, c->count, sizeof *c->rows, by_cells, c);
    if (*count > 0)
        qsort_r(want, *count, sizeof *want, by_cells, c);
    for (size_t i = 0; i < c->count; i++) {
        int order = -1;
        while (k < *count && (order = by_cells(&c->rows[i], &want[k], c)) > 0)
            want[left++] = want[k++];
        if (k < *count && order == 0)
            k++;
        else
            c->rows[kept++] = c->rows[i];
    }
    while (k < *count)
        want[left++] = want[k++];
    c->count = kept;
    *count = left;
}

/* The same of rows whose images had not all columns. */
static void take_partial(struct copy *c, struct row *want, size_t *count)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++) {
        size_t k = 0;
        while (k < *count && !is_of(c, &c->rows[i], &want[k]))
            k++;
        if (k < *count && !c->rows[i].whole)
            want[k] = want[--*count];
        else
            c->rows[kept++] = c->rows[i];
    }
    c->count = kept;
}

static bool compare(struct parity *p, struct copy *c)
{
    size_t count = 0;
    struct row *want = select_rows(p, c, &count);
    for (unsigned i = 0; i < c->shape->column_count; i++)
        p->values += c->plans[i] != NULL ? count : 0;
    size_t by_log = c->count;
    size_t by_select = count;
    take_equal(c, want, &count);
    take_partial(c, want, &count);
    bool same = count == 0 && c->count == 0;
    if (!same)
        print_message("# " STR_FMT ": of %zu rows by the log %zu, of %zu by SELECT %zu "
                      "are not in the other\n",
                      STR_ARG(c->shape->name), by_log, c->count, by_select, count);
    for (size_t i = 0; i < c->count && i < 4; i++) {
        const struct row *near = nearest(c, &c->rows[i], want, count);
        if (near != NULL)
            show_cells(c, &c->rows[i], near);
    }
    free(want);
    return same;
}

/* ---- the test ---- */

static void find_tables(struct parity *p)
{
    struct error err = { 0 };
    struct str database = str_of(getenv("PARITY_DATABASE"));
    struct discover_request q = { .databases = &database, .database_count = 1 };
    p->catalog = source_discover(reader, &q, &err);
    if (p->catalog == NULL)
        fail_with(&err, "discovery");
    assert_int_equal(p->catalog->database_count, 1);
    const struct catalog_database *d = &p->catalog->databases[0];
    for (size_t i = 0; i < d->table_count; i++)
        if (d->tables[i].kind == TABLE_BASE && d->tables[i].readable)
            (void)map_put(p->copies, d->tables[i].schema.name,
                          new_copy(p, &d->tables[i]));
}

static void the_log_tells_what_a_select_reads(void **state)
{
    (void)state;
    struct parity p = { .arena = arena_new((size_t)8 << 30) };
    struct str name;
    bool same = true;
    size_t rows = 0;
    size_t updates = 0;
    size_t deletes = 0;
    p.copies = map_new();
    p.maps = table_maps_new(drop_plan);
    p.reader = rows_reader_new(ROW_BYTES);
    p.before = xcalloc(TABLE_MAP_COLUMNS_MOST, sizeof *p.before);
    p.after = xcalloc(TABLE_MAP_COLUMNS_MOST, sizeof *p.after);
    find_tables(&p);
    char *logs = xstrdup(getenv("PARITY_LOGS"));
    char *rest = logs;
    for (char *path; (path = strsep(&rest, ":")) != NULL;)
        read_log(&p, path);
    for (size_t i = 0; i < map_count(p.copies); i++) {
        struct copy *c = map_at(p.copies, i, &name);
        rows += c->count;
        updates += c->updates;
        deletes += c->deletes;
        same = compare(&p, c) && same;
    }
    print_message("# %zu tables, %zu rows, %zu values, %zu updates, %zu deletes\n",
                  map_count(p.copies), rows, p.values, updates, deletes);
    assert_true(same);
    uint64_t least = 1;
    (void)str_to_u64(str_of(env_or("PARITY_VALUES", "1")), &least);
    assert_true(p.values >= least);
    table_maps_free(p.maps); /* with the plans, whose shapes are the catalog's */
    for (size_t i = 0; i < map_count(p.copies); i++)
        free_copy(map_at(p.copies, i, &name));
    map_free(p.copies);
    rows_reader_free(p.reader);
    catalog_free(p.catalog);
    arena_free(p.arena);
    free(p.before);
    free(p.after);
    free(logs);
}

static int connect_to_it(void **state)
{
    (void)state;
    log_open(LOG_TEXT, LOG_ERROR);
    connect_both();
    return 0;
}

static int disconnect(void **state)
{
    (void)state;
    session_close(writer);
    session_close(reader);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_log_tells_what_a_select_reads),
    };
    if (!server_is_named() || getenv("PARITY_DATABASE") == NULL)
        return 0;
    return cmocka_run_group_tests(tests, connect_to_it, disconnect);
}
