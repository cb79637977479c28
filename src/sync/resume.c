/* See resume.h. */
#include "sync/resume.h"

#include "base/clock.h"

struct parked {
    struct stream_trouble *list; /* only what is parked */
    size_t count;
};

static int load(struct state *s, struct arena *a, struct str integration,
                struct parked *out, struct error *err)
{
    size_t count = 0;
    out->count = 0;
    if (state_trouble_list(s, a, integration, &out->list, &count, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (out->list[i].state == TROUBLE_PARKED)
            out->list[out->count++] = out->list[i];
    return 0;
}

static bool is_whole_name(const struct stream_trouble *t, struct str name)
{
    return name.len == t->database.len + 1 + t->table.len &&
           str_starts(name, t->database) && str_ends(name, t->table) &&
           name.ptr[t->database.len] == '.';
}

static const struct stream_trouble *find(const struct parked *p, struct str name,
                                         struct error *err)
{
    const struct stream_trouble *found = NULL;
    for (size_t i = 0; i < p->count; i++) {
        if (is_whole_name(&p->list[i], name))
            return &p->list[i];
        if (!str_eq(p->list[i].table, name))
            continue;
        if (found != NULL) {
            (void)error_set(err, ERR_CONFIG,
                            "more than one database has a parked table '" STR_FMT "'",
                            STR_ARG(name));
            err->hint = "Write database.table.";
            return NULL;
        }
        found = &p->list[i];
    }
    if (found == NULL) {
        (void)error_set(err, ERR_CONFIG, "no table '" STR_FMT "' is parked",
                        STR_ARG(name));
        err->hint = "`tailrace status NAME` lists what is parked. What could not be "
                    "followed and is not there is copied again by the next run.";
    }
    return found;
}

/* The next version is handed out, so that it is copied whatever the destination says of
 * the one that was followed. */
static int resume_one(struct state *s, struct str integration,
                      const struct stream_trouble *t, struct error *err)
{
    struct stream_name of = { integration, t->database, t->table };
    struct stream_trouble now = *t;
    uint64_t version = 0;
    now.state = TROUBLE_RESUMED;
    now.failures = 0;
    now.at = clock_wall_us();
    if (state_version_get(s, &of, &version, err) != 0 ||
        (version > 0 && state_version_set(s, &of, version + 1, err) != 0))
        return -1;
    return state_trouble_save(s, integration, &now, err);
}

int resume_tables(struct state *s, struct arena *a, const struct resume_order *o,
                  struct resume_result *out, struct error *err)
{
    struct parked all = { 0 };
    *out = (struct resume_result){ 0 };
    if (state_batch_begin(s, err) != 0)
        return -1;
    int rc = load(s, a, o->integration->name, &all, err);
    size_t want = o->name_count == 0 ? all.count : o->name_count;
    struct stream_trouble *done = ARENA_ARRAY(a, struct stream_trouble, want + 1);
    for (size_t k = 0; k < want && rc == 0; k++) {
        const struct stream_trouble *t =
            o->name_count == 0 ? &all.list[k] : find(&all, o->names[k], err);
        rc = t == NULL ? -1 : resume_one(s, o->integration->name, t, err);
        if (rc == 0)
            done[out->count++] = *t;
    }
    out->tables = done;
    return state_batch_finish(s, rc, err);
}
