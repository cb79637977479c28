/* select: what is copied, how and why; see select_internal.h. */
#include "base/alloc.h"
#include "cli/integration_print.h"
#include "cli/select_internal.h"
#include "sync/method.h"
#include "sync/probe.h"
#include "sync/selection.h"

#define OUTPUT_BYTES ((size_t)1 << 30)

const char *select_role(const struct stream_options *o, struct str column)
{
    if (o->method == METHOD_KEY && str_ieq(o->key, column))
        return "the replication key";
    for (size_t i = 0; i < o->view_key_count; i++)
        if (str_ieq(o->view_key[i], column))
            return "part of the declared key";
    return NULL;
}

/* How the table is replicated; what cannot be is said as the reason. */
static void show_method(struct selecting *s, const struct catalog_table *t,
                        struct stream_options *o, struct shown_table *out)
{
    struct arena *a = s->cli->arena;
    struct error err = { 0 };
    int rc = stream_options_parse(a, out->options, &s->options, o, &err);
    if (rc == 0 && out->choice.selected)
        rc = method_check(a, o, t, &err);
    if (rc != 0 && out->choice.selected)
        out->choice.why = arena_printf(a, "fails: %s", err.text);
    out->method = str_of(sync_method_name(o->method));
    if (o->method == METHOD_KEY)
        out->key = o->key;
}

static int show_table(struct selecting *s, const struct selection *sel,
                      const struct catalog_table *t, struct shown_table *out,
                      struct error *err)
{
    struct arena *a = s->cli->arena;
    const struct table_schema *schema = &t->schema;
    const struct stream_setting *said =
        selection_find(sel, schema->database, schema->name);
    bool *late = ARENA_ARRAY(a, bool, schema->column_count + 1u);
    struct selection_owner owner = { s->state, s->integration.name, &s->options,
                                     selection_leaves_new(said, &s->options) };
    if (selection_late(&owner, schema, false, late, err) != 0)
        return -1;
    *out = (struct shown_table){
        .database = schema->database,
        .table = schema->name,
        .choice = selection_table(sel, &s->options, t, NULL, a),
        .options = said == NULL ? (struct str){ 0 } : said->options,
        .columns = ARENA_ARRAY(a, struct shown_column, schema->column_count + 1u),
        .column_count = schema->column_count,
    };
    if (out->choice.selected && (!t->readable || t->kind == TABLE_SEQUENCE))
        out->choice =
            (struct choice){ .why = t->why.len > 0 ? t->why : STR("it cannot be read") };
    struct stream_options o = { 0 };
    show_method(s, t, &o, out);
    for (unsigned i = 0; i < schema->column_count; i++) {
        const struct column *c = &schema->columns[i];
        out->columns[i] = (struct shown_column){
            .name = c->name,
            .type = c->source_type,
            .choice = selection_column(said, &s->options, schema, c, late[i], a),
        };
        const char *role = select_role(&o, c->name);
        if (role != NULL && c->key_ordinal == 0 && c->type != TYPE_UNSUPPORTED)
            out->columns[i].choice = (struct choice){ true, str_of(role) };
    }
    return 0;
}

int select_show(struct selecting *s, struct str pattern, struct error *err)
{
    CLEANUP(buf_done) struct buf out;
    struct selection sel = { .streams = s->spec.streams,
                             .stream_count = s->spec.stream_count };
    size_t count = 0, total = 0;
    buf_init(&out, OUTPUT_BYTES);
    for (size_t d = 0; d < s->catalog->database_count; d++)
        total += s->catalog->databases[d].table_count;
    struct shown_table *list = ARENA_ARRAY(s->cli->arena, struct shown_table, total + 1);
    for (size_t d = 0; d < s->catalog->database_count; d++)
        for (size_t i = 0; i < s->catalog->databases[d].table_count; i++) {
            const struct catalog_table *t = &s->catalog->databases[d].tables[i];
            if (pattern.len > 0 &&
                !selection_matches(pattern, t->schema.database, t->schema.name))
                continue;
            if (show_table(s, &sel, t, &list[count++], err) != 0)
                return -1;
        }
    if (count == 0 && pattern.len > 0) {
        (void)error_set(err, ERR_CONFIG, "the source has no table '" STR_FMT "'",
                        STR_ARG(pattern));
        err->hint = "`tailrace select NAME` lists the tables.";
        return -1;
    }
    integration_print_selection(&out, list, count, pattern.len > 0, s->cli->json);
    if (buf_check(&out, "the selection as text", err) != 0)
        return -1;
    cli_write(&out);
    return 0;
}
