/* Joins that add to a live table, merge into it, or sweep it: which rows, which values,
 * which counts. */
#include "contract/sink_fixture.h"

/* ---- shapes ----------------------------------------------------------------------- */

static const struct column kv_columns[] = {
    KEY_COLUMN("id"),
    COLUMN("n", TYPE_INT, .bytes = 4),
    COLUMN("t", TYPE_TEXT, .length = 20),
};
static const struct table_schema kv = {
    .version = 1, .column_count = 3, .key_count = 1, .columns = kv_columns
};
static const struct table_schema keys_only = {
    .version = 1, .column_count = 1, .key_count = 1, .columns = kv_columns
};
static const struct table_schema without_t = {
    .version = 1, .column_count = 2, .key_count = 1, .columns = kv_columns
};

#define ROWS(...)                  \
    .rows = (const struct value[]) \
    {                              \
        __VA_ARGS__                \
    }

/* A full copy that is live as version 1, and a read of changes of it. */
#define BASE(count, ...)                                                                 \
    {                                                                                    \
        "t", 1, BEGIN_JOIN, .shape = &kv, .row_count = (count), .bookmark = "key1;full", \
                            ROWS(__VA_ARGS__)                                            \
    }
#define READ(kind, at, count, ...)                                                \
    {                                                                             \
        "t", 1, BEGIN_JOIN, .join = (kind), .live_version = 1, .sequence = (at),  \
                            .shape = &kv, .row_count = (count), ROWS(__VA_ARGS__) \
    }

#define ALL_ROWS "SELECT id, n, t FROM shop_copy.t ORDER BY ALL"

#define THREE_ROWS \
    BASE(3, INT(1), INT(10), TEXT("a"), INT(2), INT(20), NIL, INT(3), INT(30), TEXT("c"))

/* ---- MERGE ------------------------------------------------------------------------ */

static void a_merge_inserts_replaces_and_knows(void **state)
{
    struct fixture *f = *state;
    struct test_stream base = THREE_ROWS;
    struct test_stream read = READ(JOIN_MERGE, 100, 3, INT(2), INT(20), NIL, INT(3),
                                   INT(31), TEXT("c"), INT(4), INT(40), TEXT("d"));
    read.bookmark = "key1;next";
    (void)fixture_load_one(f, 1, &base);
    struct load_outcome out = fixture_load_one(f, 2, &read);
    fixture_expect_counts(&out, 2, 0, 1);
    fixture_expect(f,
                   "SELECT id, n, t, _sdc_sequence, _sdc_table_version, _sdc_deleted_at "
                   "FROM shop_copy.t ORDER BY 1",
                   "1|10|a|42|1|NULL\n2|20|NULL|42|1|NULL\n3|31|c|101|1|NULL\n"
                   "4|40|d|102|1|NULL");
    fixture_expect(f,
                   "SELECT state, live_version, copy_version, bookmark, copy_bookmark, "
                   "copy_join, rows, joined_epoch FROM _tailrace.stream",
                   "live|1|NULL|key1;next||replace|4|2");
    fixture_expect(
        f, "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'shop_copy'", "1");
    out = fixture_load(f, 2); /* invariant 7 */
    assert_true(out.already_loaded);
    read.sequence = 200;
    out = fixture_load_one(f, 3, &read);
    fixture_expect_counts(&out, 0, 0, 3);
}

static void the_later_row_of_a_key_wins(void **state)
{
    struct fixture *f = *state;
    struct test_stream base = THREE_ROWS;
    struct test_stream first = READ(JOIN_MERGE, 100, 3, INT(1), INT(11), TEXT("a"),
                                    INT(5), INT(50), NIL, INT(1), INT(12), TEXT("a"));
    struct test_stream second =
        READ(JOIN_MERGE, 100, 2, INT(1), INT(10), TEXT("a"), INT(5), INT(51), NIL);
    first.actions = ACTION_BEGIN;
    second.actions = ACTION_JOIN;
    second.first_row = 3;
    (void)fixture_load_one(f, 1, &base);
    struct load_outcome out = fixture_load_one(f, 2, &first);
    fixture_expect_counts(&out, 0, 0, 0);
    out = fixture_load_one(f, 3, &second);
    fixture_expect_counts(&out, 1, 3, 1); /* row 1 is back at what it was */
    fixture_expect(f, ALL_ROWS, "1|10|a\n2|20|NULL\n3|30|c\n5|51|NULL");
}

