/* Reading integrations from YAML; see integration_file.h. libyaml makes the tree with its
 * places; what may stand where is said here. */
#include "base/alloc.h"
#include "base/map.h"
#include "config/integration_file_internal.h"
#include "config/url.h"

#include <stdlib.h>
#include <yaml.h>

/* What a file of INTEGRATION_FILE_LIMIT takes, with room for the structs around its texts
 * (a stream of 20 bytes becomes one of 64). */
#define ARENA_LIMIT ((size_t)1 << 30)
/* Six bytes of JSON for one of the file at most. */
#define STREAM_OPTIONS_LIMIT (INTEGRATION_FILE_LIMIT * 8)

struct file_reader {
    const char *path;
    yaml_document_t *document;
    const struct integration_tables *tables;
    struct arena *arena;
    struct error *err;
};

static int refuse_at(struct file_reader *r, const yaml_mark_t *at, const char *text)
{
    return error_set(r->err, ERR_CONFIG, "%s:%zu:%zu: %s", r->path, at->line + 1,
                     at->column + 1, text);
}

static int refuse(struct file_reader *r, const yaml_node_t *node, const char *text)
{
    return refuse_at(r, &node->start_mark, text);
}

/* "... 'name', expected ...": cut where the name is long, so that the rest still fits. */
static int refuse_named(struct file_reader *r, const yaml_node_t *node,
                        const char *before, struct str name, const char *after)
{
    char text[300];
    int shown = name.len > 64 ? 64 : (int)name.len;
    (void)snprintf(text, sizeof text, "%s '%.*s'%s", before, shown, name.ptr, after);
    return refuse(r, node, text);
}

static struct file_place place_of(const yaml_mark_t *at)
{
    return (struct file_place){ at->line + 1, at->column + 1 };
}

static yaml_node_t *node_at(const struct file_reader *r, int index)
{
    return yaml_document_get_node(r->document, index);
}

static struct str scalar_of(const yaml_node_t *n)
{
    return (struct str){ (const char *)n->data.scalar.value, n->data.scalar.length };
}

/* --- scalars --------------------------------------------------------------------------
 */

static int read_text(struct file_reader *r, const yaml_node_t *n, const char *what,
                     struct str *out)
{
    char text[160];
    if (n->type != YAML_SCALAR_NODE) {
        (void)snprintf(text, sizeof text, "expected %s, a text", what);
        return refuse(r, n, text);
    }
    struct str s = scalar_of(n);
    if (n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && integration_file_is_typed(s)) {
        (void)snprintf(text, sizeof text,
                       "expected %s, a text; put it in quotes if it is one", what);
        return refuse(r, n, text);
    }
    if (s.len == 0 || memchr(s.ptr, '\0', s.len) != NULL) {
        (void)snprintf(text, sizeof text,
                       "expected %s, which has neither 0 bytes nor a "
                       "NUL",
                       what);
        return refuse(r, n, text);
    }
    *out = arena_str(r->arena, s);
    return 0;
}

static int read_bool(struct file_reader *r, const yaml_node_t *n, bool *out)
{
    if (n->type == YAML_SCALAR_NODE && n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        struct str s = scalar_of(n);
        *out = str_ieq(s, STR("true"));
        if (*out || str_ieq(s, STR("false")))
            return 0;
    }
    return refuse(r, n, "expected true or false");
}

/* --- mappings -------------------------------------------------------------------------
 */

/* Calls member(key, value) for each; a key is a text and stands once. */
typedef int member_fn(struct file_reader *r, void *ctx, const yaml_node_t *key,
                      const yaml_node_t *value);

static int read_mapping(struct file_reader *r, const yaml_node_t *n, const char *expected,
                        member_fn *member, void *ctx)
{
    int rc = 0;
    if (n->type != YAML_MAPPING_NODE)
        return refuse(r, n, expected);
    struct map *seen = map_new();
    for (const yaml_node_pair_t *p = n->data.mapping.pairs.start;
         p < n->data.mapping.pairs.top && rc == 0; p++) {
        const yaml_node_t *key = node_at(r, p->key);
        struct str name = { 0 };
        rc = read_text(r, key, "a key", &name);
        if (rc == 0 && map_put(seen, name, r) != NULL)
            rc = refuse_named(r, key, "key", name, " stands here twice");
        if (rc == 0)
            rc = member(r, ctx, key, node_at(r, p->value));
    }
    map_free(seen);
    return rc;
}

static int unknown_key(struct file_reader *r, const yaml_node_t *key,
                       const char *expected)
{
    char after[200];
    (void)snprintf(after, sizeof after, ", expected one of %s", expected);
    return refuse_named(r, key, "unknown key", scalar_of(key), after);
}

static size_t sequence_count(const yaml_node_t *n)
{
    return (size_t)(n->data.sequence.items.top - n->data.sequence.items.start);
}

