/* Anchors and notes: what a key-based read must know before its first page. See key.h. */
#include "base/alloc.h"
#include "mysql/session.h"
#include "source/full_internal.h"
#include "source/key.h"
#include "source/key_internal.h"

#include <inttypes.h>

#define SQL_BYTES (1u << 20)
#define ANSWER_BYTES ((size_t)64 << 20)
#define US_PER_S INT64_C(1000000)
/* Looks at the list of transactions, until it is fresh and free of nameless ones. InnoDB
 * answers from a cache for 0.1 s after each look (trx0i_s.cc, CACHE_MIN_IDLE_TIME_US). */
#define LOOKS_MOST 12
#define NAMELESS_LOOKS 3
#define PAUSE "SELECT SLEEP(0.15)"

/* ---- anchors ---- */

static int query_max(struct session *s, struct arena *a, const struct key_read *k,
                     struct str below, struct str *out, struct error *err)
{
    CLEANUP(buf_done) struct buf sql;
    buf_init(&sql, SQL_BYTES);
    buf_add_text(&sql, "SELECT MAX(");
    session_quote_ident(&sql, k->key->name);
    buf_add_text(&sql, ") FROM ");
    full_table_sql(&k->found->schema, (struct str){ 0 }, &sql);
    if (k->where.len > 0)
        buf_printf(&sql, " WHERE (\n" STR_FMT "\n)", STR_ARG(k->where));
    if (below.len > 0) {
        buf_add_text(&sql, k->where.len > 0 ? " AND " : " WHERE ");
        session_quote_ident(&sql, k->key->name);
        buf_add_text(&sql, " <= ");
        session_quote_literal(&sql, below);
    }
    struct str text;
    if (buf_check(&sql, "a filter", err) != 0 ||
        session_query_text(s, a, buf_str(&sql), &text, err) != 0)
        return -1;
    *out = text.ptr == NULL ? (struct str){ 0 } : text;
    struct error ignored = { 0 };
    struct str canonical;
    if (out->len > 0 && key_value_read(a, k->key, *out, &canonical, &ignored) == 0)
        *out = canonical; /* ZEROFILL; dates that do not exist stay as they are */
    return 0;
}

/* A clock whose time zone the server cannot convert shows UTC. */
static int read_clock(struct session *s, struct arena *a, struct key_clock *out,
                      struct error *err)
{
    struct session_result r;
    if (session_query(s, a,
                      STR("SELECT UTC_TIMESTAMP(6), "
                          "CONVERT_TZ(UTC_TIMESTAMP(6), '+00:00', @@global.time_zone), "
                          "CONVERT_TZ(UTC_TIMESTAMP(6) - INTERVAL 3 HOUR, '+00:00', "
                          "@@global.time_zone), "
                          "CONVERT_TZ(UTC_TIMESTAMP(6) + INTERVAL 3 HOUR, '+00:00', "
                          "@@global.time_zone)"),
                      &r, err) != 0)
        return -1;
    if (r.row_count != 1 || r.column_count != 4 || !key_time_parse(r.cells[0], &out->utc))
        return error_set(err, ERR_PROTOCOL, "the server does not tell its time");
    int64_t around = 3 * 3600 * US_PER_S;
    if (!key_time_parse(r.cells[1], &out->local) ||
        !key_time_parse(r.cells[2], &out->local_before) ||
        !key_time_parse(r.cells[3], &out->local_after)) {
        out->local = out->utc;
        out->local_before = out->utc - around;
        out->local_after = out->utc + around;
    }
    return 0;
}

static int trust_time(struct session *s, struct arena *a, const struct key_read *k,
                      const struct key_clock *clock, struct str *max, struct error *err)
{
    int64_t us = 0;
    int64_t now = 0;
    int64_t drop = 0;
    if (!key_time_parse(*max, &us))
        return 0; /* a date that does not exist, below all that do */
    if (key_trust_of(clock, k->key, us, &now, &drop) == KEY_TRUST_NOW) {
        if (k->key->type == TYPE_TIMESTAMP)
            return query_max(s, a, k, key_time_part(a, k->key, now), max, err);
        *max = key_time_part(a, k->key, now);
    } else if (drop > 0) {
        *max = key_time_part(a, k->key, us - drop);
    }
    return 0;
}

