#include "row/position.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <inttypes.h>

#define TAG "page1"
#define KEY_TAG "key1"
/* A key that is handed out by the clock of whole seconds may look so much older than it
 * is. */
#define SAFE_AGE_US 1000000

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

/* ---- bookmarks ---- */

static size_t bookmark_bound(const struct key_bookmark *b)
{
    size_t n = 128 + 2 * (b->column.len + b->from.len + b->to.len);
    for (size_t i = 0; i < b->anchor_count; i++)
        n += 2 * b->anchors[i].max.len + 24;
    return n;
}

static void bookmark_into(struct buf *out, const struct key_bookmark *b)
{
    buf_printf(out, KEY_TAG ";%016" PRIx64 ";%" PRId64 ";%c%c;", b->definition, b->noted,
               b->held ? 'h' : '-', b->by_look_back ? 'l' : '-');
    buf_add_hex(out, b->column.ptr, b->column.len);
    buf_add_char(out, ';');
    buf_add_hex(out, b->from.ptr, b->from.len);
    buf_add_char(out, ';');
    buf_add_hex(out, b->to.ptr, b->to.len);
    for (size_t i = 0; i < b->anchor_count; i++) {
        buf_printf(out, ";%" PRId64 "-", b->anchors[i].at);
        buf_add_hex(out, b->anchors[i].max.ptr, b->anchors[i].max.len);
    }
}

struct str key_bookmark_format(struct arena *a, const struct key_bookmark *b)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, bookmark_bound(b));
    bookmark_into(&out, b);
    return arena_str(a, buf_str(&out));
}

static bool parse_moment(struct str text, int64_t *out)
{
    return str_to_i64(text, out) && *out >= 0;
}

static bool parse_flags(struct str text, struct key_bookmark *b)
{
    if (text.len != 2)
        return false;
    b->held = text.ptr[0] == 'h';
    b->by_look_back = text.ptr[1] == 'l';
    return true; /* other letters do not come back canonical */
}

static bool parse_anchors(struct arena *a, struct str text, struct key_bookmark *b)
{
    if (text.ptr == NULL)
        return false;
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == ';';
    if (count > KEY_ANCHORS_MOST)
        return false;
    struct key_anchor *anchors = arena_try(a, count * sizeof(*anchors));
    if (anchors == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct str max;
        struct str at = str_cut(str_cut(text, ';', &text), '-', &max);
        if (max.ptr == NULL || !parse_moment(at, &anchors[i].at) ||
            !parse_hex(a, max, &anchors[i].max))
            return false;
    }
    b->anchors = anchors;
    b->anchor_count = count;
    return true;
}

static bool bookmark_is_canonical(const struct key_bookmark *b, struct str text)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, bookmark_bound(b));
    bookmark_into(&out, b);
    return str_eq(buf_str(&out), text);
}

int key_bookmark_parse(struct arena *a, struct str text, struct key_bookmark *out,
                       struct error *err)
{
    struct key_bookmark b = { 0 };
    struct str rest;
    struct str tag = str_cut(text, ';', &rest);
    bool ok = str_eq(tag, STR(KEY_TAG)) && rest.ptr != NULL;
    ok = ok && parse_hash(str_cut(rest, ';', &rest), &b.definition);
    ok = ok && parse_moment(str_cut(rest, ';', &rest), &b.noted);
    ok = ok && parse_flags(str_cut(rest, ';', &rest), &b);
    ok = ok && parse_hex(a, str_cut(rest, ';', &rest), &b.column);
    ok = ok && parse_hex(a, str_cut(rest, ';', &rest), &b.from);
    ok = ok && parse_hex(a, str_cut(rest, ';', &rest), &b.to);
    ok = ok && parse_anchors(a, rest, &b) && bookmark_is_canonical(&b, text);
    if (!ok) {
        size_t shown = text.len < 80 ? text.len : 80;
        return error_set(err, ERR_POSITION, "'%.*s' is no bookmark of a key", (int)shown,
                         text.len > 0 ? text.ptr : "");
    }
    *out = b;
    return 0;
}

