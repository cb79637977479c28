#include "warehouse/protocol.h"

#include "base/alloc.h"
#include "warehouse/frame.h"
#include "warehouse/protocol_fields.h"

#include <assert.h>

/* A struct that crosses the socket must have a line here for each member. */
#if UINTPTR_MAX == UINT64_MAX
static_assert(sizeof(struct lane_mark) == 72, "a member of lane_mark needs its field");
static_assert(sizeof(struct stream_mark) == 272,
              "a member of stream_mark needs its field");
static_assert(sizeof(struct load_stream) == 72,
              "a member of load_stream needs its field");
static_assert(sizeof(struct load_outcome) == 48, "load_outcome needs its field");
static_assert(sizeof(struct reset_request) == 88, "reset_request needs its field");
#endif

static const struct field lane_fields[] = {
    FIELD(struct lane_mark, integration, FIELD_TEXT),
    FIELD(struct lane_mark, lane, FIELD_TEXT),
    FIELD(struct lane_mark, epoch, FIELD_U64),
    FIELD(struct lane_mark, position, FIELD_TEXT),
    FIELD(struct lane_mark, sequence, FIELD_I64),
    FIELD(struct lane_mark, loaded_at, FIELD_I64),
    { 0 },
};

static const struct field stream_fields[] = {
    FIELD(struct stream_mark, integration, FIELD_TEXT),
    FIELD(struct stream_mark, database, FIELD_TEXT),
    FIELD(struct stream_mark, table, FIELD_TEXT),
    FIELD(struct stream_mark, target, FIELD_TEXT),
    FIELD(struct stream_mark, lane, FIELD_TEXT),
    FIELD(struct stream_mark, state, FIELD_STATE),
    FIELD(struct stream_mark, live_state, FIELD_STATE),
    FIELD(struct stream_mark, live_version, FIELD_U64),
    FIELD(struct stream_mark, copy_version, FIELD_U64),
    FIELD(struct stream_mark, copy_sequence, FIELD_I64),
    FIELD(struct stream_mark, copy_progress, FIELD_TEXT),
    FIELD(struct stream_mark, copy_join, FIELD_JOIN),
    FIELD(struct stream_mark, copy_bookmark, FIELD_TEXT),
    FIELD(struct stream_mark, copied, FIELD_BOOL),
    FIELD(struct stream_mark, held_version, FIELD_U64),
    FIELD(struct stream_mark, held_epoch, FIELD_U64),
    FIELD(struct stream_mark, left_version, FIELD_U64),
    FIELD(struct stream_mark, note, FIELD_TEXT),
    FIELD(struct stream_mark, bookmark, FIELD_TEXT),
    FIELD(struct stream_mark, joined_epoch, FIELD_U64),
    FIELD(struct stream_mark, loaded_at, FIELD_I64),
    FIELD(struct stream_mark, first_read_at, FIELD_I64),
    FIELD(struct stream_mark, last_read_at, FIELD_I64),
    FIELD(struct stream_mark, rows, FIELD_U64),
    FIELD(struct stream_mark, schema_json, FIELD_TEXT),
    { 0 },
};

static const struct field load_stream_fields[] = {
    FIELD(struct load_stream, database, FIELD_TEXT),
    FIELD(struct load_stream, table, FIELD_TEXT),
    FIELD(struct load_stream, applied, FIELD_U64),
    FIELD(struct load_stream, superseded, FIELD_U64),
    FIELD(struct load_stream, known, FIELD_U64),
    FIELD(struct load_stream, derived, FIELD_U64),
    FIELD(struct load_stream, rejected, FIELD_U64),
    { 0 },
};

static const struct field outcome_fields[] = {
    FIELD(struct load_outcome, already_loaded, FIELD_BOOL),
    FIELD(struct load_outcome, failed_stream, FIELD_INT),
    FIELD(struct load_outcome, bytes, FIELD_U64),
    FIELD(struct load_outcome, took_us, FIELD_I64),
    { 0 },
};

static const struct field mark_list_fields[] = {
    FIELD(struct mark_list, destination_id, FIELD_TEXT),
    { 0 },
};

/* ---- requests -------------------------------------------------------------------- */

static const struct field hello_fields[] = {
    FIELD(struct request, format, FIELD_I64),
    FIELD(struct request, path, FIELD_TEXT),
    { 0 },
};

static const struct field marks_fields[] = {
    FIELD(struct request, integration, FIELD_TEXT),
    { 0 },
};

static const struct field load_fields[] = {
    FIELD(struct request, epoch_dir, FIELD_TEXT),
    { 0 },
};

