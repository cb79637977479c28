/* The owner as a process, over a database that is a file with a lock and nothing else:
 * this program starts itself as the owner. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "support/test.h"
#include "unit/warehouse/fake_backend.h"
#include "warehouse/client.h"
#include "warehouse/owner.h"
#include "warehouse/place.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

/* This program: under valgrind /proc/self/exe is valgrind. */
static char own_path[4096];

#define IDLE_US (SECOND / 5)

/* ---- a place for each test ------------------------------------------------------- */

struct place {
    char folder[64];
    char db[128];
    struct arena *arena;
};

static int make_place(void **state)
{
    struct place *p = xcalloc(1, sizeof(*p));
    (void)snprintf(p->folder, sizeof(p->folder), "/tmp/warehouse-XXXXXX");
    if (mkdtemp(p->folder) == NULL)
        return -1;
    (void)snprintf(p->db, sizeof(p->db), "%s/db", p->folder);
    (void)setenv("XDG_RUNTIME_DIR", p->folder, 1);
    (void)setenv("TAILRACE_EXE", own_path, 1);
    p->arena = arena_new(1 << 20);
    *state = p;
    return 0;
}

static int remove_place(void **state)
{
    struct place *p = *state;
    struct error ignored = { 0 };
    remove_beside(p->db, ".hold");
    arena_free(p->arena);
    (void)file_remove_tree(p->folder, &ignored);
    free(p);
    return 0;
}

static struct warehouse *open_at(struct place *p, struct warehouse_options o,
                                 struct cancel *c)
{
    struct error err = { 0 };
    if (o.idle_us == 0)
        o.idle_us = IDLE_US;
    struct warehouse *w = warehouse_open(p->db, &o, c, &err);
    if (w == NULL)
        print_error("open: %s\n", err.text);
    assert_non_null(w);
    return w;
}

static struct warehouse *open_plain(struct place *p)
{
    return open_at(p, (struct warehouse_options){ 0 }, NULL);
}

/* The process that answers. */
static pid_t owner_of(struct place *p, struct warehouse *w)
{
    struct error err = { 0 };
    struct mark_list marks = { 0 };
    uint64_t pid = 0;
    if (warehouse_marks(w, p->arena, STR("i"), &marks, &err) != 0) {
        print_error("marks: %s\n", err.text);
        return -1;
    }
    return str_to_u64(marks.destination_id, &pid) ? (pid_t)pid : -1;
}

static int load(struct place *p, struct warehouse *w, struct load_outcome *out,
                struct error *err)
{
    const bool excluded[] = { false, true };
    return warehouse_load(w, p->arena, &(struct epoch_load){ p->folder, excluded, 2 },
                          out, err);
}

static bool appears(const char *path, const char *suffix)
{
    for (int i = 0; i < 6000; i++) { /* a minute: no clock decides */
        if (exists_beside(path, suffix))
            return true;
        (void)clock_wait_us(NULL, 10000);
    }
    return false;
}

/* Gone, or a zombie that init has not looked at yet. */
static bool ends(pid_t pid)
{
    for (int i = 0; i < 6000; i++) { /* a minute: no clock decides */
        char path[64], text[256] = { 0 };
        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return true;
        ssize_t n = read(fd, text, sizeof(text) - 1);
        (void)close(fd);
        if (n <= 0 || strstr(text, ") Z ") != NULL)
            return true;
        (void)clock_wait_us(NULL, 10000);
    }
    return false;
}

/* True when this process can have the file within the time. Leaves it unlocked. */
static bool file_gets_free(const char *path, int64_t us)
{
    int64_t end = clock_mono_us() + us;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool locked = false;
    while (!(locked = lock_file(fd)) && clock_mono_us() < end)
        (void)clock_wait_us(NULL, 10000);
    (void)close(fd);
    return locked;
}

/* A child that has the file open until it is killed. */
static pid_t foreign_holder(const char *path)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || !lock_file(fd) || write(ready[1], "x", 1) != 1)
            _exit(1);
        (void)clock_wait_us(NULL, 30 * SECOND); /* not for ever, should the test fail */
        _exit(0);
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    return child;
}

