/* A job of five epochs is killed at every fault point of the spool, at several passings
 * of each, and started again. What the destination holds in the end must be what an
 * uninterrupted job leaves, epoch by epoch, each once (invariants 1, 6 and 10).
 *
 * The job is this program again, started with "job FOLDER KEEP". Its destination is a
 * text file, one line an epoch with its number and a hash of its rows, replaced as one
 * step: rows and mark together.
 */
#include "avro/container.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "spool/epoch.h"
#include "spool/epoch_dir.h"
#include "spool/lane.h"
#include "support/test.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <xxhash.h>

#define EPOCHS 5
#define KEEP_US (3600 * 1000000ll)

/* All fault points under src/spool/; every_fault_point_is_visited() compares. */
static const char *const kill_points[] = {
    "spool.segment_synced", "spool.manifest_synced", "spool.before_rename",
    "spool.renamed",        "spool.captured",        "spool.loaded",
    "spool.gone",
};
static const char *const errno_points[] = { "spool.write" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char *self;
static char root[64];

/* ---- the job
 * --------------------------------------------------------------------------- */

static void must(int rc, const struct error *err)
{
    if (rc == 0)
        return;
    fprintf(stderr, "job: %s\n", err->text);
    _exit(err->code == ERR_IO && err->sys == ENOSPC ? 3 : 4);
}

static void fill(struct buf *out, size_t n, uint64_t seed)
{
    uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
    for (size_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        buf_add_char(out, (char)(x >> 32));
    }
}

static int add_rows(struct epoch_writer *w, uint64_t number, struct error *err)
{
    static const char *const tables[] = { "a", "b", "c" };
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < COUNT(tables); i++) {
        struct manifest_stream s = { .database = STR("db"),
                                     .table = str_of(tables[i]),
                                     .target = str_of(tables[i]),
                                     .version = 1 };
        int stream = epoch_stream(w, &s);
        struct block b = { .shape = 1, .rows = number };
        buf_init(&b.bytes, 1 << 20);
        fill(&b.bytes, i == 1 ? 20000 : 200, 10 * number + i);
        epoch_shape(w, stream, 1,
                    STR("{\"type\":\"record\",\"name\":\"r\",\"fields\":[]}"));
        rc = epoch_add_block(w, stream, &b, err);
        buf_done(&b.bytes);
    }
    return rc;
}

static void capture(struct lane *l)
{
    struct error err = { 0 };
    struct epoch_header header = { STR("dest"), STR("shop"), STR("shop"), STR("full") };
    struct epoch_options options = { CODEC_SNAPPY, 4096 };
    must(lane_wait_room(l, NULL, &err), &err);
    uint64_t number = lane_next_number(l);
    struct epoch_writer *w = epoch_begin(lane_dir(l), number, &header, &options, &err);
    must(w == NULL ? -1 : 0, &err);
    int rc = add_rows(w, number, &err);
    if (rc == 0)
        rc = epoch_seal(w, STR("from"), STR("to"), (int64_t)number, &err);
    if (rc != 0)
        epoch_abort(w);
    must(rc, &err);
    lane_captured(l, number, 20400);
}

static uint64_t hash_segment(const char *dir, const struct manifest *m, size_t i)
{
    struct error err = { 0 };
    struct epoch_map map;
    must(epoch_map_segment(dir, m, i, &map, &err), &err);
    struct container_reader *r = container_reader_new(map.container, 1 << 20, &err);
    must(r == NULL ? -1 : 0, &err);
    uint64_t hash = i;
    struct str rows;
    uint64_t count;
    int rc;
    while ((rc = container_next_block(r, &rows, &count, &err)) == 1)
        hash = XXH3_64bits_withSeed(rows.ptr, rows.len, hash + count);
    must(rc, &err);
    container_reader_free(r);
    epoch_unmap(&map);
    return hash;
}

