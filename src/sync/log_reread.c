/* Rows that the log has in part. See log_reread.h. */
#include "sync/log_reread.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/map.h"
#include "source/handover.h"
#include "source/reread.h"
#include "sync/log_lane_internal.h"

#include <stdlib.h>
#include <string.h>

/* Rows that wait to be read, of all tables, and what their keys take. */
#define REREAD_ROWS_MOST 400000u
#define REREAD_BYTES ((size_t)64 << 20)

/* So many are read at once, whether an epoch is due or not. */
#define REREAD_ROWS_DUE 20000u

#define ROUNDS_MOST 50u
#define CONNECTIONS_MOST 3u

/* How long the server may lag behind what it has sent. */
#define VISIBLE_US (30LL * 1000 * 1000)

#define PLACE_BYTES ((size_t)256 << 20)

struct reread_row {
    struct log_table *table;
    struct value *key; /* bytes in the arena */
    int64_t sequence, at;
    bool asked; /* it was read, as of a moment up to H */
    bool found; /* ... and is in the epoch */
    bool gone;  /* the log has its deletion */
};

struct log_reread {
    struct session *session;  /* owned; NULL: none yet */
    struct arena *arena;      /* owned: rows and their keys */
    struct map *by_key;       /* owned: the newest of each key */
    struct reread_row **rows; /* owned */
    size_t count, cap;
    size_t open;                      /* neither asked for nor gone */
    struct arena *places;             /* owned: of B and H */
    struct log_position place, until; /* B and H, while `waiting` */
    int64_t last;                     /* number at B */
    bool waiting;                     /* the log is read on to H */
    bool told;                        /* that each reading waits */
    bool spoilt;                      /* what is behind B comes into the epoch */
    unsigned rounds;                  /* of this epoch */
    uint64_t total;                   /* rows read again in this run */
};

/* --- made and ended -------------------------------------------------------------------
 */

struct log_reread *log_reread_new(void)
{
    struct log_reread *r = xcalloc(1, sizeof *r);
    r->arena = arena_new(REREAD_BYTES * 2);
    r->by_key = map_new();
    return r;
}

void log_reread_free(struct log_reread *r)
{
    if (r == NULL)
        return;
    source_disconnect(r->session);
    map_free(r->by_key);
    arena_free(r->arena);
    arena_free(r->places);
    free(r->rows);
    free(r);
}

void log_reread_end(struct log_lane *l)
{
    struct log_reread *r = l->reread;
    source_disconnect(r->session);
    r->session = NULL;
    if (r->total > 0)
        log_event(LOG_INFO, "rows that the log has in part were read again by key",
                  F_UINT("rows", r->total));
}

void log_reread_drop(struct log_lane *l)
{
    struct log_reread *r = l->reread;
    arena_free(r->arena);
    r->arena = arena_new(REREAD_BYTES * 2);
    map_free(r->by_key);
    r->by_key = map_new();
    r->count = r->open = 0;
    r->rounds = 0;
    r->waiting = r->spoilt = false;
}

/* --- rows that wait -------------------------------------------------------------------
 */

/* Table and key, so that equal bytes are the same row. */
static struct str id_of(struct log_lane *l, const struct log_table *t,
                        const struct value *key, struct buf *out)
{
    uint32_t number = (uint32_t)(t - l->tables);
    buf_clear(out);
    buf_add(out, &number, sizeof number);
    for (unsigned i = 0; i < t->shape->schema->key_count; i++) {
        uint32_t len = value_has_bytes(&key[i]) ? key[i].len : 8;
        uint64_t bits = 0;
        memcpy(&bits, &key[i].as, key[i].kind == VALUE_FLOAT ? 4 : 8);
        buf_add_char(out, (char)key[i].kind);
        buf_add(out, &len, sizeof len);
        if (value_has_bytes(&key[i]))
            buf_add_str(out, value_str(&key[i]));
        else
            buf_add(out, &bits, sizeof bits);
    }
    return buf_str(out);
}

/* The key's cells of a row of the log. */
static struct value *key_of(struct arena *a, const struct log_table *t,
                            const struct value *row)
{
    unsigned count = t->shape->schema->key_count;
    struct value *key = ARENA_ARRAY(a, struct value, count);
    for (unsigned i = 0; i < count; i++)
        key[i] = row[t->from[i]];
    return key;
}

