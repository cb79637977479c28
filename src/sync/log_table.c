/* Rows of the log to blocks. See log_table.h. */
#include "sync/log_table.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "spool/quarantine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void log_table_set_shape(struct log_table *t, const struct table_schema *whole)
{
    struct stream_shape_plan *shape = t->stream->shape;
    unsigned count = shape->schema->column_count;
    t->shape = shape;
    t->from = xreallocarray(t->from, count, sizeof *t->from);
    t->cells = xreallocarray(t->cells, count, sizeof *t->cells);
    t->before = xreallocarray(t->before, count, sizeof *t->before);
    for (unsigned i = 0; i < count; i++) {
        const struct column *c = &shape->schema->columns[i];
        t->from[i] = UINT16_MAX;
        for (unsigned k = 0; c->companion == 0 && k < whole->column_count; k++)
            if (str_eq(whole->columns[k].name, c->name))
                t->from[i] = (uint16_t)k;
    }
}

/* The row's cells in the order of the shape. False when a column is missing. */
static bool project(struct log_table *t, const struct value *row)
{
    bool whole = true;
    for (unsigned i = 0; i < t->shape->schema->column_count; i++) {
        if (t->from[i] == UINT16_MAX) {
            t->cells[i] = (struct value){ .kind = VALUE_NULL };
            continue;
        }
        t->cells[i] = row[t->from[i]];
        whole = whole && t->cells[i].kind != VALUE_ABSENT;
    }
    return whole;
}

bool log_table_same_key(const struct log_table *t, const struct log_item *row)
{
    if (t->shape->schema->key_count == 0)
        return false;
    for (unsigned i = 0; i < t->shape->schema->key_count; i++)
        if (!value_same(&row->before[t->from[i]], &row->after[t->from[i]]))
            return false;
    return true;
}

/* --- one image ------------------------------------------------------------------------
 */

static void reject(struct log_table *t, const struct encode_fault *fault, int64_t at)
{
    CLEANUP(buf_done) struct buf record;
    buf_init(&record, (size_t)REJECT_RECORD_LIMIT * 2);
    encode_reject_record(t->shape->schema, t->cells, REJECT_RECORD_LIMIT, &record);
    if (t->rejected == NULL)
        t->rejected = delivery_new(DELIVERY_ROWS, t->stream, 0);
    delivery_reject(t->rejected, fault->column, fault->reason, buf_str(&record), at);
    t->rejected_rows++;
}

/* A row that goes is known by its key, whatever is the matter with its other columns. */
static bool delete_by_key(struct log_table *t, const struct row_meta *meta)
{
    const struct table_schema *s = t->shape->schema;
    struct encode_fault ignored = { 0 };
    if (meta->op != OP_DELETE || s->key_count == 0)
        return false;
    for (unsigned i = s->key_count; i < s->column_count; i++)
        if (t->from[i] != UINT16_MAX)
            t->cells[i] = (struct value){ .kind = VALUE_ABSENT };
    return encode_row(t->shape->encode, t->block, meta, t->cells, &ignored) == ENCODE_OK;
}

struct image {
    enum row_op op;
    const struct value *cells;
    int64_t at;
};

/* The row in t->cells. */
static enum log_taken encode(struct log_table *t, const struct row_meta *meta,
                             size_t row_limit, unsigned *column)
{
    struct encode_fault fault = { 0 };
    if (t->block == NULL)
        t->block = block_new(t->stream->index, t->shape->schema, row_limit);
    enum encode_result result =
        encode_row(t->shape->encode, t->block, meta, t->cells, &fault);
    if (result == ENCODE_PROMOTE) {
        *column = fault.column;
        return LOG_PROMOTE;
    }
    if (result == ENCODE_TOO_BIG)
        fault.column = UINT16_MAX;
    if (result != ENCODE_OK && !delete_by_key(t, meta))
        reject(t, &fault, meta->at);
    t->rows++;
    t->block->source_rows++;
    t->block->read_at = meta->at;
    if (t->block->first_at == 0)
        t->block->first_at = meta->at;
    return LOG_TAKEN;
}

static enum log_taken take_image(struct log_table *t, const struct image *image,
                                 struct log_numbers *numbers, size_t row_limit,
                                 unsigned *column)
{
    struct row_meta meta = { .op = image->op,
                             .sequence = numbers->next,
                             .at = image->at };
    (void)project(t, image->cells);
    enum log_taken taken = encode(t, &meta, row_limit, column);
    numbers->next += taken == LOG_TAKEN ? 1 : 0;
    return taken;
}

