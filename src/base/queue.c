#include "base/queue.h"

#include "base/alloc.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct node {
    struct node *next;
    void *item;
    size_t weight;
};

struct queue {
    const char *name; /* static */
    size_t max_weight;
    void (*drop)(void *item);

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t not_full;
    pthread_cond_t not_empty;
    struct node *first; /* owned, as are the items until popped */
    struct node *last;
    size_t weight;
    bool closed;
};

struct queue *queue_new(const char *name, size_t max_weight, void (*drop)(void *item))
{
    struct queue *q = xcalloc(1, sizeof(*q));
    pthread_condattr_t attr;
    q->name = name;
    q->max_weight = max_weight;
    q->drop = drop;
    /* None of these can fail with these arguments on Linux. */
    (void)pthread_mutex_init(&q->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&q->not_full, &attr);
    (void)pthread_cond_init(&q->not_empty, &attr);
    (void)pthread_condattr_destroy(&attr);
    return q;
}

static bool has_room_locked(const struct queue *q, size_t weight)
{
    return q->first == NULL ||
           (q->weight <= q->max_weight && weight <= q->max_weight - q->weight);
}

bool queue_push(struct queue *q, void *item, size_t weight)
{
    assert(item != NULL); /* NULL is how queue_pop() says that it is over */
    struct node *n = xcalloc(1, sizeof(*n));
    n->item = item;
    n->weight = weight;
    (void)pthread_mutex_lock(&q->lock);
    while (!q->closed && !has_room_locked(q, weight))
        (void)pthread_cond_wait(&q->not_full, &q->lock);
    bool taken = !q->closed;
    if (taken) {
        if (q->last == NULL)
            q->first = n;
        else
            q->last->next = n;
        q->last = n;
        q->weight += weight;
        (void)pthread_cond_signal(&q->not_empty);
    }
    (void)pthread_mutex_unlock(&q->lock);
    if (!taken)
        free(n);
    return taken;
}

static void *take_first_locked(struct queue *q)
{
    struct node *n = q->first;
    void *item = n->item;
    q->first = n->next;
    if (q->first == NULL)
        q->last = NULL;
    q->weight -= n->weight;
    free(n);
    /* One item less may be room for several waiting lighter ones. */
    (void)pthread_cond_broadcast(&q->not_full);
    return item;
}

void *queue_pop(struct queue *q)
{
    void *item = NULL;
    (void)pthread_mutex_lock(&q->lock);
    while (q->first == NULL && !q->closed)
        (void)pthread_cond_wait(&q->not_empty, &q->lock);
    if (q->first != NULL)
        item = take_first_locked(q);
    (void)pthread_mutex_unlock(&q->lock);
    return item;
}

static struct timespec deadline_after(int64_t us)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
    t.tv_sec += us / 1000000;
    t.tv_nsec += us % 1000000 * 1000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return t;
}

void *queue_pop_for(struct queue *q, int64_t timeout_us, bool *closed)
{
    void *item = NULL;
    struct timespec deadline = deadline_after(timeout_us < 0 ? 0 : timeout_us);
    (void)pthread_mutex_lock(&q->lock);
    while (q->first == NULL && !q->closed)
        if (pthread_cond_timedwait(&q->not_empty, &q->lock, &deadline) == ETIMEDOUT)
            break;
    if (q->first != NULL)
        item = take_first_locked(q);
    *closed = item == NULL && q->closed;
    (void)pthread_mutex_unlock(&q->lock);
    return item;
}

static void close_locked(struct queue *q)
{
    q->closed = true;
    (void)pthread_cond_broadcast(&q->not_full);
    (void)pthread_cond_broadcast(&q->not_empty);
}

void queue_close(struct queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    close_locked(q);
    (void)pthread_mutex_unlock(&q->lock);
}

static void drop_list(struct queue *q, struct node *n)
{
    while (n != NULL) {
        struct node *next = n->next;
        if (q->drop != NULL)
            q->drop(n->item);
        free(n);
        n = next;
    }
}

void queue_abort(struct queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    close_locked(q);
    struct node *left = q->first;
    q->first = NULL;
    q->last = NULL;
    q->weight = 0;
    (void)pthread_mutex_unlock(&q->lock);
    drop_list(q, left); /* outside the lock: drop() is the caller's code */
}

void queue_free(struct queue *q)
{
    if (q == NULL)
        return;
    drop_list(q, q->first);
    (void)pthread_cond_destroy(&q->not_empty);
    (void)pthread_cond_destroy(&q->not_full);
    (void)pthread_mutex_destroy(&q->lock);
    free(q);
}
