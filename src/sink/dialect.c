#include "sink/dialect.h"

#include "sink/contract.h"

static void quote(struct buf *sql, struct str s, char mark)
{
    buf_add_char(sql, mark);
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == mark)
            buf_add_char(sql, mark);
        buf_add_char(sql, s.ptr[i]);
    }
    buf_add_char(sql, mark);
}

void dialect_quote_ident(struct buf *sql, struct str name)
{
    quote(sql, name, '"');
}

void dialect_quote_literal(struct buf *sql, struct str text)
{
    quote(sql, text, '\'');
}

void dialect_quote_table(struct buf *sql, struct str schema, struct str table)
{
    dialect_quote_ident(sql, schema);
    buf_add_char(sql, '.');
    dialect_quote_ident(sql, table);
}

void dialect_columns(struct buf *sql, enum sql_family family,
                     const struct table_schema *shape, bool keyless)
{
    buf_add_text(sql, " (");
    for (unsigned i = 0; i < shape->column_count; i++) {
        dialect_quote_ident(sql, shape->columns[i].avro_name);
        buf_add_char(sql, ' ');
        type_sql(&shape->columns[i], family, sql);
        buf_add_text(sql, ", ");
    }
    for (unsigned i = keyless ? SYSTEM_PRIMARY_KEY : SYSTEM_EXTRACTED_AT;
         i < SYSTEM_COLUMN_COUNT; i++) {
        enum system_column c = (enum system_column)i;
        dialect_quote_ident(sql, str_of(contract_system_name(c)));
        buf_add_char(sql, ' ');
        buf_add_text(sql, contract_system_type(c, family));
        buf_add_text(sql, i + 1 < SYSTEM_COLUMN_COUNT ? ", " : ")");
    }
}

/* ---- widening of DuckDB types ----------------------------------------------------- */

enum type_class {
    CLASS_OTHER = 0, /* only equal to itself */
    CLASS_INTEGER,   /* BOOLEAN (1 bit, unsigned) to HUGEINT */
    CLASS_DECIMAL,
    CLASS_FLOATING,
    CLASS_TEXT, /* VARCHAR, JSON, UUID: all are text to us */
    CLASS_DAY,  /* DATE, TIMESTAMP */
    CLASS_VECTOR,
};

struct type_shape {
    enum type_class class;
    unsigned bits; /* INTEGER: bits of the magnitude; FLOATING, DAY: rank */
    bool is_signed;
    unsigned whole, scale; /* DECIMAL: digits before and after the point */
};

static const struct {
    const char *name;
    struct type_shape shape;
} named_types[] = {
    { "BOOLEAN", { CLASS_INTEGER, 1, false, 1, 0 } },
    { "TINYINT", { CLASS_INTEGER, 7, true, 3, 0 } },
    { "UTINYINT", { CLASS_INTEGER, 8, false, 3, 0 } },
    { "SMALLINT", { CLASS_INTEGER, 15, true, 5, 0 } },
    { "USMALLINT", { CLASS_INTEGER, 16, false, 5, 0 } },
    { "INTEGER", { CLASS_INTEGER, 31, true, 10, 0 } },
    { "UINTEGER", { CLASS_INTEGER, 32, false, 10, 0 } },
    { "BIGINT", { CLASS_INTEGER, 63, true, 19, 0 } },
    { "UBIGINT", { CLASS_INTEGER, 64, false, 20, 0 } },
    { "HUGEINT", { CLASS_INTEGER, 127, true, 39, 0 } },
    { "FLOAT", { CLASS_FLOATING, 1, true, 0, 0 } },
    { "DOUBLE", { CLASS_FLOATING, 2, true, 0, 0 } },
    { "VARCHAR", { CLASS_TEXT, 0, false, 0, 0 } },
    { "JSON", { CLASS_TEXT, 0, false, 0, 0 } },
    { "UUID", { CLASS_TEXT, 0, false, 0, 0 } },
    { "DATE", { CLASS_DAY, 1, false, 0, 0 } },
    { "TIMESTAMP", { CLASS_DAY, 2, false, 0, 0 } },
};

