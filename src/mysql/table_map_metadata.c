/* The optional part of a table map, and the shape that it tells. */
#include "base/buf.h"
#include "mysql/charset.h"
#include "mysql/table_map_internal.h"
#include "mysql/type.h"

#include <string.h>

#define COLLATION_BINARY 63u
#define LABELS_MOST 65535u

/* Source: MySQL Server Doxygen 9.x, Table_map_event::Optional_metadata_field_type. */
enum metadata_field {
    FIELD_SIGNEDNESS = 1,
    FIELD_DEFAULT_CHARSET = 2,
    FIELD_COLUMN_CHARSET = 3,
    FIELD_COLUMN_NAME = 4,
    FIELD_SET_LABELS = 5,
    FIELD_ENUM_LABELS = 6,
    FIELD_GEOMETRY_TYPE = 7,
    FIELD_SIMPLE_KEY = 8,
    FIELD_PREFIXED_KEY = 9,
    FIELD_LABEL_DEFAULT_CHARSET = 10,
    FIELD_LABEL_COLUMN_CHARSET = 11,
    FIELD_VISIBILITY = 12,
    FIELD_VECTOR_DIMENSION = 13,
};

/* ------------------------------------------------------------------ which columns */

typedef bool column_test(const struct table_map *m, const struct map_column *c);

static bool has_sign(const struct table_map *m, const struct map_column *c)
{
    (void)m;
    switch (c->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
    case MYSQL_TYPE_NEWDECIMAL:
    case MYSQL_TYPE_YEAR:
        return true;
    default:
        return false;
    }
}

static bool has_collation(const struct table_map *m, const struct map_column *c)
{
    switch (c->type) {
    case MYSQL_TYPE_STRING:
    case MYSQL_TYPE_VAR_STRING:
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
    case MYSQL_TYPE_BLOB:
    case MYSQL_TYPE_VECTOR:
    case BINLOG_TYPE_BLOB_COMPRESSED:
    case BINLOG_TYPE_VARCHAR_COMPRESSED:
        return true;
    case MYSQL_TYPE_GEOMETRY:
        return m->family == CHARSET_MARIADB;
    default:
        return false;
    }
}

static bool is_enum(const struct table_map *m, const struct map_column *c)
{
    (void)m;
    return c->type == MYSQL_TYPE_ENUM;
}

static bool is_set(const struct table_map *m, const struct map_column *c)
{
    (void)m;
    return c->type == MYSQL_TYPE_SET;
}

static bool has_labels(const struct table_map *m, const struct map_column *c)
{
    return is_enum(m, c) || is_set(m, c);
}

static bool is_geometry(const struct table_map *m, const struct map_column *c)
{
    (void)m;
    return c->type == MYSQL_TYPE_GEOMETRY;
}

static bool is_vector(const struct table_map *m, const struct map_column *c)
{
    (void)m;
    return c->type == MYSQL_TYPE_VECTOR;
}

/* The next column from *at on that passes, or NULL. */
static struct map_column *next_column(struct table_map *m, unsigned *at,
                                      column_test *test)
{
    while (*at < m->column_count) {
        struct map_column *c = &m->columns[(*at)++];
        if (test(m, c))
            return c;
    }
    return NULL;
}

/* ------------------------------------------------------------------ fields */

/* The highest bit of a byte belongs to the first column. */
static bool bit_of(struct str bits, unsigned i, struct reader *r)
{
    if (i / 8 >= bits.len) {
        r->bad = true;
        return false;
    }
    return (uint8_t)bits.ptr[i / 8] >> (7 - i % 8) & 1;
}

static void read_signs(struct table_map *m, struct reader *r)
{
    struct str bits = { r->pos, (size_t)(r->end - r->pos) };
    unsigned at = 0;
    unsigned i = 0;
    for (struct map_column *c; (c = next_column(m, &at, has_sign)) != NULL; i++)
        c->is_unsigned = bit_of(bits, i, r);
    r->bad |= bits.len != (i + 7) / 8;
    m->has_signs = true;
}

static void read_visibility(struct table_map *m, struct reader *r)
{
    struct str bits = { r->pos, (size_t)(r->end - r->pos) };
    for (unsigned i = 0; i < m->column_count; i++)
        m->columns[i].visibility = bit_of(bits, i, r) ? MAP_VISIBLE : MAP_INVISIBLE;
}

/* A collation for all, then pairs of a column's number among those that pass and its own.
 */
