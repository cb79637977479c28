/* What was said about single tables and columns, which columns are known, and the end of
 * an integration. */
#include "state/state_internal.h"

static enum chosen chosen_of(int64_t number)
{
    return number == CHOSEN_YES ? CHOSEN_YES
                                : (number == CHOSEN_NO ? CHOSEN_NO : CHOSEN_BY_PATTERN);
}

static int list_streams(struct state *s, struct arena *a, struct str integration,
                        struct stream_setting **out, size_t *count, struct error *err)
{
    struct query q;
    size_t cap = 0;
    if (query_begin(
            &q, s,
            "SELECT db, tbl, chosen, options FROM stream_setting WHERE integration = ?1 "
            "ORDER BY db, tbl",
            err) != 0)
        return -1;
    query_text(&q, 1, integration);
    while (query_step(&q)) {
        *out = query_grow(a, *out, *count, &cap, sizeof **out);
        (*out)[(*count)++] =
            (struct stream_setting){ .database = query_column_text(&q, a, 0),
                                     .table = query_column_text(&q, a, 1),
                                     .chosen = chosen_of(query_column_int(&q, 2)),
                                     .options = query_column_text(&q, a, 3) };
    }
    return query_end(&q, err);
}

/* Both lists are in the same order, so one pass deals the columns out. */
static int list_columns(struct state *s, struct arena *a, struct str integration,
                        struct stream_setting *streams, size_t count, struct error *err)
{
    struct query q;
    struct column_setting *columns = NULL;
    size_t cap = 0, at = 0;
    if (query_begin(&q, s,
                    "SELECT db, tbl, col, chosen FROM column_setting "
                    "WHERE integration = ?1 ORDER BY db, tbl, col",
                    err) != 0)
        return -1;
    query_text(&q, 1, integration);
    while (query_step(&q)) {
        struct str database = query_column_text(&q, a, 0);
        struct str table = query_column_text(&q, a, 1);
        while (at < count && !(str_eq(streams[at].database, database) &&
                               str_eq(streams[at].table, table))) {
            at++;
            columns = NULL;
            cap = 0;
        }
        if (at == count)
            break;
        struct stream_setting *st = &streams[at];
        columns = query_grow(a, columns, st->column_count, &cap, sizeof *columns);
        columns[st->column_count++] =
            (struct column_setting){ .column = query_column_text(&q, a, 2),
                                     .chosen = chosen_of(query_column_int(&q, 3)) };
        st->columns = columns;
    }
    return query_end(&q, err);
}

int state_setting_list(struct state *s, struct arena *a, struct str integration,
                       struct stream_setting **out, size_t *count, struct error *err)
{
    *out = NULL;
    *count = 0;
    if (list_streams(s, a, integration, out, count, err) != 0)
        return -1;
    return list_columns(s, a, integration, *out, *count, err);
}

static int run_for(struct state *s, const char *sql, struct str integration,
                   struct error *err)
{
    struct query q;
    if (query_begin(&q, s, sql, err) != 0)
        return -1;
    query_text(&q, 1, integration);
    return query_run(&q, err);
}

static int insert_stream(struct state *s, struct str integration,
                         const struct stream_setting *st, struct error *err)
{
    struct query q;
    if (query_begin(&q, s, "INSERT INTO stream_setting VALUES (?1, ?2, ?3, ?4, ?5)",
                    err) != 0)
        return -1;
    query_text(&q, 1, integration);
    query_text(&q, 2, st->database);
    query_text(&q, 3, st->table);
    query_int(&q, 4, st->chosen);
    query_text(&q, 5, st->options);
    if (query_run(&q, err) != 0)
        return -1;
    for (size_t i = 0; i < st->column_count; i++) {
        if (query_begin(&q, s, "INSERT INTO column_setting VALUES (?1, ?2, ?3, ?4, ?5)",
                        err) != 0)
            return -1;
        query_text(&q, 1, integration);
        query_text(&q, 2, st->database);
        query_text(&q, 3, st->table);
        query_text(&q, 4, st->columns[i].column);
        query_int(&q, 5, st->columns[i].chosen);
        if (query_run(&q, err) != 0)
            return -1;
    }
    return 0;
}

