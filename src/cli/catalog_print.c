/* Tables and columns for people, and everything as JSON; see catalog_print.h. */
#include "cli/catalog_print.h"

#include "base/emit.h"
#include "cli/table.h"
#include "row/type.h"

#define NOTE_BYTES 4096
#define TYPE_BYTES 256

static const char *kind_name(enum table_kind kind)
{
    switch (kind) {
    case TABLE_BASE:
        return "table";
    case TABLE_VIEW:
        return "view";
    case TABLE_SEQUENCE:
        return "sequence";
    }
    return "table";
}

static const char *key_source_name(enum key_source key)
{
    switch (key) {
    case KEY_NONE:
        return "none";
    case KEY_PRIMARY:
        return "primary";
    case KEY_UNIQUE_NOT_NULL:
        return "unique";
    case KEY_GENERATED:
        return "generated";
    }
    return "none";
}

static const char *generated_name(uint8_t generated)
{
    switch ((enum column_generated)generated) {
    case GENERATED_NO:
        return "";
    case GENERATED_STORED:
        return "stored";
    case GENERATED_VIRTUAL:
        return "virtual";
    case GENERATED_ROW_START:
        return "row start";
    case GENERATED_ROW_END:
        return "row end";
    }
    return "";
}

static const char *visibility_name(uint8_t visibility)
{
    switch ((enum column_visibility)visibility) {
    case COLUMN_VISIBLE:
        return "";
    case COLUMN_INVISIBLE:
        return "invisible";
    case COLUMN_HIDDEN:
        return "hidden";
    }
    return "";
}

/* Avro's type with its logical type, as the encoder writes it. */
static void avro_type(const struct column *c, struct buf *out)
{
    const struct type_info *info = type_get(c->type);
    if (c->type == TYPE_DECIMAL)
        buf_printf(out, "decimal(%u,%u)", (unsigned)c->precision, (unsigned)c->scale);
    else if (c->type == TYPE_UBIGINT || c->type == TYPE_BIT64)
        buf_add_text(out, "decimal(20,0)");
    else if (info->avro_logical != NULL)
        buf_printf(out, "%s, %s", info->avro, info->avro_logical);
    else
        buf_add_text(out, info->avro);
}

static void duckdb_type(const struct column *c, struct buf *out)
{
    if (c->type != TYPE_UNSUPPORTED)
        type_sql(c, SQL_DUCKDB, out);
}

/* --- tables for people ---------------------------------------------------------------
 */

static void add_note(struct buf *out, const char *text)
{
    buf_printf(out, "%s%s", out->len == 0 ? "" : "; ", text);
}

/* What a person should know before this table is copied. */
static void note_of(const struct catalog_table *t, struct buf *out)
{
    unsigned unsupported = 0;
    if (t->why.len > 0)
        buf_add_str(out, t->why);
    else if (!t->readable)
        add_note(out, "not readable");
    for (unsigned i = 0; i < t->schema.column_count; i++)
        unsupported += t->schema.columns[i].type == TYPE_UNSUPPORTED ? 1 : 0;
    if (unsupported > 0)
        buf_printf(out, "%s%u of %u columns unsupported", out->len == 0 ? "" : "; ",
                   unsupported, (unsigned)t->schema.column_count);
    if (t->kind == TABLE_BASE && t->key == KEY_NONE && t->readable)
        add_note(out, "no key, read in one view");
    if (t->key_has_prefix)
        add_note(out, "key of column prefixes, read in one view");
    else if (t->key_is_unordered)
        add_note(out, "key without order, read in one view");
    if (t->kind == TABLE_VIEW)
        add_note(out, "copied only when named");
    if (t->kind == TABLE_BASE && t->engine.len > 0 && !t->transactional)
        add_note(out, "engine without consistent views");
    if (t->system_versioned)
        add_note(out, "system-versioned, current rows only");
}

static void key_of(const struct catalog_table *t, struct buf *out)
{
    if (t->key == KEY_NONE) {
        buf_add_char(out, '-');
        return;
    }
    for (unsigned i = 1; i <= t->schema.key_count; i++) {
        const struct column *c = schema_key_column(&t->schema, i);
        if (c != NULL)
            buf_printf(out, "%s" STR_FMT, i == 1 ? "" : ", ", STR_ARG(c->name));
    }
    if (t->key == KEY_UNIQUE_NOT_NULL)
        buf_add_text(out, " (unique)");
    if (t->key == KEY_GENERATED)
        buf_add_text(out, " (generated)");
}

