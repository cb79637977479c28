/* tests/unit/spool/spool_fixture.h
 *
 * A folder per test, blocks without a source, and epochs with known content.
 */
#ifndef UNIT_SPOOL_FIXTURE_H
#define UNIT_SPOOL_FIXTURE_H

#include "avro/container.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/file.h"
#include "spool/epoch.h"
#include "support/test.h"

#include <stdio.h>

#define ROWS_SCHEMA "{\"type\":\"record\",\"name\":\"r\",\"fields\":[]}"

static char root[64];

static inline int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof(root), "/tmp/tailrace-test-XXXXXX");
    return mkdtemp(root) == NULL ? -1 : 0;
}

static inline int remove_root(void **state)
{
    (void)state;
    struct error err = { 0 };
    unsetenv("TAILRACE_FAULT");
    return file_remove_tree(root, &err);
}

static inline struct epoch_header test_header(void)
{
    return (struct epoch_header){ STR("dest-1"), STR("shop"), STR("shop_schema"),
                                  STR("full") };
}

static inline struct manifest_stream test_stream(const char *table)
{
    return (struct manifest_stream){ .database = STR("db"),
                                     .table = str_of(table),
                                     .target = str_of(table),
                                     .version = 7,
                                     .sequence = 1000 };
}

/* Bytes that do not compress and differ by seed: what stands for rows. */
static inline void fill(struct buf *out, size_t n, uint64_t seed)
{
    uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
    for (size_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        buf_add_char(out, (char)(x >> 32));
    }
}

static inline struct block test_block(uint32_t shape, size_t n, uint64_t seed)
{
    struct block b = { .shape = shape, .rows = 3, .source_rows = 3, .source_bytes = n };
    buf_init(&b.bytes, (size_t)256 << 20);
    fill(&b.bytes, n, seed);
    return b;
}

static inline void add_block(struct epoch_writer *w, int stream, size_t n, uint64_t seed)
{
    struct error err = { 0 };
    struct block b = test_block(1, n, seed);
    epoch_shape(w, stream, 1, STR(ROWS_SCHEMA));
    int rc = epoch_add_block(w, stream, &b, &err);
    buf_done(&b.bytes);
    if (rc != 0)
        fail_msg("%s", err.text);
}

/* All rows of a segment, end to end, must be the blocks of these sizes and seeds. */
static inline void expect_rows(const char *dir, const struct manifest *m, size_t segment,
                               const size_t *sizes, const uint64_t *seeds, size_t count)
{
    struct error err = { 0 };
    struct epoch_map map;
    assert_int_equal(epoch_map_segment(dir, m, segment, &map, &err), 0);
    struct container_reader *r =
        container_reader_new(map.container, (size_t)256 << 20, &err);
    assert_non_null(r);
    for (size_t i = 0; i < count; i++) {
        struct str rows;
        uint64_t n;
        CLEANUP(buf_done) struct buf want;
        buf_init(&want, (size_t)256 << 20);
        fill(&want, sizes[i], seeds[i]);
        assert_int_equal(container_next_block(r, &rows, &n, &err), 1);
        assert_int_equal(n, 3);
        assert_true(str_eq(rows, buf_str(&want)));
    }
    struct str rows;
    uint64_t n;
    assert_int_equal(container_next_block(r, &rows, &n, &err), 0);
    container_reader_free(r);
    epoch_unmap(&map);
}

#endif
