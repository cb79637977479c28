/* See status_trouble.h. */
#include "cli/status_trouble.h"

#include "base/emit.h"
#include "cli/table.h"

int status_trouble_find(struct state *s, struct arena *a, struct str integration,
                        struct status_trouble *out, struct error *err)
{
    *out = (struct status_trouble){ 0 };
    return state_trouble_list(s, a, integration, &out->list, &out->count, err) != 0
               ? -1
               : state_inexact_list(s, a, integration, &out->inexact, &out->inexact_count,
                                    err);
}

struct str status_trouble_state(const struct status_trouble *t, struct str database,
                                struct str table, struct str reported)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->list[i].state == TROUBLE_PARKED && str_eq(t->list[i].table, table) &&
            str_eq(t->list[i].database, database))
            return STR("parked");
    return reported;
}

static const char *words_of(const struct stream_trouble *t)
{
    switch (t->state) {
    case TROUBLE_PARKED:
        return "parked";
    case TROUBLE_RESUMED:
        return "resumed, waits for a run";
    case TROUBLE_COUNTED:
        break;
    }
    return "its last copy failed";
}

static void print_list(struct buf *out, const struct status_trouble *t)
{
    static const char *const HEADS[] = { "table", "what", "since (UTC)", ">copies failed",
                                         "why" };
    struct table *lines = table_new(HEADS, sizeof HEADS / sizeof *HEADS);
    for (size_t i = 0; i < t->count; i++) {
        const struct stream_trouble *one = &t->list[i];
        char when[WHEN_TEXT_MAX];
        table_printf(lines, STR_FMT "." STR_FMT, STR_ARG(one->database),
                     STR_ARG(one->table));
        table_add(lines, str_of(words_of(one)));
        table_add(lines, str_of(emit_when(when, one->at)));
        table_printf(lines, "%u", one->failures);
        table_add(lines, one->why);
    }
    table_print(lines, out);
    table_free(lines);
}

void status_trouble_print(struct buf *out, const struct status_trouble *t,
                          struct str integration)
{
    size_t parked = 0;
    for (size_t i = 0; i < t->count; i++)
        parked += t->list[i].state == TROUBLE_PARKED ? 1 : 0;
    if (t->count > 0) {
        buf_add_text(out, "\ntables that are not followed:\n");
        print_list(out, t);
    }
    if (parked > 0)
        buf_printf(out,
                   "`tailrace resume '" STR_FMT "' TABLE` copies a parked table again.\n",
                   STR_ARG(integration));
    for (size_t i = 0; i < t->inexact_count; i++) {
        const struct stream_inexact *one = &t->inexact[i];
        char when[WHEN_TEXT_MAX];
        buf_printf(out,
                   "%snot what the source is: " STR_FMT "." STR_FMT
                   ", version %llu, since "
                   "%s UTC: " STR_FMT "\n",
                   i == 0 ? "\n" : "", STR_ARG(one->database), STR_ARG(one->table),
                   (unsigned long long)one->version, emit_when(when, one->at),
                   STR_ARG(one->what));
    }
}

void status_trouble_emit(struct buf *out, const struct status_trouble *t)
{
    emit_begin(out, "trouble", '[');
    for (size_t i = 0; i < t->count; i++) {
        const struct stream_trouble *one = &t->list[i];
        emit_begin(out, NULL, '{');
        emit_text(out, "database", one->database);
        emit_text(out, "table", one->table);
        emit_bool(out, "parked", one->state == TROUBLE_PARKED);
        emit_bool(out, "resumed", one->state == TROUBLE_RESUMED);
        emit_number(out, "copies_failed", one->failures);
        emit_text(out, "why", one->why);
        emit_time(out, "since", one->at);
        emit_end(out, '}');
    }
    emit_end(out, ']');
    emit_begin(out, "inexact", '[');
    for (size_t i = 0; i < t->inexact_count; i++) {
        const struct stream_inexact *one = &t->inexact[i];
        emit_begin(out, NULL, '{');
        emit_text(out, "database", one->database);
        emit_text(out, "table", one->table);
        emit_number(out, "version", one->version);
        emit_text(out, "why", one->what);
        emit_time(out, "since", one->at);
        emit_end(out, '}');
    }
    emit_end(out, ']');
}
