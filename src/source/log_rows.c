/* Table maps and rows of the tables that are watched. */
#include "base/alloc.h"
#include "source/log_internal.h"

#include <stdlib.h>

static void drop_bound(void *plan)
{
    struct log_bound *b = plan;
    rows_plan_free(b->plan);
    free(b);
}

void log_rows_init(struct log_rows *s, size_t row_limit)
{
    *s = (struct log_rows){ .maps = table_maps_new(drop_bound),
                            .reader = rows_reader_new(row_limit) };
}

void log_rows_done(struct log_rows *s)
{
    table_maps_free(s->maps);
    rows_reader_free(s->reader);
    free(s->others);
    *s = (struct log_rows){ 0 };
}

void log_rows_reset(struct log_rows *s)
{
    table_maps_clear(s->maps);
    s->active = false;
    s->bound = NULL;
    s->other_count = 0;
}

void log_rows_end_group(struct log_rows *s)
{
    s->other_count = 0;
    s->active = false;
}

/* --- maps ------------------------------------------------------------------------------
 */

static struct str take_name(struct reader *r)
{
    struct str s = reader_bytes(r, (size_t)reader_le(r, 1));
    (void)reader_le(r, 1); /* NUL */
    return s;
}

static bool is_other(const struct log_rows *s, uint64_t id)
{
    for (size_t i = s->other_count; i-- > 0;)
        if (s->others[i] == id)
            return true;
    return false;
}

static void note_other(struct log_rows *s, uint64_t id)
{
    if (is_other(s, id))
        return;
    if (s->other_count == s->other_cap) {
        s->other_cap = s->other_cap == 0 ? 64 : s->other_cap * 2;
        s->others = xreallocarray(s->others, s->other_cap, sizeof *s->others);
    }
    s->others[s->other_count++] = id;
}

static void forget_other(struct log_rows *s, uint64_t id)
{
    for (size_t i = 0; i < s->other_count; i++)
        if (s->others[i] == id)
            s->others[i--] = s->others[--s->other_count];
}

/* Is what is wrong the table's alone, so that the others can go on? */
static bool is_of_table(const struct error *err)
{
    return err->code == ERR_PROTOCOL || err->code == ERR_SCHEMA ||
           err->code == ERR_LIMIT || err->code == ERR_DATA;
}

/* Compare map and shape, and make the plan; NULL when the table is lost. */
static struct rows_plan *make_plan(struct log_reader *r, struct log_watch *w,
                                   const struct table_map *m)
{
    CLEANUP(buf_done) struct buf why;
    struct error e = { 0 };
    const struct table_schema *shape = &w->found->schema;
    buf_init(&why, 256);
    if (w->names == LOG_NAMES_UNKNOWN || !m->has_names)
        w->names = m->has_names ? LOG_NAMES_TOLD : LOG_NAMES_NOT_TOLD;
    if (w->must_be_named && !m->has_names) {
        log_change(r, w, LOG_LOST,
                   "its columns were changed, and the log does not tell their names");
        return NULL;
    }
    if (!log_shape_fits(m, shape, &why)) {
        log_change(r, w, LOG_LOST, "%s", buf_text(&why));
        return NULL;
    }
    struct rows_plan *plan = rows_plan_new(m, shape, &r->type, &e);
    if (plan == NULL)
        log_change(r, w, LOG_LOST, "%s", e.text);
    return plan;
}

int log_rows_map(struct log_reader *r, struct log_rows *s, const struct event *e,
                 const struct binlog_format *f, struct error *err)
{
    struct reader in = reader_over(e->body);
    uint64_t id = reader_le(&in, f->post_header[TABLE_MAP_EVENT] == 6 ? 4 : 6);
    (void)reader_le(&in, 2);
    struct str database = take_name(&in);
    struct str name = take_name(&in);
    if (in.bad)
        return error_set(err, ERR_PROTOCOL, "a TABLE_MAP_EVENT is damaged");
    struct log_watch *w = log_watch_find(r, database, name);
    if (w == NULL) {
        note_other(s, id);
        return 0;
    }
    struct error own = { 0 };
    struct table_map *m = table_maps_put(s->maps, e->body, f, &own);
    if (m == NULL) {
        note_other(s, id);
        log_change(r, w, LOG_LOST, "%s", own.text);
        return 0;
    }
    forget_other(s, id);
    struct log_bound *b = m->plan;
    if (b != NULL && b->generation == w->generation)
        return 0;
    if (b == NULL)
        m->plan = b = xcalloc(1, sizeof *b);
    rows_plan_free(b->plan);
    b->generation = w->generation;
    b->number = w->number;
    b->plan = make_plan(r, w, m);
    return 0;
}

/* --- rows ------------------------------------------------------------------------------
 */

int log_rows_begin(struct log_reader *r, struct log_rows *s, const struct event *e,
                   struct binlog *log, struct error *err)
{
    struct rows_head *h = &s->head;
    s->active = false;
    if (rows_read_head(s->reader, e, binlog_body(log), binlog_format(log), h, err) != 0)
        return -1;
    if (h->column_count == 0 || is_other(s, h->table_id))
        return 0;
    struct table_map *m = table_maps_find(s->maps, h->table_id);
    if (m == NULL)
        return error_set(err, ERR_PROTOCOL, "rows of table id %llu, which has no map",
                         (unsigned long long)h->table_id);
    struct log_bound *b = m->plan;
    if (b->plan == NULL || log_watch_of(r, b->number, b->generation) == NULL)
        return 0;
    s->bound = b;
    s->active = true;
    return 0;
}

