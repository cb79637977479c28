/* Readers, spool thread and loader together, over a source and a destination that the
 * test makes up and that fail at random: lost connections, changed tables, stops, tables
 * that cannot be loaded, answers that are lost. Whatever happens, a version that joins
 * has every row exactly once (invariants 5, 7, 10 and 11).
 *
 * TAILRACE_TEST_SEED repeats a run; it is printed when one fails.
 */
#include "avro/container.h"
#include "avro/decode.h"
#include "base/clock.h"
#include "sync/loader.h"
#include "sync/reader.h"
#include "sync_fixture.h"

#include <unistd.h>

#define TABLES 3
#define ROWS 40
#define RANGES 4
#define PAD_BYTES ((size_t)300 << 10) /* a few rows make a block */
#define READERS 3
#define JOBS_MAX 400
#define COPIES 6 /* of each table, before the test is content */

/* ---- chance ----------------------------------------------------------------------- */

static atomic_uint_fast64_t dice;

static bool chance(unsigned one_in)
{
    uint64_t x = atomic_fetch_add(&dice, UINT64_C(0x9e3779b97f4a7c15));
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (x ^ (x >> 31)) % one_in == 0;
}

/* ---- the source ------------------------------------------------------------------- */

struct source {
    int unused;
};

struct session {
    int unused;
};

struct full_reader {
    int64_t next, last;
    struct value cells[3];
    unsigned columns;
    struct cancel *to_stop;
};

static const struct column columns[] = {
    { .name = { "id", 2 },
      .avro_name = { "id", 2 },
      .source_type = { "int", 3 },
      .type = TYPE_INT,
      .bytes = 4,
      .key_ordinal = 1,
      .selected = true },
    { .name = { "on", 2 },
      .avro_name = { "on", 2 },
      .source_type = { "tinyint(1)", 10 },
      .type = TYPE_BOOL,
      .nullable = true,
      .selected = true },
    { .name = { "pad", 3 },
      .avro_name = { "pad", 3 },
      .source_type = { "blob", 4 },
      .type = TYPE_BYTES,
      .nullable = true,
      .selected = true },
};

static char pad[PAD_BYTES];
static struct session the_session;
static struct cancel *stop; /* of the job */

struct session *source_connect(const struct source *s, int64_t patience_us,
                               struct cancel *c, struct error *err)
{
    (void)s;
    (void)patience_us;
    if (cancel_check(c, err) != 0)
        return NULL;
    return &the_session;
}

void source_disconnect(struct session *s)
{
    (void)s;
}

static struct table_schema table_of(struct str name)
{
    return (struct table_schema){ .database = STR("db"),
                                  .name = name,
                                  .version = 1,
                                  .column_count = 3,
                                  .key_count = 1,
                                  .columns = columns };
}

struct catalog *source_discover_table(struct session *s, struct str database,
                                      struct str table, bool always_int,
                                      struct error *err)
{
    (void)s;
    (void)always_int;
    if (chance(8)) {
        (void)error_set(err, ERR_NETWORK, "lost while looking");
        return NULL;
    }
    struct arena *a = arena_new((size_t)1 << 20);
    struct catalog *c = ARENA_NEW(a, struct catalog);
    c->arena = a;
    c->database_count = 1;
    c->databases = ARENA_NEW(a, struct catalog_database);
    c->databases->name = database;
    c->databases->table_count = 1;
    c->databases->tables = ARENA_NEW(a, struct catalog_table);
    *c->databases->tables = (struct catalog_table){ .kind = TABLE_BASE,
                                                    .key = KEY_PRIMARY,
                                                    .readable = true,
                                                    .transactional = true,
                                                    .key_name = STR("PRIMARY"),
                                                    .engine = STR("InnoDB") };
    c->databases->tables->schema = table_of(arena_str(a, table));
    return c;
}

static struct str key_of(struct arena *a, int64_t id)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 64);
    add_key(&b, id);
    return arena_str(a, buf_str(&b));
}

int full_split(struct session *s, struct arena *a, const struct full_cut *cut,
               struct page_range **out, size_t *out_count, struct error *err)
{
    (void)s;
    (void)cut;
    if (chance(10))
        return error_set(err, ERR_NETWORK, "lost while splitting");
    struct page_range *ranges = ARENA_ARRAY(a, struct page_range, RANGES + 1);
    /* the last range has no rows */
    for (int64_t i = 0; i <= RANGES; i++)
        ranges[i] = (struct page_range){
            .after = i == 0 ? (struct str){ 0 } : key_of(a, i * ROWS / RANGES),
            .upto = i == RANGES ? (struct str){ 0 } : key_of(a, (i + 1) * ROWS / RANGES)
        };
    *out = ranges;
    *out_count = RANGES + 1;
    return 0;
}

