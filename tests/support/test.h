/* tests/support/test.h
 *
 * What every unit test includes: cmocka with the headers that it wants before it, and a
 * few assertions in our own words.
 */
#ifndef SUPPORT_TEST_H
#define SUPPORT_TEST_H

/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "base/str.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A run of bytes equals a literal. */
#define assert_str(s, literal) assert_str_at((s), STR(literal), __FILE__, __LINE__)

static inline void assert_str_at(struct str s, struct str want, const char *file,
                                 int line)
{
    if (!str_eq(s, want)) {
        print_error("'" STR_FMT "' is not '" STR_FMT "'\n", STR_ARG(s), STR_ARG(want));
        _fail(file, line);
    }
}

/* Make a file of this mode and content, in place of the one that is there. 0, or -1. */
static inline int put_file(const char *path, struct str content, mode_t mode)
{
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return -1;
    ssize_t n = content.len == 0 ? 0 : write(fd, content.ptr, content.len);
    return close(fd) == 0 && n == (ssize_t)content.len ? 0 : -1;
}

/* The signal that ends a child which runs body(), or 0 when it returns. */
static inline int signal_that_ends(void (*body)(void))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL); /* sanitizers and cmocka catch it otherwise */
        (void)freopen("/dev/null", "w", stderr);
        body();
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

#endif
