/* Names of tables at the destination. See target.h. */
#include "sync/target.h"

#include "base/map.h"
#include "sink/contract.h"

/* Values of the maps of names: seen once, seen more than once. */
static char single_mark, shared_mark;

const struct stream_mark *target_mark(const struct mark_list *marks, struct str database,
                                      struct str table)
{
    for (size_t i = 0; i < marks->stream_count; i++)
        if (str_eq(marks->streams[i].database, database) &&
            str_eq(marks->streams[i].table, table))
            return &marks->streams[i];
    return NULL;
}

/* Names are compared as the destination does, without regard to ASCII case. */
static struct str folded(struct arena *a, struct str name)
{
    char *copy = arena_alloc(a, name.len + 1);
    for (size_t i = 0; i < name.len; i++)
        copy[i] = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (char)(name.ptr[i] + 32)
                                                           : name.ptr[i];
    return (struct str){ copy, name.len };
}

struct targets {
    const struct plan_context *context;
    struct arena *arena;
    const struct mark_list *marks;
    struct map *shared; /* folded table names of the selected tables */
    struct map *taken;  /* folded target names, to struct owner */
};

/* Whose a target name is. */
struct owner {
    struct str database, table;
};

/* The first to come keeps it. */
static void take_name(struct targets *t, struct str target, struct str database,
                      struct str table)
{
    struct arena *a = t->arena;
    struct str key = folded(a, target);
    if (map_find(t->taken, key) != NULL)
        return;
    struct owner *o = ARENA_NEW(a, struct owner);
    *o = (struct owner){ database, table };
    (void)map_put(t->taken, key, o);
}

/* The other table that has this name; NULL when it is free or the stream's own. */
static const struct owner *taken_by(const struct targets *t, const struct stream *st,
                                    struct str target)
{
    const struct owner *o = map_find(t->taken, folded(t->arena, target));
    bool mine =
        o != NULL && str_eq(o->database, st->database) && str_eq(o->table, st->table);
    return mine ? NULL : o;
}

/* The name that the stream has: of its live table, else as given before; the destination
 * remembers it too. A name that became another table's, in a destination that other state
 * knows, is not kept. */
static int keep_target(struct targets *t, struct stream *st, struct error *err)
{
    const struct stream_mark *m = target_mark(t->marks, st->database, st->table);
    struct stream_name of = plan_stream_name(t->context, st);
    int found = state_name_find(t->context->state, t->arena, &of, (struct str){ 0 },
                                &st->target, err);
    if (found < 0)
        return -1;
    if (m != NULL && m->target.len > 0 && (m->live_version != 0 || found == 0))
        st->target = arena_str(t->arena, m->target);
    else if (found == 0)
        st->target = (struct str){ 0 };
    if (st->target.len > 0 && taken_by(t, st, st->target) != NULL)
        st->target = (struct str){ 0 };
    if (st->target.len == 0)
        return 0;
    take_name(t, st->target, st->database, st->table);
    if (found == 1)
        return 0;
    return state_name_save(t->context->state, &of, (struct str){ 0 }, st->target, err);
}

/* Another selected table has this name, or an earlier one had it. */
static bool is_shared(const struct targets *t, const struct stream *st)
{
    struct arena *a = t->arena;
    struct str own = folded(a, st->table);
    const struct owner *o = taken_by(t, st, st->table);
    return map_find(t->shared, own) == &shared_mark ||
           (o != NULL && str_eq(folded(a, o->table), own));
}

/* A table's own name, or database__table where the option says so, two tables share the
 * name or it looks like one of ours; then the first free of _2, _3, ... Once given it
 * stays. */
static int give_target(struct targets *t, struct stream *st, struct error *err)
{
    struct arena *a = t->arena;
    struct str name = st->table;
    if (t->context->options->database_in_names || is_shared(t, st) ||
        str_starts(folded(a, st->table), STR(CONTRACT_COPY_PREFIX)) ||
        str_starts(folded(a, st->table), STR(CONTRACT_HELD_PREFIX)))
        name = arena_printf(a, STR_FMT "__" STR_FMT, STR_ARG(st->database),
                            STR_ARG(st->table));
    struct str target = name;
    for (unsigned n = 2; taken_by(t, st, target) != NULL; n++)
        target = arena_printf(a, STR_FMT "_%u", STR_ARG(name), n);
    st->target = target;
    take_name(t, target, st->database, st->table);
    struct stream_name of = plan_stream_name(t->context, st);
    return state_name_save(t->context->state, &of, (struct str){ 0 }, target, err);
}

/* Names of the destination's tables, then all that were ever given: of tables that are
 * not selected now, and of those that a new destination has not seen yet. */
static int take_given(struct targets *t, struct error *err)
{
    struct given_name *given = NULL;
    size_t count = 0;
    take_name(t, STR(CONTRACT_REJECTED_TABLE), (struct str){ 0 }, (struct str){ 0 });
    for (size_t i = 0; i < t->marks->stream_count; i++)
        take_name(t, t->marks->streams[i].target, t->marks->streams[i].database,
                  t->marks->streams[i].table);
    struct stream_name all = { .integration = t->context->integration };
    if (state_name_list(t->context->state, t->arena, &all, &given, &count, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        take_name(t, given[i].name, given[i].database, given[i].table);
    return 0;
}

int target_give(const struct plan_context *c, struct arena *a, struct stream *streams,
                size_t count, const struct mark_list *marks, struct error *err)
{
    struct targets t = { c, a, marks, map_new(), map_new() };
    int rc = take_given(&t, err);
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct str name = folded(a, streams[i].table);
        bool before = map_find(t.shared, name) != NULL;
        (void)map_put(t.shared, name, before ? &shared_mark : &single_mark);
        rc = keep_target(&t, &streams[i], err);
    }
    for (size_t i = 0; i < count && rc == 0; i++)
        if (streams[i].target.len == 0)
            rc = give_target(&t, &streams[i], err);
    map_free(t.shared);
    map_free(t.taken);
    return rc;
}
