#include "mysql/type.h"

#include "base/alloc.h"
#include "mysql/geometry.h"
#include "mysql/quote.h"
#include "mysql/temporal.h"

#include <stdlib.h>

#define COLLATION_BINARY 63
#define MAX_TIME_HOURS 838

/* How one column of the result is read. */
struct column_plan {
    const struct column *column;   /* borrowed from the shape */
    const struct charset *charset; /* of text; NULL: it is UTF-8 already */
    unsigned cell;                 /* index in the shape */
    uint8_t wire;                  /* enum wire_type */
    uint8_t width;                 /* bytes of a fixed value, 0 for the others */
};

struct type_plan {
    struct type_options options;
    struct column_plan *columns; /* owned, `count` */
    unsigned count;
    unsigned cell_count;
    struct str *stored; /* owned, per cell: bytes of the last row, or nothing */
    struct value *last; /* owned, per cell: the last row, for key parts */
    bool *made;         /* owned, per cell: the bytes are in scratch, as.u the offset */
    struct buf scratch; /* owned */
    uint64_t replaced;
};

/* ------------------------------------------------------------------ compiling */

static bool is_string(uint8_t wire)
{
    return wire == MYSQL_TYPE_VAR_STRING || wire == MYSQL_TYPE_STRING ||
           wire == MYSQL_TYPE_VARCHAR || wire == MYSQL_TYPE_BLOB ||
           wire == MYSQL_TYPE_TINY_BLOB || wire == MYSQL_TYPE_MEDIUM_BLOB ||
           wire == MYSQL_TYPE_LONG_BLOB;
}

static uint8_t width_of(uint8_t wire)
{
    switch (wire) {
    case MYSQL_TYPE_TINY:
        return 1;
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_YEAR:
        return 2;
    case MYSQL_TYPE_INT24: /* sent as four bytes */
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_FLOAT:
        return 4;
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_DOUBLE:
        return 8;
    default:
        return 0;
    }
}

/* An integer column of the shape against an integer of the wire. */
static bool integer_fits(const struct column *c, const struct result_column *r)
{
    static const uint8_t by_bytes[5] = { 0, MYSQL_TYPE_TINY, MYSQL_TYPE_SHORT,
                                         MYSQL_TYPE_INT24, MYSQL_TYPE_LONG };
    bool is_unsigned = (r->flags & WIRE_UNSIGNED) != 0;
    if (is_unsigned != c->is_unsigned)
        return false;
    if (c->type == TYPE_INT)
        return c->bytes >= 1 && c->bytes <= 4 && r->type == by_bytes[c->bytes];
    if (c->type == TYPE_LONG)
        return r->type == (is_unsigned ? MYSQL_TYPE_LONG : MYSQL_TYPE_LONGLONG);
    return r->type == MYSQL_TYPE_LONGLONG && is_unsigned; /* TYPE_UBIGINT */
}

static bool named(const struct result_column *r, struct str type_name)
{
    return is_string(r->type) &&
           (r->type_name.len == 0 || str_eq(r->type_name, type_name));
}

static bool type_fits(const struct column *c, const struct result_column *r)
{
    bool plain = is_string(r->type) && (r->flags & (WIRE_ENUM | WIRE_SET)) == 0;
    bool binary = r->collation == COLLATION_BINARY;
    switch (c->type) {
    case TYPE_BOOL:
        return r->type == MYSQL_TYPE_BIT || (r->type == MYSQL_TYPE_TINY);
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_UBIGINT:
        return integer_fits(c, r);
    case TYPE_DECIMAL:
        return (r->type == MYSQL_TYPE_NEWDECIMAL || r->type == MYSQL_TYPE_DECIMAL) &&
               r->decimals == c->scale;
    case TYPE_FLOAT:
        return r->type == MYSQL_TYPE_FLOAT;
    case TYPE_DOUBLE:
        return r->type == MYSQL_TYPE_DOUBLE;
    case TYPE_BIT:
    case TYPE_BIT64:
        return r->type == MYSQL_TYPE_BIT;
    case TYPE_TEXT:
        return plain && !binary;
    case TYPE_BYTES:
        return plain && binary;
    case TYPE_DATE:
        return r->type == MYSQL_TYPE_DATE || r->type == MYSQL_TYPE_NEWDATE;
    case TYPE_DATETIME:
        return r->type == MYSQL_TYPE_DATETIME && r->decimals == c->fraction;
    case TYPE_TIMESTAMP:
        return r->type == MYSQL_TYPE_TIMESTAMP && r->decimals == c->fraction;
    case TYPE_TIME:
        return r->type == MYSQL_TYPE_TIME && r->decimals == c->fraction;
    case TYPE_YEAR:
        return r->type == MYSQL_TYPE_YEAR;
    case TYPE_ENUM:
        return r->type == MYSQL_TYPE_ENUM || (r->flags & WIRE_ENUM) != 0;
    case TYPE_SET:
        return r->type == MYSQL_TYPE_SET || (r->flags & WIRE_SET) != 0;
    case TYPE_JSON:
        return r->type == MYSQL_TYPE_JSON || (c->json_check && plain);
    case TYPE_GEOMETRY:
        return r->type == MYSQL_TYPE_GEOMETRY;
    case TYPE_VECTOR:
        return r->type == MYSQL_TYPE_VECTOR || (plain && binary);
    case TYPE_UUID:
        return named(r, STR("uuid"));
    case TYPE_INET4:
        return named(r, STR("inet4"));
    case TYPE_INET6:
        return named(r, STR("inet6"));
    case TYPE_UNSUPPORTED:
    case TYPE_COUNT:
        break;
    }
    return false;
}

