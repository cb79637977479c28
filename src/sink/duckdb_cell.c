/* One cell into a vector of DuckDB. The column's type is the table's, which may be wider
 * than the segment's: an older shape still loads after a widening. */
#include "sink/duckdb_internal.h"

#include <stdint.h>

__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

static const char does_not_fit[] = "the value does not fit the destination's column";
static const char wrong_kind[] =
    "the value's kind does not belong to the destination's column";

/* Decimals of MySQL have at most 65 digits: 216 bits and a sign. */
#define UNSCALED_MAX_BYTES 28

void cell_column_init(const struct duckdb_api *api, struct cell_column *c,
                      duckdb_logical_type type)
{
    c->type = api->get_type_id(type);
    c->physical = c->type;
    if (c->type == DUCKDB_TYPE_DECIMAL) {
        c->physical = api->decimal_internal_type(type);
        c->scale = api->decimal_scale(type);
        c->width = api->decimal_width(type);
    }
    if (c->type == DUCKDB_TYPE_ARRAY)
        c->array_size = (uint32_t)api->array_type_array_size(type);
}

void cell_column_attach(const struct duckdb_api *api, struct cell_column *c,
                        duckdb_vector vector)
{
    c->vector = vector;
    c->data = api->vector_get_data(vector);
    api->vector_ensure_validity_writable(vector);
    c->validity = api->vector_get_validity(vector);
    if (c->type == DUCKDB_TYPE_LIST)
        (void)api->list_vector_set_size(vector, 0);
}

/* ---- numbers ---------------------------------------------------------------------- */

/* Big-endian two's complement of up to 16 bytes. */
static bool integer_of_bytes(struct str bytes, int128 *out)
{
    if (bytes.len == 0 || bytes.len > 16)
        return false;
    uint128 v = (uint8_t)bytes.ptr[0] & 0x80 ? ~(uint128)0 : 0;
    for (size_t i = 0; i < bytes.len; i++)
        v = (v << 8) | (uint8_t)bytes.ptr[i];
    *out = (int128)v;
    return true;
}

static bool integer_of(const struct value *v, int128 *out)
{
    if (v->kind == VALUE_INT)
        *out = v->as.i;
    else if (v->kind == VALUE_UINT)
        *out = v->as.u;
    else if (v->kind == VALUE_UNSCALED)
        return integer_of_bytes(value_str(v), out);
    else
        return false;
    return true;
}

static bool within(int128 n, int128 low, int128 high)
{
    return n >= low && n <= high;
}

static duckdb_hugeint hugeint_of(int128 n)
{
    return (duckdb_hugeint){ .lower = (uint64_t)n, .upper = (int64_t)(n >> 64) };
}

#define STORE_INTEGER(ctype, low, high)     \
    do {                                    \
        if (!within(n, low, high))          \
            return does_not_fit;            \
        ((ctype *)c->data)[row] = (ctype)n; \
        return NULL;                        \
    } while (0)

/* The physical type is an integer (DECIMAL: the one that it is stored in). */
static const char *store_integer(struct cell_column *c, idx_t row, int128 n)
{
    duckdb_type t = c->physical;
    if (t == DUCKDB_TYPE_BOOLEAN)
        STORE_INTEGER(bool, 0, 1);
    if (t == DUCKDB_TYPE_TINYINT)
        STORE_INTEGER(int8_t, INT8_MIN, INT8_MAX);
    if (t == DUCKDB_TYPE_UTINYINT)
        STORE_INTEGER(uint8_t, 0, UINT8_MAX);
    if (t == DUCKDB_TYPE_SMALLINT)
        STORE_INTEGER(int16_t, INT16_MIN, INT16_MAX);
    if (t == DUCKDB_TYPE_USMALLINT)
        STORE_INTEGER(uint16_t, 0, UINT16_MAX);
    if (t == DUCKDB_TYPE_INTEGER)
        STORE_INTEGER(int32_t, INT32_MIN, INT32_MAX);
    if (t == DUCKDB_TYPE_UINTEGER)
        STORE_INTEGER(uint32_t, 0, UINT32_MAX);
    if (t == DUCKDB_TYPE_BIGINT)
        STORE_INTEGER(int64_t, INT64_MIN, INT64_MAX);
    if (t == DUCKDB_TYPE_UBIGINT)
        STORE_INTEGER(uint64_t, 0, UINT64_MAX);
    if (t != DUCKDB_TYPE_HUGEINT)
        return wrong_kind;
    ((duckdb_hugeint *)c->data)[row] = hugeint_of(n);
    return NULL;
}

static const char *store_decimal(struct cell_column *c, idx_t row, int128 n)
{
    int128 bound = 1;
    for (unsigned i = 0; i < c->width; i++)
        bound *= 10;
    if (c->scale < c->value_scale)
        return does_not_fit;
    for (unsigned i = c->value_scale; i < c->scale; i++) {
        if (!within(n, -(bound / 10), bound / 10)) /* 10^38 is the most: no overflow */
            return does_not_fit;
        n *= 10;
    }
    if (n >= bound || n <= -bound)
        return does_not_fit;
    return store_integer(c, row, n);
}

