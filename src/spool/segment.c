#include "spool/segment.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <inttypes.h>
#include <xxhash.h>

/* Rejects are gathered up to here before they become one block. */
#define GATHER_BYTES ((size_t)64 * 1024)
/* Four texts of at most REJECT_RECORD_LIMIT and the numbers around them. */
#define REJECT_BYTES ((size_t)4 * REJECT_RECORD_LIMIT + 64)

/* Past this the codec's memory, which follows the largest block, is given back at once.
 */
#define LARGE_BLOCK_BYTES ((size_t)4 << 20)

struct segment {
    char *path;                      /* owned */
    struct segment_options options;  /* path is the one above */
    struct str schema_json;          /* borrowed */
    struct container_writer *writer; /* owned; NULL while idle */
    bool has_header;
    bool skips;            /* a writer starts again: its header is there already */
    struct buf memory;     /* owned: the container so far, while file is NULL */
    struct hashfile *file; /* owned */
    struct buf gathered;   /* owned: rejects of the next block */
    uint64_t gathered_rows;
    uint64_t rows;
};

void segment_sync_marker(const struct manifest *m, size_t index, uint8_t out[16])
{
    CLEANUP(buf_done) struct buf key;
    buf_init(&key, m->destination_id.len + m->lane.len + 128);
    buf_printf(&key, "%zu %zu %" PRIu64 " %zu ", m->destination_id.len, m->lane.len,
               m->number, index);
    buf_add_str(&key, m->destination_id);
    buf_add_str(&key, m->lane);
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(key.data, key.len));
    memcpy(out, canonical.digest, 16);
}

/* The container's bytes arrive here (container_write_fn). */
static int take_bytes(void *ctx, const void *bytes, size_t n, struct error *err)
{
    struct segment *s = ctx;
    if (s->skips)
        return 0;
    if (s->file == NULL && n > s->options.bundle_bytes - s->memory.len &&
        segment_spill(s, err) < 0)
        return -1;
    if (s->file != NULL)
        return hashfile_write(s->file, bytes, n, err);
    buf_add(&s->memory, bytes, n);
    return buf_check(&s->memory, "a segment's part of the bundle", err);
}

static int start_writer(struct segment *s, struct error *err)
{
    const struct segment_options *o = &s->options;
    s->skips = s->has_header;
    s->writer =
        container_writer_new(o->codec, s->schema_json, o->sync, take_bytes, s, err);
    s->skips = false;
    s->has_header = true;
    return s->writer == NULL ? -1 : 0;
}

struct segment *segment_new(const struct segment_options *o, struct str schema_json,
                            struct error *err)
{
    struct segment *s = xcalloc(1, sizeof(*s));
    s->options = *o;
    s->schema_json = schema_json;
    s->path = xstrdup(o->path);
    s->options.path = s->path;
    buf_init(&s->memory, o->bundle_bytes);
    buf_init(&s->gathered, GATHER_BYTES + REJECT_BYTES);
    if (start_writer(s, err) < 0) {
        segment_free(s);
        return NULL;
    }
    return s;
}

void segment_free(struct segment *s)
{
    if (s == NULL)
        return;
    container_writer_free(s->writer);
    hashfile_free(s->file);
    buf_done(&s->memory);
    buf_done(&s->gathered);
    free(s->path);
    free(s);
}

int segment_add(struct segment *s, struct str rows, uint64_t row_count, struct error *err)
{
    if (s->writer == NULL && start_writer(s, err) < 0)
        return -1;
    if (container_write_block(s->writer, rows, row_count, err) < 0)
        return -1;
    s->rows += row_count;
    if (rows.len > LARGE_BLOCK_BYTES)
        segment_idle(s);
    return 0;
}

void segment_idle(struct segment *s)
{
    container_writer_free(s->writer);
    s->writer = NULL;
}

bool segment_is_idle(const struct segment *s)
{
    return s->writer == NULL;
}

int segment_add_reject(struct segment *s, const struct reject *r, struct error *err)
{
    reject_encode(r, &s->gathered);
    if (buf_check(&s->gathered, "a rejected row", err) < 0)
        return -1;
    s->gathered_rows++;
    return s->gathered.len < GATHER_BYTES ? 0 : segment_flush(s, err);
}

int segment_flush(struct segment *s, struct error *err)
{
    if (s->gathered_rows == 0)
        return 0;
    if (segment_add(s, buf_str(&s->gathered), s->gathered_rows, err) < 0)
        return -1;
    s->gathered_rows = 0;
    buf_done(&s->gathered);
    buf_init(&s->gathered, GATHER_BYTES + REJECT_BYTES);
    return 0;
}

int segment_spill(struct segment *s, struct error *err)
{
    if (s->file != NULL)
        return 0;
    /* The memory is whole blocks or the start of one, which the writer goes on with. */
    s->file = hashfile_create(s->path, s->options.syncs, err);
    if (s->file == NULL ||
        hashfile_write(s->file, s->memory.data, s->memory.len, err) < 0)
        return -1;
    buf_done(&s->memory);
    return 0;
}

int segment_rest(struct segment *s, struct error *err)
{
    return s->file == NULL ? 0 : hashfile_sync(s->file, err);
}

uint64_t segment_rows(const struct segment *s)
{
    return s->rows + s->gathered_rows;
}

uint64_t segment_bytes(const struct segment *s)
{
    uint64_t stored = s->file == NULL ? s->memory.len : hashfile_bytes(s->file);
    return stored + s->gathered.len;
}

size_t segment_memory_bytes(const struct segment *s)
{
    return (s->file == NULL ? s->memory.cap : 0) + s->gathered.cap;
}

const struct hashfile *segment_file(const struct segment *s)
{
    return s->file;
}

struct str segment_content(const struct segment *s)
{
    return buf_str(&s->memory);
}
