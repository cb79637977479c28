#include "avro/schema.h"

#include "avro/name.h"
#include "base/alloc.h"

#include <inttypes.h>
#include <jansson.h>

/* Names with a meaning of their own in a schema; some readers refuse them for a record
 * even inside a namespace (Avro 1.11 specification, "Primitive Types", "Complex Types").
 */
static const char *const avro_words[] = {
    "null",   "boolean", "int",  "long",  "float", "double", "bytes",
    "string", "record",  "enum", "array", "map",   "union",  "fixed",
};

static struct str record_name(struct arena *a, struct str table)
{
    struct str name = avro_name_legal(a, table, LEADING_DIGIT_PREFIX);
    for (size_t i = 0; i < sizeof(avro_words) / sizeof(avro_words[0]); i++)
        if (str_eq(name, str_of(avro_words[i])))
            return arena_printf(a, STR_FMT "_", STR_ARG(name));
    return name;
}

static void write_decimal(struct buf *out, unsigned precision, unsigned scale)
{
    buf_printf(out,
               "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":%u,"
               "\"scale\":%u}",
               precision, scale);
}

static void write_type(const struct column *c, struct buf *out)
{
    const struct type_info *info = type_get(c->type);
    if (c->type == TYPE_DECIMAL)
        write_decimal(out, c->precision, c->scale);
    else if (c->type == TYPE_UBIGINT || c->type == TYPE_BIT64)
        write_decimal(out, 20, 0);
    else if (c->type == TYPE_VECTOR)
        buf_add_text(out, "{\"type\":\"array\",\"items\":\"float\"}");
    else if (info->avro_logical != NULL)
        buf_printf(out, "{\"type\":\"%s\",\"logicalType\":\"%s\"}", info->avro,
                   info->avro_logical);
    else
        buf_printf(out, "\"%s\"", info->avro);
}

static void write_number(struct buf *out, const char *name, uint64_t v)
{
    if (v != 0)
        buf_printf(out, ",\"%s\":%" PRIu64, name, v);
}

static void write_flag(struct buf *out, const char *name, bool v)
{
    if (v)
        buf_printf(out, ",\"%s\":true", name);
}

static void write_text(struct buf *out, const char *name, struct str v)
{
    if (v.len == 0)
        return;
    buf_printf(out, ",\"%s\":", name);
    buf_add_json(out, v);
}

/* What Avro has no word for. Members that are zero are left out. */
static void write_property(const struct column *c, struct buf *out)
{
    buf_add_text(out, ",\"tailrace\":{\"column\":");
    buf_add_json(out, c->name);
    buf_printf(out, ",\"type\":\"%s\"", type_get(c->type)->name);
    write_text(out, "source", c->source_type);
    write_flag(out, "nullable", c->nullable);
    write_number(out, "key", c->key_ordinal);
    write_number(out, "length", c->length);
    write_number(out, "precision", c->precision);
    write_number(out, "scale", c->scale);
    write_number(out, "bytes", c->bytes);
    write_number(out, "fraction", c->fraction);
    write_number(out, "companion", c->companion);
    write_number(out, "generated", c->generated);
    write_number(out, "visibility", c->visibility);
    write_flag(out, "unsigned", c->is_unsigned);
    write_flag(out, "json_check", c->json_check);
    write_flag(out, "fixed_length", c->fixed_length);
    write_text(out, "charset", c->charset);
    write_text(out, "collation", c->collation);
    if (c->label_count > 0) {
        buf_add_text(out, ",\"labels\":[");
        for (unsigned i = 0; i < c->label_count; i++) {
            if (i > 0)
                buf_add_char(out, ',');
            buf_add_json(out, c->labels[i]);
        }
        buf_add_char(out, ']');
    }
    buf_add_char(out, '}');
}

/* For people; the labels of ENUM and SET stand in the property. */
static void write_doc(struct arena *a, const struct column *c, struct buf *out)
{
    bool typed = c->source_type.len > 0 && c->label_count == 0;
    struct str doc =
        arena_printf(a, STR_FMT "%s" STR_FMT "%s%s", STR_ARG(c->name), typed ? " (" : "",
                     STR_ARG(typed ? c->source_type : STR("")), typed ? ")" : "",
                     c->type == TYPE_TIME ? ", microseconds" : "");
    write_text(out, "doc", doc);
}

/* own: with the names and attributes of the source, which stand once in a schema. */
static void write_columns(struct arena *a, const struct table_schema *s, bool own,
                          struct buf *out)
{
    for (unsigned i = 0; i < s->column_count; i++) {
        const struct column *c = &s->columns[i];
        if (i > 0)
            buf_add_char(out, ',');
        buf_add_text(out, "{\"name\":");
        buf_add_json(out, c->avro_name);
        buf_add_text(out, ",\"type\":[\"null\",");
        write_type(c, out);
        buf_add_text(out, "],\"default\":null");
        if (own) {
            write_doc(a, c, out);
            write_property(c, out);
        }
        buf_add_char(out, '}');
    }
}

