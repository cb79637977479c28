#include "config/url.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_PORT 3306

static const char *const source_hint =
    "Write mysql://user@host:3306/database1,database2, with special characters "
    "percent-encoded.";

/* The text must not quote what may hold a password: callers pass parts behind the '@'
 * only. */
__attribute__((format(printf, 3, 4))) static int
bad_url(struct error *err, const char *hint, const char *fmt, ...)
{
    char text[sizeof(err->text)];
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(text, sizeof(text), fmt, args) < 0)
        text[0] = '\0';
    va_end(args);
    (void)error_set(err, ERR_CONFIG, "%s", text);
    err->hint = hint;
    return -1;
}

/* --- percent encoding (RFC 3986, section 2.1) --- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decode in place; false for a '%' without two digits and for NUL. */
static bool decode_in_place(char *text, size_t len, size_t *out_len)
{
    size_t to = 0;
    for (size_t from = 0; from < len; from++) {
        char c = text[from];
        if (c == '%') {
            int high = from + 2 < len ? hex_value(text[from + 1]) : -1;
            int low = high >= 0 ? hex_value(text[from + 2]) : -1;
            if (from + 2 >= len || high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            from += 2;
        }
        if (c == '\0')
            return false;
        text[to++] = c;
    }
    *out_len = to;
    return true;
}

static int decode(struct arena *a, struct str part, const char *what, struct str *out,
                  struct error *err)
{
    char *copy = arena_alloc(a, part.len + 1);
    size_t len = 0;
    if (part.len > 0)
        memcpy(copy, part.ptr, part.len);
    if (!decode_in_place(copy, part.len, &len))
        return bad_url(
            err, "Write a percent sign itself as %25.",
            "the %s holds a '%%' that is not followed by two hexadecimal digits of "
            "a character",
            what);
    copy[len] = '\0';
    *out = (struct str){ copy, len };
    return 0;
}

static void encode(struct buf *out, struct str text, const char *also_plain)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c >= '0' && c <= '9') || strchr("-._~", c) != NULL ||
                     strchr(also_plain, c) != NULL;
        if (c != '\0' && plain) {
            buf_add_char(out, c);
        } else {
            buf_add_char(out, '%');
            buf_add_char(out, digits[(unsigned char)c >> 4]);
            buf_add_char(out, digits[(unsigned char)c & 15]);
        }
    }
}

/* --- source --- */

static bool last_of(struct str s, char c, size_t *at)
{
    const char *found = s.ptr == NULL ? NULL : memrchr(s.ptr, c, s.len);
    if (found == NULL)
        return false;
    *at = (size_t)(found - s.ptr);
    return true;
}

/* The last '@' ends the user's part, wherever it stands: url_wipe_argument() must find a
 * password that somebody forgot to percent-encode. Parsing then refuses what is
 * ambiguous. */
struct parts {
    struct str user_info; /* before the '@'; ptr NULL without one */
    struct str host_port;
    struct str path;  /* behind the '/'; may be empty */
    struct str query; /* behind the '?' */
};

static struct parts split(struct str rest)
{
    struct parts p = { 0 };
    size_t at;
    struct str before_query = str_cut(rest, '?', &p.query);
    if (last_of(before_query, '@', &at)) {
        p.user_info = (struct str){ before_query.ptr, at };
        before_query.ptr += at + 1;
        before_query.len -= at + 1;
    } else if (p.query.ptr != NULL && last_of(rest, '@', &at)) {
        /* The '?' was the password's. */
        p.user_info = (struct str){ rest.ptr, at };
        before_query =
            str_cut((struct str){ rest.ptr + at + 1, rest.len - at - 1 }, '?', &p.query);
    }
    p.host_port = str_cut(before_query, '/', &p.path);
    return p;
}

static bool holds(struct str s, char c)
{
    return s.len > 0 && memchr(s.ptr, c, s.len) != NULL;
}

static int parse_user(struct arena *a, struct str user_info, struct url_source *out,
                      struct secret **password, struct error *err)
{
    struct str secret_part;
    struct str user = str_cut(user_info, ':', &secret_part);
    if (decode(a, user, "user name", &out->user, err) < 0)
        return -1;
    if (out->user.len == 0)
        return bad_url(err, source_hint, "the source URL names no user before the '@'");
    if (secret_part.ptr == NULL)
        return 0;
    char *copy = arena_alloc(a, secret_part.len + 1);
    size_t len = 0;
    if (secret_part.len > 0)
        memcpy(copy, secret_part.ptr, secret_part.len);
    bool ok = decode_in_place(copy, secret_part.len, &len);
    if (ok)
        *password = secret_new((struct str){ copy, len });
    explicit_bzero(copy, secret_part.len);
    if (!ok)
        return bad_url(
            err, "Write a percent sign itself as %25.",
            "the password in the source URL holds a '%%' that is not followed by "
            "two hexadecimal digits of a character");
    return 0;
}

