#include "source/discover_internal.h"
#include "source/sql.h"

#include <stdlib.h>

#define SHOW_KEYS_MOST 256

/* The order of the query's columns. */
enum {
    K_DATABASE,
    K_TABLE,
    K_INDEX,
    K_SEQ,
    K_COLUMN,
    K_DIRECTION,
    K_SUB_PART,
    K_TYPE,
    K_EXPRESSION,
    K_VISIBLE,
    K_IGNORED,
    K_NON_UNIQUE,
    K_COUNT
};

static struct column *column_by_name(struct draft_table *t, struct str name)
{
    for (size_t i = 0; i < t->count; i++)
        if (str_ieq(t->columns[i].name, name))
            return &t->columns[i];
    return NULL;
}

/* The parts of one index lie together: add_part() keeps them so. */
static unsigned parts_of_index(const struct draft_part *first)
{
    unsigned n = 0;
    for (const struct draft_part *p = first;
         p != NULL && str_eq(p->index_name, first->index_name); p = p->next)
        n++;
    return n;
}

static const struct draft_part *index_part(const struct draft_part *first, unsigned seq,
                                           unsigned count)
{
    for (unsigned i = 0; i < count; i++, first = first->next)
        if (first->seq == seq)
            return first;
    return NULL;
}

/* Every part is a readable column that cannot be NULL. `row_end` of a system-versioned
 * table is passed over: among current rows it is one constant. */
static bool index_is_key(struct draft_table *t, const struct draft_part *first,
                         unsigned count)
{
    bool any = false;
    if (!first->is_unique)
        return false;
    for (unsigned seq = 1; seq <= count; seq++) {
        const struct draft_part *p = index_part(first, seq, count);
        if (p == NULL || p->column.len == 0)
            return false;
        const struct column *c = column_by_name(t, p->column);
        if (c == NULL && t->t.system_versioned && seq == count)
            continue;
        if (c == NULL || c->nullable || c->type == TYPE_UNSUPPORTED)
            return false;
        any = any || c->generated != GENERATED_ROW_END;
    }
    return any;
}

static void take_key(struct draft *d, struct draft_table *t,
                     const struct draft_part *first, unsigned count)
{
    bool ascending = false;
    bool descending = false;
    uint16_t ordinal = 0;
    for (unsigned seq = 1; seq <= count; seq++) {
        const struct draft_part *p = index_part(first, seq, count);
        struct column *c = column_by_name(t, p->column);
        if (c == NULL || c->generated == GENERATED_ROW_END)
            continue;
        c->key_ordinal = ++ordinal;
        t->t.key_has_prefix |= p->has_prefix;
        t->t.key_is_unordered |= p->is_hash || p->is_invisible;
        ascending |= !str_eq(p->direction, STR("D"));
        descending |= str_eq(p->direction, STR("D"));
    }
    t->t.key_is_unordered |= ascending && descending;
    t->t.schema.key_count = ordinal;
    t->t.key_name = arena_str(d->arena, first->index_name);
    const struct column *c = ordinal == 1 ? column_by_name(t, first->column) : NULL;
    if (!str_eq(first->index_name, STR("PRIMARY")))
        t->t.key = KEY_UNIQUE_NOT_NULL;
    else if (c != NULL && c->visibility == COLUMN_INVISIBLE &&
             str_eq(c->name, STR("my_row_id")))
        t->t.key = KEY_GENERATED;
    else
        t->t.key = KEY_PRIMARY;
}

/* The index of the list at *p, and *p behind it. */
static unsigned next_index(const struct draft_part **p)
{
    unsigned count = parts_of_index(*p);
    for (unsigned i = 0; i < count; i++)
        *p = (*p)->next;
    return count;
}

/* MySQL 8 delivers STATISTICS in any order and has no column that tells the order of the
 * indexes of a table; SHOW KEYS has it. Asked only for tables with several unique keys
 * and no primary one, and not for more than SHOW_KEYS_MOST of them: then the first by
 * name is taken, and said. */
