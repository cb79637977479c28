/* Partial updates: the document becomes a tree that is opened only where the paths lead;
 * all else stays the bytes it was. */
#include "base/arena.h"
#include "base/reader.h"
#include "mysql/jsonb.h"
#include "mysql/jsonb_internal.h"

#include <stdlib.h>

/* Ceiling of the tree: a node for each of the smallest parts (3 bytes), and as much again
 * where a container grew. */
#define TREE_BYTES_PER_BYTE 64
#define TREE_BYTES_LEAST ((size_t)64 << 10)

enum diff_operation {
    DIFF_REPLACE = 0,
    DIFF_INSERT = 1,
    DIFF_REMOVE = 2,
};

struct node {
    struct str key; /* of a member */
    struct jsonb_value value;
    bool open; /* a container whose parts are `items`, no more `value.body` */
    uint32_t count;
    uint32_t capacity;
    struct node *items;
};

struct leg {
    bool is_member;
    struct str key; /* without quotes and escapes */
    uint32_t index;
};

struct diff {
    enum diff_operation operation;
    unsigned leg_count;
    struct leg legs[JSONB_DEPTH_LIMIT];
    struct jsonb_value value;
};

struct tree {
    struct arena *arena;
    struct node root;
    struct diff diff; /* the one at hand */
    char *keys;       /* where the unescaped keys of its path go next */
};

static int not_applicable(struct str path, const char *why, struct error *err)
{
    return error_set(err, ERR_PROTOCOL, "JSON diff: " STR_FMT ": %s",
                     path.len > 200 ? 200 : (int)path.len, path.ptr, why);
}

static int no_memory(struct error *err)
{
    return error_set(err, ERR_LIMIT, "JSON diff: the document has too many parts");
}

/* Give a container room for one more part than it has. */
static int grow(struct tree *t, struct node *n, struct error *err)
{
    if (n->count < n->capacity)
        return 0;
    uint32_t capacity = n->count < 8 ? 8 : n->count + n->count / 2;
    struct node *items = arena_try(t->arena, capacity * sizeof *items);
    if (items == NULL)
        return no_memory(err);
    if (n->count > 0)
        memcpy(items, n->items, n->count * sizeof *items);
    n->items = items;
    n->capacity = capacity;
    return 0;
}

/* Make the parts of a container into nodes. */
static int open_node(struct tree *t, struct node *n, struct error *err)
{
    struct jsonb_container c = { 0 };
    if (n->open || !jsonb_is_container(&n->value))
        return 0;
    if (jsonb_open(&n->value, &c, err) != 0)
        return -1;
    struct node *items = NULL;
    if (c.count > 0 && (items = arena_try(t->arena, c.count * sizeof *items)) == NULL)
        return no_memory(err);
    for (uint32_t i = 0; i < c.count; i++) {
        if ((c.object && jsonb_key(&c, i, &items[i].key, err) != 0) ||
            jsonb_item(&c, i, &items[i].value, err) != 0)
            return -1;
    }
    n->items = items;
    n->count = n->capacity = c.count;
    n->open = true;
    return 0;
}

static bool is_object(const struct node *n)
{
    return n->value.type <= JSONB_LARGE_OBJECT;
}

/* Members are in the order of their keys: shorter ones first, then by bytes. */
static int key_order(struct str a, struct str b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len == 0 ? 0 : memcmp(a.ptr, b.ptr, a.len);
}

/* Where the leg leads in an open container; true when something is there. */
static bool find_item(const struct node *n, const struct leg *leg, uint32_t *at)
{
    if (!leg->is_member) {
        *at = leg->index < n->count ? leg->index : n->count;
        return *at < n->count;
    }
    for (*at = 0; *at < n->count; (*at)++) {
        int order = key_order(leg->key, n->items[*at].key);
        if (order <= 0)
            return order == 0;
    }
    return false;
}

/* Does the leg name a part of such a value? */
static bool leg_fits(const struct node *n, const struct leg *leg)
{
    return jsonb_is_container(&n->value) && is_object(n) == leg->is_member;
}

static int remove_item(struct node *n, uint32_t at)
{
    n->count--;
    memmove(n->items + at, n->items + at + 1, (n->count - at) * sizeof *n->items);
    return 0;
}

