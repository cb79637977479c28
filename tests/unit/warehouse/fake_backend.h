/* tests/unit/warehouse/fake_backend.h
 *
 * A database that is a file with a lock and nothing else, as the owner's backend. Files
 * beside it steer it:
 *
 *   DB.hold    a load waits while it exists
 *   DB.crash   the next load kills the process
 *   DB.bad     opening fails: it is no database
 *   DB.begun, DB.loads     get a text at the begin and the commit of a load
 *   DB.reading, DB.stopped appear when a query waits, and when it was stopped
 */
#ifndef UNIT_WAREHOUSE_FAKE_BACKEND_H
#define UNIT_WAREHOUSE_FAKE_BACKEND_H

#include "base/alloc.h"
#include "base/clock.h"
#include "warehouse/owner.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SECOND INT64_C(1000000)

struct fake {
    struct sink base;
    int fd;
    char path[512];
};

static inline void beside(char *out, size_t size, const char *path, const char *suffix)
{
    (void)snprintf(out, size, "%s%s", path, suffix);
}

static inline bool exists_beside(const char *path, const char *suffix)
{
    char name[600];
    beside(name, sizeof(name), path, suffix);
    return access(name, F_OK) == 0;
}

static inline void append_beside(const char *path, const char *suffix, const char *text)
{
    char name[600];
    beside(name, sizeof(name), path, suffix);
    int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        abort();
    (void)close(fd);
}

static inline void remove_beside(const char *path, const char *suffix)
{
    char name[600];
    beside(name, sizeof(name), path, suffix);
    (void)unlink(name);
}

/* As DuckDB locks: fcntl, the whole file. */
static inline bool lock_file(int fd)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    return fcntl(fd, F_SETLK, &lock) == 0;
}

static inline struct sink *fake_open(struct str path, const struct str *settings,
                                     size_t count, struct error *err)
{
    struct fake *f = xcalloc(1, sizeof(*f));
    (void)snprintf(f->path, sizeof(f->path), STR_FMT, STR_ARG(path));
    for (size_t i = 0; i < count; i++)
        append_beside(f->path, ".settings", settings[i].ptr);
    f->fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (exists_beside(f->path, ".bad")) {
        (void)error_set(err, ERR_CONFIG, "it is not a database");
        err->hint = "Choose another path.";
    } else if (f->fd >= 0 && lock_file(f->fd)) {
        return &f->base;
    } else {
        (void)error_set(err, ERR_TARGET, "no lock");
    }
    (void)close(f->fd);
    free(f);
    return NULL;
}

static inline void fake_close(struct sink *s)
{
    struct fake *f = (struct fake *)(void *)s;
    (void)close(f->fd);
    free(f);
}

static inline int fake_marks(struct sink *s, struct arena *a, struct str integration,
                             struct mark_list *out, struct error *err)
{
    (void)s;
    (void)integration;
    (void)err;
    *out = (struct mark_list){ .destination_id = arena_printf(a, "%d", (int)getpid()) };
    return 0;
}

static inline int fake_load(struct sink *s, struct arena *a, const struct epoch_load *l,
                            struct load_outcome *out, struct error *err)
{
    struct fake *f = (struct fake *)(void *)s;
    (void)a;
    if (exists_beside(f->path, ".crash")) {
        remove_beside(f->path, ".crash");
        (void)raise(SIGKILL);
    }
    append_beside(f->path, ".begun", "x");
    while (exists_beside(f->path, ".hold"))
        (void)clock_wait_us(NULL, 10000);
    if (l->excluded == NULL || l->excluded_count != 2 || !l->excluded[1]) {
        out->failed_stream = 1;
        return error_set(err, ERR_SCHEMA, "loading 'd.t': no");
    }
    append_beside(f->path, ".loads", l->dir);
    *out = (struct load_outcome){ .failed_stream = -1, .bytes = 42 };
    return 0;
}

static inline int fake_reset(struct sink *s, const struct reset_request *r,
                             struct error *err)
{
    (void)s;
    return str_eq(r->table, STR("t")) ? 0 : error_set(err, ERR_CONFIG, "no such table");
}

/* "rows N" gives N rows; "wait" waits until it is stopped. */
static inline int fake_read(struct sink *s, struct str sql,
                            const struct read_limits *limits,
                            const struct read_handler *h, struct cancel *c,
                            struct read_result *out, struct error *err)
{
    struct fake *f = (struct fake *)(void *)s;
    const struct read_column columns[] = { { STR("n"), STR("BIGINT") },
                                           { STR("t"), STR("VARCHAR") } };
    uint64_t rows = 0;
    struct str rest = { 0 };
    if (str_eq(sql, STR("wait"))) {
        append_beside(f->path, ".reading", "x");
        (void)clock_wait_us(c, 60 * SECOND);
        append_beside(f->path, ".stopped", "x");
        return cancel_check(c, err);
    }
    if (!str_eq(str_cut(sql, ' ', &rest), STR("rows")) || !str_to_u64(rest, &rows)) {
        (void)error_set(err, ERR_CONFIG, "this statement does more than read");
        err->hint = "Only one statement that reads is answered here.";
        return -1;
    }
    if (h->columns(h->ctx, columns, 2, err) != 0)
        return -1;
    for (uint64_t i = 0; i < rows; i++) {
        char text[32];
        struct str cells[2] = { { text, 0 }, { 0 } };
        if (limits->rows != 0 && i == limits->rows) {
            out->truncated = true;
            break;
        }
        cells[0].len =
            (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)i);
        if (h->row(h->ctx, cells, 2, err) != 0)
            return -1;
    }
    return 0;
}

static const struct warehouse_backend fake_backend = {
    .open = fake_open,
    .close = fake_close,
    .marks = fake_marks,
    .load = fake_load,
    .reset = fake_reset,
    .read = fake_read,
};

#endif
