#include "warehouse/protocol_fields.h"

#include "sink/sink.h"
#include "warehouse/protocol.h"

#include <pthread.h>

/* ---- encoding -------------------------------------------------------------------- */

static int encode_one(struct buf *b, const struct field *f, const void *from,
                      struct error *err)
{
    const void *at = (const char *)from + f->offset;
    struct str text;
    uint64_t number;
    int64_t integer;
    switch (f->kind) {
    case FIELD_TEXT:
        memcpy(&text, at, sizeof(text));
        if (!str_is_utf8(text))
            return error_set(err, ERR_BUG, "'%s' of a warehouse message is no UTF-8",
                             f->name);
        buf_add_json(b, text);
        return 0;
    case FIELD_U64:
        memcpy(&number, at, sizeof(number));
        buf_printf(b, number > INT64_MAX ? "\"%llu\"" : "%llu",
                   (unsigned long long)number);
        return 0;
    case FIELD_I64:
        memcpy(&integer, at, sizeof(integer));
        buf_printf(b, "%lld", (long long)integer);
        return 0;
    case FIELD_INT:
    case FIELD_STATE:
    case FIELD_JOIN:
        buf_printf(b, "%d", *(const int *)at);
        return 0;
    case FIELD_BOOL:
        buf_add_text(b, *(const bool *)at ? "true" : "false");
        return 0;
    }
    return error_set(err, ERR_BUG, "an unknown kind of field");
}

int fields_encode(struct buf *b, const struct field *fields, const void *from, bool comma,
                  struct error *err)
{
    for (const struct field *f = fields; f->name != NULL; f++) {
        buf_printf(b, "%s\"%s\":", comma ? "," : "", f->name);
        if (encode_one(b, f, from, err) != 0)
            return -1;
        comma = true;
    }
    return 0;
}

int list_encode(struct buf *b, const struct field *fields, const void *first,
                size_t count, size_t size, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        buf_add_text(b, i == 0 ? "{" : ",{");
        if (fields_encode(b, fields, (const char *)first + i * size, false, err) != 0)
            return -1;
        buf_add_char(b, '}');
    }
    return 0;
}

/* ---- decoding -------------------------------------------------------------------- */

int field_bad(const char *name, struct error *err)
{
    return error_set(err, ERR_PROTOCOL, "'%s' of a warehouse message is damaged", name);
}

json_t *message_parse(struct str json, struct error *err)
{
    json_error_t why;
    json_t *root = json_loadb(json.len == 0 ? "" : json.ptr, json.len,
                              JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
    if (root != NULL && json_is_object(root))
        return root;
    (void)error_set(err, ERR_PROTOCOL, "a message of the warehouse is no JSON object: %s",
                    root == NULL ? why.text : "another value");
    json_decref(root);
    return NULL;
}

bool message_text(const json_t *value, struct str *out)
{
    if (!json_is_string(value))
        return false;
    *out = (struct str){ json_string_value(value), json_string_length(value) };
    return true;
}

void *fields_array(struct arena *a, size_t count, size_t size, struct error *err)
{
    size_t bytes = 0;
    void *out = NULL;
    if (!__builtin_mul_overflow(count + 1, size, &bytes))
        out = arena_try(a, bytes);
    if (out == NULL)
        (void)error_set(err, ERR_LIMIT,
                        "a message of the warehouse does not fit its arena");
    return out;
}

static int decode_text(json_t *value, const char *name, struct str *out, struct arena *a,
                       struct error *err)
{
    struct str text;
    if (!message_text(value, &text))
        return field_bad(name, err);
    *out = text;
    if (a == NULL)
        return 0;
    char *copy = fields_array(a, text.len, 1, err);
    if (copy == NULL)
        return -1;
    memcpy(copy, text.ptr, text.len);
    *out = (struct str){ copy, text.len };
    return 0;
}

static int decode_u64(json_t *value, const char *name, uint64_t *out, struct error *err)
{
    struct str text;
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *out = (uint64_t)json_integer_value(value);
        return 0;
    }
    if (message_text(value, &text) && str_to_u64(text, out) && *out > INT64_MAX)
        return 0;
    return field_bad(name, err);
}

