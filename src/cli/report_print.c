/* See report_print.h. */
#include "cli/report_print.h"

#include "base/clock.h"
#include "base/emit.h"
#include "cli/table.h"

#include <stdio.h>

/* Rows read of which the report does not yet say what became of them. */
static uint64_t waiting_of(const struct report_row *r)
{
    uint64_t told = r->applied + r->superseded + r->filtered + r->quarantined + r->known;
    return r->read > told ? r->read - told : 0;
}

static struct report_row sum_of(const struct report_row *rows, size_t count,
                                uint64_t *waiting)
{
    struct report_row sum = { 0 };
    *waiting = 0;
    for (size_t i = 0; i < count; i++) {
        sum.read += rows[i].read;
        sum.applied += rows[i].applied;
        sum.superseded += rows[i].superseded;
        sum.filtered += rows[i].filtered;
        sum.quarantined += rows[i].quarantined;
        sum.known += rows[i].known;
        sum.null_by_policy += rows[i].null_by_policy;
        sum.bytes += rows[i].bytes;
        *waiting += waiting_of(&rows[i]);
    }
    return sum;
}

static int64_t took_of(const struct job_row *job)
{
    int64_t end = job->ended_at == 0 ? clock_wall_us() : job->ended_at;
    return end > job->started_at ? end - job->started_at : 0;
}

/* --- for programs
 * ------------------------------------------------------------------------ */

void report_print_job(struct buf *out, const char *key, const struct job_row *job)
{
    emit_begin(out, key, '{');
    emit_number(out, "id", (uint64_t)job->id);
    emit_text(out, "integration", job->integration);
    emit_text(out, "outcome", str_of(job_outcome_name(job->outcome)));
    emit_time(out, "started_at", job->started_at);
    emit_time(out, "ended_at", job->ended_at);
    emit_number(out, "took_us", (uint64_t)took_of(job));
    emit_number(out, "pid", job->pid < 0 ? 0 : (uint64_t)job->pid);
    emit_text_or_null(out, "error", job->error);
    emit_text_or_null(out, "hint", job->hint);
    emit_end(out, '}');
}

static void add_counts(struct buf *out, const struct report_row *r, uint64_t waiting)
{
    emit_number(out, "read", r->read);
    emit_number(out, "applied", r->applied);
    emit_number(out, "superseded", r->superseded);
    emit_number(out, "filtered", r->filtered);
    emit_number(out, "quarantined", r->quarantined);
    emit_number(out, "known", r->known);
    emit_number(out, "waiting", waiting);
    emit_number(out, "nulls_by_policy", r->null_by_policy);
    emit_number(out, "bytes", r->bytes);
}

static void print_json(struct buf *out, const struct job_row *job,
                       const struct report_row *rows, size_t count)
{
    uint64_t waiting = 0;
    struct report_row sum = sum_of(rows, count, &waiting);
    buf_add_char(out, '{');
    report_print_job(out, "job", job);
    emit_begin(out, "streams", '[');
    for (size_t i = 0; i < count; i++) {
        const struct report_row *r = &rows[i];
        emit_begin(out, NULL, '{');
        emit_text(out, "database", r->database);
        emit_text(out, "table", r->table);
        emit_text_or_null(out, "target", r->target);
        emit_text_or_null(out, "method", r->method);
        emit_text_or_null(out, "state", r->state);
        add_counts(out, r, waiting_of(r));
        emit_time(out, "first_read_at", r->first_read_at);
        emit_time(out, "last_read_at", r->last_read_at);
        emit_number(out, "took_us", r->took_us < 0 ? 0 : (uint64_t)r->took_us);
        emit_number(out, "version", r->version);
        emit_text_or_null(out, "error", r->error);
        emit_text_or_null(out, "since", r->since);
        emit_end(out, '}');
    }
    emit_end(out, ']');
    emit_begin(out, "totals", '{');
    emit_number(out, "streams", count);
    add_counts(out, &sum, waiting);
    emit_end(out, '}');
    buf_add_text(out, "}\n");
}

/* --- for people
 * -------------------------------------------------------------------------- */

/* Columns that are zero in every row say nothing, but for those always shown. */
enum {
    COL_NAME = 0,
    COL_STATE,
    COL_READ,
    COL_APPLIED,
    COL_SUPERSEDED,
    COL_FILTERED,
    COL_KNOWN,
    COL_QUARANTINED,
    COL_WAITING,
    COL_NULLS,
    COL_BYTES,
    COL_TIME,
    COL_BETWEEN,
    COL_COUNT
};

static const char *const HEADS[COL_COUNT] = {
    "table",
    "state",
    ">read",
    ">applied",
    ">superseded",
    ">filtered",
    ">known already",
    ">quarantined",
    ">waiting",
    ">nulls by policy",
    ">bytes",
    ">time",
    "read between (UTC)",
};

static bool is_shown(int column, const struct report_row *sum, uint64_t waiting)
{
    switch (column) {
    case COL_SUPERSEDED:
        return sum->superseded > 0;
    case COL_FILTERED:
        return sum->filtered > 0;
    case COL_KNOWN:
        return sum->known > 0;
    case COL_WAITING:
        return waiting > 0;
    case COL_NULLS:
        return sum->null_by_policy > 0;
    default:
        return true;
    }
}

static void add_number(struct table *t, uint64_t number)
{
    char text[32];
    table_number(text, number);
    table_add(t, str_of(text));
}

