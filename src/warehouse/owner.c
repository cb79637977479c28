#include "warehouse/owner.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "warehouse/frame.h"
#include "warehouse/owner_internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096

/* Whoever started us comes soon, or died. */
#define FIRST_CLIENT_US (INT64_C(10) * 1000 * 1000)

/* Nothing waits longer without a look. */
#define LONGEST_POLL_US (INT64_C(60) * 1000 * 1000)

/* ---- election -------------------------------------------------------------------- */

/* Under the lock of the file a socket that is there has no listener: its owner was
 * killed. */
static int listen_at(const char *folder, const char *real_path,
                     struct sockaddr_un *address, struct error *err)
{
    if (place_secure(folder, err) != 0 ||
        place_address(folder, real_path, address, err) != 0)
        return -1;
    (void)unlink(address->sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const struct sockaddr *name = (const struct sockaddr *)(const void *)address;
    if (fd >= 0 && bind(fd, name, sizeof(*address)) == 0 &&
        chmod(address->sun_path, 0600) == 0 && listen(fd, OWNER_CLIENTS_LIMIT) == 0)
        return fd;
    (void)error_set(err, ERR_IO, "no socket '%s': %m", address->sun_path);
    err->hint = "Set XDG_RUNTIME_DIR to a folder that only this user can enter.";
    close_fd(&fd);
    return -1;
}

/* In every place that can be used; one is enough. */
static int listen_everywhere(struct owner *o, struct error *err)
{
    unsigned listening = 0;
    for (unsigned i = 0; i < PLACE_SOCKETS; i++) {
        CLEANUP(buf_done) struct buf folder;
        buf_init(&folder, PATH_BYTES);
        o->listeners[i] = -1;
        if (!place_folder(i, &folder))
            continue;
        o->listeners[i] =
            listen_at(buf_text(&folder), o->path.ptr, &o->addresses[i], err);
        listening += o->listeners[i] >= 0;
    }
    return listening > 0 ? 0 : -1;
}

/* 1: we are the owner, 0: another one is, -1: failed. */
static int elect(struct owner *o, struct error *err)
{
    CLEANUP(buf_done) struct buf path;
    pid_t holder = 0;
    buf_init(&path, PATH_BYTES + 64);
    place_lock_path(o->path.ptr, &path);
    o->lock_fd = file_lock(buf_text(&path), &holder, err);
    if (o->lock_fd < 0)
        return err->code == ERR_LIMIT ? 0 : -1;
    FAULT("warehouse.locked");
    return listen_everywhere(o, err) == 0 ? 1 : -1;
}

/* ---- clients --------------------------------------------------------------------- */

static bool is_ours(int fd)
{
    struct ucred peer = { 0 };
    socklen_t length = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
           peer.uid == geteuid();
}

/* Turn a connection away in one message that fits any socket's buffer. */
static void turn_away(int fd, struct error *why)
{
    struct buf b;
    struct error ignored = { 0 };
    buf_init(&b, 4096);
    if (reply_encode_error(&b, why, -1, &ignored) == 0)
        (void)send(fd, b.data, b.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    buf_done(&b);
    close_fd(&fd);
}

static struct client *free_client(struct owner *o)
{
    for (size_t i = 0; i < OWNER_CLIENTS_LIMIT; i++)
        if (!o->clients[i].used)
            return &o->clients[i];
    return NULL;
}

static void accept_client(struct owner *o, int listener)
{
    struct error why = { 0 };
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return; /* it went away again, or there is no descriptor: it stays in line */
    o->greeted = true;
    (void)pthread_mutex_lock(&o->lock);
    struct client *c = is_ours(fd) && !o->stopping ? free_client(o) : NULL;
    if (c == NULL) {
        (void)error_set(&why, ERR_TARGET, "the warehouse process takes no more clients");
    } else {
        *c = (struct client){ .owner = o, .fd = fd, .cancel = cancel_new() };
        c->used = pthread_create(&c->thread, NULL, serve_client, c) == 0;
        if (!c->used) {
            cancel_free(c->cancel);
            (void)error_set(&why, ERR_TARGET, "no thread for a client of the warehouse");
        }
    }
    (void)pthread_mutex_unlock(&o->lock);
    if (why.code != ERR_NONE)
        turn_away(fd, &why);
}

/* Take leave of clients whose threads are over. Returns how many are left. */
static size_t reap_clients(struct owner *o)
{
    size_t left = 0;
    for (size_t i = 0; i < OWNER_CLIENTS_LIMIT; i++) {
        struct client *c = &o->clients[i];
        (void)pthread_mutex_lock(&o->lock);
        bool used = c->used, done = c->done;
        (void)pthread_mutex_unlock(&o->lock);
        left += used && !done;
        if (!used || !done)
            continue;
        (void)pthread_join(c->thread, NULL);
        close_fd(&c->fd);
        cancel_free(c->cancel);
        (void)pthread_mutex_lock(&o->lock);
        *c = (struct client){ 0 };
        (void)pthread_mutex_unlock(&o->lock);
    }
    return left;
}

static void cancel_client(struct owner *o, struct client *c)
{
    (void)pthread_mutex_lock(&o->lock);
    if (c->used)
        cancel_request(c->cancel, CANCEL_HARD);
    (void)pthread_cond_broadcast(&o->changed);
    (void)pthread_mutex_unlock(&o->lock);
}

static void stop_everybody(struct owner *o)
{
    (void)pthread_mutex_lock(&o->lock);
    o->stopping = true;
    (void)pthread_mutex_unlock(&o->lock);
    for (size_t i = 0; i < OWNER_CLIENTS_LIMIT; i++)
        cancel_client(o, &o->clients[i]);
}

/* ---- the main thread ------------------------------------------------------------- */

/* What the main thread waits for: signals, its own wake-up, listeners, and busy clients
 * whose peers may go away while nobody reads from them. */
struct watch {
    struct pollfd fds[2 + PLACE_SOCKETS + OWNER_CLIENTS_LIMIT];
    struct client *clients[2 + PLACE_SOCKETS + OWNER_CLIENTS_LIMIT];
    nfds_t count;
};

static void watch_add(struct watch *w, int fd, short events, struct client *c)
{
    w->fds[w->count] = (struct pollfd){ .fd = fd, .events = events };
    w->clients[w->count++] = c;
}

static void watch_all(struct watch *w, struct owner *o)
{
    w->count = 0;
    watch_add(w, o->signals, POLLIN, NULL);
    watch_add(w, o->wake, POLLIN, NULL);
    for (unsigned i = 0; i < PLACE_SOCKETS; i++)
        watch_add(w, o->listeners[i], POLLIN, NULL);
    (void)pthread_mutex_lock(&o->lock);
    for (size_t i = 0; i < OWNER_CLIENTS_LIMIT; i++) {
        struct client *c = &o->clients[i];
        if (c->used && c->busy && !c->done && cancel_requested(c->cancel) == CANCEL_NONE)
            watch_add(w, c->fd, POLLRDHUP, c);
    }
    (void)pthread_mutex_unlock(&o->lock);
}

static void drain(int fd)
{
    char room[sizeof(struct signalfd_siginfo) * 4];
    while (read(fd, room, sizeof(room)) > 0)
        ;
}

static void wait_and_act(struct watch *w, struct owner *o, int64_t timeout_us)
{
    struct timespec t = { .tv_sec = timeout_us / 1000000,
                          .tv_nsec = timeout_us % 1000000 * 1000 };
    if (ppoll(w->fds, w->count, &t, NULL) <= 0)
        return;
    if (w->fds[0].revents != 0) {
        drain(o->signals);
        stop_everybody(o);
    }
    if (w->fds[1].revents != 0)
        drain(o->wake);
    for (nfds_t i = 2; i < w->count; i++) {
        if (w->fds[i].revents == 0)
            continue;
        if (w->clients[i] != NULL)
            cancel_client(o, w->clients[i]);
        else
            accept_client(o, w->fds[i].fd);
    }
}

/* Until nobody is connected and the file is closed. */
static void run(struct owner *o)
{
    struct watch *w = xcalloc(1, sizeof(*w));
    int64_t started = clock_mono_us();
    for (;;) {
        size_t left = reap_clients(o);
        int64_t timeout = file_idle(o);
        (void)pthread_mutex_lock(&o->lock);
        bool stopping = o->stopping, is_open = o->sink != NULL;
        (void)pthread_mutex_unlock(&o->lock);
        if (left == 0 && !is_open &&
            (stopping || o->greeted || clock_mono_us() - started > FIRST_CLIENT_US))
            break;
        if (timeout < 0 || timeout > LONGEST_POLL_US)
            timeout = o->greeted ? LONGEST_POLL_US : FIRST_CLIENT_US;
        watch_all(w, o);
        wait_and_act(w, o, timeout);
    }
    free(w);
}

/* ---- the process ----------------------------------------------------------------- */

/* Blocked before the first thread, so that every thread leaves them to the signalfd. */
static int open_signals(struct error *err)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        (void)error_set(err, ERR_LIMIT, "no signal descriptor: %m");
    return fd;
}

static int prepare(struct owner *o, struct error *err)
{
    o->signals = open_signals(err);
    if (o->signals < 0)
        return -1;
    o->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (o->wake < 0)
        return error_set(err, ERR_LIMIT, "no event descriptor: %m");
    (void)pthread_mutex_init(&o->lock, NULL);
    (void)pthread_cond_init(&o->changed, NULL);
    return 0;
}

/* The sockets go before the lock: the next owner makes its own under the lock. */
static void leave(struct owner *o)
{
    for (unsigned i = 0; i < PLACE_SOCKETS; i++) {
        if (o->listeners[i] >= 0)
            (void)unlink(o->addresses[i].sun_path);
        close_fd(&o->listeners[i]);
    }
    FAULT("warehouse.leaving");
    close_fd(&o->wake);
    close_fd(&o->signals);
    close_fd(&o->lock_fd);
}

int owner_run(const char *path, const struct owner_options *options, struct error *err)
{
    struct buf real;
    struct owner *o = xcalloc(1, sizeof(*o));
    o->options = options;
    o->backend = options->backend;
    o->lock_fd = o->signals = o->wake = -1;
    for (unsigned i = 0; i < PLACE_SOCKETS; i++)
        o->listeners[i] = -1;
    buf_init(&real, PATH_BYTES);
    int rc = place_real_path(path, &real, err);
    o->path = (struct str){ buf_text(&real), real.len };
    if (rc == 0)
        rc = elect(o, err);
    if (rc == 1)
        rc = prepare(o, err) == 0 ? 1 : -1;
    if (rc >= 0 && options->ready != NULL)
        options->ready(options->ctx);
    if (rc == 1)
        run(o);
    leave(o);
    buf_done(&real);
    free(o);
    return rc < 0 ? -1 : 0;
}

/* ---- the command ----------------------------------------------------------------- */

struct command {
    const char *path;
    struct str *settings; /* owned; texts of argv */
    size_t setting_count;
    int64_t idle_ms;
};

static int command_read(struct command *out, int argc, char **argv, struct error *err)
{
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (has_value && str_eq(str_of(argv[i]), STR("--idle")) &&
            str_to_i64(str_of(argv[i + 1]), &out->idle_ms) &&
            out->idle_ms <= INT64_MAX / 1000)
            i++;
        else if (has_value && str_eq(str_of(argv[i]), STR("--set")))
            out->settings[out->setting_count++] = str_of(argv[++i]);
        else if (out->path == NULL && argv[i][0] != '-')
            out->path = argv[i];
        else
            return error_set(err, ERR_CONFIG, "argument '%s' of the warehouse process",
                             argv[i]);
    }
    if (out->path == NULL)
        return error_set(err, ERR_CONFIG, "the warehouse process needs a path");
    return 0;
}

