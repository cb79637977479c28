/* src/warehouse/frame.h
 *
 * Messages between a client and the owner: four bytes of length, least significant first,
 * and so many bytes of JSON. A message is built in one buf that starts with room for the
 * length, so that it goes out in one call.
 *
 * Errors: ERR_TARGET when the peer is gone (a retry starts it anew), ERR_PROTOCOL for a
 * length that cannot be, ERR_LIMIT past the ceiling, ERR_CANCELLED.
 *
 * Thread: one per descriptor and direction.
 */
#ifndef WAREHOUSE_FRAME_H
#define WAREHOUSE_FRAME_H

#include "base/buf.h"
#include "base/cancel.h"
#include "base/error.h"

#include <stdint.h>

/* The longest message: the marks of some ten thousand tables with their schemas. */
#define FRAME_LIMIT_BYTES ((size_t)256 << 20)

#define FRAME_HEAD_BYTES 4

/* A peer that takes or gives no byte of a started message for so long is given up. */
#define FRAME_STALL_US (INT64_C(600) * 1000 * 1000)

/* Forget the content and leave room for the length. The buf's limit is FRAME_LIMIT_BYTES.
 */
void frame_begin(struct buf *b);

/* Fill the length in. ERR_LIMIT when the message did not fit. */
int frame_end(struct buf *b, struct error *err);

/* Send a finished message. */
int frame_send(int fd, struct str message, struct cancel *c, struct error *err);

/* Wait for a message without limit and put its JSON into out. 1: here it is, 0: the peer
 * ended the connection between messages, -1: failed. Memory grows as bytes arrive, never
 * by the length that the peer announces. Reads pipes, too. */
int frame_receive(int fd, struct buf *out, struct cancel *c, struct error *err);

#endif
