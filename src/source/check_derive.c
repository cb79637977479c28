/* Which foreign keys' work can be derived from the changes of the parent. See check.h.
 *
 * A reader of the log sees that a row of the parent goes, or that the columns which
 * children refer to become others. The rows of the child that had these values then are
 * those which the server changed, if "had" means the same there and at a destination:
 * equal values are equal bytes, the values are told in every image of the parent, and no
 * other row of the parent has them. */
#include "base/alloc.h"
#include "source/check_internal.h"

#include <xxhash.h>

/* Text is compared by collations, which no destination shares; but for those that compare
 * bytes, blanks at the end too. */
static bool compares_bytes(const struct column *c)
{
    switch (c->type) {
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_UBIGINT:
    case TYPE_BYTES:
    case TYPE_DATE:
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIME:
    case TYPE_YEAR:
        return true;
    case TYPE_TEXT:
        return str_eq(c->collation, STR("utf8mb4_0900_bin")) ||
               str_ends(c->collation, STR("_nopad_bin"));
    case TYPE_UNSUPPORTED:
    case TYPE_BOOL:
    case TYPE_DECIMAL:
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
    case TYPE_BIT:
    case TYPE_BIT64:
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
    return false;
}

/* The server compares names of columns without case. */
static const struct column *column_of(const struct table_schema *s, struct str name)
{
    for (unsigned i = 0; i < s->column_count; i++)
        if (str_ieq(s->columns[i].name, name))
            return &s->columns[i];
    return NULL;
}

static struct str column_why(struct arena *a, const struct column *child,
                             const struct column *parent)
{
    if (child == NULL || parent == NULL)
        return STR("Its columns are not known.");
    if (!compares_bytes(child))
        return arena_printf(a,
                            "Values of column '" STR_FMT "' (" STR_FMT
                            ") cannot be compared elsewhere as this server does it.",
                            STR_ARG(child->name), STR_ARG(child->source_type));
    if (child->type != parent->type || child->is_unsigned != parent->is_unsigned ||
        !str_eq(child->source_type, parent->source_type) ||
        !str_eq(child->collation, parent->collation))
        return arena_printf(a, "Column '" STR_FMT "' has another type than its parent's.",
                            STR_ARG(child->name));
    return (struct str){ 0 };
}

/* Its columns are the key by which rows of the parent are told apart: no other row has
 * the values, and each row of the log tells them. */
static bool refers_to_key(const struct check_cascade *c, const struct catalog_table *t)
{
    if (t->key == KEY_NONE || t->key_has_prefix || t->schema.key_count != c->column_count)
        return false;
    for (size_t i = 0; i < c->column_count; i++) {
        const struct column *column = column_of(&t->schema, c->references[i]);
        if (column == NULL || column->key_ordinal == 0)
            return false;
    }
    return true;
}

static bool changes_values(const struct check_cascade *c)
{
    return c->on_update != RULE_NONE || c->on_delete == RULE_SET_NULL;
}

/* Columns that are computed from others change with them, unseen. */
static bool has_computed(const struct table_schema *s)
{
    for (unsigned i = 0; i < s->column_count; i++)
        if (s->columns[i].generated == GENERATED_VIRTUAL ||
            s->columns[i].generated == GENERATED_STORED)
            return true;
    return false;
}

static struct str child_why(struct arena *a, const struct check_cascade *c,
                            const struct catalog_table *t)
{
    if (t->key == KEY_NONE)
        return STR("Without a key its rows cannot be found again.");
    if (changes_values(c) && has_computed(&t->schema))
        return STR("It has columns that are computed from others.");
    for (size_t i = 0; changes_values(c) && i < c->column_count; i++)
        if (column_of(&t->schema, c->columns[i])->key_ordinal != 0)
            return arena_printf(a, "It changes column '" STR_FMT "' of its rows' key.",
                                STR_ARG(c->columns[i]));
    return (struct str){ 0 };
}

/* Another one that acts shares a column with it. */
static bool overlaps(const struct check_cascade *c, const struct log_ability *o)
{
    for (size_t k = 0; k < o->cascade_count; k++) {
        const struct check_cascade *other = &o->cascades[k];
        if (other == c || !str_eq(other->table, c->table) ||
            !str_eq(other->database, c->database))
            continue;
        for (size_t i = 0; i < c->column_count; i++)
            for (size_t j = 0; j < other->column_count; j++)
                if (str_ieq(c->columns[i], other->columns[j]))
                    return true;
    }
    return false;
}

/* The parent's rows are changed by a foreign key, too. */
static bool parent_is_child(const struct check_cascade *c, const struct log_ability *o)
{
    for (size_t k = 0; k < o->cascade_count; k++)
        if (str_eq(o->cascades[k].table, c->parent_table) &&
            str_eq(o->cascades[k].database, c->parent_database))
            return true;
    return false;
}

static struct str parent_why(const struct check_cascade *c, const struct catalog_table *t,
                             const struct log_ability *o)
{
    if (t == NULL || !t->readable || t->kind != TABLE_BASE)
        return STR("Its parent cannot be read.");
    if (parent_is_child(c, o))
        return STR("Rows of its parent are changed by a foreign key, too.");
    if (t->system_versioned || check_is_filtered(o, c->parent_database))
        return STR("The log does not have all of its parent's rows.");
    if (!refers_to_key(c, t))
        return STR("It does not refer to the key of its parent's rows.");
    return (struct str){ 0 };
}

static struct str why_not(struct arena *a, const struct catalog *catalog,
                          const struct check_cascade *c, const struct log_ability *o)
{
    const struct catalog_table *t = catalog_find(catalog, c->database, c->table, false);
    const struct catalog_table *parent =
        catalog_find(catalog, c->parent_database, c->parent_table, false);
    if (t == NULL || c->column_count == 0)
        return STR("Its columns are not known.");
    if (!o->full_images)
        return STR("The log does not have all columns of its rows (binlog_row_image).");
    if (c->on_delete == RULE_SET_DEFAULT || c->on_update == RULE_SET_DEFAULT)
        return STR("What SET DEFAULT does is not known.");
    struct str why = parent_why(c, parent, o);
    for (size_t i = 0; i < c->column_count && why.len == 0; i++)
        why = column_why(a, column_of(&t->schema, c->columns[i]),
                         column_of(&parent->schema, c->references[i]));
    if (why.len == 0)
        why = child_why(a, c, t);
    if (why.len == 0 && overlaps(c, o))
        why = STR("Another foreign key that acts has a column in common with it.");
    return why;
}

void check_derive(struct arena *a, const struct catalog *catalog, struct log_ability *o)
{
    for (size_t i = 0; i < o->cascade_count; i++) {
        struct check_cascade *c = &o->cascades[i];
        const struct catalog_table *parent =
            catalog_find(catalog, c->parent_database, c->parent_table, false);
        c->why = why_not(a, catalog, c, o);
        c->derived = c->why.len == 0;
        c->parent_shape = parent == NULL ? 0 : schema_hash(&parent->schema);
    }
}

/* ---- has it changed ---- */

static void add_name(struct buf *out, struct str name)
{
    buf_add_str(out, name);
    buf_add_char(out, '\0');
}

uint64_t check_cascade_hash(const struct log_ability *o, const struct table_schema *child,
                            bool whole)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, (size_t)16 << 20);
    for (size_t i = 0; o != NULL && i < o->cascade_count; i++) {
        const struct check_cascade *c = &o->cascades[i];
        if (!str_eq(c->table, child->name) || !str_eq(c->database, child->database))
            continue;
        add_name(&text, c->name);
        add_name(&text, c->parent_database);
        add_name(&text, c->parent_table);
        for (size_t k = 0; k < c->column_count; k++) {
            add_name(&text, c->columns[k]);
            add_name(&text, c->references[k]);
        }
        buf_printf(&text, "%d %d %d %llu", (int)c->on_delete, (int)c->on_update,
                   (int)c->derived, whole ? (unsigned long long)c->parent_shape : 0ULL);
    }
    if (text.len == 0)
        return 0;
    uint64_t hash = XXH3_64bits(buf_str(&text).ptr, text.len);
    return hash == 0 ? 1 : hash;
}
