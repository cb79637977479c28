/* Any bytes as a message to or from the owner of a database: refused with an error, or
 * decoded to something that encodes and decodes to the same again. The first byte says
 * which. */
#include "warehouse/frame.h"
#include "warehouse/protocol.h"

#include <stdlib.h>

#define REQUIRE(condition) \
    do {                   \
        if (!(condition))  \
            abort();       \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str json_of(const struct buf *b)
{
    return (struct str){ b->data + FRAME_HEAD_BYTES, b->len - FRAME_HEAD_BYTES };
}

static void try_request(struct str json, struct arena *a, struct buf *b)
{
    struct error err = { 0 };
    struct request r = { 0 }, again = { 0 };
    if (request_decode(json, a, &r, &err) != 0) {
        REQUIRE(err.code == ERR_PROTOCOL || err.code == ERR_LIMIT);
        return;
    }
    REQUIRE(request_encode(b, &r, &err) == 0);
    REQUIRE(request_decode(json_of(b), a, &again, &err) == 0 || err.code == ERR_LIMIT);
    REQUIRE(err.code == ERR_LIMIT ||
            (again.kind == r.kind && str_eq(again.sql, r.sql) &&
             str_eq(again.epoch_dir, r.epoch_dir) && again.limits.rows == r.limits.rows &&
             again.excluded_count == r.excluded_count));
}

static int take_row(void *ctx, const struct query_column *columns, size_t count,
                    const struct str *cells, struct error *err)
{
    struct buf *b = ctx;
    (void)columns;
    rows_begin(b);
    return rows_add(b, cells, count, err);
}

static void try_reply(struct str json, struct arena *a, struct buf *b)
{
    struct error err = { 0 }, ignored = { 0 };
    struct reply reply = { 0 };
    struct mark_list marks = { 0 };
    struct load_outcome outcome = { 0 };
    struct query_column *columns = NULL;
    struct str holder;
    size_t count = 0;
    bool truncated = false;
    int failed = -1;
    if (reply_read(json, &reply, &err) != 0) {
        REQUIRE(err.code == ERR_PROTOCOL);
        return;
    }
    REQUIRE(reply_decode_error(&reply, &failed, &err) == -1 && err.code != ERR_NONE);
    if (reply_decode_marks(&reply, a, &marks, &ignored) == 0)
        REQUIRE(reply_encode_marks(b, &marks, &ignored) == 0);
    if (reply_decode_load(&reply, a, &outcome, &ignored) == 0)
        REQUIRE(reply_encode_load(b, &outcome, &ignored) == 0);
    if (reply_decode_columns(&reply, a, &columns, &count, &ignored) == 0)
        REQUIRE(reply_encode_columns(b, columns, count, &ignored) == 0);
    (void)reply_decode_waiting(&reply, &holder, &ignored);
    (void)reply_decode_query_end(&reply, &truncated, &ignored);
    (void)rows_decode(&reply, columns, 2, take_row, b, &ignored);
    reply_done(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct str json = { (const char *)data + 1, size - 1 };
    struct arena *a = arena_new((size_t)1 << 20);
    struct buf b;
    buf_init(&b, FRAME_LIMIT_BYTES);
    if ((data[0] & 1) != 0)
        try_request(json, a, &b);
    else
        try_reply(json, a, &b);
    buf_done(&b);
    arena_free(a);
    return 0;
}