/* The lines of the destination, and its mark: their number. */
static uint64_t read_destination(const char *path, struct buf *out)
{
    struct error err = { 0 };
    buf_init(out, 1 << 16);
    if (file_read(path, out, &err) != 0)
        return 0;
    uint64_t lines = 0;
    for (size_t i = 0; i < out->len; i++)
        lines += out->data[i] == '\n';
    return lines;
}

static void load(struct lane *l, const char *destination)
{
    struct error err = { 0 };
    uint64_t number;
    const char *dir;
    if (lane_wait_epoch(l, NULL, &number, &dir) != 1)
        return;
    CLEANUP(arena_free_at) struct arena *a = arena_new(1 << 20);
    struct manifest m;
    must(epoch_open(a, dir, &m, &err), &err);
    CLEANUP(buf_done) struct buf lines;
    if (read_destination(destination, &lines) != number - 1 || m.number != number)
        _exit(5); /* lost, twice or out of order */
    buf_printf(&lines, "%" PRIu64, number);
    for (size_t i = 0; i < m.segment_count; i++)
        buf_printf(&lines, " %016" PRIx64, hash_segment(dir, &m, i));
    buf_add_char(&lines, '\n');
    char next[300];
    snprintf(next, sizeof(next), "%s.next", destination);
    if (put_file(next, buf_str(&lines), 0600) != 0 || rename(next, destination) != 0)
        _exit(6);
    must(lane_loaded(l, number, &err), &err);
}

static int run_job(const char *folder, int64_t keep_us)
{
    struct error err = { 0 };
    char destination[256];
    snprintf(destination, sizeof(destination), "%s/destination", folder);
    CLEANUP(buf_done) struct buf lines;
    uint64_t mark = read_destination(destination, &lines);
    struct lane_options options = { .share_bytes = 1 << 30, .keep_us = keep_us };
    struct lane *l = lane_open(folder, "full", mark, &options, &err);
    must(l == NULL ? -1 : 0, &err);
    while (lane_next_number(l) <= EPOCHS) {
        capture(l);
        if (lane_waiting_count(l) >= 2)
            load(l, destination);
    }
    lane_finish(l);
    while (lane_waiting_count(l) > 0)
        load(l, destination);
    lane_close(l);
    return 0;
}

/* ---- killing it
 * ------------------------------------------------------------------------ */

/* The child's wait status. */
static int start_job(const char *fault, const char *keep)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (fault != NULL)
            setenv("TAILRACE_FAULT", fault, 1);
        char *argv[] = { self, strdup("job"), root, strdup(keep), NULL };
        execv("/proc/self/exe", argv);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void new_root(void)
{
    snprintf(root, sizeof(root), "/tmp/tailrace-test-XXXXXX");
    assert_non_null(mkdtemp(root));
}

static void drop_root(void)
{
    struct error err = { 0 };
    assert_int_equal(file_remove_tree(root, &err), 0);
}

static void read_result(struct buf *out)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/destination", root);
    read_destination(path, out);
}

/* How many folders of each state lie in the lane; every captured one must be whole. */
static void look_at_lane(size_t counts[4])
{
    char lane[128];
    snprintf(lane, sizeof(lane), "%s/full", root);
    memset(counts, 0, 4 * sizeof(*counts));
    DIR *dir = opendir(lane);
    assert_non_null(dir);
    struct dirent *d;
    while ((d = readdir(dir)) != NULL) {
        uint64_t number;
        enum epoch_dir_state state = epoch_dir_parse(d->d_name, &number);
        counts[state]++;
        if (state != EPOCH_DIR_CAPTURED)
            continue;
        CLEANUP(arena_free_at) struct arena *a = arena_new(1 << 20);
        CLEANUP(free_pointer) char *path = epoch_dir_path(lane, number, state);
        struct manifest m;
        struct error err = { 0 };
        if (epoch_open(a, path, &m, &err) != 0)
            fail_msg("after the crash: %s", err.text);
    }
    closedir(dir);
}

