/* The Singer catalog; see catalog_print.h. Streams, breadcrumbs and metadata keys as the
 * specification's DISCOVERY_MODE.md has them; types as JSON Schema draft 4 and its
 * formats. */
#include "base/emit.h"
#include "cli/catalog_print.h"
#include "row/type.h"

#include <inttypes.h>

/* MySQL names have at most 64 characters. */
#define NAME_BYTES 1024

/* "0.001": what every value of the column is a multiple of. */
static void multiple_of(struct buf *out, unsigned scale)
{
    if (scale == 0) {
        emit_number(out, "multipleOf", 1);
        return;
    }
    emit_raw(out, "multipleOf", STR("0."));
    for (unsigned i = 1; i < scale; i++)
        buf_add_char(out, '0');
    buf_add_char(out, '1');
}

static void integer_range(struct buf *out, unsigned bits, bool is_unsigned)
{
    uint64_t most = is_unsigned ? (bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1)
                                : (UINT64_C(1) << (bits - 1)) - 1;
    if (is_unsigned) {
        emit_number(out, "minimum", 0);
    } else {
        emit_raw(out, "minimum", STR("-"));
        buf_printf(out, "%" PRIu64, most + 1);
    }
    emit_number(out, "maximum", most);
}

/* The member "type" (nullable unless the source says otherwise) and what belongs to it.
 */
static void of_type(struct buf *out, const struct column *c, const char *type)
{
    emit_begin(out, "type", '[');
    if (c->nullable)
        emit_text(out, NULL, STR("null"));
    emit_text(out, NULL, str_of(type));
    emit_end(out, ']');
}

static void text_type(struct buf *out, const struct column *c, const char *format)
{
    of_type(out, c, "string");
    if (format != NULL)
        emit_text(out, "format", str_of(format));
}

static void bytes_type(struct buf *out, const struct column *c)
{
    of_type(out, c, "string");
    emit_text(out, "contentEncoding", STR("base64"));
}

static unsigned bits_of(const struct column *c)
{
    if (c->type == TYPE_INT)
        return c->bytes == 0 ? 32 : 8u * c->bytes;
    if (c->type == TYPE_BIT)
        return c->length == 0 || c->length > 64 ? 64 : (unsigned)c->length;
    return c->type == TYPE_LONG && c->is_unsigned ? 32 : 64;
}

static void number_schema(struct buf *out, const struct column *c)
{
    if (c->type == TYPE_FLOAT || c->type == TYPE_DOUBLE) {
        of_type(out, c, "number");
    } else if (c->type == TYPE_DECIMAL) {
        of_type(out, c, "number");
        multiple_of(out, c->scale);
    } else if (c->type == TYPE_YEAR) {
        of_type(out, c, "integer");
        emit_number(out, "minimum", 0);
        emit_number(out, "maximum", 2155);
    } else {
        bool natural =
            c->type == TYPE_UBIGINT || c->type == TYPE_BIT || c->type == TYPE_BIT64;
        of_type(out, c, "integer");
        integer_range(out, bits_of(c), natural || c->is_unsigned);
    }
}

static void text_schema(struct buf *out, const struct column *c)
{
    text_type(out, c, NULL);
    if (c->type == TYPE_TEXT && c->length > 0)
        emit_number(out, "maxLength", c->length);
    if (c->type == TYPE_JSON)
        emit_text(out, "contentMediaType", STR("application/json"));
}

static void vector_schema(struct buf *out, const struct column *c)
{
    of_type(out, c, "array");
    emit_begin(out, "items", '{');
    emit_text(out, "type", STR("number"));
    emit_end(out, '}');
}

static void column_schema(struct buf *out, const struct column *c)
{
    switch (c->type) {
    case TYPE_UNSUPPORTED:
    case TYPE_COUNT:
        break; /* {}: anything; its metadata says that it cannot be selected */
    case TYPE_BOOL:
        of_type(out, c, "boolean");
        break;
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_UBIGINT:
    case TYPE_DECIMAL:
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
    case TYPE_BIT:
    case TYPE_BIT64:
    case TYPE_YEAR:
        number_schema(out, c);
        break;
    case TYPE_TEXT:
    case TYPE_ENUM:
    case TYPE_SET:
    case TYPE_JSON:
    case TYPE_TIME: /* up to 838 hours and negative: no time of a day */
        text_schema(out, c);
        break;
    case TYPE_BYTES:
    case TYPE_GEOMETRY:
        bytes_type(out, c);
        break;
    case TYPE_DATE:
        text_type(out, c, "date");
        break;
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
        text_type(out, c, "date-time");
        break;
    case TYPE_VECTOR:
        vector_schema(out, c);
        break;
    case TYPE_UUID:
        text_type(out, c, "uuid");
        break;
    case TYPE_INET4:
        text_type(out, c, "ipv4");
        break;
    case TYPE_INET6:
        text_type(out, c, "ipv6");
        break;
    }
}