/* --- options --------------------------------------------------------------------------
 */

struct option_reading {
    const struct option *table;
    struct option_values *values;
};

/* A number or a truth value may stand plain: the table says what it has to be. */
static int read_option(struct file_reader *r, void *ctx, const yaml_node_t *key,
                       const yaml_node_t *value)
{
    struct option_reading *reading = ctx;
    struct error why = { 0 };
    const struct option *o = option_find(reading->table, scalar_of(key));
    if (o == NULL)
        return refuse_named(r, key, "unknown option", scalar_of(key),
                            ", expected one that docs/reference/options.md lists");
    if (value->type != YAML_SCALAR_NODE)
        return refuse_named(r, value, "expected one value for option", scalar_of(key),
                            "; lists are written with commas");
    if (option_is_set(reading->values, o->name))
        return refuse_named(r, key, "option", scalar_of(key), " stands here twice");
    if (option_set(reading->values, str_of(o->name), scalar_of(value), &why) == 0)
        return 0;
    (void)refuse(r, value, why.text);
    r->err->hint = why.hint;
    return -1;
}

static int read_options(struct file_reader *r, struct option_reading *reading,
                        const yaml_node_t *n)
{
    return read_mapping(r, n, "expected options, each with its value", read_option,
                        reading);
}

/* --- streams --------------------------------------------------------------------------
 */

static int read_stream_options(struct file_reader *r, struct stream_setting *st,
                               const yaml_node_t *n)
{
    CLEANUP(buf_done) struct buf json;
    struct option_reading reading = { r->tables->stream,
                                      option_values_new(r->tables->stream) };
    int rc = read_options(r, &reading, n);
    buf_init(&json, STREAM_OPTIONS_LIMIT);
    if (rc == 0) {
        option_values_json(&json, reading.values);
        rc = buf_check(&json, "the options of a table", r->err);
    }
    if (rc == 0 && !str_eq(buf_str(&json), STR("{}")))
        st->options = arena_str(r->arena, buf_str(&json));
    option_values_free(reading.values);
    return rc;
}

struct column_list {
    struct column_setting *list;
    size_t count;
};

static int read_column(struct file_reader *r, void *ctx, const yaml_node_t *key,
                       const yaml_node_t *value)
{
    struct column_list *columns = ctx;
    bool yes = false;
    if (read_bool(r, value, &yes) != 0)
        return -1;
    columns->list[columns->count++] =
        (struct column_setting){ .column = arena_str(r->arena, scalar_of(key)),
                                 .chosen = yes ? CHOSEN_YES : CHOSEN_NO };
    return 0;
}

static int by_column(const void *left, const void *right)
{
    return str_cmp(((const struct column_setting *)left)->column,
                   ((const struct column_setting *)right)->column);
}

static int read_columns(struct file_reader *r, struct stream_setting *st,
                        const yaml_node_t *n)
{
    struct column_list columns = { 0 };
    if (n->type == YAML_MAPPING_NODE)
        columns.list = ARENA_ARRAY(
            r->arena, struct column_setting,
            (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start) + 1);
    if (read_mapping(r, n, "expected columns, each with true or false", read_column,
                     &columns) != 0)
        return -1;
    qsort(columns.list, columns.count, sizeof *columns.list, by_column);
    st->columns = columns.list;
    st->column_count = columns.count;
    return 0;
}

static int read_stream_member(struct file_reader *r, void *ctx, const yaml_node_t *key,
                              const yaml_node_t *value)
{
    struct stream_setting *st = ctx;
    struct str name = scalar_of(key);
    bool yes = false;
    if (str_eq(name, STR("database")))
        return read_text(r, value, "the name of a database", &st->database);
    if (str_eq(name, STR("table")))
        return read_text(r, value, "the name of a table", &st->table);
    if (str_eq(name, STR("columns")))
        return read_columns(r, st, value);
    if (str_eq(name, STR("options")))
        return read_stream_options(r, st, value);
    if (!str_eq(name, STR("selected")))
        return unknown_key(r, key, "database, table, selected, options, columns");
    if (read_bool(r, value, &yes) != 0)
        return -1;
    st->chosen = yes ? CHOSEN_YES : CHOSEN_NO;
    return 0;
}

/* A stream with its place, which stays with it when they are put in order. */
struct placed_stream {
    struct stream_setting setting;
    struct file_place place;
};

static int by_stream(const void *left, const void *right)
{
    const struct stream_setting *a = &((const struct placed_stream *)left)->setting;
    const struct stream_setting *b = &((const struct placed_stream *)right)->setting;
    int order = str_cmp(a->database, b->database);
    return order != 0 ? order : str_cmp(a->table, b->table);
}

