/* Opening, migrating and asking the state database. See state.h. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "state/migrations.h"
#include "state/state_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Another process of ours may write at the same time; SQLite waits so long for its turn.
 */
#define BUSY_MS 30000
#define AGAIN_US (10 * 1000)

struct state {
    pthread_mutex_t lock; /* recursive: a batch may span calls of one thread */
    sqlite3 *db;          /* owned */
    char *path;           /* owned */
    struct map *cache;    /* owned: SQL text to sqlite3_stmt, each owned */
    unsigned batch_depth;
};

#define MIGRATION_COUNT 6
static const struct str *const MIGRATIONS[MIGRATION_COUNT] = {
    &state_migration_0001_start,   &state_migration_0002_selection,
    &state_migration_0003_log,     &state_migration_0004_source,
    &state_migration_0005_trouble, &state_migration_0006_start,
};

static int sqlite_error(const struct state *s, const char *doing, struct error *err)
{
    int rc = s->db == NULL ? SQLITE_NOMEM : sqlite3_errcode(s->db);
    (void)error_set(err, ERR_IO, "%s state database '%s': %s", doing, s->path,
                    s->db == NULL ? "out of memory" : sqlite3_errmsg(s->db));
    if (rc == SQLITE_FULL)
        err->hint = "Free some space on that file system and run again.";
    if (rc == SQLITE_NOTADB || rc == SQLITE_CORRUPT)
        err->hint =
            "Move the file away; tailrace makes a new one. History is lost, copied "
            "rows are not.";
    return -1;
}

static int execute(struct state *s, const char *sql, struct error *err)
{
    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    return sqlite_error(s, "writing", err);
}

static int user_version(struct state *s, int *out, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW) {
        (void)sqlite3_finalize(stmt);
        return sqlite_error(s, "reading", err);
    }
    *out = sqlite3_column_int(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return 0;
}

/* Under an exclusive transaction, so that two first starts do not both migrate. */
static int migrate(struct state *s, struct error *err)
{
    int version = 0;
    if (user_version(s, &version, err) != 0)
        return -1;
    if (version > MIGRATION_COUNT) {
        (void)error_set(
            err, ERR_CONFIG,
            "state database '%s' is of a newer version (%d, this program knows %d)",
            s->path, version, MIGRATION_COUNT);
        err->hint = "Use the newer tailrace, or another --data-dir.";
        return -1;
    }
    if (version == MIGRATION_COUNT)
        return 0;
    if (execute(s, "BEGIN EXCLUSIVE", err) != 0)
        return -1;
    int rc = user_version(s, &version, err);
    for (int i = version; i < MIGRATION_COUNT && rc == 0; i++) {
        char pragma[64];
        rc = execute(s, MIGRATIONS[i]->ptr, err);
        (void)snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d", i + 1);
        if (rc == 0)
            rc = execute(s, pragma, err);
    }
    struct error late = { 0 };
    return execute(s, rc == 0 ? "COMMIT" : "ROLLBACK", rc == 0 ? err : &late) == 0 ? rc
                                                                                   : -1;
}

/* SQLite would make the file with the umask's mode; it holds names of hosts and users. */
static int make_private(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set(err, ERR_IO, "opening state database '%s': %s", path,
                         strerrordesc_np(errno));
    close_fd(&fd);
    return 0;
}

/* Another start at the same moment holds the file while it does the same, and for this
 * one statement SQLite does not wait by itself. */
static int use_wal(struct state *s, struct error *err)
{
    int64_t until = clock_mono_us() + (int64_t)BUSY_MS * 1000;
    int rc = SQLITE_BUSY;
    do {
        rc = sqlite3_exec(s->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    } while (rc == SQLITE_BUSY && clock_mono_us() < until &&
             clock_wait_us(NULL, AGAIN_US));
    return rc == SQLITE_OK ? 0 : sqlite_error(s, "writing", err);
}

static int open_database(struct state *s, struct error *err)
{
    if (make_private(s->path, err) != 0)
        return -1;
    if (sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX,
                        NULL) != SQLITE_OK)
        return sqlite_error(s, "opening", err);
    (void)sqlite3_busy_timeout(s->db, BUSY_MS);
    if (use_wal(s, err) != 0 || execute(s, "PRAGMA synchronous = FULL", err) != 0)
        return -1;
    return migrate(s, err);
}

