#include "contract/sink_fixture.h"

#include "avro/encode.h"
#include "avro/schema.h"
#include "base/file.h"
#include "sink/duckdb_internal.h"
#include "spool/epoch.h"

/* ---- one destination under test --------------------------------------------------- */

const char *fixture_file(const struct fixture *f)
{
    const char *file = f->file == NULL ? "dest.duckdb" : f->file;
    return arena_printf(f->arena, "%s/%s", f->dir, file).ptr;
}

void fixture_open(struct fixture *f)
{
    struct error err = { 0 };
    const struct sink_ops *ops = sink_find(STR("duckdb"));
    struct str options[] = { STR("threads=1"), STR("memory_limit=256MB") };
    struct mark_list marks = { 0 };
    assert_non_null(ops);
    f->sink = ops->open(str_of(fixture_file(f)), options, 2, f->cancel, &err);
    if (f->sink == NULL)
        fail_msg("%s", err.text);
    assert_int_equal(sink_marks(f->sink, f->arena, STR(""), &marks, &err), 0);
    (void)snprintf(f->id, sizeof(f->id), STR_FMT, STR_ARG(marks.destination_id));
}

void fixture_reopen(struct fixture *f)
{
    sink_close(f->sink);
    fixture_open(f);
}

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/tailrace-sink-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->arena = arena_new((size_t)64 << 20);
    f->cancel = cancel_new();
    fixture_open(f);
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
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

/* ---- reading back ----------------------------------------------------------------- */

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

int fixture_read(struct fixture *f, const char *sql, struct grid *g,
                 const struct read_limits *limits, struct read_result *out,
                 struct error *err)
{
    struct read_handler handler = { grid_columns, grid_row, g };
    buf_init(&g->text, (size_t)1 << 20);
    buf_init(&g->types, (size_t)1 << 20);
    return duckdb_read(f->sink, str_of(sql), limits, &handler, NULL, out, err);
}

void grid_done(struct grid *g)
{
    buf_done(&g->text);
    buf_done(&g->types);
}

void fixture_expect(struct fixture *f, const char *sql, const char *want)
{
    struct grid g;
    struct error err = { 0 };
    struct read_limits limits = { 0 };
    struct read_result result;
    if (fixture_read(f, sql, &g, &limits, &result, &err) != 0)
        fail_msg("%s: %s", sql, err.text);
    assert_string_equal(buf_text(&g.text), want);
    grid_done(&g);
}

void fixture_expect_refused(struct fixture *f, const char *sql, const char *words)
{
    struct grid g;
    struct error err = { 0 };
    struct read_limits limits = { 0 };
    struct read_result result;
    if (fixture_read(f, sql, &g, &limits, &result, &err) == 0)
        fail_msg("%s was answered: %s", sql, buf_text(&g.text));
    if (strstr(err.text, words) == NULL)
        fail_msg("%s: '%s' does not say '%s'", sql, err.text, words);
    grid_done(&g);
}

/* ---- writing epochs --------------------------------------------------------------- */

const char *fixture_epoch_dir(const struct fixture *f, uint64_t number)
{
    return arena_printf(f->arena, "%s/full/%010llu.epoch", f->dir,
                        (unsigned long long)number)
        .ptr;
}