static void rows_that_nobody_can_order_are_refused(void **state)
{
    struct fixture *f = *state;
    struct test_stream base = THREE_ROWS;
    struct test_stream first = READ(JOIN_MERGE, 100, 1, INT(1), INT(11), TEXT("a"));
    struct test_stream second = READ(JOIN_MERGE, 100, 1, INT(1), INT(12), TEXT("a"));
    struct load_outcome out = { 0 };
    first.actions = ACTION_BEGIN;
    second.actions = ACTION_JOIN;
    (void)fixture_load_one(f, 1, &base);
    (void)fixture_load_one(f, 2, &first);
    fixture_write_epoch(f, 3, &second, 1);
    struct error err = fixture_load_fails(f, 3, NULL, &out);
    assert_int_equal(out.failed_stream, 0);
    assert_non_null(strstr(err.text, "nobody knows which"));
}

/* ---- NEW -------------------------------------------------------------------------- */

static void new_keeps_every_version_once(void **state)
{
    struct fixture *f = *state;
    struct test_stream base = THREE_ROWS;
    struct test_stream read =
        READ(JOIN_NEW, 100, 7, INT(1), INT(10), TEXT("a"), INT(2), INT(21), NIL, INT(4),
             INT(40), NIL, INT(4), INT(41), NIL, INT(4), INT(41), NIL, INT(4), INT(40),
             NIL, INT(1), INT(10), TEXT("a"));
    struct test_stream again = READ(JOIN_NEW, 200, 3, INT(2), INT(21), NIL, INT(4),
                                    INT(40), NIL, INT(2), INT(20), NIL);
    (void)fixture_load_one(f, 1, &base);
    struct load_outcome out = fixture_load_one(f, 2, &read);
    fixture_expect_counts(&out, 4, 2, 1);
    fixture_expect(f,
                   "SELECT id, n, _sdc_sequence FROM shop_copy.t ORDER BY id, "
                   "_sdc_sequence",
                   "1|10|42\n2|20|42\n2|21|101\n3|30|42\n4|40|102\n4|41|103\n4|40|105");
    out = fixture_load_one(f, 3, &again);
    fixture_expect_counts(&out, 1, 0, 2); /* 2 is 20 once more: a version of its own */
    fixture_expect(f, "SELECT n, _sdc_sequence FROM shop_copy.t WHERE id = 2 ORDER BY 2",
                   "20|42\n21|101\n20|202");
    fixture_expect(f, "SELECT rows FROM _tailrace.stream", "8");
}

/* ---- SWEEP ------------------------------------------------------------------------ */

static void a_sweep_marks_what_the_source_has_no_more(void **state)
{
    struct fixture *f = *state;
    struct test_stream base = THREE_ROWS;
    struct test_stream sweep = { "t",
                                 1,
                                 BEGIN_JOIN,
                                 .join = JOIN_SWEEP,
                                 .live_version = 1,
                                 .sequence = 300,
                                 .shape = &keys_only,
                                 ROWS(INT(2), INT(9)),
                                 .row_count = 2 };
    struct test_stream back =
        READ(JOIN_MERGE, 400, 2, INT(1), INT(10), TEXT("a"), INT(2), INT(20), NIL);
    (void)fixture_load_one(f, 1, &base);
    struct load_outcome out = fixture_load_one(f, 2, &sweep);
    fixture_expect_counts(&out, 2, 0, 0);
    fixture_expect(f,
                   "SELECT id, n, t, _sdc_deleted_at IS NULL, _sdc_sequence FROM "
                   "shop_copy.t ORDER BY 1",
                   "1|10|a|false|300\n2|20|NULL|true|42\n3|30|c|false|300");
    fixture_expect(f,
                   "SELECT bookmark, rows, schema_json LIKE '%\"n\"%' FROM "
                   "_tailrace.stream",
                   "key1;full|1|true");
    sweep.sequence = 301;
    out = fixture_load_one(f, 3, &sweep);
    fixture_expect_counts(&out, 0, 0, 0);
    /* a row that comes back is not known, though it is the same */
    out = fixture_load_one(f, 4, &back);
    fixture_expect_counts(&out, 1, 0, 1);
    fixture_expect(f,
                   "SELECT id, _sdc_deleted_at IS NULL, _sdc_sequence FROM shop_copy.t "
                   "ORDER BY 1",
                   "1|true|400\n2|true|42\n3|false|300");
}