static int parse_port(struct str text, uint16_t *out, struct error *err)
{
    uint64_t port;
    if (!str_to_u64(text, &port) || port == 0 || port > UINT16_MAX)
        return bad_url(err, source_hint,
                       "'" STR_FMT
                       "' is no port: a number from 1 to 65535 was expected after "
                       "the host's ':'",
                       STR_ARG(text));
    *out = (uint16_t)port;
    return 0;
}

static bool is_host_text(struct str host)
{
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];
        if (c <= ' ' || c == 0x7F || strchr("/\\?#@:,[]<>\"'", c) != NULL)
            return false;
    }
    return host.len > 0;
}

static bool is_ipv6_text(struct str host)
{
    static const char allowed[] = "0123456789abcdefABCDEF:.";
    bool in_zone = false; /* fe80::1%eth0 */
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        if (c == '%' && i > 0)
            in_zone = true;
        else if ((unsigned char)c <= ' ' || (!in_zone && strchr(allowed, c) == NULL))
            return false;
    }
    return host.len > 1 && memchr(host.ptr, ':', host.len) != NULL;
}

static int parse_ipv6(struct arena *a, struct str text, struct url_source *out,
                      struct error *err)
{
    struct str after;
    struct str inside = str_cut((struct str){ text.ptr + 1, text.len - 1 }, ']', &after);
    if (after.ptr == NULL)
        return bad_url(err, source_hint,
                       "the '[' of the host '" STR_FMT "' is not closed", STR_ARG(text));
    if (decode(a, inside, "host", &out->host, err) < 0)
        return -1;
    if (!is_ipv6_text(out->host))
        return bad_url(err, source_hint, "'" STR_FMT "' in brackets is no IPv6 address",
                       STR_ARG(inside));
    if (after.len == 0)
        return 0;
    if (after.ptr[0] != ':')
        return bad_url(err, source_hint,
                       "'" STR_FMT "' follows the host's ']' where ':port' was expected",
                       STR_ARG(after));
    return parse_port((struct str){ after.ptr + 1, after.len - 1 }, &out->port, err);
}

static int parse_host(struct arena *a, struct str text, struct url_source *out,
                      struct error *err)
{
    if (text.len == 0)
        return 0; /* a socket must follow; the caller looks */
    if (text.ptr[0] == '[')
        return parse_ipv6(a, text, out, err);
    struct str port;
    struct str host = str_cut(text, ':', &port);
    if (port.ptr != NULL && memchr(port.ptr, ':', port.len) != NULL)
        return bad_url(err, source_hint,
                       "the host '" STR_FMT "' holds more than one ':': an IPv6 address "
                       "stands in brackets",
                       STR_ARG(text));
    if (decode(a, host, "host", &out->host, err) < 0)
        return -1;
    if (!is_host_text(out->host))
        return bad_url(err, source_hint, "'" STR_FMT "' is no host name", STR_ARG(host));
    return port.ptr == NULL ? 0 : parse_port(port, &out->port, err);
}

static int parse_databases(struct arena *a, struct str path, struct url_source *out,
                           struct error *err)
{
    if (path.len == 0)
        return 0;
    size_t count = 1;
    for (size_t i = 0; i < path.len; i++)
        count += path.ptr[i] == ',';
    struct str *names = ARENA_ARRAY(a, struct str, count);
    for (size_t i = 0; i < count; i++) {
        struct str name = str_cut(path, ',', &path);
        if (name.len == 0)
            return bad_url(err, source_hint,
                           "a name is missing in the list of databases after the host");
        if (memchr(name.ptr, '/', name.len) != NULL)
            return bad_url(err, source_hint,
                           "'" STR_FMT "' holds a '/': databases are separated by commas",
                           STR_ARG(name));
        if (decode(a, name, "database name", &names[i], err) < 0)
            return -1;
    }
    out->databases = names;
    out->database_count = count;
    return 0;
}

static int parse_tls(struct str value, enum url_tls *out, struct error *err)
{
    if (str_eq(value, STR("verify-identity")))
        *out = URL_TLS_VERIFY_IDENTITY;
    else if (str_eq(value, STR("disabled")))
        *out = URL_TLS_DISABLED;
    else
        return bad_url(err, "Write tls=verify-identity or tls=disabled.",
                       "'" STR_FMT "' is no value of tls in the source URL",
                       STR_ARG(value));
    return 0;
}

