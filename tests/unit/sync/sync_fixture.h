/* tests/unit/sync/sync_fixture.h
 *
 * A folder per test, streams as plan.c makes them but without a catalog, and deliveries
 * made by hand.
 */
#ifndef UNIT_SYNC_FIXTURE_H
#define UNIT_SYNC_FIXTURE_H

#include "avro/schema.h"
#include "base/alloc.h"
#include "base/file.h"
#include "row/position.h"
#include "support/test.h"
#include "sync/delivery.h"
#include "sync/spooler.h"

#define ROW_LIMIT ((size_t)1 << 20)

static char root[64];

static inline int make_root(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof root, "/tmp/tailrace-sync-XXXXXX");
    return mkdtemp(root) == NULL ? -1 : 0;
}

static inline int remove_root(void **state)
{
    (void)state;
    struct error err = { 0 };
    return file_remove_tree(root, &err);
}

static const struct column fixture_columns[] = {
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
};

static inline void add_shape(struct stream *st, struct table_schema *schema)
{
    struct encode_policy policy = { 0 };
    struct buf json;
    buf_init(&json, (size_t)1 << 20);
    avro_schema_write(schema, AVRO_CHANGE, &json);
    struct stream_shape_plan *p = ARENA_NEW(st->arena, struct stream_shape_plan);
    p->schema = schema;
    p->encode = encode_plan_new(schema, &policy);
    p->json = buf_take(&json);
    p->older = st->shape;
    st->shape = p;
}

/* A stream of version 1 of a table with the columns above. */
static inline void make_stream(struct stream *st, uint32_t index, const char *table)
{
    *st = (struct stream){ .index = index };
    pthread_mutex_init(&st->lock, NULL);
    st->arena = arena_new((size_t)64 << 20);
    st->database = STR("db");
    st->table = st->target = str_of(table);
    st->version = 1;
    st->sequence = 1000;
    struct table_schema schema = { .database = st->database,
                                   .name = st->table,
                                   .version = 1,
                                   .column_count = 2,
                                   .key_count = 1,
                                   .columns = fixture_columns };
    add_shape(st, schema_copy(st->arena, &schema));
}

static inline void end_stream(struct stream *st)
{
    for (struct stream_shape_plan *s = st->shape; s != NULL; s = s->older) {
        encode_plan_free(s->encode);
        free(s->json);
    }
    spooler_forget(st);
    arena_free(st->arena);
    pthread_mutex_destroy(&st->lock);
}

static inline void add_key(struct buf *tuple, int64_t id)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)id);
    key_tuple_add(tuple, str_of(text));
}

static inline struct delivery *start_of(struct stream *st, uint64_t version,
                                        struct page_range *ranges, size_t count)
{
    struct delivery *d = delivery_new(DELIVERY_START, st, atomic_load(&st->generation));
    d->shape = st->shape;
    d->ranges = ranges;
    d->range_count = count;
    d->version = version;
    d->sequence = 1000 + (int64_t)version;
    d->resumable = true;
    return d;
}

/* Rows with the ids first .. first + count - 1 of one range. */
static inline struct delivery *rows_of(struct stream *st, uint32_t range, int64_t first,
                                       int64_t count, bool done)
{
    struct delivery *d = delivery_new(DELIVERY_ROWS, st, atomic_load(&st->generation));
    struct row_meta meta = { .op = OP_SNAPSHOT,
                             .sequence = 1001,
                             .at = 1700000000000000 };
    d->shape = st->shape;
    d->block = block_new(st->index, st->shape->schema, ROW_LIMIT);
    d->block->range = range;
    d->block->range_done = done;
    for (int64_t i = first; i < first + count; i++) {
        struct encode_fault fault = { 0 };
        struct value cells[] = { { .as.i = i, .kind = VALUE_INT },
                                 { .kind = VALUE_NULL } };
        if (encode_row(st->shape->encode, d->block, &meta, cells, &fault) != ENCODE_OK)
            fail_msg("%s", fault.reason);
        d->block->source_rows++;
    }
    if (count > 0) {
        d->block->read_at = meta.at;
        add_key(&d->block->after, first + count - 1);
    }
    return d;
}

#endif
