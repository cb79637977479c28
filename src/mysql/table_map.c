#include "mysql/table_map.h"

#include "base/alloc.h"
#include "mysql/charset.h"
#include "mysql/table_map_internal.h"
#include "mysql/type.h"

#include <stdlib.h>

/* Maps that are kept from statement to statement. */
#define MAPS_KEPT 256u

/* ------------------------------------------------------------------ types */

/* CHAR, BINARY, ENUM and SET share one type; the real one stands in the metadata, in
 * whose first byte two bits are turned when the length needs more than eight. Source:
 * MySQL Server Doxygen, Table_map_event, "MYSQL_TYPE_STRING". */
static void read_string_meta(struct map_column *c, struct reader *r)
{
    unsigned first = (unsigned)reader_le(r, 1);
    unsigned second = (unsigned)reader_le(r, 1);
    if (first == MYSQL_TYPE_ENUM || first == MYSQL_TYPE_SET) {
        c->type = (uint8_t)first;
        c->size_bytes = (uint8_t)second;
        r->bad |= second < 1 || second > (first == MYSQL_TYPE_ENUM ? 2 : 8);
        return;
    }
    c->length = second | (((first & 0x30) ^ 0x30) << 4);
    c->size_bytes = c->length > 255 ? 2 : 1;
}

static void read_sized_meta(struct map_column *c, struct reader *r)
{
    switch (c->type) {
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
        r->bad |= reader_le(r, 1) != (c->type == MYSQL_TYPE_FLOAT ? 4 : 8);
        break;
    case MYSQL_TYPE_VARCHAR:
    case BINLOG_TYPE_VARCHAR_COMPRESSED:
        c->length = (uint32_t)reader_le(r, 2);
        c->size_bytes = c->length > 255 ? 2 : 1;
        break;
    case MYSQL_TYPE_BIT: {
        unsigned bits = (unsigned)reader_le(r, 1);
        unsigned bytes = (unsigned)reader_le(r, 1);
        c->length = bytes * 8 + bits;
        c->size_bytes = (uint8_t)(bytes + (bits > 0));
        r->bad |= bits > 7 || c->length < 1 || c->length > 64;
        break;
    }
    case MYSQL_TYPE_NEWDECIMAL:
        c->precision = (uint8_t)reader_le(r, 1);
        c->scale = (uint8_t)reader_le(r, 1);
        r->bad |= c->precision < 1 || c->precision > 65 || c->scale > c->precision;
        break;
    case BINLOG_TYPE_TIMESTAMP2:
    case BINLOG_TYPE_DATETIME2:
    case BINLOG_TYPE_TIME2:
        c->fraction = (uint8_t)reader_le(r, 1);
        r->bad |= c->fraction > 6;
        break;
    default: /* the BLOB family */
        c->size_bytes = (uint8_t)reader_le(r, 1);
        r->bad |= c->size_bytes < 1 || c->size_bytes > 4;
        break;
    }
}

/* 1 fits, 0 no metadata, -1 a type that we cannot measure. */
static int meta_kind(uint8_t type)
{
    switch (type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_TIMESTAMP:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_TIME:
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_YEAR:
    case MYSQL_TYPE_NEWDATE:
        return 0;
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_BIT:
    case BINLOG_TYPE_TIMESTAMP2:
    case BINLOG_TYPE_DATETIME2:
    case BINLOG_TYPE_TIME2:
    case BINLOG_TYPE_BLOB_COMPRESSED:
    case BINLOG_TYPE_VARCHAR_COMPRESSED:
    case MYSQL_TYPE_VECTOR:
    case MYSQL_TYPE_JSON:
    case MYSQL_TYPE_NEWDECIMAL:
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
    case MYSQL_TYPE_BLOB:
    case MYSQL_TYPE_GEOMETRY:
        return 1;
    case MYSQL_TYPE_ENUM:
    case MYSQL_TYPE_SET:
    case MYSQL_TYPE_VAR_STRING:
    case MYSQL_TYPE_STRING:
        return 2;
    default:
        return -1;
    }
}

static int read_types(struct table_map *m, struct str types, struct reader *meta,
                      struct error *err)
{
    for (unsigned i = 0; i < m->column_count; i++) {
        struct map_column *c = &m->columns[i];
        c->type = (uint8_t)types.ptr[i];
        int kind = meta_kind(c->type);
        if (kind < 0)
            return error_set(err, ERR_SCHEMA,
                             "column %u of '" STR_FMT "' has type %u in the binary log, "
                             "which cannot be read",
                             i + 1, STR_ARG(m->name), c->type);
        if (kind == 2)
            read_string_meta(c, meta);
        else if (kind == 1)
            read_sized_meta(c, meta);
        if (c->type == MYSQL_TYPE_JSON)
            m->json_count++;
    }
    meta->bad |= meta->pos != meta->end;
    return 0;
}

