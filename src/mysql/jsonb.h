/* src/mysql/jsonb.h
 *
 * MySQL's binary JSON, as it stands in the row images of the binlog, to the text that the
 * server itself prints for it (CAST(x AS CHAR)): ", " and ": " between parts, members in
 * stored order, the server's own way of writing doubles, escapes and opaque values.
 * Documents are read through their offsets, never copied; every offset and length is
 * checked against the value that holds it. MariaDB has no such format: its JSON is text.
 *
 * Nothing borrowed stays in `out`. `out` has the ceiling of the caller: one byte of a
 * malicious document may be printed many times, its ceiling is what ends that.
 *
 * Thread: any. Errors: ERR_PROTOCOL when the bytes are no such document (or a diff does
 * not fit its document); ERR_LIMIT when the text does not fit `out`. On an error the
 * content of `out` from its earlier length on is cut off.
 *
 * Source: MySQL Server Doxygen 9.x, file json_binary.h ("JSON binary storage") and
 * json_diff.h ("Json_diff_vector", binary form); the text by comparison with a 9.7
 * server.
 */
#ifndef MYSQL_JSONB_H
#define MYSQL_JSONB_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

/* Deepest nesting that the server stores (JSON_DOCUMENT_MAX_DEPTH). */
#define JSONB_DEPTH_LIMIT 100

/* Append the text of a document. A document of no bytes is the JSON null that the server
 * leaves behind when it fills a NOT NULL column. */
int jsonb_to_text(struct str document, struct buf *out, struct error *err);

/* Append the text of `before` (binary JSON) with the diffs of a PARTIAL_UPDATE_ROWS_EVENT
 * applied to it.
 *
 * diffs  the column's value in the after image, without the length in front of it:
 *        operation, path, binary JSON, one diff behind the other. Of no bytes: unchanged.
 */
int jsonb_apply_diffs(struct str before, struct str diffs, struct buf *out,
                      struct error *err);

#endif