static void read_default_charset(struct table_map *m, struct reader *r, column_test *test)
{
    uint32_t all = (uint32_t)lenenc_int(r);
    unsigned at = 0;
    unsigned number = 0;
    bool more = r->pos < r->end;
    uint64_t exception = more ? lenenc_int(r) : 0;
    for (struct map_column *c; (c = next_column(m, &at, test)) != NULL; number++) {
        c->collation = all;
        if (!more || exception != number)
            continue;
        c->collation = (uint32_t)lenenc_int(r);
        more = r->pos < r->end;
        exception = more ? lenenc_int(r) : 0;
    }
    r->bad |= more;
    m->has_charsets |= test == has_collation;
}

static void read_column_charset(struct table_map *m, struct reader *r, column_test *test)
{
    unsigned at = 0;
    for (struct map_column *c; (c = next_column(m, &at, test)) != NULL;)
        c->collation = (uint32_t)lenenc_int(r);
    r->bad |= r->pos != r->end;
    m->has_charsets |= test == has_collation;
}

static void read_names(struct table_map *m, struct reader *r)
{
    for (unsigned i = 0; i < m->column_count; i++)
        m->columns[i].name = lenenc_str(r);
    r->bad |= r->pos != r->end;
    m->has_names = true;
}

static void read_labels(struct table_map *m, struct reader *r, column_test *test)
{
    unsigned at = 0;
    for (struct map_column *c; (c = next_column(m, &at, test)) != NULL;) {
        uint64_t count = lenenc_int(r);
        r->bad |= count > (uint64_t)(r->end - r->pos) || count > LABELS_MOST;
        if (r->bad)
            return;
        struct str *labels = ARENA_ARRAY(m->arena, struct str, count + 1);
        for (uint64_t i = 0; i < count; i++)
            labels[i] = lenenc_str(r);
        c->labels = labels;
        c->label_count = (uint16_t)count;
    }
    r->bad |= r->pos != r->end;
    m->has_labels = true;
}

static void read_numbers(struct table_map *m, struct reader *r, column_test *test)
{
    unsigned at = 0;
    for (struct map_column *c; (c = next_column(m, &at, test)) != NULL;) {
        uint64_t n = lenenc_int(r);
        if (test == is_vector)
            c->length = (uint32_t)n;
        else
            c->geometry = (uint8_t)n;
    }
    r->bad |= r->pos != r->end;
}

static void read_key(struct table_map *m, struct reader *r, bool prefixed)
{
    while (r->pos < r->end && !r->bad) {
        uint64_t i = lenenc_int(r);
        uint64_t prefix = prefixed ? lenenc_int(r) : 0;
        r->bad |= i >= m->column_count;
        if (r->bad || m->columns[i].key_ordinal != 0) {
            r->bad = true;
            return;
        }
        m->columns[i].key_ordinal = ++m->key_count;
        m->columns[i].key_prefix = (uint32_t)prefix;
    }
    m->has_key = true;
}

static void read_field(struct table_map *m, unsigned field, struct reader *r)
{
    switch (field) {
    case FIELD_SIGNEDNESS:
        read_signs(m, r);
        return;
    case FIELD_DEFAULT_CHARSET:
        read_default_charset(m, r, has_collation);
        return;
    case FIELD_COLUMN_CHARSET:
        read_column_charset(m, r, has_collation);
        return;
    case FIELD_COLUMN_NAME:
        read_names(m, r);
        return;
    case FIELD_SET_LABELS:
        read_labels(m, r, is_set);
        return;
    case FIELD_ENUM_LABELS:
        read_labels(m, r, is_enum);
        return;
    case FIELD_GEOMETRY_TYPE:
        read_numbers(m, r, is_geometry);
        return;
    case FIELD_SIMPLE_KEY:
    case FIELD_PREFIXED_KEY:
        read_key(m, r, field == FIELD_PREFIXED_KEY);
        return;
    case FIELD_LABEL_DEFAULT_CHARSET:
        read_default_charset(m, r, has_labels);
        return;
    case FIELD_LABEL_COLUMN_CHARSET:
        read_column_charset(m, r, has_labels);
        return;
    case FIELD_VISIBILITY:
        read_visibility(m, r);
        return;
    case FIELD_VECTOR_DIMENSION:
        read_numbers(m, r, is_vector);
        return;
    default:
        m->unknown_metadata = true;
        return;
    }
}

