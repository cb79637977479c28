#include "mysql/log_status.h"

#include "base/alloc.h"

#define NUMBER_SYNTAX 1064u
#define NUMBER_DENIED 1227u
#define NUMBER_NO_LOG 1381u /* ER_NO_BINARY_LOGGING */
#define NUMBER_NO_VARIABLE 1193u

#define HINT_MONITOR \
    "Grant REPLICATION CLIENT (MariaDB 10.5 and later: BINLOG MONITOR) to the account."
#define HINT_REPLICAS                                                                  \
    "Grant REPLICATION SLAVE (MariaDB 10.5 and later: also REPLICATION MASTER ADMIN) " \
    "to the account."

/* The first spelling that the server parses. */
static int query_spelled(struct session *s, struct arena *a, const char *const *spellings,
                         size_t count, struct session_result *out, struct error *err)
{
    int rc = -1;
    for (size_t i = 0; i < count; i++) {
        *err = (struct error){ 0 };
        rc = session_query(s, a, str_of(spellings[i]), out, err);
        if (rc == 0 || err->remote != NUMBER_SYNTAX)
            break;
    }
    return rc;
}

/* The cell of a named column in a row; empty where the server has no such column. */
static struct str cell(const struct session_result *r, size_t row, const char *name)
{
    for (unsigned i = 0; i < r->column_count; i++)
        if (str_ieq(r->names[i], str_of(name)))
            return r->cells[row * r->column_count + i];
    return (struct str){ 0 };
}

static int explain(struct error *err, const char *what, const char *hint)
{
    if (err->remote == NUMBER_DENIED)
        err->hint = hint;
    return error_wrap(err, "reading %s", what);
}

/* "UUID:1-5,\nUUID:7": the server breaks lines. */
static struct str without_breaks(struct arena *a, struct str s)
{
    char *copy = arena_alloc(a, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] != '\n' && s.ptr[i] != ' ')
            copy[n++] = s.ptr[i];
    return (struct str){ copy, n };
}

int log_status_read(struct session *s, struct arena *a, struct log_status *out,
                    struct error *err)
{
    static const char *const new_first[] = { "SHOW BINARY LOG STATUS",
                                             "SHOW MASTER STATUS" };
    static const char *const old_first[] = { "SHOW MASTER STATUS", "SHOW BINLOG STATUS" };
    bool maria = session_is_mariadb(s);
    struct session_result r;
    *out = (struct log_status){ 0 };
    if (maria && session_query_text(s, a, STR("SELECT @@global.gtid_binlog_pos"),
                                    &out->gtids, err) != 0)
        return explain(err, "the GTIDs of the log", NULL);
    if (query_spelled(s, a, maria ? old_first : new_first, 2, &r, err) != 0)
        return explain(err, "the end of the log", HINT_MONITOR);
    if (r.row_count == 0)
        return 0;
    out->on = str_to_u64(cell(&r, 0, "Position"), &out->offset);
    out->file = cell(&r, 0, "File");
    if (!out->on || out->file.len == 0)
        return error_set(err, ERR_PROTOCOL, "the server tells no end of its log");
    if (!maria)
        out->gtids = without_breaks(a, cell(&r, 0, "Executed_Gtid_Set"));
    out->do_databases = cell(&r, 0, "Binlog_Do_DB");
    out->ignored_databases = cell(&r, 0, "Binlog_Ignore_DB");
    return 0;
}

int log_files_read(struct session *s, struct arena *a, const struct log_file **out,
                   size_t *count, struct error *err)
{
    struct session_result r;
    *count = 0;
    *out = NULL;
    if (session_query(s, a, STR("SHOW BINARY LOGS"), &r, err) != 0) {
        if (err->remote != NUMBER_NO_LOG)
            return explain(err, "the list of logs", HINT_MONITOR);
        *err = (struct error){ 0 };
        return 0;
    }
    struct log_file *files = ARENA_ARRAY(a, struct log_file, r.row_count + 1);
    for (size_t i = 0; i < r.row_count; i++) {
        files[i].name = cell(&r, i, "Log_name");
        if (files[i].name.len == 0 ||
            !str_to_u64(cell(&r, i, "File_size"), &files[i].size))
            return error_set(err, ERR_PROTOCOL, "the list of logs cannot be read");
    }
    *out = files;
    *count = r.row_count;
    return 0;
}

int log_purged_read(struct session *s, struct arena *a, struct str *gtids,
                    struct error *err)
{
    *gtids = (struct str){ 0 };
    if (session_is_mariadb(s))
        return 0;
    struct str text;
    if (session_query_text(s, a, STR("SELECT @@global.gtid_purged"), &text, err) != 0) {
        if (err->remote != NUMBER_NO_VARIABLE)
            return explain(err, "the purged GTIDs", NULL);
        *err = (struct error){ 0 };
        return 0;
    }
    *gtids = without_breaks(a, text);
    return 0;
}

int log_gtid_at(struct session *s, struct arena *a, struct str file, uint64_t offset,
                struct str *gtids, struct error *err)
{
    CLEANUP(buf_done) struct buf sql;
    buf_init(&sql, 4096);
    buf_add_text(&sql, "SELECT BINLOG_GTID_POS(");
    session_quote_literal(&sql, file);
    buf_printf(&sql, ", %llu)", (unsigned long long)offset);
    if (buf_check(&sql, "the name of a log", err) != 0 ||
        session_query_text(s, a, buf_str(&sql), gtids, err) != 0)
        return -1;
    if (gtids->ptr != NULL)
        return 0;
    (void)error_set(err, ERR_POSITION, "the log has no place '" STR_FMT "' at %llu",
                    STR_ARG(file), (unsigned long long)offset);
    err->hint = "Start at a file that SHOW BINARY LOGS lists, or copy again.";
    return -1;
}

int log_replicas_read(struct session *s, struct arena *a, const struct log_replica **out,
                      size_t *count, struct error *err)
{
    static const char *const new_first[] = { "SHOW REPLICAS", "SHOW SLAVE HOSTS" };
    static const char *const old_first[] = { "SHOW SLAVE HOSTS", "SHOW REPLICA HOSTS" };
    struct session_result r;
    *count = 0;
    *out = NULL;
    if (query_spelled(s, a, session_is_mariadb(s) ? old_first : new_first, 2, &r, err) !=
        0)
        return explain(err, "the list of replicas", HINT_REPLICAS);
    struct log_replica *found = ARENA_ARRAY(a, struct log_replica, r.row_count + 1);
    for (size_t i = 0; i < r.row_count; i++) {
        struct str uuid = cell(&r, i, "Replica_UUID");
        found[i].uuid = uuid.len > 0 ? uuid : cell(&r, i, "Slave_UUID");
        found[i].host = cell(&r, i, "Host");
        if (!str_to_u64(cell(&r, i, "Server_Id"), &found[i].server_id))
            return error_set(err, ERR_PROTOCOL, "the list of replicas cannot be read");
    }
    *out = found;
    *count = r.row_count;
    return 0;
}
