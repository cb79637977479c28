/* tests/contract/log_fixture.h
 *
 * Epochs of lane "log" for the destination under test, beside those of lane "full" that
 * the fixture writes.
 */
#ifndef CONTRACT_LOG_FIXTURE_H
#define CONTRACT_LOG_FIXTURE_H

#include "avro/encode.h"
#include "avro/schema.h"
#include "base/file.h"
#include "contract/sink_fixture.h"
#include "spool/epoch.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- epochs of lane "log" --------------------------------------------------------- */

static const struct column kv_columns[] = {
    KEY_COLUMN("id"),
    COLUMN("n", TYPE_INT, .bytes = 4),
    COLUMN("t", TYPE_TEXT, .length = 20),
};
static const struct column wide_columns[] = {
    KEY_COLUMN("id"),
    COLUMN("n", TYPE_LONG, .bytes = 8),
    COLUMN("t", TYPE_TEXT, .length = 20),
    COLUMN("more", TYPE_INT, .bytes = 4),
};
static const struct column bare_columns[] = {
    COLUMN("n", TYPE_INT, .bytes = 4),
    COLUMN("t", TYPE_TEXT, .length = 20),
};
static const struct table_schema kv = {
    .version = 1, .column_count = 3, .key_count = 1, .columns = kv_columns
};
static const struct table_schema wide = {
    .version = 2, .column_count = 4, .key_count = 1, .columns = wide_columns
};
static const struct table_schema bare = { .version = 1,
                                          .column_count = 2,
                                          .columns = bare_columns };

#define ABSENT ((struct value){ .kind = VALUE_ABSENT })

/* One change; its number is its place: base + index. */
struct change {
    enum row_op op;
    struct value cells[4];
    struct value before[4]; /* what a foreign key did, to rows of these values */
    bool acted;
};
#define I(...)                                    \
    {                                             \
        .op = OP_INSERT, .cells = { __VA_ARGS__ } \
    }
#define U(...)                                    \
    {                                             \
        .op = OP_UPDATE, .cells = { __VA_ARGS__ } \
    }
#define D(...)                                    \
    {                                             \
        .op = OP_DELETE, .cells = { __VA_ARGS__ } \
    }

/* The rows whose column n was `from` went; or their n became `to`. */
#define GONE(from)                                                          \
    {                                                                       \
        OP_DELETE, { ABSENT, from, ABSENT }, { ABSENT, from, ABSENT }, true \
    }
#define BECAME(from, to)                                                  \
    {                                                                     \
        OP_UPDATE, { ABSENT, to, ABSENT }, { ABSENT, from, ABSENT }, true \
    }

struct log_stream {
    const char *table;
    uint64_t version;
    unsigned actions;
    bool held, keyless, append;
    enum delete_way deletes;
    int64_t cut;
    int64_t base; /* number of the first change, and of a truncation before it */
    const struct table_schema *shape;
    const struct change *changes;
    size_t count;
    const char *reason;
    uint64_t live_version;
    size_t rejects;
    uint64_t held_limit;
    bool one_number; /* that all changes carry */
    uint32_t rows_of;
    const struct manifest_fill *fills;
    size_t fill_count;
};

/* kv unless something else is said. */
#define CHANGES(...)                                   \
    .changes = (const struct change[]){ __VA_ARGS__ }, \
    .count = sizeof((struct change[]){ __VA_ARGS__ }) / sizeof(struct change)

static const char *log_dir(const struct fixture *f, uint64_t number)
{
    return arena_printf(f->arena, "%s/log/%010llu.epoch", f->dir,
                        (unsigned long long)number)
        .ptr;
}

static inline void add_changes(const struct log_stream *t, struct epoch_writer *w,
                               int stream)
{
    struct encode_policy policy = { 0 };
    const struct table_schema *shape = t->shape == NULL ? &kv : t->shape;
    struct encode_plan *plan = encode_plan_new(shape, &policy);
    struct block *b = block_new((uint32_t)stream, shape, (size_t)1 << 24);
    struct buf json;
    struct error err = { 0 };
    buf_init(&json, (size_t)1 << 20);
    avro_schema_write(shape, AVRO_CHANGE, &json);
    epoch_shape(w, stream, shape->version, buf_str(&json));
    int64_t more = 0; /* the second numbers of what foreign keys did */
    for (size_t i = 0; i < t->count; i++) {
        struct encode_fault fault = { 0 };
        struct row_meta meta = { .op = t->changes[i].op,
                                 .sequence = t->base + 1 +
                                             (t->one_number ? 0 : (int64_t)i + more),
                                 .at = 1700000000000000 + (t->base + (int64_t)i) * 1000 };
        if (t->changes[i].acted) {
            meta.before = t->changes[i].before;
            more++;
        }
        if (encode_row(plan, b, &meta, t->changes[i].cells, &fault) != ENCODE_OK)
            fail_msg("row %zu column %u: %s", i, fault.column, fault.reason);
    }
    if (t->count > 0 && epoch_add_block(w, stream, b, &err) != 0)
        fail_msg("%s", err.text);
    block_free(b);
    encode_plan_free(plan);
    buf_done(&json);
}