static int show_keys(struct draft *d, struct draft_table *t, struct session_result *r,
                     struct error *err)
{
    struct buf sql;
    buf_init(&sql, 4096);
    buf_add_text(&sql, "SHOW KEYS FROM ");
    session_quote_ident(&sql, t->t.schema.database);
    buf_add_char(&sql, '.');
    session_quote_ident(&sql, t->t.schema.name);
    buf_add_text(&sql, " WHERE Non_unique = 0");
    int rc = session_query(d->session, d->scratch, buf_str(&sql), r, err);
    buf_done(&sql);
    return rc;
}

/* Where in SHOW KEYS' order the index stands. */
static size_t rank_of(const struct session_result *r, struct str index_name)
{
    for (size_t i = 0; i < r->row_count; i++)
        if (r->column_count > 2 && str_eq(r->cells[i * r->column_count + 2], index_name))
            return i;
    return r->row_count;
}

static int rank_keys(struct draft *d, struct draft_table *t, struct session_result *r,
                     struct error *err)
{
    *r = (struct session_result){ 0 };
    if (session_is_mariadb(d->session))
        return 0; /* STATISTICS comes in this order */
    if (d->shown_keys++ < SHOW_KEYS_MOST)
        return show_keys(d, t, r, err);
    draft_note(d, arena_printf(d->arena,
                               "'" STR_FMT "." STR_FMT "' has several unique keys and no "
                               "primary key: the first by name was taken.",
                               STR_ARG(t->t.schema.database), STR_ARG(t->t.schema.name)));
    return 0;
}

static bool comes_before(const struct draft *d, const struct session_result *r,
                         const struct draft_part *a, const struct draft_part *b)
{
    if (r->row_count > 0)
        return rank_of(r, a->index_name) < rank_of(r, b->index_name);
    return !session_is_mariadb(d->session) && str_cmp(a->index_name, b->index_name) < 0;
}

static void note_primary(struct draft *d, const struct draft_table *t)
{
    draft_note(d, arena_printf(d->arena,
                               "The primary key of '" STR_FMT "." STR_FMT
                               "' has columns that this account cannot read.",
                               STR_ARG(t->t.schema.database), STR_ARG(t->t.schema.name)));
}

/* The primary key, else the first unique index without a nullable column. */
static int choose_key(struct draft *d, struct draft_table *t, struct error *err)
{
    const struct draft_part *primary = NULL;
    const struct draft_part *chosen = NULL;
    unsigned candidates = 0;
    for (const struct draft_part *p = t->parts; p != NULL;) {
        const struct draft_part *first = p;
        unsigned count = next_index(&p);
        bool usable = index_is_key(t, first, count);
        candidates += usable;
        if (str_eq(first->index_name, STR("PRIMARY")) && usable)
            primary = first;
        else if (str_eq(first->index_name, STR("PRIMARY")))
            note_primary(d, t);
        else if (usable && chosen == NULL)
            chosen = first;
    }
    if (primary != NULL)
        chosen = primary;
    struct session_result order = { 0 };
    if (primary == NULL && candidates > 1 && rank_keys(d, t, &order, err) != 0)
        return -1;
    for (const struct draft_part *p = t->parts; p != NULL && primary == NULL;) {
        const struct draft_part *first = p;
        unsigned count = next_index(&p);
        if (candidates > 1 && index_is_key(t, first, count) &&
            comes_before(d, &order, first, chosen))
            chosen = first;
    }
    if (chosen != NULL)
        take_key(d, t, chosen, parts_of_index(chosen));
    return 0;
}

