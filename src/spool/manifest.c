#include "spool/manifest.h"

#include "spool/manifest_internal.h"

#include <inttypes.h>
#include <jansson.h>
#include <xxhash.h>

/* The end of every manifest: these bytes around 16 hexadecimal digits. */
#define TAIL_BEFORE ",\n\"xxh3\": \""
#define TAIL_AFTER "\"}\n"
#define TAIL_BYTES (sizeof(TAIL_BEFORE) - 1 + 16 + sizeof(TAIL_AFTER) - 1)

#define ACTION_MASK                                                                \
    (ACTION_BEGIN | ACTION_JOIN | ACTION_ABANDON | ACTION_HOLD | ACTION_TRUNCATE | \
     ACTION_PARK | ACTION_GONE | ACTION_COPIED)

/* What only a stream of changes can have. */
#define ACTIONS_OF_CHANGES (ACTION_HOLD | ACTION_TRUNCATE | ACTION_PARK | ACTION_GONE)

static const char *const kind_names[] = { "rows", "rejects" };

bool join_changes_live(enum join_kind join)
{
    return join == JOIN_MERGE || join == JOIN_NEW || join == JOIN_SWEEP;
}

/* ---- writing ------------------------------------------------------------------------
 */

static void put_text(struct buf *out, const char *name, struct str value)
{
    buf_printf(out, "\"%s\": ", name);
    buf_add_json(out, value);
}

/* jansson's integers are signed: what passes them is written as text. */
static void put_u64(struct buf *out, const char *name, uint64_t value)
{
    const char *quote = value > INT64_MAX ? "\"" : "";
    buf_printf(out, "\"%s\": %s%" PRIu64 "%s", name, quote, value, quote);
}

static void put_i64(struct buf *out, const char *name, int64_t value)
{
    buf_printf(out, "\"%s\": %" PRId64, name, value);
}

static void next(struct buf *out)
{
    buf_add_text(out, ", ");
}

static void put_counts(struct buf *out, const struct epoch_counts *c)
{
    buf_add_text(out, "\"counts\": {");
    put_u64(out, "read", c->read);
    next(out);
    put_u64(out, "encoded", c->encoded);
    next(out);
    put_u64(out, "filtered", c->filtered);
    next(out);
    put_u64(out, "quarantined", c->quarantined);
    next(out);
    put_u64(out, "null_by_policy", c->null_by_policy);
    next(out);
    put_u64(out, "source_bytes", c->source_bytes);
    buf_add_char(out, '}');
}

/* Only where there are any. */
static void put_changes(struct buf *out, const struct manifest_stream *s)
{
    buf_printf(out, "\"changes\": true, \"held\": %s, \"append\": %s, ",
               s->held ? "true" : "false", s->append ? "true" : "false");
    if (s->held_limit > 0) {
        put_u64(out, "held_limit", s->held_limit);
        next(out);
    }
    put_u64(out, "deletes", s->deletes);
    next(out);
    put_i64(out, "cut", s->cut);
    next(out);
    put_i64(out, "truncated_at", s->truncated_at);
    next(out);
    put_text(out, "reason", s->reason);
    next(out);
    if (s->rows_of == 0)
        return;
    put_u64(out, "rows_of", s->rows_of);
    next(out);
}

/* Only where there are any. */
static void put_fills(struct buf *out, const struct manifest_stream *s)
{
    if (s->fill_count == 0)
        return;
    buf_add_text(out, "\"fills\": [");
    for (size_t i = 0; i < s->fill_count; i++) {
        const struct manifest_fill *f = &s->fills[i];
        buf_add_text(out, i > 0 ? ", {" : "{");
        put_text(out, "column", f->column);
        next(out);
        put_text(out, f->from.len > 0 ? "from" : "value",
                 f->from.len > 0 ? f->from : f->value);
        buf_add_char(out, '}');
    }
    buf_add_text(out, "], ");
}

