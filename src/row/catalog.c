#include "row/catalog.h"

void catalog_free(struct catalog *c)
{
    if (c != NULL)
        arena_free(c->arena); /* the catalog itself may lie in it */
}

static bool name_eq(struct str a, struct str b, bool fold)
{
    return fold ? str_ieq(a, b) : str_eq(a, b);
}

const struct catalog_table *catalog_find(const struct catalog *c, struct str database,
                                         struct str table, bool fold)
{
    for (size_t i = 0; i < c->database_count; i++) {
        const struct catalog_database *d = &c->databases[i];
        if (!name_eq(d->name, database, fold))
            continue;
        for (size_t j = 0; j < d->table_count; j++)
            if (name_eq(d->tables[j].schema.name, table, fold))
                return &d->tables[j];
    }
    return NULL;
}

/* ---- replication keys ---- */

enum key_kind key_kind_of(const struct column *c, struct str *why)
{
    *why = (struct str){ 0 };
    switch (c->type) {
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_UBIGINT:
        return KEY_KIND_UNITS;
    case TYPE_DATE:
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
        return KEY_KIND_TIME;
    case TYPE_BOOL:
    case TYPE_BIT:
    case TYPE_BIT64:
        *why = STR("Bits and booleans do not grow with new rows.");
        return KEY_KIND_NONE;
    case TYPE_TIME:
        *why = STR("A TIME is of no certain day, so it does not grow with new rows.");
        return KEY_KIND_NONE;
    case TYPE_YEAR:
        *why = STR("A YEAR is too coarse: each read would bring the whole year again.");
        return KEY_KIND_NONE;
    case TYPE_UNSUPPORTED:
        *why = STR("The column is of an unsupported type.");
        return KEY_KIND_NONE;
    case TYPE_DECIMAL:
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
    case TYPE_TEXT:
    case TYPE_BYTES:
    case TYPE_ENUM:
    case TYPE_SET:
    case TYPE_JSON:
    case TYPE_GEOMETRY:
    case TYPE_VECTOR:
    case TYPE_UUID:
    case TYPE_INET4:
    case TYPE_INET6:
    case TYPE_COUNT:
        break;
    }
    *why = STR("A replication key is an integer, a DATE, a DATETIME or a TIMESTAMP.");
    return KEY_KIND_NONE;
}

/* The table's key from its column `ordinal` on, without `skip`; NULL behind the last. */
static const struct column *next_of_key(const struct catalog_table *t, struct str skip,
                                        unsigned *ordinal)
{
    const struct column *c;
    do
        c = schema_key_column(&t->schema, (*ordinal)++);
    while (c != NULL && str_eq(c->name, skip));
    return c;
}

/* The index has `column`, then the table's key. What is missing at its end InnoDB adds:
 * entries of its secondary indexes end with the clustered key (MySQL manual, "Clustered
 * and Secondary Indexes" and "Use of Index Extensions"). */
static bool gives_order(const struct catalog_table *t, const struct catalog_index *index,
                        struct str column)
{
    if (!str_eq(index->columns[0], column))
        return false;
    unsigned ordinal = 1;
    const struct column *c = next_of_key(t, column, &ordinal);
    for (size_t i = 1; i < index->column_count && c != NULL; i++) {
        if (!str_eq(index->columns[i], c->name))
            return false;
        c = next_of_key(t, column, &ordinal);
    }
    return c == NULL || ((t->key == KEY_PRIMARY || t->key == KEY_GENERATED) &&
                         str_ieq(t->engine, STR("InnoDB")));
}

struct str key_index_of(const struct catalog_table *t, struct str column)
{
    const struct catalog_index *best = NULL;
    for (size_t i = 0; i < t->index_count; i++) {
        const struct catalog_index *index = &t->indexes[i];
        if (!gives_order(t, index, column))
            continue;
        if (str_eq(index->name, t->key_name))
            return index->name;
        if (best == NULL || index->column_count < best->column_count)
            best = index;
    }
    return best == NULL ? (struct str){ 0 } : best->name;
}
