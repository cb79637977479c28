/* Findings for people. See check.h. */
#include "source/check.h"

#include "base/alloc.h"
#include "source/check_internal.h"
#include "source/handover.h"
#include "source/source.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_S INT64_C(3600)
/* Whoever reads the log may be away over a weekend. */
#define RETENTION_WANTED_H 72
/* Tables are named one by one up to here; then they are counted. */
#define NAMED_MOST 20

struct checker {
    struct check_facts facts;
    const struct catalog *catalog;
    struct check_finding *items; /* heap */
    size_t count;
};

const char *check_level_name(enum check_level level)
{
    static const char *const names[] = { "ok", "warn", "fail" };
    return names[level];
}

static void find(struct checker *c, enum check_level level, const char *name,
                 struct str saw)
{
    c->items = xreallocarray(c->items, c->count + 1, sizeof *c->items);
    c->items[c->count++] =
        (struct check_finding){ .level = level, .name = str_of(name), .saw = saw };
}

static void explain(struct checker *c, struct str why, struct str mend)
{
    c->items[c->count - 1].why = why;
    c->items[c->count - 1].mend = mend;
}

static struct str setting_or(const struct checker *c, const char *name)
{
    struct str value = check_setting(&c->facts, name);
    return value.ptr == NULL ? STR("not known to this server") : value;
}

static bool is_maria(const struct checker *c)
{
    return session_is_mariadb(c->facts.session);
}

/* ---- the log ---- */

static void look_at_log(struct checker *c)
{
    const struct check_facts *f = &c->facts;
    find(c, f->log_on ? CHECK_OK : CHECK_FAIL, "log_bin", setting_or(c, "log_bin"));
    if (!f->log_on)
        explain(c, STR("The server writes no binary log: there is nothing to follow."),
                f->ability.rds
                    ? STR("Aurora: set binlog_format = ROW in the cluster's parameter "
                          "group and reboot the writer. RDS: turn automated backups on.")
                    : check_mend_setting(f, "log_bin", "ON", true));
    bool zero = check_setting_is(f, "server_id", "0");
    find(c, zero ? CHECK_FAIL : CHECK_OK, "server_id", setting_or(c, "server_id"));
    if (zero)
        explain(c, STR("A server whose id is 0 hands its log to nobody."),
                check_mend_setting(f, "server_id", "1", true));
    bool row = check_setting_is(f, "binlog_format", "ROW");
    find(c, row ? CHECK_OK : CHECK_FAIL, "binlog_format", setting_or(c, "binlog_format"));
    if (!row)
        explain(c,
                STR("The log has statements, not the rows they change. Connections that "
                    "are open keep the old format until they connect again."),
                check_mend_setting(f, "binlog_format", "ROW", false));
}

static void look_at_images(struct checker *c)
{
    const struct check_facts *f = &c->facts;
    struct str image = check_setting(f, "binlog_row_image");
    bool full = f->ability.full_images;
    find(c, full ? CHECK_OK : (image.ptr == NULL ? CHECK_FAIL : CHECK_WARN),
         "binlog_row_image", setting_or(c, "binlog_row_image"));
    if (image.ptr == NULL)
        explain(c,
                STR("The server is older than MySQL 5.6.2 and MariaDB 10.1.6: its rows "
                    "cannot be followed."),
                STR("Upgrade the server, or read tables by key or in full."));
    else if (!full)
        explain(
            c,
            STR("Rows come without some of their columns. Updates are completed from "
                "the destination; rows of which an INSERT leaves columns out are read "
                "again by key, and tables without a key cannot be followed."),
            check_mend_setting(f, "binlog_row_image", "FULL", false));
    find(c, f->ability.names_in_map ? CHECK_OK : CHECK_WARN, "binlog_row_metadata",
         setting_or(c, "binlog_row_metadata"));
    if (f->ability.names_in_map)
        return;
    bool known = check_setting(f, "binlog_row_metadata").ptr != NULL;
    explain(c,
            STR("The log does not name its columns: after an ALTER TABLE that changes "
                "columns the table is copied again."),
            known ? check_mend_setting(f, "binlog_row_metadata", "FULL", false)
                  : STR("MySQL 8.0.1 and MariaDB 10.5 know the setting."));
}

static void look_at_gtid(struct checker *c)
{
    const struct check_facts *f = &c->facts;
    if (is_maria(c)) {
        find(c, CHECK_OK, "gtid", STR("always"));
        return;
    }
    find(c, f->ability.gtid ? CHECK_OK : CHECK_WARN, "gtid_mode",
         setting_or(c, "gtid_mode"));
    if (!f->ability.gtid)
        explain(
            c,
            STR("Without GTIDs a failover to another server ends in new copies, and a "
                "copy needs LOCK TABLES for a moment, or a wait, to meet the log."),
            STR("Set enforce_gtid_consistency and gtid_mode to ON, in the steps of the "
                "MySQL manual, 'Enabling GTID Transactions Online'."));
}

