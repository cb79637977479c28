#include "mysql/jsonb.h"

#include "base/reader.h"
#include "mysql/jsonb_internal.h"

int jsonb_root(struct str document, struct jsonb_value *out, struct error *err)
{
    static const char null_literal[1] = { 0 };

    (void)err;
    if (document.len == 0) {
        *out = (struct jsonb_value){ { null_literal, 1 }, JSONB_LITERAL };
        return 0;
    }
    out->type = (uint8_t)document.ptr[0];
    out->body = (struct str){ document.ptr + 1, document.len - 1 };
    return 0;
}

bool jsonb_is_container(const struct jsonb_value *v)
{
    return v->type <= JSONB_LARGE_ARRAY;
}

/* Bytes of a key entry; none in arrays. */
static size_t key_entry_size(const struct jsonb_container *c)
{
    return c->object ? c->width + (size_t)2 : 0;
}

int jsonb_open(const struct jsonb_value *v, struct jsonb_container *out,
               struct error *err)
{
    struct jsonb_container c = {
        .width = (v->type & 1) != 0 ? 4 : 2,
        .object = v->type <= JSONB_LARGE_OBJECT,
    };
    struct reader r = reader_over(v->body);
    c.count = (uint32_t)reader_le(&r, c.width);
    uint64_t size = reader_le(&r, c.width);
    uint64_t entries = (uint64_t)c.count * (key_entry_size(&c) + 1 + c.width);
    if (r.bad || size > v->body.len || entries + 2 * (uint64_t)c.width > size)
        return error_set(err, ERR_PROTOCOL,
                         "binary JSON: %u parts and a size of %llu bytes in %zu bytes",
                         c.count, (unsigned long long)size, v->body.len);
    c.body = (struct str){ v->body.ptr, (size_t)size };
    *out = c;
    return 0;
}

/* The bytes of c from `offset` on; offsets point behind the entries. */
static int bytes_at(const struct jsonb_container *c, uint64_t offset, struct str *out,
                    struct error *err)
{
    uint64_t entries =
        2 * (uint64_t)c->width + c->count * (key_entry_size(c) + 1 + (uint64_t)c->width);
    if (offset < entries || offset > c->body.len)
        return error_set(err, ERR_PROTOCOL,
                         "binary JSON: offset %llu in a container of %zu bytes",
                         (unsigned long long)offset, c->body.len);
    *out = (struct str){ c->body.ptr + offset, c->body.len - (size_t)offset };
    return 0;
}

int jsonb_key(const struct jsonb_container *c, uint32_t i, struct str *out,
              struct error *err)
{
    struct reader r = reader_over(c->body);
    reader_bytes(&r, 2 * (size_t)c->width + i * key_entry_size(c));
    uint64_t offset = reader_le(&r, c->width);
    size_t len = (size_t)reader_le(&r, 2);
    struct str rest = { 0 };
    if (bytes_at(c, offset, &rest, err) != 0)
        return -1;
    if (len > rest.len)
        return error_set(err, ERR_PROTOCOL, "binary JSON: a key of %zu bytes in %zu", len,
                         rest.len);
    *out = (struct str){ rest.ptr, len };
    return 0;
}

/* Does the entry hold the value itself, in the place of an offset of `width` bytes? */
static bool is_inlined(uint8_t type, unsigned width)
{
    if (type == JSONB_LITERAL || type == JSONB_INT16 || type == JSONB_UINT16)
        return true;
    return width == 4 && (type == JSONB_INT32 || type == JSONB_UINT32);
}

int jsonb_item(const struct jsonb_container *c, uint32_t i, struct jsonb_value *out,
               struct error *err)
{
    struct reader r = reader_over(c->body);
    reader_bytes(&r, 2 * (size_t)c->width + c->count * key_entry_size(c) +
                         (size_t)i * (1 + (size_t)c->width));
    uint8_t type = (uint8_t)reader_le(&r, 1);
    struct reader in_place = r;
    uint64_t offset = reader_le(&r, c->width);
    struct str body = { 0 };
    if (is_inlined(type, c->width))
        body = reader_bytes(&in_place, c->width);
    else if (bytes_at(c, offset, &body, err) != 0)
        return -1;
    *out = (struct jsonb_value){ body, type };
    return 0;
}

static int print_container(const struct jsonb_value *v, unsigned depth, struct buf *out,
                           struct error *err)
{
    struct jsonb_container c = { 0 };
    if (depth >= JSONB_DEPTH_LIMIT)
        return error_set(err, ERR_PROTOCOL, "binary JSON: nested deeper than %d",
                         JSONB_DEPTH_LIMIT);
    if (jsonb_open(v, &c, err) != 0)
        return -1;
    buf_add_char(out, c.object ? '{' : '[');
    for (uint32_t i = 0; i < c.count; i++) {
        struct jsonb_value item = { 0 };
        if (i > 0)
            buf_add_text(out, ", ");
        if (c.object) {
            struct str key = { 0 };
            if (jsonb_key(&c, i, &key, err) != 0 ||
                jsonb_print_string(key, out, err) != 0)
                return -1;
            buf_add_text(out, ": ");
        }
        if (jsonb_item(&c, i, &item, err) != 0 ||
            jsonb_print(&item, depth + 1, out, err) != 0)
            return -1;
    }
    buf_add_char(out, c.object ? '}' : ']');
    return 0;
}

int jsonb_print(const struct jsonb_value *v, unsigned depth, struct buf *out,
                struct error *err)
{
    int rc = jsonb_is_container(v) ? print_container(v, depth, out, err)
                                   : jsonb_print_scalar(v, out, err);
    return rc != 0 ? rc : buf_check(out, "text of a JSON value", err);
}

int jsonb_to_text(struct str document, struct buf *out, struct error *err)
{
    struct jsonb_value root = { 0 };
    size_t start = out->len;
    if (jsonb_root(document, &root, err) != 0 || jsonb_print(&root, 0, out, err) != 0) {
        buf_truncate(out, start);
        return -1;
    }
    return 0;
}
