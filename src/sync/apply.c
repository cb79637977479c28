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
    struct str name; /* of the integration in hand */
};

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
    if (state_setting_list(s, a, name, &out->streams, &out->stream_count, err) == 0)
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

static void compare_options(struct applying *p, const struct option_values *before,
                            const struct option_values *now)
{
    for (const struct option *o = sync_option_table(); o->name != NULL; o++) {
        if (o->type != OPTION_TEXT &&
            option_number(before, o->name) == option_number(now, o->name))
            continue;
        struct str name = arena_printf(p->arena, "option %s", o->name);
        changed_text(p, name.ptr, shown(before, o), shown(now, o));
    }
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
    struct str table = arena_printf(p->arena, "table " STR_FMT "." STR_FMT,
                                    STR_ARG(st->database), STR_ARG(st->table));
    compare_chosen(p, table, before->chosen, now->chosen, "by the patterns");
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
        sync_options_parse(p->arena, want->options, &checked, err) != 0)
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
    compare_options(p, before.options, want->options);
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
        if (rc != 0 && r->path != NULL && r->list[i].line > 0)
            (void)error_wrap(err, "%s:%zu:%zu", r->path, r->list[i].line,
                             r->list[i].column);
    }
    /* 1 undoes like a failure and is none. */
    rc = state_batch_finish(s, rc == 0 && r->dry_run ? 1 : rc, err);
    return rc < 0 ? -1 : 0;
}