int key_take_anchor(struct session *s, struct arena *a, const struct key_read *k,
                    struct key_anchor *out, struct str *upto, struct error *err)
{
    struct str why;
    struct key_clock clock = { 0 };
    *out = (struct key_anchor){ 0 };
    /* the clock behind the key: an anchor that looks younger than it is does no harm */
    if (query_max(s, a, k, (struct str){ 0 }, &out->max, err) != 0 ||
        read_clock(s, a, &clock, err) != 0)
        return -1;
    out->at = clock.utc;
    *upto = out->max;
    if (out->max.len == 0 || key_kind_of(k->key, &why) != KEY_KIND_TIME)
        return 0;
    return trust_time(s, a, k, &clock, &out->max, err);
}

/* ---- what kind of server ---- */

static bool is_refusal(const struct error *err)
{
    return err->code != ERR_NETWORK && err->code != ERR_CANCELLED;
}

static struct str cell_named(const struct session_result *r, size_t row, const char *name)
{
    for (unsigned i = 0; i < r->column_count; i++)
        if (str_ieq(r->names[i], str_of(name)))
            return r->cells[row * r->column_count + i];
    return (struct str){ 0 };
}

static int check_variables(struct session *s, struct arena *a, struct str *why,
                           struct error *err)
{
    struct session_result r;
    if (session_query(s, a,
                      STR("SHOW GLOBAL VARIABLES WHERE Variable_name IN "
                          "('innodb_read_only', 'wsrep_on')"),
                      &r, err) != 0)
        return -1;
    for (size_t i = 0; i < r.row_count; i++) {
        if (r.column_count != 2 || !str_ieq(r.cells[i * 2 + 1], STR("ON")))
            continue;
        *why = str_ieq(r.cells[i * 2], STR("wsrep_on"))
                   ? STR("The server is a node of a cluster, whose other nodes hand out "
                         "keys, too.")
                   : STR("The server only reads what another one writes.");
    }
    return 0;
}

/* A server that will not tell us may still show the threads that write for it. */
static int check_replica(struct session *s, struct arena *a, struct str *why,
                         struct error *err)
{
    struct session_result r;
    struct str sql = STR("SHOW REPLICA STATUS");
    if (session_is_mariadb(s))
        sql = STR("SHOW ALL SLAVES STATUS");
    else if (session_facts(s)->version < 80022)
        sql = STR("SHOW SLAVE STATUS");
    if (session_query(s, a, sql, &r, err) != 0) {
        if (!is_refusal(err))
            return -1;
        *err = (struct error){ 0 };
        return 0;
    }
    if (r.row_count > 0)
        *why = STR("The server is a replica: its rows come late and got their keys "
                   "elsewhere.");
    return 0;
}

/* ---- what runs now ---- */

struct look {
    struct session *session;
    struct arena *arena;
    int64_t now;
    int64_t oldest; /* what may bring rows began then or later */
    struct session_result processes, transactions;
    bool is_fresh;
    bool
        has_nameless; /* a transaction of no thread: prepared (XA), or the server's own */
    struct str why;
};

static void older(struct look *l, int64_t at)
{
    if (at < l->oldest)
        l->oldest = at;
}

/* One that runs, whatever it is: to know it for a reader takes more than its name. */
static bool is_running(const struct session_result *r, size_t row)
{
    struct str command = cell_named(r, row, "Command");
    if (str_ieq(command, STR("Query")) || str_ieq(command, STR("Execute")))
        return true;
    return cell_named(r, row, "Info").len > 0 && !str_ieq(command, STR("Sleep")) &&
           !str_starts(command, STR("Binlog Dump"));
}

