/* src/warehouse/protocol_fields.h
 *
 * Structs as JSON objects, by tables of their members. Only protocol.c uses it.
 *
 * Thread: any. Decoded texts and arrays lie in the arena given; with NULL texts are
 * borrowed from the JSON value.
 */
#ifndef WAREHOUSE_PROTOCOL_FIELDS_H
#define WAREHOUSE_PROTOCOL_FIELDS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum field_kind {
    FIELD_TEXT = 0, /* struct str */
    FIELD_U64,
    FIELD_I64,
    FIELD_INT,
    FIELD_BOOL,
    FIELD_STATE, /* enum stream_state */
    FIELD_JOIN,  /* enum join_kind */
};

/* One member of a struct. A table ends with a name of NULL. */
struct field {
    const char *name;
    enum field_kind kind;
    size_t offset;
};

#define FIELD(type, member, kind)                \
    {                                            \
#member, (kind), offsetof(type, member), \
    }

/* Append "name":value for each member, the first one after a comma when comma is true.
 * ERR_BUG for a text that is no UTF-8. */
int fields_encode(struct buf *b, const struct field *fields, const void *from, bool comma,
                  struct error *err);

/* Objects for count elements of size bytes, with commas between. */
int list_encode(struct buf *b, const struct field *fields, const void *first,
                size_t count, size_t size, struct error *err);

int fields_decode(json_t *object, const struct field *fields, void *to, struct arena *a,
                  struct error *err);

/* What an array of objects is called and holds: elements of `size` bytes. */
struct field_list {
    const char *name;
    const struct field *fields;
    size_t size;
};

/* The array l->name of objects, as an array in the arena. */
int list_decode(json_t *object, const struct field_list *l, struct arena *a, void **out,
                size_t *count, struct error *err);

/* Zeroed room in the arena; NULL and ERR_LIMIT past its ceiling. */
void *fields_array(struct arena *a, size_t count, size_t size, struct error *err);

/* ERR_PROTOCOL that names the member, and -1. */
int field_bad(const char *name, struct error *err);

/* One JSON object, owned by the caller; NULL and ERR_PROTOCOL for anything else. */
json_t *message_parse(struct str json, struct error *err);

/* The text of a JSON string, borrowed; false when it is no string. */
bool message_text(const json_t *value, struct str *out);

#endif
