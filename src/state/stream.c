/* Integrations and what was given to their streams: shapes, names, promotions, versions.
 */
#include "state/state_internal.h"

static void read_integration(struct query *q, struct arena *a, struct integration *out)
{
    *out = (struct integration){ .name = query_column_text(q, a, 0),
                                 .source = query_column_text(q, a, 1),
                                 .destination = query_column_text(q, a, 2),
                                 .target_schema = query_column_text(q, a, 3),
                                 .options = query_column_text(q, a, 4),
                                 .created_at = query_column_int(q, 5) };
}

#define INTEGRATION_COLUMNS \
    "name, source, destination, target_schema, options, created_at"

int state_integration_find(struct state *s, struct arena *a, struct str name,
                           struct integration *out, struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "SELECT " INTEGRATION_COLUMNS " FROM integration WHERE name = ?1",
                    err) != 0)
        return -1;
    query_text(&q, 1, name);
    bool found = query_step(&q);
    if (found)
        read_integration(&q, a, out);
    return query_end(&q, err) != 0 ? -1 : (found ? 1 : 0);
}

int state_integration_save(struct state *s, const struct integration *i,
                           struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "INSERT INTO integration (" INTEGRATION_COLUMNS ") "
                    "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO UPDATE SET "
                    "source = ?2, destination = ?3, options = ?5",
                    err) != 0)
        return -1;
    query_text(&q, 1, i->name);
    query_text(&q, 2, i->source);
    query_text(&q, 3, i->destination);
    query_text(&q, 4, i->target_schema);
    query_text(&q, 5, i->options);
    query_int(&q, 6, i->created_at);
    return query_run(&q, err);
}

int state_integration_list(struct state *s, struct arena *a, struct integration **out,
                           size_t *count, struct error *err)
{
    struct query q;
    size_t cap = 0;
    *out = NULL;
    *count = 0;
    if (query_begin(&q, s,
                    "SELECT " INTEGRATION_COLUMNS " FROM integration ORDER BY name",
                    err) != 0)
        return -1;
    while (query_step(&q)) {
        *out = query_grow(a, *out, *count, &cap, sizeof **out);
        read_integration(&q, a, &(*out)[(*count)++]);
    }
    return query_end(&q, err);
}

/* --- shapes
 * ------------------------------------------------------------------------------- */

static void bind_stream(struct query *q, const struct stream_name *of)
{
    query_text(q, 1, of->integration);
    query_text(q, 2, of->database);
    query_text(q, 3, of->table);
}

int state_shape_save(struct state *s, struct str integration,
                     const struct stream_shape *sh, struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "INSERT OR IGNORE INTO shape (integration, db, tbl, version, hash, "
                    "schema_json, seen_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    err) != 0)
        return -1;
    bind_stream(&q, &(struct stream_name){ integration, sh->database, sh->table });
    query_int(&q, 4, sh->version);
    query_int(&q, 5, (int64_t)sh->hash);
    query_text(&q, 6, sh->schema_json);
    query_int(&q, 7, sh->seen_at);
    return query_run(&q, err);
}

int state_shape_list(struct state *s, struct arena *a, const struct stream_name *of,
                     struct stream_shape **out, size_t *count, struct error *err)
{
    struct query q;
    size_t cap = 0;
    *out = NULL;
    *count = 0;
    if (query_begin(&q, s,
                    "SELECT version, hash, schema_json, seen_at, db FROM shape WHERE "
                    "integration = ?1 AND ?2 IN ('', db) AND tbl = ?3 "
                    "ORDER BY db, version",
                    err) != 0)
        return -1;
    bind_stream(&q, of);
    while (query_step(&q)) {
        *out = query_grow(a, *out, *count, &cap, sizeof **out);
        (*out)[(*count)++] =
            (struct stream_shape){ .database = query_column_text(&q, a, 4),
                                   .table = of->table,
                                   .version = (uint32_t)query_column_int(&q, 0),
                                   .hash = (uint64_t)query_column_int(&q, 1),
                                   .schema_json = query_column_text(&q, a, 2),
                                   .seen_at = query_column_int(&q, 3) };
    }
    return query_end(&q, err);
}

/* --- names
 * -------------------------------------------------------------------------------- */

int state_name_find(struct state *s, struct arena *a, const struct stream_name *of,
                    struct str column, struct str *out, struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "SELECT name FROM given_name WHERE integration = ?1 AND db = ?2 AND "
                    "tbl = ?3 AND col = ?4",
                    err) != 0)
        return -1;
    bind_stream(&q, of);
    query_text(&q, 4, column);
    bool found = query_step(&q);
    if (found)
        *out = query_column_text(&q, a, 0);
    return query_end(&q, err) != 0 ? -1 : (found ? 1 : 0);
}

