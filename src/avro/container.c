#include "avro/container.h"

#include "avro/wire.h"
#include "base/alloc.h"

#include <libdeflate.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zstd.h>

/* Levels by measurement (bench/encode_bench.c): past them the bytes hardly shrink. */
#define ZSTD_LEVEL 1
#define DEFLATE_LEVEL 6

#define SYNC_BYTES 16
#define CRC_BYTES 4
static const char magic[4] = { 'O', 'b', 'j', 1 };

static const char *const names[] = { "null", "snappy", "zstandard", "deflate" };

const char *codec_name(enum avro_codec c)
{
    return names[c];
}

int codec_find(struct str name)
{
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_eq(name, str_of(names[i])))
            return (int)i;
    return -1;
}

struct container_writer {
    enum avro_codec codec;
    container_write_fn *write;
    void *ctx; /* borrowed, for write */
    uint8_t sync[SYNC_BYTES];
    uint64_t written;
    char *out; /* owned: one compressed block */
    size_t out_cap;
    ZSTD_CCtx *zstd;                       /* owned, or NULL */
    struct libdeflate_compressor *deflate; /* owned, or NULL */
};

static int put(struct container_writer *w, const void *bytes, size_t n, struct error *err)
{
    if (n > 0 && w->write(w->ctx, bytes, n, err) != 0)
        return -1;
    w->written += n;
    return 0;
}

static char *put_entry(char *at, struct str key, struct str value)
{
    at = avro_put_long(at, (int64_t)key.len);
    memcpy(at, key.ptr, key.len);
    at = avro_put_long(at + key.len, (int64_t)value.len);
    if (value.len > 0)
        memcpy(at, value.ptr, value.len);
    return at + value.len;
}

static int put_header(struct container_writer *w, struct str schema_json,
                      struct error *err)
{
    char *header = xcalloc(schema_json.len + 128, 1);
    char *at = header;
    memcpy(at, magic, sizeof(magic));
    at = avro_put_long(at + sizeof(magic), 2);
    at = put_entry(at, STR("avro.schema"), schema_json);
    at = put_entry(at, STR("avro.codec"), str_of(codec_name(w->codec)));
    at = avro_put_long(at, 0);
    memcpy(at, w->sync, SYNC_BYTES);
    at += SYNC_BYTES;
    int rc = put(w, header, (size_t)(at - header), err);
    free(header);
    return rc;
}

struct container_writer *container_writer_new(enum avro_codec codec,
                                              struct str schema_json,
                                              const uint8_t sync[16],
                                              container_write_fn *write, void *ctx,
                                              struct error *err)
{
    struct container_writer *w = xcalloc(1, sizeof(*w));
    w->codec = codec;
    w->write = write;
    w->ctx = ctx;
    memcpy(w->sync, sync, SYNC_BYTES);
    if (codec == CODEC_ZSTANDARD)
        w->zstd = ZSTD_createCCtx();
    if (codec == CODEC_DEFLATE)
        w->deflate = libdeflate_alloc_compressor(DEFLATE_LEVEL);
    if ((codec == CODEC_ZSTANDARD && w->zstd == NULL) ||
        (codec == CODEC_DEFLATE && w->deflate == NULL))
        abort(); /* a size of the library's own: as base/alloc.h does */
    if (put_header(w, schema_json, err) != 0) {
        container_writer_free(w);
        return NULL;
    }
    return w;
}

void container_writer_free(struct container_writer *w)
{
    if (w == NULL)
        return;
    ZSTD_freeCCtx(w->zstd);
    libdeflate_free_compressor(w->deflate);
    free(w->out);
    free(w);
}

static size_t packed_bound(const struct container_writer *w, size_t n)
{
    switch (w->codec) {
    case CODEC_NULL:
        break;
    case CODEC_SNAPPY:
        return snappy_max_compressed_length(n) + CRC_BYTES;
    case CODEC_ZSTANDARD:
        return ZSTD_compressBound(n);
    case CODEC_DEFLATE:
        return libdeflate_deflate_compress_bound(w->deflate, n);
    }
    return 0;
}

static void put_crc(char *at, struct str rows)
{
    uint32_t crc = libdeflate_crc32(0, rows.ptr, rows.len);
    for (unsigned i = 0; i < CRC_BYTES; i++)
        at[i] = (char)(uint8_t)(crc >> (24 - 8 * i));
}

