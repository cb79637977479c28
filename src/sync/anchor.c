/* Anchors of key-based streams. See anchor.h. */
#include "sync/anchor.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "source/key.h"

#include <assert.h>

#define SECOND_US (1000 * 1000)

static bool begins_by_key(const struct stream *st)
{
    return st->options.method == METHOD_KEY && !st->resumed && !st->orphan &&
           st->sweep_of == NULL && st->bookmark.len == 0 && /* a backfill has one */
           !atomic_load(&st->failed);
}

/* The plan has seen that the column is there (method_check). */
static struct key_read key_read_of(const struct stream *st)
{
    const struct column *key = schema_find_column(&st->found->schema, st->options.key);
    assert(key != NULL);
    return (
        struct key_read){ .found = st->found, .key = key, .where = st->options.where };
}

/* What concerns one table alone ends that stream: 0; else -1. */
static int give_up(struct stream *st, struct error *err)
{
    if (err->code == ERR_NETWORK || err->code == ERR_CANCELLED)
        return -1;
    log_event(LOG_WARN, "table given up, the others go on", F_STR("table", st->table),
              F_TEXT("error", err->text));
    st->why = *err;
    st->phase = PHASE_FAILED;
    atomic_store(&st->failed, true);
    *err = (struct error){ 0 };
    return 0;
}

static int first_start(struct stream *st, const struct key_read *k, struct error *err)
{
    const struct str from = st->options.from;
    st->from = (struct str){ 0 };
    return from.len == 0 ? 0 : key_value_read(st->arena, k->key, from, &st->from, err);
}

/* TRUNCATE, a table made anew, and before InnoDB kept its counter (MySQL 8.0, MariaDB
 * 10.2.4) a restart of the server after the newest rows were deleted: AUTO_INCREMENT
 * hands out again what it had handed out. Times go on whatever is deleted. A value that
 * somebody set by hand may lie ahead. */
static bool seems_anew(const struct key_read *k, const struct key_anchor *start,
                       struct str max)
{
    return k->key->auto_increment && start != NULL && start->at > KEY_SET_BY_HAND &&
           key_part_cmp(max, start->max) < 0;
}

/* A row that meets the filter no more lowers its greatest key, too. */
static int look_whether_anew(struct session *s, struct stream *st,
                             const struct key_read *k, struct error *err)
{
    const struct key_anchor *start = key_bookmark_start(&st->before);
    struct key_read all = { .found = k->found, .key = k->key };
    struct key_anchor ignored = { 0 };
    struct str max = st->to;
    st->anew = seems_anew(k, start, max);
    if (!st->anew || k->where.len == 0)
        return 0;
    if (key_take_anchor(s, st->arena, &all, &ignored, &max, err) != 0)
        return -1;
    st->anew = seems_anew(k, start, max);
    return 0;
}

/* Where the read starts: behind what the one before is sure to have. */
static int find_start(struct stream *st, const struct key_read *k, struct error *err)
{
    const struct stream_options *o = &st->options;
    const struct key_anchor *start = key_bookmark_start(&st->before);
    struct str why = { 0 };
    st->from = (struct str){ 0 };
    if (start == NULL || start->max.len == 0)
        return first_start(st, k, err);
    if (st->anew) {
        log_event(LOG_WARN,
                  "the greatest key is below the one that was read before: numbers may "
                  "have been handed out again, all rows are read",
                  F_STR("table", st->table), F_STR("key", k->key->name),
                  F_STR("before", start->max), F_STR("now", st->to));
        return first_start(st, k, err);
    }
    st->from = start->max;
    bool time = key_kind_of(k->key, &why) == KEY_KIND_TIME;
    bool given = time ? o->look_back.us_given : o->look_back.units_given;
    if (!st->before.by_look_back && !given)
        return 0;
    int64_t amount =
        time ? (o->look_back.us + SECOND_US - 1) / SECOND_US : o->look_back.units;
    st->from = key_less(st->arena, k->key, start->max, amount);
    return 0;
}

/* The bookmark that the read leaves. */
static int leave_bookmark(struct stream *st, const struct key_note *server,
                          const struct key_anchor *anchor, struct error *err)
{
    struct key_read k = key_read_of(st);
    struct key_note note = key_note_of(server, &k);
    if (find_start(st, &k, err) != 0)
        return -1;
    const struct key_bookmark *before = st->before.anchor_count == 0 ? NULL : &st->before;
    struct key_bookmark b = key_bookmark_next(st->arena, before, anchor, note.at);
    b.column = k.key->name;
    b.by_look_back = !note.proved;
    b.definition = st->definition;
    b.from = st->from;
    b.to = st->to;
    st->bookmark = key_bookmark_format(st->arena, &b);
    if (!note.proved)
        log_event(
            LOG_WARN,
            "nothing proves the order of this replication key: rows that are committed "
            "late are found within look_back alone",
            F_STR("table", st->table), F_STR("key", k.key->name), F_STR("why", note.why));
    return 0;
}

int anchor_streams(struct session *s, struct stream *streams, size_t count,
                   struct cancel *c, struct error *err)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)256 << 20);
    struct key_anchor *anchors = ARENA_ARRAY(a, struct key_anchor, count + 1);
    int64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        struct stream *st = &streams[i];
        bool filtered = st->options.where.len > 0 && !st->orphan && st->sweep_of == NULL;
        if (filtered && key_check_where(s, st->found, st->options.where, err) != 0 &&
            give_up(st, err) != 0)
            return -1;
        if (!begins_by_key(st))
            continue;
        struct key_read k = key_read_of(st);
        if ((key_take_anchor(s, st->arena, &k, &anchors[i], &st->to, err) != 0 ||
             look_whether_anew(s, st, &k, err) != 0) &&
            give_up(st, err) != 0)
            return -1;
        last = clock_mono_us();
    }
    if (last == 0)
        return 0;
    struct key_note note = { 0 };
    int64_t wait = last + KEY_SETTLE_US - clock_mono_us();
    if (wait > 0 && !clock_wait_us(c, wait))
        return error_set(err, ERR_CANCELLED, "stopped before the first page");
    if (key_take_server_note(s, a, &note, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        struct stream *st = &streams[i];
        if (!begins_by_key(st))
            continue;
        if (leave_bookmark(st, &note, &anchors[i], err) != 0 && give_up(st, err) != 0)
            return -1;
        if (!st->by_key)
            st->from = st->to = (struct str){ 0 }; /* the whole table, by its own key */
    }
    return 0;
}
