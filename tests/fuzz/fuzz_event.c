/* Any bytes as a binary log: every event's body and every row is decoded, cells lie
 * within their memory, text is UTF-8. */
#include "read_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = { (const char *)data, size };
    (void)read_log(binlog_source_memory(&rest));
    return 0;
}
