#include "base/log.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define SINK_COUNT 8
#define SCOPE_COUNT 8
#define LINE_BYTES ((size_t)64 * 1024)

struct sink {
    log_sink_fn *fn;
    void *ctx; /* borrowed from whoever added the sink */
    enum log_level least;
};

/* One program has one log: this file is where mutable globals are allowed. */
static struct {
    pthread_mutex_t lock; /* guards all below */
    bool is_open;         /* standard error takes part */
    enum log_format format;
    enum log_level least;
    struct sink sinks[SINK_COUNT];
    size_t sink_count;
    void (*clear)(void *ctx);
    void *clear_ctx;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The lowest level that anybody takes, read without the lock. */
static atomic_int least_of_all = LOG_ERROR + 1;

struct scope {
    const char *name; /* static */
    char *value;      /* owned */
    size_t len;
};
static _Thread_local struct scope scopes[SCOPE_COUNT];
static _Thread_local size_t scope_depth; /* may exceed SCOPE_COUNT: those are not shown */

static void refresh_least_locked(void)
{
    int least = state.is_open ? (int)state.least : LOG_ERROR + 1;
    for (size_t i = 0; i < state.sink_count; i++)
        if ((int)state.sinks[i].least < least)
            least = (int)state.sinks[i].least;
    atomic_store(&least_of_all, least);
}

void log_open(enum log_format format, enum log_level least)
{
    (void)pthread_mutex_lock(&state.lock);
    state.is_open = true;
    state.format = format;
    state.least = least;
    state.sink_count = 0;
    state.clear = NULL;
    refresh_least_locked();
    (void)pthread_mutex_unlock(&state.lock);
}

void log_add(log_sink_fn *sink, void *ctx, enum log_level least)
{
    (void)pthread_mutex_lock(&state.lock);
    assert(state.sink_count < SINK_COUNT);
    state.sinks[state.sink_count++] = (struct sink){ sink, ctx, least };
    refresh_least_locked();
    (void)pthread_mutex_unlock(&state.lock);
}

void log_remove(log_sink_fn *sink, void *ctx)
{
    (void)pthread_mutex_lock(&state.lock);
    for (size_t i = 0; i < state.sink_count; i++) {
        if (state.sinks[i].fn != sink || state.sinks[i].ctx != ctx)
            continue;
        state.sinks[i] = state.sinks[--state.sink_count];
        break;
    }
    refresh_least_locked();
    (void)pthread_mutex_unlock(&state.lock);
}

void log_set_clear(void (*clear)(void *ctx), void *ctx)
{
    (void)pthread_mutex_lock(&state.lock);
    state.clear = clear;
    state.clear_ctx = ctx;
    (void)pthread_mutex_unlock(&state.lock);
}

/* --- lines --- */

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_DEBUG:
        return "debug";
    case LOG_INFO:
        return "info";
    case LOG_WARN:
        return "warn";
    case LOG_ERROR:
        return "error";
    }
    return "error";
}

/* Words stand bare; anything that could be mistaken for more than one word is quoted. */
static bool is_word(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c <= ' ' || c >= 0x7F || c == '"' || c == '=' || c == '\\')
            return false;
    }
    return s.len > 0;
}

static void add_value(struct buf *out, enum log_format format, const struct log_field *f)
{
    switch (f->kind) {
    case LOG_FIELD_STR:
        if (format == LOG_TEXT && is_word(f->text))
            buf_add_str(out, f->text);
        else
            buf_add_json(out, f->text);
        break;
    case LOG_FIELD_INT:
        buf_printf(out, "%lld", (long long)f->i);
        break;
    case LOG_FIELD_UINT:
        buf_printf(out, "%llu", (unsigned long long)f->u);
        break;
    case LOG_FIELD_DOUBLE:
        if (isfinite(f->d))
            buf_printf(out, "%.6g", f->d);
        else
            buf_add_text(out, "null");
        break;
    }
}

