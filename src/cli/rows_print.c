/* See rows_print.h. */
#include "cli/rows_print.h"

#include "base/alloc.h"
#include "base/json.h"
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

/* Handed on when so much has come together. */
#define FLUSH_BYTES ((size_t)64 << 10)

/* One row at most: a cell may be as long as a LONGTEXT. */
#define OUTPUT_BYTES ((size_t)1 << 30)

/* A table is held whole, for its widths. */
#define TABLE_BYTES ((size_t)256 << 20)

/* Characters of a cell in a table: one long text must not widen every line. */
#define CELL_CHARS 120

enum cell_kind { CELL_TEXT = 0, CELL_NUMBER, CELL_BOOL, CELL_JSON };

struct head {
    char *name;       /* owned; unique in the result */
    char *table_head; /* owned: ">name" for numbers */
    enum cell_kind kind;
};

struct rows_print {
    enum rows_format format;
    rows_write_fn *write;
    void *ctx;
    struct buf out;
    struct head *heads;       /* owned, of count; NULL before the first call */
    const char **table_heads; /* owned; the texts are the heads' */
    size_t count;
    struct table *table; /* owned, ROWS_TABLE alone */
    bool is_explain;     /* of EXPLAIN: drawings of many lines, not cells */
    size_t table_bytes;
    uint64_t rows;
    uint64_t cut_cells; /* of a table */
};

struct rows_print *rows_print_new(enum rows_format format, rows_write_fn *write,
                                  void *ctx)
{
    struct rows_print *p = xcalloc(1, sizeof *p);
    p->format = format;
    p->write = write;
    p->ctx = ctx;
    buf_init(&p->out, OUTPUT_BYTES);
    return p;
}

void rows_print_free(struct rows_print *p)
{
    if (p == NULL)
        return;
    table_free(p->table);
    for (size_t i = 0; i < p->count; i++) {
        free(p->heads[i].name);
        free(p->heads[i].table_head);
    }
    free(p->heads);
    free(p->table_heads);
    buf_done(&p->out);
    free(p);
}

/* --- columns ---------------------------------------------------------------------------
 */

static enum cell_kind kind_of(struct str type)
{
    static const char *const NUMBERS[] = { "TINYINT", "SMALLINT", "INTEGER",   "BIGINT",
                                           "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
                                           "UBIGINT", "UHUGEINT", "FLOAT",     "DOUBLE",
                                           "BIGNUM",  "VARINT" };
    if (str_eq(type, STR("BOOLEAN")))
        return CELL_BOOL;
    if (str_eq(type, STR("JSON")))
        return CELL_JSON;
    if (str_starts(type, STR("DECIMAL(")) && str_ends(type, STR(")")))
        return CELL_NUMBER;
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++)
        if (str_eq(type, str_of(NUMBERS[i])))
            return CELL_NUMBER;
    return CELL_TEXT;
}

static bool is_taken(const struct rows_print *p, size_t before, const char *name)
{
    for (size_t i = 0; i < before; i++)
        if (strcmp(p->heads[i].name, name) == 0)
            return true;
    return false;
}

/* JSON readers keep one of two members of a name: the second column gets another. */
static char *unique_name(const struct rows_print *p, size_t at, struct str name)
{
    struct buf text;
    buf_init(&text, name.len + 32);
    buf_add_str(&text, name);
    for (unsigned n = 2; p->format != ROWS_CSV && p->format != ROWS_TABLE &&
                         is_taken(p, at, buf_text(&text));
         n++) {
        buf_truncate(&text, name.len);
        buf_printf(&text, "_%u", n);
    }
    char *out = xstrdup(buf_text(&text));
    buf_done(&text);
    return out;
}

static void csv_cell(struct buf *out, struct str cell)
{
    bool quote = cell.len == 0;
    for (size_t i = 0; i < cell.len && !quote; i++)
        quote = cell.ptr[i] == '"' || cell.ptr[i] == ',' || cell.ptr[i] == '\n' ||
                cell.ptr[i] == '\r';
    if (!quote) {
        buf_add_str(out, cell);
        return;
    }
    buf_add_char(out, '"');
    for (size_t i = 0; i < cell.len; i++) {
        if (cell.ptr[i] == '"')
            buf_add_char(out, '"');
        buf_add_char(out, cell.ptr[i]);
    }
    buf_add_char(out, '"');
}

static void take_columns(struct rows_print *p, const struct query_column *columns,
                         size_t count)
{
    if (p->heads != NULL)
        return;
    p->heads = xcalloc(count + 1, sizeof *p->heads);
    p->table_heads = xcalloc(count + 1, sizeof *p->table_heads);
    p->count = count;
    for (size_t i = 0; i < count; i++) {
        struct head *h = &p->heads[i];
        h->kind = kind_of(columns[i].type);
        h->name = unique_name(p, i, columns[i].name);
        h->table_head = xcalloc(strlen(h->name) + 2, 1);
        if (h->kind == CELL_NUMBER)
            h->table_head[0] = '>';
        memcpy(h->table_head + strlen(h->table_head), h->name, strlen(h->name));
        p->table_heads[i] = h->table_head;
    }
    p->is_explain = count == 2 && str_eq(columns[0].name, STR("explain_key")) &&
                    str_eq(columns[1].name, STR("explain_value"));
    if (p->format == ROWS_TABLE && count > 0 && !p->is_explain)
        p->table = table_new(p->table_heads, count);
    if (p->format == ROWS_JSON)
        buf_add_char(&p->out, '[');
    for (size_t i = 0; p->format == ROWS_CSV && i < count; i++) {
        if (i > 0)
            buf_add_char(&p->out, ',');
        csv_cell(&p->out, str_of(p->heads[i].name));
    }
    if (p->format == ROWS_CSV)
        buf_add_text(&p->out, "\r\n");
}

