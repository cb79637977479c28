#include "base/clock.h"
#include "spool/epoch.h"
#include "spool/epoch_internal.h"
#include "spool_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* ---- what reaches the disk, in order --------------------------------------------------
 */

/* fsync and rename of the whole program pass here, so that a test sees their order. */
static char steps[4096];
static size_t steps_len;
static bool rename_fails;
static const char *fsync_fails; /* for paths that end so; NULL: never */

static void step(const char *what, const char *path)
{
    const char *name = strrchr(path, '/');
    int n = snprintf(steps + steps_len, sizeof(steps) - steps_len, "%s %s\n", what,
                     name == NULL ? path : name + 1);
    if (n > 0 && (size_t)n < sizeof(steps) - steps_len)
        steps_len += (size_t)n;
}

int fsync(int fd)
{
    char link[64];
    char path[512];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    path[n < 0 ? 0 : n] = '\0';
    step("fsync", path);
    if (fsync_fails != NULL && str_ends(str_of(path), str_of(fsync_fails))) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
    step("rename", to);
    if (rename_fails) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

/* ---- small things
 * ---------------------------------------------------------------------- */

static int setup(void **state)
{
    steps_len = 0;
    fsync_fails = NULL;
    rename_fails = false;
    return make_root(state);
}

static int teardown(void **state)
{
    fsync_fails = NULL;
    clock_set_wall(NULL);
    return remove_root(state);
}

static struct epoch_writer *begin(uint64_t number, size_t bundle_bytes)
{
    struct error err = { 0 };
    struct epoch_header header = test_header();
    struct epoch_options options = { CODEC_ZSTANDARD, bundle_bytes };
    struct epoch_writer *w = epoch_begin(root, number, &header, &options, &err);
    if (w == NULL)
        fail_msg("%s", err.text);
    return w;
}

static void seal(struct epoch_writer *w)
{
    struct error err = { 0 };
    if (epoch_seal(w, STR("p0"), STR("p1"), 77, &err) != 0)
        fail_msg("%s", err.text);
}

static const char *at(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    return path;
}

static bool exists(const char *name)
{
    return access(at(name), F_OK) == 0;
}

static size_t entries_of(const char *path)
{
    DIR *dir = opendir(path);
    size_t n = 0;
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n - 2;
}

static int open_stream(struct epoch_writer *w, unsigned i)
{
    char name[32];
    snprintf(name, sizeof(name), "t%u", i);
    struct manifest_stream s = test_stream(name);
    return epoch_stream(w, &s);
}

static void open_epoch(struct arena *a, const char *dir, struct manifest *m)
{
    struct error err = { 0 };
    if (epoch_open(a, dir, m, &err) != 0)
        fail_msg("%s", err.text);
}

/* ---- content
 * --------------------------------------------------------------------------- */

static void many_streams_come_back_from_bundle_and_files(void **state)
{
    (void)state;
    struct epoch_writer *w = begin(1, 16384);
    for (unsigned i = 0; i < 40; i++) {
        int s = open_stream(w, i);
        assert_int_equal(s, i);
        add_block(w, s, i % 10 == 3 ? 40000 : 500, i);
    }
    for (unsigned i = 0; i < 40; i++)
        add_block(w, (int)i, 300 + i, 1000 + i);
    assert_int_equal(epoch_rows(w), 240);
    seal(w);
    assert_false(exists("0000000001.open"));
    CLEANUP(arena_free_at) struct arena *a = arena_new(1 << 20);
    struct manifest m;
    open_epoch(a, at("0000000001.epoch"), &m);
    assert_int_equal(m.segment_count, 40);
    assert_int_equal(m.file_count, 5); /* four of their own, and the bundle */
    for (unsigned i = 0; i < 40; i++) {
        size_t sizes[2] = { i % 10 == 3 ? 40000 : 500, 300 + i };
        uint64_t seeds[2] = { i, 1000 + i };
        bool in_bundle = str_eq(m.files[m.segments[i].file].name, STR("bundle"));
        assert_int_equal(in_bundle, i % 10 != 3);
        assert_int_equal(m.segments[i].stream, i);
        assert_int_equal(m.segments[i].rows, 6);
        expect_rows(at("0000000001.epoch"), &m, i, sizes, seeds, 2);
    }
}

static void the_manifest_says_what_was_told(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct epoch_writer *w = begin(12, 16384);
    struct manifest_stream s = test_stream("orders");
    s.actions = ACTION_BEGIN;
    int i = epoch_stream(w, &s);
    epoch_shape(w, i, 1, STR(ROWS_SCHEMA));
    struct block b = test_block(1, 100, 1);
    uint64_t nulls[2] = { 4, 1 };
    b.null_by_policy = nulls;
    b.column_count = 2;
    assert_int_equal(epoch_add_block(w, i, &b, &err), 0);
    assert_int_equal(epoch_add_block(w, i, &b, &err), 0);
    buf_done(&b.bytes);
    struct reject r = { .table = STR("db.orders"), .reason = STR("because") };
    assert_int_equal(epoch_add_reject(w, i, &r, &err), 0);
    epoch_set_action(w, i, ACTION_JOIN);
    epoch_set_progress(w, i, STR("first, and longer"), 5, 6);
    epoch_set_progress(w, i, STR("second"), 5, 9);
    seal(w);
    CLEANUP(arena_free_at) struct arena *a = arena_new(1 << 20);
    struct manifest m;
    open_epoch(a, at("0000000012.epoch"), &m);
    assert_str(m.destination_id, "dest-1");
    assert_str(m.integration, "shop");
    assert_str(m.target_schema, "shop_schema");
    assert_str(m.lane, "full");
    assert_str(m.from, "p0");
    assert_str(m.to, "p1");
    assert_true(m.number == 12 && m.sequence_base == 77 && m.captured_at > 0);
    struct manifest_stream *got = &m.streams[0];
    assert_str(got->table, "orders");
    assert_str(got->progress, "second");
    assert_int_equal(got->actions, ACTION_BEGIN | ACTION_JOIN);
    assert_true(got->first_read_at == 5 && got->last_read_at == 9);
    struct epoch_counts want = { .read = 7,
                                 .encoded = 6,
                                 .quarantined = 1,
                                 .null_by_policy = 10,
                                 .source_bytes = 200 };
    assert_memory_equal(&got->counts, &want, sizeof(want));
    assert_int_equal(m.segments[1].kind, SEGMENT_REJECTS);
    assert_int_equal(m.segments[1].rows, 1);
}

static void rejects_come_back(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct error err = { 0 };
    struct epoch_writer *w = begin(1, 16384);
    int s = open_stream(w, 0);
    char record[64];
    for (int i = 0; i < COUNT; i++) {
        snprintf(record, sizeof(record), "{\"id\": %d}", i);
        struct reject r = { .table = STR("db.t0"),
                            .column = STR("c"),
                            .reason = STR("too large"),
                            .record = str_of(record),
                            .sequence = i };
        assert_int_equal(epoch_add_reject(w, s, &r, &err), 0);
    }
    assert_false(epoch_is_empty(w));
    seal(w);
    CLEANUP(arena_free_at) struct arena *a = arena_new(1 << 20);
    struct manifest m;
    open_epoch(a, at("0000000001.epoch"), &m);
    struct epoch_map map;
    assert_int_equal(epoch_map_segment(at("0000000001.epoch"), &m, 0, &map, &err), 0);
    struct container_reader *reader = container_reader_new(map.container, 1 << 20, &err);
    struct str rows;
    uint64_t n;
    int i = 0;
    assert_true(str_eq(container_schema(reader), str_of(reject_schema_json())));
    while (container_next_block(reader, &rows, &n, &err) == 1) {
        struct reader in = reader_over(rows);
        for (; n > 0; n--, i++) {
            struct reject r;
            assert_int_equal(reject_decode(&in, &r, &err), 0);
            assert_int_equal(r.sequence, i);
            snprintf(record, sizeof(record), "{\"id\": %d}", i);
            assert_true(str_eq(r.record, str_of(record)));
        }
    }
    assert_int_equal(i, COUNT);
    container_reader_free(reader);
    epoch_unmap(&map);
}

static void i4_a_segment_holds_one_stream_at_one_shape(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct epoch_writer *w = begin(1, 16384);
    for (uint32_t round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 2; i++) {
            int s = open_stream(w, i);
            for (uint32_t shape = 1; shape <= 2; shape++) {
                struct block b = test_block(shape, 200, 100 * i + 10 * shape + round);
                epoch_shape(w, s, shape, STR(ROWS_SCHEMA));
                assert_int_equal(epoch_add_block(w, s, &b, &err), 0);
                buf_done(&b.bytes);
            }
        }
    }
    seal(w);
    CLEANUP(arena_free_at) struct arena *a = arena_new(1 << 20);
    struct manifest m;
    open_epoch(a, at("0000000001.epoch"), &m);
    assert_int_equal(m.stream_count, 2);
    assert_int_equal(m.shape_count, 4);
    assert_int_equal(m.segment_count, 4);
    for (size_t i = 0; i < 4; i++) {
        uint64_t seed = 100 * m.segments[i].stream + 10 * m.segments[i].shape;
        size_t sizes[3] = { 200, 200, 200 };
        uint64_t seeds[3] = { seed, seed + 1, seed + 2 };
        expect_rows(at("0000000001.epoch"), &m, i, sizes, seeds, 3);
    }
}

