/* src/avro/container.h
 *
 * Avro object container files (Avro 1.11 specification, "Object Container Files"): header
 * with schema and codec, blocks of compressed rows, sync markers. Written to a
 * descriptor, read from a mapped or read-in file. Several container files may stand end
 * to end in one bundle; each is read from its own offset.
 *
 *   header  'O' 'b' 'j' 1 · map{avro.schema, avro.codec, ...} · sync[16]
 *   block   long rows · long bytes · data · sync[16]
 *   codecs  null · deflate (raw, RFC 1951) · snappy (+ CRC32 big-endian) · zstandard
 *
 * Thread: one per writer or reader.
 */
#ifndef AVRO_CONTAINER_H
#define AVRO_CONTAINER_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#include <stdint.h>

enum avro_codec { CODEC_NULL = 0, CODEC_SNAPPY, CODEC_ZSTANDARD, CODEC_DEFLATE };

/* "null", "snappy", "zstandard", "deflate". Finding: -1 when there is none. */
const char *codec_name(enum avro_codec c);
int codec_find(struct str name);

struct container_writer;

/* Bytes go to out through the function, which returns 0 or fills err. */
typedef int container_write_fn(void *ctx, const void *bytes, size_t n, struct error *err);

/* sync is the file's marker: the caller derives it, so that the same epoch is the same
 * bytes. */
struct container_writer *container_writer_new(enum avro_codec codec,
                                              struct str schema_json,
                                              const uint8_t sync[16],
                                              container_write_fn *write, void *ctx,
                                              struct error *err);
int container_write_block(struct container_writer *w, struct str rows, uint64_t row_count,
                          struct error *err);
uint64_t container_bytes_written(const struct container_writer *w);
void container_writer_free(struct container_writer *w);

struct container_reader;

/* file is one whole container file and must outlive the reader. limit: bytes that one
 * decompressed block may take. Errors: ERR_PROTOCOL with the offset. */
struct container_reader *container_reader_new(struct str file, size_t limit,
                                              struct error *err);
struct str container_schema(const struct container_reader *r);

/* 1 a block, 0 the end, -1 an error. rows is borrowed until the next call. */
int container_next_block(struct container_reader *r, struct str *rows,
                         uint64_t *row_count, struct error *err);
void container_reader_free(struct container_reader *r);

#endif
