#include "base/cancel.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct cancel {
    atomic_int strength;
    int fd; /* an eventfd: counts up once, is never read, so it stays readable */
};

struct cancel *cancel_new(void)
{
    struct cancel *c = xcalloc(1, sizeof(*c));
    c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->fd < 0) {
        perror("tailrace: cannot make an event descriptor");
        abort(); /* out of descriptors at the very start: nothing could be stopped */
    }
    return c;
}

void cancel_free(struct cancel *c)
{
    if (c == NULL)
        return;
    (void)close(c->fd); /* an eventfd has nothing to lose */
    free(c);
}

/* Called from signal handlers: only async-signal-safe calls, errno kept. */
void cancel_request(struct cancel *c, enum cancel_strength strength)
{
    int before = errno;
    int now = atomic_load(&c->strength);
    while (now < (int)strength &&
           !atomic_compare_exchange_weak(&c->strength, &now, (int)strength))
        ;
    uint64_t one = 1;
    if (strength != CANCEL_NONE && write(c->fd, &one, sizeof(one)) < 0) {
        /* Only EAGAIN is possible: the counter is full, so the descriptor is readable. */
    }
    errno = before;
}

enum cancel_strength cancel_requested(const struct cancel *c)
{
    return c == NULL ? CANCEL_NONE : (enum cancel_strength)atomic_load(&c->strength);
}

int cancel_fd(const struct cancel *c)
{
    return c == NULL ? -1 : c->fd;
}

int cancel_check(const struct cancel *c, struct error *err)
{
    switch (cancel_requested(c)) {
    case CANCEL_NONE:
        return 0;
    case CANCEL_GRACEFUL:
    case CANCEL_HARD:
        break;
    }
    return error_set(err, ERR_CANCELLED, "stopped on request");
}
