/* Cells as such. See value.h. */
#include "row/value.h"

#include <string.h>

bool value_same(const struct value *a, const struct value *b)
{
    if (a->kind != b->kind)
        return false;
    if (value_has_bytes(a))
        return str_eq(value_str(a), value_str(b));
    if (a->kind == VALUE_ABSENT || a->kind == VALUE_NULL)
        return true;
    return memcmp(&a->as, &b->as, a->kind == VALUE_FLOAT ? 4 : 8) == 0;
}
