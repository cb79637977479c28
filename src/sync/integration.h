/* src/sync/integration.h
 *
 * Recording what `sync` was asked to run, so that run, reset, status and the others work
 * on it by name.
 *
 * Thread: the caller's.
 */
#ifndef SYNC_INTEGRATION_H
#define SYNC_INTEGRATION_H

#include "config/option.h"
#include "config/url.h"
#include "state/state.h"
#include "sync/options.h"

/* What `sync` was asked; all borrowed. */
struct integration_request {
    struct str name;
    const struct url_source *source;
    const struct url_destination *destination;
    const struct option_values *options;
};

/* Insert the integration or bring it up to date; options are stored as they are set. The
 * destination of a name does not change once something was copied, nor ever its schema.
 * Errors: ERR_CONFIG for a name whose schema another integration has, or that loads
 * elsewhere already. */
int integration_record(struct state *s, struct arena *a,
                       const struct integration_request *r, struct integration *out,
                       struct error *err);

/* The options stored with an integration. The values are the caller's to free. */
struct option_values *integration_options(struct arena *a, const struct integration *i,
                                          struct sync_options *out, struct error *err);

#endif
