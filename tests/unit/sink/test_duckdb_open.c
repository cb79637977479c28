/* Destinations that cannot be opened or written: each is recognised and says what to do.
 */
#include "base/file.h"
#include "sink/duckdb.h"
#include "sink/duckdb_internal.h"
#include "support/test.h"

#include <sys/stat.h>

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/tailrace-open-XXXXXX");
    return mkdtemp(dir) == NULL ? -1 : chmod(dir, 0755);
}

static int remove_dir(void **state)
{
    struct error err = { 0 };
    (void)state;
    return file_remove_tree(dir, &err);
}

static struct sink *try_open(const char *name, const char *option, struct error *err)
{
    char path[128];
    struct str options[] = { str_of(option) };
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return duckdb_sink_ops.open(str_of(path), options, option == NULL ? 0 : 1, NULL, err);
}

static void write_bytes(const char *name, const void *bytes, size_t n)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(put_file(path, (struct str){ bytes, n }, 0644), 0);
}

static void fails(const char *name, const char *option, enum error_code code,
                  const char *words)
{
    struct error err = { 0 };
    struct sink *s = try_open(name, option, &err);
    sink_close(s);
    assert_null(s);
    if (err.code != code || strstr(err.text, words) == NULL || err.hint == NULL)
        fail_msg("code %d, hint '%s', text '%s'", (int)err.code,
                 err.hint == NULL ? "" : err.hint, err.text);
}

static void a_file_of_another_kind(void **state)
{
    static const char text[] = "this is a letter to a friend and no database at all, "
                               "and it goes on for a while";
    (void)state;
    write_bytes("x", text, sizeof(text));
    fails("x", NULL, ERR_CONFIG, "it is not a DuckDB file");
}

static void an_empty_file_is_made_anew(void **state)
{
    struct error err = { 0 };
    (void)state;
    write_bytes("x", "", 0);
    struct sink *s = try_open("x", NULL, &err);
    assert_non_null(s);
    sink_close(s);
}

