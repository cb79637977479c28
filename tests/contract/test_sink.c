/* The loading contract, over every destination: epochs are written by the real writer,
 * loaded through sink/sink.h, and read back by the destination's own statements. */
#include "avro/encode.h"
#include "avro/schema.h"
#include "base/file.h"
#include "sink/contract.h"
#include "sink/duckdb.h"
#include "spool/epoch.h"
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* ---- one destination under test
 * -------------------------------------------------------- */

struct fixture {
    char dir[64]; /* a fresh folder */
    struct arena *arena;
    struct sink *sink;
    struct cancel *cancel;
    char id[64];
};

static const char *file_of(const struct fixture *f)
{
    return arena_printf(f->arena, "%s/dest.duckdb", f->dir).ptr;
}

static void open_sink(struct fixture *f)
{
    struct error err = { 0 };
    const struct sink_ops *ops = sink_find(STR("duckdb"));
    struct str options[] = { STR("threads=1"), STR("memory_limit=256MB") };
    struct mark_list marks = { 0 };
    assert_non_null(ops);
    f->sink = ops->open(str_of(file_of(f)), options, 2, f->cancel, &err);
    if (f->sink == NULL)
        fail_msg("%s", err.text);
    assert_int_equal(sink_marks(f->sink, f->arena, STR(""), &marks, &err), 0);
    (void)snprintf(f->id, sizeof(f->id), STR_FMT, STR_ARG(marks.destination_id));
}

static void reopen_sink(struct fixture *f)
{
    sink_close(f->sink);
    open_sink(f);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/tailrace-sink-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->arena = arena_new((size_t)64 << 20);
    f->cancel = cancel_new();
    open_sink(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    sink_close(f->sink);
    assert_int_equal(file_remove_tree(f->dir, &err), 0);
    arena_free(f->arena);
    cancel_free(f->cancel);
    free(f);
    return 0;
}

/* ---- reading back
 * ---------------------------------------------------------------------- */

struct grid {
    struct buf text;  /* cells by '|', rows by '\n' */
    struct buf types; /* by '|' */
};

static int grid_columns(void *ctx, const struct read_column *columns, size_t count,
                        struct error *err)
{
    struct grid *g = ctx;
    (void)err;
    for (size_t i = 0; i < count; i++)
        buf_printf(&g->types, "%s" STR_FMT, i == 0 ? "" : "|", STR_ARG(columns[i].type));
    return 0;
}

static int grid_row(void *ctx, const struct str *cells, size_t count, struct error *err)
{
    struct grid *g = ctx;
    (void)err;
    if (g->text.len > 0)
        buf_add_char(&g->text, '\n');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(&g->text, '|');
        buf_add_str(&g->text, cells[i].ptr == NULL ? STR("NULL") : cells[i]);
    }
    return 0;
}

static int try_read(struct fixture *f, const char *sql, struct grid *g,
                    const struct read_limits *limits, struct read_result *out,
                    struct error *err)
{
    struct read_handler handler = { grid_columns, grid_row, g };
    buf_init(&g->text, (size_t)1 << 20);
    buf_init(&g->types, (size_t)1 << 20);
    return duckdb_read(f->sink, str_of(sql), limits, &handler, NULL, out, err);
}

static void grid_done(struct grid *g)
{
    buf_done(&g->text);
    buf_done(&g->types);
}

static void expect(struct fixture *f, const char *sql, const char *want)
{
    struct grid g;
    struct error err = { 0 };
    struct read_limits limits = { 0 };
    struct read_result result;
    if (try_read(f, sql, &g, &limits, &result, &err) != 0)
        fail_msg("%s: %s", sql, err.text);
    assert_string_equal(buf_text(&g.text), want);
    grid_done(&g);
}

static void expect_refused(struct fixture *f, const char *sql, const char *words)
{
    struct grid g;
    struct error err = { 0 };
    struct read_limits limits = { 0 };
    struct read_result result;
    if (try_read(f, sql, &g, &limits, &result, &err) == 0)
        fail_msg("%s was answered: %s", sql, buf_text(&g.text));
    if (strstr(err.text, words) == NULL)
        fail_msg("%s: '%s' does not say '%s'", sql, err.text, words);
    grid_done(&g);
}

/* ---- writing epochs
 * -------------------------------------------------------------------- */

struct test_stream {
    const char *table;
    uint64_t version;
    unsigned actions;
    bool keyless;
    const struct table_schema *shape;
    const struct value *rows; /* row_count times column_count cells */
    size_t row_count;
    const struct table_schema
        *next_shape; /* a second segment at a wider shape, or NULL */
    const struct value *next_rows;
    size_t next_row_count;
    size_t rejects;
    bool damaged_shape; /* shape text that no reader takes */
};

static const char *epoch_dir(const struct fixture *f, uint64_t number)
{
    return arena_printf(f->arena, "%s/full/%010llu.epoch", f->dir,
                        (unsigned long long)number)
        .ptr;
}

static void add_rows(struct fixture *f, struct epoch_writer *w, int stream,
                     const struct table_schema *shape, const struct value *rows,
                     size_t count)
{
    struct encode_policy policy = { 0 };
    struct encode_plan *plan = encode_plan_new(shape, &policy);
    struct block *b = block_new((uint32_t)stream, shape, (size_t)1 << 24);
    struct buf json;
    struct error err = { 0 };
    struct row_meta meta = { .op = OP_SNAPSHOT, .sequence = 42, .at = 1700000000123000 };
    (void)f;
    buf_init(&json, (size_t)1 << 20);
    avro_schema_write(shape, AVRO_CHANGE, &json);
    epoch_shape(w, stream, shape->version, buf_str(&json));
    for (size_t i = 0; i < count; i++) {
        struct encode_fault fault = { 0 };
        if (encode_row(plan, b, &meta, rows + i * shape->column_count, &fault) !=
            ENCODE_OK)
            fail_msg("row %zu column %u: %s", i, fault.column, fault.reason);
    }
    if (count > 0 && epoch_add_block(w, stream, b, &err) != 0)
        fail_msg("%s", err.text);
    block_free(b);
    encode_plan_free(plan);
    buf_done(&json);
}

