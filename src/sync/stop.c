/* See stop.h. */
#include "sync/stop.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARENA_LIMIT ((size_t)16 << 20)
/* Runs looked at; the one that runs is the newest, or behind a few that died. */
#define FEW_RUNS 20
/* Between two signals of one kind, which the kernel would make one. */
#define AGAIN_US ((int64_t)300 * 1000)
#define SECOND_US ((int64_t)1000 * 1000)

/* out->job 0: none runs. */
static int find_running(struct state *s, struct str integration, struct stop_result *out,
                        struct error *err)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new(ARENA_LIMIT);
    struct job_row *rows = NULL;
    size_t count = 0;
    struct job_page newest = { .integration = integration, .limit = FEW_RUNS };
    *out = (struct stop_result){ 0 };
    if (state_job_list(s, a, &newest, &rows, &count, err) != 0)
        return -1;
    for (size_t i = 0; i < count && out->job == 0; i++)
        if (rows[i].outcome == JOB_RUNNING)
            *out = (struct stop_result){ .job = rows[i].id, .pid = rows[i].pid };
    return 0;
}

static int read_outcome(struct state *s, struct str integration, struct stop_result *out,
                        struct error *err)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new(ARENA_LIMIT);
    struct job_row *rows = NULL;
    size_t count = 0;
    struct job_page newest = { .integration = integration, .limit = FEW_RUNS };
    if (state_job_list(s, a, &newest, &rows, &count, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (rows[i].id == out->job)
            out->outcome = rows[i].outcome;
    return 0;
}

/* *fd stands for one process, whoever gets its number later (pidfd_open(2), since Linux
 * 5.3). -1: nothing runs any more. */
static int open_process(struct state *s, struct str integration, struct stop_result *out,
                        int *fd, struct error *err)
{
    struct stop_result again = { 0 };
    *fd = -1;
    if (find_running(s, integration, out, err) != 0)
        return -1;
    if (out->job == 0)
        return 0;
    *fd = (int)syscall(SYS_pidfd_open, (pid_t)out->pid, 0U);
    int sys = errno;
    if (*fd < 0 && sys != ESRCH) {
        (void)error_set(err, ERR_IO, "process %lld cannot be watched",
                        (long long)out->pid);
        err->sys = sys;
        err->hint = "Send it SIGINT: `kill -INT PID`.";
        return -1;
    }
    /* The state compares the process's start with the recorded one: found again now, the
     * descriptor is that of the run. */
    int rc = find_running(s, integration, &again, err);
    if (*fd >= 0 && (rc != 0 || again.job != out->job || again.pid != out->pid)) {
        (void)close(*fd);
        *fd = -1;
    }
    if (*fd < 0)
        *out = (struct stop_result){ 0 };
    return rc;
}

static int send_stop(int fd, int64_t pid, struct error *err)
{
    if (syscall(SYS_pidfd_send_signal, fd, SIGINT, NULL, 0U) == 0 || errno == ESRCH)
        return 0;
    int sys = errno;
    (void)error_set(err, ERR_CONFIG, "process %lld cannot be stopped by this user",
                    (long long)pid);
    err->sys = sys;
    err->hint = "Run the command as the user who started it.";
    return -1;
}

static int signal_until_end(int fd, const struct stop_request *r, int64_t pid,
                            struct cancel *c, struct error *err)
{
    int64_t until = clock_mono_us() + r->wait_us;
    if (send_stop(fd, pid, err) != 0)
        return -1;
    for (int64_t pause = AGAIN_US;; pause = SECOND_US) {
        int64_t left = until - clock_mono_us();
        int ready =
            clock_poll(fd, POLLIN, c, left < pause ? (left < 0 ? 0 : left) : pause);
        if (ready == 1)
            return 0;
        if (ready < 0)
            return cancel_check(c, err);
        if (r->now && send_stop(fd, pid, err) != 0)
            return -1;
        if (left > pause)
            continue;
        (void)error_set(err, ERR_LIMIT,
                        "'" STR_FMT "' was asked to stop and has not ended yet, process "
                        "%lld",
                        STR_ARG(r->integration), (long long)pid);
        err->hint = r->now
                        ? "It ends by itself; --wait waits longer."
                        : "It still loads what is captured: --wait waits longer, --now "
                          "leaves that to the next run.";
        return -1;
    }
}

int stop_run(struct state *s, const struct stop_request *r, struct cancel *c,
             struct stop_result *out, struct error *err)
{
    int fd = -1;
    if (open_process(s, r->integration, out, &fd, err) != 0)
        return -1;
    if (fd < 0)
        return 0;
    int rc = signal_until_end(fd, r, out->pid, c, err);
    (void)close(fd);
    return rc != 0 ? -1 : read_outcome(s, r->integration, out, err);
}
