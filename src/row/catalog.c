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