/* ------------------------------------------------------------------ the map */

static int damaged(struct error *err)
{
    return error_set(err, ERR_PROTOCOL, "the body of a TABLE_MAP_EVENT is damaged");
}

static struct str nul_ended(struct reader *r)
{
    struct str s = reader_bytes(r, (size_t)reader_le(r, 1));
    r->bad |= reader_le(r, 1) != 0;
    return s;
}

static int read_map(struct table_map *m, const struct binlog_format *f, struct error *err)
{
    struct reader r = reader_over(m->body);
    unsigned post_header = f->post_header[TABLE_MAP_EVENT];
    m->id = reader_le(&r, post_header == 6 ? 4 : 6);
    (void)reader_le(&r, 2); /* flags, of no use to a reader */
    m->database = nul_ended(&r);
    m->name = nul_ended(&r);
    uint64_t count = lenenc_int(&r);
    if (r.bad || count < 1 || count > TABLE_MAP_COLUMNS_MOST)
        return damaged(err);
    m->column_count = (uint16_t)count;
    struct str types = reader_bytes(&r, (size_t)count);
    struct reader meta = reader_over(lenenc_str(&r));
    struct str nulls = reader_bytes(&r, (size_t)(count + 7) / 8);
    if (r.bad || types.ptr == NULL || nulls.ptr == NULL)
        return damaged(err);
    m->columns = ARENA_ARRAY(m->arena, struct map_column, count);
    if (read_types(m, types, &meta, err) != 0)
        return -1;
    if (meta.bad)
        return damaged(err);
    for (unsigned i = 0; i < count; i++)
        m->columns[i].nullable = (uint8_t)nulls.ptr[i / 8] >> (i % 8) & 1;
    table_map_read_metadata(m, &r);
    return r.bad ? damaged(err) : 0;
}

struct table_map *table_map_new(struct str body, const struct binlog_format *f,
                                struct error *err)
{
    /* Every column and every label takes a byte of the body at least, so this holds what
     * they can become. */
    struct arena *a = arena_new(((size_t)2 << 20) + body.len * 32);
    struct table_map *m = ARENA_NEW(a, struct table_map);
    m->arena = a;
    m->family = f->family;
    m->version = f->version;
    m->body = arena_str(a, body);
    if (read_map(m, f, err) == 0)
        return m;
    arena_free(a);
    return NULL;
}

void table_map_free(struct table_map *m)
{
    if (m != NULL)
        arena_free(m->arena);
}

/* ------------------------------------------------------------------ many */

struct table_maps {
    struct table_map **maps; /* owned, newest last */
    size_t count, cap;
    void (*drop)(void *plan);
};

struct table_maps *table_maps_new(void (*drop)(void *plan))
{
    struct table_maps *t = xcalloc(1, sizeof *t);
    t->drop = drop;
    return t;
}

static void forget(struct table_maps *t, struct table_map *m)
{
    if (t->drop != NULL && m->plan != NULL)
        t->drop(m->plan);
    table_map_free(m);
}

void table_maps_clear(struct table_maps *t)
{
    for (size_t i = 0; i < t->count; i++)
        forget(t, t->maps[i]);
    t->count = 0;
}

void table_maps_free(struct table_maps *t)
{
    if (t == NULL)
        return;
    table_maps_clear(t);
    free(t->maps);
    free(t);
}

static struct table_map **slot_of(const struct table_maps *t, uint64_t id)
{
    for (size_t i = t->count; i-- > 0;)
        if (t->maps[i]->id == id)
            return &t->maps[i];
    return NULL;
}

struct table_map *table_maps_find(const struct table_maps *t, uint64_t id)
{
    struct table_map **slot = slot_of(t, id);
    return slot == NULL ? NULL : *slot;
}

struct table_map *table_maps_put(struct table_maps *t, struct str body,
                                 const struct binlog_format *f, struct error *err)
{
    struct reader r = reader_over(body);
    uint64_t id = reader_le(&r, f->post_header[TABLE_MAP_EVENT] == 6 ? 4 : 6);
    struct table_map **slot = slot_of(t, id);
    if (slot != NULL && str_eq((*slot)->body, body) && (*slot)->version == f->version &&
        (*slot)->family == f->family)
        return *slot;
    struct table_map *m = table_map_new(body, f, err);
    if (m == NULL)
        return NULL;
    if (slot != NULL) {
        forget(t, *slot);
        *slot = m;
        return m;
    }
    if (t->count == t->cap) {
        t->cap = t->cap == 0 ? 16 : t->cap * 2;
        t->maps = xreallocarray(t->maps, t->cap, sizeof(struct table_map *));
    }
    t->maps[t->count++] = m;
    return m;
}

void table_maps_end_statement(struct table_maps *t)
{
    if (t->count > MAPS_KEPT)
        table_maps_clear(t);
}
