#include "row/schema.h"

#include <assert.h>
#include <stdlib.h>
#include <xxhash.h>

const struct column *schema_find_column(const struct table_schema *s, struct str name)
{
    for (unsigned i = 0; i < s->column_count; i++)
        if (str_eq(s->columns[i].name, name))
            return &s->columns[i];
    return NULL;
}

const struct column *schema_key_column(const struct table_schema *s, unsigned ordinal)
{
    for (unsigned i = 0; ordinal > 0 && i < s->column_count; i++)
        if (s->columns[i].key_ordinal == ordinal)
            return &s->columns[i];
    return NULL;
}

/* Keeps the difference between no text and an empty one. */
static struct str copy_str(struct arena *a, struct str s)
{
    return s.ptr == NULL ? s : arena_str(a, s);
}

static struct column copy_column(struct arena *a, const struct column *c)
{
    struct column out = *c;
    out.name = copy_str(a, c->name);
    out.avro_name = copy_str(a, c->avro_name);
    out.source_type = copy_str(a, c->source_type);
    out.charset = copy_str(a, c->charset);
    out.collation = copy_str(a, c->collation);
    out.why = copy_str(a, c->why);
    out.default_text = copy_str(a, c->default_text);
    out.labels = NULL;
    if (c->label_count > 0) {
        struct str *labels = ARENA_ARRAY(a, struct str, c->label_count);
        for (unsigned i = 0; i < c->label_count; i++)
            labels[i] = copy_str(a, c->labels[i]);
        out.labels = labels;
    }
    return out;
}

/* The head of a schema with room for count columns. */
static struct table_schema *new_like(struct arena *a, const struct table_schema *s,
                                     struct column **columns, size_t count)
{
    struct table_schema *out = ARENA_NEW(a, struct table_schema);
    *out = *s;
    out->database = copy_str(a, s->database);
    out->name = copy_str(a, s->name);
    *columns = ARENA_ARRAY(a, struct column, count > 0 ? count : 1);
    out->columns = *columns;
    out->column_count = (uint16_t)count;
    return out;
}

struct table_schema *schema_copy(struct arena *a, const struct table_schema *s)
{
    struct column *columns;
    struct table_schema *out = new_like(a, s, &columns, s->column_count);
    for (unsigned i = 0; i < s->column_count; i++)
        columns[i] = copy_column(a, &s->columns[i]);
    return out;
}

/* Read and written: selected itself, or the companion of a column that is. */
static bool is_chosen(const struct table_schema *s, const struct column *c)
{
    if (c->companion > 0 && c->companion <= s->column_count)
        c = &s->columns[c->companion - 1];
    return c->selected && c->type != TYPE_UNSUPPORTED;
}

/* The key survives only whole: part of a key identifies nothing. */
static unsigned chosen_key_count(const struct table_schema *s)
{
    for (unsigned k = 1; k <= s->key_count; k++) {
        const struct column *c = schema_key_column(s, k);
        if (c == NULL || !is_chosen(s, c))
            return 0;
    }
    return s->key_count;
}

/* Column number i is placed already, among the first `count`. */
static bool is_placed(const uint16_t *places, unsigned count, unsigned i)
{
    for (unsigned p = 0; p < count; p++)
        if (places[p] == i)
            return true;
    return false;
}

struct table_schema *schema_project(struct arena *a, const struct table_schema *s)
{
    return schema_project_by(a, s, (struct str){ 0 });
}