bool cell_unscaled_text(struct str bytes, unsigned scale, struct buf *out)
{
    uint8_t magnitude[UNSCALED_MAX_BYTES] = { 0 };
    char digits[80];
    size_t count = 0;
    if (bytes.len == 0 || bytes.len > UNSCALED_MAX_BYTES || scale >= sizeof(digits) - 4)
        return false;
    bool negative = ((uint8_t)bytes.ptr[0] & 0x80) != 0;
    unsigned carry = 1;
    for (size_t i = bytes.len; i-- > 0;) {
        unsigned byte = (uint8_t)bytes.ptr[i];
        if (negative) {
            byte = (byte ^ 0xffU) + carry;
            carry = byte >> 8;
        }
        magnitude[i] = (uint8_t)byte;
    }
    /* divide by ten until nothing is left, lowest digit first */
    for (bool left = true; left || count <= scale; count++) {
        unsigned rest = 0;
        left = false;
        for (size_t i = 0; i < bytes.len; i++) {
            unsigned n = rest * 256 + magnitude[i];
            magnitude[i] = (uint8_t)(n / 10);
            rest = n % 10;
            left = left || magnitude[i] != 0;
        }
        if (count >= sizeof(digits))
            return false;
        digits[count] = (char)('0' + rest);
    }
    if (negative)
        buf_add_char(out, '-');
    for (size_t i = count; i-- > 0;) {
        buf_add_char(out, digits[i]);
        if (i == scale && scale > 0)
            buf_add_char(out, '.');
    }
    return true;
}

static const char *store_number_as_text(const struct duckdb_api *api,
                                        const struct cell_column *c, idx_t row,
                                        const struct value *v)
{
    char text[96];
    int n = 0;
    if (v->kind == VALUE_UNSCALED) {
        struct buf out;
        buf_init(&out, sizeof(text));
        bool ok = cell_unscaled_text(value_str(v), c->value_scale, &out) && !out.failed;
        if (ok)
            api->vector_assign_string_element_len(c->vector, row, out.data, out.len);
        buf_done(&out);
        return ok ? NULL : does_not_fit;
    }
    if (v->kind == VALUE_INT)
        n = snprintf(text, sizeof(text), "%lld", (long long)v->as.i);
    else
        n = snprintf(text, sizeof(text), "%llu", (unsigned long long)v->as.u);
    api->vector_assign_string_element_len(c->vector, row, text, (idx_t)n);
    return NULL;
}

/* ---- the other kinds -------------------------------------------------------------- */

static const char *store_floating(struct cell_column *c, idx_t row, const struct value *v)
{
    if (c->type == DUCKDB_TYPE_FLOAT && v->kind == VALUE_FLOAT)
        ((float *)c->data)[row] = v->as.f;
    else if (c->type == DUCKDB_TYPE_DOUBLE && v->kind == VALUE_FLOAT)
        ((double *)c->data)[row] = (double)v->as.f;
    else if (c->type == DUCKDB_TYPE_DOUBLE && v->kind == VALUE_DOUBLE)
        ((double *)c->data)[row] = v->as.d;
    else
        return wrong_kind;
    return NULL;
}

/* DuckDB keeps a UUID as a 128-bit number with the highest bit turned, so that numbers
 * order as the texts do (duckdb.h, duckdb_create_uuid). */
static const char *store_uuid(struct cell_column *c, idx_t row, struct str text)
{
    uint128 n = 0;
    unsigned digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        char ch = text.ptr[i];
        unsigned digit = 0;
        if (ch == '-')
            continue;
        if (ch >= '0' && ch <= '9')
            digit = (unsigned)(ch - '0');
        else if ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f')
            digit = (unsigned)((ch | 0x20) - 'a') + 10;
        else
            return "the text is no UUID";
        n = (n << 4) | digit;
        digits++;
    }
    if (digits != 32)
        return "the text is no UUID";
    n ^= (uint128)1 << 127;
    ((duckdb_hugeint *)c->data)[row] = hugeint_of((int128)n);
    return NULL;
}

static const char *store_vector(const struct duckdb_api *api, struct cell_column *c,
                                idx_t row, struct str floats)
{
    idx_t count = floats.len / sizeof(float);
    if (floats.len % sizeof(float) != 0)
        return "a vector's length is no multiple of four bytes";
    if (c->type == DUCKDB_TYPE_ARRAY) {
        if (count != c->array_size)
            return "the vector has another number of dimensions than its column";
        float *all = api->vector_get_data(api->array_vector_get_child(c->vector));
        memcpy(all + row * c->array_size, floats.ptr, floats.len);
        return NULL;
    }
    idx_t used = api->list_vector_get_size(c->vector);
    if (api->list_vector_reserve(c->vector, used + count) != DuckDBSuccess ||
        api->list_vector_set_size(c->vector, used + count) != DuckDBSuccess)
        return "no memory for a vector";
    float *all = api->vector_get_data(api->list_vector_get_child(c->vector));
    if (count > 0)
        memcpy(all + used, floats.ptr, floats.len);
    ((duckdb_list_entry *)c->data)[row] =
        (duckdb_list_entry){ .offset = used, .length = count };
    return NULL;
}