static void a_sweep_of_an_empty_source_marks_all(void **state)
{
    struct fixture *f = *state;
    struct test_stream base = THREE_ROWS;
    struct test_stream sweep = { "t",
                                 1,
                                 BEGIN_JOIN,
                                 .join = JOIN_SWEEP,
                                 .live_version = 1,
                                 .sequence = 300,
                                 .shape = &keys_only };
    struct test_stream back = READ(JOIN_NEW, 400, 1, INT(1), INT(10), TEXT("a"));
    (void)fixture_load_one(f, 1, &base);
    struct load_outcome out = fixture_load_one(f, 2, &sweep);
    fixture_expect_counts(&out, 3, 0, 0);
    fixture_expect(f, "SELECT rows FROM _tailrace.stream", "0");
    out = fixture_load_one(f, 3, &back);
    fixture_expect_counts(&out, 1, 0, 0);
    fixture_expect(
        f, "SELECT id FROM shop_copy.t WHERE _sdc_deleted_at IS NULL ORDER BY 1", "1");
}

/* ---- ADD -------------------------------------------------------------------------- */

static void added_copies_stand_behind_each_other(void **state)
{
    struct fixture *f = *state;
    struct test_stream first = { "t",           1,
                                 BEGIN_JOIN,    .join = JOIN_ADD,
                                 .shape = &two, .rows = rows_a,
                                 .row_count = 2 };
    struct test_stream next = { "t",
                                2,
                                BEGIN_JOIN,
                                .join = JOIN_ADD,
                                .live_version = 1,
                                .shape = &promoted,
                                .rows = rows_b,
                                .row_count = 1 };
    struct test_stream anew = { "t",           3,
                                BEGIN_JOIN,    .join = JOIN_ADD,
                                .shape = &two, .rows = rows_a,
                                .row_count = 1 };
    (void)fixture_load_one(f, 1, &first);
    struct load_outcome out = fixture_load_one(f, 2, &next);
    fixture_expect_counts(&out, 1, 0, 0);
    fixture_expect(f,
                   "SELECT id, flag, extra, _sdc_table_version FROM shop_copy.t ORDER BY "
                   "1",
                   "1|1|NULL|1\n2|NULL|NULL|1\n3|7|new|2");
    fixture_expect(f, "SELECT live_version, rows FROM _tailrace.stream", "2|3");
    (void)fixture_load_one(f, 3, &anew); /* to nothing: it replaces */
    fixture_expect(f, "SELECT id, _sdc_table_version FROM shop_copy.t", "1|3");
}

/* ---- shapes that change ----------------------------------------------------------- */

static void a_merge_widens_the_live_table(void **state)
{
    struct fixture *f = *state;
    struct test_stream first = {
        "t", 1, BEGIN_JOIN, .shape = &two, .rows = rows_a, .row_count = 2
    };
    struct test_stream grown = { "t",
                                 1,
                                 BEGIN_JOIN,
                                 .join = JOIN_MERGE,
                                 .live_version = 1,
                                 .sequence = 100,
                                 .shape = &promoted,
                                 ROWS(INT(2), INT(7), TEXT("x"), INT(1), INT(1), NIL),
                                 .row_count = 2 };
    struct test_stream narrow = { "t",
                                  1,
                                  BEGIN_JOIN,
                                  .join = JOIN_MERGE,
                                  .live_version = 1,
                                  .sequence = 200,
                                  .shape = &two,
                                  .rows = rows_a,
                                  .row_count = 2 };
    (void)fixture_load_one(f, 1, &first);
    struct load_outcome out = fixture_load_one(f, 2, &grown);
    fixture_expect_counts(&out, 1, 0, 1); /* true is 1; NULL in a column that is new */
    fixture_expect(f, "SELECT id, flag, extra FROM shop_copy.t ORDER BY 1",
                   "1|1|NULL\n2|7|x");
    /* a column that is read no more: NULL in replaced rows, and no reason to replace */
    out = fixture_load_one(f, 3, &narrow);
    fixture_expect_counts(&out, 1, 0, 1);
    fixture_expect(f, "SELECT id, flag, extra FROM shop_copy.t ORDER BY 1",
                   "1|1|NULL\n2|NULL|NULL");
}