static bool is_askable(const struct log_table *t, const struct value *key)
{
    for (unsigned i = 0; i < t->shape->schema->key_count; i++)
        if (key[i].kind == VALUE_ABSENT || key[i].kind == VALUE_NULL ||
            key[i].kind == VALUE_INVALID)
            return false;
    return true;
}

static struct reread_row *find(struct log_lane *l, const struct log_table *t,
                               const struct value *key)
{
    CLEANUP(buf_done) struct buf id;
    buf_init(&id, REREAD_BYTES);
    struct reread_row *row = map_find(l->reread->by_key, id_of(l, t, key, &id));
    return row == NULL || row->gone ? NULL : row;
}

/* Into the list and the map. */
static void keep(struct log_lane *l, struct reread_row *row)
{
    CLEANUP(buf_done) struct buf id;
    struct log_reread *r = l->reread;
    buf_init(&id, REREAD_BYTES);
    for (unsigned i = 0; i < row->table->shape->schema->key_count; i++)
        if (value_has_bytes(&row->key[i]))
            row->key[i].as.bytes = arena_str(r->arena, value_str(&row->key[i])).ptr;
    if (r->count == r->cap) {
        r->cap = r->cap == 0 ? 1024 : r->cap * 2;
        r->rows = xreallocarray(r->rows, r->cap, sizeof(struct reread_row *));
    }
    r->rows[r->count++] = row;
    (void)map_put(r->by_key, id_of(l, row->table, row->key, &id), row);
    row->table->waiting++;
    r->open += row->asked ? 0 : 1;
}

static int lose(struct log_lane *l, struct log_table *t, const char *why)
{
    if (t->state != LOG_TABLE_OUT)
        (void)log_change_lose(l, t, str_of(why), ACTION_PARK);
    return 1;
}

int log_reread_want(struct log_lane *l, struct log_table *t, const struct log_item *item)
{
    struct log_reread *r = l->reread;
    if (r->count >= REREAD_ROWS_MOST || arena_used(r->arena) > REREAD_BYTES)
        return lose(l, t,
                    "the log has more rows without all their columns than are read "
                    "again by key (binlog_row_image)");
    struct reread_row *row = ARENA_NEW(r->arena, struct reread_row);
    *row = (struct reread_row){ .table = t,
                                .key = key_of(r->arena, t, item->after),
                                .sequence = l->numbers.next++,
                                .at = item->at };
    if (!is_askable(t, row->key) || find(l, t, row->key) != NULL)
        return lose(l, t,
                    "a row of which the log does not have all columns cannot be "
                    "read again by its key (binlog_row_image)");
    t->reread = true;
    keep(l, row);
    return 0;
}

void log_reread_see(struct log_lane *l, const struct log_table *t,
                    const struct log_item *item)
{
    struct log_reread *r = l->reread;
    if (t->waiting == 0 || item->op == LOG_INSERT)
        return;
    CLEANUP(arena_free_at) struct arena *a = arena_new(REREAD_BYTES);
    struct reread_row *row = find(l, t, key_of(a, t, item->before));
    if (row == NULL)
        return;
    if (row->asked && r->waiting)
        r->spoilt = true; /* which of the two was first? at H both are in */
    if (item->op == LOG_UPDATE && log_table_same_key(t, item) && !item->in_part)
        return;
    row->gone = true;
    row->table->waiting--;
    r->open -= row->asked ? 0 : 1;
}

/* Only rows that still matter stay: those not read yet, and those whose deletion is to
 * come. */
static void forget_done(struct log_lane *l)
{
    struct log_reread *r = l->reread;
    struct arena *old = r->arena;
    size_t count = r->count;
    map_free(r->by_key);
    r->arena = arena_new(REREAD_BYTES * 2);
    r->by_key = map_new();
    r->count = r->open = 0;
    for (size_t i = 0; i < l->table_count; i++)
        l->tables[i].waiting = 0;
    for (size_t i = 0; i < count; i++) {
        const struct reread_row *was = r->rows[i];
        if (was->gone || was->found || was->table->state == LOG_TABLE_OUT)
            continue;
        struct reread_row *row = ARENA_NEW(r->arena, struct reread_row);
        *row = *was;
        unsigned parts = was->table->shape->schema->key_count;
        row->key = ARENA_ARRAY(r->arena, struct value, parts);
        memcpy(row->key, was->key, parts * sizeof *row->key);
        keep(l, row);
    }
    arena_free(old);
}