#define NAMED_TYPE_COUNT (sizeof(named_types) / sizeof(named_types[0]))

/* The widest DECIMAL of DuckDB. */
#define DUCKDB_DECIMAL_DIGITS 38u

static struct type_shape shape_of(struct str type)
{
    struct type_shape none = { 0 };
    for (size_t i = 0; i < NAMED_TYPE_COUNT; i++)
        if (str_eq(type, str_of(named_types[i].name)))
            return named_types[i].shape;
    if (str_starts(type, STR("FLOAT[")))
        return (struct type_shape){ .class = CLASS_VECTOR };
    if (str_starts(type, STR("DECIMAL(")) && str_ends(type, STR(")"))) {
        struct str scale, digits = { type.ptr + 8, type.len - 9 };
        uint64_t p = 0, s = 0;
        digits = str_cut(digits, ',', &scale);
        if (str_to_u64(digits, &p) && str_to_u64(scale, &s) && s <= p && p <= 1000)
            return (struct type_shape){ .class = CLASS_DECIMAL,
                                        .whole = (unsigned)(p - s),
                                        .scale = (unsigned)s };
    }
    return none;
}

static bool integer_holds(struct type_shape wide, struct type_shape narrow)
{
    return wide.bits >= narrow.bits && (wide.is_signed || !narrow.is_signed);
}

/* The first integer type of the table that holds both; false past HUGEINT. */
static bool widen_integers(struct type_shape a, struct type_shape b, struct buf *out)
{
    for (size_t i = 0; i < NAMED_TYPE_COUNT; i++) {
        struct type_shape t = named_types[i].shape;
        if (t.class == CLASS_INTEGER && integer_holds(t, a) && integer_holds(t, b)) {
            buf_add_text(out, named_types[i].name);
            return true;
        }
    }
    return false;
}

static void widen_decimals(struct type_shape a, struct type_shape b, struct buf *out)
{
    unsigned whole = a.whole > b.whole ? a.whole : b.whole;
    unsigned scale = a.scale > b.scale ? a.scale : b.scale;
    if (whole + scale > DUCKDB_DECIMAL_DIGITS)
        buf_add_text(out, "VARCHAR");
    else
        buf_printf(out, "DECIMAL(%u,%u)", whole + scale, scale);
}

static bool is_number(struct type_shape t)
{
    return t.class == CLASS_INTEGER || t.class == CLASS_DECIMAL;
}

int dialect_duckdb_widen(struct str have, struct str want, struct buf *out,
                         struct error *err)
{
    /* the short name of our table of types and the one that DuckDB's catalog prints */
    if (str_eq(want, STR("TIMESTAMPTZ")))
        want = STR("TIMESTAMP WITH TIME ZONE");
    struct type_shape a = shape_of(have), b = shape_of(want);
    if (str_eq(have, want)) {
        buf_add_str(out, have);
        return 0;
    }
    if (a.class == CLASS_INTEGER && b.class == CLASS_INTEGER && widen_integers(a, b, out))
        return 0;
    if (is_number(a) && is_number(b)) {
        widen_decimals(a, b, out);
        return 0;
    }
    if (a.class == b.class && a.class == CLASS_FLOATING) {
        buf_add_text(out, "DOUBLE");
        return 0;
    }
    if (a.class == b.class && a.class == CLASS_DAY) {
        buf_add_text(out, "TIMESTAMP");
        return 0;
    }
    if (a.class == b.class && a.class == CLASS_VECTOR) {
        buf_add_text(out, "FLOAT[]");
        return 0;
    }
    /* a decimal past 38 digits is text already */
    if ((a.class == CLASS_TEXT && (b.class == CLASS_TEXT || is_number(b))) ||
        (b.class == CLASS_TEXT && is_number(a))) {
        buf_add_text(out, "VARCHAR");
        return 0;
    }
    return error_set(err, ERR_SCHEMA,
                     "no type holds both '" STR_FMT "' and '" STR_FMT "'", STR_ARG(have),
                     STR_ARG(want));
}
