/* Rows of a segment: any bytes give rows or an error, and the encoder takes or refuses
 * whatever cells came out. */
#include "avro/decode.h"
#include "avro/schema.h"
#include "support/all_types.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct decode_plan *make_plan(void)
{
    struct all_types types;
    struct buf json;
    struct error err = { 0 };
    buf_init(&json, 1u << 20);
    avro_schema_write(all_types_schema(&types), AVRO_CHANGE, &json);
    struct decode_plan *p = decode_plan_new(buf_str(&json), &err);
    buf_done(&json);
    return p;
}

static void write_again(const struct table_schema *s, const struct row_meta *meta,
                        const struct value *cells)
{
    const struct encode_policy policy = { DATE_NULL };
    struct encode_plan *plan = encode_plan_new(s, &policy);
    struct block *b = block_new(1, s, 1u << 20);
    struct encode_fault fault;
    (void)encode_row(plan, b, meta, cells, &fault);
    block_free(b);
    encode_plan_free(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct decode_plan *p; /* made once, for speed */
    if (p == NULL)
        p = make_plan();
    struct reader in = reader_over((struct str){ (const char *)data, size });
    struct value cells[ALL_COLUMNS];
    struct row_meta meta;
    struct error err = { 0 };
    struct str columns;
    while (in.pos < in.end && decode_row(p, &in, &meta, cells, &columns, &err) == 0) {
        if (columns.ptr + columns.len != in.pos)
            abort();
        write_again(decode_plan_schema(p), &meta, cells);
    }
    return 0;
}
