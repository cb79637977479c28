/* See policy.h. */
#include "sync/policy.h"

static unsigned place_of(enum log_class one)
{
    unsigned i = 0;
    while (i + 1 < CHANGE_CLASSES && (1u << i) != (unsigned)one)
        i++;
    return i;
}

static int strictness(enum change_policy p)
{
    switch (p) {
    case POLICY_FAIL:
        return 3;
    case POLICY_PARK:
        return 2;
    case POLICY_RECOPY:
        return 1;
    case POLICY_APPLY:
    case POLICY_IGNORE:
        break;
    }
    return 0;
}

enum change_policy policy_of(const struct stream_options *o, unsigned classes,
                             enum log_class *which)
{
    enum change_policy found = POLICY_APPLY;
    bool any = false;
    static_assert(LOG_CLASS_GONE == 1 << (CHANGE_CLASSES - 1),
                  "an option for each class");
    for (unsigned i = 0; i < CHANGE_CLASSES; i++) {
        if ((classes & 1u << i) == 0 ||
            (any && strictness(o->on[i]) <= strictness(found)))
            continue;
        found = o->on[i];
        *which = (enum log_class)(1u << i);
        any = true;
    }
    return found;
}

const char *policy_option(enum log_class one)
{
    static const char *const NAMES[CHANGE_CLASSES] = {
        "on_new_column",  "on_dropped_column", "on_renamed_column", "on_changed_type",
        "on_unseen_rows", "on_truncate",       "on_gone",
    };
    return NAMES[place_of(one)];
}

const char *policy_words(enum log_class one)
{
    static const char *const WORDS[CHANGE_CLASSES] = {
        "a new column",
        "a dropped column",
        "a renamed column",
        "a column that was defined anew",
        "rows that may have changed unseen",
        "TRUNCATE",
        "the table dropped or renamed",
    };
    return WORDS[place_of(one)];
}
