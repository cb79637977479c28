#include "mysql/session.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "mysql/server_error.h"

/* <mariadb/...> comes from /usr/include, so these count as system headers. The two last
 * show struct st_ma_pvio and st_ma_pvio_tls; they lack a typedef of their own. */
#define HAVE_TLS 1
#include <mariadb/mysql.h>
typedef unsigned char uchar;
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mariadb/ma_pvio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define US_PER_S 1000000
#define DEFAULT_PORT 3306
#define DEFAULT_CONNECT_US (INT64_C(10) * US_PER_S)
#define DEFAULT_READ_US (INT64_C(300) * US_PER_S)
#define DEFAULT_WRITE_US (INT64_C(60) * US_PER_S)
#define DEFAULT_QUERY_LIMIT (256u * 1024u * 1024u)
#define FACTS_BYTES (64u * 1024u)

#define COM_QUERY_BYTE 0x03u

struct session {
    MYSQL *mysql; /* owned: the library's handle, for closing */
    SSL *ssl;     /* borrowed from it; NULL without TLS */
    int fd;       /* borrowed from it */
    struct cancel *cancel;
    struct packet_stream packets;
    struct result_dialect dialect;
    struct server_facts facts;
    struct arena *arena; /* owned: texts of facts */
    size_t query_limit;
    bool busy;
    bool broken;
};

/* ------------------------------------------------------------------ transport */

/* Wait for the descriptor; 0, or -1 with err at a deadline or a cancel. */
static int wait_ready(struct session *s, short events, int64_t timeout_us,
                      struct error *err)
{
    switch (clock_poll(s->fd, events, s->cancel, timeout_us)) {
    case 1:
        return 0;
    case 0:
        error_set(err, ERR_NETWORK, "no %s for %lld ms",
                  events == POLLIN ? "byte from the server"
                                   : "room to send to the server",
                  (long long)(timeout_us / 1000));
        err->sys = ETIMEDOUT;
        return -1;
    default:
        return error_set(err, ERR_CANCELLED, "stopped while waiting for the server");
    }
}

/* What a failed SSL call means: the event to wait for, 0 for a closed peer, -1 with err.
 */
static int tls_wants(SSL *ssl, int result, struct error *err)
{
    int saved = errno;
    char text[160] = "";
    switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return POLLIN;
    case SSL_ERROR_WANT_WRITE:
        return POLLOUT;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        if (saved == 0)
            return 0;
        error_set(err, ERR_NETWORK, "the connection was lost: %s",
                  strerrordesc_np(saved));
        err->sys = saved;
        return -1;
    default:
        ERR_error_string_n(ERR_get_error(), text, sizeof text);
        return error_set(err, ERR_NETWORK, "the TLS connection was lost: %s", text);
    }
}

/* What a failed recv or send means, as tls_wants(). */
static int socket_wants(short events, struct error *err)
{
    if (errno == EAGAIN || errno == EINTR)
        return events;
    int saved = errno;
    error_set(err, ERR_NETWORK, "the connection was lost: %s", strerrordesc_np(saved));
    err->sys = saved;
    return -1;
}

static ssize_t session_read(void *ctx, void *bytes, size_t n, int64_t timeout_us,
                            struct error *err)
{
    struct session *s = ctx;
    if (cancel_check(s->cancel, err) != 0)
        return -1;
    for (;;) {
        int wants;
        errno = 0;
        if (s->ssl != NULL) {
            ERR_clear_error();
            int got = SSL_read(s->ssl, bytes, n > INT_MAX ? INT_MAX : (int)n);
            if (got > 0)
                return got;
            wants = tls_wants(s->ssl, got, err);
        } else {
            ssize_t got = recv(s->fd, bytes, n, MSG_DONTWAIT);
            if (got >= 0)
                return got;
            wants = socket_wants(POLLIN, err);
        }
        if (wants <= 0)
            return wants;
        if (wait_ready(s, (short)wants, timeout_us, err) != 0)
            return -1;
    }
}