static struct str hours_text(struct checker *c, int64_t seconds)
{
    if (seconds == CHECK_RETENTION_UNKNOWN)
        return STR("unknown");
    if (seconds == CHECK_RETENTION_ENDLESS)
        return STR("files are never purged");
    if (seconds < HOUR_S)
        return arena_printf(c->facts.arena, "%" PRId64 " s", seconds);
    return arena_printf(c->facts.arena, "%" PRId64 " hours", seconds / HOUR_S);
}

static struct str mend_retention(const struct checker *c)
{
    const struct check_facts *f = &c->facts;
    if (f->ability.rds)
        return STR("CALL mysql.rds_set_configuration('binlog retention hours', 168);");
    if (check_setting(f, "binlog_expire_logs_seconds").ptr != NULL)
        return check_mend_setting(f, "binlog_expire_logs_seconds", "604800", false);
    return check_mend_setting(f, "expire_logs_days", "7", false);
}

static void look_at_retention(struct checker *c)
{
    const struct check_facts *f = &c->facts;
    int64_t s = f->retention_s;
    enum check_level level = CHECK_OK;
    if (s == 0)
        level = CHECK_FAIL;
    else if (s < RETENTION_WANTED_H * HOUR_S)
        level = CHECK_WARN;
    find(c, level, "retention", hours_text(c, s));
    if (s == CHECK_RETENTION_UNKNOWN)
        explain(c,
                STR("The account may not read mysql.rds_configuration, which says how "
                    "long log files stay; by default they go at once."),
                STR("CALL mysql.rds_show_configuration; and set 'binlog retention hours' "
                    "to 168."));
    else if (level == CHECK_FAIL)
        explain(c,
                STR("Log files are purged as soon as the server likes: what was not read "
                    "by then is lost, and tables are copied again."),
                mend_retention(c));
    else if (level == CHECK_WARN)
        explain(c,
                STR("When nothing is read for longer than this, tables are copied again; "
                    "72 hours outlast a weekend."),
                mend_retention(c));
    static const char *const ceilings[] = { "max_binlog_total_size",
                                            "binlog_space_limit" };
    for (size_t i = 0; i < 2; i++) {
        struct str size = check_setting(f, ceilings[i]);
        if (size.len == 0 || str_eq(size, STR("0")))
            continue;
        find(c, CHECK_WARN, ceilings[i], size);
        explain(c, STR("Log files are purged by size, too, however young they are."),
                STR("Make room for 72 hours of log at the busiest time."));
        break; /* in newer MariaDB both are one */
    }
}

/* ---- the server's place ---- */

static void look_at_place(struct checker *c)
{
    const struct check_facts *f = &c->facts;
    bool closed = check_setting_is(f, "innodb_read_only", "ON");
    bool read_only = check_setting_is(f, "read_only", "ON");
    find(c, closed ? CHECK_FAIL : CHECK_OK, "role",
         closed && f->ability.aurora ? STR("a reader of the cluster")
         : f->is_replica             ? STR("a replica")
         : read_only                 ? STR("read-only")
                                     : STR("written to"));
    if (closed)
        explain(c, STR("A server that writes nothing has no binary log."),
                f->ability.aurora ? STR("Use the cluster's writer endpoint.")
                                  : STR("Use the server that is written to."));
    if (!f->is_replica && !read_only)
        return;
    const char *name = check_setting(f, "log_replica_updates").ptr != NULL
                           ? "log_replica_updates"
                           : "log_slave_updates";
    enum check_level level = f->is_replica ? CHECK_FAIL : CHECK_WARN;
    find(c, f->logs_replicated ? CHECK_OK : level, name, setting_or(c, name));
    if (!f->logs_replicated)
        explain(c,
                STR("A replica that does not log what it replicates has no log of it to "
                    "follow."),
                check_mend_setting(f, name, "ON", true));
}

static bool database_is_filtered(const struct checker *c, struct str name)
{
    /* as if there were a table that has no other flaw */
    struct log_ability only = c->facts.ability;
    struct catalog_table t = { .schema = { .database = name },
                               .readable = true,
                               .engine = STR("InnoDB"),
                               .key = KEY_PRIMARY };
    only.possible = true;
    only.cascade_count = 0;
    return check_table_log(c->facts.arena, &t, &only).len > 0;
}