static void add_stream(struct fixture *f, struct epoch_writer *w,
                       const struct test_stream *t)
{
    struct error err = { 0 };
    struct manifest_stream st = {
        .database = STR("shop"),
        .table = str_of(t->table),
        .target = str_of(t->table),
        .version = t->version,
        .sequence = 42,
        .keyless = t->keyless,
    };
    int i = epoch_stream(w, &st);
    if (t->shape != NULL)
        add_rows(f, w, i, t->shape, t->rows, t->row_count);
    if (t->next_shape != NULL)
        add_rows(f, w, i, t->next_shape, t->next_rows, t->next_row_count);
    if (t->damaged_shape)
        epoch_shape(w, i, 9, STR("{\"type\":\"record\"}"));
    for (size_t k = 0; k < t->rejects; k++) {
        struct reject r = { .table = STR("shop.t"),
                            .column = STR("c"),
                            .reason = STR("because"),
                            .record = STR("{\"id\": 1}"),
                            .sequence = 42,
                            .at = 5 };
        assert_int_equal(epoch_add_reject(w, i, &r, &err), 0);
    }
    epoch_set_action(w, i, t->actions);
    epoch_set_progress(w, i, STR("half way"), 1700000000000000, 1700000005000000);
}

static void write_epoch(struct fixture *f, uint64_t number, const struct test_stream *all,
                        size_t count)
{
    struct error err = { 0 };
    struct epoch_header header = { str_of(f->id), STR("shop"), STR("shop_copy"),
                                   STR("full") };
    struct epoch_options options = { CODEC_NULL, 1 << 16 };
    const char *lane = arena_printf(f->arena, "%s/full", f->dir).ptr;
    assert_int_equal(file_make_dirs(lane, 0700, &err), 0);
    struct epoch_writer *w = epoch_begin(lane, number, &header, &options, &err);
    if (w == NULL)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < count; i++)
        add_stream(f, w, &all[i]);
    if (epoch_seal(w, STR("from"), STR("to"), 1000 + (int64_t)number, &err) != 0)
        fail_msg("%s", err.text);
}

static struct load_outcome load(struct fixture *f, uint64_t number)
{
    struct load_outcome out = { 0 };
    struct error err = { 0 };
    if (sink_load_epoch(f->sink, f->arena, epoch_dir(f, number), NULL, &out, &err) != 0)
        fail_msg("%s", err.text);
    return out;
}

static struct error load_fails(struct fixture *f, uint64_t number, const bool *excluded,
                               struct load_outcome *out)
{
    struct error err = { 0 };
    assert_int_equal(
        sink_load_epoch(f->sink, f->arena, epoch_dir(f, number), excluded, out, &err),
        -1);
    return err;
}

/* ---- shapes and rows
 * ------------------------------------------------------------------- */

#define COLUMN(n, t, ...)                                                        \
    {                                                                            \
        .name = STR(n), .avro_name = STR(n), .source_type = STR(n), .type = (t), \
        .nullable = true, .selected = true, __VA_ARGS__                          \
    }
#define KEY_COLUMN(n)                                                    \
    {                                                                    \
        .name = STR(n), .avro_name = STR(n), .source_type = STR("int"),  \
        .type = TYPE_INT, .bytes = 4, .key_ordinal = 1, .selected = true \
    }
#define INT(n) ((struct value){ .as.i = (n), .kind = VALUE_INT })
#define UINT(n) ((struct value){ .as.u = (n), .kind = VALUE_UINT })
#define BYTES(k, s) \
    ((struct value){ .as.bytes = (s), .len = sizeof(s) - 1, .kind = (uint8_t)(k) })
#define TEXT(s) BYTES(VALUE_TEXT, s)
#define MOMENT(k, n) ((struct value){ .as.i = (n), .kind = (uint8_t)(k) })
#define NIL ((struct value){ .kind = VALUE_NULL })

static const struct column two_columns[] = {
    KEY_COLUMN("id"),
    COLUMN("flag", TYPE_BOOL, .bytes = 1),
};
static const struct column two_promoted[] = {
    KEY_COLUMN("id"),
    COLUMN("flag", TYPE_INT, .bytes = 1),
    COLUMN("extra", TYPE_TEXT, .length = 10),
};
static const struct table_schema two = { .database = { "shop", 4 },
                                         .name = { "t", 1 },
                                         .version = 1,
                                         .column_count = 2,
                                         .key_count = 1,
                                         .columns = two_columns };
static const struct table_schema promoted = { .database = { "shop", 4 },
                                              .name = { "t", 1 },
                                              .version = 2,
                                              .column_count = 3,
                                              .key_count = 1,
                                              .columns = two_promoted };

static const struct value rows_a[] = { { .as.i = 1, .kind = VALUE_INT },
                                       { .as.i = 1, .kind = VALUE_INT },
                                       { .as.i = 2, .kind = VALUE_INT },
                                       { .kind = VALUE_NULL } };
static const struct value rows_b[] = {
    { .as.i = 3, .kind = VALUE_INT },
    { .as.i = 7, .kind = VALUE_INT },
    { .as.bytes = "new", .len = 3, .kind = VALUE_TEXT }
};

#define BEGIN_JOIN (ACTION_BEGIN | ACTION_JOIN)

/* ---- the tests
 * ------------------------------------------------------------------------- */

static void a_copy_is_hidden_until_it_joins(void **state)
{
    struct fixture *f = *state;
    struct test_stream first = {
        "t", 1, ACTION_BEGIN, .shape = &two, .rows = rows_a, .row_count = 2
    };
    struct test_stream second = {
        "t", 1, ACTION_JOIN, .shape = &two, .rows = rows_a, .row_count = 2
    };
    write_epoch(f, 1, &first, 1);
    write_epoch(f, 2, &second, 1);
    struct load_outcome out = load(f, 1);
    assert_int_equal(out.streams[0].applied, 2);
    expect(f,
           "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'shop_copy' AND "
           "table_name = 't'",
           "0");
    expect(f, "SELECT count(*) FROM shop_copy._tailrace_copy_1_t", "2");
    expect(f, "SELECT state, copy_version, copy_progress FROM _tailrace.stream",
           "copying|1|half way");
    reopen_sink(f);
    out = load(f, 2);
    assert_int_equal(out.failed_stream, -1);
    expect(f, "SELECT id, flag FROM shop_copy.t ORDER BY ALL",
           "1|true\n1|true\n2|NULL\n2|NULL");
    expect(f,
           "SELECT state, live_version, copy_version, joined_epoch, rows, "
           "epoch_us(last_read_at) FROM _tailrace.stream",
           "live|1|NULL|2|4|1700000005000000");
    expect(f, "SELECT lane, epoch, position, sequence FROM _tailrace.mark",
           "full|2|to|1002");
    expect(f, "SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE '%copy%'", "0");
}

