/* src/avro/schema.h
 *
 * Table shape to Avro schema JSON and back. The record of a segment is
 *
 *   _op     enum I U D S      _seq  long       _ms  long, milliseconds
 *   _absent ["null","bytes"]  _before ["null", record of the columns]
 *   then the columns, all nullable: ["null", T]
 *
 * Attributes that Avro has no word for stand as properties of the field ("tailrace":
 * {...}), so that the shape can be read back whole: source name and type, nullability,
 * key place, width, labels, collation.
 *
 * Thread: any.
 */
#ifndef AVRO_SCHEMA_H
#define AVRO_SCHEMA_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "row/schema.h"

/* Fields in front of the columns. */
#define AVRO_META_FIELDS 5

enum avro_record {
    AVRO_CHANGE, /* the record above */
    AVRO_ROW,    /* the columns alone: what `tailrace schema` shows first */
};

/* s is a projected shape (schema_project). Canonical: the same shape gives the same text.
 */
void avro_schema_write(const struct table_schema *s, enum avro_record record,
                       struct buf *out);

/* Back from the text of a segment's header. Errors: ERR_SCHEMA naming the field. */
int avro_schema_read(struct arena *a, struct str json, struct table_schema *out,
                     struct error *err);

#endif
