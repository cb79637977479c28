/* One value of a row image. */
#include "base/alloc.h"
#include "mysql/geometry.h"
#include "mysql/jsonb.h"
#include "mysql/packed.h"
#include "mysql/rows_internal.h"
#include "mysql/temporal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

struct value rows_made(struct rows_plan *p, struct rows_image *image, uint32_t cell,
                       enum value_kind kind, size_t offset)
{
    image->made[cell] = true;
    return (struct value){ .as.u = offset,
                           .len = (uint32_t)(p->scratch.len - offset),
                           .kind = (uint8_t)kind };
}

static void cannot_be(struct rows_plan *p, unsigned column)
{
    if (p->damaged == 0)
        p->damaged = column + 1;
}

/* ------------------------------------------------------------------ sizes */

static unsigned fixed_bytes(const struct map_column *c)
{
    switch (c->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_YEAR:
        return 1;
    case MYSQL_TYPE_SHORT:
        return 2;
    case MYSQL_TYPE_INT24:
        return 3;
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_FLOAT:
        return 4;
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_DOUBLE:
        return 8;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
    case MYSQL_TYPE_TIME:
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
    case BINLOG_TYPE_TIMESTAMP2:
    case BINLOG_TYPE_DATETIME2:
    case BINLOG_TYPE_TIME2:
        return packed_temporal_bytes(c->type, c->fraction);
    case MYSQL_TYPE_NEWDECIMAL:
        return packed_decimal_bytes(c->precision, c->scale);
    case MYSQL_TYPE_BIT:
    case MYSQL_TYPE_ENUM:
    case MYSQL_TYPE_SET:
        return c->size_bytes;
    default:
        return 0;
    }
}

struct str rows_value_bytes(const struct map_column *c, struct reader *r)
{
    unsigned fixed = fixed_bytes(c);
    if (fixed > 0)
        return reader_bytes(r, fixed);
    return reader_bytes(r, (size_t)reader_le(r, c->size_bytes));
}

/* The end of time is the last moment that a TIMESTAMP(6) can hold: of 2038, from 11.5 on
 * of 2106. Seen in: logs of MariaDB 10.5 to 11.8. */
bool rows_value_is_past(const struct map_column *c, struct str s)
{
    if (s.len < 7 ||
        (c->type != BINLOG_TYPE_TIMESTAMP2 && c->type != MYSQL_TYPE_TIMESTAMP))
        return false;
    uint64_t seconds = packed_be((struct str){ s.ptr, 4 });
    uint64_t micro = packed_be((struct str){ s.ptr + 4, 3 });
    return micro != 999999 || (seconds != INT32_MAX && seconds != UINT32_MAX);
}

/* ------------------------------------------------------------------ numbers */

static struct value integer(const struct rows_column *c, struct str s)
{
    struct reader r = reader_over(s);
    uint64_t v = reader_le(&r, (unsigned)s.len);
    bool is_unsigned = c->column->is_unsigned;
    if (c->column->type == TYPE_UBIGINT)
        return (struct value){ .as.u = v, .kind = VALUE_UINT };
    unsigned shift = 64 - 8u * (unsigned)s.len;
    int64_t i = is_unsigned ? (int64_t)v : (int64_t)(v << shift) >> shift;
    return (struct value){ .as.i = i, .kind = VALUE_INT };
}

static struct value floating(struct str s)
{
    struct value v = { .kind = s.len == 4 ? VALUE_FLOAT : VALUE_DOUBLE };
    struct reader r = reader_over(s);
    uint64_t bits = reader_le(&r, (unsigned)s.len);
    uint32_t low = (uint32_t)bits;
    if (s.len == 4)
        memcpy(&v.as.f, &low, sizeof low);
    else
        memcpy(&v.as.d, &bits, sizeof bits);
    return v;
}

static struct value bits(const struct rows_column *c, struct str s)
{
    uint64_t v = packed_be(s);
    if (c->column->type == TYPE_BOOL)
        return (struct value){ .as.i = (int64_t)v, .kind = VALUE_INT };
    return (struct value){ .as.u = v, .kind = VALUE_UINT };
}