static void put_stream(struct buf *out, const struct manifest_stream *s)
{
    put_text(out, "database", s->database);
    next(out);
    put_text(out, "table", s->table);
    next(out);
    put_text(out, "target", s->target);
    next(out);
    put_u64(out, "version", s->version);
    next(out);
    put_i64(out, "sequence", s->sequence);
    next(out);
    put_u64(out, "actions", s->actions);
    next(out);
    put_u64(out, "join", s->join);
    next(out);
    put_u64(out, "live_version", s->live_version);
    next(out);
    put_text(out, "bookmark", s->bookmark);
    next(out);
    buf_printf(out, "\"keyless\": %s, ", s->keyless ? "true" : "false");
    if (s->changes)
        put_changes(out, s);
    if (s->kept_count > 0) {
        buf_add_text(out, "\"kept\": [");
        for (size_t i = 0; i < s->kept_count; i++) {
            if (i > 0)
                next(out);
            buf_add_json(out, s->kept[i]);
        }
        buf_add_text(out, "], ");
    }
    put_fills(out, s);
    put_text(out, "progress", s->progress);
    next(out);
    put_counts(out, &s->counts);
    next(out);
    put_i64(out, "first_read_at", s->first_read_at);
    next(out);
    put_i64(out, "last_read_at", s->last_read_at);
}

static void put_shape(struct buf *out, const struct manifest_shape *s)
{
    put_u64(out, "stream", s->stream);
    next(out);
    put_u64(out, "version", s->version);
    next(out);
    put_text(out, "schema", s->schema_json);
}

static void put_segment(struct buf *out, const struct manifest_segment *s)
{
    put_text(out, "kind", str_of(kind_names[s->kind]));
    next(out);
    put_u64(out, "stream", s->stream);
    next(out);
    put_u64(out, "shape", s->shape);
    next(out);
    put_u64(out, "file", s->file);
    next(out);
    put_u64(out, "offset", s->offset);
    next(out);
    put_u64(out, "bytes", s->bytes);
    next(out);
    put_u64(out, "rows", s->rows);
}

static void put_file(struct buf *out, const struct manifest_file *f)
{
    put_text(out, "name", f->name);
    next(out);
    put_u64(out, "bytes", f->bytes);
    next(out);
    buf_printf(out, "\"xxh3\": \"%016" PRIx64 "\"", f->hash);
}

static void put_header(struct buf *out, const struct manifest *m)
{
    buf_printf(out, "{\"format\": %d,\n", MANIFEST_FORMAT);
    put_text(out, "destination_id", m->destination_id);
    next(out);
    put_text(out, "integration", m->integration);
    next(out);
    put_text(out, "target_schema", m->target_schema);
    buf_add_text(out, ",\n");
    put_text(out, "lane", m->lane);
    next(out);
    put_u64(out, "number", m->number);
    next(out);
    put_text(out, "from", m->from);
    next(out);
    put_text(out, "to", m->to);
    next(out);
    put_i64(out, "sequence_base", m->sequence_base);
    next(out);
    put_i64(out, "captured_at", m->captured_at);
}

/* Between the entries of an array, and around them: one entry a line. */
static void entry_begin(struct buf *out, size_t i)
{
    buf_add_text(out, i == 0 ? "\n {" : ",\n {");
}

