/* See selection.h. */
#include "sync/selection.h"

#include "base/alloc.h"

#define NAME_BYTES 4096 /* three names of 64 characters of 4 bytes, with room */
#define LATE_ARENA_LIMIT ((size_t)16 << 20)

int selection_load(struct state *s, struct arena *a, struct str integration,
                   struct selection *out, struct error *err)
{
    struct stream_setting *list = NULL;
    *out = (struct selection){ 0 };
    if (state_setting_list(s, a, integration, &list, &out->stream_count, err) != 0)
        return -1;
    out->streams = list;
    return 0;
}

const struct stream_setting *selection_find(const struct selection *sel,
                                            struct str database, struct str table)
{
    size_t low = 0, high = sel == NULL ? 0 : sel->stream_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct stream_setting *st = &sel->streams[middle];
        int order = str_cmp(st->database, database);
        if (order == 0)
            order = str_cmp(st->table, table);
        if (order == 0)
            return st;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* --- tables ---------------------------------------------------------------------------
 */

/* A pattern without a dot means that table in any database. */
bool selection_matches(struct str pattern, struct str database, struct str table)
{
    CLEANUP(buf_done) struct buf name;
    buf_init(&name, NAME_BYTES);
    if (pattern.len > 0 && memchr(pattern.ptr, '.', pattern.len) != NULL) {
        buf_add_str(&name, database);
        buf_add_char(&name, '.');
    }
    buf_add_str(&name, table);
    return str_glob(pattern, buf_str(&name), false);
}

static struct choice decided(struct arena *a, bool selected, const char *words,
                             struct str what)
{
    struct choice c = { .selected = selected };
    if (a != NULL && what.len > 0)
        c.why = arena_printf(a, "%s '" STR_FMT "'", words, STR_ARG(what));
    else if (a != NULL)
        c.why = arena_str(a, str_of(words));
    return c;
}

/* Views are copied only when a pattern without a wildcard names them. */
static struct choice by_patterns(const struct sync_options *o,
                                 const struct catalog_table *t, bool *matched,
                                 struct arena *a)
{
    const struct str none = { 0 };
    struct choice c = o->table_count == 0 && t->kind == TABLE_BASE
                          ? decided(a, true, "every table is copied", none)
                          : decided(a, false, "no pattern names it", none);
    if (!c.selected && t->kind == TABLE_VIEW)
        c = decided(a, false, "a view, copied only when named", none);
    for (size_t i = 0; i < o->table_count; i++) {
        if (!selection_matches(o->tables[i], t->schema.database, t->schema.name))
            continue;
        if (matched != NULL)
            matched[i] = true;
        if (setting_is_pattern(o->tables[i]) && t->kind != TABLE_BASE)
            continue;
        c = decided(a, true, "tables has", o->tables[i]);
    }
    for (size_t i = 0; i < o->exclude_count && c.selected; i++)
        if (selection_matches(o->exclude[i], t->schema.database, t->schema.name))
            c = decided(a, false, "exclude has", o->exclude[i]);
    return c;
}

struct choice selection_table(const struct selection *sel, const struct sync_options *o,
                              const struct catalog_table *t, bool *matched,
                              struct arena *a)
{
    struct choice c = by_patterns(o, t, matched, a);
    const struct stream_setting *said =
        selection_find(sel, t->schema.database, t->schema.name);
    if (said != NULL && said->chosen == CHOSEN_YES)
        return decided(a, true, "selected by name", (struct str){ 0 });
    if (said != NULL && said->chosen == CHOSEN_NO)
        return decided(a, false, "deselected by name", (struct str){ 0 });
    return c;
}

/* --- columns --------------------------------------------------------------------------
 */

/* A pattern without dots means the column of any table, with one dot table.column. The
 * server compares names of columns without case. */
static bool excluded_by(struct str pattern, const struct table_schema *s,
                        const struct column *c)
{
    CLEANUP(buf_done) struct buf name;
    size_t dots = 0;
    buf_init(&name, NAME_BYTES);
    for (size_t i = 0; i < pattern.len; i++)
        dots += pattern.ptr[i] == '.' ? 1 : 0;
    if (dots > 1)
        buf_add_str(&name, s->database);
    if (dots > 1)
        buf_add_char(&name, '.');
    if (dots > 0)
        buf_add_str(&name, s->name);
    if (dots > 0)
        buf_add_char(&name, '.');
    buf_add_str(&name, c->name);
    return str_glob(pattern, buf_str(&name), true);
}

static const struct column_setting *said_of(const struct stream_setting *said,
                                            const struct column *c)
{
    const struct column_setting *found = NULL;
    for (size_t i = 0; said != NULL && i < said->column_count; i++) {
        const struct column_setting *one = &said->columns[i];
        if (!setting_is_pattern(one->column)) {
            if (str_ieq(one->column, c->name))
                return one;
        } else if (str_glob(one->column, c->name, true) &&
                   (found == NULL || one->chosen == CHOSEN_NO)) {
            found = one;
        }
    }
    return found;
}

struct choice selection_column(const struct stream_setting *said,
                               const struct sync_options *o, const struct table_schema *s,
                               const struct column *c, bool late, struct arena *a)
{
    const struct str none = { 0 };
    const struct column_setting *one = said_of(said, c);
    if (c->type == TYPE_UNSUPPORTED) {
        struct choice no = decided(a, false, "unsupported", none);
        if (a != NULL && c->why.len > 0)
            no.why = arena_printf(a, "unsupported: " STR_FMT, STR_ARG(c->why));
        return no;
    }
    if (c->key_ordinal > 0)
        return decided(a, true, "part of the key", none);
    if (one != NULL) {
        bool yes = one->chosen == CHOSEN_YES;
        if (setting_is_pattern(one->column))
            return decided(a, yes, yes ? "selected by" : "deselected by", one->column);
        return decided(a, yes, yes ? "selected by name" : "deselected by name", none);
    }
    for (size_t i = 0; i < o->exclude_column_count; i++)
        if (excluded_by(o->exclude_columns[i], s, c))
            return decided(a, false, "exclude_columns has", o->exclude_columns[i]);
    if (late)
        return decided(a, false, "new, and new columns are left out", none);
    return decided(a, true, "column of a selected table", none);
}

bool selection_leaves_new(const struct stream_setting *said, const struct sync_options *o)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new(LATE_ARENA_LIMIT);
    struct stream_options own = { 0 };
    struct error ignored = { 0 };
    if (said == NULL || said->options.len == 0)
        return o->on[0] == POLICY_IGNORE;
    return stream_options_parse(a, said->options, o, &own, &ignored) == 0 &&
           own.on[0] == POLICY_IGNORE;
}

