/* bench/duckdb_spike.c
 *
 * Four questions to libduckdb, asked before the destination was written. The answers are
 * in docs/decisions/0002-duckdb-by-dlopen-and-swap.md; this program gives them again.
 *
 *   swap ROUNDS    DROP t + RENAME new TO t in one transaction, then SIGKILL: what is
 * replayed? alter ROUNDS   ALTER, then an appender, in one transaction, then SIGKILL: the
 * same question merge ROWS MB  a MERGE of 100,000 staged changes into ROWS rows under
 * memory_limit=MB grow N SECS    size of the file over N merges of 100 rows into 1
 * million rows
 *
 * Build: cc -std=gnu17 -O2 -Ithird_party/duckdb bench/duckdb_spike.c -ldl -o duckdb_spike
 * Run:   TAILRACE_LIBDUCKDB=third_party/duckdb/libduckdb.so ./duckdb_spike DIR swap 50
 *
 * Every step that is killed runs in a child of its own, which loads the library itself:
 * the parent never does, so no thread of the library is ever forked.
 */
#include <dlfcn.h>
#include <duckdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* clang-format off */
#define FUNCTIONS(X) \
    X(create_config) X(set_config) X(destroy_config) X(open_ext) X(close) X(connect) \
    X(disconnect) X(query) X(destroy_result) X(result_error) X(value_int64) \
    X(value_varchar) X(free) X(appender_create) X(appender_destroy) X(append_int64) \
    X(append_varchar) X(append_int8) X(appender_end_row) X(appender_close) \
    X(appender_error) X(library_version)
/* clang-format on */

static struct {
#define MEMBER(name) __typeof__(duckdb_##name) *name;
    FUNCTIONS(MEMBER)
#undef MEMBER
} duck;

static duckdb_database db;
static duckdb_connection con;
static const char *dir;
static char path[512];

static void die(const char *what, const char *why)
{
    printf("  FAILED %s: %s\n", what, why ? why : "?");
    fflush(stdout);
    _exit(2);
}

