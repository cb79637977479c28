/* src/base/emit.h
 *
 * Writing JSON for programs into a buf, member by member. Commas come by themselves: one
 * is written unless the last byte is '{', '[' or ':', so an object must be written in one
 * buf from its start.
 *
 * key: the member's name, NULL for an element of an array.
 *
 * Thread: any.
 */
#ifndef BASE_EMIT_H
#define BASE_EMIT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

void emit_begin(struct buf *b, const char *key, char bracket); /* '{' or '[' */
void emit_end(struct buf *b, char bracket);                    /* '}' or ']' */

void emit_text(struct buf *b, const char *key, struct str text);
/* null for an empty text. */
void emit_text_or_null(struct buf *b, const char *key, struct str text);
void emit_number(struct buf *b, const char *key, uint64_t number);
void emit_bool(struct buf *b, const char *key, bool yes);
void emit_null(struct buf *b, const char *key);
/* "2026-03-01T12:00:00.123456Z"; null for 0. */
void emit_time(struct buf *b, const char *key, int64_t at);
/* JSON text as it is: the caller knows that it is well formed. */
void emit_raw(struct buf *b, const char *key, struct str json);

/* For people: "2026-03-01 12:00:00", in UTC; "-" for 0. Returns out. */
#define WHEN_TEXT_MAX 32
const char *emit_when(char out[WHEN_TEXT_MAX], int64_t at);
/* "2026-03-01 12:00:00.123 to 12:00:07.456", the second day only when it is another;
 * one moment alone when both are the same. */
#define BETWEEN_TEXT_MAX 64
const char *emit_between(char out[BETWEEN_TEXT_MAX], int64_t first, int64_t last);

#endif
