/* The loading contract: order, exactly once, versions, joins, failures, kills. */
#include "contract/sink_fixture.h"
#include "sink/contract.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

/* ---- the tests -------------------------------------------------------------------- */

static void a_copy_is_hidden_until_it_joins(void **state)
{
    struct fixture *f = *state;
    struct test_stream first = {
        "t", 1, ACTION_BEGIN, .shape = &two, .rows = rows_a, .row_count = 2
    };
    struct test_stream second = {
        "t", 1, ACTION_JOIN, .shape = &two, .rows = rows_a, .row_count = 2
    };
    fixture_write_epoch(f, 1, &first, 1);
    fixture_write_epoch(f, 2, &second, 1);
    struct load_outcome out = fixture_load(f, 1);
    assert_int_equal(out.streams[0].applied, 2);
    fixture_expect(
        f,
        "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'shop_copy' AND "
        "table_name = 't'",
        "0");
    fixture_expect(f, "SELECT count(*) FROM shop_copy._tailrace_copy_1_t", "2");
    fixture_expect(f, "SELECT state, copy_version, copy_progress FROM _tailrace.stream",
                   "copying|1|half way");
    fixture_reopen(f);
    out = fixture_load(f, 2);
    assert_int_equal(out.failed_stream, -1);
    fixture_expect(f, "SELECT id, flag FROM shop_copy.t ORDER BY ALL",
                   "1|true\n1|true\n2|NULL\n2|NULL");
    fixture_expect(f,
                   "SELECT state, live_version, copy_version, joined_epoch, rows, "
                   "epoch_us(last_read_at) FROM _tailrace.stream",
                   "live|1|NULL|2|4|1700000005000000");
    fixture_expect(f, "SELECT lane, epoch, position, sequence FROM _tailrace.mark",
                   "full|2|to|1002");
    fixture_expect(
        f, "SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE '%copy%'", "0");
}

/* DuckDB calls shop_copy.duckdb shop_copy, which is also the schema's name. */
static void a_file_may_have_the_schemas_name(void **state)
{
    struct fixture *f = *state;
    struct test_stream first = { "t",
                                 1,
                                 ACTION_BEGIN,
                                 .keyless = true,
                                 .shape = &two,
                                 .rows = rows_a,
                                 .row_count = 2,
                                 .rejects = 1 };
    struct test_stream second = { "t",
                                  1,
                                  ACTION_JOIN,
                                  .keyless = true,
                                  .shape = &two,
                                  .rows = rows_a,
                                  .row_count = 2,
                                  .next_shape = &promoted,
                                  .next_rows = rows_b,
                                  .next_row_count = 1 };
    struct test_stream third = {
        "t", 2, BEGIN_JOIN, .shape = &two, .rows = rows_a, .row_count = 1
    };
    f->file = "shop_copy.duckdb";
    fixture_reopen(f);
    fixture_write_epoch(f, 1, &first, 1);
    fixture_write_epoch(f, 2, &second, 1);
    fixture_write_epoch(f, 3, &third, 1);
    (void)fixture_load(f, 1);
    (void)fixture_load(f, 2);
    fixture_expect(f, "SELECT count(*) FROM shop_copy.t", "5");
    (void)fixture_load(f, 3);
    fixture_expect(f, "SELECT count(*) FROM shop_copy.t", "1");
}

