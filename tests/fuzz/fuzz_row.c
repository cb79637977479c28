/* Any bytes as a binary row of a table with a column of every type: cells lie within
 * their memory, text is UTF-8, and every cell can become a literal. */
#include "mysql/type.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAME(s)            \
    {                      \
        (s), sizeof(s) - 1 \
    }

static const struct column columns[] = {
    { .name = NAME("a"), .type = TYPE_LONG },
    { .name = NAME("b"), .type = TYPE_DATETIME, .fraction = 3 },
    { .name = NAME("c"),
      .type = TYPE_TEXT,
      .charset = NAME("latin1"),
      .collation = NAME("latin1_bin") },
    { .name = NAME("d"), .type = TYPE_GEOMETRY },
    { .name = NAME("e"), .type = TYPE_TIME },
    { .name = NAME("f"), .type = TYPE_BIT64 },
    { .name = NAME("g"), .type = TYPE_DATE },
    { .name = NAME("h"), .type = TYPE_JSON },
    { .name = NAME("i"), .type = TYPE_FLOAT },
    { .name = NAME("j"), .type = TYPE_DECIMAL, .scale = 2 },
    { .name = NAME("k"), .type = TYPE_TIMESTAMP },
    { .name = NAME("l"), .type = TYPE_TEXT, .charset = NAME("utf16") },
};

static const struct result_column wire[] = {
    { .name = NAME("a"), .type = MYSQL_TYPE_LONGLONG },
    { .name = NAME("b"), .type = MYSQL_TYPE_DATETIME, .decimals = 3 },
    { .name = NAME("c"), .type = MYSQL_TYPE_BLOB, .collation = 8 },
    { .name = NAME("d"), .type = MYSQL_TYPE_GEOMETRY, .collation = 63 },
    { .name = NAME("e"), .type = MYSQL_TYPE_TIME },
    { .name = NAME("f"), .type = MYSQL_TYPE_BIT },
    { .name = NAME("g"), .type = MYSQL_TYPE_DATE },
    { .name = NAME("h"), .type = MYSQL_TYPE_JSON, .collation = 63 },
    { .name = NAME("i"), .type = MYSQL_TYPE_FLOAT },
    { .name = NAME("j"), .type = MYSQL_TYPE_NEWDECIMAL, .decimals = 2 },
    { .name = NAME("k"), .type = MYSQL_TYPE_TIMESTAMP },
    { .name = NAME("l"), .type = MYSQL_TYPE_BLOB, .collation = 54 },
};

#define COUNT (sizeof columns / sizeof *columns)

/* Read every byte that a cell claims: a copy, which the sanitizer watches. */
static void touch(struct str s)
{
    struct buf copy;
    buf_init(&copy, s.len);
    buf_add_str(&copy, s);
    buf_done(&copy);
}

static void check_cells(const struct type_plan *plan, const struct value *cells)
{
    struct buf part;
    struct buf sql;
    for (unsigned i = 0; i < COUNT; i++) {
        if (cells[i].kind == VALUE_TEXT || cells[i].kind == VALUE_JSON)
            if (!str_is_utf8(value_str(&cells[i])))
                abort();
        if (cells[i].kind == VALUE_BYTES || cells[i].kind == VALUE_INVALID ||
            cells[i].kind == VALUE_BAD_DATE || cells[i].kind == VALUE_DECIMAL)
            touch(value_str(&cells[i]));
        buf_init(&part, 1u << 20);
        buf_init(&sql, 4u << 20);
        type_key_part(plan, i, &part);
        type_quote_part(&columns[i], buf_str(&part), &sql);
        buf_done(&part);
        buf_done(&sql);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct table_schema shape = { .column_count = COUNT, .columns = columns };
    struct type_options o = { .bad_text =
                                  (data[0] & 1) ? CHARSET_REPLACE : CHARSET_REJECT,
                              .row_limit = 1u << 16 };
    struct error err = { 0 };
    struct value cells[COUNT];
    struct type_plan *plan = type_plan_new(wire, COUNT, &shape, &o, &err);
    if (plan == NULL)
        abort();
    bool cut = (data[0] & 2) != 0;
    struct packet row = { .head = { (const char *)data + 1, size - 1 },
                          .size = size - 1 + cut,
                          .cut = cut };
    if (type_decode_row(plan, &row, cells, &err) == 0)
        check_cells(plan, cells);
    else if (err.code != ERR_PROTOCOL && err.code != ERR_LIMIT)
        abort();
    type_plan_free(plan);
    return 0;
}
