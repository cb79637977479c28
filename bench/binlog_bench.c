/* bench/binlog_bench.c
 *
 * One binary log, read several ways:
 *
 *   limit   memcpy and CRC32 over the file in memory: no reader that verifies is faster
 *   events  mysql/binlog.h: events and checksums, bodies untouched
 *   rows    every row of it decoded into cells
 *   avro    the same, the cells encoded as Avro, blocks dropped
 *
 *   binlog_bench MODE FILE
 *   binlog_bench MODE NAME SOURCE-URL     the log of that name, from the server
 *
 * A file is read into memory before the clock starts. Prints one JSON object: rows
 * changed, bytes (of Avro, from a server of events), seconds of wall and of this process,
 * its peak resident MiB less the file. The password comes from TAILRACE_SOURCE_PASSWORD.
 */
#include "avro/encode.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "config/url.h"
#include "mysql/binlog.h"
#include "mysql/dump.h"
#include "mysql/rows.h"
#include "mysql/table_map.h"
#include "source/source.h"
#include "usage.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROW_LIMIT ((size_t)64 << 20)
#define PIECE_BYTES ((size_t)256 << 10)

enum mode { MODE_LIMIT, MODE_EVENTS, MODE_ROWS, MODE_AVRO };

struct counts {
    uint64_t rows, bytes;
};

struct bench {
    enum mode mode;
    struct table_maps *maps;
    struct rows_reader *reader;
    struct value before[TABLE_MAP_COLUMNS_MOST], after[TABLE_MAP_COLUMNS_MOST];
    struct counts counts;
    uint64_t seen; /* of the cells, so that nothing is left out */
};

/* What is made of one map, and kept with it. */
struct table {
    struct arena *arena;
    const struct table_schema *shape;
    struct rows_plan *rows;
    struct encode_plan *avro;
    struct block *block;
};

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "binlog_bench: %s: %s\n", what, why);
    return -1;
}

/* ---- tables ---- */

static void table_free(void *arg)
{
    struct table *t = arg;
    rows_plan_free(t->rows);
    encode_plan_free(t->avro);
    block_free(t->block);
    arena_free(t->arena);
    free(t);
}

static struct table *table_of(struct table_map *m, struct error *err)
{
    static const struct encode_policy policy = { .dates = DATE_NULL };
    struct type_options o = { .family = m->family, .row_limit = ROW_LIMIT };
    if (m->plan != NULL)
        return m->plan;
    struct table *t = xcalloc(1, sizeof *t);
    m->plan = t;
    t->arena = arena_new((size_t)16 << 20);
    t->shape = schema_project(t->arena, table_map_shape(m, t->arena));
    t->rows = rows_plan_new(m, t->shape, &o, err);
    t->avro = encode_plan_new(t->shape, &policy);
    t->block = block_new(0, t->shape, ROW_LIMIT);
    return t->rows == NULL ? NULL : t;
}

static int encode(struct bench *b, struct table *t, const struct value *cells,
                  struct error *err)
{
    struct encode_fault fault;
    struct row_meta meta = { .op = OP_INSERT, .sequence = 1, .at = 1700000000000000 };
    if (encode_row(t->avro, t->block, &meta, cells, &fault) != ENCODE_OK)
        return error_set(err, ERR_DATA, "column %u: %s", fault.column, fault.reason);
    if (t->block->bytes.len < BLOCK_SOFT_BYTES)
        return 0;
    b->counts.bytes += t->block->bytes.len;
    buf_clear(&t->block->bytes);
    t->block->rows = 0;
    return 0;
}

static int read_rows(struct bench *b, struct binlog *log, const struct event *e,
                     struct error *err)
{
    struct rows_head head;
    if (rows_read_head(b->reader, e, binlog_body(log), binlog_format(log), &head, err) !=
        0)
        return -1;
    struct table_map *m = table_maps_find(b->maps, head.table_id);
    struct table *t = m == NULL ? NULL : table_of(m, err);
    if (t == NULL)
        return m == NULL ? error_set(err, ERR_PROTOCOL, "rows without a map") : -1;
    for (;;) {
        int got = rows_read_row(b->reader, t->rows, b->before, b->after, err);
        if (got <= 0)
            return got;
        const struct value *cells = head.kind == ROWS_DELETE ? b->before : b->after;
        b->counts.rows++;
        b->seen += cells[0].as.u;
        if (b->mode == MODE_AVRO && encode(b, t, cells, err) != 0)
            return -1;
    }
}

static int read_event(struct bench *b, struct binlog *log, const struct event *e,
                      struct error *err)
{
    uint8_t type = e->header.type;
    if (b->mode == MODE_EVENTS)
        return 0;
    if (event_type_has_rows(type))
        return read_rows(b, log, e, err);
    if (type != TABLE_MAP_EVENT)
        return 0;
    return table_maps_put(b->maps, e->body, binlog_format(log), err) == NULL ? -1 : 0;
}

/* ---- files ---- */