/* Its rows are seen by nobody: a read that is a transaction of its own, or one that was
 * begun READ ONLY. */
static bool only_reads(const struct session_result *r, struct str thread)
{
    for (size_t i = 0; i < r->row_count; i++)
        if (str_eq(cell_named(r, i, "thread"), thread) &&
            (str_eq(cell_named(r, i, "non_locking"), STR("1")) ||
             str_eq(cell_named(r, i, "read_only"), STR("1"))))
            return true;
    return false;
}

/* NOW() of a statement is when it began, which may be long before its transaction did: it
 * may wait for a metadata lock. Its time is told in whole seconds. */
static void weigh_processes(struct look *l)
{
    const struct session_result *r = &l->processes;
    uint64_t own = session_facts(l->session)->connection_id;
    for (size_t i = 0; i < r->row_count; i++) {
        struct str id = cell_named(r, i, "Id");
        uint64_t thread = 0;
        int64_t seconds = 0;
        if (!str_to_u64(id, &thread) || thread == own)
            continue;
        if (str_ieq(cell_named(r, i, "User"), STR("system user")) &&
            !str_ieq(cell_named(r, i, "Command"), STR("Daemon")))
            l->why = STR("The server applies the changes of another one, which got "
                         "their keys there.");
        if (!is_running(r, i) || only_reads(&l->transactions, id))
            continue;
        if (!str_to_i64(cell_named(r, i, "Time"), &seconds) || seconds < 0)
            seconds = 0;
        if (seconds > l->now / US_PER_S - 1)
            seconds = l->now / US_PER_S - 1;
        older(l, l->now - (seconds + 1) * US_PER_S);
    }
}

/* Transactions that have changed rows, since when they are open. */
static void weigh_transactions(struct look *l, struct str mark)
{
    const struct session_result *r = &l->transactions;
    uint64_t own = session_facts(l->session)->connection_id;
    l->is_fresh = false;
    l->has_nameless = false;
    l->oldest = l->now;
    for (size_t i = 0; i < r->row_count; i++) {
        uint64_t thread = 0;
        int64_t started = 0;
        (void)str_to_u64(cell_named(r, i, "thread"), &thread);
        if (thread == own) {
            struct str query = cell_named(r, i, "query");
            l->is_fresh |= query.ptr != NULL &&
                           memmem(query.ptr, query.len, mark.ptr, mark.len) != NULL;
            continue;
        }
        if (str_eq(cell_named(r, i, "modified"), STR("0")))
            continue;
        if (thread == 0 || !key_time_parse(cell_named(r, i, "started"), &started)) {
            l->has_nameless = true;
            continue;
        }
        /* told in local time: of an hour that comes twice, the first */
        if (str_eq(cell_named(r, i, "twice"), STR("1")))
            started -= 3600 * US_PER_S;
        older(l, started);
    }
}

/* Our own statement is in the list that it reads, when that was made for it. */
static int list_transactions(struct look *l, unsigned number, struct error *err)
{
    struct str mark = arena_printf(l->arena, "tailrace %" PRId64 ".%u", l->now, number);
    struct str sql = arena_printf(
        l->arena,
        "SELECT /* " STR_FMT " */ trx_mysql_thread_id AS thread, "
        "trx_rows_modified AS modified, trx_autocommit_non_locking AS non_locking, "
        "trx_is_read_only AS read_only, LEFT(trx_query, 64) AS query, "
        "CONVERT_TZ(trx_started, 'SYSTEM', '+00:00') AS started, "
        "CONVERT_TZ(CONVERT_TZ(trx_started, 'SYSTEM', '+00:00') - INTERVAL 1 HOUR, "
        "'+00:00', 'SYSTEM') = trx_started AS twice FROM information_schema.INNODB_TRX",
        STR_ARG(mark));
    if (session_query(l->session, l->arena, sql, &l->transactions, err) != 0)
        return -1;
    weigh_transactions(l, mark);
    return 0;
}

