#include "mysql/result.h"

#include "mysql/server_error.h"

#include <assert.h>
#include <stddef.h>

#define HEAD_OK 0x00u
#define HEAD_LOCAL_INFILE 0xfbu
#define HEAD_EOF 0xfeu
#define HEAD_ERROR 0xffu

/* An EOF packet is one to five bytes; a row that starts with 0xfe is longer than eight,
 * since 0xfe announces a length of eight bytes. */
#define EOF_MAX_BYTES 9u

uint64_t result_lenenc(struct reader *r, bool *is_null)
{
    uint64_t first = reader_le(r, 1);
    *is_null = false;
    switch (first) {
    case 0xfb:
        *is_null = true;
        return 0;
    case 0xfc:
        return reader_le(r, 2);
    case 0xfd:
        return reader_le(r, 3);
    case 0xfe:
        return reader_le(r, 8);
    case 0xff:
        r->bad = true;
        return 0;
    default:
        return first;
    }
}

struct str result_lenenc_str(struct reader *r)
{
    bool is_null;
    uint64_t n = result_lenenc(r, &is_null);
    if (is_null)
        r->bad = true;
    return reader_bytes(r, (size_t)n);
}

int result_server_error(struct str payload, struct error *err)
{
    struct reader r = reader_over(payload);
    (void)reader_le(&r, 1);
    uint32_t number = (uint32_t)reader_le(&r, 2);
    if (r.bad)
        return error_set(err, ERR_PROTOCOL, "an error packet of %zu bytes", payload.len);
    struct str text = { r.pos, (size_t)(r.end - r.pos) };
    /* '#' and five characters of SQLSTATE, but not in errors before the login. */
    if (text.len >= 6 && text.ptr[0] == '#')
        text = (struct str){ text.ptr + 6, text.len - 6 };
    return server_error_set(err, number, text);
}

int result_read_head(struct packet_stream *p, const struct result_dialect *d,
                     bool of_execute, struct result_head *out, struct error *err)
{
    struct packet packet;
    if (packet_read(p, RESULT_PACKET_LIMIT, &packet, err) != 0)
        return -1;
    struct str s = packet.head;
    if (s.len == 0 || packet.cut)
        return error_set(err, ERR_PROTOCOL, "an answer of %llu bytes to a command",
                         (unsigned long long)packet.size);
    unsigned first = (uint8_t)s.ptr[0];
    if (first == HEAD_ERROR)
        return result_server_error(s, err);
    if (first == HEAD_LOCAL_INFILE)
        return error_set(err, ERR_PROTOCOL, "the server asks for a local file");
    struct reader r = reader_over(s);
    struct result_head head = { .has_definitions = true };
    bool is_null;
    if (first == HEAD_OK) {
        (void)reader_le(&r, 1);
        head.affected_rows = result_lenenc(&r, &is_null);
        (void)result_lenenc(&r, &is_null);
        (void)reader_le(&r, 2);
        head.warnings = (uint16_t)reader_le(&r, 2);
    } else {
        head.column_count = result_lenenc(&r, &is_null);
        if (of_execute && d->cached_metadata)
            head.has_definitions = reader_le(&r, 1) != 0;
        if (head.column_count == 0 || head.column_count > 4096)
            r.bad = true; /* MySQL's and MariaDB's limit is 4,096 columns */
    }
    if (r.bad)
        return error_set(err, ERR_PROTOCOL, "a damaged answer to a command");
    *out = head;
    return 0;
}

/* MariaDB's extended metadata: pairs of a kind and a text. Unknown kinds are passed over.
 */
static void parse_extended(struct arena *a, struct str s, struct result_column *c)
{
    struct reader r = reader_over(s);
    while (r.pos < r.end && !r.bad) {
        uint64_t kind = reader_le(&r, 1);
        struct str value = result_lenenc_str(&r);
        if (r.bad)
            return;
        if (kind == 0)
            c->type_name = arena_str(a, value);
        else if (kind == 1)
            c->format = arena_str(a, value);
    }
}

static int parse_column(struct str payload, const struct result_dialect *d,
                        struct arena *a, struct result_column *c, struct error *err)
{
    struct reader r = reader_over(payload);
    (void)result_lenenc_str(&r); /* catalog: always "def" */
    (void)result_lenenc_str(&r); /* schema */
    (void)result_lenenc_str(&r); /* table alias */
    (void)result_lenenc_str(&r); /* table */
    struct str name = result_lenenc_str(&r);
    (void)result_lenenc_str(&r); /* column, before the alias */
    struct str extended = { 0 };
    if (d->extended_metadata)
        extended = result_lenenc_str(&r);
    uint64_t fixed = reader_le(&r, 1);
    c->collation = (uint16_t)reader_le(&r, 2);
    c->length = (uint32_t)reader_le(&r, 4);
    c->type = (uint8_t)reader_le(&r, 1);
    c->flags = (uint16_t)reader_le(&r, 2);
    c->decimals = (uint8_t)reader_le(&r, 1);
    if (r.bad || fixed != 12)
        return error_set(err, ERR_PROTOCOL, "a damaged column definition");
    c->name = arena_str(a, name);
    if (extended.len > 0)
        parse_extended(a, extended, c);
    return 0;
}