static void write_meta_fields(struct arena *a, const struct table_schema *s,
                              struct str record, struct buf *out)
{
    buf_printf(out,
               "{\"name\":\"_op\",\"type\":{\"type\":\"enum\",\"name\":\"" STR_FMT
               "_op\","
               "\"symbols\":[\"I\",\"U\",\"D\",\"S\"]}},"
               "{\"name\":\"_seq\",\"type\":\"long\"},"
               "{\"name\":\"_ms\",\"type\":{\"type\":\"long\",\"logicalType\":"
               "\"timestamp-millis\"}},"
               "{\"name\":\"_absent\",\"type\":[\"null\",\"bytes\"],\"default\":null},"
               "{\"name\":\"_before\",\"type\":[\"null\",{\"type\":\"record\",\"name\":"
               "\"" STR_FMT "_before\",\"fields\":[",
               STR_ARG(record), STR_ARG(record));
    write_columns(a, s, false, out);
    buf_add_text(out, "]}],\"default\":null},");
}

void avro_schema_write(const struct table_schema *s, enum avro_record record,
                       struct buf *out)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new(64u << 20);
    struct str name = record_name(a, s->name);
    buf_add_text(out, "{\"type\":\"record\",\"name\":");
    buf_add_json(out, name);
    write_text(out, "namespace", avro_name_legal(a, s->database, LEADING_DIGIT_PREFIX));
    buf_add_text(out, ",\"tailrace\":{\"database\":");
    buf_add_json(out, s->database);
    buf_add_text(out, ",\"table\":");
    buf_add_json(out, s->name);
    buf_printf(out, ",\"version\":%" PRIu32 "},\"fields\":[", s->version);
    if (record == AVRO_CHANGE)
        write_meta_fields(a, s, name, out);
    write_columns(a, s, true, out);
    buf_add_text(out, "]}");
}

/* Reading. `where` names the field in errors. */
struct schema_reader {
    struct arena *arena;
    const char *where;
    struct error *err;
    bool bad;
};

static void refuse(struct schema_reader *r, const char *name, const char *what)
{
    if (!r->bad)
        error_set(r->err, ERR_SCHEMA, "avro schema, field '%s': '%s' %s", r->where, name,
                  what);
    r->bad = true;
}

static struct str json_str(struct schema_reader *r, const char *name, const json_t *v)
{
    if (!json_is_string(v)) {
        refuse(r, name, "is no text");
        return (struct str){ 0 };
    }
    size_t n = json_string_length(v);
    char *copy = arena_try(r->arena, n + 1);
    if (copy == NULL) {
        refuse(r, name, "needs more memory than a schema may take");
        return (struct str){ 0 };
    }
    memcpy(copy, json_string_value(v), n);
    return (struct str){ copy, n };
}

static struct str read_text(struct schema_reader *r, const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);
    return v == NULL ? (struct str){ 0 } : json_str(r, name, v);
}

static uint64_t read_number(struct schema_reader *r, const json_t *o, const char *name,
                            uint64_t max)
{
    const json_t *v = json_object_get(o, name);
    if (v == NULL)
        return 0;
    if (!json_is_integer(v) || json_integer_value(v) < 0 ||
        (uint64_t)json_integer_value(v) > max) {
        refuse(r, name, "is no number in its range");
        return 0;
    }
    return (uint64_t)json_integer_value(v);
}

static bool read_flag(struct schema_reader *r, const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);
    if (v != NULL && !json_is_boolean(v))
        refuse(r, name, "is neither true nor false");
    return json_is_true(v);
}

static void read_labels(struct schema_reader *r, const json_t *o, struct column *c)
{
    const json_t *list = json_object_get(o, "labels");
    size_t count = json_array_size(list);
    if (list == NULL)
        return;
    if (!json_is_array(list) || count == 0 || count > UINT16_MAX) {
        refuse(r, "labels", "is no list of labels");
        return;
    }
    struct str *labels = arena_try(r->arena, count * sizeof(*labels));
    if (labels == NULL) {
        refuse(r, "labels", "needs more memory than a schema may take");
        return;
    }
    for (size_t i = 0; i < count && !r->bad; i++)
        labels[i] = json_str(r, "labels", json_array_get(list, i));
    c->labels = labels;
    c->label_count = (uint16_t)count;
}

/* What the encoder and the sinks rely on without looking again. */
static void check_column(struct schema_reader *r, const struct column *c)
{
    if (c->type == TYPE_UNSUPPORTED)
        refuse(r, "type", "is unknown");
    if (c->type == TYPE_DECIMAL && (c->precision < 1 || c->precision > 65 ||
                                    c->scale > 38 || c->scale > c->precision))
        refuse(r, "precision", "is no precision of a decimal");
    if (c->type == TYPE_INT && (c->bytes < 1 || c->bytes > 4))
        refuse(r, "bytes", "is no width of an integer");
    if (c->type == TYPE_BIT && (c->length < 1 || c->length > 63))
        refuse(r, "length", "is no width of a bit field");
    if (c->avro_name.len == 0)
        refuse(r, "name", "is empty");
}