struct table_schema *schema_project_by(struct arena *a, const struct table_schema *s,
                                       struct str by)
{
    uint16_t *places = ARENA_ARRAY(a, uint16_t, (size_t)s->column_count + 1);
    uint16_t *new_index = ARENA_ARRAY(a, uint16_t, (size_t)s->column_count + 1);
    unsigned key_count = chosen_key_count(s);
    unsigned count = 0;
    for (unsigned k = 1; k <= key_count; k++)
        places[count++] = (uint16_t)(schema_key_column(s, k) - s->columns);
    const struct column *first = by.len > 0 ? schema_find_column(s, by) : NULL;
    if (first != NULL && is_chosen(s, first) &&
        !is_placed(places, count, (unsigned)(first - s->columns)))
        places[count++] = (uint16_t)(first - s->columns);
    unsigned ahead = count;
    for (unsigned i = 0; i < s->column_count; i++)
        if (is_chosen(s, &s->columns[i]) && !is_placed(places, ahead, i))
            places[count++] = (uint16_t)i;
    if (count == 0)
        return NULL;
    struct column *columns;
    struct table_schema *out = new_like(a, s, &columns, count);
    out->key_count = (uint16_t)key_count;
    for (unsigned i = 0; i < count; i++) {
        columns[i] = copy_column(a, &s->columns[places[i]]);
        new_index[places[i]] = (uint16_t)i;
        if (key_count == 0)
            columns[i].key_ordinal = 0;
    }
    for (unsigned i = 0; i < count; i++) {
        unsigned of = columns[i].companion;
        if (of > 0)
            columns[i].companion =
                of <= s->column_count ? (uint16_t)(new_index[of - 1] + 1) : 0;
        columns[i].selected = true;
    }
    return out;
}

struct table_schema *schema_promote_bool(struct arena *a, const struct table_schema *s,
                                         unsigned index)
{
    struct column *columns;
    struct table_schema *out = new_like(a, s, &columns, s->column_count);
    for (unsigned i = 0; i < s->column_count; i++)
        columns[i] = copy_column(a, &s->columns[i]);
    assert(index < s->column_count && columns[index].type == TYPE_BOOL);
    columns[index].type = TYPE_INT;
    columns[index].bytes = 1;
    out->version = s->version + 1;
    return out;
}

static bool labels_start_with(const struct column *longer, const struct column *shorter)
{
    if (shorter->label_count > longer->label_count)
        return false;
    for (unsigned i = 0; i < shorter->label_count; i++)
        if (!str_eq(longer->labels[i], shorter->labels[i]))
            return false;
    return true;
}

/* The numbers of a column that make its shape, in one order for comparing and hashing. */
#define SHAPE_NUMBERS 14
static void shape_numbers(const struct column *c, uint64_t out[SHAPE_NUMBERS])
{
    const uint64_t numbers[SHAPE_NUMBERS] = {
        (uint64_t)c->type, c->length,    c->label_count, c->precision,    c->scale,
        c->key_ordinal,    c->companion, c->fraction,    c->bytes,        c->generated,
        c->is_unsigned,    c->nullable,  c->json_check,  c->fixed_length,
    };
    memcpy(out, numbers, sizeof(numbers));
}

static bool same_column(const struct column *a, const struct column *b)
{
    uint64_t numbers_a[SHAPE_NUMBERS];
    uint64_t numbers_b[SHAPE_NUMBERS];
    shape_numbers(a, numbers_a);
    shape_numbers(b, numbers_b);
    return memcmp(numbers_a, numbers_b, sizeof(numbers_a)) == 0 &&
           str_eq(a->name, b->name) && str_eq(a->avro_name, b->avro_name) &&
           str_eq(a->charset, b->charset) && str_eq(a->collation, b->collation) &&
           labels_start_with(a, b);
}

bool schema_same_shape(const struct table_schema *a, const struct table_schema *b)
{
    if (a->column_count != b->column_count || a->key_count != b->key_count)
        return false;
    for (unsigned i = 0; i < a->column_count; i++)
        if (!same_column(&a->columns[i], &b->columns[i]))
            return false;
    return true;
}

static void hash_number(XXH3_state_t *state, uint64_t v)
{
    unsigned char bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(v >> (8 * i));
    XXH3_64bits_update(state, bytes, sizeof(bytes));
}

static void hash_str(XXH3_state_t *state, struct str s)
{
    hash_number(state, s.len);
    if (s.len > 0)
        XXH3_64bits_update(state, s.ptr, s.len);
}

uint64_t schema_hash(const struct table_schema *s)
{
    XXH3_state_t *state = XXH3_createState();
    if (state == NULL)
        abort(); /* a few hundred bytes: as base/alloc.h does */
    XXH3_64bits_reset(state);
    hash_number(state, s->column_count);
    hash_number(state, s->key_count);
    for (unsigned i = 0; i < s->column_count; i++) {
        const struct column *c = &s->columns[i];
        uint64_t numbers[SHAPE_NUMBERS];
        shape_numbers(c, numbers);
        for (unsigned j = 0; j < SHAPE_NUMBERS; j++)
            hash_number(state, numbers[j]);
        hash_str(state, c->name);
        hash_str(state, c->avro_name);
        hash_str(state, c->charset);
        hash_str(state, c->collation);
        for (unsigned j = 0; j < c->label_count; j++)
            hash_str(state, c->labels[j]);
    }
    uint64_t hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return hash;
}

