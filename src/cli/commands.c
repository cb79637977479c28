/* Every command, in the order in which help shows them. The process that owns a DuckDB
 * file is started by main.c alone and is none of them. */
#include "cli/cli.h"

extern const struct command cmd_binlog, cmd_check, cmd_discover, cmd_sync, cmd_run,
    cmd_reset, cmd_resume, cmd_integration, cmd_select, cmd_stop, cmd_apply, cmd_export,
    cmd_status, cmd_logs, cmd_report, cmd_schema, cmd_sql, cmd_state, cmd_version,
    cmd_help;

const struct command *const cli_commands[] = {
    &cmd_check,   &cmd_discover,    &cmd_sync,   &cmd_run,   &cmd_stop,   &cmd_reset,
    &cmd_resume,  &cmd_integration, &cmd_select, &cmd_apply, &cmd_export, &cmd_status,
    &cmd_logs,    &cmd_report,      &cmd_schema, &cmd_state, &cmd_sql,    &cmd_binlog,
    &cmd_version, &cmd_help,        NULL,
};
