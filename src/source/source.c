/* Settings of a source and connections made from them. See source.h. */
#include "source/source.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "mysql/session.h"

#include <stdlib.h>

struct source {
    struct arena *arena;     /* owned: texts */
    struct secret *password; /* owned; NULL is none */
    struct str host, socket, user, ca, cert, key;
    uint16_t port;
    enum session_tls tls;
};

struct source *source_new(const struct url_source *url, const struct secret *password,
                          struct error *err)
{
    if (url->user.len == 0) {
        (void)error_set(err, ERR_CONFIG, "the source URL names no user");
        err->hint = "Write it as mysql://user@host:3306/database.";
        return NULL;
    }
    struct source *s = xcalloc(1, sizeof *s);
    s->arena = arena_new((size_t)1 << 20);
    s->password = secret_copy(password);
    s->host = arena_str(s->arena, url->host);
    s->socket = arena_str(s->arena, url->socket);
    s->user = arena_str(s->arena, url->user);
    s->ca = arena_str(s->arena, url->ca);
    s->cert = arena_str(s->arena, url->cert);
    s->key = arena_str(s->arena, url->key);
    s->port = url->port;
    s->tls =
        url->tls == URL_TLS_DISABLED ? SESSION_TLS_DISABLED : SESSION_TLS_VERIFY_IDENTITY;
    return s;
}

void source_free(struct source *s)
{
    if (s == NULL)
        return;
    secret_free(s->password);
    arena_free(s->arena);
    free(s);
}

static const char *text_or_null(struct str s)
{
    return s.len == 0 ? NULL : s.ptr;
}

struct session *source_connect(const struct source *s, int64_t patience_us,
                               struct cancel *c, struct error *err)
{
    struct session_options o = { .host = text_or_null(s->host),
                                 .socket_path = text_or_null(s->socket),
                                 .user = s->user.ptr,
                                 .password = secret_reveal(s->password),
                                 .ca_file = text_or_null(s->ca),
                                 .cert_file = text_or_null(s->cert),
                                 .key_file = text_or_null(s->key),
                                 .port = s->port,
                                 .tls = s->tls,
                                 .cancel = c };
    struct backoff pause = { .first_us = 200 * 1000, .cap_us = 10 * 1000 * 1000 };
    int64_t until = clock_mono_us() + patience_us;
    for (;;) {
        *err = (struct error){ 0 };
        struct session *session = session_open(&o, err);
        if (session != NULL || error_action(err) != ACT_RETRY || clock_mono_us() >= until)
            return session;
        if (pause.tries == 0)
            log_error(LOG_WARN, "the source cannot be reached, trying again", err);
        if (!clock_wait_us(c, backoff_next_us(&pause))) {
            (void)error_set(err, ERR_CANCELLED, "stopped while connecting to the source");
            return NULL;
        }
    }
}

void source_disconnect(struct session *s)
{
    session_close(s);
}

static const char *family_name(const struct server_facts *f)
{
    if (f->aurora_version.len > 0)
        return "Aurora MySQL";
    switch (f->family) {
    case FAMILY_MYSQL:
        return "MySQL";
    case FAMILY_PERCONA:
        return "Percona Server";
    case FAMILY_MARIADB:
        return "MariaDB";
    }
    return "MySQL";
}

struct str source_describe(struct arena *a, struct session *s)
{
    const struct server_facts *f = session_facts(s);
    return arena_printf(a, "%s " STR_FMT "%s" STR_FMT, family_name(f),
                        STR_ARG(f->version_text), f->tls_cipher.len > 0 ? " over " : "",
                        STR_ARG(f->tls_cipher));
}