enum log_taken log_table_put(struct log_table *t, const struct value *cells,
                             int64_t sequence, int64_t at, size_t row_limit,
                             unsigned *column)
{
    struct row_meta meta = { .op = OP_INSERT, .sequence = sequence, .at = at };
    for (unsigned i = 0; i < t->shape->schema->column_count; i++)
        t->cells[i] =
            t->from[i] == UINT16_MAX ? (struct value){ .kind = VALUE_NULL } : cells[i];
    return encode(t, &meta, row_limit, column);
}

/* May a row of which columns are missing be read again by its key? Where every change is
 * a row of its own, it must be the row as it was then. */
static bool may_be_read_again(const struct log_table *t)
{
    return t->shape->schema->key_count > 0 && t->stream->options.load != LOAD_APPEND;
}

enum log_taken log_table_take(struct log_table *t, const struct log_item *row,
                              struct log_numbers *numbers, size_t row_limit,
                              unsigned *column, const char **why)
{
    struct image before = { OP_DELETE, row->before, row->at };
    struct image after = { OP_INSERT, row->after, row->at };
    bool in_place = false;
    if (row->op == LOG_DELETE)
        return take_image(t, &before, numbers, row_limit, column);
    if (row->op == LOG_UPDATE) {
        in_place = log_table_same_key(t, row) && !row->in_part;
        after.op = in_place ? OP_UPDATE : OP_INSERT;
    }
    bool whole = in_place || project(t, row->after);
    if (!whole && !may_be_read_again(t)) {
        *why = row->op == LOG_INSERT
                   ? "a row was inserted of which the log does not have all columns "
                     "(binlog_row_image)"
                   : "a row was put in the place of another (REPLACE, a change of its "
                     "key), and the log does not have all its columns "
                     "(binlog_row_image)";
        return LOG_UNTAKEN;
    }
    if (row->op == LOG_UPDATE && !in_place && !t->half) {
        enum log_taken taken = take_image(t, &before, numbers, row_limit, column);
        if (taken != LOG_TAKEN)
            return taken;
    }
    if (!whole)
        return LOG_PARTLY;
    enum log_taken taken = take_image(t, &after, numbers, row_limit, column);
    t->half = taken == LOG_PROMOTE && row->op == LOG_UPDATE && !in_place;
    return taken;
}

static bool is_good(const struct value *v)
{
    return v->kind != VALUE_ABSENT && v->kind != VALUE_BAD_DATE &&
           v->kind != VALUE_INVALID;
}

bool log_table_take_acted(struct log_table *t, const struct log_acted *acted,
                          struct log_numbers *numbers, size_t row_limit)
{
    const struct table_schema *s = t->shape->schema;
    struct encode_fault ignored = { 0 };
    struct row_meta meta = { .op = acted->now == NULL ? OP_DELETE : OP_UPDATE,
                             .sequence = numbers->next,
                             .at = acted->at,
                             .before = t->before };
    for (unsigned i = 0; i < s->column_count; i++) {
        bool made = t->from[i] == UINT16_MAX;
        t->cells[i] = (struct value){ .kind = made ? VALUE_NULL : VALUE_ABSENT };
        t->before[i] = (struct value){ .kind = VALUE_NULL };
    }
    for (size_t i = 0; i < acted->count; i++) {
        t->before[acted->columns[i]] = acted->old[i];
        t->cells[acted->columns[i]] = acted->now == NULL ? acted->old[i] : acted->now[i];
        if (!is_good(&acted->old[i]) || !is_good(&t->cells[acted->columns[i]]))
            return false;
    }
    for (unsigned i = 0; i < s->column_count; i++)
        if (t->cells[i].kind == VALUE_ABSENT)
            t->before[i].kind = VALUE_ABSENT;
    if (t->block == NULL)
        t->block = block_new(t->stream->index, s, row_limit);
    if (encode_row(t->shape->encode, t->block, &meta, t->cells, &ignored) != ENCODE_OK)
        return false;
    numbers->next += 2;
    t->block->source_rows++;
    t->block->read_at = acted->at;
    if (t->block->first_at == 0)
        t->block->first_at = acted->at;
    return true;
}

void log_table_drop_rows(struct log_table *t)
{
    block_free(t->block);
    t->block = NULL;
    delivery_free(t->rejected);
    t->rejected = NULL;
    t->rows = t->rejected_rows = t->epoch_rows = t->epoch_rejected = 0;
    t->in_transaction = t->half = t->reread = false;
    t->waiting = 0;
}

void log_table_done(struct log_table *t)
{
    log_table_drop_rows(t);
    free(t->past);
    free(t->from);
    free(t->cells);
    free(t->before);
}