static const struct known_column *known_of(const struct known_column *known, size_t count,
                                           struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(known[i].column, name))
            return &known[i];
    return NULL;
}

int selection_late(const struct selection_owner *owner, const struct table_schema *t,
                   bool record, bool *late, struct error *err)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new(LATE_ARENA_LIMIT);
    struct known_column *known = NULL;
    size_t count = 0;
    struct stream_name of = { owner->integration, t->database, t->name };
    if (state_known_list(owner->state, a, &of, &known, &count, err) != 0)
        return -1;
    for (unsigned i = 0; i < t->column_count; i++) {
        const struct known_column *k = known_of(known, count, t->columns[i].name);
        late[i] = (owner->options->ignore_new_columns || owner->leaves_new) &&
                  (k == NULL ? count > 0 : k->late);
        struct known_column now = { .column = t->columns[i].name, .late = late[i] };
        if (record && (k == NULL || k->late != late[i]) &&
            state_known_save(owner->state, &of, &now, err) != 0)
            return -1;
    }
    return 0;
}

/* --- rules that name nothing ----------------------------------------------------------
 */

static bool column_named(const struct catalog_table *t, struct str name)
{
    for (unsigned i = 0; t != NULL && i < t->schema.column_count; i++)
        if (setting_is_pattern(name) ? str_glob(name, t->schema.columns[i].name, true)
                                     : str_ieq(name, t->schema.columns[i].name))
            return true;
    return false;
}

static bool anything_excluded(const struct catalog *c, struct str pattern)
{
    for (size_t d = 0; d < c->database_count; d++)
        for (size_t t = 0; t < c->databases[d].table_count; t++) {
            const struct table_schema *s = &c->databases[d].tables[t].schema;
            for (unsigned i = 0; i < s->column_count; i++)
                if (excluded_by(pattern, s, &s->columns[i]))
                    return true;
        }
    return false;
}

size_t selection_unmatched(const struct selection *sel, const struct sync_options *o,
                           const struct catalog *c, struct arena *a, struct str **out)
{
    size_t most = o->exclude_column_count, count = 0;
    for (size_t i = 0; i < sel->stream_count; i++)
        most += 1 + sel->streams[i].column_count;
    *out = ARENA_ARRAY(a, struct str, most + 1);
    for (size_t i = 0; i < o->exclude_column_count; i++)
        if (!anything_excluded(c, o->exclude_columns[i]))
            (*out)[count++] = o->exclude_columns[i];
    for (size_t i = 0; i < sel->stream_count; i++) {
        const struct stream_setting *st = &sel->streams[i];
        const struct catalog_table *t = catalog_find(c, st->database, st->table, false);
        if (t == NULL)
            (*out)[count++] = arena_printf(a, STR_FMT "." STR_FMT, STR_ARG(st->database),
                                           STR_ARG(st->table));
        for (size_t k = 0; t != NULL && k < st->column_count; k++)
            if (!column_named(t, st->columns[k].column))
                (*out)[count++] = arena_printf(a, STR_FMT "." STR_FMT "." STR_FMT,
                                               STR_ARG(st->database), STR_ARG(st->table),
                                               STR_ARG(st->columns[k].column));
    }
    return count;
}
