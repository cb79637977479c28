#include "avro/container.h"
#include "avro/wire.h"
#include "base/alloc.h"
#include "support/test.h"

#include <zstd.h>

static const uint8_t marker[16] = "0123456789abcdef";
static const enum avro_codec codecs[] = { CODEC_NULL, CODEC_SNAPPY, CODEC_ZSTANDARD,
                                          CODEC_DEFLATE };

static int to_buf(void *ctx, const void *bytes, size_t n, struct error *err)
{
    struct buf *out = ctx;
    buf_add(out, bytes, n);
    return buf_check(out, "file", err);
}

/* Three blocks: none but an empty row, text that packs well, bytes that do not. */
static void make_blocks(struct buf blocks[3])
{
    uint32_t x = 1;
    for (unsigned i = 0; i < 3; i++)
        buf_init(&blocks[i], 1u << 20);
    for (unsigned i = 0; i < 5000; i++) {
        buf_printf(&blocks[1], "row %u of a table, ", i);
        x = x * 1664525u + 1013904223u;
        buf_add(&blocks[2], &x, sizeof(x));
    }
}

static void write_file(enum avro_codec codec, const struct buf blocks[3], struct buf *out)
{
    struct error err = { 0 };
    buf_init(out, 4u << 20);
    struct container_writer *w = container_writer_new(codec, STR("{\"type\":\"string\"}"),
                                                      marker, to_buf, out, &err);
    assert_non_null(w);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(container_write_block(w, buf_str(&blocks[i]), i + 1, &err), 0);
    assert_int_equal(container_bytes_written(w), out->len);
    container_writer_free(w);
}

static void every_codec_gives_back_what_it_took(void **state)
{
    (void)state;
    struct buf blocks[3];
    make_blocks(blocks);
    for (unsigned c = 0; c < 4; c++) {
        struct buf file;
        struct buf again;
        struct error err = { 0 };
        write_file(codecs[c], blocks, &file);
        write_file(codecs[c], blocks, &again);
        assert_true(str_eq(buf_str(&file), buf_str(&again)));
        struct container_reader *r = container_reader_new(buf_str(&file), 1u << 20, &err);
        assert_non_null(r);
        assert_str(container_schema(r), "{\"type\":\"string\"}");
        struct str rows;
        uint64_t count;
        for (unsigned i = 0; i < 3; i++) {
            if (container_next_block(r, &rows, &count, &err) != 1)
                fail_msg("%s: %s", codec_name(codecs[c]), err.text);
            assert_int_equal(count, i + 1);
            assert_true(str_eq(rows, buf_str(&blocks[i])));
        }
        assert_int_equal(container_next_block(r, &rows, &count, &err), 0);
        assert_int_equal(container_next_block(r, &rows, &count, &err), 0);
        container_reader_free(r);
        buf_done(&file);
        buf_done(&again);
    }
    for (unsigned i = 0; i < 3; i++)
        buf_done(&blocks[i]);
}

/* Blocks read to the end or the first damage; -1 when damaged. */
static int read_all(struct str file, size_t limit)
{
    struct error err = { 0 };
    struct str rows;
    uint64_t count;
    struct container_reader *r = container_reader_new(file, limit, &err);
    if (r == NULL) {
        assert_int_equal(err.code, ERR_PROTOCOL);
        return -1;
    }
    int rc;
    int blocks = 0;
    while ((rc = container_next_block(r, &rows, &count, &err)) == 1)
        blocks++;
    if (rc < 0)
        assert_non_null(strstr(err.text, "damaged Avro file at byte "));
    container_reader_free(r);
    return rc < 0 ? -1 : blocks;
}

static void small_blocks(struct buf blocks[3])
{
    for (unsigned i = 0; i < 3; i++) {
        buf_init(&blocks[i], 1u << 16);
        for (unsigned j = 0; j <= i * 5; j++)
            buf_add_text(&blocks[i], "some text, some text; ");
    }
}

static void every_cut_and_every_flipped_bit_is_survived(void **state)
{
    (void)state;
    struct buf blocks[3];
    small_blocks(blocks);
    for (unsigned c = 0; c < 4; c++) {
        struct buf file;
        unsigned whole = 0;
        write_file(codecs[c], blocks, &file);
        for (size_t n = 0; n < file.len; n++) {
            char *copy = xcalloc(n + 1, 1);
            memcpy(copy, file.data, n);
            whole += read_all((struct str){ copy, n }, 1u << 16) >= 0;
            free(copy);
        }
        assert_int_equal(whole, 3); /* after the header and after the first two blocks */
        for (size_t bit = 0; bit < file.len * 8; bit++) {
            file.data[bit / 8] ^= (char)(1 << (bit % 8));
            (void)read_all(buf_str(&file), 1u << 16);
            file.data[bit / 8] ^= (char)(1 << (bit % 8));
        }
        assert_int_equal(read_all(buf_str(&file), 1u << 16), 3);
        buf_done(&file);
    }
    for (unsigned i = 0; i < 3; i++)
        buf_done(&blocks[i]);
}

static void a_block_that_unpacks_past_the_limit_is_refused(void **state)
{
    (void)state;
    struct buf blocks[3];
    for (unsigned i = 0; i < 3; i++) {
        buf_init(&blocks[i], 1u << 20);
        for (unsigned j = 0; j < 1000; j++)
            buf_add_text(&blocks[i], "0123456789");
    }
    for (unsigned c = 0; c < 4; c++) {
        struct buf file;
        write_file(codecs[c], blocks, &file);
        assert_int_equal(read_all(buf_str(&file), 10000), 3);
        assert_int_equal(read_all(buf_str(&file), 9999), -1);
        buf_done(&file);
    }
    for (unsigned i = 0; i < 3; i++)
        buf_done(&blocks[i]);
}

