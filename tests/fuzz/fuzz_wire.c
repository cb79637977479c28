/* Any bytes as a server's answers to a query and to a prepared statement: no crash, no
 * read past the end, and the session that has lost its place is not usable. */
#include "mysql/session.h"
#include "mysql/statement.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct feed {
    const uint8_t *data;
    size_t left;
};

static ssize_t feed_read(void *ctx, void *bytes, size_t n, int64_t timeout_us,
                         struct error *err)
{
    struct feed *f = ctx;
    (void)timeout_us;
    (void)err;
    if (n > f->left)
        n = f->left;
    if (n > 0)
        memcpy(bytes, f->data, n);
    f->data += n;
    f->left -= n;
    return (ssize_t)n;
}

static int feed_write(void *ctx, const void *bytes, size_t n, int64_t timeout_us,
                      struct error *err)
{
    (void)ctx;
    (void)bytes;
    (void)n;
    (void)timeout_us;
    (void)err;
    return 0;
}

static void run_statement(struct session *s)
{
    struct error err = { 0 };
    struct packet row;
    struct statement *st = statement_prepare(s, STR("SELECT 1"), &err);
    if (st == NULL)
        return;
    if (statement_param_count(st) == 0)
        for (int i = 0; i < 3; i++) {
            if (statement_execute(st, NULL, 0, 1000, &err) != 0)
                break;
            while (statement_next(st, &row, &err) > 0)
                if (row.head.len == 0 || (row.cut && row.size <= 1000))
                    abort();
        }
    statement_close(st);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct result_dialect d = { .extended_metadata = (data[0] & 1) != 0,
                                .cached_metadata = (data[0] & 2) != 0,
                                .deprecate_eof = (data[0] & 4) != 0 };
    struct feed f = { data + 1, size - 1 };
    struct session *s = session_over(
        (struct packet_io){ .ctx = &f, .read = feed_read, .write = feed_write }, &d,
        1000);
    if (data[0] & 8) {
        run_statement(s);
    } else {
        struct arena *a = arena_new(1u << 20);
        struct session_result r;
        struct error err = { 0 };
        if (session_query(s, a, STR("SELECT 1"), &r, &err) == 0) {
            for (size_t i = 0; i < r.row_count * r.column_count; i++)
                if (r.cells[i].ptr != NULL && r.cells[i].ptr[r.cells[i].len] != '\0')
                    abort();
        } else if (err.remote == 0 && err.code != ERR_LIMIT && err.code != ERR_PROTOCOL &&
                   session_is_usable(s)) {
            abort();
        }
        arena_free(a);
    }
    session_close(s);
    return 0;
}
