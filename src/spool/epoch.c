/* Invariants kept here:
 *
 *  1  The rename of the directory is the capture: epoch_seal() syncs every file, the
 *     manifest last, then the directory, renames, and syncs the parent.
 *  4  A part is found by (stream, kind, shape), so it never holds two of them.
 *  9  Memory: parts below bundle_bytes, all together below EPOCH_MEMORY_BYTES plus one
 *     block (parts.c); metadata below MANIFEST_LIMIT_BYTES.
 *
 * Any failure while adding makes the writer broken: it can only be aborted, since a file
 * may hold half of a block.
 */
#include "spool/epoch.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/map.h"
#include "spool/epoch_dir.h"
#include "spool/epoch_internal.h"
#include "spool/parts.h"
#include "spool/segment.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define BUNDLE_FILE "bundle"

/* JSON around the texts of one stream, shape, segment or file, generously. */
#define METADATA_BYTES 512

struct epoch_writer {
    char *lane_dir;               /* owned */
    char *open_path, *epoch_path; /* owned: NNNNNNNNNN.open and .epoch */
    struct arena *texts;          /* owned: names and shapes */
    struct manifest m;            /* header fields point into texts */
    struct epoch_options options;
    struct manifest_stream *streams; /* owned; texts in the arena, progress owned */
    struct manifest_shape *shapes;   /* owned; texts in the arena */
    struct parts parts;
    size_t stream_count, shape_count;
    struct map *stream_index; /* owned: stream_key() to index + 1 */
    size_t metadata_bytes;
    uint64_t rows;
    unsigned own_syncs;
    unsigned *syncs; /* own_syncs, or a test's */
    bool renamed;    /* .epoch, but the parent is not synced */
    bool broken;     /* broken_by says why */
    struct error broken_by;
};

/* ---- beginning and ending -----------------------------------------------------------
 */

static void writer_free(struct epoch_writer *w)
{
    for (size_t i = 0; i < w->stream_count; i++) {
        struct str progress = w->streams[i].progress;
        free((void *)(uintptr_t)progress.ptr); /* ours, behind a const pointer */
    }
    parts_done(&w->parts);
    free(w->streams);
    free(w->shapes);
    map_free(w->stream_index);
    arena_free(w->texts);
    free(w->epoch_path);
    free(w->open_path);
    free(w->lane_dir);
    free(w);
}

/* Metadata has a ceiling: past it the writer is broken. */
static bool metadata_fits(struct epoch_writer *w, size_t bytes)
{
    if (w->broken)
        return false;
    if (bytes <= MANIFEST_LIMIT_BYTES / 2 - w->metadata_bytes) {
        w->metadata_bytes += bytes;
        return true;
    }
    w->broken = true;
    error_set(&w->broken_by, ERR_LIMIT,
              "epoch '%s': streams and shapes take more than %zu bytes", w->open_path,
              MANIFEST_LIMIT_BYTES / 2);
    w->broken_by.hint = "Select fewer tables for this integration, or lower epoch_bytes.";
    return false;
}

static struct str keep(struct epoch_writer *w, struct str s)
{
    return metadata_fits(w, s.len) ? arena_str(w->texts, s) : (struct str){ 0 };
}

struct epoch_writer *epoch_begin(const char *dir, uint64_t number,
                                 const struct epoch_header *header,
                                 const struct epoch_options *options, struct error *err)
{
    struct epoch_writer *w = xcalloc(1, sizeof(*w));
    w->lane_dir = xstrdup(dir);
    w->open_path = epoch_dir_path(dir, number, EPOCH_DIR_OPEN);
    w->epoch_path = epoch_dir_path(dir, number, EPOCH_DIR_CAPTURED);
    w->texts = arena_new(MANIFEST_LIMIT_BYTES);
    w->stream_index = map_new();
    w->options = *options;
    w->syncs = &w->own_syncs;
    w->m.number = number;
    w->m.destination_id = keep(w, header->destination_id);
    w->m.integration = keep(w, header->integration);
    w->m.target_schema = keep(w, header->target_schema);
    w->m.lane = keep(w, header->lane);
    struct stat st;
    int failed = 0;
    if (lstat(w->epoch_path, &st) == 0)
        failed = error_set(err, ERR_BUG, "epoch '%s' is captured already", w->epoch_path);
    else if (file_remove_tree(w->open_path, err) < 0)
        failed = -1;
    else if (mkdir(w->open_path, 0700) < 0)
        failed = hashfile_io_error(err, "making folder", w->open_path, errno);
    if (failed < 0) {
        writer_free(w);
        return NULL;
    }
    return w;
}