static void end_child(pid_t child)
{
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
}

/* ---- election -------------------------------------------------------------------- */

static void several_starters_find_one_owner(void **state)
{
    struct place *p = *state;
    enum { STARTERS = 8 };
    int answers[2], go[2];
    pid_t children[STARTERS], pids[STARTERS];
    char byte;
    assert_int_equal(pipe(answers), 0);
    assert_int_equal(pipe(go), 0);
    for (int i = 0; i < STARTERS; i++) {
        children[i] = fork();
        if (children[i] != 0)
            continue;
        (void)close(go[1]);
        if (read(go[0], &byte, 1) != 0)
            _exit(1);
        struct warehouse *w = open_plain(p);
        pid_t pid = owner_of(p, w);
        if (write(answers[1], &pid, sizeof(pid)) != sizeof(pid))
            _exit(1);
        (void)clock_wait_us(NULL, SECOND); /* until all have asked */
        warehouse_close(w);
        _exit(0);
    }
    (void)close(go[0]);
    (void)close(go[1]);
    for (int i = 0; i < STARTERS; i++)
        assert_int_equal(read(answers[0], &pids[i], sizeof(pid_t)), sizeof(pid_t));
    for (int i = 0; i < STARTERS; i++) {
        assert_true(pids[i] > 0);
        assert_int_equal(pids[i], pids[0]);
        (void)waitpid(children[i], NULL, 0);
    }
    (void)close(answers[0]);
    (void)close(answers[1]);
    assert_true(ends(pids[0]));
}

static void a_killed_owner_is_replaced(void **state)
{
    struct place *p = *state;
    struct error err = { 0 };
    struct mark_list marks = { 0 };
    struct warehouse *w = open_plain(p);
    pid_t first = owner_of(p, w);
    assert_int_equal(kill(first, SIGKILL), 0);
    assert_true(ends(first));
    assert_int_equal(warehouse_marks(w, p->arena, STR("i"), &marks, &err), -1);
    assert_int_equal(err.code, ERR_TARGET);
    assert_int_equal(error_action(&err), ACT_RETRY);
    pid_t second = owner_of(p, w);
    assert_true(second > 0 && second != first);
    warehouse_close(w);
    assert_true(ends(second));
}

static void an_owner_that_ends_is_followed_by_a_new_one(void **state)
{
    struct place *p = *state;
    for (int i = 0; i < 20; i++) {
        struct warehouse *w = open_plain(p);
        struct error err = { 0 };
        assert_true(owner_of(p, w) > 0);
        assert_int_equal(warehouse_release(w, &err), 0); /* it ends about now */
        warehouse_close(w);
    }
}

static void a_link_to_the_file_finds_the_same_owner(void **state)
{
    struct place *p = *state;
    struct warehouse *w = open_plain(p);
    pid_t owner = owner_of(p, w);
    struct place other = *p;
    (void)snprintf(other.db, sizeof(other.db), "%s/link", p->folder);
    assert_int_equal(symlink("db", other.db), 0);
    struct warehouse *v = open_plain(&other);
    assert_int_equal(owner_of(p, v), owner);
    /* and one without the folder of the session */
    (void)unsetenv("XDG_RUNTIME_DIR");
    struct warehouse *u = open_plain(p);
    assert_int_equal(owner_of(p, u), owner);
    warehouse_close(u);
    warehouse_close(v);
    warehouse_close(w);
    assert_true(ends(owner));
}

static void secrets_do_not_reach_the_owner(void **state)
{
    struct place *p = *state;
    struct error err = { 0 };
    struct buf text;
    char path[64];
    struct str settings[] = { STR("threads=1") };
    (void)setenv("TAILRACE_SOURCE_PASSWORD", "hunter2", 1);
    struct warehouse *w = open_at(
        p, (struct warehouse_options){ .settings = settings, .setting_count = 1 }, NULL);
    pid_t owner = owner_of(p, w);
    (void)unsetenv("TAILRACE_SOURCE_PASSWORD");
    buf_init(&text, 1 << 20);
    (void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)owner);
    assert_int_equal(file_read(path, &text, &err), 0);
    assert_null(memmem(text.data, text.len, "hunter2", 7));
    assert_non_null(memmem(text.data, text.len, "XDG_RUNTIME_DIR", 15));
    buf_done(&text);
    assert_true(exists_beside(p->db, ".settings"));
    warehouse_close(w);
    assert_true(ends(owner));
}

