/* src/sync/loader.h
 *
 * The loader thread of one lane: takes captured epochs in order, has the warehouse load
 * each in one transaction, then removes it from the spool (invariants 5 and 6). A stream
 * that fails at loading is left out from that epoch on, and the others go on (decision
 * 10).
 *
 * Thread: loader_run() is the whole thread; it owns its connection to the warehouse.
 */
#ifndef SYNC_LOADER_H
#define SYNC_LOADER_H

#include "base/cancel.h"
#include "spool/lane.h"
#include "sync/stream.h"
#include "warehouse/client.h"

#include <stdatomic.h>

/* How far a lane is loaded, for another thread to look at. */
struct loaded_place {
    pthread_mutex_t lock;
    char *position; /* [lock] owned: of the lane, behind the epoch loaded last; NULL: none
                       was */
    bool moved;     /* [lock] since the one who looks took it */
};

struct loader {
    struct lane *lane; /* borrowed, as all here */
    struct warehouse *warehouse;
    struct cancel *cancel;
    struct stream *streams; /* of the job; none while an earlier run's epochs load */
    size_t stream_count;
    atomic_int_fast64_t *load_us; /* how long the last epoch took; or NULL */
    struct loaded_place *loaded;  /* or NULL */
    atomic_uint_fast64_t rows_loaded;
    atomic_uint_fast64_t epochs_loaded;
};

/* Until the lane is finished and drained, or cancelled hard. On failure the lane is told,
 * so that whoever waits for room stops waiting; what is captured stays for the next run.
 */
int loader_run(struct loader *l, struct error *err);

#endif