static void add_part(struct draft *d, struct draft_table *t, const struct str *row)
{
    struct draft_part *p = ARENA_NEW(d->scratch, struct draft_part);
    uint64_t seq = 0;
    (void)str_to_u64(row[K_SEQ], &seq);
    p->index_name = row[K_INDEX];
    p->column = row[K_COLUMN].ptr == NULL ? (struct str){ 0 } : row[K_COLUMN];
    p->direction = row[K_DIRECTION];
    p->seq = (unsigned)seq;
    p->has_prefix = row[K_SUB_PART].ptr != NULL;
    p->is_hash = !str_ieq(row[K_TYPE], STR("BTREE"));
    p->is_long_hash =
        str_ieq(row[K_TYPE], STR("HASH")) && !str_ieq(t->t.engine, STR("MEMORY"));
    p->is_invisible =
        str_ieq(row[K_VISIBLE], STR("NO")) || str_ieq(row[K_IGNORED], STR("YES"));
    p->is_unique = str_eq(row[K_NON_UNIQUE], STR("0"));
    if (row[K_EXPRESSION].ptr != NULL)
        p->column = (struct str){ 0 };
    /* behind the other parts of its index, else at the end */
    struct draft_part **at = &t->parts;
    while (*at != NULL && !str_eq((*at)->index_name, p->index_name))
        at = &(*at)->next;
    while (*at != NULL && str_eq((*at)->index_name, p->index_name))
        at = &(*at)->next;
    p->next = *at;
    *at = p;
}

/* ---- indexes to read by ---- */

static bool index_ascends(const struct draft_part *first, unsigned count)
{
    for (unsigned seq = 1; seq <= count; seq++) {
        const struct draft_part *p = index_part(first, seq, count);
        if (p == NULL || p->column.len == 0 || p->has_prefix || p->is_hash ||
            p->is_invisible || !str_eq(p->direction, STR("A")))
            return false;
    }
    return true;
}

static struct catalog_index make_index(struct draft *d, const struct draft_part *first,
                                       unsigned count)
{
    struct str *columns = ARENA_ARRAY(d->arena, struct str, count);
    for (unsigned seq = 1; seq <= count; seq++)
        columns[seq - 1] = draft_word(d, index_part(first, seq, count)->column);
    return (struct catalog_index){ draft_word(d, first->index_name), columns, count };
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct catalog_index *)a)->name,
                   ((const struct catalog_index *)b)->name);
}

static void list_indexes(struct draft *d, struct draft_table *t)
{
    size_t most = 0;
    for (const struct draft_part *p = t->parts; p != NULL; most++)
        (void)next_index(&p);
    if (most == 0)
        return;
    struct catalog_index *indexes = ARENA_ARRAY(d->arena, struct catalog_index, most);
    for (const struct draft_part *p = t->parts; p != NULL;) {
        const struct draft_part *first = p;
        unsigned count = next_index(&p);
        if (index_ascends(first, count))
            indexes[t->t.index_count++] = make_index(d, first, count);
    }
    qsort(indexes, t->t.index_count, sizeof *indexes, by_name);
    t->t.indexes = indexes;
}

/* What MariaDB appends to the columns of a table and no query sees: row_start and row_end
 * where no statement named them, then a hash for each unique key that is longer than an
 * index may be. MEMORY's hashes are real indexes. */
static void count_hidden(struct draft_table *t)
{
    struct table_schema *s = &t->t.schema;
    s->hidden_versions = t->t.system_versioned;
    for (size_t i = 0; i < t->count; i++)
        if (t->columns[i].generated == GENERATED_ROW_END)
            s->hidden_versions = false;
    for (const struct draft_part *p = t->parts; p != NULL;) {
        const struct draft_part *first = p;
        (void)next_index(&p);
        if (first->is_unique && first->is_long_hash)
            s->hidden_hashes++;
    }
}

int draft_keys(struct draft *d, struct str where, struct error *err)
{
    struct session_result r;
    if (draft_query(d, source_sql_keys, where, &r, err) != 0)
        return -1;
    for (size_t i = 0; i < r.row_count; i++) {
        const struct str *row = &r.cells[i * K_COUNT];
        struct draft_table *t = draft_find(d, row[K_DATABASE], row[K_TABLE]);
        if (t != NULL)
            add_part(d, t, row);
    }
    for (size_t i = 0; i < d->table_count; i++)
        if (choose_key(d, &d->tables[i], err) != 0)
            return -1;
    for (size_t i = 0; i < d->table_count; i++)
        list_indexes(d, &d->tables[i]);
    for (size_t i = 0; session_is_mariadb(d->session) && i < d->table_count; i++)
        count_hidden(&d->tables[i]);
    return 0;
}
