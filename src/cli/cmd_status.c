/* status: what is replicated where, how the last run ended, what waits, who is in the
 * way. */
#include "base/alloc.h"
#include "base/emit.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/report_print.h"
#include "cli/spool_look.h"
#include "cli/status_trouble.h"
#include "cli/table.h"
#include "sync/integration.h"
#include "sync/log_start.h"
#include "sync/probe.h"
#include "warehouse/client.h"
#include "warehouse/place.h"

#include <stdlib.h>

#define OUTPUT_BYTES ((size_t)256 << 20)
#define PATH_BYTES 8192

/* A run that has just begun has no report yet: so many are looked through for one. */
#define RUNS_LOOKED_AT 20

static const struct option STATUS_OPTIONS[] = {
    { "streams", OPTION_BOOL, "no", 0, 0, NULL,
      "Ask the destination itself about each table, instead of the last report: waits "
      "while another program has the file open." },
    { 0 },
};

/* One integration with what was found out about it. */
struct look {
    const struct integration *integration;
    const struct job_row *job;     /* the newest, or NULL */
    const struct report_row *rows; /* of the newest run that has a report */
    size_t row_count;
    int64_t reported_by; /* that run; 0: there is none */
    uint64_t applied;
    struct spool_look spool;
    struct status_trouble trouble;
    bool follows; /* it has a place in the log */
    struct followed_place place;
    struct str held_by; /* who has the destination's file open; empty: nobody */
};

/* --- finding out ----------------------------------------------------------------------
 */

/* The pid in the lock file beside the database: that of the warehouse process, while it
 * lives. */
static bool is_ours(struct str holder, const char *real_path)
{
    CLEANUP(buf_done) struct buf path, text, ours;
    struct error ignored = { 0 };
    buf_init(&path, PATH_BYTES);
    buf_init(&text, 64);
    buf_init(&ours, 64);
    place_lock_path(real_path, &path);
    if (path.failed || file_read(buf_text(&path), &text, &ignored) != 0)
        return false;
    buf_printf(&ours, "pid " STR_FMT " ", STR_ARG(str_trim(buf_str(&text))));
    return str_starts(holder, buf_str(&ours));
}

static struct str holder_of(struct arena *a, const struct integration *i)
{
    struct url_destination d = { 0 };
    struct error ignored = { 0 };
    CLEANUP(buf_done) struct buf path, who;
    buf_init(&path, PATH_BYTES);
    buf_init(&who, PATH_BYTES);
    if (url_parse_destination(a, i->destination, &d, &ignored) != 0 ||
        !str_eq(d.scheme, STR("duckdb")) ||
        place_real_path(arena_text(a, d.location), &path, &ignored) != 0 ||
        !place_holder(buf_text(&path), &who))
        return (struct str){ 0 };
    if (is_ours(buf_str(&who), buf_text(&path)))
        return arena_printf(a, "tailrace's own process, " STR_FMT,
                            STR_ARG(buf_str(&who)));
    return arena_str(a, buf_str(&who));
}

static int look_at_report(struct cli *cli, struct state *s, const struct job_row *jobs,
                          size_t count, struct look *out, struct error *err)
{
    for (size_t i = 0; i < count && out->row_count == 0; i++) {
        struct report_row *rows = NULL;
        if (state_report_list(s, cli->arena, jobs[i].id, &rows, &out->row_count, err) !=
            0)
            return -1;
        out->rows = rows;
        out->reported_by = out->row_count > 0 ? jobs[i].id : 0;
    }
    for (size_t i = 0; i < out->row_count; i++)
        out->applied += out->rows[i].applied;
    return 0;
}

static int look_at(struct cli *cli, struct state *s, const struct integration *i,
                   struct look *out, struct error *err)
{
    struct job_row *jobs = NULL;
    size_t count = 0;
    *out = (struct look){ .integration = i };
    struct job_page newest = { .integration = i->name, .limit = RUNS_LOOKED_AT };
    if (state_job_list(s, cli->arena, &newest, &jobs, &count, err) != 0 ||
        look_at_report(cli, s, jobs, count, out, err) != 0)
        return -1;
    if (status_trouble_find(s, cli->arena, i->name, &out->trouble, err) != 0)
        return -1;
    int found = state_place_find(s, cli->arena, i->name, &out->place, err);
    if (found < 0)
        return -1;
    out->follows = found > 0;
    out->job = count > 0 ? &jobs[0] : NULL;
    out->spool = spool_look(cli->data_dir, i->target_schema);
    out->held_by = holder_of(cli->arena, i);
    return 0;
}