static int insert_item(struct tree *t, struct node *n, uint32_t at, struct error *err)
{
    const struct diff *d = &t->diff;
    if (grow(t, n, err) != 0)
        return -1;
    memmove(n->items + at + 1, n->items + at, (n->count - at) * sizeof *n->items);
    n->items[at] =
        (struct node){ .key = d->legs[d->leg_count - 1].key, .value = d->value };
    n->count++;
    return 0;
}

static int apply(struct tree *t, struct str path, struct error *err)
{
    const struct diff *d = &t->diff;
    struct node *n = &t->root;
    uint32_t at = 0;
    if (d->leg_count == 0)
        return not_applicable(path, "the whole document is no part of itself", err);
    for (unsigned i = 0; i < d->leg_count; i++) {
        bool last = i + 1 == d->leg_count;
        if (!leg_fits(n, &d->legs[i]))
            return not_applicable(path, "leads through a value of another kind", err);
        if (open_node(t, n, err) != 0)
            return -1;
        bool found = find_item(n, &d->legs[i], &at);
        if (last && d->operation == DIFF_INSERT && (!found || !d->legs[i].is_member))
            return insert_item(t, n, at, err);
        if (last && d->operation == DIFF_INSERT)
            return not_applicable(path, "is there already", err);
        if (!found)
            return not_applicable(path, "is not there", err);
        if (!last)
            n = &n->items[at];
    }
    if (d->operation == DIFF_REMOVE)
        return remove_item(n, at);
    n->items[at] = (struct node){ .key = n->items[at].key, .value = d->value };
    return 0;
}

/* Four hexadecimal digits, or -1. */
static int32_t hex4(struct str s)
{
    int32_t v = 0;
    if (s.len < 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        char c = s.ptr[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        v = v * 16 + digit;
    }
    return v;
}

/* What \uXXXX says (below the surrogates: the server writes only control characters so),
 * in UTF-8; 0 when it is none. */
static unsigned put_escape(struct str digits, char *out)
{
    int32_t cp = hex4(digits);
    if (cp < 0 || (cp >= 0xd800 && cp < 0xe000))
        return 0;
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xc0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    out[0] = (char)(0xe0 | cp >> 12);
    out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
    out[2] = (char)(0x80 | (cp & 0x3f));
    return 3;
}

/* A quoted key, a JSON string: the reader stands behind the first quote, and afterwards
 * behind the second. */
static int quoted_key(struct tree *t, struct reader *r, struct str *out)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    char *key = t->keys;
    size_t n = 0;
    while (r->pos < r->end && *r->pos != '"') {
        char c = *r->pos++;
        if (c != '\\') {
            key[n++] = c;
            continue;
        }
        if (r->pos == r->end)
            return -1;
        c = *r->pos++;
        const char *letter = c == '\0' ? NULL : strchr(from, c);
        if (c == 'u') {
            unsigned len =
                put_escape((struct str){ r->pos, (size_t)(r->end - r->pos) }, key + n);
            if (len == 0)
                return -1;
            n += len;
            r->pos += 4;
        } else
            key[n++] = letter != NULL ? to[letter - from] : c;
    }
    if (r->pos == r->end)
        return -1;
    r->pos++;
    t->keys += n;
    *out = (struct str){ key, n };
    return 0;
}

/* ".name" or ".\"na me\"": the reader stands behind the point. */
static int member_leg(struct tree *t, struct reader *r, struct leg *leg)
{
    leg->is_member = true;
    if (r->pos < r->end && *r->pos == '"') {
        r->pos++;
        return quoted_key(t, r, &leg->key);
    }
    const char *start = r->pos;
    while (r->pos < r->end && *r->pos != '.' && *r->pos != '[')
        r->pos++;
    leg->key = (struct str){ start, (size_t)(r->pos - start) };
    return leg->key.len == 0 ? -1 : 0;
}

/* "[7]": the reader stands behind the bracket. */
static int cell_leg(struct reader *r, struct leg *leg)
{
    struct str rest = { r->pos, (size_t)(r->end - r->pos) };
    struct str behind;
    uint64_t index;
    struct str number = str_cut(rest, ']', &behind);
    if (behind.ptr == NULL || !str_to_u64(number, &index) || index > UINT32_MAX)
        return -1;
    leg->is_member = false;
    leg->key = (struct str){ 0 };
    leg->index = (uint32_t)index;
    r->pos = behind.ptr;
    return 0;
}

