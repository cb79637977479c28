#include "source/discover_internal.h"
#include "source/sql.h"

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
    K_COUNT
};

static struct column *column_by_name(struct draft_table *t, struct str name)
{
    for (size_t i = 0; i < t->count; i++)
        if (str_ieq(t->columns[i].name, name))
            return &t->columns[i];
    return NULL;
}

/* The parts of one index of a table lie together, since STATISTICS delivers index by
 * index. */
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

/* The primary key, else the first unique index without a nullable column. */
static void choose_key(struct draft *d, struct draft_table *t)
{
    const struct draft_part *chosen = NULL;
    unsigned chosen_count = 0;
    const struct draft_part *p = t->parts;
    while (p != NULL) {
        unsigned count = parts_of_index(p);
        bool primary = str_eq(p->index_name, STR("PRIMARY"));
        if ((chosen == NULL || primary) && index_is_key(t, p, count)) {
            chosen = p;
            chosen_count = count;
        } else if (primary) {
            draft_note(d, arena_printf(d->arena,
                                       "The primary key of '" STR_FMT "." STR_FMT
                                       "' has columns that this account cannot read.",
                                       STR_ARG(t->t.schema.database),
                                       STR_ARG(t->t.schema.name)));
        }
        for (unsigned i = 0; i < count; i++)
            p = p->next;
    }
    if (chosen != NULL)
        take_key(d, t, chosen, chosen_count);
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
    p->is_invisible =
        str_ieq(row[K_VISIBLE], STR("NO")) || str_ieq(row[K_IGNORED], STR("YES"));
    if (row[K_EXPRESSION].ptr != NULL)
        p->column = (struct str){ 0 };
    if (t->parts == NULL)
        t->parts_end = &t->parts;
    *t->parts_end = p;
    t->parts_end = &p->next;
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
        choose_key(d, &d->tables[i]);
    return 0;
}
