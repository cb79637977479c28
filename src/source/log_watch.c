/* The tables that are watched. */
#include "base/alloc.h"
#include "source/log_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define WATCHES_MOST (1u << 20)
#define WATCH_BYTES ((size_t)64 << 20)
#define KEY_BYTES 1024u /* two names of 64 characters, and room */
#define WHY_BYTES 512
#define FILL_BYTES ((size_t)8 << 20)

/* Names as the log has them; without case where the server folds them. */
static struct str name_key(struct str database, struct str table, bool fold,
                           char out[KEY_BYTES])
{
    size_t n = 0;
    struct str parts[2] = { database, table };
    for (int p = 0; p < 2; p++) {
        for (size_t i = 0; i < parts[p].len && n < KEY_BYTES - 1; i++) {
            char c = parts[p].ptr[i];
            out[n++] = fold && c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
        }
        if (p == 0)
            out[n++] = '\0';
    }
    return (struct str){ out, n };
}

static bool folds(const struct log_reader *r)
{
    return r->feed->type->server(r->feed)->fold_names;
}

bool log_watch_counts(const struct log_reader *r, const struct log_watch *w)
{
    return w->live && w->since <= r->group.number;
}

struct log_watch *log_watch_find(const struct log_reader *r, struct str database,
                                 struct str table)
{
    char key[KEY_BYTES];
    struct log_watch *w = map_find(r->names, name_key(database, table, folds(r), key));
    return w != NULL && log_watch_counts(r, w) ? w : NULL;
}

struct log_watch *log_watch_of(const struct log_reader *r, uint32_t number,
                               uint64_t generation)
{
    struct log_watch *w = number < r->watch_cap ? r->watches[number] : NULL;
    return w != NULL && w->generation == generation && log_watch_counts(r, w) ? w : NULL;
}

/* Rows that are being read lose their shape. */
static void stop_rows(struct log_rows *s, const struct log_watch *w)
{
    if (s->active && s->bound->number == w->number)
        s->active = false;
}

static void drop(struct log_reader *r, struct log_watch *w)
{
    char key[KEY_BYTES];
    const struct table_schema *s = &w->found->schema;
    struct str name = name_key(s->database, s->name, folds(r), key);
    if (map_find(r->names, name) == w)
        (void)map_put(r->names, name, NULL);
    stop_rows(&r->rows, w);
    stop_rows(&r->replay.rows, w);
    r->watches[w->number] = NULL;
    arena_free(w->arena); /* holds w */
}

static void select_key(struct table_schema *s)
{
    struct column *columns = (struct column *)(uintptr_t)s->columns; /* of our copy */
    for (unsigned i = 0; i < s->column_count; i++)
        if (columns[i].key_ordinal != 0 && columns[i].type != TYPE_UNSUPPORTED)
            columns[i].selected = true;
}

static struct log_watch *copy_watch(struct log_reader *r, uint32_t number,
                                    const struct catalog_table *found)
{
    struct arena *a = arena_new(WATCH_BYTES);
    struct log_watch *w = ARENA_NEW(a, struct log_watch);
    struct catalog_table *t = ARENA_NEW(a, struct catalog_table);
    *t = *found;
    t->schema = *schema_copy(a, &found->schema);
    t->key_name = arena_str(a, found->key_name);
    t->engine = arena_str(a, found->engine);
    t->comment = (struct str){ 0 };
    t->why = (struct str){ 0 };
    t->indexes = NULL;
    t->index_count = 0;
    select_key(&t->schema);
    w->arena = a;
    w->found = t;
    w->number = number;
    w->generation = ++r->generations;
    w->live = true;
    return w;
}

static void put(struct log_reader *r, struct log_watch *w)
{
    char key[KEY_BYTES];
    const struct table_schema *s = &w->found->schema;
    (void)map_put(r->names, name_key(s->database, s->name, folds(r), key), w);
    r->watches[w->number] = w;
    if (s->column_count > r->cell_count) {
        r->cell_count = s->column_count;
        r->before = xreallocarray(r->before, r->cell_count, sizeof *r->before);
        r->after = xreallocarray(r->after, r->cell_count, sizeof *r->after);
    }
}

static const char *unfit(const struct catalog_table *t)
{
    if (t->kind != TABLE_BASE)
        return "views and sequences have no rows in the log";
    if (t->system_versioned)
        return "the log does not have the history of system-versioned tables row by row";
    if (str_ieq(t->engine, STR("BLACKHOLE")) || str_ieq(t->engine, STR("FEDERATED")) ||
        str_ieq(t->engine, STR("MRG_MyISAM")) || str_ieq(t->engine, STR("SPIDER")) ||
        str_ieq(t->engine, STR("CONNECT")))
        return "its engine keeps no rows of its own";
    return NULL;
}

/* What was learned of the same table stays known. */
static void keep_knowledge(const struct log_watch *was, struct log_watch *now)
{
    if (was == NULL || !str_eq(was->found->schema.name, now->found->schema.name) ||
        !str_eq(was->found->schema.database, now->found->schema.database))
        return;
    now->seen = was->seen;
    now->names = was->names;
    now->must_be_named = was->must_be_named && was->live;
}