static const struct field reset_fields[] = {
    FIELD(struct request, reset.integration, FIELD_TEXT),
    FIELD(struct request, reset.target_schema, FIELD_TEXT),
    FIELD(struct request, reset.database, FIELD_TEXT),
    FIELD(struct request, reset.table, FIELD_TEXT),
    FIELD(struct request, reset.everything, FIELD_BOOL),
    FIELD(struct request, reset.set_bookmark, FIELD_BOOL),
    FIELD(struct request, reset.bookmark, FIELD_TEXT),
    { 0 },
};

static const struct field query_fields[] = {
    FIELD(struct request, sql, FIELD_TEXT),
    FIELD(struct request, limits.time_us, FIELD_I64),
    FIELD(struct request, limits.rows, FIELD_U64),
    { 0 },
};

static const struct field no_fields[] = { { 0 } };

static const struct {
    const char *name;
    const struct field *fields;
} request_kinds[] = {
    [REQUEST_HELLO] = { "hello", hello_fields },
    [REQUEST_MARKS] = { "marks", marks_fields },
    [REQUEST_LOAD] = { "load", load_fields },
    [REQUEST_RESET] = { "reset", reset_fields },
    [REQUEST_QUERY] = { "query", query_fields },
    [REQUEST_RELEASE] = { "release", no_fields },
};
static_assert(sizeof(request_kinds) / sizeof(request_kinds[0]) == REQUEST_KIND_COUNT,
              "one line for each kind of request");

int request_encode(struct buf *b, const struct request *r, struct error *err)
{
    frame_begin(b);
    buf_printf(b, "{\"do\":\"%s\"", request_kinds[r->kind].name);
    if (fields_encode(b, request_kinds[r->kind].fields, r, true, err) != 0)
        return -1;
    if (r->kind == REQUEST_LOAD) {
        buf_add_text(b, ",\"excluded\":[");
        for (size_t i = 0; r->excluded != NULL && i < r->excluded_count; i++)
            buf_printf(b, "%s%s", i == 0 ? "" : ",", r->excluded[i] ? "true" : "false");
        buf_add_char(b, ']');
    }
    buf_add_char(b, '}');
    return frame_end(b, err);
}

static int decode_excluded(json_t *root, struct arena *a, struct request *out,
                           struct error *err)
{
    json_t *list = json_object_get(root, "excluded");
    size_t count = json_array_size(list);
    if (!json_is_array(list))
        return field_bad("excluded", err);
    if (count == 0)
        return 0;
    bool *excluded = fields_array(a, count, sizeof(*excluded), err);
    if (excluded == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        json_t *one = json_array_get(list, i);
        if (!json_is_boolean(one))
            return field_bad("excluded", err);
        excluded[i] = json_is_true(one);
    }
    out->excluded = excluded;
    out->excluded_count = count;
    return 0;
}

int request_decode(struct str json, struct arena *a, struct request *out,
                   struct error *err)
{
    json_t *root = message_parse(json, err);
    struct request r = { .kind = REQUEST_KIND_COUNT };
    struct str name = { 0 };
    int rc = -1;
    if (root == NULL)
        return -1;
    if (message_text(json_object_get(root, "do"), &name))
        for (unsigned i = 0; i < REQUEST_KIND_COUNT; i++)
            if (str_eq(name, str_of(request_kinds[i].name)))
                r.kind = (enum request_kind)i;
    if (r.kind == REQUEST_KIND_COUNT)
        rc = error_set(err, ERR_PROTOCOL, "an unknown request came to the warehouse");
    else
        rc = fields_decode(root, request_kinds[r.kind].fields, &r, a, err);
    if (rc == 0 && r.kind == REQUEST_LOAD)
        rc = decode_excluded(root, a, &r, err);
    json_decref(root);
    if (rc == 0)
        *out = r;
    return rc;
}

/* ---- replies --------------------------------------------------------------------- */

static const char *const reply_names[] = {
    [REPLY_OK] = "ok",           [REPLY_ERROR] = "error", [REPLY_WAITING] = "waiting",
    [REPLY_COLUMNS] = "columns", [REPLY_ROWS] = "rows",
};

int reply_read(struct str json, struct reply *out, struct error *err)
{
    json_t *root = message_parse(json, err);
    if (root == NULL)
        return -1;
    for (unsigned i = 0; i < sizeof(reply_names) / sizeof(reply_names[0]); i++) {
        json_t *body = json_object_get(root, reply_names[i]);
        if (body == NULL)
            continue;
        *out = (struct reply){ .kind = (enum reply_kind)i, .root = root, .body = body };
        return 0;
    }
    json_decref(root);
    return error_set(err, ERR_PROTOCOL, "an unknown reply came from the warehouse");
}

void reply_done(struct reply *r)
{
    json_decref(r->root); /* NULL is fine */
    *r = (struct reply){ 0 };
}

int reply_encode_ok(struct buf *b, struct error *err)
{
    frame_begin(b);
    buf_add_text(b, "{\"ok\":{}}");
    return frame_end(b, err);
}

