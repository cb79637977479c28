/* Which column of a table map is which cell, and whether they fit. */
#include "base/alloc.h"
#include "mysql/charset.h"
#include "mysql/rows_internal.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ fitting */

static bool is_text_type(uint8_t type)
{
    switch (type) {
    case MYSQL_TYPE_STRING:
    case MYSQL_TYPE_VAR_STRING:
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
    case MYSQL_TYPE_BLOB:
    case BINLOG_TYPE_BLOB_COMPRESSED:
    case BINLOG_TYPE_VARCHAR_COMPRESSED:
        return true;
    default:
        return false;
    }
}

static bool is_binary(const struct map_column *m)
{
    const struct charset *cs = charset_of_collation(m->collation);
    return cs != NULL && charset_is_binary(cs);
}

static bool integer_fits(const struct column *c, const struct map_column *m,
                         bool has_signs)
{
    static const uint8_t types[] = { 0, MYSQL_TYPE_TINY, MYSQL_TYPE_SHORT,
                                     MYSQL_TYPE_INT24, MYSQL_TYPE_LONG };
    if (has_signs && m->is_unsigned != c->is_unsigned)
        return false;
    if (c->type == TYPE_UBIGINT)
        return m->type == MYSQL_TYPE_LONGLONG;
    if (c->type == TYPE_LONG)
        return m->type == (c->is_unsigned ? MYSQL_TYPE_LONG : MYSQL_TYPE_LONGLONG);
    return c->bytes < sizeof types && m->type == types[c->bytes];
}

/* The map tells no fraction of the old types: take_fraction(). */
static bool temporal_fits(const struct column *c, const struct map_column *m,
                          uint8_t old_type, uint8_t new_type)
{
    return (m->type == new_type || m->type == old_type) && m->fraction == c->fraction;
}

static bool type_fits(const struct column *c, const struct map_column *m, bool has_signs)
{
    switch (c->type) {
    case TYPE_BOOL:
        return m->type == MYSQL_TYPE_TINY ||
               (m->type == MYSQL_TYPE_BIT && m->length == 1);
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_UBIGINT:
        return integer_fits(c, m, has_signs);
    case TYPE_DECIMAL:
        return m->type == MYSQL_TYPE_NEWDECIMAL && m->scale == c->scale &&
               m->precision == c->precision;
    case TYPE_FLOAT:
        return m->type == MYSQL_TYPE_FLOAT;
    case TYPE_DOUBLE:
        return m->type == MYSQL_TYPE_DOUBLE;
    case TYPE_BIT:
    case TYPE_BIT64:
        return m->type == MYSQL_TYPE_BIT && m->length == c->length;
    case TYPE_TEXT:
        return is_text_type(m->type) && !is_binary(m);
    case TYPE_BYTES:
        return is_text_type(m->type) && (m->collation == 0 || is_binary(m));
    case TYPE_DATE:
        return m->type == MYSQL_TYPE_DATE || m->type == MYSQL_TYPE_NEWDATE;
    case TYPE_DATETIME:
        return temporal_fits(c, m, MYSQL_TYPE_DATETIME, BINLOG_TYPE_DATETIME2);
    case TYPE_TIMESTAMP:
        return temporal_fits(c, m, MYSQL_TYPE_TIMESTAMP, BINLOG_TYPE_TIMESTAMP2);
    case TYPE_TIME:
        return temporal_fits(c, m, MYSQL_TYPE_TIME, BINLOG_TYPE_TIME2);
    case TYPE_YEAR:
        return m->type == MYSQL_TYPE_YEAR;
    case TYPE_ENUM:
        return m->type == MYSQL_TYPE_ENUM &&
               (m->labels == NULL || m->label_count == c->label_count);
    case TYPE_SET:
        return m->type == MYSQL_TYPE_SET &&
               (m->labels == NULL || m->label_count == c->label_count);
    case TYPE_JSON:
        return m->type == MYSQL_TYPE_JSON || (is_text_type(m->type) && !is_binary(m));
    case TYPE_GEOMETRY:
        return m->type == MYSQL_TYPE_GEOMETRY;
    case TYPE_VECTOR:
        return m->type == MYSQL_TYPE_VECTOR || m->type == MYSQL_TYPE_VARCHAR;
    case TYPE_UUID:
        return m->type == MYSQL_TYPE_STRING && m->length == 16;
    case TYPE_INET4:
        return m->type == MYSQL_TYPE_STRING && m->length == 4;
    case TYPE_INET6:
        return m->type == MYSQL_TYPE_STRING && m->length == 16;
    case TYPE_UNSUPPORTED:
        return true;
    case TYPE_COUNT:
        break;
    }
    return false;
}

/* ------------------------------------------------------------------ compiling */

