/* Does the log still hold the shape that is watched, and may a table have become what the
 * catalog says without a row being changed unseen? */
#include "base/alloc.h"
#include "mysql/charset.h"
#include "source/log_internal.h"

/* --- maps ------------------------------------------------------------------------------
 */

/* Catalogs show labels in three bytes of UTF-8, with a '?' for what needs four (seen with
 * MySQL 9.7 and MariaDB 10.5 to 11.8). The values are those of the map's. */
static bool label_is_shown(struct str label, struct str shown)
{
    size_t at = 0;
    for (size_t i = 0; i < label.len; at++) {
        bool wide = (unsigned char)label.ptr[i] >= 0xf0 && label.len - i >= 4;
        if (at == shown.len || shown.ptr[at] != (wide ? '?' : label.ptr[i]))
            return false;
        i += wide ? 4 : 1;
    }
    return at == shown.len;
}

/* A label of the map is in the column's charset. */
static bool label_is(const struct map_column *m, enum charset_family family,
                     struct str label, struct str want)
{
    CLEANUP(buf_done) struct buf utf8;
    const struct charset *cs = charset_of_collation(m->collation);
    if (cs == NULL || charset_is_binary(cs))
        return str_eq(label, want);
    buf_init(&utf8, label.len * 4 + 16);
    return charset_to_utf8(cs, family, label, CHARSET_REJECT, &utf8, NULL) == 0 &&
           label_is_shown(buf_str(&utf8), want);
}

static bool labels_fit(const struct map_column *m, enum charset_family family,
                       const struct column *c)
{
    if (m->labels == NULL || (c->type != TYPE_ENUM && c->type != TYPE_SET))
        return true;
    if (m->label_count != c->label_count)
        return false;
    for (unsigned i = 0; i < c->label_count; i++)
        if (!label_is(m, family, m->labels[i], c->labels[i]))
            return false;
    return true;
}

static bool key_fits(const struct table_map *m, const struct table_schema *shape,
                     unsigned i, const struct column *c)
{
    /* Only a primary key is told; a unique one may be ours. */
    if (!m->has_key || m->key_count == 0 || m->columns[i].key_ordinal == 0)
        return true;
    return shape->key_count == 0 || c->key_ordinal == m->columns[i].key_ordinal;
}

/* The types are the plan's business (mysql/rows.h); what it does not look at is ours. */
static bool column_fits(const struct table_map *m, unsigned i,
                        const struct table_schema *shape, const struct column *c,
                        struct buf *why)
{
    if (!labels_fit(&m->columns[i], m->family, c)) {
        buf_printf(why, "column '" STR_FMT "' has other labels in the log",
                   STR_ARG(c->name));
        return false;
    }
    if (m->columns[i].nullable && !c->nullable && c->generated == GENERATED_NO) {
        buf_printf(why, "column '" STR_FMT "' may be NULL in the log", STR_ARG(c->name));
        return false;
    }
    if (!key_fits(m, shape, i, c)) {
        buf_printf(why, "column '" STR_FMT "' has another place in the key in the log",
                   STR_ARG(c->name));
        return false;
    }
    return true;
}

/* MariaDB keeps a hash of each long UNIQUE key in a column that its catalog does not
 * show.
 */
static bool is_hidden(const struct table_map *m, struct str name)
{
    return m->family == CHARSET_MARIADB && str_starts(name, STR("DB_ROW_HASH_"));
}

static bool named_fit(const struct table_map *m, const struct table_schema *shape,
                      struct buf *why)
{
    unsigned found = 0, wanted = 0;
    for (unsigned i = 0; i < m->column_count; i++) {
        const struct column *c = schema_find_column(shape, m->columns[i].name);
        if (c == NULL && is_hidden(m, m->columns[i].name))
            continue;
        if (c == NULL) {
            buf_printf(why, "the log has a column '" STR_FMT "' that was not known",
                       STR_ARG(m->columns[i].name));
            return false;
        }
        if (!column_fits(m, i, shape, c, why))
            return false;
        found += c->companion == 0;
    }
    for (unsigned i = 0; i < shape->column_count; i++)
        wanted += shape->columns[i].companion == 0;
    if (found == wanted)
        return true;
    buf_printf(why, "the log has %u of the table's %u columns", found, wanted);
    return false;
}