static int64_t id_of(struct str tuple)
{
    struct str part = { 0 };
    int64_t id = 0;
    if (key_tuple_next(&tuple, &part))
        (void)str_to_i64(part, &id);
    return id;
}

struct full_reader *full_reader_open(struct session *s, const struct full_table *t,
                                     const struct page_range *range,
                                     const struct full_options *o, struct governor *g,
                                     struct error *err)
{
    (void)s;
    (void)t;
    (void)o;
    (void)g;
    (void)err;
    struct full_reader *r = xcalloc(1, sizeof *r);
    r->next = id_of(range->after) + 1;
    r->last = range->upto.len > 0 ? id_of(range->upto) : ROWS;
    return r;
}

void full_reader_close(struct full_reader *r)
{
    free(r);
}

enum full_next full_reader_next(struct full_reader *r, const struct value **cells,
                                struct error *err)
{
    if (chance(150))
        return (enum full_next)error_set(err, ERR_NETWORK, "lost while reading");
    if (chance(300))
        return (enum full_next)error_set(err, ERR_SCHEMA, "the table has changed");
    if (chance(400))
        cancel_request(stop, CANCEL_GRACEFUL);
    if (r->next > r->last)
        return FULL_END;
    int64_t id = r->next++;
    r->cells[0] = (struct value){ .as.i = id, .kind = VALUE_INT };
    r->cells[1] = (struct value){ .as.i = chance(60) ? 5 : 1, .kind = VALUE_INT };
    r->cells[2] = value_of_bytes(VALUE_BYTES, (struct str){ pad, sizeof pad });
    *cells = r->cells;
    return FULL_ROW;
}

void full_reader_key(const struct full_reader *r, struct buf *tuple)
{
    add_key(tuple, r->next - 1);
}

int64_t full_reader_seen_at(const struct full_reader *r)
{
    (void)r;
    return 1;
}

uint64_t full_reader_row_bytes(const struct full_reader *r)
{
    (void)r;
    return PAD_BYTES;
}

/* ---- the destination -------------------------------------------------------------- */

struct copy {
    enum stream_state state;
    uint64_t live_version, copy_version;
    int64_t sequence;
    char progress[4096];
    unsigned char seen[ROWS + 1];
    unsigned joins;
};

struct model {
    uint64_t epoch;
    struct copy tables[TABLES];
};

static struct model destination;

static size_t table_index(struct str name)
{
    return (size_t)(name.ptr[0] - 'a');
}

static int take_segment(const char *dir, const struct manifest *m, size_t segment,
                        struct copy *c, uint64_t *rows, struct error *err)
{
    struct epoch_map map = { 0 };
    struct str block = { 0 };
    uint64_t count = 0;
    if (epoch_map_segment(dir, m, segment, &map, err) != 0)
        return -1;
    struct container_reader *in =
        container_reader_new(map.container, (size_t)64 << 20, err);
    assert_non_null(in);
    struct decode_plan *plan = decode_plan_new(container_schema(in), err);
    assert_non_null(plan);
    while (container_next_block(in, &block, &count, err) == 1) {
        struct reader r = reader_over(block);
        for (uint64_t i = 0; i < count; i++) {
            struct row_meta meta = { 0 };
            struct value cells[3];
            struct str bytes = { 0 };
            assert_int_equal(decode_row(plan, &r, &meta, cells, &bytes, err), 0);
            assert_int_equal(meta.sequence, c->sequence);
            assert_in_range(cells[0].as.i, 1, ROWS);
            c->seen[cells[0].as.i]++;
            (*rows)++;
        }
    }
    decode_plan_free(plan);
    container_reader_free(in);
    epoch_unmap(&map);
    return 0;
}

static void drop_copy(struct copy *c)
{
    c->copy_version = 0;
    c->progress[0] = '\0';
    memset(c->seen, 0, sizeof c->seen);
    c->state = c->live_version != 0 ? STREAM_LIVE : STREAM_NONE;
}

static void join(struct copy *c, uint64_t version)
{
    for (size_t id = 1; id <= ROWS; id++)
        if (c->seen[id] != 1)
            fail_msg("row %zu is there %u times", id, c->seen[id]);
    drop_copy(c);
    c->state = STREAM_LIVE;
    c->live_version = version;
    c->joins++;
}

