/* What the log of a server can give, for a table, for a position. See check.h. */
#include "base/alloc.h"
#include "base/clock.h"
#include "mysql/gtid.h"
#include "source/check_internal.h"
#include "source/handover.h"

#include <stdlib.h>

#define US INT64_C(1000000)

/* ---- the server ---- */

static void refuse(struct check_facts *f, struct str why, struct str mend)
{
    if (!f->ability.possible)
        return;
    f->ability.possible = false;
    f->ability.why = why;
    f->ability.mend = mend;
}

static struct str old_or(struct str value)
{
    return value.ptr == NULL ? STR("unknown to this server") : value;
}

static void judge_settings(struct check_facts *f)
{
    if (!f->log_on)
        refuse(f, STR("The server writes no binary log (log_bin is OFF)."),
               f->ability.rds
                   ? STR("Aurora: set binlog_format = ROW in the cluster's parameter "
                         "group and reboot the writer. RDS: turn automated backups on.")
                   : check_mend_setting(f, "log_bin", "ON", true));
    if (check_setting_is(f, "server_id", "0"))
        refuse(f, STR("server_id is 0: the server hands its log to nobody."),
               check_mend_setting(f, "server_id", "1", true));
    if (!check_setting_is(f, "binlog_format", "ROW"))
        refuse(f,
               arena_printf(f->arena,
                            "binlog_format is " STR_FMT
                            ": the log has statements, not the rows they change.",
                            STR_ARG(old_or(check_setting(f, "binlog_format")))),
               check_mend_setting(f, "binlog_format", "ROW", false));
    if (check_setting(f, "binlog_row_image").ptr == NULL)
        refuse(f,
               STR("The server does not know binlog_row_image: it is older than MySQL "
                   "5.6.2 and MariaDB 10.1.6."),
               STR("Upgrade the server, or read tables by key or in full."));
}

static void judge_place(struct check_facts *f)
{
    if (check_setting_is(f, "innodb_read_only", "ON"))
        refuse(
            f,
            f->ability.aurora
                ? STR("This is a reader of an Aurora cluster, and only the writer has a "
                      "binary log.")
                : STR("The server is read-only as a whole (innodb_read_only), so it "
                      "writes no log."),
            f->ability.aurora ? STR("Use the cluster's writer endpoint as the source.")
                              : STR("Use the server that is written to as the source."));
    if (f->is_replica && !f->logs_replicated)
        refuse(f,
               STR("The server is a replica and does not write what it replicates into "
                   "its own log (log_replica_updates, log_slave_updates is OFF)."),
               check_mend_setting(f,
                                  check_setting(f, "log_replica_updates").ptr != NULL
                                      ? "log_replica_updates"
                                      : "log_slave_updates",
                                  "ON", true));
}

static void judge_privileges(struct check_facts *f)
{
    if (f->no_slave)
        refuse(f, STR("The account may not read the log: it has no REPLICATION SLAVE."),
               check_mend_grant(f, "REPLICATION SLAVE"));
    if (f->no_client)
        refuse(f,
               STR("The account may not ask for the log's end: it has no REPLICATION "
                   "CLIENT (MariaDB: BINLOG MONITOR)."),
               check_mend_grant(f, session_is_mariadb(f->session) &&
                                           session_facts(f->session)->version >= 100500
                                       ? "BINLOG MONITOR"
                                       : "REPLICATION CLIENT"));
}

int check_ability_read(struct check_facts *f, const struct check_scope *scope,
                       struct error *err)
{
    struct log_ability *o = &f->ability;
    o->possible = true;
    o->family = session_facts(f->session)->family;
    o->gtid = session_is_mariadb(f->session) || check_setting_is(f, "gtid_mode", "ON");
    o->names_in_map = check_setting_is(f, "binlog_row_metadata", "FULL");
    o->full_images = check_setting_is(f, "binlog_row_image", "FULL");
    o->cascades_logged = check_setting_is(f, "innodb_native_foreign_keys", "OFF");
    o->retention_s = f->retention_s;
    o->do_databases = f->status.do_databases;
    o->ignored_databases = f->status.ignored_databases;
    judge_settings(f);
    judge_place(f);
    judge_privileges(f);
    return check_cascades_read(f->session, f->arena, scope, o, err);
}

int check_log_based(struct session *s, struct arena *a, const struct check_scope *scope,
                    struct log_ability *out, struct error *err)
{
    struct check_facts f;
    if (check_facts_read(s, a, &f, err) != 0 || check_ability_read(&f, scope, err) != 0)
        return -1;
    *out = f.ability;
    return 0;
}

/* ---- a table ---- */

static bool names_database(struct str list, struct str name)
{
    while (list.len > 0)
        if (str_eq(str_trim(str_cut(list, ',', &list)), name))
            return true;
    return false;
}

bool check_is_filtered(const struct log_ability *o, struct str database)
{
    if (o->do_databases.len > 0)
        return !names_database(o->do_databases, database);
    return names_database(o->ignored_databases, database);
}

/* MEMORY loses its rows at a restart without a word; BLACKHOLE, FEDERATED, MRG_MyISAM,
 * SPIDER and CONNECT have none of their own. */
