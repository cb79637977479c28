/* src/mysql/packet.h
 *
 * The framing of the MySQL protocol: payloads in packets of at most 2^24-1 bytes, each
 * behind three bytes of length and one of sequence.
 *
 *   +--------+-----+---------------+     a payload of 2^24-1 bytes or more goes on in the
 *   | len:3  | seq | len bytes     |     next packet; one that is shorter (perhaps empty)
 *   +--------+-----+---------------+     ends it
 *
 * Bytes come through a window of 64 KiB. A payload that fits the window is lent from it;
 * a longer one is collected in a buffer up to a limit; past the limit only its head is
 * kept and the rest is skipped and counted, so that one huge row costs neither memory nor
 * the stream. Or the caller walks a payload part by part as it arrives.
 *
 * The bytes come from two functions, so that a test or another client can stand behind
 * them.
 *
 * Errors: ERR_PROTOCOL for a sequence number out of order, ERR_NETWORK for a lost peer,
 * and what the two functions report. After any error the stream is broken: no more bytes
 * can be trusted, and every call fails. Thread: one at a time. Source: MySQL Server
 * Doxygen 9.x, "MySQL Packets"; MariaDB documentation, "0-packet".
 */
#ifndef MYSQL_PACKET_H
#define MYSQL_PACKET_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PACKET_WINDOW_BYTES (64u * 1024u)
#define PACKET_HEAD_BYTES (64u * 1024u)

/* Where bytes come from and go to. Both wait at most timeout_us for the peer, and end at
 * once when the job is cancelled. */
struct packet_io {
    void *ctx;
    /* 1 to n bytes; 0 when the peer closed; -1 with err. */
    ssize_t (*read)(void *ctx, void *bytes, size_t n, int64_t timeout_us,
                    struct error *err);
    /* All n bytes: 0, or -1 with err. */
    int (*write)(void *ctx, const void *bytes, size_t n, int64_t timeout_us,
                 struct error *err);
};

struct packet_stream {
    struct packet_io io;
    char *window;     /* owned */
    size_t pos, end;  /* the unread part of the window */
    struct buf whole; /* owned: a payload that does not fit the window */
    size_t left;      /* bytes of the current packet not yet handed out */
    bool in_payload;  /* between packet_begin() and the last part */
    bool more;        /* the current packet is full: another follows */
    bool broken;
    uint8_t sequence; /* expected next */
    int64_t read_timeout_us, write_timeout_us;
    uint64_t bytes_read, bytes_written;
};

/* One payload. head is all of it unless `cut`; it is borrowed until the next call. */
struct packet {
    struct str head;
    uint64_t size; /* of the whole payload */
    bool cut;      /* longer than the limit: only the head is here */
};

void packet_init(struct packet_stream *p, struct packet_io io, int64_t read_timeout_us,
                 int64_t write_timeout_us);
void packet_done(struct packet_stream *p);

/* Bytes that were read ahead by somebody else (the library's cache) come first. n is at
 * most the window's size. */
void packet_preload(struct packet_stream *p, const void *bytes, size_t n);

/* Read one payload, at most `limit` bytes of it. */
int packet_read(struct packet_stream *p, size_t limit, struct packet *out,
                struct error *err);

/* The walk by parts: packet_begin(), then packet_part() until it returns 0. A part is
 * borrowed from the window until the next call. 1 a part, 0 the payload has ended, -1 an
 * error. */
int packet_begin(struct packet_stream *p, struct error *err);
int packet_part(struct packet_stream *p, struct str *part, struct error *err);

/* Send a command: its number and its body as one payload, sequence from 0. */
int packet_command(struct packet_stream *p, uint8_t command, struct str body,
                   struct error *err);

#endif
