/* Events that name transactions. */
#include "base/reader.h"
#include "mysql/event.h"

#include <string.h>

#define LOGICAL_CLOCK 2u
#define TAG_MOST 32u

/* Bit 55 of the first commit time says that the original one follows; bit 31 of the
 * version likewise. Source: MySQL Server Doxygen, class Gtid_event. */
#define SECOND_TIME (UINT64_C(1) << 55)
#define SECOND_VERSION (UINT64_C(1) << 31)

static int damaged(const char *name, struct error *err)
{
    return error_set(err, ERR_PROTOCOL, "the body of a %s is damaged", name);
}

static size_t left(const struct reader *r)
{
    return (size_t)(r->end - r->pos);
}

static uint64_t lenenc(struct reader *r)
{
    uint64_t first = reader_le(r, 1);
    if (first < 251)
        return first;
    return reader_le(r, first == 252 ? 2 : first == 253 ? 3 : 8);
}

/* What servers added over time stands at the end, as far as it goes. */
static void read_clock_and_times(struct reader *r, struct gtid_event *g)
{
    if (left(r) < 17 || (uint8_t)*r->pos != LOGICAL_CLOCK)
        return;
    (void)reader_le(r, 1);
    g->last_committed = reader_le(r, 8);
    g->sequence_number = reader_le(r, 8);
    if (left(r) < 7)
        return;
    uint64_t at = reader_le(r, 7);
    g->immediate_commit_at = at & (SECOND_TIME - 1);
    g->original_commit_at = at & SECOND_TIME ? reader_le(r, 7) : g->immediate_commit_at;
    if (left(r) == 0)
        return;
    g->transaction_bytes = lenenc(r);
    if (left(r) < 4)
        return;
    uint64_t version = reader_le(r, 4);
    g->immediate_version = (uint32_t)(version & (SECOND_VERSION - 1));
    g->original_version =
        version & SECOND_VERSION ? (uint32_t)reader_le(r, 4) : g->immediate_version;
    if (left(r) >= 8)
        g->ticket = reader_le(r, 8);
}

/* ------------------------------------------------------------------ tagged */

/* A number takes as many bytes more as its first byte has ones at its low end; the bits
 * above them are the value. Source: MySQL Server Doxygen, "mysql::serialization",
 * variable length integers. */
static uint64_t serial_uint(struct reader *r)
{
    unsigned first = (unsigned)reader_le(r, 1);
    unsigned more = 0;
    while (more < 8 && (first >> more & 1) != 0)
        more++;
    if (more == 8)
        return reader_le(r, 8);
    uint64_t v = first >> (more + 1);
    if (more > 0)
        v |= reader_le(r, more) << (7 - more);
    return v;
}

/* The sign is the lowest bit; a negative number is stored as its complement. */
static int64_t serial_int(struct reader *r)
{
    uint64_t v = serial_uint(r);
    return v & 1 ? -(int64_t)(v >> 1) - 1 : (int64_t)(v >> 1);
}

static void serial_uuid(struct reader *r, uint8_t uuid[16])
{
    for (unsigned i = 0; i < 16; i++)
        uuid[i] = (uint8_t)serial_uint(r);
}

static bool read_tagged_field(struct reader *r, uint64_t id, struct gtid_event *g)
{
    switch (id) {
    case 0:
        g->flags = (uint8_t)serial_uint(r);
        return true;
    case 1:
        serial_uuid(r, g->uuid);
        return true;
    case 2:
        g->number = (uint64_t)serial_int(r);
        return true;
    case 3:
        g->tag = reader_bytes(r, (size_t)serial_uint(r));
        r->bad |= g->tag.len > TAG_MOST;
        return true;
    case 4:
        g->last_committed = (uint64_t)serial_int(r);
        return true;
    case 5:
        g->sequence_number = (uint64_t)serial_int(r);
        return true;
    case 6:
        g->immediate_commit_at = serial_uint(r);
        return true;
    case 7:
        g->original_commit_at = serial_uint(r);
        return true;
    case 8:
        g->transaction_bytes = serial_uint(r);
        return true;
    case 9:
        g->immediate_version = (uint32_t)serial_uint(r);
        return true;
    case 10:
        g->original_version = (uint32_t)serial_uint(r);
        return true;
    case 11:
        g->ticket = serial_uint(r);
        return true;
    default:
        return false;
    }
}

/* A message: version, bytes of all, the last field that must not be ignored, then fields
 * by ascending number. Source: ibid.; Gtid_event, "GTID_TAGGED_LOG_EVENT". */