/* The range of a type of whole numbers, as bits without sign: an integer of `bits` value
 * bits, negative as well when `sign`. 0 bits: no whole number. */
struct whole {
    unsigned bits;
    bool sign;
};

static struct whole whole_of(const struct column *c)
{
    if (c->type == TYPE_BOOL)
        return (struct whole){ 1, false };
    if (c->type == TYPE_INT)
        return (struct whole){ c->bytes * 8u - !c->is_unsigned, !c->is_unsigned };
    if (c->type == TYPE_LONG)
        return c->is_unsigned ? (struct whole){ 32, false } : (struct whole){ 63, true };
    if (c->type == TYPE_UBIGINT || c->type == TYPE_BIT64)
        return (struct whole){ 64, false };
    if (c->type == TYPE_BIT)
        return (struct whole){ (unsigned)c->length, false };
    if (c->type == TYPE_YEAR)
        return (struct whole){ 12, false };
    return (struct whole){ 0, false };
}

/* Decimal digits of the largest integer of so many bits. */
static unsigned digits_of_bits(unsigned bits)
{
    return bits * 30103u / 100000u + 1;
}

/* Integers that a double holds exactly end at 2^53, those of a float at 2^24. */
static bool whole_widens(struct whole have, const struct column *want)
{
    struct whole into = whole_of(want);
    if (into.bits > 0 && want->type != TYPE_BOOL && want->type != TYPE_YEAR)
        return into.bits >= have.bits && (into.sign || !have.sign);
    if (want->type == TYPE_DECIMAL)
        return want->precision - want->scale >= (int)digits_of_bits(have.bits);
    if (want->type == TYPE_DOUBLE)
        return have.bits <= 53;
    return want->type == TYPE_FLOAT && have.bits <= 24;
}

static bool decimal_widens(const struct column *have, const struct column *want)
{
    /* Past 38 digits a destination keeps text: a change of type. */
    bool same_side = (have->precision <= 38) == (want->precision <= 38);
    return same_side && want->scale >= have->scale &&
           want->precision - want->scale >= have->precision - have->scale;
}

static bool text_widens(const struct column *have, const struct column *want)
{
    return want->length >= have->length && (str_eq(have->charset, want->charset) ||
                                            str_eq(want->charset, STR("utf8mb4")));
}

static bool same_type_widens(const struct column *have, const struct column *want)
{
    switch (have->type) {
    case TYPE_DECIMAL:
        return decimal_widens(have, want);
    case TYPE_TEXT:
        return text_widens(have, want);
    case TYPE_BYTES:
        return want->length >= have->length;
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIME:
        return want->fraction >= have->fraction;
    case TYPE_ENUM:
    case TYPE_SET:
        return labels_start_with(want, have);
    case TYPE_VECTOR:
        return want->fixed_length ? have->fixed_length && have->length == want->length
                                  : want->length >= have->length;
    case TYPE_BOOL:
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
    case TYPE_DATE:
    case TYPE_YEAR:
    case TYPE_JSON:
    case TYPE_GEOMETRY:
    case TYPE_UUID:
    case TYPE_INET4:
    case TYPE_INET6:
        return true;
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_UBIGINT:
    case TYPE_BIT:
    case TYPE_BIT64:
        return whole_widens(whole_of(have), want);
    case TYPE_UNSUPPORTED:
    case TYPE_COUNT:
        break;
    }
    return false;
}

bool column_widens(const struct column *have, const struct column *want)
{
    if (have->type == want->type)
        return same_type_widens(have, want);
    struct whole whole = whole_of(have);
    if (whole.bits > 0)
        return whole_widens(whole, want);
    if (have->type == TYPE_FLOAT)
        return want->type == TYPE_DOUBLE;
    return have->type == TYPE_DATE && want->type == TYPE_DATETIME;
}