static void a_snappy_checksum_is_compared(void **state)
{
    (void)state;
    struct buf blocks[3];
    struct buf file;
    small_blocks(blocks);
    write_file(CODEC_SNAPPY, blocks, &file);
    file.data[file.len - 17] ^= 1; /* the last byte of the last block's CRC32 */
    assert_int_equal(read_all(buf_str(&file), 1u << 16), -1);
    buf_done(&file);
    for (unsigned i = 0; i < 3; i++)
        buf_done(&blocks[i]);
}

static void headers_of_other_writers_are_read(void **state)
{
    (void)state;
    /* a map block with a negative count and its size, another key, no codec */
    assert_int_equal(read_all(STR("Obj\1\3\x28\2k\2v\x16"
                                  "avro.schema\4{}\0"
                                  "0123456789abcdef"
                                  "\2\2x"
                                  "0123456789abcdef"),
                              100),
                     1);
    assert_int_equal(read_all(STR("Obj\1\0"
                                  "0123456789abcdef"),
                              100),
                     -1);
    assert_int_equal(read_all(STR("Obj\2"), 100), -1);
    assert_int_equal(read_all(STR("Obj\1\4\x16"
                                  "avro.schema\4{}\x14"
                                  "avro.codec\4xz\0"
                                  "0123456789abcdef"),
                              100),
                     -1);
}

/* A container with one block of these bytes, as a frame that does not say its size. */
static void write_unsized_frame(struct str rows, struct buf *file)
{
    char frame[1u << 14];
    char head[2 * AVRO_LONG_MAX_BYTES];
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, 0)));
    size_t n = ZSTD_compress2(zstd, frame, sizeof(frame), rows.ptr, rows.len);
    assert_false(ZSTD_isError(n));
    ZSTD_freeCCtx(zstd);
    char *end = avro_put_long(avro_put_long(head, 1), (int64_t)n);
    buf_init(file, 1u << 20);
    buf_add_str(file, STR("Obj\1\4\x16"
                          "avro.schema\4{}\x14"
                          "avro.codec\x12zstandard\0"
                          "0123456789abcdef"));
    buf_add(file, head, (size_t)(end - head));
    buf_add(file, frame, n);
    buf_add_str(file, STR("0123456789abcdef"));
}

static void frames_of_unknown_size_are_read_up_to_the_limit(void **state)
{
    (void)state;
    struct buf rows;
    struct buf file;
    buf_init(&rows, 1u << 20);
    for (unsigned i = 0; i < 30000; i++)
        buf_printf(&rows, "%u,", i);
    static const size_t sizes[] = { 0, 1, 1000, 9000 };
    for (unsigned i = 0; i < 4; i++) {
        struct error err = { 0 };
        struct str got;
        uint64_t count;
        struct str want = { rows.data, sizes[i] };
        write_unsized_frame(want, &file);
        struct container_reader *r = container_reader_new(buf_str(&file), 9000, &err);
        assert_non_null(r);
        if (container_next_block(r, &got, &count, &err) != 1)
            fail_msg("%zu bytes: %s", want.len, err.text);
        assert_true(str_eq(got, want));
        container_reader_free(r);
        if (want.len > 0)
            assert_int_equal(read_all(buf_str(&file), want.len - 1), -1);
        file.data[file.len - 20] ^=
            1; /* inside the frame's end: cut or wrong, never a crash */
        (void)read_all(buf_str(&file), 9000);
        buf_done(&file);
    }
    buf_done(&rows);
}

static int refuse_write(void *ctx, const void *bytes, size_t n, struct error *err)
{
    unsigned *left = ctx;
    (void)bytes;
    (void)n;
    return (*left)-- == 0 ? error_set(err, ERR_IO, "disk full") : 0;
}

static void a_failing_write_is_handed_up(void **state)
{
    (void)state;
    for (unsigned fail_at = 0; fail_at < 4; fail_at++) {
        unsigned left = fail_at;
        struct error err = { 0 };
        struct container_writer *w = container_writer_new(CODEC_NULL, STR("{}"), marker,
                                                          refuse_write, &left, &err);
        if (w != NULL)
            assert_int_equal(container_write_block(w, STR("rows"), 1, &err), -1);
        assert_int_equal(err.code, ERR_IO);
        container_writer_free(w);
    }
}

static void codecs_have_the_names_of_the_specification(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 4; c++)
        assert_int_equal(codec_find(str_of(codec_name(codecs[c]))), codecs[c]);
    assert_int_equal(codec_find(STR("zstandard")), CODEC_ZSTANDARD);
    assert_int_equal(codec_find(STR("lzma")), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_codec_gives_back_what_it_took),
        cmocka_unit_test(every_cut_and_every_flipped_bit_is_survived),
        cmocka_unit_test(a_block_that_unpacks_past_the_limit_is_refused),
        cmocka_unit_test(a_snappy_checksum_is_compared),
        cmocka_unit_test(headers_of_other_writers_are_read),
        cmocka_unit_test(frames_of_unknown_size_are_read_up_to_the_limit),
        cmocka_unit_test(a_failing_write_is_handed_up),
        cmocka_unit_test(codecs_have_the_names_of_the_specification),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
