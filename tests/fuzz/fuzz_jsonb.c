/* Binary JSON: whatever is printed is one JSON value. */
#include "base/json.h"
#include "mysql/jsonb.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = { 0 };
    struct buf out;
    buf_init(&out, (size_t)256 << 10);
    int rc = jsonb_to_text((struct str){ (const char *)data, size }, &out, &err);
    if (rc == 0 ? !json_is_valid(buf_str(&out)) : out.len != 0 || err.code == ERR_NONE)
        abort();
    buf_done(&out);
    return 0;
}
