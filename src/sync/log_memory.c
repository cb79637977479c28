/* See log_memory.h. The text is a JSON object, that of earlier versions an
 * array of columns. */
#include "sync/log_memory.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* Numbers of a column by name: one list writes and reads them. */
#define NUMBERS(X)  \
    X(type)         \
    X(length)       \
    X(precision)    \
    X(scale)        \
    X(key_ordinal)  \
    X(fraction)     \
    X(bytes)        \
    X(visibility)   \
    X(generated)    \
    X(is_unsigned)  \
    X(nullable)     \
    X(selected)     \
    X(json_check)   \
    X(fixed_length) \
    X(auto_increment)

#define TEXTS(X)   \
    X(name)        \
    X(source_type) \
    X(charset)     \
    X(collation)   \
    X(why)

static json_t *text_of(struct str s)
{
    return json_stringn(s.ptr == NULL ? "" : s.ptr, s.len);
}

static json_t *column_json(const struct column *c)
{
    json_t *o = json_object();
#define PUT(member) \
    (void)json_object_set_new(o, #member, json_integer((json_int_t)c->member));
    NUMBERS(PUT)
#undef PUT
#define PUT(member) (void)json_object_set_new(o, #member, text_of(c->member));
    TEXTS(PUT)
#undef PUT
    if (c->default_text.ptr != NULL)
        (void)json_object_set_new(o, "default_text", text_of(c->default_text));
    json_t *labels = json_array();
    for (unsigned i = 0; i < c->label_count; i++)
        (void)json_array_append_new(labels, text_of(c->labels[i]));
    (void)json_object_set_new(o, "labels", labels);
    return o;
}

int log_memory_save(const struct plan_context *c, const struct stream *st,
                    struct error *err)
{
    struct stream_name of = plan_stream_name(c, st);
    const struct table_schema *s = &st->found->schema;
    json_t *all = json_array();
    for (unsigned i = 0; i < s->column_count; i++)
        (void)json_array_append_new(all, column_json(&s->columns[i]));
    json_t *memory = json_object();
    char hash[24];
    (void)snprintf(hash, sizeof hash, "%016" PRIx64,
                   check_cascade_hash(c->ability, s, true));
    (void)json_object_set_new(memory, "columns", all);
    (void)json_object_set_new(memory, "cascades", json_string(hash));
    char *text = json_dumps(memory, JSON_COMPACT);
    json_decref(memory);
    if (text == NULL)
        return error_set(err, ERR_DATA,
                         "the columns of '" STR_FMT "." STR_FMT "' cannot be kept",
                         STR_ARG(st->database), STR_ARG(st->table));
    int rc = state_followed_save(c->state, &of, str_of(text), err);
    free(text);
    return rc;
}

static struct str read_text(struct arena *a, json_t *v)
{
    return arena_str(a, (struct str){ json_string_value(v), json_string_length(v) });
}

static void read_column(struct arena *a, json_t *o, struct column *c)
{
#define TAKE(member) \
    c->member = (__typeof__(c->member))json_integer_value(json_object_get(o, #member));
    NUMBERS(TAKE)
#undef TAKE
#define TAKE(member) c->member = read_text(a, json_object_get(o, #member));
    TEXTS(TAKE)
#undef TAKE
    json_t *text = json_object_get(o, "default_text");
    if (text != NULL)
        c->default_text = read_text(a, text);
    json_t *labels = json_object_get(o, "labels");
    size_t count = json_array_size(labels);
    struct str *list = ARENA_ARRAY(a, struct str, count + 1);
    for (size_t i = 0; i < count; i++)
        list[i] = read_text(a, json_array_get(labels, i));
    c->labels = list;
    c->label_count = (uint16_t)count;
}

/* The foreign keys that change its rows are those that they were, and so are their
 * parents: what the log has from here on can be read as it was. */
static bool same_cascades(const struct plan_context *c, const struct stream *st,
                          const json_t *memory)
{
    const char *text = json_string_value(json_object_get(memory, "cascades"));
    uint64_t then = text == NULL ? 0 : strtoull(text, NULL, 16);
    return then == check_cascade_hash(c->ability, &st->found->schema, true);
}

int log_memory_recall(const struct plan_context *c, struct stream *st, struct error *err)
{
    struct stream_name of = plan_stream_name(c, st);
    struct str text = { 0 };
    int found = state_followed_find(c->state, st->arena, &of, &text, err);
    if (found <= 0)
        return found;
    json_t *memory = json_loadb(text.ptr, text.len, 0, NULL);
    json_t *all = json_is_object(memory) ? json_object_get(memory, "columns") : memory;
    size_t count = json_array_size(all);
    if (count == 0 || !same_cascades(c, st, memory)) {
        json_decref(memory);
        return 0;
    }
    struct catalog_table *t = ARENA_NEW(st->arena, struct catalog_table);
    struct column *columns = ARENA_ARRAY(st->arena, struct column, count);
    *t = *st->found;
    t->schema.columns = columns;
    t->schema.column_count = (uint16_t)count;
    t->schema.key_count = 0;
    for (size_t i = 0; i < count; i++) {
        read_column(st->arena, json_array_get(all, i), &columns[i]);
        if (columns[i].key_ordinal > 0)
            t->schema.key_count++;
    }
    st->found = t;
    json_decref(memory);
    return 1;
}
