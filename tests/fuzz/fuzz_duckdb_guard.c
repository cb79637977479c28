/* Statements of people: whatever the bytes, what is found lies inside them. */
#include "sink/duckdb_internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct str part, struct str all)
{
    if (part.len > 0 && (part.ptr < all.ptr || part.ptr + part.len > all.ptr + all.len))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str sql = { (const char *)data, size };
    struct guard_look look;
    struct buf text;
    guard_look(sql, &look);
    inside(look.text, sql);
    inside(look.first, sql);
    inside(look.bad, sql);
    buf_init(&text, 256);
    if (size > 0)
        (void)cell_unscaled_text((struct str){ sql.ptr + 1, sql.len - 1 }, data[0],
                                 &text);
    buf_done(&text);
    return 0;
}
