/* src/config/integration_file_internal.h
 *
 * What reading and writing of integration_file.h share.
 */
#ifndef CONFIG_INTEGRATION_FILE_INTERNAL_H
#define CONFIG_INTEGRATION_FILE_INTERNAL_H

#include "config/integration_file.h"

/* What YAML, or a version of it, takes for null, a truth value or a number: a text that
 * looks so stands in quotes. */
bool integration_file_is_typed(struct str s);

#endif
