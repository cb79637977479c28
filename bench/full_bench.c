/* bench/full_bench.c
 *
 * One table read whole, four ways:
 *
 *   discard-text    libmariadb, mysql_use_result, rows dropped
 *   discard-binary  libmariadb, prepared and unbuffered, nothing bound, rows dropped
 *   ours-1          source/full.h and avro/encode.h over one connection, blocks dropped
 *   ours-N          the same over N connections, the table split by its key
 *
 *   full_bench MODE SOURCE-URL DATABASE TABLE [SERVER-PID]
 *
 * Prints one JSON object: rows, bytes (of packets, or Avro), seconds of wall, client and
 * server processor time, peak resident MiB of this process. The password comes from
 * TAILRACE_SOURCE_PASSWORD. Includes libmariadb's header, so it is built without
 * base/banned.h.
 */
#include "avro/encode.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "config/url.h"
#include "row/schema.h"
#include "source/full.h"
#include "source/source.h"
#include "usage.h"

#include <inttypes.h>
#include <mysql.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CONNECTIONS_MAX 8
#define ROW_LIMIT ((size_t)128 << 20)

struct task {
    struct url_source url;
    const struct secret *password;
    struct str database, table;
};

struct counts {
    uint64_t rows, bytes;
};

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "full_bench: %s: %s\n", what, why);
    return -1;
}

/* ---- processor time ---- */

/* utime and stime: proc(5), /proc/pid/stat, fields 14 and 15. */
static double process_seconds(const char *pid)
{
    char path[64], line[1024];
    unsigned long user = 0, kernel = 0;
    snprintf(path, sizeof(path), "/proc/%s/stat", pid);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return 0;
    size_t n = fread(line, 1, sizeof(line) - 1, f);
    fclose(f);
    line[n] = '\0';
    const char *rest = strrchr(line, ')');
    if (rest == NULL ||
        sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &kernel) != 2)
        return 0;
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

/* ---- libmariadb ---- */

static MYSQL *library_connect(const struct task *t)
{
    MYSQL *m = mysql_init(NULL);
    if (mysql_real_connect(m, t->url.host.ptr, t->url.user.ptr,
                           t->password == NULL ? "" : secret_reveal(t->password), NULL,
                           t->url.port, NULL, 0) == NULL) {
        fail("connecting", mysql_error(m));
        mysql_close(m);
        return NULL;
    }
    return m;
}

static void select_all(const struct task *t, char *sql, size_t size)
{
    snprintf(sql, size, "SELECT * FROM `" STR_FMT "`.`" STR_FMT "`", STR_ARG(t->database),
             STR_ARG(t->table));
}

static int discard_text(const struct task *t, struct counts *out)
{
    char sql[512];
    MYSQL *m = library_connect(t);
    if (m == NULL)
        return -1;
    select_all(t, sql, sizeof(sql));
    MYSQL_RES *result = mysql_query(m, sql) == 0 ? mysql_use_result(m) : NULL;
    unsigned columns = result == NULL ? 0 : mysql_num_fields(result);
    while (result != NULL && mysql_fetch_row(result) != NULL) {
        const unsigned long *lengths = mysql_fetch_lengths(result);
        out->rows++;
        for (unsigned i = 0; i < columns; i++)
            out->bytes += lengths[i];
    }
    int rc = result == NULL || mysql_errno(m) != 0 ? fail("reading", mysql_error(m)) : 0;
    mysql_free_result(result);
    mysql_close(m);
    return rc;
}

static int discard_binary(const struct task *t, struct counts *out)
{
    char sql[512];
    MYSQL *m = library_connect(t);
    if (m == NULL)
        return -1;
    select_all(t, sql, sizeof(sql));
    MYSQL_STMT *s = mysql_stmt_init(m);
    int rc = 0;
    if (mysql_stmt_prepare(s, sql, strlen(sql)) != 0 || mysql_stmt_execute(s) != 0)
        rc = -1;
    while (rc == 0 && (rc = mysql_stmt_fetch(s)) == 0)
        out->rows++;
    if (rc != MYSQL_NO_DATA)
        fail("reading", mysql_stmt_error(s));
    mysql_stmt_close(s);
    mysql_close(m);
    return rc == MYSQL_NO_DATA ? 0 : -1;
}

/* ---- ours ---- */

struct part {
    pthread_t thread;
    const struct source *source;
    const struct full_table *table;
    struct page_range range;
    struct counts counts;
    struct error err;
    int rc;
};

static int encode_one(struct part *p, const struct encode_plan *plan, struct block *b,
                      const struct value *cells)
{
    struct encode_fault fault;
    struct row_meta meta = { .op = OP_SNAPSHOT, .sequence = 1, .at = clock_wall_us() };
    if (encode_row(plan, b, &meta, cells, &fault) != ENCODE_OK)
        return error_set(&p->err, ERR_DATA, "column %u: %s", fault.column, fault.reason);
    p->counts.rows++;
    if (b->bytes.len >= BLOCK_SOFT_BYTES) {
        p->counts.bytes += b->bytes.len;
        buf_clear(&b->bytes);
        b->rows = 0;
    }
    return 0;
}

