/* tailrace: the command line, or the process that owns a DuckDB file (warehouse/owner.h),
 * which is this program again, started by warehouse/start.c. */
#include "cli/cli.h"
#include "warehouse/backend.h"
#include "warehouse/owner.h"

#include <string.h>

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "warehouse") == 0)
        return warehouse_process(argc - 1, argv + 1, &backend_duckdb);
    return cli_main(argc, argv);
}