/* --- all integrations
 * ------------------------------------------------------------------- */

static void emit_look(struct buf *out, const char *key, const struct look *l)
{
    const struct integration *i = l->integration;
    emit_begin(out, key, '{');
    emit_text(out, "name", i->name);
    emit_text(out, "source", i->source);
    emit_text(out, "destination", i->destination);
    emit_text(out, "target_schema", i->target_schema);
    emit_raw(out, "options", i->options.len == 0 ? STR("{}") : i->options);
    emit_time(out, "created_at", i->created_at);
    if (l->job == NULL)
        emit_null(out, "last_run");
    else
        report_print_job(out, "last_run", l->job);
    emit_number(out, "rows_applied", l->applied);
    emit_number(out, "waiting_epochs", l->spool.epochs);
    emit_number(out, "spool_bytes", l->spool.bytes);
    emit_text_or_null(out, "destination_held_by", l->held_by);
    emit_end(out, '}');
}

static void print_looks_json(struct buf *out, const struct look *looks, size_t count)
{
    buf_add_char(out, '{');
    emit_begin(out, "integrations", '[');
    for (size_t i = 0; i < count; i++)
        emit_look(out, NULL, &looks[i]);
    emit_end(out, ']');
    buf_add_text(out, "}\n");
}

static void add_last_run(struct table *t, const struct look *l)
{
    char when[WHEN_TEXT_MAX];
    if (l->job == NULL) {
        table_add(t, STR("never ran"));
        table_add(t, STR("-"));
    } else if (l->job->outcome == JOB_RUNNING) {
        table_printf(t, "running, pid %lld", (long long)l->job->pid);
        table_add(t, str_of(emit_when(when, l->job->started_at)));
    } else {
        table_add(t, str_of(job_outcome_name(l->job->outcome)));
        table_add(t, str_of(emit_when(when, l->job->ended_at)));
    }
}

static void print_looks(struct buf *out, const struct look *looks, size_t count)
{
    static const char *const HEADS[] = {
        "name",     "source",  "destination", "last run",
        "at (UTC)", ">tables", ">rows",       ">waiting"
    };
    if (count == 0) {
        buf_add_text(out,
                     "no integration is recorded; `tailrace sync SOURCE DESTINATION` "
                     "makes one\n");
        return;
    }
    struct table *t = table_new(HEADS, sizeof HEADS / sizeof *HEADS);
    for (size_t i = 0; i < count; i++) {
        char number[32];
        const struct look *l = &looks[i];
        table_add(t, l->integration->name);
        table_add(t, l->integration->source);
        table_add(t, l->integration->destination);
        add_last_run(t, l);
        table_printf(t, "%zu", l->row_count);
        table_number(number, l->applied);
        table_add(t, str_of(number));
        table_number(number, l->spool.epochs);
        table_add(t, str_of(number));
    }
    table_print(t, out);
    table_free(t);
    for (size_t i = 0; i < count; i++)
        if (looks[i].held_by.len > 0)
            buf_printf(out, STR_FMT " is open in " STR_FMT "\n",
                       STR_ARG(looks[i].integration->destination),
                       STR_ARG(looks[i].held_by));
}

static int status_all(struct cli *cli, struct state *s, struct buf *out,
                      struct error *err)
{
    struct integration *all = NULL;
    size_t count = 0;
    if (state_integration_list(s, cli->arena, &all, &count, err) != 0)
        return -1;
    CLEANUP(free_pointer) struct look *looks = xcalloc(count + 1, sizeof *looks);
    for (size_t i = 0; i < count; i++)
        if (look_at(cli, s, &all[i], &looks[i], err) != 0)
            return -1;
    if (cli->json)
        print_looks_json(out, looks, count);
    else
        print_looks(out, looks, count);
    return 0;
}

/* --- one integration
 * -------------------------------------------------------------------- */

#define HOUR_US (3600LL * 1000 * 1000)

