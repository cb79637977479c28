#include "mysql/event.h"

#include "mysql/lenenc.h"

#include <string.h>
#include <zlib.h>

/* Sizes of fixed parts that old servers wrote shorter. */
#define QUERY_POST_HEADER 13u
#define QUERY_POST_HEADER_OLD 11u

/* Q_UPDATED_DB_NAMES: so many databases that none is named. */
#define OVER_MAX_DBS 254u

static int damaged(uint8_t type, struct error *err)
{
    return error_set(err, ERR_PROTOCOL, "the body of a %s is damaged",
                     event_type_name(type));
}

static struct str reader_rest(struct reader *r)
{
    return reader_bytes(r, (size_t)(r->end - r->pos));
}

static int end_of(uint8_t type, const struct reader *r, struct error *err)
{
    return r->bad ? damaged(type, err) : 0;
}

/* ------------------------------------------------------------------ places */

int event_read_rotate(struct str body, struct rotate_event *out, struct error *err)
{
    struct reader r = reader_over(body);
    out->position = reader_le(&r, 8);
    out->file = reader_rest(&r);
    return end_of(ROTATE_EVENT, &r, err);
}

/* The second version is a list of fields, each a type, a length and a value: 0 ends it, 1
 * is the file, 2 the position. Source: Heartbeat_event_v2. */
int event_read_heartbeat(uint8_t type, struct str body, struct heartbeat_event *out,
                         struct error *err)
{
    struct reader r = reader_over(body);
    *out = (struct heartbeat_event){ 0 };
    if (type == HEARTBEAT_EVENT) {
        out->file = body;
        return 0;
    }
    while (r.pos < r.end && !r.bad) {
        uint64_t field = lenenc_int(&r);
        if (field == 0)
            break;
        struct str value = lenenc_str(&r);
        struct reader number = reader_over(value);
        if (field == 1)
            out->file = value;
        if (field == 2) {
            out->position = lenenc_int(&number);
            r.bad |= number.bad;
        }
    }
    return end_of(type, &r, err);
}

int event_read_checkpoint(struct str body, struct str *file, struct error *err)
{
    struct reader r = reader_over(body);
    uint64_t n = reader_le(&r, 4);
    *file = reader_bytes(&r, (size_t)n);
    return end_of(MARIA_CHECKPOINT_EVENT, &r, err);
}

/* ------------------------------------------------------------------ queries */

static struct str reader_until_nul(struct reader *r)
{
    const char *nul =
        r->bad || r->pos == r->end ? NULL : memchr(r->pos, 0, (size_t)(r->end - r->pos));
    if (nul == NULL) {
        r->bad = true;
        return (struct str){ 0 };
    }
    struct str s = reader_bytes(r, (size_t)(nul - r->pos));
    (void)reader_le(r, 1);
    return s;
}

static struct str short_str(struct reader *r)
{
    return reader_bytes(r, (size_t)reader_le(r, 1));
}

static void read_database_names(struct reader *r)
{
    uint64_t count = reader_le(r, 1);
    for (uint64_t i = 0; i < count && count < OVER_MAX_DBS && !r->bad; i++)
        (void)reader_until_nul(r);
}

static void read_charsets(struct reader *r, struct query_event *q)
{
    q->charset_client = (uint16_t)reader_le(r, 2);
    q->collation_connection = (uint16_t)reader_le(r, 2);
    q->collation_server = (uint16_t)reader_le(r, 2);
    q->has_charsets = true;
}

/* Bytes of the variables that have no other use here; 0 for those that are unknown.
 * Source: Query_event, enum Query_event_status_vars; from 128 on MariaDB's,
 * sql/log_event.h of MariaDB 11.8. */
