/* See log_start.h. */
#include "sync/log_start.h"

#include "base/clock.h"
#include "source/check.h"
#include "sync/method.h"
#include "sync/spooler.h"

#include <inttypes.h>

#define PLACE_SHOWN 160

#define HINT_RESET                                                                      \
    "What it has stays as it is. `tailrace reset NAME TABLE` makes the next run begin " \
    "it again, as its option start says then."

/* --- may it ----------------------------------------------------------------------------
 */

struct str log_start_refusal(struct arena *a, const struct plan_context *c,
                             const struct catalog_table *t,
                             const struct stream_options *o)
{
    if (o->start == START_COPY)
        return (struct str){ 0 };
    if (o->method != METHOD_LOG)
        return arena_printf(a,
                            "option 'start': method '%s' copies it whole; only what "
                            "follows the log can begin without its rows",
                            sync_method_name(o->method));
    if (c->ability != NULL && !c->ability->full_images)
        return STR("option 'start': binlog_row_image is not FULL, so a change of a row "
                   "that was never copied cannot be completed");
    if (c->ability != NULL && check_cascade_hash(c->ability, &t->schema, false) != 0)
        return STR("option 'start': a foreign key changes its rows unlogged, and what it "
                   "does to a row that was never copied cannot be told");
    if (t->key == KEY_NONE && o->load != LOAD_APPEND)
        return STR("option 'start': it has no key, so a change of a row that was never "
                   "copied is a change of nothing; with load append its changes are "
                   "kept one by one");
    return (struct str){ 0 };
}

/* --- where it began --------------------------------------------------------------------
 */

/* log_position text, or empty. */
static struct str place_of(struct arena *a, struct str bookmark)
{
    struct key_bookmark b = { 0 };
    struct error ignored = { 0 };
    if (bookmark.len == 0 || key_bookmark_parse(a, bookmark, &b, &ignored) != 0)
        return (struct str){ 0 };
    return b.column.len == 0 ? b.from : (struct str){ 0 };
}

void log_start_recall(struct stream *st, const struct stream_mark *m)
{
    st->since = place_of(st->arena, m->bookmark);
    if (st->since.len > 0)
        st->bookmark = arena_str(st->arena, m->bookmark);
}

static void take_place(struct stream *st, struct str place)
{
    const struct key_anchor none = { 0 };
    struct key_bookmark b = {
        .anchors = &none, .anchor_count = 1, .from = place, .definition = st->definition
    };
    st->since = arena_str(st->arena, place);
    st->bookmark = key_bookmark_format(st->arena, &b);
}

int log_start_at(const struct plan_context *c, struct stream *st, struct str place,
                 struct error *err)
{
    struct stream_name of = plan_stream_name(c, st);
    take_place(st, place);
    return state_since_save(c->state, &of, st->version, st->since, err);
}

struct str log_start_text(struct arena *a, struct str place)
{
    struct log_position p = { 0 };
    struct error ignored = { 0 };
    if (place.len == 0 || log_position_parse(a, place, &p, &ignored) != 0)
        return (struct str){ 0 };
    if (p.file.len > 0)
        return arena_printf(a, STR_FMT ":%" PRIu64, STR_ARG(p.file), p.offset);
    if (p.gtid.len <= PLACE_SHOWN)
        return p.gtid;
    return arena_printf(a, "%.*s...", PLACE_SHOWN, p.gtid.ptr);
}

struct str log_start_since(struct arena *a, const struct stream_mark *m)
{
    bool live = m->live_version != 0;
    return live ? log_start_text(a, place_of(a, m->bookmark)) : (struct str){ 0 };
}

/* --- in this run -----------------------------------------------------------------------
 */

static int refuse(struct stream *st, const struct stream_mark *m)
{
    bool parked = m->live_state != STREAM_LIVE && m->note.len > 0;
    (void)error_set(
        &st->why, ERR_SCHEMA,
        "it began without its rows and cannot be followed further: " STR_FMT,
        STR_ARG(parked ? m->note : STR("its columns or options are others now")));
    st->why.hint = HINT_RESET;
    st->version = m->live_version;
    st->since = place_of(st->arena, m->bookmark);
    st->phase = PHASE_FAILED;
    atomic_store(&st->failed, true);
    return 1;
}

static void is_whole(struct stream *st)
{
    st->phase = PHASE_READ;
    atomic_store(&st->copied, true);
    atomic_store(&st->started_at, clock_mono_us());
    atomic_store(&st->ended_at, clock_mono_us());
}

/* Its changes are held since an earlier run. */
static int go_on(const struct plan_context *c, struct stream *st,
                 const struct stream_mark *m, const struct log_versions *v,
                 struct error *err)
{
    struct stream_name of = plan_stream_name(c, st);
    struct str place = { 0 };
    uint64_t version = 0;
    if (m == NULL || m->held_version == 0 || m->held_version < v->newest ||
        m->held_version <= m->live_version)
        return 0;
    int found = state_since_find(c->state, st->arena, &of, &version, &place, err);
    if (found <= 0 || version != m->held_version)
        return found < 0 ? -1 : 0;
    take_place(st, place);
    st->starts_empty = st->held_before = true;
    st->version = version;
    st->sequence = m->copy_version == version ? m->copy_sequence : 1;
    if (m->copy_version == version && m->copied && str_eq(m->copy_bookmark, st->bookmark))
        is_whole(st);
    else if (m->copy_version != 0 && m->copy_version != version)
        spooler_replace(st, m->copy_version, m->copy_join);
    return 1;
}

static void next_version(struct stream *st, const struct stream_mark *m, uint64_t newest)
{
    st->version = newest;
    if (m == NULL)
        return;
    const uint64_t known[] = { m->live_version, m->copy_version, m->held_version };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        st->version = known[i] > st->version ? known[i] : st->version;
    if (m->copy_version != 0)
        spooler_replace(st, m->copy_version, m->copy_join);
}

int log_start_choose(const struct plan_context *c, struct stream *st,
                     const struct stream_mark *m, const struct log_versions *v,
                     struct error *err)
{
    struct stream_name of = plan_stream_name(c, st);
    bool began =
        m != NULL && m->live_version != 0 && place_of(st->arena, m->bookmark).len > 0;
    if (m != NULL && m->live_version != 0 && v->handed_out <= m->live_version)
        return began ? refuse(st, m) : 0; /* what has rows keeps them */
    int held = go_on(c, st, m, v, err);
    if (held != 0 || st->options.start == START_COPY)
        return held;
    st->starts_empty = true;
    if (st->options.start == START_PLACE) /* where the lane stands would be too late */
        st->still_live = 0;
    next_version(st, m, v->newest);
    st->version++;
    return state_version_set(c->state, &of, st->version, err) != 0 ? -1 : 1;
}

bool log_start_begins_again(const struct stream *st)
{
    if (st->since.len == 0)
        return true;
    return st->starts_empty && st->options.start == START_NOW &&
           !atomic_load(&st->joined);
}