/* An integer from lowest to highest. */
static int decode_int(json_t *value, const char *name, int64_t lowest, int64_t highest,
                      int64_t *out, struct error *err)
{
    if (!json_is_integer(value) || json_integer_value(value) < lowest ||
        json_integer_value(value) > highest)
        return field_bad(name, err);
    *out = json_integer_value(value);
    return 0;
}

static int decode_one(json_t *value, const struct field *f, void *to, struct arena *a,
                      struct error *err)
{
    void *at = (char *)to + f->offset;
    int64_t integer = 0;
    switch (f->kind) {
    case FIELD_TEXT:
        return decode_text(value, f->name, at, a, err);
    case FIELD_U64:
        return decode_u64(value, f->name, at, err);
    case FIELD_I64:
        return decode_int(value, f->name, INT64_MIN, INT64_MAX, at, err);
    case FIELD_INT:
        if (decode_int(value, f->name, INT32_MIN, INT32_MAX, &integer, err) != 0)
            return -1;
        *(int *)at = (int)integer;
        return 0;
    case FIELD_STATE:
        if (decode_int(value, f->name, STREAM_NONE, STREAM_GONE, &integer, err) != 0)
            return -1;
        *(enum stream_state *)at = (enum stream_state)integer;
        return 0;
    case FIELD_JOIN:
        if (decode_int(value, f->name, JOIN_REPLACE, JOIN_LOG, &integer, err) != 0)
            return -1;
        *(enum join_kind *)at = (enum join_kind)integer;
        return 0;
    case FIELD_BOOL:
        if (!json_is_boolean(value))
            return field_bad(f->name, err);
        *(bool *)at = json_is_true(value);
        return 0;
    }
    return error_set(err, ERR_BUG, "an unknown kind of field");
}

int fields_decode(json_t *object, const struct field *fields, void *to, struct arena *a,
                  struct error *err)
{
    for (const struct field *f = fields; f->name != NULL; f++)
        if (decode_one(json_object_get(object, f->name), f, to, a, err) != 0)
            return -1;
    return 0;
}

int list_decode(json_t *object, const struct field_list *l, struct arena *a, void **out,
                size_t *count, struct error *err)
{
    json_t *list = json_object_get(object, l->name);
    if (!json_is_array(list))
        return field_bad(l->name, err);
    size_t n = json_array_size(list);
    char *items = fields_array(a, n, l->size, err);
    if (items == NULL)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (fields_decode(json_array_get(list, i), l->fields, items + i * l->size, a,
                          err) != 0)
            return -1;
    *out = items;
    *count = n;
    return 0;
}

/* ---- hints ----------------------------------------------------------------------- */

/* struct error wants static hints: the owner's are the same few sentences of our own
 * sources. Like the log, the table belongs to the process: an error outlives the
 * connection it came through. */
static struct {
    pthread_mutex_t lock;
    size_t count;
    char text[HINT_COUNT][HINT_BYTES];
} hints = { .lock = PTHREAD_MUTEX_INITIALIZER };

const char *protocol_hint(struct str hint)
{
    const char *out = NULL;
    if (hint.len == 0 || hint.len >= HINT_BYTES ||
        memchr(hint.ptr, '\0', hint.len) != NULL)
        return NULL;
    (void)pthread_mutex_lock(&hints.lock);
    for (size_t i = 0; i < hints.count && out == NULL; i++)
        if (str_eq(hint, str_of(hints.text[i])))
            out = hints.text[i];
    if (out == NULL && hints.count < HINT_COUNT) {
        memcpy(hints.text[hints.count], hint.ptr, hint.len); /* zeroed, so it ends */
        out = hints.text[hints.count++];
    }
    (void)pthread_mutex_unlock(&hints.lock);
    return out;
}
