/* src/base/queue.h
 *
 * A bounded hand-over of pointers between threads. Bounded by weight, in bytes, because a
 * block may hold one row or a hundred thousand.
 *
 * Thread: any, for every function but queue_free().
 */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;

/* name is static and shows in metrics; drop() frees an item that nobody will receive. */
struct queue *queue_new(const char *name, size_t max_weight, void (*drop)(void *item));

/* Waits while full. True: the queue owns item. False: closed, item is still yours.
 * An item heavier than the bound is let in when the queue is empty. */
bool queue_push(struct queue *q, void *item, size_t weight);

/* Waits while empty. The item is yours. NULL: closed and drained. */
void *queue_pop(struct queue *q);

/* The same with a deadline. NULL with *closed false: the time was over. NULL with *closed
 * true: closed and drained. */
void *queue_pop_for(struct queue *q, int64_t timeout_us, bool *closed);

void queue_close(struct queue *q); /* the writer's end: no more pushes, pops drain */
void queue_abort(struct queue *q); /* the reader's end: close and drop what is left */
void queue_free(struct queue *q);  /* after both threads are joined; NULL is fine */

#endif