static void add_table(struct table *out, const struct catalog_table *t)
{
    char number[32], size[16];
    struct buf text;
    buf_init(&text, NOTE_BYTES);
    table_add(out, t->schema.database);
    table_add(out, t->schema.name);
    table_printf(out, "%s", kind_name(t->kind));
    table_add(out, t->engine.len == 0 ? STR("-") : t->engine);
    key_of(t, &text);
    table_add(out, buf_str(&text));
    table_printf(out, "%u", (unsigned)t->schema.column_count);
    table_number(number, t->row_estimate);
    table_printf(out, "%s", t->kind == TABLE_BASE ? number : "-");
    table_bytes(size, t->byte_estimate);
    table_printf(out, "%s", t->kind == TABLE_BASE ? size : "-");
    buf_clear(&text);
    note_of(t, &text);
    table_add(out, buf_str(&text));
    buf_done(&text);
}

void catalog_print_tables(struct buf *out, const struct catalog *c, struct str server)
{
    static const char *const HEADS[] = { "database", "table",  "kind",   "engine", "key",
                                         ">columns", ">rows~", ">size~", "note" };
    struct table *t = table_new(HEADS, sizeof HEADS / sizeof *HEADS);
    size_t tables = 0, readable = 0;
    for (size_t d = 0; d < c->database_count; d++)
        for (size_t i = 0; i < c->databases[d].table_count; i++) {
            add_table(t, &c->databases[d].tables[i]);
            tables++;
            readable += c->databases[d].tables[i].readable ? 1 : 0;
        }
    if (tables > 0)
        table_print(t, out);
    table_free(t);
    buf_printf(out, "%s%zu table%s in %zu database%s, %zu readable, on " STR_FMT "\n",
               tables > 0 ? "\n" : "", tables, tables == 1 ? "" : "s", c->database_count,
               c->database_count == 1 ? "" : "s", readable, STR_ARG(server));
    for (size_t i = 0; i < c->note_count; i++)
        buf_printf(out, "note: " STR_FMT "\n", STR_ARG(c->notes[i]));
}

/* --- columns for people --------------------------------------------------------------
 */

static void column_note(const struct column *c, struct buf *out)
{
    if (visibility_name(c->visibility)[0] != '\0')
        add_note(out, visibility_name(c->visibility));
    if (generated_name(c->generated)[0] != '\0')
        add_note(out, generated_name(c->generated));
    if (c->json_check)
        add_note(out, "json by its check");
    if (c->type == TYPE_UNSUPPORTED) {
        add_note(out, "unsupported, ");
        buf_add_str(out, c->why.len == 0 ? STR("no type of ours holds it") : c->why);
    }
}

static void add_column(struct table *out, const struct column *c)
{
    struct buf text;
    buf_init(&text, NOTE_BYTES);
    table_add(out, c->name);
    table_add(out, c->source_type);
    table_add(out, c->charset.len == 0 ? STR("-") : c->charset);
    table_add(out, c->avro_name.len == 0 ? STR("-") : c->avro_name);
    avro_type(c, &text);
    table_add(out, text.len == 0 ? STR("-") : buf_str(&text));
    buf_clear(&text);
    duckdb_type(c, &text);
    table_add(out, text.len == 0 ? STR("-") : buf_str(&text));
    if (c->key_ordinal > 0)
        table_printf(out, "%u", (unsigned)c->key_ordinal);
    else
        table_add(out, STR(""));
    table_add(out, c->nullable ? STR("yes") : STR("no"));
    buf_clear(&text);
    column_note(c, &text);
    table_add(out, buf_str(&text));
    buf_done(&text);
}

void catalog_print_columns(struct buf *out, const struct catalog *c)
{
    static const char *const HEADS[] = { "column", "type", "charset", "avro name", "avro",
                                         "duckdb", ">key", "null",    "note" };
    for (size_t d = 0; d < c->database_count; d++)
        for (size_t i = 0; i < c->databases[d].table_count; i++) {
            const struct catalog_table *t = &c->databases[d].tables[i];
            struct table *columns = table_new(HEADS, sizeof HEADS / sizeof *HEADS);
            for (unsigned k = 0; k < t->schema.column_count; k++)
                add_column(columns, &t->schema.columns[k]);
            buf_printf(out, "%s" STR_FMT "." STR_FMT " (%s)%s" STR_FMT "\n",
                       out->len == 0 ? "" : "\n", STR_ARG(t->schema.database),
                       STR_ARG(t->schema.name), kind_name(t->kind),
                       t->why.len > 0 ? ": " : "", STR_ARG(t->why));
            if (t->schema.column_count > 0)
                table_print(columns, out);
            table_free(columns);
        }
}

/* --- JSON ----------------------------------------------------------------------------
 */

static void json_types(struct buf *out, const struct column *c)
{
    struct buf type;
    buf_init(&type, TYPE_BYTES);
    emit_text(out, "type", str_of(type_get(c->type)->name));
    avro_type(c, &type);
    emit_text_or_null(out, "avro_type", buf_str(&type));
    buf_clear(&type);
    duckdb_type(c, &type);
    emit_text_or_null(out, "duckdb_type", buf_str(&type));
    buf_done(&type);
}