struct state *state_open(const char *data_dir, struct error *err)
{
    CLEANUP(buf_done) struct buf path;
    buf_init(&path, 8192);
    buf_printf(&path, "%s/tailrace.db", data_dir);
    if (buf_check(&path, "the data directory's path", err) != 0 ||
        file_make_dirs(data_dir, 0700, err) != 0)
        return NULL;
    struct state *s = xcalloc(1, sizeof *s);
    pthread_mutexattr_t attr;
    (void)pthread_mutexattr_init(&attr);
    (void)pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    (void)pthread_mutex_init(&s->lock, &attr);
    (void)pthread_mutexattr_destroy(&attr);
    s->path = buf_take(&path);
    s->cache = map_new();
    if (open_database(s, err) == 0)
        return s;
    state_close(s);
    return NULL;
}

void state_close(struct state *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < map_count(s->cache); i++)
        (void)sqlite3_finalize(map_at(s->cache, i, NULL));
    map_free(s->cache);
    (void)sqlite3_close(s->db);
    (void)pthread_mutex_destroy(&s->lock);
    free(s->path);
    free(s);
}

/* --- batches
 * ------------------------------------------------------------------------------ */

int state_batch_begin(struct state *s, struct error *err)
{
    (void)pthread_mutex_lock(&s->lock);
    if (s->batch_depth++ == 0 && execute(s, "BEGIN IMMEDIATE", err) != 0) {
        s->batch_depth--;
        (void)pthread_mutex_unlock(&s->lock);
        return -1;
    }
    return 0;
}

int state_batch_end(struct state *s, struct error *err)
{
    int rc = --s->batch_depth == 0 ? execute(s, "COMMIT", err) : 0;
    (void)pthread_mutex_unlock(&s->lock);
    return rc;
}

int state_batch_finish(struct state *s, int rc, struct error *err)
{
    struct error late = { 0 };
    if (rc == 0 || s->batch_depth > 1) {
        int end = state_batch_end(s, rc == 0 ? err : &late);
        return rc == 0 ? end : rc;
    }
    s->batch_depth--;
    (void)execute(s, "ROLLBACK", &late); /* SQLite undoes it at the latest when closing */
    (void)pthread_mutex_unlock(&s->lock);
    return rc;
}

/* --- queries
 * ------------------------------------------------------------------------------ */

int query_begin(struct query *q, struct state *s, const char *sql, struct error *err)
{
    (void)pthread_mutex_lock(&s->lock);
    *q = (struct query){ .state = s, .rc = SQLITE_OK };
    q->stmt = map_find(s->cache, str_of(sql));
    if (q->stmt == NULL) {
        if (sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &q->stmt,
                               NULL) != SQLITE_OK) {
            int rc = sqlite_error(s, "asking", err);
            (void)pthread_mutex_unlock(&s->lock);
            return rc;
        }
        (void)map_put(s->cache, str_of(sql), q->stmt);
    }
    return 0;
}

void query_text(struct query *q, int at, struct str text)
{
    if (q->rc == SQLITE_OK)
        q->rc = sqlite3_bind_text64(q->stmt, at, text.ptr == NULL ? "" : text.ptr,
                                    text.len, SQLITE_TRANSIENT, SQLITE_UTF8);
}

void query_int(struct query *q, int at, int64_t value)
{
    if (q->rc == SQLITE_OK)
        q->rc = sqlite3_bind_int64(q->stmt, at, value);
}

bool query_step(struct query *q)
{
    if (q->rc != SQLITE_OK && q->rc != SQLITE_ROW)
        return false;
    q->rc = sqlite3_step(q->stmt);
    return q->rc == SQLITE_ROW;
}

struct str query_column_text(struct query *q, struct arena *a, int column)
{
    const void *text = sqlite3_column_blob(q->stmt, column);
    int len = sqlite3_column_bytes(q->stmt, column);
    if (text == NULL)
        return (struct str){ 0 };
    return arena_str(a, (struct str){ text, (size_t)len });
}

int64_t query_column_int(struct query *q, int column)
{
    return sqlite3_column_int64(q->stmt, column);
}

int query_end(struct query *q, struct error *err)
{
    bool good = q->rc == SQLITE_OK || q->rc == SQLITE_ROW || q->rc == SQLITE_DONE;
    int rc = good ? 0 : sqlite_error(q->state, "asking", err);
    (void)sqlite3_reset(q->stmt);
    (void)sqlite3_clear_bindings(q->stmt);
    (void)pthread_mutex_unlock(&q->state->lock);
    return rc;
}

int query_run(struct query *q, struct error *err)
{
    while (query_step(q))
        continue;
    return query_end(q, err);
}

void *query_grow(struct arena *a, void *array, size_t count, size_t *cap, size_t item)
{
    if (count < *cap)
        return array;
    size_t next = *cap == 0 ? 16 : *cap * 2;
    void *grown = arena_alloc(a, next * item);
    if (count > 0)
        memcpy(grown, array, count * item);
    *cap = next;
    return grown;
}
