#include "source/binlog_print.h"

#include "base/alloc.h"
#include "base/emit.h"
#include "mysql/temporal.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define US_PER_S INT64_C(1000000)

/* What people see of a statement. */
#define SQL_SHOWN ((size_t)200)

static const char *const ops[] = { "insert", "update", "delete" };

/* ------------------------------------------------------------------ fields */

static void field_text(const struct binlog_print *p, const char *name, struct str s)
{
    if (p->json) {
        emit_text(p->out, name, s);
        return;
    }
    buf_printf(p->out, " %s=", name);
    bool cut = !p->all && s.len > SQL_SHOWN;
    buf_add_json(p->out, (struct str){ s.ptr, cut ? SQL_SHOWN : s.len });
    if (cut)
        buf_printf(p->out, " (%zu bytes)", s.len);
}

static void field_number(const struct binlog_print *p, const char *name, uint64_t n)
{
    if (p->json)
        emit_number(p->out, name, n);
    else
        buf_printf(p->out, " %s=%" PRIu64, name, n);
}

/* Left out when it is 0: most of them mostly are. */
static void field_if(const struct binlog_print *p, const char *name, uint64_t n)
{
    if (n != 0)
        field_number(p, name, n);
}

static void field_hex(const struct binlog_print *p, const char *name, struct str s)
{
    CLEANUP(buf_done) struct buf hex;
    buf_init(&hex, s.len * 2 + 1);
    buf_add_hex(&hex, s.ptr, s.len);
    field_text(p, name, buf_str(&hex));
}

static void add_place(const struct binlog_print *p, const struct event *e)
{
    if (p->json && p->file != NULL)
        emit_text(p->out, "log", str_of(p->file));
    if (p->json)
        emit_number(p->out, "offset", e->offset);
    else if (p->file != NULL)
        buf_printf(p->out, "%s:%" PRIu64, p->file, e->offset);
    else
        buf_printf(p->out, "%" PRIu64, e->offset);
}

static void begin_event(const struct binlog_print *p, const struct event *e)
{
    char when[WHEN_TEXT_MAX];
    int64_t at = (int64_t)e->header.timestamp * US_PER_S;
    const char *type = event_type_name(e->header.type);
    if (!p->json) {
        add_place(p, e);
        if (e->packed)
            buf_printf(p->out, "/%u", e->ordinal);
        buf_printf(p->out, "  %s  %s", emit_when(when, at), type);
        return;
    }
    buf_add_char(p->out, '{');
    add_place(p, e);
    if (e->packed)
        emit_number(p->out, "packed", e->ordinal);
    emit_text(p->out, "type", str_of(type));
    if (!event_type_is_known(e->header.type))
        emit_number(p->out, "type_number", e->header.type);
    emit_time(p->out, "time", at);
    emit_number(p->out, "server_id", e->header.server_id);
    emit_number(p->out, "size", e->header.size);
    if (e->header.flags != 0)
        emit_number(p->out, "flags", e->header.flags);
}

static void end_event(const struct binlog_print *p)
{
    if (p->json)
        emit_end(p->out, '}');
    buf_add_char(p->out, '\n');
}

/* ------------------------------------------------------------------ GTIDs */

void binlog_print_gtid(struct buf *out, const struct gtid_event *g)
{
    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            buf_add_char(out, '-');
        buf_add_hex(out, g->uuid + i, 1);
    }
    buf_add_char(out, ':');
    if (g->tag.len > 0) {
        buf_add_str(out, g->tag);
        buf_add_char(out, ':');
    }
    buf_printf(out, "%" PRIu64, g->number);
}

void binlog_print_maria_gtid(struct buf *out, const struct maria_gtid_event *g,
                             uint32_t server_id)
{
    buf_printf(out, "%u-%u-%" PRIu64, g->domain, server_id, g->sequence);
}

static void print_gtid(const struct binlog_print *p, const struct gtid_event *g)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 128);
    binlog_print_gtid(&text, g);
    if (!g->anonymous)
        field_text(p, "gtid", buf_str(&text));
    if (p->json && g->immediate_commit_at != 0)
        emit_time(p->out, "committed_at", (int64_t)g->immediate_commit_at);
    if (p->json && g->original_commit_at != 0)
        emit_time(p->out, "original_committed_at", (int64_t)g->original_commit_at);
    field_number(p, "last_committed", g->last_committed);
    field_number(p, "sequence_number", g->sequence_number);
    field_if(p, "transaction_bytes", g->transaction_bytes);
    field_if(p, "server_version", g->immediate_version);
    field_if(p, "original_server_version", g->original_version);
    field_if(p, "commit_group_ticket", g->ticket);
}