static void read_column(struct schema_reader *r, const json_t *field, struct column *c)
{
    const json_t *o = json_object_get(field, "tailrace");
    if (!json_is_object(o)) {
        refuse(r, "tailrace", "is missing");
        return;
    }
    c->avro_name = read_text(r, field, "name");
    c->name = read_text(r, o, "column");
    c->type = type_find(read_text(r, o, "type"));
    c->source_type = read_text(r, o, "source");
    c->nullable = read_flag(r, o, "nullable");
    c->key_ordinal = (uint16_t)read_number(r, o, "key", UINT16_MAX);
    c->length = read_number(r, o, "length", INT64_MAX);
    c->precision = (uint16_t)read_number(r, o, "precision", UINT16_MAX);
    c->scale = (uint16_t)read_number(r, o, "scale", UINT16_MAX);
    c->bytes = (uint8_t)read_number(r, o, "bytes", UINT8_MAX);
    c->fraction = (uint8_t)read_number(r, o, "fraction", 6);
    c->companion = (uint16_t)read_number(r, o, "companion", UINT16_MAX);
    c->generated = (uint8_t)read_number(r, o, "generated", GENERATED_ROW_END);
    c->visibility = (uint8_t)read_number(r, o, "visibility", COLUMN_HIDDEN);
    c->is_unsigned = read_flag(r, o, "unsigned");
    c->json_check = read_flag(r, o, "json_check");
    c->fixed_length = read_flag(r, o, "fixed_length");
    c->charset = read_text(r, o, "charset");
    c->collation = read_text(r, o, "collation");
    c->selected = true;
    read_labels(r, o, c);
    check_column(r, c);
}

static bool has_meta_fields(const json_t *fields)
{
    static const char *const names[AVRO_META_FIELDS] = { "_op", "_seq", "_ms", "_absent",
                                                         "_before" };
    for (size_t i = 0; i < AVRO_META_FIELDS; i++) {
        const char *name =
            json_string_value(json_object_get(json_array_get(fields, i), "name"));
        if (name == NULL || strcmp(name, names[i]) != 0)
            return false;
    }
    return true;
}

/* key places are 1..n without a gap or a double; companions point at other columns. */
static void check_places(struct schema_reader *r, struct table_schema *out)
{
    unsigned keys = 0;
    for (unsigned i = 0; i < out->column_count; i++) {
        keys += out->columns[i].key_ordinal > 0;
        if (out->columns[i].companion > out->column_count)
            refuse(r, "companion", "names no column");
    }
    for (unsigned k = 1; k <= keys; k++)
        if (schema_key_column(out, k) == NULL)
            refuse(r, "key", "has a gap");
    out->key_count = (uint16_t)keys;
}

static void read_fields(struct schema_reader *r, const json_t *root,
                        struct table_schema *out)
{
    const json_t *fields = json_object_get(root, "fields");
    size_t total = json_array_size(fields);
    size_t skip = has_meta_fields(fields) ? AVRO_META_FIELDS : 0;
    if (total <= skip || total - skip > UINT16_MAX) {
        refuse(r, "fields", "has no column or too many");
        return;
    }
    struct column *columns = arena_try(r->arena, (total - skip) * sizeof(*columns));
    if (columns == NULL) {
        refuse(r, "fields", "needs more memory than a schema may take");
        return;
    }
    for (size_t i = skip; i < total && !r->bad; i++) {
        const json_t *field = json_array_get(fields, i);
        const char *name = json_string_value(json_object_get(field, "name"));
        r->where = name == NULL ? "?" : name;
        read_column(r, field, &columns[i - skip]);
    }
    out->columns = columns;
    out->column_count = (uint16_t)(total - skip);
    if (!r->bad)
        check_places(r, out);
}

int avro_schema_read(struct arena *a, struct str json, struct table_schema *out,
                     struct error *err)
{
    json_error_t why;
    json_t *root =
        json_loadb(json.ptr, json.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
    if (root == NULL)
        return error_set(err, ERR_SCHEMA, "avro schema is no JSON: %s at byte %d",
                         why.text, why.position);
    struct schema_reader r = { a, "(record)", err, false };
    struct table_schema s = { 0 };
    const json_t *o = json_object_get(root, "tailrace");
    if (!json_is_object(o))
        refuse(&r, "tailrace", "is missing");
    s.database = read_text(&r, o, "database");
    s.name = read_text(&r, o, "table");
    s.version = (uint32_t)read_number(&r, o, "version", UINT32_MAX);
    if (!r.bad)
        read_fields(&r, root, &s);
    json_decref(root);
    if (r.bad)
        return -1;
    *out = s;
    return 0;
}
