#include "warehouse/start.h"

#include "base/alloc.h"
#include "warehouse/frame.h"
#include "warehouse/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What an owner may know of our environment, by the start of the name: a source's
 * password is none of its business, and it lives longer than the job. */
static const char *const known_environment[] = {
    "PATH=",
    "HOME=",
    "TMPDIR=",
    "XDG_RUNTIME_DIR=",
    "LANG=",
    "LC_",
    "LD_LIBRARY_",
    "TAILRACE_EXE=",
    "TAILRACE_FAULT=",
    "ASAN_OPTIONS=",
    "UBSAN_",
    "TSAN_OPTIONS=",
    "LSAN_OPTIONS=",
    "TAILRACE_LIBDUCKDB=",
    "TAILRACE_WAREHOUSE_LOG=",
};

/* Everything that the child needs, made before the fork: after it only async-signal-safe
 * calls are allowed (fork(2)). */
struct launch {
    const char *exe;
    char **arguments;   /* owned, each too */
    char **environment; /* owned; the texts are borrowed */
    struct buf failure; /* the message when exec fails */
    int log;            /* for standard error */
    int report[2];
};

static char **make_arguments(const struct start_options *o)
{
    char **list = xcalloc(o->setting_count * 2 + 6, sizeof(*list));
    char idle[32];
    size_t n = 0;
    (void)snprintf(idle, sizeof(idle), "%lld",
                   (long long)(o->idle_us < 0 ? -1 : o->idle_us / 1000));
    list[n++] = xstrdup("tailrace");
    list[n++] = xstrdup("warehouse");
    list[n++] = xstrdup(o->real_path);
    list[n++] = xstrdup("--idle");
    list[n++] = xstrdup(idle);
    for (size_t i = 0; i < o->setting_count; i++) {
        char *text = xcalloc(1, o->settings[i].len + 1);
        if (o->settings[i].len > 0)
            memcpy(text, o->settings[i].ptr, o->settings[i].len);
        list[n++] = xstrdup("--set");
        list[n++] = text;
    }
    return list;
}

static bool is_known(const char *entry)
{
    for (size_t i = 0; i < sizeof(known_environment) / sizeof(known_environment[0]); i++)
        if (str_starts(str_of(entry), str_of(known_environment[i])))
            return true;
    return false;
}

static char **make_environment(void)
{
    size_t count = 0, n = 0;
    while (environ[count] != NULL)
        count++;
    char **list = xcalloc(count + 1, sizeof(*list));
    for (size_t i = 0; i < count; i++)
        if (is_known(environ[i]))
            list[n++] = environ[i];
    return list;
}

static int launch_prepare(struct launch *l, const struct start_options *o,
                          struct error *err)
{
    struct error failure = { 0 };
    /* NOLINTBEGIN(concurrency-mt-unsafe): the environment is not changed once threads run
     */
    const char *log = getenv(START_LOG_ENVIRONMENT);
    const char *exe = getenv("TAILRACE_EXE");
    /* NOLINTEND(concurrency-mt-unsafe) */
    l->exe = exe != NULL && exe[0] != '\0' ? exe : "/proc/self/exe";
    l->arguments = make_arguments(o);
    l->environment = make_environment();
    (void)error_set(&failure, ERR_CONFIG, "'%s' cannot be started", l->exe);
    failure.hint = "Set TAILRACE_EXE to the path of the tailrace program.";
    if (reply_encode_error(&l->failure, &failure, -1, err) != 0)
        return -1;
    l->log = open(log != NULL && log[0] != '\0' ? log : "/dev/null",
                  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
    if (l->log < 0)
        return error_set(err, ERR_CONFIG, "'%s' of %s cannot be written",
                         log == NULL ? "/dev/null" : log, START_LOG_ENVIRONMENT);
    if (pipe2(l->report, O_CLOEXEC) != 0)
        return error_set(err, ERR_LIMIT, "no pipe for starting the warehouse process");
    return 0;
}

static void launch_done(struct launch *l)
{
    for (size_t i = 0; l->arguments != NULL && l->arguments[i] != NULL; i++)
        free(l->arguments[i]);
    free(l->arguments);
    free(l->environment);
    buf_done(&l->failure);
    close_fd(&l->log);
    close_fd(&l->report[0]);
    close_fd(&l->report[1]);
}

/* In the grandchild. Never returns. */
static void become_owner(const struct launch *l) __attribute__((noreturn));
static void become_owner(const struct launch *l)
{
    sigset_t none;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    if (null >= 0 && dup2(null, 0) == 0 && dup2(l->report[1], 1) == 1 &&
        dup2(l->log, 2) == 2) {
        /* libraries open descriptors without close-on-exec; close_range(2) is Linux 5.9
         */
        (void)syscall(SYS_close_range, 3U, UINT_MAX, 0U);
        (void)execve(l->exe, l->arguments, l->environment);
    }
    ssize_t n = write(1, l->failure.data, l->failure.len);
    _exit(n < 0 ? 126 : 127);
}

/* Twice, so that the owner belongs to init and to no terminal. */
static int fork_twice(const struct launch *l, struct error *err)
{
    pid_t child = fork();
    if (child < 0)
        return error_set(err, ERR_LIMIT, "no process for the warehouse: fork failed");
    if (child == 0) {
        if (setsid() < 0)
            _exit(1);
        pid_t grandchild = fork();
        if (grandchild == 0)
            become_owner(l);
        _exit(grandchild < 0 ? 1 : 0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return 0; /* somebody ignores SIGCHLD: the report tells the rest */
    if (status == 0)
        return 0;
    return error_set(err, ERR_LIMIT, "no process for the warehouse: fork failed");
}

/* Nothing, or the owner's error. */
static int read_report(int fd, struct cancel *c, struct error *err)
{
    CLEANUP(buf_done) struct buf message;
    CLEANUP(reply_done) struct reply reply = { 0 };
    buf_init(&message, FRAME_LIMIT_BYTES);
    int rc = frame_receive(fd, &message, c, err);
    if (rc <= 0)
        return rc;
    if (reply_read(buf_str(&message), &reply, err) != 0)
        return -1;
    if (reply.kind != REPLY_ERROR)
        return error_set(err, ERR_PROTOCOL, "the warehouse process reports nonsense");
    return reply_decode_error(&reply, NULL, err);
}

int start_owner(const struct start_options *o, struct cancel *c, struct error *err)
{
    struct launch l = { .log = -1, .report = { -1, -1 } };
    buf_init(&l.failure, 8192);
    int rc = launch_prepare(&l, o, err);
    if (rc == 0)
        rc = fork_twice(&l, err);
    if (rc == 0) {
        close_fd(&l.report[1]);
        rc = read_report(l.report[0], c, err);
    }
    launch_done(&l);
    return rc;
}