bool log_shape_fits(const struct table_map *m, const struct table_schema *shape,
                    struct buf *why)
{
    if (m->has_names)
        return named_fit(m, shape, why);
    if (m->column_count != shape->column_count) {
        buf_printf(why, "the log has %u columns, the table was known with %u%s",
                   m->column_count, shape->column_count,
                   m->family == CHARSET_MARIADB && m->column_count > shape->column_count
                       ? " (UNIQUE keys of long columns add hidden ones: with "
                         "binlog_row_metadata=FULL the log tells them apart)"
                       : "");
        return false;
    }
    for (unsigned i = 0; i < m->column_count; i++)
        if (!column_fits(m, i, shape, &shape->columns[i], why))
            return false;
    return true;
}

/* --- changes of the shape --------------------------------------------------------------
 */

static bool same_column(const struct column *a, const struct column *b)
{
    struct table_schema one = { .column_count = 1, .columns = a };
    struct table_schema other = { .column_count = 1, .columns = b };
    return a->generated == b->generated && schema_same_shape(&one, &other);
}

/* The action that names this column, or NULL. */
static const struct ddl_action *action_on(const struct ddl *d, struct str column)
{
    for (uint32_t i = 0; i < d->action_count; i++)
        if (str_ieq(d->actions[i].column, column))
            return &d->actions[i];
    return NULL;
}

static bool is_number(const struct column *c)
{
    return c->type == TYPE_INT || c->type == TYPE_LONG || c->type == TYPE_UBIGINT;
}

/* Does every stored value stay what it was? */
static bool keeps_values(const struct column *was, const struct column *now)
{
    if (was->type != now->type && !(is_number(was) && is_number(now)))
        return false;
    return column_widens(was, now) && was->key_ordinal == 0 && now->key_ordinal == 0 &&
           was->generated == GENERATED_NO && now->generated == GENERATED_NO &&
           (now->nullable || !was->nullable) && str_eq(was->charset, now->charset) &&
           was->json_check == now->json_check;
}

/* Old rows have NULL in it. */
static bool is_empty_addition(const struct column *c)
{
    bool no_default =
        c->default_text.ptr == NULL || str_ieq(c->default_text, STR("NULL"));
    return c->nullable && no_default && c->generated == GENERATED_NO &&
           c->key_ordinal == 0 && !c->auto_increment;
}

static bool became(const struct column *was, const struct column *now,
                   const struct ddl_action *a)
{
    if (was == NULL)
        return a != NULL && a->kind == DDL_ADD_COLUMN && is_empty_addition(now);
    bool defined =
        a != NULL && (a->kind == DDL_MODIFY_COLUMN || a->kind == DDL_CHANGE_COLUMN);
    /* A column that was defined anew and is the same may have been another one between.
     */
    if (same_column(was, now))
        return !defined;
    return defined && keeps_values(was, now);
}

static bool may_vanish(const struct column *was, const struct ddl_action *a)
{
    return a != NULL && a->kind == DDL_DROP_COLUMN && !was->selected &&
           was->key_ordinal == 0;
}

bool log_shape_follows(const struct catalog_table *before,
                       const struct catalog_table *now, const struct ddl *d,
                       struct buf *why)
{
    const struct table_schema *was = &before->schema;
    const struct table_schema *is = &now->schema;
    if (now->kind != TABLE_BASE || before->key != now->key ||
        was->key_count != is->key_count) {
        buf_add_text(why, "the table's key is another one");
        return false;
    }
    for (unsigned i = 0; i < is->column_count; i++) {
        const struct column *c = &is->columns[i];
        const struct ddl_action *a = action_on(d, c->name);
        if (!became(schema_find_column(was, c->name), c, a)) {
            buf_printf(why, "rows may have changed unseen in column '" STR_FMT "'",
                       STR_ARG(c->name));
            return false;
        }
    }
    for (unsigned i = 0; i < was->column_count; i++) {
        const struct column *c = &was->columns[i];
        if (schema_find_column(is, c->name) == NULL &&
            !may_vanish(c, action_on(d, c->name))) {
            buf_printf(why, "column '" STR_FMT "' is gone", STR_ARG(c->name));
            return false;
        }
    }
    return true;
}
