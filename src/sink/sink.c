#include "sink/sink.h"

#include "avro/schema.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault.h"
#include "sink/contract.h"
#include "sink/duckdb.h"
#include "spool/epoch.h"

#include <stdlib.h>

static const struct sink_ops *const sinks[] = {
    &duckdb_sink_ops,
    NULL,
};

const struct sink_ops *sink_find(struct str scheme)
{
    for (size_t i = 0; sinks[i] != NULL; i++)
        if (str_eq(scheme, str_of(sinks[i]->name)))
            return sinks[i];
    return NULL;
}

/* An epoch while it is loaded. */
struct epoch_load {
    struct sink *s;
    struct arena *a;
    const char *dir;
    const struct manifest *m;
    struct load_outcome *out;
};

static int load_shapes(struct epoch_load *l, size_t stream, struct error *err)
{
    const struct manifest_stream *st = &l->m->streams[stream];
    bool any = false;
    for (size_t i = 0; i < l->m->shape_count; i++) {
        struct table_schema want = { 0 };
        if (l->m->shapes[i].stream != stream)
            continue;
        if (avro_schema_read(l->a, l->m->shapes[i].schema_json, &want, err) != 0 ||
            l->s->ops->shape(l->s, st, &want, err) != 0)
            return -1;
        any = true;
    }
    if (!any && (st->actions & (ACTION_BEGIN | ACTION_HOLD)) != 0)
        return error_set(err, ERR_PROTOCOL, "a version begins without a shape");
    return 0;
}

static int load_segments(struct epoch_load *l, size_t stream, enum segment_kind kind,
                         struct error *err)
{
    const struct manifest_stream *st = &l->m->streams[stream];
    struct load_stream *out = &l->out->streams[stream];
    for (size_t i = 0; i < l->m->segment_count; i++) {
        struct epoch_map map = { 0 };
        uint32_t of = l->m->segments[i].stream;
        bool shared = kind == SEGMENT_ROWS && st->rows_of == of + 1;
        if ((of != stream && !shared) || l->m->segments[i].kind != kind)
            continue;
        if (epoch_map_segment(l->dir, l->m, i, &map, err) != 0)
            return -1;
        int rc = kind == SEGMENT_ROWS
                     ? l->s->ops->load(l->s, st, map.container, out, err)
                     : l->s->ops->reject(l->s, st, map.container, out, err);
        l->out->bytes += map.container.len;
        epoch_unmap(&map);
        if (rc != 0)
            return -1;
    }
    return 0;
}

static int load_one_stream(struct epoch_load *l, size_t stream, struct error *err)
{
    const struct manifest_stream *st = &l->m->streams[stream];
    /* Its rows go with it, and its beginning where that is in this epoch too; what was
     * rejected tells why. */
    if ((st->actions & ACTION_ABANDON) != 0)
        return l->s->ops->abandon(l->s, st, err) != 0
                   ? -1
                   : load_segments(l, stream, SEGMENT_REJECTS, err);
    struct load_stream *out = &l->out->streams[stream];
    bool leaves = (st->actions & (ACTION_PARK | ACTION_GONE | ACTION_COPIED)) != 0;
    if ((st->changes && l->s->ops->prepare(l->s, st, err) != 0) ||
        load_shapes(l, stream, err) != 0 ||
        load_segments(l, stream, SEGMENT_ROWS, err) != 0 ||
        load_segments(l, stream, SEGMENT_REJECTS, err) != 0 ||
        (st->changes && l->s->ops->change(l->s, st, out, err) != 0))
        return -1;
    if ((st->actions & ACTION_JOIN) != 0 && l->s->ops->join(l->s, st, out, err) != 0)
        return -1;
    return leaves ? l->s->ops->leave(l->s, st, err) : 0;
}

static int load_streams(struct epoch_load *l, const bool *excluded, struct error *err)
{
    for (size_t i = 0; i < l->m->stream_count; i++) {
        const struct manifest_stream *st = &l->m->streams[i];
        if (excluded != NULL && excluded[i])
            continue;
        if (load_one_stream(l, i, err) == 0)
            continue;
        (void)error_wrap(err, "loading '" STR_FMT "." STR_FMT "'", STR_ARG(st->database),
                         STR_ARG(st->table));
        if (contract_is_stream_fault(err))
            l->out->failed_stream = (int)i;
        return -1;
    }
    return 0;
}

/* A stream that was left out takes along what follows it in the same version: no sweep
 * without the changes that were read before it. */
static const bool *leave_out(struct epoch_load *l, const bool *excluded)
{
    const struct manifest *m = l->m;
    if (excluded == NULL)
        return NULL;
    bool *out = ARENA_ARRAY(l->a, bool, m->stream_count + 1);
    for (size_t i = 0; i < m->stream_count; i++) {
        if (!excluded[i])
            continue;
        for (size_t k = i; k < m->stream_count; k++)
            if (k == i || (m->streams[k].version == m->streams[i].version &&
                           str_eq(m->streams[k].table, m->streams[i].table) &&
                           str_eq(m->streams[k].database, m->streams[i].database)))
                out[k] = true;
    }
    return out;
}

/* ---- failures of streams ------------------------------------------------------------
 */

