/* src/source/sql.h
 *
 * The long queries of this folder: each is a file in sql/, embedded by the build.
 */
#ifndef SOURCE_SQL_H
#define SOURCE_SQL_H

#include "base/str.h"

extern const struct str source_sql_facts;
extern const struct str source_sql_databases;
extern const struct str source_sql_tables;
extern const struct str source_sql_columns;
extern const struct str source_sql_keys;
extern const struct str source_sql_json_checks;
extern const struct str source_sql_column_grants;

#endif