static void a_stream_is_known_by_database_table_and_version(void **state)
{
    (void)state;
    struct epoch_writer *w = begin(1, 16384);
    struct manifest_stream s = test_stream("t");
    assert_int_equal(epoch_stream(w, &s), 0);
    s.version = 8;
    assert_int_equal(epoch_stream(w, &s), 1);
    s.database = STR("dbt");
    s.table = STR("");
    assert_int_equal(epoch_stream(w, &s), 2);
    s = test_stream("t");
    assert_int_equal(epoch_stream(w, &s), 0);
    assert_true(epoch_is_empty(w));
    epoch_set_action(w, 1, ACTION_ABANDON);
    assert_false(epoch_is_empty(w));
    epoch_abort(w);
}

/* A read of changes, the next one after it and a sweep all have the live version. */
static void reads_of_one_version_are_kept_apart(void **state)
{
    (void)state;
    struct epoch_writer *w = begin(1, 16384);
    struct manifest_stream s = test_stream("t");
    s.join = JOIN_MERGE;
    s.live_version = s.version;
    s.sequence = 10;
    assert_int_equal(epoch_stream(w, &s), 0);
    s.sequence = 20;
    assert_int_equal(epoch_stream(w, &s), 1);
    s.join = JOIN_SWEEP;
    assert_int_equal(epoch_stream(w, &s), 2);
    s.join = JOIN_REPLACE;
    assert_int_equal(epoch_stream(w, &s), 3);
    epoch_abort(w);
}