static void system_columns_say_when_and_which(void **state)
{
    struct fixture *f = *state;
    struct test_stream t = { "t",           77, BEGIN_JOIN, .shape = &two, .rows = rows_a,
                             .row_count = 1 };
    write_epoch(f, 1, &t, 1);
    (void)load(f, 1);
    expect(f,
           "SELECT epoch_us(_sdc_extracted_at), _sdc_received_at <= _sdc_batched_at, "
           "_sdc_sequence, _sdc_table_version, _sdc_deleted_at FROM shop_copy.t",
           "1700000000123000|true|42|77|NULL");
    expect(f,
           "SELECT string_agg(column_name, ' ' ORDER BY column_index) FROM "
           "duckdb_columns() WHERE table_name = 't'",
           "id flag _sdc_extracted_at _sdc_received_at _sdc_batched_at _sdc_sequence "
           "_sdc_table_version _sdc_deleted_at");
}

static void i7_loading_twice_is_loading_once(void **state)
{
    struct fixture *f = *state;
    struct test_stream t = {
        "t", 1, BEGIN_JOIN, .shape = &two, .rows = rows_a, .row_count = 2, .rejects = 3
    };
    write_epoch(f, 1, &t, 1);
    struct load_outcome out = load(f, 1);
    assert_false(out.already_loaded);
    assert_int_equal(out.streams[0].rejected, 3);
    reopen_sink(f);
    out = load(f, 1);
    assert_true(out.already_loaded);
    expect(f, "SELECT count(*) FROM shop_copy.t", "2");
    expect(f,
           "SELECT DISTINCT _sdc_table, _sdc_column, _sdc_reason, "
           "_sdc_record->>'id', count(*) OVER () FROM shop_copy._sdc_rejected",
           "shop.t|c|because|1|3");
}

static void i5_an_epoch_out_of_order_is_refused(void **state)
{
    struct fixture *f = *state;
    struct load_outcome out = { 0 };
    struct test_stream t = { "t", 1, BEGIN_JOIN, .shape = &two };
    write_epoch(f, 2, &t, 1);
    struct error err = load_fails(f, 2, NULL, &out);
    assert_int_equal(err.code, ERR_POSITION);
    assert_int_equal(out.failed_stream, -1);
}

static void another_destination_is_refused(void **state)
{
    struct fixture *f = *state;
    struct load_outcome out = { 0 };
    struct test_stream t = { "t", 1, BEGIN_JOIN, .shape = &two };
    (void)snprintf(f->id, sizeof(f->id), "somebody-else");
    write_epoch(f, 1, &t, 1);
    struct error err = load_fails(f, 1, NULL, &out);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(err.hint);
}

static void a_promoted_boolean_widens_the_table(void **state)
{
    struct fixture *f = *state;
    struct test_stream one = {
        "t", 1, ACTION_BEGIN, .shape = &two, .rows = rows_a, .row_count = 2
    };
    struct test_stream both = { "t",
                                1,
                                ACTION_JOIN,
                                .shape = &two,
                                .rows = rows_a,
                                .row_count = 2,
                                .next_shape = &promoted,
                                .next_rows = rows_b,
                                .next_row_count = 1 };
    write_epoch(f, 1, &one, 1);
    write_epoch(f, 2, &both, 1);
    (void)load(f, 1);
    (void)load(f, 2);
    expect(f, "SELECT id, flag, extra, _sdc_sequence FROM shop_copy.t ORDER BY ALL",
           "1|1|NULL|42\n1|1|NULL|42\n2|NULL|NULL|42\n2|NULL|NULL|42\n3|7|new|42");
    expect(f,
           "SELECT data_type FROM duckdb_columns() WHERE table_name = 't' AND "
           "column_name = 'flag'",
           "TINYINT");
}

static void a_second_version_replaces_the_first_whole(void **state)
{
    struct fixture *f = *state;
    struct test_stream one = {
        "t", 1, BEGIN_JOIN, .shape = &two, .rows = rows_a, .row_count = 2
    };
    struct test_stream next = {
        "t", 2, ACTION_BEGIN, .shape = &promoted, .rows = rows_b, .row_count = 1
    };
    struct test_stream end = { .table = "t", .version = 2, .actions = ACTION_JOIN };
    write_epoch(f, 1, &one, 1);
    write_epoch(f, 2, &next, 1);
    write_epoch(f, 3, &end, 1);
    (void)load(f, 1);
    (void)load(f, 2);
    expect(f, "SELECT id FROM shop_copy.t ORDER BY 1", "1\n2");
    expect(f, "SELECT state, live_version, copy_version FROM _tailrace.stream",
           "copying|1|2");
    (void)load(f, 3);
    expect(f, "SELECT id, extra, _sdc_table_version FROM shop_copy.t", "3|new|2");
}

static void an_abandoned_copy_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct test_stream one = {
        "t", 1, BEGIN_JOIN, .shape = &two, .rows = rows_a, .row_count = 2
    };
    struct test_stream next = {
        "t", 2, ACTION_BEGIN, .shape = &two, .rows = rows_a, .row_count = 1
    };
    struct test_stream end = { .table = "t", .version = 2, .actions = ACTION_ABANDON };
    write_epoch(f, 1, &one, 1);
    write_epoch(f, 2, &next, 1);
    write_epoch(f, 3, &end, 1);
    for (uint64_t i = 1; i <= 3; i++)
        (void)load(f, i);
    expect(f, "SELECT count(*) FROM shop_copy.t", "2");
    expect(f,
           "SELECT string_agg(table_name) FROM duckdb_tables() WHERE schema_name = "
           "'shop_copy'",
           "t");
    expect(f, "SELECT state, live_version, copy_version FROM _tailrace.stream",
           "live|1|NULL");
}