static inline void add_log_stream(struct epoch_writer *w, const struct log_stream *t)
{
    struct error err = { 0 };
    const char *table = t->table == NULL ? "t" : t->table;
    struct manifest_stream st = {
        .database = STR("shop"),
        .table = str_of(table),
        .target = str_of(table),
        .version = t->version,
        .keyless = t->keyless,
        .join = JOIN_LOG,
        .changes = true,
        .held = t->held,
        .append = t->append,
        .deletes = t->deletes,
        .held_limit = t->held_limit,
        .live_version = t->live_version,
        .rows_of = t->rows_of,
        .fills = t->fills,
        .fill_count = t->fill_count,
    };
    int i = epoch_stream(w, &st);
    add_changes(t, w, i);
    for (size_t k = 0; k < t->rejects; k++) {
        struct reject r = { .table = STR("shop.t"),
                            .column = STR("n"),
                            .reason = STR("because"),
                            .record = STR("{}"),
                            .sequence = t->base,
                            .at = 5 };
        assert_int_equal(epoch_add_reject(w, i, &r, &err), 0);
    }
    epoch_set_action(w, i, t->actions & (ACTION_ABANDON | ACTION_HOLD));
    if ((t->actions & ACTION_TRUNCATE) != 0)
        epoch_set_truncate(w, i, t->base, 1700000000000000);
    if ((t->actions & ACTION_JOIN) != 0)
        epoch_set_join_log(w, i, t->cut);
    if ((t->actions & (ACTION_PARK | ACTION_GONE)) != 0)
        epoch_set_leave(w, i,
                        (enum stream_action)(t->actions & (ACTION_PARK | ACTION_GONE)),
                        str_of(t->reason));
    epoch_set_progress(w, i, (struct str){ 0 }, 1700000000000000, 1700000005000000);
}

static inline void write_log(struct fixture *f, uint64_t number,
                             const struct log_stream *all, size_t count)
{
    struct error err = { 0 };
    struct epoch_header header = { str_of(f->id), STR("shop"), STR("shop_copy"),
                                   STR("log") };
    struct epoch_options options = { CODEC_NULL, 1 << 16 };
    const char *lane = arena_printf(f->arena, "%s/log", f->dir).ptr;
    assert_int_equal(file_make_dirs(lane, 0700, &err), 0);
    struct epoch_writer *w = epoch_begin(lane, number, &header, &options, &err);
    if (w == NULL)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < count; i++)
        add_log_stream(w, &all[i]);
    if (epoch_seal(w, STR("from"), STR("log1;to"), 1, &err) != 0)
        fail_msg("%s", err.text);
}

static inline struct load_outcome load_log(struct fixture *f, uint64_t number)
{
    struct load_outcome out = { 0 };
    struct error err = { 0 };
    if (sink_load_epoch(f->sink, f->arena, log_dir(f, number), NULL, &out, &err) != 0)
        fail_msg("%s", err.text);
    return out;
}

static inline struct load_outcome load_log_one(struct fixture *f, uint64_t number,
                                               const struct log_stream *t)
{
    write_log(f, number, t, 1);
    return load_log(f, number);
}

/* It fails, says these words, and then is loaded without the stream at fault. */
static inline void expect_parked(struct fixture *f, uint64_t number,
                                 const struct log_stream *t, const char *words)
{
    struct load_outcome out = { 0 };
    struct error err = { 0 };
    bool excluded[1] = { true };
    write_log(f, number, t, 1);
    assert_int_equal(
        sink_load_epoch(f->sink, f->arena, log_dir(f, number), NULL, &out, &err), -1);
    if (strstr(err.text, words) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, words);
    assert_int_equal(out.failed_stream, 0);
    if (sink_load_epoch(f->sink, f->arena, log_dir(f, number), excluded, &out, &err) != 0)
        fail_msg("%s", err.text);
    const char *sql =
        arena_printf(f->arena, "SELECT contains(note, '%s') FROM _tailrace.stream", words)
            .ptr;
    fixture_expect(f, sql, "true");
}

/* The copy of a table that the log follows, in lane "full". */
#define COPY(v, count_, ...)                                                    \
    {                                                                           \
        "t", (v), ACTION_BEGIN | ACTION_COPIED, .join = JOIN_LOG, .shape = &kv, \
                                                .row_count = (count_),          \
                                                .rows = (const struct value[])  \
        {                                                                       \
            __VA_ARGS__                                                         \
        }                                                                       \
    }

#define ROWS(first) "SELECT " first " FROM shop_copy.t ORDER BY ALL"
#define ALL_ROWS ROWS("id, n, t")
#define LIVING \
    "SELECT id, n, t FROM shop_copy.t WHERE _sdc_deleted_at IS NULL ORDER BY ALL"
#define MARK                                                               \
    "SELECT state, live_state, live_version, copy_version, held_version, " \
    "left_version, lane, note FROM _tailrace.stream"
#define TABLES \
    "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'shop_copy' ORDER BY 1"

/* Table t is live as version 1 with rows 1, 2 and 3, by epoch 1 of both lanes. */
static inline void begin(struct fixture *f)
{
    struct test_stream copy = COPY(1, 3, INT(1), INT(10), TEXT("a"), INT(2), INT(20), NIL,
                                   INT(3), INT(30), TEXT("c"));
    struct log_stream join = { .version = 1,
                               .actions = ACTION_HOLD | ACTION_JOIN,
                               .held = true };
    (void)fixture_load_one(f, 1, &copy);
    (void)load_log_one(f, 1, &join);
}

#define CONTENT                                                                          \
    "SELECT n, t, count(*) FROM shop_copy.t WHERE _sdc_deleted_at IS NULL GROUP BY ALL " \
    "ORDER BY ALL"

#ifdef TAILRACE_FAULT_POINTS
/* The child ends by SIGKILL at the point; then the epoch loads as if nothing had been. */
static inline void kill_at(struct fixture *f, const char *dir, const char *point)
{
    int status = 0;
    sink_close(f->sink);
    pid_t child = fork();
    if (child == 0) {
        (void)setenv("TAILRACE_FAULT", point, 1);
        fixture_open(f);
        struct load_outcome out = { 0 };
        struct error err = { 0 };
        (void)sink_load_epoch(f->sink, f->arena, dir, NULL, &out, &err);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("not killed at %s", point);
    fixture_open(f);
}
#endif

#endif