int state_name_list(struct state *s, struct arena *a, const struct stream_name *of,
                    struct given_name **out, size_t *count, struct error *err)
{
    struct query q;
    size_t cap = 0;
    *out = NULL;
    *count = 0;
    const char *sql = of->table.len == 0
                          ? "SELECT db, tbl, col, name FROM given_name WHERE "
                            "integration = ?1 AND col = '' ORDER BY db, tbl"
                          : "SELECT db, tbl, col, name FROM given_name WHERE "
                            "integration = ?1 AND db = ?2 AND tbl = ?3 AND col <> '' "
                            "ORDER BY col";
    if (query_begin(&q, s, sql, err) != 0)
        return -1;
    if (of->table.len == 0)
        query_text(&q, 1, of->integration);
    else
        bind_stream(&q, of);
    while (query_step(&q)) {
        *out = query_grow(a, *out, *count, &cap, sizeof **out);
        (*out)[(*count)++] = (struct given_name){ .database = query_column_text(&q, a, 0),
                                                  .table = query_column_text(&q, a, 1),
                                                  .column = query_column_text(&q, a, 2),
                                                  .name = query_column_text(&q, a, 3) };
    }
    return query_end(&q, err);
}

int state_name_save(struct state *s, const struct stream_name *of, struct str column,
                    struct str name, struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "INSERT OR IGNORE INTO given_name (integration, db, tbl, col, name) "
                    "VALUES (?1, ?2, ?3, ?4, ?5)",
                    err) != 0)
        return -1;
    bind_stream(&q, of);
    query_text(&q, 4, column);
    query_text(&q, 5, name);
    return query_run(&q, err);
}

/* --- promotions
 * --------------------------------------------------------------------------- */

int state_promotion_save(struct state *s, const struct stream_name *of, struct str column,
                         struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "INSERT OR IGNORE INTO promotion (integration, db, tbl, col) "
                    "VALUES (?1, ?2, ?3, ?4)",
                    err) != 0)
        return -1;
    bind_stream(&q, of);
    query_text(&q, 4, column);
    return query_run(&q, err);
}

int state_promotion_find(struct state *s, const struct stream_name *of, struct str column,
                         bool *out, struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "SELECT 1 FROM promotion WHERE integration = ?1 AND db = ?2 AND "
                    "tbl = ?3 AND col = ?4",
                    err) != 0)
        return -1;
    bind_stream(&q, of);
    query_text(&q, 4, column);
    bool found = query_step(&q);
    if (query_end(&q, err) != 0)
        return -1;
    *out = found;
    return 0;
}

/* --- versions
 * ----------------------------------------------------------------------------- */

static int version_get(struct state *s, const char *sql, const struct stream_name *of,
                       uint64_t *out, struct error *err)
{
    struct query q;
    if (query_begin(&q, s, sql, err) != 0)
        return -1;
    bind_stream(&q, of);
    uint64_t version = query_step(&q) ? (uint64_t)query_column_int(&q, 0) : 0;
    if (query_end(&q, err) != 0)
        return -1;
    *out = version;
    return 0;
}

int state_version_get(struct state *s, const struct stream_name *of, uint64_t *out,
                      struct error *err)
{
    return version_get(s,
                       "SELECT max(version, since) FROM copy_version WHERE "
                       "integration = ?1 AND db = ?2 AND tbl = ?3",
                       of, out, err);
}

int state_version_handed_out(struct state *s, const struct stream_name *of, uint64_t *out,
                             struct error *err)
{
    return version_get(s,
                       "SELECT version FROM copy_version WHERE integration = ?1 AND "
                       "db = ?2 AND tbl = ?3",
                       of, out, err);
}

int state_version_set(struct state *s, const struct stream_name *of, uint64_t version,
                      struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "INSERT OR REPLACE INTO copy_version (integration, db, tbl, version) "
                    "VALUES (?1, ?2, ?3, ?4)",
                    err) != 0)
        return -1;
    bind_stream(&q, of);
    query_int(&q, 4, (int64_t)version);
    return query_run(&q, err);
}

int state_source_changed(struct state *s, struct str integration, struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "UPDATE copy_version SET since = max(version, since) + 1 WHERE "
                    "integration = ?1",
                    err) != 0)
        return -1;
    query_text(&q, 1, integration);
    return query_run(&q, err);
}

/* --- followed tables
 * ---------------------------------------------------------------------- */

int state_followed_save(struct state *s, const struct stream_name *of, struct str columns,
                        struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "INSERT OR REPLACE INTO followed_shape VALUES (?1, ?2, ?3, ?4)",
                    err) != 0)
        return -1;
    bind_stream(&q, of);
    query_text(&q, 4, columns);
    return query_run(&q, err);
}