static void print_xid(const struct binlog_print *p, const struct xa_prepare_event *x)
{
    field_number(p, "xa_format", x->format);
    field_hex(p, "xa_gtrid", x->gtrid);
    field_hex(p, "xa_bqual", x->bqual);
}

static void print_maria_gtid(const struct binlog_print *p, const struct event *e,
                             const struct maria_gtid_event *g)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 64);
    binlog_print_maria_gtid(&text, g, e->header.server_id);
    field_text(p, "gtid", buf_str(&text));
    field_number(p, "gtid_flags", g->flags);
    field_if(p, "commit_id", g->commit_id);
    if (g->flags & (MARIA_PREPARED_XA | MARIA_COMPLETED_XA))
        print_xid(p, &g->xid);
}

struct set_text {
    struct buf *out;
    const uint8_t *uuid;
    struct str tag;
};

static void add_interval(void *ctx, const uint8_t uuid[16], struct str tag,
                         uint64_t first, uint64_t end)
{
    struct set_text *s = ctx;
    if (s->uuid != uuid) {
        struct gtid_event g = { .tag = tag, .number = first };
        memcpy(g.uuid, uuid, 16);
        if (s->out->len > 0)
            buf_add_char(s->out, ',');
        binlog_print_gtid(s->out, &g);
    } else {
        buf_printf(s->out, ":%" PRIu64, first);
    }
    s->uuid = uuid;
    if (end > first + 1)
        buf_printf(s->out, "-%" PRIu64, end - 1);
}

static void add_maria_gtid(void *ctx, uint32_t domain, uint32_t server_id,
                           uint64_t sequence)
{
    struct buf *out = ctx;
    buf_printf(out, "%s%u-%u-%" PRIu64, out->len > 0 ? "," : "", domain, server_id,
               sequence);
}

/* ------------------------------------------------------------------ bodies */

static int print_query(const struct binlog_print *p, const struct event *e,
                       const struct binlog_format *f, struct buf *scratch,
                       struct error *err)
{
    struct query_event q;
    if (event_read_query(e->header.type, e->body, f, scratch, &q, err) != 0)
        return -1;
    field_text(p, "database", q.database);
    field_text(p, "sql", q.sql);
    if (q.error_code != 0)
        field_number(p, "error_code", q.error_code);
    if (!p->json)
        return 0;
    field_number(p, "thread_id", q.thread_id);
    if (q.has_flags2)
        field_number(p, "flags2", q.flags2);
    if (q.has_sql_mode)
        field_number(p, "sql_mode", q.sql_mode);
    if (q.has_charsets)
        field_number(p, "charset_client", q.charset_client);
    if (q.time_zone.len > 0)
        field_text(p, "time_zone", q.time_zone);
    field_if(p, "ddl_xid", q.ddl_xid);
    if (q.unknown_vars)
        emit_bool(p->out, "unknown_vars", true);
    return 0;
}

static int print_transaction(const struct binlog_print *p, const struct event *e,
                             struct error *err)
{
    uint8_t type = e->header.type;
    if (type == XID_EVENT) {
        uint64_t xid = 0;
        if (event_read_xid(e->body, &xid, err) != 0)
            return -1;
        field_number(p, "xid", xid);
    } else if (type == XA_PREPARE_EVENT) {
        struct xa_prepare_event x;
        if (event_read_xa_prepare(e->body, &x, err) != 0)
            return -1;
        field_number(p, "one_phase", x.one_phase);
        print_xid(p, &x);
    } else if (type == MARIA_GTID_EVENT) {
        struct maria_gtid_event g;
        if (event_read_maria_gtid(e->body, &g, err) != 0)
            return -1;
        print_maria_gtid(p, e, &g);
    } else {
        struct gtid_event g;
        if (event_read_gtid(type, e->body, &g, err) != 0)
            return -1;
        print_gtid(p, &g);
    }
    return 0;
}

static int print_sets(const struct binlog_print *p, const struct event *e,
                      struct error *err)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, e->body.len * 8 + 64);
    struct set_text set = { .out = &text };
    int rc = e->header.type == PREVIOUS_GTIDS_EVENT
                 ? event_read_previous_gtids(e->body, add_interval, &set, err)
                 : event_read_maria_gtid_list(e->body, add_maria_gtid, &text, err);
    if (rc == 0)
        field_text(p, "gtids", buf_str(&text));
    return rc;
}