void epoch_abort(struct epoch_writer *w)
{
    if (w == NULL)
        return;
    /* Nobody was told of an epoch whose parent did not sync. It goes by the name .open,
     * so that a crash on the way leaves nothing that looks captured. */
    if (w->renamed && rename(w->epoch_path, w->open_path) < 0) {
        writer_free(w); /* it stays whole, and recovery queues it */
        return;
    }
    struct error ignored = { 0 }; /* recovery removes what cannot be removed now */
    (void)file_remove_tree(w->open_path, &ignored);
    writer_free(w);
}

size_t epoch_memory_bytes(const struct epoch_writer *w)
{
    return parts_memory_bytes(&w->parts);
}

size_t epoch_codecs(const struct epoch_writer *w)
{
    return parts_codecs(&w->parts);
}

void epoch_count_syncs(struct epoch_writer *w, unsigned *syncs)
{
    w->syncs = syncs;
}

/* ---- streams and shapes -------------------------------------------------------------
 */

/* Room for one more entry of an array whose capacity is the next power of two. */
static void *room_for_one(void *array, size_t count, size_t size)
{
    if (count != 0 && (count & (count - 1)) != 0)
        return array;
    return xreallocarray(array, count == 0 ? 1 : count * 2, size);
}

static void stream_key(const struct manifest_stream *s, struct buf *key)
{
    buf_init(key, s->database.len + s->table.len + 96);
    buf_printf(key, "%zu %zu %" PRIu64 " %d %d%d ", s->database.len, s->table.len,
               s->version, (int)s->join, s->changes ? 1 : 0, s->held ? 1 : 0);
    if (join_changes_live(s->join)) /* the next one of the version may be in here too */
        buf_printf(key, "%" PRId64 " ", s->sequence);
    buf_add_str(key, s->database);
    buf_add_str(key, s->table);
}

static void set_progress(struct manifest_stream *s, struct str progress)
{
    char *text = (char *)(uintptr_t)s->progress.ptr; /* ours, behind a const pointer */
    text = xreallocarray(text, progress.len + 1, 1);
    if (progress.len > 0)
        memcpy(text, progress.ptr, progress.len);
    text[progress.len] = '\0';
    s->progress = (struct str){ text, progress.len };
}

static void keep_fills(struct epoch_writer *w, struct manifest_stream *own,
                       const struct manifest_stream *s)
{
    if (s->fill_count == 0)
        return;
    struct manifest_fill *fills =
        ARENA_ARRAY(w->texts, struct manifest_fill, s->fill_count);
    for (size_t i = 0; i < s->fill_count; i++)
        fills[i] = (struct manifest_fill){ .column = keep(w, s->fills[i].column),
                                           .from = keep(w, s->fills[i].from),
                                           .value = keep(w, s->fills[i].value) };
    own->fills = fills;
}

int epoch_stream(struct epoch_writer *w, const struct manifest_stream *s)
{
    CLEANUP(buf_done) struct buf key;
    stream_key(s, &key);
    size_t known = (size_t)(uintptr_t)map_find(w->stream_index, buf_str(&key));
    if (known > 0)
        return (int)(known - 1);
    (void)metadata_fits(w, METADATA_BYTES); /* the failure is kept in the writer */
    w->streams = room_for_one(w->streams, w->stream_count, sizeof(*w->streams));
    struct manifest_stream *own = &w->streams[w->stream_count++];
    *own = *s;
    own->database = keep(w, s->database);
    own->table = keep(w, s->table);
    own->target = keep(w, s->target);
    own->bookmark = keep(w, s->bookmark);
    own->reason = keep(w, s->reason);
    if (s->kept_count > 0) {
        struct str *kept = ARENA_ARRAY(w->texts, struct str, s->kept_count);
        for (size_t i = 0; i < s->kept_count; i++)
            kept[i] = keep(w, s->kept[i]);
        own->kept = kept;
    }
    keep_fills(w, own, s);
    own->counts = (struct epoch_counts){ 0 };
    own->progress = (struct str){ 0 };
    set_progress(own, s->progress);
    (void)map_put(w->stream_index, buf_str(&key), (void *)(uintptr_t)w->stream_count);
    return (int)w->stream_count - 1;
}

