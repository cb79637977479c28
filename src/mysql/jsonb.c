#include "mysql/jsonb.h"

int jsonb_to_text(struct str document, struct buf *out, struct error *err)
{
    (void)document;
    (void)out;
    return error_set(err, ERR_PROTOCOL, "no binary JSON");
}

int jsonb_apply_diffs(struct str before, struct str diffs, struct buf *out,
                      struct error *err)
{
    (void)before;
    (void)diffs;
    (void)out;
    return error_set(err, ERR_PROTOCOL, "no binary JSON");
}
