/* src/mysql/binlog.h
 *
 * A binary log as a stream of events: from a file, from memory, or from whatever else
 * hands out its bytes.
 *
 *   file: fe 62 69 6e | event | event | ...
 *   event: timestamp:4 type:1 server_id:4 size:4 end_log_pos:4 flags:2 | body | crc32:4
 *
 * An event up to BINLOG_WHOLE_BYTES is lent whole, its checksum verified before anybody
 * sees it. A longer one that holds rows or a packed transaction is walked through a
 * window while it arrives (binlog_body()); its checksum is verified at its end, before
 * the next event is handed out, so before any commit that could make its rows count. Any
 * other longer one is gathered up to `event_limit`.
 *
 * The events of a TRANSACTION_PAYLOAD_EVENT follow it as events of their own, marked
 * `packed`; they have neither checksums nor places in the file, so they carry the offset
 * of the event that holds them, and are numbered.
 *
 * Offsets are counted, in 64 bits. end_log_pos is never believed: it has 32 bits, is 0 in
 * events that a server makes up, is that of another file in relay logs, and MariaDB lets
 * events inside a transaction's cache keep one that is relative to the cache.
 *
 * Refused with a sentence: files that are no binary log, encrypted ones of both families,
 * formats before version 4 (servers before 5.0), unknown events without the ignorable
 * flag, damage of any kind.
 *
 * Errors: ERR_PROTOCOL with name and offset in the text; ERR_LIMIT; ERR_IO. After an
 * error the stream is broken. Thread: one at a time.
 *
 * Source: MySQL Server Doxygen 9.x, "Binlog events" (Log_event_header, Log_event_footer,
 * Format_description_event, Transaction_payload_event); MariaDB documentation,
 * "Binlog event header" and the pages of its events.
 */
#ifndef MYSQL_BINLOG_H
#define MYSQL_BINLOG_H

#include "base/error.h"
#include "base/str.h"
#include "mysql/charset.h"
#include "mysql/window.h"

#include <stdbool.h>
#include <stdint.h>

#define BINLOG_HEADER_BYTES 19u
#define BINLOG_WHOLE_BYTES ((size_t)1 << 20)

enum event_type {
    UNKNOWN_EVENT = 0,
    START_EVENT_V3 = 1,
    QUERY_EVENT = 2,
    STOP_EVENT = 3,
    ROTATE_EVENT = 4,
    INTVAR_EVENT = 5,
    LOAD_EVENT = 6,
    SLAVE_EVENT = 7,
    CREATE_FILE_EVENT = 8,
    APPEND_BLOCK_EVENT = 9,
    EXEC_LOAD_EVENT = 10,
    DELETE_FILE_EVENT = 11,
    NEW_LOAD_EVENT = 12,
    RAND_EVENT = 13,
    USER_VAR_EVENT = 14,
    FORMAT_DESCRIPTION_EVENT = 15,
    XID_EVENT = 16,
    BEGIN_LOAD_QUERY_EVENT = 17,
    EXECUTE_LOAD_QUERY_EVENT = 18,
    TABLE_MAP_EVENT = 19,
    PRE_GA_WRITE_ROWS_EVENT = 20,
    PRE_GA_UPDATE_ROWS_EVENT = 21,
    PRE_GA_DELETE_ROWS_EVENT = 22,
    WRITE_ROWS_EVENT_V1 = 23,
    UPDATE_ROWS_EVENT_V1 = 24,
    DELETE_ROWS_EVENT_V1 = 25,
    INCIDENT_EVENT = 26,
    HEARTBEAT_EVENT = 27,
    IGNORABLE_EVENT = 28,
    ROWS_QUERY_EVENT = 29,
    WRITE_ROWS_EVENT = 30,
    UPDATE_ROWS_EVENT = 31,
    DELETE_ROWS_EVENT = 32,
    GTID_EVENT = 33,
    ANONYMOUS_GTID_EVENT = 34,
    PREVIOUS_GTIDS_EVENT = 35,
    TRANSACTION_CONTEXT_EVENT = 36,
    VIEW_CHANGE_EVENT = 37,
    XA_PREPARE_EVENT = 38,
    PARTIAL_UPDATE_ROWS_EVENT = 39,
    TRANSACTION_PAYLOAD_EVENT = 40,
    HEARTBEAT_EVENT_V2 = 41,
    GTID_TAGGED_EVENT = 42,
    AURORA_PADDING_EVENT = 100, /* seen in a log of Aurora 2: zeros */
    MARIA_ANNOTATE_ROWS_EVENT = 160,
    MARIA_CHECKPOINT_EVENT = 161,
    MARIA_GTID_EVENT = 162,
    MARIA_GTID_LIST_EVENT = 163,
    MARIA_START_ENCRYPTION_EVENT = 164,
    MARIA_QUERY_COMPRESSED_EVENT = 165,
    MARIA_WRITE_ROWS_COMPRESSED_EVENT_V1 = 166,
    MARIA_UPDATE_ROWS_COMPRESSED_EVENT_V1 = 167,
    MARIA_DELETE_ROWS_COMPRESSED_EVENT_V1 = 168,
    MARIA_WRITE_ROWS_COMPRESSED_EVENT = 169,
    MARIA_UPDATE_ROWS_COMPRESSED_EVENT = 170,
    MARIA_DELETE_ROWS_COMPRESSED_EVENT = 171,
};