static void blocks_without_rows_count_source_bytes_only(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct epoch_writer *w = begin(1, 16384);
    int s = open_stream(w, 0);
    struct block b = { .source_bytes = 12, .range_done = true };
    assert_int_equal(epoch_add_block(w, s, &b, &err), 0);
    assert_true(epoch_is_empty(w));
    epoch_set_action(w, s, ACTION_JOIN);
    seal(w);
    CLEANUP(arena_free_at) struct arena *a = arena_new(1 << 20);
    struct manifest m;
    open_epoch(a, at("0000000001.epoch"), &m);
    assert_int_equal(m.segment_count, 0);
    assert_int_equal(m.file_count, 0);
    assert_int_equal(m.streams[0].counts.source_bytes, 12);
}

static void a_block_of_an_unknown_shape_is_a_bug(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct epoch_writer *w = begin(1, 16384);
    int s = open_stream(w, 0);
    struct block b = test_block(9, 10, 1);
    assert_int_equal(epoch_add_block(w, s, &b, &err), -1);
    assert_int_equal(err.code, ERR_BUG);
    assert_int_equal(epoch_add_block(w, s + 1, &b, &err), -1);
    assert_int_equal(err.code, ERR_BUG);
    buf_done(&b.bytes);
    epoch_abort(w);
}

static int64_t fixed_wall(void)
{
    return 1700000000000000;
}

static void read_file(const char *dir, struct str name, struct buf *out)
{
    struct error err = { 0 };
    char path[512];
    snprintf(path, sizeof(path), "%s/" STR_FMT, dir, STR_ARG(name));
    buf_init(out, 1 << 24);
    assert_int_equal(file_read(path, out, &err), 0);
}

