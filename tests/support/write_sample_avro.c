/* tests/support/write_sample_avro.c
 *
 * Write container files of all types under all codecs into a folder, and beside them what
 * any reader must find in them, one JSON object a row: check_avro.py and check_avro.mjs
 * compare.
 *
 * Whole numbers stand as texts, bytes as hex, floats as the hex of their bits, so that no
 * JSON reader bends them.
 */
#include "avro/container.h"
#include "avro/decimal.h"
#include "avro/encode.h"
#include "avro/schema.h"
#include "base/alloc.h"
#include "support/all_types.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const struct row_meta meta = { OP_SNAPSHOT, 1700000000123456789, 1700000000123456,
                                      NULL };

static void die(const char *what)
{
    (void)fprintf(stderr, "write_sample_avro: %s\n", what);
    exit(1);
}

static void add_hex(struct buf *out, struct str s)
{
    buf_add_char(out, '"');
    buf_add_hex(out, s.ptr, s.len);
    buf_add_char(out, '"');
}

static void add_decimal(struct buf *out, const struct column *c, struct str text)
{
    uint8_t bytes[DECIMAL_BYTES_MAX];
    unsigned n = 0;
    if (decimal_unscaled(text, c->precision, c->scale, bytes, &n) != DECIMAL_OK)
        die("a sample decimal does not fit");
    buf_add_text(out, "{\"unscaled\":");
    add_hex(out, (struct str){ (const char *)bytes, n });
    buf_printf(out, ",\"decimal\":\"" STR_FMT "\"}", STR_ARG(text));
}

static void add_unsigned(struct buf *out, uint64_t v)
{
    uint8_t bytes[9];
    unsigned n = decimal_unscaled_u64(v, bytes);
    buf_add_text(out, "{\"unscaled\":");
    add_hex(out, (struct str){ (const char *)bytes, n });
    buf_printf(out, ",\"decimal\":\"%" PRIu64 "\"}", v);
}

static void add_vector(struct buf *out, struct str floats)
{
    for (size_t i = 0; i < floats.len; i += sizeof(float)) {
        buf_add_char(out, i == 0 ? '[' : ',');
        add_hex(out, (struct str){ floats.ptr + i, sizeof(float) });
    }
    buf_add_text(out, floats.len == 0 ? "[]" : "]");
}

static void add_cell(struct buf *out, const struct column *c, const struct value *v)
{
    struct str avro = str_of(type_get(c->type)->avro);
    if (v->kind == VALUE_NULL || v->kind == VALUE_ABSENT)
        buf_add_text(out, "null");
    else if (c->type == TYPE_BOOL)
        buf_add_text(out, v->as.i != 0 ? "true" : "false");
    else if (c->type == TYPE_DECIMAL)
        add_decimal(out, c, value_str(v));
    else if (c->type == TYPE_UBIGINT || c->type == TYPE_BIT64)
        add_unsigned(out, v->as.u);
    else if (c->type == TYPE_FLOAT)
        add_hex(out, (struct str){ (const char *)&v->as.f, sizeof(v->as.f) });
    else if (c->type == TYPE_DOUBLE)
        add_hex(out, (struct str){ (const char *)&v->as.d, sizeof(v->as.d) });
    else if (c->type == TYPE_VECTOR)
        add_vector(out, value_str(v));
    else if (str_eq(avro, STR("bytes")))
        add_hex(out, value_str(v));
    else if (str_eq(avro, STR("string")))
        buf_add_json(out, value_str(v));
    else
        buf_printf(out, "\"%" PRId64 "\"", v->as.i);
}

static void add_absent(struct buf *out, const struct value *cells)
{
    uint8_t bits[(ALL_COLUMNS + 7) / 8] = { 0 };
    bool any = false;
    for (unsigned i = 0; i < ALL_COLUMNS; i++)
        if (cells[i].kind == VALUE_ABSENT) {
            bits[i / 8] |= (uint8_t)(1u << (i % 8));
            any = true;
        }
    if (any)
        add_hex(out, (struct str){ (const char *)bits, sizeof(bits) });
    else
        buf_add_text(out, "null");
}

