/* Any bytes as records of a reject segment: decoding ends, and what is accepted is
 * encoded to a record that decodes to the same.
 */
#include "base/alloc.h"
#include "spool/quarantine.h"

#include <stdlib.h>

#define REQUIRE(condition) \
    do {                   \
        if (!(condition))  \
            abort();       \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader in = reader_over((struct str){ (const char *)data, size });
    struct reject r;
    struct error err = { 0 };
    while (in.pos < in.end && reject_decode(&in, &r, &err) == 0) {
        CLEANUP(buf_done) struct buf out;
        struct reject again;
        buf_init(&out, (size_t)1 << 20);
        reject_encode(&r, &out);
        struct reader back = reader_over(buf_str(&out));
        REQUIRE(reject_decode(&back, &again, &err) == 0 && back.pos == back.end);
        REQUIRE(str_eq(r.table, again.table) && str_eq(r.column, again.column));
        REQUIRE(str_eq(r.reason, again.reason) && str_eq(r.record, again.record));
        REQUIRE(r.sequence == again.sequence && r.at == again.at);
    }
    return 0;
}
