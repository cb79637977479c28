/* src/mysql/jsonb_internal.h
 *
 * What jsonb.c (reading and printing), jsonb_scalar.c (the text of values without parts)
 * and jsonb_diff.c (partial updates) share. Everything borrows from the document.
 *
 *   value      type byte, body            (at the top: one behind the other)
 *   object     count, size, key entries, value entries, keys, values
 *   array      count, size,              value entries,       values
 *   key entry  offset, length (2 bytes); value entry: type byte, offset or the value
 *
 * Counts, sizes and offsets have 2 bytes in small containers, 4 in large ones; offsets
 * are from the first byte of `count`. All integers little-endian.
 */
#ifndef MYSQL_JSONB_INTERNAL_H
#define MYSQL_JSONB_INTERNAL_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum jsonb_type {
    JSONB_SMALL_OBJECT = 0x00,
    JSONB_LARGE_OBJECT = 0x01,
    JSONB_SMALL_ARRAY = 0x02,
    JSONB_LARGE_ARRAY = 0x03,
    JSONB_LITERAL = 0x04,
    JSONB_INT16 = 0x05,
    JSONB_UINT16 = 0x06,
    JSONB_INT32 = 0x07,
    JSONB_UINT32 = 0x08,
    JSONB_INT64 = 0x09,
    JSONB_UINT64 = 0x0a,
    JSONB_DOUBLE = 0x0b,
    JSONB_STRING = 0x0c,
    JSONB_OPAQUE = 0x0f,
};

struct jsonb_value {
    struct str body; /* from the value's first byte to the end of what holds it */
    uint8_t type;
};

struct jsonb_container {
    struct str body; /* cut to its own size */
    uint32_t count;
    uint8_t width; /* bytes of a count, size or offset */
    bool object;
};

/* The value a document is; no bytes at all are a null. */
int jsonb_root(struct str document, struct jsonb_value *out, struct error *err);

bool jsonb_is_container(const struct jsonb_value *v);

int jsonb_open(const struct jsonb_value *v, struct jsonb_container *out,
               struct error *err);
int jsonb_key(const struct jsonb_container *c, uint32_t i, struct str *out,
              struct error *err);
int jsonb_item(const struct jsonb_container *c, uint32_t i, struct jsonb_value *out,
               struct error *err);

/* Print a value that is inside of `depth` containers. Full `out`: ERR_LIMIT, at once. */
int jsonb_print(const struct jsonb_value *v, unsigned depth, struct buf *out,
                struct error *err);

/* The same for one that is no container. */
int jsonb_print_scalar(const struct jsonb_value *v, struct buf *out, struct error *err);

/* A string with quotes and the server's escapes; ERR_PROTOCOL when it is no UTF-8. */
int jsonb_print_string(struct str s, struct buf *out, struct error *err);

#endif