static bool engine_logs_its_rows(const struct catalog_table *t)
{
    static const char *const engines[] = { "InnoDB", "MyISAM",  "Aria", "ROCKSDB",
                                           "TokuDB", "ARCHIVE", "CSV",  "ndbcluster" };
    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++)
        if (str_ieq(t->engine, str_of(engines[i])))
            return true;
    return t->transactional;
}

static bool is_child(const struct check_cascade *c, const struct table_schema *t)
{
    return str_eq(c->database, t->database) && str_eq(c->table, t->name);
}

/* The first one of the table. */
static size_t first_cascade(const struct log_ability *o, const struct table_schema *t)
{
    size_t low = 0;
    size_t high = o->cascade_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct check_cascade *c = &o->cascades[middle];
        int by = str_cmp(c->database, t->database);
        by = by != 0 ? by : str_cmp(c->table, t->name);
        if (by < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Of the first that cannot be derived. */
static struct str cascade_why(struct arena *a, const struct catalog_table *t,
                              const struct log_ability *o)
{
    for (size_t i = first_cascade(o, &t->schema);
         i < o->cascade_count && is_child(&o->cascades[i], &t->schema); i++) {
        const struct check_cascade *c = &o->cascades[i];
        if (c->derived)
            continue;
        return arena_printf(
            a,
            "Foreign key '" STR_FMT "' to '" STR_FMT "' (" STR_FMT
            ") changes its rows, and the server does not log that.%s" STR_FMT,
            STR_ARG(c->name), STR_ARG(c->parent), STR_ARG(c->action),
            c->why.len > 0 ? " " : "", STR_ARG(c->why));
    }
    return (struct str){ 0 };
}

struct str check_table_log(struct arena *a, const struct catalog_table *t,
                           const struct log_ability *o)
{
    if (!o->possible)
        return o->why;
    if (t->kind == TABLE_VIEW)
        return STR("It is a view, and the log has rows of tables only.");
    if (t->why.len > 0 || !t->readable)
        return t->why;
    if (t->system_versioned)
        return STR("It is system-versioned: the log mixes its history into its rows.");
    if (!engine_logs_its_rows(t))
        return arena_printf(a,
                            "Engine " STR_FMT " does not log what becomes of its rows.",
                            STR_ARG(t->engine));
    if (check_is_filtered(o, t->schema.database))
        return arena_printf(a,
                            "The server leaves database '" STR_FMT
                            "' out of its log (binlog-do-db, binlog-ignore-db).",
                            STR_ARG(t->schema.database));
    struct str why = cascade_why(a, t, o);
    if (why.len > 0)
        return why;
    if (t->key == KEY_NONE && !o->full_images)
        return STR("It has no key, and without binlog_row_image = FULL the log does not "
                   "say which rows change.");
    return (struct str){ 0 };
}

/* ---- a position ---- */

static int find_purged(struct session *s, struct arena *a, const struct log_position *p,
                       bool *present, struct error *err)
{
    struct str text;
    struct gtid_set purged = { 0 };
    struct gtid_set have = { 0 };
    *present = true;
    if (session_is_mariadb(s))
        return 0;
    int rc = log_purged_read(s, a, &text, err);
    if (rc == 0)
        rc = gtid_set_parse(text, &purged, err);
    if (rc == 0)
        rc = gtid_set_parse(p->gtid, &have, err);
    if (rc == 0)
        *present = gtid_set_is_subset(&purged, &have);
    gtid_set_done(&purged);
    gtid_set_done(&have);
    return rc;
}

static void find_file(const struct log_file *files, size_t count,
                      const struct log_position *p, struct log_headroom *out)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(files[i].name, p->file) && p->offset <= files[i].size) {
            out->present = true;
            out->bytes = files[i].size - p->offset;
            out->files = 1;
        } else if (out->present) {
            out->bytes += files[i].size;
            out->files++;
        }
    }
}

static int64_t time_left(const struct log_headroom *h, int64_t retention_s,
                         int64_t last_at)
{
    if (!h->present)
        return 0;
    if (retention_s == CHECK_RETENTION_UNKNOWN || retention_s == CHECK_RETENTION_ENDLESS)
        return retention_s;
    if (h->files == 1 && h->bytes == 0)
        return retention_s * US;
    if (last_at == 0)
        return CHECK_RETENTION_UNKNOWN;
    int64_t left = last_at + retention_s * US - clock_wall_us();
    return left < 0 ? 0 : left;
}

int check_log_headroom(struct session *s, struct arena *a, const struct log_position *p,
                       struct log_headroom *out, struct error *err)
{
    const struct log_file *files;
    size_t count;
    struct check_facts f;
    *out = (struct log_headroom){ 0 };
    if (log_files_read(s, a, &files, &count, err) != 0 ||
        check_retention_read(s, a, &f, err) != 0)
        return -1;
    if (count > 0)
        out->oldest = files[0].name;
    if (p->file.len > 0)
        find_file(files, count, p, out);
    else if (find_purged(s, a, p, &out->present, err) != 0)
        return -1;
    out->us = time_left(out, f.retention_s, p->last_at);
    return 0;
}