/* When the place was seen; the source's clock may be ahead of ours. */
static int64_t behind_us(const struct look *l)
{
    int64_t us = l->place.seen_at - l->place.fresh_to;
    return us < 0 ? 0 : us;
}

/* How far behind only while somebody follows: a job that has ended is behind anyhow. */
static void print_fresh(struct buf *out, const struct look *l)
{
    char when[WHEN_TEXT_MAX];
    if (l->place.fresh_to == 0)
        return;
    buf_printf(out, "fresh        as of %s UTC", emit_when(when, l->place.fresh_to));
    if (l->job != NULL && l->job->outcome == JOB_RUNNING)
        buf_printf(out, ", %lld s behind", (long long)(behind_us(l) / (1000 * 1000)));
    buf_add_char(out, '\n');
}

static void print_place(struct cli *cli, struct buf *out, const struct look *l)
{
    struct log_position at = { 0 };
    struct error ignored = { 0 };
    char when[WHEN_TEXT_MAX];
    if (!l->follows ||
        log_position_parse(cli->arena, l->place.position, &at, &ignored) != 0)
        return;
    buf_printf(out, "log          " STR_FMT "%s%llu", STR_ARG(at.file),
               at.file.len > 0 ? ":" : "", (unsigned long long)at.offset);
    if (at.last_at != 0)
        buf_printf(out, ", last commit %s UTC", emit_when(when, at.last_at));
    if (l->place.headroom_us == INT64_MAX)
        buf_add_text(out, ", the source keeps its log");
    else if (l->place.headroom_us >= 0)
        buf_printf(out, ", good for %lld h", (long long)(l->place.headroom_us / HOUR_US));
    buf_add_char(out, '\n');
    print_fresh(out, l);
    if (at.gtid.len > 0)
        buf_printf(out, "gtid         " STR_FMT "\n", STR_ARG(at.gtid));
}

static void emit_place(struct cli *cli, struct buf *out, const struct look *l)
{
    struct log_position at = { 0 };
    struct error ignored = { 0 };
    if (!l->follows ||
        log_position_parse(cli->arena, l->place.position, &at, &ignored) != 0) {
        emit_null(out, "log");
        return;
    }
    emit_begin(out, "log", '{');
    emit_text(out, "file", at.file);
    emit_number(out, "offset", at.offset);
    emit_text(out, "gtid", at.gtid);
    emit_time(out, "last_commit", at.last_at);
    emit_time(out, "seen_at", l->place.seen_at);
    emit_time(out, "fresh_to", l->place.fresh_to);
    if (l->place.fresh_to != 0 && l->job != NULL && l->job->outcome == JOB_RUNNING)
        emit_number(out, "behind_seconds", (uint64_t)(behind_us(l) / (1000 * 1000)));
    else
        emit_null(out, "behind_seconds");
    if (l->place.headroom_us >= 0 && l->place.headroom_us != INT64_MAX)
        emit_number(out, "headroom_hours", (uint64_t)(l->place.headroom_us / HOUR_US));
    else
        emit_null(out, "headroom_hours");
    emit_end(out, '}');
}

static void print_spool(struct buf *out, const struct look *l)
{
    char size[16];
    table_bytes(size, l->spool.bytes);
    buf_printf(out, "spool        %llu epoch%s waiting, %s\n",
               (unsigned long long)l->spool.epochs, l->spool.epochs == 1 ? "" : "s",
               size);
    if (l->held_by.len > 0)
        buf_printf(out, "held by      " STR_FMT "\n", STR_ARG(l->held_by));
}

static void print_head(struct buf *out, const struct look *l)
{
    const struct integration *i = l->integration;
    char when[WHEN_TEXT_MAX];
    buf_printf(out,
               "name         " STR_FMT "\nsource       " STR_FMT "\ndestination  " STR_FMT
               "\nschema       " STR_FMT "\n",
               STR_ARG(i->name), STR_ARG(i->source), STR_ARG(i->destination),
               STR_ARG(i->target_schema));
    if (i->options.len > 2)
        buf_printf(out, "options      " STR_FMT "\n", STR_ARG(i->options));
    if (l->job == NULL)
        buf_add_text(out, "last run     never\n");
    else if (l->job->outcome == JOB_RUNNING)
        buf_printf(out, "last run     %lld, running since %s UTC, pid %lld\n",
                   (long long)l->job->id, emit_when(when, l->job->started_at),
                   (long long)l->job->pid);
    else
        buf_printf(out, "last run     %lld, %s %s UTC\n", (long long)l->job->id,
                   job_outcome_name(l->job->outcome), emit_when(when, l->job->ended_at));
    if (l->job != NULL && l->job->error.len > 0)
        buf_printf(out, "error        " STR_FMT "\n", STR_ARG(l->job->error));
    if (l->job != NULL && l->job->hint.len > 0)
        buf_printf(out, "hint         " STR_FMT "\n", STR_ARG(l->job->hint));
    print_spool(out, l);
}

