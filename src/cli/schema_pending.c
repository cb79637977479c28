/* See schema_pending.h. */
#include "cli/schema_pending.h"

#include "base/alloc.h"
#include "base/emit.h"
#include "cli/table.h"
#include "config/url.h"
#include "sync/integration.h"
#include "sync/pending.h"
#include "sync/probe.h"
#include "sync/selection.h"

#define TYPE_BYTES ((size_t)4096)

/* --- for programs ---------------------------------------------------------------------
 */

static const char *class_name(enum log_class c)
{
    return c == LOG_CLASS_ADD ? "new" : c == LOG_CLASS_DROP ? "dropped" : "type";
}

static void emit_column(struct buf *out, const struct column *c)
{
    CLEANUP(buf_done) struct buf type;
    buf_init(&type, TYPE_BYTES);
    type_sql(c, SQL_DUCKDB, &type);
    emit_begin(out, NULL, '{');
    emit_text(out, "name", c->avro_name);
    emit_text(out, "type", buf_str(&type));
    emit_text(out, "source_name", c->name);
    emit_text(out, "source_type", c->source_type);
    emit_bool(out, "key", c->key_ordinal > 0);
    emit_end(out, '}');
}

static void emit_changes(struct buf *out, const struct pending_stream *st)
{
    emit_text(out, "outcome", str_of(pending_outcome_name(st->outcome)));
    emit_text_or_null(out, "why", st->why);
    emit_begin(out, "changes", '[');
    for (size_t i = 0; i < st->change_count; i++) {
        const struct pending_change *c = &st->changes[i];
        emit_begin(out, NULL, '{');
        emit_text(out, "column", c->column);
        emit_text(out, "change", str_of(class_name(c->class)));
        emit_text_or_null(out, "was", c->was);
        emit_text_or_null(out, "now", c->now);
        emit_text_or_null(out, "sql",
                          st->outcome == PENDING_IN_PLACE ? c->sql : (struct str){ 0 });
        emit_end(out, '}');
    }
    emit_end(out, ']');
}

static void print_json(struct buf *out, const struct pending_stream *list, size_t count,
                       bool pending)
{
    buf_add_char(out, '{');
    emit_begin(out, "tables", '[');
    for (size_t i = 0; i < count; i++) {
        const struct pending_stream *st = &list[i];
        emit_begin(out, NULL, '{');
        emit_text(out, "database", st->database);
        emit_text(out, "table", st->table);
        emit_text_or_null(out, "target", st->target);
        emit_number(out, "version", st->version);
        emit_begin(out, "columns", '[');
        for (unsigned k = 0; k < st->live.column_count; k++)
            emit_column(out, &st->live.columns[k]);
        emit_end(out, ']');
        if (pending)
            emit_changes(out, st);
        emit_end(out, '}');
    }
    emit_end(out, ']');
    buf_add_text(out, "}\n");
}

/* --- for people -----------------------------------------------------------------------
 */

static void print_shapes(struct buf *out, const struct pending_stream *list, size_t count)
{
    static const char *const HEADS[] = { "table", "column", "type", "at the source" };
    struct table *t = table_new(HEADS, sizeof HEADS / sizeof *HEADS);
    size_t lines = 0;
    for (size_t i = 0; i < count; i++)
        for (unsigned k = 0; k < list[i].live.column_count; k++) {
            const struct column *c = &list[i].live.columns[k];
            CLEANUP(buf_done) struct buf type;
            buf_init(&type, TYPE_BYTES);
            type_sql(c, SQL_DUCKDB, &type);
            table_add(t, list[i].target);
            table_add(t, c->avro_name);
            table_add(t, buf_str(&type));
            table_printf(t, STR_FMT "." STR_FMT "." STR_FMT " " STR_FMT,
                         STR_ARG(list[i].database), STR_ARG(list[i].table),
                         STR_ARG(c->name), STR_ARG(c->source_type));
            lines++;
        }
    if (lines == 0)
        buf_add_text(out, "none yet\n");
    else
        table_print(t, out);
    table_free(t);
}

