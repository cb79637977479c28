/* What foreign keys did to followed tables, from the changes of their parents: each row
 * of a parent that goes, or whose key becomes another one, is told to the streams of its
 * children, right behind it. What rows of theirs it was is found at the destination.
 *
 * A parent that is not followed is watched all the same, and goes nowhere. */
#include "base/alloc.h"
#include "source/check.h"
#include "sync/log_lane_internal.h"
#include "sync/log_memory.h"

#include <stdlib.h>

/* --- who is whose parent --------------------------------------------------------------
 */

static struct log_table *table_named(struct log_lane *l, struct str database,
                                     struct str table, uint32_t *number)
{
    for (size_t i = 0; i < l->table_count; i++)
        if (str_eq(l->tables[i].stream->table, table) &&
            str_eq(l->tables[i].stream->database, database)) {
            *number = (uint32_t)i;
            return &l->tables[i];
        }
    return NULL;
}

static const struct catalog_table *found_of(const struct log_lane *l, uint32_t number)
{
    return number < l->table_count ? l->tables[number].stream->found
                                   : &l->parents[number - l->table_count];
}

/* Under which number the parent's rows come. */
static bool find_parent(struct log_lane *l, const struct check_cascade *key,
                        uint32_t *number)
{
    if (table_named(l, key->parent_database, key->parent_table, number) != NULL)
        return true;
    for (size_t i = 0; i < l->parent_count; i++) {
        *number = (uint32_t)(l->table_count + i);
        if (str_eq(l->parents[i].schema.name, key->parent_table) &&
            str_eq(l->parents[i].schema.database, key->parent_database))
            return true;
    }
    const struct catalog_table *t =
        catalog_find(l->config.catalog, key->parent_database, key->parent_table, false);
    if (t == NULL)
        return false;
    *number = (uint32_t)(l->table_count + l->parent_count);
    l->parents = xreallocarray(l->parents, l->parent_count + 1, sizeof *l->parents);
    l->parents[l->parent_count++] = *t;
    return true;
}

static uint16_t place_of(const struct table_schema *s, struct str name)
{
    for (unsigned i = 0; i < s->column_count; i++)
        if (s->columns[i].companion == 0 && str_ieq(s->columns[i].name, name))
            return (uint16_t)i;
    return UINT16_MAX;
}

/* False when one of them is gone. */
static bool find_places(const struct table_schema *s, const struct str *names,
                        size_t count, uint16_t *out)
{
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        out[i] = place_of(s, names[i]);
        all = all && out[i] != UINT16_MAX;
    }
    return all;
}

static void add_cascade(struct log_lane *l, struct check_cascade *key,
                        struct log_table *child)
{
    uint32_t parent = 0;
    size_t n = key->column_count;
    if (!find_parent(l, key, &parent))
        return;
    l->cascades = xreallocarray(l->cascades, l->cascade_count + 1, sizeof *l->cascades);
    l->cascades[l->cascade_count++] =
        (struct log_cascade){ .key = key,
                              .child = child,
                              .parent = parent,
                              .from = xcalloc(n, sizeof(uint16_t)),
                              .to = xcalloc(n, sizeof(uint16_t)),
                              .old = xcalloc(n, sizeof(struct value)),
                              .now = xcalloc(n, sizeof(struct value)) };
}

void log_cascade_init(struct log_lane *l)
{
    const struct log_ability *o = l->config.plan->ability;
    for (size_t i = 0; o != NULL && i < o->cascade_count; i++) {
        uint32_t ignored = 0;
        struct check_cascade *key = &o->cascades[i];
        struct log_table *child = table_named(l, key->database, key->table, &ignored);
        if (key->derived && child != NULL)
            add_cascade(l, key, child);
    }
    for (size_t i = 0; i < l->cascade_count; i++) {
        struct log_cascade *c = &l->cascades[i];
        (void)find_places(&found_of(l, c->parent)->schema, c->key->references,
                          c->key->column_count, c->from);
    }
}

void log_cascade_done(struct log_lane *l)
{
    for (size_t i = 0; i < l->cascade_count; i++) {
        free(l->cascades[i].from);
        free(l->cascades[i].to);
        free(l->cascades[i].old);
        free(l->cascades[i].now);
    }
    free(l->cascades);
    free(l->parents);
}

/* --- watching -------------------------------------------------------------------------
 */

bool log_cascade_is_child(const struct log_lane *l, const struct log_table *t)
{
    for (size_t i = 0; i < l->cascade_count; i++)
        if (l->cascades[i].child == t)
            return true;
    return false;
}

int log_cascade_watch_table(struct log_lane *l, struct log_table *t, struct error *err)
{
    struct catalog_table found = *t->stream->found;
    found.cascades = log_cascade_is_child(l, t);
    return log_reader_watch(l->reader, (uint32_t)(t - l->tables), &found, err);
}

/* Some child is followed still. */
static bool has_child(const struct log_lane *l, uint32_t number)
{
    for (size_t i = 0; i < l->cascade_count; i++)
        if (l->cascades[i].parent == number &&
            l->cascades[i].child->state != LOG_TABLE_OUT)
            return true;
    return false;
}