static void add_rows(const struct test_stream *t, struct epoch_writer *w, int stream,
                     const struct table_schema *shape, const struct value *rows,
                     size_t count)
{
    struct encode_policy policy = { 0 };
    struct encode_plan *plan = encode_plan_new(shape, &policy);
    struct block *b = block_new((uint32_t)stream, shape, (size_t)1 << 24);
    struct buf json;
    struct error err = { 0 };
    struct row_meta meta = { .op = OP_SNAPSHOT, .sequence = 42, .at = 1700000000123000 };
    buf_init(&json, (size_t)1 << 20);
    avro_schema_write(shape, AVRO_CHANGE, &json);
    epoch_shape(w, stream, shape->version, buf_str(&json));
    for (size_t i = 0; i < count; i++) {
        struct encode_fault fault = { 0 };
        if (join_changes_live(t->join))
            meta.sequence = t->sequence + (int64_t)(t->first_row + i);
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

static void add_stream(struct epoch_writer *w, const struct test_stream *t)
{
    struct error err = { 0 };
    char source[64];
    int64_t sequence = t->sequence == 0 ? 42 : t->sequence;
    (void)snprintf(source, sizeof source, "shop.%s", t->table);
    struct manifest_stream st = {
        .database = STR("shop"),
        .table = str_of(t->table),
        .target = str_of(t->table),
        .version = t->version,
        .sequence = sequence,
        .keyless = t->keyless,
        .kept = t->kept,
        .kept_count = t->kept_count,
        .join = t->join,
        .live_version = t->live_version,
        .bookmark = str_of(t->bookmark),
    };
    int i = epoch_stream(w, &st);
    if (t->shape != NULL)
        add_rows(t, w, i, t->shape, t->rows, t->row_count);
    if (t->next_shape != NULL)
        add_rows(t, w, i, t->next_shape, t->next_rows, t->next_row_count);
    if (t->damaged_shape)
        epoch_shape(w, i, 9, STR("{\"type\":\"record\"}"));
    for (size_t k = 0; k < t->rejects; k++) {
        struct reject r = { .table = str_of(source),
                            .column = STR("c"),
                            .reason = STR("because"),
                            .record = str_of(t->reject_record == NULL ? "{\"id\": 1}"
                                                                      : t->reject_record),
                            .sequence = sequence,
                            .at = 5 };
        assert_int_equal(epoch_add_reject(w, i, &r, &err), 0);
    }
    epoch_set_action(w, i, t->actions);
    epoch_set_progress(w, i, STR("half way"), 1700000000000000, 1700000005000000);
}

void fixture_write_epoch(struct fixture *f, uint64_t number,
                         const struct test_stream *all, size_t count)
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
        add_stream(w, &all[i]);
    if (epoch_seal(w, STR("from"), STR("to"), 1000 + (int64_t)number, &err) != 0)
        fail_msg("%s", err.text);
}

void fixture_run(struct fixture *f, const char *sql)
{
    struct error err = { 0 };
    if (sql_run(duckdb_of(f->sink), sql, &err) != 0)
        fail_msg("%s: %s", sql, err.text);
}

struct load_outcome fixture_load_one(struct fixture *f, uint64_t number,
                                     const struct test_stream *t)
{
    fixture_write_epoch(f, number, t, 1);
    return fixture_load(f, number);
}

void fixture_expect_counts(const struct load_outcome *o, uint64_t applied,
                           uint64_t superseded, uint64_t known)
{
    const struct load_stream *s = &o->streams[0];
    if (s->applied != applied || s->superseded != superseded || s->known != known)
        fail_msg("applied %llu superseded %llu known %llu, not %llu %llu %llu",
                 (unsigned long long)s->applied, (unsigned long long)s->superseded,
                 (unsigned long long)s->known, (unsigned long long)applied,
                 (unsigned long long)superseded, (unsigned long long)known);
}

struct load_outcome fixture_load(struct fixture *f, uint64_t number)
{
    struct load_outcome out = { 0 };
    struct error err = { 0 };
    if (sink_load_epoch(f->sink, f->arena, fixture_epoch_dir(f, number), NULL, &out,
                        &err) != 0)
        fail_msg("%s", err.text);
    return out;
}

struct error fixture_load_fails(struct fixture *f, uint64_t number, const bool *excluded,
                                struct load_outcome *out)
{
    struct error err = { 0 };
    assert_int_equal(sink_load_epoch(f->sink, f->arena, fixture_epoch_dir(f, number),
                                     excluded, out, &err),
                     -1);
    return err;
}

/* ---- shapes and rows -------------------------------------------------------------- */

static const struct column two_columns[] = {
    KEY_COLUMN("id"),
    COLUMN("flag", TYPE_BOOL, .bytes = 1),
};
static const struct column two_promoted[] = {
    KEY_COLUMN("id"),
    COLUMN("flag", TYPE_INT, .bytes = 1),
    COLUMN("extra", TYPE_TEXT, .length = 10),
};
const struct table_schema two = { .database = { "shop", 4 },
                                  .name = { "t", 1 },
                                  .version = 1,
                                  .column_count = 2,
                                  .key_count = 1,
                                  .columns = two_columns };
const struct table_schema promoted = { .database = { "shop", 4 },
                                       .name = { "t", 1 },
                                       .version = 2,
                                       .column_count = 3,
                                       .key_count = 1,
                                       .columns = two_promoted };

const struct value rows_a[4] = { { .as.i = 1, .kind = VALUE_INT },
                                 { .as.i = 1, .kind = VALUE_INT },
                                 { .as.i = 2, .kind = VALUE_INT },
                                 { .kind = VALUE_NULL } };
const struct value rows_b[3] = { { .as.i = 3, .kind = VALUE_INT },
                                 { .as.i = 7, .kind = VALUE_INT },
                                 { .as.bytes = "new", .len = 3, .kind = VALUE_TEXT } };
