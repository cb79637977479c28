#include "mysql/geometry.h"

#include "base/reader.h"

#define EWKB_SRID 0x20000000u

enum geometry_form geometry_to_ewkb(struct str *s, struct buf *out)
{
    struct reader r = reader_over(*s);
    uint64_t srid = reader_le(&r, 4);
    uint64_t order = reader_le(&r, 1);
    uint64_t type = reader_le(&r, 4);
    if (r.bad || order != 1)
        return GEOMETRY_INVALID;
    if (srid == 0) {
        *s = (struct str){ s->ptr + 4, s->len - 4 };
        return GEOMETRY_LENT;
    }
    type |= EWKB_SRID;
    buf_add_char(out, 1);
    for (unsigned i = 0; i < 4; i++)
        buf_add_char(out, (char)(type >> (8 * i) & 0xff));
    buf_add(out, s->ptr, 4);
    buf_add(out, r.pos, (size_t)(r.end - r.pos));
    return GEOMETRY_MADE;
}
