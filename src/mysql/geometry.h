/* src/mysql/geometry.h
 *
 * Geometry as the servers store it, as EWKB. Both read paths end here.
 *
 * Stored: SRID, byte order, type, rest; always little-endian. EWKB: byte order, type with
 * a flag, SRID, rest; without flag and SRID where that is 0.
 *
 * Thread: any. Source: MySQL manual, "Internal Geometry Storage Format"; PostGIS,
 * doc/ZMSgeoms.txt.
 */
#ifndef MYSQL_GEOMETRY_H
#define MYSQL_GEOMETRY_H

#include "base/buf.h"
#include "base/str.h"

enum geometry_form {
    GEOMETRY_INVALID, /* no geometry; *s is as it was */
    GEOMETRY_LENT,    /* *s is the EWKB, inside what it was */
    GEOMETRY_MADE,    /* the EWKB was appended to out */
};

enum geometry_form geometry_to_ewkb(struct str *s, struct buf *out);

#endif
