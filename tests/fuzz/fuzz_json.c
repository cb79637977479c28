/* The validator of JSON cells against jansson: what jansson takes is taken here too,
 * unless it may be nested too deep for us. (Not the other way: jansson refuses lone
 * surrogates and numbers that no double holds.) */
#include "base/json.h"

#include <jansson.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *)data, size };
    bool valid = json_is_valid(text);
    json_error_t why;
    json_t *root = json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    bool too_deep = size > JSON_DEPTH_LIMIT;
    if (memchr(data, 0, size) != NULL) /* to jansson a NUL ends the text */
        valid = true;
    if (root != NULL && !valid && !too_deep)
        abort();
    json_decref(root);
    return 0;
}
