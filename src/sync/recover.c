/* See recover.h. */
#include "sync/recover.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "spool/manifest.h"

#include <dirent.h>
#include <errno.h>

#define ARENA_LIMIT ((size_t)512 << 20)

/* Whether one captured epoch was made for another destination. */
static int is_foreign(const char *epoch_dir, struct str destination_id, bool *out,
                      struct error *err)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new(ARENA_LIMIT);
    CLEANUP(buf_done) struct buf path, json;
    struct manifest m = { 0 };
    buf_init(&path, 8192);
    buf_init(&json, MANIFEST_LIMIT_BYTES);
    buf_printf(&path, "%s/%s", epoch_dir, MANIFEST_FILE);
    if (buf_check(&path, "a spool path", err) != 0 ||
        file_read(buf_text(&path), &json, err) != 0 ||
        manifest_read(a, buf_str(&json), &m, err) != 0)
        return -1;
    *out = !str_eq(m.destination_id, destination_id);
    return 0;
}

int recover_foreign(const char *spool_dir, const char *lane, struct str destination_id,
                    struct error *err)
{
    CLEANUP(buf_done) struct buf path;
    buf_init(&path, 8192);
    buf_printf(&path, "%s/%s", spool_dir, lane);
    DIR *dir = opendir(buf_text(&path));
    if (dir == NULL)
        return errno == ENOENT ? 0
                               : error_set(err, ERR_IO, "reading '%s': errno %d",
                                           buf_text(&path), errno);
    bool foreign = false;
    int rc = 0;
    size_t base = path.len;
    for (const struct dirent *e = readdir(dir); e != NULL && rc == 0 && !foreign;
         e = readdir(dir)) {
        if (!str_ends(str_of(e->d_name), STR(".epoch")))
            continue;
        buf_truncate(&path, base);
        buf_printf(&path, "/%s", e->d_name);
        rc = is_foreign(buf_text(&path), destination_id, &foreign, err);
    }
    (void)closedir(dir);
    if (rc != 0 || !foreign)
        return rc;
    buf_truncate(&path, base);
    log_event(LOG_WARN,
              "captured epochs belong to a destination that is gone; "
              "removing them, their tables are read again",
              F_TEXT("lane", lane));
    return file_remove_tree(buf_text(&path), err);
}
