#include "base/alloc.h"
#include "config/url.h"
#include "support/test.h"

static struct arena *arena;

static int begin(void **state)
{
    (void)state;
    arena = arena_new(1 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

/* Parse, expecting success and this password (NULL: none). */
static struct url_source source(const char *url, const char *password)
{
    struct error err = { 0 };
    struct url_source u = { 0 };
    CLEANUP(secret_free_at) struct secret *s = NULL;
    if (url_parse_source(arena, str_of(url), &u, &s, &err) < 0)
        fail_msg("%s: %s", url, err.text);
    if (password == NULL)
        assert_null(s);
    else
        assert_string_equal(secret_reveal(s), password);
    return u;
}

static void a_plain_source_has_its_parts(void **state)
{
    (void)state;
    struct url_source u = source("mysql://reader@db.example.com:3307/shop,crm", NULL);
    assert_str(u.user, "reader");
    assert_str(u.host, "db.example.com");
    assert_int_equal(u.port, 3307);
    assert_int_equal(u.database_count, 2);
    assert_str(u.databases[0], "shop");
    assert_str(u.databases[1], "crm");
    assert_int_equal(u.tls, URL_TLS_VERIFY_IDENTITY);
    assert_str(u.socket, "");
    assert_str(u.ca, "");
}

static void what_is_left_out_has_a_default(void **state)
{
    (void)state;
    struct url_source u = source("mysql://u@h", NULL);
    assert_int_equal(u.port, 3306);
    assert_int_equal(u.database_count, 0);
    u = source("mysql://u@h/", NULL);
    assert_int_equal(u.database_count, 0);
    u = source("mysql://u@h?", NULL);
    u = source("mysql://u@h/db?&", NULL);
    assert_int_equal(u.database_count, 1);
}

static void a_password_is_taken_out(void **state)
{
    (void)state;
    struct url_source u = source("mysql://u:p%40ss%2F%3A%25@h/db", "p@ss/:%");
    assert_str(u.user, "u");
    u = source("mysql://u:@h", "");
    u = source("mysql://u:a:b@h", "a:b");
    u = source("mysql://u:a@b@h", "a@b");
    assert_str(u.host, "h");
}

static void every_part_may_be_percent_encoded(void **state)
{
    (void)state;
    struct url_source u =
        source("mysql://us%65r%40corp@h%2Ex/a%2Cb,%C3%A9?ca=%2Fx%20y", NULL);
    assert_str(u.user, "user@corp");
    assert_str(u.host, "h.x");
    assert_str(u.databases[0], "a,b");
    assert_str(u.databases[1], "\xC3\xA9");
    assert_str(u.ca, "/x y");
    assert_int_equal(u.ca.ptr[u.ca.len], '\0');
}

static void an_ipv6_address_stands_in_brackets(void **state)
{
    (void)state;
    struct url_source u = source("mysql://u@[::1]:3307/db", NULL);
    assert_str(u.host, "::1");
    assert_int_equal(u.port, 3307);
    u = source("mysql://u@[fe80::1%25eth0]", NULL);
    assert_str(u.host, "fe80::1%eth0");
    assert_int_equal(u.port, 3306);
}

static void a_socket_takes_the_place_of_the_host(void **state)
{
    (void)state;
    struct url_source u = source("mysql://u@/db?socket=/run/mysqld/mysqld.sock", NULL);
    assert_str(u.host, "");
    assert_str(u.socket, "/run/mysqld/mysqld.sock");
    assert_int_equal(u.port, 0);
    assert_str(u.databases[0], "db");
    u = source("mysql://u:p@?socket=/s", "p");
    assert_str(u.socket, "/s");
}

static void tls_and_its_files_are_parameters(void **state)
{
    (void)state;
    struct url_source u =
        source("mysql://u@h?tls=verify-identity&ca=/ca&cert=/cert&key=/key", NULL);
    assert_int_equal(u.tls, URL_TLS_VERIFY_IDENTITY);
    assert_str(u.ca, "/ca");
    assert_str(u.cert, "/cert");
    assert_str(u.key, "/key");
    assert_int_equal(source("mysql://u@h?tls=disabled", NULL).tls, URL_TLS_DISABLED);
    assert_int_equal(source("mysql://u@127.0.0.1", NULL).tls, URL_TLS_DISABLED);
    assert_int_equal(source("mysql://u@localhost", NULL).tls, URL_TLS_DISABLED);
    assert_int_equal(source("mysql://u@[::1]", NULL).tls, URL_TLS_DISABLED);
    assert_int_equal(source("mysql://u@localhost?ca=/ca", NULL).tls,
                     URL_TLS_VERIFY_IDENTITY);
    assert_int_equal(source("mysql://u@127.0.0.1?tls=verify-identity", NULL).tls,
                     URL_TLS_VERIFY_IDENTITY);
    assert_int_equal(source("mysql://u@127.example.com", NULL).tls,
                     URL_TLS_VERIFY_IDENTITY);
}

static void what_cannot_be_meant_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *url, *text;
    } bad[] = {
        { "", "does not begin with 'mysql://'" },
        { "postgres://u@h", "does not begin with 'mysql://'" },
        { "mysql:/u@h", "does not begin with 'mysql://'" },
        { "mysql://h", "names no user" },
        { "mysql://@h", "names no user" },
        { "mysql://:p@h", "names no user" },
        { "mysql://u@", "neither a host nor a socket" },
        { "mysql://u@/db", "neither a host nor a socket" },
        { "mysql://u@h?socket=/s", "both a host and a socket" },
        { "mysql://u@?socket=s", "'s' is no absolute path" },
        { "mysql://u@h:", "'' is no port" },
        { "mysql://u@h:0", "'0' is no port" },
        { "mysql://u@h:65536", "'65536' is no port" },
        { "mysql://u@h:33x6",
          "'33x6' is no port: a number from 1 to 65535 was expected" },
        { "mysql://u@h:3306:1", "more than one ':'" },
        { "mysql://u@::1", "an IPv6 address stands in brackets" },
        { "mysql://u@[::1", "is not closed" },
        { "mysql://u@[::1]x", "'x' follows the host's ']'" },
        { "mysql://u@[::1]:x", "'x' is no port" },
        { "mysql://u@[h]", "is no IPv6 address" },
        { "mysql://u@[1]", "is no IPv6 address" },
        { "mysql://u@[::%zz]", "the host holds a '%'" },
        { "mysql://u@h h", "'h h' is no host name" },
        { "mysql://u@:3306", "'' is no host name" },
        { "mysql://u@h%2Fx", "is no host name" },
        { "mysql://u@h%zz", "the host holds a '%'" },
        { "mysql://u@h/a,,b", "a name is missing in the list of databases" },
        { "mysql://u@h/a,", "a name is missing in the list of databases" },
        { "mysql://u@h/a/b", "databases are separated by commas" },
        { "mysql://u@h/a%0", "the database name holds a '%'" },
        { "mysql://u@h/a%00", "the database name holds a '%'" },
        { "mysql://u%@h", "the user name holds a '%'" },
        { "mysql://u@h?tls=maybe", "'maybe' is no value of tls" },
        { "mysql://u@h?tls", "'' is no value of tls" },
        { "mysql://u@h?ca=", "'ca' in the source URL needs a path" },
        { "mysql://u@h?ca=%", "the query holds a '%'" },
        { "mysql://u@h?port=1", "does not know 'port'" },
        { "mysql://u@h?cert=/c", "one of cert and key without the other" },
        { "mysql://u@h?ca=/a@b", "'@' behind its '?'" },
        { "mysql://u@h/db@x", "a '/' or '?' before its last '@'" },
        { "mysql://u@h/db?x@y", "'@' behind its '?'" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error err = { 0 };
        struct url_source u = { 0 };
        struct secret *s = NULL;
        if (url_parse_source(arena, str_of(bad[i].url), &u, &s, &err) == 0)
            fail_msg("accepted %s", bad[i].url);
        if (strstr(err.text, bad[i].text) == NULL)
            fail_msg("%s: %s", bad[i].url, err.text);
        assert_int_equal(err.code, ERR_CONFIG);
        assert_non_null(err.hint);
        assert_null(s);
        assert_null(u.user.ptr);
    }
}

static void no_error_shows_the_password(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "mysql://u:hunter2@h:x",   "mysql://u:hunter2%@h",
        "mysql://u:hunter2/x@h",   "mysql://u:hunter2?x@h",
        "mysql://:hunter2@h",      "mysql://u:hunter2@",
        "mysql://u:hunter2@h/a/b", "mysql://u:hunter2@h?tls=",
        "mysql://u:hunter2@h@",    "mysql://u:hunter2@h/a?b=@c",
        "mysql:/u:hunter2@h",      "mysql://u:hunter2#x@h?z=1",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error err = { 0 };
        struct url_source u = { 0 };
        struct secret *s = NULL;
        assert_int_equal(url_parse_source(arena, str_of(bad[i]), &u, &s, &err), -1);
        assert_null(s);
        assert_null(strstr(err.text, "hunter2"));
    }
}