/* The block's data into w->out; its length, or 0 when the codec failed. */
static size_t pack(struct container_writer *w, struct str rows)
{
    size_t n = w->out_cap;
    switch (w->codec) {
    case CODEC_NULL:
        break;
    case CODEC_SNAPPY:
        if (snappy_compress(rows.ptr, rows.len, w->out, &n) != SNAPPY_OK)
            return 0;
        put_crc(w->out + n, rows);
        return n + CRC_BYTES;
    case CODEC_ZSTANDARD:
        n = ZSTD_compressCCtx(w->zstd, w->out, n, rows.ptr, rows.len, ZSTD_LEVEL);
        return ZSTD_isError(n) ? 0 : n;
    case CODEC_DEFLATE:
        return libdeflate_deflate_compress(w->deflate, rows.ptr, rows.len, w->out, n);
    }
    return 0;
}

int container_write_block(struct container_writer *w, struct str rows, uint64_t row_count,
                          struct error *err)
{
    struct str data = rows;
    if (w->codec != CODEC_NULL) {
        size_t bound = packed_bound(w, rows.len);
        if (bound > w->out_cap) {
            w->out = xreallocarray(w->out, bound, 1);
            w->out_cap = bound;
        }
        data = (struct str){ w->out, pack(w, rows) };
        if (data.len == 0)
            return error_set(err, ERR_BUG, "codec '%s' failed on a block of %zu bytes",
                             codec_name(w->codec), rows.len);
    }
    char head[2 * AVRO_LONG_MAX_BYTES];
    char *at = avro_put_long(head, (int64_t)row_count);
    at = avro_put_long(at, (int64_t)data.len);
    if (put(w, head, (size_t)(at - head), err) != 0 ||
        put(w, data.ptr, data.len, err) != 0)
        return -1;
    return put(w, w->sync, SYNC_BYTES, err);
}

uint64_t container_bytes_written(const struct container_writer *w)
{
    return w->written;
}

struct container_reader {
    struct str file; /* borrowed */
    struct reader in;
    struct str schema; /* in file */
    struct str sync;   /* in file */
    enum avro_codec codec;
    size_t limit;
    struct buf rows; /* owned: one block, unpacked */
    ZSTD_DCtx *zstd;
    struct libdeflate_decompressor *deflate;
};

static int damaged(const struct container_reader *r, const char *what, struct error *err)
{
    return error_set(err, ERR_PROTOCOL, "damaged Avro file at byte %zu: %s",
                     (size_t)(r->in.pos - r->file.ptr), what);
}

/* The map of the header. Blocks with a negative count have their size in bytes behind it.
 */
static int read_metadata(struct container_reader *r, struct error *err)
{
    struct str codec = STR("null");
    for (;;) {
        int64_t count = avro_get_long(&r->in);
        if (count < 0) {
            (void)avro_get_long(&r->in);
            count = count == INT64_MIN ? 0 : -count;
        }
        if (r->in.bad || count == 0)
            break;
        for (; count > 0 && !r->in.bad; count--) {
            struct str key = avro_get_bytes(&r->in);
            struct str value = avro_get_bytes(&r->in);
            if (str_eq(key, STR("avro.schema")))
                r->schema = value;
            if (str_eq(key, STR("avro.codec")))
                codec = value;
        }
    }
    r->sync = reader_bytes(&r->in, SYNC_BYTES);
    if (r->in.bad || r->schema.ptr == NULL)
        return damaged(r, "the header is cut or has no schema", err);
    int found = codec_find(codec);
    if (found < 0)
        return damaged(r, "a codec that we do not know", err);
    r->codec = (enum avro_codec)found;
    return 0;
}

struct container_reader *container_reader_new(struct str file, size_t limit,
                                              struct error *err)
{
    struct container_reader *r = xcalloc(1, sizeof(*r));
    r->file = file;
    r->in = reader_over(file);
    r->limit = limit;
    buf_init(&r->rows, limit);
    struct str start = reader_bytes(&r->in, sizeof(magic));
    int rc = 0;
    if (r->in.bad || memcmp(start.ptr, magic, sizeof(magic)) != 0)
        rc = damaged(r, "it does not start as a container file", err);
    if (rc != 0 || read_metadata(r, err) != 0) {
        container_reader_free(r);
        return NULL;
    }
    return r;
}

struct str container_schema(const struct container_reader *r)
{
    return r->schema;
}

void container_reader_free(struct container_reader *r)
{
    if (r == NULL)
        return;
    ZSTD_freeDCtx(r->zstd);
    libdeflate_free_decompressor(r->deflate);
    buf_done(&r->rows);
    free(r);
}

static const char *const too_large = "a block is larger than one may be";
static const char *const no_codec = "a block does not unpack";

