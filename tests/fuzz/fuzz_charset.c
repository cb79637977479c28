/* Any bytes in any set, by either family's tables: what comes out is well-formed UTF-8, a
 * rejected value leaves the output alone, and what is its own conversion stays as it is.
 */
#include "mysql/charset.h"

#include <stdlib.h>

#define REQUIRE(condition) \
    do {                   \
        if (!(condition))  \
            abort();       \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const struct charset *cs = charset_of_collation(data[0]);
    if (cs == NULL)
        return 0;
    enum charset_family family = (data[1] & 1) != 0 ? CHARSET_MARIADB : CHARSET_MYSQL;
    struct str in = { (const char *)data + 2, size - 2 };
    struct buf out;
    buf_init(&out, 4 * size + 16);
    buf_add_text(&out, "before");

    uint64_t replaced = 0;
    REQUIRE(charset_to_utf8(cs, family, in, CHARSET_REPLACE, &out, &replaced) == 0);
    REQUIRE(!out.failed && str_is_utf8(buf_str(&out)));
    REQUIRE(replaced <= in.len);
    size_t length = out.len;

    buf_truncate(&out, 6);
    int rc = charset_to_utf8(cs, family, in, CHARSET_REJECT, &out, NULL);
    REQUIRE((rc == 0) == (replaced == 0));
    REQUIRE(out.len == (rc == 0 ? length : 6));
    if (charset_is_identity(cs, in)) {
        struct str tail = { out.data + 6, out.len - 6 };
        REQUIRE(rc == 0 && str_eq(tail, in));
    }
    buf_done(&out);
    return 0;
}