/* Standard output is the pipe of whoever started us: closing it says that all is well. */
static void report_ready(void *ctx)
{
    struct stat st;
    (void)ctx;
    if (fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode))
        (void)dup2(STDIN_FILENO, STDOUT_FILENO); /* /dev/null */
}

static void report_failure(const struct error *err)
{
    struct stat st;
    struct buf b;
    struct error ignored = { 0 };
    log_error(LOG_ERROR, "the warehouse process ends", err);
    buf_init(&b, 16384);
    if (fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode) &&
        reply_encode_error(&b, err, -1, &ignored) == 0)
        (void)file_write_all(STDOUT_FILENO, b.data, b.len, "report", &ignored);
    buf_done(&b);
}

int warehouse_process(int argc, char **argv, const struct warehouse_backend *backend)
{
    struct command command = { .idle_ms = 2000 };
    struct error err = { 0 };
    log_open(LOG_TEXT, LOG_INFO);
    (void)prctl(PR_SET_NAME, "tailrace"); /* it was started as /proc/self/exe: "exe" */
    command.settings = xcalloc((size_t)argc + 1, sizeof(*command.settings));
    int rc = command_read(&command, argc, argv, &err);
    if (rc == 0) {
        struct owner_options o = { .settings = command.settings,
                                   .setting_count = command.setting_count,
                                   .idle_us =
                                       command.idle_ms < 0 ? -1 : command.idle_ms * 1000,
                                   .backend = backend,
                                   .ready = report_ready };
        rc = owner_run(command.path, &o, &err);
    }
    if (rc != 0)
        report_failure(&err);
    free(command.settings);
    return rc == 0 ? 0 : 1;
}