static const char *unpack_snappy(struct container_reader *r, struct str data)
{
    size_t n = 0;
    if (data.len < CRC_BYTES)
        return no_codec;
    data.len -= CRC_BYTES;
    if (snappy_uncompressed_length(data.ptr, data.len, &n) != SNAPPY_OK)
        return no_codec;
    char *to = buf_reserve(&r->rows, n);
    if (to == NULL)
        return too_large;
    if (snappy_uncompress(data.ptr, data.len, to, &n) != SNAPPY_OK)
        return no_codec;
    buf_advance(&r->rows, n);
    char crc[CRC_BYTES];
    put_crc(crc, (struct str){ to, n });
    return memcmp(crc, data.ptr + data.len, CRC_BYTES) == 0 ? NULL
                                                            : "a checksum is wrong";
}

/* Foreign files may hold frames without their size: those are unpacked piece by piece. */
static const char *unpack_zstd(struct container_reader *r, struct str data)
{
    if (r->zstd == NULL && (r->zstd = ZSTD_createDCtx()) == NULL)
        return "no memory for the codec";
    if (ZSTD_isError(ZSTD_DCtx_reset(r->zstd, ZSTD_reset_session_only)))
        return no_codec;
    ZSTD_inBuffer in = { data.ptr, data.len, 0 };
    size_t rest = 1;
    size_t step = ZSTD_DStreamOutSize();
    unsigned long long whole = ZSTD_getFrameContentSize(data.ptr, data.len);
    if (whole > 0 && whole <= r->limit)
        step = (size_t)whole;
    while (rest != 0 || in.pos < in.size) {
        size_t left = r->limit - r->rows.len;
        size_t room = step < left ? step : left;
        if (room == 0 && in.pos == in.size)
            break; /* full, and no input is left to say that the frame ended */
        char *to = buf_reserve(&r->rows, room > 0 ? room : 1);
        if (to == NULL)
            return too_large;
        ZSTD_outBuffer out = { to, room, 0 };
        size_t before = in.pos;
        rest = ZSTD_decompressStream(r->zstd, &out, &in);
        if (ZSTD_isError(rest))
            return no_codec;
        if (out.pos > 0)
            buf_advance(&r->rows, out.pos);
        if (out.pos == 0 && in.pos == before)
            break; /* no progress: cut */
    }
    return rest == 0 ? NULL : no_codec;
}

static const char *unpack_deflate(struct container_reader *r, struct str data)
{
    if (r->deflate == NULL && (r->deflate = libdeflate_alloc_decompressor()) == NULL)
        return "no memory for the codec";
    size_t room = r->rows.cap > 4 * data.len ? r->rows.cap : 4 * data.len + 64;
    for (;; room *= 4) {
        size_t n = 0;
        if (room > r->limit)
            room = r->limit;
        char *to = buf_reserve(&r->rows, room);
        enum libdeflate_result result =
            libdeflate_deflate_decompress(r->deflate, data.ptr, data.len, to, room, &n);
        if (result == LIBDEFLATE_SUCCESS) {
            buf_advance(&r->rows, n);
            return NULL;
        }
        if (result != LIBDEFLATE_INSUFFICIENT_SPACE)
            return no_codec;
        if (room == r->limit)
            return too_large;
    }
}

static const char *unpack(struct container_reader *r, struct str data, struct str *rows)
{
    const char *wrong = NULL;
    buf_clear(&r->rows);
    switch (r->codec) {
    case CODEC_NULL:
        *rows = data;
        return data.len > r->limit ? too_large : NULL;
    case CODEC_SNAPPY:
        wrong = unpack_snappy(r, data);
        break;
    case CODEC_ZSTANDARD:
        wrong = unpack_zstd(r, data);
        break;
    case CODEC_DEFLATE:
        wrong = unpack_deflate(r, data);
        break;
    }
    *rows = buf_str(&r->rows);
    return wrong;
}

int container_next_block(struct container_reader *r, struct str *rows,
                         uint64_t *row_count, struct error *err)
{
    if (!r->in.bad && r->in.pos == r->in.end)
        return 0;
    int64_t count = avro_get_long(&r->in);
    struct str data = avro_get_bytes(&r->in);
    struct str sync = reader_bytes(&r->in, SYNC_BYTES);
    if (r->in.bad || count < 0)
        return damaged(r, "a block is cut", err);
    if (!str_eq(sync, r->sync))
        return damaged(r, "a block does not end with the file's marker", err);
    const char *wrong = unpack(r, data, rows);
    if (wrong != NULL)
        return damaged(r, wrong, err);
    *row_count = (uint64_t)count;
    return 1;
}
