#include "source/governor.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#include <assert.h>
#include <pthread.h>

/* After a step of braking, what comes in the next two seconds was under way before it. */
#define SETTLE_US 2000000
/* One turn comes back for every five seconds without strain. */
#define CALM_US 5000000
/* Pages too small or too short say nothing about the source: the last page of a table has
 * few rows and the round trip dominates. */
#define PAGE_BYTES_LEAST 16384
#define PAGE_TIME_LEAST_US 50000
#define SLOW_FACTOR 3.0
#define FIRST_PAGES_LEAST 3
#define THREADS_BUSY_LEAST 16
/* A turn is looked for again this often: only for noticing a cancel. */
#define TURN_POLL_NS 50000000
/* Debts of the byte meter below this are not waited for. */
#define RATE_SLACK_US 20000

struct governor {
    struct governor_options o;
    struct cancel *cancel; /* borrowed */
    int64_t (*now_us)(void);
    bool (*wait_us)(struct cancel *c, int64_t us);
    pthread_mutex_t lock;
    pthread_cond_t turn_free;
    unsigned turns; /* allowed now */
    unsigned taken;
    uint64_t busy;       /* Threads_running above this is strain; 0: no base line yet */
    int64_t paused_till; /* 0: not paused */
    int64_t settled_at;  /* strain before this instant was answered already */
    int64_t calm_since;
    int64_t paid_till; /* the instant until which the bytes so far are paid */
    uint64_t times_halved;
    uint64_t times_paused;
};

/* What happened under the lock, to be logged after it. */
struct step {
    const char *text; /* NULL: nothing */
    enum log_level level;
    unsigned turns;
};

struct governor *governor_new(const struct governor_options *o, struct cancel *c)
{
    struct governor *g = xcalloc(1, sizeof *g);
    g->o = *o;
    if (g->o.connections == 0)
        g->o.connections = 1;
    g->cancel = c;
    g->now_us = clock_mono_us;
    g->wait_us = clock_wait_us;
    g->turns = g->o.connections;
    g->busy = o->threads_busy;
    g->calm_since = g->now_us();
    pthread_mutex_init(&g->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&g->turn_free, &attr);
    pthread_condattr_destroy(&attr);
    return g;
}

void governor_free(struct governor *g)
{
    if (g == NULL)
        return;
    pthread_cond_destroy(&g->turn_free);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

void governor_set_clock(struct governor *g, int64_t (*now_us)(void),
                        bool (*wait_us)(struct cancel *c, int64_t us))
{
    g->now_us = now_us;
    g->wait_us = wait_us;
    g->calm_since = now_us();
}

static void step_log(const struct step *s, const char *table, const char *why)
{
    if (s->text == NULL)
        return;
    log_event(s->level, s->text, F_UINT("turns", s->turns), F_TEXT("table", table),
              F_TEXT("why", why));
}

/* Under the lock: one step of braking, or nothing while the last one settles. */
static struct step brake(struct governor *g)
{
    int64_t now = g->now_us();
    g->calm_since = now;
    if (now < g->settled_at)
        return (struct step){ 0 };
    g->settled_at = now + SETTLE_US;
    if (g->turns > 1) {
        g->turns /= 2;
        g->times_halved++;
        return (struct step){ "the source is under strain, fewer readers at once",
                              LOG_WARN, g->turns };
    }
    g->paused_till = now + g->o.pause_us;
    g->settled_at = g->paused_till + SETTLE_US;
    g->calm_since = g->paused_till;
    g->times_paused++;
    return (struct step){ "the source is under strain, reading pauses", LOG_WARN, 0 };
}

/* Under the lock: turns come back as calm lasts. */
static struct step recover(struct governor *g)
{
    int64_t now = g->now_us();
    struct step s = { 0 };
    if (g->paused_till != 0 && now >= g->paused_till) {
        g->paused_till = 0;
        s = (struct step){ "reading goes on after a pause", LOG_INFO, g->turns };
    }
    if (g->paused_till != 0 || g->turns == g->o.connections) {
        if (g->turns == g->o.connections)
            g->calm_since = now;
        return s;
    }
    while (g->turns < g->o.connections && now - g->calm_since >= CALM_US) {
        g->turns++;
        g->calm_since += CALM_US;
        s = (struct step){ "the source is calm, one more reader", LOG_INFO, g->turns };
    }
    if (s.text != NULL)
        pthread_cond_broadcast(&g->turn_free);
    return s;
}

static void wait_for_turn(struct governor *g)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += TURN_POLL_NS;
    if (at.tv_nsec >= 1000000000) {
        at.tv_nsec -= 1000000000;
        at.tv_sec++;
    }
    pthread_cond_timedwait(&g->turn_free, &g->lock, &at);
}