static const struct manifest_shape *shape_find(const struct epoch_writer *w,
                                               uint32_t stream, uint32_t version)
{
    for (size_t i = w->shape_count; i-- > 0;)
        if (w->shapes[i].stream == stream && w->shapes[i].version == version)
            return &w->shapes[i];
    return NULL;
}

void epoch_shape(struct epoch_writer *w, int stream, uint32_t version,
                 struct str schema_json)
{
    assert(stream >= 0 && (size_t)stream < w->stream_count);
    if (shape_find(w, (uint32_t)stream, version) != NULL ||
        !metadata_fits(w, METADATA_BYTES))
        return;
    w->shapes = room_for_one(w->shapes, w->shape_count, sizeof(*w->shapes));
    w->shapes[w->shape_count++] = (struct manifest_shape){
        .stream = (uint32_t)stream,
        .version = version,
        .schema_json = keep(w, schema_json),
    };
}

void epoch_set_action(struct epoch_writer *w, int stream, unsigned actions)
{
    assert(stream >= 0 && (size_t)stream < w->stream_count);
    w->streams[stream].actions |= actions;
}

void epoch_set_truncate(struct epoch_writer *w, int stream, int64_t sequence, int64_t at)
{
    assert(stream >= 0 && (size_t)stream < w->stream_count);
    struct manifest_stream *s = &w->streams[stream];
    s->actions |= ACTION_TRUNCATE;
    s->sequence = sequence;
    s->truncated_at = at;
}

void epoch_set_join_log(struct epoch_writer *w, int stream, int64_t cut)
{
    assert(stream >= 0 && (size_t)stream < w->stream_count);
    struct manifest_stream *s = &w->streams[stream];
    s->actions |= ACTION_JOIN;
    s->cut = cut;
}

void epoch_set_leave(struct epoch_writer *w, int stream, enum stream_action action,
                     struct str reason)
{
    assert(stream >= 0 && (size_t)stream < w->stream_count);
    struct manifest_stream *s = &w->streams[stream];
    s->actions = (s->actions & ~(unsigned)(ACTION_PARK | ACTION_GONE)) | (unsigned)action;
    s->reason = keep(w, reason);
}

void epoch_set_progress(struct epoch_writer *w, int stream, struct str progress,
                        int64_t first_read_at, int64_t last_read_at)
{
    assert(stream >= 0 && (size_t)stream < w->stream_count);
    struct manifest_stream *s = &w->streams[stream];
    set_progress(s, progress);
    s->first_read_at = first_read_at;
    s->last_read_at = last_read_at;
}

/* ---- rows ---------------------------------------------------------------------------
 */

/* Every failure of adding passes here, so that nobody seals half an epoch. */
static int broke(struct epoch_writer *w, struct error *err)
{
    error_wrap(err, "epoch %" PRIu64 " of lane '" STR_FMT "'", w->m.number,
               STR_ARG(w->m.lane));
    w->broken = true;
    w->broken_by = *err;
    return -1;
}

static int check_usable(const struct epoch_writer *w, int stream, struct error *err)
{
    if (w->broken) {
        *err = w->broken_by;
        return -1;
    }
    if (stream < 0 || (size_t)stream >= w->stream_count)
        return error_set(err, ERR_BUG, "epoch '%s' has no stream %d", w->open_path,
                         stream);
    return 0;
}

static struct part *part_begin(struct epoch_writer *w, const struct part *what,
                               struct str schema_json, struct error *err)
{
    char name[40];
    (void)snprintf(name, sizeof(name), "%05zu.avro", w->parts.count); /* it fits */
    CLEANUP(free_pointer) char *path = hashfile_path(w->open_path, name);
    struct segment_options options = {
        .path = path,
        .codec = w->options.codec,
        .bundle_bytes = w->options.bundle_bytes,
        .syncs = w->syncs,
    };
    segment_sync_marker(&w->m, w->parts.count, options.sync);
    if (!metadata_fits(w, METADATA_BYTES)) {
        *err = w->broken_by;
        return NULL;
    }
    struct segment *segment = segment_new(&options, schema_json, err);
    if (segment == NULL)
        return NULL;
    return parts_add(&w->parts, what, segment);
}