static void the_same_epoch_is_the_same_bytes(void **state)
{
    (void)state;
    struct buf text[2];
    struct buf bundle[2];
    clock_set_wall(fixed_wall);
    for (int turn = 0; turn < 2; turn++) {
        struct error err = { 0 };
        assert_int_equal(file_remove_tree(at("0000000001.epoch"), &err), 0);
        struct epoch_writer *w = begin(1, 16384);
        for (unsigned i = 0; i < 20; i++)
            add_block(w, open_stream(w, i), i == 7 ? 50000 : 300, i);
        seal(w);
        read_file(at("0000000001.epoch"), STR(MANIFEST_FILE), &text[turn]);
        read_file(at("0000000001.epoch"), STR("bundle"), &bundle[turn]);
    }
    assert_true(str_eq(buf_str(&text[0]), buf_str(&text[1])));
    assert_true(str_eq(buf_str(&bundle[0]), buf_str(&bundle[1])));
    for (int turn = 0; turn < 2; turn++) {
        buf_done(&text[turn]);
        buf_done(&bundle[turn]);
    }
}

/* ---- durability
 * ------------------------------------------------------------------------ */

static size_t place_of(const char *what)
{
    const char *p = strstr(steps, what);
    if (p == NULL)
        fail_msg("no '%s' in\n%s", what, steps);
    return p == NULL ? 0 : (size_t)(p - steps);
}

static void i1_files_then_folder_then_rename_then_parent(void **state)
{
    (void)state;
    struct epoch_writer *w = begin(1, 16384);
    add_block(w, open_stream(w, 0), 40000, 1);
    add_block(w, open_stream(w, 1), 100, 2);
    add_block(w, open_stream(w, 2), 40000, 3);
    seal(w);
    size_t rename_place = place_of("rename 0000000001.epoch\n");
    size_t folder = place_of("fsync 0000000001.open\n");
    size_t manifest = place_of("fsync manifest.json\n");
    static const char *const files[] = { "fsync 00000.avro\n", "fsync 00002.avro\n",
                                         "fsync bundle\n" };
    for (size_t i = 0; i < 3; i++)
        assert_true(place_of(files[i]) < manifest);
    assert_true(manifest < folder);
    assert_true(folder < rename_place);
    char parent[128];
    snprintf(parent, sizeof(parent), "fsync %s\n", strrchr(root, '/') + 1);
    assert_true(rename_place < place_of(parent));
    assert_string_equal(steps + place_of(parent), parent); /* nothing comes after */
}

static void small_streams_take_four_syncs(void **state)
{
    (void)state;
    unsigned syncs = 0;
    struct epoch_writer *w = begin(1, 16384);
    epoch_count_syncs(w, &syncs);
    for (unsigned i = 0; i < 500; i++)
        add_block(w, open_stream(w, i), 100, i);
    seal(w);
    assert_int_equal(syncs, 4); /* bundle, manifest, folder, parent */
    size_t seen = 0;
    for (const char *p = steps; (p = strstr(p, "fsync ")) != NULL; p++)
        seen++;
    assert_int_equal(seen, syncs);
}

/* At every one of the four syncs: an error, and after the abort nothing is left. */
static void i1_a_failed_sync_is_no_capture(void **state)
{
    (void)state;
    const char *const places[] = { "/bundle", "/" MANIFEST_FILE, ".open",
                                   strrchr(root, '/') };
    for (size_t i = 0; i < 4; i++) {
        struct error err = { 0 };
        struct error again = { 0 };
        struct epoch_writer *w = begin(1, 16384);
        add_block(w, open_stream(w, 0), 100, 1);
        fsync_fails = places[i];
        assert_int_equal(epoch_seal(w, STR(""), STR(""), 0, &err), -1);
        assert_int_equal(err.code, ERR_IO);
        assert_int_equal(err.sys, EIO);
        assert_int_equal(exists("0000000001.epoch"), i == 3);
        fsync_fails = NULL;
        assert_int_equal(epoch_seal(w, STR(""), STR(""), 0, &again), -1);
        assert_string_equal(again.text, err.text);
        epoch_abort(w);
        assert_int_equal(entries_of(root), 0);
    }
}

static void a_rename_without_room_is_no_capture(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct epoch_writer *w = begin(1, 16384);
    add_block(w, open_stream(w, 0), 100, 1);
    rename_fails = true;
    assert_int_equal(epoch_seal(w, STR(""), STR(""), 0, &err), -1);
    rename_fails = false;
    assert_int_equal(err.sys, ENOSPC);
    assert_non_null(err.hint);
    assert_non_null(strstr(err.text, "0000000001.epoch"));
    epoch_abort(w);
    assert_int_equal(entries_of(root), 0);
}

static void expect_mode(const char *path, mode_t mode)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, mode);
}