/* --- rows ------------------------------------------------------------------------------
 */

static bool is_json_number(struct str text)
{
    return text.len > 0 &&
           (text.ptr[0] == '-' || (text.ptr[0] >= '0' && text.ptr[0] <= '9')) &&
           json_is_valid(text);
}

static void json_cell(struct buf *out, enum cell_kind kind, struct str cell)
{
    if (cell.ptr == NULL) {
        buf_add_text(out, "null");
        return;
    }
    bool bare = (kind == CELL_NUMBER && is_json_number(cell)) ||
                (kind == CELL_BOOL &&
                 (str_eq(cell, STR("true")) || str_eq(cell, STR("false")))) ||
                (kind == CELL_JSON && json_is_valid(cell));
    if (!bare) {
        buf_add_json(out, cell);
        return;
    }
    /* JSON from the destination may hold line breaks between its members: one object has
     * one line, and inside a string there are none */
    for (size_t i = 0; i < cell.len; i++)
        if (cell.ptr[i] != '\n' && cell.ptr[i] != '\r')
            buf_add_char(out, cell.ptr[i]);
}

static void json_row(struct rows_print *p, const struct str *cells)
{
    if (p->format == ROWS_JSON)
        buf_add_text(&p->out, p->rows == 0 ? "\n" : ",\n");
    buf_add_char(&p->out, '{');
    for (size_t i = 0; i < p->count; i++) {
        if (i > 0)
            buf_add_char(&p->out, ',');
        buf_add_json(&p->out, str_of(p->heads[i].name));
        buf_add_char(&p->out, ':');
        json_cell(&p->out, p->heads[i].kind, cells[i]);
    }
    buf_add_char(&p->out, '}');
    if (p->format == ROWS_NDJSON)
        buf_add_char(&p->out, '\n');
}

static void csv_row(struct rows_print *p, const struct str *cells)
{
    for (size_t i = 0; i < p->count; i++) {
        if (i > 0)
            buf_add_char(&p->out, ',');
        if (cells[i].ptr != NULL)
            csv_cell(&p->out, cells[i]);
    }
    buf_add_text(&p->out, "\r\n");
}

static void explain_row(struct rows_print *p, const struct str *cells)
{
    for (size_t i = 0; i < cells[1].len; i++) {
        unsigned char c = (unsigned char)cells[1].ptr[i];
        buf_add_char(&p->out, (c < 0x20 && c != '\n') || c == 0x7f ? '?' : (char)c);
    }
    buf_add_char(&p->out, '\n');
}

/* A long cell loses its end, and shows that it did. */
static void table_cell(struct rows_print *p, struct str cell)
{
    size_t chars = 0, at = 0;
    for (; at < cell.len && chars < CELL_CHARS; chars++) {
        unsigned n = str_utf8_next((struct str){ cell.ptr + at, cell.len - at }, NULL);
        at += n == 0 ? 1 : n;
    }
    if (at >= cell.len) {
        table_add(p->table, cell);
        return;
    }
    CLEANUP(buf_done) struct buf cut;
    buf_init(&cut, 4096);
    buf_add(&cut, cell.ptr, at);
    buf_add_text(&cut, "…");
    p->cut_cells++;
    table_add(p->table, buf_str(&cut));
}

static int table_row(struct rows_print *p, const struct str *cells, struct error *err)
{
    for (size_t i = 0; i < p->count; i++) {
        p->table_bytes +=
            (cells[i].len < CELL_CHARS * 4 ? cells[i].len : CELL_CHARS * 4) +
            sizeof(struct str) + 16;
        if (p->table_bytes > TABLE_BYTES) {
            (void)error_set(err, ERR_LIMIT, "the result is too large for a table");
            err->hint = "Choose --format csv or ndjson, which are written row by row.";
            return -1;
        }
        table_cell(p, cells[i].ptr == NULL ? STR("NULL") : cells[i]);
    }
    return 0;
}

static int flush(struct rows_print *p, struct error *err)
{
    if (buf_check(&p->out, "a row as text", err) != 0 ||
        p->write(p->ctx, &p->out, err) != 0)
        return -1;
    buf_clear(&p->out);
    return 0;
}

int rows_print_row(void *rows_print, const struct query_column *columns, size_t count,
                   const struct str *cells, struct error *err)
{
    struct rows_print *p = rows_print;
    take_columns(p, columns, count);
    if (cells == NULL)
        return 0;
    switch (p->format) {
    case ROWS_TABLE:
        if (p->is_explain)
            explain_row(p, cells);
        else if (table_row(p, cells, err) != 0)
            return -1;
        break;
    case ROWS_CSV:
        csv_row(p, cells);
        break;
    case ROWS_JSON:
    case ROWS_NDJSON:
        json_row(p, cells);
        break;
    }
    p->rows++;
    return p->out.len < FLUSH_BYTES && !p->out.failed ? 0 : flush(p, err);
}

int rows_print_end(struct rows_print *p, struct error *err)
{
    if (p->format == ROWS_TABLE && p->table != NULL) {
        table_print(p->table, &p->out);
        buf_printf(&p->out, "(%llu row%s)\n", (unsigned long long)p->rows,
                   p->rows == 1 ? "" : "s");
        if (p->cut_cells > 0)
            buf_printf(&p->out, "(%llu long cell%s cut; --format csv shows all of it)\n",
                       (unsigned long long)p->cut_cells, p->cut_cells == 1 ? "" : "s");
    }
    if (p->format == ROWS_JSON)
        buf_add_text(&p->out, p->heads == NULL ? "[]\n" : p->rows == 0 ? "]\n" : "\n]\n");
    return flush(p, err);
}
