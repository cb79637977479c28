/* See integration.h. */
#include "sync/integration.h"

#include "avro/name.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>

/* A file's absolute path, so that the next command may run from another folder. */
static int absolute_location(struct arena *a, struct url_destination *d,
                             struct error *err)
{
    if (d->location.len > 0 && d->location.ptr[0] == '/')
        return 0;
    char *folder = realpath(".", NULL);
    if (folder == NULL)
        return error_set(err, ERR_IO, "the current folder has no path");
    d->location = arena_printf(a, "%s/" STR_FMT, folder, STR_ARG(d->location));
    free(folder);
    return 0;
}

static int check_destination(const struct url_destination *d, struct error *err)
{
    if (!str_eq(d->scheme, STR("duckdb"))) {
        (void)error_set(err, ERR_CONFIG, "no destination is called '" STR_FMT "'",
                        STR_ARG(d->scheme));
        err->hint = "Write duckdb:path/to/file.duckdb.";
        return -1;
    }
    if (d->location.len == 0) {
        (void)error_set(err, ERR_CONFIG, "the destination names no file");
        err->hint = "Write duckdb:path/to/file.duckdb.";
        return -1;
    }
    return 0;
}

static int check_schema(struct state *s, struct arena *a, const struct integration *want,
                        struct error *err)
{
    struct integration *all = NULL;
    size_t count = 0;
    if (state_integration_list(s, a, &all, &count, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (!str_eq(all[i].target_schema, want->target_schema))
            continue;
        (void)error_set(err, ERR_CONFIG,
                        "integration '" STR_FMT "' has the destination schema '" STR_FMT
                        "' already",
                        STR_ARG(all[i].name), STR_ARG(want->target_schema));
        err->hint = "Choose a --name that differs in more than case and punctuation.";
        return -1;
    }
    return 0;
}

static struct str printed(struct arena *a, const struct url_source *source,
                          const struct url_destination *destination)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, URL_LIMIT * 3);
    if (source != NULL)
        url_print_source(&b, source);
    else
        url_print_destination(&b, destination);
    return arena_str(a, buf_str(&b));
}

/* Another server may hold other rows under the same keys: what is half copied from the
 * one is not completed from the other. Tables that are followed by the log go on where
 * the new source's log proves to be the same one (source/log_resume.c). */
static int check_source(struct state *s, struct arena *a, const struct integration *old,
                        const struct url_source *now, struct error *err)
{
    struct url_source before = { 0 };
    struct secret *in_url = NULL;
    if (url_parse_source(a, old->source, &before, &in_url, err) != 0)
        return -1;
    secret_free(in_url);
    if (str_eq(before.host, now->host) && before.port == now->port &&
        str_eq(before.socket, now->socket))
        return 0;
    log_event(
        LOG_INFO,
        "the integration has another source now: copies that are not done begin anew",
        F_STR("integration", old->name), F_STR("before", old->source));
    return state_source_changed(s, old->name, err);
}

/* Runs looked at; an integration with more has certainly copied something. */
#define FEW_RUNS 100

/* 1: every run so far failed before it came to a table, so nothing is anywhere. */
static int is_untouched(struct state *s, struct arena *a, struct str name,
                        struct error *err)
{
    struct job_row *jobs = NULL;
    struct report_row *rows = NULL;
    size_t job_count = 0, count = 0;
    struct job_page newest = { .integration = name, .limit = FEW_RUNS };
    if (state_job_list(s, a, &newest, &jobs, &job_count, err) != 0)
        return -1;
    for (size_t i = 0; i < job_count && count == 0; i++)
        if (jobs[i].outcome != JOB_FAILED)
            return 0;
        else if (state_report_list(s, a, jobs[i].id, &rows, &count, err) != 0)
            return -1;
    return job_count < FEW_RUNS && count == 0;
}

/* A name keeps its file: what is half copied into one is not completed in another. Until
 * something was copied the file may be another, since it was perhaps mistyped. */
static int check_file(struct state *s, struct arena *a, const struct integration *old,
                      struct str location, struct error *err)
{
    struct url_destination before = { 0 };
    if (url_parse_destination(a, old->destination, &before, err) != 0)
        return -1;
    if (str_eq(before.location, location))
        return 0;
    int untouched = is_untouched(s, a, old->name, err);
    if (untouched != 0)
        return untouched < 0 ? -1 : 0;
    (void)error_set(err, ERR_CONFIG, "integration '" STR_FMT "' loads into '" STR_FMT "'",
                    STR_ARG(old->name), STR_ARG(before.location));
    err->hint = "Give another --name to load into another file as well.";
    return -1;
}

int integration_record(struct state *s, struct arena *a,
                       const struct integration_request *r, struct integration *out,
                       struct error *err)
{
    struct url_destination d = *r->destination;
    if (check_destination(&d, err) != 0 || absolute_location(a, &d, err) != 0)
        return -1;
    CLEANUP(buf_done) struct buf json;
    buf_init(&json, (size_t)1 << 20);
    option_values_json(&json, r->options);
    struct integration old = { 0 };
    struct integration i = { .name = r->name,
                             .source = printed(a, r->source, NULL),
                             .destination = printed(a, NULL, &d),
                             .target_schema = avro_schema_name(a, r->name),
                             .options = arena_str(a, buf_str(&json)),
                             .created_at = clock_wall_us() };
    int found = state_integration_find(s, a, r->name, &old, err);
    if (found < 0 || buf_check(&json, "the options of an integration", err) != 0)
        return -1;
    if (found == 0 && check_schema(s, a, &i, err) != 0)
        return -1;
    if (found == 1) {
        if (check_file(s, a, &old, d.location, err) != 0)
            return -1;
        if (check_source(s, a, &old, r->source, err) != 0)
            return -1;
        i.target_schema = old.target_schema;
        i.created_at = old.created_at;
    }
    if (state_integration_save(s, &i, err) != 0)
        return -1;
    *out = i;
    return 0;
}

struct option_values *integration_options(struct arena *a, const struct integration *i,
                                          struct sync_options *out, struct error *err)
{
    struct option_values *v = option_values_new(sync_option_table());
    if ((i->options.len == 0 || option_set_json(v, i->options, err) == 0) &&
        sync_options_parse(a, v, out, err) == 0)
        return v;
    option_values_free(v);
    return NULL;
}
