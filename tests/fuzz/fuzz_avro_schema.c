/* Schemas: what is read is written and read again as the same shape. */
#include "avro/schema.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(16u << 20);
    struct table_schema first;
    struct table_schema second;
    struct error err = { 0 };
    if (avro_schema_read(a, (struct str){ (const char *)data, size }, &first, &err) ==
        0) {
        struct buf json;
        buf_init(&json, 16u << 20);
        avro_schema_write(&first, AVRO_CHANGE, &json);
        if (avro_schema_read(a, buf_str(&json), &second, &err) != 0 ||
            !schema_same_shape(&first, &second) ||
            schema_hash(&first) != schema_hash(&second))
            abort();
        buf_done(&json);
    }
    arena_free(a);
    return 0;
}