static int print_place(const struct binlog_print *p, const struct event *e,
                       struct error *err)
{
    uint8_t type = e->header.type;
    struct str file = { 0 };
    uint64_t position = 0;
    int rc;
    if (type == ROTATE_EVENT) {
        struct rotate_event r = { 0 };
        rc = event_read_rotate(e->body, &r, err);
        file = r.file;
        position = r.position;
    } else if (type == MARIA_CHECKPOINT_EVENT) {
        rc = event_read_checkpoint(e->body, &file, err);
    } else {
        struct heartbeat_event h = { 0 };
        rc = event_read_heartbeat(type, e->body, &h, err);
        file = h.file;
        position = h.position;
    }
    if (rc != 0)
        return -1;
    field_text(p, "file", file);
    field_if(p, "position", position);
    return 0;
}

static int print_variable(const struct binlog_print *p, const struct event *e,
                          struct error *err)
{
    if (e->header.type == INTVAR_EVENT) {
        struct intvar_event v;
        if (event_read_intvar(e->body, &v, err) != 0)
            return -1;
        field_text(p, "name",
                   v.type == 1   ? STR("LAST_INSERT_ID")
                   : v.type == 2 ? STR("INSERT_ID")
                                 : STR("unknown"));
        field_number(p, "value", v.value);
    } else if (e->header.type == RAND_EVENT) {
        struct rand_event v;
        if (event_read_rand(e->body, &v, err) != 0)
            return -1;
        field_number(p, "seed1", v.seed1);
        field_number(p, "seed2", v.seed2);
    } else {
        struct user_var_event v;
        if (event_read_user_var(e->body, &v, err) != 0)
            return -1;
        field_text(p, "name", v.name);
        if (v.value.ptr != NULL)
            field_hex(p, "value_hex", v.value);
    }
    return 0;
}

static int print_statement(const struct binlog_print *p, const struct event *e,
                           struct error *err)
{
    struct str sql;
    if (event_read_rows_query(e->header.type, e->body, &sql, err) != 0)
        return -1;
    field_text(p, "sql", sql);
    return 0;
}

static int print_map(const struct binlog_print *p, const struct event *e,
                     const struct binlog_format *f, struct error *err)
{
    struct table_map *m = table_map_new(e->body, f, err);
    if (m == NULL)
        return -1;
    field_text(p, "database", m->database);
    field_text(p, "table", m->name);
    field_number(p, "table_id", m->id);
    field_number(p, "columns", m->column_count);
    table_map_free(m);
    return 0;
}

static int print_incident(const struct binlog_print *p, const struct event *e,
                          struct error *err)
{
    struct incident_event i;
    if (event_read_incident(e->body, &i, err) != 0)
        return -1;
    field_number(p, "incident", i.number);
    field_text(p, "message", i.message);
    return 0;
}

static void print_payload(const struct binlog_print *p, const struct event *e)
{
    field_text(p, "compression", e->payload.compression == 0 ? STR("zstd") : STR("none"));
    field_number(p, "packed_bytes", e->payload.packed_bytes);
    field_number(p, "unpacked_bytes", e->payload.unpacked_bytes);
}

static int print_body(const struct binlog_print *p, const struct event *e,
                      const struct binlog_format *f, struct buf *scratch,
                      struct error *err)
{
    switch (e->header.type) {
    case FORMAT_DESCRIPTION_EVENT:
        field_text(p, "server", str_of(f->server_version));
        field_number(p, "checksums", f->checksums);
        return 0;
    case QUERY_EVENT:
    case MARIA_QUERY_COMPRESSED_EVENT:
        return print_query(p, e, f, scratch, err);
    case XID_EVENT:
    case XA_PREPARE_EVENT:
    case GTID_EVENT:
    case ANONYMOUS_GTID_EVENT:
    case GTID_TAGGED_EVENT:
    case MARIA_GTID_EVENT:
        return print_transaction(p, e, err);
    case PREVIOUS_GTIDS_EVENT:
    case MARIA_GTID_LIST_EVENT:
        return print_sets(p, e, err);
    case ROTATE_EVENT:
    case HEARTBEAT_EVENT:
    case HEARTBEAT_EVENT_V2:
    case MARIA_CHECKPOINT_EVENT:
        return print_place(p, e, err);
    case INTVAR_EVENT:
    case RAND_EVENT:
    case USER_VAR_EVENT:
        return print_variable(p, e, err);
    case ROWS_QUERY_EVENT:
    case MARIA_ANNOTATE_ROWS_EVENT:
        return print_statement(p, e, err);
    case TABLE_MAP_EVENT:
        return print_map(p, e, f, err);
    case INCIDENT_EVENT:
        return print_incident(p, e, err);
    case TRANSACTION_PAYLOAD_EVENT:
        print_payload(p, e);
        return 0;
    default:
        return 0;
    }
}