void table_map_read_metadata(struct table_map *m, struct reader *r)
{
    while (r->pos < r->end && !r->bad) {
        unsigned field = (unsigned)reader_le(r, 1);
        struct reader value = reader_over(lenenc_str(r));
        if (r->bad)
            return;
        read_field(m, field, &value);
        r->bad |= value.bad;
    }
}

/* ------------------------------------------------------------------ the shape */

static enum logical_type integer_type(const struct map_column *c, struct column *out)
{
    static const uint8_t bytes[] = { [MYSQL_TYPE_TINY] = 1,
                                     [MYSQL_TYPE_SHORT] = 2,
                                     [MYSQL_TYPE_LONG] = 4,
                                     [MYSQL_TYPE_LONGLONG] = 8,
                                     [MYSQL_TYPE_INT24] = 3 };
    out->is_unsigned = c->is_unsigned;
    out->bytes = bytes[c->type];
    if (out->bytes == 8)
        return c->is_unsigned ? TYPE_UBIGINT : TYPE_LONG;
    return out->bytes == 4 && c->is_unsigned ? TYPE_LONG : TYPE_INT;
}

static enum logical_type string_type(const struct map_column *c, struct column *out)
{
    const struct charset *cs = charset_of_collation(c->collation);
    out->length = c->length;
    if (cs == NULL || charset_is_binary(cs))
        return TYPE_BYTES;
    out->charset = str_of(charset_name(cs));
    return TYPE_TEXT;
}

static enum logical_type label_type(const struct map_column *c, struct column *out)
{
    const struct charset *cs = charset_of_collation(c->collation);
    if (cs != NULL)
        out->charset = str_of(charset_name(cs));
    if (c->labels == NULL)
        return TYPE_UNSUPPORTED;
    out->labels = c->labels; /* rows.h makes them UTF-8 */
    out->label_count = c->label_count;
    return c->type == MYSQL_TYPE_ENUM ? TYPE_ENUM : TYPE_SET;
}

static enum logical_type logical_type_of(const struct map_column *c, struct column *out)
{
    switch (c->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
        return integer_type(c, out);
    case MYSQL_TYPE_FLOAT:
        return TYPE_FLOAT;
    case MYSQL_TYPE_DOUBLE:
        return TYPE_DOUBLE;
    case MYSQL_TYPE_NEWDECIMAL:
        out->precision = c->precision;
        out->scale = c->scale;
        return TYPE_DECIMAL;
    case MYSQL_TYPE_BIT:
        out->length = c->length;
        return c->length == 1 ? TYPE_BOOL : c->length == 64 ? TYPE_BIT64 : TYPE_BIT;
    case MYSQL_TYPE_YEAR:
        return TYPE_YEAR;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
        return TYPE_DATE;
    case MYSQL_TYPE_TIME:
    case BINLOG_TYPE_TIME2:
        return TYPE_TIME;
    case MYSQL_TYPE_DATETIME:
    case BINLOG_TYPE_DATETIME2:
        return TYPE_DATETIME;
    case MYSQL_TYPE_TIMESTAMP:
    case BINLOG_TYPE_TIMESTAMP2:
        return TYPE_TIMESTAMP;
    case MYSQL_TYPE_ENUM:
    case MYSQL_TYPE_SET:
        return label_type(c, out);
    case MYSQL_TYPE_JSON:
        return TYPE_JSON;
    case MYSQL_TYPE_GEOMETRY:
        return TYPE_GEOMETRY;
    case MYSQL_TYPE_VECTOR:
        out->length = c->length;
        return TYPE_VECTOR;
    default:
        return string_type(c, out);
    }
}

struct table_schema *table_map_shape(const struct table_map *m, struct arena *arena)
{
    struct table_schema *s = ARENA_NEW(arena, struct table_schema);
    struct column *columns = ARENA_ARRAY(arena, struct column, m->column_count);
    s->database = m->database;
    s->name = m->name;
    s->version = 1;
    s->column_count = m->column_count;
    s->key_count = m->key_count;
    s->columns = columns;
    for (unsigned i = 0; i < m->column_count; i++) {
        const struct map_column *from = &m->columns[i];
        struct column *c = &columns[i];
        c->name = m->has_names ? from->name : arena_printf(arena, "@%u", i + 1);
        c->type = logical_type_of(from, c);
        c->key_ordinal = from->key_ordinal;
        c->fraction = from->fraction;
        c->nullable = from->nullable;
        c->visibility =
            from->visibility == MAP_INVISIBLE ? COLUMN_INVISIBLE : COLUMN_VISIBLE;
        c->selected = true;
    }
    return s;
}
