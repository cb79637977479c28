/* Files of integrations: what parses is written, and parses to the same again. */
#include "config/integration_file.h"
#include "sync/options.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *)data, size };
    struct integration_file f = { 0 }, again = { 0 };
    struct error err = { 0 };
    struct buf first, second;
    const struct integration_tables tables = { sync_option_table(),
                                               stream_option_table() };
    if (integration_file_parse("f", text, &tables, &f, &err) != 0)
        return 0;
    buf_init(&first, (size_t)256 << 20);
    buf_init(&second, (size_t)256 << 20);
    integration_file_write(&first, f.list, f.count, &tables);
    if (integration_file_parse("g", buf_str(&first), &tables, &again, &err) != 0)
        abort();
    integration_file_write(&second, again.list, again.count, &tables);
    if (!str_eq(buf_str(&first), buf_str(&second)))
        abort();
    buf_done(&first);
    buf_done(&second);
    integration_file_free(&f);
    integration_file_free(&again);
    return 0;
}
