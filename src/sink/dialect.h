/* src/sink/dialect.h
 *
 * SQL text for destinations: the only place where names and texts become SQL. Also which
 * column type of a destination can take another one's values without loss.
 *
 * Everything is appended to a buf; a text past its ceiling fails sticky (base/buf.h).
 *
 * Thread: any.
 */
#ifndef SINK_DIALECT_H
#define SINK_DIALECT_H

#include "base/buf.h"
#include "base/error.h"
#include "row/schema.h"

/* "name", with quotes inside doubled. */
void dialect_quote_ident(struct buf *sql, struct str name);

/* 'text', with quotes inside doubled. The text holds no NUL. */
void dialect_quote_literal(struct buf *sql, struct str text);

/* "schema"."table" */
void dialect_quote_table(struct buf *sql, struct str schema, struct str table);

/* What follows CREATE TABLE and a name: the shape's columns by their Avro names, then the
 * system columns of sink/contract.h (keyless: __sdc_primary_key too). No index, no
 * constraint. */
void dialect_columns(struct buf *sql, enum sql_family family,
                     const struct table_schema *shape, bool keyless);

/* The narrowest DuckDB type that holds every value of `have` and of `want`, both as
 * DuckDB spells them ("DECIMAL(12,3)"). Equal to have when the column need not change.
 *
 * Errors: ERR_SCHEMA when no such type exists ("BLOB and DATE"). */
int dialect_duckdb_widen(struct str have, struct str want, struct buf *out,
                         struct error *err);

#endif
