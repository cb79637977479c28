/* How a dump connection introduces itself and asks for the log. */
#include "base/alloc.h"
#include "mysql/dump_internal.h"
#include "mysql/log_status.h"

#include <openssl/rand.h>

#define COM_BINLOG_DUMP 0x12u
#define COM_REGISTER_SLAVE 0x15u
#define COM_BINLOG_DUMP_GTID 0x1eu

/* Flags of the commands. */
#define FLAG_NON_BLOCK 1u
/* MySQL 8.0.26 and later: heartbeats of version 2; ignored before. MariaDB: the
 * statements behind rows. */
#define FLAG_HEARTBEAT_V2_OR_ANNOTATE 2u

#define NAME_TO_SERVER "tailrace" /* the host in SHOW REPLICAS */

#define COMMAND_LIMIT ((size_t)64 << 20) /* a set of GTIDs at its ceiling */
#define REPLICAS_BYTES ((size_t)4 << 20)
#define ID_TRIES 64u

#define NUMBER_ACCESS 1045u
#define NUMBER_DENIED 1227u

#define HINT_REPLICATION "Grant REPLICATION SLAVE to the account."

/* --- commands -------------------------------------------------------------------------
 */

static void add_le(struct buf *b, uint64_t v, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        buf_add_char(b, (char)(v >> (8 * i) & 0xff));
}

void dump_build_register(struct buf *out, uint32_t server_id)
{
    add_le(out, server_id, 4);
    add_le(out, sizeof NAME_TO_SERVER - 1, 1);
    buf_add_text(out, NAME_TO_SERVER);
    add_le(out, 0, 1); /* user */
    add_le(out, 0, 1); /* password */
    add_le(out, 0, 2); /* port: nobody connects to us */
    add_le(out, 0, 4); /* rank: unused */
    add_le(out, 0, 4); /* the source's id: it knows */
}

void dump_build_by_place(struct buf *out, const struct dump_options *o,
                         uint32_t server_id, uint16_t flags)
{
    bool fits = o->offset <= UINT32_MAX && o->offset > DUMP_FILE_HEAD;
    add_le(out, fits ? o->offset : DUMP_FILE_HEAD, 4);
    add_le(out, flags, 2);
    add_le(out, server_id, 4);
    buf_add_str(out, o->file);
}

int dump_build_by_gtid(struct buf *out, const struct gtid_set *gtids, uint32_t server_id,
                       uint16_t flags, struct error *err)
{
    CLEANUP(buf_done) struct buf set;
    buf_init(&set, COMMAND_LIMIT);
    gtid_set_encode(gtids, &set);
    if (buf_check(&set, "a set of GTIDs", err) != 0)
        return -1;
    add_le(out, flags, 2);
    add_le(out, server_id, 4);
    add_le(out, 0, 4); /* no file name: the server finds it */
    add_le(out, DUMP_FILE_HEAD, 8);
    add_le(out, set.len, 4);
    buf_add_str(out, buf_str(&set));
    return 0;
}

/* --- who we are -----------------------------------------------------------------------
 */

static int random_bytes(void *bytes, int n, struct error *err)
{
    if (RAND_bytes(bytes, n) != 1)
        return error_set(err, ERR_BUG, "no random numbers for a server id");
    return 0;
}

static const struct log_replica *find_id(const struct log_replica *all, size_t count,
                                         uint32_t id)
{
    for (size_t i = 0; i < count; i++)
        if (all[i].server_id == id)
            return &all[i];
    return NULL;
}

/* An id that neither the server nor a registered replica has. Who may not see the
 * replicas takes a random one of ours: a collision then ends the other's connection, and
 * its next one takes another. */
static int choose_id(struct session *s, uint32_t wanted, uint32_t *out, struct error *err)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new(REPLICAS_BYTES);
    const struct log_replica *known = NULL;
    size_t count = 0;
    uint64_t own = session_facts(s)->server_id;
    if (log_replicas_read(s, a, &known, &count, err) != 0) {
        if (err->remote != NUMBER_DENIED)
            return -1;
        *err = (struct error){ 0 };
    }
    for (unsigned i = 0; wanted == 0 && i < ID_TRIES; i++) {
        uint16_t low;
        if (random_bytes(&low, sizeof low, err) != 0)
            return -1;
        *out = DUMP_SERVER_ID_FIRST + low;
        if (*out != own && find_id(known, count, *out) == NULL)
            return 0;
    }
    *out = wanted;
    if (wanted != 0 && wanted != own && find_id(known, count, wanted) == NULL)
        return 0;
    if (wanted == 0)
        return error_set(err, ERR_CONFIG, "every server id from %u to %u is taken",
                         DUMP_SERVER_ID_FIRST, DUMP_SERVER_ID_LAST);
    (void)error_set(err, ERR_CONFIG, "server id %u is taken", wanted);
    err->hint = "Give another server id, or none: a free one is then taken.";
    return -1;
}

