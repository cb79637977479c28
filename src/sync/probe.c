/* See probe.h. */
#include "sync/probe.h"

#include "avro/name.h"
#include "source/key.h"
#include "source/source.h"
#include "sync/integration.h"
#include "sync/method.h"
#include "warehouse/client.h"

#include <string.h>
#include <unistd.h>

/* A person waits: one more try or two, not minutes. */
#define PATIENCE_US (3 * 1000 * 1000)

/* The names that a first run would give to the columns of this table. */
static void give_names(struct arena *a, struct table_schema *s)
{
    size_t count = s->column_count;
    struct column *columns = ARENA_ARRAY(a, struct column, count);
    struct str *names = ARENA_ARRAY(a, struct str, count);
    struct str *previous = ARENA_ARRAY(a, struct str, count);
    struct str *given = ARENA_ARRAY(a, struct str, count);
    if (count == 0)
        return;
    memcpy(columns, s->columns, count * sizeof *columns);
    for (size_t i = 0; i < count; i++)
        names[i] = columns[i].name;
    avro_names_assign(a, names, previous, count, LEADING_DIGIT_REPLACE, true, given);
    for (size_t i = 0; i < count; i++)
        columns[i].avro_name = given[i];
    s->columns = columns;
}

struct catalog *probe_discover(struct arena *a, const struct probe_request *r,
                               struct cancel *c, struct str *server, struct error *err)
{
    struct source *source = source_new(r->url, r->password, err);
    if (source == NULL)
        return NULL;
    struct session *session = source_connect(source, PATIENCE_US, c, err);
    struct catalog *found = NULL;
    if (session != NULL) {
        struct discover_request d = { .databases = r->url->databases,
                                      .database_count = r->url->database_count,
                                      .always_int = r->always_int };
        *server = source_describe(a, session);
        found = source_discover(session, &d, err);
    }
    for (size_t d = 0; found != NULL && d < found->database_count; d++)
        for (size_t i = 0; i < found->databases[d].table_count; i++)
            give_names(found->arena, &found->databases[d].tables[i].schema);
    source_disconnect(session);
    source_free(source);
    return found;
}

int probe_source(struct arena *a, const struct probe_request *r, struct cancel *c,
                 struct check_list *out, struct error *err)
{
    struct source *source = source_new(r->url, r->password, err);
    if (source == NULL)
        return -1;
    struct session *session = source_connect(source, PATIENCE_US, c, err);
    struct discover_request d = { .databases = r->url->databases,
                                  .database_count = r->url->database_count };
    struct catalog *found = session == NULL ? NULL : source_discover(session, &d, err);
    int rc = found == NULL ? -1 : source_check(session, a, found, out, err);
    catalog_free(found);
    source_disconnect(session);
    source_free(source);
    return rc;
}

/* --- what a person said of a table -----------------------------------------------------
 */

static int check_unique(struct session *session, struct arena *a,
                        const struct probe_table *t, struct error *err)
{
    const struct stream_options *o = t->options;
    struct str example = { 0 };
    struct key_columns key = { o->view_key, o->view_key_count };
    if (key_check_unique(session, a, t->found, key, &example, err) != 0)
        return -1;
    if (example.len == 0)
        return 0;
    (void)error_set(err, ERR_CONFIG,
                    "the key declared for '" STR_FMT "' is none: " STR_FMT,
                    STR_ARG(t->found->schema.name), STR_ARG(example));
    err->hint = "Declare columns that are together unique and never NULL.";
    return -1;
}

static int check_declared(const struct probe_table *t, struct error *err)
{
    if (!t->check_key || t->options->view_key_count > 0)
        return 0;
    (void)error_set(err, ERR_CONFIG, "no key is declared for '" STR_FMT "'",
                    STR_ARG(t->found->schema.name));
    err->hint = "Declare one: --view-key COLUMN[,COLUMN...].";
    return -1;
}

int probe_check(struct arena *a, const struct probe_request *r,
                const struct probe_table *t, struct cancel *c, struct error *err)
{
    if (method_check(a, t->options, t->found, err) != 0 || check_declared(t, err) != 0)
        return -1;
    if (t->options->where.len == 0 && !t->check_key)
        return 0;
    struct source *source = source_new(r->url, r->password, err);
    if (source == NULL)
        return -1;
    struct session *session = source_connect(source, PATIENCE_US, c, err);
    int rc = session == NULL ? -1 : 0;
    if (rc == 0 && t->options->where.len > 0 &&
        key_check_where(session, t->found, t->options->where, err) != 0)
        rc = error_wrap(err, "option 'where'");
    if (rc == 0 && t->check_key)
        rc = check_unique(session, a, t, err);
    source_disconnect(session);
    source_free(source);
    return rc;
}

int probe_marks(struct arena *a, const struct integration *i, struct cancel *c,
                struct mark_list *out, struct error *err)
{
    struct url_destination d = { 0 };
    struct sync_options options = { 0 };
    *out = (struct mark_list){ 0 };
    if (url_parse_destination(a, i->destination, &d, err) != 0)
        return -1;
    struct option_values *values = integration_options(a, i, &options, err);
    if (values == NULL)
        return -1;
    option_values_free(values);
    const char *path = arena_text(a, d.location);
    if (access(path, F_OK) != 0)
        return 0; /* asking would make the file */
    struct warehouse_options o = { .settings = d.settings,
                                   .setting_count = d.setting_count,
                                   .idle_us = options.warehouse_idle_us };
    struct warehouse *w = warehouse_open(path, &o, c, err);
    int rc = w == NULL ? -1 : warehouse_marks(w, a, i->name, out, err);
    warehouse_close(w);
    return rc;
}

int probe_binlog(const struct binlog_dump_options *o, const struct binlog_dump_sink *sink,
                 struct cancel *c, struct error *err)
{
    return binlog_dump_file(o, sink, c, err);
}

int probe_binlog_source(const struct probe_request *r,
                        const struct binlog_dump_options *o,
                        const struct binlog_dump_sink *sink, struct cancel *c,
                        struct error *err)
{
    struct source *source = source_new(r->url, r->password, err);
    if (source == NULL)
        return -1;
    int rc = binlog_dump_source(source, o, sink, c, err);
    source_free(source);
    return rc;
}
