/* Runs, their reports and their logs. See state.h. */
#include "base/alloc.h"
#include "base/clock.h"
#include "state/state_internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Log lines kept of one run; the last of them says that there were more. */
#define LOG_LINES_MAX 10000u

/* Bytes of log lines gathered before they are written together. */
#define LOG_BUFFER_LINES 64u

const char *job_outcome_name(enum job_outcome o)
{
    switch (o) {
    case JOB_RUNNING:
        return "running";
    case JOB_SUCCEEDED:
        return "succeeded";
    case JOB_PARTIAL:
        return "partial";
    case JOB_FAILED:
        return "failed";
    case JOB_STOPPED:
        return "stopped";
    case JOB_DIED:
        return "died";
    }
    return "unknown";
}

/* When a process started, in clock ticks since boot (proc(5), /proc/PID/stat field 22):
 * with it a pid that was given again is not taken for ours. 0 when there is no such
 * process. */
static int64_t process_started(int64_t pid)
{
    char path[64], text[1024];
    (void)snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return 0;
    size_t n = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    text[n] = '\0';
    const char *p = strrchr(text, ')'); /* the name in field 2 may hold blanks */
    for (int field = 2; p != NULL && field < 22; field++)
        p = strchr(p + 1, ' ');
    return p == NULL ? 0 : strtoll(p + 1, NULL, 10);
}

int state_job_start(struct state *s, struct str integration, int64_t *id,
                    struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "INSERT INTO job (integration, outcome, started_at, ended_at, pid, "
                    "pid_started, error, hint) VALUES (?1, 0, ?2, 0, ?3, ?4, '', '') "
                    "RETURNING id",
                    err) != 0)
        return -1;
    query_text(&q, 1, integration);
    query_int(&q, 2, clock_wall_us());
    query_int(&q, 3, (int64_t)getpid());
    query_int(&q, 4, process_started((int64_t)getpid()));
    int64_t made = query_step(&q) ? query_column_int(&q, 0) : 0;
    if (query_run(&q, err) != 0)
        return -1;
    *id = made;
    return 0;
}

int state_job_end(struct state *s, int64_t id, enum job_outcome outcome,
                  const struct error *failure, struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "UPDATE job SET outcome = ?2, ended_at = ?3, error = ?4, hint = ?5 "
                    "WHERE id = ?1",
                    err) != 0)
        return -1;
    query_int(&q, 1, id);
    query_int(&q, 2, (int64_t)outcome);
    query_int(&q, 3, clock_wall_us());
    query_text(&q, 4, str_of(failure == NULL ? NULL : failure->text));
    query_text(&q, 5, str_of(failure == NULL ? NULL : failure->hint));
    return query_run(&q, err);
}

int state_job_list(struct state *s, struct arena *a, const struct job_page *page,
                   struct job_row **out, size_t *count, struct error *err)
{
    struct query q;
    size_t cap = 0;
    *out = NULL;
    *count = 0;
    if (query_begin(&q, s,
                    "SELECT id, integration, outcome, started_at, ended_at, pid, error, "
                    "hint, pid_started FROM job WHERE ?1 = '' OR integration = ?1 "
                    "ORDER BY id DESC LIMIT ?2",
                    err) != 0)
        return -1;
    query_text(&q, 1, page->integration);
    query_int(&q, 2, (int64_t)page->limit);
    while (query_step(&q)) {
        *out = query_grow(a, *out, *count, &cap, sizeof **out);
        struct job_row *r = &(*out)[(*count)++];
        *r = (struct job_row){ .id = query_column_int(&q, 0),
                               .integration = query_column_text(&q, a, 1),
                               .outcome = (enum job_outcome)query_column_int(&q, 2),
                               .started_at = query_column_int(&q, 3),
                               .ended_at = query_column_int(&q, 4),
                               .pid = query_column_int(&q, 5),
                               .error = query_column_text(&q, a, 6),
                               .hint = query_column_text(&q, a, 7) };
        if (r->outcome == JOB_RUNNING &&
            process_started(r->pid) != query_column_int(&q, 8))
            r->outcome = JOB_DIED;
    }
    return query_end(&q, err);
}

