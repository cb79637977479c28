#include "mysql/statement.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "mysql/type.h"

#include <stdlib.h>

#define COM_STMT_PREPARE_BYTE 0x16u
#define COM_STMT_EXECUTE_BYTE 0x17u
#define COM_STMT_CLOSE_BYTE 0x19u
#define COLUMNS_BYTES (16u * 1024u * 1024u)
#define PARAMS_BYTES (16u * 1024u * 1024u)
#define MAX_PARAMS 65535u

struct statement {
    struct session *session; /* borrowed */
    struct arena *arena;     /* owned: the columns */
    struct result_column *columns;
    unsigned column_count;
    unsigned param_count;
    unsigned generation;
    uint32_t id;
    size_t row_limit;
    bool has_rows; /* rows are left to read */
};

/* The statement has no more rows. After a server's own error the connection is in order;
 * after any other nothing on it has a meaning any more. */
static int fail(struct statement *st, const struct error *err)
{
    st->has_rows = false;
    session_set_busy(st->session, false);
    if (err->remote == 0)
        session_set_broken(st->session);
    return -1;
}

/* The answer to COM_STMT_PREPARE: id and counts, then definitions of both kinds. */
static int read_prepared(struct statement *st, struct error *err)
{
    struct packet_stream *p = session_packets(st->session);
    const struct result_dialect *d = session_dialect(st->session);
    struct packet packet;
    struct result_column *params;
    if (packet_read(p, RESULT_PACKET_LIMIT, &packet, err) != 0)
        return -1;
    if (packet.head.len > 0 && (uint8_t)packet.head.ptr[0] == 0xff)
        return result_server_error(packet.head, err);
    struct reader r = reader_over(packet.head);
    uint64_t ok = reader_le(&r, 1);
    st->id = (uint32_t)reader_le(&r, 4);
    st->column_count = (unsigned)reader_le(&r, 2);
    st->param_count = (unsigned)reader_le(&r, 2);
    if (r.bad || ok != 0) {
        session_set_broken(st->session);
        return error_set(err, ERR_PROTOCOL, "a damaged answer to a preparation");
    }
    if ((st->param_count > 0 &&
         result_read_columns(p, d, st->arena, st->param_count, &params, err) != 0) ||
        (st->column_count > 0 && result_read_columns(p, d, st->arena, st->column_count,
                                                     &st->columns, err) != 0)) {
        session_set_broken(st->session);
        return -1;
    }
    return 0;
}

struct statement *statement_prepare(struct session *s, struct str sql, struct error *err)
{
    if (!session_is_usable(s)) {
        error_set(err, ERR_BUG, "a statement on a session that is busy or broken");
        return NULL;
    }
    struct statement *st = xcalloc(1, sizeof *st);
    st->session = s;
    st->generation = 1;
    st->arena = arena_new(COLUMNS_BYTES);
    if (packet_command(session_packets(s), COM_STMT_PREPARE_BYTE, sql, err) == 0 &&
        read_prepared(st, err) == 0)
        return st;
    (void)fail(st, err); /* -1 is what NULL says here */
    arena_free(st->arena);
    free(st);
    return NULL;
}

unsigned statement_param_count(const struct statement *st)
{
    return st->param_count;
}

static void add_le(struct buf *b, uint64_t v, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        buf_add_char(b, (char)(v >> (8 * i) & 0xff));
}

static void add_lenenc(struct buf *b, uint64_t n)
{
    if (n < 0xfb) {
        add_le(b, n, 1);
    } else if (n <= 0xffff) {
        add_le(b, 0xfc, 1);
        add_le(b, n, 2);
    } else if (n <= 0xffffff) {
        add_le(b, 0xfd, 1);
        add_le(b, n, 3);
    } else {
        add_le(b, 0xfe, 1);
        add_le(b, n, 8);
    }
}

/* Body of COM_STMT_EXECUTE: id, no cursor, one iteration, NULL bitmap, types, values. */
static int build_execute(const struct statement *st, const struct str *params,
                         struct buf *body, struct error *err)
{
    add_le(body, st->id, 4);
    add_le(body, 0, 1); /* CURSOR_TYPE_NO_CURSOR */
    add_le(body, 1, 4);
    if (st->param_count > 0) {
        for (unsigned i = 0; i < st->param_count; i += 8) {
            unsigned bits = 0;
            for (unsigned k = 0; k < 8 && i + k < st->param_count; k++)
                if (params[i + k].ptr == NULL)
                    bits |= 1u << k;
            add_le(body, bits, 1);
        }
        add_le(body, 1, 1); /* types follow */
        for (unsigned i = 0; i < st->param_count; i++)
            add_le(body, MYSQL_TYPE_VAR_STRING, 2);
        for (unsigned i = 0; i < st->param_count; i++)
            if (params[i].ptr != NULL) {
                add_lenenc(body, params[i].len);
                buf_add_str(body, params[i]);
            }
    }
    return buf_check(body, "the parameters of a statement", err);
}

