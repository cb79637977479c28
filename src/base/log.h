/* src/base/log.h
 *
 * Events: one line each, a constant text and typed fields. People see text on a terminal,
 * programs JSON lines. Sinks are added at start; the job log is one of them. Fields
 * that a scope adds go with every event of that thread until the scope ends.
 *
 * There is no field maker for secrets. Row contents are never logged.
 *
 * Thread: any; log_open() and log_add() before threads start.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level {
    LOG_DEBUG = 0,
    LOG_INFO,  /* the story of a job in ten to thirty lines */
    LOG_WARN,  /* we went on; the text says so */
    LOG_ERROR, /* a person must act */
};

enum log_field_kind { LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_UINT, LOG_FIELD_DOUBLE };

struct log_field {
    const char *name; /* static */
    enum log_field_kind kind;
    struct str text;
    int64_t i;
    uint64_t u;
    double d;
};

#define F_STR(n, s) \
    ((struct log_field){ .name = (n), .kind = LOG_FIELD_STR, .text = (s) })
#define F_TEXT(n, s) \
    ((struct log_field){ .name = (n), .kind = LOG_FIELD_STR, .text = str_of(s) })
#define F_INT(n, v) ((struct log_field){ .name = (n), .kind = LOG_FIELD_INT, .i = (v) })
#define F_UINT(n, v) ((struct log_field){ .name = (n), .kind = LOG_FIELD_UINT, .u = (v) })
#define F_DOUBLE(n, v) \
    ((struct log_field){ .name = (n), .kind = LOG_FIELD_DOUBLE, .d = (v) })

enum log_format { LOG_TEXT, LOG_JSON };

/* One finished event. text and fields live only during the call. */
struct log_event {
    int64_t at; /* wall, microseconds */
    enum log_level level;
    const char *text;
    const struct log_field *fields;
    size_t field_count;
};

typedef void log_sink_fn(void *ctx, const struct log_event *e);

/* Standard error in this format from this level on; also resets earlier sinks. */
void log_open(enum log_format format, enum log_level least);

/* A further receiver, called under the log's lock, so it must not log. */
void log_add(log_sink_fn *sink, void *ctx, enum log_level least);
void log_remove(log_sink_fn *sink, void *ctx);

/* Standard error belongs to a live progress display: before each line `clear` is called.
 */
void log_set_clear(void (*clear)(void *ctx), void *ctx);

void log_event_at(enum log_level level, const char *text, const struct log_field *fields,
                  size_t count);
#define log_event(level, text, ...)                                          \
    log_event_at((level), (text), (const struct log_field[]){ __VA_ARGS__ }, \
                 sizeof((const struct log_field[]){ __VA_ARGS__ }) /         \
                     sizeof(struct log_field))

/* The one line at the top of a failed job: text, code, hint. */
void log_error(enum log_level level, const char *text, const struct error *err);

/* Add fields to all events of this thread; log_scope_end() drops the newest scope. The
 * texts are copied. At most 8 scopes. */
void log_scope_begin(const char *name, struct str value);
void log_scope_end(void);

/* Append an event as one line with its newline, for sinks that keep files. */
void log_format_event(struct buf *out, enum log_format format, const struct log_event *e);

#endif