/* --- reports
 * ------------------------------------------------------------------------------ */

#define REPORT_COLUMNS                                                                  \
    "db, tbl, target, method, state, error, read_rows, applied, superseded, filtered, " \
    "quarantined, known, null_by_policy, bytes, first_read_at, last_read_at, took_us, " \
    "version, since"

int state_report_save(struct state *s, int64_t job, const struct report_row *r,
                      struct error *err)
{
    struct query q;
    if (query_begin(&q, s,
                    "INSERT OR REPLACE INTO report (job, " REPORT_COLUMNS
                    ") VALUES (?1, ?2, "
                    "?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, "
                    "?18, ?19, ?20)",
                    err) != 0)
        return -1;
    const struct str texts[] = { r->database, r->table, r->target,
                                 r->method,   r->state, r->error };
    const int64_t numbers[] = { (int64_t)r->read,
                                (int64_t)r->applied,
                                (int64_t)r->superseded,
                                (int64_t)r->filtered,
                                (int64_t)r->quarantined,
                                (int64_t)r->known,
                                (int64_t)r->null_by_policy,
                                (int64_t)r->bytes,
                                r->first_read_at,
                                r->last_read_at,
                                r->took_us,
                                (int64_t)r->version };
    query_int(&q, 1, job);
    for (int i = 0; i < 6; i++)
        query_text(&q, 2 + i, texts[i]);
    for (int i = 0; i < 12; i++)
        query_int(&q, 8 + i, numbers[i]);
    query_text(&q, 20, r->since);
    return query_run(&q, err);
}

static void read_report(struct query *q, struct arena *a, struct report_row *r)
{
    struct str *const texts[] = { &r->database, &r->table, &r->target,
                                  &r->method,   &r->state, &r->error };
    uint64_t *const counts[] = { &r->read,           &r->applied,     &r->superseded,
                                 &r->filtered,       &r->quarantined, &r->known,
                                 &r->null_by_policy, &r->bytes };
    for (int i = 0; i < 6; i++)
        *texts[i] = query_column_text(q, a, i);
    for (int i = 0; i < 8; i++)
        *counts[i] = (uint64_t)query_column_int(q, 6 + i);
    r->first_read_at = query_column_int(q, 14);
    r->last_read_at = query_column_int(q, 15);
    r->took_us = query_column_int(q, 16);
    r->version = (uint64_t)query_column_int(q, 17);
    r->since = query_column_text(q, a, 18);
}

int state_report_list(struct state *s, struct arena *a, int64_t job,
                      struct report_row **out, size_t *count, struct error *err)
{
    struct query q;
    size_t cap = 0;
    *out = NULL;
    *count = 0;
    if (query_begin(&q, s,
                    "SELECT " REPORT_COLUMNS
                    " FROM report WHERE job = ?1 ORDER BY db, tbl",
                    err) != 0)
        return -1;
    query_int(&q, 1, job);
    while (query_step(&q)) {
        *out = query_grow(a, *out, *count, &cap, sizeof **out);
        (*out)[*count] = (struct report_row){ 0 };
        read_report(&q, a, &(*out)[(*count)++]);
    }
    return query_end(&q, err);
}

/* --- logs
 * --------------------------------------------------------------------------------- */

struct log_line {
    int64_t at;
    enum log_level level;
    const char *text; /* static, as events' texts are */
    char *fields;     /* owned; JSON */
};

struct state_log {
    struct state *state; /* borrowed */
    int64_t job;
    pthread_mutex_t lock;
    struct log_line lines[LOG_BUFFER_LINES];
    size_t count;
    uint64_t total;
};

struct state_log *state_log_open(struct state *s, int64_t job)
{
    struct state_log *l = xcalloc(1, sizeof *l);
    l->state = s;
    l->job = job;
    (void)pthread_mutex_init(&l->lock, NULL);
    return l;
}

