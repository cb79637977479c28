/* src/source/log_internal.h
 *
 * Between the files of the log reader:
 *
 *   log.c         items, one at a time; groups of events
 *   log_group.c   one group: its hash, its place, its commit
 *   log_query.c   statements: what they do to groups and to tables
 *   log_ddl.c     what a statement does to one table
 *   log_shape.c   does the log still hold the shape that is watched
 *   log_fill.c    what rows got in a column that is new
 *   log_watch.c   the tables that are watched
 *   log_rows.c    table maps and rows
 *   log_xa.c      transactions that are prepared first
 *   log_resume.c  standing behind a position, and proving it
 *   log_origin.c  what proves a position that nothing was read behind
 *   log_gone.c    why a place is not in the log any more
 */
#ifndef SOURCE_LOG_INTERNAL_H
#define SOURCE_LOG_INTERNAL_H

#include "base/buf.h"
#include "base/map.h"
#include "mysql/ddl.h"
#include "mysql/ddl_fill.h"
#include "mysql/event.h"
#include "mysql/rows.h"
#include "source/log.h"
#include "source/log_feed.h"

struct XXH3_state_s;

/* --- tables that are watched
 * -------------------------------------------------------------- */

enum log_names { LOG_NAMES_UNKNOWN = 0, LOG_NAMES_TOLD, LOG_NAMES_NOT_TOLD };

struct log_watch {
    struct arena *arena;               /* owned: found and all in it */
    const struct catalog_table *found; /* the key's columns are selected */
    uint64_t since;                    /* the first group that counts */
    uint64_t generation;               /* of all watches ever: whose a plan is */
    struct log_end seen; /* found is of there: what changed it before is in it */
    uint32_t number;
    enum log_names names; /* does the log tell the columns' names */
    bool live;
    bool must_be_named; /* its shape was changed, which names alone can prove */
    bool handed;        /* rows of the open group were handed out */
};

/* --- one stream's rows
 * -------------------------------------------------------------------- */

/* Kept in table_map.plan. */
struct log_bound {
    struct rows_plan *plan; /* owned; NULL: this table does not fit its map */
    uint64_t generation;
    uint32_t number;
};

struct log_rows {
    struct table_maps *maps;    /* owned */
    struct rows_reader *reader; /* owned */
    uint64_t *others;           /* owned: ids of tables that nobody watches */
    size_t other_count, other_cap;
    struct log_bound *bound; /* of the rows that are being read */
    struct rows_head head;
    bool active;
};

/* --- groups and places
 * -------------------------------------------------------------------- */

/* Events longer than that count by their headers, and so does what comes after so much.
 */
#define LOG_HASHED_BYTES ((uint64_t)16 << 20)

/* The running hash of a group. */
struct log_hash {
    struct XXH3_state_s *state; /* owned */
    uint64_t bytes;             /* of events that went in */
};

#define LOG_GTID_TEXT 128

/* A group of events: a transaction, or a statement that is one. */
struct log_group {
    struct log_hash hash;
    uint64_t number; /* counts from 1 */
    uint64_t start;  /* offset of its first event */
    struct gtid mysql;
    struct gtid_maria maria;
    char gtid[LOG_GTID_TEXT]; /* text of the one it has */
    int64_t at;               /* the best that is known */
    bool open;
    bool has_mysql, has_maria;
    bool original; /* at is the original commit time: final */
    bool begun;    /* it ends with a commit, not with its first statement */
    bool ended;    /* what it hands out is still to be taken */
    bool known;    /* it was read before: only looked at */
    bool prepared; /* XA: its rows come with its commit */
    bool handed;   /* rows or changes of it were handed out */
    bool head;     /* no group: the events that open a file */
};

struct log_undecided {
    struct str xid; /* owned */
    struct str file;
    uint64_t offset;
};

/* A position that moves. */
struct log_at {
    char file[BINLOG_NAME_MAX + 1];
    char server[64];
    char last_gtid[LOG_GTID_TEXT];
    uint64_t offset;
    uint64_t last_start, last_bytes, last_hash;
    int64_t last_at;
    struct gtid_set set;
    struct gtid_maria_position maria;
    bool has_set, has_maria;
    struct log_undecided *xa; /* owned */
    size_t xa_count, xa_cap;
};

