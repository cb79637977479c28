#include "base/alloc.h"
#include "spool/manifest.h"
#include "spool/manifest_internal.h"
#include "support/test.h"

static struct manifest sample(void)
{
    static struct manifest_stream streams[4];
    static struct manifest_shape shapes[2];
    static struct manifest_segment segments[3];
    static struct manifest_file files[2];
    streams[0] = (struct manifest_stream){
        .database = STR("shop \"1\""),
        .table = STR("\xc3\xb6rders"),
        .target = STR("shop__orders"),
        .version = UINT64_MAX,
        .sequence = INT64_MIN,
        .actions = ACTION_BEGIN | ACTION_JOIN,
        .keyless = true,
        .progress = STR("page 1 ab\0cd"),
        .counts = { 17, 12, 3, 2, 9, 4096 },
        .first_read_at = -1,
        .last_read_at = INT64_MAX,
    };
    static const struct str kept[] = { STR("note"), STR("\xc3\xb6_2") };
    streams[0].kept = kept;
    streams[0].kept_count = 2;
    streams[1] = (struct manifest_stream){ .actions = ACTION_ABANDON,
                                           .version = 1,
                                           .join = JOIN_SWEEP,
                                           .live_version = 1,
                                           .bookmark = STR("key1;\"\xc3\xb6") };
    streams[2] = (struct manifest_stream){
        .version = 2,
        .join = JOIN_LOG,
        .changes = true,
        .held = true,
        .append = true,
        .deletes = DELETE_REMOVE,
        .sequence = 17,
        .actions = ACTION_HOLD | ACTION_TRUNCATE | ACTION_JOIN | ACTION_PARK,
        .cut = INT64_MAX,
        .truncated_at = INT64_MIN,
        .reason = STR("a column \"\xc3\xb6\" came"),
    };
    streams[3] = (struct manifest_stream){ .version = 3,
                                           .join = JOIN_LOG,
                                           .actions = ACTION_BEGIN | ACTION_COPIED };
    shapes[0] = (struct manifest_shape){ 0, 3, STR("{\"type\":\"record\"}") };
    shapes[1] = (struct manifest_shape){ 1, UINT32_MAX, STR("{}") };
    segments[0] = (struct manifest_segment){ SEGMENT_ROWS, 0, 3, 1, 0, 10, 5 };
    segments[1] = (struct manifest_segment){ SEGMENT_ROWS, 0, 3, 0, 90, 10, 7 };
    segments[2] = (struct manifest_segment){ SEGMENT_REJECTS, 0, 0, 1, 10, 20, 2 };
    files[0] = (struct manifest_file){ STR("00000.avro"), 100, UINT64_MAX };
    files[1] = (struct manifest_file){ STR("bundle"), 30, 1 };
    return (struct manifest){
        .destination_id = STR("d-1"),
        .integration = STR("shop"),
        .target_schema = STR("shop$"),
        .lane = STR("full"),
        .number = 42,
        .from = STR("a\nb"),
        .to = STR("c"),
        .sequence_base = 1700000000000000000,
        .captured_at = 1700000000000000,
        .streams = streams,
        .stream_count = 4,
        .shapes = shapes,
        .shape_count = 2,
        .segments = segments,
        .segment_count = 3,
        .files = files,
        .file_count = 2,
    };
}

static void expect_streams(const struct manifest *a, const struct manifest *b)
{
    assert_int_equal(a->stream_count, b->stream_count);
    for (size_t i = 0; i < a->stream_count; i++) {
        const struct manifest_stream *x = &a->streams[i];
        const struct manifest_stream *y = &b->streams[i];
        assert_true(str_eq(x->database, y->database) && str_eq(x->table, y->table));
        assert_int_equal(x->kept_count, y->kept_count);
        for (size_t k = 0; k < x->kept_count; k++)
            assert_true(str_eq(x->kept[k], y->kept[k]));
        assert_true(str_eq(x->target, y->target) && str_eq(x->progress, y->progress));
        assert_true(x->version == y->version && x->sequence == y->sequence);
        assert_true(x->actions == y->actions && x->keyless == y->keyless);
        assert_true(x->join == y->join && x->live_version == y->live_version);
        assert_true(str_eq(x->bookmark, y->bookmark));
        assert_true(x->changes == y->changes && x->held == y->held);
        assert_true(x->append == y->append && x->deletes == y->deletes);
        assert_int_equal(x->rows_of, y->rows_of);
        assert_true(x->cut == y->cut && x->truncated_at == y->truncated_at);
        assert_true(str_eq(x->reason, y->reason));
        assert_true(x->first_read_at == y->first_read_at &&
                    x->last_read_at == y->last_read_at);
        assert_memory_equal(&x->counts, &y->counts, sizeof(x->counts));
    }
}