static void modes_are_private(void **state)
{
    (void)state;
    mode_t before = umask(0);
    struct epoch_writer *w = begin(1, 16384);
    add_block(w, open_stream(w, 0), 40000, 1);
    add_block(w, open_stream(w, 1), 100, 1);
    seal(w);
    umask(before);
    expect_mode(at("0000000001.epoch"), 0700);
    expect_mode(at("0000000001.epoch/00000.avro"), 0600);
    expect_mode(at("0000000001.epoch/bundle"), 0600);
    expect_mode(at("0000000001.epoch/manifest.json"), 0600);
}

/* ---- damage
 * ---------------------------------------------------------------------------- */

static void expect_damage(const char *name)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new(1 << 20);
    struct manifest m;
    struct error err = { 0 };
    assert_int_equal(epoch_open(a, at("0000000001.epoch"), &m, &err), -1);
    assert_int_equal(err.code, ERR_PROTOCOL);
    if (strstr(err.text, name) == NULL)
        fail_msg("'%s' does not name '%s'", err.text, name);
}

static void flip_bytes_of(const char *name, const struct buf *content)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/0000000001.epoch/%s", root, name);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    for (size_t i = 0; i < content->len; i += content->len / 50 + 1) {
        char c = (char)(content->data[i] ^ 1);
        assert_int_equal(pwrite(fd, &c, 1, (off_t)i), 1);
        expect_damage(name);
        assert_int_equal(pwrite(fd, content->data + i, 1, (off_t)i), 1);
    }
    assert_int_equal(pwrite(fd, "x", 1, (off_t)content->len), 1);
    expect_damage(name);
    assert_int_equal(ftruncate(fd, (off_t)content->len - 1), 0);
    expect_damage(name);
    assert_int_equal(pwrite(fd, content->data, content->len, 0), (ssize_t)content->len);
    close(fd);
}

static void a_changed_byte_in_any_file_is_found(void **state)
{
    (void)state;
    static const char *const names[] = { "manifest.json", "bundle", "00002.avro" };
    struct epoch_writer *w = begin(1, 16384);
    for (unsigned i = 0; i < 3; i++)
        add_block(w, open_stream(w, i), i == 2 ? 40000 : 500, i);
    seal(w);
    CLEANUP(arena_free_at) struct arena *a = arena_new(1 << 20);
    struct manifest m;
    for (size_t i = 0; i < 3; i++) {
        struct buf content;
        read_file(at("0000000001.epoch"), str_of(names[i]), &content);
        flip_bytes_of(names[i], &content);
        buf_done(&content);
        open_epoch(a, at("0000000001.epoch"), &m);
    }
    static const size_t order[] = { 1, 2,
                                    0 }; /* each is found before those still missing */
    for (size_t turn = 0; turn < 3; turn++) {
        size_t i = order[turn];
        char path[512];
        snprintf(path, sizeof(path), "%s/0000000001.epoch/%s", root, names[i]);
        assert_int_equal(unlink(path), 0);
        expect_damage(names[i]);
    }
}

static void foreign_files_are_ignored(void **state)
{
    (void)state;
    struct epoch_writer *w = begin(1, 16384);
    add_block(w, open_stream(w, 0), 100, 1);
    seal(w);
    assert_int_equal(put_file(at("0000000001.epoch/notes.txt"), STR("x"), 0600), 0);
    CLEANUP(arena_free_at) struct arena *a = arena_new(1 << 20);
    struct manifest m;
    open_epoch(a, at("0000000001.epoch"), &m);
}

static void a_file_that_shrinks_later_is_not_mapped(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct epoch_writer *w = begin(1, 16384);
    add_block(w, open_stream(w, 0), 100, 1);
    seal(w);
    CLEANUP(arena_free_at) struct arena *a = arena_new(1 << 20);
    struct manifest m;
    struct epoch_map map;
    open_epoch(a, at("0000000001.epoch"), &m);
    assert_int_equal(truncate(at("0000000001.epoch/bundle"), 10), 0);
    assert_int_equal(epoch_map_segment(at("0000000001.epoch"), &m, 0, &map, &err), -1);
    assert_int_equal(err.code, ERR_PROTOCOL);
    assert_int_equal(epoch_map_segment(at("0000000001.epoch"), &m, 1, &map, &err), -1);
    assert_int_equal(err.code, ERR_BUG);
}

/* ---- ends without a capture
 * ------------------------------------------------------------- */