static int read_stream(struct file_reader *r, const yaml_node_t *n, struct map *seen,
                       struct placed_stream *out)
{
    struct stream_setting *st = &out->setting;
    if (read_mapping(r, n,
                     "expected a stream: database, table, selected, options, columns",
                     read_stream_member, st) != 0)
        return -1;
    out->place = place_of(&n->start_mark);
    if (st->database.len == 0)
        return refuse(r, n, "expected the key 'database' in a stream");
    if (st->table.len == 0)
        return refuse(r, n, "expected the key 'table' in a stream");
    struct str both = arena_printf(r->arena, "%zu " STR_FMT "." STR_FMT, st->database.len,
                                   STR_ARG(st->database), STR_ARG(st->table));
    if (map_put(seen, both, out) != NULL)
        return refuse_named(r, n, "table", st->table, " of this database stands twice");
    return 0;
}

/* What says nothing is nothing. */
static void keep_streams(struct file_reader *r, struct integration_spec *i,
                         struct placed_stream *list, size_t count)
{
    struct file_place *places = ARENA_ARRAY(r->arena, struct file_place, count + 1);
    i->streams = ARENA_ARRAY(r->arena, struct stream_setting, count + 1);
    i->stream_places = places;
    qsort(list, count, sizeof *list, by_stream);
    for (size_t k = 0; k < count; k++) {
        if (setting_is_empty(&list[k].setting))
            continue;
        places[i->stream_count] = list[k].place;
        i->streams[i->stream_count++] = list[k].setting;
    }
}

static int read_streams(struct file_reader *r, struct integration_spec *i,
                        const yaml_node_t *n)
{
    int rc = 0;
    size_t count = 0;
    if (n->type != YAML_SEQUENCE_NODE)
        return refuse(r, n, "expected a list of streams");
    struct placed_stream *list =
        ARENA_ARRAY(r->arena, struct placed_stream, sequence_count(n) + 1);
    struct map *seen = map_new();
    for (const yaml_node_item_t *item = n->data.sequence.items.start;
         item < n->data.sequence.items.top && rc == 0; item++)
        rc = read_stream(r, node_at(r, *item), seen, &list[count++]);
    map_free(seen);
    if (rc == 0)
        keep_streams(r, i, list, count);
    return rc;
}

/* --- integrations ---------------------------------------------------------------------
 */

static int read_source(struct file_reader *r, const yaml_node_t *n, struct str *out)
{
    struct url_source parsed = { 0 };
    struct secret *password = NULL;
    struct error why = { 0 };
    if (read_text(r, n, "the URL of a source", out) != 0)
        return -1;
    int rc = url_parse_source(r->arena, *out, &parsed, &password, &why);
    bool has_password = password != NULL;
    secret_free(password);
    if (rc != 0) {
        (void)refuse(r, n, why.text);
        r->err->hint = why.hint;
        return -1;
    }
    if (has_password) {
        (void)refuse(r, n, "expected a URL without a password");
        r->err->hint = "Give it to the run: TAILRACE_SOURCE_PASSWORD or --password-file.";
        return -1;
    }
    return 0;
}

static int read_destination(struct file_reader *r, const yaml_node_t *n, struct str *out)
{
    struct url_destination parsed = { 0 };
    struct error why = { 0 };
    if (read_text(r, n, "the URL of a destination", out) != 0)
        return -1;
    if (url_parse_destination(r->arena, *out, &parsed, &why) == 0)
        return 0;
    (void)refuse(r, n, why.text);
    r->err->hint = why.hint;
    return -1;
}

static int read_member(struct file_reader *r, void *ctx, const yaml_node_t *key,
                       const yaml_node_t *value)
{
    struct integration_spec *i = ctx;
    struct str name = scalar_of(key);
    if (str_eq(name, STR("source")))
        return read_source(r, value, &i->source);
    if (str_eq(name, STR("destination")))
        return read_destination(r, value, &i->destination);
    if (str_eq(name, STR("options")))
        return read_options(
            r, &(struct option_reading){ r->tables->integration, i->options }, value);
    if (str_eq(name, STR("streams")))
        return read_streams(r, i, value);
    if (!str_eq(name, STR("name")))
        return unknown_key(r, key, "name, source, destination, options, streams");
    i->place = place_of(&value->start_mark);
    return read_text(r, value, "the name of an integration", &i->name);
}

static int read_integration(struct file_reader *r, const yaml_node_t *n,
                            struct map *names, struct integration_spec *out)
{
    static const char *const EXPECTED =
        "expected an integration: name, source, destination, options, streams";
    if (read_mapping(r, n, EXPECTED, read_member, out) != 0)
        return -1;
    if (out->name.len == 0)
        return refuse(r, n, "expected the key 'name' in an integration");
    if (out->source.len == 0)
        return refuse(r, n, "expected the key 'source' in an integration");
    if (out->destination.len == 0)
        return refuse(r, n, "expected the key 'destination' in an integration");
    if (map_put(names, out->name, out) == NULL)
        return 0;
    yaml_mark_t at = { .line = out->place.line - 1, .column = out->place.column - 1 };
    char text[200];
    (void)snprintf(text, sizeof text,
                   "integration '%.*s' stands in this file twice, expected another name",
                   out->name.len > 64 ? 64 : (int)out->name.len, out->name.ptr);
    return refuse_at(r, &at, text);
}