static void reset_forgets_the_copy_and_keeps_the_table(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct load_outcome out = { 0 };
    struct reset_request r = { .integration = STR("shop"),
                               .target_schema = STR("shop_copy") };
    struct test_stream all[] = {
        { "t", 1, BEGIN_JOIN, .shape = &two, .rows = rows_a, .row_count = 2 },
        { "u", 1, ACTION_BEGIN, .shape = &two, .rows = rows_a, .row_count = 2 },
    };
    struct test_stream late = { "u", 1, ACTION_JOIN, .shape = &two };
    write_epoch(f, 1, all, 2);
    write_epoch(f, 2, &late, 1);
    (void)load(f, 1);
    assert_int_equal(sink_reset(f->sink, &r, &err), 0);
    expect(f,
           "SELECT string_agg(table_name) FROM duckdb_tables() WHERE schema_name = "
           "'shop_copy'",
           "t");
    expect(f, "SELECT source_table, state FROM _tailrace.stream ORDER BY 1",
           "t|live\nu|none");
    err = load_fails(f, 2, NULL, &out);
    assert_int_equal(err.code, ERR_SCHEMA);
    assert_int_equal(out.failed_stream, 0);
}

static void a_failing_stream_is_named_and_can_be_left_out(void **state)
{
    struct fixture *f = *state;
    struct load_outcome out = { 0 };
    struct error err = { 0 };
    struct test_stream all[] = {
        { "good", 1, BEGIN_JOIN, .shape = &two, .rows = rows_a, .row_count = 2 },
        { "bad", 1, ACTION_BEGIN, .shape = &two, .rows = rows_a, .row_count = 2,
          .damaged_shape = true },
    };
    struct test_stream later = { "bad",          1,
                                 ACTION_JOIN,    .shape = &two,
                                 .rows = rows_a, .row_count = 2 };
    struct test_stream again = { "bad",          2,
                                 BEGIN_JOIN,     .shape = &two,
                                 .rows = rows_a, .row_count = 1 };
    bool excluded[] = { false, true };
    write_epoch(f, 1, all, 2);
    write_epoch(f, 2, &later, 1);
    write_epoch(f, 3, &again, 1);
    err = load_fails(f, 1, NULL, &out);
    assert_int_equal(out.failed_stream, 1);
    assert_non_null(strstr(err.text, "shop.bad"));
    expect(f, "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'shop_copy'",
           "0");
    assert_int_equal(
        sink_load_epoch(f->sink, f->arena, epoch_dir(f, 1), excluded, &out, &err), 0);
    expect(f, "SELECT count(*) FROM shop_copy.good", "2");
    expect(f,
           "SELECT state, copy_version FROM _tailrace.stream WHERE source_table = "
           "'bad'",
           "failed|1");
    /* what still comes of the failed version is left out, the next version heals it */
    out = load(f, 2);
    assert_int_equal(out.streams[0].applied, 0);
    (void)load(f, 3);
    expect(f, "SELECT id FROM shop_copy.bad", "1");
    expect(f, "SELECT state FROM _tailrace.stream WHERE source_table = 'bad'", "live");
}

static void somebody_elses_table_is_not_replaced(void **state)
{
    struct fixture *f = *state;
    struct load_outcome out = { 0 };
    struct test_stream seed = { "x", 1, BEGIN_JOIN, .shape = &two };
    struct test_stream t = { "_sdc_rejected", 1, BEGIN_JOIN, .shape = &two };
    seed.rejects = 1; /* makes _sdc_rejected, which no stream owns */
    write_epoch(f, 1, &seed, 1);
    write_epoch(f, 2, &t, 1);
    (void)load(f, 1);
    struct error err = load_fails(f, 2, NULL, &out);
    assert_int_equal(err.code, ERR_SCHEMA);
    assert_int_equal(out.failed_stream, 0);
    assert_non_null(strstr(err.text, "was not made for this table"));
}

static void equal_rows_of_a_keyless_table_get_keys_of_their_own(void **state)
{
    struct fixture *f = *state;
    static const struct column columns[] = { COLUMN("n", TYPE_INT, .bytes = 4) };
    static const struct table_schema keyless = { .version = 1,
                                                 .column_count = 1,
                                                 .columns = columns };
    const struct value rows[] = { INT(5), INT(6), INT(5), INT(5) };
    struct test_stream a = {
        "k",           1, ACTION_BEGIN, .keyless = true, .shape = &keyless, .rows = rows,
        .row_count = 3
    };
    struct test_stream b = { "k",
                             1,
                             ACTION_JOIN,
                             .keyless = true,
                             .shape = &keyless,
                             .rows = rows + 3,
                             .row_count = 1 };
    uint8_t key[CONTRACT_KEY_BYTES], nth[CONTRACT_KEY_BYTES];
    char want[3 * (CONTRACT_KEY_TEXT + 1)];
    /* ["null","int"] 5: branch 1 is 2, five is 10 (zigzag) */
    contract_row_key(STR("\x02\x0a"), key);
    contract_key_text(key, want);
    want[CONTRACT_KEY_TEXT] = '\n';
    for (uint64_t n = 2; n <= 3; n++) {
        char *at = want + (n - 1) * (CONTRACT_KEY_TEXT + 1);
        contract_row_key_nth(key, n, nth);
        contract_key_text(nth, at);
        at[CONTRACT_KEY_TEXT] = n == 3 ? '\0' : '\n';
    }
    (void)f;
    write_epoch(f, 1, &a, 1);
    write_epoch(f, 2, &b, 1);
    (void)load(f, 1);
    (void)load(f, 2);
    expect(f, "SELECT __sdc_primary_key FROM shop_copy.k WHERE n = 5 ORDER BY rowid",
           want);
    expect(f, "SELECT count(DISTINCT __sdc_primary_key) FROM shop_copy.k", "4");
}

/* ---- every type
 * ------------------------------------------------------------------------ */

static const struct str enum_labels[] = { { "red", 3 }, { "blue", 4 } };