static void columns_that_are_not_read_stay_in_known_rows(void **state)
{
    struct fixture *f = *state;
    struct test_stream base = THREE_ROWS;
    struct test_stream read =
        READ(JOIN_MERGE, 100, 3, INT(1), INT(10), INT(3), INT(31), INT(4), INT(40));
    struct test_stream later = READ(JOIN_NEW, 200, 1, INT(1), INT(11));
    read.shape = later.shape = &without_t;
    (void)fixture_load_one(f, 1, &base);
    struct load_outcome out = fixture_load_one(f, 2, &read);
    fixture_expect_counts(&out, 2, 0, 1);
    fixture_expect(f, ALL_ROWS, "1|10|a\n2|20|NULL\n3|31|NULL\n4|40|NULL");
    out = fixture_load_one(f, 3, &later);
    fixture_expect_counts(&out, 1, 0, 0);
    fixture_expect(f, ALL_ROWS, "1|10|a\n1|11|NULL\n2|20|NULL\n3|31|NULL\n4|40|NULL");
}

/* ---- keys ------------------------------------------------------------------------- */

static const struct column pair_columns[] = {
    COLUMN("Name \"x\"", TYPE_TEXT, .length = 20, .key_ordinal = 2),
    COLUMN("part", TYPE_BYTES, .length = 20, .key_ordinal = 1),
    COLUMN("rowid", TYPE_INT, .bytes = 4),
};
static const struct table_schema pair = {
    .version = 1, .column_count = 3, .key_count = 2, .columns = pair_columns
};

#define BLOB(s) BYTES(VALUE_BYTES, s)

/* Text and bytes are compared as they are stored, NULL (a view's declared key) is a
 * value. */
static void keys_are_equal_by_their_bytes(void **state)
{
    struct fixture *f = *state;
    const struct value live[] = {
        TEXT("a"), BLOB("x"),  INT(1), TEXT("A"), BLOB("x"), INT(2),
        TEXT("a"), BLOB("x "), INT(3), NIL,       BLOB("x"), INT(4),
    };
    const struct value changes[] = {
        TEXT("A"), BLOB("x"), INT(20),          NIL,       BLOB("x"), INT(40), TEXT("a "),
        BLOB("x"), INT(50),   TEXT("\xc3\xa4"), BLOB("x"), INT(60),
    };
    struct test_stream first = BASE(4, NIL);
    struct test_stream read = READ(JOIN_MERGE, 100, 4, NIL);
    struct test_stream fresh = READ(JOIN_NEW, 200, 4, NIL);
    first.shape = read.shape = fresh.shape = &pair;
    first.rows = live;
    read.rows = fresh.rows = changes;
    (void)fixture_load_one(f, 1, &first);
    struct load_outcome out = fixture_load_one(f, 2, &read);
    fixture_expect_counts(&out, 4, 0, 0);
    fixture_expect(
        f, "SELECT \"Name \"\"x\"\"\", part, \"rowid\" FROM shop_copy.t ORDER BY 3",
        "a|x|1\na|x |3\nA|x|20\nNULL|x|40\na |x|50\n\xc3\xa4|x|60");
    out = fixture_load_one(f, 3, &fresh);
    fixture_expect_counts(&out, 0, 0, 4);
}

static const struct column keyless_columns[] = {
    COLUMN("n", TYPE_INT, .bytes = 4),
    COLUMN("rowid", TYPE_INT, .bytes = 4),
};
static const struct table_schema keyless = { .version = 1,
                                             .column_count = 2,
                                             .columns = keyless_columns };

static void keyless_rows_are_known_by_content_and_number(void **state)
{
    struct fixture *f = *state;
    struct test_stream first = BASE(3, INT(5), INT(0), INT(6), INT(0), INT(5), INT(0));
    struct test_stream read = READ(JOIN_MERGE, 100, 4, INT(5), INT(0), INT(5), INT(0),
                                   INT(5), INT(0), INT(7), INT(0));
    first.shape = read.shape = &keyless;
    first.keyless = read.keyless = true;
    (void)fixture_load_one(f, 1, &first);
    struct load_outcome out = fixture_load_one(f, 2, &read);
    fixture_expect_counts(&out, 2, 0, 2);
    fixture_expect(f,
                   "SELECT n, count(*), count(DISTINCT __sdc_primary_key) FROM "
                   "shop_copy.t GROUP BY 1 ORDER BY 1",
                   "5|3|3\n6|1|1\n7|1|1");
}

/* ---- values ----------------------------------------------------------------------- */

