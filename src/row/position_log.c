/* The text form of places in a server's log. */
#include "base/alloc.h"
#include "base/buf.h"
#include "row/position.h"

#include <inttypes.h>

#define LOG_TAG "log1"

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '_' || c == '.' || c == ':' || c == ',' || c == '\'' ||
           c == '/';
}

static void add_escaped(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (is_plain(s.ptr[i])) {
            buf_add_char(out, s.ptr[i]);
            continue;
        }
        buf_add_char(out, '%');
        buf_add_hex(out, s.ptr + i, 1);
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What was escaped that need not be does not come back canonical. */
static bool take_escaped(struct arena *a, struct str text, struct str *out)
{
    *out = (struct str){ 0 };
    if (text.len == 0)
        return true;
    char *bytes = arena_try(a, text.len);
    size_t n = 0;
    if (bytes == NULL)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '%') {
            bytes[n++] = text.ptr[i];
            continue;
        }
        if (text.len - i < 3)
            return false;
        int high = hex_value(text.ptr[i + 1]);
        int low = hex_value(text.ptr[i + 2]);
        if (high < 0 || low < 0)
            return false;
        bytes[n++] = (char)(high << 4 | low);
        i += 2;
    }
    *out = (struct str){ bytes, n };
    return true;
}

static size_t log_bound(const struct log_position *p)
{
    size_t n = 256 + 3 * (p->server.len + p->file.len + p->gtid.len + p->last_gtid.len);
    for (size_t i = 0; i < p->xa_count; i++)
        n += 3 * (p->xa[i].xid.len + p->xa[i].file.len) + 24;
    return n;
}

static void log_into(struct buf *out, const struct log_position *p)
{
    buf_add_text(out, LOG_TAG ";");
    add_escaped(out, p->server);
    buf_add_char(out, ';');
    add_escaped(out, p->file);
    buf_printf(out, ";%" PRIu64 ";", p->offset);
    add_escaped(out, p->gtid);
    buf_add_char(out, ';');
    add_escaped(out, p->last_gtid);
    buf_printf(out, ";%" PRIu64 ";%" PRIu64 ";%016" PRIx64 ";%" PRId64, p->last_start,
               p->last_bytes, p->last_hash, p->last_at);
    for (size_t i = 0; i < p->xa_count; i++) {
        buf_add_char(out, ';');
        add_escaped(out, p->xa[i].xid);
        buf_add_char(out, '@');
        add_escaped(out, p->xa[i].file);
        buf_printf(out, "@%" PRIu64, p->xa[i].offset);
    }
}

struct str log_position_format(struct arena *a, const struct log_position *p)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, log_bound(p));
    log_into(&out, p);
    return arena_str(a, buf_str(&out));
}

static bool take_hash(struct str text, uint64_t *out)
{
    uint64_t v = 0;
    if (text.len != 16)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int d = hex_value(text.ptr[i]);
        if (d < 0)
            return false;
        v = v << 4 | (uint64_t)d;
    }
    *out = v;
    return true;
}

static bool take_xa(struct arena *a, struct str text, struct log_xa *out)
{
    struct str rest;
    struct str xid = str_cut(text, '@', &rest);
    struct str file = str_cut(rest, '@', &rest);
    return rest.ptr != NULL && take_escaped(a, xid, &out->xid) &&
           take_escaped(a, file, &out->file) && str_to_u64(rest, &out->offset);
}

static bool take_xa_list(struct arena *a, struct str text, struct log_position *p)
{
    if (text.ptr == NULL)
        return true;
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == ';';
    struct log_xa *xa = arena_try(a, count * sizeof(*xa));
    if (xa == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!take_xa(a, str_cut(text, ';', &text), &xa[i]))
            return false;
    p->xa = xa;
    p->xa_count = count;
    return true;
}

static bool log_is_canonical(const struct log_position *p, struct str text)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, log_bound(p));
    log_into(&out, p);
    return str_eq(buf_str(&out), text);
}

int log_position_parse(struct arena *a, struct str text, struct log_position *out,
                       struct error *err)
{
    struct log_position p = { 0 };
    struct str rest;
    struct str tag = str_cut(text, ';', &rest);
    bool ok = str_eq(tag, STR(LOG_TAG)) && rest.ptr != NULL;
    ok = ok && take_escaped(a, str_cut(rest, ';', &rest), &p.server);
    ok = ok && take_escaped(a, str_cut(rest, ';', &rest), &p.file);
    ok = ok && str_to_u64(str_cut(rest, ';', &rest), &p.offset);
    ok = ok && take_escaped(a, str_cut(rest, ';', &rest), &p.gtid);
    ok = ok && take_escaped(a, str_cut(rest, ';', &rest), &p.last_gtid);
    ok = ok && str_to_u64(str_cut(rest, ';', &rest), &p.last_start);
    ok = ok && str_to_u64(str_cut(rest, ';', &rest), &p.last_bytes);
    ok = ok && take_hash(str_cut(rest, ';', &rest), &p.last_hash);
    ok = ok && str_to_i64(str_cut(rest, ';', &rest), &p.last_at);
    ok = ok && take_xa_list(a, rest, &p) && log_is_canonical(&p, text);
    if (!ok) {
        size_t shown = text.len < 80 ? text.len : 80;
        return error_set(err, ERR_POSITION, "'%.*s' is no position of a log", (int)shown,
                         text.len > 0 ? text.ptr : "");
    }
    *out = p;
    return 0;
}