void manifest_write(const struct manifest *m, struct buf *out)
{
    put_header(out, m);
    buf_add_text(out, ",\n\"streams\": [");
    for (size_t i = 0; i < m->stream_count; i++) {
        entry_begin(out, i);
        put_stream(out, &m->streams[i]);
        buf_add_char(out, '}');
    }
    buf_add_text(out, "],\n\"shapes\": [");
    for (size_t i = 0; i < m->shape_count; i++) {
        entry_begin(out, i);
        put_shape(out, &m->shapes[i]);
        buf_add_char(out, '}');
    }
    buf_add_text(out, "],\n\"segments\": [");
    for (size_t i = 0; i < m->segment_count; i++) {
        entry_begin(out, i);
        put_segment(out, &m->segments[i]);
        buf_add_char(out, '}');
    }
    buf_add_text(out, "],\n\"files\": [");
    for (size_t i = 0; i < m->file_count; i++) {
        entry_begin(out, i);
        put_file(out, &m->files[i]);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
    manifest_close(out);
}

void manifest_close(struct buf *out)
{
    struct str body = buf_str(out);
    uint64_t hash = XXH3_64bits(body.ptr, body.len);
    buf_printf(out, TAIL_BEFORE "%016" PRIx64 TAIL_AFTER, hash);
}

/* ---- reading ------------------------------------------------------------------------
 */

/* Fails sticky, like struct reader: the first trouble is kept, what follows reads zeros.
 */
struct reading {
    struct arena *a;
    struct error *err;
    bool failed;
    const char *list; /* "streams"; NULL for the manifest's own members */
    size_t entry;
};

static void damaged(struct reading *r, const char *name, const char *what)
{
    if (r->failed)
        return;
    r->failed = true;
    if (r->list == NULL)
        error_set(r->err, ERR_PROTOCOL, "the manifest is damaged: '%s' %s", name, what);
    else
        error_set(r->err, ERR_PROTOCOL, "the manifest is damaged: '%s' of %s[%zu] %s",
                  name, r->list, r->entry, what);
}

static void *take(struct reading *r, size_t bytes)
{
    if (r->failed)
        return NULL;
    void *p = arena_try(r->a, bytes);
    if (p == NULL) {
        r->failed = true;
        error_set(r->err, ERR_LIMIT, "the manifest needs more memory than it may take");
    }
    return p;
}

static struct str text_of(struct reading *r, const json_t *v, const char *name)
{
    if (!json_is_string(v)) {
        damaged(r, name, "is no text");
        return (struct str){ 0 };
    }
    size_t len = json_string_length(v);
    char *copy = take(r, len + 1);
    if (copy == NULL)
        return (struct str){ 0 };
    memcpy(copy, json_string_value(v), len);
    return (struct str){ copy, len };
}

static struct str read_text(struct reading *r, const json_t *object, const char *name)
{
    return text_of(r, json_object_get(object, name), name);
}

static uint64_t read_u64(struct reading *r, const json_t *object, const char *name,
                         uint64_t max)
{
    const json_t *v = json_object_get(object, name);
    uint64_t n = 0;
    bool good = false;
    if (json_is_integer(v)) {
        json_int_t i = json_integer_value(v);
        good = i >= 0;
        n = (uint64_t)i;
    } else if (json_is_string(v)) {
        struct str text = { json_string_value(v), json_string_length(v) };
        good = str_to_u64(text, &n);
    }
    if (!good || n > max) {
        damaged(r, name, "is no number in its range");
        return 0;
    }
    return n;
}

static int64_t read_i64(struct reading *r, const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    if (!json_is_integer(v)) {
        damaged(r, name, "is no number");
        return 0;
    }
    return json_integer_value(v);
}

static bool read_bool(struct reading *r, const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    if (!json_is_boolean(v))
        damaged(r, name, "is neither true nor false");
    return json_is_true(v);
}

/* Sixteen lower-case hexadecimal digits. */
static bool hash_parse(struct str text, uint64_t *out)
{
    uint64_t n = 0;
    if (text.len != 16)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c >= '0' && c <= '9')
            n = n << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            n = n << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *out = n;
    return true;
}

static uint64_t read_hash(struct reading *r, const json_t *object, const char *name)
{
    uint64_t n = 0;
    const json_t *v = json_object_get(object, name);
    if (!json_is_string(v) ||
        !hash_parse((struct str){ json_string_value(v), json_string_length(v) }, &n))
        damaged(r, name, "is no hash");
    return n;
}

/* Left out where there are none. */
static void read_kept(struct reading *r, const json_t *o, struct manifest_stream *s)
{
    const json_t *list = json_object_get(o, "kept");
    size_t count = json_array_size(list);
    if (list == NULL)
        return;
    if (!json_is_array(list)) {
        damaged(r, "kept", "is no list");
        return;
    }
    struct str *names = take(r, (count + 1) * sizeof(*names));
    for (size_t i = 0; names != NULL && i < count && !r->failed; i++)
        names[i] = text_of(r, json_array_get(list, i), "kept");
    s->kept = names;
    s->kept_count = names == NULL ? 0 : count;
}

/* Left out where there are none. */
static void read_fills(struct reading *r, const json_t *o, struct manifest_stream *s)
{
    const json_t *list = json_object_get(o, "fills");
    size_t count = json_array_size(list);
    if (list == NULL)
        return;
    if (!json_is_array(list) || !s->changes || s->held) {
        damaged(r, "fills", "are none of a live table");
        return;
    }
    struct manifest_fill *fills = take(r, (count + 1) * sizeof(*fills));
    for (size_t i = 0; fills != NULL && i < count && !r->failed; i++) {
        const json_t *f = json_array_get(list, i);
        fills[i].column = read_text(r, f, "column");
        if (json_object_get(f, "from") != NULL)
            fills[i].from = read_text(r, f, "from");
        else
            fills[i].value = read_text(r, f, "value");
    }
    s->fills = fills;
    s->fill_count = fills == NULL ? 0 : count;
}

