#include "avro/encode.h"

#include "avro/decimal.h"
#include "avro/encode_internal.h"
#include "avro/wire.h"
#include "base/alloc.h"
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* The state of one row while it is written. */
struct row_out {
    const struct encode_plan *plan;
    const struct value *cells;
    struct encode_fault *fault;
    enum encode_result result;
    unsigned column;
    bool absent; /* some cell is VALUE_ABSENT */
    bool policy; /* some cell became NULL by policy */
};

static bool label_is_listed(const struct label_table *t, struct str s)
{
    if (t->places == NULL) {
        for (unsigned i = 0; i < t->count; i++)
            if (str_eq(t->labels[i], s))
                return true;
        return false;
    }
    uint32_t at = label_hash(s) & t->mask;
    for (; t->places[at] != 0; at = (at + 1) & t->mask)
        if (str_eq(t->labels[t->places[at] - 1], s))
            return true;
    return false;
}

/* The longest label: 255 characters (reference manual, "The ENUM Type"). */
#define LABEL_BYTES_MAX 1024u

/* The servers' catalogs are utf8mb3 and show '?' for each character past U+FFFF in a
 * label, while values arrive whole (seen with MySQL 9.7 and MariaDB 10.11), so such a
 * character in a value may be a '?' in the label. */
static bool label_is_known(const struct label_table *t, struct str s)
{
    char folded[LABEL_BYTES_MAX];
    size_t n = 0;
    bool wide = false;
    if (label_is_listed(t, s))
        return true;
    if (!t->has_question_mark || s.len > sizeof(folded) || !str_is_utf8(s))
        return false;
    for (size_t i = 0; i < s.len;) {
        bool four = (unsigned char)s.ptr[i] >= 0xf0u;
        folded[n++] = four ? '?' : s.ptr[i];
        i += four ? 4 : 1;
        wide = wide || four;
    }
    return wide && label_is_listed(t, (struct str){ folded, n });
}

/* Fill the fault and end the row: always NULL, in place of the next byte to write. */
__attribute__((format(printf, 2, 3))) static char *reject(struct row_out *r,
                                                          const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(r->fault->reason, sizeof(r->fault->reason), fmt,
                    args); /* may be cut */
    va_end(args);
    r->fault->column = r->column;
    r->result = ENCODE_REJECT;
    return NULL;
}

/* "decimal(12,3)"; labels of ENUM and SET would only make it long. */
static struct str type_text(const struct put_op *op)
{
    const struct column *c = op->column;
    if (c->source_type.len == 0 || c->label_count > 0)
        return str_of(type_get(c->type)->name);
    return c->source_type;
}

#define MISFIT_FMT "value %" PRId64 " does not fit " STR_FMT

static char *put_long(struct row_out *r, const struct put_op *op, int64_t v, char *at)
{
    if (v < op->low || v > op->high)
        return reject(r, MISFIT_FMT, v, STR_ARG(type_text(op)));
    if (op->step > 1 && v % op->step != 0)
        return reject(r, "fraction of value %" PRId64 " is finer than %u digits", v,
                      op->column->fraction);
    *at++ = 2;
    return avro_put_long(at, v);
}

static char *put_bool(struct row_out *r, int64_t v, char *at)
{
    if (v != 0 && v != 1) {
        (void)reject(r, "value %" PRId64 " is neither 0 nor 1", v);
        r->result = ENCODE_PROMOTE;
        return NULL;
    }
    *at++ = 2;
    *at++ = (char)v;
    return at;
}

static char *put_bits(struct row_out *r, const struct put_op *op, uint64_t v, char *at)
{
    if (v > op->mask)
        return reject(r, "value %" PRIu64 " does not fit " STR_FMT, v,
                      STR_ARG(type_text(op)));
    *at++ = 2;
    return avro_put_long(at, (int64_t)v);
}

static char *put_unsigned(uint64_t v, char *at)
{
    uint8_t bytes[9];
    unsigned n = decimal_unscaled_u64(v, bytes);
    *at++ = 2;
    *at++ = (char)(n * 2);
    memcpy(at, bytes, n);
    return at + n;
}

