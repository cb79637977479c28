#include "mysql/gtid_maria.h"

#include "base/alloc.h"
#include "base/reader.h"

#include <inttypes.h>
#include <stdlib.h>

/* The count of a GTID_LIST_EVENT has 28 bits, flags are above. */
#define LIST_COUNT_MASK 0x0fffffffu
#define LIST_ENTRY_BYTES 16

/* The first entry whose domain is not below. */
static uint32_t place(const struct gtid_maria_position *p, uint32_t domain)
{
    uint32_t low = 0, high = p->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (p->last[middle].domain < domain)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct gtid_maria *gtid_maria_find(const struct gtid_maria_position *p,
                                         uint32_t domain)
{
    uint32_t at = place(p, domain);
    return at < p->count && p->last[at].domain == domain ? &p->last[at] : NULL;
}

int gtid_maria_advance(struct gtid_maria_position *p, const struct gtid_maria *g,
                       struct error *err)
{
    uint32_t at = place(p, g->domain);
    if (at < p->count && p->last[at].domain == g->domain) {
        p->last[at] = *g;
        return 0;
    }
    if (p->count == GTID_DOMAINS_LIMIT)
        return error_set(err, ERR_LIMIT, "a GTID position has more than %d domains",
                         GTID_DOMAINS_LIMIT);
    if (p->count == p->capacity) {
        p->capacity = p->capacity < 4 ? 4 : p->capacity * 2;
        p->last = xreallocarray(p->last, p->capacity, sizeof *p->last);
    }
    memmove(p->last + at + 1, p->last + at, (p->count - at) * sizeof *p->last);
    p->last[at] = *g;
    p->count++;
    return 0;
}

void gtid_maria_done(struct gtid_maria_position *p)
{
    free(p->last);
    *p = (struct gtid_maria_position){ 0 };
}

int gtid_maria_copy(const struct gtid_maria_position *p, struct gtid_maria_position *out,
                    struct error *err)
{
    struct gtid_maria_position copy = { 0 };
    for (uint32_t i = 0; i < p->count; i++) {
        if (gtid_maria_advance(&copy, &p->last[i], err) != 0) {
            gtid_maria_done(&copy);
            return -1;
        }
    }
    *out = copy;
    return 0;
}

int gtid_maria_parse(struct str text, struct gtid_maria *out, struct error *err)
{
    struct str rest = { 0 }, sequence = { 0 };
    struct str all = str_trim(text);
    struct str domain = str_cut(all, '-', &rest);
    struct str server = str_cut(rest, '-', &sequence);
    uint64_t d = 0, s = 0, n = 0;
    if (!str_to_u64(domain, &d) || !str_to_u64(server, &s) || !str_to_u64(sequence, &n) ||
        d > UINT32_MAX || s > UINT32_MAX)
        return error_set(err, ERR_CONFIG, "GTID: not domain-server-sequence: '%.*s'",
                         all.len > 60 ? 60 : (int)all.len, all.ptr);
    *out = (struct gtid_maria){ (uint32_t)d, (uint32_t)s, n };
    return 0;
}

void gtid_maria_format(const struct gtid_maria *g, struct buf *out)
{
    buf_printf(out, "%" PRIu32 "-%" PRIu32 "-%" PRIu64, g->domain, g->server,
               g->sequence);
}

static int parse_ids(struct str text, struct gtid_maria_position *p, struct error *err)
{
    struct str rest = str_trim(text);
    while (rest.ptr != NULL && rest.len > 0) {
        struct gtid_maria g = { 0 };
        struct str one = str_cut(rest, ',', &rest);
        if (gtid_maria_parse(one, &g, err) != 0)
            return -1;
        if (gtid_maria_find(p, g.domain) != NULL)
            return error_set(err, ERR_CONFIG, "GTID: domain %" PRIu32 " is there twice",
                             g.domain);
        if (gtid_maria_advance(p, &g, err) != 0)
            return -1;
        if (rest.ptr != NULL && rest.len == 0)
            return error_set(err, ERR_CONFIG, "GTID: nothing behind the last ','");
    }
    return 0;
}

int gtid_maria_parse_position(struct str text, struct gtid_maria_position *out,
                              struct error *err)
{
    struct gtid_maria_position p = { 0 };
    if (parse_ids(text, &p, err) != 0) {
        gtid_maria_done(&p);
        return -1;
    }
    *out = p;
    return 0;
}

void gtid_maria_format_position(const struct gtid_maria_position *p, struct buf *out)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        gtid_maria_format(&p->last[i], out);
    }
}

int gtid_maria_decode_list(struct str body, struct gtid_maria_position *out,
                           struct error *err)
{
    struct gtid_maria_position p = { 0 };
    struct reader r = reader_over(body);
    uint64_t count = reader_le(&r, 4) & LIST_COUNT_MASK;
    if (r.bad || (uint64_t)(r.end - r.pos) < count * LIST_ENTRY_BYTES)
        return error_set(err, ERR_PROTOCOL, "GTID list: %" PRIu64 " ids in %zu bytes",
                         count, body.len);
    for (uint64_t i = 0; i < count; i++) {
        struct gtid_maria g = { .domain = (uint32_t)reader_le(&r, 4) };
        g.server = (uint32_t)reader_le(&r, 4);
        g.sequence = reader_le(&r, 8);
        if (gtid_maria_advance(&p, &g, err) != 0) {
            gtid_maria_done(&p);
            return -1;
        }
    }
    *out = p;
    return 0;
}

bool gtid_maria_contains(const struct gtid_maria_position *p, const struct gtid_maria *g)
{
    const struct gtid_maria *last = gtid_maria_find(p, g->domain);
    return last != NULL && g->sequence <= last->sequence;
}

bool gtid_maria_is_subset(const struct gtid_maria_position *p,
                          const struct gtid_maria_position *of)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (!gtid_maria_contains(of, &p->last[i]))
            return false;
    }
    return true;
}

bool gtid_maria_equal(const struct gtid_maria_position *a,
                      const struct gtid_maria_position *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct gtid_maria *x = &a->last[i], *y = &b->last[i];
        if (x->domain != y->domain || x->server != y->server ||
            x->sequence != y->sequence)
            return false;
    }
    return true;
}

int gtid_maria_union(struct gtid_maria_position *p,
                     const struct gtid_maria_position *with, struct error *err)
{
    struct gtid_maria_position sum;
    if (gtid_maria_copy(p, &sum, err) != 0)
        return -1;
    for (uint32_t i = 0; i < with->count; i++) {
        if (gtid_maria_contains(&sum, &with->last[i]))
            continue;
        if (gtid_maria_advance(&sum, &with->last[i], err) != 0) {
            gtid_maria_done(&sum);
            return -1;
        }
    }
    gtid_maria_done(p);
    *p = sum;
    return 0;
}
