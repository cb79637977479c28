/* Positions: what is read is written as the same text; tuples are walked to their end. */
#include "row/position.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *)data, size };
    struct arena *a = arena_new(16u << 20);
    struct page_position p;
    struct error err = { 0 };
    if (page_position_parse(a, text, &p, &err) == 0 &&
        !str_eq(page_position_format(a, &p), text))
        abort();
    struct str tuple = text;
    struct str part;
    while (key_tuple_next(&tuple, &part))
        if (part.ptr + part.len != tuple.ptr)
            abort();
    arena_free(a);
    return 0;
}
