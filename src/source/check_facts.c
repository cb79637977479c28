/* What a check asks of a server. See check_internal.h. */
#include "base/alloc.h"
#include "source/check_internal.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBER_SYNTAX = 1064, NUMBER_DENIED = 1227 };

#define HOUR_S INT64_C(3600)
#define DAY_S (24 * HOUR_S)

/* ---- settings ---- */

static int read_settings(struct check_facts *f, struct error *err)
{
    int rc = session_query(
        f->session, f->arena,
        STR("SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin', 'binlog_format', "
            "'binlog_row_image', 'binlog_row_metadata', 'gtid_mode', "
            "'binlog_expire_logs_seconds', 'binlog_expire_logs_auto_purge', "
            "'expire_logs_days', 'max_binlog_total_size', 'binlog_space_limit', "
            "'log_replica_updates', 'log_slave_updates', 'read_only', "
            "'super_read_only', 'innodb_read_only', 'innodb_native_foreign_keys', "
            "'server_id', 'basedir')"),
        &f->settings, err);
    return rc == 0 ? 0 : error_wrap(err, "reading the server's settings");
}

struct str check_setting(const struct check_facts *f, const char *name)
{
    for (size_t i = 0; i < f->settings.row_count; i++)
        if (str_ieq(f->settings.cells[i * 2], str_of(name)))
            return f->settings.cells[i * 2 + 1];
    return (struct str){ 0 };
}

bool check_setting_is(const struct check_facts *f, const char *name, const char *value)
{
    struct str have = check_setting(f, name);
    return have.ptr != NULL && str_ieq(have, str_of(value));
}

struct str check_mend_setting(const struct check_facts *f, const char *name,
                              const char *value, bool needs_restart)
{
    if (f->ability.rds)
        return arena_printf(f->arena, "Set %s = %s in the %s parameter group%s.", name,
                            value, f->ability.aurora ? "cluster's" : "instance's",
                            needs_restart ? " and reboot the writer" : "");
    if (needs_restart)
        return arena_printf(f->arena,
                            "Put '%s = %s' under [mysqld] in the server's configuration "
                            "and restart it.",
                            name, value);
    if (!session_is_mariadb(f->session) && session_facts(f->session)->version >= 80000)
        return arena_printf(f->arena, "SET PERSIST %s = %s;", name, value);
    return arena_printf(f->arena,
                        "SET GLOBAL %s = %s; and put the same under [mysqld] in the "
                        "server's configuration.",
                        name, value);
}

/* ---- retention ---- */

/* RDS and Aurora purge by a table of theirs: NULL is "as soon as they like". Other
 * servers have no such table, and an account may not be allowed to read it. */
static int read_rds_retention(struct check_facts *f, struct error *err)
{
    struct session_result r;
    if (session_query(f->session, f->arena,
                      STR("SELECT value FROM mysql.rds_configuration "
                          "WHERE name = 'binlog retention hours'"),
                      &r, err) != 0) {
        if (err->remote == 0)
            return error_wrap(err, "reading mysql.rds_configuration");
        if (f->ability.rds)
            f->retention_s = CHECK_RETENTION_UNKNOWN;
        *err = (struct error){ 0 };
        return 0;
    }
    uint64_t hours = 0;
    if (r.row_count == 0)
        return 0;
    f->ability.rds = true;
    f->rds_retention = true;
    if (r.cells[0].ptr == NULL || !str_to_u64(r.cells[0], &hours) || hours > 1000000)
        hours = 0;
    f->retention_s = (int64_t)hours * HOUR_S;
    return 0;
}

int check_retention_read(struct session *s, struct arena *a, struct check_facts *f,
                         struct error *err)
{
    *f = (struct check_facts){ .session = s, .arena = a };
    if (read_settings(f, err) != 0)
        return -1;
    f->ability.aurora = session_facts(s)->aurora_version.len > 0;
    f->ability.rds =
        f->ability.aurora || str_starts(check_setting(f, "basedir"), STR("/rdsdbbin"));
    uint64_t seconds = 0;
    struct str days = check_setting(f, "expire_logs_days"); /* MariaDB: "0.500000" */
    if (!str_to_u64(check_setting(f, "binlog_expire_logs_seconds"), &seconds))
        seconds = 0;
    if (seconds == 0 && days.len > 0)
        seconds = (uint64_t)(strtod(arena_text(a, days), NULL) * (double)DAY_S);
    f->retention_s =
        seconds == 0 || check_setting_is(f, "binlog_expire_logs_auto_purge", "OFF")
            ? CHECK_RETENTION_ENDLESS
            : (int64_t)seconds;
    return read_rds_retention(f, err);
}

/* ---- privileges ---- */