static void expect_same(const struct manifest *a, const struct manifest *b)
{
    assert_true(str_eq(a->destination_id, b->destination_id));
    assert_true(str_eq(a->integration, b->integration));
    assert_true(str_eq(a->target_schema, b->target_schema));
    assert_true(str_eq(a->lane, b->lane));
    assert_true(str_eq(a->from, b->from) && str_eq(a->to, b->to));
    assert_true(a->number == b->number && a->sequence_base == b->sequence_base);
    assert_true(a->captured_at == b->captured_at);
    expect_streams(a, b);
    assert_int_equal(a->shape_count, b->shape_count);
    for (size_t i = 0; i < a->shape_count; i++) {
        assert_int_equal(a->shapes[i].stream, b->shapes[i].stream);
        assert_int_equal(a->shapes[i].version, b->shapes[i].version);
        assert_true(str_eq(a->shapes[i].schema_json, b->shapes[i].schema_json));
    }
    assert_int_equal(a->segment_count, b->segment_count);
    for (size_t i = 0; i < a->segment_count; i++) {
        const struct manifest_segment *x = &a->segments[i];
        const struct manifest_segment *y = &b->segments[i];
        assert_true(x->kind == y->kind && x->stream == y->stream && x->shape == y->shape);
        assert_true(x->file == y->file && x->offset == y->offset);
        assert_true(x->bytes == y->bytes && x->rows == y->rows);
    }
    assert_int_equal(a->file_count, b->file_count);
    for (size_t i = 0; i < a->file_count; i++) {
        assert_true(str_eq(a->files[i].name, b->files[i].name));
        assert_true(a->files[i].bytes == b->files[i].bytes &&
                    a->files[i].hash == b->files[i].hash);
    }
}

static int read_it(struct str text, struct manifest *out, struct error *err)
{
    static struct arena *a;
    arena_free(a);
    a = arena_new(1 << 20);
    *err = (struct error){ 0 };
    int rc = manifest_read(a, text, out, err);
    if (rc != 0 && err->code == ERR_NONE)
        fail_msg("no error is set");
    return rc;
}

static void every_field_comes_back(void **state)
{
    (void)state;
    struct manifest m = sample();
    struct manifest got;
    struct error err;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 1 << 20);
    manifest_write(&m, &text);
    if (read_it(buf_str(&text), &got, &err) != 0)
        fail_msg("%s", err.text);
    expect_same(&m, &got);
}

static void an_empty_manifest_comes_back(void **state)
{
    (void)state;
    struct manifest m = { .number = 1 };
    struct manifest got;
    struct error err;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 1 << 20);
    manifest_write(&m, &text);
    assert_int_equal(read_it(buf_str(&text), &got, &err), 0);
    expect_same(&m, &got);
}

static void is_refused_at_each_truncation(void **state)
{
    (void)state;
    struct manifest m = sample();
    struct manifest got;
    struct error err;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 1 << 20);
    manifest_write(&m, &text);
    for (size_t n = 0; n < text.len; n++) {
        assert_int_equal(read_it((struct str){ text.data, n }, &got, &err), -1);
        assert_int_equal(err.code, ERR_PROTOCOL);
        assert_non_null(strstr(err.text, "damaged"));
    }
}

static void is_refused_with_any_byte_changed(void **state)
{
    (void)state;
    struct manifest m = sample();
    struct manifest got;
    struct error err;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 1 << 20);
    manifest_write(&m, &text);
    for (size_t i = 0; i < text.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            text.data[i] = (char)(text.data[i] ^ (1 << bit));
            assert_int_equal(read_it(buf_str(&text), &got, &err), -1);
            assert_int_equal(err.code, ERR_PROTOCOL);
            text.data[i] = (char)(text.data[i] ^ (1 << bit));
        }
    }
}

static void a_newer_format_is_refused_by_name(void **state)
{
    (void)state;
    struct manifest got;
    struct error err;
    struct str text = STR("{\"format\": 2, \"all\": \"new\"}");
    assert_int_equal(read_it(text, &got, &err), -1);
    assert_int_equal(err.code, ERR_PROTOCOL);
    assert_string_equal(err.text,
                        "the manifest has format 2, this program reads up to 1");
    assert_non_null(err.hint);
}