static void put_u64(uint8_t *at, uint64_t v)
{
    for (unsigned i = 0; i < 8; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}

/* The first block of a file: checksum, "DUCK", version number (seen in files of 1.5.5).
 */
static void a_file_of_a_newer_version(void **state)
{
    uint8_t block[4096] = { 0 };
    uint64_t sum = 5381;
    (void)state;
    memcpy(block + 8, "DUCK", 4);
    put_u64(block + 12, 9999);
    for (size_t i = 8; i < sizeof(block); i += 8) {
        uint64_t word = 0;
        memcpy(&word, block + i, sizeof(word));
        sum ^= word * UINT64_C(0xbf58476d1ce4e5b9);
    }
    put_u64(block, sum);
    write_bytes("x", block, sizeof(block));
    fails("x", NULL, ERR_CONFIG, "newer version of DuckDB");
}

static void a_damaged_file(void **state)
{
    uint8_t block[4096] = { 0 };
    (void)state;
    memcpy(block + 8, "DUCK", 4);
    write_bytes("x", block, sizeof(block));
    fails("x", NULL, ERR_CONFIG, "the file is damaged");
}

static void a_folder_that_is_not_there(void **state)
{
    (void)state;
    fails("no/such/x", NULL, ERR_CONFIG, "its folder does not exist");
}

static void a_folder_instead_of_a_file(void **state)
{
    (void)state;
    fails(".", NULL, ERR_CONFIG, "it is a directory");
}

static void an_unknown_option(void **state)
{
    (void)state;
    fails("x", "colour=blue", ERR_CONFIG, "colour=blue");
    fails("x", "threads=0", ERR_CONFIG, "threads=0");
    fails("x", "memory_limit=much", ERR_CONFIG, "memory_limit");
}

/* As another user, since nothing is read-only for root. */
static void expect_denied(const char *name, int *status)
{
    pid_t child = fork();
    if (child == 0) {
        struct error err = { 0 };
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(3);
        struct sink *s = try_open(name, NULL, &err);
        _exit(s == NULL && err.code == ERR_IO && err.hint != NULL &&
                      strstr(err.text, "permission denied") != NULL
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(child, status, 0), child);
}

static void a_place_that_may_not_be_written(void **state)
{
    int status = 0;
    char path[128];
    (void)state;
    assert_int_equal(chmod(dir, 0555), 0);
    expect_denied("x", &status);
    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(WEXITSTATUS(status), 0);
    (void)snprintf(path, sizeof(path), "%s/y", dir);
    struct error err = { 0 };
    sink_close(try_open("y", NULL, &err));
    assert_int_equal(chmod(path, 0444), 0);
    expect_denied("y", &status);
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_file_that_another_process_has(void **state)
{
    int ready[2], done[2];
    char byte = 0;
    char words[64];
    (void)state;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(done), 0);
    pid_t child = fork();
    if (child == 0) {
        struct error err = { 0 };
        struct sink *s = try_open("x", NULL, &err);
        if (s == NULL || write(ready[1], "x", 1) != 1)
            _exit(1);
        (void)close(done[1]);
        ssize_t n = read(done[0], &byte, 1);
        _exit(n == 0 ? 0 : 1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)snprintf(words, sizeof(words), "process %d ('", (int)child);
    fails("x", NULL, ERR_TARGET, words);
    (void)close(done[0]);
    (void)close(done[1]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

static void a_library_that_is_not_there(void **state)
{
    struct error err = { 0 };
    struct duckdb_api api;
    char *before = getenv("TAILRACE_LIBDUCKDB");
    char kept[512] = "";
    (void)state;
    if (before != NULL)
        (void)snprintf(kept, sizeof(kept), "%s", before);
    (void)setenv("TAILRACE_LIBDUCKDB", "/nowhere/libduckdb.so", 1);
    assert_int_equal(duckdb_api_open(&api, &err), -1);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(err.hint);
    /* a library, but another one */
    (void)setenv("TAILRACE_LIBDUCKDB", "libm.so.6", 1);
    assert_int_equal(duckdb_api_open(&api, &err), -1);
    assert_non_null(strstr(err.text, "duckdb_library_version"));
    if (kept[0] != '\0')
        (void)setenv("TAILRACE_LIBDUCKDB", kept, 1);
    else
        (void)unsetenv("TAILRACE_LIBDUCKDB");
}

static void messages_of_a_running_database(void **state)
{
    static const struct {
        duckdb_error_type type;
        const char *message;
        enum error_code code;
        const char *text;
    } cases[] = {
        { DUCKDB_ERROR_OUT_OF_MEMORY,
          "Out of Memory Error: failed to pin block of size 256.0 KiB (244.0 MiB/244.1 "
          "MiB "
          "used)\n\nPossible solutions:",
          ERR_LIMIT,
          "loading: Out of Memory Error: failed to pin block of size 256.0 KiB (244.0 "
          "MiB/244.1 MiB used)" },
        { DUCKDB_ERROR_IO,
          "IO Error: Could not write file \"x\": No space left on device", ERR_IO,
          "loading: the disk is full" },
        { DUCKDB_ERROR_INTERRUPT, "INTERRUPT Error: Interrupted!", ERR_CANCELLED,
          "loading: interrupted" },
        { DUCKDB_ERROR_CONVERSION, "Conversion Error: no", ERR_DATA,
          "loading: Conversion Error: no" },
        { DUCKDB_ERROR_CATALOG, "Catalog Error: no", ERR_SCHEMA,
          "loading: Catalog Error: no" },
        { DUCKDB_ERROR_INTERNAL, "INTERNAL Error: no", ERR_TARGET,
          "loading: INTERNAL Error: no" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = { 0 };
        assert_int_equal(duckdb_fail(&err, "loading", cases[i].type, cases[i].message),
                         -1);
        assert_int_equal(err.code, cases[i].code);
        assert_string_equal(err.text, cases[i].text);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        /* the first: no process that has threads of the library is forked */
        TEST(a_file_that_another_process_has),
        TEST(a_place_that_may_not_be_written),
        TEST(a_file_of_another_kind),
        TEST(an_empty_file_is_made_anew),
        TEST(a_file_of_a_newer_version),
        TEST(a_damaged_file),
        TEST(a_folder_that_is_not_there),
        TEST(a_folder_instead_of_a_file),
        TEST(an_unknown_option),
        TEST(a_library_that_is_not_there),
        TEST(messages_of_a_running_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