/* --- reading them ---------------------------------------------------------------------
 */

/* One table's rows while they are read. */
struct asking {
    struct log_lane *l;
    struct log_table *t;
    bool ours; /* the error is none of the source */
    bool lost; /* with the row in hand */
};

static int take_row(void *ctx, const struct value *cells, struct error *err)
{
    struct asking *a = ctx;
    struct log_lane *l = a->l;
    size_t row_limit = l->config.plan->options->row_limit;
    struct reread_row *row = find(l, a->t, cells);
    unsigned column = 0;
    int rc = 0;
    if (row == NULL || row->asked || row->found)
        return 0; /* its key is equal, not the same: another row */
    a->ours = true;
    while (rc == 0 && log_table_put(a->t, cells, row->sequence, row->at, row_limit,
                                    &column) == LOG_PROMOTE)
        rc = log_change_promote(l, a->t, column, err);
    if (rc == 1) {
        a->lost = true;
        return error_set(err, ERR_DATA, "its table was lost");
    }
    log_epoch_count(l, a->t);
    if (rc == 0 && a->t->counted_bytes >= BLOCK_SOFT_BYTES)
        rc = log_epoch_flush(l, a->t, err);
    row->found = rc == 0;
    l->reread->total += rc == 0 ? 1 : 0;
    a->ours = rc != 0;
    return rc;
}

static int need_session(struct log_lane *l, struct error *err)
{
    struct log_reread *r = l->reread;
    if (r->session != NULL && !session_is_usable(r->session)) {
        source_disconnect(r->session);
        r->session = NULL;
    }
    if (r->session == NULL)
        r->session =
            source_connect(l->config.source, l->config.plan->options->reconnect_us,
                           l->config.cancel, err);
    return r->session == NULL ? -1 : 0;
}

/* 0, -1, 1: the table was lost. */
static int ask_table(struct log_lane *l, struct log_table *t, struct error *err)
{
    struct log_reread *r = l->reread;
    const struct sync_options *o = l->config.plan->options;
    const struct value **keys = xcalloc(r->count + 1, sizeof(struct value *));
    struct asking a = { .l = l, .t = t };
    struct reread q = { .session = r->session,
                        .shape = t->shape->schema,
                        .row_limit = o->row_limit,
                        .replace_bad_text = o->replace_bad_text,
                        .row = take_row,
                        .ctx = &a };
    size_t count = 0;
    for (size_t i = 0; i < r->count; i++)
        if (r->rows[i]->table == t && !r->rows[i]->asked && !r->rows[i]->gone &&
            !r->rows[i]->found)
            keys[count++] = r->rows[i]->key;
    int rc = count == 0 ? 0 : reread_rows(&q, keys, count, err);
    free(keys);
    if (rc == 0)
        return log_epoch_flush(l, t, err);
    source_disconnect(r->session);
    r->session = NULL;
    if (a.lost || (!a.ours && err->code != ERR_NETWORK && err->code != ERR_CANCELLED)) {
        CLEANUP(buf_done) struct buf why;
        buf_init(&why, sizeof err->text + 64);
        buf_printf(&why, "rows of it could not be read again: %s", err->text);
        *err = (struct error){ 0 };
        return lose(l, t, buf_text(&why));
    }
    return -1;
}

static bool has_open(const struct log_reread *r, const struct log_table *t)
{
    for (size_t i = 0; t->waiting > 0 && i < r->count; i++)
        if (r->rows[i]->table == t && !r->rows[i]->asked && !r->rows[i]->gone)
            return true;
    return false;
}

/* Tables whose rows are asked for; also their shapes, for who waits for them. */
static size_t find_tables(struct log_lane *l, struct log_table **tables,
                          const struct table_schema **shapes)
{
    size_t count = 0;
    for (size_t i = 0; i < l->table_count; i++) {
        struct log_table *t = &l->tables[i];
        if (t->state == LOG_TABLE_OUT || !has_open(l->reread, t))
            continue;
        tables[count] = t;
        shapes[count++] = t->shape->schema;
    }
    return count;
}

/* Everything up to the reader's place can be seen, as before a copy's first page. 0, -1,
 * 1: the server does not get there. */
