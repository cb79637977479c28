/* A place that the source's log does not have, where nothing is known but the place: what
 * became of it, as far as the files' names tell. See log_resume.c. */
#include "base/alloc.h"
#include "source/log_internal.h"

#define FILES_BYTES ((size_t)16 << 20)
#define WHERE_BYTES 256
#define WHAT_BYTES 1024

/* The server's own words stand behind where they are all that is known. */
static int say(struct error *err, const char *where, const char *what,
               const struct error *cause)
{
    bool add = cause != NULL && cause->code != ERR_NONE;
    struct error own = add ? *cause : (struct error){ 0 };
    (void)error_set(err, ERR_POSITION, "%s %s%s%s", where, what, add ? ": " : "",
                    add ? own.text : "");
    err->hint = LOG_HINT_COPY;
    return -1;
}

static bool is_listed(struct str name, const struct str *files, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(files[i], name))
            return true;
    return false;
}

/* What the list of files says of a file that is not in it. */
static int not_listed(struct error *err, const char *where, struct str name,
                      const struct str *files, size_t count)
{
    char what[WHAT_BYTES];
    struct str oldest = files[0], newest = files[count - 1];
    int order;
    if (log_file_order(name, oldest, &order) && order < 0) {
        (void)snprintf(what, sizeof what,
                       "has purged '" STR_FMT "', which was not read to its end: its "
                       "oldest file is '" STR_FMT "'",
                       STR_ARG(name), STR_ARG(oldest));
        return say(err, where, what, NULL);
    }
    (void)snprintf(what, sizeof what,
                   "has another history: its log has no '" STR_FMT
                   "', the newest file is '" STR_FMT
                   "' (the log was begun anew, or a backup was restored)",
                   STR_ARG(name), STR_ARG(newest));
    return say(err, where, what, NULL);
}

int log_say_gone(struct log_reader *r, struct error *err)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new(FILES_BYTES);
    const struct log_at *at = &r->at;
    struct error cause = *err;
    struct error ignored = { 0 };
    struct str uuid = r->feed->type->server(r->feed)->uuid;
    struct str *files = NULL;
    size_t count = 0;
    char where[WHERE_BYTES] = "the source";
    char what[WHAT_BYTES];
    if (log_is_other_server(r))
        (void)snprintf(where, sizeof where,
                       "another server answers (" STR_FMT ", not %s), and it",
                       STR_ARG(uuid), at->server);
    if (r->feed->type->files(r->feed, a, &files, &count, &ignored) != 0)
        count = 0;
    if (count > 0 && !is_listed(str_of(at->file), files, count))
        return not_listed(err, where, str_of(at->file), files, count);
    if (count > 0)
        cause = (struct error){ 0 };
    (void)snprintf(what, sizeof what,
                   "has another history: its log does not have '%s' at %llu as it was "
                   "read (the log was begun anew, or a backup was restored)",
                   at->file, (unsigned long long)at->offset);
    return say(err, where, what, &cause);
}