static void look_at_filters(struct checker *c)
{
    const struct log_ability *o = &c->facts.ability;
    if (o->do_databases.len == 0 && o->ignored_databases.len == 0)
        return;
    struct str missing = { 0 };
    for (size_t i = 0; i < c->catalog->database_count && missing.len == 0; i++)
        if (database_is_filtered(c, c->catalog->databases[i].name))
            missing = c->catalog->databases[i].name;
    bool only = o->do_databases.len > 0;
    find(c, missing.len > 0 ? CHECK_FAIL : CHECK_OK,
         only ? "binlog_do_db" : "binlog_ignore_db",
         only ? o->do_databases : o->ignored_databases);
    if (missing.len > 0)
        explain(
            c,
            arena_printf(c->facts.arena,
                         "What changes in database '" STR_FMT "' is not in the log.",
                         STR_ARG(missing)),
            STR("Take the filter out of the server's configuration and restart it, or "
                "read these tables by key or in full."));
}

/* ---- privileges ---- */

static void look_at_privileges(struct checker *c)
{
    const struct check_facts *f = &c->facts;
    find(c, f->no_slave ? CHECK_FAIL : CHECK_OK, "privilege REPLICATION SLAVE",
         f->no_slave ? STR("missing") : STR("granted"));
    if (f->no_slave)
        explain(c, STR("The server hands its log to accounts with this privilege only."),
                check_mend_grant(f, "REPLICATION SLAVE"));
    bool monitor = is_maria(c) && session_facts(f->session)->version >= 100500;
    find(c, f->no_client ? CHECK_FAIL : CHECK_OK,
         monitor ? "privilege BINLOG MONITOR" : "privilege REPLICATION CLIENT",
         f->no_client ? STR("missing") : STR("granted"));
    if (f->no_client)
        explain(c,
                STR("Where the log ends is said to accounts with this privilege only."),
                check_mend_grant(f, monitor ? "BINLOG MONITOR" : "REPLICATION CLIENT"));
}

static bool is_base(const struct catalog_table *t)
{
    return t->kind != TABLE_VIEW && t->kind != TABLE_SEQUENCE;
}

static struct str database_grant(const struct checker *c, const char *privilege,
                                 struct str database)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 8192);
    buf_printf(&b, "GRANT %s ON ", privilege);
    session_quote_ident(&b, database);
    buf_printf(&b, ".* TO " STR_FMT ";", STR_ARG(c->facts.account));
    return arena_str(c->facts.arena, buf_str(&b));
}

static void look_at_select(struct checker *c)
{
    struct arena *a = c->facts.arena;
    for (size_t d = 0; d < c->catalog->database_count; d++) {
        const struct catalog_database *db = &c->catalog->databases[d];
        size_t hidden = 0;
        struct str why = { 0 };
        for (size_t i = 0; i < db->table_count; i++)
            if (!db->tables[i].readable && hidden++ == 0)
                why = db->tables[i].why;
        bool some = hidden < db->table_count;
        find(c,
             some ? (hidden > 0 ? CHECK_WARN : CHECK_OK)
                  : (hidden > 0 ? CHECK_FAIL : CHECK_WARN),
             "tables",
             arena_printf(a, "'" STR_FMT "': %zu of %zu can be read", STR_ARG(db->name),
                          db->table_count - hidden, db->table_count));
        if (hidden > 0)
            explain(c, why, database_grant(c, "SELECT", db->name));
        else if (!some)
            explain(c, STR("There is no table that the account may see."),
                    database_grant(c, "SELECT", db->name));
    }
}

/* MySQL has no places of views: without GTIDs, and for tables without a key, a lock of a
 * moment says where the copy meets the log. */
static int look_at_locks(struct checker *c, struct error *err)
{
    if (is_maria(c) || !c->facts.log_on)
        return 0;
    for (size_t d = 0; d < c->catalog->database_count; d++) {
        const struct catalog_database *db = &c->catalog->databases[d];
        const struct catalog_table *first = NULL;
        bool keyless = false;
        for (size_t i = 0; i < db->table_count; i++) {
            if (!is_base(&db->tables[i]) || !db->tables[i].readable)
                continue;
            first = first == NULL ? &db->tables[i] : first;
            keyless = keyless || db->tables[i].key == KEY_NONE;
        }
        if (first == NULL || (c->facts.ability.gtid && !keyless))
            continue;
        bool can = false;
        if (handover_can_lock(c->facts.session, &first->schema, &can, err) != 0)
            return -1;
        find(c, can ? CHECK_OK : CHECK_WARN, "privilege LOCK TABLES",
             arena_printf(c->facts.arena, "'" STR_FMT "': %s", STR_ARG(db->name),
                          can ? "granted" : "missing"));
        if (!can)
            explain(c,
                    c->facts.ability.gtid
                        ? STR("A table without a key meets the log exactly only under a "
                              "lock of a moment, or when nothing is written meanwhile.")
                        : STR("Without it a copy waits handover_wait (60 s) before its "
                              "first page instead of locking for a moment; that is no "
                              "proof."),
                    database_grant(c, "LOCK TABLES", db->name));
    }
    return 0;
}

/* ---- tables ---- */

