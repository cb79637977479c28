/* What a person wants done with changes of a followed table. See log_lane_internal.h. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "sync/log_lane_internal.h"
#include "sync/policy.h"

#define HINT_FAIL                                                                       \
    "Nothing behind that change was captured, and the next run comes to it again. Say " \
    "what is to be done with it: `tailrace select NAME TABLE` with that option as "     \
    "apply, recopy or park, then `tailrace run NAME`."

static int fail(const struct log_table *t, const struct log_item *item,
                enum log_class which, struct error *err)
{
    (void)error_set(err, ERR_SCHEMA,
                    "table '" STR_FMT "." STR_FMT "': %s (" STR_FMT "), and option '%s' "
                    "is fail",
                    STR_ARG(t->stream->database), STR_ARG(t->stream->table),
                    policy_words(which), STR_ARG(item->why), policy_option(which));
    err->hint = HINT_FAIL;
    return -1;
}

/* Before the epoch with ACTION_PARK is captured: a run that dies in between finds the
 * table parked. */
static int park(struct log_lane *l, struct log_table *t, const struct log_item *item,
                enum log_class which, struct error *err)
{
    const struct plan_context *c = l->config.plan;
    struct stream_trouble trouble = {
        .database = t->stream->database,
        .table = t->stream->table,
        .state = TROUBLE_PARKED,
        .why =
            arena_printf(l->arena, "%s (" STR_FMT "), and option '%s' is park",
                         policy_words(which), STR_ARG(item->why), policy_option(which)),
        .at = clock_wall_us()
    };
    if (state_trouble_save(c->state, c->integration, &trouble, err) != 0)
        return -1;
    return log_change_park(l, t, trouble.why,
                           item->change == LOG_GONE ? ACTION_GONE : ACTION_PARK);
}

static int copy_again(struct log_lane *l, struct log_table *t,
                      const struct log_item *item, enum log_class which)
{
    struct str why =
        arena_printf(l->arena, "%s (" STR_FMT "), and option '%s' is recopy",
                     policy_words(which), STR_ARG(item->why), policy_option(which));
    return log_change_lose(l, t, why, ACTION_PARK);
}

/* The rows stay: from here on the copy has rows that the source has not. */
static int keep_rows(struct log_lane *l, const struct log_table *t,
                     const struct log_item *item, struct error *err)
{
    const struct plan_context *c = l->config.plan;
    struct stream_inexact i = {
        .database = t->stream->database,
        .table = t->stream->table,
        .version = t->version,
        .what = STR("the table was truncated at the source, and option 'on_truncate' is "
                    "ignore: rows from before it are kept"),
        .at = item->at
    };
    log_event(LOG_WARN,
              "the table was truncated at the source, its rows are kept as option "
              "on_truncate says",
              F_STR("database", i.database), F_STR("table", i.table));
    return state_inexact_save(c->state, c->integration, &i, err);
}

int log_policy_take(struct log_lane *l, struct log_table *t, const struct log_item *item,
                    bool *taken, struct error *err)
{
    enum log_class which = LOG_CLASS_ROWS;
    *taken = true;
    switch (policy_of(&t->stream->options, item->classes, &which)) {
    case POLICY_FAIL:
        return fail(t, item, which, err);
    case POLICY_PARK:
        return park(l, t, item, which, err);
    case POLICY_RECOPY:
        if (item->change == LOG_LOST) /* it is anyway, and why says more */
            break;
        return copy_again(l, t, item, which);
    case POLICY_IGNORE:
        if (item->change != LOG_TRUNCATED || t->state != LOG_TABLE_LIVE)
            break; /* the copy that is being made has none of the rows anyway */
        return keep_rows(l, t, item, err);
    case POLICY_APPLY:
        break;
    }
    *taken = false;
    return 0;
}
