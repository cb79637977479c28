/* Partial updates of binary JSON: the first two bytes say where the document ends and the
 * diffs begin. What comes out is one JSON value. */
#include "base/json.h"
#include "mysql/jsonb.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t cut = 2 + (data[0] + 256u * data[1]) % (size - 1);
    const char *bytes = (const char *)data;
    struct str before = { bytes + 2, cut - 2 };
    struct str diffs = { bytes + cut, size - cut };
    struct error err = { 0 };
    struct buf out;
    buf_init(&out, (size_t)256 << 10);
    int rc = jsonb_apply_diffs(before, diffs, &out, &err);
    if (rc == 0 ? !json_is_valid(buf_str(&out)) : out.len != 0 || err.code == ERR_NONE)
        abort();
    buf_done(&out);
    return 0;
}
