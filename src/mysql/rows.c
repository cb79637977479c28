#include "mysql/rows.h"

#include "base/alloc.h"
#include "mysql/event.h"
#include "mysql/jsonb.h"
#include "mysql/lenenc.h"
#include "mysql/rows_internal.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define BITMAP_BYTES (TABLE_MAP_COLUMNS_MOST / 8)

/* What the head of a rows event takes at most: extra data has two bytes of length. */
#define HEAD_MOST (8u + 65535u + 9u + 2 * BITMAP_BYTES)

/* The table id of an event that only ends a statement. Source: MySQL Server Doxygen,
 * class Rows_event, "dummy event". */
#define NO_TABLE 0xffffffu

/* Value options of a partial update's after image. Source: ibid.,
 * enum_binlog_row_value_options. */
#define PARTIAL_JSON 1u

struct rows_reader {
    struct window *rows; /* borrowed: the event's body, or &unpacked */
    struct window *body; /* borrowed */
    struct window unpacked;
    z_stream z;
    uint64_t unpacked_left;
    bool z_open, z_ended;
    struct rows_head head;
    uint8_t present[2][BITMAP_BYTES]; /* of the first and the second image */
    uint16_t present_count[2];
};

/* ------------------------------------------------------------------ compressed events */

static ssize_t read_unpacked(void *ctx, void *bytes, size_t n, struct error *err)
{
    struct rows_reader *r = ctx;
    if (n > UINT32_MAX)
        n = UINT32_MAX;
    r->z.next_out = bytes;
    r->z.avail_out = (uInt)n;
    while (r->z.avail_out == n && !r->z_ended) {
        int got = window_fill(r->body, 1, err);
        if (got < 0)
            return -1;
        struct str here = window_rest(r->body);
        if (here.len > UINT32_MAX)
            here.len = UINT32_MAX;
        r->z.next_in = (z_const Bytef *)(uintptr_t)here.ptr;
        r->z.avail_in = (uInt)here.len;
        int rc = inflate(&r->z, Z_NO_FLUSH);
        window_skip(r->body, here.len - r->z.avail_in);
        r->z_ended = rc == Z_STREAM_END;
        if (rc != Z_OK && rc != Z_STREAM_END)
            return error_set(err, ERR_PROTOCOL, "compressed rows are damaged");
    }
    size_t made = n - r->z.avail_out;
    if (made > r->unpacked_left || (made == 0 && r->unpacked_left > 0))
        return error_set(err, ERR_PROTOCOL,
                         "compressed rows have another length than "
                         "they say");
    r->unpacked_left -= made;
    return (ssize_t)made;
}

static int begin_unpacking(struct rows_reader *r, struct error *err)
{
    if (window_fill(r->body, 5, err) < 0)
        return -1;
    struct str here = window_rest(r->body);
    struct reader head = reader_over(here);
    if (event_read_compressed_head(&head, &r->unpacked_left, err) != 0)
        return -1;
    window_skip(r->body, (size_t)(head.pos - here.ptr));
    int rc = r->z_open ? inflateReset(&r->z) : inflateInit(&r->z);
    if (rc != Z_OK)
        return error_set(err, ERR_LIMIT, "no memory to unpack rows");
    r->z_open = true;
    r->z_ended = false;
    window_restart(&r->unpacked, (struct byte_source){ .ctx = r, .read = read_unpacked });
    r->rows = &r->unpacked;
    return 0;
}

/* ------------------------------------------------------------------ life */

struct rows_reader *rows_reader_new(size_t row_limit)
{
    struct rows_reader *r = xcalloc(1, sizeof *r);
    struct byte_source source = { .ctx = r, .read = read_unpacked };
    window_init(&r->unpacked, source, row_limit, "a row (row_limit)");
    return r;
}

void rows_reader_free(struct rows_reader *r)
{
    if (r == NULL)
        return;
    window_done(&r->unpacked);
    if (r->z_open)
        (void)inflateEnd(&r->z); /* nobody waits for the rest of the stream */
    free(r);
}

/* ------------------------------------------------------------------ the head */

struct rows_form {
    uint8_t kind;
    bool extra; /* version 2 */
    bool compressed;
    bool partial;
};

static bool form_of(uint8_t type, struct rows_form *f)
{
    *f = (struct rows_form){ 0 };
    if (type >= WRITE_ROWS_EVENT_V1 && type <= DELETE_ROWS_EVENT_V1) {
        f->kind = (uint8_t)(type - WRITE_ROWS_EVENT_V1);
    } else if (type >= WRITE_ROWS_EVENT && type <= DELETE_ROWS_EVENT) {
        f->kind = (uint8_t)(type - WRITE_ROWS_EVENT);
        f->extra = true;
    } else if (type == PARTIAL_UPDATE_ROWS_EVENT) {
        f->kind = ROWS_UPDATE;
        f->extra = f->partial = true;
    } else if (type >= MARIA_WRITE_ROWS_COMPRESSED_EVENT_V1 &&
               type <= MARIA_DELETE_ROWS_COMPRESSED_EVENT) {
        unsigned n = type - (unsigned)MARIA_WRITE_ROWS_COMPRESSED_EVENT_V1;
        f->kind = (uint8_t)(n % 3);
        f->extra = n >= 3;
        f->compressed = true;
    } else {
        return false;
    }
    return true;
}