int reply_encode_waiting(struct buf *b, struct str holder, struct error *err)
{
    frame_begin(b);
    buf_add_text(b, "{\"waiting\":");
    buf_add_json(b, holder);
    buf_add_char(b, '}');
    return frame_end(b, err);
}

int reply_decode_waiting(const struct reply *r, struct str *holder, struct error *err)
{
    return message_text(r->body, holder) ? 0 : field_bad("waiting", err);
}

/* ---- errors ---------------------------------------------------------------------- */

/* struct error with lengths instead of arrays. */
struct error_message {
    struct str code, text, hint;
    int sys;
    uint64_t remote, row;
    int failed_stream;
};

static const struct field error_fields[] = {
    FIELD(struct error_message, code, FIELD_TEXT),
    FIELD(struct error_message, sys, FIELD_INT),
    FIELD(struct error_message, remote, FIELD_U64),
    FIELD(struct error_message, row, FIELD_U64),
    FIELD(struct error_message, failed_stream, FIELD_INT),
    { 0 },
};

int reply_encode_error(struct buf *b, const struct error *what, int failed_stream,
                       struct error *err)
{
    struct error_message m = { .code = str_of(error_code_name(what->code)),
                               .sys = what->sys,
                               .remote = what->remote,
                               .row = what->row,
                               .failed_stream = failed_stream };
    frame_begin(b);
    buf_add_text(b, "{\"error\":{\"text\":");
    buf_add_json(b, str_of(what->text)); /* may hold bytes of a path: made UTF-8 */
    buf_add_text(b, ",\"hint\":");
    if (what->hint == NULL)
        buf_add_text(b, "null");
    else
        buf_add_json(b, str_of(what->hint));
    if (fields_encode(b, error_fields, &m, true, err) != 0)
        return -1;
    buf_add_text(b, "}}");
    return frame_end(b, err);
}

static enum error_code code_named(struct str name)
{
    for (unsigned i = ERR_NONE + 1; i < ERR_CODE_COUNT; i++)
        if (str_eq(name, str_of(error_code_name((enum error_code)i))))
            return (enum error_code)i;
    return ERR_NONE;
}

int reply_decode_error(const struct reply *r, int *failed_stream, struct error *err)
{
    struct error_message m = { 0 };
    json_t *hint = json_object_get(r->body, "hint");
    if (!message_text(json_object_get(r->body, "text"), &m.text))
        return field_bad("text", err);
    if (!message_text(hint, &m.hint) && !json_is_null(hint))
        return field_bad("hint", err);
    if (fields_decode(r->body, error_fields, &m, NULL, err) != 0)
        return -1;
    enum error_code code = code_named(m.code);
    if (code == ERR_NONE || m.failed_stream < -1 || m.remote > UINT32_MAX)
        return field_bad("code", err);
    (void)error_set(err, code, STR_FMT, STR_ARG(m.text));
    err->sys = m.sys;
    err->remote = (uint32_t)m.remote;
    err->row = m.row;
    err->hint = m.hint.len == 0 ? NULL : protocol_hint(m.hint);
    if (failed_stream != NULL)
        *failed_stream = m.failed_stream;
    return -1;
}

/* ---- marks and loads ------------------------------------------------------------- */

int reply_encode_marks(struct buf *b, const struct mark_list *marks, struct error *err)
{
    frame_begin(b);
    buf_add_text(b, "{\"ok\":{\"lanes\":[");
    if (list_encode(b, lane_fields, marks->lanes, marks->lane_count,
                    sizeof(struct lane_mark), err) != 0)
        return -1;
    buf_add_text(b, "],\"streams\":[");
    if (list_encode(b, stream_fields, marks->streams, marks->stream_count,
                    sizeof(struct stream_mark), err) != 0)
        return -1;
    buf_add_char(b, ']');
    if (fields_encode(b, mark_list_fields, marks, true, err) != 0)
        return -1;
    buf_add_text(b, "}}");
    return frame_end(b, err);
}

int reply_decode_marks(const struct reply *r, struct arena *a, struct mark_list *out,
                       struct error *err)
{
    struct mark_list m = { 0 };
    void *lanes = NULL, *streams = NULL;
    struct field_list lane_list = { "lanes", lane_fields, sizeof(struct lane_mark) };
    struct field_list stream_list = { "streams", stream_fields,
                                      sizeof(struct stream_mark) };
    if (fields_decode(r->body, mark_list_fields, &m, a, err) != 0 ||
        list_decode(r->body, &lane_list, a, &lanes, &m.lane_count, err) != 0 ||
        list_decode(r->body, &stream_list, a, &streams, &m.stream_count, err) != 0)
        return -1;
    m.lanes = lanes;
    m.streams = streams;
    *out = m;
    return 0;
}