static bool has_charset(const struct column *c, uint8_t wire)
{
    return c->type == TYPE_TEXT || c->type == TYPE_ENUM || c->type == TYPE_SET ||
           (c->type == TYPE_JSON && wire != MYSQL_TYPE_JSON);
}

static int compile_column(struct column_plan *p, const struct column *c,
                          const struct result_column *r, struct error *err)
{
    if (!str_eq(c->name, r->name))
        return error_set(err, ERR_SCHEMA,
                         "column '" STR_FMT "' came where '" STR_FMT "' was expected",
                         STR_ARG(r->name), STR_ARG(c->name));
    if (!type_fits(c, r))
        return error_set(err, ERR_SCHEMA,
                         "column '" STR_FMT "' is no longer " STR_FMT
                         " (wire type %u, flags %u, decimals %u)",
                         STR_ARG(c->name), STR_ARG(c->source_type), r->type, r->flags,
                         r->decimals);
    p->column = c;
    p->wire = r->type;
    p->width = width_of(r->type);
    if (!has_charset(c, r->type))
        return 0;
    p->charset = charset_of_collation(r->collation);
    if (p->charset == NULL)
        return error_set(err, ERR_SCHEMA,
                         "column '" STR_FMT "' has an unknown collation %u",
                         STR_ARG(c->name), r->collation);
    if (c->charset.len > 0 && charset_find(c->charset) != p->charset)
        return error_set(err, ERR_SCHEMA,
                         "column '" STR_FMT "' has charset '%s', not '" STR_FMT "'",
                         STR_ARG(c->name), charset_name(p->charset), STR_ARG(c->charset));
    return 0;
}

struct type_plan *type_plan_new(const struct result_column *columns, unsigned count,
                                const struct table_schema *shape,
                                const struct type_options *o, struct error *err)
{
    struct type_plan *p = xcalloc(1, sizeof *p);
    p->options = *o;
    p->cell_count = shape->column_count;
    p->columns = xcalloc(shape->column_count + 1u, sizeof *p->columns);
    p->stored = xcalloc(shape->column_count + 1u, sizeof *p->stored);
    p->last = xcalloc(shape->column_count + 1u, sizeof *p->last);
    p->made = xcalloc(shape->column_count + 1u, sizeof *p->made);
    buf_init(&p->scratch, o->row_limit * 4 + PACKET_HEAD_BYTES);
    for (unsigned i = 0; i < shape->column_count; i++) {
        const struct column *c = &shape->columns[i];
        if (c->companion != 0)
            continue;
        if (p->count == count) {
            error_set(err, ERR_SCHEMA, "column '" STR_FMT "' is missing in the result",
                      STR_ARG(c->name));
            goto fail;
        }
        p->columns[p->count].cell = i;
        if (compile_column(&p->columns[p->count], c, &columns[p->count], err) != 0)
            goto fail;
        p->count++;
    }
    if (p->count == count)
        return p;
    error_set(err, ERR_SCHEMA, "the result has %u columns where %u were expected", count,
              p->count);
fail:
    if (err->hint == NULL)
        err->hint = "The table was changed: discover the source again.";
    type_plan_free(p);
    return NULL;
}