static char *put_decimal(struct row_out *r, const struct put_op *op, struct str text,
                         char *at)
{
    uint8_t bytes[DECIMAL_BYTES_MAX];
    unsigned n = 0;
    switch (decimal_unscaled(text, op->precision, op->scale, bytes, &n)) {
    case DECIMAL_OK:
        break;
    case DECIMAL_MALFORMED:
        return reject(r, "value is no decimal number");
    case DECIMAL_TOO_WIDE:
        return reject(r, "value " STR_FMT " does not fit decimal(%u,%u)", STR_ARG(text),
                      op->precision, op->scale);
    }
    *at++ = 2;
    *at++ = (char)(n * 2);
    memcpy(at, bytes, n);
    return at + n;
}

static char *put_float(struct row_out *r, float v, char *at)
{
    if (!isfinite(v))
        return reject(r, "value is not finite");
    *at++ = 2;
    memcpy(at, &v, sizeof(v));
    return at + sizeof(v);
}

static char *put_double(struct row_out *r, double v, char *at)
{
    if (!isfinite(v))
        return reject(r, "value is not finite");
    *at++ = 2;
    memcpy(at, &v, sizeof(v));
    return at + sizeof(v);
}

static char *put_bytes(struct str s, char *at)
{
    *at++ = 2;
    at = avro_put_long(at, (int64_t)s.len);
    if (s.len > 0)
        memcpy(at, s.ptr, s.len);
    return at + s.len;
}

/* All below 0x80: true for most text, and cheaper to see than to decode. */
static inline bool is_ascii(struct str s)
{
    uint64_t seen = 0;
    uint64_t word;
    size_t i = 0;
    for (; i + 8 <= s.len; i += 8) {
        memcpy(&word, s.ptr + i, sizeof(word));
        seen |= word;
    }
    for (; i < s.len; i++)
        seen |= (uint64_t)(uint8_t)s.ptr[i];
    return (seen & UINT64_C(0x8080808080808080)) == 0;
}

static char *put_text(struct row_out *r, struct str s, char *at)
{
    if (!is_ascii(s) && !str_is_utf8(s))
        return reject(r, "text is no well-formed UTF-8");
    return put_bytes(s, at);
}

static char *put_json(struct row_out *r, struct str s, char *at)
{
    if (!json_is_valid(s))
        return reject(r, "text is no well-formed JSON");
    return put_bytes(s, at);
}

static char *put_enum(struct row_out *r, const struct put_op *op, struct str s, char *at)
{
    if (s.len > 0 && !label_is_known(&op->labels, s))
        return reject(r, "text is none of the column's %u labels", op->labels.count);
    return put_bytes(s, at);
}

static char *put_set(struct row_out *r, const struct put_op *op, struct str s, char *at)
{
    struct str rest = s;
    for (bool more = s.len > 0; more; more = rest.ptr != NULL) {
        struct str member = str_cut(rest, ',', &rest);
        if (!label_is_known(&op->labels, member))
            return reject(r, "a member is none of the column's %u labels",
                          op->labels.count);
    }
    return put_bytes(s, at);
}

/* An array: one block of all floats, then the block of none. */
static char *put_vector(struct row_out *r, const struct put_op *op, struct str s,
                        char *at)
{
    size_t count = s.len / sizeof(float);
    if (s.len % sizeof(float) != 0)
        return reject(r, "%zu bytes are no whole number of floats", s.len);
    if (op->column->fixed_length && count != op->column->length)
        return reject(r, "%zu floats do not fit " STR_FMT, count, STR_ARG(type_text(op)));
    *at++ = 2;
    if (count > 0) {
        at = avro_put_long(at, (int64_t)count);
        memcpy(at, s.ptr, s.len);
        at += s.len;
    }
    *at++ = 0;
    return at;
}

static char *put_companion(const struct row_out *r, const struct put_op *op, char *at)
{
    const struct value *date = &r->cells[op->other];
    if (date->kind == VALUE_BAD_DATE && r->plan->policy.dates == DATE_TEXT)
        return put_bytes(value_str(date), at);
    *at++ = 0;
    return at;
}