static struct value decimal(struct rows_plan *p, struct rows_image *image,
                            unsigned column, struct str s)
{
    const struct rows_column *c = &p->columns[column];
    char text[PACKED_DECIMAL_TEXT];
    size_t offset = p->scratch.len;
    unsigned n = packed_decimal(s, c->map.precision, c->map.scale, text);
    if (n == 0) {
        cannot_be(p, column);
        return (struct value){ 0 };
    }
    buf_add(&p->scratch, text, n);
    return rows_made(p, image, c->cell, VALUE_DECIMAL, offset);
}

/* ------------------------------------------------------------------ times */

static struct value temporal(struct rows_plan *p, struct rows_image *image,
                             unsigned column, struct str s)
{
    const struct rows_column *c = &p->columns[column];
    struct temporal_fields f = { 0 };
    char text[TEMPORAL_TEXT_MAX];
    struct value v = { 0 };
    bool good = packed_temporal(c->map.type, c->map.fraction, s, &f, &v);
    if (good && v.kind == VALUE_TIME)
        return v;
    if (!good || !temporal_in_range(&f)) {
        cannot_be(p, column);
        return (struct value){ 0 };
    }
    if (c->column->type == TYPE_DATE)
        v = temporal_date(&f, text);
    else
        v = temporal_datetime(
            &f, c->column->type == TYPE_DATETIME ? VALUE_DATETIME : VALUE_TIMESTAMP,
            c->map.fraction, text);
    if (v.kind != VALUE_BAD_DATE)
        return v;
    size_t offset = p->scratch.len;
    buf_add(&p->scratch, v.as.bytes, v.len);
    return rows_made(p, image, c->cell, VALUE_BAD_DATE, offset);
}

/* ------------------------------------------------------------------ labels */

static struct value enumeration(struct rows_plan *p, unsigned column, struct str s)
{
    const struct rows_column *c = &p->columns[column];
    struct reader r = reader_over(s);
    uint64_t n = reader_le(&r, (unsigned)s.len);
    if (c->labels == NULL)
        return (struct value){ .as.u = n, .kind = VALUE_UINT };
    if (n == 0) /* what the server stores for a value that is no member */
        return value_of_bytes(VALUE_TEXT, STR(""));
    if (n <= c->column->label_count && c->labels[n - 1].ptr == NULL)
        return value_of_bytes(VALUE_INVALID, s);
    if (n <= c->column->label_count)
        return value_of_bytes(VALUE_TEXT, c->labels[n - 1]);
    cannot_be(p, column);
    return (struct value){ 0 };
}

static struct value members(struct rows_plan *p, struct rows_image *image,
                            unsigned column, struct str s)
{
    const struct rows_column *c = &p->columns[column];
    struct reader r = reader_over(s);
    uint64_t set = reader_le(&r, (unsigned)s.len);
    if (c->labels == NULL)
        return (struct value){ .as.u = set, .kind = VALUE_UINT };
    size_t offset = p->scratch.len;
    bool first = true;
    for (unsigned i = 0; i < 64; i++) {
        if ((set >> i & 1) == 0)
            continue;
        if (i >= c->column->label_count) {
            cannot_be(p, column);
            return (struct value){ 0 };
        }
        if (c->labels[i].ptr == NULL)
            return value_of_bytes(VALUE_INVALID, s);
        if (!first)
            buf_add_char(&p->scratch, ',');
        buf_add_str(&p->scratch, c->labels[i]);
        first = false;
    }
    return rows_made(p, image, c->cell, VALUE_TEXT, offset);
}

/* ------------------------------------------------------------------ strings */

static struct value text(struct rows_plan *p, struct rows_image *image,
                         const struct rows_column *c, struct str s, enum value_kind kind)
{
    if (charset_is_identity(c->charset, s))
        return value_of_bytes(kind, s);
    size_t offset = p->scratch.len;
    if (charset_is_binary(c->charset))
        return value_of_bytes(str_is_utf8(s) ? kind : VALUE_INVALID, s);
    if (charset_to_utf8(c->charset, p->options.family, s, p->options.bad_text,
                        &p->scratch, &p->replaced) != 0)
        return value_of_bytes(VALUE_INVALID, s);
    return rows_made(p, image, c->cell, kind, offset);
}

