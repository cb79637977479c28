#include "base/alloc.h"
#include "mysql/charset.h"
#include "source/discover_internal.h"
#include "source/sql.h"

#define COLUMNS_MOST 65535

/* The order of the query's columns. */
enum {
    C_DATABASE,
    C_TABLE,
    C_NAME,
    C_ORDINAL,
    C_DEFAULT,
    C_NULLABLE,
    C_DATA_TYPE,
    C_COLUMN_TYPE,
    C_LENGTH,
    C_PRECISION,
    C_SCALE,
    C_FRACTION,
    C_CHARSET,
    C_COLLATION,
    C_EXTRA,
    C_EXPRESSION,
    C_PRIVILEGES,
    C_COUNT
};

static bool contains(struct str text, const char *part)
{
    return text.ptr != NULL && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static enum column_generated generated_of(struct str extra, struct str expression)
{
    if (str_eq(expression, STR("ROW START")))
        return GENERATED_ROW_START;
    if (str_eq(expression, STR("ROW END")))
        return GENERATED_ROW_END;
    if (contains(extra, "VIRTUAL GENERATED"))
        return GENERATED_VIRTUAL;
    if (contains(extra, "STORED GENERATED") || contains(extra, "PERSISTENT"))
        return GENERATED_STORED;
    return GENERATED_NO;
}

/* MariaDB's JSON is a LONGTEXT with a check. */
static bool may_be_json(const struct column *c)
{
    return c->type == TYPE_TEXT && str_ieq(c->source_type, STR("longtext"));
}

static void fill_column(struct draft *d, const struct str *row, struct column *c)
{
    struct column_words w = {
        .data_type = row[C_DATA_TYPE],
        .column_type = row[C_COLUMN_TYPE],
        .length = row[C_LENGTH],
        .precision = row[C_PRECISION],
        .scale = row[C_SCALE],
        .fraction = row[C_FRACTION],
    };
    *c = (struct column){ 0 };
    c->name = arena_str(d->arena, row[C_NAME]);
    c->source_type = draft_word(d, row[C_COLUMN_TYPE]);
    c->charset = draft_word(d, row[C_CHARSET]);
    c->collation = draft_word(d, row[C_COLLATION]);
    if (row[C_DEFAULT].ptr != NULL)
        c->default_text = draft_word(d, row[C_DEFAULT]);
    c->nullable = str_ieq(row[C_NULLABLE], STR("YES"));
    c->generated = (uint8_t)generated_of(row[C_EXTRA], row[C_EXPRESSION]);
    c->visibility =
        contains(row[C_EXTRA], "INVISIBLE") ? COLUMN_INVISIBLE : COLUMN_VISIBLE;
    c->auto_increment = contains(row[C_EXTRA], "auto_increment");
    column_set_type(d->arena, &w, d->always_int, c);
    c->fixed_length = c->type == TYPE_VECTOR && session_is_mariadb(d->session);
    if (c->charset.len > 0 && charset_find(c->charset) == NULL) {
        c->type = TYPE_UNSUPPORTED;
        c->why = arena_printf(d->arena,
                              "The character set '" STR_FMT "' of column '" STR_FMT
                              "' is not known to this version.",
                              STR_ARG(c->charset), STR_ARG(c->name));
    }
    if (!contains(row[C_PRIVILEGES], "select")) {
        c->type = TYPE_UNSUPPORTED;
        c->why = arena_printf(
            d->arena, "The account has no SELECT privilege on column '" STR_FMT "'.",
            STR_ARG(c->name));
    }
    c->selected = c->type != TYPE_UNSUPPORTED;
    d->has_longtext |= may_be_json(c);
}

static int add_column(struct draft *d, struct draft_table *t, const struct str *row,
                      struct error *err)
{
    uint64_t ordinal = 0;
    (void)str_to_u64(row[C_ORDINAL], &ordinal);
    if (t->count == COLUMNS_MOST)
        return error_set(err, ERR_LIMIT, "table '" STR_FMT "' has more than %d columns",
                         STR_ARG(t->t.schema.name), COLUMNS_MOST);
    if (t->count == t->cap) {
        t->cap = t->cap == 0 ? 16 : t->cap * 2;
        t->columns = xreallocarray(t->columns, t->cap, sizeof *t->columns);
        t->ordinals = xreallocarray(t->ordinals, t->cap, sizeof *t->ordinals);
    }
    struct column c;
    fill_column(d, row, &c);
    t->seen_unreadable |= !contains(row[C_PRIVILEGES], "select");
    /* by ordinal, which is how they mostly come */
    size_t at = t->count++;
    for (; at > 0 && t->ordinals[at - 1] > ordinal; at--) {
        t->columns[at] = t->columns[at - 1];
        t->ordinals[at] = t->ordinals[at - 1];
    }
    t->columns[at] = c;
    t->ordinals[at] = (unsigned)ordinal;
    return 0;
}

/* MariaDB writes the check of a JSON column as json_valid(`name`), back-ticks doubled. */
static bool is_json_check_of(struct str clause, struct str column)
{
    struct buf want;
    buf_init(&want, 1024);
    buf_add_text(&want, "json_valid(");
    session_quote_ident(&want, column);
    buf_add_char(&want, ')');
    bool same = !want.failed && str_eq(clause, buf_str(&want));
    buf_done(&want);
    return same;
}

static int apply_json_checks(struct draft *d, struct str where, struct error *err)
{
    struct session_result r;
    if (draft_query(d, source_sql_json_checks, where, &r, err) != 0)
        return -1;
    for (size_t i = 0; i < r.row_count; i++) {
        const struct str *row = &r.cells[i * 3];
        struct draft_table *t = draft_find(d, row[0], row[1]);
        for (size_t j = 0; t != NULL && j < t->count; j++) {
            struct column *c = &t->columns[j];
            if (may_be_json(c) && is_json_check_of(row[2], c->name)) {
                c->type = TYPE_JSON;
                c->json_check = true;
            }
        }
    }
    return 0;
}

int draft_columns(struct draft *d, struct str where, struct error *err)
{
    struct session_result r;
    if (draft_query(d, source_sql_columns, where, &r, err) != 0)
        return -1;
    for (size_t i = 0; i < r.row_count; i++) {
        const struct str *row = &r.cells[i * C_COUNT];
        struct draft_table *t = draft_find(d, row[C_DATABASE], row[C_TABLE]);
        if (t != NULL && add_column(d, t, row, err) != 0)
            return -1;
    }
    /* the server opens every table for it: not without a reason */
    return d->has_json_checks && d->has_longtext ? apply_json_checks(d, where, err) : 0;
}
