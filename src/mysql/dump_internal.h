/* src/mysql/dump_internal.h
 *
 * Between the files of a dump.
 */
#ifndef MYSQL_DUMP_INTERNAL_H
#define MYSQL_DUMP_INTERNAL_H

#include "base/buf.h"
#include "mysql/dump.h"

#define DUMP_FILE_HEAD 4u /* the offset of a file's first event */

/* The bodies of the commands; server ids and flags as the server reads them. */
void dump_build_register(struct buf *out, uint32_t server_id);
void dump_build_by_place(struct buf *out, const struct dump_options *o,
                         uint32_t server_id, uint16_t flags);
int dump_build_by_gtid(struct buf *out, const struct gtid_set *gtids, uint32_t server_id,
                       uint16_t flags, struct error *err);

/* Say who we are, and send the command that starts the stream. */
int dump_start(struct session *s, const struct dump_options *o, uint32_t *server_id,
               struct error *err);

/* An error of the server in the middle or at the start of a stream, in our words: 1236
 * has many causes. Returns -1. */
int dump_explain(struct error *err);

#endif