/* One entry of a manifest, as sink/ does it. */
static int take_stream(struct model *d, const char *dir, const struct manifest *m,
                       size_t i, uint64_t *rows, struct error *err)
{
    const struct manifest_stream *st = &m->streams[i];
    struct copy *c = &d->tables[table_index(st->table)];
    if ((st->actions & ACTION_ABANDON) != 0) {
        drop_copy(c);
        return 0;
    }
    if ((st->actions & ACTION_BEGIN) != 0) {
        drop_copy(c);
        c->state = STREAM_COPYING;
        c->copy_version = st->version;
        c->sequence = st->sequence;
    }
    if (c->state == STREAM_FAILED && c->copy_version == st->version)
        return 0;
    if (c->state != STREAM_COPYING || c->copy_version != st->version)
        return error_set(err, ERR_SCHEMA, "version %llu was never begun",
                         (unsigned long long)st->version);
    if (chance(80))
        return error_set(err, ERR_SCHEMA, "this table cannot be loaded");
    for (size_t s = 0; s < m->segment_count; s++)
        if (m->segments[s].stream == i && m->segments[s].kind == SEGMENT_ROWS &&
            take_segment(dir, m, s, c, rows, err) != 0)
            return -1;
    assert_in_range(st->progress.len, 1, sizeof c->progress - 1);
    memcpy(c->progress, st->progress.ptr, st->progress.len);
    c->progress[st->progress.len] = '\0';
    if ((st->actions & ACTION_JOIN) != 0)
        join(c, st->version);
    return 0;
}

int warehouse_load(struct warehouse *w, struct arena *a, const struct epoch_load *l,
                   struct load_outcome *out, struct error *err)
{
    const char *epoch_dir = l->dir;
    const bool *excluded = l->excluded;
    struct manifest m = { 0 };
    struct model next = destination;
    (void)w;
    assert_int_equal(epoch_open(a, epoch_dir, &m, err), 0);
    assert_int_equal(m.stream_count, l->excluded_count);
    *out = (struct load_outcome){ .failed_stream = -1, .stream_count = m.stream_count };
    out->streams = ARENA_ARRAY(a, struct load_stream, m.stream_count + 1);
    out->already_loaded = m.number <= destination.epoch;
    if (out->already_loaded)
        return 0;
    assert_int_equal(m.number, destination.epoch + 1);
    for (size_t i = 0; i < m.stream_count; i++) {
        if (excluded[i] ||
            take_stream(&next, epoch_dir, &m, i, &out->streams[i].applied, err) == 0)
            continue;
        out->failed_stream = (int)i;
        return -1;
    }
    for (size_t i = 0; i < m.stream_count; i++) {
        struct copy *c = &next.tables[table_index(m.streams[i].table)];
        if (!excluded[i])
            continue;
        drop_copy(c);
        c->state = STREAM_FAILED;
        c->copy_version = m.streams[i].version;
    }
    next.epoch = m.number;
    destination = next;
    return chance(20) ? error_set(err, ERR_NETWORK, "the answer is lost") : 0;
}

/* ---- one job ---------------------------------------------------------------------- */

struct job {
    struct reader_pool pool;
    struct sync_options options;
    struct plan_context context;
    struct stream streams[TABLES];
    struct catalog_table found;
    struct lane *lane;
    struct cancel *hard;
    struct spooler_config spool;
    struct loader loader;
};

static const char *const names[TABLES] = { "a", "b", "c" };

/* As plan.c does it, from the destination's marks. */
static void make_table(struct job *j, uint32_t i)
{
    struct stream *st = &j->streams[i];
    const struct copy *c = &destination.tables[i];
    struct page_position p = { 0 };
    struct error err = { 0 };
    struct table_schema schema = table_of(str_of(names[i]));
    make_stream(st, i, names[i]);
    schema.version = 100; /* above the fixture's own */
    add_shape(st, schema_copy(st->arena, &schema));
    st->found = &j->found;
    if (c->state == STREAM_COPYING &&
        page_position_parse(st->arena, str_of(c->progress), &p, &err) == 0 &&
        p.shape_hash == schema_hash(st->shape->schema)) {
        st->version = c->copy_version;
        st->sequence = c->sequence;
        st->ranges = p.ranges;
        st->range_count = p.range_count;
        st->resumed = true;
        spooler_resume(st, &p);
        return;
    }
    st->version = (c->copy_version > c->live_version ? c->copy_version : c->live_version);
    if (c->copy_version != 0)
        spooler_replace(st, c->copy_version, JOIN_REPLACE);
    st->version++;
}

static void *run_reader(void *arg)
{
    struct job *j = arg;
    reader_run(&j->pool);
    return NULL;
}

static void *run_spooler(void *arg)
{
    struct job *j = arg;
    struct error err = { 0 };
    if (spooler_run(&j->spool, &err) != 0 && err.code != ERR_CANCELLED)
        fail_msg("%s", err.text);
    lane_finish(j->lane);
    return NULL;
}