/* BINARY loses its trailing zeros on the way to the log. */
static struct value fixed_binary(struct rows_plan *p, struct rows_image *image,
                                 const struct rows_column *c, struct str s)
{
    static const char zeros[64];
    if (s.len >= c->map.length)
        return value_of_bytes(VALUE_BYTES, s);
    size_t offset = p->scratch.len;
    buf_add_str(&p->scratch, s);
    for (size_t n = c->map.length - s.len; n > 0;) {
        size_t part = n < sizeof zeros ? n : sizeof zeros;
        buf_add(&p->scratch, zeros, part);
        n -= part;
    }
    return rows_made(p, image, c->cell, VALUE_BYTES, offset);
}

/* MariaDB stores a UUID of versions 1 to 5 with its parts turned around, so that those of
 * one machine lie together: node, clock, time high, mid, low. In a turned one the variant
 * stands in byte 6, where another one has its version. */
static void straighten_uuid(uint8_t u[16])
{
    uint8_t t[16];
    if ((u[6] & 0x80) == 0 || u[8] == 0 || u[8] >= 0x60)
        return;
    memcpy(t, u + 12, 4);
    memcpy(t + 4, u + 10, 2);
    memcpy(t + 6, u + 8, 2);
    memcpy(t + 8, u + 6, 2);
    memcpy(t + 10, u, 6);
    memcpy(u, t, 16);
}

static struct value address(struct rows_plan *p, struct rows_image *image,
                            const struct rows_column *c, struct str s)
{
    uint8_t raw[16] = { 0 };
    char out[INET6_ADDRSTRLEN];
    size_t offset = p->scratch.len;
    memcpy(raw, s.ptr, s.len < sizeof raw ? s.len : sizeof raw);
    if (c->column->type == TYPE_UUID) {
        straighten_uuid(raw);
        for (unsigned i = 0; i < 16; i++) {
            if (i == 4 || i == 6 || i == 8 || i == 10)
                buf_add_char(&p->scratch, '-');
            buf_add_hex(&p->scratch, raw + i, 1);
        }
    } else {
        int family = c->column->type == TYPE_INET4 ? AF_INET : AF_INET6;
        if (inet_ntop(family, raw, out, sizeof out) != NULL)
            buf_add_text(&p->scratch, out);
    }
    return rows_made(p, image, c->cell, VALUE_TEXT, offset);
}

/* A compressed column of MariaDB: method and width of the length, the length with its
 * highest byte first, a zlib stream with or without its own head. Method 0: as it is. */
static bool uncompress_column(struct rows_plan *p, struct str *s)
{
    if (s->len == 0)
        return true;
    unsigned head = (uint8_t)s->ptr[0];
    unsigned width = head & 7;
    struct str rest = { s->ptr + 1, s->len - 1 };
    if (head == 0) {
        *s = rest;
        return true;
    }
    if (head >> 4 != 8 || width < 1 || width > 4 || width > rest.len)
        return false;
    uint64_t n = packed_be((struct str){ rest.ptr, width });
    char *to = buf_reserve(&p->scratch, (size_t)n);
    if (to == NULL)
        return true; /* the ceiling of scratch says so at the end of the row */
    z_stream z = { .avail_out = (uInt)n, .avail_in = (uInt)(rest.len - width) };
    z.next_out = (Bytef *)to;
    z.next_in = (z_const Bytef *)(uintptr_t)(rest.ptr + width);
    if (inflateInit2(&z, head & 8 ? -MAX_WBITS : MAX_WBITS) != Z_OK)
        return false;
    int rc = inflate(&z, Z_FINISH);
    (void)inflateEnd(&z); /* only says that the stream was whole, which rc does */
    if (rc != Z_STREAM_END || z.avail_out != 0)
        return false;
    buf_advance(&p->scratch, (size_t)n);
    *s = (struct str){ to, (size_t)n };
    return true;
}

static struct value string(struct rows_plan *p, struct rows_image *image, unsigned column,
                           struct str s)
{
    const struct rows_column *c = &p->columns[column];
    enum logical_type type = c->column->type;
    if (type == TYPE_UUID || type == TYPE_INET4 || type == TYPE_INET6)
        return address(p, image, c, s);
    if (type == TYPE_TEXT || type == TYPE_JSON)
        return text(p, image, c, s, type == TYPE_JSON ? VALUE_JSON : VALUE_TEXT);
    /* Where nobody said so, it may be a CHAR. */
    bool is_binary = c->map.collation != 0 || !p->own_shape;
    if (c->map.type == MYSQL_TYPE_STRING && is_binary)
        return fixed_binary(p, image, c, s);
    return value_of_bytes(VALUE_BYTES, s);
}

