/* src/mysql/table_map_internal.h
 *
 * Between table_map.c and its optional metadata (table_map_metadata.c).
 */
#ifndef MYSQL_TABLE_MAP_INTERNAL_H
#define MYSQL_TABLE_MAP_INTERNAL_H

#include "mysql/lenenc.h"
#include "mysql/table_map.h"

/* Read what follows the NULL bits; r->bad when it is damaged. */
void table_map_read_metadata(struct table_map *m, struct reader *r);

#endif
