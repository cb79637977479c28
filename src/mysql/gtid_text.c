/* GTIDs of MySQL as text and as bytes. */
#include "base/reader.h"
#include "mysql/gtid.h"

#include <inttypes.h>
#include <stdlib.h>

/* The first and the last of the eight bytes of a count are 1 where sources have tags, and
 * the count is in the six between (8.3 and later); else all eight are the count. */
#define TAGGED_FORM 1
#define COUNT_BITS 48

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_blanks(struct reader *r)
{
    while (r->pos < r->end && is_blank(*r->pos))
        r->pos++;
}

/* Step over `c` and the blanks around it, or stay. */
static bool take(struct reader *r, char c)
{
    skip_blanks(r);
    if (r->pos == r->end || *r->pos != c)
        return false;
    r->pos++;
    skip_blanks(r);
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int malformed(const struct reader *r, const char *what, struct error *err)
{
    size_t left = (size_t)(r->end - r->pos);
    return error_set(err, ERR_CONFIG, "GTID: no %s at '%.*s'", what,
                     left > 60 ? 60 : (int)left, r->pos);
}

/* 32 digits, with dashes after 8, 12, 16 and 20 of them or with none; in braces when with
 * dashes, as the server takes it. */
static int parse_uuid(struct reader *r, uint8_t uuid[GTID_UUID_BYTES], struct error *err)
{
    struct reader at = *r;
    bool braces = take(&at, '{');
    bool dashes = at.end - at.pos > 8 && at.pos[8] == '-';
    for (unsigned i = 0; i < GTID_UUID_BYTES; i++) {
        if (dashes && (i == 4 || i == 6 || i == 8 || i == 10)) {
            if (at.pos == at.end || *at.pos != '-')
                return malformed(r, "UUID", err);
            at.pos++;
        }
        int high = at.end - at.pos >= 2 ? hex_digit(at.pos[0]) : -1;
        int low = high >= 0 ? hex_digit(at.pos[1]) : -1;
        if (low < 0)
            return malformed(r, "UUID", err);
        uuid[i] = (uint8_t)(high << 4 | low);
        at.pos += 2;
    }
    if (braces && !take(&at, '}'))
        return malformed(r, "UUID", err);
    *r = at;
    return 0;
}

static bool is_tag_char(char c, bool first)
{
    c = lower(c);
    return c == '_' || (c >= 'a' && c <= 'z') || (!first && is_digit(c));
}

/* A tag that starts here, cut from r; empty when none does. */
static struct str cut_tag(struct reader *r)
{
    const char *start = r->pos;
    while (r->pos < r->end && is_tag_char(*r->pos, r->pos == start))
        r->pos++;
    return (struct str){ start, (size_t)(r->pos - start) };
}

int gtid_source_set_tag(struct gtid_source *s, struct str tag, struct error *err)
{
    struct reader r = reader_over(tag);
    struct str whole = cut_tag(&r);
    if (whole.len != tag.len || tag.len > GTID_TAG_MAX)
        return error_set(err, ERR_PROTOCOL, "GTID: no tag: '%.*s'",
                         tag.len > 60 ? 60 : (int)tag.len, tag.ptr);
    memset(s->tag, 0, sizeof s->tag);
    for (size_t i = 0; i < tag.len; i++)
        s->tag[i] = lower(tag.ptr[i]);
    return 0;
}

static int parse_tag(struct reader *r, struct gtid_source *s, struct error *err)
{
    struct reader start = *r;
    struct str tag = cut_tag(r);
    if (tag.len > GTID_TAG_MAX)
        return malformed(&start, "tag", err);
    return gtid_source_set_tag(s, tag, err);
}

static int parse_number(struct reader *r, uint64_t *out, struct error *err)
{
    struct reader start = *r;
    while (r->pos < r->end && is_digit(*r->pos))
        r->pos++;
    struct str digits = { start.pos, (size_t)(r->pos - start.pos) };
    uint64_t v = 0;
    if (!str_to_u64(digits, &v) || v == 0 || v > GTID_NUMBER_MAX)
        return malformed(&start, "number", err);
    *out = v;
    return 0;
}

int gtid_parse(struct str text, struct gtid *out, struct error *err)
{
    struct reader r = reader_over(str_trim(text));
    struct gtid g = { 0 };
    if (parse_uuid(&r, g.source.uuid, err) != 0)
        return -1;
    if (!take(&r, ':'))
        return malformed(&r, "':'", err);
    if (r.pos < r.end && is_tag_char(*r.pos, true)) {
        if (parse_tag(&r, &g.source, err) != 0)
            return -1;
        if (!take(&r, ':'))
            return malformed(&r, "':'", err);
    }
    if (parse_number(&r, &g.number, err) != 0)
        return -1;
    if (r.pos != r.end)
        return malformed(&r, "end", err);
    *out = g;
    return 0;
}

/* "5" or "5-7" into the set; one that ends before it starts is empty. */
static int parse_interval(struct reader *r, struct gtid_set *s,
                          const struct gtid_source *source, struct error *err)
{
    struct gtid_interval i = { 0 };
    if (parse_number(r, &i.first, err) != 0)
        return -1;
    i.last = i.first;
    if (take(r, '-') && parse_number(r, &i.last, err) != 0)
        return -1;
    return i.last < i.first ? 0 : gtid_set_add_interval(s, source, i, err);
}

/* One UUID and what belongs to it. */
static int parse_sources(struct reader *r, struct gtid_set *s, struct error *err)
{
    struct gtid_source source = { 0 };
    if (parse_uuid(r, source.uuid, err) != 0)
        return -1;
    while (take(r, ':')) {
        bool tag = r->pos < r->end && is_tag_char(*r->pos, true);
        if ((tag ? parse_tag(r, &source, err) : parse_interval(r, s, &source, err)) != 0)
            return -1;
    }
    return 0;
}

int gtid_set_parse(struct str text, struct gtid_set *out, struct error *err)
{
    struct reader r = reader_over(text);
    struct gtid_set s = { 0 };
    skip_blanks(&r);
    while (r.pos < r.end) {
        if (take(&r, ','))
            continue;
        if (parse_sources(&r, &s, err) != 0) {
            gtid_set_done(&s);
            return -1;
        }
        skip_blanks(&r);
        if (r.pos < r.end && *r.pos != ',') {
            gtid_set_done(&s);
            return malformed(&r, "','", err);
        }
    }
    *out = s;
    return 0;
}

static void format_uuid(const uint8_t uuid[GTID_UUID_BYTES], struct buf *out)
{
    buf_add_hex(out, uuid, 4);
    for (unsigned i = 4; i < 10; i += 2) {
        buf_add_char(out, '-');
        buf_add_hex(out, uuid + i, 2);
    }
    buf_add_char(out, '-');
    buf_add_hex(out, uuid + 10, 6);
}

void gtid_format(const struct gtid *g, struct buf *out)
{
    format_uuid(g->source.uuid, out);
    if (g->source.tag[0] != '\0')
        buf_printf(out, ":%s", g->source.tag);
    buf_printf(out, ":%" PRIu64, g->number);
}

static bool same_uuid(const struct gtid_run *a, const struct gtid_run *b)
{
    return memcmp(a->source.uuid, b->source.uuid, sizeof a->source.uuid) == 0;
}

void gtid_set_format(const struct gtid_set *s, struct buf *out)
{
    for (uint32_t i = 0; i < s->count; i++) {
        const struct gtid_run *run = &s->runs[i];
        if (i == 0 || !same_uuid(run, run - 1)) {
            if (i > 0)
                buf_add_char(out, ',');
            format_uuid(run->source.uuid, out);
        }
        if (run->source.tag[0] != '\0')
            buf_printf(out, ":%s", run->source.tag);
        for (uint32_t k = 0; k < run->count; k++) {
            const struct gtid_interval *n = &run->intervals[k];
            buf_printf(out, ":%" PRIu64, n->first);
            if (n->last > n->first)
                buf_printf(out, "-%" PRIu64, n->last);
        }
    }
}

/* --- bytes ---------------------------------------------------------------------------
 */

/* A tag with its length in front, in the server's numbers of variable length: as many 1
 * bits at the low end of the first byte as bytes follow. A tag's length needs none. */
static int decode_tag(struct reader *r, struct gtid_source *source, struct error *err)
{
    uint64_t len = reader_le(r, 1);
    struct str tag = reader_bytes(r, len >> 1);
    if (r->bad || (len & 1) != 0)
        return error_set(err, ERR_PROTOCOL, "GTID set: a tag leaves its event");
    return gtid_source_set_tag(source, tag, err);
}

static int decode_run(struct reader *r, bool tagged, struct gtid_set *s,
                      struct error *err)
{
    struct gtid_source source = { 0 };
    struct str uuid = reader_bytes(r, GTID_UUID_BYTES);
    if (uuid.len == sizeof source.uuid)
        memcpy(source.uuid, uuid.ptr, sizeof source.uuid);
    if (tagged && decode_tag(r, &source, err) != 0)
        return -1;
    uint64_t count = reader_le(r, 8);
    uint64_t before = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct gtid_interval n = { .first = reader_le(r, 8) };
        uint64_t behind = reader_le(r, 8);
        n.last = behind - 1;
        if (r->bad || n.first <= before || behind <= n.first || n.last > GTID_NUMBER_MAX)
            return error_set(err, ERR_PROTOCOL,
                             "GTID set: its intervals are in disorder");
        if (gtid_set_add_interval(s, &source, n, err) != 0)
            return -1;
        before = n.last;
    }
    if (r->bad)
        return error_set(err, ERR_PROTOCOL, "GTID set: cut off");
    return 0;
}