static int session_write(void *ctx, const void *bytes, size_t n, int64_t timeout_us,
                         struct error *err)
{
    struct session *s = ctx;
    const char *from = bytes;
    while (n > 0) {
        int wants;
        ssize_t sent;
        errno = 0;
        if (s->ssl != NULL) {
            ERR_clear_error();
            sent = SSL_write(s->ssl, from, n > INT_MAX ? INT_MAX : (int)n);
            wants = sent > 0 ? 0 : tls_wants(s->ssl, (int)sent, err);
        } else {
            sent = send(s->fd, from, n, MSG_DONTWAIT | MSG_NOSIGNAL);
            wants = sent > 0 ? 0 : socket_wants(POLLOUT, err);
        }
        if (sent > 0) {
            from += sent;
            n -= (size_t)sent;
            continue;
        }
        if (wants < 0)
            return -1;
        if (wants == 0)
            return error_set(err, ERR_NETWORK, "the server closed the connection");
        if (wait_ready(s, (short)wants, timeout_us, err) != 0)
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------ logging in */

/* A peer that closes while OpenSSL writes must be an error of ours, not the process's
 * end. */
static void ignore_sigpipe(void)
{
    struct sigaction old;
    if (sigaction(SIGPIPE, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
        (void)signal(SIGPIPE, SIG_IGN);     /* cannot fail for this signal */
    (void)mysql_server_init(0, NULL, NULL); /* always 0 in Connector/C */
}

/* The structs that we look into are those of the headers of this build. */
static int check_library(struct error *err)
{
    unsigned long loaded = mysql_get_client_version();
    if (loaded / 100 == MARIADB_PACKAGE_VERSION_ID / 100)
        return 0;
    error_set(err, ERR_CONFIG,
              "libmariadb %s is loaded, but this program was built for %s",
              mysql_get_client_info(), MARIADB_PACKAGE_VERSION);
    err->hint = "Install the libmariadb of the build's minor version, or build again.";
    return -1;
}

static int check_options(const struct session_options *o, struct error *err)
{
    if (o->socket_path != NULL)
        return 0;
    if (o->host == NULL || o->host[0] == '\0')
        return error_set(err, ERR_CONFIG, "no host and no socket to connect to");
    const char *colon = strchr(o->host, ':');
    if (o->host[0] == '[' || (colon != NULL && strchr(colon + 1, ':') == NULL)) {
        error_set(err, ERR_CONFIG, "host '%s' is more than a host name", o->host);
        err->hint =
            "Give the port in its own field, and an IPv6 address without brackets.";
        return -1;
    }
    if (o->tls == SESSION_TLS_VERIFY_IDENTITY && o->ca_file != NULL &&
        access(o->ca_file, R_OK) != 0) {
        error_set(err, ERR_CONFIG, "CA file '%s' cannot be read: %s", o->ca_file,
                  strerrordesc_np(errno));
        err->hint = "Give the path of a PEM file with the certificate authority.";
        return -1;
    }
    return 0;
}

/* Methods that a server may ask for. The clear password only ever travels inside TLS (the
 * login of RDS by IAM needs it there). */
static const char *allowed_plugins(bool tls)
{
    return tls ? "mysql_native_password,caching_sha2_password,sha256_password,"
                 "client_ed25519,mysql_clear_password"
               : "mysql_native_password,caching_sha2_password,sha256_password,"
                 "client_ed25519";
}

static int64_t connect_timeout_us(const struct session_options *o)
{
    return o->connect_timeout_us > 0 ? o->connect_timeout_us : DEFAULT_CONNECT_US;
}

static void set_login_options(MYSQL *m, const struct session_options *o, bool tls)
{
    unsigned seconds = (unsigned)((connect_timeout_us(o) + US_PER_S - 1) / US_PER_S);
    unsigned no_files = 0;
    unsigned protocol =
        o->socket_path != NULL ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    my_bool yes = 1;
    my_bool no = 0;
    (void)mysql_options(m, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    (void)mysql_options(m, MYSQL_OPT_READ_TIMEOUT, &seconds);
    (void)mysql_options(m, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
    (void)mysql_options(m, MYSQL_OPT_LOCAL_INFILE, &no_files);
    /* Without this, "localhost" would silently mean the unix socket. */
    (void)mysql_options(m, MYSQL_OPT_PROTOCOL, &protocol);
    (void)mysql_options(m, MYSQL_OPT_RECONNECT, &no);
    (void)mysql_options(m, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    (void)mysql_options(m, MARIADB_OPT_RESTRICTED_AUTH, allowed_plugins(tls));
    (void)mysql_options4(m, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "tailrace");
    /* SSL_ENFORCE alone does not refuse a server without TLS; the verify flag does. */
    (void)mysql_options(m, MYSQL_OPT_SSL_ENFORCE, tls ? &yes : &no);
    (void)mysql_options(m, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, tls ? &yes : &no);
    if (!tls)
        return;
    (void)mysql_options(m, MARIADB_OPT_TLS_VERSION, "TLSv1.2,TLSv1.3");
    if (o->ca_file != NULL)
        (void)mysql_options(m, MYSQL_OPT_SSL_CA, o->ca_file);
    if (o->cert_file != NULL)
        (void)mysql_options(m, MYSQL_OPT_SSL_CERT, o->cert_file);
    if (o->key_file != NULL)
        (void)mysql_options(m, MYSQL_OPT_SSL_KEY, o->key_file);
}

/* mysql_real_connect() in the library's own non-blocking form, so that a cancel is seen
 * while a host does not answer. (Name resolution and the TLS handshake still end at their
 * time-outs only.) Returns 0 when connected, else -1 with err. */
static int connect_polled(struct session *s, const struct session_options *o,
                          unsigned port, struct error *err)
{
    MYSQL *done = NULL;
    bool cancelled = false;
    (void)mysql_options(s->mysql, MYSQL_OPT_NONBLOCK, NULL);
    int status = mysql_real_connect_start(
        &done, s->mysql, o->socket_path != NULL ? NULL : o->host, o->user,
        o->password != NULL ? o->password : "", o->database, port, o->socket_path, 0);
    while (status != 0) {
        short events = (short)(((status & MYSQL_WAIT_READ) ? POLLIN : 0) |
                               ((status & MYSQL_WAIT_WRITE) ? POLLOUT : 0) |
                               ((status & MYSQL_WAIT_EXCEPT) ? POLLPRI : 0));
        int64_t us = (status & MYSQL_WAIT_TIMEOUT)
                         ? (int64_t)mysql_get_timeout_value_ms(s->mysql) * 1000
                         : connect_timeout_us(o);
        int ready = cancelled ? 0
                              : clock_poll((int)mysql_get_socket(s->mysql), events,
                                           s->cancel, us);
        cancelled = cancelled || ready < 0;
        /* Told that its time is over, the library takes its half-made connection down. */
        status = mysql_real_connect_cont(&done, s->mysql,
                                         ready > 0 ? status & ~MYSQL_WAIT_TIMEOUT
                                                   : MYSQL_WAIT_TIMEOUT);
    }
    if (cancelled)
        return error_set(err, ERR_CANCELLED, "stopped while connecting");
    if (done == NULL)
        return server_error_set(err, mysql_errno(s->mysql),
                                str_of(mysql_error(s->mysql)));
    return 0;
}

/* Log in by the library. */
static int log_in(struct session *s, const struct session_options *o, struct error *err)
{
    bool tls = o->socket_path == NULL && o->tls == SESSION_TLS_VERIFY_IDENTITY;
    unsigned port = o->port != 0 ? o->port : DEFAULT_PORT;
    s->mysql = mysql_init(NULL);
    if (s->mysql == NULL)
        return error_set(err, ERR_BUG, "the client library gave no handle");
    set_login_options(s->mysql, o, tls);
    if (connect_polled(s, o, port, err) != 0)
        return -1;
    if (tls && mysql_get_ssl_cipher(s->mysql) == NULL)
        return server_error_set(err, 2026, STR("the server did not turn TLS on"));
    return 0;
}

/* From here on the bytes are ours: descriptor and SSL object, without waiting inside
 * them. */
static int take_over(struct session *s, const struct session_options *o,
                     struct error *err)
{
    MARIADB_PVIO *pvio = s->mysql->net.pvio;
    s->fd = (int)mysql_get_socket(s->mysql);
    s->ssl = pvio->ctls != NULL ? pvio->ctls->ssl : NULL;
    /* The library keeps it for reconnecting, which is off. */
    if (s->mysql->passwd != NULL)
        OPENSSL_cleanse(s->mysql->passwd, strlen(s->mysql->passwd));
    int flags = fcntl(s->fd, F_GETFL);
    if (flags < 0 || fcntl(s->fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return error_set(err, ERR_IO, "the connection's descriptor cannot be prepared");
    unsigned long extended = 0;
    if (mariadb_get_infov(s->mysql, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES,
                          &extended) != 0)
        return error_set(err, ERR_BUG, "the client library hides the capabilities");
    uint64_t both = ((uint64_t)extended << 32) & MARIADB_CLIENT_SUPPORTED_FLAGS;
    s->dialect = (struct result_dialect){
        .extended_metadata = (both & MARIADB_CLIENT_EXTENDED_METADATA) != 0,
        .cached_metadata = (both & MARIADB_CLIENT_CACHE_METADATA) != 0,
        .deprecate_eof = false, /* not among the flags that 3.3 sends */
    };
    packet_init(
        &s->packets,
        (struct packet_io){ .ctx = s, .read = session_read, .write = session_write },
        o->read_timeout_us > 0 ? o->read_timeout_us : DEFAULT_READ_US,
        o->write_timeout_us > 0 ? o->write_timeout_us : DEFAULT_WRITE_US);
    if (pvio->cache != NULL && pvio->cache + pvio->cache_size > pvio->cache_pos) {
        size_t ahead = (size_t)(pvio->cache + pvio->cache_size - pvio->cache_pos);
        packet_preload(&s->packets, pvio->cache_pos, ahead);
        pvio->cache_pos = pvio->cache + pvio->cache_size;
    }
    return 0;
}

/* ------------------------------------------------------------------ setting up */

/* Every variable that could change, cut or end what we read. autocommit: else a
 * page would open a view that never ends. */
static const char *const setup_statements[] = {
    "SET NAMES utf8mb4",
    "SET character_set_results = NULL, time_zone = '+00:00', sql_mode = '', "
    "autocommit = 1, sql_select_limit = 18446744073709551615, sql_big_selects = 1, "
    "sql_auto_is_null = 0, net_write_timeout = 3600, net_read_timeout = 600, "
    "wait_timeout = 28800",
};

static int set_up(struct session *s, const struct session_options *o, struct error *err)
{
    for (size_t i = 0; i < sizeof setup_statements / sizeof *setup_statements; i++)
        if (session_exec(s, str_of(setup_statements[i]), err) != 0)
            return -1;
    struct str isolation =
        o->isolation == SESSION_READ_COMMITTED
            ? STR("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            : STR("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
    if (session_exec(s, isolation, err) != 0)
        return -1;
    if (!o->writable &&
        session_exec(s, STR("SET SESSION TRANSACTION READ ONLY"), err) != 0)
        return -1;
    /* Time limits meant for interactive queries; 1193: a version that has none. */
    struct str no_limit = session_is_mariadb(s)
                              ? STR("SET SESSION max_statement_time = 0")
                              : STR("SET SESSION max_execution_time = 0");
    struct error e = { 0 };
    if (session_exec(s, no_limit, &e) != 0 && e.remote != 1193) {
        *err = e;
        return -1;
    }
    return 0;
}

static uint32_t version_number(struct str text)
{
    uint32_t parts[3] = { 0 };
    unsigned part = 0;
    for (size_t i = 0; i < text.len && part < 3; i++) {
        unsigned digit = (unsigned)(uint8_t)text.ptr[i] - '0';
        if (text.ptr[i] == '.')
            part++;
        else if (digit > 9)
            break;
        else if (parts[part] < 1000)
            parts[part] = parts[part] * 10 + digit;
    }
    return parts[0] * 10000 + parts[1] * 100 + parts[2];
}

static bool text_contains(struct str text, struct str word)
{
    return text.len > 0 && memmem(text.ptr, text.len, word.ptr, word.len) != NULL;
}

static uint64_t number_or(struct str text, uint64_t fallback)
{
    uint64_t v;
    return str_to_u64(text, &v) ? v : fallback;
}

/* One variable of SHOW VARIABLES; empty when the server has none of that name. */
static struct str variable(const struct session_result *r, const char *name)
{
    for (size_t i = 0; i < r->row_count; i++)
        if (str_ieq(r->cells[i * 2], str_of(name)))
            return r->cells[i * 2 + 1];
    return (struct str){ 0 };
}

static int read_facts(struct session *s, struct error *err)
{
    struct session_result r;
    struct server_facts *f = &s->facts;
    if (session_query(s, s->arena,
                      STR("SHOW VARIABLES WHERE Variable_name IN ('version', "
                          "'version_comment', 'aurora_version', 'server_uuid', "
                          "'server_id', 'max_allowed_packet', 'lower_case_table_names', "
                          "'read_only', 'aria_block_size')"),
                      &r, err) != 0)
        return -1;
    if (r.row_count > 0 && r.column_count != 2)
        return error_set(err, ERR_PROTOCOL, "SHOW VARIABLES has %u columns",
                         r.column_count);
    f->version_text = variable(&r, "version");
    f->version = version_number(f->version_text);
    f->version_comment = variable(&r, "version_comment");
    f->aurora_version = variable(&r, "aurora_version");
    f->server_uuid = variable(&r, "server_uuid");
    f->server_id = number_or(variable(&r, "server_id"), 0);
    f->max_allowed_packet = number_or(variable(&r, "max_allowed_packet"), 1024 * 1024);
    f->lower_case_table_names =
        (unsigned)number_or(variable(&r, "lower_case_table_names"), 0);
    f->read_only = str_ieq(variable(&r, "read_only"), STR("ON"));
    f->connection_id = mysql_thread_id(s->mysql);
    f->tls_cipher = str_of(mysql_get_ssl_cipher(s->mysql));
    if (variable(&r, "aria_block_size").len > 0 ||
        text_contains(f->version_text, STR("MariaDB")))
        f->family = FAMILY_MARIADB;
    else if (text_contains(f->version_comment, STR("Percona")))
        f->family = FAMILY_PERCONA;
    return 0;
}

struct session *session_open(const struct session_options *o, struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (pthread_once(&once, ignore_sigpipe) != 0) {
        error_set(err, ERR_BUG, "the client library cannot be started");
        return NULL;
    }
    struct session *s = xcalloc(1, sizeof *s);
    s->fd = -1;
    s->cancel = o->cancel;
    s->query_limit = o->query_limit > 0 ? o->query_limit : DEFAULT_QUERY_LIMIT;
    s->arena = arena_new(FACTS_BYTES);
    if (check_library(err) == 0 && check_options(o, err) == 0 &&
        cancel_check(o->cancel, err) == 0 && log_in(s, o, err) == 0 &&
        take_over(s, o, err) == 0 && read_facts(s, err) == 0 && set_up(s, o, err) == 0)
        return s;
    if (o->socket_path != NULL)
        error_wrap(err, "connecting to '%s'", o->socket_path);
    else if (o->host != NULL)
        error_wrap(err, "connecting to '%s' port %u", o->host,
                   o->port != 0 ? o->port : DEFAULT_PORT);
    session_close(s);
    return NULL;
}

struct session *session_over(struct packet_io io, const struct result_dialect *d,
                             int64_t timeout_us)
{
    struct session *s = xcalloc(1, sizeof *s);
    s->fd = -1;
    s->query_limit = DEFAULT_QUERY_LIMIT;
    s->arena = arena_new(FACTS_BYTES);
    s->dialect = *d;
    packet_init(&s->packets, io, timeout_us, timeout_us);
    return s;
}

void session_close(struct session *s)
{
    if (s == NULL)
        return;
    /* COM_QUIT into the middle of a result could wait for a server that does not read. */
    if (s->fd >= 0 && !session_is_usable(s))
        (void)shutdown(s->fd, SHUT_RDWR); /* it may be closed already */
    if (s->mysql != NULL)
        mysql_close(s->mysql);
    packet_done(&s->packets);
    arena_free(s->arena);
    free(s);
}

/* ------------------------------------------------------------------ control queries */

/* After a server's own error the connection is in order; after any other it has lost its
 * place. */
static int give_up_unless_server_error(struct session *s, const struct error *err)
{
    s->broken = s->broken || err->remote == 0;
    return -1;
}

/* Run sql; a is NULL when nobody wants the rows. */
static int run(struct session *s, struct arena *a, struct str sql,
               struct session_result *out, struct error *err)
{
    struct result_head head;
    struct session_result got = { 0 };
    struct result_column *columns;
    struct arena *scratch CLEANUP(arena_free_at) = NULL;
    if (s->busy)
        return error_set(err, ERR_BUG, "a query in the middle of another result");
    if (s->broken)
        return error_set(err, ERR_NETWORK, "the connection was given up after an error");
    if (packet_command(&s->packets, COM_QUERY_BYTE, sql, err) != 0 ||
        result_read_head(&s->packets, &s->dialect, false, &head, err) != 0)
        return give_up_unless_server_error(s, err);
    if (head.column_count > 0) {
        if (a == NULL)
            scratch = arena_new(RESULT_PACKET_LIMIT * 4);
        if (result_read_columns(&s->packets, &s->dialect, a != NULL ? a : scratch,
                                head.column_count, &columns, err) != 0) {
            s->broken = true;
            return -1;
        }
        got.column_count = (unsigned)head.column_count;
        if (a != NULL) {
            struct str *names = ARENA_ARRAY(a, struct str, got.column_count);
            for (unsigned i = 0; i < got.column_count; i++)
                names[i] = columns[i].name;
            got.names = names;
        }
        if (result_read_rows(&s->packets, &s->dialect, a, s->query_limit, &got, err) != 0)
            return -1;
    }
    if (out != NULL)
        *out = got;
    return 0;
}

int session_query(struct session *s, struct arena *a, struct str sql,
                  struct session_result *out, struct error *err)
{
    return run(s, a, sql, out, err);
}

int session_exec(struct session *s, struct str sql, struct error *err)
{
    return run(s, NULL, sql, NULL, err);
}

int session_query_text(struct session *s, struct arena *a, struct str sql,
                       struct str *out, struct error *err)
{
    struct session_result r = { 0 };
    if (run(s, a, sql, &r, err) != 0)
        return -1;
    *out = r.row_count > 0 && r.column_count > 0 ? r.cells[0] : (struct str){ 0 };
    return 0;
}

/* ------------------------------------------------------------------ small answers */

const struct server_facts *session_facts(const struct session *s)
{
    return &s->facts;
}

bool session_is_mariadb(const struct session *s)
{
    return s->facts.family == FAMILY_MARIADB;
}

struct packet_stream *session_packets(struct session *s)
{
    return &s->packets;
}

const struct result_dialect *session_dialect(const struct session *s)
{
    return &s->dialect;
}

void session_set_busy(struct session *s, bool busy)
{
    s->busy = busy;
}

void session_set_broken(struct session *s)
{
    s->broken = true;
}

bool session_is_usable(const struct session *s)
{
    return !s->broken && !s->busy && !s->packets.broken && s->packets.window != NULL;
}

uint64_t session_bytes_read(const struct session *s)
{
    return s->packets.bytes_read;
}