static void finish_and_compare(const struct buf *want, const char *keep)
{
    size_t counts[4];
    look_at_lane(counts);
    int status = start_job(NULL, keep);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    CLEANUP(buf_done) struct buf got;
    read_result(&got);
    assert_string_equal(buf_text(&got), buf_text(want));
    look_at_lane(counts);
    assert_int_equal(counts[EPOCH_DIR_OPEN], 0);
    assert_int_equal(counts[EPOCH_DIR_CAPTURED], 0);
    if (strcmp(keep, "0") == 0)
        assert_int_equal(counts[EPOCH_DIR_GONE], 0);
}

static void uninterrupted(struct buf *out)
{
    new_root();
    assert_int_equal(start_job(NULL, "0"), 0);
    read_result(out);
    assert_int_equal(strtol(buf_text(out), NULL, 10), 1);
    drop_root();
}

static void visit(const struct buf *want, const char *keep, unsigned step)
{
    for (size_t i = 0; i < COUNT(kill_points); i++) {
        for (unsigned passing = 1; passing <= EPOCHS; passing += step) {
            char fault[64];
            snprintf(fault, sizeof(fault), "%s:%u", kill_points[i], passing);
            new_root();
            int status = start_job(fault, keep);
            if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
                fail_msg("'%s' did not kill the job: status %d", fault, status);
            finish_and_compare(want, keep);
            drop_root();
        }
    }
}

static void i10_a_kill_at_any_point_loses_and_doubles_nothing(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf want;
    uninterrupted(&want);
    visit(&want, "0", 1);
}

static void i10_nor_with_kept_epochs(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf want;
    uninterrupted(&want);
    visit(&want, "1", 2);
}

static void a_disk_that_fills_up_at_any_write_loses_nothing(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf want;
    uninterrupted(&want);
    for (unsigned passing = 1; passing <= 12; passing++) {
        char fault[64];
        size_t counts[4];
        snprintf(fault, sizeof(fault), "spool.write:%u=ENOSPC", passing);
        new_root();
        int status = start_job(fault, "0");
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 3);
        look_at_lane(counts);
        assert_int_equal(counts[EPOCH_DIR_OPEN], 0);
        finish_and_compare(&want, "0");
        drop_root();
    }
}

static bool is_listed(struct str name)
{
    for (size_t i = 0; i < COUNT(kill_points); i++)
        if (str_eq(name, str_of(kill_points[i])))
            return true;
    for (size_t i = 0; i < COUNT(errno_points); i++)
        if (str_eq(name, str_of(errno_points[i])))
            return true;
    return false;
}

static void every_fault_point_is_visited(void **state)
{
    (void)state;
    static const char *const files[] = { "epoch.c",    "epoch_dir.c",  "epoch_read.c",
                                         "hashfile.c", "lane.c",       "manifest.c",
                                         "parts.c",    "quarantine.c", "segment.c" };
    size_t found = 0;
    for (size_t i = 0; i < COUNT(files); i++) {
        char path[64];
        struct error err = { 0 };
        CLEANUP(buf_done) struct buf text;
        buf_init(&text, 1 << 20);
        snprintf(path, sizeof(path), "src/spool/%s", files[i]);
        if (file_read(path, &text, &err) != 0)
            skip(); /* not started from the project's folder */
        for (const char *p = buf_text(&text); (p = strstr(p, "(\"spool.")) != NULL;) {
            p += 2;
            struct str rest;
            struct str name = str_cut(str_of(p), '"', &rest);
            if (!is_listed(name))
                fail_msg("'" STR_FMT "' is not visited", STR_ARG(name));
            found++;
        }
    }
    assert_true(found >= COUNT(kill_points) + COUNT(errno_points));
}

int main(int argc, char **argv)
{
    self = argv[0];
    if (argc == 4 && strcmp(argv[1], "job") == 0)
        return run_job(argv[2], argv[3][0] == '0' ? 0 : KEEP_US);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(i10_a_kill_at_any_point_loses_and_doubles_nothing),
        cmocka_unit_test(i10_nor_with_kept_epochs),
        cmocka_unit_test(a_disk_that_fills_up_at_any_write_loses_nothing),
        cmocka_unit_test(every_fault_point_is_visited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