static int read_file(struct bench *b, struct str file)
{
    struct binlog_options o = { .name = "log",
                                .row_limit = ROW_LIMIT,
                                .event_limit = ROW_LIMIT };
    struct error err = { 0 };
    struct event e;
    int got;
    struct str rest = file;
    struct binlog *log = binlog_new(binlog_source_memory(&rest), 0, &o);
    while ((got = binlog_next(log, &e, &err)) == 1)
        if (read_event(b, log, &e, &err) != 0) {
            got = -1;
            break;
        }
    binlog_free(log);
    return got == 0 ? 0 : fail("reading", err.text);
}

static void touch(struct bench *b, struct str file)
{
    static char piece[PIECE_BYTES];
    uint32_t sum = 0;
    for (size_t at = 0; at < file.len; at += sizeof piece) {
        size_t n = file.len - at < sizeof piece ? file.len - at : sizeof piece;
        memcpy(piece, file.ptr + at, n);
        sum = libdeflate_crc32(sum, piece, n);
    }
    b->seen = sum;
}

static int load(const char *path, struct str *out)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        return fail(path, "cannot be opened");
    size_t size = (size_t)st.st_size;
    char *bytes = xcalloc(size, 1);
    size_t at = 0;
    while (at < size) {
        ssize_t n = read(fd, bytes + at, size - at);
        if (n <= 0)
            return fail(path, "cannot be read");
        at += (size_t)n;
    }
    close(fd);
    *out = (struct str){ bytes, size };
    return 0;
}

/* ---- servers ---- */

/* The events of one file, up to where the server goes on with the next. */
static int read_dump(struct bench *b, struct session *session, struct str name,
                     struct error *err)
{
    struct dump_options o = { .file = name,
                              .offset = 4,
                              .non_block = true,
                              .row_limit = ROW_LIMIT,
                              .event_limit = ROW_LIMIT };
    struct event e;
    int got = -1;
    struct dump *d = dump_open(session, &o, err);
    while (d != NULL && (got = dump_next(d, &e, err)) == 1) {
        b->counts.bytes += e.header.size;
        if (e.header.type == ROTATE_EVENT && dump_place(d)->real)
            break;
        if (read_event(b, dump_binlog(d), &e, err) != 0) {
            got = -1;
            break;
        }
    }
    dump_close(d);
    return got < 0 ? -1 : 0;
}

static int read_server(struct bench *b, const char *url, struct str name)
{
    struct error err = { 0 };
    struct url_source where;
    struct secret *in_url = NULL;
    struct arena *a = arena_new((size_t)1 << 20);
    struct secret *password = secret_take_env("TAILRACE_SOURCE_PASSWORD");
    struct source *source = NULL;
    struct session *s = NULL;
    if (url_parse_source(a, str_of(url), &where, &in_url, &err) == 0)
        source = source_new(&where, password, &err);
    if (source != NULL)
        s = source_connect(source, 0, NULL, &err);
    int rc = s == NULL ? -1 : read_dump(b, s, name, &err);
    source_disconnect(s);
    source_free(source);
    secret_free(password);
    secret_free(in_url);
    arena_free(a);
    return rc == 0 ? 0 : fail("reading", err.text);
}

/* ---- the program ---- */

static int find_mode(const char *text, enum mode *out)
{
    static const char *const modes[] = { "limit", "events", "rows", "avro" };
    for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(text, modes[i]) == 0) {
            *out = (enum mode)i;
            return 0;
        }
    return fail("unknown mode", text);
}

static int run(struct bench *b, int argc, char **argv, struct str file)
{
    if (argc == 4)
        return read_server(b, argv[3], str_of(argv[2]));
    if (b->mode != MODE_LIMIT)
        return read_file(b, file);
    touch(b, file);
    return 0;
}

int main(int argc, char **argv)
{
    struct str file = { 0 };
    struct bench *b = xcalloc(1, sizeof *b);
    if (argc < 3 || argc > 4 || find_mode(argv[1], &b->mode) != 0)
        return fail("usage", "limit|events|rows|avro FILE, or NAME URL"), 2;
    if (argc == 3 && load(argv[2], &file) != 0)
        return 2;
    b->maps = table_maps_new(table_free);
    b->reader = rows_reader_new(ROW_LIMIT);
    double client = usage_seconds();
    int64_t began = clock_mono_us();
    int rc = run(b, argc, argv, file);
    double wall = (double)(clock_mono_us() - began) / 1e6;
    client = usage_seconds() - client;
    printf("{\"rows\": %" PRIu64 ", \"bytes\": %" PRIu64
           ", \"wall\": %.3f, \"client\": %.3f, \"mib\": %ld, \"seen\": %" PRIu64 "}\n",
           b->counts.rows, b->counts.bytes, wall, client,
           usage_peak_mib() - (long)(file.len >> 20), b->seen);
    rows_reader_free(b->reader);
    table_maps_free(b->maps);
    free((void *)(uintptr_t)file.ptr);
    free(b);
    return rc == 0 ? 0 : 1;
}
