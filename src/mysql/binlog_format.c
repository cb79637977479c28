/* Where the bytes of a log come from, and what its format description says. */
#include "base/reader.h"
#include "mysql/binlog.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define CHECKSUM_BYTES 4u
#define CHECKSUM_CRC32 1u

/* ------------------------------------------------------------------ sources */

static ssize_t read_fd(void *ctx, void *bytes, size_t n, struct error *err)
{
    for (;;) {
        ssize_t got = read(*(int *)ctx, bytes, n);
        if (got >= 0)
            return got;
        if (errno == EINTR)
            continue;
        int sys = errno;
        error_set(err, ERR_IO, "the file cannot be read");
        err->sys = sys;
        return -1;
    }
}

struct byte_source binlog_source_fd(int *fd)
{
    return (struct byte_source){ .ctx = fd, .read = read_fd };
}

static ssize_t read_memory(void *ctx, void *bytes, size_t n, struct error *err)
{
    (void)err; /* memory does not fail */
    struct str *rest = ctx;
    if (n > rest->len)
        n = rest->len;
    if (n > 0)
        memcpy(bytes, rest->ptr, n);
    rest->ptr += n;
    rest->len -= n;
    return (ssize_t)n;
}

struct byte_source binlog_source_memory(struct str *rest)
{
    return (struct byte_source){ .ctx = rest, .read = read_memory };
}

/* ------------------------------------------------------------------ format */

/* "10.11.18-MariaDB-log" to 101118; 0 when there is no number. */
static unsigned version_of(const char *text)
{
    unsigned part[3] = { 0 };
    const char *p = text;
    for (unsigned i = 0; i < 3; i++) {
        for (; *p >= '0' && *p <= '9' && part[i] < 1000; p++)
            part[i] = part[i] * 10 + (unsigned)(*p - '0');
        if (*p != '.')
            break;
        p++;
    }
    return part[0] * 10000 + (part[1] % 100) * 100 + part[2] % 100;
}

/* Servers that know checksums write the algorithm and four more bytes behind the lengths:
 * MySQL from 5.6.1, MariaDB from 5.3. */
static bool knows_checksums(const struct binlog_format *f)
{
    return f->version >= (f->family == CHARSET_MARIADB ? 50300u : 50601u);
}

int binlog_read_format(struct str body, struct binlog_format *out, struct error *err)
{
    struct binlog_format f = { 0 };
    struct reader r = reader_over(body);
    uint64_t version = reader_le(&r, 2);
    struct str server = reader_bytes(&r, 50);
    (void)reader_le(&r, 4); /* when it was made */
    uint64_t header = reader_le(&r, 1);
    if (!r.bad && version != 4)
        return error_set(err, ERR_PROTOCOL,
                         "the log has format %u of a server before MySQL 5.0",
                         (unsigned)version);
    if (r.bad || server.ptr == NULL || header != BINLOG_HEADER_BYTES)
        return error_set(err, ERR_PROTOCOL, "the format description is damaged");
    memcpy(f.server_version, server.ptr, server.len);
    f.version = version_of(f.server_version);
    f.family =
        strstr(f.server_version, "MariaDB") != NULL ? CHARSET_MARIADB : CHARSET_MYSQL;
    size_t lengths = (size_t)(r.end - r.pos);
    if (knows_checksums(&f)) {
        if (lengths < 1 + CHECKSUM_BYTES)
            return error_set(err, ERR_PROTOCOL, "the format description is damaged");
        lengths -= 1 + CHECKSUM_BYTES;
        unsigned algorithm = (uint8_t)r.pos[lengths];
        if (algorithm > CHECKSUM_CRC32 && algorithm != 255)
            return error_set(err, ERR_PROTOCOL, "unknown checksum algorithm %u",
                             algorithm);
        f.checksums = algorithm == CHECKSUM_CRC32;
    }
    for (size_t i = 0; i < lengths && i + 1 < sizeof f.post_header; i++)
        f.post_header[i + 1] = (uint8_t)r.pos[i];
    *out = f;
    return 0;
}