int governor_enter(struct governor *g, struct error *err)
{
    for (;;) {
        if (cancel_check(g->cancel, err) != 0)
            return -1;
        pthread_mutex_lock(&g->lock);
        struct step s = recover(g);
        bool mine = g->paused_till == 0 && g->taken < g->turns;
        int64_t pause = g->paused_till == 0 ? 0 : g->paused_till - g->now_us();
        if (mine)
            g->taken++;
        else if (pause <= 0)
            wait_for_turn(g);
        pthread_mutex_unlock(&g->lock);
        step_log(&s, "", "");
        if (mine)
            return 0;
        if (pause > 0)
            (void)g->wait_us(g->cancel, pause); /* the loop sees a cancel */
    }
}

void governor_leave(struct governor *g)
{
    pthread_mutex_lock(&g->lock);
    assert(g->taken > 0);
    g->taken--;
    pthread_cond_signal(&g->turn_free);
    pthread_mutex_unlock(&g->lock);
}

int governor_bytes(struct governor *g, uint64_t bytes, struct error *err)
{
    if (g->o.bytes_per_s == 0 || bytes == 0)
        return cancel_check(g->cancel, err);
    double cost = (double)bytes * 1e6 / (double)g->o.bytes_per_s;
    pthread_mutex_lock(&g->lock);
    int64_t now = g->now_us();
    if (g->paid_till < now)
        g->paid_till = now;
    g->paid_till += (int64_t)cost;
    int64_t debt = g->paid_till - now;
    pthread_mutex_unlock(&g->lock);
    if (debt > RATE_SLACK_US && !g->wait_us(g->cancel, debt))
        return error_set(err, ERR_CANCELLED, "stopped while waiting for source_rate");
    return cancel_check(g->cancel, err);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double pace_median(const struct page_pace *pace)
{
    double sorted[GOVERNOR_FIRST_PAGES];
    memcpy(sorted, pace->first, sizeof sorted);
    qsort(sorted, pace->count, sizeof sorted[0], compare_doubles);
    return sorted[pace->count / 2];
}

void governor_page(struct governor *g, struct page_pace *pace, const char *table,
                   uint64_t bytes, int64_t took_us)
{
    if (bytes < PAGE_BYTES_LEAST || took_us <= 0)
        return;
    double per_byte = (double)took_us / (double)bytes;
    struct step s = { 0 };
    pthread_mutex_lock(&g->lock);
    bool slow = pace->count >= FIRST_PAGES_LEAST && took_us >= PAGE_TIME_LEAST_US &&
                per_byte > SLOW_FACTOR * pace_median(pace);
    if (slow)
        s = brake(g);
    else if (pace->count < GOVERNOR_FIRST_PAGES)
        pace->first[pace->count++] = per_byte;
    pthread_mutex_unlock(&g->lock);
    step_log(&s, table, "a page took more than three times the usual time");
}

void governor_threads_running(struct governor *g, uint64_t running)
{
    struct step s = { 0 };
    pthread_mutex_lock(&g->lock);
    if (g->busy == 0)
        g->busy = running * 2 > THREADS_BUSY_LEAST ? running * 2 : THREADS_BUSY_LEAST;
    else if (running > g->busy)
        s = brake(g);
    else
        s = recover(g);
    pthread_mutex_unlock(&g->lock);
    step_log(&s, "", s.level == LOG_WARN ? "threads_running is past source_busy" : "");
}

void governor_state(struct governor *g, struct governor_state *out)
{
    pthread_mutex_lock(&g->lock);
    *out = (struct governor_state){
        .turns = g->turns,
        .paused = g->paused_till != 0 && g->now_us() < g->paused_till,
        .times_halved = g->times_halved,
        .times_paused = g->times_paused,
    };
    pthread_mutex_unlock(&g->lock);
}
