/* The loader's half of epoch.h: a captured epoch is compared with its manifest, then
 * mapped. */
#include "base/alloc.h"
#include "base/file.h"
#include "spool/epoch.h"
#include "spool/hashfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_manifest(struct arena *a, const char *dir, struct manifest *out,
                         struct error *err)
{
    CLEANUP(free_pointer) char *path = hashfile_path(dir, MANIFEST_FILE);
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, MANIFEST_LIMIT_BYTES);
    if (file_read(path, &text, err) < 0) {
        if (err->sys == ENOENT)
            error_set(err, ERR_PROTOCOL, "'%s' is damaged: it is missing", path);
        return -1;
    }
    if (manifest_read(a, buf_str(&text), out, err) < 0)
        return error_wrap(err, "'%s'", path);
    return 0;
}

int epoch_open(struct arena *a, const char *dir, struct manifest *out, struct error *err)
{
    struct manifest m;
    if (read_manifest(a, dir, &m, err) < 0)
        return -1;
    for (size_t i = 0; i < m.file_count; i++) {
        CLEANUP(free_pointer) char *path = hashfile_path(dir, m.files[i].name.ptr);
        if (hashfile_verify(path, m.files[i].bytes, m.files[i].hash, err) < 0)
            return -1;
    }
    *out = m;
    return 0;
}

/* Map `length` bytes of fd from `start`, a multiple of the page size. A file shorter than
 * the manifest says is found here, since touching what it lacks would kill the process.
 */
static int map_part(int fd, const char *path, const struct manifest_segment *s,
                    struct epoch_map *out, struct error *err)
{
    uint64_t start = s->offset - s->offset % (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t end = s->offset + s->bytes;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return hashfile_io_error(err, "opening", path, errno);
    if ((uint64_t)st.st_size < end)
        return error_set(err, ERR_PROTOCOL, "'%s' is damaged: it is cut", path);
    size_t length = (size_t)(end - start);
    void *base = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, (off_t)start);
    if (base == MAP_FAILED)
        return hashfile_io_error(err, "mapping", path, errno);
    (void)madvise(base, length, MADV_SEQUENTIAL); /* advice only */
    *out = (struct epoch_map){
        .base = base,
        .length = length,
        .container = { (const char *)base + (s->offset - start), (size_t)s->bytes },
    };
    return 0;
}

int epoch_map_segment(const char *dir, const struct manifest *m, size_t segment,
                      struct epoch_map *out, struct error *err)
{
    if (segment >= m->segment_count)
        return error_set(err, ERR_BUG, "epoch '%s' has no segment %zu", dir, segment);
    const struct manifest_segment *s = &m->segments[segment];
    CLEANUP(free_pointer) char *path = hashfile_path(dir, m->files[s->file].name.ptr);
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return hashfile_io_error(err, "opening", path, errno);
    return map_part(fd, path, s, out, err);
}

void epoch_unmap(struct epoch_map *map)
{
    if (map->base != NULL)
        (void)munmap(map->base,
                     map->length); /* fails for ranges that are not ours only */
    *map = (struct epoch_map){ 0 };
}