/* An after image has what was changed; the rest is as it was before. */
static void fill_after(const struct log_reader *r, const struct table_schema *shape)
{
    for (unsigned i = 0; i < shape->column_count; i++)
        if (r->after[i].kind == VALUE_ABSENT)
            r->after[i] = r->before[i];
}

/* The first column of the image that must be there and is not: of the key, without one
 * any. */
static const struct column *missing(const struct table_schema *shape,
                                    const struct value *cells)
{
    for (unsigned i = 0; i < shape->column_count; i++) {
        const struct column *c = &shape->columns[i];
        bool wanted = c->key_ordinal != 0 || shape->key_count == 0;
        if (c->selected && c->companion == 0 && wanted && cells[i].kind == VALUE_ABSENT)
            return c;
    }
    return NULL;
}

/* A document that was changed in part, and what it was changed from was not logged. */
static const struct column *half_known(const struct log_reader *r,
                                       const struct table_schema *shape)
{
    for (unsigned i = 0; i < shape->column_count; i++) {
        const struct column *c = &shape->columns[i];
        if (c->selected && c->type == TYPE_JSON && r->after[i].kind == VALUE_INVALID &&
            r->before[i].kind == VALUE_ABSENT)
            return c;
    }
    return NULL;
}

/* MariaDB leaves virtual columns out of images that are not full, also where they have
 * changed with what they are made from (seen at 10.5 and 11.8). */
static const struct column *unseen_virtual(const struct log_reader *r,
                                           const struct table_schema *shape)
{
    for (unsigned i = 0; r->mariadb && i < shape->column_count; i++) {
        const struct column *c = &shape->columns[i];
        if (c->selected && c->generated == GENERATED_VIRTUAL &&
            r->after[i].kind == VALUE_ABSENT)
            return c;
    }
    return NULL;
}

/* MariaDB writes REPLACE of a row that is there as an update. What such an image has of
 * the row behind it are the columns that the statement names (NOBLOB: all but those TEXT
 * and BLOB columns that it does not name), the key among them, and not those that got
 * their defaults (seen at 10.5 and 11.8; MySQL logs them all). Other updates that have
 * the key in the image behind look the same. */
static bool unseen_default(const struct log_reader *r, const struct table_schema *shape)
{
    bool found = false;
    for (unsigned i = 0; r->mariadb && i < shape->column_count; i++) {
        const struct column *c = &shape->columns[i];
        if (c->key_ordinal != 0 && !value_same(&r->before[i], &r->after[i]))
            return false;
        found = found ||
                (c->selected && c->companion == 0 && r->before[i].kind == VALUE_ABSENT &&
                 r->after[i].kind == VALUE_ABSENT);
    }
    return shape->key_count > 0 && found;
}

/* Is all there that a row must have? */
static bool check_row(struct log_reader *r, const struct log_rows *s, struct log_watch *w)
{
    const struct table_schema *shape = &w->found->schema;
    const struct column *c = NULL;
    uint8_t kind = s->head.kind;
    r->in_part = false;
    if (kind == ROWS_UPDATE) {
        if (s->head.partial && (c = half_known(r, shape)) != NULL) {
            log_change(r, w, LOG_LOST,
                       "the log has only what changed in the document of column '" STR_FMT
                       "' (binlog_row_image, binlog_row_value_options)",
                       STR_ARG(c->name));
            return false;
        }
        c = unseen_virtual(r, shape);
        r->in_part = unseen_default(r, shape);
        fill_after(r, shape);
    }
    if (c == NULL && kind != ROWS_INSERT)
        c = missing(shape, r->before);
    if (c == NULL && kind != ROWS_DELETE)
        c = missing(shape, r->after);
    if (c == NULL)
        return true;
    log_change(r, w, LOG_LOST,
               "the log has rows without column '" STR_FMT "' (binlog_row_image)",
               STR_ARG(c->name));
    return false;
}

static void fill_item(const struct log_reader *r, const struct log_rows *s,
                      struct log_item *out)
{
    static const enum log_op ops[] = { LOG_INSERT, LOG_UPDATE, LOG_DELETE };
    *out =
        (struct log_item){ .kind = LOG_ROW,
                           .op = ops[s->head.kind],
                           .table = s->bound->number,
                           .no_checks = (s->head.flags & ROWS_NO_FOREIGN_KEY_CHECKS) != 0,
                           .in_part = r->in_part,
                           .at = r->group.at };
    if (out->op != LOG_INSERT)
        out->before = r->before;
    if (out->op != LOG_DELETE)
        out->after = r->after;
}

int log_rows_next(struct log_reader *r, struct log_rows *s, struct log_item *out,
                  struct error *err)
{
    struct error own = { 0 };
    struct log_watch *w = log_watch_of(r, s->bound->number, s->bound->generation);
    uint64_t replaced = rows_plan_replaced(s->bound->plan);
    if (w == NULL) {
        s->active = false;
        return 0;
    }
    int got = rows_read_row(s->reader, s->bound->plan, r->before, r->after, &own);
    r->replaced += rows_plan_replaced(s->bound->plan) - replaced;
    if (got < 0 && !is_of_table(&own)) {
        *err = own;
        return -1;
    }
    if (got < 0)
        log_change(r, w, LOG_LOST, "%s", own.text);
    if (got <= 0 || !check_row(r, s, w)) {
        s->active = false;
        return 0;
    }
    w->handed = true;
    r->group.handed = true;
    fill_item(r, s, out);
    return 1;
}
