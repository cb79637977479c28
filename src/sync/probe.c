/* See probe.h. */
#include "sync/probe.h"

#include "source/source.h"

/* A person waits: one more try or two, not minutes. */
#define PATIENCE_US (3 * 1000 * 1000)

struct catalog *probe_discover(struct arena *a, const struct url_source *url,
                               const struct secret *password, bool always_int,
                               struct cancel *c, struct str *server, struct error *err)
{
    struct source *source = source_new(url, password, err);
    if (source == NULL)
        return NULL;
    struct session *session = source_connect(source, PATIENCE_US, c, err);
    struct catalog *found = NULL;
    if (session != NULL) {
        struct discover_request r = { .databases = url->databases,
                                      .database_count = url->database_count,
                                      .always_int = always_int };
        *server = source_describe(a, session);
        found = source_discover(session, &r, err);
    }
    source_disconnect(session);
    source_free(source);
    return found;
}
