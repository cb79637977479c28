/* See table.h. */
#include "cli/table.h"

#include "base/alloc.h"
#include "base/arena.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct table {
    struct arena *arena; /* owned: cells */
    const char *const *heads;
    size_t columns;
    struct str *cells; /* owned */
    size_t count, cap;
};

struct table *table_new(const char *const *heads, size_t columns)
{
    struct table *t = xcalloc(1, sizeof *t);
    assert(columns > 0);
    t->arena = arena_new((size_t)1 << 30);
    t->heads = heads;
    t->columns = columns;
    return t;
}

void table_free(struct table *t)
{
    if (t == NULL)
        return;
    arena_free(t->arena);
    free(t->cells);
    free(t);
}

void table_add(struct table *t, struct str cell)
{
    if (t->count == t->cap) {
        t->cap = t->cap == 0 ? 64 : t->cap * 2;
        t->cells = xreallocarray(t->cells, t->cap, sizeof *t->cells);
    }
    t->cells[t->count++] = arena_str(t->arena, cell);
}

void table_printf(struct table *t, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the line above sets it */
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    table_add(t, str_of(text));
}

/* Code points; good enough for names and numbers on a terminal. */
static size_t width_of(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xc0u) != 0x80u ? 1 : 0;
    return n;
}

static bool is_right(const struct table *t, size_t column)
{
    return t->heads[column][0] == '>';
}

static struct str head_of(const struct table *t, size_t column)
{
    return str_of(t->heads[column] + (is_right(t, column) ? 1 : 0));
}

static void print_cell(struct buf *out, struct str cell, size_t width, bool right,
                       bool last)
{
    size_t pad = width - width_of(cell);
    for (size_t i = 0; right && i < pad; i++)
        buf_add_char(out, ' ');
    /* a name may hold control characters: they must not reach the terminal */
    for (size_t i = 0; i < cell.len; i++)
        buf_add_char(out, (unsigned char)cell.ptr[i] < 0x20 || cell.ptr[i] == 0x7f
                              ? '?'
                              : cell.ptr[i]);
    for (size_t i = 0; !right && !last && i < pad; i++)
        buf_add_char(out, ' ');
    buf_add_text(out, last ? "\n" : "  ");
}

void table_print(const struct table *t, struct buf *out)
{
    size_t *widths = xcalloc(t->columns, sizeof *widths);
    for (size_t c = 0; c < t->columns; c++)
        widths[c] = width_of(head_of(t, c));
    assert(t->columns > 0);
    for (size_t i = 0; i < t->count; i++) {
        size_t w = width_of(t->cells[i]);
        if (w > widths[i % t->columns])
            widths[i % t->columns] = w;
    }
    for (size_t c = 0; c < t->columns; c++)
        print_cell(out, head_of(t, c), widths[c], is_right(t, c), c + 1 == t->columns);
    for (size_t i = 0; i < t->count; i++) {
        size_t c = i % t->columns;
        print_cell(out, t->cells[i], widths[c], is_right(t, c), c + 1 == t->columns);
    }
    free(widths);
}

void table_bytes(char out[16], uint64_t bytes)
{
    static const char *const UNITS[] = { "B", "kB", "MB", "GB", "TB", "PB" };
    double v = (double)bytes;
    unsigned u = 0;
    while (v >= 999.5 && u < 5) {
        v /= 1000;
        u++;
    }
    (void)snprintf(out, 16, u == 0 || v >= 99.95 ? "%.0f %s" : "%.1f %s", v, UNITS[u]);
}

void table_number(char out[32], uint64_t number)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%" PRIu64, number);
    size_t o = 0;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            out[o++] = ',';
        out[o++] = digits[i];
    }
    out[o] = '\0';
}

void table_duration(char out[16], int64_t us)
{
    char text[48];
    long long s = us / 1000000;
    if (us < 1000000)
        (void)snprintf(text, sizeof text, "%lldms", (long long)(us / 1000));
    else if (s < 60)
        (void)snprintf(text, sizeof text, "%.1fs", (double)us / 1e6);
    else if (s < 3600)
        (void)snprintf(text, sizeof text, "%lldm%02llds", s / 60, s % 60);
    else
        (void)snprintf(text, sizeof text, "%lldh%02lldm", s / 3600, s % 3600 / 60);
    (void)snprintf(out, 16, "%.15s", text);
}
