/* src/sync/policy.h
 *
 * What is to be done with a change of a followed table that is no row, by its class: the
 * options on_new_column, on_dropped_column and so on.
 *
 *   apply   in place where that is proved to be exact, else copied again
 *   recopy  copied again, always
 *   park    it leaves the log there and stays as it is, until a person resumes it
 *   fail    the run stops before that change is captured
 *   ignore  a new column is not taken; a TRUNCATE leaves the rows, and that is said
 *
 * They are about tables whose live version follows the log. A change that comes while a
 * table is copied becomes part of the copy.
 *
 * Thread: any.
 */
#ifndef SYNC_POLICY_H
#define SYNC_POLICY_H

#include "source/log.h"
#include "sync/options.h"

/* classes: enum log_class, or-ed; none: the answer is apply. Of several classes the
 * strictest policy counts: fail, park, recopy. *which: the class it belongs to. */
enum change_policy policy_of(const struct stream_options *o, unsigned classes,
                             enum log_class *which);

/* "on_new_column" */
const char *policy_option(enum log_class one);

/* "a new column": what came. */
const char *policy_words(enum log_class one);

#endif