static const struct column value_columns[] = {
    KEY_COLUMN("id"),
    COLUMN("f", TYPE_FLOAT),
    COLUMN("d", TYPE_DOUBLE),
    COLUMN("j", TYPE_JSON),
    COLUMN("b", TYPE_BYTES, .length = 20),
    COLUMN("tm", TYPE_TIME, .fraction = 6),
    COLUMN("dec", TYPE_DECIMAL, .precision = 20, .scale = 4),
    COLUMN("wide", TYPE_DECIMAL, .precision = 60, .scale = 4),
    COLUMN("v", TYPE_VECTOR, .length = 2),
    COLUMN("vf", TYPE_VECTOR, .length = 2, .fixed_length = true),
    COLUMN("txt", TYPE_TEXT, .length = 20),
    COLUMN("ts", TYPE_TIMESTAMP, .fraction = 6),
    COLUMN("uu", TYPE_UUID),
    COLUMN("bits", TYPE_BIT, .length = 17),
};
#define VALUE_COUNT (sizeof(value_columns) / sizeof(value_columns[0]))
static const struct table_schema values = {
    .version = 1, .column_count = VALUE_COUNT, .key_count = 1, .columns = value_columns
};

static const float list_a[] = { 0.0F, 1.0F }, list_b[] = { -0.0F, 1.0F };
#define LIST(l) \
    ((struct value){ .as.bytes = (const char *)(l), .len = 8, .kind = VALUE_BYTES })

static const struct value one_row[VALUE_COUNT] = {
    { .as.i = 1, .kind = VALUE_INT },
    { .as.f = 0.0F, .kind = VALUE_FLOAT },
    { .as.d = 0.0, .kind = VALUE_DOUBLE },
    { .as.bytes = "{\"a\": 1}", .len = 8, .kind = VALUE_JSON },
    { .as.bytes = "a\0b", .len = 3, .kind = VALUE_BYTES },
    { .as.i = 86400000000, .kind = VALUE_TIME },
    { .as.bytes = "1.5000", .len = 6, .kind = VALUE_DECIMAL },
    { .as.bytes = "1.5000", .len = 6, .kind = VALUE_DECIMAL },
    { .as.bytes = (const char *)list_a, .len = 8, .kind = VALUE_BYTES },
    { .as.bytes = (const char *)list_a, .len = 8, .kind = VALUE_BYTES },
    { .as.bytes = "a", .len = 1, .kind = VALUE_TEXT },
    { .as.i = 1700000000000000, .kind = VALUE_TIMESTAMP },
    { .as.bytes = "00000000-0000-0000-0000-00000000000a", .len = 36, .kind = VALUE_TEXT },
    { .as.u = 5, .kind = VALUE_UINT },
};

/* One row whose columns change one at a time: by as little as there is, then to NULL. */
static void one_read_after_another(struct fixture *f, enum join_kind join)
{
    struct value row[VALUE_COUNT];
    const struct value other[VALUE_COUNT] = {
        INT(1),
        FLOATING(-0.0F),
        DOUBLE(-0.0),
        BYTES(VALUE_JSON, "{\"a\":1}"),
        BLOB("a\0c"),
        MOMENT(VALUE_TIME, 86400000001),
        BYTES(VALUE_DECIMAL, "1.5001"),
        BYTES(VALUE_DECIMAL, "1.5001"),
        LIST(list_b),
        LIST(list_b),
        TEXT("A"),
        MOMENT(VALUE_TIMESTAMP, 1700000000000001),
        TEXT("00000000-0000-0000-0000-00000000000b"),
        UINT(6),
    };
    struct test_stream read = READ(join, 100, 1, NIL);
    uint64_t epoch = 2;
    memcpy(row, one_row, sizeof(row));
    read.shape = &values;
    read.rows = row;
    for (size_t i = 1; i < VALUE_COUNT; i++) {
        const struct value steps[] = { row[i], other[i], other[i], NIL, NIL, row[i] };
        for (size_t k = 0; k < 6; k++) {
            row[i] = steps[k];
            read.sequence += 10;
            struct load_outcome out = fixture_load_one(f, epoch++, &read);
            bool changed = k % 2 == 1;
            if (out.streams[0].applied != (changed ? 1 : 0) ||
                out.streams[0].known != (changed ? 0 : 1))
                fail_msg("column %s step %zu: applied %llu", value_columns[i].name.ptr, k,
                         (unsigned long long)out.streams[0].applied);
        }
    }
}