/* Between processes of one machine TLS protects nothing that the kernel does not, and
 * local servers seldom have a certificate; everywhere else the default is the strict
 * mode. */
static enum url_tls default_tls(const struct url_source *u)
{
    unsigned char address[4]; /* a name such as 127.example.com is no address */
    bool is_local = u->host.len == 0 || str_eq(u->host, STR("localhost")) ||
                    str_eq(u->host, STR("::1"));
    if (!is_local && inet_pton(AF_INET, u->host.ptr, address) == 1)
        is_local = address[0] == 127;
    return is_local && u->ca.len == 0 && u->cert.len == 0 ? URL_TLS_DISABLED
                                                          : URL_TLS_VERIFY_IDENTITY;
}

static int parse_parameter(struct arena *a, struct str pair, struct url_source *out,
                           struct error *err)
{
    struct str raw, value;
    struct str name = str_cut(pair, '=', &raw);
    const struct {
        struct str name;
        struct str *to;
    } paths[] = {
        { STR("ca"), &out->ca },
        { STR("cert"), &out->cert },
        { STR("key"), &out->key },
        { STR("socket"), &out->socket },
    };
    if (decode(a, raw, "query", &value, err) < 0)
        return -1;
    if (str_eq(name, STR("tls"))) {
        out->tls_given = true;
        return parse_tls(value, &out->tls, err);
    }
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (!str_eq(name, paths[i].name))
            continue;
        if (value.len == 0)
            return bad_url(err, source_hint,
                           "'" STR_FMT "' in the source URL needs a path", STR_ARG(name));
        *paths[i].to = value;
        return 0;
    }
    return bad_url(err, "The source URL knows tls, ca, cert, key and socket.",
                   "the source URL does not know '" STR_FMT "'", STR_ARG(name));
}

static int check_whole(const struct url_source *u, struct error *err)
{
    if (u->host.len == 0 && u->socket.len == 0)
        return bad_url(err, source_hint,
                       "the source URL names neither a host nor a socket");
    if (u->host.len > 0 && u->socket.len > 0)
        return bad_url(err, "Leave out the host or the socket.",
                       "the source URL names both a host and a socket");
    if (u->socket.len > 0 && u->socket.ptr[0] != '/')
        return bad_url(err, "Give the whole path of the socket.",
                       "the socket '" STR_FMT "' is no absolute path",
                       STR_ARG(u->socket));
    if ((u->cert.len > 0) != (u->key.len > 0))
        return bad_url(err, "Give both cert and key, or neither.",
                       "the source URL has one of cert and key without the other");
    return 0;
}

static int parse_source(struct arena *a, struct str rest, struct url_source *out,
                        struct secret **password, struct error *err)
{
    struct parts p = split(rest);
    if (p.user_info.ptr == NULL)
        return bad_url(err, source_hint,
                       "the source URL names no user: 'user@' was expected "
                       "after 'mysql://'");
    if (holds(p.user_info, '/') || holds(p.user_info, '?'))
        /* Guessing could send the password to a host that was a part of it. */
        return bad_url(err,
                       "Write a slash in the password as %2F, a question mark as %3F.",
                       "the source URL holds a '/' or '?' before its last '@'");
    if (holds(p.query, '@'))
        return bad_url(err, "Write an at sign inside a part as %40.",
                       "the source URL holds an '@' behind its '?'");
    if (parse_user(a, p.user_info, out, password, err) < 0 ||
        parse_host(a, p.host_port, out, err) < 0 ||
        parse_databases(a, p.path, out, err) < 0)
        return -1;
    while (p.query.len > 0) {
        struct str pair = str_cut(p.query, '&', &p.query);
        if (pair.len > 0 && parse_parameter(a, pair, out, err) < 0)
            return -1;
    }
    if (check_whole(out, err) < 0)
        return -1;
    if (out->port == 0 && out->host.len > 0)
        out->port = DEFAULT_PORT;
    if (!out->tls_given)
        out->tls = default_tls(out);
    return 0;
}

int url_parse_source(struct arena *a, struct str url, struct url_source *out,
                     struct secret **password, struct error *err)
{
    struct url_source u = { 0 };
    struct secret *found = NULL;
    if (url.len > URL_LIMIT)
        return bad_url(err, source_hint, "the source URL is longer than %d bytes",
                       URL_LIMIT);
    if (!str_starts(url, STR("mysql://")))
        return bad_url(err, source_hint, "the source URL does not begin with 'mysql://'");
    struct str rest = { url.ptr + 8, url.len - 8 };
    if (parse_source(a, rest, &u, &found, err) < 0) {
        secret_free(found);
        return -1;
    }
    *out = u;
    *password = found;
    return 0;
}