int reply_encode_load(struct buf *b, const struct load_outcome *o, struct error *err)
{
    frame_begin(b);
    buf_add_text(b, "{\"ok\":{\"streams\":[");
    if (list_encode(b, load_stream_fields, o->streams, o->stream_count,
                    sizeof(struct load_stream), err) != 0)
        return -1;
    buf_add_char(b, ']');
    if (fields_encode(b, outcome_fields, o, true, err) != 0)
        return -1;
    buf_add_text(b, "}}");
    return frame_end(b, err);
}

int reply_decode_load(const struct reply *r, struct arena *a, struct load_outcome *out,
                      struct error *err)
{
    struct load_outcome o = { 0 };
    void *streams = NULL;
    struct field_list list = { "streams", load_stream_fields,
                               sizeof(struct load_stream) };
    if (fields_decode(r->body, outcome_fields, &o, a, err) != 0 ||
        list_decode(r->body, &list, a, &streams, &o.stream_count, err) != 0)
        return -1;
    o.streams = streams;
    *out = o;
    return 0;
}

/* ---- results of queries ---------------------------------------------------------- */

struct query_end {
    bool truncated;
};

static const struct field query_end_fields[] = {
    FIELD(struct query_end, truncated, FIELD_BOOL),
    { 0 },
};

static const struct field column_fields[] = {
    FIELD(struct query_column, name, FIELD_TEXT),
    FIELD(struct query_column, type, FIELD_TEXT),
    { 0 },
};

int reply_encode_query_end(struct buf *b, bool truncated, struct error *err)
{
    struct query_end end = { .truncated = truncated };
    frame_begin(b);
    buf_add_text(b, "{\"ok\":{");
    if (fields_encode(b, query_end_fields, &end, false, err) != 0)
        return -1;
    buf_add_text(b, "}}");
    return frame_end(b, err);
}

int reply_decode_query_end(const struct reply *r, bool *truncated, struct error *err)
{
    struct query_end end = { 0 };
    if (fields_decode(r->body, query_end_fields, &end, NULL, err) != 0)
        return -1;
    *truncated = end.truncated;
    return 0;
}

int reply_encode_columns(struct buf *b, const struct query_column *columns, size_t count,
                         struct error *err)
{
    frame_begin(b);
    buf_add_text(b, "{\"columns\":[");
    if (list_encode(b, column_fields, columns, count, sizeof(*columns), err) != 0)
        return -1;
    buf_add_text(b, "]}");
    return frame_end(b, err);
}

int reply_decode_columns(const struct reply *r, struct arena *a,
                         struct query_column **columns, size_t *count, struct error *err)
{
    void *out = NULL;
    struct field_list list = { "columns", column_fields, sizeof(**columns) };
    if (list_decode(r->root, &list, a, &out, count, err) != 0)
        return -1;
    *columns = out;
    return 0;
}

void rows_begin(struct buf *b)
{
    frame_begin(b);
    buf_add_text(b, "{\"rows\":[");
}

int rows_add(struct buf *b, const struct str *cells, size_t count, struct error *err)
{
    buf_add_text(b, b->data[b->len - 1] == '[' ? "[" : ",[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(b, ',');
        if (cells[i].ptr == NULL)
            buf_add_text(b, "null");
        else if (str_is_utf8(cells[i]))
            buf_add_json(b, cells[i]);
        else
            return error_set(err, ERR_BUG, "a cell of a result is no UTF-8");
    }
    buf_add_char(b, ']');
    return buf_check(b, "a row of a result", err);
}

int rows_end(struct buf *b, struct error *err)
{
    buf_add_text(b, "]}");
    return frame_end(b, err);
}

static int decode_row(json_t *row, struct str *cells, size_t count, struct error *err)
{
    if (!json_is_array(row) || json_array_size(row) != count)
        return field_bad("rows", err);
    for (size_t i = 0; i < count; i++) {
        json_t *cell = json_array_get(row, i);
        cells[i] = (struct str){ 0 };
        if (!json_is_null(cell) && !message_text(cell, &cells[i]))
            return field_bad("rows", err);
    }
    return 0;
}

int rows_decode(const struct reply *r, const struct query_column *columns, size_t count,
                query_row_fn *fn, void *ctx, struct error *err)
{
    if (!json_is_array(r->body))
        return field_bad("rows", err);
    CLEANUP(free_pointer) struct str *cells = xcalloc(count + 1, sizeof(*cells));
    size_t rows = json_array_size(r->body);
    for (size_t i = 0; i < rows; i++) {
        if (decode_row(json_array_get(r->body, i), cells, count, err) != 0 ||
            fn(ctx, columns, count, cells, err) != 0)
            return -1;
    }
    return 0;
}
