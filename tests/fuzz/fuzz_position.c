/* Positions and bookmarks: what is read is written as the same text; tuples are walked to
 * their end. */
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
    struct key_bookmark b;
    if (key_bookmark_parse(a, text, &b, &err) == 0) {
        if (!str_eq(key_bookmark_format(a, &b), text))
            abort();
        struct key_anchor anchor = { b.noted, b.column };
        struct key_bookmark next = key_bookmark_next(a, &b, &anchor, b.noted / 2);
        (void)key_bookmark_start(&next);
        if (key_bookmark_parse(a, key_bookmark_format(a, &next), &b, &err) != 0)
            abort();
    }
    struct log_position place;
    if (log_position_parse(a, text, &place, &err) == 0 &&
        !str_eq(log_position_format(a, &place), text))
        abort();
    struct str tuple = text;
    struct str part;
    while (key_tuple_next(&tuple, &part))
        if (part.ptr + part.len != tuple.ptr)
            abort();
    arena_free(a);
    return 0;
}
