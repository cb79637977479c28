#include "row/position.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <inttypes.h>

#define TAG "page1"

bool page_position_done(const struct page_position *p)
{
    for (size_t i = 0; i < p->range_count; i++)
        if (!p->ranges[i].done)
            return false;
    return p->range_count > 0;
}

/* Bytes that the text form takes at most. */
static size_t text_bound(const struct page_position *p)
{
    size_t n = 128;
    for (size_t i = 0; i < p->range_count; i++)
        n += 2 * (p->ranges[i].after.len + p->ranges[i].upto.len) + 3;
    return n;
}

static void format_into(struct buf *out, const struct page_position *p)
{
    buf_printf(out, TAG ";%016" PRIx64 ";%" PRId64 ";%" PRId64, p->shape_hash,
               p->first_at, p->last_at);
    for (size_t i = 0; i < p->range_count; i++) {
        const struct page_range *r = &p->ranges[i];
        buf_add_char(out, ';');
        buf_add_hex(out, r->after.ptr, r->after.len);
        buf_add_char(out, '-');
        buf_add_hex(out, r->upto.ptr, r->upto.len);
        if (r->done)
            buf_add_char(out, '!');
    }
}

struct str page_position_format(struct arena *a, const struct page_position *p)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, text_bound(p));
    format_into(&out, p);
    return arena_str(a, buf_str(&out));
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* Pairs of lower-case digits to bytes; an empty text to an empty run. */
static bool parse_hex(struct arena *a, struct str text, struct str *out)
{
    *out = (struct str){ 0 };
    if (text.len % 2 != 0)
        return false;
    if (text.len == 0)
        return true;
    char *bytes = arena_try(a, text.len / 2);
    if (bytes == NULL)
        return false;
    for (size_t i = 0; i < text.len; i += 2) {
        int high = hex_digit(text.ptr[i]);
        int low = hex_digit(text.ptr[i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i / 2] = (char)(high << 4 | low);
    }
    *out = (struct str){ bytes, text.len / 2 };
    return true;
}

static bool tuple_is_whole(struct str tuple)
{
    struct str part;
    while (key_tuple_next(&tuple, &part))
        ;
    return tuple.len == 0;
}

static bool parse_range(struct arena *a, struct str text, struct page_range *out)
{
    if (text.len > 0 && text.ptr[text.len - 1] == '!') {
        out->done = true;
        text.len--;
    }
    struct str upto;
    struct str after = str_cut(text, '-', &upto);
    return upto.ptr != NULL && parse_hex(a, after, &out->after) &&
           parse_hex(a, upto, &out->upto) && tuple_is_whole(out->after) &&
           tuple_is_whole(out->upto);
}

static bool parse_hash(struct str text, uint64_t *out)
{
    if (text.len != 16)
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < text.len; i++) {
        int d = hex_digit(text.ptr[i]);
        if (d < 0)
            return false;
        v = v << 4 | (uint64_t)d;
    }
    *out = v;
    return true;
}

static bool parse_ranges(struct arena *a, struct str text, struct page_position *p)
{
    if (text.ptr == NULL)
        return true;
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == ';';
    p->ranges = arena_try(a, count * sizeof(*p->ranges));
    if (p->ranges == NULL)
        return false;
    p->range_count = count;
    for (size_t i = 0; i < count; i++)
        if (!parse_range(a, str_cut(text, ';', &text), &p->ranges[i]))
            return false;
    return true;
}

/* Only the canonical text may come in: what would be written again. */
static bool is_canonical(const struct page_position *p, struct str text)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, text_bound(p));
    format_into(&out, p);
    return str_eq(buf_str(&out), text);
}

int page_position_parse(struct arena *a, struct str text, struct page_position *out,
                        struct error *err)
{
    struct page_position p = { 0 };
    struct str rest;
    struct str tag = str_cut(text, ';', &rest);
    bool ok = str_eq(tag, STR(TAG)) && rest.ptr != NULL;
    ok = ok && parse_hash(str_cut(rest, ';', &rest), &p.shape_hash);
    ok = ok && str_to_i64(str_cut(rest, ';', &rest), &p.first_at);
    ok = ok && str_to_i64(str_cut(rest, ';', &rest), &p.last_at);
    ok = ok && parse_ranges(a, rest, &p) && is_canonical(&p, text);
    if (!ok) {
        size_t shown = text.len < 80 ? text.len : 80;
        return error_set(err, ERR_POSITION, "'%.*s' is no page position", (int)shown,
                         text.len > 0 ? text.ptr : "");
    }
    *out = p;
    return 0;
}

size_t key_tuple_begin(struct buf *tuple)
{
    static const char room[4];
    buf_add(tuple, room, sizeof(room));
    return tuple->len;
}

void key_tuple_end(struct buf *tuple, size_t part)
{
    if (tuple->failed)
        return;
    size_t size = tuple->len - part;
    for (unsigned i = 0; i < 4; i++)
        tuple->data[part - 4 + i] = (char)(unsigned char)(size >> (8 * i));
}

void key_tuple_add(struct buf *tuple, struct str part)
{
    size_t at = key_tuple_begin(tuple);
    if (part.len > 0)
        buf_add(tuple, part.ptr, part.len);
    key_tuple_end(tuple, at);
}

bool key_tuple_next(struct str *tuple, struct str *part)
{
    if (tuple->len < 4)
        return false;
    size_t n = 0;
    for (unsigned i = 0; i < 4; i++)
        n |= (size_t)(unsigned char)tuple->ptr[i] << (8 * i);
    if (n > tuple->len - 4)
        return false;
    *part = (struct str){ tuple->ptr + 4, n };
    *tuple = (struct str){ tuple->ptr + 4 + n, tuple->len - 4 - n };
    return true;
}
