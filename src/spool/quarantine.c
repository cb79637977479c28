#include "spool/quarantine.h"

/* Avro 1.11 specification: "Binary Encoding" (zig-zag longs, strings as length and
 * bytes), "Logical Types" (timestamp-micros). */
static const char schema[] =
    "{\"type\":\"record\",\"name\":\"reject\",\"namespace\":\"tailrace\",\"fields\":["
    "{\"name\":\"table\",\"type\":\"string\"},"
    "{\"name\":\"column\",\"type\":\"string\"},"
    "{\"name\":\"reason\",\"type\":\"string\"},"
    "{\"name\":\"record\",\"type\":\"string\"},"
    "{\"name\":\"sequence\",\"type\":\"long\"},"
    "{\"name\":\"at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}}]"
    "}";

const char *reject_schema_json(void)
{
    return schema;
}

static void put_long(struct buf *out, int64_t value)
{
    uint64_t n = ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
    do {
        uint8_t byte = n & 0x7f;
        n >>= 7;
        buf_add_char(out, (char)(byte | (n != 0 ? 0x80 : 0)));
    } while (n != 0);
}

/* One character of s, or one byte that is none. */
static unsigned character(struct str s, bool *well_formed)
{
    unsigned n = str_utf8_next(s, NULL);
    *well_formed = n > 0;
    return n > 0 ? n : 1;
}

/* The text as UTF-8, at most REJECT_RECORD_LIMIT bytes of whole characters: bytes that
 * are no UTF-8 become '?', since an Avro string must be well-formed. Writes when `to` is
 * not NULL. */
static size_t clean(struct str s, char *to)
{
    size_t len = 0;
    while (s.len > 0) {
        bool well_formed;
        unsigned n = character(s, &well_formed);
        if (len + n > REJECT_RECORD_LIMIT)
            break;
        if (to != NULL && well_formed)
            memcpy(to + len, s.ptr, n);
        else if (to != NULL)
            to[len] = '?';
        len += n;
        s.ptr += n;
        s.len -= n;
    }
    return len;
}

static void put_text(struct buf *out, struct str s)
{
    size_t len = clean(s, NULL);
    put_long(out, (int64_t)len);
    char *to = buf_reserve(out, len);
    if (to == NULL)
        return;
    clean(s, to);
    buf_advance(out, len);
}

void reject_encode(const struct reject *r, struct buf *out)
{
    put_text(out, r->table);
    put_text(out, r->column);
    put_text(out, r->reason);
    put_text(out, r->record);
    put_long(out, r->sequence);
    put_long(out, r->at);
}

/* At most ten bytes; the tenth holds one bit. */
static int64_t take_long(struct reader *in)
{
    uint64_t n = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint64_t byte = reader_le(in, 1);
        if (shift == 63 && byte > 1)
            break;
        n |= (byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return (int64_t)(n >> 1) ^ -(int64_t)(n & 1);
    }
    in->bad = true;
    return 0;
}

static struct str take_text(struct reader *in)
{
    int64_t len = take_long(in);
    if (len < 0 || len > (int64_t)REJECT_RECORD_LIMIT)
        in->bad = true;
    struct str s = reader_bytes(in, (size_t)len);
    if (!str_is_utf8(s))
        in->bad = true;
    return s;
}

int reject_decode(struct reader *in, struct reject *out, struct error *err)
{
    struct reject r = { 0 };
    r.table = take_text(in);
    r.column = take_text(in);
    r.reason = take_text(in);
    r.record = take_text(in);
    r.sequence = take_long(in);
    r.at = take_long(in);
    if (in->bad)
        return error_set(err, ERR_PROTOCOL, "a record of a reject segment is damaged");
    *out = r;
    return 0;
}
