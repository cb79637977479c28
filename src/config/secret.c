#include "config/secret.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

struct secret {
    size_t len;
    char value[]; /* NUL-terminated */
};

struct secret *secret_new(struct str value)
{
    struct secret *s = xcalloc(1, sizeof(*s) + value.len + 1);
    s->len = value.len;
    if (value.len > 0)
        memcpy(s->value, value.ptr, value.len);
    return s;
}

struct secret *secret_copy(const struct secret *s)
{
    return s == NULL ? NULL : secret_new((struct str){ s->value, s->len });
}

void secret_free(struct secret *s)
{
    if (s == NULL)
        return;
    explicit_bzero(s->value, s->len);
    free(s);
}

void secret_free_at(struct secret **s)
{
    secret_free(*s);
    *s = NULL;
}

const char *secret_reveal(const struct secret *s)
{
    return s == NULL ? NULL : s->value;
}

struct secret *secret_take_env(const char *name)
{
    char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): before threads start */
    if (value == NULL)
        return NULL;
    struct secret *s = secret_new(str_of(value));
    /* The block that /proc/PID/environ shows is this very memory. */
    explicit_bzero(value, strlen(value));
    /* Cannot fail for a name that was found. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    (void)unsetenv(name);
    return s;
}

/* --- from a file --- */

static struct secret *first_line(struct str text, const char *path, struct error *err)
{
    struct str rest;
    struct str line = str_cut(text, '\n', &rest);
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    if (line.len == 0) {
        (void)error_set(err, ERR_CONFIG, "'%s' begins with an empty line", path);
        err->hint = "Write the password alone into the first line of the file.";
        return NULL;
    }
    if (memchr(line.ptr, '\0', line.len) != NULL) {
        (void)error_set(err, ERR_CONFIG, "the first line of '%s' is no text", path);
        err->hint = "Write the password alone into the first line of the file.";
        return NULL;
    }
    return secret_new(line);
}

struct secret *secret_from_file(const char *path, struct error *err)
{
    char text[SECRET_LIMIT + 2];
    size_t len = 0;
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : 1;
    while (n > 0 && len < sizeof(text)) {
        n = read(fd, text + len, sizeof(text) - len);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            len += (size_t)n;
    }
    struct secret *s = NULL;
    if (n < 0) {
        char room[128];
        int sys = errno;
        (void)error_set(err, ERR_CONFIG, "reading the password file '%s': %s", path,
                        strerror_r(sys, room, sizeof(room)));
        err->sys = sys;
        err->hint = "Name a file that this user can read.";
    } else if (len == sizeof(text) && memchr(text, '\n', len) == NULL) {
        (void)error_set(err, ERR_CONFIG, "the first line of '%s' is longer than %d bytes",
                        path, SECRET_LIMIT);
    } else {
        s = first_line((struct str){ text, len }, path, err);
    }
    explicit_bzero(text, sizeof(text));
    return s;
}

/* --- from a terminal --- */

#define KEY_CTRL_C 0x03
#define KEY_CTRL_D 0x04
#define KEY_CTRL_U 0x15
#define KEY_BACKSPACE 0x08
#define KEY_DELETE 0x7F

/* Without the last character, all its bytes. */
static size_t without_last(const char *line, size_t len)
{
    while (len > 0 && ((unsigned char)line[len - 1] & 0xC0) == 0x80)
        len--;
    return len > 0 ? len - 1 : 0;
}

/* Keys up to Enter. The terminal is raw, so what a line editor does is done here. False:
 * the person gave up. */
static bool read_line(int fd, char line[SECRET_LIMIT + 1], size_t *out_len)
{
    size_t len = 0;
    for (;;) {
        unsigned char key;
        ssize_t n = read(fd, &key, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || key == KEY_CTRL_C || (key == KEY_CTRL_D && len == 0))
            return false;
        if (key == '\n' || key == '\r' || key == KEY_CTRL_D)
            break;
        if (key == KEY_BACKSPACE || key == KEY_DELETE)
            len = without_last(line, len);
        else if (key == KEY_CTRL_U)
            len = 0;
        else if (len < SECRET_LIMIT && key != '\0')
            line[len++] = (char)key;
    }
    line[len] = '\0';
    *out_len = len;
    return true;
}

static void say(int fd, const char *text)
{
    /* A prompt that cannot be shown shows in what follows. */
    if (write(fd, text, strlen(text)) < 0)
        return;
}

struct secret *secret_from_terminal(int fd, const char *prompt, struct error *err)
{
    struct termios before, raw;
    if (tcgetattr(fd, &before) < 0) {
        (void)error_set(err, ERR_CONFIG, "there is no terminal to ask for the password");
        err->hint = "Give the password in the environment or in a file.";
        return NULL;
    }
    raw = before;
    /* No ISIG: Ctrl-C comes as a key, so the echo is restored before anything ends. */
    raw.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    (void)tcsetattr(fd, TCSAFLUSH, &raw); /* the descriptor is a terminal, see above */

    char line[SECRET_LIMIT + 1];
    size_t len = 0;
    say(fd, prompt);
    bool done = read_line(fd, line, &len);
    say(fd, "\n");
    (void)tcsetattr(fd, TCSAFLUSH, &before); /* as above */

    struct secret *s = NULL;
    if (done)
        s = secret_new((struct str){ line, len });
    else
        (void)error_set(err, ERR_CANCELLED, "no password was entered");
    explicit_bzero(line, sizeof(line));
    return s;
}

struct secret *secret_from_prompt(const char *prompt, struct error *err)
{
    CLEANUP(close_fd) int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    return secret_from_terminal(fd, prompt, err);
}