/* A stream that changes rows of its live table gathers them under that version. */
static void read_join(struct reading *r, const json_t *o, struct manifest_stream *s)
{
    s->join = (enum join_kind)read_u64(r, o, "join", JOIN_LOG);
    s->live_version = read_u64(r, o, "live_version", UINT64_MAX);
    s->bookmark = read_text(r, o, "bookmark");
    if (join_changes_live(s->join) &&
        (s->live_version == 0 || s->live_version != s->version))
        damaged(r, "live_version", "is not the version that its rows change");
}

/* What goes together: a copy that the log will follow ends as copied and joins elsewhere,
 * changes follow one that began elsewhere. */
static void check_log(struct reading *r, const struct manifest_stream *s)
{
    unsigned no = s->changes            ? ACTION_BEGIN | ACTION_COPIED
                  : s->join == JOIN_LOG ? ACTIONS_OF_CHANGES | ACTION_JOIN
                                        : ACTIONS_OF_CHANGES | ACTION_COPIED;
    unsigned both = ACTION_PARK | ACTION_GONE;
    if ((s->actions & no) != 0 || (s->actions & both) == both)
        damaged(r, "actions", "do not fit its kind");
    if (s->changes && (s->join != JOIN_LOG || s->version == 0))
        damaged(r, "join", "is not what changes have");
    if ((s->actions & ACTION_HOLD) != 0 && !s->held)
        damaged(r, "held", "is not true where holding begins");
}

/* Left out where its rows are no changes. */
static void read_changes(struct reading *r, const json_t *o, struct manifest_stream *s)
{
    if (json_object_get(o, "changes") != NULL) {
        s->changes = read_bool(r, o, "changes");
        s->held = read_bool(r, o, "held");
        s->append = read_bool(r, o, "append");
        if (json_object_get(o, "held_limit") != NULL)
            s->held_limit = read_u64(r, o, "held_limit", UINT64_MAX);
        s->deletes = (enum delete_way)read_u64(r, o, "deletes", DELETE_REMOVE);
        s->cut = read_i64(r, o, "cut");
        s->truncated_at = read_i64(r, o, "truncated_at");
        s->reason = read_text(r, o, "reason");
    }
    if (json_object_get(o, "rows_of") != NULL)
        s->rows_of = (uint32_t)read_u64(r, o, "rows_of", r->entry);
    check_log(r, s);
}

/* Rows are shared by the two versions of one table: each is held for the newer one. */
static void check_shared(struct reading *r, const struct manifest *m,
                         const struct manifest_stream *s)
{
    if (s->rows_of == 0 || r->failed)
        return;
    const struct manifest_stream *of = &m->streams[s->rows_of - 1];
    if (!s->changes || s->held || !of->changes || !of->held || of->rows_of != 0 ||
        of->version <= s->version || of->keyless != s->keyless || s->counts.read != 0 ||
        !str_eq(of->table, s->table) || !str_eq(of->database, s->database))
        damaged(r, "rows_of", "names no stream that it can share rows with");
}

static void read_stream(struct reading *r, const json_t *o, struct manifest_stream *s)
{
    s->database = read_text(r, o, "database");
    s->table = read_text(r, o, "table");
    s->target = read_text(r, o, "target");
    s->version = read_u64(r, o, "version", UINT64_MAX);
    s->sequence = read_i64(r, o, "sequence");
    s->actions = (unsigned)read_u64(r, o, "actions", ACTION_MASK);
    read_join(r, o, s);
    s->keyless = read_bool(r, o, "keyless");
    read_changes(r, o, s);
    read_kept(r, o, s);
    read_fills(r, o, s);
    s->progress = read_text(r, o, "progress");
    s->first_read_at = read_i64(r, o, "first_read_at");
    s->last_read_at = read_i64(r, o, "last_read_at");
    const json_t *counts = json_object_get(o, "counts");
    struct epoch_counts *c = &s->counts;
    c->read = read_u64(r, counts, "read", INT64_MAX);
    c->encoded = read_u64(r, counts, "encoded", INT64_MAX);
    c->filtered = read_u64(r, counts, "filtered", INT64_MAX);
    c->quarantined = read_u64(r, counts, "quarantined", INT64_MAX);
    c->null_by_policy = read_u64(r, counts, "null_by_policy", INT64_MAX);
    c->source_bytes = read_u64(r, counts, "source_bytes", INT64_MAX);
    /* Three numbers below 2^63 may pass 2^64 in sum: take them off one by one. */
    uint64_t rest = c->read;
    const uint64_t parts[] = { c->encoded, c->filtered, c->quarantined };
    for (size_t i = 0; i < 3; i++) {
        if (parts[i] > rest) {
            damaged(r, "counts", "does not add up");
            return;
        }
        rest -= parts[i];
    }
    if (rest != 0)
        damaged(r, "counts", "does not add up");
}