/* A cell of the kind that the column's type has. */
static inline char *put_good(struct row_out *r, const struct put_op *op,
                             const struct value *v, char *at)
{
    switch ((enum put_code)op->code) {
    case PUT_LONG:
        return put_long(r, op, v->as.i, at);
    case PUT_BOOL:
        return put_bool(r, v->as.i, at);
    case PUT_BITS:
        return put_bits(r, op, v->as.u, at);
    case PUT_UNSIGNED:
        return put_unsigned(v->as.u, at);
    case PUT_DECIMAL:
        return put_decimal(r, op, value_str(v), at);
    case PUT_FLOAT:
        return put_float(r, v->as.f, at);
    case PUT_DOUBLE:
        return put_double(r, v->as.d, at);
    case PUT_TEXT:
        return put_text(r, value_str(v), at);
    case PUT_BYTES:
        return put_bytes(value_str(v), at);
    case PUT_JSON:
        return put_json(r, value_str(v), at);
    case PUT_ENUM:
        return put_enum(r, op, value_str(v), at);
    case PUT_SET:
        return put_set(r, op, value_str(v), at);
    case PUT_VECTOR:
        return put_vector(r, op, value_str(v), at);
    case PUT_COMPANION:
        break;
    }
    return put_companion(r, op, at);
}

static char *put_bad_date(struct row_out *r, const struct put_op *op, struct str text,
                          char *at)
{
    int shown = text.len < 40 ? (int)text.len : 40;
    if (op->is_key)
        return reject(r, "'%.*s' is no date, and a key column is never NULL", shown,
                      text.ptr);
    if (r->plan->policy.dates == DATE_REJECT)
        return reject(r, "'%.*s' is no date", shown, text.ptr);
    r->policy = true;
    *at++ = 0;
    return at;
}

static char *put_invalid(struct row_out *r, const struct put_op *op)
{
    if (op->column->charset.len > 0)
        return reject(r, "stored bytes have no meaning in character set '" STR_FMT "'",
                      STR_ARG(op->column->charset));
    return reject(r, "stored bytes have no meaning as " STR_FMT, STR_ARG(type_text(op)));
}

/* The same number under another kind: the readers make either. */
static bool as_wanted(const struct put_op *op, const struct value *v, struct value *out)
{
    bool wants_int = op->want == VALUE_INT || op->want == VALUE_UINT;
    bool is_int = v->kind == VALUE_INT || v->kind == VALUE_UINT;
    *out = *v;
    out->kind = op->want;
    if (wants_int && is_int)
        return v->as.i >= 0; /* what both kinds can say */
    return op->want == VALUE_JSON && v->kind == VALUE_TEXT;
}

/* NULL, absence, and every kind that is not the one of the column's type. */
static char *put_other(struct row_out *r, const struct put_op *op, const struct value *v,
                       char *at)
{
    struct value other;
    if (op->code == PUT_COMPANION)
        return put_companion(r, op, at);
    if (v->kind == VALUE_NULL && !op->nullable)
        return reject(r, "NULL in a column that is NOT NULL");
    if (v->kind == VALUE_ABSENT)
        r->absent = true;
    if (v->kind == VALUE_NULL || v->kind == VALUE_ABSENT) {
        *at++ = 0;
        return at;
    }
    if (v->kind == VALUE_BAD_DATE &&
        (type_has_bad_dates(op->column->type) || op->column->type == TYPE_TIME))
        return put_bad_date(r, op, value_str(v), at);
    if (v->kind == VALUE_INVALID)
        return put_invalid(r, op);
    if (as_wanted(op, v, &other))
        return put_good(r, op, &other, at);
    return reject(r, "a cell of kind %u in a column of type '%s'", v->kind,
                  type_get(op->column->type)->name);
}

static char *put_columns(struct row_out *r, char *at)
{
    const struct put_op *op = r->plan->ops;
    const struct value *v = r->cells;
    unsigned count = r->plan->schema->column_count;
    for (unsigned i = 0; i < count; i++, op++, v++) {
        r->column = i;
        at = v->kind == op->want ? put_good(r, op, v, at) : put_other(r, op, v, at);
        if (at == NULL)
            return NULL;
    }
    return at;
}