static int find_charset(struct rows_column *r, struct error *err)
{
    const struct column *c = r->column;
    if (c->type != TYPE_TEXT && c->type != TYPE_JSON)
        return 0;
    if (r->map.type == MYSQL_TYPE_JSON)
        return 0;
    r->charset = r->map.collation != 0 ? charset_of_collation(r->map.collation)
                                       : charset_find(c->charset);
    if (r->charset == NULL)
        return error_set(err, ERR_SCHEMA, "column '" STR_FMT "' has an unknown charset",
                         STR_ARG(c->name));
    if (r->map.collation != 0 && c->charset.len > 0 &&
        charset_find(c->charset) != r->charset)
        return error_set(err, ERR_SCHEMA,
                         "column '" STR_FMT "' has charset '%s', not '" STR_FMT "'",
                         STR_ARG(c->name), charset_name(r->charset), STR_ARG(c->charset));
    return 0;
}

/* The catalog shows labels in three bytes of UTF-8, with a '?' for what needs four (seen
 * with MySQL 9.7 and MariaDB 10.5 to 11.8). Only such charsets can have such labels. */
static bool may_be_cut(const struct column *c, struct str label)
{
    static const char *const wide[] = { "utf8mb4", "utf16", "utf16le", "utf32",
                                        "gb18030" };
    if (label.len == 0 || memchr(label.ptr, '?', label.len) == NULL)
        return false;
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++)
        if (str_ieq(c->charset, str_of(wide[i])))
            return true;
    return false;
}

static int convert_label(struct rows_plan *p, const struct charset *cs, struct str raw,
                         struct str *out)
{
    CLEANUP(buf_done) struct buf utf8;
    buf_init(&utf8, raw.len * 4 + 16);
    if (charset_is_binary(cs))
        buf_add_str(&utf8, raw);
    else if (charset_to_utf8(cs, p->map->family, raw, CHARSET_REJECT, &utf8, NULL) != 0)
        return -1;
    *out = arena_str(p->arena, buf_str(&utf8));
    return 0;
}

/* Labels in UTF-8; ptr NULL where the label is not known. The map has them in the
 * column's charset, and all of them; a shape may have them cut. */
static int take_labels(struct rows_plan *p, struct rows_column *r, struct error *err)
{
    const struct column *c = r->column;
    if (c->labels == NULL)
        return 0;
    const struct charset *cs =
        r->map.labels == NULL ? NULL : charset_of_collation(r->map.collation);
    struct str *labels = ARENA_ARRAY(p->arena, struct str, c->label_count + 1u);
    r->labels = labels;
    for (unsigned i = 0; i < c->label_count; i++) {
        if (cs == NULL)
            labels[i] = may_be_cut(c, c->labels[i]) ? (struct str){ 0 } : c->labels[i];
        else if (convert_label(p, cs, r->map.labels[i], &labels[i]) != 0)
            return error_set(err, ERR_SCHEMA,
                             "label %u of column '" STR_FMT "' is no text", i + 1,
                             STR_ARG(c->name));
    }
    return 0;
}

bool rows_is_unmeasured(const struct table_map *m, unsigned column)
{
    uint8_t type = m->columns[column].type;
    return m->family == CHARSET_MARIADB &&
           (type == MYSQL_TYPE_TIME || type == MYSQL_TYPE_DATETIME ||
            type == MYSQL_TYPE_TIMESTAMP);
}

/* MariaDB's types of before 10.1 may have a fraction, and are longer then. */
static int take_fraction(struct rows_plan *p, unsigned i, const struct column *c,
                         struct error *err)
{
    if (!rows_is_unmeasured(p->map, i))
        return 0;
    if (c == NULL || c->type == TYPE_UNSUPPORTED)
        return error_set(err, ERR_SCHEMA,
                         "column %u of '" STR_FMT "' is a time in MariaDB's form before "
                         "10.1, whose length is not known",
                         i + 1, STR_ARG(p->map->name));
    p->columns[i].map.fraction = c->fraction;
    return 0;
}

static int compile_column(struct rows_plan *p, unsigned i, const struct column *c,
                          struct error *err)
{
    struct rows_column *r = &p->columns[i];
    r->cell = (uint32_t)(c - p->shape->columns);
    if (c->companion != 0 || !c->selected) {
        r->cell = NO_CELL;
        return 0;
    }
    r->column = c;
    if (!type_fits(c, &r->map, p->map->has_signs))
        return error_set(err, ERR_SCHEMA,
                         "column '" STR_FMT "' of '" STR_FMT "' is no longer " STR_FMT
                         " (type %u in the binary log)",
                         STR_ARG(c->name), STR_ARG(p->map->name), STR_ARG(c->source_type),
                         r->map.type);
    if (find_charset(r, err) != 0)
        return -1;
    return take_labels(p, r, err);
}

/* The row_start and row_end that no catalog lists. */
static const struct column hidden_version = { .type = TYPE_TIMESTAMP, .fraction = 6 };

static bool is_hidden_version(const struct rows_plan *p, unsigned i)
{
    const struct table_schema *s = p->shape;
    struct str name = p->map->columns[i].name;
    if (!s->hidden_versions)
        return false;
    if (p->map->has_names)
        return str_eq(name, STR("row_start")) || str_eq(name, STR("row_end"));
    return i >= s->column_count && i < s->column_count + 2u;
}