static const struct column all_columns[] = {
    KEY_COLUMN("id"),
    COLUMN("b", TYPE_BOOL, .bytes = 1),
    COLUMN("i1", TYPE_INT, .bytes = 1),
    COLUMN("u1", TYPE_INT, .bytes = 1, .is_unsigned = true),
    COLUMN("i2", TYPE_INT, .bytes = 2),
    COLUMN("u3", TYPE_INT, .bytes = 3, .is_unsigned = true),
    COLUMN("u4", TYPE_LONG, .bytes = 4, .is_unsigned = true),
    COLUMN("i8", TYPE_LONG, .bytes = 8),
    COLUMN("u8", TYPE_UBIGINT, .bytes = 8, .is_unsigned = true),
    COLUMN("d4", TYPE_DECIMAL, .precision = 4, .scale = 2),
    COLUMN("d9", TYPE_DECIMAL, .precision = 9, .scale = 0),
    COLUMN("d18", TYPE_DECIMAL, .precision = 18, .scale = 6),
    COLUMN("d38", TYPE_DECIMAL, .precision = 38, .scale = 10),
    COLUMN("d65", TYPE_DECIMAL, .precision = 65, .scale = 30),
    COLUMN("f4", TYPE_FLOAT),
    COLUMN("f8", TYPE_DOUBLE),
    COLUMN("bit17", TYPE_BIT, .length = 17),
    COLUMN("bit64", TYPE_BIT64, .length = 64),
    COLUMN("txt", TYPE_TEXT, .length = 255),
    COLUMN("raw", TYPE_BYTES, .length = 255),
    COLUMN("dt", TYPE_DATE),
    COLUMN("dtm", TYPE_DATETIME, .fraction = 6),
    COLUMN("ts", TYPE_TIMESTAMP, .fraction = 6),
    COLUMN("tm", TYPE_TIME, .fraction = 6),
    COLUMN("y", TYPE_YEAR),
    COLUMN("e", TYPE_ENUM, .labels = enum_labels, .label_count = 2),
    COLUMN("s", TYPE_SET, .labels = enum_labels, .label_count = 2),
    COLUMN("j", TYPE_JSON),
    COLUMN("g", TYPE_GEOMETRY),
    COLUMN("v", TYPE_VECTOR, .length = 3),
    COLUMN("vf", TYPE_VECTOR, .length = 3, .fixed_length = true),
    COLUMN("uu", TYPE_UUID),
    COLUMN("i4", TYPE_INET4),
    COLUMN("i6", TYPE_INET6),
};

#define ALL_COUNT (sizeof(all_columns) / sizeof(all_columns[0]))

static const float floats[] = { 1.5F, -2.0F, 0.25F };

static void fill_row(struct value *row, bool low)
{
    const struct value high_row[ALL_COUNT] = {
        INT(1),
        INT(1),
        INT(127),
        INT(255),
        INT(32767),
        INT(16777215),
        INT(4294967295),
        INT(INT64_MAX),
        UINT(UINT64_MAX),
        BYTES(VALUE_DECIMAL, "99.99"),
        BYTES(VALUE_DECIMAL, "999999999"),
        BYTES(VALUE_DECIMAL, "999999999999.999999"),
        BYTES(VALUE_DECIMAL, "9999999999999999999999999999.9999999999"),
        BYTES(VALUE_DECIMAL, "99999999999999999999999999999999999."
                             "999999999999999999999999999999"),
        { .as.f = 3.4028235e38F, .kind = VALUE_FLOAT },
        { .as.d = 1.7976931348623157e308, .kind = VALUE_DOUBLE },
        UINT(131071),
        UINT(UINT64_MAX),
        TEXT("Gr\xc3\xbc\xc3\x9f \xf0\x9f\x9a\x80 a long one"),
        BYTES(VALUE_BYTES, "\x00\xff\x41"),
        MOMENT(VALUE_DATE, 2932896),
        MOMENT(VALUE_DATETIME, 253402300799999999),
        MOMENT(VALUE_TIMESTAMP, 4294967295999999),
        MOMENT(VALUE_TIME, 3020399999999),
        INT(2155),
        TEXT("blue"),
        TEXT("red,blue"),
        BYTES(VALUE_JSON, "{\"a\": [1, 2.50]}"),
        BYTES(VALUE_BYTES, "\x01\x01"),
        { .as.bytes = (const char *)floats, .len = sizeof(floats), .kind = VALUE_BYTES },
        { .as.bytes = (const char *)floats, .len = sizeof(floats), .kind = VALUE_BYTES },
        TEXT("ffffffff-ffff-4fff-bfff-fffffffffffe"),
        TEXT("255.1.2.3"),
        TEXT("::1"),
    };
    const struct value low_row[ALL_COUNT] = {
        INT(2),
        INT(0),
        INT(-128),
        INT(0),
        INT(-32768),
        INT(0),
        INT(0),
        INT(INT64_MIN),
        UINT(0),
        BYTES(VALUE_DECIMAL, "-99.99"),
        BYTES(VALUE_DECIMAL, "-1"),
        BYTES(VALUE_DECIMAL, "-0.000001"),
        BYTES(VALUE_DECIMAL, "-9999999999999999999999999999.9999999999"),
        BYTES(VALUE_DECIMAL, "-0.000000000000000000000000000001"),
        { .as.f = -1.5F, .kind = VALUE_FLOAT },
        { .as.d = -0.1, .kind = VALUE_DOUBLE },
        UINT(0),
        UINT(0),
        TEXT(""),
        BYTES(VALUE_BYTES, ""),
        MOMENT(VALUE_DATE, -719528),
        MOMENT(VALUE_DATETIME, -62167219200000000),
        MOMENT(VALUE_TIMESTAMP, 1),
        MOMENT(VALUE_TIME, -3020399999999),
        INT(0),
        TEXT(""),
        TEXT(""),
        BYTES(VALUE_JSON, "null"),
        BYTES(VALUE_BYTES, "\x01"),
        { .as.bytes = (const char *)floats, .len = sizeof(floats), .kind = VALUE_BYTES },
        { .as.bytes = (const char *)floats, .len = sizeof(floats), .kind = VALUE_BYTES },
        TEXT("00000000-0000-0000-0000-000000000001"),
        TEXT("0.0.0.0"),
        TEXT("::"),
    };
    memcpy(row, low ? low_row : high_row, sizeof(high_row));
}