static void system_columns_say_when_and_which(void **state)
{
    struct fixture *f = *state;
    struct test_stream t = { "t",           77, BEGIN_JOIN, .shape = &two, .rows = rows_a,
                             .row_count = 1 };
    fixture_write_epoch(f, 1, &t, 1);
    (void)fixture_load(f, 1);
    fixture_expect(
        f,
        "SELECT epoch_us(_sdc_extracted_at), _sdc_received_at <= _sdc_batched_at, "
        "_sdc_sequence, _sdc_table_version, _sdc_deleted_at FROM shop_copy.t",
        "1700000000123000|true|42|77|NULL");
    fixture_expect(
        f,
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
    fixture_write_epoch(f, 1, &t, 1);
    struct load_outcome out = fixture_load(f, 1);
    assert_false(out.already_loaded);
    assert_int_equal(out.streams[0].rejected, 3);
    fixture_reopen(f);
    out = fixture_load(f, 1);
    assert_true(out.already_loaded);
    fixture_expect(f, "SELECT count(*) FROM shop_copy.t", "2");
    fixture_expect(f,
                   "SELECT DISTINCT _sdc_table, _sdc_column, _sdc_reason, "
                   "_sdc_record->>'id', count(*) OVER () FROM shop_copy._sdc_rejected",
                   "shop.t|c|because|1|3");
}

static void a_new_version_forgets_what_earlier_ones_rejected(void **state)
{
    struct fixture *f = *state;
    struct test_stream first = { "t", 1, BEGIN_JOIN, .shape = &two, .rejects = 3 };
    struct test_stream other = { "u", 1, BEGIN_JOIN, .shape = &two, .rejects = 2 };
    struct test_stream second = { "t",          2,
                                  BEGIN_JOIN,   .shape = &two,
                                  .rejects = 1, .sequence = 50 };
    struct test_stream third = { "t", 3, ACTION_BEGIN, .shape = &two, .sequence = 60 };
    fixture_write_epoch(f, 1, &first, 1);
    fixture_write_epoch(f, 2, &other, 1);
    fixture_write_epoch(f, 3, &second, 1);
    fixture_write_epoch(f, 4, &third, 1);
    (void)fixture_load(f, 1);
    (void)fixture_load(f, 2);
    (void)fixture_load(f, 3);
    (void)fixture_load(f, 4); /* under way: the live version's rejects stay */
    fixture_expect(f,
                   "SELECT string_agg(n, ' ' ORDER BY n) FROM (SELECT _sdc_table || "
                   "count(*) AS n FROM shop_copy._sdc_rejected GROUP BY _sdc_table)",
                   "shop.t1 shop.u2");
}

static void i5_an_epoch_out_of_order_is_refused(void **state)
{
    struct fixture *f = *state;
    struct load_outcome out = { 0 };
    struct test_stream t = { "t", 1, BEGIN_JOIN, .shape = &two };
    fixture_write_epoch(f, 2, &t, 1);
    struct error err = fixture_load_fails(f, 2, NULL, &out);
    assert_int_equal(err.code, ERR_POSITION);
    assert_int_equal(out.failed_stream, -1);
}

static void another_destination_is_refused(void **state)
{
    struct fixture *f = *state;
    struct load_outcome out = { 0 };
    struct test_stream t = { "t", 1, BEGIN_JOIN, .shape = &two };
    (void)snprintf(f->id, sizeof(f->id), "somebody-else");
    fixture_write_epoch(f, 1, &t, 1);
    struct error err = fixture_load_fails(f, 1, NULL, &out);
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
    fixture_write_epoch(f, 1, &one, 1);
    fixture_write_epoch(f, 2, &both, 1);
    (void)fixture_load(f, 1);
    (void)fixture_load(f, 2);
    fixture_expect(
        f, "SELECT id, flag, extra, _sdc_sequence FROM shop_copy.t ORDER BY ALL",
        "1|1|NULL|42\n1|1|NULL|42\n2|NULL|NULL|42\n2|NULL|NULL|42\n3|7|new|42");
    fixture_expect(f,
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
    fixture_write_epoch(f, 1, &one, 1);
    fixture_write_epoch(f, 2, &next, 1);
    fixture_write_epoch(f, 3, &end, 1);
    (void)fixture_load(f, 1);
    (void)fixture_load(f, 2);
    fixture_expect(f, "SELECT id FROM shop_copy.t ORDER BY 1", "1\n2");
    fixture_expect(f, "SELECT state, live_version, copy_version FROM _tailrace.stream",
                   "copying|1|2");
    (void)fixture_load(f, 3);
    fixture_expect(f, "SELECT id, extra, _sdc_table_version FROM shop_copy.t", "3|new|2");
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
    fixture_write_epoch(f, 1, &one, 1);
    fixture_write_epoch(f, 2, &next, 1);
    fixture_write_epoch(f, 3, &end, 1);
    for (uint64_t i = 1; i <= 3; i++)
        (void)fixture_load(f, i);
    fixture_expect(f, "SELECT count(*) FROM shop_copy.t", "2");
    fixture_expect(
        f,
        "SELECT string_agg(table_name) FROM duckdb_tables() WHERE schema_name = "
        "'shop_copy'",
        "t");
    fixture_expect(f, "SELECT state, live_version, copy_version FROM _tailrace.stream",
                   "live|1|NULL");
}

/* A table that changes while it is read is begun anew: what the same epoch still holds of
 * the version before is left out, and so is a version that both began and ended in it. */
static void an_abandoned_version_takes_its_rows_along(void **state)
{
    struct fixture *f = *state;
    struct test_stream begin = {
        "t", 1, ACTION_BEGIN, .shape = &two, .rows = rows_a, .row_count = 2
    };
    struct test_stream restart[] = {
        { "t", 1, ACTION_ABANDON, .shape = &two, .rows = rows_a, .row_count = 2 },
        { "t", 2, ACTION_BEGIN | ACTION_ABANDON, .shape = &two, .rows = rows_a,
          .row_count = 2, .rejects = 1 },
        { "t", 3, ACTION_BEGIN, .shape = &two, .rows = rows_a, .row_count = 1 },
        { "u", 1, BEGIN_JOIN, .shape = &two, .rows = rows_a, .row_count = 2 },
    };
    struct test_stream given_up = {
        "v",           1, ACTION_BEGIN | ACTION_ABANDON, .shape = &two, .rows = rows_a,
        .row_count = 2
    };
    fixture_write_epoch(f, 1, &begin, 1);
    fixture_write_epoch(f, 2, restart, 4);
    fixture_write_epoch(f, 3, &given_up, 1);
    (void)fixture_load(f, 1);
    struct load_outcome out = fixture_load(f, 2);
    assert_int_equal(out.streams[0].applied, 0);
    assert_int_equal(out.streams[1].applied, 0);
    assert_int_equal(out.streams[1].rejected, 1);
    assert_int_equal(out.streams[2].applied, 1);
    fixture_expect(f,
                   "SELECT state, copy_version FROM _tailrace.stream WHERE "
                   "source_table = 't'",
                   "copying|3");
    (void)fixture_load(f, 3);
    fixture_expect(f,
                   "SELECT state, copy_version FROM _tailrace.stream WHERE "
                   "source_table = 'v'",
                   "none|NULL");
    fixture_expect(f,
                   "SELECT string_agg(table_name, ' ' ORDER BY table_name) FROM "
                   "duckdb_tables() WHERE schema_name = 'shop_copy'",
                   "_sdc_rejected _tailrace_copy_3_t u");
}

/* One stream twice in an epoch, and the newer version is the one that fails. */
static void a_restart_whose_new_version_fails_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct load_outcome out = { 0 };
    struct error err = { 0 };
    struct test_stream live = {
        "t", 1, BEGIN_JOIN, .shape = &two, .rows = rows_a, .row_count = 2
    };
    struct test_stream begin = {
        "t", 2, ACTION_BEGIN, .shape = &two, .rows = rows_a, .row_count = 2
    };
    struct test_stream restart[] = {
        { "t", 2, ACTION_ABANDON, .shape = &two, .rows = rows_a, .row_count = 2 },
        { "t", 3, ACTION_BEGIN, .shape = &two, .rows = rows_a, .row_count = 2,
          .damaged_shape = true },
    };
    struct test_stream late = {
        "t", 3, ACTION_JOIN, .shape = &two, .rows = rows_a, .row_count = 1
    };
    bool excluded[] = { false, true };
    fixture_write_epoch(f, 1, &live, 1);
    fixture_write_epoch(f, 2, &begin, 1);
    fixture_write_epoch(f, 3, restart, 2);
    fixture_write_epoch(f, 4, &late, 1);
    (void)fixture_load(f, 1);
    (void)fixture_load(f, 2);
    err = fixture_load_fails(f, 3, NULL, &out);
    assert_int_equal(out.failed_stream, 1);
    assert_int_equal(
        sink_load_epoch(f->sink, f->arena, fixture_epoch_dir(f, 3), excluded, &out, &err),
        0);
    out = fixture_load(f, 4);
    assert_int_equal(out.streams[0].applied, 0);
    fixture_expect(f, "SELECT state, live_version, copy_version FROM _tailrace.stream",
                   "failed|1|3");
    fixture_expect(f,
                   "SELECT string_agg(table_name) FROM duckdb_tables() WHERE "
                   "schema_name = 'shop_copy'",
                   "t");
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
    fixture_write_epoch(f, 1, all, 2);
    fixture_write_epoch(f, 2, &late, 1);
    (void)fixture_load(f, 1);
    assert_int_equal(sink_reset(f->sink, &r, &err), 0);
    fixture_expect(
        f,
        "SELECT string_agg(table_name) FROM duckdb_tables() WHERE schema_name = "
        "'shop_copy'",
        "t");
    fixture_expect(f, "SELECT source_table, state FROM _tailrace.stream ORDER BY 1",
                   "t|live\nu|none");
    err = fixture_load_fails(f, 2, NULL, &out);
    assert_int_equal(err.code, ERR_SCHEMA);
    assert_int_equal(out.failed_stream, 0);
}

/* Columns that were left out by choice stay, NULL; others that the new version lacks go.
 */
static void kept_columns_stay_in_the_next_version(void **state)
{
    struct fixture *f = *state;
    static const struct column only_id[] = { KEY_COLUMN("id") };
    static const struct table_schema one = { .name = STR("t"),
                                             .database = STR("shop"),
                                             .version = 3,
                                             .columns = only_id,
                                             .column_count = 1,
                                             .key_count = 1 };
    const struct value rows[] = { INT(4), INT(5) };
    const struct str kept[] = { STR("FLAG"), STR("never") };
    struct test_stream all[] = {
        { "t", 1, BEGIN_JOIN, .shape = &promoted, .rows = rows_b, .row_count = 1 },
        { "t", 2, ACTION_BEGIN, .shape = &one, .rows = rows, .row_count = 2 },
        { "t", 2, ACTION_JOIN, .shape = &one, .kept = kept, .kept_count = 2 },
    };
    for (uint64_t i = 0; i < 3; i++) {
        fixture_write_epoch(f, i + 1, &all[i], 1);
        (void)fixture_load(f, i + 1);
    }
    fixture_expect(f,
                   "SELECT string_agg(column_name, ',' ORDER BY column_index) FROM "
                   "duckdb_columns() WHERE schema_name = 'shop_copy' AND table_name = "
                   "'t' AND column_name NOT LIKE '\\_sdc%' ESCAPE '\\'",
                   "id,flag");
    fixture_expect(f, "SELECT id, flag, typeof(flag) FROM shop_copy.t ORDER BY id",
                   "4|NULL|TINYINT\n5|NULL|TINYINT");
}

static void a_reset_of_everything_leaves_nothing_of_the_integration(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct reset_request r = { .integration = STR("shop"),
                               .target_schema = STR("shop_copy"),
                               .everything = true };
    struct test_stream all[] = {
        { "t", 1, BEGIN_JOIN, .shape = &two, .rows = rows_a, .row_count = 2 },
        { "u", 1, ACTION_BEGIN, .shape = &two, .rows = rows_a, .row_count = 2 },
    };
    assert_int_equal(sink_reset(f->sink, &r, &err), 0); /* nothing there yet */
    fixture_write_epoch(f, 1, all, 2);
    (void)fixture_load(f, 1);
    assert_int_equal(sink_reset(f->sink, &r, &err), 0);
    fixture_expect(f,
                   "SELECT (SELECT count(*) FROM duckdb_schemas() WHERE schema_name = "
                   "'shop_copy'), (SELECT count(*) FROM _tailrace.stream), (SELECT "
                   "count(*) FROM _tailrace.mark)",
                   "0|0|0");
    (void)fixture_load(f, 1); /* anew */
    fixture_expect(f, "SELECT count(*) FROM shop_copy.t", "2");
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
    fixture_write_epoch(f, 1, all, 2);
    fixture_write_epoch(f, 2, &later, 1);
    fixture_write_epoch(f, 3, &again, 1);
    err = fixture_load_fails(f, 1, NULL, &out);
    assert_int_equal(out.failed_stream, 1);
    assert_non_null(strstr(err.text, "shop.bad"));
    fixture_expect(
        f, "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'shop_copy'", "0");
    assert_int_equal(
        sink_load_epoch(f->sink, f->arena, fixture_epoch_dir(f, 1), excluded, &out, &err),
        0);
    fixture_expect(f, "SELECT count(*) FROM shop_copy.good", "2");
    fixture_expect(
        f,
        "SELECT state, copy_version FROM _tailrace.stream WHERE source_table = "
        "'bad'",
        "failed|1");
    /* what still comes of the failed version is left out, the next version heals it */
    out = fixture_load(f, 2);
    assert_int_equal(out.streams[0].applied, 0);
    (void)fixture_load(f, 3);
    fixture_expect(f, "SELECT id FROM shop_copy.bad", "1");
    fixture_expect(f, "SELECT state FROM _tailrace.stream WHERE source_table = 'bad'",
                   "live");
}

static void somebody_elses_table_is_not_replaced(void **state)
{
    struct fixture *f = *state;
    struct load_outcome out = { 0 };
    struct test_stream seed = { "x", 1, BEGIN_JOIN, .shape = &two };
    struct test_stream t = { "_sdc_rejected", 1, BEGIN_JOIN, .shape = &two };
    seed.rejects = 1; /* makes _sdc_rejected, which no stream owns */
    fixture_write_epoch(f, 1, &seed, 1);
    fixture_write_epoch(f, 2, &t, 1);
    (void)fixture_load(f, 1);
    struct error err = fixture_load_fails(f, 2, NULL, &out);
    assert_int_equal(err.code, ERR_SCHEMA);
    assert_int_equal(out.failed_stream, 0);
    assert_non_null(strstr(err.text, "was not made for this table"));
}

static void names_that_differ_in_case_are_not_mixed(void **state)
{
    struct fixture *f = *state;
    struct load_outcome out = { 0 };
    struct test_stream all[] = {
        { "Orders", 1, ACTION_BEGIN, .shape = &two, .rows = rows_a, .row_count = 2 },
        { "orders", 1, ACTION_BEGIN, .shape = &two, .rows = rows_a, .row_count = 1 },
    };
    struct test_stream late = { "ORDERS", 5, BEGIN_JOIN, .shape = &two };
    bool excluded[] = { false, true };
    struct error err = { 0 };
    fixture_write_epoch(f, 1, all, 2);
    fixture_write_epoch(f, 2, &late, 1);
    err = fixture_load_fails(f, 1, NULL, &out);
    assert_int_equal(out.failed_stream, 1);
    assert_non_null(strstr(err.text, "belongs to 'shop.Orders'"));
    assert_int_equal(
        sink_load_epoch(f->sink, f->arena, fixture_epoch_dir(f, 1), excluded, &out, &err),
        0);
    fixture_expect(f, "SELECT count(*) FROM shop_copy._tailrace_copy_1_Orders", "2");
    err = fixture_load_fails(f, 2, NULL, &out);
    assert_int_equal(out.failed_stream, 0);
    /* to forget the failed one does not touch the other's table */
    struct reset_request r = { .integration = STR("shop"),
                               .target_schema = STR("shop_copy"),
                               .database = STR("shop"),
                               .table = STR("orders") };
    assert_int_equal(sink_reset(f->sink, &r, &err), 0);
    fixture_expect(f, "SELECT count(*) FROM shop_copy._tailrace_copy_1_Orders", "2");
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
    fixture_write_epoch(f, 1, &a, 1);
    fixture_write_epoch(f, 2, &b, 1);
    (void)fixture_load(f, 1);
    (void)fixture_load(f, 2);
    fixture_expect(
        f, "SELECT __sdc_primary_key FROM shop_copy.k WHERE n = 5 ORDER BY rowid", want);
    fixture_expect(f, "SELECT count(DISTINCT __sdc_primary_key) FROM shop_copy.k", "4");
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
    fixture_write_epoch(f, 1, &t, 1);
    (void)fixture_load(f, 1);
    fixture_expect(
        f,
        "SELECT count(*), sum(id), count(flag), count(*) FILTER (flag = (id % 2 = 1)) "
        "FROM shop_copy.t",
        "10000|49995000|6666|6666");
    free(rows);
}

/* ---- no room ---------------------------------------------------------------------- */

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
    fixture_write_epoch(f, 1, &seed, 1);
    fixture_write_epoch(f, 2, &t, 1);
    (void)fixture_load(f, 1);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){ .rlim_cur = 2 << 20, .rlim_max = before.rlim_max };
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct error err = fixture_load_fails(f, 2, NULL, &out);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    if (err.code != ERR_IO || err.hint == NULL || out.failed_stream != -1)
        fail_msg("code %d: %s", (int)err.code, err.text);
    fixture_reopen(f);
    fixture_expect(f, "SELECT count(*) FROM shop_copy.s", "2");
    (void)fixture_load(f, 2);
    fixture_expect(f, "SELECT count(*), min(octet_length(raw)) FROM shop_copy.t",
                   "4000|2000");
    free(rows);
    free(bytes);
}

