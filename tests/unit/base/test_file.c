#include "base/alloc.h"
#include "base/file.h"
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static char path_room[4][256];
static unsigned path_turn;

/* A path below the test's own folder; good for four calls. */
static const char *at(const char *name)
{
    char *room = path_room[path_turn++ % 4];
    snprintf(room, sizeof(path_room[0]), "%s/%s", root, name);
    return room;
}

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof(root), "/tmp/tailrace-test-XXXXXX");
    return mkdtemp(root) == NULL ? -1 : 0;
}

static int remove_root(void **state)
{
    (void)state;
    struct error err = { 0 };
    unsetenv("TAILRACE_FAULT");
    return file_remove_tree(root, &err);
}

static void put(const char *name, const char *content)
{
    assert_int_equal(put_file(at(name), str_of(content), 0600), 0);
}

static void expect_content(const char *name, const char *content)
{
    struct error err = { 0 };
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1 << 20);
    assert_int_equal(file_read(at(name), &b, &err), 0);
    assert_string_equal(buf_text(&b), content);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void folders_are_made_with_their_parents(void **state)
{
    (void)state;
    struct error err = { 0 };
    assert_int_equal(file_make_dirs(at("a/b/c"), 0700, &err), 0);
    assert_int_equal(file_make_dirs(at("a/b/c/"), 0700, &err), 0);
    assert_int_equal(mode_of(at("a")), 0700);
    assert_int_equal(mode_of(at("a/b/c")), 0700);
    put("file", "x");
    assert_int_equal(file_make_dirs(at("file/d"), 0700, &err), -1);
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(err.sys, ENOTDIR);
    assert_non_null(strstr(err.text, "/file'"));
    assert_int_equal(file_make_dirs(at("file"), 0700, &err), -1);
    assert_int_equal(err.sys, ENOTDIR);
}

static void a_relative_folder_is_made_here(void **state)
{
    (void)state;
    struct error err = { 0 };
    char before[1024];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(root), 0);
    int rc = file_make_dirs("rel", 0700, &err);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(rc, 0);
    assert_int_equal(mode_of(at("rel")), 0700);
}

static void a_failed_write_says_why_and_what_to_do(void **state)
{
    (void)state;
#ifdef TAILRACE_FAULT_POINTS
    struct error err = { 0 };
    static const char *const faults[] = { "base.write=ENOSPC", "base.sync=EIO",
                                          "base.write=EDQUOT" };
    static const int numbers[] = { ENOSPC, EIO, EDQUOT };
    put("f", "");
    int fd = open(at("f"), O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (size_t i = 0; i < 3; i++) {
        err = (struct error){ 0 };
        setenv("TAILRACE_FAULT", faults[i], 1);
        assert_true(file_write_all(fd, "new", 3, "f", &err) != 0 ||
                    file_sync(fd, "f", &err) != 0);
        assert_int_equal(err.code, ERR_IO);
        assert_int_equal(err.sys, numbers[i]);
        assert_int_equal(err.hint != NULL, i != 1);
        unsetenv("TAILRACE_FAULT");
    }
    close(fd);
#endif
}

static void reading_stops_at_the_ceiling(void **state)
{
    (void)state;
    struct error err = { 0 };
    CLEANUP(buf_done) struct buf b;
    put("f", "0123456789");
    buf_init(&b, 12);
    buf_add_text(&b, "ab");
    assert_int_equal(file_read(at("f"), &b, &err), 0);
    assert_str(buf_str(&b), "ab0123456789");
    assert_int_equal(file_read(at("f"), &b, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    buf_clear(&b);
    assert_int_equal(file_read(at("missing"), &b, &err), -1);
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(err.sys, ENOENT);
    assert_int_equal(file_read(root, &b, &err), -1);
    assert_int_equal(err.sys, EISDIR);
}

static void writing_goes_through_short_writes(void **state)
{
    (void)state;
    struct error err = { 0 };
    int ends[2];
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    CLEANUP(free_pointer) char *much = xcalloc(1 << 20, 1);
    /* A pipe that nobody reads takes a part and then says EAGAIN. */
    assert_int_equal(file_write_all(ends[1], much, 1 << 20, "pipe", &err), -1);
    assert_int_equal(err.sys, EAGAIN);
    assert_int_equal(file_sync(ends[1], "pipe", &err), -1);
    assert_int_equal(err.sys, EINVAL);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(file_sync_dir(at("missing"), &err), -1);
    assert_int_equal(err.sys, ENOENT);
}

static void a_tree_goes_whole_and_links_are_not_followed(void **state)
{
    (void)state;
    struct error err = { 0 };
    assert_int_equal(file_make_dirs(at("keep"), 0700, &err), 0);
    put("keep/precious", "here");
    assert_int_equal(file_make_dirs(at("t/u/v"), 0700, &err), 0);
    put("t/one", "12345");
    put("t/u/two", "123");
    assert_int_equal(symlink(at("keep"), at("t/u/link")), 0);
    assert_int_equal(file_tree_bytes(at("t")), 8);
    assert_int_equal(file_tree_bytes(at("t/one")), 5);
    assert_int_equal(file_remove_tree(at("t"), &err), 0);
    assert_int_equal(access(at("t"), F_OK), -1);
    expect_content("keep/precious", "here");
    assert_int_equal(file_remove_tree(at("t"), &err), 0);
    assert_int_equal(file_tree_bytes(at("t")), 0);
    assert_int_equal(file_remove_tree("/proc/self/stat", &err), -1);
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(file_remove_tree("/proc/self/task", &err), -1);
    assert_int_equal(err.code, ERR_IO);
}

static void free_space_is_told_where_it_is_known(void **state)
{
    (void)state;
    assert_true(file_free_bytes(root) > 0);
    assert_true(file_free_bytes(root) < UINT64_MAX);
    assert_true(file_free_bytes(at("missing")) == UINT64_MAX);
}

static void a_lock_has_one_holder_and_tells_who(void **state)
{
    (void)state;
    struct error err = { 0 };
    pid_t holder = 0;
    int fd = file_lock(at("lock"), &holder, &err);
    assert_true(fd >= 0);
    assert_int_equal(mode_of(at("lock")), 0600);
    assert_int_equal(file_lock(at("lock"), &holder, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(holder, getpid());
    assert_int_equal(file_lock(at("lock"), NULL, &err), -1);
    close(fd);
    fd = file_lock(at("lock"), &holder, &err);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(file_lock(at("lock"), &holder, &err), -1);
    assert_int_equal(holder, 0);
    close(fd);
    assert_int_equal(file_lock(at("missing/lock"), &holder, &err), -1);
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(file_lock("/dev/full", &holder, &err), -1);
    assert_int_equal(err.code, ERR_IO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(folders_are_made_with_their_parents),
        TEST(a_relative_folder_is_made_here),
        TEST(a_failed_write_says_why_and_what_to_do),
        TEST(reading_stops_at_the_ceiling),
        TEST(writing_goes_through_short_writes),
        TEST(a_tree_goes_whole_and_links_are_not_followed),
        TEST(free_space_is_told_where_it_is_known),
        TEST(a_lock_has_one_holder_and_tells_who),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