static const char *store_null(const struct duckdb_api *api, struct cell_column *c,
                              idx_t row)
{
    c->validity[row / 64] &= ~((uint64_t)1 << (row % 64));
    if (c->type == DUCKDB_TYPE_LIST)
        ((duckdb_list_entry *)c->data)[row] = (duckdb_list_entry){ 0 };
    if (c->type == DUCKDB_TYPE_ARRAY) {
        float *all = api->vector_get_data(api->array_vector_get_child(c->vector));
        memset(all + row * c->array_size, 0, c->array_size * sizeof(float));
    }
    return NULL;
}

/* What the library would do, without its copy and without checking UTF-8 again: duckdb.h,
 * duckdb_string_t; short ones are padded with zeros. */
static void store_borrowed(struct cell_column *c, idx_t row, struct str s)
{
    duckdb_string_t t = { 0 };
    t.value.inlined.length = (uint32_t)s.len;
    if (s.len <= sizeof(t.value.inlined.inlined)) {
        if (s.len > 0)
            memcpy(t.value.inlined.inlined, s.ptr, s.len);
    } else {
        union {
            const char *borrowed;
            char *pointer;
        } text = { .borrowed = s.ptr }; /* DuckDB only reads it */
        memcpy(t.value.pointer.prefix, s.ptr, sizeof(t.value.pointer.prefix));
        t.value.pointer.ptr = text.pointer;
    }
    ((duckdb_string_t *)c->data)[row] = t;
}

static const char *store_bytes(const struct duckdb_api *api, struct cell_column *c,
                               idx_t row, const struct value *v)
{
    struct str s = value_str(v);
    if (c->type == DUCKDB_TYPE_UUID && v->kind == VALUE_TEXT)
        return store_uuid(c, row, s);
    if ((c->type == DUCKDB_TYPE_LIST || c->type == DUCKDB_TYPE_ARRAY) &&
        v->kind == VALUE_BYTES)
        return store_vector(api, c, row, s);
    if (c->type != (v->kind == VALUE_BYTES ? DUCKDB_TYPE_BLOB : DUCKDB_TYPE_VARCHAR))
        return wrong_kind;
    if (c->borrows)
        store_borrowed(c, row, s);
    else
        api->vector_assign_string_element_len(c->vector, row, s.ptr == NULL ? "" : s.ptr,
                                              s.len);
    return NULL;
}

static const char *store_moment(struct cell_column *c, idx_t row, const struct value *v)
{
    if (c->type == DUCKDB_TYPE_DATE && v->kind == VALUE_DATE) {
        if (!within(v->as.i, INT32_MIN, INT32_MAX))
            return does_not_fit;
        ((int32_t *)c->data)[row] = (int32_t)v->as.i;
    } else if (c->type == DUCKDB_TYPE_TIMESTAMP && v->kind == VALUE_DATE) {
        ((int64_t *)c->data)[row] = v->as.i * INT64_C(86400000000);
    } else if ((c->type == DUCKDB_TYPE_TIMESTAMP && v->kind == VALUE_DATETIME) ||
               (c->type == DUCKDB_TYPE_TIMESTAMP_TZ && v->kind == VALUE_TIMESTAMP)) {
        ((int64_t *)c->data)[row] = v->as.i;
    } else if (c->type == DUCKDB_TYPE_INTERVAL && v->kind == VALUE_TIME) {
        ((duckdb_interval *)c->data)[row] = (duckdb_interval){ .micros = v->as.i };
    } else {
        return wrong_kind;
    }
    return NULL;
}

static const char *store_exact(const struct duckdb_api *api, struct cell_column *c,
                               idx_t row, const struct value *v)
{
    int128 n = 0;
    if (c->type == DUCKDB_TYPE_VARCHAR)
        return store_number_as_text(api, c, row, v);
    if (!integer_of(v, &n))
        return does_not_fit;
    if (c->type == DUCKDB_TYPE_DECIMAL)
        return store_decimal(c, row, n);
    return store_integer(c, row, n);
}

const char *cell_store(const struct duckdb_api *api, struct cell_column *c, idx_t row,
                       const struct value *v)
{
    switch ((enum value_kind)v->kind) {
    case VALUE_ABSENT:
    case VALUE_NULL:
        return store_null(api, c, row);
    case VALUE_INT:
    case VALUE_UINT:
    case VALUE_UNSCALED:
        return store_exact(api, c, row, v);
    case VALUE_FLOAT:
    case VALUE_DOUBLE:
        return store_floating(c, row, v);
    case VALUE_TEXT:
    case VALUE_JSON:
    case VALUE_BYTES:
        return store_bytes(api, c, row, v);
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_DATETIME:
    case VALUE_TIMESTAMP:
        return store_moment(c, row, v);
    case VALUE_DECIMAL:
    case VALUE_BAD_DATE:
    case VALUE_INVALID:
        return wrong_kind;
    }
    return wrong_kind;
}