static void read_shape(struct reading *r, const json_t *o, const struct manifest *m,
                       struct manifest_shape *s)
{
    s->stream = (uint32_t)read_u64(r, o, "stream", UINT32_MAX);
    s->version = (uint32_t)read_u64(r, o, "version", UINT32_MAX);
    s->schema_json = read_text(r, o, "schema");
    if (s->stream >= m->stream_count)
        damaged(r, "stream", "names no stream");
}

static bool is_plain_name(struct str name)
{
    return name.len > 0 && name.len <= 255 && name.ptr[0] != '.' &&
           memchr(name.ptr, '/', name.len) == NULL &&
           memchr(name.ptr, '\0', name.len) == NULL;
}

static void read_file(struct reading *r, const json_t *o, struct manifest_file *f)
{
    f->name = read_text(r, o, "name");
    f->bytes = read_u64(r, o, "bytes", INT64_MAX);
    f->hash = read_hash(r, o, "xxh3");
    if (!is_plain_name(f->name) || str_eq(f->name, STR(MANIFEST_FILE)))
        damaged(r, "name", "is no file of an epoch");
}

static bool has_shape(const struct manifest *m, uint32_t stream, uint32_t version)
{
    for (size_t i = 0; i < m->shape_count; i++)
        if (m->shapes[i].stream == stream && m->shapes[i].version == version)
            return true;
    return false;
}

static void read_segment(struct reading *r, const json_t *o, const struct manifest *m,
                         struct manifest_segment *s)
{
    struct str kind = read_text(r, o, "kind");
    if (str_eq(kind, str_of(kind_names[SEGMENT_REJECTS])))
        s->kind = SEGMENT_REJECTS;
    else if (!str_eq(kind, str_of(kind_names[SEGMENT_ROWS])))
        damaged(r, "kind", "is unknown");
    s->stream = (uint32_t)read_u64(r, o, "stream", UINT32_MAX);
    s->shape = (uint32_t)read_u64(r, o, "shape", UINT32_MAX);
    s->file = (uint32_t)read_u64(r, o, "file", UINT32_MAX);
    s->offset = read_u64(r, o, "offset", INT64_MAX);
    s->bytes = read_u64(r, o, "bytes", INT64_MAX);
    s->rows = read_u64(r, o, "rows", INT64_MAX);
    if (s->stream >= m->stream_count)
        damaged(r, "stream", "names no stream");
    else if (s->kind == SEGMENT_ROWS && !has_shape(m, s->stream, s->shape))
        damaged(r, "shape", "names no shape");
    if (s->file >= m->file_count)
        damaged(r, "file", "names no file");
    else if (s->bytes == 0 || s->offset > m->files[s->file].bytes ||
             s->bytes > m->files[s->file].bytes - s->offset)
        damaged(r, "bytes", "lies outside of its file");
}

/* The list's entries, and memory for what they become, `size` bytes each. */
static void *begin_list(struct reading *r, const json_t *root, const char *name,
                        size_t size, size_t *count)
{
    const json_t *list = json_object_get(root, name);
    r->list = NULL;
    if (!json_is_array(list)) {
        damaged(r, name, "is no list");
        return NULL;
    }
    void *memory = take(r, (json_array_size(list) + 1) * size);
    if (memory != NULL)
        *count = json_array_size(list);
    r->list = name;
    return memory;
}

static const json_t *list_entry(struct reading *r, const json_t *root, size_t i)
{
    r->entry = i;
    return json_array_get(json_object_get(root, r->list), i);
}

static void read_header(struct reading *r, const json_t *root, struct manifest *m)
{
    m->destination_id = read_text(r, root, "destination_id");
    m->integration = read_text(r, root, "integration");
    m->target_schema = read_text(r, root, "target_schema");
    m->lane = read_text(r, root, "lane");
    m->number = read_u64(r, root, "number", INT64_MAX);
    m->from = read_text(r, root, "from");
    m->to = read_text(r, root, "to");
    m->sequence_base = read_i64(r, root, "sequence_base");
    m->captured_at = read_i64(r, root, "captured_at");
    if (m->number == 0)
        damaged(r, "number", "is zero");
}