#define LOG_XA_MOST 10000u

/* What rows have in columns that are new. */
struct log_fills {
    struct arena *arena; /* borrowed: the texts */
    struct log_fill *list;
    size_t count;
};

/* A change that waits to be handed out. */
struct log_pending {
    struct arena *arena; /* owned: why, fills */
    struct str why;
    const struct log_fill *fills;
    size_t fill_count;
    uint32_t table;
    unsigned classes;
    enum log_change change;
};

/* The second stream, at the commit of an XA transaction. */
struct log_replay {
    struct log_feed *feed; /* owned */
    struct log_rows rows;
    bool active; /* its rows are being handed out */
};

struct log_reader {
    struct log_feed *feed; /* owned */
    struct cancel *cancel; /* borrowed */
    struct log_options options;
    struct type_options type;
    struct log_rows rows;
    struct log_replay replay;
    struct log_group group;
    struct log_at at;
    struct map *names;          /* owned: "database\0table" to struct log_watch */
    struct log_watch **watches; /* owned, by number */
    uint32_t watch_cap;
    uint64_t generations, groups;
    struct log_pending *pending; /* owned */
    size_t pending_count, pending_cap, pending_next;
    unsigned classes;             /* of the statement in hand */
    struct value *before, *after; /* owned */
    size_t cell_count;
    struct buf unpacked, text;    /* owned: of the current statement */
    struct arena *said;           /* owned: of the item handed out last */
    struct arena *position_arena; /* owned */
    struct log_position position;
    int64_t said_at; /* monotonic: the latest LOG_COMMIT */
    uint64_t replaced;
    bool mariadb;
    bool in_part;  /* of the update in hand: see log_item */
    bool settled;  /* an event behind the start has come */
    bool again;    /* MariaDB: the last transaction is to come again, to be compared */
    bool unproved; /* MariaDB: the log begins behind it, so it cannot come again */
    bool finished;
};

/* --- log_watch.c */

/* The table that the log names so, if rows of the open group count; or NULL. */
struct log_watch *log_watch_find(const struct log_reader *r, struct str database,
                                 struct str table);
struct log_watch *log_watch_of(const struct log_reader *r, uint32_t number,
                               uint64_t generation);
bool log_watch_counts(const struct log_reader *r, const struct log_watch *w);

/* The same table with another shape, from here on. */
void log_watch_replace(struct log_reader *r, struct log_watch *w,
                       const struct catalog_table *found);
void log_watches_done(struct log_reader *r);

/* Queue a change; LOG_LOST and LOG_GONE end the watching. */
void log_change(struct log_reader *r, struct log_watch *w, enum log_change change,
                const char *why, ...) __attribute__((format(printf, 4, 5)));

/* The change queued last is LOG_SHAPED, with these. */
void log_change_fills(struct log_reader *r, const struct log_fills *fills);

/* --- log_rows.c */

void log_rows_init(struct log_rows *s, size_t row_limit);
void log_rows_done(struct log_rows *s);
void log_rows_reset(struct log_rows *s); /* another stream */
int log_rows_map(struct log_reader *r, struct log_rows *s, const struct event *e,
                 const struct binlog_format *f, struct error *err);
int log_rows_begin(struct log_reader *r, struct log_rows *s, const struct event *e,
                   struct binlog *log, struct error *err);
/* 1 a row in out, 0 the event has no more (or its table was lost), -1. */
int log_rows_next(struct log_reader *r, struct log_rows *s, struct log_item *out,
                  struct error *err);
void log_rows_end_group(struct log_rows *s);

/* --- log_shape.c */

/* Does the map hold this shape? why is filled where it does not. */
bool log_shape_fits(const struct table_map *m, const struct table_schema *shape,
                    struct buf *why);

/* May the table have become `now` by these actions alone, with nothing changed in its
 * rows but what `fills` says? */
bool log_shape_follows(const struct catalog_table *before,
                       const struct catalog_table *now, const struct ddl *d,
                       struct log_fills *fills, struct buf *why);

/* --- log_fill.c */

/* What the rows got in the column `now` that the action added; false where text and
 * catalog do not prove it. */