static void add_expected(struct buf *out, const struct table_schema *s,
                         const struct value *cells)
{
    buf_printf(out, "{\"_op\":\"S\",\"_seq\":\"%" PRId64 "\",\"_ms\":\"%" PRId64 "\",",
               meta.sequence, meta.at / 1000);
    buf_add_text(out, "\"_absent\":");
    add_absent(out, cells);
    buf_add_text(out, ",\"_before\":null");
    for (unsigned i = 0; i < s->column_count; i++) {
        buf_add_char(out, ',');
        buf_add_json(out, s->columns[i].avro_name);
        buf_add_char(out, ':');
        add_cell(out, &s->columns[i], &cells[i]);
    }
    buf_add_text(out, "}\n");
}

static int write_file(void *ctx, const void *bytes, size_t n, struct error *err)
{
    if (fwrite(bytes, 1, n, ctx) != n)
        return error_set(err, ERR_IO, "cannot write");
    return 0;
}

static FILE *create(const char *folder, const char *name, const char *suffix)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s%s", folder, name, suffix);
    FILE *f = fopen(path, "wb");
    if (f == NULL)
        die(path);
    return f;
}

static void write_container(const char *folder, const char *name, enum avro_codec codec,
                            const struct table_schema *s, struct block *const blocks[2])
{
    static const uint8_t marker[16] = "sample of avro!";
    char suffix[32];
    struct error err = { 0 };
    struct buf schema;
    buf_init(&schema, 1u << 20);
    avro_schema_write(s, AVRO_CHANGE, &schema);
    (void)snprintf(suffix, sizeof(suffix), ".%s.avro", codec_name(codec));
    FILE *f = create(folder, name, suffix);
    struct container_writer *w =
        container_writer_new(codec, buf_str(&schema), marker, write_file, f, &err);
    for (unsigned i = 0; w != NULL && i < 2; i++)
        if (container_write_block(w, buf_str(&blocks[i]->bytes), blocks[i]->rows, &err) !=
            0)
            die(err.text);
    container_writer_free(w);
    if (fclose(f) != 0)
        die("cannot close");
    buf_done(&schema);
}

/* Row number i of the sample; the last two are NULL all over, and partly absent. */
static void sample_row(unsigned i, struct value cells[ALL_COLUMNS])
{
    if (i < ALL_ROWS)
        all_types_row(i, cells);
    else
        all_types_null_row(cells);
    if (i > ALL_ROWS) {
        cells[9].kind = VALUE_ABSENT;
        cells[ALL_COLUMNS - 1].kind = VALUE_ABSENT;
    }
}

/* Rows first, first + step, ... into two blocks, then a file per codec. */
static void write_sample(const char *folder, const char *name, unsigned first,
                         unsigned step)
{
    struct all_types types;
    const struct table_schema *s = all_types_schema(&types);
    const struct encode_policy policy = { DATE_NULL };
    struct encode_plan *plan = encode_plan_new(s, &policy);
    struct block *blocks[2] = { block_new(0, s, 1u << 20), block_new(0, s, 1u << 20) };
    struct buf expected;
    buf_init(&expected, 16u << 20);
    for (unsigned i = first; i < ALL_ROWS + 2; i += step) {
        struct value cells[ALL_COLUMNS];
        struct encode_fault fault;
        sample_row(i, cells);
        if (encode_row(plan, blocks[i >= ALL_ROWS / 2], &meta, cells, &fault) !=
            ENCODE_OK)
            die(fault.reason);
        add_expected(&expected, s, cells);
    }
    for (unsigned c = CODEC_NULL; c <= CODEC_DEFLATE; c++)
        write_container(folder, name, (enum avro_codec)c, s, blocks);
    FILE *f = create(folder, name, ".ndjson");
    if (fwrite(expected.data, 1, expected.len, f) != expected.len || fclose(f) != 0)
        die("cannot write");
    buf_done(&expected);
    block_free(blocks[0]);
    block_free(blocks[1]);
    encode_plan_free(plan);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        die("usage: write_sample_avro FOLDER");
    write_sample(argv[1], "extremes", 0, 1);
    write_sample(argv[1], "calendar", 11, 12); /* dates that any library's calendar has */
    return 0;
}
