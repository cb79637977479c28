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

/* The action that names this column, or NULL; several: more than one does, so that their
 * order counts. */
static const struct ddl_action *action_on(const struct ddl *d, struct str column,
                                          bool *several)
{
    const struct ddl_action *found = NULL;
    *several = false;
    for (uint32_t i = 0; i < d->action_count; i++) {
        const struct ddl_action *a = &d->actions[i];
        if (!str_ieq(a->column, column) && !str_ieq(a->new_name, column))
            continue;
        *several = found != NULL;
        found = a;
    }
    return found;
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

/* As a statement names it. */
static const struct column *named(const struct table_schema *s, struct str name)
{
    for (unsigned i = 0; i < s->column_count; i++)
        if (str_ieq(s->columns[i].name, name))
            return &s->columns[i];
    return NULL;
}

static bool same_but_name(const struct column *was, const struct column *now)
{
    struct column other = *was;
    other.name = now->name;
    return same_column(&other, now);
}

/* One change of a table's shape. */
struct following {
    const struct table_schema *was, *is;
    struct ddl_mode mode;
    struct log_fills *fills;
    bool cascades; /* foreign keys change it, and know its columns by name */
};

static void add_fill(struct following *f, struct log_fill fill)
{
    f->fills->list[f->fills->count++] = fill;
}

/* Where the column is known already the statement is read again: the run before ended
 * between seeing and capturing it. Its rows may lack the value still. */
static bool was_added(struct following *f, const struct column *now,
                      const struct ddl_action *a)
{
    const struct column *was = schema_find_column(f->was, now->name);
    struct log_fill fill;
    if (!log_fill_of(f->fills->arena, now, a, f->mode, &fill) ||
        (was != NULL && !same_column(was, now)))
        return false;
    if (fill.way == LOG_FILL_NULL)
        return true;
    if (was != NULL && a->if_exists) /* it may have been there, and nothing happened */
        return false;
    add_fill(f, fill);
    return true;
}

/* Its rows keep under the new name what they had under the other. */
static bool was_renamed(struct following *f, const struct column *now,
                        const struct ddl_action *a)
{
    const struct column *from = f->cascades ? NULL : named(f->was, a->column);
    if (from == NULL && !f->cascades) /* read again, see was_added() */
        from = schema_find_column(f->was, now->name);
    if (from == NULL || !str_ieq(now->name, a->new_name) || !same_but_name(from, now) ||
        !from->selected || now->key_ordinal != 0 || now->generated != GENERATED_NO)
        return false;
    struct str name = str_eq(from->name, now->name) ? a->column : from->name;
    struct log_fill fill = { .way = LOG_FILL_FROM,
                             .column = now->name,
                             .from = arena_str(f->fills->arena, name) };
    add_fill(f, fill);
    return true;
}

static bool became(struct following *f, const struct column *now,
                   const struct ddl_action *a)
{
    const struct column *was = schema_find_column(f->was, now->name);
    if (a != NULL && a->kind == DDL_ADD_COLUMN)
        return was_added(f, now, a);
    if (a != NULL && a->kind == DDL_RENAME_COLUMN)
        return was_renamed(f, now, a);
    if (was == NULL)
        return false;
    if (a == NULL || a->kind == DDL_COLUMN_ATTRIBUTE)
        return same_column(was, now);
    /* A column that was defined anew and is the same may have been another one between.
     */
    return (a->kind == DDL_MODIFY_COLUMN || a->kind == DDL_CHANGE_COLUMN) &&
           !same_column(was, now) && keeps_values(was, now);
}

/* Its values stay at the destination. */
static bool may_vanish(const struct following *f, const struct column *was,
                       const struct ddl_action *a)
{
    if (a == NULL || was->key_ordinal != 0 || (f->cascades && was->selected))
        return false;
    return a->kind == DDL_DROP_COLUMN ||
           (a->kind == DDL_RENAME_COLUMN && named(f->is, a->new_name) != NULL);
}

bool log_shape_follows(const struct catalog_table *before,
                       const struct catalog_table *now, const struct ddl *d,
                       struct log_fills *fills, struct buf *why)
{
    const struct table_schema *was = &before->schema;
    const struct table_schema *is = &now->schema;
    struct following f = { was, is, d->mode, fills, before->cascades };
    bool several = false;
    fills->list = ARENA_ARRAY(fills->arena, struct log_fill, is->column_count + 1u);
    if (now->kind != TABLE_BASE || before->key != now->key ||
        was->key_count != is->key_count) {
        buf_add_text(why, "the table's key is another one");
        return false;
    }
    for (unsigned i = 0; i < is->column_count; i++) {
        const struct column *c = &is->columns[i];
        const struct ddl_action *a = action_on(d, c->name, &several);
        if (several || !became(&f, c, a)) {
            buf_printf(why, "rows may have changed unseen in column '" STR_FMT "'",
                       STR_ARG(c->name));
            return false;
        }
    }
    for (unsigned i = 0; i < was->column_count; i++) {
        const struct column *c = &was->columns[i];
        const struct ddl_action *a = action_on(d, c->name, &several);
        if (schema_find_column(is, c->name) == NULL &&
            (several || !may_vanish(&f, c, a))) {
            buf_printf(why, "column '" STR_FMT "' is gone", STR_ARG(c->name));
            return false;
        }
    }
    return true;
}