int gtid_set_decode(struct str body, struct gtid_set *out, struct error *err)
{
    struct reader r = reader_over(body);
    struct gtid_set s = { 0 };
    uint64_t head = reader_le(&r, 8);
    bool tagged = head >> 56 == TAGGED_FORM;
    uint64_t count = tagged ? head >> 8 & (((uint64_t)1 << COUNT_BITS) - 1) : head;
    int rc = 0;
    for (uint64_t i = 0; i < count && rc == 0; i++)
        rc = decode_run(&r, tagged, &s, err);
    if (rc == 0 && (r.bad || r.pos != r.end || (tagged && (head & 0xff) != TAGGED_FORM)))
        rc = error_set(err, ERR_PROTOCOL,
                       "GTID set: %zu bytes do not hold %" PRIu64 " sources", body.len,
                       count);
    if (rc != 0) {
        gtid_set_done(&s);
        return -1;
    }
    *out = s;
    return 0;
}

static void add_le64(struct buf *out, uint64_t v)
{
    char bytes[8];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(v >> (8 * i));
    buf_add(out, bytes, sizeof bytes);
}

void gtid_set_encode(const struct gtid_set *s, struct buf *out)
{
    bool tagged = false;
    for (uint32_t i = 0; i < s->count; i++)
        tagged = tagged || s->runs[i].source.tag[0] != '\0';
    uint64_t form = (uint64_t)TAGGED_FORM << 56 | (uint64_t)s->count << 8 | TAGGED_FORM;
    add_le64(out, tagged ? form : s->count);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct gtid_run *run = &s->runs[i];
        buf_add(out, run->source.uuid, sizeof run->source.uuid);
        if (tagged) {
            size_t len = strlen(run->source.tag);
            buf_add_char(out, (char)(len << 1));
            buf_add(out, run->source.tag, len);
        }
        add_le64(out, run->count);
        for (uint32_t k = 0; k < run->count; k++) {
            add_le64(out, run->intervals[k].first);
            add_le64(out, run->intervals[k].last + 1);
        }
    }
}