static void print_change(struct buf *out, const struct pending_stream *st,
                         const struct pending_change *c)
{
    const char *sign = c->class == LOG_CLASS_ADD    ? "+"
                       : c->class == LOG_CLASS_DROP ? "-"
                                                    : "~";
    buf_printf(out, "  %s " STR_FMT " " STR_FMT "%s" STR_FMT, sign, STR_ARG(c->column),
               STR_ARG(c->was), c->was.len > 0 && c->now.len > 0 ? " -> " : "",
               STR_ARG(c->now));
    if (st->outcome == PENDING_IN_PLACE && c->sql.len > 0)
        buf_printf(out, "    " STR_FMT, STR_ARG(c->sql));
    buf_add_char(out, '\n');
}

/* What is copied whole in each run anyway is told only where something changed. */
static bool is_shown(const struct pending_stream *st)
{
    return st->outcome != PENDING_NOTHING || st->change_count > 0;
}

static void print_pending(struct buf *out, const struct pending_stream *list,
                          size_t count)
{
    size_t shown = 0;
    for (size_t i = 0; i < count; i++) {
        const struct pending_stream *st = &list[i];
        if (!is_shown(st))
            continue;
        buf_printf(out, STR_FMT "." STR_FMT ": %s (" STR_FMT ")\n", STR_ARG(st->database),
                   STR_ARG(st->table), pending_outcome_name(st->outcome),
                   STR_ARG(st->why));
        for (size_t k = 0; k < st->change_count; k++)
            print_change(out, st, &st->changes[k]);
        shown++;
    }
    if (shown == 0)
        buf_add_text(out, "nothing would change at the destination\n");
}

/* --- finding out ----------------------------------------------------------------------
 */

static struct catalog *ask_source(struct cli *cli, const struct integration *i,
                                  const struct sync_options *o, struct error *err)
{
    struct url_source url = { 0 };
    struct secret *in_url = NULL, *password = NULL;
    struct str server = { 0 };
    if (url_parse_source(cli->arena, i->source, &url, &in_url, err) != 0 ||
        cli_password(cli, in_url, &password, err) != 0)
        return NULL;
    struct probe_request r = { .url = &url,
                               .password = password,
                               .always_int = o->always_int };
    struct catalog *found = probe_discover(cli->arena, &r, cli->cancel, &server, err);
    secret_free(password);
    return found;
}

/* Those that are asked for move to the front. */
static int keep_asked(struct pending_stream *list, size_t *count, struct str table,
                      struct error *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++)
        if (table.len == 0 || selection_matches(table, list[i].database, list[i].table))
            list[kept++] = list[i];
    *count = kept;
    if (kept > 0 || table.len == 0)
        return 0;
    (void)error_set(err, ERR_CONFIG, "the integration has no table '" STR_FMT "'",
                    STR_ARG(table));
    err->hint = "`tailrace schema NAME` lists its tables.";
    return -1;
}

int schema_pending(struct cli *cli, struct state *s, struct str table, bool pending,
                   struct buf *out, struct error *err)
{
    struct integration i = { 0 };
    struct sync_options options = { 0 };
    struct mark_list marks = { 0 };
    struct catalog *catalog = NULL;
    struct pending_stream *list = NULL;
    size_t count = 0;
    if (cli_integration(cli, s, str_of(cli->operands[0]), &i, err) != 0)
        return -1;
    struct option_values *v = integration_options(cli->arena, &i, &options, err);
    if (v == NULL)
        return -1;
    int rc = probe_marks(cli->arena, &i, cli->cancel, &marks, err);
    if (rc == 0 && pending) {
        catalog = ask_source(cli, &i, &options, err);
        rc = catalog == NULL ? -1 : 0;
    }
    struct pending_request r = { s, &i, &options, catalog, &marks };
    if (rc == 0)
        rc = pending_find(&r, cli->arena, &list, &count, err);
    if (rc == 0)
        rc = keep_asked(list, &count, table, err);
    if (rc == 0 && cli->json)
        print_json(out, list, count, pending);
    else if (rc == 0 && pending)
        print_pending(out, list, count);
    else if (rc == 0)
        print_shapes(out, list, count);
    if (catalog != NULL)
        catalog_free(catalog);
    option_values_free(v);
    return rc;
}