void url_print_source(struct buf *out, const struct url_source *u)
{
    const struct {
        const char *name;
        struct str value;
    } parameters[] = {
        { "tls", u->tls == default_tls(u)     ? (struct str){ 0 }
                 : u->tls == URL_TLS_DISABLED ? STR("disabled")
                                              : STR("verify-identity") },
        { "ca", u->ca },
        { "cert", u->cert },
        { "key", u->key },
        { "socket", u->socket },
    };
    bool is_ipv6 = u->host.len > 0 && memchr(u->host.ptr, ':', u->host.len) != NULL;
    buf_add_text(out, "mysql://");
    encode(out, u->user, "");
    buf_add_char(out, '@');
    buf_add_text(out, is_ipv6 ? "[" : "");
    encode(out, u->host, is_ipv6 ? ":" : "");
    buf_add_text(out, is_ipv6 ? "]" : "");
    if (u->port != 0 && u->port != DEFAULT_PORT)
        buf_printf(out, ":%u", (unsigned)u->port);
    for (size_t i = 0; i < u->database_count; i++) {
        buf_add_char(out, i == 0 ? '/' : ',');
        encode(out, u->databases[i], "");
    }
    char separator = '?';
    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
        if (parameters[i].value.len == 0)
            continue;
        buf_add_char(out, separator);
        buf_printf(out, "%s=", parameters[i].name);
        encode(out, parameters[i].value, "/");
        separator = '&';
    }
}

bool url_wipe_argument(char *argument)
{
    struct str url = str_of(argument);
    if (!str_starts(url, STR("mysql://")))
        return false;
    struct parts p = split((struct str){ url.ptr + 8, url.len - 8 });
    if (p.user_info.ptr == NULL)
        return false;
    struct str secret_part;
    (void)str_cut(p.user_info, ':', &secret_part);
    if (secret_part.ptr == NULL)
        return false;
    memset(argument + (secret_part.ptr - argument), '*', secret_part.len);
    return true;
}

/* --- destination --- */

static int parse_settings(struct arena *a, struct str query, struct url_destination *out,
                          struct error *err)
{
    size_t most = 1;
    for (size_t i = 0; i < query.len; i++)
        most += query.ptr[i] == '&';
    struct str *settings = ARENA_ARRAY(a, struct str, most);
    size_t count = 0;
    while (query.len > 0) {
        struct str value;
        struct str pair = str_cut(query, '&', &query);
        struct str name = str_cut(pair, '=', &value);
        if (pair.len == 0)
            continue;
        if (name.len == 0 || value.ptr == NULL)
            return bad_url(err, "Write settings as name=value, joined by '&'.",
                           "'" STR_FMT "' in the destination is no name=value",
                           STR_ARG(pair));
        if (decode(a, pair, "destination's query", &settings[count++], err) < 0)
            return -1;
    }
    out->settings = settings;
    out->setting_count = count;
    return 0;
}

static bool is_scheme(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!((s.ptr[i] >= 'a' && s.ptr[i] <= 'z') ||
              (i > 0 && s.ptr[i] != '\0' && strchr("0123456789+-.", s.ptr[i]) != NULL)))
            return false;
    return s.len > 1;
}

int url_parse_destination(struct arena *a, struct str url, struct url_destination *out,
                          struct error *err)
{
    static const char hint[] = "Write duckdb:path/to/file.duckdb.";
    struct url_destination u = { 0 };
    struct str rest, query;
    if (url.len > URL_LIMIT)
        return bad_url(err, hint, "the destination is longer than %d bytes", URL_LIMIT);
    u.scheme = str_cut(url, ':', &rest);
    if (rest.ptr == NULL || !is_scheme(u.scheme))
        return bad_url(err, hint, "the destination does not begin with a kind and a ':'");
    struct str location = str_cut(rest, '?', &query);
    u.scheme = arena_str(a, u.scheme);
    if (decode(a, location, "destination", &u.location, err) < 0)
        return -1;
    if (u.location.len == 0)
        return bad_url(err, hint, "the destination names nothing after '" STR_FMT ":'",
                       STR_ARG(u.scheme));
    if (parse_settings(a, query, &u, err) < 0)
        return -1;
    *out = u;
    return 0;
}

void url_print_destination(struct buf *out, const struct url_destination *u)
{
    buf_add_str(out, u->scheme);
    buf_add_char(out, ':');
    encode(out, u->location, "/:@,+ ");
    for (size_t i = 0; i < u->setting_count; i++) {
        buf_add_char(out, i == 0 ? '?' : '&');
        encode(out, u->settings[i], "=/:@,+ ");
    }
}