static int look_until_fresh(struct look *l, struct error *err)
{
    for (unsigned i = 0; i < LOOKS_MOST; i++) {
        if (i > 0 && session_exec(l->session, STR(PAUSE), err) != 0)
            return -1;
        if (list_transactions(l, i, err) != 0)
            return -1;
        if (l->is_fresh && (!l->has_nameless || i >= NAMELESS_LOOKS))
            return 0;
    }
    if (!l->is_fresh)
        l->why = STR("The server's list of transactions is never fresh.");
    return 0;
}

static int take_look(struct look *l, struct error *err)
{
    struct str now;
    if (session_query_text(l->session, l->arena, STR("SELECT UTC_TIMESTAMP(6)"), &now,
                           err) != 0)
        return -1;
    if (!key_time_parse(now, &l->now))
        return error_set(err, ERR_PROTOCOL, "the server does not tell its time");
    /* statements before transactions: what ends in between has committed, or is open */
    if (session_query(l->session, l->arena, STR("SHOW PROCESSLIST"), &l->processes,
                      err) != 0 ||
        session_exec(l->session,
                     STR("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"),
                     err) != 0)
        return -1;
    int rc = look_until_fresh(l, err);
    if (rc != 0 && !session_is_usable(l->session))
        return -1;
    struct error ignored = { 0 };
    if (session_exec(l->session, STR("ROLLBACK"), rc == 0 ? err : &ignored) != 0)
        return -1;
    if (rc != 0 && err->code == ERR_AUTH) {
        *err = (struct error){ 0 };
        l->why = STR("The account has no PROCESS privilege, so open transactions cannot "
                     "be seen.");
        return 0;
    }
    if (rc == 0)
        weigh_processes(l);
    return rc;
}

int key_take_server_note(struct session *s, struct arena *a, struct key_note *out,
                         struct error *err)
{
    CLEANUP(arena_free_at) struct arena *scratch = arena_new(ANSWER_BYTES);
    struct look l = { .session = s, .arena = scratch };
    *out = (struct key_note){ 0 };
    if (check_variables(s, scratch, &l.why, err) != 0)
        return -1;
    if (l.why.len == 0 && check_replica(s, scratch, &l.why, err) != 0)
        return -1;
    if (l.why.len == 0 && take_look(&l, err) != 0)
        return -1;
    out->why = arena_str(a, l.why);
    out->proved = l.why.len == 0;
    if (out->proved && !l.has_nameless)
        out->at = l.oldest;
    return 0;
}

/* ---- one table ---- */

static struct str why_unproved(const struct key_read *k)
{
    const struct catalog_table *t = k->found;
    struct str why;
    if (t->kind == TABLE_VIEW)
        return STR("A view does not say how its keys come about.");
    if (t->transactional && !str_ieq(t->engine, STR("InnoDB")))
        return STR("The transactions of this engine cannot be seen.");
    if (key_kind_of(k->key, &why) == KEY_KIND_UNITS && !k->key->auto_increment)
        return STR("The column is not AUTO_INCREMENT, so clients choose its values.");
    if (k->key->generated != GENERATED_NO)
        return STR("The column is computed, not set when a row is written.");
    return (struct str){ 0 };
}

struct key_note key_note_of(const struct key_note *server, const struct key_read *k)
{
    struct key_note note = *server;
    struct str why = why_unproved(k);
    if (note.proved && why.len > 0)
        note = (struct key_note){ .why = why };
    return note;
}

int key_take_note(struct session *s, struct arena *a, const struct key_read *k,
                  struct key_note *out, struct error *err)
{
    struct key_note server = { .proved = true };
    *out = key_note_of(&server, k);
    if (!out->proved)
        return 0; /* nothing that the server could add */
    if (key_take_server_note(s, a, &server, err) != 0)
        return -1;
    *out = key_note_of(&server, k);
    return 0;
}
