/* See apply.h. */
#include "sync/apply.h"

#include "base/alloc.h"
#include "config/url.h"
#include "sync/integration.h"
#include "sync/options.h"

struct applying {
    struct state *state;
    struct arena *arena;
    struct apply_result *out;
    size_t cap;
    struct str name;         /* of the integration in hand */
    struct file_place place; /* of what is in hand */
};

struct integration_tables apply_tables(void)
{
    return (struct integration_tables){ sync_option_table(), stream_option_table() };
}

static struct str shown_name(struct arena *a, const struct stream_setting *st)
{
    return arena_printf(a, STR_FMT "." STR_FMT, STR_ARG(st->database),
                        STR_ARG(st->table));
}

/* What is said of each table must be possible together with what is said of all. */
static int check_streams(struct applying *p, const struct integration_spec *i,
                         const struct sync_options *options, struct error *err)
{
    for (size_t k = 0; k < i->stream_count; k++) {
        const struct stream_setting *st = &i->streams[k];
        struct stream_options ignored = { 0 };
        if (st->options.len == 0 ||
            stream_options_parse(p->arena, st->options, options, &ignored, err) == 0)
            continue;
        if (i->stream_places != NULL)
            p->place = i->stream_places[k];
        struct str name = shown_name(p->arena, st);
        return error_wrap(err, "table '" STR_FMT "'", STR_ARG(name));
    }
    return 0;
}

/* Written by another version, perhaps: nothing of it is dropped without a word. Whether
 * it fits together is not asked, so that it can be looked at and changed. */
static int check_stored(const struct integration_spec *i, struct error *err)
{
    struct option_values *v = option_values_new(stream_option_table());
    int rc = 0;
    for (size_t k = 0; k < i->stream_count && rc == 0; k++) {
        const struct stream_setting *st = &i->streams[k];
        if (st->options.len > 0 && option_set_json(v, st->options, err) != 0)
            rc = error_wrap(err, "table '" STR_FMT "'", STR_ARG(st->table));
    }
    option_values_free(v);
    return rc;
}

int apply_current(struct state *s, struct arena *a, struct str name,
                  struct integration_spec *out, struct error *err)
{
    struct integration i = { 0 };
    int found = state_integration_find(s, a, name, &i, err);
    *out = (struct integration_spec){ 0 };
    if (found != 1)
        return found;
    *out = (struct integration_spec){ .name = i.name,
                                      .source = i.source,
                                      .destination = i.destination };
    struct sync_options checked = { 0 };
    out->options = integration_options(a, &i, &checked, err);
    if (out->options == NULL)
        return error_wrap(err, "integration '" STR_FMT "'", STR_ARG(name));
    if (state_setting_list(s, a, name, &out->streams, &out->stream_count, err) == 0 &&
        check_stored(out, err) == 0)
        return 1;
    option_values_free(out->options);
    out->options = NULL;
    return -1;
}

/* --- the difference -------------------------------------------------------------------
 */

static void changed(struct applying *p, struct str what)
{
    if (p->out->change_count == p->cap) {
        size_t cap = p->cap == 0 ? 16 : p->cap * 2;
        struct str *more = ARENA_ARRAY(p->arena, struct str, cap);
        for (size_t i = 0; i < p->cap; i++)
            more[i] = p->out->changes[i];
        p->out->changes = more;
        p->cap = cap;
    }
    p->out->changes[p->out->change_count++] =
        arena_printf(p->arena, STR_FMT ": " STR_FMT, STR_ARG(p->name), STR_ARG(what));
}

static void changed_text(struct applying *p, const char *what, struct str before,
                         struct str now)
{
    if (!str_eq(before, now))
        changed(p, arena_printf(p->arena, "%s: " STR_FMT " -> " STR_FMT, what,
                                STR_ARG(before), STR_ARG(now)));
}

static struct str shown(const struct option_values *v, const struct option *o)
{
    struct str text = option_text(v, o->name);
    if (option_is_default(v, o->name))
        text = str_of(o->fallback);
    return text.len == 0 ? STR("(none)") : text;
}

/* what: "table shop.orders, ", or nothing for those of the integration. */
static void compare_options(struct applying *p, const struct option *table,
                            const char *what, const struct option_values *before,
                            const struct option_values *now)
{
    for (const struct option *o = table; o->name != NULL; o++) {
        if (o->type != OPTION_TEXT &&
            option_number(before, o->name) == option_number(now, o->name) &&
            option_is_default(before, o->name) == option_is_default(now, o->name))
            continue;
        struct str name = arena_printf(p->arena, "%soption %s", what, o->name);
        changed_text(p, name.ptr, shown(before, o), shown(now, o));
    }
}

static struct option_values *values_of(const struct stream_setting *st)
{
    struct option_values *v = option_values_new(stream_option_table());
    struct error ignored = { 0 }; /* checked before */
    if (st->options.len > 0)
        (void)option_set_json(v, st->options, &ignored);
    return v;
}

static void compare_stream_options(struct applying *p, struct str table,
                                   const struct stream_setting *before,
                                   const struct stream_setting *now)
{
    if (str_eq(before->options, now->options))
        return;
    struct option_values *old = values_of(before), *new = values_of(now);
    compare_options(p, stream_option_table(),
                    arena_printf(p->arena, STR_FMT ", ", STR_ARG(table)).ptr, old, new);
    option_values_free(old);
    option_values_free(new);
}