static void look_at_cascades(struct checker *c)
{
    const struct log_ability *o = &c->facts.ability;
    struct arena *a = c->facts.arena;
    bool native = check_setting(&c->facts, "innodb_native_foreign_keys").ptr != NULL;
    for (size_t i = 0; i < o->cascade_count; i++) {
        const struct check_cascade *k = &o->cascades[i];
        find(c, k->derived ? CHECK_OK : CHECK_WARN, "foreign key",
             arena_printf(a, "'" STR_FMT "." STR_FMT "': '" STR_FMT "' " STR_FMT "%s",
                          STR_ARG(k->database), STR_ARG(k->table), STR_ARG(k->name),
                          STR_ARG(k->action), k->derived ? ", derived" : ""));
        if (k->derived)
            continue;
        explain(
            c,
            arena_printf(a,
                         "When rows of '" STR_FMT
                         "' go or change, so do rows of this table, and the server "
                         "does not log that: the table is not followed by log. " STR_FMT,
                         STR_ARG(k->parent), STR_ARG(k->why)),
            native
                ? check_mend_setting(&c->facts, "innodb_native_foreign_keys", "OFF", true)
                : STR("Read it in full or by key with a delete sweep, let the "
                      "application delete, or use MySQL 9.6 and later."));
    }
}

static bool has_cascade(const struct log_ability *o, const struct catalog_table *t)
{
    for (size_t i = 0; i < o->cascade_count; i++)
        if (!o->cascades[i].derived && str_eq(o->cascades[i].table, t->schema.name) &&
            str_eq(o->cascades[i].database, t->schema.database))
            return true;
    return false;
}

/* Tables that cannot be followed for reasons of their own. */
static void look_at_tables(struct checker *c)
{
    struct arena *a = c->facts.arena;
    struct log_ability *o = &c->facts.ability;
    size_t named = 0;
    size_t all = 0;
    size_t good = 0;
    for (size_t d = 0; d < c->catalog->database_count; d++)
        for (size_t i = 0; i < c->catalog->databases[d].table_count; i++) {
            const struct catalog_table *t = &c->catalog->databases[d].tables[i];
            if (!is_base(t) || !t->readable)
                continue;
            struct str why = check_table_log(a, t, o);
            all++;
            good += why.len == 0;
            if (!o->possible || why.len == 0 || has_cascade(o, t) ||
                named++ >= NAMED_MOST)
                continue;
            find(c, CHECK_WARN, "table",
                 arena_printf(a, "'" STR_FMT "." STR_FMT "'", STR_ARG(t->schema.database),
                              STR_ARG(t->schema.name)));
            explain(c, why, STR("Read it in full or by key."));
        }
    find(c, o->possible ? CHECK_OK : CHECK_FAIL, "log-based",
         arena_printf(a, "%zu of %zu tables", good, all));
    if (!o->possible)
        explain(c, o->why, o->mend);
    else if (named > NAMED_MOST)
        explain(c, arena_printf(a, "%zu more are not named here.", named - NAMED_MOST),
                (struct str){ 0 });
}

static int look(struct checker *c, struct error *err)
{
    struct str *names =
        ARENA_ARRAY(c->facts.arena, struct str, c->catalog->database_count + 1);
    struct check_scope scope = { names, c->catalog->database_count };
    for (size_t i = 0; i < scope.database_count; i++)
        names[i] = c->catalog->databases[i].name;
    if (check_ability_read(&c->facts, &scope, err) != 0)
        return -1;
    check_derive(c->facts.arena, c->catalog, &c->facts.ability);
    find(c, CHECK_OK, "server", source_describe(c->facts.arena, c->facts.session));
    look_at_select(c);
    look_at_log(c);
    look_at_images(c);
    look_at_gtid(c);
    if (c->facts.log_on)
        look_at_retention(c);
    look_at_place(c);
    look_at_filters(c);
    look_at_privileges(c);
    if (look_at_locks(c, err) != 0)
        return -1;
    look_at_cascades(c);
    look_at_tables(c);
    return 0;
}

int source_check(struct session *s, struct arena *a, const struct catalog *catalog,
                 struct check_list *out, struct error *err)
{
    struct checker c = { .catalog = catalog };
    int rc = check_facts_read(s, a, &c.facts, err);
    if (rc == 0)
        rc = look(&c, err);
    if (rc == 0) {
        struct check_finding *items = ARENA_ARRAY(a, struct check_finding, c.count);
        *out = (struct check_list){ .items = items, .count = c.count };
        memcpy(items, c.items, c.count * sizeof *items);
        for (size_t i = 0; i < c.count; i++) {
            items[i].why = arena_str(a, items[i].why); /* it may be the catalog's */
            out->worst = items[i].level > out->worst ? items[i].level : out->worst;
        }
    }
    free(c.items);
    return rc;
}