static void a_url_has_a_ceiling(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct url_source u;
    struct url_destination d;
    struct secret *s;
    CLEANUP(free_pointer) char *text = xcalloc(URL_LIMIT + 1, 1);
    struct str url = { text, URL_LIMIT + 1 };
    memset(text, 'a', url.len);
    assert_int_equal(url_parse_source(arena, url, &u, &s, &err), -1);
    assert_string_equal(err.text, "the source URL is longer than 8192 bytes");
    assert_int_equal(url_parse_destination(arena, url, &d, &err), -1);
    assert_string_equal(err.text, "the destination is longer than 8192 bytes");
}

static void printing_leaves_the_password_out_and_parses_again(void **state)
{
    (void)state;
    static const struct {
        const char *url, *password, *printed;
    } rows[] = {
        { "mysql://u:secret@h:3306/a,b", "secret", "mysql://u@h/a,b" },
        { "mysql://u@h:3307", NULL, "mysql://u@h:3307" },
        { "mysql://u%40x@[::1]:33/a%2Cb?tls=disabled&ca=/c d", NULL,
          "mysql://u%40x@[::1]:33/a%2Cb?tls=disabled&ca=/c%20d" },
        { "mysql://u@[fe80::1%25eth0]", NULL, "mysql://u@[fe80::1%25eth0]" },
        { "mysql://u@/db?socket=/s", NULL, "mysql://u@/db?socket=/s" },
        { "mysql://u@h?key=/k&cert=/c", NULL, "mysql://u@h?cert=/c&key=/k" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(buf_done) struct buf out, again;
        buf_init(&out, URL_LIMIT);
        buf_init(&again, URL_LIMIT);
        struct url_source u = source(rows[i].url, rows[i].password);
        url_print_source(&out, &u);
        assert_string_equal(buf_text(&out), rows[i].printed);
        u = source(rows[i].printed, NULL);
        url_print_source(&again, &u);
        assert_string_equal(buf_text(&again), rows[i].printed);
    }
}

static void an_argument_is_wiped_in_place(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after;
    } rows[] = {
        { "mysql://u:hunter2@h/db", "mysql://u:*******@h/db" },
        { "mysql://u:a/b?c@h/db", "mysql://u:*****@h/db" },
        { "mysql://u:a@b@h", "mysql://u:***@h" },
        { "mysql://u:@h", "mysql://u:@h" },
    };
    char text[64];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memcpy(text, rows[i].before, strlen(rows[i].before) + 1);
        assert_true(url_wipe_argument(text));
        assert_string_equal(text, rows[i].after);
    }
    static const char *const clean[] = { "mysql://u@h", "mysql://h", "--json", "",
                                         "duckdb:a:b@c" };
    for (size_t i = 0; i < sizeof(clean) / sizeof(clean[0]); i++) {
        memcpy(text, clean[i], strlen(clean[i]) + 1);
        assert_false(url_wipe_argument(text));
        assert_string_equal(text, clean[i]);
    }
}