static const char *words_of(enum chosen c, const char *nothing)
{
    if (c == CHOSEN_BY_PATTERN)
        return nothing;
    return c == CHOSEN_YES ? "selected" : "left out";
}

static void compare_chosen(struct applying *p, struct str what, enum chosen before,
                           enum chosen now, const char *nothing)
{
    if (before != now)
        changed(p, arena_printf(p->arena, STR_FMT ": %s -> %s", STR_ARG(what),
                                words_of(before, nothing), words_of(now, nothing)));
}

/* Both in the same order; one of the two may be zeroed: nothing was said, or is. */
static void compare_stream(struct applying *p, const struct stream_setting *before,
                           const struct stream_setting *now)
{
    const struct stream_setting *st = now->table.len > 0 ? now : before;
    struct str name = shown_name(p->arena, st);
    struct str table = arena_printf(p->arena, "table " STR_FMT, STR_ARG(name));
    compare_chosen(p, table, before->chosen, now->chosen, "by the patterns");
    compare_stream_options(p, table, before, now);
    for (size_t b = 0, n = 0; b < before->column_count || n < now->column_count;) {
        int order = b == before->column_count ? 1
                    : n == now->column_count
                        ? -1
                        : str_cmp(before->columns[b].column, now->columns[n].column);
        struct column_setting none = { 0 };
        const struct column_setting *old = order <= 0 ? &before->columns[b++] : &none;
        const struct column_setting *new = order >= 0 ? &now->columns[n++] : &none;
        struct str column = order <= 0 ? old->column : new->column;
        compare_chosen(p,
                       arena_printf(p->arena, STR_FMT ", column " STR_FMT, STR_ARG(table),
                                    STR_ARG(column)),
                       old->chosen, new->chosen, "by the rules");
    }
}

static int stream_order(const struct stream_setting *a, const struct stream_setting *b)
{
    int order = str_cmp(a->database, b->database);
    return order != 0 ? order : str_cmp(a->table, b->table);
}

static void compare_streams(struct applying *p, const struct integration_spec *before,
                            const struct integration_spec *now)
{
    const struct stream_setting none = { 0 };
    for (size_t b = 0, n = 0; b < before->stream_count || n < now->stream_count;) {
        int order = b == before->stream_count ? 1
                    : n == now->stream_count
                        ? -1
                        : stream_order(&before->streams[b], &now->streams[n]);
        const struct stream_setting *old = order <= 0 ? &before->streams[b++] : &none;
        const struct stream_setting *new = order >= 0 ? &now->streams[n++] : &none;
        compare_stream(p, old, new);
    }
}

/* --- applying -------------------------------------------------------------------------
 */

static int record(struct applying *p, const struct integration_spec *want,
                  struct integration *out, struct error *err)
{
    struct url_source source = { 0 };
    struct url_destination destination = { 0 };
    struct secret *password = NULL;
    struct sync_options checked = { 0 };
    if (url_parse_source(p->arena, want->source, &source, &password, err) != 0)
        return -1;
    secret_free(password);
    if (url_parse_destination(p->arena, want->destination, &destination, err) != 0 ||
        sync_options_parse(p->arena, want->options, &checked, err) != 0 ||
        check_streams(p, want, &checked, err) != 0)
        return -1;
    struct integration_request r = { .name = want->name,
                                     .source = &source,
                                     .destination = &destination,
                                     .options = want->options };
    return integration_record(p->state, p->arena, &r, out, err);
}

static int apply_one(struct applying *p, const struct integration_spec *want,
                     struct error *err)
{
    struct integration_spec before = { 0 };
    struct integration now = { 0 };
    p->name = want->name;
    p->place = want->place;
    int found = apply_current(p->state, p->arena, want->name, &before, err);
    if (found < 0 || record(p, want, &now, err) != 0) {
        option_values_free(before.options);
        return -1;
    }
    if (found == 0) {
        changed(p, STR("new"));
        before.options = option_values_new(sync_option_table());
    }
    changed_text(p, "source", found == 0 ? STR("(none)") : before.source, now.source);
    changed_text(p, "destination", found == 0 ? STR("(none)") : before.destination,
                 now.destination);
    compare_options(p, sync_option_table(), "", before.options, want->options);
    compare_streams(p, &before, want);
    option_values_free(before.options);
    return state_setting_replace(p->state, want->name, want->streams, want->stream_count,
                                 err);
}

int apply_list(struct state *s, struct arena *a, const struct apply_request *r,
               struct apply_result *out, struct error *err)
{
    struct applying p = { .state = s, .arena = a, .out = out };
    int rc = 0;
    *out = (struct apply_result){ 0 };
    if (state_batch_begin(s, err) != 0)
        return -1;
    for (size_t i = 0; i < r->count && rc == 0; i++) {
        rc = apply_one(&p, &r->list[i], err);
        if (rc != 0 && r->path != NULL && p.place.line > 0)
            (void)error_wrap(err, "%s:%zu:%zu", r->path, p.place.line, p.place.column);
    }
    /* 1 undoes like a failure and is none. */
    rc = state_batch_finish(s, rc == 0 && r->dry_run ? 1 : rc, err);
    return rc < 0 ? -1 : 0;
}
