#include "avro/decode.h"

#include "avro/decimal.h"
#include "avro/schema.h"
#include "avro/wire.h"
#include "base/alloc.h"

#include <stdlib.h>

/* A schema of 65535 columns with long labels stays far below. */
#define SCHEMA_BYTES_MAX (256u << 20)

/* How a value stands in the file: what decides where it ends. */
enum get_code {
    GET_LONG = 0,
    GET_INT,
    GET_BOOL,
    GET_BITS,
    GET_UNSIGNED,
    GET_FLOAT,
    GET_DOUBLE,
    GET_BYTES,
    GET_TEXT,
    GET_VECTOR,
};

struct get_op {
    uint8_t code; /* enum get_code */
    uint8_t kind; /* enum value_kind of the cell */
};

struct decode_plan {
    struct arena *arena; /* owned: the shape */
    struct table_schema schema;
    struct get_op *ops;   /* owned */
    struct value *before; /* owned */
};

static enum get_code code_of(enum logical_type type)
{
    switch (type) {
    case TYPE_BOOL:
        return GET_BOOL;
    case TYPE_INT:
    case TYPE_DATE:
    case TYPE_YEAR:
        return GET_INT;
    case TYPE_LONG:
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIME:
        return GET_LONG;
    case TYPE_BIT:
        return GET_BITS;
    case TYPE_UBIGINT:
    case TYPE_BIT64:
        return GET_UNSIGNED;
    case TYPE_FLOAT:
        return GET_FLOAT;
    case TYPE_DOUBLE:
        return GET_DOUBLE;
    case TYPE_DECIMAL:
    case TYPE_BYTES:
    case TYPE_GEOMETRY:
        return GET_BYTES;
    case TYPE_VECTOR:
        return GET_VECTOR;
    case TYPE_TEXT:
    case TYPE_ENUM:
    case TYPE_SET:
    case TYPE_JSON:
    case TYPE_UUID:
    case TYPE_INET4:
    case TYPE_INET6:
    case TYPE_UNSUPPORTED: /* avro_schema_read() lets none through */
    case TYPE_COUNT:
        break;
    }
    return GET_TEXT;
}

struct decode_plan *decode_plan_new(struct str schema_json, struct error *err)
{
    struct decode_plan *p = xcalloc(1, sizeof(*p));
    p->arena = arena_new(SCHEMA_BYTES_MAX);
    if (avro_schema_read(p->arena, schema_json, &p->schema, err) != 0) {
        decode_plan_free(p);
        return NULL;
    }
    p->ops = xcalloc(p->schema.column_count, sizeof(*p->ops));
    p->before = xcalloc(p->schema.column_count, sizeof(*p->before));
    for (unsigned i = 0; i < p->schema.column_count; i++) {
        enum logical_type type = p->schema.columns[i].type;
        p->ops[i].code = (uint8_t)code_of(type);
        p->ops[i].kind =
            (uint8_t)(type == TYPE_DECIMAL ? VALUE_UNSCALED : type_get(type)->value);
    }
    return p;
}

void decode_plan_free(struct decode_plan *p)
{
    if (p == NULL)
        return;
    arena_free(p->arena);
    free(p->ops);
    free(p->before);
    free(p);
}

const struct table_schema *decode_plan_schema(const struct decode_plan *p)
{
    return &p->schema;
}

static int64_t get_bounded(struct reader *in, int64_t low, int64_t high)
{
    int64_t v = avro_get_long(in);
    if (v < low || v > high)
        in->bad = true;
    return v;
}

static struct value get_unsigned(struct reader *in)
{
    struct value v = { .kind = VALUE_UINT };
    if (!decimal_to_u64(avro_get_bytes(in), &v.as.u))
        in->bad = true;
    return v;
}

static struct value get_run(struct reader *in, enum value_kind kind)
{
    struct str s = avro_get_bytes(in);
    if (s.len > UINT32_MAX) {
        in->bad = true;
        s = (struct str){ 0 };
    }
    return value_of_bytes(kind, s);
}

static struct value get_text(struct reader *in, enum value_kind kind)
{
    struct value v = get_run(in, kind);
    if (!in->bad && !str_is_utf8(value_str(&v)))
        in->bad = true;
    return v;
}