bool log_fill_of(struct arena *a, const struct column *now, const struct ddl_action *add,
                 struct ddl_mode mode, struct log_fill *out);

/* --- log_ddl.c */

enum log_effect {
    LOG_NO_EFFECT = 0,
    LOG_EFFECT_TRUNCATED,
    LOG_EFFECT_GONE,
    LOG_EFFECT_LOST,
    LOG_EFFECT_SHAPED, /* if the catalog and the next map agree */
};

/* What the statement does to a table; why for a loss. */
enum log_effect log_ddl_effect(const struct ddl *d, struct str sql,
                               const struct catalog_table *t, bool fold,
                               const char **why);

/* enum log_class, or-ed, of a statement that does this to a table; never 0. In
 * log_class.c. */
unsigned log_classes_of(const struct ddl *d, enum log_effect effect);

/* The statement's text in UTF-8, in `out` where it had to be converted; false where it
 * cannot be. */
bool log_ddl_text(const struct query_event *q, enum charset_family family,
                  struct buf *out, struct str *text);
struct ddl_mode log_ddl_mode(const struct query_event *q, bool mariadb);

/* --- log_query.c */

int log_query(struct log_reader *r, const struct event *e, struct error *err);
/* Everything may have changed. */
void log_lose_all(struct log_reader *r, const char *why);

/* --- log_group.c */

void log_hash_start(struct log_hash *h);
void log_hash_done(struct log_hash *h);
uint64_t log_hash_value(const struct log_hash *h);
void log_hash_event(struct log_hash *h, const struct event *e);
int log_group_begin(struct log_reader *r, const struct event *e, struct error *err);
/* The group's last event: what is left to hand out comes before the commit. */
int log_group_end(struct log_reader *r, const struct event *e, struct error *err);
/* It never happened: 1 when what was handed out must be taken back. */
void log_group_undo(struct log_reader *r, const char *why);
/* Everything of the ended group was handed out: the position moves. 1 when it is to be
 * told. */
int log_group_close(struct log_reader *r, struct error *err);
/* The events that open a file move the position, too. */
void log_group_head(struct log_reader *r, const struct event *e);

/* --- log_xa.c */

/* "XA COMMIT X'61',X'',1": what is behind the words, as log_position has it. */
bool log_xa_parse(struct str text, struct arena *a, struct str *xid);
struct str log_xa_text(struct arena *a, const struct xa_prepare_event *x);
int log_xa_remember(struct log_reader *r, struct str xid, struct error *err);
void log_xa_forget(struct log_reader *r, struct str xid);
/* Begin to hand out the rows of a prepared transaction. */
int log_xa_commit(struct log_reader *r, struct str xid, struct error *err);
/* 1 a row, 0 they have all been handed out, -1. */
int log_xa_next(struct log_reader *r, struct log_item *out, struct error *err);
void log_xa_stop(struct log_reader *r);

/* --- log_resume.c */

int log_at_set(struct log_at *at, const struct log_position *from, struct error *err);
void log_at_done(struct log_at *at);
struct log_position log_at_position(const struct log_at *at, struct arena *a);
/* Stand behind r->at. */
int log_resume(struct log_reader *r, int64_t patience_us, struct error *err);
/* The place was not there: by GTID instead, if that can be. */
int log_resume_by_gtid(struct log_reader *r, int64_t patience_us, struct error *err);
int log_reconnect(struct log_reader *r, struct error *err);
/* Is the server of the open feed by its UUID another one than the position's? */
bool log_is_other_server(const struct log_reader *r);
/* The order of two files of one log, "binlog.000123": by the number behind the last dot.
 * False when the names differ otherwise. */
bool log_file_order(struct str a, struct str b, int *order);

/* --- log_origin.c */

/* log_origin() over any feed, which stays the caller's. */
int log_origin_over(struct log_feed *f, struct arena *a, struct log_position *p,
                    struct cancel *c, struct error *err);

/* --- log_gone.c */

#define LOG_HINT_COPY \
    "Reset the integration's log-based tables, so that they are copied again."

/* The position's place is not in the log, and nothing else is known: ERR_POSITION that
 * says what became of it. err holds what the server said, or nothing. */
int log_say_gone(struct log_reader *r, struct error *err);

#endif