static void every_type_arrives_exactly(void **state)
{
    struct fixture *f = *state;
    static const struct table_schema all = {
        .version = 1, .column_count = ALL_COUNT, .key_count = 1, .columns = all_columns
    };
    struct value rows[3 * ALL_COUNT];
    fill_row(rows, false);
    fill_row(rows + ALL_COUNT, true);
    for (size_t i = 0; i < ALL_COUNT; i++)
        rows[2 * ALL_COUNT + i] = i == 0 ? INT(3) : NIL;
    struct test_stream t = { "t",           1, BEGIN_JOIN, .shape = &all, .rows = rows,
                             .row_count = 3 };
    write_epoch(f, 1, &t, 1);
    (void)load(f, 1);
    expect(f, "SELECT COLUMNS(c -> c NOT LIKE '%sdc%') FROM shop_copy.t WHERE id = 1",
           "1|true|127|255|32767|16777215|4294967295|9223372036854775807|"
           "18446744073709551615|99.99|999999999|999999999999.999999|"
           "9999999999999999999999999999.9999999999|"
           "99999999999999999999999999999999999.999999999999999999999999999999|"
           "3.4028235e+38|1.7976931348623157e+308|131071|18446744073709551615|"
           "Gr\xc3\xbc\xc3\x9f \xf0\x9f\x9a\x80 a long one|\\x00\\xFFA|9999-12-31|"
           "9999-12-31 23:59:59.999999|2106-02-07 06:28:15.999999+00|838:59:59.999999|"
           "2155|blue|red,blue|{\"a\": [1, 2.50]}|\\x01\\x01|[1.5, -2.0, 0.25]|[1.5, "
           "-2.0, 0.25]|"
           "ffffffff-ffff-4fff-bfff-fffffffffffe|255.1.2.3|::1");
    expect(f, "SELECT COLUMNS(c -> c NOT LIKE '%sdc%') FROM shop_copy.t WHERE id = 2",
           "2|false|-128|0|-32768|0|0|-9223372036854775808|0|-99.99|-1|-0.000001|"
           "-9999999999999999999999999999.9999999999|"
           "-0.000000000000000000000000000001|-1.5|-0.1|0|0|||0001-01-01 (BC)|"
           "0001-01-01 (BC) 00:00:00|1970-01-01 00:00:00.000001+00|-838:59:59.999999|"
           "0|||null|\\x01|[1.5, -2.0, 0.25]|[1.5, -2.0, "
           "0.25]|00000000-0000-0000-0000-000000000001|"
           "0.0.0.0|::");
    expect(f,
           "SELECT count(*) FROM (UNPIVOT (SELECT COLUMNS(c -> c NOT LIKE '%sdc%')::"
           "VARCHAR FROM shop_copy.t WHERE id = 3) ON COLUMNS(*))",
           "1");
    expect(f,
           "SELECT string_agg(data_type, ' ' ORDER BY column_index) FROM "
           "duckdb_columns() WHERE table_name = 't' AND column_name NOT LIKE '%sdc%'",
           "INTEGER BOOLEAN TINYINT UTINYINT SMALLINT UINTEGER UINTEGER BIGINT UBIGINT "
           "DECIMAL(4,2) DECIMAL(9,0) DECIMAL(18,6) DECIMAL(38,10) VARCHAR FLOAT DOUBLE "
           "UBIGINT UBIGINT VARCHAR BLOB DATE TIMESTAMP TIMESTAMP WITH TIME ZONE "
           "INTERVAL SMALLINT VARCHAR VARCHAR JSON BLOB FLOAT[] FLOAT[3] UUID VARCHAR "
           "VARCHAR");
}

static void many_rows_cross_chunks_and_segments(void **state)
{
    struct fixture *f = *state;
    enum { ROWS = 10000 };
    struct value *rows = calloc(ROWS * 2, sizeof(*rows));
    for (int i = 0; i < ROWS; i++) {
        rows[2 * i] = INT(i);
        rows[2 * i + 1] = i % 3 == 0 ? NIL : INT(i % 2);
    }
    struct test_stream t = { "t",          1,
                             BEGIN_JOIN,   .shape = &two,
                             .rows = rows, .row_count = ROWS };
    write_epoch(f, 1, &t, 1);
    (void)load(f, 1);
    expect(f,
           "SELECT count(*), sum(id), count(flag), count(*) FILTER (flag = (id % 2 = 1)) "
           "FROM shop_copy.t",
           "10000|49995000|6666|6666");
    free(rows);
}

/* ---- no room
 * --------------------------------------------------------------------------- */

static const struct column wide_columns[] = {
    KEY_COLUMN("id"),
    COLUMN("raw", TYPE_BYTES, .length = 2000),
};
static const struct table_schema wide = {
    .version = 1, .column_count = 2, .key_count = 1, .columns = wide_columns
};

/* Rows of 2,000 bytes that no compression makes smaller; cells point into *bytes. */
static struct value *random_rows(size_t count, char **bytes)
{
    struct value *rows = calloc(count * 2, sizeof(*rows));
    uint64_t x = 88172645463325252;
    *bytes = malloc(count * 2000);
    for (size_t i = 0; i < count * 2000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        (*bytes)[i] = (char)(x >> 24);
    }
    for (size_t i = 0; i < count; i++) {
        rows[2 * i] = INT((int64_t)i);
        rows[2 * i + 1] = (struct value){ .as.bytes = *bytes + i * 2000,
                                          .len = 2000,
                                          .kind = VALUE_BYTES };
    }
    return rows;
}

/* The file may not grow: the epoch fails as a whole, says so, and loads once there is
 * room. */
static void a_full_disk_stops_the_epoch_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct rlimit before, small;
    struct load_outcome out = { 0 };
    char *bytes = NULL;
    struct value *rows = random_rows(4000, &bytes);
    struct test_stream seed = {
        "s", 1, BEGIN_JOIN, .shape = &two, .rows = rows_a, .row_count = 2
    };
    struct test_stream t = { "t",          1,
                             BEGIN_JOIN,   .shape = &wide,
                             .rows = rows, .row_count = 4000 };
    write_epoch(f, 1, &seed, 1);
    write_epoch(f, 2, &t, 1);
    (void)load(f, 1);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){ .rlim_cur = 2 << 20, .rlim_max = before.rlim_max };
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct error err = load_fails(f, 2, NULL, &out);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    if (err.code != ERR_IO || err.hint == NULL || out.failed_stream != -1)
        fail_msg("code %d: %s", (int)err.code, err.text);
    reopen_sink(f);
    expect(f, "SELECT count(*) FROM shop_copy.s", "2");
    (void)load(f, 2);
    expect(f, "SELECT count(*), min(octet_length(raw)) FROM shop_copy.t", "4000|2000");
    free(rows);
    free(bytes);
}