/* A manifest whose hash is right and whose content is wrong in one place. */
static void expect_refused(const struct manifest *m, const char *part)
{
    struct manifest got;
    struct error err;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 1 << 20);
    manifest_write(m, &text);
    if (read_it(buf_str(&text), &got, &err) == 0)
        fail_msg("accepted; '%s' was expected", part);
    assert_int_equal(err.code, ERR_PROTOCOL);
    if (strstr(err.text, part) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, part);
}

static void indices_and_places_are_checked(void **state)
{
    (void)state;
    struct manifest m = sample();
    m.segments[1].stream = 4;
    expect_refused(&m, "'stream' of segments[1]");
    m = sample();
    m.segments[1].shape = 4;
    expect_refused(&m, "'shape' of segments[1]");
    m = sample();
    m.segments[0].file = 2;
    expect_refused(&m, "'file' of segments[0]");
    m = sample();
    m.segments[2].bytes = 21;
    expect_refused(&m, "'bytes' of segments[2]");
    m = sample();
    m.segments[2].offset = UINT64_MAX - 5;
    expect_refused(&m, "'offset' of segments[2]");
    m = sample();
    m.shapes[1].stream = 4;
    expect_refused(&m, "'stream' of shapes[1]");
    m = sample();
    m.number = 0;
    expect_refused(&m, "'number'");
    m = sample();
    m.streams[0].actions = ACTION_COPIED << 1;
    expect_refused(&m, "'actions' of streams[0]");
}

static void changes_and_their_actions_are_together(void **state)
{
    (void)state;
    static const unsigned of_changes[] = { ACTION_HOLD, ACTION_TRUNCATE, ACTION_PARK,
                                           ACTION_GONE };
    struct manifest m = sample();
    for (size_t i = 0; i < 4; i++) {
        m.streams[0].actions = of_changes[i];
        expect_refused(&m, "'actions' of streams[0]");
        m = sample();
        m.streams[3].actions = of_changes[i];
        expect_refused(&m, "'actions' of streams[3]");
        m = sample();
    }
    m.streams[0].actions = ACTION_COPIED;
    expect_refused(&m, "'actions' of streams[0]");
    m = sample();
    m.streams[3].actions = ACTION_JOIN; /* a copy that the log follows joins elsewhere */
    expect_refused(&m, "'actions' of streams[3]");
    m = sample();
    m.streams[2].actions = ACTION_BEGIN;
    expect_refused(&m, "'actions' of streams[2]");
    m.streams[2].actions = ACTION_PARK | ACTION_GONE;
    expect_refused(&m, "'actions' of streams[2]");
    m = sample();
    m.streams[2].join = JOIN_ADD;
    expect_refused(&m, "'join' of streams[2]");
    m = sample();
    m.streams[2].held = false;
    expect_refused(&m, "'held' of streams[2]");
    m = sample();
    m.streams[2].deletes = (enum delete_way)(DELETE_REMOVE + 1);
    expect_refused(&m, "'deletes' of streams[2]");
}

/* sample() whose last stream takes the rows of the one before it. */
static struct manifest shared(void)
{
    struct manifest m = sample();
    m.streams[3] = m.streams[2];
    m.streams[3].version = m.streams[3].live_version = 1;
    m.streams[3].held = false;
    m.streams[3].actions = ACTION_TRUNCATE;
    m.streams[3].rows_of = 3;
    return m;
}

static void rows_are_shared_by_two_versions_of_a_table(void **state)
{
    (void)state;
    struct manifest m = shared(), got = { 0 };
    struct error err = { 0 };
    CLEANUP(arena_free_at) struct arena *a = arena_new(1 << 20);
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 1 << 20);
    manifest_write(&m, &text);
    assert_int_equal(manifest_read(a, buf_str(&text), &got, &err), 0);
    expect_streams(&m, &got);
    m.streams[3].rows_of = 4; /* itself */
    expect_refused(&m, "'rows_of' of streams[3]");
    m.streams[3].rows_of = 1; /* no changes */
    expect_refused(&m, "'rows_of' of streams[3]");
    m = shared();
    m.streams[3].version = 2;
    expect_refused(&m, "'rows_of' of streams[3]");
    m = shared();
    m.streams[3].held = true;
    expect_refused(&m, "'rows_of' of streams[3]");
    m = shared();
    m.streams[3].table = STR("another");
    expect_refused(&m, "'rows_of' of streams[3]");
    m = shared();
    m.streams[3].keyless = true;
    expect_refused(&m, "'rows_of' of streams[3]");
    m = shared();
    m.streams[3].counts.read = m.streams[3].counts.filtered = 1;
    expect_refused(&m, "'rows_of' of streams[3]");
}

