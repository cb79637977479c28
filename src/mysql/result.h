/* src/mysql/result.h
 *
 * What a server answers to a command: OK, error or a result set with its column
 * definitions, and the rows of a text result. Shared by control queries (session) and
 * prepared statements (statement); the bytes come from packet.
 *
 * Thread: one at a time.
 * Source: MySQL Server Doxygen 9.x, "Text Resultset", "Column Definition", "OK_Packet",
 * "ERR_Packet"; MariaDB documentation, "Result Set Packets" (extended metadata, metadata
 * caching).
 */
#ifndef MYSQL_RESULT_H
#define MYSQL_RESULT_H

#include "base/arena.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/str.h"
#include "mysql/packet.h"

#include <stdbool.h>
#include <stdint.h>

/* Column flags that we look at (mysql_com.h of the server). */
enum wire_flag {
    WIRE_NOT_NULL = 1,
    WIRE_UNSIGNED = 32,
    WIRE_BINARY = 128,
    WIRE_ENUM = 256,
    WIRE_SET = 2048,
};

struct result_column {
    struct str name; /* the alias, as the query spelled it */
    struct str
        type_name; /* MariaDB's extended metadata: "uuid", "inet6", "point"; or empty */
    struct str format; /* ibid.: "json"; or empty */
    uint32_t length;
    uint16_t collation;
    uint16_t flags; /* enum wire_flag */
    uint8_t type;   /* enum wire_type of mysql/type.h */
    uint8_t decimals;
};

/* What was negotiated at login and changes the bytes of results. */
struct result_dialect {
    bool extended_metadata; /* MariaDB: one more string in a column definition */
    bool cached_metadata;   /* MariaDB: a byte behind the column count of EXECUTE */
    bool deprecate_eof;     /* no EOF packet behind the definitions, OK at the end */
};

/* The first answer to a command. */
struct result_head {
    uint64_t column_count; /* 0: an OK without rows */
    bool has_definitions;  /* false: MariaDB asks us to use those of PREPARE */
    uint64_t affected_rows;
    uint16_t warnings;
};

/* A metadata packet (definition, OK, error) is never larger. */
#define RESULT_PACKET_LIMIT (1024u * 1024u)

/* Length-encoded integer; *is_null for the byte 0xfb of text rows. Damaged input sets
 * r->bad. */
uint64_t result_lenenc(struct reader *r, bool *is_null);

/* Bytes behind a length-encoded integer. */
struct str result_lenenc_str(struct reader *r);

/* Read the first answer. A server error fills err by server_error_set() and returns -1.
 */
int result_read_head(struct packet_stream *p, const struct result_dialect *d,
                     bool of_execute, struct result_head *out, struct error *err);

/* Read `count` definitions (and the EOF behind them) into arena memory. */
int result_read_columns(struct packet_stream *p, const struct result_dialect *d,
                        struct arena *a, uint64_t count, struct result_column **out,
                        struct error *err);

/* The two are the same in every respect that decoding depends on. */
bool result_columns_equal(const struct result_column *a, const struct result_column *b,
                          unsigned count);

/* Cells of a control query, row by row; a NULL has ptr NULL. Text is as the server stores
 * it (names and everything of information_schema: UTF-8). */
struct session_result {
    size_t row_count;
    unsigned column_count;
    const struct str *names; /* of the columns */
    const struct str *cells; /* row_count * column_count */
};

/* All rows of a text result into *got, whose column_count is set; a NULL reads and drops
 * them. Past the arena's ceiling or `limit` bytes the rest is read and dropped, so that
 * the connection stays usable, and the answer is ERR_LIMIT. */
int result_read_rows(struct packet_stream *p, const struct result_dialect *d,
                     struct arena *a, size_t limit, struct session_result *got,
                     struct error *err);

/* Is this row packet the end of the rows (1), a row (0), or the server's error (-1)? */
int result_row_kind(const struct packet *packet, const struct result_dialect *d,
                    struct error *err);

/* A payload whose first byte is 0xff, as an error. */
int result_server_error(struct str payload, struct error *err);

#endif