static void sockets_and_folders_are_private(void **state)
{
    struct place *p = *state;
    struct error err = { 0 };
    struct stat st;
    struct buf path;
    struct warehouse *w = open_plain(p);
    buf_init(&path, 4096);
    assert_int_equal(owner_socket_path(p->db, &path, &err), 0);
    assert_true(str_starts(buf_str(&path), str_of(p->folder)));
    assert_int_equal(stat(buf_text(&path), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    buf_done(&path);
    char folder[128];
    beside(folder, sizeof(folder), p->folder, "/tailrace");
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(place_secure(folder, &err), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(place_secure(folder, &err), -1);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(err.hint);
    assert_int_equal(chmod(folder, 0700), 0);
    char link[160];
    beside(link, sizeof(link), p->folder, "/link");
    assert_int_equal(symlink("tailrace", link), 0);
    assert_int_equal(place_secure(link, &err), -1);
    pid_t owner = owner_of(p, w);
    warehouse_close(w);
    assert_true(ends(owner));
}

static void what_keeps_an_owner_from_starting_is_told(void **state)
{
    struct place *p = *state;
    struct error err = { 0 };
    struct warehouse_options o = { .idle_us = IDLE_US };
    char path[256];
    beside(path, sizeof(path), p->folder, "/none/db");
    assert_null(warehouse_open(path, &o, NULL, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(err.hint);
    (void)setenv("TAILRACE_EXE", "/nonexistent/tailrace", 1);
    assert_null(warehouse_open(p->db, &o, NULL, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(strstr(err.text, "/nonexistent/tailrace"));
    assert_non_null(err.hint);
    (void)setenv("TAILRACE_EXE", own_path, 1);
    /* the lock cannot be made */
    beside(path, sizeof(path), p->db, ".tailrace-lock");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_null(warehouse_open(p->db, &o, NULL, &err));
    assert_int_equal(err.code, ERR_IO);
    assert_non_null(strstr(err.text, "tailrace-lock"));
}

/* ---- the file -------------------------------------------------------------------- */

struct waited {
    pid_t holder;
    struct cancel *cancel;
    unsigned times;
    char text[128];
};

static void note_waiting(void *ctx, struct str text)
{
    struct waited *waited = ctx;
    (void)snprintf(waited->text, sizeof(waited->text), STR_FMT, STR_ARG(text));
    waited->times++;
    if (waited->cancel != NULL)
        cancel_request(waited->cancel, CANCEL_HARD);
    else
        end_child(waited->holder);
}

static void waiting_says_who_has_the_file(void **state)
{
    struct place *p = *state;
    struct waited waited = { .holder = foreign_holder(p->db) };
    char want[64];
    struct warehouse *w = open_at(
        p, (struct warehouse_options){ .waiting = note_waiting, .ctx = &waited }, NULL);
    int64_t start = clock_mono_us();
    pid_t owner = owner_of(p, w);
    assert_true(owner > 0);
    assert_true(clock_mono_us() - start < 60 * SECOND);
    assert_int_equal(waited.times, 1);
    (void)snprintf(want, sizeof(want), "pid %d (", (int)waited.holder);
    assert_true(str_starts(str_of(waited.text), str_of(want)));
    warehouse_close(w);
    assert_true(ends(owner));
}

static void waiting_ends_on_request(void **state)
{
    struct place *p = *state;
    struct error err = { 0 };
    struct mark_list marks = { 0 };
    struct waited waited = { .holder = foreign_holder(p->db), .cancel = cancel_new() };
    struct warehouse *w =
        open_at(p, (struct warehouse_options){ .waiting = note_waiting, .ctx = &waited },
                waited.cancel);
    int64_t start = clock_mono_us();
    assert_int_equal(warehouse_marks(w, p->arena, STR("i"), &marks, &err), -1);
    assert_int_equal(err.code, ERR_CANCELLED);
    assert_true(clock_mono_us() - start < 60 * SECOND);
    warehouse_close(w);
    cancel_free(waited.cancel);
    end_child(waited.holder);
}

static void a_failed_opening_is_told_and_tried_anew(void **state)
{
    struct place *p = *state;
    struct error err = { 0 };
    struct mark_list marks = { 0 };
    struct warehouse *w = open_plain(p);
    append_beside(p->db, ".bad", "x");
    assert_int_equal(warehouse_marks(w, p->arena, STR("i"), &marks, &err), -1);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_string_equal(err.hint, "Choose another path.");
    remove_beside(p->db, ".bad");
    pid_t owner = owner_of(p, w);
    assert_true(owner > 0);
    warehouse_close(w);
    assert_true(ends(owner));
}

static void an_idle_owner_lets_go_of_the_file(void **state)
{
    struct place *p = *state;
    struct warehouse *w = open_plain(p);
    pid_t owner = owner_of(p, w);
    assert_false(file_gets_free(p->db, 0));
    assert_true(file_gets_free(p->db, 60 * SECOND));
    assert_int_equal(owner_of(p, w), owner); /* we are connected: it stayed */
    assert_false(file_gets_free(p->db, 0));
    warehouse_close(w);
    assert_true(ends(owner));
    assert_true(file_gets_free(p->db, 0));
}

static void release_lets_go_at_once(void **state)
{
    struct place *p = *state;
    struct error err = { 0 };
    struct warehouse *w =
        open_at(p, (struct warehouse_options){ .idle_us = 3600 * SECOND }, NULL);
    pid_t owner = owner_of(p, w);
    assert_false(file_gets_free(p->db, 0));
    assert_int_equal(warehouse_release(w, &err), 0);
    assert_true(file_gets_free(p->db, 0));
    assert_true(ends(owner));
    warehouse_close(w);
}

/* ---- loads ----------------------------------------------------------------------- */

static void a_load_goes_through(void **state)
{
    struct place *p = *state;
    struct error err = { 0 };
    struct load_outcome o = { 0 };
    struct reset_request r = { .table = STR("t") };
    struct warehouse *w = open_plain(p);
    assert_int_equal(load(p, w, &o, &err), 0);
    assert_true(o.bytes == 42 && o.failed_stream == -1);
    assert_int_equal(
        warehouse_load(w, p->arena, &(struct epoch_load){ p->folder, NULL, 0 }, &o, &err),
        -1);
    assert_int_equal(err.code, ERR_SCHEMA);
    assert_int_equal(o.failed_stream, 1);
    assert_int_equal(warehouse_load(w, p->arena,
                                    &(struct epoch_load){ "/nonexistent", NULL, 0 }, &o,
                                    &err),
                     -1);
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(o.failed_stream, -1);
    assert_int_equal(warehouse_reset(w, &r, &err), 0);
    r.table = STR("u");
    assert_int_equal(warehouse_reset(w, &r, &err), -1);
    assert_int_equal(err.code, ERR_CONFIG);
    pid_t owner = owner_of(p, w);
    warehouse_close(w);
    assert_true(ends(owner));
}

static void a_crash_during_a_load_can_be_tried_again(void **state)
{
    struct place *p = *state;
    struct error err = { 0 };
    struct load_outcome o = { 0 };
    struct warehouse *w = open_plain(p);
    append_beside(p->db, ".crash", "x");
    assert_int_equal(load(p, w, &o, &err), -1);
    assert_int_equal(error_action(&err), ACT_RETRY);
    assert_int_equal(load(p, w, &o, &err), 0);
    pid_t owner = owner_of(p, w);
    warehouse_close(w);
    assert_true(ends(owner));
}

/* A child that asks and is killed in the middle. */
static void ask_and_vanish(struct place *p, bool query, const char *begun)
{
    pid_t child = fork();
    if (child == 0) {
        struct error err = { 0 };
        struct load_outcome o = { 0 };
        struct query_limits limits = { 0 };
        bool truncated = false;
        struct warehouse *w = open_plain(p);
        if (query)
            (void)warehouse_query(w, STR("wait"), &limits, &(struct query_reader){ 0 },
                                  &truncated, &err);
        else
            (void)load(p, w, &o, &err);
        _exit(0);
    }
    assert_true(appears(p->db, begun));
    end_child(child);
}

static void a_load_outlives_its_client(void **state)
{
    struct place *p = *state;
    append_beside(p->db, ".hold", "x");
    ask_and_vanish(p, false, ".begun");
    assert_false(exists_beside(p->db, ".loads"));
    remove_beside(p->db, ".hold");
    assert_true(appears(p->db, ".loads"));
    struct warehouse *w = open_plain(p);
    pid_t owner = owner_of(p, w);
    warehouse_close(w);
    assert_true(ends(owner));
}

static void a_stop_finishes_the_running_load(void **state)
{
    struct place *p = *state;
    struct warehouse *w = open_plain(p);
    pid_t owner = owner_of(p, w);
    append_beside(p->db, ".hold", "x");
    pid_t child = fork();
    if (child == 0) {
        struct error err = { 0 };
        struct load_outcome o = { 0 };
        struct warehouse *v = open_plain(p);
        int rc = load(p, v, &o, &err);
        warehouse_close(v);
        _exit(rc == 0 && o.bytes == 42 ? 0 : 1);
    }
    assert_true(appears(p->db, ".begun"));
    assert_int_equal(kill(owner, SIGTERM), 0);
    (void)clock_wait_us(NULL, SECOND / 5);
    remove_beside(p->db, ".hold");
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(ends(owner));
    assert_true(exists_beside(p->db, ".loads"));
    warehouse_close(w);
}

/* ---- queries --------------------------------------------------------------------- */

struct rows {
    uint64_t count;
    uint64_t fail_at;
    unsigned headings;
};

static int count_row(void *ctx, const struct query_column *columns, size_t count,
                     const struct str *cells, struct error *err)
{
    struct rows *rows = ctx;
    uint64_t n = 0;
    if (count != 2 || !str_eq(columns[0].name, STR("n")) ||
        !str_eq(columns[1].type, STR("VARCHAR")))
        return error_set(err, ERR_BUG, "columns");
    if (cells == NULL) {
        rows->headings++;
        return 0;
    }
    if (!str_to_u64(cells[0], &n) || n != rows->count || cells[1].ptr != NULL)
        return error_set(err, ERR_BUG, "cells");
    if (++rows->count == rows->fail_at)
        return error_set(err, ERR_IO, "enough");
    return 0;
}

static void results_are_streamed(void **state)
{
    struct place *p = *state;
    struct error err = { 0 };
    struct query_limits limits = { 0 };
    struct rows rows = { 0 };
    bool truncated = true;
    struct warehouse *w = open_plain(p);
    assert_int_equal(warehouse_query(w, STR("rows 100000"), &limits,
                                     &(struct query_reader){ count_row, &rows },
                                     &truncated, &err),
                     0);
    assert_true(rows.count == 100000 && rows.headings == 1 && !truncated);
    limits.rows = 10;
    rows = (struct rows){ 0 };
    assert_int_equal(warehouse_query(w, STR("rows 11"), &limits,
                                     &(struct query_reader){ count_row, &rows },
                                     &truncated, &err),
                     0);
    assert_true(rows.count == 10 && truncated);
    rows = (struct rows){ 0 };
    assert_int_equal(warehouse_query(w, STR("rows 0"), &limits,
                                     &(struct query_reader){ count_row, &rows },
                                     &truncated, &err),
                     0);
    assert_true(rows.count == 0 && rows.headings == 1 && !truncated);
    pid_t owner = owner_of(p, w);
    warehouse_close(w);
    assert_true(ends(owner));
}

static void a_refused_query_leaves_the_connection(void **state)
{
    struct place *p = *state;
    struct error err = { 0 };
    struct query_limits limits = { 0 };
    struct rows rows = { 0 };
    bool truncated = false;
    struct warehouse *w = open_plain(p);
    assert_int_equal(warehouse_query(w, STR("DROP x"), &limits,
                                     &(struct query_reader){ count_row, &rows },
                                     &truncated, &err),
                     -1);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_string_equal(err.hint, "Only one statement that reads is answered here.");
    assert_int_equal(warehouse_query(w, STR("\xff"), &limits,
                                     &(struct query_reader){ count_row, &rows },
                                     &truncated, &err),
                     -1);
    assert_int_equal(err.code, ERR_CONFIG);
    /* the receiver fails: the statement ends, and the next one is answered */
    rows.fail_at = 5;
    assert_int_equal(warehouse_query(w, STR("rows 1000000"), &limits,
                                     &(struct query_reader){ count_row, &rows },
                                     &truncated, &err),
                     -1);
    assert_int_equal(err.code, ERR_IO);
    assert_string_equal(err.text, "enough");
    rows = (struct rows){ 0 };
    assert_int_equal(warehouse_query(w, STR("rows 3"), &limits,
                                     &(struct query_reader){ count_row, &rows },
                                     &truncated, &err),
                     0);
    assert_int_equal(rows.count, 3);
    pid_t owner = owner_of(p, w);
    warehouse_close(w);
    assert_true(ends(owner));
}

static void a_query_stops_when_its_client_vanishes(void **state)
{
    struct place *p = *state;
    ask_and_vanish(p, true, ".reading");
    assert_true(appears(p->db, ".stopped"));
    assert_true(file_gets_free(p->db, 60 * SECOND));
}

static void queries_are_answered_during_a_load(void **state)
{
    struct place *p = *state;
    struct error err = { 0 };
    struct query_limits limits = { 0 };
    struct rows rows = { 0 };
    bool truncated = false;
    append_beside(p->db, ".hold", "x");
    pid_t child = fork();
    if (child == 0) {
        struct load_outcome o = { 0 };
        struct warehouse *v = open_plain(p);
        int rc = load(p, v, &o, &err);
        warehouse_close(v);
        _exit(rc == 0 ? 0 : 1);
    }
    assert_true(appears(p->db, ".begun"));
    struct warehouse *w = open_plain(p);
    assert_int_equal(warehouse_query(w, STR("rows 3"), &limits,
                                     &(struct query_reader){ count_row, &rows },
                                     &truncated, &err),
                     0);
    assert_int_equal(rows.count, 3);
    assert_false(exists_beside(p->db, ".loads"));
    remove_beside(p->db, ".hold");
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    pid_t owner = owner_of(p, w);
    warehouse_close(w);
    assert_true(ends(owner));
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PLACED(several_starters_find_one_owner),
        PLACED(a_killed_owner_is_replaced),
        PLACED(an_owner_that_ends_is_followed_by_a_new_one),
        PLACED(a_link_to_the_file_finds_the_same_owner),
        PLACED(secrets_do_not_reach_the_owner),
        PLACED(sockets_and_folders_are_private),
        PLACED(what_keeps_an_owner_from_starting_is_told),
        PLACED(waiting_says_who_has_the_file),
        PLACED(waiting_ends_on_request),
        PLACED(a_failed_opening_is_told_and_tried_anew),
        PLACED(an_idle_owner_lets_go_of_the_file),
        PLACED(release_lets_go_at_once),
        PLACED(a_load_goes_through),
        PLACED(a_crash_during_a_load_can_be_tried_again),
        PLACED(a_load_outlives_its_client),
        PLACED(a_stop_finishes_the_running_load),
        PLACED(queries_are_answered_during_a_load),
        PLACED(results_are_streamed),
        PLACED(a_refused_query_leaves_the_connection),
        PLACED(a_query_stops_when_its_client_vanishes),
    };
    if (argc > 1 && str_eq(str_of(argv[1]), STR("warehouse")))
        return warehouse_process(argc - 1, argv + 1, &fake_backend);
    if (readlink("/proc/self/exe", own_path, sizeof(own_path) - 1) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