static void rows_are_compared_by_every_value(void **state)
{
    struct fixture *f = *state;
    struct test_stream first = BASE(1, NIL);
    first.shape = &values;
    first.rows = one_row;
    (void)fixture_load_one(f, 1, &first);
    one_read_after_another(f, JOIN_MERGE);
    fixture_expect(f, "SELECT count(*) FROM shop_copy.t", "1");
}

static void new_rows_are_compared_by_every_value(void **state)
{
    struct fixture *f = *state;
    struct test_stream first = BASE(1, NIL);
    first.shape = &values;
    first.rows = one_row;
    (void)fixture_load_one(f, 1, &first);
    one_read_after_another(f, JOIN_NEW);
    fixture_expect(f, "SELECT count(*) FROM shop_copy.t", "40");
}

/* ---- rejects ---------------------------------------------------------------------- */

static void a_row_rejected_again_is_one_reject(void **state)
{
    struct fixture *f = *state;
    struct test_stream first = BASE(0, NIL);
    struct test_stream other = { "u", 1, BEGIN_JOIN, .shape = &kv, .rejects = 1 };
    struct test_stream same = READ(JOIN_MERGE, 100, 0, NIL);
    struct test_stream fresh = READ(JOIN_NEW, 200, 0, NIL);
    first.rejects = same.rejects = 1;
    fresh.rejects = 2;
    fresh.reject_record = "{\"id\": 2}";
    (void)fixture_load_one(f, 1, &first);
    (void)fixture_load_one(f, 2, &other);
    (void)fixture_load_one(f, 3, &same);
    (void)fixture_load_one(f, 4, &fresh);
    fixture_expect(f,
                   "SELECT _sdc_table, _sdc_record, _sdc_sequence, count(*) FROM "
                   "shop_copy._sdc_rejected GROUP BY ALL ORDER BY ALL",
                   "shop.t|{\"id\": 1}|42|1\nshop.t|{\"id\": 2}|200|2\n"
                   "shop.u|{\"id\": 1}|42|1");
}

/* ---- many rows -------------------------------------------------------------------- */

static void many_rows_merge_within_the_memory(void **state)
{
    struct fixture *f = *state;
    enum { ROWS_LIVE = 60000, ROWS_READ = 40000 };
    struct value *rows = calloc((size_t)ROWS_LIVE * 3, sizeof(*rows));
    for (int i = 0; i < ROWS_LIVE; i++) {
        rows[3 * i] = INT(i);
        rows[3 * i + 1] = INT(i % 7);
        rows[3 * i + 2] = TEXT("some text");
    }
    struct test_stream first = BASE(ROWS_LIVE, NIL);
    struct test_stream read = READ(JOIN_MERGE, 100, ROWS_READ, NIL);
    first.rows = rows;
    (void)fixture_load_one(f, 1, &first);
    for (int i = 0; i < ROWS_READ; i++) { /* 20,000 known, 10,000 changed, 10,000 new */
        rows[3 * i] = INT(i < 30000 ? i : ROWS_LIVE + i);
        rows[3 * i + 1] = INT(i < 20000 ? i % 7 : 100);
    }
    read.rows = rows;
    struct load_outcome out = fixture_load_one(f, 2, &read);
    fixture_expect_counts(&out, 20000, 0, 20000);
    fixture_expect(f,
                   "SELECT count(*), count(DISTINCT id), count(*) FILTER (n = 100) FROM "
                   "shop_copy.t",
                   "70000|70000|20000");
    free(rows);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_merge_inserts_replaces_and_knows),
        TEST(the_later_row_of_a_key_wins),
        TEST(rows_that_nobody_can_order_are_refused),
        TEST(new_keeps_every_version_once),
        TEST(a_sweep_marks_what_the_source_has_no_more),
        TEST(a_sweep_of_an_empty_source_marks_all),
        TEST(added_copies_stand_behind_each_other),
        TEST(a_merge_widens_the_live_table),
        TEST(columns_that_are_not_read_stay_in_known_rows),
        TEST(keys_are_equal_by_their_bytes),
        TEST(keyless_rows_are_known_by_content_and_number),
        TEST(rows_are_compared_by_every_value),
        TEST(new_rows_are_compared_by_every_value),
        TEST(a_row_rejected_again_is_one_reject),
        TEST(many_rows_merge_within_the_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