/* ---- kill at each step ------------------------------------------------------------ */

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
    fixture_write_epoch(f, 1, &one, 1);
    fixture_write_epoch(f, 2, &next, 1);
    (void)fixture_load(f, 1);
    sink_close(f->sink);
    pid_t child = fork();
    if (child == 0) {
        (void)setenv("TAILRACE_FAULT", point, 1);
        fixture_open(f);
        (void)fixture_load(f, 2);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    fixture_open(f);
    fixture_expect(f, "SELECT id FROM shop_copy.t ORDER BY 1", loaded ? "3" : "1\n2");
    struct load_outcome out = fixture_load(f, 2);
    assert_int_equal(out.already_loaded, loaded);
    fixture_expect(f, "SELECT id, flag, extra FROM shop_copy.t", "3|7|new");
    fixture_expect(
        f, "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'shop_copy'", "1");
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

struct watcher {
    struct fixture *f;
    atomic_bool stop;
    unsigned reads, wrong;
    struct error why;
    bool answered; /* with something else than true */
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
        int rc = fixture_read(w->f,
                              "SELECT count(*) = min(_sdc_table_version) AND "
                              "min(_sdc_table_version) = max(_sdc_table_version) FROM "
                              "shop_copy.t",
                              &g, &limits, &result, &err);
        w->reads++;
        if (rc != 0 || strcmp(buf_text(&g.text), "true") != 0) {
            w->wrong++;
            w->why = err;
            w->answered = rc == 0;
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
        fixture_write_epoch(f, n, &t, 1);
    }
    (void)fixture_load(f, 1);
    assert_int_equal(pthread_create(&thread, NULL, watch_table, &w), 0);
    for (uint64_t n = 2; n <= VERSIONS; n++)
        (void)fixture_load(f, n);
    atomic_store(&w.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    if (w.wrong != 0)
        fail_msg("read %u: %s", w.reads, w.answered ? "mixed" : w.why.text);
    assert_true(w.reads > 1);
    fixture_expect(f, "SELECT count(*) FROM shop_copy.t", "25");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_copy_is_hidden_until_it_joins),
        TEST(a_file_may_have_the_schemas_name),
        TEST(system_columns_say_when_and_which),
        TEST(i7_loading_twice_is_loading_once),
        TEST(a_new_version_forgets_what_earlier_ones_rejected),
        TEST(i5_an_epoch_out_of_order_is_refused),
        TEST(another_destination_is_refused),
        TEST(a_promoted_boolean_widens_the_table),
        TEST(a_second_version_replaces_the_first_whole),
        TEST(an_abandoned_copy_leaves_nothing),
        TEST(an_abandoned_version_takes_its_rows_along),
        TEST(a_restart_whose_new_version_fails_leaves_nothing),
        TEST(reset_forgets_the_copy_and_keeps_the_table),
        TEST(kept_columns_stay_in_the_next_version),
        TEST(a_reset_of_everything_leaves_nothing_of_the_integration),
        TEST(a_failing_stream_is_named_and_can_be_left_out),
        TEST(somebody_elses_table_is_not_replaced),
        TEST(names_that_differ_in_case_are_not_mixed),
        TEST(equal_rows_of_a_keyless_table_get_keys_of_their_own),
        TEST(many_rows_cross_chunks_and_segments),
        TEST(a_full_disk_stops_the_epoch_and_loses_nothing),
        TEST(readers_never_see_a_half_replaced_table),
#ifdef TAILRACE_FAULT_POINTS
        TEST(i10_killed_after_begin_loads_again),
        TEST(i10_killed_after_swap_loads_again),
        TEST(i10_killed_before_commit_loads_again),
        TEST(i10_killed_after_commit_is_loaded),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