static void *run_loader(void *arg)
{
    struct job *j = arg;
    struct error err = { 0 };
    if (loader_run(&j->loader, &err) != 0 && err.code != ERR_CANCELLED)
        fail_msg("%s", err.text);
    return NULL;
}

static struct lane *open_lane(void)
{
    struct error err = { 0 };
    struct lane_options lo = { .share_bytes = (uint64_t)4 << 20 };
    struct lane *l = lane_open(root, "full", destination.epoch, &lo, &err);
    if (l == NULL)
        fail_msg("%s", err.text);
    return l;
}

static void load_waiting(void)
{
    struct error err = { 0 };
    struct loader l = { .lane = open_lane() };
    lane_finish(l.lane);
    if (loader_run(&l, &err) != 0)
        fail_msg("%s", err.text);
    lane_close(l.lane);
}

/* What the report says of a table that joined: every row that was read was applied. */
static void check_counts(const struct job *j)
{
    for (size_t i = 0; i < TABLES; i++) {
        const struct stream *st = &j->streams[i];
        if (!atomic_load(&st->joined))
            continue;
        assert_false(atomic_load(&st->failed));
        assert_int_equal(atomic_load(&st->rows_read), atomic_load(&st->rows_applied));
        if (!st->resumed || st->restarts > 0)
            assert_int_equal(atomic_load(&st->rows_applied), ROWS);
    }
}

static void job_run_threads(struct job *j)
{
    pthread_t readers[READERS], spooler, loader;
    assert_int_equal(pthread_create(&spooler, NULL, run_spooler, j), 0);
    assert_int_equal(pthread_create(&loader, NULL, run_loader, j), 0);
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, run_reader, j), 0);
    if (chance(4)) {
        (void)clock_wait_us(NULL, 2000);
        cancel_request(stop, CANCEL_HARD);
        cancel_request(j->hard, CANCEL_HARD);
    }
    for (size_t i = 0; i < READERS; i++)
        (void)pthread_join(readers[i], NULL);
    queue_close(j->pool.queue);
    (void)pthread_join(spooler, NULL);
    (void)pthread_join(loader, NULL);
}

static void run_job(struct state *s)
{
    struct job *j = xcalloc(1, sizeof *j);
    load_waiting();
    stop = cancel_new();
    j->hard = cancel_new();
    j->lane = open_lane();
    j->options =
        (struct sync_options){ .source_connections = READERS, .row_limit = ROW_LIMIT };
    j->context = (struct plan_context){ .state = s,
                                        .integration = STR("shop"),
                                        .options = &j->options };
    for (uint32_t i = 0; i < TABLES; i++)
        make_table(j, i);
    j->pool =
        (struct reader_pool){ .options = &j->options,
                              .plan = &j->context,
                              .queue = queue_new("t", (size_t)4 << 20, delivery_free),
                              .cancel = stop,
                              .streams = j->streams,
                              .stream_count = TABLES };
    reader_pool_init(&j->pool);
    j->spool = (struct spooler_config){ .queue = j->pool.queue,
                                        .lane = j->lane,
                                        .cancel = j->hard,
                                        .header = { STR("d"), STR("shop"), STR("shop"),
                                                    STR("full") },
                                        .epoch = { CODEC_NULL, 1 << 16 },
                                        .epoch_bytes = (uint64_t)2 << 20,
                                        .epoch_age_us = 3000,
                                        .quarantine_limit = 2 };
    j->loader = (struct loader){
        .lane = j->lane, .cancel = j->hard, .streams = j->streams, .stream_count = TABLES
    };
    job_run_threads(j);
    check_counts(j);
    reader_pool_done(&j->pool);
    queue_free(j->pool.queue);
    lane_close(j->lane);
    for (size_t i = 0; i < TABLES; i++)
        end_stream(&j->streams[i]);
    cancel_free(stop);
    cancel_free(j->hard);
    free(j);
}

static bool content(void)
{
    for (size_t i = 0; i < TABLES; i++)
        if (destination.tables[i].joins < COPIES)
            return false;
    return true;
}

static void i10_every_version_that_joins_is_whole(void **state)
{
    (void)state;
    struct error err = { 0 };
    const char *seed = getenv("TAILRACE_TEST_SEED");
    uint64_t start = (uint64_t)clock_wall_us();
    if (seed != NULL)
        (void)str_to_u64(str_of(seed), &start);
    print_message("# seed %llu\n", (unsigned long long)start);
    atomic_store(&dice, start);
    struct state *s = state_open(root, &err);
    assert_non_null(s);
    int jobs = 0;
    while (!content() && jobs++ < JOBS_MAX)
        run_job(s);
    assert_true(content());
    state_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(i10_every_version_that_joins_is_whole, make_root,
                                        remove_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