static void a_join_names_the_live_version_it_changes(void **state)
{
    (void)state;
    static const enum join_kind changing[] = { JOIN_MERGE, JOIN_NEW, JOIN_SWEEP };
    for (size_t i = 0; i < 3; i++) {
        struct manifest m = sample();
        m.streams[1].join = changing[i];
        m.streams[1].live_version = 2;
        expect_refused(&m, "'live_version' of streams[1]");
        m.streams[1].live_version = m.streams[1].version = 0;
        expect_refused(&m, "'live_version' of streams[1]");
    }
    struct manifest m = sample();
    m.streams[1].join = (enum join_kind)(JOIN_LOG + 1);
    expect_refused(&m, "'join' of streams[1]");
}

/* These need nothing of a live version, and keep what they say of one. */
static void other_joins_may_name_any_live_version(void **state)
{
    (void)state;
    for (enum join_kind join = JOIN_REPLACE; join <= JOIN_ADD; join++) {
        for (uint64_t live = 0; live < 3; live++) {
            struct manifest m = sample();
            struct manifest got;
            struct error err;
            CLEANUP(buf_done) struct buf text;
            buf_init(&text, 1 << 20);
            m.streams[1].join = join;
            m.streams[1].live_version = live;
            manifest_write(&m, &text);
            assert_int_equal(read_it(buf_str(&text), &got, &err), 0);
            expect_same(&m, &got);
        }
    }
}

static void names_of_files_stay_in_the_folder(void **state)
{
    (void)state;
    static const struct str names[] = {
        { "", 0 },          { "..", 2 }, { ".", 1 },
        { "../bundle", 9 }, { "/a", 2 }, { "a/b", 3 },
        { "a\0b", 3 },      { ".x", 2 }, { MANIFEST_FILE, sizeof(MANIFEST_FILE) - 1 },
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct manifest m = sample();
        m.files[1].name = names[i];
        expect_refused(&m, "'name' of files[1]");
    }
}

static void i11_counts_that_do_not_add_up_are_refused(void **state)
{
    (void)state;
    struct manifest m = sample();
    m.streams[0].counts.read++;
    expect_refused(&m, "'counts' of streams[0]");
    m = sample();
    m.streams[0].counts.read--;
    expect_refused(&m, "'counts' of streams[0]");
    m = sample();
    m.segments[0].rows++;
    expect_refused(&m, "'rows' of segments[1]");
    m = sample();
    m.segments[0].rows--;
    expect_refused(&m, "'counts' of streams[0]");
    m = sample();
    m.segments[2].rows = 1;
    expect_refused(&m, "'counts' of streams[0]");
}

static void a_small_arena_is_an_error(void **state)
{
    (void)state;
    struct manifest m = sample();
    struct manifest got;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 1 << 20);
    manifest_write(&m, &text);
    for (size_t limit = 0; limit < 512; limit += 16) {
        CLEANUP(arena_free_at) struct arena *a = arena_new(limit);
        struct error err = { 0 };
        assert_int_equal(manifest_read(a, buf_str(&text), &got, &err), -1);
        assert_int_equal(err.code, ERR_LIMIT);
    }
}

static void members_of_another_kind_are_refused(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{\"format\": 1",     "{\"format\": 1, \"destination_id\": 7",
        "{\"format\": \"1\"", "{\"format\": 1, \"streams\": {}",
        "{\"format\": -1",    "{\"nothing\": 1",
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct manifest got;
        struct error err;
        CLEANUP(buf_done) struct buf text;
        buf_init(&text, 1 << 20);
        buf_add_text(&text, bodies[i]);
        manifest_close(&text);
        assert_int_equal(read_it(buf_str(&text), &got, &err), -1);
        assert_int_equal(err.code, ERR_PROTOCOL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_comes_back),
        cmocka_unit_test(an_empty_manifest_comes_back),
        cmocka_unit_test(is_refused_at_each_truncation),
        cmocka_unit_test(is_refused_with_any_byte_changed),
        cmocka_unit_test(a_newer_format_is_refused_by_name),
        cmocka_unit_test(indices_and_places_are_checked),
        cmocka_unit_test(changes_and_their_actions_are_together),
        cmocka_unit_test(rows_are_shared_by_two_versions_of_a_table),
        cmocka_unit_test(a_join_names_the_live_version_it_changes),
        cmocka_unit_test(other_joins_may_name_any_live_version),
        cmocka_unit_test(names_of_files_stay_in_the_folder),
        cmocka_unit_test(i11_counts_that_do_not_add_up_are_refused),
        cmocka_unit_test(a_small_arena_is_an_error),
        cmocka_unit_test(members_of_another_kind_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