static void a_destination_has_kind_place_and_settings(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct url_destination d;
    CLEANUP(buf_done) struct buf out;
    const char *url = "duckdb:dir/my%20file.duckdb?memory_limit=1GiB&&threads=2";
    buf_init(&out, URL_LIMIT);
    assert_int_equal(url_parse_destination(arena, str_of(url), &d, &err), 0);
    assert_str(d.scheme, "duckdb");
    assert_str(d.location, "dir/my file.duckdb");
    assert_int_equal(d.setting_count, 2);
    assert_str(d.settings[0], "memory_limit=1GiB");
    assert_str(d.settings[1], "threads=2");
    url_print_destination(&out, &d);
    assert_string_equal(buf_text(&out),
                        "duckdb:dir/my file.duckdb?memory_limit=1GiB&threads=2");
    assert_int_equal(url_parse_destination(arena, STR("duckdb:x"), &d, &err), 0);
    assert_int_equal(d.setting_count, 0);
}

static void a_bad_destination_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *url, *text;
    } bad[] = {
        { "", "does not begin with a kind and a ':'" },
        { "file.duckdb", "does not begin with a kind and a ':'" },
        { "C:/x", "does not begin with a kind and a ':'" },
        { ":x", "does not begin with a kind and a ':'" },
        { "duckdb:", "names nothing after 'duckdb:'" },
        { "duckdb:?a=b", "names nothing after 'duckdb:'" },
        { "duckdb:x%", "the destination holds a '%'" },
        { "duckdb:x?a", "'a' in the destination is no name=value" },
        { "duckdb:x?=a", "'=a' in the destination is no name=value" },
        { "duckdb:x?a=%", "the destination's query holds a '%'" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error err = { 0 };
        struct url_destination d = { 0 };
        assert_int_equal(url_parse_destination(arena, str_of(bad[i].url), &d, &err), -1);
        if (strstr(err.text, bad[i].text) == NULL)
            fail_msg("%s: %s", bad[i].url, err.text);
        assert_null(d.scheme.ptr);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plain_source_has_its_parts),
        TEST(what_is_left_out_has_a_default),
        TEST(a_password_is_taken_out),
        TEST(every_part_may_be_percent_encoded),
        TEST(an_ipv6_address_stands_in_brackets),
        TEST(a_socket_takes_the_place_of_the_host),
        TEST(tls_and_its_files_are_parameters),
        TEST(what_cannot_be_meant_is_refused_by_name),
        TEST(no_error_shows_the_password),
        TEST(a_url_has_a_ceiling),
        TEST(printing_leaves_the_password_out_and_parses_again),
        TEST(an_argument_is_wiped_in_place),
        TEST(a_destination_has_kind_place_and_settings),
        TEST(a_bad_destination_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