static int parse_path(struct tree *t, struct str path, struct error *err)
{
    struct diff *d = &t->diff;
    struct reader r = reader_over(path);
    d->leg_count = 0;
    t->keys = arena_try(t->arena, path.len); /* escapes are longer than what they say */
    if (t->keys == NULL)
        return no_memory(err);
    if (r.pos == r.end || *r.pos++ != '$')
        return not_applicable(path, "no path", err);
    while (r.pos < r.end) {
        if (d->leg_count == JSONB_DEPTH_LIMIT)
            return not_applicable(path, "too long", err);
        struct leg *leg = &d->legs[d->leg_count++];
        char c = *r.pos++;
        if (c == '.' ? member_leg(t, &r, leg) != 0 : c != '[' || cell_leg(&r, leg) != 0)
            return not_applicable(path, "no path", err);
    }
    return 0;
}

/* A length as the client protocol writes it: one byte to 250, or 252, 253, 254 and the
 * number in 2, 3 or 8 bytes; then that many bytes. */
static struct str counted_bytes(struct reader *r)
{
    uint64_t n = reader_le(r, 1);
    if (n == 252)
        n = reader_le(r, 2);
    else if (n == 253)
        n = reader_le(r, 3);
    else if (n == 254)
        n = reader_le(r, 8);
    else if (n > 250)
        r->bad = true;
    if (n > (uint64_t)(r->end - r->pos))
        r->bad = true;
    return reader_bytes(r, r->bad ? 0 : (size_t)n);
}

static int next_diff(struct tree *t, struct reader *r, struct error *err)
{
    struct diff *d = &t->diff;
    uint64_t operation = reader_le(r, 1);
    struct str path = counted_bytes(r);
    struct str value = operation == DIFF_REMOVE ? (struct str){ 0 } : counted_bytes(r);
    if (r->bad || operation > DIFF_REMOVE)
        return error_set(err, ERR_PROTOCOL, "JSON diff: operation %u leaves its column",
                         (unsigned)operation);
    d->operation = (enum diff_operation)operation;
    if (operation != DIFF_REMOVE && value.len == 0)
        return not_applicable(path, "without a value", err);
    if (jsonb_root(value, &d->value, err) != 0 || parse_path(t, path, err) != 0)
        return -1;
    return apply(t, path, err);
}

static int print_node(const struct node *n, unsigned depth, struct buf *out,
                      struct error *err)
{
    if (!n->open)
        return jsonb_print(&n->value, depth, out, err);
    buf_add_char(out, is_object(n) ? '{' : '[');
    for (uint32_t i = 0; i < n->count; i++) {
        if (i > 0)
            buf_add_text(out, ", ");
        if (is_object(n)) {
            if (jsonb_print_string(n->items[i].key, out, err) != 0)
                return -1;
            buf_add_text(out, ": ");
        }
        if (print_node(&n->items[i], depth + 1, out, err) != 0)
            return -1;
    }
    buf_add_char(out, is_object(n) ? '}' : ']');
    return buf_check(out, "text of a JSON value", err);
}

static int apply_all(struct tree *t, struct str before, struct str diffs, struct buf *out,
                     struct error *err)
{
    struct reader r = reader_over(diffs);
    if (jsonb_root(before, &t->root.value, err) != 0)
        return -1;
    while (r.pos < r.end) {
        if (next_diff(t, &r, err) != 0)
            return -1;
    }
    return print_node(&t->root, 0, out, err);
}

int jsonb_apply_diffs(struct str before, struct str diffs, struct buf *out,
                      struct error *err)
{
    size_t start = out->len;
    struct tree *t = calloc(1, sizeof *t);
    if (t == NULL)
        return no_memory(err);
    t->arena =
        arena_new(TREE_BYTES_LEAST + TREE_BYTES_PER_BYTE * (before.len + diffs.len));
    int rc = apply_all(t, before, diffs, out, err);
    if (rc != 0)
        buf_truncate(out, start);
    arena_free(t->arena);
    free(t);
    return rc;
}