static int read_tagged(struct str body, struct gtid_event *g, struct error *err)
{
    struct reader r = reader_over(body);
    uint64_t version = serial_uint(&r);
    uint64_t size = serial_uint(&r);
    uint64_t needed = serial_uint(&r);
    if (r.bad || version != 1 || size > body.len)
        return damaged("GTID_TAGGED_EVENT", err);
    r.end = body.ptr + size;
    r.bad = r.pos > r.end;
    while (!r.bad && r.pos < r.end) {
        uint64_t id = serial_uint(&r);
        if (read_tagged_field(&r, id, g))
            continue;
        if (id < needed)
            return error_set(err, ERR_PROTOCOL,
                             "a GTID_TAGGED_EVENT has the unknown field %llu",
                             (unsigned long long)id);
        break;
    }
    if (r.bad)
        return damaged("GTID_TAGGED_EVENT", err);
    if (g->original_commit_at == 0)
        g->original_commit_at = g->immediate_commit_at;
    if (g->original_version == 0)
        g->original_version = g->immediate_version;
    return 0;
}

int event_read_gtid(uint8_t type, struct str body, struct gtid_event *out,
                    struct error *err)
{
    *out = (struct gtid_event){ 0 };
    if (type == GTID_TAGGED_EVENT)
        return read_tagged(body, out, err);
    struct reader r = reader_over(body);
    out->flags = (uint8_t)reader_le(&r, 1);
    struct str uuid = reader_bytes(&r, 16);
    out->number = reader_le(&r, 8);
    if (r.bad || uuid.ptr == NULL)
        return damaged(event_type_name(type), err);
    memcpy(out->uuid, uuid.ptr, 16);
    out->anonymous = type == ANONYMOUS_GTID_EVENT;
    read_clock_and_times(&r, out);
    return r.bad ? damaged(event_type_name(type), err) : 0;
}

/* ------------------------------------------------------------------ sets */

/* Intervals of one UUID and tag. */
static void read_intervals(struct reader *r, const uint8_t uuid[16], struct str tag,
                           gtid_interval_fn *each, void *ctx)
{
    uint64_t count = reader_le(r, 8);
    uint64_t before = 0;
    for (uint64_t i = 0; i < count && !r->bad; i++) {
        uint64_t first = reader_le(r, 8);
        uint64_t end = reader_le(r, 8);
        r->bad |= first <= before || end <= first || end > INT64_MAX;
        before = end;
        if (!r->bad && each != NULL)
            each(ctx, uuid, tag, first, end);
    }
}

/* Untagged sets begin with their count of UUIDs in 8 bytes; sets with tags have the
 * format's number in the highest and the lowest byte and the count in the six between.
 * Source: MySQL Server, sql/rpl_gtid_set.cc, Gtid_set::encode (8.3 and later). */
int event_read_previous_gtids(struct str body, gtid_interval_fn *each, void *ctx,
                              struct error *err)
{
    struct reader r = reader_over(body);
    uint64_t count = reader_le(&r, 8);
    bool tagged = count >> 56 == 1;
    if (tagged)
        count = count >> 8 & ((UINT64_C(1) << 48) - 1);
    for (uint64_t i = 0; i < count && !r.bad; i++) {
        struct str uuid = reader_bytes(&r, 16);
        struct str tag = { 0 };
        if (tagged)
            tag = reader_bytes(&r, (size_t)serial_uint(&r));
        r.bad |= tag.len > TAG_MOST;
        if (!r.bad)
            read_intervals(&r, (const uint8_t *)uuid.ptr, tag, each, ctx);
    }
    return r.bad || r.pos != r.end ? damaged("PREVIOUS_GTIDS_EVENT", err) : 0;
}

/* ------------------------------------------------------------------ MariaDB */

int event_read_maria_gtid(struct str body, struct maria_gtid_event *out,
                          struct error *err)
{
    struct reader r = reader_over(body);
    *out = (struct maria_gtid_event){ 0 };
    out->sequence = reader_le(&r, 8);
    out->domain = (uint32_t)reader_le(&r, 4);
    out->flags = (uint8_t)reader_le(&r, 1);
    if (out->flags & MARIA_GROUP_COMMIT)
        out->commit_id = reader_le(&r, 8);
    if (out->flags & (MARIA_PREPARED_XA | MARIA_COMPLETED_XA)) {
        out->xid.format = (uint32_t)reader_le(&r, 4);
        size_t gtrid = (size_t)reader_le(&r, 1);
        size_t bqual = (size_t)reader_le(&r, 1);
        out->xid.gtrid = reader_bytes(&r, gtrid);
        out->xid.bqual = reader_bytes(&r, bqual);
    }
    return r.bad ? damaged("MARIADB_GTID_EVENT", err) : 0;
}

/* The count has 28 bits, above it are flags. */
int event_read_maria_gtid_list(struct str body, maria_gtid_fn *each, void *ctx,
                               struct error *err)
{
    struct reader r = reader_over(body);
    uint64_t count = reader_le(&r, 4) & 0xfffffff;
    for (uint64_t i = 0; i < count && !r.bad; i++) {
        uint32_t domain = (uint32_t)reader_le(&r, 4);
        uint32_t server_id = (uint32_t)reader_le(&r, 4);
        uint64_t sequence = reader_le(&r, 8);
        if (!r.bad && each != NULL)
            each(ctx, domain, server_id, sequence);
    }
    return r.bad ? damaged("GTID_LIST_EVENT", err) : 0;
}
