/* bench/binlog_discard.c
 *
 * The least that reading a binary log from a server takes: libmariadb logs in and asks
 * for the dump, then bytes are taken from the socket and dropped, only the lengths of
 * packets looked at, up to the end.
 *
 *   binlog_discard PORT NAME
 *
 * Prints one JSON object: bytes, seconds of wall and of this process. Includes
 * libmariadb's headers, so it is built without base/banned.h.
 */

/* The second needs the first. */
/* clang-format off */
#include <mysql.h>
#include <mariadb_rpl.h>
/* clang-format on */

#include "usage.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "binlog_discard: %s: %s\n", what, why);
    return 1;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Where in the stream of packets we are: length:3 number:1 | payload. */
struct place {
    uint32_t head; /* bytes of the length seen, lowest first */
    unsigned head_bytes;
    uint32_t left; /* of the payload */
    bool fresh;    /* its first byte comes: 0 an event, else the end */
};

/* false: the last packet went by. */
static bool follow(struct place *p, const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n;) {
        if (p->left > 0) {
            size_t part = n - i < p->left ? n - i : p->left;
            if (p->fresh && bytes[i] != 0)
                return false;
            p->fresh = false;
            p->left -= (uint32_t)part;
            i += part;
            continue;
        }
        if (p->head_bytes < 3)
            p->head |= (uint32_t)bytes[i] << (8 * p->head_bytes);
        i++;
        if (++p->head_bytes < 4)
            continue;
        *p = (struct place){ .left = p->head, .fresh = true };
    }
    return true;
}

static int discard(MYSQL *m, uint64_t *total)
{
    static unsigned char bytes[1 << 20];
    struct place p = { 0 };
    for (;;) {
        ssize_t n = recv((int)mysql_get_socket(m), bytes, sizeof bytes, 0);
        if (n <= 0)
            return fail("reading", "the connection was lost");
        *total += (uint64_t)n;
        if (!follow(&p, bytes, (size_t)n))
            return 0;
    }
}

static int open_dump(MYSQL *m, const char *name)
{
    if (mysql_query(m, "SET @master_binlog_checksum = 'CRC32'") != 0 ||
        mysql_query(m, "SET @source_binlog_checksum = 'CRC32'") != 0 ||
        mysql_query(m, "SET @mariadb_slave_capability = 4") != 0)
        return fail("announcing", mysql_error(m));
    MARIADB_RPL *r = mariadb_rpl_init(m);
    mariadb_rpl_optionsv(r, MARIADB_RPL_FILENAME, name, (size_t)0);
    mariadb_rpl_optionsv(r, MARIADB_RPL_START, 4UL);
    mariadb_rpl_optionsv(r, MARIADB_RPL_SERVER_ID, 4243U);
    mariadb_rpl_optionsv(r, MARIADB_RPL_FLAGS,
                         (unsigned int)MARIADB_RPL_BINLOG_DUMP_NON_BLOCK);
    return mariadb_rpl_open(r) == 0 ? 0 : fail("asking for the log", mysql_error(m));
}

int main(int argc, char **argv)
{
    uint64_t bytes = 0;
    if (argc != 3)
        return fail("usage", "PORT NAME");
    MYSQL *m = mysql_init(NULL);
    const char *password = getenv("TAILRACE_SOURCE_PASSWORD");
    if (mysql_real_connect(m, "127.0.0.1", "app", password == NULL ? "" : password, NULL,
                           (unsigned)strtoul(argv[1], NULL, 10), NULL, 0) == NULL)
        return fail("connecting", mysql_error(m));
    double client = usage_seconds();
    double began = now();
    if (open_dump(m, argv[2]) != 0 || discard(m, &bytes) != 0)
        return 1;
    printf("{\"rows\": 0, \"bytes\": %" PRIu64
           ", \"wall\": %.3f, \"client\": %.3f, \"mib\": 0}\n",
           bytes, now() - began, usage_seconds() - client);
    return 0;
}