static void add_number_cell(struct table *t, int column, const struct report_row *r,
                            uint64_t waiting)
{
    char text[32];
    switch (column) {
    case COL_READ:
        add_number(t, r->read);
        break;
    case COL_APPLIED:
        add_number(t, r->applied);
        break;
    case COL_SUPERSEDED:
        add_number(t, r->superseded);
        break;
    case COL_FILTERED:
        add_number(t, r->filtered);
        break;
    case COL_KNOWN:
        add_number(t, r->known);
        break;
    case COL_QUARANTINED:
        add_number(t, r->quarantined);
        break;
    case COL_WAITING:
        add_number(t, waiting);
        break;
    case COL_NULLS:
        add_number(t, r->null_by_policy);
        break;
    default:
        table_bytes(text, r->bytes);
        table_add(t, str_of(text));
        break;
    }
}

static void add_name(struct table *t, struct str database, struct str name)
{
    struct buf text;
    buf_init(&text, 4096);
    buf_printf(&text, STR_FMT "%s" STR_FMT, STR_ARG(database),
               database.len > 0 ? "." : "", STR_ARG(name));
    table_add(t, buf_str(&text));
    buf_done(&text);
}

/* total: the last line, which has no name and no moments of its own. */
static void add_cell(struct table *t, int column, const struct report_row *r,
                     uint64_t waiting, bool total)
{
    char text[BETWEEN_TEXT_MAX];
    if (column == COL_NAME && total)
        table_add(t, STR("all"));
    else if (column == COL_NAME)
        add_name(t, r->database, r->table);
    else if (column == COL_STATE)
        table_add(t, r->state);
    else if (column == COL_BETWEEN)
        table_add(t, total
                         ? STR("")
                         : str_of(emit_between(text, r->first_read_at, r->last_read_at)));
    else if (column == COL_TIME) {
        table_duration(text, r->took_us < 0 ? 0 : r->took_us);
        table_add(t, str_of(text));
    } else {
        add_number_cell(t, column, r, waiting);
    }
}

static void print_table(struct buf *out, const struct job_row *job,
                        const struct report_row *rows, size_t count)
{
    const char *heads[COL_COUNT];
    int shown[COL_COUNT];
    size_t columns = 0;
    uint64_t waiting = 0;
    struct report_row sum = sum_of(rows, count, &waiting);
    sum.took_us = took_of(job);
    for (int c = 0; c < COL_COUNT; c++) {
        if (!is_shown(c, &sum, waiting))
            continue;
        heads[columns] = HEADS[c];
        shown[columns++] = c;
    }
    struct table *t = table_new(heads, columns);
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < columns; c++)
            add_cell(t, shown[c], &rows[i], waiting_of(&rows[i]), false);
    for (size_t c = 0; count > 1 && c < columns; c++)
        add_cell(t, shown[c], &sum, waiting, true);
    table_print(t, out);
    table_free(t);
}

static void print_head(struct buf *out, const struct job_row *job)
{
    char took[16], when[WHEN_TEXT_MAX];
    table_duration(took, took_of(job));
    buf_printf(out, "run %lld of '" STR_FMT "': %s, %s %s UTC, %s\n", (long long)job->id,
               STR_ARG(job->integration), job_outcome_name(job->outcome),
               job->ended_at == 0 ? "since" : "began", emit_when(when, job->started_at),
               took);
    if (job->error.len > 0)
        buf_printf(out, "error: " STR_FMT "\n", STR_ARG(job->error));
    if (job->hint.len > 0)
        buf_printf(out, "hint: " STR_FMT "\n", STR_ARG(job->hint));
}

void report_print_since(struct buf *out, struct str database, struct str table,
                        struct str since)
{
    if (since.len > 0)
        buf_printf(out,
                   STR_FMT "." STR_FMT ": the changes since " STR_FMT
                           ", not the whole table\n",
                   STR_ARG(database), STR_ARG(table), STR_ARG(since));
}

static void print_remarks(struct buf *out, const struct report_row *rows, size_t count)
{
    uint64_t waiting = 0;
    struct report_row sum = sum_of(rows, count, &waiting);
    char number[32];
    for (size_t i = 0; i < count; i++)
        if (rows[i].error.len > 0)
            buf_printf(out, STR_FMT "%s" STR_FMT ": " STR_FMT "\n",
                       STR_ARG(rows[i].database), rows[i].database.len > 0 ? "." : "",
                       STR_ARG(rows[i].table), STR_ARG(rows[i].error));
    for (size_t i = 0; i < count; i++)
        report_print_since(out, rows[i].database, rows[i].table, rows[i].since);
    if (sum.quarantined > 0) {
        table_number(number, sum.quarantined);
        buf_printf(
            out,
            "%s row%s could not be represented and %s in the table _sdc_rejected of "
            "the destination's\nschema, each with its column, the reason and the raw "
            "record.\n",
            number, sum.quarantined == 1 ? "" : "s", sum.quarantined == 1 ? "is" : "are");
    }
    if (waiting > 0) {
        table_number(number, waiting);
        buf_printf(out,
                   "%s row%s read and not yet visible in the destination; the next "
                   "run goes on from there.\n",
                   number, waiting == 1 ? " was" : "s were");
    }
}

void report_print(struct buf *out, const struct job_row *job,
                  const struct report_row *rows, size_t count, bool json)
{
    if (json) {
        print_json(out, job, rows, count);
        return;
    }
    print_head(out, job);
    if (count == 0)
        buf_add_text(out, "no table was reached\n");
    else
        print_table(out, job, rows, count);
    print_remarks(out, rows, count);
}