/* What the segments hold is what the streams count. */
static void check_rows(struct reading *r, const struct manifest *m)
{
    uint64_t *left = take(r, (m->stream_count + 1) * 2 * sizeof(*left));
    if (left == NULL)
        return;
    for (size_t i = 0; i < m->stream_count; i++) {
        left[2 * i] = m->streams[i].counts.encoded;
        left[2 * i + 1] = m->streams[i].counts.quarantined;
    }
    r->list = "segments";
    for (size_t i = 0; i < m->segment_count; i++) {
        const struct manifest_segment *s = &m->segments[i];
        uint64_t *of = &left[2 * s->stream + (s->kind == SEGMENT_REJECTS ? 1 : 0)];
        r->entry = i;
        if (s->rows > *of) {
            damaged(r, "rows", "is more than the stream counts");
            return;
        }
        *of -= s->rows;
    }
    r->list = "streams";
    for (size_t i = 0; i < m->stream_count; i++) {
        r->entry = i;
        if (left[2 * i] != 0 || left[2 * i + 1] != 0)
            damaged(r, "counts", "is more than the segments hold");
    }
}

static void read_members(struct reading *r, const json_t *root, struct manifest *m)
{
    read_header(r, root, m);
    m->streams = begin_list(r, root, "streams", sizeof(*m->streams), &m->stream_count);
    for (size_t i = 0; !r->failed && i < m->stream_count; i++) {
        read_stream(r, list_entry(r, root, i), &m->streams[i]);
        check_shared(r, m, &m->streams[i]);
    }
    m->shapes = begin_list(r, root, "shapes", sizeof(*m->shapes), &m->shape_count);
    for (size_t i = 0; !r->failed && i < m->shape_count; i++)
        read_shape(r, list_entry(r, root, i), m, &m->shapes[i]);
    m->files = begin_list(r, root, "files", sizeof(*m->files), &m->file_count);
    for (size_t i = 0; !r->failed && i < m->file_count; i++)
        read_file(r, list_entry(r, root, i), &m->files[i]);
    m->segments =
        begin_list(r, root, "segments", sizeof(*m->segments), &m->segment_count);
    for (size_t i = 0; !r->failed && i < m->segment_count; i++)
        read_segment(r, list_entry(r, root, i), m, &m->segments[i]);
    if (!r->failed)
        check_rows(r, m);
}

static bool tail_is_right(struct str json)
{
    if (json.len < TAIL_BYTES)
        return false;
    struct str body = { json.ptr, json.len - TAIL_BYTES };
    struct str tail = { json.ptr + body.len, TAIL_BYTES };
    uint64_t hash;
    return str_starts(tail, STR(TAIL_BEFORE)) && str_ends(tail, STR(TAIL_AFTER)) &&
           hash_parse((struct str){ tail.ptr + sizeof(TAIL_BEFORE) - 1, 16 }, &hash) &&
           hash == XXH3_64bits(body.ptr, body.len);
}

static int read_root(struct arena *a, struct str json, const json_t *root,
                     struct manifest *out, struct error *err)
{
    /* The format first: a newer one may end differently. */
    const json_t *format = json_object_get(root, "format");
    json_int_t number = json_is_integer(format) ? json_integer_value(format) : 0;
    if (number > MANIFEST_FORMAT) {
        error_set(err, ERR_PROTOCOL,
                  "the manifest has format %" JSON_INTEGER_FORMAT
                  ", this program reads up to %d",
                  number, MANIFEST_FORMAT);
        err->hint = "Run the newer version of tailrace that wrote this spool.";
        return -1;
    }
    if (number != MANIFEST_FORMAT)
        return error_set(err, ERR_PROTOCOL, "the manifest is damaged: it has no format");
    if (!tail_is_right(json))
        return error_set(err, ERR_PROTOCOL, "the manifest is damaged: its hash differs");
    struct reading r = { .a = a, .err = err };
    struct manifest m = { 0 };
    read_members(&r, root, &m);
    if (r.failed)
        return -1;
    *out = m;
    return 0;
}

int manifest_read(struct arena *a, struct str json, struct manifest *out,
                  struct error *err)
{
    json_error_t where;
    json_t *root = json_loadb(json.ptr == NULL ? "" : json.ptr, json.len,
                              JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
    if (root == NULL)
        return error_set(err, ERR_PROTOCOL, "the manifest is damaged at byte %d: %s",
                         where.position, where.text);
    int result = read_root(a, json, root, out, err);
    json_decref(root);
    return result;
}