int result_read_columns(struct packet_stream *p, const struct result_dialect *d,
                        struct arena *a, uint64_t count, struct result_column **out,
                        struct error *err)
{
    struct packet packet;
    struct result_column *columns =
        arena_try(a, (count + 1) * sizeof(struct result_column));
    if (columns == NULL)
        return error_set(err, ERR_LIMIT, "%llu columns are too many to hold",
                         (unsigned long long)count);
    for (uint64_t i = 0; i < count; i++) {
        if (packet_read(p, RESULT_PACKET_LIMIT, &packet, err) != 0)
            return -1;
        if (packet.head.len > 0 && (uint8_t)packet.head.ptr[0] == HEAD_ERROR)
            return result_server_error(packet.head, err);
        if (parse_column(packet.head, d, a, &columns[i], err) != 0)
            return -1;
    }
    if (!d->deprecate_eof) {
        if (packet_read(p, RESULT_PACKET_LIMIT, &packet, err) != 0)
            return -1;
        int kind = result_row_kind(&packet, d, err);
        if (kind < 0)
            return -1;
        if (kind == 0)
            return error_set(err, ERR_PROTOCOL,
                             "no end of the column definitions where it was due");
    }
    *out = columns;
    return 0;
}

bool result_columns_equal(const struct result_column *a, const struct result_column *b,
                          unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!str_eq(a[i].name, b[i].name) || !str_eq(a[i].type_name, b[i].type_name) ||
            !str_eq(a[i].format, b[i].format) || a[i].collation != b[i].collation ||
            a[i].type != b[i].type || a[i].flags != b[i].flags ||
            a[i].length != b[i].length || a[i].decimals != b[i].decimals)
            return false;
    return true;
}

int result_row_kind(const struct packet *packet, const struct result_dialect *d,
                    struct error *err)
{
    if (packet->head.len == 0)
        return error_set(err, ERR_PROTOCOL, "an empty packet among rows");
    unsigned first = (uint8_t)packet->head.ptr[0];
    if (first == HEAD_ERROR)
        return result_server_error(packet->head, err);
    /* With CLIENT_DEPRECATE_EOF the end is an OK packet behind 0xfe, which may be longer.
     */
    uint64_t longest = d->deprecate_eof ? 0xffffff : EOF_MAX_BYTES;
    return first == HEAD_EOF && packet->size < longest ? 1 : 0;
}

/* One text row into the arena: a string per cell, ptr NULL for NULL. */
static int store_row(struct arena *a, struct str payload, unsigned columns,
                     struct str *cells, struct error *err)
{
    struct reader r = reader_over(payload);
    for (unsigned i = 0; i < columns; i++) {
        bool is_null;
        uint64_t n = result_lenenc(&r, &is_null);
        struct str s = reader_bytes(&r, (size_t)n);
        if (r.bad)
            return error_set(err, ERR_PROTOCOL, "a damaged row of a control query");
        if (is_null) {
            cells[i] = (struct str){ 0 };
            continue;
        }
        char *copy = arena_try(a, s.len + 1);
        if (copy == NULL)
            return error_set(err, ERR_LIMIT,
                             "the result of a control query is too large");
        if (s.len > 0)
            memcpy(copy, s.ptr, s.len);
        cells[i] = (struct str){ copy, s.len };
    }
    return 0;
}

/* Where the cells of a text result collect. */
struct cell_store {
    struct arena *arena; /* borrowed; NULL: nobody wants them */
    struct str *cells;   /* in the arena */
    size_t room;         /* cells that fit */
    size_t limit;        /* bytes of the result, for the error's text */
};

/* Cells grow by doubling; the old array stays in the arena until that ends. */
static bool grow_cells(struct cell_store *store, size_t used, size_t more)
{
    if (store->cells != NULL && used + more <= store->room)
        return true;
    size_t wanted = (used + more) * 2;
    struct str *grown = arena_try(store->arena, wanted * sizeof *grown);
    if (grown == NULL)
        return false;
    if (store->cells != NULL && used > 0)
        memcpy(grown, store->cells, used * sizeof *grown);
    store->cells = grown;
    store->room = wanted;
    return true;
}

/* Keep one row, or note in *kept why that was not possible. */
static void keep_row(struct cell_store *store, const struct packet *packet,
                     struct session_result *got, struct error *kept)
{
    size_t used = got->row_count * got->column_count;
    assert(got->column_count > 0);
    if (packet->cut || !grow_cells(store, used, got->column_count)) {
        error_set(kept, ERR_LIMIT, "a control query returned more than %zu bytes",
                  store->limit);
        return;
    }
    got->cells = store->cells;
    if (store_row(store->arena, packet->head, got->column_count, store->cells + used,
                  kept) == 0)
        got->row_count++;
}

int result_read_rows(struct packet_stream *p, const struct result_dialect *d,
                     struct arena *a, size_t limit, struct session_result *got,
                     struct error *err)
{
    struct error kept = { 0 };
    struct packet packet;
    uint64_t bytes = 0;
    struct cell_store store = { .arena = a, .limit = limit };
    for (;;) {
        if (packet_read(p, limit, &packet, err) != 0)
            return -1;
        int kind = result_row_kind(&packet, d, err);
        if (kind < 0)
            return -1;
        if (kind > 0)
            break;
        bytes += packet.size;
        if (kept.code == ERR_NONE && bytes > limit)
            error_set(&kept, ERR_LIMIT, "a control query returned more than %zu bytes",
                      limit);
        if (kept.code == ERR_NONE && a != NULL)
            keep_row(&store, &packet, got, &kept);
    }
    if (kept.code != ERR_NONE) {
        *err = kept;
        return -1;
    }
    return 0;
}