/* By which columns the table can be read, a stream's replication-key. */
static void replication_keys(struct buf *out, const struct catalog_table *t)
{
    struct str why;
    emit_begin(out, "valid-replication-keys", '[');
    for (unsigned i = 0; i < t->schema.column_count; i++)
        if (key_kind_of(&t->schema.columns[i], &why) != KEY_KIND_NONE)
            emit_text(out, NULL, t->schema.columns[i].name);
    emit_end(out, ']');
}

static void table_metadata(struct buf *out, const struct catalog_table *t)
{
    bool view = t->kind == TABLE_VIEW;
    emit_begin(out, NULL, '{');
    emit_begin(out, "breadcrumb", '[');
    emit_end(out, ']');
    emit_begin(out, "metadata", '{');
    emit_text(out, "inclusion", STR("available"));
    emit_bool(out, "selected-by-default", false);
    emit_text(out, "database-name", t->schema.database);
    emit_number(out, "row-count", t->row_estimate);
    emit_bool(out, "is-view", view);
    emit_begin(out, view ? "view-key-properties" : "table-key-properties", '[');
    for (unsigned i = 1; i <= t->schema.key_count; i++) {
        const struct column *c = schema_key_column(&t->schema, i);
        if (c != NULL && c->type != TYPE_UNSUPPORTED)
            emit_text(out, NULL, c->name);
    }
    emit_end(out, ']');
    replication_keys(out, t);
    emit_end(out, '}');
    emit_end(out, '}');
}

static void column_metadata(struct buf *out, const struct column *c)
{
    bool supported = c->type != TYPE_UNSUPPORTED;
    emit_begin(out, NULL, '{');
    emit_begin(out, "breadcrumb", '[');
    emit_text(out, NULL, STR("properties"));
    emit_text(out, NULL, c->name);
    emit_end(out, ']');
    emit_begin(out, "metadata", '{');
    emit_text(out, "inclusion",
              !supported ? STR("unsupported")
                         : (c->key_ordinal > 0 ? STR("automatic") : STR("available")));
    emit_bool(out, "selected-by-default", supported && c->selected);
    emit_text(out, "sql-datatype", c->source_type);
    if (!supported)
        emit_text(out, "unsupported-description", c->why);
    emit_end(out, '}');
    emit_end(out, '}');
}

static void property(struct buf *out, const struct column *c)
{
    struct buf key;
    buf_init(&key, NAME_BYTES);
    buf_add_str(&key, c->name);
    emit_begin(out, buf_text(&key), '{');
    column_schema(out, c);
    emit_end(out, '}');
    buf_done(&key);
}

static void stream(struct buf *out, const struct catalog_table *t)
{
    emit_begin(out, NULL, '{');
    emit_text(out, "stream", t->schema.name);
    emit_text(out, "table_name", t->schema.name);
    struct buf id;
    buf_init(&id, NAME_BYTES);
    buf_printf(&id, STR_FMT "-" STR_FMT, STR_ARG(t->schema.database),
               STR_ARG(t->schema.name));
    emit_text(out, "tap_stream_id", buf_str(&id));
    buf_done(&id);
    emit_begin(out, "schema", '{');
    emit_text(out, "type", STR("object"));
    emit_begin(out, "properties", '{');
    for (unsigned i = 0; i < t->schema.column_count; i++)
        property(out, &t->schema.columns[i]);
    emit_end(out, '}');
    emit_end(out, '}');
    emit_begin(out, "metadata", '[');
    table_metadata(out, t);
    for (unsigned i = 0; i < t->schema.column_count; i++)
        column_metadata(out, &t->schema.columns[i]);
    emit_end(out, ']');
    emit_end(out, '}');
}

void catalog_print_singer(struct buf *out, const struct catalog *c)
{
    buf_add_char(out, '{');
    emit_begin(out, "streams", '[');
    for (size_t d = 0; d < c->database_count; d++)
        for (size_t i = 0; i < c->databases[d].table_count; i++) {
            const struct catalog_table *t = &c->databases[d].tables[i];
            if (t->readable && t->schema.column_count > 0 && t->kind != TABLE_SEQUENCE)
                stream(out, t);
        }
    emit_end(out, ']');
    buf_add_text(out, "}\n");
}