/* The newest anchor that `noted` makes safe; count when there is none. */
static size_t newest_safe(const struct key_anchor *anchors, size_t count, int64_t noted)
{
    for (size_t i = count; i > 0; i--)
        if (noted > SAFE_AGE_US && anchors[i - 1].at < noted - SAFE_AGE_US)
            return i - 1;
    return count;
}

const struct key_anchor *key_bookmark_start(const struct key_bookmark *b)
{
    if (b->anchor_count == 0)
        return NULL;
    if (b->by_look_back)
        return &b->anchors[b->anchor_count - 1];
    size_t safe = newest_safe(b->anchors, b->anchor_count, b->noted);
    if (safe < b->anchor_count)
        return &b->anchors[safe];
    return b->held ? &b->anchors[0] : NULL;
}

static bool is_integer(struct str s)
{
    size_t first = s.len > 0 && s.ptr[0] == '-' ? 1 : 0;
    for (size_t i = first; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return s.len > first;
}

static int magnitude_cmp(struct str a, struct str b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return str_cmp(a, b);
}

int key_part_cmp(struct str a, struct str b)
{
    if (!is_integer(a) || !is_integer(b))
        return str_cmp(a, b);
    bool below_a = a.ptr[0] == '-';
    bool below_b = b.ptr[0] == '-';
    if (below_a != below_b)
        return below_a ? -1 : 1;
    return below_a ? magnitude_cmp(b, a) : magnitude_cmp(a, b);
}

/* Room for one more: the anchor between the two that lie closest goes, never the first,
 * never the last. */
static void thin_out(struct key_anchor *anchors, size_t *count)
{
    size_t least = 1;
    for (size_t i = 1; i + 1 < *count; i++)
        if (anchors[i + 1].at - anchors[i - 1].at <
            anchors[least + 1].at - anchors[least - 1].at)
            least = i;
    for (size_t i = least; i + 1 < *count; i++)
        anchors[i] = anchors[i + 1];
    (*count)--;
}

/* Anchors of `before` from where this read started; *held: it started at the first of
 * them, which was safe. By look-back nothing was. */
static size_t carry_anchors(const struct key_bookmark *before, struct key_anchor *out,
                            bool *held)
{
    *held = false;
    if (before == NULL || before->anchors == NULL || before->anchor_count == 0)
        return 0;
    const struct key_anchor *start = key_bookmark_start(before);
    *held = start != NULL && !before->by_look_back;
    size_t first = start == NULL ? 0 : (size_t)(start - before->anchors);
    size_t count = 0;
    for (size_t i = first; i < before->anchor_count && i < KEY_ANCHORS_MOST; i++)
        out[count++] = before->anchors[i];
    return count;
}

struct key_bookmark key_bookmark_next(struct arena *a, const struct key_bookmark *before,
                                      const struct key_anchor *anchor, int64_t noted)
{
    struct key_anchor kept[KEY_ANCHORS_MOST + 1];
    struct key_bookmark next = { .noted = noted };
    size_t count = carry_anchors(before, kept, &next.held);
    if (before != NULL) {
        next.column = arena_str(a, before->column);
        next.definition = before->definition;
    }
    /* keys that have gone may be handed out again: no start above what was read */
    for (size_t i = 0; i < count; i++)
        if (key_part_cmp(kept[i].max, anchor->max) > 0)
            kept[i].max = anchor->max;
    kept[count++] = *anchor;
    size_t safe = newest_safe(kept, count, noted);
    if (safe == count)
        safe = 0;
    else
        next.held = false;
    struct key_anchor *anchors = ARENA_ARRAY(a, struct key_anchor, count);
    next.anchor_count = 0;
    for (size_t i = safe; i < count; i++)
        anchors[next.anchor_count++] = kept[i];
    if (next.anchor_count > KEY_ANCHORS_MOST)
        thin_out(anchors, &next.anchor_count);
    for (size_t i = 0; i < next.anchor_count; i++)
        anchors[i].max = arena_str(a, anchors[i].max);
    next.anchors = anchors;
    return next;
}

/* ---- key tuples ---- */

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