static unsigned skipped_bytes(uint64_t code)
{
    switch (code) {
    case 3:  /* auto_increment_increment, _offset */
    case 10: /* length of the event at the first server */
        return 4;
    case 7:   /* lc_time_names */
    case 18:  /* default_collation_for_utf8mb4 */
    case 130: /* MariaDB: more GTID flags */
        return 2;
    case 9:   /* tables of a multi-table update */
    case 129: /* MariaDB: XID of a DDL */
        return 8;
    case 16: /* explicit_defaults_for_timestamp */
    case 19: /* sql_require_primary_key */
    case 20: /* default_table_encryption */
        return 1;
    default:
        return 0;
    }
}

/* One status variable; false when its code is not known, which makes the rest unreadable.
 */
static bool read_status_var(struct reader *r, struct query_event *q)
{
    uint64_t code = reader_le(r, 1);
    switch (code) {
    case 0:
        q->flags2 = (uint32_t)reader_le(r, 4);
        q->has_flags2 = true;
        return true;
    case 1:
        q->sql_mode = reader_le(r, 8);
        q->has_sql_mode = true;
        return true;
    case 2: /* catalog with a NUL behind it */
        (void)short_str(r);
        (void)reader_le(r, 1);
        return true;
    case 4:
        read_charsets(r, q);
        return true;
    case 5:
        q->time_zone = short_str(r);
        return true;
    case 6:
        (void)short_str(r);
        return true;
    case 8:
        q->collation_database = (uint16_t)reader_le(r, 2);
        return true;
    case 11:
        q->user = short_str(r);
        q->host = short_str(r);
        return true;
    case 12:
        read_database_names(r);
        return true;
    case 13:
    case 128: /* MariaDB's own number for the same */
        q->microseconds = (uint32_t)reader_le(r, 3);
        return true;
    case 17:
        q->ddl_xid = reader_le(r, 8);
        return true;
    case 131: /* MariaDB: character_set_collations */
        (void)reader_bytes(r, 4 * (size_t)reader_le(r, 1));
        return true;
    default:
        break;
    }
    unsigned n = skipped_bytes(code);
    (void)reader_bytes(r, n);
    return n > 0;
}

int event_read_compressed_head(struct reader *r, uint64_t *unpacked_bytes,
                               struct error *err)
{
    uint64_t head = reader_le(r, 1);
    unsigned width = head & 7;
    uint64_t n = 0;
    if ((head & 0x80) == 0 || (head & 0x70) != 0 || width < 1 || width > 4)
        return error_set(err, ERR_PROTOCOL, "an event is compressed in an unknown way");
    for (unsigned i = 0; i < width; i++)
        n = n << 8 | reader_le(r, 1);
    if (r->bad)
        return error_set(err, ERR_PROTOCOL, "a compressed event is cut off");
    *unpacked_bytes = n;
    return 0;
}

/* Source: MariaDB, log_bin_compress; the byte 80h + width of the length, the length with
 * its highest byte first, a zlib stream. */
static int unpack_sql(struct reader *r, struct buf *unpacked, struct error *err)
{
    uint64_t n = 0;
    if (event_read_compressed_head(r, &n, err) != 0)
        return -1;
    buf_clear(unpacked);
    char *to = buf_reserve(unpacked, (size_t)n);
    if (to == NULL)
        return buf_check(unpacked, "the text of a statement (event_limit)", err);
    uLongf got = (uLongf)n;
    struct str packed = reader_rest(r);
    int rc = uncompress((Bytef *)to, &got, (const Bytef *)packed.ptr, (uLong)packed.len);
    if (rc != Z_OK || got != n)
        return error_set(err, ERR_PROTOCOL, "a compressed statement is damaged");
    buf_advance(unpacked, (size_t)n);
    return 0;
}

