/* src/source/check_internal.h
 *
 * What the parts of a check share: everything that was asked of the server.
 */
#ifndef SOURCE_CHECK_INTERNAL_H
#define SOURCE_CHECK_INTERNAL_H

#include "mysql/log_status.h"
#include "source/check.h"

struct check_facts {
    struct session *session;        /* borrowed */
    struct arena *arena;            /* borrowed */
    struct session_result settings; /* name, value */
    struct session_result grants;   /* SHOW GRANTS: of the account and its active roles */
    struct log_status status;
    bool log_on;
    bool no_client; /* REPLICATION CLIENT, BINLOG MONITOR is missing */
    bool no_slave;  /* REPLICATION SLAVE is missing */
    bool is_replica, logs_replicated;
    bool rds_retention; /* retention_s is what mysql.rds_configuration says */
    int64_t retention_s;
    struct str account; /* 'user'@'host' */
    struct log_ability ability;
};

/* All but ability. */
int check_facts_read(struct session *s, struct arena *a, struct check_facts *f,
                     struct error *err);

/* The value of a setting; ptr NULL where the server has none of this name. */
struct str check_setting(const struct check_facts *f, const char *name);
bool check_setting_is(const struct check_facts *f, const char *name, const char *value);

/* A privilege ON *.*, or all of them. */
bool check_has_grant(const struct check_facts *f, const char *privilege);

/* Only the settings and what they say of retention. */
int check_retention_read(struct session *s, struct arena *a, struct check_facts *f,
                         struct error *err);

/* The log has no rows of this database (binlog-do-db, binlog-ignore-db). */
bool check_is_filtered(const struct log_ability *o, struct str database);

/* ability->cascades. */
int check_cascades_read(struct session *s, struct arena *a,
                        const struct check_scope *scope, struct log_ability *ability,
                        struct error *err);

int check_ability_read(struct check_facts *f, const struct check_scope *scope,
                       struct error *err);

/* How to set this, at this kind of server. */
struct str check_mend_setting(const struct check_facts *f, const char *name,
                              const char *value, bool needs_restart);

/* "GRANT privilege ON *.* TO account;" */
struct str check_mend_grant(const struct check_facts *f, const char *privilege);

#endif