void type_plan_free(struct type_plan *p)
{
    if (p == NULL)
        return;
    free(p->columns);
    free(p->stored);
    free(p->last);
    free(p->made);
    buf_done(&p->scratch);
    free(p);
}

uint64_t type_plan_replaced(const struct type_plan *p)
{
    return p->replaced;
}

/* ------------------------------------------------------------------ values */

/* A cell whose bytes were put into scratch from `offset` on; the pointer follows when the
 * row is complete, since scratch may move until then. */
static struct value made_value(struct type_plan *p, unsigned cell, enum value_kind kind,
                               size_t offset)
{
    p->made[cell] = true;
    return (struct value){ .as.u = offset,
                           .len = (uint32_t)(p->scratch.len - offset),
                           .kind = (uint8_t)kind };
}

static struct value decode_text(struct type_plan *p, const struct column_plan *c,
                                struct str s, enum value_kind kind)
{
    if (c->charset == NULL)
        return value_of_bytes(str_is_utf8(s) ? kind : VALUE_INVALID, s);
    if (charset_is_identity(c->charset, s))
        return value_of_bytes(kind, s);
    size_t offset = p->scratch.len;
    if (charset_to_utf8(c->charset, p->options.family, s, p->options.bad_text,
                        &p->scratch, &p->replaced) != 0)
        return value_of_bytes(VALUE_INVALID, s);
    return made_value(p, c->cell, kind, offset);
}

static struct value decode_bit(const struct column_plan *c, struct str s,
                               struct reader *r)
{
    uint64_t v = 0;
    if (s.len == 0 || s.len > 8)
        r->bad = true;
    for (size_t i = 0; i < s.len && i < 8; i++)
        v = v << 8 | (uint8_t)s.ptr[i];
    if (c->column->type == TYPE_BOOL)
        return (struct value){ .as.i = (int64_t)v, .kind = VALUE_INT };
    return (struct value){ .as.u = v, .kind = VALUE_UINT };
}

static struct value decode_geometry(struct type_plan *p, const struct column_plan *c,
                                    struct str s)
{
    size_t offset = p->scratch.len;
    switch (geometry_to_ewkb(&s, &p->scratch)) {
    case GEOMETRY_LENT:
        return value_of_bytes(VALUE_BYTES, s);
    case GEOMETRY_MADE:
        return made_value(p, c->cell, VALUE_BYTES, offset);
    case GEOMETRY_INVALID:
        break;
    }
    return value_of_bytes(VALUE_INVALID, s);
}

static struct value decode_string(struct type_plan *p, const struct column_plan *c,
                                  struct str s, struct reader *r)
{
    switch (c->column->type) {
    case TYPE_DECIMAL:
        return value_of_bytes(VALUE_DECIMAL, s);
    case TYPE_BOOL:
    case TYPE_BIT:
    case TYPE_BIT64:
        return decode_bit(c, s, r);
    case TYPE_BYTES:
    case TYPE_VECTOR:
        return value_of_bytes(VALUE_BYTES, s);
    case TYPE_GEOMETRY:
        return decode_geometry(p, c, s);
    case TYPE_JSON:
        return decode_text(p, c, s, VALUE_JSON);
    case TYPE_TEXT:
    case TYPE_ENUM:
    case TYPE_SET:
    case TYPE_UUID:
    case TYPE_INET4:
    case TYPE_INET6:
        return decode_text(p, c, s, VALUE_TEXT);
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_UBIGINT:
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
    case TYPE_DATE:
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIME:
    case TYPE_YEAR:
    case TYPE_UNSUPPORTED:
    case TYPE_COUNT:
        break;
    }
    r->bad = true; /* type_fits() lets no other pair through */
    return (struct value){ 0 };
}

static struct value decode_fixed(const struct column_plan *c, struct reader *r)
{
    uint64_t v = reader_le(r, c->width);
    struct value out = { .kind = VALUE_INT };
    if (c->wire == MYSQL_TYPE_FLOAT) {
        uint32_t bits = (uint32_t)v;
        memcpy(&out.as.f, &bits, sizeof bits);
        out.kind = VALUE_FLOAT;
    } else if (c->wire == MYSQL_TYPE_DOUBLE) {
        memcpy(&out.as.d, &v, sizeof v);
        out.kind = VALUE_DOUBLE;
    } else if (c->column->type == TYPE_UBIGINT) {
        out.as.u = v;
        out.kind = VALUE_UINT;
    } else if (c->column->is_unsigned || c->wire == MYSQL_TYPE_YEAR) {
        out.as.i = (int64_t)v;
    } else {
        unsigned shift = 64 - 8u * c->width;
        out.as.i = (int64_t)(v << shift) >> shift;
    }
    return out;
}