static void write_line(struct state_log *l, const struct log_line *line)
{
    struct query q;
    struct error ignored = { 0 }; /* a log that cannot be kept must not stop the run */
    if (query_begin(&q, l->state,
                    "INSERT INTO log (job, at, level, text, fields) "
                    "VALUES (?1, ?2, ?3, ?4, ?5)",
                    &ignored) != 0)
        return;
    query_int(&q, 1, l->job);
    query_int(&q, 2, line->at);
    query_int(&q, 3, (int64_t)line->level);
    query_text(&q, 4, str_of(line->text));
    query_text(&q, 5, str_of(line->fields));
    (void)query_run(&q, &ignored);
}

static void flush_locked(struct state_log *l)
{
    struct error ignored = { 0 };
    bool batch = l->count > 1 && state_batch_begin(l->state, &ignored) == 0;
    for (size_t i = 0; i < l->count; i++) {
        write_line(l, &l->lines[i]);
        free(l->lines[i].fields);
    }
    if (batch)
        (void)state_batch_end(l->state, &ignored);
    l->count = 0;
}

static void add_field(struct buf *b, const struct log_field *f)
{
    buf_add_json(b, str_of(f->name));
    buf_add_char(b, ':');
    switch (f->kind) {
    case LOG_FIELD_STR:
        buf_add_json(b, f->text);
        break;
    case LOG_FIELD_INT:
        buf_printf(b, "%lld", (long long)f->i);
        break;
    case LOG_FIELD_UINT:
        buf_printf(b, "%llu", (unsigned long long)f->u);
        break;
    case LOG_FIELD_DOUBLE:
        buf_printf(b, "%.17g", f->d);
        break;
    }
}

void state_log_sink(void *ctx, const struct log_event *e)
{
    struct state_log *l = ctx;
    struct buf fields;
    buf_init(&fields, (size_t)64 << 10);
    buf_add_char(&fields, '{');
    for (size_t i = 0; i < e->field_count; i++) {
        if (i > 0)
            buf_add_char(&fields, ',');
        add_field(&fields, &e->fields[i]);
    }
    buf_add_char(&fields, '}');
    (void)pthread_mutex_lock(&l->lock);
    l->total++;
    struct log_line line = { .at = e->at, .level = e->level, .text = e->text };
    if (l->total == LOG_LINES_MAX)
        line.text = "more events than are kept, see standard error";
    if (l->total <= LOG_LINES_MAX && !fields.failed) {
        line.fields = buf_take(&fields);
        l->lines[l->count++] = line;
    }
    if (l->count == LOG_BUFFER_LINES || (l->count > 0 && e->level >= LOG_WARN))
        flush_locked(l);
    (void)pthread_mutex_unlock(&l->lock);
    buf_done(&fields);
}

void state_log_flush(struct state_log *l)
{
    (void)pthread_mutex_lock(&l->lock);
    flush_locked(l);
    (void)pthread_mutex_unlock(&l->lock);
}

void state_log_close(struct state_log *l)
{
    if (l == NULL)
        return;
    state_log_flush(l);
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

int state_log_list(struct state *s, struct arena *a, const struct log_page *page,
                   struct log_row **out, size_t *count, struct error *err)
{
    struct query q;
    size_t cap = 0;
    *out = NULL;
    *count = 0;
    if (query_begin(
            &q, s,
            "SELECT id, at, level, text, fields FROM log WHERE job = ?1 AND id > ?2 "
            "ORDER BY id LIMIT ?3",
            err) != 0)
        return -1;
    query_int(&q, 1, page->job);
    query_int(&q, 2, page->after);
    query_int(&q, 3, (int64_t)page->limit);
    while (query_step(&q)) {
        *out = query_grow(a, *out, *count, &cap, sizeof **out);
        (*out)[(*count)++] =
            (struct log_row){ .id = query_column_int(&q, 0),
                              .at = query_column_int(&q, 1),
                              .level = (enum log_level)query_column_int(&q, 2),
                              .text = query_column_text(&q, a, 3),
                              .fields = query_column_text(&q, a, 4) };
    }
    return query_end(&q, err);
}
