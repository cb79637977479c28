/* tests/support/log_text.h
 *
 * Items of a log reader as lines, so that a test can say what it expects:
 *
 *   I t 1,a    U t 1,a > 1,b    D t 1,b    C
 *   TRUNCATED t    SHAPED t id,a,b    LOST t: why    GONE t: why    CREATED d.t RESTART
 *
 * A commit is told only behind something else. Absent cells are "-".
 */
#ifndef SUPPORT_LOG_TEXT_H
#define SUPPORT_LOG_TEXT_H

#include "base/buf.h"
#include "source/log.h"

#include <inttypes.h>

struct log_text {
    struct buf out;
    struct str created_in;    /* database whose new tables are told; empty: all */
    const char *const *names; /* of the tables, by number */
    unsigned columns[256];    /* cells of a row, by table */
    bool open;                /* something came since the last commit */
    bool no_reasons;          /* LOST and GONE without why */
};

static inline void log_text_cell(struct buf *out, const struct value *v)
{
    switch ((enum value_kind)v->kind) {
    case VALUE_ABSENT:
        buf_add_char(out, '-');
        break;
    case VALUE_NULL:
        buf_add_text(out, "null");
        break;
    case VALUE_DECIMAL:
    case VALUE_TEXT:
    case VALUE_JSON:
    case VALUE_BAD_DATE:
        buf_add_str(out, value_str(v));
        break;
    case VALUE_UNSCALED:
    case VALUE_BYTES:
    case VALUE_INVALID:
        buf_add_text(out, "0x");
        buf_add_hex(out, v->as.bytes, v->len);
        break;
    case VALUE_INT:
    case VALUE_UINT:
    case VALUE_FLOAT:
    case VALUE_DOUBLE:
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_DATETIME:
    case VALUE_TIMESTAMP:
        buf_printf(out, "%" PRId64, v->as.i);
        break;
    }
}

static inline void log_text_row(struct buf *out, const struct value *cells, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        log_text_cell(out, &cells[i]);
    }
}

static inline void log_text_change(struct log_text *t, const struct log_item *i)
{
    static const char *const words[] = { "TRUNCATED", "SHAPED", "LOST", "GONE",
                                         "CREATED" };
    struct buf *out = &t->out;
    if (i->change == LOG_CREATED) {
        if (t->created_in.len == 0 || str_starts(i->why, t->created_in))
            buf_printf(out, "CREATED " STR_FMT "\n", STR_ARG(i->why));
        return;
    }
    buf_printf(out, "%s %s", words[i->change], t->names[i->table]);
    if (i->change == LOG_SHAPED) {
        const struct table_schema *s = &i->found->schema;
        t->columns[i->table] = s->column_count;
        for (unsigned c = 0; c < s->column_count; c++)
            buf_printf(out, "%s" STR_FMT, c == 0 ? " " : ",",
                       STR_ARG(s->columns[c].name));
        for (size_t f = 0; f < i->fill_count; f++)
            buf_printf(out, " " STR_FMT "%s" STR_FMT, STR_ARG(i->fills[f].column),
                       i->fills[f].way == LOG_FILL_FROM ? "<" : "=",
                       STR_ARG(i->fills[f].way == LOG_FILL_FROM ? i->fills[f].from
                                                                : i->fills[f].value));
    } else if (i->change != LOG_TRUNCATED && !t->no_reasons) {
        buf_printf(out, ": " STR_FMT, STR_ARG(i->why));
    }
    buf_add_char(out, '\n');
    t->open = true;
}

static inline void log_text_add(struct log_text *t, const struct log_item *i)
{
    struct buf *out = &t->out;
    switch (i->kind) {
    case LOG_ROW:
        buf_printf(out, "%c %s ", "IUD"[i->op], t -> names[i->table]);
        if (i->before != NULL)
            log_text_row(out, i->before, t->columns[i->table]);
        if (i->before != NULL && i->after != NULL)
            buf_add_text(out, " > ");
        if (i->after != NULL)
            log_text_row(out, i->after, t->columns[i->table]);
        buf_add_char(out, '\n');
        t->open = true;
        break;
    case LOG_COMMIT:
        if (t->open)
            buf_add_text(out, "C\n");
        t->open = false;
        break;
    case LOG_CHANGED:
        log_text_change(t, i);
        break;
    case LOG_RESTART:
        buf_add_text(out, "RESTART\n");
        break;
    case LOG_IDLE:
    case LOG_END:
        break;
    }
}

#endif