static struct value compressed_string(struct rows_plan *p, struct rows_image *image,
                                      unsigned column, struct str s)
{
    const struct rows_column *c = &p->columns[column];
    size_t offset = p->scratch.len;
    enum value_kind kind = c->charset == NULL             ? VALUE_BYTES
                           : c->column->type == TYPE_JSON ? VALUE_JSON
                                                          : VALUE_TEXT;
    if (!uncompress_column(p, &s)) {
        cannot_be(p, column);
        return (struct value){ 0 };
    }
    bool is_final = c->charset == NULL || charset_is_identity(c->charset, s);
    if (p->scratch.len == offset)
        return is_final ? value_of_bytes(kind, s) : text(p, image, c, s, kind);
    if (is_final)
        return rows_made(p, image, c->cell, kind, offset);
    /* Scratch moves when it grows, so it cannot be read and written at once. */
    CLEANUP(buf_done) struct buf copy;
    buf_init(&copy, s.len);
    buf_add_str(&copy, s);
    buf_truncate(&p->scratch, offset);
    struct value v = text(p, image, c, buf_str(&copy), kind);
    if (v.kind != VALUE_INVALID)
        return v;
    buf_add_str(&p->scratch, buf_str(&copy));
    return rows_made(p, image, c->cell, VALUE_INVALID, offset);
}

static struct value document(struct rows_plan *p, struct rows_image *image,
                             unsigned column, struct str s)
{
    struct error err = { 0 };
    size_t offset = p->scratch.len;
    image->stored[column] = s;
    if (jsonb_to_text(s, &p->scratch, &err) != 0) {
        if (err.code == ERR_LIMIT)
            p->scratch.failed = true;
        return value_of_bytes(VALUE_INVALID, s);
    }
    return rows_made(p, image, p->columns[column].cell, VALUE_JSON, offset);
}

static struct value geometry(struct rows_plan *p, struct rows_image *image,
                             const struct rows_column *c, struct str s)
{
    size_t offset = p->scratch.len;
    switch (geometry_to_ewkb(&s, &p->scratch)) {
    case GEOMETRY_LENT:
        return value_of_bytes(VALUE_BYTES, s);
    case GEOMETRY_MADE:
        return rows_made(p, image, c->cell, VALUE_BYTES, offset);
    case GEOMETRY_INVALID:
        break;
    }
    return value_of_bytes(VALUE_INVALID, s);
}

/* ------------------------------------------------------------------ any */

struct value rows_value(struct rows_plan *p, unsigned column, struct rows_image *image,
                        struct reader *r)
{
    const struct rows_column *c = &p->columns[column];
    struct str s = rows_value_bytes(&c->map, r);
    if (r->bad || c->cell == NO_CELL)
        return (struct value){ 0 };
    switch (c->map.type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
        return integer(c, s);
    case MYSQL_TYPE_YEAR: {
        int64_t year = (uint8_t)s.ptr[0];
        return (struct value){ .as.i = year == 0 ? 0 : 1900 + year, .kind = VALUE_INT };
    }
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
        return floating(s);
    case MYSQL_TYPE_BIT:
        return bits(c, s);
    case MYSQL_TYPE_NEWDECIMAL:
        return decimal(p, image, column, s);
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
    case MYSQL_TYPE_TIME:
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
    case BINLOG_TYPE_TIMESTAMP2:
    case BINLOG_TYPE_DATETIME2:
    case BINLOG_TYPE_TIME2:
        return temporal(p, image, column, s);
    case MYSQL_TYPE_ENUM:
        return enumeration(p, column, s);
    case MYSQL_TYPE_SET:
        return members(p, image, column, s);
    case MYSQL_TYPE_JSON:
        return document(p, image, column, s);
    case MYSQL_TYPE_GEOMETRY:
        return geometry(p, image, c, s);
    case MYSQL_TYPE_VECTOR:
        return value_of_bytes(VALUE_BYTES, s);
    case BINLOG_TYPE_BLOB_COMPRESSED:
    case BINLOG_TYPE_VARCHAR_COMPRESSED:
        return compressed_string(p, image, column, s);
    default:
        return string(p, image, column, s);
    }
}
