/* src/base/json.h
 *
 * The JSON of the data path: is this text one well-formed value (RFC 8259), without
 * building anything. Control data (manifests, --json, schemas) goes through jansson
 * instead.
 *
 * Thread: any.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/str.h"

#include <stdbool.h>

/* Depth that MySQL itself allows in a JSON document (JSON_MAX_DEPTH of the reference
 * manual, "The JSON Data Type": 100). MariaDB's checks stop at 32. */
#define JSON_DEPTH_LIMIT 100

/* One value with optional blanks around it, strings in well-formed UTF-8. Duplicate keys
 * and lone surrogate escapes are allowed, as MySQL stores them. */
bool json_is_valid(struct str text);

#endif
