/* See probe.h. */
#include "sync/probe.h"

#include "avro/name.h"
#include "source/source.h"

#include <string.h>

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