static int replace_all(struct state *s, struct str integration,
                       const struct stream_setting *list, size_t count, struct error *err)
{
    if (run_for(s, "DELETE FROM stream_setting WHERE integration = ?1", integration,
                err) != 0 ||
        run_for(s, "DELETE FROM column_setting WHERE integration = ?1", integration,
                err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (insert_stream(s, integration, &list[i], err) != 0)
            return -1;
    return 0;
}

int state_setting_replace(struct state *s, struct str integration,
                          const struct stream_setting *list, size_t count,
                          struct error *err)
{
    if (state_batch_begin(s, err) != 0)
        return -1;
    return state_batch_finish(s, replace_all(s, integration, list, count, err), err);
}

/* --- columns that a table is known to have -------------------------------------------
 */

int state_known_list(struct state *s, struct arena *a, const struct stream_name *of,
                     struct known_column **out, size_t *count, struct error *err)
{
    struct query q;
    size_t cap = 0;
    *out = NULL;
    *count = 0;
    if (query_begin(&q, s,
                    "SELECT col, late FROM known_column WHERE integration = ?1 "
                    "AND db = ?2 AND tbl = ?3 ORDER BY col",
                    err) != 0)
        return -1;
    query_text(&q, 1, of->integration);
    query_text(&q, 2, of->database);
    query_text(&q, 3, of->table);
    while (query_step(&q)) {
        *out = query_grow(a, *out, *count, &cap, sizeof **out);
        (*out)[(*count)++] =
            (struct known_column){ .column = query_column_text(&q, a, 0),
                                   .late = query_column_int(&q, 1) != 0 };
    }
    return query_end(&q, err);
}

int state_known_save(struct state *s, const struct stream_name *of,
                     const struct known_column *column, struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "INSERT OR REPLACE INTO known_column VALUES (?1, ?2, ?3, ?4, ?5)",
                    err) != 0)
        return -1;
    query_text(&q, 1, of->integration);
    query_text(&q, 2, of->database);
    query_text(&q, 3, of->table);
    query_text(&q, 4, column->column);
    query_int(&q, 5, column->late ? 1 : 0);
    return query_run(&q, err);
}

/* --- the end of an integration -------------------------------------------------------
 */

static int remove_all(struct state *s, struct str integration, struct error *err)
{
    static const char *const DELETES[] = {
        "DELETE FROM log WHERE job IN (SELECT id FROM job WHERE integration = ?1)",
        "DELETE FROM report WHERE job IN (SELECT id FROM job WHERE integration = ?1)",
        "DELETE FROM job WHERE integration = ?1",
        "DELETE FROM shape WHERE integration = ?1",
        "DELETE FROM given_name WHERE integration = ?1",
        "DELETE FROM promotion WHERE integration = ?1",
        "DELETE FROM copy_version WHERE integration = ?1",
        "DELETE FROM stream_setting WHERE integration = ?1",
        "DELETE FROM column_setting WHERE integration = ?1",
        "DELETE FROM known_column WHERE integration = ?1",
        "DELETE FROM followed_shape WHERE integration = ?1",
        "DELETE FROM followed_place WHERE integration = ?1",
        "DELETE FROM trouble WHERE integration = ?1",
        "DELETE FROM inexact WHERE integration = ?1",
        "DELETE FROM integration WHERE name = ?1",
    };
    for (size_t i = 0; i < sizeof DELETES / sizeof *DELETES; i++)
        if (run_for(s, DELETES[i], integration, err) != 0)
            return -1;
    return 0;
}

int state_integration_remove(struct state *s, struct str integration, struct error *err)
{
    if (state_batch_begin(s, err) != 0)
        return -1;
    return state_batch_finish(s, remove_all(s, integration, err), err);
}