static void add_table_name(struct table *t, struct str database, struct str name)
{
    struct buf text;
    buf_init(&text, PATH_BYTES);
    buf_printf(&text, STR_FMT "." STR_FMT, STR_ARG(database), STR_ARG(name));
    table_add(t, buf_str(&text));
    buf_done(&text);
}

static void print_reported(struct buf *out, const struct look *l)
{
    static const char *const HEADS[] = { "table", "state", ">rows", "as of (UTC)",
                                         "why" };
    if (l->row_count == 0)
        return;
    struct table *t = table_new(HEADS, sizeof HEADS / sizeof *HEADS);
    for (size_t i = 0; i < l->row_count; i++) {
        const struct report_row *r = &l->rows[i];
        char number[32], between[BETWEEN_TEXT_MAX];
        add_table_name(t, r->database, r->table);
        table_add(t, status_trouble_state(&l->trouble, r->database, r->table, r->state));
        table_number(number, r->applied);
        table_add(t, str_of(number));
        table_add(t, str_of(emit_between(between, r->first_read_at, r->last_read_at)));
        table_add(t, r->error);
    }
    buf_printf(out, "\ntables, by the report of run %lld:\n", (long long)l->reported_by);
    table_print(t, out);
    table_free(t);
    for (size_t i = 0; i < l->row_count; i++)
        report_print_since(out, l->rows[i].database, l->rows[i].table, l->rows[i].since);
}

static const char *stream_state_name(enum stream_state state)
{
    switch (state) {
    case STREAM_NONE:
        return "none";
    case STREAM_COPYING:
        return "copying";
    case STREAM_LIVE:
        return "live";
    case STREAM_FAILED:
        return "failed";
    case STREAM_PARKED:
        return "parked";
    case STREAM_GONE:
        return "gone";
    }
    return "none";
}

static void print_marks(struct buf *out, struct arena *a, const struct mark_list *m)
{
    static const char *const HEADS[] = { "table",        "state",       ">version",
                                         ">rows",        "as of (UTC)", "joined (UTC)",
                                         ">copy version" };
    struct table *t = table_new(HEADS, sizeof HEADS / sizeof *HEADS);
    for (size_t i = 0; i < m->stream_count; i++) {
        const struct stream_mark *s = &m->streams[i];
        char number[32], between[BETWEEN_TEXT_MAX], when[WHEN_TEXT_MAX];
        add_table_name(t, s->database, s->table);
        table_add(t, str_of(stream_state_name(s->state)));
        table_printf(t, "%llu", (unsigned long long)s->live_version);
        table_number(number, s->rows);
        table_add(t, str_of(number));
        table_add(t, str_of(emit_between(between, s->first_read_at, s->last_read_at)));
        table_add(t, str_of(emit_when(when, s->loaded_at)));
        table_printf(t, "%llu", (unsigned long long)s->copy_version);
    }
    buf_printf(out, "\ntables, by the destination:\n");
    if (m->stream_count == 0)
        buf_add_text(out, "none yet\n");
    else
        table_print(t, out);
    table_free(t);
    for (size_t i = 0; i < m->stream_count; i++)
        report_print_since(out, m->streams[i].database, m->streams[i].table,
                           log_start_since(a, &m->streams[i]));
}

static void emit_reported(struct buf *out, const struct look *l)
{
    emit_number(out, "reported_by_run", (uint64_t)l->reported_by);
    emit_begin(out, "tables", '[');
    for (size_t i = 0; i < l->row_count; i++) {
        const struct report_row *r = &l->rows[i];
        emit_begin(out, NULL, '{');
        emit_text(out, "database", r->database);
        emit_text(out, "table", r->table);
        emit_text(out, "state",
                  status_trouble_state(&l->trouble, r->database, r->table, r->state));
        emit_number(out, "rows_applied", r->applied);
        emit_number(out, "quarantined", r->quarantined);
        emit_time(out, "first_read_at", r->first_read_at);
        emit_time(out, "last_read_at", r->last_read_at);
        emit_text_or_null(out, "error", r->error);
        emit_text_or_null(out, "since", r->since);
        emit_end(out, '}');
    }
    emit_end(out, ']');
}

