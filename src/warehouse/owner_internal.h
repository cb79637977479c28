/* src/warehouse/owner_internal.h
 *
 * What the files owner*.c share: the process's state, its clients, and the open file.
 *
 * Invariants:
 *   1. The database is open only while the lock file is held.
 *   2. Only the holder of the *turn* opens, loads, reads marks, resets and closes.
 *   3. The file is not closed while readers > 0.
 *   4. place_holder() is called only while the file is closed (its header says why).
 *
 * Thread: fields below `lock` are read and written under it; `sink` is also read by
 * readers, who counted themselves under it.
 */
#ifndef WAREHOUSE_OWNER_INTERNAL_H
#define WAREHOUSE_OWNER_INTERNAL_H

#include "base/cancel.h"
#include "warehouse/owner.h"
#include "warehouse/place.h"
#include "warehouse/protocol.h"

#include <pthread.h>
#include <stdbool.h>

struct owner;

struct client {
    struct owner *owner;
    int fd; /* owned by the client's thread while it runs */
    pthread_t thread;
    struct cancel *cancel; /* requested when the peer is gone or the process must end */
    bool used;             /* below: under the owner's lock */
    bool done;             /* the thread is about to return: join it */
    bool busy;             /* in a request: the main thread watches the peer */
    struct buf in, out;    /* of the thread */
};

struct owner {
    const struct owner_options *options;
    const struct warehouse_backend *backend;
    struct str path; /* real */
    int lock_fd;
    int listeners[PLACE_SOCKETS]; /* -1: none there */
    struct sockaddr_un addresses[PLACE_SOCKETS];
    int signals;  /* signalfd */
    int wake;     /* eventfd: the main thread looks again */
    bool greeted; /* somebody was here: main thread only */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* turn, readers, stopping, a client's cancel */
    bool turn;
    bool closing; /* the turn's holder closes: nobody begins to read */
    bool stopping;
    bool doomed; /* the open file failed as a whole: close it before the next use */
    unsigned readers;
    struct sink *sink; /* NULL: closed */
    int64_t used_at;   /* monotonic: when the last request ended */
    struct client clients[OWNER_CLIENTS_LIMIT];
};

/* ---- the file (owner_file.c) ----------------------------------------------------- */

/* Take the turn with the file open; tells the client while another program has it. Every
 * file_take() that returned 0 is ended by file_give(). failed: what the request did
 * wrong, NULL when it went well. Errors: ERR_CANCELLED; what open() says. */
int file_take(struct client *c, struct error *err);
void file_give(struct owner *o, const struct error *failed);

/* Count as a reader of the open file, opening it if needed. */
int file_read_begin(struct client *c, struct error *err);
void file_read_end(struct owner *o, const struct error *failed);

/* Close when nobody reads or works: waits for readers, or returns ERR_CANCELLED. */
int file_release(struct client *c, struct error *err);

/* Close if it was not used for the idle time or the process ends. Microseconds until it
 * is worth asking again, -1: not before something changes. Main thread. */
int64_t file_idle(struct owner *o);

/* Wake the main thread. */
void owner_wake(struct owner *o);

/* ---- clients (owner_serve.c) ----------------------------------------------------- */

/* A client's thread: struct client *. */
void *serve_client(void *client);

#endif
