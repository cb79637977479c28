#include "base/alloc.h"
#include "base/file.h"
#include "config/secret.h"
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <termios.h>

static void a_value_is_copied_and_revealed_on_purpose(void **state)
{
    (void)state;
    char text[] = "hunter2";
    CLEANUP(secret_free_at) struct secret *s = secret_new(str_of(text));
    memset(text, 'x', sizeof(text) - 1);
    assert_string_equal(secret_reveal(s), "hunter2");
    CLEANUP(secret_free_at) struct secret *copy = secret_copy(s);
    assert_string_equal(secret_reveal(copy), "hunter2");
    CLEANUP(secret_free_at) struct secret *empty = secret_new((struct str){ 0 });
    assert_string_equal(secret_reveal(empty), "");
    assert_null(secret_reveal(NULL));
    assert_null(secret_copy(NULL));
    secret_free(NULL);
}

static void the_environment_forgets_what_was_taken(void **state)
{
    (void)state;
    assert_int_equal(setenv("TAILRACE_TEST_PASSWORD", "hunter2", 1), 0);
    const char *seen = getenv("TAILRACE_TEST_PASSWORD");
    CLEANUP(secret_free_at) struct secret *s = secret_take_env("TAILRACE_TEST_PASSWORD");
    assert_string_equal(secret_reveal(s), "hunter2");
    assert_int_equal(seen[0], '\0');
    assert_null(getenv("TAILRACE_TEST_PASSWORD"));
    assert_null(secret_take_env("TAILRACE_TEST_PASSWORD"));
}

/* --- files --- */

static char path[] = "/tmp/tailrace-secret-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    memcpy(path + strlen(path) - 6, "XXXXXX", 6);
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static struct secret *from_content(struct str content, struct error *err)
{
    assert_int_equal(put_file(path, content, 0600), 0);
    return secret_from_file(path, err);
}

static void expect_from(const char *content, const char *want)
{
    struct error err = { 0 };
    CLEANUP(secret_free_at) struct secret *s = from_content(str_of(content), &err);
    assert_non_null(s);
    assert_string_equal(secret_reveal(s), want);
}

static void a_file_gives_its_first_line(void **state)
{
    (void)state;
    expect_from("hunter2", "hunter2");
    expect_from("hunter2\n", "hunter2");
    expect_from("hunter2\r\nmore\n", "hunter2");
    expect_from(" spaces count \n", " spaces count ");
}

static void a_file_without_a_usable_line_is_refused(void **state)
{
    (void)state;
    struct error err = { 0 };
    CLEANUP(free_pointer) char *much = xcalloc(SECRET_LIMIT + 3, 1);
    memset(much, 'a', SECRET_LIMIT + 2);
    assert_null(from_content(STR(""), &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(err.hint);
    assert_null(from_content(STR("\nhunter2\n"), &err));
    assert_null(from_content((struct str){ "a\0b\n", 4 }, &err));
    assert_non_null(strstr(err.text, "is no text"));
    assert_null(from_content(str_of(much), &err));
    assert_non_null(strstr(err.text, "longer than 4096 bytes"));
    assert_null(strstr(err.text, "aaaa"));
    assert_null(secret_from_file("/nonexistent/password", &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_int_equal(err.sys, ENOENT);
}

/* --- terminals: a child answers on the other side of a pty --- */

struct answer {
    const char *keys;
    size_t len;
};

/* Type keys once the echo is off; the screen's content goes to the pipe. */
static void type_keys(int master, struct answer a)
{
    struct termios t;
    do {
        if (tcgetattr(master, &t) < 0)
            _exit(1);
    } while ((t.c_lflag & (tcflag_t)ECHO) != 0);
    if (write(master, a.keys, a.len) < 0)
        _exit(1);
}

static struct secret *ask(struct answer a, char screen[256], struct error *err)
{
    int master, slave;
    struct termios before, after;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    assert_int_equal(tcgetattr(slave, &before), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        type_keys(master, a);
        _exit(0);
    }
    struct secret *s = secret_from_terminal(slave, "Password: ", err);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(tcgetattr(slave, &after), 0);
    assert_int_equal(after.c_lflag, before.c_lflag);
    size_t len = 0;
    while (len < 255 && (len == 0 || screen[len - 1] != '\n')) {
        ssize_t n = read(master, screen + len, 255 - len);
        assert_true(n > 0);
        len += (size_t)n;
    }
    screen[len] = '\0';
    close(slave);
    close(master);
    return s;
}

static void expect_typed(const char *keys, const char *want)
{
    struct error err = { 0 };
    char screen[256];
    struct answer a = { keys, strlen(keys) };
    CLEANUP(secret_free_at) struct secret *s = ask(a, screen, &err);
    assert_non_null(s);
    assert_string_equal(secret_reveal(s), want);
    assert_string_equal(screen, "Password: \r\n");
}

static void a_prompt_reads_a_line_without_echo(void **state)
{
    (void)state;
    expect_typed("hunter2\r", "hunter2");
    expect_typed("hunter2\n", "hunter2");
    expect_typed("hunt\x04", "hunt");
    expect_typed("\r", "");
    expect_typed("wrong\x15right\r", "right");
    expect_typed("ab\x7f"
                 "c\xC3\xA9\x08"
                 "d\x7f\x7f\x7f\x7f\x7fz\r",
                 "z");
    expect_typed("ab\x7f"
                 "c\xC3\xA9\x08"
                 "d\r",
                 "acd");
}

static void giving_up_at_the_prompt_is_a_cancel(void **state)
{
    (void)state;
    struct error err = { 0 };
    char screen[256];
    assert_null(ask((struct answer){ "hun\x03", 4 }, screen, &err));
    assert_int_equal(err.code, ERR_CANCELLED);
    assert_null(ask((struct answer){ "\x04", 1 }, screen, &err));
    assert_int_equal(err.code, ERR_CANCELLED);
}

static void no_terminal_is_told_with_a_way_out(void **state)
{
    (void)state;
    struct error err = { 0 };
    CLEANUP(close_fd) int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_null(secret_from_terminal(fd, "Password: ", &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(err.hint);
}

static void prompt_in_a_new_session(void)
{
    struct error err = { 0 };
    (void)setsid();
    if (secret_from_prompt("Password: ", &err) == NULL && err.code == ERR_CONFIG)
        abort();
}

static void a_process_without_terminal_cannot_ask(void **state)
{
    (void)state;
    assert_int_equal(signal_that_ends(prompt_in_a_new_session), SIGABRT);
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, make_file, remove_file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_copied_and_revealed_on_purpose),
        cmocka_unit_test(the_environment_forgets_what_was_taken),
        FILE_TEST(a_file_gives_its_first_line),
        FILE_TEST(a_file_without_a_usable_line_is_refused),
        cmocka_unit_test(a_prompt_reads_a_line_without_echo),
        cmocka_unit_test(giving_up_at_the_prompt_is_a_cancel),
        cmocka_unit_test(no_terminal_is_told_with_a_way_out),
        cmocka_unit_test(a_process_without_terminal_cannot_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