static void abort_leaves_nothing(void **state)
{
    (void)state;
    epoch_abort(NULL);
    struct epoch_writer *w = begin(1, 16384);
    add_block(w, open_stream(w, 0), 40000, 1);
    add_block(w, open_stream(w, 1), 100, 1);
    assert_true(exists("0000000001.open/00000.avro"));
    epoch_abort(w);
    assert_int_equal(entries_of(root), 0);
}

static void an_old_open_folder_is_replaced(void **state)
{
    (void)state;
    struct error err = { 0 };
    assert_int_equal(file_make_dirs(at("0000000001.open/deep"), 0700, &err), 0);
    struct epoch_writer *w = begin(1, 16384);
    assert_false(exists("0000000001.open/deep"));
    epoch_set_action(w, open_stream(w, 0), ACTION_BEGIN);
    seal(w);
    struct epoch_header header = test_header();
    struct epoch_options options = { CODEC_NULL, 100 };
    assert_null(epoch_begin(root, 1, &header, &options, &err));
    assert_int_equal(err.code, ERR_BUG);
    assert_null(epoch_begin(at("no/such"), 2, &header, &options, &err));
    assert_int_equal(err.code, ERR_IO);
}

#ifdef TAILRACE_FAULT_POINTS
static void a_full_disk_is_clear_and_leaves_nothing(void **state)
{
    (void)state;
    static const char *const faults[] = { "spool.write=ENOSPC", "spool.write=EDQUOT",
                                          "base.write=ENOSPC", "base.sync=EIO" };
    for (size_t i = 0; i < 2 * sizeof(faults) / sizeof(faults[0]); i++) {
        struct error err = { 0 };
        struct epoch_writer *w = begin(1, 16384);
        add_block(w, open_stream(w, 0), 100, 1);
        struct block b = test_block(1, 40000, 2);
        int s = open_stream(w, 1);
        epoch_shape(w, s, 1, STR(ROWS_SCHEMA));
        setenv("TAILRACE_FAULT", faults[i / 2], 1);
        bool in_block = i % 2 == 0 && strstr(faults[i / 2], "sync") == NULL;
        int rc = in_block ? epoch_add_block(w, s, &b, &err)
                          : epoch_seal(w, STR(""), STR(""), 0, &err);
        unsetenv("TAILRACE_FAULT");
        buf_done(&b.bytes);
        assert_int_equal(rc, -1);
        assert_int_equal(err.code, ERR_IO);
        assert_non_null(strstr(err.text, root));
        assert_non_null(err.hint);
        struct error again = { 0 };
        assert_int_equal(epoch_seal(w, STR(""), STR(""), 0, &again), -1);
        assert_string_equal(again.text, err.text);
        epoch_abort(w);
        assert_int_equal(entries_of(root), 0);
    }
}
#endif

/* ---- ceilings
 * -------------------------------------------------------------------------- */

static void i9_memory_of_all_parts_is_bounded(void **state)
{
    (void)state;
    enum { STREAMS = 400, BYTES = 60000 };
    struct epoch_writer *w = begin(1, 65536);
    size_t most = 0;
    for (unsigned i = 0; i < STREAMS; i++) {
        add_block(w, open_stream(w, i), BYTES, i);
        size_t now = epoch_memory_bytes(w);
        most = now > most ? now : most;
    }
    assert_true(most <= EPOCH_MEMORY_BYTES);
    assert_true(most > EPOCH_MEMORY_BYTES / 2);
    assert_true(epoch_bytes(w) > (uint64_t)STREAMS * BYTES);
    seal(w);
    CLEANUP(arena_free_at) struct arena *a = arena_new(1 << 20);
    struct manifest m;
    open_epoch(a, at("0000000001.epoch"), &m);
    assert_true(m.file_count > 1 && m.file_count < STREAMS);
    for (size_t i = 0; i < STREAMS; i++)
        expect_rows(at("0000000001.epoch"), &m, i, &(size_t){ BYTES }, &(uint64_t){ i },
                    1);
}