int state_followed_find(struct state *s, struct arena *a, const struct stream_name *of,
                        struct str *columns, struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "SELECT columns FROM followed_shape WHERE integration = ?1 AND "
                    "db = ?2 AND tbl = ?3",
                    err) != 0)
        return -1;
    bind_stream(&q, of);
    bool found = query_step(&q);
    if (found)
        *columns = query_column_text(&q, a, 0);
    return query_end(&q, err) != 0 ? -1 : (found ? 1 : 0);
}

int state_since_save(struct state *s, const struct stream_name *of, uint64_t version,
                     struct str place, struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "INSERT OR REPLACE INTO followed_since VALUES (?1, ?2, ?3, ?4, ?5)",
                    err) != 0)
        return -1;
    bind_stream(&q, of);
    query_int(&q, 4, (int64_t)version);
    query_text(&q, 5, place);
    return query_run(&q, err);
}

int state_since_find(struct state *s, struct arena *a, const struct stream_name *of,
                     uint64_t *version, struct str *place, struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "SELECT version, place FROM followed_since WHERE integration = ?1 "
                    "AND db = ?2 AND tbl = ?3",
                    err) != 0)
        return -1;
    bind_stream(&q, of);
    bool found = query_step(&q);
    if (found) {
        *version = (uint64_t)query_column_int(&q, 0);
        *place = query_column_text(&q, a, 1);
    }
    return query_end(&q, err) != 0 ? -1 : (found ? 1 : 0);
}

int state_place_save(struct state *s, struct str integration,
                     const struct followed_place *p, struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "INSERT OR REPLACE INTO followed_place VALUES (?1, ?2, ?3, ?4, ?5)",
                    err) != 0)
        return -1;
    query_text(&q, 1, integration);
    query_text(&q, 2, p->position);
    query_int(&q, 3, p->seen_at);
    query_int(&q, 4, p->headroom_us);
    query_int(&q, 5, p->fresh_to);
    return query_run(&q, err);
}

int state_place_find(struct state *s, struct arena *a, struct str integration,
                     struct followed_place *out, struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "SELECT position, seen_at, headroom, fresh_to FROM followed_place "
                    "WHERE integration = ?1",
                    err) != 0)
        return -1;
    query_text(&q, 1, integration);
    bool found = query_step(&q);
    if (found)
        *out = (struct followed_place){ .position = query_column_text(&q, a, 0),
                                        .seen_at = query_column_int(&q, 1),
                                        .headroom_us = query_column_int(&q, 2),
                                        .fresh_to = query_column_int(&q, 3) };
    return query_end(&q, err) != 0 ? -1 : (found ? 1 : 0);
}

int state_stream_forget(struct state *s, const struct stream_name *of, struct error *err)
{
    static const char *const DELETES[] = {
        "DELETE FROM shape WHERE integration = ?1 AND (?3 = '' OR (db = ?2 AND tbl = "
        "?3))",
        "DELETE FROM given_name WHERE integration = ?1 AND "
        "(?3 = '' OR (db = ?2 AND tbl = ?3))",
        "DELETE FROM promotion WHERE integration = ?1 AND "
        "(?3 = '' OR (db = ?2 AND tbl = ?3))",
        "DELETE FROM copy_version WHERE integration = ?1 AND "
        "(?3 = '' OR (db = ?2 AND tbl = ?3))",
        "DELETE FROM followed_shape WHERE integration = ?1 AND "
        "(?3 = '' OR (db = ?2 AND tbl = ?3))",
        "DELETE FROM followed_since WHERE integration = ?1 AND "
        "(?3 = '' OR (db = ?2 AND tbl = ?3))",
        "DELETE FROM followed_place WHERE integration = ?1 AND ?3 = '' AND ?2 = ''",
        "DELETE FROM trouble WHERE integration = ?1 AND "
        "(?3 = '' OR (db = ?2 AND tbl = ?3))",
        "DELETE FROM inexact WHERE integration = ?1 AND "
        "(?3 = '' OR (db = ?2 AND tbl = ?3))",
    };
    if (state_batch_begin(s, err) != 0)
        return -1;
    int rc = 0;
    for (size_t i = 0; i < sizeof DELETES / sizeof *DELETES && rc == 0; i++) {
        struct query q;
        rc = query_begin(&q, s, DELETES[i], err);
        if (rc != 0)
            break;
        bind_stream(&q, of);
        rc = query_run(&q, err);
    }
    struct error late = { 0 };
    return state_batch_end(s, rc == 0 ? err : &late) == 0 ? rc : -1;
}
