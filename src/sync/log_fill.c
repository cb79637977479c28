/* What rows at the destination get when the columns of a followed table change. See
 * log_lane_internal.h. */
#include "base/alloc.h"
#include "base/log.h"
#include "sync/log_lane_internal.h"

static const struct column *by_avro_name(const struct table_schema *s, struct str name)
{
    for (unsigned i = 0; i < s->column_count; i++)
        if (str_eq(s->columns[i].avro_name, name))
            return &s->columns[i];
    return NULL;
}

static const struct column *by_name(const struct table_schema *s, struct str name)
{
    for (unsigned i = 0; i < s->column_count; i++)
        if (s->columns[i].companion == 0 && str_ieq(s->columns[i].name, name))
            return &s->columns[i];
    return NULL;
}

/* A column that the table had before, under whose name rows may still have something. */
static int check_new_columns(struct log_lane *l, const struct log_table *t,
                             const struct table_schema *now, struct str *why,
                             struct error *err)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)256 << 20);
    const struct plan_context *c = l->config.plan;
    struct stream_name of = plan_stream_name(c, t->stream);
    for (unsigned i = 0; i < now->column_count; i++) {
        const struct column *col = &now->columns[i];
        if (by_avro_name(t->shape->schema, col->avro_name) != NULL)
            continue;
        int known = shape_was_copied(c, a, &of, col->name, err);
        if (known < 0)
            return -1;
        if (known > 0)
            *why = arena_printf(t->stream->arena,
                                "column '" STR_FMT "' came back: rows may still have "
                                "what was in it before",
                                STR_ARG(col->name));
    }
    return 0;
}

/* A copy that is under way reads the columns that there were. */
static void check_gone_columns(const struct log_table *t, const struct table_schema *now,
                               struct str *why)
{
    const struct table_schema *before = t->shape->schema;
    for (unsigned i = 0; i < before->column_count; i++) {
        const struct column *col = &before->columns[i];
        if (by_avro_name(now, col->avro_name) != NULL)
            continue;
        if (t->state == LOG_TABLE_HELD)
            *why = arena_printf(t->stream->arena,
                                "column '" STR_FMT
                                "' was dropped or renamed while the table was copied",
                                STR_ARG(col->name));
        else if (col->companion == 0)
            log_event(LOG_INFO,
                      "column is gone at the source: it stays at the destination, NULL "
                      "in rows that come from here on",
                      F_STR("table", t->stream->table), F_STR("column", col->name));
    }
}

/* Of a renamed column: what it was called at the destination, or empty where it cannot be
 * taken over as it is. */
static struct str taken_from(const struct log_lane *l, const struct log_table *t,
                             const struct log_fill *f, const struct column *now)
{
    const struct column *from = by_name(t->shape->schema, f->from);
    bool in_two =
        type_has_bad_dates(now->type) && l->config.plan->options->dates == DATE_TEXT;
    if (from == NULL || in_two || from->type != now->type || !column_widens(from, now))
        return (struct str){ 0 };
    return from->avro_name;
}

static const char *why_not(const struct log_table *t)
{
    if (t->state == LOG_TABLE_HELD)
        return "a column was added with a default, or renamed, while the table was "
               "copied";
    if (t->shape->schema->key_count == 0)
        return "a column was added with a default, or renamed, and rows without a key "
               "are "
               "known by what is in them";
    if (t->stream->options.load == LOAD_APPEND)
        return "a column was added with a default, or renamed, and each row here is a "
               "change that was before it";
    return NULL;
}

int log_fill_plan(struct log_lane *l, struct log_table *t, const struct table_schema *now,
                  const struct log_item *item, struct str *why, struct error *err)
{
    struct arena *a = t->stream->arena;
    struct manifest_fill *fills =
        ARENA_ARRAY(a, struct manifest_fill, item->fill_count + 1);
    size_t count = 0;
    *why = (struct str){ 0 };
    if (check_new_columns(l, t, now, why, err) != 0)
        return -1;
    check_gone_columns(t, now, why);
    for (size_t i = 0; i < item->fill_count; i++) {
        const struct log_fill *f = &item->fills[i];
        const struct column *c = by_name(now, f->column);
        struct manifest_fill *out = &fills[count];
        if (c == NULL) /* not selected */
            continue;
        out->column = c->avro_name;
        out->value = arena_str(a, f->value);
        if (f->way == LOG_FILL_FROM) {
            out->from = taken_from(l, t, f, c);
            if (out->from.len == 0)
                *why = STR("a column was renamed whose values cannot be taken over");
            if (str_eq(out->from, out->column)) /* written otherwise, as it seems here */
                continue;
        }
        count++;
        if (why_not(t) != NULL)
            *why = str_of(why_not(t));
    }
    t->fills = fills;
    t->fill_count = why->len == 0 ? count : 0;
    return 0;
}