static void i9_descriptors_are_bounded(void **state)
{
    (void)state;
    enum { STREAMS = EPOCH_OPEN_FILES + 30 };
    size_t before = entries_of("/proc/self/fd");
    struct epoch_writer *w = begin(1, 1000);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < STREAMS; i++)
            add_block(w, open_stream(w, i), 2000, i + 1000 * round);
        assert_true(entries_of("/proc/self/fd") <= before + EPOCH_OPEN_FILES);
    }
    seal(w);
    assert_int_equal(entries_of("/proc/self/fd"), before);
    CLEANUP(arena_free_at) struct arena *a = arena_new(1 << 20);
    struct manifest m;
    open_epoch(a, at("0000000001.epoch"), &m);
    assert_int_equal(m.file_count, STREAMS);
    for (size_t i = 0; i < STREAMS; i++) {
        size_t sizes[2] = { 2000, 2000 };
        uint64_t seeds[2] = { i, i + 1000 };
        expect_rows(at("0000000001.epoch"), &m, i, sizes, seeds, 2);
    }
}

/* A codec takes a MiB and more; streams that wait their turn give theirs back. */
static void i9_codecs_are_bounded(void **state)
{
    (void)state;
    enum { STREAMS = 3 * EPOCH_CODECS };
    struct error err = { 0 };
    struct epoch_writer *w = begin(1, 16384);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < STREAMS; i++) {
            struct reject r = { .table = STR("db.t"), .reason = STR("x") };
            add_block(w, open_stream(w, i), 100, i + 1000 * round);
            assert_int_equal(epoch_add_reject(w, (int)i, &r, &err), 0);
            assert_true(epoch_codecs(w) <= EPOCH_CODECS);
        }
    }
    /* What one huge row made grow is given back at once. */
    add_block(w, 0, (size_t)5 << 20, 7);
    assert_true(epoch_codecs(w) < EPOCH_CODECS);
    seal(w);
    CLEANUP(arena_free_at) struct arena *a = arena_new(1 << 20);
    struct manifest m;
    open_epoch(a, at("0000000001.epoch"), &m);
    size_t sizes[3] = { 100, 100, (size_t)5 << 20 };
    uint64_t seeds[3] = { 0, 1000, 7 };
    expect_rows(at("0000000001.epoch"), &m, 0, sizes, seeds, 3);
}

static void i9_metadata_has_a_ceiling(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct epoch_writer *w = begin(1, 16384);
    int s = open_stream(w, 0);
    CLEANUP(buf_done) struct buf shape;
    buf_init(&shape, 1 << 20);
    while (shape.len < shape.limit)
        buf_add_char(&shape, ' ');
    for (uint32_t i = 1; i <= MANIFEST_LIMIT_BYTES / shape.len; i++)
        epoch_shape(w, s, i, buf_str(&shape));
    assert_true(epoch_bytes(w) <= MANIFEST_LIMIT_BYTES);
    struct block b = test_block(1, 100, 1);
    assert_int_equal(epoch_add_block(w, s, &b, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_non_null(err.hint);
    buf_done(&b.bytes);
    struct error again = { 0 };
    assert_int_equal(epoch_seal(w, STR(""), STR(""), 0, &again), -1);
    assert_int_equal(again.code, ERR_LIMIT);
    epoch_abort(w);
    assert_int_equal(entries_of(root), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_streams_come_back_from_bundle_and_files),
        TEST(the_manifest_says_what_was_told),
        TEST(rejects_come_back),
        TEST(i4_a_segment_holds_one_stream_at_one_shape),
        TEST(a_stream_is_known_by_database_table_and_version),
        TEST(reads_of_one_version_are_kept_apart),
        TEST(blocks_without_rows_count_source_bytes_only),
        TEST(a_block_of_an_unknown_shape_is_a_bug),
        TEST(the_same_epoch_is_the_same_bytes),
        TEST(i1_files_then_folder_then_rename_then_parent),
        TEST(small_streams_take_four_syncs),
        TEST(i1_a_failed_sync_is_no_capture),
        TEST(a_rename_without_room_is_no_capture),
        TEST(modes_are_private),
        TEST(a_changed_byte_in_any_file_is_found),
        TEST(foreign_files_are_ignored),
        TEST(a_file_that_shrinks_later_is_not_mapped),
        TEST(abort_leaves_nothing),
        TEST(an_old_open_folder_is_replaced),
#ifdef TAILRACE_FAULT_POINTS
        TEST(a_full_disk_is_clear_and_leaves_nothing),
#endif
        TEST(i9_memory_of_all_parts_is_bounded),
        TEST(i9_descriptors_are_bounded),
        TEST(i9_codecs_are_bounded),
        TEST(i9_metadata_has_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