static void read_present(struct rows_reader *r, unsigned which, struct reader *in)
{
    unsigned count = r->head.column_count;
    struct str bits = reader_bytes(in, (count + 7u) / 8);
    r->present_count[which] = 0;
    if (in->bad)
        return;
    memcpy(r->present[which], bits.ptr, bits.len);
    for (unsigned i = 0; i < count; i++)
        if (r->present[which][i / 8] >> (i % 8) & 1)
            r->present_count[which]++;
}

static void read_head(struct rows_reader *r, const struct rows_form *form,
                      unsigned post_header, struct reader *in)
{
    struct rows_head *h = &r->head;
    *h = (struct rows_head){ .kind = form->kind, .partial = form->partial };
    h->table_id = reader_le(in, post_header == 6 ? 4 : 6);
    h->flags = (uint16_t)reader_le(in, 2);
    if (form->extra) {
        uint64_t extra = reader_le(in, 2); /* counts itself */
        in->bad |= extra < 2;
        if (!in->bad)
            (void)reader_bytes(in, (size_t)extra - 2);
    }
    uint64_t count = lenenc_int(in);
    in->bad |= count > TABLE_MAP_COLUMNS_MOST;
    if (in->bad)
        return;
    h->column_count = (uint16_t)count;
    read_present(r, 0, in);
    if (h->kind == ROWS_UPDATE)
        read_present(r, 1, in);
}

int rows_read_head(struct rows_reader *r, const struct event *e, struct window *body,
                   const struct binlog_format *f, struct rows_head *out,
                   struct error *err)
{
    struct rows_form form;
    uint8_t type = e->header.type;
    if (!form_of(type, &form))
        return error_set(err, ERR_BUG, "a %s has no rows", event_type_name(type));
    r->body = r->rows = body;
    if (window_fill(body, HEAD_MOST, err) < 0)
        return -1;
    struct str here = window_rest(body);
    struct reader in = reader_over(here);
    read_head(r, &form, f->post_header[type], &in);
    if (in.bad)
        return error_set(err, ERR_PROTOCOL, "the head of a %s is damaged",
                         event_type_name(type));
    window_skip(body, (size_t)(in.pos - here.ptr));
    if (r->head.table_id == NO_TABLE && in.pos == in.end)
        r->head.column_count = 0;
    else if (r->head.column_count == 0)
        return error_set(err, ERR_PROTOCOL, "a %s has no columns", event_type_name(type));
    *out = r->head;
    return form.compressed ? begin_unpacking(r, err) : 0;
}

/* ------------------------------------------------------------------ images */

static bool bit(const uint8_t *bits, unsigned i)
{
    return (bits[i / 8] >> (i % 8) & 1) != 0;
}

/* A JSON column of an after image that holds what changed. */
static struct value apply_diff(struct rows_plan *p, unsigned column, struct reader *in)
{
    const struct rows_column *c = &p->columns[column];
    struct str diffs = rows_value_bytes(&c->map, in);
    struct str before = p->before.stored[column];
    if (in->bad || c->cell == NO_CELL)
        return (struct value){ 0 };
    /* An image without the document (binlog_row_image=MINIMAL): what the row holds now is
     * known to nobody but the server. */
    if (before.ptr == NULL)
        return value_of_bytes(VALUE_INVALID, diffs);
    size_t offset = p->scratch.len;
    struct error why = { 0 };
    if (jsonb_apply_diffs(before, diffs, &p->scratch, &why) != 0) {
        if (why.code == ERR_LIMIT)
            p->scratch.failed = true;
        return value_of_bytes(VALUE_INVALID, diffs);
    }
    return rows_made(p, &p->after, c->cell, VALUE_JSON, offset);
}

/* The bits that say which JSON columns of the table are diffs; NULL: none is. */
static const uint8_t *read_value_options(const struct rows_plan *p, struct reader *in)
{
    uint64_t options = lenenc_int(in);
    if (in->bad || (options & PARTIAL_JSON) == 0) {
        in->bad |= options > PARTIAL_JSON;
        return NULL;
    }
    struct str bits = reader_bytes(in, (p->map->json_count + 7u) / 8);
    return (const uint8_t *)bits.ptr;
}

