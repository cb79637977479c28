/* src/base/error.h
 *
 * One failure, made where it happened and handed up by the caller's own variable.
 *
 * A function that can fail returns 0 or -1 (or a pointer, or NULL), takes a
 * `struct error *err` last, and fills it exactly when it fails. Nobody logs on the way
 * up; callers may add context with error_wrap(). The job's top level logs it once and
 * acts on error_action().
 *
 * The struct owns nothing: copy it, drop it, put it on the stack as { 0 }.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdint.h>

/* What went wrong, by kind. Adding one means adding its row in error.c. */
enum error_code {
    ERR_NONE = 0,
    ERR_CANCELLED, /* someone asked this job to stop */
    ERR_CONFIG,    /* a setting must change */
    ERR_AUTH,      /* credentials or privileges were refused */
    ERR_NETWORK,   /* refused, lost or timed out */
    ERR_PROTOCOL,  /* the peer sent bytes we cannot accept */
    ERR_POSITION,  /* the saved position is gone at the source (binlog purged) */
    ERR_SCHEMA,    /* a table's shape cannot be mapped, or source and target diverged */
    ERR_DATA,      /* one value cannot be represented at the target */
    ERR_LIMIT,     /* a bound from the options was reached */
    ERR_IO,        /* local disk */
    ERR_TARGET,    /* the destination refused a load it may accept later */
    ERR_BUG,       /* one of our own invariants does not hold */
    ERR_CODE_COUNT
};

/* What the job does about it. */
enum error_action {
    ACT_STOP,   /* a person must act; zero, so that doubt stops */
    ACT_RETRY,  /* again, after a backoff */
    ACT_REJECT, /* put the offending rows aside, go on */
    ACT_PARK,   /* this stream alone leaves; the others go on */
};

struct error {
    enum error_code code;
    int sys;          /* errno of the failing call, or 0 */
    uint32_t remote;  /* the server's own error number, or 0 */
    uint64_t row;     /* 1-based row of the segment at fault, or 0 */
    const char *file; /* static: where it was first raised */
    int line;
    const char *hint; /* static: what the operator can do, one sentence, or NULL */
    char text[480];   /* "outer context: inner cause", NUL-terminated */
};

/* Set and fail in one line: return error_set(err, ERR_PROTOCOL, "..."); */
#define error_set(err, code, ...) \
    error_set_at((err), (code), __FILE__, __LINE__, __VA_ARGS__)

int error_set_at(struct error *err, enum error_code code, const char *file, int line,
                 const char *fmt, ...) __attribute__((format(printf, 5, 6), nonnull(1)));

/* Put context in front of an error already set, and fail. */
int error_wrap(struct error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), nonnull(1)));

/* What to do about it, by a table from code to action. */
enum error_action error_action(const struct error *err);

/* "network": the word that logs, reports and --json use. Static. */
const char *error_code_name(enum error_code code);

#endif