/* A length byte of 0, 4, 7 or 11, then year:2 month day, hour minute second,
 * microsecond:4; what is left out is 0. */
static struct value decode_date(struct type_plan *p, const struct column_plan *c,
                                struct reader *r)
{
    struct temporal_fields f = { 0 };
    char text[TEMPORAL_TEXT_MAX];
    uint64_t n = reader_le(r, 1);
    if (n != 0 && n != 4 && n != 7 && n != 11)
        r->bad = true;
    if (n >= 4) {
        f.year = (unsigned)reader_le(r, 2);
        f.month = (unsigned)reader_le(r, 1);
        f.day = (unsigned)reader_le(r, 1);
    }
    if (n >= 7) {
        f.hour = (unsigned)reader_le(r, 1);
        f.minute = (unsigned)reader_le(r, 1);
        f.second = (unsigned)reader_le(r, 1);
    }
    if (n >= 11)
        f.micro = (unsigned)reader_le(r, 4);
    if (!temporal_in_range(&f))
        r->bad = true;
    if (r->bad)
        return (struct value){ 0 };
    struct value v;
    if (c->column->type == TYPE_DATE)
        v = temporal_date(&f, text);
    else
        v = temporal_datetime(
            &f, c->column->type == TYPE_DATETIME ? VALUE_DATETIME : VALUE_TIMESTAMP,
            c->column->fraction, text);
    if (v.kind != VALUE_BAD_DATE)
        return v;
    size_t offset = p->scratch.len;
    buf_add(&p->scratch, v.as.bytes, v.len);
    return made_value(p, c->cell, VALUE_BAD_DATE, offset);
}

/* A length byte of 0, 8 or 12, then sign, days:4, hour, minute, second, microsecond:4. */
static struct value decode_time(struct reader *r)
{
    uint64_t n = reader_le(r, 1);
    if (n == 0)
        return (struct value){ .kind = VALUE_TIME };
    if (n != 8 && n != 12)
        r->bad = true;
    uint64_t negative = reader_le(r, 1);
    uint64_t hours = reader_le(r, 4) * 24;
    uint64_t hour = reader_le(r, 1);
    uint64_t minute = reader_le(r, 1);
    uint64_t second = reader_le(r, 1);
    uint64_t micro = n == 12 ? reader_le(r, 4) : 0;
    hours += hour;
    if (negative > 1 || hour > 23 || hours > MAX_TIME_HOURS || minute > 59 ||
        second > 59 || micro > 999999)
        r->bad = true;
    int64_t us = (int64_t)(((hours * 60 + minute) * 60 + second) * 1000000 + micro);
    return (struct value){ .as.i = negative ? -us : us, .kind = VALUE_TIME };
}

static struct value decode_value(struct type_plan *p, const struct column_plan *c,
                                 struct reader *r)
{
    enum logical_type type = c->column->type;
    if (c->width > 0)
        return decode_fixed(c, r);
    if (type == TYPE_TIME)
        return decode_time(r);
    if (type == TYPE_DATE || type == TYPE_DATETIME || type == TYPE_TIMESTAMP)
        return decode_date(p, c, r);
    struct str s = result_lenenc_str(r);
    if (r->bad)
        return (struct value){ 0 };
    p->stored[c->cell] = s;
    return decode_string(p, c, s, r);
}

/* ------------------------------------------------------------------ rows */