static int read_part(struct part *p, struct session *s)
{
    static const struct encode_policy policy = { .dates = DATE_NULL };
    struct full_options o = { .page_bytes = 16u << 20,
                              .page_time_us = 2000000,
                              .row_limit = ROW_LIMIT,
                              .view_age_us = INT64_C(3600000000) };
    struct encode_plan *plan = encode_plan_new(p->table->shape, &policy);
    struct block *b = block_new(0, p->table->shape, ROW_LIMIT);
    struct full_reader *r = full_reader_open(s, p->table, &p->range, &o, NULL, &p->err);
    struct buf key;
    int rc = r == NULL ? -1 : 0;
    buf_init(&key, 64u << 10);
    while (rc == 0) {
        const struct value *cells = NULL;
        enum full_next next = full_reader_next(r, &cells, &p->err);
        if (next == FULL_END)
            break;
        if (next == FULL_ROW) {
            rc = encode_one(p, plan, b, cells);
            buf_clear(&key); /* as the job does: any row is a place to resume */
            full_reader_key(r, &key);
        } else if (next != FULL_PAGE) {
            rc = -1;
        }
    }
    p->counts.bytes += b->bytes.len;
    buf_done(&key);
    full_reader_close(r);
    block_free(b);
    encode_plan_free(plan);
    return rc;
}

static void *part_run(void *arg)
{
    struct part *p = arg;
    struct session *s = source_connect(p->source, 0, NULL, &p->err);
    p->rc = s == NULL ? -1 : read_part(p, s);
    source_disconnect(s);
    return NULL;
}

/* Read the parts, each on a thread and a connection of its own. */
static int read_parts(struct part *parts, size_t count, struct counts *out)
{
    int rc = 0;
    for (size_t i = 0; i < count; i++)
        if (pthread_create(&parts[i].thread, NULL, part_run, &parts[i]) != 0)
            return fail("threads", "none left");
    for (size_t i = 0; i < count; i++) {
        pthread_join(parts[i].thread, NULL);
        out->rows += parts[i].counts.rows;
        out->bytes += parts[i].counts.bytes;
        if (parts[i].rc != 0)
            rc = fail("reading", parts[i].err.text);
    }
    return rc;
}

static int ours_on(const struct task *t, const struct source *source, struct session *s,
                   unsigned connections, struct counts *out)
{
    struct error err = { 0 };
    struct part parts[CONNECTIONS_MAX] = { 0 };
    struct page_pace pace[1] = { 0 };
    struct page_range *ranges = NULL;
    size_t count = 0;
    struct str why = { 0 };
    struct arena *a = arena_new((size_t)64 << 20);
    struct catalog *c = source_discover_table(s, t->database, t->table, false, &err);
    int rc = -1;
    if (c != NULL) {
        const struct catalog_table *found = &c->databases[0].tables[0];
        struct full_table table = { .shape = schema_project(a, &found->schema),
                                    .found = found,
                                    .method = full_method_of(found, false, &why),
                                    .pace = pace };
        struct full_cut cut = { table.shape, found, connections };
        rc = full_split(s, a, &cut, &ranges, &count, &err);
        for (size_t i = 0; rc == 0 && i < count && i < CONNECTIONS_MAX; i++)
            parts[i] =
                (struct part){ .source = source, .table = &table, .range = ranges[i] };
        if (rc == 0 && count <= CONNECTIONS_MAX)
            rc = read_parts(parts, count, out);
        catalog_free(c);
    }
    arena_free(a);
    return rc == 0 || err.text[0] == '\0' ? rc : fail("reading", err.text);
}

static int ours(const struct task *t, unsigned connections, struct counts *out)
{
    struct error err = { 0 };
    struct source *source = source_new(&t->url, t->password, &err);
    struct session *s = source == NULL ? NULL : source_connect(source, 0, NULL, &err);
    int rc = s == NULL ? fail("connecting", err.text)
                       : ours_on(t, source, s, connections, out);
    source_disconnect(s);
    source_free(source);
    return rc;
}

/* ---- the program ---- */

static int run(const char *mode, const struct task *t, struct counts *out)
{
    struct str rest = { 0 };
    struct str way = str_cut(str_of(mode), '-', &rest);
    uint64_t n = 0;
    if (str_eq(str_of(mode), STR("discard-text")))
        return discard_text(t, out);
    if (str_eq(str_of(mode), STR("discard-binary")))
        return discard_binary(t, out);
    if (str_eq(way, STR("ours")) && str_to_u64(rest, &n) && n >= 1 &&
        n <= CONNECTIONS_MAX)
        return ours(t, (unsigned)n, out);
    return fail("unknown mode", mode);
}

int main(int argc, char **argv)
{
    struct error err = { 0 };
    struct counts counts = { 0 };
    struct secret *in_url = NULL;
    if (argc < 5)
        return fail("usage", "MODE SOURCE-URL DATABASE TABLE [SERVER-PID]"), 2;
    const char *pid = argc > 5 ? argv[5] : "none";
    struct arena *a = arena_new((size_t)1 << 20);
    struct task t = { .database = str_of(argv[3]), .table = str_of(argv[4]) };
    struct secret *password = secret_take_env("TAILRACE_SOURCE_PASSWORD");
    if (url_parse_source(a, str_of(argv[2]), &t.url, &in_url, &err) != 0)
        return fail("arguments", err.text), 2;
    t.password = password;
    double server = process_seconds(pid);
    double client = usage_seconds();
    int64_t began = clock_mono_us();
    int rc = run(argv[1], &t, &counts);
    double wall = (double)(clock_mono_us() - began) / 1e6;
    client = usage_seconds() - client;
    server = process_seconds(pid) - server;
    printf("{\"mode\": \"%s\", \"rows\": %" PRIu64 ", \"bytes\": %" PRIu64
           ", \"wall\": %.3f, \"client\": %.3f, \"server\": %.3f, \"mib\": %ld}\n",
           argv[1], counts.rows, counts.bytes, wall, client, server, usage_peak_mib());
    secret_free(password);
    secret_free(in_url);
    arena_free(a);
    return rc == 0 ? 0 : 1;
}