int epoch_add_block(struct epoch_writer *w, int stream, const struct block *b,
                    struct error *err)
{
    if (check_usable(w, stream, err) < 0)
        return -1;
    struct epoch_counts *counts = &w->streams[stream].counts;
    if (b->rows > 0) {
        struct part what = { .kind = SEGMENT_ROWS,
                             .stream = (uint32_t)stream,
                             .shape = b->shape };
        const struct manifest_shape *shape = shape_find(w, what.stream, what.shape);
        if (shape == NULL)
            return error_set(err, ERR_BUG,
                             "epoch '%s': no shape %" PRIu32 " of stream %d",
                             w->open_path, b->shape, stream);
        if (parts_make_room(&w->parts, err) < 0)
            return broke(w, err);
        struct part *p = parts_find(&w->parts, &what);
        if (p == NULL)
            p = part_begin(w, &what, shape->schema_json, err);
        if (p == NULL)
            return broke(w, err);
        if (segment_add(p->segment, buf_str(&b->bytes), b->rows, err) < 0 ||
            parts_bound_memory(&w->parts, err) < 0)
            return broke(w, err);
    }
    counts->read += b->rows;
    counts->encoded += b->rows;
    counts->source_bytes += b->source_bytes;
    for (size_t i = 0; b->null_by_policy != NULL && i < b->column_count; i++)
        counts->null_by_policy += b->null_by_policy[i];
    w->rows += b->rows;
    return 0;
}

int epoch_add_reject(struct epoch_writer *w, int stream, const struct reject *r,
                     struct error *err)
{
    if (check_usable(w, stream, err) < 0)
        return -1;
    struct part what = { .kind = SEGMENT_REJECTS, .stream = (uint32_t)stream };
    if (parts_make_room(&w->parts, err) < 0)
        return broke(w, err);
    struct part *p = parts_find(&w->parts, &what);
    if (p == NULL)
        p = part_begin(w, &what, str_of(reject_schema_json()), err);
    if (p == NULL)
        return broke(w, err);
    if (segment_add_reject(p->segment, r, err) < 0 ||
        parts_bound_memory(&w->parts, err) < 0)
        return broke(w, err);
    w->streams[stream].counts.read++;
    w->streams[stream].counts.quarantined++;
    w->rows++;
    return 0;
}

uint64_t epoch_bytes(const struct epoch_writer *w)
{
    return w->metadata_bytes + parts_bytes(&w->parts);
}

uint64_t epoch_rows(const struct epoch_writer *w)
{
    return w->rows;
}

/* Half of what is refused: one more stream with its shape always fits. */
bool epoch_is_full(const struct epoch_writer *w)
{
    return w->metadata_bytes > MANIFEST_LIMIT_BYTES / 4;
}

bool epoch_is_empty(const struct epoch_writer *w)
{
    if (w->parts.count > 0)
        return false;
    for (size_t i = 0; i < w->stream_count; i++)
        if (w->streams[i].actions != ACTION_NONE)
            return false;
    return true;
}

/* ---- capture ------------------------------------------------------------------------
 */

/* What sealing fills in, in memory that ends with it. */
struct sealing {
    struct manifest_segment *segments; /* owned; one per part */
    struct manifest_file *files;       /* owned; one per part and the bundle */
    size_t file_count;
};

static void sealing_done(struct sealing *s)
{
    free(s->segments);
    free(s->files);
}

static struct str file_name(struct epoch_writer *w, size_t part)
{
    return arena_printf(w->texts, "%05zu.avro", part);
}

/* Sync the files of large parts. */
static int seal_files(struct epoch_writer *w, struct sealing *s, struct error *err)
{
    for (size_t i = 0; i < w->parts.count; i++) {
        struct part *p = &w->parts.list[i];
        if (segment_flush(p->segment, err) < 0)
            return -1;
        const struct hashfile *file = segment_file(p->segment);
        if (file == NULL)
            continue;
        if (segment_rest(p->segment, err) < 0)
            return -1;
        FAULT("spool.segment_synced");
        s->segments[i].file = (uint32_t)s->file_count;
        s->segments[i].bytes = hashfile_bytes(file);
        s->files[s->file_count++] = (struct manifest_file){
            .name = file_name(w, i),
            .bytes = hashfile_bytes(file),
            .hash = hashfile_hash(file),
        };
    }
    return 0;
}

