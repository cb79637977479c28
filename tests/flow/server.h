/* tests/flow/server.h
 *
 * The server that a flow test talks to, named by TAILRACE_TEST_SOCKET or by
 * TAILRACE_TEST_PORT on 127.0.0.1. The account TAILRACE_TEST_USER /
 * TAILRACE_TEST_PASSWORD ("app" / "pw") may do everything there.
 */
#ifndef FLOW_SERVER_H
#define FLOW_SERVER_H

#include "mysql/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the three above first */
#include <cmocka.h>

static struct session *writer; /* fixtures */
static struct session *reader;
static bool mariadb;

static void fail_with(const struct error *err, const char *what)
{
    fail_msg("%s: %s (%s:%d)", what, err->text, err->file, err->line);
}

static struct session *connect_as(const char *user, const char *password, bool writable)
{
    struct error err = { 0 };
    const char *port = getenv("TAILRACE_TEST_PORT");
    uint64_t number = 0;
    struct session_options o = {
        .host = "127.0.0.1",
        .socket_path = getenv("TAILRACE_TEST_SOCKET"),
        .user = user,
        .password = password,
        .tls = SESSION_TLS_DISABLED,
        .writable = writable,
    };
    if (o.socket_path != NULL)
        o.host = NULL;
    if (port != NULL && str_to_u64(str_of(port), &number))
        o.port = (uint16_t)number;
    struct session *s = session_open(&o, &err);
    if (s == NULL)
        fail_with(&err, "connecting");
    return s;
}

static const char *env_or(const char *name, const char *otherwise)
{
    const char *v = getenv(name);
    return v == NULL ? otherwise : v;
}

static void run(const char *sql)
{
    struct error err = { 0 };
    if (session_exec(writer, str_of(sql), &err) != 0)
        fail_with(&err, sql);
}

static bool server_is_named(void)
{
    if (getenv("TAILRACE_TEST_SOCKET") != NULL || getenv("TAILRACE_TEST_PORT") != NULL)
        return true;
    print_message("1..0 # SKIP no server: set TAILRACE_TEST_SOCKET\n");
    return false;
}

static void connect_both(void)
{
    const char *user = env_or("TAILRACE_TEST_USER", "app");
    const char *password = env_or("TAILRACE_TEST_PASSWORD", "pw");
    writer = connect_as(user, password, true);
    reader = connect_as(user, password, false);
    mariadb = session_is_mariadb(reader);
    if (mariadb) /* no progress reports from ALTER TABLE */
        run("SET progress_report_time = 0");
}

#endif
