/* src/sync/job_internal.h
 *
 * What sync/job.c (one run), job_plan.c (what it is about), job_copy.c (the lane `full`)
 * job_log.c (the lane `log`) and job_start.c (where it begins) share. Nobody else
 * includes this.
 */
#ifndef SYNC_JOB_INTERNAL_H
#define SYNC_JOB_INTERNAL_H

#include "base/queue.h"
#include "sync/job.h"
#include "sync/loader.h"
#include "sync/log_lane.h"
#include "sync/plan.h"
#include "sync/reader.h"

struct job;

/* A thread and whether it runs. */
struct watched {
    void *(*run)(void *);
    struct job *job;
    atomic_uint left;
    pthread_t thread;
};

/* What `tailrace status` is told of the place in the log. */
struct job_place {
    int64_t fresh_to, headroom_us;
    int64_t told_at, asked_at; /* monotonic */
    bool whole;                /* all copies have joined, and that is loaded */
};

struct job {
    struct state *state;
    const struct job_request *request;
    struct cancel *cancel; /* borrowed: the caller's */
    struct cancel *hard;   /* owned: only hard requests reach spool and loader */
    struct arena *arena;   /* owned */
    struct url_source source_url;
    struct url_destination destination_url;
    struct source *source;       /* owned */
    struct warehouse *warehouse; /* owned: the job thread's connection */
    struct session *control;     /* owned: asks the source how it does */
    struct mark_list marks;
    struct catalog *catalog; /* owned */
    struct selection selection;
    struct plan_context context;
    struct plan plan;
    struct {
        char *spool; /* owned: DATA_DIR/spool/SCHEMA */
        int lock;
    } path;
    struct lane *lane; /* owned: `full` */
    struct {
        struct lane *lane;       /* owned; NULL: nothing follows the log */
        struct log_lane *reader; /* owned */
        struct loader loader;
        struct watched reading, loading;
        struct error error, load_error;
        atomic_int_fast64_t load_us;
        struct loaded_place loaded; /* position owned */
        struct job_place place;
        bool again; /* another round has something to copy */
    } log_lane;
    struct queue *queue;       /* owned */
    struct governor *governor; /* owned */
    struct reader_pool pool;
    struct loader loader;
    struct state_log *log; /* owned */
    const char *phase;
    int64_t id, began_at, started_at, asked_at;
    uint64_t carried_over;
    bool target_fault; /* the destination, not the source, is why the run failed */
    atomic_bool waiting_told;
    struct error spool_error, load_error;
    atomic_uint readers_left;
};

/* --- job.c */

/* A connection of its own to the destination. */
struct warehouse *job_open_warehouse(struct job *j, struct cancel *c, struct error *err);

/* What the destination has of this lane, or NULL. */
const struct lane_mark *job_lane_mark(const struct job *j, const char *lane);
struct lane *job_open_lane(struct job *j, const char *name, struct error *err);

/* The control connection, if there is none. */
int job_connect(struct job *j, struct error *err);

/* Do this on the control connection, through lost ones, as long as reconnect_limit
 * allows. */
int job_ask_through(struct job *j, int (*step)(struct job *, struct error *),
                    const char *doing, struct error *err);

/* --- job_plan.c */

/* Discover and plan; the first round of a run, or one that copies what was lost. */
int job_plan(struct job *j, bool first, struct error *err);

/* --- job_trouble.c */

/* What is known of tables that could not be followed, for the plan; those that a person
 * has resumed are taken up. */
int job_trouble_load(struct job *j, struct error *err);

/* Followed tables that were dropped or renamed while no run looked: what option on_gone
 * says. After the plan. -1: the run stops here, or err. */
int job_trouble_gone(struct job *j, struct error *err);

/* A round has ended, the run with it or not: count copies that failed, park what failed
 * too often, forget what is well again. */
void job_trouble_note(struct job *j, bool run_ends);

/* --- job_copy.c */

/* Read, capture and load what the plan copies. */
int job_copy(struct job *j, struct error *err);

/* Start a thread. */
void job_start(struct watched *w, void *(*run)(void *), struct job *j);

/* Watch over the threads until the flag falls. */
void job_watch(struct job *j, const atomic_uint *left);

/* A fault, not only a request to stop. */
bool job_is_fault(const struct error *e);

/* The epochs of every lane: how large, how they are stored. */
struct epoch_options job_epoch_options(const struct job *j);
struct epoch_header job_epoch_header(const struct job *j, const char *lane);

/* --- job_log.c */

/* When some stream follows the log: start reading it, and come back when what is to be
 * copied may be read. */
int job_log_start(struct job *j, struct error *err);

/* The copies have ended, well or not (rc): join them, catch up, and end; or go on. */
int job_log_finish(struct job *j, int rc, struct error *err);

/* A run has ended since nobody could go on at the lane's place, and the lane has not
 * moved since. */
bool job_log_is_lost(struct job *j);

/* Streams that this round gave up are to be copied at once. */
bool job_log_again(const struct job *j);

/* --- job_start.c */

/* Where the log is read from when nothing was read yet: P0, or the place that option
 * start names and some table waits for. */
int job_start_first(struct job *j, struct log_position *from, struct error *err);

/* Tables that begin without their rows begin here. first: nothing was read of the log, so
 * that a chosen place is this one; else those that wait for one are given up. */
int job_start_streams(struct job *j, const struct log_position *from, bool first,
                      struct error *err);

/* The log's end behind the look at the catalog, where a table begins so; else left alone.
 */
int job_start_seen(struct job *j, struct log_position *end, struct error *err);

/* --- job_place.c */

/* Before the threads of the log lane start; m: its mark, or NULL. */
void job_place_begin(struct job *j, const struct lane_mark *m);

/* While they run, now and then: at most once a second something is written. */
void job_place_tell(struct job *j);

/* When they have ended. */
void job_place_end(struct job *j);

#endif