void log_format_event(struct buf *out, enum log_format format, const struct log_event *e)
{
    char at[CLOCK_TEXT_MAX];
    const char *level = level_name(e->level);
    clock_format(e->at, at);
    switch (format) {
    case LOG_TEXT:
        buf_printf(out, "%s %-5s %s", at, level, e->text);
        break;
    case LOG_JSON:
        buf_printf(out, "{\"at\":\"%s\",\"level\":\"%s\",\"text\":", at, level);
        buf_add_json(out, str_of(e->text));
        break;
    }
    for (size_t i = 0; i < e->field_count; i++) {
        const struct log_field *f = &e->fields[i];
        if (format == LOG_JSON) {
            buf_add_char(out, ',');
            buf_add_json(out, str_of(f->name));
            buf_add_char(out, ':');
        } else {
            buf_printf(out, " %s=", f->name);
        }
        add_value(out, format, f);
    }
    buf_add_text(out, format == LOG_JSON ? "}\n" : "\n");
}

static void write_line_locked(const struct log_event *e)
{
    struct buf line;
    buf_init(&line, LINE_BYTES);
    log_format_event(&line, state.format, e);
    if (line.failed) {
        /* Too long to show whole: the text alone still tells the story. */
        struct log_event bare = *e;
        bare.field_count = 0;
        buf_clear(&line);
        log_format_event(&line, state.format, &bare);
    }
    if (state.clear != NULL)
        state.clear(state.clear_ctx);
    (void)fwrite(line.data, 1, line.len, stderr); /* no place is left to report to */
    buf_done(&line);
}

/* --- events --- */

void log_event_at(enum log_level level, const char *text, const struct log_field *fields,
                  size_t count)
{
    if ((int)level < atomic_load(&least_of_all))
        return;
    size_t outer = scope_depth < SCOPE_COUNT ? scope_depth : SCOPE_COUNT;
    CLEANUP(free_pointer) struct log_field *all = xcalloc(outer + count, sizeof(*all));
    for (size_t i = 0; i < outer; i++)
        all[i] = F_STR(scopes[i].name, ((struct str){ scopes[i].value, scopes[i].len }));
    if (count > 0)
        memcpy(all + outer, fields, count * sizeof(*fields));
    struct log_event e = { clock_wall_us(), level, text, all, outer + count };

    (void)pthread_mutex_lock(&state.lock);
    if (state.is_open && level >= state.least)
        write_line_locked(&e);
    for (size_t i = 0; i < state.sink_count; i++)
        if (level >= state.sinks[i].least)
            state.sinks[i].fn(state.sinks[i].ctx, &e);
    (void)pthread_mutex_unlock(&state.lock);
}

void log_error(enum log_level level, const char *text, const struct error *err)
{
    struct log_field fields[5];
    size_t n = 0;
    fields[n++] = F_TEXT("error", err->text);
    fields[n++] = F_TEXT("code", error_code_name(err->code));
    if (err->sys != 0)
        fields[n++] = F_INT("errno", err->sys);
    if (err->remote != 0)
        fields[n++] = F_UINT("remote", err->remote);
    if (err->hint != NULL)
        fields[n++] = F_TEXT("hint", err->hint);
    log_event_at(level, text, fields, n);
}

void log_scope_begin(const char *name, struct str value)
{
    if (scope_depth < SCOPE_COUNT) {
        struct scope *s = &scopes[scope_depth];
        *s = (struct scope){ .name = name, .len = value.len };
        s->value = xcalloc(value.len + 1, 1);
        if (value.len > 0)
            memcpy(s->value, value.ptr, value.len);
    }
    scope_depth++;
}

void log_scope_end(void)
{
    assert(scope_depth > 0);
    scope_depth--;
    if (scope_depth < SCOPE_COUNT) {
        free(scopes[scope_depth].value);
        scopes[scope_depth] = (struct scope){ 0 };
    }
}
