#include "avro/encode_internal.h"
#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>

#define DAY_US INT64_C(86400000000)
#define FIRST_DAY INT64_C(-719528)         /* 0000-01-01, proleptic Gregorian */
#define LAST_DAY INT64_C(2932896)          /* 9999-12-31 */
#define TIME_MAX_US INT64_C(3020399999999) /* 838:59:59.999999 */

#define LABELS_SEARCHED 4

static void label_table_init(struct label_table *t, const struct column *c)
{
    t->labels = c->labels;
    t->count = c->label_count;
    for (unsigned i = 0; i < t->count; i++)
        if (t->labels[i].len > 0 &&
            memchr(t->labels[i].ptr, '?', t->labels[i].len) != NULL)
            t->has_question_mark = true;
    if (t->count <= LABELS_SEARCHED)
        return;
    uint32_t size = 16;
    while (size < 2u * t->count)
        size *= 2;
    t->places = xcalloc(size, sizeof(*t->places));
    t->mask = size - 1;
    for (unsigned i = 0; i < t->count; i++) {
        uint32_t at = label_hash(t->labels[i]) & t->mask;
        while (t->places[at] != 0)
            at = (at + 1) & t->mask;
        t->places[at] = (uint16_t)(i + 1);
    }
}

static int64_t fraction_step(const struct column *c)
{
    int64_t step = 1;
    for (unsigned digits = c->fraction; digits < 6; digits++)
        step *= 10;
    return step;
}

static void set_range(struct put_op *op, int64_t low, int64_t high, int64_t step)
{
    op->low = low;
    op->high = high;
    op->step = step;
}

static void set_int_range(struct put_op *op, const struct column *c)
{
    unsigned bits = c->type == TYPE_INT ? c->bytes * 8u : c->is_unsigned ? 32 : 64;
    if (c->is_unsigned)
        set_range(op, 0, (INT64_C(1) << bits) - 1, 1);
    else if (bits == 64)
        set_range(op, INT64_MIN, INT64_MAX, 1);
    else
        set_range(op, -(INT64_C(1) << (bits - 1)), (INT64_C(1) << (bits - 1)) - 1, 1);
}

/* The rest is PUT_LONG, with a range. */
static const uint8_t codes[TYPE_COUNT] = {
    [TYPE_BOOL] = PUT_BOOL,       [TYPE_UBIGINT] = PUT_UNSIGNED,
    [TYPE_DECIMAL] = PUT_DECIMAL, [TYPE_FLOAT] = PUT_FLOAT,
    [TYPE_DOUBLE] = PUT_DOUBLE,   [TYPE_BIT] = PUT_BITS,
    [TYPE_BIT64] = PUT_UNSIGNED,  [TYPE_TEXT] = PUT_TEXT,
    [TYPE_BYTES] = PUT_BYTES,     [TYPE_ENUM] = PUT_ENUM,
    [TYPE_SET] = PUT_SET,         [TYPE_JSON] = PUT_JSON,
    [TYPE_GEOMETRY] = PUT_BYTES,  [TYPE_VECTOR] = PUT_VECTOR,
    [TYPE_UUID] = PUT_TEXT,       [TYPE_INET4] = PUT_TEXT,
    [TYPE_INET6] = PUT_TEXT,
};

static void set_type(struct put_op *op, const struct column *c)
{
    assert(c->type != TYPE_UNSUPPORTED); /* schema_project() leaves those out */
    op->code = codes[c->type];
    op->mask = (UINT64_C(1) << (c->length & 63)) - 1;
    if (c->type == TYPE_INT || c->type == TYPE_LONG)
        set_int_range(op, c);
    if (c->type == TYPE_YEAR)
        set_range(op, 0, 2155, 1);
    if (c->type == TYPE_DATE)
        set_range(op, FIRST_DAY, LAST_DAY, 1);
    if (c->type == TYPE_DATETIME)
        set_range(op, FIRST_DAY * DAY_US, (LAST_DAY + 1) * DAY_US - 1, fraction_step(c));
    if (c->type == TYPE_TIMESTAMP) /* 0 is the zero date, never 1970 */
        set_range(op, 1, UINT32_MAX * INT64_C(1000000) + 999999, fraction_step(c));
    if (c->type == TYPE_TIME)
        set_range(op, -TIME_MAX_US, TIME_MAX_US, fraction_step(c));
}

static void op_init(struct put_op *op, const struct column *c)
{
    op->column = c;
    op->want = (uint8_t)type_get(c->type)->value;
    op->nullable = c->nullable;
    op->is_key = c->key_ordinal > 0;
    op->precision = c->precision;
    op->scale = c->scale;
    set_type(op, c);
    if (op->code == PUT_ENUM || op->code == PUT_SET)
        label_table_init(&op->labels, c);
    if (c->companion > 0) {
        op->code = PUT_COMPANION;
        op->want = UINT8_MAX;
        op->other = (uint16_t)(c->companion - 1);
    }
}

struct encode_plan *encode_plan_new(const struct table_schema *s,
                                    const struct encode_policy *policy)
{
    struct encode_plan *p = xcalloc(1, sizeof(*p));
    p->schema = s;
    p->policy = *policy;
    p->ops = xcalloc(s->column_count, sizeof(*p->ops));
    p->open = xcalloc(s->column_count, sizeof(*p->open));
    p->fixed_bytes = ROW_FIXED_BYTES + s->column_count / 8u;
    for (unsigned i = 0; i < s->column_count; i++) {
        struct put_op *op = &p->ops[i];
        op_init(op, &s->columns[i]);
        p->fixed_bytes += COLUMN_FIXED_BYTES;
        /* A companion's bytes are the date column's. */
        if ((op->code >= PUT_TEXT && op->code < PUT_COMPANION) ||
            type_has_bad_dates(op->column->type) || op->column->type == TYPE_TIME)
            p->open[p->open_count++] = (uint16_t)i;
    }
    return p;
}

void encode_plan_free(struct encode_plan *p)
{
    if (p == NULL)
        return;
    for (unsigned i = 0; i < p->schema->column_count; i++)
        free(p->ops[i].labels.places);
    free(p->ops);
    free(p->open);
    free(p);
}

struct block *block_new(uint32_t stream, const struct table_schema *s, size_t row_limit)
{
    struct block *b = xcalloc(1, sizeof(*b));
    size_t slack = ROW_FIXED_BYTES + (size_t)s->column_count * (COLUMN_FIXED_BYTES + 1);
    b->stream = stream;
    b->shape = s->version;
    b->column_count = s->column_count;
    b->row_limit = row_limit;
    /* The rows before the last one, the last one, and what its bound may be too high. */
    buf_init(&b->bytes, 2 * (size_t)BLOCK_SOFT_BYTES + row_limit + slack);
    buf_init(&b->after, row_limit + (size_t)s->column_count * 4);
    return b;
}

void block_free(struct block *b)
{
    if (b == NULL)
        return;
    buf_done(&b->bytes);
    buf_done(&b->after);
    free(b->null_by_policy);
    free(b);
}