/* Whether the table can be read by this column, and by which index in order of it. */
static void json_replication_key(struct buf *out, const struct catalog_table *t,
                                 const struct column *c)
{
    struct str why;
    bool can_be = key_kind_of(c, &why) != KEY_KIND_NONE;
    emit_bool(out, "replication_key", can_be);
    emit_text_or_null(out, "replication_key_index",
                      can_be ? key_index_of(t, c->name) : (struct str){ 0 });
    emit_bool(out, "auto_increment", c->auto_increment);
}

static void json_column(struct buf *out, const struct catalog_table *t,
                        const struct column *c)
{
    emit_begin(out, NULL, '{');
    emit_text(out, "name", c->name);
    emit_text_or_null(out, "avro_name", c->avro_name);
    emit_text(out, "source_type", c->source_type);
    json_types(out, c);
    emit_bool(out, "supported", c->type != TYPE_UNSUPPORTED);
    emit_text_or_null(out, "why", c->why);
    emit_bool(out, "selected", c->selected);
    emit_bool(out, "nullable", c->nullable);
    if (c->key_ordinal > 0)
        emit_number(out, "key_ordinal", c->key_ordinal);
    else
        emit_null(out, "key_ordinal");
    json_replication_key(out, t, c);
    emit_text_or_null(out, "charset", c->charset);
    emit_text_or_null(out, "collation", c->collation);
    emit_text_or_null(out, "generated", str_of(generated_name(c->generated)));
    emit_bool(out, "invisible", c->visibility == COLUMN_INVISIBLE);
    emit_bool(out, "hidden", c->visibility == COLUMN_HIDDEN);
    if (c->default_text.ptr == NULL)
        emit_null(out, "default");
    else
        emit_text(out, "default", c->default_text);
    if (c->label_count > 0) {
        emit_begin(out, "labels", '[');
        for (unsigned i = 0; i < c->label_count; i++)
            emit_text(out, NULL, c->labels[i]);
        emit_end(out, ']');
    }
    emit_end(out, '}');
}

static void json_key(struct buf *out, const struct catalog_table *t)
{
    emit_begin(out, "key", '{');
    emit_text(out, "source", str_of(key_source_name(t->key)));
    emit_text_or_null(out, "name", t->key_name);
    emit_begin(out, "columns", '[');
    for (unsigned i = 1; i <= t->schema.key_count; i++) {
        const struct column *c = schema_key_column(&t->schema, i);
        if (c != NULL)
            emit_text(out, NULL, c->name);
    }
    emit_end(out, ']');
    emit_bool(out, "has_prefix", t->key_has_prefix);
    emit_bool(out, "is_unordered", t->key_is_unordered);
    emit_end(out, '}');
}

static void json_table(struct buf *out, const struct catalog_table *t)
{
    emit_begin(out, NULL, '{');
    emit_text(out, "name", t->schema.name);
    emit_text(out, "kind", str_of(kind_name(t->kind)));
    emit_text_or_null(out, "engine", t->engine);
    emit_bool(out, "readable", t->readable);
    emit_text_or_null(out, "why", t->why);
    json_key(out, t);
    emit_number(out, "row_estimate", t->row_estimate);
    emit_number(out, "byte_estimate", t->byte_estimate);
    emit_bool(out, "transactional", t->transactional);
    emit_bool(out, "system_versioned", t->system_versioned);
    emit_text_or_null(out, "comment", t->comment);
    emit_begin(out, "columns", '[');
    for (unsigned i = 0; i < t->schema.column_count; i++)
        json_column(out, t, &t->schema.columns[i]);
    emit_end(out, ']');
    emit_end(out, '}');
}

void catalog_print_json(struct buf *out, const struct catalog *c, struct str server)
{
    buf_add_char(out, '{');
    emit_text(out, "server", server);
    emit_time(out, "taken_at", c->taken_at);
    emit_begin(out, "databases", '[');
    for (size_t d = 0; d < c->database_count; d++) {
        const struct catalog_database *db = &c->databases[d];
        emit_begin(out, NULL, '{');
        emit_text(out, "name", db->name);
        emit_text_or_null(out, "charset", db->charset);
        emit_begin(out, "tables", '[');
        for (size_t i = 0; i < db->table_count; i++)
            json_table(out, &db->tables[i]);
        emit_end(out, ']');
        emit_end(out, '}');
    }
    emit_end(out, ']');
    emit_begin(out, "notes", '[');
    for (size_t i = 0; i < c->note_count; i++)
        emit_text(out, NULL, c->notes[i]);
    emit_end(out, ']');
    buf_add_text(out, "}\n");
}