/* _absent: null, or a bit per column, the lowest of the first byte for the first column.
 */
static char *put_absent(const struct row_out *r, char *at)
{
    if (!r->absent) {
        *at++ = 0;
        return at;
    }
    unsigned count = r->plan->schema->column_count;
    unsigned n = (count + 7) / 8;
    *at++ = 2;
    at = avro_put_long(at, n);
    memset(at, 0, n);
    for (unsigned i = 0; i < count; i++)
        if (r->cells[i].kind == VALUE_ABSENT && r->plan->ops[i].code != PUT_COMPANION)
            at[i / 8] = (char)((uint8_t)at[i / 8] | 1u << (i % 8));
    return at + n;
}

static int64_t floor_div(int64_t v, int64_t by)
{
    return v / by - (v % by < 0);
}

static char *put_row(struct row_out *r, const struct row_meta *meta, char *at)
{
    at = avro_put_long(at, (int64_t)meta->op);
    at = avro_put_long(at, meta->sequence);
    at = avro_put_long(at, floor_div(meta->at, 1000));
    at = put_absent(r, at);
    if (meta->before == NULL) {
        *at++ = 0;
        return put_columns(r, at);
    }
    const struct value *cells = r->cells;
    *at++ = 2;
    r->cells = meta->before;
    at = put_columns(r, at);
    r->cells = cells;
    return at == NULL ? NULL : put_columns(r, at);
}

static bool has_bytes(uint8_t kind)
{
    return (kind >= VALUE_DECIMAL && kind <= VALUE_JSON) || kind == VALUE_BAD_DATE;
}

/* The most that the row takes, and its longest column. */
static size_t row_bound(const struct encode_plan *p, const struct value *cells,
                        unsigned *longest)
{
    size_t bytes = p->fixed_bytes;
    uint32_t most = 0;
    for (unsigned i = 0; i < p->open_count; i++) {
        const struct value *v = &cells[p->open[i]];
        if (!has_bytes(v->kind))
            continue;
        bytes += v->len;
        if (v->len > most) {
            most = v->len;
            *longest = p->open[i];
        }
    }
    return bytes;
}

static enum encode_result too_big(struct row_out *r, size_t bytes, size_t limit)
{
    (void)reject(r, "row of %zu bytes passes row_limit, %zu bytes", bytes, limit);
    return ENCODE_TOO_BIG;
}

static void count_policy(const struct encode_plan *p, struct block *b,
                         const struct value *cells)
{
    if (b->null_by_policy == NULL)
        b->null_by_policy = xcalloc(b->column_count, sizeof(*b->null_by_policy));
    for (unsigned i = 0; i < p->schema->column_count; i++)
        b->null_by_policy[i] +=
            cells[i].kind == VALUE_BAD_DATE && p->ops[i].code != PUT_COMPANION;
}

enum encode_result encode_row(const struct encode_plan *p, struct block *b,
                              const struct row_meta *meta, const struct value *cells,
                              struct encode_fault *fault)
{
    struct row_out r = { .plan = p, .cells = cells, .fault = fault };
    size_t bound = row_bound(p, cells, &r.column);
    if (meta->before != NULL)
        bound += row_bound(p, meta->before, &r.column);
    char *start =
        bound > b->row_limit + p->fixed_bytes ? NULL : buf_reserve(&b->bytes, bound);
    if (start == NULL) {
        buf_truncate(&b->bytes, b->bytes.len);
        return too_big(&r, bound, b->row_limit);
    }
    char *end = put_row(&r, meta, start);
    if (end != NULL && r.absent)
        end = put_row(&r, meta, start); /* once more, now that the bitmap is known of */
    if (end == NULL)
        return r.result;
    size_t n = (size_t)(end - start);
    if (n > b->row_limit) {
        (void)row_bound(p, cells, &r.column);
        return too_big(&r, n, b->row_limit);
    }
    buf_advance(&b->bytes, n);
    b->rows++;
    if (r.policy)
        count_policy(p, b, cells);
    return ENCODE_OK;
}