static int wait_visible(struct log_lane *l, const struct table_schema *const *shapes,
                        size_t count, struct error *err)
{
    struct str how = { 0 };
    struct handover_wait w = { .p0 = log_reader_position(l->reader),
                               .source = l->config.source,
                               .tables = shapes,
                               .table_count = count,
                               .patience_us = VISIBLE_US,
                               .settle_us = l->config.plan->options->handover_us,
                               .cancel = l->config.cancel };
    if (handover_visible(l->reread->session, &w, &how, err) != 0) {
        if (err->code != ERR_POSITION)
            return -1;
        *err = (struct error){ 0 };
        return 1;
    }
    if (str_eq(how, STR("time")) && !l->reread->told)
        log_event(LOG_WARN,
                  "rows that the log has in part are read again after "
                  "handover_wait each time: GTIDs, or LOCK TABLES, are missing");
    l->reread->told = l->reread->told || str_eq(how, STR("time"));
    return 0;
}

struct wanted {
    struct log_table **tables;
    const struct table_schema **shapes;
    size_t count;
};

/* 0, -1, 1: tables were lost. */
static int ask_all(struct log_lane *l, const struct wanted *w, struct error *err)
{
    struct log_reread *r = l->reread;
    int rc = need_session(l, err);
    if (rc == 0)
        rc = wait_visible(l, w->shapes, w->count, err);
    for (size_t i = 0; rc == 1 && i < w->count; i++)
        (void)lose(l, w->tables[i],
                   "the server does not show what its log has, so rows of which the log "
                   "does not have all columns cannot be read again");
    for (size_t i = 0; rc == 0 && i < w->count; i++)
        rc = ask_table(l, w->tables[i], err);
    if (rc == 0)
        rc = handover_end(r->session, r->places, &r->until, err);
    return rc;
}

static int ask_patiently(struct log_lane *l, const struct wanted *w, struct error *err)
{
    struct backoff pause = { .first_us = 100 * 1000, .cap_us = 1000 * 1000 };
    for (unsigned i = 1;; i++) {
        *err = (struct error){ 0 };
        int rc = ask_all(l, w, err);
        if (rc >= 0 || err->code != ERR_NETWORK || i == CONNECTIONS_MOST)
            return rc < 0 ? error_wrap(err, "reading rows again that the log has in part")
                          : rc;
        source_disconnect(l->reread->session);
        l->reread->session = NULL;
        (void)clock_wait_us(l->config.cancel, backoff_next_us(&pause));
    }
}

/* Read all that are open, and find H. 0, -1, 1: tables were lost. */
static int ask(struct log_lane *l, struct error *err)
{
    struct log_reread *r = l->reread;
    struct wanted w = { .tables = xcalloc(l->table_count + 1, sizeof(struct log_table *)),
                        .shapes =
                            xcalloc(l->table_count + 1, sizeof(struct table_schema *)) };
    arena_free(r->places);
    r->places = arena_new(PLACE_BYTES);
    r->waiting = false;
    w.count = find_tables(l, w.tables, w.shapes);
    int rc = log_epoch_flush_all(l, err);
    if (rc == 0)
        rc = ask_patiently(l, &w, err);
    free(w.tables);
    free(w.shapes);
    if (rc != 0)
        return rc;
    FAULT("reread.read");
    struct str text = log_position_format(r->places, log_reader_position(l->reader));
    if (log_position_parse(r->places, text, &r->place, err) != 0)
        return -1;
    r->last = l->numbers.next - 1;
    r->waiting = true;
    r->spoilt = false;
    r->open = 0;
    for (size_t i = 0; i < r->count; i++) {
        r->rows[i]->asked = true;
        r->spoilt = r->spoilt || (!r->rows[i]->found && !r->rows[i]->gone);
    }
    return 0;
}

/* --- commits --------------------------------------------------------------------------
 */

static int lose_waiting(struct log_lane *l, const char *why)
{
    for (size_t i = 0; i < l->table_count; i++)
        if (l->tables[i].reread || l->tables[i].waiting > 0)
            (void)lose(l, &l->tables[i], why);
    return 1;
}

/* The reader is at H and something changed on the way. A row that was not there must have
 * gone. 0, 1: tables were lost. */