/* ---- kill at each step
 * ----------------------------------------------------------------- */

#ifdef TAILRACE_FAULT_POINTS
/* The child ends by SIGKILL at the point; then the epoch loads or is known as loaded. */
static void kill_at(struct fixture *f, const char *point, bool loaded)
{
    struct test_stream one = {
        "t", 1, BEGIN_JOIN, .shape = &two, .rows = rows_a, .row_count = 2
    };
    struct test_stream next = {
        "t", 2, BEGIN_JOIN, .shape = &promoted, .rows = rows_b, .row_count = 1
    };
    int status = 0;
    write_epoch(f, 1, &one, 1);
    write_epoch(f, 2, &next, 1);
    (void)load(f, 1);
    sink_close(f->sink);
    pid_t child = fork();
    if (child == 0) {
        (void)setenv("TAILRACE_FAULT", point, 1);
        open_sink(f);
        (void)load(f, 2);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    open_sink(f);
    expect(f, "SELECT id FROM shop_copy.t ORDER BY 1", loaded ? "3" : "1\n2");
    struct load_outcome out = load(f, 2);
    assert_int_equal(out.already_loaded, loaded);
    expect(f, "SELECT id, flag, extra FROM shop_copy.t", "3|7|new");
    expect(f, "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'shop_copy'",
           "1");
}

static void i10_killed_after_begin_loads_again(void **state)
{
    kill_at(*state, "sink.begun", false);
}

static void i10_killed_after_swap_loads_again(void **state)
{
    kill_at(*state, "sink.swapped", false);
}

static void i10_killed_before_commit_loads_again(void **state)
{
    kill_at(*state, "sink.before_commit", false);
}

static void i10_killed_after_commit_is_loaded(void **state)
{
    kill_at(*state, "sink.committed", true);
}
#endif

/* ---- reading
 * --------------------------------------------------------------------------- */

static void answers_statements_that_read(void **state)
{
    struct fixture *f = *state;
    struct test_stream t = { "t",           1, BEGIN_JOIN, .shape = &two, .rows = rows_a,
                             .row_count = 2 };
    write_epoch(f, 1, &t, 1);
    (void)load(f, 1);
    expect(f, "SELECT 1 AS a, 2.50 AS a, 'x' -- the end\n ; ", "1|2.50|x");
    expect(f, "FROM shop_copy.t SELECT id ORDER BY id DESC", "2\n1");
    expect(f, "WITH x AS (SELECT 7 AS n) SELECT n FROM x", "7");
    expect(f, "VALUES (1), (2)", "1\n2");
    expect(f, "SELECT [1,2], {'a': 1}, DATE '2024-02-29', INTERVAL 1 DAY, '10'::BIT",
           "[1, 2]|{'a': 1}|2024-02-29|1 day|10");
    expect(f, "SELECT name FROM (SHOW TABLES FROM shop_copy)", "t");
    expect(f, "SELECT column_name FROM (DESCRIBE shop_copy.t) LIMIT 1", "id");
    expect(f, "SELECT count(*) FROM (SUMMARIZE shop_copy.t)", "8");
    struct grid g;
    struct error err = { 0 };
    struct read_limits limits = { 0 };
    struct read_result result;
    const char *const others[] = { "SHOW TABLES",
                                   "DESCRIBE shop_copy.t",
                                   "SUMMARIZE shop_copy.t",
                                   "EXPLAIN SELECT 1",
                                   "explain analyze select count(*) from shop_copy.t",
                                   "SHOW ALL TABLES",
                                   "SHOW DATABASES" };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (try_read(f, others[i], &g, &limits, &result, &err) != 0)
            fail_msg("%s: %s", others[i], err.text);
        grid_done(&g);
    }
    assert_int_equal(
        try_read(f, "SELECT 1::DECIMAL(10,2), [1]", &g, &limits, &result, &err), 0);
    assert_string_equal(buf_text(&g.types), "DECIMAL(10,2)|INTEGER[]");
    grid_done(&g);
}

struct watcher {
    struct fixture *f;
    atomic_bool stop;
    unsigned reads, wrong;
    char why[300];
};

/* Version n of the table holds n rows, all of that version. */
static void *watch_table(void *arg)
{
    struct watcher *w = arg;
    while (!atomic_load(&w->stop) && w->wrong == 0) {
        struct grid g;
        struct error err = { 0 };
        struct read_limits limits = { 0 };
        struct read_result result;
        int rc = try_read(w->f,
                          "SELECT count(*) = min(_sdc_table_version) AND "
                          "min(_sdc_table_version) = max(_sdc_table_version) FROM "
                          "shop_copy.t",
                          &g, &limits, &result, &err);
        w->reads++;
        if (rc != 0 || strcmp(buf_text(&g.text), "true") != 0) {
            w->wrong++;
            (void)snprintf(w->why, sizeof(w->why), "%s %s", buf_text(&g.text), err.text);
        }
        grid_done(&g);
    }
    return NULL;
}

