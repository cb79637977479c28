/* Any bytes as a manifest, as they are and with the closing hash made right, so that the
 * members behind it are reached. What is accepted is written again, read again, and the
 * same; and every index in it may be followed.
 */
#include "base/alloc.h"
#include "base/arena.h"
#include "spool/manifest.h"
#include "spool/manifest_internal.h"

#include <stdlib.h>

#define REQUIRE(condition) \
    do {                   \
        if (!(condition))  \
            abort();       \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void follow(const struct manifest *m)
{
    for (size_t i = 0; i < m->stream_count; i++)
        REQUIRE(!join_changes_live(m->streams[i].join) ||
                (m->streams[i].live_version == m->streams[i].version &&
                 m->streams[i].version > 0));
    for (size_t i = 0; i < m->shape_count; i++)
        REQUIRE(m->shapes[i].stream < m->stream_count);
    for (size_t i = 0; i < m->segment_count; i++) {
        const struct manifest_segment *s = &m->segments[i];
        REQUIRE(s->stream < m->stream_count && s->file < m->file_count);
        REQUIRE(s->bytes > 0 && s->offset + s->bytes <= m->files[s->file].bytes);
    }
    for (size_t i = 0; i < m->file_count; i++)
        REQUIRE(memchr(m->files[i].name.ptr, '/', m->files[i].name.len) == NULL);
}

static void read_and_write(struct str text)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)16 << 20);
    struct error err = { 0 };
    struct manifest m;
    if (manifest_read(a, text, &m, &err) != 0) {
        REQUIRE(err.code == ERR_PROTOCOL || err.code == ERR_LIMIT);
        return;
    }
    follow(&m);
    CLEANUP(buf_done) struct buf first;
    CLEANUP(buf_done) struct buf second;
    buf_init(&first, MANIFEST_LIMIT_BYTES);
    buf_init(&second, MANIFEST_LIMIT_BYTES);
    manifest_write(&m, &first);
    REQUIRE(manifest_read(a, buf_str(&first), &m, &err) == 0);
    manifest_write(&m, &second);
    REQUIRE(str_eq(buf_str(&first), buf_str(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *)data, size };
    read_and_write(text);
    /* Without the last 30 bytes, a whole manifest gets its own end again. */
    static const size_t ends[] = { 0, 30 };
    for (size_t i = 0; i < 2 && size >= ends[i]; i++) {
        CLEANUP(buf_done) struct buf closed;
        buf_init(&closed, MANIFEST_LIMIT_BYTES);
        buf_add(&closed, data, size - ends[i]);
        manifest_close(&closed);
        read_and_write(buf_str(&closed));
    }
    return 0;
}