enum event_flag {
    EVENT_IN_USE = 0x1, /* of the format description: the file was not closed */
    EVENT_ARTIFICIAL = 0x20,
    EVENT_RELAY = 0x40,
    EVENT_IGNORABLE = 0x80,
};

struct event_header {
    uint32_t timestamp; /* seconds since 1970 UTC, of the statement's start */
    uint32_t server_id;
    uint32_t size; /* header, body and checksum */
    uint32_t end_log_pos;
    uint16_t flags;
    uint8_t type; /* enum event_type, or a number that we do not know */
};

/* What the last FORMAT_DESCRIPTION_EVENT said. */
struct binlog_format {
    char server_version[51];
    unsigned version; /* 80040 for 8.0.40, 101118 for MariaDB 10.11.18 */
    enum charset_family family;
    bool checksums;           /* CRC32 behind every event */
    uint8_t post_header[256]; /* bytes of the fixed part by event type; 0: not told */
};

/* The header of a TRANSACTION_PAYLOAD_EVENT. */
struct event_payload {
    uint64_t compression; /* 0: zstd, 255: none */
    uint64_t packed_bytes;
    uint64_t unpacked_bytes; /* 0: not told */
};

struct event {
    struct event_header header;
    uint64_t offset;  /* in the file; of the event that holds it when `packed` */
    uint64_t end;     /* of the same event */
    uint32_t ordinal; /* among the events of a payload, from 1; 0 when not packed */
    bool packed;
    bool whole; /* body is all of it; otherwise only binlog_body() has it */
    struct event_payload payload;
    struct str body; /* without header and checksum; valid until binlog_next() */
};

struct binlog_options {
    const char *name;   /* for messages: borrowed, must outlive the binlog */
    size_t row_limit;   /* bytes that may lie in one piece: one row, unpacked */
    size_t event_limit; /* the same for an event that must be whole */
    bool skip_checksums;
    bool dump; /* what a server sends, see dump.h: without magic, a rotation may come
                  before the format, and errors name no place: the caller knows it */
};

struct binlog;

/* Never NULL. source must outlive it. `offset` is the place in the file that the source
 * starts at: 0 with the file's magic; anything else without it, then the format must be
 * set first. */
struct binlog *binlog_new(struct byte_source source, uint64_t offset,
                          const struct binlog_options *o);
void binlog_free(struct binlog *b); /* NULL is fine */
void binlog_free_at(struct binlog **b);

/* 1 an event, 0 the end, -1. */
int binlog_next(struct binlog *b, struct event *out, struct error *err);

/* The body of the current event, whole or not, as a window. Not to be moved in a
 * TRANSACTION_PAYLOAD_EVENT, whose events are read through it. */
struct window *binlog_body(struct binlog *b);

/* Bytes that have arrived behind the current event, as far as it is known. */
size_t binlog_ahead(const struct binlog *b);

/* NULL before the first FORMAT_DESCRIPTION_EVENT. */
const struct binlog_format *binlog_format(const struct binlog *b);
void binlog_set_format(struct binlog *b, const struct binlog_format *f);

/* Decode the body of a FORMAT_DESCRIPTION_EVENT, its checksum (if the server writes any)
 * included. Errors: ERR_PROTOCOL for another version than 4 and for damage. */
int binlog_read_format(struct str body, struct binlog_format *out, struct error *err);

/* "UPDATE_ROWS_EVENT"; "unknown" for a number that is not in enum event_type. */
const char *event_type_name(uint8_t type);
bool event_type_is_known(uint8_t type);

/* Rows of any version, compressed or partial. */
bool event_type_has_rows(uint8_t type);

/* --- sources
 * ------------------------------------------------------------------------------ */

/* Bytes of a file descriptor (which stays the caller's), from where it stands. */
struct byte_source binlog_source_fd(int *fd);

/* Bytes in memory; *rest is moved on. */
struct byte_source binlog_source_memory(struct str *rest);

#endif
