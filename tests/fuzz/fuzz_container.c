/* Container files: any bytes give blocks or an error, never more than the limit. */
#include "avro/container.h"

#include <stdlib.h>

#define LIMIT (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = { 0 };
    struct str rows;
    uint64_t count;
    struct container_reader *r =
        container_reader_new((struct str){ (const char *)data, size }, LIMIT, &err);
    if (r == NULL)
        return 0;
    while (container_next_block(r, &rows, &count, &err) == 1)
        if (rows.len > LIMIT)
            abort();
    container_reader_free(r);
    return 0;
}
