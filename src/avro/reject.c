/* The record of a row that could not be represented (avro/encode.h). */
#include "avro/encode.h"
#include "base/alloc.h"

#include <inttypes.h>

/* A prefix of at most cap bytes that ends between characters. */
static struct str cut_text(struct str s, size_t cap)
{
    if (s.len <= cap)
        return s;
    while (cap > 0 && ((uint8_t)s.ptr[cap] & 0xc0) == 0x80)
        cap--;
    return (struct str){ s.ptr, cap };
}

static void add_text(struct buf *out, struct str s, size_t cap)
{
    struct str shown = cut_text(s, cap);
    buf_add_json(out, shown);
    if (shown.len < s.len && !out->failed) {
        buf_truncate(out, out->len - 1); /* the quote comes back behind the dots */
        buf_add_text(out, "...\"");
    }
}

static void add_hex(struct buf *out, struct str s, size_t cap)
{
    size_t n = s.len <= cap / 2 ? s.len : cap / 2;
    buf_add_char(out, '"');
    buf_add_hex(out, s.ptr, n);
    buf_add_text(out, n < s.len ? "...\"" : "\"");
}

static void add_value(struct buf *out, const struct value *v, size_t cap)
{
    struct str s = value_str(v);
    switch ((enum value_kind)v->kind) {
    case VALUE_ABSENT:
    case VALUE_NULL:
        buf_add_text(out, "null");
        break;
    case VALUE_INT:
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_DATETIME:
    case VALUE_TIMESTAMP:
        buf_printf(out, "%" PRId64, v->as.i);
        break;
    case VALUE_UINT:
        buf_printf(out, "%" PRIu64, v->as.u);
        break;
    case VALUE_FLOAT: /* as text: JSON has no word for what is not finite */
        buf_printf(out, "\"%.9g\"", (double)v->as.f);
        break;
    case VALUE_DOUBLE:
        buf_printf(out, "\"%.17g\"", v->as.d);
        break;
    case VALUE_BYTES:
    case VALUE_UNSCALED:
        add_hex(out, s, cap);
        break;
    case VALUE_DECIMAL:
    case VALUE_TEXT:
    case VALUE_JSON:
    case VALUE_BAD_DATE:
    case VALUE_INVALID:
        if (str_is_utf8(s)) {
            add_text(out, s, cap);
        } else {
            buf_add_text(out, "{\"hex\":");
            add_hex(out, s, cap);
            buf_add_char(out, '}');
        }
        break;
    }
}

/* Columns that the image did not hold are left out. */
static void add_record(const struct table_schema *s, const struct value *cells,
                       size_t cap, struct buf *out)
{
    const char *before = "{";
    for (unsigned i = 0; i < s->column_count; i++) {
        if (cells[i].kind == VALUE_ABSENT)
            continue;
        buf_add_text(out, before);
        buf_add_json(out, s->columns[i].name);
        buf_add_char(out, ':');
        add_value(out, &cells[i], cap);
        before = ",";
    }
    buf_add_text(out, *before == '{' ? "{}" : "}");
}

/* Below this nothing is cut further: names and numbers alone pass the limit then. */
#define LEAST_CAP 16

void encode_reject_record(const struct table_schema *s, const struct value *cells,
                          size_t limit, struct buf *out)
{
    CLEANUP(buf_done) struct buf whole;
    buf_init(&whole, limit);
    size_t cap = limit > LEAST_CAP ? limit : LEAST_CAP;
    add_record(s, cells, cap, &whole);
    while (whole.failed && cap > LEAST_CAP) {
        cap = cap * 3 / 4;
        buf_clear(&whole);
        add_record(s, cells, cap, &whole);
    }
    if (whole.failed)
        add_record(s, cells, LEAST_CAP, out);
    else
        buf_add_str(out, buf_str(&whole));
}
