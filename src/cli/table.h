/* src/cli/table.h
 *
 * Rows of text for people: columns as wide as their widest cell, numbers to the right.
 * Widths count code points.
 *
 * Thread: one at a time. Texts are copied.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "base/buf.h"
#include "base/str.h"

struct table;

/* heads: "name", or ">rows" for a column that is set to the right. */
struct table *table_new(const char *const *heads, size_t columns);
void table_free(struct table *t);

/* The next cell, row by row. */
void table_add(struct table *t, struct str cell);
void table_printf(struct table *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

void table_print(const struct table *t, struct buf *out);

/* "1.2 GB", "523 kB": decimal units, three digits. */
void table_bytes(char out[16], uint64_t bytes);
/* "1,234,567". */
void table_number(char out[32], uint64_t number);
/* "850ms", "12.3s", "4m05s", "2h10m". */
void table_duration(char out[16], int64_t us);

#endif