/* The small parts, end to end. */
static int write_bundle(struct epoch_writer *w, struct sealing *s,
                        struct hashfile *bundle, struct error *err)
{
    for (size_t i = 0; i < w->parts.count; i++) {
        const struct segment *segment = w->parts.list[i].segment;
        if (segment_file(segment) != NULL)
            continue;
        struct str content = segment_content(segment);
        s->segments[i].file = (uint32_t)s->file_count;
        s->segments[i].offset = hashfile_bytes(bundle);
        s->segments[i].bytes = content.len;
        if (hashfile_write(bundle, content.ptr, content.len, err) < 0)
            return -1;
    }
    if (hashfile_sync(bundle, err) < 0)
        return -1;
    FAULT("spool.segment_synced");
    s->files[s->file_count++] = (struct manifest_file){
        .name = STR(BUNDLE_FILE),
        .bytes = hashfile_bytes(bundle),
        .hash = hashfile_hash(bundle),
    };
    return 0;
}

static int seal_bundle(struct epoch_writer *w, struct sealing *s, struct error *err)
{
    if (s->file_count == w->parts.count)
        return 0;
    CLEANUP(free_pointer) char *path = hashfile_path(w->open_path, BUNDLE_FILE);
    struct hashfile *bundle = hashfile_create(path, w->syncs, err);
    if (bundle == NULL)
        return -1;
    int result = write_bundle(w, s, bundle, err);
    hashfile_free(bundle);
    return result;
}

static int seal_manifest(struct epoch_writer *w, struct error *err)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, MANIFEST_LIMIT_BYTES);
    manifest_write(&w->m, &text);
    if (buf_check(&text, "an epoch's manifest", err) < 0)
        return -1;
    CLEANUP(free_pointer) char *path = hashfile_path(w->open_path, MANIFEST_FILE);
    struct hashfile *file = hashfile_create(path, w->syncs, err);
    if (file == NULL)
        return -1;
    int result = hashfile_write(file, text.data, text.len, err);
    if (result == 0)
        result = hashfile_sync(file, err);
    hashfile_free(file);
    if (result == 0)
        FAULT("spool.manifest_synced");
    return result;
}

static int seal_contents(struct epoch_writer *w, struct sealing *s, struct error *err)
{
    if (seal_files(w, s, err) < 0 || seal_bundle(w, s, err) < 0)
        return -1;
    for (size_t i = 0; i < w->parts.count; i++) {
        const struct part *p = &w->parts.list[i];
        s->segments[i].kind = p->kind;
        s->segments[i].stream = p->stream;
        s->segments[i].shape = p->shape;
        s->segments[i].rows = segment_rows(p->segment);
    }
    w->m.streams = w->streams;
    w->m.stream_count = w->stream_count;
    w->m.shapes = w->shapes;
    w->m.shape_count = w->shape_count;
    w->m.segments = s->segments;
    w->m.segment_count = w->parts.count;
    w->m.files = s->files;
    w->m.file_count = s->file_count;
    if (seal_manifest(w, err) < 0)
        return -1;
    ++*w->syncs;
    return file_sync_dir(w->open_path, err);
}

/* The capture itself. */
static int rename_to_epoch(struct epoch_writer *w, struct error *err)
{
    FAULT("spool.before_rename");
    if (rename(w->open_path, w->epoch_path) < 0)
        return hashfile_io_error(err, "renaming to", w->epoch_path, errno);
    w->renamed = true;
    FAULT("spool.renamed");
    ++*w->syncs;
    if (file_sync_dir(w->lane_dir, err) < 0)
        return -1;
    FAULT("spool.captured");
    return 0;
}

int epoch_seal(struct epoch_writer *w, struct str from, struct str to,
               int64_t sequence_base, struct error *err)
{
    if (w->broken) {
        *err = w->broken_by;
        return -1;
    }
    w->m.from = from;
    w->m.to = to;
    w->m.sequence_base = sequence_base;
    w->m.captured_at = clock_wall_us();
    CLEANUP(sealing_done)
    struct sealing s = {
        .segments = xcalloc(w->parts.count + 1, sizeof(*s.segments)),
        .files = xcalloc(w->parts.count + 1, sizeof(*s.files)),
    };
    if (seal_contents(w, &s, err) < 0 || rename_to_epoch(w, err) < 0)
        return broke(w, err);
    writer_free(w);
    return 0;
}