/* Columns of this execution; unchanged ones keep their memory and generation. */
static int take_columns(struct statement *st, unsigned count, struct error *err)
{
    struct arena *arena = arena_new(COLUMNS_BYTES);
    struct result_column *columns;
    if (result_read_columns(session_packets(st->session), session_dialect(st->session),
                            arena, count, &columns, err) != 0) {
        arena_free(arena);
        session_set_broken(st->session);
        return -1;
    }
    if (count == st->column_count && result_columns_equal(columns, st->columns, count)) {
        arena_free(arena);
        return 0;
    }
    arena_free(st->arena);
    st->arena = arena;
    st->columns = columns;
    st->column_count = count;
    st->generation++;
    return 0;
}

int statement_execute(struct statement *st, const struct str *params, unsigned count,
                      size_t row_limit, struct error *err)
{
    struct session *s = st->session;
    struct packet_stream *p = session_packets(s);
    struct result_head head;
    struct buf body CLEANUP(buf_done);
    buf_init(&body, PARAMS_BYTES);
    if (!session_is_usable(s))
        return error_set(err, ERR_BUG, "a statement on a session that is busy or broken");
    if (count != st->param_count)
        return error_set(err, ERR_BUG, "%u parameters for a statement that has %u", count,
                         st->param_count);
    if (build_execute(st, params, &body, err) != 0)
        return -1; /* nothing was sent */
    if (packet_command(p, COM_STMT_EXECUTE_BYTE, buf_str(&body), err) != 0 ||
        result_read_head(p, session_dialect(s), true, &head, err) != 0)
        return fail(st, err);
    st->row_limit = row_limit;
    if (head.column_count == 0)
        return 0;
    if (!head.has_definitions && head.column_count != st->column_count) {
        session_set_broken(s);
        return error_set(err, ERR_PROTOCOL,
                         "a result of %u columns where the statement has %u",
                         (unsigned)head.column_count, st->column_count);
    }
    /* Without definitions an EOF packet still stands where they would have ended. */
    if (head.has_definitions) {
        if (take_columns(st, (unsigned)head.column_count, err) != 0)
            return fail(st, err);
    } else {
        struct result_column *none;
        struct arena *arena CLEANUP(arena_free_at) = arena_new(1024);
        if (result_read_columns(p, session_dialect(s), arena, 0, &none, err) != 0) {
            session_set_broken(s);
            return fail(st, err);
        }
    }
    st->has_rows = true;
    session_set_busy(s, true);
    return 0;
}

const struct result_column *statement_columns(const struct statement *st, unsigned *count,
                                              unsigned *generation)
{
    *count = st->column_count;
    if (generation != NULL)
        *generation = st->generation;
    return st->columns;
}

int statement_next(struct statement *st, struct packet *row, struct error *err)
{
    if (!st->has_rows)
        return 0;
    if (packet_read(session_packets(st->session), st->row_limit, row, err) != 0)
        return fail(st, err);
    int kind = result_row_kind(row, session_dialect(st->session), err);
    if (kind == 0) {
        if (row->head.ptr[0] == 0)
            return 1;
        session_set_broken(st->session);
        error_set(err, ERR_PROTOCOL, "a row that starts with byte %u",
                  (uint8_t)row->head.ptr[0]);
        return fail(st, err);
    }
    if (kind < 0)
        return fail(st, err);
    st->has_rows = false;
    session_set_busy(st->session, false);
    return 0;
}

int statement_drain(struct statement *st, struct error *err)
{
    struct packet row;
    int more;
    st->row_limit = PACKET_HEAD_BYTES; /* enough to know a row from an error */
    while ((more = statement_next(st, &row, err)) > 0)
        ;
    return more;
}

void statement_close(struct statement *st)
{
    if (st == NULL)
        return;
    if (st->has_rows) {
        session_set_broken(st->session);
        session_set_busy(st->session, false);
    }
    if (session_is_usable(st->session)) {
        char id[4];
        struct error ignored = { 0 };
        for (unsigned i = 0; i < 4; i++)
            id[i] = (char)(st->id >> (8 * i) & 0xff);
        /* No answer comes; a failure breaks the stream, which the next command reports.
         */
        (void)packet_command(session_packets(st->session), COM_STMT_CLOSE_BYTE,
                             (struct str){ id, sizeof id }, &ignored);
    }
    arena_free(st->arena);
    free(st);
}