static int read_root(struct file_reader *r, void *ctx, const yaml_node_t *key,
                     const yaml_node_t *value)
{
    struct integration_file *f = ctx;
    int rc = 0;
    if (!str_eq(scalar_of(key), STR("integrations")))
        return unknown_key(r, key, "integrations");
    if (value->type != YAML_SEQUENCE_NODE)
        return refuse(r, value, "expected a list of integrations");
    f->list = ARENA_ARRAY(r->arena, struct integration_spec, sequence_count(value) + 1);
    struct map *names = map_new();
    for (const yaml_node_item_t *item = value->data.sequence.items.start;
         item < value->data.sequence.items.top && rc == 0; item++) {
        struct integration_spec *i = &f->list[f->count++];
        i->options = option_values_new(r->tables->integration);
        rc = read_integration(r, node_at(r, *item), names, i);
    }
    map_free(names);
    return rc;
}

/* --- the file -------------------------------------------------------------------------
 */

static int yaml_failure(const struct file_reader *r, const yaml_parser_t *p)
{
    const yaml_mark_t *at = &p->problem_mark;
    if (p->error == YAML_MEMORY_ERROR)
        return error_set(r->err, ERR_LIMIT, "%s: out of memory", r->path);
    if (p->error == YAML_READER_ERROR)
        return error_set(
            r->err, ERR_CONFIG, "%s:%zu:%zu: expected YAML in UTF-8: %s at byte %zu",
            r->path, p->mark.line + 1, p->mark.column + 1,
            p->problem == NULL ? "bad bytes" : p->problem, p->problem_offset);
    return error_set(r->err, ERR_CONFIG, "%s:%zu:%zu: expected YAML: %s", r->path,
                     at->line + 1, at->column + 1,
                     p->problem == NULL ? "it is none" : p->problem);
}

/* Only one document, which is a mapping. */
static int check_end(struct file_reader *r, yaml_parser_t *p)
{
    yaml_document_t next;
    if (!yaml_parser_load(p, &next))
        return yaml_failure(r, p);
    const yaml_node_t *root = yaml_document_get_root_node(&next);
    int rc = root == NULL
                 ? 0
                 : refuse(r, root, "expected the end of the file, not another document");
    yaml_document_delete(&next);
    return rc;
}

static int read_document(struct file_reader *r, struct integration_file *out)
{
    const yaml_node_t *root = yaml_document_get_root_node(r->document);
    static const char *const EXPECTED = "expected the key 'integrations' with a list";
    if (root == NULL)
        return refuse_at(r, &(yaml_mark_t){ 0 }, EXPECTED);
    if (read_mapping(r, root, EXPECTED, read_root, out) != 0)
        return -1;
    return out->list == NULL ? refuse(r, root, EXPECTED) : 0;
}

int integration_file_parse(const char *path, struct str text,
                           const struct integration_tables *tables,
                           struct integration_file *out, struct error *err)
{
    yaml_parser_t parser;
    yaml_document_t document;
    *out = (struct integration_file){ .arena = arena_new(ARENA_LIMIT) };
    struct file_reader r = { .path = path,
                             .document = &document,
                             .tables = tables,
                             .arena = out->arena,
                             .err = err };
    int rc = -1;
    if (text.len > INTEGRATION_FILE_LIMIT)
        (void)error_set(err, ERR_LIMIT, "%s: longer than %zu bytes", path,
                        INTEGRATION_FILE_LIMIT);
    else if (!yaml_parser_initialize(&parser))
        (void)error_set(err, ERR_LIMIT, "%s: out of memory", path);
    else {
        yaml_parser_set_input_string(
            &parser, (const unsigned char *)(text.ptr == NULL ? "" : text.ptr), text.len);
        if (!yaml_parser_load(&parser, &document)) {
            rc = yaml_failure(&r, &parser);
        } else {
            bool empty = yaml_document_get_root_node(&document) == NULL;
            rc = read_document(&r, out);
            yaml_document_delete(&document);
            if (rc == 0 && !empty)
                rc = check_end(&r, &parser);
        }
        yaml_parser_delete(&parser);
    }
    if (rc != 0)
        integration_file_free(out);
    return rc;
}

void integration_file_free(struct integration_file *f)
{
    for (size_t i = 0; i < f->count; i++)
        option_values_free(f->list[i].options);
    arena_free(f->arena);
    *f = (struct integration_file){ 0 };
}