static void load(void)
{
    const char *lib = getenv("TAILRACE_LIBDUCKDB");
    void *h = dlopen(lib ? lib : "libduckdb.so", RTLD_NOW | RTLD_LOCAL);
    if (h == NULL)
        die("dlopen", dlerror());
#define RESOLVE(name)                                               \
    if ((*(void **)&duck.name = dlsym(h, "duckdb_" #name)) == NULL) \
        die("dlsym", "duckdb_" #name);
    FUNCTIONS(RESOLVE)
#undef RESOLVE
}

static void open_file(const char *memory)
{
    duckdb_config cfg;
    char *why = NULL;
    load();
    duck.create_config(&cfg);
    duck.set_config(cfg, "threads", "2");
    duck.set_config(cfg, "autoinstall_known_extensions", "false");
    if (memory != NULL)
        duck.set_config(cfg, "memory_limit", memory);
    if (duck.open_ext(path, &db, cfg, &why) != DuckDBSuccess)
        die("open", why);
    duck.destroy_config(&cfg);
    if (duck.connect(db, &con) != DuckDBSuccess)
        die("connect", NULL);
}

static void close_file(void)
{
    duck.disconnect(&con);
    duck.close(&db);
}

/* Statement on a connection; false and the message on stdout where it fails. */
static bool try_on(duckdb_connection c, const char *sql)
{
    duckdb_result r;
    bool ok = duck.query(c, sql, &r) == DuckDBSuccess;
    if (!ok)
        printf("  refused: %.100s\n           %.300s\n", sql, duck.result_error(&r));
    duck.destroy_result(&r);
    return ok;
}

static void run(const char *sql)
{
    if (!try_on(con, sql))
        die("statement", sql);
}

static void runf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void runf(const char *fmt, ...)
{
    char sql[2000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sql, sizeof(sql), fmt, ap);
    va_end(ap);
    run(sql);
}

static int64_t number_on(duckdb_connection c, const char *sql)
{
    duckdb_result r;
    int64_t v;
    if (duck.query(c, sql, &r) != DuckDBSuccess)
        die(sql, duck.result_error(&r));
    v = duck.value_int64(&r, 0, 0);
    duck.destroy_result(&r);
    return v;
}

static int64_t number(const char *sql)
{
    return number_on(con, sql);
}

/* Rows (first.., 'gen N') by the appender; kind 1 adds a tinyint and a text column. */
static void append(const char *table, int64_t first, int64_t rows, int gen, int kind)
{
    duckdb_appender a;
    char text[64];
    if (duck.appender_create(con, NULL, table, &a) != DuckDBSuccess)
        die("appender", duck.appender_error(a));
    for (int64_t i = 0; i < rows; i++) {
        snprintf(text, sizeof(text), "gen %d row %lld", gen, (long long)(first + i));
        duck.append_int64(a, first + i);
        duck.append_int64(a, gen);
        duck.append_varchar(a, text);
        if (kind == 1) {
            duck.append_int8(a, 7);
            duck.append_varchar(a, "new");
        }
        if (duck.appender_end_row(a) != DuckDBSuccess)
            die("row", duck.appender_error(a));
    }
    if (duck.appender_close(a) != DuckDBSuccess)
        die("appender close", duck.appender_error(a));
    duck.appender_destroy(&a);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double size_mb(const char *suffix)
{
    char name[600];
    struct stat st;
    snprintf(name, sizeof(name), "%s%s", path, suffix);
    return stat(name, &st) == 0 ? (double)st.st_size / 1048576.0 : 0;
}

static long rss_mb(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss / 1024;
}

static void remove_file(void)
{
    char wal[600];
    snprintf(wal, sizeof(wal), "%s.wal", path);
    unlink(path);
    unlink(wal);
}

/* Run a step in a child; kill_after_us >= 0 sends SIGKILL from outside after so long. */
static int in_child(void (*step)(int), int arg, int kill_after_us)
{
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        step(arg);
        fflush(stdout);
        _exit(0);
    }
    if (kill_after_us >= 0) {
        struct timespec t = { kill_after_us / 1000000,
                              (kill_after_us % 1000000) * 1000L };
        nanosleep(&t, NULL);
        kill(pid, SIGKILL);
    }
    waitpid(pid, &status, 0);
    return status;
}

/* ---- swap ------------------------------------------------------------------------- */

enum {
    SWAP_ONE,
    SWAP_EARLIER,
    SWAP_REPLAYED,
    SWAP_LARGE,
    SWAP_VIEW,
    SWAP_RANDOM,
    SWAP_KINDS
};

static const char *const swap_names[SWAP_KINDS] = {
    "create, append, swap in one transaction",
    "append in an earlier transaction, append again and swap",
    "append, SIGKILL, replay, append again and swap",
    "300,000 rows (past a row group) and swap",
    "view over versioned tables, replaced",
    "SIGKILL from outside at a random moment of append + swap",
};

static int round_now;

static void swap_start(int kind)
{
    (void)kind;
    open_file(NULL);
    run("CREATE TABLE mark(seq BIGINT); INSERT INTO mark VALUES (0)");
    run("CREATE TABLE t(id BIGINT, gen BIGINT, s VARCHAR)");
    append("t", 1, 3000, 0, 0);
    close_file();
}

static void swap_view_start(int kind)
{
    (void)kind;
    open_file(NULL);
    run("CREATE TABLE mark(seq BIGINT); INSERT INTO mark VALUES (0)");
    run("CREATE TABLE v0(id BIGINT, gen BIGINT, s VARCHAR)");
    append("v0", 1, 3000, 0, 0);
    run("CREATE VIEW t AS SELECT * FROM v0");
    close_file();
}

static void swap_earlier(int kind)
{
    open_file(NULL);
    run("BEGIN");
    run("CREATE TABLE \"_new\"(id BIGINT, gen BIGINT, s VARCHAR)");
    append("_new", 1, 2500, 1, 0);
    run("UPDATE mark SET seq = 1");
    run("COMMIT");
    if (kind == SWAP_REPLAYED)
        kill(getpid(), SIGKILL);
}

static void swap_join(int kind)
{
    int64_t rows = kind == SWAP_LARGE || kind == SWAP_RANDOM ? 300000 : 5000;
    if (kind == SWAP_EARLIER)
        swap_earlier(kind);
    else
        open_file(NULL);
    run("BEGIN");
    if (kind == SWAP_VIEW) {
        run("CREATE TABLE v1(id BIGINT, gen BIGINT, s VARCHAR)");
        append("v1", 1, rows, 1, 0);
        run("CREATE OR REPLACE VIEW t AS SELECT * FROM v1; DROP TABLE v0");
    } else {
        if (kind == SWAP_EARLIER || kind == SWAP_REPLAYED) {
            append("_new", 2501, rows - 2500, 1, 0);
        } else {
            run("CREATE TABLE \"_new\"(id BIGINT, gen BIGINT, s VARCHAR)");
            append("_new", 1, rows, 1, 0);
        }
        run("DROP TABLE t");
        run("ALTER TABLE \"_new\" RENAME TO t");
    }
    run("UPDATE mark SET seq = 2");
    run("COMMIT");
    kill(getpid(), SIGKILL);
}

static void swap_look(int kind)
{
    open_file(NULL);
    int64_t mark = number("SELECT seq FROM mark"), n = number("SELECT count(*) FROM t");
    int64_t sum = number("SELECT sum(id) FROM t"), gen = number("SELECT min(gen) FROM t");
    int64_t full = kind == SWAP_LARGE || kind == SWAP_RANDOM ? 300000 : 5000;
    int64_t want = mark == 2 ? full : 3000;
    int64_t good = number("SELECT count(*) FROM t WHERE s = 'gen '||gen||' row '||id");
    int64_t left =
        number("SELECT count(*) FROM duckdb_tables() WHERE table_name = '_new'");
    if (n != want || good != want || sum != want * (want + 1) / 2 ||
        gen != (mark == 2 ? 1 : 0) || (mark == 2 && left != 0))
        die("WRONG", swap_names[kind]);
    if (kind != SWAP_RANDOM && mark != 2)
        die("LOST", swap_names[kind]);
    /* the replayed table must still take rows, a checkpoint and a second opening */
    if (mark == 2 && kind != SWAP_VIEW) {
        append("t", full + 1, 10, 1, 0);
        run("CHECKPOINT");
    }
    close_file();
    _exit(mark == 2 ? 10 : 11);
}

static void swap_readers(int unused)
{
    duckdb_connection reader;
    (void)unused;
    open_file(NULL);
    duck.connect(db, &reader);
    try_on(reader, "BEGIN");
    int64_t a = number_on(reader, "SELECT count(*) FROM t");
    run("BEGIN");
    run("CREATE TABLE \"_new\"(id BIGINT, gen BIGINT, s VARCHAR)");
    append("_new", 1, 5000, 1, 0);
    run("DROP TABLE t");
    run("ALTER TABLE \"_new\" RENAME TO t");
    int64_t b = number_on(reader, "SELECT count(*) FROM t");
    run("COMMIT");
    int64_t c = number_on(reader, "SELECT count(*) FROM t");
    try_on(reader, "COMMIT");
    int64_t d = number_on(reader, "SELECT count(*) FROM t");
    printf("  one reader's transaction: before %lld, swapped uncommitted %lld, committed "
           "%lld; "
           "its next transaction %lld\n",
           (long long)a, (long long)b, (long long)c, (long long)d);
    run("CREATE VIEW uses_t AS SELECT id FROM t");
    run("BEGIN; CREATE TABLE \"_new\"(id BIGINT, x INT); DROP TABLE t; "
        "ALTER TABLE \"_new\" RENAME TO t; COMMIT");
    printf("  a user's view over t after a swap to another shape: %s\n",
           try_on(con, "SELECT * FROM uses_t") ? "answers" : "is refused");
    close_file();
}

static void swap(int rounds)
{
    for (int kind = 0; kind < SWAP_KINDS; kind++) {
        int done = 0, old = 0, bad = 0;
        for (int i = 0; i < rounds; i++) {
            remove_file();
            round_now = i;
            in_child(kind == SWAP_VIEW ? swap_view_start : swap_start, kind, -1);
            if (kind == SWAP_REPLAYED)
                in_child(swap_earlier, kind, -1);
            in_child(swap_join, kind, kind == SWAP_RANDOM ? 20000 + rand() % 300000 : -1);
            int st = in_child(swap_look, kind, -1);
            if (WIFEXITED(st) && WEXITSTATUS(st) == 10)
                done++;
            else if (WIFEXITED(st) && WEXITSTATUS(st) == 11)
                old++;
            else
                bad++;
        }
        printf("swap: %-58s %d new, %d old, %d WRONG\n", swap_names[kind], done, old,
               bad);
    }
    remove_file();
    in_child(swap_start, 0, -1);
    in_child(swap_readers, 0, -1);
}

/* ---- alter ------------------------------------------------------------------------ */

static void alter_start(int unused)
{
    (void)unused;
    open_file(NULL);
    run("CREATE TABLE t(id BIGINT, gen BIGINT, s VARCHAR, b BOOLEAN)");
    run("INSERT INTO t SELECT range, 0, 'old', range % 2 = 0 FROM range(3000)");
    close_file();
}

static void alter_step(int kind)
{
    open_file(NULL);
    run("BEGIN");
    if (kind == 1) /* rows of the older shape earlier in the same transaction */
        run("INSERT INTO t SELECT 3000 + range, 0, 'old', true FROM range(100)");
    run("ALTER TABLE t ALTER b SET DATA TYPE TINYINT");
    run("ALTER TABLE t ADD COLUMN extra VARCHAR");
    append("t", 10000, 500, 1, 1);
    run("COMMIT");
    kill(getpid(), SIGKILL);
}

static void alter_look(int kind)
{
    open_file(NULL);
    int64_t n = number("SELECT count(*) FROM t"), want = kind == 1 ? 3600 : 3500;
    int64_t seven = number("SELECT count(*) FROM t WHERE b = 7 AND extra = 'new'");
    int64_t ones = number("SELECT count(*) FROM t WHERE b = 1 AND extra IS NULL");
    int64_t type =
        number("SELECT count(*) FROM duckdb_columns() WHERE column_name = 'b' AND "
               "data_type = 'TINYINT'");
    if (n != want || seven != 500 || ones != (kind == 1 ? 1600 : 1500) || type != 1)
        die("WRONG", "alter");
    run("CHECKPOINT");
    close_file();
}

static void alter(int rounds)
{
    for (int kind = 0; kind < 2; kind++) {
        int ok = 0, bad = 0;
        for (int i = 0; i < rounds; i++) {
            remove_file();
            in_child(alter_start, kind, -1);
            in_child(alter_step, kind, -1);
            if (in_child(alter_look, kind, -1) == 0)
                ok++;
            else
                bad++;
        }
        printf("alter: %-58s %d exact, %d WRONG\n",
               kind == 0 ? "widen, add column, append; SIGKILL; replay"
                         : "append, widen, add column, append; SIGKILL; replay",
               ok, bad);
    }
}

/* ---- merge ------------------------------------------------------------------------ */

static double timed(const char *label, const char *sql)
{
    double t = now();
    bool ok = try_on(con, sql);
    t = now() - t;
    printf("  %-34s %s %7.2f s  peak RSS %ld MB  file %.0f MB  wal %.0f MB\n", label,
           ok ? "ok " : "REFUSED", t, rss_mb(), size_mb(""), size_mb(".wal"));
    fflush(stdout);
    return t;
}

static int64_t merge_rows;
static char merge_memory[32];

static void merge_make(int unused)
{
    (void)unused;
    open_file("4GB");
    runf("CREATE TABLE t AS SELECT range AS id, range %% 1000 AS a, "
         "'name of row ' || range AS s, (range * 7)::DOUBLE AS d, 1 AS ver FROM "
         "range(%lld)",
         (long long)merge_rows);
    run("CHECKPOINT");
    close_file();
}

static void merge_do(int how)
{
    char set[600];
    open_file(merge_memory);
    snprintf(set, sizeof(set), "SET temp_directory = '%s.tmp'", path);
    run(set);
    printf("  library %s, memory_limit %s, RSS after open %ld MB\n",
           duck.library_version(), merge_memory, rss_mb());
    run("BEGIN");
    runf("CREATE TEMP TABLE chg AS SELECT CASE WHEN range < 90000 THEN range * (%lld // "
         "90000) "
         "ELSE %lld + range END AS id, 5 AS a, 'changed ' || range AS s, 1.5::DOUBLE AS "
         "d, "
         "2 AS ver FROM range(100000)",
         (long long)merge_rows, (long long)merge_rows);
    if (how == 0) {
        timed("MERGE INTO",
              "MERGE INTO t USING chg ON t.id = chg.id WHEN MATCHED THEN UPDATE "
              "SET a = chg.a, s = chg.s, d = chg.d, ver = chg.ver "
              "WHEN NOT MATCHED THEN INSERT VALUES (id, a, s, d, ver)");
    } else {
        timed("DELETE USING", "DELETE FROM t USING chg WHERE t.id = chg.id");
        timed("INSERT", "INSERT INTO t SELECT * FROM chg");
    }
    timed("COMMIT", "COMMIT");
    timed("CHECKPOINT", "CHECKPOINT");
    printf("  rows %lld, changed %lld\n", (long long)number("SELECT count(*) FROM t"),
           (long long)number("SELECT count(*) FROM t WHERE ver = 2"));
    close_file();
    printf("  closed: file %.0f MB\n", size_mb(""));
}

/* ---- grow ------------------------------------------------------------------------- */

static int grow_seconds;

static void grow_do(int every)
{
    double t0 = now();
    int i = 0;
    open_file(NULL);
    if (every < 0)
        run("SET checkpoint_threshold = '1TB'");
    run("CREATE TABLE t AS SELECT range AS id, 'name of row ' || range AS s, 1 AS ver "
        "FROM range(1000000)");
    run("CHECKPOINT");
    printf("grow: %s; start %.1f MB\n",
           every < 0    ? "no checkpoint"
           : every == 0 ? "automatic"
                        : "CHECKPOINT every 100",
           size_mb(""));
    run("CREATE TEMP TABLE chg(id BIGINT, s VARCHAR, ver INT)");
    for (i = 1; i <= merge_rows && now() - t0 < grow_seconds; i++) {
        run("BEGIN");
        run("DELETE FROM chg");
        runf("INSERT INTO chg SELECT (hash(range * 1000003 + %d) %% 1010000)::BIGINT, "
             "'merge %d', %d FROM range(100)",
             i, i, i);
        run("MERGE INTO t USING (SELECT id, any_value(s) AS s, any_value(ver) AS ver "
            "FROM chg "
            "GROUP BY id) c ON t.id = c.id WHEN MATCHED THEN UPDATE SET s = c.s, ver = "
            "c.ver "
            "WHEN NOT MATCHED THEN INSERT VALUES (id, s, ver)");
        run("COMMIT");
        if (every > 0 && i % every == 0)
            run("CHECKPOINT");
        if (i % 1000 == 0 || i == 100 || i == 300)
            printf("  %5d merges %6.1f s  file %7.1f MB  wal %6.1f MB  RSS %ld MB\n", i,
                   now() - t0, size_mb(""), size_mb(".wal"), rss_mb());
        fflush(stdout);
    }
    printf("  stopped after %d merges, %.1f s: file %.1f MB wal %.1f MB\n", i - 1,
           now() - t0, size_mb(""), size_mb(".wal"));
    run("CHECKPOINT");
    close_file();
    printf("  closed: file %.1f MB\n", size_mb(""));
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fputs("usage: duckdb_spike DIR swap N | alter N | merge ROWS MB | grow N SECS\n",
              stderr);
        return 1;
    }
    dir = argv[1];
    snprintf(path, sizeof(path), "%s/spike-%s.duckdb", dir, argv[2]);
    remove_file();
    if (strcmp(argv[2], "swap") == 0) {
        swap(atoi(argv[3]));
    } else if (strcmp(argv[2], "alter") == 0) {
        alter(atoi(argv[3]));
    } else if (strcmp(argv[2], "merge") == 0 && argc > 4) {
        merge_rows = atoll(argv[3]);
        snprintf(merge_memory, sizeof(merge_memory), "%sMB", argv[4]);
        for (int how = 0; how < 2; how++) {
            printf("merge: %lld rows, %s\n", (long long)merge_rows,
                   how == 0 ? "MERGE INTO" : "DELETE USING + INSERT");
            remove_file();
            in_child(merge_make, 0, -1);
            in_child(merge_do, how, -1);
        }
    } else if (strcmp(argv[2], "grow") == 0 && argc > 4) {
        merge_rows = atoll(argv[3]);
        grow_seconds = atoi(argv[4]);
        for (int every = -1; every <= 100; every += every < 0 ? 1 : 100) {
            remove_file();
            in_child(grow_do, every, -1);
        }
    }
    remove_file();
    return 0;
}
