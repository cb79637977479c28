#include "mysql/gtid.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <stdlib.h>

static int source_cmp(const struct gtid_source *a, const struct gtid_source *b)
{
    int order = memcmp(a->uuid, b->uuid, sizeof a->uuid);
    return order != 0 ? order : strcmp(a->tag, b->tag);
}

/* The first run that is not before `source`; *found: it is the source's. */
static uint32_t run_place(const struct gtid_set *s, const struct gtid_source *source,
                          bool *found)
{
    uint32_t low = 0, high = s->count;
    *found = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = source_cmp(&s->runs[middle].source, source);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct gtid_run *run_find(const struct gtid_set *s,
                                 const struct gtid_source *source)
{
    bool found;
    uint32_t at = run_place(s, source, &found);
    return found ? &s->runs[at] : NULL;
}

static uint32_t grown(uint32_t capacity)
{
    return capacity < 4 ? 4 : capacity * 2;
}

/* The source's run, made when there is none. */
static struct gtid_run *run_get(struct gtid_set *s, const struct gtid_source *source)
{
    bool found;
    uint32_t at = run_place(s, source, &found);
    if (found)
        return &s->runs[at];
    if (s->count == s->capacity) {
        s->capacity = grown(s->capacity);
        s->runs = xreallocarray(s->runs, s->capacity, sizeof *s->runs);
    }
    memmove(s->runs + at + 1, s->runs + at, (s->count - at) * sizeof *s->runs);
    s->runs[at] = (struct gtid_run){ .source = *source };
    s->count++;
    return &s->runs[at];
}

/* The first interval that ends at `number` or behind it. */
static uint32_t interval_place(const struct gtid_run *run, uint64_t number)
{
    uint32_t low = 0, high = run->count;
    if (high > 0 && run->intervals[high - 1].last < number)
        return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (run->intervals[middle].last < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Put `n` intervals in the place of those in [from, to). */
static void splice(struct gtid_set *s, struct gtid_run *run, uint32_t from, uint32_t to,
                   const struct gtid_interval *with, uint32_t n)
{
    uint32_t count = run->count - (to - from) + n;
    if (count > run->capacity) {
        run->capacity = count > grown(run->capacity) ? count : grown(run->capacity);
        run->intervals = xreallocarray(run->intervals, run->capacity, sizeof *with);
    }
    if (run->count > to)
        memmove(run->intervals + from + n, run->intervals + to,
                (run->count - to) * sizeof *with);
    if (n > 0)
        memcpy(run->intervals + from, with, n * sizeof *with);
    s->intervals = s->intervals - run->count + count;
    run->count = count;
}

static int check_room(const struct gtid_set *s, struct error *err)
{
    if (s->intervals >= GTID_INTERVALS_LIMIT || s->count >= GTID_SOURCES_LIMIT)
        return error_set(err, ERR_LIMIT,
                         "a GTID set has more than %u intervals or %u sources",
                         GTID_INTERVALS_LIMIT, GTID_SOURCES_LIMIT);
    return 0;
}

int gtid_set_add_interval(struct gtid_set *s, const struct gtid_source *source,
                          struct gtid_interval add, struct error *err)
{
    if (add.first == 0 || add.first > add.last || add.last > GTID_NUMBER_MAX)
        return error_set(err, ERR_PROTOCOL,
                         "%" PRIu64 "-%" PRIu64 " are no numbers of GTIDs", add.first,
                         add.last);
    if (check_room(s, err) != 0)
        return -1;
    struct gtid_run *run = run_get(s, source);
    uint32_t from = interval_place(run, add.first - 1); /* what touches is one with it */
    uint32_t to = from;
    while (to < run->count && run->intervals[to].first <= add.last + 1) {
        if (run->intervals[to].first < add.first)
            add.first = run->intervals[to].first;
        if (run->intervals[to].last > add.last)
            add.last = run->intervals[to].last;
        to++;
    }
    splice(s, run, from, to, &add, 1);
    return 0;
}

static void drop_run(struct gtid_set *s, struct gtid_run *run)
{
    free(run->intervals);
    s->count--;
    memmove(run, run + 1, (s->count - (size_t)(run - s->runs)) * sizeof *run);
}

static void remove_interval(struct gtid_set *s, struct gtid_run *run,
                            struct gtid_interval cut)
{
    struct gtid_interval rest[2];
    uint32_t n = 0;
    uint32_t from = interval_place(run, cut.first);
    uint32_t to = from;
    for (; to < run->count && run->intervals[to].first <= cut.last; to++) {
        struct gtid_interval i = run->intervals[to];
        if (i.first < cut.first)
            rest[n++] = (struct gtid_interval){ i.first, cut.first - 1 };
        if (i.last > cut.last)
            rest[n++] = (struct gtid_interval){ cut.last + 1, i.last };
    }
    splice(s, run, from, to, rest, n);
}

void gtid_set_done(struct gtid_set *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        free(s->runs[i].intervals);
    free(s->runs);
    *s = (struct gtid_set){ 0 };
}

static int add_all(struct gtid_set *s, const struct gtid_set *with, struct error *err)
{
    for (uint32_t i = 0; i < with->count; i++) {
        const struct gtid_run *run = &with->runs[i];
        for (uint32_t k = 0; k < run->count; k++) {
            if (gtid_set_add_interval(s, &run->source, run->intervals[k], err) != 0)
                return -1;
        }
    }
    return 0;
}

int gtid_set_copy(const struct gtid_set *s, struct gtid_set *out, struct error *err)
{
    struct gtid_set copy = { 0 };
    if (add_all(&copy, s, err) != 0) {
        gtid_set_done(&copy);
        return -1;
    }
    *out = copy;
    return 0;
}

int gtid_set_union(struct gtid_set *s, const struct gtid_set *with, struct error *err)
{
    struct gtid_set sum = { 0 };
    if (gtid_set_copy(s, &sum, err) != 0)
        return -1;
    if (add_all(&sum, with, err) != 0) {
        gtid_set_done(&sum);
        return -1;
    }
    gtid_set_done(s);
    *s = sum;
    return 0;
}

static int subtract_run(struct gtid_set *s, const struct gtid_run *less,
                        struct error *err)
{
    struct gtid_run *run = run_find(s, &less->source);
    if (run == NULL)
        return 0;
    for (uint32_t k = 0; k < less->count && run->count > 0; k++) {
        if (s->intervals >= GTID_INTERVALS_LIMIT)
            return error_set(err, ERR_LIMIT, "a GTID set has more than %u intervals",
                             GTID_INTERVALS_LIMIT);
        remove_interval(s, run, less->intervals[k]);
    }
    if (run->count == 0)
        drop_run(s, run);
    return 0;
}

int gtid_set_subtract(struct gtid_set *s, const struct gtid_set *less, struct error *err)
{
    struct gtid_set rest = { 0 };
    if (gtid_set_copy(s, &rest, err) != 0)
        return -1;
    for (uint32_t i = 0; i < less->count; i++) {
        if (subtract_run(&rest, &less->runs[i], err) != 0) {
            gtid_set_done(&rest);
            return -1;
        }
    }
    gtid_set_done(s);
    *s = rest;
    return 0;
}

int gtid_set_add(struct gtid_set *s, const struct gtid *g, struct error *err)
{
    return gtid_set_add_interval(s, &g->source,
                                 (struct gtid_interval){ g->number, g->number }, err);
}

bool gtid_set_is_empty(const struct gtid_set *s)
{
    return s->count == 0;
}

static bool run_covers(const struct gtid_run *run, struct gtid_interval i)
{
    uint32_t at = interval_place(run, i.first);
    return at < run->count && run->intervals[at].first <= i.first &&
           run->intervals[at].last >= i.last;
}

bool gtid_set_contains(const struct gtid_set *s, const struct gtid *g)
{
    const struct gtid_run *run = run_find(s, &g->source);
    return run != NULL && run_covers(run, (struct gtid_interval){ g->number, g->number });
}

bool gtid_set_is_subset(const struct gtid_set *s, const struct gtid_set *of)
{
    for (uint32_t i = 0; i < s->count; i++) {
        const struct gtid_run *run = run_find(of, &s->runs[i].source);
        for (uint32_t k = 0; k < s->runs[i].count; k++) {
            if (run == NULL || !run_covers(run, s->runs[i].intervals[k]))
                return false;
        }
    }
    return true;
}

bool gtid_set_equal(const struct gtid_set *a, const struct gtid_set *b)
{
    if (a->count != b->count || a->intervals != b->intervals)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct gtid_run *x = &a->runs[i], *y = &b->runs[i];
        if (source_cmp(&x->source, &y->source) != 0 || x->count != y->count ||
            memcmp(x->intervals, y->intervals, x->count * sizeof *x->intervals) != 0)
            return false;
    }
    return true;
}

uint64_t gtid_set_size(const struct gtid_set *s)
{
    uint64_t size = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct gtid_run *run = &s->runs[i];
        for (uint32_t k = 0; k < run->count; k++) {
            uint64_t n = run->intervals[k].last - run->intervals[k].first + 1;
            size = n > UINT64_MAX - size ? UINT64_MAX : size + n;
        }
    }
    return size;
}
