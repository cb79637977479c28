#include "base/fault.h"

#ifdef TAILRACE_FAULT_POINTS

#include "base/str.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

/* How often the one point that the environment names was passed. */
static atomic_uint_fast64_t passed;

struct spec {
    struct str name;
    uint64_t passing; /* which passing, from 1; 0 when not given */
    struct str error; /* "ENOSPC"; NULL ptr when the process shall die */
};

/* NAME[:PASSING][=ERRNO] */
static struct spec parse_spec(const char *text)
{
    struct spec spec = { 0 };
    struct str rest;
    struct str number;
    rest = str_cut(str_of(text), '=', &spec.error);
    spec.name = str_cut(rest, ':', &number);
    if (number.ptr != NULL)
        (void)str_to_u64(number, &spec.passing); /* junk leaves 0: every passing */
    return spec;
}

/* Is this passing the one that the environment asks for? */
static bool is_hit(const char *name, bool wants_errno, struct spec *spec)
{
    const char *text = getenv("TAILRACE_FAULT"); /* NOLINT(concurrency-mt-unsafe): never
                                                    set after the start */
    if (text == NULL)
        return false;
    *spec = parse_spec(text);
    if ((spec->error.ptr != NULL) != wants_errno || !str_eq(spec->name, str_of(name)))
        return false;
    uint64_t now = atomic_fetch_add(&passed, 1) + 1;
    return spec->passing == 0 || spec->passing == now;
}

void fault_point(const char *name)
{
    struct spec spec;
    if (is_hit(name, false, &spec))
        (void)kill(getpid(), SIGKILL); /* does not come back */
}

static const struct {
    const char *name;
    int value;
} errors[] = {
    { "ENOSPC", ENOSPC },         { "EIO", EIO },       { "EDQUOT", EDQUOT },
    { "EROFS", EROFS },           { "EACCES", EACCES }, { "EMFILE", EMFILE },
    { "ECONNRESET", ECONNRESET }, { "EPIPE", EPIPE },   { "ETIMEDOUT", ETIMEDOUT },
};

int fault_errno(const char *name)
{
    struct spec spec;
    if (!is_hit(name, true, &spec))
        return 0;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (str_eq(spec.error, str_of(errors[i].name)))
            return errors[i].value;
    return EIO;
}

#else

/* Nothing in builds for users; a translation unit must not be empty. */
extern int fault_points_are_off;

#endif