int event_read_query(uint8_t type, struct str body, const struct binlog_format *f,
                     struct buf *unpacked, struct query_event *out, struct error *err)
{
    struct reader r = reader_over(body);
    struct query_event q = { 0 };
    q.thread_id = (uint32_t)reader_le(&r, 4);
    q.seconds = (uint32_t)reader_le(&r, 4);
    size_t database_bytes = (size_t)reader_le(&r, 1);
    q.error_code = (uint16_t)reader_le(&r, 2);
    size_t vars_bytes = 0;
    unsigned post_header = f->post_header[QUERY_EVENT];
    if (post_header != QUERY_POST_HEADER_OLD)
        vars_bytes = (size_t)reader_le(&r, 2);
    if (post_header > QUERY_POST_HEADER)
        (void)reader_bytes(&r, post_header - QUERY_POST_HEADER);
    struct reader vars = reader_over(reader_bytes(&r, vars_bytes));
    while (vars.pos < vars.end && !vars.bad && !q.unknown_vars)
        q.unknown_vars = !read_status_var(&vars, &q);
    q.database = reader_bytes(&r, database_bytes);
    (void)reader_le(&r, 1);
    if (r.bad || vars.bad)
        return damaged(type, err);
    q.sql = (struct str){ r.pos, (size_t)(r.end - r.pos) };
    if (type == MARIA_QUERY_COMPRESSED_EVENT) {
        if (unpack_sql(&r, unpacked, err) != 0)
            return -1;
        q.sql = buf_str(unpacked);
    }
    *out = q;
    return 0;
}

int event_read_rows_query(uint8_t type, struct str body, struct str *sql,
                          struct error *err)
{
    struct reader r = reader_over(body);
    if (type == ROWS_QUERY_EVENT)
        (void)reader_le(&r, 1); /* a length that is cut to one byte, so of no use */
    *sql = reader_rest(&r);
    return end_of(type, &r, err);
}

int event_read_intvar(struct str body, struct intvar_event *out, struct error *err)
{
    struct reader r = reader_over(body);
    out->type = (uint8_t)reader_le(&r, 1);
    out->value = reader_le(&r, 8);
    return end_of(INTVAR_EVENT, &r, err);
}

int event_read_rand(struct str body, struct rand_event *out, struct error *err)
{
    struct reader r = reader_over(body);
    out->seed1 = reader_le(&r, 8);
    out->seed2 = reader_le(&r, 8);
    return end_of(RAND_EVENT, &r, err);
}

int event_read_user_var(struct str body, struct user_var_event *out, struct error *err)
{
    struct reader r = reader_over(body);
    *out = (struct user_var_event){ 0 };
    out->name = reader_bytes(&r, (size_t)reader_le(&r, 4));
    bool is_null = reader_le(&r, 1) != 0;
    if (is_null || r.bad)
        return end_of(USER_VAR_EVENT, &r, err);
    out->type = (uint8_t)reader_le(&r, 1);
    out->collation = (uint32_t)reader_le(&r, 4);
    out->value = reader_bytes(&r, (size_t)reader_le(&r, 4));
    return end_of(USER_VAR_EVENT, &r, err);
}

/* ------------------------------------------------------------------ the rest */

int event_read_xid(struct str body, uint64_t *xid, struct error *err)
{
    struct reader r = reader_over(body);
    *xid = reader_le(&r, 8);
    return end_of(XID_EVENT, &r, err);
}

int event_read_xa_prepare(struct str body, struct xa_prepare_event *out,
                          struct error *err)
{
    struct reader r = reader_over(body);
    out->one_phase = reader_le(&r, 1) != 0;
    out->format = (uint32_t)reader_le(&r, 4);
    size_t gtrid = (size_t)reader_le(&r, 4);
    size_t bqual = (size_t)reader_le(&r, 4);
    out->gtrid = reader_bytes(&r, gtrid);
    out->bqual = reader_bytes(&r, bqual);
    return end_of(XA_PREPARE_EVENT, &r, err);
}

int event_read_incident(struct str body, struct incident_event *out, struct error *err)
{
    struct reader r = reader_over(body);
    out->number = (uint16_t)reader_le(&r, 2);
    out->message = r.pos < r.end ? short_str(&r) : (struct str){ 0 };
    return end_of(INCIDENT_EVENT, &r, err);
}