struct str sink_failure_text(const struct sink *s, const struct manifest *m, size_t i)
{
    for (size_t k = s->failure_count; k-- > 0;) {
        const struct sink_failure *f = &s->failures[k];
        if (f->stream == i && f->epoch == m->number && str_eq(str_of(f->lane), m->lane))
            return str_of(f->text);
    }
    return STR("it failed at loading");
}

static void remember_failure(struct sink *s, const struct manifest *m, int stream,
                             const struct error *err)
{
    if (stream < 0 || m->lane.len >= sizeof(s->failures->lane))
        return;
    s->failures = xreallocarray(s->failures, s->failure_count + 1, sizeof(*s->failures));
    struct sink_failure *f = &s->failures[s->failure_count++];
    *f = (struct sink_failure){ .epoch = m->number, .stream = (size_t)stream };
    memcpy(f->lane, m->lane.ptr, m->lane.len);
    (void)snprintf(f->text, sizeof(f->text), "%s", err->text);
}

/* Of an epoch that is loaded nobody asks again. */
static void forget_failures(struct sink *s, const struct manifest *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->failure_count; i++)
        if (s->failures[i].epoch != m->number ||
            !str_eq(str_of(s->failures[i].lane), m->lane))
            s->failures[kept++] = s->failures[i];
    s->failure_count = kept;
}

static int load_in_transaction(struct epoch_load *l, const bool *excluded,
                               struct error *err)
{
    excluded = leave_out(l, excluded);
    if (l->s->ops->begin(l->s, l->m, err) != 0)
        return -1;
    if (load_streams(l, excluded, err) != 0 ||
        l->s->ops->commit(l->s, l->m, excluded, err) != 0) {
        l->s->ops->rollback(l->s);
        return -1;
    }
    return 0;
}

/* What the driver holds of epochs before may be what takes the memory: then once more. */
static int load_with_relief(struct epoch_load *l, const bool *excluded, struct error *err)
{
    struct load_outcome *out = l->out;
    if (load_in_transaction(l, excluded, err) == 0)
        return 0;
    if (err->code != ERR_LIMIT || l->s->ops->relieve == NULL || !l->s->ops->relieve(l->s))
        return -1;
    *err = (struct error){ 0 };
    out->failed_stream = -1;
    out->bytes = 0;
    for (size_t i = 0; i < out->stream_count; i++)
        out->streams[i] = (struct load_stream){ .database = out->streams[i].database,
                                                .table = out->streams[i].table };
    return load_in_transaction(l, excluded, err);
}

/* Invariants 5 and 7: at or below the mark is loaded already, else it must be the next.
 */
static int compare_with_mark(struct epoch_load *l, bool *loaded, struct error *err)
{
    struct mark_list marks = { 0 };
    uint64_t mark = 0;
    if (l->s->ops->marks(l->s, l->a, l->m->integration, &marks, err) != 0)
        return -1;
    if (!str_eq(marks.destination_id, l->m->destination_id)) {
        (void)error_set(err, ERR_CONFIG,
                        "epoch %llu was captured for another destination ('" STR_FMT "')",
                        (unsigned long long)l->m->number, STR_ARG(l->m->destination_id));
        err->hint = "Bring the old destination back, or reset the integration to copy "
                    "anew.";
        return -1;
    }
    for (size_t i = 0; i < marks.lane_count; i++)
        if (str_eq(marks.lanes[i].lane, l->m->lane))
            mark = marks.lanes[i].epoch;
    *loaded = l->m->number <= mark;
    if (l->m->number > mark + 1)
        return error_set(err, ERR_POSITION,
                         "epoch %llu of lane '" STR_FMT
                         "' does not follow the destination's mark, %llu",
                         (unsigned long long)l->m->number, STR_ARG(l->m->lane),
                         (unsigned long long)mark);
    return 0;
}

int sink_load_epoch(struct sink *s, struct arena *a, const char *epoch_dir,
                    const bool *excluded, struct load_outcome *out, struct error *err)
{
    struct manifest m = { 0 };
    struct load_outcome result = { .failed_stream = -1 };
    struct epoch_load l = { .s = s, .a = a, .dir = epoch_dir, .m = &m, .out = &result };
    int64_t start = clock_mono_us();
    out->failed_stream = -1;
    if (epoch_open(a, epoch_dir, &m, err) != 0)
        return -1;
    result.stream_count = m.stream_count;
    result.streams = ARENA_ARRAY(a, struct load_stream, m.stream_count + 1);
    for (size_t i = 0; i < m.stream_count; i++) {
        result.streams[i].database = m.streams[i].database;
        result.streams[i].table = m.streams[i].table;
    }
    int rc = compare_with_mark(&l, &result.already_loaded, err);
    if (rc == 0 && !result.already_loaded)
        rc = load_with_relief(&l, excluded, err);
    if (rc != 0) {
        out->failed_stream = result.failed_stream;
        remember_failure(s, &m, result.failed_stream, err);
        return -1;
    }
    forget_failures(s, &m);
    result.took_us = clock_mono_us() - start;
    *out = result;
    return 0;
}

void sink_close(struct sink *s)
{
    if (s == NULL)
        return;
    free(s->failures);
    s->ops->close(s);
}

int sink_reset(struct sink *s, const struct reset_request *r, struct error *err)
{
    return s->ops->reset(s, r, err);
}