static int settle(struct log_lane *l)
{
    struct log_reread *r = l->reread;
    int rc = 0;
    r->waiting = false;
    for (size_t i = 0; i < r->count; i++) {
        struct reread_row *row = r->rows[i];
        if (row->asked && !row->found && !row->gone && row->table->state != LOG_TABLE_OUT)
            rc = lose(l, row->table,
                      "a row that was inserted is not there, and the log does not delete "
                      "it (binlog_row_image)");
    }
    forget_done(l);
    if (rc == 0 && ++r->rounds > ROUNDS_MOST)
        rc = lose_waiting(l, "rows of which the log does not have all columns change "
                             "again while they are read (binlog_row_image)");
    return rc;
}

/* 0, -1, 1: tables were lost. On the way to H: too many that are to be read pile up, or
 * the epoch becomes too large. */
static int on_the_way(struct log_lane *l, struct error *err)
{
    struct log_reread *r = l->reread;
    if (l->epoch != NULL && epoch_bytes(l->epoch) > l->config.plan->options->spool_share)
        return lose_waiting(l, "an epoch that waits for rows to be read again has become "
                               "larger than spool_share");
    if (r->open < REREAD_ROWS_DUE)
        return 0;
    forget_done(l);
    int rc = ask(l, err);
    r->spoilt = true; /* rows of the time before are no longer watched */
    return rc;
}

static enum log_reread_answer answer(int rc)
{
    return rc < 0 ? LOG_REREAD_FAILED : rc > 0 ? LOG_REREAD_AGAIN : LOG_REREAD_WAITS;
}

enum log_reread_answer log_reread_step(struct log_lane *l, bool due, struct error *err)
{
    struct log_reread *r = l->reread;
    int rc = 0;
    for (;;) {
        if (r->waiting &&
            !log_position_reached(log_reader_position(l->reader), &r->until))
            return answer(on_the_way(l, err));
        if (r->waiting && !r->spoilt) {
            FAULT("reread.reached");
            return LOG_REREAD_PLACE;
        }
        if (r->waiting && (rc = settle(l)) != 0)
            return answer(rc);
        if (r->count > r->open && (due || r->count - r->open > REREAD_ROWS_DUE))
            forget_done(l);
        if (r->open == 0)
            r->rounds = 0;
        if (r->open == 0 || (!due && r->open < REREAD_ROWS_DUE))
            return LOG_REREAD_NOTHING;
        forget_done(l); /* those of tables that have left */
        if (r->open > 0 && (rc = ask(l, err)) != 0)
            return answer(rc);
    }
}

const struct log_position *log_reread_place(const struct log_lane *l, int64_t *last)
{
    const struct log_reread *r = l->reread;
    if (!r->waiting || r->spoilt)
        return NULL;
    *last = r->last;
    return &r->place;
}

void log_reread_captured(struct log_lane *l)
{
    struct log_reread *r = l->reread;
    r->waiting = r->spoilt = false;
    r->rounds = 0;
    forget_done(l);
    l->began_at = clock_mono_us();
}

void log_reread_spoil(struct log_lane *l)
{
    if (l->reread->waiting)
        l->reread->spoilt = true;
}

bool log_reread_waits(const struct log_lane *l)
{
    return l->reread->waiting || l->reread->open > 0;
}

int log_reread_give_up(struct log_lane *l, struct log_table *t,
                       const struct log_item *item, struct error *err)
{
    bool taken = false;
    struct str why = item->why;
    if (t == NULL)
        return lose_waiting(l, "the table of a foreign key changed before rows of which "
                               "the log does not have all columns were read again "
                               "(binlog_row_image)");
    bool followed = t->state == LOG_TABLE_LIVE || t->live_version != 0;
    if (item->change != LOG_LOST && item->change != LOG_GONE) {
        why = STR("its columns changed, or it was emptied, before rows of which the log "
                  "does not have all columns were read again (binlog_row_image)");
        if (!t->reread && t->waiting == 0)
            return lose_waiting(l, "another table changed before rows of which the log "
                                   "does not have all columns were read again "
                                   "(binlog_row_image)");
    }
    if (followed && log_policy_take(l, t, item, &taken, err) < 0)
        return -1;
    if (t->state != LOG_TABLE_OUT)
        (void)log_change_lose(l, t, why,
                              item->change == LOG_GONE ? ACTION_GONE : ACTION_PARK);
    return 1;
}