static void emit_marks(struct buf *out, struct arena *a, const struct mark_list *m)
{
    emit_text_or_null(out, "destination_id", m->destination_id);
    emit_begin(out, "streams", '[');
    for (size_t i = 0; i < m->stream_count; i++) {
        const struct stream_mark *s = &m->streams[i];
        emit_begin(out, NULL, '{');
        emit_text(out, "database", s->database);
        emit_text(out, "table", s->table);
        emit_text(out, "target", s->target);
        emit_text(out, "lane", s->lane);
        emit_text(out, "state", str_of(stream_state_name(s->state)));
        emit_text(out, "live_state", str_of(stream_state_name(s->live_state)));
        emit_text_or_null(out, "note", s->note);
        emit_number(out, "live_version", s->live_version);
        emit_number(out, "copy_version", s->copy_version);
        emit_number(out, "rows", s->rows);
        emit_text_or_null(out, "since", log_start_since(a, s));
        emit_time(out, "joined_at", s->loaded_at);
        emit_time(out, "first_read_at", s->first_read_at);
        emit_time(out, "last_read_at", s->last_read_at);
        emit_end(out, '}');
    }
    emit_end(out, ']');
}

static int status_one(struct cli *cli, struct state *s, struct buf *out,
                      struct error *err)
{
    struct integration i = { 0 };
    struct mark_list marks = { 0 };
    struct look look;
    bool ask = option_bool(cli->values, "streams");
    if (cli_integration(cli, s, str_of(cli->operands[0]), &i, err) != 0 ||
        look_at(cli, s, &i, &look, err) != 0 ||
        (ask && probe_marks(cli->arena, &i, cli->cancel, &marks, err) != 0))
        return -1;
    if (cli->json) {
        buf_add_char(out, '{');
        emit_look(out, "integration", &look);
        emit_place(cli, out, &look);
        emit_reported(out, &look);
        status_trouble_emit(out, &look.trouble);
        if (ask)
            emit_marks(out, cli->arena, &marks);
        buf_add_text(out, "}\n");
        return 0;
    }
    print_head(out, &look);
    print_place(cli, out, &look);
    if (ask)
        print_marks(out, cli->arena, &marks);
    else
        print_reported(out, &look);
    status_trouble_print(out, &look.trouble, i.name);
    return 0;
}

/* --- the command
 * ------------------------------------------------------------------------ */

static int run_status(struct cli *cli, struct error *err)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUTPUT_BYTES);
    if (cli->operand_count == 0 && option_bool(cli->values, "streams")) {
        (void)error_set(err, ERR_CONFIG, "--streams needs the name of an integration");
        err->hint = "`tailrace status` lists the names.";
        return -1;
    }
    struct state *s = cli_state(cli, err);
    if (s == NULL)
        return -1;
    int rc = cli->operand_count == 0 ? status_all(cli, s, &out, err)
                                     : status_one(cli, s, &out, err);
    state_close(s);
    if (rc != 0 || buf_check(&out, "the status as text", err) != 0)
        return -1;
    cli_write(&out);
    return EXIT_OK;
}

const struct command cmd_status = {
    .name = "status",
    .operands = "[NAME]",
    .summary = "show integrations, their last run, and what waits",
    .text =
        "Without NAME one line per integration: where from, where to, how the last run "
        "ended or which process runs now, tables and rows by the last report, and "
        "captured "
        "epochs that wait for the destination. Below it, which program has a DuckDB file "
        "open.\n\n"
        "With NAME also the state of each table. A table read by pages is the source "
        "between two moments, both shown: exact for rows that did not change in "
        "between.\n\n"
        "Examples:\n"
        "  tailrace status\n"
        "  tailrace status shop --streams\n",
    .options = STATUS_OPTIONS,
    .min_operands = 0,
    .max_operands = 1,
    .run = run_status,
};