/* One block of floats and the block of none, or that alone: what the encoder writes. The
 * cell borrows the block itself. */
static struct value get_vector(struct reader *in)
{
    int64_t count = get_bounded(in, 0, UINT32_MAX / (int64_t)sizeof(float));
    struct str floats = { 0 };
    if (!in->bad && count > 0) {
        floats = reader_bytes(in, (size_t)count * sizeof(float));
        (void)get_bounded(in, 0, 0);
    }
    return value_of_bytes(VALUE_BYTES, floats);
}

static void get_cell(const struct get_op *op, struct reader *in, struct value *out)
{
    struct value v = { .kind = op->kind };
    switch ((enum get_code)op->code) {
    case GET_LONG:
        v.as.i = avro_get_long(in);
        break;
    case GET_INT:
        v.as.i = get_bounded(in, INT32_MIN, INT32_MAX);
        break;
    case GET_BOOL:
        v.as.i = (uint8_t)reader_le(in, 1);
        in->bad = in->bad || v.as.i > 1;
        break;
    case GET_BITS:
        v.as.u = (uint64_t)get_bounded(in, 0, INT64_MAX);
        break;
    case GET_UNSIGNED:
        v = get_unsigned(in);
        break;
    case GET_FLOAT: {
        uint32_t bits = (uint32_t)reader_le(in, 4);
        memcpy(&v.as.f, &bits, sizeof(bits));
        break;
    }
    case GET_DOUBLE: {
        uint64_t bits = reader_le(in, 8);
        memcpy(&v.as.d, &bits, sizeof(bits));
        break;
    }
    case GET_BYTES:
        v = get_run(in, op->kind);
        break;
    case GET_TEXT:
        v = get_text(in, op->kind);
        break;
    case GET_VECTOR:
        v = get_vector(in);
        break;
    }
    *out = v;
}

/* Branch 0 of a nullable union is null, 1 the value. */
static bool get_branch(struct reader *in)
{
    uint64_t byte = reader_le(in, 1);
    if (byte != 0 && byte != 2)
        in->bad = true;
    return byte == 2;
}

static void get_columns(const struct decode_plan *p, struct reader *in,
                        struct value *cells)
{
    for (unsigned i = 0; i < p->schema.column_count && !in->bad; i++) {
        if (get_branch(in))
            get_cell(&p->ops[i], in, &cells[i]);
        else
            cells[i] = (struct value){ .kind = VALUE_NULL };
    }
}

/* Absent columns stand as NULL among the columns; the bitmap tells them apart. */
static void mark_absent(const struct decode_plan *p, struct reader *in, struct str bits,
                        struct value *cells)
{
    for (unsigned i = 0; i < p->schema.column_count; i++) {
        if (((uint8_t)bits.ptr[i / 8] >> (i % 8) & 1) == 0)
            continue;
        if (cells[i].kind != VALUE_NULL)
            in->bad = true;
        cells[i].kind = VALUE_ABSENT;
    }
}

int decode_row(struct decode_plan *p, struct reader *in, struct row_meta *meta,
               struct value *cells, struct str *column_bytes, struct error *err)
{
    struct str absent = { 0 };
    int64_t op = get_bounded(in, OP_INSERT, OP_SNAPSHOT);
    int64_t sequence = avro_get_long(in);
    int64_t ms = get_bounded(in, INT64_MIN / 1000, INT64_MAX / 1000);
    if (get_branch(in)) {
        absent = avro_get_bytes(in);
        if (absent.len != (p->schema.column_count + 7u) / 8)
            in->bad = true;
    }
    bool has_before = get_branch(in);
    if (has_before)
        get_columns(p, in, p->before);
    const char *start = in->pos;
    get_columns(p, in, cells);
    if (!in->bad && absent.len > 0)
        mark_absent(p, in, absent, cells);
    if (in->bad)
        return error_set(err, ERR_PROTOCOL,
                         "damaged row in a segment of table '" STR_FMT "'",
                         STR_ARG(p->schema.name));
    *meta = (struct row_meta){ .op = (enum row_op)op,
                               .sequence = sequence,
                               .at = ms * 1000,
                               .before = has_before ? p->before : NULL };
    if (column_bytes != NULL)
        *column_bytes = (struct str){ start, (size_t)(in->pos - start) };
    return 0;
}
