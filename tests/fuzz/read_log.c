/* See read_log.h. */
#include "read_log.h"

#include "mysql/event.h"
#include "mysql/table_map.h"

#include <stdlib.h>

struct state {
    struct binlog *log;
    struct table_maps *maps;
    struct rows_reader *reader;
    struct buf scratch;
};

/* --- cells ----------------------------------------------------------------------------
 */

/* Read every byte that was lent: a copy, which the sanitizer watches. */
static void touch(struct str s)
{
    struct buf copy;
    buf_init(&copy, s.len);
    buf_add_str(&copy, s);
    buf_done(&copy);
}

static bool kind_fits(const struct column *c, uint8_t kind)
{
    if (c->type == TYPE_UNSUPPORTED) /* such columns are not selected */
        return true;
    switch (kind) {
    case VALUE_ABSENT:
    case VALUE_NULL:
        return true;
    case VALUE_INVALID:
        return c->type == TYPE_TEXT || c->type == TYPE_JSON || c->type == TYPE_GEOMETRY ||
               c->type == TYPE_ENUM || c->type == TYPE_SET;
    case VALUE_BAD_DATE:
        return type_has_bad_dates(c->type);
    default:
        return kind == type_get(c->type)->value;
    }
}

static void check_cells(const struct table_schema *shape, const struct value *cells)
{
    for (unsigned i = 0; i < shape->column_count; i++) {
        uint8_t kind = cells[i].kind;
        if (!kind_fits(&shape->columns[i], kind))
            abort();
        if (kind == VALUE_TEXT || kind == VALUE_JSON)
            if (!str_is_utf8(value_str(&cells[i])))
                abort();
        if (kind == VALUE_BYTES || kind == VALUE_INVALID || kind == VALUE_BAD_DATE ||
            kind == VALUE_DECIMAL)
            touch(value_str(&cells[i]));
    }
}

int read_all_rows(struct rows_reader *reader, struct rows_plan *plan, struct error *err)
{
    static struct value before[TABLE_MAP_COLUMNS_MOST], after[TABLE_MAP_COLUMNS_MOST];
    const struct table_schema *shape = rows_plan_shape(plan);
    for (int count = 0;; count++) {
        int got = rows_read_row(reader, plan, before, after, err);
        if (got < 0 && err->code == ERR_NONE)
            abort();
        if (got <= 0)
            return got == 0 ? count : -1;
        check_cells(shape, before);
        check_cells(shape, after);
    }
}

/* --- events ---------------------------------------------------------------------------
 */

static void drop_plan(void *plan)
{
    rows_plan_free(plan);
}

static int read_rows(struct state *s, const struct event *e, struct error *err)
{
    static const struct type_options o = { .row_limit = READ_LOG_LIMIT };
    struct rows_head head;
    if (rows_read_head(s->reader, e, binlog_body(s->log), binlog_format(s->log), &head,
                       err) != 0)
        return -1;
    struct table_map *m = table_maps_find(s->maps, head.table_id);
    if (m == NULL)
        return 0;
    if (m->plan == NULL)
        m->plan = rows_plan_new(m, NULL, &o, err);
    if (m->plan == NULL)
        return -1;
    return read_all_rows(s->reader, m->plan, err) < 0 ? -1 : 0;
}

/* Every decoder gets every whole body, whatever its type says. */
static void read_bodies(struct state *s, const struct event *e)
{
    const struct binlog_format *f = binlog_format(s->log);
    uint8_t type = e->header.type;
    union {
        struct rotate_event rotate;
        struct heartbeat_event heartbeat;
        struct query_event query;
        struct intvar_event intvar;
        struct rand_event rand;
        struct user_var_event user_var;
        struct xa_prepare_event xa;
        struct gtid_event gtid;
        struct maria_gtid_event maria;
        struct incident_event incident;
        struct str text;
        uint64_t xid;
    } out;
    struct error err = { 0 };
    (void)event_read_rotate(e->body, &out.rotate, &err);
    (void)event_read_heartbeat(type, e->body, &out.heartbeat, &err);
    (void)event_read_checkpoint(e->body, &out.text, &err);
    if (event_read_query(type, e->body, f, &s->scratch, &out.query, &err) == 0) {
        touch(out.query.sql);
        touch(out.query.database);
        touch(out.query.time_zone);
    }
    (void)event_read_rows_query(type, e->body, &out.text, &err);
    (void)event_read_intvar(e->body, &out.intvar, &err);
    (void)event_read_rand(e->body, &out.rand, &err);
    if (event_read_user_var(e->body, &out.user_var, &err) == 0)
        touch(out.user_var.value);
    (void)event_read_xid(e->body, &out.xid, &err);
    if (event_read_xa_prepare(e->body, &out.xa, &err) == 0)
        touch(out.xa.bqual);
    if (event_read_gtid(type, e->body, &out.gtid, &err) == 0)
        touch(out.gtid.tag);
    if (event_read_maria_gtid(e->body, &out.maria, &err) == 0)
        touch(out.maria.xid.bqual);
    (void)event_read_maria_gtid_list(e->body, NULL, NULL, &err);
    (void)event_read_previous_gtids(e->body, NULL, NULL, &err);
    if (event_read_incident(e->body, &out.incident, &err) == 0)
        touch(out.incident.message);
}

static int read_event(struct state *s, const struct event *e, struct error *err)
{
    if (event_type_has_rows(e->header.type))
        return read_rows(s, e, err);
    if (e->header.type == TABLE_MAP_EVENT)
        return table_maps_put(s->maps, e->body, binlog_format(s->log), err) == NULL ? -1
                                                                                    : 0;
    if (e->whole)
        read_bodies(s, e);
    return 0;
}

int read_log(struct byte_source source)
{
    struct binlog_options o = { .name = "x",
                                .row_limit = READ_LOG_LIMIT,
                                .event_limit = READ_LOG_LIMIT,
                                .skip_checksums = true };
    struct state s = { 0 };
    struct error err = { 0 };
    struct event e = { 0 };
    int got;
    int last = -1;
    s.log = binlog_new(source, 0, &o);
    s.maps = table_maps_new(drop_plan);
    s.reader = rows_reader_new(READ_LOG_LIMIT);
    buf_init(&s.scratch, READ_LOG_LIMIT);
    while ((got = binlog_next(s.log, &e, &err)) == 1) {
        last = e.header.type;
        got = read_event(&s, &e, &err);
        if (got != 0)
            break;
    }
    if (got < 0 && err.code != ERR_PROTOCOL && err.code != ERR_LIMIT &&
        err.code != ERR_SCHEMA)
        abort();
    rows_reader_free(s.reader);
    table_maps_free(s.maps);
    binlog_free(s.log);
    buf_done(&s.scratch);
    return got < 0 ? -1 : last;
}
