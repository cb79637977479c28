/* src/mysql/lenenc.h
 *
 * Length-encoded integers and strings where no NULL is possible: 251 is damage.
 *
 * Source: MySQL Server Doxygen 9.x, "Protocol::LengthEncodedInteger".
 */
#ifndef MYSQL_LENENC_H
#define MYSQL_LENENC_H

#include "base/reader.h"
#include "mysql/result.h"

static inline uint64_t lenenc_int(struct reader *r)
{
    bool is_null = false;
    uint64_t n = result_lenenc(r, &is_null);
    r->bad |= is_null;
    return n;
}

static inline struct str lenenc_str(struct reader *r)
{
    uint64_t n = lenenc_int(r);
    if (n > (uint64_t)(r->end - r->pos)) {
        r->bad = true;
        return (struct str){ 0 };
    }
    return reader_bytes(r, (size_t)n);
}

#endif