static bool list_has(struct str list, struct str item)
{
    while (list.len > 0) {
        struct str one = str_cut(list, ',', &list);
        if (str_ieq(str_trim(one), item))
            return true;
    }
    return false;
}

static bool grants_globally(struct str line, struct str privilege)
{
    const char *on = memmem(line.ptr, line.len, " ON *.* TO ", 11);
    if (on == NULL || !str_starts(line, STR("GRANT ")))
        return false;
    struct str list = { line.ptr + 6, (size_t)(on - line.ptr) - 6 };
    return list_has(list, privilege) || list_has(list, STR("ALL PRIVILEGES")) ||
           list_has(list, STR("ALL"));
}

bool check_has_grant(const struct check_facts *f, const char *privilege)
{
    for (size_t i = 0; i < f->grants.row_count; i++)
        if (grants_globally(f->grants.cells[i], str_of(privilege)))
            return true;
    return false;
}

static int read_account(struct check_facts *f, struct error *err)
{
    struct str name;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 4096);
    if (session_query_text(f->session, f->arena, STR("SELECT CURRENT_USER()"), &name,
                           err) != 0 ||
        session_query(f->session, f->arena, STR("SHOW GRANTS"), &f->grants, err) != 0)
        return error_wrap(err, "reading the account's grants");
    size_t at = name.len;
    while (at > 0 && name.ptr[at - 1] != '@')
        at--;
    session_quote_literal(&b, (struct str){ name.ptr, at > 0 ? at - 1 : 0 });
    buf_add_char(&b, '@');
    session_quote_literal(&b, (struct str){ name.ptr + at, name.len - at });
    f->account = arena_str(f->arena, buf_str(&b));
    return 0;
}

struct str check_mend_grant(const struct check_facts *f, const char *privilege)
{
    return arena_printf(f->arena, "GRANT %s ON *.* TO " STR_FMT ";", privilege,
                        STR_ARG(f->account));
}

/* 0 and *denied, or -1. */
static int forgive_denial(int rc, bool *denied, struct error *err)
{
    *denied = false;
    if (rc == 0 || err->remote != NUMBER_DENIED)
        return rc;
    *denied = true;
    *err = (struct error){ 0 };
    return 0;
}

/* May we read the log? MySQL asks for the same privilege to list the replicas; MariaDB
 * for another one, and there the grants say it. */
static int read_slave_privilege(struct check_facts *f, struct error *err)
{
    const struct log_replica *replicas;
    size_t count;
    if (session_is_mariadb(f->session)) {
        f->no_slave = !check_has_grant(f, "REPLICATION SLAVE");
        return 0;
    }
    return forgive_denial(log_replicas_read(f->session, f->arena, &replicas, &count, err),
                          &f->no_slave, err);
}

/* ---- replicas ---- */

static int read_maria_replica(struct check_facts *f, struct error *err)
{
    struct session_result r;
    struct str position;
    if (session_query(f->session, f->arena,
                      STR("SHOW GLOBAL STATUS LIKE 'Slaves_running'"), &r, err) != 0 ||
        session_query_text(f->session, f->arena, STR("SELECT @@global.gtid_slave_pos"),
                           &position, err) != 0)
        return error_wrap(err, "asking whether the server is a replica");
    f->is_replica =
        position.len > 0 || (r.row_count == 1 && !str_eq(r.cells[1], STR("0")));
    return 0;
}

static int read_replica(struct check_facts *f, struct error *err)
{
    f->logs_replicated = check_setting_is(f, "log_replica_updates", "ON") ||
                         check_setting_is(f, "log_slave_updates", "ON");
    if (session_is_mariadb(f->session))
        return read_maria_replica(f, err);
    struct session_result r = { 0 };
    bool denied;
    int rc = session_query(f->session, f->arena, STR("SHOW REPLICA STATUS"), &r, err);
    if (rc != 0 && err->remote == NUMBER_SYNTAX) {
        *err = (struct error){ 0 };
        rc = session_query(f->session, f->arena, STR("SHOW SLAVE STATUS"), &r, err);
    }
    if (forgive_denial(rc, &denied, err) != 0)
        return error_wrap(err, "asking whether the server is a replica");
    f->is_replica = !denied && r.row_count > 0;
    return 0;
}

int check_facts_read(struct session *s, struct arena *a, struct check_facts *f,
                     struct error *err)
{
    if (check_retention_read(s, a, f, err) != 0 || read_account(f, err) != 0)
        return -1;
    f->log_on = check_setting_is(f, "log_bin", "ON");
    if (forgive_denial(log_status_read(s, a, &f->status, err), &f->no_client, err) != 0)
        return -1;
    if (read_slave_privilege(f, err) != 0)
        return error_wrap(err, "asking for the replicas");
    return read_replica(f, err);
}
