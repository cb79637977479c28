/* src/avro/decode.h
 *
 * Avro bytes of a segment back to cells, by a plan made from the schema in the segment's
 * own header. Cells borrow from the block's bytes. Decimals come as VALUE_UNSCALED.
 *
 * Errors: ERR_PROTOCOL for bytes that are no row of this schema: a damaged file.
 * Thread: one per plan.
 */
#ifndef AVRO_DECODE_H
#define AVRO_DECODE_H

#include "avro/encode.h"
#include "base/reader.h"

struct decode_plan;

/* The plan keeps its own copy of the shape. */
struct decode_plan *decode_plan_new(struct str schema_json, struct error *err);
void decode_plan_free(struct decode_plan *p);
const struct table_schema *decode_plan_schema(const struct decode_plan *p);

/* One row from *in. cells has column_count entries; column_bytes, when not NULL, receives
 * the run of Avro bytes that holds the columns (what __sdc_primary_key hashes). The
 * floats of a VECTOR cell stand in the block wherever they fell: not aligned.
 * meta->before, where the row has one, is the plan's until the next row. */
int decode_row(struct decode_plan *p, struct reader *in, struct row_meta *meta,
               struct value *cells, struct str *column_bytes, struct error *err);

#endif