/* The column of the shape that the map's column i is, or NULL. */
static const struct column *match(const struct rows_plan *p, unsigned i)
{
    const struct column *c = NULL;
    if (p->map->has_names)
        c = schema_find_column(p->shape, p->map->columns[i].name);
    else if (i < p->shape->column_count)
        c = &p->shape->columns[i];
    return c == NULL && is_hidden_version(p, i) ? &hidden_version : c;
}

static bool is_row_end(const struct rows_plan *p, unsigned i, const struct column *c)
{
    if (c != &hidden_version)
        return c->generated == GENERATED_ROW_END;
    return p->map->has_names ? str_eq(p->map->columns[i].name, STR("row_end"))
                             : i == p->shape->column_count + 1u;
}

/* Every column that is to be read must be in the map. */
static int check_complete(const struct rows_plan *p, struct error *err)
{
    unsigned wanted = 0;
    unsigned found = 0;
    const struct column *c = p->shape->columns;
    for (unsigned i = 0; c != NULL && i < p->shape->column_count; i++)
        if (c[i].selected && c[i].companion == 0)
            wanted++;
    for (unsigned i = 0; i < p->map->column_count; i++)
        if (p->columns[i].cell != NO_CELL)
            found++;
    if (wanted == found)
        return 0;
    return error_set(err, ERR_SCHEMA,
                     "the binary log has %u of the %u columns of '" STR_FMT "'", found,
                     wanted, STR_ARG(p->shape->name));
}

/* taken: by column of the shape. */
static int compile_match(struct rows_plan *p, unsigned i, const struct column *c,
                         bool *taken, struct error *err)
{
    if (c != NULL && is_row_end(p, i, c))
        p->row_end = i + 1;
    if (c == NULL || c == &hidden_version)
        return 0;
    bool *mine = &taken[c - p->shape->columns];
    if (*mine)
        return error_set(err, ERR_PROTOCOL,
                         "'" STR_FMT "' has column '" STR_FMT "' twice in the binary log",
                         STR_ARG(p->map->name), STR_ARG(c->name));
    *mine = true;
    return compile_column(p, i, c, err);
}

static int compile(struct rows_plan *p, bool of_map, struct error *err)
{
    const struct table_map *m = p->map;
    const struct table_schema *s = p->shape;
    unsigned count = s->column_count + (s->hidden_versions ? 2u : 0) + s->hidden_hashes;
    if ((of_map || !m->has_names) && count != m->column_count)
        return error_set(err, ERR_SCHEMA,
                         "'" STR_FMT "' has %u columns in the binary log, not %u",
                         STR_ARG(m->name), m->column_count, count);
    bool *taken = ARENA_ARRAY(p->arena, bool, s->column_count + 1u);
    for (unsigned i = 0; i < m->column_count; i++) {
        const struct column *c = of_map ? &s->columns[i] : match(p, i);
        p->columns[i].map = m->columns[i];
        p->columns[i].cell = NO_CELL;
        if (!of_map && take_fraction(p, i, c, err) != 0)
            return -1;
        if (compile_match(p, i, c, taken, err) != 0)
            return -1;
    }
    return check_complete(p, err);
}

static void make_image(struct rows_plan *p, struct rows_image *image)
{
    image->stored = ARENA_ARRAY(p->arena, struct str, p->map->column_count + 1u);
    image->made = ARENA_ARRAY(p->arena, bool, p->shape->column_count + 1u);
}

struct rows_plan *rows_plan_new(const struct table_map *map,
                                const struct table_schema *shape,
                                const struct type_options *o, struct error *err)
{
    struct rows_plan *p = xcalloc(1, sizeof *p);
    /* Labels grow at most fourfold as UTF-8, each beside its struct. */
    p->arena = arena_new(((size_t)4 << 20) + map->body.len * 64 +
                         (shape == NULL ? 0u : shape->column_count * (size_t)64));
    p->map = map;
    p->shape = shape != NULL ? shape : table_map_shape(map, p->arena);
    p->own_shape = shape == NULL;
    p->options = *o;
    p->columns = ARENA_ARRAY(p->arena, struct rows_column, map->column_count);
    buf_init(&p->scratch, o->row_limit * 4 + PACKET_HEAD_BYTES);
    make_image(p, &p->before);
    make_image(p, &p->after);
    if (compile(p, shape == NULL, err) == 0)
        return p;
    rows_plan_free(p);
    return NULL;
}

void rows_plan_free(struct rows_plan *p)
{
    if (p == NULL)
        return;
    buf_done(&p->scratch);
    arena_free(p->arena);
    free(p);
}

const struct table_schema *rows_plan_shape(const struct rows_plan *p)
{
    return p->shape;
}

uint64_t rows_plan_replaced(const struct rows_plan *p)
{
    return p->replaced;
}