static void readers_never_see_a_half_replaced_table(void **state)
{
    struct fixture *f = *state;
    enum { VERSIONS = 25 };
    struct value rows[2 * VERSIONS];
    struct watcher w = { .f = f };
    pthread_t thread;
    for (int i = 0; i < VERSIONS; i++) {
        rows[2 * i] = INT(i);
        rows[2 * i + 1] = NIL;
    }
    for (uint64_t n = 1; n <= VERSIONS; n++) {
        struct test_stream t = { "t",          n,
                                 BEGIN_JOIN,   .shape = &two,
                                 .rows = rows, .row_count = n };
        write_epoch(f, n, &t, 1);
    }
    (void)load(f, 1);
    assert_int_equal(pthread_create(&thread, NULL, watch_table, &w), 0);
    for (uint64_t n = 2; n <= VERSIONS; n++)
        (void)load(f, n);
    atomic_store(&w.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    if (w.wrong != 0)
        fail_msg("read %u: %s", w.reads, w.why);
    assert_true(w.reads > 1);
    expect(f, "SELECT count(*) FROM shop_copy.t", "25");
}

static void refuses_statements_that_do_more(void **state)
{
    struct fixture *f = *state;
    static const char *const statements[] = {
        "CREATE TABLE x(a INT)",
        "INSERT INTO _tailrace.meta VALUES ('a','b')",
        "DELETE FROM _tailrace.mark",
        "UPDATE _tailrace.meta SET value = ''",
        "DROP TABLE _tailrace.mark",
        "ALTER TABLE _tailrace.mark ADD COLUMN x INT",
        "SET memory_limit = '10GB'",
        "RESET memory_limit",
        "CHECKPOINT",
        "VACUUM",
        "BEGIN",
        "COMMIT",
        "USE memory",
        "LOAD httpfs",
        "INSTALL httpfs",
        "ATTACH '/tmp/x.duckdb'",
        "DETACH dest",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "COPY _tailrace.meta FROM '/etc/passwd'",
        "EXPORT DATABASE '/tmp/x'",
        "IMPORT DATABASE '/tmp/x'",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "CALL pragma_version()",
        "PRAGMA version",
        "PRAGMA enable_profiling",
        "CREATE SECRET (TYPE s3)",
        "EXPLAIN ANALYZE DELETE FROM _tailrace.mark",
        "EXPLAIN ANALYZE INSERT INTO _tailrace.meta VALUES ('a','b')",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE _tailrace.mark",
        "SELECT ?",
        "",
        ";",
        "  -- nothing\n",
        "SELEC 1",
        "SELECT * FROM nowhere",
        "SELECT 1) AS q; DROP TABLE _tailrace.mark; SELECT * FROM (SELECT 1",
        "ANALYZE",
        "CREATE TEMP TABLE x(a INT)",
        "COMMENT ON TABLE _tailrace.mark IS 'x'",
    };
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
        expect_refused(f, statements[i], "");
    expect(f, "SELECT count(*) FROM _tailrace.meta", "2");
}

static void refuses_functions_that_reach_files(void **state)
{
    struct fixture *f = *state;
    static const char *const calls[] = {
        "read_csv('/etc/passwd')",
        "read_csv_auto('/etc/passwd')",
        "read_text('/etc/passwd')",
        "read_blob('/etc/passwd')",
        "read_json('/etc/passwd')",
        "read_json_auto('/etc/passwd')",
        "read_ndjson('/etc/passwd')",
        "read_json_objects('/etc/passwd')",
        "read_ndjson_objects('/etc/passwd')",
        "read_parquet('/etc/passwd')",
        "parquet_scan('/etc/passwd')",
        "parquet_metadata('/etc/passwd')",
        "parquet_schema('/etc/passwd')",
        "parquet_file_metadata('/etc/passwd')",
        "parquet_kv_metadata('/etc/passwd')",
        "parquet_bloom_probe('/etc/passwd','a',1)",
        "glob('/etc/*')",
        "sniff_csv('/etc/passwd')",
        "read_duckdb('/etc/passwd')",
        "query('SELECT 1')",
        "query_table('meta')",
        "json_execute_serialized_sql('{}')",
        "READ_TEXT ('/etc/passwd')",
        "\"read_text\"('/etc/passwd')",
        "read_text /* x */ ('/etc/passwd')",
        "main.read_text('/etc/passwd')",
        "force_checkpoint()",
        "duckdb_secrets()",
    };
    char sql[256];
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        (void)snprintf(sql, sizeof(sql), "SELECT * FROM %s", calls[i]);
        expect_refused(f, sql, "this function is refused");
    }
    /* without a function's name only the configuration stands in the way */
    expect_refused(f, "SELECT * FROM '/etc/passwd'", "");
    expect_refused(f, "SELECT * FROM '/etc/passwd.csv'", "");
    expect_refused(f, "SELECT * FROM '/etc/passwd.parquet'", "");
    expect_refused(f, "SELECT * FROM 'https://localhost/x.csv'", "");
    (void)snprintf(sql, sizeof(sql), "SELECT * FROM '%s'", file_of(f));
    expect_refused(f, sql, "");
}

static void ends_at_its_limits(void **state)
{
    struct fixture *f = *state;
    struct grid g;
    struct error err = { 0 };
    struct read_result result;
    struct read_limits rows = { .rows = 10 }, brief = { .time_us = 300000 };
    assert_int_equal(try_read(f, "FROM range(100)", &g, &rows, &result, &err), 0);
    assert_int_equal(result.rows, 10);
    assert_true(result.truncated);
    grid_done(&g);
    assert_int_equal(try_read(f, "FROM range(10)", &g, &rows, &result, &err), 0);
    assert_false(result.truncated);
    grid_done(&g);
    assert_int_equal(try_read(f,
                              "SELECT count(*) FROM range(100000000) a, range(1000000)",
                              &g, &brief, &result, &err),
                     -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_non_null(strstr(err.text, "longer than 300 ms"));
    grid_done(&g);
    expect(f, "SELECT 1", "1"); /* and the database goes on */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_copy_is_hidden_until_it_joins),
        TEST(system_columns_say_when_and_which),
        TEST(i7_loading_twice_is_loading_once),
        TEST(i5_an_epoch_out_of_order_is_refused),
        TEST(another_destination_is_refused),
        TEST(a_promoted_boolean_widens_the_table),
        TEST(a_second_version_replaces_the_first_whole),
        TEST(an_abandoned_copy_leaves_nothing),
        TEST(reset_forgets_the_copy_and_keeps_the_table),
        TEST(a_failing_stream_is_named_and_can_be_left_out),
        TEST(somebody_elses_table_is_not_replaced),
        TEST(equal_rows_of_a_keyless_table_get_keys_of_their_own),
        TEST(every_type_arrives_exactly),
        TEST(many_rows_cross_chunks_and_segments),
        TEST(a_full_disk_stops_the_epoch_and_loses_nothing),
#ifdef TAILRACE_FAULT_POINTS
        TEST(i10_killed_after_begin_loads_again),
        TEST(i10_killed_after_swap_loads_again),
        TEST(i10_killed_before_commit_loads_again),
        TEST(i10_killed_after_commit_is_loaded),
#endif
        TEST(answers_statements_that_read),
        TEST(readers_never_see_a_half_replaced_table),
        TEST(refuses_statements_that_do_more),
        TEST(refuses_functions_that_reach_files),
        TEST(ends_at_its_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