/* The walk over bitmap and values. Stops quietly at the end of a row that was cut. */
static int decode_columns(struct type_plan *p, const struct packet *row,
                          struct value *cells, struct error *err)
{
    struct reader r = reader_over(row->head);
    uint64_t zero = reader_le(&r, 1);
    /* The bitmap's first two bits belong to nobody. */
    struct str nulls = reader_bytes(&r, (p->count + 9u) / 8u);
    if (r.bad || zero != 0)
        return row->cut ? 0
                        : error_set(err, ERR_PROTOCOL, "a row without its NULL bitmap");
    for (unsigned i = 0; i < p->count; i++) {
        const struct column_plan *c = &p->columns[i];
        unsigned bit = i + 2;
        if ((uint8_t)nulls.ptr[bit / 8] >> (bit % 8) & 1) {
            cells[c->cell].kind = VALUE_NULL;
            continue;
        }
        struct value v = decode_value(p, c, &r);
        if (r.bad && row->cut)
            return 0;
        if (r.bad)
            return error_set(err, ERR_PROTOCOL,
                             "the value of column '" STR_FMT "' is damaged",
                             STR_ARG(c->column->name));
        cells[c->cell] = v;
    }
    if (r.pos != r.end && !row->cut)
        return error_set(err, ERR_PROTOCOL, "%zu bytes behind the last column of a row",
                         (size_t)(r.end - r.pos));
    return 0;
}

int type_decode_row(struct type_plan *p, const struct packet *row, struct value *cells,
                    struct error *err)
{
    buf_clear(&p->scratch);
    for (unsigned i = 0; i < p->cell_count; i++) {
        cells[i] = (struct value){ .kind = VALUE_ABSENT };
        p->stored[i] = (struct str){ 0 };
        p->made[i] = false;
    }
    if (decode_columns(p, row, cells, err) != 0 ||
        buf_check(&p->scratch, "the converted text of a row (row_limit)", err) != 0)
        return -1;
    for (unsigned i = 0; i < p->cell_count; i++) {
        if (p->made[i] && cells[i].kind > VALUE_NULL)
            cells[i].as.bytes = cells[i].len > 0 ? p->scratch.data + cells[i].as.u : "";
        p->last[i] = cells[i];
    }
    return 0;
}

/* ------------------------------------------------------------------ keys */

/* Once a row, so not by printf. */
static void add_number(struct buf *out, bool negative, uint64_t n)
{
    char digits[24];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    if (negative)
        digits[--at] = '-';
    buf_add(out, digits + at, sizeof(digits) - at);
}

void type_key_part(const struct type_plan *p, unsigned column, struct buf *out)
{
    const struct value *v = &p->last[column];
    char text[TEMPORAL_TEXT_MAX];
    unsigned fraction = 6;
    switch ((enum value_kind)v->kind) {
    case VALUE_INT:
        add_number(out, v->as.i < 0,
                   v->as.i < 0 ? 0 - (uint64_t)v->as.i : (uint64_t)v->as.i);
        return;
    case VALUE_UINT:
        add_number(out, false, v->as.u);
        return;
    case VALUE_FLOAT: /* the double that the server compares with */
        buf_printf(out, "%.17e", (double)v->as.f);
        return;
    case VALUE_DOUBLE:
        buf_printf(out, "%.17e", v->as.d);
        return;
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_DATETIME:
    case VALUE_TIMESTAMP:
    case VALUE_BAD_DATE:
        buf_add(out, text, temporal_format(v, fraction, text));
        return;
    case VALUE_DECIMAL:
    case VALUE_UNSCALED:
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_JSON:
    case VALUE_INVALID:
        buf_add_str(out, p->stored[column]);
        return;
    case VALUE_ABSENT:
    case VALUE_NULL:
        return;
    }
}

/* What type_key_part() writes for a number; anything else is quoted. */
static bool is_number(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] == '\0' || strchr("0123456789+-.e", s.ptr[i]) == NULL)
            return false;
    return s.len > 0;
}

void type_quote_part(const struct column *c, struct str part, struct buf *sql)
{
    switch (c->type) {
    case TYPE_TEXT:
    case TYPE_ENUM:
    case TYPE_SET:
    case TYPE_JSON:
    case TYPE_BYTES:
    case TYPE_GEOMETRY:
    case TYPE_VECTOR:
        session_quote_stored(sql, c->charset, c->collation, part);
        return;
    case TYPE_BOOL:
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_UBIGINT:
    case TYPE_DECIMAL:
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
    case TYPE_BIT:
    case TYPE_BIT64:
    case TYPE_YEAR:
        if (is_number(part)) {
            buf_add_str(sql, part);
            return;
        }
        break;
    case TYPE_DATE:
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIME:
    case TYPE_UUID:
    case TYPE_INET4:
    case TYPE_INET6:
    case TYPE_UNSUPPORTED:
    case TYPE_COUNT:
        break;
    }
    session_quote_literal(sql, part);
}