int log_reader_watch(struct log_reader *r, uint32_t table,
                     const struct catalog_table *found, struct error *err)
{
    const char *why = unfit(found);
    if (why != NULL) {
        (void)error_set(err, ERR_SCHEMA,
                        "'" STR_FMT "." STR_FMT "' cannot be followed by the log: %s",
                        STR_ARG(found->schema.database), STR_ARG(found->schema.name),
                        why);
        err->hint = "Choose another replication method for this table.";
        return -1;
    }
    if (table >= WATCHES_MOST)
        return error_set(err, ERR_BUG, "a table with the number %u is watched", table);
    if (table >= r->watch_cap) {
        uint32_t more = table < 64 ? 64 : table * 2;
        r->watches = xreallocarray(r->watches, more, sizeof(struct log_watch *));
        for (; r->watch_cap < more; r->watch_cap++)
            r->watches[r->watch_cap] = NULL;
    }
    struct log_watch *w = copy_watch(r, table, found);
    keep_knowledge(r->watches[table], w);
    log_reader_unwatch(r, table);
    w->since = r->group.open ? r->group.number + 1 : r->group.number;
    put(r, w);
    return 0;
}

void log_reader_unwatch(struct log_reader *r, uint32_t table)
{
    if (table < r->watch_cap && r->watches[table] != NULL)
        drop(r, r->watches[table]);
}

void log_reader_seen(struct log_reader *r, uint32_t table, struct str file,
                     uint64_t offset)
{
    struct log_watch *w = table < r->watch_cap ? r->watches[table] : NULL;
    if (w == NULL || file.len == 0 || file.len > BINLOG_NAME_MAX)
        return;
    w->seen = (struct log_end){ .offset = offset };
    memcpy(w->seen.file, file.ptr, file.len);
}

/* New columns are read as the catalog proposes, others as they were. */
static void keep_selection(const struct table_schema *was, struct table_schema *now)
{
    struct column *columns = (struct column *)(uintptr_t)now->columns; /* of our copy */
    for (unsigned i = 0; i < now->column_count; i++) {
        const struct column *c = schema_find_column(was, columns[i].name);
        if (c != NULL)
            columns[i].selected = c->selected;
    }
}

void log_watch_replace(struct log_reader *r, struct log_watch *w,
                       const struct catalog_table *found)
{
    struct log_watch *now = copy_watch(r, w->number, found);
    struct catalog_table *t =
        (struct catalog_table *)(uintptr_t)now->found; /* our copy */
    keep_selection(&w->found->schema, &t->schema);
    t->cascades = w->found->cascades;
    select_key(&t->schema);
    now->since = w->since;
    now->names = w->names;
    now->must_be_named = true;
    now->handed = w->handed;
    drop(r, w);
    put(r, now);
}

void log_watches_done(struct log_reader *r)
{
    for (uint32_t i = 0; i < r->watch_cap; i++)
        if (r->watches[i] != NULL)
            arena_free(r->watches[i]->arena);
    free(r->watches);
    map_free(r->names);
}

void log_change(struct log_reader *r, struct log_watch *w, enum log_change change,
                const char *why, ...)
{
    char text[WHY_BYTES];
    va_list args;
    va_start(args, why);
    int n = vsnprintf(text, sizeof text, why, args);
    va_end(args);
    if (r->pending_count == r->pending_cap) {
        r->pending_cap = r->pending_cap == 0 ? 16 : r->pending_cap * 2;
        r->pending = xreallocarray(r->pending, r->pending_cap, sizeof *r->pending);
    }
    struct log_pending *p = &r->pending[r->pending_count++];
    *p = (struct log_pending){ .change = change,
                               .classes = r->classes,
                               .table = LOG_NO_TABLE };
    p->arena = arena_new(WHY_BYTES * 4 + FILL_BYTES);
    p->why = arena_str(p->arena, (struct str){ text, n < 0 ? 0
                                                     : (size_t)n < sizeof(text) - 1
                                                         ? (size_t)n
                                                         : sizeof(text) - 1 });
    if (w == NULL)
        return;
    p->table = w->number;
    if (change == LOG_LOST || change == LOG_GONE)
        w->live = false;
}

void log_change_fills(struct log_reader *r, const struct log_fills *fills)
{
    struct log_pending *p = &r->pending[r->pending_count - 1];
    struct log_fill *list = ARENA_ARRAY(p->arena, struct log_fill, fills->count + 1);
    for (size_t i = 0; i < fills->count; i++) {
        const struct log_fill *from = &fills->list[i];
        list[i] = (struct log_fill){ .way = from->way,
                                     .column = arena_str(p->arena, from->column),
                                     .from = arena_str(p->arena, from->from),
                                     .value = arena_str(p->arena, from->value) };
    }
    p->fills = list;
    p->fill_count = fills->count;
}