/* Of the parent only its key is decoded. */
static int watch_parent(struct log_lane *l, uint32_t number, struct error *err)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)64 << 20);
    struct catalog_table keys = *found_of(l, number);
    struct table_schema *s = schema_copy(a, &keys.schema);
    struct column *columns = ARENA_ARRAY(a, struct column, s->column_count);
    for (unsigned i = 0; i < s->column_count; i++) {
        columns[i] = s->columns[i];
        columns[i].selected = columns[i].selected && columns[i].key_ordinal != 0;
    }
    keys.schema = *s;
    keys.schema.columns = columns;
    return log_reader_watch(l->reader, number, &keys, err);
}

int log_cascade_watch_parents(struct log_lane *l, struct error *err)
{
    for (size_t i = 0; i < l->parent_count; i++) {
        uint32_t number = (uint32_t)(l->table_count + i);
        if (has_child(l, number) && watch_parent(l, number, err) != 0)
            return -1;
    }
    return 0;
}

/* --- rows -----------------------------------------------------------------------------
 */

/* The parent's values before and after. False: no child's row can have had them, or they
 * stay. */
static bool take_values(struct log_cascade *c, const struct log_item *item)
{
    bool changed = item->op == LOG_DELETE;
    for (size_t i = 0; i < c->key->column_count; i++) {
        c->old[i] = item->before[c->from[i]];
        if (c->old[i].kind == VALUE_NULL)
            return false;
        if (item->op == LOG_DELETE)
            continue;
        c->now[i] = item->after[c->from[i]];
        changed = changed || !value_same(&c->old[i], &c->now[i]);
    }
    return changed;
}

static bool find_child_places(struct log_cascade *c)
{
    if (c->shape == c->child->shape)
        return true;
    c->shape = c->child->shape;
    return find_places(c->shape->schema, c->key->columns, c->key->column_count, c->to);
}

static bool tell_child(struct log_lane *l, struct log_cascade *c,
                       const struct log_item *item)
{
    enum check_rule rule = item->op == LOG_DELETE ? c->key->on_delete : c->key->on_update;
    struct log_acted acted = { .columns = c->to,
                               .old = c->old,
                               .now = c->now,
                               .count = c->key->column_count,
                               .at = item->at };
    if (!find_child_places(c))
        return false;
    if (rule == RULE_CASCADE && item->op == LOG_DELETE)
        acted.now = NULL;
    for (size_t i = 0; rule == RULE_SET_NULL && i < c->key->column_count; i++)
        c->now[i] = (struct value){ .kind = VALUE_NULL };
    return log_table_take_acted(c->child, &acted, &l->numbers,
                                l->config.plan->options->row_limit);
}

static int act(struct log_lane *l, struct log_cascade *c, const struct log_item *item,
               struct error *err)
{
    enum check_rule rule = item->op == LOG_DELETE ? c->key->on_delete : c->key->on_update;
    bool wanted = false;
    int rc = log_lane_wants(l, c->child, &wanted);
    if (rc != 0 || !wanted || rule == RULE_NONE || !take_values(c, item))
        return rc;
    log_change_touch(l, c->child);
    if (!tell_child(l, c, item))
        return log_change_lose(l, c->child,
                               STR("a foreign key changed rows of it by values that "
                                   "cannot be represented"),
                               ACTION_PARK);
    return log_lane_took(l, c->child, err);
}

int log_cascade_row(struct log_lane *l, const struct log_item *item, struct error *err)
{
    if (item->op == LOG_INSERT || item->no_checks)
        return 0;
    for (size_t i = 0; i < l->cascade_count; i++) {
        if (l->cascades[i].parent != item->table)
            continue;
        int rc = act(l, &l->cascades[i], item, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* --- parents that change --------------------------------------------------------------
 */

int log_cascade_orphan(struct log_lane *l, uint32_t number)
{
    int again = 0;
    for (size_t i = 0; i < l->cascade_count; i++) {
        struct log_cascade *c = &l->cascades[i];
        if (c->parent != number || c->child->state == LOG_TABLE_OUT)
            continue;
        struct str why = arena_printf(l->arena,
                                      "its foreign key '" STR_FMT
                                      "' changes rows of it, and the changes of '" STR_FMT
                                      "' cannot be followed from here on",
                                      STR_ARG(c->key->name), STR_ARG(c->key->parent));
        int rc = log_change_lose(l, c->child, why, ACTION_PARK);
        again = rc != 0 ? rc : again;
    }
    return again;
}

int log_cascade_reshape(struct log_lane *l, uint32_t number,
                        const struct catalog_table *found, struct error *err)
{
    if (number >= l->table_count) {
        struct catalog_table *t = &l->parents[number - l->table_count];
        *t = *found;
        t->schema = *schema_copy(l->arena, &found->schema);
        t->key_name = arena_str(l->arena, found->key_name);
        t->engine = arena_str(l->arena, found->engine);
    }
    for (size_t i = 0; i < l->cascade_count; i++) {
        struct log_cascade *c = &l->cascades[i];
        if (c->parent != number || c->child->state == LOG_TABLE_OUT)
            continue;
        if (!find_places(&found->schema, c->key->references, c->key->column_count,
                         c->from))
            return log_cascade_orphan(l, number);
        c->key->parent_shape = schema_hash(&found->schema);
        if (log_memory_save(l->config.plan, c->child->stream, err) != 0)
            return -1;
    }
    return 0;
}