int binlog_print_event(const struct binlog_print *p, const struct event *e,
                       const struct binlog_format *f, struct buf *scratch,
                       struct error *err)
{
    size_t start = p->out->len;
    begin_event(p, e);
    if (print_body(p, e, f, scratch, err) != 0) {
        buf_truncate(p->out, start);
        return -1;
    }
    end_event(p);
    return 0;
}

/* ------------------------------------------------------------------ rows */

void binlog_print_rows(const struct binlog_print *p, const struct event *e,
                       const struct rows_head *h, const struct table_map *map)
{
    begin_event(p, e);
    if (map != NULL) {
        field_text(p, "database", map->database);
        field_text(p, "table", map->name);
    }
    field_number(p, "table_id", h->table_id);
    field_if(p, "row_flags", h->flags);
    end_event(p);
}

static void add_tagged_hex(struct buf *out, const char *tag, struct str s)
{
    buf_printf(out, "{\"%s\":\"", tag);
    buf_add_hex(out, s.ptr, s.len);
    buf_add_text(out, "\"}");
}

static void add_real(struct buf *out, double d, int digits)
{
    if (isfinite(d))
        buf_printf(out, "%.*g", digits, d);
    else
        buf_add_text(out, "null"); /* no server stores one */
}

static void add_cell(struct buf *out, const struct column *c, const struct value *v)
{
    char text[TEMPORAL_TEXT_MAX];
    switch ((enum value_kind)v->kind) {
    case VALUE_ABSENT:
    case VALUE_NULL:
        buf_add_text(out, "null");
        return;
    case VALUE_INT:
        buf_add_i64(out, v->as.i);
        return;
    case VALUE_UINT:
        buf_add_u64(out, v->as.u);
        return;
    case VALUE_FLOAT:
        add_real(out, (double)v->as.f, 9);
        return;
    case VALUE_DOUBLE:
        add_real(out, v->as.d, 17);
        return;
    case VALUE_DECIMAL:
    case VALUE_TEXT:
    case VALUE_JSON:
    case VALUE_BAD_DATE:
        buf_add_json(out, value_str(v));
        return;
    case VALUE_BYTES:
    case VALUE_UNSCALED:
        add_tagged_hex(out, "hex", value_str(v));
        return;
    case VALUE_INVALID:
        add_tagged_hex(out, "invalid", value_str(v));
        return;
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_DATETIME:
    case VALUE_TIMESTAMP: {
        unsigned n = temporal_format(v, c->fraction, text);
        buf_add_json(out, (struct str){ text, n });
        return;
    }
    }
}

static void add_image(const struct binlog_print *p, const struct table_schema *shape,
                      const struct value *cells)
{
    bool first = true;
    for (unsigned i = 0; i < shape->column_count; i++) {
        const struct column *c = &shape->columns[i];
        if (cells[i].kind == VALUE_ABSENT)
            continue;
        if (p->json) {
            if (!first)
                buf_add_char(p->out, ',');
            buf_add_json(p->out, c->name);
            buf_add_char(p->out, ':');
        } else {
            buf_add_char(p->out, ' ');
            buf_add_str(p->out, c->name);
            buf_add_char(p->out, '=');
        }
        add_cell(p->out, c, &cells[i]);
        first = false;
    }
}

static void add_json_image(const struct binlog_print *p, const char *name,
                           const struct table_schema *shape, const struct value *cells)
{
    emit_begin(p->out, name, '{');
    add_image(p, shape, cells);
    buf_add_char(p->out, '}');
}

void binlog_print_row(const struct binlog_print *p, const struct event *e,
                      const struct binlog_row *row)
{
    struct buf *out = p->out;
    if (!p->json) {
        buf_printf(out, "  %s", ops[row->kind]);
        if (row->kind != ROWS_INSERT)
            add_image(p, row->shape, row->before);
        if (row->kind == ROWS_UPDATE)
            buf_add_text(out, " ->");
        if (row->kind != ROWS_DELETE)
            add_image(p, row->shape, row->after);
        buf_add_char(out, '\n');
        return;
    }
    buf_add_char(out, '{');
    add_place(p, e);
    emit_number(out, "row", row->number);
    emit_text(out, "op", str_of(ops[row->kind]));
    emit_text(out, "database", row->shape->database);
    emit_text(out, "table", row->shape->name);
    if (row->kind != ROWS_INSERT)
        add_json_image(p, "before", row->shape, row->before);
    if (row->kind != ROWS_DELETE)
        add_json_image(p, "after", row->shape, row->after);
    buf_add_text(out, "}\n");
}
