/* tests/support/log.h
 *
 * Binary logs made by hand, event by event, with or without checksums.
 */
#ifndef SUPPORT_LOG_H
#define SUPPORT_LOG_H

#include "base/buf.h"
#include "mysql/binlog.h"

#include <libdeflate.h>
#include <stdio.h>

static inline void put_le(struct buf *b, uint64_t v, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        buf_add_char(b, (char)(v >> (8 * i) & 0xff));
}

static inline void put_event_flags(struct buf *log, uint8_t type, struct str body,
                                   bool checksum, uint16_t flags)
{
    size_t start = log->len;
    put_le(log, 1700000000, 4);
    put_le(log, type, 1);
    put_le(log, 1, 4);
    put_le(log, BINLOG_HEADER_BYTES + body.len + (checksum ? 4 : 0), 4);
    put_le(log, 0, 4);
    put_le(log, flags, 2);
    buf_add_str(log, body);
    if (checksum)
        put_le(log, libdeflate_crc32(0, log->data + start, log->len - start), 4);
}

static inline void put_event(struct buf *log, uint8_t type, struct str body,
                             bool checksum)
{
    put_event_flags(log, type, body, checksum, 0);
}

/* The magic and a format description. */
static inline void put_format(struct buf *log, const char *server, bool checksums)
{
    struct buf body;
    char name[50] = { 0 };
    buf_init(&body, 4096);
    (void)snprintf(name, sizeof name, "%s", server);
    buf_add_str(log, STR("\xfe"
                         "bin"));
    put_le(&body, 4, 2);
    buf_add(&body, name, sizeof name);
    put_le(&body, 0, 4);
    put_le(&body, 19, 1);
    for (unsigned type = 1; type <= 42; type++)
        put_le(&body, type == QUERY_EVENT ? 13 : type == TABLE_MAP_EVENT ? 8 : 10, 1);
    put_le(&body, checksums, 1);
    /* Its own checksum is there even when there are no others. */
    put_event(log, FORMAT_DESCRIPTION_EVENT, buf_str(&body), true);
    buf_done(&body);
}

#endif