static void read_image(struct rows_reader *r, struct rows_plan *p, unsigned which,
                       struct rows_image *image, struct reader *in)
{
    bool is_partial = r->head.partial && image == &p->after;
    const uint8_t *diffs = is_partial ? read_value_options(p, in) : NULL;
    struct str nulls = reader_bytes(in, (r->present_count[which] + 7u) / 8);
    unsigned nth = 0;
    unsigned json = 0;
    for (unsigned i = 0; i < p->map->column_count && !in->bad; i++) {
        bool is_json = p->map->columns[i].type == MYSQL_TYPE_JSON;
        bool is_diff = is_json && diffs != NULL && bit(diffs, json);
        if (is_json)
            json++;
        if (!bit(r->present[which], i))
            continue;
        bool is_null = bit((const uint8_t *)nulls.ptr, nth++);
        const char *from = in->pos;
        struct value v = { .kind = VALUE_NULL };
        if (!is_null)
            v = is_diff ? apply_diff(p, i, in) : rows_value(p, i, image, in);
        if (i + 1 == p->row_end)
            image->past = rows_value_is_past(
                &p->columns[i].map, (struct str){ from, (size_t)(in->pos - from) });
        if (p->columns[i].cell != NO_CELL)
            image->cells[p->columns[i].cell] = v;
    }
}

static void clear_image(const struct rows_plan *p, struct rows_image *image,
                        struct value *cells)
{
    image->cells = cells;
    image->past = false;
    for (unsigned i = 0; i < p->shape->column_count; i++) {
        cells[i] = (struct value){ .kind = VALUE_ABSENT };
        image->made[i] = false;
    }
    for (unsigned i = 0; i < p->map->column_count; i++)
        image->stored[i] = (struct str){ 0 };
}

/* Scratch has stopped moving. */
static void point_cells(const struct rows_plan *p, const struct rows_image *image)
{
    for (unsigned i = 0; i < p->shape->column_count; i++) {
        struct value *v = &image->cells[i];
        if (image->made[i])
            v->as.bytes = v->len > 0 ? p->scratch.data + v->as.u : "";
    }
}

/* What else may be wrong where only the map was there to go by. */
static const char *unmeasured(const struct rows_plan *p)
{
    for (unsigned i = 0; p->own_shape && i < p->map->column_count; i++)
        if (rows_is_unmeasured(p->map, i))
            return ", or times in MariaDB's form before 10.1 have fractions, of which "
                   "the "
                   "log does not tell";
    return "";
}

/* Decode a row from the bytes in `in`; in->bad when they are not all of it. */
static int read_row(struct rows_reader *r, struct rows_plan *p, struct value *before,
                    struct value *after, struct reader *in, struct error *err)
{
    bool has_before = r->head.kind != ROWS_INSERT;
    bool has_after = r->head.kind != ROWS_DELETE;
    buf_clear(&p->scratch);
    p->damaged = 0;
    clear_image(p, &p->before, before);
    clear_image(p, &p->after, after);
    if (has_before)
        read_image(r, p, 0, &p->before, in);
    if (has_after && !in->bad)
        read_image(r, p, has_before ? 1 : 0, &p->after, in);
    if (in->bad)
        return 0;
    if (buf_check(&p->scratch, "the converted text of a row (row_limit)", err) != 0)
        return -1;
    if (p->damaged != 0)
        return error_set(err, ERR_PROTOCOL,
                         "the value of column %u of '" STR_FMT "' is damaged%s",
                         p->damaged, STR_ARG(p->map->name), unmeasured(p));
    point_cells(p, &p->before);
    point_cells(p, &p->after);
    return 0;
}

bool rows_is_past(const struct rows_plan *p, bool after)
{
    return after ? p->after.past : p->before.past;
}

static int check_event(const struct rows_reader *r, const struct rows_plan *p,
                       struct error *err)
{
    bool is_update = r->head.kind == ROWS_UPDATE;
    if (r->head.column_count != p->map->column_count)
        return error_set(
            err, ERR_PROTOCOL, "rows of '" STR_FMT "' have %u columns, its map %u",
            STR_ARG(p->map->name), r->head.column_count, p->map->column_count);
    if (r->present_count[0] == 0 && (!is_update || r->present_count[1] == 0))
        return error_set(err, ERR_PROTOCOL,
                         "rows of '" STR_FMT "' without any column cannot be counted",
                         STR_ARG(p->map->name));
    return 0;
}

int rows_read_row(struct rows_reader *r, struct rows_plan *p, struct value *before,
                  struct value *after, struct error *err)
{
    if (r->head.column_count == 0)
        return 0;
    if (check_event(r, p, err) != 0)
        return -1;
    for (size_t want = 1;;) {
        int got = window_fill(r->rows, want, err);
        if (got < 0)
            return -1;
        struct str here = window_rest(r->rows);
        if (here.len == 0)
            return 0;
        struct reader in = reader_over(here);
        err->code = ERR_NONE;
        if (read_row(r, p, before, after, &in, err) != 0)
            return -1;
        if (!in.bad) {
            window_skip(r->rows, (size_t)(in.pos - here.ptr));
            return 1;
        }
        if (got == 0)
            return error_set(err, ERR_PROTOCOL, "a row of '" STR_FMT "' is cut off%s",
                             STR_ARG(p->map->name), unmeasured(p));
        want = here.len * 2;
        if (r->rows->limit > here.len && want > r->rows->limit)
            want = r->rows->limit;
    }
}