static int set_uuid(struct session *s, struct error *err)
{
    uint8_t b[16];
    CLEANUP(buf_done) struct buf sql;
    buf_init(&sql, 256);
    if (random_bytes(b, sizeof b, err) != 0)
        return -1;
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* version 4, RFC 9562 */
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    char uuid[37];
    char *at = uuid;
    for (unsigned i = 0; i < sizeof b; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = "0123456789abcdef"[b[i] >> 4];
        *at++ = "0123456789abcdef"[b[i] & 15];
    }
    *at = '\0';
    buf_printf(&sql, "SET @replica_uuid = '%s', @slave_uuid = '%s'", uuid, uuid);
    return session_exec(s, buf_str(&sql), err);
}

/* Both spellings always: a server looks at the one that it knows. */
static int announce(struct session *s, const struct dump_options *o, struct error *err)
{
    CLEANUP(buf_done) struct buf sql;
    buf_init(&sql, COMMAND_LIMIT);
    unsigned long long ns = (unsigned long long)o->heartbeat_us * 1000;
    buf_printf(&sql,
               "SET @source_binlog_checksum = @@global.binlog_checksum, "
               "@master_binlog_checksum = @@global.binlog_checksum, "
               "@source_heartbeat_period = %llu, @master_heartbeat_period = %llu",
               ns, ns);
    if (session_is_mariadb(s)) {
        buf_add_text(&sql,
                     ", @mariadb_slave_capability = 4, @slave_gtid_strict_mode = 0, "
                     "@slave_gtid_ignore_duplicates = 0");
        if (o->position != NULL) {
            buf_add_text(&sql, ", @slave_connect_state = '");
            gtid_maria_format_position(o->position, &sql);
            buf_add_char(&sql, '\'');
        }
    }
    if (buf_check(&sql, "a position of GTIDs", err) != 0 ||
        session_exec(s, buf_str(&sql), err) != 0)
        return error_wrap(err, "announcing a replica");
    return set_uuid(s, err);
}

static int explain_denied(struct error *err)
{
    if (err->remote == NUMBER_ACCESS || err->remote == NUMBER_DENIED)
        err->hint = HINT_REPLICATION;
    return dump_explain(err);
}

static int register_us(struct session *s, uint32_t id, struct error *err)
{
    struct result_head head;
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, 256);
    dump_build_register(&body, id);
    if (packet_command(session_packets(s), COM_REGISTER_SLAVE, buf_str(&body), err) ==
            0 &&
        result_read_head(session_packets(s), session_dialect(s), false, &head, err) == 0)
        return 0;
    (void)explain_denied(err);
    return error_wrap(err, "registering as a replica");
}

/* --- the start ------------------------------------------------------------------------
 */

static int check_start(struct session *s, const struct dump_options *o, struct error *err)
{
    bool maria = session_is_mariadb(s);
    if ((o->gtids != NULL && maria) || (o->position != NULL && !maria)) {
        (void)error_set(err, ERR_CONFIG,
                        "the GTIDs are those of the other family: this "
                        "server is a %s",
                        maria ? "MariaDB" : "MySQL");
        err->hint = "MySQL's are 'UUID:1-5', MariaDB's '0-1-5'.";
        return -1;
    }
    return 0;
}

int dump_start(struct session *s, const struct dump_options *o, uint32_t *server_id,
               struct error *err)
{
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, COMMAND_LIMIT);
    if (check_start(s, o, err) != 0 || choose_id(s, o->server_id, server_id, err) != 0 ||
        announce(s, o, err) != 0 || register_us(s, *server_id, err) != 0)
        return -1;
    uint16_t flags = o->non_block ? FLAG_NON_BLOCK : 0;
    if (!session_is_mariadb(s) || !o->no_annotations)
        flags |= FLAG_HEARTBEAT_V2_OR_ANNOTATE;
    uint8_t command = o->gtids != NULL ? COM_BINLOG_DUMP_GTID : COM_BINLOG_DUMP;
    int rc = 0;
    if (o->gtids != NULL)
        rc = dump_build_by_gtid(&body, o->gtids, *server_id, flags, err);
    else
        dump_build_by_place(&body, o, *server_id, flags);
    if (rc != 0 || buf_check(&body, "the start of a dump", err) != 0)
        return -1;
    return packet_command(session_packets(s), command, buf_str(&body), err);
}
