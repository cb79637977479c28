/* See integration_print.h. */
#include "cli/integration_print.h"

#include "base/emit.h"
#include "cli/table.h"

void integration_print_changes(struct buf *out, const struct apply_result *r,
                               bool dry_run, bool json)
{
    if (json) {
        emit_begin(out, NULL, '{');
        emit_bool(out, "applied", !dry_run);
        emit_begin(out, "changes", '[');
        for (size_t i = 0; i < r->change_count; i++)
            emit_text(out, NULL, r->changes[i]);
        emit_end(out, ']');
        emit_end(out, '}');
        buf_add_char(out, '\n');
        return;
    }
    for (size_t i = 0; i < r->change_count; i++)
        buf_printf(out, STR_FMT "\n", STR_ARG(r->changes[i]));
    if (r->change_count == 0)
        buf_add_text(out, "nothing changes\n");
    else if (dry_run)
        buf_printf(out, "%zu change%s not made\n", r->change_count,
                   r->change_count == 1 ? "" : "s");
}

static void emit_integration(struct buf *out, const struct integration *i)
{
    emit_text(out, "name", i->name);
    emit_text(out, "source", i->source);
    emit_text(out, "destination", i->destination);
    emit_text(out, "schema", i->target_schema);
    emit_time(out, "created_at", i->created_at);
    emit_raw(out, "options", i->options.len == 0 ? STR("{}") : i->options);
}

void integration_print_list(struct buf *out, const struct integration *list, size_t count,
                            bool json)
{
    static const char *const HEADS[] = { "name", "source", "destination", "schema" };
    if (json) {
        buf_add_char(out, '[');
        for (size_t i = 0; i < count; i++) {
            emit_begin(out, NULL, '{');
            emit_integration(out, &list[i]);
            emit_end(out, '}');
        }
        buf_add_text(out, "]\n");
        return;
    }
    if (count == 0) {
        buf_add_text(out, "there are no integrations yet\n");
        return;
    }
    struct table *t = table_new(HEADS, 4);
    for (size_t i = 0; i < count; i++) {
        table_add(t, list[i].name);
        table_add(t, list[i].source);
        table_add(t, list[i].destination);
        table_add(t, list[i].target_schema);
    }
    table_print(t, out);
    table_free(t);
}

/* null: the patterns decide. */
static void emit_chosen(struct buf *out, const char *key, enum chosen c)
{
    if (c == CHOSEN_BY_PATTERN)
        emit_null(out, key);
    else
        emit_bool(out, key, c == CHOSEN_YES);
}

static void emit_stream(struct buf *out, const struct stream_setting *st)
{
    emit_begin(out, NULL, '{');
    emit_text(out, "database", st->database);
    emit_text(out, "table", st->table);
    emit_chosen(out, "selected", st->chosen);
    emit_raw(out, "options", st->options.len == 0 ? STR("{}") : st->options);
    emit_begin(out, "columns", '[');
    for (size_t i = 0; i < st->column_count; i++) {
        emit_begin(out, NULL, '{');
        emit_text(out, "name", st->columns[i].column);
        emit_chosen(out, "selected", st->columns[i].chosen);
        emit_end(out, '}');
    }
    emit_end(out, ']');
    emit_end(out, '}');
}

void integration_print_one(struct buf *out, const struct integration *i,
                           const struct integration_spec *spec, bool json)
{
    if (!json) {
        const struct integration_tables tables = apply_tables();
        integration_file_write(out, spec, 1, &tables);
        return;
    }
    emit_begin(out, NULL, '{');
    emit_integration(out, i);
    emit_begin(out, "streams", '[');
    for (size_t k = 0; k < spec->stream_count; k++)
        emit_stream(out, &spec->streams[k]);
    emit_end(out, ']');
    emit_end(out, '}');
    buf_add_char(out, '\n');
}

/* --- what is selected -----------------------------------------------------------------
 */

static void emit_choice(struct buf *out, const struct choice *c)
{
    emit_bool(out, "selected", c->selected);
    emit_text(out, "why", c->why);
}

static void emit_tables(struct buf *out, const struct shown_table *list, size_t count)
{
    buf_add_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        emit_begin(out, NULL, '{');
        emit_text(out, "database", list[i].database);
        emit_text(out, "table", list[i].table);
        emit_choice(out, &list[i].choice);
        emit_text(out, "method", list[i].method);
        emit_text_or_null(out, "key", list[i].key);
        emit_raw(out, "options", list[i].options.len == 0 ? STR("{}") : list[i].options);
        emit_begin(out, "columns", '[');
        for (size_t c = 0; c < list[i].column_count; c++) {
            emit_begin(out, NULL, '{');
            emit_text(out, "name", list[i].columns[c].name);
            emit_text(out, "type", list[i].columns[c].type);
            emit_choice(out, &list[i].columns[c].choice);
            emit_end(out, '}');
        }
        emit_end(out, ']');
        emit_end(out, '}');
    }
    buf_add_text(out, "]\n");
}

static void print_columns(struct buf *out, const struct shown_table *list, size_t count)
{
    static const char *const HEADS[] = { "table", "column", "type", "selected", "why" };
    struct table *t = table_new(HEADS, 5);
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < list[i].column_count; c++) {
            const struct shown_column *col = &list[i].columns[c];
            table_printf(t, STR_FMT "." STR_FMT, STR_ARG(list[i].database),
                         STR_ARG(list[i].table));
            table_add(t, col->name);
            table_add(t, col->type);
            table_add(t, str_of(col->choice.selected ? "yes" : "no"));
            table_add(t, col->choice.why);
        }
    table_print(t, out);
    table_free(t);
}

static void print_tables(struct buf *out, const struct shown_table *list, size_t count)
{
    static const char *const HEADS[] = { "table", "selected", "method",
                                         "key",   ">columns", "why" };
    struct table *t = table_new(HEADS, 6);
    for (size_t i = 0; i < count; i++) {
        size_t chosen = 0;
        for (size_t c = 0; c < list[i].column_count; c++)
            chosen += list[i].columns[c].choice.selected ? 1 : 0;
        table_printf(t, STR_FMT "." STR_FMT, STR_ARG(list[i].database),
                     STR_ARG(list[i].table));
        table_add(t, str_of(list[i].choice.selected ? "yes" : "no"));
        table_add(t, list[i].choice.selected ? list[i].method : STR(""));
        table_add(t, list[i].choice.selected ? list[i].key : STR(""));
        table_printf(t, "%zu of %zu", chosen, list[i].column_count);
        table_add(t, list[i].choice.why);
    }
    table_print(t, out);
    table_free(t);
}

void integration_print_selection(struct buf *out, const struct shown_table *list,
                                 size_t count, bool columns, bool json)
{
    if (json)
        emit_tables(out, list, count);
    else if (columns)
        print_columns(out, list, count);
    else
        print_tables(out, list, count);
}
