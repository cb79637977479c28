#include "warehouse/backend.h"

#include "base/alloc.h"
#include "base/file.h"

static struct sink *open_file(struct str path, const struct str *settings,
                              size_t setting_count, struct error *err)
{
    const struct sink_ops *ops = sink_find(STR("duckdb"));
    return ops->open(path, settings, setting_count, NULL, err);
}

/* The sink takes the list on trust: its length must be the manifest's. */
static int check_excluded(struct arena *a, const char *epoch_dir, size_t excluded_count,
                          struct error *err)
{
    CLEANUP(buf_done) struct buf path, text;
    struct manifest m = { 0 };
    buf_init(&path, 8192);
    buf_init(&text, MANIFEST_LIMIT_BYTES);
    buf_printf(&path, "%s/" MANIFEST_FILE, epoch_dir);
    if (buf_check(&path, "path of a manifest", err) != 0 ||
        file_read(buf_text(&path), &text, err) != 0 ||
        manifest_read(a, buf_str(&text), &m, err) != 0)
        return -1;
    if (m.stream_count == excluded_count)
        return 0;
    return error_set(err, ERR_BUG, "%zu streams are named of an epoch that has %zu",
                     excluded_count, m.stream_count);
}

static int load(struct sink *s, struct arena *a, const struct epoch_load *l,
                struct load_outcome *out, struct error *err)
{
    out->failed_stream = -1;
    if (l->excluded != NULL && check_excluded(a, l->dir, l->excluded_count, err) != 0)
        return -1;
    return sink_load_epoch(s, a, l->dir, l->excluded, out, err);
}

const struct warehouse_backend backend_duckdb = {
    .open = open_file,
    .close = sink_close,
    .marks = sink_marks,
    .load = load,
    .reset = sink_reset,
    .read = duckdb_read,
};
