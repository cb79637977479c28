/* Tables that cannot be followed, or whose copies are not what the source is. */
#include "state/state_internal.h"

static void bind_stream(struct query *q, const struct stream_name *of)
{
    query_text(q, 1, of->integration);
    query_text(q, 2, of->database);
    query_text(q, 3, of->table);
}

static enum trouble_state state_of(int64_t number)
{
    return number == TROUBLE_PARKED    ? TROUBLE_PARKED
           : number == TROUBLE_RESUMED ? TROUBLE_RESUMED
                                       : TROUBLE_COUNTED;
}

int state_trouble_list(struct state *s, struct arena *a, struct str integration,
                       struct stream_trouble **out, size_t *count, struct error *err)
{
    struct query q;
    size_t cap = 0;
    *out = NULL;
    *count = 0;
    if (query_begin(&q, s,
                    "SELECT db, tbl, state, failures, why, at FROM trouble WHERE "
                    "integration = ?1 ORDER BY db, tbl",
                    err) != 0)
        return -1;
    query_text(&q, 1, integration);
    while (query_step(&q)) {
        *out = query_grow(a, *out, *count, &cap, sizeof **out);
        (*out)[(*count)++] =
            (struct stream_trouble){ .database = query_column_text(&q, a, 0),
                                     .table = query_column_text(&q, a, 1),
                                     .state = state_of(query_column_int(&q, 2)),
                                     .failures = (unsigned)query_column_int(&q, 3),
                                     .why = query_column_text(&q, a, 4),
                                     .at = query_column_int(&q, 5) };
    }
    return query_end(&q, err);
}

int state_trouble_save(struct state *s, struct str integration,
                       const struct stream_trouble *t, struct error *err)
{
    struct query q;
    struct stream_name of = { integration, t->database, t->table };
    if (query_begin(&q, s,
                    "INSERT OR REPLACE INTO trouble VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    err) != 0)
        return -1;
    bind_stream(&q, &of);
    query_int(&q, 4, t->state);
    query_int(&q, 5, (int64_t)t->failures);
    query_text(&q, 6, t->why);
    query_int(&q, 7, t->at);
    return query_run(&q, err);
}

int state_trouble_forget(struct state *s, const struct stream_name *of, struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "DELETE FROM trouble WHERE integration = ?1 AND "
                    "(?3 = '' OR (db = ?2 AND tbl = ?3))",
                    err) != 0)
        return -1;
    bind_stream(&q, of);
    return query_run(&q, err);
}

int state_trouble_resumed(struct state *s, struct str integration, bool *out,
                          struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "SELECT 1 FROM trouble WHERE integration = ?1 AND state = ?2 LIMIT 1",
                    err) != 0)
        return -1;
    query_text(&q, 1, integration);
    query_int(&q, 2, TROUBLE_RESUMED);
    *out = query_step(&q);
    return query_end(&q, err);
}

int state_inexact_list(struct state *s, struct arena *a, struct str integration,
                       struct stream_inexact **out, size_t *count, struct error *err)
{
    struct query q;
    size_t cap = 0;
    *out = NULL;
    *count = 0;
    if (query_begin(&q, s,
                    "SELECT db, tbl, version, what, at FROM inexact WHERE integration = "
                    "?1 ORDER BY db, tbl",
                    err) != 0)
        return -1;
    query_text(&q, 1, integration);
    while (query_step(&q)) {
        *out = query_grow(a, *out, *count, &cap, sizeof **out);
        (*out)[(*count)++] =
            (struct stream_inexact){ .database = query_column_text(&q, a, 0),
                                     .table = query_column_text(&q, a, 1),
                                     .version = (uint64_t)query_column_int(&q, 2),
                                     .what = query_column_text(&q, a, 3),
                                     .at = query_column_int(&q, 4) };
    }
    return query_end(&q, err);
}

int state_inexact_save(struct state *s, struct str integration,
                       const struct stream_inexact *i, struct error *err)
{
    struct query q;
    struct stream_name of = { integration, i->database, i->table };
    if (query_begin(&q, s,
                    "INSERT OR REPLACE INTO inexact VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    err) != 0)
        return -1;
    bind_stream(&q, &of);
    query_int(&q, 4, (int64_t)i->version);
    query_text(&q, 5, i->what);
    query_int(&q, 6, i->at);
    return query_run(&q, err);
}

int state_inexact_forget(struct state *s, const struct stream_name *of, struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "DELETE FROM inexact WHERE integration = ?1 AND db = ?2 AND tbl = ?3",
                    err) != 0)
        return -1;
    bind_stream(&q, of);
    return query_run(&q, err);
}
